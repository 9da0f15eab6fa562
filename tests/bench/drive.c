// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/drive.h"

#include "base/clock_posix.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double microseconds(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

double clock_wall_us(void)
{
    return microseconds(CLOCK_MONOTONIC);
}

double clock_cpu_us(void)
{
    return microseconds(CLOCK_PROCESS_CPUTIME_ID);
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

double quantile(double *samples, size_t count, unsigned percent)
{
    if (count == 0) {
        return 0;
    }
    qsort(samples, count, sizeof *samples, compare_doubles);
    size_t rank = (percent * count + 99) / 100;
    return samples[rank == 0 ? 0 : rank - 1];
}

bool drive_open(struct drive *drive, struct gate_config *config, char **urls, size_t url_count)
{
    struct chain_http_provider providers[GATE_PROVIDERS_MAX];
    struct rng rng;
    static const uint8_t seed[RNG_SEED_SIZE];
    *drive = (struct drive){0};
    if (url_count == 0 || url_count > GATE_PROVIDERS_MAX) {
        (void)fprintf(stderr, "one to %d URLs are needed\n", GATE_PROVIDERS_MAX);
        return false;
    }
    for (size_t i = 0; i < url_count; i++) {
        providers[i] = (struct chain_http_provider){.url = urls[i]};
    }
    const struct chain_http_config http = {.providers = providers, .provider_count = url_count};
    config->providers = url_count;
    rng_seed(&rng, seed);
    enum status status = gate_create(config, &rng, &drive->gate);
    if (status == OK) {
        status = chain_http_create(&http, &drive->http);
    }
    if (status != OK) {
        (void)fprintf(stderr, "the gate cannot be driven: %s\n", status_text(status));
    }
    return status == OK;
}

void drive_close(struct drive *drive)
{
    chain_http_destroy(drive->http);
    gate_destroy(drive->gate);
    *drive = (struct drive){0};
}

void drive_wait(struct chain_http *http, uint64_t wait_ms)
{
    struct pollfd watched = {.fd = chain_http_fd(http), .events = POLLIN};
    (void)poll(&watched, 1, wait_ms < 1000 ? (int)wait_ms : 1000);
    chain_http_on_ready(http);
}

void drive_spend(struct drive *drive, double gate_cpu_us)
{
    drive->total.gate_cpu_us += gate_cpu_us;
    drive->burst.gate_cpu_us += gate_cpu_us;
}

static bool next_call(struct drive *drive, struct now now, struct gate_call *ret)
{
    double begin = clock_cpu_us();
    bool more = gate_next_call(drive->gate, now, ret);
    drive_spend(drive, clock_cpu_us() - begin);
    return more;
}

static void make_calls(struct drive *drive, struct now now)
{
    struct gate_call call;
    while (next_call(drive, now, &call)) {
        struct chain_http_call order = {.id = call.id,
            .provider = call.provider,
            .body = call.body,
            .body_max = call.reply_max,
            .timeout_ms = call.timeout_ms};
        if (chain_http_submit(drive->http, &order) != OK) {
            static const struct rpc_reply lost = {.outcome = RPC_UNREACHABLE};
            gate_on_reply(drive->gate, now, call.id, &lost);
            continue;
        }
        if (drive->burst.calls == 0) {
            drive->burst.begin_us = clock_wall_us();
        }
        drive->pending++;
        drive->total.calls++;
        drive->total.bytes_out += call.body.size;
        drive->burst.calls++;
        drive->burst.bytes_out += call.body.size;
    }
}

static void take_replies(struct drive *drive)
{
    struct chain_http_reply reply;
    while (chain_http_next_reply(drive->http, &reply)) {
        struct rpc_reply answer = chain_http_rpc_reply(&reply);
        double begin = clock_cpu_us();
        gate_on_reply(drive->gate, clock_now(), reply.call_id, &answer);
        drive_spend(drive, clock_cpu_us() - begin);
        drive->total.bytes_in += reply.body.size;
        drive->burst.bytes_in += reply.body.size;
        drive->burst.end_us = clock_wall_us();
        drive->pending--;
    }
}

bool drive_turn(struct drive *drive, uint64_t wait_ms)
{
    if (drive->over) {
        drive->burst = (struct drive_cost){0};
    }
    double begin = clock_cpu_us();
    struct now now = clock_now();
    gate_on_deadline(drive->gate, now);
    drive_spend(drive, clock_cpu_us() - begin);
    make_calls(drive, now);
    drive->over = drive->pending == 0 && drive->burst.calls > 0;
    if (!drive->over) {
        uint64_t due_ms = mono_since(clock_now().mono, gate_next_deadline(drive->gate));
        drive_wait(drive->http, due_ms < wait_ms ? due_ms : wait_ms);
        take_replies(drive);
    }
    double cpu_us = clock_cpu_us() - begin;
    drive->total.turns++;
    drive->total.cpu_us += cpu_us;
    drive->burst.turns++;
    drive->burst.cpu_us += cpu_us;
    return drive->over;
}

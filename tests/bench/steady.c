// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a node that only watches costs: the gate polls its tokens at its own pace, in real time, and
// nothing happens on the chain. From one reading of a token to a later one, scaled to an hour. Run
// by bench_steady.
//
//     steady CHAIN_ID CONTRACT TOKENS SECONDS PROFILE LOGS_MS URL...
//
// PROFILE: erc721 or dstack-access. LOGS_MS: how often event logs are asked for; 0 = never.
#include "base/clock_posix.h"
#include "tests/bench/drive.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WARM_UP_READINGS = 2,
    AGES_MAX = 4096,
};

struct bench {
    struct gate_config config;
    struct drive drive;
    size_t tokens;
    double seconds;
    size_t readings;         // that the first provider gave of the first token
    uint64_t age_ms;         // of the newest one
    double ages_s[AGES_MAX]; // of the head, at each reading
};

static void stop(const char *what)
{
    (void)fprintf(stderr, "steady: %s\n", what);
    exit(2);
}

static void read_arguments(int argc, char **argv, struct bench *ret)
{
    if (argc < 8) {
        stop("usage: steady CHAIN_ID CONTRACT TOKENS SECONDS PROFILE LOGS_MS URL...");
    }
    struct gate_config *config = &ret->config;
    config->network.chain_id = strtoull(argv[1], NULL, 10);
    config->tokens_max = ret->tokens = strtoul(argv[3], NULL, 10);
    ret->seconds = (double)strtoul(argv[4], NULL, 10);
    config->profile = strcmp(argv[5], contract_profile_name(PROFILE_ERC721)) == 0
                          ? PROFILE_ERC721
                          : PROFILE_DSTACK_ACCESS;
    config->logs_ms = (uint32_t)strtoul(argv[6], NULL, 10);
    config->poll_ms = GATE_POLL_DEFAULT_MS;
    if (eip55_parse(span_of_text(argv[2]), &config->network.contract) != OK || ret->tokens == 0 ||
        !drive_open(&ret->drive, config, argv + 7, (size_t)argc - 7)) {
        stop("bad arguments");
    }
}

// True if the turn has brought another reading of the first token by the first provider.
static bool turn(struct bench *bench)
{
    struct gate_event event;
    const struct token_id first = token_id_of_u64(1);
    (void)drive_turn(&bench->drive, 1000);
    while (gate_next_event(bench->drive.gate, &event)) {
    }
    struct now now = clock_now();
    struct gate_statement statement = gate_statement(bench->drive.gate, &first, 0, now);
    bool newer = statement.reason == REASON_AUTHORISED && statement.age_ms < bench->age_ms;
    bench->age_ms = statement.reason == REASON_AUTHORISED ? statement.age_ms : UINT64_MAX;
    if (newer) {
        struct gate_provider_status status = gate_provider_status(bench->drive.gate, 0, now);
        bench->ages_s[bench->readings++ % AGES_MAX] = (double)status.head_age_ms / 1000;
    }
    return newer;
}

static size_t count_read(const struct bench *bench)
{
    size_t count = 0;
    for (uint64_t i = 1; i <= bench->tokens; i++) {
        struct token_id token = token_id_of_u64(i);
        count += gate_read(bench->drive.gate, &token, clock_now()).kind == VERDICT_YES ? 1 : 0;
    }
    return count;
}

static void print_hour(const struct bench *bench, const struct drive_cost *before, double seconds)
{
    const struct drive_cost *after = &bench->drive.total;
    double providers = (double)bench->config.providers;
    double hours = seconds / 3600;
    double megabyte = 1e6 * hours * providers;
    (void)printf("%zu tokens, %s, %zu providers, logs ", bench->tokens,
        contract_profile_name(bench->config.profile), bench->config.providers);
    if (bench->config.logs_ms == 0) {
        (void)printf("off");
    } else {
        (void)printf("every %" PRIu32 " s", bench->config.logs_ms / 1000);
    }
    (void)printf(": per provider and hour %.0f calls, %.1f MB out, %.1f MB in; of this process "
                 "%.1f s of CPU an hour for all (%.2f %% of a core, %.0f %% the gate's)\n",
        (double)(after->calls - before->calls) / hours / providers,
        (double)(after->bytes_out - before->bytes_out) / megabyte,
        (double)(after->bytes_in - before->bytes_in) / megabyte,
        (after->cpu_us - before->cpu_us) / 1e6 / hours,
        (after->cpu_us - before->cpu_us) / 1e4 / seconds,
        (after->gate_cpu_us - before->gate_cpu_us) / (after->cpu_us - before->cpu_us) * 100);
}

int main(int argc, char **argv)
{
    static struct bench bench = {.age_ms = UINT64_MAX};
    read_arguments(argc, argv, &bench);
    for (uint64_t i = 1; i <= bench.tokens; i++) {
        struct token_id token = token_id_of_u64(i);
        if (gate_watch(bench.drive.gate, &token, clock_now()) != OK) {
            stop("the gate watches no more tokens");
        }
    }
    while (bench.readings < WARM_UP_READINGS) {
        (void)turn(&bench);
    }
    struct drive_cost before = bench.drive.total;
    double begin = clock_wall_us();
    double end = begin;
    bench.readings = 0;
    while (end - begin < bench.seconds * 1e6) {
        end = turn(&bench) ? clock_wall_us() : end;
    }
    double seconds = (end - begin) / 1e6;
    size_t ages = bench.readings < AGES_MAX ? bench.readings : AGES_MAX;
    print_hour(&bench, &before, seconds);
    (void)printf(
        "    %zu readings in %.0f s, one every %.2f s; head %.1f s old in the median, %.1f "
        "s at most; %zu of %zu tokens stand as owned\n",
        bench.readings, seconds, seconds / (double)bench.readings, quantile(bench.ages_s, ages, 50),
        quantile(bench.ages_s, ages, 100), count_read(&bench), bench.tokens);
    drive_close(&bench.drive);
    return 0;
}

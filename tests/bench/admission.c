// SPDX-License-Identifier: GPL-3.0-or-later
//
// What it costs to check many tokens against one EVM node: the gate's own reads (one aggregate for
// each 200 tokens) against one JSON-RPC batch of ownerOf calls. Run by bench_admission.
//
//     admission CHAIN_ID CONTRACT TOKENS ROUNDS URL
#include "base/clock_posix.h"
#include "chain/chain.h"
#include "chain/http.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    ROUNDS_MAX = 100,
    BATCH_CALL_MAX = 256, // bytes of one call in a batch
};

struct cost {
    double ms[ROUNDS_MAX];
    size_t rounds;
    size_t calls;
    size_t bytes_out;
    size_t bytes_in;
};

static double precise_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1000.0 + (double)now.tv_nsec / 1000000.0;
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static double print_cost(const char *name, struct cost *cost)
{
    if (cost->rounds == 0) {
        (void)printf("%-30s no round was complete\n", name);
        return 0;
    }
    qsort(cost->ms, cost->rounds, sizeof *cost->ms, compare_doubles);
    double median = cost->ms[cost->rounds / 2];
    (void)printf("%-30s p50 %7.1f ms  max %7.1f ms  %zu calls, %zu B out, %zu B in a round\n", name,
        median, cost->ms[cost->rounds - 1], cost->calls / cost->rounds,
        cost->bytes_out / cost->rounds, cost->bytes_in / cost->rounds);
    return median;
}

static void wait_for(struct chain_http *http, uint64_t wait_ms)
{
    struct pollfd watched = {.fd = chain_http_fd(http), .events = POLLIN};
    (void)poll(&watched, 1, wait_ms < 1000 ? (int)wait_ms : 1000);
    chain_http_on_ready(http);
}

struct bench {
    struct gate *gate;
    struct chain_http *http;
    struct cost round; // the one that is under way
    double begin;
    double end;
    size_t pending;
};

static void make_calls(struct bench *bench, struct now now)
{
    struct gate_call call;
    while (gate_next_call(bench->gate, now, &call)) {
        bench->begin = bench->round.calls == 0 ? precise_ms() : bench->begin;
        struct chain_http_call order = {.id = call.id,
            .provider = call.provider,
            .body = call.body,
            .body_max = call.reply_max,
            .timeout_ms = call.timeout_ms};
        if (chain_http_submit(bench->http, &order) == OK) {
            bench->pending++;
            bench->round.calls++;
            bench->round.bytes_out += call.body.size;
        }
    }
}

static void take_replies(struct bench *bench)
{
    struct chain_http_reply reply;
    while (chain_http_next_reply(bench->http, &reply)) {
        struct rpc_reply answer = chain_http_rpc_reply(&reply);
        bench->round.bytes_in += reply.body.size;
        gate_on_reply(bench->gate, clock_now(), reply.call_id, &answer);
        bench->pending--;
        bench->end = precise_ms();
    }
}

// One poll of the gate: from its first call to the last reply. Rounds that do not read all tokens
// (checks of the provider, detection) do not count.
static void measure_gate(struct bench *bench, size_t tokens, size_t rounds, struct cost *cost)
{
    double deadline = precise_ms() + 1000.0 * 10 * (double)(rounds + 2);
    while (cost->rounds < rounds && precise_ms() < deadline) {
        struct now now = clock_now();
        gate_on_deadline(bench->gate, now);
        make_calls(bench, now);
        if (bench->pending == 0 && bench->round.calls > 0) {
            if (bench->round.bytes_in > tokens * 2 * 32 * 2) {
                cost->ms[cost->rounds++] = bench->end - bench->begin;
                cost->calls += bench->round.calls;
                cost->bytes_out += bench->round.bytes_out;
                cost->bytes_in += bench->round.bytes_in;
            }
            bench->round = (struct cost){0};
        }
        wait_for(bench->http, mono_since(clock_now().mono, gate_next_deadline(bench->gate)));
        take_replies(bench);
        struct gate_event event;
        while (gate_next_event(bench->gate, &event)) {
        }
    }
}

static size_t count_yes(struct gate *gate, size_t tokens)
{
    size_t count = 0;
    for (uint64_t i = 1; i <= tokens; i++) {
        struct token_id token = token_id_of_u64(i);
        count += gate_read(gate, &token, clock_now()).kind == VERDICT_YES;
    }
    return count;
}

static char *batch_of(const char *contract, size_t tokens, size_t *size)
{
    size_t capacity = tokens * BATCH_CALL_MAX + 3;
    char *body = malloc(capacity);
    if (body == NULL) {
        return NULL;
    }
    size_t used = 0;
    body[used++] = '[';
    for (size_t i = 1; i <= tokens; i++) {
        int more = snprintf(body + used, capacity - used,
            "%s{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"eth_call\",\"params\":[{\"to\":\"%s\","
            "\"data\":\"0x6352211e%064zx\"},\"latest\"]}",
            i == 1 ? "" : ",", i, contract, i);
        used += (size_t)more;
    }
    body[used++] = ']';
    *size = used;
    return body;
}

static void measure_batch(
    struct chain_http *http, const char *contract, size_t tokens, size_t rounds, struct cost *cost)
{
    size_t size = 0;
    char *body = batch_of(contract, tokens, &size);
    for (size_t i = 0; body != NULL && i <= rounds; i++) {
        struct chain_http_call order = {.id = i, .body = span_of(body, size), .timeout_ms = 20000};
        struct chain_http_reply reply;
        double begin = precise_ms();
        if (chain_http_submit(http, &order) != OK) {
            break;
        }
        while (!chain_http_next_reply(http, &reply)) {
            wait_for(http, 1000);
        }
        // The first one opens the connection.
        if (i > 0 && reply.outcome == CHAIN_HTTP_ANSWERED) {
            cost->ms[cost->rounds++] = precise_ms() - begin;
            cost->calls++;
            cost->bytes_out += size;
            cost->bytes_in += reply.body.size;
        }
    }
    free(body);
}

// The gate's reads under one profile; the median.
static double measure_profile(const struct gate_config *config, struct chain_http *http,
    size_t tokens, size_t rounds, const char *name)
{
    struct rng rng;
    static const uint8_t seed[RNG_SEED_SIZE];
    rng_seed(&rng, seed);
    struct bench bench = {.http = http};
    struct cost cost = {0};
    if (gate_create(config, &rng, &bench.gate) != OK) {
        return 0;
    }
    for (uint64_t i = 1; i <= tokens; i++) {
        struct token_id token = token_id_of_u64(i);
        if (gate_watch(bench.gate, &token, clock_now()) != OK) {
            gate_destroy(bench.gate);
            return 0;
        }
    }
    measure_gate(&bench, tokens, rounds, &cost);
    (void)printf("%zu of %zu tokens are read as owned\n", count_yes(bench.gate, tokens), tokens);
    gate_destroy(bench.gate);
    return print_cost(name, &cost);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        (void)fprintf(stderr, "usage: admission CHAIN_ID CONTRACT TOKENS ROUNDS URL\n");
        return 2;
    }
    size_t tokens = strtoul(argv[3], NULL, 10);
    size_t rounds = strtoul(argv[4], NULL, 10);
    rounds = rounds < ROUNDS_MAX ? rounds : ROUNDS_MAX;
    struct gate_config config = {.network.chain_id = strtoull(argv[1], NULL, 10),
        .profile = PROFILE_ERC721,
        .providers = 1,
        .tokens_max = tokens,
        .poll_ms = 1000};
    struct chain_http_provider provider = {.url = argv[5]};
    struct chain_http_config http_config = {.providers = &provider, .provider_count = 1};
    struct chain_http *http;
    if (eip55_parse(span_of_text(argv[2]), &config.network.contract) != OK ||
        chain_http_create(&http_config, &http) != OK) {
        (void)fprintf(stderr, "admission: bad arguments\n");
        return 2;
    }
    double owners = measure_profile(&config, http, tokens, rounds, "aggregates, owner");
    config.profile = PROFILE_DSTACK_ACCESS;
    (void)measure_profile(&config, http, tokens, rounds, "aggregates, owner and access");
    static struct cost batch;
    measure_batch(http, argv[2], tokens, rounds, &batch);
    double batched = print_cost("one batch of ownerOf", &batch);
    if (owners > 0) {
        (void)printf("batch / aggregates of owners: %.2f in time\n", batched / owners);
    }
    chain_http_destroy(http);
    return 0;
}

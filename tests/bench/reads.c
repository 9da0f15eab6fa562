// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading the owners of many tokens from one provider: as one aggregate by Multicall3 and as one
// JSON-RPC batch of plain calls, both written and opened by what the gate uses; and a poll of the
// gate, in the way that it chooses for this provider. Run by bench_reads.
//
//     reads CHAIN_ID CONTRACT TOKENS ROUNDS URL
#include "base/clock_posix.h"
#include "tests/bench/drive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS_MAX = 200,
    TOKENS_MAX = 1000,
    BODY_MAX = AGGREGATE_OVERHEAD_SIZE + (TOKENS_MAX + AGGREGATE_FRAME) * AGGREGATE_CALL_SIZE,
    REPLY_MAX = 8 * 1024 * 1024,
};

struct bench {
    struct network network;
    size_t tokens;
    size_t rounds;
    char **urls;
};

struct costs {
    size_t count;
    double wall_ms[ROUNDS_MAX];
    double cpu_ms[ROUNDS_MAX];
    size_t calls, bytes_out, bytes_in; // of one round
};

static void stop(const char *what)
{
    (void)fprintf(stderr, "reads: %s\n", what);
    exit(2);
}

static double print_costs(const char *name, struct costs *costs)
{
    if (costs->count == 0) {
        (void)printf("%-34s no round was complete\n", name);
        return 0;
    }
    double median = quantile(costs->wall_ms, costs->count, 50);
    (void)printf("%-34s p50 %6.1f ms, p99 %6.1f ms; ours %5.2f ms of CPU; %zu calls, %zu B out, "
                 "%zu B in (%zu)\n",
        name, median, quantile(costs->wall_ms, costs->count, 99),
        quantile(costs->cpu_ms, costs->count, 50), costs->calls, costs->bytes_out, costs->bytes_in,
        costs->count);
    return median;
}

static void write_reads(
    const struct bench *bench, enum reads_way way, uint64_t id, struct writer *writer)
{
    struct reads_writer reads = {.writer = writer, .way = way, .id = id};
    reads_begin(&reads, bench->tokens);
    for (uint64_t i = 1; i <= bench->tokens; i++) {
        struct token_id token = token_id_of_u64(i);
        reads_add(&reads, &bench->network.contract, abi_owner_of, token.bytes);
    }
    reads_end(&reads);
    if (writer_finish(writer) != OK) {
        stop("the request does not fit");
    }
}

static size_t count_owned(const struct aggregate *aggregate)
{
    size_t owned = 0;
    for (size_t i = 0; i < aggregate->count; i++) {
        bool success = false;
        struct span result;
        struct eth_address owner;
        owned += aggregate_result(aggregate, i, &success, &result) == OK && success &&
                         abi_read_address(result, 0, &owner) == OK
                     ? 1
                     : 0;
    }
    return owned;
}

static size_t open_aggregate(const struct bench *bench, uint64_t id, const struct rpc_reply *reply)
{
    struct rpc_answer answer;
    struct aggregate aggregate;
    rpc_answer_parse(reply, id, RPC_DATA, &answer);
    size_t owned = 0;
    if (answer.verdict == RPC_RESULT &&
        aggregate_open(span_of(answer.data, answer.size), bench->tokens, &aggregate) == OK) {
        owned = count_owned(&aggregate);
    }
    rpc_answer_clear(&answer);
    return owned;
}

static size_t open_batch(const struct bench *bench, uint64_t id, const struct rpc_reply *reply)
{
    struct reads_answers *answers =
        reads_answers_new(reads_requests(READS_BATCH, bench->tokens, NULL));
    struct aggregate aggregate;
    struct reads_outcome outcome;
    size_t owned = 0;
    if (answers != NULL && reads_take_batch(answers, reply, id, bench->tokens) == RPC_RESULT &&
        reads_open(answers, bench->tokens, NULL, &aggregate, &outcome) == RPC_RESULT) {
        owned = count_owned(&aggregate);
    }
    reads_answers_free(answers);
    return owned;
}

// One round; false if not every token was read.
static bool read_once(
    const struct bench *bench, struct chain_http *http, enum reads_way way, struct costs *costs)
{
    static uint8_t body[BODY_MAX];
    enum { ID = 1 };
    double begin = clock_wall_us();
    double begin_cpu = clock_cpu_us();
    struct writer writer = writer_of(body, sizeof body);
    write_reads(bench, way, ID, &writer);
    struct chain_http_call order = {
        .body = writer_written(&writer), .body_max = REPLY_MAX, .timeout_ms = 20000};
    struct chain_http_reply reply;
    if (chain_http_submit(http, &order) != OK) {
        stop("the request cannot be sent");
    }
    while (!chain_http_next_reply(http, &reply)) {
        drive_wait(http, 1000);
    }
    struct rpc_reply answer = chain_http_rpc_reply(&reply);
    size_t owned = way == READS_AGGREGATE ? open_aggregate(bench, ID, &answer)
                                          : open_batch(bench, ID, &answer);
    if (owned == bench->tokens) {
        costs->wall_ms[costs->count] = (clock_wall_us() - begin) / 1000;
        costs->cpu_ms[costs->count++] = (clock_cpu_us() - begin_cpu) / 1000;
        costs->calls = 1;
        costs->bytes_out = order.body.size;
        costs->bytes_in = reply.body.size;
    }
    return owned == bench->tokens;
}

static double measure_way(
    const struct bench *bench, struct chain_http *http, enum reads_way way, const char *name)
{
    struct costs costs = {0};
    // The first one opens the connection.
    for (size_t i = 0; i <= bench->rounds && read_once(bench, http, way, &costs); i++) {
        costs.count = i == 0 ? 0 : costs.count;
    }
    return print_costs(name, &costs);
}

static bool all_read(const struct bench *bench, const struct drive *drive)
{
    for (uint64_t i = 1; i <= bench->tokens; i++) {
        struct token_id token = token_id_of_u64(i);
        if (gate_read(drive->gate, &token, clock_now()).kind != VERDICT_YES) {
            return false;
        }
    }
    return true;
}

// Polls of a gate that watches all of them, each from its first call to the last reply.
static void measure_polls(const struct bench *bench, enum contract_profile profile)
{
    struct gate_config config = {.network = bench->network,
        .profile = profile,
        .tokens_max = bench->tokens,
        .poll_ms = 1000};
    struct drive drive;
    struct costs costs = {0};
    if (!drive_open(&drive, &config, bench->urls, 1)) {
        exit(2);
    }
    for (uint64_t i = 1; i <= bench->tokens; i++) {
        struct token_id token = token_id_of_u64(i);
        if (gate_watch(drive.gate, &token, clock_now()) != OK) {
            stop("the gate watches no more tokens");
        }
    }
    double give_up = clock_wall_us() + 2e6 * (double)(bench->rounds + 2);
    bool ready = false;
    while (costs.count < bench->rounds && clock_wall_us() < give_up) {
        struct gate_event event;
        bool over = drive_turn(&drive, 1000);
        while (gate_next_event(drive.gate, &event)) {
        }
        if (over && ready) {
            costs.wall_ms[costs.count] = (drive.burst.end_us - drive.burst.begin_us) / 1000;
            costs.cpu_ms[costs.count++] = drive.burst.cpu_us / 1000;
            costs.calls = drive.burst.calls;
            costs.bytes_out = drive.burst.bytes_out;
            costs.bytes_in = drive.burst.bytes_in;
        }
        ready = ready || (over && all_read(bench, &drive));
    }
    enum reads_way way = gate_provider_status(drive.gate, 0, clock_now()).way;
    drive_close(&drive);
    char name[64];
    (void)snprintf(name, sizeof name, "a poll, by %s: %s", reads_way_name(way),
        profile == PROFILE_ERC721 ? "owner" : "both");
    (void)print_costs(name, &costs);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    if (argc != 6) {
        stop("usage: reads CHAIN_ID CONTRACT TOKENS ROUNDS URL");
    }
    bench.network.chain_id = strtoull(argv[1], NULL, 10);
    bench.tokens = strtoul(argv[3], NULL, 10);
    bench.rounds = strtoul(argv[4], NULL, 10);
    bench.urls = argv + 5;
    struct chain_http_provider provider = {.url = argv[5]};
    const struct chain_http_config config = {.providers = &provider, .provider_count = 1};
    struct chain_http *http;
    if (eip55_parse(span_of_text(argv[2]), &bench.network.contract) != OK || bench.tokens == 0 ||
        bench.tokens > TOKENS_MAX || bench.rounds == 0 || bench.rounds >= ROUNDS_MAX ||
        chain_http_create(&config, &http) != OK) {
        stop("bad arguments");
    }
    double aggregate = measure_way(&bench, http, READS_AGGREGATE, "one aggregate");
    double batch = measure_way(&bench, http, READS_BATCH, "one batch");
    chain_http_destroy(http);
    if (aggregate > 0 && batch > 0) {
        (void)printf("batch / aggregate: %.1f in time\n", batch / aggregate);
    }
    measure_polls(&bench, PROFILE_ERC721);
    measure_polls(&bench, PROFILE_DSTACK_ACCESS);
    return 0;
}

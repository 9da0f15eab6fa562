// SPDX-License-Identifier: GPL-3.0-or-later
//
// One admission decision about somebody never heard of: from the bytes of a record to a yes. The
// node's and the owner's signatures are verified, and all providers are asked about the token; no
// cache helps. The whole on the wall, and what of it is this process's own. Run by bench_admission.
//
//     admission CHAIN_ID CONTRACT TOKENS ROUNDS KEY_A KEY_B URL...
//
// The first half of the tokens is owned by the key A, the rest by B: keys of a test chain.
#include "base/clock_posix.h"
#include "dht/record.h"
#include "tests/bench/drive.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROUNDS_MAX = 1000,
    PATIENCE_US = 20000000,
};

enum figure { WALL_US, CPU_US, GATE_US, CALLS, BYTES_OUT, BYTES_IN, FIGURES };

struct samples {
    size_t count;
    double figures[FIGURES][ROUNDS_MAX];
};

struct bench {
    struct network network;
    struct network_keys keys;
    struct eth_secret owners[2];
    size_t tokens;
    size_t rounds;
    char **urls;
    size_t url_count;
};

struct claim {
    struct dht_key at;
    uint8_t bytes[RECORD_MAX_SIZE];
    size_t size;
};

static void stop(const char *what)
{
    (void)fprintf(stderr, "admission: %s\n", what);
    exit(2);
}

static void make_claim(const struct bench *bench, uint64_t number, struct claim *ret)
{
    const struct eth_secret *owner_secret = &bench->owners[number <= bench->tokens / 2 ? 0 : 1];
    struct node_secret secret;
    uint8_t seed[crypto_sign_SEEDBYTES] = {1, (uint8_t)number, (uint8_t)(number >> 8)};
    struct now now = clock_now();
    struct eth_address owner;
    struct record record = {.token = token_id_of_u64(number),
        .wg_key = {{1}},
        .sequence = now.unix_time.ms,
        .boot = 1,
        .not_after_s = now.unix_time.ms / 1000 + 600};
    record.candidates.count = 1;
    record.candidates.list[0] = (struct candidate){
        .kind = CANDIDATE_REFLEXIVE, .address = address_of_ipv4(198, 51, 100, 1, 51820)};
    (void)crypto_sign_seed_keypair(record.node_key.bytes, secret.bytes, seed);
    if (ecdsa_address(owner_secret, &owner) != OK) {
        stop("no such key");
    }
    record.delegation = delegation_draft(
        &record.token, &owner, &record.node_key, now.unix_time, DELEGATION_WINDOW_DEFAULT_S);
    if (delegation_sign(&record.delegation, &bench->network, owner_secret) != OK ||
        record_encode(&bench->keys, &secret, &record, ret->bytes, &ret->size) != OK) {
        stop("a claim cannot be made");
    }
    ret->at = key_of_record(&bench->keys, &record.token);
}

// True once the gate has news of the token.
static bool has_news(struct drive *drive, const struct token_id *token)
{
    bool news = false;
    struct gate_event event;
    while (gate_next_event(drive->gate, &event)) {
        news = news || (event.kind == GATE_EVENT_TOKEN && token_id_equal(&event.token, token));
    }
    return news;
}

static struct verdict judge(struct drive *drive, const struct record *record)
{
    struct gate_claim claim = {
        .delegation = &record->delegation, .wg_key = record->wg_key, .sequence = record->sequence};
    double begin = clock_cpu_us();
    struct verdict verdict = gate_decide(drive->gate, clock_now(), &claim);
    drive_spend(drive, clock_cpu_us() - begin);
    return verdict;
}

static void spent(const struct drive *drive, double ret[static FIGURES])
{
    ret[WALL_US] = clock_wall_us();
    ret[CPU_US] = clock_cpu_us();
    ret[GATE_US] = drive->total.gate_cpu_us;
    ret[CALLS] = (double)drive->total.calls;
    ret[BYTES_OUT] = (double)drive->total.bytes_out;
    ret[BYTES_IN] = (double)drive->total.bytes_in;
}

// False, with the last verdict on stderr: no yes came.
static bool admit(const struct bench *bench, struct drive *drive, const struct claim *claim)
{
    struct record record;
    if (record_decode(&bench->keys, &claim->at, span_of(claim->bytes, claim->size), &record) !=
        OK) {
        stop("a record does not decode");
    }
    if (gate_refresh(drive->gate, &record.token, clock_now()) != OK) {
        stop("the gate takes no more tokens");
    }
    double give_up = clock_wall_us() + PATIENCE_US;
    struct verdict verdict = {.kind = VERDICT_UNKNOWN};
    while (verdict.kind != VERDICT_YES && clock_wall_us() < give_up) {
        (void)drive_turn(drive, 1000);
        if (has_news(drive, &record.token)) {
            verdict = judge(drive, &record);
        }
    }
    if (verdict.kind != VERDICT_YES) {
        char text[GATE_VERDICT_TEXT_SIZE];
        verdict_text(&verdict, text);
        (void)fprintf(stderr, "admission: %s\n", text);
    }
    return verdict.kind == VERDICT_YES;
}

static void take_sample(struct samples *samples, const double before[static FIGURES],
    const double after[static FIGURES])
{
    for (size_t i = 0; i < FIGURES; i++) {
        samples->figures[i][samples->count] = after[i] - before[i];
    }
    samples->count++;
}

static void print_samples(const char *name, struct samples *samples)
{
    double at[FIGURES][2];
    for (size_t i = 0; i < FIGURES; i++) {
        at[i][0] = quantile(samples->figures[i], samples->count, 50);
        at[i][1] = quantile(samples->figures[i], samples->count, 99);
    }
    (void)printf("%-28s p50 %6.2f ms, p99 %6.2f ms; ours p50 %4.0f us, p99 %4.0f us of CPU, gate "
                 "and signatures %4.0f us; %.0f calls, %.0f B out, %.0f B in (%zu)\n",
        name, at[WALL_US][0] / 1000, at[WALL_US][1] / 1000, at[CPU_US][0], at[CPU_US][1],
        at[GATE_US][0], at[CALLS][0], at[BYTES_OUT][0], at[BYTES_IN][0], samples->count);
    (void)fflush(stdout);
}

// What is late or due anyway, for `pause_ms` at least.
static void settle(struct drive *drive, double pause_ms)
{
    double until_us = clock_wall_us() + pause_ms * 1000;
    while (drive->pending > 0 || clock_wall_us() < until_us) {
        (void)drive_turn(drive, 10);
    }
}

static void measure_rounds(const struct bench *bench, struct drive *drive, size_t rounds,
    double pause_ms, const char *name)
{
    static struct samples samples;
    samples.count = 0;
    for (size_t i = 0; i < rounds; i++) {
        struct claim claim;
        double before[FIGURES];
        double after[FIGURES];
        settle(drive, pause_ms);
        make_claim(bench, 2 + i, &claim);
        spent(drive, before);
        if (admit(bench, drive, &claim)) {
            spent(drive, after);
            take_sample(&samples, before, after);
        }
    }
    print_samples(name, &samples);
}

// Connections stand, and the providers have been checked: the state of a node that runs.
static void measure_warm(const struct bench *bench, struct gate_config config, const char *name)
{
    struct drive drive;
    struct claim claim;
    if (!drive_open(&drive, &config, bench->urls, bench->url_count)) {
        exit(2);
    }
    make_claim(bench, 1, &claim);
    if (admit(bench, &drive, &claim)) {
        measure_rounds(bench, &drive, bench->rounds, 0, name);
    }
    drive_close(&drive);
}

// Two watched tokens of different owners are what the owners' place is found by. A decision is made
// in a block of its own, which the other provider has to confirm.
static void measure_proof(const struct bench *bench, struct gate_config config, const char *name)
{
    enum { SLOWER = 10, BLOCK_MS = 1100 };
    struct drive drive;
    const struct token_id watched[] = {token_id_of_u64(1), token_id_of_u64(bench->tokens)};
    config.trust = TRUST_POLICY_PROOF;
    if (!drive_open(&drive, &config, bench->urls, bench->url_count)) {
        exit(2);
    }
    for (size_t i = 0; i < 2; i++) {
        if (gate_watch(drive.gate, &watched[i], clock_now()) != OK) {
            stop("the gate watches no more tokens");
        }
    }
    double give_up = clock_wall_us() + PATIENCE_US;
    while (gate_trust(drive.gate).proof != PROOF_ON && clock_wall_us() < give_up) {
        (void)drive_turn(&drive, 100);
        (void)has_news(&drive, &watched[0]);
    }
    if (gate_trust(drive.gate).proof != PROOF_ON) {
        stop(proof_standing_text(gate_trust(drive.gate).proof));
    }
    measure_rounds(bench, &drive, (bench->rounds + SLOWER - 1) / SLOWER, BLOCK_MS, name);
    drive_close(&drive);
}

// The first decision of a process: connections, and what each provider is checked for first.
static void measure_cold(const struct bench *bench, struct gate_config config, const char *name)
{
    static struct samples samples;
    samples.count = 0;
    for (size_t i = 0; i < bench->rounds; i++) {
        struct drive drive;
        struct claim claim;
        double before[FIGURES] = {0};
        double after[FIGURES];
        make_claim(bench, 1 + i, &claim);
        before[WALL_US] = clock_wall_us();
        before[CPU_US] = clock_cpu_us();
        if (!drive_open(&drive, &config, bench->urls, bench->url_count)) {
            exit(2);
        }
        if (admit(bench, &drive, &claim)) {
            spent(&drive, after);
            take_sample(&samples, before, after);
        }
        drive_close(&drive);
    }
    print_samples(name, &samples);
}

static void read_arguments(int argc, char **argv, struct bench *ret)
{
    if (argc < 8) {
        stop("usage: admission CHAIN_ID CONTRACT TOKENS ROUNDS KEY_A KEY_B URL...");
    }
    ret->network.chain_id = strtoull(argv[1], NULL, 10);
    ret->tokens = strtoul(argv[3], NULL, 10);
    ret->rounds = strtoul(argv[4], NULL, 10);
    ret->urls = argv + 7;
    ret->url_count = (size_t)argc - 7;
    if (eip55_parse(span_of_text(argv[2]), &ret->network.contract) != OK ||
        hex_parse(span_of_text(argv[5]), ret->owners[0].bytes, 32) != OK ||
        hex_parse(span_of_text(argv[6]), ret->owners[1].bytes, 32) != OK ||
        ret->rounds > ROUNDS_MAX || ret->rounds + 2 > ret->tokens) {
        stop("bad arguments; each round takes another token");
    }
    ret->keys = network_keys_of(&ret->network, NULL);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    if (sodium_init() < 0) {
        stop("libsodium does not start");
    }
    read_arguments(argc, argv, &bench);
    struct gate_config config = {.network = bench.network,
        .profile = PROFILE_ERC721,
        .tokens_max = ROUNDS_MAX + 8,
        .poll_ms = 30000};
    measure_warm(&bench, config, "owner");
    measure_proof(&bench, config, "owner, proven");
    measure_cold(&bench, config, "owner, first of a process");
    config.profile = PROFILE_DSTACK_ACCESS;
    measure_warm(&bench, config, "owner and access");
    measure_proof(&bench, config, "owner and access, proven");
    measure_cold(&bench, config, "both, first of a process");
    return 0;
}

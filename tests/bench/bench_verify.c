// SPDX-License-Identifier: GPL-3.0-or-later
//
// How many records a second a node can decode, beside bare Ed25519 verification of as many bytes.
// The delegation counts as cached: its secp256k1 recovery is chain/'s and is paid once. Prints
// figures and the ratio (aim: at least 0.8); asserts nothing about time.
#include "dht/record.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    RECORDS = 64, // of as many nodes
    ROUNDS = 21,  // both measures alternate, so that a busy machine slows both
    PASSES = 10,
    SIGNATURE_SIZE = 64,
};

struct value {
    struct node_key node_key;
    struct dht_key at;
    uint8_t bytes[RECORD_MAX_SIZE];
    size_t size;
    uint8_t message[RECORD_MAX_SIZE]; // of as many bytes as the record's signature covers
    size_t message_size;
    uint8_t signature[SIGNATURE_SIZE];
};

static void stop(const char *what)
{
    (void)fprintf(stderr, "bench_verify: %s\n", what);
    exit(1);
}

static void make_value(const struct network_keys *keys, uint64_t index, struct value *ret)
{
    struct node_secret secret;
    uint8_t seed[crypto_sign_SEEDBYTES] = {(uint8_t)index, 1};
    struct record record = {
        .token = token_id_of_u64(index),
        .wg_key = {{1}},
        .sequence = UINT64_C(1795262400000),
        .boot = UINT64_MAX / 3,
        .not_after_s = 1795264200,
        .delegation = {.owner = {{1}},
            .not_before_s = 1795262400,
            .not_after_s = 1803038400,
            .epoch_s = 1795262400,
            .signature_size = ECDSA_SIGNATURE_SIZE},
    };
    record.candidates.count = 4;
    for (uint8_t i = 0; i < 4; i++) {
        record.candidates.list[i] = (struct candidate){
            .kind = CANDIDATE_REFLEXIVE, .address = address_of_ipv4(198, 51, 100, i, 51820)};
    }
    (void)crypto_sign_seed_keypair(record.node_key.bytes, secret.bytes, seed);
    record.delegation.token = record.token;
    record.delegation.node_key = record.node_key;
    ret->node_key = record.node_key;
    ret->at = key_of_record(keys, &record.token);
    if (record_encode(keys, &secret, &record, ret->bytes, &ret->size) != OK) {
        stop("a record does not encode");
    }
    ret->message_size = ret->size - SIGNATURE_SIZE;
    memcpy(ret->message, ret->bytes, ret->message_size);
    (void)crypto_sign_detached(ret->signature, NULL, ret->message, ret->message_size, secret.bytes);
}

static double seconds(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) != 0) {
        stop("no processor clock");
    }
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static double decode_all(const struct network_keys *keys, const struct value *values)
{
    double start = seconds();
    for (size_t i = 0; i < (size_t)RECORDS * PASSES; i++) {
        const struct value *value = &values[i % RECORDS];
        struct record record;
        if (record_decode(keys, &value->at, span_of(value->bytes, value->size), &record) != OK) {
            stop("a record does not decode");
        }
    }
    return (seconds() - start) / ((double)RECORDS * PASSES);
}

static double verify_all(const struct value *values)
{
    double start = seconds();
    for (size_t i = 0; i < (size_t)RECORDS * PASSES; i++) {
        const struct value *value = &values[i % RECORDS];
        if (crypto_sign_verify_detached(value->signature, value->message, value->message_size,
                value->node_key.bytes) != 0) {
            stop("a signature does not verify");
        }
    }
    return (seconds() - start) / ((double)RECORDS * PASSES);
}

static double parse_all(const struct network_keys *keys, const struct value *values)
{
    double start = seconds();
    for (size_t i = 0; i < (size_t)RECORDS * PASSES; i++) {
        const struct value *value = &values[i % RECORDS];
        struct parsed_record parsed;
        if (record_parse(keys, &value->at, span_of(value->bytes, value->size), &parsed) != OK) {
            stop("a record does not parse");
        }
    }
    return (seconds() - start) / ((double)RECORDS * PASSES);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *samples)
{
    qsort(samples, ROUNDS, sizeof *samples, compare);
    return samples[ROUNDS / 2];
}

static void measure(const char *name, const struct network_keys *keys)
{
    static struct value values[RECORDS];
    double decode[ROUNDS];
    double verify[ROUNDS];
    double parse[ROUNDS];
    for (size_t i = 0; i < RECORDS; i++) {
        make_value(keys, i, &values[i]);
    }
    for (size_t i = 0; i < ROUNDS; i++) {
        verify[i] = verify_all(values);
        decode[i] = decode_all(keys, values);
        parse[i] = parse_all(keys, values);
    }
    double bare = median(verify);
    double whole = median(decode);
    printf("%-7s %zu bytes: bare verify %.0f/s, record_decode %.0f/s, ratio %.2f; "
           "record_parse alone %.2f us\n",
        name, values[0].size, 1 / bare, 1 / whole, bare / whole, median(parse) * 1e6);
}

int main(void)
{
    struct network network = {.chain_id = 8453, .contract = {{1}}};
    const uint8_t secret[NETWORK_SECRET_SIZE] = {1};
    if (sodium_init() < 0) {
        stop("libsodium does not start");
    }
    struct network_keys open = network_keys_of(&network, NULL);
    struct network_keys hidden = network_keys_of(&network, secret);
    measure("plain", &open);
    measure("sealed", &hidden);
    return 0;
}

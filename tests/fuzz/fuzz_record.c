// SPDX-License-Identifier: GPL-3.0-or-later
//
// Records and tombstones from strangers. What parses is in its only encoding: made again from its
// fields, it gives the same bytes, but for the node key and the signature, which are ours then.
#include "dht/record.h"

#include <sodium.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    TOKEN_AT = 4, // array, form, head of the binary
    NODE_KEY_AT = TOKEN_AT + 32 + 2,
    SIGNATURE_SIZE = 64,
};

static void check_again(
    const struct network_keys *keys, const struct dht_key *at, const struct parsed_record *parsed)
{
    static const uint8_t seed[crypto_sign_SEEDBYTES] = {1};
    struct record record = parsed->record;
    struct node_secret secret;
    bool tombstone = record_is_tombstone(&record);
    uint8_t expected[RECORD_MAX_SIZE];
    memcpy(expected, parsed->plain, parsed->plain_size);
    if (!tombstone) {
        ASSERT(crypto_sign_seed_keypair(record.node_key.bytes, secret.bytes, seed) == 0);
        record.delegation.node_key = record.node_key;
        memcpy(expected + NODE_KEY_AT, record.node_key.bytes, sizeof record.node_key.bytes);
    }
    uint8_t again[RECORD_MAX_SIZE];
    size_t again_size;
    ASSERT(record_encode(keys, tombstone ? NULL : &secret, &record, again, &again_size) == OK);
    ASSERT(again_size == parsed->plain_size);
    size_t compared = tombstone ? again_size : again_size - SIGNATURE_SIZE;
    ASSERT(memcmp(again, expected, compared) == 0);
    struct record decoded;
    ASSERT(record_decode(keys, at, span_of(again, again_size), &decoded) == OK);
    ASSERT(!record_outranks(&decoded, &record) && !record_outranks(&record, &decoded));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct network network = {.chain_id = 8453};
    static const uint8_t secret[NETWORK_SECRET_SIZE] = {1};
    struct network_keys keys = network_keys_of(&network, NULL);
    struct network_keys hidden = network_keys_of(&network, secret);
    struct token_id token = token_id_zero;
    if (size >= TOKEN_AT + sizeof token.bytes) {
        memcpy(token.bytes, data + TOKEN_AT, sizeof token.bytes);
    }
    struct dht_key at = key_of_record(&keys, &token);
    struct dht_key hidden_at = key_of_record(&hidden, &token);
    struct parsed_record parsed;
    if (record_parse(&keys, &at, span_of(data, size), &parsed) == OK) {
        ASSERT(size <= RECORD_MAX_SIZE && parsed.plain_size == size);
        check_again(&keys, &at, &parsed);
    }
    ASSERT(record_parse(&hidden, &hidden_at, span_of(data, size), &parsed) != OK);
    return 0;
}

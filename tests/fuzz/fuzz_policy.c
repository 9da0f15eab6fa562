// SPDX-License-Identifier: GPL-3.0-or-later
//
// The storage policy under a script that the input spells: puts of good values, of altered ones
// and of raw bytes, owner changes, time. It must keep its tables within their bounds and say of
// each stored value once where it went.
#include "dht/intent.h"
#include "dht/policy.h"
#include "dht/record.h"

#include <sodium.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ENTRIES = 24,
    OWNERS = 3,
    PREFIXES = 4,
    VALUES = 16,
    TIME_S = 1795262400,
};

struct value {
    struct dht_key key;
    uint8_t bytes[DHT_VALUE_MAX_SIZE];
    size_t size;
};

struct bench {
    struct policy policy;
    struct policy_entry entries[ENTRIES];
    struct policy_owner owners[OWNERS];
    struct prefix_budget_entry prefixes[PREFIXES];
    struct network_keys keys;
    struct now now;
};

static enum status check_delegation(void *, const struct delegation *delegation)
{
    return delegation->signature[0] == 0 ? OK : ERR_UNSUPPORTED;
}

static struct eth_address owner_of(uint8_t which)
{
    struct eth_address owner;
    memset(owner.bytes, 0xa0 + which % 2, sizeof owner.bytes);
    return owner;
}

// Records of two tokens by several nodes, two tombstones, and intents.
static void make_value(const struct network_keys *keys, uint8_t index, struct value *ret)
{
    uint8_t seed[crypto_sign_SEEDBYTES] = {index};
    struct node_secret secret;
    struct record record = {
        .token = token_id_of_u64(index % 2),
        .wg_key = {{1}},
        .sequence = index,
        .not_after_s = TIME_S + 1800,
        .delegation = {.owner = owner_of(index / 2 % 2),
            .not_after_s = UINT32_MAX,
            .epoch_s = TIME_S + index / 4,
            .signature = {index % 3 == 0},
            .signature_size = ECDSA_SIGNATURE_SIZE},
    };
    struct node_key key;
    ASSERT(crypto_sign_seed_keypair(key.bytes, secret.bytes, seed) == 0);
    record.delegation.token = record.token;
    ret->key = key_of_record(keys, &record.token);
    if (index >= 12) {
        struct intent intent = {.recipient = record.token,
            .sender_key = key,
            .sent_at = {.ms = (uint64_t)TIME_S * 1000}};
        struct rng rng;
        rng_seed(&rng, seed);
        ret->key = key_of_inbox(keys, &record.token);
        ASSERT(intent_encode(keys, &secret, &key, &intent, &rng, ret->bytes, &ret->size) == OK);
        return;
    }
    bool tombstone = index >= 10;
    if (!tombstone) {
        record.node_key = key;
        record.delegation.node_key = key;
    }
    ASSERT(record_encode(keys, tombstone ? NULL : &secret, &record, ret->bytes, &ret->size) == OK);
}

static void start(struct bench *bench)
{
    static const struct network network = {.chain_id = 8453};
    *bench = (struct bench){.keys = network_keys_of(&network, NULL)};
    struct policy_storage storage = {
        .entries = bench->entries,
        .entries_capacity = ENTRIES,
        .owners = bench->owners,
        .owners_capacity = OWNERS,
        .prefixes = bench->prefixes,
        .prefixes_capacity = PREFIXES,
    };
    policy_init(&bench->policy, &bench->keys, &storage, check_delegation, NULL);
    bench->now.unix_time.ms = (uint64_t)TIME_S * 1000;
}

static void put(struct bench *bench, const struct dht_key *key, struct span value, uint8_t from)
{
    struct policy_put request = {
        .from = address_of_ipv4(198, 18, from, 1, 4000), .key = *key, .value = value};
    struct policy_decision decision = policy_on_put(&bench->policy, bench->now, &request);
    if (!policy_verdict_stores(decision.verdict)) {
        return;
    }
    ASSERT(decision.value_id != 0 && decision.kind != POLICY_KIND_NONE);
    ASSERT(decision.expires_at.ms <= bench->now.mono.ms + POLICY_LIFETIME_MS);
    size_t found = 0;
    for (size_t i = 0; i < ENTRIES; i++) {
        const struct policy_entry *entry = &bench->entries[i];
        if (entry->used && !mono_due(entry->expires_at, bench->now.mono) &&
            entry->value_id == decision.value_id && dht_key_equal(&entry->key, key)) {
            found++;
        }
    }
    ASSERT(found == 1 || mono_due(decision.expires_at, bench->now.mono));
}

static void step(struct bench *bench, const struct value *values, struct reader *reader)
{
    uint8_t action = read_u8(reader);
    uint8_t argument = read_u8(reader);
    struct value value = values[argument % VALUES];
    struct token_id token = token_id_of_u64(argument % 5);
    struct eth_address owner = owner_of(argument / 5);
    switch (action % 6) {
    case 0:
        put(bench, &value.key, span_of(value.bytes, value.size), action / 6);
        break;
    case 1:
        value.bytes[read_u16(reader) % value.size] ^= read_u8(reader);
        put(bench, &value.key, span_of(value.bytes, value.size), action / 6);
        break;
    case 2: {
        size_t size = reader->rest.size < argument ? reader->rest.size : argument;
        struct span raw = read_span(reader, size);
        struct dht_key piece = key_of_piece(raw);
        put(bench, action / 6 % 2 == 0 ? &piece : &value.key, raw, action / 6);
        break;
    }
    case 3:
        bench->now.mono.ms += (uint64_t)argument * 100;
        bench->now.unix_time.ms += (uint64_t)argument * 100;
        break;
    case 4:
        (void)policy_set_owner(&bench->policy, &token, &owner);
        break;
    case 5:
        policy_forget_owner(&bench->policy, &token);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct value values[VALUES];
    static bool made;
    static struct bench bench;
    start(&bench);
    for (uint8_t i = 0; i < VALUES && !made; i++) {
        make_value(&bench.keys, i, &values[i]);
    }
    made = true;
    struct reader reader = reader_of(span_of(data, size));
    for (size_t steps = 0; steps < 200 && reader.rest.size > 0; steps++) {
        step(&bench, values, &reader);
        struct policy_removal removal;
        for (size_t i = 0; policy_next_removal(&bench.policy, &removal); i++) {
            ASSERT(i < POLICY_REMOVALS_MAX && removal.value_id != 0);
        }
        ASSERT(bench.policy.owners_count <= OWNERS);
    }
    return 0;
}

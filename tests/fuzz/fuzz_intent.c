// SPDX-License-Identifier: GPL-3.0-or-later
//
// Intents from strangers: the envelope as it comes, and the sealed part as a sender with a key
// could fill it, which is sealed here to our own key.
#include "dht/intent.h"
#include "dht/seal.h"

#include <sodium.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct unix_time now = {.ms = UINT64_C(1795262400000)};

static void try_envelope(struct span value, const struct node_secret *secret)
{
    static const struct network network = {.chain_id = 8453};
    struct network_keys keys = network_keys_of(&network, NULL);
    struct token_id token = token_id_of_u64(8);
    struct dht_key inbox = key_of_inbox(&keys, &token);
    struct intent_envelope envelope;
    if (intent_peek(value, now, &envelope) != OK) {
        return;
    }
    ASSERT(value.size <= INTENT_MAX_SIZE);
    ASSERT(envelope.header.size < envelope.body.size && envelope.body.size < value.size);
    (void)intent_verify(&keys, &inbox, &envelope);
    struct intent intent;
    (void)intent_open(&envelope, secret, &token, &intent);
}

static void try_sealed(
    struct span plain, const struct node_key *key, const struct node_secret *secret)
{
    uint8_t sealed[INTENT_MAX_SIZE];
    struct rng rng;
    static const uint8_t seed[RNG_SEED_SIZE];
    if (plain.size > sizeof sealed - SEAL_BOX_OVERHEAD) {
        return;
    }
    rng_seed(&rng, seed);
    ASSERT(seal_box(key, span_of(NULL, 0), plain, &rng, sealed) == OK);
    struct intent_envelope envelope = {
        .sender_key = *key,
        .sent_at = now,
        .sealed = span_of(sealed, plain.size + SEAL_BOX_OVERHEAD),
    };
    struct token_id token = token_id_of_u64(8);
    struct intent intent;
    if (intent_open(&envelope, secret, &token, &intent) != OK) {
        return;
    }
    ASSERT(token_id_equal(&intent.recipient, &token));
    ASSERT(intent.candidates.count <= CANDIDATES_MAX && intent.nat_class <= NAT_BLOCKED);
    struct intent_seen entries[2];
    struct intent_replay replay;
    intent_replay_init(&replay, entries, 2);
    ASSERT(intent_replay_admit(&replay, &intent, now) == OK);
    ASSERT(intent_replay_admit(&replay, &intent, now) == ERR_REPLAYED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[crypto_sign_SEEDBYTES] = {1};
    struct node_key key;
    struct node_secret secret;
    ASSERT(crypto_sign_seed_keypair(key.bytes, secret.bytes, seed) == 0);
    try_envelope(span_of(data, size), &secret);
    try_sealed(span_of(data, size), &key, &secret);
    return 0;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The two seals: a shared one under the network secret (records), and one to a node key (intents).
#pragma once

#include "base/ids.h"
#include "base/rng.h"
#include "dht/key.h"

enum {
    SEAL_OVERHEAD = 24 + 16,     // nonce, tag
    SEAL_BOX_OVERHEAD = 32 + 16, // ephemeral X25519 key, tag
};

// XChaCha20-Poly1305 under a key derived from the network secret; associated data = `at`, so that
// a sealed value cannot be moved to another key. The nonce is derived from the secret, `at` and
// `plain`: equal input gives equal bytes. Writes plain.size + SEAL_OVERHEAD bytes to `ret`.
// Precondition: keys->has_secret.
void seal_under_secret(
    const struct network_keys *keys, const struct dht_key *at, struct span plain, uint8_t *ret);

// Writes sealed.size - SEAL_OVERHEAD bytes to `ret`. ERR_SEAL: another secret, another key, no
// secret here, or altered bytes; drop the value. ERR_TRUNCATED: shorter than the overhead.
enum status seal_open_under_secret(
    const struct network_keys *keys, const struct dht_key *at, struct span sealed, uint8_t *ret);

// Seals `plain` so that only the holder of `recipient` opens it: X25519 with a fresh ephemeral
// key, XChaCha20-Poly1305, associated data `context`. Says nothing about who sealed it. Writes
// plain.size + SEAL_BOX_OVERHEAD bytes to `ret`. ERR_RANGE: `recipient` is no usable point.
enum status seal_box(const struct node_key *recipient, struct span context, struct span plain,
    struct rng *rng, uint8_t *ret);

// Writes sealed.size - SEAL_BOX_OVERHEAD bytes to `ret`. ERR_SEAL, ERR_TRUNCATED as above. Costs
// one scalar multiplication: take a budget first.
enum status seal_box_open(
    const struct node_secret *recipient, struct span context, struct span sealed, uint8_t *ret);

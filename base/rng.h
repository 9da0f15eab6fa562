// SPDX-License-Identifier: GPL-3.0-or-later
//
// Random bytes for the core: a ChaCha20 key stream from one seed. The daemon seeds it from the
// kernel, the simulator from its own seed, so that the same inputs give the same effects.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
    RNG_SEED_SIZE = 32,
};

struct rng {
    uint8_t key[RNG_SEED_SIZE];
    uint64_t block; // counts requests: each draws a key stream of its own
};

void rng_seed(struct rng *rng, const uint8_t seed[static RNG_SEED_SIZE]);

// Fills `ret`; fit for keys and nonces if the seed was.
void rng_bytes(struct rng *rng, uint8_t *ret, size_t size);

uint64_t rng_u64(struct rng *rng);

// Uniform in 0 .. bound-1, without modulo bias; 0 if `bound` is 0.
uint64_t rng_below(struct rng *rng, uint64_t bound);

// `value` +- at most `percent` (0 to 100) of it: jitter for timers, so that nodes do not act in
// step. Stays within 64 bits.
uint64_t rng_jitter(struct rng *rng, uint64_t value, uint32_t percent);

// A generator of its own for a part of the program; the two streams are independent.
struct rng rng_fork(struct rng *rng);

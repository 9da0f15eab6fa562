// SPDX-License-Identifier: GPL-3.0-or-later
//
// Deterministic random bytes.
#include "base/rng.h"

#include "base/bytes.h"

#include <sodium.h>
#include <string.h>

_Static_assert(RNG_SEED_SIZE == crypto_stream_chacha20_KEYBYTES, "the seed is the cipher's key");

void rng_seed(struct rng *rng, const uint8_t seed[static RNG_SEED_SIZE])
{
    memcpy(rng->key, seed, RNG_SEED_SIZE);
    rng->block = 0;
}

void rng_bytes(struct rng *rng, uint8_t *ret, size_t size)
{
    uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
    struct writer writer = writer_of(nonce, sizeof nonce);
    write_u64(&writer, rng->block);
    rng->block++;
    (void)crypto_stream_chacha20(ret, size, nonce, rng->key);
}

uint64_t rng_u64(struct rng *rng)
{
    uint8_t bytes[8];
    rng_bytes(rng, bytes, sizeof bytes);
    struct reader reader = reader_of(span_of(bytes, sizeof bytes));
    return read_u64(&reader);
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    if (bound <= 1) {
        return 0;
    }
    // Values below this would make the small results more likely: 2^64 mod bound.
    uint64_t biased = (UINT64_MAX - bound + 1) % bound;
    uint64_t value;
    do {
        value = rng_u64(rng);
    } while (value < biased);
    return value % bound;
}

uint64_t rng_jitter(struct rng *rng, uint64_t value, uint32_t percent)
{
    ASSERT(percent <= 100);
    uint64_t reach = value / 100 * percent + value % 100 * percent / 100;
    uint64_t lowest = value - reach;
    uint64_t highest = value > UINT64_MAX - reach ? UINT64_MAX : value + reach;
    return lowest + rng_below(rng, highest - lowest + 1);
}

struct rng rng_fork(struct rng *rng)
{
    struct rng fork = {.block = 0};
    rng_bytes(rng, fork.key, sizeof fork.key);
    return fork;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The sponge around nettle's permutation: rate 136 bytes, capacity 512 bits, lanes little-endian.
#include "chain/keccak.h"

#include <nettle/sha3.h>
#include <string.h>

enum {
    RATE = 136,
    LANE = 8,
};

static void absorb(struct sha3_state *state, const uint8_t block[static RATE])
{
    for (size_t lane = 0; lane < RATE / LANE; lane++) {
        uint64_t word = 0;
        for (size_t i = LANE; i-- > 0;) {
            word = word << 8 | block[lane * LANE + i];
        }
        state->a[lane] ^= word;
    }
    nettle_sha3_permute(state);
}

struct hash256 keccak256(struct span bytes)
{
    struct sha3_state state = {.a = {0}};
    while (bytes.size >= RATE) {
        absorb(&state, bytes.data);
        bytes.data += RATE;
        bytes.size -= RATE;
    }
    uint8_t last[RATE] = {0};
    if (bytes.size > 0) {
        memcpy(last, bytes.data, bytes.size);
    }
    last[bytes.size] = 0x01;
    last[RATE - 1] |= 0x80;
    absorb(&state, last);
    struct hash256 digest;
    for (size_t i = 0; i < sizeof digest.bytes; i++) {
        digest.bytes[i] = (uint8_t)(state.a[i / LANE] >> (8 * (i % LANE)));
    }
    return digest;
}

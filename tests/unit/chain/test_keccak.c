// SPDX-License-Identifier: GPL-3.0-or-later
//
// Keccak-256 against known digests, and against an independent library (wolfSSL) at all lengths
// around the sponge's rate of 136 bytes.
#include "base/rng.h"
#include "base/text.h"
#include "chain/chain.h"

#include "tests/unit/unit.h"

#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/hash.h>

static void assert_digest(struct span bytes, const char *expected)
{
    struct hash256 digest = keccak256(bytes);
    char text[65];
    hex_format(span_of(digest.bytes, sizeof digest.bytes), text);
    assert_string_equal(text, expected);
}

static void known_digests(void **)
{
    assert_digest(
        span_of(NULL, 0), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    assert_digest(span_of_text("ownerOf(uint256)"),
        "6352211e6566aa027e75ac9dbf2423197fbd9b82b9d981a3ab367d355866aa1c");
    assert_digest(span_of_text("Transfer(address,address,uint256)"),
        "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
}

static struct hash256 keccak_of_wolfssl(struct span bytes)
{
    enum { NO_DEVICE = -2 };
    wc_Sha3 sponge;
    struct hash256 digest;
    assert_int_equal(wc_InitSha3_256(&sponge, NULL, NO_DEVICE), 0);
    assert_int_equal(wc_Sha3_SetFlags(&sponge, WC_HASH_SHA3_KECCAK256), 0);
    assert_int_equal(wc_Sha3_256_Update(&sponge, bytes.data, (word32)bytes.size), 0);
    assert_int_equal(wc_Sha3_256_Final(&sponge, digest.bytes), 0);
    wc_Sha3_256_Free(&sponge);
    return digest;
}

static void assert_equal_to_wolfssl(struct span bytes)
{
    struct hash256 ours = keccak256(bytes);
    struct hash256 theirs = keccak_of_wolfssl(bytes);
    assert_true(hash256_equal(&ours, &theirs));
}

static void an_independent_library_agrees(void **)
{
    enum { EACH_LENGTH = 5 * 136, LONG = 100 };
    static uint8_t bytes[1 << 16];
    static const uint8_t seed[RNG_SEED_SIZE] = {3};
    struct rng rng;
    rng_seed(&rng, seed);
    rng_bytes(&rng, bytes, sizeof bytes);
    for (size_t size = 0; size <= EACH_LENGTH; size++) {
        assert_equal_to_wolfssl(span_of(bytes + size, size));
    }
    for (size_t i = 0; i < LONG; i++) {
        assert_equal_to_wolfssl(span_of(bytes, rng_below(&rng, sizeof bytes)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
        cmocka_unit_test(an_independent_library_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

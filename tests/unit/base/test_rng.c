// SPDX-License-Identifier: GPL-3.0-or-later
//
// Random bytes: the same seed gives the same bytes, bounds hold, nothing is obviously biased.
#include "base/rng.h"

#include "tests/unit/unit.h"

static struct rng seeded(uint8_t first)
{
    const uint8_t seed[RNG_SEED_SIZE] = {first};
    struct rng rng;
    rng_seed(&rng, seed);
    return rng;
}

static void the_same_seed_gives_the_same_bytes(void **)
{
    struct rng a = seeded(1);
    struct rng b = seeded(1);
    struct rng c = seeded(2);
    uint8_t from_a[100];
    uint8_t from_b[100];
    uint8_t from_c[100];
    for (int i = 0; i < 3; i++) {
        rng_bytes(&a, from_a, sizeof from_a);
        rng_bytes(&b, from_b, sizeof from_b);
        rng_bytes(&c, from_c, sizeof from_c);
        assert_memory_equal(from_a, from_b, sizeof from_a);
        assert_memory_not_equal(from_a, from_c, sizeof from_a);
    }
}

static void requests_do_not_repeat(void **)
{
    struct rng rng = seeded(1);
    uint8_t first[16];
    uint8_t second[16];
    rng_bytes(&rng, first, sizeof first);
    rng_bytes(&rng, second, sizeof second);
    assert_memory_not_equal(first, second, sizeof first);
}

// ChaCha20 (the original, 64-bit nonce) with key and nonce zero: draft-agl-tls-chacha20poly1305,
// section 7, first vector. Traces that were recorded on other machines stay valid while this holds.
static void the_stream_is_chacha20(void **)
{
    static const uint8_t expected[] = {0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d,
        0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28};
    struct rng rng = seeded(0);
    uint8_t bytes[sizeof expected];
    rng_bytes(&rng, bytes, sizeof bytes);
    assert_memory_equal(bytes, expected, sizeof expected);
}

static void results_stay_below_the_bound_and_are_even(void **)
{
    enum {
        BOUND = 10,
        DRAWS = 100000,
    };
    struct rng rng = seeded(3);
    unsigned counts[BOUND] = {0};
    for (int i = 0; i < DRAWS; i++) {
        uint64_t value = rng_below(&rng, BOUND);
        assert_in_range(value, 0, BOUND - 1);
        counts[value]++;
    }
    // Expected 10000 each, standard deviation 95: ten of them are far.
    for (size_t i = 0; i < BOUND; i++) {
        assert_in_range(counts[i], 9050, 10950);
    }
}

// A bound of 3/4 of the range would show a modulo bias as two to one.
static void large_bounds_are_not_biased(void **)
{
    const uint64_t bound = UINT64_C(3) << 62;
    struct rng rng = seeded(4);
    unsigned in_first_third = 0;
    for (int i = 0; i < 30000; i++) {
        uint64_t value = rng_below(&rng, bound);
        assert_true(value < bound);
        in_first_third += value < bound / 3;
    }
    // Expected 10000, standard deviation 82; with the bias 15000.
    assert_in_range(in_first_third, 9200, 10800);
}

static void tiny_bounds_give_zero(void **)
{
    struct rng rng = seeded(5);
    assert_true(rng_below(&rng, 0) == 0);
    assert_true(rng_below(&rng, 1) == 0);
}

static void jitter_stays_within_its_reach(void **)
{
    struct rng rng = seeded(6);
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    for (int i = 0; i < 10000; i++) {
        uint64_t value = rng_jitter(&rng, 5000, 20);
        assert_in_range(value, 4000, 6000);
        least = value < least ? value : least;
        most = value > most ? value : most;
    }
    assert_in_range(least, 4000, 4020);
    assert_in_range(most, 5980, 6000);
    assert_true(rng_jitter(&rng, 0, 20) == 0);
    assert_true(rng_jitter(&rng, 5000, 0) == 5000);
}

static void jitter_of_huge_values_does_not_wrap(void **)
{
    struct rng rng = seeded(7);
    for (int i = 0; i < 1000; i++) {
        assert_true(rng_jitter(&rng, UINT64_MAX, 10) >= UINT64_MAX - UINT64_MAX / 10);
        (void)rng_jitter(&rng, UINT64_MAX, 100);
        (void)rng_jitter(&rng, UINT64_C(1) << 63, 100);
    }
}

static void forks_differ_from_their_parent_and_each_other(void **)
{
    struct rng parent = seeded(8);
    struct rng first = rng_fork(&parent);
    struct rng second = rng_fork(&parent);
    uint64_t a = rng_u64(&first);
    uint64_t b = rng_u64(&second);
    uint64_t c = rng_u64(&parent);
    assert_true(a != b && b != c && a != c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_bytes),
        cmocka_unit_test(requests_do_not_repeat),
        cmocka_unit_test(the_stream_is_chacha20),
        cmocka_unit_test(results_stay_below_the_bound_and_are_even),
        cmocka_unit_test(large_bounds_are_not_biased),
        cmocka_unit_test(tiny_bounds_give_zero),
        cmocka_unit_test(jitter_stays_within_its_reach),
        cmocka_unit_test(jitter_of_huge_values_does_not_wrap),
        cmocka_unit_test(forks_differ_from_their_parent_and_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Token buckets: burst, refill to the millisecond, long sleeps, eviction; against a naive bucket.
#include "base/budget.h"
#include "base/rng.h"

#include "tests/unit/unit.h"

static struct mono at(uint64_t ms)
{
    return (struct mono){.ms = ms};
}

static void a_burst_is_granted_and_no_more(void **)
{
    struct budget budget = {.started = false};
    const struct budget_rate rate = {.per_second = 10, .burst = 3};
    for (int i = 0; i < 3; i++) {
        assert_true(budget_take(&budget, &rate, at(5), 1));
    }
    assert_false(budget_take(&budget, &rate, at(5), 1));
    // A cost of nothing is always there; one above the burst never.
    assert_true(budget_take(&budget, &rate, at(5), 0));
    assert_false(budget_take(&budget, &rate, at(1000000), 4));
}

static void it_refills_at_its_rate(void **)
{
    struct budget budget = {.started = false};
    const struct budget_rate rate = {.per_second = 10, .burst = 3};
    assert_true(budget_take(&budget, &rate, at(0), 3));
    assert_false(budget_take(&budget, &rate, at(99), 1));
    assert_true(budget_take(&budget, &rate, at(100), 1));
    assert_false(budget_take(&budget, &rate, at(199), 1));
    assert_true(budget_take(&budget, &rate, at(200), 1));
    // Full after 300 ms, and fuller never.
    assert_true(budget_take(&budget, &rate, at(10000), 3));
    assert_false(budget_take(&budget, &rate, at(10000), 1));
}

static void a_refusal_takes_nothing(void **)
{
    struct budget budget = {.started = false};
    const struct budget_rate rate = {.per_second = 1, .burst = 3};
    assert_true(budget_take(&budget, &rate, at(0), 1));
    assert_false(budget_take(&budget, &rate, at(0), 3));
    assert_true(budget_take(&budget, &rate, at(0), 2));
}

static void long_sleeps_and_large_rates_do_not_overflow(void **)
{
    struct budget budget = {.started = false};
    const struct budget_rate rate = {.per_second = UINT32_MAX, .burst = UINT32_MAX};
    assert_true(budget_take(&budget, &rate, at(0), UINT32_MAX));
    assert_false(budget_take(&budget, &rate, at(0), 1));
    assert_true(budget_take(&budget, &rate, at(UINT64_MAX), UINT32_MAX));
    assert_false(budget_take(&budget, &rate, at(UINT64_MAX), 1));

    // Time passed times rate is 2^64 here.
    struct budget slept = {.started = false};
    const struct budget_rate power = {.per_second = 1U << 16, .burst = 1000};
    assert_true(budget_take(&slept, &power, at(0), 1000));
    assert_true(budget_take(&slept, &power, at(UINT64_C(1) << 48), 1000));
}

static void time_that_goes_back_refills_nothing(void **)
{
    struct budget budget = {.started = false};
    const struct budget_rate rate = {.per_second = 1000, .burst = 1};
    assert_true(budget_take(&budget, &rate, at(5000), 1));
    assert_false(budget_take(&budget, &rate, at(1000), 1));
}

static void a_smaller_burst_takes_hold_at_once(void **)
{
    struct budget budget = {.started = false};
    const struct budget_rate large = {.per_second = 1, .burst = 100};
    const struct budget_rate small = {.per_second = 1, .burst = 2};
    assert_true(budget_take(&budget, &large, at(0), 1));
    assert_true(budget_take(&budget, &small, at(1), 2));
    assert_false(budget_take(&budget, &small, at(1), 1));
}

// The same bucket, counted in steps of one millisecond.
static void it_agrees_with_the_oracle(void **)
{
    struct rng rng;
    const uint8_t seed[RNG_SEED_SIZE] = {2};
    rng_seed(&rng, seed);
    for (int round = 0; round < 50; round++) {
        const struct budget_rate rate = {
            .per_second = (uint32_t)rng_below(&rng, 2000) + 1,
            .burst = (uint32_t)rng_below(&rng, 50) + 1,
        };
        struct budget budget = {.started = false};
        uint64_t full = (uint64_t)rate.burst * 1000;
        uint64_t level = full;
        uint64_t now_ms = 7;
        for (int i = 0; i < 200; i++) {
            uint64_t steps = rng_below(&rng, 40);
            for (uint64_t step = 0; step < steps; step++) {
                now_ms++;
                level = level + rate.per_second > full ? full : level + rate.per_second;
            }
            uint32_t cost = (uint32_t)rng_below(&rng, 5);
            bool granted = level >= (uint64_t)cost * 1000;
            level -= granted ? (uint64_t)cost * 1000 : 0;
            // The first use fills the budget: the oracle starts full, so they agree.
            assert_int_equal(budget_take(&budget, &rate, at(now_ms), cost), granted);
        }
    }
}

enum {
    CAPACITY = 3,
};

static struct prefix_budgets table(struct prefix_budget_entry entries[static CAPACITY])
{
    struct prefix_budgets budgets;
    const struct budget_rate rate = {.per_second = 1, .burst = 2};
    prefix_budgets_init(&budgets, rate, entries, CAPACITY);
    return budgets;
}

static void neighbours_share_a_budget_and_others_do_not(void **)
{
    struct prefix_budget_entry entries[CAPACITY];
    struct prefix_budgets budgets = table(entries);
    struct address first = address_of_ipv4(192, 0, 2, 1, 1000);
    struct address neighbour = address_of_ipv4(192, 0, 2, 255, 2000);
    struct address other = address_of_ipv4(192, 0, 3, 1, 1000);
    assert_true(prefix_budgets_take(&budgets, &first, at(0), 1));
    assert_true(prefix_budgets_take(&budgets, &neighbour, at(0), 1));
    assert_false(prefix_budgets_take(&budgets, &first, at(0), 1));
    assert_true(prefix_budgets_take(&budgets, &other, at(0), 1));
    assert_int_equal(budgets.count, 2);
}

static void an_ipv6_prefix_has_56_bits(void **)
{
    struct prefix_budget_entry entries[CAPACITY];
    struct prefix_budgets budgets = table(entries);
    struct address first = {.family = FAMILY_IPV6, .ip = {0x20, 0x01, 0, 0, 0, 0, 0x0a, 1}};
    struct address neighbour = {.family = FAMILY_IPV6, .ip = {0x20, 0x01, 0, 0, 0, 0, 0x0a, 2}};
    struct address other = {.family = FAMILY_IPV6, .ip = {0x20, 0x01, 0, 0, 0, 0, 0x0b, 1}};
    assert_true(prefix_budgets_take(&budgets, &first, at(0), 2));
    assert_false(prefix_budgets_take(&budgets, &neighbour, at(0), 1));
    assert_true(prefix_budgets_take(&budgets, &other, at(0), 2));
}

static void the_longest_unused_entry_is_evicted(void **)
{
    struct prefix_budget_entry entries[CAPACITY];
    struct prefix_budgets budgets = table(entries);
    for (unsigned i = 0; i < CAPACITY; i++) {
        struct address from = address_of_ipv4(10, 0, (uint8_t)i, 1, 1);
        assert_true(prefix_budgets_take(&budgets, &from, at(i), 2));
    }
    struct address oldest = address_of_ipv4(10, 0, 0, 1, 1);
    struct address second = address_of_ipv4(10, 0, 1, 1, 1);
    struct address third = address_of_ipv4(10, 0, 2, 1, 1);
    struct address stranger = address_of_ipv4(10, 0, 99, 1, 1);
    // A refused use counts as use, so the second is now the one to go.
    assert_false(prefix_budgets_take(&budgets, &oldest, at(10), 1));
    assert_true(prefix_budgets_take(&budgets, &stranger, at(11), 1));
    assert_int_equal(budgets.count, CAPACITY);
    assert_false(prefix_budgets_take(&budgets, &oldest, at(12), 1));
    assert_false(prefix_budgets_take(&budgets, &third, at(12), 1));
    assert_true(prefix_budgets_take(&budgets, &stranger, at(12), 1));
    // The evicted one comes back with a fresh budget: the header says so.
    assert_true(prefix_budgets_take(&budgets, &second, at(13), 2));
}

static void an_unset_address_has_no_budget(void **)
{
    struct prefix_budget_entry entries[CAPACITY];
    struct prefix_budgets budgets = table(entries);
    struct address unset = {.family = FAMILY_NONE};
    assert_false(prefix_budgets_take(&budgets, &unset, at(0), 1));
    assert_int_equal(budgets.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_is_granted_and_no_more),
        cmocka_unit_test(it_refills_at_its_rate),
        cmocka_unit_test(a_refusal_takes_nothing),
        cmocka_unit_test(long_sleeps_and_large_rates_do_not_overflow),
        cmocka_unit_test(time_that_goes_back_refills_nothing),
        cmocka_unit_test(a_smaller_burst_takes_hold_at_once),
        cmocka_unit_test(it_agrees_with_the_oracle),
        cmocka_unit_test(neighbours_share_a_budget_and_others_do_not),
        cmocka_unit_test(an_ipv6_prefix_has_56_bits),
        cmocka_unit_test(the_longest_unused_entry_is_evicted),
        cmocka_unit_test(an_unset_address_has_no_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

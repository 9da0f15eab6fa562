// SPDX-License-Identifier: GPL-3.0-or-later
//
// Budgets against floods: a token bucket, and a table of them per source prefix (/24 or /56), so
// that one network cannot spend what belongs to the others.
#pragma once

#include "base/address.h"
#include "base/clock.h"

// How fast a budget refills and how much it can hold; both at least 1.
struct budget_rate {
    uint32_t per_second;
    uint32_t burst;
};

// Zeroed = full at first use. `level` is in thousandths.
struct budget {
    struct mono filled_at;
    uint64_t level_milli;
    bool started;
};

// Takes `cost` units and returns true, or leaves the budget as it is and returns false.
bool budget_take(
    struct budget *budget, const struct budget_rate *rate, struct mono now, uint32_t cost);

enum {
    BUDGET_PREFIX_IPV4 = 24,
    BUDGET_PREFIX_IPV6 = 56,
};

struct prefix_budget_entry {
    struct prefix prefix;
    struct budget budget;
    struct mono used_at;
};

// Capacity: fixed, of the caller. When full, the entry that was used longest ago goes, so a
// stranger with many prefixes can win fresh budgets for evicted ones: always put a `budget` for
// the whole behind it.
struct prefix_budgets {
    struct budget_rate rate;
    struct prefix_budget_entry *entries;
    size_t count;
    size_t capacity;
};

void prefix_budgets_init(struct prefix_budgets *budgets, struct budget_rate rate,
    struct prefix_budget_entry *entries, size_t capacity);

// As budget_take, for the prefix that holds `from`.
bool prefix_budgets_take(
    struct prefix_budgets *budgets, const struct address *from, struct mono now, uint32_t cost);

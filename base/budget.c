// SPDX-License-Identifier: GPL-3.0-or-later
//
// Token buckets. Lookup is a linear scan: tables are small (tens to a few hundred entries).
#include "base/budget.h"

bool budget_take(
    struct budget *budget, const struct budget_rate *rate, struct mono now, uint32_t cost)
{
    ASSERT(rate->per_second > 0 && rate->burst > 0);
    const uint64_t full_milli = (uint64_t)rate->burst * 1000;
    if (!budget->started) {
        budget->started = true;
        budget->level_milli = full_milli;
        budget->filled_at = now;
    }
    uint64_t elapsed_ms = mono_since(budget->filled_at, now);
    // A budget that was filled under a larger burst holds no more than this one.
    uint64_t room_milli = full_milli > budget->level_milli ? full_milli - budget->level_milli : 0;
    // Compared by division first: elapsed times rate could overflow after a long sleep.
    bool refilled = elapsed_ms > room_milli / rate->per_second;
    budget->level_milli =
        refilled ? full_milli : budget->level_milli + elapsed_ms * rate->per_second;
    budget->filled_at = now;
    if (budget->level_milli < (uint64_t)cost * 1000) {
        return false;
    }
    budget->level_milli -= (uint64_t)cost * 1000;
    return true;
}

void prefix_budgets_init(struct prefix_budgets *budgets, struct budget_rate rate,
    struct prefix_budget_entry *entries, size_t capacity)
{
    ASSERT(capacity > 0 && rate.per_second > 0 && rate.burst > 0);
    *budgets = (struct prefix_budgets){.rate = rate, .entries = entries, .capacity = capacity};
}

static struct prefix_budget_entry *entry_for(
    struct prefix_budgets *budgets, const struct prefix *prefix)
{
    struct prefix_budget_entry *oldest = &budgets->entries[0];
    for (size_t i = 0; i < budgets->count; i++) {
        struct prefix_budget_entry *entry = &budgets->entries[i];
        if (address_same_ip(&entry->prefix.base, &prefix->base)) {
            return entry;
        }
        if (entry->used_at.ms < oldest->used_at.ms) {
            oldest = entry;
        }
    }
    if (budgets->count < budgets->capacity) {
        oldest = &budgets->entries[budgets->count++];
    }
    *oldest = (struct prefix_budget_entry){.prefix = *prefix};
    return oldest;
}

bool prefix_budgets_take(
    struct prefix_budgets *budgets, const struct address *from, struct mono now, uint32_t cost)
{
    if (!address_is_set(from)) {
        return false;
    }
    uint8_t length = from->family == FAMILY_IPV4 ? BUDGET_PREFIX_IPV4 : BUDGET_PREFIX_IPV6;
    struct prefix prefix = prefix_of(from, length);
    struct prefix_budget_entry *entry = entry_for(budgets, &prefix);
    entry->used_at = now;
    return budget_take(&entry->budget, &budgets->rate, now, cost);
}

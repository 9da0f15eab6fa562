// SPDX-License-Identifier: GPL-3.0-or-later
#include "nat/limiter.h"

#include "base/assert.h"
#include "base/budget.h"

void limiter_init(struct probe_limiter *limiter, struct limiter_entry *entries, size_t capacity)
{
    ASSERT(capacity > 0);
    *limiter = (struct probe_limiter){.entries = entries, .capacity = capacity};
}

static struct prefix prefix_around(const struct address *address)
{
    bool ipv4 = address->family == FAMILY_IPV4;
    return prefix_of(address, ipv4 ? BUDGET_PREFIX_IPV4 : BUDGET_PREFIX_IPV6);
}

static struct limiter_entry *find(struct probe_limiter *limiter, const struct prefix *prefix)
{
    for (size_t i = 0; i < limiter->count; i++) {
        if (address_same_ip(&limiter->entries[i].prefix.base, &prefix->base)) {
            return &limiter->entries[i];
        }
    }
    return NULL;
}

static void forget(struct probe_limiter *limiter, struct limiter_entry *entry)
{
    *entry = limiter->entries[--limiter->count];
}

static bool is_over(const struct limiter_entry *entry, struct mono now)
{
    return mono_since(entry->taken_at, now) >= LIMITER_WINDOW_MS;
}

static struct limiter_entry *add(
    struct probe_limiter *limiter, struct mono now, const struct prefix *prefix)
{
    for (size_t i = 0; limiter->count == limiter->capacity && i < limiter->count; i++) {
        if (is_over(&limiter->entries[i], now)) {
            forget(limiter, &limiter->entries[i]);
        }
    }
    if (limiter->count == limiter->capacity) {
        return NULL;
    }
    struct limiter_entry *entry = &limiter->entries[limiter->count++];
    *entry = (struct limiter_entry){.prefix = *prefix, .taken_at = now};
    return entry;
}

bool limiter_take(struct probe_limiter *limiter, struct mono now, const struct address *to)
{
    struct prefix prefix = prefix_around(to);
    struct limiter_entry *entry = find(limiter, &prefix);
    if (entry == NULL) {
        entry = add(limiter, now, &prefix);
    } else if (is_over(entry, now)) {
        *entry = (struct limiter_entry){.prefix = prefix, .taken_at = now};
    }
    if (entry == NULL || entry->unanswered >= LIMITER_PROBES_MAX) {
        return false;
    }
    entry->unanswered++;
    entry->taken_at = now;
    return true;
}

void limiter_give_back(struct probe_limiter *limiter, const struct address *from, uint32_t count)
{
    struct prefix prefix = prefix_around(from);
    struct limiter_entry *entry = find(limiter, &prefix);
    if (entry == NULL) {
        return;
    }
    if (entry->unanswered <= count) {
        forget(limiter, entry);
        return;
    }
    entry->unanswered -= count;
}

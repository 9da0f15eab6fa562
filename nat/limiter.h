// SPDX-License-Identifier: GPL-3.0-or-later
//
// The fence around probes: a peer names the addresses we send to, so it could aim us at a third
// party. At most 64 unanswered probes a target prefix (/24 or /56) in 10 minutes, over all peers.
#pragma once

#include "base/address.h"
#include "base/clock.h"

enum {
    LIMITER_PROBES_MAX = 64,
    LIMITER_WINDOW_MS = 600000, // 10 minutes
};

struct limiter_entry {
    struct prefix prefix;
    struct mono taken_at; // last
    uint32_t unanswered;
};

// Counts start again once a prefix was left alone for the whole window, so no 10 minutes ever hold
// more than 64. Capacity: the caller's; 48 B each, 256 serve 64 peers. Nothing is evicted before
// its window ends, so when it is full new prefixes are refused. Only admitted members' candidates
// get here, at most 8 an attempt, and answered probes give their places back.
struct probe_limiter {
    struct limiter_entry *entries;
    size_t count;
    size_t capacity;
};

void limiter_init(struct probe_limiter *limiter, struct limiter_entry *entries, size_t capacity);

// Counts one probe to `to`, or returns false: do not send it.
bool limiter_take(struct probe_limiter *limiter, struct mono now, const struct address *to);

// An authenticated answer came from `from`: the `count` probes sent there were no attack.
void limiter_give_back(struct probe_limiter *limiter, const struct address *from, uint32_t count);

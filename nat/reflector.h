// SPDX-License-Identifier: GPL-3.0-or-later
//
// A member as reflector: answers Binding requests of anybody, and manifest requests, on the DHT's
// port and on WireGuard's. An answer is never larger than its request and goes only where the
// request came from.
#pragma once

#include "base/budget.h"
#include "nat/stun.h"

enum {
    REFLECTOR_PREFIXES = 64,
    // A node's round is at most 3 requests with 3 repeats; a /24 of a hundred nodes starts at once.
    REFLECTOR_PREFIX_PER_SECOND = 20,
    REFLECTOR_PREFIX_BURST = 100,
    REFLECTOR_TOTAL_PER_SECOND = 200,
    REFLECTOR_TOTAL_BURST = 1000,
};

struct reflector {
    struct prefix_budgets prefixes; // evicts the prefix idle longest; `total` stands behind it
    struct prefix_budget_entry entries[REFLECTOR_PREFIXES];
    struct budget total;
};

// `reflector` must not move afterwards.
void reflector_init(struct reflector *reflector);

// Writes the answer to `request`, which came from `from`, to the empty `writer`. `manifest` is the
// own manifest, or empty: then manifest requests go unanswered.
// Failures, all of which mean "send nothing, count": ERR_TRUNCATED (request shorter than its
// answer), ERR_UNSUPPORTED (not a request for a reflector: an answer, an indication, a probe),
// ERR_NOT_FOUND (no manifest), ERR_RATE (a budget is empty), ERR_FULL (the writer is too small).
enum status reflector_answer(struct reflector *reflector, struct mono now,
    const struct address *from, const struct stun_message *request, struct span manifest,
    struct writer *writer);

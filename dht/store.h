// SPDX-License-Identifier: GPL-3.0-or-later
//
// The storage policy of the network behind the engine's storage hook.
#pragma once

#include "dht/core.h"
#include "dht/policy.h"

// A dht_store_hook; `policy` is a struct policy. Values that it displaces under other ids wait for
// dht_store_remove.
struct dht_store_answer dht_store_by_policy(
    void *policy, struct now now, const struct dht_put *put);

// Drops what the policy has displaced. After each call that may have made it judge or forget:
// dht_core_recv, policy_set_owner, policy_forget_owner.
void dht_store_remove(struct dht_core *core, struct now now, struct policy *policy);

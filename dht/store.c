// SPDX-License-Identifier: GPL-3.0-or-later
//
// Two interfaces meet.
#include "dht/store.h"

struct dht_store_answer dht_store_by_policy(void *policy, struct now now, const struct dht_put *put)
{
    const struct policy_put asked = {
        .from = put->from,
        .key = put->key,
        .value = put->value,
        .wanted = put->wanted,
    };
    const struct policy_decision decision = policy_on_put(policy, now, &asked);
    if (!policy_verdict_stores(decision.verdict)) {
        return (struct dht_store_answer){.verdict = DHT_STORE_REFUSE};
    }
    return (struct dht_store_answer){
        .verdict = DHT_STORE_ACCEPT,
        .value_id = decision.value_id,
        .expires_at = decision.expires_at,
    };
}

void dht_store_remove(struct dht_core *core, struct now now, struct policy *policy)
{
    struct policy_removal removal;
    while (policy_next_removal(policy, &removal)) {
        dht_core_drop(core, now, &removal.key, removal.value_id);
    }
}

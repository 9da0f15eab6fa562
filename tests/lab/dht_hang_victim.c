// SPDX-License-Identifier: GPL-3.0-or-later
//
// The engine with a storage policy that takes everything for 10 minutes.
#include "tests/lab/dht_hang_victim.h"

#include "base/assert.h"
#include "dht/core.h"

#include <stdlib.h>

struct hang_victim {
    struct dht_core *core;
    uint64_t now_ms;
};

static struct now now_of(const struct hang_victim *victim)
{
    return (struct now){.mono = {.ms = victim->now_ms}, .unix_time = {.ms = victim->now_ms}};
}

static struct dht_store_answer take(void *, struct now now, const struct dht_put *put)
{
    return (struct dht_store_answer){
        .verdict = DHT_STORE_ACCEPT,
        .value_id = put->value_id,
        .expires_at = mono_add(now.mono, UINT64_C(10) * 60 * 1000),
    };
}

struct hang_victim *hang_victim_new(uint64_t now_ms)
{
    struct hang_victim *victim = calloc(1, sizeof(*victim));
    ASSERT(victim != NULL);
    victim->now_ms = now_ms;
    const struct dht_core_config config = {
        .network = 7,
        .server = true,
        .ipv4 = true,
        .store = take,
        .limits = dht_limits_default(),
        .seed = {1},
    };
    const enum status status = dht_core_create(&config, now_of(victim), &victim->core);
    ASSERT(status == OK);
    return victim;
}

void hang_victim_delete(struct hang_victim *victim)
{
    if (victim != NULL) {
        dht_core_destroy(victim->core);
        free(victim);
    }
}

void hang_victim_drive(
    struct hang_victim *victim, uint64_t now_ms, unsigned host, const uint8_t *data, size_t size)
{
    const struct address attacker = address_of_ipv4(198, 51, 100, (uint8_t)(200 + host), 4222);
    victim->now_ms = now_ms;
    if (size > 0) {
        dht_core_recv(victim->core, now_of(victim), &attacker, span_of(data, size));
    } else {
        (void)dht_core_tick(victim->core, now_of(victim));
    }
}

bool hang_victim_next_send(struct hang_victim *victim, const uint8_t **ret, size_t *ret_size)
{
    struct dht_send send;
    if (!dht_core_next_send(victim->core, &send)) {
        return false;
    }
    *ret = send.bytes.data;
    *ret_size = send.bytes.size;
    return true;
}

uint64_t hang_victim_values(struct hang_victim *victim)
{
    return dht_core_status(victim->core, now_of(victim)).store_values;
}

uint64_t hang_victim_bytes(struct hang_victim *victim)
{
    return dht_core_status(victim->core, now_of(victim)).store_bytes;
}

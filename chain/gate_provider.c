// SPDX-License-Identifier: GPL-3.0-or-later
//
// The providers one by one: health, back-off, the way each is read, what it costs. Whatever befalls
// one changes nothing for the others.
#include "chain/gate_state.h"

#include <string.h>

void gate_set_health(struct gate *gate, size_t provider, enum provider_health health)
{
    struct gate_provider *changed = &gate->providers[provider];
    if (changed->health != health) {
        changed->health = health;
        changed->health_changed = true;
    }
}

void gate_begin_checks(struct gate *gate, size_t provider)
{
    struct gate_provider *checked = &gate->providers[provider];
    checked->checks_to_send = CHECK_ALL;
    checked->checks_pending = CHECK_ALL;
}

// Full jitter: anywhere up to a ceiling that doubles with each failure, so that nodes which failed
// together do not come back together. What the provider itself asks for is the least.
static void back_off(struct gate *gate, size_t provider, struct mono now, uint64_t at_least_ms)
{
    struct gate_provider *failed = &gate->providers[provider];
    uint64_t ceiling_ms = GATE_BACKOFF_MAX_MS;
    if (failed->failures < GATE_BREAKER_FAILURES) {
        ceiling_ms = (uint64_t)GATE_BACKOFF_MIN_MS << failed->failures;
    }
    uint64_t wait_ms = rng_below(&gate->rng, ceiling_ms + 1);
    if (at_least_ms > GATE_RETRY_AFTER_MAX_MS) {
        at_least_ms = GATE_RETRY_AFTER_MAX_MS;
    }
    failed->retry_at = mono_add(now, at_least_ms > 0 ? at_least_ms + wait_ms : wait_ms);
    failed->backing_off = true;
    if (failed->failures < UINT32_MAX) {
        failed->failures++;
    }
}

void gate_provider_failed(
    struct gate *gate, size_t provider, struct mono now, const struct rpc_reply *reply)
{
    struct gate_provider *failed = &gate->providers[provider];
    failed->faults++;
    if (failed->backing_off && !mono_due(failed->retry_at, now)) {
        return; // another call of the same outage
    }
    failed->checked = false;
    failed->proven = false;
    gate_begin_checks(gate, provider);
    back_off(gate, provider, now, reply->retry_after_ms);
    gate_set_health(
        gate, provider, reply->outcome == RPC_ANSWERED ? PROVIDER_FAULTY : PROVIDER_UNREACHABLE);
}

void gate_provider_rate_limited(
    struct gate *gate, size_t provider, struct mono now, const struct rpc_reply *reply)
{
    struct gate_provider *limited = &gate->providers[provider];
    limited->rate_limits++;
    bool waits = limited->backing_off && !mono_due(limited->retry_at, now);
    if (!waits || reply->retry_after_ms > mono_since(now, limited->retry_at)) {
        back_off(gate, provider, now, reply->retry_after_ms);
    }
    gate_set_health(gate, provider, PROVIDER_RATE_LIMITED);
}

void gate_provider_refused(
    struct gate *gate, size_t provider, struct now now, enum provider_health health)
{
    struct gate_provider *refused = &gate->providers[provider];
    refused->checked = false;
    refused->proven = false;
    refused->checks_to_send = 0;
    refused->checks_pending = 0;
    refused->check_due = mono_add(now.mono, GATE_CHECK_RETRY_MS);
    refused->has_head = false;
    refused->profile = PROFILE_DETECT;
    refused->enumerable = VERDICT_UNKNOWN;
    gate_set_health(gate, provider, health);
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        gate_answer_of(gate, i, provider)->value = (struct gate_value){.kind = ANSWER_NONE};
    }
    gate_wallet_forget(gate, provider);
    gate_review_all(gate, now.mono);
}

// A provider that has just shown to be alive did not like something in the calls that timed out.
static void blame_suspects(struct gate *gate, size_t provider, struct mono now)
{
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        struct gate_answer *answer = gate_answer_of(gate, i, provider);
        if (answer->suspect == 1) {
            answer->value = (struct gate_value){.kind = ANSWER_FAILED};
            answer->read_at = now;
            answer->not_before = mono_add(now, GATE_TOKEN_BACKOFF_MS);
        }
        if (answer->suspect != 0) {
            answer->chunk_limit = answer->suspect > 1 ? answer->suspect / 2 : 1;
            answer->suspect = 0;
        }
    }
}

void gate_provider_checked(struct gate *gate, size_t provider, struct now now)
{
    struct gate_provider *checked = &gate->providers[provider];
    checked->check_due = mono_add(now.mono, GATE_CHECK_INTERVAL_MS);
    if (checked->checked) {
        return;
    }
    checked->checked = true;
    gate_set_health(gate, provider, PROVIDER_GOOD);
    blame_suspects(gate, provider, now.mono);
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        if (gate->tokens[i].used && gate->tokens[i].watched) {
            gate_mark_due(gate, i, provider);
        }
    }
    gate_review_all(gate, now.mono);
}

void gate_provider_aggregates(struct gate *gate, size_t provider, bool aggregates)
{
    struct gate_provider *read = &gate->providers[provider];
    if (aggregates) {
        read->way = READS_AGGREGATE;
        return;
    }
    // Also at each check: what it refused ten minutes ago it may take by now.
    read->way = READS_BATCH;
    read->batch_reads = (uint16_t)(2 * gate->chunk_max);
}

void gate_provider_refused_batch(struct gate *gate, size_t provider, size_t reads)
{
    enum { FEWEST = 2 }; // of one token: owner and access
    struct gate_provider *read = &gate->providers[provider];
    if (read->way != READS_BATCH || reads > read->batch_reads) {
        return; // known already
    }
    if (reads <= FEWEST) {
        read->way = READS_SERIES;
    } else {
        read->batch_reads = (uint16_t)(reads / 2);
    }
}

size_t gate_provider_reads(const struct gate *gate, size_t provider, size_t most)
{
    const struct gate_provider *read = &gate->providers[provider];
    size_t limit = most;
    switch (read->way) {
    case READS_AGGREGATE:
        break;
    case READS_BATCH:
        limit = read->batch_reads;
        break;
    case READS_SERIES:
        limit = GATE_SERIES_READS;
        break;
    }
    return limit < most ? limit : most;
}

bool gate_provider_open(const struct gate_provider *provider, size_t in_flight, struct mono now)
{
    size_t most = provider->failures < GATE_BREAKER_FAILURES ? GATE_CALLS_PER_PROVIDER : 1;
    return mono_due(provider->retry_at, now) && in_flight < most;
}

void gate_note_quorum(struct gate *gate, struct mono now)
{
    bool lost = gate_trust(gate).level == TRUST_NONE;
    if (lost && !gate->quorum_lost) {
        gate->quorum_lost_at = now;
    }
    gate->quorum_lost = lost;
}

static void add_u32(uint32_t *sum, size_t value)
{
    *sum = value > UINT32_MAX - *sum ? UINT32_MAX : *sum + (uint32_t)value;
}

// The slot of the present, the ones that have passed since the last call being emptied.
static size_t meter_slot(struct gate_meter *meter, struct mono now)
{
    uint64_t present = now.ms / GATE_METER_SLOT_MS;
    uint64_t passed = present > meter->newest ? present - meter->newest : 0;
    for (uint64_t i = 1; i <= passed && i <= GATE_METER_SLOTS; i++) {
        size_t slot = (size_t)((meter->newest + i) % GATE_METER_SLOTS);
        memset(&meter->slots[slot], 0, sizeof meter->slots[slot]);
    }
    meter->newest += passed;
    return (size_t)(meter->newest % GATE_METER_SLOTS);
}

void gate_meter_call(struct gate_provider *provider, struct mono now, size_t bytes_out)
{
    size_t slot = meter_slot(&provider->meter, now);
    provider->calls++;
    provider->bytes_out += bytes_out;
    add_u32(&provider->meter.slots[slot].calls, 1);
    add_u32(&provider->meter.slots[slot].bytes_out, bytes_out);
}

void gate_meter_reply(struct gate_provider *provider, struct mono now, struct mono sent_at,
    const struct rpc_reply *reply)
{
    size_t slot = meter_slot(&provider->meter, now);
    if (reply->outcome != RPC_ANSWERED) {
        return;
    }
    uint64_t took_ms = mono_since(sent_at, now);
    uint32_t latency_ms = took_ms > UINT16_MAX ? UINT16_MAX : (uint32_t)took_ms;
    uint32_t smoothed = provider->latency_x8_ms;
    provider->latency_last_ms = latency_ms;
    provider->latency_x8_ms = smoothed == 0 ? latency_ms * GATE_LATENCY_SHARE
                                            : smoothed - smoothed / GATE_LATENCY_SHARE + latency_ms;
    provider->bytes_in += reply->body.size;
    add_u32(&provider->meter.slots[slot].bytes_in, reply->body.size);
}

void gate_meter_hour(
    const struct gate_provider *provider, struct mono now, struct gate_provider_status *ret)
{
    const struct gate_meter *meter = &provider->meter;
    uint64_t present = now.ms / GATE_METER_SLOT_MS;
    for (uint64_t age = 0; age < GATE_METER_SLOTS && age <= meter->newest; age++) {
        if (meter->newest - age + GATE_METER_SLOTS <= present) {
            break; // from more than an hour ago
        }
        size_t slot = (size_t)((meter->newest - age) % GATE_METER_SLOTS);
        ret->hour_calls += meter->slots[slot].calls;
        ret->hour_bytes_out += meter->slots[slot].bytes_out;
        ret->hour_bytes_in += meter->slots[slot].bytes_in;
    }
}

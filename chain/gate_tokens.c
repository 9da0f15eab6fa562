// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the providers say about tokens: values out of reads, contradictions between providers, and
// what is to be read again, in what company.
#include "chain/gate_state.h"

#include "base/text.h"

enum {
    WG_KEY_TEXT_MAX = 44,
};

// The seed contract's traps: strings are an attacker's, and the order is the function's, not the
// struct's: nodeId, WireGuard key, createdAt, isActive.
static void read_access(bool success, struct span data, struct gate_value *value)
{
    if (!success) {
        value->access = data.size == 0 ? ACCESS_ABSENT : ACCESS_BROKEN;
        return;
    }
    struct span node_id;
    struct span key;
    uint8_t created_at[ABI_WORD];
    value->access = ACCESS_BROKEN;
    if (abi_read_bytes(data, 0, &node_id) != OK || abi_read_bytes(data, 1, &key) != OK ||
        abi_read_word(data, 2, created_at) != OK || abi_read_bool(data, 3, &value->active) != OK) {
        value->active = false;
        return;
    }
    value->access = ACCESS_READ;
    if (key.size == 0) {
        value->stored_key = STORED_KEY_EMPTY;
        return;
    }
    bool usable = key.size == WG_KEY_TEXT_MAX && wg_key_parse(key, &value->wg_key) == OK;
    value->stored_key = usable ? STORED_KEY_USABLE : STORED_KEY_UNUSABLE;
    if (!usable) {
        value->wg_key = (struct wg_key){{0}};
    }
}

// False if the result cannot be told from a call that ran out of gas in company.
static bool read_owner(bool success, struct span data, bool alone, struct gate_value *value)
{
    struct eth_address owner;
    if (!success) {
        value->kind = ANSWER_DENIED;
        return data.size > 0 || alone;
    }
    if (data.size != ABI_WORD || abi_read_address(data, 0, &owner) != OK) {
        value->kind = ANSWER_FAILED;
        return true;
    }
    value->kind = eth_address_is_zero(&owner) ? ANSWER_DENIED : ANSWER_OWNED;
    value->owner = owner;
    return true;
}

static enum contract_profile profile_word(const struct gate_value *value)
{
    if (value->kind != ANSWER_OWNED) {
        return PROFILE_DETECT;
    }
    switch (value->access) {
    case ACCESS_READ:
        return PROFILE_DSTACK_ACCESS;
    case ACCESS_ABSENT:
        return PROFILE_ERC721;
    case ACCESS_NONE:
    case ACCESS_BROKEN:
        return PROFILE_DETECT;
    }
    return PROFILE_DETECT;
}

bool gate_read_value(const struct aggregate *aggregate, size_t index, size_t reads_each, bool alone,
    struct gate_value *ret)
{
    *ret = (struct gate_value){.kind = ANSWER_NONE};
    bool success = false;
    struct span data;
    if (aggregate_result(aggregate, index * reads_each, &success, &data) != OK) {
        ret->kind = ANSWER_FAILED;
        return true;
    }
    bool certain = read_owner(success, data, alone, ret);
    if (ret->kind != ANSWER_OWNED || reads_each < 2) {
        return certain;
    }
    if (aggregate_result(aggregate, index * reads_each + 1, &success, &data) != OK) {
        ret->access = ACCESS_BROKEN;
        return true;
    }
    read_access(success, data, ret);
    return certain;
}

// --- disputes ---

static void ask_pinned(struct gate *gate, size_t slot, size_t disputer, size_t other,
    uint64_t block_number, struct mono now)
{
    struct gate_reask *reask = &gate->providers[disputer].reask;
    bool idle = reask->count == 0 || mono_due(reask->until, now);
    if (idle) {
        *reask = (struct gate_reask){
            .block_number = block_number, .until = mono_add(now, GATE_REASK_MAX_MS)};
    }
    struct gate_ref ref = gate_ref_of(gate, slot);
    bool listed = reask->count > 0 && reask->refs[reask->count - 1].slot == ref.slot &&
                  reask->refs[reask->count - 1].generation == ref.generation;
    if (reask->block_number != block_number || reask->have_hash ||
        (!listed && reask->count == GATE_REASK_TOKENS)) {
        gate_mark_due(gate, slot, other);
        return;
    }
    if (!listed) {
        reask->refs[reask->count++] = ref;
    }
    reask->providers |= (uint8_t)(1U << other);
}

// Whoever differs from the provider with the newest block is asked again at that very block.
static void test_disputes(struct gate *gate, size_t slot, struct mono now)
{
    const struct gate_answer *newest = NULL;
    size_t disputer = 0;
    for (size_t i = 0; i < gate->config.providers; i++) {
        const struct gate_answer *answer = gate_usable_answer(gate, slot, i, now);
        if (answer != NULL && answer->value.kind != ANSWER_FAILED &&
            (newest == NULL || answer->block_number > newest->block_number)) {
            newest = answer;
            disputer = i;
        }
    }
    if (newest == NULL || !mono_due(newest->disputed_until, now)) {
        return;
    }
    bool disputed = false;
    for (size_t i = 0; i < gate->config.providers; i++) {
        const struct gate_answer *answer = gate_usable_answer(gate, slot, i, now);
        if (answer != NULL && answer->value.kind != ANSWER_FAILED &&
            !gate_values_equal(gate, &answer->value, &newest->value)) {
            if (newest->loose) { // of no block that could be named: read both again
                gate_mark_due(gate, slot, disputer);
                gate_mark_due(gate, slot, i);
            } else {
                ask_pinned(gate, slot, disputer, i, newest->block_number, now);
            }
            disputed = true;
        }
    }
    if (disputed) {
        gate_answer_of(gate, slot, disputer)->disputed_until = mono_add(now, GATE_REASK_PAUSE_MS);
    }
}

static size_t supporters(
    const struct gate *gate, size_t slot, const struct gate_value *value, struct mono now)
{
    size_t count = 0;
    for (size_t i = 0; i < gate->config.providers; i++) {
        const struct gate_answer *answer = gate_usable_answer(gate, slot, i, now);
        count += answer != NULL && gate_values_equal(gate, &answer->value, value) ? 1 : 0;
    }
    return count;
}

// Two providers contradict each other at one and the same block: one of them is wrong. The one
// with fewer others on its side is counted, both if nobody can tell.
static void count_dispute(
    struct gate *gate, size_t slot, size_t disputer, size_t other, struct mono now)
{
    struct gate_answer *claimed = gate_answer_of(gate, slot, disputer);
    const struct gate_answer *answered = gate_answer_of(gate, slot, other);
    if (gate_usable_answer(gate, slot, disputer, now) == NULL ||
        gate_values_equal(gate, &claimed->value, &answered->value)) {
        return;
    }
    claimed->disputed_until = mono_add(now, GATE_DISPUTE_PAUSE_MS);
    size_t for_claim = supporters(gate, slot, &claimed->value, now);
    size_t against = supporters(gate, slot, &answered->value, now);
    gate->providers[disputer].disputes += for_claim <= against ? 1 : 0;
    gate->providers[other].disputes += against <= for_claim ? 1 : 0;
}

// --- reads of tokens ---

void gate_tokens_mark(struct gate *gate, const struct gate_inflight *call, bool in_flight)
{
    for (size_t i = 0; i < call->count; i++) {
        size_t slot = gate_ref_slot(gate, call->refs[i]);
        if (slot != SIZE_MAX) {
            gate_answer_of(gate, slot, call->provider)->in_flight = in_flight;
        }
    }
}

void gate_tokens_review(struct gate *gate, const struct gate_inflight *call, struct mono now)
{
    for (size_t i = 0; i < call->count; i++) {
        size_t slot = gate_ref_slot(gate, call->refs[i]);
        if (slot != SIZE_MAX) {
            gate_review(gate, slot, now);
        }
    }
}

void gate_tokens_again(struct gate *gate, const struct gate_inflight *call, uint16_t limit)
{
    for (size_t i = 0; i < call->count; i++) {
        size_t slot = gate_ref_slot(gate, call->refs[i]);
        if (slot == SIZE_MAX) {
            continue;
        }
        struct gate_answer *answer = gate_answer_of(gate, slot, call->provider);
        answer->due = true;
        if (limit != 0) {
            answer->chunk_limit = limit;
        }
    }
}

static void token_failed(
    struct gate *gate, const struct gate_inflight *call, size_t index, struct mono now)
{
    size_t slot = gate_ref_slot(gate, call->refs[index]);
    if (slot == SIZE_MAX) {
        return;
    }
    struct gate_answer *answer = gate_answer_of(gate, slot, call->provider);
    answer->value = (struct gate_value){.kind = ANSWER_FAILED};
    answer->read_at = now;
    answer->due = false;
    answer->chunk_limit = 1;
    answer->not_before = mono_add(now, GATE_TOKEN_BACKOFF_MS);
}

void gate_tokens_halve(struct gate *gate, const struct gate_inflight *call, struct mono now)
{
    if (call->kind != CALL_TOKENS) {
        gate_tokens_again(gate, call, 0);
    } else if (call->count > 1) {
        gate_tokens_again(gate, call, call->count / 2);
    } else {
        token_failed(gate, call, 0, now);
    }
}

static void store_value(struct gate *gate, const struct gate_inflight *call, size_t index,
    const struct aggregate *aggregate, const struct gate_value *value, struct mono now)
{
    size_t slot = gate_ref_slot(gate, call->refs[index]);
    if (slot == SIZE_MAX) {
        return;
    }
    struct gate_answer *answer = gate_answer_of(gate, slot, call->provider);
    bool newer = answer->value.kind == ANSWER_NONE || answer->value.kind == ANSWER_FAILED ||
                 aggregate->block_number >= answer->block_number ||
                 mono_since(answer->read_at, now) > GATE_ANSWER_AGE_MAX_MS;
    if (!newer) {
        // Behind its own last word: a load balancer's slower half, or a disputer that lags.
        if (call->kind == CALL_REASK_TOKENS) {
            gate_mark_due(gate, slot, call->disputer);
            return;
        }
        // Twice in a row it is a chain that went back: blocks were undone.
        answer->behind++;
        if (answer->behind < GATE_BEHIND_MAX) {
            answer->due = true;
            return;
        }
    }
    answer->behind = 0;
    answer->loose = aggregate->loose;
    answer->value = *value;
    answer->block_number = aggregate->block_number;
    answer->block_time_s = aggregate->block_time_s;
    answer->read_at = now;
    if (value->kind == ANSWER_OWNED && answer->chunk_limit != 0) {
        answer->chunk_limit =
            answer->chunk_limit >= gate->chunk_max / 2 ? 0 : (uint16_t)(answer->chunk_limit * 2);
    }
    if (value->access == ACCESS_READ) {
        gate_take_detail(gate, slot, call->provider, aggregate, 2 * index + 1);
    }
    gate_take_profile(gate, call->provider, profile_word(value));
    gate_proof_on_word(gate, slot, call->provider, now);
}

// Of a token whose reads were not answered, each for itself: true. It is asked again, later if the
// provider cannot answer for it.
static bool take_unread(struct gate *gate, const struct gate_inflight *call, size_t index,
    const struct aggregate *aggregate, size_t reads_each, struct mono now)
{
    const struct rpc_answer *reads = &aggregate->answers[index * reads_each];
    bool limited = false;
    bool failed = false;
    for (size_t i = 0; i < reads_each; i++) {
        // What there is no owner for has no access either.
        bool matters = i == 0 || reads[0].verdict == RPC_RESULT;
        limited = limited || (matters && reads[i].verdict == RPC_RATE_LIMITED);
        failed =
            failed ||
            (matters && (reads[i].verdict == RPC_CALL_FAILED || reads[i].verdict == RPC_FAULT));
    }
    size_t slot = gate_ref_slot(gate, call->refs[index]);
    if (slot == SIZE_MAX || (!limited && !failed)) {
        return slot == SIZE_MAX;
    }
    if (limited) {
        gate_mark_due(gate, slot, call->provider);
    } else if (call->kind == CALL_TOKENS) {
        token_failed(gate, call, index, now);
    }
    return true;
}

void gate_tokens_take(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct aggregate *aggregate)
{
    size_t reads_each = aggregate->count / call->count;
    bool own_gas = aggregate->answers != NULL; // each read is a call of its own
    for (size_t i = 0; i < call->count; i++) {
        struct gate_value value;
        if (own_gas && take_unread(gate, call, i, aggregate, reads_each, now.mono)) {
            continue;
        }
        if (gate_read_value(aggregate, i, reads_each, own_gas || call->count == 1, &value)) {
            store_value(gate, call, i, aggregate, &value, now.mono);
            continue;
        }
        size_t slot = gate_ref_slot(gate, call->refs[i]);
        if (slot != SIZE_MAX) {
            struct gate_answer *answer = gate_answer_of(gate, slot, call->provider);
            answer->due = true;
            answer->chunk_limit = 1;
        }
    }
    for (size_t i = 0; i < call->count; i++) {
        size_t slot = gate_ref_slot(gate, call->refs[i]);
        if (slot == SIZE_MAX) {
            continue;
        }
        if (call->kind == CALL_REASK_TOKENS) {
            count_dispute(gate, slot, call->disputer, call->provider, now.mono);
        }
        test_disputes(gate, slot, now.mono);
    }
}

void gate_tokens_suspect(struct gate *gate, const struct gate_inflight *call)
{
    bool series = call->way == READS_SERIES;
    size_t step = (size_t)call->step - READS_FRAME_FIRST; // before the reads: of no token
    for (size_t i = 0; i < call->count; i++) {
        size_t slot = gate_ref_slot(gate, call->refs[i]);
        if (slot == SIZE_MAX || (series && step / (call->with_access ? 2 : 1) != i)) {
            continue;
        }
        gate_answer_of(gate, slot, call->provider)->suspect = series ? 1 : call->count;
    }
}

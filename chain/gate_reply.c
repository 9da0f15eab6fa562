// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the providers' answers say: about themselves, and about tokens. Whatever a reply holds, it
// changes at most the state of its own provider and that provider's answers.
#include "chain/gate_state.h"

#include "base/text.h"

#include <string.h>

enum {
    WG_KEY_TEXT_MAX = 44,
};

static uint8_t check_step(enum call_kind kind)
{
    if (kind == CALL_CHAIN_ID) {
        return CHECK_CHAIN_ID;
    }
    return kind == CALL_CODE_CONTRACT ? CHECK_CONTRACT : CHECK_AGGREGATOR;
}

static void on_check(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_answer *answer)
{
    struct gate_provider *provider = &gate->providers[call->provider];
    enum provider_health health = PROVIDER_GOOD;
    uint8_t step = check_step(call->kind);
    if ((provider->checks_pending & step) == 0) {
        return; // another check of the same round has failed: this one cannot make up for it
    }
    provider->checks_pending &= (uint8_t)~step;
    if (call->kind == CALL_CHAIN_ID) {
        provider->chain_id = answer->quantity;
        health = answer->quantity == gate->config.network.chain_id ? health : PROVIDER_WRONG_CHAIN;
    } else if (call->kind == CALL_CODE_CONTRACT) {
        health = answer->size > 0 ? health : PROVIDER_NO_CODE;
    } else {
        gate_provider_aggregates(gate, call->provider, answer->size > 0);
    }
    if (health != PROVIDER_GOOD) {
        gate_provider_refused(gate, call->provider, now, health);
    } else if (provider->checks_pending == 0) {
        gate_provider_checked(gate, call->provider, now);
    }
}

// --- what a contract returned for one token ---

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

// --- aggregates of tokens ---

static void mark_reads(struct gate *gate, const struct gate_inflight *call, bool in_flight)
{
    for (size_t i = 0; i < call->count; i++) {
        size_t slot = gate_ref_slot(gate, call->refs[i]);
        if (slot != SIZE_MAX) {
            gate_answer_of(gate, slot, call->provider)->in_flight = in_flight;
        }
    }
}

static void review_call(struct gate *gate, const struct gate_inflight *call, struct mono now)
{
    for (size_t i = 0; i < call->count; i++) {
        size_t slot = gate_ref_slot(gate, call->refs[i]);
        if (slot != SIZE_MAX) {
            gate_review(gate, slot, now);
        }
    }
}

// All tokens of the call are wanted again; `limit` is the company that they may keep, 0 = as is.
static void read_again(struct gate *gate, const struct gate_inflight *call, uint16_t limit)
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

// One token in the call spoils it: ask for halves until that one stands alone.
static void halve(struct gate *gate, const struct gate_inflight *call, struct mono now)
{
    if (call->kind != CALL_TOKENS) {
        read_again(gate, call, 0);
    } else if (call->count > 1) {
        read_again(gate, call, call->count / 2);
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

static void take_tokens(struct gate *gate, struct now now, const struct gate_inflight *call,
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

// --- replies ---

static enum rpc_form form_of(enum call_kind kind)
{
    switch (kind) {
    case CALL_CHAIN_ID:
        return RPC_QUANTITY;
    case CALL_REASK_BLOCK:
        return RPC_BLOCK_HASH;
    case CALL_HEADER:
        return RPC_JSON;
    case CALL_CODE_CONTRACT:
    case CALL_CODE_AGGREGATOR:
    case CALL_TOKENS:
    case CALL_REASK_TOKENS:
    case CALL_GRANT:
    case CALL_INTERFACE:
    case CALL_MEMBERS:
    case CALL_WALLET:
    case CALL_PROOF:
    case CALL_PLACES:
    case CALL_HISTORY_HEAD:
    case CALL_HISTORY_CODE:
    case CALL_HISTORY_LOGS:
    case CALL_LOGS_HEAD:
    case CALL_LOGS:
    case CALL_LOGS_BLOCK:
        break;
    }
    return RPC_DATA;
}

// The call came to nothing, for a reason that is not this very call's.
static void abandon(struct gate *gate, struct now now, const struct gate_inflight *call)
{
    struct gate_reask *reask = &gate->providers[call->provider].reask;
    switch (call->kind) {
    case CALL_TOKENS:
    case CALL_REASK_TOKENS:
        read_again(gate, call, 0);
        break;
    case CALL_REASK_BLOCK:
        reask->count = 0;
        break;
    case CALL_GRANT: // with the next poll
        break;
    case CALL_INTERFACE:
    case CALL_MEMBERS:
        gate_enumeration_failed(gate, now, call, false);
        break;
    case CALL_WALLET:
        gate_wallet_abandon(gate, call);
        break;
    case CALL_PROOF:
    case CALL_PLACES:
        gate_proof_failed(gate, now, call, 0);
        break;
    case CALL_HEADER:
        gate_header_failed(gate, now, call);
        break;
    case CALL_CHAIN_ID:
    case CALL_CODE_CONTRACT:
    case CALL_CODE_AGGREGATOR:
        for (size_t i = 0; i < gate->config.tokens_max; i++) {
            gate_answer_of(gate, i, call->provider)->suspect = 0;
        }
        break;
    case CALL_HISTORY_HEAD:
    case CALL_HISTORY_CODE:
    case CALL_HISTORY_LOGS:
    case CALL_LOGS_HEAD:
    case CALL_LOGS:
    case CALL_LOGS_BLOCK:
        break; // theirs is gate_logs_reply
    }
}

// Whether there is not one token at work that the provider has a word on.
static bool answers_nothing(const struct gate *gate, size_t provider, struct mono now)
{
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        const struct gate_answer *answer = gate_usable_answer(gate, i, provider, now);
        bool asked = gate->tokens[i].watched || gate->tokens[i].refreshing;
        if (asked && answer != NULL && answer->value.kind != ANSWER_FAILED) {
            return false;
        }
    }
    return true;
}

// The provider is well but cannot do this call.
static void on_refusal(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_reply *reply)
{
    struct gate_provider *provider = &gate->providers[call->provider];
    bool is_check = call->kind == CALL_CHAIN_ID || call->kind == CALL_CODE_CONTRACT ||
                    call->kind == CALL_CODE_AGGREGATOR;
    provider->call_failures++;
    if (is_check || provider->call_failures > GATE_CALL_FAILURES_MAX) {
        provider->call_failures = 0;
        abandon(gate, now, call);
        gate_provider_failed(gate, call->provider, now.mono, reply);
    } else if (call->kind == CALL_TOKENS) {
        halve(gate, call, now.mono);
        bool alone = call->count == 1;
        if (alone && (!provider->proven || answers_nothing(gate, call->provider, now.mono))) {
            gate_set_health(gate, call->provider, PROVIDER_FAULTY);
        }
    } else if (call->kind == CALL_INTERFACE || call->kind == CALL_MEMBERS) {
        gate_enumeration_failed(gate, now, call, true);
    } else if (call->kind == CALL_PROOF || call->kind == CALL_PLACES) {
        provider->call_failures--; // says nothing of its other answers
        gate_proof_refused(gate, now, call, reply);
    } else {
        abandon(gate, now, call);
    }
}

// Whose company met a timeout; in a series it is known whose read it was.
static void mark_suspects(struct gate *gate, const struct gate_inflight *call)
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

static void on_fault(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_reply *reply)
{
    if (call->kind == CALL_TOKENS && reply->outcome == RPC_TIMEOUT) {
        mark_suspects(gate, call);
    }
    abandon(gate, now, call);
    gate_provider_failed(gate, call->provider, now.mono, reply);
}

// The same again, in the way that the provider is read by now.
static void again_another_way(struct gate *gate, const struct gate_inflight *call)
{
    if (call->kind == CALL_INTERFACE || call->kind == CALL_MEMBERS) {
        gate_enumeration_again(gate, call);
    } else if (call->kind == CALL_GRANT) {
        gate_grant_ask_again(gate, call->provider);
    } else {
        read_again(gate, call, 0);
    }
}

// The provider takes no batch of that size, or none at all: the same again in smaller ones.
static void on_refused_batch(struct gate *gate, const struct gate_inflight *call)
{
    gate_provider_refused_batch(gate, call->provider, gate_call_reads(call));
    again_another_way(gate, call);
}

static void on_rate_limit(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_reply *reply)
{
    abandon(gate, now, call);
    if (!gate->providers[call->provider].checked) {
        gate_begin_checks(gate, call->provider);
    }
    if (call->way == READS_BATCH && gate_call_reads(call) > GATE_LIMITED_READS) {
        gate_provider_refused_batch(gate, call->provider, gate_call_reads(call));
    }
    gate_provider_rate_limited(gate, call->provider, now.mono, reply);
}

// A block that counts; false if the answers that came with it say nothing.
static bool take_frame(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct aggregate *aggregate)
{
    struct gate_provider *provider = &gate->providers[call->provider];
    if (aggregate->chain_id != 0 && aggregate->chain_id != gate->config.network.chain_id) {
        provider->chain_id = aggregate->chain_id;
        abandon(gate, now, call);
        gate_provider_refused(gate, call->provider, now, PROVIDER_WRONG_CHAIN);
        return false;
    }
    if (call->kind == CALL_GRANT || gate_head_fresh(gate, aggregate->block_time_s, now)) {
        return true;
    }
    provider->head_number = aggregate->block_number;
    provider->head_time_s = aggregate->block_time_s;
    provider->has_head = false;
    gate_set_health(gate, call->provider, PROVIDER_STALE);
    if (call->kind == CALL_INTERFACE || call->kind == CALL_MEMBERS) {
        gate_enumeration_failed(gate, now, call, false);
    }
    return false;
}

static void on_aggregate(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct aggregate *aggregate)
{
    struct gate_provider *provider = &gate->providers[call->provider];
    if (!provider->checked) {
        abandon(gate, now, call);
        return;
    }
    if (!take_frame(gate, now, call, aggregate)) {
        return;
    }
    if (call->kind == CALL_GRANT) {
        gate_grant_take(gate, call, aggregate);
        return;
    }
    provider->failures = 0;
    provider->call_failures = 0;
    provider->proven = true;
    gate_set_health(gate, call->provider, PROVIDER_GOOD);
    if (call->kind == CALL_INTERFACE || call->kind == CALL_MEMBERS) {
        gate_enumeration_reply(gate, now, call, aggregate);
        return;
    }
    if (call->kind == CALL_TOKENS) {
        gate_take_head(
            gate, call->provider, aggregate->block_number, aggregate->block_time_s, now.mono);
    }
    if (aggregate->starved) {
        halve(gate, call, now.mono);
    } else {
        take_tokens(gate, now, call, aggregate);
    }
}

static void on_aggregate_answer(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_answer *answer, const struct rpc_reply *reply)
{
    struct aggregate aggregate;
    if (!gate->providers[call->provider].checked) {
        abandon(gate, now, call);
        return;
    }
    if (answer->size == 0) { // no code there: the aggregator is gone, or never was
        gate_provider_aggregates(gate, call->provider, false);
        again_another_way(gate, call);
        return;
    }
    enum status status =
        aggregate_open(span_of(answer->data, answer->size), gate_call_reads(call), &aggregate);
    if (status == OK) {
        on_aggregate(gate, now, call, &aggregate);
    } else if (status == ERR_NOT_FOUND) {
        on_refusal(gate, now, call, reply);
    } else {
        on_fault(gate, now, call, reply);
    }
}

// The answers to a batch or a series are complete, or it was lost: `verdict`.
static void on_answers(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct reads_answers *answers, enum rpc_verdict verdict, const struct rpc_reply *reply)
{
    struct aggregate aggregate;
    struct reads_outcome outcome = {.none = false};
    bool whole = verdict == RPC_RESULT;
    if (whole) {
        verdict =
            reads_open(answers, gate_call_reads(call), gate_call_pin(call), &aggregate, &outcome);
    }
    switch (verdict) {
    case RPC_RESULT:
        if (outcome.none && !outcome.rate_limited) {
            on_refusal(gate, now, call, reply);
        } else if (outcome.none) {
            on_rate_limit(gate, now, call, reply);
        } else {
            on_aggregate(gate, now, call, &aggregate);
            if (outcome.rate_limited) {
                gate_provider_rate_limited(gate, call->provider, now.mono, reply);
            }
        }
        return;
    case RPC_REVERTED:
    case RPC_CALL_FAILED:
        if (!whole && call->way == READS_BATCH && reply->outcome == RPC_ANSWERED) {
            on_refused_batch(gate, call);
        } else {
            on_refusal(gate, now, call, reply);
        }
        return;
    case RPC_RATE_LIMITED:
        on_rate_limit(gate, now, call, reply);
        return;
    case RPC_FAULT:
        on_fault(gate, now, call, reply);
        return;
    }
}

static void on_batch(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_reply *reply)
{
    size_t reads = gate_call_reads(call);
    struct reads_answers *answers =
        reads_answers_new(reads_requests(READS_BATCH, reads, gate_call_pin(call)));
    enum rpc_verdict verdict = RPC_CALL_FAILED; // no memory: in smaller ones
    if (answers != NULL) {
        verdict = reads_take_batch(answers, reply, call->id, reads);
    }
    on_answers(gate, now, call, answers, verdict, reply);
    reads_answers_free(answers);
}

// True if the series goes on with its next step.
static bool on_step(
    struct gate *gate, struct now now, struct gate_inflight *call, const struct rpc_reply *reply)
{
    size_t steps = reads_requests(READS_SERIES, gate_call_reads(call), gate_call_pin(call));
    enum rpc_verdict verdict = RPC_CALL_FAILED;
    if (call->answers == NULL) {
        call->answers = reads_answers_new(steps);
    }
    if (call->answers != NULL) {
        verdict = reads_take_step(call->answers, call->step, reply, call->id);
        bool answered = verdict == RPC_RESULT || verdict == RPC_REVERTED ||
                        (verdict == RPC_CALL_FAILED && call->step > 0);
        if (answered && ++call->step < steps) {
            call->waiting = true;
            return true;
        }
        verdict = answered ? RPC_RESULT : verdict;
    }
    on_answers(gate, now, call, call->answers, verdict, reply);
    reads_answers_free(call->answers);
    call->answers = NULL;
    return false;
}

static void on_result(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_answer *answer, const struct rpc_reply *reply)
{
    struct gate_reask *reask = &gate->providers[call->provider].reask;
    switch (call->kind) {
    case CALL_CHAIN_ID:
    case CALL_CODE_CONTRACT:
    case CALL_CODE_AGGREGATOR:
        on_check(gate, now, call, answer);
        return;
    case CALL_REASK_BLOCK:
        if (reask->count > 0 && reask->block_number == call->first) {
            reask->block_hash = answer->hash;
            reask->have_hash = true;
        }
        return;
    case CALL_TOKENS:
    case CALL_REASK_TOKENS:
    case CALL_GRANT:
    case CALL_INTERFACE:
    case CALL_MEMBERS:
        on_aggregate_answer(gate, now, call, answer, reply);
        return;
    case CALL_WALLET:
        return; // gate_wallet_reply has had it
    case CALL_HEADER:
        if (gate->providers[call->provider].checked) {
            gate_header_reply(gate, now, call, answer);
        } else {
            gate_header_failed(gate, now, call);
        }
        return;
    case CALL_PROOF: // read by gate_proof_reply
    case CALL_PLACES:
    case CALL_HISTORY_HEAD:
    case CALL_HISTORY_CODE:
    case CALL_HISTORY_LOGS:
    case CALL_LOGS_HEAD:
    case CALL_LOGS:
    case CALL_LOGS_BLOCK:
        return;
    }
}

static void on_answer(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_reply *reply)
{
    struct rpc_answer answer;
    if (call->kind == CALL_PROOF || call->kind == CALL_PLACES) {
        answer = (struct rpc_answer){.verdict = gate_proof_reply(gate, now, call, reply)};
    } else {
        rpc_answer_parse(reply, call->id, form_of(call->kind), &answer);
    }
    if (call->kind == CALL_WALLET && answer.verdict != RPC_RATE_LIMITED) {
        // Whatever becomes of it is the wallet's doing, and says nothing about the provider.
        gate_wallet_reply(gate, now.mono, call, &answer, reply->outcome);
        rpc_answer_clear(&answer);
        return;
    }
    switch (answer.verdict) {
    case RPC_RESULT:
        on_result(gate, now, call, &answer, reply);
        break;
    case RPC_REVERTED:
    case RPC_CALL_FAILED:
        on_refusal(gate, now, call, reply);
        break;
    case RPC_RATE_LIMITED:
        on_rate_limit(gate, now, call, reply);
        break;
    case RPC_FAULT:
        on_fault(gate, now, call, reply);
        break;
    }
    rpc_answer_clear(&answer);
}

// True if the call is done.
static bool take_reply(
    struct gate *gate, struct now now, struct gate_inflight *call, const struct rpc_reply *reply)
{
    bool reads = gate_call_reads(call) > 0;
    if (gate_logs_is(call->kind)) {
        gate_logs_reply(gate, now, call, reply);
        return true;
    }
    if (gate_history_is(call->kind)) {
        gate_history_reply(gate, now, call, reply);
        return true;
    }
    if (reads && call->way == READS_BATCH) {
        on_batch(gate, now, call, reply);
    } else if (reads && call->way == READS_SERIES) {
        return !on_step(gate, now, call, reply);
    } else {
        on_answer(gate, now, call, reply);
    }
    return true;
}

void gate_on_reply(struct gate *gate, struct now now, uint64_t id, const struct rpc_reply *reply)
{
    for (size_t i = 0; i < gate->calls_max; i++) {
        struct gate_inflight *call = &gate->calls[i];
        if (!call->used || call->id != id) {
            continue;
        }
        call->used = false; // its fields stay readable: no call is made before this returns
        struct rpc_reply bounded = *reply;
        if (reply->outcome == RPC_ANSWERED && reply->body.size > call->reply_max) {
            bounded.outcome = RPC_TOO_LARGE;
            bounded.body = span_of(NULL, 0);
        }
        gate_meter_reply(&gate->providers[call->provider], now.mono, call->sent_at, &bounded);
        if (call->kind == CALL_TOKENS) {
            mark_reads(gate, call, false);
        }
        bool done = take_reply(gate, now, call, &bounded);
        gate_note_quorum(gate, now.mono);
        if (!done) {
            call->used = true;
            if (call->kind == CALL_TOKENS) {
                mark_reads(gate, call, true);
            }
            return;
        }
        if (call->kind == CALL_TOKENS || call->kind == CALL_REASK_TOKENS) {
            review_call(gate, call, now.mono);
        } else if (!gate->providers[call->provider].checked) {
            gate_review_all(gate, now.mono);
        }
        return;
    }
    gate->replies_unknown++;
}

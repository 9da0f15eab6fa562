// SPDX-License-Identifier: GPL-3.0-or-later
//
// What becomes of a reply: whose it is, what it says about its provider, and who reads the rest.
// Whatever a reply holds, it changes at most the state of its own provider and that provider's
// answers.
#include "chain/gate_state.h"

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
        gate_tokens_again(gate, call, 0);
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
        gate_tokens_halve(gate, call, now.mono);
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

static void on_fault(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_reply *reply)
{
    if (call->kind == CALL_TOKENS && reply->outcome == RPC_TIMEOUT) {
        gate_tokens_suspect(gate, call);
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
        gate_tokens_again(gate, call, 0);
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
        gate_tokens_halve(gate, call, now.mono);
    } else {
        gate_tokens_take(gate, now, call, aggregate);
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
    if (answer->size == 0) { // no code there: the aggregator is gone, and the contract perhaps too
        if (gate->providers[call->provider].way == READS_AGGREGATE) {
            gate_begin_checks(gate, call->provider);
        }
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
            gate_tokens_mark(gate, call, false);
        }
        bool done = take_reply(gate, now, call, &bounded);
        gate_note_quorum(gate, now.mono);
        if (!done) {
            call->used = true;
            if (call->kind == CALL_TOKENS) {
                gate_tokens_mark(gate, call, true);
            }
            return;
        }
        if (call->kind == CALL_TOKENS || call->kind == CALL_REASK_TOKENS) {
            gate_tokens_review(gate, call, now.mono);
        } else if (!gate->providers[call->provider].checked) {
            gate_review_all(gate, now.mono);
        }
        return;
    }
    gate->replies_unknown++;
}

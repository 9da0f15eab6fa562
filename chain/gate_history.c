// SPDX-License-Identifier: GPL-3.0-or-later
//
// Finding members by the contract's Transfer logs, where it has no index: from the block in which
// it was deployed, which is looked for by halves with eth_getCode, to the newest one. As many
// providers as make a quorum walk the whole history one after the other; after that a round walks
// only what is new since the round before the last. Where that takes more calls than are worth it,
// or no provider serves logs, ids are asked for one after the other instead.
#include "chain/gate_state.h"

enum {
    CALLS_MAX = 4000,       // for a walk; at 10,000 blocks a call that is 40 million blocks
    PAUSE_MS = 3600 * 1000, // until logs are tried again where they were no way
    REPLY_MAX = 2 * 1024 * 1024,
    CODE_REPLY_MAX = 256 * 1024,
};

bool gate_history_is(enum call_kind kind)
{
    return kind == CALL_HISTORY_HEAD || kind == CALL_HISTORY_CODE || kind == CALL_HISTORY_LOGS;
}

size_t gate_history_reply_max(enum call_kind kind)
{
    return kind == CALL_HISTORY_LOGS ? REPLY_MAX : CODE_REPLY_MAX;
}

void gate_history_begin(struct gate *gate)
{
    struct gate_history *history = &gate->enumeration.history;
    history->step = HISTORY_HEAD;
    if (!history->under_way || history->range.blocks == 0) {
        history->range = log_range_of(LOGS_RANGE_DEFAULT, LOGS_RANGE_MAX);
    }
}

static uint64_t middle_of(const struct gate_history *history)
{
    return history->low + (history->high - history->low) / 2;
}

bool gate_history_call(struct gate *gate, struct gate_inflight *call)
{
    const struct gate_history *history = &gate->enumeration.history;
    switch (history->step) {
    case HISTORY_HEAD:
        call->kind = CALL_HISTORY_HEAD;
        return true;
    case HISTORY_CODE:
        call->kind = CALL_HISTORY_CODE;
        call->first = middle_of(history);
        return true;
    case HISTORY_WALK:
        call->kind = CALL_HISTORY_LOGS;
        return log_walk_next(&history->walk, &history->range, &call->first, &call->last);
    }
    return false;
}

void gate_history_write(
    const struct gate *gate, const struct gate_inflight *call, struct writer *writer)
{
    const struct eth_address *contract = &gate->config.network.contract;
    struct rpc_block block = rpc_block_of_number(call->first);
    if (call->kind == CALL_HISTORY_LOGS) {
        logs_write(writer, call->id, contract, 1, call->first, call->last); // Transfer alone
    } else if (call->kind == CALL_HISTORY_CODE) {
        rpc_begin_request(writer, call->id, "eth_getCode");
        rpc_write_data(writer, span_of(contract->bytes, sizeof contract->bytes));
        write_span(writer, span_of_text(","));
        rpc_write_block_name(writer, &block);
        rpc_end_request(writer);
    } else {
        rpc_begin_request(writer, call->id, "eth_blockNumber");
        rpc_end_request(writer);
    }
}

// True if the answer is to the question that stands.
static bool is_awaited(const struct gate *gate, const struct gate_inflight *call)
{
    const struct gate_enumeration *round = &gate->enumeration;
    const struct gate_history *history = &round->history;
    if (round->state != ENUMERATION_LOGS || (round->hedge.asked & 1U << call->provider) == 0) {
        return false;
    }
    switch (history->step) {
    case HISTORY_HEAD:
        return call->kind == CALL_HISTORY_HEAD;
    case HISTORY_CODE:
        return call->kind == CALL_HISTORY_CODE && call->first == middle_of(history);
    case HISTORY_WALK:
        return call->kind == CALL_HISTORY_LOGS && call->first == history->walk.next;
    }
    return false;
}

// True if what is left takes too many calls.
static bool is_too_long(const struct gate_history *history)
{
    return history->walk.next <= history->walk.last &&
           (history->walk.last - history->walk.next) / history->range.blocks > CALLS_MAX;
}

// True if ids are asked for one after the other instead, since all providers have failed.
static bool all_have_failed(struct gate *gate, struct now now)
{
    struct gate_history *history = &gate->enumeration.history;
    if (++history->refusals < gate->config.providers) {
        return false;
    }
    history->refusals = 0;
    history->refused_until = mono_add(now.mono, PAUSE_MS);
    gate_enumeration_in_sequence(gate, now);
    return true;
}

// This provider cannot go on: the next one's turn.
static void give_up(struct gate *gate, struct now now)
{
    if (!all_have_failed(gate, now) && !gate_hedge_failed(gate, &gate->enumeration.hedge)) {
        gate_enumeration_interrupted(gate, now);
    }
}

// By this provider's word on the chain's length, and on the range that it takes, it is too far: the
// next one's may be another.
static void turn_back(struct gate *gate, struct now now)
{
    gate->enumeration.history.range.blocks = 0;
    gate_history_begin(gate);
    if (!all_have_failed(gate, now)) {
        size_t next = (gate->enumeration.provider + 1) % gate->config.providers;
        gate_enumeration_moved(gate, now, next);
    }
}

void gate_history_go_on(struct gate *gate, struct now now)
{
    struct gate_history *history = &gate->enumeration.history;
    if (is_too_long(history)) {
        turn_back(gate, now);
    } else if (history->walk.next > history->walk.last) {
        history->passes = (uint8_t)(history->passes + (history->passes < gate->quorum ? 1 : 0));
        history->before = history->newest < history->head ? history->newest : history->head;
        history->newest = history->head;
        history->under_way = false;
        gate->dirty = true;
        gate_enumeration_searched(gate, now);
    }
}

static void begin_walk(struct gate *gate, struct now now)
{
    struct gate_history *history = &gate->enumeration.history;
    bool whole = history->passes < gate->quorum;
    uint64_t from = whole ? history->deployed : history->before;
    if (history->under_way && history->walk.next > from && history->walk.next <= history->head) {
        from = history->walk.next; // an earlier round came so far, by blocks that there are
    }
    history->step = HISTORY_WALK;
    history->under_way = true;
    history->walk.next = from;
    history->walk.last = history->head;
    gate_history_go_on(gate, now);
}

static void take_head(struct gate *gate, struct now now, uint64_t head)
{
    struct gate_history *history = &gate->enumeration.history;
    history->head = head;
    bool began = history->under_way && history->walk.next <= head; // this walk, in a round before
    if (history->passes >= gate->quorum || began) {
        begin_walk(gate, now);
        return;
    }
    if (!history->halving || history->low >= history->high || history->high > head) {
        history->low = 0;
        history->high = head;
        history->halving = true;
    }
    history->step = HISTORY_CODE;
}

// The first block with code lies in low .. high. Each walk of the whole history looks for it anew,
// or one provider's lie would hide all members before it from the others' walks. Where the state of
// old blocks is not kept, all that is known is that it may lie before: the walk begins with the
// first block, if it can.
static void take_code(struct gate *gate, struct now now, bool answered, bool has_code)
{
    struct gate_history *history = &gate->enumeration.history;
    if (!answered) {
        history->low = 0;
        history->high = 0;
    } else if (has_code) {
        history->high = middle_of(history);
    } else {
        history->low = middle_of(history) + 1;
    }
    if (history->low >= history->high) {
        history->halving = false;
        history->deployed = history->high;
        begin_walk(gate, now);
    }
}

static void take_entries(struct gate *gate, const struct logs *logs)
{
    for (size_t i = 0; i < logs->count; i++) {
        struct log_entry entry;
        if (logs_entry(logs, i, &entry) && !entry.removed) {
            gate_member_seen(gate, &entry.token, !eth_address_is_zero(&entry.to));
        }
    }
}

static void on_logs(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_reply *reply)
{
    struct gate_history *history = &gate->enumeration.history;
    struct logs logs;
    logs_parse(reply, call->id, &gate->config.network.contract, 1, call->first, call->last, &logs);
    switch (logs.verdict) {
    case LOGS_ANSWERED:
        history->refusals = 0;
        take_entries(gate, &logs);
        log_walk_served(&history->walk, &history->range, call->first, call->last);
        break;
    case LOGS_NOT_YET:
    case LOGS_TOO_MANY:
        log_walk_refused(&history->walk, &history->range, call->first, call->last);
        break;
    case LOGS_SLOW:
        (void)log_range_refused(&history->range, call->last - call->first + 1);
        give_up(gate, now);
        break;
    case LOGS_RATE_LIMITED:
        gate_provider_rate_limited(gate, call->provider, now.mono, reply);
        if (!gate_hedge_failed(gate, &gate->enumeration.hedge)) {
            gate_enumeration_interrupted(gate, now);
        }
        break;
    case LOGS_UNSUPPORTED:
    case LOGS_FAULT:
        give_up(gate, now);
        break;
    }
    bool goes_on = logs.verdict == LOGS_ANSWERED || logs.verdict == LOGS_TOO_MANY ||
                   logs.verdict == LOGS_NOT_YET;
    logs_clear(&logs);
    if (goes_on) {
        gate_enumeration_moved(gate, now, call->provider);
        gate_history_go_on(gate, now);
    }
}

void gate_history_reply(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_reply *reply)
{
    struct rpc_answer answer;
    if (!is_awaited(gate, call)) {
        return;
    }
    if (call->kind == CALL_HISTORY_LOGS) {
        on_logs(gate, now, call, reply);
        return;
    }
    bool of_head = call->kind == CALL_HISTORY_HEAD;
    rpc_answer_parse(reply, call->id, of_head ? RPC_QUANTITY : RPC_DATA, &answer);
    bool answered = answer.verdict == RPC_RESULT;
    bool refused = answer.verdict == RPC_CALL_FAILED || answer.verdict == RPC_REVERTED;
    if (of_head && answered) {
        gate_enumeration_moved(gate, now, call->provider);
        take_head(gate, now, answer.quantity);
    } else if (!of_head && (answered || refused)) {
        gate_enumeration_moved(gate, now, call->provider);
        take_code(gate, now, answered, answer.size > 0);
    } else {
        if (answer.verdict == RPC_RATE_LIMITED) {
            gate_provider_rate_limited(gate, call->provider, now.mono, reply);
        }
        give_up(gate, now);
    }
    rpc_answer_clear(&answer);
}

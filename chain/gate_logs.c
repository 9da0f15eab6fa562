// SPDX-License-Identifier: GPL-3.0-or-later
//
// Event logs as hints. One provider a turn is asked for its newest block, then for the logs of the
// blocks that it has not been asked for, and of the last 30 s again, since the newest block's logs
// may be missing without a word. What they name is read sooner than its turn: nothing else follows
// from one provider's log.
//
// But for one thing. A token that is sold and bought back between two readings shows no change of
// owner, and its old delegations must end all the same. So a Transfer that a provider tells of is
// kept for that provider, with the time of its block, which it is asked for; once k providers have
// told of the same transfer in the same block at the same time, the floor of the seat's epochs is
// raised as if the other owner had been seen. A lie of fewer than k can brick no seat.
//
// A provider's failures with eth_getLogs are held against nothing but its logs.
#include "chain/gate_state.h"

#include <stdlib.h>
#include <string.h>

enum {
    OVERLAP_S = 30,
    CALLS_A_TURN = 4,
    CALLS_TO_CATCH_UP = 64, // after a restart, for the blocks that were missed
    HEDGE_MS = 1000,
    PASSED_MAX = 8, // blocks in a row that fail alone: it is not the blocks
    PAUSE_MIN_MS = 30000,
    PAUSE_MAX_MS = 3600 * 1000,
    NEW_MEMBERS_MAX = 64, // from one reply
    AHEAD_MAX_S = 60,     // of a transfer's block before the time that k providers have reached
    SEEN_SLACK_S = 60,    // a change of owner that was seen at about that time is this one
    SAVE_MS = 300000,     // a save that is due for nothing else
    REPLY_MAX = 512 * 1024,
    BLOCK_REPLY_MAX = 1024 * 1024,
};

bool gate_logs_create(struct gate *gate)
{
    const struct gate_config *config = &gate->config;
    if (config->logs_ms == 0 || config->providers == 0) {
        return true;
    }
    gate->logs = calloc(1, sizeof *gate->logs);
    if (gate->logs == NULL) {
        return false;
    }
    gate->logs->sources = calloc(config->providers, sizeof *gate->logs->sources);
    gate->logs->hedge_at = mono_never();
    for (size_t i = 0; gate->logs->sources != NULL && i < config->providers; i++) {
        gate->logs->sources[i].range = log_range_of(LOGS_RANGE_DEFAULT, LOGS_RANGE_MAX);
        gate->logs->sources[i].budget = CALLS_TO_CATCH_UP;
    }
    return gate->logs->sources != NULL;
}

void gate_logs_destroy(struct gate *gate)
{
    if (gate->logs != NULL) {
        free(gate->logs->sources);
        free(gate->logs);
    }
}

void gate_logs_head(struct gate *gate, size_t provider, uint64_t number, uint64_t time_s)
{
    if (gate->logs != NULL) {
        log_trail_add(&gate->logs->sources[provider].trail, number, time_s);
    }
}

// --- turns ---

static bool can_serve(const struct gate *gate, size_t provider, struct mono now)
{
    const struct gate_provider *asked = &gate->providers[provider];
    const struct gate_log_source *source = &gate->logs->sources[provider];
    return asked->checked && !asked->backing_off && mono_due(asked->retry_at, now) &&
           mono_due(source->retry_at, now) && !source->in_turn && !source->in_flight;
}

// From where it left off, or 30 s back, whichever is earlier; but no farther than it can walk.
static void begin_walk(struct gate *gate, size_t provider, uint64_t head)
{
    struct gate_log_source *source = &gate->logs->sources[provider];
    uint64_t from = log_trail_before(&source->trail, OVERLAP_S);
    uint64_t reached = source->started ? source->walk.next : gate->logs->resume;
    if (reached != 0 && reached < from) {
        from = reached;
    }
    uint64_t calls = source->budget > CALLS_A_TURN ? source->budget : CALLS_A_TURN;
    uint64_t most = calls * source->range.blocks;
    if (head >= most && from < head - most + 1) {
        from = head - most + 1;
    }
    source->walk.next = from;
    source->walk.last = head;
    source->started = true;
    source->calls_left = CALLS_A_TURN;
}

static void begin_turn(struct gate *gate, size_t provider)
{
    gate->logs->sources[provider].in_turn = true;
    gate->logs->sources[provider].walking = false;
}

static void next_turn(struct gate *gate, struct mono now)
{
    struct gate_logs *logs = gate->logs;
    logs->hedge_at = mono_never();
    for (size_t i = 0; i < gate->config.providers; i++) {
        logs->turn = (logs->turn + 1) % gate->config.providers;
        if (can_serve(gate, logs->turn, now)) {
            begin_turn(gate, logs->turn);
            logs->hedge_at = mono_add(now, HEDGE_MS);
            return;
        }
    }
}

void gate_logs_on_deadline(struct gate *gate, struct now now)
{
    struct gate_logs *logs = gate->logs;
    if (logs == NULL) {
        return;
    }
    bool due = mono_due(logs->due, now.mono);
    if (due) {
        uint64_t pause_ms = gate->config.logs_ms;
        logs->due = mono_add(now.mono, pause_ms - rng_below(&gate->rng, pause_ms / 5 + 1));
    }
    if (due || mono_due(logs->hedge_at, now.mono)) {
        next_turn(gate, now.mono);
    }
}

struct mono gate_logs_deadline(const struct gate *gate)
{
    return gate->logs == NULL ? mono_never() : mono_min(gate->logs->due, gate->logs->hedge_at);
}

static void end_turn(struct gate *gate, size_t provider)
{
    struct gate_log_source *source = &gate->logs->sources[provider];
    source->in_turn = false;
    if (gate->logs->turn == provider) {
        gate->logs->hedge_at = mono_never();
    }
}

// Somebody else's turn, at once; this one's after a pause.
static void fail_turn(struct gate *gate, size_t provider, struct mono now)
{
    struct gate_log_source *source = &gate->logs->sources[provider];
    uint64_t pause_ms = (uint64_t)PAUSE_MIN_MS << source->failures;
    pause_ms = pause_ms > PAUSE_MAX_MS ? PAUSE_MAX_MS : pause_ms;
    source->failures = source->failures < 16 ? (uint8_t)(source->failures + 1) : 16;
    source->retry_at = mono_add(now, pause_ms);
    end_turn(gate, provider);
    if (gate->logs->turn == provider) {
        next_turn(gate, now);
    }
}

// --- calls ---

bool gate_logs_is(enum call_kind kind)
{
    return kind == CALL_LOGS_HEAD || kind == CALL_LOGS || kind == CALL_LOGS_BLOCK;
}

static struct gate_transfer *transfer_to_date(struct gate_log_source *source)
{
    for (size_t i = 0; i < GATE_TRANSFERS; i++) {
        struct gate_transfer *transfer = &source->transfers[i];
        if (transfer->used && transfer->time_s == 0 && !transfer->asked) {
            return transfer;
        }
    }
    return NULL;
}

bool gate_logs_call(struct gate *gate, size_t provider, struct gate_inflight *call)
{
    if (gate->logs == NULL) {
        return false;
    }
    struct gate_log_source *source = &gate->logs->sources[provider];
    struct gate_transfer *transfer = transfer_to_date(source);
    if (transfer != NULL) {
        transfer->asked = true;
        call->kind = CALL_LOGS_BLOCK;
        call->first = transfer->block_number;
        return true;
    }
    if (source->in_turn && !source->in_flight && !source->walking) {
        source->in_flight = true;
        call->kind = CALL_LOGS_HEAD;
        return true;
    }
    if (!source->in_turn || source->in_flight ||
        !log_walk_next(&source->walk, &source->range, &call->first, &call->last)) {
        return false;
    }
    source->in_flight = true;
    source->calls_left = (uint8_t)(source->calls_left - 1);
    source->budget = (uint8_t)(source->budget - (source->budget > 0 ? 1 : 0));
    call->kind = CALL_LOGS;
    return true;
}

size_t gate_logs_reply_max(enum call_kind kind)
{
    return kind == CALL_LOGS ? REPLY_MAX : BLOCK_REPLY_MAX;
}

void gate_logs_write(
    const struct gate *gate, const struct gate_inflight *call, struct writer *writer)
{
    struct rpc_block block = rpc_block_of_number(call->first);
    if (call->kind == CALL_LOGS_HEAD) {
        rpc_begin_request(writer, call->id, "eth_blockNumber");
        rpc_end_request(writer);
    } else if (call->kind == CALL_LOGS) {
        logs_write(
            writer, call->id, &gate->config.network.contract, LOGS_TOPICS, call->first, call->last);
    } else {
        rpc_write_block(writer, call->id, &block);
    }
}

// --- what logs say ---

// Whoever has not read the token since that block reads it again.
static void bring_forward(struct gate *gate, size_t slot, uint64_t block_number)
{
    for (size_t i = 0; i < gate->config.providers; i++) {
        if (gate_answer_of(gate, slot, i)->block_number < block_number) {
            gate_mark_due(gate, slot, i);
        }
    }
    gate_proof_on_log(gate, slot, block_number);
}

static bool same_transfer(const struct gate_transfer *a, const struct gate_transfer *b)
{
    return a->used && b->used && a->ref.slot == b->ref.slot &&
           a->ref.generation == b->ref.generation && hash256_equal(&a->block_hash, &b->block_hash);
}

// Keeps it, unless it is known. When all places are taken, the oldest gives way: a provider that
// invents transfers displaces only its own.
static void note_transfer(
    struct gate *gate, size_t provider, size_t slot, const struct log_entry *entry)
{
    struct gate_log_source *source = &gate->logs->sources[provider];
    struct gate_transfer noted = {.used = true,
        .ref = gate_ref_of(gate, slot),
        .block_number = entry->block_number,
        .block_hash = entry->block_hash};
    for (size_t i = 0; i < GATE_TRANSFERS; i++) {
        if (same_transfer(&source->transfers[i], &noted)) {
            return;
        }
    }
    source->transfers[source->transfer_next] = noted;
    source->transfer_next = (uint8_t)((source->transfer_next + 1) % GATE_TRANSFERS);
}

static void take_token(
    struct gate *gate, size_t provider, const struct log_entry *entry, size_t *new_members)
{
    size_t slot = gate_slot_find(gate, &entry->token);
    if (slot != SIZE_MAX) {
        bring_forward(gate, slot, entry->block_number);
        if (entry->event == LOG_TRANSFER && !entry->removed && !eth_address_is_zero(&entry->from) &&
            !eth_address_equal(&entry->from, &entry->to) && gate->tokens[slot].seat.owned_before) {
            note_transfer(gate, provider, slot, entry);
        }
    }
    bool exists = (entry->event == LOG_TRANSFER || entry->event == LOG_GRANTED) &&
                  !eth_address_is_zero(&entry->to) && !entry->removed;
    if (exists && *new_members < NEW_MEMBERS_MAX && gate_member_hint(gate, &entry->token)) {
        ++*new_members;
    }
}

// The event names an owner only: all that was last seen with him.
static void take_owner(struct gate *gate, const struct log_entry *entry)
{
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        const struct gate_token *token = &gate->tokens[i];
        if (token->used && token->seat.owned_before &&
            eth_address_equal(&token->seat.owner, &entry->to)) {
            bring_forward(gate, i, entry->block_number);
        }
    }
}

static void take_entries(struct gate *gate, size_t provider, const struct logs *logs)
{
    size_t new_members = 0;
    for (size_t i = 0; i < logs->count; i++) {
        struct log_entry entry;
        if (!logs_entry(logs, i, &entry)) {
            continue;
        }
        if (entry.event == LOG_KEY_UPDATED) {
            take_owner(gate, &entry);
        } else {
            take_token(gate, provider, &entry, &new_members);
        }
    }
}

// The owner changed at that time, and none of the readings has shown it. A time to come is no time
// of a block, and as a floor would leave the owner nothing that he could sign.
static bool was_missed(const struct gate_token *token, uint64_t time_s, uint64_t now_s)
{
    const struct gate_seat *seat = &token->seat;
    return seat->owned_before && time_s > token->known_since_s && time_s <= now_s + AHEAD_MAX_S &&
           seat->epoch_min_s < time_s && time_s - seat->epoch_min_s > SEEN_SLACK_S;
}

// The former owner was there in the block before, which is earlier by an unknown time, or in the
// same second: a delegation of that second may be the new owner's.
static void raise_floor(struct gate *gate, size_t slot, uint64_t time_s)
{
    struct gate_seat *seat = &gate->tokens[slot].seat;
    seat->epoch_min_s = time_s - 1;
    if (seat->taken && seat->epoch_s <= seat->epoch_min_s) {
        *seat = (struct gate_seat){.owned_before = true,
            .owner = seat->owner,
            .owner_seen_s = seat->owner_seen_s,
            .epoch_min_s = seat->epoch_min_s};
    }
    gate->dirty = true;
    gate_mark_changed(gate, slot, true);
}

static void confirm(struct gate *gate, struct now now, const struct gate_transfer *transfer)
{
    size_t count = 0;
    for (size_t i = 0; i < gate->config.providers; i++) {
        for (size_t j = 0; j < GATE_TRANSFERS; j++) {
            const struct gate_transfer *other = &gate->logs->sources[i].transfers[j];
            if (same_transfer(transfer, other) && other->time_s == transfer->time_s) {
                count++;
                break;
            }
        }
    }
    size_t slot = gate_ref_slot(gate, transfer->ref);
    if (count >= gate->quorum && slot != SIZE_MAX &&
        was_missed(&gate->tokens[slot], transfer->time_s, gate_time(gate, now).ms / 1000)) {
        raise_floor(gate, slot, transfer->time_s);
    }
}

// The block of one or more transfers: its time, if it is the block that they are in.
static void on_block(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_reply *reply)
{
    struct gate_log_source *source = &gate->logs->sources[call->provider];
    struct rpc_answer answer;
    rpc_answer_parse(reply, call->id, RPC_HEAD, &answer);
    for (size_t i = 0; i < GATE_TRANSFERS; i++) {
        struct gate_transfer *transfer = &source->transfers[i];
        if (!transfer->used || transfer->block_number != call->first || transfer->time_s != 0) {
            continue;
        }
        if (answer.verdict == RPC_RESULT && answer.time_s != 0 &&
            hash256_equal(&answer.hash, &transfer->block_hash)) {
            transfer->time_s = answer.time_s;
            confirm(gate, now, transfer);
        } else {
            transfer->used = false; // its log comes again as long as it is in the overlap
        }
    }
    rpc_answer_clear(&answer);
}

// --- replies ---

// The newest block that the provider has.
static void on_head(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_reply *reply)
{
    struct gate_provider *provider = &gate->providers[call->provider];
    struct gate_log_source *source = &gate->logs->sources[call->provider];
    struct rpc_answer answer;
    rpc_answer_parse(reply, call->id, RPC_QUANTITY, &answer);
    source->in_flight = false;
    if (answer.verdict == RPC_RATE_LIMITED) {
        gate_provider_rate_limited(gate, call->provider, now.mono, reply);
    }
    if (answer.verdict != RPC_RESULT || answer.quantity == UINT64_MAX) {
        fail_turn(gate, call->provider, now.mono);
        rpc_answer_clear(&answer);
        return;
    }
    if (!provider->has_head || mono_since(provider->head_at, now.mono) > GATE_ANSWER_AGE_MAX_MS) {
        // No readings tell the times of its blocks: the time at which one is the newest must do.
        log_trail_add(&source->trail, answer.quantity, gate_time(gate, now).ms / 1000);
    }
    source->walking = true;
    begin_walk(gate, call->provider, answer.quantity);
    rpc_answer_clear(&answer);
}

static void on_refused_range(struct gate *gate, struct mono now, const struct gate_inflight *call)
{
    struct gate_log_source *source = &gate->logs->sources[call->provider];
    uint64_t passed = source->walk.passed;
    log_walk_refused(&source->walk, &source->range, call->first, call->last);
    source->passed_in_row =
        (uint8_t)(source->passed_in_row + (source->walk.passed > passed ? 1 : 0));
    if (source->passed_in_row >= PASSED_MAX) {
        source->passed_in_row = 0;
        fail_turn(gate, call->provider, now);
    }
}

static void take_verdict(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct logs *logs, const struct rpc_reply *reply)
{
    struct gate_log_source *source = &gate->logs->sources[call->provider];
    switch (logs->verdict) {
    case LOGS_ANSWERED:
        source->failures = 0;
        source->passed_in_row = 0;
        log_walk_served(&source->walk, &source->range, call->first, call->last);
        take_entries(gate, call->provider, logs);
        return;
    case LOGS_TOO_MANY:
        on_refused_range(gate, now.mono, call);
        return;
    case LOGS_NOT_YET:
        if (call->last == source->walk.last) {
            end_turn(gate, call->provider);
        } else {
            on_refused_range(gate, now.mono, call);
        }
        return;
    case LOGS_UNSUPPORTED:
        source->absent = true;
        fail_turn(gate, call->provider, now.mono);
        source->retry_at = mono_never();
        return;
    case LOGS_RATE_LIMITED:
        // The same code means a range too large elsewhere.
        (void)log_range_refused(&source->range, call->last - call->first + 1);
        gate_provider_rate_limited(gate, call->provider, now.mono, reply);
        fail_turn(gate, call->provider, now.mono);
        return;
    case LOGS_SLOW:
        (void)log_range_refused(&source->range, call->last - call->first + 1);
        fail_turn(gate, call->provider, now.mono);
        return;
    case LOGS_FAULT:
        fail_turn(gate, call->provider, now.mono);
        return;
    }
}

static void on_logs(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_reply *reply)
{
    struct logs logs;
    gate->logs->sources[call->provider].in_flight = false;
    logs_parse(reply, call->id, &gate->config.network.contract, LOGS_TOPICS, call->first,
        call->last, &logs);
    take_verdict(gate, now, call, &logs, reply);
    logs_clear(&logs);
}

void gate_logs_reply(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_reply *reply)
{
    struct gate_log_source *source = &gate->logs->sources[call->provider];
    if (call->kind == CALL_LOGS_BLOCK) {
        on_block(gate, now, call, reply);
    } else if (call->kind == CALL_LOGS_HEAD) {
        on_head(gate, now, call, reply);
    } else {
        on_logs(gate, now, call, reply);
    }
    if (source->in_turn && !source->walking) {
        return; // its turn has just begun
    }
    if (source->in_turn && source->walk.next > source->walk.last) {
        source->budget = 0; // it has caught up
        end_turn(gate, call->provider);
        if (mono_since(gate->logs->saved_at, now.mono) >= SAVE_MS) {
            gate->logs->saved_at = now.mono;
            gate->dirty = true;
        }
    } else if (source->in_turn && source->calls_left == 0) {
        end_turn(gate, call->provider);
    }
}

// --- status and state ---

// The block up to which k providers have told of all logs; 0 if there is none.
uint64_t gate_logs_reached(const struct gate *gate)
{
    if (gate->logs == NULL) {
        return 0;
    }
    uint64_t reached = gate->logs->resume;
    for (size_t i = 0; i < gate->config.providers; i++) {
        const struct gate_log_source *candidate = &gate->logs->sources[i];
        size_t as_far = 0;
        for (size_t j = 0; candidate->started && j < gate->config.providers; j++) {
            const struct gate_log_source *other = &gate->logs->sources[j];
            as_far += other->started && other->walk.next >= candidate->walk.next ? 1 : 0;
        }
        if (as_far >= gate->quorum && candidate->walk.next > reached) {
            reached = candidate->walk.next;
        }
    }
    return reached;
}

void gate_logs_resume(struct gate *gate, uint64_t reached)
{
    if (gate->logs != NULL) {
        gate->logs->resume = reached;
    }
}

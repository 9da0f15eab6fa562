// SPDX-License-Identifier: GPL-3.0-or-later
//
// What to ask next, provider by provider: first whether it serves this chain and contract, then
// tokens, disputes and members. Providers never wait for each other.
#include "chain/gate_state.h"

#include <string.h>

static size_t calls_of(const struct gate *gate, size_t provider)
{
    size_t count = 0;
    for (size_t i = 0; i < gate->calls_max; i++) {
        count += gate->calls[i].used && gate->calls[i].provider == provider ? 1 : 0;
    }
    return count;
}

static size_t aggregates_of(const struct gate *gate, size_t provider)
{
    size_t count = 0;
    for (size_t i = 0; i < gate->calls_max; i++) {
        count += gate->calls[i].used && gate->calls[i].provider == provider &&
                         gate->calls[i].kind == CALL_TOKENS
                     ? 1
                     : 0;
    }
    return count;
}

static bool next_check(struct gate *gate, size_t provider, struct gate_inflight *call)
{
    static const enum call_kind kinds[] = {CALL_CHAIN_ID, CALL_CODE_CONTRACT, CALL_CODE_AGGREGATOR};
    struct gate_provider *checked = &gate->providers[provider];
    for (unsigned i = 0; i < 3; i++) {
        uint8_t step = (uint8_t)(1U << i);
        if ((checked->checks_to_send & step) != 0) {
            checked->checks_to_send &= (uint8_t)~step;
            call->kind = kinds[i];
            return true;
        }
    }
    return false;
}

// Tokens that one call to the provider may hold.
static size_t tokens_max(const struct gate *gate, size_t provider)
{
    size_t each = gate->profile == PROFILE_ERC721 ? 1 : 2;
    size_t tokens = gate_provider_reads(gate, provider, each * gate->chunk_max) / each;
    return tokens == 0 ? 1 : tokens;
}

// Takes the due tokens in the order of their slots, as many as the most suspect among them allows.
static bool next_tokens(
    struct gate *gate, size_t provider, struct mono now, struct gate_inflight *call)
{
    if (aggregates_of(gate, provider) >= GATE_AGGREGATES_PER_PROVIDER) {
        return false;
    }
    size_t limit = tokens_max(gate, provider);
    call->count = 0;
    for (size_t i = 0; i < gate->config.tokens_max && call->count < limit; i++) {
        struct gate_answer *answer = gate_answer_of(gate, i, provider);
        if (!gate->tokens[i].used || !answer->due || answer->in_flight ||
            !mono_due(answer->not_before, now)) {
            continue;
        }
        size_t own_limit = answer->chunk_limit == 0 ? limit : answer->chunk_limit;
        if (call->count >= own_limit) {
            continue; // its turn comes in another call
        }
        limit = own_limit < limit ? own_limit : limit;
        answer->due = false;
        answer->in_flight = true;
        call->refs[call->count++] = gate_ref_of(gate, i);
    }
    call->kind = CALL_TOKENS;
    return call->count > 0;
}

// The disputer's own call for the hash of its block, or one of the others' pinned to it.
static bool next_reask(
    struct gate *gate, size_t provider, struct mono now, struct gate_inflight *call)
{
    struct gate_reask *own = &gate->providers[provider].reask;
    if (own->count > 0 && !own->asked_block) {
        own->asked_block = true;
        call->kind = CALL_REASK_BLOCK;
        call->first = own->block_number;
        return true;
    }
    for (size_t i = 0; i < gate->config.providers; i++) {
        struct gate_reask *reask = &gate->providers[i].reask;
        uint8_t bit = (uint8_t)(1U << provider);
        if (reask->count > 0 && mono_due(reask->until, now)) {
            reask->count = 0;
        }
        if (reask->count == 0 || !reask->have_hash || (reask->providers & bit) == 0) {
            continue;
        }
        reask->providers &= (uint8_t)~bit;
        call->kind = CALL_REASK_TOKENS;
        call->disputer = (uint8_t)i;
        size_t most = tokens_max(gate, provider);
        call->count = reask->count < most ? reask->count : (uint16_t)most;
        memcpy(call->refs, reask->refs, call->count * sizeof call->refs[0]);
        return true;
    }
    return false;
}

static bool next_for_provider(
    struct gate *gate, size_t provider, struct mono now, struct gate_inflight *call)
{
    struct gate_provider *asked = &gate->providers[provider];
    if (!gate_provider_open(asked, calls_of(gate, provider), now)) {
        return false;
    }
    if (next_check(gate, provider, call)) {
        return true;
    }
    return asked->checked &&
           (next_reask(gate, provider, now, call) || gate_header_call(gate, provider, call) ||
               next_tokens(gate, provider, now, call) ||
               gate_proof_call(gate, provider, now, call) ||
               gate_grant_call(gate, provider, tokens_max(gate, provider), call) ||
               gate_wallet_call(gate, provider, now, call) ||
               gate_logs_call(gate, provider, call) ||
               gate_enumeration_call(gate, provider, now, call));
}

static void write_tokens(
    const struct gate *gate, const struct gate_inflight *call, struct reads_writer *reads)
{
    const struct eth_address *contract = &gate->config.network.contract;
    reads_begin(reads, gate_call_reads(call));
    for (size_t i = 0; i < call->count; i++) {
        const struct token_id *token = &gate->tokens[call->refs[i].slot].id;
        reads_add(reads, contract, abi_owner_of, token->bytes);
        if (call->with_access) {
            reads_add(reads, contract, abi_node_access, token->bytes);
        }
    }
    reads_end(reads);
}

size_t gate_call_reads(const struct gate_inflight *call)
{
    switch (call->kind) {
    case CALL_TOKENS:
    case CALL_REASK_TOKENS:
    case CALL_GRANT:
        return call->with_access ? 2U * call->count : call->count;
    case CALL_INTERFACE:
        return 2;
    case CALL_MEMBERS:
        return call->count;
    case CALL_CHAIN_ID:
    case CALL_CODE_CONTRACT:
    case CALL_CODE_AGGREGATOR:
    case CALL_REASK_BLOCK:
    case CALL_WALLET:
    case CALL_PROOF:
    case CALL_PLACES:
    case CALL_HEADER:
    case CALL_HISTORY_HEAD:
    case CALL_HISTORY_CODE:
    case CALL_HISTORY_LOGS:
    case CALL_LOGS_HEAD:
    case CALL_LOGS:
    case CALL_LOGS_BLOCK:
        break;
    }
    return 0;
}

const struct rpc_block *gate_call_pin(const struct gate_inflight *call)
{
    return call->kind == CALL_REASK_TOKENS || call->kind == CALL_GRANT ? &call->pin : NULL;
}

static void write_call(struct gate *gate, const struct gate_inflight *call, struct writer *writer)
{
    struct reads_writer reads = {.writer = writer,
        .way = call->way,
        .id = call->id,
        .step = call->step,
        .pin = gate_call_pin(call)};
    struct rpc_block reasked = rpc_block_of_number(call->first);
    switch (call->kind) {
    case CALL_CHAIN_ID:
        rpc_write_chain_id(writer, call->id);
        return;
    case CALL_CODE_CONTRACT:
        rpc_write_code(writer, call->id, &gate->config.network.contract);
        return;
    case CALL_CODE_AGGREGATOR:
        rpc_write_code(writer, call->id, &aggregate_address);
        return;
    case CALL_TOKENS:
    case CALL_REASK_TOKENS:
    case CALL_GRANT:
        write_tokens(gate, call, &reads);
        return;
    case CALL_REASK_BLOCK:
        rpc_write_block(writer, call->id, &reasked);
        return;
    case CALL_INTERFACE:
    case CALL_MEMBERS:
        gate_enumeration_write(gate, call, &reads);
        return;
    case CALL_HISTORY_HEAD:
    case CALL_HISTORY_CODE:
    case CALL_HISTORY_LOGS:
        gate_history_write(gate, call, writer);
        return;
    case CALL_WALLET:
        gate_wallet_write(gate, call, writer);
        return;
    case CALL_PROOF:
    case CALL_PLACES:
        gate_proof_write(gate, call, writer);
        return;
    case CALL_HEADER:
        gate_header_write(call, writer);
        return;
    case CALL_LOGS_HEAD:
    case CALL_LOGS:
    case CALL_LOGS_BLOCK:
        gate_logs_write(gate, call, writer);
        return;
    }
}

static size_t reply_max(const struct gate_inflight *call)
{
    enum {
        CODE_REPLY_MAX = 256 * 1024,
        BLOCK_REPLY_MAX = 1024 * 1024,
        HEADS_REPLY_MAX = 512 * 1024, // two blocks with the hashes of their transactions
        SLOT_REPLY_MAX = 16 * 1024,   // fifteen nodes of a proof
    };
    size_t frame = call->way == READS_AGGREGATE ? GATE_REPLY_BASE : BLOCK_REPLY_MAX;
    switch (call->kind) {
    case CALL_CHAIN_ID:
        return GATE_REPLY_BASE;
    case CALL_INTERFACE:
        return frame;
    case CALL_CODE_CONTRACT:
    case CALL_CODE_AGGREGATOR:
        return CODE_REPLY_MAX;
    case CALL_REASK_BLOCK:
    case CALL_HEADER:
        return BLOCK_REPLY_MAX;
    case CALL_WALLET:
        return GATE_WALLET_REPLY_MAX;
    case CALL_PROOF:
        return HEADS_REPLY_MAX + (2U + call->count) * SLOT_REPLY_MAX;
    case CALL_PLACES:
        return HEADS_REPLY_MAX + (size_t)GATE_PROOF_SLOTS * SLOT_REPLY_MAX;
    case CALL_TOKENS:
    case CALL_REASK_TOKENS:
    case CALL_GRANT:
    case CALL_MEMBERS:
        return frame + (size_t)call->count * GATE_REPLY_PER_TOKEN;
    case CALL_HISTORY_HEAD:
    case CALL_HISTORY_CODE:
    case CALL_HISTORY_LOGS:
        return gate_history_reply_max(call->kind);
    case CALL_LOGS_HEAD:
    case CALL_LOGS:
    case CALL_LOGS_BLOCK:
        return gate_logs_reply_max(call->kind);
    }
    return GATE_REPLY_BASE;
}

static struct gate_inflight *free_call(struct gate *gate)
{
    for (size_t i = 0; i < gate->calls_max; i++) {
        if (!gate->calls[i].used) {
            return &gate->calls[i];
        }
    }
    return NULL;
}

// A new call, or the next step of a series.
static void send_call(
    struct gate *gate, struct gate_inflight *call, struct mono now, struct gate_call *ret)
{
    struct writer writer = writer_of(gate->body, gate->body_capacity);
    call->used = true;
    call->waiting = false;
    // A bit is left for the ids of a batch, which count up from this one.
    call->id = rng_u64(&gate->rng) >> (65 - RPC_ID_MAX_BITS);
    call->sent_at = now;
    call->deadline = mono_add(now, GATE_TIMEOUT_MS + GATE_GIVE_UP_MS);
    call->reply_max = reply_max(call);
    call->hedge_at = mono_never();
    if (call->kind == CALL_PROOF || call->kind == CALL_PLACES) {
        call->hedge_at = mono_add(now, GATE_HEDGE_MS);
        gate_proof_sent(gate, call);
    }
    write_call(gate, call, &writer);
    ASSERT(writer_finish(&writer) == OK);
    gate_meter_call(&gate->providers[call->provider], now, writer.size);
    *ret = (struct gate_call){
        .id = call->id,
        .provider = call->provider,
        .body = writer_written(&writer),
        .reply_max = call->reply_max,
        .timeout_ms = GATE_TIMEOUT_MS,
    };
}

// The next step of a series under way.
static bool next_step(struct gate *gate, struct mono now, struct gate_call *ret)
{
    for (size_t i = 0; i < gate->calls_max; i++) {
        struct gate_inflight *call = &gate->calls[i];
        if (call->used && call->waiting &&
            mono_due(gate->providers[call->provider].retry_at, now)) {
            send_call(gate, call, now, ret);
            return true;
        }
    }
    return false;
}

static void begin_call(struct gate *gate, struct gate_inflight *call)
{
    const struct gate_provider *provider = &gate->providers[call->provider];
    call->way = provider->way;
    call->step = 0;
    call->with_access = gate->profile != PROFILE_ERC721;
    call->pin = call->kind == CALL_GRANT
                    ? gate_grant_block(gate)
                    : rpc_block_of_hash(&gate->providers[call->disputer].reask.block_hash);
}

bool gate_next_call(struct gate *gate, struct now now, struct gate_call *ret)
{
    if (next_step(gate, now.mono, ret)) {
        return true;
    }
    struct gate_inflight *call = free_call(gate);
    for (size_t i = 0; call != NULL && i < gate->config.providers; i++) {
        size_t provider = gate->provider_turn;
        call->provider = (uint8_t)provider;
        call->count = 0;
        call->first = 0;
        call->disputer = 0;
        if (next_for_provider(gate, provider, now.mono, call)) {
            begin_call(gate, call);
            send_call(gate, call, now.mono, ret);
            return true;
        }
        gate->provider_turn = (provider + 1) % gate->config.providers;
    }
    return false;
}

void gate_hedge_begin(struct gate_hedge *hedge, size_t first)
{
    *hedge = (struct gate_hedge){.first = (uint8_t)first, .open = true, .next_at = mono_never()};
}

bool gate_hedge_take(struct gate *gate, struct gate_hedge *hedge, size_t provider, struct mono now)
{
    for (size_t i = 0; hedge->open && i < gate->config.providers; i++) {
        size_t place = (hedge->first + i) % gate->config.providers;
        uint8_t bit = (uint8_t)(1U << place);
        const struct gate_provider *other = &gate->providers[place];
        if ((hedge->asked & bit) != 0 || !other->checked || !mono_due(other->retry_at, now)) {
            continue;
        }
        if (place != provider) {
            return false; // another one's turn
        }
        hedge->asked |= bit;
        hedge->open = false;
        hedge->next_at = mono_add(now, GATE_HEDGE_MS);
        return true;
    }
    return false;
}

bool gate_hedge_failed(struct gate *gate, struct gate_hedge *hedge)
{
    hedge->open = true;
    hedge->next_at = mono_never();
    return hedge->asked != (1U << gate->config.providers) - 1;
}

struct mono gate_hedge_deadline(const struct gate_hedge *hedge)
{
    return hedge->next_at;
}

void gate_hedge_on_deadline(struct gate_hedge *hedge, struct mono now)
{
    if (mono_due(hedge->next_at, now)) {
        hedge->open = true;
        hedge->next_at = mono_never();
    }
}

static void mark_poll(struct gate *gate, size_t provider)
{
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        if (gate->tokens[i].used && gate->tokens[i].watched) {
            gate_mark_due(gate, i, provider);
        }
    }
}

struct mono gate_next_deadline(const struct gate *gate)
{
    struct mono next = mono_never();
    for (size_t i = 0; i < gate->config.providers; i++) {
        const struct gate_provider *provider = &gate->providers[i];
        next = mono_min(next, provider->poll_due);
        if (provider->backing_off) {
            next = mono_min(next, provider->retry_at);
        } else if (provider->checks_pending == 0) {
            next = mono_min(next, provider->check_due);
        }
    }
    for (size_t i = 0; i < gate->calls_max; i++) {
        if (gate->calls[i].used) {
            next = mono_min(next, gate->calls[i].deadline);
        }
    }
    if (gate->config.members_max > 0 && gate->config.providers > 0) {
        next = mono_min(next, gate_enumeration_deadline(gate));
    }
    next = mono_min(next, gate_logs_deadline(gate));
    return mono_min(next, gate_proof_next_deadline(gate));
}

static void give_up_calls(struct gate *gate, struct now now)
{
    static const struct rpc_reply timeout = {.outcome = RPC_TIMEOUT};
    for (size_t i = 0; i < gate->calls_max; i++) {
        if (gate->calls[i].used && mono_due(gate->calls[i].deadline, now.mono)) {
            gate_on_reply(gate, now, gate->calls[i].id, &timeout);
        }
    }
}

// Never longer than poll_ms: a token that was sold is out within a poll and a round trip.
uint64_t gate_draw_pause_ms(struct gate *gate)
{
    enum { SHORTER_PERCENT = 20 };
    uint64_t longest_ms = gate->config.poll_ms;
    return longest_ms - rng_below(&gate->rng, longest_ms * SHORTER_PERCENT / 100 + 1);
}

void gate_on_deadline(struct gate *gate, struct now now)
{
    bool polled = false;
    give_up_calls(gate, now);
    for (size_t i = 0; i < gate->config.providers; i++) {
        struct gate_provider *provider = &gate->providers[i];
        if (mono_due(provider->poll_due, now.mono)) {
            provider->poll_due = mono_add(now.mono, gate_draw_pause_ms(gate));
            mark_poll(gate, i);
            gate_grant_ask_again(gate, i);
            polled = true;
        }
        if (provider->backing_off && mono_due(provider->retry_at, now.mono)) {
            provider->backing_off = false;
        }
        if (provider->checks_pending == 0 && !provider->backing_off &&
            mono_due(provider->check_due, now.mono)) {
            provider->check_due = mono_add(now.mono, GATE_CHECK_INTERVAL_MS);
            gate_begin_checks(gate, i);
        }
    }
    gate_enumeration_on_deadline(gate, now);
    gate_proof_on_deadline(gate, now);
    gate_logs_on_deadline(gate, now);
    gate_note_quorum(gate, now.mono);
    if (polled) {
        gate_review_all(gate, now.mono);
        gate_wallet_review_all(gate, now.mono);
    }
}

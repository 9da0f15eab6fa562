// SPDX-License-Identifier: GPL-3.0-or-later
//
// Proven owners: which provider proves which tokens, which of the others name the same block, and
// what that makes of a reading. A prover that fails, lies or takes longer than a second is not
// waited for: the next one is asked as well.
#include "chain/gate_state.h"

#include "chain/rpc_value.h"

#include <stdlib.h>
#include <string.h>

enum status gate_proof_create(struct gate *gate)
{
    struct gate_proof *proof = calloc(1, sizeof *proof);
    struct gate_row *rows = calloc(gate->config.tokens_max, sizeof *rows);
    if (proof == NULL || rows == NULL) {
        free(proof);
        free(rows);
        return ERR_FULL;
    }
    *proof = (struct gate_proof){.standing = PROOF_SEARCHING,
        .rows = rows,
        .chunk = GATE_PROOF_TOKENS,
        .retry_at = mono_never()};
    gate->proof = proof;
    return OK;
}

void gate_proof_destroy(struct gate *gate)
{
    if (gate->proof != NULL) {
        free(gate->proof->rows);
        free(gate->proof);
        gate->proof = NULL;
    }
}

size_t gate_proof_body_size(void)
{
    enum { FRAME = 1024, SLOT = 2 * 32 + 8 };
    return FRAME + (size_t)GATE_PROOF_SLOTS * SLOT;
}

void gate_proof_set_standing(struct gate *gate, enum proof_standing standing)
{
    struct gate_proof *proof = gate->proof;
    if (proof->standing != standing) {
        proof->standing = standing;
        proof->announce = true;
    }
}

bool gate_proof_active(const struct gate *gate)
{
    return gate->proof != NULL && proof_demanded(gate->proof->standing);
}

// Rows are proven while proofs are demanded, and before, to begin with.
static bool rows_wanted(const struct gate *gate)
{
    return gate_proof_active(gate) || (gate->proof != NULL && gate->proof->gathering);
}

// --- rows ---

void gate_proof_clear_row(struct gate *gate, size_t slot)
{
    if (gate->proof != NULL) {
        gate->proof->rows[slot] = (struct gate_row){.due = false};
    }
}

void gate_proof_want(struct gate *gate, size_t slot, struct mono now, uint64_t age_ms)
{
    struct gate_row *row = gate->proof == NULL ? NULL : &gate->proof->rows[slot];
    if (row != NULL && (!row->proven.held || mono_since(row->proven.read_at, now) >= age_ms)) {
        row->due = true;
    }
}

const struct gate_shown *gate_proof_of(const struct gate *gate, size_t slot, struct mono now)
{
    const struct gate_shown *proven = &gate->proof->rows[slot].proven;
    bool counts = proven->held && mono_since(proven->read_at, now) <= GATE_ANSWER_AGE_MAX_MS;
    return counts ? proven : NULL;
}

static bool can_prove(const struct gate *gate, size_t provider, struct mono now)
{
    const struct gate_provider *asked = &gate->providers[provider];
    return asked->checked && mono_due(asked->retry_at, now) &&
           mono_due(gate->proof->pause[provider], now);
}

static bool anybody_can_prove(const struct gate *gate, struct mono now)
{
    for (size_t i = 0; i < gate->config.providers; i++) {
        if (can_prove(gate, i, now)) {
            return true;
        }
    }
    return false;
}

bool gate_proof_pending(const struct gate *gate, size_t slot, struct mono now)
{
    if (!rows_wanted(gate)) {
        return false;
    }
    const struct gate_row *row = &gate->proof->rows[slot];
    return row->asked_by != 0 || row->pending.held ||
           (row->due && !gate->proof->waiting && anybody_can_prove(gate, now));
}

// --- what to ask ---

// The first that can, from `prover` on.
static bool is_prover(const struct gate *gate, size_t provider, struct mono now)
{
    for (size_t i = 0; i < gate->config.providers; i++) {
        size_t candidate = (gate->proof->prover + i) % gate->config.providers;
        if (can_prove(gate, candidate, now)) {
            return candidate == provider;
        }
    }
    return false;
}

static size_t proofs_of(const struct gate *gate, size_t provider)
{
    size_t count = 0;
    for (size_t i = 0; i < gate->calls_max; i++) {
        const struct gate_inflight *call = &gate->calls[i];
        count += call->used && call->provider == provider && call->kind == CALL_PROOF ? 1 : 0;
    }
    return count;
}

static bool next_rows(struct gate *gate, struct gate_inflight *call)
{
    struct gate_proof *proof = gate->proof;
    size_t limit = proof->chunk < gate->chunk_max ? proof->chunk : gate->chunk_max;
    for (size_t i = 0; i < gate->config.tokens_max && call->count < limit; i++) {
        const struct gate_row *row = &proof->rows[i];
        if (gate->tokens[i].used && row->due && row->asked_by == 0 && !row->pending.held) {
            call->refs[call->count++] = gate_ref_of(gate, i);
        }
    }
    call->kind = CALL_PROOF;
    return call->count > 0;
}

bool gate_proof_call(
    struct gate *gate, size_t provider, struct mono now, struct gate_inflight *call)
{
    struct gate_proof *proof = gate->proof;
    if (proof == NULL || proof->waiting || !is_prover(gate, provider, now)) {
        return false;
    }
    if (gate_search_begin(gate, now)) {
        call->kind = CALL_PLACES;
        size_t count = proof->search.count;
        call->count = (uint16_t)(count < gate->chunk_max ? count : gate->chunk_max);
        memcpy(call->refs, proof->search.refs, call->count * sizeof call->refs[0]);
        return true;
    }
    return rows_wanted(gate) && proofs_of(gate, provider) < GATE_PROOF_CALLS &&
           next_rows(gate, call);
}

void gate_proof_sent(struct gate *gate, const struct gate_inflight *call)
{
    struct gate_proof *proof = gate->proof;
    if (call->kind == CALL_PLACES) {
        proof->search.asked_by = call->id;
    } else if (call->kind == CALL_PROOF) {
        for (size_t i = 0; i < call->count; i++) {
            proof->rows[call->refs[i].slot].asked_by = call->id;
            proof->rows[call->refs[i].slot].due = false;
        }
    }
}

// --- what came to nothing ---

// Those whom this call, and no later one, was to answer are due again.
static void release(struct gate *gate, const struct gate_inflight *call)
{
    struct gate_proof *proof = gate->proof;
    if (call->kind == CALL_PLACES && proof->search.asked_by == call->id) {
        proof->search.asked_by = 0;
    }
    for (size_t i = 0; call->kind == CALL_PROOF && i < call->count; i++) {
        size_t slot = gate_ref_slot(gate, call->refs[i]);
        if (slot != SIZE_MAX && proof->rows[slot].asked_by == call->id) {
            proof->rows[slot].asked_by = 0;
            proof->rows[slot].due = true;
        }
    }
}

// At once by the next provider; once all have failed, slower and slower.
static void back_off(struct gate *gate, struct mono now)
{
    struct gate_proof *proof = gate->proof;
    proof->failures++;
    if (proof->failures < gate->config.providers) {
        return;
    }
    uint32_t doublings = proof->failures - (uint32_t)gate->config.providers;
    uint64_t wait_ms = doublings < 4 ? (uint64_t)GATE_PROOF_RETRY_MS << doublings
                                     : (uint64_t)GATE_PROOF_RETRY_MAX_MS;
    proof->retry_at = mono_add(now, wait_ms);
    proof->waiting = true;
}

static void pass_on(struct gate *gate, size_t provider)
{
    if (gate->proof->prover == provider) {
        gate->proof->prover = (provider + 1) % gate->config.providers;
    }
}

void gate_proof_failed(
    struct gate *gate, struct now now, const struct gate_inflight *call, uint64_t pause_ms)
{
    release(gate, call);
    gate->proof->pause[call->provider] = mono_add(now.mono, pause_ms);
    pass_on(gate, call->provider);
    back_off(gate, now.mono);
}

void gate_proof_refused(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_reply *reply)
{
    enum { CONTENT_TOO_LARGE = 413 };
    struct gate_proof *proof = gate->proof;
    bool large = reply->outcome == RPC_TOO_LARGE || reply->http_status == CONTENT_TOO_LARGE;
    if (large && call->kind == CALL_PROOF && call->count > 1) {
        proof->chunk = call->count / 2;
        gate_proof_failed(gate, now, call, 0);
        return;
    }
    proof->unserved |= (uint8_t)(1U << call->provider);
    gate_proof_failed(gate, now, call, GATE_PROVER_REFUSAL_MS);
    uint8_t all = (uint8_t)((1U << gate->config.providers) - 1);
    if (proof->unserved == all && !gate->pin.pinned) {
        proof->search.due = mono_add(now.mono, GATE_SEARCH_RETRY_MS);
        gate_proof_set_standing(gate, PROOF_NOT_SERVED);
    }
}

// --- headers ---

const struct gate_header *gate_header_at(const struct gate *gate, struct gate_header_ref ref)
{
    const struct gate_header *header = &gate->proof->headers[ref.place];
    return header->used && header->generation == ref.generation ? header : NULL;
}

static bool waits_for(const struct gate_row *row, const struct gate *gate, size_t place)
{
    return row->pending.held && row->header.place == place &&
           row->header.generation == gate->proof->headers[place].generation;
}

// Nothing comes of it any more: what waited for it is asked again.
static void drop_header(struct gate *gate, size_t place)
{
    struct gate_proof *proof = gate->proof;
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        if (waits_for(&proof->rows[i], gate, place)) {
            proof->rows[i].pending.held = false;
            proof->rows[i].due = true;
        }
    }
    if (proof->search.held && proof->search.header.place == place) {
        proof->search.held = false;
    }
    proof->headers[place].used = false;
}

static size_t place_for_header(struct gate *gate)
{
    size_t oldest = 0;
    for (size_t i = 0; i < GATE_HEADERS; i++) {
        const struct gate_header *header = &gate->proof->headers[i];
        if (!header->used) {
            return i;
        }
        if (header->until.ms < gate->proof->headers[oldest].until.ms) {
            oldest = i;
        }
    }
    drop_header(gate, oldest);
    return oldest;
}

static size_t bits(uint8_t mask)
{
    size_t count = 0;
    for (; mask != 0; mask &= (uint8_t)(mask - 1)) {
        count++;
    }
    return count;
}

struct gate_header_ref gate_header_of(struct gate *gate, struct now now, size_t prover,
    uint64_t number, uint64_t time_s, const struct hash256 *hash, const struct gate_code *code)
{
    struct gate_proof *proof = gate->proof;
    uint8_t bit = (uint8_t)(1U << prover);
    for (size_t i = 0; i < GATE_HEADERS; i++) {
        struct gate_header *header = &proof->headers[i];
        if (header->used && hash256_equal(&header->hash, hash)) {
            header->yes |= bit; // it gave the whole header
            header->agreed = header->agreed || bits(header->yes) >= gate->quorum;
            return (struct gate_header_ref){.place = (uint8_t)i, .generation = header->generation};
        }
    }
    size_t place = place_for_header(gate);
    struct gate_header *header = &proof->headers[place];
    *header = (struct gate_header){.used = true,
        .agreed = gate->quorum == 1,
        .prover = (uint8_t)prover,
        .generation = (uint16_t)(header->generation + 1),
        .number = number,
        .time_s = time_s,
        .hash = *hash,
        .code = *code,
        .yes = bit,
        .later_at = mono_never(),
        .hedge_at = mono_add(now.mono, GATE_HEDGE_MS),
        .until = mono_add(now.mono, GATE_HEADER_AGREE_MS)};
    return (struct gate_header_ref){.place = (uint8_t)place, .generation = header->generation};
}

// Of those who say another owner at a block between two proofs of one and the same owner, each is
// wrong; of those who have only got to an older block a new word is wanted.
static void judge_words(
    struct gate *gate, size_t slot, const struct gate_shown *before, struct mono now)
{
    const struct gate_shown *proven = &gate->proof->rows[slot].proven;
    bool same = before->held && eth_address_equal(&before->owner, &proven->owner);
    for (size_t i = 0; i < gate->config.providers; i++) {
        const struct gate_answer *answer = gate_usable_answer(gate, slot, i, now);
        if (answer == NULL || answer->value.kind == ANSWER_FAILED ||
            eth_address_equal(&answer->value.owner, &proven->owner)) {
            continue;
        }
        if (answer->block_number < proven->block_number) {
            gate_mark_due(gate, slot, i);
        }
        if (same && answer->block_number > before->block_number &&
            answer->block_number <= proven->block_number) {
            gate->providers[i].disputes++;
        }
    }
}

static void commit(struct gate *gate, size_t slot, struct mono now)
{
    struct gate_row *row = &gate->proof->rows[slot];
    struct gate_shown before = row->proven;
    bool counts = before.held && mono_since(before.read_at, now) <= GATE_ANSWER_AGE_MAX_MS;
    row->pending.held = false;
    if (counts && row->pending.block_number < before.block_number) {
        return; // a slower backend behind a load balancer
    }
    row->proven = row->pending;
    row->proven.held = true;
    judge_words(gate, slot, &before, now);
    gate_review(gate, slot, now);
}

static void header_agreed(struct gate *gate, struct now now, struct gate_header *header)
{
    struct gate_proof *proof = gate->proof;
    size_t place = (size_t)(header - proof->headers);
    if (!gate_head_fresh(gate, header->time_s, now)) {
        drop_header(gate, place);
        return;
    }
    proof->failures = 0;
    proof->waiting = false;
    if (proof->search.held && proof->search.header.place == place &&
        proof->search.header.generation == header->generation) {
        proof->search.held = false;
        gate_search_conclude(gate, now, header);
    }
    if (!gate_place_check(gate, now, header)) {
        return;
    }
    proof->agreed_at = now.mono;
    size_t rows = 0;
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        if (waits_for(&proof->rows[i], gate, place)) {
            commit(gate, i, now.mono);
            rows++;
        }
    }
    if (rows == 0) {
        return;
    }
    proof->block = header->number > proof->block ? header->number : proof->block;
    proof->chunk =
        proof->chunk >= GATE_PROOF_TOKENS / 2 ? GATE_PROOF_TOKENS : (uint16_t)(proof->chunk * 2);
    gate_place_gather(gate, now.mono);
    if (proof->standing == PROOF_LACKING) {
        gate_proof_set_standing(gate, PROOF_ON);
    }
}

void gate_header_settle(struct gate *gate, struct now now, struct gate_header_ref ref)
{
    struct gate_header *header = &gate->proof->headers[ref.place];
    if (header->used && header->generation == ref.generation && header->agreed) {
        header_agreed(gate, now, header);
    }
}

// No k can agree on it any more, or not in time. Whoever is in the minority is counted, both sides
// if nobody can tell; a reorganisation does that, too.
static void header_refused(struct gate *gate, struct now now, size_t place)
{
    struct gate_proof *proof = gate->proof;
    const struct gate_header *header = &proof->headers[place];
    size_t yes = bits(header->yes);
    size_t no = bits(header->no);
    for (size_t i = 0; i < gate->config.providers && no > 0; i++) {
        if ((header->yes >> i & 1) != 0 && yes <= no) {
            gate->providers[i].proof_faults[PROOF_FAULT_BLOCK]++;
        }
        if ((header->no >> i & 1) != 0 && no <= yes) {
            gate->providers[i].disputes++;
        }
    }
    if (no > 0 && yes <= no) {
        proof->pause[header->prover] = mono_add(now.mono, GATE_PROVER_PAUSE_MS);
    }
    pass_on(gate, header->prover);
    drop_header(gate, place);
    back_off(gate, now.mono);
}

bool gate_header_call(struct gate *gate, size_t provider, struct gate_inflight *call)
{
    uint8_t bit = (uint8_t)(1U << provider);
    for (size_t i = 0; gate->proof != NULL && i < GATE_HEADERS; i++) {
        struct gate_header *header = &gate->proof->headers[i];
        size_t hoped = bits(header->yes);
        hoped += header->impatient ? 0 : bits(header->asked);
        uint8_t spoken = header->yes | header->no | header->asked | header->later;
        if (!header->used || header->agreed || (spoken & bit) != 0 || hoped >= gate->quorum) {
            continue;
        }
        header->asked |= bit;
        call->kind = CALL_HEADER;
        call->first = header->number;
        call->header =
            (struct gate_header_ref){.place = (uint8_t)i, .generation = header->generation};
        return true;
    }
    return false;
}

void gate_header_write(const struct gate_inflight *call, struct writer *writer)
{
    struct rpc_block block = rpc_block_of_number(call->first);
    rpc_write_block(writer, call->id, &block);
}

static struct gate_header *header_of_call(struct gate *gate, const struct gate_inflight *call)
{
    struct gate_header *header = &gate->proof->headers[call->header.place];
    bool stands = header->used && header->generation == call->header.generation;
    if (stands) {
        header->asked &= (uint8_t) ~(1U << call->provider);
    }
    return stands && !header->agreed ? header : NULL;
}

// It is asked again, as if it did not have the block yet.
static void ask_later(struct gate_header *header, size_t provider, struct mono now)
{
    header->later |= (uint8_t)(1U << provider);
    header->later_at = mono_add(now, GATE_HEADER_LATER_MS);
}

void gate_header_failed(struct gate *gate, struct now now, const struct gate_inflight *call)
{
    struct gate_header *header = header_of_call(gate, call);
    if (header != NULL) {
        ask_later(header, call->provider, now.mono);
    }
}

void gate_header_reply(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_answer *answer)
{
    struct gate_header *header = header_of_call(gate, call);
    struct hash256 hash;
    if (header == NULL) {
        return;
    }
    const json_t *named = json_object_get(answer->json, "hash");
    if (rpc_value_fixed(named, hash.bytes, sizeof hash.bytes) != OK) {
        ask_later(header, call->provider, now.mono); // null: it does not have that block yet
        return;
    }
    uint8_t bit = (uint8_t)(1U << call->provider);
    if (hash256_equal(&hash, &header->hash)) {
        header->yes |= bit;
    } else {
        header->no |= bit;
    }
    if (bits(header->yes) >= gate->quorum) {
        header->agreed = true;
        for (size_t i = 0; i < gate->config.providers; i++) {
            gate->providers[i].disputes += header->no >> i & 1;
        }
        header_agreed(gate, now, header);
    } else if (gate->config.providers - bits(header->no) < gate->quorum) {
        header_refused(gate, now, call->header.place);
    }
}

// --- time ---

void gate_proof_network_change(struct gate *gate, struct now now)
{
    struct gate_proof *proof = gate->proof;
    if (proof == NULL) {
        return;
    }
    memset(proof->pause, 0, sizeof proof->pause);
    proof->failures = 0;
    proof->waiting = false;
    proof->poll_due = now.mono;
    proof->search.due = now.mono;
}

struct mono gate_proof_next_deadline(const struct gate *gate)
{
    const struct gate_proof *proof = gate->proof;
    if (proof == NULL || gate->config.providers == 0) {
        return mono_never();
    }
    struct mono next = proof->poll_due;
    if (proof->waiting) {
        next = mono_min(next, proof->retry_at);
    }
    for (size_t i = 0; i < GATE_HEADERS; i++) {
        const struct gate_header *header = &proof->headers[i];
        if (header->used && !header->agreed) {
            next = mono_min(next, header->until);
            next = mono_min(next, header->later_at);
            next = mono_min(next, header->hedge_at);
        }
    }
    for (size_t i = 0; i < gate->calls_max; i++) {
        if (gate->calls[i].used) {
            next = mono_min(next, gate->calls[i].hedge_at);
        }
    }
    return next;
}

static void on_header_deadline(struct gate *gate, struct now now, size_t place)
{
    struct gate_header *header = &gate->proof->headers[place];
    if (!header->used || header->agreed) {
        return;
    }
    if (mono_due(header->until, now.mono)) {
        header_refused(gate, now, place);
        return;
    }
    if (mono_due(header->later_at, now.mono)) {
        header->later = 0;
        header->later_at = mono_never();
    }
    if (mono_due(header->hedge_at, now.mono)) {
        header->hedge_at = mono_never();
        header->impatient = true;
    }
}

static void hedge(struct gate *gate, struct mono now)
{
    for (size_t i = 0; i < gate->calls_max; i++) {
        struct gate_inflight *call = &gate->calls[i];
        if (call->used && mono_due(call->hedge_at, now)) {
            call->hedge_at = mono_never();
            release(gate, call);
            pass_on(gate, call->provider);
        }
    }
}

static bool watches_unproven(const struct gate *gate, struct mono now)
{
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        if (gate->tokens[i].used && gate->tokens[i].watched &&
            gate_proof_of(gate, i, now) == NULL) {
            return true;
        }
    }
    return false;
}

static void poll(struct gate *gate, struct mono now)
{
    struct gate_proof *proof = gate->proof;
    proof->poll_due = mono_add(now, gate_draw_pause_ms(gate));
    proof->prover = (proof->prover + 1) % gate->config.providers;
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        if (gate->tokens[i].used && gate->tokens[i].watched) {
            proof->rows[i].due = true;
        }
    }
    if (proof->standing == PROOF_ON && mono_since(proof->agreed_at, now) > GATE_ANSWER_AGE_MAX_MS &&
        watches_unproven(gate, now)) {
        gate_proof_set_standing(gate, PROOF_LACKING);
    }
    gate_place_gather(gate, now);
}

void gate_proof_on_deadline(struct gate *gate, struct now now)
{
    struct gate_proof *proof = gate->proof;
    if (proof == NULL || gate->config.providers == 0) {
        return;
    }
    hedge(gate, now.mono);
    for (size_t i = 0; i < GATE_HEADERS; i++) {
        on_header_deadline(gate, now, i);
    }
    if (proof->waiting && mono_due(proof->retry_at, now.mono)) {
        proof->waiting = false;
    }
    if (mono_due(proof->poll_due, now.mono)) {
        poll(gate, now.mono);
    }
}

// --- readings ---

void gate_proof_on_word(struct gate *gate, size_t slot, size_t provider, struct mono now)
{
    const struct gate_answer *answer = gate_answer_of(gate, slot, provider);
    struct gate_row *row = gate->proof == NULL ? NULL : &gate->proof->rows[slot];
    if (row != NULL && row->proven.held && answer->value.kind != ANSWER_FAILED &&
        !eth_address_equal(&answer->value.owner, &row->proven.owner) &&
        answer->block_number > row->proven.block_number &&
        mono_since(row->proven.read_at, now) >= GATE_PROOF_RETRY_MS) {
        row->due = true;
    }
}

void gate_proof_on_log(struct gate *gate, size_t slot, uint64_t block_number)
{
    struct gate_row *row = gate->proof == NULL ? NULL : &gate->proof->rows[slot];
    if (row != NULL && row->proven.block_number < block_number) {
        row->due = true;
    }
}

struct gate_reading gate_proof_reading(
    const struct gate *gate, size_t slot, struct mono now, const struct gate_reading *by_quorum)
{
    const struct gate_shown *proven = gate_proof_of(gate, slot, now);
    bool inactive = by_quorum->kind == VERDICT_YES && by_quorum->has_access && !by_quorum->active;
    if (proven == NULL) {
        if (inactive) { // what the flag takes away needs no owner
            return (struct gate_reading){.kind = VERDICT_NO, .reason = REASON_NOT_ACTIVE};
        }
        return by_quorum->kind == VERDICT_UNKNOWN
                   ? *by_quorum
                   : (struct gate_reading){.kind = VERDICT_UNKNOWN, .reason = REASON_NOT_PROVEN};
    }
    struct gate_reading reading = {
        .owner = proven->owner, .owner_proven = true, .age_ms = mono_since(proven->read_at, now)};
    if (eth_address_is_zero(&proven->owner)) {
        reading.kind = VERDICT_NO;
        reading.reason = REASON_NOT_OWNED;
    } else if (gate->profile == PROFILE_ERC721) {
        reading.kind = VERDICT_YES;
        reading.reason = REASON_AUTHORISED;
    } else if (by_quorum->kind == VERDICT_YES &&
               eth_address_equal(&by_quorum->owner, &proven->owner)) {
        uint64_t age_ms = reading.age_ms;
        reading = *by_quorum;
        reading.owner_proven = true;
        reading.age_ms = age_ms > reading.age_ms ? age_ms : reading.age_ms;
    } else {
        // Flag and key are wanted, and who is wrong about the owner is not believed about them.
        reading.kind = VERDICT_UNKNOWN;
        reading.reason =
            by_quorum->kind == VERDICT_UNKNOWN ? by_quorum->reason : REASON_CONTRADICTED;
    }
    return reading;
}

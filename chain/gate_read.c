// SPDX-License-Identifier: GPL-3.0-or-later
//
// From the providers' answers to what the chain says: quorum, changes of owner, chain time.
#include "chain/gate_state.h"

#include <string.h>

bool gate_values_equal(
    const struct gate *gate, const struct gate_value *a, const struct gate_value *b)
{
    if (a->kind != b->kind || a->kind != ANSWER_OWNED) {
        return a->kind == b->kind;
    }
    if (!eth_address_equal(&a->owner, &b->owner)) {
        return false;
    }
    if (gate->profile != PROFILE_DSTACK_ACCESS) {
        return true;
    }
    return a->access == b->access && a->active == b->active && a->stored_key == b->stored_key &&
           wg_key_equal(&a->wg_key, &b->wg_key);
}

const struct gate_answer *gate_usable_answer(
    const struct gate *gate, size_t slot, size_t provider, struct mono now)
{
    const struct gate_answer *answer = gate_answer_of(gate, slot, provider);
    if (answer->value.kind == ANSWER_NONE ||
        mono_since(answer->read_at, now) > GATE_ANSWER_AGE_MAX_MS) {
        return NULL;
    }
    return answer;
}

// Whether a value says something about the token. One whose flag cannot be read (any more) does
// not, where the contract has that flag: hidden is not absent.
static bool is_word(const struct gate *gate, const struct gate_value *value)
{
    if (value->kind == ANSWER_OWNED && gate->profile == PROFILE_DSTACK_ACCESS) {
        return value->access == ACCESS_READ;
    }
    return value->kind == ANSWER_OWNED || value->kind == ANSWER_DENIED;
}

static size_t count_equal(
    const struct gate *gate, size_t slot, const struct gate_value *value, struct mono now)
{
    size_t count = 0;
    for (size_t i = 0; i < gate->config.providers; i++) {
        const struct gate_answer *answer = gate_usable_answer(gate, slot, i, now);
        if (answer != NULL && gate_values_equal(gate, &answer->value, value)) {
            count++;
        }
    }
    return count;
}

// The reason that the most providers have for their silence; ties go to the later in the list.
enum verdict_reason gate_silence(const struct gate *gate)
{
    size_t unchecked = 0;
    size_t counts[3] = {0};
    static const enum verdict_reason reasons[3] = {
        REASON_STALE_HEAD, REASON_NO_CODE, REASON_WRONG_CHAIN};
    for (size_t i = 0; i < gate->config.providers; i++) {
        switch (gate->providers[i].health) {
        case PROVIDER_STALE:
            counts[0]++;
            break;
        case PROVIDER_NO_CODE:
            counts[1]++;
            break;
        case PROVIDER_WRONG_CHAIN:
            counts[2]++;
            break;
        case PROVIDER_UNCHECKED:
        case PROVIDER_GOOD:
            unchecked++;
            break;
        case PROVIDER_UNREACHABLE:
        case PROVIDER_FAULTY:
        case PROVIDER_RATE_LIMITED:
            break;
        }
    }
    if (unchecked >= gate->quorum) {
        return REASON_NOT_READ;
    }
    enum verdict_reason best = REASON_NO_ANSWER;
    size_t most = 0;
    for (size_t i = 0; i < 3; i++) {
        if (counts[i] > 0 && counts[i] >= most) {
            most = counts[i];
            best = reasons[i];
        }
    }
    return best;
}

static enum verdict_reason reason_unknown(const struct gate *gate, size_t slot, struct mono now)
{
    const struct gate_value *first = NULL;
    bool disagree = false;
    bool failed = false;
    for (size_t i = 0; i < gate->config.providers; i++) {
        const struct gate_answer *answer = gate_usable_answer(gate, slot, i, now);
        if (answer == NULL) {
            continue;
        }
        if (!is_word(gate, &answer->value)) {
            failed = true;
        } else if (first == NULL) {
            first = &answer->value;
        } else {
            disagree = disagree || !gate_values_equal(gate, first, &answer->value);
        }
    }
    if (disagree) {
        return REASON_DISAGREE;
    }
    return failed ? REASON_CONTRACT : gate_silence(gate);
}

static uint64_t oldest_age(
    const struct gate *gate, size_t slot, const struct gate_value *value, struct mono now)
{
    uint64_t oldest = 0;
    for (size_t i = 0; i < gate->config.providers; i++) {
        const struct gate_answer *answer = gate_usable_answer(gate, slot, i, now);
        if (answer != NULL && gate_values_equal(gate, &answer->value, value)) {
            uint64_t age = mono_since(answer->read_at, now);
            oldest = age > oldest ? age : oldest;
        }
    }
    return oldest;
}

// The time of the oldest block among the answers that name this owner (zero: that deny the token).
// Never too late: a new owner's signature must not look older than the change.
static uint64_t owner_seen(
    const struct gate *gate, size_t slot, const struct eth_address *owner, struct mono now)
{
    const struct gate_shown *proven =
        gate_proof_active(gate) ? gate_proof_of(gate, slot, now) : NULL;
    if (proven != NULL) {
        return proven->block_time_s;
    }
    uint64_t oldest = UINT64_MAX;
    for (size_t i = 0; i < gate->config.providers; i++) {
        const struct gate_answer *answer = gate_usable_answer(gate, slot, i, now);
        if (answer != NULL && eth_address_equal(&answer->value.owner, owner) &&
            answer->block_time_s < oldest) {
            oldest = answer->block_time_s;
        }
    }
    return oldest == UINT64_MAX ? 0 : oldest;
}

static struct gate_reading reading_of_value(const struct gate *gate, const struct gate_value *value)
{
    if (value->kind == ANSWER_DENIED) {
        return (struct gate_reading){.kind = VERDICT_NO, .reason = REASON_NOT_OWNED};
    }
    if (gate->profile == PROFILE_DETECT) {
        return (struct gate_reading){.kind = VERDICT_UNKNOWN, .reason = REASON_PROFILE};
    }
    struct gate_reading reading = {
        .kind = VERDICT_YES, .reason = REASON_AUTHORISED, .owner = value->owner};
    if (gate->profile == PROFILE_DSTACK_ACCESS) {
        reading.has_access = true;
        reading.active = value->active;
        reading.stored_key = value->stored_key;
        reading.wg_key = value->wg_key;
    }
    return reading;
}

struct gate_reading gate_quorum_reading(const struct gate *gate, size_t slot, struct mono now)
{
    if (gate->config.providers == 0) {
        return (struct gate_reading){.kind = VERDICT_UNKNOWN, .reason = REASON_NO_PROVIDER};
    }
    for (size_t i = 0; i < gate->config.providers; i++) {
        const struct gate_answer *answer = gate_usable_answer(gate, slot, i, now);
        if (answer == NULL || !is_word(gate, &answer->value) ||
            count_equal(gate, slot, &answer->value, now) < gate->quorum) {
            continue;
        }
        struct gate_reading reading = reading_of_value(gate, &answer->value);
        reading.age_ms = oldest_age(gate, slot, &answer->value, now);
        return reading;
    }
    return (struct gate_reading){
        .kind = VERDICT_UNKNOWN, .reason = reason_unknown(gate, slot, now)};
}

static struct gate_reading read_slot(const struct gate *gate, size_t slot, struct mono now)
{
    struct gate_reading reading = gate_quorum_reading(gate, slot, now);
    return gate_proof_active(gate) ? gate_proof_reading(gate, slot, now, &reading) : reading;
}

struct gate_reading gate_read(const struct gate *gate, const struct token_id *token, struct now now)
{
    size_t slot = gate_slot_find(gate, token);
    if (slot != SIZE_MAX) {
        return read_slot(gate, slot, now.mono);
    }
    return (struct gate_reading){.kind = VERDICT_UNKNOWN,
        .reason = gate->config.providers == 0 ? REASON_NO_PROVIDER : REASON_NOT_READ};
}

struct gate_statement gate_statement(
    const struct gate *gate, const struct token_id *token, size_t provider, struct now now)
{
    struct gate_statement statement = {.kind = VERDICT_UNKNOWN, .reason = REASON_NOT_READ};
    size_t slot = gate_slot_find(gate, token);
    const struct gate_answer *answer =
        slot == SIZE_MAX ? NULL : gate_usable_answer(gate, slot, provider, now.mono);
    if (answer == NULL) {
        return statement;
    }
    const struct gate_value *value = &answer->value;
    statement.block_number = answer->block_number;
    statement.age_ms = mono_since(answer->read_at, now.mono);
    switch (value->kind) {
    case ANSWER_NONE:
        break;
    case ANSWER_FAILED:
        statement.reason = REASON_CONTRACT;
        break;
    case ANSWER_DENIED:
        statement.kind = VERDICT_NO;
        statement.reason = REASON_NOT_OWNED;
        break;
    case ANSWER_OWNED:
        statement.kind = VERDICT_YES;
        statement.reason = REASON_AUTHORISED;
        statement.owner = value->owner;
        statement.has_access = value->access == ACCESS_READ;
        statement.active = value->active;
        statement.stored_key = value->stored_key;
        statement.wg_key = value->wg_key;
        break;
    }
    return statement;
}

enum status gate_last_owner(
    const struct gate *gate, const struct token_id *token, struct eth_address *ret)
{
    size_t slot = gate_slot_find(gate, token);
    if (slot == SIZE_MAX || eth_address_is_zero(&gate->tokens[slot].seat.owner)) {
        return ERR_NOT_FOUND;
    }
    *ret = gate->tokens[slot].seat.owner;
    return OK;
}

// A new owner (zero: none any more) inherits no floor. What was signed while the former one was
// still seen is refused from now on, so that a token that comes back revives nothing.
static void change_owner(
    struct gate *gate, struct gate_seat *seat, const struct eth_address *owner, uint64_t seen_s)
{
    if (!seat->owned_before && eth_address_is_zero(owner)) {
        return;
    }
    struct gate_seat fresh = {
        .owned_before = true,
        .owner = *owner,
        .owner_seen_s = seen_s,
        .epoch_min_s = seat->owned_before ? seat->owner_seen_s : 0,
    };
    if (seat->epoch_min_s > fresh.epoch_min_s) {
        fresh.epoch_min_s = seat->epoch_min_s;
    }
    *seat = fresh;
    gate->dirty = true;
}

// True if the seat has another owner than before.
static bool review_owner(
    struct gate *gate, size_t slot, const struct gate_reading *reading, struct mono now)
{
    struct gate_seat *seat = &gate->tokens[slot].seat;
    bool names_owner = reading->owner_proven ||
                       (reading->kind != VERDICT_UNKNOWN && reading->reason != REASON_NOT_ACTIVE);
    if (!names_owner) {
        return false;
    }
    uint64_t seen_s = owner_seen(gate, slot, &reading->owner, now);
    if (eth_address_equal(&seat->owner, &reading->owner)) {
        seat->owner_seen_s = seen_s > seat->owner_seen_s ? seen_s : seat->owner_seen_s;
        return false;
    }
    bool known_before = seat->owned_before;
    change_owner(gate, seat, &reading->owner, seen_s);
    if (!known_before) {
        gate->tokens[slot].known_since_s = seen_s;
    }
    return known_before;
}

// Whether a provider may still say something in this refresh.
static bool refresh_pending(const struct gate *gate, size_t slot, size_t provider, struct mono now)
{
    const struct gate_answer *answer = gate_answer_of(gate, slot, provider);
    const struct gate_provider *asked = &gate->providers[provider];
    if (answer->in_flight) {
        return true;
    }
    bool can_ask = mono_due(asked->retry_at, now) && (asked->checked || asked->checks_pending != 0);
    return answer->due && can_ask && mono_due(answer->not_before, now);
}

static bool refresh_complete(const struct gate *gate, size_t slot, struct mono now)
{
    size_t pending = 0;
    size_t answered = 0;
    for (size_t i = 0; i < gate->config.providers; i++) {
        if (refresh_pending(gate, slot, i, now)) {
            pending++;
        } else if (gate_usable_answer(gate, slot, i, now) != NULL) {
            answered++;
        }
    }
    if (gate_proof_pending(gate, slot, now)) {
        return false;
    }
    if (pending == 0) {
        return true;
    }
    return answered >= gate->quorum && read_slot(gate, slot, now).kind != VERDICT_UNKNOWN;
}

void gate_review(struct gate *gate, size_t slot, struct mono now)
{
    struct gate_token *token = &gate->tokens[slot];
    struct gate_reading reading = read_slot(gate, slot, now);
    struct gate_value value = {
        .kind = reading.kind == VERDICT_YES ? ANSWER_OWNED : ANSWER_NONE,
        .owner = reading.owner,
        .access = reading.has_access ? ACCESS_READ : ACCESS_NONE,
        .active = reading.active,
        .stored_key = reading.stored_key,
        .wg_key = reading.wg_key,
    };
    gate_grant_review(gate, token, &reading);
    bool owner_changed = review_owner(gate, slot, &reading, now);
    if (reading.kind != VERDICT_UNKNOWN && reading.age_ms <= now.ms) {
        token->was_read = true;
        token->read_at = (struct mono){.ms = now.ms - reading.age_ms};
    }
    bool changed = token->kind != reading.kind || token->reason != reading.reason ||
                   !gate_values_equal(gate, &token->value, &value);
    if (reading.kind == VERDICT_YES && token->kind != VERDICT_YES) {
        gate_search_on_reading(gate, now);
    }
    token->kind = reading.kind;
    token->reason = reading.reason;
    token->value = value;
    if (token->refreshing && refresh_complete(gate, slot, now)) {
        token->refreshing = false;
        changed = true;
    }
    if (changed || owner_changed) {
        gate_mark_changed(gate, slot, owner_changed);
    }
}

void gate_review_all(struct gate *gate, struct mono now)
{
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        if (gate->tokens[i].used) {
            gate_review(gate, i, now);
        }
    }
}

// The newest quorum head, moved along by the clock that never steps.
static uint64_t moved_head_ms(const struct gate *gate, struct mono now)
{
    return unix_time_add((struct unix_time){.ms = gate->head_ms}, mono_since(gate->head_at, now))
        .ms;
}

bool gate_head_fresh(const struct gate *gate, uint64_t head_s, struct now now)
{
    uint64_t reference_ms = now.unix_time.ms;
    if (gate->has_head && moved_head_ms(gate, now.mono) > reference_ms) {
        reference_ms = moved_head_ms(gate, now.mono);
    }
    if (head_s > UINT64_MAX / 1000) {
        return false;
    }
    uint64_t head_ms = head_s * 1000;
    return head_ms <=
               unix_time_add((struct unix_time){.ms = reference_ms}, GATE_FUTURE_MAX_MS).ms &&
           reference_ms <=
               unix_time_add((struct unix_time){.ms = head_ms}, gate->config.head_age_max_ms).ms;
}

// The time that k providers have reached: the k-th newest of the heads seen lately.
static bool quorum_head(const struct gate *gate, struct mono now, uint64_t *ret_s)
{
    uint64_t heads[GATE_PROVIDERS_MAX] = {0};
    size_t count = 0;
    for (size_t i = 0; i < gate->config.providers; i++) {
        const struct gate_provider *provider = &gate->providers[i];
        if (!provider->has_head || mono_since(provider->head_at, now) > GATE_ANSWER_AGE_MAX_MS) {
            continue;
        }
        size_t place = count++;
        while (place > 0 && heads[place - 1] < provider->head_time_s) {
            heads[place] = heads[place - 1];
            place--;
        }
        heads[place] = provider->head_time_s;
    }
    if (count < gate->quorum) {
        return false;
    }
    *ret_s = heads[gate->quorum - 1];
    return true;
}

void gate_take_head(
    struct gate *gate, size_t provider, uint64_t number, uint64_t head_s, struct mono now)
{
    struct gate_provider *source = &gate->providers[provider];
    source->head_number = number;
    source->head_time_s = head_s;
    source->head_at = now;
    source->has_head = true;
    gate_logs_head(gate, provider, number, head_s);
    uint64_t quorum_s = 0;
    if (!quorum_head(gate, now, &quorum_s)) {
        return;
    }
    gate->head_live = true;
    gate->head_confirmed_at = now;
    if (!gate->has_head || quorum_s * 1000 > moved_head_ms(gate, now)) {
        gate->head_ms = quorum_s * 1000;
        gate->head_at = now;
        gate->has_head = true;
    }
}

struct unix_time gate_time(const struct gate *gate, struct now now)
{
    uint64_t head_ms = gate->has_head ? moved_head_ms(gate, now.mono) : 0;
    bool live =
        gate->head_live && mono_since(gate->head_confirmed_at, now.mono) <= GATE_ANSWER_AGE_MAX_MS;
    if (live || head_ms > now.unix_time.ms) {
        return (struct unix_time){.ms = head_ms};
    }
    return now.unix_time;
}

void gate_take_profile(struct gate *gate, size_t provider, enum contract_profile profile)
{
    gate->providers[provider].profile = profile;
    if (gate->profile != PROFILE_DETECT || profile == PROFILE_DETECT) {
        return;
    }
    size_t count = 0;
    for (size_t i = 0; i < gate->config.providers; i++) {
        count += gate->providers[i].profile == profile ? 1 : 0;
    }
    if (count >= gate->quorum) {
        gate->profile = profile;
        gate->profile_changed = true;
        gate->dirty = true;
    }
}

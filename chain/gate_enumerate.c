// SPDX-License-Identifier: GPL-3.0-or-later
//
// Finding members on chain: by ERC721Enumerable where a quorum says that the contract has it, else
// by its Transfer logs (gate_history.c), else by asking for one id after the other until a long
// enough run of unknown ones. Last, those that are known and were not found are asked for by
// themselves. One provider serves a round, another one the next, so that none can hide a member for
// long; when it is slow or fails, the next one takes over where it is. What is found is a hint:
// each token is read by the quorum before it counts.
#include "chain/gate_state.h"

#include <string.h>

enum {
    STALL_MS = 30000, // a round that stands still for so long starts over
    RETRY_MS = 5000,
    MISSED_MIN = 2, // rounds in a row without a member before it is gone; at least the quorum
};

static const uint32_t interface_enumerable = 0x780e9d63;

static void mark_change(struct gate *gate, struct gate_member *member, enum member_state state)
{
    if (member->state == MEMBER_KNOWN && state != MEMBER_KNOWN) {
        gate->changes++;
    } else if (member->state != MEMBER_KNOWN && state == MEMBER_KNOWN) {
        gate->changes--;
    }
    member->state = state;
}

struct gate_cursor gate_enumeration_cursor(const struct gate *gate)
{
    const struct gate_enumeration *round = &gate->enumeration;
    struct gate_cursor cursor = {.way = round->way,
        .bounded = round->bounded,
        .next = round->next,
        .gap = round->gap,
        .searched = round->state == ENUMERATION_VERIFY};
    switch (round->state) {
    case ENUMERATION_IDLE:
    case ENUMERATION_INTERFACE:
        return round->cursor;
    case ENUMERATION_LOGS:
        return cursor;
    case ENUMERATION_INDEX:
    case ENUMERATION_SEQUENTIAL:
    case ENUMERATION_VERIFY:
        break;
    }
    cursor.held = true;
    return cursor;
}

// So many different providers must have left it out: fewer may be liars.
static size_t missed_max(const struct gate *gate)
{
    return gate->quorum > MISSED_MIN ? gate->quorum : MISSED_MIN;
}

static void end_round(struct gate *gate, struct now now, bool complete)
{
    struct gate_enumeration *round = &gate->enumeration;
    round->cursor = gate_enumeration_cursor(gate);
    round->cursor.held = round->cursor.held && !complete;
    round->state = ENUMERATION_IDLE;
    round->due = mono_add(now.mono, complete ? gate->config.enumerate_ms : RETRY_MS);
    if (!complete) {
        return;
    }
    round->announce = true;
    for (size_t i = 0; i < gate->member_count; i++) {
        struct gate_member *member = &gate->members[i];
        if (member->seen) {
            member->missed = 0;
        } else if (member->missed < missed_max(gate) && ++member->missed == missed_max(gate)) {
            mark_change(gate, member, MEMBER_GONE);
        }
    }
}

static void begin_round(struct gate *gate, struct now now)
{
    struct gate_enumeration *round = &gate->enumeration;
    round->state = ENUMERATION_INTERFACE;
    round->due = mono_add(now.mono, STALL_MS);
    bool goes_on = round->cursor.held || round->history.under_way;
    round->bounded = round->cursor.held && round->cursor.bounded;
    for (size_t i = 0; i < gate->config.providers; i++) {
        gate->providers[i].interface_due = true;
        gate->providers[i].enumerable = VERDICT_UNKNOWN; // its supply may be another by now
    }
    for (size_t i = 0; !goes_on && i < gate->member_count; i++) {
        gate->members[i].seen = false;
    }
}

void gate_enumeration_on_deadline(struct gate *gate, struct now now)
{
    struct gate_enumeration *round = &gate->enumeration;
    gate_hedge_on_deadline(&round->hedge, now.mono);
    if (gate->config.members_max == 0 || gate->config.providers == 0 ||
        !mono_due(round->due, now.mono)) {
        return;
    }
    if (round->state != ENUMERATION_IDLE) {
        end_round(gate, now, false);
        return;
    }
    begin_round(gate, now);
}

struct mono gate_enumeration_deadline(const struct gate *gate)
{
    const struct gate_enumeration *round = &gate->enumeration;
    bool searches = round->state == ENUMERATION_INDEX || round->state == ENUMERATION_SEQUENTIAL;
    return searches ? mono_min(round->due, gate_hedge_deadline(&round->hedge)) : round->due;
}

void gate_enumerate(struct gate *gate, struct now now)
{
    if (gate->config.members_max > 0 && gate->enumeration.state == ENUMERATION_IDLE) {
        gate->enumeration.due = now.mono;
        gate_enumeration_on_deadline(gate, now);
    }
}

static bool find_member(const struct gate *gate, const struct token_id *token, size_t *ret_place)
{
    size_t low = 0;
    size_t high = gate->member_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = token_id_compare(&gate->members[middle].id, token);
        if (order == 0) {
            *ret_place = middle;
            return true;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_place = low;
    return false;
}

// NULL: there is no room for it.
static struct gate_member *insert_member(
    struct gate *gate, size_t place, const struct token_id *token)
{
    if (gate->member_count == gate->config.members_max) {
        return NULL;
    }
    struct gate_member *member = &gate->members[place];
    memmove(member + 1, member, (gate->member_count - place) * sizeof *member);
    *member = (struct gate_member){.id = *token, .state = MEMBER_KNOWN};
    gate->member_count++;
    mark_change(gate, member, MEMBER_NEW);
    return member;
}

static void add_member(struct gate *gate, const struct token_id *token)
{
    size_t place = 0;
    bool known = find_member(gate, token, &place);
    struct gate_member *member = known ? &gate->members[place] : insert_member(gate, place, token);
    if (member == NULL) {
        gate->enumeration.bounded = true;
        return;
    }
    member->seen = true;
    if (member->state == MEMBER_GONE) {
        mark_change(gate, member, MEMBER_NEW);
    }
}

void gate_member_restore(struct gate *gate, const struct token_id *token, bool seen, uint8_t missed)
{
    size_t place = 0;
    struct gate_member *member =
        find_member(gate, token, &place) ? NULL : insert_member(gate, place, token);
    if (member != NULL) {
        member->seen = seen;
        member->missed = missed < missed_max(gate) ? missed : 0;
    }
}

void gate_member_seen(struct gate *gate, const struct token_id *token, bool exists)
{
    size_t place = 0;
    if (exists) {
        add_member(gate, token);
    } else if (find_member(gate, token, &place)) {
        gate->members[place].seen = false;
    }
}

// Not `seen`: the next rounds find it, too, or it goes.
bool gate_member_hint(struct gate *gate, const struct token_id *token)
{
    size_t place = 0;
    return !find_member(gate, token, &place) && insert_member(gate, place, token) != NULL;
}

static void end_if_done(struct gate *gate, struct now now)
{
    const struct gate_enumeration *round = &gate->enumeration;
    bool done = round->state == ENUMERATION_INDEX
                    ? round->next >= round->total
                    : round->gap >= gate->config.enumerate_gap_max || round->bounded;
    if (done) {
        gate_enumeration_searched(gate, now);
    }
}

static void begin_search(struct gate *gate, struct now now, size_t provider, enum gate_way way)
{
    static const enum enumeration_state states[] = {
        [GATE_WAY_NONE] = ENUMERATION_IDLE,
        [GATE_WAY_INDEX] = ENUMERATION_INDEX,
        [GATE_WAY_SEQUENTIAL] = ENUMERATION_SEQUENTIAL,
        [GATE_WAY_LOGS] = ENUMERATION_LOGS,
    };
    struct gate_enumeration *round = &gate->enumeration;
    bool index = way == GATE_WAY_INDEX;
    struct gate_cursor cursor = round->cursor;
    bool goes_on = cursor.held && cursor.way == way;
    round->cursor.held = false;
    round->provider = provider;
    round->state = states[way];
    round->way = way;
    round->next = goes_on ? cursor.next : 0;
    round->gap = goes_on ? cursor.gap : 0;
    if (goes_on && cursor.searched) {
        gate_enumeration_searched(gate, now);
        return;
    }
    if (way == GATE_WAY_LOGS) {
        gate_hedge_begin(&round->hedge, provider);
        gate_history_begin(gate);
        return;
    }
    round->total = gate->providers[provider].supply;
    round->chunk = GATE_ENUMERATE_CHUNK;
    gate_hedge_begin(&round->hedge, provider);
    if (index && round->total > gate->config.members_max) {
        round->bounded = true;
        round->total = gate->config.members_max;
    }
    end_if_done(gate, now);
}

// Once enough providers have spoken: how this round goes on, and who serves it.
static void choose_way(struct gate *gate, struct now now)
{
    size_t yes = 0;
    size_t no = 0;
    size_t waiting = 0;
    for (size_t i = 0; i < gate->config.providers; i++) {
        const struct gate_provider *provider = &gate->providers[i];
        yes += provider->enumerable == VERDICT_YES ? 1 : 0;
        no += provider->enumerable == VERDICT_NO ? 1 : 0;
        waiting += provider->interface_due && provider->checked ? 1 : 0;
    }
    bool decided = yes >= gate->quorum || no >= gate->quorum;
    if (!decided && (waiting > 0 || yes + no < gate->quorum)) {
        return;
    }
    bool index = yes >= gate->quorum;
    for (size_t i = 0; i < gate->config.providers; i++) {
        size_t place = (gate->enumeration.provider + 1 + i) % gate->config.providers;
        const struct gate_provider *provider = &gate->providers[place];
        if (!provider->checked || provider->interface_due ||
            (index && provider->enumerable != VERDICT_YES)) {
            continue;
        }
        const struct gate_cursor *cursor = &gate->enumeration.cursor;
        bool logs = mono_due(gate->enumeration.history.refused_until, now.mono) &&
                    !(cursor->held && cursor->way == GATE_WAY_SEQUENTIAL);
        enum gate_way without = logs ? GATE_WAY_LOGS : GATE_WAY_SEQUENTIAL;
        begin_search(gate, now, place, index ? GATE_WAY_INDEX : without);
        return;
    }
}

void gate_enumeration_in_sequence(struct gate *gate, struct now now)
{
    begin_search(gate, now, gate->enumeration.provider, GATE_WAY_SEQUENTIAL);
}

void gate_enumeration_interrupted(struct gate *gate, struct now now)
{
    end_round(gate, now, false);
}

void gate_enumeration_moved(struct gate *gate, struct now now, size_t provider)
{
    struct gate_enumeration *round = &gate->enumeration;
    round->provider = provider; // whoever answers serves on
    round->due = mono_add(now.mono, STALL_MS);
    gate_hedge_begin(&round->hedge, provider);
}

// --- those that a round has not found ---

// Lays out the members to ask for next, behind the last ones. The round ends if there are none.
static void next_verifies(struct gate *gate, struct now now)
{
    struct gate_enumeration *round = &gate->enumeration;
    size_t place = 0;
    if (round->has_verified && find_member(gate, &round->verified, &place)) {
        place++;
    }
    round->verify_count = 0;
    round->serial++;
    for (; place < gate->member_count && round->verify_count < round->chunk; place++) {
        if (!gate->members[place].seen) {
            round->verifies[round->verify_count++] = gate->members[place].id;
        }
    }
    if (round->verify_count == 0) {
        end_round(gate, now, true);
    }
}

void gate_enumeration_searched(struct gate *gate, struct now now)
{
    struct gate_enumeration *round = &gate->enumeration;
    round->state = ENUMERATION_VERIFY;
    round->has_verified = false;
    round->chunk = (uint16_t)gate->enumerate_max;
    gate_hedge_begin(&round->hedge, round->provider);
    next_verifies(gate, now);
}

// Only a denial says that it is gone.
static void take_verified(
    struct gate *gate, const struct aggregate *aggregate, size_t index, size_t count)
{
    struct gate_enumeration *round = &gate->enumeration;
    size_t place = 0;
    bool success = false;
    struct span data;
    struct eth_address owner;
    round->verified = round->verifies[index];
    round->has_verified = true;
    bool denied = aggregate_result(aggregate, index, &success, &data) == OK &&
                  (success ? data.size == ABI_WORD && abi_read_address(data, 0, &owner) == OK &&
                                 eth_address_is_zero(&owner)
                           : data.size > 0 || count == 1);
    if (!denied && find_member(gate, &round->verified, &place)) {
        gate->members[place].seen = true;
    }
}

static size_t chunk_of_round(const struct gate *gate)
{
    const struct gate_enumeration *round = &gate->enumeration;
    if (round->state == ENUMERATION_INDEX && round->total - round->next < round->chunk) {
        return (size_t)(round->total - round->next);
    }
    return round->chunk;
}

bool gate_enumeration_call(
    struct gate *gate, size_t provider, struct mono now, struct gate_inflight *call)
{
    struct gate_enumeration *round = &gate->enumeration;
    struct gate_provider *asked = &gate->providers[provider];
    switch (round->state) {
    case ENUMERATION_IDLE:
        return false;
    case ENUMERATION_INTERFACE:
        if (!asked->interface_due) {
            return false;
        }
        asked->interface_due = false;
        call->kind = CALL_INTERFACE;
        return true;
    case ENUMERATION_LOGS:
        return gate_hedge_take(gate, &round->hedge, provider, now) && gate_history_call(gate, call);
    case ENUMERATION_INDEX:
    case ENUMERATION_SEQUENTIAL:
    case ENUMERATION_VERIFY:
        break;
    }
    if (!gate_hedge_take(gate, &round->hedge, provider, now)) {
        return false;
    }
    call->kind = CALL_MEMBERS;
    call->first = round->next;
    if (round->state == ENUMERATION_VERIFY) {
        call->first = round->serial;
        call->count = (uint16_t)gate_provider_reads(gate, provider, round->verify_count);
        return true;
    }
    call->count = (uint16_t)gate_provider_reads(gate, provider, chunk_of_round(gate));
    return true;
}

void gate_enumeration_write(
    struct gate *gate, const struct gate_inflight *call, struct reads_writer *reads)
{
    const struct eth_address *contract = &gate->config.network.contract;
    uint8_t word[ABI_WORD];
    reads_begin(reads, gate_call_reads(call));
    if (call->kind == CALL_INTERFACE) {
        struct writer argument = writer_of(word, sizeof word);
        memset(word, 0, sizeof word);
        write_u32(&argument, interface_enumerable); // bytes4 stands at the left of its word
        reads_add(reads, contract, abi_supports_interface, word);
        reads_add(reads, contract, abi_total_supply, word);
        reads_end(reads);
        return;
    }
    uint32_t selector =
        gate->enumeration.state == ENUMERATION_INDEX ? abi_token_by_index : abi_owner_of;
    bool verifies = gate->enumeration.state == ENUMERATION_VERIFY;
    for (size_t i = 0; i < call->count; i++) {
        abi_word_of_u64(call->first + i, word);
        reads_add(reads, contract, selector, verifies ? gate->enumeration.verifies[i].bytes : word);
    }
    reads_end(reads);
}

static void take_interface(struct gate *gate, size_t provider, const struct aggregate *aggregate)
{
    struct gate_provider *asked = &gate->providers[provider];
    bool success = false;
    bool supports = false;
    struct span data;
    asked->enumerable = VERDICT_NO;
    if (aggregate_result(aggregate, 0, &success, &data) != OK || !success ||
        abi_read_bool(data, 0, &supports) != OK || !supports) {
        return;
    }
    if (aggregate_result(aggregate, 1, &success, &data) != OK || !success ||
        data.size != ABI_WORD) {
        return;
    }
    uint64_t supply = 0;
    enum status status = abi_read_u64(data, 0, &supply);
    asked->enumerable = VERDICT_YES;
    asked->supply = status == ERR_RANGE ? UINT64_MAX : supply;
}

static void take_index(struct gate *gate, const struct aggregate *aggregate, size_t index)
{
    bool success = false;
    struct span data;
    struct token_id token;
    if (aggregate_result(aggregate, index, &success, &data) == OK && success &&
        data.size == ABI_WORD && abi_read_word(data, 0, token.bytes) == OK) {
        add_member(gate, &token);
    }
}

static void take_id(struct gate *gate, const struct aggregate *aggregate, size_t index, uint64_t id)
{
    bool success = false;
    struct span data;
    struct eth_address owner;
    if (aggregate_result(aggregate, index, &success, &data) == OK && success &&
        data.size == ABI_WORD && abi_read_address(data, 0, &owner) == OK &&
        !eth_address_is_zero(&owner)) {
        struct token_id token = token_id_of_u64(id);
        add_member(gate, &token);
        gate->enumeration.gap = 0;
    } else {
        gate->enumeration.gap++;
    }
}

static void take_members(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct aggregate *aggregate)
{
    struct gate_enumeration *round = &gate->enumeration;
    for (size_t i = 0; i < call->count; i++) {
        if (round->state == ENUMERATION_INDEX) {
            take_index(gate, aggregate, i);
        } else if (round->state == ENUMERATION_VERIFY) {
            take_verified(gate, aggregate, i, call->count);
        } else {
            take_id(gate, aggregate, i, call->first + i);
        }
    }
    if (round->state == ENUMERATION_VERIFY) {
        round->due = mono_add(now.mono, STALL_MS);
        next_verifies(gate, now);
        return;
    }
    round->next = call->first + call->count;
    size_t chunk = 2U * call->count;
    round->chunk = (uint16_t)(chunk > gate->enumerate_max ? gate->enumerate_max : chunk);
    round->due = mono_add(now.mono, STALL_MS);
    end_if_done(gate, now);
}

// A reply of an earlier round, or of one that has been given up.
static bool is_stale(const struct gate *gate, const struct gate_inflight *call)
{
    const struct gate_enumeration *round = &gate->enumeration;
    bool asked = (round->hedge.asked & 1U << call->provider) != 0;
    bool of_search = round->state == ENUMERATION_INDEX || round->state == ENUMERATION_SEQUENTIAL;
    bool awaited = (of_search && call->first == round->next) ||
                   (round->state == ENUMERATION_VERIFY && call->first == round->serial);
    return !asked || !awaited;
}

void gate_enumeration_reply(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct aggregate *aggregate)
{
    if (call->kind == CALL_INTERFACE) {
        take_interface(gate, call->provider, aggregate);
        if (gate->enumeration.state == ENUMERATION_INTERFACE) {
            choose_way(gate, now);
        }
        return;
    }
    if (is_stale(gate, call)) {
        return;
    }
    // Whoever answers serves on.
    gate->enumeration.provider = call->provider;
    gate_hedge_begin(&gate->enumeration.hedge, call->provider);
    if (aggregate->starved && call->count > 1) {
        gate->enumeration.chunk = call->count / 2;
        gate->enumeration.verify_count = call->count / 2;
        return;
    }
    take_members(gate, now, call, aggregate);
}

void gate_enumeration_again(struct gate *gate, const struct gate_inflight *call)
{
    if (call->kind == CALL_INTERFACE) {
        gate->providers[call->provider].interface_due = true;
    } else if (!is_stale(gate, call)) {
        gate_hedge_begin(&gate->enumeration.hedge, call->provider);
    }
}

void gate_enumeration_failed(
    struct gate *gate, struct now now, const struct gate_inflight *call, bool refused)
{
    struct gate_enumeration *round = &gate->enumeration;
    if (call->kind == CALL_INTERFACE) {
        gate->providers[call->provider].enumerable = refused ? VERDICT_NO : VERDICT_UNKNOWN;
        if (round->state == ENUMERATION_INTERFACE) {
            choose_way(gate, now);
        }
        return;
    }
    if (is_stale(gate, call)) {
        return;
    }
    if (!refused) {
        if (!gate_hedge_failed(gate, &round->hedge)) {
            end_round(gate, now, false);
        }
        return;
    }
    gate_hedge_begin(&round->hedge, call->provider);
    bool verifies = round->state == ENUMERATION_VERIFY;
    if (call->count > 1) {
        round->chunk = call->count / 2;
        round->due = mono_add(now.mono, STALL_MS);
        round->verify_count = verifies ? round->chunk : 0;
    } else if (verifies) { // what cannot be asked for is not gone
        round->verified = round->verifies[0];
        round->has_verified = true;
        gate_member_seen(gate, &round->verified, true);
        next_verifies(gate, now);
    } else { // this one place spoils even a call of its own: pass it by
        round->next++;
        round->gap++;
        end_if_done(gate, now);
    }
}

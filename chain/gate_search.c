// SPDX-License-Identifier: GPL-3.0-or-later
//
// A search for members as another process may go on with it: what was found so far, and where it
// stands. Big-endian:
//
//   providers u8 | provider u8 | found u32 | found x ( token 32 | flags u8 | missed u8 )
//   cursor u8 | next u64 | gap u32
//   history u8 | passes u8 | deployed, next, passed, low, high, newest, before, range u64
//
// Members are in ascending order; their flag 1: found in the round under way. The provider is the
// one whose turn was before the one that goes on. Cursor: the way in the low bits, 128 that there
// is one, 64 that the search itself was through, 32 that there are more tokens than it may find.
// History: the flags below. What was searched with another number of providers counts for nothing,
// but what was found stays. Such a state hides no more than the provider of its round could: the
// next round is another one's.
#include "chain/gate_state.h"

enum {
    MEMBER_SIZE = 32 + 1 + 1,
    FIXED_SIZE = 1 + 1 + 4 + 1 + 8 + 4 + 1 + 1 + 8 * 8,
    CURSOR_WAY = 3,
    CURSOR_BOUNDED = 32,
    CURSOR_SEARCHED = 64,
    CURSOR_HELD = 128,
    HISTORY_UNDER_WAY = 1,
    HISTORY_HALVING = 2,
    HISTORY_FLAGS = 3,
};

size_t gate_search_size(const struct gate *gate)
{
    return FIXED_SIZE + gate->member_count * MEMBER_SIZE;
}

static void write_cursor(struct writer *writer, const struct gate *gate)
{
    struct gate_cursor cursor = gate_enumeration_cursor(gate);
    unsigned flags = (unsigned)cursor.way | (cursor.bounded ? CURSOR_BOUNDED : 0U) |
                     (cursor.searched ? CURSOR_SEARCHED : 0U);
    write_u8(writer, (uint8_t)(cursor.held ? CURSOR_HELD | flags : 0U));
    write_u64(writer, cursor.held ? cursor.next : 0);
    write_u32(writer, cursor.held ? cursor.gap : 0);
}

static void write_history(struct writer *writer, const struct gate_history *history)
{
    const uint64_t numbers[] = {history->deployed, history->walk.next, history->walk.passed,
        history->low, history->high, history->newest, history->before, history->range.blocks};
    write_u8(writer, (uint8_t)((history->under_way ? HISTORY_UNDER_WAY : 0) |
                               (history->halving ? HISTORY_HALVING : 0)));
    write_u8(writer, history->passes);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        write_u64(writer, numbers[i]);
    }
}

void gate_search_export(const struct gate *gate, struct writer *writer)
{
    const struct gate_enumeration *round = &gate->enumeration;
    size_t providers = gate->config.providers;
    bool serves = round->state != ENUMERATION_IDLE && round->state != ENUMERATION_INTERFACE;
    write_u8(writer, (uint8_t)providers);
    write_u8(writer,
        (uint8_t)(serves ? (round->provider + providers - 1) % providers : round->provider));
    write_u32(writer, (uint32_t)gate->member_count);
    for (size_t i = 0; i < gate->member_count; i++) {
        const struct gate_member *member = &gate->members[i];
        write_bytes(writer, member->id.bytes, sizeof member->id.bytes);
        write_u8(writer, member->seen ? 1 : 0);
        write_u8(writer, member->missed);
    }
    write_cursor(writer, gate);
    write_history(writer, &round->history);
}

static void read_cursor(struct reader *reader, struct gate_cursor *ret)
{
    uint8_t flags = read_u8(reader);
    *ret = (struct gate_cursor){
        .held = (flags & CURSOR_HELD) != 0,
        .searched = (flags & CURSOR_SEARCHED) != 0,
        .bounded = (flags & CURSOR_BOUNDED) != 0,
        .way = (enum gate_way)(flags & CURSOR_WAY),
    };
    ret->next = read_u64(reader);
    ret->gap = read_u32(reader);
    if ((flags & ~(CURSOR_HELD | CURSOR_SEARCHED | CURSOR_BOUNDED | CURSOR_WAY)) != 0 ||
        (!ret->held && (flags != 0 || ret->next != 0 || ret->gap != 0))) {
        reader_fail(reader, ERR_NOT_CANONICAL);
    }
}

static void read_history(struct reader *reader, size_t quorum, struct gate_history *ret)
{
    uint8_t flags = read_u8(reader);
    uint8_t passes = read_u8(reader);
    *ret = (struct gate_history){
        .under_way = (flags & HISTORY_UNDER_WAY) != 0,
        .halving = (flags & HISTORY_HALVING) != 0,
        .passes = passes < quorum ? passes : (uint8_t)quorum,
    };
    uint64_t *const numbers[] = {&ret->deployed, &ret->walk.next, &ret->walk.passed, &ret->low,
        &ret->high, &ret->newest, &ret->before};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        *numbers[i] = read_u64(reader);
    }
    uint64_t blocks = read_u64(reader);
    ret->range = log_range_of(
        blocks == 0 || blocks > LOGS_RANGE_MAX ? LOGS_RANGE_DEFAULT : blocks, LOGS_RANGE_MAX);
    if ((flags & ~HISTORY_FLAGS) != 0) {
        reader_fail(reader, ERR_NOT_CANONICAL);
    }
}

// With `gate`, into it: the second run of a checked state.
static void read_members(struct reader *reader, uint32_t count, struct gate *gate)
{
    struct token_id last = token_id_zero;
    for (uint32_t i = 0; i < count && reader->failure == OK; i++) {
        struct token_id token;
        read_bytes(reader, token.bytes, sizeof token.bytes);
        uint8_t seen = read_u8(reader);
        uint8_t missed = read_u8(reader);
        if (reader->failure == OK &&
            (seen > 1 || (i > 0 && token_id_compare(&token, &last) <= 0))) {
            reader_fail(reader, ERR_NOT_CANONICAL);
        }
        last = token;
        if (gate != NULL) {
            gate_member_restore(gate, &token, seen == 1, missed);
        }
    }
}

enum status gate_search_import(struct gate *gate, struct reader *reader, bool *ret_goes_on)
{
    struct gate_enumeration *round = &gate->enumeration;
    struct gate_cursor cursor;
    struct gate_history history;
    uint8_t providers = read_u8(reader);
    uint8_t provider = read_u8(reader);
    uint32_t count = read_u32(reader);
    struct reader members = *reader;
    read_members(reader, count, NULL);
    read_cursor(reader, &cursor);
    read_history(reader, gate->quorum, &history);
    if (reader->failure != OK) {
        return reader->failure;
    }
    if (provider >= providers || gate->member_count != 0) {
        return ERR_MALFORMED;
    }
    if (count > gate->config.members_max) {
        return ERR_FULL;
    }
    if (ret_goes_on == NULL) {
        return OK;
    }
    read_members(&members, count, gate);
    *ret_goes_on = providers == gate->config.providers;
    if (*ret_goes_on) {
        round->provider = provider;
        round->cursor = cursor;
        round->bounded = cursor.bounded;
        round->way = cursor.held ? cursor.way : GATE_WAY_NONE;
        round->next = cursor.next;
        round->history = history;
    }
    return OK;
}

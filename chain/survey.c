// SPDX-License-Identifier: GPL-3.0-or-later
//
// A list of all tokens, on top of a gate that watches nothing: it enumerates once for each provider
// of a quorum, then refreshes one token after the other, as many at a time as its table holds.
//
// The state for --resume: "DMSV" | version u8 = 2 | phase u8 | rounds u8 | bounded u8 | count u32,
// then, while there are no rows yet, the search (chain/gate_search.c), else `count` rows of
//     token 32 | flags u8 | and if it was read: owner 20 | stored key u8 | WireGuard key 32
//              | created at s u64 | size u8 | node id
// in ascending order, then the gate's own state (chain/gate_persist.c). What stayed unknown is
// written as not read: it is asked for again.
#include "chain/survey.h"

#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = 4 * GATE_CHUNK_TOKENS, // tokens in the air
    TOKENS_MAX = 1 << 20,
    RETRY_PAUSE_MS = 1000,
    TRIES_MAX = 3, // readings of a token that stay unknown by its own fault
    VERSION = 2,   // of version 1, which had no search, there is no more use
    HEAD_SIZE = 4 + 1 + 1 + 1 + 1 + 4,
    ROW_FIXED_SIZE = 20 + 1 + 32 + 8 + 1,
};

enum row_flag {
    ROW_READ = 1,
    ROW_YES = 2,
    ROW_HAS_ACCESS = 4,
    ROW_ACTIVE = 8,
    ROW_HAS_DETAIL = 16,
    ROW_FLAGS = 31,
};

static const uint8_t magic[4] = {'D', 'M', 'S', 'V'};

// A row on its way.
struct row {
    struct survey_row shown;
    bool asked;
    uint8_t tries;
};

struct survey {
    struct survey_config config;
    struct gate *gate;
    enum survey_phase phase;
    enum verdict_reason reason;
    struct row *rows;
    size_t count;
    size_t read;
    size_t asked;   // refreshes in the air; at most as many as the gate has places
    size_t next;    // no row before this one is still to be asked
    uint8_t rounds; // of the search, complete
    bool bounded;
    uint64_t searched; // to see progress by
    struct mono moved_at;
    struct mono retry_at; // READING: when to ask for what failed
};

static struct gate_config gate_config_of(const struct survey_config *config)
{
    return (struct gate_config){
        .network = config->network,
        .profile = config->profile,
        .trust = config->trust,
        .providers = config->providers,
        .tokens_max = config->tokens_max < SLOTS ? config->tokens_max : SLOTS,
        .members_max = config->tokens_max,
        .head_age_max_ms = config->head_age_max_ms,
        .enumerate_gap_max = config->gap_max,
        .details = true,
    };
}

enum status survey_create(
    const struct survey_config *config, struct rng *rng, struct now now, struct survey **ret)
{
    struct survey *survey = calloc(1, sizeof *survey);
    if (survey == NULL) {
        return ERR_FULL;
    }
    survey->config = *config;
    survey->moved_at = now.mono;
    if (config->tokens_max == 0) {
        survey->config.tokens_max = SURVEY_TOKENS_DEFAULT;
    }
    struct gate_config gate_config = gate_config_of(&survey->config);
    enum status status = config->providers == 0 || config->tokens_max > TOKENS_MAX ? ERR_RANGE : OK;
    if (status == OK) {
        status = gate_create(&gate_config, rng, &survey->gate);
    }
    if (status == OK) {
        survey->rows = calloc(survey->config.tokens_max, sizeof *survey->rows);
        status = survey->rows == NULL ? ERR_FULL : OK;
    }
    if (status != OK) {
        survey_destroy(survey);
        return status;
    }
    gate_enumerate(survey->gate, now);
    *ret = survey;
    return OK;
}

void survey_destroy(struct survey *survey)
{
    if (survey == NULL) {
        return;
    }
    gate_destroy(survey->gate);
    free(survey->rows);
    free(survey);
}

static struct row *find_row(struct survey *survey, const struct token_id *token)
{
    size_t low = 0;
    size_t high = survey->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = token_id_compare(&survey->rows[middle].shown.token, token);
        if (order == 0) {
            return &survey->rows[middle];
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

static void set_phase(struct survey *survey, struct now now, enum survey_phase phase)
{
    survey->phase = phase;
    survey->moved_at = now.mono;
}

static void begin_reading(struct survey *survey, struct now now)
{
    survey->count = gate_member_count(survey->gate);
    for (size_t i = 0; i < survey->count; i++) {
        survey->rows[i] = (struct row){.shown = {.token = gate_member(survey->gate, i)}};
    }
    set_phase(survey, now, survey->count == 0 ? SURVEY_DONE : SURVEY_READING);
}

static void on_enumerated(struct survey *survey, struct now now, bool bounded)
{
    if (survey->phase != SURVEY_FINDING) {
        return;
    }
    survey->bounded = survey->bounded || bounded;
    survey->moved_at = now.mono;
    survey->rounds++;
    if (survey->rounds >= gate_trust(survey->gate).quorum) {
        begin_reading(survey, now);
    } else {
        gate_enumerate(survey->gate, now);
    }
}

// What another try may change: the providers, not the token.
static bool is_passing(enum verdict_reason reason)
{
    return reason == REASON_NOT_READ || reason == REASON_NO_ANSWER || reason == REASON_STALE_HEAD ||
           reason == REASON_WRONG_CHAIN || reason == REASON_NO_CODE;
}

static void ask_again(struct survey *survey, struct row *row, struct now now)
{
    size_t index = (size_t)(row - survey->rows);
    row->asked = false;
    survey->asked--;
    survey->next = index < survey->next ? index : survey->next;
    survey->retry_at = mono_add(now.mono, RETRY_PAUSE_MS);
}

static void take_reading(struct survey *survey, struct now now, struct survey_row *row,
    const struct gate_reading *reading)
{
    row->read = true;
    row->kind = reading->kind;
    row->reason = reading->reason;
    row->owner = reading->owner;
    row->has_access = reading->has_access;
    row->active = reading->active;
    row->stored_key = reading->stored_key;
    row->wg_key = reading->wg_key;
    row->has_detail =
        reading->has_access && gate_read_detail(survey->gate, &row->token, now, &row->detail) == OK;
}

static void on_token(struct survey *survey, struct now now, const struct gate_event *event)
{
    struct row *row = find_row(survey, &event->token);
    if (row == NULL || !row->asked) {
        return;
    }
    struct gate_reading reading = gate_read(survey->gate, &event->token, now);
    if (reading.kind == VERDICT_UNKNOWN) {
        if (event->refreshing) {
            return; // there is more to come
        }
        if (is_passing(reading.reason) || ++row->tries < TRIES_MAX) {
            ask_again(survey, row, now);
            return;
        }
    }
    take_reading(survey, now, &row->shown, &reading);
    row->asked = false;
    survey->asked--;
    survey->read++;
    survey->moved_at = now.mono;
    if (survey->read == survey->count) {
        set_phase(survey, now, SURVEY_DONE);
    }
}

static void drain(struct survey *survey, struct now now)
{
    struct gate_event event;
    while (gate_next_event(survey->gate, &event)) {
        switch (event.kind) {
        case GATE_EVENT_TOKEN:
            on_token(survey, now, &event);
            break;
        case GATE_EVENT_ENUMERATED:
            on_enumerated(survey, now, event.bounded);
            break;
        case GATE_EVENT_MEMBER:
            survey->moved_at = now.mono;
            break;
        case GATE_EVENT_MEMBER_GONE:
        case GATE_EVENT_PROVIDER:
        case GATE_EVENT_PROFILE:
        case GATE_EVENT_PROOF:
            break;
        }
    }
}

static bool can_ask(const struct survey *survey, struct now now)
{
    return survey->phase == SURVEY_READING && survey->next < survey->count &&
           survey->asked < SLOTS && mono_due(survey->retry_at, now.mono);
}

// After every input: what the gate has to say, and what it is to do next.
static void settle(struct survey *survey, struct now now)
{
    drain(survey, now);
    uint64_t searched = gate_enumeration_status(survey->gate).searched;
    if (searched != survey->searched) {
        survey->searched = searched;
        survey->moved_at = now.mono;
    }
    while (can_ask(survey, now)) {
        struct row *row = &survey->rows[survey->next];
        if (!row->asked && !row->shown.read) {
            if (gate_refresh(survey->gate, &row->shown.token, now) != OK) {
                return; // all of its places are in use: when they are through
            }
            row->asked = true;
            survey->asked++;
        }
        survey->next++;
        drain(survey, now); // at once: a place whose refresh is through may be given to another
    }
}

bool survey_next_call(struct survey *survey, struct now now, struct gate_call *ret)
{
    if (survey->phase == SURVEY_DONE || survey->phase == SURVEY_FAILED) {
        return false;
    }
    return gate_next_call(survey->gate, now, ret);
}

void survey_on_reply(
    struct survey *survey, struct now now, uint64_t id, const struct rpc_reply *reply)
{
    gate_on_reply(survey->gate, now, id, reply);
    settle(survey, now);
}

struct mono survey_next_deadline(const struct survey *survey)
{
    if (survey->phase == SURVEY_DONE || survey->phase == SURVEY_FAILED) {
        return mono_never();
    }
    struct mono next = gate_next_deadline(survey->gate);
    next = mono_min(next, mono_add(survey->moved_at, SURVEY_STALL_MS));
    bool waiting =
        survey->phase == SURVEY_READING && survey->next < survey->count && survey->asked < SLOTS;
    return waiting ? mono_min(next, survey->retry_at) : next;
}

void survey_on_deadline(struct survey *survey, struct now now)
{
    gate_on_deadline(survey->gate, now);
    settle(survey, now);
    bool running = survey->phase == SURVEY_FINDING || survey->phase == SURVEY_READING;
    if (running && mono_due(mono_add(survey->moved_at, SURVEY_STALL_MS), now.mono)) {
        survey->phase = SURVEY_FAILED;
        survey->reason = gate_silence(survey->gate);
    }
}

struct survey_progress survey_progress(const struct survey *survey)
{
    struct gate_enumeration_status search = gate_enumeration_status(survey->gate);
    bool finding = survey->phase == SURVEY_FINDING;
    return (struct survey_progress){
        .phase = survey->phase,
        .reason = survey->reason,
        .found = survey->count > 0 ? survey->count : gate_member_count(survey->gate),
        .rows = survey->count,
        .read = survey->read,
        .searched = finding ? search.searched : 0,
        .search_total = finding ? search.total : 0,
        .bounded = survey->bounded,
    };
}

const struct survey_row *survey_row(const struct survey *survey, size_t index)
{
    ASSERT(index < survey->count);
    return &survey->rows[index].shown;
}

const struct gate *survey_gate(const struct survey *survey)
{
    return survey->gate;
}

// --- what --resume keeps ---

static bool is_kept(const struct survey_row *row)
{
    return row->read && row->kind != VERDICT_UNKNOWN;
}

static size_t row_size(const struct survey_row *row)
{
    return 32 + 1 + (is_kept(row) ? ROW_FIXED_SIZE + (size_t)row->detail.node_id_size : 0);
}

size_t survey_state_size(const struct survey *survey)
{
    size_t size = HEAD_SIZE + gate_state_size_max(survey->gate) + gate_search_size(survey->gate);
    for (size_t i = 0; i < survey->count; i++) {
        size += row_size(&survey->rows[i].shown);
    }
    return size;
}

static void write_row(struct writer *writer, const struct survey_row *row)
{
    unsigned flags = ROW_READ | (row->kind == VERDICT_YES ? ROW_YES : 0U) |
                     (row->has_access ? ROW_HAS_ACCESS : 0U) | (row->active ? ROW_ACTIVE : 0U) |
                     (row->has_detail ? ROW_HAS_DETAIL : 0U);
    write_bytes(writer, row->token.bytes, sizeof row->token.bytes);
    write_u8(writer, is_kept(row) ? (uint8_t)flags : 0);
    if (!is_kept(row)) {
        return;
    }
    write_bytes(writer, row->owner.bytes, sizeof row->owner.bytes);
    write_u8(writer, (uint8_t)row->stored_key);
    write_bytes(writer, row->wg_key.bytes, sizeof row->wg_key.bytes);
    write_u64(writer, row->detail.created_at_s);
    write_u8(writer, row->detail.node_id_size);
    write_bytes(writer, row->detail.node_id, row->detail.node_id_size);
}

enum status survey_state_export(struct survey *survey, struct now now, struct writer *writer)
{
    bool reading = survey->count > 0;
    write_bytes(writer, magic, sizeof magic);
    write_u8(writer, VERSION);
    write_u8(writer, reading ? SURVEY_READING : SURVEY_FINDING);
    write_u8(writer, survey->rounds);
    write_u8(writer, survey->bounded ? 1 : 0);
    write_u32(writer, (uint32_t)survey->count);
    for (size_t i = 0; i < survey->count; i++) {
        write_row(writer, &survey->rows[i].shown);
    }
    if (!reading) {
        gate_search_export(survey->gate, writer);
    }
    return gate_state_export(survey->gate, now, writer);
}

static void read_row(struct reader *reader, struct survey_row *ret)
{
    *ret = (struct survey_row){.read = false};
    read_bytes(reader, ret->token.bytes, sizeof ret->token.bytes);
    uint8_t flags = read_u8(reader);
    ret->read = (flags & ROW_READ) != 0;
    ret->kind = (flags & ROW_YES) != 0 ? VERDICT_YES : VERDICT_NO;
    ret->reason = ret->kind == VERDICT_YES ? REASON_AUTHORISED : REASON_NOT_OWNED;
    ret->has_access = (flags & ROW_HAS_ACCESS) != 0;
    ret->active = (flags & ROW_ACTIVE) != 0;
    ret->has_detail = (flags & ROW_HAS_DETAIL) != 0;
    if ((flags & ~ROW_FLAGS) != 0 || (!ret->read && flags != 0)) {
        reader_fail(reader, ERR_NOT_CANONICAL);
    }
    if (!ret->read) {
        return;
    }
    read_bytes(reader, ret->owner.bytes, sizeof ret->owner.bytes);
    uint8_t stored_key = read_u8(reader);
    if (stored_key > STORED_KEY_USABLE) {
        reader_fail(reader, ERR_MALFORMED);
    }
    ret->stored_key = (enum stored_key)stored_key;
    read_bytes(reader, ret->wg_key.bytes, sizeof ret->wg_key.bytes);
    ret->detail.created_at_s = read_u64(reader);
    ret->detail.node_id_size = read_u8(reader);
    read_bytes(reader, ret->detail.node_id, ret->detail.node_id_size);
}

// The rows up to the gate's state; with `rows`, into them.
static void read_rows(struct reader *reader, size_t count, struct row *rows)
{
    struct survey_row row;
    struct token_id last = token_id_zero;
    for (size_t i = 0; i < count && reader->failure == OK; i++) {
        read_row(reader, &row);
        if (i > 0 && reader->failure == OK && token_id_compare(&row.token, &last) <= 0) {
            reader_fail(reader, ERR_NOT_CANONICAL);
        }
        last = row.token;
        if (rows != NULL) {
            rows[i] = (struct row){.shown = row};
        }
    }
}

// The rest of a state that has been checked. True if its rounds count.
static bool take_state(struct survey *survey, struct now now, struct reader *reader, size_t count)
{
    bool goes_on = false;
    if (count == 0) {
        enum status status = gate_search_import(survey->gate, reader, &goes_on);
        ASSERT(status == OK);
        return goes_on;
    }
    read_rows(reader, count, survey->rows);
    survey->count = count;
    for (size_t i = 0; i < count; i++) {
        survey->read += survey->rows[i].shown.read ? 1 : 0;
    }
    set_phase(survey, now, survey->read == count ? SURVEY_DONE : SURVEY_READING);
    return false;
}

enum status survey_state_import(struct survey *survey, struct now now, struct span state)
{
    uint8_t found[sizeof magic];
    struct reader reader = reader_of(state);
    read_bytes(&reader, found, sizeof found);
    uint8_t version = read_u8(&reader);
    uint8_t phase = read_u8(&reader);
    uint8_t rounds = read_u8(&reader);
    uint8_t bounded = read_u8(&reader);
    uint32_t count = read_u32(&reader);
    if (reader.failure == OK && memcmp(found, magic, sizeof magic) == 0 && version != VERSION) {
        return ERR_VERSION;
    }
    if (reader.failure != OK || memcmp(found, magic, sizeof magic) != 0 || bounded > 1 ||
        phase != (count > 0 ? SURVEY_READING : SURVEY_FINDING)) {
        return reader.failure != OK ? reader.failure : ERR_MALFORMED;
    }
    if (count > survey->config.tokens_max) {
        return ERR_FULL;
    }
    struct reader rows = reader;
    read_rows(&reader, count, NULL);
    enum status status = reader.failure;
    if (status == OK && phase == SURVEY_FINDING) {
        status = gate_search_import(survey->gate, &reader, NULL);
    }
    if (status == OK) {
        status = gate_state_import(survey->gate, now, reader.rest);
    }
    if (status != OK) {
        return status;
    }
    bool goes_on = take_state(survey, now, &rows, count);
    survey->bounded = bounded == 1;
    // As many rounds as the quorum takes end the search: one at least is left.
    size_t rounds_max = gate_trust(survey->gate).quorum - 1;
    survey->rounds = goes_on ? (uint8_t)(rounds < rounds_max ? rounds : rounds_max) : 0;
    return OK;
}

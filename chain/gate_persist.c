// SPDX-License-Identifier: GPL-3.0-or-later
//
// What outlives a restart. One encoding for each state, big-endian, entries in ascending order:
//
//   "DMGT" | version u8 = 3 | chain id u64 | contract 20 | profile u8 | head ms u64
//   pinned u8 | place 32 | code hash 32 | implementation 32 | logs u64 | count u16
//   count x ( token 32 | owner 20 | owner seen s u64 | epoch min s u64
//             | flags u8 | epoch s u64 | node key 32 | sequence u64 | last yes ms u64 )
//
// Version 1 has no pin (from `pinned` on up to the count), version 2 no `logs`, the first block
// whose logs fewer than k providers have told (0: none); both are still read. Without a pin, as
// where owners were never proven, its fields are zeroes. Flags: 1 the seat is taken, 2 its owner
// has been seen at the grant tag. A seat that is not taken has zeroes from the epoch on. The head
// is the newest that a quorum has shown, moved along to the moment of the export: validity is never
// judged by an earlier time.
#include "chain/gate_state.h"

#include <string.h>

enum {
    FLAG_TAKEN = 1,
    FLAG_GRANTED = 2,
    VERSION = 3,
    VERSION_WITHOUT_LOGS = 2,
    VERSION_WITHOUT_PIN = 1,
    PIN_SIZE = 1 + 3 * 32,
    HEADER_SIZE = 4 + 1 + 8 + 20 + 1 + 8 + PIN_SIZE + 8 + 2,
    ENTRY_SIZE = 32 + 20 + 8 + 8 + 1 + 8 + 32 + 8 + 8,
};

static const uint8_t magic[4] = {'D', 'M', 'G', 'T'};

bool gate_state_dirty(const struct gate *gate)
{
    return gate->dirty;
}

size_t gate_state_size_max(const struct gate *gate)
{
    return HEADER_SIZE + gate->config.tokens_max * ENTRY_SIZE;
}

static bool is_kept(const struct gate_token *token)
{
    return token->used && token->seat.owned_before;
}

// The kept token with the smallest id above `above` (NULL: the smallest of all), or NULL.
static const struct gate_token *next_kept(const struct gate *gate, const struct token_id *above)
{
    const struct gate_token *best = NULL;
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        const struct gate_token *token = &gate->tokens[i];
        if (is_kept(token) && (above == NULL || token_id_compare(&token->id, above) > 0) &&
            (best == NULL || token_id_compare(&token->id, &best->id) < 0)) {
            best = token;
        }
    }
    return best;
}

static void write_entry(struct writer *writer, const struct gate_token *token)
{
    const struct gate_seat *seat = &token->seat;
    write_bytes(writer, token->id.bytes, sizeof token->id.bytes);
    write_bytes(writer, seat->owner.bytes, sizeof seat->owner.bytes);
    write_u64(writer, seat->owner_seen_s);
    write_u64(writer, seat->epoch_min_s);
    write_u8(
        writer, (uint8_t)((seat->taken ? FLAG_TAKEN : 0) | (seat->granted ? FLAG_GRANTED : 0)));
    write_u64(writer, seat->epoch_s);
    write_bytes(writer, seat->node_key.bytes, sizeof seat->node_key.bytes);
    write_u64(writer, seat->sequence);
    write_u64(writer, seat->last_yes_ms);
}

// A pin outlives a time without proofs: whoever switches them on again has seen this code before.
static void write_pin(struct writer *writer, const struct gate_pin *pin)
{
    write_u8(writer, pin->pinned ? 1 : 0);
    write_bytes(writer, pin->place.bytes, sizeof pin->place.bytes);
    write_bytes(writer, pin->code.hash.bytes, sizeof pin->code.hash.bytes);
    write_bytes(writer, pin->code.implementation.bytes, sizeof pin->code.implementation.bytes);
}

enum status gate_state_export(struct gate *gate, struct now now, struct writer *writer)
{
    const struct network *network = &gate->config.network;
    uint64_t head_ms = 0;
    uint16_t count = 0;
    if (gate->has_head) {
        head_ms = unix_time_add(
            (struct unix_time){.ms = gate->head_ms}, mono_since(gate->head_at, now.mono))
                      .ms;
    }
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        count = (uint16_t)(count + (is_kept(&gate->tokens[i]) ? 1 : 0));
    }
    write_bytes(writer, magic, sizeof magic);
    write_u8(writer, VERSION);
    write_u64(writer, network->chain_id);
    write_bytes(writer, network->contract.bytes, sizeof network->contract.bytes);
    write_u8(writer, (uint8_t)gate->profile);
    write_u64(writer, head_ms);
    write_pin(writer, &gate->pin);
    write_u64(writer, gate_logs_reached(gate));
    write_u16(writer, count);
    const struct gate_token *token = next_kept(gate, NULL);
    for (; token != NULL; token = next_kept(gate, &token->id)) {
        write_entry(writer, token);
    }
    enum status status = writer_finish(writer);
    if (status == OK) {
        gate->dirty = false;
    }
    return status;
}

struct entry {
    struct token_id token;
    struct gate_seat seat;
};

static void read_entry(struct reader *reader, uint64_t head_ms, struct entry *ret)
{
    struct gate_seat *seat = &ret->seat;
    *seat = (struct gate_seat){.owned_before = true};
    read_bytes(reader, ret->token.bytes, sizeof ret->token.bytes);
    read_bytes(reader, seat->owner.bytes, sizeof seat->owner.bytes);
    seat->owner_seen_s = read_u64(reader);
    seat->epoch_min_s = read_u64(reader);
    uint8_t flags = read_u8(reader);
    seat->taken = (flags & FLAG_TAKEN) != 0;
    seat->granted = (flags & FLAG_GRANTED) != 0;
    seat->epoch_s = read_u64(reader);
    read_bytes(reader, seat->node_key.bytes, sizeof seat->node_key.bytes);
    seat->sequence = read_u64(reader);
    seat->last_yes_ms = read_u64(reader);
    if (reader->failure != OK) {
        return;
    }
    bool empty = seat->epoch_s == 0 && node_key_is_zero(&seat->node_key) && seat->sequence == 0 &&
                 seat->last_yes_ms == 0;
    if (flags > (FLAG_TAKEN | FLAG_GRANTED) || (!seat->taken && !empty)) {
        reader_fail(reader, ERR_NOT_CANONICAL);
    } else if (seat->last_yes_ms > head_ms) {
        reader_fail(reader, ERR_MALFORMED); // a yes needs a head: grace cannot be made longer
    }
}

// The header's fields that are used.
struct header {
    enum contract_profile profile;
    uint64_t head_ms;
    struct gate_pin pin;
    uint64_t logs;
    uint16_t count;
};

static void read_pin(struct reader *reader, struct gate_pin *ret)
{
    static const struct gate_pin none = {.pinned = false};
    uint8_t pinned = read_u8(reader);
    read_bytes(reader, ret->place.bytes, sizeof ret->place.bytes);
    read_bytes(reader, ret->code.hash.bytes, sizeof ret->code.hash.bytes);
    read_bytes(reader, ret->code.implementation.bytes, sizeof ret->code.implementation.bytes);
    ret->pinned = pinned == 1;
    bool empty = storage_slot_equal(&ret->place, &none.place) &&
                 hash256_equal(&ret->code.hash, &none.code.hash) &&
                 storage_slot_equal(&ret->code.implementation, &none.code.implementation);
    if (reader->failure == OK && (pinned > 1 || (pinned == 0 && !empty))) {
        reader_fail(reader, ERR_NOT_CANONICAL);
    }
}

static void read_header(struct reader *reader, const struct network *network, struct header *ret)
{
    uint8_t found[sizeof magic];
    struct network own;
    read_bytes(reader, found, sizeof found);
    uint8_t version = read_u8(reader);
    own.chain_id = read_u64(reader);
    read_bytes(reader, own.contract.bytes, sizeof own.contract.bytes);
    uint8_t profile = read_u8(reader);
    ret->head_ms = read_u64(reader);
    bool own_kind = memcmp(found, magic, sizeof magic) == 0;
    if (version != VERSION_WITHOUT_PIN) {
        read_pin(reader, &ret->pin);
    }
    if (version != VERSION_WITHOUT_PIN && version != VERSION_WITHOUT_LOGS) {
        ret->logs = read_u64(reader);
    }
    ret->count = read_u16(reader);
    if (reader->failure != OK) {
        return;
    }
    if (own_kind && version != VERSION && version != VERSION_WITHOUT_LOGS &&
        version != VERSION_WITHOUT_PIN) {
        reader_fail(reader, ERR_VERSION);
    } else if (!own_kind || profile > PROFILE_DSTACK_ACCESS) {
        reader_fail(reader, ERR_MALFORMED);
    } else if (own.chain_id != network->chain_id ||
               !eth_address_equal(&own.contract, &network->contract)) {
        reader_fail(reader, ERR_MISMATCH);
    } else {
        ret->profile = (enum contract_profile)profile;
    }
}

// Reads the whole state; with a gate, takes it in. The second run of a checked state cannot fail.
static enum status read_state(struct span state, const struct network *network, struct now now,
    struct gate *gate, struct header *ret)
{
    struct reader reader = reader_of(state);
    struct header header = {.profile = PROFILE_DETECT};
    struct entry entry;
    struct token_id last = token_id_zero;
    read_header(&reader, network, &header);
    for (size_t i = 0; i < header.count && reader.failure == OK; i++) {
        read_entry(&reader, header.head_ms, &entry);
        if (i > 0 && reader.failure == OK && token_id_compare(&entry.token, &last) <= 0) {
            reader_fail(&reader, ERR_NOT_CANONICAL);
        }
        last = entry.token;
        size_t slot = 0;
        if (gate != NULL && i < gate->config.tokens_max &&
            gate_slot_claim(gate, &entry.token, now.mono, &slot) == OK) {
            gate->tokens[slot].seat = entry.seat;
            gate->tokens[slot].known_since_s = entry.seat.owner_seen_s;
        }
    }
    *ret = header;
    return reader_finish(&reader);
}

enum status gate_state_import(struct gate *gate, struct now now, struct span state)
{
    struct header header;
    enum status status = read_state(state, &gate->config.network, now, NULL, &header);
    if (status != OK) {
        return status;
    }
    status = read_state(state, &gate->config.network, now, gate, &header);
    ASSERT(status == OK);
    if (gate->profile == PROFILE_DETECT) {
        gate->profile = header.profile;
    }
    gate_pin_import(gate, &header.pin);
    gate_logs_resume(gate, header.logs);
    if (header.head_ms > 0 && (!gate->has_head || header.head_ms > gate->head_ms)) {
        gate->head_ms = header.head_ms;
        gate->head_at = now.mono;
        gate->has_head = true;
    }
    return OK;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Records and tombstones to bytes and back; their order. The seal, where there is one, goes around
// the whole plain value.
#include "dht/record.h"

#include "dht/parts.h"
#include "dht/seal.h"

#include <string.h>

enum {
    RECORD_ELEMENTS = 12,
    TOMBSTONE_ELEMENTS = 3,
    SEALED_ELEMENTS = 2,
    // Array, form, head of the binary, nonce and tag.
    SEALED_OVERHEAD = 2 + PACK_BINARY_OVERHEAD_MAX + SEAL_OVERHEAD,
    PLAIN_SEALED_MAX_SIZE = RECORD_MAX_SIZE - SEALED_OVERHEAD,
    FLAGS_MAX = 0x7f, // unknown ones are kept and mean nothing
};

static const char record_label[] = "deedmesh/1 record";

static bool is_zero(const uint8_t *bytes, size_t size)
{
    uint8_t any = 0;
    for (size_t i = 0; i < size; i++) {
        any |= bytes[i];
    }
    return any == 0;
}

static void pack_body(
    struct writer *writer, const struct record *record, const struct candidates *candidates)
{
    pack_array(writer, RECORD_ELEMENTS);
    pack_uint(writer, VALUE_RECORD);
    pack_binary(writer, span_of(record->token.bytes, sizeof record->token.bytes));
    pack_binary(writer, span_of(record->node_key.bytes, sizeof record->node_key.bytes));
    pack_binary(writer, span_of(record->wg_key.bytes, sizeof record->wg_key.bytes));
    pack_uint(writer, record->sequence);
    pack_uint(writer, record->boot);
    pack_uint(writer, record->not_after_s);
    pack_uint(writer, (uint64_t)record->nat_class);
    pack_uint(writer, record->flags);
    pack_candidates(writer, candidates);
    pack_delegation(writer, &record->delegation);
}

static void pack_tombstone(struct writer *writer, const struct record *record)
{
    pack_array(writer, TOMBSTONE_ELEMENTS);
    pack_uint(writer, VALUE_TOMBSTONE);
    pack_binary(writer, span_of(record->token.bytes, sizeof record->token.bytes));
    pack_delegation(writer, &record->delegation);
}

// The delegation must be about this very seat and node.
static bool fields_are_valid(const struct record *record)
{
    if (!token_id_equal(&record->token, &record->delegation.token) ||
        !node_key_equal(&record->node_key, &record->delegation.node_key)) {
        return false;
    }
    return record_is_tombstone(record) ||
           (!is_zero(record->wg_key.bytes, sizeof record->wg_key.bytes) &&
               record->nat_class <= NAT_BLOCKED && record->flags <= FLAGS_MAX);
}

static struct signed_part signed_part_of(const struct network_keys *keys, struct span body)
{
    return (struct signed_part){
        .label = record_label,
        .context = span_of(keys->id.bytes, sizeof keys->id.bytes),
        .body = body,
    };
}

static void pack_record(struct writer *writer, const struct network_keys *keys,
    const struct node_secret *secret, const struct record *record)
{
    // Once without candidates, to learn what room is left for them.
    struct candidates none = {0};
    pack_body(writer, record, &none);
    if (writer->failure != OK) {
        return;
    }
    ASSERT(writer->size + SIGNATURE_PACKED_SIZE <= writer->capacity);
    size_t room = writer->capacity - writer->size - SIGNATURE_PACKED_SIZE + 1;
    size_t limit = RECORD_CANDIDATES_MAX_SIZE + 1; // + 1: the array's own byte
    struct candidates fitting =
        candidates_fitting(&record->candidates, room < limit ? room : limit);
    writer->size = 0;
    pack_body(writer, record, &fitting);
    struct signed_part part = signed_part_of(keys, writer_written(writer));
    pack_signature(writer, &part, secret, &record->node_key);
}

static void pack_sealed(struct writer *writer, const struct network_keys *keys,
    const struct token_id *token, struct span plain)
{
    struct dht_key at = key_of_record(keys, token);
    uint8_t sealed[RECORD_MAX_SIZE];
    ASSERT(plain.size <= PLAIN_SEALED_MAX_SIZE);
    seal_under_secret(keys, &at, plain, sealed);
    pack_array(writer, SEALED_ELEMENTS);
    pack_uint(writer, VALUE_SEALED);
    pack_binary(writer, span_of(sealed, plain.size + SEAL_OVERHEAD));
}

enum status record_encode(const struct network_keys *keys, const struct node_secret *secret,
    const struct record *record, uint8_t ret[static RECORD_MAX_SIZE], size_t *ret_size)
{
    bool tombstone = record_is_tombstone(record);
    if (!fields_are_valid(record) || tombstone != (secret == NULL)) {
        return ERR_RANGE;
    }
    uint8_t bytes[RECORD_MAX_SIZE];
    struct writer plain =
        writer_of(bytes, keys->has_secret ? PLAIN_SEALED_MAX_SIZE : RECORD_MAX_SIZE);
    if (tombstone) {
        pack_tombstone(&plain, record);
    } else {
        pack_record(&plain, keys, secret, record);
    }
    if (writer_finish(&plain) != OK) {
        return writer_finish(&plain);
    }
    struct writer writer = writer_of(ret, RECORD_MAX_SIZE);
    if (keys->has_secret) {
        pack_sealed(&writer, keys, &record->token, writer_written(&plain));
    } else {
        write_span(&writer, writer_written(&plain));
    }
    ASSERT(writer_finish(&writer) == OK);
    *ret_size = writer.size;
    return OK;
}

static void unpack_token(struct reader *reader, struct record *record)
{
    unpack_fixed(reader, record->token.bytes, sizeof record->token.bytes);
    record->delegation.token = record->token;
}

static void unpack_record(struct reader *reader, struct record *record)
{
    unpack_form(reader, VALUE_RECORD, RECORD_ELEMENTS);
    unpack_token(reader, record);
    unpack_fixed(reader, record->node_key.bytes, sizeof record->node_key.bytes);
    record->delegation.node_key = record->node_key;
    unpack_fixed(reader, record->wg_key.bytes, sizeof record->wg_key.bytes);
    record->sequence = unpack_uint(reader, UINT64_MAX);
    record->boot = unpack_uint(reader, UINT64_MAX);
    record->not_after_s = unpack_uint(reader, UINT64_MAX);
    record->nat_class = (enum nat_class)unpack_uint(reader, NAT_BLOCKED);
    record->flags = (uint32_t)unpack_uint(reader, FLAGS_MAX);
    unpack_candidates(reader, RECORD_CANDIDATES_MAX_SIZE + 1, &record->candidates);
    unpack_delegation(reader, &record->delegation);
    (void)unpack_binary(reader, SIGNATURE_SIZE, SIGNATURE_SIZE);
    if (reader->failure == OK && (record_is_tombstone(record) || !fields_are_valid(record))) {
        reader_fail(reader, ERR_RANGE);
    }
}

static enum status parse_plain(struct parsed_record *parsed)
{
    struct span plain = span_of(parsed->plain, parsed->plain_size);
    struct reader reader = reader_of(plain);
    if (value_form_of(plain) == VALUE_TOMBSTONE) {
        unpack_form(&reader, VALUE_TOMBSTONE, TOMBSTONE_ELEMENTS);
        unpack_token(&reader, &parsed->record);
        unpack_delegation(&reader, &parsed->record.delegation);
    } else {
        unpack_record(&reader, &parsed->record);
    }
    return reader_finish(&reader);
}

static enum status open_sealed(const struct network_keys *keys, const struct dht_key *at,
    struct span value, struct parsed_record *parsed)
{
    struct reader reader = reader_of(value);
    unpack_form(&reader, VALUE_SEALED, SEALED_ELEMENTS);
    struct span sealed = unpack_binary(&reader, SEAL_OVERHEAD, RECORD_MAX_SIZE);
    enum status status = reader_finish(&reader);
    if (status != OK) {
        return status;
    }
    parsed->plain_size = (uint16_t)(sealed.size - SEAL_OVERHEAD);
    return seal_open_under_secret(keys, at, sealed, parsed->plain);
}

enum status record_parse(const struct network_keys *keys, const struct dht_key *at,
    struct span value, struct parsed_record *ret)
{
    if (value.size > RECORD_MAX_SIZE) {
        return ERR_TOO_LARGE;
    }
    struct parsed_record parsed = {0};
    enum value_form form = value_form_of(value);
    enum status status = OK;
    if (form == VALUE_SEALED) {
        status = open_sealed(keys, at, value, &parsed);
    } else if (keys->has_secret && (form == VALUE_RECORD || form == VALUE_TOMBSTONE)) {
        status = ERR_SEAL;
    } else if (value.size > 0) {
        memcpy(parsed.plain, value.data, value.size);
        parsed.plain_size = (uint16_t)value.size;
    }
    if (status == OK) {
        status = parse_plain(&parsed);
    }
    if (status != OK) {
        return status;
    }
    struct dht_key key = key_of_record(keys, &parsed.record.token);
    if (!dht_key_equal(&key, at)) {
        return ERR_MISMATCH;
    }
    *ret = parsed;
    return OK;
}

enum status record_verify(const struct network_keys *keys, const struct parsed_record *parsed)
{
    if (record_is_tombstone(&parsed->record)) {
        return OK;
    }
    ASSERT(parsed->plain_size > SIGNATURE_PACKED_SIZE);
    size_t body_size = parsed->plain_size - (size_t)SIGNATURE_PACKED_SIZE;
    struct signed_part part = signed_part_of(keys, span_of(parsed->plain, body_size));
    const uint8_t *signature = parsed->plain + parsed->plain_size - SIGNATURE_SIZE;
    return signature_verify(&part, signature, &parsed->record.node_key);
}

enum status record_decode(const struct network_keys *keys, const struct dht_key *at,
    struct span value, struct record *ret)
{
    struct parsed_record parsed;
    enum status status = record_parse(keys, at, value, &parsed);
    if (status == OK) {
        status = record_verify(keys, &parsed);
    }
    if (status == OK) {
        *ret = parsed.record;
    }
    return status;
}

enum status record_check_time(const struct record *record, struct unix_time now)
{
    uint64_t now_s = now.ms / 1000;
    if (record_is_tombstone(record)) {
        return OK;
    }
    if (record->not_after_s <= now_s) {
        return ERR_EXPIRED;
    }
    return record->not_after_s - now_s > RECORD_LIFETIME_MAX_S ? ERR_FUTURE : OK;
}

enum status record_check_delegation_time(const struct record *record, struct unix_time now)
{
    const struct delegation *delegation = &record->delegation;
    uint64_t now_s = now.ms / 1000;
    if (now_s > delegation->not_after_s) {
        return ERR_EXPIRED;
    }
    bool early = now_s < delegation->not_before_s;
    bool ahead =
        delegation->epoch_s > now_s && delegation->epoch_s - now_s > DELEGATION_EPOCH_AHEAD_MAX_S;
    return early || ahead ? ERR_FUTURE : OK;
}

bool record_outranks(const struct record *a, const struct record *b)
{
    if (a->delegation.epoch_s != b->delegation.epoch_s) {
        return a->delegation.epoch_s > b->delegation.epoch_s;
    }
    int order = node_key_compare(&a->node_key, &b->node_key);
    return order != 0 ? order < 0 : a->sequence > b->sequence;
}

bool record_displaces(const struct record *seen, const struct record *own)
{
    bool other = !node_key_equal(&seen->node_key, &own->node_key) || seen->boot != own->boot;
    return other && record_outranks(seen, own);
}

static uint64_t max_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t successor(uint64_t value)
{
    return value == UINT64_MAX ? value : value + 1;
}

uint64_t record_next_sequence(struct unix_time now, uint64_t persisted, uint64_t read_back)
{
    return max_of(now.ms, max_of(successor(persisted), successor(read_back)));
}

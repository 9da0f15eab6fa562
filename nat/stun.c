// SPDX-License-Identifier: GPL-3.0-or-later
//
// The decoder walks the attributes once. An attribute that may stand once and comes twice is an
// error for ours and ignored for the RFC's (RFC 8489, section 14: the first counts).
#include "nat/stun.h"

#include <string.h>

enum {
    MAGIC_COOKIE = 0x2112A442,
    ATTRIBUTE_MAPPED_ADDRESS = 0x0001,
    ATTRIBUTE_USERNAME = 0x0006,
    ATTRIBUTE_MESSAGE_INTEGRITY = 0x0008,
    ATTRIBUTE_ERROR_CODE = 0x0009,
    ATTRIBUTE_UNKNOWN_ATTRIBUTES = 0x000A,
    ATTRIBUTE_REALM = 0x0014,
    ATTRIBUTE_NONCE = 0x0015,
    ATTRIBUTE_MESSAGE_INTEGRITY_SHA256 = 0x001C,
    ATTRIBUTE_PASSWORD_ALGORITHM = 0x001D,
    ATTRIBUTE_USERHASH = 0x001E,
    ATTRIBUTE_XOR_MAPPED_ADDRESS = 0x0020,
    ATTRIBUTE_PADDING = 0x0026,
    ATTRIBUTE_OPTIONAL = 0x8000, // comprehension-optional from here on
    ATTRIBUTE_FINGERPRINT = 0x8028,
    FAMILY_BYTE_IPV4 = 1,
    FAMILY_BYTE_IPV6 = 2,
    LENGTH_OFFSET = 2,
    TRANSACTION_OFFSET = 8,
    ATTRIBUTE_HEADER_SIZE = 4,
    FINGERPRINT_XOR = 0x5354554e,
};

// What the walk over the attributes has seen besides what it stores.
struct walk {
    struct span datagram;
    struct stun_message message;
    bool has_mapped;
    bool has_xor_mapped;
    bool has_integrity; // all but FINGERPRINT behind it is to be ignored
    bool has_fingerprint;
};

// CRC-32 of ISO 3309 (the one of Ethernet), bit by bit: messages are short.
static uint32_t crc32_of(struct span bytes)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= bytes.data[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xEDB88320U : 0);
        }
    }
    return ~crc;
}

static uint16_t type_of(enum stun_kind kind, enum stun_method method)
{
    uint32_t m = (uint32_t)method;
    uint32_t k = (uint32_t)kind;
    return (uint16_t)((m & 0x00F) | ((k & 1) << 4) | ((m & 0x070) << 1) | ((k & 2) << 7) |
                      ((m & 0xF80) << 2));
}

static uint16_t method_of(uint16_t type)
{
    return (uint16_t)((type & 0x000F) | ((type & 0x00E0) >> 1) | ((type & 0x3E00) >> 2));
}

static enum stun_kind kind_of(uint16_t type)
{
    return (enum stun_kind)(((type >> 4) & 1) | ((type >> 7) & 2));
}

bool stun_is(struct span datagram)
{
    struct reader reader = reader_of(datagram);
    uint16_t type = read_u16(&reader);
    read_u16(&reader);
    uint32_t cookie = read_u32(&reader);
    return datagram.size >= STUN_HEADER_SIZE && (type & 0xC000) == 0 && cookie == MAGIC_COOKIE;
}

// The mask of XOR-MAPPED-ADDRESS: cookie, then transaction id.
static void mask_of(const struct stun_transaction *transaction, uint8_t ret[static 16])
{
    struct writer writer = writer_of(ret, 16);
    write_u32(&writer, MAGIC_COOKIE);
    write_bytes(&writer, transaction->bytes, sizeof transaction->bytes);
}

static enum status decode_mapped(
    struct span value, const struct stun_transaction *mask_by, struct address *ret)
{
    uint8_t mask[16] = {0};
    if (mask_by != NULL) {
        mask_of(mask_by, mask);
    }
    struct reader reader = reader_of(value);
    read_u8(&reader); // reserved: to be ignored
    uint8_t family = read_u8(&reader);
    struct address mapped = {0};
    mapped.port = (uint16_t)(read_u16(&reader) ^ ((mask[0] << 8) | mask[1]));
    if (family == FAMILY_BYTE_IPV4) {
        mapped.family = FAMILY_IPV4;
    } else if (family == FAMILY_BYTE_IPV6) {
        mapped.family = FAMILY_IPV6;
    } else {
        return ERR_MALFORMED;
    }
    size_t ip_size = address_ip_size(&mapped);
    read_bytes(&reader, mapped.ip, ip_size);
    if (reader_finish(&reader) != OK) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < ip_size; i++) {
        mapped.ip[i] ^= mask[i];
    }
    *ret = mapped;
    return OK;
}

static enum status decode_error_code(struct span value, uint16_t *ret)
{
    struct reader reader = reader_of(value);
    read_u16(&reader); // reserved
    uint8_t hundreds = read_u8(&reader) & 7;
    uint8_t rest = read_u8(&reader);
    if (reader.failure != OK || hundreds < 3 || hundreds > 6 || rest > 99) {
        return ERR_MALFORMED;
    }
    *ret = (uint16_t)(hundreds * 100 + rest);
    return OK;
}

static enum status take_blob(struct span value, size_t size_max, struct span *field)
{
    if (value.size == 0 || field->size > 0) {
        return ERR_MALFORMED;
    }
    if (value.size > size_max) {
        return ERR_TOO_LARGE;
    }
    *field = value;
    return OK;
}

static enum status take_mac(struct walk *walk, struct span value, size_t offset)
{
    if (walk->message.has_mac || value.size != STUN_TAG_SIZE + STUN_MAC_SIZE) {
        return ERR_MALFORMED;
    }
    memcpy(walk->message.tag, value.data, STUN_TAG_SIZE);
    memcpy(walk->message.mac, value.data + STUN_TAG_SIZE, STUN_MAC_SIZE);
    walk->message.authenticated = span_of(walk->datagram.data, offset);
    walk->message.has_mac = true;
    return OK;
}

static enum status take_fingerprint(struct walk *walk, struct span value, size_t offset)
{
    struct reader reader = reader_of(value);
    uint32_t crc = read_u32(&reader);
    if (reader_finish(&reader) != OK) {
        return ERR_MALFORMED;
    }
    walk->has_fingerprint = true;
    bool right = (crc32_of(span_of(walk->datagram.data, offset)) ^ FINGERPRINT_XOR) == crc;
    return right ? OK : ERR_MISMATCH;
}

// Types below ATTRIBUTE_OPTIONAL that can be passed over without harm to what we do.
static bool is_understood(uint16_t type)
{
    switch (type) {
    case ATTRIBUTE_USERNAME:
    case ATTRIBUTE_MESSAGE_INTEGRITY:
    case ATTRIBUTE_UNKNOWN_ATTRIBUTES:
    case ATTRIBUTE_REALM:
    case ATTRIBUTE_NONCE:
    case ATTRIBUTE_MESSAGE_INTEGRITY_SHA256:
    case ATTRIBUTE_PASSWORD_ALGORITHM:
    case ATTRIBUTE_USERHASH:
    case ATTRIBUTE_PADDING:
        return true;
    default:
        return type >= ATTRIBUTE_OPTIONAL;
    }
}

static enum status take_standard(struct walk *walk, uint16_t type, struct span value)
{
    struct stun_message *message = &walk->message;
    enum status status = OK;
    if (type == ATTRIBUTE_XOR_MAPPED_ADDRESS && !walk->has_xor_mapped) {
        walk->has_xor_mapped = true;
        status = decode_mapped(value, &message->transaction, &message->mapped);
    } else if (type == ATTRIBUTE_MAPPED_ADDRESS && !walk->has_mapped && !walk->has_xor_mapped) {
        walk->has_mapped = true;
        status = decode_mapped(value, NULL, &message->mapped);
    } else if (type == ATTRIBUTE_ERROR_CODE && message->error_code == 0) {
        status = decode_error_code(value, &message->error_code);
    } else if (type == ATTRIBUTE_MESSAGE_INTEGRITY || type == ATTRIBUTE_MESSAGE_INTEGRITY_SHA256) {
        walk->has_integrity = true;
    } else if (type != ATTRIBUTE_XOR_MAPPED_ADDRESS && type != ATTRIBUTE_MAPPED_ADDRESS &&
               type != ATTRIBUTE_ERROR_CODE && !is_understood(type) &&
               message->unknown_count < STUN_UNKNOWN_MAX) {
        message->unknown[message->unknown_count++] = type;
    }
    return status;
}

static enum status take_attribute(
    struct walk *walk, uint16_t type, struct span value, size_t offset)
{
    struct stun_message *message = &walk->message;
    if (walk->has_fingerprint) {
        return ERR_MALFORMED; // it must be the last (RFC 8489, section 14.7)
    }
    if (type == ATTRIBUTE_FINGERPRINT) {
        return take_fingerprint(walk, value, offset);
    }
    if (walk->has_integrity) {
        return OK;
    }
    if (message->has_mac) {
        return ERR_MALFORMED; // nothing unauthenticated may stand behind our MAC
    }
    switch (type) {
    case STUN_ATTRIBUTE_RECORD:
        return take_blob(value, STUN_RECORD_MAX, &message->record);
    case STUN_ATTRIBUTE_INTENT:
        return take_blob(value, STUN_INTENT_MAX, &message->intent);
    case STUN_ATTRIBUTE_MANIFEST:
        return take_blob(value, STUN_MANIFEST_MAX, &message->manifest);
    case STUN_ATTRIBUTE_MAC:
        return take_mac(walk, value, offset);
    default:
        return take_standard(walk, type, value);
    }
}

static enum status walk_attributes(struct walk *walk, struct span attributes)
{
    struct reader reader = reader_of(attributes);
    while (reader.rest.size > 0) {
        size_t offset = STUN_HEADER_SIZE + (attributes.size - reader.rest.size);
        uint16_t type = read_u16(&reader);
        uint16_t size = read_u16(&reader);
        struct span value = read_span(&reader, size);
        read_span(&reader, (size_t)(-size & 3)); // the padding may hold anything
        if (reader.failure != OK) {
            return ERR_MALFORMED;
        }
        enum status status = take_attribute(walk, type, value, offset);
        if (status != OK) {
            return status;
        }
    }
    return OK;
}

static enum status check_whole(const struct stun_message *message)
{
    if (message->kind != STUN_REQUEST && message->unknown_count > 0) {
        return ERR_UNSUPPORTED;
    }
    if (message->kind == STUN_ERROR && message->error_code == 0) {
        return ERR_MALFORMED;
    }
    switch (message->method) {
    case STUN_BINDING:
        return message->kind == STUN_SUCCESS && !address_is_set(&message->mapped) ? ERR_MALFORMED
                                                                                  : OK;
    case STUN_INTENT:
        if (message->kind != STUN_INDICATION) {
            return ERR_UNSUPPORTED;
        }
        return message->intent.size == 0 ? ERR_MALFORMED : OK;
    case STUN_MANIFEST:
        return message->kind == STUN_SUCCESS && message->manifest.size == 0 ? ERR_MALFORMED : OK;
    }
    return ERR_UNSUPPORTED;
}

enum status stun_decode(struct span datagram, struct stun_message *ret)
{
    if (!stun_is(datagram)) {
        return ERR_MALFORMED;
    }
    struct walk walk = {.datagram = datagram};
    struct reader reader = reader_of(datagram);
    uint16_t type = read_u16(&reader);
    uint16_t size = read_u16(&reader);
    read_u32(&reader);
    read_bytes(&reader, walk.message.transaction.bytes, STUN_TRANSACTION_SIZE);
    if (size % 4 != 0) {
        return ERR_MALFORMED;
    }
    if (size != reader.rest.size) {
        return size > reader.rest.size ? ERR_TRUNCATED : ERR_TRAILING;
    }
    walk.message.kind = kind_of(type);
    walk.message.method = (enum stun_method)method_of(type);
    walk.message.size = datagram.size;
    enum status status = walk_attributes(&walk, reader.rest);
    if (status == OK) {
        status = check_whole(&walk.message);
    }
    if (status == OK) {
        *ret = walk.message;
    }
    return status;
}

struct stun_transaction stun_transaction_draw(struct rng *rng)
{
    struct stun_transaction transaction;
    rng_bytes(rng, transaction.bytes, sizeof transaction.bytes);
    return transaction;
}

bool stun_transaction_equal(const struct stun_transaction *a, const struct stun_transaction *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

void stun_begin(struct writer *writer, enum stun_kind kind, enum stun_method method,
    const struct stun_transaction *transaction)
{
    ASSERT(writer->size == 0);
    write_u16(writer, type_of(kind, method));
    write_u16(writer, 0);
    write_u32(writer, MAGIC_COOKIE);
    write_bytes(writer, transaction->bytes, sizeof transaction->bytes);
}

void stun_put_attribute(struct writer *writer, uint16_t type, struct span value)
{
    static const uint8_t zeroes[3];
    if (value.size > STUN_MESSAGE_MAX) {
        writer_fail(writer, ERR_TOO_LARGE);
        return;
    }
    write_u16(writer, type);
    write_u16(writer, (uint16_t)value.size);
    write_span(writer, value);
    write_bytes(writer, zeroes, -value.size & 3);
}

void stun_put_mapped(struct writer *writer, const struct address *mapped)
{
    if (writer->failure != OK) {
        return;
    }
    ASSERT(address_is_set(mapped) && writer->size >= STUN_HEADER_SIZE);
    struct stun_transaction transaction;
    memcpy(transaction.bytes, writer->data + TRANSACTION_OFFSET, sizeof transaction.bytes);
    uint8_t mask[16];
    mask_of(&transaction, mask);
    uint8_t bytes[20];
    struct writer value = writer_of(bytes, sizeof bytes);
    write_u8(&value, 0);
    write_u8(&value, mapped->family == FAMILY_IPV4 ? FAMILY_BYTE_IPV4 : FAMILY_BYTE_IPV6);
    write_u16(&value, (uint16_t)(mapped->port ^ ((mask[0] << 8) | mask[1])));
    for (size_t i = 0; i < address_ip_size(mapped); i++) {
        write_u8(&value, mapped->ip[i] ^ mask[i]);
    }
    stun_put_attribute(writer, ATTRIBUTE_XOR_MAPPED_ADDRESS, writer_written(&value));
}

void stun_put_pad(struct writer *writer, size_t size)
{
    static const uint8_t zeroes[STUN_MESSAGE_MAX];
    ASSERT(size <= STUN_MESSAGE_MAX && size % 4 == 0);
    if (writer->size + ATTRIBUTE_HEADER_SIZE > size) {
        return;
    }
    size_t value_size = size - writer->size - ATTRIBUTE_HEADER_SIZE;
    stun_put_attribute(writer, STUN_ATTRIBUTE_PAD, span_of(zeroes, value_size));
}

// The header's length field, as if `extra` more bytes were already there.
static void fill_length(struct writer *writer, size_t extra)
{
    if (writer->failure != OK) {
        return;
    }
    ASSERT(writer->size >= STUN_HEADER_SIZE && writer->size + extra <= UINT16_MAX);
    size_t size = writer->size + extra - STUN_HEADER_SIZE;
    writer->data[LENGTH_OFFSET] = (uint8_t)(size >> 8);
    writer->data[LENGTH_OFFSET + 1] = (uint8_t)size;
}

void stun_put_fingerprint(struct writer *writer)
{
    uint8_t bytes[4];
    fill_length(writer, ATTRIBUTE_HEADER_SIZE + sizeof bytes);
    struct writer value = writer_of(bytes, sizeof bytes);
    write_u32(&value, crc32_of(writer_written(writer)) ^ FINGERPRINT_XOR);
    stun_put_attribute(writer, ATTRIBUTE_FINGERPRINT, writer_written(&value));
}

enum status stun_end(struct writer *writer)
{
    fill_length(writer, 0);
    return writer_finish(writer);
}

enum status stun_encode_binding_request(
    struct writer *writer, const struct stun_transaction *transaction)
{
    stun_begin(writer, STUN_REQUEST, STUN_BINDING, transaction);
    stun_put_pad(writer, STUN_BINDING_REQUEST_SIZE);
    return stun_end(writer);
}

enum status stun_encode_binding_success(
    struct writer *writer, const struct stun_transaction *transaction, const struct address *mapped)
{
    stun_begin(writer, STUN_SUCCESS, STUN_BINDING, transaction);
    stun_put_mapped(writer, mapped);
    return stun_end(writer);
}

enum status stun_encode_binding_error(struct writer *writer,
    const struct stun_transaction *transaction, uint16_t code, const uint16_t *unknown,
    size_t unknown_count)
{
    ASSERT(code >= 300 && code <= 699 && unknown_count <= STUN_UNKNOWN_MAX);
    stun_begin(writer, STUN_ERROR, STUN_BINDING, transaction);
    const uint8_t code_bytes[4] = {0, 0, (uint8_t)(code / 100), (uint8_t)(code % 100)};
    stun_put_attribute(writer, ATTRIBUTE_ERROR_CODE, span_of(code_bytes, sizeof code_bytes));
    if (unknown_count > 0) {
        uint8_t bytes[2 * STUN_UNKNOWN_MAX];
        struct writer value = writer_of(bytes, sizeof bytes);
        for (size_t i = 0; i < unknown_count; i++) {
            write_u16(&value, unknown[i]);
        }
        stun_put_attribute(writer, ATTRIBUTE_UNKNOWN_ATTRIBUTES, writer_written(&value));
    }
    return stun_end(writer);
}

enum status stun_encode_intent(struct writer *writer, const struct stun_transaction *transaction,
    struct span record, struct span intent)
{
    if (intent.size == 0) {
        return ERR_MALFORMED;
    }
    if (intent.size > STUN_INTENT_MAX || record.size > STUN_RECORD_MAX) {
        return ERR_TOO_LARGE;
    }
    stun_begin(writer, STUN_INDICATION, STUN_INTENT, transaction);
    if (record.size > 0) {
        stun_put_attribute(writer, STUN_ATTRIBUTE_RECORD, record);
    }
    stun_put_attribute(writer, STUN_ATTRIBUTE_INTENT, intent);
    return stun_end(writer);
}

enum status stun_encode_manifest_request(
    struct writer *writer, const struct stun_transaction *transaction)
{
    stun_begin(writer, STUN_REQUEST, STUN_MANIFEST, transaction);
    stun_put_pad(writer, STUN_MANIFEST_REQUEST_SIZE);
    return stun_end(writer);
}

enum status stun_encode_manifest_success(
    struct writer *writer, const struct stun_transaction *transaction, struct span manifest)
{
    if (manifest.size == 0) {
        return ERR_MALFORMED;
    }
    if (manifest.size > STUN_MANIFEST_MAX) {
        return ERR_TOO_LARGE;
    }
    stun_begin(writer, STUN_SUCCESS, STUN_MANIFEST, transaction);
    stun_put_attribute(writer, STUN_ATTRIBUTE_MANIFEST, manifest);
    return stun_end(writer);
}

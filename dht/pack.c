// SPDX-License-Identifier: GPL-3.0-or-later
//
// The strict msgpack subset. Format bytes are those of the msgpack specification.
#include "dht/pack.h"

#include <string.h>

enum {
    FIXINT_MAX = 0x7f,
    FIXARRAY = 0x90,
    FIXSTR = 0xa0,
    FIXSTR_SIZE_MAX = 31,
    BIN8 = 0xc4,
    BIN16 = 0xc5,
    BIN32 = 0xc6,
    UINT8 = 0xcc,
    UINT16 = 0xcd,
    UINT32 = 0xce,
    UINT64 = 0xcf,
    INT8 = 0xd0,
    INT64 = 0xd3,
    STR8 = 0xd9,
    STR32 = 0xdb,
    ARRAY16 = 0xdc,
    ARRAY32 = 0xdd,
};

void pack_array(struct writer *writer, uint8_t count)
{
    ASSERT(count <= PACK_ARRAY_MAX);
    write_u8(writer, (uint8_t)(FIXARRAY | count));
}

void pack_uint(struct writer *writer, uint64_t value)
{
    if (value <= FIXINT_MAX) {
        write_u8(writer, (uint8_t)value);
    } else if (value <= UINT8_MAX) {
        write_u8(writer, UINT8);
        write_u8(writer, (uint8_t)value);
    } else if (value <= UINT16_MAX) {
        write_u8(writer, UINT16);
        write_u16(writer, (uint16_t)value);
    } else if (value <= UINT32_MAX) {
        write_u8(writer, UINT32);
        write_u32(writer, (uint32_t)value);
    } else {
        write_u8(writer, UINT64);
        write_u64(writer, value);
    }
}

void pack_binary(struct writer *writer, struct span bytes)
{
    ASSERT(bytes.size <= UINT16_MAX);
    if (bytes.size <= UINT8_MAX) {
        write_u8(writer, BIN8);
        write_u8(writer, (uint8_t)bytes.size);
    } else {
        write_u8(writer, BIN16);
        write_u16(writer, (uint16_t)bytes.size);
    }
    write_span(writer, bytes);
}

void pack_text(struct writer *writer, struct span text)
{
    ASSERT(text.size <= UINT8_MAX);
    if (text.size <= FIXSTR_SIZE_MAX) {
        write_u8(writer, (uint8_t)(FIXSTR | text.size));
    } else {
        write_u8(writer, STR8);
        write_u8(writer, (uint8_t)text.size);
    }
    write_span(writer, text);
}

uint8_t unpack_array(struct reader *reader)
{
    uint8_t format = read_u8(reader);
    if (reader->failure != OK) {
        return 0;
    }
    if ((format & 0xf0) == FIXARRAY) {
        return format & 0x0f;
    }
    reader_fail(reader, format == ARRAY16 || format == ARRAY32 ? ERR_NOT_CANONICAL : ERR_MALFORMED);
    return 0;
}

void unpack_array_of(struct reader *reader, uint8_t count)
{
    if (unpack_array(reader) != count) {
        reader_fail(reader, ERR_MALFORMED);
    }
}

// The value behind a format byte, and the least value that needs this format.
static uint64_t read_uint_body(struct reader *reader, uint8_t format, uint64_t *least)
{
    *least = 0;
    switch (format) {
    case UINT8:
        *least = FIXINT_MAX + 1;
        return read_u8(reader);
    case UINT16:
        *least = UINT8_MAX + 1;
        return read_u16(reader);
    case UINT32:
        *least = UINT16_MAX + 1;
        return read_u32(reader);
    case UINT64:
        *least = (uint64_t)UINT32_MAX + 1;
        return read_u64(reader);
    }
    if (format > FIXINT_MAX) {
        reader_fail(reader, format >= INT8 && format <= INT64 ? ERR_NOT_CANONICAL : ERR_MALFORMED);
    }
    return format;
}

uint64_t unpack_uint(struct reader *reader, uint64_t max)
{
    uint8_t format = read_u8(reader);
    if (reader->failure != OK) {
        return 0;
    }
    uint64_t least;
    uint64_t value = read_uint_body(reader, format, &least);
    if (reader->failure == OK && value < least) {
        reader_fail(reader, ERR_NOT_CANONICAL);
    }
    if (reader->failure == OK && value > max) {
        reader_fail(reader, ERR_RANGE);
    }
    return reader->failure == OK ? value : 0;
}

static struct span read_sized(
    struct reader *reader, size_t size, size_t least, size_t min, size_t max)
{
    if (reader->failure == OK && size < least) {
        reader_fail(reader, ERR_NOT_CANONICAL);
    }
    if (reader->failure == OK && (size < min || size > max)) {
        reader_fail(reader, ERR_RANGE);
    }
    return read_span(reader, size);
}

struct span unpack_binary(struct reader *reader, size_t min, size_t max)
{
    uint8_t format = read_u8(reader);
    if (reader->failure == OK && format != BIN8 && format != BIN16) {
        reader_fail(reader, format == BIN32 ? ERR_NOT_CANONICAL : ERR_MALFORMED);
    }
    if (format == BIN16) {
        return read_sized(reader, read_u16(reader), UINT8_MAX + 1, min, max);
    }
    return read_sized(reader, read_u8(reader), 0, min, max);
}

struct span unpack_text(struct reader *reader, size_t min, size_t max)
{
    uint8_t format = read_u8(reader);
    if (reader->failure == OK && (format & 0xe0) == FIXSTR) {
        return read_sized(reader, format & FIXSTR_SIZE_MAX, 0, min, max);
    }
    if (reader->failure == OK && format != STR8) {
        reader_fail(reader, format > STR8 && format <= STR32 ? ERR_NOT_CANONICAL : ERR_MALFORMED);
    }
    return read_sized(reader, read_u8(reader), FIXSTR_SIZE_MAX + 1, min, max);
}

void unpack_fixed(struct reader *reader, uint8_t *ret, size_t size)
{
    struct span bytes = unpack_binary(reader, size, size);
    if (bytes.size == size) {
        memcpy(ret, bytes.data, size);
    } else {
        memset(ret, 0, size);
    }
}

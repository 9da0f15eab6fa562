// SPDX-License-Identifier: GPL-3.0-or-later
//
// Canonical RLP: one function reads all heads, one writes them.
#include "chain/rlp.h"

#include <string.h>

enum {
    STRING = 0x80,
    LIST = 0xc0,
    SHORT_MAX = 55, // the longest payload whose length stands in the first byte
};

static uint64_t number_of(struct span big_endian)
{
    uint64_t value = 0;
    for (size_t i = 0; i < big_endian.size; i++) {
        value = value << 8 | big_endian.data[i];
    }
    return value;
}

// The length behind a first byte of b8..bf or f8..ff, in `size` bytes (1 to 8).
static uint64_t read_long_length(struct reader *reader, size_t size)
{
    struct span bytes = read_span(reader, size);
    if (bytes.size == 0) {
        return 0;
    }
    uint64_t length = number_of(bytes);
    if (bytes.data[0] == 0 || length <= SHORT_MAX) {
        reader_fail(reader, ERR_NOT_CANONICAL);
    }
    return length;
}

struct rlp_item rlp_read_item(struct reader *reader)
{
    struct span all = reader->rest;
    struct rlp_item item = {.is_list = false};
    uint8_t first = read_u8(reader);
    if (first < STRING) {
        item.payload = span_of(all.data, 1);
    } else {
        item.is_list = first >= LIST;
        uint64_t length = (uint64_t)first - (item.is_list ? LIST : STRING);
        if (length > SHORT_MAX) {
            length = read_long_length(reader, (size_t)length - SHORT_MAX);
        }
        if (length > reader->rest.size) {
            reader_fail(reader, ERR_TRUNCATED);
        }
        item.payload = read_span(reader, (size_t)length);
        if (first == STRING + 1 && item.payload.size == 1 && item.payload.data[0] < STRING) {
            reader_fail(reader, ERR_NOT_CANONICAL);
        }
    }
    if (reader->failure != OK) {
        return (struct rlp_item){.is_list = false};
    }
    item.encoded = span_of(all.data, all.size - reader->rest.size);
    return item;
}

struct span rlp_read_string(struct reader *reader)
{
    struct rlp_item item = rlp_read_item(reader);
    if (item.is_list) {
        reader_fail(reader, ERR_MALFORMED);
        return span_of(NULL, 0);
    }
    return item.payload;
}

struct reader rlp_read_list(struct reader *reader)
{
    struct rlp_item item = rlp_read_item(reader);
    if (reader->failure == OK && !item.is_list) {
        reader_fail(reader, ERR_MALFORMED);
    }
    struct reader items = reader_of(item.payload);
    items.failure = reader->failure;
    return items;
}

void rlp_read_fixed(struct reader *reader, uint8_t *ret, size_t size)
{
    struct span string = rlp_read_string(reader);
    if (string.size == size && size > 0) {
        memcpy(ret, string.data, size);
        return;
    }
    memset(ret, 0, size);
    if (string.size != size) {
        reader_fail(reader, ERR_MALFORMED);
    }
}

static struct span read_number(struct reader *reader, size_t size_max)
{
    struct span string = rlp_read_string(reader);
    if (string.size > 0 && string.data[0] == 0) {
        reader_fail(reader, ERR_NOT_CANONICAL);
    } else if (string.size > size_max) {
        reader_fail(reader, ERR_RANGE);
    }
    return reader->failure == OK ? string : span_of(NULL, 0);
}

uint64_t rlp_read_u64(struct reader *reader)
{
    return number_of(read_number(reader, sizeof(uint64_t)));
}

void rlp_read_u256(struct reader *reader, uint8_t ret[static RLP_WORD])
{
    struct span number = read_number(reader, RLP_WORD);
    memset(ret, 0, RLP_WORD);
    if (number.size > 0) {
        memcpy(ret + RLP_WORD - number.size, number.data, number.size);
    }
}

// Writes the number's big-endian bytes without leading zeroes, right-aligned; returns their count.
static size_t shorten(uint64_t value, uint8_t ret[static 8])
{
    size_t size = 0;
    for (; value > 0; value >>= 8) {
        size++;
        ret[8 - size] = (uint8_t)value;
    }
    return size;
}

static size_t make_head(uint8_t base, uint64_t length, uint8_t ret[static RLP_HEAD_MAX])
{
    if (length <= SHORT_MAX) {
        ret[0] = (uint8_t)(base + length);
        return 1;
    }
    uint8_t bytes[8];
    size_t size = shorten(length, bytes);
    ret[0] = (uint8_t)(base + SHORT_MAX + size);
    memcpy(ret + 1, bytes + 8 - size, size);
    return 1 + size;
}

void rlp_write_string(struct writer *writer, struct span string)
{
    if (string.size != 1 || string.data[0] >= STRING) {
        uint8_t head[RLP_HEAD_MAX];
        write_bytes(writer, head, make_head(STRING, string.size, head));
    }
    write_span(writer, string);
}

void rlp_write_number(struct writer *writer, struct span big_endian)
{
    while (big_endian.size > 0 && big_endian.data[0] == 0) {
        big_endian.data++;
        big_endian.size--;
    }
    rlp_write_string(writer, big_endian);
}

void rlp_write_u64(struct writer *writer, uint64_t value)
{
    uint8_t bytes[8];
    size_t size = shorten(value, bytes);
    rlp_write_string(writer, span_of(bytes + 8 - size, size));
}

size_t rlp_begin_list(const struct writer *writer)
{
    return writer->size;
}

void rlp_end_list(struct writer *writer, size_t mark)
{
    if (writer->failure != OK) {
        return;
    }
    ASSERT(mark <= writer->size);
    uint8_t head[RLP_HEAD_MAX];
    size_t payload = writer->size - mark;
    size_t size = make_head(LIST, payload, head);
    write_bytes(writer, head, size); // makes the room, or fails
    if (writer->failure == OK) {
        memmove(writer->data + mark + size, writer->data + mark, payload);
        memcpy(writer->data + mark, head, size);
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Spans and cursors. All integers on our wires are big-endian.
#include "base/bytes.h"

#include <string.h>

struct span span_of_text(const char *text)
{
    return span_of(text, strlen(text));
}

bool span_equal(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

struct reader reader_of(struct span bytes)
{
    return (struct reader){.rest = bytes, .failure = OK};
}

void reader_fail(struct reader *reader, enum status failure)
{
    ASSERT(failure != OK);
    if (reader->failure == OK) {
        reader->failure = failure;
    }
}

struct span read_span(struct reader *reader, size_t size)
{
    if (reader->failure != OK) {
        return span_of(NULL, 0);
    }
    if (size > reader->rest.size) {
        reader->failure = ERR_TRUNCATED;
        return span_of(NULL, 0);
    }
    struct span taken = span_of(reader->rest.data, size);
    if (size > 0) {
        reader->rest.data += size;
        reader->rest.size -= size;
    }
    return taken;
}

void read_bytes(struct reader *reader, uint8_t *ret, size_t size)
{
    struct span taken = read_span(reader, size);
    if (taken.size == size && size > 0) {
        memcpy(ret, taken.data, size);
    } else if (size > 0) {
        memset(ret, 0, size);
    }
}

static uint64_t read_big_endian(struct reader *reader, size_t size)
{
    struct span taken = read_span(reader, size);
    uint64_t value = 0;
    for (size_t i = 0; i < taken.size; i++) {
        value = value << 8 | taken.data[i];
    }
    return value;
}

uint8_t read_u8(struct reader *reader)
{
    return (uint8_t)read_big_endian(reader, 1);
}

uint16_t read_u16(struct reader *reader)
{
    return (uint16_t)read_big_endian(reader, 2);
}

uint32_t read_u32(struct reader *reader)
{
    return (uint32_t)read_big_endian(reader, 4);
}

uint64_t read_u64(struct reader *reader)
{
    return read_big_endian(reader, 8);
}

enum status reader_finish(const struct reader *reader)
{
    if (reader->failure != OK) {
        return reader->failure;
    }
    return reader->rest.size == 0 ? OK : ERR_TRAILING;
}

struct writer writer_of(uint8_t *data, size_t capacity)
{
    return (struct writer){.data = data, .capacity = capacity, .size = 0, .failure = OK};
}

void writer_fail(struct writer *writer, enum status failure)
{
    ASSERT(failure != OK);
    if (writer->failure == OK) {
        writer->failure = failure;
    }
}

void write_bytes(struct writer *writer, const uint8_t *data, size_t size)
{
    if (writer->failure != OK || size == 0) {
        return;
    }
    if (size > writer->capacity - writer->size) {
        writer->failure = ERR_FULL;
        return;
    }
    memcpy(writer->data + writer->size, data, size);
    writer->size += size;
}

void write_span(struct writer *writer, struct span bytes)
{
    write_bytes(writer, bytes.data, bytes.size);
}

static void write_big_endian(struct writer *writer, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
    }
    write_bytes(writer, bytes, size);
}

void write_u8(struct writer *writer, uint8_t value)
{
    write_big_endian(writer, value, 1);
}

void write_u16(struct writer *writer, uint16_t value)
{
    write_big_endian(writer, value, 2);
}

void write_u32(struct writer *writer, uint32_t value)
{
    write_big_endian(writer, value, 4);
}

void write_u64(struct writer *writer, uint64_t value)
{
    write_big_endian(writer, value, 8);
}

struct span writer_written(const struct writer *writer)
{
    return span_of(writer->data, writer->size);
}

enum status writer_finish(const struct writer *writer)
{
    return writer->failure;
}

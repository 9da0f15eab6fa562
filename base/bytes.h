// SPDX-License-Identifier: GPL-3.0-or-later
//
// Views over bytes, and cursors that read and write them. A cursor keeps its first failure: a
// decoder reads straight through and asks once, at the end. No function here allocates.
#pragma once

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A view of bytes that somebody else owns. `data` may be NULL only if `size` is 0.
struct span {
    const uint8_t *data;
    size_t size;
};

static inline struct span span_of(const void *data, size_t size)
{
    return (struct span){.data = data, .size = size};
}

// The characters of a C string without its terminator.
struct span span_of_text(const char *text);

bool span_equal(struct span a, struct span b);

// Reads forward over a span. After the first failure every further read yields zeroes.
struct reader {
    struct span rest;
    enum status failure;
};

struct reader reader_of(struct span bytes);

// Big-endian integers; 0 on failure.
uint8_t read_u8(struct reader *reader);
uint16_t read_u16(struct reader *reader);
uint32_t read_u32(struct reader *reader);
uint64_t read_u64(struct reader *reader);

// Copies exactly `size` bytes to `ret`; zeroes it on failure.
void read_bytes(struct reader *reader, uint8_t *ret, size_t size);

// A view of the next `size` bytes, valid as long as the span under the reader. Empty on failure.
struct span read_span(struct reader *reader, size_t size);

// Records `failure` unless an earlier one stands. For a decoder's own range checks.
void reader_fail(struct reader *reader, enum status failure);

// OK if nothing failed and no bytes remain; else the first failure, or ERR_TRAILING.
enum status reader_finish(const struct reader *reader);

// Writes forward into a buffer of the caller. After the first failure nothing more is written.
struct writer {
    uint8_t *data;
    size_t capacity;
    size_t size;
    enum status failure;
};

struct writer writer_of(uint8_t *data, size_t capacity);

// Big-endian integers and raw bytes. A write that does not fit fails with ERR_FULL and is undone.
void write_u8(struct writer *writer, uint8_t value);
void write_u16(struct writer *writer, uint16_t value);
void write_u32(struct writer *writer, uint32_t value);
void write_u64(struct writer *writer, uint64_t value);
void write_bytes(struct writer *writer, const uint8_t *data, size_t size);
void write_span(struct writer *writer, struct span bytes);

void writer_fail(struct writer *writer, enum status failure);

// What has been written so far; valid as long as the buffer and until the next write.
struct span writer_written(const struct writer *writer);

// OK, or the first failure.
enum status writer_finish(const struct writer *writer);

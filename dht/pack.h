// SPDX-License-Identifier: GPL-3.0-or-later
//
// The subset of msgpack that our values use, with exactly one encoding of each: arrays of fewer
// than 16 elements, unsigned integers, binary up to 65,535 bytes, text up to 255, each in its
// shortest form. What msgpack would also take is ERR_NOT_CANONICAL, another type ERR_MALFORMED.
// Private to dht/.
#pragma once

#include "base/bytes.h"

enum {
    PACK_ARRAY_MAX = 15,
    PACK_BINARY_OVERHEAD_MAX = 3,
};

void pack_array(struct writer *writer, uint8_t count);
void pack_uint(struct writer *writer, uint64_t value);
void pack_binary(struct writer *writer, struct span bytes);
void pack_text(struct writer *writer, struct span text);

// All of these go through the reader's sticky failure; on failure they yield 0 or an empty span.
uint8_t unpack_array(struct reader *reader);

// ERR_MALFORMED unless the array has `count` elements.
void unpack_array_of(struct reader *reader, uint8_t count);

// ERR_RANGE above `max`.
uint64_t unpack_uint(struct reader *reader, uint64_t max);

// ERR_RANGE unless min <= size <= max.
struct span unpack_binary(struct reader *reader, size_t min, size_t max);
struct span unpack_text(struct reader *reader, size_t min, size_t max);

// Binary of exactly `size` bytes, copied; zeroes on failure.
void unpack_fixed(struct reader *reader, uint8_t *ret, size_t size);

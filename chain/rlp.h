// SPDX-License-Identifier: GPL-3.0-or-later
//
// RLP, the encoding of Ethereum's transactions, headers and trie nodes (yellow paper, appendix B;
// EIP-2718 puts a type byte before it). Exactly one encoding of each value is taken.
//
//   00..7f            the byte itself                   80..b7   0 to 55 bytes follow
//   b8..bf  length    56 bytes or more follow           c0..f7   a list, its items 0 to 55 bytes
//                                                       f8..ff   a list, length before the items
//
// Reading goes by `struct reader`, so that a failure sticks and is asked for once, at the end.
// Failures: ERR_TRUNCATED; ERR_NOT_CANONICAL for a second encoding (lengths with leading zeroes or
// of less than 56, 81 before a byte that stands for itself, numbers with leading zeroes);
// ERR_MALFORMED for a list in the place of a string and the other way round, or a string of another
// size; ERR_RANGE for a number that is too large. Whatever was read is void after any of them.
#pragma once

#include "base/bytes.h"

enum {
    RLP_WORD = 32,
};

// One item. Both spans live as long as the bytes under the reader.
struct rlp_item {
    bool is_list;
    struct span payload; // the string, or the items of the list
    struct span encoded; // with its head
};

// The next item of either kind. The items inside of a list are not looked at.
struct rlp_item rlp_read_item(struct reader *reader);

struct span rlp_read_string(struct reader *reader);

// A reader of the list's items, which the caller finishes. It has `reader`'s failure, if any; a
// failure inside of it is not handed up.
struct reader rlp_read_list(struct reader *reader);

// A string of exactly `size` bytes: an address, a hash. Zeroes `ret` on failure.
void rlp_read_fixed(struct reader *reader, uint8_t *ret, size_t size);

// Numbers: big-endian, zero is the empty string.
uint64_t rlp_read_u64(struct reader *reader);
void rlp_read_u256(struct reader *reader, uint8_t ret[static RLP_WORD]);

// Writing. The writer fails with ERR_FULL where there is no room.
void rlp_write_string(struct writer *writer, struct span string);
void rlp_write_u64(struct writer *writer, uint64_t value);

// The number in up to 32 big-endian bytes; leading zeroes are left out.
void rlp_write_number(struct writer *writer, struct span big_endian);

// A list: what is written between the two becomes its items. Lists may be nested. The head is put
// before the items at the end, so its 1 to 9 bytes must still be free then. The mark is for
// rlp_end_list alone.
enum {
    RLP_HEAD_MAX = 9,
};
size_t rlp_begin_list(const struct writer *writer);
void rlp_end_list(struct writer *writer, size_t mark);

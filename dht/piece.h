// SPDX-License-Identifier: GPL-3.0-or-later
//
// A contract wallet's signature that is too long for a record: cut into pieces that each lie under
// their own hash, and put together again from what strangers say they are (docs/protocol.md 4.2).
//
//    up to 500 bytes      one piece, which the delegation names
//    501 to 4,096 bytes   pieces of 480 bytes, the last one shorter, and an index: their hashes in
//                         order, which the delegation names
#pragma once

#include "base/delegation.h"
#include "dht/key.h"

enum {
    PIECE_SIZE = 480,
    PIECE_CONTENT_MAX = 4096, // DELEGATION_HASHED_MAX_SIZE
    PIECE_PARTS_MAX = (PIECE_CONTENT_MAX + PIECE_SIZE - 1) / PIECE_SIZE,
    PIECES_MAX = PIECE_PARTS_MAX + 1, // with the index
};

// True if `content` is what the delegation names by its hash; or is empty, where it names none.
bool piece_content_fits(const struct delegation *delegation, struct span content);

// What is put beside a record.
struct pieces {
    size_t count;
    struct hash256 root;                   // as the delegation names them
    struct hash256 parts[PIECE_PARTS_MAX]; // the index, if there is one
    struct span list[PIECES_MAX]; // the index last; valid as long as the content and `parts`
};

// ASSERT: 1 <= content.size <= PIECE_CONTENT_MAX. `ret` must not be moved while its list is used.
void pieces_cut(struct span content, struct pieces *ret);

// Pieces that come in any order, each checked against its hash.
struct piece_join {
    struct hash256 root;
    uint16_t size; // of the whole
    bool has_index;
    uint16_t missing; // bit mask of parts; 0 and has_index: complete
    struct hash256 parts[PIECE_PARTS_MAX];
    uint8_t bytes[PIECE_CONTENT_MAX];
};

// For the signature that `delegation` names. ERR_UNSUPPORTED: it names none; ERR_RANGE: no such
// size.
enum status piece_join_begin(struct piece_join *join, const struct delegation *delegation);

// How many pieces are wanted now, and the hash of each. The index comes alone, and first.
size_t piece_join_wanted(const struct piece_join *join, struct hash256 ret[static PIECE_PARTS_MAX]);

// Takes a value that was found. ERR_MISMATCH: it is not wanted (somebody else's, or it is there
// already); ERR_MALFORMED: it is what was named, but can be no part of this: give the whole up.
enum status piece_join_take(struct piece_join *join, struct span value);

bool piece_join_complete(const struct piece_join *join);

// The whole, once complete; valid as long as `join`.
struct span piece_join_content(const struct piece_join *join);

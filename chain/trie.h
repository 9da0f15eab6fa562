// SPDX-License-Identifier: GPL-3.0-or-later
//
// The Merkle-Patricia trie (yellow paper, appendix D), read from the root to one key by the nodes
// of a proof, each of which must have the hash that its parent names.
//
//   branch     17 items: a child for each nibble, a value
//   extension  path, child       the path is hex-prefixed: 0 even, 1 odd
//   leaf       path, value                                 2 even, 3 odd, then the nibbles
//   child      empty, or the 32-byte hash of a node, or the node itself if it has less than 32
//
// A walk holds one node at a time and allocates nothing. A node that stands inside of its parent
// may be listed once more by itself: clients differ in it.
#pragma once

#include "base/ids.h"

enum {
    TRIE_VALUE_MAX = 128,   // an account has 110 bytes at most, a slot 33
    TRIE_EMBEDDED_MAX = 31, // from 32 bytes on a node stands by its hash
};

enum trie_state {
    TRIE_AT_HASH,     // the next node must have `hash`
    TRIE_AT_EMBEDDED, // the next node is `embedded`
    TRIE_PRESENT,
    TRIE_ABSENT,
};

struct trie_walk {
    struct span key; // must outlive the walk
    size_t nibble;   // how many of the key's are behind us
    enum trie_state state;
    struct hash256 hash;
    uint8_t embedded[TRIE_EMBEDDED_MAX];
    uint8_t value[TRIE_VALUE_MAX];
    size_t embedded_size;
    size_t value_size;
};

// keccak256(80): the root of a trie without a key.
struct hash256 trie_empty_root(void);

// A walk from `root` to `key`. Ethereum's state and storage tries go by the keccak of the key.
struct trie_walk trie_walk_of(const struct hash256 *root, struct span key);

// Takes the next node of the proof. ERR_MISMATCH if it is not the one that the walk has come to;
// ERR_TRAILING if the walk was over; ERR_MALFORMED, ERR_NOT_CANONICAL, ERR_TRUNCATED for what is no
// node; ERR_TOO_LARGE for a value of more than TRIE_VALUE_MAX. After a failure the walk is void.
enum status trie_walk_node(struct trie_walk *walk, struct span node);

// OK after the last node: *ret_present says whether the trie has the key. ERR_TRUNCATED if the
// proof has not come to an end.
enum status trie_walk_finish(struct trie_walk *walk, bool *ret_present);

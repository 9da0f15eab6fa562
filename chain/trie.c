// SPDX-License-Identifier: GPL-3.0-or-later
//
// The walk. Each node moves it forward by a nibble or ends it, so it is over after at most as many
// nodes as the key has nibbles, and one.
#include "chain/trie.h"

#include "chain/keccak.h"
#include "chain/rlp.h"

#include <string.h>

enum {
    BRANCH_ITEMS = 17,
    BRANCH_VALUE = 16,
    PAIR_ITEMS = 2, // of an extension or a leaf
    LEAF_FLAG = 2,
    ODD_FLAG = 1,
};

struct hash256 trie_empty_root(void)
{
    static const uint8_t empty_string = 0x80;
    return keccak256(span_of(&empty_string, 1));
}

struct trie_walk trie_walk_of(const struct hash256 *root, struct span key)
{
    return (struct trie_walk){.key = key, .state = TRIE_AT_HASH, .hash = *root};
}

static uint8_t nibble_of(struct span bytes, size_t index)
{
    uint8_t byte = bytes.data[index / 2];
    return index % 2 == 0 ? byte >> 4 : byte & 15;
}

static size_t nibbles_left(const struct trie_walk *walk)
{
    return 2 * walk->key.size - walk->nibble;
}

static enum status end_at_value(struct trie_walk *walk, const struct rlp_item *value)
{
    if (value->is_list) {
        return ERR_MALFORMED;
    }
    if (value->payload.size > sizeof walk->value) {
        return ERR_TOO_LARGE;
    }
    walk->state = value->payload.size == 0 ? TRIE_ABSENT : TRIE_PRESENT;
    walk->value_size = value->payload.size;
    if (walk->value_size > 0) {
        memcpy(walk->value, value->payload.data, walk->value_size);
    }
    return OK;
}

static enum status go_to_child(struct trie_walk *walk, const struct rlp_item *child)
{
    if (child->is_list) {
        if (child->encoded.size > sizeof walk->embedded) {
            return ERR_NOT_CANONICAL;
        }
        walk->state = TRIE_AT_EMBEDDED;
        walk->embedded_size = child->encoded.size;
        memcpy(walk->embedded, child->encoded.data, child->encoded.size);
        return OK;
    }
    if (child->payload.size != sizeof walk->hash.bytes) {
        return ERR_MALFORMED;
    }
    walk->state = TRIE_AT_HASH;
    memcpy(walk->hash.bytes, child->payload.data, sizeof walk->hash.bytes);
    return OK;
}

static enum status take_branch(struct trie_walk *walk, const struct rlp_item *items)
{
    if (nibbles_left(walk) == 0) {
        return end_at_value(walk, &items[BRANCH_VALUE]);
    }
    const struct rlp_item *child = &items[nibble_of(walk->key, walk->nibble)];
    if (!child->is_list && child->payload.size == 0) {
        walk->state = TRIE_ABSENT;
        return OK;
    }
    walk->nibble++;
    return go_to_child(walk, child);
}

// How many nibbles of the path, from its `first` on, are the key's next ones.
static size_t count_equal(const struct trie_walk *walk, struct span path, size_t first)
{
    size_t count = 0;
    while (count < nibbles_left(walk) && first + count < 2 * path.size &&
           nibble_of(path, first + count) == nibble_of(walk->key, walk->nibble + count)) {
        count++;
    }
    return count;
}

// An extension or a leaf; `items[0]` is the path.
static enum status take_pair(struct trie_walk *walk, const struct rlp_item *items)
{
    struct span path = items[0].payload;
    if (items[0].is_list || path.size == 0) {
        return ERR_MALFORMED;
    }
    uint8_t flags = nibble_of(path, 0);
    bool odd = (flags & ODD_FLAG) != 0;
    bool leaf = (flags & LEAF_FLAG) != 0;
    if (flags > (LEAF_FLAG | ODD_FLAG) || (!odd && nibble_of(path, 1) != 0)) {
        return ERR_NOT_CANONICAL;
    }
    size_t first = odd ? 1 : 2;
    size_t size = 2 * path.size - first;
    bool empty_child = !items[1].is_list && items[1].payload.size == 0;
    if ((size == 0 && !leaf) || empty_child) {
        return ERR_MALFORMED;
    }
    size_t equal = count_equal(walk, path, first);
    if (equal != size || (leaf && nibbles_left(walk) != size)) {
        walk->state = TRIE_ABSENT;
        return OK;
    }
    if (leaf) {
        return end_at_value(walk, &items[1]);
    }
    walk->nibble += size;
    return go_to_child(walk, &items[1]);
}

static enum status take_node(struct trie_walk *walk, struct span node)
{
    struct reader reader = reader_of(node);
    struct rlp_item whole = rlp_read_item(&reader);
    enum status status = reader_finish(&reader);
    if (status != OK) {
        return status;
    }
    if (!whole.is_list) {
        // The empty trie is the empty string; no other node is a string.
        bool empty = whole.payload.size == 0 && walk->nibble == 0;
        walk->state = TRIE_ABSENT;
        return empty ? OK : ERR_MALFORMED;
    }
    struct rlp_item items[BRANCH_ITEMS];
    size_t count = 0;
    struct reader rest = reader_of(whole.payload);
    while (count < BRANCH_ITEMS && rest.rest.size > 0 && rest.failure == OK) {
        items[count++] = rlp_read_item(&rest);
    }
    status = reader_finish(&rest);
    if (status != OK) {
        return status;
    }
    switch (count) {
    case BRANCH_ITEMS:
        return take_branch(walk, items);
    case PAIR_ITEMS:
        return take_pair(walk, items);
    default:
        return ERR_MALFORMED;
    }
}

static enum status take_embedded(struct trie_walk *walk)
{
    uint8_t bytes[TRIE_EMBEDDED_MAX];
    size_t size = walk->embedded_size;
    memcpy(bytes, walk->embedded, size);
    return take_node(walk, span_of(bytes, size));
}

enum status trie_walk_node(struct trie_walk *walk, struct span node)
{
    while (walk->state == TRIE_AT_EMBEDDED) {
        bool listed = span_equal(node, span_of(walk->embedded, walk->embedded_size));
        enum status status = take_embedded(walk);
        if (status != OK || listed) {
            return status;
        }
    }
    if (walk->state != TRIE_AT_HASH) {
        return ERR_TRAILING;
    }
    struct hash256 digest = keccak256(node);
    if (!hash256_equal(&digest, &walk->hash)) {
        return ERR_MISMATCH;
    }
    if (walk->nibble > 0 && node.size <= TRIE_EMBEDDED_MAX) {
        return ERR_NOT_CANONICAL;
    }
    return take_node(walk, node);
}

enum status trie_walk_finish(struct trie_walk *walk, bool *ret_present)
{
    while (walk->state == TRIE_AT_EMBEDDED) {
        enum status status = take_embedded(walk);
        if (status != OK) {
            return status;
        }
    }
    struct hash256 empty = trie_empty_root();
    if (walk->state == TRIE_AT_HASH && walk->nibble == 0 && hash256_equal(&walk->hash, &empty)) {
        walk->state = TRIE_ABSENT;
    }
    if (walk->state == TRIE_AT_HASH) {
        return ERR_TRUNCATED;
    }
    *ret_present = walk->state == TRIE_PRESENT;
    return OK;
}

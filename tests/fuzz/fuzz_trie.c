// SPDX-License-Identifier: GPL-3.0-or-later
//
// Nodes of a trie, each under the hash that it has, so that the walk comes to the last one: the
// size of a key and the key, then nodes behind their sizes in two bytes.
#include "chain/trie.h"

#include "base/assert.h"
#include "chain/keccak.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct trie_walk *walk)
{
    ASSERT(walk->nibble <= 2 * walk->key.size);
    ASSERT(walk->value_size <= TRIE_VALUE_MAX);
    ASSERT(walk->embedded_size <= TRIE_EMBEDDED_MAX);
    ASSERT((walk->state == TRIE_PRESENT) == (walk->value_size > 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { KEY_MAX = 32 };
    struct reader reader = reader_of(span_of(data, size));
    struct span key = read_span(&reader, read_u8(&reader) % (KEY_MAX + 1));
    struct hash256 root = trie_empty_root();
    struct trie_walk walk = trie_walk_of(&root, key);
    enum status status = OK;
    size_t nodes = 0;
    while (status == OK && reader.rest.size > 0) {
        struct span node = read_span(&reader, read_u16(&reader));
        if (walk.state == TRIE_AT_HASH) {
            walk.hash = keccak256(node);
        }
        status = trie_walk_node(&walk, node);
        check(&walk);
        nodes += status == OK ? 1 : 0;
    }
    ASSERT(nodes <= 2 * key.size + 1);
    bool present = false;
    if (status == OK && trie_walk_finish(&walk, &present) == OK) {
        ASSERT(present == (walk.state == TRIE_PRESENT));
        check(&walk);
    }
    return 0;
}

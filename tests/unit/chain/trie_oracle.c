// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sort the pairs, share what their keys begin with, branch where they part.
#include "tests/unit/chain/trie_oracle.h"

#include "base/text.h"
#include "chain/keccak.h"
#include "chain/rlp.h"
#include "chain/trie.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NIBBLES = 16,
    PATH_MAX_BYTES = 33,
    NODE_CAPACITY = 1 << 16, // while a node is encoded
    PROOF_MAX = 65,
};

struct owned {
    uint8_t *data;
    size_t size;
};

struct node {
    size_t path_first; // where the path of a leaf or extension begins in its key, in nibbles
    size_t path_size;
    const struct oracle_pair *pair; // one under this node; the value of a leaf or branch is its own
    bool is_leaf;
    bool has_value;
    struct node *children[NIBBLES]; // an extension's only child is the first
    struct owned encoded;
};

struct trie_oracle {
    struct oracle_pair *pairs;
    struct node *root; // NULL if it is empty
};

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count + 1, size); // never of nothing
    ASSERT(memory != NULL);
    return memory;
}

static struct owned copy_of(struct span bytes)
{
    struct owned copy = {.data = zeroed(bytes.size, 1), .size = bytes.size};
    if (bytes.size > 0) {
        memcpy(copy.data, bytes.data, bytes.size);
    }
    return copy;
}

static struct span view(struct owned bytes)
{
    return span_of(bytes.data, bytes.size);
}

static uint8_t nibble_at(struct span key, size_t index)
{
    uint8_t byte = key.data[index / 2];
    return index % 2 == 0 ? byte >> 4 : byte & 15;
}

static int compare_pairs(const void *a, const void *b)
{
    struct span left = ((const struct oracle_pair *)a)->key;
    struct span right = ((const struct oracle_pair *)b)->key;
    size_t size = left.size < right.size ? left.size : right.size;
    int order = size == 0 ? 0 : memcmp(left.data, right.data, size);
    return order != 0 ? order : (left.size > right.size) - (left.size < right.size);
}

static void write_path(struct writer *writer, const struct node *node)
{
    uint8_t path[PATH_MAX_BYTES * 2];
    size_t odd = node->path_size % 2;
    size_t size = 1 + node->path_size / 2;
    ASSERT(size <= sizeof path);
    path[0] = (uint8_t)((node->is_leaf ? 0x20 : 0) | (odd ? 0x10 : 0));
    if (odd) {
        path[0] |= nibble_at(node->pair->key, node->path_first);
    }
    for (size_t i = 1; i < size; i++) {
        size_t at = node->path_first + odd + 2 * (i - 1);
        uint8_t high = nibble_at(node->pair->key, at);
        path[i] = (uint8_t)(high << 4 | nibble_at(node->pair->key, at + 1));
    }
    rlp_write_string(writer, span_of(path, size));
}

static void write_child(struct writer *writer, const struct node *child)
{
    if (child == NULL) {
        rlp_write_string(writer, span_of(NULL, 0));
    } else if (child->encoded.size < 32) {
        write_span(writer, view(child->encoded));
    } else {
        struct hash256 hash = keccak256(view(child->encoded));
        rlp_write_string(writer, span_of(hash.bytes, sizeof hash.bytes));
    }
}

static void encode(struct node *node)
{
    static uint8_t buffer[NODE_CAPACITY];
    struct writer writer = writer_of(buffer, sizeof buffer);
    size_t list = rlp_begin_list(&writer);
    if (node->is_leaf || node->path_size > 0) {
        write_path(&writer, node);
    }
    if (node->is_leaf) {
        rlp_write_string(&writer, node->pair->value);
    } else if (node->path_size > 0) {
        write_child(&writer, node->children[0]);
    } else {
        for (size_t i = 0; i < NIBBLES; i++) {
            write_child(&writer, node->children[i]);
        }
        rlp_write_string(&writer, node->has_value ? node->pair->value : span_of(NULL, 0));
    }
    rlp_end_list(&writer, list);
    ASSERT(writer_finish(&writer) == OK);
    node->encoded = copy_of(writer_written(&writer));
}

// How many nibbles from `depth` on the keys of both have in common.
static size_t common_nibbles(const struct oracle_pair *a, const struct oracle_pair *b, size_t depth)
{
    size_t count = 0;
    while (depth + count < 2 * a->key.size && depth + count < 2 * b->key.size &&
           nibble_at(a->key, depth + count) == nibble_at(b->key, depth + count)) {
        count++;
    }
    return count;
}

// Of sorted pairs whose keys have the first `depth` nibbles in common.
static struct node *build(const struct oracle_pair *pairs, size_t count, size_t depth)
{
    struct node *node = zeroed(1, sizeof *node);
    node->pair = pairs;
    node->path_first = depth;
    if (count == 1) {
        node->is_leaf = true;
        node->path_size = 2 * pairs->key.size - depth;
        encode(node);
        return node;
    }
    node->path_size = common_nibbles(&pairs[0], &pairs[count - 1], depth);
    if (node->path_size > 0) {
        node->children[0] = build(pairs, count, depth + node->path_size);
        encode(node);
        return node;
    }
    size_t at = 0;
    if (2 * pairs->key.size == depth) {
        node->has_value = true;
        at = 1;
    }
    while (at < count) {
        uint8_t nibble = nibble_at(pairs[at].key, depth);
        size_t end = at + 1;
        while (end < count && nibble_at(pairs[end].key, depth) == nibble) {
            end++;
        }
        node->children[nibble] = build(pairs + at, end - at, depth + 1);
        at = end;
    }
    encode(node);
    return node;
}

static void free_node(struct node *node)
{
    if (node != NULL) {
        for (size_t i = 0; i < NIBBLES; i++) {
            free_node(node->children[i]);
        }
        free(node->encoded.data);
        free(node);
    }
}

struct trie_oracle *trie_oracle_new(const struct oracle_pair *pairs, size_t count)
{
    struct trie_oracle *oracle = zeroed(1, sizeof *oracle);
    oracle->pairs = zeroed(count, sizeof *pairs);
    if (count > 0) {
        memcpy(oracle->pairs, pairs, count * sizeof *pairs);
        qsort(oracle->pairs, count, sizeof *pairs, compare_pairs);
        oracle->root = build(oracle->pairs, count, 0);
    }
    return oracle;
}

void trie_oracle_free(struct trie_oracle *oracle)
{
    free_node(oracle->root);
    free(oracle->pairs);
    free(oracle);
}

struct hash256 trie_oracle_root(const struct trie_oracle *oracle)
{
    static const uint8_t empty = 0x80;
    return keccak256(oracle->root == NULL ? span_of(&empty, 1) : view(oracle->root->encoded));
}

size_t trie_oracle_prove(const struct trie_oracle *oracle, struct span key, bool list_embedded,
    struct span *ret_nodes, size_t max)
{
    size_t count = 0;
    size_t depth = 0;
    const struct node *node = oracle->root;
    while (node != NULL) {
        if (node == oracle->root || list_embedded || node->encoded.size >= 32) {
            ASSERT(count < max);
            ret_nodes[count++] = view(node->encoded);
        }
        struct oracle_pair wanted = {.key = key};
        bool on_path = common_nibbles(&wanted, node->pair, depth) >= node->path_size;
        if (node->is_leaf || !on_path) {
            break;
        }
        depth += node->path_size;
        if (node->path_size > 0) {
            node = node->children[0];
        } else {
            node = depth < 2 * key.size ? node->children[nibble_at(key, depth)] : NULL;
            depth++;
        }
    }
    return count;
}

// The two tries of a state, and what their pairs point at.
struct state_oracle {
    struct eth_address contract;
    struct hash256 *keys; // of accounts, then of slots
    struct owned *values;
    size_t count;
    struct trie_oracle *accounts;
    struct trie_oracle *storage;
};

static struct owned encode_account(const struct proof_account *account)
{
    uint8_t buffer[TRIE_VALUE_MAX];
    struct writer writer = writer_of(buffer, sizeof buffer);
    size_t list = rlp_begin_list(&writer);
    rlp_write_u64(&writer, account->nonce);
    rlp_write_number(&writer, span_of(account->balance, sizeof account->balance));
    rlp_write_string(&writer, span_of(account->storage_root.bytes, 32));
    rlp_write_string(&writer, span_of(account->code_hash.bytes, 32));
    rlp_end_list(&writer, list);
    ASSERT(writer_finish(&writer) == OK);
    return copy_of(writer_written(&writer));
}

static struct owned encode_value(const uint8_t value[static 32])
{
    uint8_t buffer[64];
    struct writer writer = writer_of(buffer, sizeof buffer);
    rlp_write_number(&writer, span_of(value, 32));
    return copy_of(writer_written(&writer));
}

static void add_pair(
    struct state_oracle *oracle, struct oracle_pair *pair, struct span key, struct owned value)
{
    oracle->keys[oracle->count] = keccak256(key);
    oracle->values[oracle->count] = value;
    *pair = (struct oracle_pair){
        .key = span_of(oracle->keys[oracle->count].bytes, 32), .value = view(value)};
    oracle->count++;
}

struct state_oracle *state_oracle_new(const struct eth_address *contract,
    const struct proof_account *account, const struct oracle_slot *slots, size_t slot_count,
    size_t other_accounts)
{
    struct state_oracle *oracle = zeroed(1, sizeof *oracle);
    size_t pair_count = slot_count > 1 + other_accounts ? slot_count : 1 + other_accounts;
    struct oracle_pair *pairs = zeroed(pair_count, sizeof *pairs);
    oracle->contract = *contract;
    oracle->keys = zeroed(slot_count + 1 + other_accounts, sizeof *oracle->keys);
    oracle->values = zeroed(slot_count + 1 + other_accounts, sizeof *oracle->values);
    for (size_t i = 0; i < slot_count; i++) {
        add_pair(oracle, &pairs[i], span_of(slots[i].slot.bytes, 32), encode_value(slots[i].value));
    }
    oracle->storage = trie_oracle_new(pairs, slot_count);
    struct proof_account whole = *account;
    whole.storage_root = trie_oracle_root(oracle->storage);
    add_pair(oracle, &pairs[0], span_of(contract->bytes, 20), encode_account(&whole));
    struct proof_account other = {
        .nonce = 1, .storage_root = trie_empty_root(), .code_hash = keccak256(span_of(NULL, 0))};
    for (size_t i = 0; i < other_accounts; i++) {
        struct eth_address address = {{0xaa}};
        memcpy(address.bytes + 1, &i, sizeof i);
        add_pair(oracle, &pairs[1 + i], span_of(address.bytes, 20), encode_account(&other));
    }
    oracle->accounts = trie_oracle_new(pairs, 1 + other_accounts);
    free(pairs);
    return oracle;
}

void state_oracle_free(struct state_oracle *oracle)
{
    trie_oracle_free(oracle->accounts);
    trie_oracle_free(oracle->storage);
    for (size_t i = 0; i < oracle->count; i++) {
        free(oracle->values[i].data);
    }
    free(oracle->keys);
    free(oracle->values);
    free(oracle);
}

struct hash256 state_oracle_root(const struct state_oracle *oracle)
{
    return trie_oracle_root(oracle->accounts);
}

static json_t *json_hex(struct span bytes)
{
    char *text = zeroed(2 * bytes.size + 3, 1);
    text[0] = '0';
    text[1] = 'x';
    hex_format(bytes, text + 2);
    json_t *value = json_string(text);
    free(text);
    return value;
}

static json_t *json_proof(const struct trie_oracle *oracle, struct span key)
{
    struct hash256 path = keccak256(key);
    struct span nodes[PROOF_MAX];
    json_t *list = json_array();
    size_t count = trie_oracle_prove(oracle, span_of(path.bytes, 32), false, nodes, PROOF_MAX);
    for (size_t i = 0; i < count; i++) {
        (void)json_array_append_new(list, json_hex(nodes[i]));
    }
    return list;
}

json_t *state_oracle_get_proof(const struct state_oracle *oracle, const struct eth_address *address,
    const struct storage_slot *slots, size_t slot_count)
{
    bool is_contract = eth_address_equal(address, &oracle->contract);
    json_t *entries = json_array();
    for (size_t i = 0; i < slot_count; i++) {
        struct span slot = span_of(slots[i].bytes, 32);
        json_t *proof = is_contract ? json_proof(oracle->storage, slot) : json_array();
        (void)json_array_append_new(
            entries, json_pack("{s:o,s:o}", "key", json_hex(slot), "proof", proof));
    }
    struct span account = span_of(address->bytes, sizeof address->bytes);
    return json_pack("{s:o,s:o,s:o}", "address", json_hex(account), "accountProof",
        json_proof(oracle->accounts, account), "storageProof", entries);
}

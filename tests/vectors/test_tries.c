// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tries of ethereum/tests: the oracle must find the stated roots, then our walks must find each key
// by the oracle's proofs, and nothing else. Exits with 77 (skipped) where DEEDMESH_VECTORS names no
// folder.
#include "chain/keccak.h"
#include "chain/trie.h"
#include "tests/unit/chain/trie_oracle.h"
#include "tests/vectors/vectors.h"

#include "tests/unit/unit.h"

enum {
    PAIRS_MAX = 64,
    BYTES_MAX = 128,
    NODES_MAX = 65,
};

// What has been put in, by the name in the file; without a value it was taken out again.
struct content {
    uint8_t keys[PAIRS_MAX][BYTES_MAX];
    uint8_t values[PAIRS_MAX][BYTES_MAX];
    struct oracle_pair pairs[PAIRS_MAX];
    size_t count;
};

static struct span bytes_of(const char *text, uint8_t *buffer)
{
    if (strncmp(text, "0x", 2) == 0) {
        return vectors_hex(text, buffer, BYTES_MAX);
    }
    struct span bytes = span_of_text(text);
    assert_true(bytes.size <= BYTES_MAX);
    memcpy(buffer, bytes.data, bytes.size);
    return span_of(buffer, bytes.size);
}

static void put(struct content *content, const char *name, const char *text, bool secure)
{
    uint8_t bytes[BYTES_MAX];
    struct span key = bytes_of(name, bytes);
    struct hash256 hash = keccak256(key);
    key = secure ? span_of(hash.bytes, sizeof hash.bytes) : key;
    size_t at = 0;
    while (at < content->count && !span_equal(content->pairs[at].key, key)) {
        at++;
    }
    assert_true(at < PAIRS_MAX);
    struct oracle_pair *pair = &content->pairs[at];
    if (at == content->count) {
        memcpy(content->keys[at], key.data, key.size);
        pair->key = span_of(content->keys[at], key.size);
        content->count++;
    }
    pair->value = text == NULL ? span_of(NULL, 0) : bytes_of(text, content->values[at]);
}

static void check_walk(const struct trie_oracle *oracle, struct span key, struct span expected)
{
    struct span nodes[NODES_MAX];
    bool present = false;
    struct hash256 root = trie_oracle_root(oracle);
    struct trie_walk walk = trie_walk_of(&root, key);
    size_t count = trie_oracle_prove(oracle, key, false, nodes, NODES_MAX);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(trie_walk_node(&walk, nodes[i]), OK);
    }
    assert_int_equal(trie_walk_finish(&walk, &present), OK);
    assert_int_equal(present, expected.size > 0);
    assert_true(span_equal(span_of(walk.value, walk.value_size), expected));
}

static struct trie_oracle *oracle_of(const struct content *content)
{
    struct oracle_pair present[PAIRS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < content->count; i++) {
        if (content->pairs[i].value.size > 0) {
            present[count++] = content->pairs[i];
        }
    }
    return trie_oracle_new(present, count);
}

static void check_trie(const json_t *test, bool secure)
{
    static struct content content;
    content.count = 0;
    json_t *in = json_object_get(test, "in");
    const char *name;
    json_t *value;
    for (size_t i = 0; i < json_array_size(in); i++) {
        const json_t *step = json_array_get(in, i);
        put(&content, json_string_value(json_array_get(step, 0)),
            json_string_value(json_array_get(step, 1)), secure);
    }
    json_object_foreach(in, name, value)
    {
        put(&content, name, json_string_value(value), secure);
    }
    struct hash256 expected;
    vectors_bytes(vectors_text(test, "root"), expected.bytes, sizeof expected.bytes);
    struct trie_oracle *oracle = oracle_of(&content);
    struct hash256 root = trie_oracle_root(oracle);
    assert_true(hash256_equal(&root, &expected));
    for (size_t i = 0; i < content.count; i++) {
        check_walk(oracle, content.pairs[i].key, content.pairs[i].value);
    }
    trie_oracle_free(oracle);
}

static size_t check_tries(const char *name, bool secure)
{
    json_t *root = vectors_load(name);
    size_t count = json_object_size(root);
    const char *test_name;
    json_t *test;
    json_object_foreach(root, test_name, test)
    {
        check_trie(test, secure);
    }
    json_decref(root);
    return count;
}

static void roots_and_walks(void **)
{
    assert_int_equal(check_tries("ethereum-tests/TrieTests/trietest.json", false), 5);
    assert_int_equal(check_tries("ethereum-tests/TrieTests/trieanyorder.json", false), 7);
    assert_int_equal(check_tries("ethereum-tests/TrieTests/trietest_secureTrie.json", true), 3);
    assert_int_equal(check_tries("ethereum-tests/TrieTests/trieanyorder_secureTrie.json", true), 7);
    assert_int_equal(
        check_tries("ethereum-tests/TrieTests/hex_encoded_securetrie_test.json", true), 3);
}

// The neighbours in these are for iterators; here the keys between them must be absent.
static void keys_beside_those_of_a_trie(void **)
{
    static struct content content;
    json_t *root = vectors_load("ethereum-tests/TrieTests/trietestnextprev.json");
    const json_t *test = vectors_member(root, "basic");
    const json_t *in = vectors_member(test, "in");
    const json_t *queries = vectors_member(test, "tests");
    for (size_t i = 0; i < json_array_size(in); i++) {
        const char *text = json_string_value(json_array_get(in, i));
        put(&content, text, text, false);
    }
    struct trie_oracle *oracle = oracle_of(&content);
    size_t present = 0;
    for (size_t i = 0; i < json_array_size(queries); i++) {
        struct span key =
            span_of_text(json_string_value(json_array_get(json_array_get(queries, i), 0)));
        struct span value = span_of(NULL, 0);
        for (size_t j = 0; j < content.count; j++) {
            if (span_equal(content.pairs[j].key, key)) {
                value = content.pairs[j].value;
                present++;
            }
        }
        check_walk(oracle, key, value);
    }
    assert_int_equal(json_array_size(queries), 12);
    assert_int_equal(present, 3);
    trie_oracle_free(oracle);
    json_decref(root);
}

int main(void)
{
    if (!vectors_present()) {
        return VECTORS_SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_and_walks),
        cmocka_unit_test(keys_beside_those_of_a_trie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

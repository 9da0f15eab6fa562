// SPDX-License-Identifier: GPL-3.0-or-later
//
// Walks through tries that an oracle builds, and through single nodes that are no nodes.
#include "base/rng.h"
#include "base/text.h"
#include "chain/keccak.h"
#include "chain/rlp.h"
#include "chain/trie.h"
#include "tests/unit/chain/trie_oracle.h"

#include "tests/unit/unit.h"

enum {
    KEYS_MAX = 200,
    KEY_MAX = 32,
    VALUE_MAX = 60,
    NODES_MAX = 65,
};

struct proof {
    struct span nodes[NODES_MAX];
    size_t count;
};

static enum status walk_to(const struct hash256 *root, struct span key, const struct proof *proof,
    bool *ret_present, struct trie_walk *ret_walk)
{
    *ret_walk = trie_walk_of(root, key);
    for (size_t i = 0; i < proof->count; i++) {
        enum status status = trie_walk_node(ret_walk, proof->nodes[i]);
        if (status != OK) {
            return status;
        }
    }
    return trie_walk_finish(ret_walk, ret_present);
}

// A random trie; keys share long beginnings, so that all kinds of nodes come about.
struct world {
    uint8_t keys[KEYS_MAX][KEY_MAX];
    uint8_t values[KEYS_MAX][VALUE_MAX];
    struct oracle_pair pairs[KEYS_MAX];
    size_t count;
    struct trie_oracle *oracle;
    struct hash256 root;
};

static struct span random_key(struct rng *rng, size_t size, uint8_t ret[static KEY_MAX])
{
    for (size_t i = 0; i < size; i++) {
        ret[i] = (uint8_t)(rng_below(rng, 2) * 0x10 + rng_below(rng, 3));
    }
    return span_of(ret, size);
}

static bool has_key(const struct world *world, struct span key)
{
    for (size_t i = 0; i < world->count; i++) {
        if (span_equal(world->pairs[i].key, key)) {
            return true;
        }
    }
    return false;
}

static void make_world(struct rng *rng, size_t key_size, struct world *world)
{
    world->count = 0;
    size_t wanted = rng_below(rng, KEYS_MAX);
    for (size_t i = 0; i < wanted; i++) {
        struct span key = random_key(rng, key_size, world->keys[world->count]);
        if (has_key(world, key)) {
            continue;
        }
        uint8_t *value = world->values[world->count];
        size_t size = 1 + rng_below(rng, rng_below(rng, 2) == 0 ? 2 : VALUE_MAX);
        rng_bytes(rng, value, size);
        world->pairs[world->count++] =
            (struct oracle_pair){.key = key, .value = span_of(value, size)};
    }
    world->oracle = trie_oracle_new(world->pairs, world->count);
    world->root = trie_oracle_root(world->oracle);
}

static void check_key(const struct world *world, struct span key, const struct span *expected)
{
    for (int listed = 0; listed < 2; listed++) {
        struct proof proof;
        struct trie_walk walk;
        bool present = false;
        proof.count = trie_oracle_prove(world->oracle, key, listed == 1, proof.nodes, NODES_MAX);
        assert_int_equal(walk_to(&world->root, key, &proof, &present, &walk), OK);
        assert_int_equal(present, expected != NULL);
        if (expected != NULL) {
            assert_true(span_equal(span_of(walk.value, walk.value_size), *expected));
        }
    }
}

static void random_tries_prove_presence_and_absence(void **)
{
    static struct world world;
    static const uint8_t seed[RNG_SEED_SIZE] = {7};
    struct rng rng;
    rng_seed(&rng, seed);
    for (size_t round = 0; round < 150; round++) {
        size_t key_size = 1 + round % 6;
        make_world(&rng, key_size, &world);
        for (size_t i = 0; i < world.count; i++) {
            check_key(&world, world.pairs[i].key, &world.pairs[i].value);
        }
        for (size_t i = 0; i < 50; i++) {
            uint8_t bytes[KEY_MAX];
            struct span key = random_key(&rng, key_size, bytes);
            if (!has_key(&world, key)) {
                check_key(&world, key, NULL);
            }
        }
        trie_oracle_free(world.oracle);
    }
}

// No other list of nodes proves anything about this key under this root.
static void assert_only_this_proof(
    const struct hash256 *root, struct span key, const struct proof *proof)
{
    struct trie_walk walk;
    bool present = false;
    for (size_t i = 0; i < proof->count; i++) {
        uint8_t changed[600];
        struct proof other = *proof;
        assert_true(proof->nodes[i].size <= sizeof changed);
        memcpy(changed, proof->nodes[i].data, proof->nodes[i].size);
        other.nodes[i] = span_of(changed, proof->nodes[i].size);
        for (size_t at = 0; at < proof->nodes[i].size; at++) {
            changed[at] ^= (uint8_t)(1U << (at % 8));
            assert_int_not_equal(walk_to(root, key, &other, &present, &walk), OK);
            changed[at] ^= (uint8_t)(1U << (at % 8));
        }
        other.nodes[i].size--;
        assert_int_not_equal(walk_to(root, key, &other, &present, &walk), OK);
        other = *proof;
        other.count--;
        memmove(&other.nodes[i], &other.nodes[i + 1], (other.count - i) * sizeof other.nodes[0]);
        assert_int_not_equal(walk_to(root, key, &other, &present, &walk), OK);
        other = *proof;
        other.nodes[other.count++] = proof->nodes[i];
        assert_int_equal(walk_to(root, key, &other, &present, &walk), ERR_TRAILING);
    }
}

static void every_byte_of_a_proof_counts(void **)
{
    static struct world world;
    static const uint8_t seed[RNG_SEED_SIZE] = {8};
    struct rng rng;
    rng_seed(&rng, seed);
    for (size_t round = 0; round < 10; round++) {
        make_world(&rng, 4, &world);
        for (size_t i = 0; i < 30; i++) {
            uint8_t bytes[KEY_MAX];
            struct span key = random_key(&rng, 4, bytes);
            struct proof proof;
            proof.count = trie_oracle_prove(world.oracle, key, false, proof.nodes, NODES_MAX);
            assert_only_this_proof(&world.root, key, &proof);
        }
        trie_oracle_free(world.oracle);
    }
}

static void nothing_is_in_the_empty_trie(void **)
{
    struct hash256 root = trie_empty_root();
    struct proof proof = {.count = 0};
    struct trie_walk walk;
    bool present = true;
    char text[65];
    hex_format(span_of(root.bytes, sizeof root.bytes), text);
    assert_string_equal(text, "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421");
    assert_int_equal(walk_to(&root, span_of("k", 1), &proof, &present, &walk), OK);
    assert_false(present);
    static const uint8_t empty = 0x80;
    proof = (struct proof){.nodes = {span_of(&empty, 1)}, .count = 1};
    present = true;
    assert_int_equal(walk_to(&root, span_of("k", 1), &proof, &present, &walk), OK);
    assert_false(present);
    root.bytes[0] ^= 1;
    proof.count = 0;
    assert_int_equal(walk_to(&root, span_of("k", 1), &proof, &present, &walk), ERR_TRUNCATED);
}

// The key 12 34 in a trie whose root is the node given in hex.
static enum status walk_root(const char *hex, bool *ret_present)
{
    static const uint8_t key[] = {0x12, 0x34};
    uint8_t bytes[256];
    size_t size = strlen(hex) / 2;
    assert_true(size <= sizeof bytes);
    assert_int_equal(hex_parse(span_of_text(hex), bytes, size), OK);
    struct span node = span_of(bytes, size);
    struct hash256 root = keccak256(node);
    struct proof proof = {.nodes = {node}, .count = 1};
    struct trie_walk walk;
    return walk_to(&root, span_of(key, sizeof key), &proof, ret_present, &walk);
}

static void assert_root(const char *hex, enum status expected, bool expected_present)
{
    bool present = !expected_present;
    assert_int_equal(walk_root(hex, &present), expected);
    if (expected == OK) {
        assert_int_equal(present, expected_present);
    }
}

static void each_form_of_absence(void **)
{
    assert_root("c88320123483646f67", OK, true);                    // a leaf at 1234
    assert_root("c88320123583646f67", OK, false);                   // at 1235
    assert_root("c782312383646f67", OK, false);                     // at 123
    assert_root("c9842012345683646f67", OK, false);                 // at 123456
    assert_root("d18080808080808080808080808080808080", OK, false); // no child in the branch
    assert_root("d880c782323483646f67808080808080808080808080808080", OK, true);
    assert_root("d880c782323583646f67808080808080808080808080808080", OK, false);
    // An extension to a branch that has a value, to one that has none, past the key, beside it.
    assert_root("d983001234d48080808080808080808080808080808083646f67", OK, true);
    assert_root("d683001234d18080808080808080808080808080808080", OK, false);
    assert_root("da8400123456d48080808080808080808080808080808083646f67", OK, false);
    assert_root("d983001235d48080808080808080808080808080808083646f67", OK, false);
    // A child by its hash, whose node is missing.
    assert_root("f180a00000000000000000000000000000000000000000000000000000000000000000"
                "808080808080808080808080808080",
        ERR_TRUNCATED, false);
    // The empty trie is no child.
    assert_root("f180a056e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
                "808080808080808080808080808080",
        ERR_TRUNCATED, false);
}

static void nodes_that_are_none(void **)
{
    assert_root("", ERR_TRUNCATED, false);
    assert_root("c3836f6f", ERR_TRUNCATED, false);
    assert_root("c88320123483646f6700", ERR_TRAILING, false);
    assert_root("83646f67", ERR_MALFORMED, false);                              // a string
    assert_root("c0", ERR_MALFORMED, false);                                    // of no items
    assert_root("c3010203", ERR_MALFORMED, false);                              // of three
    assert_root("d2808080808080808080808080808080808080", ERR_TRAILING, false); // of 18
    assert_root("c88340123483646f67", ERR_NOT_CANONICAL, false);                // path with flag 4
    assert_root("c88321123483646f67", ERR_NOT_CANONICAL, false);                // padded by 1
    assert_root("c58083646f67", ERR_MALFORMED, false);                          // no path
    assert_root("c6c10183646f67", ERR_MALFORMED, false);                        // path is a list
    assert_root("c58320123480", ERR_MALFORMED, false); // a leaf without a value
    assert_root("c683201234c101", ERR_MALFORMED, false);
    assert_root("c482001280", ERR_MALFORMED, false); // an extension without a child
    assert_root("d600d48080808080808080808080808080808083646f67", ERR_MALFORMED, false); // or path
    // A child of 31 bytes that is no list, and one of 34 that should stand by its hash.
    assert_root("f0809f787878787878787878787878787878787878787878787878787878787878"
                "78808080808080808080808080808080",
        ERR_MALFORMED, false);
    assert_root("f280e18232349d6464646464646464646464646464646464646464646464646464"
                "646464808080808080808080808080808080",
        ERR_NOT_CANONICAL, false);
}

static void a_small_node_stands_inside_of_its_parent(void **)
{
    static const uint8_t key[] = {0x12, 0x34};
    uint8_t leaf[8];
    uint8_t branch[64];
    assert_int_equal(hex_parse(span_of_text("c782323483646f67"), leaf, sizeof leaf), OK);
    struct hash256 hash = keccak256(span_of(leaf, sizeof leaf));
    struct writer writer = writer_of(branch, sizeof branch);
    size_t list = rlp_begin_list(&writer);
    for (size_t i = 0; i < 17; i++) {
        rlp_write_string(&writer, span_of(hash.bytes, i == 1 ? sizeof hash.bytes : 0));
    }
    rlp_end_list(&writer, list);
    struct hash256 root = keccak256(writer_written(&writer));
    struct trie_walk walk = trie_walk_of(&root, span_of(key, sizeof key));
    assert_int_equal(trie_walk_node(&walk, writer_written(&writer)), OK);
    assert_int_equal(trie_walk_node(&walk, span_of(leaf, sizeof leaf)), ERR_NOT_CANONICAL);
}

static void values_are_bounded(void **)
{
    static const uint8_t key[] = {0x12, 0x34};
    static const uint8_t path[] = {0x20, 0x12, 0x34};
    static const uint8_t value[TRIE_VALUE_MAX + 1] = {1};
    for (size_t size = TRIE_VALUE_MAX; size <= sizeof value; size++) {
        uint8_t leaf[256];
        struct writer writer = writer_of(leaf, sizeof leaf);
        size_t list = rlp_begin_list(&writer);
        rlp_write_string(&writer, span_of(path, sizeof path));
        rlp_write_string(&writer, span_of(value, size));
        rlp_end_list(&writer, list);
        struct hash256 root = keccak256(writer_written(&writer));
        struct trie_walk walk = trie_walk_of(&root, span_of(key, sizeof key));
        assert_int_equal(trie_walk_node(&walk, writer_written(&writer)),
            size == TRIE_VALUE_MAX ? OK : ERR_TOO_LARGE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_tries_prove_presence_and_absence),
        cmocka_unit_test(every_byte_of_a_proof_counts),
        cmocka_unit_test(nothing_is_in_the_empty_trie),
        cmocka_unit_test(each_form_of_absence),
        cmocka_unit_test(nodes_that_are_none),
        cmocka_unit_test(a_small_node_stands_inside_of_its_parent),
        cmocka_unit_test(values_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

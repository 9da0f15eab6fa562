// SPDX-License-Identifier: GPL-3.0-or-later
//
// EIP-712 for any types, as a wallet computes it: proven right by the cases of ethers.js, then an
// oracle for the typed data and the digest of a delegation. Exits with 77 (skipped) where
// DEEDMESH_VECTORS names no folder.
#include "base/rng.h"
#include "base/text.h"
#include "chain/chain.h"
#include "tests/vectors/vectors.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    WORD = 32,
    TEXT_MAX = 8192, // of a type with all types that it needs
    NAMES_MAX = 64,
    ELEMENTS_MAX = 128, // of a struct or an array
};

static struct hash256 hash_struct(json_t *types, const char *type, const json_t *value);

// The name without the dimensions of an array.
static void base_type(const char *type, char ret[static 64])
{
    size_t size = strcspn(type, "[");
    assert_true(size < 64);
    memcpy(ret, type, size);
    ret[size] = '\0';
}

static void gather_types(json_t *types, const char *type, json_t *found)
{
    char name[64];
    base_type(type, name);
    const json_t *members = json_object_get(types, name);
    if (members == NULL || json_object_get(found, name) != NULL) {
        return;
    }
    (void)json_object_set_new(found, name, json_true());
    for (size_t i = 0; i < json_array_size(members); i++) {
        gather_types(types, vectors_text(json_array_get(members, i), "type"), found);
    }
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t append_type(char *text, size_t at, json_t *types, const char *name)
{
    const json_t *members = vectors_member(types, name);
    at += (size_t)snprintf(text + at, TEXT_MAX - at, "%s(", name);
    for (size_t i = 0; i < json_array_size(members) && at < TEXT_MAX; i++) {
        const json_t *member = json_array_get(members, i);
        at += (size_t)snprintf(text + at, TEXT_MAX - at, "%s%s %s", i == 0 ? "" : ",",
            vectors_text(member, "type"), vectors_text(member, "name"));
    }
    assert_true(at < TEXT_MAX);
    at += (size_t)snprintf(text + at, TEXT_MAX - at, ")");
    assert_true(at < TEXT_MAX);
    return at;
}

// The type, then those that it needs in the order of their names.
static struct hash256 hash_type(json_t *types, const char *type)
{
    char text[TEXT_MAX];
    const char *names[NAMES_MAX];
    size_t count = 0;
    json_t *found = json_object();
    gather_types(types, type, found);
    const char *name;
    json_t *unused;
    json_object_foreach(found, name, unused)
    {
        if (strcmp(name, type) != 0) {
            assert_true(count < NAMES_MAX);
            names[count++] = name;
        }
    }
    qsort(names, count, sizeof names[0], compare_names);
    size_t size = append_type(text, 0, types, type);
    for (size_t i = 0; i < count; i++) {
        size = append_type(text, size, types, names[i]);
    }
    json_decref(found);
    return keccak256(span_of(text, size));
}

// Decimal text or an integer, negative ones as their two's complement.
static void number_word(const json_t *value, uint8_t ret[static WORD])
{
    char text[96];
    if (json_is_integer(value)) {
        (void)snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    } else {
        (void)snprintf(text, sizeof text, "%s", json_string_value(value));
    }
    bool negative = text[0] == '-';
    struct token_id number;
    assert_int_equal(token_id_parse(span_of_text(text + (negative ? 1 : 0)), &number), OK);
    unsigned carry = 1;
    for (size_t i = WORD; i-- > 0;) {
        carry += (uint8_t)~number.bytes[i];
        ret[i] = negative ? (uint8_t)carry : number.bytes[i];
        carry >>= 8;
    }
}

static struct hash256 hash_array(json_t *types, const char *element, const json_t *value);

static void hash_word(struct hash256 hash, uint8_t ret[static WORD])
{
    memcpy(ret, hash.bytes, WORD);
}

static void atom_word(const char *type, const json_t *value, uint8_t ret[static WORD])
{
    uint8_t bytes[1 << 12];
    memset(ret, 0, WORD);
    if (strcmp(type, "string") == 0) {
        assert_true(json_is_string(value));
        hash_word(keccak256(span_of(json_string_value(value), json_string_length(value))), ret);
    } else if (strcmp(type, "bytes") == 0) {
        hash_word(keccak256(vectors_hex(json_string_value(value), bytes, sizeof bytes)), ret);
    } else if (strcmp(type, "bool") == 0) {
        assert_true(json_is_boolean(value));
        ret[WORD - 1] = json_is_true(value) ? 1 : 0;
    } else if (strcmp(type, "address") == 0) {
        vectors_bytes(json_string_value(value), ret + 12, 20);
    } else if (strncmp(type, "bytes", 5) == 0) {
        struct span content = vectors_hex(json_string_value(value), bytes, WORD);
        uint64_t size = 0;
        assert_int_equal(decimal_parse(span_of_text(type + 5), WORD, &size), OK);
        assert_int_equal(content.size, size);
        memcpy(ret, content.data, content.size);
    } else {
        assert_true(strncmp(type, "int", 3) == 0 || strncmp(type, "uint", 4) == 0);
        number_word(value, ret);
    }
}

static void value_word(
    json_t *types, const char *type, const json_t *value, uint8_t ret[static WORD])
{
    const char *dimension = strrchr(type, '[');
    if (dimension != NULL) {
        char element[64];
        size_t size = (size_t)(dimension - type);
        assert_true(size < sizeof element);
        memcpy(element, type, size);
        element[size] = '\0';
        hash_word(hash_array(types, element, value), ret);
    } else if (json_object_get(types, type) != NULL) {
        hash_word(hash_struct(types, type, value), ret);
    } else {
        atom_word(type, value, ret);
    }
}

static struct hash256 hash_array(json_t *types, const char *element, const json_t *value)
{
    uint8_t words[ELEMENTS_MAX * WORD];
    size_t count = json_array_size(value);
    assert_true(json_is_array(value) && count <= ELEMENTS_MAX);
    for (size_t i = 0; i < count; i++) {
        value_word(types, element, json_array_get(value, i), words + i * WORD);
    }
    return keccak256(span_of(words, count * WORD));
}

static struct hash256 hash_struct(json_t *types, const char *type, const json_t *value)
{
    uint8_t words[ELEMENTS_MAX * WORD];
    const json_t *members = vectors_member(types, type);
    size_t count = json_array_size(members);
    assert_true(count < ELEMENTS_MAX);
    hash_word(hash_type(types, type), words);
    for (size_t i = 0; i < count; i++) {
        const json_t *member = json_array_get(members, i);
        value_word(types, vectors_text(member, "type"),
            vectors_member(value, vectors_text(member, "name")), words + (1 + i) * WORD);
    }
    return keccak256(span_of(words, (1 + count) * WORD));
}

static struct hash256 typed_data_digest(
    json_t *types, const char *primary, const json_t *domain, const json_t *message)
{
    uint8_t bytes[2 + 2 * WORD] = {0x19, 0x01};
    hash_word(hash_struct(types, "EIP712Domain", domain), bytes + 2);
    hash_word(hash_struct(types, primary, message), bytes + 2 + WORD);
    return keccak256(span_of(bytes, sizeof bytes));
}

// A domain has those of the five members that are there, in this order.
static json_t *domain_type(const json_t *domain)
{
    static const struct {
        const char *name;
        const char *type;
    } members[] = {{"name", "string"}, {"version", "string"}, {"chainId", "uint256"},
        {"verifyingContract", "address"}, {"salt", "bytes32"}};
    json_t *type = json_array();
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (json_object_get(domain, members[i].name) != NULL) {
            (void)json_array_append_new(
                type, json_pack("{s:s,s:s}", "name", members[i].name, "type", members[i].type));
        }
    }
    return type;
}

static void digests_of_ethers(void **)
{
    json_t *root = vectors_load("ethers/typed-data.json.gz");
    assert_int_equal(json_array_size(root), 130);
    for (size_t i = 0; i < json_array_size(root); i++) {
        const json_t *test = json_array_get(root, i);
        const json_t *domain = vectors_member(test, "domain");
        json_t *types = json_object_get(test, "types");
        (void)json_object_set_new(types, "EIP712Domain", domain_type(domain));
        struct hash256 digest = typed_data_digest(
            types, vectors_text(test, "primaryType"), domain, vectors_member(test, "data"));
        struct hash256 expected;
        vectors_bytes(vectors_text(test, "digest"), expected.bytes, sizeof expected.bytes);
        if (!hash256_equal(&digest, &expected)) {
            fail_msg("%s has another digest", vectors_text(test, "name"));
        }
    }
    json_decref(root);
}

// What a wallet computes from our typed data is what our nodes verify.
static void a_wallet_signs_what_nodes_verify(void **)
{
    enum { CASES = 300 };
    static const uint8_t seed[RNG_SEED_SIZE] = {12};
    struct rng rng;
    rng_seed(&rng, seed);
    for (size_t i = 0; i < CASES; i++) {
        struct network network = {.chain_id = rng_u64(&rng) >> rng_below(&rng, 64)};
        struct delegation delegation = {.not_before_s = rng_u64(&rng) >> rng_below(&rng, 64),
            .not_after_s = i == 0 ? UINT64_MAX : rng_u64(&rng) >> rng_below(&rng, 64),
            .epoch_s = i == 1 ? 0 : rng_u64(&rng) >> rng_below(&rng, 64)};
        rng_bytes(&rng, network.contract.bytes, sizeof network.contract.bytes);
        rng_bytes(&rng, delegation.token.bytes + i % 32, 32 - i % 32);
        rng_bytes(&rng, delegation.owner.bytes, sizeof delegation.owner.bytes);
        rng_bytes(&rng, delegation.node_key.bytes, i % 8 == 0 ? 0 : 32);
        char text[DELEGATION_TYPED_DATA_SIZE];
        delegation_typed_data(&delegation, &network, text);
        json_t *data = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(data);
        struct hash256 expected =
            typed_data_digest(json_object_get(data, "types"), vectors_text(data, "primaryType"),
                vectors_member(data, "domain"), vectors_member(data, "message"));
        struct hash256 digest = delegation_digest(&delegation, &network);
        assert_true(hash256_equal(&digest, &expected));
        json_decref(data);
    }
}

int main(void)
{
    if (!vectors_present()) {
        return VECTORS_SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_of_ethers),
        cmocka_unit_test(a_wallet_signs_what_nodes_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

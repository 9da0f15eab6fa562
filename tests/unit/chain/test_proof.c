// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whole answers to eth_getProof, true ones and tampered ones.
#include "base/text.h"
#include "chain/header.h"
#include "chain/keccak.h"
#include "chain/proof.h"
#include "chain/trie.h"
#include "tests/unit/chain/trie_oracle.h"

#include "tests/unit/unit.h"

#include <stdio.h>

enum {
    SLOT_COUNT = 200,
    ACCOUNT_COUNT = 100,
    ASKED = 4,
    ZERO_INDEX = 7, // of the slot that is a leaf of zero
};

static const struct eth_address contract = {{0xc0, 0xde}};

struct world {
    struct state_oracle *oracle;
    struct hash256 root;
    struct storage_slot asked[ASKED]; // present, present, leaf of zero, absent
    json_t *result;
};

static struct world *world;

static int set_up(void **)
{
    static struct world the_world;
    static struct oracle_slot slots[SLOT_COUNT];
    struct storage_slot mapping = storage_slot_of_u64(2);
    for (size_t i = 0; i < SLOT_COUNT; i++) {
        struct token_id token = token_id_of_u64(i);
        slots[i].slot = storage_slot_of_token(&token, &mapping);
        memset(slots[i].value + 12, i == ZERO_INDEX ? 0 : (int)i + 1, 20);
    }
    struct proof_account account = {
        .exists = true, .nonce = 5, .code_hash = keccak256(span_of_text("code"))};
    account.balance[31] = 9;
    world = &the_world;
    world->oracle = state_oracle_new(&contract, &account, slots, SLOT_COUNT, ACCOUNT_COUNT);
    world->root = state_oracle_root(world->oracle);
    world->asked[0] = slots[3].slot;
    world->asked[1] = slots[199].slot;
    world->asked[2] = slots[ZERO_INDEX].slot;
    world->asked[3] = storage_slot_of_u64(1000);
    return 0;
}

static int tear_down(void **)
{
    state_oracle_free(world->oracle);
    return 0;
}

static int fresh_result(void **)
{
    world->result = state_oracle_get_proof(world->oracle, &contract, world->asked, ASKED);
    return 0;
}

static int drop_result(void **)
{
    json_decref(world->result);
    return 0;
}

static enum status verify(struct proof_account *ret_account, struct proof_slot *ret_slots)
{
    return proof_verify(
        world->result, &world->root, &contract, world->asked, ASKED, ret_account, ret_slots);
}

static enum status verify_status(void)
{
    struct proof_account account;
    struct proof_slot slots[ASKED];
    return verify(&account, slots);
}

static json_t *entry(size_t index)
{
    return json_array_get(json_object_get(world->result, "storageProof"), index);
}

static void what_is_proven(void **)
{
    struct proof_account account;
    struct proof_slot slots[ASKED];
    struct hash256 code = keccak256(span_of_text("code"));
    assert_int_equal(verify(&account, slots), OK);
    assert_true(account.exists);
    assert_int_equal(account.nonce, 5);
    assert_int_equal(account.balance[31], 9);
    assert_true(hash256_equal(&account.code_hash, &code));
    assert_int_equal(slots[0].presence, PROOF_PRESENT);
    assert_int_equal(slots[0].value[11], 0);
    assert_int_equal(slots[0].value[12], 4);
    assert_int_equal(slots[1].presence, PROOF_PRESENT);
    assert_int_equal(slots[1].value[31], 200);
    assert_int_equal(slots[2].presence, PROOF_ZERO_LEAF);
    assert_int_equal(slots[2].value[31], 0);
    assert_int_equal(slots[3].presence, PROOF_ABSENT);
    assert_int_equal(slots[3].value[31], 0);
}

static void accounts_that_do_not_exist_or_have_no_storage(void **)
{
    static const struct eth_address nobody = {{0xbb}};
    static const struct eth_address plain = {{0xaa, 3}};
    struct hash256 no_code = keccak256(span_of(NULL, 0));
    struct hash256 no_storage = trie_empty_root();
    const struct eth_address *addresses[] = {&nobody, &plain};
    for (size_t i = 0; i < 2; i++) {
        struct proof_account account;
        struct proof_slot slots[ASKED];
        json_t *result = state_oracle_get_proof(world->oracle, addresses[i], world->asked, ASKED);
        assert_int_equal(
            proof_verify(result, &world->root, addresses[i], world->asked, ASKED, &account, slots),
            OK);
        assert_int_equal(account.exists, i == 1);
        assert_int_equal(account.nonce, i);
        assert_true(hash256_equal(&account.code_hash, &no_code));
        assert_true(hash256_equal(&account.storage_root, &no_storage));
        for (size_t j = 0; j < ASKED; j++) {
            assert_int_equal(slots[j].presence, PROOF_ABSENT);
        }
        json_decref(result);
    }
}

static void it_is_bound_to_root_address_and_slots(void **)
{
    struct proof_account account;
    struct proof_slot slots[ASKED];
    struct hash256 other_root = world->root;
    other_root.bytes[31] ^= 1;
    assert_int_equal(
        proof_verify(world->result, &other_root, &contract, world->asked, ASKED, &account, slots),
        ERR_MISMATCH);
    static const struct eth_address other = {{0xc0, 0xdf}};
    assert_int_equal(
        proof_verify(world->result, &world->root, &other, world->asked, ASKED, &account, slots),
        ERR_MISMATCH);
    struct storage_slot swapped[ASKED];
    memcpy(swapped, world->asked, sizeof swapped);
    swapped[0] = world->asked[1];
    assert_int_equal(
        proof_verify(world->result, &world->root, &contract, swapped, ASKED, &account, slots),
        ERR_MISMATCH);
    assert_int_equal(proof_verify(world->result, &world->root, &contract, world->asked, ASKED - 1,
                         &account, slots),
        ERR_MALFORMED);
    // The key says one slot, the nodes are of another.
    (void)json_object_set(entry(0), "proof", json_object_get(entry(1), "proof"));
    assert_int_not_equal(verify_status(), OK);
}

// Each byte of each node, by way of its text.
static void flip_all_bytes(json_t *nodes)
{
    for (size_t i = 0; i < json_array_size(nodes); i++) {
        char text[2 * PROOF_NODE_SIZE_MAX + 3];
        json_t *node = json_array_get(nodes, i);
        size_t size = json_string_length(node);
        assert_true(size < sizeof text);
        memcpy(text, json_string_value(node), size + 1);
        for (size_t at = 2; at < size; at++) {
            char before = text[at];
            text[at] = before == '0' ? '1' : '0';
            (void)json_string_set(node, text);
            assert_int_not_equal(verify_status(), OK);
            text[at] = before;
        }
        (void)json_string_set(node, text);
    }
    assert_int_equal(verify_status(), OK);
}

static void a_changed_byte_proves_nothing(void **)
{
    flip_all_bytes(json_object_get(world->result, "accountProof"));
    for (size_t i = 0; i < ASKED; i++) {
        flip_all_bytes(json_object_get(entry(i), "proof"));
    }
}

static void lists_are_exactly_as_long_as_the_path(void **)
{
    json_t *nodes = json_object_get(entry(0), "proof");
    json_t *last = json_incref(json_array_get(nodes, json_array_size(nodes) - 1));
    (void)json_array_append(nodes, last);
    assert_int_equal(verify_status(), ERR_TRAILING);
    (void)json_array_remove(nodes, json_array_size(nodes) - 1);
    (void)json_array_remove(nodes, json_array_size(nodes) - 1);
    assert_int_equal(verify_status(), ERR_TRUNCATED);
    while (json_array_size(nodes) < PROOF_NODES_MAX + 1) {
        (void)json_array_append(nodes, last);
    }
    assert_int_equal(verify_status(), ERR_TOO_LARGE);
    (void)json_array_clear(nodes);
    assert_int_equal(verify_status(), ERR_TRUNCATED);
    json_decref(last);
}

// Replaces a member by JSON text and says what becomes of it.
static enum status with(json_t *object, const char *member, const char *json)
{
    json_t *before = json_incref(json_object_get(object, member));
    if (json == NULL) {
        (void)json_object_del(object, member);
    } else {
        json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
        assert_non_null(value);
        (void)json_object_set_new(object, member, value);
    }
    enum status status = verify_status();
    (void)json_object_set_new(object, member, before);
    assert_int_equal(verify_status(), OK);
    return status;
}

static void other_json_is_no_proof(void **)
{
    json_t *result = world->result;
    static const char *const lists[] = {NULL, "null", "{}", "\"0x80\"", "[1]", "[null]", "[[]]",
        "[\"80\"]", "[\"0x8\"]", "[\"0xzz\"]", "[\"0X80\"]", "[\"\"]"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        assert_int_equal(with(result, "accountProof", lists[i]), ERR_MALFORMED);
        assert_int_equal(with(result, "storageProof", lists[i]), ERR_MALFORMED);
        assert_int_equal(with(entry(0), "proof", lists[i]), ERR_MALFORMED);
    }
    static const char *const texts[] = {NULL, "null", "7", "\"\"", "\"0x\"", "\"0xg0\""};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(with(result, "address", texts[i]), ERR_MALFORMED);
        assert_int_equal(with(entry(3), "key", texts[i]), ERR_MALFORMED);
    }
    assert_int_equal(with(entry(3), "key", "\"0x3e8\""), OK); // without leading zeroes
    assert_int_equal(with(entry(3), "key", "\"0x3e9\""), ERR_MISMATCH);
    assert_int_equal(
        with(entry(3), "key",
            "\"0x00000000000000000000000000000000000000000000000000000000000000003e8\""),
        ERR_TOO_LARGE);
    assert_int_equal(
        with(result, "address", "\"0x0000000000000000000000000000000000000000\""), ERR_MISMATCH);
    char node[2 * PROOF_NODE_SIZE_MAX + 16];
    (void)snprintf(node, sizeof node, "[\"0x%0*d\"]", 2 * PROOF_NODE_SIZE_MAX + 2, 0);
    assert_int_equal(with(entry(0), "proof", node), ERR_TOO_LARGE);
    json_t *none = json_null();
    struct proof_account account;
    assert_int_equal(
        proof_verify(none, &world->root, &contract, NULL, 0, &account, NULL), ERR_MALFORMED);
}

// A state whose contract has one slot; its leaf holds `value` as it is, canonical or not. The first
// bytes 55 of the account become the root of its storage.
static enum status verify_raw_leaf(const char *account_hex, const char *value_hex)
{
    uint8_t value[80];
    uint8_t account[TRIE_VALUE_MAX];
    assert_int_equal(hex_parse(span_of_text(value_hex), value, strlen(value_hex) / 2), OK);
    struct storage_slot slot = storage_slot_of_u64(0);
    struct hash256 slot_path = keccak256(span_of(slot.bytes, 32));
    struct oracle_pair pair = {
        .key = span_of(slot_path.bytes, 32), .value = span_of(value, strlen(value_hex) / 2)};
    struct trie_oracle *storage = trie_oracle_new(&pair, 1);
    struct hash256 storage_root = trie_oracle_root(storage);
    size_t account_size = strlen(account_hex) / 2;
    assert_int_equal(hex_parse(span_of_text(account_hex), account, account_size), OK);
    size_t root_at = 0;
    while (account[root_at] != 0x55) {
        root_at++;
    }
    memcpy(account + root_at, storage_root.bytes, sizeof storage_root.bytes);
    struct hash256 path = keccak256(span_of(contract.bytes, 20));
    struct oracle_pair state_pair = {
        .key = span_of(path.bytes, 32), .value = span_of(account, account_size)};
    struct trie_oracle *state = trie_oracle_new(&state_pair, 1);
    struct hash256 root = trie_oracle_root(state);
    struct span nodes[2];
    char texts[2][512] = {"0x", "0x"};
    assert_int_equal(trie_oracle_prove(state, state_pair.key, false, &nodes[0], 1), 1);
    assert_int_equal(trie_oracle_prove(storage, pair.key, false, &nodes[1], 1), 1);
    hex_format(nodes[0], texts[0] + 2);
    hex_format(nodes[1], texts[1] + 2);
    json_t *result = json_pack("{s:s,s:[s],s:[{s:s,s:[s]}]}", "address",
        "0xc0de000000000000000000000000000000000000", "accountProof", texts[0], "storageProof",
        "key", "0x0", "proof", texts[1]);
    struct proof_account account_proven;
    struct proof_slot slot_proven;
    enum status status =
        proof_verify(result, &root, &contract, &slot, 1, &account_proven, &slot_proven);
    json_decref(result);
    trie_oracle_free(state);
    trie_oracle_free(storage);
    return status;
}

#define HASH_HEX "a05555555555555555555555555555555555555555555555555555555555555555"

static void leaves_are_canonical_too(void **)
{
    static const char account[] = "f8440180" HASH_HEX HASH_HEX;
    assert_int_equal(verify_raw_leaf(account, "07"), OK);
    assert_int_equal(verify_raw_leaf(account, "80"), OK);
    assert_int_equal(verify_raw_leaf(account, "00"), ERR_NOT_CANONICAL);
    assert_int_equal(verify_raw_leaf(account, "8107"), ERR_NOT_CANONICAL);
    assert_int_equal(verify_raw_leaf(account, "820007"), ERR_NOT_CANONICAL);
    assert_int_equal(verify_raw_leaf(account, "c107"), ERR_MALFORMED);
    assert_int_equal(verify_raw_leaf(account, "0707"), ERR_TRAILING);
    assert_int_equal(verify_raw_leaf(account, "8207"), ERR_TRUNCATED);
    assert_int_equal(verify_raw_leaf(account,
                         "a1070000000000000000000000000000000000000000000000000000000000000000"),
        ERR_RANGE);
    assert_int_equal(verify_raw_leaf("f84301" HASH_HEX HASH_HEX, "07"), ERR_TRUNCATED);
    assert_int_equal(verify_raw_leaf("f8450180"
                                     "80" HASH_HEX HASH_HEX,
                         "07"),
        ERR_MALFORMED);
    assert_int_equal(verify_raw_leaf("f8450180" HASH_HEX HASH_HEX "01", "07"), ERR_TRAILING);
    assert_int_equal(verify_raw_leaf("f8440180" HASH_HEX HASH_HEX "01", "07"), ERR_TRAILING);
    assert_int_equal(verify_raw_leaf("f8440080" HASH_HEX HASH_HEX, "07"), ERR_NOT_CANONICAL);
    assert_int_equal(verify_raw_leaf("f84d89010000000000000000"
                                     "80" HASH_HEX HASH_HEX,
                         "07"),
        ERR_RANGE);
}

// A fuzz target's seed: what anvil 1.7.1 answered about a DeedmeshSeat with 40 tokens.
static void what_a_real_node_answers(void **)
{
    static const struct eth_address seat = {{0x5f, 0xbd, 0xb2, 0x31, 0x56, 0x78, 0xaf, 0xec, 0xb3,
        0x67, 0xf0, 0x32, 0xd9, 0x3f, 0x64, 0x2f, 0x64, 0x18, 0x0a, 0xa3}};
    static const uint8_t owner[20] = {0x70, 0x99, 0x79, 0x70, 0xc5, 0x18, 0x12, 0xdc, 0x3a, 0x01,
        0x0c, 0x7d, 0x01, 0xb5, 0x0e, 0x0d, 0x17, 0xdc, 0x79, 0xc8};
    struct token_id token = token_id_of_u64(3);
    struct storage_slot mapping = storage_slot_of_u64(2);
    struct storage_slot slots[] = {
        storage_slot_of_token(&token, &mapping), storage_slot_of_u64(999)};
    json_t *root = json_load_file(ANVIL_SEED, JSON_REJECT_DUPLICATES, NULL);
    struct header header;
    struct proof_account account;
    struct proof_slot proven[2];
    assert_non_null(root);
    assert_int_equal(header_read(json_object_get(root, "block"), &header), OK);
    assert_int_equal(proof_verify(json_object_get(root, "proof"), &header.state_root, &seat, slots,
                         2, &account, proven),
        OK);
    assert_true(account.exists);
    assert_int_equal(proven[0].presence, PROOF_PRESENT);
    assert_memory_equal(proven[0].value + 12, owner, sizeof owner);
    assert_int_equal(proven[1].presence, PROOF_ABSENT);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_proven, fresh_result, drop_result),
        cmocka_unit_test(accounts_that_do_not_exist_or_have_no_storage),
        cmocka_unit_test_setup_teardown(
            it_is_bound_to_root_address_and_slots, fresh_result, drop_result),
        cmocka_unit_test_setup_teardown(a_changed_byte_proves_nothing, fresh_result, drop_result),
        cmocka_unit_test_setup_teardown(
            lists_are_exactly_as_long_as_the_path, fresh_result, drop_result),
        cmocka_unit_test_setup_teardown(other_json_is_no_proof, fresh_result, drop_result),
        cmocka_unit_test(leaves_are_canonical_too),
        cmocka_unit_test(what_a_real_node_answers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

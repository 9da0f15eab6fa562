// SPDX-License-Identifier: GPL-3.0-or-later
//
// Proofs of accounts and storage that real networks gave (ethereumjs's from Ropsten). Exits with 77
// (skipped) where DEEDMESH_VECTORS names no folder.
#include "chain/keccak.h"
#include "chain/proof.h"
#include "chain/trie.h"
#include "tests/vectors/vectors.h"

#include "tests/unit/unit.h"

enum {
    SLOTS_MAX = 2,
};

// What eth_getProof returned, and what it was asked. The root is that of its first node: the
// blocks' headers are not in the files.
struct vector {
    json_t *result;
    struct hash256 state_root;
    struct eth_address address;
    struct storage_slot slots[SLOTS_MAX];
    size_t slot_count;
};

static struct vector load(const char *name)
{
    struct vector vector = {.result = vectors_load(name)};
    uint8_t node[PROOF_NODE_SIZE_MAX];
    const json_t *first = json_array_get(json_object_get(vector.result, "accountProof"), 0);
    vector.state_root = keccak256(vectors_hex(json_string_value(first), node, sizeof node));
    vectors_bytes(
        vectors_text(vector.result, "address"), vector.address.bytes, sizeof vector.address.bytes);
    const json_t *entries = json_object_get(vector.result, "storageProof");
    vector.slot_count = json_array_size(entries);
    assert_true(vector.slot_count <= SLOTS_MAX);
    for (size_t i = 0; i < vector.slot_count; i++) {
        vectors_bytes(vectors_text(json_array_get(entries, i), "key"), vector.slots[i].bytes,
            sizeof vector.slots[i].bytes);
    }
    return vector;
}

static enum status verify(
    const struct vector *vector, struct proof_account *ret_account, struct proof_slot *ret_slots)
{
    return proof_verify(vector->result, &vector->state_root, &vector->address, vector->slots,
        vector->slot_count, ret_account, ret_slots);
}

static void assert_hash(const json_t *result, const char *member, const struct hash256 *hash)
{
    struct hash256 expected;
    vectors_bytes(vectors_text(result, member), expected.bytes, sizeof expected.bytes);
    assert_true(hash256_equal(&expected, hash));
}

static void a_contract_with_a_present_and_an_absent_slot(void **)
{
    struct vector vector = load("ethereumjs/ropsten_contractWithStorage.json");
    struct proof_account account;
    struct proof_slot slots[SLOTS_MAX];
    assert_int_equal(vector.slot_count, 2);
    assert_int_equal(verify(&vector, &account, slots), OK);
    assert_true(account.exists);
    assert_int_equal(account.nonce, 1);
    assert_hash(vector.result, "storageHash", &account.storage_root);
    assert_hash(vector.result, "codeHash", &account.code_hash);
    static const uint8_t expected[4] = {0x1e, 0x4e, 0xbd, 0xd7};
    assert_int_equal(slots[0].presence, PROOF_PRESENT);
    assert_memory_equal(slots[0].value + 28, expected, sizeof expected);
    assert_int_equal(slots[0].value[27], 0);
    assert_int_equal(slots[1].presence, PROOF_ABSENT);
    json_decref(vector.result);
}

static void an_account_that_does_not_exist(void **)
{
    struct vector vector = load("ethereumjs/ropsten_nonexistentAccount.json");
    struct proof_account account;
    assert_int_equal(verify(&vector, &account, NULL), OK);
    assert_false(account.exists);
    assert_hash(vector.result, "storageHash", &account.storage_root);
    assert_hash(vector.result, "codeHash", &account.code_hash);
    json_decref(vector.result);
}

static void a_plain_account(void **)
{
    struct vector vector = load("ethereumjs/ropsten_validAccount.json");
    struct proof_account account;
    assert_int_equal(verify(&vector, &account, NULL), OK);
    assert_true(account.exists);
    static const uint8_t balance[9] = {0x8c, 0xc8, 0xf6, 0x88, 0x90, 0x28, 0x8a, 0x3b, 0xf6};
    assert_memory_equal(account.balance + 23, balance, sizeof balance);
    json_decref(vector.result);
}

int main(void)
{
    if (!vectors_present()) {
        return VECTORS_SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_contract_with_a_present_and_an_absent_slot),
        cmocka_unit_test(an_account_that_does_not_exist),
        cmocka_unit_test(a_plain_account),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

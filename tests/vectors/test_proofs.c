// SPDX-License-Identifier: GPL-3.0-or-later
//
// Proofs of accounts and storage that real networks gave (ethereumjs's from Ropsten). Exits with 77
// (skipped) where DEEDMESH_VECTORS names no folder.
#include "base/text.h"
#include "chain/keccak.h"
#include "chain/proof.h"
#include "chain/trie.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    SLOTS_MAX = 2,
};

static const char *folder;

// What eth_getProof returned, and what it was asked. The root is that of its first node: the
// blocks' headers are not in the files.
struct vector {
    json_t *result;
    struct hash256 state_root;
    struct eth_address address;
    struct storage_slot slots[SLOTS_MAX];
    size_t slot_count;
};

static struct span hex_of(const json_t *value, uint8_t *buffer, size_t capacity)
{
    const char *text = json_string_value(value);
    assert_non_null(text);
    size_t size = strlen(text) / 2 - 1;
    assert_true(size <= capacity);
    assert_int_equal(hex_parse(span_of_text(text), buffer, size), OK);
    return span_of(buffer, size);
}

static struct vector load(const char *name)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/ethereumjs/%s", folder, name);
    struct vector vector = {.result = json_load_file(path, JSON_REJECT_DUPLICATES, NULL)};
    assert_non_null(vector.result);
    uint8_t node[PROOF_NODE_SIZE_MAX];
    const json_t *first = json_array_get(json_object_get(vector.result, "accountProof"), 0);
    vector.state_root = keccak256(hex_of(first, node, sizeof node));
    (void)hex_of(json_object_get(vector.result, "address"), vector.address.bytes,
        sizeof vector.address.bytes);
    const json_t *entries = json_object_get(vector.result, "storageProof");
    vector.slot_count = json_array_size(entries);
    assert_true(vector.slot_count <= SLOTS_MAX);
    for (size_t i = 0; i < vector.slot_count; i++) {
        (void)hex_of(json_object_get(json_array_get(entries, i), "key"), vector.slots[i].bytes,
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
    (void)hex_of(json_object_get(result, member), expected.bytes, sizeof expected.bytes);
    assert_true(hash256_equal(&expected, hash));
}

static void a_contract_with_a_present_and_an_absent_slot(void **)
{
    struct vector vector = load("ropsten_contractWithStorage.json");
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
    struct vector vector = load("ropsten_nonexistentAccount.json");
    struct proof_account account;
    assert_int_equal(verify(&vector, &account, NULL), OK);
    assert_false(account.exists);
    assert_hash(vector.result, "storageHash", &account.storage_root);
    assert_hash(vector.result, "codeHash", &account.code_hash);
    json_decref(vector.result);
}

static void a_plain_account(void **)
{
    struct vector vector = load("ropsten_validAccount.json");
    struct proof_account account;
    assert_int_equal(verify(&vector, &account, NULL), OK);
    assert_true(account.exists);
    static const uint8_t balance[9] = {0x8c, 0xc8, 0xf6, 0x88, 0x90, 0x28, 0x8a, 0x3b, 0xf6};
    assert_memory_equal(account.balance + 23, balance, sizeof balance);
    json_decref(vector.result);
}

int main(void)
{
    enum { SKIPPED = 77 };
    folder = getenv("DEEDMESH_VECTORS");
    if (folder == NULL || folder[0] == '\0') {
        (void)fprintf(stderr, "skipped: DEEDMESH_VECTORS names no folder\n");
        return SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_contract_with_a_present_and_an_absent_slot),
        cmocka_unit_test(an_account_that_does_not_exist),
        cmocka_unit_test(a_plain_account),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

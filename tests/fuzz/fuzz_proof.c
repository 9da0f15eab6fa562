// SPDX-License-Identifier: GPL-3.0-or-later
//
// A block and an answer to eth_getProof, as JSON: {"block": ..., "proof": ...}. The state root is
// the header's, or where there is none the hash of the first node.
#include "chain/header.h"
#include "chain/proof.h"

#include "base/assert.h"
#include "chain/keccak.h"
#include "chain/rpc_value.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    SLOTS_MAX = 4,
};

static struct hash256 root_of(const json_t *block, const json_t *proof)
{
    struct header header;
    if (header_read(block, &header) == OK) {
        return header.state_root;
    }
    uint8_t buffer[PROOF_NODE_SIZE_MAX];
    struct span node = span_of(NULL, 0);
    const json_t *first = json_array_get(json_object_get(proof, "accountProof"), 0);
    (void)(rpc_value_data(first, buffer, sizeof buffer, &node) == OK);
    return keccak256(node);
}

static void verify(const json_t *root)
{
    const json_t *proof = json_object_get(root, "proof");
    struct hash256 state_root = root_of(json_object_get(root, "block"), proof);
    struct eth_address address = {{0}};
    struct storage_slot slots[SLOTS_MAX] = {{{0}}};
    const json_t *entries = json_object_get(proof, "storageProof");
    size_t count = json_array_size(entries) < SLOTS_MAX ? json_array_size(entries) : SLOTS_MAX;
    (void)(rpc_value_fixed(
               json_object_get(proof, "address"), address.bytes, sizeof address.bytes) == OK);
    for (size_t i = 0; i < count; i++) {
        const json_t *key = json_object_get(json_array_get(entries, i), "key");
        (void)(rpc_value_number(key, slots[i].bytes, sizeof slots[i].bytes) == OK);
    }
    static const struct storage_slot zero = {{0}};
    struct proof_account account;
    struct proof_slot proven[SLOTS_MAX];
    if (proof_verify(proof, &state_root, &address, slots, count, &account, proven) != OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        bool is_zero = memcmp(proven[i].value, zero.bytes, sizeof zero.bytes) == 0;
        ASSERT(is_zero == (proven[i].presence != PROOF_PRESENT));
        ASSERT(account.exists || proven[i].presence == PROOF_ABSENT);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *root = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    if (root != NULL) {
        verify(root);
        json_decref(root);
    }
    return 0;
}

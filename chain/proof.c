// SPDX-License-Identifier: GPL-3.0-or-later
//
// EIP-1186: paths through the state trie and the account's storage trie, node by node out of JSON
// into one small buffer.
#include "chain/proof.h"

#include "chain/keccak.h"
#include "chain/rlp.h"
#include "chain/rpc_value.h"
#include "chain/trie.h"

#include <string.h>

// Walks the nodes of `list` from `root` to keccak256(key). The value is in the walk.
static enum status walk_list(const json_t *list, const struct hash256 *root, struct span key,
    struct trie_walk *ret_walk, bool *ret_present)
{
    if (!json_is_array(list)) {
        return ERR_MALFORMED;
    }
    size_t count = json_array_size(list);
    if (count > PROOF_NODES_MAX) {
        return ERR_TOO_LARGE;
    }
    struct hash256 path = keccak256(key);
    struct trie_walk walk = trie_walk_of(root, span_of(path.bytes, sizeof path.bytes));
    for (size_t i = 0; i < count; i++) {
        uint8_t buffer[PROOF_NODE_SIZE_MAX];
        struct span node;
        enum status status = rpc_value_data(json_array_get(list, i), buffer, sizeof buffer, &node);
        status = status == OK ? trie_walk_node(&walk, node) : status;
        if (status != OK) {
            return status;
        }
    }
    enum status status = trie_walk_finish(&walk, ret_present);
    walk.key = span_of(NULL, 0); // `path` ends here
    *ret_walk = walk;
    return status;
}

static enum status read_account(struct span value, struct proof_account *ret)
{
    struct proof_account account = {.exists = true};
    struct reader reader = reader_of(value);
    struct reader fields = rlp_read_list(&reader);
    account.nonce = rlp_read_u64(&fields);
    rlp_read_u256(&fields, account.balance);
    rlp_read_fixed(&fields, account.storage_root.bytes, sizeof account.storage_root.bytes);
    rlp_read_fixed(&fields, account.code_hash.bytes, sizeof account.code_hash.bytes);
    enum status status = reader_finish(&fields);
    status = status == OK ? reader_finish(&reader) : status;
    if (status == OK) {
        *ret = account;
    }
    return status;
}

static enum status verify_account(const json_t *result, const struct hash256 *state_root,
    const struct eth_address *address, struct proof_account *ret)
{
    struct eth_address echoed;
    enum status status =
        rpc_value_fixed(json_object_get(result, "address"), echoed.bytes, sizeof echoed.bytes);
    if (status != OK) {
        return status;
    }
    if (!eth_address_equal(&echoed, address)) {
        return ERR_MISMATCH;
    }
    struct trie_walk walk;
    bool present = false;
    status = walk_list(json_object_get(result, "accountProof"), state_root,
        span_of(address->bytes, sizeof address->bytes), &walk, &present);
    if (status != OK) {
        return status;
    }
    if (!present) {
        *ret = (struct proof_account){.exists = false,
            .storage_root = trie_empty_root(),
            .code_hash = keccak256(span_of(NULL, 0))};
        return OK;
    }
    return read_account(span_of(walk.value, walk.value_size), ret);
}

static enum status verify_slot(const json_t *entry, const struct hash256 *storage_root,
    const struct storage_slot *slot, struct proof_slot *ret)
{
    struct storage_slot echoed;
    enum status status =
        rpc_value_number(json_object_get(entry, "key"), echoed.bytes, sizeof echoed.bytes);
    if (status != OK) {
        return status;
    }
    if (!storage_slot_equal(&echoed, slot)) {
        return ERR_MISMATCH;
    }
    struct trie_walk walk;
    bool present = false;
    status = walk_list(json_object_get(entry, "proof"), storage_root,
        span_of(slot->bytes, sizeof slot->bytes), &walk, &present);
    if (status != OK) {
        return status;
    }
    struct proof_slot proven = {.presence = PROOF_ABSENT};
    if (present) {
        static const struct storage_slot zero = {{0}};
        struct reader reader = reader_of(span_of(walk.value, walk.value_size));
        rlp_read_u256(&reader, proven.value);
        status = reader_finish(&reader);
        bool is_zero = memcmp(proven.value, zero.bytes, sizeof proven.value) == 0;
        proven.presence = is_zero ? PROOF_ZERO_LEAF : PROOF_PRESENT;
    }
    if (status == OK) {
        *ret = proven;
    }
    return status;
}

enum status proof_verify(const json_t *result, const struct hash256 *state_root,
    const struct eth_address *address, const struct storage_slot *slots, size_t slot_count,
    struct proof_account *ret_account, struct proof_slot *ret_slots)
{
    struct proof_account account;
    enum status status = verify_account(result, state_root, address, &account);
    if (status != OK) {
        return status;
    }
    const json_t *entries = json_object_get(result, "storageProof");
    if (!json_is_array(entries) || json_array_size(entries) != slot_count) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < slot_count; i++) {
        status = verify_slot(
            json_array_get(entries, i), &account.storage_root, &slots[i], &ret_slots[i]);
        if (status != OK) {
            return status;
        }
    }
    *ret_account = account;
    return OK;
}

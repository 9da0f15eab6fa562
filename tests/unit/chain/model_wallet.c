// SPDX-License-Identifier: GPL-3.0-or-later
//
// The contract wallets and the registry of delegates of the model chain.
#include "chain/abi.h"
#include "chain/keccak.h"
#include "tests/unit/chain/model.h"

#include "tests/unit/unit.h"

enum {
    FIRST_OWNER = 101,
};

struct model_wallet *model_wallet_at(struct model *model, const struct eth_address *address)
{
    for (size_t i = 0; i < model->wallet_count; i++) {
        if (eth_address_equal(&model->wallets[i].address, address)) {
            return &model->wallets[i];
        }
    }
    return NULL;
}

struct model_wallet *model_add_wallet(
    struct model *model, uint8_t number, uint8_t owners, uint8_t threshold)
{
    assert_true(model->wallet_count < MODEL_WALLETS_MAX && owners <= MODEL_WALLET_OWNERS_MAX);
    struct model_wallet *wallet = &model->wallets[model->wallet_count++];
    *wallet = (struct model_wallet){.owner_count = owners, .threshold = threshold};
    memset(wallet->address.bytes, number, sizeof wallet->address.bytes);
    for (uint8_t i = 0; i < owners; i++) {
        wallet->owners[i] = FIRST_OWNER + i;
    }
    return wallet;
}

static bool is_owner(const struct model_wallet *wallet, const struct eth_address *signer)
{
    for (size_t i = 0; i < wallet->owner_count; i++) {
        struct eth_address owner = model_address(wallet->owners[i]);
        if (eth_address_equal(&owner, signer)) {
            return true;
        }
    }
    return false;
}

static bool accepts(
    const struct model_wallet *wallet, const struct hash256 *digest, struct span signature)
{
    struct eth_address last = {{0}};
    if (signature.size < (size_t)wallet->threshold * ECDSA_SIGNATURE_SIZE) {
        return false;
    }
    for (size_t i = 0; i < wallet->threshold; i++) {
        struct eth_address signer;
        struct span one = span_of(signature.data + i * ECDSA_SIGNATURE_SIZE, ECDSA_SIGNATURE_SIZE);
        if (ecdsa_recover(digest, one, &signer) != OK || !is_owner(wallet, &signer) ||
            memcmp(last.bytes, signer.bytes, sizeof last.bytes) >= 0) {
            return false;
        }
        last = signer;
    }
    return true;
}

static struct model_result result_of(const uint8_t *data, size_t size, size_t padded)
{
    struct model_result result = {.kind = MODEL_RETURNS, .size = padded};
    memcpy(result.data, data, size);
    return result;
}

static struct model_result call_wallet(const struct model_wallet *wallet, struct span arguments)
{
    static const uint8_t magic[] = {0x16, 0x26, 0xba, 0x7e, 0x01};
    struct hash256 digest;
    struct span signature;
    assert_int_equal(abi_read_word(arguments, 0, digest.bytes), OK);
    assert_int_equal(abi_read_bytes(arguments, 1, &signature), OK);
    switch (wallet->mode) {
    case WALLET_BURN:
        return (struct model_result){.kind = MODEL_RUNS_OUT};
    case WALLET_MEGABYTE:
        return (struct model_result){.kind = MODEL_RETURNS_MEGABYTE};
    case WALLET_REVERT:
        return (struct model_result){.kind = MODEL_REVERTS};
    case WALLET_SHORT:
        return result_of(magic, 4, 4);
    case WALLET_DIRTY:
        return result_of(magic, 5, ABI_WORD);
    case WALLET_HANG:
        return (struct model_result){.kind = MODEL_HANGS};
    case WALLET_HONEST:
        break;
    }
    return result_of(magic, accepts(wallet, &digest, signature) ? 4 : 0, ABI_WORD);
}

static struct model_result call_registry(const struct model *model, struct span arguments)
{
    struct eth_address to;
    struct eth_address from;
    struct eth_address contract;
    uint64_t token = 0;
    uint8_t rights[ABI_WORD];
    struct network network = model_network();
    assert_int_equal(abi_read_address(arguments, 0, &to), OK);
    assert_int_equal(abi_read_address(arguments, 1, &from), OK);
    assert_int_equal(abi_read_address(arguments, 2, &contract), OK);
    assert_int_equal(abi_read_u64(arguments, 3, &token), OK);
    assert_int_equal(abi_read_word(arguments, 4, rights), OK);
    assert_true(eth_address_equal(&contract, &network.contract));
    assert_memory_equal(rights, "deedmesh\0\0", 10);
    bool found = false;
    for (size_t i = 0; i < model->delegate_count; i++) {
        const struct model_delegate *delegate = &model->delegates[i];
        found = found || (eth_address_equal(&delegate->to, &to) &&
                             eth_address_equal(&delegate->from, &from) &&
                             (delegate->token == 0 || delegate->token == token));
    }
    struct model_result result = {.kind = MODEL_RETURNS, .size = ABI_WORD};
    result.data[ABI_WORD - 1] = found ? 1 : 0;
    return result;
}

struct model_result model_wallet_call(
    struct model *model, const struct eth_address *to, struct span data)
{
    struct reader reader = reader_of(data);
    uint32_t selector = read_u32(&reader);
    const struct model_wallet *wallet = model_wallet_at(model, to);
    if (wallet != NULL) {
        assert_int_equal(selector, 0x1626ba7e);
        return call_wallet(wallet, reader.rest);
    }
    if (eth_address_equal(to, &model->registry)) {
        assert_int_equal(selector, 0xb9f36874);
        return call_registry(model, reader.rest);
    }
    return (struct model_result){.kind = MODEL_RETURNS, .size = 0};
}

size_t model_wallet_sign(const struct model_wallet *wallet, const struct delegation *delegation,
    size_t first, size_t count, uint8_t ret[static MODEL_SIGNATURE_MAX])
{
    struct network network = model_network();
    struct hash256 digest = delegation_digest(delegation, &network);
    uint8_t signers[MODEL_WALLET_OWNERS_MAX];
    assert_true(first + count <= wallet->owner_count);
    memcpy(signers, wallet->owners + first, count);
    for (size_t i = 0; i < count; i++) { // the smallest address of the rest comes next
        for (size_t j = i + 1; j < count; j++) {
            struct eth_address a = model_address(signers[i]);
            struct eth_address b = model_address(signers[j]);
            if (memcmp(b.bytes, a.bytes, sizeof a.bytes) < 0) {
                uint8_t other = signers[i];
                signers[i] = signers[j];
                signers[j] = other;
            }
        }
        struct eth_secret secret = model_secret(signers[i]);
        assert_int_equal(ecdsa_sign(&digest, &secret, ret + i * ECDSA_SIGNATURE_SIZE), OK);
    }
    return count * ECDSA_SIGNATURE_SIZE;
}

struct delegation model_wallet_delegation(const struct model *model, uint64_t token,
    const struct model_wallet *wallet, uint8_t node, uint8_t ret[static MODEL_SIGNATURE_MAX],
    size_t *ret_size)
{
    struct token_id id = token_id_of_u64(token);
    struct node_key node_key = model_node_key(node);
    struct delegation delegation = delegation_draft(
        &id, &wallet->address, &node_key, model->now.unix_time, DELEGATION_WINDOW_DEFAULT_S);
    size_t size = model_wallet_sign(wallet, &delegation, 0, wallet->threshold, ret);
    if (size <= DELEGATION_SIGNATURE_MAX) {
        delegation.kind = DELEGATION_EIP1271;
        delegation.signature_size = (uint16_t)size;
        memcpy(delegation.signature, ret, size);
    } else {
        struct hash256 hash = keccak256(span_of(ret, size));
        delegation.kind = DELEGATION_EIP1271_HASHED;
        delegation.signature_size = sizeof hash.bytes;
        delegation.hashed_size = (uint16_t)size;
        memcpy(delegation.signature, hash.bytes, sizeof hash.bytes);
    }
    *ret_size = size;
    return delegation;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// A state of the contract and 40 accounts beside it, built whole for each question.
#include "tests/unit/chain/model_proof.h"

#include "base/text.h"
#include "chain/contracts/seat_code.h"
#include "chain/keccak.h"
#include "chain/rlp.h"
#include "chain/rpc_value.h"
#include "chain/slot.h"
#include "tests/unit/chain/trie_oracle.h"
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    OTHERS = 40,
    PLACE_DEFAULT = 2,
    PLACE_CLOCK = 999, // where every block leaves its number, so that no two states are the same
    FIELDS = 16,
    HEADER_MAX = 1024,
    BLOOM = 256,
};

static void set_number(uint8_t value[static 32], uint64_t number)
{
    struct storage_slot word = storage_slot_of_u64(number);
    memcpy(value, word.bytes, 32);
}

static struct state_oracle *state_at(
    const struct model *model, const struct model_provider *provider, uint64_t block)
{
    static struct oracle_slot slots[MODEL_TOKENS_MAX + 3];
    size_t count = 0;
    struct storage_slot place =
        storage_slot_of_u64(model->place != 0 ? model->place : PLACE_DEFAULT);
    if (model->place == UINT64_MAX) {
        struct storage_slot base = storage_slot_of_namespace("openzeppelin.storage.ERC721");
        place = storage_slot_add(&base, 2);
    }
    slots[count] = (struct oracle_slot){.slot = storage_slot_of_u64(PLACE_CLOCK)};
    set_number(slots[count++].value, block);
    if (model->implementation != 0) {
        slots[count] =
            (struct oracle_slot){.slot = storage_slot_of_proxy("eip1967.proxy.implementation")};
        set_number(slots[count++].value, model->implementation);
    }
    if (model->beacon) {
        slots[count] = (struct oracle_slot){.slot = storage_slot_of_proxy("eip1967.proxy.beacon")};
        set_number(slots[count++].value, 1);
    }
    for (size_t i = 0; i < model->token_count; i++) {
        struct token_id id = token_id_of_u64(model->tokens[i].id);
        struct eth_address owner = provider != NULL && provider->forgery == FORGE_STATE
                                       ? provider->lie
                                       : model_owner_at(&model->tokens[i], block);
        if (eth_address_is_zero(&owner) && !model->zero_leaves) {
            continue;
        }
        slots[count] = (struct oracle_slot){.slot = storage_slot_of_token(&id, &place)};
        memcpy(slots[count++].value + 12, owner.bytes, sizeof owner.bytes);
    }
    struct proof_account account = {.nonce = 1,
        .code_hash = model->own_code ? seat_code_hash : keccak256(span_of(&model->code, 1))};
    struct network network = model_network();
    return state_oracle_new(&network.contract, &account, slots, count, OTHERS);
}

static json_t *hex(const uint8_t *bytes, size_t size)
{
    char text[2 * BLOOM + 3] = "0x";
    hex_format(span_of(bytes, size), text + 2);
    return json_string(text);
}

static json_t *quantity(uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "0x%" PRIx64, value);
    return json_string(text);
}

// Appends a field to the header and to the object.
static void fixed(
    struct writer *writer, json_t *block, const char *name, const uint8_t *bytes, size_t size)
{
    rlp_write_string(writer, span_of(bytes, size));
    (void)json_object_set_new(block, name, hex(bytes, size));
}

static void number(struct writer *writer, json_t *block, const char *name, uint64_t value)
{
    rlp_write_u64(writer, value);
    (void)json_object_set_new(block, name, quantity(value));
}

static struct hash256 root_at(
    const struct model *model, const struct model_provider *provider, uint64_t block)
{
    struct state_oracle *state = state_at(model, provider, block);
    struct hash256 root = state_oracle_root(state);
    state_oracle_free(state);
    return root;
}

json_t *model_block_json(
    const struct model *model, const struct model_provider *provider, uint64_t block)
{
    static const uint8_t zeroes[BLOOM] = {0};
    enum model_forgery forgery = provider == NULL ? FORGE_NONE : provider->forgery;
    struct hash256 root = root_at(model, provider, block);
    root.bytes[7] ^= forgery == FORGE_ROOT ? 1 : 0;
    uint8_t bytes[HEADER_MAX];
    struct writer writer = writer_of(bytes, sizeof bytes);
    json_t *object = json_object();
    size_t list = rlp_begin_list(&writer);
    fixed(&writer, object, "parentHash", zeroes, 32);
    fixed(&writer, object, "sha3Uncles", zeroes, 32);
    fixed(&writer, object, "miner", zeroes, 20);
    fixed(&writer, object, "stateRoot", root.bytes, 32);
    fixed(&writer, object, "transactionsRoot", zeroes, 32);
    fixed(&writer, object, "receiptsRoot", zeroes, 32);
    fixed(&writer, object, "logsBloom", zeroes, BLOOM);
    number(&writer, object, "difficulty", 0);
    number(&writer, object, "number", block);
    number(&writer, object, "gasLimit", 30000000);
    number(&writer, object, "gasUsed", 0);
    number(&writer, object, "timestamp", model_block_time_s(model, block));
    fixed(&writer, object, "extraData", zeroes, 0);
    fixed(&writer, object, "mixHash", zeroes, 32);
    fixed(&writer, object, "nonce", zeroes, 8);
    number(&writer, object, "baseFeePerGas", 7);
    rlp_end_list(&writer, list);
    assert_int_equal(writer_finish(&writer), OK);
    struct hash256 hash = keccak256(writer_written(&writer));
    hash.bytes[0] ^= forgery == FORGE_UNKNOWN ? 1 : 0;
    (void)json_object_set_new(object, "hash", hex(hash.bytes, 32));
    if (forgery == FORGE_UNKNOWN) {
        (void)json_object_set_new(object, "slotNumber", quantity(1));
    } else if (forgery == FORGE_HEADER) {
        (void)json_object_set_new(object, "gasUsed", quantity(1));
    }
    return object;
}

static void change_last_digit(json_t *node)
{
    size_t size = json_string_length(node);
    char *text = strdup(json_string_value(node));
    assert_non_null(text);
    text[size - 1] = text[size - 1] == '0' ? '1' : '0';
    assert_int_equal(json_string_set(node, text), 0);
    free(text);
}

json_t *model_proof_json(
    const struct model *model, const struct model_provider *provider, json_t *params, uint64_t head)
{
    enum { SLOTS_MAX = 128 };
    struct storage_slot slots[SLOTS_MAX];
    struct eth_address address;
    json_t *keys = json_array_get(params, 1);
    size_t count = json_array_size(keys);
    assert_true(count <= SLOTS_MAX);
    assert_int_equal(rpc_value_fixed(json_array_get(params, 0), address.bytes, 20), OK);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rpc_value_fixed(json_array_get(keys, i), slots[i].bytes, 32), OK);
    }
    uint64_t block = provider->forgery == FORGE_PAST ? head - 1 : head;
    struct state_oracle *state = state_at(model, provider, block);
    json_t *proof = state_oracle_get_proof(state, &address, slots, count);
    struct hash256 root = state_oracle_root(state);
    struct proof_account account;
    struct proof_slot values[SLOTS_MAX];
    assert_int_equal(proof_verify(proof, &root, &address, slots, count, &account, values), OK);
    json_t *entries = json_object_get(proof, "storageProof");
    (void)json_object_set_new(proof, "codeHash", hex(account.code_hash.bytes, 32));
    for (size_t i = 0; i < count; i++) {
        uint8_t *value = values[i].value;
        if (provider->forgery == FORGE_VALUE && i == count - 1) {
            memcpy(value + 12, provider->lie.bytes, sizeof provider->lie.bytes);
        }
        (void)json_object_set_new(json_array_get(entries, i), "value", hex(value, 32));
    }
    if (provider->forgery == FORGE_NODE) {
        json_t *nodes = json_object_get(json_array_get(entries, count - 1), "proof");
        change_last_digit(json_array_get(nodes, json_array_size(nodes) - 1));
    }
    state_oracle_free(state);
    return proof;
}

uint64_t model_block_of_hash(const struct model *model, const uint8_t hash[32], uint64_t head)
{
    enum { BACK = 64 };
    for (uint64_t block = head; block + BACK > head; block--) {
        json_t *object = model_block_json(model, NULL, block);
        struct hash256 found;
        assert_int_equal(rpc_value_fixed(json_object_get(object, "hash"), found.bytes, 32), OK);
        json_decref(object);
        if (memcmp(found.bytes, hash, 32) == 0) {
            return block;
        }
    }
    return UINT64_MAX;
}

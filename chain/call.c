// SPDX-License-Identifier: GPL-3.0-or-later
//
// The declarations of chain/contracts, of ERC-721 as OpenZeppelin has it, and of Solidity itself.
#include "chain/call.h"

#include "chain/abi.h"
#include "chain/keccak.h"

#include <string.h>

// --- functions ---

const struct call_form call_mint_node_access = {"mintNodeAccess", 4,
    {{CALL_ADDRESS, "to"}, {CALL_TEXT, "nodeId"}, {CALL_TEXT, "wireguardPublicKey"},
        {CALL_TEXT, "uri"}}};
const struct call_form call_revoke_node_access = {
    "revokeNodeAccess", 1, {{CALL_NUMBER, "tokenId"}}};
const struct call_form call_safe_transfer = {"safeTransferFrom", 3,
    {{CALL_ADDRESS, "from"}, {CALL_ADDRESS, "to"}, {CALL_NUMBER, "tokenId"}}};
const struct call_form call_set_public_key = {
    "setPublicKey", 2, {{CALL_NUMBER, "tokenId"}, {CALL_TEXT, "wireguardPublicKey"}}};

const struct call_form call_l1_fee = {"getL1Fee", 1, {{CALL_BYTES, "data"}}};
const struct eth_address call_l1_fee_oracle = {{0x42, [19] = 0x0f}};

const struct call_form *const call_functions[] = {&call_mint_node_access, &call_revoke_node_access,
    &call_safe_transfer, &call_set_public_key, NULL};

// --- errors ---

static const struct call_form error_text = {"Error", 1, {{CALL_TEXT, "reason"}}};
static const struct call_form error_panic = {"Panic", 1, {{CALL_NUMBER, "code"}}};

static const struct call_form not_contract_owner = {
    "NotContractOwner", 1, {{CALL_ADDRESS, "account"}}};
static const struct call_form not_token_owner = {
    "NotTokenOwner", 2, {{CALL_ADDRESS, "account"}, {CALL_NUMBER, "tokenId"}}};
static const struct call_form node_id_taken = {"NodeIdTaken", 1, {{CALL_NUMBER, "tokenId"}}};
static const struct call_form node_id_size = {"NodeIdSize", 1, {{CALL_NUMBER, "size"}}};
static const struct call_form public_key_size = {"PublicKeySize", 1, {{CALL_NUMBER, "size"}}};
static const struct call_form not_active = {"NotActive", 1, {{CALL_NUMBER, "tokenId"}}};

static const struct call_form nonexistent_token = {
    "ERC721NonexistentToken", 1, {{CALL_NUMBER, "tokenId"}}};
static const struct call_form incorrect_owner = {"ERC721IncorrectOwner", 3,
    {{CALL_ADDRESS, "sender"}, {CALL_NUMBER, "tokenId"}, {CALL_ADDRESS, "owner"}}};
static const struct call_form insufficient_approval = {
    "ERC721InsufficientApproval", 2, {{CALL_ADDRESS, "operator"}, {CALL_NUMBER, "tokenId"}}};
static const struct call_form invalid_receiver = {
    "ERC721InvalidReceiver", 1, {{CALL_ADDRESS, "receiver"}}};
static const struct call_form invalid_sender = {
    "ERC721InvalidSender", 1, {{CALL_ADDRESS, "sender"}}};
static const struct call_form invalid_owner = {"ERC721InvalidOwner", 1, {{CALL_ADDRESS, "owner"}}};
static const struct call_form unauthorized_account = {
    "OwnableUnauthorizedAccount", 1, {{CALL_ADDRESS, "account"}}};

const struct call_form *const call_errors[] = {&error_text, &error_panic, &not_contract_owner,
    &not_token_owner, &node_id_taken, &node_id_size, &public_key_size, &not_active,
    &nonexistent_token, &incorrect_owner, &insufficient_approval, &invalid_receiver,
    &invalid_sender, &invalid_owner, &unauthorized_account, NULL};

// --- encoding ---

static const char *type_name(enum call_type type)
{
    switch (type) {
    case CALL_ADDRESS:
        return "address";
    case CALL_NUMBER:
        return "uint256";
    case CALL_TEXT:
        return "string";
    case CALL_BYTES:
        return "bytes";
    }
    return "";
}

void call_selector(const struct call_form *form, uint8_t ret[static CALL_SELECTOR_SIZE])
{
    uint8_t signature[128];
    struct writer writer = writer_of(signature, sizeof signature);
    write_span(&writer, span_of_text(form->name));
    for (size_t i = 0; i < form->count; i++) {
        write_u8(&writer, i == 0 ? '(' : ',');
        write_span(&writer, span_of_text(type_name(form->arguments[i].type)));
    }
    write_u8(&writer, ')');
    ASSERT(writer_finish(&writer) == OK && form->count > 0);
    struct hash256 hash = keccak256(writer_written(&writer));
    memcpy(ret, hash.bytes, CALL_SELECTOR_SIZE);
}

static void write_word(struct writer *writer, const uint8_t *bytes, size_t size)
{
    static const uint8_t zeroes[ABI_WORD] = {0};
    write_bytes(writer, zeroes, ABI_WORD - size);
    write_bytes(writer, bytes, size);
}

static void write_number(struct writer *writer, uint64_t number)
{
    uint8_t word[ABI_WORD];
    abi_word_of_u64(number, word);
    write_bytes(writer, word, sizeof word);
}

static size_t padded(size_t size)
{
    return (size + ABI_WORD - 1) / ABI_WORD * ABI_WORD;
}

void call_write(
    const struct call_form *form, const struct call_value *values, struct writer *writer)
{
    static const uint8_t zeroes[ABI_WORD] = {0};
    uint8_t selector[CALL_SELECTOR_SIZE];
    call_selector(form, selector);
    write_bytes(writer, selector, sizeof selector);
    size_t tail = form->count * ABI_WORD; // where the next text begins
    for (size_t i = 0; i < form->count; i++) {
        switch (form->arguments[i].type) {
        case CALL_ADDRESS:
            write_word(writer, values[i].address.bytes, sizeof values[i].address.bytes);
            break;
        case CALL_NUMBER:
            write_word(writer, values[i].number.bytes, sizeof values[i].number.bytes);
            break;
        case CALL_TEXT:
        case CALL_BYTES:
            write_number(writer, tail);
            tail += ABI_WORD + padded(values[i].text.size);
            break;
        }
    }
    for (size_t i = 0; i < form->count; i++) {
        enum call_type type = form->arguments[i].type;
        if (type == CALL_TEXT || type == CALL_BYTES) {
            size_t size = values[i].text.size;
            write_number(writer, size);
            write_span(writer, values[i].text);
            write_bytes(writer, zeroes, padded(size) - size);
        }
    }
}

// --- decoding ---

static enum status read_values(struct span arguments, const struct call_form *form,
    struct call_value ret[static CALL_ARGUMENTS_MAX])
{
    for (size_t i = 0; i < form->count; i++) {
        enum status status = OK;
        switch (form->arguments[i].type) {
        case CALL_ADDRESS:
            status = abi_read_address(arguments, i, &ret[i].address);
            break;
        case CALL_NUMBER:
            status = abi_read_word(arguments, i, ret[i].number.bytes);
            break;
        case CALL_TEXT:
        case CALL_BYTES:
            status = abi_read_bytes(arguments, i, &ret[i].text);
            break;
        }
        if (status != OK) {
            return status;
        }
    }
    return OK;
}

enum status call_read(struct span data, const struct call_form *const *forms,
    const struct call_form **ret, struct call_value ret_values[static CALL_ARGUMENTS_MAX])
{
    if (data.size < CALL_SELECTOR_SIZE) {
        return ERR_TRUNCATED;
    }
    struct span arguments = span_of(data.data + CALL_SELECTOR_SIZE, data.size - CALL_SELECTOR_SIZE);
    for (; *forms != NULL; forms++) {
        uint8_t selector[CALL_SELECTOR_SIZE];
        call_selector(*forms, selector);
        if (memcmp(selector, data.data, sizeof selector) == 0) {
            struct call_value values[CALL_ARGUMENTS_MAX] = {0};
            enum status status = read_values(arguments, *forms, values);
            if (status == OK) {
                memcpy(ret_values, values, sizeof values);
                *ret = *forms;
            }
            return status;
        }
    }
    return ERR_NOT_FOUND;
}

const char *call_panic_text(uint64_t code)
{
    static const struct {
        uint64_t code;
        const char *text;
    } panics[] = {
        {0x01, "an assertion failed"},
        {0x11, "arithmetic overflow"},
        {0x12, "division by zero"},
        {0x21, "no such value of an enumeration"},
        {0x22, "damaged storage"},
        {0x31, "pop of an empty array"},
        {0x32, "index out of bounds"},
        {0x41, "out of memory"},
        {0x51, "call of an empty function"},
    };
    for (size_t i = 0; i < sizeof panics / sizeof panics[0]; i++) {
        if (panics[i].code == code) {
            return panics[i].text;
        }
    }
    return NULL;
}

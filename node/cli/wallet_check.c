// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the chain says of a signature that is not by the owner's key.
#include "node/cli/wallet_check.h"

#include "chain/eip55.h"
#include "dht/piece.h"
#include "node/cli/config_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static enum wallet_answer refuse(
    struct refusal *ret, const char *code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    ret->code = code;
    (void)vsnprintf(ret->text, sizeof ret->text, format, arguments);
    va_end(arguments);
    return WALLET_REFUSED;
}

int wallet_options(struct cli *cli, struct authorization *authorization)
{
    struct config config;
    int result = config_file_read(cli, &config);
    if (result == DONE) {
        authorization->registry = config.registry;
        authorization->contract_wallet = cli->arguments.contract_wallet;
    }
    return result;
}

// Inline if there is room for it in a record, else by its hash.
static void keep(struct state_delegation *result, struct span signature)
{
    struct delegation *delegation = &result->delegation;
    struct pieces pieces;
    if (signature.size <= DELEGATION_SIGNATURE_MAX) {
        delegation->kind = DELEGATION_EIP1271;
        delegation->signature_size = (uint16_t)signature.size;
        memcpy(delegation->signature, signature.data, signature.size);
        return;
    }
    pieces_cut(signature, &pieces);
    delegation->kind = DELEGATION_EIP1271_HASHED;
    delegation->hashed_size = (uint16_t)signature.size;
    delegation->signature_size = sizeof pieces.root.bytes;
    memcpy(delegation->signature, pieces.root.bytes, sizeof pieces.root.bytes);
    memcpy(result->signature, signature.data, signature.size);
}

static bool ask_registry(
    const struct authorization *authorization, const struct delegate_question *question)
{
    uint8_t call[DELEGATE_CALL_SIZE];
    struct chain_read read = {0};
    bool says = false;
    chain_client_read(
        authorization->client, &authorization->registry, delegate_call(question, call), &read);
    bool answered = read.verdict == CHAIN_RESULT && read.size == ABI_WORD &&
                    abi_read_bool(span_of(read.data, read.size), 0, &says) == OK;
    chain_read_clear(&read);
    return answered && says;
}

// By typed data or by text, whichever the delegate has signed.
static bool take_delegates(struct authorization *authorization, struct span signature)
{
    static const enum delegation_kind kinds[] = {DELEGATION_EIP712, DELEGATION_EIP191};
    struct state_delegation *draft = &authorization->result;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct delegation signed_one = draft->delegation;
        struct delegate_question question = {.owner = signed_one.owner,
            .contract = draft->network.contract,
            .token = signed_one.token};
        signed_one.kind = kinds[i];
        signed_one.signature_size = ECDSA_SIGNATURE_SIZE;
        memcpy(signed_one.signature, signature.data, signature.size);
        if (delegation_signer(&signed_one, &draft->network, &question.signer) == OK &&
            ask_registry(authorization, &question)) {
            draft->delegation = signed_one;
            return true;
        }
    }
    return false;
}

static enum wallet_answer ask_wallet(
    struct authorization *authorization, struct span signature, struct refusal *ret)
{
    struct state_delegation *draft = &authorization->result;
    char owner[ETH_ADDRESS_TEXT_SIZE];
    uint8_t call[WALLET_CALL_MAX];
    struct chain_read read = {0};
    struct hash256 digest = delegation_digest(&draft->delegation, &draft->network);
    eip55_format(&draft->delegation.owner, owner);
    chain_client_read(authorization->client, &draft->delegation.owner,
        wallet_call(&digest, signature, call), &read);
    struct span returned = span_of(read.data, read.size);
    bool no_code = read.verdict == CHAIN_RESULT && returned.size == 0;
    bool accepted = read.verdict == CHAIN_RESULT && wallet_accepts(returned);
    bool answered = read.verdict == CHAIN_RESULT || read.verdict == CHAIN_REVERTED;
    chain_read_clear(&read);
    if (accepted) {
        keep(draft, signature);
        return WALLET_ACCEPTED;
    }
    if (!answered) {
        return refuse(ret, "unknown",
            "whether the owner %s accepts this signature is not known: the RPC providers do not "
            "agree, or did not answer; try again later, or with others (--rpc)",
            owner);
    }
    if (no_code && signature.size == ECDSA_SIGNATURE_SIZE) {
        return WALLET_NONE;
    }
    return no_code ? refuse(ret, "no_wallet",
                         "the owner %s is no contract wallet, so it can only sign with its key: "
                         "expected 65 bytes",
                         owner)
                   : refuse(ret, "wallet_refused",
                         "the contract wallet %s does not accept this signature; have as many of "
                         "its owners as it wants sign what was shown last",
                         owner);
}

enum wallet_answer wallet_check(
    struct authorization *authorization, struct span signature, struct refusal *ret)
{
    bool by_key = signature.size == ECDSA_SIGNATURE_SIZE;
    if (wallet_signature_undeployed(signature)) {
        return refuse(ret, "undeployed",
            "the signature is for a wallet that is not deployed yet (ERC-6492); deploy the wallet "
            "first, by any transaction of it, and sign again");
    }
    if (authorization->client != NULL) {
        bool may_be_delegate = by_key && !eth_address_is_zero(&authorization->registry);
        return may_be_delegate && take_delegates(authorization, signature)
                   ? WALLET_ACCEPTED
                   : ask_wallet(authorization, signature, ret);
    }
    if (authorization->contract_wallet) {
        keep(&authorization->result, signature);
        return WALLET_ACCEPTED;
    }
    return by_key ? WALLET_NONE
                  : refuse(ret, "unknown",
                        "this is no signature by a key (those have 65 bytes). If the owner is a "
                        "contract wallet, name an RPC provider with --rpc URL to ask it, or keep "
                        "the signature unchecked with --contract-wallet");
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The calls by which the chain is asked about a signature: at a contract wallet (EIP-1271), and at
// the registry of delegates (delegate.xyz, version 2).
#pragma once

#include "chain/abi.h"

enum {
    WALLET_SIGNATURE_MAX = 4096,
    WALLET_CALL_MAX = 4 + 3 * ABI_WORD + WALLET_SIGNATURE_MAX,
    DELEGATE_CALL_SIZE = 4 + 5 * ABI_WORD,
};

// ERC-6492: the signature is wrapped in what would deploy the wallet.
bool wallet_signature_undeployed(struct span signature);

// isValidSignature(digest, signature), for the wallet. ASSERT: at most WALLET_SIGNATURE_MAX bytes.
struct span wallet_call(
    const struct hash256 *digest, struct span signature, uint8_t ret[static WALLET_CALL_MAX]);

// Whether what it returned is exactly the magic value in a word.
bool wallet_accepts(struct span returned);

// A token, its owner, and who signed for him.
struct delegate_question {
    struct eth_address signer;
    struct eth_address owner;
    struct eth_address contract;
    struct token_id token;
};

// checkDelegateForERC721 with the rights "deedmesh", for the registry: true for who is a delegate
// of the owner for this token, this contract or everything, with all rights or these.
struct span delegate_call(
    const struct delegate_question *question, uint8_t ret[static DELEGATE_CALL_SIZE]);

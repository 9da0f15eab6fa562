// SPDX-License-Identifier: GPL-3.0-or-later
//
// The delegation as wallets sign it: EIP-712 typed data, or EIP-191 text for wallets that cannot.
//
//   domain  EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)
//           ("Deedmesh", "1", the network's chain id, the network's contract)
//   message NodeDelegation(uint256 tokenId,address owner,bytes32 nodeKey,uint64 notBefore,
//                          uint64 notAfter,uint64 epoch)
#pragma once

#include "base/delegation.h"
#include "chain/ecdsa.h"

enum {
    DELEGATION_TEXT_SIZE = 768,        // fits the longest EIP-191 text and its NUL
    DELEGATION_TYPED_DATA_SIZE = 2048, // fits the longest typed data and its NUL
    DELEGATION_WINDOW_DEFAULT_S = 90 * 24 * 3600,
    DELEGATION_WINDOW_MAX_S = 366 * 24 * 3600,
    // How far before the moment of signing a draft begins: chain time lags behind the clocks.
    DELEGATION_HEAD_START_S = 600,
};

// An unsigned EIP-712 delegation that starts a little before `now`, ends `window_s` after it and
// has the epoch `now`. A zero `node_key` makes a tombstone.
struct delegation delegation_draft(const struct token_id *token, const struct eth_address *owner,
    const struct node_key *node_key, struct unix_time now, uint64_t window_s);

// What an EIP-712 signature signs: keccak256(0x19 0x01 | domain | message).
struct hash256 delegation_digest(
    const struct delegation *delegation, const struct network *network);

// The typed data as JSON for eth_signTypedData_v4, one line. Always terminates `ret`.
void delegation_typed_data(const struct delegation *delegation, const struct network *network,
    char ret[static DELEGATION_TYPED_DATA_SIZE]);

// The text for personal_sign (EIP-191): made from the same fields, one text for each delegation,
// verified by making it again, never by parsing. Always terminates `ret`.
void delegation_text(const struct delegation *delegation, const struct network *network,
    char ret[static DELEGATION_TEXT_SIZE]);

// What a signature of `delegation->kind` signs: delegation_digest, or for EIP-191 the digest of
// 0x19 "Ethereum Signed Message:\n" length text.
struct hash256 delegation_digest_of(
    const struct delegation *delegation, const struct network *network);

// OK if `delegation->owner` signed it with its key for this network; says nothing about who owns
// the token. (An account under EIP-7702 has code, and a key all the same: so a signature of 65
// bytes that is said to be a contract wallet's is tried, too.) ERR_SIGNATURE or ERR_MALFORMED if
// not; ERR_UNSUPPORTED where only the chain can tell (EIP-1271): unknown, never refused.
enum status delegation_verify_signature(
    const struct delegation *delegation, const struct network *network);

// Who signed a delegation of kind EIP-712 or EIP-191. As ecdsa_recover; ERR_UNSUPPORTED for others.
enum status delegation_signer(
    const struct delegation *delegation, const struct network *network, struct eth_address *ret);

// Signs by `delegation->kind` (EIP-712 or EIP-191) and fills in the signature. ERR_MISMATCH if the
// secret is not the owner's, ERR_RANGE if it is no secret key, ERR_UNSUPPORTED for other kinds.
enum status delegation_sign(
    struct delegation *delegation, const struct network *network, const struct eth_secret *secret);

// Takes a wallet's signature over the typed data (or, failing that, over the text) and sets kind
// and signature. ERR_SIGNATURE or ERR_MALFORMED if it is neither.
enum status delegation_accept_signature(
    struct delegation *delegation, const struct network *network, struct span signature);

enum {
    DELEGATION_CACHE_SIZE = 128,
};

// Delegations whose signature has been verified, by their digest with the signature, so that a
// refreshed record costs no second recovery. Direct-mapped: a stranger who owns a wallet can
// displace an entry, which costs its owner one recovery and nothing else. Zeroed = empty.
struct delegation_cache {
    struct hash256 verified[DELEGATION_CACHE_SIZE];
};

// As delegation_verify_signature. Only successes are kept.
enum status delegation_cache_verify(struct delegation_cache *cache,
    const struct delegation *delegation, const struct network *network);

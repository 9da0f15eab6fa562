// SPDX-License-Identifier: GPL-3.0-or-later
//
// Transactions with a fee market (EIP-1559, type 2): written for signing and sending, and read back
// for display. The access list is always empty.
//
//   02 | rlp([chain id, nonce, priority fee, max fee, gas, to, value, data, []])   what is signed
//   02 | rlp([... , [], y parity, r, s])                                            what is sent
//
// Its hash is keccak256 of what is sent; with one nonce an account has at most one transaction in
// the chain.
#pragma once

#include "chain/ecdsa.h"
#include "chain/wei.h"

enum {
    // EIP-3860 bounds creation code to 49,152 bytes; a call of ours is far smaller.
    TRANSACTION_DATA_MAX = 64 * 1024,
    TRANSACTION_MAX = TRANSACTION_DATA_MAX + 512, // encoded
};

struct transaction {
    uint64_t chain_id;
    uint64_t nonce;
    uint64_t priority_fee; // wei per gas, for the block's producer
    uint64_t max_fee;      // wei per gas, base fee included
    uint64_t gas;          // limit
    bool creates;          // `data` makes a contract; `to` is zero then
    struct eth_address to;
    struct wei value;
    struct span data;
};

// Writes what is sent, or with `signature` NULL what is signed: keccak256 of that is the digest for
// ecdsa_sign. The signature is ecdsa_sign's, v = 27 or 28. `writer` needs RLP_HEAD_MAX bytes more
// than the result and fails with ERR_FULL without; TRANSACTION_MAX is enough for
// TRANSACTION_DATA_MAX.
void transaction_write(const struct transaction *transaction,
    const uint8_t signature[ECDSA_SIGNATURE_SIZE], struct writer *writer);

// Reads what is sent. `ret->data` lives as long as `raw`. `scratch` has room for raw.size bytes.
// ERR_VERSION: another type of transaction. ERR_UNSUPPORTED: an access list. ERR_SIGNATURE: nobody
// can have signed it. ERR_RANGE: a number is larger than this program ever writes, or the fees
// contradict. ERR_TRUNCATED, ERR_TRAILING, ERR_MALFORMED, ERR_NOT_CANONICAL: no such encoding.
enum status transaction_read(struct span raw, struct writer *scratch, struct transaction *ret,
    struct eth_address *ret_sender);

// gas x max fee + value: what the sender must have at least. Layer 2 chains may charge more, for
// data on layer 1.
struct wei transaction_cost_max(const struct transaction *transaction);

// Where a contract that `sender` creates with `nonce` stands.
struct eth_address transaction_contract_address(const struct eth_address *sender, uint64_t nonce);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The owner's statement "this node key may sit in token N's seat until T", as plain data that dht/
// carries in records and chain/ verifies.
#pragma once

#include "base/clock.h"
#include "base/ids.h"

enum delegation_kind {
    DELEGATION_EIP712 = 0,         // 65-byte secp256k1 signature r | s | v
    DELEGATION_EIP191 = 1,         // personal_sign over the canonical text, 65 bytes
    DELEGATION_EIP1271 = 2,        // contract wallet, signature inline
    DELEGATION_EIP1271_HASHED = 3, // contract wallet, signature in pieces under its own hash
};

enum {
    ECDSA_SIGNATURE_SIZE = 65,
    DELEGATION_SIGNATURE_MAX = 96, // inline; what leaves room for one candidate in a record
};

// Times are whole unix seconds, as signed.
struct delegation {
    enum delegation_kind kind;
    struct token_id token;
    struct eth_address owner;
    struct node_key node_key; // zero = tombstone: the owner retires whatever sat here before
    uint64_t not_before_s;
    uint64_t not_after_s;
    uint64_t epoch_s;
    // EIP1271_HASHED: the 32-byte content hash, and the length of what it names.
    uint8_t signature[DELEGATION_SIGNATURE_MAX];
    uint16_t signature_size;
    uint16_t hashed_size;
};

static inline bool delegation_is_tombstone(const struct delegation *delegation)
{
    return node_key_is_zero(&delegation->node_key);
}

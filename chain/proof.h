// SPDX-License-Identifier: GPL-3.0-or-later
//
// Proofs of an account and its storage (EIP-1186, eth_getProof): what a contract keeps, shown from
// a state root that the caller trusts, so that the server that reports it need not be.
//
//   header.state_root -> account proof by keccak(address) -> account {nonce, balance, storage
//   root, code hash} -> a storage proof for each slot by keccak(slot) -> its value
#pragma once

#include "chain/slot.h"

#include <jansson.h>

enum {
    PROOF_NODES_MAX = 65,      // of one path: 64 nibbles, one node each, and a leaf
    PROOF_NODE_SIZE_MAX = 532, // a branch of 16 hashes; all others are smaller
};

// An account that does not exist has no code, no storage and nothing else.
struct proof_account {
    bool exists;
    uint64_t nonce;
    uint8_t balance[32];
    struct hash256 storage_root; // the empty trie's where it does not exist
    struct hash256 code_hash;    // keccak256 of nothing where it does not exist
};

// A slot that was never written, or was set back to zero, is absent from the trie. Some nodes keep
// the latter as a leaf of value zero (anvil 1.7.1 does), which no chain's state has. It is told
// apart for callers that want to refuse it, and may be taken for zero just as well: the trusted
// root commits to it as to every other value, and zero is never an owner, so that all it can make
// of a "yes" is a "no".
enum proof_presence {
    PROOF_PRESENT,
    PROOF_ABSENT,
    PROOF_ZERO_LEAF,
};

struct proof_slot {
    enum proof_presence presence;
    uint8_t value[32]; // zero unless it is present
};

// Verifies `result`, what eth_getProof(address, slots) returned, against `state_root`. Fills
// `ret_account` and `ret_slots`, `slot_count` of them, in the order of `slots`; both are void after
// a failure. What is returned comes from the proofs alone: the fields that the server puts beside
// them (balance, value, ...) are not looked at, but for address and keys, which must be those that
// were asked for.
//
// Any failure means that this server has shown nothing; it is never a "no". ERR_MALFORMED,
// ERR_TOO_LARGE: not a result of this call; ERR_MISMATCH: a node is not the one that its parent (or
// the state root) names, so the proof is tampered with or of another block, or it is about another
// address or slot; ERR_NOT_CANONICAL, ERR_RANGE, ERR_TRUNCATED, ERR_TRAILING: a node or a value is
// wrongly encoded, or the list has too few or too many nodes.
//
// Allocates nothing; hashes at most PROOF_NODES_MAX nodes a path.
enum status proof_verify(const json_t *result, const struct hash256 *state_root,
    const struct eth_address *address, const struct storage_slot *slots, size_t slot_count,
    struct proof_account *ret_account, struct proof_slot *ret_slots);

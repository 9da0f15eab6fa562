// SPDX-License-Identifier: GPL-3.0-or-later
//
// A trie built whole, in the simplest way that is right: an oracle for the walks of chain/trie and
// chain/proof, and the maker of what eth_getProof returns about accounts and storage of a test.
#pragma once

#include "chain/proof.h"

struct oracle_pair {
    struct span key;
    struct span value;
};

struct trie_oracle;

// Of pairs with different keys, in any order; what they point at must outlive it.
struct trie_oracle *trie_oracle_new(const struct oracle_pair *pairs, size_t count);
void trie_oracle_free(struct trie_oracle *oracle);

struct hash256 trie_oracle_root(const struct trie_oracle *oracle);

// The nodes from the root towards `key`, as many as there are, at most `max`. Nodes inside of
// their parents are left out, as most clients do, or listed too.
size_t trie_oracle_prove(const struct trie_oracle *oracle, struct span key, bool list_embedded,
    struct span *ret_nodes, size_t max);

// A contract with storage, among accounts that have none.
struct state_oracle;

struct oracle_slot {
    struct storage_slot slot;
    uint8_t value[32]; // zero makes a leaf of zero, as anvil's
};

struct state_oracle *state_oracle_new(const struct eth_address *contract,
    const struct proof_account *account, const struct oracle_slot *slots, size_t slot_count,
    size_t other_accounts);
void state_oracle_free(struct state_oracle *oracle);

struct hash256 state_oracle_root(const struct state_oracle *oracle);

// What eth_getProof(address, slots) returns: a new reference. For an address that is not the
// contract, `slots` are absent.
json_t *state_oracle_get_proof(const struct state_oracle *oracle, const struct eth_address *address,
    const struct storage_slot *slots, size_t slot_count);

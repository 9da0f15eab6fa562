// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where contracts keep things: numbers of storage slots (Solidity, "Layout of State Variables in
// Storage").
#pragma once

#include "base/ids.h"

// The number of a slot: 256 bits, big-endian.
struct storage_slot {
    uint8_t bytes[32];
};

struct storage_slot storage_slot_of_u64(uint64_t number);

// Where mapping(uint256 => ...) at `mapping` has the token: keccak256(token | mapping).
struct storage_slot storage_slot_of_token(
    const struct token_id *token, const struct storage_slot *mapping);

// The base of a namespace (ERC-7201): keccak256(keccak256(name) - 1), its last byte zero. E.g.
// "openzeppelin.storage.ERC721", whose owners are at the base + 2.
struct storage_slot storage_slot_of_namespace(const char *name);

// keccak256(name) - 1 (ERC-1967): "eip1967.proxy.implementation" is where a proxy has its code.
struct storage_slot storage_slot_of_proxy(const char *name);

// `slot` + `offset`, modulo 2^256.
struct storage_slot storage_slot_add(const struct storage_slot *slot, uint64_t offset);

bool storage_slot_equal(const struct storage_slot *a, const struct storage_slot *b);

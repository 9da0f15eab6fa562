// SPDX-License-Identifier: GPL-3.0-or-later
//
// The contract ABI, as far as the gate needs it: what a call returns is a row of 32-byte words,
// some of which are offsets. Strings in it are an attacker's: every offset and length is bounded
// by the bytes that are there.
#pragma once

#include "base/ids.h"

enum {
    ABI_WORD = 32,
};

// Function selectors: the first four bytes of keccak256(signature).
static const uint32_t abi_owner_of = 0x6352211e;           // ownerOf(uint256)
static const uint32_t abi_node_access = 0x6a572da6;        // getNodeAccess(uint256)
static const uint32_t abi_supports_interface = 0x01ffc9a7; // supportsInterface(bytes4)
static const uint32_t abi_total_supply = 0x18160ddd;       // totalSupply()
static const uint32_t abi_token_by_index = 0x4f6ccce7;     // tokenByIndex(uint256)

// A word by its index. ERR_TRUNCATED if it is not there.
enum status abi_read_word(struct span data, size_t index, uint8_t ret[static ABI_WORD]);

// ERR_RANGE if the number has more than 64 bits.
enum status abi_read_u64(struct span data, size_t index, uint64_t *ret);

// ERR_MALFORMED if the word is neither 0 nor 1.
enum status abi_read_bool(struct span data, size_t index, bool *ret);

// ERR_MALFORMED if the upper 12 bytes are not zero.
enum status abi_read_address(struct span data, size_t index, struct eth_address *ret);

// What the offset in a word points at: all bytes from there on. Offsets count from the start of
// `data`, are multiples of 32 and lie inside it: ERR_MALFORMED or ERR_TRUNCATED otherwise.
enum status abi_read_tail(struct span data, size_t index, struct span *ret);

// A string or byte string: the offset in a word leads to a length and that many bytes.
enum status abi_read_bytes(struct span data, size_t index, struct span *ret);

// A word that holds a number, as a call's argument.
void abi_word_of_u64(uint64_t value, uint8_t ret[static ABI_WORD]);

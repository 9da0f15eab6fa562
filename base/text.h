// SPDX-License-Identifier: GPL-3.0-or-later
//
// The text forms of numbers and identities: decimal, hexadecimal, 256-bit decimal, base64. EIP-55
// needs keccak and stands in chain/.
#pragma once

#include "base/ids.h"

enum {
    TOKEN_TEXT_SIZE = 79, // 2^256-1 has 78 decimal digits
    WG_KEY_TEXT_SIZE = 45,
    ETH_ADDRESS_TEXT_SIZE = 43, // "0x", 40 digits, NUL
};

// Decimal digits alone, without a leading zero. ERR_MALFORMED otherwise, ERR_RANGE above `max`.
enum status decimal_parse(struct span text, uint64_t max, uint64_t *ret);

enum {
    HEX_NOT_A_DIGIT = 16,
};

// The value of a digit of either case, or HEX_NOT_A_DIGIT.
uint8_t hex_digit_value(uint8_t digit);

// Lower-case hex without prefix. `ret` has room for 2 * bytes.size + 1.
void hex_format(struct span bytes, char *ret);

// Exactly `size` bytes of hex, either case, with or without "0x". ERR_MALFORMED otherwise.
enum status hex_parse(struct span text, uint8_t *ret, size_t size);

// Decimal. Always terminates `ret`.
void token_id_format(const struct token_id *token, char ret[static TOKEN_TEXT_SIZE]);

// Decimal, or "0x" and 1 to 64 hex digits. ERR_MALFORMED, or ERR_RANGE from 2^256 up.
enum status token_id_parse(struct span text, struct token_id *ret);

// WireGuard's form: base64 with padding, 44 characters.
void wg_key_format(const struct wg_key *key, char ret[static WG_KEY_TEXT_SIZE]);
enum status wg_key_parse(struct span text, struct wg_key *ret);

// "0x" and 40 lower-case digits.
void eth_address_format(const struct eth_address *address, char ret[static ETH_ADDRESS_TEXT_SIZE]);

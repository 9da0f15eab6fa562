// SPDX-License-Identifier: GPL-3.0-or-later
//
// EIP-55: a letter stands in upper case where the same nibble of keccak256(lower-case digits) is
// 8 or more.
#include "chain/eip55.h"

#include "chain/keccak.h"

enum {
    DIGITS = 40,
};

void eip55_format(const struct eth_address *address, char ret[static ETH_ADDRESS_TEXT_SIZE])
{
    eth_address_format(address, ret);
    struct hash256 digest = keccak256(span_of(ret + 2, DIGITS));
    for (size_t i = 0; i < DIGITS; i++) {
        uint8_t nibble = i % 2 == 0 ? digest.bytes[i / 2] >> 4 : digest.bytes[i / 2] & 15;
        char digit = ret[2 + i];
        if (nibble >= 8 && digit >= 'a' && digit <= 'f') {
            ret[2 + i] = (char)(digit - 'a' + 'A');
        }
    }
}

enum status eip55_parse(struct span text, struct eth_address *ret)
{
    if (text.size != DIGITS + 2 || text.data[0] != '0' || text.data[1] != 'x') {
        return ERR_MALFORMED;
    }
    struct span digits = span_of(text.data + 2, DIGITS);
    struct eth_address address;
    enum status status = hex_parse(digits, address.bytes, sizeof address.bytes);
    if (status != OK) {
        return status;
    }
    bool upper = false;
    bool lower = false;
    for (size_t i = 0; i < DIGITS; i++) {
        upper = upper || (digits.data[i] >= 'A' && digits.data[i] <= 'F');
        lower = lower || (digits.data[i] >= 'a' && digits.data[i] <= 'f');
    }
    char expected[ETH_ADDRESS_TEXT_SIZE];
    eip55_format(&address, expected);
    if (upper && lower && !span_equal(text, span_of_text(expected))) {
        return ERR_MISMATCH;
    }
    *ret = address;
    return OK;
}

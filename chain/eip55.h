// SPDX-License-Identifier: GPL-3.0-or-later
//
// Addresses as people write them: EIP-55, upper and lower case as a checksum.
#pragma once

#include "base/text.h"

// "0x" and 40 digits with the checksum. Always terminates `ret`.
void eip55_format(const struct eth_address *address, char ret[static ETH_ADDRESS_TEXT_SIZE]);

// "0x" and 40 digits, all lower, all upper, or mixed with the right checksum. ERR_MALFORMED if it
// is no address, ERR_MISMATCH if the checksum is wrong: somebody mistyped it, ask again.
enum status eip55_parse(struct span text, struct eth_address *ret);

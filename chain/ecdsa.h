// SPDX-License-Identifier: GPL-3.0-or-later
//
// secp256k1 signatures in Ethereum's form: r | s | v, 65 bytes, the signer recovered from them.
// Exactly one form is accepted for each signature, so that nobody can make a second one of it.
#pragma once

#include "base/delegation.h"

// A wallet's secret key. The single owner wipes it.
struct eth_secret {
    uint8_t bytes[32];
};

// The address of a secret key. ERR_RANGE if it is zero or not below the group order.
enum status ecdsa_address(const struct eth_secret *secret, struct eth_address *ret);

// Who signed `digest`. ERR_MALFORMED if it has not 65 bytes (EIP-2098's 64 are refused) or v is
// not 0, 1, 27 or 28; ERR_SIGNATURE if r or s is out of range, s is high (EIP-2), or no key fits.
// The caller compares the address: a signature over something else gives some other address.
enum status ecdsa_recover(
    const struct hash256 *digest, struct span signature, struct eth_address *ret);

// Deterministic (RFC 6979), low s, v = 27 or 28. ERR_RANGE as ecdsa_address.
enum status ecdsa_sign(const struct hash256 *digest, const struct eth_secret *secret,
    uint8_t ret[static ECDSA_SIGNATURE_SIZE]);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Recovery and signing with libsecp256k1. The library's parser checks that r and s are below the
// group order; low s and the forms of v are ours to check.
#include "chain/ecdsa.h"

#include "chain/keccak.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <sodium.h>
#include <string.h>

enum {
    V_BASE = 27,
    PUBLIC_KEY_SIZE = 65, // 0x04 | x | y
};

// The last 20 bytes of keccak256(x | y).
static struct eth_address address_of_key(const secp256k1_pubkey *key)
{
    uint8_t bytes[PUBLIC_KEY_SIZE];
    size_t size = sizeof bytes;
    int done = secp256k1_ec_pubkey_serialize(
        secp256k1_context_static, bytes, &size, key, SECP256K1_EC_UNCOMPRESSED);
    ASSERT(done == 1 && size == sizeof bytes);
    struct hash256 digest = keccak256(span_of(bytes + 1, sizeof bytes - 1));
    struct eth_address address;
    memcpy(address.bytes, digest.bytes + 12, sizeof address.bytes);
    return address;
}

enum status ecdsa_recover(
    const struct hash256 *digest, struct span signature, struct eth_address *ret)
{
    if (signature.size != ECDSA_SIGNATURE_SIZE) {
        return ERR_MALFORMED;
    }
    uint8_t v = signature.data[ECDSA_SIGNATURE_SIZE - 1];
    if (v != 0 && v != 1 && v != V_BASE && v != V_BASE + 1) {
        return ERR_MALFORMED;
    }
    int recovery_id = v < V_BASE ? v : v - V_BASE;
    secp256k1_ecdsa_recoverable_signature recoverable;
    if (secp256k1_ecdsa_recoverable_signature_parse_compact(
            secp256k1_context_static, &recoverable, signature.data, recovery_id) != 1) {
        return ERR_SIGNATURE;
    }
    secp256k1_ecdsa_signature plain;
    secp256k1_ecdsa_recoverable_signature_convert(secp256k1_context_static, &plain, &recoverable);
    if (secp256k1_ecdsa_signature_normalize(secp256k1_context_static, NULL, &plain) != 0) {
        return ERR_SIGNATURE; // high s: the same signature in its other form
    }
    secp256k1_pubkey key;
    if (secp256k1_ecdsa_recover(secp256k1_context_static, &key, &recoverable, digest->bytes) != 1) {
        return ERR_SIGNATURE;
    }
    *ret = address_of_key(&key);
    return OK;
}

enum status ecdsa_address(const struct eth_secret *secret, struct eth_address *ret)
{
    secp256k1_context *context = secp256k1_context_create(SECP256K1_CONTEXT_SIGN);
    secp256k1_pubkey key;
    int done = secp256k1_ec_pubkey_create(context, &key, secret->bytes);
    secp256k1_context_destroy(context);
    if (done != 1) {
        return ERR_RANGE;
    }
    *ret = address_of_key(&key);
    return OK;
}

enum status ecdsa_sign(const struct hash256 *digest, const struct eth_secret *secret,
    uint8_t ret[static ECDSA_SIGNATURE_SIZE])
{
    secp256k1_context *context = secp256k1_context_create(SECP256K1_CONTEXT_SIGN);
    secp256k1_ecdsa_recoverable_signature signature;
    int done = secp256k1_ecdsa_sign_recoverable(
        context, &signature, digest->bytes, secret->bytes, NULL, NULL);
    secp256k1_context_destroy(context);
    if (done != 1) {
        return ERR_RANGE;
    }
    int recovery_id = 0;
    secp256k1_ecdsa_recoverable_signature_serialize_compact(
        secp256k1_context_static, ret, &recovery_id, &signature);
    sodium_memzero(&signature, sizeof signature);
    ret[ECDSA_SIGNATURE_SIZE - 1] = (uint8_t)(V_BASE + recovery_id);
    return OK;
}

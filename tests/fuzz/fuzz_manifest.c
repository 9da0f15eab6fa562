// SPDX-License-Identifier: GPL-3.0-or-later
//
// Manifests from strangers. What parses and asks for nothing bad is in its only encoding: signed
// again by another authority, it gives the same bytes but for key and signature.
#include "dht/manifest.h"

#include <sodium.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    AUTHORITY_AT = 4, // array, form, head of the binary
    SIGNATURE_SIZE = 64,
};

static void check_again(struct manifest manifest, struct span value)
{
    static const uint8_t seed[crypto_sign_SEEDBYTES] = {1};
    struct node_secret secret;
    uint8_t again[MANIFEST_MAX_SIZE];
    size_t again_size;
    uint8_t expected[MANIFEST_MAX_SIZE];
    ASSERT(crypto_sign_seed_keypair(manifest.authority.bytes, secret.bytes, seed) == 0);
    ASSERT(manifest_encode(&manifest, &secret, again, &again_size) == OK);
    ASSERT(again_size == value.size);
    memcpy(expected, value.data, value.size);
    memcpy(expected + AUTHORITY_AT, manifest.authority.bytes, sizeof manifest.authority.bytes);
    ASSERT(memcmp(again, expected, value.size - SIGNATURE_SIZE) == 0);
    struct manifest decoded;
    ASSERT(manifest_decode(span_of(again, again_size), &decoded) == OK);
    ASSERT(manifest_check_update(&manifest, &decoded) == MANIFEST_SAME);
}

static void try_fingerprint(struct span text)
{
    struct dht_key key;
    if (fingerprint_parse(text, &key) != OK) {
        return;
    }
    char printed[FINGERPRINT_TEXT_SIZE];
    struct dht_key again;
    fingerprint_format(&key, printed);
    ASSERT(fingerprint_parse(span_of_text(printed), &again) == OK);
    ASSERT(dht_key_equal(&key, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest manifest;
    struct span value = span_of(data, size);
    try_fingerprint(value);
    (void)manifest_decode(value, &manifest);
    if (manifest_parse(value, &manifest) != OK) {
        return 0;
    }
    for (size_t i = 0; i < manifest.rpc_count; i++) {
        ASSERT(strlen(manifest.rpc[i].text) == manifest.rpc[i].size);
    }
    (void)manifest_check(&manifest, false);
    if (manifest_check(&manifest, true) == MANIFEST_FINE) {
        check_again(manifest, value);
    }
    return 0;
}

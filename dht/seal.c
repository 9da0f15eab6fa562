// SPDX-License-Identifier: GPL-3.0-or-later
//
// Seals from libsodium's parts; only keys and nonces are derived here.
#include "dht/seal.h"

#include <sodium.h>

enum {
    NONCE_SIZE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_SIZE = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    KEY_SIZE = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    POINT_SIZE = crypto_scalarmult_BYTES,
};
_Static_assert((int)SEAL_OVERHEAD == (int)NONCE_SIZE + (int)TAG_SIZE, "as the header says");
_Static_assert((int)SEAL_BOX_OVERHEAD == (int)POINT_SIZE + (int)TAG_SIZE, "as the header says");

static void seal_key_of(const struct network_keys *keys, uint8_t ret[static KEY_SIZE])
{
    static const char label[] = "deedmesh/1 seal";
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, keys->secret, sizeof keys->secret, KEY_SIZE);
    (void)crypto_generichash_update(&state, (const uint8_t *)label, sizeof label - 1);
    (void)crypto_generichash_update(&state, keys->id.bytes, sizeof keys->id.bytes);
    (void)crypto_generichash_final(&state, ret, KEY_SIZE);
    sodium_memzero(&state, sizeof state);
}

static void nonce_of(const struct network_keys *keys, const struct dht_key *at, struct span plain,
    uint8_t ret[static NONCE_SIZE])
{
    static const char label[] = "deedmesh/1 nonce";
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, keys->secret, sizeof keys->secret, NONCE_SIZE);
    (void)crypto_generichash_update(&state, (const uint8_t *)label, sizeof label - 1);
    (void)crypto_generichash_update(&state, keys->id.bytes, sizeof keys->id.bytes);
    (void)crypto_generichash_update(&state, at->bytes, sizeof at->bytes);
    (void)crypto_generichash_update(&state, plain.data, plain.size);
    (void)crypto_generichash_final(&state, ret, NONCE_SIZE);
    sodium_memzero(&state, sizeof state);
}

void seal_under_secret(
    const struct network_keys *keys, const struct dht_key *at, struct span plain, uint8_t *ret)
{
    ASSERT(keys->has_secret);
    uint8_t key[KEY_SIZE];
    seal_key_of(keys, key);
    nonce_of(keys, at, plain, ret);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(ret + NONCE_SIZE, NULL, plain.data, plain.size,
        at->bytes, sizeof at->bytes, NULL, ret, key);
    sodium_memzero(key, sizeof key);
}

enum status seal_open_under_secret(
    const struct network_keys *keys, const struct dht_key *at, struct span sealed, uint8_t *ret)
{
    if (sealed.size < SEAL_OVERHEAD) {
        return ERR_TRUNCATED;
    }
    if (!keys->has_secret) {
        return ERR_SEAL;
    }
    uint8_t key[KEY_SIZE];
    seal_key_of(keys, key);
    int failed =
        crypto_aead_xchacha20poly1305_ietf_decrypt(ret, NULL, NULL, sealed.data + NONCE_SIZE,
            sealed.size - NONCE_SIZE, at->bytes, sizeof at->bytes, sealed.data, key);
    sodium_memzero(key, sizeof key);
    return failed == 0 ? OK : ERR_SEAL;
}

// One key for one box: both points are hashed in, the ephemeral one is never used twice.
static void box_key_of(const uint8_t shared[static POINT_SIZE],
    const uint8_t ephemeral[static POINT_SIZE], const uint8_t recipient[static POINT_SIZE],
    uint8_t ret[static KEY_SIZE])
{
    static const char label[] = "deedmesh/1 box";
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, shared, POINT_SIZE, KEY_SIZE);
    (void)crypto_generichash_update(&state, (const uint8_t *)label, sizeof label - 1);
    (void)crypto_generichash_update(&state, ephemeral, POINT_SIZE);
    (void)crypto_generichash_update(&state, recipient, POINT_SIZE);
    (void)crypto_generichash_final(&state, ret, KEY_SIZE);
    sodium_memzero(&state, sizeof state);
}

static const uint8_t zero_nonce[NONCE_SIZE];

enum status seal_box(const struct node_key *recipient, struct span context, struct span plain,
    struct rng *rng, uint8_t *ret)
{
    uint8_t point[POINT_SIZE];
    uint8_t ephemeral_secret[POINT_SIZE];
    uint8_t shared[POINT_SIZE];
    uint8_t key[KEY_SIZE];
    if (crypto_sign_ed25519_pk_to_curve25519(point, recipient->bytes) != 0) {
        return ERR_RANGE;
    }
    rng_bytes(rng, ephemeral_secret, sizeof ephemeral_secret);
    enum status status = ERR_RANGE;
    if (crypto_scalarmult_base(ret, ephemeral_secret) == 0 &&
        crypto_scalarmult(shared, ephemeral_secret, point) == 0) {
        box_key_of(shared, ret, point, key);
        (void)crypto_aead_xchacha20poly1305_ietf_encrypt(ret + POINT_SIZE, NULL, plain.data,
            plain.size, context.data, context.size, NULL, zero_nonce, key);
        sodium_memzero(key, sizeof key);
        sodium_memzero(shared, sizeof shared);
        status = OK;
    }
    sodium_memzero(ephemeral_secret, sizeof ephemeral_secret);
    return status;
}

enum status seal_box_open(
    const struct node_secret *recipient, struct span context, struct span sealed, uint8_t *ret)
{
    if (sealed.size < SEAL_BOX_OVERHEAD) {
        return ERR_TRUNCATED;
    }
    uint8_t scalar[POINT_SIZE];
    uint8_t point[POINT_SIZE];
    uint8_t shared[POINT_SIZE];
    uint8_t key[KEY_SIZE];
    enum status status = ERR_SEAL;
    if (crypto_sign_ed25519_sk_to_curve25519(scalar, recipient->bytes) == 0 &&
        crypto_scalarmult_base(point, scalar) == 0 &&
        crypto_scalarmult(shared, scalar, sealed.data) == 0) {
        box_key_of(shared, sealed.data, point, key);
        if (crypto_aead_xchacha20poly1305_ietf_decrypt(ret, NULL, NULL, sealed.data + POINT_SIZE,
                sealed.size - POINT_SIZE, context.data, context.size, zero_nonce, key) == 0) {
            status = OK;
        }
        sodium_memzero(key, sizeof key);
        sodium_memzero(shared, sizeof shared);
    }
    sodium_memzero(scalar, sizeof scalar);
    return status;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Web3 Secret Storage, version 3. scrypt is libsodium's, PBKDF2 and AES are nettle's.
#include "chain/keystore.h"

#include "base/text.h"
#include "chain/keccak.h"

#include <jansson.h>
#include <nettle/aes.h>
#include <nettle/ctr.h>
#include <nettle/nettle-meta.h>
#include <nettle/pbkdf2.h>
#include <sodium.h>
#include <string.h>

enum {
    DERIVED_SIZE = 32,
    DERIVED_MAX = 64, // what a file may ask for; the first 32 bytes are used
};

static bool text_is(const json_t *object, const char *name, const char *wanted)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL && strcmp(text, wanted) == 0;
}

static enum status hex_member(const json_t *object, const char *name, uint8_t *ret, size_t size)
{
    const json_t *value = json_object_get(object, name);
    return hex_parse(span_of(json_string_value(value), json_string_length(value)), ret, size);
}

// A whole number from 1 to `most`. ERR_RANGE otherwise, `beyond` above it.
static enum status number_member(
    const json_t *object, const char *name, uint64_t most, enum status beyond, uint64_t *ret)
{
    const json_t *value = json_object_get(object, name);
    if (!json_is_integer(value)) {
        return ERR_MALFORMED;
    }
    if (json_integer_value(value) < 1) {
        return ERR_RANGE;
    }
    if ((uint64_t)json_integer_value(value) > most) {
        return beyond;
    }
    *ret = (uint64_t)json_integer_value(value);
    return OK;
}

static enum status parse_scrypt(const json_t *params, struct keystore *ret)
{
    const uint64_t memory_max = (uint64_t)KEYSTORE_MEMORY_MAX_MIB << 20;
    uint64_t n = 0;
    uint64_t r = 0;
    uint64_t p = 0;
    // Each bound alone keeps the products below from wrapping.
    enum status status = number_member(params, "n", memory_max / 128, ERR_TOO_LARGE, &n);
    if (status == OK) {
        status = number_member(params, "r", memory_max / 128, ERR_TOO_LARGE, &r);
    }
    if (status == OK) {
        status = number_member(params, "p", KEYSTORE_SCRYPT_WORK_MAX, ERR_TOO_LARGE, &p);
    }
    if (status != OK) {
        return status;
    }
    if (n < 2 || (n & (n - 1)) != 0) {
        return ERR_RANGE;
    }
    if (128 * n * r > memory_max || n * r > KEYSTORE_SCRYPT_WORK_MAX / p) {
        return ERR_TOO_LARGE;
    }
    ret->kdf = KEYSTORE_SCRYPT;
    ret->scrypt_n = n;
    ret->scrypt_r = (uint32_t)r;
    ret->scrypt_p = (uint32_t)p;
    return OK;
}

static enum status parse_pbkdf2(const json_t *params, struct keystore *ret)
{
    uint64_t rounds = 0;
    if (!text_is(params, "prf", "hmac-sha256")) {
        return ERR_UNSUPPORTED;
    }
    enum status status =
        number_member(params, "c", KEYSTORE_PBKDF2_ROUNDS_MAX, ERR_TOO_LARGE, &rounds);
    if (status == OK) {
        ret->kdf = KEYSTORE_PBKDF2;
        ret->pbkdf2_rounds = (uint32_t)rounds;
    }
    return status;
}

static enum status parse_kdf(const json_t *crypto, struct keystore *ret)
{
    const json_t *params = json_object_get(crypto, "kdfparams");
    uint64_t derived_size = 0;
    enum status status = ERR_UNSUPPORTED;
    if (text_is(crypto, "kdf", "scrypt")) {
        status = parse_scrypt(params, ret);
    } else if (text_is(crypto, "kdf", "pbkdf2")) {
        status = parse_pbkdf2(params, ret);
    }
    if (status == OK) {
        status = number_member(params, "dklen", DERIVED_MAX, ERR_RANGE, &derived_size);
    }
    if (status == OK && derived_size < DERIVED_SIZE) {
        status = ERR_RANGE;
    }
    if (status == OK) {
        size_t digits = json_string_length(json_object_get(params, "salt"));
        ret->salt_size = digits / 2;
        status = ret->salt_size > sizeof ret->salt
                     ? ERR_RANGE
                     : hex_member(params, "salt", ret->salt, ret->salt_size);
    }
    return status;
}

static enum status parse_object(const json_t *root, struct keystore *ret)
{
    const json_t *version = json_object_get(root, "version");
    // Some early wallets wrote "Crypto".
    const json_t *crypto = json_object_get(root, "crypto");
    crypto = crypto != NULL ? crypto : json_object_get(root, "Crypto");
    if (!json_is_object(crypto)) {
        return ERR_MALFORMED;
    }
    if (!json_is_integer(version) || json_integer_value(version) != 3) {
        return ERR_VERSION;
    }
    if (!text_is(crypto, "cipher", "aes-128-ctr")) {
        return ERR_UNSUPPORTED;
    }
    if (hex_member(json_object_get(crypto, "cipherparams"), "iv", ret->iv, sizeof ret->iv) != OK ||
        hex_member(crypto, "ciphertext", ret->ciphertext, sizeof ret->ciphertext) != OK ||
        hex_member(crypto, "mac", ret->mac, sizeof ret->mac) != OK) {
        return ERR_MALFORMED;
    }
    // Optional: some wallets leave it out, so that the file tells nobody whose it is.
    ret->has_address =
        hex_member(root, "address", ret->address.bytes, sizeof ret->address.bytes) == OK;
    return parse_kdf(crypto, ret);
}

enum status keystore_parse(struct span json, struct keystore *ret)
{
    struct keystore keystore = {0};
    if (json.size > KEYSTORE_FILE_MAX) {
        return ERR_MALFORMED;
    }
    json_t *root = json_loadb((const char *)json.data, json.size, JSON_REJECT_DUPLICATES, NULL);
    enum status status = parse_object(root, &keystore);
    json_decref(root);
    if (status == OK) {
        *ret = keystore;
    }
    return status;
}

static enum status derive(
    const struct keystore *keystore, struct span password, uint8_t ret[static DERIVED_SIZE])
{
    switch (keystore->kdf) {
    case KEYSTORE_SCRYPT:
        return crypto_pwhash_scryptsalsa208sha256_ll(password.data, password.size, keystore->salt,
                   keystore->salt_size, keystore->scrypt_n, keystore->scrypt_r, keystore->scrypt_p,
                   ret, DERIVED_SIZE) == 0
                   ? OK
                   : ERR_IO;
    case KEYSTORE_PBKDF2:
        pbkdf2_hmac_sha256(password.size, password.data, keystore->pbkdf2_rounds,
            keystore->salt_size, keystore->salt, DERIVED_SIZE, ret);
        return OK;
    }
    return ERR_UNSUPPORTED;
}

static bool mac_is_right(const struct keystore *keystore, const uint8_t *derived)
{
    uint8_t bytes[16 + sizeof keystore->ciphertext];
    memcpy(bytes, derived + 16, 16);
    memcpy(bytes + 16, keystore->ciphertext, sizeof keystore->ciphertext);
    struct hash256 mac = keccak256(span_of(bytes, sizeof bytes));
    sodium_memzero(bytes, sizeof bytes);
    return sodium_memcmp(mac.bytes, keystore->mac, sizeof mac.bytes) == 0;
}

enum status keystore_open(
    const struct keystore *keystore, struct span password, struct eth_secret *ret)
{
    uint8_t derived[DERIVED_SIZE];
    struct aes128_ctx aes;
    uint8_t counter[sizeof keystore->iv];
    struct eth_secret secret = {0};
    struct eth_address address;
    enum status status = derive(keystore, password, derived);
    if (status == OK && !mac_is_right(keystore, derived)) {
        status = ERR_SEAL;
    }
    if (status == OK) {
        memcpy(counter, keystore->iv, sizeof counter);
        aes128_set_encrypt_key(&aes, derived);
        ctr_crypt(&aes, nettle_aes128.encrypt, sizeof counter, counter, sizeof secret.bytes,
            secret.bytes, keystore->ciphertext);
        sodium_memzero(&aes, sizeof aes);
        status = ecdsa_address(&secret, &address);
    }
    if (status == OK && keystore->has_address && !eth_address_equal(&address, &keystore->address)) {
        status = ERR_MISMATCH;
    }
    if (status == OK) {
        *ret = secret;
    }
    sodium_memzero(&secret, sizeof secret);
    sodium_memzero(derived, sizeof derived);
    return status;
}

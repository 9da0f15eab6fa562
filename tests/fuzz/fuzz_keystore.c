// SPDX-License-Identifier: GPL-3.0-or-later
//
// A keystore file from anywhere. What is cheap enough is opened, too.
#include "chain/keystore.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t cost(const struct keystore *keystore)
{
    return keystore->kdf == KEYSTORE_PBKDF2
               ? keystore->pbkdf2_rounds
               : keystore->scrypt_n * keystore->scrypt_r * keystore->scrypt_p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { COST_MAX = 256 };
    struct keystore keystore;
    struct eth_secret secret;
    struct eth_address address;
    if (keystore_parse(span_of(data, size), &keystore) != OK) {
        return 0;
    }
    ASSERT(keystore.salt_size <= sizeof keystore.salt);
    if (keystore.kdf == KEYSTORE_SCRYPT) {
        ASSERT(keystore.scrypt_n >= 2 && keystore.scrypt_r > 0 && keystore.scrypt_p > 0);
        ASSERT(keystore.scrypt_n * keystore.scrypt_r * 128 >> 20 <= KEYSTORE_MEMORY_MAX_MIB);
        ASSERT(cost(&keystore) <= KEYSTORE_SCRYPT_WORK_MAX);
    } else {
        ASSERT(keystore.pbkdf2_rounds > 0 && cost(&keystore) <= KEYSTORE_PBKDF2_ROUNDS_MAX);
    }
    if (cost(&keystore) <= COST_MAX &&
        keystore_open(&keystore, span_of("testpassword", 12), &secret) == OK) {
        ASSERT(ecdsa_address(&secret, &address) == OK);
        ASSERT(!keystore.has_address || eth_address_equal(&address, &keystore.address));
    }
    return 0;
}

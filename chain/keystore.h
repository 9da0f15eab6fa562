// SPDX-License-Identifier: GPL-3.0-or-later
//
// Encrypted wallet keys: Web3 Secret Storage, version 3 (the JSON files of geth and most wallets).
//
//   derived key = scrypt(password, salt, n, r, p) | pbkdf2-hmac-sha256(password, salt, c)
//   mac         = keccak256(derived key[16..32] | ciphertext)
//   key         = aes-128-ctr(derived key[0..16], iv, ciphertext)
//
// The file is the user's own, but it may come from anywhere: what it asks of memory and time is
// bounded.
#pragma once

#include "chain/ecdsa.h"

enum {
    KEYSTORE_FILE_MAX = 16 * 1024,
    KEYSTORE_SALT_MAX = 64,
    KEYSTORE_MEMORY_MAX_MIB = 512,         // 128 n r; wallets use 256 MiB at most
    KEYSTORE_SCRYPT_WORK_MAX = 1 << 24,    // n r p; wallets use 2^21
    KEYSTORE_PBKDF2_ROUNDS_MAX = 10000000, // wallets use 2^18
};

enum keystore_kdf {
    KEYSTORE_SCRYPT,
    KEYSTORE_PBKDF2,
};

// A file that was read and is within the bounds; nothing in it is secret without the password.
struct keystore {
    enum keystore_kdf kdf;
    uint64_t scrypt_n;
    uint32_t scrypt_r;
    uint32_t scrypt_p;
    uint32_t pbkdf2_rounds;
    uint8_t salt[KEYSTORE_SALT_MAX];
    size_t salt_size;
    uint8_t iv[16];
    uint8_t ciphertext[32];
    uint8_t mac[32];
    struct eth_address address; // as the file states it, which is no proof
    bool has_address;
};

// Reads the JSON. ERR_MALFORMED: no such file. ERR_VERSION: not version 3. ERR_UNSUPPORTED: another
// cipher or key derivation. ERR_RANGE: parameters that make no sense. ERR_TOO_LARGE: more memory
// or time than the bounds above.
enum status keystore_parse(struct span json, struct keystore *ret);

// Takes about as long as the file's maker chose: some seconds at most. ERR_SEAL: the password is
// wrong, or the file damaged. ERR_MISMATCH: it opens, but to another address's key than it states.
// ERR_RANGE: it opens to something that is no key. ERR_IO: not enough memory. The caller wipes
// `ret`.
enum status keystore_open(
    const struct keystore *keystore, struct span password, struct eth_secret *ret);

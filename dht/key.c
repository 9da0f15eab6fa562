// SPDX-License-Identifier: GPL-3.0-or-later
//
// Every hash here is BLAKE2b-256 over labelled input; keys and ids are its first bytes.
#include "dht/key.h"

#include <sodium.h>
#include <string.h>

uint32_t dht_network_number(const struct network_id *id)
{
    struct reader reader = reader_of(span_of(id->bytes, sizeof(uint32_t)));
    uint32_t number = read_u32(&reader);
    return number == 0 ? 1 : number;
}

struct network_keys network_keys_of(const struct network *network, const uint8_t *secret)
{
    struct network_keys keys = {.id = network_id_of(network), .has_secret = secret != NULL};
    if (secret != NULL) {
        memcpy(keys.secret, secret, sizeof keys.secret);
    }
    return keys;
}

void network_keys_wipe(struct network_keys *keys)
{
    sodium_memzero(keys, sizeof *keys);
}

static struct hash256 hash_of(struct span label, struct span content)
{
    struct hash256 hash;
    crypto_generichash_state state;
    (void)crypto_generichash_init(&state, NULL, 0, sizeof hash.bytes);
    (void)crypto_generichash_update(&state, label.data, label.size);
    (void)crypto_generichash_update(&state, content.data, content.size);
    (void)crypto_generichash_final(&state, hash.bytes, sizeof hash.bytes);
    return hash;
}

static struct dht_key key_of_hash(const struct hash256 *hash)
{
    struct dht_key key;
    memcpy(key.bytes, hash->bytes, sizeof key.bytes);
    return key;
}

static uint64_t id_of_hash(const struct hash256 *hash)
{
    struct reader reader = reader_of(span_of(hash->bytes, sizeof hash->bytes));
    uint64_t id = read_u64(&reader);
    return id == 0 ? 1 : id; // OpenDHT takes 0 for "none"
}

// Without a secret: H(network id | what | token). With one, keyed by it, and a label before.
static struct dht_key key_of_token(
    const struct network_keys *keys, const char *what, const struct token_id *token)
{
    static const char secret_label[] = "deedmesh/1 locator";
    struct hash256 hash;
    crypto_generichash_state state;
    if (keys->has_secret) {
        (void)crypto_generichash_init(&state, keys->secret, sizeof keys->secret, sizeof hash.bytes);
        (void)crypto_generichash_update(
            &state, (const uint8_t *)secret_label, sizeof secret_label - 1);
    } else {
        (void)crypto_generichash_init(&state, NULL, 0, sizeof hash.bytes);
    }
    (void)crypto_generichash_update(&state, keys->id.bytes, sizeof keys->id.bytes);
    (void)crypto_generichash_update(&state, (const uint8_t *)what, strlen(what));
    (void)crypto_generichash_update(&state, token->bytes, sizeof token->bytes);
    (void)crypto_generichash_final(&state, hash.bytes, sizeof hash.bytes);
    sodium_memzero(&state, sizeof state);
    return key_of_hash(&hash);
}

struct dht_key key_of_record(const struct network_keys *keys, const struct token_id *token)
{
    return key_of_token(keys, "record", token);
}

struct dht_key key_of_inbox(const struct network_keys *keys, const struct token_id *token)
{
    return key_of_token(keys, "inbox", token);
}

struct dht_key key_of_manifest(const struct node_key *authority)
{
    struct hash256 hash = hash_of(
        span_of_text("deedmesh/1 manifest"), span_of(authority->bytes, sizeof authority->bytes));
    return key_of_hash(&hash);
}

struct hash256 piece_hash(struct span content)
{
    return hash_of(span_of_text("deedmesh/1 piece"), content);
}

struct dht_key key_of_piece_hash(const struct hash256 *hash)
{
    return key_of_hash(hash);
}

struct dht_key key_of_piece(struct span content)
{
    struct hash256 hash = piece_hash(content);
    return key_of_hash(&hash);
}

uint64_t value_id_of_record(const struct node_key *node_key)
{
    struct hash256 hash = hash_of(
        span_of_text("deedmesh/1 value id"), span_of(node_key->bytes, sizeof node_key->bytes));
    return id_of_hash(&hash);
}

uint64_t value_id_of_bytes(struct span value)
{
    struct hash256 hash = hash_of(span_of_text("deedmesh/1 value id"), value);
    return id_of_hash(&hash);
}

struct hash256 value_digest(struct span value)
{
    return hash_of(span_of_text("deedmesh/1 value digest"), value);
}

// A msgpack array of fewer than 16 elements whose first is a small unsigned integer.
enum value_form value_form_of(struct span value)
{
    if (value.size < 2 || (value.data[0] & 0xf0) != 0x90) {
        return VALUE_UNKNOWN;
    }
    switch (value.data[1]) {
    case VALUE_RECORD:
    case VALUE_SEALED:
    case VALUE_TOMBSTONE:
    case VALUE_INTENT:
    case VALUE_MANIFEST:
        return (enum value_form)value.data[1];
    }
    return VALUE_UNKNOWN;
}

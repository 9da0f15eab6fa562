// SPDX-License-Identifier: GPL-3.0-or-later
//
// A next key is adopted by writing it under its final name, then removing it under the other: both
// are atomic, and a crash in between leaves two equal keys.
#include "node/instance/next_keys.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
    KEY_VERSION = 1,
};

static enum status read_next(const struct state *state, enum state_kind kind, uint8_t *ret,
    size_t size, struct state_error *error)
{
    struct state_content content = {0};
    enum status status = state_read(state, kind, KEY_VERSION, &content, error);
    if (status != OK) {
        return status;
    }
    if (content.size == size) {
        memcpy(ret, content.data, size);
    } else {
        (void)snprintf(error->text, sizeof error->text,
            "%s: a next key of %zu bytes instead of %zu; remove node.key.next and "
            "wireguard.key.next there and run `deedmesh rotate` again",
            state_path(state), content.size, size);
        status = ERR_MALFORMED;
    }
    state_content_clear(&content);
    return status;
}

enum status next_node_key_read(
    const struct state *state, struct node_secret *ret, struct state_error *error)
{
    uint8_t seed[crypto_sign_SEEDBYTES];
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
    enum status status = read_next(state, STATE_NODE_KEY_NEXT, seed, sizeof seed, error);
    if (status == OK) {
        (void)crypto_sign_seed_keypair(public_key, ret->bytes, seed);
    }
    sodium_memzero(seed, sizeof seed);
    return status;
}

enum status next_wg_key_read(
    const struct state *state, struct wg_secret *ret, struct state_error *error)
{
    return read_next(state, STATE_WG_KEY_NEXT, ret->bytes, sizeof ret->bytes, error);
}

enum status next_node_key_write_new(
    const struct state *state, const struct node_secret *key, struct state_error *error)
{
    return state_write_new(
        state, STATE_NODE_KEY_NEXT, KEY_VERSION, span_of(key->bytes, crypto_sign_SEEDBYTES), error);
}

enum status next_wg_key_write_new(
    const struct state *state, const struct wg_secret *key, struct state_error *error)
{
    return state_write_new(
        state, STATE_WG_KEY_NEXT, KEY_VERSION, span_of(key->bytes, sizeof key->bytes), error);
}

static enum status adopt(const struct state *state, enum state_kind next, enum state_kind kind,
    struct state_error *error)
{
    struct state_content content = {0};
    enum status status = state_read(state, next, KEY_VERSION, &content, error);
    if (status != OK) {
        return status;
    }
    status = state_write(state, kind, KEY_VERSION, span_of(content.data, content.size), error);
    state_content_clear(&content);
    return status == OK ? state_remove(state, next, error) : status;
}

enum status next_node_key_adopt(const struct state *state, struct state_error *error)
{
    struct node_secret secret; // one that cannot be used must not take the place of one that can
    enum status status = next_node_key_read(state, &secret, error);
    sodium_memzero(&secret, sizeof secret);
    return status == OK ? adopt(state, STATE_NODE_KEY_NEXT, STATE_NODE_KEY, error) : status;
}

enum status next_wg_key_adopt(const struct state *state, struct state_error *error)
{
    struct wg_secret secret;
    enum status status = next_wg_key_read(state, &secret, error);
    sodium_memzero(&secret, sizeof secret);
    return status == OK ? adopt(state, STATE_WG_KEY_NEXT, STATE_WG_KEY, error) : status;
}

enum status next_node_key_settle(
    const struct state *state, const struct node_key *delegated, struct state_error *error)
{
    struct node_secret secret;
    enum status status = next_node_key_read(state, &secret, error);
    if (status == ERR_NOT_FOUND) {
        return OK;
    }
    if (status != OK) {
        return status;
    }
    struct node_key key = node_secret_public(&secret);
    sodium_memzero(&secret, sizeof secret);
    return node_key_equal(&key, delegated) ? next_node_key_adopt(state, error) : OK;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh keygen`: the node's own keys. A key that exists is never touched.
#include "base/text.h"
#include "node/cli/cli.h"
#include "node/cli/secret_file.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

// The WireGuard key: from the file that the user names, in the form of `wg genkey`, else new.
int keygen_wg_key(struct cli *cli, struct wg_secret *ret)
{
    char text[SECRET_FILE_MAX];
    size_t size = 0;
    struct wg_key key;
    const char *path = cli->arguments.wg_key_file;
    if (path == NULL) {
        // X25519 takes any 32 bytes; WireGuard's tools store them clamped.
        randombytes_buf(ret->bytes, sizeof ret->bytes);
        ret->bytes[0] &= 248;
        ret->bytes[31] = (uint8_t)((ret->bytes[31] & 127) | 64);
        return DONE;
    }
    int result = secret_file_read(cli, path, text, sizeof text, &size);
    if (result == DONE && wg_key_parse(span_of_text(text), &key) != OK) {
        result = complain(cli, FAILED, "malformed",
            "%s: expected a WireGuard private key, 44 characters of base64 as `wg genkey` prints",
            path);
    }
    if (result == DONE) {
        memcpy(ret->bytes, key.bytes, sizeof ret->bytes);
    }
    sodium_memzero(text, sizeof text);
    sodium_memzero(&key, sizeof key);
    return result;
}

static int make_node_key(struct cli *cli, const struct state *state, struct node_key *ret)
{
    struct node_secret secret;
    struct state_error error;
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
    (void)crypto_sign_keypair(public_key, secret.bytes);
    enum status status = state_node_key_write_new(state, &secret, &error);
    *ret = node_secret_public(&secret);
    sodium_memzero(&secret, sizeof secret);
    return status == OK ? DONE : complain_state(cli, status, &error);
}

static int make_wg_key(struct cli *cli, const struct state *state, struct wg_key *ret)
{
    struct wg_secret secret;
    struct state_error error;
    int result = keygen_wg_key(cli, &secret);
    if (result == DONE) {
        enum status status = state_wg_key_write_new(state, &secret, &error);
        *ret = wg_secret_public(&secret);
        result = status == OK ? DONE : complain_state(cli, status, &error);
    }
    sodium_memzero(&secret, sizeof secret);
    return result;
}

// What is there already. A run that was cut short between the two keys is completed by the next.
struct present {
    bool node;
    bool wg;
    struct node_key node_key;
    struct wg_key wg_key;
};

static int look(struct cli *cli, const struct state *state, struct present *ret)
{
    struct node_secret node_secret;
    struct wg_secret wg_secret;
    struct state_error error;
    enum status status = state_node_key_read(state, &node_secret, &error);
    if (status != OK && status != ERR_NOT_FOUND) {
        return complain_state(cli, status, &error);
    }
    ret->node = status == OK;
    if (ret->node) {
        ret->node_key = node_secret_public(&node_secret);
        sodium_memzero(&node_secret, sizeof node_secret);
    }
    status = state_wg_key_read(state, &wg_secret, &error);
    if (status != OK && status != ERR_NOT_FOUND) {
        return complain_state(cli, status, &error);
    }
    ret->wg = status == OK;
    if (ret->wg) {
        ret->wg_key = wg_secret_public(&wg_secret);
        sodium_memzero(&wg_secret, sizeof wg_secret);
    }
    return DONE;
}

static void print_keys(const struct cli *cli, const struct state *state, const struct present *keys)
{
    char node_text[2 * sizeof keys->node_key.bytes + 1];
    char wg_text[WG_KEY_TEXT_SIZE];
    hex_format(span_of(keys->node_key.bytes, sizeof keys->node_key.bytes), node_text);
    wg_key_format(&keys->wg_key, wg_text);
    if (cli->arguments.json) {
        print_json(json_pack("{s:s, s:s, s:s, s:s}", "instance", cli->instance, "node_key",
            node_text, "wg_key", wg_text, "state", state_path(state)));
        return;
    }
    say("node key       %s\nWireGuard key  %s\nkept in        %s", node_text, wg_text,
        state_path(state));
}

int verb_keygen(struct cli *cli)
{
    int result = DONE;
    struct present keys = {0};
    struct state *state = open_state(cli, STATE_CREATE, &result);
    if (state == NULL) {
        return result;
    }
    result = look(cli, state, &keys);
    if (result != DONE) {
        goto out;
    }
    if (keys.node && keys.wg) {
        char wg_text[WG_KEY_TEXT_SIZE];
        wg_key_format(&keys.wg_key, wg_text);
        result = complain(cli, FAILED, "exists",
            "%s has its keys already, and they are never overwritten (the WireGuard key is %s); "
            "`deedmesh rotate` replaces them. To start over, move node.key and wireguard.key away "
            "and authorize the new key afterwards",
            state_path(state), wg_text);
        goto out;
    }
    if (!keys.wg) {
        result = make_wg_key(cli, state, &keys.wg_key);
    }
    if (result == DONE && !keys.node) {
        result = make_node_key(cli, state, &keys.node_key);
    }
    if (result == DONE) {
        print_keys(cli, state, &keys);
    }
out:
    state_close(state);
    return result;
}

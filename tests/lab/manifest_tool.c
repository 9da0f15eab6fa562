// SPDX-License-Identifier: GPL-3.0-or-later
//
// Signs a changed manifest with the authority key of an instance, for test_manifest:
//
//    manifest_tool STATE_DIR INSTANCE KEY=VALUE...     KEY: version, poll, grace, prefix, rpc
//
// "prefix" is the second byte of the IPv4 prefix, "rpc" another URL to suggest. The instance's own
// pinned manifest is replaced.
#include "dht/manifest.h"
#include "node/instance/state.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "manifest_tool: %s: %s\n", what, why);
    return EXIT_FAILURE;
}

static bool change(struct manifest *manifest, const char *text)
{
    const char *value = strchr(text, '=');
    if (value == NULL) {
        return false;
    }
    size_t size = (size_t)(value - text);
    uint32_t number = (uint32_t)strtoul(value + 1, NULL, 10);
    if (strncmp(text, "version", size) == 0) {
        manifest->version = number;
    } else if (strncmp(text, "poll", size) == 0) {
        manifest->poll_s = number;
    } else if (strncmp(text, "grace", size) == 0) {
        manifest->grace_s = number;
    } else if (strncmp(text, "prefix", size) == 0) {
        manifest->ipv4.base.ip[1] = (uint8_t)number;
    } else if (strncmp(text, "rpc", size) == 0 && manifest->rpc_count < MANIFEST_RPC_MAX) {
        struct rpc_url *url = &manifest->rpc[manifest->rpc_count++];
        (void)snprintf(url->text, sizeof url->text, "%s", value + 1);
        url->size = (uint8_t)strlen(url->text);
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct state *state = NULL;
    struct state_error error;
    struct state_content key = {0};
    struct state_content pinned = {0};
    struct manifest manifest;
    struct node_secret secret;
    uint8_t bytes[MANIFEST_MAX_SIZE];
    size_t size = 0;
    if (argc < 3 || sodium_init() < 0) {
        return fail("usage", "STATE_DIR INSTANCE KEY=VALUE...");
    }
    if (state_open(argv[1], argv[2], STATE_EXISTING, &state, &error) != OK ||
        state_read(state, STATE_AUTHORITY, 1, &key, &error) != OK ||
        state_read(state, STATE_MANIFEST, 1, &pinned, &error) != OK) {
        return fail("state", error.text);
    }
    if (key.size != crypto_sign_SEEDBYTES ||
        manifest_decode(span_of(pinned.data, pinned.size), &manifest) != OK) {
        return fail("state", "unusable");
    }
    for (int i = 3; i < argc; i++) {
        if (!change(&manifest, argv[i])) {
            return fail(argv[i], "unknown");
        }
    }
    (void)crypto_sign_seed_keypair(manifest.authority.bytes, secret.bytes, key.data);
    enum status status = manifest_encode(&manifest, &secret, bytes, &size);
    if (status == OK) {
        status = state_write(state, STATE_MANIFEST, 1, span_of(bytes, size), &error);
    }
    sodium_memzero(&secret, sizeof secret);
    state_content_clear(&key);
    state_content_clear(&pinned);
    state_close(state);
    return status == OK ? EXIT_SUCCESS : fail("manifest", status_text(status));
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh init`: a new network's authority key and first manifest.
#include "base/text.h"
#include "node/cli/config_file.h"
#include "node/cli/network.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
    AUTHORITY_VERSION = 1,
};

static const char default_prefix[] = "10.213.0.0/16";

static int take_contract(struct cli *cli, struct manifest *manifest)
{
    const struct arguments *arguments = &cli->arguments;
    if (arguments->chain_id == NULL || arguments->contract == NULL) {
        return complain(cli, USAGE_ERROR, "usage",
            "which contract on which chain? e.g. `deedmesh init --chain-id 8453 --contract 0x...`");
    }
    int result = network_option(cli, &manifest->network);
    if (result != DONE) {
        return result;
    }
    manifest->profile = PROFILE_DETECT;
    if (arguments->profile != NULL &&
        contract_profile_parse(span_of_text(arguments->profile), &manifest->profile) != OK) {
        return complain(cli, USAGE_ERROR, "usage",
            "--profile %s: expected detect, erc721 or dstack-access", arguments->profile);
    }
    const char *prefix = arguments->prefix != NULL ? arguments->prefix : default_prefix;
    if (prefix_parse(span_of_text(prefix), &manifest->ipv4) != OK) {
        return complain(cli, USAGE_ERROR, "usage",
            "--prefix %s: expected ADDRESS/LENGTH without host bits, e.g. %s", prefix,
            default_prefix);
    }
    return DONE;
}

static int take_providers(struct cli *cli, struct manifest *manifest)
{
    const struct arguments *arguments = &cli->arguments;
    for (size_t i = 0; i < REPEATS_MAX && arguments->rpcs[i] != NULL; i++) {
        struct span url = span_of_text(arguments->rpcs[i]);
        if (url.size > MANIFEST_URL_MAX_SIZE) {
            return complain(cli, USAGE_ERROR, "usage", "--rpc %s: it is longer than %d characters",
                arguments->rpcs[i], MANIFEST_URL_MAX_SIZE);
        }
        memcpy(manifest->rpc[i].text, url.data, url.size);
        manifest->rpc[i].size = (uint8_t)url.size;
        manifest->rpc_count = (uint8_t)(i + 1);
    }
    return DONE;
}

static int take_arguments(struct cli *cli, struct manifest *manifest)
{
    const struct arguments *arguments = &cli->arguments;
    uint64_t poll = 0;
    uint64_t grace = 0;
    uint64_t window = 0;
    _Static_assert((int)REPEATS_MAX == (int)MANIFEST_RPC_MAX, "every --rpc has its place");
    int result = take_contract(cli, manifest);
    if (result == DONE) {
        result = take_providers(cli, manifest);
    }
    if (result != DONE) {
        return result;
    }
    if (!number_option(
            cli, "--poll", arguments->poll, MANIFEST_POLL_MIN_S, MANIFEST_POLL_MAX_S, 5, &poll) ||
        !number_option(cli, "--grace", arguments->grace, 0, MANIFEST_GRACE_MAX_S, 600, &grace) ||
        !number_option(cli, "--window", arguments->window, 1, MANIFEST_WINDOW_MAX_DAYS,
            MANIFEST_WINDOW_MAX_DAYS, &window)) {
        return USAGE_ERROR;
    }
    manifest->version = 1;
    manifest->poll_s = (uint32_t)poll;
    manifest->grace_s = (uint32_t)grace;
    manifest->delegation_window_days = (uint32_t)window;
    return check_manifest(cli, manifest, arguments->allow_http);
}

// The best address of this machine to tell others, or false.
static bool guess_address(struct address *ret)
{
    struct ifaddrs *list = NULL;
    enum address_scope best = SCOPE_LOOPBACK;
    if (getifaddrs(&list) != 0) {
        return false;
    }
    for (const struct ifaddrs *at = list; at != NULL; at = at->ifa_next) {
        if (at->ifa_addr == NULL || at->ifa_addr->sa_family != AF_INET ||
            (at->ifa_flags & IFF_UP) == 0) {
            continue;
        }
        struct sockaddr_in name;
        struct address address = {.family = FAMILY_IPV4};
        memcpy(&name, at->ifa_addr, sizeof name);
        memcpy(address.ip, &name.sin_addr, 4);
        enum address_scope scope = address_scope(&address);
        if (scope > best) {
            best = scope;
            *ret = address;
        }
    }
    freeifaddrs(list);
    return best > SCOPE_LINK_LOCAL;
}

// HOST:PORT of this node's DHT port, as told or as guessed; "HOST:PORT" if neither is possible.
static int own_endpoint(struct cli *cli, char ret[static ENDPOINT_NAME_TEXT_SIZE])
{
    struct config config;
    struct endpoint_name endpoint;
    char text[ENDPOINT_NAME_TEXT_SIZE + 8];
    int result = config_file_read(cli, &config);
    const char *told = cli->arguments.listen;
    struct address guess;
    if (result != DONE) {
        return result;
    }
    if (told != NULL) {
        (void)snprintf(text, sizeof text, "%s", told);
        enum status status = endpoint_name_parse(span_of_text(text), &endpoint);
        if (status != OK) {
            (void)snprintf(text, sizeof text, "%s:%u", told, (unsigned)config.dht_port);
            status = endpoint_name_parse(span_of_text(text), &endpoint);
        }
        if (status != OK) {
            return complain(cli, USAGE_ERROR, "usage",
                "--listen %s: expected HOST or HOST:PORT (IPv6 in brackets)", told);
        }
        endpoint_name_format(&endpoint, ret);
    } else if (guess_address(&guess)) {
        guess.port = config.dht_port;
        _Static_assert((int)ADDRESS_TEXT_SIZE <= (int)ENDPOINT_NAME_TEXT_SIZE, "it has room");
        address_format(&guess, ret);
    } else {
        (void)snprintf(ret, ENDPOINT_NAME_TEXT_SIZE, "HOST:%u", (unsigned)config.dht_port);
    }
    return DONE;
}

static int write_network(struct cli *cli, const struct state *state, struct manifest *manifest)
{
    struct node_secret secret;
    struct state_error error;
    uint8_t bytes[MANIFEST_MAX_SIZE];
    size_t size = 0;
    (void)crypto_sign_keypair(manifest->authority.bytes, secret.bytes);
    int result = DONE;
    enum status status = manifest_encode(manifest, &secret, bytes, &size);
    if (status != OK) {
        result = complain(cli, FAILED, "manifest", "the manifest cannot be made: %s",
            status == ERR_TOO_LARGE ? "the RPC addresses together are too long"
                                    : status_text(status));
        goto out;
    }
    // The key first: a manifest without it could never be changed.
    status = state_write_new(state, STATE_AUTHORITY, AUTHORITY_VERSION,
        span_of(secret.bytes, crypto_sign_SEEDBYTES), &error);
    if (status == OK) {
        status = state_write_new(
            state, STATE_MANIFEST, STATE_MANIFEST_VERSION, span_of(bytes, size), &error);
    }
    if (status != OK) {
        result = complain_state(cli, status, &error);
    }
out:
    sodium_memzero(&secret, sizeof secret);
    return result;
}

static void print_network(
    const struct cli *cli, const struct manifest *manifest, const char *endpoint)
{
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    struct dht_key key = key_of_manifest(&manifest->authority);
    fingerprint_format(&key, fingerprint);
    if (cli->arguments.json) {
        char join[ENDPOINT_NAME_TEXT_SIZE + FINGERPRINT_TEXT_SIZE + 1];
        (void)snprintf(join, sizeof join, "%s/%s", endpoint, fingerprint);
        json_t *object = manifest_json(manifest);
        (void)json_object_set_new(object, "join", json_string(join));
        print_json(object);
        return;
    }
    manifest_say(manifest);
    if (cli->arguments.listen == NULL) {
        say("\nThe address below is a guess (see --listen); others must reach it by UDP.");
    } else {
        say("%s", "");
    }
    say("The first machine goes on with: deedmesh keygen, deedmesh authorize TOKEN, deedmesh up\n"
        "This node's address will stand in its record, which anybody may read.\n"
        "Every other machine joins with:\n\n    deedmesh join %s/%s",
        endpoint, fingerprint);
}

int verb_init(struct cli *cli)
{
    struct manifest manifest = {0};
    struct manifest pinned;
    bool none = false;
    char endpoint[ENDPOINT_NAME_TEXT_SIZE];
    int result = take_arguments(cli, &manifest);
    if (result == DONE) {
        result = own_endpoint(cli, endpoint);
    }
    if (result != DONE) {
        return result;
    }
    struct state *state = open_state(cli, STATE_CREATE, &result);
    if (state == NULL) {
        return result;
    }
    result = pinned_manifest(cli, state, &pinned, &none);
    if (result == DONE && !none) {
        result = complain(cli, FAILED, "exists",
            "%s belongs to a network already; start another one under another name: deedmesh -i "
            "NAME init .... To start over before anybody has joined, move manifest and "
            "authority.key in %s away",
            cli->instance, state_path(state));
    }
    if (result == DONE) {
        result = check_delegations(cli, state, &manifest);
    }
    if (result == DONE) {
        result = write_network(cli, state, &manifest);
    }
    if (result == DONE) {
        struct first_config first = {.allow_http = cli->arguments.allow_http};
        result = config_file_offer(cli, &first);
    }
    if (result == DONE) {
        print_network(cli, &manifest, endpoint);
    }
    state_close(state);
    return result;
}

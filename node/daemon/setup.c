// SPDX-License-Identifier: GPL-3.0-or-later
//
// From configuration and state directory to a node, its device and its addresses. Everything here
// happens once, before the first packet, and every failure is a sentence in daemon->error.
#include "base/overlay.h"
#include "base/text.h"
#include "node/daemon/daemon.h"
#include "node/daemon/log.h"
#include "node/instance/dht_nodes.h"
#include "node/instance/network_secret.h"
#include "node/instance/next_keys.h"

#include <netdb.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    CORE_CONTENT_VERSION = 1,
};

static enum status fail_with(struct daemon *daemon, enum status status, const char *text)
{
    (void)snprintf(daemon->error, sizeof daemon->error, "%s", text);
    return status;
}

// The seat: the one that was named, else the one delegation on disk.
static enum status choose_token(struct daemon *daemon)
{
    if (daemon->options.has_token || daemon->config.has_token) {
        daemon->token = daemon->options.has_token ? daemon->options.token : daemon->config.token;
        return OK;
    }
    struct token_id tokens[STATE_DELEGATIONS_MAX];
    size_t count = 0;
    struct state_error error;
    enum status status = state_delegation_tokens(daemon->state, tokens, &count, &error);
    if (status != OK) {
        return fail_with(daemon, status, error.text);
    }
    if (count != 1) {
        (void)snprintf(daemon->error, sizeof daemon->error,
            count == 0 ? "no delegation in %s; run `deedmesh authorize TOKEN` first"
                       : "several delegations in %s; choose one with `--token TOKEN`",
            state_path(daemon->state));
        return count == 0 ? ERR_NOT_FOUND : ERR_RANGE;
    }
    daemon->token = tokens[0];
    return OK;
}

// A rotation that was cut short between delegation and key is completed.
static enum status settle_node_key(struct daemon *daemon)
{
    struct state_error error;
    enum status status = next_node_key_settle(daemon->state, &daemon->delegation.node_key, &error);
    if (status == OK) {
        status = state_node_key_read(daemon->state, &daemon->node_secret, &error);
    }
    if (status != OK) {
        return fail_with(daemon, status, error.text);
    }
    daemon->node_key = node_secret_public(&daemon->node_secret);
    return OK;
}

static enum status read_seat(struct daemon *daemon)
{
    struct state_error error;
    struct state_delegation stored;
    enum status status = state_node_key_read(daemon->state, &daemon->node_secret, &error);
    if (status == OK) {
        status = state_wg_key_read(daemon->state, &daemon->wg_secret, &error);
    }
    if (status != OK) {
        return fail_with(daemon, status, error.text);
    }
    daemon->wg_key = wg_secret_public(&daemon->wg_secret);
    status = choose_token(daemon);
    if (status != OK) {
        return status;
    }
    status = state_delegation_read(daemon->state, &daemon->token, &stored, &error);
    if (status != OK) {
        return fail_with(daemon, status, error.text);
    }
    daemon->delegation = stored.delegation;
    struct span signature = state_delegation_signature(&stored);
    memcpy(daemon->signatures[0], signature.data, signature.size);
    daemon->network = stored.network;
    status = settle_node_key(daemon);
    if (status != OK) {
        return status;
    }
    if (!node_key_equal(&daemon->node_key, &daemon->delegation.node_key)) {
        char token[TOKEN_TEXT_SIZE];
        token_id_format(&daemon->token, token);
        (void)snprintf(daemon->error, sizeof daemon->error,
            "the delegation for token %s is for another node key than the one in %s; run "
            "`deedmesh authorize %s` again",
            token, state_path(daemon->state), token);
        return ERR_MISMATCH;
    }
    return OK;
}

static void on_saved(void *context, enum state_kind kind, const char *error)
{
    struct daemon *daemon = context;
    if (error != NULL) {
        log_event(LOG_LEVEL_ERROR,
            kind == STATE_MANIFEST ? "manifest_not_saved" : "state_not_saved", NULL, "%s", error);
    }
    (void)snprintf(daemon->save_error, sizeof daemon->save_error, "%s", error != NULL ? error : "");
}

enum status setup_read(struct daemon *daemon)
{
    struct config_error config_error;
    struct state_error error;
    enum status status = config_load(daemon->options.directories.config, daemon->options.instance,
        &daemon->config, &config_error);
    if (status == ERR_NOT_FOUND) {
        config_init(&daemon->config, daemon->options.instance);
    } else if (status != OK) {
        return fail_with(daemon, status, config_error.text);
    }
    log_init(
        daemon->options.has_log_format ? daemon->options.log_format : daemon->config.log_format,
        daemon->config.log_level);
    status = state_open(daemon->options.directories.state, daemon->options.instance, STATE_EXISTING,
        &daemon->state, &error);
    if (status == OK) {
        status = state_lock(daemon->state, &error);
    }
    if (status != OK) {
        return fail_with(daemon, status, error.text);
    }
    daemon->saver = saver_new(&daemon->loop, daemon->state, on_saved, daemon);
    if (daemon->saver == NULL) {
        return fail_with(daemon, ERR_FULL, "there is not enough memory");
    }
    return read_seat(daemon);
}

static enum status resolve_host(
    struct daemon *daemon, const struct endpoint_name *endpoint, struct address *ret)
{
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    char port[8];
    (void)snprintf(port, sizeof port, "%u", (unsigned)endpoint->port);
    int error = getaddrinfo(endpoint->host, port, &hints, &found);
    if (error != 0 || found == NULL) {
        log_event(LOG_LEVEL_ERROR, "bootstrap_unresolved", NULL,
            "bootstrap host %s does not resolve: %s", endpoint->host, gai_strerror(error));
        return ERR_UNREACHABLE;
    }
    char host[NI_MAXHOST];
    error =
        getnameinfo(found->ai_addr, found->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
    freeaddrinfo(found);
    if (error != 0 || address_parse(span_of_text(host), false, ret) != OK) {
        return ERR_UNREACHABLE;
    }
    ret->port = endpoint->port;
    (void)daemon;
    return OK;
}

enum status setup_network(struct daemon *daemon)
{
    uint8_t secret[NETWORK_SECRET_SIZE];
    bool has_secret = daemon->config.secret_file[0] != '\0';
    if (has_secret) {
        char error[NETWORK_SECRET_ERROR_SIZE];
        enum status status = network_secret_read(daemon->config.secret_file, secret, error);
        if (status != OK) {
            return fail_with(daemon, status, error);
        }
    }
    daemon->keys = network_keys_of(&daemon->network, has_secret ? secret : NULL);
    sodium_memzero(secret, sizeof secret);
    for (size_t i = 0;
         i < daemon->config.bootstraps_count && daemon->bootstrap_count < NODE_BOOTSTRAP_MAX; i++) {
        struct address address;
        if (resolve_host(daemon, &daemon->config.bootstraps[i].endpoint, &address) == OK) {
            daemon->bootstraps[daemon->bootstrap_count++] = address;
        }
    }
    if (daemon->config.bootstraps_count > 0 && daemon->bootstrap_count == 0) {
        return fail_with(daemon, ERR_UNREACHABLE,
            "none of the bootstrap hosts resolves; check [network] bootstrap and the name server");
    }
    return OK;
}

// The user's own providers, else those that the manifest suggests.
static void choose_providers(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->config.rpcs_count && i < DAEMON_RPCS_MAX; i++) {
        struct daemon_rpc *rpc = &daemon->rpcs[daemon->rpc_count++];
        (void)snprintf(rpc->url, sizeof rpc->url, "%s", daemon->config.rpcs[i]);
    }
    for (size_t i = 0; daemon->config.rpcs_count == 0 && i < daemon->manifest.rpc_count; i++) {
        struct daemon_rpc *rpc = &daemon->rpcs[daemon->rpc_count];
        struct chain_url url;
        const struct chain_url_rules rules = {
            .suggested = true, .allow_http = daemon->config.allow_http};
        (void)snprintf(rpc->url, sizeof rpc->url, "%s", daemon->manifest.rpc[i].text);
        rpc->suggested = true;
        enum chain_url_fault fault = chain_url_check(span_of_text(rpc->url), &rules, &url);
        if (fault == CHAIN_URL_GOOD) {
            daemon->rpc_count++;
        } else {
            (void)snprintf(daemon->rpc_refused, sizeof daemon->rpc_refused,
                "the manifest suggests the RPC provider %s, which is not used: %s", rpc->url,
                chain_url_fault_text(fault));
            log_event(LOG_LEVEL_WARNING, "rpc_refused", NULL, "%s", daemon->rpc_refused);
        }
    }
}

static void fill_gate_config(const struct daemon *daemon, struct gate_config *ret)
{
    const struct manifest *manifest = &daemon->manifest;
    const struct config *config = &daemon->config;
    *ret = (struct gate_config){.network = daemon->network,
        .profile = manifest->profile,
        .trust = config->trust,
        .registry = config->registry,
        .grant = config->grant,
        .providers = daemon->rpc_count,
        .poll_ms = config->poll_ms != 0 ? config->poll_ms : manifest->poll_s * 1000,
        .grace_ms = config->has_grace ? config->grace_ms : manifest->grace_s * 1000,
        .logs_ms = config->logs_ms,
        .window_max_s = (uint64_t)manifest->delegation_window_days * 24 * 3600};
}

static enum status create_chain(struct daemon *daemon)
{
    struct chain_http_provider providers[DAEMON_RPCS_MAX];
    for (size_t i = 0; i < daemon->rpc_count; i++) {
        providers[i] = (struct chain_http_provider){
            .url = daemon->rpcs[i].url, .suggested = daemon->rpcs[i].suggested};
    }
    const struct chain_http_config config = {.providers = providers,
        .provider_count = daemon->rpc_count,
        .allow_http = daemon->config.allow_http};
    enum status status = chain_http_create(&config, &daemon->chain);
    return status == OK
               ? OK
               : fail_with(daemon, status, "the RPC providers cannot be used; check [chain] rpc");
}

// A damaged one stops the start: without it former owners' delegations would be taken again, and
// the next save would put an end to what can still be rescued. A person decides.
static enum status read_core(struct daemon *daemon, struct state_content *content)
{
    struct state_error error;
    enum status status =
        state_read(daemon->state, STATE_CORE, CORE_CONTENT_VERSION, content, &error);
    return status == OK || status == ERR_NOT_FOUND ? OK : fail_with(daemon, status, error.text);
}

enum status setup_node(struct daemon *daemon)
{
    choose_providers(daemon);
    enum status status = create_chain(daemon);
    if (status != OK) {
        return status;
    }
    struct node_config config = {
        .capacity = {.peers = (uint16_t)(daemon->config.mesh_max + DAEMON_KNOCKS),
            .wallets = (uint16_t)(daemon->config.mesh_max + DAEMON_KNOCKS),
            .members = DAEMON_MEMBERS_MAX,
            .tombstones = DAEMON_TOMBSTONES_MAX},
        .keys = daemon->keys,
        .token = daemon->token,
        .node_secret = daemon->node_secret,
        .wg_secret = daemon->wg_secret,
        .delegation = daemon->delegation,
        .signature = span_of(daemon->signatures[0],
            daemon->delegation.kind == DELEGATION_EIP1271_HASHED ? daemon->delegation.hashed_size
                                                                 : 0),
        .ipv4 = daemon->config.ipv4,
        .ipv4_prefix = daemon->manifest.ipv4,
        .manifest = span_of(daemon->manifest_bytes, daemon->manifest_size),
        .bootstrap_count = (uint8_t)daemon->bootstrap_count,
        .wg_port = daemon->config.listen_port,
        .mesh_max = daemon->config.mesh_max,
        .insist = daemon->config.insist,
    };
    memcpy(config.bootstrap, daemon->bootstraps, sizeof config.bootstrap);
    fill_gate_config(daemon, &config.gate);
    randombytes_buf(config.seed, sizeof config.seed);
    struct state_content core = {0};
    status = read_core(daemon, &core);
    if (status != OK) {
        sodium_memzero(&config, sizeof config);
        return status;
    }
    struct span saved = span_of(core.data, core.size);
    status = node_create(&config, saved, daemon->now, &daemon->node);
    if (status == ERR_MISMATCH && saved.size > 0) {
        log_event(LOG_LEVEL_WARNING, "state_unusable", NULL,
            "%s/core is of another network and is not used", state_path(daemon->state));
        status = node_create(&config, span_of(NULL, 0), daemon->now, &daemon->node);
    }
    if (status != OK) {
        (void)snprintf(daemon->error, sizeof daemon->error,
            "the node cannot be created: %s; if it is for what %s/core holds, restore that from a "
            "backup, or move it away",
            status_text(status), state_path(daemon->state));
    }
    state_content_clear(&core);
    sodium_memzero(&config, sizeof config);
    sodium_memzero(&daemon->node_secret, sizeof daemon->node_secret);
    sodium_memzero(&daemon->wg_secret, sizeof daemon->wg_secret);
    return status;
}

// A peer on the device was put there by us if all its addresses are overlay addresses: only this
// program computes those. So leftovers of a run that was killed are found without a list of them.
static bool is_ours(const struct daemon *daemon, const struct wg_peer_state *peer)
{
    struct prefix overlay = overlay_ipv6_prefix(&daemon->keys.id);
    for (uint32_t i = 0; i < peer->allowed_count; i++) {
        const struct address *base = &daemon->wg_state.allowed[peer->allowed_first + i].base;
        if (!prefix_contains(&overlay, base) && !prefix_contains(&daemon->manifest.ipv4, base)) {
            return false;
        }
    }
    return peer->allowed_count > 0;
}

static void adopt_leftovers(struct daemon *daemon)
{
    struct wg_detail detail;
    if (!wg_device_adopted(daemon->device) ||
        wg_device_read(daemon->device, &daemon->wg_state, &detail) != OK) {
        return;
    }
    for (size_t i = 0; i < daemon->wg_state.peer_count; i++) {
        const struct wg_peer_state *peer = &daemon->wg_state.peers[i];
        if (is_ours(daemon, peer)) {
            (void)!wg_peers_adopt(&daemon->wg_peers, &peer->key);
        }
    }
    daemon->wg_dirty = true;
}

static enum status allocate_device_tables(struct daemon *daemon)
{
    daemon->wg_entries = calloc(DAEMON_DEVICE_PEERS_MAX, sizeof *daemon->wg_entries);
    daemon->wg_state.peers = calloc(DAEMON_DEVICE_PEERS_MAX, sizeof *daemon->wg_state.peers);
    daemon->wg_state.allowed = calloc(DAEMON_DEVICE_PREFIXES_MAX, sizeof *daemon->wg_state.allowed);
    daemon->wg_state.peer_capacity = DAEMON_DEVICE_PEERS_MAX;
    daemon->wg_state.allowed_capacity = DAEMON_DEVICE_PREFIXES_MAX;
    if (daemon->wg_entries == NULL || daemon->wg_state.peers == NULL ||
        daemon->wg_state.allowed == NULL) {
        return fail_with(daemon, ERR_FULL, "there is not enough memory");
    }
    wg_peers_init(&daemon->wg_peers, daemon->wg_entries, DAEMON_DEVICE_PEERS_MAX);
    return OK;
}

// A device from scratch takes some 50 ms; it needs no manifest, so it starts while that is fetched.
enum status setup_device_start(struct daemon *daemon)
{
    struct wg_detail detail;
    const struct wg_device_options options = {
        .name = daemon->options.instance, .listen_port = daemon->config.listen_port};
    struct wg_config config = {.set_key = true,
        .set_listen_port = true,
        .key = daemon->wg_secret,
        .listen_port = daemon->config.listen_port};
    enum status status = allocate_device_tables(daemon);
    if (status != OK) {
        return status;
    }
    status = wg_device_open(&options, &daemon->device, &detail);
    if (status == OK) {
        status = wg_device_configure(daemon->device, &config, &detail);
    }
    sodium_memzero(&config, sizeof config);
    if (status == OK) {
        status = wg_link_open(&daemon->link, &detail);
    }
    return status == OK ? OK : fail_with(daemon, status, detail.text);
}

static enum status check_prefixes(struct daemon *daemon, const struct wg_own_route *routes,
    size_t count, struct wg_detail *detail)
{
    for (size_t i = 0; i < count; i++) {
        struct wg_route clash;
        enum status status = wg_link_check_routes(
            daemon->link, &routes[i].destination, wg_device_index(daemon->device), &clash, detail);
        if (status != OK) {
            return status;
        }
    }
    return OK;
}

enum status setup_device(struct daemon *daemon)
{
    struct wg_detail detail;
    uint32_t index = wg_device_index(daemon->device);
    struct address addresses[2] = {overlay_ipv6(&daemon->keys.id, &daemon->token)};
    struct wg_own_route routes[2] = {
        {.destination = overlay_ipv6_prefix(&daemon->keys.id), .source = addresses[0]}};
    size_t count = 1;
    if (daemon->config.ipv4 &&
        overlay_ipv4(&daemon->manifest.ipv4, &daemon->token, &addresses[1]) == OK) {
        routes[1] =
            (struct wg_own_route){.destination = daemon->manifest.ipv4, .source = addresses[1]};
        count = 2;
    }
    enum status status = check_prefixes(daemon, routes, count, &detail);
    if (status == OK) {
        status = wg_link_set_mtu(daemon->link, index, daemon->config.mtu, &detail);
    }
    if (status == OK) {
        status = wg_link_set_addresses(daemon->link, index, addresses, count, &detail);
    }
    if (status == OK) {
        status = wg_link_set_up(daemon->link, index, true, &detail);
    }
    if (status == OK) {
        status = wg_link_set_routes(daemon->link, index, routes, count, &detail);
    }
    if (status != OK) {
        return fail_with(daemon, status, detail.text);
    }
    adopt_leftovers(daemon);
    return OK;
}

void setup_save(struct daemon *daemon)
{
    size_t capacity = node_state_size_max(daemon->node);
    uint8_t *bytes = malloc(capacity);
    if (bytes == NULL) {
        return;
    }
    struct writer writer = writer_of(bytes, capacity);
    if (node_export(daemon->node, daemon->now, &writer) != OK ||
        saver_put(daemon->saver, STATE_CORE, CORE_CONTENT_VERSION, writer_written(&writer)) != OK) {
        on_saved(daemon, STATE_CORE, "the state of the node is not saved: not enough memory");
    }
    free(bytes);
}

void setup_save_dht_nodes(struct daemon *daemon)
{
    static struct dht_node nodes[DHT_NODES_MAX];
    uint8_t bytes[DHT_NODES_SIZE_MAX];
    size_t count = dht_core_export_nodes(daemon->dht, nodes, DHT_NODES_MAX);
    if (count > 0) {
        // A cache: without memory for it there is none.
        (void)!saver_put(daemon->saver, STATE_DHT_NODES, DHT_NODES_CONTENT_VERSION,
            dht_nodes_encode(nodes, count, bytes));
    }
}

void setup_load_dht_nodes(struct daemon *daemon)
{
    static struct dht_node nodes[DHT_NODES_MAX];
    struct state_error error;
    size_t count = 0;
    enum status status = dht_nodes_read(daemon->state, nodes, &count, &error);
    if (status != OK && status != ERR_NOT_FOUND) { // then the bootstrap hosts are asked
        log_event(LOG_LEVEL_WARNING, "state_unusable", NULL, "%s", error.text);
    }
    for (size_t i = 0; i < count; i++) {
        (void)!dht_core_insert_node(daemon->dht, daemon->now, &nodes[i]);
    }
}

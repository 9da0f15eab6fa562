// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the control verbs and the metrics page show; docs/control.md describes the shapes.
#include "base/overlay.h"
#include "base/text.h"
#include "chain/eip55.h"
#include "node/daemon/daemon.h"
#include "node/daemon/metrics.h"
#include "node/instance/json_forms.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    SECONDS_PER_DAY = 24 * 3600,
};

static json_t *json_overlay(const struct address *ipv6, const struct address *ipv4)
{
    json_t *list = json_array();
    (void)json_array_append_new(list, json_address(ipv6));
    if (address_is_set(ipv4)) {
        (void)json_array_append_new(list, json_address(ipv4));
    }
    return list;
}

const char *json_path(const struct node_peer_status *peer)
{
    return peer->stage == STAGE_CONNECTED ? "direct" : "down";
}

static const char *stage_name(const struct node_peer_status *peer)
{
    switch (peer->stage) {
    case STAGE_NO_RECORD:
        return "no record";
    case STAGE_CHAIN_UNKNOWN:
        return "chain unknown";
    case STAGE_NOT_AUTHORISED:
        return "not authorised";
    case STAGE_NO_PATH:
        return "no candidate answered";
    case STAGE_NO_HANDSHAKE:
        return "handshake failed";
    case STAGE_CONNECTED:
        return "connected";
    }
    return "unknown";
}

static const char *state_name(const struct node_peer_status *peer)
{
    switch (peer->stage) {
    case STAGE_NO_RECORD:
    case STAGE_CHAIN_UNKNOWN:
        return "down";
    case STAGE_NOT_AUTHORISED:
        return "refused";
    case STAGE_NO_PATH:
    case STAGE_NO_HANDSHAKE:
        return "connecting";
    case STAGE_CONNECTED:
        return "connected";
    }
    return "down";
}

static json_t *json_peer(const struct daemon *daemon, const struct node_peer_status *peer)
{
    char why[GATE_VERDICT_TEXT_SIZE];
    peer_stage_text(peer, why, sizeof why);
    bool has_key = peer->stage >= STAGE_NO_PATH;
    uint64_t now_s = daemon->now.unix_time.ms / 1000;
    json_t *object = json_object();
    (void)json_object_set_new(object, "token", json_token(&peer->token));
    (void)json_object_set_new(object, "wg_key", has_key ? json_wg_key(&peer->wg_key) : json_null());
    (void)json_object_set_new(object, "overlay", json_overlay(&peer->ipv6, &peer->ipv4));
    (void)json_object_set_new(object, "state", json_string(state_name(peer)));
    (void)json_object_set_new(object, "path", json_string(json_path(peer)));
    (void)json_object_set_new(object, "endpoint", json_address(&peer->endpoint));
    (void)json_object_set_new(object, "since_s", json_integer((json_int_t)(peer->since_ms / 1000)));
    (void)json_object_set_new(
        object, "rtt_ms", peer->rtt_ms == 0 ? json_null() : json_integer((json_int_t)peer->rtt_ms));
    (void)json_object_set_new(object, "rx", json_integer((json_int_t)peer->rx_bytes));
    (void)json_object_set_new(object, "tx", json_integer((json_int_t)peer->tx_bytes));
    (void)json_object_set_new(object, "last_handshake_s",
        peer->handshake_unix_s == 0 || peer->handshake_unix_s > now_s
            ? json_null()
            : json_integer((json_int_t)(now_s - peer->handshake_unix_s)));
    (void)json_object_set_new(object, "delegation_not_after",
        peer->delegation_not_after_s == 0 ? json_null()
                                          : json_integer((json_int_t)peer->delegation_not_after_s));
    (void)json_object_set_new(object, "checked_s",
        peer->checked ? json_integer((json_int_t)(peer->checked_ms / 1000)) : json_null());
    (void)json_object_set_new(object, "stage", json_string(stage_name(peer)));
    (void)json_object_set_new(object, "why", json_string(why));
    return object;
}

static json_t *peers_array(struct daemon *daemon)
{
    json_t *list = json_array();
    struct node_peer_status peer;
    for (size_t i = 0; node_peer_status(daemon->node, daemon->now, i, &peer); i++) {
        (void)json_array_append_new(list, json_peer(daemon, &peer));
    }
    return list;
}

json_t *json_peers(struct daemon *daemon)
{
    return json_pack("{s:o}", "peers", peers_array(daemon));
}

bool json_find_peer(
    struct daemon *daemon, const struct token_id *token, struct node_peer_status *ret)
{
    for (size_t i = 0; node_peer_status(daemon->node, daemon->now, i, ret); i++) {
        if (token_id_equal(&ret->token, token)) {
            return true;
        }
    }
    return false;
}

static json_t *json_network(const struct daemon *daemon, const struct node_status *status)
{
    char contract[ETH_ADDRESS_TEXT_SIZE];
    char prefix[ADDRESS_TEXT_SIZE];
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    struct dht_key key = key_of_manifest(&daemon->manifest.authority);
    eip55_format(&daemon->network.contract, contract);
    prefix_format(&daemon->manifest.ipv4, prefix);
    fingerprint_format(&key, fingerprint);
    return json_pack("{s:o,s:s,s:s,s:s,s:s}", "chain_id", json_u64_text(daemon->network.chain_id),
        "contract", contract, "prefix", prefix, "fingerprint", fingerprint, "profile",
        contract_profile_name(status->profile));
}

static json_t *json_outside(const struct daemon *daemon, const struct node_status *status)
{
    json_t *list = json_array();
    for (size_t i = 0; i < daemon->rpc_count; i++) {
        char origin[CONFIG_URL_SIZE];
        json_origin(daemon->rpcs[i].url, origin);
        (void)json_array_append_new(list, json_string(origin));
    }
    for (size_t i = 0; i < status->reflector_count; i++) {
        (void)json_array_append_new(list, json_address(&status->reflectors[i]));
    }
    return list;
}

static void warn(json_t *list, const char *text)
{
    (void)json_array_append_new(list, json_string(text));
}

static void warn_of_ending(
    const struct daemon *daemon, const struct node_status *status, json_t *list)
{
    char token[TOKEN_TEXT_SIZE];
    char text[GATE_VERDICT_TEXT_SIZE];
    bool days = status->delegation_left_s >= 2 * SECONDS_PER_DAY;
    token_id_format(&daemon->token, token);
    if (status->delegation_left_s == 0) {
        (void)snprintf(text, sizeof text,
            "the delegation has ended: members let this node go; run `deedmesh authorize %s "
            "--renew`",
            token);
    } else {
        (void)snprintf(text, sizeof text,
            "the delegation ends in %llu %s; run `deedmesh authorize %s --renew`",
            (unsigned long long)(status->delegation_left_s / (days ? SECONDS_PER_DAY : 3600)),
            days ? "days" : "h", token);
    }
    warn(list, text);
}

static json_t *json_warnings(const struct daemon *daemon, const struct node_status *status)
{
    json_t *list = json_array();
    char text[GATE_VERDICT_TEXT_SIZE];
    if (status->retired) {
        warn(list, "the owner has retired this node's key; it keeps still. To take the seat again "
                   "run `deedmesh rotate`");
    } else if (status->displaced) {
        warn(list, "another node sits in this seat with a better claim; this one keeps still. If "
                   "that is wrong run `deedmesh authorize` here");
    }
    if (status->key_waits) {
        warn(list, "a new WireGuard key waits for the contract to store it; `deedmesh rotate --wg` "
                   "goes on, with --abandon it keeps the present one");
    }
    if (status->verdict.kind == VERDICT_NO) {
        verdict_text(&status->verdict, text);
        warn(list, text);
    }
    if (status->trust.level == TRUST_NONE) {
        warn(list, "too few RPC providers answer: nobody new is admitted");
    }
    if (status->trust.level == TRUST_SINGLE) {
        warn(list, status->trust.providers == 1
                       ? "trusting one RPC: name a second one in [chain] rpc"
                       : "trusting one RPC: [chain] trust is single");
    }
    if (status->trust.policy == TRUST_POLICY_PROOF && status->trust.proof != PROOF_ON) {
        warn(list, proof_standing_text(status->trust.proof));
    }
    if (status->delegation_ending) {
        warn_of_ending(daemon, status, list);
    }
    if (status->on_demand) {
        warn(list, "more members than mesh_max: peers are connected by `deedmesh ping` or "
                   "[node] connect only");
    }
    if (daemon->rpc_refused[0] != '\0') {
        warn(list, daemon->rpc_refused);
    }
    if (daemon->manifest_warning[0] != '\0') {
        warn(list, daemon->manifest_warning);
    }
    if (daemon->save_error[0] != '\0') {
        warn(list, daemon->save_error);
    }
    if (daemon->config.allow_http) {
        warn(list, "allow_http is on: plain http to RPC providers can be altered on the way");
    }
    return list;
}

static json_t *json_dht(const struct daemon *daemon, const struct node_status *status)
{
    const char *state = status->alone    ? "alone: first node"
                        : status->joined ? "joined"
                                         : "not joined";
    return json_pack("{s:s,s:I,s:i,s:s}", "state", state, "good_nodes",
        (json_int_t)status->good_nodes, "port", (int)daemon->config.dht_port, "role",
        status->server ? "server" : "client");
}

static json_t *json_published(const struct node_status *status)
{
    return status->published
               ? json_pack("{s:o,s:I,s:I}", "sequence", json_u64_text(status->sequence), "age_s",
                     (json_int_t)(status->published_ms / 1000), "expires_s",
                     (json_int_t)status->expires_s)
               : json_null();
}

static json_t *json_delegation(const struct daemon *daemon, const struct node_status *status)
{
    return json_pack("{s:I,s:I,s:I,s:b}", "not_after", (json_int_t)daemon->delegation.not_after_s,
        "days_left", (json_int_t)(status->delegation_left_s / SECONDS_PER_DAY), "left_s",
        (json_int_t)status->delegation_left_s, "warning", (int)status->delegation_ending);
}

static void set_node(struct daemon *daemon, json_t *object)
{
    struct node_status status;
    node_status(daemon->node, daemon->now, &status);
    const struct mapping_view *view = &status.mapping;
    (void)json_object_set_new(object, "network", json_network(daemon, &status));
    (void)json_object_set_new(object, "overlay", json_overlay(&status.ipv6, &status.ipv4));
    (void)json_object_set_new(object, "dht", json_dht(daemon, &status));
    (void)json_object_set_new(object, "chain", json_chain(daemon, &status));
    (void)json_object_set_new(object, "nat",
        json_pack("{s:s,s:o,s:i,s:b}", "class", nat_class_name(view->nat_class), "reflexive",
            json_address(&view->reflexive), "reflectors", (int)status.reflector_count, "single",
            (int)view->single));
    (void)json_object_set_new(object, "published", json_published(&status));
    (void)json_object_set_new(object, "displaced", json_boolean(status.displaced));
    (void)json_object_set_new(object, "retired", json_boolean(status.retired));
    (void)json_object_set_new(object, "wg_key_waits", json_boolean(status.key_waits));
    (void)json_object_set_new(object, "delegation", json_delegation(daemon, &status));
    (void)json_object_set_new(object, "members", json_integer((json_int_t)status.members));
    (void)json_object_set_new(object, "peers", peers_array(daemon));
    (void)json_object_set_new(object, "outside_servers", json_outside(daemon, &status));
    (void)json_object_set_new(object, "warnings", json_warnings(daemon, &status));
}

static json_t *json_stages(const struct daemon *daemon)
{
    static const char *const names[] = {[READY_MANIFEST] = "manifest_ms",
        [READY_JOINED] = "joined_ms",
        [READY_SEAT] = "seat_ms",
        [READY_PUBLISHED] = "published_ms"};
    json_t *object = json_object();
    for (size_t i = 0; i < READY_STAGES; i++) {
        uint64_t at_ms = daemon->stage_ms[i];
        (void)json_object_set_new(
            object, names[i], at_ms == 0 ? json_null() : json_integer((json_int_t)at_ms));
    }
    return object;
}

json_t *json_status(struct daemon *daemon)
{
    uint64_t uptime_ms = mono_since(daemon->started_at, daemon->now.mono);
    json_t *object = json_pack("{s:s,s:s,s:i,s:I,s:b,s:o,s:o,s:o}", "instance",
        daemon->options.instance, "version", DEEDMESH_VERSION, "pid", (int)getpid(), "uptime_s",
        (json_int_t)(uptime_ms / 1000), "ready", (int)daemon->ready, "token",
        json_token(&daemon->token), "node_key", json_node_key(&daemon->node_key), "wg_key",
        json_wg_key(&daemon->wg_key));
    (void)json_object_set_new(object, "interface",
        json_pack("{s:s,s:i,s:i,s:s}", "name", daemon->options.instance, "listen_port",
            (int)daemon->config.listen_port, "mtu", (int)daemon->config.mtu, "backend",
            "wireguard-go"));
    (void)json_object_set_new(object, "stages", json_stages(daemon));
    if (daemon->node != NULL && daemon->ready) {
        set_node(daemon, object);
        return object;
    }
    static const char *const absent[] = {
        "network", "overlay", "dht", "chain", "nat", "published", "delegation"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++) {
        (void)json_object_set_new(object, absent[i], json_null());
    }
    (void)json_object_set_new(object, "peers", json_array());
    (void)json_object_set_new(object, "outside_servers", json_array());
    (void)json_object_set_new(
        object, "warnings", json_pack("[s]", "waiting for the manifest of the bootstrap host"));
    return object;
}

static void add_counters(struct metrics *metrics, const struct node_status *status)
{
#define ADD_COUNTER(name, help)                                                                    \
    metrics_add_u64(metrics, "deedmesh_" #name "_total", help, METRIC_COUNTER, NULL, 0,            \
        status->counters.name);
    NODE_COUNTER_LIST(ADD_COUNTER)
#undef ADD_COUNTER
}

static void add_gauges(
    struct daemon *daemon, struct metrics *metrics, const struct node_status *status)
{
    const struct {
        const char *name;
        const char *help;
        uint64_t value;
    } gauges[] = {
        {"deedmesh_peers", "Peers dealt with.", status->peers},
        {"deedmesh_peers_connected", "Peers whose tunnel is up.", status->connected},
        {"deedmesh_members", "Members known.", status->members},
        {"deedmesh_tombstones", "Retired node keys that are kept.", status->tombstones},
        {"deedmesh_dht_good_nodes", "DHT nodes that answered lately.", status->good_nodes},
        {"deedmesh_delegation_left_seconds", "Time until the own delegation ends.",
            status->delegation_left_s},
        {"deedmesh_self_admitted", "1 if the chain says yes to the own seat.",
            status->verdict.kind == VERDICT_YES},
        {"deedmesh_rpc_providers_good", "RPC providers that answer well.", status->trust.good},
        {"deedmesh_uptime_seconds", "Time since the start.",
            mono_since(daemon->started_at, daemon->now.mono) / 1000},
    };
    for (size_t i = 0; i < sizeof gauges / sizeof gauges[0]; i++) {
        metrics_add_u64(
            metrics, gauges[i].name, gauges[i].help, METRIC_GAUGE, NULL, 0, gauges[i].value);
    }
}

static void add_dht(struct daemon *daemon, struct metrics *metrics)
{
    struct dht_status status = dht_core_status(daemon->dht, daemon->now);
    metrics_add_u64(metrics, "deedmesh_dht_received_bytes_total", "DHT bytes received.",
        METRIC_COUNTER, NULL, 0, status.bytes_in);
    metrics_add_u64(metrics, "deedmesh_dht_sent_bytes_total", "DHT bytes sent.", METRIC_COUNTER,
        NULL, 0, status.bytes_out);
    metrics_add_u64(metrics, "deedmesh_dht_store_values", "Values held.", METRIC_GAUGE, NULL, 0,
        status.store_values);
    for (size_t i = 0; i < DHT_DROPS; i++) {
        const struct metric_label label = {"reason", dht_drop_name((enum dht_drop)i)};
        metrics_add_u64(metrics, "deedmesh_dht_dropped_total", "DHT datagrams dropped.",
            METRIC_COUNTER, &label, 1, status.drops[i]);
    }
    for (size_t i = 0; i < POLICY_VERDICTS; i++) {
        const struct metric_label label = {"verdict", policy_verdict_name((enum policy_verdict)i)};
        metrics_add_u64(metrics, "deedmesh_dht_puts_total", "Values that others put here.",
            METRIC_COUNTER, &label, 1, daemon->policy.counts[i]);
    }
}

size_t json_metrics(struct daemon *daemon, char *text, size_t capacity)
{
    struct metrics metrics;
    metrics_init(&metrics, text, capacity);
    if (daemon->node != NULL && daemon->ready) {
        struct node_status status;
        node_status(daemon->node, daemon->now, &status);
        add_gauges(daemon, &metrics, &status);
        add_counters(&metrics, &status);
        add_dht(daemon, &metrics);
        json_chain_metrics(daemon, &status, &metrics);
    }
    return metrics.size;
}

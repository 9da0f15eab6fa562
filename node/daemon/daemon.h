// SPDX-License-Identifier: GPL-3.0-or-later
//
// The daemon: the node core on a libuv loop, with the real sockets, device, chain and DHT around
// it. One thread. Every input is pumped dry: its effects are carried out, what the DHT engine and
// the HTTP edge have to say becomes new inputs, until nothing is left; then the loop sleeps until
// the next deadline.
//
//    main.c      options, signals, the order of starting and stopping
//    privileges.c  what it may do: less and less
//    setup.c     configuration and state directory into a node
//    manifest.c  the manifest: pinned, or fetched from the bootstrap hosts
//    daemon.c    the pump: inputs, effects, deadlines
//    keys.c      new keys and delegations while it runs; tombstones that users give
//    sockets.c   UDP: the DHT's port, the members' port
//    serve.c     control verbs and HTTP pages;  wait.c  the verb that waits;  json.c  what they
//    show report.c    the core's events as log lines
#pragma once

#include "chain/http.h"
#include "dht/core.h"
#include "nat/port_linux.h"
#include "node/daemon/control.h"
#include "node/daemon/http.h"
#include "node/daemon/saver.h"
#include "node/instance/config.h"
#include "node/instance/state.h"
#include "node/node.h"
#include "node/status.h"
#include "wg/device.h"

#include <uv.h>

enum {
    DAEMON_RPCS_MAX = GATE_PROVIDERS_MAX,
    DAEMON_MEMBERS_MAX = 4096,
    DAEMON_KNOCKS = 8, // peer entries beyond mesh_max
    DAEMON_POLICY_ENTRIES = 512,
    DAEMON_POLICY_PREFIXES = 128,
    DAEMON_DEVICE_PEERS_MAX = 2 * (CONFIG_MESH_MAX + DAEMON_KNOCKS), // ours, and as many of others
    DAEMON_DEVICE_PREFIXES_MAX = 2 * DAEMON_DEVICE_PEERS_MAX,
    DAEMON_DATAGRAMS_PER_WAKE = 64,
    DAEMON_ERROR_SIZE = 800,
    DAEMON_WAITERS_MAX = 32,
    DAEMON_PINGS_MAX = 32,
    DAEMON_RESOLVES_MAX = 8,
    DAEMON_TOMBSTONES_MAX = 32,
    DAEMON_STONES_HEARD = 8, // between two turns of the loop
    SERVE_TIMEOUT_MAX_MS = 24 * 3600 * 1000,
};

// Directories, name and overrides, from the command line.
struct daemon_options {
    struct directories directories;
    const char *instance;
    bool has_token;
    struct token_id token;
    bool has_log_format;
    enum log_format log_format;
    int ready_fd; // -1 = none
};

// An RPC provider and who named it.
struct daemon_rpc {
    char url[CONFIG_URL_SIZE];
    bool suggested; // by the manifest
};

// What a node passes on its way to being ready.
enum daemon_stage {
    READY_MANIFEST, // it knows its network
    READY_JOINED,   // the DHT answers, or it is the first node
    READY_SEAT,     // the chain said yes to the own seat
    READY_PUBLISHED,
    READY_STAGES,
};

enum manifest_fetch {
    FETCH_NONE,
    FETCH_FIRST,   // there is no manifest yet
    FETCH_COMPARE, // there is one: what do the bootstrap hosts serve?
};

// A bootstrap host's answer.
enum manifest_answer_kind {
    ANSWER_AWAITED,
    ANSWER_GOOD, // well-formed and signed by its authority
    ANSWER_BAD,  // `fault` says why
};

struct manifest_answer {
    enum manifest_answer_kind kind;
    struct stun_transaction transaction;
    enum status fault;
    struct manifest manifest;
    uint8_t bytes[MANIFEST_MAX_SIZE];
    uint16_t size;
};

// A ping verb under way.
struct daemon_ping {
    bool used;
    struct control_request request;
    struct token_id token;
    uint64_t nonce;
    uint32_t sequence, count, sent, received, timeout_ms;
    bool until_direct, awaited;
    double rtt_ms, rtt_min_ms, rtt_max_ms, rtt_sum_ms;
    uint64_t sent_at_ns;
    struct mono next_at; // send the next one, or give the present one up
};

// A wait verb under way.
struct daemon_wait {
    bool used;
    bool connected; // for a peer; else for being ready
    uint8_t told;   // stages whose event was sent, a bit each
    struct control_request request;
    struct token_id token;
    struct mono began_at, until;
};

// A resolve verb under way.
struct daemon_resolve {
    bool used;
    struct control_request request;
    struct token_id token;
    uint64_t op;
    bool found, read; // `read`: the DHT has nothing more to say
    struct record record;
    struct mono began_at, until, check_at;
};

// A tombstone that somebody put here, until the core hears of it.
struct daemon_stone {
    struct token_id token;
    uint8_t bytes[DHT_VALUE_MAX_SIZE];
    size_t size;
};

struct policy_tables {
    struct policy_entry entries[DAEMON_POLICY_ENTRIES];
    struct policy_owner owners[DAEMON_MEMBERS_MAX];
    struct prefix_budget_entry prefixes[DAEMON_POLICY_PREFIXES];
};

struct daemon {
    struct daemon_options options;
    struct config config;
    struct state *state;
    struct saver *saver;
    char save_error[STATE_ERROR_SIZE]; // of the last write; empty = it went well
    uv_loop_t loop;
    uv_timer_t timer;
    uv_signal_t signals[2];
    bool signals_open;
    bool timer_open;
    bool stopping;
    int exit_status;
    struct mono started_at;
    struct now now; // of the input that is being handled

    // What setup.c puts together.
    struct manifest manifest;
    uint8_t manifest_bytes[MANIFEST_MAX_SIZE];
    uint16_t manifest_size;
    struct network network; // that the delegation was signed for
    struct network_keys keys;
    struct token_id token;
    struct node_secret node_secret; // this and the next: wiped when the node has its own copies
    struct wg_secret wg_secret;
    struct node_key node_key;
    struct wg_key wg_key;
    struct delegation delegation;
    // Signatures of the delegation, if it is in pieces: of this one and of the next, in turn,
    // since the node holds on to the one it has.
    uint8_t signatures[2][STATE_SIGNATURE_MAX];
    uint8_t signature_turn;
    struct daemon_rpc rpcs[DAEMON_RPCS_MAX];
    size_t rpc_count;
    char rpc_refused[DAEMON_ERROR_SIZE]; // the last suggestion that is not used, and why; or empty
    struct address bootstraps[NODE_BOOTSTRAP_MAX];
    size_t bootstrap_count;

    // Edges.
    uv_poll_t dht_polls[2]; // IPv4, IPv6
    int dht_fds[2];
    uv_poll_t port_poll;
    struct port *port;
    bool port_open;
    uv_timer_t port_timer; // resumes after a flood
    uv_poll_t member_poll;
    int member_fd;
    struct wg_link *link;
    struct wg_monitor *monitor;
    uv_poll_t monitor_poll;
    bool monitor_open;
    struct wg_device *device;
    uv_poll_t device_poll;
    bool device_watched;
    struct wg_peers wg_peers;
    struct wg_peer_entry *wg_entries;
    bool wg_dirty;
    struct mono wg_apply_at;    // not before: the device refused a moment ago
    struct mono wg_complain_at; // not before: said already
    struct wg_device_state wg_state;
    struct chain_http *chain;
    uv_poll_t chain_poll;
    bool chain_watched;
    struct control *control;
    struct http *http;

    struct dht_core *dht;
    struct policy policy;
    struct policy_tables *policy_tables;
    struct delegation_cache delegations;
    struct daemon_stone stones[DAEMON_STONES_HEARD];
    size_t stone_count;
    uint32_t good_nodes;
    struct mono dht_at;       // when the engine wants its tick
    struct mono dht_count_at; // when the routing table is looked at
    struct mono dht_save_at;
    struct mono addresses_at; // when the own addresses are read again; never = nothing changed

    struct node *node;
    bool ready;

    uint64_t stage_ms[READY_STAGES]; // when first reached, since the start; 0 = not yet
    bool first;                      // READY_JOINED: alone, as the first node

    // Fetching the manifest, and comparing the pinned one.
    bool was_pinned;
    enum manifest_fetch fetch;
    struct mono fetch_at;        // ask again
    struct mono fetch_decide_at; // with the answers that are there
    uint32_t fetch_tries;
    struct manifest_answer answers[NODE_BOOTSTRAP_MAX]; // of each bootstrap host
    char manifest_warning[DAEMON_ERROR_SIZE];           // empty = nothing to say

    uint64_t last_op; // of the daemon's own DHT reads; marked by DAEMON_OP
    struct daemon_ping pings[DAEMON_PINGS_MAX];
    struct daemon_wait waits[DAEMON_WAITERS_MAX];
    struct daemon_resolve resolves[DAEMON_RESOLVES_MAX];
    char error[DAEMON_ERROR_SIZE]; // why starting failed, for people
};

// Operations of the daemon itself, which the core never uses.
#define DAEMON_OP (UINT64_C(1) << 63)

// setup.c. Each fills `daemon->error` when it fails.
enum status setup_read(struct daemon *daemon);
enum status setup_network(struct daemon *daemon);
enum status setup_node(struct daemon *daemon);
enum status setup_device_start(struct daemon *daemon);
enum status setup_device(struct daemon *daemon);
void setup_save(struct daemon *daemon);
void setup_save_dht_nodes(struct daemon *daemon);
void setup_load_dht_nodes(struct daemon *daemon);

// manifest.c
enum status manifest_load_pinned(struct daemon *daemon);
void manifest_fetch_start(struct daemon *daemon);
void manifest_compare_start(struct daemon *daemon);
// True if it was an answer to us.
bool manifest_on_datagram(struct daemon *daemon, const struct address *from, struct span bytes);
struct mono manifest_deadline(const struct daemon *daemon);
void manifest_on_deadline(struct daemon *daemon);

// keys.c
// Takes what the state directory holds now: delegation, node key, WireGuard key. OK, or a status
// with `daemon->error` filled.
enum status keys_reload(struct daemon *daemon);
// After the start: a rotation of the WireGuard key that was cut short goes on.
void keys_resume(struct daemon *daemon);
// EFFECT_WG_KEY.
void keys_set_device(struct daemon *daemon, struct span secret);
// The verb `retire`.
void keys_retire(struct daemon *daemon, const json_t *args, struct control_request request);

// sockets.c
enum status sockets_open_dht(struct daemon *daemon);
enum status sockets_open_member(struct daemon *daemon);
enum status sockets_open_port(struct daemon *daemon);
void sockets_close(struct daemon *daemon);
void sockets_send_dht(struct daemon *daemon, const struct address *to, struct span bytes);
void sockets_send_member(struct daemon *daemon, const struct address *to, struct span bytes);
void sockets_send_port(
    struct daemon *daemon, const struct address *to, uint8_t ttl, struct span bytes);

// daemon.c
enum status daemon_start_edges(struct daemon *daemon);
// The manifest is there: make the node and begin.
void daemon_begin(struct daemon *daemon);
// Carries out everything that the last input has caused.
void daemon_pump(struct daemon *daemon);
void daemon_on_dht_datagram(struct daemon *daemon, const struct address *from, struct span bytes);
void daemon_read_local_addresses(struct daemon *daemon);
void daemon_apply_device(struct daemon *daemon);
void daemon_fail(struct daemon *daemon);
void daemon_stop(struct daemon *daemon);

// report.c
void report_log(struct daemon *daemon, const struct node_report *report);

// serve.c
enum status serve_start(struct daemon *daemon);
void serve_stop(struct daemon *daemon);
// The next three read a verb's arguments. The first two answer with an error where they return
// false; a number that is absent or not positive is `fallback`.
bool serve_need_node(struct daemon *daemon, struct control_request request);
bool serve_get_token(struct daemon *daemon, const json_t *args, const char *key,
    struct control_request request, struct token_id *ret);
uint32_t serve_get_number(const json_t *args, const char *key, uint32_t fallback, uint32_t max);
void serve_on_pong(struct daemon *daemon, const struct token_id *token, struct span payload);
void serve_on_dht_event(struct daemon *daemon, const struct dht_event *event);
void serve_on_deadline(struct daemon *daemon);
struct mono serve_deadline(const struct daemon *daemon);

// wait.c
void wait_begin(struct daemon *daemon, const json_t *args, struct control_request request);
void wait_on_stage(struct daemon *daemon, enum daemon_stage stage);
void wait_on_report(struct daemon *daemon, const struct node_report *report);
void wait_on_deadline(struct daemon *daemon);
struct mono wait_deadline(const struct daemon *daemon);
const char *wait_stage_name(const struct daemon *daemon, enum daemon_stage stage);

// json.c
json_t *json_status(struct daemon *daemon);
json_t *json_peers(struct daemon *daemon);

// json_chain.c. `metrics` as in node/daemon/metrics.h.
struct metrics;
json_t *json_chain(struct daemon *daemon, const struct node_status *status);
void json_chain_metrics(
    struct daemon *daemon, const struct node_status *status, struct metrics *metrics);
// What may be shown of a provider's URL: scheme, host and port. Its key stands in what follows.
void json_origin(const char *url, char ret[static CONFIG_URL_SIZE]);
const char *json_path(const struct node_peer_status *peer);
bool json_find_peer(
    struct daemon *daemon, const struct token_id *token, struct node_peer_status *ret);
size_t json_metrics(struct daemon *daemon, char *text, size_t capacity);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Several nodes in one process on virtual time, with the edges played: a DHT, a chain, datagrams
// through NATs of RFC 4787's kinds, and WireGuard devices. One seed; the same seed gives the same
// effects, byte for byte.
//
//    world.c         nodes, events, effects
//    world_net.c     NATs, datagrams, WireGuard
//    world_dht.c     the DHT: values by key and id
//
// What the world itself checks at all times: a node that is called at its deadline has a later one
// afterwards; an input has a bounded number of effects; a peer gets onto a device only if the
// wallet behind its delegation owned the token a short while ago (or `grace_s` ago).
#pragma once

#include "node/node.h"
#include "node/status.h"
#include "tests/unit/chain/model.h"

enum nat_kind {
    KIND_PUBLIC,
    KIND_FULL_CONE,          // endpoint-independent mapping and filtering
    KIND_ADDRESS_RESTRICTED, // address-dependent filtering
    KIND_PORT_RESTRICTED,    // address- and port-dependent filtering
    KIND_SYMMETRIC,          // address- and port-dependent mapping and filtering
};

enum {
    WORLD_NODES_MAX = 12,
    WORLD_EVENTS_MAX = 4096,
    WORLD_REPORTS_MAX = 2048,
    WORLD_FLOWS_MAX = 128,
    WORLD_PEERS_MAX = 16,
    WORLD_VALUES_MAX = 512,
    WORLD_WATCHES_MAX = 64,
    WORLD_PROVIDERS = 3,

    WORLD_LATENCY_MS = 10,
    WORLD_CHAIN_MS = 15,
    WORLD_DHT_MS = 40,
    WORLD_EFFECTS_MAX = 400, // of one input

    WG_PORT_OF_ALL = 51820,
    DHT_PORT_OF_ALL = 51821,
};

// How a node is made. Zero: token 0 means "its index + 1", wallet 0 "as the token", identity 0 "as
// the index".
struct world_options {
    enum nat_kind nat;
    uint64_t token;
    uint8_t wallet;   // signs the delegation
    uint8_t identity; // seeds of its keys; a clone has another's
    bool insist;
    bool first; // no bootstrap address
    bool lan;   // in one private network with all others that have this set; not behind a NAT
    uint16_t mesh_max;
    uint16_t peers;
    uint16_t members;
    uint16_t wallets;  // contract wallets that it judges; 0 = none
    uint64_t window_s; // of the delegation
    uint32_t grace_ms;
    bool uses_secret_seed; // another random seed than a node of the same index has
};

struct world_flow {
    struct address remote;
    uint16_t inside_port;
    uint16_t outside_port;
};

struct world_peer {
    bool used;
    struct wg_peer peer;
    struct address endpoint;
    uint64_t init_id; // of the handshake that we began; 0 = none
    uint64_t init_at; // next try
    uint64_t pending; // handshake that we answered
    uint64_t session; // 0 = none
    uint64_t handshake_at;
    uint64_t keepalive_at;
    uint64_t rx_bytes;
    uint64_t tx_bytes;
    bool staged; // a message waits for the session
    size_t staged_size;
    uint8_t staged_bytes[MESSAGE_MAX_SIZE];
};

struct world_report {
    uint64_t at;
    struct node_report report;
};

struct world_watch {
    uint64_t op;
    struct dht_key key;
    bool used;
};

struct world_node {
    struct world_options options;
    struct node *node; // NULL while down
    struct node_config config;
    uint8_t starts;
    int64_t skew_ms; // of its clock
    struct address inside;
    struct address outside;
    uint16_t next_port;
    struct world_flow flows[WORLD_FLOWS_MAX];
    size_t flow_count;
    bool cut;               // no datagram gets through
    bool mute;              // its WireGuard makes no handshake
    bool dht_cut;           // no DHT either
    enum model_fault chain; // what its providers do, if not FAULT_NONE
    bool joined;            // to the DHT
    struct world_peer peers[WORLD_PEERS_MAX];
    struct world_watch watches[WORLD_WATCHES_MAX];
    struct world_report reports[WORLD_REPORTS_MAX];
    size_t report_count;
    uint8_t *saved;
    size_t saved_size;
    uint64_t sent_to[WORLD_NODES_MAX]; // datagrams of ours (no WireGuard) to the host of another
    uint64_t puts;
    uint64_t gets;
    uint64_t listens;
    uint64_t cancels;
    uint64_t sets;    // PEER_SET
    uint64_t removes; // PEER_REMOVE
    uint64_t pongs;
    uint64_t effects_worst; // most of one input
};

struct world_value {
    bool used;
    struct dht_key key;
    uint64_t id;
    uint64_t expires;
    uint8_t bytes[DHT_VALUE_MAX_SIZE];
    size_t size;
    uint64_t changes; // how often it was put
};

enum world_event_kind {
    WORLD_DATAGRAM,
    WORLD_WIREGUARD,
    WORLD_MEMBER,
    WORLD_VALUE,
    WORLD_DONE,
    WORLD_STORE,
    WORLD_NODES,
    WORLD_CHAIN,
    WORLD_DEVICE,
};

enum wireguard_kind {
    WIREGUARD_INIT,
    WIREGUARD_RESPONSE,
    WIREGUARD_DATA,
};

struct world_event {
    enum world_event_kind kind;
    uint64_t at;
    uint64_t order; // of equals in time
    uint8_t to;
    uint8_t starts; // of the node: not for a later life
    uint8_t sender;
    enum node_port port;
    struct address from;
    enum wireguard_kind wireguard;
    uint64_t id; // of handshake or session; op; value id; number of nodes
    bool ok;
    struct dht_key key;
    struct model_reply reply;
    uint8_t *bytes;
    size_t size;
};

struct world {
    uint64_t now; // ms
    uint64_t order;
    uint64_t seed;
    struct model model;
    struct world_node nodes[WORLD_NODES_MAX];
    size_t count;
    struct world_value values[WORLD_VALUES_MAX];
    bool dht_drops_puts;
    bool dht_drops_pieces;
    uint64_t grace_s; // how long ago ownership may have been for a PEER_SET
    struct world_event events[WORLD_EVENTS_MAX];
    size_t event_count;
    struct wg_key wg_keys[WORLD_NODES_MAX];
    struct wg_key next_wg_keys[WORLD_NODES_MAX]; // of a rotation that is under way
    uint64_t effects;                            // of all nodes
    struct hash256 trace;
};

// One at a time, static: it is large. Frees what the previous one held.
struct world *world_make(uint64_t seed);
void world_free(struct world *world);

// Adds a node, down; its token is given to its wallet unless the token has an owner.
size_t world_add(struct world *world, struct world_options options);
void world_up(struct world *world, size_t index);
// Adds a node and brings it up.
size_t world_join(struct world *world, struct world_options options);
// `world_down` saves the state; `world_kill` leaves what the last SAVE wrote.
void world_down(struct world *world, size_t index);
void world_kill(struct world *world, size_t index);

void world_run(struct world *world, uint64_t for_ms);
// Until both see each other's tunnel as connected; false if that takes longer.
bool world_run_connected(struct world *world, size_t a, size_t b, uint64_t max_ms);
bool world_connected(struct world *world, size_t a, size_t b);
struct now world_now(const struct world *world, size_t index);
// Handles what an input to `index` left; after every direct call of a node function.
void world_drain(struct world *world, size_t index);

// New keys for a node that is up, made from `identity`; its wallet signs for the node key.
void world_rotate_node_key(struct world *world, size_t index, uint8_t identity);
void world_rotate_wg_key(struct world *world, size_t index, uint8_t identity);

void world_transfer(struct world *world, uint64_t token, uint8_t wallet);
struct token_id world_token(const struct world *world, size_t index);
struct delegation world_delegation(
    const struct world *world, size_t index, uint8_t wallet, struct unix_time at);

// The last report of that kind by `index` at or after `since`, or NULL. `about`: a token, 0 = any.
const struct world_report *world_report(
    const struct world *world, size_t index, enum node_event event, uint64_t about, uint64_t since);
size_t world_reports(const struct world *world, size_t index, enum node_event event);
struct node_status world_status(struct world *world, size_t index);
bool world_peer_status(
    struct world *world, size_t index, uint64_t token, struct node_peer_status *ret);

// world_net.c
void world_send(struct world *world, size_t from, const struct node_effect *effect);
void world_member_send(struct world *world, size_t from, const struct node_effect *effect);
void world_peer_set(struct world *world, size_t index, const struct wg_peer *peer);
void world_peer_remove(struct world *world, size_t index, const struct wg_key *key);
void world_read_device(struct world *world, size_t index);
void world_wireguard(struct world *world, const struct world_event *event);
uint64_t world_device_deadline(const struct world *world, size_t index);
void world_device_run(struct world *world, size_t index);
bool world_on_device(const struct world *world, size_t index, size_t other);
// The NAT forgets everything and gives other ports from now on.
void world_rebind(struct world *world, size_t index);
// As if `from` were the sender.
void world_datagram(struct world *world, size_t to, enum node_port port, const struct address *from,
    struct span bytes);

// Its own key is another one: sessions end.
void world_device_key(struct world *world, size_t index, struct span secret);

// world_dht.c
void world_dht_effect(struct world *world, size_t index, const struct node_effect *effect);
void world_dht_store(
    struct world *world, const struct dht_key *key, uint64_t id, struct span bytes);
size_t world_dht_count(const struct world *world, const struct dht_key *key);
struct world_value *world_dht_find(struct world *world, const struct dht_key *key, uint64_t id);
struct dht_key world_record_key(const struct world *world, uint64_t token);
struct dht_key world_inbox_key(const struct world *world, uint64_t token);

// world.c, for the other parts
struct world_event *world_post(
    struct world *world, size_t to, enum world_event_kind kind, uint64_t in_ms, struct span bytes);

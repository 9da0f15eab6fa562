// SPDX-License-Identifier: GPL-3.0-or-later
//
// The node: one state machine that joins records, ownership, paths and the device. It does no I/O
// and reads no clock. Every input carries the time, runs to completion, and leaves effects, which
// the caller drains with node_next_effect before the next input. The daemon and the simulator run
// this same code.
//
//   start -> DHT joined -> gate on oneself -> reflexive address -> inbox -> publish
//         -> members (chain, hints) -> per member: record -> verdict -> path -> tunnel
//
// The table of a member's states stands in docs/architecture.md ("The peer").
#pragma once

#include "base/candidate.h"
#include "base/clock.h"
#include "base/delegation.h"
#include "base/rng.h"
#include "chain/chain.h"
#include "dht/dht.h"
#include "nat/nat.h"
#include "node/message.h"
#include "wg/wg.h"

enum {
    NODE_BOOTSTRAP_MAX = 8,
    NODE_LOCAL_ADDRESSES_MAX = 16,
};

// How much a node remembers; fixed when it is created.
struct node_capacity {
    uint16_t peers;      // members that it deals with at a time: mesh_max, and a few that knock
    uint16_t members;    // tokens that it has heard of
    uint16_t tombstones; // retired node keys that it keeps and hands on; may be 0
    uint16_t wallets;    // claims by contract wallets (or delegates) at a time; 0 = none is judged
};

// All that a node is told. Nothing here names another member.
struct node_config {
    struct node_capacity capacity;
    struct network_keys keys;
    struct gate_config gate; // network, profile, providers, poll, grace; tables are sized here
    struct token_id token;
    struct node_secret node_secret;
    struct wg_secret wg_secret;
    struct delegation delegation;
    struct span signature; // of a DELEGATION_EIP1271_HASHED; must outlive the node
    bool ipv4;             // the overlay has IPv4, from `ipv4_prefix`
    struct prefix ipv4_prefix;
    struct span manifest; // signed bytes, for newcomers; must outlive the node
    struct address bootstrap[NODE_BOOTSTRAP_MAX];
    uint8_t bootstrap_count; // 0: the first node of a network
    uint16_t wg_port;
    uint16_t mesh_max; // with at most so many members, connect to all; else on demand
    // Publish and knock although the own reading of the chain says no: for those who test whether
    // their mesh keeps them out.
    bool insist;
    uint8_t seed[RNG_SEED_SIZE];
};

// Which of the two ports a datagram of ours came in on or leaves from.
enum node_port {
    NODE_PORT_WG,
    NODE_PORT_DHT,
};

enum node_effect_kind {
    EFFECT_NONE = 0,
    EFFECT_PEER_SET,      // make or update `peer` on the device, touching only what differs
    EFFECT_PEER_REMOVE,   // take `peer.key` off the device
    EFFECT_WG_KEY,        // the device's own key is the secret `bytes` from now on, before any SET
    EFFECT_SEND,          // datagram from `port` to `to`; `ttl` 0 = the system's
    EFFECT_MEMBER_SEND,   // datagram to `to` from MEMBER_PORT of the own overlay address
    EFFECT_DHT_BOOTSTRAP, // ask `to` to let us into the DHT
    EFFECT_DHT_SERVER,    // be a server from now on if `flag`, else a client
    EFFECT_DHT_RECONNECT, // the network changed: start anew with what is known
    EFFECT_DHT_PUT,       // `bytes` at `key` under `value_id`; done is answered with `op`
    EFFECT_DHT_GET,       // values and done come with `op`
    EFFECT_DHT_LISTEN,    // values come with `op` until cancelled
    EFFECT_DHT_CANCEL,    // end get or listen `op`; no answer
    EFFECT_OWNER,         // `token` belongs to `owner` (zero: nobody): for the storage policy
    EFFECT_CHAIN_CALL,    // post `bytes` to provider `provider`; answer with `op`
    EFFECT_READ_DEVICE,   // answer with node_on_device
    EFFECT_SAVE,          // store node_export's bytes soon
    EFFECT_PONG,          // `bytes` came back from `token`: the answer to node_ping
    EFFECT_REPORT,        // something that a person may want to know
};

// What is reported. The daemon logs each, once; `deedmesh wait` and the demo read them.
enum node_event {
    EVENT_ALONE,             // first node: no bootstrap address, nobody in the routing table
    EVENT_JOINED,            // the routing table holds good nodes
    EVENT_LEFT,              // it holds none any more
    EVENT_SELF_VERDICT,      // the own seat: `verdict`
    EVENT_MAPPING,           // `address` = reflexive address, `nat_class`
    EVENT_PUBLISHED,         // the own record reached the DHT
    EVENT_DISPLACED,         // another node holds this seat with a better claim
    EVENT_RECLAIMED,         // a new delegation outranks what displaced this node
    EVENT_RETIRED,           // the owner of `token` has retired the node that sat there
    EVENT_WG_KEY,            // the own WireGuard key has been replaced
    EVENT_MEMBER_FOUND,      // a token that was not known before
    EVENT_RESOLVED,          // a record of `token` was found
    EVENT_VERIFIED,          // the chain says yes
    EVENT_REFUSED,           // the chain says no: `verdict`; at `address` if it knocked directly
    EVENT_INTENT_SENT,       // `how`
    EVENT_INTENT_RECEIVED,   // `how`
    EVENT_PUNCHED,           // a path to `address` is proven
    EVENT_CONNECTED,         // the tunnel answers
    EVENT_UNREACHED,         // no candidate answered: `why`
    EVENT_LOST,              // the tunnel was silent for too long
    EVENT_REMOVED,           // off the device: `verdict`
    EVENT_DELEGATION_ENDING, // `left_s`; 0: it has ended
    EVENT_PROOF,             // `proof`: whether owners are proven, and why not
};

// By which way an intent travelled.
enum intent_way {
    WAY_DIRECT, // to a candidate of the peer, on WireGuard's port
    WAY_TUNNEL, // through a tunnel, perhaps a mutual peer's
    WAY_INBOX,  // through the DHT
};

struct node_report {
    enum node_event event;
    struct token_id token;
    struct verdict verdict;
    struct address address;
    enum nat_class nat_class;
    enum intent_way how;
    enum path_why why;
    uint64_t left_s;
    enum proof_standing proof;
};

// Its spans are valid until the next call of any node function.
struct node_effect {
    enum node_effect_kind kind;
    uint64_t op;
    struct wg_peer peer;
    struct address to;
    enum node_port port;
    uint8_t ttl;
    bool flag;
    struct dht_key key;
    uint64_t value_id;
    size_t provider;
    size_t reply_max;    // CHAIN_CALL: stop reading there
    uint32_t timeout_ms; // CHAIN_CALL
    struct token_id token;
    struct eth_address owner;
    struct span bytes;
    struct node_report report;
};

struct node;

// Allocates once, all that the node will ever hold. `state` is what node_export wrote, or empty.
// ERR_RANGE: a capacity or port is 0, the delegation is not for this token and node key, or the
// signature is not the one it names.
// Statuses of the import: the saved state is damaged or of another network; start without it only
// if the user says so.
enum status node_create(
    const struct node_config *config, struct span state, struct now now, struct node **ret);

// Accepts NULL.
void node_destroy(struct node *node);

// Once, after creation, when both ports are bound and the device is up.
void node_start(struct node *node, struct now now);

// One address of an own interface; the overlay's are left out.
struct node_local_address {
    struct address address; // port 0
    uint8_t prefix_length;
};

// The own addresses, after start and whenever they change. More than NODE_LOCAL_ADDRESSES_MAX are
// cut.
void node_on_local_addresses(
    struct node *node, struct now now, const struct node_local_address *addresses, size_t count);

// Good nodes in the routing table, whenever the number changes.
void node_on_dht_nodes(struct node *node, struct now now, uint32_t good_nodes);

// A value for get or listen `op`.
void node_on_dht_value(struct node *node, struct now now, uint64_t op, struct span value);

// Get or put `op` has ended; `ok` is a hint.
void node_on_dht_done(struct node *node, struct now now, uint64_t op, bool ok);

// A STUN-framed datagram.
void node_on_datagram(struct node *node, struct now now, enum node_port port,
    const struct address *from, struct span bytes);

// A datagram at MEMBER_PORT, from inside the tunnels.
void node_on_member_message(
    struct node *node, struct now now, const struct address *from, struct span bytes);

// The answer of a provider to EFFECT_CHAIN_CALL `op`.
void node_on_chain_reply(
    struct node *node, struct now now, uint64_t op, const struct rpc_reply *reply);

// The device's peers, in any order; foreign ones are ignored.
void node_on_device(
    struct node *node, struct now now, const struct wg_peer_state *peers, size_t count);

// When node_on_deadline wants to be called.
struct mono node_next_deadline(const struct node *node);
void node_on_deadline(struct node *node, struct now now);

// True and the next effect, or false. `now` is the input's.
bool node_next_effect(struct node *node, struct now now, struct node_effect *ret);

// Deal with a token although the mesh is larger than mesh_max, or at once instead of when its turn
// comes. ERR_RANGE: the own token. ERR_BUSY: another node holds the own seat, so this one keeps
// still. ERR_FULL: every peer entry is connected.
enum status node_want_peer(struct node *node, struct now now, const struct token_id *token);

// Sends `payload` through the peer's tunnel; EFFECT_PONG brings it back. ERR_NOT_FOUND: not dealt
// with (see node_want_peer). ERR_UNREACHABLE: no tunnel yet; node_peer_status says why.
enum status node_ping(struct node *node, struct now now, const struct token_id *token,
    const uint8_t payload[static MESSAGE_PING_SIZE]);

// What the chain says of a record that the caller has decoded; asks it where it has not. For those
// who want to know about a token without dealing with it.
struct verdict node_check_record(struct node *node, struct now now, const struct record *record);

// A new delegation for the own seat, as after a renewal: published at once, and a displaced node
// takes its seat again if nothing outranks it any more. `signature` as in the configuration.
// ERR_RANGE: it is not for this token and node key, or the signature is another.
enum status node_set_delegation(
    struct node *node, struct now now, const struct delegation *delegation, struct span signature);

// What the chain has said of a delegation's signature, without asking it: gate_check_signature.
enum status node_check_signature(
    struct node *node, struct now now, const struct delegation *delegation);

// A new node key with its delegation, as node_set_delegation. No tunnel notices: WireGuard's key
// stays.
enum status node_set_node_key(struct node *node, struct now now, const struct node_secret *secret,
    const struct delegation *delegation, struct span signature);

// A new WireGuard key: members are told, then EFFECT_WG_KEY comes, then the tunnels begin anew.
// Where the contract stores the key that waits until it stores this one. ERR_RANGE: no key;
// ERR_BUSY: another one is being put in use at this moment.
enum status node_rotate_wg(struct node *node, struct now now, const struct wg_secret *secret);

// Keeps the key that is in use; one that waits for the contract is forgotten.
void node_keep_wg(struct node *node);

// The owner's tombstone of `token`, given by a user: kept, told and put until its delegation ends.
// `ret`: NO with REASON_TOMBSTONE: it counts; UNKNOWN: it will, if the chain says so; else the
// reason why it is refused. `signature`: of a DELEGATION_EIP1271_HASHED, else empty; it is put
// beside the tombstone. ERR_MALFORMED: no tombstone of this token, or the signature is not the one
// it names; ERR_FULL: no room for another one of users'.
enum status node_retire(struct node *node, struct now now, const struct token_id *token,
    struct span value, struct span signature, struct verdict *ret);

// Whether `value` is a piece of a tombstone's signature that this node keeps: then it stores it for
// strangers, too, however many other pieces they bring.
bool node_wants_piece(const struct node *node, struct span value);

// A tombstone of `token` that a stranger has put here and the storage policy has taken. Heard is
// one that says it is by the owner that is known: nothing is read on a stranger's word.
void node_on_stored_tombstone(
    struct node *node, struct now now, const struct token_id *token, struct span value);

// A newer manifest to hand to newcomers. It must outlive the node, as the first one.
void node_set_manifest(struct node *node, struct span manifest);

// Everything that must outlive the process, at most node_state_size_max bytes. ERR_FULL if the
// writer has no room.
enum status node_export(struct node *node, struct now now, struct writer *writer);
size_t node_state_size_max(const struct node *node);

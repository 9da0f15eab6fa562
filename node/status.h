// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a person asks a node: itself, its peers, and what it counted. Snapshots; plain data.
#pragma once

#include "base/candidate.h"
#include "base/clock.h"
#include "chain/chain.h"
#include "dht/dht.h"
#include "nat/nat.h"
#include "wg/wg.h"

struct node;

// X(name, help)
#define NODE_COUNTER_LIST(X)                                                                       \
    X(datagrams_malformed, "datagrams at our ports that are no STUN message of ours")              \
    X(datagrams_unasked, "answers and probes that belong to nothing")                              \
    X(reflected, "STUN and manifest requests answered")                                            \
    X(reflect_refused, "STUN and manifest requests not answered")                                  \
    X(intents_sent, "intents sent, each way counted")                                              \
    X(intents_accepted, "intents acted upon")                                                      \
    X(intents_malformed, "intents that do not parse, verify or open")                              \
    X(intents_replayed, "intents seen before or out of their time")                                \
    X(intents_over_budget, "intents left unopened")                                                \
    X(records_accepted, "records that became a peer's claim")                                      \
    X(records_malformed, "records that do not parse or verify, or are out of their time")          \
    X(records_refused, "records that the chain says no to")                                        \
    X(records_outranked, "records older than the one held")                                        \
    X(messages_malformed, "messages inside tunnels that do not parse")                             \
    X(messages_unknown, "messages inside tunnels from nobody that is admitted")                    \
    X(forwards, "intents handed on for others")                                                    \
    X(forwards_refused, "intents not handed on")                                                   \
    X(peers_admitted, "peers put on the device")                                                   \
    X(peers_removed, "peers taken off the device")                                                 \
    X(answers_stale, "answers to operations that were over")

struct node_counters {
#define NODE_COUNTER_FIELD(name, help) uint64_t name;
    NODE_COUNTER_LIST(NODE_COUNTER_FIELD)
#undef NODE_COUNTER_FIELD
};

// What is missing until a peer's tunnel works.
enum peer_stage {
    STAGE_NO_RECORD,      // none was found
    STAGE_CHAIN_UNKNOWN,  // the chain has not decided: `verdict`
    STAGE_NOT_AUTHORISED, // the chain says no: `verdict`
    STAGE_NO_PATH,        // `why`
    STAGE_NO_HANDSHAKE,   // a path is proven, WireGuard does not answer yet
    STAGE_CONNECTED,
};

struct node_peer_status {
    struct token_id token;
    struct wg_key wg_key; // zero without a record
    struct address ipv6;
    struct address ipv4; // unset: none
    enum peer_stage stage;
    uint64_t since_ms; // how long in its present state
    struct verdict verdict;
    bool judged;
    enum path_state path;
    enum path_rung rung;
    enum path_why why;
    enum path_note note;
    enum nat_class nat_class;
    struct address endpoint; // unset: none
    uint32_t rtt_ms;
    uint64_t rx_bytes, tx_bytes;
    uint64_t handshake_unix_s;       // 0: never
    uint64_t delegation_not_after_s; // of the admitted claim; 0: none
    bool checked;                    // checked_ms holds
    uint64_t checked_ms;             // since a quorum last said yes or no about the token
};

struct node_status {
    struct address ipv6;
    struct address ipv4; // unset: none
    bool alone;          // first node of its network: nobody to join
    bool joined;
    uint32_t good_nodes;
    bool server;
    struct mapping_view mapping;
    uint8_t reflector_count;
    struct address reflectors[MAPPING_REFLECTORS_MAX];
    bool displaced;
    bool retired; // displaced by the owner's tombstone
    bool published;
    uint64_t sequence;
    uint64_t published_ms;  // ago
    uint64_t expires_s;     // of the record
    struct verdict verdict; // on the own seat
    uint64_t delegation_left_s;
    bool delegation_ending;
    bool key_waits; // a new WireGuard key waits for the contract to store it
    struct gate_trust trust;
    uint64_t without_quorum_ms; // for how long too few providers have been good; 0: they are
    enum contract_profile profile;
    size_t members;
    struct gate_enumeration_status search; // for members
    size_t tombstones;                     // retired node keys that are kept
    size_t peers;
    size_t connected;
    bool on_demand; // more members than mesh_max
    struct node_counters counters;
    uint64_t effects_dropped;
};

void node_status(struct node *node, struct now now, struct node_status *ret);

// The peer at `index`, in the order of the table; false beyond the last.
bool node_peer_status(
    struct node *node, struct now now, size_t index, struct node_peer_status *ret);

struct gate_provider_status node_provider_status(
    const struct node *node, size_t provider, struct now now);

// The member at `index`, ascending by token; false beyond the last.
bool node_member(const struct node *node, size_t index, struct token_id *ret);

const char *peer_stage_name(enum peer_stage stage);
// One line: what is missing and the next step. `size` of `ret` at least GATE_VERDICT_TEXT_SIZE.
void peer_stage_text(const struct node_peer_status *peer, char *ret, size_t size);

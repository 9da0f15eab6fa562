// SPDX-License-Identifier: GPL-3.0-or-later
//
// Two path machines against each other on virtual time, each behind a NAT of RFC 4787's kinds, with
// a signalling channel for intents and a WireGuard that shakes hands as soon as both sides have an
// endpoint.
#pragma once

#include "nat/nat.h"

enum world_nat_kind {
    WORLD_NO_NAT,
    WORLD_FULL_CONE,          // endpoint-independent mapping and filtering
    WORLD_ADDRESS_RESTRICTED, // address-dependent filtering
    WORLD_PORT_RESTRICTED,    // address- and port-dependent filtering
    WORLD_SYMMETRIC,          // address- and port-dependent mapping and filtering
};

enum {
    WORLD_LATENCY_MS = 10, // one way
    WORLD_INTENT_MS = 40,
    WORLD_HANDSHAKE_MS = 20,
    WORLD_FLOWS_MAX = 32,
    WORLD_EVENTS_MAX = 256,
};

// One translation: what a NAT remembers of a packet that left, or (a clash) that came in unasked.
struct world_flow {
    struct address remote;
    uint16_t outside_port;
    bool taken; // by a stranger's packet: the inside host's own gets another port
};

struct world_nat {
    enum world_nat_kind kind;
    bool keeps_strangers; // does not drop unsolicited packets but notes them: clashes happen
    struct address outside;
    uint16_t next_port;
    struct world_flow flows[WORLD_FLOWS_MAX];
    size_t flow_count;
};

struct world_side {
    struct path path;
    struct world_nat nat;
    struct address inside;
    enum nat_class nat_class;
    struct candidates candidates;
    struct prefix subnet;
    bool deaf;             // to intents
    bool mute;             // its WireGuard makes no handshake
    uint64_t handshake_ms; // 0 = none
    uint64_t rx_bytes;
    // What happened.
    uint64_t validated_ms; // 0 = not yet
    uint64_t connected_ms;
    uint64_t failed_ms;
    uint64_t lost_ms;
    enum path_why why;
    enum path_rung rung;
    struct address endpoint;
    unsigned sent, sent_low_ttl, intents, validations;
};

struct world_event {
    uint64_t at_ms;
    bool intent, reply;
    uint8_t to; // side
    struct address from;
    uint8_t bytes[PROBE_SIZE];
    size_t size;
};

struct world {
    uint64_t now_ms;
    bool shared_lan;
    struct rng rng;
    struct probe_limiter limiter[2];
    struct limiter_entry entries[2][16];
    struct world_side sides[2];
    struct world_event events[WORLD_EVENTS_MAX];
    size_t event_count;
};

void world_init(struct world *world, enum world_nat_kind a, enum world_nat_kind b);

// Both in one LAN, 10.1.0.0/24, behind the NAT of side 0.
void world_share_lan(struct world *world);

// Side `index` wants the other.
void world_start(struct world *world, unsigned index);

// The NAT forgets all and gives other ports from now on.
void world_rebind(struct world *world, unsigned index);

void world_run(struct world *world, uint64_t for_ms);

bool world_both_connected(const struct world *world);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where a node may be reached, as plain data that dht/ encodes, nat/ gathers and probes, and node/
// joins.
#pragma once

#include "base/address.h"
#include "base/ids.h"

enum candidate_kind {
    CANDIDATE_HOST = 0,      // an address of the node's own interface
    CANDIDATE_REFLEXIVE = 1, // seen by a reflector (RFC 8489)
    CANDIDATE_MAPPED = 2,    // a port mapping that the node asked for (PCP, NAT-PMP, UPnP)
    CANDIDATE_RELAY = 3,     // reachable through another member, named by its token
    CANDIDATE_HOST_NAME = 4, // a TLS carrier behind a host name
};

enum {
    CANDIDATES_MAX = 8,
    HOST_NAME_MAX_SIZE = 90,
};

struct candidate {
    enum candidate_kind kind;
    union {
        struct address address; // host, reflexive, mapped
        struct token_id relay;  // relay
        struct {                // host name
            uint16_t port;
            uint8_t host_name_size;             // 1 .. HOST_NAME_MAX_SIZE
            char host_name[HOST_NAME_MAX_SIZE]; // not terminated
        };
    };
};

// By priority, best first.
struct candidates {
    struct candidate list[CANDIDATES_MAX];
    uint8_t count;
};

// What a node knows of the NAT before its WireGuard port, in the words of RFC 4787.
enum nat_class {
    NAT_UNKNOWN = 0, // fewer than two reflectors; treated as endpoint-independent
    NAT_NONE = 1,    // the reflexive address is an own one
    NAT_EASY = 2,    // endpoint-independent mapping
    NAT_HARD = 3,    // address- or port-dependent mapping
    NAT_BLOCKED = 4, // no answer from any reflector
};

// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is known of the NAT before WireGuard's own port: the reflexive address, and its class by
// comparing what reflectors see (RFC 5780, section 4.3, without its need for a server with two
// addresses: two reflectors do). A round every 25 s also keeps the mapping alive.
//
// The first answer is used at once (class NAT_UNKNOWN, or NAT_NONE if the address is an own one);
// the second, from another address, tells EASY from HARD.
#pragma once

#include "base/candidate.h"
#include "base/clock.h"
#include "nat/stun.h"

enum {
    MAPPING_REFLECTORS_MAX = 8,
    MAPPING_HOSTS_MAX = 16,
    MAPPING_ROUND_MS = 25000, // below the 30 s that many NATs give an idle mapping
    MAPPING_ROUND_REFLECTORS = 3,
    MAPPING_TRIES = 4,               // a reflector and round, at 0, 200, 600 and 1400 ms
    MAPPING_ROUND_GAP_MS = 200,      // between the starts of two rounds, whatever asks for them
    MAPPING_BLOCKED_ROUND_MS = 5000, // after the first round without any answer; grows to 25 s
};

enum mapping_output_kind {
    MAPPING_SEND,    // `bytes` to `to`, from WireGuard's port
    MAPPING_CHANGED, // class, reflexive address or candidates are not what they were
};

struct mapping_output {
    enum mapping_output_kind kind;
    struct address to;
    uint8_t bytes[STUN_BINDING_REQUEST_SIZE];
    size_t size;
};

// Whom a list of candidates is for.
enum mapping_audience {
    AUDIENCE_PUBLIC, // the record: no private address
    AUDIENCE_PEER,   // a sealed intent: private host addresses too
};

// What is known now; a copy.
struct mapping_view {
    enum nat_class nat_class;
    struct address reflexive; // unset = unknown
    // True until two reflectors in different prefixes (/24) agree on the reflexive address: one
    // reflector alone could lie.
    bool single;
    int32_t port_delta; // NAT_HARD on one public address: port at the second reflector - the first
};

enum mapping_try_state {
    MAPPING_TRY_WAITING,
    MAPPING_TRY_ANSWERED,
    MAPPING_TRY_FAILED,
};

struct mapping_reflector {
    struct address address;
    struct stun_transaction transaction; // of the round it last took part in
    enum mapping_try_state state;
    uint8_t tries;
    bool in_round;
    bool due; // a request waits to be drained
    struct mono next_at;
    struct mono asked_at; // the one idle longest is asked next
    struct address seen;  // the mapped address in its last answer
};

struct mapping {
    uint16_t port; // WireGuard's
    struct mapping_reflector reflectors[MAPPING_REFLECTORS_MAX];
    uint8_t reflector_count;
    struct address hosts[MAPPING_HOSTS_MAX];
    uint8_t host_count;
    struct mapping_view view;
    bool in_round;
    struct mono round_started_at;
    struct mono round_at;  // when the next one starts
    uint8_t failed_rounds; // in a row
    bool changed;
};

void mapping_init(struct mapping *mapping, uint16_t port);

// A reflector in the table is asked in turn with the others. ERR_EXISTS, ERR_FULL (remove one
// first), ERR_UNSUPPORTED (not IPv4: the shared socket speaks only that).
enum status mapping_reflector_add(
    struct mapping *mapping, struct mono now, const struct address *reflector);

// ERR_NOT_FOUND.
enum status mapping_reflector_remove(struct mapping *mapping, const struct address *reflector);

// The addresses of the node's own interfaces, without the overlay's. More than MAPPING_HOSTS_MAX
// are cut. Loopback, link-local and unusable ones are left out. Ports are set to WireGuard's.
void mapping_set_hosts(
    struct mapping *mapping, struct mono now, const struct address *hosts, size_t count);

// The network changed (an address came or went): a round starts at once.
void mapping_restart(struct mapping *mapping, struct mono now);

// A Binding success or error without MAC that reached WireGuard's port. ERR_MISMATCH if it answers
// nothing that was asked of `from`: drop and count. ERR_RANGE if the address in it is unusable.
enum status mapping_on_response(struct mapping *mapping, struct mono now,
    const struct address *from, const struct stun_message *message);

// When mapping_on_deadline wants to be called; "never" without reflectors.
struct mono mapping_deadline(const struct mapping *mapping);
void mapping_on_deadline(struct mapping *mapping, struct mono now, struct rng *rng);

// Fills `ret` and returns true, or false if nothing waits. Drain it after every call above.
bool mapping_next_output(struct mapping *mapping, struct mapping_output *ret);

struct mapping_view mapping_view(const struct mapping *mapping);

// The own candidates for `audience`, best first: global IPv4 host, global IPv6 host, reflexive,
// then (for a peer) private hosts.
void mapping_candidates(
    const struct mapping *mapping, enum mapping_audience audience, struct candidates *ret);

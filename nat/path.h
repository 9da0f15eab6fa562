// SPDX-License-Identifier: GPL-3.0-or-later
//
// The path machine: finds one address at which one peer's WireGuard answers, and watches that it
// stays so. Pure; every peer has one.
//
// Why the order of packets matters: a full-TTL packet that reaches a NAT which does not drop
// strangers makes a connection-tracking entry there, and the inside host's own packet then leaves
// from another port: no path, for as long as both go on. So each side first sends a packet that
// dies before the peer's NAT (low TTL), and full-TTL probes to a NATed peer wait until it is known
// to have done the same: its intent, or a probe of its own. Public addresses need no waiting.
//
//    state      entered when                                   left for
//    IDLE       path_init, path_stop                           PUNCHING PROBING
//    PUNCHING   wanted, pre-punch sent, peer not heard         PROBING VALIDATED CONNECTED BACKOFF
//    PROBING    peer heard or reachable without; probes go     VALIDATED CONNECTED BACKOFF PUNCHING
//    VALIDATED  a probe was answered; endpoint handed out      CONNECTED BACKOFF
//    CONNECTED  WireGuard has a fresh handshake                PUNCHING PROBING
//    BACKOFF    an attempt failed; waiting                     PUNCHING PROBING CONNECTED VALIDATED
//    (every state may go to IDLE)
//
// A path that works is never given up for an attempt: while one runs on a connected path, the
// current endpoint is probed with the others and wins if it answers.
#pragma once

#include "base/budget.h"
#include "base/candidate.h"
#include "nat/limiter.h"
#include "nat/probe.h"

enum path_state {
    PATH_IDLE,
    PATH_PUNCHING,
    PATH_PROBING,
    PATH_VALIDATED,
    PATH_CONNECTED,
    PATH_BACKOFF,
};

// The rungs of the ladder that exist, best first.
enum path_rung {
    PATH_RUNG_NONE,
    PATH_RUNG_LAN,       // an address in one of our own subnets
    PATH_RUNG_PUBLIC,    // a global host or mapped address: no NAT to open at the peer
    PATH_RUNG_REFLEXIVE, // through the peer's NAT
};

// Why there is no path, or no better one. path_why_text has a clause for people.
enum path_why {
    PATH_WHY_NONE,
    PATH_WHY_NO_CANDIDATES,   // the peer named none that we may send to
    PATH_WHY_OWN_UDP_BLOCKED, // no reflector answers us
    PATH_WHY_PEER_SILENT,     // it did not answer the intent
    PATH_WHY_NO_ANSWER,       // it answered the intent, but no candidate answered a probe
    PATH_WHY_BOTH_HARD,       // both NATs map by destination
    PATH_WHY_HARD_TO_EASY,    // one NAT maps by destination and the other filters by port
    PATH_WHY_PROBE_LIMIT,     // the limiter refused the probes
    PATH_WHY_NO_HANDSHAKE,    // probes are answered, WireGuard is not: remove and re-add the peer
    PATH_WHY_RX_SILENT,       // was connected; nothing is received any more
};

// A note on a path that stands; shown by status beside path_why.
enum path_note {
    PATH_NOTE_NONE,
    PATH_NOTE_OWN_SINGLE_REFLECTOR, // the own reflexive address rests on one reflector's word
    PATH_NOTE_THROUGH_NAT,          // reachable only while the NAT mappings are kept alive
};

enum path_output_kind {
    PATH_OUTPUT_SEND,      // `bytes` to `to` from WireGuard's port; `ttl` 0 = the default
    PATH_OUTPUT_INTENT,    // send the peer an intent; `reply` = it answers the peer's
    PATH_OUTPUT_VALIDATED, // set endpoint and keepalive on the device, in one call
    PATH_OUTPUT_CONNECTED, // WireGuard has a handshake; without VALIDATED before it where the peer
                           // reached us first: then set the keepalive, the endpoint is right
    PATH_OUTPUT_LOST,      // a connected path went silent; a new attempt has begun
    PATH_OUTPUT_FAILED,    // an attempt ended without a path: `why`; it will be tried again
};

struct path_output {
    enum path_output_kind kind;
    struct address to; // SEND, VALIDATED
    uint8_t ttl;       // SEND
    uint8_t size;      // SEND
    uint8_t bytes[PROBE_SIZE];
    bool reply;           // INTENT
    enum path_rung rung;  // VALIDATED
    uint32_t rtt_ms;      // VALIDATED
    uint16_t keepalive_s; // VALIDATED
    enum path_why why;    // LOST, FAILED
};

enum {
    PATH_TARGETS_MAX = 10, // 8 of the peer, the current endpoint, one peer-reflexive
    PATH_PROBES_MAX = 16,  // outstanding; the oldest is forgotten
    PATH_SUBNETS_MAX = 8,  // more of the own ones are not looked at
    PATH_ANSWERS_MAX = 4,  // successes that wait to be drained; more requests are dropped

    PATH_ATTEMPT_MS = 10000,       // from the start, and again from when the peer is first heard
    PATH_PROBE_INTERVAL_MS = 250,  // after rounds at 0, 20, 70 and 170 ms
    PATH_QUICK_ROUNDS = 11,        // 2 s; what answers late is not missed at a slower pace,
    PATH_PROBE_SLOW_MS = 1000,     // and several attempts find room in the limiter
    PATH_PUNCH_INTERVAL_MS = 4000, // the pre-punch again, while the peer is not heard
    PATH_UNHEARD_PROBE_MS = 3000,  // then probes go even to a NATed peer that is silent
    // How long after the first probes a LAN address may still win over an answer that came first.
    PATH_SETTLE_MS = 30,
    PATH_SETTLE_CURRENT_MS = 250, // the same for the endpoint that the device has
    PATH_HANDSHAKE_MS = 30000,
    PATH_KEEPALIVE_S = 25,
    PATH_RX_SILENT_MS = 40000,        // both sides send a keepalive every 25 s
    PATH_HANDSHAKE_FRESH_MS = 180000, // REJECT_AFTER_TIME of WireGuard
    // Longer than the 30 s that a NAT keeps an unanswered entry, so that a clash dies out.
    PATH_BACKOFF_MIN_MS = 35000,
    PATH_BACKOFF_MAX_MS = 300000,
    PATH_BACKOFF_CONTROLLED_MS = 5000, // the controlled side waits so much longer
    PATH_PREPUNCH_TTL = 2,             // own NAT layers + 1
    PATH_TARGET_PORT_MIN = 1024,
    PATH_REQUESTS_PER_SECOND = 100, // authenticated messages looked at, of one peer
};

struct path_config {
    uint8_t prepunch_ttl; // 0 = PATH_PREPUNCH_TTL
    bool ipv6;            // the shared socket can send IPv6
    bool controlling;     // our token is the lower one: it retries first
};

// This side of an attempt. Spans nothing: copied at the call.
struct path_own {
    enum nat_class nat_class;
    bool single_reflector;
    const struct candidates *candidates; // never probed themselves
    const struct prefix *subnets;        // of our own interfaces, without the overlay's
    size_t subnet_count;
};

// The other side, from its record or, better, its intent.
struct path_peer {
    enum nat_class nat_class;
    const struct candidates *candidates;
};

// What the device says of the peer. Counters as WireGuard keeps them.
struct path_device {
    bool has_handshake;
    uint64_t handshake_age_ms;
    uint64_t rx_bytes;
};

struct path_target {
    struct address address;
    enum path_rung rung;
    bool current;       // the endpoint that the device has
    bool opened;        // may be probed without hearing the peer first
    bool requested;     // a probe of the peer came from there
    bool punch_due;     // a low-TTL packet waits to be drained
    bool probe_due;     // a probe waits to be drained
    bool answered;      // in this attempt
    uint8_t unanswered; // taken from the limiter and not given back
    uint32_t rtt_ms;
};

struct path_probe {
    struct stun_transaction transaction;
    uint8_t target; // index; UINT8_MAX = unused
    uint64_t sent_at_ms;
};

struct path_answer {
    struct stun_transaction transaction;
    struct address to;
};

struct path {
    struct path_config config;
    struct probe_key key;
    enum path_state state;
    enum path_why why; // of the last failure; NONE once connected
    enum path_rung rung;
    enum nat_class own_class;
    enum nat_class peer_class;
    bool own_single;
    bool working;            // the device has an endpoint that carried traffic and is not silent
    struct address current;  // endpoint handed out last; unset = none
    struct address observed; // how the peer sees our WireGuard port; unset = not told yet
    uint32_t rtt_ms;

    struct path_target targets[PATH_TARGETS_MAX];
    uint8_t target_count;
    struct path_probe probes[PATH_PROBES_MAX];
    uint8_t probe_next;
    struct path_answer answers[PATH_ANSWERS_MAX];
    uint8_t answer_count;
    struct budget requests;

    bool peer_heard;  // intent or probe of the peer in this attempt
    bool limited;     // the limiter refused in this attempt
    uint8_t round;    // of probes
    uint8_t attempts; // failed in a row
    uint64_t rx_bytes;
    struct mono rx_at;      // when rx_bytes last grew
    struct mono state_at;   // when the state was entered
    struct mono attempt_at; // when the attempt began, or the peer was first heard in it
    struct mono probe_at;   // next round
    struct mono punch_at;   // next pre-punch
    struct mono settle_at;  // when the best answer so far is taken
    struct mono retry_at;   // BACKOFF

    bool intent_due, intent_reply;
    bool validated_due, connected_due, lost_due, failed_due;
};

// `key` is copied: the path is then one of its owners. Precondition: the node is willing to talk to
// this peer (its record is verified): an authenticated probe of the peer starts an attempt.
void path_init(struct path *path, const struct path_config *config, const struct probe_key *key);

// We want this peer: starts an attempt, or, if one runs, adds the candidates to it; without effect
// while VALIDATED. On a connected path it re-validates: call it then only after the own mapping
// changed.
void path_start(
    struct path *path, struct mono now, const struct path_own *own, const struct path_peer *peer);

// The peer's intent was accepted (signature, freshness, gate): as path_start, and full-TTL probes
// may go. `answer`: it was not a reply itself, so an INTENT output with `reply` follows, after the
// pre-punch. On a connected path it re-validates: the peer has lost its side or moved.
void path_on_intent(struct path *path, struct mono now, const struct path_own *own,
    const struct path_peer *peer, bool answer);

// A STUN message with MAC. ERR_NOT_FOUND: another pair's; ERR_SIGNATURE, ERR_TRUNCATED: as
// probe_check; ERR_MISMATCH: an answer to nothing that was asked of `from`; ERR_RATE: too many
// requests; ERR_UNSUPPORTED: not a Binding request or success. All mean "drop and count".
enum status path_on_probe(struct path *path, struct mono now, struct probe_limiter *limiter,
    const struct address *from, const struct stun_message *message);

// At every read of the device, at least each 5 s while VALIDATED or CONNECTED.
void path_on_device(struct path *path, struct mono now, const struct path_device *device);

struct mono path_deadline(const struct path *path);
void path_on_deadline(struct path *path, struct mono now);

// Back to IDLE; forgets candidates and the current endpoint.
void path_stop(struct path *path, struct mono now);

// Fills `ret` and returns true, or false if nothing waits. Drain it after every call above.
bool path_next_output(struct path *path, struct mono now, struct probe_limiter *limiter,
    struct rng *rng, struct path_output *ret);

// True while an endpoint that works (as far as is known) is on the device.
bool path_is_connected(const struct path *path);
enum path_note path_note(const struct path *path);

const char *path_state_name(enum path_state state); // "probing"
const char *path_rung_name(enum path_rung rung);    // "lan"
// A clause that names the reason and, where there is one, the next step. Static storage.
const char *path_why_text(enum path_why why);
const char *path_note_text(enum path_note note);

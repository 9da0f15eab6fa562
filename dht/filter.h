// SPDX-License-Identifier: GPL-3.0-or-later
//
// What stands between OpenDHT and the wire, in both directions. Pure: it judges and edits one
// datagram at a time and holds nothing but small tables.
//
// In: malformed datagrams, answers to nothing we asked (transaction id and address), parts of
// values that were not announced, and more than a prefix's budget are dropped. A put is rewritten
// to one plain value of at most DHT_PUT_MAX_SIZE bytes, or, if it is not that, to an empty one that
// the storage policy refuses, so that the sender sees OpenDHT's own answer. A refresh is answered
// with "not found", which makes the sender put: OpenDHT would renew a value unasked. Out: no query
// to a client; clients taken out of node lists; and to an address without proof at most 3 x the
// bytes received from it (RFC 9000, 8.1): node lists are cut, values wait until the address has
// answered a ping with an unguessable transaction id. An address is proven for 10 minutes by
// answering a query of ours, or by a token that OpenDHT accepted (a put that it acknowledges, a
// listen that it serves).
//
// Tables (capacities: dht_limits), each a linear scan:
// - peers, by address: when full, the one seen longest ago goes, unproven ones first. A stranger
//   with many forged sources can push out unproven addresses only, and its own; what an address
//   that was pushed out had left of its 3 x is forgotten with it.
// - queries, own ones under way: when full the oldest goes; only our own doing fills it.
// - listens, own ones, by address and socket: likewise.
// - budgets per prefix: see base/budget.h; one budget for the whole stands behind each.
#pragma once

#include "dht/core.h"
#include "dht/datagram.h"

enum {
    FILTER_PROVEN_MS = 10 * 60 * 1000,
    FILTER_CLIENT_MS = 10 * 60 * 1000,
    FILTER_QUERY_MS = 15 * 1000,  // OpenDHT gives up after 8.5 s
    FILTER_LISTEN_MS = 60 * 1000, // OpenDHT renews after 20 s
    FILTER_CHALLENGE_MS = 3 * 1000,
    FILTER_AMPLIFICATION = 3,
    FILTER_PADDED_SIZE = 192, // of a first query, so that its answer needs no cutting
    FILTER_PING_MAX = 80,     // the size of our own ping, at most
    FILTER_PARTS_MAX = 16,    // values of one update that may come in parts
    FILTER_PARTS_BYTES_MAX = 16 * 700,
};

struct filter_peer {
    struct address address; // unset: free
    uint64_t received;      // while unproven
    uint64_t sent;          // while unproven
    struct mono proven_until;
    struct mono client_until;
    struct mono server_until; // it answered a query of ours as a server
    struct mono challenged_at;
    uint32_t challenge;
    bool challenged;
    struct mono used_at;
};

struct filter_query {
    struct address address; // unset: free
    uint32_t tid;
    enum datagram_kind kind; // UPDATE: an incoming one whose parts are awaited
    bool answered;
    uint32_t parts_left;
    struct mono sent_at;
};

struct filter_listen {
    struct address address; // unset: free
    uint32_t socket;
    struct dht_key key;
    struct mono until;
};

struct filter {
    struct dht_limits limits;
    uint32_t network;
    bool server;
    bool ipv4;
    bool ipv6;
    struct dht_key id;
    struct rng rng;
    struct filter_peer *peers;
    struct filter_query *queries;
    struct filter_listen *listens;
    struct prefix_budgets queries_by_prefix;
    struct prefix_budgets puts_by_prefix;
    struct prefix_budgets unproven_by_prefix;
    struct budget queries_whole;
    struct budget puts_whole;
    uint8_t scratch[DHT_DATAGRAM_MAX];
};

// Allocates the tables. ERR_RANGE: a capacity below its least. ERR_FULL: no memory.
enum status filter_create(struct filter *filter, const struct dht_core_config *config,
    const struct dht_key *id, struct rng rng);
void filter_destroy(struct filter *filter);

enum filter_verdict {
    FILTER_PASS,
    FILTER_CONSUMED, // an answer to our own ping; nothing for OpenDHT
    FILTER_DROP,     // for the reason in `drop`; going out: as if lost
    FILTER_REFUSE,   // going out: OpenDHT shall take the address for unreachable
    FILTER_HOLD,     // going out: keep it until the address is proven
};

struct filter_result {
    enum dht_drop drop; // set with DROP, REFUSE; with PASS it is DHT_DROPS or what was hidden
    bool proven;        // the address has just been proven: release what is held for it
    bool became_server; // it was a client, and `datagram.id` is no longer
    bool challenge;     // going out: send filter_write_challenge to the same address
    struct datagram datagram;
};

// One datagram that came in; `edit` holds its bytes and afterwards those for OpenDHT.
enum filter_verdict filter_ingress(struct filter *filter, struct mono now,
    const struct address *from, struct datagram_edit *edit, struct filter_result *ret);

// One datagram of OpenDHT's. `contact`: a bootstrap address, which may be pinged although it is a
// client, since it is how we learn that it no longer is.
enum filter_verdict filter_egress(struct filter *filter, struct mono now, const struct address *to,
    bool contact, struct datagram_edit *edit, struct filter_result *ret);

// The ping that proves an address, after a result with `challenge`.
void filter_write_challenge(
    struct filter *filter, struct mono now, const struct address *to, struct datagram_edit *ret);

bool filter_is_proven(const struct filter *filter, struct mono now, const struct address *address);

// The listen that `address` was asked for under `socket`, or NULL. Until the next call.
const struct filter_listen *filter_find_listen(
    const struct filter *filter, struct mono now, const struct address *address, uint32_t socket);

uint32_t filter_clients(const struct filter *filter, struct mono now);

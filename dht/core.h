// SPDX-License-Identifier: GPL-3.0-or-later
//
// The DHT engine: OpenDHT's own core driven by calls. No thread, no socket, no blocking: datagrams
// go in with the time they came, datagrams and events are drained. The daemon and the simulator
// run the same object file.
//
// Every call that may change something is followed by draining dht_core_next_send and
// dht_core_next_event until they return false, and by asking dht_core_tick when it is next due (any
// call may bring that forward). Between OpenDHT and the wire stands dht/filter.h: what is
// malformed, unasked for, over budget, or not one of our values never reaches OpenDHT, and nothing
// larger than an address has earned leaves. No C++ exception passes this header: one that OpenDHT
// throws is caught, counted, and ends at most the operation at hand.
//
// OpenDHT reads the steady clock by itself (the simulator hooks it); `now` serves our own tables
// and must run at the same rate.
#pragma once

#include "base/address.h"
#include "base/budget.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/rng.h"

struct dht_core;

enum {
    DHT_DATAGRAM_MAX = 1472,   // what we send, and the most that we look at
    DHT_VALUES_PER_GET = 256,  // a read delivers no more values than this
    DHT_OPERATIONS_MAX = 1024, // puts, gets and listens under way
    DHT_BOOTSTRAP_MAX = 16,    // addresses that are asked while the routing table is empty
    DHT_PUT_MAX_SIZE = 500,    // so that one packed value travels in one datagram
};

// What to do with a value that a stranger puts. Asked for each put whose token is valid (so its
// source address is real), after the size and rate checks. `expires_at` may lie at most 10 minutes
// ahead: OpenDHT forgets then.
enum dht_store_verdict {
    DHT_STORE_REFUSE, // acknowledged all the same, as OpenDHT does: a refusal would only make the
                      // sender try further nodes
    DHT_STORE_ACCEPT,
};

struct dht_put {
    struct address from;
    struct dht_key key;
    uint64_t value_id; // as the sender chose it
    struct span value; // valid during the call
    bool wanted;       // false; whoever is asked may know better before he asks the policy
};

struct dht_store_answer {
    enum dht_store_verdict verdict;
    uint64_t value_id; // what to store it under; a stored value with this id is replaced
    struct mono expires_at;
};

// The storage policy. It must not call the core; values to drop go through dht_core_drop later.
typedef struct dht_store_answer (*dht_store_hook)(
    void *context, struct now now, const struct dht_put *put);

// Rates are of incoming work. Capacities are entries; each table says in dht/filter.h what is
// evicted when it is full.
struct dht_limits {
    struct budget_rate queries_per_prefix;
    struct budget_rate queries_whole;
    struct budget_rate puts_per_prefix;
    struct budget_rate puts_whole;
    struct budget_rate unproven_bytes_per_prefix; // replies to addresses without proof
    size_t prefixes;                              // at least 1
    size_t peers;                                 // at least 16
    size_t queries_pending; // own queries whose answer is awaited; at least 16
    size_t replies_held;    // replies that wait for a proof of address
};

// What the daemon uses.
struct dht_limits dht_limits_default(void);

// Small tables for many nodes in one process.
struct dht_limits dht_limits_small(void);

struct dht_core_config {
    struct dht_key node_id; // zero = drawn from `seed`
    uint32_t network;       // OpenDHT's network number: datagrams of another one are dropped
    bool server;            // see dht_core_set_server
    bool ipv4;
    bool ipv6;
    uint8_t seed[RNG_SEED_SIZE]; // for transaction ids and the node id
    dht_store_hook store;        // NULL: nothing is stored for others
    void *store_context;
    struct dht_limits limits;
};

// ERR_RANGE: neither family, or a capacity below its least. ERR_IO: OpenDHT refused to start.
// Destroy with dht_core_destroy, which accepts NULL and sends nothing.
enum status dht_core_create(
    const struct dht_core_config *config, struct now now, struct dht_core **ret);
void dht_core_destroy(struct dht_core *core);

// One datagram from the DHT socket (those with the STUN cookie belong to nat/).
void dht_core_recv(
    struct dht_core *core, struct now now, const struct address *from, struct span bytes);

// Does what is due and says when to be called next, `now` excluded. Calling it early or late is
// harmless.
struct mono dht_core_tick(struct dht_core *core, struct now now);

struct dht_send {
    struct address to;
    struct span bytes; // valid until the next call that takes the core
};

// The next datagram to send, until false. A send that fails is a lost datagram.
bool dht_core_next_send(struct dht_core *core, struct dht_send *ret);

enum dht_event_kind {
    DHT_EVENT_PUT_DONE,      // ok: at least one node took it (a hint: nodes acknowledge refusals)
    DHT_EVENT_VALUE,         // get and listen: a value was found
    DHT_EVENT_VALUE_EXPIRED, // listen: a value is gone
    DHT_EVENT_GET_DONE,      // ok: the nodes nearest to the key answered; no further values
    DHT_EVENT_JOINED,        // the routing table has a node that answers, after it had none
    DHT_EVENT_ALONE,         // it has none any more
};

struct dht_event {
    enum dht_event_kind kind;
    bool ok;
    uint64_t operation; // 0 for JOINED and ALONE
    struct dht_key key;
    uint64_t value_id;
    struct span value; // valid until the next call that takes the core
};

// The next event, until false. Events of an operation that was cancelled or stopped do not come.
bool dht_core_next_event(struct dht_core *core, struct dht_event *ret);

// Asks `address` for nodes while the routing table has none that answers, again and again with a
// back-off from 1 s to 30 s. Known already: nothing. ERR_FULL: DHT_BOOTSTRAP_MAX are known.
// ERR_RANGE: an unusable address.
enum status dht_core_bootstrap(
    struct dht_core *core, struct now now, const struct address *address);

struct dht_node {
    struct dht_key id;
    struct address address;
};

// A node remembered from an earlier run; it is tried, not trusted. ERR_RANGE: unusable address.
enum status dht_core_insert_node(
    struct dht_core *core, struct now now, const struct dht_node *node);

// The nodes of the routing table that answered lately, best first, to be remembered. Returns how
// many were written; at most `capacity`.
size_t dht_core_export_nodes(struct dht_core *core, struct dht_node *ret, size_t capacity);

// Puts `value` once at the 8 nodes nearest to `key`; PUT_DONE says when. A put under a value id
// that lies there replaces it at nodes of ours; stock nodes keep the old value until it expires, so
// a reader takes the newest. No refresh: the caller puts again before 10 minutes are over.
// `operation` is the caller's name for it, not 0 and not in use: ERR_EXISTS. ERR_TOO_LARGE,
// ERR_RANGE (value id 0), ERR_FULL, ERR_IO (OpenDHT threw).
enum status dht_core_put(struct dht_core *core, struct now now, uint64_t operation,
    const struct dht_key *key, uint64_t value_id, struct span value);

// Reads the values at `key`: VALUE events as they come, then GET_DONE. Failures as above.
enum status dht_core_get(
    struct dht_core *core, struct now now, uint64_t operation, const struct dht_key *key);

// VALUE for what lies at `key` now and for each change, until dht_core_cancel. It costs about 0.4
// datagrams a second. Failures as above.
enum status dht_core_listen(
    struct dht_core *core, struct now now, uint64_t operation, const struct dht_key *key);

// Ends an operation; no event of it comes after. Unknown operations are ignored. A put that is
// cancelled lives on where it has arrived, until it expires.
void dht_core_cancel(struct dht_core *core, struct now now, uint64_t operation);

// For a get whose caller has what it wanted: as dht_core_cancel.
void dht_core_stop(struct dht_core *core, struct now now, uint64_t operation);

// Removes a value that the storage policy no longer wants, and an own one from the local store.
void dht_core_drop(
    struct dht_core *core, struct now now, const struct dht_key *key, uint64_t value_id);

// The addresses under us changed: recontacts known nodes and bootstrap addresses, listens anew. The
// caller puts again.
void dht_core_connectivity_changed(struct dht_core *core, struct now now);

// A server is reachable by strangers: it is put into routing tables and stores. A client (all start
// as one) says so in each datagram, with `ro` of BEP 43 and with OpenDHT's own `s`, and others
// leave it out of their tables and of the node lists they send.
void dht_core_set_server(struct dht_core *core, struct now now, bool server);

// Why a datagram went no further. X(name, text): the text is for metrics.
#define DHT_DROP_LIST(X)                                                                           \
    X(DHT_DROP_MALFORMED, "malformed")                                                             \
    X(DHT_DROP_NETWORK, "other_network")                                                           \
    X(DHT_DROP_UNASKED, "unasked_answer")                                                          \
    X(DHT_DROP_FRAGMENT, "multi_part_put")                                                         \
    X(DHT_DROP_VALUE, "value_not_ours")                                                            \
    X(DHT_DROP_VALUE_SIZE, "value_too_large")                                                      \
    X(DHT_DROP_BUDGET, "over_budget")                                                              \
    X(DHT_DROP_PUT_BUDGET, "put_over_budget")                                                      \
    X(DHT_DROP_READ_LIMIT, "answer_too_large")                                                     \
    X(DHT_DROP_CLIENT, "query_to_client")                                                          \
    X(DHT_DROP_UNPROVEN, "reply_to_unproven")                                                      \
    X(DHT_DROP_FAMILY, "family_off")                                                               \
    X(DHT_DROP_QUEUE, "queue_full")

#define DHT_DROP_ENUM_ENTRY(name, text) name,
enum dht_drop { DHT_DROP_LIST(DHT_DROP_ENUM_ENTRY) DHT_DROPS };
#undef DHT_DROP_ENUM_ENTRY

// The text of the list above. Static storage.
const char *dht_drop_name(enum dht_drop drop);

struct dht_family_status {
    uint32_t good;    // nodes that answered lately
    uint32_t dubious; // nodes that did not
    uint32_t searches;
};

struct dht_status {
    struct dht_key node_id;
    bool server;
    bool joined; // a non-empty routing table, with a node that answered
    struct dht_family_status ipv4;
    struct dht_family_status ipv6;
    uint32_t operations;
    uint64_t store_values; // held for others and of our own
    uint64_t store_bytes;
    uint32_t clients_known;
    uint64_t datagrams_in;
    uint64_t datagrams_out;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t puts_stored;
    uint64_t puts_refused;
    uint64_t replies_held;
    uint64_t exceptions;
    uint64_t drops[DHT_DROPS];
};

struct dht_status dht_core_status(struct dht_core *core, struct now now);

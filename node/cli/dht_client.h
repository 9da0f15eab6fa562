// SPDX-License-Identifier: GPL-3.0-or-later
//
// The command's own end of the DHT, for when no daemon of this machine runs: the engine as a
// client, on a port of its own, driven by whoever waits for it. Where a daemon runs, ask it instead
// (the control verb `resolve`): it knows the DHT already and judges what it finds.
//
//    dht_client_open, then either the two at the end, which wait for one thing,
//    or get and put as many as you like and take what comes with dht_client_next.
#pragma once

#include "dht/core.h"
#include "dht/record.h"
#include "node/cli/cli.h"

enum {
    DHT_CLIENT_JOIN_MS = 10000,
    DHT_CLIENT_OPERATIONS_MAX = 64, // under way at a time
};

struct dht_client;

// Joins the DHT of `network`: by --bootstrap if that is given, else by the configured hosts, this
// instance's daemon if it runs, and the nodes that it has remembered. The network secret is the
// configured one. DONE, or an exit code after having said why: nobody to ask, or nobody answered in
// time.
int dht_client_open(struct cli *cli, const struct state *state, const struct network *network,
    uint64_t timeout_ms, struct dht_client **ret);

// The keys of `network` with the configured network secret; wipe them. DONE, or an exit code after
// having said why.
int dht_client_configured_keys(
    struct cli *cli, const struct network *network, struct network_keys *ret);

// Accepts NULL. What was put stays where it arrived for 10 minutes at most.
void dht_client_close(struct dht_client *client);

// For the keys of records (key_of_record, record_decode). Valid until the close.
const struct network_keys *dht_client_keys(const struct dht_client *client);

// Starts a read or a put; `operation` is the caller's name for it, not 0 and not in use. ERR_FULL:
// take what comes first. As dht_core_get and dht_core_put otherwise.
enum status dht_client_get(
    struct dht_client *client, uint64_t operation, const struct dht_key *key);
enum status dht_client_put(struct dht_client *client, uint64_t operation, const struct dht_key *key,
    uint64_t value_id, struct span value);

// The next event of these operations (VALUE, GET_DONE, PUT_DONE), within `timeout_ms`; false if
// nothing came. Its value is valid until the next call. An operation that is never done is ended by
// dht_client_cancel.
bool dht_client_next(struct dht_client *client, uint64_t timeout_ms, struct dht_event *ret);
void dht_client_cancel(struct dht_client *client, uint64_t operation);

// Puts `value` and waits. OK: at least one node took it, or said so. ERR_UNREACHABLE: nobody did in
// time.
enum status dht_client_put_wait(struct dht_client *client, const struct dht_key *key,
    uint64_t value_id, struct span value, uint64_t timeout_ms);

// The best claim to the seat of `token` that lies in the DHT: of those whose delegation is by
// `owner` (NULL: by anybody, which a stranger may use to show you a record of his own) the one that
// outranks the others; it may be a tombstone. The record's own signature is verified, the owner's
// is not. ERR_NOT_FOUND: none; ERR_UNREACHABLE: the read did not end in time and showed none.
enum status dht_client_record(struct dht_client *client, const struct token_id *token,
    const struct eth_address *owner, uint64_t timeout_ms, struct record *ret);

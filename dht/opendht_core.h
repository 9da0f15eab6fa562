// SPDX-License-Identifier: GPL-3.0-or-later
//
// The C face of dht::Dht, for dht/core.c alone: it extends OpenDHT's C bindings by what they leave
// out (value ids, a socket of the caller's, replacing in place, statistics, being driven), in their
// types and naming. The one C++ file of the project is behind it; no exception passes it.
//
// Calls out (struct dht_driven_calls) come only from within calls in, and must not call back in.
#pragma once

#include <opendht/opendht_c.h>

#ifdef __cplusplus
extern "C" {
#endif

struct dht_driven;

struct dht_driven_address {
    uint8_t family; // 4 or 6
    uint8_t ip[16];
    uint16_t port;
};

struct dht_driven_stored {
    dht_value_id id;
    uint64_t lifetime_ms; // at most 10 minutes
};

struct dht_driven_calls {
    void *context;
    // 0, or an errno: EHOSTUNREACH makes OpenDHT take the node for dead at once.
    int (*send)(void *context, const struct dht_driven_address *to, dht_data_view bytes);
    // May a put whose token is valid be stored? True and how.
    bool (*judge)(void *context, const struct dht_driven_address *from, const dht_infohash *key,
        dht_value_id id, dht_data_view value, struct dht_driven_stored *ret);
    // A value of a get or listen. False ends a get.
    bool (*value)(void *context, uint64_t operation, const dht_infohash *key, dht_value_id id,
        dht_data_view value, bool expired);
    // A put or get is over.
    void (*done)(void *context, uint64_t operation, bool ok);
    // A stranger's value was stored.
    void (*stored)(void *context, const dht_infohash *key, dht_value_id id, dht_data_view value);
};

struct dht_driven_config {
    dht_infohash node_id;
    uint32_t network;
    struct dht_driven_calls calls;
};

struct dht_driven_stats {
    uint32_t good[2]; // IPv4, IPv6
    uint32_t dubious[2];
    uint32_t searches[2];
    uint64_t store_bytes;
    uint64_t store_values;
    uint64_t exceptions;
};

struct dht_driven_node {
    dht_infohash id;
    struct dht_driven_address address;
};

// NULL if OpenDHT throws.
struct dht_driven *dht_driven_new(const struct dht_driven_config *config);
void dht_driven_delete(struct dht_driven *driven);

// One datagram, or with no bytes only what is due. Returns the milliseconds until it wants to be
// called again, at least 1.
uint64_t dht_driven_periodic(
    struct dht_driven *driven, const struct dht_driven_address *from, dht_data_view bytes);

// False if OpenDHT threw.
bool dht_driven_put(struct dht_driven *driven, uint64_t operation, const dht_infohash *key,
    dht_value_id id, dht_data_view value);
bool dht_driven_get(struct dht_driven *driven, uint64_t operation, const dht_infohash *key);
bool dht_driven_listen(
    struct dht_driven *driven, const dht_infohash *key, uint64_t operation, size_t *ret_token);
void dht_driven_cancel_listen(struct dht_driven *driven, const dht_infohash *key, size_t token);

// Ends the announcement of a value and removes it from the local store.
void dht_driven_drop(struct dht_driven *driven, const dht_infohash *key, dht_value_id id);

void dht_driven_ping(struct dht_driven *driven, const struct dht_driven_address *address);
void dht_driven_insert_node(struct dht_driven *driven, const struct dht_driven_node *node);
size_t dht_driven_export_nodes(
    struct dht_driven *driven, struct dht_driven_node *ret, size_t capacity);
void dht_driven_connectivity_changed(struct dht_driven *driven);
void dht_driven_get_stats(struct dht_driven *driven, struct dht_driven_stats *ret);

#ifdef __cplusplus
}
#endif

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The engine's inside, shared by core.c (driving) and core_operations.c (puts, gets, listens).
#pragma once

#include "dht/core.h"
#include "dht/filter.h"
#include "dht/opendht_core.h"
#include "dht/queue.h"

#include <sodium.h>

enum {
    SEEN_MAX = 16,
};

enum operation_kind {
    OPERATION_PUT,
    OPERATION_GET,
    OPERATION_LISTEN,
};

struct seen {
    uint64_t value_id;
    uint8_t digest[crypto_shorthash_BYTES];
};

struct operation {
    uint64_t id; // 0: free
    enum operation_kind kind;
    struct dht_key key;
    size_t token; // OpenDHT's, of a listen
    uint32_t delivered;
    struct seen seen[SEEN_MAX];
    uint32_t seen_count; // ever; the ring's next place is this modulo its size
};

struct contact {
    struct address address;
    struct mono ask_at;
    uint32_t wait_ms;
};

struct dht_core {
    struct filter filter;
    struct dht_driven *driven;
    struct dht_core_config config;
    struct now now; // of the call that is running
    struct mono wake;
    struct mono joined_check_at;
    bool joined;
    uint8_t
        digest_key[crypto_shorthash_KEYBYTES]; // or a stranger could make values that hide others
    struct operation *operations;              // grows up to DHT_OPERATIONS_MAX
    size_t operations_capacity;
    struct contact contacts[DHT_BOOTSTRAP_MAX];
    size_t contacts_count;
    struct queue sends;
    struct queue events;
    struct queue held;
    struct item *lent; // what the caller looks at
    struct dht_status counts;
};

// Every call in begins with it.
void core_begin(struct dht_core *core, struct now now);

// Makes OpenDHT act on what it was told.
void core_flush(struct dht_core *core);

void core_push_event(struct dht_core *core, const struct dht_event *event);

struct dht_key key_of_hash(const dht_infohash *hash);
dht_infohash hash_of_key(const struct dht_key *key);

// A value at `key` for all who listen there.
void core_tell_listeners(
    struct dht_core *core, const struct dht_key *key, uint64_t value_id, struct span value);

// Calls out of OpenDHT, see dht_driven_calls.
bool core_on_value(void *context, uint64_t id, const dht_infohash *key, dht_value_id value_id,
    dht_data_view value, bool expired);
void core_on_done(void *context, uint64_t id, bool ok);
void core_on_stored(
    void *context, const dht_infohash *hash, dht_value_id value_id, dht_data_view value);

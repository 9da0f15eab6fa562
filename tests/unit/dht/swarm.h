// SPDX-License-Identifier: GPL-3.0-or-later
//
// Engines in one process on a virtual clock and an in-memory network. Linking swarm.c replaces
// clock_gettime and std::random_device for the whole program, so OpenDHT's own clock is virtual too
// and every run is alike.
#pragma once

#include "dht/core.h"

enum {
    SWARM_NODES_MAX = 64,
    SWARM_STORE_MAX = 1024,
};

struct swarm_value {
    struct dht_key key;
    uint64_t id;
    uint8_t bytes[DHT_PUT_MAX_SIZE];
    size_t size;
};

// What one node was told, newest last; `values_count` may pass the array, the rest is not kept.
struct swarm_told {
    struct swarm_value values[64];
    size_t values_count;
    size_t expired_count;
    uint64_t done_operation;
    bool done;
    bool done_ok;
    size_t done_count;
    bool joined;
};

struct swarm_node {
    struct dht_core *core; // NULL: not one of ours; `raw` gets what is sent there
    struct address address;
    struct swarm_told told;
    struct mono wake;
    bool nat; // only who was sent something from here gets through
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t datagrams_in;
    uint64_t queries_in; // that carry "q"
    size_t judged;
    size_t accept_max; // the storage policy takes that many values with a first byte of 'v'
};

struct swarm;

// Called for each datagram as it is sent. False: it is lost.
typedef bool (*swarm_tap)(void *context, struct swarm *swarm, const struct address *from,
    const struct address *to, struct span bytes);

struct swarm *swarm_new(void);
void swarm_delete(struct swarm *swarm);
void swarm_set_tap(struct swarm *swarm, swarm_tap tap, void *context);

struct now swarm_now(void);

// Adds an engine at 10.0.x.y:4000, x.y from its number; `server` as in dht_core_config.
size_t swarm_add(struct swarm *swarm, bool server);

// Adds an engine behind a NAT of its own.
size_t swarm_add_client(struct swarm *swarm);

// An address that is nobody's engine: the tap sees what goes there.
struct address swarm_stranger(uint8_t number);

struct swarm_node *swarm_node(struct swarm *swarm, size_t index);

// `index` is asked for nodes by all later ones.
void swarm_join(struct swarm *swarm, size_t index, size_t through);

// Something sent from anywhere.
void swarm_inject(
    struct swarm *swarm, const struct address *from, const struct address *to, struct span bytes);

// Runs `ms` of virtual time.
void swarm_run(struct swarm *swarm, uint64_t ms);

// Runs until `told.done` of a node, at most `ms`; returns how long it took.
uint64_t swarm_run_done(struct swarm *swarm, size_t index, uint64_t ms);

// Operations with a fresh number; the answer stands in `told` (which is cleared).
uint64_t swarm_put(
    struct swarm *swarm, size_t index, const struct dht_key *key, uint64_t id, const char *text);
uint64_t swarm_get(struct swarm *swarm, size_t index, const struct dht_key *key);
uint64_t swarm_listen(struct swarm *swarm, size_t index, const struct dht_key *key);

struct dht_key swarm_key(const char *text);
bool swarm_was_told(const struct swarm_node *node, const char *text);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The nodes of the DHT that a daemon remembers ("dht-nodes"). A cache: without it the bootstrap
// hosts are asked.
//
//    count x (id 20 B | family u8 | ip 16 B | port u16)
#pragma once

#include "dht/core.h"
#include "node/instance/state.h"

enum {
    DHT_NODES_MAX = 64,
    DHT_NODES_CONTENT_VERSION = 1,
    DHT_NODES_SIZE_MAX = DHT_NODES_MAX * (20 + 1 + 16 + 2),
};

// The file's content; `count` at most DHT_NODES_MAX.
struct span dht_nodes_encode(
    const struct dht_node *nodes, size_t count, uint8_t ret[static DHT_NODES_SIZE_MAX]);

// What the file holds; entries that are no address are left out. Statuses of state_read.
enum status dht_nodes_read(const struct state *state, struct dht_node ret[static DHT_NODES_MAX],
    size_t *ret_count, struct state_error *error);

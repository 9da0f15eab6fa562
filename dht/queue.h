// SPDX-License-Identifier: GPL-3.0-or-later
//
// First in, first out: datagrams and events, each with its bytes in one allocation. The engine's
// users bound the counts.
#pragma once

#include "dht/core.h"

struct item {
    struct item *next;
    struct address to; // datagrams
    struct mono until; // replies that are held
    struct dht_event event;
    size_t size;
    uint8_t bytes[];
};

// Zeroed = empty.
struct queue {
    struct item *first;
    struct item *last;
    size_t count;
};

// A copy of `bytes`, to be pushed or freed. NULL: no memory.
struct item *item_new(struct span bytes);

void queue_push(struct queue *queue, struct item *item);

// The oldest, which is the caller's to free; NULL if there is none.
struct item *queue_pop(struct queue *queue);

void queue_clear(struct queue *queue);

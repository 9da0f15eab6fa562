// SPDX-License-Identifier: GPL-3.0-or-later
//
// A linked list.
#include "dht/queue.h"

#include <stdlib.h>
#include <string.h>

struct item *item_new(struct span bytes)
{
    struct item *item = calloc(1, sizeof(*item) + bytes.size);
    if (item != NULL && bytes.size > 0) {
        item->size = bytes.size;
        memcpy(item->bytes, bytes.data, bytes.size);
    }
    return item;
}

void queue_push(struct queue *queue, struct item *item)
{
    item->next = NULL;
    if (queue->last == NULL) {
        queue->first = item;
    } else {
        queue->last->next = item;
    }
    queue->last = item;
    queue->count++;
}

struct item *queue_pop(struct queue *queue)
{
    struct item *item = queue->first;
    if (item == NULL) {
        return NULL;
    }
    queue->first = item->next;
    if (queue->first == NULL) {
        queue->last = NULL;
    }
    queue->count--;
    return item;
}

void queue_clear(struct queue *queue)
{
    for (struct item *item = queue_pop(queue); item != NULL; item = queue_pop(queue)) {
        free(item);
    }
}

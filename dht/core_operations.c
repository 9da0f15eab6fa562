// SPDX-License-Identifier: GPL-3.0-or-later
//
// Puts, gets and listens.
//
// A listen takes its values from three places, since OpenDHT tells a listener of a value id once
// and not of new bytes under it: from OpenDHT itself, from the updates as they come in, and from
// what is stored here. Each operation remembers what it delivered lately, so a value is an event
// once.
#include "dht/core_state.h"

#include <stdlib.h>
#include <string.h>

static struct operation *operation_find(struct dht_core *core, uint64_t id)
{
    for (size_t i = 0; i < core->operations_capacity; i++) {
        if (core->operations[i].id == id) {
            return &core->operations[i];
        }
    }
    return NULL;
}

static enum status operation_add(struct dht_core *core, uint64_t id, enum operation_kind kind,
    const struct dht_key *key, struct operation **ret)
{
    if (id == 0) {
        return ERR_RANGE;
    }
    if (operation_find(core, id) != NULL) {
        return ERR_EXISTS;
    }
    struct operation *operation = operation_find(core, 0);
    if (operation == NULL) {
        const size_t capacity = core->operations_capacity == 0 ? 16 : 2 * core->operations_capacity;
        if (capacity > DHT_OPERATIONS_MAX) {
            return ERR_FULL;
        }
        struct operation *grown = realloc(core->operations, capacity * sizeof(*grown));
        if (grown == NULL) {
            return ERR_FULL;
        }
        operation = grown + core->operations_capacity;
        memset(operation, 0, (capacity - core->operations_capacity) * sizeof(*grown));
        core->operations = grown;
        core->operations_capacity = capacity;
    }
    *operation = (struct operation){.id = id, .kind = kind, .key = *key};
    *ret = operation;
    return OK;
}

// True once for each value id and bytes, as far back as the ring goes.
static bool operation_sees(
    const struct dht_core *core, struct operation *operation, uint64_t value_id, struct span value)
{
    struct seen seen = {.value_id = value_id};
    (void)crypto_shorthash(seen.digest, value.data, value.size, core->digest_key);
    const uint32_t known =
        operation->seen_count < SEEN_MAX ? operation->seen_count : (uint32_t)SEEN_MAX;
    for (uint32_t i = 0; i < known; i++) {
        if (operation->seen[i].value_id == value_id &&
            memcmp(operation->seen[i].digest, seen.digest, sizeof(seen.digest)) == 0) {
            return false;
        }
    }
    operation->seen[operation->seen_count++ % SEEN_MAX] = seen;
    return true;
}

static void operation_forget(struct operation *operation, uint64_t value_id)
{
    for (size_t i = 0; i < SEEN_MAX; i++) {
        if (operation->seen[i].value_id == value_id) {
            operation->seen[i] = (struct seen){.value_id = 0};
        }
    }
}

// False: no more of this get.
static bool operation_value(struct dht_core *core, struct operation *operation, uint64_t value_id,
    struct span value, bool expired)
{
    if (value.size == 0 || value.size > DHT_PUT_MAX_SIZE) {
        return true;
    }
    struct dht_event event = {
        .kind = expired ? DHT_EVENT_VALUE_EXPIRED : DHT_EVENT_VALUE,
        .ok = true,
        .operation = operation->id,
        .key = operation->key,
        .value_id = value_id,
        .value = value,
    };
    if (expired) {
        operation_forget(operation, value_id);
        core_push_event(core, &event);
        return true;
    }
    if (!operation_sees(core, operation, value_id, value)) {
        return true;
    }
    core_push_event(core, &event);
    operation->delivered++;
    return operation->kind != OPERATION_GET || operation->delivered < DHT_VALUES_PER_GET;
}

void core_tell_listeners(
    struct dht_core *core, const struct dht_key *key, uint64_t value_id, struct span value)
{
    for (size_t i = 0; i < core->operations_capacity; i++) {
        struct operation *operation = &core->operations[i];
        if (operation->id != 0 && operation->kind == OPERATION_LISTEN &&
            dht_key_equal(&operation->key, key)) {
            (void)operation_value(core, operation, value_id, value, false);
        }
    }
}

// --- calls out of OpenDHT ------------------------------------------------------------------------

bool core_on_value(void *context, uint64_t id, const dht_infohash *key, dht_value_id value_id,
    dht_data_view value, bool expired)
{
    struct dht_core *core = context;
    (void)key;
    struct operation *operation = operation_find(core, id);
    return operation != NULL &&
           operation_value(core, operation, value_id, span_of(value.data, value.size), expired);
}

void core_on_done(void *context, uint64_t id, bool ok)
{
    struct dht_core *core = context;
    struct operation *operation = operation_find(core, id);
    if (operation == NULL || operation->kind == OPERATION_LISTEN) {
        return;
    }
    const struct dht_event event = {
        .kind = operation->kind == OPERATION_PUT ? DHT_EVENT_PUT_DONE : DHT_EVENT_GET_DONE,
        .ok = ok,
        .operation = id,
        .key = operation->key,
    };
    *operation = (struct operation){.id = 0};
    core_push_event(core, &event);
}

void core_on_stored(
    void *context, const dht_infohash *hash, dht_value_id value_id, dht_data_view value)
{
    const struct dht_key key = key_of_hash(hash);
    core_tell_listeners(context, &key, value_id, span_of(value.data, value.size));
}

// --- calls in ------------------------------------------------------------------------------------

enum status dht_core_put(struct dht_core *core, struct now now, uint64_t id,
    const struct dht_key *key, uint64_t value_id, struct span value)
{
    core_begin(core, now);
    if (value.size > DHT_PUT_MAX_SIZE) {
        return ERR_TOO_LARGE;
    }
    if (value.size == 0 || value_id == 0) {
        return ERR_RANGE;
    }
    struct operation *operation = NULL;
    const enum status status = operation_add(core, id, OPERATION_PUT, key, &operation);
    if (status != OK) {
        return status;
    }
    const dht_infohash hash = hash_of_key(key);
    const dht_data_view view = {.data = value.data, .size = value.size};
    if (!dht_driven_put(core->driven, id, &hash, value_id, view)) {
        dht_core_cancel(core, now, id);
        return ERR_IO;
    }
    core_flush(core);
    return OK;
}

enum status dht_core_get(
    struct dht_core *core, struct now now, uint64_t id, const struct dht_key *key)
{
    core_begin(core, now);
    struct operation *operation = NULL;
    const enum status status = operation_add(core, id, OPERATION_GET, key, &operation);
    if (status != OK) {
        return status;
    }
    const dht_infohash hash = hash_of_key(key);
    if (!dht_driven_get(core->driven, id, &hash)) {
        dht_core_cancel(core, now, id);
        return ERR_IO;
    }
    core_flush(core);
    return OK;
}

enum status dht_core_listen(
    struct dht_core *core, struct now now, uint64_t id, const struct dht_key *key)
{
    core_begin(core, now);
    struct operation *operation = NULL;
    const enum status status = operation_add(core, id, OPERATION_LISTEN, key, &operation);
    if (status != OK) {
        return status;
    }
    const dht_infohash hash = hash_of_key(key);
    size_t token = 0;
    const bool listening = dht_driven_listen(core->driven, &hash, id, &token);
    operation = operation_find(core, id);
    operation->token = token;
    if (!listening || token == 0) {
        *operation = (struct operation){.id = 0};
        return ERR_IO;
    }
    core_flush(core);
    return OK;
}

static void forget_events(struct dht_core *core, uint64_t operation)
{
    const size_t count = core->events.count;
    for (size_t i = 0; i < count; i++) {
        struct item *item = queue_pop(&core->events);
        if (item->event.operation == operation) {
            free(item);
        } else {
            queue_push(&core->events, item);
        }
    }
}

void dht_core_cancel(struct dht_core *core, struct now now, uint64_t id)
{
    core_begin(core, now);
    if (id == 0) {
        return;
    }
    forget_events(core, id);
    struct operation *operation = operation_find(core, id);
    if (operation == NULL) {
        return;
    }
    const struct operation ended = *operation;
    *operation = (struct operation){.id = 0}; // OpenDHT says a last word when it is cancelled
    if (ended.kind == OPERATION_LISTEN) {
        const dht_infohash hash = hash_of_key(&ended.key);
        dht_driven_cancel_listen(core->driven, &hash, ended.token);
    }
    core_flush(core);
}

void dht_core_stop(struct dht_core *core, struct now now, uint64_t id)
{
    dht_core_cancel(core, now, id);
}

void dht_core_drop(
    struct dht_core *core, struct now now, const struct dht_key *key, uint64_t value_id)
{
    core_begin(core, now);
    const dht_infohash hash = hash_of_key(key);
    dht_driven_drop(core->driven, &hash, value_id);
    core_flush(core);
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/node/world.h"

#include "tests/unit/unit.h"

enum {
    VALUE_LIFETIME_MS = 600000,
};

static struct network_keys keys_of_all(void)
{
    struct network network = model_network();
    return network_keys_of(&network, NULL);
}

struct dht_key world_record_key(const struct world *, uint64_t token)
{
    struct network_keys keys = keys_of_all();
    struct token_id id = token_id_of_u64(token);
    return key_of_record(&keys, &id);
}

struct dht_key world_inbox_key(const struct world *, uint64_t token)
{
    struct network_keys keys = keys_of_all();
    struct token_id id = token_id_of_u64(token);
    return key_of_inbox(&keys, &id);
}

static bool lives(const struct world *world, const struct world_value *value)
{
    return value->used && value->expires > world->now;
}

struct world_value *world_dht_find(struct world *world, const struct dht_key *key, uint64_t id)
{
    for (size_t i = 0; i < WORLD_VALUES_MAX; i++) {
        struct world_value *value = &world->values[i];
        if (lives(world, value) && dht_key_equal(&value->key, key) && value->id == id) {
            return value;
        }
    }
    return NULL;
}

size_t world_dht_count(const struct world *world, const struct dht_key *key)
{
    size_t count = 0;
    for (size_t i = 0; i < WORLD_VALUES_MAX; i++) {
        const struct world_value *value = &world->values[i];
        count += lives(world, value) && dht_key_equal(&value->key, key);
    }
    return count;
}

static bool in_dht(const struct world_node *node)
{
    return node->node != NULL && !node->dht_cut && (node->joined || node->options.first);
}

static void notify(struct world *world, const struct world_value *value)
{
    for (size_t i = 0; i < world->count; i++) {
        struct world_node *node = &world->nodes[i];
        for (size_t j = 0; in_dht(node) && j < WORLD_WATCHES_MAX; j++) {
            if (node->watches[j].used && dht_key_equal(&node->watches[j].key, &value->key)) {
                struct world_event *event = world_post(
                    world, i, WORLD_VALUE, WORLD_DHT_MS / 2, span_of(value->bytes, value->size));
                event->id = node->watches[j].op;
            }
        }
    }
}

// What our own nodes store: a record yields to none that it outranks.
static bool older_record(const struct world *, const struct world_value *held,
    const struct dht_key *key, struct span bytes)
{
    struct network_keys keys = keys_of_all();
    struct record old;
    struct record new;
    return record_decode(&keys, key, span_of(held->bytes, held->size), &old) == OK &&
           record_decode(&keys, key, bytes, &new) == OK && record_outranks(&old, &new);
}

void world_dht_store(struct world *world, const struct dht_key *key, uint64_t id, struct span bytes)
{
    struct dht_key piece = key_of_piece(bytes);
    assert_true(bytes.size <= DHT_VALUE_MAX_SIZE);
    if (world->dht_drops_pieces && dht_key_equal(&piece, key)) {
        return;
    }
    struct world_value *value = world_dht_find(world, key, id);
    for (size_t i = 0; value == NULL && i < WORLD_VALUES_MAX; i++) {
        if (!lives(world, &world->values[i])) {
            value = &world->values[i];
            *value = (struct world_value){.used = true, .key = *key, .id = id};
        }
    }
    assert_non_null(value);
    if (older_record(world, value, key, bytes)) {
        return;
    }
    bool same = span_equal(bytes, span_of(value->bytes, value->size));
    memcpy(value->bytes, bytes.data, bytes.size);
    value->size = bytes.size;
    value->expires = world->now + VALUE_LIFETIME_MS;
    value->changes++;
    if (!same) {
        notify(world, value);
    }
}

static void answer_values(struct world *world, size_t index, const struct node_effect *effect)
{
    for (size_t i = 0; i < WORLD_VALUES_MAX; i++) {
        const struct world_value *value = &world->values[i];
        if (lives(world, value) && dht_key_equal(&value->key, &effect->key)) {
            world_post(world, index, WORLD_VALUE, WORLD_DHT_MS, span_of(value->bytes, value->size))
                ->id = effect->op;
        }
    }
}

static void watch(struct world_node *node, const struct node_effect *effect)
{
    for (size_t i = 0; i < WORLD_WATCHES_MAX; i++) {
        if (!node->watches[i].used) {
            node->watches[i] =
                (struct world_watch){.used = true, .op = effect->op, .key = effect->key};
            return;
        }
    }
    fail_msg("more listens than %d", WORLD_WATCHES_MAX);
}

static void bootstrap(struct world *world, size_t index, const struct address *to)
{
    for (size_t i = 0; i < world->count; i++) {
        struct world_node *other = &world->nodes[i];
        if (i != index && other->node != NULL && !other->dht_cut && !world->nodes[index].dht_cut &&
            address_same_ip(to, &other->outside)) {
            world_post(world, index, WORLD_NODES, 2 * WORLD_LATENCY_MS, span_of(NULL, 0))->id = 1;
            world_post(world, i, WORLD_NODES, WORLD_LATENCY_MS, span_of(NULL, 0))->id = 1;
        }
    }
}

static void done(struct world *world, size_t index, uint64_t op, bool ok)
{
    struct world_event *event =
        world_post(world, index, WORLD_DONE, WORLD_DHT_MS, span_of(NULL, 0));
    event->id = op;
    event->ok = ok;
}

void world_dht_effect(struct world *world, size_t index, const struct node_effect *effect)
{
    struct world_node *node = &world->nodes[index];
    switch (effect->kind) {
    case EFFECT_DHT_BOOTSTRAP:
        bootstrap(world, index, &effect->to);
        break;
    case EFFECT_DHT_PUT:
        node->puts++;
        if (in_dht(node) && !world->dht_drops_puts) {
            struct world_event *event =
                world_post(world, index, WORLD_STORE, WORLD_DHT_MS, effect->bytes);
            event->key = effect->key;
            event->id = effect->value_id;
            done(world, index, effect->op, true);
        } else if (!in_dht(node)) {
            done(world, index, effect->op, false);
        }
        break;
    case EFFECT_DHT_GET:
        node->gets++;
        if (in_dht(node)) {
            answer_values(world, index, effect);
        }
        done(world, index, effect->op, in_dht(node) && node->joined); // nobody else answered
        break;
    case EFFECT_DHT_LISTEN:
        node->listens++;
        watch(node, effect);
        if (in_dht(node)) {
            answer_values(world, index, effect);
        }
        break;
    case EFFECT_DHT_CANCEL:
        node->cancels++;
        for (size_t i = 0; i < WORLD_WATCHES_MAX; i++) {
            if (node->watches[i].op == effect->op) {
                node->watches[i].used = false;
            }
        }
        break;
    default:
        break;
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/node/world.h"

#include "tests/unit/unit.h"

#include <sodium.h>
#include <stdlib.h>

enum {
    START_MS = 600000,
};

static uint64_t unix_ms(const struct world *world)
{
    return (uint64_t)MODEL_START_S * 1000 + world->now;
}

struct now world_now(const struct world *world, size_t index)
{
    uint64_t ms = (uint64_t)((int64_t)unix_ms(world) + world->nodes[index].skew_ms);
    return (struct now){.mono = {.ms = world->now}, .unix_time = {.ms = ms}};
}

static void sync_chain(struct world *world)
{
    world->model.now = (struct now){.mono = {.ms = world->now}, .unix_time = {unix_ms(world)}};
}

struct world *world_make(uint64_t seed)
{
    static struct world world;
    memset(&world, 0, sizeof world);
    world.now = START_MS;
    world.seed = seed;
    for (size_t i = 0; i < WORLD_PROVIDERS; i++) {
        world.model.providers[i].chain_id = model_network().chain_id;
    }
    world.model.enumerable = true;
    sync_chain(&world);
    return &world;
}

void world_free(struct world *world)
{
    for (size_t i = 0; i < world->event_count; i++) {
        model_reply_clear(&world->events[i].reply);
        free(world->events[i].bytes);
    }
    world->event_count = 0;
    for (size_t i = 0; i < world->count; i++) {
        node_destroy(world->nodes[i].node);
        free(world->nodes[i].saved);
    }
    world->count = 0;
}

struct world_event *world_post(
    struct world *world, size_t to, enum world_event_kind kind, uint64_t in_ms, struct span bytes)
{
    assert_true(world->event_count < WORLD_EVENTS_MAX);
    struct world_event *event = &world->events[world->event_count++];
    *event = (struct world_event){.kind = kind,
        .at = world->now + in_ms,
        .order = world->order++,
        .to = (uint8_t)to,
        .starts = world->nodes[to].starts,
        .size = bytes.size};
    if (bytes.size > 0) {
        event->bytes = malloc(bytes.size);
        assert_non_null(event->bytes);
        memcpy(event->bytes, bytes.data, bytes.size);
    }
    return event;
}

struct token_id world_token(const struct world *world, size_t index)
{
    return token_id_of_u64(world->nodes[index].options.token);
}

struct delegation world_delegation(
    const struct world *world, size_t index, uint8_t wallet, struct unix_time at)
{
    const struct world_node *node = &world->nodes[index];
    struct token_id token = world_token(world, index);
    struct eth_address owner = model_address(wallet);
    struct node_key key;
    memcpy(key.bytes, node->config.node_secret.bytes + 32, sizeof key.bytes);
    uint64_t window_s =
        node->options.window_s == 0 ? DELEGATION_WINDOW_DEFAULT_S : node->options.window_s;
    struct delegation delegation = delegation_draft(&token, &owner, &key, at, window_s);
    struct network network = model_network();
    struct eth_secret secret = model_secret(wallet);
    assert_int_equal(delegation_sign(&delegation, &network, &secret), OK);
    return delegation;
}

static void make_config(struct world *world, size_t index)
{
    struct world_node *node = &world->nodes[index];
    const struct world_options *options = &node->options;
    struct network network = model_network();
    uint8_t seed[32] = {options->identity};
    struct node_key public_key;
    node->config =
        (struct node_config){.capacity = {.peers = options->peers == 0 ? 8 : options->peers,
                                 .wallets = options->wallets,
                                 .members = options->members == 0 ? 64 : options->members,
                                 .tombstones = 4},
            .keys = network_keys_of(&network, NULL),
            .gate = {.network = network,
                .profile = PROFILE_ERC721,
                .providers = WORLD_PROVIDERS,
                .poll_ms = 5000,
                .grace_ms = options->grace_ms,
                .enumerate_ms = 10000},
            .token = world_token(world, index),
            .ipv4 = true,
            .ipv4_prefix = {.base = address_of_ipv4(10, 213, 0, 0, 0), .length = 16},
            .wg_port = WG_PORT_OF_ALL,
            .mesh_max = options->mesh_max == 0 ? 64 : options->mesh_max,
            .insist = options->insist};
    assert_int_equal(
        crypto_sign_seed_keypair(public_key.bytes, node->config.node_secret.bytes, seed), 0);
    seed[1] = options->identity; // X25519 clears the low bits of the first byte
    memcpy(node->config.wg_secret.bytes, seed, sizeof seed);
    assert_int_equal(crypto_scalarmult_base(world->wg_keys[index].bytes, seed), 0);
    if (!options->first) {
        node->config.bootstrap[0] = world->nodes[0].outside;
        node->config.bootstrap[0].port = DHT_PORT_OF_ALL;
        node->config.bootstrap_count = 1;
    }
    struct unix_time at = {unix_ms(world)};
    node->config.delegation = world_delegation(world, index, options->wallet, at);
}

size_t world_add(struct world *world, struct world_options options)
{
    assert_true(world->count < WORLD_NODES_MAX);
    size_t index = world->count++;
    uint8_t number = (uint8_t)(index + 1);
    options.token = options.token == 0 ? number : options.token;
    options.wallet = options.wallet == 0 ? (uint8_t)options.token : options.wallet;
    options.identity = options.identity == 0 ? number : options.identity;
    struct world_node *node = &world->nodes[index];
    *node = (struct world_node){.options = options,
        .inside = address_of_ipv4(10, number, 0, 2, 0),
        .outside = address_of_ipv4(198, 51, number, 2, 0)};
    if (options.lan) {
        node->outside = address_of_ipv4(10, 200, 0, number, 0);
    }
    node->inside = options.nat == KIND_PUBLIC ? node->outside : node->inside;
    if (model_token(&world->model, options.token) == NULL) {
        model_set_owner(&world->model, options.token, model_address(options.wallet));
    }
    make_config(world, index);
    return index;
}

void world_rotate_node_key(struct world *world, size_t index, uint8_t identity)
{
    struct world_node *node = &world->nodes[index];
    struct node_key public_key;
    uint8_t seed[32] = {identity};
    assert_int_equal(
        crypto_sign_seed_keypair(public_key.bytes, node->config.node_secret.bytes, seed), 0);
    struct now now = world_now(world, index);
    node->config.delegation = world_delegation(world, index, node->options.wallet, now.unix_time);
    assert_int_equal(node_set_node_key(node->node, now, &node->config.node_secret,
                         &node->config.delegation, span_of(NULL, 0)),
        OK);
    world_drain(world, index);
}

void world_rotate_wg_key(struct world *world, size_t index, uint8_t identity)
{
    struct world_node *node = &world->nodes[index];
    struct wg_secret secret = {{0, identity}};
    assert_int_equal(crypto_scalarmult_base(world->next_wg_keys[index].bytes, secret.bytes), 0);
    assert_int_equal(node_rotate_wg(node->node, world_now(world, index), &secret), OK);
    world_drain(world, index);
}

void world_transfer(struct world *world, uint64_t token, uint8_t wallet)
{
    model_set_owner(&world->model, token, model_address(wallet));
}

void world_up(struct world *world, size_t index)
{
    struct world_node *node = &world->nodes[index];
    assert_null(node->node);
    node->starts++;
    struct rng rng;
    uint8_t seed[RNG_SEED_SIZE] = {
        (uint8_t)(index + 1), node->starts, (uint8_t)world->seed, (uint8_t)(world->seed >> 8)};
    rng_seed(&rng, seed);
    rng_bytes(&rng, node->config.seed, sizeof node->config.seed);
    struct now now = world_now(world, index);
    assert_int_equal(
        node_create(&node->config, span_of(node->saved, node->saved_size), now, &node->node), OK);
    struct node_local_address local = {.address = node->inside, .prefix_length = 24};
    node_start(node->node, now);
    world_drain(world, index);
    node_on_local_addresses(node->node, now, &local, 1);
    world_drain(world, index);
}

size_t world_join(struct world *world, struct world_options options)
{
    size_t index = world_add(world, options);
    world_up(world, index);
    return index;
}

static void save(struct world *world, size_t index)
{
    struct world_node *node = &world->nodes[index];
    size_t size = node_state_size_max(node->node);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    struct writer writer = writer_of(bytes, size);
    assert_int_equal(node_export(node->node, world_now(world, index), &writer), OK);
    free(node->saved);
    node->saved = bytes;
    node->saved_size = writer.size;
}

void world_kill(struct world *world, size_t index)
{
    struct world_node *node = &world->nodes[index];
    node_destroy(node->node);
    node->node = NULL;
    node->joined = false;
    memset(node->peers, 0, sizeof node->peers);
    memset(node->watches, 0, sizeof node->watches);
}

void world_down(struct world *world, size_t index)
{
    save(world, index);
    world_kill(world, index);
}

// Ownership a short while ago is good enough: the chain has a head start on every reader.
static void check_admission(struct world *world, size_t index, const struct wg_peer *peer)
{
    for (size_t i = 0; i < world->count; i++) {
        const struct world_node *other = &world->nodes[i];
        bool its = wg_key_equal(&world->wg_keys[i], &peer->key) ||
                   wg_key_equal(&world->next_wg_keys[i], &peer->key);
        if (!its || other->options.identity != i + 1) {
            continue;
        }
        const struct model_token *token = model_token(&world->model, other->options.token);
        uint64_t slack = 6 + world->grace_s / 2; // blocks of 2 s
        uint64_t block = model_block(&world->model);
        struct eth_address wallet = other->config.delegation.owner;
        bool owned = false;
        for (size_t j = 0; j < token->owner_count; j++) {
            bool last = j + 1 == token->owner_count;
            bool recent = last || token->owners[j + 1].block + slack >= block;
            owned = owned || (recent && eth_address_equal(&token->owners[j].owner, &wallet));
        }
        if (!owned) {
            fail_msg("node %zu admitted node %zu, whose wallet does not own its token", index, i);
        }
    }
}

static void note(struct world *world, size_t index, const struct node_report *report)
{
    struct world_node *node = &world->nodes[index];
    size_t at =
        node->report_count < WORLD_REPORTS_MAX ? node->report_count++ : WORLD_REPORTS_MAX - 1;
    node->reports[at] = (struct world_report){.at = world->now, .report = *report};
}

static void chain_call(struct world *world, size_t index, const struct node_effect *effect)
{
    struct model_provider *provider = &world->model.providers[effect->provider];
    enum model_fault usual = provider->fault;
    if (world->nodes[index].chain != FAULT_NONE) {
        provider->fault = world->nodes[index].chain;
    }
    struct model_reply reply;
    sync_chain(world);
    model_answer(&world->model, effect->provider, effect->op, effect->bytes, &reply);
    provider->fault = usual;
    if (reply.comes) {
        struct world_event *event =
            world_post(world, index, WORLD_CHAIN, WORLD_CHAIN_MS, span_of(NULL, 0));
        event->id = effect->op;
        event->reply = reply;
    }
}

static void hash_address(crypto_generichash_state *hash, const struct address *address)
{
    uint8_t bytes[19] = {
        (uint8_t)address->family, (uint8_t)(address->port >> 8), (uint8_t)address->port};
    memcpy(bytes + 3, address->ip, sizeof address->ip);
    crypto_generichash_update(hash, bytes, sizeof bytes);
}

// Field by field: a struct has holes.
static void trace(struct world *world, size_t index, const struct node_effect *effect)
{
    crypto_generichash_state hash;
    const struct node_report *report = &effect->report;
    uint64_t words[] = {world->now, index, effect->kind, effect->op, effect->port, effect->ttl,
        effect->flag, effect->value_id, effect->provider, effect->reply_max, effect->timeout_ms,
        effect->peer.keepalive_s, effect->peer.allowed_count, effect->bytes.size, report->event,
        report->verdict.kind, report->verdict.reason, report->nat_class, report->how, report->why,
        report->left_s};
    crypto_generichash_init(&hash, NULL, 0, sizeof world->trace);
    crypto_generichash_update(&hash, world->trace.bytes, sizeof world->trace);
    crypto_generichash_update(&hash, (const uint8_t *)words, sizeof words);
    crypto_generichash_update(&hash, effect->token.bytes, sizeof effect->token);
    crypto_generichash_update(&hash, effect->owner.bytes, sizeof effect->owner);
    crypto_generichash_update(&hash, effect->key.bytes, sizeof effect->key);
    crypto_generichash_update(&hash, effect->peer.key.bytes, sizeof effect->peer.key);
    crypto_generichash_update(&hash, report->token.bytes, sizeof report->token);
    hash_address(&hash, &effect->to);
    hash_address(&hash, &effect->peer.endpoint);
    hash_address(&hash, &report->address);
    crypto_generichash_update(&hash, effect->bytes.data, effect->bytes.size);
    crypto_generichash_final(&hash, world->trace.bytes, sizeof world->trace);
}

static void perform(struct world *world, size_t index, const struct node_effect *effect)
{
    struct world_node *node = &world->nodes[index];
    switch (effect->kind) {
    case EFFECT_PEER_SET:
        node->sets++;
        check_admission(world, index, &effect->peer);
        world_peer_set(world, index, &effect->peer);
        break;
    case EFFECT_PEER_REMOVE:
        node->removes++;
        world_peer_remove(world, index, &effect->peer.key);
        break;
    case EFFECT_WG_KEY:
        world_device_key(world, index, effect->bytes);
        break;
    case EFFECT_SEND:
        world_send(world, index, effect);
        break;
    case EFFECT_MEMBER_SEND:
        world_member_send(world, index, effect);
        break;
    case EFFECT_DHT_BOOTSTRAP:
    case EFFECT_DHT_PUT:
    case EFFECT_DHT_GET:
    case EFFECT_DHT_LISTEN:
    case EFFECT_DHT_CANCEL:
        world_dht_effect(world, index, effect);
        break;
    case EFFECT_CHAIN_CALL:
        chain_call(world, index, effect);
        break;
    case EFFECT_READ_DEVICE:
        world_read_device(world, index);
        break;
    case EFFECT_PONG:
        node->pongs++;
        break;
    case EFFECT_REPORT:
        note(world, index, &effect->report);
        break;
    case EFFECT_NONE:
    case EFFECT_DHT_SERVER:
    case EFFECT_DHT_RECONNECT:
    case EFFECT_OWNER:
    case EFFECT_SAVE:
        break;
    }
}

void world_drain(struct world *world, size_t index)
{
    struct world_node *node = &world->nodes[index];
    struct node_effect effect;
    uint64_t count = 0;
    bool save_due = false;
    while (node_next_effect(node->node, world_now(world, index), &effect)) {
        assert_true(++count < WORLD_EFFECTS_MAX);
        trace(world, index, &effect);
        perform(world, index, &effect);
        save_due = save_due || effect.kind == EFFECT_SAVE;
    }
    world->effects += count;
    node->effects_worst = count > node->effects_worst ? count : node->effects_worst;
    if (save_due) {
        save(world, index);
    }
}

static void deliver_device(struct world *world, size_t index)
{
    struct world_node *node = &world->nodes[index];
    struct wg_peer_state states[WORLD_PEERS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < WORLD_PEERS_MAX; i++) {
        const struct world_peer *peer = &node->peers[i];
        if (peer->used) {
            uint64_t at_ms = (uint64_t)MODEL_START_S * 1000 + peer->handshake_at;
            states[count++] = (struct wg_peer_state){.key = peer->peer.key,
                .endpoint = peer->endpoint,
                .handshake_unix_ns = peer->handshake_at == 0 ? 0 : at_ms * 1000000,
                .rx_bytes = peer->rx_bytes,
                .tx_bytes = peer->tx_bytes,
                .keepalive_s = peer->peer.keepalive_s};
        }
    }
    node_on_device(node->node, world_now(world, index), states, count);
}

static void deliver(struct world *world, struct world_event *event)
{
    struct world_node *node = &world->nodes[event->to];
    if (event->kind == WORLD_STORE) {
        world_dht_store(world, &event->key, event->id, span_of(event->bytes, event->size));
        return;
    }
    if (node->node == NULL || node->starts != event->starts) {
        return;
    }
    struct now now = world_now(world, event->to);
    struct span bytes = span_of(event->bytes, event->size);
    switch (event->kind) {
    case WORLD_DATAGRAM:
        node_on_datagram(node->node, now, event->port, &event->from, bytes);
        break;
    case WORLD_WIREGUARD:
        world_wireguard(world, event);
        return;
    case WORLD_MEMBER:
        node_on_member_message(node->node, now, &event->from, bytes);
        break;
    case WORLD_VALUE:
        node_on_dht_value(node->node, now, event->id, bytes);
        break;
    case WORLD_DONE:
        node_on_dht_done(node->node, now, event->id, event->ok);
        break;
    case WORLD_NODES:
        node->joined = event->id > 0;
        node_on_dht_nodes(node->node, now, (uint32_t)event->id);
        break;
    case WORLD_CHAIN:
        node_on_chain_reply(node->node, now, event->id, &event->reply.reply);
        break;
    case WORLD_DEVICE:
        deliver_device(world, event->to);
        break;
    case WORLD_STORE:
        break;
    }
    world_drain(world, event->to);
}

// The next event, or NULL if none is due.
static struct world_event *next_event(struct world *world)
{
    struct world_event *next = NULL;
    for (size_t i = 0; i < world->event_count; i++) {
        struct world_event *event = &world->events[i];
        if (next == NULL || event->at < next->at ||
            (event->at == next->at && event->order < next->order)) {
            next = event;
        }
    }
    return next;
}

static void run_events(struct world *world)
{
    for (;;) {
        struct world_event *next = next_event(world);
        if (next == NULL || next->at > world->now) {
            return;
        }
        struct world_event event = *next;
        *next = world->events[--world->event_count];
        deliver(world, &event);
        model_reply_clear(&event.reply);
        free(event.bytes);
    }
}

// Acts on what is due and returns when to come again.
static uint64_t run_timers(struct world *world)
{
    uint64_t wake = UINT64_MAX;
    for (size_t i = 0; i < world->count; i++) {
        struct node *node = world->nodes[i].node;
        if (node == NULL) {
            continue;
        }
        struct now now = world_now(world, i);
        // What a deadline starts may be due at once; but not again and again.
        for (int turns = 0; mono_due(node_next_deadline(node), now.mono); turns++) {
            assert_true(turns < 3);
            node_on_deadline(node, now);
            world_drain(world, i);
        }
        if (world_device_deadline(world, i) <= world->now) {
            world_device_run(world, i);
            assert_true(world_device_deadline(world, i) > world->now);
        }
        uint64_t next = node_next_deadline(node).ms;
        wake = next < wake ? next : wake;
        next = world_device_deadline(world, i);
        wake = next < wake ? next : wake;
    }
    return wake;
}

void world_run(struct world *world, uint64_t for_ms)
{
    uint64_t end = world->now + for_ms;
    while (true) {
        run_events(world);
        uint64_t wake = run_timers(world);
        struct world_event *next = next_event(world);
        wake = next != NULL && next->at < wake ? next->at : wake;
        if (wake > end) {
            break;
        }
        world->now = wake > world->now ? wake : world->now;
        sync_chain(world);
    }
    world->now = end;
    sync_chain(world);
}

bool world_peer_status(
    struct world *world, size_t index, uint64_t token, struct node_peer_status *ret)
{
    struct token_id id = token_id_of_u64(token);
    struct node_peer_status status;
    for (size_t i = 0;
         node_peer_status(world->nodes[index].node, world_now(world, index), i, &status); i++) {
        if (token_id_equal(&status.token, &id)) {
            *ret = status;
            return true;
        }
    }
    return false;
}

static bool sees_connected(struct world *world, size_t a, size_t b)
{
    struct node_peer_status status;
    return world->nodes[a].node != NULL &&
           world_peer_status(world, a, world->nodes[b].options.token, &status) &&
           status.stage == STAGE_CONNECTED;
}

bool world_connected(struct world *world, size_t a, size_t b)
{
    return sees_connected(world, a, b) && sees_connected(world, b, a);
}

bool world_run_connected(struct world *world, size_t a, size_t b, uint64_t max_ms)
{
    for (uint64_t passed = 0; passed < max_ms; passed += 10) {
        if (world_connected(world, a, b)) {
            return true;
        }
        world_run(world, 10);
    }
    return world_connected(world, a, b);
}

const struct world_report *world_report(
    const struct world *world, size_t index, enum node_event event, uint64_t about, uint64_t since)
{
    const struct world_node *node = &world->nodes[index];
    struct token_id token = token_id_of_u64(about);
    for (size_t i = node->report_count; i-- > 0;) {
        const struct world_report *seen = &node->reports[i];
        if (seen->at >= since && seen->report.event == event &&
            (about == 0 || token_id_equal(&seen->report.token, &token))) {
            return seen;
        }
    }
    return NULL;
}

size_t world_reports(const struct world *world, size_t index, enum node_event event)
{
    size_t count = 0;
    for (size_t i = 0; i < world->nodes[index].report_count; i++) {
        count += world->nodes[index].reports[i].report.event == event;
    }
    return count;
}

struct node_status world_status(struct world *world, size_t index)
{
    struct node_status status;
    node_status(world->nodes[index].node, world_now(world, index), &status);
    return status;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The Internet between the nodes: NATs that translate and filter, low TTLs that die on the way, and
// a WireGuard that shakes hands, roams, keeps alive and forgets as the real one does, as far as a
// node can tell the difference.
#include "tests/unit/node/world.h"

#include "tests/unit/unit.h"

#include <sodium.h>

enum {
    HOPS_TO_PEER_NAT = 3,
    HANDSHAKE_RETRY_MS = 5000,
    REKEY_AFTER_MS = 120000,
    REJECT_AFTER_MS = 180000,
};

// The outside port of a packet from `inside_port` to `to`.
static uint16_t translate_out(
    struct world_node *node, uint16_t inside_port, const struct address *to)
{
    if (node->options.nat == KIND_PUBLIC) {
        return inside_port;
    }
    for (size_t i = 0; i < node->flow_count; i++) {
        struct world_flow *flow = &node->flows[i];
        if (flow->inside_port == inside_port && address_equal(&flow->remote, to)) {
            return flow->outside_port;
        }
    }
    assert_true(node->flow_count < WORLD_FLOWS_MAX);
    uint16_t port = (uint16_t)(inside_port + node->next_port);
    if (node->options.nat == KIND_SYMMETRIC) {
        port = (uint16_t)(20000 + node->next_port + node->flow_count);
    }
    node->flows[node->flow_count++] =
        (struct world_flow){.remote = *to, .inside_port = inside_port, .outside_port = port};
    return port;
}

// The inside port that a packet to `port` reaches, or 0.
static uint16_t translate_in(
    const struct world_node *node, const struct address *from, uint16_t port)
{
    if (node->options.nat == KIND_PUBLIC) {
        return port;
    }
    for (size_t i = 0; i < node->flow_count; i++) {
        const struct world_flow *flow = &node->flows[i];
        bool same_ip = address_same_ip(&flow->remote, from);
        bool passes = node->options.nat == KIND_FULL_CONE || address_equal(&flow->remote, from) ||
                      (node->options.nat == KIND_ADDRESS_RESTRICTED && same_ip);
        if (flow->outside_port == port && passes) {
            return flow->inside_port;
        }
    }
    return 0;
}

void world_rebind(struct world *world, size_t index)
{
    struct world_node *node = &world->nodes[index];
    node->flow_count = 0;
    node->next_port = (uint16_t)(node->next_port + 100);
}

static struct world_event *carry(struct world *world, size_t from, uint16_t inside_port,
    const struct address *to, uint8_t ttl, struct span bytes)
{
    struct world_node *node = &world->nodes[from];
    struct address source = node->outside;
    source.port = translate_out(node, inside_port, to);
    if (node->cut || (ttl != 0 && ttl < HOPS_TO_PEER_NAT)) {
        return NULL;
    }
    for (size_t i = 0; i < world->count; i++) {
        struct world_node *other = &world->nodes[i];
        if (!address_same_ip(to, &other->outside) || other->cut || other->node == NULL) {
            continue;
        }
        uint16_t port = translate_in(other, &source, to->port);
        if (port != WG_PORT_OF_ALL && port != DHT_PORT_OF_ALL) {
            return NULL;
        }
        struct world_event *event = world_post(world, i, WORLD_DATAGRAM, WORLD_LATENCY_MS, bytes);
        event->from = source;
        event->port = port == WG_PORT_OF_ALL ? NODE_PORT_WG : NODE_PORT_DHT;
        event->sender = (uint8_t)from;
        return event;
    }
    return NULL;
}

void world_send(struct world *world, size_t from, const struct node_effect *effect)
{
    for (size_t i = 0; i < world->count; i++) {
        if (address_same_ip(&effect->to, &world->nodes[i].outside) ||
            address_same_ip(&effect->to, &world->nodes[i].inside)) {
            world->nodes[from].sent_to[i]++;
        }
    }
    uint16_t port = effect->port == NODE_PORT_WG ? WG_PORT_OF_ALL : DHT_PORT_OF_ALL;
    (void)carry(world, from, port, &effect->to, effect->ttl, effect->bytes);
}

void world_datagram(struct world *world, size_t to, enum node_port port, const struct address *from,
    struct span bytes)
{
    node_on_datagram(world->nodes[to].node, world_now(world, to), port, from, bytes);
    world_drain(world, to);
}

static struct world_peer *peer_of(struct world_node *node, const struct wg_key *key)
{
    for (size_t i = 0; i < WORLD_PEERS_MAX; i++) {
        if (node->peers[i].used && wg_key_equal(&node->peers[i].peer.key, key)) {
            return &node->peers[i];
        }
    }
    return NULL;
}

static struct wg_key key_of(const struct world *world, size_t index)
{
    struct wg_key key;
    memcpy(key.bytes, world->wg_keys[index].bytes, sizeof key.bytes);
    return key;
}

bool world_on_device(const struct world *world, size_t index, size_t other)
{
    struct wg_key key = key_of(world, other);
    for (size_t i = 0; i < WORLD_PEERS_MAX; i++) {
        const struct world_peer *peer = &world->nodes[index].peers[i];
        if (peer->used && wg_key_equal(&peer->peer.key, &key)) {
            return true;
        }
    }
    return false;
}

static bool session_lives(const struct world *world, const struct world_peer *peer)
{
    return peer->session != 0 && world->now < peer->handshake_at + REJECT_AFTER_MS;
}

static void transmit(struct world *world, size_t index, struct world_peer *peer,
    enum wireguard_kind kind, uint64_t id, struct span bytes)
{
    if (!address_is_set(&peer->endpoint)) {
        return;
    }
    peer->tx_bytes += 32 + bytes.size;
    struct world_event *event = carry(world, index, WG_PORT_OF_ALL, &peer->endpoint, 0, bytes);
    if (event != NULL) {
        event->kind = WORLD_WIREGUARD;
        event->wireguard = kind;
        event->id = id;
    }
}

static void initiate(struct world *world, size_t index, struct world_peer *peer)
{
    if (!address_is_set(&peer->endpoint)) {
        peer->init_at = UINT64_MAX;
        return;
    }
    peer->init_id = ++world->order;
    peer->init_at = world->now + HANDSHAKE_RETRY_MS;
    transmit(world, index, peer, WIREGUARD_INIT, peer->init_id, span_of(NULL, 0));
}

static void send_data(struct world *world, size_t index, struct world_peer *peer, struct span bytes)
{
    transmit(world, index, peer, WIREGUARD_DATA, peer->session, bytes);
    peer->keepalive_at =
        peer->peer.keepalive_s == 0 ? UINT64_MAX : world->now + peer->peer.keepalive_s * 1000U;
}

void world_peer_set(struct world *world, size_t index, const struct wg_peer *wanted)
{
    struct world_node *node = &world->nodes[index];
    struct world_peer *peer = peer_of(node, &wanted->key);
    for (size_t i = 0; peer == NULL && i < WORLD_PEERS_MAX; i++) {
        if (!node->peers[i].used) {
            peer = &node->peers[i];
            *peer = (struct world_peer){
                .used = true, .init_at = UINT64_MAX, .keepalive_at = UINT64_MAX};
        }
    }
    assert_non_null(peer);
    bool begins = wanted->keepalive_s > 0 && peer->peer.keepalive_s == 0;
    if (address_is_set(&wanted->endpoint) &&
        !address_equal(&wanted->endpoint, &peer->peer.endpoint)) {
        peer->endpoint = wanted->endpoint;
    }
    peer->peer = *wanted;
    if (begins && session_lives(world, peer)) {
        send_data(world, index, peer, span_of(NULL, 0));
    } else if (begins) {
        initiate(world, index, peer);
    }
}

void world_peer_remove(struct world *world, size_t index, const struct wg_key *key)
{
    struct world_peer *peer = peer_of(&world->nodes[index], key);
    assert_non_null(peer);
    *peer = (struct world_peer){.used = false};
}

void world_device_key(struct world *world, size_t index, struct span secret)
{
    struct world_node *node = &world->nodes[index];
    memcpy(node->config.wg_secret.bytes, secret.data, secret.size);
    assert_int_equal(crypto_scalarmult_base(world->wg_keys[index].bytes, secret.data), 0);
    for (size_t i = 0; i < WORLD_PEERS_MAX; i++) {
        struct world_peer *peer = &node->peers[i];
        if (peer->used) {
            peer->session = 0;
            peer->init_id = 0;
            peer->pending = 0;
        }
    }
}

void world_read_device(struct world *world, size_t index)
{
    world_post(world, index, WORLD_DEVICE, 1, span_of(NULL, 0));
}

void world_member_send(struct world *world, size_t index, const struct node_effect *effect)
{
    struct world_node *node = &world->nodes[index];
    for (size_t i = 0; i < WORLD_PEERS_MAX; i++) {
        struct world_peer *peer = &node->peers[i];
        if (!peer->used || !prefix_contains(&peer->peer.allowed[0], &effect->to)) {
            continue;
        }
        if (session_lives(world, peer)) {
            send_data(world, index, peer, effect->bytes);
            return;
        }
        peer->staged = true;
        peer->staged_size = effect->bytes.size;
        memcpy(peer->staged_bytes, effect->bytes.data, effect->bytes.size);
        if (peer->init_at == UINT64_MAX) {
            initiate(world, index, peer);
        }
    }
}

static void establish(struct world *world, size_t index, struct world_peer *peer, uint64_t id)
{
    peer->session = id;
    peer->handshake_at = world->now;
    peer->init_id = 0;
    peer->init_at = UINT64_MAX;
    if (peer->peer.keepalive_s > 0) {
        peer->keepalive_at = world->now + peer->peer.keepalive_s * 1000U;
    }
    bool staged = peer->staged;
    peer->staged = false;
    if (staged) {
        send_data(world, index, peer, span_of(peer->staged_bytes, peer->staged_size));
    }
}

static void receive_data(
    struct world *world, size_t index, struct world_peer *peer, const struct world_event *event)
{
    if (event->id == peer->pending && event->id != 0) {
        peer->pending = 0;
        establish(world, index, peer, event->id);
    }
    if (!session_lives(world, peer) || event->id != peer->session) {
        return;
    }
    peer->endpoint = event->from;
    peer->rx_bytes += 32 + event->size;
    if (event->size > 0) {
        struct world_event *inner =
            world_post(world, index, WORLD_MEMBER, 0, span_of(event->bytes, event->size));
        inner->from = peer->peer.allowed[0].base;
        inner->from.port = MEMBER_PORT;
    }
}

void world_wireguard(struct world *world, const struct world_event *event)
{
    size_t index = event->to;
    struct wg_key key = key_of(world, event->sender);
    struct world_peer *peer = peer_of(&world->nodes[index], &key);
    if (peer == NULL || world->nodes[index].mute || world->nodes[event->sender].mute) {
        return; // WireGuard is silent to strangers
    }
    switch (event->wireguard) {
    case WIREGUARD_INIT:
        peer->endpoint = event->from;
        peer->rx_bytes += 148;
        peer->pending = event->id;
        transmit(world, index, peer, WIREGUARD_RESPONSE, event->id, span_of(NULL, 0));
        break;
    case WIREGUARD_RESPONSE:
        if (event->id == peer->init_id && event->id != 0) {
            peer->endpoint = event->from;
            peer->rx_bytes += 92;
            bool staged = peer->staged;
            establish(world, index, peer, event->id);
            if (!staged) {
                send_data(world, index, peer, span_of(NULL, 0));
            }
        }
        break;
    case WIREGUARD_DATA:
        receive_data(world, index, peer, event);
        break;
    }
}

uint64_t world_device_deadline(const struct world *world, size_t index)
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < WORLD_PEERS_MAX; i++) {
        const struct world_peer *peer = &world->nodes[index].peers[i];
        if (peer->used) {
            next = peer->init_at < next ? peer->init_at : next;
            next = peer->keepalive_at < next ? peer->keepalive_at : next;
        }
    }
    return next;
}

void world_device_run(struct world *world, size_t index)
{
    for (size_t i = 0; i < WORLD_PEERS_MAX; i++) {
        struct world_peer *peer = &world->nodes[index].peers[i];
        if (!peer->used) {
            continue;
        }
        if (peer->init_at <= world->now) {
            initiate(world, index, peer);
        }
        if (peer->keepalive_at <= world->now) {
            bool renew = world->now >= peer->handshake_at + REKEY_AFTER_MS;
            if (session_lives(world, peer)) {
                send_data(world, index, peer, span_of(NULL, 0));
            }
            peer->keepalive_at = world->now + peer->peer.keepalive_s * 1000U;
            if (renew && peer->init_at == UINT64_MAX) {
                initiate(world, index, peer);
            }
        }
    }
}

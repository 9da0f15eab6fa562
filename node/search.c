// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where a peer's record comes from: one get at once, a listen while the peer is not connected (for
// so many peers at a time), and further gets with a growing pause. Of a connected peer the record
// is read now and then: a tombstone, or the next node in its seat, comes by no other way.
#include "node/inner.h"

static size_t listens(const struct node *node)
{
    size_t count = 0;
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        count += node->peers[i].used && node->peers[i].listen_op != 0;
    }
    return count;
}

static void cancel(struct node *node, uint64_t *op)
{
    if (*op != 0) {
        struct node_effect effect = {.kind = EFFECT_DHT_CANCEL, .op = *op};
        effects_push(&node->effects, &effect);
        *op = 0;
    }
}

static void get(struct node *node, struct now now, struct peer *peer)
{
    peer->get_op = node_op(node);
    peer->get_deadline = mono_add(now.mono, GET_TIMEOUT_MS);
    peer->get_at = mono_never();
    struct node_effect effect = {.kind = EFFECT_DHT_GET,
        .op = peer->get_op,
        .key = key_of_record(&node->config.keys, &peer->token),
        .token = peer->token};
    effects_push(&node->effects, &effect);
}

void search_start(struct node *node, struct now now, struct peer *peer)
{
    if (!node_has_dht(node) || peer->state == PEER_CONNECTED) {
        return;
    }
    if (!effects_has_room(&node->effects)) {
        peer->get_at = mono_min(peer->get_at, mono_add(now.mono, SEARCH_SOON_MS));
        return;
    }
    if (peer->get_op == 0) {
        get(node, now, peer);
    }
    if (peer->listen_op == 0 && !peer->knocking && listens(node) < LISTENS_MAX) {
        peer->listen_op = node_op(node);
        struct node_effect effect = {.kind = EFFECT_DHT_LISTEN,
            .op = peer->listen_op,
            .key = key_of_record(&node->config.keys, &peer->token),
            .token = peer->token};
        effects_push(&node->effects, &effect);
    }
}

void search_stop(struct node *node, struct peer *peer)
{
    cancel(node, &peer->get_op);
    cancel(node, &peer->listen_op);
    peer->get_deadline = mono_never();
    peer->get_at = mono_never();
    peer->get_backoff_ms = 0;
}

void search_pause(struct node *node, struct now now, struct peer *peer)
{
    search_stop(node, peer);
    peer->get_at = mono_add(now.mono, rng_jitter(&node->rng, REREAD_MS, 20));
}

void search_on_done(struct node *node, struct now now, struct peer *peer)
{
    peer->get_op = 0;
    peer->get_deadline = mono_never();
    if (peer->state == PEER_CONNECTED) {
        peer->get_at = mono_add(now.mono, rng_jitter(&node->rng, REREAD_MS, 20));
        return;
    }
    uint32_t next = peer->get_backoff_ms * 2;
    next = next < SEARCH_BACKOFF_MIN_MS ? SEARCH_BACKOFF_MIN_MS : next;
    peer->get_backoff_ms = next > SEARCH_BACKOFF_MAX_MS ? SEARCH_BACKOFF_MAX_MS : next;
    peer->get_at = mono_add(now.mono, rng_jitter(&node->rng, peer->get_backoff_ms, 20));
}

void search_on_deadline(struct node *node, struct now now, struct peer *peer)
{
    if (mono_due(peer->get_deadline, now.mono)) {
        cancel(node, &peer->get_op);
        search_on_done(node, now, peer);
    }
    if (mono_due(peer->get_at, now.mono)) {
        peer->get_at = mono_never();
        if (peer->state == PEER_CONNECTED) {
            get(node, now, peer);
            return;
        }
        // Others may need the listen more: with many peers it goes round with the gets.
        if (listens(node) >= LISTENS_MAX) {
            cancel(node, &peer->listen_op);
        }
        search_start(node, now, peer);
    }
}

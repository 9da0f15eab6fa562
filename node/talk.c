// SPDX-License-Identifier: GPL-3.0-or-later
//
// Messages inside the tunnels. WireGuard admits a source address only from the peer that holds it,
// so the address names the token; what is said is checked like anything from outside.
#include "node/inner.h"

#include <string.h>

static struct peer *find_by_overlay(struct node *node, const struct address *from)
{
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->used && peer->path_ready && address_same_ip(&peer->overlay, from)) {
            return peer;
        }
    }
    return NULL;
}

void talk_send(struct node *node, const struct peer *peer, const struct message *message)
{
    uint8_t bytes[MESSAGE_MAX_SIZE];
    struct writer writer = writer_of(bytes, sizeof bytes);
    if (message_encode(message, &writer) != OK) {
        return;
    }
    struct node_effect effect = {
        .kind = EFFECT_MEMBER_SEND, .to = peer->overlay, .bytes = writer_written(&writer)};
    effect.to.port = MEMBER_PORT;
    effects_push(&node->effects, &effect);
}

void talk_hello(struct node *node, struct now now, struct peer *peer)
{
    uint8_t record[RECORD_MAX_SIZE];
    struct message message = {
        .kind = MESSAGE_HELLO, .record = seat_announcement(node, now, record)};
    peer->greeted = true;
    // Those that we are connected to ourselves: what we say of them is first-hand.
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        const struct peer *other = &node->peers[i];
        if (other->used && other != peer && peer_is_up(other) &&
            message.token_count < MESSAGE_TOKENS_MAX) {
            message.tokens[message.token_count++] = other->token;
        }
    }
    talk_send(node, peer, &message);
}

// The budget of a new tunnel, not of signatures and chain reads at a member's pleasure.
static const struct budget_rate hint_rate = {.per_second = 1, .burst = 2 * MESSAGE_TOKENS_MAX};

static void on_hello(
    struct node *node, struct now now, struct peer *peer, const struct message *message)
{
    if (message->record.size > 0) {
        peer_on_record(node, now, peer, message->record, NULL);
    }
    for (size_t i = 0; i < message->token_count; i++) {
        if (budget_take(&peer->hints, &hint_rate, now.mono, 1)) {
            members_hint(node, now, &message->tokens[i]);
        }
    }
}

static void on_retired(
    struct node *node, struct now now, struct peer *peer, const struct message *message)
{
    struct verdict ignored;
    if (tombstones_is_news(node, &message->token, message->record) &&
        budget_take(&peer->hints, &hint_rate, now.mono, 1)) {
        (void)!tombstones_take(node, now, &message->token, message->record, NULL, &ignored);
    }
}

static void on_forward(
    struct node *node, struct now now, struct peer *peer, const struct message *message)
{
    const struct budget_rate rate = {.per_second = 5, .burst = 20};
    struct peer *target = peer_find(node, &message->token);
    if (target == NULL || target == peer || !peer_is_up(target) ||
        !budget_take(&peer->forwards, &rate, now.mono, 1)) {
        node->counters.forwards_refused++;
        return;
    }
    node->counters.forwards++;
    struct message deliver = *message;
    deliver.kind = MESSAGE_DELIVER;
    deliver.token = peer->token;
    talk_send(node, target, &deliver);
}

static void on_pong(struct node *node, const struct peer *peer, const struct message *message)
{
    struct node_effect effect = {.kind = EFFECT_PONG,
        .token = peer->token,
        .bytes = span_of(message->ping, sizeof message->ping)};
    effects_push(&node->effects, &effect);
}

void talk_on_message(
    struct node *node, struct now now, const struct address *from, struct span bytes)
{
    struct peer *peer = find_by_overlay(node, from);
    if (peer == NULL) {
        node->counters.messages_unknown++;
        return;
    }
    struct message message;
    if (message_decode(bytes, &message) != OK) {
        node->counters.messages_malformed++;
        return;
    }
    peer_on_alive(node, now, peer);
    switch (message.kind) {
    case MESSAGE_HELLO:
        on_hello(node, now, peer, &message);
        break;
    case MESSAGE_FORWARD:
        on_forward(node, now, peer, &message);
        break;
    case MESSAGE_DELIVER: {
        struct intent_arrival arrival = {.way = WAY_TUNNEL,
            .via = peer->token,
            .record = message.record,
            .intent = message.intent};
        rendezvous_on_intent(node, now, &arrival);
        break;
    }
    case MESSAGE_PING: {
        struct message pong = message;
        pong.kind = MESSAGE_PONG;
        talk_send(node, peer, &pong);
        break;
    }
    case MESSAGE_PONG:
        on_pong(node, peer, &message);
        break;
    case MESSAGE_RETIRED:
        on_retired(node, now, peer, &message);
        break;
    }
}

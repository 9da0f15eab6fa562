// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tokens that exist, ascending. Those that a member named over its tunnel are hints until the chain
// has said that they exist: nothing is done for a hint but to ask, and one that the chain denies is
// forgotten. Capacity: config.capacity.members. When full, a token found on chain takes the place
// of a hint; a hint takes no place, so a member with a long list of inventions displaces nothing.
#include "node/inner.h"

#include <string.h>

// Index of the first member not below `token`.
static uint16_t lower_bound(const struct node *node, const struct token_id *token)
{
    uint16_t low = 0;
    uint16_t high = node->member_count;
    while (low < high) {
        uint16_t middle = (uint16_t)(low + (high - low) / 2);
        if (token_id_compare(&node->members[middle].token, token) < 0) {
            low = (uint16_t)(middle + 1);
        } else {
            high = middle;
        }
    }
    return low;
}

static void remove_at(struct node *node, uint16_t index)
{
    memmove(&node->members[index], &node->members[index + 1],
        (size_t)(node->member_count - index - 1) * sizeof node->members[0]);
    node->member_count--;
}

static bool make_room(struct node *node, bool on_chain)
{
    if (node->member_count < node->config.capacity.members) {
        return true;
    }
    for (uint16_t i = 0; on_chain && i < node->member_count; i++) {
        if (!node->members[i].on_chain) {
            remove_at(node, i);
            return true;
        }
    }
    return false;
}

// The entry of `token`, made if there is room; NULL if not.
static struct member *entry_of(struct node *node, const struct token_id *token, bool on_chain)
{
    uint16_t at = lower_bound(node, token);
    if (at < node->member_count && token_id_equal(&node->members[at].token, token)) {
        return &node->members[at];
    }
    if (!make_room(node, on_chain)) {
        return NULL;
    }
    at = lower_bound(node, token);
    memmove(&node->members[at + 1], &node->members[at],
        (size_t)(node->member_count - at) * sizeof node->members[0]);
    node->members[at] = (struct member){.token = *token};
    node->member_count++;
    return &node->members[at];
}

void members_add(struct node *node, struct now now, const struct token_id *token)
{
    if (token_id_equal(token, &node->config.token)) {
        return;
    }
    struct member *member = entry_of(node, token, true);
    if (member == NULL || member->on_chain) {
        return;
    }
    member->on_chain = true;
    struct node_report report = {.event = EVENT_MEMBER_FOUND, .token = *token};
    node_report(node, &report);
    members_fill(node, now);
}

void members_hint(struct node *node, struct now now, const struct token_id *token)
{
    if (token_id_equal(token, &node->config.token)) {
        return;
    }
    struct member *member = entry_of(node, token, false);
    if (member != NULL && !member->on_chain) {
        (void)gate_refresh(node->gate, token, now);
    }
}

void members_on_reading(struct node *node, struct now now, const struct token_id *token)
{
    uint16_t at = lower_bound(node, token);
    if (at == node->member_count || !token_id_equal(&node->members[at].token, token)) {
        return;
    }
    struct gate_reading reading = gate_read(node->gate, token, now);
    if (reading.kind == VERDICT_YES) {
        members_add(node, now, token);
        return;
    }
    if (reading.kind != VERDICT_NO || reading.reason != REASON_NOT_OWNED) {
        return;
    }
    remove_at(node, at);
    struct peer *peer = peer_find(node, token);
    if (peer != NULL && peer->state == PEER_SEARCHING && !peer->wanted) {
        peer_close(node, now, peer);
    }
    members_fill(node, now);
}

size_t members_count(const struct node *node)
{
    size_t count = 0;
    for (uint16_t i = 0; i < node->member_count; i++) {
        count += node->members[i].on_chain;
    }
    return count;
}

// The network turned out larger than the mesh: those that were opened on the way there, and of whom
// nothing is known yet, are let go. Else everybody would keep knocking at the smallest tokens.
static void let_go(struct node *node, struct now now)
{
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->used && peer->state == PEER_SEARCHING && !peer->wanted && !peer->knocking &&
            !peer->doubt.held) {
            peer_close(node, now, peer);
        }
    }
}

void members_fill(struct node *node, struct now now)
{
    if (node->seat.state == SEAT_DISPLACED) {
        return;
    }
    if (members_count(node) > node->config.mesh_max) {
        let_go(node, now);
        return; // on demand: node_want_peer, or an intent
    }
    for (uint16_t i = 0; i < node->member_count; i++) {
        if (!node->members[i].on_chain) {
            continue;
        }
        struct peer *peer = peer_open(node, now, &node->members[i].token, false);
        if (peer != NULL) {
            peer->knocking = false;
        }
    }
}

bool node_member(const struct node *node, size_t index, struct token_id *ret)
{
    for (uint16_t i = 0; i < node->member_count; i++) {
        if (node->members[i].on_chain && index-- == 0) {
            *ret = node->members[i].token;
            return true;
        }
    }
    return false;
}

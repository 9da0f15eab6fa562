// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tokens that exist, ascending: found on chain, or named by a member over its tunnel. Capacity:
// config.capacity.members. When full, a token found on chain takes the place of a hint; a hint
// takes no place, so a member with a long list of inventions displaces nothing.
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

static bool make_room(struct node *node, bool enumerated)
{
    if (node->member_count < node->config.capacity.members) {
        return true;
    }
    for (uint16_t i = 0; enumerated && i < node->member_count; i++) {
        if (!node->members[i].enumerated) {
            remove_at(node, i);
            return true;
        }
    }
    return false;
}

void members_add(struct node *node, struct now now, const struct token_id *token, bool enumerated)
{
    if (token_id_equal(token, &node->config.token)) {
        return;
    }
    uint16_t at = lower_bound(node, token);
    if (at < node->member_count && token_id_equal(&node->members[at].token, token)) {
        node->members[at].enumerated = node->members[at].enumerated || enumerated;
        return;
    }
    if (!make_room(node, enumerated)) {
        return;
    }
    at = lower_bound(node, token);
    memmove(&node->members[at + 1], &node->members[at],
        (size_t)(node->member_count - at) * sizeof node->members[0]);
    node->members[at] = (struct member){.token = *token, .enumerated = enumerated};
    node->member_count++;
    struct node_report report = {.event = EVENT_MEMBER_FOUND, .token = *token};
    node_report(node, &report);
    members_fill(node, now);
}

void members_fill(struct node *node, struct now now)
{
    if (node->member_count > node->config.mesh_max || node->seat.state == SEAT_DISPLACED) {
        return; // on demand: node_want_peer, or an intent
    }
    for (uint16_t i = 0; i < node->member_count; i++) {
        struct peer *peer = peer_open(node, now, &node->members[i].token, false);
        if (peer != NULL) {
            peer->knocking = false;
        }
    }
}

bool node_member(const struct node *node, size_t index, struct token_id *ret)
{
    if (index >= node->member_count) {
        return false;
    }
    *ret = node->members[index].token;
    return true;
}

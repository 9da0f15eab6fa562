// SPDX-License-Identifier: GPL-3.0-or-later
//
// Snapshots for people and metrics.
#include "node/inner.h"

#include <stdio.h>

static void overlay_addresses(const struct node *node, const struct token_id *token,
    struct address *ret_ipv6, struct address *ret_ipv4)
{
    *ret_ipv6 = overlay_ipv6(&node->config.keys.id, token);
    if (!node->config.ipv4 || overlay_ipv4(&node->config.ipv4_prefix, token, ret_ipv4) != OK) {
        *ret_ipv4 = (struct address){0};
    }
}

static void fill_seat(const struct node *node, struct now now, struct node_status *ret)
{
    const struct seat *seat = &node->seat;
    uint64_t now_s = gate_time(node->gate, now).ms / 1000;
    uint64_t end_s = node->config.delegation.not_after_s;
    ret->displaced = seat->state == SEAT_DISPLACED;
    ret->published = seat->published_at.ms != 0 && !ret->displaced;
    ret->sequence = seat->sequence;
    ret->published_ms = mono_since(seat->published_at, now.mono);
    ret->expires_s = seat->record.not_after_s > now_s ? seat->record.not_after_s - now_s : 0;
    ret->verdict = seat->verdict;
    if (seat->verdict.kind == VERDICT_UNKNOWN && seat->verdict.reason == REASON_AUTHORISED) {
        ret->verdict.reason = REASON_NOT_READ; // nothing has been decided since the start
        ret->verdict.token = node->config.token;
    }
    ret->delegation_left_s = end_s > now_s ? end_s - now_s : 0;
    ret->retired = ret->displaced && seat->retired;
    ret->delegation_ending = seat_is_ending(node, ret->delegation_left_s);
    ret->key_waits = node->rotation.state == ROTATION_WAITING;
}

void node_status(struct node *node, struct now now, struct node_status *ret)
{
    *ret = (struct node_status){.joined = node->joined,
        .alone = node->config.bootstrap_count == 0 && node->good_nodes == 0,
        .good_nodes = node->good_nodes,
        .server = node->server,
        .mapping = mapping_view(&node->mapping),
        .reflector_count = node->mapping.reflector_count,
        .trust = gate_trust(node->gate),
        .without_quorum_ms = gate_without_quorum_ms(node->gate, now),
        .profile = gate_profile(node->gate),
        .tombstones = node->tombstone_count,
        .members = members_count(node),
        .search = gate_enumeration_status(node->gate),
        .on_demand = members_count(node) > node->config.mesh_max,
        .counters = node->counters,
        .effects_dropped = node->effects.dropped};
    overlay_addresses(node, &node->config.token, &ret->ipv6, &ret->ipv4);
    for (size_t i = 0; i < node->mapping.reflector_count; i++) {
        ret->reflectors[i] = node->mapping.reflectors[i].address;
    }
    fill_seat(node, now, ret);
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        ret->peers += node->peers[i].used;
        ret->connected += node->peers[i].used && peer_is_up(&node->peers[i]);
    }
}

static enum peer_stage stage_of(const struct peer *peer)
{
    if (peer->state == PEER_CONNECTED) {
        return STAGE_CONNECTED;
    }
    if (peer->path_ready) {
        return peer->path.state == PATH_VALIDATED ? STAGE_NO_HANDSHAKE : STAGE_NO_PATH;
    }
    if (peer->judged && peer->verdict.kind == VERDICT_NO) {
        return STAGE_NOT_AUTHORISED;
    }
    return peer->doubt.held ? STAGE_CHAIN_UNKNOWN : STAGE_NO_RECORD;
}

static void fill_path(const struct peer *peer, struct node_peer_status *ret)
{
    ret->path = peer->path.state;
    ret->rung = peer->path.rung;
    ret->why = peer->path.why;
    ret->note = path_note(&peer->path);
    ret->rtt_ms = peer->path.rtt_ms;
    ret->endpoint = peer->endpoint;
    ret->wg_key = peer->claim.record.wg_key;
    ret->nat_class = peer->claim.record.nat_class;
    if (peer->device_known) {
        ret->rx_bytes = peer->device.rx_bytes;
        ret->tx_bytes = peer->device.tx_bytes;
        ret->handshake_unix_s = peer->device.handshake_unix_ns / 1000000000;
    }
}

bool node_peer_status(struct node *node, struct now now, size_t index, struct node_peer_status *ret)
{
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        const struct peer *peer = &node->peers[i];
        if (!peer->used || index-- > 0) {
            continue;
        }
        *ret = (struct node_peer_status){.token = peer->token,
            .stage = stage_of(peer),
            .since_ms = mono_since(peer->since, now.mono),
            .verdict = peer->verdict,
            .judged = peer->judged,
            .delegation_not_after_s =
                peer->claim.held ? peer->claim.record.delegation.not_after_s : 0};
        ret->checked = gate_last_check_ms(node->gate, &peer->token, now, &ret->checked_ms) == OK;
        overlay_addresses(node, &peer->token, &ret->ipv6, &ret->ipv4);
        if (peer->path_ready) {
            fill_path(peer, ret);
        }
        return true;
    }
    return false;
}

struct gate_provider_status node_provider_status(
    const struct node *node, size_t provider, struct now now)
{
    return gate_provider_status(node->gate, provider, now);
}

const char *peer_stage_name(enum peer_stage stage)
{
    switch (stage) {
    case STAGE_NO_RECORD:
        return "no_record";
    case STAGE_CHAIN_UNKNOWN:
        return "chain_unknown";
    case STAGE_NOT_AUTHORISED:
        return "not_authorised";
    case STAGE_NO_PATH:
        return "no_path";
    case STAGE_NO_HANDSHAKE:
        return "no_handshake";
    case STAGE_CONNECTED:
        return "connected";
    }
    return "unknown";
}

void peer_stage_text(const struct node_peer_status *peer, char *ret, size_t size)
{
    char text[GATE_VERDICT_TEXT_SIZE];
    switch (peer->stage) {
    case STAGE_NO_RECORD:
        (void)snprintf(ret, size, "its node is down or has not joined");
        return;
    case STAGE_CHAIN_UNKNOWN:
    case STAGE_NOT_AUTHORISED:
        verdict_text(&peer->verdict, text);
        (void)snprintf(ret, size, "%s", text);
        return;
    case STAGE_NO_PATH:
        (void)snprintf(ret, size, "%s",
            peer->why == PATH_WHY_NONE ? "looking for a path" : path_why_text(peer->why));
        return;
    case STAGE_NO_HANDSHAKE:
        (void)snprintf(ret, size, "a path is proven; waiting for WireGuard's handshake");
        return;
    case STAGE_CONNECTED:
        (void)snprintf(
            ret, size, "%s", peer->note == PATH_NOTE_NONE ? "" : path_note_text(peer->note));
        return;
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Creation, inputs and deadlines: each input is handed to the part that it concerns, then
// everything that waits is collected into effects.
#include "node/inner.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

uint64_t node_op(struct node *node)
{
    return ++node->last_op;
}

void node_save_soon(struct node *node, struct mono now)
{
    if (node->save_at.ms == mono_never().ms) {
        node->save_at = mono_add(now, SAVE_DELAY_MS);
    }
}

void node_report(struct node *node, const struct node_report *report)
{
    effects_report(&node->effects, report);
}

static struct node_key own_key(const struct node_config *config)
{
    struct node_key own;
    memcpy(own.bytes, config->node_secret.bytes + sizeof config->node_secret.bytes / 2,
        sizeof own.bytes);
    return own;
}

static bool is_own_delegation(const struct node_config *config, const struct delegation *delegation)
{
    struct node_key own = own_key(config);
    return node_key_equal(&delegation->node_key, &own) &&
           token_id_equal(&delegation->token, &config->token);
}

static enum status check_config(const struct node_config *config)
{
    bool sizes = config->capacity.peers > 0 && config->capacity.members > 0 &&
                 config->wg_port > 0 && config->bootstrap_count <= NODE_BOOTSTRAP_MAX;
    bool own = is_own_delegation(config, &config->delegation) &&
               piece_content_fits(&config->delegation, config->signature);
    return sizes && own ? OK : ERR_RANGE;
}

static void derive_keys(struct node *node)
{
    const struct node_config *config = &node->config;
    node->own_key = own_key(config);
    // Fails only for the zero key, which X25519 clamping excludes.
    (void)crypto_scalarmult_base(node->own_wg_key.bytes, config->wg_secret.bytes);
}

static void init_deadlines(struct node *node)
{
    node->bootstrap_at = mono_never();
    node->device_at = mono_never();
    node->save_at = mono_never();
    node->inbox.read_at = mono_never();
    node->seat.put_deadline = mono_never();
    node->seat.publish_at = mono_never();
    node->seat.read_at = mono_never();
    node->seat.judge_at = mono_never();
    node->seat.warn_at = mono_never();
    node->rotation.at = mono_never();
}

static enum status create_gate(struct node *node)
{
    struct gate_config config = node->config.gate;
    // Every peer, the own seat, and some whose floors are worth remembering.
    config.tokens_max = node->config.capacity.peers * 2U + 8;
    config.members_max = node->config.capacity.members;
    config.wallets = node->config.capacity.wallets;
    return gate_create(&config, &node->rng, &node->gate);
}

enum status node_create(
    const struct node_config *config, struct span state, struct now now, struct node **ret)
{
    enum status status = check_config(config);
    if (status != OK) {
        return status;
    }
    struct node *node = calloc(1, sizeof *node);
    if (node == NULL) {
        return ERR_FULL;
    }
    node->config = *config;
    node->peers = calloc(config->capacity.peers, sizeof *node->peers);
    node->members = calloc(config->capacity.members, sizeof *node->members);
    rng_seed(&node->rng, config->seed);
    derive_keys(node);
    init_deadlines(node);
    mapping_init(&node->mapping, config->wg_port);
    reflector_init(&node->reflector);
    limiter_init(&node->limiter, node->limiter_entries, LIMITER_PREFIXES);
    intent_replay_init(&node->inbox.replay_members, node->inbox.seen_members, REPLAY_MEMBERS);
    intent_replay_init(&node->inbox.replay_strangers, node->inbox.seen_strangers, REPLAY_STRANGERS);
    bool allocated = node->peers != NULL && node->members != NULL;
    status = allocated ? create_gate(node) : ERR_FULL;
    if (status == OK) {
        status = tombstones_create(node);
    }
    if (status == OK) {
        status = pieces_create(node);
    }
    if (status == OK && state.size > 0) {
        status = saved_import(node, now, state);
    }
    if (status != OK) {
        node_destroy(node);
        return status;
    }
    *ret = node;
    return OK;
}

void node_destroy(struct node *node)
{
    if (node == NULL) {
        return;
    }
    for (size_t i = 0; node->peers != NULL && i < node->config.capacity.peers; i++) {
        probe_key_wipe(&node->peers[i].path.key);
    }
    gate_destroy(node->gate);
    pieces_destroy(node);
    free(node->peers);
    free(node->members);
    tombstones_destroy(node);
    sodium_memzero(node, sizeof *node);
    free(node);
}

static void drain_gate(struct node *node, struct now now)
{
    struct gate_event event;
    while (effects_has_room(&node->effects) && gate_next_event(node->gate, &event)) {
        switch (event.kind) {
        case GATE_EVENT_TOKEN: {
            struct node_effect effect = {.kind = EFFECT_OWNER, .token = event.token};
            if (gate_last_owner(node->gate, &event.token, &effect.owner) == OK) {
                effects_push(&node->effects, &effect);
            }
            tombstones_on_reading(node, now, &event.token);
            if (token_id_equal(&event.token, &node->config.token)) {
                rotation_on_reading(node, now);
                seat_judge(node, now);
            }
            struct peer *peer = peer_find(node, &event.token);
            if (peer != NULL) {
                peer_judge(node, now, peer);
            }
            members_on_reading(node, now, &event.token);
            break;
        }
        case GATE_EVENT_MEMBER:
            members_add(node, now, &event.token);
            break;
        case GATE_EVENT_MEMBER_GONE:
        case GATE_EVENT_ENUMERATED:
        case GATE_EVENT_PROVIDER:
        case GATE_EVENT_PROFILE:
            break;
        case GATE_EVENT_PROOF: {
            struct node_report report = {
                .event = EVENT_PROOF, .proof = gate_trust(node->gate).proof};
            node_report(node, &report);
            break;
        }
        }
    }
}

static void drain_mapping(struct node *node, struct now now)
{
    struct mapping_output output;
    while (mapping_next_output(&node->mapping, &output)) {
        switch (output.kind) {
        case MAPPING_SEND: {
            struct node_effect effect = {.kind = EFFECT_SEND,
                .port = NODE_PORT_WG,
                .to = output.to,
                .bytes = span_of(output.bytes, output.size)};
            effects_push(&node->effects, &effect);
            break;
        }
        case MAPPING_CHANGED:
            rendezvous_mapping_changed(node, now);
            break;
        }
    }
}

// The next step after any input, and again whenever the effects have been drained: what the gate,
// the mapping and the paths have to say, as long as there is room for it.
void node_settle(struct node *node, struct now now)
{
    drain_gate(node, now);
    drain_mapping(node, now);
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->used && peer->path_ready) {
            rendezvous_drain(node, now, peer);
        }
        if (peer->used && peer_is_up(peer) && !peer->greeted && effects_has_room(&node->effects)) {
            talk_hello(node, now, peer);
        }
    }
    tombstones_tell(node);
    if (gate_state_dirty(node->gate)) {
        node_save_soon(node, now.mono);
    }
}

static void bootstrap(struct node *node, struct now now)
{
    for (size_t i = 0; i < node->config.bootstrap_count; i++) {
        struct node_effect effect = {.kind = EFFECT_DHT_BOOTSTRAP, .to = node->config.bootstrap[i]};
        effects_push(&node->effects, &effect);
    }
    node->bootstrap_at =
        node->config.bootstrap_count > 0 ? mono_add(now.mono, BOOTSTRAP_RETRY_MS) : mono_never();
}

// Records of peers known from before lie in `doubt`: they are judged as soon as the chain answers.
static void start_known_peers(struct node *node, struct now now)
{
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->used) {
            (void)gate_watch(node->gate, &peer->token, now);
            search_start(node, now, peer);
        }
    }
}

void node_start(struct node *node, struct now now)
{
    node->started = true;
    for (size_t i = 0; i < node->config.bootstrap_count; i++) {
        (void)mapping_reflector_add(&node->mapping, now.mono, &node->config.bootstrap[i]);
    }
    bootstrap(node, now);
    (void)gate_watch(node->gate, &node->config.token, now);
    gate_enumerate(node->gate, now);
    seat_start(node, now);
    start_known_peers(node, now);
    tombstones_start(node, now);
    if (node->config.bootstrap_count == 0) {
        // Nobody to wait for: the first node of a network is its DHT.
        struct node_report report = {.event = EVENT_ALONE};
        node_report(node, &report);
        inbox_start(node, now);
    }
    node_settle(node, now);
}

bool node_has_dht(const struct node *node)
{
    return node->joined || node->config.bootstrap_count == 0;
}

static bool has_global_address(const struct node *node)
{
    for (size_t i = 0; i < node->local_count; i++) {
        if (address_scope(&node->local[i].address) == SCOPE_GLOBAL) {
            return true;
        }
    }
    return false;
}

void node_choose_dht_role(struct node *node)
{
    enum nat_class nat_class = mapping_view(&node->mapping).nat_class;
    // Of the first node it is known that strangers reach it: its address is what they are given.
    bool server = node->config.bootstrap_count == 0 ||
                  (has_global_address(node) && (nat_class == NAT_NONE || nat_class == NAT_UNKNOWN));
    if (server != node->server) {
        node->server = server;
        struct node_effect effect = {.kind = EFFECT_DHT_SERVER, .flag = server};
        effects_push(&node->effects, &effect);
    }
}

static bool local_equal(
    const struct node *node, const struct node_local_address *addresses, size_t count)
{
    if (count != node->local_count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!address_equal(&addresses[i].address, &node->local[i].address) ||
            addresses[i].prefix_length != node->local[i].prefix_length) {
            return false;
        }
    }
    return true;
}

static void network_changed(struct node *node, struct now now)
{
    struct node_effect effect = {.kind = EFFECT_DHT_RECONNECT};
    effects_push(&node->effects, &effect);
    bootstrap(node, now);
    mapping_restart(&node->mapping, now.mono);
    gate_on_network_change(node->gate, now);
    seat_publish_soon(node, now.mono);
    if (node_has_dht(node)) {
        inbox_start(node, now);
    }
}

void node_on_local_addresses(
    struct node *node, struct now now, const struct node_local_address *addresses, size_t count)
{
    if (count > NODE_LOCAL_ADDRESSES_MAX) {
        count = NODE_LOCAL_ADDRESSES_MAX;
    }
    if (local_equal(node, addresses, count)) {
        return;
    }
    struct address hosts[NODE_LOCAL_ADDRESSES_MAX];
    node->subnet_count = 0;
    for (size_t i = 0; i < count; i++) {
        node->local[i] = addresses[i];
        hosts[i] = addresses[i].address;
        bool single = addresses[i].prefix_length == address_ip_size(&hosts[i]) * 8;
        if (!single && node->subnet_count < SUBNETS_MAX) {
            node->subnets[node->subnet_count++] = prefix_of(&hosts[i], addresses[i].prefix_length);
        }
    }
    bool had_some = node->local_count > 0;
    node->local_count = (uint8_t)count;
    mapping_set_hosts(&node->mapping, now.mono, hosts, count);
    node_choose_dht_role(node);
    if (had_some && node->started) {
        network_changed(node, now);
    } else if (node->started) {
        seat_publish_soon(node, now.mono);
    }
    node_settle(node, now);
}

void node_on_dht_nodes(struct node *node, struct now now, uint32_t good_nodes)
{
    node->good_nodes = good_nodes;
    if (good_nodes > 0 && !node->joined) {
        node->joined = true;
        struct node_report report = {.event = EVENT_JOINED};
        node_report(node, &report);
        node->bootstrap_at = mono_never();
        inbox_start(node, now);
        seat_publish_soon(node, now.mono);
        for (size_t i = 0; i < node->config.capacity.peers; i++) {
            struct peer *peer = &node->peers[i];
            if (peer->used && peer->state != PEER_CONNECTED) {
                search_start(node, now, peer);
            }
        }
    } else if (good_nodes == 0 && node->joined) {
        node->joined = false;
        struct node_report report = {.event = EVENT_LEFT};
        node_report(node, &report);
        bootstrap(node, now);
    }
    seat_on_dht_nodes(node, now);
    node_settle(node, now);
}

void node_on_dht_value(struct node *node, struct now now, uint64_t op, struct span value)
{
    if (op == 0) { // what is not under way has the id 0
        node->counters.answers_stale++;
        return;
    }
    if (op == node->inbox.listen_op || op == node->inbox.get_op) {
        inbox_on_value(node, now, value);
        node_settle(node, now);
        return;
    }
    if (op == node->seat.read_op) {
        seat_on_value(node, now, value);
        node_settle(node, now);
        return;
    }
    if (pieces_on_value(node, now, op, value)) {
        node_settle(node, now);
        return;
    }
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->used && (op == peer->get_op || op == peer->listen_op)) {
            peer_on_record(node, now, peer, value, NULL);
            node_settle(node, now);
            return;
        }
    }
    node->counters.answers_stale++;
}

void node_on_dht_done(struct node *node, struct now now, uint64_t op, bool ok)
{
    if (op == node->inbox.get_op) {
        node->inbox.get_op = 0;
        return;
    }
    if (op == node->inbox.listen_op && op != 0) {
        inbox_on_refused(node, now);
        return;
    }
    if (op != 0 && pieces_on_done(node, now, op)) {
        node_settle(node, now);
        return;
    }
    seat_on_done(node, now, op, ok);
    tombstones_on_done(node, now, op, ok);
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->used && op == peer->get_op) {
            search_on_done(node, now, peer);
        } else if (peer->used && op == peer->listen_op) {
            peer->listen_op = 0; // refused; the next get tries it again
        }
    }
    node_settle(node, now);
}

static void reflect(struct node *node, struct now now, enum node_port port,
    const struct address *from, const struct stun_message *message)
{
    uint8_t bytes[STUN_MESSAGE_MAX];
    struct writer writer = writer_of(bytes, sizeof bytes);
    if (reflector_answer(
            &node->reflector, now.mono, from, message, node->config.manifest, &writer) != OK) {
        node->counters.reflect_refused++;
        return;
    }
    node->counters.reflected++;
    struct node_effect effect = {
        .kind = EFFECT_SEND, .port = port, .to = *from, .bytes = writer_written(&writer)};
    effects_push(&node->effects, &effect);
}

static void on_probe(struct node *node, struct now now, const struct address *from,
    const struct stun_message *message)
{
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->used && peer->path_ready && probe_is_from(&peer->path.key, message)) {
            if (path_on_probe(&peer->path, now.mono, &node->limiter, from, message) != OK) {
                node->counters.datagrams_unasked++;
            }
            return;
        }
    }
    node->counters.datagrams_unasked++;
}

static void on_stun(struct node *node, struct now now, enum node_port port,
    const struct address *from, const struct stun_message *message)
{
    if (message->method == STUN_INTENT && message->kind == STUN_INDICATION) {
        struct intent_arrival arrival = {
            .way = WAY_DIRECT, .from = *from, .record = message->record, .intent = message->intent};
        rendezvous_on_intent(node, now, &arrival);
    } else if (message->has_mac && port == NODE_PORT_WG) {
        on_probe(node, now, from, message);
    } else if (message->kind == STUN_REQUEST) {
        reflect(node, now, port, from, message);
    } else if (port == NODE_PORT_WG) {
        if (mapping_on_response(&node->mapping, now.mono, from, message) != OK) {
            node->counters.datagrams_unasked++;
        }
    } else {
        node->counters.datagrams_unasked++;
    }
}

void node_on_datagram(struct node *node, struct now now, enum node_port port,
    const struct address *from, struct span bytes)
{
    struct stun_message message;
    if (stun_decode(bytes, &message) != OK) {
        node->counters.datagrams_malformed++;
        return;
    }
    on_stun(node, now, port, from, &message);
    node_settle(node, now);
}

void node_on_member_message(
    struct node *node, struct now now, const struct address *from, struct span bytes)
{
    talk_on_message(node, now, from, bytes);
    node_settle(node, now);
}

void node_on_chain_reply(
    struct node *node, struct now now, uint64_t op, const struct rpc_reply *reply)
{
    gate_on_reply(node->gate, now, op, reply);
    node_settle(node, now);
}

void node_on_device(
    struct node *node, struct now now, const struct wg_peer_state *peers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < node->config.capacity.peers; j++) {
            struct peer *peer = &node->peers[j];
            if (peer->used && peer->claim.held &&
                wg_key_equal(&peer->claim.record.wg_key, &peers[i].key)) {
                peer_on_device(now, peer, &peers[i]);
            }
        }
    }
    node_settle(node, now);
}

struct mono node_next_deadline(const struct node *node)
{
    struct mono next = mono_min(gate_next_deadline(node->gate), mapping_deadline(&node->mapping));
    next = mono_min(next, seat_deadline(node));
    next = mono_min(next, pieces_deadline(node));
    next = mono_min(next, node->bootstrap_at);
    next = mono_min(next, node->device_at);
    next = mono_min(next, node->save_at);
    next = mono_min(next, node->inbox.read_at);
    next = mono_min(next, rotation_deadline(node));
    next = mono_min(next, tombstones_deadline(node));
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        if (node->peers[i].used) {
            next = mono_min(next, peer_deadline(&node->peers[i]));
        }
    }
    return next;
}

// A handshake that is awaited is worth a look every 100 ms; otherwise the device is read as often
// as the path machines need it.
static void read_device(struct node *node, struct now now)
{
    bool any = false;
    bool awaited = false;
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        const struct peer *peer = &node->peers[i];
        bool on_device = peer->used && peer->path_ready;
        any = any || on_device;
        awaited = awaited || (on_device && peer->path.state == PATH_VALIDATED);
    }
    if (any) {
        struct node_effect effect = {.kind = EFFECT_READ_DEVICE};
        effects_push(&node->effects, &effect);
    }
    node->device_at =
        any ? mono_add(now.mono, awaited ? DEVICE_READ_SOON_MS : DEVICE_READ_MS) : mono_never();
}

void node_on_deadline(struct node *node, struct now now)
{
    gate_on_deadline(node->gate, now);
    mapping_on_deadline(&node->mapping, now.mono, &node->rng);
    seat_on_deadline(node, now);
    pieces_on_deadline(node, now);
    inbox_on_deadline(node, now);
    rotation_on_deadline(node, now);
    tombstones_on_deadline(node, now);
    if (mono_due(node->bootstrap_at, now.mono)) {
        bootstrap(node, now);
    }
    if (mono_due(node->device_at, now.mono)) {
        read_device(node, now);
    }
    if (mono_due(node->save_at, now.mono)) {
        node->save_at = mono_never();
        struct node_effect effect = {.kind = EFFECT_SAVE};
        effects_push(&node->effects, &effect);
    }
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->used) {
            search_on_deadline(node, now, peer);
            rendezvous_on_deadline(node, now, peer);
            peer_on_deadline(node, now, peer);
        }
    }
    node_settle(node, now);
}

static bool next_device_effect(struct node *node, struct node_effect *ret)
{
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        if (peer_next_removal(&node->peers[i], ret)) {
            return true;
        }
    }
    if (node->wg_key_due) {
        node->wg_key_due = false;
        *ret = (struct node_effect){.kind = EFFECT_WG_KEY,
            .bytes = span_of(node->config.wg_secret.bytes, sizeof node->config.wg_secret.bytes)};
        return true;
    }
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        if (peer_next_setting(node, &node->peers[i], ret)) {
            return true;
        }
    }
    return false;
}

static bool next_waiting(struct node *node, struct now now, struct node_effect *ret)
{
    // The device first: a probe is answered only by a node whose device knows the peer, so that
    // the handshake that follows the answer is not lost.
    if (next_device_effect(node, ret)) {
        return true;
    }
    struct gate_call call;
    if (gate_next_call(node->gate, now, &call)) {
        *ret = (struct node_effect){.kind = EFFECT_CHAIN_CALL,
            .op = call.id,
            .provider = call.provider,
            .reply_max = call.reply_max,
            .timeout_ms = call.timeout_ms,
            .bytes = call.body};
        return true;
    }
    return effects_pop(&node->effects, ret);
}

bool node_next_effect(struct node *node, struct now now, struct node_effect *ret)
{
    if (next_waiting(node, now, ret)) {
        return true;
    }
    node_settle(node, now);
    return next_waiting(node, now, ret);
}

enum status node_want_peer(struct node *node, struct now now, const struct token_id *token)
{
    if (token_id_equal(token, &node->config.token)) {
        return ERR_RANGE;
    }
    if (node->seat.state == SEAT_DISPLACED) {
        return ERR_BUSY;
    }
    struct peer *peer = peer_open(node, now, token, false);
    if (peer == NULL && peer_make_room(node, now, true)) {
        peer = peer_open(node, now, token, false);
    }
    if (peer == NULL) {
        return ERR_FULL;
    }
    peer->wanted = true;
    peer->knocking = false;
    if (peer->state == PEER_SEARCHING) {
        peer->get_backoff_ms = 0;
        search_start(node, now, peer);
        (void)gate_refresh(node->gate, token, now);
    }
    node_settle(node, now);
    return OK;
}

enum status node_ping(struct node *node, struct now now, const struct token_id *token,
    const uint8_t payload[static MESSAGE_PING_SIZE])
{
    (void)now;
    struct peer *peer = peer_find(node, token);
    if (peer == NULL) {
        return ERR_NOT_FOUND;
    }
    if (!peer_is_up(peer)) {
        return ERR_UNREACHABLE;
    }
    struct message message = {.kind = MESSAGE_PING};
    memcpy(message.ping, payload, sizeof message.ping);
    talk_send(node, peer, &message);
    return OK;
}

struct verdict node_check_record(struct node *node, struct now now, const struct record *record)
{
    struct gate_claim claim = {
        .delegation = &record->delegation, .wg_key = record->wg_key, .sequence = record->sequence};
    // Not beyond the record that is in use: a yes raises the floor, and that one would be a replay.
    const struct peer *peer = peer_find(node, &record->token);
    if (peer != NULL && peer->claim.held && peer->claim.record.sequence < claim.sequence &&
        node_key_equal(&peer->claim.record.node_key, &record->node_key)) {
        claim.sequence = peer->claim.record.sequence;
    }
    struct verdict verdict = pieces_decide(node, now, &claim);
    if (verdict.kind == VERDICT_UNKNOWN) {
        (void)gate_refresh(node->gate, &record->token, now);
    }
    return verdict;
}

enum status node_check_signature(
    struct node *node, struct now now, const struct delegation *delegation)
{
    return tombstones_accepted(node, delegation)
               ? OK
               : gate_check_signature(node->gate, delegation, now);
}

enum status node_set_delegation(
    struct node *node, struct now now, const struct delegation *delegation, struct span signature)
{
    if (!is_own_delegation(&node->config, delegation) ||
        !piece_content_fits(delegation, signature)) {
        return ERR_RANGE;
    }
    node->config.delegation = *delegation;
    node->config.signature = signature;
    node->seat.pieces_at = now.mono;
    seat_on_delegation(node, now);
    node_settle(node, now);
    return OK;
}

enum status node_set_node_key(struct node *node, struct now now, const struct node_secret *secret,
    const struct delegation *delegation, struct span signature)
{
    struct node_config config = {.token = node->config.token, .node_secret = *secret};
    bool own = is_own_delegation(&config, delegation);
    sodium_memzero(&config, sizeof config);
    if (!own || !piece_content_fits(delegation, signature)) {
        return ERR_RANGE;
    }
    node->config.node_secret = *secret;
    node->own_key = own_key(&node->config);
    node->seat.value_size = 0; // the old key's record is nobody's
    return node_set_delegation(node, now, delegation, signature);
}

void node_set_manifest(struct node *node, struct span manifest)
{
    node->config.manifest = manifest;
}

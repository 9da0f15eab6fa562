// SPDX-License-Identifier: GPL-3.0-or-later
//
// Rendezvous: intents out and in, and what the path machines ask for.
//
// An intent takes the cheapest way that exists: through the peer's own or a mutual peer's tunnel,
// straight to a public candidate, and by the peer's inbox in the DHT when neither exists or
// neither was answered in time. A reply goes back the way the intent came. Before an intent is
// answered, or a single packet sent because of it, the gate has said yes to its sender.
#include "node/inner.h"

#include <string.h>

enum {
    MUTUAL_MAX = 2, // through how many mutual peers an intent goes at once
    DIRECT_MAX = 2, // to how many public candidates
};

static bool is_welcome(const struct node *node)
{
    bool refused = node->seat.judged && node->seat.verdict.kind == VERDICT_NO;
    return node->seat.state != SEAT_DISPLACED && (!refused || node->config.insist);
}

static struct path_own own_side(const struct node *node, struct candidates *candidates)
{
    struct mapping_view view = mapping_view(&node->mapping);
    mapping_candidates(&node->mapping, AUDIENCE_PEER, candidates);
    return (struct path_own){.nat_class = view.nat_class,
        .single_reflector = view.single,
        .candidates = candidates,
        .subnets = node->subnets,
        .subnet_count = node->subnet_count};
}

void rendezvous_start(struct node *node, struct now now, struct peer *peer)
{
    if (!is_welcome(node) || !node->started) {
        return;
    }
    struct candidates candidates;
    struct path_own own = own_side(node, &candidates);
    struct candidates theirs = peer->claim.record.candidates;
    if (address_is_set(&peer->last_endpoint) && theirs.count < CANDIDATES_MAX) {
        theirs.list[theirs.count++] =
            (struct candidate){.kind = CANDIDATE_REFLEXIVE, .address = peer->last_endpoint};
    }
    struct path_peer other = {.nat_class = peer->claim.record.nat_class, .candidates = &theirs};
    path_start(&peer->path, now.mono, &own, &other);
}

static bool encode_intent(struct node *node, struct now now, const struct peer *peer, bool reply,
    uint8_t ret[static INTENT_MAX_SIZE], size_t *ret_size)
{
    struct intent intent = {.sender = node->config.token,
        .recipient = peer->token,
        .sender_key = node->own_key,
        .sent_at = gate_time(node->gate, now),
        .nonce = peer->nonce,
        .reply = reply,
        .nat_class = mapping_view(&node->mapping).nat_class,
        .sequence = node->seat.sequence};
    if (!reply) {
        rng_bytes(&node->rng, intent.nonce.bytes, sizeof intent.nonce.bytes);
    }
    mapping_candidates(&node->mapping, AUDIENCE_PEER, &intent.candidates);
    return intent_encode(&node->config.keys, &node->config.node_secret,
               &peer->claim.record.node_key, &intent, &node->rng, ret, ret_size) == OK;
}

static void report_sent(struct node *node, const struct peer *peer, enum intent_way way)
{
    node->counters.intents_sent++;
    struct node_report report = {.event = EVENT_INTENT_SENT, .token = peer->token, .how = way};
    node_report(node, &report);
}

static void send_direct(
    struct node *node, const struct peer *peer, const struct address *to, struct span intent)
{
    uint8_t bytes[STUN_MESSAGE_MAX];
    struct writer writer = writer_of(bytes, sizeof bytes);
    struct stun_transaction transaction = stun_transaction_draw(&node->rng);
    if (stun_encode_intent(&writer, &transaction, seat_value(node), intent) != OK) {
        return;
    }
    struct node_effect effect = {
        .kind = EFFECT_SEND, .port = NODE_PORT_WG, .to = *to, .bytes = writer_written(&writer)};
    effects_push(&node->effects, &effect);
    report_sent(node, peer, WAY_DIRECT);
}

static void send_tunnel(
    struct node *node, const struct peer *through, const struct peer *peer, struct span intent)
{
    bool own_tunnel = through == peer;
    struct message message = {.kind = own_tunnel ? MESSAGE_DELIVER : MESSAGE_FORWARD,
        .token = own_tunnel ? node->config.token : peer->token,
        .record = seat_value(node),
        .intent = intent};
    talk_send(node, through, &message);
    report_sent(node, peer, WAY_TUNNEL);
}

static void send_inbox(struct node *node, const struct peer *peer, struct span intent)
{
    struct node_effect effect = {.kind = EFFECT_DHT_PUT,
        .op = node_op(node),
        .key = key_of_inbox(&node->config.keys, &peer->token),
        .value_id = value_id_of_bytes(intent),
        .bytes = intent};
    effects_push(&node->effects, &effect);
    report_sent(node, peer, WAY_INBOX);
}

static bool is_public(const struct candidate *candidate)
{
    bool direct = candidate->kind == CANDIDATE_HOST || candidate->kind == CANDIDATE_MAPPED;
    return direct && candidate->address.family == FAMILY_IPV4 &&
           address_scope(&candidate->address) == SCOPE_GLOBAL;
}

static size_t send_to_candidates(struct node *node, const struct peer *peer, struct span intent)
{
    size_t sent = 0;
    const struct candidates *candidates = &peer->claim.record.candidates;
    for (size_t i = 0; i < candidates->count && sent < DIRECT_MAX; i++) {
        if (is_public(&candidates->list[i])) {
            send_direct(node, peer, &candidates->list[i].address, intent);
            sent++;
        }
    }
    return sent;
}

// Public members first: they are connected to most others.
static size_t send_through_mutual(struct node *node, const struct peer *peer, struct span intent)
{
    if (peer_is_up(peer)) {
        send_tunnel(node, peer, peer, intent);
        return 1;
    }
    size_t sent = 0;
    for (int wanted_public = 1; wanted_public >= 0; wanted_public--) {
        for (size_t i = 0; i < node->config.capacity.peers && sent < MUTUAL_MAX; i++) {
            const struct peer *through = &node->peers[i];
            bool open = through->claim.record.nat_class == NAT_NONE ||
                        (through->claim.record.flags & RECORD_ENTRY) != 0;
            if (through->used && peer_is_up(through) && (int)open == wanted_public) {
                send_tunnel(node, through, peer, intent);
                sent++;
            }
        }
    }
    return sent;
}

static void send_reply(struct node *node, const struct peer *peer, struct span intent)
{
    switch (peer->answer_way) {
    case WAY_DIRECT:
        send_direct(node, peer, &peer->answer_to, intent);
        break;
    case WAY_TUNNEL: {
        const struct peer *through = peer_find(node, &peer->answer_via);
        if (through != NULL && peer_is_up(through)) {
            send_tunnel(node, through, peer, intent);
            break;
        }
        send_inbox(node, peer, intent);
        break;
    }
    case WAY_INBOX:
        send_inbox(node, peer, intent);
        break;
    }
}

static void send_intent(struct node *node, struct now now, struct peer *peer, bool reply)
{
    uint8_t bytes[INTENT_MAX_SIZE];
    size_t size = 0;
    if (!is_welcome(node) || !encode_intent(node, now, peer, reply, bytes, &size)) {
        return;
    }
    struct span intent = span_of(bytes, size);
    if (reply) {
        send_reply(node, peer, intent);
        return;
    }
    size_t sent = send_to_candidates(node, peer, intent);
    sent += send_through_mutual(node, peer, intent);
    peer->inbox_at = mono_add(now.mono, sent > 0 ? INTENT_INBOX_DELAY_MS : 0);
}

static bool is_unanswered(const struct peer *peer)
{
    return peer->used && peer->path_ready && !peer->path.peer_heard &&
           (peer->path.state == PATH_PUNCHING || peer->path.state == PATH_PROBING);
}

void rendezvous_on_deadline(struct node *node, struct now now, struct peer *peer)
{
    if (peer->path_ready) {
        path_on_deadline(&peer->path, now.mono);
    }
    if (!mono_due(peer->inbox_at, now.mono) || !effects_has_room(&node->effects)) {
        return; // when there is room: it stays due
    }
    peer->inbox_at = mono_never();
    uint8_t bytes[INTENT_MAX_SIZE];
    size_t size = 0;
    if (is_unanswered(peer) && node_has_dht(node) && is_welcome(node) &&
        encode_intent(node, now, peer, false, bytes, &size)) {
        send_inbox(node, peer, span_of(bytes, size));
    }
}

static void nudge(struct node *node)
{
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        node->peers[i].nudge_due = is_unanswered(&node->peers[i]);
    }
}

void rendezvous_new_tunnel(struct node *node, struct now now, const struct peer *peer)
{
    const struct candidates *candidates = &peer->claim.record.candidates;
    for (size_t i = 0; i < candidates->count; i++) {
        if (is_public(&candidates->list[i])) {
            (void)mapping_reflector_add(&node->mapping, now.mono, &candidates->list[i].address);
            break;
        }
    }
    nudge(node);
}

void rendezvous_mapping_changed(struct node *node, struct now now)
{
    struct mapping_view view = mapping_view(&node->mapping);
    if (address_is_set(&view.reflexive) || view.nat_class == NAT_BLOCKED) {
        struct node_report report = {
            .event = EVENT_MAPPING, .address = view.reflexive, .nat_class = view.nat_class};
        node_report(node, &report);
    }
    node_choose_dht_role(node);
    seat_publish_soon(node, now.mono);
    seat_on_deadline(node, now);
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->used && peer->path_ready && peer->path.state != PATH_BACKOFF) {
            rendezvous_start(node, now, peer);
        }
    }
}

void rendezvous_drain(struct node *node, struct now now, struct peer *peer)
{
    if (peer->nudge_due && effects_has_room(&node->effects)) {
        peer->nudge_due = false;
        if (is_unanswered(peer)) {
            send_intent(node, now, peer, false);
        }
    }
    struct path_output output;
    while (peer->path_ready && effects_has_room(&node->effects) &&
           path_next_output(&peer->path, now.mono, &node->limiter, &node->rng, &output)) {
        struct node_report report = {.token = peer->token, .why = output.why};
        switch (output.kind) {
        case PATH_OUTPUT_SEND: {
            struct node_effect effect = {.kind = EFFECT_SEND,
                .port = NODE_PORT_WG,
                .to = output.to,
                .ttl = output.ttl,
                .bytes = span_of(output.bytes, output.size)};
            effects_push(&node->effects, &effect);
            break;
        }
        case PATH_OUTPUT_INTENT:
            send_intent(node, now, peer, output.reply);
            break;
        case PATH_OUTPUT_VALIDATED:
            peer_on_validated(node, now, peer, &output);
            break;
        case PATH_OUTPUT_CONNECTED:
            peer_on_alive(node, now, peer);
            break;
        case PATH_OUTPUT_LOST:
            report.event = EVENT_LOST;
            node_report(node, &report);
            peer_on_lost(node, now, peer);
            break;
        case PATH_OUTPUT_FAILED:
            report.event = EVENT_UNREACHED;
            node_report(node, &report);
            peer_on_failed(node, now, peer, output.why);
            break;
        }
    }
}

static void act(
    struct node *node, struct now now, struct peer *peer, const struct pending_intent *pending)
{
    struct candidates candidates;
    struct path_own own = own_side(node, &candidates);
    struct path_peer other = {
        .nat_class = pending->intent.nat_class, .candidates = &pending->intent.candidates};
    node->counters.intents_accepted++;
    struct node_report report = {
        .event = EVENT_INTENT_RECEIVED, .token = peer->token, .how = pending->way};
    node_report(node, &report);
    if (!pending->intent.reply) {
        peer->nonce = pending->intent.nonce;
        peer->answer_way = pending->way;
        peer->answer_to = pending->from;
        peer->answer_via = pending->via;
    }
    peer->inbox_at = mono_never();
    path_on_intent(&peer->path, now.mono, &own, &other, !pending->intent.reply);
}

void rendezvous_use_pending(struct node *node, struct now now, struct peer *peer)
{
    if (!peer->pending.held || !peer->path_ready || !is_welcome(node)) {
        return;
    }
    struct pending_intent pending = peer->pending;
    peer->pending.held = false;
    if (!mono_due(pending.until, now.mono) &&
        node_key_equal(&pending.intent.sender_key, &peer->claim.record.node_key)) {
        act(node, now, peer, &pending);
    }
}

// True for the node keys that sit in a seat as far as we know: their intents have the larger
// budget.
static bool is_member_key(const struct node *node, const struct node_key *key)
{
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        const struct peer *peer = &node->peers[i];
        if (peer->used && peer->claim.held && node_key_equal(&peer->claim.record.node_key, key)) {
            return true;
        }
    }
    return false;
}

// Peek, budget, signature, seal, replay: in the order of their cost.
static bool open_intent(struct node *node, struct now now, struct span bytes, struct intent *ret)
{
    const struct budget_rate member_rate = {.per_second = 20, .burst = 100};
    const struct budget_rate stranger_rate = {.per_second = 2, .burst = 20};
    struct unix_time time = gate_time(node->gate, now);
    struct dht_key inbox = key_of_inbox(&node->config.keys, &node->config.token);
    struct intent_envelope envelope;
    struct intent intent;
    if (intent_peek(bytes, time, &envelope) != OK) {
        node->counters.intents_malformed++;
        return false;
    }
    bool member = is_member_key(node, &envelope.sender_key);
    struct budget *budget = member ? &node->inbox.members : &node->inbox.strangers;
    if (!budget_take(budget, member ? &member_rate : &stranger_rate, now.mono, 1)) {
        node->counters.intents_over_budget++;
        return false;
    }
    if (intent_verify(&node->config.keys, &inbox, &envelope) != OK ||
        intent_open(&envelope, &node->config.node_secret, &node->config.token, &intent) != OK ||
        token_id_equal(&intent.sender, &node->config.token)) {
        node->counters.intents_malformed++;
        return false;
    }
    struct intent_replay *replay =
        member ? &node->inbox.replay_members : &node->inbox.replay_strangers;
    if (intent_replay_admit(replay, &intent, time) != OK) {
        node->counters.intents_replayed++;
        return false;
    }
    *ret = intent;
    return true;
}

void rendezvous_on_intent(struct node *node, struct now now, const struct intent_arrival *arrival)
{
    struct intent intent;
    if (!open_intent(node, now, arrival->intent, &intent) || !is_welcome(node)) {
        return;
    }
    struct peer *peer = peer_open(node, now, &intent.sender, true);
    if (peer == NULL) {
        node->counters.intents_over_budget++;
        return;
    }
    peer->pending = (struct pending_intent){.held = true,
        .intent = intent,
        .way = arrival->way,
        .from = arrival->from,
        .via = arrival->via,
        .until = mono_add(now.mono, INTENT_PENDING_MS)};
    if (arrival->record.size > 0) {
        const struct address *from = arrival->way == WAY_DIRECT ? &arrival->from : NULL;
        peer_on_record(node, now, peer, arrival->record, from);
    } else if (!peer->claim.held || peer->claim.record.sequence < intent.sequence) {
        search_start(node, now, peer);
    }
    rendezvous_use_pending(node, now, peer);
}

void inbox_stop(struct node *node)
{
    struct inbox *inbox = &node->inbox;
    struct node_effect effect = {.kind = EFFECT_DHT_CANCEL, .op = inbox->listen_op};
    if (inbox->listen_op != 0) {
        effects_push(&node->effects, &effect);
    }
    effect.op = inbox->get_op;
    if (inbox->get_op != 0) {
        effects_push(&node->effects, &effect);
    }
    inbox->listen_op = 0;
    inbox->get_op = 0;
    inbox->read_at = mono_never();
}

void inbox_start(struct node *node, struct now now)
{
    struct inbox *inbox = &node->inbox;
    inbox_stop(node);
    if (node->seat.state == SEAT_DISPLACED) {
        return;
    }
    inbox->listen_op = node_op(node);
    inbox->window_at = now.mono;
    inbox->window_count = 0;
    struct node_effect effect = {.kind = EFFECT_DHT_LISTEN,
        .op = inbox->listen_op,
        .key = key_of_inbox(&node->config.keys, &node->config.token)};
    effects_push(&node->effects, &effect);
}

// A flooded inbox is not listened to: it is read now and then, until a minute was calm.
static void inbox_mute(struct node *node, struct now now)
{
    inbox_stop(node);
    node->inbox.read_at = mono_add(now.mono, INBOX_READ_MS);
}

void inbox_on_refused(struct node *node, struct now now)
{
    node->inbox.listen_op = 0;
    node->inbox.read_at = mono_add(now.mono, INBOX_READ_MS);
}

void inbox_on_value(struct node *node, struct now now, struct span value)
{
    struct inbox *inbox = &node->inbox;
    if (mono_since(inbox->window_at, now.mono) >= 60000) {
        inbox->window_at = now.mono;
        inbox->window_count = 0;
    }
    inbox->window_count++;
    if (inbox->window_count > INBOX_VALUES_PER_MINUTE) {
        node->counters.intents_over_budget++;
        if (inbox->listen_op != 0) {
            inbox_mute(node, now);
        }
        return;
    }
    struct intent_arrival arrival = {.way = WAY_INBOX, .intent = value};
    rendezvous_on_intent(node, now, &arrival);
}

void inbox_on_deadline(struct node *node, struct now now)
{
    struct inbox *inbox = &node->inbox;
    if (!mono_due(inbox->read_at, now.mono)) {
        return;
    }
    if (mono_since(inbox->window_at, now.mono) >= 60000) {
        if (inbox->window_count <= INBOX_VALUES_PER_MINUTE) {
            inbox_start(node, now);
            return;
        }
        // Nothing at all may come from now on: that is a calm minute, too.
        inbox->window_at = now.mono;
        inbox->window_count = 0;
    }
    inbox->read_at = mono_add(now.mono, INBOX_READ_MS);
    struct node_effect effect = {.kind = EFFECT_DHT_CANCEL, .op = inbox->get_op};
    if (inbox->get_op != 0) {
        effects_push(&node->effects, &effect);
    }
    inbox->get_op = node_op(node);
    effect.kind = EFFECT_DHT_GET;
    effect.op = inbox->get_op;
    effect.key = key_of_inbox(&node->config.keys, &node->config.token);
    effects_push(&node->effects, &effect);
}

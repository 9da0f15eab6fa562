// SPDX-License-Identifier: GPL-3.0-or-later
//
// Peers: which claim to a seat is believed, and what the device should hold because of it.
//
// A claim is a record whose signature verifies. It is admitted on a yes of the gate; while the
// chain has not decided, the best one waits as `doubt`. A peer gets onto the device with its
// admission, first without an endpoint: it can answer a handshake from then on, and a probe of it
// is answered only after that.
#include "node/inner.h"

#include <string.h>

enum {
    REFUSED_REPORT_MS = 10000,
    JUDGE_AGAIN_MS = 30000,
    KNOCKING_MS = 60000,    // how long a stranger's entry is kept without a yes
    AWAY_MS = 60000,        // a peer that was not found for so long may lose its entry
    KEY_AWAITED_MS = 30000, // how long the chain is read often for a key that was announced
    KEY_READ_MS = 1000,
};

struct peer *peer_find(struct node *node, const struct token_id *token)
{
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->used && token_id_equal(&peer->token, token)) {
            return peer;
        }
    }
    return NULL;
}

bool peer_is_up(const struct peer *peer)
{
    return peer->state == PEER_CONNECTED;
}

void peer_set_state(struct peer *peer, struct mono now, enum peer_state state)
{
    static const bool legal[][3] = {
        [PEER_SEARCHING] = {[PEER_ADMITTED] = true},
        [PEER_ADMITTED] = {[PEER_CONNECTED] = true, [PEER_SEARCHING] = true},
        [PEER_CONNECTED] = {[PEER_ADMITTED] = true, [PEER_SEARCHING] = true},
    };
    if (state == peer->state) {
        return;
    }
    ASSERT(legal[peer->state][state]);
    peer->state = state;
    peer->since = now;
}

// Those that are away knock when they are back; so one that knocks now may have the place of one
// that has been away for a while, where not everybody has a place.
static bool may_leave(const struct node *node, struct now now, const struct peer *peer, bool asked)
{
    bool idle = !peer->wanted && !peer->knocking && mono_since(peer->since, now.mono) >= AWAY_MS;
    return peer->used && peer->state == PEER_SEARCHING && !peer->device_remove_due &&
           (asked || (idle && members_count(node) > node->config.mesh_max));
}

bool peer_make_room(struct node *node, struct now now, bool asked)
{
    struct peer *oldest = NULL;
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        struct peer *peer = &node->peers[i];
        if (!may_leave(node, now, peer, asked)) {
            continue;
        }
        bool first = oldest == NULL || (oldest->wanted && !peer->wanted);
        bool older = first || (oldest->wanted == peer->wanted && peer->since.ms < oldest->since.ms);
        oldest = older ? peer : oldest;
    }
    if (oldest != NULL) {
        peer_close(node, now, oldest);
    }
    return oldest != NULL;
}

static struct peer *unused_entry(struct node *node)
{
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        if (!node->peers[i].used && !node->peers[i].device_remove_due) {
            return &node->peers[i];
        }
    }
    return NULL;
}

// Room for one more: an unused entry, or for a member that of a stranger who has got nowhere.
static struct peer *peer_room(struct node *node, struct now now, bool knocking)
{
    size_t knocks = 0;
    struct peer *knocker = NULL;
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        struct peer *peer = &node->peers[i];
        if (peer->used && peer->knocking) {
            knocks++;
            knocker = peer->state == PEER_SEARCHING ? peer : knocker;
        }
    }
    if (knocking && knocks == KNOCKING_MAX) {
        return NULL;
    }
    struct peer *room = unused_entry(node);
    if (room == NULL && knocking && peer_make_room(node, now, false)) {
        return unused_entry(node);
    }
    if (room == NULL && !knocking && knocker != NULL) {
        peer_close(node, now, knocker);
        return knocker;
    }
    return room;
}

struct peer *peer_open(
    struct node *node, struct now now, const struct token_id *token, bool knocking)
{
    struct peer *peer = peer_find(node, token);
    if (peer != NULL) {
        return peer;
    }
    peer = peer_room(node, now, knocking);
    if (peer == NULL) {
        return NULL;
    }
    *peer = (struct peer){.used = true,
        .knocking = knocking,
        .token = *token,
        .overlay = overlay_ipv6(&node->config.keys.id, token),
        .state = PEER_SEARCHING,
        .since = now.mono,
        .judge_at = mono_never(),
        .get_deadline = mono_never(),
        .get_at = mono_never(),
        .inbox_at = mono_never(),
        .take_over_at = mono_never()};
    if (node->started) {
        (void)gate_watch(node->gate, token, now);
        (void)gate_refresh(node->gate, token, now);
        search_start(node, now, peer);
    }
    return peer;
}

static void forget_path(struct peer *peer, struct mono now)
{
    if (peer->path_ready) {
        path_stop(&peer->path, now);
        probe_key_wipe(&peer->path.key);
        peer->path_ready = false;
    }
    peer->endpoint = (struct address){0};
    peer->validated = (struct address){0};
    peer->keepalive_s = 0;
    peer->take_over_at = mono_never();
    peer->inbox_at = mono_never();
    peer->device_known = false;
    peer->greeted = false;
    peer->told = 0;
}

static void take_off_device(struct node *node, struct peer *peer, struct mono now)
{
    if (peer->path_ready) {
        // While a removal waits, the device still has the key of that one and not yet the present.
        if (!peer->device_remove_due) {
            peer->device_remove_key = peer->claim.record.wg_key;
        }
        peer->device_remove_due = true;
        peer->device_set_due = false;
        peer->device_endpoint_due = false;
        node->counters.peers_removed++;
    }
    forget_path(peer, now);
}

void peer_close(struct node *node, struct now now, struct peer *peer)
{
    take_off_device(node, peer, now.mono);
    search_stop(node, peer);
    gate_unwatch(node->gate, &peer->token);
    peer->claim.held = false;
    peer->doubt.held = false;
    peer->used = false;
}

static void expel(struct node *node, struct now now, struct peer *peer)
{
    struct node_report report = {.event = EVENT_REMOVED,
        .token = peer->token,
        .verdict = peer->verdict,
        .address = peer->endpoint};
    node_report(node, &report);
    take_off_device(node, peer, now.mono);
    peer->claim.held = false;
    peer_set_state(peer, now.mono, PEER_SEARCHING);
    peer->get_backoff_ms = 0;
    search_start(node, now, peer);
    node_save_soon(node, now.mono);
}

static void report_refused(struct node *node, struct now now, struct peer *peer,
    const struct verdict *verdict, const struct address *from)
{
    node->counters.records_refused++;
    if (!peer->claim.held) {
        peer->verdict = *verdict;
        peer->judged = true;
    }
    if (peer->refused_reported &&
        mono_since(peer->refused_reported_at, now.mono) < REFUSED_REPORT_MS) {
        return;
    }
    peer->refused_reported = true;
    peer->refused_reported_at = now.mono;
    struct node_report report = {.event = EVENT_REFUSED, .token = peer->token, .verdict = *verdict};
    if (from != NULL) {
        report.address = *from;
    }
    node_report(node, &report);
}

// WireGuard knows a peer by its key alone, and a record proves nothing about the WireGuard key in
// it: the same key in two seats would take the addresses of the one for the other. So a key has one
// seat at a time, that of who came first, unless it has had the time to prove itself and did not.
static bool is_key_taken(
    struct node *node, struct now now, const struct peer *peer, const struct wg_key *key)
{
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        struct peer *holder = &node->peers[i];
        if (!holder->used || holder == peer || !holder->path_ready ||
            !wg_key_equal(&holder->claim.record.wg_key, key)) {
            continue;
        }
        if (holder->state == PEER_CONNECTED ||
            mono_since(holder->since, now.mono) < PATH_HANDSHAKE_MS) {
            return true;
        }
        holder->verdict.kind = VERDICT_NO;
        holder->verdict.reason = REASON_KEY_TAKEN;
        expel(node, now, holder);
    }
    return wg_key_equal(key, &node->own_wg_key);
}

static struct verdict decide(struct node *node, struct now now, const struct record *record)
{
    struct gate_claim claim = {
        .delegation = &record->delegation, .wg_key = record->wg_key, .sequence = record->sequence};
    return pieces_decide(node, now, &claim);
}

// Makes the path machine of an admitted claim; false if its WireGuard key is no usable point.
static bool make_path(struct node *node, struct peer *peer)
{
    struct probe_pair pair = {.network = node->config.keys.id,
        .own_key = node->own_wg_key,
        .peer_key = peer->claim.record.wg_key,
        .own_token = node->config.token,
        .peer_token = peer->token};
    struct path_config config = {
        .controlling = token_id_compare(&node->config.token, &peer->token) < 0};
    struct probe_key key;
    if (probe_key_derive(&node->config.wg_secret, &pair, &key) != OK) {
        return false;
    }
    path_init(&peer->path, &config, &key);
    probe_key_wipe(&key);
    peer->path_ready = true;
    return true;
}

// Off the device, on to another key: where the tunnel worked is where it is tried first.
static void leave_device(struct node *node, struct peer *peer, struct mono now)
{
    if (peer->state == PEER_CONNECTED && address_is_set(&peer->endpoint)) {
        peer->last_endpoint = peer->endpoint;
    }
    take_off_device(node, peer, now);
    peer_set_state(peer, now, PEER_SEARCHING);
}

void peer_rekey(struct node *node, struct now now, struct peer *peer)
{
    if (!peer->path_ready) {
        return;
    }
    leave_device(node, peer, now.mono);
    if (!make_path(node, peer)) {
        peer->claim.held = false;
        return;
    }
    peer->device_set_due = true;
    node->device_at = mono_min(node->device_at, mono_add(now.mono, DEVICE_READ_MS));
    peer_set_state(peer, now.mono, PEER_ADMITTED);
    rendezvous_start(node, now, peer);
}

// `found` becomes what is believed of this seat.
static void admit(struct node *node, struct now now, struct peer *peer, const struct claim *found)
{
    bool same_key = peer->claim.held && peer->path_ready &&
                    wg_key_equal(&peer->claim.record.wg_key, &found->record.wg_key);
    if (!same_key) {
        leave_device(node, peer, now.mono);
    }
    peer->claim = *found;
    peer->knocking = false;
    node->counters.records_accepted++;
    node_save_soon(node, now.mono);
    if (same_key) {
        if (peer->state != PEER_CONNECTED) {
            rendezvous_start(node, now, peer);
        }
        return;
    }
    if (!make_path(node, peer)) {
        peer->claim.held = false;
        return;
    }
    node->counters.peers_admitted++;
    peer->device_set_due = true;
    node->device_at = mono_min(node->device_at, mono_add(now.mono, DEVICE_READ_MS));
    peer_set_state(peer, now.mono, PEER_ADMITTED);
    struct node_report report = {
        .event = EVENT_VERIFIED, .token = peer->token, .verdict = peer->verdict};
    node_report(node, &report);
    rendezvous_start(node, now, peer);
    rendezvous_use_pending(node, now, peer);
}

void peer_doubt(struct peer *peer, struct mono now, struct span value, const struct hash256 *digest)
{
    peer->doubt.held = true;
    peer->doubt.at = now;
    peer->doubt.digest = *digest;
    peer->doubt.value_size = (uint16_t)value.size;
    memcpy(peer->doubt.value, value.data, value.size);
}

static bool is_doubt(const struct peer *peer, const struct hash256 *digest)
{
    return peer->doubt.held && hash256_equal(&peer->doubt.digest, digest);
}

static void keep_value(struct claim *claim, struct span value)
{
    memcpy(claim->value, value.data, value.size);
    claim->value_size = (uint16_t)value.size;
}

// What waits, as a claim; false if nothing does.
static bool read_doubt(const struct node *node, const struct peer *peer, struct claim *ret)
{
    struct span value = span_of(peer->doubt.value, peer->doubt.value_size);
    struct dht_key at = key_of_record(&node->config.keys, &peer->token);
    struct parsed_record parsed;
    if (!peer->doubt.held || record_parse(&node->config.keys, &at, value, &parsed) != OK) {
        return false;
    }
    *ret = (struct claim){.held = true, .record = parsed.record, .digest = peer->doubt.digest};
    keep_value(ret, value);
    return true;
}

// While the chain is silent, only the owner that it named last tells claims apart; without one, by
// rank. What is shadowed so is searched again once the chain has spoken.
static bool replaces_doubt(struct node *node, struct now now, const struct peer *peer,
    const struct record *found, const struct verdict *verdict)
{
    struct claim held;
    struct eth_address owner;
    if (!read_doubt(node, peer, &held)) {
        return true;
    }
    if (gate_last_owner(node->gate, &peer->token, &owner) == OK) {
        bool found_owns = eth_address_equal(&found->delegation.owner, &owner);
        if (found_owns != eth_address_equal(&held.record.delegation.owner, &owner)) {
            return found_owns;
        }
    }
    // A signature that nobody has may not exist: what has one is not shadowed by that.
    bool found_away = verdict->reason == REASON_SIGNATURE_AWAY;
    bool held_away = decide(node, now, &held.record).reason == REASON_SIGNATURE_AWAY;
    if (found_away != held_away) {
        return held_away;
    }
    return record_outranks(found, &held.record);
}

bool peer_waiting_delegation(
    const struct node *node, const struct peer *peer, struct delegation *ret)
{
    struct claim waiting;
    if (!read_doubt(node, peer, &waiting)) {
        return false;
    }
    *ret = waiting.record.delegation;
    return true;
}

// When to decide again without news. The gate counts the grace from the last yes that was asked
// for, so a yes that lasts is asked for time and again.
static struct mono judge_again(const struct verdict *verdict, struct mono now)
{
    return verdict->kind == VERDICT_YES ? mono_min(verdict->until, mono_add(now, JUDGE_AGAIN_MS))
                                        : verdict->until;
}

// Who sits there says that it will use another WireGuard key than the contract stores.
static bool is_new_key(const struct peer *peer, const struct claim *found)
{
    return peer->claim.held &&
           node_key_equal(&peer->claim.record.node_key, &found->record.node_key) &&
           !wg_key_equal(&peer->claim.record.wg_key, &found->record.wg_key);
}

static bool is_key_awaited(const struct peer *peer, struct mono now)
{
    return peer->claim.held && peer->doubt.held && mono_since(peer->doubt.at, now) < KEY_AWAITED_MS;
}

// Then the contract may store it in a moment: what tells the old key from the new is the chain, so
// that is read often for a while, and at each poll after that.
static void await_key(
    struct node *node, struct now now, struct peer *peer, const struct claim *found, bool waits)
{
    if (!waits) {
        peer_doubt(peer, now.mono, span_of(found->value, found->value_size), &found->digest);
        (void)gate_refresh(node->gate, &peer->token, now);
    }
    if (is_key_awaited(peer, now.mono)) {
        peer->judge_at = mono_min(peer->judge_at, mono_add(now.mono, KEY_READ_MS));
    }
}

// Decides about a claim that is not admitted yet.
static void weigh(struct node *node, struct now now, struct peer *peer, const struct claim *found,
    const struct address *from)
{
    bool waits = is_doubt(peer, &found->digest);
    tombstones_apply(node, now, &peer->token);
    struct verdict verdict = decide(node, now, &found->record);
    bool in_grace = verdict.kind == VERDICT_UNKNOWN && verdict.grace_left_ms > 0;
    bool good = verdict.kind == VERDICT_YES || in_grace;
    if (good && is_key_taken(node, now, peer, &found->record.wg_key)) {
        verdict.kind = VERDICT_NO;
        verdict.reason = REASON_KEY_TAKEN;
        good = false;
    }
    if (good) {
        peer->doubt.held = false;
        peer->verdict = verdict;
        peer->judged = true;
        peer->judge_at = judge_again(&verdict, now.mono);
        admit(node, now, peer, found);
        return;
    }
    if (verdict.reason == REASON_KEY_MISMATCH && is_new_key(peer, found)) {
        await_key(node, now, peer, found, waits);
        return;
    }
    if (verdict.kind == VERDICT_NO) {
        report_refused(node, now, peer, &verdict, from);
        if (waits) {
            peer->doubt.held = false;
            peer->get_backoff_ms = 0;
            search_start(node, now, peer);
        }
        return;
    }
    if (!peer->claim.held) {
        peer->verdict = verdict;
        peer->judged = true;
    }
    if (waits) {
        peer->judge_at = mono_min(peer->judge_at, verdict.until);
    }
    if (!waits && replaces_doubt(node, now, peer, &found->record, &verdict)) {
        peer->judge_at = mono_min(peer->judge_at, verdict.until);
        peer_doubt(peer, now.mono, span_of(found->value, found->value_size), &found->digest);
        (void)gate_refresh(node->gate, &peer->token, now);
    }
}

// The owner is known and is somebody else: said so, without a look at the signature.
static bool refuse_other_owner(struct node *node, struct now now, struct peer *peer,
    const struct record *record, const struct address *from)
{
    struct gate_reading reading = gate_read(node->gate, &record->token, now);
    if (reading.kind != VERDICT_YES ||
        eth_address_equal(&reading.owner, &record->delegation.owner)) {
        return false;
    }
    struct verdict verdict = decide(node, now, record);
    if (verdict.kind == VERDICT_NO) {
        report_refused(node, now, peer, &verdict, from);
    }
    return true;
}

static bool is_held(const struct claim *claim, const struct hash256 *digest)
{
    return claim->held && hash256_equal(&claim->digest, digest);
}

static void report_resolved(struct node *node, const struct peer *peer)
{
    if (!peer->claim.held && !peer->doubt.held) {
        struct node_report report = {.event = EVENT_RESOLVED, .token = peer->token};
        node_report(node, &report);
    }
}

void peer_on_record(struct node *node, struct now now, struct peer *peer, struct span value,
    const struct address *from)
{
    struct claim found = {.held = true, .digest = value_digest(value)};
    struct dht_key at = key_of_record(&node->config.keys, &peer->token);
    struct parsed_record parsed;
    if (is_held(&peer->claim, &found.digest) || is_doubt(peer, &found.digest)) {
        return;
    }
    if (record_parse(&node->config.keys, &at, value, &parsed) != OK ||
        record_check_time(&parsed.record, gate_time(node->gate, now)) != OK) {
        node->counters.records_malformed++;
        return;
    }
    found.record = parsed.record;
    // The owner first: only claims by the present owner are ranked, so that nobody else's record
    // can shadow a seat.
    if (refuse_other_owner(node, now, peer, &found.record, from)) {
        return;
    }
    if (peer->claim.held && !record_outranks(&found.record, &peer->claim.record)) {
        node->counters.records_outranked++;
        return;
    }
    if (record_verify(&node->config.keys, &parsed) != OK) {
        node->counters.records_malformed++;
        return;
    }
    if (record_is_tombstone(&found.record)) {
        struct verdict ignored; // the seat's claim is judged by what it retires
        (void)!tombstones_take(node, now, &found.record.token, value, NULL, &ignored);
        return;
    }
    keep_value(&found, value);
    report_resolved(node, peer);
    weigh(node, now, peer, &found, from);
}

static bool is_over(const struct verdict *verdict)
{
    return verdict->kind == VERDICT_NO ||
           (verdict->kind == VERDICT_UNKNOWN && verdict->grace_left_ms == 0);
}

void peer_judge(struct node *node, struct now now, struct peer *peer)
{
    struct claim waiting = {0};
    struct verdict verdict = {.kind = VERDICT_YES};
    peer->judge_at = mono_never();
    if (peer->claim.held) {
        verdict = decide(node, now, &peer->claim.record);
        peer->verdict = verdict;
        peer->judge_at = judge_again(&verdict, now.mono);
    }
    // Before the end of the old claim: one by the same node, with the key that is on chain now,
    // takes its place.
    if (read_doubt(node, peer, &waiting)) {
        weigh(node, now, peer, &waiting, NULL);
    }
    bool replaced = peer->claim.held && hash256_equal(&peer->claim.digest, &waiting.digest);
    if (peer->claim.held && is_over(&verdict) && !replaced) {
        peer->verdict = verdict;
        expel(node, now, peer);
    }
}

void peer_on_validated(
    struct node *node, struct now now, struct peer *peer, const struct path_output *output)
{
    struct node_report report = {
        .event = EVENT_PUNCHED, .token = peer->token, .address = output->to};
    node_report(node, &report);
    peer->endpoint = output->to;
    peer->validated = output->to;
    node->device_at = mono_min(node->device_at, mono_add(now.mono, DEVICE_READ_SOON_MS));
    // Two initiations that cross each other make both fail until WireGuard's 5 s retry; so one
    // side begins. The other one's device gets no endpoint, lest its user's packets make it begin
    // as well, until it should have heard of it: after a restart its peer believes in the tunnel
    // of before and begins nothing.
    if (peer->path.config.controlling || peer_is_up(peer)) {
        peer->keepalive_s = output->keepalive_s;
        peer->device_set_due = true;
        peer->device_endpoint_due = true;
        talk_hello(node, now, peer);
    } else {
        uint64_t wait_ms = TAKE_OVER_MIN_MS + TAKE_OVER_ROUND_TRIPS * (uint64_t)output->rtt_ms;
        peer->take_over_at = mono_add(now.mono, wait_ms);
    }
}

void peer_on_alive(struct node *node, struct now now, struct peer *peer)
{
    peer->heard_at = now.mono;
    if (peer->state != PEER_ADMITTED) {
        return;
    }
    peer_set_state(peer, now.mono, PEER_CONNECTED);
    if (address_is_set(&peer->endpoint)) {
        peer->last_endpoint = peer->endpoint;
    }
    node_save_soon(node, now.mono);
    struct node_report report = {
        .event = EVENT_CONNECTED, .token = peer->token, .address = peer->endpoint};
    node_report(node, &report);
    if (peer->keepalive_s == 0) {
        peer->keepalive_s = PATH_KEEPALIVE_S;
        peer->device_set_due = true;
    }
    peer->take_over_at = mono_never();
    peer->inbox_at = mono_never();
    search_pause(node, now, peer);
    if (!peer->greeted) {
        talk_hello(node, now, peer);
    }
    rendezvous_new_tunnel(node, now, peer);
}

void peer_on_lost(struct node *node, struct now now, struct peer *peer)
{
    if (peer->state == PEER_CONNECTED) {
        peer_set_state(peer, now.mono, PEER_ADMITTED);
    }
    peer->greeted = false;
    peer->told = 0;
    peer->get_backoff_ms = 0;
    search_start(node, now, peer);
}

void peer_on_failed(struct node *node, struct now now, struct peer *peer, enum path_why why)
{
    if (peer->state == PEER_CONNECTED) {
        peer_on_lost(node, now, peer); // a late message had made it look alive
    }
    if (why == PATH_WHY_NO_HANDSHAKE && peer->state == PEER_ADMITTED) {
        // A clock that was set back makes WireGuard refuse every initiation (TAI64N must grow);
        // only a peer that is new to the device starts afresh.
        peer->device_remove_due = true;
        peer->device_remove_key = peer->claim.record.wg_key;
        peer->endpoint = peer->validated;
        peer->device_set_due = true;
        peer->device_endpoint_due = true;
    }
}

void peer_on_device(struct now now, struct peer *peer, const struct wg_peer_state *state)
{
    if (!peer->path_ready) {
        return;
    }
    uint64_t handshake_ms = state->handshake_unix_ns / 1000000;
    struct path_device device = {.has_handshake = handshake_ms != 0,
        .handshake_age_ms = now.unix_time.ms > handshake_ms ? now.unix_time.ms - handshake_ms : 0,
        .rx_bytes = state->rx_bytes};
    peer->device = *state;
    peer->device_known = true;
    if (address_is_set(&state->endpoint)) {
        peer->endpoint = state->endpoint;
    }
    path_on_device(&peer->path, now.mono, &device);
}

bool peer_next_removal(struct peer *peer, struct node_effect *ret)
{
    if (!peer->device_remove_due) {
        return false;
    }
    peer->device_remove_due = false;
    *ret =
        (struct node_effect){.kind = EFFECT_PEER_REMOVE, .peer = {.key = peer->device_remove_key}};
    return true;
}

bool peer_next_setting(const struct node *node, struct peer *peer, struct node_effect *ret)
{
    if (!peer->device_set_due || !peer->used) {
        return false;
    }
    bool with_endpoint = peer->device_endpoint_due;
    peer->device_set_due = false;
    peer->device_endpoint_due = false;
    *ret = (struct node_effect){.kind = EFFECT_PEER_SET,
        .token = peer->token,
        .peer = {.key = peer->claim.record.wg_key,
            .endpoint = with_endpoint ? peer->endpoint : (struct address){0},
            .allowed = {prefix_of(&peer->overlay, 128)},
            .allowed_count = 1,
            .keepalive_s = peer->keepalive_s}};
    struct address ipv4;
    if (node->config.ipv4 && overlay_ipv4(&node->config.ipv4_prefix, &peer->token, &ipv4) == OK) {
        ret->peer.allowed[ret->peer.allowed_count++] = prefix_of(&ipv4, 32);
    }
    return true;
}

void peer_on_deadline(struct node *node, struct now now, struct peer *peer)
{
    if (mono_due(peer->judge_at, now.mono)) {
        if (is_key_awaited(peer, now.mono)) {
            (void)gate_refresh(node->gate, &peer->token, now);
        }
        peer_judge(node, now, peer);
    }
    if (mono_due(peer->take_over_at, now.mono)) {
        peer->take_over_at = mono_never();
        peer->keepalive_s = PATH_KEEPALIVE_S;
        peer->endpoint = peer->validated; // since then the device has reported an older one
        peer->device_set_due = true;
        peer->device_endpoint_due = true;
        talk_hello(node, now, peer);
    }
    if (peer->knocking && peer->state == PEER_SEARCHING &&
        mono_since(peer->since, now.mono) >= KNOCKING_MS) {
        peer_close(node, now, peer);
    }
}

struct mono peer_deadline(const struct peer *peer)
{
    struct mono next = mono_min(peer->judge_at, peer->take_over_at);
    next = mono_min(next, mono_min(peer->get_at, peer->get_deadline));
    next = mono_min(next, peer->inbox_at);
    if (peer->path_ready) {
        next = mono_min(next, path_deadline(&peer->path));
    }
    if (peer->knocking && peer->state == PEER_SEARCHING) {
        next = mono_min(next, mono_add(peer->since, KNOCKING_MS));
    }
    return next;
}

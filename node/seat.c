// SPDX-License-Identifier: GPL-3.0-or-later
//
// The own seat: what the chain says of it, and the record that tells the others where we are.
//
// Nothing is published before there is a usable candidate, or when the own reading of the chain
// says no (others would refuse it anyway). An unknown reading does not keep a record back: others
// may see the chain when we do not.
#include "node/inner.h"

#include <string.h>

static void seat_set_state(struct seat *seat, enum seat_state state)
{
    static const bool legal[][4] = {
        [SEAT_WAITING] = {[SEAT_PUTTING] = true, [SEAT_DISPLACED] = true},
        [SEAT_PUTTING] = {[SEAT_PUBLISHED] = true, [SEAT_WAITING] = true, [SEAT_DISPLACED] = true},
        [SEAT_PUBLISHED] = {[SEAT_PUTTING] = true, [SEAT_WAITING] = true, [SEAT_DISPLACED] = true},
        [SEAT_DISPLACED] = {[SEAT_WAITING] = true},
    };
    ASSERT(state == seat->state || legal[seat->state][state]);
    seat->state = state;
}

struct span seat_value(const struct node *node)
{
    return span_of(node->seat.value, node->seat.value_size);
}

void seat_start(struct node *node, struct now now)
{
    struct seat *seat = &node->seat;
    seat->boot = rng_u64(&node->rng);
    seat->judge_at = mono_add(now.mono, SELF_VERDICT_WAIT_MS);
    seat->warn_at = now.mono;
    seat_publish_soon(node, now.mono);
}

void seat_publish_soon(struct node *node, struct mono at)
{
    node->seat.publish_at = mono_min(node->seat.publish_at, at);
}

// Keeps still from now on: another node sits here, or the owner has retired this one.
static void stand_down(struct node *node, struct now now, bool retired)
{
    struct seat *seat = &node->seat;
    seat_set_state(seat, SEAT_DISPLACED);
    seat->retired = retired;
    seat->publish_at = mono_never();
    if (!retired) { // that was reported when the tombstone came
        struct node_report report = {.event = EVENT_DISPLACED, .token = node->config.token};
        node_report(node, &report);
    }
    inbox_stop(node);
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        if (node->peers[i].used) {
            peer_close(node, now, &node->peers[i]);
        }
    }
}

void seat_judge(struct node *node, struct now now)
{
    struct seat *seat = &node->seat;
    struct gate_claim claim = {.delegation = &node->config.delegation,
        .wg_key = *rotation_claimed_key(node),
        .sequence = seat->sequence};
    struct verdict verdict = pieces_decide(node, now, &claim);
    bool news = verdict.kind != seat->verdict.kind || verdict.reason != seat->verdict.reason;
    bool read = verdict.reason != REASON_NOT_READ && verdict.reason != REASON_WALLET_ASKED;
    bool first = !seat->judged && read;
    seat->verdict = verdict;
    if (seat->judged || first) {
        seat->judge_at = verdict.until; // until then it is the wait for the first reading
    }
    if (first || (seat->judged && news)) {
        seat->judged = true;
        struct node_report report = {
            .event = EVENT_SELF_VERDICT, .token = node->config.token, .verdict = verdict};
        node_report(node, &report);
        seat_publish_soon(node, now.mono);
        seat_on_deadline(node, now);
    }
    if (verdict.reason == REASON_TOMBSTONE && seat->state != SEAT_DISPLACED &&
        !node->config.insist) {
        stand_down(node, now, true);
    }
}

static bool may_publish(const struct node *node, struct now now)
{
    const struct seat *seat = &node->seat;
    bool refused = seat->judged && seat->verdict.kind == VERDICT_NO && !node->config.insist;
    // Until the first reading, for a moment: a node without a seat should learn that first.
    bool waiting = !seat->judged && !mono_due(seat->judge_at, now.mono);
    return node->started && node_has_dht(node) && !refused && !waiting &&
           seat->state != SEAT_DISPLACED && seat->put_op == 0;
}

// Whether somebody can reach us. In a private network nobody's record names an address, but the
// intents do: so it is worth a record, once the own mapping is known or nobody can tell it.
static bool is_reachable(const struct node *node, const struct candidates *candidates)
{
    struct candidates inside;
    struct mapping_view view = mapping_view(&node->mapping);
    mapping_candidates(&node->mapping, AUDIENCE_PEER, &inside);
    bool mapped = address_is_set(&view.reflexive) || node->mapping.reflector_count == 0;
    return candidates->count > 0 || (inside.count > 0 && mapped);
}

// A record with this WireGuard key; false if nobody could reach us by it.
static bool encode_record(struct node *node, struct now now, const struct wg_key *wg_key,
    struct record *ret, uint8_t value[static RECORD_MAX_SIZE], size_t *ret_size)
{
    struct seat *seat = &node->seat;
    struct record record = {.token = node->config.token,
        .node_key = node->own_key,
        .wg_key = *wg_key,
        .sequence = record_next_sequence(now.unix_time, seat->sequence, 0),
        .boot = seat->boot,
        .not_after_s = gate_time(node->gate, now).ms / 1000 + RECORD_LIFETIME_S,
        .nat_class = mapping_view(&node->mapping).nat_class,
        .flags = node->server ? RECORD_ENTRY : 0,
        .delegation = node->config.delegation};
    mapping_candidates(&node->mapping, AUDIENCE_PUBLIC, &record.candidates);
    if (!is_reachable(node, &record.candidates) ||
        record_encode(&node->config.keys, &node->config.node_secret, &record, value, ret_size) !=
            OK) {
        return false;
    }
    seat->sequence = record.sequence;
    node_save_soon(node, now.mono);
    *ret = record;
    return true;
}

static bool make_record(struct node *node, struct now now)
{
    struct seat *seat = &node->seat;
    size_t size = 0;
    if (!encode_record(node, now, &node->own_wg_key, &seat->record, seat->value, &size)) {
        return false;
    }
    seat->value_size = (uint16_t)size;
    for (size_t i = 0; seat->announce && i < node->config.capacity.peers; i++) {
        node->peers[i].greeted = false; // told in turn (node_settle)
    }
    seat->announce = false;
    return true;
}

struct span seat_announcement(
    struct node *node, struct now now, uint8_t buffer[static RECORD_MAX_SIZE])
{
    struct record record;
    size_t size = 0;
    const struct wg_key *key = rotation_told_key(node);
    if (wg_key_equal(key, &node->own_wg_key) || node->seat.value_size == 0 ||
        !encode_record(node, now, key, &record, buffer, &size)) {
        return seat_value(node);
    }
    return span_of(buffer, size);
}

static void publish(struct node *node, struct now now)
{
    struct seat *seat = &node->seat;
    if (!may_publish(node, now)) {
        return;
    }
    if (mono_due(seat->pieces_at, now.mono)) {
        // Before the record that names them.
        if (!pieces_publish(node)) {
            return; // there is no room for them: later
        }
        seat->pieces_at = mono_add(now.mono, REFRESH_MS / 2);
    }
    seat->publish_at = mono_never();
    if (!make_record(node, now)) {
        return; // the mapping, when it comes, publishes
    }
    seat->put_op = node_op(node);
    seat->put_deadline = mono_add(now.mono, PUT_TIMEOUT_MS);
    seat->nodes_at_put = node->good_nodes;
    seat_set_state(seat, SEAT_PUTTING);
    struct node_effect effect = {.kind = EFFECT_DHT_PUT,
        .op = seat->put_op,
        .key = key_of_record(&node->config.keys, &node->config.token),
        .value_id = value_id_of_record(&node->own_key),
        .bytes = seat_value(node)};
    effects_push(&node->effects, &effect);
}

static void on_put_done(struct node *node, struct now now, bool ok)
{
    struct seat *seat = &node->seat;
    seat->put_op = 0;
    seat->put_deadline = mono_never();
    if (seat->state != SEAT_PUTTING) {
        return;
    }
    // Alone, a put reaches nobody and still is all that can be done.
    bool reached = ok || node->good_nodes == 0;
    seat_set_state(seat, reached ? SEAT_PUBLISHED : SEAT_WAITING);
    seat_publish_soon(node, mono_add(now.mono, reached ? rng_jitter(&node->rng, REFRESH_MS, 12)
                                                       : SEARCH_BACKOFF_MIN_MS * 5));
    if (reached) {
        seat->published_at = now.mono;
        seat->read_at = mono_min(seat->read_at, mono_add(now.mono, READ_BACK_FIRST_MS));
        struct node_report report = {.event = EVENT_PUBLISHED, .token = node->config.token};
        node_report(node, &report);
    }
}

void seat_on_done(struct node *node, struct now now, uint64_t op, bool ok)
{
    struct seat *seat = &node->seat;
    if (op == seat->put_op && op != 0) {
        on_put_done(node, now, ok);
    } else if (op == seat->read_op && op != 0) {
        seat->read_op = 0;
        // Nobody answered: what an earlier run of ours left may still come. But a first node
        // without other servers has read all that there is, its own store.
        bool whole = ok || (!node->joined && node->config.bootstrap_count == 0);
        seat->read_once = seat->read_once || whole;
    }
}

void seat_on_value(struct node *node, struct now now, struct span value)
{
    struct seat *seat = &node->seat;
    struct dht_key at = key_of_record(&node->config.keys, &node->config.token);
    struct record seen;
    if (node->config.insist || seat->state == SEAT_DISPLACED ||
        span_equal(value, seat_value(node)) ||
        record_decode(&node->config.keys, &at, value, &seen) != OK) {
        return;
    }
    if (record_is_tombstone(&seen)) {
        struct verdict ignored; // what it means for this node, it finds out by itself
        (void)!tombstones_take(node, now, &seen.token, value, NULL, &ignored);
        return;
    }
    bool own_key = node_key_equal(&seen.node_key, &node->own_key);
    if (own_key && !seat->read_once) {
        // Left from an earlier run of ours whose sequence ran ahead of this clock.
        if (seen.sequence >= seat->sequence) {
            seat->sequence = seen.sequence;
            seat_publish_soon(node, now.mono);
        }
        return;
    }
    if (seat->value_size == 0 || !record_displaces(&seen, &seat->record)) {
        return;
    }
    // Only a claim that the chain says yes to takes the seat.
    struct gate_claim claim = {
        .delegation = &seen.delegation, .wg_key = seen.wg_key, .sequence = seen.sequence};
    struct verdict verdict = pieces_decide(node, now, &claim);
    if (own_key || verdict.kind == VERDICT_YES) {
        stand_down(node, now, false);
    }
}

static void read_back(struct node *node, struct now now)
{
    struct seat *seat = &node->seat;
    seat->read_at = mono_add(now.mono, READ_BACK_MS);
    struct node_effect effect = {.kind = EFFECT_DHT_CANCEL, .op = seat->read_op};
    if (seat->read_op != 0) {
        effects_push(&node->effects, &effect);
    }
    seat->read_op = node_op(node);
    effect.kind = EFFECT_DHT_GET;
    effect.op = seat->read_op;
    effect.key = key_of_record(&node->config.keys, &node->config.token);
    effects_push(&node->effects, &effect);
}

// A value stays on the nodes that were next to its key when it was put. In a swarm that has doubled
// since, most of those next to it are new, and a reader who asks them would find nothing.
void seat_on_dht_nodes(struct node *node, struct now now)
{
    struct seat *seat = &node->seat;
    if (seat->state == SEAT_PUBLISHED && node->good_nodes > 1 &&
        node->good_nodes >= 2 * seat->nodes_at_put) {
        seat->pieces_at = now.mono;
        seat_publish_soon(node, now.mono);
    }
}

void seat_renew(struct node *node, struct now now)
{
    struct seat *seat = &node->seat;
    if (seat->put_op != 0) {
        struct node_effect effect = {.kind = EFFECT_DHT_CANCEL, .op = seat->put_op};
        effects_push(&node->effects, &effect);
        seat->put_op = 0;
        seat->put_deadline = mono_never();
    }
    if (seat->state == SEAT_PUTTING) {
        seat_set_state(seat, SEAT_WAITING);
    }
    seat->announce = true;
    seat_publish_soon(node, now.mono);
    seat_on_deadline(node, now);
}

// Nothing outranks this node any more.
static void reclaim(struct node *node, struct now now)
{
    struct seat *seat = &node->seat;
    seat_set_state(seat, SEAT_WAITING);
    seat->retired = false;
    struct node_report report = {.event = EVENT_RECLAIMED, .token = node->config.token};
    node_report(node, &report);
    seat->read_at = mono_add(now.mono, READ_BACK_MS);
    seat->warn_at = now.mono;
    if (node_has_dht(node)) {
        inbox_start(node, now);
    }
    members_fill(node, now);
}

void seat_on_delegation(struct node *node, struct now now)
{
    struct seat *seat = &node->seat;
    seat->warned_s = 0;
    seat->warn_at = now.mono;
    seat_judge(node, now);
    if (seat->state == SEAT_DISPLACED && seat->verdict.kind != VERDICT_NO) {
        reclaim(node, now);
    }
    if (seat->state != SEAT_DISPLACED) {
        seat_renew(node, now);
    }
    node_save_soon(node, now.mono);
}

// How long before its end a delegation is reminded of. Those that lie in its first half are left
// out: a delegation of two days is not reminded of when it is made.
static const uint32_t reminders_s[] = {30 * 24 * 3600, 14 * 24 * 3600, 7 * 24 * 3600, 3 * 24 * 3600,
    24 * 3600, 12 * 3600, 6 * 3600, 3 * 3600, 3600};

static bool is_reminder(const struct delegation *delegation, uint32_t before_s)
{
    return before_s <= (delegation->not_after_s - delegation->not_before_s) / 2;
}

bool seat_is_ending(const struct node *node, uint64_t left_s)
{
    for (size_t i = 0; i < sizeof reminders_s / sizeof reminders_s[0]; i++) {
        if (is_reminder(&node->config.delegation, reminders_s[i])) {
            return left_s <= reminders_s[i];
        }
    }
    return left_s <= 3600;
}

// Each reminder once, the last of those that are due after a start; and the end itself.
static void warn_of_ending(struct node *node, struct now now)
{
    struct seat *seat = &node->seat;
    const struct delegation *delegation = &node->config.delegation;
    uint64_t now_s = gate_time(node->gate, now).ms / 1000;
    uint64_t left_s = delegation->not_after_s > now_s ? delegation->not_after_s - now_s : 0;
    uint64_t next_s = left_s; // until the next reminder
    uint32_t due_s = left_s == 0 ? 1 : 0;
    for (size_t i = 0; i < sizeof reminders_s / sizeof reminders_s[0] && left_s > 0; i++) {
        if (!is_reminder(delegation, reminders_s[i])) {
            continue;
        }
        if (left_s <= reminders_s[i]) {
            due_s = reminders_s[i];
        } else {
            next_s = left_s - reminders_s[i] < next_s ? left_s - reminders_s[i] : next_s;
        }
    }
    seat->warn_at =
        left_s == 0
            ? mono_never()
            : mono_add(now.mono,
                  mono_min((struct mono){next_s * 1000}, (struct mono){24ULL * 3600 * 1000}).ms);
    if (due_s != 0 && due_s != seat->warned_s) {
        seat->warned_s = due_s;
        struct node_report report = {
            .event = EVENT_DELEGATION_ENDING, .token = node->config.token, .left_s = left_s};
        node_report(node, &report);
    }
}

void seat_on_deadline(struct node *node, struct now now)
{
    struct seat *seat = &node->seat;
    if (!node->started || seat->state == SEAT_DISPLACED) {
        return;
    }
    if (mono_due(seat->judge_at, now.mono)) {
        if (!seat->judged) {
            seat->judge_at = mono_never();
            seat->judged = true;
            struct node_report report = {
                .event = EVENT_SELF_VERDICT, .token = node->config.token, .verdict = seat->verdict};
            node_report(node, &report);
        } else {
            seat->judge_at = mono_never();
            seat_judge(node, now);
        }
    }
    if (mono_due(seat->put_deadline, now.mono)) {
        on_put_done(node, now, false);
    }
    if (mono_due(seat->publish_at, now.mono)) {
        publish(node, now);
        if (mono_due(seat->publish_at, now.mono)) {
            seat->publish_at = mono_add(now.mono, REPUBLISH_PAUSE_MS);
        }
    }
    if (mono_due(seat->read_at, now.mono)) {
        read_back(node, now);
    }
    if (mono_due(seat->warn_at, now.mono)) {
        warn_of_ending(node, now);
    }
}

struct mono seat_deadline(const struct node *node)
{
    const struct seat *seat = &node->seat;
    if (!node->started || seat->state == SEAT_DISPLACED) {
        return mono_never();
    }
    struct mono next = mono_min(seat->judge_at, seat->put_deadline);
    next = mono_min(next, seat->publish_at);
    next = mono_min(next, seat->read_at);
    return mono_min(next, seat->warn_at);
}

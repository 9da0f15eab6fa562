// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tombstones of any token of the network: by them owners retire node keys that were lost or stolen.
// What the chain confirms is told to every member that is connected, once a tunnel, and put into
// the DHT until its delegation ends, so that it reaches those who come later.
//
// Capacity: config.capacity.tombstones, for each token one that the chain has confirmed and one
// that waits for it, each that of the greatest epoch. In their order of arrival, so that each peer
// needs one number to know what it has been told. When full, a new one takes the place of one that
// the chain has not confirmed, else of the one that ends first; those that a user of this node gave
// stay. While the chain cannot be read anybody's signature may be an owner's, so what waits
// displaces only what waits, and nothing that a user gave: a stranger can make up what waits, but
// room beyond that takes a token.
#include "node/inner.h"

#include <string.h>

enum {
    PUT_RETRY_MS = 30 * 1000,
    PUT_LATEST_MS = 24 * 3600 * 1000,
};

static struct tombstone *find(struct node *node, const struct token_id *token, bool proven)
{
    for (size_t i = 0; i < node->tombstone_count; i++) {
        struct tombstone *entry = &node->tombstones[i];
        if (entry->proven == proven && token_id_equal(&entry->token, token)) {
            return entry;
        }
    }
    return NULL;
}

static void remove_at(struct node *node, size_t index)
{
    node->tombstone_count--;
    memmove(&node->tombstones[index], &node->tombstones[index + 1],
        (node->tombstone_count - index) * sizeof node->tombstones[0]);
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        struct peer *peer = &node->peers[i];
        peer->told = (uint16_t)(peer->told > index ? peer->told - 1 : peer->told);
    }
}

static bool is_weaker(const struct tombstone *a, const struct tombstone *b)
{
    return a->proven != b->proven ? !a->proven : a->not_after_s < b->not_after_s;
}

static bool make_room(struct node *node, const struct tombstone *fresh)
{
    size_t weakest = SIZE_MAX;
    if (node->tombstone_count < node->config.capacity.tombstones) {
        return true;
    }
    ASSERT(node->tombstone_count == 0 || node->tombstones != NULL);
    for (size_t i = 0; i < node->tombstone_count; i++) {
        const struct tombstone *entry = &node->tombstones[i];
        bool may_go = !entry->own && (!entry->proven || fresh->proven || fresh->own);
        if (may_go && (weakest == SIZE_MAX || is_weaker(entry, &node->tombstones[weakest]))) {
            weakest = i;
        }
    }
    if (weakest != SIZE_MAX) {
        remove_at(node, weakest);
    }
    return weakest != SIZE_MAX;
}

// Of those who hold it each puts it now and then, together about as often as one alone would have
// to; who was given it by a user does not count on the others.
static struct mono next_put(struct node *node, struct now now, const struct tombstone *entry)
{
    uint64_t sharers = entry->own ? 1 : members_count(node) + 1;
    uint64_t pause_ms = sharers < PUT_LATEST_MS / REFRESH_MS ? sharers * REFRESH_MS : PUT_LATEST_MS;
    return mono_add(now.mono, rng_jitter(&node->rng, pause_ms, entry->own ? 12 : 50));
}

static enum status append(struct node *node, struct now now, const struct tombstone *entry)
{
    if (!make_room(node, entry)) {
        return ERR_FULL;
    }
    ASSERT(node->tombstones != NULL);
    struct tombstone *place = &node->tombstones[node->tombstone_count++];
    *place = *entry;
    place->put_at = place->own ? now.mono : next_put(node, now, place);
    node_save_soon(node, now.mono);
    return OK;
}

static bool parse(
    const struct node *node, const struct token_id *token, struct span value, struct record *ret)
{
    struct dht_key at = key_of_record(&node->config.keys, token);
    struct parsed_record parsed;
    if (value.size > TOMBSTONE_MAX_SIZE ||
        record_parse(&node->config.keys, &at, value, &parsed) != OK ||
        !record_is_tombstone(&parsed.record) || !token_id_equal(&parsed.record.token, token)) {
        return false;
    }
    *ret = parsed.record;
    return true;
}

// What the gate says; an accepted one has raised the floors.
static struct verdict decide(struct node *node, struct now now, const struct record *record)
{
    struct gate_claim claim = {.delegation = &record->delegation};
    return pieces_decide(node, now, &claim);
}

static bool counts(const struct verdict *verdict)
{
    return verdict->kind == VERDICT_NO && verdict->reason == REASON_TOMBSTONE;
}

// The chain has confirmed it: whoever sits there by an older delegation is out.
static void act(struct node *node, struct now now, const struct token_id *token)
{
    struct node_report report = {.event = EVENT_RETIRED, .token = *token};
    node_report(node, &report);
    if (token_id_equal(token, &node->config.token)) {
        seat_judge(node, now);
    }
    struct peer *peer = peer_find(node, token);
    if (peer != NULL) {
        peer_judge(node, now, peer);
    }
}

bool tombstones_is_news(struct node *node, const struct token_id *token, struct span value)
{
    struct record record;
    const struct tombstone *proven = find(node, token, true);
    const struct tombstone *waiting = find(node, token, false);
    return parse(node, token, value, &record) &&
           (proven == NULL || proven->epoch_s < record.delegation.epoch_s) &&
           (waiting == NULL || !span_equal(span_of(waiting->value, waiting->size), value));
}

// In the place of the one of its kind, if there is one.
static enum status keep(struct node *node, struct now now, const struct tombstone *entry)
{
    struct tombstone copy = *entry;
    struct tombstone *known = find(node, &copy.token, copy.proven);
    if (known != NULL) {
        copy.own = copy.own || (copy.proven && known->own);
        remove_at(node, (size_t)(known - node->tombstones));
    }
    return append(node, now, &copy);
}

// The chain has not been read: it waits, unless one waits with a better right.
static enum status keep_waiting(struct node *node, struct now now, const struct tombstone *entry)
{
    struct tombstone *waiting = find(node, &entry->token, false);
    (void)gate_refresh(node->gate, &entry->token, now);
    if (waiting != NULL && !entry->own && (waiting->own || waiting->epoch_s >= entry->epoch_s)) {
        return OK;
    }
    return keep(node, now, entry);
}

enum status tombstones_take(struct node *node, struct now now, const struct token_id *token,
    struct span value, bool own, struct verdict *ret)
{
    struct record record;
    if (!parse(node, token, value, &record)) {
        return ERR_MALFORMED;
    }
    struct tombstone *proven = find(node, token, true);
    struct verdict verdict = decide(node, now, &record);
    *ret = verdict;
    if (proven != NULL && proven->epoch_s >= record.delegation.epoch_s) {
        proven->own = proven->own || own;
        return OK;
    }
    struct tombstone entry = {.token = record.token,
        .epoch_s = record.delegation.epoch_s,
        .not_after_s = record.delegation.not_after_s,
        .own = own,
        .proven = counts(&verdict),
        .size = (uint16_t)value.size};
    memcpy(entry.value, value.data, value.size);
    enum status status = OK;
    if (entry.proven) {
        status = keep(node, now, &entry);
        act(node, now, token);
    } else if (verdict.kind == VERDICT_UNKNOWN) {
        status = keep_waiting(node, now, &entry);
    }
    tombstones_on_reading(node, now, token);
    return status;
}

// The chain has news of a token whose tombstone waits for them.
void tombstones_on_reading(struct node *node, struct now now, const struct token_id *token)
{
    struct record record;
    struct tombstone *entry = find(node, token, false);
    if (entry == NULL) {
        return;
    }
    struct tombstone copy = *entry;
    if (!parse(node, token, span_of(copy.value, copy.size), &record)) {
        return;
    }
    struct verdict verdict = decide(node, now, &record);
    if (verdict.kind == VERDICT_UNKNOWN) {
        return;
    }
    remove_at(node, (size_t)(entry - node->tombstones));
    const struct tombstone *proven = find(node, token, true);
    if (counts(&verdict) && (proven == NULL || proven->epoch_s < copy.epoch_s)) {
        // At the end: nobody has been told of it yet.
        copy.proven = true;
        (void)keep(node, now, &copy);
        act(node, now, token);
    }
}

static void apply(struct node *node, struct now now, const struct tombstone *entry)
{
    struct record record;
    if (entry != NULL && parse(node, &entry->token, span_of(entry->value, entry->size), &record)) {
        (void)decide(node, now, &record);
    }
}

void tombstones_apply(struct node *node, struct now now, const struct token_id *token)
{
    apply(node, now, find(node, token, true));
    apply(node, now, find(node, token, false));
}

void tombstones_start(struct node *node, struct now now)
{
    for (size_t i = 0; i < node->tombstone_count; i++) {
        (void)gate_refresh(node->gate, &node->tombstones[i].token, now);
    }
}

void tombstones_tell(struct node *node)
{
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        struct peer *peer = &node->peers[i];
        while (peer->used && peer_is_up(peer) && peer->told < node->tombstone_count &&
               effects_has_room(&node->effects)) {
            const struct tombstone *entry = &node->tombstones[peer->told++];
            struct message message = {.kind = MESSAGE_RETIRED,
                .token = entry->token,
                .record = span_of(entry->value, entry->size)};
            if (entry->proven) {
                talk_send(node, peer, &message);
            }
        }
    }
}

static void put(struct node *node, struct now now, struct tombstone *entry)
{
    struct span value = span_of(entry->value, entry->size);
    entry->put_at = next_put(node, now, entry);
    entry->put_op = node_op(node);
    struct node_effect effect = {.kind = EFFECT_DHT_PUT,
        .op = entry->put_op,
        .key = key_of_record(&node->config.keys, &entry->token),
        .value_id = value_id_of_bytes(value),
        .bytes = value};
    effects_push(&node->effects, &effect);
}

void tombstones_on_done(struct node *node, struct now now, uint64_t op, bool ok)
{
    for (size_t i = 0; i < node->tombstone_count; i++) {
        struct tombstone *entry = &node->tombstones[i];
        if (entry->put_op == op && !ok && entry->own && node->good_nodes > 0) {
            entry->put_at = mono_min(entry->put_at, mono_add(now.mono, PUT_RETRY_MS));
        }
    }
}

void tombstones_on_deadline(struct node *node, struct now now)
{
    uint64_t now_s = gate_time(node->gate, now).ms / 1000;
    for (size_t i = node->tombstone_count; i-- > 0;) {
        struct tombstone *entry = &node->tombstones[i];
        if (!mono_due(entry->put_at, now.mono)) {
            continue;
        }
        if (entry->not_after_s < now_s) {
            remove_at(node, i);
            node_save_soon(node, now.mono);
        } else if ((entry->proven || entry->own) && node_has_dht(node) &&
                   effects_has_room(&node->effects)) {
            put(node, now, entry);
        } else {
            entry->put_at = mono_add(now.mono, SAVE_DELAY_MS);
        }
    }
}

struct mono tombstones_deadline(const struct node *node)
{
    struct mono next = mono_never();
    for (size_t i = 0; node->started && i < node->tombstone_count; i++) {
        next = mono_min(next, node->tombstones[i].put_at);
    }
    return next;
}

enum status node_retire(struct node *node, struct now now, const struct token_id *token,
    struct span value, struct verdict *ret)
{
    struct verdict verdict = {0};
    enum status status = tombstones_take(node, now, token, value, true, &verdict);
    if (status == OK) {
        *ret = verdict;
        tombstones_on_deadline(node, now);
    }
    node_settle(node, now);
    return status;
}

void node_on_stored_tombstone(
    struct node *node, struct now now, const struct token_id *token, struct span value)
{
    struct verdict ignored;
    if (tombstones_is_news(node, token, value)) {
        (void)!tombstones_take(node, now, token, value, false, &ignored);
        node_settle(node, now);
    }
}

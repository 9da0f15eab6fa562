// SPDX-License-Identifier: GPL-3.0-or-later
//
// Tombstones of any token of the network: by them owners retire node keys that were lost or stolen.
// What the chain confirms is told to every member that is connected, once a tunnel, and put into
// the DHT until its delegation ends, so that it reaches those who come later.
//
// What is accepted once (the chain says yes to its signature) stays so, across restarts: a wallet
// that has other owners later does not undo it. A restart asks only who owns the token now.
//
// Capacity: config.capacity.tombstones; of a token one that is accepted, that of the greatest
// epoch, and WAITING_PER_TOKEN that the chain has not decided about. In their order of arrival, so
// that each peer needs one number to know what it has been told. When full, a new one takes the
// place of one that is not accepted; an accepted one else of that which ends first; those that a
// user of this node gave stay. Long signatures of contract wallets (node/pieces.c) are kept beside
// those that are accepted or given by a user, and their pieces put with them: tombstones_bytes_max
// in all; when full, a new one takes the place of those that end first, which nobody here puts from
// then on. A stranger can fill nothing: an entry takes an owner's signature, or it waits, gives way
// to any other, and goes when its signature is nowhere to be found; room among the accepted takes a
// token.
#include "node/inner.h"

#include <stdlib.h>
#include <string.h>

enum {
    PUT_RETRY_MS = 30 * 1000,
    PUT_LATEST_MS = 24 * 3600 * 1000,
    WAITING_PER_TOKEN = 4,
    JUDGE_AGAIN_MS = 20 * 1000,
    AWAY_MAX_MS = 30 * 60 * 1000, // while the signature is nowhere
    BYTES_BASE = 2 * PIECE_CONTENT_MAX,
    BYTES_PER_TOMBSTONE = 192, // the keys of a Safe of 2 to 3
};

static const struct stone_source stranger = {.own = false};

size_t tombstones_bytes_max(const struct node_config *config)
{
    bool keeps = config->capacity.wallets > 0 && config->capacity.tombstones > 0;
    return keeps ? BYTES_BASE + (size_t)config->capacity.tombstones * BYTES_PER_TOMBSTONE : 0;
}

enum status tombstones_create(struct node *node)
{
    size_t count = node->config.capacity.tombstones;
    size_t bytes = tombstones_bytes_max(&node->config);
    node->tombstones = count > 0 ? calloc(count, sizeof *node->tombstones) : NULL;
    node->stone_bytes = bytes > 0 ? malloc(bytes) : NULL;
    bool allocated =
        (count == 0 || node->tombstones != NULL) && (bytes == 0 || node->stone_bytes != NULL);
    return allocated ? OK : ERR_FULL;
}

void tombstones_destroy(struct node *node)
{
    free(node->tombstones);
    free(node->stone_bytes);
}

// --- the signatures ---

struct span tombstones_signature(const struct node *node, const struct tombstone *entry)
{
    return entry->kept_size == 0 ? span_of(NULL, 0)
                                 : span_of(node->stone_bytes + entry->kept_at, entry->kept_size);
}

static void drop_signature(struct node *node, struct tombstone *entry)
{
    uint32_t at = entry->kept_at;
    uint16_t size = entry->kept_size;
    if (size == 0) {
        return;
    }
    entry->kept_size = 0;
    memmove(
        node->stone_bytes + at, node->stone_bytes + at + size, node->stone_bytes_used - at - size);
    node->stone_bytes_used -= size;
    for (size_t i = 0; i < node->tombstone_count; i++) {
        struct tombstone *other = &node->tombstones[i];
        other->kept_at -= other->kept_size > 0 && other->kept_at > at ? size : 0;
    }
}

// Drops the signature of what ends first, but for users'. False if there is none.
static bool make_room_for_signature(struct node *node)
{
    struct tombstone *first = NULL;
    for (size_t i = 0; i < node->tombstone_count; i++) {
        struct tombstone *entry = &node->tombstones[i];
        if (!entry->own && entry->kept_size > 0 &&
            (first == NULL || entry->not_after_s < first->not_after_s)) {
            first = entry;
        }
    }
    if (first != NULL) {
        drop_signature(node, first);
    }
    return first != NULL;
}

// `signature` is not one of those that are kept here.
static void keep_signature(struct node *node, struct tombstone *entry, struct span signature)
{
    size_t max = tombstones_bytes_max(&node->config);
    if (signature.size == 0 || entry->kept_size > 0 || signature.size > max) {
        return;
    }
    while (max - node->stone_bytes_used < signature.size) {
        if (!make_room_for_signature(node)) {
            return;
        }
    }
    entry->kept_at = node->stone_bytes_used;
    entry->kept_size = (uint16_t)signature.size;
    memcpy(node->stone_bytes + entry->kept_at, signature.data, signature.size);
    node->stone_bytes_used += entry->kept_size;
}

struct span tombstones_at_hand(const struct node *node, const struct delegation *delegation)
{
    for (size_t i = 0; i < node->tombstone_count; i++) {
        const struct tombstone *entry = &node->tombstones[i];
        struct span signature = tombstones_signature(node, entry);
        if (signature.size > 0 && token_id_equal(&entry->token, &delegation->token) &&
            piece_content_fits(delegation, signature)) {
            return signature;
        }
    }
    return span_of(NULL, 0);
}

static bool is_piece_of(struct span signature, struct span value)
{
    struct pieces pieces;
    pieces_cut(signature, &pieces);
    for (size_t i = 0; i < pieces.count; i++) {
        if (span_equal(pieces.list[i], value)) {
            return true;
        }
    }
    return false;
}

bool node_wants_piece(const struct node *node, struct span value)
{
    for (size_t i = 0; i < node->tombstone_count; i++) {
        struct span signature = tombstones_signature(node, &node->tombstones[i]);
        if (signature.size > 0 && is_piece_of(signature, value)) {
            return true;
        }
    }
    return false;
}

// --- the table ---

// The accepted one.
static struct tombstone *find(struct node *node, const struct token_id *token)
{
    for (size_t i = 0; i < node->tombstone_count; i++) {
        struct tombstone *entry = &node->tombstones[i];
        if (entry->accepted && token_id_equal(&entry->token, token)) {
            return entry;
        }
    }
    return NULL;
}

static struct tombstone *find_same(
    struct node *node, const struct token_id *token, struct span value)
{
    for (size_t i = 0; i < node->tombstone_count; i++) {
        struct tombstone *entry = &node->tombstones[i];
        if (token_id_equal(&entry->token, token) &&
            span_equal(span_of(entry->value, entry->size), value)) {
            return entry;
        }
    }
    return NULL;
}

// To the end: then nobody has been told of it yet.
static struct tombstone *move_to_end(struct node *node, size_t index)
{
    struct tombstone moved = node->tombstones[index];
    size_t last = node->tombstone_count - 1U;
    memmove(&node->tombstones[index], &node->tombstones[index + 1],
        (last - index) * sizeof node->tombstones[0]);
    node->tombstones[last] = moved;
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        struct peer *peer = &node->peers[i];
        peer->told = (uint16_t)(peer->told > index ? peer->told - 1 : peer->told);
    }
    return &node->tombstones[last];
}

static void remove_at(struct node *node, size_t index)
{
    drop_signature(node, move_to_end(node, index));
    node->tombstone_count--;
}

static bool is_weaker(const struct tombstone *a, const struct tombstone *b)
{
    return a->accepted != b->accepted ? !a->accepted : a->not_after_s < b->not_after_s;
}

static bool make_room(struct node *node, bool accepted)
{
    size_t weakest = SIZE_MAX;
    if (node->tombstone_count < node->config.capacity.tombstones) {
        return true;
    }
    ASSERT(node->tombstone_count == 0 || node->tombstones != NULL);
    for (size_t i = 0; i < node->tombstone_count; i++) {
        const struct tombstone *entry = &node->tombstones[i];
        bool may_go = !entry->own && (accepted || !entry->accepted);
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
    if (!make_room(node, entry->accepted || entry->own)) {
        return ERR_FULL;
    }
    ASSERT(node->tombstones != NULL);
    struct tombstone *place = &node->tombstones[node->tombstone_count++];
    *place = *entry;
    place->put_at = place->own ? now.mono : next_put(node, now, place);
    place->since = now.mono;
    place->judge_at = place->proven ? mono_never() : mono_add(now.mono, JUDGE_AGAIN_MS);
    node_save_soon(node, now.mono);
    return OK;
}

// What an accepted one of the token replaces. True if a user gave any of it.
static bool drop_outranked(struct node *node, const struct token_id *token, uint64_t epoch_s)
{
    bool own = false;
    for (size_t i = node->tombstone_count; i-- > 0;) {
        const struct tombstone *entry = &node->tombstones[i];
        if (token_id_equal(&entry->token, token) && entry->epoch_s <= epoch_s) {
            own = own || entry->own;
            remove_at(node, i);
        }
    }
    return own;
}

// Of those of the token that wait, the first one makes room for another one.
static void limit_waiting(struct node *node, const struct token_id *token)
{
    size_t count = 0;
    size_t first = SIZE_MAX;
    for (size_t i = node->tombstone_count; i-- > 0;) {
        const struct tombstone *entry = &node->tombstones[i];
        if (token_id_equal(&entry->token, token) && !entry->accepted && !entry->own) {
            count++;
            first = i;
        }
    }
    if (count >= WAITING_PER_TOKEN) {
        remove_at(node, first);
    }
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
static struct verdict decide(struct node *node, struct now now, const struct record *record,
    const struct stone_source *source)
{
    struct gate_claim claim = {.delegation = &record->delegation,
        .accepted = source->accepted,
        .signature = source->signature};
    return pieces_decide(node, now, &claim);
}

static bool counts(const struct verdict *verdict)
{
    return verdict->kind == VERDICT_NO && verdict->reason == REASON_TOMBSTONE;
}

// It counts, and not only because a later one does: its own signature was accepted.
static bool is_proven(struct node *node, struct now now, const struct record *record,
    const struct verdict *verdict, bool accepted)
{
    return counts(verdict) &&
           (accepted || gate_check_signature(node->gate, &record->delegation, now) == OK);
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
    const struct tombstone *known = find(node, token);
    return parse(node, token, value, &record) &&
           (known == NULL || known->epoch_s < record.delegation.epoch_s) &&
           find_same(node, token, value) == NULL;
}

// True if the entry is `delegation`, with the same signature.
static bool is_of(
    const struct node *node, const struct tombstone *entry, const struct delegation *delegation)
{
    struct record record;
    const struct delegation *own = &record.delegation;
    return token_id_equal(&entry->token, &delegation->token) &&
           parse(node, &entry->token, span_of(entry->value, entry->size), &record) &&
           own->kind == delegation->kind && own->epoch_s == delegation->epoch_s &&
           own->not_before_s == delegation->not_before_s &&
           own->not_after_s == delegation->not_after_s &&
           eth_address_equal(&own->owner, &delegation->owner) &&
           own->hashed_size == delegation->hashed_size &&
           span_equal(span_of(own->signature, own->signature_size),
               span_of(delegation->signature, delegation->signature_size));
}

bool tombstones_accepted(const struct node *node, const struct delegation *delegation)
{
    for (size_t i = 0; delegation_is_tombstone(delegation) && i < node->tombstone_count; i++) {
        const struct tombstone *entry = &node->tombstones[i];
        if (entry->accepted && is_of(node, entry, delegation)) {
            return true;
        }
    }
    return false;
}

bool tombstones_await(const struct node *node, const struct delegation *delegation)
{
    for (size_t i = 0; delegation_is_tombstone(delegation) && i < node->tombstone_count; i++) {
        const struct tombstone *entry = &node->tombstones[i];
        if (!entry->accepted && is_of(node, entry, delegation)) {
            return true;
        }
    }
    return false;
}

static enum status keep(struct node *node, struct now now, const struct record *record,
    struct span value, const struct stone_source *source, bool proven)
{
    struct tombstone entry = {.token = record->token,
        .epoch_s = record->delegation.epoch_s,
        .not_after_s = record->delegation.not_after_s,
        .own = source->own,
        .accepted = proven || source->accepted,
        .proven = proven,
        .size = (uint16_t)value.size};
    memcpy(entry.value, value.data, value.size);
    if (entry.accepted) {
        entry.own = drop_outranked(node, &entry.token, entry.epoch_s) || entry.own;
    } else {
        limit_waiting(node, &entry.token);
    }
    enum status status = append(node, now, &entry);
    if (status == OK && (entry.accepted || entry.own)) {
        struct tombstone *kept = &node->tombstones[node->tombstone_count - 1];
        struct span signature = source->signature;
        (void)!(signature.size > 0 ||
                gate_signature(node->gate, &record->delegation, &signature) == OK);
        keep_signature(node, kept, signature);
    }
    return status;
}

// What waits at `index` is judged again. True if the chain has decided.
static bool judge(struct node *node, struct now now, size_t index)
{
    struct record record;
    struct tombstone *entry = &node->tombstones[index];
    struct token_id token = entry->token;
    struct stone_source source = {.own = entry->own, .accepted = entry->accepted};
    entry->judge_at = mono_add(now.mono, JUDGE_AGAIN_MS);
    if (!parse(node, &token, span_of(entry->value, entry->size), &record)) {
        return false;
    }
    struct verdict verdict = decide(node, now, &record, &source);
    if (verdict.kind == VERDICT_UNKNOWN) {
        bool is_away = verdict.reason == REASON_SIGNATURE_AWAY && !entry->own &&
                       mono_since(entry->since, now.mono) >= AWAY_MAX_MS;
        if (is_away) {
            remove_at(node, index);
        }
        return is_away;
    }
    node_save_soon(node, now.mono);
    const struct tombstone *known = find(node, &token);
    bool outranked = known != NULL && known != entry && known->epoch_s >= entry->epoch_s;
    if (outranked || !is_proven(node, now, &record, &verdict, entry->accepted)) {
        remove_at(node, index);
        return true;
    }
    struct tombstone copy = *entry;
    uint8_t bytes[PIECE_CONTENT_MAX];
    struct span signature = tombstones_signature(node, entry);
    if (signature.size > 0) {
        memcpy(bytes, signature.data, signature.size);
    }
    source.signature = span_of(bytes, signature.size);
    remove_at(node, index);
    (void)!keep(node, now, &record, span_of(copy.value, copy.size), &source, true);
    act(node, now, &token);
    return true;
}

enum status tombstones_take(struct node *node, struct now now, const struct token_id *token,
    struct span value, const struct stone_source *source, struct verdict *ret)
{
    struct record record;
    source = source == NULL ? &stranger : source;
    if (!parse(node, token, value, &record) ||
        (source->signature.size > 0 &&
            !piece_content_fits(&record.delegation, source->signature))) {
        return ERR_MALFORMED;
    }
    struct tombstone *same = find_same(node, token, value);
    struct tombstone *known = find(node, token);
    struct stone_source whole = *source;
    whole.accepted = source->accepted || (same != NULL && same->accepted);
    struct verdict verdict = decide(node, now, &record, &whole);
    *ret = verdict;
    if (same != NULL || (known != NULL && known->epoch_s >= record.delegation.epoch_s)) {
        struct tombstone *entry = same != NULL ? same : known;
        entry->own = entry->own || source->own;
        keep_signature(node, entry, same != NULL ? source->signature : span_of(NULL, 0));
        tombstones_on_reading(node, now, token);
        return OK;
    }
    bool proven = is_proven(node, now, &record, &verdict, whole.accepted);
    if (!proven && verdict.kind == VERDICT_UNKNOWN) {
        (void)gate_refresh(node->gate, token, now);
    }
    enum status status = proven || verdict.kind == VERDICT_UNKNOWN
                             ? keep(node, now, &record, value, &whole, proven)
                             : OK;
    if (proven) {
        act(node, now, token);
    }
    return status;
}

// The chain has news of a token whose tombstones wait for them, or a signature has come.
void tombstones_on_reading(struct node *node, struct now now, const struct token_id *token)
{
    for (size_t i = node->tombstone_count; i-- > 0;) {
        if (i < node->tombstone_count && !node->tombstones[i].proven &&
            token_id_equal(&node->tombstones[i].token, token)) {
            (void)judge(node, now, i);
        }
    }
}

void tombstones_apply(struct node *node, struct now now, const struct token_id *token)
{
    struct record record;
    for (size_t i = 0; i < node->tombstone_count; i++) {
        const struct tombstone *entry = &node->tombstones[i];
        struct stone_source source = {.accepted = entry->accepted};
        if (token_id_equal(&entry->token, token) &&
            parse(node, token, span_of(entry->value, entry->size), &record)) {
            (void)decide(node, now, &record, &source);
        }
    }
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
    pieces_put(node, tombstones_signature(node, entry)); // nobody finds it before what it names
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

static void judge_due(struct node *node, struct now now)
{
    for (size_t i = 0; i < node->tombstone_count;) {
        bool due = mono_due(node->tombstones[i].judge_at, now.mono);
        if (due) {
            (void)gate_refresh(node->gate, &node->tombstones[i].token, now);
        }
        i = due && judge(node, now, i) ? 0 : i + 1; // others are where it was
    }
}

void tombstones_on_deadline(struct node *node, struct now now)
{
    judge_due(node, now);
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
        next = mono_min(next, node->tombstones[i].judge_at);
    }
    return next;
}

enum status node_retire(struct node *node, struct now now, const struct token_id *token,
    struct span value, struct span signature, struct verdict *ret)
{
    struct verdict verdict = {0};
    struct record record;
    const struct stone_source user = {.own = true, .signature = signature};
    bool whole =
        parse(node, token, value, &record) && piece_content_fits(&record.delegation, signature);
    enum status status =
        whole ? tombstones_take(node, now, token, value, &user, &verdict) : ERR_MALFORMED;
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
    struct record record;
    struct eth_address owner;
    if (tombstones_is_news(node, token, value) && parse(node, token, value, &record) &&
        gate_last_owner(node->gate, token, &owner) == OK &&
        eth_address_equal(&record.delegation.owner, &owner)) {
        (void)!tombstones_take(node, now, token, value, NULL, &ignored);
        node_settle(node, now);
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Contract wallets' signatures that are too long for a record: fetched once, piece by piece, and
// handed to the gate with the claim. Only a claim by the present owner of its token gets so far; a
// tombstone is such a claim.
//
// What is not found is tried again with a growing pause.
#include "node/inner.h"

#include <stdlib.h>
#include <string.h>

enum {
    FETCHES = 3, // at a time; each is a signature of up to 4 KiB
    WISHES = 16,
    WISHES_PER_TOKEN = 6,
    PIECE_TIMEOUT_MS = 12000,
    PAUSE_MIN_MS = 3000,
    FAILURES_MAX = 6, // of a wish whose claim does not wait: it is told again
};

// A signature that a claim needs. They are served in turn, so that claims that strangers make up,
// with hashes of nothing, do not keep the owner's own waiting. When full (or WISHES_PER_TOKEN are
// of one token), the one that has failed most often makes room; without a failure none does.
struct piece_wish {
    bool used;
    bool under_way;
    uint8_t failures;
    struct delegation delegation;
    struct mono due;
};

// A signature on its way. One that is complete stays until its place is needed: a claim that did
// not wait for it comes by again.
struct piece_fetch {
    bool used;
    uint8_t wish;
    struct token_id token;
    struct piece_join join;
    uint64_t ops[PIECE_PARTS_MAX]; // 0 = none
    struct mono deadline;          // of the gets under way
    struct mono since;
};

struct pieces_table {
    struct piece_wish wishes[WISHES];
    struct piece_fetch fetches[FETCHES];
};

enum status pieces_create(struct node *node)
{
    if (node->config.capacity.wallets == 0) {
        return OK;
    }
    node->pieces = calloc(1, sizeof *node->pieces);
    return node->pieces == NULL ? ERR_FULL : OK;
}

void pieces_destroy(struct node *node)
{
    free(node->pieces);
}

static size_t fetch_count(const struct node *node)
{
    return node->pieces == NULL ? 0 : FETCHES;
}

static size_t wish_count(const struct node *node)
{
    return node->pieces == NULL ? 0 : WISHES;
}

static bool names(const struct delegation *delegation, const struct hash256 *root)
{
    return delegation->kind == DELEGATION_EIP1271_HASHED &&
           delegation->signature_size == sizeof root->bytes &&
           memcmp(delegation->signature, root->bytes, sizeof root->bytes) == 0;
}

// --- the fetches ---

static bool is_under_way(const struct piece_fetch *fetch)
{
    for (size_t i = 0; i < PIECE_PARTS_MAX; i++) {
        if (fetch->ops[i] != 0) {
            return true;
        }
    }
    return false;
}

static void cancel(struct node *node, struct piece_fetch *fetch)
{
    for (size_t i = 0; i < PIECE_PARTS_MAX; i++) {
        if (fetch->ops[i] != 0) {
            struct node_effect effect = {.kind = EFFECT_DHT_CANCEL, .op = fetch->ops[i]};
            effects_push(&node->effects, &effect);
            fetch->ops[i] = 0;
        }
    }
}

// Whether a claim of its token waits for it.
static bool is_awaited(struct node *node, const struct piece_wish *wish)
{
    const struct peer *peer = peer_find(node, &wish->delegation.token);
    struct delegation waiting;
    struct hash256 root;
    memcpy(root.bytes, wish->delegation.signature, sizeof root.bytes);
    if (tombstones_await(node, &wish->delegation)) {
        return true;
    }
    if (peer == NULL) {
        return false;
    }
    return (peer->claim.held && names(&peer->claim.record.delegation, &root)) ||
           (peer_waiting_delegation(node, peer, &waiting) && names(&waiting, &root));
}

static void fail(struct node *node, struct now now, struct piece_fetch *fetch)
{
    struct piece_wish *wish = &node->pieces->wishes[fetch->wish];
    cancel(node, fetch);
    fetch->used = false;
    wish->under_way = false;
    if (wish->failures >= FAILURES_MAX && !is_awaited(node, wish)) {
        wish->used = false;
        return;
    }
    uint64_t pause_ms = (uint64_t)PAUSE_MIN_MS << wish->failures;
    wish->due = mono_add(now.mono, rng_jitter(&node->rng, pause_ms, 20));
    wish->failures = wish->failures < FAILURES_MAX ? wish->failures + 1 : FAILURES_MAX;
}

static void get(struct node *node, struct now now, struct piece_fetch *fetch)
{
    struct hash256 wanted[PIECE_PARTS_MAX];
    size_t count = piece_join_wanted(&fetch->join, wanted);
    fetch->deadline = mono_add(now.mono, PIECE_TIMEOUT_MS);
    for (size_t i = 0; i < count; i++) {
        fetch->ops[i] = node_op(node);
        struct node_effect effect = {.kind = EFFECT_DHT_GET,
            .op = fetch->ops[i],
            .key = key_of_piece_hash(&wanted[i]),
            .token = fetch->token};
        effects_push(&node->effects, &effect);
    }
}

// An unused place, or that of what has been complete for longest; NULL if there is none.
static struct piece_fetch *place_for_fetch(struct node *node)
{
    struct piece_fetch *oldest = NULL;
    for (size_t i = 0; i < fetch_count(node); i++) {
        struct piece_fetch *fetch = &node->pieces->fetches[i];
        if (!fetch->used) {
            return fetch;
        }
        if (!is_under_way(fetch) && (oldest == NULL || fetch->since.ms < oldest->since.ms)) {
            oldest = fetch;
        }
    }
    return oldest;
}

static struct piece_wish *next_wish(struct node *node, struct mono now)
{
    struct piece_wish *next = NULL;
    for (size_t i = 0; i < wish_count(node); i++) {
        struct piece_wish *wish = &node->pieces->wishes[i];
        if (wish->used && !wish->under_way && mono_due(wish->due, now) &&
            (next == NULL || wish->due.ms < next->due.ms)) {
            next = wish;
        }
    }
    return next;
}

static void serve(struct node *node, struct now now)
{
    struct piece_wish *wish = NULL;
    struct piece_fetch *fetch = NULL;
    while ((wish = next_wish(node, now.mono)) != NULL && (fetch = place_for_fetch(node)) != NULL) {
        if (!node_has_dht(node) || !effects_has_room(&node->effects)) {
            wish->due = mono_add(now.mono, PAUSE_MIN_MS);
            continue;
        }
        *fetch = (struct piece_fetch){.wish = (uint8_t)(wish - node->pieces->wishes),
            .token = wish->delegation.token,
            .since = now.mono};
        wish->used = piece_join_begin(&fetch->join, &wish->delegation) == OK;
        fetch->used = wish->used;
        if (wish->used) {
            wish->under_way = true;
            get(node, now, fetch);
        }
    }
}

static struct piece_wish *place_for_wish(struct node *node, const struct token_id *token)
{
    struct piece_wish *unused = NULL;
    struct piece_wish *of_all = NULL;
    struct piece_wish *of_token = NULL;
    size_t count = 0;
    for (size_t i = 0; i < wish_count(node); i++) {
        struct piece_wish *wish = &node->pieces->wishes[i];
        bool same = wish->used && token_id_equal(&wish->delegation.token, token);
        bool may_go = wish->used && !wish->under_way && wish->failures > 0;
        unused = wish->used ? unused : wish;
        count += same ? 1 : 0;
        if (may_go && (of_all == NULL || wish->failures > of_all->failures)) {
            of_all = wish;
        }
        if (may_go && same && (of_token == NULL || wish->failures > of_token->failures)) {
            of_token = wish;
        }
    }
    if (count >= WISHES_PER_TOKEN) {
        return of_token;
    }
    return unused != NULL ? unused : of_all;
}

static void want(struct node *node, struct now now, const struct delegation *delegation)
{
    struct hash256 root;
    memcpy(root.bytes, delegation->signature, sizeof root.bytes);
    for (size_t i = 0; i < wish_count(node); i++) {
        const struct piece_wish *wish = &node->pieces->wishes[i];
        if (wish->used && token_id_equal(&wish->delegation.token, &delegation->token) &&
            names(&wish->delegation, &root)) {
            return;
        }
    }
    struct piece_wish *wish = place_for_wish(node, &delegation->token);
    if (wish != NULL) { // else the claim comes by again
        *wish = (struct piece_wish){.used = true, .delegation = *delegation, .due = now.mono};
        serve(node, now);
    }
}

// What is at hand of the signature that `delegation` names; empty if not all of it.
static struct span at_hand(const struct node *node, const struct delegation *delegation)
{
    if (delegation->kind != DELEGATION_EIP1271_HASHED) {
        return span_of(NULL, 0);
    }
    const struct delegation *own = &node->config.delegation;
    if (own->kind == delegation->kind && own->hashed_size == delegation->hashed_size &&
        memcmp(own->signature, delegation->signature, own->signature_size) == 0) {
        return node->config.signature;
    }
    for (size_t i = 0; i < fetch_count(node); i++) {
        const struct piece_fetch *fetch = &node->pieces->fetches[i];
        if (fetch->used && piece_join_complete(&fetch->join) &&
            names(delegation, &fetch->join.root)) {
            return piece_join_content(&fetch->join);
        }
    }
    return tombstones_at_hand(node, delegation);
}

struct verdict pieces_decide(struct node *node, struct now now, const struct gate_claim *claim)
{
    struct gate_claim whole = *claim;
    if (whole.signature.size == 0) {
        whole.signature = at_hand(node, claim->delegation);
    }
    struct verdict verdict = gate_decide(node->gate, now, &whole);
    if (verdict.reason == REASON_SIGNATURE_AWAY) {
        want(node, now, claim->delegation);
    }
    return verdict;
}

static void on_complete(struct node *node, struct now now, struct piece_fetch *fetch)
{
    cancel(node, fetch);
    node->pieces->wishes[fetch->wish].used = false;
    node_save_soon(node, now.mono);
    tombstones_on_reading(node, now, &fetch->token);
    if (token_id_equal(&fetch->token, &node->config.token)) {
        return; // somebody's claim to the own seat: the next read-back judges it
    }
    struct peer *peer = peer_find(node, &fetch->token);
    if (peer == NULL) {
        return;
    }
    peer_judge(node, now, peer);
    if (!peer->claim.held) {
        // The claim that it is for may have been shadowed meanwhile: have it come by again.
        peer->get_backoff_ms = 0;
        search_start(node, now, peer);
    }
}

bool pieces_on_value(struct node *node, struct now now, uint64_t op, struct span value)
{
    for (size_t i = 0; i < fetch_count(node); i++) {
        struct piece_fetch *fetch = &node->pieces->fetches[i];
        for (size_t k = 0; fetch->used && k < PIECE_PARTS_MAX; k++) {
            if (fetch->ops[k] != op) {
                continue;
            }
            bool had_index = fetch->join.has_index;
            enum status status = piece_join_take(&fetch->join, value);
            if (status == ERR_MALFORMED) {
                node->pieces->wishes[fetch->wish].failures = FAILURES_MAX; // never whole
                fail(node, now, fetch);
            } else if (status == OK && piece_join_complete(&fetch->join)) {
                on_complete(node, now, fetch);
            } else if (status == OK && !had_index) {
                cancel(node, fetch);
                get(node, now, fetch);
            }
            return true;
        }
    }
    return false;
}

bool pieces_on_done(struct node *node, struct now now, uint64_t op)
{
    for (size_t i = 0; i < fetch_count(node); i++) {
        struct piece_fetch *fetch = &node->pieces->fetches[i];
        for (size_t k = 0; fetch->used && k < PIECE_PARTS_MAX; k++) {
            if (fetch->ops[k] == op) {
                fetch->ops[k] = 0;
                if (!is_under_way(fetch)) {
                    fail(node, now, fetch);
                    serve(node, now);
                }
                return true;
            }
        }
    }
    return false;
}

void pieces_on_deadline(struct node *node, struct now now)
{
    for (size_t i = 0; i < fetch_count(node); i++) {
        struct piece_fetch *fetch = &node->pieces->fetches[i];
        if (fetch->used && is_under_way(fetch) && mono_due(fetch->deadline, now.mono)) {
            fail(node, now, fetch);
        }
    }
    serve(node, now);
}

struct mono pieces_deadline(const struct node *node)
{
    struct mono next = mono_never();
    size_t free_places = 0;
    for (size_t i = 0; i < fetch_count(node); i++) {
        const struct piece_fetch *fetch = &node->pieces->fetches[i];
        bool under_way = fetch->used && is_under_way(fetch);
        next = under_way ? mono_min(next, fetch->deadline) : next;
        free_places += under_way ? 0 : 1;
    }
    for (size_t i = 0; free_places > 0 && i < wish_count(node); i++) {
        const struct piece_wish *wish = &node->pieces->wishes[i];
        next = wish->used && !wish->under_way ? mono_min(next, wish->due) : next;
    }
    return next;
}

// --- what is put ---

void pieces_put(struct node *node, struct span signature)
{
    struct pieces pieces = {.count = 0};
    if (signature.size > 0) {
        pieces_cut(signature, &pieces);
    }
    for (size_t i = 0; i < pieces.count; i++) {
        struct node_effect effect = {.kind = EFFECT_DHT_PUT,
            .op = node_op(node),
            .key = key_of_piece(pieces.list[i]),
            .value_id = value_id_of_bytes(pieces.list[i]),
            .bytes = pieces.list[i]};
        effects_push(&node->effects, &effect);
    }
}

bool pieces_publish(struct node *node)
{
    if (node->config.signature.size > 0 && !effects_has_room(&node->effects)) {
        return false;
    }
    pieces_put(node, node->config.signature);
    return true;
}

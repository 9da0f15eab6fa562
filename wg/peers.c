// SPDX-License-Identifier: GPL-3.0-or-later
//
// The peers that are ours, and what to do on the device so that it has them as we want them.
#include "wg/wg.h"

#include <string.h>

static int key_compare(const struct wg_key *a, const struct wg_key *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

static bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
    return a->length == b->length && address_same_ip(&a->base, &b->base);
}

static bool prefix_in(const struct prefix *prefix, const struct prefix *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (prefix_equal(prefix, &list[i])) {
            return true;
        }
    }
    return false;
}

void wg_peers_init(struct wg_peers *peers, struct wg_peer_entry *entries, size_t capacity)
{
    *peers = (struct wg_peers){.entries = entries, .capacity = capacity};
}

// Where `key` stands, or would have to be inserted.
static size_t entry_place(const struct wg_peers *peers, const struct wg_key *key)
{
    size_t low = 0;
    size_t high = peers->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (key_compare(&peers->entries[middle].peer.key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct wg_peer_entry *entry_find(const struct wg_peers *peers, const struct wg_key *key)
{
    size_t place = entry_place(peers, key);
    bool found = place < peers->count && wg_key_equal(&peers->entries[place].peer.key, key);
    return found ? &peers->entries[place] : NULL;
}

const struct wg_peer_entry *wg_peers_find(const struct wg_peers *peers, const struct wg_key *key)
{
    return entry_find(peers, key);
}

static void entry_remove(struct wg_peers *peers, size_t place)
{
    ASSERT(place < peers->count);
    struct wg_peer_entry *entry = &peers->entries[place];
    memmove(entry, entry + 1, (peers->count - place - 1) * sizeof *entry);
    peers->count--;
}

// The entry of `key`, inserted empty if it is not there; NULL if there is no room.
static struct wg_peer_entry *entry_require(struct wg_peers *peers, const struct wg_key *key)
{
    size_t place = entry_place(peers, key);
    struct wg_peer_entry *entry = &peers->entries[place];
    if (place < peers->count && wg_key_equal(&entry->peer.key, key)) {
        return entry;
    }
    if (peers->count == peers->capacity) {
        return NULL;
    }
    memmove(entry + 1, entry, (peers->count - place) * sizeof *entry);
    *entry = (struct wg_peer_entry){.peer.key = *key};
    peers->count++;
    return entry;
}

static enum status peer_check(const struct wg_peers *peers, const struct wg_peer *peer)
{
    bool no_port = address_is_set(&peer->endpoint) && peer->endpoint.port == 0;
    if (peer->allowed_count > WG_ALLOWED_MAX || no_port) {
        return ERR_RANGE;
    }
    for (size_t i = 0; i < peer->allowed_count; i++) {
        if (prefix_in(&peer->allowed[i], peer->allowed, i)) {
            return ERR_RANGE;
        }
        for (size_t j = 0; j < peers->count; j++) {
            const struct wg_peer_entry *other = &peers->entries[j];
            if (other->wanted && !wg_key_equal(&other->peer.key, &peer->key) &&
                prefix_in(&peer->allowed[i], other->peer.allowed, other->peer.allowed_count)) {
                return ERR_EXISTS;
            }
        }
    }
    return OK;
}

enum status wg_peers_want(struct wg_peers *peers, const struct wg_peer *peer)
{
    enum status status = peer_check(peers, peer);
    if (status != OK) {
        return status;
    }
    struct wg_peer_entry *entry = entry_require(peers, &peer->key);
    if (entry == NULL) {
        return ERR_FULL;
    }
    // An endpoint that waits to be sent outlasts a change of something else.
    struct address waiting = entry->endpoint_pending ? entry->peer.endpoint : (struct address){0};
    entry->peer = *peer;
    if (!address_is_set(&peer->endpoint)) {
        entry->peer.endpoint = waiting;
    }
    entry->renew = entry->renew || entry->dropped;
    entry->dropped = false;
    entry->wanted = true;
    entry->endpoint_pending = address_is_set(&entry->peer.endpoint);
    return OK;
}

void wg_peers_drop(struct wg_peers *peers, const struct wg_key *key)
{
    size_t place = entry_place(peers, key);
    struct wg_peer_entry *entry = &peers->entries[place];
    if (place == peers->count || !wg_key_equal(&entry->peer.key, key)) {
        return;
    }
    if (!entry->made) {
        entry_remove(peers, place);
        return;
    }
    entry->wanted = false;
    entry->renew = false;
    entry->dropped = true;
}

enum status wg_peers_adopt(struct wg_peers *peers, const struct wg_key *key)
{
    struct wg_peer_entry *entry = entry_require(peers, key);
    if (entry == NULL) {
        return ERR_FULL;
    }
    entry->made = true;
    return OK;
}

static const struct wg_peer_state *state_find(
    const struct wg_device_state *state, const struct wg_key *key)
{
    for (size_t i = 0; i < state->peer_count; i++) {
        if (wg_key_equal(&state->peers[i].key, key)) {
            return &state->peers[i];
        }
    }
    return NULL;
}

// The peer on the device that holds exactly `prefix`, or NULL. Only an equal prefix would be taken
// from its holder; a longer or shorter one lives beside it.
static const struct wg_peer_state *state_holder(
    const struct wg_device_state *state, const struct prefix *prefix)
{
    for (size_t i = 0; i < state->peer_count; i++) {
        const struct wg_peer_state *peer = &state->peers[i];
        if (prefix_in(prefix, state->allowed + peer->allowed_first, peer->allowed_count)) {
            return peer;
        }
    }
    return NULL;
}

static bool is_made(const struct wg_peers *peers, const struct wg_key *key)
{
    const struct wg_peer_entry *entry = entry_find(peers, key);
    return entry != NULL && entry->made;
}

// True and the operation if a foreign peer stands in the way of `entry`.
static bool refuse(const struct wg_peers *peers, const struct wg_peer_entry *entry,
    const struct wg_peer_state *present, const struct wg_device_state *state, struct wg_op *ret)
{
    struct wg_op op = {.kind = WG_OP_REFUSE, .peer = entry->peer, .holder = entry->peer.key};
    if (present != NULL && !entry->made) {
        *ret = op;
        return true;
    }
    for (size_t i = 0; i < entry->peer.allowed_count; i++) {
        const struct wg_peer_state *holder = state_holder(state, &entry->peer.allowed[i]);
        if (holder != NULL && !is_made(peers, &holder->key)) {
            op.holder = holder->key;
            op.refused_prefix = entry->peer.allowed[i];
            *ret = op;
            return true;
        }
    }
    return false;
}

// Compares the prefixes and marks in `op` what is to be sent: only new ones where none goes away,
// because a replacement leaves the peer without addresses for an instant.
static void diff_allowed(const struct wg_peer *wanted, const struct wg_peer_state *present,
    const struct wg_device_state *state, struct wg_op *op)
{
    const struct prefix *have = state->allowed + present->allowed_first;
    for (size_t i = 0; i < present->allowed_count; i++) {
        if (!prefix_in(&have[i], wanted->allowed, wanted->allowed_count)) {
            op->set_allowed = true;
            op->replace_allowed = true;
            return;
        }
    }
    op->peer.allowed_count = 0;
    for (size_t i = 0; i < wanted->allowed_count; i++) {
        if (!prefix_in(&wanted->allowed[i], have, present->allowed_count)) {
            op->peer.allowed[op->peer.allowed_count++] = wanted->allowed[i];
            op->set_allowed = true;
        }
    }
}

// True and the operation if the present peer is not as wanted.
static bool update(struct wg_peer_entry *entry, const struct wg_peer_state *present,
    const struct wg_device_state *state, struct wg_op *ret)
{
    struct wg_op op = {.kind = WG_OP_UPDATE, .peer = entry->peer};
    if (entry->endpoint_pending && address_equal(&entry->peer.endpoint, &present->endpoint)) {
        entry->endpoint_pending = false;
    }
    op.set_endpoint = entry->endpoint_pending;
    op.set_keepalive = entry->peer.keepalive_s != present->keepalive_s;
    diff_allowed(&entry->peer, present, state, &op);
    if (!op.set_endpoint && !op.set_keepalive && !op.set_allowed) {
        return false;
    }
    *ret = op;
    return true;
}

// An endpoint comes for a peer that had none. Whatever was to be sent to it before has started
// WireGuard's 5 s pause between initiations, although none could leave; made anew, the peer may
// send one at once. No session is lost: a peer without an endpoint has never heard the other side.
static bool may_be_stuck(const struct wg_peer_entry *entry, const struct wg_peer_state *present)
{
    return present != NULL && entry->wanted && entry->made && entry->endpoint_pending &&
           !address_is_set(&present->endpoint) && present->handshake_unix_ns == 0;
}

static size_t diff_removals(
    struct wg_peers *peers, const struct wg_device_state *state, struct wg_op *ops)
{
    size_t count = 0;
    size_t place = 0;
    while (place < peers->count) {
        struct wg_peer_entry *entry = &peers->entries[place];
        const struct wg_peer_state *present = state_find(state, &entry->peer.key);
        bool unwanted = entry->made && !entry->wanted;
        entry->renew = entry->renew || may_be_stuck(entry, present);
        if (present != NULL && (unwanted || (entry->made && entry->renew))) {
            ops[count++] = (struct wg_op){.kind = WG_OP_REMOVE, .peer.key = entry->peer.key};
        } else if (unwanted) {
            entry_remove(peers, place);
            continue;
        } else {
            entry->renew = false; // it is gone already
        }
        place++;
    }
    return count;
}

// True and the operation if anything is to be done, or said, about a wanted peer.
static bool diff_wanted(const struct wg_peers *peers, struct wg_peer_entry *entry,
    const struct wg_device_state *state, struct wg_op *ret)
{
    const struct wg_peer_state *present = state_find(state, &entry->peer.key);
    if (refuse(peers, entry, present, state, ret)) {
        return true;
    }
    if (present != NULL && !entry->renew) {
        return update(entry, present, state, ret);
    }
    *ret = (struct wg_op){
        .kind = WG_OP_ADD,
        .peer = entry->peer,
        .set_endpoint = address_is_set(&entry->peer.endpoint),
        .set_keepalive = true,
        .set_allowed = true,
        .replace_allowed = true,
    };
    // From here on the peer counts as ours: should the answer to this operation be lost, it must
    // not look foreign.
    entry->made = true;
    return true;
}

void wg_peers_diff(struct wg_peers *peers, const struct wg_device_state *state, struct wg_op *ops,
    size_t *ret_count)
{
    size_t count = diff_removals(peers, state, ops);
    for (size_t i = 0; i < peers->count; i++) {
        struct wg_peer_entry *entry = &peers->entries[i];
        if (entry->wanted && diff_wanted(peers, entry, state, &ops[count])) {
            count++;
        }
    }
    *ret_count = count;
}

void wg_peers_applied(struct wg_peers *peers, const struct wg_op *op)
{
    size_t place = entry_place(peers, &op->peer.key);
    struct wg_peer_entry *entry = &peers->entries[place];
    if (place == peers->count || !wg_key_equal(&entry->peer.key, &op->peer.key)) {
        return;
    }
    switch (op->kind) {
    case WG_OP_ADD:
    case WG_OP_UPDATE:
        // A newer endpoint may have been asked for since the difference was made.
        if (op->set_endpoint && address_equal(&op->peer.endpoint, &entry->peer.endpoint)) {
            entry->endpoint_pending = false;
        }
        break;
    case WG_OP_REMOVE:
        if (!entry->wanted) {
            entry_remove(peers, place);
            return;
        }
        entry->renew = false;
        break;
    case WG_OP_REFUSE:
        break;
    }
}

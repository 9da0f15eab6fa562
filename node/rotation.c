// SPDX-License-Identifier: GPL-3.0-or-later
//
// A new WireGuard key while the node runs. WireGuard knows a peer by its key alone, so a new one
// needs a new handshake with everybody, and each side can make it only when both have the new key:
// members are told inside the tunnels of the old one, a moment before the own device changes.
//
//    state      entered when                                left for
//    NONE       start; the device has the new key           WAITING SWITCHING
//    WAITING    the contract stores the key: until it       SWITCHING
//               stores the new one
//    SWITCHING  members are being told, twice, for 100 ms   NONE
//
// Where the contract stores the key, members refuse the new one until they have read it there: they
// are told of it before, keep it in mind (node/peer.c), and read the contract when told again.
#include "node/inner.h"

#include <sodium.h>

enum {
    READ_MS = 1000,              // while the transaction is awaited
    READ_FOR_MS = 2 * 60 * 1000, // then at each poll of the gate
    HELLOS = 2,                  // a datagram may be lost
    HELLO_PAUSE_MS = 50,
};

static void set_state(struct rotation *rotation, enum rotation_state state)
{
    static const bool legal[][3] = {
        [ROTATION_NONE] = {[ROTATION_WAITING] = true, [ROTATION_SWITCHING] = true},
        [ROTATION_WAITING] = {[ROTATION_NONE] = true, [ROTATION_SWITCHING] = true},
        [ROTATION_SWITCHING] = {[ROTATION_NONE] = true},
    };
    ASSERT(state == rotation->state || legal[rotation->state][state]);
    rotation->state = state;
}

// To all that are connected, as there is room (node_settle).
static void tell_all(struct node *node)
{
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        node->peers[i].greeted = false;
    }
}

const struct wg_key *rotation_told_key(const struct node *node)
{
    return node->rotation.state == ROTATION_NONE ? &node->own_wg_key : &node->rotation.key;
}

const struct wg_key *rotation_claimed_key(const struct node *node)
{
    return node->rotation.state == ROTATION_SWITCHING ? &node->rotation.key : &node->own_wg_key;
}

static void end(struct node *node)
{
    set_state(&node->rotation, ROTATION_NONE);
    sodium_memzero(&node->rotation.secret, sizeof node->rotation.secret);
    node->rotation.at = mono_never();
}

static void begin_switch(struct node *node, struct now now)
{
    set_state(&node->rotation, ROTATION_SWITCHING);
    node->rotation.hellos = HELLOS;
    node->rotation.at = now.mono;
}

static void switch_keys(struct node *node, struct now now)
{
    node->config.wg_secret = node->rotation.secret;
    node->own_wg_key = node->rotation.key;
    node->wg_key_due = true;
    end(node);
    seat_renew(node, now); // the intents below carry the new record
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        if (node->peers[i].used) {
            peer_rekey(node, now, &node->peers[i]);
        }
    }
    struct node_report report = {.event = EVENT_WG_KEY, .token = node->config.token};
    node_report(node, &report);
}

void rotation_on_reading(struct node *node, struct now now)
{
    struct rotation *rotation = &node->rotation;
    struct gate_reading reading = gate_read(node->gate, &node->config.token, now);
    if (rotation->state != ROTATION_WAITING || reading.kind != VERDICT_YES) {
        return;
    }
    bool stored =
        reading.stored_key == STORED_KEY_USABLE && wg_key_equal(&reading.wg_key, &rotation->key);
    if (!reading.has_access || stored || reading.stored_key == STORED_KEY_EMPTY) {
        begin_switch(node, now);
    }
}

enum status node_rotate_wg(struct node *node, struct now now, const struct wg_secret *secret)
{
    struct rotation *rotation = &node->rotation;
    struct wg_key key;
    if (crypto_scalarmult_base(key.bytes, secret->bytes) != 0) {
        return ERR_RANGE;
    }
    if (wg_key_equal(&key, &node->own_wg_key) ||
        (rotation->state == ROTATION_SWITCHING && wg_key_equal(&key, &rotation->key))) {
        return OK;
    }
    if (rotation->state == ROTATION_SWITCHING) {
        return ERR_BUSY;
    }
    rotation->secret = *secret;
    rotation->key = key;
    rotation->until = mono_add(now.mono, READ_FOR_MS);
    rotation->at = now.mono;
    set_state(rotation, ROTATION_WAITING);
    if (gate_profile(node->gate) == PROFILE_ERC721) {
        begin_switch(node, now);
    } else {
        tell_all(node);
        rotation_on_reading(node, now);
    }
    rotation_on_deadline(node, now);
    node_settle(node, now);
    return OK;
}

void node_keep_wg(struct node *node)
{
    if (node->rotation.state == ROTATION_WAITING) {
        end(node);
    }
}

void rotation_on_deadline(struct node *node, struct now now)
{
    struct rotation *rotation = &node->rotation;
    if (!mono_due(rotation->at, now.mono)) {
        return;
    }
    switch (rotation->state) {
    case ROTATION_NONE:
        rotation->at = mono_never();
        break;
    case ROTATION_WAITING:
        rotation->at =
            mono_due(rotation->until, now.mono) ? mono_never() : mono_add(now.mono, READ_MS);
        (void)gate_refresh(node->gate, &node->config.token, now);
        break;
    case ROTATION_SWITCHING:
        if (rotation->hellos > 0) {
            rotation->hellos--;
            rotation->at = mono_add(now.mono, HELLO_PAUSE_MS);
            tell_all(node);
        } else {
            switch_keys(node, now);
        }
        break;
    }
}

struct mono rotation_deadline(const struct node *node)
{
    return node->started ? node->rotation.at : mono_never();
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Probes: Binding requests and successes under a MAC that only the two WireGuard keys of a pair
// can make. They show that an address leads to this peer, without showing a stranger which member
// stands behind it.
//
//    shared   = X25519(own secret, peer's public key)
//    key | tag = BLAKE2b-320(key = shared, "deedmesh/1 probe" | network id
//                | sender's WireGuard key | receiver's | sender's token | receiver's)
//    MAC attribute = tag (8 B) | BLAKE2b-128(key, the message before the MAC attribute, its header
//                length counting up to and with the MAC attribute, as RFC 8489 section 14.5)
//
// Each direction has a key of its own, so a probe cannot be reflected to its sender. The tag is
// constant for a pair and direction: it finds the path without a trial of every key.
//
// A request (72 B: a PAD makes it as long as the longest answer) and its success:
//
//    Binding request:  header | PAD | MAC
//    Binding success:  header | XOR-MAPPED-ADDRESS = where the request came from | MAC
#pragma once

#include "base/ids.h"
#include "nat/stun.h"

enum {
    PROBE_KEY_SIZE = 32,
    PROBE_SIZE = STUN_BINDING_REQUEST_SIZE + 4 + STUN_TAG_SIZE + STUN_MAC_SIZE, // 72
};

// One direction.
struct probe_direction {
    uint8_t key[PROBE_KEY_SIZE];
    uint8_t tag[STUN_TAG_SIZE];
};

// Secret. Wiped by its single owner (path_stop does not; probe_key_wipe does).
struct probe_key {
    struct probe_direction out;
    struct probe_direction in;
};

// Who the two ends are.
struct probe_pair {
    struct network_id network;
    struct wg_key own_key;
    struct wg_key peer_key;
    struct token_id own_token;
    struct token_id peer_token;
};

// One X25519; do it once a peer, not once a packet. ERR_RANGE if the peer's key is a low-order
// point: refuse the peer.
enum status probe_key_derive(
    const struct wg_secret *own_secret, const struct probe_pair *pair, struct probe_key *ret);

void probe_key_wipe(struct probe_key *key);

// PROBE_SIZE bytes. ERR_FULL if the writer has no room.
enum status probe_encode_request(
    struct writer *writer, const struct probe_key *key, const struct stun_transaction *transaction);

// Never longer than the request. `observed` is where the request came from.
enum status probe_encode_success(struct writer *writer, const struct probe_key *key,
    const struct stun_transaction *transaction, const struct address *observed);

// True if the message claims to come from this peer; cheap, proves nothing.
bool probe_is_from(const struct probe_key *key, const struct stun_message *message);

// OK if the MAC was made by this peer for us. ERR_NOT_FOUND if the tag is not this pair's (try
// another path), ERR_SIGNATURE if the MAC is wrong, ERR_TRUNCATED if it is a request shorter than
// PROBE_SIZE (it would be amplified).
enum status probe_check(const struct probe_key *key, const struct stun_message *message);

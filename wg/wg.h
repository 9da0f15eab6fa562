// SPDX-License-Identifier: GPL-3.0-or-later
//
// The peers that we want on a WireGuard device, what the device says it has, and the difference
// as operations. Plain data, no I/O; wg/device.h carries the operations out.
//
// Rules of the difference:
// - A peer that we did not make is never changed, nor is an address taken from it.
// - A live session is never disturbed: an update carries only what changed, keys and sessions stay.
// - An endpoint is a command, sent once for each wg_peers_want(); WireGuard roams by itself
//   afterwards and the difference does not fight that.
// - Endpoint and keepalive of one peer travel in one operation: the step of the keepalive from 0 is
//   what makes WireGuard initiate, and it must meet the new endpoint.
#pragma once

#include "base/address.h"
#include "base/ids.h"

enum {
    WG_ALLOWED_MAX = 4, // prefixes of one peer of ours
    WG_MTU = 1420,      // 1500 less IPv6 + UDP + WireGuard's own 80 bytes
};

// A peer as we want it.
struct wg_peer {
    struct wg_key key;
    struct address endpoint; // unset: leave what the device has
    struct prefix allowed[WG_ALLOWED_MAX];
    uint8_t allowed_count;
    uint16_t keepalive_s; // 0 = off
};

// A peer as the device reports it.
struct wg_peer_state {
    struct wg_key key;
    struct address endpoint;    // unset if the device knows none
    uint64_t handshake_unix_ns; // end of the last handshake; 0 = never
    uint64_t rx_bytes;
    uint64_t tx_bytes;
    uint32_t allowed_first; // its prefixes: wg_device_state.allowed[first .. first + count - 1]
    uint32_t allowed_count;
    uint16_t keepalive_s;
};

// A device as it reports itself. The arrays and capacities are the caller's, given before the read.
struct wg_device_state {
    struct wg_key key; // public; zero if the device has none yet
    bool has_key;
    uint16_t listen_port; // 0 = none yet
    uint32_t fwmark;
    struct wg_peer_state *peers;
    size_t peer_count;
    size_t peer_capacity;
    struct prefix *allowed;
    size_t allowed_count;
    size_t allowed_capacity;
};

// What is to be set on the device itself; only what is marked.
struct wg_config {
    bool set_key;
    bool set_listen_port;
    bool set_fwmark;
    struct wg_secret key;
    uint16_t listen_port;
    uint32_t fwmark; // 0 = off
};

enum wg_op_kind {
    WG_OP_ADD,    // a new peer, all of `peer`
    WG_OP_UPDATE, // what the flags mark, and only if the device still has the peer
    WG_OP_REMOVE,
    WG_OP_REFUSE, // nothing to do on the device: tell the user, see `holder`
};

struct wg_op {
    enum wg_op_kind kind;
    struct wg_peer peer; // REMOVE: only the key
    bool set_endpoint;
    bool set_keepalive;
    bool set_allowed;     // peer.allowed holds what is to be added, or everything if:
    bool replace_allowed; // prefixes that are not in peer.allowed go away
    // REFUSE: the foreign peer that has `peer.key` itself (then equal to it) or `refused_prefix`.
    struct wg_key holder;
    struct prefix refused_prefix;
};

// One peer that we track.
struct wg_peer_entry {
    struct wg_peer peer;
    bool wanted;           // false: to be removed from the device
    bool made;             // we put it on the device (or were about to), now or before a restart
    bool dropped;          // by wg_peers_drop(), not applied yet
    bool renew;            // remove and add again: a fresh session is asked for
    bool endpoint_pending; // peer.endpoint is yet to be sent
};

// The peers that are ours, sorted by key. Capacity: fixed, of the caller; nothing is ever evicted.
// Only admitted members get in here, so a stranger cannot displace anything.
struct wg_peers {
    struct wg_peer_entry *entries;
    size_t count;
    size_t capacity;
};

void wg_peers_init(struct wg_peers *peers, struct wg_peer_entry *entries, size_t capacity);

// Takes `peer` as wanted from now on. Wanting a key again after wg_peers_drop() and before the
// operations were applied asks for a fresh session (the peer is removed and added again); so does
// the first endpoint of a peer that stands on the device without one.
// ERR_RANGE: more than WG_ALLOWED_MAX prefixes, the same prefix twice, or an endpoint without a
// port; do not retry.
// ERR_EXISTS: another wanted peer holds one of the prefixes: an address that is held never moves;
// say so and try again when that peer is gone.
// ERR_FULL: no room for another peer; refuse the member for now.
enum status wg_peers_want(struct wg_peers *peers, const struct wg_peer *peer);

// The peer is not wanted any longer; unknown keys are ignored.
void wg_peers_drop(struct wg_peers *peers, const struct wg_key *key);

// Takes `key` as one that we made before a restart. It goes away with the next difference unless
// it is wanted by then. So persist the keys (entries[i].peer.key) *before* applying operations.
// ERR_FULL as above.
enum status wg_peers_adopt(struct wg_peers *peers, const struct wg_key *key);

// The entry of `key`, or NULL. Valid until the next call that changes `peers`.
const struct wg_peer_entry *wg_peers_find(const struct wg_peers *peers, const struct wg_key *key);

// Writes the operations that lead from `state` to what is wanted, removals first, and their number
// to `ret_count`. `ops` has room for 2 * peers->count. Forgets what is gone and was not wanted.
// Hand the operations to wg_device_apply() and tell wg_peers_applied() of each that succeeded; one
// that failed comes again with the next difference.
void wg_peers_diff(struct wg_peers *peers, const struct wg_device_state *state, struct wg_op *ops,
    size_t *ret_count);

// The device took `op`.
void wg_peers_applied(struct wg_peers *peers, const struct wg_op *op);

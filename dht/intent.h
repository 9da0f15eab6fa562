// SPDX-License-Identifier: GPL-3.0-or-later
//
// The intent: "I want to talk to you now, here is where I am", sealed to the recipient's node key.
// The same bytes travel through tunnels, straight to a peer, and by the inbox in the DHT.
//
// Opening costs one signature and one scalar multiplication, so the parts are separate:
// intent_peek (cheap), then the caller's budget, then intent_verify, then intent_open, then
// intent_replay_admit. All bytes are hostile until the last of them.
#pragma once

#include "base/candidate.h"
#include "base/clock.h"
#include "base/rng.h"
#include "dht/key.h"

enum {
    INTENT_MAX_SIZE = DHT_VALUE_MAX_SIZE,
    INTENT_CANDIDATES_MAX_SIZE = 200, // eight IPv6 candidates
    INTENT_NONCE_SIZE = 16,
    INTENT_WINDOW_MS = 120 * 1000, // how far its time may lie from ours, either way
};

struct intent_nonce {
    uint8_t bytes[INTENT_NONCE_SIZE];
};

struct intent {
    struct token_id sender;
    struct token_id recipient;
    struct node_key sender_key;
    struct unix_time sent_at;
    struct intent_nonce nonce; // also the transaction: a reply repeats it
    bool reply;                // a reply is never replied to
    enum nat_class nat_class;
    uint64_t sequence; // of the sender's record, so that the recipient knows whether to re-read
    struct candidates candidates; // may hold LAN addresses: only the recipient reads them
};

// What everybody may see of an intent. The spans point into the bytes it was peeked from.
struct intent_envelope {
    struct node_key sender_key;
    struct unix_time sent_at;
    struct span header; // what the seal is bound to
    struct span sealed;
    struct span body; // what the signature covers
    struct span signature;
};

// Seals to `recipient_key` and signs with `secret`, whose public half must be intent->sender_key.
// Candidates go in by priority as far as they fit. ERR_RANGE: a field that intent_open would
// refuse, or an unusable recipient key.
enum status intent_encode(const struct network_keys *keys, const struct node_secret *secret,
    const struct node_key *recipient_key, const struct intent *intent, struct rng *rng,
    uint8_t ret[static INTENT_MAX_SIZE], size_t *ret_size);

// Size, form and time; no cryptography. ERR_TOO_LARGE, ERR_TRUNCATED, ERR_TRAILING, ERR_MALFORMED,
// ERR_NOT_CANONICAL, ERR_VERSION, ERR_EXPIRED, ERR_FUTURE: drop it.
enum status intent_peek(struct span value, struct unix_time now, struct intent_envelope *ret);

// The sender's signature, bound to `inbox` in this network: OK or ERR_SIGNATURE.
enum status intent_verify(const struct network_keys *keys, const struct dht_key *inbox,
    const struct intent_envelope *envelope);

// Opens with the own key. ERR_SEAL: not for this key. ERR_MISMATCH: for another token than `own`.
// Others as intent_peek. Whether sender_key sits in the sender's seat is for the gate to say.
enum status intent_open(const struct intent_envelope *envelope, const struct node_secret *secret,
    const struct token_id *own, struct intent *ret);

struct intent_seen {
    struct node_key sender_key;
    struct intent_nonce nonce;
    bool reply;
    struct unix_time forget_at; // past INTENT_WINDOW_MS it fails by its time
};

// Which intents were acted upon. Capacity: fixed, of the caller. When full, the entry that is
// forgotten first goes; so whoever can pass a budget with many self-made keys can push out other
// entries, and the intents behind them could be repeated within their window. Keep one cache for
// known members and another for strangers: then a member's entries yield to members only.
struct intent_replay {
    struct intent_seen *entries;
    size_t count;
    size_t capacity;
};

void intent_replay_init(struct intent_replay *replay, struct intent_seen *entries, size_t capacity);

// Notes the intent. ERR_REPLAYED: seen before, drop it. ERR_EXPIRED, ERR_FUTURE: out of the window.
enum status intent_replay_admit(
    struct intent_replay *replay, const struct intent *intent, struct unix_time now);

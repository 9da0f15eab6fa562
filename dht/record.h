// SPDX-License-Identifier: GPL-3.0-or-later
//
// The endpoint record: a node's signed statement "token N is reachable so", with the owner's
// delegation to that node; and the tombstone, by which an owner retires a node key. Both lie at
// key_of_record. Nothing here verifies the owner's signature: that is chain/'s part.
//
// Decoding hostile bytes is split so that cheap checks come first: record_parse (form, key, seal;
// about a microsecond), then whatever the caller can refuse by itself, then record_verify (one
// Ed25519 signature). A caller that holds the value_digest of a verified value skips the latter.
#pragma once

#include "base/candidate.h"
#include "base/clock.h"
#include "base/delegation.h"
#include "dht/key.h"

enum {
    RECORD_MAX_SIZE = DHT_VALUE_MAX_SIZE, // with the seal
    RECORD_CANDIDATES_MAX_SIZE = 150,     // all candidates as encoded; 4 or 5 typical ones
    RECORD_LIFETIME_MAX_S = 30 * 60,
    DELEGATION_EPOCH_AHEAD_MAX_S = 60 * 60, // how far a wallet's clock may run ahead
    DELEGATION_HASHED_MAX_SIZE = 4096,      // a contract wallet's signature kept in pieces
};

enum record_flag {
    RECORD_RELAY = 1, // forwards for others
    RECORD_ENTRY = 2, // a DHT server: others may bootstrap here
};

// A tombstone has only `token` and `delegation`; everything else is zero.
struct record {
    struct token_id token;
    struct node_key node_key;
    struct wg_key wg_key;
    uint64_t sequence;    // orders the records of one node key; never judged as a time
    uint64_t boot;        // random at each start of the node: tells a clone from oneself
    uint64_t not_after_s; // unix seconds
    enum nat_class nat_class;
    uint32_t flags; // of enum record_flag
    struct candidates candidates;
    struct delegation delegation; // its token and node key are those of the record
};

static inline bool record_is_tombstone(const struct record *record)
{
    return node_key_is_zero(&record->node_key);
}

// A record whose form is right and whose signature may not have been looked at yet.
struct parsed_record {
    struct record record;
    uint8_t plain[RECORD_MAX_SIZE]; // without the seal
    uint16_t plain_size;
};

// Encodes, signs with `secret` (whose public half must be record->node_key), and seals where the
// network has a secret. Candidates go in by priority as far as they fit: those that would exceed
// the limits, and host names after the first, are left out. A tombstone is encoded with `secret`
// NULL. ERR_RANGE: a field that record_parse would refuse; the caller's input is at fault.
enum status record_encode(const struct network_keys *keys, const struct node_secret *secret,
    const struct record *record, uint8_t ret[static RECORD_MAX_SIZE], size_t *ret_size);

// Reads the value found at `at` (or claimed for a token: then key_of_record of it). Checks size,
// form, canonical encoding, ranges, the seal, and that the token hashes to `at`. Not: signatures
// and times. On any failure the value is dropped:
//   ERR_TOO_LARGE, ERR_TRUNCATED, ERR_TRAILING, ERR_MALFORMED, ERR_NOT_CANONICAL, ERR_RANGE;
//   ERR_VERSION: of another form or version; ERR_MISMATCH: of another token or network;
//   ERR_SEAL: sealed with another secret, or not sealed in a network that seals.
enum status record_parse(const struct network_keys *keys, const struct dht_key *at,
    struct span value, struct parsed_record *ret);

// The Ed25519 signature by the record's node key over this network: OK or ERR_SIGNATURE. A
// tombstone has none and is OK here; whether the owner signed it, chain/ says.
enum status record_verify(const struct network_keys *keys, const struct parsed_record *parsed);

// record_parse, then record_verify.
enum status record_decode(const struct network_keys *keys, const struct dht_key *at,
    struct span value, struct record *ret);

// ERR_EXPIRED: over at `now`; ERR_FUTURE: ends later than RECORD_LIFETIME_MAX_S from now, so its
// maker's clock is wrong or it means to outlive itself. Drop it. A tombstone is always OK.
enum status record_check_time(const struct record *record, struct unix_time now);

// The window of the delegation: ERR_EXPIRED: after not_after; ERR_FUTURE: before not_before, or an
// epoch more than DELEGATION_EPOCH_AHEAD_MAX_S ahead, which would outrank every honest one.
enum status record_check_delegation_time(const struct record *record, struct unix_time now);

// The order of claims to one seat: the greater epoch; in one epoch the smaller node key (so a
// tombstone beats its contemporaries); of one key the greater sequence. False if equal. Only
// records whose delegation is by the present owner may be ranked.
bool record_outranks(const struct record *a, const struct record *b);

// True if `seen`, read back from the DHT, means that this node lost its seat: it outranks `own`
// and comes from another node key or another boot of a cloned key.
bool record_displaces(const struct record *seen, const struct record *own);

// max(unix ms, persisted + 1, read back + 1); both 0 if there is none. Saturates.
uint64_t record_next_sequence(struct unix_time now, uint64_t persisted, uint64_t read_back);

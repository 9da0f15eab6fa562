// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where values lie in the DHT, and under which value id. A key names what lies there, so that a
// node can check a stranger's put against the key alone.
#pragma once

#include "base/ids.h"

enum {
    NETWORK_SECRET_SIZE = 32,

    // Every value of ours: packed by OpenDHT it stays under 600 bytes, which travels in one
    // datagram; 2.4.12 cannot put longer ones together when they arrive out of order.
    DHT_VALUE_MAX_SIZE = 500,
};

// The first element of each value; a new version of a format gets a new number. A piece has no
// form: it is whatever hashes to its key.
enum value_form {
    VALUE_UNKNOWN = 0,
    VALUE_RECORD = 1,
    VALUE_SEALED = 2, // a record or tombstone under the network secret
    VALUE_TOMBSTONE = 3,
    VALUE_INTENT = 4,
    VALUE_MANIFEST = 5,
};

// The number by which OpenDHT keeps networks apart: the first 4 bytes of the network id, and 1 for
// 0, which it takes for "any network".
uint32_t dht_network_number(const struct network_id *id);

// What all members of a network share. The secret hides the network's keys and records from
// others; it admits nobody. The holder wipes it (network_keys_wipe).
struct network_keys {
    struct network_id id;
    bool has_secret;
    uint8_t secret[NETWORK_SECRET_SIZE]; // zero without
};

// `secret` has NETWORK_SECRET_SIZE random bytes, never a passphrase, or is NULL: without.
struct network_keys network_keys_of(const struct network *network, const uint8_t *secret);
void network_keys_wipe(struct network_keys *keys);

// Where the record and the tombstones of a token lie, and where intents for it are left.
struct dht_key key_of_record(const struct network_keys *keys, const struct token_id *token);
struct dht_key key_of_inbox(const struct network_keys *keys, const struct token_id *token);

// Where the manifest of an authority lies; its text form is the network's fingerprint.
struct dht_key key_of_manifest(const struct node_key *authority);

// The name of a piece, as in a delegation of kind DELEGATION_EIP1271_HASHED, and where it lies.
struct hash256 piece_hash(struct span content);
struct dht_key key_of_piece(struct span content);
struct dht_key key_of_piece_hash(const struct hash256 *hash);

// The value id of a record: by its node key, so that an update replaces in place. Never 0.
uint64_t value_id_of_record(const struct node_key *node_key);

// The value id of everything else: by its bytes. Never 0.
uint64_t value_id_of_bytes(struct span value);

// The form that `value` claims by its first two bytes, nothing verified; VALUE_UNKNOWN if none.
enum value_form value_form_of(struct span value);

// A digest of a whole value: whoever keeps it beside a verified record can skip the signature of
// an identical one.
struct hash256 value_digest(struct span value);

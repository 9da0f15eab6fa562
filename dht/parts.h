// SPDX-License-Identifier: GPL-3.0-or-later
//
// The parts that several formats share: how a value begins, candidates, the delegation, and the
// signature at the end. Private to dht/.
#pragma once

#include "base/candidate.h"
#include "base/delegation.h"
#include "dht/key.h"
#include "dht/pack.h"

enum {
    SIGNATURE_SIZE = 64, // Ed25519
    SIGNATURE_PACKED_SIZE = 2 + SIGNATURE_SIZE,
};

// Reads the array and its first element. ERR_VERSION: another form; ERR_MALFORMED: `form` with
// another number of elements.
void unpack_form(struct reader *reader, enum value_form form, uint8_t elements);

// As many candidates as fit in `size_max` bytes (the array's own byte included), in their order;
// host names after the first are left out.
struct candidates candidates_fitting(const struct candidates *candidates, size_t size_max);

// Writes all; ERR_RANGE if unpack_candidates would refuse one.
void pack_candidates(struct writer *writer, const struct candidates *candidates);

// ERR_RANGE: over `size_max` bytes or CANDIDATES_MAX, a second host name, a port 0, an address
// that no peer can use (loopback, link-local, multicast ...), a host name that is none.
void unpack_candidates(struct reader *reader, size_t size_max, struct candidates *ret);

// Without token and node key: they stand beside it.
void pack_delegation(struct writer *writer, const struct delegation *delegation);
void unpack_delegation(struct reader *reader, struct delegation *ret);

// The longest label, a network id, a DHT key, a value.
enum {
    SIGNED_MAX_SIZE = 32 + 32 + 20 + DHT_VALUE_MAX_SIZE,
};

// What an Ed25519 signature covers: label | context | body. Any of the latter may be empty.
struct signed_part {
    const char *label;
    struct span context;
    struct span body;
};

// Appends the signature as the value's last element. ERR_RANGE: `secret` is not that of `key`.
void pack_signature(struct writer *writer, const struct signed_part *part,
    const struct node_secret *secret, const struct node_key *key);

// ERR_SIGNATURE unless `signature` is by `key`.
enum status signature_verify(
    const struct signed_part *part, const uint8_t *signature, const struct node_key *key);

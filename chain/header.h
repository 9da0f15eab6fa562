// SPDX-License-Identifier: GPL-3.0-or-later
//
// A block's header, as eth_getBlockByNumber and eth_getBlockByHash give it, proven to be the one
// that its hash names: the fields are encoded again and hashed (yellow paper, 4.4.2; EIP-1559,
// 4895, 4844, 4788, 7685 for the fields after the fifteen of the beginning).
#pragma once

#include "base/ids.h"

#include <jansson.h>

struct header {
    uint64_t number;
    uint64_t timestamp_s;
    struct hash256 hash;
    struct hash256 parent_hash;
    struct hash256 state_root;
};

// Reads `block`, the call's result. That a header hashes to its hash does not make it one of the
// chain: the caller compares the hash with what other providers say.
//
// ERR_MALFORMED: not a block, or null (none of that number); ERR_TOO_LARGE: its extraData or a
// number is; ERR_MISMATCH: its fields have another hash (a forged or garbled header);
// ERR_UNSUPPORTED: the same, but it has members that are not known here, as after a fork that adds
// fields to headers. With the last, proofs cannot be checked on this chain until the program is
// brought up to date; the caller goes by what several providers say instead and tells why. Members
// that the chain's nodes add without hashing them do no harm.
enum status header_read(const json_t *block, struct header *ret);

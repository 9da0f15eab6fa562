// SPDX-License-Identifier: GPL-3.0-or-later
//
// Hex inside the results of JSON-RPC: "0x" and digits of either case. Anything else, a missing
// member (NULL) and null among it, is ERR_MALFORMED; ERR_TOO_LARGE names what has no room.
#pragma once

#include "base/bytes.h"

#include <jansson.h>

// Exactly `size` bytes.
enum status rpc_value_fixed(const json_t *value, uint8_t *ret, size_t size);

// Whole bytes, any number up to `capacity`.
enum status rpc_value_data(const json_t *value, uint8_t *buffer, size_t capacity, struct span *ret);

// A number of 1 to 2 * `size` digits, as `size` big-endian bytes. Leading zeroes are taken:
// providers give storage keys back with them or without.
enum status rpc_value_number(const json_t *value, uint8_t *ret, size_t size);
enum status rpc_value_u64(const json_t *value, uint64_t *ret);

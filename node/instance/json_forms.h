// SPDX-License-Identifier: GPL-3.0-or-later
//
// How identities, addresses and records look in JSON, in the daemon's answers and in the command's
// own: docs/control.md describes them. Each returns a new reference.
#pragma once

#include "dht/record.h"

#include <jansson.h>

// "A.B.C.D:PORT", without ":PORT" if that is 0; null if it is unset.
json_t *json_address(const struct address *address);
json_t *json_token(const struct token_id *token);  // decimal text
json_t *json_wg_key(const struct wg_key *key);     // base64
json_t *json_node_key(const struct node_key *key); // hex
json_t *json_u64_text(uint64_t value); // decimal text: numbers beyond 2^53 are not safe in JSON

json_t *json_record(const struct record *record);

const char *nat_class_name(enum nat_class nat_class);

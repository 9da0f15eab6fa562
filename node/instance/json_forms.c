// SPDX-License-Identifier: GPL-3.0-or-later
//
// The JSON forms that the daemon's answers and the command's own have in common.
#include "node/instance/json_forms.h"

#include "base/text.h"

#include <stdio.h>

enum {
    NODE_KEY_TEXT_SIZE = 65,
};

json_t *json_address(const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];
    if (!address_is_set(address)) {
        return json_null();
    }
    address_format(address, text);
    return json_string(text);
}

json_t *json_token(const struct token_id *token)
{
    char text[TOKEN_TEXT_SIZE];
    token_id_format(token, text);
    return json_string(text);
}

json_t *json_wg_key(const struct wg_key *key)
{
    char text[WG_KEY_TEXT_SIZE];
    wg_key_format(key, text);
    return json_string(text);
}

json_t *json_node_key(const struct node_key *key)
{
    char text[NODE_KEY_TEXT_SIZE];
    hex_format(span_of(key->bytes, sizeof key->bytes), text);
    return json_string(text);
}

json_t *json_u64_text(uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return json_string(text);
}

const char *nat_class_name(enum nat_class nat_class)
{
    static const char *const names[] = {[NAT_UNKNOWN] = "unknown",
        [NAT_NONE] = "none",
        [NAT_EASY] = "easy",
        [NAT_HARD] = "hard",
        [NAT_BLOCKED] = "blocked"};
    return names[nat_class];
}

static json_t *json_candidate(const struct candidate *candidate)
{
    static const char *const kinds[] = {[CANDIDATE_HOST] = "host",
        [CANDIDATE_REFLEXIVE] = "reflexive",
        [CANDIDATE_MAPPED] = "mapped",
        [CANDIDATE_RELAY] = "relay",
        [CANDIDATE_HOST_NAME] = "host_name"};
    json_t *object = json_pack("{s:s}", "kind", kinds[candidate->kind]);
    switch (candidate->kind) {
    case CANDIDATE_HOST:
    case CANDIDATE_REFLEXIVE:
    case CANDIDATE_MAPPED:
        (void)json_object_set_new(object, "address", json_address(&candidate->address));
        break;
    case CANDIDATE_RELAY:
        (void)json_object_set_new(object, "relay", json_token(&candidate->relay));
        break;
    case CANDIDATE_HOST_NAME:
        (void)json_object_set_new(
            object, "host", json_stringn(candidate->host_name, candidate->host_name_size));
        (void)json_object_set_new(object, "port", json_integer(candidate->port));
        break;
    }
    return object;
}

json_t *json_record(const struct record *record)
{
    char owner[ETH_ADDRESS_TEXT_SIZE];
    eth_address_format(&record->delegation.owner, owner);
    json_t *candidates = json_array();
    for (size_t i = 0; i < record->candidates.count; i++) {
        (void)json_array_append_new(candidates, json_candidate(&record->candidates.list[i]));
    }
    return json_pack("{s:o,s:o,s:o,s:I,s:s,s:b,s:b,s:o,s:s,s:I}", "node_key",
        json_node_key(&record->node_key), "wg_key", json_wg_key(&record->wg_key), "sequence",
        json_u64_text(record->sequence), "not_after", (json_int_t)record->not_after_s, "nat",
        nat_class_name(record->nat_class), "relay", (int)((record->flags & RECORD_RELAY) != 0),
        "entry", (int)((record->flags & RECORD_ENTRY) != 0), "candidates", candidates, "owner",
        owner, "delegation_not_after", (json_int_t)record->delegation.not_after_s);
}

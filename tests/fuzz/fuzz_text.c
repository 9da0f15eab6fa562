// SPDX-License-Identifier: GPL-3.0-or-later
//
// Parsers of text that people and configuration files give: what parses must print and parse again
// to the same value; nothing else is asked of what does not parse.
#include "base/address.h"
#include "base/text.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_address(struct span text, bool port_required)
{
    struct address address;
    if (address_parse(text, port_required, &address) != OK) {
        return;
    }
    ASSERT(address_is_set(&address) && (!port_required || address.port != 0));
    char printed[ADDRESS_TEXT_SIZE];
    address_format(&address, printed);
    struct address again;
    ASSERT(address_parse(span_of_text(printed), port_required, &again) == OK);
    ASSERT(address_equal(&address, &again));
}

static void try_prefix(struct span text)
{
    struct prefix prefix;
    if (prefix_parse(text, &prefix) != OK) {
        return;
    }
    ASSERT(prefix_contains(&prefix, &prefix.base));
    char printed[ADDRESS_TEXT_SIZE];
    prefix_format(&prefix, printed);
    struct prefix again;
    ASSERT(prefix_parse(span_of_text(printed), &again) == OK);
    ASSERT(again.length == prefix.length && address_equal(&again.base, &prefix.base));
}

static void try_token(struct span text)
{
    struct token_id token;
    if (token_id_parse(text, &token) != OK) {
        return;
    }
    char printed[TOKEN_TEXT_SIZE];
    token_id_format(&token, printed);
    struct token_id again;
    ASSERT(token_id_parse(span_of_text(printed), &again) == OK);
    ASSERT(token_id_equal(&token, &again));
}

static void try_keys(struct span text)
{
    struct wg_key key;
    if (wg_key_parse(text, &key) == OK) {
        char printed[WG_KEY_TEXT_SIZE];
        wg_key_format(&key, printed);
        // One valid encoding: what parses prints as what was read.
        ASSERT(span_equal(span_of_text(printed), text));
    }
    uint8_t bytes[20];
    if (hex_parse(text, bytes, sizeof bytes) == OK) {
        char printed[2 * sizeof bytes + 1];
        uint8_t again[sizeof bytes];
        hex_format(span_of(bytes, sizeof bytes), printed);
        ASSERT(hex_parse(span_of_text(printed), again, sizeof again) == OK);
        ASSERT(memcmp(bytes, again, sizeof bytes) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size);
    try_address(text, false);
    try_address(text, true);
    try_prefix(text);
    try_token(text);
    try_keys(text);
    return 0;
}

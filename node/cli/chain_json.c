// SPDX-License-Identifier: GPL-3.0-or-later
//
// JSON-RPC's forms of values, read from any provider: only the whole form counts.
#include "node/cli/chain_client.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool json_data(const json_t *value, uint8_t **ret, size_t *ret_size)
{
    size_t size = json_string_length(value);
    const char *text = json_string_value(value);
    if (text == NULL || size < 2 || size % 2 != 0 || text[0] != '0' || text[1] != 'x') {
        return false;
    }
    uint8_t *bytes = malloc(size / 2);
    ASSERT(bytes != NULL);
    if (hex_parse(span_of(text, size), bytes, size / 2 - 1) != OK) {
        free(bytes);
        return false;
    }
    *ret = bytes;
    *ret_size = size / 2 - 1;
    return true;
}

bool json_bytes(const json_t *value, uint8_t *ret, size_t size)
{
    uint8_t *bytes = NULL;
    size_t got = 0;
    bool same = json_data(value, &bytes, &got) && got == size;
    if (same) {
        memcpy(ret, bytes, size);
    }
    free(bytes);
    return same;
}

bool json_wei(const json_t *value, struct wei *ret)
{
    uint8_t bytes[32] = {0};
    size_t size = json_string_length(value);
    const char *text = json_string_value(value);
    if (text == NULL || size < 3 || size > 2 + 2 * sizeof bytes || text[0] != '0' ||
        text[1] != 'x') {
        return false;
    }
    for (size_t i = 2; i < size; i++) {
        uint8_t digit = hex_digit_value((uint8_t)text[i]);
        size_t place = size - 1 - i; // from the end
        if (digit == HEX_NOT_A_DIGIT) {
            return false;
        }
        bytes[sizeof bytes - 1 - place / 2] |= (uint8_t)(digit << (place % 2 * 4));
    }
    *ret = wei_of_bytes(span_of(bytes, sizeof bytes));
    return true;
}

bool json_quantity(const json_t *value, uint64_t *ret)
{
    struct wei wide;
    if (!json_wei(value, &wide) || wide.high != 0) {
        return false;
    }
    *ret = wide.low;
    return true;
}

json_t *json_of_data(struct span bytes)
{
    char *text = malloc(2 * bytes.size + 3);
    ASSERT(text != NULL);
    text[0] = '0';
    text[1] = 'x';
    hex_format(bytes, text + 2);
    json_t *value = json_string(text);
    free(text);
    return value;
}

json_t *json_of_quantity(uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "0x%" PRIx64, value);
    return json_string(text);
}

json_t *json_of_eth_address(const struct eth_address *address)
{
    return json_of_data(span_of(address->bytes, sizeof address->bytes));
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// JSON-RPC's forms of values, read from any provider: only the whole form counts.
#include "node/cli/chain_client.h"

#include "base/text.h"
#include "chain/rpc_value.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool json_data(const json_t *value, uint8_t **ret, size_t *ret_size)
{
    size_t capacity = json_string_length(value) / 2;
    uint8_t *buffer = malloc(capacity + 1);
    struct span data;
    ASSERT(buffer != NULL);
    if (rpc_value_data(value, buffer, capacity, &data) != OK) {
        free(buffer);
        return false;
    }
    *ret = buffer;
    *ret_size = data.size;
    return true;
}

bool json_bytes(const json_t *value, uint8_t *ret, size_t size)
{
    return rpc_value_fixed(value, ret, size) == OK;
}

bool json_wei(const json_t *value, struct wei *ret)
{
    uint8_t bytes[32];
    if (rpc_value_number(value, bytes, sizeof bytes) != OK) {
        return false;
    }
    *ret = wei_of_bytes(span_of(bytes, sizeof bytes));
    return true;
}

bool json_quantity(const json_t *value, uint64_t *ret)
{
    return rpc_value_u64(value, ret) == OK;
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

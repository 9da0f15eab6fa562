// SPDX-License-Identifier: GPL-3.0-or-later
//
// Hex to bytes, bounded by the buffers of the caller.
#include "chain/rpc_value.h"

#include "base/text.h"

#include <string.h>

// The digits behind "0x". Empty text where there is no such string: no caller takes that for one.
static enum status digits_of(const json_t *value, struct span *ret)
{
    const char *text = json_string_value(value);
    if (text == NULL || strncmp(text, "0x", 2) != 0) {
        return ERR_MALFORMED;
    }
    *ret = span_of(text + 2, json_string_length(value) - 2);
    return OK;
}

enum status rpc_value_fixed(const json_t *value, uint8_t *ret, size_t size)
{
    struct span digits;
    enum status status = digits_of(value, &digits);
    return status == OK ? hex_parse(digits, ret, size) : status;
}

enum status rpc_value_data(const json_t *value, uint8_t *buffer, size_t capacity, struct span *ret)
{
    struct span digits;
    enum status status = digits_of(value, &digits);
    if (status != OK) {
        return status;
    }
    if (digits.size / 2 > capacity) {
        return ERR_TOO_LARGE;
    }
    status = hex_parse(digits, buffer, digits.size / 2);
    if (status == OK) {
        *ret = span_of(buffer, digits.size / 2);
    }
    return status;
}

enum status rpc_value_number(const json_t *value, uint8_t *ret, size_t size)
{
    enum { SIZE_MAX_BYTES = 32 };
    ASSERT(size <= SIZE_MAX_BYTES);
    struct span digits;
    enum status status = digits_of(value, &digits);
    if (status != OK) {
        return status;
    }
    if (digits.size == 0) {
        return ERR_MALFORMED;
    }
    if (digits.size > 2 * size) {
        return ERR_TOO_LARGE;
    }
    char padded[2 * SIZE_MAX_BYTES];
    memset(padded, '0', 2 * size);
    memcpy(padded + 2 * size - digits.size, digits.data, digits.size);
    return hex_parse(span_of(padded, 2 * size), ret, size);
}

enum status rpc_value_u64(const json_t *value, uint64_t *ret)
{
    uint8_t bytes[sizeof *ret];
    enum status status = rpc_value_number(value, bytes, sizeof bytes);
    if (status == OK) {
        struct reader reader = reader_of(span_of(bytes, sizeof bytes));
        *ret = read_u64(&reader);
    }
    return status;
}

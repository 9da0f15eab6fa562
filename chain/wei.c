// SPDX-License-Identifier: GPL-3.0-or-later
//
// 128-bit sums, and their decimal form.
#include "chain/wei.h"

#include <string.h>

__extension__ typedef unsigned __int128 u128;

static u128 wide(struct wei amount)
{
    return (u128)amount.high << 64 | amount.low;
}

static struct wei narrow(u128 value)
{
    return (struct wei){.high = (uint64_t)(value >> 64), .low = (uint64_t)value};
}

struct wei wei_of(uint64_t value)
{
    return (struct wei){.low = value};
}

struct wei wei_of_bytes(struct span bytes)
{
    u128 value = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        if (value >> 120 != 0) {
            return (struct wei){.high = UINT64_MAX, .low = UINT64_MAX};
        }
        value = value << 8 | bytes.data[i];
    }
    return narrow(value);
}

struct wei wei_add(struct wei a, struct wei b)
{
    u128 sum = wide(a) + wide(b);
    return narrow(sum < wide(a) ? ~(u128)0 : sum);
}

struct wei wei_multiply(uint64_t a, uint64_t b)
{
    return narrow((u128)a * b);
}

int wei_compare(struct wei a, struct wei b)
{
    return wide(a) < wide(b) ? -1 : wide(a) > wide(b);
}

void wei_format(struct wei amount, unsigned digits, char ret[static WEI_TEXT_SIZE])
{
    char text[WEI_TEXT_SIZE];
    size_t at = sizeof text - 1;
    u128 rest = wide(amount);
    bool shown = digits == 0; // zeroes at the end of the fraction are left out
    text[at] = '\0';
    for (unsigned i = 0; rest != 0 || i <= digits; i++) {
        if (i == digits && shown && digits > 0) {
            text[--at] = '.';
        }
        char digit = (char)('0' + (unsigned)(rest % 10));
        shown = shown || digit != '0' || i >= digits;
        if (shown) {
            text[--at] = digit;
        }
        rest /= 10;
    }
    memcpy(ret, text + at, sizeof text - at);
}

enum status wei_parse(struct span text, unsigned digits, uint64_t *ret)
{
    u128 value = 0;
    unsigned behind = 0;
    bool point = false;
    if (text.size == 0 || text.data[0] == '.' || text.data[text.size - 1] == '.') {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '.' && !point) {
            point = true;
            continue;
        }
        if (byte < '0' || byte > '9' || (point && behind == digits)) {
            return ERR_MALFORMED;
        }
        behind += point;
        value = value * 10 + (unsigned)(byte - '0');
        if (value > UINT64_MAX) {
            return ERR_RANGE;
        }
    }
    for (; behind < digits; behind++) {
        value *= 10;
        if (value > UINT64_MAX) {
            return ERR_RANGE;
        }
    }
    *ret = (uint64_t)value;
    return OK;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Amounts of a chain's own money in wei, its smallest unit: 10^9 are a gwei, 10^18 an ether. 64
// bits end at 18 ether, so 128 are kept; a larger balance saturates, no sum wraps.
#pragma once

#include "base/bytes.h"

enum {
    WEI_TEXT_SIZE = 44, // 2^128 has 39 digits; a point, a leading zero, NUL
    WEI_OF_GWEI_DIGITS = 9,
    WEI_OF_ETHER_DIGITS = 18,
};

struct wei {
    uint64_t high;
    uint64_t low;
};

struct wei wei_of(uint64_t value);

// From a big-endian number of any size.
struct wei wei_of_bytes(struct span bytes);

struct wei wei_add(struct wei a, struct wei b);
struct wei wei_multiply(uint64_t a, uint64_t b);

// <0, 0, >0
int wei_compare(struct wei a, struct wei b);

// A decimal number, `digits` of them behind the point, without zeroes at its end: 1500000000 with
// WEI_OF_GWEI_DIGITS is "1.5". With 0 digits it is the number of wei.
void wei_format(struct wei amount, unsigned digits, char ret[static WEI_TEXT_SIZE]);

// The same form back, e.g. "0.25"; at most `digits` behind the point. ERR_MALFORMED; ERR_RANGE
// above 64 bits of wei.
enum status wei_parse(struct span text, unsigned digits, uint64_t *ret);

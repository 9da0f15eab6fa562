// SPDX-License-Identifier: GPL-3.0-or-later
//
// An IP address with a UDP or TCP port, and an IP prefix, as plain data: no socket header here.
#pragma once

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum address_family {
    FAMILY_NONE = 0,
    FAMILY_IPV4 = 4,
    FAMILY_IPV6 = 6,
};

// IPv4 stands in the first 4 bytes of `ip`, the rest is zero. Unset = all zero (FAMILY_NONE).
struct address {
    enum address_family family;
    uint8_t ip[16];
    uint16_t port;
};

// `length` in bits: 0-32 or 0-128. Bits beyond it are zero. The port of `base` is 0.
struct prefix {
    struct address base;
    uint8_t length;
};

// What an address may be used for; the ranges are IANA's special-purpose registries (RFC 6890).
// The documentation ranges (RFC 5737) count as global: test networks stand on them.
enum address_scope {
    SCOPE_UNUSABLE, // unspecified, multicast, reserved, IPv4 within IPv6
    SCOPE_LOOPBACK,
    SCOPE_LINK_LOCAL,
    SCOPE_PRIVATE, // RFC 1918, RFC 6598 shared space, IPv6 unique local
    SCOPE_GLOBAL,
};

enum {
    ADDRESS_TEXT_SIZE = 56, // "[" + longest IPv6 text + "]:65535" + NUL
};

struct address address_of_ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port);

bool address_is_set(const struct address *address);
bool address_equal(const struct address *a, const struct address *b);
bool address_same_ip(const struct address *a, const struct address *b);

// Number of bytes of the IP: 4, 16, or 0.
size_t address_ip_size(const struct address *address);

enum address_scope address_scope(const struct address *address);

// "192.0.2.1:51820" or "[2001:db8::1]:51820"; without ":port" when the port is 0 (then no
// brackets). Always terminates `ret`.
void address_format(const struct address *address, char ret[static ADDRESS_TEXT_SIZE]);

// Numeric only; the forms that address_format writes, port required if `port_required`.
// ERR_MALFORMED otherwise.
enum status address_parse(struct span text, bool port_required, struct address *ret);

// The prefix of `length` bits that contains `address`, for per-prefix budgets.
struct prefix prefix_of(const struct address *address, uint8_t length);

bool prefix_contains(const struct prefix *prefix, const struct address *address);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);

// "10.213.0.0/16". Always terminates `ret`.
void prefix_format(const struct prefix *prefix, char ret[static ADDRESS_TEXT_SIZE]);

// ERR_MALFORMED if it is no prefix, ERR_RANGE if bits beyond the length are set.
enum status prefix_parse(struct span text, struct prefix *ret);

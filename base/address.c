// SPDX-License-Identifier: GPL-3.0-or-later
//
// Addresses and prefixes: equality and scope.
#include "base/address.h"

#include <string.h>

enum {
    IPV4_SIZE = 4,
    IPV6_SIZE = 16,
};

struct address address_of_ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    return (struct address){.family = FAMILY_IPV4, .ip = {a, b, c, d}, .port = port};
}

bool address_is_set(const struct address *address)
{
    return address->family != FAMILY_NONE;
}

bool address_same_ip(const struct address *a, const struct address *b)
{
    return a->family == b->family && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool address_equal(const struct address *a, const struct address *b)
{
    return address_same_ip(a, b) && a->port == b->port;
}

size_t address_ip_size(const struct address *address)
{
    switch (address->family) {
    case FAMILY_NONE:
        return 0;
    case FAMILY_IPV4:
        return IPV4_SIZE;
    case FAMILY_IPV6:
        return IPV6_SIZE;
    }
    return 0;
}

static enum address_scope scope_ipv4(const uint8_t ip[static IPV4_SIZE])
{
    if (ip[0] == 0 || ip[0] >= 224) {
        return SCOPE_UNUSABLE;
    }
    if (ip[0] == 127) {
        return SCOPE_LOOPBACK;
    }
    if (ip[0] == 169 && ip[1] == 254) {
        return SCOPE_LINK_LOCAL;
    }
    bool rfc1918 =
        ip[0] == 10 || (ip[0] == 172 && (ip[1] & 0xf0) == 16) || (ip[0] == 192 && ip[1] == 168);
    bool shared = ip[0] == 100 && (ip[1] & 0xc0) == 64;
    return rfc1918 || shared ? SCOPE_PRIVATE : SCOPE_GLOBAL;
}

static enum address_scope scope_ipv6(const uint8_t ip[static IPV6_SIZE])
{
    static const uint8_t unspecified[IPV6_SIZE];
    static const uint8_t loopback[IPV6_SIZE] = {[15] = 1};
    static const uint8_t mapped_ipv4[12] = {[10] = 0xff, [11] = 0xff};
    static const uint8_t translated_ipv4[4] = {0x00, 0x64, 0xff, 0x9b};
    if (memcmp(ip, loopback, sizeof loopback) == 0) {
        return SCOPE_LOOPBACK;
    }
    // An IPv4 address in IPv6 clothing would dodge the IPv4 rules: compatible (which includes the
    // unspecified address) and mapped (RFC 4291), translated (RFC 6052 and 8215).
    bool compatible_ipv4 = memcmp(ip, unspecified, sizeof mapped_ipv4) == 0;
    if (compatible_ipv4 || ip[0] == 0xff || memcmp(ip, mapped_ipv4, sizeof mapped_ipv4) == 0 ||
        memcmp(ip, translated_ipv4, sizeof translated_ipv4) == 0) {
        return SCOPE_UNUSABLE;
    }
    if (ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80) {
        return SCOPE_LINK_LOCAL;
    }
    return (ip[0] & 0xfe) == 0xfc ? SCOPE_PRIVATE : SCOPE_GLOBAL;
}

enum address_scope address_scope(const struct address *address)
{
    switch (address->family) {
    case FAMILY_NONE:
        return SCOPE_UNUSABLE;
    case FAMILY_IPV4:
        return scope_ipv4(address->ip);
    case FAMILY_IPV6:
        return scope_ipv6(address->ip);
    }
    return SCOPE_UNUSABLE;
}

struct prefix prefix_of(const struct address *address, uint8_t length)
{
    size_t size = address_ip_size(address);
    ASSERT(length <= size * 8);
    struct prefix prefix = {.base = {.family = address->family}, .length = length};
    for (size_t i = 0; i < size; i++) {
        size_t bits = length > i * 8 ? length - i * 8 : 0;
        uint8_t mask = (uint8_t)(0xff00U >> (bits < 8 ? bits : 8));
        prefix.base.ip[i] = address->ip[i] & mask;
    }
    return prefix;
}

bool prefix_contains(const struct prefix *prefix, const struct address *address)
{
    if (prefix->base.family != address->family || !address_is_set(address)) {
        return false;
    }
    struct prefix other = prefix_of(address, prefix->length);
    return address_same_ip(&other.base, &prefix->base);
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
    return a->length <= b->length ? prefix_contains(a, &b->base) : prefix_contains(b, &a->base);
}

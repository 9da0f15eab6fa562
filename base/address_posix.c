// SPDX-License-Identifier: GPL-3.0-or-later
//
// Text forms of addresses and prefixes, by the C library's inet_pton and inet_ntop: they read no
// clock and do no I/O, but their header is an edge header, hence the file's name.
#include "base/address.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static void format_ip(const struct address *address, char ret[static INET6_ADDRSTRLEN])
{
    int family = address->family == FAMILY_IPV6 ? AF_INET6 : AF_INET;
    const char *text = inet_ntop(family, address->ip, ret, INET6_ADDRSTRLEN);
    ASSERT(text != NULL);
}

void address_format(const struct address *address, char ret[static ADDRESS_TEXT_SIZE])
{
    if (!address_is_set(address)) {
        (void)snprintf(ret, ADDRESS_TEXT_SIZE, "none");
        return;
    }
    char ip[INET6_ADDRSTRLEN];
    format_ip(address, ip);
    if (address->port == 0) {
        (void)snprintf(ret, ADDRESS_TEXT_SIZE, "%s", ip);
    } else if (address->family == FAMILY_IPV6) {
        (void)snprintf(ret, ADDRESS_TEXT_SIZE, "[%s]:%u", ip, (unsigned)address->port);
    } else {
        (void)snprintf(ret, ADDRESS_TEXT_SIZE, "%s:%u", ip, (unsigned)address->port);
    }
}

static enum status parse_ip(struct span text, struct address *ret)
{
    char buffer[INET6_ADDRSTRLEN];
    if (text.size == 0 || text.size >= sizeof buffer || memchr(text.data, 0, text.size) != NULL) {
        return ERR_MALFORMED;
    }
    memcpy(buffer, text.data, text.size);
    buffer[text.size] = '\0';
    struct address address = {.family = FAMILY_IPV4};
    if (inet_pton(AF_INET, buffer, address.ip) != 1) {
        address.family = FAMILY_IPV6;
        if (inet_pton(AF_INET6, buffer, address.ip) != 1) {
            return ERR_MALFORMED;
        }
    }
    *ret = address;
    return OK;
}

static const uint8_t *find_last(struct span text, uint8_t wanted)
{
    for (size_t i = text.size; i > 0; i--) {
        if (text.data[i - 1] == wanted) {
            return text.data + i - 1;
        }
    }
    return NULL;
}

static enum status parse_ip_and_port(struct span ip, struct span port, struct address *ret)
{
    struct address address;
    enum status status = parse_ip(ip, &address);
    if (status != OK) {
        return status;
    }
    uint64_t number = 0;
    if (decimal_parse(port, UINT16_MAX, &number) != OK || number == 0) {
        return ERR_MALFORMED;
    }
    address.port = (uint16_t)number;
    *ret = address;
    return OK;
}

enum status address_parse(struct span text, bool port_required, struct address *ret)
{
    if (text.size > 0 && text.data[0] == '[') {
        const uint8_t *end = find_last(text, ']');
        size_t inside = end == NULL ? 0 : (size_t)(end - text.data) - 1;
        if (end == NULL || text.size < inside + 4 || end[1] != ':') {
            return ERR_MALFORMED;
        }
        struct span ip = span_of(text.data + 1, inside);
        struct span port = span_of(end + 2, text.size - inside - 3);
        return memchr(ip.data, ':', ip.size) == NULL ? ERR_MALFORMED
                                                     : parse_ip_and_port(ip, port, ret);
    }
    const uint8_t *colon = find_last(text, ':');
    bool single_colon =
        colon != NULL && memchr(text.data, ':', (size_t)(colon - text.data)) == NULL;
    if (single_colon) {
        size_t ip_size = (size_t)(colon - text.data);
        return parse_ip_and_port(
            span_of(text.data, ip_size), span_of(colon + 1, text.size - ip_size - 1), ret);
    }
    return port_required ? ERR_MALFORMED : parse_ip(text, ret);
}

void prefix_format(const struct prefix *prefix, char ret[static ADDRESS_TEXT_SIZE])
{
    char ip[INET6_ADDRSTRLEN];
    format_ip(&prefix->base, ip);
    (void)snprintf(ret, ADDRESS_TEXT_SIZE, "%s/%u", ip, (unsigned)prefix->length);
}

enum status prefix_parse(struct span text, struct prefix *ret)
{
    const uint8_t *slash = find_last(text, '/');
    if (slash == NULL) {
        return ERR_MALFORMED;
    }
    struct address base;
    size_t ip_size = (size_t)(slash - text.data);
    enum status status = parse_ip(span_of(text.data, ip_size), &base);
    if (status != OK) {
        return status;
    }
    uint64_t length = 0;
    struct span digits = span_of(slash + 1, text.size - ip_size - 1);
    if (decimal_parse(digits, address_ip_size(&base) * 8, &length) != OK) {
        return ERR_MALFORMED;
    }
    struct prefix prefix = prefix_of(&base, (uint8_t)length);
    if (!address_same_ip(&prefix.base, &base)) {
        return ERR_RANGE;
    }
    *ret = prefix;
    return OK;
}

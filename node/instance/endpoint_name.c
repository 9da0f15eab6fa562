// SPDX-License-Identifier: GPL-3.0-or-later
//
// Names of places in configuration and arguments: HOST:PORT, and bootstrap addresses.
#include "base/text.h"
#include "dht/manifest.h"
#include "node/instance/config.h"

#include <stdio.h>
#include <string.h>

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_host_byte(uint8_t byte)
{
    return is_digit(byte) || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           byte == '-' || byte == '.' || byte == '_';
}

// Decimal, 1 to 65535.
static enum status port_parse(struct span text, uint16_t *ret)
{
    uint64_t value = 0;
    enum status status = decimal_parse(text, UINT16_MAX, &value);
    if (status != OK) {
        return status;
    }
    if (value == 0) {
        return ERR_RANGE;
    }
    *ret = (uint16_t)value;
    return OK;
}

// A DNS name or dotted IPv4. Something like an IPv4 address must be one.
static enum status host_check(struct span host)
{
    bool numeric = true;
    size_t label = 0;
    if (host.size == 0 || host.size >= CONFIG_HOST_SIZE) {
        return ERR_MALFORMED;
    }
    for (size_t i = 0; i < host.size; i++) {
        uint8_t byte = host.data[i];
        if (!is_host_byte(byte) || (byte == '.' && label == 0) || (byte == '-' && label == 0)) {
            return ERR_MALFORMED;
        }
        label = byte == '.' ? 0 : label + 1;
        if (label > 63) {
            return ERR_MALFORMED;
        }
        numeric = numeric && (is_digit(byte) || byte == '.');
    }
    struct address address;
    if (numeric) {
        return address_parse(host, false, &address);
    }
    return OK;
}

enum status endpoint_name_parse(struct span text, struct endpoint_name *ret)
{
    struct endpoint_name endpoint = {0};
    size_t colon = text.size;
    while (colon > 0 && text.data[colon - 1] != ':') {
        colon--;
    }
    if (colon <= 1) {
        return ERR_MALFORMED;
    }
    struct span host = span_of(text.data, colon - 1);
    enum status status = port_parse(span_of(text.data + colon, text.size - colon), &endpoint.port);
    if (status != OK) {
        return status;
    }
    if (host.data[0] == '[') {
        struct address address;
        if (host.size < 4 || host.data[host.size - 1] != ']') {
            return ERR_MALFORMED;
        }
        host = span_of(host.data + 1, host.size - 2);
        if (address_parse(host, false, &address) != OK || address.family != FAMILY_IPV6) {
            return ERR_MALFORMED;
        }
    } else {
        status = host_check(host);
        if (status != OK) {
            return status;
        }
    }
    memcpy(endpoint.host, host.data, host.size);
    *ret = endpoint;
    return OK;
}

enum status bootstrap_parse(struct span text, struct bootstrap *ret)
{
    struct bootstrap bootstrap = {0};
    size_t slash = 0;
    while (slash < text.size && text.data[slash] != '/') {
        slash++;
    }
    if (slash < text.size) {
        struct span fingerprint = span_of(text.data + slash + 1, text.size - slash - 1);
        enum status status = fingerprint_parse(fingerprint, &bootstrap.fingerprint);
        if (status != OK) {
            return status;
        }
        bootstrap.has_fingerprint = true;
    }
    enum status status = endpoint_name_parse(span_of(text.data, slash), &bootstrap.endpoint);
    if (status != OK) {
        return status;
    }
    *ret = bootstrap;
    return OK;
}

void endpoint_name_format(
    const struct endpoint_name *endpoint, char ret[static ENDPOINT_NAME_TEXT_SIZE])
{
    bool brackets = strchr(endpoint->host, ':') != NULL;
    (void)snprintf(ret, ENDPOINT_NAME_TEXT_SIZE, brackets ? "[%s]:%u" : "%s:%u", endpoint->host,
        (unsigned)endpoint->port);
}

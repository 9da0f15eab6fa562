// SPDX-License-Identifier: GPL-3.0-or-later
//
// URLs of RPC providers. Stricter than RFC 3986 where libcurl is lenient: what this parser takes
// for a name, libcurl must not take for an address, else the scope rules could be dodged.
#include "chain/url.h"

#include "base/text.h"

#include <string.h>

enum {
    PORT_HTTP = 80,
    PORT_HTTPS = 443,
    LABEL_MAX = 63, // RFC 1035
};

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static bool starts_with(struct span text, const char *prefix)
{
    size_t size = strlen(prefix);
    if (text.size < size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (lower(text.data[i]) != (uint8_t)prefix[i]) {
            return false;
        }
    }
    return true;
}

static struct span skip(struct span text, size_t size)
{
    return span_of(text.data + size, text.size - size);
}

// Printable ASCII without what RFC 3986 excludes and without '\', which some parsers read as '/'.
static bool has_only_url_bytes(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c <= ' ' || c >= 0x7f || strchr("\"<>\\^`{|}#", c) != NULL) {
            return false;
        }
    }
    return true;
}

// 1 to 65535.
static bool parse_port(struct span text, uint16_t *ret)
{
    uint64_t value = 0;
    if (decimal_parse(text, UINT16_MAX, &value) != OK || value == 0) {
        return false;
    }
    *ret = (uint16_t)value;
    return true;
}

// The part of "host:port/path" up to the first of '/', '?'.
static struct span authority_of(struct span text)
{
    size_t size = 0;
    while (size < text.size && text.data[size] != '/' && text.data[size] != '?') {
        size++;
    }
    return span_of(text.data, size);
}

// Splits "host", "host:port", "[v6]" and "[v6]:port"; the brackets stay on the host.
static bool split_port(struct span authority, struct span *host, uint16_t *port)
{
    size_t end;
    if (authority.size > 0 && authority.data[0] == '[') {
        const uint8_t *close = memchr(authority.data, ']', authority.size);
        if (close == NULL) {
            return false;
        }
        end = (size_t)(close - authority.data) + 1;
    } else {
        const uint8_t *colon =
            authority.size > 0 ? memchr(authority.data, ':', authority.size) : NULL;
        end = colon == NULL ? authority.size : (size_t)(colon - authority.data);
    }
    *host = span_of(authority.data, end);
    struct span rest = skip(authority, end);
    return rest.size == 0 || (rest.data[0] == ':' && parse_port(skip(rest, 1), port));
}

// A host whose last label is a number is an address to libcurl (and to WHATWG's parser), in
// whatever base and with however few parts.
static bool ends_in_number(const char *host)
{
    const char *dot = strrchr(host, '.');
    const char *label = dot == NULL ? host : dot + 1;
    if (label[0] == '0' && label[1] == 'x') {
        return true;
    }
    return label[0] != '\0' && label[strspn(label, "0123456789")] == '\0';
}

static bool is_host_name(const char *host)
{
    size_t label = 0;
    for (const char *at = host; *at != '\0'; at++) {
        if (*at == '.') {
            if (label == 0 || at[-1] == '-') {
                return false;
            }
            label = 0;
            continue;
        }
        bool letter = (*at >= 'a' && *at <= 'z') || is_digit((uint8_t)*at) || *at == '_';
        if (!(letter || (*at == '-' && label > 0)) || ++label > LABEL_MAX) {
            return false;
        }
    }
    return label > 0 && host[strlen(host) - 1] != '-';
}

static bool ends_with(const char *text, const char *suffix)
{
    size_t text_size = strlen(text);
    size_t suffix_size = strlen(suffix);
    return text_size >= suffix_size && strcmp(text + text_size - suffix_size, suffix) == 0;
}

static bool is_localhost(const char *host)
{
    return strcmp(host, "localhost") == 0 || ends_with(host, ".localhost");
}

static bool is_local_name(const char *host)
{
    return strchr(host, '.') == NULL || is_localhost(host) || ends_with(host, ".local") ||
           ends_with(host, ".internal") || ends_with(host, ".home.arpa");
}

// Fills host, numeric, local_name and address.
static bool parse_host(struct span text, struct chain_url *url)
{
    bool bracketed = text.size > 2 && text.data[0] == '[';
    struct span bare = bracketed ? span_of(text.data + 1, text.size - 2) : text;
    if (!bracketed && bare.size > 1 && bare.data[bare.size - 1] == '.') {
        bare.size--;
    }
    if (bare.size == 0 || bare.size > CHAIN_URL_HOST_MAX) {
        return false;
    }
    for (size_t i = 0; i < bare.size; i++) {
        url->host[i] = (char)lower(bare.data[i]);
    }
    url->host[bare.size] = '\0';
    struct span host = span_of_text(url->host);
    if (bracketed || ends_in_number(url->host)) {
        enum address_family family = bracketed ? FAMILY_IPV6 : FAMILY_IPV4;
        if (address_parse(host, false, &url->address) != OK || url->address.port != 0 ||
            url->address.family != family) {
            return false;
        }
        url->numeric = true;
        url->address.port = url->port;
        return true;
    }
    url->local_name = is_local_name(url->host);
    return is_host_name(url->host);
}

// The IPv4 address that a translator would make of an IPv6 one, else the address as it is.
static struct address untranslated(const struct address *address)
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b};
    const uint8_t *ip = address->ip;
    if (address->family == FAMILY_IPV6 && memcmp(ip, nat64, sizeof nat64) == 0) {
        return address_of_ipv4(ip[12], ip[13], ip[14], ip[15], address->port);
    }
    if (address->family == FAMILY_IPV6 && ip[0] == 0x20 && ip[1] == 0x02) {
        return address_of_ipv4(ip[2], ip[3], ip[4], ip[5], address->port);
    }
    return *address;
}

bool chain_url_address_allowed(
    const struct chain_url *url, const struct chain_url_rules *rules, const struct address *address)
{
    struct address judged = untranslated(address);
    enum address_scope scope = address_scope(&judged);
    if (scope == SCOPE_UNUSABLE || (rules->suggested && scope != SCOPE_GLOBAL)) {
        return false;
    }
    return url->tls || rules->allow_http || scope == SCOPE_LOOPBACK;
}

static enum chain_url_fault judge(const struct chain_url *url, const struct chain_url_rules *rules)
{
    bool loopback =
        url->numeric ? address_scope(&url->address) == SCOPE_LOOPBACK : is_localhost(url->host);
    if (!url->tls && !rules->allow_http && !loopback) {
        return CHAIN_URL_PLAIN_HTTP;
    }
    if (url->numeric) {
        bool allowed = chain_url_address_allowed(url, rules, &url->address);
        return allowed ? CHAIN_URL_GOOD : CHAIN_URL_SCOPE;
    }
    return rules->suggested && url->local_name ? CHAIN_URL_SCOPE : CHAIN_URL_GOOD;
}

enum chain_url_fault chain_url_check(
    struct span text, const struct chain_url_rules *rules, struct chain_url *ret)
{
    if (text.size > CHAIN_URL_MAX) {
        return CHAIN_URL_TOO_LONG;
    }
    struct chain_url url = {.tls = starts_with(text, "https://")};
    if (!url.tls && !starts_with(text, "http://")) {
        const uint8_t *colon = text.size > 0 ? memchr(text.data, ':', text.size) : NULL;
        return colon != NULL && starts_with(skip(text, (size_t)(colon - text.data)), "://")
                   ? CHAIN_URL_SCHEME
                   : CHAIN_URL_MALFORMED;
    }
    if (!has_only_url_bytes(text)) {
        return CHAIN_URL_MALFORMED;
    }
    struct span authority = authority_of(skip(text, strlen(url.tls ? "https://" : "http://")));
    if (authority.size > 0 && memchr(authority.data, '@', authority.size) != NULL) {
        return CHAIN_URL_CREDENTIALS;
    }
    struct span host;
    url.port = url.tls ? PORT_HTTPS : PORT_HTTP;
    if (!split_port(authority, &host, &url.port) || !parse_host(host, &url)) {
        return CHAIN_URL_MALFORMED;
    }
    enum chain_url_fault fault = judge(&url, rules);
    if (fault == CHAIN_URL_GOOD) {
        *ret = url;
    }
    return fault;
}

const char *chain_url_fault_text(enum chain_url_fault fault)
{
    switch (fault) {
    case CHAIN_URL_GOOD:
        return "it can be used";
    case CHAIN_URL_TOO_LONG:
        return "it is longer than 512 bytes";
    case CHAIN_URL_MALFORMED:
        return "it is no URL of the form https://host[:port]/path";
    case CHAIN_URL_SCHEME:
        return "only https (and http) is spoken";
    case CHAIN_URL_CREDENTIALS:
        return "it holds a user name or password; use a provider's key in the path instead";
    case CHAIN_URL_PLAIN_HTTP:
        return "plain http beyond this machine needs allow_http = yes";
    case CHAIN_URL_SCOPE:
        return "its host is not a global address; only one that you name yourself may be local";
    }
    return "it cannot be used";
}

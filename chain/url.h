// SPDX-License-Identifier: GPL-3.0-or-later
//
// The URL of an RPC provider: taken apart, and judged before anything connects to it. The manifest
// suggests URLs, so they are hostile input: a suggestion must not make a node talk to its own
// loopback services or its LAN.
#pragma once

#include "base/address.h"
#include "base/bytes.h"

enum {
    CHAIN_URL_MAX = 512,     // bytes; keys of commercial providers stand in the path
    CHAIN_URL_HOST_MAX = 253 // RFC 1035, without the root dot
};

// Why a URL is not used. Each one is a different sentence for the user.
enum chain_url_fault {
    CHAIN_URL_GOOD,
    CHAIN_URL_TOO_LONG,
    CHAIN_URL_MALFORMED,   // no scheme://host, bad port, bytes that a URL cannot hold, a fragment
    CHAIN_URL_SCHEME,      // neither https nor http
    CHAIN_URL_CREDENTIALS, // user or password before the host: they end up in logs
    CHAIN_URL_PLAIN_HTTP,  // http to a host that is not loopback, without `allow_http`
    CHAIN_URL_SCOPE,       // unusable address; or suggested, and not global
};

// Where the URL comes from and what the local configuration allows.
struct chain_url_rules {
    bool suggested;  // by a manifest, not by the user: global addresses only
    bool allow_http; // the local switch for http to a host that is not loopback
};

struct chain_url {
    bool tls;
    bool numeric;           // the host is an IP address, in `address`
    bool local_name;        // "localhost", a name under it, ".local", ".internal" or without a dot
    uint16_t port;          // the scheme's own if the URL names none
    struct address address; // with the port; unset unless `numeric`
    char host[CHAIN_URL_HOST_MAX + 1]; // lower case, no brackets, no root dot
};

// Takes `text` apart and judges it. Writes `ret` only for CHAIN_URL_GOOD. IPv4 in a form other than
// four decimal numbers ("127.1", "0x7f000001") is malformed, since libcurl would take it for an
// address. A name can still resolve to anything: chain_url_address_allowed judges that when it is
// known.
enum chain_url_fault chain_url_check(
    struct span text, const struct chain_url_rules *rules, struct chain_url *ret);

// Whether a connection for `url` may be opened to `address`: never to an unusable one; for a
// suggested URL only to a global one; for plain http without `allow_http` only to loopback.
// An IPv6 address behind which NAT64 (RFC 6052) or 6to4 (RFC 3056) puts an IPv4 address is judged
// as the latter.
bool chain_url_address_allowed(const struct chain_url *url, const struct chain_url_rules *rules,
    const struct address *address);

// A clause for people that says what is wrong and what to do. Static storage.
const char *chain_url_fault_text(enum chain_url_fault fault);

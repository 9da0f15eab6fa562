// SPDX-License-Identifier: GPL-3.0-or-later
//
// The edge between the chain's pure half and the RPC providers: it posts request bodies over HTTP
// (libcurl, HTTP/1.1 with keep-alive) and hands back what came of them. It knows nothing of
// JSON-RPC: an answer with status 429 or a body of garbage is an answer.
//
// One descriptor stands for all its sockets and timers: watch chain_http_fd for reading, call
// chain_http_on_ready, drain chain_http_next_reply. Nothing here blocks but the first resolution of
// a host name, which has a thread of libcurl's own. The process must ignore SIGPIPE.
//
// What a provider can cost: `body_max` bytes and `timeout_ms` a call, one more connection when it
// breaks the first; it cannot redirect, set cookies, choose another protocol or send compressed
// bodies. Proxies from the environment are not used.
#pragma once

#include "base/bytes.h"
#include "chain/rpc.h"
#include "chain/url.h"

enum {
    CHAIN_HTTP_PROVIDERS_MAX = 16,
    CHAIN_HTTP_CALLS_MAX = 64, // in flight or not yet drained, over all providers
    CHAIN_HTTP_CONNECTIONS_PER_PROVIDER = 4,
    CHAIN_HTTP_REQUEST_MAX = 1 << 20, // bytes; an aggregate of 200 tokens takes about 80 KB
};

// What came of a call.
enum chain_http_outcome {
    CHAIN_HTTP_ANSWERED,   // a whole answer, of any HTTP status
    CHAIN_HTTP_TIMEOUT,    // none within the time, however it was spent
    CHAIN_HTTP_REFUSED,    // no connection: refused, unreachable, reset before TLS
    CHAIN_HTTP_UNRESOLVED, // the host name does not resolve
    CHAIN_HTTP_FORBIDDEN,  // it resolves to addresses that the URL rules forbid
    CHAIN_HTTP_TLS,        // handshake or certificate failed
    CHAIN_HTTP_TOO_LARGE,  // more than `body_max` bytes, or headers without end
    CHAIN_HTTP_BROKEN,     // the answer ended early, or is no HTTP; asked twice where that helps
    CHAIN_HTTP_FAILED,     // anything else that libcurl reports: a local fault
};

// A call's result. `body` is empty unless ANSWERED; it and the struct are valid until the next call
// of any chain_http function.
struct chain_http_reply {
    uint64_t call_id;
    size_t provider;
    enum chain_http_outcome outcome;
    uint16_t status;         // HTTP status; 0 if none was read
    uint64_t retry_after_ms; // Retry-After in seconds form, capped at an hour; 0 if absent
    uint64_t took_ms;
    struct span body;
};

struct chain_http_provider {
    const char *url; // copied
    bool suggested;  // by the manifest: see chain_url_rules
};

// A zero means the default, which stands behind each.
struct chain_http_config {
    const struct chain_http_provider *providers;
    size_t provider_count; // 0 .. CHAIN_HTTP_PROVIDERS_MAX
    bool allow_http;
    uint32_t connect_timeout_ms; // 1500
    uint32_t timeout_ms;         // 3000, of a call with its retry
    size_t body_max;             // 2 MB
    const char *ca_file;         // PEM; NULL = the system's. For tests
};

struct chain_http;

// Makes the edge for a list of providers; the index in the list names a provider from then on.
// ERR_FULL: too many. ERR_MALFORMED: a URL does not pass chain_url_check, which says why to the
// user: check before. ERR_IO: no memory, descriptors or libcurl.
enum status chain_http_create(const struct chain_http_config *config, struct chain_http **ret);

// Ends all calls without replies. Accepts NULL.
void chain_http_destroy(struct chain_http *http);

// What to post to whom, and what it may cost.
struct chain_http_call {
    uint64_t id; // the caller's own, not looked at
    size_t provider;
    struct span body;
    size_t body_max;     // of the answer; 0 = as configured
    uint32_t timeout_ms; // 0 = as configured
};

// Posts a copy of the body as application/json. The reply comes later, through
// chain_http_next_reply, exactly once. ERR_NOT_FOUND: no such provider. ERR_TOO_LARGE: body over
// CHAIN_HTTP_REQUEST_MAX. ERR_FULL: too many calls; drain and wait. ERR_IO: no memory. In none of
// these does a reply follow.
enum status chain_http_submit(struct chain_http *http, const struct chain_http_call *call);

// Readable whenever chain_http_on_ready has something to do, timers included. Valid until destroy.
int chain_http_fd(const struct chain_http *http);

// Does what is due on sockets and timers; harmless when nothing is.
void chain_http_on_ready(struct chain_http *http);

// True and the oldest undrained reply, or false.
bool chain_http_next_reply(struct chain_http *http, struct chain_http_reply *ret);

// The reply in the words of the pure half, for gate_on_reply; the body is the same span.
struct rpc_reply chain_http_rpc_reply(const struct chain_http_reply *reply);

// Calls that have neither been answered nor given up.
size_t chain_http_in_flight(const struct chain_http *http);

// A clause for people, e.g. "no answer came in time". Static storage.
const char *chain_http_outcome_text(enum chain_http_outcome outcome);

// The outcome's short name for logs and metrics, e.g. "timeout". Static storage.
const char *chain_http_outcome_name(enum chain_http_outcome outcome);

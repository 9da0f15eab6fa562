// SPDX-License-Identifier: GPL-3.0-or-later
//
// HTTP on loopback for probes and Prometheus: GET /healthz and /metrics, everything else is 404.
// Runs on the daemon's loop (libmicrohttpd on its epoll descriptor, no thread). The Host header
// must name an IP address or localhost, so that a web page cannot read it by DNS rebinding.
#pragma once

#include "base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

enum {
    HTTP_CONNECTIONS_MAX = 16,
    HTTP_BODY_MAX = 1024 * 1024,
    HTTP_TIMEOUT_S = 10,
};

struct http;

// What a page is made of. `body` has `capacity` bytes; the provider sets `size`.
struct http_page {
    unsigned int status; // 200, 503, ...
    const char *content_type;
    char *body;
    size_t capacity;
    size_t size;
};

// Called on the loop's thread for each accepted request, with `path` "/healthz" or "/metrics".
typedef void (*http_provider)(void *context, const char *path, struct http_page *page);

// ERR_BUSY if the port is taken, ERR_PERMISSION, ERR_IO. `*ret` on success only.
enum status http_start(uv_loop_t *loop, const struct address *listen, http_provider provider,
    void *context, struct http **ret);

// Closes connections; frees when the loop has run its close callbacks. Accepts NULL.
void http_stop(struct http *http);

// The address that is really bound (port 0 in `listen` picks one).
struct address http_address(const struct http *http);

// True if the value of a Host header is an IP literal or "localhost", with or without a port.
bool http_host_is_allowed(const char *host);

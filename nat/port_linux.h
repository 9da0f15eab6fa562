// SPDX-License-Identifier: GPL-3.0-or-later
//
// Edge: our share of WireGuard's UDP port. WireGuard (kernel or wireguard-go) owns the port; a raw
// socket with a classic BPF filter on port and STUN cookie receives a copy of what is ours and
// sends from the same port. WireGuard drops its copies as unknown messages and is not disturbed.
//
// IPv4 only: raw sockets over IPv6 see the datagram from the UDP header on, and need a filter of
// their own. Needs CAP_NET_RAW.
#pragma once

#include "base/address.h"
#include "base/clock.h"
#include "base/status.h"
#include "nat/stun.h"

enum {
    PORT_BATCH = 32,        // datagrams a call of port_receive at most
    PORT_PER_SECOND = 2000, // datagrams handed on a second, over all calls
    PORT_BURST = 256,
    PORT_ERROR_TEXT_SIZE = 200,
};

struct port; // opaque

struct port_config {
    uint16_t port; // WireGuard's listen port
    uint32_t mark; // SO_MARK, WireGuard's fwmark; 0 = none
};

struct port_datagram {
    struct address from;
    uint8_t bytes[STUN_MESSAGE_MAX];
    size_t size;
};

// Since port_open.
struct port_counters {
    uint64_t received; // handed on
    uint64_t sent;
    uint64_t dropped_malformed; // no whole UDP datagram, a source port 0, or larger than ours are
    uint64_t dropped_kernel;    // the socket's buffer was full
    uint64_t pauses;            // the rate limit was reached
    uint64_t send_failures;
};

// ERR_PERMISSION (CAP_NET_RAW is missing), ERR_IO. `error` gets a sentence that says what to do.
enum status port_open(
    const struct port_config *config, struct port **ret, char error[static PORT_ERROR_TEXT_SIZE]);

// Accepts NULL.
void port_close(struct port *port);

// For poll; readable when a datagram waits.
int port_fd(const struct port *port);

// Reads up to PORT_BATCH datagrams into `list` without blocking. `ret_pause_ms` > 0: the rate limit
// is reached; do not poll the descriptor for so long (the kernel drops what does not fit). ERR_IO.
enum status port_receive(struct port *port, struct mono now,
    struct port_datagram list[static PORT_BATCH], size_t *ret_count, uint32_t *ret_pause_ms);

// Sends from WireGuard's port; `ttl` 0 = the system's default. ERR_UNREACHABLE (no route, or the
// firewall refused), ERR_BUSY (buffers are full: as if lost), ERR_UNSUPPORTED (not IPv4),
// ERR_TOO_LARGE, ERR_IO.
enum status port_send(struct port *port, const struct address *to, uint8_t ttl, struct span bytes);

struct port_counters port_counters(const struct port *port);

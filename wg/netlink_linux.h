// SPDX-License-Identifier: GPL-3.0-or-later
//
// One request to the kernel's rtnetlink and its answer; for the edge files of this folder.
#pragma once

#include "wg/link.h"

#include <libmnl/libmnl.h>

enum {
    NETLINK_REQUEST_SIZE = 1024, // the largest request here stays under 300 bytes
};

struct wg_link {
    struct mnl_socket *socket;
    unsigned int port;
    uint32_t sequence;
};

// Starts a request of `type` in `buffer` with the given flags besides NLM_F_REQUEST and NLM_F_ACK.
struct nlmsghdr *netlink_begin(struct wg_link *link, uint8_t buffer[static NETLINK_REQUEST_SIZE],
    uint16_t type, uint16_t flags);

// Sends the request and hands each message of the answer to `on_message` (may be NULL), which
// returns MNL_CB_OK. 0, or the errno of the failure. A dump that the kernel marks as interrupted
// yields EINTR: begin anew.
int netlink_exchange(
    struct wg_link *link, struct nlmsghdr *request, mnl_cb_t on_message, void *context);

// A dump request of `type`; `reset` (may be NULL) empties `context` before each of a few tries.
int netlink_dump(struct wg_link *link, uint16_t type, mnl_cb_t on_message, void *context,
    void (*reset)(void *context));

// Sorts the attributes behind `header_size` bytes by type into `ret`, which has `count` places;
// absent ones are NULL, unknown ones are skipped.
void netlink_attributes(
    const struct nlmsghdr *message, size_t header_size, const struct nlattr *ret[], size_t count);

// `fallback` if the attribute is absent or of another size.
uint32_t netlink_u32(const struct nlattr *attribute, uint32_t fallback);

// The bytes of an address attribute as an address of `family` (AF_INET, AF_INET6); unset if NULL or
// of another size.
struct address netlink_address(int family, const struct nlattr *attribute);

// AF_INET or AF_INET6.
uint8_t netlink_family(const struct address *address);

void netlink_put_address(struct nlmsghdr *request, uint16_t type, const struct address *address);

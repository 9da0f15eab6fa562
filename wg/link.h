// SPDX-License-Identifier: GPL-3.0-or-later
//
// Network interfaces, addresses and routes of this network namespace by rtnetlink. Edge: every call
// here is one or two local requests to the kernel, answered at once; nothing waits for a network.
#pragma once

#include "base/address.h"

enum {
    WG_DETAIL_SIZE = 320,
    WG_LINK_NAME_SIZE = 16, // IFNAMSIZ
    WG_LINK_ALIAS_SIZE = 64,
    WG_ROUTE_PROTOCOL = 213, // unassigned in rtnetlink.h and in iproute2's rt_protos
    WG_ROUTE_TEXT_SIZE = ADDRESS_TEXT_SIZE * 2 + WG_LINK_NAME_SIZE + 16,
};

// A sentence for the user about a failure: the thing, the reason, the next step. Every function
// that takes one fills it when it fails and leaves it alone otherwise.
struct wg_detail {
    char text[WG_DETAIL_SIZE];
};

struct wg_link_info {
    uint32_t index;
    uint32_t mtu;
    bool up;
    bool loopback;
    char name[WG_LINK_NAME_SIZE];
    char alias[WG_LINK_ALIAS_SIZE]; // "" if none, or if longer than this
};

struct wg_local_address {
    struct address address; // port 0
    uint8_t prefix_length;
    bool temporary;  // IPv6 privacy address (RFC 8981)
    bool deprecated; // do not offer it
    bool tentative;  // not usable yet: duplicate detection runs or failed
    uint32_t index;  // of its interface
};

struct wg_route {
    struct prefix destination;
    struct address gateway; // unset: on link
    uint32_t index;         // 0: none or several interfaces
};

// A name that Linux takes for an interface and that is safe in a path: 1-15 of [A-Za-z0-9_.-], no
// leading dot or dash.
bool wg_link_name_valid(const char *name);

// The socket on which requests travel; opaque.
struct wg_link;

// ERR_PERMISSION, ERR_IO (the kernel offers no rtnetlink).
enum status wg_link_open(struct wg_link **ret, struct wg_detail *detail);

// Accepts NULL.
void wg_link_close(struct wg_link *link);

// ERR_NOT_FOUND if there is no such interface.
enum status wg_link_find(
    struct wg_link *link, const char *name, struct wg_link_info *ret, struct wg_detail *detail);

// Changes of one interface. ERR_NOT_FOUND: it is gone. ERR_PERMISSION: CAP_NET_ADMIN is missing.
enum status wg_link_set_alias(
    struct wg_link *link, uint32_t index, const char *alias, struct wg_detail *detail);
enum status wg_link_set_mtu(
    struct wg_link *link, uint32_t index, uint32_t mtu, struct wg_detail *detail);
enum status wg_link_set_up(struct wg_link *link, uint32_t index, bool up, struct wg_detail *detail);
enum status wg_link_delete(struct wg_link *link, uint32_t index, struct wg_detail *detail);

// Gives the interface exactly these addresses, as hosts (/32, /128) without duplicate detection:
// missing ones are added, others removed, the rest left alone. Link-local ones are not looked at.
enum status wg_link_set_addresses(struct wg_link *link, uint32_t index,
    const struct address *addresses, size_t count, struct wg_detail *detail);

// A route on link over our interface; `source` is the preferred source address.
struct wg_own_route {
    struct prefix destination;
    struct address source;
};

// Gives the interface exactly these routes of ours (known by their protocol number,
// WG_ROUTE_PROTOCOL). ERR_EXISTS: another interface has a route to the very same prefix.
enum status wg_link_set_routes(struct wg_link *link, uint32_t index,
    const struct wg_own_route *routes, size_t count, struct wg_detail *detail);

// OK if no route of the main table overlaps `wanted`, default routes (length 0 and 1) and routes
// over the interface `own_index` (0: none) aside. ERR_EXISTS and the first such route if one does;
// `detail` then names both.
enum status wg_link_check_routes(struct wg_link *link, const struct prefix *wanted,
    uint32_t own_index, struct wg_route *ret, struct wg_detail *detail);

// "10.213.0.0/16 via 192.0.2.1 dev eth0". Always terminates `ret`.
void wg_route_format(
    struct wg_link *link, const struct wg_route *route, char ret[static WG_ROUTE_TEXT_SIZE]);

// All addresses of interfaces that are up, loopback aside, in the kernel's order; those beyond
// `capacity` are left out.
enum status wg_link_addresses(struct wg_link *link, struct wg_local_address *ret, size_t capacity,
    size_t *ret_count, struct wg_detail *detail);

// Tells of changes of addresses and routes; opaque.
struct wg_monitor;

enum status wg_monitor_open(struct wg_monitor **ret, struct wg_detail *detail);

// Accepts NULL.
void wg_monitor_close(struct wg_monitor *monitor);

// Readable when there is something to drain. The monitor keeps it.
int wg_monitor_fd(const struct wg_monitor *monitor);

// Reads what is pending, without blocking. True if an address, a route or the state of an interface
// other than `own_index` (0: none) may have changed; a lost message counts as a change. Changes
// come in bursts: wait for a second of quiet before acting.
bool wg_monitor_drain(struct wg_monitor *monitor, uint32_t own_index);

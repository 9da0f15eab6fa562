// SPDX-License-Identifier: GPL-3.0-or-later
//
// Addresses and routes by rtnetlink: keeping our own as wanted, finding clashes, listing the
// host's addresses, and noticing changes.
#include "wg/netlink_linux.h"

#include "wg/detail_posix.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OWN_MAX = 16,           // addresses or routes on our interface that are looked at
    DEFAULT_LENGTH_MAX = 1, // 0.0.0.0/1 and 128.0.0.0/1: a default route in halves, as VPNs set it
};

static const char *name_of(uint32_t index, char buffer[static IF_NAMESIZE])
{
    return index != 0 && if_indextoname(index, buffer) != NULL ? buffer : "(none)";
}

// --- addresses -----------------------------------------------------------------------------------

struct address_list {
    struct wg_local_address *list;
    size_t count;
    size_t capacity;
};

static void reset_addresses(void *context)
{
    struct address_list *addresses = context;
    addresses->count = 0;
}

// Takes every address but loopback's (scope host).
static int on_address(const struct nlmsghdr *message, void *context)
{
    struct address_list *addresses = context;
    const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
    const struct nlattr *attributes[IFA_FLAGS + 1];
    netlink_attributes(message, sizeof *header, attributes, IFA_FLAGS + 1);
    uint32_t flags = netlink_u32(attributes[IFA_FLAGS], header->ifa_flags);
    const struct nlattr *local = attributes[IFA_LOCAL];
    // On a point-to-point link IFA_ADDRESS is the other end.
    struct address address =
        netlink_address(header->ifa_family, local != NULL ? local : attributes[IFA_ADDRESS]);
    if (header->ifa_scope == RT_SCOPE_HOST || !address_is_set(&address) ||
        addresses->count == addresses->capacity) {
        return MNL_CB_OK;
    }
    addresses->list[addresses->count++] = (struct wg_local_address){
        .address = address,
        .prefix_length = header->ifa_prefixlen,
        .temporary = address.family == FAMILY_IPV6 && (flags & IFA_F_TEMPORARY) != 0,
        .deprecated = (flags & IFA_F_DEPRECATED) != 0,
        .tentative =
            (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) != 0 && (flags & IFA_F_OPTIMISTIC) == 0,
        .index = header->ifa_index,
    };
    return MNL_CB_OK;
}

static int on_link_up(const struct nlmsghdr *message, void *context)
{
    struct address_list *addresses = context;
    const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
    if ((header->ifi_flags & IFF_UP) != 0) {
        return MNL_CB_OK;
    }
    size_t kept = 0;
    for (size_t i = 0; i < addresses->count; i++) {
        if (addresses->list[i].index != (uint32_t)header->ifi_index) {
            addresses->list[kept++] = addresses->list[i];
        }
    }
    addresses->count = kept;
    return MNL_CB_OK;
}

enum status wg_link_addresses(struct wg_link *link, struct wg_local_address *ret, size_t capacity,
    size_t *ret_count, struct wg_detail *detail)
{
    struct address_list addresses = {.list = ret, .capacity = capacity};
    int error = netlink_dump(link, RTM_GETADDR, on_address, &addresses, reset_addresses);
    if (error == 0) {
        error = netlink_dump(link, RTM_GETLINK, on_link_up, &addresses, NULL);
    }
    if (error != 0) {
        wg_detail_set(detail, "the list of addresses: %s", strerror(error));
        return wg_status_of_errno(error);
    }
    *ret_count = addresses.count;
    return OK;
}

static enum status change_address(struct wg_link *link, uint32_t index,
    const struct address *address, uint8_t length, bool add, struct wg_detail *detail)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[NETLINK_REQUEST_SIZE];
    struct nlmsghdr *request = netlink_begin(link, buffer, add ? RTM_NEWADDR : RTM_DELADDR,
        (uint16_t)(add ? NLM_F_CREATE | NLM_F_EXCL : 0));
    struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);
    header->ifa_family = netlink_family(address);
    header->ifa_prefixlen = length;
    header->ifa_flags = header->ifa_family == AF_INET6 ? IFA_F_NODAD : 0;
    header->ifa_scope = RT_SCOPE_UNIVERSE;
    header->ifa_index = index;
    netlink_put_address(request, IFA_LOCAL, address);
    netlink_put_address(request, IFA_ADDRESS, address);
    int error = netlink_exchange(link, request, NULL, NULL);
    if (error == (add ? EEXIST : EADDRNOTAVAIL)) {
        error = 0;
    }
    if (error != 0) {
        char text[ADDRESS_TEXT_SIZE];
        char name[IF_NAMESIZE];
        address_format(address, text);
        wg_detail_set(detail, "could not %s address %s %s interface %s: %s%s",
            add ? "give" : "take", text, add ? "to" : "from", name_of(index, name), strerror(error),
            error == EACCES && address->family == FAMILY_IPV6 ? " (is IPv6 switched off?)" : "");
    }
    return wg_status_of_errno(error);
}

static bool address_in(const struct address *address, const struct address *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (address_same_ip(address, &list[i])) {
            return true;
        }
    }
    return false;
}

struct own_addresses {
    struct wg_local_address list[OWN_MAX];
    size_t count;
    uint32_t index;
};

static void reset_own_addresses(void *context)
{
    struct own_addresses *own = context;
    own->count = 0;
}

static int on_own_address(const struct nlmsghdr *message, void *context)
{
    struct own_addresses *own = context;
    struct wg_local_address found;
    struct address_list one = {.list = &found, .capacity = 1};
    (void)on_address(message, &one);
    if (one.count == 1 && found.index == own->index && own->count < OWN_MAX &&
        address_scope(&found.address) != SCOPE_LINK_LOCAL) {
        own->list[own->count++] = found;
    }
    return MNL_CB_OK;
}

enum status wg_link_set_addresses(struct wg_link *link, uint32_t index,
    const struct address *addresses, size_t count, struct wg_detail *detail)
{
    struct own_addresses own = {.index = index};
    int error = netlink_dump(link, RTM_GETADDR, on_own_address, &own, reset_own_addresses);
    if (error != 0) {
        wg_detail_set(detail, "the list of addresses: %s", strerror(error));
        return wg_status_of_errno(error);
    }
    for (size_t i = 0; i < own.count; i++) {
        const struct wg_local_address *present = &own.list[i];
        bool host = present->prefix_length == address_ip_size(&present->address) * 8;
        if (host && address_in(&present->address, addresses, count)) {
            continue;
        }
        enum status status =
            change_address(link, index, &present->address, present->prefix_length, false, detail);
        if (status != OK) {
            return status;
        }
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t length = (uint8_t)(address_ip_size(&addresses[i]) * 8);
        enum status status = change_address(link, index, &addresses[i], length, true, detail);
        if (status != OK) {
            return status;
        }
    }
    return OK;
}

// --- routes --------------------------------------------------------------------------------------

struct parsed_route {
    struct wg_route route;
    struct address source;
    uint32_t table;
    uint8_t protocol;
    uint8_t type;
    bool cloned;
};

// False if the message is no IP route.
static bool parse_route(const struct nlmsghdr *message, struct parsed_route *ret)
{
    const struct rtmsg *header = mnl_nlmsg_get_payload(message);
    if (header->rtm_family != AF_INET && header->rtm_family != AF_INET6) {
        return false;
    }
    const struct nlattr *attributes[RTA_TABLE + 1];
    netlink_attributes(message, sizeof *header, attributes, RTA_TABLE + 1);
    struct parsed_route route = {
        .route.gateway = netlink_address(header->rtm_family, attributes[RTA_GATEWAY]),
        .route.index = netlink_u32(attributes[RTA_OIF], 0),
        .source = netlink_address(header->rtm_family, attributes[RTA_PREFSRC]),
        .table = netlink_u32(attributes[RTA_TABLE], header->rtm_table),
        .protocol = header->rtm_protocol,
        .type = header->rtm_type,
        .cloned = (header->rtm_flags & RTM_F_CLONED) != 0,
    };
    struct prefix *destination = &route.route.destination;
    destination->length = header->rtm_dst_len;
    if (attributes[RTA_DST] != NULL) {
        destination->base = netlink_address(header->rtm_family, attributes[RTA_DST]);
    } else { // a default route
        destination->base.family = header->rtm_family == AF_INET6 ? FAMILY_IPV6 : FAMILY_IPV4;
    }
    *ret = route;
    return address_is_set(&destination->base) &&
           destination->length <= address_ip_size(&destination->base) * 8;
}

struct route_search {
    const struct prefix *wanted;
    uint32_t own_index;
    bool found;
    struct wg_route clash;
};

static void reset_route_search(void *context)
{
    struct route_search *search = context;
    search->found = false;
}

static int on_route_of_others(const struct nlmsghdr *message, void *context)
{
    struct route_search *search = context;
    struct parsed_route parsed;
    if (search->found || !parse_route(message, &parsed) || parsed.table != RT_TABLE_MAIN ||
        parsed.type != RTN_UNICAST || parsed.cloned) {
        return MNL_CB_OK;
    }
    const struct wg_route *route = &parsed.route;
    bool own = search->own_index != 0 && route->index == search->own_index;
    if (!own && route->destination.length > DEFAULT_LENGTH_MAX &&
        prefix_overlaps(&route->destination, search->wanted)) {
        search->found = true;
        search->clash = *route;
    }
    return MNL_CB_OK;
}

enum status wg_link_check_routes(struct wg_link *link, const struct prefix *wanted,
    uint32_t own_index, struct wg_route *ret, struct wg_detail *detail)
{
    struct route_search search = {.wanted = wanted, .own_index = own_index};
    int error = netlink_dump(link, RTM_GETROUTE, on_route_of_others, &search, reset_route_search);
    if (error != 0) {
        wg_detail_set(detail, "the list of routes: %s", strerror(error));
        return wg_status_of_errno(error);
    }
    if (!search.found) {
        return OK;
    }
    char prefix[ADDRESS_TEXT_SIZE];
    char route[WG_ROUTE_TEXT_SIZE];
    prefix_format(wanted, prefix);
    wg_route_format(link, &search.clash, route);
    wg_detail_set(detail,
        "the network's prefix %s clashes with the existing route %s; remove that route, or run "
        "without the prefix (ipv4 = no)",
        prefix, route);
    *ret = search.clash;
    return ERR_EXISTS;
}

void wg_route_format(
    struct wg_link *, const struct wg_route *route, char ret[static WG_ROUTE_TEXT_SIZE])
{
    char prefix[ADDRESS_TEXT_SIZE];
    char gateway[ADDRESS_TEXT_SIZE] = "";
    char name[IF_NAMESIZE];
    prefix_format(&route->destination, prefix);
    bool via = address_is_set(&route->gateway);
    if (via) {
        address_format(&route->gateway, gateway);
    }
    (void)snprintf(ret, WG_ROUTE_TEXT_SIZE, "%s%s%s dev %s", prefix, via ? " via " : "", gateway,
        name_of(route->index, name));
}

struct own_routes {
    struct parsed_route list[OWN_MAX];
    size_t count;
    uint32_t index;
};

static void reset_own_routes(void *context)
{
    struct own_routes *own = context;
    own->count = 0;
}

static int on_own_route(const struct nlmsghdr *message, void *context)
{
    struct own_routes *own = context;
    struct parsed_route parsed;
    if (parse_route(message, &parsed) && parsed.route.index == own->index &&
        parsed.protocol == WG_ROUTE_PROTOCOL && own->count < OWN_MAX) {
        own->list[own->count++] = parsed;
    }
    return MNL_CB_OK;
}

static enum status change_route(struct wg_link *link, uint32_t index,
    const struct wg_own_route *route, bool add, struct wg_detail *detail)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[NETLINK_REQUEST_SIZE];
    struct nlmsghdr *request = netlink_begin(link, buffer, add ? RTM_NEWROUTE : RTM_DELROUTE,
        (uint16_t)(add ? NLM_F_CREATE | NLM_F_EXCL : 0));
    struct rtmsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);
    header->rtm_family = netlink_family(&route->destination.base);
    header->rtm_dst_len = route->destination.length;
    header->rtm_table = RT_TABLE_MAIN;
    header->rtm_protocol = WG_ROUTE_PROTOCOL;
    header->rtm_scope = header->rtm_family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    header->rtm_type = RTN_UNICAST;
    netlink_put_address(request, RTA_DST, &route->destination.base);
    mnl_attr_put_u32(request, RTA_OIF, index);
    if (add && address_is_set(&route->source)) {
        netlink_put_address(request, RTA_PREFSRC, &route->source);
    }
    int error = netlink_exchange(link, request, NULL, NULL);
    if (!add && error == ESRCH) {
        error = 0; // it went with its address
    }
    if (error != 0) {
        char prefix[ADDRESS_TEXT_SIZE];
        char name[IF_NAMESIZE];
        prefix_format(&route->destination, prefix);
        wg_detail_set(detail, "could not %s route %s dev %s: %s", add ? "add" : "remove", prefix,
            name_of(index, name), strerror(error));
    }
    return wg_status_of_errno(error);
}

static bool route_is(const struct parsed_route *present, const struct wg_own_route *wanted)
{
    return present->route.destination.length == wanted->destination.length &&
           address_same_ip(&present->route.destination.base, &wanted->destination.base) &&
           address_same_ip(&present->source, &wanted->source);
}

enum status wg_link_set_routes(struct wg_link *link, uint32_t index,
    const struct wg_own_route *routes, size_t count, struct wg_detail *detail)
{
    struct own_routes own = {.index = index};
    int error = netlink_dump(link, RTM_GETROUTE, on_own_route, &own, reset_own_routes);
    if (error != 0) {
        wg_detail_set(detail, "the list of routes: %s", strerror(error));
        return wg_status_of_errno(error);
    }
    ASSERT(count <= OWN_MAX);
    bool present[OWN_MAX] = {false};
    for (size_t i = 0; i < own.count; i++) {
        bool wanted = false;
        for (size_t j = 0; j < count; j++) {
            if (route_is(&own.list[i], &routes[j])) {
                present[j] = true;
                wanted = true;
            }
        }
        struct wg_own_route gone = {.destination = own.list[i].route.destination};
        enum status status = wanted ? OK : change_route(link, index, &gone, false, detail);
        if (status != OK) {
            return status;
        }
    }
    for (size_t j = 0; j < count; j++) {
        enum status status = present[j] ? OK : change_route(link, index, &routes[j], true, detail);
        if (status != OK) {
            return status;
        }
    }
    return OK;
}

// --- changes -------------------------------------------------------------------------------------

struct wg_monitor {
    struct mnl_socket *socket;
};

enum status wg_monitor_open(struct wg_monitor **ret, struct wg_detail *detail)
{
    struct wg_monitor *monitor = calloc(1, sizeof *monitor);
    if (monitor == NULL) {
        wg_detail_set(detail, "out of memory");
        return ERR_IO;
    }
    const unsigned int groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
                                RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    monitor->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (monitor->socket == NULL ||
        mnl_socket_bind(monitor->socket, groups, MNL_SOCKET_AUTOPID) < 0) {
        int error = errno;
        wg_detail_set(detail, "no netlink socket for network changes: %s", strerror(error));
        wg_monitor_close(monitor);
        return wg_status_of_errno(error);
    }
    *ret = monitor;
    return OK;
}

void wg_monitor_close(struct wg_monitor *monitor)
{
    if (monitor == NULL) {
        return;
    }
    if (monitor->socket != NULL) {
        (void)mnl_socket_close(monitor->socket);
    }
    free(monitor);
}

int wg_monitor_fd(const struct wg_monitor *monitor)
{
    return mnl_socket_get_fd(monitor->socket);
}

struct change_search {
    uint32_t own_index;
    bool changed;
};

static int on_change(const struct nlmsghdr *message, void *context)
{
    struct change_search *search = context;
    uint32_t index = 0;
    struct parsed_route route;
    switch (message->nlmsg_type) {
    case RTM_NEWADDR:
    case RTM_DELADDR:
        index = ((const struct ifaddrmsg *)mnl_nlmsg_get_payload(message))->ifa_index;
        break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        if (!parse_route(message, &route) || route.cloned) {
            return MNL_CB_OK;
        }
        index = route.route.index;
        break;
    case RTM_NEWLINK: // up and carrier; the kernel does not say which
    case RTM_DELLINK:
        index = (uint32_t)((const struct ifinfomsg *)mnl_nlmsg_get_payload(message))->ifi_index;
        break;
    default: // not asked for
        return MNL_CB_OK;
    }
    if (index == 0 || index != search->own_index) {
        search->changed = true;
    }
    return MNL_CB_OK;
}

bool wg_monitor_drain(struct wg_monitor *monitor, uint32_t own_index)
{
    struct change_search search = {.own_index = own_index};
    _Alignas(struct nlmsghdr) uint8_t buffer[8192];
    // Bounded: what is left over keeps the descriptor readable.
    for (int i = 0; i < 64; i++) {
        ssize_t size = mnl_socket_recvfrom(monitor->socket, buffer, sizeof buffer);
        if (size < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                search.changed = true; // ENOBUFS: messages were lost
            }
            break;
        }
        (void)mnl_cb_run(buffer, (size_t)size, 0, 0, on_change, &search);
    }
    return search.changed;
}

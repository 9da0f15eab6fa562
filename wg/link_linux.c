// SPDX-License-Identifier: GPL-3.0-or-later
//
// Interfaces by rtnetlink: finding them and changing our own. Addresses and routes are in
// route_linux.c.
#include "wg/netlink_linux.h"

#include "wg/detail_posix.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

enum {
    DUMP_TRIES = 4,
    REPLY_SIZE = 32768, // what the kernel fills for one part of a dump
};

bool wg_link_name_valid(const char *name)
{
    size_t size = strnlen(name, WG_LINK_NAME_SIZE);
    if (size == 0 || size == WG_LINK_NAME_SIZE || name[0] == '.' || name[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool digit = c >= '0' && c <= '9';
        if (!letter && !digit && c != '_' && c != '.' && c != '-') {
            return false;
        }
    }
    return true;
}

// --- requests ------------------------------------------------------------------------------------

struct nlmsghdr *netlink_begin(struct wg_link *link, uint8_t buffer[static NETLINK_REQUEST_SIZE],
    uint16_t type, uint16_t flags)
{
    struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
    request->nlmsg_type = type;
    request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    request->nlmsg_seq = ++link->sequence;
    return request;
}

int netlink_exchange(
    struct wg_link *link, struct nlmsghdr *request, mnl_cb_t on_message, void *context)
{
    if (mnl_socket_sendto(link->socket, request, request->nlmsg_len) < 0) {
        return errno;
    }
    _Alignas(struct nlmsghdr) uint8_t reply[REPLY_SIZE];
    for (;;) {
        ssize_t size = mnl_socket_recvfrom(link->socket, reply, sizeof reply);
        if (size < 0) {
            return errno;
        }
        int more =
            mnl_cb_run(reply, (size_t)size, request->nlmsg_seq, link->port, on_message, context);
        if (more <= 0) {
            return more < 0 ? errno : 0;
        }
    }
}

int netlink_dump(struct wg_link *link, uint16_t type, mnl_cb_t on_message, void *context,
    void (*reset)(void *context))
{
    int error = EINTR;
    for (int try = 0; try < DUMP_TRIES && error == EINTR; try++) {
        _Alignas(struct nlmsghdr) uint8_t buffer[NETLINK_REQUEST_SIZE];
        struct nlmsghdr *request = netlink_begin(link, buffer, type, NLM_F_DUMP);
        struct rtgenmsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);
        header->rtgen_family = AF_UNSPEC;
        if (reset != NULL) {
            reset(context);
        }
        error = netlink_exchange(link, request, on_message, context);
    }
    return error;
}

struct attribute_table {
    const struct nlattr **list;
    size_t count;
};

static int on_attribute(const struct nlattr *attribute, void *context)
{
    struct attribute_table *table = context;
    uint16_t type = mnl_attr_get_type(attribute);
    if (type < table->count) {
        table->list[type] = attribute;
    }
    return MNL_CB_OK;
}

void netlink_attributes(
    const struct nlmsghdr *message, size_t header_size, const struct nlattr *ret[], size_t count)
{
    struct attribute_table table = {.list = ret, .count = count};
    for (size_t i = 0; i < count; i++) {
        ret[i] = NULL;
    }
    (void)mnl_attr_parse(message, (unsigned int)header_size, on_attribute, &table);
}

uint32_t netlink_u32(const struct nlattr *attribute, uint32_t fallback)
{
    bool present = attribute != NULL && mnl_attr_get_payload_len(attribute) == sizeof(uint32_t);
    return present ? mnl_attr_get_u32(attribute) : fallback;
}

struct address netlink_address(int family, const struct nlattr *attribute)
{
    struct address address = {.family = family == AF_INET6 ? FAMILY_IPV6 : FAMILY_IPV4};
    size_t size = address_ip_size(&address);
    if (attribute == NULL || mnl_attr_get_payload_len(attribute) != size) {
        return (struct address){.family = FAMILY_NONE};
    }
    memcpy(address.ip, mnl_attr_get_payload(attribute), size);
    return address;
}

uint8_t netlink_family(const struct address *address)
{
    return address->family == FAMILY_IPV6 ? AF_INET6 : AF_INET;
}

void netlink_put_address(struct nlmsghdr *request, uint16_t type, const struct address *address)
{
    mnl_attr_put(request, type, address_ip_size(address), address->ip);
}

enum status wg_link_open(struct wg_link **ret, struct wg_detail *detail)
{
    struct wg_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        wg_detail_set(detail, "out of memory");
        return ERR_IO;
    }
    link->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (link->socket == NULL || mnl_socket_bind(link->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        int error = errno;
        wg_detail_set(detail, "no netlink socket for interfaces and routes: %s", strerror(error));
        wg_link_close(link);
        return wg_status_of_errno(error);
    }
    link->port = mnl_socket_get_portid(link->socket);
    *ret = link;
    return OK;
}

void wg_link_close(struct wg_link *link)
{
    if (link == NULL) {
        return;
    }
    if (link->socket != NULL) {
        (void)mnl_socket_close(link->socket);
    }
    free(link);
}

// --- finding -------------------------------------------------------------------------------------

// Copies a text attribute if it is there and fits.
static void copy_text(char *ret, size_t capacity, const struct nlattr *attribute)
{
    if (attribute == NULL) {
        return;
    }
    const char *text = mnl_attr_get_payload(attribute);
    size_t size = strnlen(text, mnl_attr_get_payload_len(attribute));
    if (size < capacity) {
        memcpy(ret, text, size);
        ret[size] = '\0';
    }
}

static struct wg_link_info parse_link(const struct nlmsghdr *message)
{
    const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
    const struct nlattr *attributes[IFLA_IFALIAS + 1];
    netlink_attributes(message, sizeof *header, attributes, IFLA_IFALIAS + 1);
    struct wg_link_info info = {
        .index = (uint32_t)header->ifi_index,
        .mtu = netlink_u32(attributes[IFLA_MTU], 0),
        .up = (header->ifi_flags & IFF_UP) != 0,
        .loopback = (header->ifi_flags & IFF_LOOPBACK) != 0,
    };
    copy_text(info.name, sizeof info.name, attributes[IFLA_IFNAME]);
    copy_text(info.alias, sizeof info.alias, attributes[IFLA_IFALIAS]);
    return info;
}

static int on_link(const struct nlmsghdr *message, void *context)
{
    struct wg_link_info *found = context;
    if (message->nlmsg_type == RTM_NEWLINK) {
        *found = parse_link(message);
    }
    return MNL_CB_OK;
}

enum status wg_link_find(
    struct wg_link *link, const char *name, struct wg_link_info *ret, struct wg_detail *detail)
{
    if (!wg_link_name_valid(name)) {
        wg_detail_set(detail, "\"%.20s\" is no interface name", name);
        return ERR_NOT_FOUND;
    }
    _Alignas(struct nlmsghdr) uint8_t buffer[NETLINK_REQUEST_SIZE];
    struct nlmsghdr *request = netlink_begin(link, buffer, RTM_GETLINK, 0);
    struct ifinfomsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);
    header->ifi_family = AF_UNSPEC;
    mnl_attr_put_strz(request, IFLA_IFNAME, name);
    struct wg_link_info found = {.index = 0};
    int error = netlink_exchange(link, request, on_link, &found);
    if (error == 0 && found.index == 0) {
        error = ENODEV;
    }
    if (error != 0) {
        wg_detail_set(detail, "interface %s: %s", name, strerror(error));
        return wg_status_of_errno(error);
    }
    *ret = found;
    return OK;
}

// --- changing ------------------------------------------------------------------------------------

static struct nlmsghdr *begin_change(struct wg_link *link,
    uint8_t buffer[static NETLINK_REQUEST_SIZE], uint16_t type, uint32_t index,
    struct ifinfomsg **ret_header)
{
    struct nlmsghdr *request = netlink_begin(link, buffer, type, 0);
    struct ifinfomsg *header = mnl_nlmsg_put_extra_header(request, sizeof *header);
    header->ifi_family = AF_UNSPEC;
    header->ifi_index = (int)index;
    *ret_header = header;
    return request;
}

static enum status finish_change(struct wg_link *link, struct nlmsghdr *request, uint32_t index,
    const char *what, struct wg_detail *detail)
{
    int error = netlink_exchange(link, request, NULL, NULL);
    if (error != 0) {
        char name[IF_NAMESIZE] = "(gone)";
        (void)if_indextoname(index, name);
        const char *hint = error == EPERM ? "; CAP_NET_ADMIN is needed" : "";
        wg_detail_set(
            detail, "interface %s: could not %s: %s%s", name, what, strerror(error), hint);
    }
    return wg_status_of_errno(error);
}

enum status wg_link_set_alias(
    struct wg_link *link, uint32_t index, const char *alias, struct wg_detail *detail)
{
    ASSERT(strlen(alias) < WG_LINK_ALIAS_SIZE);
    _Alignas(struct nlmsghdr) uint8_t buffer[NETLINK_REQUEST_SIZE];
    struct ifinfomsg *header;
    struct nlmsghdr *request = begin_change(link, buffer, RTM_NEWLINK, index, &header);
    mnl_attr_put_str(request, IFLA_IFALIAS, alias);
    return finish_change(link, request, index, "set its alias", detail);
}

enum status wg_link_set_mtu(
    struct wg_link *link, uint32_t index, uint32_t mtu, struct wg_detail *detail)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[NETLINK_REQUEST_SIZE];
    struct ifinfomsg *header;
    struct nlmsghdr *request = begin_change(link, buffer, RTM_NEWLINK, index, &header);
    mnl_attr_put_u32(request, IFLA_MTU, mtu);
    return finish_change(link, request, index, "set its MTU", detail);
}

enum status wg_link_set_up(struct wg_link *link, uint32_t index, bool up, struct wg_detail *detail)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[NETLINK_REQUEST_SIZE];
    struct ifinfomsg *header;
    struct nlmsghdr *request = begin_change(link, buffer, RTM_NEWLINK, index, &header);
    header->ifi_change = IFF_UP;
    header->ifi_flags = up ? IFF_UP : 0;
    return finish_change(link, request, index, up ? "bring it up" : "take it down", detail);
}

enum status wg_link_delete(struct wg_link *link, uint32_t index, struct wg_detail *detail)
{
    _Alignas(struct nlmsghdr) uint8_t buffer[NETLINK_REQUEST_SIZE];
    struct ifinfomsg *header;
    struct nlmsghdr *request = begin_change(link, buffer, RTM_DELLINK, index, &header);
    return finish_change(link, request, index, "delete it", detail);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Addresses as the socket calls take and give them.
#include "base/socket_posix.h"

#include <netinet/in.h>
#include <string.h>

socklen_t socket_address_of(const struct address *address, struct sockaddr_storage *ret)
{
    memset(ret, 0, sizeof *ret);
    if (!address_is_set(address)) {
        return 0;
    }
    if (address->family == FAMILY_IPV4) {
        struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = htons(address->port)};
        memcpy(&ipv4.sin_addr, address->ip, sizeof ipv4.sin_addr);
        memcpy(ret, &ipv4, sizeof ipv4);
        return sizeof ipv4;
    }
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    memcpy(&ipv6.sin6_addr, address->ip, sizeof ipv6.sin6_addr);
    memcpy(ret, &ipv6, sizeof ipv6);
    return sizeof ipv6;
}

struct address address_of_socket(const void *name, socklen_t size)
{
    struct address address = {.family = FAMILY_NONE};
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    sa_family_t family = AF_UNSPEC;
    if (size >= sizeof family) {
        family = ((const struct sockaddr *)name)->sa_family;
    }
    if (family == AF_INET && size >= sizeof ipv4) {
        memcpy(&ipv4, name, sizeof ipv4);
        address.family = FAMILY_IPV4;
        address.port = ntohs(ipv4.sin_port);
        memcpy(address.ip, &ipv4.sin_addr, sizeof ipv4.sin_addr);
    } else if (family == AF_INET6 && size >= sizeof ipv6) {
        memcpy(&ipv6, name, sizeof ipv6);
        address.family = FAMILY_IPV6;
        address.port = ntohs(ipv6.sin6_port);
        memcpy(address.ip, &ipv6.sin6_addr, sizeof ipv6.sin6_addr);
    }
    return address;
}

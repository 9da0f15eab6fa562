// SPDX-License-Identifier: GPL-3.0-or-later
//
// Addresses as the socket calls take and give them.
#pragma once

#include "base/address.h"

#include <sys/socket.h>

// The size of what was written; 0 if `address` is not set, which every socket call refuses.
socklen_t socket_address_of(const struct address *address, struct sockaddr_storage *ret);

// FAMILY_NONE for what is neither IPv4 nor IPv6, or too short.
struct address address_of_socket(const void *name, socklen_t size);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Overlay addresses are computed from the network and the token, never allocated: no registry, no
// race, no renumbering.
//
//   IPv6   fd | network id, first 5 B | BLAKE2b-256(network id 32 B | token 32 B), first 10 B
//          `--- the network's /48 ---'
//   IPv4   base of the network's prefix + token id, for ids 1 .. 2^n - 2 with n host bits
#pragma once

#include "base/address.h"
#include "base/ids.h"

enum {
    OVERLAY_IPV6_PREFIX_LENGTH = 48,
};

// The unique local /48 (RFC 4193) that holds every member's IPv6 address.
struct prefix overlay_ipv6_prefix(const struct network_id *network);

// The member's IPv6 address; port 0.
struct address overlay_ipv6(const struct network_id *network, const struct token_id *token);

// The member's IPv4 address; port 0. ERR_RANGE if `prefix` has no place for the token (an id of 0,
// or beyond the last host): the member has IPv6 only. `prefix` must be IPv4.
enum status overlay_ipv4(
    const struct prefix *prefix, const struct token_id *token, struct address *ret);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Overlay addresses.
#include "base/overlay.h"

#include <sodium.h>
#include <string.h>

enum {
    NETWORK_PART_SIZE = 5,
    TOKEN_PART_SIZE = 10,
    ULA_BYTE = 0xfd, // RFC 4193: fc00::/7 with the L bit
    IPV4_BITS = 32,
};

static struct address network_base(const struct network_id *network)
{
    struct address base = {.family = FAMILY_IPV6, .ip = {ULA_BYTE}};
    memcpy(base.ip + 1, network->bytes, NETWORK_PART_SIZE);
    return base;
}

struct prefix overlay_ipv6_prefix(const struct network_id *network)
{
    return (struct prefix){.base = network_base(network), .length = OVERLAY_IPV6_PREFIX_LENGTH};
}

struct address overlay_ipv6(const struct network_id *network, const struct token_id *token)
{
    uint8_t preimage[sizeof network->bytes + sizeof token->bytes];
    uint8_t digest[crypto_generichash_BYTES];
    memcpy(preimage, network->bytes, sizeof network->bytes);
    memcpy(preimage + sizeof network->bytes, token->bytes, sizeof token->bytes);
    (void)crypto_generichash(digest, sizeof digest, preimage, sizeof preimage, NULL, 0);
    struct address address = network_base(network);
    memcpy(address.ip + 1 + NETWORK_PART_SIZE, digest, TOKEN_PART_SIZE);
    return address;
}

enum status overlay_ipv4(
    const struct prefix *prefix, const struct token_id *token, struct address *ret)
{
    ASSERT(prefix->base.family == FAMILY_IPV4 && prefix->length <= IPV4_BITS);
    uint64_t last = (UINT64_C(1) << (IPV4_BITS - prefix->length)) - 1; // the broadcast address
    uint64_t id = 0;
    if (!token_id_to_u64(token, &id) || id == 0 || id >= last) {
        return ERR_RANGE;
    }
    struct address address = prefix->base;
    for (size_t i = 0; i < IPV4_BITS / 8; i++) {
        address.ip[i] |= (uint8_t)(id >> (IPV4_BITS - 8 - i * 8));
    }
    *ret = address;
    return OK;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Identities: order, equality, and the network id.
#include "base/ids.h"

#include <sodium.h>
#include <string.h>

struct network_id network_id_of(const struct network *network)
{
    static const char label[] = "deedmesh/1 network";
    uint8_t input[sizeof label - 1 + 8 + sizeof network->contract.bytes];
    struct writer writer = writer_of(input, sizeof input);
    write_span(&writer, span_of_text(label));
    write_u64(&writer, network->chain_id);
    write_bytes(&writer, network->contract.bytes, sizeof network->contract.bytes);
    ASSERT(writer_finish(&writer) == OK);

    struct network_id id;
    (void)crypto_generichash(id.bytes, sizeof id.bytes, input, sizeof input, NULL, 0);
    return id;
}

struct token_id token_id_of_u64(uint64_t value)
{
    struct token_id token = token_id_zero;
    struct writer writer = writer_of(token.bytes + 24, 8);
    write_u64(&writer, value);
    return token;
}

bool token_id_to_u64(const struct token_id *token, uint64_t *ret)
{
    struct reader reader = reader_of(span_of(token->bytes, sizeof token->bytes));
    for (int i = 0; i < 3; i++) {
        if (read_u64(&reader) != 0) {
            return false;
        }
    }
    *ret = read_u64(&reader);
    return true;
}

int token_id_compare(const struct token_id *a, const struct token_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

int node_key_compare(const struct node_key *a, const struct node_key *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

bool token_id_equal(const struct token_id *a, const struct token_id *b)
{
    return token_id_compare(a, b) == 0;
}

bool node_key_equal(const struct node_key *a, const struct node_key *b)
{
    return node_key_compare(a, b) == 0;
}

bool wg_key_equal(const struct wg_key *a, const struct wg_key *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool eth_address_equal(const struct eth_address *a, const struct eth_address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool dht_key_equal(const struct dht_key *a, const struct dht_key *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool hash256_equal(const struct hash256 *a, const struct hash256 *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool node_key_is_zero(const struct node_key *key)
{
    return sodium_is_zero(key->bytes, sizeof key->bytes) == 1;
}

bool eth_address_is_zero(const struct eth_address *address)
{
    return sodium_is_zero(address->bytes, sizeof address->bytes) == 1;
}

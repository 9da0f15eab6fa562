// SPDX-License-Identifier: GPL-3.0-or-later
#include "nat/probe.h"

#include <sodium.h>
#include <string.h>

enum {
    MAC_ATTRIBUTE_SIZE = 4 + STUN_TAG_SIZE + STUN_MAC_SIZE,
    DERIVED_SIZE = PROBE_KEY_SIZE + STUN_TAG_SIZE,
};

static const char domain[] = "deedmesh/1 probe";

struct party {
    const struct wg_key *key;
    const struct token_id *token;
};

static void derive_direction(const uint8_t shared[static crypto_scalarmult_BYTES],
    const struct network_id *network, struct party sender, struct party receiver,
    struct probe_direction *ret)
{
    uint8_t derived[DERIVED_SIZE];
    crypto_generichash_state state;
    crypto_generichash_init(&state, shared, crypto_scalarmult_BYTES, sizeof derived);
    crypto_generichash_update(&state, (const uint8_t *)domain, sizeof domain - 1);
    crypto_generichash_update(&state, network->bytes, sizeof network->bytes);
    crypto_generichash_update(&state, sender.key->bytes, sizeof sender.key->bytes);
    crypto_generichash_update(&state, receiver.key->bytes, sizeof receiver.key->bytes);
    crypto_generichash_update(&state, sender.token->bytes, sizeof sender.token->bytes);
    crypto_generichash_update(&state, receiver.token->bytes, sizeof receiver.token->bytes);
    crypto_generichash_final(&state, derived, sizeof derived);
    memcpy(ret->key, derived, PROBE_KEY_SIZE);
    memcpy(ret->tag, derived + PROBE_KEY_SIZE, STUN_TAG_SIZE);
    sodium_memzero(derived, sizeof derived);
    sodium_memzero(&state, sizeof state);
}

enum status probe_key_derive(
    const struct wg_secret *own_secret, const struct probe_pair *pair, struct probe_key *ret)
{
    uint8_t shared[crypto_scalarmult_BYTES];
    if (crypto_scalarmult(shared, own_secret->bytes, pair->peer_key.bytes) != 0) {
        return ERR_RANGE;
    }
    struct party own = {.key = &pair->own_key, .token = &pair->own_token};
    struct party peer = {.key = &pair->peer_key, .token = &pair->peer_token};
    derive_direction(shared, &pair->network, own, peer, &ret->out);
    derive_direction(shared, &pair->network, peer, own, &ret->in);
    sodium_memzero(shared, sizeof shared);
    return OK;
}

void probe_key_wipe(struct probe_key *key)
{
    sodium_memzero(key, sizeof *key);
}

// `message` is all before the MAC attribute. Its length field is taken as counting up to the end of
// the MAC attribute, whatever follows.
static void compute_mac(
    const struct probe_direction *direction, struct span message, uint8_t ret[static STUN_MAC_SIZE])
{
    ASSERT(message.size >= STUN_HEADER_SIZE);
    size_t size = message.size + MAC_ATTRIBUTE_SIZE - STUN_HEADER_SIZE;
    const uint8_t length[2] = {(uint8_t)(size >> 8), (uint8_t)size};
    crypto_generichash_state state;
    crypto_generichash_init(&state, direction->key, sizeof direction->key, STUN_MAC_SIZE);
    crypto_generichash_update(&state, message.data, 2);
    crypto_generichash_update(&state, length, sizeof length);
    crypto_generichash_update(&state, message.data + 4, message.size - 4);
    crypto_generichash_final(&state, ret, STUN_MAC_SIZE);
    sodium_memzero(&state, sizeof state);
}

static enum status finish(struct writer *writer, const struct probe_direction *direction)
{
    if (writer->failure != OK) {
        return writer->failure;
    }
    uint8_t value[STUN_TAG_SIZE + STUN_MAC_SIZE];
    memcpy(value, direction->tag, STUN_TAG_SIZE);
    compute_mac(direction, writer_written(writer), value + STUN_TAG_SIZE);
    stun_put_attribute(writer, STUN_ATTRIBUTE_MAC, span_of(value, sizeof value));
    return stun_end(writer);
}

enum status probe_encode_request(
    struct writer *writer, const struct probe_key *key, const struct stun_transaction *transaction)
{
    stun_begin(writer, STUN_REQUEST, STUN_BINDING, transaction);
    stun_put_pad(writer, PROBE_SIZE - MAC_ATTRIBUTE_SIZE);
    return finish(writer, &key->out);
}

enum status probe_encode_success(struct writer *writer, const struct probe_key *key,
    const struct stun_transaction *transaction, const struct address *observed)
{
    stun_begin(writer, STUN_SUCCESS, STUN_BINDING, transaction);
    stun_put_mapped(writer, observed);
    return finish(writer, &key->out);
}

bool probe_is_from(const struct probe_key *key, const struct stun_message *message)
{
    return message->has_mac && sodium_memcmp(key->in.tag, message->tag, STUN_TAG_SIZE) == 0;
}

enum status probe_check(const struct probe_key *key, const struct stun_message *message)
{
    if (!probe_is_from(key, message)) {
        return ERR_NOT_FOUND;
    }
    if (message->kind == STUN_REQUEST && message->size < PROBE_SIZE) {
        return ERR_TRUNCATED;
    }
    uint8_t mac[STUN_MAC_SIZE];
    compute_mac(&key->in, message->authenticated, mac);
    return sodium_memcmp(mac, message->mac, sizeof mac) == 0 ? OK : ERR_SIGNATURE;
}

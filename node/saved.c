// SPDX-License-Identifier: GPL-3.0-or-later
//
// What outlives the process: the own sequence, the gate's floors and last yes, and the peers'
// records with the endpoints that last worked, so that a restart dials at once. Whoever stores the
// bytes guards them against damage; they are read as strictly as anything from outside.
//
//    u8 version = 3 | network id 32 B | token 32 B | u64 sequence
//    u32 size | gate state
//    u16 count | count x (token 32 B | u16 size | record | u8 family | ip 16 B | u16 port
//                         | u16 size | signature that the record names by its hash)
//    u16 count | count x (u8 bit 0: a user gave it, bit 1: its signature was accepted | token 32 B
//                         | u16 size | tombstone | u16 size | signature that it names by its hash)
//
// Version 2 has no bit 1, and no signatures of tombstones. Version 1 ends before the tombstones,
// and has no signatures at all.
#include "node/inner.h"

#include <string.h>

enum {
    SAVED_VERSION = 3,
    SAVED_VERSION_TOMBSTONES = 2, // the first with them
    SAVED_VERSION_OLDEST = 1,
    SAVED_STONE_OWN = 1,
    SAVED_STONE_ACCEPTED = 2,
    SAVED_HEAD_SIZE = 1 + 32 + 32 + 8 + 4 + 2 + 2,
    SAVED_TOMBSTONE_SIZE = 1 + 32 + 2 + TOMBSTONE_MAX_SIZE + 2,
    SAVED_PEER_SIZE = 32 + 2 + RECORD_MAX_SIZE + 1 + 16 + 2 + 2,
};

size_t node_state_size_max(const struct node *node)
{
    return SAVED_HEAD_SIZE + gate_state_size_max(node->gate) +
           (size_t)node->config.capacity.peers * SAVED_PEER_SIZE +
           (size_t)node->config.capacity.tombstones * SAVED_TOMBSTONE_SIZE +
           gate_signatures_size_max(node->gate) + tombstones_bytes_max(&node->config);
}

// What is believed of the peer, or what waits to be judged: a crash soon after a start must not
// lose what the last run knew.
static struct span kept_value(const struct peer *peer)
{
    if (peer->used && peer->claim.held) {
        return span_of(peer->claim.value, peer->claim.value_size);
    }
    bool waits = peer->used && peer->doubt.held;
    return span_of(peer->doubt.value, waits ? peer->doubt.value_size : 0);
}

static struct span kept_signature(const struct node *node, const struct peer *peer)
{
    struct delegation waiting;
    struct span signature;
    bool known = peer->claim.held || peer_waiting_delegation(node, peer, &waiting);
    const struct delegation *delegation =
        peer->claim.held ? &peer->claim.record.delegation : &waiting;
    return known && gate_signature(node->gate, delegation, &signature) == OK ? signature
                                                                             : span_of(NULL, 0);
}

static void write_peer(const struct node *node, struct writer *writer, const struct peer *peer)
{
    struct span value = kept_value(peer);
    write_bytes(writer, peer->token.bytes, sizeof peer->token.bytes);
    write_u16(writer, (uint16_t)value.size);
    write_span(writer, value);
    write_u8(writer, (uint8_t)peer->last_endpoint.family);
    write_bytes(writer, peer->last_endpoint.ip, sizeof peer->last_endpoint.ip);
    write_u16(writer, peer->last_endpoint.port);
    struct span signature = kept_signature(node, peer);
    write_u16(writer, (uint16_t)signature.size);
    write_span(writer, signature);
}

static void write_gate(struct node *node, struct now now, struct writer *writer)
{
    // The size stands before the state: leave its place, write the state, fill it in.
    size_t size_at = writer->size;
    write_u32(writer, 0);
    size_t begin = writer->size;
    if (gate_state_export(node->gate, now, writer) != OK) {
        writer_fail(writer, ERR_FULL);
        return;
    }
    if (writer_finish(writer) == OK) {
        struct writer place = writer_of(writer->data + size_at, 4);
        write_u32(&place, (uint32_t)(writer->size - begin));
    }
}

static void write_tombstones(const struct node *node, struct writer *writer)
{
    write_u16(writer, node->tombstone_count);
    for (size_t i = 0; i < node->tombstone_count; i++) {
        const struct tombstone *entry = &node->tombstones[i];
        struct span signature = tombstones_signature(node, entry);
        write_u8(writer, (uint8_t)((entry->own ? SAVED_STONE_OWN : 0) |
                                   (entry->accepted ? SAVED_STONE_ACCEPTED : 0)));
        write_bytes(writer, entry->token.bytes, sizeof entry->token.bytes);
        write_u16(writer, entry->size);
        write_span(writer, span_of(entry->value, entry->size));
        write_u16(writer, (uint16_t)signature.size);
        write_span(writer, signature);
    }
}

enum status node_export(struct node *node, struct now now, struct writer *writer)
{
    write_u8(writer, SAVED_VERSION);
    write_bytes(writer, node->config.keys.id.bytes, sizeof node->config.keys.id.bytes);
    write_bytes(writer, node->config.token.bytes, sizeof node->config.token.bytes);
    write_u64(writer, node->seat.sequence);
    write_gate(node, now, writer);
    uint16_t count = 0;
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        count = (uint16_t)(count + (kept_value(&node->peers[i]).size > 0));
    }
    write_u16(writer, count);
    for (size_t i = 0; i < node->config.capacity.peers; i++) {
        if (kept_value(&node->peers[i]).size > 0) {
            write_peer(node, writer, &node->peers[i]);
        }
    }
    write_tombstones(node, writer);
    return writer_finish(writer);
}

static struct address read_endpoint(struct reader *reader)
{
    struct address address = {0};
    uint8_t family = read_u8(reader);
    read_bytes(reader, address.ip, sizeof address.ip);
    address.port = read_u16(reader);
    if (family != FAMILY_NONE && family != FAMILY_IPV4 && family != FAMILY_IPV6) {
        reader_fail(reader, ERR_RANGE);
        return (struct address){0};
    }
    address.family = (enum address_family)family;
    return address;
}

// A record waits as `doubt` for the chain's word, like any other.
static void read_peer(struct node *node, struct now now, uint8_t version, struct reader *reader)
{
    struct token_id token;
    read_bytes(reader, token.bytes, sizeof token.bytes);
    uint16_t size = read_u16(reader);
    struct span value = read_span(reader, size);
    struct address endpoint = read_endpoint(reader);
    struct span signature =
        read_span(reader, version < SAVED_VERSION_TOMBSTONES ? 0 : read_u16(reader));
    if (reader->failure != OK || token_id_equal(&token, &node->config.token)) {
        return;
    }
    struct dht_key at = key_of_record(&node->config.keys, &token);
    struct hash256 digest = value_digest(value);
    struct record record;
    if (record_decode(&node->config.keys, &at, value, &record) != OK ||
        record_is_tombstone(&record)) {
        return;
    }
    struct peer *peer = peer_open(node, now, &token, false);
    if (peer != NULL) {
        peer_doubt(peer, now.mono, value, &digest);
        peer->last_endpoint = endpoint;
        if (signature.size > 0 && piece_content_fits(&record.delegation, signature)) {
            gate_keep_signature(node->gate, now, &record.delegation, signature);
        }
    }
}

// Like one that has just come in: it waits for the chain's word, be it only about the owner.
static void read_tombstones(
    struct node *node, struct now now, uint8_t version, struct reader *reader)
{
    const uint8_t known =
        version < SAVED_VERSION ? SAVED_STONE_OWN : SAVED_STONE_OWN | SAVED_STONE_ACCEPTED;
    uint16_t count = read_u16(reader);
    for (uint16_t i = 0; i < count && reader->failure == OK; i++) {
        struct token_id token;
        struct verdict ignored;
        uint8_t flags = read_u8(reader);
        read_bytes(reader, token.bytes, sizeof token.bytes);
        uint16_t size = read_u16(reader);
        struct span value = read_span(reader, size);
        struct stone_source source = {.own = (flags & SAVED_STONE_OWN) != 0,
            .accepted = (flags & SAVED_STONE_ACCEPTED) != 0,
            .signature = read_span(reader, version < SAVED_VERSION ? 0 : read_u16(reader))};
        if ((flags & ~known) != 0) {
            reader_fail(reader, ERR_NOT_CANONICAL);
        } else if (reader->failure == OK && node->config.capacity.tombstones > 0) {
            (void)!tombstones_take(node, now, &token, value, &source, &ignored);
        }
    }
}

enum status saved_import(struct node *node, struct now now, struct span state)
{
    struct reader reader = reader_of(state);
    uint8_t version = read_u8(&reader);
    if (version < SAVED_VERSION_OLDEST || version > SAVED_VERSION) {
        reader_fail(&reader, ERR_VERSION);
    }
    struct network_id network;
    struct token_id token;
    read_bytes(&reader, network.bytes, sizeof network.bytes);
    read_bytes(&reader, token.bytes, sizeof token.bytes);
    uint64_t sequence = read_u64(&reader);
    struct span gate = read_span(&reader, read_u32(&reader));
    uint16_t count = read_u16(&reader);
    if (reader.failure != OK) {
        return reader.failure;
    }
    if (memcmp(network.bytes, node->config.keys.id.bytes, sizeof network.bytes) != 0) {
        return ERR_MISMATCH;
    }
    enum status status = gate_state_import(node->gate, now, gate);
    if (status != OK) {
        return status;
    }
    // With another token the sequence is of another seat; floors and peers are still good.
    node->seat.sequence = token_id_equal(&token, &node->config.token) ? sequence : 0;
    for (uint16_t i = 0; i < count && reader.failure == OK; i++) {
        read_peer(node, now, version, &reader);
    }
    if (version >= SAVED_VERSION_TOMBSTONES && reader.failure == OK) {
        read_tombstones(node, now, version, &reader);
    }
    return reader_finish(&reader);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// A whole node under a script that the input spells: datagrams, values, replies, device states,
// messages, transfers and time, some well-formed, some altered, some raw. The world of the scenario
// tests answers its effects, and checks at each that inputs have bounded effects, that deadlines
// move on, and that nobody gets onto the device whose wallet does not own the token.
#include "tests/unit/node/world.h"

#include "base/assert.h"
#include "base/overlay.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    OTHERS = 5, // nodes 1 .. 5, never up: their keys make values and intents
    STRANGER = 9,
    STEPS_MAX = 60,
    OWNERS_LIMIT = MODEL_OWNERS_MAX - 1,
    VALUE_IDS = 16,
};

static struct network_keys keys_of_all(void)
{
    struct network network = model_network();
    return network_keys_of(&network, NULL);
}

static struct world *start(void)
{
    struct world *world = world_make(1);
    world->grace_s = 60; // readings hold for 30 s when the chain falls silent
    (void)world_add(world, (struct world_options){.first = true, .peers = 6, .members = 8});
    for (size_t i = 1; i <= 3; i++) {
        (void)world_add(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    }
    (void)world_add(world, (struct world_options){.token = 3}); // a second node in a seat
    (void)world_add(world, (struct world_options){.token = 4, .wallet = STRANGER});
    world_up(world, 0);
    world_run(world, 1000);
    return world;
}

static size_t make_record(
    struct world *world, size_t index, uint8_t variant, uint8_t ret[static RECORD_MAX_SIZE])
{
    const struct world_node *node = &world->nodes[index];
    struct network_keys keys = keys_of_all();
    struct record record = {.token = world_token(world, index),
        .node_key = node->config.delegation.node_key,
        .wg_key = world->wg_keys[index],
        .sequence = world_now(world, 0).unix_time.ms + variant,
        .boot = variant,
        .not_after_s = world_now(world, 0).unix_time.ms / 1000 + 600,
        .nat_class = (enum nat_class)(variant % 5),
        .flags = variant % 4,
        .delegation = node->config.delegation};
    record.candidates.count = 1;
    record.candidates.list[0] =
        (struct candidate){.kind = (enum candidate_kind)(variant % 3), .address = node->outside};
    record.candidates.list[0].address.port = (uint16_t)(1024 + variant);
    size_t size = 0;
    ASSERT(record_encode(&keys, &node->config.node_secret, &record, ret, &size) == OK);
    return size;
}

static size_t make_intent(
    struct world *world, size_t index, uint8_t variant, uint8_t ret[static INTENT_MAX_SIZE])
{
    const struct world_node *node = &world->nodes[index];
    struct network_keys keys = keys_of_all();
    struct intent intent = {.sender = world_token(world, index),
        .recipient = world_token(world, 0),
        .sender_key = node->config.delegation.node_key,
        .sent_at = world_now(world, 0).unix_time,
        .nonce = {{variant}},
        .reply = variant % 8 == 7,
        .nat_class = (enum nat_class)(variant % 5),
        .sequence = variant};
    intent.candidates.count = 1;
    intent.candidates.list[0] =
        (struct candidate){.kind = CANDIDATE_HOST, .address = node->outside};
    intent.candidates.list[0].address.port = WG_PORT_OF_ALL;
    uint8_t seed[RNG_SEED_SIZE] = {variant};
    struct rng rng;
    rng_seed(&rng, seed);
    size_t size = 0;
    ASSERT(intent_encode(&keys, &node->config.node_secret,
               &world->nodes[0].config.delegation.node_key, &intent, &rng, ret, &size) == OK);
    return size;
}

static void alter(uint8_t *bytes, size_t size, struct reader *reader)
{
    uint8_t mask = read_u8(reader);
    uint16_t at = read_u16(reader);
    if (mask < 128 && size > 0) { // half of them stay as they are
        bytes[at % size] ^= mask;
    }
}

static struct span raw(struct reader *reader)
{
    size_t wanted = read_u8(reader);
    return read_span(reader, wanted < reader->rest.size ? wanted : reader->rest.size);
}

static void put_value(struct world *world, size_t other, uint8_t variant, struct reader *reader)
{
    uint8_t bytes[DHT_VALUE_MAX_SIZE];
    bool inbox = variant % 2 == 1;
    size_t size = inbox ? make_intent(world, other, variant, bytes)
                        : make_record(world, other, variant, bytes);
    alter(bytes, size, reader);
    uint64_t token = world->nodes[other].options.token;
    struct dht_key key = inbox ? world_inbox_key(world, 1) : world_record_key(world, token);
    world_dht_store(world, &key, variant % VALUE_IDS, span_of(bytes, size));
}

static void send_intent(struct world *world, size_t other, uint8_t variant, struct reader *reader)
{
    uint8_t record[RECORD_MAX_SIZE];
    uint8_t intent[INTENT_MAX_SIZE];
    uint8_t bytes[STUN_MESSAGE_MAX];
    size_t record_size = variant % 2 == 0 ? make_record(world, other, variant, record) : 0;
    size_t intent_size = make_intent(world, other, variant, intent);
    struct writer writer = writer_of(bytes, sizeof bytes);
    struct stun_transaction transaction = {{variant}};
    if (stun_encode_intent(&writer, &transaction, span_of(record, record_size),
            span_of(intent, intent_size)) != OK) {
        return;
    }
    alter(bytes, writer.size, reader);
    struct address from = world->nodes[other].outside;
    from.port = WG_PORT_OF_ALL;
    world_datagram(world, 0, (enum node_port)(variant / 2 % 2), &from, writer_written(&writer));
}

static void tell(struct world *world, size_t other, uint8_t variant, struct reader *reader)
{
    struct network_keys keys = keys_of_all();
    struct token_id token = world_token(world, other);
    struct address from = overlay_ipv6(&keys.id, &token);
    uint8_t record[RECORD_MAX_SIZE];
    uint8_t intent[INTENT_MAX_SIZE];
    uint8_t bytes[MESSAGE_MAX_SIZE];
    struct message message = {.kind = (enum message_kind)(1 + variant % 5),
        .token = world_token(world, 1 + variant / 8 % OTHERS),
        .tokens = {token_id_of_u64(variant), token_id_of_u64(variant % 7)},
        .token_count = 2};
    message.record = span_of(record, make_record(world, other, variant, record));
    message.intent = span_of(intent, make_intent(world, other, variant, intent));
    struct writer writer = writer_of(bytes, sizeof bytes);
    if (message_encode(&message, &writer) != OK) {
        return;
    }
    alter(bytes, writer.size, reader);
    node_on_member_message(
        world->nodes[0].node, world_now(world, 0), &from, writer_written(&writer));
    world_drain(world, 0);
}

static void device(struct world *world, uint8_t variant, struct reader *reader)
{
    struct wg_peer_state states[OTHERS];
    for (size_t i = 0; i < OTHERS; i++) {
        states[i] = (struct wg_peer_state){.key = world->wg_keys[1 + i],
            .endpoint = world->nodes[1 + i].outside,
            .handshake_unix_ns =
                (world_now(world, 0).unix_time.ms - read_u16(reader)) * 1000000 * (variant % 2),
            .rx_bytes = read_u32(reader)};
        states[i].endpoint.port = variant;
    }
    node_on_device(world->nodes[0].node, world_now(world, 0), states, variant % (OTHERS + 1));
    world_drain(world, 0);
}

static void chain(struct world *world, size_t other, uint8_t variant)
{
    uint64_t number = world->nodes[other].options.token;
    uint8_t wallet = variant % 4 == 3 ? STRANGER : (uint8_t)number;
    if (variant % 3 == 0) {
        world->nodes[0].chain = (enum model_fault)(variant / 3 % (FAULT_SILENT + 1));
    } else if (model_token(&world->model, number)->owner_count < OWNERS_LIMIT) {
        world_transfer(world, number, wallet);
    }
}

static void answer(struct world *world, uint8_t variant, struct reader *reader)
{
    struct node *node = world->nodes[0].node;
    struct now now = world_now(world, 0);
    uint64_t op = variant / 4;
    struct rpc_reply reply = {
        .outcome = (enum rpc_outcome)(variant % 4), .http_status = 200, .body = raw(reader)};
    switch (variant % 4) {
    case 0:
        node_on_dht_value(node, now, op, reply.body);
        break;
    case 1:
        node_on_dht_done(node, now, op, op % 2 == 0);
        break;
    case 2:
        node_on_chain_reply(node, now, op, &reply);
        break;
    case 3:
        node_on_dht_nodes(node, now, variant / 4 % 3);
        break;
    }
    world_drain(world, 0);
}

static void restart(struct world *world, uint8_t variant)
{
    if (variant % 2 == 0) {
        world_down(world, 0);
    } else {
        world_kill(world, 0);
    }
    world->nodes[0].skew_ms = variant % 8 == 4 ? -3600000 : 0;
    world_up(world, 0);
}

static void ask(struct world *world, size_t other, uint8_t variant)
{
    struct node *node = world->nodes[0].node;
    struct now now = world_now(world, 0);
    struct token_id token = token_id_of_u64(variant % 9);
    struct node_local_address local = {
        .address = address_of_ipv4(variant, 7, 0, 1, 0), .prefix_length = variant % 33};
    uint8_t payload[MESSAGE_PING_SIZE] = {variant};
    switch (other) {
    case 1:
        (void)!node_want_peer(node, now, &token);
        break;
    case 2:
        (void)!node_ping(node, now, &token, payload);
        break;
    case 3:
        node_on_local_addresses(node, now, &local, variant % 2);
        break;
    default: {
        struct delegation fresh = world_delegation(world, 0, 1, now.unix_time);
        (void)!node_set_delegation(node, now, &fresh, span_of(NULL, 0));
        break;
    }
    }
    world_drain(world, 0);
    struct node_status status = world_status(world, 0);
    ASSERT(status.peers <= 6 && status.members <= 8 && status.connected <= status.peers);
}

static void step(struct world *world, struct reader *reader)
{
    uint8_t action = read_u8(reader);
    uint8_t variant = read_u8(reader);
    size_t other = 1 + action / 16 % OTHERS;
    struct address from = world->nodes[other].outside;
    from.port = (uint16_t)(WG_PORT_OF_ALL + variant % 2);
    switch (action % 10) {
    case 0:
        world_run(world, (uint64_t)variant * variant / 4);
        break;
    case 1:
        put_value(world, other, variant, reader);
        break;
    case 2:
        send_intent(world, other, variant, reader);
        break;
    case 3:
        tell(world, other, variant, reader);
        break;
    case 4:
        device(world, variant, reader);
        break;
    case 5:
        chain(world, other, variant);
        break;
    case 6:
        answer(world, variant, reader);
        break;
    case 7:
        restart(world, variant);
        break;
    case 8:
        ask(world, other, variant);
        break;
    case 9:
        world_datagram(world, 0, (enum node_port)(variant % 2), &from, raw(reader));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world *world = start();
    struct reader reader = reader_of(span_of(data, size));
    for (size_t steps = 0; steps < STEPS_MAX && reader.rest.size > 0; steps++) {
        step(world, &reader);
    }
    world_run(world, 100);
    world_free(world);
    return 0;
}

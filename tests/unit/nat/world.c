// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/unit/nat/world.h"

#include "tests/unit/unit.h"

enum {
    PORT = 51820,
    DEVICE_MS = 50, // how often the device is read
    HOPS_TO_PEER_NAT = 3,
};

static struct mono mono_of(const struct world *world)
{
    return (struct mono){.ms = world->now_ms};
}

static enum nat_class class_of(enum world_nat_kind kind)
{
    switch (kind) {
    case WORLD_NO_NAT:
        return NAT_NONE;
    case WORLD_FULL_CONE:
    case WORLD_ADDRESS_RESTRICTED:
    case WORLD_PORT_RESTRICTED:
        return NAT_EASY;
    case WORLD_SYMMETRIC:
        return NAT_HARD;
    }
    return NAT_UNKNOWN;
}

static void side_init(struct world_side *side, enum world_nat_kind kind, uint8_t number)
{
    side->nat = (struct world_nat){
        .kind = kind,
        .outside = address_of_ipv4(198, 51, number, 2, PORT),
        .next_port = 20000,
    };
    side->inside =
        kind == WORLD_NO_NAT ? side->nat.outside : address_of_ipv4(10, number, 0, 2, PORT);
    side->nat_class = class_of(kind);
    side->subnet = prefix_of(&side->inside, 24);
    side->candidates = (struct candidates){.count = 1};
    side->candidates.list[0] = (struct candidate){
        .kind = kind == WORLD_NO_NAT ? CANDIDATE_HOST : CANDIDATE_REFLEXIVE,
        .address = side->nat.outside,
    };
}

void world_init(struct world *world, enum world_nat_kind a, enum world_nat_kind b)
{
    static const uint8_t seed[RNG_SEED_SIZE] = {1};
    *world = (struct world){.now_ms = 1000};
    rng_seed(&world->rng, seed);
    side_init(&world->sides[0], a, 1);
    side_init(&world->sides[1], b, 2);
    struct probe_key keys[2];
    for (unsigned i = 0; i < 2; i++) {
        memset(&keys[i].out, (int)i + 1, sizeof keys[i].out);
        memset(&keys[i].in, 2 - (int)i, sizeof keys[i].in);
    }
    for (unsigned i = 0; i < 2; i++) {
        struct path_config config = {.controlling = i == 0};
        path_init(&world->sides[i].path, &config, &keys[i]);
        limiter_init(&world->limiter[i], world->entries[i], 16);
    }
}

void world_share_lan(struct world *world)
{
    world->shared_lan = true;
    for (uint8_t i = 0; i < 2; i++) {
        struct world_side *side = &world->sides[i];
        side->inside = address_of_ipv4(10, 1, 0, (uint8_t)(2 + i), PORT);
        side->subnet = prefix_of(&side->inside, 24);
        side->candidates.list[side->candidates.count++] =
            (struct candidate){.kind = CANDIDATE_HOST, .address = side->inside};
    }
}

static struct path_own own_of(const struct world_side *side)
{
    return (struct path_own){
        .nat_class = side->nat_class,
        .candidates = &side->candidates,
        .subnets = &side->subnet,
        .subnet_count = 1,
    };
}

static struct path_peer peer_of(const struct world_side *side)
{
    return (struct path_peer){.nat_class = side->nat_class, .candidates = &side->candidates};
}

static void post(struct world *world, struct world_event event)
{
    assert_true(world->event_count < WORLD_EVENTS_MAX);
    world->events[world->event_count++] = event;
}

static struct world_flow *flow_of(
    struct world_nat *nat, const struct address *remote, bool taken, bool add)
{
    for (size_t i = 0; i < nat->flow_count; i++) {
        struct world_flow *flow = &nat->flows[i];
        if (flow->taken == taken && address_equal(&flow->remote, remote)) {
            return flow;
        }
    }
    if (!add) {
        return NULL;
    }
    assert_true(nat->flow_count < WORLD_FLOWS_MAX);
    struct world_flow *flow = &nat->flows[nat->flow_count++];
    *flow = (struct world_flow){.remote = *remote, .taken = taken};
    return flow;
}

// The outside address that a packet to `to` leaves with.
static struct address translate_out(
    struct world_nat *nat, const struct address *inside, const struct address *to)
{
    if (nat->kind == WORLD_NO_NAT) {
        return *inside;
    }
    struct world_flow *flow = flow_of(nat, to, false, true);
    if (flow->outside_port == 0) {
        bool clash = flow_of(nat, to, true, false) != NULL;
        bool other = clash || nat->kind == WORLD_SYMMETRIC;
        flow->outside_port = other ? nat->next_port++ : nat->outside.port;
    }
    struct address outside = nat->outside;
    outside.port = flow->outside_port;
    return outside;
}

static bool admits(struct world_nat *nat, const struct address *from, uint16_t port)
{
    for (size_t i = 0; i < nat->flow_count; i++) {
        const struct world_flow *flow = &nat->flows[i];
        if (flow->taken || flow->outside_port != port) {
            continue;
        }
        if (nat->kind == WORLD_FULL_CONE || address_equal(&flow->remote, from) ||
            (nat->kind == WORLD_ADDRESS_RESTRICTED && address_same_ip(&flow->remote, from))) {
            return true;
        }
    }
    if (nat->keeps_strangers && port == nat->outside.port) {
        flow_of(nat, from, true, true);
    }
    return false;
}

static void send(struct world *world, unsigned from_index, const struct path_output *output)
{
    struct world_side *from = &world->sides[from_index];
    struct world_side *to = &world->sides[1 - from_index];
    from->sent++;
    from->sent_low_ttl += output->ttl != 0;
    struct world_event event = {.to = (uint8_t)(1 - from_index), .size = output->size};
    memcpy(event.bytes, output->bytes, output->size);
    if (prefix_contains(&from->subnet, &output->to)) {
        if (world->shared_lan && address_equal(&to->inside, &output->to)) {
            event.at_ms = world->now_ms + 1;
            event.from = from->inside;
            post(world, event);
        }
        return;
    }
    event.from = translate_out(&from->nat, &from->inside, &output->to);
    if (output->ttl != 0 && output->ttl < HOPS_TO_PEER_NAT) {
        return;
    }
    bool arrives = address_same_ip(&output->to, &to->nat.outside) &&
                   (to->nat.kind == WORLD_NO_NAT ? output->to.port == PORT
                                                 : admits(&to->nat, &event.from, output->to.port));
    if (arrives) {
        event.at_ms = world->now_ms + WORLD_LATENCY_MS;
        post(world, event);
    }
}

static void drain(struct world *world, unsigned index)
{
    struct world_side *side = &world->sides[index];
    struct path_output output;
    for (unsigned count = 0; path_next_output(
             &side->path, mono_of(world), &world->limiter[index], &world->rng, &output);
         count++) {
        assert_true(count < 64);
        switch (output.kind) {
        case PATH_OUTPUT_SEND:
            send(world, index, &output);
            break;
        case PATH_OUTPUT_INTENT:
            side->intents++;
            post(world, (struct world_event){.at_ms = world->now_ms + WORLD_INTENT_MS,
                            .to = (uint8_t)(1 - index),
                            .intent = true,
                            .reply = output.reply});
            break;
        case PATH_OUTPUT_VALIDATED:
            side->validated_ms = world->now_ms;
            side->endpoint = output.to;
            side->rung = output.rung;
            side->validations++;
            assert_int_equal(output.keepalive_s, 25);
            break;
        case PATH_OUTPUT_CONNECTED:
            side->connected_ms = world->now_ms;
            break;
        case PATH_OUTPUT_LOST:
            side->lost_ms = world->now_ms;
            side->why = output.why;
            side->connected_ms = 0;
            break;
        case PATH_OUTPUT_FAILED:
            side->failed_ms = world->now_ms;
            side->why = output.why;
            break;
        }
    }
}

static void deliver(struct world *world, const struct world_event *event)
{
    unsigned index = event->to;
    struct world_side *side = &world->sides[index];
    if (event->intent) {
        struct path_own own = own_of(side);
        struct path_peer peer = peer_of(&world->sides[1 - index]);
        if (!side->deaf) {
            path_on_intent(&side->path, mono_of(world), &own, &peer, !event->reply);
        }
    } else {
        struct stun_message message;
        assert_int_equal(stun_decode(span_of(event->bytes, event->size), &message), OK);
        (void)path_on_probe(
            &side->path, mono_of(world), &world->limiter[index], &event->from, &message);
    }
    drain(world, index);
}

// WireGuard: a handshake once both have an endpoint; then both receive something every 25 s, as
// long as each one's packets leave from the address that the other has.
static void run_devices(struct world *world)
{
    bool both = true;
    for (unsigned i = 0; i < 2; i++) {
        both = both && address_is_set(&world->sides[i].endpoint) && !world->sides[i].mute;
    }
    for (unsigned i = 0; i < 2; i++) {
        struct world_side *side = &world->sides[i];
        struct world_side *other = &world->sides[1 - i];
        uint64_t since_ms =
            world->now_ms -
            (side->validated_ms > other->validated_ms ? side->validated_ms : other->validated_ms);
        bool lan = prefix_contains(&other->subnet, &other->endpoint);
        struct address seen = lan || !both
                                  ? other->inside
                                  : translate_out(&other->nat, &other->inside, &other->endpoint);
        bool passes = both && address_equal(&side->endpoint, &seen);
        if (passes && since_ms >= WORLD_HANDSHAKE_MS) {
            side->rx_bytes = 92 + 32 * (world->now_ms / 25000);
            bool renew = side->handshake_ms == 0 || world->now_ms - side->handshake_ms > 120000;
            side->handshake_ms = renew ? world->now_ms : side->handshake_ms;
        }
        struct path_device device = {
            .has_handshake = side->handshake_ms != 0,
            .handshake_age_ms = world->now_ms - side->handshake_ms,
            .rx_bytes = side->rx_bytes,
        };
        path_on_device(&side->path, mono_of(world), &device);
        drain(world, i);
    }
}

void world_start(struct world *world, unsigned index)
{
    struct world_side *side = &world->sides[index];
    struct path_own own = own_of(side);
    struct path_peer peer = peer_of(&world->sides[1 - index]);
    path_start(&side->path, mono_of(world), &own, &peer);
    drain(world, index);
}

void world_rebind(struct world *world, unsigned index)
{
    struct world_side *side = &world->sides[index];
    side->nat.flow_count = 0;
    side->nat.outside.port = (uint16_t)(side->nat.outside.port + 1000);
    side->candidates.list[0].address = side->nat.outside;
}

void world_run(struct world *world, uint64_t for_ms)
{
    const uint64_t end_ms = world->now_ms + for_ms;
    for (; world->now_ms < end_ms; world->now_ms++) {
        for (size_t i = 0; i < world->event_count;) {
            if (world->events[i].at_ms > world->now_ms) {
                i++;
                continue;
            }
            struct world_event event = world->events[i];
            memmove(&world->events[i], &world->events[i + 1],
                (world->event_count - i - 1) * sizeof world->events[0]);
            world->event_count--;
            deliver(world, &event);
            i = 0;
        }
        for (unsigned i = 0; i < 2; i++) {
            if (mono_due(path_deadline(&world->sides[i].path), mono_of(world))) {
                path_on_deadline(&world->sides[i].path, mono_of(world));
                drain(world, i);
                struct mono next = path_deadline(&world->sides[i].path);
                assert_true(next.ms > world->now_ms); // no busy loop
            }
        }
        if (world->now_ms % DEVICE_MS == 0) {
            run_devices(world);
        }
    }
}

bool world_both_connected(const struct world *world)
{
    return world->sides[0].path.state == PATH_CONNECTED &&
           world->sides[1].path.state == PATH_CONNECTED;
}

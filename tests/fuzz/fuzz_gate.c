// SPDX-License-Identifier: GPL-3.0-or-later
//
// A whole gate before providers that send anything at all, in any order, at any time. The input is
// a program, each byte a step, and what follows it the data of a reply. Whatever comes, the calls
// after each step are bounded.
#include "chain/gate.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    PROVIDERS = 3,
    HELD_MAX = 64,
    STEPS_MAX = 400,
};

struct world {
    struct gate *gate;
    struct now now;
    uint64_t ids[HELD_MAX];
    size_t held;
};

static void hold_calls(struct world *world)
{
    struct gate_call call;
    size_t calls = 0;
    while (gate_next_call(world->gate, world->now, &call)) {
        ASSERT(call.provider < PROVIDERS && call.body.size > 0 && ++calls < 1000);
        world->ids[world->held % HELD_MAX] = call.id;
        world->held++;
    }
    struct gate_event event;
    while (gate_next_event(world->gate, &event)) {
    }
}

// Puts the right id before the rest of the input, so that what follows is looked at.
static void reply_with(struct world *world, uint64_t id, struct span rest)
{
    char body[2048];
    unsigned choice = rest.size > 0 ? rest.data[0] : 0;
    bool result = choice % 2 == 0;
    int head = snprintf(body, 128, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"%s", (unsigned long long)id,
        result ? "result\":\"0x" : "error\":{\"code\":-32000,\"message\":\"");
    ASSERT(head > 0);
    struct writer writer = writer_of((uint8_t *)body, sizeof body);
    writer.size = (size_t)head;
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 1; i < rest.size && i < 800; i++) {
        write_u8(&writer, (uint8_t)digits[rest.data[i] >> 4]);
        write_u8(&writer, (uint8_t)digits[rest.data[i] & 15]);
    }
    write_span(&writer, span_of_text(result ? "\"}" : "\"}}"));
    struct rpc_reply reply = {.outcome = (enum rpc_outcome)(choice % 8 == 7 ? choice / 8 % 4 : 0),
        .http_status = choice % 16 == 15 ? 429 : 200,
        .retry_after_ms = choice * 100,
        .body = writer_written(&writer)};
    gate_on_reply(world->gate, world->now, id, &reply);
}

// A signature that is kept is the one that was given, whatever has made room for what since.
static void keep_signature(struct world *world, const struct token_id *token, struct span rest)
{
    static uint8_t bytes[GATE_SIGNATURE_MAX];
    size_t size = 1 + (rest.size * 251 + rest.data[0]) % sizeof bytes;
    memset(bytes, (int)(rest.size % 256), size);
    struct delegation delegation = {.kind = DELEGATION_EIP1271_HASHED,
        .token = *token,
        .epoch_s = rest.size,
        .signature_size = 32,
        .hashed_size = (uint16_t)size};
    struct gate_claim claim = {.delegation = &delegation};
    struct span kept;
    gate_keep_signature(world->gate, world->now, &delegation, span_of(bytes, size));
    ASSERT(gate_decide(world->gate, world->now, &claim).kind != VERDICT_YES);
    for (size_t epoch = 1; epoch < 64; epoch++) {
        delegation.epoch_s = rest.size + epoch;
        size_t other = 1 + ((rest.size + epoch) * 251 + rest.data[0]) % sizeof bytes;
        delegation.hashed_size = (uint16_t)other;
        if (gate_signature(world->gate, &delegation, &kept) == OK) {
            ASSERT(kept.size == other);
            for (size_t i = 0; i < kept.size; i++) {
                ASSERT(kept.data[i] == (uint8_t)(delegation.epoch_s % 256));
            }
        }
    }
}

static void step(struct world *world, struct span rest)
{
    struct token_id token = token_id_of_u64(rest.data[0] / 16);
    switch (rest.data[0] % 8) {
    case 0:
        (void)(gate_watch(world->gate, &token, world->now) == OK);
        break;
    case 1:
        (void)(gate_refresh(world->gate, &token, world->now) == OK);
        break;
    case 2:
        gate_unwatch(world->gate, &token);
        break;
    case 3:
        world->now.mono.ms += rest.data[0] * 50U;
        world->now.unix_time.ms += rest.data[0] * 50U;
        gate_on_deadline(world->gate, world->now);
        break;
    case 4:
        gate_enumerate(world->gate, world->now);
        keep_signature(world, &token, rest);
        break;
    default:
        if (world->held > 0) {
            size_t newest = world->held - 1 - rest.data[0] / 8 % 4;
            reply_with(world, world->ids[newest % HELD_MAX], span_of(rest.data + 1, rest.size - 1));
        }
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t seed[RNG_SEED_SIZE] = {1};
    struct rng rng;
    rng_seed(&rng, seed);
    struct gate_config config = {.network = {.chain_id = 31337},
        .providers = PROVIDERS,
        .tokens_max = 4,
        .members_max = 8,
        .wallets = 6,
        .trust = size % 2 == 0 ? TRUST_POLICY_QUORUM : TRUST_POLICY_PROOF,
        .logs_ms = 1000,
        .grace_ms = 1000};
    struct world world = {.now = {.mono = {1}, .unix_time = {1800000000000}}};
    ASSERT(gate_create(&config, &rng, &world.gate) == OK);
    struct span rest = span_of(data, size);
    for (size_t i = 0; rest.size > 0 && i < STEPS_MAX; i++) {
        step(&world, rest);
        hold_calls(&world);
        rest = span_of(rest.data + 1, rest.size - 1);
    }
    (void)(gate_state_import(world.gate, world.now, span_of(data, size)) == OK);
    gate_destroy(world.gate);
    return 0;
}

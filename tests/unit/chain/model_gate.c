// SPDX-License-Identifier: GPL-3.0-or-later
//
// The gate in front of the model chain: carries its calls there and the answers back, moves the
// clock, keeps its events; and the people who claim seats.
#include "tests/unit/chain/model.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

static void answer(struct model *model, const struct gate_call *call)
{
    struct model_reply reply;
    model_answer(model, call->provider, call->id, call->body, &reply);
    if (reply.comes) {
        gate_on_reply(model->gate, model->now, call->id, &reply.reply);
    }
    model_reply_clear(&reply);
}

static void collect_events(struct model *model)
{
    struct gate_event event;
    while (gate_next_event(model->gate, &event)) {
        assert_true(model->event_count < MODEL_EVENTS_MAX);
        model->events[model->event_count++] = event;
    }
}

// Takes all calls that are to be made, then answers them: on a network they overlap.
static size_t answer_round(struct model *model)
{
    enum { ROUND_MAX = 128 };
    static struct gate_call held[ROUND_MAX];
    static uint8_t *bodies[ROUND_MAX];
    size_t count = 0;
    struct gate_call call;
    while (count < ROUND_MAX && gate_next_call(model->gate, model->now, &call)) {
        uint8_t *body = malloc(call.body.size);
        assert_non_null(body);
        memcpy(body, call.body.data, call.body.size);
        held[count] = call;
        held[count].body.data = body;
        bodies[count++] = body;
    }
    size_t answered = count;
    while (count > 0) { // in another order than they were asked, the same in each run
        model->shuffle = model->shuffle * 6364136223846793005U + 1442695040888963407U;
        size_t place = (size_t)(model->shuffle >> 33) % count;
        answer(model, &held[place]);
        free(bodies[place]);
        count--;
        held[place] = held[count];
        bodies[place] = bodies[count];
    }
    return answered;
}

void model_settle(struct model *model)
{
    size_t calls = 0;
    size_t round;
    while ((round = answer_round(model)) > 0) {
        calls += round;
        assert_true(calls < 5000); // or the gate asks without end
    }
    collect_events(model);
}

void model_advance(struct model *model, uint64_t ms)
{
    uint64_t end_ms = model->now.mono.ms + ms;
    for (size_t steps = 0; steps < 100000; steps++) {
        gate_on_deadline(model->gate, model->now);
        model_settle(model);
        struct mono next = gate_next_deadline(model->gate);
        assert_true(next.ms > model->now.mono.ms); // or the loop would spin
        if (next.ms > end_ms) {
            break;
        }
        model->now.unix_time.ms += next.ms - model->now.mono.ms;
        model->now.mono = next;
    }
    model->now.unix_time.ms += end_ms - model->now.mono.ms;
    model->now.mono.ms = end_ms;
}

static struct rng test_rng(void)
{
    struct rng rng;
    static const uint8_t seed[RNG_SEED_SIZE] = {1, 2, 3};
    rng_seed(&rng, seed);
    return rng;
}

void model_start(struct model *model, struct gate_config config, size_t providers)
{
    struct rng rng = test_rng();
    config.network = model_network();
    config.providers = providers;
    config.tokens_max = config.tokens_max == 0 ? 16 : config.tokens_max;
    model->config = config;
    model->now = (struct now){
        .unix_time = {.ms = (uint64_t)MODEL_START_S * 1000 + 600000}, .mono = {.ms = 600000}};
    for (size_t i = 0; i < providers; i++) {
        model->providers[i].chain_id = config.network.chain_id;
    }
    assert_int_equal(gate_create(&config, &rng, &model->gate), OK);
}

void model_restart(struct model *model)
{
    size_t size = gate_state_size_max(model->gate);
    uint8_t *state = malloc(size);
    assert_non_null(state);
    struct writer writer = writer_of(state, size);
    assert_int_equal(gate_state_export(model->gate, model->now, &writer), OK);
    gate_destroy(model->gate);
    struct rng rng = test_rng();
    assert_int_equal(gate_create(&model->config, &rng, &model->gate), OK);
    assert_int_equal(gate_state_import(model->gate, model->now, writer_written(&writer)), OK);
    free(state);
}

void model_stop(struct model *model)
{
    gate_destroy(model->gate);
    model->gate = NULL;
}

void model_forget_events(struct model *model)
{
    model->event_count = 0;
}

bool model_saw(const struct model *model, enum gate_event_kind kind, uint64_t token)
{
    struct token_id id = token_id_of_u64(token);
    for (size_t i = 0; i < model->event_count; i++) {
        if (model->events[i].kind == kind && token_id_equal(&model->events[i].token, &id)) {
            return true;
        }
    }
    return false;
}

struct eth_secret model_secret(uint8_t number)
{
    return (struct eth_secret){{[0] = 1, [31] = number}};
}

struct eth_address model_address(uint8_t number)
{
    struct eth_secret secret = model_secret(number);
    struct eth_address address;
    assert_int_equal(ecdsa_address(&secret, &address), OK);
    return address;
}

struct node_key model_node_key(uint8_t number)
{
    struct node_key key;
    memset(key.bytes, number, sizeof key.bytes);
    return key;
}

struct delegation model_delegation(
    const struct model *model, uint64_t token, uint8_t owner, uint8_t node)
{
    struct token_id id = token_id_of_u64(token);
    struct eth_address address = model_address(owner);
    struct node_key node_key = model_node_key(node);
    struct delegation delegation = delegation_draft(
        &id, &address, &node_key, model->now.unix_time, DELEGATION_WINDOW_DEFAULT_S);
    struct network network = model_network();
    struct eth_secret secret = model_secret(owner);
    assert_int_equal(delegation_sign(&delegation, &network, &secret), OK);
    return delegation;
}

struct verdict model_decide(struct model *model, const struct delegation *delegation)
{
    struct gate_claim claim = {.delegation = delegation, .sequence = 1};
    memset(claim.wg_key.bytes, delegation->node_key.bytes[0], sizeof claim.wg_key.bytes);
    return gate_decide(model->gate, model->now, &claim);
}

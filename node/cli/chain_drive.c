// SPDX-License-Identifier: GPL-3.0-or-later
//
// One turn of a machine on the HTTP edge. A call that the edge does not take is answered at once as
// unreachable, so that each call has its one reply.
#include "node/cli/chain_drive.h"

#include "base/clock_posix.h"

#include <poll.h>
#include <sodium.h>

static bool gate_call_of(void *self, struct now now, struct gate_call *ret)
{
    return gate_next_call(self, now, ret);
}

static void gate_reply_to(void *self, struct now now, uint64_t id, const struct rpc_reply *reply)
{
    gate_on_reply(self, now, id, reply);
}

static struct mono gate_deadline_of(const void *self)
{
    return gate_next_deadline(self);
}

static void gate_deadline_met(void *self, struct now now)
{
    gate_on_deadline(self, now);
}

struct chain_machine machine_of_gate(struct gate *gate)
{
    return (struct chain_machine){
        gate, gate_call_of, gate_reply_to, gate_deadline_of, gate_deadline_met};
}

static bool survey_call_of(void *self, struct now now, struct gate_call *ret)
{
    return survey_next_call(self, now, ret);
}

static void survey_reply_to(void *self, struct now now, uint64_t id, const struct rpc_reply *reply)
{
    survey_on_reply(self, now, id, reply);
}

static struct mono survey_deadline_of(const void *self)
{
    return survey_next_deadline(self);
}

static void survey_deadline_met(void *self, struct now now)
{
    survey_on_deadline(self, now);
}

struct chain_machine machine_of_survey(struct survey *survey)
{
    return (struct chain_machine){
        survey, survey_call_of, survey_reply_to, survey_deadline_of, survey_deadline_met};
}

static void send_calls(struct chain_http *http, const struct chain_machine *machine)
{
    static const struct rpc_reply unreachable = {.outcome = RPC_UNREACHABLE};
    struct gate_call call;
    struct now now = clock_now();
    while (machine->next_call(machine->self, now, &call)) {
        const struct chain_http_call post = {.id = call.id,
            .provider = call.provider,
            .body = call.body,
            .body_max = call.reply_max,
            .timeout_ms = call.timeout_ms};
        if (chain_http_submit(http, &post) != OK) {
            machine->on_reply(machine->self, now, call.id, &unreachable);
        }
    }
}

void chain_turn(struct chain_client *client, const struct chain_machine *machine, struct mono until)
{
    struct chain_http *http = chain_client_http(client);
    struct chain_http_reply reply;
    send_calls(http, machine);
    struct mono wake = mono_min(machine->next_deadline(machine->self), until);
    uint64_t wait_ms = mono_since(clock_mono(), wake);
    struct pollfd wanted = {.fd = chain_http_fd(http), .events = POLLIN};
    (void)poll(&wanted, 1, wait_ms < 1000 ? (int)wait_ms : 1000);
    chain_http_on_ready(http);
    while (chain_http_next_reply(http, &reply)) {
        struct rpc_reply taken = chain_http_rpc_reply(&reply);
        machine->on_reply(machine->self, clock_now(), reply.call_id, &taken);
    }
    struct now now = clock_now();
    if (mono_due(machine->next_deadline(machine->self), now.mono)) {
        machine->on_deadline(machine->self, now);
    }
}

struct rng chain_drive_rng(void)
{
    uint8_t seed[RNG_SEED_SIZE];
    struct rng rng;
    randombytes_buf(seed, sizeof seed);
    rng_seed(&rng, seed);
    return rng;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Runs the chain's pure machines (a gate, a survey) on the command's providers. The daemon does the
// same on its loop; here one turn after the other, between which the verb looks at what came.
#pragma once

#include "chain/survey.h"
#include "node/cli/chain_client.h"

// What the machines have in common; `self` is handed to each function.
struct chain_machine {
    void *self;
    bool (*next_call)(void *self, struct now now, struct gate_call *ret);
    void (*on_reply)(void *self, struct now now, uint64_t id, const struct rpc_reply *reply);
    struct mono (*next_deadline)(const void *self);
    void (*on_deadline)(void *self, struct now now);
};

struct chain_machine machine_of_gate(struct gate *gate);
struct chain_machine machine_of_survey(struct survey *survey);

// Sends what is due, waits for answers until the machine's next deadline, `until`, or a signal, and
// hands them over. The machine's providers are the client's, at the same indices.
void chain_turn(
    struct chain_client *client, const struct chain_machine *machine, struct mono until);

// A generator seeded by the kernel, for a machine's ids and pauses.
struct rng chain_drive_rng(void);

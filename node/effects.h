// SPDX-License-Identifier: GPL-3.0-or-later
//
// The effects of one input, in order, with the bytes they carry. The queue is emptied after every
// input, so it needs room for one input's worth only. What does not fit is counted and left out:
// every operation that expects an answer is repeated by its own timer, and the device's peers do
// not pass through here (node/peer.c keeps what the device should hold).
#pragma once

#include "node/node.h"

enum {
    EFFECTS_MAX = 96,
    EFFECT_BYTES_MAX = 24 * 1024,
};

struct effects {
    struct node_effect list[EFFECTS_MAX];
    uint8_t bytes[EFFECT_BYTES_MAX];
    uint16_t first;
    uint16_t count;
    uint16_t bytes_used;
    uint64_t dropped;
};

// Appends `effect` with a copy of its bytes.
void effects_push(struct effects *effects, const struct node_effect *effect);

void effects_report(struct effects *effects, const struct node_report *report);

// True and the oldest effect, or false; its bytes stay valid until the next push.
bool effects_pop(struct effects *effects, struct node_effect *ret);

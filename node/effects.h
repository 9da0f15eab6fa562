// SPDX-License-Identifier: GPL-3.0-or-later
//
// The effects of one input, in order, with the bytes they carry. What may come in any number
// (paths, intents, searches, news of the gate) is put here only while effects_has_room says so, and
// goes on when the queue has been drained; the reserve is for what an input causes by itself. What
// does not fit even so is counted and left out. The device's peers and calls to providers do not
// pass through here (node/peer.c and the gate keep what is wanted).
#pragma once

#include "node/node.h"

enum {
    EFFECTS_MAX = 72,
    EFFECTS_RESERVE = 32,
    EFFECT_BYTES_MAX = 11 * 1024,
    EFFECT_BYTES_RESERVE = 6 * 1024, // an intent by four ways takes 4.4 KiB
};

// struct node_effect without what never waits here.
struct effect_entry {
    enum node_effect_kind kind;
    uint16_t bytes_at;
    uint16_t bytes_size;
    union {
        struct node_report report; // EFFECT_REPORT
        struct {
            uint64_t op;
            uint64_t value_id;
            struct token_id token;
            struct eth_address owner;
            struct dht_key key;
            struct address to;
            enum node_port port;
            uint8_t ttl;
            bool flag;
        };
    };
};

struct effects {
    struct effect_entry list[EFFECTS_MAX];
    uint8_t bytes[EFFECT_BYTES_MAX];
    uint16_t first;
    uint16_t count;
    uint16_t bytes_used;
    uint64_t dropped;
};

// Appends `effect` with a copy of its bytes.
void effects_push(struct effects *effects, const struct node_effect *effect);

// True while what can wait may be pushed.
bool effects_has_room(const struct effects *effects);

void effects_report(struct effects *effects, const struct node_report *report);

// True and the oldest effect, or false; its bytes stay valid until the next push.
bool effects_pop(struct effects *effects, struct node_effect *ret);

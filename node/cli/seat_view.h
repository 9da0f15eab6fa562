// SPDX-License-Identifier: GPL-3.0-or-later
//
// One seat, looked at closely: the contract's word by a gate of its own, the record from the DHT,
// and what the gate says of that record. `info` and `verify` show it.
#pragma once

#include "dht/piece.h"
#include "node/cli/seats.h"

enum {
    SEAT_READ_MS = 12000,
    SEAT_RECORD_MS = 8000,
};

// What was found in the DHT.
enum seat_claim_kind {
    SEAT_NOT_SOUGHT = 0, // nobody to ask
    SEAT_NOT_ANSWERED,   // the DHT did not answer in time
    SEAT_NO_RECORD,
    SEAT_RECORD,
    SEAT_TOMBSTONE,
    SEAT_OWN_DELEGATION, // no record, but this instance keeps a delegation for the seat
};

struct seat_view {
    struct token_id token;
    struct gate *gate;
    struct gate_reading reading;
    bool has_detail;
    struct gate_detail detail;
    enum seat_claim_kind claim;
    struct record record; // RECORD and TOMBSTONE; OWN_DELEGATION: token, node key and delegation
    // With a claim:
    struct gate_check checks[GATE_CHECKS];
    struct verdict verdict;
};

// Reads the token, its record, and judges it. DONE, or an exit code after having said why; what
// stayed unknown is no failure. The view is all zero before.
int seat_view(struct seats_source *source, const struct token_id *token, struct seat_view *ret);

// Accepts one that is all zero.
void seat_view_clear(struct seat_view *view);

static inline bool seat_has_claim(const struct seat_view *view)
{
    return view->claim >= SEAT_RECORD;
}

// Finds the token by what names a node: the node id in the contract, else a node key (64 hex
// digits) or WireGuard key (base64), for which all seats are listed. DONE, or an exit code after
// having said that there is none.
int seat_find(struct seats_source *source, const char *node, struct token_id *ret);

// Whether the seat's node goes by that name; UNKNOWN where nothing is known to compare it with.
enum verdict_kind seat_is_node(const struct seat_view *view, const char *node);

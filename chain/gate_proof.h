// SPDX-License-Identifier: GPL-3.0-or-later
//
// Proven owners, for the files of the gate: gate_proof.c (whom to ask for what, headers, readings),
// gate_proof_take.c (what a batch of proofs shows), gate_place.c (where the contract keeps owners).
//
// One provider at a time, the prover, gives [newest block, proof, newest block] in one batch. What
// it shows is *pending* until k providers, the prover among them, have named the same hash for the
// block under whose state root it holds; then it is *proven*, for as long as any answer counts.
#pragma once

#include "chain/gate.h"
#include "chain/slot.h"

enum {
    GATE_PROOF_TOKENS = 64, // in one batch
    GATE_PROOF_CALLS = 2,   // under way at one prover
    GATE_PLACES = 5,
    GATE_PLACE_TOKENS = 4,
    GATE_PLACE_SLOTS = 2 + GATE_PLACES * GATE_PLACE_TOKENS,
    GATE_PROOF_SLOTS = 1 + GATE_PROOF_TOKENS,
    GATE_HEADERS = 8,
};

// The code that the contract runs: its own and, of a proxy, where that finds the rest (ERC-1967).
struct gate_code {
    struct hash256 hash;
    struct storage_slot implementation; // the slot's value; zero: no proxy
};

// What the proofs rest on. Persisted.
struct gate_pin {
    bool pinned;
    struct storage_slot place; // the number of the slot of mapping(uint256 => address)
    struct gate_code code;
};

// The place of a token in the table; stale once the place holds another one.
struct gate_ref {
    uint16_t slot;
    uint16_t generation;
};

struct gate_header_ref {
    uint8_t place;
    uint16_t generation;
};

struct gate_shown {
    bool held;
    struct eth_address owner; // zero: nobody
    uint64_t block_number;
    uint64_t block_time_s;
    struct mono read_at;
};

// One for each place in the table of tokens.
struct gate_row {
    struct gate_shown proven;
    struct gate_shown pending; // until `header` is agreed on
    struct gate_header_ref header;
    uint64_t asked_by; // the newest call that holds it; 0 = none
    bool due;
};

// A block whose hash the providers are asked for. Capacity GATE_HEADERS; the oldest makes room, and
// what waited for it is asked again.
struct gate_header {
    bool used;
    bool agreed;
    uint8_t prover;
    uint16_t generation;
    uint64_t number;
    uint64_t time_s;
    struct hash256 hash;
    struct gate_code code; // of the contract under its state root
    uint8_t yes;           // masks of providers: they named this hash,
    uint8_t no;            // another one,
    uint8_t asked;         // are being asked,
    uint8_t later;         // did not have that block yet
    struct mono later_at;
    struct mono hedge_at; // from then on those being asked are not waited for
    bool impatient;
    struct mono until;
};

struct gate_search {
    struct mono due;
    uint64_t asked_by;
    bool held; // a result waits for `header`
    struct gate_header_ref header;
    struct gate_ref refs[GATE_PLACE_TOKENS];
    struct eth_address owners[GATE_PLACE_TOKENS];
    uint8_t count;
    uint8_t fits; // mask of places that hold these owners
    bool beacon;  // the contract's code is named by another contract
    bool foreign; // the code has been seen, and is none whose place is known
};

struct gate_proof {
    enum proof_standing standing;
    bool announce;
    struct gate_row *rows;
    struct gate_header headers[GATE_HEADERS];
    struct gate_search search;
    struct gate_code changed_to; // while the standing is PROOF_CHANGED
    struct mono changed_at;
    bool gathering; // the place is found; proofs are demanded once they have come
    struct mono gather_until;
    size_t prover;                         // who is asked first
    struct mono pause[GATE_PROVIDERS_MAX]; // not asked for proofs until then
    uint8_t unserved;                      // masks of providers: they refuse eth_getProof,
    uint8_t unknown_header;                // have headers with fields unknown here
    uint32_t failures;                     // in a row
    struct mono retry_at;
    bool waiting; // retry_at lies ahead
    struct mono poll_due;
    struct mono agreed_at; // newest header agreed on
    uint64_t block;
    uint16_t chunk; // tokens in a batch
};

// gate_proof.c
struct gate;
struct gate_inflight;
enum status gate_proof_create(struct gate *gate);
void gate_proof_destroy(struct gate *gate);
size_t gate_proof_body_size(void);
void gate_proof_clear_row(struct gate *gate, size_t slot);
void gate_proof_want(struct gate *gate, size_t slot, struct mono now, uint64_t age_ms);
bool gate_proof_call(
    struct gate *gate, size_t provider, struct mono now, struct gate_inflight *call);
// The call has got its id and goes out.
void gate_proof_sent(struct gate *gate, const struct gate_inflight *call);
bool gate_header_call(struct gate *gate, size_t provider, struct gate_inflight *call);
void gate_header_write(const struct gate_inflight *call, struct writer *writer);
// The call came to nothing: another prover is asked next, this one not for `pause_ms`.
void gate_proof_failed(
    struct gate *gate, struct now now, const struct gate_inflight *call, uint64_t pause_ms);
// The provider is well but does not take this call: asked for less if it was too large.
void gate_proof_refused(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_reply *reply);
void gate_header_failed(struct gate *gate, struct now now, const struct gate_inflight *call);
void gate_header_reply(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_answer *answer);
struct mono gate_proof_next_deadline(const struct gate *gate);
void gate_proof_on_deadline(struct gate *gate, struct now now);
void gate_proof_network_change(struct gate *gate, struct now now);
// A provider's word on a token was stored: if it is newer than the proof and differs, the next
// proof is brought forward.
void gate_proof_on_word(struct gate *gate, size_t slot, size_t provider, struct mono now);
// A log of that block names the token: a proof of an older one is not enough any more.
void gate_proof_on_log(struct gate *gate, size_t slot, uint64_t block_number);
bool gate_proof_active(const struct gate *gate); // proofs are demanded
// What is proven of the token's owner and counts now, or NULL.
const struct gate_shown *gate_proof_of(const struct gate *gate, size_t slot, struct mono now);
// Whether a proof of this token is on its way.
bool gate_proof_pending(const struct gate *gate, size_t slot, struct mono now);
// The reading of the token, where proofs are demanded, from what the quorum says.
struct gate_reading gate_proof_reading(
    const struct gate *gate, size_t slot, struct mono now, const struct gate_reading *by_quorum);
// For the other two files:
void gate_proof_set_standing(struct gate *gate, enum proof_standing standing);
// The header of that hash, made if need be and agreed on at once where k is 1.
struct gate_header_ref gate_header_of(struct gate *gate, struct now now, size_t prover,
    uint64_t number, uint64_t time_s, const struct hash256 *hash, const struct gate_code *code);
const struct gate_header *gate_header_at(const struct gate *gate, struct gate_header_ref ref);
// Acts on what waited for the header, if it is agreed on.
void gate_header_settle(struct gate *gate, struct now now, struct gate_header_ref ref);

// gate_proof_take.c
void gate_proof_write(
    const struct gate *gate, const struct gate_inflight *call, struct writer *writer);
// Reads a reply to a batch of proofs. RPC_RESULT: it was taken, or the prover failed at proving.
// Anything else is for those who judge the provider's health.
enum rpc_verdict gate_proof_reply(struct gate *gate, struct now now,
    const struct gate_inflight *call, const struct rpc_reply *reply);

// gate_place.c
struct storage_slot gate_place_number(size_t place);
struct storage_slot gate_place_implementation(void);
struct storage_slot gate_place_beacon(void);
// Whether the place is to be looked for now, with which tokens.
bool gate_search_begin(struct gate *gate, struct mono now);
// What was pinned before a restart: from here on a yes needs a proof again.
void gate_pin_import(struct gate *gate, const struct gate_pin *pin);
// A token's owner has become known.
void gate_search_on_reading(struct gate *gate, struct mono now);
// Concludes from what the search's header, now agreed on, shows.
void gate_search_conclude(struct gate *gate, struct now now, const struct gate_header *header);
// The contract's code as k providers' block shows it. False if it is not what is pinned: then
// nothing that was proven of owners means anything any more.
bool gate_place_check(struct gate *gate, struct now now, const struct gate_header *header);
// Proofs are demanded once all watched owners are proven, or after a while.
void gate_place_gather(struct gate *gate, struct mono now);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// How a verb writes to the chain: one transaction, planned, shown, agreed to, signed, kept in the
// journal, sent to all providers, and waited for.
//
//     struct transact *transact = NULL;
//     int result = transact_open(cli, network.chain_id, &transact);
//     ...                                   // build call data, with transact_sender if need be
//     result = transact_run(transact, &call, &receipt);
//     if (result == DONE) { ... say what it came to ... }
//     transact_receipt_clear(&receipt);
//     transact_close(transact);
//
// Killed at any point, the next command finds in the journal what was under way, sends the very
// same bytes again, and waits for it: transact_open does that. If the command is the same, i.e. its
// call is, transact_run then returns that outcome and sends nothing. A verb must therefore not look
// at the chain for whether its call still makes sense: it would find it done. transact_run does, in
// its order.
//
// Options of the verb that count here: TRANSACT_OPTIONS in verbs.c.
#pragma once

#include "chain/transaction.h"
#include "node/cli/chain_client.h"

struct transact;

// What is to happen.
struct transact_call {
    const char *purpose; // a few words, e.g. "register node-1": for people, and the journal
    const char *warning; // shown before it asks; NULL = none
    bool creates;        // `data` makes a contract
    struct eth_address to;
    struct span data;
};

// What came of it.
struct transact_receipt {
    struct hash256 hash;
    uint64_t block;
    uint64_t gas_used;
    struct wei cost;
    struct eth_address contract; // that was created
    json_t *logs;                // of the transaction; owned. NULL after --dry-run
    bool dry_run;                // nothing was sent
};

// Takes the journal's lock, opens the providers and the signer, and first of all brings to its end
// what the journal says is under way (with --replace: with higher fees). DONE, or an exit code
// after having said why; TIMED_OUT if what is under way stays so.
int transact_open(struct cli *cli, uint64_t chain_id, struct transact **ret);

// Accepts NULL.
void transact_close(struct transact *transact);

struct chain_client *transact_client(const struct transact *transact);

// Who will sign and pay.
struct eth_address transact_sender(const struct transact *transact);

// Does it. Refuses, with the contract's own reason, a call that would revert, and one that the
// account cannot pay. DONE once --confirmations blocks hold it, or after --dry-run; else an exit
// code after having said why: TIMED_OUT if it is still under way after --timeout. The receipt is to
// be cleared either way.
int transact_run(
    struct transact *transact, const struct transact_call *call, struct transact_receipt *ret);

void transact_receipt_clear(struct transact_receipt *receipt);

// The members that each verb's result has under --json: hash, block, gas_used, cost_wei.
json_t *transact_receipt_json(const struct transact_receipt *receipt);

// What a contract reverts with, by name and arguments, for people: "NodeIdTaken(tokenId 7)".
// `data` NULL or empty: "without a reason".
enum {
    REVERT_TEXT_SIZE = 400,
};
void revert_format(struct span data, char ret[static REVERT_TEXT_SIZE]);

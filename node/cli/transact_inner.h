// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the parts of transact.h share: planning (transact_plan.c), sending and waiting
// (transact_wait.c), words (transact_text.c), and their order (transact.c).
#pragma once

#include "node/cli/journal.h"
#include "node/cli/signer.h"
#include "node/cli/transact.h"

struct transact {
    struct cli *cli;
    struct chain_client *client;
    struct journal *journal;
    struct signer *signer;
    struct eth_address sender;
    uint64_t confirmations;
    uint64_t timeout_ms;
    uint64_t fee_cap; // --max-fee in wei; 0 = none
    // What was under way when this command began, and what came of it.
    struct journal_entry entry;
    struct transact_receipt settled;
    bool has_settled; // the entry was mined, and did not revert
    bool reverted;    // the entry was mined, and did
};

// --- transact_plan.c ---

// What will be signed, and what the user is told of it.
struct plan {
    struct transaction transaction;
    struct wei balance;
    struct wei data_fee; // of an OP-stack chain for layer 1; 0 elsewhere
    uint64_t base_fee;
    uint64_t gas_estimate;
    uint64_t waiting; // transactions of the account that are not mined yet
};

// Nonce, fees, gas and balance; refuses what would revert or cannot be paid.
int plan_make(struct transact *transact, const struct transact_call *call, struct plan *ret);

// Fees as the chain asks for them now, in `transaction`.
int plan_fees(struct transact *transact, struct transaction *transaction, uint64_t *ret_base_fee);

// --- transact_text.c ---

void plan_say(
    const struct transact *transact, const struct transact_call *call, const struct plan *plan);
json_t *transaction_json(const struct transaction *transaction);
// One object on a line, with --json alone: {"event": name, ...}; takes over the reference.
void say_event(const struct transact *transact, const char *name, json_t *members);
void hash_format(const struct hash256 *hash, char ret[static 67]);

// --- transact_wait.c ---

enum outcome {
    OUTCOME_MINED,
    OUTCOME_REVERTED,
    OUTCOME_REPLACED, // its nonce was used by another transaction: it can never be mined
    OUTCOME_WAITING,  // still under way when the time was over
};

enum sending {
    SENDING_TAKEN,   // a provider has it
    SENDING_UNKNOWN, // none said so, but one may have it
    SENDING_REFUSED, // each of them refuses it
};
enum {
    SENDING_TEXT_SIZE = CHAIN_CLIENT_TEXT_SIZE + CHAIN_CLIENT_NAME_SIZE + 200,
};

// Sends the entry's newest version to all providers. `ret_text` says why it is not SENDING_TAKEN.
enum sending wait_send(struct transact *transact, const struct journal_entry *entry,
    char ret_text[static SENDING_TEXT_SIZE]);

// Waits for any version of the entry, sending it again from time to time. `ret` is filled for
// OUTCOME_MINED and OUTCOME_REVERTED.
enum outcome wait_for(
    struct transact *transact, const struct journal_entry *entry, struct transact_receipt *ret);

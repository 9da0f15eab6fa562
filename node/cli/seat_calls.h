// SPDX-License-Identifier: GPL-3.0-or-later
//
// Calls of the network's contract by several verbs.
#pragma once

#include "dht/manifest.h"
#include "node/cli/transact.h"

// The network that the verb is about, before anything is asked of the chain. DONE, or an exit code
// after having said why.
int seat_network(struct cli *cli, struct manifest *ret);

// setPublicKey: puts `key` on chain for a token of the signer's, in place of the one that is there;
// NULL clears it. For contracts of the profile dstack-access that have it, as ours; others are an
// error that says so. As transact_run.
int seat_set_public_key(struct transact *transact, const struct network *network,
    const struct token_id *token, const struct wg_key *key, struct transact_receipt *ret);

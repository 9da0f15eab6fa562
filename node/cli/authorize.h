// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the parts of `deedmesh authorize` share: what is to be signed (authorize.c), by which way
// (authorize_ways.c), whether what came back is the owner's signature (authorize_accept.c), and
// where it is kept (authorize_keep.c). Each step returns DONE, or an exit code after having said
// why.
#pragma once

#include "chain/eip712.h"
#include "dht/manifest.h"
#include "node/cli/signer.h"

struct authorization {
    struct token_id token;
    struct manifest manifest;
    struct node_key node_key;
    struct eth_address owner;
    bool has_owner;
    struct signer *signer; // NULL where a wallet elsewhere signs
    uint64_t days;
    struct state_delegation result; // the draft, then the delegation
};

// The delegation in `result`, signed by the owner, by the way that the command line names. With
// --print it stays a draft.
int authorize_obtain(
    struct cli *cli, const struct state *state, struct authorization *authorization);

// Takes a signature over the draft in `result`, in hex as a wallet returns it.
int authorize_accept(struct cli *cli, struct authorization *authorization, const char *signature);

// Stores the delegation, says so, and has a running daemon take it up.
int authorize_keep(
    struct cli *cli, const struct state *state, const struct authorization *authorization);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the parts of `deedmesh authorize` share: what is to be signed (authorize.c), who owns the
// token (authorize_owner.c), by which way it is signed (authorize_ways.c, authorize_browser.c),
// whether what came back is the owner's signature (authorize_accept.c), and where it is kept
// (authorize_keep.c). Each step returns DONE, or an exit code after having said why.
#pragma once

#include "chain/eip712.h"
#include "dht/manifest.h"
#include "node/cli/chain_client.h"
#include "node/cli/signer.h"

struct authorization {
    struct token_id token;
    struct manifest manifest;
    struct node_key node_key;
    struct chain_client *client; // NULL where no provider is known, or --offline
    struct eth_address owner;
    bool has_owner;
    struct signer *signer; // NULL where a wallet elsewhere signs
    uint64_t window_s;     // how long it holds unless --days says otherwise; 0 = as usual
    bool longest;          // as long as the network allows, unless --days says otherwise
    uint64_t epoch_min_s;  // not signed before; 0 = whenever
    uint64_t days;
    bool contract_wallet;           // where nobody can be asked, the owner is one
    struct eth_address registry;    // of delegates of the owner; zero = none
    struct state_delegation result; // the draft, then the delegation
};

// Everything from the owner's name to the signed delegation in `result`, for the token, network and
// node key that are set (a zero key makes a tombstone). With --print it stays a draft.
int authorize_sign(struct cli *cli, const struct state *state, struct authorization *authorization);
// Wipes and frees, whatever came of it.
void authorize_end(struct authorization *authorization);

// Opens `client` where there are providers, and asks them who owns the token: that is the owner,
// and refused is who was named as owner and is not. Where nobody can say, the stated owner stands.
int authorize_ask_owner(struct cli *cli, struct authorization *authorization);

// The delegation in `result`, signed by the owner, by the way that the command line names. With
// --print it stays a draft.
int authorize_obtain(
    struct cli *cli, const struct state *state, struct authorization *authorization);

// A page on loopback that asks a wallet in the user's browser to sign the draft in `result`.
int authorize_in_browser(struct cli *cli, struct authorization *authorization);

// Why a signature is not accepted.
struct refusal {
    const char *code; // static
    char text[512];
};

// Takes a signature over the draft in `result`, in hex as a wallet returns it. True, or false with
// the reason: nothing has been said then, since the user may try again.
bool authorize_accept(
    struct authorization *authorization, const char *signature, struct refusal *ret);

// Stores the delegation, says so, and has a running daemon take it up.
int authorize_keep(
    struct cli *cli, const struct state *state, const struct authorization *authorization);

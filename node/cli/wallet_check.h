// SPDX-License-Identifier: GPL-3.0-or-later
//
// Signatures over a draft that are not by the owner's key: whether the owner is a contract wallet
// that accepts them, or the signer a delegate of the owner, is asked of the chain before anything
// is stored.
#pragma once

#include "node/cli/authorize.h"

enum wallet_answer {
    WALLET_ACCEPTED, // kind and signature are in `result`
    WALLET_REFUSED,  // and why
    WALLET_NONE,     // the owner is no contract: what it is instead, the caller knows
};

// What the configuration and the command line say of wallets goes into `authorization`.
int wallet_options(struct cli *cli, struct authorization *authorization);

enum wallet_answer wallet_check(
    struct authorization *authorization, struct span signature, struct refusal *ret);

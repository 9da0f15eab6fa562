// SPDX-License-Identifier: GPL-3.0-or-later
//
// The one way in which verbs sign with a wallet's key, wherever it is kept: --key-file, --keystore
// (password from the terminal or --password-fd), or --agent. Never argv. deedmesh(1), SIGNING, has
// the rules for users and the agent's protocol.
#pragma once

#include "chain/ecdsa.h"
#include "node/cli/cli.h"

struct signer;

// Whether the command line names a signer.
bool signer_is_named(const struct cli *cli);

// Opens what the command line names; asks for a keystore's password, and an agent for its address.
// DONE and *ret, or an exit code after having said why; USAGE_ERROR if it names none, or several.
// Close it with signer_close.
int signer_open(struct cli *cli, struct signer **ret);

// Wipes the key. Accepts NULL.
void signer_close(struct signer *signer);

// Whose signatures it makes.
struct eth_address signer_address(const struct signer *signer);

enum signer_method {
    SIGN_TYPED_DATA,  // EIP-712; `shown` is the typed data, an object
    SIGN_TEXT,        // EIP-191; `shown` is the text, a string
    SIGN_TRANSACTION, // `shown` is an object with the transaction's fields
};

// What is to be signed. The signature covers the digest; `shown`, which stays the caller's, is for
// an agent to show to its user, and to compute the digest from again.
struct signer_request {
    enum signer_method method;
    struct hash256 digest;
    json_t *shown;
};

// r | s | v, with v 27 or 28; it has been verified to be signer_address's over the digest. An
// agent may take up to --agent-timeout. DONE, or an exit code after having said why.
int signer_sign(struct cli *cli, struct signer *signer, const struct signer_request *request,
    uint8_t ret[static ECDSA_SIGNATURE_SIZE]);

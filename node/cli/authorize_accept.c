// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whether what came back from a wallet is the owner's signature over what was asked for.
#include "node/cli/authorize.h"

#include "base/text.h"
#include "chain/eip55.h"

// What a wallet signed if it was not what we asked for: helps to find the wrong account.
static int complain_signature(
    struct cli *cli, const struct state_delegation *draft, struct span signature)
{
    struct eth_address signer;
    char wants[ETH_ADDRESS_TEXT_SIZE];
    char has[ETH_ADDRESS_TEXT_SIZE];
    struct hash256 digest = delegation_digest(&draft->delegation, &draft->network);
    eip55_format(&draft->delegation.owner, wants);
    enum status status = ecdsa_recover(&digest, signature, &signer);
    if (status == OK) {
        eip55_format(&signer, has);
        return complain(cli, FAILED, "wrong_signer",
            "the signature is not %s's over this data (it recovers to %s); sign the last typed "
            "data that was printed, with the owner's account",
            wants, has);
    }
    return complain(cli, FAILED, "malformed",
        "this is not a signature that can be used: %s; expected 65 bytes in hex as "
        "eth_signTypedData_v4 returns them",
        status_text(status));
}

int authorize_accept(struct cli *cli, struct authorization *authorization, const char *signature)
{
    uint8_t bytes[ECDSA_SIGNATURE_SIZE];
    struct state_delegation *draft = &authorization->result;
    if (hex_parse(span_of_text(signature), bytes, sizeof bytes) != OK) {
        return complain(
            cli, FAILED, "malformed", "the signature: expected 65 bytes, 0x and 130 hex digits");
    }
    if (delegation_accept_signature(
            &draft->delegation, &draft->network, span_of(bytes, sizeof bytes)) != OK) {
        return complain_signature(cli, draft, span_of(bytes, sizeof bytes));
    }
    return DONE;
}

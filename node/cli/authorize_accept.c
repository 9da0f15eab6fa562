// SPDX-License-Identifier: GPL-3.0-or-later
//
// Whether what came back from a wallet is the owner's signature over what was asked for.
#include "node/cli/authorize.h"

#include "base/text.h"
#include "chain/eip55.h"
#include "node/cli/wallet_check.h"

#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 3, 4))) static bool refuse(
    struct refusal *ret, const char *code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    ret->code = code;
    (void)vsnprintf(ret->text, sizeof ret->text, format, arguments);
    va_end(arguments);
    return false;
}

// What a wallet signed if it was not what we asked for: helps to find the wrong account.
static bool refuse_signature(
    const struct state_delegation *draft, struct span signature, struct refusal *ret)
{
    struct eth_address signer;
    char wants[ETH_ADDRESS_TEXT_SIZE];
    char has[ETH_ADDRESS_TEXT_SIZE];
    struct hash256 digest = delegation_digest_of(&draft->delegation, &draft->network);
    eip55_format(&draft->delegation.owner, wants);
    enum status status = ecdsa_recover(&digest, signature, &signer);
    if (status == OK) {
        eip55_format(&signer, has);
        return refuse(ret, "wrong_signer",
            "the signature is not %s's over this data (it recovers to %s); sign what was shown "
            "last, with the owner's account",
            wants, has);
    }
    return refuse(ret, "malformed",
        "this is not a signature that can be used: %s; expected 65 bytes in hex as "
        "eth_signTypedData_v4 or personal_sign returns them",
        status_text(status));
}

bool authorize_accept(
    struct authorization *authorization, const char *signature, struct refusal *ret)
{
    uint8_t bytes[WALLET_SIGNATURE_MAX];
    struct state_delegation *draft = &authorization->result;
    struct span text = span_of_text(signature);
    size_t digits = text.size >= 2 && text.data[1] == 'x' ? text.size - 2 : text.size;
    size_t size = digits / 2;
    if (size == 0 || size > sizeof bytes || hex_parse(text, bytes, size) != OK) {
        return refuse(ret, "malformed",
            "the signature: expected 65 bytes, 0x and 130 hex digits; or what a contract wallet "
            "gives, at most %d bytes",
            WALLET_SIGNATURE_MAX);
    }
    struct span span = span_of(bytes, size);
    if (delegation_accept_signature(&draft->delegation, &draft->network, span) == OK) {
        return true;
    }
    switch (wallet_check(authorization, span, ret)) {
    case WALLET_ACCEPTED:
        return true;
    case WALLET_REFUSED:
        return false;
    case WALLET_NONE:
        break;
    }
    return refuse_signature(draft, span, ret);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who owns the token, asked of the chain where somebody can be asked: so that nobody is sent to a
// wallet that cannot help.
#include "node/cli/authorize.h"

#include "chain/abi.h"
#include "chain/eip55.h"

#include <inttypes.h>
#include <string.h>

static void owner_of_call(const struct token_id *token, uint8_t ret[static 4 + ABI_WORD])
{
    struct writer writer = writer_of(ret, 4 + ABI_WORD);
    write_u32(&writer, abi_owner_of);
    write_bytes(&writer, token->bytes, sizeof token->bytes);
    ASSERT(writer_finish(&writer) == OK);
}

static int take_answer(
    struct cli *cli, struct authorization *authorization, const struct chain_read *read)
{
    char owner[ETH_ADDRESS_TEXT_SIZE];
    char named[ETH_ADDRESS_TEXT_SIZE];
    char contract[ETH_ADDRESS_TEXT_SIZE];
    struct eth_address address;
    const char *token = cli->arguments.operands[0];
    const struct network *network = &authorization->manifest.network;
    eip55_format(&network->contract, contract);
    if (read->verdict == CHAIN_SILENT || read->verdict == CHAIN_LEFT_OUT) {
        warn("deedmesh: the RPC providers do not agree on who owns token %s, or did not answer; it "
             "was not checked",
            token);
        return DONE;
    }
    if (read->verdict == CHAIN_REVERTED) {
        return complain(cli, FAILED, "no_token",
            "token %s does not exist in contract %s on chain %" PRIu64 " (--offline signs for it "
            "all the same)",
            token, contract, network->chain_id);
    }
    if (abi_read_address(span_of(read->data, read->size), 0, &address) != OK) {
        return complain(cli, FAILED, "no_contract",
            "there is no ERC-721 contract at %s on chain %" PRIu64 " (its ownerOf answers no "
            "address)",
            contract, network->chain_id);
    }
    eip55_format(&address, owner);
    if (authorization->has_owner && !eth_address_equal(&address, &authorization->owner)) {
        eip55_format(&authorization->owner, named);
        return complain(cli, FAILED, "not_owner",
            "token %s belongs to %s, not to %s; have its owner sign (--offline signs all the same)",
            token, owner, named);
    }
    authorization->owner = address;
    authorization->has_owner = true;
    return DONE;
}

int authorize_ask_owner(struct cli *cli, struct authorization *authorization)
{
    uint8_t call[4 + ABI_WORD];
    struct chain_read read = {0};
    const struct network *network = &authorization->manifest.network;
    if (cli->arguments.offline) {
        return DONE;
    }
    int result = chain_client_open_if_any(cli, network->chain_id, &authorization->client);
    if (result != DONE) {
        warn("deedmesh: --offline goes on without asking who owns the token");
        return result;
    }
    if (authorization->client == NULL) {
        return DONE;
    }
    owner_of_call(&authorization->token, call);
    chain_client_read(authorization->client, &network->contract, span_of(call, sizeof call), &read);
    result = take_answer(cli, authorization, &read);
    chain_read_clear(&read);
    return result;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh contract deploy`: a seat contract of one's own.
#include "chain/contracts/seat_code.h"
#include "chain/eip55.h"
#include "chain/keccak.h"
#include "node/cli/transact.h"

#include <inttypes.h>
#include <stdlib.h>

// What stands at the address now must be what every deployment of the contract has.
static int check_code(
    struct cli *cli, const struct transact *transact, const struct eth_address *contract)
{
    struct chain_answer answer = {0};
    char text[ETH_ADDRESS_TEXT_SIZE];
    uint8_t *code = NULL;
    size_t size = 0;
    int result = DONE;
    eip55_format(contract, text);
    chain_client_ask(transact_client(transact), "eth_getCode",
        json_pack("[o, s]", json_of_eth_address(contract), "latest"), &answer);
    if (answer.verdict != CHAIN_RESULT || !json_data(answer.result, &code, &size)) {
        result = chain_client_complain(transact_client(transact), &answer, "the contract's code");
    } else {
        struct hash256 hash = keccak256(span_of(code, size));
        if (!hash256_equal(&hash, &seat_code_hash)) {
            result = complain(cli, FAILED, "code",
                "%s: the transaction was mined, but the code there is not the seat contract's; do "
                "not use it, and ask another RPC provider",
                text);
        }
    }
    free(code);
    chain_answer_clear(&answer);
    return result;
}

static int say_deployed(struct cli *cli, uint64_t chain_id, const struct transact_receipt *receipt)
{
    char contract[ETH_ADDRESS_TEXT_SIZE];
    eip55_format(&receipt->contract, contract);
    if (cli->arguments.json) {
        json_t *object = transact_receipt_json(receipt);
        (void)json_object_set_new(object, "chain_id", json_integer((json_int_t)chain_id));
        (void)json_object_set_new(object, "contract", json_string(contract));
        print_json(object);
    } else {
        say("The contract stands at %s. Start its network with:\n\n"
            "    deedmesh init --chain-id %" PRIu64 " --contract %s --profile dstack-access "
            "--rpc URL",
            contract, chain_id, contract);
    }
    return DONE;
}

int verb_contract_deploy(struct cli *cli)
{
    struct transact *transact = NULL;
    struct transact_receipt receipt = {0};
    uint64_t chain_id = 0;
    if (cli->arguments.chain_id == NULL) {
        return complain(cli, USAGE_ERROR, "usage",
            "on which chain? e.g. `deedmesh contract deploy --chain-id 8453 --rpc URL --key-file "
            "FILE`");
    }
    if (!number_option(cli, "--chain-id", cli->arguments.chain_id, 1, INT64_MAX, 0, &chain_id)) {
        return USAGE_ERROR;
    }
    int result = transact_open(cli, chain_id, &transact);
    if (result != DONE) {
        return result;
    }
    struct transact_call call = {
        .purpose = "deploy a seat contract",
        .warning = "The account that signs becomes the contract's owner: it alone mints and "
                   "revokes seats.",
        .creates = true,
        .data = seat_creation_code,
    };
    result = transact_run(transact, &call, &receipt);
    if (result == DONE && !receipt.dry_run) {
        result = check_code(cli, transact, &receipt.contract);
    }
    if (result == DONE && !receipt.dry_run) {
        result = say_deployed(cli, chain_id, &receipt);
    }
    transact_receipt_clear(&receipt);
    transact_close(transact);
    return result;
}

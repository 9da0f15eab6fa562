// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh authorize`: the token owner's delegation to this node. This file gathers what is to be
// signed; how the signature comes about, is accepted and kept stands beside it (authorize_*.c).
#include "node/cli/authorize.h"

#include "chain/eip55.h"
#include "node/cli/network.h"
#include "node/cli/wallet_check.h"

#include <sodium.h>

enum {
    DAYS_DEFAULT = 90,
    DAYS_MAX = 365,
    DAY_S = 24 * 3600,
};

static int take_owner(struct cli *cli, struct authorization *authorization)
{
    const char *text = cli->arguments.owner;
    if (text == NULL) {
        return DONE;
    }
    enum status status = eip55_parse(span_of_text(text), &authorization->owner);
    if (status != OK) {
        return complain(cli, USAGE_ERROR, "usage", "--owner %s: %s", text,
            status == ERR_MISMATCH
                ? "its checksum (upper and lower case) is wrong; was it mistyped?"
                : "expected an address, 0x and 40 hex digits");
    }
    authorization->has_owner = true;
    return DONE;
}

static int take_signer(struct cli *cli, struct authorization *authorization)
{
    char has[ETH_ADDRESS_TEXT_SIZE];
    char wants[ETH_ADDRESS_TEXT_SIZE];
    if (!signer_is_named(cli)) {
        return DONE;
    }
    int result = signer_open(cli, &authorization->signer);
    if (result != DONE) {
        return result;
    }
    struct eth_address address = signer_address(authorization->signer);
    if (authorization->has_owner && !eth_address_is_zero(&authorization->registry)) {
        return DONE; // perhaps a delegate: the registry is asked
    }
    if (authorization->has_owner && !eth_address_equal(&address, &authorization->owner)) {
        eip55_format(&address, has);
        eip55_format(&authorization->owner, wants);
        return complain(cli, FAILED, "wrong_owner",
            "the key is that of %s, not of the owner %s; nothing was signed", has, wants);
    }
    authorization->owner = address;
    authorization->has_owner = true;
    return DONE;
}

static int take_days(struct cli *cli, struct authorization *authorization)
{
    uint64_t most = authorization->manifest.delegation_window_days;
    most = most < DAYS_MAX ? most : DAYS_MAX;
    uint64_t otherwise = authorization->window_s / DAY_S;
    otherwise = authorization->longest ? most : otherwise == 0 ? DAYS_DEFAULT : otherwise;
    otherwise = otherwise < most ? otherwise : most;
    return number_option(
               cli, "--days", cli->arguments.days, 1, most, otherwise, &authorization->days)
               ? DONE
               : USAGE_ERROR;
}

static int take_node_key(
    struct cli *cli, const struct state *state, struct authorization *authorization)
{
    struct node_secret secret;
    struct state_error error;
    enum status status = state_node_key_read(state, &secret, &error);
    if (status == ERR_NOT_FOUND) {
        return complain(cli, FAILED, "no_keys", "%s has no keys yet; run `deedmesh keygen` first",
            cli->instance);
    }
    if (status != OK) {
        return complain_state(cli, status, &error);
    }
    authorization->node_key = node_secret_public(&secret);
    sodium_memzero(&secret, sizeof secret);
    return DONE;
}

// Options that belong to another way than the one that is named.
static int check_ways(struct cli *cli)
{
    const struct arguments *arguments = &cli->arguments;
    bool draws = arguments->qr || arguments->qr_file != NULL;
    bool signs = signer_is_named(cli);
    bool given = arguments->signature != NULL;
    if (signs + given + arguments->browser > 1) {
        return complain(cli, USAGE_ERROR, "usage",
            "a key that signs, --signature and --browser exclude each other");
    }
    if ((draws || arguments->print) && (given || arguments->browser)) {
        return complain(cli, USAGE_ERROR, "usage",
            "--print, --qr and --qr-file show what is to be signed; --signature and --browser do "
            "without");
    }
    if (draws && signs && !arguments->print) {
        return complain(cli, USAGE_ERROR, "usage",
            "--qr and --qr-file are for a wallet elsewhere, and here a key signs");
    }
    if ((arguments->port != NULL || arguments->timeout != NULL) && !arguments->browser) {
        return complain(cli, USAGE_ERROR, "usage", "--port and --timeout go with --browser");
    }
    return DONE;
}

int authorize_sign(struct cli *cli, const struct state *state, struct authorization *authorization)
{
    int result = check_ways(cli);
    if (result == DONE) {
        result = wallet_options(cli, authorization);
    }
    if (result == DONE) {
        result = take_owner(cli, authorization);
    }
    if (result == DONE) {
        result = authorize_ask_owner(cli, authorization);
    }
    if (result == DONE) {
        result = take_signer(cli, authorization);
    }
    if (result == DONE) {
        result = take_days(cli, authorization);
    }
    return result == DONE ? authorize_obtain(cli, state, authorization) : result;
}

void authorize_end(struct authorization *authorization)
{
    signer_close(authorization->signer);
    chain_client_close(authorization->client);
}

// What holds until now: a later delegation has a greater epoch, and with --renew the same owner and
// length unless the command line says otherwise.
static int take_present(
    struct cli *cli, const struct state *state, struct authorization *authorization)
{
    const char *token = cli->arguments.operands[0];
    struct state_delegation present;
    struct state_error error;
    const struct delegation *delegation = &present.delegation;
    enum status status = state_delegation_read(state, &authorization->token, &present, &error);
    if (status == ERR_NOT_FOUND && !cli->arguments.renew) {
        return DONE;
    }
    if (status == ERR_NOT_FOUND) {
        return complain(cli, FAILED, "no_delegation",
            "%s has no delegation for token %s to renew; run `deedmesh authorize %s`",
            cli->instance, token, token);
    }
    if (status != OK) {
        return complain_state(cli, status, &error);
    }
    authorization->epoch_min_s = delegation->epoch_s + 1;
    if (!cli->arguments.renew) {
        return DONE;
    }
    if (!node_key_equal(&delegation->node_key, &authorization->node_key)) {
        return complain(cli, FAILED, "other_key",
            "the delegation for token %s is for another node key than the one in %s; there is "
            "nothing to renew: run `deedmesh authorize %s`",
            token, state_path(state), token);
    }
    authorization->window_s = delegation->not_after_s - delegation->not_before_s;
    if (cli->arguments.owner == NULL && !signer_is_named(cli)) {
        authorization->owner = delegation->owner;
        authorization->has_owner = true;
    }
    return DONE;
}

int verb_authorize(struct cli *cli)
{
    struct authorization authorization = {0};
    int result = DONE;
    if (!token_option(cli, cli->arguments.operands[0], &authorization.token)) {
        return USAGE_ERROR;
    }
    struct state *state = open_state(cli, STATE_EXISTING, &result);
    if (state == NULL) {
        return result;
    }
    result = chosen_network(cli, state, &authorization.manifest);
    if (result == DONE) {
        result = take_node_key(cli, state, &authorization);
    }
    if (result == DONE) {
        result = take_present(cli, state, &authorization);
    }
    if (result == DONE) {
        result = authorize_sign(cli, state, &authorization);
    }
    if (result == DONE && !cli->arguments.print) {
        result = authorize_keep(cli, state, &authorization);
    }
    authorize_end(&authorization);
    state_close(state);
    return result;
}

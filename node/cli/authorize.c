// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh authorize`: the token owner's delegation to this node. Either the owner's key is here
// in a file, or the typed data goes to a wallet and the signature comes back, in this run or a
// later one: what was printed is kept as a draft, since a signature fits one wording only.
#include "base/text.h"
#include "chain/eip55.h"
#include "chain/eip712.h"
#include "node/cli/client.h"
#include "node/cli/network.h"
#include "node/cli/secret_file.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    DAYS_DEFAULT = 90,
    DAYS_MAX = 365,
    DAY_S = 24 * 3600,
    LINE_SIZE = 1024,
};

struct authorization {
    struct token_id token;
    struct manifest manifest;
    struct node_key node_key;
    struct eth_address owner;
    bool has_owner;
    struct eth_secret secret;
    bool has_secret;
    uint64_t days;
    struct state_delegation result;
};

// The network from the pinned manifest, or as the user names it where none is pinned yet.
static int take_network(
    struct cli *cli, const struct state *state, struct authorization *authorization)
{
    struct manifest *manifest = &authorization->manifest;
    struct network named;
    bool none = false;
    if (cli->arguments.chain_id == NULL && cli->arguments.contract == NULL) {
        return pinned_manifest(cli, state, manifest, NULL);
    }
    int result = network_option(cli, &named);
    if (result == DONE) {
        result = pinned_manifest(cli, state, manifest, &none);
    }
    if (result != DONE) {
        return result;
    }
    if (none) {
        manifest->network = named;
        manifest->delegation_window_days = MANIFEST_WINDOW_MAX_DAYS;
    } else if (named.chain_id != manifest->network.chain_id ||
               !eth_address_equal(&named.contract, &manifest->network.contract)) {
        return complain(cli, FAILED, "other_network",
            "%s belongs to another contract or chain; see `deedmesh status`, or use another "
            "instance (-i)",
            cli->instance);
    }
    return DONE;
}

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

static int take_secret(struct cli *cli, struct authorization *authorization)
{
    char text[SECRET_FILE_MAX];
    struct eth_address address;
    const char *path = cli->arguments.key_file;
    if (path == NULL) {
        return DONE;
    }
    int result = secret_file_read(cli, path, text);
    if (result == DONE && (hex_parse(span_of_text(text), authorization->secret.bytes, 32) != OK ||
                              ecdsa_address(&authorization->secret, &address) != OK)) {
        result =
            complain(cli, FAILED, "malformed", "%s: expected a private key, 64 hex digits", path);
    }
    sodium_memzero(text, sizeof text);
    if (result != DONE) {
        return result;
    }
    if (authorization->has_owner && !eth_address_equal(&address, &authorization->owner)) {
        char has[ETH_ADDRESS_TEXT_SIZE];
        char wants[ETH_ADDRESS_TEXT_SIZE];
        eip55_format(&address, has);
        eip55_format(&authorization->owner, wants);
        return complain(cli, FAILED, "wrong_owner",
            "%s is the key of %s, not of the stated owner %s; nothing was signed", path, has,
            wants);
    }
    authorization->owner = address;
    authorization->has_owner = true;
    authorization->has_secret = true;
    return DONE;
}

static int take_days(struct cli *cli, struct authorization *authorization)
{
    uint64_t most = authorization->manifest.delegation_window_days;
    most = most < DAYS_MAX ? most : DAYS_MAX;
    uint64_t otherwise = most < DAYS_DEFAULT ? most : DAYS_DEFAULT;
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

static void make_draft(struct authorization *authorization)
{
    struct unix_time now = {.ms = (uint64_t)time(NULL) * 1000};
    authorization->result.network = authorization->manifest.network;
    authorization->result.delegation = delegation_draft(&authorization->token,
        &authorization->owner, &authorization->node_key, now, authorization->days * DAY_S);
}

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

static int accept_signature(struct cli *cli, struct authorization *authorization, const char *text)
{
    uint8_t signature[ECDSA_SIGNATURE_SIZE];
    struct state_delegation *draft = &authorization->result;
    if (hex_parse(span_of_text(text), signature, sizeof signature) != OK) {
        return complain(
            cli, FAILED, "malformed", "the signature: expected 65 bytes, 0x and 130 hex digits");
    }
    struct span bytes = span_of(signature, sizeof signature);
    if (delegation_accept_signature(&draft->delegation, &draft->network, bytes) != OK) {
        return complain_signature(cli, draft, bytes);
    }
    return DONE;
}

static int print_draft(
    struct cli *cli, const struct state *state, const struct authorization *authorization)
{
    char typed[DELEGATION_TYPED_DATA_SIZE];
    struct state_error error;
    const struct state_delegation *draft = &authorization->result;
    enum status status = state_draft_write(state, draft, &error);
    if (status != OK) {
        return complain_state(cli, status, &error);
    }
    delegation_typed_data(&draft->delegation, &draft->network, typed);
    if (cli->arguments.json && cli->arguments.print) {
        print_json(json_pack("{s:o}", "typed_data", json_loads(typed, 0, NULL)));
    } else if (cli->arguments.json) {
        warn("%s", typed);
    } else {
        say("%s", typed);
    }
    (void)fflush(stdout);
    return DONE;
}

static int read_signature(struct cli *cli, char ret[static LINE_SIZE])
{
    char token[TOKEN_TEXT_SIZE];
    if (isatty(STDIN_FILENO) == 1) {
        warn("Sign this with the owner's wallet (eth_signTypedData_v4) and paste the signature:");
    }
    if (fgets(ret, LINE_SIZE, stdin) == NULL) {
        struct token_id id;
        if (token_id_parse(span_of_text(cli->arguments.operands[0]), &id) == OK) {
            token_id_format(&id, token);
        } else {
            token[0] = '\0';
        }
        return complain(cli, FAILED, "no_signature",
            "no signature came on standard input; sign the data above and run: deedmesh authorize "
            "%s --signature 0x...",
            token);
    }
    size_t size = strcspn(ret, " \t\r\n");
    ret[size] = '\0';
    return DONE;
}

// The signature of what an earlier run printed.
static int finish_draft(
    struct cli *cli, const struct state *state, struct authorization *authorization)
{
    struct state_error error;
    struct state_delegation *draft = &authorization->result;
    enum status status = state_draft_read(state, draft, &error);
    const struct network *network = &authorization->manifest.network;
    if (status != OK && status != ERR_NOT_FOUND) {
        return complain_state(cli, status, &error);
    }
    if (status == ERR_NOT_FOUND ||
        !token_id_equal(&draft->delegation.token, &authorization->token) ||
        !node_key_equal(&draft->delegation.node_key, &authorization->node_key) ||
        draft->network.chain_id != network->chain_id ||
        !eth_address_equal(&draft->network.contract, &network->contract) ||
        (authorization->has_owner &&
            !eth_address_equal(&draft->delegation.owner, &authorization->owner))) {
        return complain(cli, FAILED, "no_draft",
            "no typed data for this token, owner and node key has been printed before; run "
            "`deedmesh authorize %s --owner 0x...` and sign what it prints",
            cli->arguments.operands[0]);
    }
    return accept_signature(cli, authorization, cli->arguments.signature);
}

// By one of the three ways; the delegation is then in `authorization->result`.
static int obtain(struct cli *cli, const struct state *state, struct authorization *authorization)
{
    struct state_delegation *draft = &authorization->result;
    char line[LINE_SIZE];
    if (cli->arguments.signature != NULL) {
        return finish_draft(cli, state, authorization);
    }
    if (!authorization->has_owner) {
        return complain(cli, USAGE_ERROR, "usage",
            "who owns token %s? Name the wallet with --owner 0x..., or sign with --key-file FILE",
            cli->arguments.operands[0]);
    }
    make_draft(authorization);
    if (authorization->has_secret && !cli->arguments.print) {
        enum status status =
            delegation_sign(&draft->delegation, &draft->network, &authorization->secret);
        return status == OK ? DONE
                            : complain(cli, FAILED, "sign", "cannot sign: %s", status_text(status));
    }
    int result = print_draft(cli, state, authorization);
    if (result != DONE || cli->arguments.print) {
        return result;
    }
    result = read_signature(cli, line);
    return result == DONE ? accept_signature(cli, authorization, line) : result;
}

// A daemon that runs reads its delegations again; one that does not will.
static void tell_daemon(const struct cli *cli)
{
    int ignored = DONE;
    json_t *answer = NULL;
    struct client *client = client_open(cli, true, &ignored);
    if (client != NULL) {
        client_send(client, "reload", NULL);
        enum answer_kind kind = client_next(client, 2000, &answer);
        if (kind != ANSWER_RESULT) {
            warn("deedmesh: the running daemon did not take it up; restart it: deedmesh down, up");
        }
        json_decref(answer);
        client_close(client);
    }
}

static int keep(struct cli *cli, const struct state *state, const struct authorization *done)
{
    char token[TOKEN_TEXT_SIZE];
    char owner[ETH_ADDRESS_TEXT_SIZE];
    char node_key[2 * sizeof done->node_key.bytes + 1];
    char until[DURATION_TEXT_SIZE];
    struct state_error error;
    const struct delegation *delegation = &done->result.delegation;
    enum status status = state_delegation_write(state, &done->result, &error);
    if (status != OK) {
        return complain_state(cli, status, &error);
    }
    token_id_format(&delegation->token, token);
    eip55_format(&delegation->owner, owner);
    hex_format(span_of(delegation->node_key.bytes, sizeof delegation->node_key.bytes), node_key);
    date_format(delegation->not_after_s, until);
    if (cli->arguments.json) {
        print_json(json_pack("{s:s, s:s, s:s, s:I}", "token", token, "owner", owner, "node_key",
            node_key, "not_after", (json_int_t)delegation->not_after_s));
    } else {
        say("token %s: %s puts node key %s\nin its seat until %s.", token, owner, node_key, until);
    }
    tell_daemon(cli);
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
    result = take_network(cli, state, &authorization);
    if (result == DONE) {
        result = take_node_key(cli, state, &authorization);
    }
    if (result == DONE) {
        result = take_owner(cli, &authorization);
    }
    if (result == DONE) {
        result = take_secret(cli, &authorization);
    }
    if (result == DONE) {
        result = take_days(cli, &authorization);
    }
    if (result == DONE) {
        result = obtain(cli, state, &authorization);
    }
    if (result == DONE && !cli->arguments.print) {
        result = keep(cli, state, &authorization);
    }
    sodium_memzero(&authorization.secret, sizeof authorization.secret);
    state_close(state);
    return result;
}

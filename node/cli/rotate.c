// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh rotate`: a new node key with a new delegation, a new WireGuard key, or both. The next
// keys stand beside the present ones until they take their place (node/instance/next_keys.h), so a
// run that was cut short is gone on with by the next one, with the same keys. A daemon that runs
// takes them live.
#include "node/cli/authorize.h"

#include "base/text.h"
#include "chain/abi.h"
#include "node/cli/client.h"
#include "node/cli/network.h"
#include "node/cli/seat_calls.h"
#include "node/instance/next_keys.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    RELOAD_MS = 5000,
    SWITCH_MS = 60 * 1000, // the daemon reads the chain every second while it waits
    LOOK_MS = 200,
};

struct rotate {
    struct token_id token;
    char token_text[TOKEN_TEXT_SIZE];
    char *operands[1]; // the token: what is shared with `authorize` reads it there
    struct manifest manifest;
    struct state_delegation present;
    bool running; // a daemon of this instance
    char profile[32];
    char wg_key[WG_KEY_TEXT_SIZE]; // that the daemon uses
};

// --- what there is -------------------------------------------------------------------------------

static void look_at_daemon(struct cli *cli, struct rotate *rotate)
{
    int ignored = DONE;
    json_t *answer = NULL;
    struct client *client = client_open(cli, true, &ignored);
    if (client == NULL) {
        rotate->running = false;
        return;
    }
    client_send(client, "status", NULL);
    rotate->running = client_next(client, RELOAD_MS, &answer) == ANSWER_RESULT;
    if (rotate->running) {
        const json_t *network = json_object_get(answer, "network");
        (void)snprintf(rotate->wg_key, sizeof rotate->wg_key, "%s", json_text(answer, "wg_key"));
        (void)snprintf(rotate->profile, sizeof rotate->profile, "%s",
            json_is_object(network) ? json_text(network, "profile") : "detect");
        if (cli->arguments.operands_count == 0 &&
            token_id_parse(span_of_text(json_text(answer, "token")), &rotate->token) == OK) {
            token_id_format(&rotate->token, rotate->token_text);
        }
    }
    json_decref(answer);
    client_close(client);
}

static int choose_token(struct cli *cli, const struct state *state, struct rotate *rotate)
{
    struct token_id tokens[STATE_DELEGATIONS_MAX];
    struct state_error error;
    size_t count = 0;
    if (cli->arguments.operands_count > 0) {
        if (!token_option(cli, cli->arguments.operands[0], &rotate->token)) {
            return USAGE_ERROR;
        }
    } else if (rotate->token_text[0] == '\0') {
        enum status status = state_delegation_tokens(state, tokens, &count, &error);
        if (status != OK) {
            return complain_state(cli, status, &error);
        }
        if (count != 1) {
            return complain(cli, USAGE_ERROR, "usage",
                count == 0 ? "%s sits in no seat yet; run `deedmesh authorize TOKEN` first"
                           : "%s is authorized for several seats; name one: deedmesh rotate TOKEN",
                cli->instance);
        }
        rotate->token = tokens[0];
    }
    token_id_format(&rotate->token, rotate->token_text);
    rotate->operands[0] = rotate->token_text;
    cli->arguments.operands = rotate->operands;
    cli->arguments.operands_count = 1;
    return DONE;
}

static int read_present(struct cli *cli, const struct state *state, struct rotate *rotate)
{
    struct state_error error;
    enum status status = state_delegation_read(state, &rotate->token, &rotate->present, &error);
    if (status == ERR_NOT_FOUND) {
        return complain(cli, FAILED, "no_delegation",
            "%s has no delegation for token %s; run `deedmesh authorize %s`", cli->instance,
            rotate->token_text, rotate->token_text);
    }
    if (status == OK) {
        status = next_node_key_settle(state, &rotate->present.delegation.node_key, &error);
    }
    return status == OK ? DONE : complain_state(cli, status, &error);
}

static int reload(struct cli *cli, const struct rotate *rotate)
{
    int result = DONE;
    if (rotate->running) {
        json_decref(client_ask(cli, "reload", NULL, &result));
    }
    return result;
}

// --- node key ------------------------------------------------------------------------------------

static int next_node_key(struct cli *cli, const struct state *state, struct node_key *ret)
{
    struct node_secret secret;
    struct state_error error;
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
    enum status status = next_node_key_read(state, &secret, &error);
    if (status == ERR_NOT_FOUND) {
        (void)crypto_sign_keypair(public_key, secret.bytes);
        status = next_node_key_write_new(state, &secret, &error);
    }
    if (status == OK) {
        *ret = node_secret_public(&secret);
    }
    sodium_memzero(&secret, sizeof secret);
    return status == OK ? DONE : complain_state(cli, status, &error);
}

// Other seats that the old key was authorized for are lost with it.
static void warn_of_others(const struct state *state, const struct rotate *rotate)
{
    struct token_id tokens[STATE_DELEGATIONS_MAX];
    struct state_error error;
    size_t count = 0;
    enum status status = state_delegation_tokens(state, tokens, &count, &error);
    for (size_t i = 0; status == OK && i < count; i++) {
        char text[TOKEN_TEXT_SIZE];
        token_id_format(&tokens[i], text);
        if (!token_id_equal(&tokens[i], &rotate->token)) {
            warn("deedmesh: the delegation for token %s is for the old node key; run `deedmesh "
                 "authorize %s`",
                text, text);
        }
    }
}

static int rotate_node(struct cli *cli, const struct state *state, struct rotate *rotate)
{
    struct state_error error;
    const struct delegation *present = &rotate->present.delegation;
    struct authorization authorization = {.token = rotate->token,
        .manifest = rotate->manifest,
        .owner = present->owner,
        .has_owner = !signer_is_named(cli) && cli->arguments.owner == NULL,
        .window_s = present->not_after_s - present->not_before_s,
        .epoch_min_s = present->epoch_s + 1};
    int result = next_node_key(cli, state, &authorization.node_key);
    if (result == DONE) {
        result = authorize_sign(cli, state, &authorization);
    }
    if (result == DONE && !cli->arguments.print) {
        // From here on the new key counts.
        result = authorize_keep(cli, state, &authorization);
        enum status status = next_node_key_settle(state, &authorization.node_key, &error);
        if (result == DONE && status != OK) {
            result = complain_state(cli, status, &error);
        }
        warn_of_others(state, rotate);
    }
    authorize_end(&authorization);
    return result;
}

// --- WireGuard key -------------------------------------------------------------------------------

static int next_wg_key(struct cli *cli, const struct state *state, struct wg_key *ret)
{
    struct wg_secret secret;
    struct state_error error;
    enum status status = next_wg_key_read(state, &secret, &error);
    if (status == OK && cli->arguments.wg_key_file != NULL) {
        sodium_memzero(&secret, sizeof secret);
        return complain(cli, FAILED, "under_way",
            "another new WireGuard key waits already; go on with it without --wg-key-file, or "
            "give it up with `deedmesh rotate --wg --abandon`");
    }
    if (status == ERR_NOT_FOUND) {
        int result = keygen_wg_key(cli, &secret);
        if (result != DONE) {
            return result;
        }
        status = next_wg_key_write_new(state, &secret, &error);
    }
    if (status == OK) {
        *ret = wg_secret_public(&secret);
    }
    sodium_memzero(&secret, sizeof secret);
    return status == OK ? DONE : complain_state(cli, status, &error);
}

enum on_chain {
    CHAIN_HAS_NO_KEY, // the contract stores none for this token, or none at all
    CHAIN_HAS_OTHER,
    CHAIN_HAS_IT,
};

static enum on_chain read_access(struct span data, const struct wg_key *key)
{
    struct span text;
    struct wg_key stored;
    if (abi_read_bytes(data, 1, &text) != OK || text.size == 0) {
        return CHAIN_HAS_NO_KEY;
    }
    bool equal = wg_key_parse(text, &stored) == OK && wg_key_equal(&stored, key);
    return equal ? CHAIN_HAS_IT : CHAIN_HAS_OTHER;
}

// What the contract stores for the token.
static int look_at_chain(
    struct cli *cli, const struct rotate *rotate, const struct wg_key *key, enum on_chain *ret)
{
    struct chain_client *client = NULL;
    struct chain_read read = {0};
    uint8_t call[4 + ABI_WORD];
    struct writer writer = writer_of(call, sizeof call);
    int result = chain_client_open(cli, rotate->manifest.network.chain_id, &client);
    if (result != DONE) {
        return result;
    }
    write_u32(&writer, abi_node_access);
    write_bytes(&writer, rotate->token.bytes, sizeof rotate->token.bytes);
    chain_client_read(
        client, &rotate->manifest.network.contract, span_of(call, sizeof call), &read);
    *ret = CHAIN_HAS_NO_KEY;
    if (read.verdict == CHAIN_RESULT) {
        *ret = read_access(span_of(read.data, read.size), key);
    } else if (read.verdict != CHAIN_REVERTED) { // no such function: a plain ERC-721
        result = complain(cli, FAILED, "unknown",
            "the RPC providers do not agree on what the contract stores, or did not answer; "
            "nothing has changed, try again");
    }
    chain_read_clear(&read);
    chain_client_close(client);
    return result;
}

static int store_on_chain(struct cli *cli, const struct rotate *rotate, const struct wg_key *key)
{
    struct transact *transact = NULL;
    struct transact_receipt receipt = {0};
    const struct network *network = &rotate->manifest.network;
    int result = transact_open(cli, network->chain_id, &transact);
    if (result == DONE) {
        result = seat_set_public_key(transact, network, &rotate->token, key, &receipt);
    }
    transact_receipt_clear(&receipt);
    transact_close(transact);
    if (result != DONE) {
        warn("deedmesh: the new WireGuard key waits in %s; `deedmesh rotate --wg` goes on with it, "
             "with --abandon it is given up",
            cli->instance);
    }
    return result;
}

static int await_switch(struct cli *cli, struct rotate *rotate, const char *key)
{
    for (int waited_ms = 0; waited_ms < SWITCH_MS; waited_ms += LOOK_MS) {
        look_at_daemon(cli, rotate);
        if (!rotate->running) {
            return complain(cli, NO_DAEMON, "no_daemon",
                "the daemon of %s has ended; it takes the new WireGuard key when it starts",
                cli->instance);
        }
        if (strcmp(rotate->wg_key, key) == 0) {
            return DONE;
        }
        (void)usleep(LOOK_MS * 1000);
    }
    return complain(cli, TIMED_OUT, "timeout",
        "the daemon has not taken the new WireGuard key yet; it does when it reads the chain: see "
        "`deedmesh status`");
}

static int take_wg_key(
    struct cli *cli, const struct state *state, struct rotate *rotate, const char *key)
{
    struct state_error error;
    if (rotate->running) {
        int result = reload(cli, rotate);
        return result == DONE ? await_switch(cli, rotate, key) : result;
    }
    enum status status = next_wg_key_adopt(state, &error);
    return status == OK ? DONE : complain_state(cli, status, &error);
}

static int rotate_wg(struct cli *cli, const struct state *state, struct rotate *rotate)
{
    struct wg_key key;
    char text[WG_KEY_TEXT_SIZE];
    enum on_chain on_chain = CHAIN_HAS_NO_KEY;
    bool plain = rotate->manifest.profile == PROFILE_ERC721 ||
                 strcmp(rotate->profile, contract_profile_name(PROFILE_ERC721)) == 0;
    int result = next_wg_key(cli, state, &key);
    if (result == DONE && !plain) {
        result = look_at_chain(cli, rotate, &key, &on_chain);
    }
    if (result == DONE && on_chain == CHAIN_HAS_OTHER && !cli->arguments.dry_run) {
        result = reload(cli, rotate); // members are told before the transaction
    }
    if (result == DONE && on_chain == CHAIN_HAS_OTHER) {
        result = store_on_chain(cli, rotate, &key);
    }
    if (cli->arguments.dry_run) {
        return result;
    }
    wg_key_format(&key, text);
    if (result == DONE) {
        result = take_wg_key(cli, state, rotate, text);
    }
    if (result == DONE && cli->arguments.json) {
        print_json(json_pack("{s:s, s:s}", "token", rotate->token_text, "wg_key", text));
    } else if (result == DONE) {
        say("token %s: the node's WireGuard key is %s from now on.", rotate->token_text, text);
    }
    return result;
}

static int abandon(struct cli *cli, const struct state *state, const struct rotate *rotate)
{
    const struct arguments *arguments = &cli->arguments;
    struct state_error error;
    enum status status = OK;
    if (arguments->node || !arguments->wg) {
        status = state_remove(state, STATE_NODE_KEY_NEXT, &error);
        status = status == ERR_NOT_FOUND ? OK : status;
    }
    if (status == OK && arguments->wg) {
        status = state_remove(state, STATE_WG_KEY_NEXT, &error);
        status = status == ERR_NOT_FOUND ? OK : status;
    }
    return status == OK ? reload(cli, rotate) : complain_state(cli, status, &error);
}

int verb_rotate(struct cli *cli)
{
    const struct arguments *arguments = &cli->arguments;
    struct rotate rotate = {.profile = "detect"};
    int result = DONE;
    if (arguments->wg_key_file != NULL && !arguments->wg) {
        return complain(cli, USAGE_ERROR, "usage", "--wg-key-file goes with --wg");
    }
    struct state *state = open_state(cli, STATE_EXISTING, &result);
    if (state == NULL) {
        return result;
    }
    look_at_daemon(cli, &rotate);
    result = choose_token(cli, state, &rotate);
    if (result == DONE) {
        result = chosen_network(cli, state, &rotate.manifest);
    }
    if (result == DONE) {
        result = read_present(cli, state, &rotate);
    }
    if (result == DONE && arguments->abandon) {
        result = abandon(cli, state, &rotate);
        goto out;
    }
    if (result == DONE && (arguments->node || !arguments->wg)) {
        result = rotate_node(cli, state, &rotate);
    }
    if (result == DONE && arguments->wg) {
        result = rotate_wg(cli, state, &rotate);
    }
out:
    state_close(state);
    return result;
}

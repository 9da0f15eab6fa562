// SPDX-License-Identifier: GPL-3.0-or-later
//
// How the owner comes to sign: with a key that is here, or the typed data goes to a wallet and the
// signature comes back, in this run or a later one: what was printed is kept as a draft, since a
// signature fits one wording only.
#include "node/cli/authorize.h"

#include "base/text.h"
#include "node/cli/qr.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    DAY_S = 24 * 3600,
    LINE_SIZE = 9 * 1024, // a contract wallet's signature of 4,096 bytes in hex
};

static void make_draft(const struct cli *cli, struct authorization *authorization)
{
    uint64_t now_s = (uint64_t)time(NULL);
    now_s = now_s > authorization->epoch_min_s ? now_s : authorization->epoch_min_s;
    struct unix_time now = {.ms = now_s * 1000};
    authorization->result.network = authorization->manifest.network;
    authorization->result.delegation = delegation_draft(&authorization->token,
        &authorization->owner, &authorization->node_key, now, authorization->days * DAY_S);
    authorization->result.delegation.kind =
        cli->arguments.text ? DELEGATION_EIP191 : DELEGATION_EIP712;
}

// What the wallet is to sign, as typed data or as text.
static void format_draft(
    const struct state_delegation *draft, char ret[static DELEGATION_TYPED_DATA_SIZE])
{
    if (draft->delegation.kind == DELEGATION_EIP191) {
        delegation_text(&draft->delegation, &draft->network, ret);
    } else {
        delegation_typed_data(&draft->delegation, &draft->network, ret);
    }
}

static int draw_draft(struct cli *cli, const char *text)
{
    int result = DONE;
    if (cli->arguments.qr_file != NULL) {
        result = qr_write(cli, text, cli->arguments.qr_file);
    }
    if (result == DONE && cli->arguments.qr) {
        result = qr_print(cli, text);
    }
    return result;
}

static int print_draft(
    struct cli *cli, const struct state *state, const struct authorization *authorization)
{
    char text[DELEGATION_TYPED_DATA_SIZE];
    struct state_error error;
    const struct state_delegation *draft = &authorization->result;
    enum status status = state_draft_write(state, draft, &error);
    if (status != OK) {
        return complain_state(cli, status, &error);
    }
    format_draft(draft, text);
    if (cli->arguments.json && cli->arguments.print) {
        print_json(cli->arguments.text
                       ? json_pack("{s:s}", "text", text)
                       : json_pack("{s:o}", "typed_data", json_loads(text, 0, NULL)));
    } else if (cli->arguments.json) {
        warn("%s", text);
    } else {
        say("%s", text);
    }
    (void)fflush(stdout);
    return draw_draft(cli, text);
}

static int read_signature(struct cli *cli, char ret[static LINE_SIZE])
{
    char token[TOKEN_TEXT_SIZE];
    if (isatty(STDIN_FILENO) == 1) {
        warn("Sign this with the owner's wallet (%s) and paste the signature:",
            cli->arguments.text ? "personal_sign" : "eth_signTypedData_v4");
    }
    if (fgets(ret, LINE_SIZE, stdin) == NULL) {
        struct token_id id;
        if (token_id_parse(span_of_text(cli->arguments.operands[0]), &id) == OK) {
            token_id_format(&id, token);
        } else {
            token[0] = '\0';
        }
        return complain(cli, FAILED, "no_signature",
            "no signature came on standard input; sign the data above and run: deedmesh %s %s "
            "--signature 0x...",
            cli->verb, token);
    }
    size_t size = strcspn(ret, " \t\r\n");
    ret[size] = '\0';
    return DONE;
}

static int take_signature(
    struct cli *cli, struct authorization *authorization, const char *signature)
{
    struct refusal refusal;
    return authorize_accept(authorization, signature, &refusal)
               ? DONE
               : complain(cli, FAILED, refusal.code, "%s", refusal.text);
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
            "`deedmesh %s %s --owner 0x...` and sign what it prints",
            cli->verb, cli->arguments.operands[0]);
    }
    return take_signature(cli, authorization, cli->arguments.signature);
}

// With a key that is at hand.
static int sign_draft(struct cli *cli, struct authorization *authorization)
{
    char text[DELEGATION_TYPED_DATA_SIZE];
    uint8_t signature[ECDSA_SIGNATURE_SIZE];
    struct state_delegation *draft = &authorization->result;
    bool is_text = draft->delegation.kind == DELEGATION_EIP191;
    format_draft(draft, text);
    struct signer_request request = {
        .method = is_text ? SIGN_TEXT : SIGN_TYPED_DATA,
        .digest = delegation_digest_of(&draft->delegation, &draft->network),
        .shown = is_text ? json_string(text) : json_loads(text, 0, NULL),
    };
    int result = signer_sign(cli, authorization->signer, &request, signature);
    json_decref(request.shown);
    if (result == DONE) {
        // The signer has verified that it is its own; it may be a delegate of the owner.
        char hex[2 * sizeof signature + 1];
        hex_format(span_of(signature, sizeof signature), hex);
        result = take_signature(cli, authorization, hex);
    }
    return result;
}

// By one of these ways; the delegation is then in `authorization->result`.
int authorize_obtain(
    struct cli *cli, const struct state *state, struct authorization *authorization)
{
    char line[LINE_SIZE];
    if (cli->arguments.signature != NULL) {
        return finish_draft(cli, state, authorization);
    }
    if (!authorization->has_owner) {
        return complain(cli, USAGE_ERROR, "usage",
            "who owns token %s? Name the wallet with --owner 0x..., an RPC provider to ask with "
            "--rpc URL, or a key with --key-file, --keystore or --agent",
            cli->arguments.operands[0]);
    }
    make_draft(cli, authorization);
    if (authorization->signer != NULL && !cli->arguments.print) {
        return sign_draft(cli, authorization);
    }
    if (cli->arguments.browser) {
        return authorize_in_browser(cli, authorization);
    }
    int result = print_draft(cli, state, authorization);
    if (result == DONE && cli->arguments.print && isatty(STDERR_FILENO) == 1) {
        warn("Sign it with the owner's wallet (%s), then: deedmesh %s %s --signature 0x...",
            cli->arguments.text ? "personal_sign" : "eth_signTypedData_v4", cli->verb,
            cli->arguments.operands[0] != NULL ? cli->arguments.operands[0] : "");
    }
    if (result != DONE || cli->arguments.print) {
        return result;
    }
    result = read_signature(cli, line);
    return result == DONE ? take_signature(cli, authorization, line) : result;
}

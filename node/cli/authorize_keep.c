// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where a delegation is kept, and who is told of it.
#include "node/cli/authorize.h"

#include "base/text.h"
#include "chain/eip55.h"
#include "node/cli/client.h"

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

int authorize_keep(
    struct cli *cli, const struct state *state, const struct authorization *authorization)
{
    char token[TOKEN_TEXT_SIZE];
    char owner[ETH_ADDRESS_TEXT_SIZE];
    char node_key[2 * sizeof authorization->node_key.bytes + 1];
    char until[DURATION_TEXT_SIZE];
    struct state_error error;
    const struct delegation *delegation = &authorization->result.delegation;
    enum status status = state_delegation_write(state, &authorization->result, &error);
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

// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh retire`: the owner's tombstone for whatever node key sits in a token's seat: a
// delegation of node key zero, signed like any other. It goes to the daemon of this machine, which
// tells the others and keeps it in the DHT; without one, into the DHT directly. A contract wallet's
// long signature goes with it, in pieces.
#include "node/cli/authorize.h"

#include "base/text.h"
#include "chain/eip55.h"
#include "dht/piece.h"
#include "node/cli/client.h"
#include "node/cli/dht_client.h"
#include "node/cli/network.h"

#include <string.h>
#include <unistd.h>

enum {
    PUT_MS = 20 * 1000,
    READ_BACK_MS = 10 * 1000,
    ASK_AGAIN_MS = 500, // until the daemon has read the chain
    ASK_TIMES = 12,
    DAEMON_MS = 5000,
};

struct tombstone_value {
    uint8_t bytes[RECORD_MAX_SIZE];
    size_t size;
};

static int encode(
    struct cli *cli, const struct authorization *authorization, struct tombstone_value *ret)
{
    struct network_keys keys;
    struct record record = {
        .token = authorization->token, .delegation = authorization->result.delegation};
    int result = dht_client_configured_keys(cli, &authorization->manifest.network, &keys);
    if (result != DONE) {
        return result;
    }
    enum status status = record_encode(&keys, NULL, &record, ret->bytes, &ret->size);
    network_keys_wipe(&keys);
    return status == OK ? DONE
                        : complain(cli, FAILED, "internal", "the tombstone cannot be encoded: %s",
                              status_text(status));
}

static void say_retired(struct cli *cli, const struct authorization *authorization, const char *by,
    const char *counts, double told)
{
    char token[TOKEN_TEXT_SIZE];
    char owner[ETH_ADDRESS_TEXT_SIZE];
    char until[DURATION_TEXT_SIZE];
    const struct delegation *delegation = &authorization->result.delegation;
    token_id_format(&delegation->token, token);
    eip55_format(&delegation->owner, owner);
    date_format(delegation->not_after_s, until);
    if (cli->arguments.json) {
        print_json(json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:i}", "token", token, "owner", owner,
            "epoch", (json_int_t)delegation->epoch_s, "not_after",
            (json_int_t)delegation->not_after_s, "by", by, "counts", counts, "told", (int)told));
        return;
    }
    say("token %s: %s has retired the node in its seat.", token, owner);
    if (told > 0) {
        say("%.0f members were told at once; the others learn of it from them and from the DHT.",
            told);
    } else {
        say("It lies in the DHT; members obey it when they see it there.");
    }
    say("It holds until %s. To take the seat again: `deedmesh rotate %s` on the node.", until,
        token);
}

// The daemon's answer to `retire`, once it has read the chain.
static int ask_daemon(struct cli *cli, struct client *client,
    const struct authorization *authorization, const struct tombstone_value *value)
{
    char token[TOKEN_TEXT_SIZE];
    char hex[2 * RECORD_MAX_SIZE + 1];
    char signature[2 * PIECE_CONTENT_MAX + 1];
    token_id_format(&authorization->token, token);
    hex_format(span_of(value->bytes, value->size), hex);
    hex_format(state_delegation_signature(&authorization->result), signature);
    for (int i = 0;; i++) {
        json_t *answer = NULL;
        client_send(client, "retire",
            json_pack("{s:s, s:s, s:s}", "token", token, "tombstone", hex, "signature", signature));
        enum answer_kind kind = client_next(client, DAEMON_MS, &answer);
        if (kind != ANSWER_RESULT) {
            return client_complain(cli, kind, answer);
        }
        const char *counts = json_text(answer, "counts");
        int result = DONE;
        if (strcmp(counts, "no") == 0) {
            result = complain(cli, FAILED, "refused", "the network would refuse it: %s",
                json_text(answer, "why"));
        } else if (strcmp(counts, "yes") != 0 && i < ASK_TIMES) {
            json_decref(answer);
            (void)usleep(ASK_AGAIN_MS * 1000);
            continue;
        } else {
            if (strcmp(counts, "yes") != 0) {
                warn("deedmesh: this node cannot read the chain (%s); it hands the tombstone on "
                     "all the same",
                    json_text(answer, "why"));
            }
            say_retired(cli, authorization, "daemon", counts, json_amount(answer, "told", 0));
        }
        json_decref(answer);
        return result;
    }
}

static enum status put_pieces(struct dht_client *client, struct span signature)
{
    struct pieces pieces = {.count = 0};
    enum status status = OK;
    if (signature.size > 0) {
        pieces_cut(signature, &pieces);
    }
    for (size_t i = 0; i < pieces.count && status == OK; i++) {
        struct dht_key key = key_of_piece(pieces.list[i]);
        uint64_t id = value_id_of_bytes(pieces.list[i]);
        status = dht_client_put_wait(client, &key, id, pieces.list[i], PUT_MS);
    }
    return status;
}

static int put(struct cli *cli, const struct state *state,
    const struct authorization *authorization, const struct tombstone_value *value)
{
    struct dht_client *client = NULL;
    struct record found;
    int result =
        dht_client_open(cli, state, &authorization->manifest.network, DHT_CLIENT_JOIN_MS, &client);
    if (result != DONE) {
        return result;
    }
    const struct delegation *delegation = &authorization->result.delegation;
    struct span bytes = span_of(value->bytes, value->size);
    struct dht_key key = key_of_record(dht_client_keys(client), &authorization->token);
    enum status status = put_pieces(client, state_delegation_signature(&authorization->result));
    if (status == OK) {
        status = dht_client_put_wait(client, &key, value_id_of_bytes(bytes), bytes, PUT_MS);
    }
    // Those next to the key acknowledge what they refuse, too: what lies there tells.
    if (status == OK) {
        status = dht_client_record(
            client, &authorization->token, &delegation->owner, READ_BACK_MS, &found);
        bool there = status == OK && record_is_tombstone(&found);
        bool later = status == OK && found.delegation.epoch_s > delegation->epoch_s;
        status = there ? OK : later ? ERR_EXISTS : ERR_NOT_FOUND;
    }
    dht_client_close(client);
    if (status == ERR_EXISTS) {
        return complain(cli, FAILED, "outranked",
            "a node with a later delegation by %s sits there already; check the clocks, and retire "
            "it again if it is meant, too",
            "its owner");
    }
    if (status != OK) {
        return complain(cli, FAILED, "not_stored",
            "no node of the DHT keeps the tombstone: %s; does its signer own the token?",
            status_text(status));
    }
    say_retired(cli, authorization, "dht", "unknown", 0);
    return DONE;
}

static int publish(
    struct cli *cli, const struct state *state, const struct authorization *authorization)
{
    struct tombstone_value value = {.size = 0};
    int ignored = DONE;
    int result = encode(cli, authorization, &value);
    if (result != DONE) {
        return result;
    }
    struct client *client =
        cli->arguments.bootstrap == NULL ? client_open(cli, true, &ignored) : NULL;
    if (client == NULL) {
        return put(cli, state, authorization, &value);
    }
    result = ask_daemon(cli, client, authorization, &value);
    client_close(client);
    return result;
}

int verb_retire(struct cli *cli)
{
    struct authorization authorization = {.longest = true};
    int result = DONE;
    if (!token_option(cli, cli->arguments.operands[0], &authorization.token)) {
        return USAGE_ERROR;
    }
    // Not only on a node: an owner's machine keeps nothing there but what was printed to be signed.
    struct state *state = open_state(cli, STATE_CREATE, &result);
    if (state == NULL) {
        return result;
    }
    result = chosen_network(cli, state, &authorization.manifest);
    if (result == DONE) {
        result = authorize_sign(cli, state, &authorization);
    }
    if (result == DONE && !cli->arguments.print) {
        result = publish(cli, state, &authorization);
    }
    authorize_end(&authorization);
    state_close(state);
    return result;
}

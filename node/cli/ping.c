// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh ping`, `resolve` and `wait`: questions that take a while.
#include "node/cli/client.h"

#include <stdio.h>
#include <string.h>

enum {
    SLACK_MS = 5000, // beyond the time that the daemon itself was given
};

typedef void (*event_print)(const struct cli *cli, const json_t *event);

// Asks and prints events as they come. The result, or NULL after having said why.
static json_t *converse(const struct cli *cli, const char *verb, json_t *args, int timeout_ms,
    event_print print, int *ret_exit)
{
    struct client *client = client_open(cli, false, ret_exit);
    if (client == NULL) {
        json_decref(args);
        return NULL;
    }
    client_send(client, verb, args);
    for (;;) {
        json_t *answer = NULL;
        enum answer_kind kind = client_next(client, timeout_ms, &answer);
        if (kind == ANSWER_EVENT) {
            if (cli->arguments.json) {
                print_json(answer);
            } else {
                print(cli, answer);
                json_decref(answer);
                (void)fflush(stdout);
            }
            continue;
        }
        client_close(client);
        if (kind == ANSWER_RESULT) {
            return answer;
        }
        *ret_exit = client_complain(cli, kind, answer);
        return NULL;
    }
}

// --- ping ---

static void print_ping(const struct cli *cli, const json_t *event)
{
    const char *endpoint = json_string_value(json_object_get(event, "endpoint"));
    double sequence = json_amount(event, "sequence", 0);
    if (json_is_true(json_object_get(event, "lost"))) {
        say("%s: %.0f lost: %s", cli->arguments.operands[0], sequence, json_text(event, "why"));
        return;
    }
    say("%s: %.0f %s%s%s %.1f ms", cli->arguments.operands[0], sequence, json_text(event, "path"),
        endpoint != NULL ? " " : "", endpoint != NULL ? endpoint : "",
        json_amount(event, "rtt_ms", 0));
}

static int ping_exit(const json_t *result)
{
    const char *path = json_text(result, "path");
    if (json_amount(result, "received", 0) < 1 || strcmp(path, "down") == 0) {
        return UNREACHABLE;
    }
    return strcmp(path, "direct") == 0 ? DONE : FAILED;
}

static void print_ping_summary(const json_t *result)
{
    const json_t *rtt = json_object_get(result, "rtt_ms");
    const char *why = json_string_value(json_object_get(result, "why"));
    say("%.0f sent, %.0f answered%s%s", json_amount(result, "sent", 0),
        json_amount(result, "received", 0), why != NULL && why[0] != '\0' ? "; " : "",
        why != NULL ? why : "");
    if (json_is_object(rtt) && json_amount(result, "received", 0) > 0) {
        say("round trip min/avg/max %.1f/%.1f/%.1f ms", json_amount(rtt, "min", 0),
            json_amount(rtt, "avg", 0), json_amount(rtt, "max", 0));
    }
}

int verb_ping(struct cli *cli)
{
    const struct arguments *arguments = &cli->arguments;
    uint64_t count = 0;
    uint64_t timeout_s = 0;
    int result = UNREACHABLE;
    if (!number_option(cli, "--count", arguments->count, 1, 100000, 4, &count) ||
        !number_option(cli, "--timeout", arguments->timeout, 1, 60, 2, &timeout_s)) {
        return USAGE_ERROR;
    }
    json_t *args = json_pack("{s:s, s:I, s:b, s:I}", "peer", arguments->operands[0], "count",
        (json_int_t)count, "until_direct", (int)arguments->until_direct, "timeout_ms",
        (json_int_t)timeout_s * 1000);
    json_t *answer =
        converse(cli, "ping", args, (int)(timeout_s * 1000) + SLACK_MS, print_ping, &result);
    if (answer == NULL) {
        // 1 would say "relayed".
        return result == NO_DAEMON ? NO_DAEMON : UNREACHABLE;
    }
    result = ping_exit(answer);
    if (arguments->json) {
        print_json(answer);
        return result;
    }
    print_ping_summary(answer);
    json_decref(answer);
    return result;
}

// --- resolve ---

static void print_nothing(const struct cli *, const json_t *)
{
}

static void print_record(const json_t *record)
{
    const json_t *candidates = json_object_get(record, "candidates");
    char until[DURATION_TEXT_SIZE];
    date_format((uint64_t)json_amount(record, "delegation_not_after", 0), until);
    say("owner          %s (delegation until %s)", json_text(record, "owner"), until);
    say("keys           node %s\n               WireGuard %s", json_text(record, "node_key"),
        json_text(record, "wg_key"));
    date_format((uint64_t)json_amount(record, "not_after", 0), until);
    say("record         sequence %s, until %s, NAT %s%s%s", json_text(record, "sequence"), until,
        json_text(record, "nat"), json_is_true(json_object_get(record, "relay")) ? ", relays" : "",
        json_is_true(json_object_get(record, "entry")) ? ", entry point" : "");
    for (size_t i = 0; i < json_array_size(candidates); i++) {
        const json_t *candidate = json_array_get(candidates, i);
        say("%s %s %s", i == 0 ? "candidates    " : "              ", json_text(candidate, "kind"),
            json_text(candidate, "address"));
    }
}

int verb_resolve(struct cli *cli)
{
    const char *token = cli->arguments.operands[0];
    struct token_id id;
    uint64_t timeout_s = 0;
    int result = FAILED;
    if (!token_option(cli, token, &id) ||
        !number_option(cli, "--timeout", cli->arguments.timeout, 1, 300, 15, &timeout_s)) {
        return USAGE_ERROR;
    }
    json_t *args =
        json_pack("{s:s, s:I}", "token", token, "timeout_ms", (json_int_t)timeout_s * 1000);
    json_t *answer =
        converse(cli, "resolve", args, (int)(timeout_s * 1000) + SLACK_MS, print_nothing, &result);
    if (answer == NULL) {
        return result;
    }
    bool found = json_is_true(json_object_get(answer, "found"));
    if (cli->arguments.json) {
        print_json(answer);
        return found ? DONE : FAILED;
    }
    const char *why = json_string_value(json_object_get(answer, "why"));
    say("token          %s", json_text(answer, "token"));
    if (found) {
        say("admitted       %s%s%s", json_text(answer, "admitted"),
            why != NULL && why[0] != '\0' ? ": " : "", why != NULL ? why : "");
        bool dht = strcmp(json_text(answer, "source"), "dht") == 0;
        say("found          in the %s, %.0f ms", dht ? "DHT" : json_text(answer, "source"),
            json_amount(answer, "took_ms", 0));
        print_record(json_object_get(answer, "record"));
    } else {
        say("no record was found in %.0f ms%s%s", json_amount(answer, "took_ms", 0),
            why != NULL && why[0] != '\0' ? ": " : "", why != NULL ? why : "");
    }
    json_decref(answer);
    return found ? DONE : FAILED;
}

// --- wait ---

int verb_wait(struct cli *cli)
{
    const struct arguments *arguments = &cli->arguments;
    const char *goal = arguments->goal;
    struct token_id peer;
    uint64_t timeout_s = 0;
    int result = FAILED;
    if (!number_option(cli, "--timeout", arguments->timeout, 1, 86400, 60, &timeout_s) ||
        (arguments->peer != NULL && !token_option(cli, arguments->peer, &peer))) {
        return USAGE_ERROR;
    }
    goal = goal == NULL ? (arguments->peer != NULL ? "connected" : "ready") : goal;
    bool connected = strcmp(goal, "connected") == 0;
    if ((!connected && strcmp(goal, "ready") != 0) || connected != (arguments->peer != NULL)) {
        return complain(
            cli, USAGE_ERROR, "usage", "wait --for ready, or wait --for connected --peer TOKEN");
    }
    json_t *args = json_pack("{s:s, s:s?, s:I}", "for", goal, "peer", arguments->peer, "timeout_ms",
        (json_int_t)timeout_s * 1000);
    json_t *answer =
        converse(cli, "wait", args, (int)(timeout_s * 1000) + SLACK_MS, client_say_stage, &result);
    if (answer == NULL) {
        return result;
    }
    if (arguments->json) {
        print_json(answer);
        return DONE;
    }
    say("%s after %.0f ms", goal, json_amount(answer, "waited_ms", 0));
    json_decref(answer);
    return DONE;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The command's end of the control socket: one request on one connection, blocking with time
// limits.
#pragma once

#include "node/cli/cli.h"

struct client;

// Connects to the daemon of this instance. NULL if there is none; `*ret_exit` is NO_DAEMON or
// FAILED then, and it has been said why unless `quiet`.
struct client *client_open(const struct cli *cli, bool quiet, int *ret_exit);

// Accepts NULL.
void client_close(struct client *client);

// Sends the request; takes over the reference to `args` (NULL = none). A failure shows in the
// next client_next.
void client_send(struct client *client, const char *verb, json_t *args);

enum answer_kind {
    ANSWER_RESULT, // final; `ret` is the result object
    ANSWER_EVENT,  // `ret` is the event object; more follows
    ANSWER_ERROR,  // final; `ret` is {"code","message"}
    ANSWER_LATE,   // nothing came in time; no `ret`
    ANSWER_GONE,   // the daemon hung up, or said something else than the protocol; no `ret`
};

// The next answer, within `timeout_ms` (negative = for ever). The caller releases `*ret`.
enum answer_kind client_next(struct client *client, int timeout_ms, json_t **ret);

// The file descriptor's end: returns once the daemon has hung up, false after `timeout_ms`.
bool client_wait_gone(struct client *client, int timeout_ms);

// Asks and returns the result, for verbs without events: NULL after having said why, with
// `*ret_exit` set.
json_t *client_ask(const struct cli *cli, const char *verb, json_t *args, int *ret_exit);

// A line for an event of `wait`.
void client_say_stage(const struct cli *cli, const json_t *event);

// Says what an ANSWER_ERROR, ANSWER_LATE or ANSWER_GONE means; returns the exit code. Releases
// `answer`.
int client_complain(const struct cli *cli, enum answer_kind kind, json_t *answer);

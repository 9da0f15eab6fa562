// SPDX-License-Identifier: GPL-3.0-or-later
//
// A program of the user's that holds a key: started anew for each question, which it reads as one
// line of JSON from standard input; its answer is one line on standard output. Standard error is
// the user's. deedmesh(1), SIGNING, is the protocol.
#pragma once

#include "node/cli/cli.h"

enum {
    AGENT_ANSWER_MAX = 16 * 1024,
};

// Asks `command`, and waits at most `timeout_ms`; takes over the reference to `question`. DONE and
// an object, which the caller releases, or an exit code after having said why: it cannot be
// started, refuses ({"error": text}), says something else than one object, fails, or is late.
int agent_ask(
    struct cli *cli, const char *command, json_t *question, uint64_t timeout_ms, json_t **ret);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Progress of long work on the terminal: one line on standard error that is written over. Nothing
// where standard error is no terminal, or under --json.
#pragma once

#include "node/cli/cli.h"

// "WHAT 1200 of 10000 [####------] 12 %"; without the bar while `total` is 0. At most ten lines a
// second are drawn, and the one that completes it.
void progress_show(const struct cli *cli, const char *what, uint64_t done, uint64_t total);

// Takes the line away, before anything else is printed.
void progress_end(void);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The first configuration file of an instance, written by `init` and `join`. A file that exists is
// the user's and is never changed.
#pragma once

#include "node/cli/cli.h"

struct first_config {
    const char *bootstrap; // NULL = none: the first node of a network
    bool allow_http;
};

// Writes DIRECTORY/INSTANCE.conf whole and at once if there is none, and says so. If there is one,
// says which lines it lacks. Returns an exit code.
int config_file_offer(struct cli *cli, const struct first_config *first);

// The configuration as it stands, or the defaults if there is no file. Complains and returns an
// exit code other than DONE if the file is bad.
int config_file_read(struct cli *cli, struct config *ret);

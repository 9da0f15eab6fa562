// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading a secret that the user keeps in a file of his own.
#pragma once

#include "node/cli/cli.h"

enum {
    SECRET_FILE_MAX = 256,
};

// The first line of `path` without surrounding blanks; the caller wipes `ret`. The file must be
// readable by its owner alone. Complains and returns an exit code other than DONE otherwise.
int secret_file_read(struct cli *cli, const char *path, char ret[static SECRET_FILE_MAX]);

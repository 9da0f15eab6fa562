// SPDX-License-Identifier: GPL-3.0-or-later
//
// Reading a secret that the user keeps: in a file of his own, or in his head.
#pragma once

#include "node/cli/cli.h"

enum {
    SECRET_FILE_MAX = 256,
    PASSWORD_MAX = 1024,
};

// What `path` holds, without blanks around it and with a NUL behind; the file is of at most
// `size` - 1 bytes. It must be readable by its owner alone. The caller wipes `ret`. Complains and
// returns an exit code other than DONE otherwise.
int secret_file_read(struct cli *cli, const char *path, char *ret, size_t size, size_t *ret_size);

// One line without its end: from the descriptor that `fd_text` names in decimal, or where that is
// NULL asked for on the terminal, which does not show it. The caller wipes `ret`. As above.
int password_read(
    struct cli *cli, const char *fd_text, const char *prompt, char ret[static PASSWORD_MAX]);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// QR codes (libqrencode): on the terminal in half blocks, or as a PNG or SVG file.
#pragma once

#include "node/cli/cli.h"

// Each complains and returns an exit code other than DONE on failure: the text is too long for a QR
// code, the terminal too narrow for it, the file cannot be written.
int qr_print(struct cli *cli, const char *text);
// The kind of file by the end of its name.
int qr_write(struct cli *cli, const char *text, const char *path);

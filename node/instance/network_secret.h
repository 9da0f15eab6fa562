// SPDX-License-Identifier: GPL-3.0-or-later
//
// The network secret in the file that [network] secret_file names: 64 hex digits.
#pragma once

#include "dht/key.h"

enum {
    NETWORK_SECRET_ERROR_SIZE = 512,
};

// Reads it; the caller wipes `ret`. ERR_PERMISSION: others may read the file; ERR_NOT_FOUND,
// ERR_IO; ERR_MALFORMED: it holds something else. `error` says which file, why, and what to do.
enum status network_secret_read(const char *path, uint8_t ret[static NETWORK_SECRET_SIZE],
    char error[static NETWORK_SECRET_ERROR_SIZE]);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// deedmeshd --clean: removes what a daemon that was killed left behind.
#pragma once

#include "node/instance/config.h"

enum {
    CLEAN_MESSAGE_SIZE = 800,
};

// Removes the interface of this instance, with its process, if it carries the instance's alias;
// any other interface is left alone, whatever its name. OK if there is none. ERR_BUSY: a daemon
// runs. ERR_PERMISSION, ERR_IO, ERR_TIMEOUT. `ret` says why, for people.
enum status clean_instance(const struct directories *directories, const char *instance,
    char ret[static CLEAN_MESSAGE_SIZE]);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Instance names, and where the files of an instance are.
#include "node/instance/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status instance_name_check(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    size_t size = strlen(name);
    // dstack's gateway owns that interface on its hosts.
    if (size == 0 || size >= INSTANCE_NAME_SIZE || name[0] == '-' ||
        strspn(name, allowed) != size || strcmp(name, "dstack-wg0") == 0) {
        return ERR_MALFORMED;
    }
    return OK;
}

static enum status choose(
    const char *option, const char *variable, const char *otherwise, char ret[CONFIG_PATH_SIZE])
{
    const char *chosen = option;
    if (chosen == NULL) {
        chosen = getenv(variable);
    }
    if (chosen == NULL || chosen[0] == '\0') {
        chosen = otherwise;
    }
    int size = snprintf(ret, CONFIG_PATH_SIZE, "%s", chosen);
    return size < 0 || size >= CONFIG_PATH_SIZE ? ERR_TOO_LARGE : OK;
}

enum status directories_init(
    const char *config, const char *state, const char *run, struct directories *ret)
{
    struct directories directories;
    enum status status = choose(config, "DEEDMESH_CONFIG_DIR", "/etc/deedmesh", directories.config);
    if (status == OK) {
        status = choose(state, "DEEDMESH_STATE_DIR", "/var/lib/deedmesh", directories.state);
    }
    if (status == OK) {
        status = choose(run, "DEEDMESH_RUN_DIR", "/run/deedmesh", directories.run);
    }
    if (status == OK) {
        *ret = directories;
    }
    return status;
}

enum status control_socket_path(
    const struct directories *directories, const char *instance, char ret[static 108])
{
    int size = snprintf(ret, 108, "%s/%s.sock", directories->run, instance);
    return size < 0 || size >= 108 ? ERR_TOO_LARGE : OK;
}

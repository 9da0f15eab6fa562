// SPDX-License-Identifier: GPL-3.0-or-later
#include "node/daemon/privileges.h"

#include "node/instance/core_dump.h"

#include <cap-ng.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

enum {
    CAPABILITIES_MAX = 5,
};

struct privileges {
    size_t count;
    unsigned list[CAPABILITIES_MAX];
    size_t inherited; // so many of them, from the first on, are for wireguard-go, too
};

static const struct privileges starting = {.count = 5,
    .list = {CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, CAP_NET_RAW, CAP_CHOWN, CAP_SETPCAP},
    .inherited = 2};
static const struct privileges running = {.count = 2, .list = {CAP_NET_ADMIN, CAP_NET_RAW}};

void privileges_hide(void)
{
    (void)umask(077);
    // Also wireguard-go's, which holds the WireGuard key and inherits the limit.
    core_dump_forbid();
}

static enum status refuse(const char *what, char error[static PRIVILEGES_ERROR_SIZE])
{
    (void)snprintf(error, PRIVILEGES_ERROR_SIZE,
        "cannot %s: %s; the daemon does not run with more rights than it needs", what,
        strerror(errno));
    return ERR_PERMISSION;
}

static enum status apply(
    const struct privileges *privileges, char error[static PRIVILEGES_ERROR_SIZE])
{
    bool held[CAPABILITIES_MAX];
    if (capng_get_caps_process() != 0) {
        return refuse("read the own capabilities", error);
    }
    for (size_t i = 0; i < privileges->count; i++) {
        held[i] = capng_have_capability(CAPNG_PERMITTED, privileges->list[i]) == 1;
    }
    // Without this right the bounding set stays as it is; no_new_privs bars the way all the same.
    bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) == 1;
    capng_clear(CAPNG_SELECT_ALL);
    for (size_t i = 0; i < privileges->count; i++) {
        int sets = CAPNG_EFFECTIVE | CAPNG_PERMITTED;
        if (i < privileges->inherited) {
            // Root gets them by the bounding set, others by the ambient one.
            sets |= CAPNG_INHERITABLE | CAPNG_BOUNDING_SET | CAPNG_AMBIENT;
        }
        if (held[i]) {
            (void)capng_update(CAPNG_ADD, (capng_type_t)sets, privileges->list[i]);
        }
    }
    if (may_bound && capng_apply(CAPNG_SELECT_BOUNDS) != 0) {
        return refuse("empty the capability bounding set", error);
    }
    if (capng_apply(CAPNG_SELECT_CAPS) != 0) {
        return refuse("drop capabilities", error);
    }
    if (capng_apply(CAPNG_SELECT_AMBIENT) != 0) {
        return refuse("set the ambient capabilities", error);
    }
    return OK;
}

enum status privileges_start(char error[static PRIVILEGES_ERROR_SIZE])
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return refuse("renounce new privileges", error);
    }
    return apply(&starting, error);
}

enum status privileges_run(char error[static PRIVILEGES_ERROR_SIZE])
{
    return apply(&running, error);
}

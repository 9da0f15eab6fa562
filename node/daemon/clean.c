// SPDX-License-Identifier: GPL-3.0-or-later
//
// Removing the leftovers of an instance. Its alias tells an interface of ours from all others.
#include "node/daemon/clean.h"

#include "node/instance/state.h"
#include "wg/device.h"
#include "wg/link.h"

#include <stdio.h>
#include <string.h>

static enum status look(const char *instance, bool *ret_ours, struct wg_detail *detail)
{
    struct wg_link *link = NULL;
    struct wg_link_info info;
    char alias[WG_LINK_ALIAS_SIZE];
    (void)snprintf(alias, sizeof alias, "deedmesh:%s", instance);
    *ret_ours = false;
    enum status status = wg_link_open(&link, detail);
    if (status != OK) {
        return status;
    }
    status = wg_link_find(link, instance, &info, detail);
    wg_link_close(link);
    if (status == ERR_NOT_FOUND) {
        return OK;
    }
    *ret_ours = status == OK && strcmp(info.alias, alias) == 0;
    return status;
}

static enum status remove_device(const char *instance, struct wg_detail *detail)
{
    struct wg_device *device = NULL;
    bool ours = false;
    enum status status = look(instance, &ours, detail);
    if (status != OK || !ours) {
        return status;
    }
    // The port is that of the device that is there; nothing is started if it answers.
    const struct wg_device_options options = {.name = instance, .listen_port = 0};
    status = wg_device_open(&options, &device, detail);
    return status == OK ? wg_device_remove(device, detail) : status;
}

enum status clean_instance(const struct directories *directories, const char *instance,
    char ret[static CLEAN_MESSAGE_SIZE])
{
    struct state *state = NULL;
    struct state_error error = {.text = ""};
    struct wg_detail detail = {.text = ""};
    // Without a state directory no daemon of this instance can be running.
    enum status status = state_open(directories->state, instance, STATE_EXISTING, &state, &error);
    if (status == OK) {
        status = state_lock(state, &error);
    }
    if (status != OK && status != ERR_NOT_FOUND) {
        (void)snprintf(ret, CLEAN_MESSAGE_SIZE, "%s", error.text);
        goto out;
    }
    status = remove_device(instance, &detail);
    if (status != OK) {
        (void)snprintf(ret, CLEAN_MESSAGE_SIZE, "%s", detail.text);
    }
out:
    state_close(state);
    return status;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// A WireGuard device: whose the name is, what an earlier run left, and the way to the back end.
#include "wg/device.h"

#include "wg/backend.h"
#include "wg/detail_posix.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    GONE_TIMEOUT_MS = 1000, // for a process or interface that is on its way out
    GONE_POLL_MS = 5,
};

struct wg_device {
    const struct wg_backend *backend;
    struct wg_carrier *carrier;
    struct wg_link *link;
    uint32_t index;
    bool adopted;
    char name[WG_LINK_NAME_SIZE];
};

static void alias_of(const char *name, char ret[static WG_LINK_ALIAS_SIZE])
{
    (void)snprintf(ret, WG_LINK_ALIAS_SIZE, "deedmesh:%s", name);
}

static void pause_shortly(void)
{
    struct timespec time = {.tv_nsec = GONE_POLL_MS * 1000000};
    (void)nanosleep(&time, NULL);
}

// --- the port ------------------------------------------------------------------------------------

static int try_bind(int family, uint16_t port)
{
    struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    const struct sockaddr *any =
        family == AF_INET6 ? (const struct sockaddr *)&any6 : (const struct sockaddr *)&any4;
    socklen_t size = family == AF_INET6 ? sizeof any6 : sizeof any4;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    int only = 1;
    int error = 0;
    if (family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    }
    if (bind(fd, any, size) != 0) {
        error = errno;
    }
    (void)close(fd);
    return error;
}

// Asked before the process starts: WireGuard itself reports a taken port late or not at all, since
// it binds only once the interface comes up.
static enum status check_port(const char *name, uint16_t port, struct wg_detail *detail)
{
    if (port != 0 &&
        (try_bind(AF_INET, port) == EADDRINUSE || try_bind(AF_INET6, port) == EADDRINUSE)) {
        wg_detail_set(detail,
            "interface %s: UDP port %u is in use by another program; stop it or set another "
            "listen port",
            name, (unsigned)port);
        return ERR_BUSY;
    }
    return OK;
}

// --- leftovers -----------------------------------------------------------------------------------

static enum status refuse_foreign(
    const char *name, const struct wg_link_info *info, struct wg_detail *detail)
{
    wg_detail_set(detail,
        "interface %s exists and was not made by Deedmesh (alias \"%s\"); choose another name or "
        "remove it",
        name, info->alias);
    return ERR_EXISTS;
}

// Waits until the interface is gone; deletes it if it does not go by itself.
static enum status await_gone(struct wg_device *device, struct wg_detail *detail)
{
    struct wg_link_info info;
    for (int waited = 0; waited < GONE_TIMEOUT_MS; waited += GONE_POLL_MS) {
        enum status status = wg_link_find(device->link, device->name, &info, detail);
        if (status != OK) {
            return status == ERR_NOT_FOUND ? OK : status;
        }
        if (waited == GONE_TIMEOUT_MS / 2) {
            (void)wg_link_delete(device->link, info.index, detail);
        }
        pause_shortly();
    }
    wg_detail_set(detail, "interface %s does not go away; remove it (ip link del %s)", device->name,
        device->name);
    return ERR_BUSY;
}

// The interface exists: takes it over, or refuses it, or clears it away. ERR_NOT_FOUND: cleared,
// the name is free now.
static enum status take_over(
    struct wg_device *device, const struct wg_link_info *info, struct wg_detail *detail)
{
    char alias[WG_LINK_ALIAS_SIZE];
    alias_of(device->name, alias);
    struct wg_carrier *carrier = NULL;
    enum status attached = device->backend->attach(device->name, &carrier, detail);
    bool marked = carrier != NULL && device->backend->is_ours(carrier, device->name);
    if (strcmp(info->alias, alias) != 0 && !marked) {
        if (carrier != NULL) {
            device->backend->release(carrier);
        }
        return refuse_foreign(device->name, info, detail);
    }
    if (attached == OK) {
        device->carrier = carrier;
        device->adopted = true;
        return OK;
    }
    // Ours, but nobody answers for it. A process is ended only if it carries our mark.
    if (marked) {
        (void)device->backend->destroy(carrier, detail);
    } else if (carrier != NULL) {
        device->backend->release(carrier);
    }
    (void)wg_link_delete(device->link, info->index, detail);
    enum status status = await_gone(device, detail);
    return status == OK ? ERR_NOT_FOUND : status;
}

// No such interface here, yet a process may hold the name: one on its way out, which gets a moment,
// or one in another network namespace.
static enum status check_name_free(struct wg_device *device, struct wg_detail *detail)
{
    for (int waited = 0; waited < GONE_TIMEOUT_MS; waited += GONE_POLL_MS) {
        struct wg_carrier *carrier = NULL;
        if (device->backend->attach(device->name, &carrier, detail) == ERR_NOT_FOUND) {
            return OK;
        }
        if (carrier != NULL) {
            device->backend->release(carrier);
        }
        pause_shortly();
    }
    wg_detail_set(detail,
        "the name %s is taken by a WireGuard process in another network namespace; choose another "
        "name",
        device->name);
    return ERR_BUSY;
}

// --- the device ----------------------------------------------------------------------------------

static enum status create(
    struct wg_device *device, const struct wg_device_options *options, struct wg_detail *detail)
{
    enum status status = check_name_free(device, detail);
    if (status == OK) {
        status = check_port(device->name, options->listen_port, detail);
    }
    return status == OK ? device->backend->create(options, &device->carrier, detail) : status;
}

static enum status dress(struct wg_device *device, struct wg_detail *detail)
{
    char alias[WG_LINK_ALIAS_SIZE];
    alias_of(device->name, alias);
    struct wg_link_info info;
    enum status status = wg_link_find(device->link, device->name, &info, detail);
    if (status != OK) {
        return status == ERR_NOT_FOUND ? ERR_IO : status;
    }
    device->index = info.index;
    if (strcmp(info.alias, alias) != 0) {
        status = wg_link_set_alias(device->link, info.index, alias, detail);
    }
    if (status == OK && info.mtu != WG_MTU) {
        status = wg_link_set_mtu(device->link, info.index, WG_MTU, detail);
    }
    return status;
}

static enum status bring_into_being(
    struct wg_device *device, const struct wg_device_options *options, struct wg_detail *detail)
{
    struct wg_link_info info;
    enum status status = wg_link_open(&device->link, detail);
    if (status == OK) {
        status = wg_link_find(device->link, device->name, &info, detail);
    }
    if (status == OK) {
        status = take_over(device, &info, detail);
    }
    if (status == ERR_NOT_FOUND) {
        status = create(device, options, detail);
    }
    return status == OK ? dress(device, detail) : status;
}

enum status wg_device_open(
    const struct wg_device_options *options, struct wg_device **ret, struct wg_detail *detail)
{
    if (!wg_link_name_valid(options->name)) {
        wg_detail_set(detail,
            "\"%.20s\" is no interface name: 1 to 15 letters, digits, \"_\", \".\" or \"-\"",
            options->name);
        return ERR_RANGE;
    }
    struct wg_device *device = calloc(1, sizeof *device);
    if (device == NULL) {
        wg_detail_set(detail, "out of memory");
        return ERR_IO;
    }
    device->backend = &wg_backend_userspace;
    (void)snprintf(device->name, sizeof device->name, "%s", options->name);
    enum status status = bring_into_being(device, options, detail);
    if (status == OK) {
        *ret = device;
        return OK;
    }
    if (device->carrier != NULL && !device->adopted) {
        struct wg_detail ignored;
        (void)device->backend->destroy(device->carrier, &ignored);
        device->carrier = NULL;
    }
    wg_device_close(device);
    return status;
}

void wg_device_close(struct wg_device *device)
{
    if (device == NULL) {
        return;
    }
    if (device->carrier != NULL) {
        device->backend->release(device->carrier);
    }
    wg_link_close(device->link);
    free(device);
}

enum status wg_device_remove(struct wg_device *device, struct wg_detail *detail)
{
    if (device == NULL) {
        return OK;
    }
    enum status destroyed = device->backend->destroy(device->carrier, detail);
    device->carrier = NULL;
    struct wg_detail later;
    enum status gone = await_gone(device, &later);
    if (destroyed == OK && gone != OK) {
        *detail = later;
    }
    wg_device_close(device);
    return destroyed != OK ? destroyed : gone;
}

bool wg_device_adopted(const struct wg_device *device)
{
    return device->adopted;
}

uint32_t wg_device_index(const struct wg_device *device)
{
    return device->index;
}

int wg_device_exit_fd(const struct wg_device *device)
{
    return device->backend->exit_fd(device->carrier);
}

void wg_device_exit_reason(struct wg_device *device, struct wg_detail *ret)
{
    device->backend->exit_reason(device->carrier, ret);
}

enum status wg_device_configure(
    struct wg_device *device, const struct wg_config *config, struct wg_detail *detail)
{
    return device->backend->configure(device->carrier, config, detail);
}

enum status wg_device_apply(
    struct wg_device *device, const struct wg_op *ops, size_t count, struct wg_detail *detail)
{
    return device->backend->apply(device->carrier, ops, count, detail);
}

enum status wg_device_read(
    struct wg_device *device, struct wg_device_state *ret, struct wg_detail *detail)
{
    return device->backend->read(device->carrier, ret, detail);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a back end of the device does; for the edge files of this folder. wg/device_linux.c owns
// everything that does not depend on who carries the packets: names, aliases, leftovers.
#pragma once

#include "wg/device.h"

// Opaque: a running device, from the back end's side.
struct wg_carrier;

struct wg_backend {
    const char *name;

    // Makes the interface, down, and whatever carries its packets. The name is known to be free.
    // Failures as wg_device_open().
    enum status (*create)(
        const struct wg_device_options *options, struct wg_carrier **ret, struct wg_detail *detail);

    // Takes hold of what a running device of that name left. ERR_NOT_FOUND: there is nothing.
    // ERR_UNREACHABLE: something is there but does not answer; then `ret` is set, to destroy it.
    enum status (*attach)(const char *name, struct wg_carrier **ret, struct wg_detail *detail);

    // True if an instance of Deedmesh with this name made it, as far as the back end can tell.
    bool (*is_ours)(const struct wg_carrier *carrier, const char *name);

    // As the functions of wg/device.h.
    enum status (*configure)(
        struct wg_carrier *carrier, const struct wg_config *config, struct wg_detail *detail);
    enum status (*apply)(struct wg_carrier *carrier, const struct wg_op *ops, size_t count,
        struct wg_detail *detail);
    enum status (*read)(
        struct wg_carrier *carrier, struct wg_device_state *ret, struct wg_detail *detail);
    int (*exit_fd)(const struct wg_carrier *carrier);
    void (*exit_reason)(struct wg_carrier *carrier, struct wg_detail *ret);

    // Lets go and leaves it running.
    void (*release)(struct wg_carrier *carrier);

    // Ends it and lets go; the interface may be gone with it, or not.
    enum status (*destroy)(struct wg_carrier *carrier, struct wg_detail *detail);
};

// wireguard-go; wg/userspace_linux.c.
extern const struct wg_backend wg_backend_userspace;

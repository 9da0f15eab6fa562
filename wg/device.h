// SPDX-License-Identifier: GPL-3.0-or-later
//
// A WireGuard device: the interface, and who carries the packets. Edge.
//
// The back end here is wireguard-go, which we start ourselves and which outlives a crash of ours: a
// restart finds interface and process again and takes them over, with their sessions. A kernel back
// end is one more `struct wg_backend` (wg/backend.h).
//
// Blocking: wg_device_open() waits up to WG_START_TIMEOUT_MS for the process, wg_device_remove() up
// to WG_STOP_TIMEOUT_MS for its end. All other calls are one request to a local process, answered
// within a millisecond per hundred peers and given up after WG_REQUEST_TIMEOUT_MS; they may
// be made from an event loop.
#pragma once

#include "wg/link.h"
#include "wg/wg.h"

enum {
    WG_START_TIMEOUT_MS = 5000,
    WG_STOP_TIMEOUT_MS = 3000,
    WG_REQUEST_TIMEOUT_MS = 2000,
};

struct wg_device_options {
    const char *name;     // of the interface and of the instance
    const char *program;  // NULL: "wireguard-go" from PATH
    uint16_t listen_port; // checked before the start, so that a port in use is a clear error
};

// Opaque.
struct wg_device;

// Brings the device into being, down and without addresses, its alias "deedmesh:NAME"; or takes
// over the one that an earlier run with this name left behind (wg_device_adopted() tells).
// A leftover that does not answer is removed and replaced.
// ERR_EXISTS: an interface of that name is there and is not ours; choose another name.
// ERR_BUSY: the name is taken in another network namespace, or the UDP port is in use.
// ERR_NOT_FOUND: wireguard-go is not installed.
// ERR_RANGE: not a valid interface name.
// ERR_PERMISSION: CAP_NET_ADMIN or /dev/net/tun is missing.
// ERR_TIMEOUT, ERR_IO: it did not start; `detail` carries its last words.
enum status wg_device_open(
    const struct wg_device_options *options, struct wg_device **ret, struct wg_detail *detail);

// True if wg_device_open() found the device of an earlier run: peers and sessions may be on it.
bool wg_device_adopted(const struct wg_device *device);

// Index of the interface.
uint32_t wg_device_index(const struct wg_device *device);

// Readable once the process behind the device has ended; -1 if that cannot be known. The device
// keeps it. After that only wg_device_remove() makes sense.
int wg_device_exit_fd(const struct wg_device *device);

// How the process ended ("killed by signal 9"), for the log; call when the exit fd is readable.
void wg_device_exit_reason(struct wg_device *device, struct wg_detail *ret);

// Sets key, port, fwmark as marked. ERR_BUSY: the port is in use. ERR_UNREACHABLE: the process is
// gone. ERR_TIMEOUT, ERR_IO.
enum status wg_device_configure(
    struct wg_device *device, const struct wg_config *config, struct wg_detail *detail);

// Carries out the operations in order, in one request; WG_OP_REFUSE ones are skipped. On failure
// some may have been carried out: read the state and make a new difference.
enum status wg_device_apply(
    struct wg_device *device, const struct wg_op *ops, size_t count, struct wg_detail *detail);

// Reads the device. ERR_FULL: more peers or prefixes than `ret` has room for.
enum status wg_device_read(
    struct wg_device *device, struct wg_device_state *ret, struct wg_detail *detail);

// Releases our hold and leaves the device running, as a crash would. Accepts NULL.
void wg_device_close(struct wg_device *device);

// Removes interface and process and releases `device`, whatever fails on the way; the first failure
// is returned. Accepts NULL.
enum status wg_device_remove(struct wg_device *device, struct wg_detail *detail);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the daemon may do. It starts as root and gives up at once all that it does not need; before
// it handles the first packet it holds two capabilities and can gain no other.
//
//    starting   CAP_NET_ADMIN         interface, addresses, routes; wireguard-go inherits it
//               CAP_NET_BIND_SERVICE  ports below 1024; wireguard-go inherits it
//               CAP_NET_RAW           STUN on WireGuard's port
//               CAP_CHOWN             the group of the control socket
//               CAP_SETPCAP           emptying the bounding set
//    running    CAP_NET_ADMIN, CAP_NET_RAW; inheritable, bounding and ambient sets empty
//
// A capability that the process was not given stays absent: whatever needs it says so.
#pragma once

#include "base/status.h"

enum {
    PRIVILEGES_ERROR_SIZE = 200,
};

// Keeps secrets out of core dumps and out of the reach of a debugger, and new files to their owner.
// Tests with sanitizers stay debuggable: the leak check traces its own process.
void privileges_hide(void);

// To "starting", and no gain by exec. Before any thread exists: the kernel keeps capabilities per
// thread. ERR_PERMISSION: the kernel refused, `error` says what; do not go on.
enum status privileges_start(char error[static PRIVILEGES_ERROR_SIZE]);

// To "running". After the control socket and the device are there. ERR_PERMISSION as above.
enum status privileges_run(char error[static PRIVILEGES_ERROR_SIZE]);

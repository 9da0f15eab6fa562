// SPDX-License-Identifier: GPL-3.0-or-later
//
// How a daemon tells whoever started it that it is ready or why it is not: to `deedmesh up` over a
// pipe, to systemd over NOTIFY_SOCKET.
//
// On the pipe: "ready\n", or "failed\n" and the message; then it is closed.
#pragma once

// The descriptor given by --ready-fd, or -1. Also takes NOTIFY_SOCKET from the environment.
void ready_init(int fd);

// The instance answers on its control socket. Later calls do nothing.
void ready_report(void);

// It will not become ready; `message` is for people. Later calls do nothing.
void ready_fail(const char *message);

// systemd: that an orderly stop has begun.
void ready_stopping(void);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Readiness, over a pipe and to systemd (sd_notify(3)'s datagram, without its library).
#include "node/daemon/ready.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
    int pipe; // -1 = nobody waits
    struct sockaddr_un notify;
    socklen_t notify_size; // 0 = no systemd
} ready = {.pipe = -1};

void ready_init(int fd)
{
    ready.pipe = fd;
    const char *path = getenv("NOTIFY_SOCKET");
    size_t size = path == NULL ? 0 : strlen(path);
    if (size < 2 || size >= sizeof ready.notify.sun_path || (path[0] != '/' && path[0] != '@')) {
        return;
    }
    ready.notify.sun_family = AF_UNIX;
    memcpy(ready.notify.sun_path, path, size);
    if (path[0] == '@') {
        ready.notify.sun_path[0] = '\0';
    }
    ready.notify_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    // Children must not speak in our name.
    (void)unsetenv("NOTIFY_SOCKET");
}

static void notify(const char *text)
{
    if (ready.notify_size == 0) {
        return;
    }
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return;
    }
    // Lost without consequence beyond systemd's own timeout.
    (void)sendto(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT,
        (const struct sockaddr *)&ready.notify, ready.notify_size);
    (void)close(fd);
}

static void tell(const char *text)
{
    size_t left = strlen(text);
    while (ready.pipe >= 0 && left > 0) {
        ssize_t put = write(ready.pipe, text, left);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            break;
        }
        text += put;
        left -= (size_t)put;
    }
}

static void hang_up(void)
{
    if (ready.pipe >= 0) {
        (void)close(ready.pipe);
        ready.pipe = -1;
    }
}

void ready_report(void)
{
    if (ready.pipe >= 0) {
        tell("ready\n");
        hang_up();
    }
    notify("READY=1");
}

void ready_fail(const char *message)
{
    if (ready.pipe >= 0) {
        tell("failed\n");
        tell(message);
        hang_up();
    }
}

void ready_stopping(void)
{
    notify("STOPPING=1");
}

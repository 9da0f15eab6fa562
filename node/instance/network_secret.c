// SPDX-License-Identifier: GPL-3.0-or-later
//
// The network secret from its file, refused where others may read it.
#include "node/instance/network_secret.h"

#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SECRET_HEX_SIZE = 2 * NETWORK_SECRET_SIZE,
};

static enum status check_file(
    int fd, const char *path, char error[static NETWORK_SECRET_ERROR_SIZE])
{
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0) {
        int failure = errno;
        (void)snprintf(error, NETWORK_SECRET_ERROR_SIZE,
            "the network secret %s: %s; check [network] secret_file", path, strerror(failure));
        return failure == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    }
    if (!S_ISREG(info.st_mode)) {
        (void)snprintf(error, NETWORK_SECRET_ERROR_SIZE,
            "the network secret %s: expected a regular file; check [network] secret_file", path);
        return ERR_MALFORMED;
    }
    if ((info.st_mode & 077) != 0) {
        (void)snprintf(error, NETWORK_SECRET_ERROR_SIZE,
            "the network secret %s: others may read it (mode %03o); run: chmod 600 %s", path,
            (unsigned)(info.st_mode & 0777), path);
        return ERR_PERMISSION;
    }
    return OK;
}

enum status network_secret_read(const char *path, uint8_t ret[static NETWORK_SECRET_SIZE],
    char error[static NETWORK_SECRET_ERROR_SIZE])
{
    char text[SECRET_HEX_SIZE];
    error[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum status status = check_file(fd, path, error);
    if (status == OK &&
        (read(fd, text, sizeof text) != (ssize_t)sizeof text ||
            hex_parse(span_of(text, sizeof text), ret, NETWORK_SECRET_SIZE) != OK)) {
        status = ERR_MALFORMED;
        (void)snprintf(error, NETWORK_SECRET_ERROR_SIZE,
            "%s does not hold a network secret (%d hex digits)", path, SECRET_HEX_SIZE);
    }
    sodium_memzero(text, sizeof text);
    if (fd >= 0) {
        (void)close(fd);
    }
    return status;
}

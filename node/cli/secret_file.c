// SPDX-License-Identifier: GPL-3.0-or-later
//
// Secrets in files of the user's.
#include "node/cli/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

int secret_file_read(struct cli *cli, const char *path, char ret[static SECRET_FILE_MAX])
{
    struct stat info;
    char text[SECRET_FILE_MAX] = {0};
    int result = DONE;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0) {
        result = complain(cli, FAILED, "io", "%s: %s", path, strerror(errno));
        goto out;
    }
    if (!S_ISREG(info.st_mode)) {
        result = complain(cli, FAILED, "io", "%s: expected a regular file", path);
        goto out;
    }
    if ((info.st_mode & 077) != 0) {
        result = complain(cli, FAILED, "permission",
            "%s: others may read this secret (mode %03o); run: chmod 600 %s", path,
            (unsigned)(info.st_mode & 0777), path);
        goto out;
    }
    ssize_t got = read(fd, text, sizeof text - 1);
    if (got < 0 || info.st_size > (off_t)sizeof text - 1) {
        result = complain(cli, FAILED, "io", "%s: %s", path,
            got < 0 ? strerror(errno) : "expected one line with a key");
        goto out;
    }
    size_t begin = 0;
    size_t end = (size_t)got;
    while (begin < end && is_blank(text[begin])) {
        begin++;
    }
    while (end > begin && is_blank(text[end - 1])) {
        end--;
    }
    memset(ret, 0, SECRET_FILE_MAX);
    memcpy(ret, text + begin, end - begin);
out:
    sodium_memzero(text, sizeof text);
    if (fd >= 0) {
        (void)close(fd);
    }
    return result;
}

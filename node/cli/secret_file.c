// SPDX-License-Identifier: GPL-3.0-or-later
//
// Secrets in files of the user's, and passwords.
#include "node/cli/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static int check_file(struct cli *cli, const char *path, int fd, size_t most)
{
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0) {
        return complain(cli, FAILED, "io", "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(info.st_mode)) {
        return complain(cli, FAILED, "io", "%s: expected a regular file", path);
    }
    if ((info.st_mode & 077) != 0) {
        return complain(cli, FAILED, "permission",
            "%s: others may read this secret (mode %03o); run: chmod 600 %s", path,
            (unsigned)(info.st_mode & 0777), path);
    }
    if (info.st_size > (off_t)most) {
        return complain(cli, FAILED, "malformed", "%s: larger than a key's file can be (%zu bytes)",
            path, most);
    }
    return DONE;
}

int secret_file_read(struct cli *cli, const char *path, char *ret, size_t size, size_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int result = check_file(cli, path, fd, size - 1);
    ssize_t got = result == DONE ? read(fd, ret, size - 1) : 0;
    if (got < 0) {
        result = complain(cli, FAILED, "io", "%s: %s", path, strerror(errno));
    } else if (result == DONE) {
        size_t begin = 0;
        size_t end = (size_t)got;
        while (begin < end && is_blank(ret[begin])) {
            begin++;
        }
        while (end > begin && is_blank(ret[end - 1])) {
            end--;
        }
        memmove(ret, ret + begin, end - begin);
        ret[end - begin] = '\0';
        *ret_size = end - begin;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return result;
}

// --- passwords ---

// The signal that came while the terminal did not show what is typed; 0 = none.
static volatile sig_atomic_t caught_signal;

static void catch_signal(int number)
{
    caught_signal = number;
}

// Byte by byte: what stands behind the line is somebody else's.
static enum status read_line(int fd, char ret[static PASSWORD_MAX])
{
    size_t size = 0;
    for (;;) {
        char byte = '\0';
        ssize_t got = read(fd, &byte, 1);
        if (got < 0 && errno == EINTR && caught_signal == 0) {
            continue;
        }
        if (got < 0) {
            return ERR_IO;
        }
        if (got == 0 || byte == '\n') {
            break;
        }
        if (size == PASSWORD_MAX - 1) {
            return ERR_TOO_LARGE;
        }
        ret[size++] = byte;
    }
    if (size > 0 && ret[size - 1] == '\r') {
        size--;
    }
    ret[size] = '\0';
    return OK;
}

// A signal that ends the process does so once the terminal is as it was.
static enum status ask_hidden(int tty, const char *prompt, char ret[static PASSWORD_MAX])
{
    static const int signals[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP};
    enum { SIGNALS = sizeof signals / sizeof signals[0] };
    struct sigaction old[SIGNALS];
    struct sigaction noted = {.sa_handler = catch_signal};
    struct termios before;
    if (tcgetattr(tty, &before) != 0) {
        return ERR_IO;
    }
    struct termios hidden = before;
    hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    caught_signal = 0;
    for (size_t i = 0; i < SIGNALS; i++) {
        (void)sigaction(signals[i], &noted, &old[i]);
    }
    enum status status = tcsetattr(tty, TCSAFLUSH, &hidden) == 0 ? OK : ERR_IO;
    if (status == OK) {
        (void)!write(tty, prompt, strlen(prompt));
        status = read_line(tty, ret);
        (void)!write(tty, "\n", 1);
        (void)tcsetattr(tty, TCSAFLUSH, &before);
    }
    for (size_t i = 0; i < SIGNALS; i++) {
        (void)sigaction(signals[i], &old[i], NULL);
    }
    if (caught_signal != 0) {
        (void)raise(caught_signal);
    }
    return status;
}

int password_read(
    struct cli *cli, const char *fd_text, const char *prompt, char ret[static PASSWORD_MAX])
{
    enum status status = OK;
    uint64_t number = 0;
    if (fd_text != NULL) {
        if (!number_option(cli, "--password-fd", fd_text, 0, INT_MAX, 0, &number)) {
            return USAGE_ERROR;
        }
        status = read_line((int)number, ret);
        return status == OK ? DONE
                            : complain(cli, FAILED, "password", "--password-fd %s: %s", fd_text,
                                  status == ERR_TOO_LARGE ? "the line is too long for a password"
                                                          : strerror(errno));
    }
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (tty < 0) {
        return complain(cli, FAILED, "password",
            "there is no terminal to ask for the password on; give it with --password-fd N, e.g. "
            "--password-fd 3 3<FILE");
    }
    status = ask_hidden(tty, prompt, ret);
    (void)close(tty);
    return status == OK ? DONE
                        : complain(cli, FAILED, "password", "no password came from the terminal");
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The first configuration file.
#include "node/cli/config_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TEXT_SIZE = 2048,
    PATH_SIZE = 2 * CONFIG_PATH_SIZE,
};

static const char head[] = "# Deedmesh, instance %s. deedmesh.conf(5) describes every key.\n"
                           "# What stands behind # is the default.\n"
                           "\n"
                           "[node]\n"
                           "# listen_port = 51820\n"
                           "# dht_port = 51821\n"
                           "# ipv4 = yes\n"
                           "\n"
                           "[network]\n";

static const char tail[] = "\n"
                           "[chain]\n"
                           "# Own RPC providers instead of those that the manifest suggests; two\n"
                           "# or more, so that none has to be trusted alone:\n"
                           "# rpc = https://...\n"
                           "# trust = quorum\n"
                           "%sallow_http = %s\n"
                           "\n"
                           "[http]\n"
                           "# listen = 127.0.0.1:9651\n"
                           "\n"
                           "[log]\n"
                           "# level = info\n";

int config_file_read(struct cli *cli, struct config *ret)
{
    struct config_error error;
    enum status status = config_load(cli->directories.config, cli->instance, ret, &error);
    if (status == ERR_NOT_FOUND) {
        config_init(ret, cli->instance);
        return DONE;
    }
    return status == OK ? DONE : complain(cli, FAILED, "config", "%s", error.text);
}

static void write_text(const struct cli *cli, const struct first_config *first, char *ret)
{
    int size = snprintf(ret, TEXT_SIZE, head, cli->instance);
    if (first->bootstrap != NULL) {
        size +=
            snprintf(ret + size, (size_t)(TEXT_SIZE - size), "bootstrap = %s\n", first->bootstrap);
    } else {
        size += snprintf(ret + size, (size_t)(TEXT_SIZE - size),
            "# The first node of a network needs none; add another member's address later:\n"
            "# bootstrap = HOST:PORT/FINGERPRINT\n");
    }
    (void)snprintf(ret + size, (size_t)(TEXT_SIZE - size), tail, first->allow_http ? "" : "# ",
        first->allow_http ? "yes" : "no");
}

// Whole or not at all; errno tells, EEXIST that there is a file already.
static bool create(const char *path, const char *text)
{
    char temporary[PATH_SIZE + 32];
    (void)snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
        return false;
    }
    size_t size = strlen(text);
    bool good = write(fd, text, size) == (ssize_t)size && fsync(fd) == 0;
    int failure = errno;
    (void)close(fd);
    if (good) {
        good = link(temporary, path) == 0;
        failure = errno;
    }
    (void)unlink(temporary);
    errno = failure;
    return good;
}

static int compare(struct cli *cli, const char *path, const struct first_config *first)
{
    struct config config;
    int result = config_file_read(cli, &config);
    if (result != DONE) {
        return result;
    }
    bool found = first->bootstrap == NULL;
    for (size_t i = 0; i < config.bootstraps_count && !found; i++) {
        char text[ENDPOINT_NAME_TEXT_SIZE];
        endpoint_name_format(&config.bootstraps[i].endpoint, text);
        size_t size = strlen(text);
        found = strncmp(first->bootstrap, text, size) == 0 &&
                (first->bootstrap[size] == '\0' || first->bootstrap[size] == '/');
    }
    if (!found) {
        warn("%s exists and is left as it is; add to its [network]: bootstrap = %s", path,
            first->bootstrap);
    }
    if (first->allow_http && !config.allow_http) {
        warn("%s exists and is left as it is; add to its [chain]: allow_http = yes", path);
    }
    return DONE;
}

int config_file_offer(struct cli *cli, const struct first_config *first)
{
    char path[PATH_SIZE];
    char text[TEXT_SIZE];
    (void)snprintf(path, sizeof path, "%s/%s.conf", cli->directories.config, cli->instance);
    write_text(cli, first, text);
    if (mkdir(cli->directories.config, 0755) != 0 && errno != EEXIST) {
        return complain(cli, FAILED, "io", "%s: cannot make the directory: %s",
            cli->directories.config, strerror(errno));
    }
    if (create(path, text)) {
        if (!cli->arguments.json) {
            say("configuration  %s", path);
        }
        return DONE;
    }
    if (errno == EEXIST) {
        return compare(cli, path, first);
    }
    return complain(cli, FAILED, "io", "%s: cannot write: %s", path, strerror(errno));
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The command's end of the control socket.
#include "node/cli/client.h"

#include "base/clock_posix.h"
#include "node/instance/line.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    REPLY_MAX = 8 * 1024 * 1024, // the daemon queues at most half of it
    ASK_TIMEOUT_MS = 10 * 1000,
};

struct client {
    int fd;
    bool broken;
    json_t *line; // whose member was handed out last
    struct line_splitter lines;
    char *buffer;
};

static int connect_failed(const struct cli *cli, bool quiet, const char *path)
{
    int failure = errno;
    if (failure == ENOENT || failure == ECONNREFUSED) {
        if (!quiet) {
            (void)complain(cli, NO_DAEMON, "no_daemon",
                "no daemon runs for %s (%s: %s); start it with `deedmesh up`", cli->instance, path,
                strerror(failure));
        }
        return NO_DAEMON;
    }
    if (!quiet) {
        (void)complain(cli, FAILED, "permission", "%s: %s%s", path, strerror(failure),
            failure == EACCES ? "; run it as root, or as a member of the group deedmesh" : "");
    }
    return FAILED;
}

struct client *client_open(const struct cli *cli, bool quiet, int *ret_exit)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    char path[sizeof name.sun_path];
    if (control_socket_path(&cli->directories, cli->instance, path) != OK) {
        *ret_exit = complain(cli, FAILED, "usage", "%s: the path is too long for a unix socket",
            cli->directories.run);
        return NULL;
    }
    memcpy(name.sun_path, path, sizeof path);
    struct client *client = calloc(1, sizeof *client);
    char *buffer = malloc(REPLY_MAX);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client == NULL || buffer == NULL || fd < 0 ||
        connect(fd, (const struct sockaddr *)&name, sizeof name) != 0) {
        *ret_exit = connect_failed(cli, quiet, path);
        if (fd >= 0) {
            (void)close(fd);
        }
        free(buffer);
        free(client);
        return NULL;
    }
    *client = (struct client){.fd = fd, .buffer = buffer};
    line_splitter_init(&client->lines, buffer, REPLY_MAX);
    return client;
}

void client_close(struct client *client)
{
    if (client != NULL) {
        json_decref(client->line);
        (void)close(client->fd);
        free(client->buffer);
        free(client);
    }
}

void client_send(struct client *client, const char *verb, json_t *args)
{
    json_t *request = json_pack("{s:i, s:s}", "id", 1, "verb", verb);
    if (args != NULL) {
        (void)json_object_set_new(request, "args", args);
    }
    char *line = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    size_t size = line == NULL ? 0 : strlen(line);
    if (size == 0) {
        client->broken = true;
        return;
    }
    line[size] = '\n'; // in place of its NUL
    for (size_t done = 0; done < size + 1 && !client->broken;) {
        ssize_t put = send(client->fd, line + done, size + 1 - done, MSG_NOSIGNAL);
        if (put < 0 && errno != EINTR) {
            client->broken = true;
        }
        done += put > 0 ? (size_t)put : 0;
    }
    free(line);
}

// One whole line, or why not.
static enum answer_kind next_line(struct client *client, int64_t deadline_ms, struct span *ret)
{
    for (;;) {
        enum status status = line_splitter_next(&client->lines, ret);
        if (status == OK) {
            return ANSWER_RESULT;
        }
        if (status == ERR_TOO_LARGE || client->broken) {
            return ANSWER_GONE;
        }
        struct pollfd wanted = {.fd = client->fd, .events = POLLIN};
        int64_t left = deadline_ms < 0 ? -1 : deadline_ms - (int64_t)clock_mono().ms;
        int ready = deadline_ms >= 0 && left <= 0 ? 0 : poll(&wanted, 1, (int)left);
        if (ready == 0) {
            return ANSWER_LATE;
        }
        struct line_room room = line_splitter_room(&client->lines);
        ssize_t got = ready < 0 ? -1 : recv(client->fd, room.data, room.size, 0);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            client->broken = true;
        }
        line_splitter_filled(&client->lines, got > 0 ? (size_t)got : 0);
    }
}

enum answer_kind client_next(struct client *client, int timeout_ms, json_t **ret)
{
    struct span line;
    int64_t deadline_ms = timeout_ms < 0 ? -1 : (int64_t)clock_mono().ms + timeout_ms;
    enum answer_kind kind = next_line(client, deadline_ms, &line);
    if (kind != ANSWER_RESULT) {
        return kind;
    }
    json_decref(client->line);
    client->line = json_loadb((const char *)line.data, line.size, JSON_REJECT_DUPLICATES, NULL);
    json_t *event = json_object_get(client->line, "event");
    json_t *result = json_object_get(client->line, "result");
    json_t *error = json_object_get(client->line, "error");
    if (json_is_object(event)) {
        *ret = json_incref(event);
        return ANSWER_EVENT;
    }
    if (json_is_true(json_object_get(client->line, "ok")) && json_is_object(result)) {
        *ret = json_incref(result);
        return ANSWER_RESULT;
    }
    if (json_is_object(error)) {
        *ret = json_incref(error);
        return ANSWER_ERROR;
    }
    return ANSWER_GONE;
}

bool client_wait_gone(struct client *client, int timeout_ms)
{
    struct span line;
    int64_t deadline_ms = (int64_t)clock_mono().ms + timeout_ms;
    enum answer_kind kind = ANSWER_RESULT;
    while (kind == ANSWER_RESULT) {
        kind = next_line(client, deadline_ms, &line);
    }
    return kind == ANSWER_GONE;
}

int client_complain(const struct cli *cli, enum answer_kind kind, json_t *answer)
{
    int result = FAILED;
    if (kind == ANSWER_ERROR) {
        const char *code = json_text(answer, "code");
        result = strcmp(code, "timeout") == 0 ? TIMED_OUT : FAILED;
        (void)complain(cli, result, code, "%s", json_text(answer, "message"));
    } else if (kind == ANSWER_LATE) {
        result = complain(cli, TIMED_OUT, "timeout",
            "the daemon of %s did not answer in time; see its log", cli->instance);
    } else {
        result = complain(cli, NO_DAEMON, "no_daemon",
            "the daemon of %s hung up; see its log, and start it with `deedmesh up`",
            cli->instance);
    }
    json_decref(answer);
    return result;
}

json_t *client_ask(const struct cli *cli, const char *verb, json_t *args, int *ret_exit)
{
    json_t *answer = NULL;
    struct client *client = client_open(cli, false, ret_exit);
    if (client == NULL) {
        json_decref(args);
        return NULL;
    }
    client_send(client, verb, args);
    enum answer_kind kind = ANSWER_EVENT;
    while (kind == ANSWER_EVENT) {
        json_decref(answer);
        answer = NULL;
        kind = client_next(client, ASK_TIMEOUT_MS, &answer);
    }
    client_close(client);
    if (kind != ANSWER_RESULT) {
        *ret_exit = client_complain(cli, kind, answer);
        return NULL;
    }
    return answer;
}

void client_say_stage(const struct cli *, const json_t *event)
{
    say("%-10s %.0f ms", json_text(event, "stage"), json_amount(event, "at_ms", 0));
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh up` and `deedmesh down`: the daemon's life. The daemon is a program of its own,
// deedmeshd; node/daemon/ready.h describes the pipe over which it says that it is ready.
#include "base/clock_posix.h"
#include "node/cli/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    PATH_SIZE = 512,
    MESSAGE_SIZE = 4096,
    ARGUMENTS_MAX = 24,
    DOWN_TIMEOUT_MS = 20 * 1000,
    PATIENCE_MS = 1000,      // then a person is told what the start is waiting for
    FOLLOW_MS = 5000,        // how long the stages are shown after the start
    ANSWER_TIMEOUT_MS = 500, // of a local daemon
};

// Beside this program, as in the build tree, else where it was installed.
static int find_daemon(const struct cli *cli, char ret[static PATH_SIZE])
{
    static const char name[] = "deedmeshd";
    char self[PATH_SIZE];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    if (size > 0) {
        self[size] = '\0';
        char *slash = strrchr(self, '/');
        int length = slash == NULL ? 0 : (int)(slash - self);
        (void)snprintf(ret, PATH_SIZE, "%.*s/%s", length, self, name);
        if (access(ret, X_OK) == 0) {
            return DONE;
        }
    }
    (void)snprintf(ret, PATH_SIZE, "%s/%s", DEEDMESH_SBINDIR, name);
    if (access(ret, X_OK) == 0) {
        return DONE;
    }
    return complain(
        cli, FAILED, "install", "%s: %s; is deedmesh installed whole?", ret, strerror(errno));
}

struct daemon_call {
    char path[PATH_SIZE];
    const char *arguments[ARGUMENTS_MAX];
    size_t count;
    char ready_fd[16];
};

static void add(struct daemon_call *call, const char *option, const char *value)
{
    ASSERT(call->count + 3 < ARGUMENTS_MAX);
    if (value != NULL) {
        call->arguments[call->count++] = option;
        call->arguments[call->count++] = value;
    }
}

static int make_call(const struct cli *cli, struct daemon_call *ret)
{
    int result = find_daemon(cli, ret->path);
    if (result != DONE) {
        return result;
    }
    ret->count = 0;
    ret->arguments[ret->count++] = ret->path;
    add(ret, "--instance", cli->instance);
    add(ret, "--config-dir", cli->directories.config);
    add(ret, "--state-dir", cli->directories.state);
    add(ret, "--run-dir", cli->directories.run);
    add(ret, "--token", cli->arguments.token);
    add(ret, "--log-format", cli->arguments.log_format);
    return DONE;
}

// execv wants pointers to non-const.
static void execute(const struct daemon_call *call)
{
    char *arguments[ARGUMENTS_MAX + 1] = {0};
    for (size_t i = 0; i < call->count; i++) {
        arguments[i] = strdup(call->arguments[i]);
    }
    (void)execv(call->path, arguments);
}

// --- the background daemon ---

// The journal's stream protocol (systemd's stdout socket), or -1 where there is no journal.
static int open_journal(const char *instance)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/stdout"};
    char header[128];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    // Identifier, unit, priority (info), lines have "<N>" prefixes, no forwarding.
    int size = snprintf(header, sizeof header, "deedmesh-%s\n\n6\n1\n0\n0\n0\n", instance);
    if (connect(fd, (const struct sockaddr *)&name, sizeof name) != 0 || size < 0 ||
        send(fd, header, (size_t)size, MSG_NOSIGNAL) != size) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static void log_path(const struct cli *cli, char ret[static PATH_SIZE])
{
    (void)snprintf(ret, PATH_SIZE, "%s/%s.log", cli->directories.run, cli->instance);
}

// Where the daemon's log goes: the journal, else RUN/NAME.log.
static int open_log(const struct cli *cli, bool *ret_journal)
{
    char path[PATH_SIZE];
    char stream[64];
    struct stat info;
    int fd = open_journal(cli->instance);
    *ret_journal = fd >= 0;
    if (fd >= 0 && fstat(fd, &info) == 0) {
        (void)snprintf(
            stream, sizeof stream, "%ju:%ju", (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
        (void)setenv("JOURNAL_STREAM", stream, 1);
        return fd;
    }
    if (mkdir(cli->directories.run, 0755) != 0 && errno != EEXIST) {
        return -1;
    }
    log_path(cli, path);
    (void)unsetenv("JOURNAL_STREAM");
    return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640);
}

// In the child: detached from this terminal, its log on stderr, the pipe inherited.
static void become_daemon(const struct daemon_call *call, int log_fd, int ready_fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)setsid();
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
        dup2(log_fd, STDERR_FILENO) < 0 || fcntl(ready_fd, F_SETFD, 0) != 0 || chdir("/") != 0) {
        _exit(126);
    }
    execute(call);
    _exit(127);
}

// Starts the daemon; `*ret_pipe` is where it will say that it is ready.
static int spawn(const struct cli *cli, pid_t *ret_pid, int *ret_pipe, bool *ret_journal)
{
    struct daemon_call call;
    int ends[2] = {-1, -1};
    int result = make_call(cli, &call);
    if (result != DONE) {
        return result;
    }
    int log_fd = open_log(cli, ret_journal);
    if (log_fd < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        char path[PATH_SIZE];
        log_path(cli, path);
        result = complain(cli, FAILED, "io", "%s: cannot open the log: %s%s", path, strerror(errno),
            errno == EACCES ? "; run it as root" : "");
        goto out;
    }
    (void)snprintf(call.ready_fd, sizeof call.ready_fd, "%d", ends[1]);
    add(&call, "--ready-fd", call.ready_fd);
    pid_t pid = fork();
    if (pid == 0) {
        become_daemon(&call, log_fd, ends[1]);
    }
    if (pid < 0) {
        (void)close(ends[0]);
        result = complain(cli, FAILED, "io", "cannot start the daemon: %s", strerror(errno));
        goto out;
    }
    *ret_pid = pid;
    *ret_pipe = ends[0];
out:
    if (ends[1] >= 0) {
        (void)close(ends[1]);
    }
    if (log_fd >= 0) {
        (void)close(log_fd);
    }
    return result;
}

// Whether a person is looking on.
static bool is_watched(const struct cli *cli)
{
    return !cli->arguments.json && isatty(STDOUT_FILENO) == 1;
}

// The first warning of `status`: while the daemon is starting it says what is waited for.
static void say_waiting(const struct cli *cli)
{
    int ignored = DONE;
    json_t *answer = NULL;
    struct client *client = client_open(cli, true, &ignored);
    if (client == NULL) {
        return;
    }
    client_send(client, "status", NULL);
    if (client_next(client, ANSWER_TIMEOUT_MS, &answer) == ANSWER_RESULT) {
        const char *text =
            json_string_value(json_array_get(json_object_get(answer, "warnings"), 0));
        if (text != NULL) {
            say("%s", text);
        }
    }
    json_decref(answer);
    client_close(client);
}

// Shows the stages up to being ready, for a while: the daemon goes on without us.
static void follow(const struct cli *cli)
{
    int ignored = DONE;
    json_t *answer = NULL;
    struct client *client = client_open(cli, true, &ignored);
    if (client == NULL) {
        return;
    }
    client_send(
        client, "wait", json_pack("{s:s, s:i}", "for", "ready", "timeout_ms", (int)FOLLOW_MS));
    enum answer_kind kind = client_next(client, FOLLOW_MS + ANSWER_TIMEOUT_MS, &answer);
    for (; kind == ANSWER_EVENT;
         kind = client_next(client, FOLLOW_MS + ANSWER_TIMEOUT_MS, &answer)) {
        client_say_stage(cli, answer);
        json_decref(answer);
        answer = NULL;
    }
    if (kind == ANSWER_ERROR) {
        say("%s", json_text(answer, "message"));
    }
    json_decref(answer);
    client_close(client);
}

enum readiness {
    READY,
    NOT_READY, // it said why
    DIED,      // it ended without a word
    LATE,
};

// Reads "ready\n" or "failed\n" and a message.
static enum readiness await(
    const struct cli *cli, int pipe, uint64_t timeout_ms, char ret[static MESSAGE_SIZE])
{
    size_t size = 0;
    uint64_t begin = clock_mono().ms;
    bool patient = is_watched(cli);
    ret[0] = '\0';
    for (uint64_t now = begin; now - begin < timeout_ms; now = clock_mono().ms) {
        struct pollfd wanted = {.fd = pipe, .events = POLLIN};
        uint64_t left_ms = timeout_ms - (now - begin);
        if (poll(&wanted, 1, (int)(patient && left_ms > PATIENCE_MS ? PATIENCE_MS : left_ms)) <=
            0) {
            if (patient && clock_mono().ms - begin >= PATIENCE_MS) {
                patient = false;
                say_waiting(cli);
            }
            continue;
        }
        ssize_t got = read(pipe, ret + size, MESSAGE_SIZE - 1 - size);
        size += got > 0 ? (size_t)got : 0;
        ret[size] = '\0';
        if (strncmp(ret, "ready\n", 6) == 0) {
            return READY;
        }
        if (got == 0 || size == MESSAGE_SIZE - 1) {
            bool told = strncmp(ret, "failed\n", 7) == 0;
            if (told) {
                memmove(ret, ret + 7, size - 6);
            }
            return told ? NOT_READY : DIED;
        }
    }
    return LATE;
}

static void log_hint(const struct cli *cli, bool journal, char ret[static PATH_SIZE])
{
    if (journal) {
        (void)snprintf(ret, PATH_SIZE, "journalctl -t deedmesh-%s", cli->instance);
    } else {
        log_path(cli, ret);
    }
}

static int start(struct cli *cli, uint64_t timeout_s)
{
    pid_t pid = -1;
    int pipe = -1;
    bool journal = false;
    char message[MESSAGE_SIZE];
    char hint[PATH_SIZE];
    int result = spawn(cli, &pid, &pipe, &journal);
    if (result != DONE) {
        return result;
    }
    enum readiness readiness = await(cli, pipe, timeout_s * 1000, message);
    (void)close(pipe);
    log_hint(cli, journal, hint);
    switch (readiness) {
    case READY:
        break;
    case NOT_READY:
        (void)waitpid(pid, NULL, WNOHANG);
        return complain(cli, FAILED, "not_ready", "%s", message);
    case DIED:
        return complain(cli, FAILED, "died",
            "the daemon ended before it was ready and gave no reason; see %s", hint);
    case LATE:
        return complain(cli, TIMED_OUT, "timeout",
            "%s is not ready after %llu s and goes on trying; see `deedmesh status` and %s",
            cli->instance, (unsigned long long)timeout_s, hint);
    }
    if (cli->arguments.json) {
        print_json(json_pack("{s:s, s:b, s:I, s:s}", "instance", cli->instance, "started", 1, "pid",
            (json_int_t)pid, "log", hint));
    } else {
        say("%s is up (pid %ld); its log: %s", cli->instance, (long)pid, hint);
        if (is_watched(cli)) {
            follow(cli);
        }
    }
    return DONE;
}

static int stay(const struct cli *cli)
{
    struct daemon_call call;
    int result = make_call(cli, &call);
    if (result == DONE) {
        execute(&call);
        result = complain(cli, FAILED, "io", "%s: %s", call.path, strerror(errno));
    }
    return result;
}

int verb_up(struct cli *cli)
{
    uint64_t timeout_s = 0;
    struct token_id token;
    const struct arguments *arguments = &cli->arguments;
    if (!number_option(cli, "--timeout", arguments->timeout, 1, 3600, 60, &timeout_s) ||
        (arguments->token != NULL && !token_option(cli, arguments->token, &token))) {
        return USAGE_ERROR;
    }
    if (arguments->log_format != NULL && strcmp(arguments->log_format, "text") != 0 &&
        strcmp(arguments->log_format, "json") != 0) {
        return complain(cli, USAGE_ERROR, "usage", "--log-format %s: expected text or json",
            arguments->log_format);
    }
    int ignored = DONE;
    struct client *client = client_open(cli, true, &ignored);
    if (client != NULL) {
        client_close(client);
        if (arguments->foreground) {
            return complain(cli, FAILED, "busy",
                "%s is up already; stop it with `deedmesh down` first", cli->instance);
        }
        if (arguments->json) {
            print_json(json_pack("{s:s, s:b}", "instance", cli->instance, "started", 0));
        } else {
            say("%s is up already.", cli->instance);
        }
        return DONE;
    }
    return arguments->foreground ? stay(cli) : start(cli, timeout_s);
}

// --- down ---

// No daemon answers: one that was killed may have left its interface. deedmeshd --clean removes
// what carries this instance's mark, and nothing else.
static int clean(struct cli *cli)
{
    struct daemon_call call;
    int result = make_call(cli, &call);
    int status = 0;
    if (result != DONE) {
        return result;
    }
    call.arguments[call.count++] = "--clean";
    pid_t pid = fork();
    if (pid == 0) {
        execute(&call);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 0) {
        return complain(cli, FAILED, "clean",
            "no daemon answers for %s, and what one may have left behind could not be removed",
            cli->instance);
    }
    if (cli->arguments.json) {
        print_json(json_pack("{s:s, s:b}", "instance", cli->instance, "stopped", 0));
    } else {
        say("No daemon ran for %s; nothing of it is left.", cli->instance);
    }
    return DONE;
}

int verb_down(struct cli *cli)
{
    int result = DONE;
    json_t *answer = NULL;
    struct client *client = client_open(cli, true, &result);
    if (client == NULL && result == NO_DAEMON) {
        return clean(cli);
    }
    if (client == NULL) {
        client = client_open(cli, false, &result);
        client_close(client);
        return result;
    }
    client_send(client, "down", NULL);
    enum answer_kind kind = client_next(client, DOWN_TIMEOUT_MS, &answer);
    if (kind != ANSWER_RESULT && kind != ANSWER_GONE) {
        result = client_complain(cli, kind, answer);
    } else {
        json_decref(answer);
        bool gone = kind == ANSWER_GONE || client_wait_gone(client, DOWN_TIMEOUT_MS);
        result = gone ? DONE
                      : complain(cli, TIMED_OUT, "timeout",
                            "the daemon of %s is stopping but has not ended yet; see its log",
                            cli->instance);
    }
    client_close(client);
    if (result == DONE && cli->arguments.json) {
        print_json(json_pack("{s:s, s:b}", "instance", cli->instance, "stopped", 1));
    } else if (result == DONE) {
        say("%s is down.", cli->instance);
    }
    return result;
}

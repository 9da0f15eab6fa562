// SPDX-License-Identifier: GPL-3.0-or-later
//
// An agent is started without a shell: nothing in its command line is expanded.
#include "node/cli/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    WORDS_MAX = 64,
    STEP_MS = 20,    // how often an agent that has answered is looked at until it ends
    MERCY_MS = 2000, // between TERM and KILL
};

struct agent {
    const char *command;
    pid_t pid;
    int to;   // its standard input; -1 once closed
    int from; // its standard output
    uint64_t deadline_ms;
};

static uint64_t monotonic_ms(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000 + (uint64_t)at.tv_nsec / 1000000;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

// Cuts `text` into words in place: blanks part them, '...' and "..." hold blanks together, and
// nothing else has a meaning. False if a quote is left open, or there are too many or none.
static bool cut_words(char *text, char *ret[static WORDS_MAX + 1])
{
    size_t count = 0;
    char *at = text;
    char *out = text;
    for (;;) {
        while (is_blank(*at)) {
            at++;
        }
        if (*at == '\0' || count == WORDS_MAX) {
            break;
        }
        ret[count++] = out;
        char quote = '\0';
        for (; *at != '\0' && (quote != '\0' || !is_blank(*at)); at++) {
            if (quote == '\0' && (*at == '\'' || *at == '"')) {
                quote = *at;
            } else if (*at == quote) {
                quote = '\0';
            } else {
                *out++ = *at;
            }
        }
        if (quote != '\0') {
            return false;
        }
        bool last = *at == '\0';
        *out++ = '\0';
        at += last ? 0 : 1;
    }
    ret[count] = NULL;
    return count > 0 && *at == '\0';
}

// Our ends are closed in the child, by the flag; signals are as after a login.
static int spawn(char *const *words, const int input[2], const int output[2], pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawn_file_actions_adddup2(&actions, input[0], STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, output[1], STDOUT_FILENO);
    (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    int error = posix_spawnp(ret, words[0], &actions, &attributes, words, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    return error;
}

static void close_end(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
    *fd = -1;
}

static int start(struct cli *cli, struct agent *agent)
{
    char *words[WORDS_MAX + 1];
    int input[2] = {-1, -1};
    int output[2] = {-1, -1};
    int result = DONE;
    char *text = strdup(agent->command);
    if (text == NULL || !cut_words(text, words)) {
        result = complain(cli, USAGE_ERROR, "usage",
            "--agent '%s': expected a program and its arguments, parted by blanks; '...' and "
            "\"...\" keep blanks together and must be closed",
            agent->command);
        goto out;
    }
    if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
        result = complain(cli, FAILED, "io", "--agent: %s", strerror(errno));
        goto out;
    }
    int error = spawn(words, input, output, &agent->pid);
    if (error != 0) {
        result = complain(
            cli, FAILED, "agent", "the agent %s cannot be started: %s", words[0], strerror(error));
        goto out;
    }
    agent->to = input[1];
    agent->from = output[0];
    input[1] = -1;
    output[0] = -1;
out:
    close_end(&input[0]);
    close_end(&input[1]);
    close_end(&output[0]);
    close_end(&output[1]);
    free(text);
    return result;
}

// Sends the question and gathers the answer up to its end. ERR_TIMEOUT, ERR_TOO_LARGE, ERR_IO. An
// agent that answers without reading the question breaks the pipe; its answer counts.
static enum status converse(struct agent *agent, struct span question, char *answer, size_t *size)
{
    (void)fcntl(agent->to, F_SETFL, O_NONBLOCK);
    for (*size = 0;;) {
        uint64_t now = monotonic_ms();
        struct pollfd waits[] = {
            {.fd = agent->from, .events = POLLIN}, {.fd = agent->to, .events = POLLOUT}};
        if (now >= agent->deadline_ms) {
            return ERR_TIMEOUT;
        }
        if (poll(waits, 2, (int)(agent->deadline_ms - now)) < 0 && errno != EINTR) {
            return ERR_IO;
        }
        if (agent->to >= 0 && waits[1].revents != 0) {
            ssize_t wrote = write(agent->to, question.data, question.size);
            size_t done = wrote > 0 ? (size_t)wrote : 0;
            question = span_of(question.data + done, question.size - done);
            if (question.size == 0 || (wrote < 0 && errno != EAGAIN && errno != EINTR)) {
                close_end(&agent->to);
            }
        }
        if (waits[0].revents != 0) {
            ssize_t got = read(agent->from, answer + *size, AGENT_ANSWER_MAX - *size);
            if (got == 0) {
                return OK;
            }
            *size += got > 0 ? (size_t)got : 0;
            if (*size == AGENT_ANSWER_MAX) {
                return ERR_TOO_LARGE;
            }
        }
    }
}

// True and its status if it ends by `deadline_ms`.
static bool reap(const struct agent *agent, uint64_t deadline_ms, int *ret)
{
    struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    for (;;) {
        pid_t pid = waitpid(agent->pid, ret, WNOHANG);
        if (pid == agent->pid) {
            return true;
        }
        if (monotonic_ms() >= deadline_ms || (pid < 0 && errno != EINTR)) {
            return false;
        }
        (void)nanosleep(&step, NULL);
    }
}

// It is not left behind: what has not ended in time is told to, then made to.
static enum status finish(struct agent *agent, enum status status, int *ret)
{
    close_end(&agent->to);
    close_end(&agent->from);
    if (status == OK && reap(agent, agent->deadline_ms, ret)) {
        return OK;
    }
    (void)kill(agent->pid, SIGTERM);
    if (!reap(agent, monotonic_ms() + MERCY_MS, ret)) {
        (void)kill(agent->pid, SIGKILL);
        (void)waitpid(agent->pid, ret, 0);
    }
    return status == OK ? ERR_TIMEOUT : status;
}

static int judge(struct cli *cli, const struct agent *agent, int ended, json_t *answer)
{
    const char *refusal = json_string_value(json_object_get(answer, "error"));
    if (refusal != NULL) {
        return complain(cli, FAILED, "agent", "the agent refused: %s", refusal);
    }
    if (!WIFEXITED(ended) || WEXITSTATUS(ended) != 0) {
        return complain(cli, FAILED, "agent", "the agent %s failed (%s %d)", agent->command,
            WIFEXITED(ended) ? "exit status" : "signal",
            WIFEXITED(ended) ? WEXITSTATUS(ended) : WTERMSIG(ended));
    }
    if (!json_is_object(answer)) {
        return complain(cli, FAILED, "agent",
            "the agent %s did not answer with one JSON object; deedmesh(1), SIGNING, says what is "
            "expected of it",
            agent->command);
    }
    return DONE;
}

// The object on a line, or NULL. Releases it.
static char *line_of(json_t *object)
{
    char *line = NULL;
    char *text = json_dumps(object, JSON_COMPACT);
    if (text != NULL && asprintf(&line, "%s\n", text) < 0) {
        line = NULL;
    }
    free(text);
    json_decref(object);
    return line;
}

int agent_ask(
    struct cli *cli, const char *command, json_t *question, uint64_t timeout_ms, json_t **ret)
{
    struct agent agent = {
        .command = command, .to = -1, .from = -1, .deadline_ms = monotonic_ms() + timeout_ms};
    char answer[AGENT_ANSWER_MAX];
    size_t size = 0;
    int ended = 0;
    json_t *object = NULL;
    char *text = line_of(question);
    int result =
        text != NULL ? start(cli, &agent) : complain(cli, FAILED, "io", "--agent: out of memory");
    if (result != DONE) {
        goto out;
    }
    enum status status =
        finish(&agent, converse(&agent, span_of(text, strlen(text)), answer, &size), &ended);
    if (status != OK) {
        result =
            complain(cli, status == ERR_TIMEOUT ? TIMED_OUT : FAILED, "agent", "the agent %s: %s%s",
                command, status_text(status), status == ERR_TIMEOUT ? " (--agent-timeout)" : "");
        goto out;
    }
    object = json_loadb(answer, size, JSON_REJECT_DUPLICATES, NULL);
    result = judge(cli, &agent, ended, object);
    if (result == DONE) {
        *ret = object;
        object = NULL;
    }
out:
    json_decref(object);
    free(text);
    return result;
}

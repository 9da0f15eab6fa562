// SPDX-License-Identifier: GPL-3.0-or-later
//
// The control socket's server on a real loop, spoken to by raw clients on a real socket.
#include "node/daemon/control.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    REPLY_SIZE = 65536,
    TURNS_MAX = 2000,
};

struct fixture {
    uv_loop_t loop;
    struct control *control;
    char directory[64];
    char path[108];
    struct control_request last; // of verb "hold"
    int requests;
    char reply[REPLY_SIZE];
    size_t reply_size;
};

static void on_request(
    void *context, const char *verb, const json_t *args, struct control_request request)
{
    struct fixture *fixture = context;
    fixture->requests++;
    if (strcmp(verb, "hold") == 0) {
        fixture->last = request;
    } else if (strcmp(verb, "echo") == 0) {
        control_reply_ok(fixture->control, request, json_deep_copy(args));
    } else if (strcmp(verb, "count") == 0) {
        assert_true(
            control_reply_event(fixture->control, request, json_pack("{s:i}", "sequence", 1)));
        control_reply_ok(fixture->control, request, NULL);
        // Answered: further replies find nothing.
        control_reply_ok(fixture->control, request, NULL);
        assert_false(control_reply_event(fixture->control, request, json_object()));
    } else {
        control_reply_error(
            fixture->control, request, "unknown_verb", "there is no verb '%s'", verb);
    }
}

static int set_up(void **context)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    (void)snprintf(fixture->directory, sizeof fixture->directory, "/tmp/deedmesh-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    (void)snprintf(fixture->path, sizeof fixture->path, "%s/run/t.sock", fixture->directory);
    assert_int_equal(
        control_start(&fixture->loop, fixture->path, on_request, fixture, &fixture->control), OK);
    *context = fixture;
    return 0;
}

static int tear_down(void **context)
{
    struct fixture *fixture = *context;
    char run[108];
    control_stop(fixture->control);
    assert_int_equal(uv_run(&fixture->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    assert_int_equal(access(fixture->path, F_OK), -1);
    (void)snprintf(run, sizeof run, "%s/run", fixture->directory);
    assert_int_equal(rmdir(run), 0);
    assert_int_equal(rmdir(fixture->directory), 0);
    free(fixture);
    return 0;
}

static int client_connect(struct fixture *fixture)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, fixture->path, strlen(fixture->path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&name, sizeof name), 0);
    return fd;
}

// Sends everything, turning the loop where the socket is full. Stops if the server hung up.
static void client_send(struct fixture *fixture, int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t put = send(fd, text, size, MSG_NOSIGNAL);
        if (put < 0 && errno != EAGAIN) {
            return;
        }
        text += put > 0 ? put : 0;
        size -= put > 0 ? (size_t)put : 0;
        (void)uv_run(&fixture->loop, UV_RUN_NOWAIT);
    }
}

// Turns the loop until `lines` lines have come, or the server has hung up (returns false).
static bool client_read(struct fixture *fixture, int fd, size_t lines)
{
    fixture->reply_size = 0;
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        (void)uv_run(&fixture->loop, UV_RUN_NOWAIT);
        size_t room = sizeof fixture->reply - fixture->reply_size - 1;
        ssize_t got = recv(fd, fixture->reply + fixture->reply_size, room, 0);
        if (got == 0 || (got < 0 && errno == ECONNRESET)) {
            return false;
        }
        fixture->reply_size += got > 0 ? (size_t)got : 0;
        fixture->reply[fixture->reply_size] = '\0';
        size_t found = 0;
        for (size_t i = 0; i < fixture->reply_size; i++) {
            found += fixture->reply[i] == '\n';
        }
        if (found >= lines) {
            return true;
        }
    }
    fail_msg("no answer");
    return false;
}

static void ask(struct fixture *fixture, int fd, const char *text, const char *expected)
{
    client_send(fixture, fd, text, strlen(text));
    assert_true(client_read(fixture, fd, 1));
    assert_string_equal(fixture->reply, expected);
}

static void requests_are_answered(void **context)
{
    struct fixture *fixture = *context;
    int fd = client_connect(fixture);
    ask(fixture, fd, "{\"id\":1,\"verb\":\"echo\",\"args\":{\"a\":2}}\n",
        "{\"id\":1,\"ok\":true,\"result\":{\"a\":2}}\n");
    ask(fixture, fd, "{\"id\":2,\"verb\":\"nothing\"}\n",
        "{\"id\":2,\"ok\":false,\"error\":{\"code\":\"unknown_verb\",\"message\":\"there is no "
        "verb 'nothing'\"}}\n");
    client_send(fixture, fd, "{\"id\":3,\"verb\":\"count\"}\n", 24);
    assert_true(client_read(fixture, fd, 2));
    assert_string_equal(fixture->reply,
        "{\"id\":3,\"event\":{\"sequence\":1}}\n{\"id\":3,\"ok\":true,\"result\":{}}\n");
    (void)close(fd);
}

static void a_line_may_come_in_pieces(void **context)
{
    struct fixture *fixture = *context;
    static const char line[] = "{\"id\":1,\"verb\":\"echo\"}\n";
    int fd = client_connect(fixture);
    for (size_t i = 0; i + 1 < sizeof line - 1; i++) {
        client_send(fixture, fd, line + i, 1);
    }
    assert_int_equal(fixture->requests, 0);
    ask(fixture, fd, "\n", "{\"id\":1,\"ok\":true,\"result\":{}}\n");
    (void)close(fd);
}

static void garbage_gets_one_error_and_the_door(void **context)
{
    struct fixture *fixture = *context;
    int fd = client_connect(fixture);
    static const char text[] = "GET / HTTP/1.1\n{\"id\":1,\"verb\":\"echo\"}\n";
    client_send(fixture, fd, text, sizeof text - 1);
    assert_false(client_read(fixture, fd, 2));
    assert_non_null(strstr(fixture->reply, "\"id\":null,\"ok\":false"));
    assert_non_null(strstr(fixture->reply, "bad_request"));
    assert_int_equal(fixture->requests, 0);
    (void)close(fd);
}

static void an_endless_line_is_cut_off(void **context)
{
    struct fixture *fixture = *context;
    int fd = client_connect(fixture);
    char *text = malloc(CONTROL_LINE_MAX + 1);
    assert_non_null(text);
    memset(text, ' ', CONTROL_LINE_MAX + 1);
    client_send(fixture, fd, text, CONTROL_LINE_MAX + 1);
    free(text);
    assert_false(client_read(fixture, fd, 2));
    assert_non_null(strstr(fixture->reply, "longer than 64 KiB"));
    (void)close(fd);
}

static void late_answers_to_a_gone_client_are_dropped(void **context)
{
    struct fixture *fixture = *context;
    int fd = client_connect(fixture);
    client_send(fixture, fd, "{\"id\":1,\"verb\":\"hold\"}\n", 23);
    for (int turn = 0; turn < TURNS_MAX && fixture->requests == 0; turn++) {
        (void)uv_run(&fixture->loop, UV_RUN_NOWAIT);
    }
    assert_true(control_request_is_open(fixture->control, fixture->last));
    (void)close(fd);
    for (int turn = 0; turn < TURNS_MAX && control_request_is_open(fixture->control, fixture->last);
         turn++) {
        (void)uv_run(&fixture->loop, UV_RUN_NOWAIT);
    }
    assert_false(control_request_is_open(fixture->control, fixture->last));
    assert_false(control_reply_event(fixture->control, fixture->last, json_object()));
    control_reply_error(fixture->control, fixture->last, "internal", "late");
    control_reply_ok(fixture->control, fixture->last, json_object());
}

static void requests_in_flight_are_bounded(void **context)
{
    struct fixture *fixture = *context;
    int fd = client_connect(fixture);
    for (int i = 0; i < CONTROL_REQUESTS_MAX; i++) {
        client_send(fixture, fd, "{\"id\":1,\"verb\":\"hold\"}\n", 23);
    }
    ask(fixture, fd, "{\"id\":9,\"verb\":\"hold\"}\n",
        "{\"id\":9,\"ok\":false,\"error\":{\"code\":\"busy\",\"message\":\"too many requests of "
        "this client are in flight; wait for their replies\"}}\n");
    assert_int_equal(fixture->requests, CONTROL_REQUESTS_MAX);
    (void)close(fd);
}

static void clients_are_bounded(void **context)
{
    struct fixture *fixture = *context;
    int fds[CONTROL_CLIENTS_MAX + 1];
    for (int i = 0; i <= CONTROL_CLIENTS_MAX; i++) {
        fds[i] = client_connect(fixture);
        (void)uv_run(&fixture->loop, UV_RUN_NOWAIT);
    }
    assert_false(client_read(fixture, fds[CONTROL_CLIENTS_MAX], 2));
    assert_non_null(strstr(fixture->reply, "too many clients"));
    ask(fixture, fds[0], "{\"id\":1,\"verb\":\"echo\"}\n",
        "{\"id\":1,\"ok\":true,\"result\":{}}\n");
    for (int i = 0; i <= CONTROL_CLIENTS_MAX; i++) {
        (void)close(fds[i]);
    }
}

// A client that asks and never reads: its connection ends before it has taken the memory.
static void a_client_that_does_not_read_is_closed(void **context)
{
    struct fixture *fixture = *context;
    int fd = client_connect(fixture);
    size_t size = CONTROL_LINE_MAX - 16;
    char *text = malloc(size + 1);
    assert_non_null(text);
    int head = snprintf(text, size + 1, "{\"id\":1,\"verb\":\"echo\",\"args\":{\"a\":\"");
    memset(text + head, 'a', size - (size_t)head);
    (void)snprintf(text + size - 4, 5, "\"}}\n");
    size_t sent = 0;
    for (size_t i = 0; i < 4 * CONTROL_WRITE_QUEUE_MAX / size; i++) {
        int before = fixture->requests;
        client_send(fixture, fd, text, size);
        (void)uv_run(&fixture->loop, UV_RUN_NOWAIT);
        sent += fixture->requests > before;
    }
    free(text);
    assert_true(sent * size < 2 * CONTROL_WRITE_QUEUE_MAX);
    (void)close(fd);
    fd = client_connect(fixture);
    ask(fixture, fd, "{\"id\":1,\"verb\":\"echo\"}\n", "{\"id\":1,\"ok\":true,\"result\":{}}\n");
    (void)close(fd);
}

static void the_socket_is_for_owner_and_group(void **context)
{
    struct fixture *fixture = *context;
    struct stat info;
    assert_int_equal(stat(fixture->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0660);
}

static void a_served_path_is_busy_and_a_stale_one_replaced(void **context)
{
    struct fixture *fixture = *context;
    struct control *other = NULL;
    char path[108];
    assert_int_equal(
        control_start(&fixture->loop, fixture->path, on_request, fixture, &other), ERR_BUSY);
    (void)snprintf(path, sizeof path, "%s/run/u.sock", fixture->directory);
    // A file that is no socket is not ours to remove.
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    assert_int_equal(control_start(&fixture->loop, path, on_request, fixture, &other), ERR_BUSY);
    assert_int_equal(unlink(path), 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&name, sizeof name), 0);
    (void)close(fd);
    assert_int_equal(control_start(&fixture->loop, path, on_request, fixture, &other), OK);
    control_stop(other);
    char long_path[200];
    memset(long_path, 'a', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(
        control_start(&fixture->loop, long_path, on_request, fixture, &other), ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_are_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_may_come_in_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(garbage_gets_one_error_and_the_door, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_endless_line_is_cut_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            late_answers_to_a_gone_client_are_dropped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(requests_in_flight_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(clients_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_that_does_not_read_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_socket_is_for_owner_and_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_served_path_is_busy_and_a_stale_one_replaced, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("control", tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The HTTP server on a real loop and a real loopback socket.
#include "node/daemon/http.h"

#include "base/bytes.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    TURNS_MAX = 5000,
};

struct fixture {
    uv_loop_t loop;
    struct http *http;
    char reply[8192];
};

static void provide(void *, const char *path, struct http_page *page)
{
    bool health = strcmp(path, "/healthz") == 0;
    page->status = health ? 503 : 200;
    page->size = (size_t)snprintf(page->body, page->capacity, "page %s\n", path);
}

static int set_up(void **context)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct address address = address_of_ipv4(127, 0, 0, 1, 0);
    assert_non_null(fixture);
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    assert_int_equal(http_start(&fixture->loop, &address, provide, NULL, &fixture->http), OK);
    *context = fixture;
    return 0;
}

static int tear_down(void **context)
{
    struct fixture *fixture = *context;
    http_stop(fixture->http);
    assert_int_equal(uv_run(&fixture->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    free(fixture);
    return 0;
}

static int client_connect(const struct fixture *fixture)
{
    struct address address = http_address(fixture->http);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(address.port)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&name, sizeof name), 0);
    return fd;
}

// One exchange; the server closes because the request says so.
static const char *ask(struct fixture *fixture, const char *request)
{
    int fd = client_connect(fixture);
    size_t size = 0;
    assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    for (int turn = 0; turn < TURNS_MAX; turn++) {
        (void)uv_run(&fixture->loop, UV_RUN_NOWAIT);
        ssize_t got =
            recv(fd, fixture->reply + size, sizeof fixture->reply - size - 1, MSG_DONTWAIT);
        if (got == 0) {
            break;
        }
        size += got > 0 ? (size_t)got : 0;
    }
    fixture->reply[size] = '\0';
    (void)close(fd);
    return fixture->reply;
}

static void the_two_pages_are_served(void **context)
{
    struct fixture *fixture = *context;
    const char *reply =
        ask(fixture, "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:9651\r\nConnection: close\r\n\r\n");
    assert_int_equal(strncmp(reply, "HTTP/1.1 200 ", 13), 0);
    assert_non_null(strstr(reply, "\r\n\r\npage /metrics\n"));
    reply = ask(fixture, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert_int_equal(strncmp(reply, "HTTP/1.1 503 ", 13), 0);
    assert_non_null(strstr(reply, "\r\n\r\npage /healthz\n"));
}

static void everything_else_is_refused(void **context)
{
    struct fixture *fixture = *context;
    static const struct {
        const char *request;
        const char *status;
    } cases[] = {
        {"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", "404"},
        {"GET /metrics/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", "404"},
        {"DELETE /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", "405"},
        {"POST /metrics HTTP/1.1\r\nHost: [::1]:1\r\nContent-Length: 3\r\nConnection: "
         "close\r\n\r\nabc",
            "405"},
        {"GET /metrics HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n", "403"},
        {"GET /metrics HTTP/1.0\r\n\r\n", "403"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *reply = ask(fixture, cases[i].request);
        assert_int_equal(strncmp(reply, "HTTP/1.", 7), 0);
        assert_memory_equal(reply + 9, cases[i].status, 3);
        assert_null(strstr(reply, "page "));
    }
}

static void a_taken_port_is_busy(void **context)
{
    struct fixture *fixture = *context;
    struct http *other = NULL;
    struct address address = http_address(fixture->http);
    assert_int_equal(http_start(&fixture->loop, &address, provide, NULL, &other), ERR_BUSY);
    address.ip[0] = 203;
    assert_int_equal(http_start(&fixture->loop, &address, provide, NULL, &other), ERR_IO);
}

static void hosts_that_a_web_page_cannot_rebind(void **)
{
    static const char *const good[] = {"127.0.0.1", "127.0.0.1:9651", "localhost", "localhost:9651",
        "[::1]", "[::1]:9651", "10.0.0.1:80"};
    static const char *const bad[] = {"", "localhost.example", "localhost:", "localhost:1x",
        "localhost:123456", "a.example", "127.0.0.1.example", "[::1", "[127.0.0.1]", "[]"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        if (!http_host_is_allowed(good[i])) {
            fail_msg("refused: %s", good[i]);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (http_host_is_allowed(bad[i])) {
            fail_msg("allowed: %s", bad[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_two_pages_are_served, set_up, tear_down),
        cmocka_unit_test_setup_teardown(everything_else_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_taken_port_is_busy, set_up, tear_down),
        cmocka_unit_test(hosts_that_a_web_page_cannot_rebind),
    };
    return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}

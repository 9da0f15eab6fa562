// SPDX-License-Identifier: GPL-3.0-or-later
//
// HTTP on loopback: libmicrohttpd without a thread. Its epoll descriptor and its timeout stand in
// the daemon's loop; everything happens in MHD_run.
#include "node/daemon/http.h"

#include "base/bytes.h"
#include "base/socket_posix.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SETTLE_RUNS = 4,
    SETTLE_MS = 1000,
    MEMORY_PER_CONNECTION = 8 * 1024, // bounds the size of a request's headers
};

struct http {
    struct MHD_Daemon *server;
    uv_poll_t poll;
    uv_timer_t timer;
    int handles_open; // of the two above
    http_provider provider;
    void *context;
    struct address address;
    int runs_left; // of the library, by timer, until it rests
};

bool http_host_is_allowed(const char *host)
{
    struct address address;
    struct span text = span_of_text(host);
    if (address_parse(text, false, &address) == OK) {
        return true;
    }
    // The parser knows brackets only with a port.
    if (text.size > 2 && host[0] == '[' && host[text.size - 1] == ']') {
        struct span inner = span_of(host + 1, text.size - 2);
        return address_parse(inner, false, &address) == OK && address.family == FAMILY_IPV6 &&
               address.port == 0;
    }
    size_t name = strlen("localhost");
    if (text.size < name || strncmp(host, "localhost", name) != 0) {
        return false;
    }
    const char *rest = host + name;
    return rest[0] == '\0' || (rest[0] == ':' && rest[1] != '\0' && strlen(rest) <= 6 &&
                                  strspn(rest + 1, "0123456789") == strlen(rest + 1));
}

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status,
    const char *content_type, char *body, size_t size, enum MHD_ResponseMemoryMode mode)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(size, body, mode);
    if (response == NULL) {
        if (mode == MHD_RESPMEM_MUST_FREE) {
            free(body);
        }
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(
    struct MHD_Connection *connection, unsigned int status, const char *text)
{
    // Copied by the library, in spite of the argument's type.
    union {
        const char *text;
        char *body;
    } constant = {.text = text};
    return answer(connection, status, "text/plain; charset=utf-8", constant.body, strlen(text),
        MHD_RESPMEM_MUST_COPY);
}

static enum MHD_Result answer_page(
    struct http *http, struct MHD_Connection *connection, const char *path)
{
    struct http_page page = {
        .status = MHD_HTTP_OK,
        .content_type = "text/plain; charset=utf-8",
        .body = malloc(HTTP_BODY_MAX),
        .capacity = HTTP_BODY_MAX,
    };
    if (page.body == NULL) {
        return answer_text(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory\n");
    }
    http->provider(http->context, path, &page);
    ASSERT(page.size <= page.capacity);
    return answer(
        connection, page.status, page.content_type, page.body, page.size, MHD_RESPMEM_MUST_FREE);
}

// libmicrohttpd calls this once with the headers, then for each piece of a body, then at its end.
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
    const char *method, const char *, const char *, size_t *upload_size, void **request)
{
    static int seen;
    struct http *http = context;
    if (*request == NULL) {
        *request = &seen;
        return MHD_YES;
    }
    if (*upload_size != 0) {
        *upload_size = 0; // a body is read and ignored
        return MHD_YES;
    }
    const char *host =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    if (host == NULL || !http_host_is_allowed(host)) {
        return answer_text(
            connection, MHD_HTTP_FORBIDDEN, "the Host header must be an IP address or localhost\n");
    }
    if (strcmp(url, "/healthz") != 0 && strcmp(url, "/metrics") != 0) {
        return answer_text(connection, MHD_HTTP_NOT_FOUND, "not found\n");
    }
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    }
    return answer_page(http, connection, url);
}

static void run(struct http *http);

static void on_timer(uv_timer_t *timer)
{
    run(timer->data);
}

static void on_readable(uv_poll_t *poll, int, int)
{
    run(poll->data);
}

static void run(struct http *http)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms = 0;
    (void)MHD_run(http->server);
    // While all connections are taken the library does not watch the listening socket; connections
    // are let go, counted as gone and the socket watched again in runs of their own. So there is
    // one a second while there are connections, and some after the last.
    bool busy = MHD_get_timeout(http->server, &timeout_ms) == MHD_YES;
    http->runs_left = busy ? SETTLE_RUNS : http->runs_left - (http->runs_left > 0);
    if (http->runs_left > 0) {
        bool soon = busy && timeout_ms < SETTLE_MS;
        (void)uv_timer_start(&http->timer, on_timer, soon ? timeout_ms : SETTLE_MS, 0);
    } else {
        (void)uv_timer_stop(&http->timer);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct http *http = handle->data;
    if (--http->handles_open == 0) {
        free(http);
    }
}

// Our own listening socket: libmicrohttpd would not say why it could not make one.
static enum status open_socket(const struct address *listen_address, int *ret, uint16_t *ret_port)
{
    struct sockaddr_storage name;
    socklen_t size = socket_address_of(listen_address, &name);
    enum status status = OK;
    int yes = 1;
    int fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return ERR_IO;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (const struct sockaddr *)&name, size) != 0 ||
        listen(fd, HTTP_CONNECTIONS_MAX) != 0 ||
        getsockname(fd, (struct sockaddr *)&name, &size) != 0) {
        status = errno == EADDRINUSE ? ERR_BUSY : errno == EACCES ? ERR_PERMISSION : ERR_IO;
        (void)close(fd);
        return status;
    }
    *ret_port = address_of_socket(&name, size).port;
    *ret = fd;
    return OK;
}

static enum status attach(struct http *http, uv_loop_t *loop)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->server, MHD_DAEMON_INFO_EPOLL_FD);
    if (info == NULL || uv_poll_init(loop, &http->poll, info->epoll_fd) != 0) {
        return ERR_IO;
    }
    http->poll.data = http;
    http->handles_open = 1;
    (void)uv_timer_init(loop, &http->timer);
    http->timer.data = http;
    http->handles_open = 2;
    return uv_poll_start(&http->poll, UV_READABLE, on_readable) == 0 ? OK : ERR_IO;
}

enum status http_start(uv_loop_t *loop, const struct address *listen_address,
    http_provider provider, void *context, struct http **ret)
{
    int fd = -1;
    struct http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        return ERR_IO;
    }
    *http = (struct http){.provider = provider, .context = context, .address = *listen_address};
    enum status status = open_socket(listen_address, &fd, &http->address.port);
    if (status != OK) {
        free(http);
        return status;
    }
    http->server =
        MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET,
            fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)HTTP_CONNECTIONS_MAX,
            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)HTTP_TIMEOUT_S,
            MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_PER_CONNECTION, MHD_OPTION_END);
    if (http->server == NULL) {
        (void)close(fd);
        free(http);
        return ERR_IO;
    }
    status = attach(http, loop);
    if (status != OK) {
        http_stop(http);
        return status;
    }
    *ret = http;
    return OK;
}

void http_stop(struct http *http)
{
    if (http == NULL) {
        return;
    }
    if (http->handles_open == 2) {
        (void)uv_poll_stop(&http->poll);
        uv_close((uv_handle_t *)&http->timer, on_closed);
    }
    int open = http->handles_open;
    if (open > 0) {
        uv_close((uv_handle_t *)&http->poll, on_closed);
    }
    // Closes the listening socket and the epoll descriptor: only after the poll handle let go.
    MHD_stop_daemon(http->server);
    if (open == 0) {
        free(http);
    }
}

struct address http_address(const struct http *http)
{
    return http->address;
}

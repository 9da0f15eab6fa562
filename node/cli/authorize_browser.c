// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh authorize --browser`: a page on 127.0.0.1, served until the owner has signed or the
// time is over. What stands between it and everybody else:
//
// - all of it lies below a path that nobody can guess; the rest is "not found"
// - the Host header must be the very address, so no other name can be made to lead here (DNS
//   rebinding); a result must come from this origin
// - the page may load from and talk to this origin alone, and may not be framed
// - whatever comes back is verified as any signature is: who knows the address can be a nuisance
//
// A browser that this command opens gets an address that works once and leads to the page: the
// command line of a process is no place for a secret.
#include "node/cli/page_file.h"

#include "base/clock_posix.h"
#include "base/text.h"
#include "chain/eip55.h"
#include "node/cli/authorize.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sodium.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    TIMEOUT_DEFAULT_S = 300,
    TIMEOUT_MAX_S = 24 * 3600,
    SECRET_SIZE = 16, // bytes; twice that in hex
    SECRET_TEXT_SIZE = 2 * SECRET_SIZE + 1,
    PATH_SIZE = SECRET_TEXT_SIZE + 64,
    ORIGIN_SIZE = 64,
    BODY_MAX = 16 * 1024, // a contract wallet's signature of 4,096 bytes in hex, and more
    CONNECTIONS_MAX = 32,
    STEP_MS = 200,    // how often the time is looked at
    LINGER_MS = 2000, // for the last answer to reach the page
    HOST_NAME_SIZE = 256,
    PROBLEM_SIZE = 512,
};

static const char page_policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct page {
    struct cli *cli;
    struct authorization *authorization;
    struct MHD_Daemon *server;
    char origin[ORIGIN_SIZE];      // "http://127.0.0.1:PORT"
    char secret[SECRET_TEXT_SIZE]; // the page is at ORIGIN/SECRET/
    char ticket[SECRET_TEXT_SIZE]; // ORIGIN/TICKET leads there, once; empty when it is used
    bool accepted;                 // a signature was
    struct upload *last;           // the request that brought it
    bool delivered;                // and its answer has gone out
};

// A request's body as it comes in.
struct upload {
    size_t size;
    bool too_large;
    char bytes[BODY_MAX];
};

// --- answers ---

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status,
    const char *content_type, const void *bytes, size_t size)
{
    // Copied by the library, in spite of the argument's type.
    union {
        const void *bytes;
        void *body;
    } constant = {.bytes = bytes};
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, constant.body, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) {
        return MHD_NO;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    (void)MHD_add_response_header(response, "Content-Security-Policy", page_policy);
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    (void)MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    (void)MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_text(
    struct MHD_Connection *connection, unsigned int status, const char *text)
{
    return answer(connection, status, "text/plain; charset=utf-8", text, strlen(text));
}

// Takes over the reference.
static enum MHD_Result answer_json(struct MHD_Connection *connection, json_t *object)
{
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (text == NULL) {
        return MHD_NO;
    }
    enum MHD_Result result =
        answer(connection, MHD_HTTP_OK, "application/json", text, strlen(text));
    free(text);
    return result;
}

static enum MHD_Result answer_redirect(struct MHD_Connection *connection, const struct page *page)
{
    char path[PATH_SIZE];
    struct MHD_Response *response =
        MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (response == NULL) {
        return MHD_NO;
    }
    (void)snprintf(path, sizeof path, "/%s/", page->secret);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, path);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_SEE_OTHER, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_file(struct MHD_Connection *connection, const char *name)
{
    const char *wanted = name[0] == '\0' ? "index.html" : name;
    for (const struct page_file *file = page_files; file->name != NULL; file++) {
        if (strcmp(file->name, wanted) == 0) {
            const char *end = strrchr(wanted, '.');
            const char *type = strcmp(end, ".js") == 0    ? "text/javascript; charset=utf-8"
                               : strcmp(end, ".css") == 0 ? "text/css; charset=utf-8"
                                                          : "text/html; charset=utf-8";
            return answer(connection, MHD_HTTP_OK, type, file->bytes, file->size);
        }
    }
    return answer_text(connection, MHD_HTTP_NOT_FOUND, "not found\n");
}

// --- what is asked, and what came of it ---

static json_t *request_json(const struct page *page)
{
    char token[TOKEN_TEXT_SIZE];
    char owner[ETH_ADDRESS_TEXT_SIZE];
    char contract[ETH_ADDRESS_TEXT_SIZE];
    char chain[24];
    char until[DURATION_TEXT_SIZE];
    char typed_data[DELEGATION_TYPED_DATA_SIZE];
    char text[DELEGATION_TEXT_SIZE];
    char host[HOST_NAME_SIZE] = "";
    char node[2 * HOST_NAME_SIZE];
    const struct delegation *delegation = &page->authorization->result.delegation;
    const struct network *network = &page->authorization->result.network;
    char node_key[2 * sizeof delegation->node_key.bytes + 1];
    token_id_format(&delegation->token, token);
    eip55_format(&delegation->owner, owner);
    eip55_format(&network->contract, contract);
    (void)snprintf(chain, sizeof chain, "%" PRIu64, network->chain_id);
    date_format(delegation->not_after_s, until);
    delegation_typed_data(delegation, network, typed_data);
    delegation_text(delegation, network, text);
    hex_format(span_of(delegation->node_key.bytes, sizeof delegation->node_key.bytes), node_key);
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(node, sizeof node, "%s on %s", page->cli->instance, host);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "token", token, "chain_id",
        chain, "contract", contract, "owner", owner, "node", node, "node_key", node_key, "until",
        until, "typed_data", typed_data, "text", text);
}

// What the page tells of the wallet, on one line. It comes from outside.
static void warn_problem(const char *problem)
{
    char line[PROBLEM_SIZE];
    (void)snprintf(line, sizeof line, "%s", problem);
    for (char *at = strchr(line, '\n'); at != NULL; at = strchr(at, '\n')) {
        *at = ' ';
    }
    warn("The page: %s", line);
}

static enum MHD_Result on_result(
    struct page *page, struct MHD_Connection *connection, struct upload *upload)
{
    struct refusal refusal;
    json_t *root = json_loadb(upload->bytes, upload->size, JSON_REJECT_DUPLICATES, NULL);
    const char *problem = json_string_value(json_object_get(root, "problem"));
    const char *signature = json_string_value(json_object_get(root, "signature"));
    json_t *object = NULL;
    if (page->accepted) {
        object = json_pack("{s:s}", "error", "a signature was accepted already");
    } else if (signature != NULL && authorize_accept(page->authorization, signature, &refusal)) {
        page->accepted = true;
        page->last = upload;
        object = json_pack("{s:b}", "accepted", 1);
    } else if (signature != NULL) {
        warn("deedmesh: %s", refusal.text);
        object = json_pack("{s:s}", "error", refusal.text);
    } else if (problem != NULL) {
        warn_problem(problem);
        object = json_pack("{s:b}", "noted", 1);
    } else {
        object = json_pack("{s:s}", "error", "expected {\"signature\": \"0x...\"}");
    }
    json_decref(root);
    return answer_json(connection, object);
}

// --- requests ---

static bool header_is(struct MHD_Connection *connection, const char *name, const char *wanted)
{
    const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
    return value != NULL && strcmp(value, wanted) == 0;
}

// What stands behind "/SECRET/", or NULL. The time that it takes tells nothing.
static const char *path_below(const struct page *page, const char *url)
{
    size_t size = strlen(page->secret);
    return url[0] == '/' && strlen(url) > size + 1 && url[size + 1] == '/' &&
                   sodium_memcmp(url + 1, page->secret, size) == 0
               ? url + size + 2
               : NULL;
}

static bool take_ticket(struct page *page, const char *url)
{
    size_t size = strlen(page->ticket);
    bool is_it = size > 0 && url[0] == '/' && strlen(url + 1) == size &&
                 sodium_memcmp(url + 1, page->ticket, size) == 0;
    if (is_it) {
        page->ticket[0] = '\0';
    }
    return is_it;
}

static enum MHD_Result route(struct page *page, struct MHD_Connection *connection,
    const char *method, const char *url, struct upload *upload)
{
    bool is_get = strcmp(method, MHD_HTTP_METHOD_GET) == 0;
    bool is_post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;
    if (!header_is(connection, MHD_HTTP_HEADER_HOST, page->origin + strlen("http://"))) {
        return answer_text(
            connection, MHD_HTTP_FORBIDDEN, "open the address as the command printed it\n");
    }
    if (is_get && take_ticket(page, url)) {
        return answer_redirect(connection, page);
    }
    const char *name = path_below(page, url);
    if (name == NULL) {
        return answer_text(connection, MHD_HTTP_NOT_FOUND, "not found\n");
    }
    if (strcmp(name, "result") == 0 && is_post) {
        if (!header_is(connection, "Origin", page->origin) ||
            !header_is(connection, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json")) {
            return answer_text(connection, MHD_HTTP_FORBIDDEN, "not from this page\n");
        }
        return upload->too_large
                   ? answer_text(connection, MHD_HTTP_CONTENT_TOO_LARGE, "too large\n")
                   : on_result(page, connection, upload);
    }
    if (!is_get) {
        return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "not allowed\n");
    }
    return strcmp(name, "request") == 0 ? answer_json(connection, request_json(page))
                                        : answer_file(connection, name);
}

// libmicrohttpd calls this once with the headers, then for each piece of a body, then at its end.
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
    const char *method, const char *, const char *piece, size_t *piece_size, void **request)
{
    struct upload *upload = *request;
    if (upload == NULL) {
        *request = calloc(1, sizeof *upload);
        return *request != NULL ? MHD_YES : MHD_NO;
    }
    if (*piece_size == 0) {
        return route(context, connection, method, url, upload);
    }
    if (*piece_size > sizeof upload->bytes - upload->size) {
        upload->too_large = true; // the rest is read and ignored
    } else {
        memcpy(upload->bytes + upload->size, piece, *piece_size);
        upload->size += *piece_size;
    }
    *piece_size = 0;
    return MHD_YES;
}

static void on_completed(
    void *context, struct MHD_Connection *, void **request, enum MHD_RequestTerminationCode)
{
    struct page *page = context;
    page->delivered = page->delivered || (*request != NULL && *request == page->last);
    free(*request);
    *request = NULL;
}

// --- the server ---

static void make_secret(char ret[static SECRET_TEXT_SIZE])
{
    uint8_t bytes[SECRET_SIZE];
    randombytes_buf(bytes, sizeof bytes);
    hex_format(span_of(bytes, sizeof bytes), ret);
}

static int start_server(struct page *page, uint16_t port)
{
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    errno = 0;
    page->server = MHD_start_daemon(MHD_USE_EPOLL, port, NULL, NULL, on_request, page,
        MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&name, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
        page, MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX, MHD_OPTION_END);
    if (page->server == NULL) {
        return complain(page->cli, FAILED, "io", "cannot serve a page on 127.0.0.1 port %u: %s%s",
            (unsigned)port, errno != 0 ? strerror(errno) : "the HTTP server does not start",
            port != 0 ? "; take another --port" : "");
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(page->server, MHD_DAEMON_INFO_BIND_PORT);
    ASSERT(info != NULL);
    (void)snprintf(page->origin, sizeof page->origin, "http://127.0.0.1:%u", (unsigned)info->port);
    make_secret(page->secret);
    make_secret(page->ticket);
    return DONE;
}

// On a desktop, and not as root: a browser is no program to run as root. Whether it works shows on
// the screen.
static void open_browser(const struct page *page)
{
    char address[ORIGIN_SIZE + PATH_SIZE];
    char program[] = "xdg-open";
    char *words[] = {program, address, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    if (geteuid() == 0 || (getenv("DISPLAY") == NULL && getenv("WAYLAND_DISPLAY") == NULL)) {
        return;
    }
    (void)snprintf(address, sizeof address, "%s/%s", page->origin, page->ticket);
    (void)posix_spawn_file_actions_init(&actions);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        (void)posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    }
    (void)posix_spawnp(&pid, program, &actions, NULL, words, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
}

static void say_address(const struct page *page, uint64_t timeout_s)
{
    const char *port = strrchr(page->origin, ':') + 1;
    // Standard output is for the result.
    warn("Open this in the browser that has the owner's wallet, within %" PRIu64 " s:\n"
         "  %s/%s/\n"
         "From another machine, run this there first: ssh -L %s:127.0.0.1:%s THIS-HOST",
        timeout_s, page->origin, page->secret, port, port);
}

// Until a signature is accepted and the page knows, or the time is over.
static int serve(struct page *page, uint64_t timeout_s)
{
    uint64_t deadline_ms = clock_now().mono.ms + timeout_s * 1000;
    while (!page->delivered) {
        uint64_t now_ms = clock_now().mono.ms;
        if (now_ms >= deadline_ms) {
            break;
        }
        if (MHD_run_wait(page->server, STEP_MS) != MHD_YES) {
            return complain(page->cli, FAILED, "io", "the page's server failed");
        }
        if (page->accepted && deadline_ms > now_ms + LINGER_MS) {
            deadline_ms = now_ms + LINGER_MS;
        }
    }
    return page->accepted
               ? DONE
               : complain(page->cli, TIMED_OUT, "timeout",
                     "no signature came from the browser in %" PRIu64 " s (--timeout)", timeout_s);
}

int authorize_in_browser(struct cli *cli, struct authorization *authorization)
{
    struct page page = {.cli = cli, .authorization = authorization};
    uint64_t port = 0;
    uint64_t timeout_s = 0;
    if (!number_option(cli, "--port", cli->arguments.port, 0, UINT16_MAX, 0, &port) ||
        !number_option(cli, "--timeout", cli->arguments.timeout, 1, TIMEOUT_MAX_S,
            TIMEOUT_DEFAULT_S, &timeout_s)) {
        return USAGE_ERROR;
    }
    int result = start_server(&page, (uint16_t)port);
    if (result != DONE) {
        return result;
    }
    say_address(&page, timeout_s);
    open_browser(&page);
    result = serve(&page, timeout_s);
    MHD_stop_daemon(page.server);
    return result;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The HTTP edge on libcurl's multi interface. libcurl's sockets live in an epoll set, its timer in
// a timerfd within that set, and the set's descriptor is what the event loop watches.
//
// Each call owns one slot of a fixed table from submit to drain. A slot is either free, flying (its
// easy handle is in the multi), or done (its number stands in the ring of replies). Easy handles
// stay in their slots and are reset between calls; connections belong to the multi and are kept.
//
// HTTP/1.1 only: libcurl 7.88 reuses HTTP/2 connections wrongly (curl #10634). Its limit on the
// body's size trusts Content-Length, so the write callback counts for itself.
#include "chain/http.h"

#include "base/clock_posix.h"
#include "base/socket_posix.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    CONNECT_TIMEOUT_DEFAULT_MS = 1500,
    TIMEOUT_DEFAULT_MS = 3000,
    BODY_DEFAULT_MAX = 2 << 20,
    BODY_FIRST = 16 << 10,        // first allocation for an answer
    HEADERS_MAX = 64 << 10,       // bytes of headers of one answer
    RETRY_AFTER_MAX_MS = 3600000, // an hour
    EVENTS_PER_WAIT = 16,
    IDLE_CONNECTION_MAX_S = 60,
};

enum call_state {
    CALL_FREE,
    CALL_FLYING,
    CALL_DONE,
};

struct provider {
    char url[CHAIN_URL_MAX + 1];
    struct chain_url parsed;
    struct chain_url_rules rules;
};

struct call {
    enum call_state state;
    struct chain_http *http;
    CURL *easy;
    const struct provider *provider;
    uint8_t *request;
    size_t request_size;
    uint8_t *body;
    size_t body_size;
    size_t body_capacity;
    size_t body_max;
    size_t header_size;
    bool too_large;
    bool forbidden;
    bool retried;
    uint64_t started_ms;
    uint64_t deadline_ms;
    struct chain_http_reply reply;
};

struct chain_http {
    CURLM *multi;
    struct curl_slist *headers; // of every request
    int epoll;
    int timer;
    bool allow_http;
    uint32_t connect_timeout_ms;
    uint32_t timeout_ms;
    size_t body_max;
    char *ca_file;
    struct provider providers[CHAIN_HTTP_PROVIDERS_MAX];
    size_t provider_count;
    struct call calls[CHAIN_HTTP_CALLS_MAX];
    // Done calls in the order of their end; as many places as there are calls.
    size_t done[CHAIN_HTTP_CALLS_MAX];
    size_t done_first;
    size_t done_count;
    size_t flying;
    struct call *drained; // whose body the caller may still look at
};

// libcurl's sockets and timer.

static int on_socket_change(CURL *, curl_socket_t fd, int what, void *user, void *)
{
    struct chain_http *http = user;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(http->epoll, EPOLL_CTL_DEL, fd, NULL);
        return 0;
    }
    struct epoll_event event = {.data.fd = fd};
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) {
        event.events |= EPOLLIN;
    }
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) {
        event.events |= EPOLLOUT;
    }
    if (epoll_ctl(http->epoll, EPOLL_CTL_MOD, fd, &event) != 0) {
        // Known to libcurl and not to the set: new, or its number was closed and used again.
        return epoll_ctl(http->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -1;
    }
    return 0;
}

static int on_timer_change(CURLM *, long timeout_ms, void *user)
{
    struct chain_http *http = user;
    struct itimerspec when = {0};
    if (timeout_ms > 0) {
        when.it_value.tv_sec = timeout_ms / 1000;
        when.it_value.tv_nsec = timeout_ms % 1000 * 1000000;
    } else if (timeout_ms == 0) {
        // Not from within this callback: libcurl forbids it. Zero would disarm.
        when.it_value.tv_nsec = 1;
    }
    return timerfd_settime(http->timer, 0, &when, NULL) == 0 ? 0 : -1;
}

// What libcurl asks and tells during a transfer.

// The name has been resolved: the address must still be one that the rules allow.
static curl_socket_t on_open(void *user, curlsocktype, struct curl_sockaddr *where)
{
    struct call *call = user;
    const struct provider *provider = call->provider;
    struct address address = address_of_socket(&where->addr, where->addrlen);
    if (!address_is_set(&address) ||
        !chain_url_address_allowed(&provider->parsed, &provider->rules, &address)) {
        call->forbidden = true;
        return CURL_SOCKET_BAD;
    }
    return socket(where->family, where->socktype | SOCK_CLOEXEC, where->protocol);
}

static size_t on_body(char *data, size_t, size_t size, void *user)
{
    struct call *call = user;
    if (size > call->body_max - call->body_size) {
        call->too_large = true;
        return 0;
    }
    if (size > call->body_capacity - call->body_size) {
        size_t wanted = call->body_size + size;
        size_t capacity = call->body_capacity == 0 ? BODY_FIRST : call->body_capacity;
        while (capacity < wanted) {
            capacity *= 2;
        }
        uint8_t *grown = realloc(call->body, capacity);
        if (grown == NULL) {
            return 0;
        }
        call->body = grown;
        call->body_capacity = capacity;
    }
    memcpy(call->body + call->body_size, data, size);
    call->body_size += size;
    return size;
}

static size_t on_header(char *, size_t, size_t size, void *user)
{
    struct call *call = user;
    if (size > HEADERS_MAX - call->header_size) {
        call->too_large = true;
        return 0;
    }
    call->header_size += size;
    return size;
}

// Calls.

static bool set_transfer(struct call *call)
{
    const struct chain_http *http = call->http;
    CURL *easy = call->easy;
    uint64_t now = clock_mono().ms;
    // 0 would mean no limit.
    long rest_ms = call->deadline_ms > now ? (long)(call->deadline_ms - now) : 1;
    bool plain = !call->provider->parsed.tls;
    curl_easy_reset(easy);
    return curl_easy_setopt(easy, CURLOPT_URL, call->provider->url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, call) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)http->connect_timeout_ms) ==
               CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, rest_ms) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_MAXAGE_CONN, (long)IDLE_CONNECTION_MAX_S) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, call->retried ? 1L : 0L) == CURLE_OK &&
           (http->ca_file == NULL ||
               curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file) == CURLE_OK);
}

static bool set_request(struct call *call)
{
    CURL *easy = call->easy;
    return curl_easy_setopt(easy, CURLOPT_HTTPHEADER, call->http->headers) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "deedmesh/" DEEDMESH_VERSION) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDS, call->request) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)call->request_size) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, call) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, call) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, call) == CURLE_OK;
}

// Takes the call off, once more or for the first time.
static bool launch(struct call *call)
{
    call->body_size = 0;
    call->header_size = 0;
    call->too_large = false;
    call->forbidden = false;
    return set_transfer(call) && set_request(call) &&
           curl_multi_add_handle(call->http->multi, call->easy) == CURLM_OK;
}

static void release(struct call *call)
{
    free(call->request);
    free(call->body);
    call->request = NULL;
    call->body = NULL;
    call->body_size = 0;
    call->body_capacity = 0;
    call->retried = false;
    call->state = CALL_FREE;
}

static enum chain_http_outcome outcome_of(const struct call *call, CURLcode code)
{
    if (call->too_large) {
        return CHAIN_HTTP_TOO_LARGE;
    }
    switch ((int)code) {
    case CURLE_OK:
        return CHAIN_HTTP_ANSWERED;
    case CURLE_OPERATION_TIMEDOUT:
        return CHAIN_HTTP_TIMEOUT;
    case CURLE_COULDNT_RESOLVE_HOST:
        return CHAIN_HTTP_UNRESOLVED;
    case CURLE_COULDNT_CONNECT:
        return call->forbidden ? CHAIN_HTTP_FORBIDDEN : CHAIN_HTTP_REFUSED;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return CHAIN_HTTP_TLS;
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: // of the answer: HTTP/0.9
        return CHAIN_HTTP_BROKEN;
    default:
        return CHAIN_HTTP_FAILED;
    }
}

// A connection that broke may have been an old one that the provider was closing; the calls only
// read, so asking again is safe. A cut body is the provider's doing and not asked for again.
static bool is_worth_retrying(const struct call *call, CURLcode code)
{
    bool broken = code == CURLE_HTTP2 || code == CURLE_GOT_NOTHING || code == CURLE_SEND_ERROR ||
                  code == CURLE_RECV_ERROR || code == CURLE_HTTP2_STREAM;
    return broken && !call->retried && !call->too_large && clock_mono().ms < call->deadline_ms;
}

static uint64_t retry_after_of(CURL *easy)
{
    curl_off_t seconds = 0;
    if (curl_easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) != CURLE_OK || seconds <= 0) {
        return 0;
    }
    return seconds > RETRY_AFTER_MAX_MS / 1000 ? RETRY_AFTER_MAX_MS : (uint64_t)seconds * 1000;
}

static void finish(struct call *call, CURLcode code)
{
    struct chain_http *http = call->http;
    long status = 0;
    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
    call->reply.outcome = outcome_of(call, code);
    call->reply.status = status > 0 && status <= UINT16_MAX ? (uint16_t)status : 0;
    call->reply.retry_after_ms = retry_after_of(call->easy);
    call->reply.took_ms = clock_mono().ms - call->started_ms;
    bool answered = call->reply.outcome == CHAIN_HTTP_ANSWERED;
    call->reply.body = answered ? span_of(call->body, call->body_size) : span_of(NULL, 0);
    call->state = CALL_DONE;
    http->flying--;
    size_t last = (http->done_first + http->done_count) % CHAIN_HTTP_CALLS_MAX;
    http->done[last] = (size_t)(call - http->calls);
    http->done_count++;
}

static void collect(struct chain_http *http)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        struct call *call = NULL;
        (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&call);
        if (call == NULL) {
            continue;
        }
        bool retry = is_worth_retrying(call, code);
        (void)curl_multi_remove_handle(http->multi, easy);
        if (retry) {
            call->retried = true;
            if (launch(call)) {
                continue;
            }
        }
        finish(call, code);
    }
}

static void forget_drained(struct chain_http *http)
{
    if (http->drained != NULL) {
        release(http->drained);
        http->drained = NULL;
    }
}

// The public functions.

enum status chain_http_submit(struct chain_http *http, const struct chain_http_call *order)
{
    forget_drained(http);
    if (order->provider >= http->provider_count) {
        return ERR_NOT_FOUND;
    }
    if (order->body.size > CHAIN_HTTP_REQUEST_MAX) {
        return ERR_TOO_LARGE;
    }
    struct call *call = NULL;
    for (size_t i = 0; i < CHAIN_HTTP_CALLS_MAX && call == NULL; i++) {
        call = http->calls[i].state == CALL_FREE ? &http->calls[i] : NULL;
    }
    if (call == NULL) {
        return ERR_FULL;
    }
    if (call->easy == NULL && (call->easy = curl_easy_init()) == NULL) {
        return ERR_IO;
    }
    call->request = malloc(order->body.size + 1);
    if (call->request == NULL) {
        return ERR_IO;
    }
    if (order->body.size > 0) {
        memcpy(call->request, order->body.data, order->body.size);
    }
    call->request_size = order->body.size;
    call->provider = &http->providers[order->provider];
    call->body_max = order->body_max == 0 ? http->body_max : order->body_max;
    call->started_ms = clock_mono().ms;
    uint32_t timeout_ms = order->timeout_ms == 0 ? http->timeout_ms : order->timeout_ms;
    call->deadline_ms = call->started_ms + timeout_ms;
    call->reply = (struct chain_http_reply){.call_id = order->id, .provider = order->provider};
    if (!launch(call)) {
        release(call);
        return ERR_IO;
    }
    call->state = CALL_FLYING;
    http->flying++;
    return OK;
}

int chain_http_fd(const struct chain_http *http)
{
    return http->epoll;
}

void chain_http_on_ready(struct chain_http *http)
{
    forget_drained(http);
    struct epoll_event events[EVENTS_PER_WAIT];
    int count = epoll_wait(http->epoll, events, EVENTS_PER_WAIT, 0);
    for (int i = 0; i < count; i++) {
        int running;
        if (events[i].data.fd == http->timer) {
            uint64_t expirations;
            if (read(http->timer, &expirations, sizeof expirations) > 0) {
                (void)curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
            }
            continue;
        }
        int what = 0;
        what |= (events[i].events & EPOLLIN) != 0 ? CURL_CSELECT_IN : 0;
        what |= (events[i].events & EPOLLOUT) != 0 ? CURL_CSELECT_OUT : 0;
        what |= (events[i].events & (EPOLLERR | EPOLLHUP)) != 0 ? CURL_CSELECT_ERR : 0;
        (void)curl_multi_socket_action(http->multi, events[i].data.fd, what, &running);
    }
    collect(http);
}

bool chain_http_next_reply(struct chain_http *http, struct chain_http_reply *ret)
{
    forget_drained(http);
    if (http->done_count == 0) {
        return false;
    }
    struct call *call = &http->calls[http->done[http->done_first]];
    http->done_first = (http->done_first + 1) % CHAIN_HTTP_CALLS_MAX;
    http->done_count--;
    http->drained = call;
    *ret = call->reply;
    return true;
}

static enum rpc_outcome rpc_outcome_of(enum chain_http_outcome outcome)
{
    switch (outcome) {
    case CHAIN_HTTP_ANSWERED:
        return RPC_ANSWERED;
    case CHAIN_HTTP_TIMEOUT:
        return RPC_TIMEOUT;
    case CHAIN_HTTP_TOO_LARGE:
        return RPC_TOO_LARGE;
    case CHAIN_HTTP_REFUSED:
    case CHAIN_HTTP_UNRESOLVED:
    case CHAIN_HTTP_FORBIDDEN:
    case CHAIN_HTTP_TLS:
    case CHAIN_HTTP_BROKEN:
    case CHAIN_HTTP_FAILED:
        return RPC_UNREACHABLE;
    }
    return RPC_UNREACHABLE;
}

struct rpc_reply chain_http_rpc_reply(const struct chain_http_reply *reply)
{
    return (struct rpc_reply){
        .outcome = rpc_outcome_of(reply->outcome),
        .http_status = reply->status,
        .retry_after_ms = (uint32_t)reply->retry_after_ms, // an hour at most
        .body = reply->body,
    };
}

size_t chain_http_in_flight(const struct chain_http *http)
{
    return http->flying;
}

static enum status take_providers(struct chain_http *http, const struct chain_http_config *config)
{
    if (config->provider_count > CHAIN_HTTP_PROVIDERS_MAX) {
        return ERR_FULL;
    }
    for (size_t i = 0; i < config->provider_count; i++) {
        struct provider *provider = &http->providers[i];
        struct span url = span_of_text(config->providers[i].url);
        provider->rules.suggested = config->providers[i].suggested;
        provider->rules.allow_http = config->allow_http;
        if (chain_url_check(url, &provider->rules, &provider->parsed) != CHAIN_URL_GOOD) {
            return ERR_MALFORMED;
        }
        memcpy(provider->url, url.data, url.size);
    }
    http->provider_count = config->provider_count;
    return OK;
}

static bool open_descriptors(struct chain_http *http)
{
    http->epoll = epoll_create1(EPOLL_CLOEXEC);
    http->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = http->timer};
    return http->epoll >= 0 && http->timer >= 0 &&
           epoll_ctl(http->epoll, EPOLL_CTL_ADD, http->timer, &event) == 0;
}

static bool open_multi(struct chain_http *http)
{
    http->multi = curl_multi_init();
    long per_host = CHAIN_HTTP_CONNECTIONS_PER_PROVIDER;
    return http->multi != NULL &&
           curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, on_socket_change) == CURLM_OK &&
           curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http) == CURLM_OK &&
           curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, on_timer_change) == CURLM_OK &&
           curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http) == CURLM_OK &&
           curl_multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) ==
               CURLM_OK &&
           curl_multi_setopt(http->multi, CURLMOPT_MAX_HOST_CONNECTIONS, per_host) == CURLM_OK;
}

// "Expect:" keeps libcurl from asking for leave before a body of over a megabyte.
static bool open_headers(struct chain_http *http)
{
    static const char *const lines[] = {
        "Content-Type: application/json", "Accept: application/json", "Expect:"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct curl_slist *longer = curl_slist_append(http->headers, lines[i]);
        if (longer == NULL) {
            return false;
        }
        http->headers = longer;
    }
    return true;
}

static bool take_settings(struct chain_http *http, const struct chain_http_config *config)
{
    uint32_t connect_ms = config->connect_timeout_ms;
    http->allow_http = config->allow_http;
    http->connect_timeout_ms = connect_ms == 0 ? CONNECT_TIMEOUT_DEFAULT_MS : connect_ms;
    http->timeout_ms = config->timeout_ms == 0 ? TIMEOUT_DEFAULT_MS : config->timeout_ms;
    http->body_max = config->body_max == 0 ? BODY_DEFAULT_MAX : config->body_max;
    if (config->ca_file == NULL) {
        return true;
    }
    http->ca_file = strdup(config->ca_file);
    return http->ca_file != NULL;
}

enum status chain_http_create(const struct chain_http_config *config, struct chain_http **ret)
{
    struct chain_http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        return ERR_IO;
    }
    http->epoll = -1;
    http->timer = -1;
    for (size_t i = 0; i < CHAIN_HTTP_CALLS_MAX; i++) {
        http->calls[i].http = http;
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(http);
        return ERR_IO;
    }
    enum status status = take_providers(http, config);
    bool opened = status == OK && take_settings(http, config) && open_descriptors(http) &&
                  open_multi(http) && open_headers(http);
    if (status == OK && !opened) {
        status = ERR_IO;
    }
    if (status != OK) {
        chain_http_destroy(http);
        return status;
    }
    *ret = http;
    return OK;
}

void chain_http_destroy(struct chain_http *http)
{
    if (http == NULL) {
        return;
    }
    for (size_t i = 0; i < CHAIN_HTTP_CALLS_MAX; i++) {
        struct call *call = &http->calls[i];
        if (call->state == CALL_FLYING) {
            (void)curl_multi_remove_handle(http->multi, call->easy);
        }
        release(call);
        curl_easy_cleanup(call->easy);
    }
    (void)curl_multi_cleanup(http->multi);
    curl_slist_free_all(http->headers);
    curl_global_cleanup();
    if (http->timer >= 0) {
        (void)close(http->timer);
    }
    if (http->epoll >= 0) {
        (void)close(http->epoll);
    }
    free(http->ca_file);
    free(http);
}

const char *chain_http_outcome_name(enum chain_http_outcome outcome)
{
    switch (outcome) {
    case CHAIN_HTTP_ANSWERED:
        return "answered";
    case CHAIN_HTTP_TIMEOUT:
        return "timeout";
    case CHAIN_HTTP_REFUSED:
        return "refused";
    case CHAIN_HTTP_UNRESOLVED:
        return "unresolved";
    case CHAIN_HTTP_FORBIDDEN:
        return "forbidden";
    case CHAIN_HTTP_TLS:
        return "tls";
    case CHAIN_HTTP_TOO_LARGE:
        return "too_large";
    case CHAIN_HTTP_BROKEN:
        return "broken";
    case CHAIN_HTTP_FAILED:
        return "failed";
    }
    return "unknown";
}

const char *chain_http_outcome_text(enum chain_http_outcome outcome)
{
    switch (outcome) {
    case CHAIN_HTTP_ANSWERED:
        return "it answered";
    case CHAIN_HTTP_TIMEOUT:
        return "no answer came in time";
    case CHAIN_HTTP_REFUSED:
        return "no connection could be made";
    case CHAIN_HTTP_UNRESOLVED:
        return "its host name does not resolve";
    case CHAIN_HTTP_FORBIDDEN:
        return "its host name resolves to an address that this URL may not use";
    case CHAIN_HTTP_TLS:
        return "TLS failed: no TLS there, or a certificate that is not valid for this host";
    case CHAIN_HTTP_TOO_LARGE:
        return "its answer is larger than allowed";
    case CHAIN_HTTP_BROKEN:
        return "the connection ended before the answer did";
    case CHAIN_HTTP_FAILED:
        return "the HTTP client failed on this machine";
    }
    return "the outcome is unknown";
}

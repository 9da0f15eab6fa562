// SPDX-License-Identifier: GPL-3.0-or-later
//
// The control verbs and the HTTP pages. A verb that takes time (ping, wait, resolve) has an entry
// in a table; the table is looked at when something happens and at its deadlines. When a table is
// full the request is refused as busy; nothing is displaced.
#include "base/clock_posix.h"
#include "base/overlay.h"
#include "base/text.h"
#include "node/daemon/daemon.h"
#include "node/daemon/log.h"
#include "node/daemon/metrics.h"
#include "node/instance/json_forms.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PING_INTERVAL_MS = 1000,
    PING_COUNT_MAX = 100000,
    RESOLVE_MS = 12000,
    RESOLVE_CHECK_MS = 200,
    METRICS_TEXT_MAX = 256 * 1024,
};

bool serve_need_node(struct daemon *daemon, struct control_request request)
{
    if (daemon->node != NULL && daemon->ready) {
        return true;
    }
    control_reply_error(daemon->control, request, "not_ready",
        "the instance is still waiting for the manifest of its bootstrap host; see `deedmesh "
        "status`");
    return false;
}

// A token in decimal or hex, or the overlay address of a member.
static bool find_token(struct daemon *daemon, const char *text, struct token_id *ret)
{
    struct address address;
    struct node_peer_status peer;
    if (token_id_parse(span_of_text(text), ret) == OK) {
        return true;
    }
    if (address_parse(span_of_text(text), false, &address) != OK) {
        return false;
    }
    for (size_t i = 0; node_peer_status(daemon->node, daemon->now, i, &peer); i++) {
        if (address_same_ip(&peer.ipv6, &address) || address_same_ip(&peer.ipv4, &address)) {
            *ret = peer.token;
            return true;
        }
    }
    return false;
}

bool serve_get_token(struct daemon *daemon, const json_t *args, const char *key,
    struct control_request request, struct token_id *ret)
{
    const char *text = json_string_value(json_object_get(args, key));
    if (text != NULL && find_token(daemon, text, ret)) {
        return true;
    }
    control_reply_error(daemon->control, request, "bad_request",
        "\"%s\" must be a token id (decimal or 0x), or the overlay address of a known member", key);
    return false;
}

uint32_t serve_get_number(const json_t *args, const char *key, uint32_t fallback, uint32_t max)
{
    json_int_t value = json_integer_value(json_object_get(args, key));
    if (value <= 0) {
        return fallback;
    }
    return value > (json_int_t)max ? max : (uint32_t)value;
}

// ping

static void ping_finish(struct daemon *daemon, struct daemon_ping *ping)
{
    struct node_peer_status peer;
    bool known = json_find_peer(daemon, &ping->token, &peer);
    char why[GATE_VERDICT_TEXT_SIZE] = "";
    char token[TOKEN_TEXT_SIZE];
    char endpoint[ADDRESS_TEXT_SIZE] = "";
    token_id_format(&ping->token, token);
    if (known) {
        peer_stage_text(&peer, why, sizeof why);
        address_format(&peer.endpoint, endpoint);
    }
    double average = ping->received > 0 ? ping->rtt_sum_ms / ping->received : 0;
    control_reply_ok(daemon->control, ping->request,
        json_pack("{s:s,s:i,s:i,s:s,s:s,s:{s:f,s:f,s:f},s:s}", "token", token, "sent",
            (int)ping->sent, "received", (int)ping->received, "path",
            ping->received > 0 ? "direct" : "down", "endpoint", endpoint, "rtt_ms", "min",
            ping->rtt_min_ms, "avg", average, "max", ping->rtt_max_ms, "why", why));
    ping->used = false;
}

static void ping_send(struct daemon *daemon, struct daemon_ping *ping)
{
    uint8_t payload[MESSAGE_PING_SIZE];
    struct writer writer = writer_of(payload, sizeof payload);
    ping->sequence++;
    ping->sent++;
    ping->nonce = (uint64_t)(ping - daemon->pings) << 32 | ping->sequence;
    ping->sent_at_ns = uv_hrtime();
    ping->awaited = true;
    ping->next_at = mono_add(daemon->now.mono, ping->timeout_ms);
    write_u64(&writer, ping->nonce);
    write_u64(&writer, ping->sent_at_ns);
    if (node_ping(daemon->node, daemon->now, &ping->token, payload) == ERR_NOT_FOUND) {
        (void)!node_want_peer(daemon->node, daemon->now, &ping->token);
    }
}

static void ping_lost(struct daemon *daemon, struct daemon_ping *ping)
{
    struct node_peer_status peer;
    char why[GATE_VERDICT_TEXT_SIZE] = "no answer";
    if (json_find_peer(daemon, &ping->token, &peer) && peer.stage != STAGE_CONNECTED) {
        peer_stage_text(&peer, why, sizeof why);
    }
    ping->awaited = false;
    (void)control_reply_event(daemon->control, ping->request,
        json_pack("{s:i,s:b,s:s}", "sequence", (int)ping->sequence, "lost", 1, "why", why));
}

static void ping_on_deadline(struct daemon *daemon, struct daemon_ping *ping)
{
    if (!control_request_is_open(daemon->control, ping->request)) {
        ping->used = false;
        return;
    }
    if (ping->awaited) {
        ping_lost(daemon, ping);
    }
    bool enough = ping->sent >= ping->count || (ping->until_direct && ping->received > 0);
    if (enough) {
        ping_finish(daemon, ping);
    } else {
        ping_send(daemon, ping);
    }
}

void serve_on_pong(struct daemon *daemon, const struct token_id *token, struct span payload)
{
    struct reader reader = reader_of(payload);
    uint64_t nonce = read_u64(&reader);
    uint64_t sent_at_ns = read_u64(&reader);
    for (size_t i = 0; i < DAEMON_PINGS_MAX; i++) {
        struct daemon_ping *ping = &daemon->pings[i];
        if (!ping->used || !ping->awaited || ping->nonce != nonce ||
            ping->sent_at_ns != sent_at_ns || !token_id_equal(&ping->token, token)) {
            continue;
        }
        double rtt_ms = (double)(uv_hrtime() - sent_at_ns) / 1e6;
        ping->awaited = false;
        ping->rtt_min_ms =
            ping->received == 0 || rtt_ms < ping->rtt_min_ms ? rtt_ms : ping->rtt_min_ms;
        ping->rtt_max_ms = rtt_ms > ping->rtt_max_ms ? rtt_ms : ping->rtt_max_ms;
        ping->rtt_sum_ms += rtt_ms;
        ping->received++;
        struct node_peer_status peer;
        char endpoint[ADDRESS_TEXT_SIZE] = "";
        if (json_find_peer(daemon, token, &peer)) {
            address_format(&peer.endpoint, endpoint);
        }
        (void)control_reply_event(daemon->control, ping->request,
            json_pack("{s:i,s:s,s:s,s:f}", "sequence", (int)ping->sequence, "path", "direct",
                "endpoint", endpoint, "rtt_ms", rtt_ms));
        bool last = ping->sent >= ping->count || ping->until_direct;
        ping->next_at = mono_add(daemon->now.mono, last ? 0 : PING_INTERVAL_MS);
    }
}

static void verb_ping(struct daemon *daemon, const json_t *args, struct control_request request)
{
    struct token_id token;
    if (!serve_need_node(daemon, request) ||
        !serve_get_token(daemon, args, "peer", request, &token)) {
        return;
    }
    if (token_id_equal(&token, &daemon->token)) {
        control_reply_error(daemon->control, request, "bad_request", "that is this node itself");
        return;
    }
    for (size_t i = 0; i < DAEMON_PINGS_MAX; i++) {
        struct daemon_ping *ping = &daemon->pings[i];
        if (ping->used && control_request_is_open(daemon->control, ping->request)) {
            continue;
        }
        *ping = (struct daemon_ping){.used = true,
            .request = request,
            .token = token,
            .count = serve_get_number(args, "count", 4, PING_COUNT_MAX),
            .timeout_ms = serve_get_number(args, "timeout_ms", 2000, SERVE_TIMEOUT_MAX_MS),
            .until_direct = json_is_true(json_object_get(args, "until_direct"))};
        (void)!node_want_peer(daemon->node, daemon->now, &token);
        ping_send(daemon, ping);
        return;
    }
    control_reply_error(daemon->control, request, "busy", "too many pings at once; try again");
}

// resolve

static void resolve_finish(
    struct daemon *daemon, struct daemon_resolve *resolve, const struct verdict *verdict)
{
    char token[TOKEN_TEXT_SIZE];
    char why[GATE_VERDICT_TEXT_SIZE] = "";
    token_id_format(&resolve->token, token);
    if (verdict->kind != VERDICT_YES && resolve->found) {
        verdict_text(verdict, why);
    }
    dht_core_stop(daemon->dht, daemon->now, resolve->op);
    control_reply_ok(daemon->control, resolve->request,
        json_pack("{s:s,s:b,s:s,s:I,s:s,s:s,s:o}", "token", token, "found", (int)resolve->found,
            "source", "dht", "took_ms", (json_int_t)mono_since(resolve->began_at, daemon->now.mono),
            "admitted", verdict_kind_name(verdict->kind), "why", why, "record",
            resolve->found ? json_record(&resolve->record) : json_null()));
    resolve->used = false;
}

static void resolve_check(struct daemon *daemon, struct daemon_resolve *resolve)
{
    struct verdict verdict = {.kind = VERDICT_UNKNOWN, .token = resolve->token};
    bool over = mono_due(resolve->until, daemon->now.mono);
    resolve->check_at = mono_add(daemon->now.mono, RESOLVE_CHECK_MS);
    if (resolve->found) {
        verdict = node_check_record(daemon->node, daemon->now, &resolve->record);
        over = over || verdict.kind == VERDICT_YES || (resolve->read && verdict.kind == VERDICT_NO);
    } else {
        over = over || resolve->read;
    }
    if (over) {
        resolve_finish(daemon, resolve, &verdict);
    }
}

// Of several records the one that the chain says yes to, else the one that outranks the others.
static void resolve_on_value(
    struct daemon *daemon, struct daemon_resolve *resolve, struct span value)
{
    struct dht_key at = key_of_record(&daemon->keys, &resolve->token);
    struct record record;
    if (record_decode(&daemon->keys, &at, value, &record) != OK || record_is_tombstone(&record)) {
        return;
    }
    bool better = !resolve->found ||
                  node_check_record(daemon->node, daemon->now, &record).kind == VERDICT_YES ||
                  record_outranks(&record, &resolve->record);
    if (better) {
        resolve->found = true;
        resolve->record = record;
    }
}

void serve_on_dht_event(struct daemon *daemon, const struct dht_event *event)
{
    for (size_t i = 0; i < DAEMON_RESOLVES_MAX; i++) {
        struct daemon_resolve *resolve = &daemon->resolves[i];
        if (!resolve->used || resolve->op != event->operation) {
            continue;
        }
        if (event->kind == DHT_EVENT_VALUE) {
            resolve_on_value(daemon, resolve, event->value);
        } else if (event->kind == DHT_EVENT_GET_DONE) {
            resolve->read = true;
        }
        resolve_check(daemon, resolve);
    }
}

static void verb_resolve(struct daemon *daemon, const json_t *args, struct control_request request)
{
    struct token_id token;
    if (!serve_need_node(daemon, request) ||
        !serve_get_token(daemon, args, "token", request, &token)) {
        return;
    }
    for (size_t i = 0; i < DAEMON_RESOLVES_MAX; i++) {
        struct daemon_resolve *resolve = &daemon->resolves[i];
        if (resolve->used) {
            continue;
        }
        *resolve = (struct daemon_resolve){.used = true,
            .request = request,
            .token = token,
            .op = DAEMON_OP | ++daemon->last_op,
            .began_at = daemon->now.mono,
            .until = mono_add(daemon->now.mono,
                serve_get_number(args, "timeout_ms", RESOLVE_MS, SERVE_TIMEOUT_MAX_MS)),
            .check_at = mono_add(daemon->now.mono, RESOLVE_CHECK_MS)};
        struct dht_key at = key_of_record(&daemon->keys, &token);
        if (dht_core_get(daemon->dht, daemon->now, resolve->op, &at) != OK) {
            resolve->used = false;
            break;
        }
        return;
    }
    control_reply_error(daemon->control, request, "busy", "too many reads at once; try again");
}

// The rest.

static void verb_version(struct daemon *daemon, const json_t *, struct control_request request)
{
    control_reply_ok(daemon->control, request,
        json_pack("{s:s,s:i,s:s,s:b}", "version", DEEDMESH_VERSION, "pid", (int)getpid(),
            "instance", daemon->options.instance, "ready", (int)daemon->ready));
}

static void verb_status(struct daemon *daemon, const json_t *, struct control_request request)
{
    control_reply_ok(daemon->control, request, json_status(daemon));
}

static void verb_peers(struct daemon *daemon, const json_t *, struct control_request request)
{
    if (serve_need_node(daemon, request)) {
        control_reply_ok(daemon->control, request, json_peers(daemon));
    }
}

static void verb_metrics(struct daemon *daemon, const json_t *, struct control_request request)
{
    char *text = malloc(METRICS_TEXT_MAX);
    if (text == NULL) {
        control_reply_error(daemon->control, request, "internal", "out of memory");
        return;
    }
    size_t size = json_metrics(daemon, text, METRICS_TEXT_MAX);
    control_reply_ok(
        daemon->control, request, json_pack("{s:o}", "text", json_stringn(text, size)));
    free(text);
}

static void verb_down(struct daemon *daemon, const json_t *, struct control_request request)
{
    control_reply_ok(daemon->control, request, NULL);
    daemon_stop(daemon);
}

static void verb_reload(struct daemon *daemon, const json_t *, struct control_request request)
{
    if (!serve_need_node(daemon, request)) {
        return;
    }
    enum status status = keys_reload(daemon);
    if (status != OK) {
        control_reply_error(daemon->control, request,
            status == ERR_NOT_FOUND ? "not_found" : "refused", "%s", daemon->error);
        return;
    }
    control_reply_ok(daemon->control, request, NULL);
}

static void dispatch(
    void *context, const char *verb, const json_t *args, struct control_request request)
{
    static const struct {
        const char *name;
        void (*serve)(struct daemon *, const json_t *, struct control_request);
    } verbs[] = {
        {"version", verb_version},
        {"status", verb_status},
        {"peers", verb_peers},
        {"ping", verb_ping},
        {"resolve", verb_resolve},
        {"wait", wait_begin},
        {"metrics", verb_metrics},
        {"reload", verb_reload},
        {"retire", keys_retire},
        {"down", verb_down},
    };
    struct daemon *daemon = context;
    daemon->now = clock_now();
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(verb, verbs[i].name) == 0) {
            verbs[i].serve(daemon, args, request);
            daemon_pump(daemon);
            return;
        }
    }
    control_reply_error(daemon->control, request, "unknown_verb", "there is no verb \"%s\"", verb);
}

static void fill_page(void *context, const char *path, struct http_page *page)
{
    struct daemon *daemon = context;
    daemon->now = clock_now();
    if (strcmp(path, "/metrics") == 0) {
        page->status = 200;
        page->content_type = metrics_content_type;
        page->size = json_metrics(daemon, page->body, page->capacity);
        return;
    }
    struct node_status status;
    bool healthy = daemon->node != NULL && daemon->ready;
    if (healthy) {
        node_status(daemon->node, daemon->now, &status);
        healthy = (status.joined || status.alone) && status.verdict.kind == VERDICT_YES &&
                  !status.displaced;
    }
    page->status = healthy ? 200 : 503;
    page->content_type = "text/plain; charset=utf-8";
    int size = snprintf(page->body, page->capacity, healthy ? "ok\n" : "not ready\n");
    page->size = size > 0 ? (size_t)size : 0;
}

enum status serve_start(struct daemon *daemon)
{
    char path[108];
    enum status status =
        control_socket_path(&daemon->options.directories, daemon->options.instance, path);
    if (status == OK) {
        status = control_start(&daemon->loop, path, dispatch, daemon, &daemon->control);
    }
    if (status != OK) {
        (void)snprintf(daemon->error, sizeof daemon->error,
            "cannot listen on the control socket %s: %s", path, status_text(status));
        return status;
    }
    if (!daemon->config.http) {
        return OK;
    }
    status =
        http_start(&daemon->loop, &daemon->config.http_listen, fill_page, daemon, &daemon->http);
    if (status != OK) {
        char address[ADDRESS_TEXT_SIZE];
        address_format(&daemon->config.http_listen, address);
        // Several instances share a host: the second one goes without the page, and says so.
        log_event(LOG_LEVEL_WARNING, "http_off", NULL,
            "no HTTP at %s: %s; set [http] listen to another address or to off", address,
            status_text(status));
    }
    return OK;
}

void serve_stop(struct daemon *daemon)
{
    http_stop(daemon->http);
    control_stop(daemon->control);
    daemon->http = NULL;
    daemon->control = NULL;
}

void serve_on_deadline(struct daemon *daemon)
{
    for (size_t i = 0; i < DAEMON_PINGS_MAX; i++) {
        if (daemon->pings[i].used && mono_due(daemon->pings[i].next_at, daemon->now.mono)) {
            ping_on_deadline(daemon, &daemon->pings[i]);
        }
    }
    wait_on_deadline(daemon);
    for (size_t i = 0; i < DAEMON_RESOLVES_MAX; i++) {
        struct daemon_resolve *resolve = &daemon->resolves[i];
        if (resolve->used && mono_due(resolve->check_at, daemon->now.mono)) {
            resolve_check(daemon, resolve);
        }
    }
}

struct mono serve_deadline(const struct daemon *daemon)
{
    struct mono next = wait_deadline(daemon);
    for (size_t i = 0; i < DAEMON_PINGS_MAX; i++) {
        next = daemon->pings[i].used ? mono_min(next, daemon->pings[i].next_at) : next;
    }
    for (size_t i = 0; i < DAEMON_RESOLVES_MAX; i++) {
        next = daemon->resolves[i].used ? mono_min(next, daemon->resolves[i].check_at) : next;
    }
    return next;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The verb `wait`: until this node is ready, or a peer connected, with an event for each stage on
// the way. Stages passed before the request are told at once, so that every client sees all.
#include "node/daemon/daemon.h"

#include <stdio.h>
#include <string.h>

enum {
    WAIT_DEFAULT_MS = 30000,
    MISSING_TEXT_SIZE = GATE_VERDICT_TEXT_SIZE + 64,
};

const char *wait_stage_name(const struct daemon *daemon, enum daemon_stage stage)
{
    static const char *const names[] = {[READY_MANIFEST] = "manifest",
        [READY_JOINED] = "joined",
        [READY_SEAT] = "seat",
        [READY_PUBLISHED] = "published"};
    return stage == READY_JOINED && daemon->first ? "alone" : names[stage];
}

// What is missing, or "".
static void missing_for_ready(struct daemon *daemon, char ret[static MISSING_TEXT_SIZE])
{
    struct node_status status;
    char why[GATE_VERDICT_TEXT_SIZE];
    ret[0] = '\0';
    if (daemon->node == NULL || !daemon->ready) {
        (void)snprintf(ret, MISSING_TEXT_SIZE, "the manifest");
        return;
    }
    node_status(daemon->node, daemon->now, &status);
    if (!status.joined && !status.alone) {
        (void)snprintf(ret, MISSING_TEXT_SIZE, "joining the DHT");
    } else if (status.verdict.kind != VERDICT_YES) {
        verdict_text(&status.verdict, why);
        (void)snprintf(ret, MISSING_TEXT_SIZE, "the chain's yes to the own seat: %s", why);
    } else if (!status.published) {
        (void)snprintf(ret, MISSING_TEXT_SIZE, "publishing the own record");
    }
}

static void missing_for_peer(
    struct daemon *daemon, const struct token_id *token, char ret[static MISSING_TEXT_SIZE])
{
    struct node_peer_status peer;
    ret[0] = '\0';
    if (!json_find_peer(daemon, token, &peer)) {
        (void)snprintf(ret, MISSING_TEXT_SIZE, "any trace of that token");
    } else if (peer.stage != STAGE_CONNECTED) {
        (void)snprintf(ret, MISSING_TEXT_SIZE, "%s", peer_stage_name(peer.stage));
    }
}

static void tell_stages(struct daemon *daemon, struct daemon_wait *wait)
{
    for (size_t i = 0; i < READY_STAGES; i++) {
        uint8_t bit = (uint8_t)(1U << i);
        if (daemon->stage_ms[i] == 0 || (wait->told & bit) != 0) {
            continue;
        }
        wait->told |= bit;
        (void)control_reply_event(daemon->control, wait->request,
            json_pack("{s:s,s:I}", "stage", wait_stage_name(daemon, (enum daemon_stage)i), "at_ms",
                (json_int_t)daemon->stage_ms[i]));
    }
}

static void check(struct daemon *daemon, struct daemon_wait *wait)
{
    char missing[MISSING_TEXT_SIZE];
    if (!control_request_is_open(daemon->control, wait->request)) {
        wait->used = false;
        return;
    }
    if (wait->connected) {
        missing_for_peer(daemon, &wait->token, missing);
    } else {
        tell_stages(daemon, wait);
        missing_for_ready(daemon, missing);
    }
    if (missing[0] == '\0') {
        control_reply_ok(daemon->control, wait->request,
            json_pack("{s:s,s:I}", "for", wait->connected ? "connected" : "ready", "waited_ms",
                (json_int_t)mono_since(wait->began_at, daemon->now.mono)));
        wait->used = false;
    } else if (mono_due(wait->until, daemon->now.mono)) {
        control_reply_error(daemon->control, wait->request, "timeout",
            "still missing: %s; see `deedmesh status`", missing);
        wait->used = false;
    }
}

static void check_all(struct daemon *daemon)
{
    for (size_t i = 0; i < DAEMON_WAITERS_MAX; i++) {
        if (daemon->waits[i].used) {
            check(daemon, &daemon->waits[i]);
        }
    }
}

void wait_begin(struct daemon *daemon, const json_t *args, struct control_request request)
{
    const char *what = json_string_value(json_object_get(args, "for"));
    bool connected = what != NULL && strcmp(what, "connected") == 0;
    struct token_id token = token_id_zero;
    if (connected && (!serve_need_node(daemon, request) ||
                         !serve_get_token(daemon, args, "peer", request, &token))) {
        return;
    }
    for (size_t i = 0; i < DAEMON_WAITERS_MAX; i++) {
        struct daemon_wait *wait = &daemon->waits[i];
        if (wait->used && control_request_is_open(daemon->control, wait->request)) {
            continue;
        }
        uint32_t timeout_ms =
            serve_get_number(args, "timeout_ms", WAIT_DEFAULT_MS, SERVE_TIMEOUT_MAX_MS);
        *wait = (struct daemon_wait){.used = true,
            .connected = connected,
            .request = request,
            .token = token,
            .began_at = daemon->now.mono,
            .until = mono_add(daemon->now.mono, timeout_ms)};
        if (connected) {
            (void)!node_want_peer(daemon->node, daemon->now, &token);
        }
        check(daemon, wait);
        return;
    }
    control_reply_error(daemon->control, request, "busy", "too many waits at once; try again");
}

void wait_on_stage(struct daemon *daemon, enum daemon_stage stage)
{
    uint64_t at_ms = mono_since(daemon->started_at, daemon->now.mono);
    if (daemon->stage_ms[stage] == 0) {
        daemon->stage_ms[stage] = at_ms == 0 ? 1 : at_ms;
        check_all(daemon);
    }
}

static const char *peer_event_name(enum node_event event)
{
    switch (event) {
    case EVENT_RESOLVED:
        return "resolved";
    case EVENT_VERIFIED:
        return "verified";
    case EVENT_PUNCHED:
        return "punched";
    case EVENT_CONNECTED:
        return "connected";
    default:
        return NULL;
    }
}

static void tell_peer(struct daemon *daemon, const struct node_report *report)
{
    const char *name = peer_event_name(report->event);
    uint64_t at_ms = mono_since(daemon->started_at, daemon->now.mono);
    for (size_t i = 0; name != NULL && i < DAEMON_WAITERS_MAX; i++) {
        const struct daemon_wait *wait = &daemon->waits[i];
        if (wait->used && wait->connected && token_id_equal(&wait->token, &report->token)) {
            (void)control_reply_event(daemon->control, wait->request,
                json_pack("{s:s,s:I}", "stage", name, "at_ms", (json_int_t)at_ms));
        }
    }
}

void wait_on_report(struct daemon *daemon, const struct node_report *report)
{
    tell_peer(daemon, report);
    switch (report->event) {
    case EVENT_ALONE:
        daemon->first = true;
        wait_on_stage(daemon, READY_JOINED);
        break;
    case EVENT_JOINED:
        wait_on_stage(daemon, READY_JOINED);
        break;
    case EVENT_PUBLISHED:
        wait_on_stage(daemon, READY_PUBLISHED);
        break;
    case EVENT_SELF_VERDICT:
        if (report->verdict.kind == VERDICT_YES) {
            wait_on_stage(daemon, READY_SEAT);
        }
        break;
    default:
        break;
    }
    check_all(daemon);
}

void wait_on_deadline(struct daemon *daemon)
{
    check_all(daemon);
}

struct mono wait_deadline(const struct daemon *daemon)
{
    struct mono next = mono_never();
    for (size_t i = 0; i < DAEMON_WAITERS_MAX; i++) {
        next = daemon->waits[i].used ? mono_min(next, daemon->waits[i].until) : next;
    }
    return next;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The control socket /run/deedmesh/NAME.sock (0660, group deedmesh where there is one): JSON
// lines. docs/control.md describes the verbs and their results.
//
//    -> {"id":1,"verb":"status","args":{}}
//    <- {"id":1,"ok":true,"result":{...}}
//    <- {"id":1,"ok":false,"error":{"code":"not_found","message":"..."}}
//    <- {"id":1,"event":{...}}            any number, before the one final reply
//
// Bounded: clients, the length of a line, requests in flight and bytes waiting to be written, each
// per client. A client that breaks a bound or the framing gets one error line and is closed. Who
// may connect is the socket's mode; nobody else is asked.
#pragma once

#include "base/status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum {
    CONTROL_CLIENTS_MAX = 16,
    CONTROL_LINE_MAX = 64 * 1024, // of a request
    CONTROL_REQUESTS_MAX = 8,     // in flight, per client
    CONTROL_WRITE_QUEUE_MAX = 4 * 1024 * 1024,
};

// The server on one loop.
struct control;

// Names a request in flight. Never reused: a reply to a request that is gone is dropped.
struct control_request {
    uint64_t id;
};

// Called once for each well-formed request, with the loop's thread. `args` is an object (empty if
// the request had none) and is borrowed: valid during the call. The answer may be given at once or
// later, by control_reply_* below.
typedef void (*control_dispatch)(
    void *context, const char *verb, const json_t *args, struct control_request request);

// Listens on `path`; a stale socket file that nobody serves is replaced. ERR_BUSY if a daemon
// serves it, ERR_PERMISSION, ERR_IO, ERR_TOO_LARGE (path). `*ret` on success only.
enum status control_start(uv_loop_t *loop, const char *path, control_dispatch dispatch,
    void *context, struct control **ret);

// Closes all clients after what is queued has been tried once, removes the socket file, and frees
// the server when the loop has run its close callbacks. Accepts NULL.
void control_stop(struct control *control);

// Final replies; the reference to `result` is taken over (NULL = empty object). Dropped if the
// request is gone.
void control_reply_ok(struct control *control, struct control_request request, json_t *result);

// `code` is a word for programs, `message` a sentence for people with the next step. printf-like.
void control_reply_error(struct control *control, struct control_request request, const char *code,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

// A line before the final reply; the reference to `event` is taken over. False if the request is
// gone: stop producing.
bool control_reply_event(struct control *control, struct control_request request, json_t *event);

// False once the client has gone or the final reply was given.
bool control_request_is_open(const struct control *control, struct control_request request);

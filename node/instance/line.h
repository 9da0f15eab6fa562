// SPDX-License-Identifier: GPL-3.0-or-later
//
// The framing of the control socket, for both ends: lines, and one request on a line. No I/O.
#pragma once

#include "base/bytes.h"

#include <jansson.h>

// Cuts a byte stream into lines of at most `capacity` bytes. The buffer is the caller's.
struct line_splitter {
    char *buffer;
    size_t capacity;
    size_t size;  // bytes in the buffer
    size_t begin; // first byte that has not been handed out
};

void line_splitter_init(struct line_splitter *splitter, char *buffer, size_t capacity);

// Room for more bytes: read into it, then call line_splitter_filled. Empty if a line is too long.
// Moves what is left to the front, so spans handed out before are no longer valid.
struct line_room {
    char *data;
    size_t size;
};
struct line_room line_splitter_room(struct line_splitter *splitter);
void line_splitter_filled(struct line_splitter *splitter, size_t size);

// The next whole line without its end, valid until line_splitter_room. OK, ERR_NOT_FOUND (none
// yet), ERR_TOO_LARGE (no line end within the capacity: close).
enum status line_splitter_next(struct line_splitter *splitter, struct span *ret);

// A request as parsed; `id` and `args` are owned.
struct control_message {
    json_int_t id;
    char verb[32];
    json_t *args;
};

// One request line. ERR_MALFORMED (not a JSON object, duplicate keys, unknown or missing member,
// wrong type). On success clear with control_message_clear.
enum status control_message_parse(struct span line, struct control_message *ret);
void control_message_clear(struct control_message *message);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The framing of the control socket.
#include "node/instance/line.h"

#include <string.h>

void line_splitter_init(struct line_splitter *splitter, char *buffer, size_t capacity)
{
    ASSERT(capacity > 0);
    *splitter = (struct line_splitter){.buffer = buffer, .capacity = capacity};
}

struct line_room line_splitter_room(struct line_splitter *splitter)
{
    size_t left = splitter->size - splitter->begin;
    memmove(splitter->buffer, splitter->buffer + splitter->begin, left);
    splitter->begin = 0;
    splitter->size = left;
    return (struct line_room){.data = splitter->buffer + left, .size = splitter->capacity - left};
}

void line_splitter_filled(struct line_splitter *splitter, size_t size)
{
    ASSERT(size <= splitter->capacity - splitter->size);
    splitter->size += size;
}

enum status line_splitter_next(struct line_splitter *splitter, struct span *ret)
{
    const char *begin = splitter->buffer + splitter->begin;
    size_t left = splitter->size - splitter->begin;
    const char *end = memchr(begin, '\n', left);
    if (end == NULL) {
        return left == splitter->capacity ? ERR_TOO_LARGE : ERR_NOT_FOUND;
    }
    size_t size = (size_t)(end - begin);
    splitter->begin += size + 1;
    *ret = span_of(begin, size);
    return OK;
}

// Exactly the members id, verb and, optionally, args.
static enum status take_members(json_t *root, struct control_message *ret)
{
    json_t *args = json_object_get(root, "args");
    const char *verb = json_string_value(json_object_get(root, "verb"));
    json_t *id = json_object_get(root, "id");
    size_t size = args != NULL ? 3 : 2;
    if (json_object_size(root) != size || verb == NULL || !json_is_integer(id) ||
        (args != NULL && !json_is_object(args))) {
        return ERR_MALFORMED;
    }
    size_t verb_size = strlen(verb);
    if (verb_size == 0 || verb_size >= sizeof ret->verb ||
        strspn(verb, "abcdefghijklmnopqrstuvwxyz-") != verb_size) {
        return ERR_MALFORMED;
    }
    struct control_message message = {.id = json_integer_value(id)};
    memcpy(message.verb, verb, verb_size + 1);
    message.args = args != NULL ? json_incref(args) : json_object();
    if (message.args == NULL) {
        return ERR_IO;
    }
    *ret = message;
    return OK;
}

enum status control_message_parse(struct span line, struct control_message *ret)
{
    json_t *root = json_loadb((const char *)line.data, line.size, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL) {
        return ERR_MALFORMED;
    }
    enum status status = json_is_object(root) ? take_members(root, ret) : ERR_MALFORMED;
    json_decref(root);
    return status;
}

void control_message_clear(struct control_message *message)
{
    json_decref(message->args);
    message->args = NULL;
}

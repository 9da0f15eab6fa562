// SPDX-License-Identifier: GPL-3.0-or-later
//
// The control socket's framing: the first byte says in what pieces the rest arrives. However it is
// cut, the same lines come out.
#include "node/instance/line.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    CAPACITY = 256,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char buffer[CAPACITY];
    struct line_splitter splitter;
    struct span line;
    size_t piece = size > 0 ? 1 + data[0] % CAPACITY : 1;
    size_t expected = 1; // where the next line begins
    line_splitter_init(&splitter, buffer, sizeof buffer);
    for (size_t at = 1; at < size;) {
        struct line_room room = line_splitter_room(&splitter);
        size_t part = size - at < piece ? size - at : piece;
        part = part < room.size ? part : room.size;
        memcpy(room.data, data + at, part);
        line_splitter_filled(&splitter, part);
        at += part;
        enum status status = line_splitter_next(&splitter, &line);
        for (; status == OK; status = line_splitter_next(&splitter, &line)) {
            struct control_message message;
            ASSERT(span_equal(line, span_of(data + expected, line.size)));
            ASSERT(data[expected + line.size] == '\n');
            expected += line.size + 1;
            if (control_message_parse(line, &message) == OK) {
                ASSERT(strlen(message.verb) > 0 && json_is_object(message.args));
                control_message_clear(&message);
            }
        }
        if (status == ERR_TOO_LARGE) {
            return 0;
        }
    }
    return 0;
}

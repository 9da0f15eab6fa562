// SPDX-License-Identifier: GPL-3.0-or-later
//
// The daemon's log: one line per event on stderr, as text or JSON. Pure code reports events, the
// edge logs them here, once. Never a key or secret: callers pass public identities only. Lines of
// one event name are rate-limited; what was left out is counted in the next line.
//
// Text: "event: message", with "<N>" before it where stderr is the journal, with the local time
// where it is not. JSON: {"time","level","event","message",...fields}.
#pragma once

#include "node/instance/config.h"

#include <jansson.h>
#include <stdint.h>

enum {
    LOG_LINE_MAX = 4096,
    LOG_BURST = 20,         // lines of one event at once
    LOG_PER_SECOND = 2,     // then
    LOG_FILE_MAX = 8 << 20, // a regular file on stderr is cut back when it reaches this
};

// Once, at start; what is logged before stands in text at level info.
void log_init(enum log_format format, enum log_level level);

// One event. `event` is a constant word, e.g. "peer_connected". `fields` (object or NULL) is taken
// over and stands in JSON only: what a person needs is in the message. Characters that are not
// printable are escaped, so a stranger's text cannot forge a line.
void log_event(enum log_level level, const char *event, json_t *fields, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// Lines that the rate limit has left out since the start.
uint64_t log_suppressed(void);

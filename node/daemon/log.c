// SPDX-License-Identifier: GPL-3.0-or-later
//
// The log on stderr. One process has one log, so its state is one static object.
#include "node/daemon/log.h"

#include "base/budget.h"
#include "base/clock_posix.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS_MAX = 64, // event names with a budget of their own; further names share the last one
    EVENT_SIZE = 48,
};

struct event {
    char name[EVENT_SIZE];
    struct budget budget;
    uint64_t left_out; // since its last line
};

static struct {
    enum log_format format;
    enum log_level level;
    bool journal; // stderr is the journal: it wants priorities and has its own time
    bool file;    // stderr is a regular file, kept under LOG_FILE_MAX
    struct event events[EVENTS_MAX];
    size_t events_count;
    uint64_t suppressed;
} the_log = {.level = LOG_LEVEL_INFO};

// JOURNAL_STREAM holds device and inode of the stream (systemd.exec(5)).
static bool stderr_is_journal(const struct stat *info)
{
    char expected[64];
    const char *stream = getenv("JOURNAL_STREAM");
    (void)snprintf(
        expected, sizeof expected, "%ju:%ju", (uintmax_t)info->st_dev, (uintmax_t)info->st_ino);
    return stream != NULL && strcmp(stream, expected) == 0;
}

void log_init(enum log_format format, enum log_level level)
{
    struct stat info;
    the_log.format = format;
    the_log.level = level;
    if (fstat(STDERR_FILENO, &info) == 0) {
        the_log.journal = stderr_is_journal(&info);
        the_log.file = S_ISREG(info.st_mode);
    }
}

uint64_t log_suppressed(void)
{
    return the_log.suppressed;
}

static struct event *event_of(const char *name)
{
    for (size_t i = 0; i < the_log.events_count; i++) {
        if (strncmp(the_log.events[i].name, name, EVENT_SIZE - 1) == 0) {
            return &the_log.events[i];
        }
    }
    if (the_log.events_count == EVENTS_MAX) {
        return &the_log.events[EVENTS_MAX - 1];
    }
    struct event *event = &the_log.events[the_log.events_count++];
    (void)snprintf(event->name, sizeof event->name, "%s", name);
    return event;
}

// RFC 3339, UTC, milliseconds.
static void time_text(char ret[static 32])
{
    struct timespec at;
    struct tm broken;
    char seconds[24];
    (void)clock_gettime(CLOCK_REALTIME, &at);
    if (gmtime_r(&at.tv_sec, &broken) == NULL ||
        strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &broken) == 0) {
        seconds[0] = '\0';
    }
    (void)snprintf(ret, 32, "%s.%03uZ", seconds, (unsigned)(at.tv_nsec / 1000000));
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARNING:
        return "warning";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        return "debug";
    }
    return "info";
}

// One write, so that lines of several processes do not mix. A log that cannot be written is lost:
// there is nowhere to say so.
static void write_line(const char *line, size_t size)
{
    struct stat info;
    if (the_log.file && fstat(STDERR_FILENO, &info) == 0 && info.st_size > LOG_FILE_MAX) {
        (void)!ftruncate(STDERR_FILENO, 0);
    }
    ssize_t put = -1;
    do {
        put = write(STDERR_FILENO, line, size);
    } while (put < 0 && errno == EINTR);
}

// Escapes what is not printable ASCII or a byte of UTF-8. Returns the size of what was written.
static size_t escape(const char *text, char *ret, size_t capacity)
{
    size_t size = 0;
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        bool plain = byte >= ' ' && byte != 0x7f;
        if (size + (plain ? 1 : 4) >= capacity) {
            break;
        }
        if (plain) {
            ret[size++] = (char)byte;
        } else {
            size += (size_t)snprintf(ret + size, capacity - size, "\\x%02x", byte);
        }
    }
    ret[size] = '\0';
    return size;
}

static void write_text(
    enum log_level level, const char *event, const char *message, uint64_t left_out)
{
    char line[LOG_LINE_MAX];
    char at[32];
    int head = 0;
    size_t room = sizeof line - 64; // for the tail
    if (the_log.journal) {
        head = snprintf(line, 128, "<%d>%s: ", (int)level, event);
    } else {
        time_text(at);
        head = snprintf(line, 128, "%s %-7s %s: ", at, level_name(level), event);
    }
    ASSERT(head > 0 && head < 128); // event names are short words of ours
    size_t size = (size_t)head;
    size += escape(message, line + size, room - size);
    if (left_out > 0) {
        size += (size_t)snprintf(line + size, sizeof line - size, " (and %llu more like this)",
            (unsigned long long)left_out);
    }
    line[size++] = '\n';
    write_line(line, size);
}

static void write_json(
    enum log_level level, const char *event, const char *message, uint64_t left_out, json_t *fields)
{
    char at[32];
    time_text(at);
    // A message that is not UTF-8 is refused by jansson: escape it as in text.
    char plain[LOG_LINE_MAX];
    (void)escape(message, plain, sizeof plain);
    json_t *object = json_pack("{s:s, s:s, s:s, s:s}", "time", at, "level", level_name(level),
        "event", event, "message", plain);
    if (object == NULL) {
        object =
            json_pack("{s:s, s:s, s:s}", "time", at, "level", level_name(level), "event", event);
    }
    if (left_out > 0) {
        (void)json_object_set_new(object, "left_out", json_integer((json_int_t)left_out));
    }
    if (fields != NULL) {
        (void)json_object_update_missing(object, fields);
    }
    char *line = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    if (line == NULL) {
        return;
    }
    size_t size = strlen(line);
    line[size] = '\n'; // in place of its NUL
    write_line(line, size + 1);
    free(line);
}

void log_event(enum log_level level, const char *event, json_t *fields, const char *format, ...)
{
    char message[LOG_LINE_MAX];
    if (level > the_log.level) {
        json_decref(fields);
        return;
    }
    struct event *known = event_of(event);
    const struct budget_rate rate = {.per_second = LOG_PER_SECOND, .burst = LOG_BURST};
    if (!budget_take(&known->budget, &rate, clock_mono(), 1)) {
        known->left_out++;
        the_log.suppressed++;
        json_decref(fields);
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (the_log.format == LOG_JSON) {
        write_json(level, event, message, known->left_out, fields);
    } else {
        write_text(level, event, message, known->left_out);
    }
    known->left_out = 0;
    json_decref(fields);
}

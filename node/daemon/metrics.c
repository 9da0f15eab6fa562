// SPDX-License-Identifier: GPL-3.0-or-later
//
// Prometheus' text format.
#include "node/daemon/metrics.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

const char metrics_content_type[] = "text/plain; version=0.0.4; charset=utf-8";

void metrics_init(struct metrics *metrics, char *text, size_t capacity)
{
    ASSERT(capacity > 0);
    *metrics = (struct metrics){.text = text, .capacity = capacity};
    text[0] = '\0';
}

// Appends, or makes `size` exceed the capacity for good: the caller then undoes the sample.
__attribute__((format(printf, 2, 3))) static void put(
    struct metrics *metrics, const char *format, ...)
{
    if (metrics->size >= metrics->capacity) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(
        metrics->text + metrics->size, metrics->capacity - metrics->size, format, arguments);
    va_end(arguments);
    metrics->size = size < 0 ? metrics->capacity : metrics->size + (size_t)size;
}

// Backslash and line feed, and in label values the quote, are escaped by the format; any other
// control character would only spoil a person's terminal.
static void put_escaped(struct metrics *metrics, const char *text, bool quoted)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '\\') {
            put(metrics, "\\\\");
        } else if (byte == '\n') {
            put(metrics, "\\n");
        } else if (quoted && byte == '"') {
            put(metrics, "\\\"");
        } else {
            put(metrics, "%c", byte < ' ' || byte == 0x7f ? '?' : byte);
        }
    }
}

static void add(struct metrics *metrics, const char *name, const char *help, enum metric_type type,
    const struct metric_label *labels, size_t labels_count, const char *value)
{
    ASSERT(labels_count <= METRIC_LABELS_MAX && strlen(name) < sizeof metrics->family);
    size_t before = metrics->size;
    bool first = strcmp(metrics->family, name) != 0;
    if (first) {
        put(metrics, "# HELP %s ", name);
        put_escaped(metrics, help, false);
        put(metrics, "\n# TYPE %s %s\n", name, type == METRIC_COUNTER ? "counter" : "gauge");
    }
    put(metrics, "%s", name);
    for (size_t i = 0; i < labels_count; i++) {
        put(metrics, "%c%s=\"", i == 0 ? '{' : ',', labels[i].name);
        put_escaped(metrics, labels[i].value, true);
        put(metrics, "\"");
    }
    put(metrics, "%s %s\n", labels_count > 0 ? "}" : "", value);
    if (metrics->size >= metrics->capacity) {
        metrics->size = before;
        metrics->text[before] = '\0';
        metrics->dropped++;
        return;
    }
    if (first) {
        memcpy(metrics->family, name, strlen(name) + 1);
    }
}

void metrics_add(struct metrics *metrics, const char *name, const char *help, enum metric_type type,
    const struct metric_label *labels, size_t labels_count, double value)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%.15g", value);
    add(metrics, name, help, type, labels, labels_count, text);
}

void metrics_add_u64(struct metrics *metrics, const char *name, const char *help,
    enum metric_type type, const struct metric_label *labels, size_t labels_count, uint64_t value)
{
    char text[64];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    add(metrics, name, help, type, labels, labels_count, text);
}

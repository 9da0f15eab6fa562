// SPDX-License-Identifier: GPL-3.0-or-later
//
// Writes metrics in Prometheus' text exposition format 0.0.4 into a buffer of the caller. Pure and
// bounded: a sample that does not fit is left out whole and counted.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum metric_type {
    METRIC_COUNTER,
    METRIC_GAUGE,
};

struct metric_label {
    const char *name; // [a-zA-Z_][a-zA-Z0-9_]*
    const char *value;
};

struct metrics {
    char *text;
    size_t capacity;
    size_t size;
    size_t dropped;   // samples that did not fit
    char family[128]; // whose HELP and TYPE were written last
};

enum {
    METRIC_LABELS_MAX = 8,
    METRICS_CONTENT_TYPE_SIZE = 64,
};

extern const char metrics_content_type[];

void metrics_init(struct metrics *metrics, char *text, size_t capacity);

// One sample. All samples of one name stand together; HELP and TYPE are written before the first.
// `name` begins with "deedmesh_" and ends with its unit ("_total" for counters); `labels` may be
// NULL if the count is 0. Label values and help are escaped.
void metrics_add(struct metrics *metrics, const char *name, const char *help, enum metric_type type,
    const struct metric_label *labels, size_t labels_count, double value);

// As metrics_add for whole numbers, without rounding.
void metrics_add_u64(struct metrics *metrics, const char *name, const char *help,
    enum metric_type type, const struct metric_label *labels, size_t labels_count, uint64_t value);

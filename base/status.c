// SPDX-License-Identifier: GPL-3.0-or-later
//
// Names and texts of the status list, and the end of the line for broken invariants.
#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>

void assert_failed(const char *file, int line, const char *condition)
{
    (void)fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

const char *status_name(enum status status)
{
    switch (status) {
#define STATUS_NAME_CASE(name, text)                                                               \
    case name:                                                                                     \
        return #name;
        STATUS_LIST(STATUS_NAME_CASE)
#undef STATUS_NAME_CASE
    }
    return "ERR_UNKNOWN";
}

const char *status_text(enum status status)
{
    switch (status) {
#define STATUS_TEXT_CASE(name, text)                                                               \
    case name:                                                                                     \
        return text;
        STATUS_LIST(STATUS_TEXT_CASE)
#undef STATUS_TEXT_CASE
    }
    return "unknown failure";
}

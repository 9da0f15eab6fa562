// SPDX-License-Identifier: GPL-3.0-or-later
//
// The log's lines, read back from a pipe in place of stderr.
#include "node/daemon/log.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TEXT_SIZE = 16384,
};

static int saved_stderr = -1;
static int pipe_end = -1;

static void capture(void)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    saved_stderr = dup(STDERR_FILENO);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    (void)close(ends[1]);
    pipe_end = ends[0];
}

static void release(char ret[static TEXT_SIZE])
{
    ssize_t size = read(pipe_end, ret, TEXT_SIZE - 1);
    ret[size > 0 ? size : 0] = '\0';
    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    (void)close(saved_stderr);
    (void)close(pipe_end);
}

static void text_lines_hold_time_level_event_and_message(void **)
{
    char text[TEXT_SIZE];
    capture();
    log_init(LOG_TEXT, LOG_LEVEL_INFO);
    log_event(LOG_LEVEL_WARNING, "test_text", json_pack("{s:i}", "token", 7), "token %d", 7);
    release(text);
    assert_int_equal(text[4], '-');
    assert_int_equal(text[10], 'T');
    assert_string_equal(text + 24, " warning test_text: token 7\n");
}

static void the_level_decides(void **)
{
    char text[TEXT_SIZE];
    capture();
    log_init(LOG_TEXT, LOG_LEVEL_WARNING);
    log_event(LOG_LEVEL_INFO, "test_level", json_object(), "no");
    log_event(LOG_LEVEL_DEBUG, "test_level", NULL, "no");
    log_event(LOG_LEVEL_ERROR, "test_level", NULL, "yes");
    release(text);
    assert_null(strstr(text, ": no"));
    assert_non_null(strstr(text, "error   test_level: yes\n"));
}

static void a_message_cannot_forge_a_line(void **)
{
    char text[TEXT_SIZE];
    capture();
    log_init(LOG_TEXT, LOG_LEVEL_INFO);
    log_event(LOG_LEVEL_INFO, "test_forge", NULL, "a\n<3>b\x1b[31m\x7f");
    release(text);
    assert_non_null(strstr(text, "a\\x0a<3>b\\x1b[31m\\x7f\n"));
}

static void json_lines_hold_the_fields(void **)
{
    char text[TEXT_SIZE];
    capture();
    log_init(LOG_JSON, LOG_LEVEL_INFO);
    log_event(LOG_LEVEL_INFO, "test_json", json_pack("{s:s}", "token", "7"), "up \"%s\"\n", "x");
    release(text);
    json_t *line = json_loads(text, 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "level")), "info");
    assert_string_equal(json_string_value(json_object_get(line, "event")), "test_json");
    assert_string_equal(json_string_value(json_object_get(line, "message")), "up \"x\"\\x0a");
    assert_string_equal(json_string_value(json_object_get(line, "token")), "7");
    assert_non_null(json_object_get(line, "time"));
    json_decref(line);
    assert_null(strchr(text, '\n')[1] == '\0' ? NULL : "more than one line");
}

static void one_event_cannot_flood(void **)
{
    char text[TEXT_SIZE];
    uint64_t before = log_suppressed();
    size_t lines = 0;
    capture();
    log_init(LOG_TEXT, LOG_LEVEL_INFO);
    for (int i = 0; i < 1000; i++) {
        log_event(LOG_LEVEL_INFO, "test_flood", NULL, "again");
    }
    // Another event has its own budget.
    log_event(LOG_LEVEL_INFO, "test_calm", NULL, "once");
    release(text);
    for (const char *at = text; (at = strstr(at, "again")) != NULL; at++) {
        lines++;
    }
    assert_in_range(lines, LOG_BURST, LOG_BURST + 10 * LOG_PER_SECOND);
    assert_int_equal(log_suppressed() - before, 1000 - lines);
    assert_non_null(strstr(text, "test_calm: once\n"));
}

static void the_journal_gets_priorities(void **)
{
    char text[TEXT_SIZE];
    char stream[64];
    struct stat info;
    capture();
    assert_int_equal(fstat(STDERR_FILENO, &info), 0);
    (void)snprintf(
        stream, sizeof stream, "%ju:%ju", (uintmax_t)info.st_dev, (uintmax_t)info.st_ino);
    assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
    log_init(LOG_TEXT, LOG_LEVEL_INFO);
    log_event(LOG_LEVEL_ERROR, "test_journal", NULL, "broken");
    release(text);
    assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
    assert_string_equal(text, "<3>test_journal: broken\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_lines_hold_time_level_event_and_message),
        cmocka_unit_test(the_level_decides),
        cmocka_unit_test(a_message_cannot_forge_a_line),
        cmocka_unit_test(json_lines_hold_the_fields),
        cmocka_unit_test(one_event_cannot_flood),
        cmocka_unit_test(the_journal_gets_priorities),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}

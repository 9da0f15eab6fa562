// SPDX-License-Identifier: GPL-3.0-or-later
//
// The framing of the control socket, byte by byte.
#include "node/instance/line.h"

#include "tests/unit/unit.h"

static void feed(struct line_splitter *splitter, const char *text)
{
    struct line_room room = line_splitter_room(splitter);
    size_t size = strlen(text);
    assert_true(size <= room.size);
    memcpy(room.data, text, size);
    line_splitter_filled(splitter, size);
}

static void lines_come_out_whole_however_they_come_in(void **)
{
    static const char stream[] = "one\n\ntwo\r\nthree\n";
    static const char *const expected[] = {"one", "", "two\r", "three"};
    for (size_t piece = 1; piece <= sizeof stream - 1; piece++) {
        char buffer[32];
        struct line_splitter splitter;
        struct span line;
        size_t found = 0;
        line_splitter_init(&splitter, buffer, sizeof buffer);
        for (size_t at = 0; at < sizeof stream - 1; at += piece) {
            char part[sizeof stream] = {0};
            size_t left = sizeof stream - 1 - at;
            memcpy(part, stream + at, left < piece ? left : piece);
            feed(&splitter, part);
            while (line_splitter_next(&splitter, &line) == OK) {
                assert_true(found < 4);
                assert_true(span_equal(line, span_of_text(expected[found])));
                found++;
            }
        }
        assert_int_equal(found, 4);
        assert_int_equal(line_splitter_next(&splitter, &line), ERR_NOT_FOUND);
    }
}

static void a_line_without_end_is_too_large(void **)
{
    char buffer[8];
    struct line_splitter splitter;
    struct span line;
    line_splitter_init(&splitter, buffer, sizeof buffer);
    feed(&splitter, "1234567");
    assert_int_equal(line_splitter_next(&splitter, &line), ERR_NOT_FOUND);
    feed(&splitter, "8");
    assert_int_equal(line_splitter_next(&splitter, &line), ERR_TOO_LARGE);
    struct line_room room = line_splitter_room(&splitter);
    assert_int_equal(room.size, 0);
}

static void a_line_that_just_fits_is_taken(void **)
{
    char buffer[8];
    struct line_splitter splitter;
    struct span line;
    line_splitter_init(&splitter, buffer, sizeof buffer);
    feed(&splitter, "1234567\n");
    assert_int_equal(line_splitter_next(&splitter, &line), OK);
    assert_int_equal(line.size, 7);
    feed(&splitter, "1234567\n");
    assert_int_equal(line_splitter_next(&splitter, &line), OK);
}

static void a_request_is_parsed(void **)
{
    struct control_message message;
    assert_int_equal(
        control_message_parse(
            span_of_text("{\"id\":-3,\"verb\":\"ping\",\"args\":{\"peer\":\"7\"}}"), &message),
        OK);
    assert_int_equal(message.id, -3);
    assert_string_equal(message.verb, "ping");
    assert_string_equal(json_string_value(json_object_get(message.args, "peer")), "7");
    control_message_clear(&message);
    assert_int_equal(
        control_message_parse(span_of_text(" {\"verb\":\"status\",\"id\":1}\r"), &message), OK);
    assert_int_equal(json_object_size(message.args), 0);
    control_message_clear(&message);
}

static void garbage_is_malformed(void **)
{
    static const char *const lines[] = {
        "",
        "status",
        "[]",
        "1",
        "{}",
        "{\"id\":1}",
        "{\"verb\":\"x\"}",
        "{\"id\":\"1\",\"verb\":\"x\"}",
        "{\"id\":1.5,\"verb\":\"x\"}",
        "{\"id\":1,\"verb\":2}",
        "{\"id\":1,\"verb\":\"\"}",
        "{\"id\":1,\"verb\":\"No\"}",
        "{\"id\":1,\"verb\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
        "{\"id\":1,\"verb\":\"x\",\"args\":[]}",
        "{\"id\":1,\"verb\":\"x\",\"more\":1}",
        "{\"id\":1,\"id\":2,\"verb\":\"x\"}",
        "{\"id\":1,\"verb\":\"x\"} {}",
        "{\"id\":1,\"verb\":\"x\xff\"}",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct control_message message;
        if (control_message_parse(span_of_text(lines[i]), &message) != ERR_MALFORMED) {
            fail_msg("taken: %s", lines[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_out_whole_however_they_come_in),
        cmocka_unit_test(a_line_without_end_is_too_large),
        cmocka_unit_test(a_line_that_just_fits_is_taken),
        cmocka_unit_test(a_request_is_parsed),
        cmocka_unit_test(garbage_is_malformed),
    };
    return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}

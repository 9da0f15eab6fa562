// SPDX-License-Identifier: GPL-3.0-or-later
//
// The list of failures: each value has its own name and its own text.
#include "base/status.h"

#include "tests/unit/unit.h"

#define STATUS_VALUE(name, text) name,
static const enum status all[] = {STATUS_LIST(STATUS_VALUE)};
#undef STATUS_VALUE

enum {
    COUNT = sizeof all / sizeof *all,
};

static void ok_is_zero(void **)
{
    assert_int_equal(OK, 0);
    assert_string_equal(status_name(OK), "OK");
    assert_string_equal(status_name(ERR_TRUNCATED), "ERR_TRUNCATED");
    assert_string_equal(status_text(ERR_TRUNCATED), "the data ends too early");
}

static void names_and_texts_are_distinct(void **)
{
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(all[i], i);
        assert_true(strlen(status_text(all[i])) > 0);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(status_name(all[i]), status_name(all[j]));
            assert_string_not_equal(status_text(all[i]), status_text(all[j]));
        }
    }
}

// The text continues a sentence.
static void texts_are_clauses(void **)
{
    for (size_t i = 0; i < COUNT; i++) {
        const char *text = status_text(all[i]);
        assert_in_range(text[0], 'a', 'z');
        assert_int_not_equal(text[strlen(text) - 1], '.');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ok_is_zero),
        cmocka_unit_test(names_and_texts_are_distinct),
        cmocka_unit_test(texts_are_clauses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

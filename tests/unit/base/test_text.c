// SPDX-License-Identifier: GPL-3.0-or-later
//
// Text forms of identities, against known values.
#include "base/text.h"

#include "tests/unit/unit.h"

static void token_ids_print_in_decimal(void **)
{
    char text[TOKEN_TEXT_SIZE];
    struct token_id token = token_id_of_u64(0);
    token_id_format(&token, text);
    assert_string_equal(text, "0");
    token = token_id_of_u64(UINT64_MAX);
    token_id_format(&token, text);
    assert_string_equal(text, "18446744073709551615");
    memset(token.bytes, 0xff, sizeof token.bytes);
    token_id_format(&token, text);
    assert_string_equal(text,
        "1157920892373161954235709850086879078532699846656405640394575840079131296"
        "39935");
}

static void token_ids_parse_from_decimal_and_hex(void **)
{
    struct token_id token;
    struct token_id seven = token_id_of_u64(7);
    assert_int_equal(token_id_parse(span_of_text("7"), &token), OK);
    assert_true(token_id_equal(&token, &seven));
    assert_int_equal(token_id_parse(span_of_text("0x7"), &token), OK);
    assert_true(token_id_equal(&token, &seven));
    assert_int_equal(token_id_parse(span_of_text(""), &token), ERR_MALFORMED);
    assert_int_equal(token_id_parse(span_of_text("0x"), &token), ERR_MALFORMED);
    assert_int_equal(token_id_parse(span_of_text("7 "), &token), ERR_MALFORMED);
    assert_int_equal(token_id_parse(span_of_text("-1"), &token), ERR_MALFORMED);
    assert_int_equal(
        token_id_parse(span_of_text("1157920892373161954235709850086879078532699846656405640394575"
                                    "84007913129639936"),
            &token),
        ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_ids_print_in_decimal),
        cmocka_unit_test(token_ids_parse_from_decimal_and_hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

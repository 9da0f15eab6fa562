// SPDX-License-Identifier: GPL-3.0-or-later
//
// Amounts: sums that do not wrap, and their decimal form both ways.
#include "chain/wei.h"

#include "tests/unit/unit.h"

static const struct wei most = {.high = UINT64_MAX, .low = UINT64_MAX};

static void expect_text(struct wei amount, unsigned digits, const char *wants)
{
    char text[WEI_TEXT_SIZE];
    wei_format(amount, digits, text);
    assert_string_equal(text, wants);
}

static void formats(void **)
{
    expect_text(wei_of(0), 0, "0");
    expect_text(wei_of(0), 18, "0");
    expect_text(wei_of(1), 18, "0.000000000000000001");
    expect_text(wei_of(1500000000), 9, "1.5");
    expect_text(wei_of(500000000), 9, "0.5");
    expect_text(wei_of(1050000000), 9, "1.05");
    expect_text(wei_of(20000000000), 9, "20");
    expect_text(wei_multiply(10000000000000000000u, 1000), 18, "10000");
    expect_text(most, 0, "340282366920938463463374607431768211455");
    expect_text(most, 18, "340282366920938463463.374607431768211455");
}

static void adds_and_multiplies(void **)
{
    struct wei half = {.high = UINT64_MAX / 2 + 1};
    assert_int_equal(wei_compare(wei_add(wei_of(2), wei_of(3)), wei_of(5)), 0);
    assert_int_equal(wei_compare(wei_add(half, half), most), 0);
    assert_int_equal(wei_compare(wei_add(most, wei_of(1)), most), 0);
    struct wei carried = wei_add(wei_of(UINT64_MAX), wei_of(1));
    assert_true(carried.high == 1 && carried.low == 0);
    struct wei square = wei_multiply(UINT64_MAX, UINT64_MAX);
    assert_true(square.high == UINT64_MAX - 1 && square.low == 1);
    assert_true(wei_compare(wei_of(1), wei_of(2)) < 0);
    assert_true(wei_compare(carried, wei_of(UINT64_MAX)) > 0);
}

static void reads_bytes(void **)
{
    uint8_t bytes[32] = {0};
    bytes[31] = 7;
    assert_int_equal(wei_compare(wei_of_bytes(span_of(bytes, 32)), wei_of(7)), 0);
    bytes[16] = 1;
    assert_true(wei_of_bytes(span_of(bytes, 32)).high == (uint64_t)1 << 56);
    bytes[15] = 1; // more than 128 bits
    assert_int_equal(wei_compare(wei_of_bytes(span_of(bytes, 32)), most), 0);
    assert_int_equal(wei_compare(wei_of_bytes(span_of(NULL, 0)), wei_of(0)), 0);
}

static void parses(void **)
{
    static const struct {
        const char *text;
        unsigned digits;
        enum status status;
        uint64_t value;
    } cases[] = {
        {"0", 9, OK, 0},
        {"1.5", 9, OK, 1500000000},
        {"30", 9, OK, 30000000000},
        {"0.000000001", 9, OK, 1},
        {"0.0000000001", 9, ERR_MALFORMED, 0},
        {"1.2.3", 9, ERR_MALFORMED, 0},
        {"", 9, ERR_MALFORMED, 0},
        {".5", 9, ERR_MALFORMED, 0},
        {"5.", 9, ERR_MALFORMED, 0},
        {"-1", 9, ERR_MALFORMED, 0},
        {"1e9", 9, ERR_MALFORMED, 0},
        {"1.5", 0, ERR_MALFORMED, 0},
        {"18446744073709551615", 0, OK, UINT64_MAX},
        {"18446744073709551616", 0, ERR_RANGE, 0},
        {"18446744074", 9, ERR_RANGE, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 0;
        enum status status = wei_parse(span_of_text(cases[i].text), cases[i].digits, &value);
        assert_int_equal(status, cases[i].status);
        assert_true(value == cases[i].value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats),
        cmocka_unit_test(adds_and_multiplies),
        cmocka_unit_test(reads_bytes),
        cmocka_unit_test(parses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

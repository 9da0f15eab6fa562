// SPDX-License-Identifier: GPL-3.0-or-later
//
// Cursors: byte order, the first failure stays, nothing is read or written beyond the end.
#include "base/bytes.h"

#include "tests/unit/unit.h"

static void integers_round_trip_in_big_endian(void **)
{
    uint8_t buffer[15];
    struct writer writer = writer_of(buffer, sizeof buffer);
    write_u8(&writer, 0x01);
    write_u16(&writer, 0x0203);
    write_u32(&writer, 0x04050607);
    write_u64(&writer, 0x08090a0b0c0d0e0f);
    assert_int_equal(writer_finish(&writer), OK);
    for (size_t i = 0; i < sizeof buffer; i++) {
        assert_int_equal(buffer[i], i + 1);
    }

    struct reader reader = reader_of(writer_written(&writer));
    assert_int_equal(read_u8(&reader), 0x01);
    assert_int_equal(read_u16(&reader), 0x0203);
    assert_int_equal(read_u32(&reader), 0x04050607);
    assert_true(read_u64(&reader) == 0x08090a0b0c0d0e0f);
    assert_int_equal(reader_finish(&reader), OK);
}

static void a_short_read_fails_and_yields_zeroes(void **)
{
    const uint8_t bytes[] = {0xff, 0xff, 0xff};
    struct reader reader = reader_of(span_of(bytes, sizeof bytes));
    assert_int_equal(read_u32(&reader), 0);
    assert_int_equal(read_u8(&reader), 0);
    uint8_t copied[2] = {7, 7};
    read_bytes(&reader, copied, sizeof copied);
    assert_int_equal(copied[0] | copied[1], 0);
    assert_int_equal(read_span(&reader, 1).size, 0);
    assert_int_equal(reader_finish(&reader), ERR_TRUNCATED);
}

static void the_first_failure_of_a_reader_stays(void **)
{
    const uint8_t bytes[] = {1};
    struct reader reader = reader_of(span_of(bytes, sizeof bytes));
    reader_fail(&reader, ERR_RANGE);
    reader_fail(&reader, ERR_VERSION);
    (void)read_u64(&reader);
    assert_int_equal(reader_finish(&reader), ERR_RANGE);
}

static void remaining_bytes_are_a_failure(void **)
{
    const uint8_t bytes[] = {1, 2};
    struct reader reader = reader_of(span_of(bytes, sizeof bytes));
    assert_int_equal(read_u8(&reader), 1);
    assert_int_equal(reader_finish(&reader), ERR_TRAILING);
}

static void spans_are_views_of_what_was_read(void **)
{
    const uint8_t bytes[] = {1, 2, 3};
    struct reader reader = reader_of(span_of(bytes, sizeof bytes));
    struct span first = read_span(&reader, 2);
    assert_ptr_equal(first.data, bytes);
    assert_int_equal(first.size, 2);
    assert_int_equal(read_span(&reader, 0).size, 0);
    assert_int_equal(read_span(&reader, SIZE_MAX).size, 0);
    assert_int_equal(reader_finish(&reader), ERR_TRUNCATED);
}

static void an_empty_span_reads_as_nothing(void **)
{
    struct reader reader = reader_of(span_of(NULL, 0));
    assert_int_equal(read_span(&reader, 0).size, 0);
    read_bytes(&reader, NULL, 0);
    assert_int_equal(reader_finish(&reader), OK);
    assert_int_equal(read_u8(&reader), 0);
    assert_int_equal(reader_finish(&reader), ERR_TRUNCATED);
}

static void a_write_that_does_not_fit_writes_nothing(void **)
{
    uint8_t buffer[4] = {0, 0, 0, 0xee};
    struct writer writer = writer_of(buffer, 3);
    write_u16(&writer, 0x0102);
    write_u16(&writer, 0x0304);
    assert_int_equal(writer_finish(&writer), ERR_FULL);
    assert_int_equal(writer_written(&writer).size, 2);
    // Nor does a later one that would fit.
    write_u8(&writer, 5);
    assert_int_equal(writer_written(&writer).size, 2);
    assert_int_equal(buffer[2], 0);
    assert_int_equal(buffer[3], 0xee);
}

static void the_first_failure_of_a_writer_stays(void **)
{
    uint8_t buffer[1];
    struct writer writer = writer_of(buffer, sizeof buffer);
    writer_fail(&writer, ERR_RANGE);
    writer_fail(&writer, ERR_FULL);
    write_u8(&writer, 1);
    assert_int_equal(writer_finish(&writer), ERR_RANGE);
    assert_int_equal(writer_written(&writer).size, 0);
}

static void spans_compare_by_content(void **)
{
    assert_true(span_equal(span_of_text("abc"), span_of("abcd", 3)));
    assert_false(span_equal(span_of_text("abc"), span_of_text("abd")));
    assert_false(span_equal(span_of_text("abc"), span_of_text("ab")));
    assert_true(span_equal(span_of(NULL, 0), span_of_text("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_round_trip_in_big_endian),
        cmocka_unit_test(a_short_read_fails_and_yields_zeroes),
        cmocka_unit_test(the_first_failure_of_a_reader_stays),
        cmocka_unit_test(remaining_bytes_are_a_failure),
        cmocka_unit_test(spans_are_views_of_what_was_read),
        cmocka_unit_test(an_empty_span_reads_as_nothing),
        cmocka_unit_test(a_write_that_does_not_fit_writes_nothing),
        cmocka_unit_test(the_first_failure_of_a_writer_stays),
        cmocka_unit_test(spans_compare_by_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

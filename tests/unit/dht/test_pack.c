// SPDX-License-Identifier: GPL-3.0-or-later
//
// The msgpack subset: shortest forms only, at every boundary.
#include "dht/pack.h"

#include "tests/unit/unit.h"

static void integers_take_their_shortest_form(void **)
{
    static const struct {
        uint64_t value;
        size_t size;
    } cases[] = {{0, 1}, {0x7f, 1}, {0x80, 2}, {0xff, 2}, {0x100, 3}, {0xffff, 3}, {0x10000, 5},
        {UINT32_MAX, 5}, {(uint64_t)UINT32_MAX + 1, 9}, {UINT64_MAX, 9}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[16];
        struct writer writer = writer_of(bytes, sizeof bytes);
        pack_uint(&writer, cases[i].value);
        assert_int_equal(writer.size, cases[i].size);
        struct reader reader = reader_of(writer_written(&writer));
        assert_true(unpack_uint(&reader, UINT64_MAX) == cases[i].value);
        assert_int_equal(reader_finish(&reader), OK);
        for (size_t size = 0; size < writer.size; size++) {
            reader = reader_of(span_of(bytes, size));
            (void)unpack_uint(&reader, UINT64_MAX);
            assert_int_equal(reader_finish(&reader), ERR_TRUNCATED);
        }
    }
}

static enum status status_of_uint(const char *bytes, size_t size, uint64_t max)
{
    struct reader reader = reader_of(span_of(bytes, size));
    (void)unpack_uint(&reader, max);
    return reader_finish(&reader);
}

static void other_integers_are_refused(void **)
{
    assert_int_equal(status_of_uint("\xcc\x7f", 2, 1000), ERR_NOT_CANONICAL);
    assert_int_equal(status_of_uint("\xcd\x00\xff", 3, 1000), ERR_NOT_CANONICAL);
    assert_int_equal(status_of_uint("\xce\x00\x00\xff\xff", 5, UINT64_MAX), ERR_NOT_CANONICAL);
    assert_int_equal(
        status_of_uint("\xcf\x00\x00\x00\x00\xff\xff\xff\xff", 9, UINT64_MAX), ERR_NOT_CANONICAL);
    assert_int_equal(status_of_uint("\xd0\x01", 2, 1000), ERR_NOT_CANONICAL);
    assert_int_equal(status_of_uint("\xff", 1, 1000), ERR_MALFORMED);
    assert_int_equal(status_of_uint("\xc3", 1, 1000), ERR_MALFORMED);
    assert_int_equal(status_of_uint("\x08", 1, 7), ERR_RANGE);
    assert_int_equal(status_of_uint("\x07\x07", 2, 7), ERR_TRAILING);
}

static enum status status_of_binary(const char *bytes, size_t size, size_t min, size_t max)
{
    struct reader reader = reader_of(span_of(bytes, size));
    (void)unpack_binary(&reader, min, max);
    return reader_finish(&reader);
}

static enum status status_of_text(const char *bytes, size_t size, size_t max)
{
    struct reader reader = reader_of(span_of(bytes, size));
    (void)unpack_text(&reader, 1, max);
    return reader_finish(&reader);
}

static void binary_and_text_have_one_form_each(void **)
{
    assert_int_equal(status_of_binary("\xc4\x01z", 3, 1, 1), OK);
    assert_int_equal(status_of_binary("\xc5\x00\x01z", 4, 1, 1), ERR_NOT_CANONICAL);
    assert_int_equal(status_of_binary("\xc6\x00\x00\x00\x01z", 6, 1, 1), ERR_NOT_CANONICAL);
    assert_int_equal(status_of_binary("\xa1z", 2, 1, 1), ERR_MALFORMED);
    assert_int_equal(status_of_binary("\xc4\x01z", 3, 2, 2), ERR_RANGE);
    assert_int_equal(status_of_binary("\xc4\x02z", 3, 1, 2), ERR_TRUNCATED);
    assert_int_equal(status_of_text("\xa1z", 2, 1), OK);
    assert_int_equal(status_of_text("\xd9\x01z", 3, 1), ERR_NOT_CANONICAL);
    assert_int_equal(status_of_text("\xda\x00\x01z", 4, 1), ERR_NOT_CANONICAL);
    assert_int_equal(status_of_text("\xc4\x01z", 3, 1), ERR_MALFORMED);
    assert_int_equal(status_of_text("\xa2zz", 3, 1), ERR_RANGE);
}

static void sizes_survive_at_the_boundaries(void **)
{
    static const size_t sizes[] = {0, 1, 31, 32, 255, 256, 400};
    static uint8_t content[400];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t bytes[512];
        struct writer writer = writer_of(bytes, sizeof bytes);
        pack_binary(&writer, span_of(content, sizes[i]));
        struct reader reader = reader_of(writer_written(&writer));
        assert_int_equal(unpack_binary(&reader, 0, 400).size, sizes[i]);
        assert_int_equal(reader_finish(&reader), OK);
        if (sizes[i] > 0 && sizes[i] <= 255) {
            writer = writer_of(bytes, sizeof bytes);
            pack_text(&writer, span_of(content, sizes[i]));
            reader = reader_of(writer_written(&writer));
            assert_int_equal(unpack_text(&reader, 1, 255).size, sizes[i]);
            assert_int_equal(reader_finish(&reader), OK);
        }
    }
}

static void arrays_are_short(void **)
{
    struct reader reader = reader_of(span_of("\x93", 1));
    assert_int_equal(unpack_array(&reader), 3);
    reader = reader_of(span_of("\xdc\x00\x03", 3));
    assert_int_equal(unpack_array(&reader), 0);
    assert_int_equal(reader_finish(&reader), ERR_NOT_CANONICAL);
    reader = reader_of(span_of("\x83", 1)); // a map
    (void)unpack_array(&reader);
    assert_int_equal(reader_finish(&reader), ERR_MALFORMED);
    reader = reader_of(span_of("\x93", 1));
    unpack_array_of(&reader, 4);
    assert_int_equal(reader_finish(&reader), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_take_their_shortest_form),
        cmocka_unit_test(other_integers_are_refused),
        cmocka_unit_test(binary_and_text_have_one_form_each),
        cmocka_unit_test(sizes_survive_at_the_boundaries),
        cmocka_unit_test(arrays_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

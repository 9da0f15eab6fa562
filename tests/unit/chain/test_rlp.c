// SPDX-License-Identifier: GPL-3.0-or-later
//
// RLP: what is written is read back, every shorter or second encoding is refused.
#include "base/rng.h"
#include "base/text.h"
#include "chain/rlp.h"

#include "tests/unit/unit.h"

static struct reader reader_of_hex(const char *hex, uint8_t *buffer, size_t capacity)
{
    size_t size = strlen(hex) / 2;
    assert_true(size <= capacity);
    assert_int_equal(hex_parse(span_of_text(hex), buffer, size), OK);
    return reader_of(span_of(buffer, size));
}

static enum status read_as_item(const char *hex)
{
    uint8_t bytes[80];
    struct reader reader = reader_of_hex(hex, bytes, sizeof bytes);
    (void)rlp_read_item(&reader);
    return reader_finish(&reader);
}

static enum status read_as_u64(const char *hex, uint64_t *ret)
{
    uint8_t bytes[80];
    struct reader reader = reader_of_hex(hex, bytes, sizeof bytes);
    *ret = rlp_read_u64(&reader);
    return reader_finish(&reader);
}

static void only_one_encoding_is_taken(void **)
{
    assert_int_equal(read_as_item("7f"), OK);
    assert_int_equal(read_as_item("80"), OK);
    assert_int_equal(read_as_item("8180"), OK);
    assert_int_equal(read_as_item("c0"), OK);
    assert_int_equal(read_as_item(""), ERR_TRUNCATED);
    assert_int_equal(read_as_item("8001"), ERR_TRAILING);
    assert_int_equal(read_as_item("817f"), ERR_NOT_CANONICAL);
    assert_int_equal(read_as_item("8100"), ERR_NOT_CANONICAL);
    assert_int_equal(read_as_item("82aa"), ERR_TRUNCATED);
    assert_int_equal(read_as_item("b801ff"), ERR_NOT_CANONICAL);
    assert_int_equal(read_as_item("f800"), ERR_NOT_CANONICAL);
    assert_int_equal(read_as_item("b90001"), ERR_NOT_CANONICAL);
    assert_int_equal(read_as_item("bf8000000000000000"), ERR_TRUNCATED);
    assert_int_equal(read_as_item("ffffffffffffffffff"), ERR_TRUNCATED);
    assert_int_equal(read_as_item("ff0fffffffffffffff"), ERR_TRUNCATED);
    assert_int_equal(read_as_item("ff00ffffffffffffff"), ERR_NOT_CANONICAL);
}

static void numbers_have_no_leading_zeroes(void **)
{
    uint64_t value = 1;
    assert_int_equal(read_as_u64("80", &value), OK);
    assert_int_equal(value, 0);
    assert_int_equal(read_as_u64("820400", &value), OK);
    assert_int_equal(value, 1024);
    assert_int_equal(read_as_u64("88ffffffffffffffff", &value), OK);
    assert_true(value == UINT64_MAX);
    assert_int_equal(read_as_u64("89010000000000000000", &value), ERR_RANGE);
    assert_int_equal(value, 0);
    assert_int_equal(read_as_u64("00", &value), ERR_NOT_CANONICAL);
    assert_int_equal(read_as_u64("820001", &value), ERR_NOT_CANONICAL);
    assert_int_equal(read_as_u64("c0", &value), ERR_MALFORMED);
}

static void words_and_fixed_strings(void **)
{
    uint8_t bytes[80];
    uint8_t word[RLP_WORD];
    uint8_t fixed[2] = {9, 9};
    struct reader reader = reader_of_hex("820400a0"
                                         "ff00000000000000000000000000000000000000000000000000"
                                         "000000000001",
        bytes, sizeof bytes);
    rlp_read_u256(&reader, word);
    assert_int_equal(word[30], 4);
    assert_int_equal(word[29], 0);
    rlp_read_u256(&reader, word);
    assert_int_equal(word[0], 0xff);
    assert_int_equal(word[31], 1);
    assert_int_equal(reader_finish(&reader), OK);
    bytes[0] = 0xa1; // a string of 33 bytes
    memset(bytes + 1, 1, 33);
    reader = reader_of(span_of(bytes, 34));
    rlp_read_u256(&reader, word);
    assert_int_equal(reader_finish(&reader), ERR_RANGE);
    reader = reader_of_hex("83010203", bytes, sizeof bytes);
    rlp_read_fixed(&reader, fixed, sizeof fixed);
    assert_int_equal(reader_finish(&reader), ERR_MALFORMED);
    assert_int_equal(fixed[0], 0);
    reader = reader_of_hex("820102", bytes, sizeof bytes);
    rlp_read_fixed(&reader, fixed, sizeof fixed);
    assert_int_equal(reader_finish(&reader), OK);
    assert_int_equal(fixed[1], 2);
}

static void a_list_is_no_string(void **)
{
    uint8_t bytes[8];
    struct reader reader = reader_of_hex("c101", bytes, sizeof bytes);
    (void)rlp_read_string(&reader);
    assert_int_equal(reader_finish(&reader), ERR_MALFORMED);
    reader = reader_of_hex("8180", bytes, sizeof bytes);
    struct reader items = rlp_read_list(&reader);
    assert_int_equal(reader_finish(&reader), ERR_MALFORMED);
    assert_int_equal(reader_finish(&items), ERR_MALFORMED);
    reader = reader_of_hex("", bytes, sizeof bytes);
    items = rlp_read_list(&reader);
    assert_int_equal(reader_finish(&items), ERR_TRUNCATED);
    reader = reader_of_hex("c28001", bytes, sizeof bytes);
    items = rlp_read_list(&reader);
    assert_int_equal(rlp_read_string(&items).size, 0);
    assert_int_equal(rlp_read_u64(&items), 1);
    assert_int_equal(reader_finish(&items), OK);
    assert_int_equal(reader_finish(&reader), OK);
}

static void writing_nested_lists(void **)
{
    uint8_t bytes[128];
    struct writer writer = writer_of(bytes, sizeof bytes);
    static const uint8_t number[] = {0, 0, 4, 0};
    size_t outer = rlp_begin_list(&writer);
    rlp_write_u64(&writer, 0);
    rlp_write_u64(&writer, 127);
    rlp_write_number(&writer, span_of(number, sizeof number));
    size_t inner = rlp_begin_list(&writer);
    rlp_write_string(&writer, span_of_text("dog"));
    rlp_end_list(&writer, inner);
    size_t empty = rlp_begin_list(&writer);
    rlp_end_list(&writer, empty);
    rlp_end_list(&writer, outer);
    assert_int_equal(writer_finish(&writer), OK);
    char text[64];
    hex_format(writer_written(&writer), text);
    assert_string_equal(text, "cb807f820400c483646f67c0");
}

// Random strings and lists around every length where the form of the head changes.
static void what_is_written_is_read_back(void **)
{
    static const size_t sizes[] = {0, 1, 2, 55, 56, 57, 255, 256, 257, 65535, 65536, 65537};
    static uint8_t string[1 << 17];
    static uint8_t encoded[1 << 17];
    static const uint8_t seed[RNG_SEED_SIZE] = {1};
    struct rng rng;
    rng_seed(&rng, seed);
    rng_bytes(&rng, string, sizeof string);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct writer writer = writer_of(encoded, sizeof encoded);
        struct span expected = span_of(string, sizes[i]);
        size_t list = rlp_begin_list(&writer);
        rlp_write_string(&writer, expected);
        rlp_end_list(&writer, list);
        rlp_write_u64(&writer, sizes[i]);
        assert_int_equal(writer_finish(&writer), OK);
        struct reader reader = reader_of(writer_written(&writer));
        struct reader items = rlp_read_list(&reader);
        assert_true(span_equal(rlp_read_string(&items), expected));
        assert_int_equal(reader_finish(&items), OK);
        assert_int_equal(rlp_read_u64(&reader), sizes[i]);
        assert_int_equal(reader_finish(&reader), OK);
        for (size_t room = 0; room < writer.size && room < 80; room++) {
            struct writer small = writer_of(encoded, room);
            list = rlp_begin_list(&small);
            rlp_write_string(&small, expected);
            rlp_end_list(&small, list);
            rlp_write_u64(&small, sizes[i]);
            assert_int_equal(writer_finish(&small), ERR_FULL);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_one_encoding_is_taken),
        cmocka_unit_test(numbers_have_no_leading_zeroes),
        cmocka_unit_test(words_and_fixed_strings),
        cmocka_unit_test(a_list_is_no_string),
        cmocka_unit_test(writing_nested_lists),
        cmocka_unit_test(what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

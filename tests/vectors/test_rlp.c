// SPDX-License-Identifier: GPL-3.0-or-later
//
// RLP against the vectors of ethereum/tests and ethers.js. Exits with 77 (skipped) where
// DEEDMESH_VECTORS names no folder.
#include "chain/rlp.h"
#include "tests/vectors/vectors.h"

#include "tests/unit/unit.h"

enum {
    ENCODED_MAX = 1 << 17,
    DEPTH_MAX = 100,
};

// Reads the item whole, lists too, and writes what was read.
static enum status read_and_write(struct span encoded, size_t depth, struct writer *writer)
{
    struct reader reader = reader_of(encoded);
    struct rlp_item item = rlp_read_item(&reader);
    enum status status = reader_finish(&reader);
    if (status != OK) {
        return status;
    }
    if (!item.is_list) {
        rlp_write_string(writer, item.payload);
        return OK;
    }
    assert_true(depth < DEPTH_MAX);
    size_t list = rlp_begin_list(writer);
    struct reader items = reader_of(item.payload);
    while (items.rest.size > 0) {
        struct rlp_item child = rlp_read_item(&items);
        status =
            items.failure == OK ? read_and_write(child.encoded, depth + 1, writer) : items.failure;
        if (status != OK) {
            return status;
        }
    }
    rlp_end_list(writer, list);
    return OK;
}

// "#" and decimal digits.
static void write_decimal(struct writer *writer, const char *digits)
{
    uint8_t number[64] = {0};
    for (; *digits != '\0'; digits++) {
        unsigned carry = (unsigned)(*digits - '0');
        for (size_t i = sizeof number; i-- > 0;) {
            carry += number[i] * 10U;
            number[i] = (uint8_t)carry;
            carry >>= 8;
        }
        assert_int_equal(carry, 0);
    }
    rlp_write_number(writer, span_of(number, sizeof number));
}

static void write_json(struct writer *writer, const json_t *value, bool strings_are_hex)
{
    static uint8_t buffer[ENCODED_MAX];
    if (json_is_integer(value)) {
        rlp_write_u64(writer, (uint64_t)json_integer_value(value));
    } else if (json_is_array(value)) {
        size_t list = rlp_begin_list(writer);
        for (size_t i = 0; i < json_array_size(value); i++) {
            write_json(writer, json_array_get(value, i), strings_are_hex);
        }
        rlp_end_list(writer, list);
    } else {
        const char *text = json_string_value(value);
        assert_non_null(text);
        if (strings_are_hex) {
            rlp_write_string(writer, vectors_hex(text, buffer, sizeof buffer));
        } else if (text[0] == '#') {
            write_decimal(writer, text + 1);
        } else {
            rlp_write_string(writer, span_of(text, json_string_length(value)));
        }
    }
}

static void check_valid(const json_t *decoded, const char *encoded_hex, bool strings_are_hex)
{
    static uint8_t encoded[ENCODED_MAX];
    static uint8_t written[ENCODED_MAX];
    struct span expected = vectors_hex(encoded_hex, encoded, sizeof encoded);
    struct writer writer = writer_of(written, sizeof written);
    assert_int_equal(read_and_write(expected, 0, &writer), OK);
    assert_int_equal(writer_finish(&writer), OK);
    assert_true(span_equal(writer_written(&writer), expected));
    if (decoded != NULL) {
        writer = writer_of(written, sizeof written);
        write_json(&writer, decoded, strings_are_hex);
        assert_int_equal(writer_finish(&writer), OK);
        assert_true(span_equal(writer_written(&writer), expected));
    }
}

static void valid_ones_are_written_and_read(void **)
{
    json_t *root = vectors_load("ethereum-tests/RLPTests/rlptest.json");
    const char *name;
    json_t *test;
    assert_int_equal(json_object_size(root), 28);
    json_object_foreach(root, name, test)
    {
        check_valid(vectors_member(test, "in"), vectors_text(test, "out"), false);
    }
    json_decref(root);
    root = vectors_load("ethereum-tests/RLPTests/RandomRLPTests/example.json");
    json_object_foreach(root, name, test)
    {
        check_valid(NULL, vectors_text(test, "out"), false);
    }
    json_decref(root);
}

static void those_of_ethers_are_written_and_read(void **)
{
    json_t *root = vectors_load("ethers/rlp.json.gz");
    assert_int_equal(json_array_size(root), 61);
    for (size_t i = 0; i < json_array_size(root); i++) {
        const json_t *test = json_array_get(root, i);
        check_valid(vectors_member(test, "decoded"), vectors_text(test, "encoded"), true);
    }
    json_decref(root);
}

static void invalid_ones_are_rejected(void **)
{
    json_t *root = vectors_load("ethereum-tests/RLPTests/invalidRLPTest.json");
    const char *name;
    json_t *test;
    assert_int_equal(json_object_size(root), 26);
    json_object_foreach(root, name, test)
    {
        uint8_t bytes[256];
        uint8_t written[512];
        struct writer writer = writer_of(written, sizeof written);
        struct span encoded = vectors_hex(vectors_text(test, "out"), bytes, sizeof bytes);
        if (read_and_write(encoded, 0, &writer) == OK) {
            fail_msg("%s was taken", name);
        }
    }
    json_decref(root);
}

int main(void)
{
    if (!vectors_present()) {
        return VECTORS_SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_ones_are_written_and_read),
        cmocka_unit_test(those_of_ethers_are_written_and_read),
        cmocka_unit_test(invalid_ones_are_rejected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

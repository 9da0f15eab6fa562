// SPDX-License-Identifier: GPL-3.0-or-later
//
// Member messages: round trips, limits, and every way to be malformed.
#include "node/message.h"

#include "tests/unit/unit.h"

static uint8_t buffer[MESSAGE_MAX_SIZE];

static struct span encode(const struct message *message)
{
    struct writer writer = writer_of(buffer, sizeof buffer);
    assert_int_equal(message_encode(message, &writer), OK);
    return writer_written(&writer);
}

static void hello_round_trip_at_its_largest(void **)
{
    uint8_t record[MESSAGE_BLOB_MAX];
    memset(record, 0xab, sizeof record);
    struct message hello = {.kind = MESSAGE_HELLO,
        .token_count = MESSAGE_TOKENS_MAX,
        .record = span_of(record, sizeof record)};
    for (size_t i = 0; i < MESSAGE_TOKENS_MAX; i++) {
        hello.tokens[i] = token_id_of_u64(1000 + i);
    }
    struct message decoded;
    assert_int_equal(message_decode(encode(&hello), &decoded), OK);
    assert_int_equal(decoded.kind, MESSAGE_HELLO);
    assert_int_equal(decoded.token_count, MESSAGE_TOKENS_MAX);
    assert_true(token_id_equal(&decoded.tokens[19], &hello.tokens[19]));
    assert_true(span_equal(decoded.record, hello.record));
}

static void carried_intents_round_trip(void **)
{
    const enum message_kind kinds[] = {MESSAGE_FORWARD, MESSAGE_DELIVER};
    for (size_t i = 0; i < 2; i++) {
        struct message sent = {.kind = kinds[i],
            .token = token_id_of_u64(7),
            .record = span_of_text("record"),
            .intent = span_of_text("intent")};
        struct message decoded;
        assert_int_equal(message_decode(encode(&sent), &decoded), OK);
        assert_int_equal(decoded.kind, kinds[i]);
        assert_true(token_id_equal(&decoded.token, &sent.token));
        assert_true(span_equal(decoded.record, sent.record));
        assert_true(span_equal(decoded.intent, sent.intent));
    }
}

static void pings_round_trip(void **)
{
    struct message ping = {.kind = MESSAGE_PING, .ping = {1, 2, 3, [15] = 9}};
    struct message decoded;
    assert_int_equal(message_decode(encode(&ping), &decoded), OK);
    assert_int_equal(decoded.kind, MESSAGE_PING);
    assert_memory_equal(decoded.ping, ping.ping, sizeof ping.ping);
}

static void tombstones_round_trip(void **)
{
    static const uint8_t stone[] = {1, 2, 3};
    struct message message = {.kind = MESSAGE_RETIRED, .record = span_of(stone, sizeof stone)};
    message.token = token_id_of_u64(7);
    uint8_t bytes[MESSAGE_MAX_SIZE];
    struct writer writer = writer_of(bytes, sizeof bytes);
    struct message read;
    assert_int_equal(message_encode(&message, &writer), OK);
    assert_int_equal(message_decode(writer_written(&writer), &read), OK);
    assert_int_equal(read.kind, MESSAGE_RETIRED);
    assert_true(token_id_equal(&read.token, &message.token));
    assert_true(span_equal(read.record, message.record));
    message.record = span_of(NULL, 0);
    writer = writer_of(bytes, sizeof bytes);
    assert_int_equal(message_encode(&message, &writer), OK);
    assert_int_equal(message_decode(writer_written(&writer), &read), ERR_RANGE);
}

static void malformed_messages_are_refused(void **)
{
    struct message ping = {.kind = MESSAGE_PING};
    struct message decoded;
    struct span good = encode(&ping);
    for (size_t size = 0; size < good.size; size++) {
        assert_int_not_equal(message_decode(span_of(good.data, size), &decoded), OK);
    }
    assert_int_equal(message_decode(span_of(good.data, 2), &decoded), ERR_TRUNCATED);
    assert_int_equal(message_decode(span_of(buffer, good.size + 1), &decoded), ERR_TRAILING);
    buffer[0] = 2;
    assert_int_equal(message_decode(good, &decoded), ERR_VERSION);
    buffer[0] = 1;
    buffer[1] = 99;
    assert_int_equal(message_decode(good, &decoded), ERR_UNSUPPORTED);
}

static void limits_hold_both_ways(void **)
{
    struct message decoded;
    uint8_t blob[MESSAGE_BLOB_MAX + 1] = {0};
    struct writer writer = writer_of(buffer, sizeof buffer);
    struct message forward = {
        .kind = MESSAGE_FORWARD, .intent = span_of(blob, MESSAGE_BLOB_MAX + 1)};
    assert_int_equal(message_encode(&forward, &writer), ERR_RANGE);

    writer = writer_of(buffer, 8);
    struct message ping = {.kind = MESSAGE_PING};
    assert_int_equal(message_encode(&ping, &writer), ERR_FULL);

    struct message hello = {.kind = MESSAGE_HELLO, .token_count = MESSAGE_TOKENS_MAX + 1};
    writer = writer_of(buffer, sizeof buffer);
    assert_int_equal(message_encode(&hello, &writer), ERR_RANGE);

    hello.token_count = 0;
    struct span encoded = encode(&hello);
    buffer[2] = MESSAGE_TOKENS_MAX + 1;
    assert_int_equal(message_decode(encoded, &decoded), ERR_RANGE);

    forward.intent = span_of_text("x");
    encoded = encode(&forward);
    buffer[encoded.size - 2] = 0;
    assert_int_equal(message_decode(span_of(encoded.data, encoded.size - 1), &decoded), ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hello_round_trip_at_its_largest),
        cmocka_unit_test(carried_intents_round_trip),
        cmocka_unit_test(pings_round_trip),
        cmocka_unit_test(tombstones_round_trip),
        cmocka_unit_test(malformed_messages_are_refused),
        cmocka_unit_test(limits_hold_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

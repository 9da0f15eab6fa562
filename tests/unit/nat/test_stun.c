// SPDX-License-Identifier: GPL-3.0-or-later
//
// Vectors: RFC 5769. The rest are messages of our own, and each way in which one can be broken.
#include "base/text.h"
#include "nat/stun.h"
#include "tests/unit/unit.h"

static const char rfc5769_request[] =
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e7400240004"
    "6e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56"
    "781ef2b5b2d3f249c1b571a280280004e57a3bcf";
static const char rfc5769_response_v4[] =
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147"
    "e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
static const char rfc5769_response_v6[] =
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a147"
    "0113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004"
    "c8fb0b4c";

struct buffer {
    uint8_t data[STUN_MESSAGE_MAX];
    size_t size;
};

static struct buffer of_hex(const char *hex)
{
    struct buffer buffer = {.size = strlen(hex) / 2};
    assert_int_equal(hex_parse(span_of_text(hex), buffer.data, buffer.size), OK);
    return buffer;
}

static struct span span_in(const struct buffer *buffer)
{
    return span_of(buffer->data, buffer->size);
}

static enum status decode(const struct buffer *buffer, struct stun_message *ret)
{
    return stun_decode(span_in(buffer), ret);
}

static struct address address_of(const char *text)
{
    struct address address;
    assert_int_equal(address_parse(span_of_text(text), true, &address), OK);
    return address;
}

static struct stun_transaction transaction_of(uint8_t fill)
{
    struct stun_transaction transaction;
    memset(transaction.bytes, fill, sizeof transaction.bytes);
    return transaction;
}

static void test_rfc5769_request(void **)
{
    struct buffer buffer = of_hex(rfc5769_request);
    struct stun_message message;
    assert_true(stun_is(span_in(&buffer)));
    assert_int_equal(decode(&buffer, &message), OK);
    assert_int_equal(message.kind, STUN_REQUEST);
    assert_int_equal(message.method, STUN_BINDING);
    assert_int_equal(message.transaction.bytes[0], 0xb7);
    assert_int_equal(message.transaction.bytes[11], 0xae);
    assert_int_equal(message.size, 108);
    // PRIORITY is ICE's, and comprehension-required.
    assert_int_equal(message.unknown_count, 1);
    assert_int_equal(message.unknown[0], 0x0024);
}

static void test_rfc5769_responses(void **)
{
    struct buffer buffer = of_hex(rfc5769_response_v4);
    struct stun_message message;
    struct address expected = address_of("192.0.2.1:32853");
    assert_int_equal(decode(&buffer, &message), OK);
    assert_int_equal(message.kind, STUN_SUCCESS);
    assert_true(address_equal(&message.mapped, &expected));
    buffer = of_hex(rfc5769_response_v6);
    expected = address_of("[2001:db8:1234:5678:11:2233:4455:6677]:32853");
    assert_int_equal(decode(&buffer, &message), OK);
    assert_true(address_equal(&message.mapped, &expected));
}

static void test_fingerprint_is_checked(void **)
{
    struct buffer buffer = of_hex(rfc5769_response_v4);
    struct stun_message message;
    for (size_t i = 8; i < buffer.size; i++) {
        if (i == buffer.size - 8 || i == buffer.size - 7) {
            continue; // its own type: then there is none
        }
        buffer.data[i] ^= 1;
        // Types and lengths in the middle may break the form before the checksum is reached.
        assert_int_not_equal(decode(&buffer, &message), OK);
        buffer.data[i] ^= 1;
    }
    buffer.data[8] ^= 1; // transaction id: only the checksum notices
    assert_int_equal(decode(&buffer, &message), ERR_MISMATCH);
}

static void test_fingerprint_is_made(void **)
{
    struct buffer buffer = {.size = 0};
    struct stun_message message;
    struct stun_transaction transaction = transaction_of(7);
    struct writer writer = writer_of(buffer.data, sizeof buffer.data);
    stun_begin(&writer, STUN_REQUEST, STUN_BINDING, &transaction);
    stun_put_fingerprint(&writer);
    assert_int_equal(stun_end(&writer), OK);
    assert_int_equal(writer.size, 28);
    buffer.size = writer.size;
    assert_int_equal(decode(&buffer, &message), OK);
    buffer.data[27] ^= 1;
    assert_int_equal(decode(&buffer, &message), ERR_MISMATCH);
}

static void test_mapped_address_is_tolerated(void **)
{
    // MAPPED-ADDRESS alone, then behind XOR-MAPPED-ADDRESS, which wins in either order.
    struct stun_message message;
    struct buffer buffer =
        of_hex("0101000c2112a442000000000000000000000000000100080001d903c6336401");
    struct address expected = address_of("198.51.100.1:55555");
    assert_int_equal(decode(&buffer, &message), OK);
    assert_true(address_equal(&message.mapped, &expected));
    buffer = of_hex("010100182112a442000000000000000000000000000100080001d903c6336401"
                    "002000080001f8110a12a443");
    expected = address_of("43.0.0.1:55555");
    assert_int_equal(decode(&buffer, &message), OK);
    assert_true(address_equal(&message.mapped, &expected));
    buffer = of_hex("010100182112a442000000000000000000000000002000080001f8110a12a443"
                    "000100080001d903c6336401");
    assert_int_equal(decode(&buffer, &message), OK);
    assert_true(address_equal(&message.mapped, &expected));
}

static void test_binding_round_trip(void **)
{
    static const char *const texts[] = {"203.0.113.9:51820", "[2001:db8::1]:1024"};
    struct stun_transaction transaction = transaction_of(0x5a);
    struct stun_message message;
    for (size_t i = 0; i < 2; i++) {
        struct buffer buffer;
        struct address mapped = address_of(texts[i]);
        struct writer writer = writer_of(buffer.data, sizeof buffer.data);
        assert_int_equal(stun_encode_binding_success(&writer, &transaction, &mapped), OK);
        buffer.size = writer.size;
        assert_true(buffer.size <= STUN_BINDING_REQUEST_SIZE);
        assert_int_equal(decode(&buffer, &message), OK);
        assert_int_equal(message.kind, STUN_SUCCESS);
        assert_true(address_equal(&message.mapped, &mapped));
        assert_true(stun_transaction_equal(&message.transaction, &transaction));
    }
    struct buffer buffer;
    struct writer writer = writer_of(buffer.data, sizeof buffer.data);
    assert_int_equal(stun_encode_binding_request(&writer, &transaction), OK);
    buffer.size = writer.size;
    assert_int_equal(buffer.size, STUN_BINDING_REQUEST_SIZE);
    assert_int_equal(decode(&buffer, &message), OK);
    assert_int_equal(message.kind, STUN_REQUEST);
    assert_int_equal(message.unknown_count, 0);
}

static void test_error_round_trip(void **)
{
    static const uint16_t unknown[] = {0x0024, 0x0003};
    struct stun_transaction transaction = transaction_of(1);
    struct stun_message message;
    struct buffer buffer;
    struct writer writer = writer_of(buffer.data, sizeof buffer.data);
    assert_int_equal(stun_encode_binding_error(&writer, &transaction, 420, unknown, 2), OK);
    buffer.size = writer.size;
    assert_int_equal(decode(&buffer, &message), OK);
    assert_int_equal(message.kind, STUN_ERROR);
    assert_int_equal(message.error_code, 420);
    static const uint8_t attribute[] = {0, 0x0a, 0, 4, 0, 0x24, 0, 3};
    assert_memory_equal(buffer.data + 28, attribute, sizeof attribute);
}

static void test_intent_round_trip(void **)
{
    struct stun_transaction transaction = transaction_of(2);
    struct stun_message message;
    uint8_t record[STUN_RECORD_MAX];
    uint8_t intent[STUN_INTENT_MAX];
    memset(record, 1, sizeof record);
    memset(intent, 2, sizeof intent);
    for (size_t size = 1; size <= sizeof intent; size += 199) {
        size_t record_size = size < sizeof record ? size - 1 : sizeof record;
        struct buffer buffer;
        struct writer writer = writer_of(buffer.data, sizeof buffer.data);
        assert_int_equal(stun_encode_intent(&writer, &transaction, span_of(record, record_size),
                             span_of(intent, size)),
            OK);
        buffer.size = writer.size;
        assert_int_equal(decode(&buffer, &message), OK);
        assert_int_equal(message.kind, STUN_INDICATION);
        assert_int_equal(message.method, STUN_INTENT);
        assert_true(span_equal(message.record, span_of(record, record_size)));
        assert_true(span_equal(message.intent, span_of(intent, size)));
    }
    uint8_t room[STUN_MESSAGE_MAX];
    struct writer writer = writer_of(room, sizeof room);
    uint8_t large[STUN_INTENT_MAX + 1] = {0};
    assert_int_equal(
        stun_encode_intent(&writer, &transaction, span_of(record, 0), span_of(large, 0)),
        ERR_MALFORMED);
    assert_int_equal(
        stun_encode_intent(&writer, &transaction, span_of(record, 0), span_of(large, sizeof large)),
        ERR_TOO_LARGE);
    assert_int_equal(stun_encode_intent(&writer, &transaction, span_of(large, STUN_RECORD_MAX + 1),
                         span_of(intent, 1)),
        ERR_TOO_LARGE);
    writer = writer_of(room, 100);
    assert_int_equal(
        stun_encode_intent(&writer, &transaction, span_of(record, 0), span_of(intent, 90)),
        ERR_FULL);
}

static void test_manifest_round_trip(void **)
{
    struct stun_transaction transaction = transaction_of(3);
    struct stun_message message;
    uint8_t manifest[STUN_MANIFEST_MAX + 1];
    memset(manifest, 3, sizeof manifest);
    struct buffer request;
    struct writer writer = writer_of(request.data, sizeof request.data);
    assert_int_equal(stun_encode_manifest_request(&writer, &transaction), OK);
    request.size = writer.size;
    assert_int_equal(request.size, STUN_MANIFEST_REQUEST_SIZE);
    assert_int_equal(decode(&request, &message), OK);
    assert_int_equal(message.method, STUN_MANIFEST);
    struct buffer answer;
    writer = writer_of(answer.data, sizeof answer.data);
    assert_int_equal(
        stun_encode_manifest_success(&writer, &transaction, span_of(manifest, STUN_MANIFEST_MAX)),
        OK);
    answer.size = writer.size;
    assert_true(answer.size <= request.size);
    assert_int_equal(decode(&answer, &message), OK);
    assert_int_equal(message.manifest.size, STUN_MANIFEST_MAX);
    writer = writer_of(answer.data, sizeof answer.data);
    assert_int_equal(
        stun_encode_manifest_success(&writer, &transaction, span_of(manifest, sizeof manifest)),
        ERR_TOO_LARGE);
    assert_int_equal(
        stun_encode_manifest_success(&writer, &transaction, span_of(manifest, 0)), ERR_MALFORMED);
}

static void test_no_type_reads_as_wireguard(void **)
{
    static const enum stun_method methods[] = {STUN_BINDING, STUN_INTENT, STUN_MANIFEST};
    struct stun_transaction transaction = transaction_of(0);
    for (size_t i = 0; i < 3; i++) {
        for (unsigned kind = 0; kind < 4; kind++) {
            uint8_t room[STUN_HEADER_SIZE];
            struct writer writer = writer_of(room, sizeof room);
            stun_begin(&writer, (enum stun_kind)kind, methods[i], &transaction);
            assert_int_equal(stun_end(&writer), OK);
            assert_true(stun_is(span_of(room, sizeof room)));
            bool wireguard = room[0] >= 1 && room[0] <= 4 && room[1] == 0;
            assert_false(wireguard);
        }
    }
}

// Each failure of stun_decode, from the smallest message that has it.
static void test_decode_failures(void **)
{
    static const struct {
        const char *hex;
        enum status status;
    } cases[] = {
        {"", ERR_MALFORMED},
        {"000100002112a4420000000000000000000000", ERR_MALFORMED},
        {"000100002112a44300000000000000000000000000", ERR_MALFORMED},   // cookie
        {"800100002112a442000000000000000000000000", ERR_MALFORMED},     // top bits
        {"000100022112a4420000000000000000000000000000", ERR_MALFORMED}, // not a multiple of 4
        {"000100042112a442000000000000000000000000", ERR_TRUNCATED},
        {"000100002112a44200000000000000000000000000000000", ERR_TRAILING},
        {"000100042112a4420000000000000000000000008022fff0", ERR_MALFORMED}, // value too long
        {"000100082112a442000000000000000000000000802200018022", ERR_TRUNCATED},
        {"010100002112a442000000000000000000000000", ERR_MALFORMED}, // success without address
        {"0101000c2112a442000000000000000000000000002000080003a147e112a643",
            ERR_MALFORMED}, // family 3
        {"0101000c2112a442000000000000000000000000002000080002a147e112a643",
            ERR_MALFORMED},                                          // IPv6 of 4 bytes
        {"011100002112a442000000000000000000000000", ERR_MALFORMED}, // error without a code
        {"011100082112a4420000000000000000000000000009000400000200", ERR_MALFORMED}, // 200
        {"011100082112a4420000000000000000000000000009000400000463", OK},            // 499
        {"011100082112a4420000000000000000000000000009000400000464", ERR_MALFORMED}, // 4 + 100
        {"010100042112a44200000000000000000000000000030000", ERR_UNSUPPORTED}, // unknown, required
        {"000300002112a442000000000000000000000000", ERR_UNSUPPORTED},         // Allocate (TURN)
        {"02b100002112a442000000000000000000000000", ERR_MALFORMED}, // indication without intent
        {"02b1000c2112a442000000000000000000000000dee200050102030405000000", OK},
        {"02a1000c2112a442000000000000000000000000dee200050102030405000000",
            ERR_UNSUPPORTED},                                                // INTENT as a request
        {"000100042112a442000000000000000000000000dee40000", ERR_MALFORMED}, // MAC of 0 bytes
        {"000100082112a442000000000000000000000000dee1000401020304", OK},
        {"000100102112a442000000000000000000000000dee1000401020304dee1000401020304",
            ERR_MALFORMED},                                                  // twice
        {"000100042112a442000000000000000000000000dee10000", ERR_MALFORMED}, // empty
        {"000100082112a4420000000000000000000000008028000400000000", ERR_MISMATCH},
        {"000100042112a44200000000000000000000000080280000", ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buffer buffer = {.size = 0};
        struct stun_message message;
        if (strlen(cases[i].hex) > 0) {
            buffer = of_hex(cases[i].hex);
        }
        enum status status = decode(&buffer, &message);
        if (status != cases[i].status) {
            print_message("case %zu: %s\n", i, status_name(status));
        }
        assert_int_equal(status, cases[i].status);
    }
}

static void test_too_large(void **)
{
    static const uint16_t types[] = {
        STUN_ATTRIBUTE_RECORD, STUN_ATTRIBUTE_INTENT, STUN_ATTRIBUTE_MANIFEST};
    static const size_t maxima[] = {STUN_RECORD_MAX, STUN_INTENT_MAX, STUN_MANIFEST_MAX};
    static const uint8_t zeroes[STUN_MESSAGE_MAX];
    struct stun_transaction transaction = transaction_of(0);
    for (size_t i = 0; i < 3; i++) {
        for (size_t extra = 0; extra < 2; extra++) {
            struct buffer buffer;
            struct stun_message message;
            struct writer writer = writer_of(buffer.data, sizeof buffer.data);
            stun_begin(&writer, STUN_REQUEST, STUN_BINDING, &transaction);
            stun_put_attribute(&writer, types[i], span_of(zeroes, maxima[i] + extra));
            assert_int_equal(stun_end(&writer), OK);
            buffer.size = writer.size;
            assert_int_equal(decode(&buffer, &message), extra == 0 ? OK : ERR_TOO_LARGE);
        }
    }
}

// Whatever is cut, is no message, and `ret` stays as it was.
static void test_every_truncation_fails(void **)
{
    struct buffer whole = of_hex(rfc5769_response_v6);
    for (size_t size = 0; size < whole.size; size++) {
        struct stun_message message = {.size = 12345};
        assert_int_not_equal(stun_decode(span_of(whole.data, size), &message), OK);
        assert_int_equal(message.size, 12345);
    }
}

static void test_unknown_list_is_bounded(void **)
{
    struct stun_transaction transaction = transaction_of(0);
    struct buffer buffer;
    struct stun_message message;
    struct writer writer = writer_of(buffer.data, sizeof buffer.data);
    stun_begin(&writer, STUN_REQUEST, STUN_BINDING, &transaction);
    for (uint16_t type = 0x4000; type < 0x4010; type++) {
        stun_put_attribute(&writer, type, span_of(NULL, 0));
    }
    assert_int_equal(stun_end(&writer), OK);
    buffer.size = writer.size;
    assert_int_equal(decode(&buffer, &message), OK);
    assert_int_equal(message.unknown_count, STUN_UNKNOWN_MAX);
    assert_int_equal(message.unknown[3], 0x4003);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rfc5769_request),
        cmocka_unit_test(test_rfc5769_responses),
        cmocka_unit_test(test_fingerprint_is_checked),
        cmocka_unit_test(test_fingerprint_is_made),
        cmocka_unit_test(test_mapped_address_is_tolerated),
        cmocka_unit_test(test_binding_round_trip),
        cmocka_unit_test(test_error_round_trip),
        cmocka_unit_test(test_intent_round_trip),
        cmocka_unit_test(test_manifest_round_trip),
        cmocka_unit_test(test_no_type_reads_as_wireguard),
        cmocka_unit_test(test_decode_failures),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_every_truncation_fails),
        cmocka_unit_test(test_unknown_list_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

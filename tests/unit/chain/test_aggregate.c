// SPDX-License-Identifier: GPL-3.0-or-later
//
// ABI words and Multicall3 replies: what is read, and what is refused.
#include "base/text.h"
#include "chain/aggregate.h"
#include "chain/keccak.h"

#include "tests/unit/unit.h"

enum {
    WORDS = 30,
};

// A reply to one read: 4 results (timestamp, chain id, the read, timestamp), one word of data each.
struct example {
    uint8_t bytes[WORDS * ABI_WORD];
};

static void set_word(struct example *example, size_t index, uint64_t value)
{
    abi_word_of_u64(value, example->bytes + index * ABI_WORD);
}

static struct span span_of_example(const struct example *example)
{
    return span_of(example->bytes, sizeof example->bytes);
}

enum {
    AT_NUMBER = 0,
    AT_ARRAY = 2,
    AT_COUNT = 3,
    AT_OFFSETS = 4,
    AT_TUPLES = 8, // success, offset, size, word
    TUPLE = 4,
    RESULTS = 4,
    LAST = 3 * TUPLE,
};

static struct example good_example(void)
{
    struct example example = {{0}};
    set_word(&example, AT_NUMBER, 1234);
    set_word(&example, AT_ARRAY, 3 * ABI_WORD);
    set_word(&example, AT_COUNT, RESULTS);
    for (size_t i = 0; i < RESULTS; i++) {
        size_t tuple = AT_TUPLES + i * TUPLE;
        set_word(&example, AT_OFFSETS + i, (RESULTS + i * TUPLE) * ABI_WORD);
        set_word(&example, tuple, 1);
        set_word(&example, tuple + 1, 2 * ABI_WORD);
        set_word(&example, tuple + 2, ABI_WORD);
        static const uint64_t values[RESULTS] = {1800000000, 31337, 77, 1800000000};
        set_word(&example, tuple + 3, values[i]);
    }
    return example;
}

static enum status open_example(const struct example *example)
{
    struct aggregate aggregate;
    return aggregate_open(span_of_example(example), 1, &aggregate);
}

static void a_reply_is_read(void **)
{
    struct example example = good_example();
    struct aggregate aggregate;
    bool success = false;
    struct span data;
    uint64_t value = 0;
    assert_int_equal(aggregate_open(span_of_example(&example), 1, &aggregate), OK);
    assert_int_equal(aggregate.block_number, 1234);
    assert_int_equal(aggregate.block_time_s, 1800000000);
    assert_int_equal(aggregate.chain_id, 31337);
    assert_false(aggregate.starved);
    assert_int_equal(aggregate_result(&aggregate, 0, &success, &data), OK);
    assert_true(success);
    assert_int_equal(abi_read_u64(data, 0, &value), OK);
    assert_int_equal(value, 77);
}

static void damaged_replies_are_refused(void **)
{
    struct example example = good_example();
    struct aggregate aggregate;
    // 24 words of it are used; each shorter one lacks something.
    for (size_t size = 0; size < (AT_TUPLES + RESULTS * TUPLE) * ABI_WORD; size++) {
        assert_int_not_equal(aggregate_open(span_of(example.bytes, size), 1, &aggregate), OK);
    }
    assert_int_equal(aggregate_open(span_of_example(&example), 2, &aggregate), ERR_MISMATCH);
    static const struct {
        size_t word;
        uint64_t value;
        enum status expected;
    } damages[] = {
        {AT_ARRAY, 1, ERR_MALFORMED},
        {AT_ARRAY, UINT64_MAX - 31, ERR_TRUNCATED},
        {AT_COUNT, 2, ERR_MISMATCH},
        {AT_COUNT, UINT64_MAX, ERR_MISMATCH},
        {AT_OFFSETS, 1, ERR_MALFORMED},
        {AT_OFFSETS, 1 << 20, ERR_TRUNCATED},
        {AT_TUPLES, 2, ERR_MALFORMED},              // success is a bool
        {AT_TUPLES, 0, ERR_NOT_FOUND},              // no timestamp
        {AT_TUPLES + 1, 33, ERR_MALFORMED},         // offset of the data
        {AT_TUPLES + 2, UINT64_MAX, ERR_TRUNCATED}, // size of the data
        {AT_TUPLES + 2, 31, ERR_NOT_FOUND},         // a timestamp of 31 bytes
        {AT_TUPLES + LAST + 3, 5, ERR_MISMATCH},    // two times
        {AT_TUPLES + LAST, 2, ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        example = good_example();
        set_word(&example, damages[i].word, damages[i].value);
        assert_int_equal(open_example(&example), damages[i].expected);
    }
    example = good_example();
    memset(example.bytes, 0xff, ABI_WORD); // a block number of 256 bits
    assert_int_equal(open_example(&example), ERR_RANGE);
}

// Some aggregator may lack the function: it is one all the same.
static void a_chain_id_may_be_missing(void **)
{
    struct example example = good_example();
    struct aggregate aggregate;
    set_word(&example, AT_TUPLES + TUPLE, 0);
    assert_int_equal(aggregate_open(span_of_example(&example), 1, &aggregate), OK);
    assert_int_equal(aggregate.chain_id, 0);
    set_word(&example, AT_TUPLES + TUPLE, 1);
    set_word(&example, AT_TUPLES + TUPLE + 2, 31);
    assert_int_equal(aggregate_open(span_of_example(&example), 1, &aggregate), OK);
    assert_int_equal(aggregate.chain_id, 0);
}

static void a_lost_last_timestamp_means_no_gas(void **)
{
    struct example example = good_example();
    struct aggregate aggregate;
    set_word(&example, AT_TUPLES + LAST, 0);
    assert_int_equal(aggregate_open(span_of_example(&example), 1, &aggregate), OK);
    assert_true(aggregate.starved);
}

static void a_damaged_result_is_its_own_fault(void **)
{
    struct example example = good_example();
    struct aggregate aggregate;
    bool success = false;
    struct span data;
    set_word(&example, AT_TUPLES + 2 * TUPLE + 2, 1 << 20);
    assert_int_equal(aggregate_open(span_of_example(&example), 1, &aggregate), OK);
    assert_int_equal(aggregate_result(&aggregate, 0, &success, &data), ERR_TRUNCATED);
    set_word(&example, AT_TUPLES + 2 * TUPLE, 9);
    assert_int_equal(aggregate_result(&aggregate, 0, &success, &data), ERR_MALFORMED);
}

static void words(void **)
{
    uint8_t bytes[3 * ABI_WORD] = {0};
    struct span data = span_of(bytes, sizeof bytes);
    uint64_t number = 0;
    bool flag = false;
    struct eth_address address;
    struct span text;
    uint8_t word[ABI_WORD];
    assert_int_equal(abi_read_word(data, 3, word), ERR_TRUNCATED);
    assert_int_equal(abi_read_u64(data, SIZE_MAX, &number), ERR_TRUNCATED);
    assert_int_equal(abi_read_bool(data, 0, &flag), OK);
    bytes[ABI_WORD - 1] = 2;
    assert_int_equal(abi_read_bool(data, 0, &flag), ERR_MALFORMED);
    assert_int_equal(abi_read_address(data, 0, &address), OK);
    assert_int_equal(address.bytes[19], 2);
    bytes[11] = 1;
    assert_int_equal(abi_read_address(data, 0, &address), ERR_MALFORMED);
    assert_int_equal(abi_read_u64(data, 0, &number), ERR_RANGE);
    assert_int_equal(abi_read_bool(data, 0, &flag), ERR_MALFORMED);
    assert_int_equal(abi_read_bytes(data, 0, &text), ERR_TRUNCATED);
    abi_word_of_u64(sizeof bytes, bytes); // an offset to the very end: no length there
    assert_int_equal(abi_read_bytes(data, 0, &text), ERR_TRUNCATED);
    abi_word_of_u64(ABI_WORD, bytes);
    abi_word_of_u64(ABI_WORD, bytes + ABI_WORD);
    assert_int_equal(abi_read_bytes(data, 0, &text), OK);
    assert_int_equal(text.size, ABI_WORD);
    abi_word_of_u64(ABI_WORD + 1, bytes + ABI_WORD);
    assert_int_equal(abi_read_bytes(data, 0, &text), ERR_TRUNCATED);
}

static void assert_selector(const char *signature, uint32_t expected)
{
    struct hash256 digest = keccak256(span_of_text(signature));
    struct reader reader = reader_of(span_of(digest.bytes, sizeof digest.bytes));
    assert_int_equal(read_u32(&reader), expected);
}

static void selectors_are_the_signatures_hashes(void **)
{
    assert_selector("ownerOf(uint256)", abi_owner_of);
    assert_selector("getNodeAccess(uint256)", abi_node_access);
    assert_selector("supportsInterface(bytes4)", abi_supports_interface);
    assert_selector("totalSupply()", abi_total_supply);
    assert_selector("tokenByIndex(uint256)", abi_token_by_index);
    assert_selector("tryBlockAndAggregate(bool,(address,bytes)[])", 0x399542e9);
    assert_selector("getCurrentBlockTimestamp()", 0x0f28c97d);
    assert_selector("getChainId()", 0x3408e470);
}

// One read of ownerOf(7): 68 + 4 x 192 bytes of call data, as ethers encodes it but for the
// argument that the timestamp ignores.
static void a_body_holds_its_promise_of_size(void **)
{
    static uint8_t buffer[AGGREGATE_OVERHEAD_SIZE + (200 + AGGREGATE_FRAME) * AGGREGATE_CALL_SIZE];
    struct writer writer = writer_of(buffer, sizeof buffer);
    uint8_t word[ABI_WORD];
    abi_word_of_u64(7, word);
    static const struct hash256 hash = {{1}};
    aggregate_begin(&writer, UINT64_MAX, 200);
    for (size_t i = 0; i < 200; i++) {
        aggregate_add(&writer, &aggregate_address, abi_owner_of, word);
    }
    struct rpc_block block = rpc_block_of_hash(&hash);
    aggregate_end(&writer, &block);
    assert_int_equal(writer_finish(&writer), OK);
    assert_true(writer.size > (200 + AGGREGATE_FRAME) * AGGREGATE_CALL_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_read),
        cmocka_unit_test(damaged_replies_are_refused),
        cmocka_unit_test(a_chain_id_may_be_missing),
        cmocka_unit_test(a_lost_last_timestamp_means_no_gas),
        cmocka_unit_test(a_damaged_result_is_its_own_fault),
        cmocka_unit_test(words),
        cmocka_unit_test(selectors_are_the_signatures_hashes),
        cmocka_unit_test(a_body_holds_its_promise_of_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

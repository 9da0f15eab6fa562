// SPDX-License-Identifier: GPL-3.0-or-later
//
// tryBlockAndAggregate(bool requireSuccess, (address target, bytes data)[] calls)
//     returns (uint256 blockNumber, bytes32 blockHash, (bool success, bytes data)[] results)
//
// Every call gets 36 bytes of data, an argument it may ignore, so that all tuples have one size
// and the offsets are known before the calls are.
#include "chain/aggregate.h"

static const uint32_t try_block_and_aggregate = 0x399542e9;
static const uint32_t current_block_timestamp = 0x0f28c97d;
static const uint32_t chain_id = 0x3408e470; // getChainId()

enum {
    TUPLE_WORDS = 5,    // target, offset, size, 36 bytes in two words
    TUPLE_DATA_AT = 64, // offset of the size word in a tuple
    CALL_DATA_SIZE = 36,
    READS_AT = 2, // of the frame's calls, one stands behind the reads
};

const struct eth_address aggregate_address = {{0xca, 0x11, 0xbd, 0xe0, 0x59, 0x77, 0xb3, 0x63, 0x11,
    0x67, 0x02, 0x88, 0x62, 0xbe, 0x2a, 0x17, 0x39, 0x76, 0xca, 0x11}};

static void write_number(struct writer *writer, uint64_t value)
{
    uint8_t word[ABI_WORD];
    abi_word_of_u64(value, word);
    rpc_write_hex(writer, span_of(word, sizeof word));
}

static void write_selector(struct writer *writer, uint32_t selector)
{
    uint8_t bytes[4] = {(uint8_t)(selector >> 24), (uint8_t)(selector >> 16),
        (uint8_t)(selector >> 8), (uint8_t)selector};
    rpc_write_hex(writer, span_of(bytes, sizeof bytes));
}

static void write_zeroes(struct writer *writer, size_t size)
{
    static const uint8_t zeroes[ABI_WORD] = {0};
    rpc_write_hex(writer, span_of(zeroes, size));
}

static void add_own(struct writer *writer, uint32_t selector)
{
    static const uint8_t nothing[ABI_WORD] = {0};
    aggregate_add(writer, &aggregate_address, selector, nothing);
}

void aggregate_begin(struct writer *writer, uint64_t id, size_t count)
{
    size_t calls = count + AGGREGATE_FRAME;
    rpc_begin_call(writer, id, &aggregate_address);
    write_selector(writer, try_block_and_aggregate);
    write_number(writer, 0);            // requireSuccess
    write_number(writer, 2 * ABI_WORD); // where the array is
    write_number(writer, calls);
    for (size_t i = 0; i < calls; i++) {
        write_number(writer, (calls + i * TUPLE_WORDS) * ABI_WORD);
    }
    add_own(writer, current_block_timestamp);
    add_own(writer, chain_id);
}

void aggregate_add(struct writer *writer, const struct eth_address *target, uint32_t selector,
    const uint8_t argument[static ABI_WORD])
{
    write_zeroes(writer, ABI_WORD - sizeof target->bytes);
    rpc_write_hex(writer, span_of(target->bytes, sizeof target->bytes));
    write_number(writer, TUPLE_DATA_AT);
    write_number(writer, CALL_DATA_SIZE);
    write_selector(writer, selector);
    rpc_write_hex(writer, span_of(argument, ABI_WORD));
    write_zeroes(writer, 2 * ABI_WORD - CALL_DATA_SIZE);
}

void aggregate_end(struct writer *writer, const struct rpc_block *block)
{
    add_own(writer, current_block_timestamp);
    rpc_end_call(writer, block);
}

// The result at `place` among all of them, the frame included.
static enum status result_at(struct span results, size_t place, bool *ret_success, struct span *ret)
{
    struct span tuple;
    enum status status = abi_read_tail(results, place, &tuple);
    bool success = false;
    struct span data;
    if (status == OK) {
        status = abi_read_bool(tuple, 0, &success);
    }
    if (status == OK) {
        status = abi_read_bytes(tuple, 1, &data);
    }
    if (status == OK) {
        *ret_success = success;
        *ret = data;
    }
    return status;
}

// ERR_NOT_FOUND if the read of it failed.
static enum status number_at(struct span results, size_t place, uint64_t *ret)
{
    bool success = false;
    struct span data;
    enum status status = result_at(results, place, &success, &data);
    if (status != OK) {
        return status;
    }
    if (!success || data.size != ABI_WORD) {
        return ERR_NOT_FOUND;
    }
    return abi_read_u64(data, 0, ret);
}

enum status aggregate_open(struct span data, size_t count, struct aggregate *ret)
{
    struct aggregate opened = {.count = count};
    struct span array;
    uint64_t results = 0;
    enum status status = abi_read_u64(data, 0, &opened.block_number);
    if (status == OK) {
        status = abi_read_tail(data, 2, &array);
    }
    if (status == OK) {
        status = abi_read_u64(array, 0, &results);
    }
    if (status != OK) {
        return status;
    }
    if (results != count + AGGREGATE_FRAME) {
        return ERR_MISMATCH;
    }
    opened.results = span_of(array.data + ABI_WORD, array.size - ABI_WORD);
    status = number_at(opened.results, 0, &opened.block_time_s);
    if (status != OK) {
        return status;
    }
    if (number_at(opened.results, 1, &opened.chain_id) != OK) {
        opened.chain_id = 0; // an aggregator without that function is one all the same
    }
    uint64_t again_s = 0;
    status = number_at(opened.results, count + READS_AT, &again_s);
    opened.starved = status == ERR_NOT_FOUND;
    if (status != OK && !opened.starved) {
        return status;
    }
    if (!opened.starved && again_s != opened.block_time_s) {
        return ERR_MISMATCH;
    }
    *ret = opened;
    return OK;
}

enum status aggregate_result(
    const struct aggregate *aggregate, size_t index, bool *ret_success, struct span *ret)
{
    ASSERT(index < aggregate->count);
    if (aggregate->answers == NULL) {
        return result_at(aggregate->results, index + READS_AT, ret_success, ret);
    }
    const struct rpc_answer *answer = &aggregate->answers[index];
    if (answer->verdict != RPC_RESULT && answer->verdict != RPC_REVERTED) {
        return ERR_NOT_FOUND;
    }
    *ret_success = answer->verdict == RPC_RESULT;
    *ret = span_of(answer->data, answer->size);
    return OK;
}

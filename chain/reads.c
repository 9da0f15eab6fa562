// SPDX-License-Identifier: GPL-3.0-or-later
//
// The three ways of reading, written and opened. What the frame of a batch says is checked here;
// what a read says is the caller's.
#include "chain/reads.h"

#include <stdlib.h>

enum {
    BLOCK_AT = 0,
    CHAIN_ID_AT = 1,
    READS_AT = READS_FRAME_FIRST,
};

struct reads_answers {
    size_t count;
    struct rpc_answer items[];
};

const char *reads_way_name(enum reads_way way)
{
    switch (way) {
    case READS_AGGREGATE:
        return "aggregate";
    case READS_BATCH:
        return "batch";
    case READS_SERIES:
        return "single";
    }
    return "invalid";
}

size_t reads_requests(enum reads_way way, size_t count, const struct rpc_block *pin)
{
    switch (way) {
    case READS_AGGREGATE:
        return 1;
    case READS_BATCH:
        return READS_AT + count + (pin == NULL ? 1 : 0);
    case READS_SERIES:
        break;
    }
    return READS_AT + count;
}

// True if the request at the next place is to be written; counts it.
static bool next_request(struct reads_writer *reads)
{
    size_t place = reads->place++;
    if (reads->way == READS_SERIES) {
        return place == reads->step;
    }
    if (place > 0) {
        rpc_write_batch_next(reads->writer);
    }
    return true;
}

// Of the request that next_request has counted.
static uint64_t request_id(const struct reads_writer *reads)
{
    return reads->way == READS_SERIES ? reads->id : reads->id + reads->place - 1;
}

void reads_begin(struct reads_writer *reads, size_t count)
{
    static const struct rpc_block latest = {.kind = RPC_LATEST};
    reads->place = 0;
    if (reads->way == READS_AGGREGATE) {
        aggregate_begin(reads->writer, reads->id, count);
        return;
    }
    if (reads->way == READS_BATCH) {
        rpc_write_batch_begin(reads->writer);
    }
    if (next_request(reads)) {
        rpc_write_block(
            reads->writer, request_id(reads), reads->pin == NULL ? &latest : reads->pin);
    }
    if (next_request(reads)) {
        rpc_write_chain_id(reads->writer, request_id(reads));
    }
}

void reads_add(struct reads_writer *reads, const struct eth_address *target, uint32_t selector,
    const uint8_t argument[static ABI_WORD])
{
    if (reads->way == READS_AGGREGATE) {
        aggregate_add(reads->writer, target, selector, argument);
        return;
    }
    if (!next_request(reads)) {
        return;
    }
    uint8_t head[4] = {(uint8_t)(selector >> 24), (uint8_t)(selector >> 16),
        (uint8_t)(selector >> 8), (uint8_t)selector};
    rpc_begin_call(reads->writer, request_id(reads), target);
    rpc_write_hex(reads->writer, span_of(head, sizeof head));
    rpc_write_hex(reads->writer, span_of(argument, ABI_WORD));
    rpc_end_call(reads->writer, reads->pin);
}

void reads_end(struct reads_writer *reads)
{
    if (reads->way == READS_AGGREGATE) {
        aggregate_end(reads->writer, reads->pin);
        return;
    }
    if (reads->way == READS_SERIES) {
        return;
    }
    if (reads->pin == NULL && next_request(reads)) {
        rpc_begin_request(reads->writer, request_id(reads), "eth_blockNumber");
        rpc_end_request(reads->writer);
    }
    rpc_write_batch_end(reads->writer);
}

struct reads_answers *reads_answers_new(size_t requests)
{
    struct reads_answers *answers =
        calloc(1, sizeof *answers + requests * sizeof answers->items[0]);
    if (answers != NULL) {
        answers->count = requests;
        for (size_t i = 0; i < requests; i++) {
            answers->items[i].verdict = RPC_FAULT;
        }
    }
    return answers;
}

void reads_answers_free(struct reads_answers *answers)
{
    for (size_t i = 0; answers != NULL && i < answers->count; i++) {
        rpc_answer_clear(&answers->items[i]);
    }
    free(answers);
}

// The form of the answer to request `index`. A pinned batch has nothing behind its reads.
static enum rpc_form form_at(size_t index, size_t reads_end)
{
    if (index == BLOCK_AT) {
        return RPC_HEAD;
    }
    return index == CHAIN_ID_AT || index >= reads_end ? RPC_QUANTITY : RPC_DATA;
}

enum rpc_verdict reads_take_batch(
    struct reads_answers *answers, const struct rpc_reply *reply, uint64_t id, size_t count)
{
    struct rpc_batch batch;
    rpc_batch_parse(reply, id, answers->count, &batch);
    enum rpc_verdict verdict = batch.verdict;
    for (size_t i = 0; verdict == RPC_RESULT && i < answers->count; i++) {
        rpc_answer_clear(&answers->items[i]);
        rpc_batch_item(&batch, i, form_at(i, READS_AT + count), &answers->items[i]);
    }
    rpc_batch_clear(&batch);
    return verdict;
}

enum rpc_verdict reads_take_step(
    struct reads_answers *answers, size_t step, const struct rpc_reply *reply, uint64_t id)
{
    ASSERT(step < answers->count);
    rpc_answer_clear(&answers->items[step]);
    rpc_answer_parse(reply, id, form_at(step, SIZE_MAX), &answers->items[step]);
    return answers->items[step].verdict;
}

enum rpc_verdict reads_open(const struct reads_answers *answers, size_t count,
    const struct rpc_block *pin, struct aggregate *ret, struct reads_outcome *ret_outcome)
{
    ASSERT(answers->count >= READS_AT + count);
    const struct rpc_answer *block = &answers->items[BLOCK_AT];
    const struct rpc_answer *chain_id = &answers->items[CHAIN_ID_AT];
    if (block->verdict != RPC_RESULT) {
        return block->verdict == RPC_REVERTED ? RPC_FAULT : block->verdict;
    }
    if (pin != NULL && pin->kind == RPC_BY_HASH && !hash256_equal(&pin->hash, &block->hash)) {
        return RPC_FAULT;
    }
    const struct rpc_answer *last = &answers->items[answers->count - 1];
    bool still = answers->count == READS_AT + count + 1 && last->verdict == RPC_RESULT &&
                 last->quantity == block->number;
    *ret = (struct aggregate){
        .block_number = block->number,
        .block_time_s = block->time_s,
        .chain_id = chain_id->verdict == RPC_RESULT ? chain_id->quantity : 0,
        .loose = pin == NULL && !still,
        .count = count,
        .answers = answers->items + READS_AT,
    };
    *ret_outcome = (struct reads_outcome){.none = true};
    for (size_t i = 0; i < count; i++) {
        enum rpc_verdict verdict = ret->answers[i].verdict;
        bool answered = verdict == RPC_RESULT || verdict == RPC_REVERTED;
        ret_outcome->none = ret_outcome->none && !answered;
        ret_outcome->rate_limited = ret_outcome->rate_limited || verdict == RPC_RATE_LIMITED;
    }
    return RPC_RESULT;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Many reads of contracts, in the way that a provider takes them: one aggregate by Multicall3;
// where that is absent, a JSON-RPC batch of plain calls; where batches are refused, the same
// requests one after the other. All three end in a `struct aggregate`.
//
// A batch or a series holds, in this order: the block (eth_getBlockByNumber, or by its hash for
// pinned reads), eth_chainId, the reads, and in a batch of `latest` eth_blockNumber. Its calls are
// no snapshot: if the last number is not the first block's, a read may have seen a later block.
#pragma once

#include "chain/aggregate.h"

enum reads_way {
    READS_AGGREGATE,
    READS_BATCH,
    READS_SERIES,
};

const char *reads_way_name(enum reads_way way); // "aggregate", "batch", "single"

enum {
    READS_FRAME_FIRST = 2, // requests of a batch or series before the reads
};

// How many requests there are for `count` reads: 1 for an aggregate, the items of a batch, the
// steps of a series.
size_t reads_requests(enum reads_way way, size_t count, const struct rpc_block *pin);

// Writes a body: begin, `count` times add, end. It takes at most as many bytes as an aggregate.
struct reads_writer {
    struct writer *writer;
    enum reads_way way;
    uint64_t id; // of the body, or of the batch's first request
    size_t step; // READS_SERIES: the one request that is written
    size_t place;
    const struct rpc_block *pin; // NULL: latest
};

void reads_begin(struct reads_writer *reads, size_t count);
void reads_add(struct reads_writer *reads, const struct eth_address *target, uint32_t selector,
    const uint8_t argument[static ABI_WORD]);
void reads_end(struct reads_writer *reads);

// Answers to the requests of a batch or a series, in their order. Opaque, with what they hold.
struct reads_answers;

// Room for `requests` answers; NULL if there is no memory.
struct reads_answers *reads_answers_new(size_t requests);
void reads_answers_free(struct reads_answers *answers); // accepts NULL

// Takes the reply to a whole batch of `count` reads. RPC_RESULT: every answer is there; otherwise
// as rpc_batch.
enum rpc_verdict reads_take_batch(
    struct reads_answers *answers, const struct rpc_reply *reply, uint64_t id, size_t count);

// Takes the reply to step `step` of a series. RPC_RESULT, RPC_REVERTED or RPC_CALL_FAILED: it is an
// answer, go on; otherwise the provider's, and the series is lost.
enum rpc_verdict reads_take_step(
    struct reads_answers *answers, size_t step, const struct rpc_reply *reply, uint64_t id);

// What a read that has no result came to.
struct reads_outcome {
    bool rate_limited; // a read was, while others may hold
    bool none;         // not one read has an answer: the provider's doing
};

// `answers` to `count` reads as an aggregate, which borrows them. RPC_RESULT; or, for want of a
// block to hold the reads against, what became of that request.
enum rpc_verdict reads_open(const struct reads_answers *answers, size_t count,
    const struct rpc_block *pin, struct aggregate *ret, struct reads_outcome *ret_outcome);

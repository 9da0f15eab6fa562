// SPDX-License-Identifier: GPL-3.0-or-later
//
// Many reads in one call, all at one block: Multicall3's tryBlockAndAggregate(false, calls), which
// reports each call's failure by itself and names the block. The same contract stands at the same
// address on nearly every EVM chain.
//
// The block's timestamp is read first and last in each aggregate: first, so that no other call can
// take the gas for it; last, so that a call which burns the gas of those behind it is noticed. (A
// call that fails for lack of gas looks like one that reverts without a reason: a denial.) The
// second read is the chain id: a provider that changes chains says so with its next answer.
#pragma once

#include "chain/abi.h"
#include "chain/rpc.h"

enum {
    // Hex digits and JSON for one call, and for the rest of the body.
    AGGREGATE_CALL_SIZE = 384,
    AGGREGATE_OVERHEAD_SIZE = 1024,
    AGGREGATE_FRAME = 3, // calls that are not the caller's reads
};

// 0xcA11bde05977b3631167028862bE2a173976CA11
extern const struct eth_address aggregate_address;

// Begins a body with `count` reads between those of the frame; exactly that many
// aggregate_add follow, then aggregate_end. A body takes at most AGGREGATE_OVERHEAD_SIZE +
// (count + AGGREGATE_FRAME) * AGGREGATE_CALL_SIZE bytes.
void aggregate_begin(struct writer *writer, uint64_t id, size_t count);

// `argument` is one ABI word; functions without arguments ignore it.
void aggregate_add(struct writer *writer, const struct eth_address *target, uint32_t selector,
    const uint8_t argument[static ABI_WORD]);

// `block` as rpc_end_call.
void aggregate_end(struct writer *writer, const struct rpc_block *block);

// A decoded reply; views into what it was opened on.
struct aggregate {
    uint64_t block_number;
    uint64_t block_time_s;
    uint64_t chain_id; // 0: it was not told
    bool starved;      // the last read of the timestamp failed: gas ran out on the way
    bool loose; // the reads may be of later blocks: they were made one by one (chain/reads.h)
    size_t count;
    struct span results;
    const struct rpc_answer *answers; // of reads made one by one; else NULL
};

// `data` is what the eth_call returned for `count` reads. ERR_TRUNCATED, ERR_MALFORMED, ERR_RANGE:
// not what the contract returns; ERR_MISMATCH: another number of results, or two timestamps.
// ERR_NOT_FOUND: the timestamp could not be read at all.
enum status aggregate_open(struct span data, size_t count, struct aggregate *ret);

// Result `index` < count. ERR_TRUNCATED or ERR_MALFORMED as above; ERR_NOT_FOUND: this read alone
// has no answer.
enum status aggregate_result(
    const struct aggregate *aggregate, size_t index, bool *ret_success, struct span *ret);

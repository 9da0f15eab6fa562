// SPDX-License-Identifier: GPL-3.0-or-later
//
// A whole reply to eth_getLogs, and a walk whose provider answers as the bytes say.
#include "chain/logs.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct eth_address contract = {{0xc0, 0xff, 0xee, [19] = 1}};

static void read_reply(const uint8_t *data, size_t size)
{
    struct rpc_reply reply = {
        .outcome = RPC_ANSWERED, .http_status = 200, .body = span_of(data, size)};
    struct logs logs;
    logs_parse(&reply, 7, &contract, LOGS_TOPICS, 100, 199, &logs);
    ASSERT(logs.verdict == LOGS_ANSWERED || logs.count == 0);
    size_t strange = 0;
    for (size_t i = 0; i < logs.count; i++) {
        struct log_entry entry;
        if (!logs_entry(&logs, i, &entry)) {
            strange++;
            continue;
        }
        ASSERT(entry.block_number >= 100 && entry.block_number <= 199);
    }
    ASSERT(strange == logs.strange);
    logs_clear(&logs);
}

static void walk(const uint8_t *data, size_t size)
{
    struct log_range range = log_range_of(1 + (size > 0 ? data[0] : 0), 1000);
    struct log_walk walk = {.next = 5, .last = 5000};
    uint64_t from = 0;
    uint64_t to = 0;
    for (size_t i = 1; i < size && log_walk_next(&walk, &range, &from, &to); i++) {
        uint64_t before = walk.next;
        ASSERT(from == before && to >= from && to <= walk.last && to - from < 1000);
        if (data[i] % 4 == 0) {
            log_walk_refused(&walk, &range, from, to);
            ASSERT(walk.next == (from == to ? to + 1 : before));
        } else {
            log_walk_served(&walk, &range, from, to);
            ASSERT(walk.next == to + 1);
        }
        ASSERT(range.blocks >= 1 && range.blocks <= 1000);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_reply(data, size);
    walk(data, size);
    return 0;
}

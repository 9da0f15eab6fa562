// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a provider may send: JSON in each of the three forms, and the ABI data behind it.
#include "chain/aggregate.h"

#include "base/assert.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_everything(struct span data)
{
    enum { COUNT_MAX = 4 };
    for (size_t count = 1; count <= COUNT_MAX; count++) {
        struct aggregate aggregate;
        if (aggregate_open(data, count, &aggregate) != OK) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            bool success = false;
            struct span result;
            struct span text;
            struct eth_address owner;
            if (aggregate_result(&aggregate, i, &success, &result) != OK) {
                continue;
            }
            ASSERT(result.size <= data.size);
            if (abi_read_bytes(result, 1, &text) == OK) {
                ASSERT(text.size < result.size);
            }
            (void)(abi_read_address(result, 0, &owner) == OK);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum rpc_form forms[] = {RPC_DATA, RPC_QUANTITY, RPC_BLOCK_HASH};
    struct rpc_reply reply = {
        .outcome = RPC_ANSWERED, .http_status = 200, .body = span_of(data, size)};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct rpc_answer answer;
        rpc_answer_parse(&reply, 7, forms[i], &answer);
        ASSERT(answer.data == NULL || (answer.verdict == RPC_RESULT && forms[i] == RPC_DATA));
        if (answer.data != NULL) {
            read_everything(span_of(answer.data, answer.size));
        }
        rpc_answer_clear(&answer);
    }
    read_everything(reply.body);
    return 0;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a provider may send: JSON in each of the forms, alone and in batches, and the ABI data
// behind it.
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

static const enum rpc_form forms[] = {RPC_DATA, RPC_QUANTITY, RPC_BLOCK_HASH, RPC_HEAD, RPC_JSON};

enum {
    FORMS = sizeof forms / sizeof forms[0],
};

static void read_batch(const struct rpc_reply *reply)
{
    enum { COUNT_MAX = 3 };
    for (size_t count = 1; count <= COUNT_MAX; count++) {
        struct rpc_batch batch;
        rpc_batch_parse(reply, 7, count, &batch);
        struct rpc_answer answers[COUNT_MAX * FORMS];
        size_t taken = 0;
        for (size_t i = 0; batch.verdict == RPC_RESULT && i < count * FORMS; i++) {
            rpc_batch_item(&batch, i / FORMS, forms[i % FORMS], &answers[taken++]);
        }
        rpc_batch_clear(&batch);
        for (size_t i = 0; i < taken; i++) {
            rpc_answer_clear(&answers[i]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rpc_reply reply = {
        .outcome = RPC_ANSWERED, .http_status = 200, .body = span_of(data, size)};
    for (size_t i = 0; i < FORMS; i++) {
        struct rpc_answer answer;
        rpc_answer_parse(&reply, 7, forms[i], &answer);
        ASSERT(answer.data == NULL || answer.verdict == RPC_REVERTED ||
               (answer.verdict == RPC_RESULT && forms[i] == RPC_DATA));
        if (answer.data != NULL) {
            read_everything(span_of(answer.data, answer.size));
        }
        rpc_answer_clear(&answer);
    }
    read_batch(&reply);
    read_everything(reply.body);
    return 0;
}

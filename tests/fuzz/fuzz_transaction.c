// SPDX-License-Identifier: GPL-3.0-or-later
//
// A signed transaction as a journal holds it: what is taken is written again to the same bytes. And
// what a contract reverts with, which is anybody's: taken apart without leaving its bytes.
#include "chain/call.h"
#include "chain/transaction.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_transaction(struct span raw)
{
    struct transaction transaction;
    struct eth_address sender;
    uint8_t *room = malloc(raw.size + 1);
    ASSERT(room != NULL);
    struct writer scratch = writer_of(room, raw.size);
    if (transaction_read(raw, &scratch, &transaction, &sender) == OK) {
        // What was signed is what is sent without its end; the head may be a byte shorter.
        ASSERT(scratch.size < raw.size);
        ASSERT(transaction.priority_fee <= transaction.max_fee);
        ASSERT(wei_compare(transaction_cost_max(&transaction), transaction.value) >= 0);
        ASSERT(transaction.data.size < raw.size);
    }
    free(room);
}

static void read_calls(struct span data, const struct call_form *const *forms)
{
    const struct call_form *form = NULL;
    struct call_value values[CALL_ARGUMENTS_MAX];
    if (call_read(data, forms, &form, values) != OK) {
        return;
    }
    for (size_t i = 0; i < form->count; i++) {
        struct span text = values[i].text;
        ASSERT(text.size < data.size);
        ASSERT(text.size == 0 ||
               (text.data >= data.data && text.data + text.size <= data.data + data.size));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span bytes = span_of(data, size);
    read_transaction(bytes);
    read_calls(bytes, call_errors);
    read_calls(bytes, call_functions);
    return 0;
}

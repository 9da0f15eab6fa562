// SPDX-License-Identifier: GPL-3.0-or-later
//
// RLP of any depth: what is taken is written again as the very same bytes, so nothing has two
// encodings.
#include "chain/rlp.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    INPUT_MAX = 4096,
    DEPTH_MAX = 64,
};

static enum status copy_items(struct span items, size_t depth, struct writer *writer)
{
    struct reader reader = reader_of(items);
    while (reader.rest.size > 0 && reader.failure == OK) {
        struct rlp_item item = rlp_read_item(&reader);
        if (reader.failure == OK && !item.is_list) {
            rlp_write_string(writer, item.payload);
        } else if (reader.failure == OK) {
            size_t list = rlp_begin_list(writer);
            enum status status =
                depth < DEPTH_MAX ? copy_items(item.payload, depth + 1, writer) : ERR_TOO_LARGE;
            if (status != OK) {
                return status;
            }
            rlp_end_list(writer, list);
        }
    }
    return reader_finish(&reader);
}

static void read_numbers(struct span bytes)
{
    uint8_t written[INPUT_MAX];
    uint8_t word[RLP_WORD];
    struct reader reader = reader_of(bytes);
    uint64_t value = rlp_read_u64(&reader);
    if (reader_finish(&reader) == OK) {
        struct writer writer = writer_of(written, sizeof written);
        rlp_write_u64(&writer, value);
        ASSERT(span_equal(writer_written(&writer), bytes));
    }
    reader = reader_of(bytes);
    rlp_read_u256(&reader, word);
    if (reader_finish(&reader) == OK) {
        struct writer writer = writer_of(written, sizeof written);
        rlp_write_number(&writer, span_of(word, sizeof word));
        ASSERT(span_equal(writer_written(&writer), bytes));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t written[INPUT_MAX];
    struct writer writer = writer_of(written, sizeof written);
    struct span bytes = span_of(data, size);
    if (size > sizeof written) {
        return 0;
    }
    // A head is put in place with spare room: what fills the buffer may fail, nothing else.
    if (copy_items(bytes, 0, &writer) == OK && writer_finish(&writer) == OK) {
        ASSERT(span_equal(writer_written(&writer), bytes));
    }
    read_numbers(bytes);
    return 0;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Bounded reads of ABI-encoded words.
#include "chain/abi.h"

#include <string.h>

enum status abi_read_word(struct span data, size_t index, uint8_t ret[static ABI_WORD])
{
    if (index >= data.size / ABI_WORD) {
        return ERR_TRUNCATED;
    }
    memcpy(ret, data.data + index * ABI_WORD, ABI_WORD);
    return OK;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

enum status abi_read_u64(struct span data, size_t index, uint64_t *ret)
{
    uint8_t word[ABI_WORD];
    enum status status = abi_read_word(data, index, word);
    if (status != OK) {
        return status;
    }
    if (!is_zero(word, ABI_WORD - sizeof *ret)) {
        return ERR_RANGE;
    }
    struct reader reader = reader_of(span_of(word + ABI_WORD - sizeof *ret, sizeof *ret));
    *ret = read_u64(&reader);
    return OK;
}

enum status abi_read_bool(struct span data, size_t index, bool *ret)
{
    uint64_t value = 0;
    enum status status = abi_read_u64(data, index, &value);
    if (status == ERR_RANGE || (status == OK && value > 1)) {
        return ERR_MALFORMED;
    }
    if (status == OK) {
        *ret = value == 1;
    }
    return status;
}

enum status abi_read_address(struct span data, size_t index, struct eth_address *ret)
{
    uint8_t word[ABI_WORD];
    enum status status = abi_read_word(data, index, word);
    if (status != OK) {
        return status;
    }
    if (!is_zero(word, ABI_WORD - sizeof ret->bytes)) {
        return ERR_MALFORMED;
    }
    memcpy(ret->bytes, word + ABI_WORD - sizeof ret->bytes, sizeof ret->bytes);
    return OK;
}

enum status abi_read_tail(struct span data, size_t index, struct span *ret)
{
    uint64_t offset = 0;
    enum status status = abi_read_u64(data, index, &offset);
    if (status != OK) {
        return status == ERR_RANGE ? ERR_TRUNCATED : status;
    }
    if (offset % ABI_WORD != 0) {
        return ERR_MALFORMED;
    }
    if (offset > data.size) {
        return ERR_TRUNCATED;
    }
    *ret = span_of(data.data + offset, data.size - (size_t)offset);
    return OK;
}

enum status abi_read_bytes(struct span data, size_t index, struct span *ret)
{
    struct span tail;
    uint64_t size = 0;
    enum status status = abi_read_tail(data, index, &tail);
    if (status == OK) {
        status = abi_read_u64(tail, 0, &size);
    }
    if (status != OK) {
        return status == ERR_RANGE ? ERR_TRUNCATED : status;
    }
    if (size > tail.size - ABI_WORD) {
        return ERR_TRUNCATED;
    }
    *ret = span_of(tail.data + ABI_WORD, (size_t)size);
    return OK;
}

void abi_word_of_u64(uint64_t value, uint8_t ret[static ABI_WORD])
{
    struct writer writer = writer_of(ret, ABI_WORD);
    static const uint8_t zeroes[ABI_WORD - sizeof value] = {0};
    write_bytes(&writer, zeroes, sizeof zeroes);
    write_u64(&writer, value);
    ASSERT(writer_finish(&writer) == OK);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// JSON-RPC requests, written by hand: they hold nothing but numbers, hex and names of ours.
#include "chain/rpc.h"

#include <inttypes.h>
#include <stdio.h>

static void write_text(struct writer *writer, const char *text)
{
    write_span(writer, span_of_text(text));
}

void rpc_begin_request(struct writer *writer, uint64_t id, const char *method)
{
    char head[96];
    int size = snprintf(head, sizeof head,
        "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",\"method\":\"%s\",\"params\":[", id, method);
    ASSERT(size > 0 && (size_t)size < sizeof head);
    write_text(writer, head);
}

void rpc_end_request(struct writer *writer)
{
    write_text(writer, "]}");
}

void rpc_write_hex(struct writer *writer, struct span bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.size; i++) {
        write_u8(writer, (uint8_t)digits[bytes.data[i] >> 4]);
        write_u8(writer, (uint8_t)digits[bytes.data[i] & 15]);
    }
}

void rpc_write_data(struct writer *writer, struct span bytes)
{
    write_text(writer, "\"0x");
    rpc_write_hex(writer, bytes);
    write_text(writer, "\"");
}

void rpc_write_quantity(struct writer *writer, uint64_t value)
{
    char text[24];
    int size = snprintf(text, sizeof text, "\"0x%" PRIx64 "\"", value);
    ASSERT(size > 0 && (size_t)size < sizeof text);
    write_text(writer, text);
}

void rpc_write_batch_begin(struct writer *writer)
{
    write_text(writer, "[");
}

void rpc_write_batch_next(struct writer *writer)
{
    write_text(writer, ",");
}

void rpc_write_batch_end(struct writer *writer)
{
    write_text(writer, "]");
}

struct rpc_block rpc_block_of_number(uint64_t number)
{
    return (struct rpc_block){.kind = RPC_BY_NUMBER, .number = number};
}

struct rpc_block rpc_block_of_hash(const struct hash256 *hash)
{
    return (struct rpc_block){.kind = RPC_BY_HASH, .hash = *hash};
}

void rpc_write_block_name(struct writer *writer, const struct rpc_block *block)
{
    switch (block->kind) {
    case RPC_LATEST:
        write_text(writer, "\"latest\"");
        return;
    case RPC_SAFE:
        write_text(writer, "\"safe\"");
        return;
    case RPC_FINALIZED:
        write_text(writer, "\"finalized\"");
        return;
    case RPC_BY_NUMBER:
        rpc_write_quantity(writer, block->number);
        return;
    case RPC_BY_HASH:
        write_text(writer, "{\"blockHash\":");
        rpc_write_data(writer, span_of(block->hash.bytes, sizeof block->hash.bytes));
        write_text(writer, ",\"requireCanonical\":true}");
        return;
    }
}

void rpc_write_chain_id(struct writer *writer, uint64_t id)
{
    rpc_begin_request(writer, id, "eth_chainId");
    rpc_end_request(writer);
}

void rpc_write_code(struct writer *writer, uint64_t id, const struct eth_address *address)
{
    rpc_begin_request(writer, id, "eth_getCode");
    rpc_write_data(writer, span_of(address->bytes, sizeof address->bytes));
    write_text(writer, ",\"latest\"");
    rpc_end_request(writer);
}

void rpc_write_block(struct writer *writer, uint64_t id, const struct rpc_block *block)
{
    if (block->kind == RPC_BY_HASH) {
        rpc_begin_request(writer, id, "eth_getBlockByHash");
        rpc_write_data(writer, span_of(block->hash.bytes, sizeof block->hash.bytes));
    } else {
        rpc_begin_request(writer, id, "eth_getBlockByNumber");
        rpc_write_block_name(writer, block);
    }
    write_text(writer, ",false");
    rpc_end_request(writer);
}

static void write_words(struct writer *writer, const struct hash256 *words, size_t count)
{
    write_text(writer, "[");
    for (size_t i = 0; i < count; i++) {
        write_text(writer, i == 0 ? "" : ",");
        rpc_write_data(writer, span_of(words[i].bytes, sizeof words[i].bytes));
    }
    write_text(writer, "]");
}

void rpc_write_proof(struct writer *writer, uint64_t id, const struct eth_address *address,
    const struct hash256 *slots, size_t slot_count, const struct rpc_block *block)
{
    rpc_begin_request(writer, id, "eth_getProof");
    rpc_write_data(writer, span_of(address->bytes, sizeof address->bytes));
    write_text(writer, ",");
    write_words(writer, slots, slot_count);
    write_text(writer, ",");
    rpc_write_block_name(writer, block);
    rpc_end_request(writer);
}

void rpc_write_logs(struct writer *writer, uint64_t id, const struct rpc_log_filter *filter)
{
    rpc_begin_request(writer, id, "eth_getLogs");
    write_text(writer, "{\"address\":");
    rpc_write_data(writer, span_of(filter->address.bytes, sizeof filter->address.bytes));
    write_text(writer, ",\"fromBlock\":");
    rpc_write_block_name(writer, &filter->from);
    write_text(writer, ",\"toBlock\":");
    rpc_write_block_name(writer, &filter->to);
    if (filter->topic_count > 0) {
        write_text(writer, ",\"topics\":[");
        write_words(writer, filter->topics, filter->topic_count);
        write_text(writer, "]");
    }
    write_text(writer, "}");
    rpc_end_request(writer);
}

void rpc_begin_call(struct writer *writer, uint64_t id, const struct eth_address *to)
{
    rpc_begin_request(writer, id, "eth_call");
    write_text(writer, "{\"to\":");
    rpc_write_data(writer, span_of(to->bytes, sizeof to->bytes));
    write_text(writer, ",\"data\":\"0x");
}

void rpc_end_call(struct writer *writer, const struct rpc_block *block)
{
    static const struct rpc_block latest = {.kind = RPC_LATEST};
    write_text(writer, "\"},");
    rpc_write_block_name(writer, block == NULL ? &latest : block);
    rpc_end_request(writer);
}

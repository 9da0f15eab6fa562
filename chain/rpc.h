// SPDX-License-Identifier: GPL-3.0-or-later
//
// The seam between the gate and a provider: JSON-RPC 2.0 over HTTP POST, as bytes. Requests are
// written here; answers are parsed strictly, since a provider may send anything.
#pragma once

#include "base/ids.h"

#include <stdbool.h>

// How the exchange ended, as the edge saw it.
enum rpc_outcome {
    RPC_ANSWERED,    // an HTTP answer came, with any status
    RPC_UNREACHABLE, // no connection, or it broke
    RPC_TIMEOUT,     // no complete answer in time
    RPC_TOO_LARGE,   // cut off at the call's limit
};

// The span need live only during the call that takes the reply.
struct rpc_reply {
    enum rpc_outcome outcome;
    int http_status;         // with RPC_ANSWERED
    uint32_t retry_after_ms; // Retry-After header; 0 if there is none
    struct span body;        // with RPC_ANSWERED
};

// What an answer means for its provider.
enum rpc_verdict {
    RPC_RESULT,       // a well-formed result to this very call
    RPC_REVERTED,     // the call itself failed in the EVM: an answer, not a fault
    RPC_CALL_FAILED,  // the provider says that it cannot do this call (gas, size, unknown block)
    RPC_RATE_LIMITED, // 429, or one of the error codes that mean it
    RPC_FAULT,        // no answer, an HTTP error, or not what JSON-RPC allows
};

// What the result of a call must be.
enum rpc_form {
    RPC_DATA,       // a hex string of whole bytes, "0x" included
    RPC_QUANTITY,   // a hex number of at most 64 bits: "0x0", or without leading zeroes
    RPC_BLOCK_HASH, // a block; its hash is taken. null, no such block, is RPC_CALL_FAILED
    RPC_HEAD,       // a block; its number and timestamp too
    RPC_JSON,       // anything, null included: the caller reads it by jansson
};

enum {
    RPC_ID_MAX_BITS = 53, // what every JSON implementation keeps exactly
    RPC_BATCH_MAX = 1024,
    RPC_ERROR_TEXT_SIZE = 160,
};

struct json_t;

// A parsed answer. It owns `data` and a reference to `json`; rpc_answer_clear gives both back, and
// until then they are valid whatever becomes of the reply and of the batch they came in.
struct rpc_answer {
    enum rpc_verdict verdict;
    int64_t error_code; // the JSON-RPC error's code; 0 if there was none
    // The error's message for people, cut, printable ASCII only; "" if there was none.
    char error_text[RPC_ERROR_TEXT_SIZE];
    uint8_t *data; // RPC_DATA; also what a call reverted with, where the provider tells
    size_t size;
    uint64_t quantity;   // RPC_QUANTITY
    struct hash256 hash; // RPC_BLOCK_HASH, RPC_HEAD
    uint64_t number;     // RPC_HEAD
    uint64_t time_s;     // RPC_HEAD
    struct json_t *json; // RPC_JSON
};

// Parses the reply to the call `id`. Duplicate keys, a wrong or missing id, both or neither of
// result and error, another form of result, anything but an object: RPC_FAULT. Always sets `ret`,
// which the caller clears. The only allocations are jansson's and the result's, both bounded by
// the size of the body, which the caller bounds.
void rpc_answer_parse(
    const struct rpc_reply *reply, uint64_t id, enum rpc_form form, struct rpc_answer *ret);

void rpc_answer_clear(struct rpc_answer *answer);

// The answer to a batch of `count` requests with the ids `id` .. `id + count - 1`.
struct rpc_batch {
    // RPC_RESULT: there is an answer to each request; ask rpc_batch_item what it is. Anything else
    // holds for all of them, and there are no items: RPC_CALL_FAILED is a batch that the provider
    // does not take, being one or being so large; ask for halves, and at last for single calls.
    enum rpc_verdict verdict;
    int64_t error_code; // as in rpc_answer, of the error that answered the whole
    char error_text[RPC_ERROR_TEXT_SIZE];
    uint64_t id;
    size_t count;
    int http_status;
    struct json_t *root;   // owned
    struct json_t **items; // owned array of `count` borrowed objects, in the order of the ids
};

// Parses the reply to a batch. Every id must come exactly once, in any order, and no other:
// RPC_FAULT otherwise. A single object, or an array of a single error for several requests, is
// the provider's word on the whole. Always sets `ret`, which the caller clears.
// ASSERT: 1 <= count <= RPC_BATCH_MAX.
void rpc_batch_parse(
    const struct rpc_reply *reply, uint64_t id, size_t count, struct rpc_batch *ret);

// The answer to request `index`, each item by its own form and with its own verdict; a provider may
// rate-limit items of a batch that it answers. ASSERT: batch->verdict is RPC_RESULT, index < count.
// Always sets `ret`, which the caller clears; it stays valid after rpc_batch_clear.
void rpc_batch_item(
    const struct rpc_batch *batch, size_t index, enum rpc_form form, struct rpc_answer *ret);

void rpc_batch_clear(struct rpc_batch *batch);

// Requests. `writer` fails with ERR_FULL if the body does not fit.

// A block as a request names it. The zero value is `latest`.
enum rpc_block_kind {
    RPC_LATEST = 0,
    RPC_SAFE,
    RPC_FINALIZED,
    RPC_BY_NUMBER,
    RPC_BY_HASH, // EIP-1898, and canonical: not for eth_getLogs
};

struct rpc_block {
    enum rpc_block_kind kind;
    uint64_t number;
    struct hash256 hash;
};

struct rpc_block rpc_block_of_number(uint64_t number);
struct rpc_block rpc_block_of_hash(const struct hash256 *hash);

// A batch is "[", requests of any kind with consecutive ids, and "]":
//     rpc_write_batch_begin(w); rpc_write_...(w, id, ...); rpc_write_batch_next(w);
//     rpc_write_...(w, id + 1, ...); rpc_write_batch_end(w);
void rpc_write_batch_begin(struct writer *writer);
void rpc_write_batch_next(struct writer *writer);
void rpc_write_batch_end(struct writer *writer);

void rpc_write_chain_id(struct writer *writer, uint64_t id);
void rpc_write_code(struct writer *writer, uint64_t id, const struct eth_address *address);
// eth_getBlockByNumber, or eth_getBlockByHash, without transactions.
void rpc_write_block(struct writer *writer, uint64_t id, const struct rpc_block *block);
// eth_getProof. `slots` are keys of storage as 32-byte words.
void rpc_write_proof(struct writer *writer, uint64_t id, const struct eth_address *address,
    const struct hash256 *slots, size_t slot_count, const struct rpc_block *block);

// eth_getLogs of one contract: any of `topics` as the first topic. Not RPC_BY_HASH.
struct rpc_log_filter {
    struct eth_address address;
    const struct hash256 *topics; // none: all logs
    size_t topic_count;
    struct rpc_block from;
    struct rpc_block to;
};
void rpc_write_logs(struct writer *writer, uint64_t id, const struct rpc_log_filter *filter);

// Any other method, in steps: begin, the parameters as JSON by write_span and these writers, end.
void rpc_begin_request(struct writer *writer, uint64_t id, const char *method);
void rpc_end_request(struct writer *writer);
void rpc_write_quantity(struct writer *writer, uint64_t value); // "0x1f", quotes included
void rpc_write_data(struct writer *writer, struct span bytes);  // "0x001f", quotes included
void rpc_write_block_name(struct writer *writer, const struct rpc_block *block); // as a parameter

// eth_call in three steps, so that the call data need not be held as a whole: begin, any number of
// rpc_write_hex, end. NULL reads `latest`.
void rpc_begin_call(struct writer *writer, uint64_t id, const struct eth_address *to);
void rpc_write_hex(struct writer *writer, struct span bytes);
void rpc_end_call(struct writer *writer, const struct rpc_block *block);

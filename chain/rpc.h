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
    RPC_BLOCK_HASH, // a block; its hash is taken
};

// A parsed answer. `data` is owned; rpc_answer_clear frees it.
struct rpc_answer {
    enum rpc_verdict verdict;
    int64_t error_code; // the JSON-RPC error's code; 0 if there was none
    uint8_t *data;      // RPC_DATA
    size_t size;
    uint64_t quantity;   // RPC_QUANTITY
    struct hash256 hash; // RPC_BLOCK_HASH
};

// Parses the reply to the call `id`. Duplicate keys, a wrong or missing id, both or neither of
// result and error, another form of result, anything but an object: RPC_FAULT. Always sets `ret`,
// which the caller clears. The only allocations are jansson's and the result's, both bounded by
// the size of the body, which the caller bounds.
void rpc_answer_parse(
    const struct rpc_reply *reply, uint64_t id, enum rpc_form form, struct rpc_answer *ret);

void rpc_answer_clear(struct rpc_answer *answer);

enum {
    RPC_ID_MAX_BITS = 53, // what every JSON implementation keeps exactly
};

// Requests. `writer` fails with ERR_FULL if the body does not fit.
void rpc_write_chain_id(struct writer *writer, uint64_t id);
void rpc_write_code(struct writer *writer, uint64_t id, const struct eth_address *address);
void rpc_write_block(struct writer *writer, uint64_t id, uint64_t number);

// eth_call in three steps, so that the call data need not be held as a whole: begin, any number of
// rpc_write_hex, end. `block_hash` pins the call (EIP-1898); NULL reads `latest`.
void rpc_begin_call(struct writer *writer, uint64_t id, const struct eth_address *to);
void rpc_write_hex(struct writer *writer, struct span bytes);
void rpc_end_call(struct writer *writer, const struct hash256 *block_hash);

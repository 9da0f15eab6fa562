// SPDX-License-Identifier: GPL-3.0-or-later
//
// The model chain: reads the request bodies with jansson, executes the calls, writes the answers.
#include "tests/unit/chain/model.h"

#include "base/text.h"
#include "chain/abi.h"

#include "tests/unit/chain/model_proof.h"
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    WORD = 32,
    BLOCK_S = 2,
    GAS_LIMIT = 30000000,
    GAS_PER_CALL = 30000,
    MEGABYTE = 1 << 20,
};

// A growing buffer.
struct bytes {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

static void put(struct bytes *bytes, const void *data, size_t size)
{
    if (bytes->size + size > bytes->capacity) {
        bytes->capacity = 2 * (bytes->size + size);
        bytes->data = realloc(bytes->data, bytes->capacity);
        assert_non_null(bytes->data);
    }
    if (size > 0) {
        memcpy(bytes->data + bytes->size, data, size);
        bytes->size += size;
    }
}

static void put_zeroes(struct bytes *bytes, size_t size)
{
    static const uint8_t zeroes[4096] = {0};
    while (size > 0) {
        size_t part = size < sizeof zeroes ? size : sizeof zeroes;
        put(bytes, zeroes, part);
        size -= part;
    }
}

static void put_word(struct bytes *bytes, uint64_t value)
{
    uint8_t word[WORD];
    abi_word_of_u64(value, word);
    put(bytes, word, sizeof word);
}

static void put_padded(struct bytes *bytes, const void *data, size_t size)
{
    put_word(bytes, size);
    put(bytes, data, size);
    put_zeroes(bytes, (WORD - size % WORD) % WORD);
}

struct network model_network(void)
{
    struct network network = {.chain_id = 31337};
    memset(network.contract.bytes, 0xc0, sizeof network.contract.bytes);
    return network;
}

uint64_t model_block(const struct model *model)
{
    uint64_t chain_s = MODEL_START_S + model->now.mono.ms / 1000;
    return (chain_s - MODEL_START_S) / BLOCK_S + 1000;
}

uint64_t model_block_time_s(const struct model *model, uint64_t block)
{
    return (uint64_t)((int64_t)(MODEL_START_S + (block - 1000) * BLOCK_S) + model->skew_s);
}

struct model_token *model_token(struct model *model, uint64_t id)
{
    for (size_t i = 0; i < model->token_count; i++) {
        if (model->tokens[i].id == id) {
            return &model->tokens[i];
        }
    }
    return NULL;
}

void model_set_owner(struct model *model, uint64_t id, struct eth_address owner)
{
    struct model_token *token = model_token(model, id);
    if (token == NULL) {
        assert_true(model->token_count < MODEL_TOKENS_MAX);
        token = &model->tokens[model->token_count++];
        *token = (struct model_token){.id = id, .active = true};
    }
    assert_true(token->owner_count < MODEL_OWNERS_MAX);
    token->owners[token->owner_count++] =
        (struct model_owner){.block = model_block(model), .owner = owner};
}

struct eth_address model_owner_at(const struct model_token *token, uint64_t block)
{
    struct eth_address owner = {{0}};
    for (size_t i = 0; token != NULL && i < token->owner_count; i++) {
        if (token->owners[i].block <= block) {
            owner = token->owners[i].owner;
        }
    }
    return owner;
}

// One eth_call being executed.
struct execution {
    struct model *model;
    struct model_provider *provider;
    uint64_t block;
    uint64_t gas;
    uint64_t calls; // in the aggregate
    bool hangs;
};

static bool revert_with_reason(struct bytes *ret)
{
    put(ret, "\x7e\x27\x32\x89", 4);
    put_zeroes(ret, WORD);
    return false;
}

static bool execute_owner_of(struct execution *run, const struct model_token *token,
    struct eth_address owner, struct bytes *ret)
{
    enum model_trick trick = token == NULL ? TRICK_NONE : token->trick;
    switch (trick) {
    case TRICK_BURN:
        run->gas /= 64;
        return false;
    case TRICK_MEGABYTE:
        put_zeroes(ret, MEGABYTE);
        return true;
    case TRICK_HANG:
        run->hangs = true;
        return false;
    case TRICK_SHORT:
        put_zeroes(ret, WORD - 1);
        return true;
    case TRICK_QUIET:
        return false;
    case TRICK_SHY:
        if (run->calls > 4) { // more than itself and the frame
            return false;
        }
        break;
    case TRICK_NONE:
        break;
    }
    if (eth_address_is_zero(&owner)) {
        return revert_with_reason(ret);
    }
    put_zeroes(ret, 12);
    put(ret, owner.bytes, sizeof owner.bytes);
    return true;
}

static bool execute_node_access(
    struct execution *run, const struct model_token *token, struct bytes *ret)
{
    if (!run->model->has_access) {
        return false;
    }
    if (token == NULL || run->provider->hides_access) {
        return revert_with_reason(ret);
    }
    const char *strings[] = {"node", token->key};
    size_t begin = ret->size;
    put_word(ret, 4 * WORD);
    put_word(ret, (token->in_struct_order ? 6 + strlen(token->key) / WORD : 6) * WORD);
    put_word(ret, 12345);
    put_word(ret, token->active ? 1 : 0);
    for (size_t i = 0; i < 2; i++) {
        const char *string = strings[token->in_struct_order ? 1 - i : i];
        put_padded(ret, string, strlen(string));
    }
    if (token->patched) {
        abi_word_of_u64(token->patch, ret->data + begin + token->patched_word * WORD);
    }
    ASSERT(token->access_cut <= ret->size - begin);
    ret->size -= token->access_cut;
    return true;
}

static bool execute_token_by_index(struct execution *run, uint64_t index, struct bytes *ret)
{
    struct model *model = run->model;
    for (size_t i = 0; run->model->enumerable && i < model->token_count; i++) {
        struct eth_address owner = model_owner_at(&model->tokens[i], run->block);
        if (!eth_address_is_zero(&owner) && index-- == 0) {
            put_word(ret, model->tokens[i].id);
            return true;
        }
    }
    return revert_with_reason(ret);
}

static bool execute_total_supply(struct execution *run, struct bytes *ret)
{
    uint64_t count = 0;
    for (size_t i = 0; i < run->model->token_count; i++) {
        struct eth_address owner = model_owner_at(&run->model->tokens[i], run->block);
        count += eth_address_is_zero(&owner) ? 0 : 1;
    }
    put_word(ret, run->model->supply != 0 ? run->model->supply : count);
    return run->model->enumerable;
}

static bool execute(struct execution *run, struct span data, struct bytes *ret)
{
    if (run->gas < GAS_PER_CALL) {
        run->gas = 0;
        return run->model->loud ? revert_with_reason(ret) : false;
    }
    run->gas -= GAS_PER_CALL;
    struct reader reader = reader_of(data);
    uint32_t selector = read_u32(&reader);
    uint64_t argument = 0;
    bool small = abi_read_u64(reader.rest, 0, &argument) == OK;
    struct model_token *token = small ? model_token(run->model, argument) : NULL;
    struct eth_address owner =
        run->provider->lies ? run->provider->lie : model_owner_at(token, run->block);
    switch (selector) {
    case 0x0f28c97d:
        put_word(ret, model_block_time_s(run->model, run->block));
        return true;
    case 0x3408e470:
        put_word(ret, run->provider->chain_id);
        return true;
    case 0x6352211e:
        return execute_owner_of(run, token, owner, ret);
    case 0x6a572da6:
        return execute_node_access(run, token, ret);
    case 0x01ffc9a7:
        put_word(ret, run->model->enumerable ? 1 : 0);
        return true;
    case 0x18160ddd:
        return execute_total_supply(run, ret);
    case 0x4f6ccce7:
        return execute_token_by_index(run, argument, ret);
    default:
        return false;
    }
}

static uint64_t word_at(struct span data, size_t index)
{
    uint64_t value = 0;
    assert_int_equal(abi_read_u64(data, index, &value), OK);
    return value;
}

// tryBlockAndAggregate(false, calls)
static void execute_aggregate(struct execution *run, struct span data, struct bytes *ret)
{
    struct reader reader = reader_of(data);
    assert_int_equal(read_u32(&reader), 0x399542e9);
    struct span words = reader.rest;
    assert_int_equal(word_at(words, 0), 0);
    struct span array;
    assert_int_equal(abi_read_tail(words, 1, &array), OK);
    uint64_t count = word_at(array, 0);
    struct span tuples = span_of(array.data + WORD, array.size - WORD);
    run->calls = count;
    put_word(ret, run->block);
    put_word(ret, 0);
    put_word(ret, 3 * WORD);
    put_word(ret, count);
    struct bytes bodies = {0};
    for (size_t i = 0; i < count; i++) {
        struct span tuple;
        struct span call;
        assert_int_equal(abi_read_tail(tuples, i, &tuple), OK);
        assert_int_equal(abi_read_bytes(tuple, 1, &call), OK);
        struct bytes result = {0};
        bool success = execute(run, call, &result);
        put_word(ret, count * WORD + bodies.size);
        put_word(&bodies, success ? 1 : 0);
        put_word(&bodies, 2 * WORD);
        put_padded(&bodies, result.data, result.size);
        free(result.data);
    }
    put(ret, bodies.data, bodies.size);
    free(bodies.data);
}

static struct bytes bytes_of_hex(const char *hex)
{
    struct bytes bytes = {0};
    for (hex += 2; hex[0] != '\0'; hex += 2) {
        uint8_t byte = 0;
        assert_int_equal(hex_parse(span_of(hex, 2), &byte, 1), OK);
        put(&bytes, &byte, 1);
    }
    return bytes;
}

static void put_text(struct bytes *bytes, const char *text)
{
    put(bytes, text, strlen(text));
}

static void put_hex(struct bytes *bytes, const uint8_t *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        put(bytes, &digits[data[i] >> 4], 1);
        put(bytes, &digits[data[i] & 15], 1);
    }
}

static uint64_t head_of(const struct model *model, const struct model_provider *provider)
{
    return provider->frozen ? provider->frozen_block : model_block(model) - provider->lag_blocks;
}

// The block that a call is pinned to, in `run`; false if this provider does not know it.
static bool pin_block(struct execution *run, json_t *name)
{
    json_t *pin = json_object_get(name, "blockHash");
    if (pin == NULL) {
        bool safe = strcmp(json_string_value(name), "safe") == 0;
        bool finalized = strcmp(json_string_value(name), "finalized") == 0;
        assert_true(safe || finalized || strcmp(json_string_value(name), "latest") == 0);
        run->block -= safe ? MODEL_SAFE_BLOCKS : finalized ? MODEL_FINALIZED_BLOCKS : 0;
        run->provider->tagged += safe || finalized ? 1 : 0;
        return !(safe || finalized) || !run->provider->no_tags;
    }
    struct bytes hash = bytes_of_hex(json_string_value(pin));
    assert_int_equal(hash.size, 32);
    uint64_t block = run->model->proofs ? model_block_of_hash(run->model, hash.data, run->block)
                                        : word_at(span_of(hash.data, hash.size), 0);
    free(hash.data);
    run->provider->pinned++;
    if (block > run->block) {
        return false;
    }
    run->block = block;
    return true;
}

// False if the call hangs.
static bool answer_call(
    struct model *model, struct model_provider *provider, json_t *params, struct bytes *ret)
{
    struct execution run = {
        .model = model, .provider = provider, .block = head_of(model, provider), .gas = GAS_LIMIT};
    provider->aggregates++;
    if (!pin_block(&run, json_array_get(params, 1))) {
        put_text(ret, "\"error\":{\"code\":-32001,\"message\":\"Resource not found\"}");
        return true;
    }
    const char *to = json_string_value(json_object_get(json_array_get(params, 0), "to"));
    const char *hex = json_string_value(json_object_get(json_array_get(params, 0), "data"));
    struct bytes data = bytes_of_hex(hex);
    struct bytes result = {0};
    bool success = true;
    if (strstr(to, "0xca11bde0") == NULL) {
        success = execute(&run, span_of(data.data, data.size), &result);
    } else if (!provider->no_aggregator) {
        execute_aggregate(&run, span_of(data.data, data.size), &result);
    }
    if (provider->fault == FAULT_SHORT_DATA) {
        result.size /= 2;
    }
    put_text(ret, success
                      ? "\"result\":\"0x"
                      : "\"error\":{\"code\":3,\"message\":\"execution reverted\",\"data\":\"0x");
    put_hex(ret, result.data, result.size);
    put_text(ret, success ? "\"" : "\"}");
    free(data.data);
    free(result.data);
    return !run.hangs;
}

// The result of a call; takes over the reference.
static void put_json(struct bytes *bytes, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_non_null(text);
    put_text(bytes, "\"result\":");
    put_text(bytes, text);
    free(text);
    json_decref(value);
}

static void answer_proof(
    struct model *model, struct model_provider *provider, json_t *params, struct bytes *ret)
{
    size_t slots = json_array_size(json_array_get(params, 1));
    provider->proofs++;
    provider->slots_max = slots > provider->slots_max ? slots : provider->slots_max;
    if (!model->proofs || provider->forgery == FORGE_REFUSE) {
        put_text(ret, "\"error\":{\"code\":-32601,\"message\":\"no such method\"}");
    } else {
        put_json(ret, model_proof_json(model, provider, params, head_of(model, provider)));
    }
}

static void answer_block(
    struct model *model, const struct model_provider *provider, uint64_t block, struct bytes *ret)
{
    char text[200];
    if (block > head_of(model, provider)) {
        put_text(ret, "\"result\":null");
        return;
    }
    if (model->proofs) {
        put_json(ret, model_block_json(model, provider, block));
        return;
    }
    (void)snprintf(text, sizeof text,
        "\"result\":{\"number\":\"0x%" PRIx64 "\",\"hash\":\"0x%064" PRIx64
        "\",\"timestamp\":\"0x%" PRIx64 "\"}",
        block, block, model_block_time_s(model, block) + provider->ahead_s);
    put_text(ret, text);
}

// A call on a wallet or on the registry. False if it hangs.
static bool answer_other_call(
    struct model *model, struct model_provider *provider, json_t *params, struct bytes *ret)
{
    json_t *call = json_array_get(params, 0);
    assert_string_equal(json_string_value(json_object_get(call, "gas")), "0x1e8480");
    assert_string_equal(json_string_value(json_array_get(params, 1)), "latest");
    struct span to = span_of_text(json_string_value(json_object_get(call, "to")));
    struct bytes data = bytes_of_hex(json_string_value(json_object_get(call, "data")));
    struct eth_address address;
    assert_int_equal(hex_parse(to, address.bytes, sizeof address.bytes), OK);
    struct model_result result = model_wallet_call(model, &address, span_of(data.data, data.size));
    provider->wallet_calls++;
    switch (provider->wallet_lie) {
    case WALLET_TRUTH:
    case WALLET_FAULTY:
        break;
    case WALLET_SAYS_YES:
        result = (struct model_result){.data = {0x16, 0x26, 0xba, 0x7e}, .size = WORD};
        break;
    case WALLET_SAYS_NO:
        result = (struct model_result){.size = WORD};
        break;
    case WALLET_SAYS_NOTHING:
        result = (struct model_result){.size = 0};
        break;
    }
    free(data.data);
    if (provider->wallet_lie == WALLET_FAULTY) {
        put_text(ret, "\"error\":{\"code\":-32603,\"message\":\"internal error\"}");
        return true;
    }
    switch (result.kind) {
    case MODEL_RETURNS:
    case MODEL_RETURNS_MEGABYTE:
        put_text(ret, "\"result\":\"0x");
        put_hex(ret, result.data, result.size);
        for (size_t i = 0; result.kind == MODEL_RETURNS_MEGABYTE && i < MEGABYTE; i++) {
            put_text(ret, "00");
        }
        put_text(ret, "\"");
        return true;
    case MODEL_REVERTS:
        put_text(ret, "\"error\":{\"code\":3,\"message\":\"execution reverted\"}");
        return true;
    case MODEL_RUNS_OUT:
        put_text(ret, "\"error\":{\"code\":-32000,\"message\":\"out of gas\"}");
        return true;
    case MODEL_HANGS:
        break;
    }
    return false;
}

static bool answer_method(struct model *model, struct model_provider *provider, const char *method,
    json_t *params, struct bytes *ret)
{
    char text[160];
    if (strcmp(method, "eth_chainId") == 0) {
        (void)snprintf(text, sizeof text, "\"result\":\"0x%" PRIx64 "\"", provider->chain_id);
        put_text(ret, text);
        return true;
    }
    if (strcmp(method, "eth_getCode") == 0) {
        const char *at = json_string_value(json_array_get(params, 1));
        uint64_t block = at[0] == '0' ? (uint64_t)strtoull(at, NULL, 16) : UINT64_MAX;
        if (block < model->deployed || (provider->no_past && block < head_of(model, provider)) ||
            (model->forgets && block < head_of(model, provider))) {
            put_text(ret, model->forgets ? "\"error\":{\"code\":-32000,\"message\":"
                                           "\"missing trie node\"}"
                                         : "\"result\":\"0x\"");
            return true;
        }
        bool aggregator =
            strstr(json_string_value(json_array_get(params, 0)), "0xca11bde0") != NULL;
        bool empty = aggregator ? provider->no_aggregator : provider->no_code;
        put_text(ret, empty ? "\"result\":\"0x\"" : "\"result\":\"0x6080\"");
        return true;
    }
    if (strcmp(method, "eth_blockNumber") == 0) {
        (void)snprintf(text, sizeof text, "\"result\":\"0x%" PRIx64 "\"",
            provider->endless ? UINT64_MAX - 1
                              : head_of(model, provider) + (provider->moves ? 1 : 0));
        put_text(ret, text);
        return true;
    }
    if (strcmp(method, "eth_getBlockByNumber") == 0) {
        const char *name = json_string_value(json_array_get(params, 0));
        uint64_t head = head_of(model, provider);
        uint64_t block = strcmp(name, "latest") == 0      ? head
                         : strcmp(name, "safe") == 0      ? head - MODEL_SAFE_BLOCKS
                         : strcmp(name, "finalized") == 0 ? head - MODEL_FINALIZED_BLOCKS
                                                          : (uint64_t)strtoull(name, NULL, 16);
        answer_block(model, provider, block, ret);
        return true;
    }
    if (strcmp(method, "eth_getBlockByHash") == 0) {
        const char *hash = json_string_value(json_array_get(params, 0));
        assert_int_equal(strlen(hash), 66);
        answer_block(model, provider, (uint64_t)strtoull(hash + 50, NULL, 16), ret);
        return true;
    }
    if (strcmp(method, "eth_getProof") == 0) {
        answer_proof(model, provider, params, ret);
        return true;
    }
    if (strcmp(method, "eth_getLogs") == 0) {
        char *logs = model_logs(model, provider, head_of(model, provider), params);
        put(ret, logs + 1, strlen(logs) - 2); // without its braces
        free(logs);
        return true;
    }
    assert_string_equal(method, "eth_call");
    if (provider->fault == FAULT_REFUSE) {
        put_text(ret, "\"error\":{\"code\":-32601,\"message\":\"no such method\"}");
        return true;
    }
    bool limited = json_object_get(json_array_get(params, 0), "gas") != NULL;
    return limited ? answer_other_call(model, provider, params, ret)
                   : answer_call(model, provider, params, ret);
}

static void reply_failed(struct model_reply *ret, enum rpc_outcome outcome)
{
    *ret = (struct model_reply){.comes = true, .reply = {.outcome = outcome}};
}

static void reply_bytes(struct model_reply *ret, int http_status, struct span body)
{
    struct bytes copy = {0};
    put(&copy, body.data, body.size);
    *ret = (struct model_reply){.comes = true,
        .reply = {.outcome = RPC_ANSWERED,
            .http_status = http_status,
            .body = span_of(copy.data, copy.size)},
        .owned = copy.data};
}

static void reply_text(struct model_reply *ret, int http_status, const char *text)
{
    reply_bytes(ret, http_status, span_of_text(text));
}

// True if the fault alone decides the reply.
static bool answer_fault(enum model_fault fault, uint64_t id, struct model_reply *ret)
{
    char text[160];
    switch (fault) {
    case FAULT_DEAD:
        reply_failed(ret, RPC_UNREACHABLE);
        return true;
    case FAULT_HANG:
        reply_failed(ret, RPC_TIMEOUT);
        return true;
    case FAULT_HUGE:
        reply_failed(ret, RPC_TOO_LARGE);
        return true;
    case FAULT_HTML:
        reply_text(ret, 502, "<html><body>Bad Gateway</body></html>");
        return true;
    case FAULT_DUPLICATE:
        (void)snprintf(text, sizeof text,
            "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",\"result\":\"0x7a69\",\"result\":\"0x1\"}",
            id);
        reply_text(ret, 200, text);
        return true;
    case FAULT_DEEP: {
        static char deep[100001];
        memset(deep, '[', sizeof deep - 1);
        reply_text(ret, 200, deep);
        return true;
    }
    case FAULT_NO_RESULT:
        (void)snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 "}", id);
        reply_text(ret, 200, text);
        return true;
    case FAULT_RATE_HTTP:
        reply_text(ret, 429, "slow down");
        ret->reply.retry_after_ms = 7000;
        return true;
    case FAULT_RATE_RPC:
        reply_text(ret, 200,
            "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32016,"
            "\"message\":\"over rate limit\"}}");
        return true;
    case FAULT_SILENT:
        return true;
    case FAULT_NONE:
    case FAULT_WRONG_ID:
    case FAULT_TRUNCATED:
    case FAULT_ARRAY:
    case FAULT_REFUSE:
    case FAULT_SHORT_DATA:
        break;
    }
    return false;
}

// True if the provider does not answer a batch of proofs, or not with one.
static bool model_refuses_proof(
    const struct model_provider *provider, json_t *request, struct model_reply *ret)
{
    json_t *proof = json_array_get(request, 1);
    const char *method = json_string_value(json_object_get(proof, "method"));
    if (method == NULL || strcmp(method, "eth_getProof") != 0) {
        return false;
    }
    json_t *slots = json_array_get(json_object_get(proof, "params"), 1);
    if (provider->forgery == FORGE_LARGE && json_array_size(slots) > 4) {
        reply_failed(ret, RPC_TOO_LARGE);
        return true;
    }
    return provider->forgery == FORGE_SILENT;
}

static bool answer_object(struct model *model, struct model_provider *provider, json_t *request,
    uint64_t id, struct bytes *ret)
{
    char head[96];
    assert_int_equal(json_integer_value(json_object_get(request, "id")), (json_int_t)id);
    (void)snprintf(head, sizeof head, "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",",
        id + (provider->fault == FAULT_WRONG_ID ? 1 : 0));
    put_text(ret, head);
    bool answered =
        answer_method(model, provider, json_string_value(json_object_get(request, "method")),
            json_object_get(request, "params"), ret);
    put_text(ret, "}");
    return answered;
}

// Answers last things first: the order is free.
static bool answer_batch(struct model *model, struct model_provider *provider, json_t *requests,
    uint64_t id, struct bytes *ret)
{
    bool answered = true;
    provider->batches++;
    put_text(ret, "[");
    for (size_t i = json_array_size(requests); i > 0; i--) {
        answered =
            answer_object(model, provider, json_array_get(requests, i - 1), id + i - 1, ret) &&
            answered;
        put_text(ret, i > 1 ? "," : "]");
    }
    return answered;
}

// True if the provider does not take the batch.
static bool answer_refused_batch(
    const struct model_provider *provider, json_t *request, uint64_t id, struct model_reply *ret)
{
    char text[160];
    size_t items = json_array_size(request);
    if (provider->limited_reads != 0 && items > provider->limited_reads) {
        reply_text(ret, 429, "slow down");
        return true;
    }
    if (provider->batch_max == 0 || items <= provider->batch_max || !json_is_array(request)) {
        return false;
    }
    if (provider->hates_pages) {
        reply_text(ret, 400, "<html></html>");
        return true;
    }
    (void)snprintf(text, sizeof text,
        "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64
        ",\"error\":{\"code\":-32600,\"message\":\"batch too large\"}}",
        id);
    reply_text(ret, 200, text);
    return true;
}

void model_answer(
    struct model *model, size_t index, uint64_t id, struct span request, struct model_reply *ret)
{
    struct model_provider *provider = &model->providers[index];
    *ret = (struct model_reply){.comes = false};
    provider->calls++;
    if (provider->turns_at != 0 && provider->calls > provider->turns_at) {
        provider->fault = provider->later;
    }
    if (answer_fault(provider->fault, id, ret)) {
        return;
    }
    json_t *root =
        json_loadb((const char *)request.data, request.size, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    struct bytes body = {0};
    if (model_refuses_proof(provider, root, ret)) {
        json_decref(root);
        return;
    }
    if (answer_refused_batch(provider, root, id, ret)) {
        json_decref(root);
        return;
    }
    bool answered = true;
    if (json_is_array(root)) {
        answered = answer_batch(model, provider, root, id, &body);
    } else {
        put_text(&body, provider->fault == FAULT_ARRAY ? "[" : "");
        answered = answer_object(model, provider, root, id, &body);
        put_text(&body, provider->fault == FAULT_ARRAY ? "]" : "");
    }
    size_t size = provider->fault == FAULT_TRUNCATED ? body.size / 2 : body.size;
    if (!answered) {
        reply_failed(ret, RPC_TIMEOUT);
    } else {
        reply_bytes(ret, 200, span_of(body.data, size));
    }
    free(body.data);
    json_decref(root);
}

void model_reply_clear(struct model_reply *reply)
{
    free(reply->owned);
    *reply = (struct model_reply){.comes = false};
}

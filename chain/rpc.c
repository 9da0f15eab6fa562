// SPDX-License-Identifier: GPL-3.0-or-later
//
// JSON-RPC answers, parsed by jansson with its strictest flags, then held against the one form that
// was asked for.
#include "chain/rpc.h"

#include "base/text.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

// Case-insensitive; `needle` is in lower case.
static bool text_contains(const char *text, const char *needle)
{
    size_t size = strlen(needle);
    for (; *text != '\0'; text++) {
        size_t i = 0;
        while (i < size && tolower((unsigned char)text[i]) == needle[i]) {
            i++;
        }
        if (i == size) {
            return true;
        }
    }
    return false;
}

static bool text_contains_any(const char *text, const char *const *needles, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (text_contains(text, needles[i])) {
            return true;
        }
    }
    return false;
}

// Providers agree neither on codes nor on texts; docs/architecture.md lists what they send. A code
// that means several things is told apart by its text: -32005 is both "daily request count
// exceeded" and "query returned more than 10000 results", and a limit may be one of size.
static enum rpc_verdict classify_error(int64_t code, const char *message)
{
    enum {
        REVERTED = 3,
        EXECUTION_ERROR = -32015,
        OVER_RATE = -32016,
        LIMIT_EXCEEDED = -32005,
        HTTP_TOO_MANY_REQUESTS = 429,
    };
    static const char *const size_texts[] = {
        "range", "results", "too large", "response size", "batch", "blocks", "gas", "timeout"};
    static const char *const rate_texts[] = {"rate limit", "rate-limit", "too many requests",
        "request count exceeded", "request limit", "limit exceeded", "compute units", "throughput",
        "quota", "capacity exceeded"};
    if (code == OVER_RATE || code == HTTP_TOO_MANY_REQUESTS) {
        return RPC_RATE_LIMITED;
    }
    if (code == REVERTED || code == EXECUTION_ERROR || text_contains(message, "revert")) {
        return RPC_REVERTED;
    }
    if (text_contains_any(message, size_texts, sizeof size_texts / sizeof size_texts[0])) {
        return RPC_CALL_FAILED;
    }
    if (code == LIMIT_EXCEEDED ||
        text_contains_any(message, rate_texts, sizeof rate_texts / sizeof rate_texts[0])) {
        return RPC_RATE_LIMITED;
    }
    return RPC_CALL_FAILED;
}

// A provider's words reach terminals and logs: nothing that is not printable stays.
static void copy_text(const json_t *message, char ret[static RPC_ERROR_TEXT_SIZE])
{
    const char *text = json_string_value(message);
    size_t size = 0;
    for (; text[size] != '\0' && size < RPC_ERROR_TEXT_SIZE - 1; size++) {
        ret[size] = text[size];
        if (text[size] < ' ' || text[size] > '~') {
            ret[size] = '?';
        }
    }
    ret[size] = '\0';
}

static bool parse_data(const json_t *result, struct rpc_answer *ret);

static void parse_error(const json_t *error, bool same_id, struct rpc_answer *ret)
{
    const json_t *code = json_object_get(error, "code");
    const json_t *message = json_object_get(error, "message");
    if (!json_is_integer(code) || !json_is_string(message)) {
        return;
    }
    ret->error_code = json_integer_value(code);
    copy_text(message, ret->error_text);
    enum rpc_verdict verdict = classify_error(ret->error_code, json_string_value(message));
    // Some providers refuse before they read the id; to back off is harmless.
    if (same_id || verdict == RPC_RATE_LIMITED) {
        ret->verdict = verdict;
    }
    if (ret->verdict == RPC_REVERTED) {
        (void)parse_data(json_object_get(error, "data"), ret); // not everyone tells
    }
}

// The digits after "0x", or NULL.
static const char *hex_digits(const json_t *value, size_t *ret_count)
{
    if (!json_is_string(value)) {
        return NULL;
    }
    const char *text = json_string_value(value);
    size_t size = json_string_length(value);
    if (size < 2 || text[0] != '0' || text[1] != 'x') {
        return NULL;
    }
    *ret_count = size - 2;
    return text + 2;
}

static bool parse_data(const json_t *result, struct rpc_answer *ret)
{
    size_t count = 0;
    const char *digits = hex_digits(result, &count);
    if (digits == NULL || count % 2 != 0) {
        return false;
    }
    uint8_t *data = malloc(count / 2 + 1);
    if (data == NULL || hex_parse(span_of(digits, count), data, count / 2) != OK) {
        free(data);
        return false;
    }
    ret->data = data;
    ret->size = count / 2;
    return true;
}

static bool read_quantity(const json_t *value, uint64_t *ret)
{
    size_t count = 0;
    const char *digits = hex_digits(value, &count);
    if (digits == NULL || count == 0 || count > 16 || (count > 1 && digits[0] == '0')) {
        return false;
    }
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t digit = hex_digit_value((uint8_t)digits[i]);
        if (digit == HEX_NOT_A_DIGIT) {
            return false;
        }
        number = number << 4 | digit;
    }
    *ret = number;
    return true;
}

static bool parse_block_hash(const json_t *result, struct rpc_answer *ret)
{
    size_t count = 0;
    const char *digits = hex_digits(json_object_get(result, "hash"), &count);
    return digits != NULL &&
           hex_parse(span_of(digits, count), ret->hash.bytes, sizeof ret->hash.bytes) == OK;
}

// No such block: an answer that some nodes give while others know it.
static bool is_no_block(const json_t *result, enum rpc_form form)
{
    return (form == RPC_BLOCK_HASH || form == RPC_HEAD) && json_is_null(result);
}

static bool parse_result(json_t *result, enum rpc_form form, struct rpc_answer *ret)
{
    switch (form) {
    case RPC_DATA:
        return parse_data(result, ret);
    case RPC_QUANTITY:
        return read_quantity(result, &ret->quantity);
    case RPC_BLOCK_HASH:
        return parse_block_hash(result, ret);
    case RPC_HEAD:
        return parse_block_hash(result, ret) &&
               read_quantity(json_object_get(result, "number"), &ret->number) &&
               read_quantity(json_object_get(result, "timestamp"), &ret->time_s);
    case RPC_JSON:
        ret->json = json_incref(result);
        return true;
    }
    return false;
}

static bool is_answer(const json_t *object)
{
    const json_t *version = json_object_get(object, "jsonrpc");
    bool has_result = json_object_get(object, "result") != NULL;
    bool has_error = json_object_get(object, "error") != NULL;
    return json_is_string(version) && strcmp(json_string_value(version), "2.0") == 0 &&
           has_result != has_error;
}

static void parse_object(
    const json_t *root, uint64_t id, int http_status, enum rpc_form form, struct rpc_answer *ret)
{
    const json_t *own_id = json_object_get(root, "id");
    const json_t *error = json_object_get(root, "error");
    bool same_id = json_is_integer(own_id) && json_integer_value(own_id) == (json_int_t)id;
    if (!is_answer(root)) {
        return;
    }
    if (error != NULL) {
        parse_error(error, same_id, ret);
    } else if (same_id && http_status >= 200 && http_status < 300) {
        json_t *result = json_object_get(root, "result");
        if (is_no_block(result, form)) {
            ret->verdict = RPC_CALL_FAILED;
        } else if (parse_result(result, form, ret)) {
            ret->verdict = RPC_RESULT;
        }
    }
}

// For what HTTP alone says, when the body says nothing.
static enum rpc_verdict classify_http(const struct rpc_reply *reply)
{
    enum { CONTENT_TOO_LARGE = 413, TOO_MANY_REQUESTS = 429, UNAVAILABLE = 503 };
    if (reply->http_status == TOO_MANY_REQUESTS ||
        (reply->http_status == UNAVAILABLE && reply->retry_after_ms > 0)) {
        return RPC_RATE_LIMITED;
    }
    return reply->http_status == CONTENT_TOO_LARGE ? RPC_CALL_FAILED : RPC_FAULT;
}

// The reply's JSON, for the caller to release, if there is any to read; else NULL. `ret` says what
// the reply means if its body turns out to mean nothing.
static json_t *open_reply(const struct rpc_reply *reply, enum rpc_verdict *ret)
{
    *ret = RPC_FAULT;
    if (reply->outcome == RPC_TOO_LARGE) {
        *ret = RPC_CALL_FAILED;
        return NULL;
    }
    if (reply->outcome != RPC_ANSWERED) {
        return NULL;
    }
    *ret = classify_http(reply);
    if (*ret == RPC_RATE_LIMITED || reply->body.size == 0) {
        return NULL;
    }
    // The text of an error may quote what a contract reverted with, zeroes and all.
    return json_loadb((const char *)reply->body.data, reply->body.size,
        JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
}

void rpc_answer_parse(
    const struct rpc_reply *reply, uint64_t id, enum rpc_form form, struct rpc_answer *ret)
{
    *ret = (struct rpc_answer){.verdict = RPC_FAULT};
    json_t *root = open_reply(reply, &ret->verdict);
    if (json_is_object(root)) {
        parse_object(root, id, reply->http_status, form, ret);
    }
    json_decref(root);
}

void rpc_answer_clear(struct rpc_answer *answer)
{
    free(answer->data);
    json_decref(answer->json);
    *answer = (struct rpc_answer){.verdict = RPC_FAULT};
}

// Statuses by which a server says that it does not take such a request, when its body is no
// JSON-RPC. For a single call they would be a fault; for a batch, smaller ones may pass.
static bool refuses_batches(int http_status)
{
    enum { BAD_REQUEST = 400, NOT_ALLOWED = 405, UNPROCESSABLE = 422, NOT_IMPLEMENTED = 501 };
    return http_status == BAD_REQUEST || http_status == NOT_ALLOWED ||
           http_status == UNPROCESSABLE || http_status == NOT_IMPLEMENTED;
}

// The provider's word on the whole batch, if `object` is one: an error, for whatever id.
static void refuse_batch(const json_t *object, struct rpc_batch *batch)
{
    struct rpc_answer answer = {.verdict = RPC_FAULT};
    if (is_answer(object) && json_object_get(object, "error") != NULL) {
        parse_error(json_object_get(object, "error"), true, &answer);
    }
    // That the whole reverts means nothing.
    batch->verdict = answer.verdict == RPC_REVERTED ? RPC_FAULT : answer.verdict;
    batch->error_code = answer.error_code;
    memcpy(batch->error_text, answer.error_text, sizeof batch->error_text);
    rpc_answer_clear(&answer);
}

// True if the ids of the array are those of the batch, each once.
static bool sort_items(const json_t *array, struct rpc_batch *batch)
{
    if (json_array_size(array) != batch->count) {
        return false;
    }
    for (size_t i = 0; i < batch->count; i++) {
        json_t *item = json_array_get(array, i);
        const json_t *id = json_object_get(item, "id");
        if (!is_answer(item) || !json_is_integer(id) || json_integer_value(id) < 0) {
            return false;
        }
        uint64_t index = (uint64_t)json_integer_value(id) - batch->id; // wraps: then too large
        if (index >= batch->count || batch->items[index] != NULL) {
            return false;
        }
        batch->items[index] = item;
    }
    return true;
}

static void parse_batch(struct rpc_batch *batch)
{
    const json_t *root = batch->root;
    const json_t *only = json_array_size(root) == 1 ? json_array_get(root, 0) : NULL;
    if (json_is_object(root)) {
        refuse_batch(root, batch);
        return;
    }
    batch->items = calloc(batch->count, sizeof(struct json_t *));
    bool sorted = batch->items != NULL && sort_items(root, batch);
    if (sorted && batch->http_status >= 200 && batch->http_status < 300) {
        batch->verdict = RPC_RESULT;
    } else if (json_object_get(only, "error") != NULL) {
        refuse_batch(only, batch);
    } else {
        batch->verdict = RPC_FAULT;
    }
}

void rpc_batch_parse(
    const struct rpc_reply *reply, uint64_t id, size_t count, struct rpc_batch *ret)
{
    ASSERT(count >= 1 && count <= RPC_BATCH_MAX);
    *ret = (struct rpc_batch){.id = id, .count = count, .http_status = reply->http_status};
    ret->root = open_reply(reply, &ret->verdict);
    if (ret->verdict == RPC_FAULT && reply->outcome == RPC_ANSWERED && count > 1 &&
        refuses_batches(reply->http_status)) {
        ret->verdict = RPC_CALL_FAILED;
    }
    if (ret->root != NULL) {
        parse_batch(ret);
    }
}

void rpc_batch_item(
    const struct rpc_batch *batch, size_t index, enum rpc_form form, struct rpc_answer *ret)
{
    ASSERT(batch->verdict == RPC_RESULT && index < batch->count);
    *ret = (struct rpc_answer){.verdict = RPC_FAULT};
    parse_object(batch->items[index], batch->id + index, batch->http_status, form, ret);
}

void rpc_batch_clear(struct rpc_batch *batch)
{
    free(batch->items);
    json_decref(batch->root);
    *batch = (struct rpc_batch){.verdict = RPC_FAULT};
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// JSON-RPC: bodies written by hand, since they hold nothing but numbers and hex; answers parsed by
// jansson with its strictest flags, then held against the one form that was asked for.
#include "chain/rpc.h"

#include "base/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_text(struct writer *writer, const char *text)
{
    write_span(writer, span_of_text(text));
}

static void begin_request(struct writer *writer, uint64_t id, const char *method)
{
    char head[96];
    int size = snprintf(head, sizeof head,
        "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",\"method\":\"%s\",\"params\":[", id, method);
    ASSERT(size > 0 && (size_t)size < sizeof head);
    write_text(writer, head);
}

void rpc_write_hex(struct writer *writer, struct span bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.size; i++) {
        write_u8(writer, (uint8_t)digits[bytes.data[i] >> 4]);
        write_u8(writer, (uint8_t)digits[bytes.data[i] & 15]);
    }
}

void rpc_write_chain_id(struct writer *writer, uint64_t id)
{
    begin_request(writer, id, "eth_chainId");
    write_text(writer, "]}");
}

void rpc_write_code(struct writer *writer, uint64_t id, const struct eth_address *address)
{
    begin_request(writer, id, "eth_getCode");
    write_text(writer, "\"0x");
    rpc_write_hex(writer, span_of(address->bytes, sizeof address->bytes));
    write_text(writer, "\",\"latest\"]}");
}

void rpc_write_block(struct writer *writer, uint64_t id, uint64_t number)
{
    begin_request(writer, id, "eth_getBlockByNumber");
    char parameters[48];
    int size = snprintf(parameters, sizeof parameters, "\"0x%" PRIx64 "\",false]}", number);
    ASSERT(size > 0 && (size_t)size < sizeof parameters);
    write_text(writer, parameters);
}

void rpc_begin_call(struct writer *writer, uint64_t id, const struct eth_address *to)
{
    begin_request(writer, id, "eth_call");
    write_text(writer, "{\"to\":\"0x");
    rpc_write_hex(writer, span_of(to->bytes, sizeof to->bytes));
    write_text(writer, "\",\"data\":\"0x");
}

void rpc_end_call(struct writer *writer, const struct hash256 *block_hash)
{
    if (block_hash == NULL) {
        write_text(writer, "\"},\"latest\"]}");
        return;
    }
    write_text(writer, "\"},{\"blockHash\":\"0x");
    rpc_write_hex(writer, span_of(block_hash->bytes, sizeof block_hash->bytes));
    write_text(writer, "\",\"requireCanonical\":true}]}");
}

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

// Providers agree neither on codes nor on texts; notes of what they send stand in
// docs/architecture.md. A code that means several things is told apart by its text.
static enum rpc_verdict classify_error(int64_t code, const char *message)
{
    enum { REVERTED = 3, EXECUTION_ERROR = -32015, OVER_RATE = -32016, LIMIT_EXCEEDED = -32005 };
    static const char *const rate_texts[] = {
        "rate limit", "too many requests", "request count exceeded", "limit exceeded"};
    if (code == OVER_RATE || code == LIMIT_EXCEEDED) {
        return RPC_RATE_LIMITED;
    }
    if (code == REVERTED || code == EXECUTION_ERROR || text_contains(message, "revert")) {
        return RPC_REVERTED;
    }
    for (size_t i = 0; i < sizeof rate_texts / sizeof rate_texts[0]; i++) {
        if (text_contains(message, rate_texts[i])) {
            return RPC_RATE_LIMITED;
        }
    }
    return RPC_CALL_FAILED;
}

static void parse_error(const json_t *error, bool same_id, struct rpc_answer *ret)
{
    const json_t *code = json_object_get(error, "code");
    const json_t *message = json_object_get(error, "message");
    if (!json_is_integer(code) || !json_is_string(message)) {
        return;
    }
    ret->error_code = json_integer_value(code);
    enum rpc_verdict verdict = classify_error(ret->error_code, json_string_value(message));
    // Some providers refuse before they read the id; to back off is harmless.
    if (same_id || verdict == RPC_RATE_LIMITED) {
        ret->verdict = verdict;
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

static bool parse_quantity(const json_t *result, struct rpc_answer *ret)
{
    size_t count = 0;
    const char *digits = hex_digits(result, &count);
    if (digits == NULL || count == 0 || count > 16 || (count > 1 && digits[0] == '0')) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t digit = hex_digit_value((uint8_t)digits[i]);
        if (digit == HEX_NOT_A_DIGIT) {
            return false;
        }
        value = value << 4 | digit;
    }
    ret->quantity = value;
    return true;
}

static bool parse_block_hash(const json_t *result, struct rpc_answer *ret)
{
    size_t count = 0;
    const char *digits = hex_digits(json_object_get(result, "hash"), &count);
    return digits != NULL &&
           hex_parse(span_of(digits, count), ret->hash.bytes, sizeof ret->hash.bytes) == OK;
}

static bool parse_result(const json_t *result, enum rpc_form form, struct rpc_answer *ret)
{
    switch (form) {
    case RPC_DATA:
        return parse_data(result, ret);
    case RPC_QUANTITY:
        return parse_quantity(result, ret);
    case RPC_BLOCK_HASH:
        return parse_block_hash(result, ret);
    }
    return false;
}

static void parse_object(
    const json_t *root, uint64_t id, int http_status, enum rpc_form form, struct rpc_answer *ret)
{
    const json_t *version = json_object_get(root, "jsonrpc");
    const json_t *own_id = json_object_get(root, "id");
    const json_t *result = json_object_get(root, "result");
    const json_t *error = json_object_get(root, "error");
    bool same_id = json_is_integer(own_id) && json_integer_value(own_id) == (json_int_t)id;
    if (!json_is_string(version) || strcmp(json_string_value(version), "2.0") != 0 ||
        (result == NULL) == (error == NULL)) {
        return;
    }
    if (error != NULL) {
        parse_error(error, same_id, ret);
    } else if (same_id && http_status >= 200 && http_status < 300 &&
               parse_result(result, form, ret)) {
        ret->verdict = RPC_RESULT;
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

void rpc_answer_parse(
    const struct rpc_reply *reply, uint64_t id, enum rpc_form form, struct rpc_answer *ret)
{
    *ret = (struct rpc_answer){.verdict = RPC_FAULT};
    if (reply->outcome == RPC_TOO_LARGE) {
        ret->verdict = RPC_CALL_FAILED;
        return;
    }
    if (reply->outcome != RPC_ANSWERED) {
        return;
    }
    ret->verdict = classify_http(reply);
    if (ret->verdict == RPC_RATE_LIMITED || reply->body.size == 0) {
        return;
    }
    json_t *root =
        json_loadb((const char *)reply->body.data, reply->body.size, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(root)) {
        parse_object(root, id, reply->http_status, form, ret);
    }
    json_decref(root);
}

void rpc_answer_clear(struct rpc_answer *answer)
{
    free(answer->data);
    *answer = (struct rpc_answer){.verdict = RPC_FAULT};
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Request bodies to the letter, and answers: the one right form, and everything else.
#include "base/text.h"
#include "chain/rpc.h"

#include "tests/unit/unit.h"

#include <jansson.h>

static const struct eth_address target = {{0xaa, [19] = 0xbb}};

static struct rpc_answer parse_status(const char *body, int http_status, enum rpc_form form)
{
    struct rpc_reply reply = {
        .outcome = RPC_ANSWERED, .http_status = http_status, .body = span_of_text(body)};
    struct rpc_answer answer;
    rpc_answer_parse(&reply, 7, form, &answer);
    return answer;
}

static void assert_verdict(const char *body, enum rpc_form form, enum rpc_verdict expected)
{
    struct rpc_answer answer = parse_status(body, 200, form);
    assert_int_equal(answer.verdict, expected);
    rpc_answer_clear(&answer);
}

static void assert_body(const struct writer *writer, const char *expected)
{
    assert_int_equal(writer_finish(writer), OK);
    assert_int_equal(writer->size, strlen(expected));
    assert_memory_equal(writer->data, expected, writer->size);
}

static void bodies_are_as_the_specification_wants_them(void **)
{
    uint8_t buffer[512];
    struct writer writer = writer_of(buffer, sizeof buffer);
    rpc_write_chain_id(&writer, 7);
    assert_body(&writer, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"eth_chainId\",\"params\":[]}");
    writer = writer_of(buffer, sizeof buffer);
    rpc_write_code(&writer, 7, &target);
    assert_body(&writer, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"eth_getCode\",\"params\":["
                         "\"0xaa000000000000000000000000000000000000bb\",\"latest\"]}");
    writer = writer_of(buffer, sizeof buffer);
    struct rpc_block block = rpc_block_of_number(0x1b4);
    rpc_write_block(&writer, 7, &block);
    assert_body(&writer, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"eth_getBlockByNumber\","
                         "\"params\":[\"0x1b4\",false]}");
    writer = writer_of(buffer, sizeof buffer);
    rpc_begin_call(&writer, 7, &target);
    rpc_write_hex(&writer, span_of("\x01\xff", 2));
    rpc_end_call(&writer, NULL);
    assert_body(&writer, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"eth_call\",\"params\":[{"
                         "\"to\":\"0xaa000000000000000000000000000000000000bb\","
                         "\"data\":\"0x01ff\"},\"latest\"]}");
    static const struct hash256 hash = {{0x12}};
    writer = writer_of(buffer, sizeof buffer);
    rpc_begin_call(&writer, 7, &target);
    block = rpc_block_of_hash(&hash);
    rpc_end_call(&writer, &block);
    assert_body(&writer, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"eth_call\",\"params\":[{"
                         "\"to\":\"0xaa000000000000000000000000000000000000bb\","
                         "\"data\":\"0x\"},{\"blockHash\":\"0x12000000000000000000000000000000000"
                         "00000000000000000000000000000\",\"requireCanonical\":true}]}");
    writer = writer_of(buffer, 10);
    rpc_write_chain_id(&writer, 7);
    assert_int_equal(writer_finish(&writer), ERR_FULL);
}

static void results(void **)
{
    struct rpc_answer answer =
        parse_status("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x00fF\"}", 200, RPC_DATA);
    assert_int_equal(answer.verdict, RPC_RESULT);
    assert_int_equal(answer.size, 2);
    assert_memory_equal(answer.data, "\x00\xff", 2);
    rpc_answer_clear(&answer);
    answer = parse_status("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x\"}", 200, RPC_DATA);
    assert_int_equal(answer.verdict, RPC_RESULT);
    assert_int_equal(answer.size, 0);
    rpc_answer_clear(&answer);
    answer = parse_status(
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0xffffffffffffffff\"}", 200, RPC_QUANTITY);
    assert_int_equal(answer.verdict, RPC_RESULT);
    assert_true(answer.quantity == UINT64_MAX);
    answer = parse_status("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x0\"}", 200, RPC_QUANTITY);
    assert_int_equal(answer.verdict, RPC_RESULT);
    assert_true(answer.quantity == 0);
    answer = parse_status("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"hash\":\"0x"
                          "1200000000000000000000000000000000000000000000000000000000000034\"}}",
        200, RPC_BLOCK_HASH);
    assert_int_equal(answer.verdict, RPC_RESULT);
    assert_int_equal(answer.hash.bytes[0], 0x12);
    assert_int_equal(answer.hash.bytes[31], 0x34);
}

static void whatever_is_no_such_result_is_a_fault(void **)
{
    static const char *const bodies[] = {
        "",
        "null",
        "7",
        "[]",
        "\"0x\"",
        "{}",
        "{",
        "<html></html>",
        "{\"id\":7}",
        "{\"id\":7,\"result\":\"0x\"}",
        "{\"jsonrpc\":\"1.0\",\"id\":7,\"result\":\"0x\"}",
        "{\"jsonrpc\":2.0,\"id\":7,\"result\":\"0x\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":8,\"result\":\"0x\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":\"7\",\"result\":\"0x\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":7.0,\"result\":\"0x\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":\"0x\"}",
        "{\"jsonrpc\":\"2.0\",\"result\":\"0x\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":7}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":null}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":7}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"00\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0X00\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x0\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x0g\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x00 \"}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x00\\u0000\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x00\"} x",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x00\",\"result\":\"0x00\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"id\":7,\"result\":\"0x00\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x00\",\"error\":null}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x00\",\"error\":{\"code\":3}}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":\"3\",\"message\":\"\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":3}}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":\"reverted\"}",
        "{\"jsonrpc\":\"2.0\",\"id\":8,\"error\":{\"code\":3,\"message\":\"reverted\"}}",
        "[{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x00\"}]",
        "{\"jsonrpc\":\"2.0\",\"id\":99999999999999999999,\"result\":\"0x00\"}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_verdict(bodies[i], RPC_DATA, RPC_FAULT);
    }
    static const char *const quantities[] = {
        "0x", "0x00", "0x01", "0x10000000000000000", "1", "0xg"};
    for (size_t i = 0; i < sizeof quantities / sizeof quantities[0]; i++) {
        char body[96] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"";
        struct writer writer = writer_of((uint8_t *)body, sizeof body);
        writer.size = strlen(body);
        write_span(&writer, span_of_text(quantities[i]));
        write_span(&writer, span_of("\"}", 3));
        assert_verdict(body, RPC_QUANTITY, RPC_FAULT);
    }
    assert_verdict(
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":null}", RPC_BLOCK_HASH, RPC_CALL_FAILED);
    assert_verdict(
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"hash\":null}}", RPC_BLOCK_HASH, RPC_FAULT);
    assert_verdict(
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"hash\":\"0x12\"}}", RPC_BLOCK_HASH, RPC_FAULT);
}

static void errors_are_told_apart(void **)
{
#define ERROR_BODY(id, code, text)                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":" code ",\"message\":\"" text "\"}}"
    assert_verdict(ERROR_BODY("7", "3", "execution reverted: no"), RPC_DATA, RPC_REVERTED);
    assert_verdict(ERROR_BODY("7", "-32000", "Execution Reverted"), RPC_DATA, RPC_REVERTED);
    assert_verdict(ERROR_BODY("7", "-32015", "VM execution error"), RPC_DATA, RPC_REVERTED);
    assert_verdict(ERROR_BODY("7", "-32000", "out of gas"), RPC_DATA, RPC_CALL_FAILED);
    assert_verdict(ERROR_BODY("7", "-32001", "Resource not found"), RPC_DATA, RPC_CALL_FAILED);
    assert_verdict(ERROR_BODY("7", "-32601", "no such method"), RPC_DATA, RPC_CALL_FAILED);
    assert_verdict(ERROR_BODY("7", "-32016", "over rate limit"), RPC_DATA, RPC_RATE_LIMITED);
    assert_verdict(ERROR_BODY("null", "-32016", "over rate limit"), RPC_DATA, RPC_RATE_LIMITED);
    assert_verdict(
        ERROR_BODY("7", "-32005", "daily request count exceeded"), RPC_DATA, RPC_RATE_LIMITED);
    assert_verdict(ERROR_BODY("7", "-32000", "Over Rate Limit"), RPC_DATA, RPC_RATE_LIMITED);
    assert_verdict(ERROR_BODY("null", "-32700", "parse error"), RPC_DATA, RPC_FAULT);
    struct rpc_answer answer = parse_status(ERROR_BODY("7", "-32600", "no"), 400, RPC_DATA);
    assert_int_equal(answer.verdict, RPC_CALL_FAILED); // some send their errors with a status
    assert_int_equal(answer.error_code, -32600);
}

static void http_says_something_too(void **)
{
    static const char good[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":\"0x00\"}";
    assert_int_equal(parse_status(good, 500, RPC_DATA).verdict, RPC_FAULT);
    assert_int_equal(parse_status(good, 301, RPC_DATA).verdict, RPC_FAULT);
    assert_int_equal(parse_status(good, 429, RPC_DATA).verdict, RPC_RATE_LIMITED);
    assert_int_equal(parse_status("", 413, RPC_DATA).verdict, RPC_CALL_FAILED);
    struct rpc_reply reply = {.outcome = RPC_ANSWERED, .http_status = 503, .retry_after_ms = 1000};
    struct rpc_answer answer;
    rpc_answer_parse(&reply, 7, RPC_DATA, &answer);
    assert_int_equal(answer.verdict, RPC_RATE_LIMITED);
    reply.retry_after_ms = 0;
    rpc_answer_parse(&reply, 7, RPC_DATA, &answer);
    assert_int_equal(answer.verdict, RPC_FAULT);
    static const enum rpc_outcome outcomes[] = {RPC_UNREACHABLE, RPC_TIMEOUT};
    for (size_t i = 0; i < 2; i++) {
        reply = (struct rpc_reply){.outcome = outcomes[i], .body = span_of_text(good)};
        rpc_answer_parse(&reply, 7, RPC_DATA, &answer);
        assert_int_equal(answer.verdict, RPC_FAULT);
    }
    reply.outcome = RPC_TOO_LARGE;
    rpc_answer_parse(&reply, 7, RPC_DATA, &answer);
    assert_int_equal(answer.verdict, RPC_CALL_FAILED);
}

static void requests_of_every_kind(void **)
{
    uint8_t buffer[1024];
    static const struct hash256 words[] = {{{0x11}}, {{0x22}}};
    struct rpc_block finalized = {.kind = RPC_FINALIZED};
    struct rpc_block safe = {.kind = RPC_SAFE};
    struct rpc_block pinned = rpc_block_of_hash(&words[0]);
    struct writer writer = writer_of(buffer, sizeof buffer);
#define WORD(first) "\"0x" first "00000000000000000000000000000000000000000000000000000000000000\""
#define TARGET "\"0xaa000000000000000000000000000000000000bb\""
#define REQUEST(id, method)                                                                        \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":["
    rpc_write_batch_begin(&writer);
    rpc_write_block(&writer, 1, &finalized);
    rpc_write_batch_next(&writer);
    rpc_write_block(&writer, 2, &pinned);
    rpc_write_batch_end(&writer);
    assert_body(&writer, "[" REQUEST("1", "eth_getBlockByNumber") "\"finalized\",false]}," REQUEST(
                             "2", "eth_getBlockByHash") WORD("11") ",false]}]");
    writer = writer_of(buffer, sizeof buffer);
    rpc_write_proof(&writer, 7, &target, words, 2, &safe);
    assert_body(
        &writer, REQUEST("7", "eth_getProof") TARGET ",[" WORD("11") "," WORD("22") "],\"safe\"]}");
    writer = writer_of(buffer, sizeof buffer);
    rpc_write_proof(&writer, 7, &target, NULL, 0, &pinned);
    assert_body(&writer, REQUEST("7", "eth_getProof") TARGET
        ",[],{\"blockHash\":" WORD("11") ",\"requireCanonical\":true}]}");
    struct rpc_log_filter filter = {.address = target,
        .topics = words,
        .topic_count = 2,
        .from = rpc_block_of_number(0),
        .to = rpc_block_of_number(UINT64_MAX)};
    writer = writer_of(buffer, sizeof buffer);
    rpc_write_logs(&writer, 7, &filter);
    assert_body(&writer,
        REQUEST("7", "eth_getLogs") "{\"address\":" TARGET
                                    ",\"fromBlock\":\"0x0\",\"toBlock\":\"0xffffffffffffffff\","
                                    "\"topics\":[[" WORD("11") "," WORD("22") "]]}]}");
    filter.topic_count = 0;
    filter.to = (struct rpc_block){.kind = RPC_LATEST};
    writer = writer_of(buffer, sizeof buffer);
    rpc_write_logs(&writer, 7, &filter);
    assert_body(&writer,
        REQUEST("7", "eth_getLogs") "{\"address\":" TARGET
                                    ",\"fromBlock\":\"0x0\",\"toBlock\":\"latest\"}]}");
    writer = writer_of(buffer, sizeof buffer);
    rpc_begin_request(&writer, 7, "eth_sendRawTransaction");
    rpc_write_data(&writer, span_of("\x02\xff", 2));
    rpc_end_request(&writer);
    assert_body(&writer, REQUEST("7", "eth_sendRawTransaction") "\"0x02ff\"]}");
}

static void a_head_has_hash_number_and_time(void **)
{
#define HEAD(number, time)                                                                         \
    "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"hash\":\"0x"                                      \
    "1200000000000000000000000000000000000000000000000000000000000034\",\"number\":\"" number      \
    "\",\"timestamp\":\"" time "\"}}"
    struct rpc_answer answer = parse_status(HEAD("0x1b4", "0x10"), 200, RPC_HEAD);
    assert_int_equal(answer.verdict, RPC_RESULT);
    assert_int_equal(answer.hash.bytes[31], 0x34);
    assert_int_equal(answer.number, 0x1b4);
    assert_int_equal(answer.time_s, 16);
    assert_verdict(HEAD("0x01b4", "0x10"), RPC_HEAD, RPC_FAULT);
    assert_verdict(HEAD("0x1b4", "16"), RPC_HEAD, RPC_FAULT);
    assert_verdict("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":null}", RPC_HEAD, RPC_CALL_FAILED);
}

static void any_result_is_had_as_json(void **)
{
    struct rpc_answer answer =
        parse_status("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":[1,2]}", 200, RPC_JSON);
    assert_int_equal(answer.verdict, RPC_RESULT);
    assert_int_equal(json_array_size(answer.json), 2);
    rpc_answer_clear(&answer);
    assert_null(answer.json);
    answer = parse_status("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":null}", 200, RPC_JSON);
    assert_int_equal(answer.verdict, RPC_RESULT);
    assert_true(json_is_null(answer.json));
    rpc_answer_clear(&answer);
}

static void an_error_tells_its_text_and_what_was_reverted_with(void **)
{
    struct rpc_answer answer =
        parse_status("{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":3,\"message\":\"execution "
                     "reverted\\u001b[2J\",\"data\":\"0x7e27\"}}",
            200, RPC_QUANTITY);
    assert_int_equal(answer.verdict, RPC_REVERTED);
    assert_string_equal(answer.error_text, "execution reverted?[2J");
    assert_int_equal(answer.size, 2);
    assert_memory_equal(answer.data, "\x7e\x27", 2);
    rpc_answer_clear(&answer);
}

// As anvil tells of a custom error: its argument, a small number, as if it were text.
static void an_errors_text_may_have_zeroes_in_it(void **)
{
    struct rpc_answer answer =
        parse_status("{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":3,\"message\":\"execution "
                     "reverted: custom "
                     "error 0x7e273289: \\u0000\\u0000\\u0012g\",\"data\":\"0x7e273289\"}}",
            200, RPC_DATA);
    assert_int_equal(answer.verdict, RPC_REVERTED);
    assert_int_equal(answer.size, 4);
    assert_string_equal(answer.error_text, "execution reverted: custom error 0x7e273289: ");
    rpc_answer_clear(&answer);
}

// Texts and codes as providers send them, verdicts by what each of them means.
static void errors_of_the_wild(void **)
{
    static const struct {
        const char *body;
        enum rpc_verdict verdict;
    } errors[] = {
        {ERROR_BODY("7", "-32005", "query returned more than 10000 results"), RPC_CALL_FAILED},
        {ERROR_BODY("7", "-32602", "range 20000 exceeds limit of 10000"), RPC_CALL_FAILED},
        {ERROR_BODY("7", "-32600", "up to a 500 block range should work"), RPC_CALL_FAILED},
        {ERROR_BODY("7", "-32602", "query exceeds max results 20000, retry with the range 1-2"),
            RPC_CALL_FAILED},
        {ERROR_BODY("7", "-32000", "response size limit exceeded"), RPC_CALL_FAILED},
        {ERROR_BODY("7", "-32600", "batch too large"), RPC_CALL_FAILED},
        {ERROR_BODY("7", "-32007", "50/second request limit reached"), RPC_RATE_LIMITED},
        {ERROR_BODY("7", "429", "Your app has exceeded its capacity"), RPC_RATE_LIMITED},
        {ERROR_BODY("7", "-32090", "Too many requests, reason: call rate limit exhausted"),
            RPC_RATE_LIMITED},
        {ERROR_BODY("7", "-32005", "limit exceeded"), RPC_RATE_LIMITED},
        {ERROR_BODY("7", "3", "execution reverted: over rate limit"), RPC_REVERTED},
    };
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        assert_verdict(errors[i].body, RPC_DATA, errors[i].verdict);
    }
}

static struct rpc_batch parse_batch_status(const char *body, int http_status, size_t count)
{
    struct rpc_reply reply = {
        .outcome = RPC_ANSWERED, .http_status = http_status, .body = span_of_text(body)};
    struct rpc_batch batch;
    rpc_batch_parse(&reply, 7, count, &batch);
    return batch;
}

#define ITEM(id, result) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":" result "}"

static void a_batch_comes_in_any_order(void **)
{
    struct rpc_batch batch = parse_batch_status(
        "[" ERROR_BODY("8", "3", "reverted") "," ITEM("9", "[7]") "," ITEM("7", "\"0x00\"") "]",
        200, 3);
    assert_int_equal(batch.verdict, RPC_RESULT);
    struct rpc_answer items[3];
    rpc_batch_item(&batch, 0, RPC_DATA, &items[0]);
    rpc_batch_item(&batch, 1, RPC_DATA, &items[1]);
    rpc_batch_item(&batch, 2, RPC_JSON, &items[2]);
    struct rpc_answer again;
    rpc_batch_item(&batch, 2, RPC_QUANTITY, &again); // one item's form does not spoil the others
    rpc_batch_clear(&batch);
    assert_int_equal(items[0].verdict, RPC_RESULT);
    assert_int_equal(items[0].size, 1);
    assert_int_equal(items[1].verdict, RPC_REVERTED);
    assert_int_equal(items[2].verdict, RPC_RESULT);
    assert_int_equal(json_array_size(items[2].json), 1); // lives without its batch
    assert_int_equal(again.verdict, RPC_FAULT);
    for (size_t i = 0; i < 3; i++) {
        rpc_answer_clear(&items[i]);
    }
}

static void a_batch_has_each_id_once_and_no_other(void **)
{
    static const char *const bodies[] = {
        "[]",
        "[" ITEM("7", "\"0x\"") "]",
        "[" ITEM("7", "\"0x\"") "," ITEM("7", "\"0x\"") "]",
        "[" ITEM("7", "\"0x\"") "," ITEM("9", "\"0x\"") "]",
        "[" ITEM("7", "\"0x\"") "," ITEM("6", "\"0x\"") "]",
        "[" ITEM("7", "\"0x\"") "," ITEM("-1", "\"0x\"") "]",
        "[" ITEM("7", "\"0x\"") "," ITEM("\"8\"", "\"0x\"") "]",
        "[" ITEM("7", "\"0x\"") "," ITEM("null", "\"0x\"") "]",
        "[" ITEM("7", "\"0x\"") "," ITEM("8", "\"0x\"") "," ITEM("9", "\"0x\"") "]",
        "[" ITEM("7", "\"0x\"") ",8]",
        "[" ITEM("7", "\"0x\"") ",{\"id\":8,\"result\":\"0x\"}]",
        "[" ITEM("7", "\"0x\"") "," ITEM("8", "\"0x\",\"result\":\"0x\"") "]",
        "[[" ITEM("7", "\"0x\"") "," ITEM("8", "\"0x\"") "]]",
        ITEM("7", "\"0x\""),
        "7",
        "{}",
        "<html></html>",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        struct rpc_batch batch = parse_batch_status(bodies[i], 200, 2);
        assert_int_equal(batch.verdict, RPC_FAULT);
        rpc_batch_clear(&batch);
    }
    struct rpc_batch good =
        parse_batch_status("[" ITEM("7", "\"0x\"") "," ITEM("8", "\"0x\"") "]", 500, 2);
    assert_int_equal(good.verdict, RPC_FAULT);
    rpc_batch_clear(&good);
}

static void a_batch_is_refused_as_a_whole(void **)
{
    static const struct {
        const char *body;
        int http_status;
        enum rpc_verdict verdict;
    } refusals[] = {
        {ERROR_BODY("null", "-32600", "batch too large"), 200, RPC_CALL_FAILED},
        {ERROR_BODY("7", "-32600", "Invalid Request"), 400, RPC_CALL_FAILED},
        {"[" ERROR_BODY("7", "-32600", "batch too large") "]", 200, RPC_CALL_FAILED},
        {"[" ERROR_BODY("null", "-32600", "batch too large") "]", 200, RPC_CALL_FAILED},
        {ERROR_BODY("null", "-32000", "Too many requests in batch, max is 20"), 200,
            RPC_CALL_FAILED},
        {ERROR_BODY("null", "-32016", "over rate limit"), 200, RPC_RATE_LIMITED},
        {ERROR_BODY("null", "3", "reverted"), 200, RPC_FAULT},
        {"", 413, RPC_CALL_FAILED},
        {"<html></html>", 400, RPC_CALL_FAILED},
        {"<html></html>", 405, RPC_CALL_FAILED},
        {"<html></html>", 502, RPC_FAULT},
        {"", 429, RPC_RATE_LIMITED},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct rpc_batch batch = parse_batch_status(refusals[i].body, refusals[i].http_status, 2);
        assert_int_equal(batch.verdict, refusals[i].verdict);
        rpc_batch_clear(&batch);
    }
    // Alone, an error is the answer to its request.
    struct rpc_batch one = parse_batch_status("[" ERROR_BODY("7", "3", "reverted") "]", 200, 1);
    assert_int_equal(one.verdict, RPC_RESULT);
    rpc_batch_clear(&one);
    one = parse_batch_status("<html></html>", 400, 1);
    assert_int_equal(one.verdict, RPC_FAULT);
    rpc_batch_clear(&one);
    struct rpc_reply lost = {.outcome = RPC_TIMEOUT};
    rpc_batch_parse(&lost, 7, 2, &one);
    assert_int_equal(one.verdict, RPC_FAULT);
    lost.outcome = RPC_TOO_LARGE;
    rpc_batch_parse(&lost, 7, 2, &one);
    assert_int_equal(one.verdict, RPC_CALL_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_as_the_specification_wants_them),
        cmocka_unit_test(results),
        cmocka_unit_test(whatever_is_no_such_result_is_a_fault),
        cmocka_unit_test(errors_are_told_apart),
        cmocka_unit_test(http_says_something_too),
        cmocka_unit_test(requests_of_every_kind),
        cmocka_unit_test(a_head_has_hash_number_and_time),
        cmocka_unit_test(any_result_is_had_as_json),
        cmocka_unit_test(an_error_tells_its_text_and_what_was_reverted_with),
        cmocka_unit_test(an_errors_text_may_have_zeroes_in_it),
        cmocka_unit_test(errors_of_the_wild),
        cmocka_unit_test(a_batch_comes_in_any_order),
        cmocka_unit_test(a_batch_has_each_id_once_and_no_other),
        cmocka_unit_test(a_batch_is_refused_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

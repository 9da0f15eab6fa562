// SPDX-License-Identifier: GPL-3.0-or-later
//
// Request bodies to the letter, and answers: the one right form, and everything else.
#include "base/text.h"
#include "chain/rpc.h"

#include "tests/unit/unit.h"

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
    rpc_write_block(&writer, 7, 0x1b4);
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
    rpc_end_call(&writer, &hash);
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
    assert_verdict("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":null}", RPC_BLOCK_HASH, RPC_FAULT);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_as_the_specification_wants_them),
        cmocka_unit_test(results),
        cmocka_unit_test(whatever_is_no_such_result_is_a_fault),
        cmocka_unit_test(errors_are_told_apart),
        cmocka_unit_test(http_says_something_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

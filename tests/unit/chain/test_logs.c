// SPDX-License-Identifier: GPL-3.0-or-later
//
// The walk against a naive list of logs, with providers that refuse in all ways; what refusals
// mean; entries of every event, and every member of an entry broken.
#include "chain/logs.h"

#include "base/rng.h"
#include "chain/keccak.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

// --- ranges and walks ---

// Walks `blocks` blocks with a provider that takes `cap` at once; the number of calls.
static size_t walk_capped(uint64_t blocks, uint64_t cap, struct log_range *range)
{
    struct log_walk walk = {.next = 1000, .last = 1000 + blocks - 1};
    size_t calls = 0;
    uint64_t from = 0;
    uint64_t to = 0;
    while (log_walk_next(&walk, range, &from, &to)) {
        assert_true(from == walk.next && to >= from && to <= walk.last);
        if (to - from + 1 > cap) {
            log_walk_refused(&walk, range, from, to);
        } else {
            log_walk_served(&walk, range, from, to);
        }
        assert_true(++calls < 100000);
    }
    assert_int_equal(walk.next, 1000 + blocks);
    assert_int_equal(walk.passed, 0);
    return calls;
}

static void the_range_fits_itself_to_a_cap(void **)
{
    static const uint64_t caps[] = {1, 5, 10, 50, 500, 1000, 2000, 10000};
    for (size_t i = 0; i < sizeof caps / sizeof caps[0]; i++) {
        struct log_range range = log_range_of(LOGS_RANGE_DEFAULT, LOGS_RANGE_MAX);
        uint64_t blocks = 500 * caps[i];
        size_t calls = walk_capped(blocks, caps[i], &range);
        print_message("cap %5u: 500 full ranges in %zu calls\n", (unsigned)caps[i], calls);
        assert_true(calls <= 500 + 500 / 4 + 20);
        assert_true(range.served <= caps[i] && range.served >= caps[i] - caps[i] / 8 - 1);
    }
}

static void it_grows_back_when_more_is_taken_again(void **)
{
    struct log_range range = log_range_of(LOGS_RANGE_DEFAULT, 10000);
    (void)walk_capped(200, 10, &range);
    assert_true(range.blocks <= 15);
    size_t calls = walk_capped(1000000, 10000, &range);
    assert_int_equal(range.blocks, 10000);
    assert_true(calls < 300);
}

static void a_range_never_exceeds_its_bound(void **)
{
    struct log_range range = log_range_of(1, 300);
    (void)walk_capped(100000, UINT64_MAX, &range);
    assert_int_equal(range.blocks, 300);
    // The end of the numbers.
    struct log_walk walk = {.next = UINT64_MAX - 5, .last = UINT64_MAX - 1};
    uint64_t from = 0;
    uint64_t to = 0;
    assert_true(log_walk_next(&walk, &range, &from, &to));
    assert_int_equal(to, UINT64_MAX - 1);
    log_walk_served(&walk, &range, from, to);
    assert_false(log_walk_next(&walk, &range, &from, &to));
}

enum {
    BLOCKS = 600,
    LOGS_MAX = 2000,
};

// A provider as the walk meets it, and all that it has.
struct store {
    uint16_t logs[BLOCKS]; // in each block
    bool bad[BLOCKS];      // fails alone, too
    uint64_t cap_blocks;
    uint64_t cap_logs;
};

static bool store_refuses(const struct store *store, uint64_t from, uint64_t to)
{
    uint64_t count = 0;
    bool bad = false;
    for (uint64_t i = from; i <= to; i++) {
        count += store->logs[i];
        bad = bad || store->bad[i];
    }
    return bad || to - from + 1 > store->cap_blocks || count > store->cap_logs;
}

static void store_draw(struct store *store, struct rng *rng)
{
    static const uint64_t caps[] = {1, 2, 7, 10, 64, 500, UINT64_MAX};
    uint64_t dense_from = rng_below(rng, BLOCKS);
    for (size_t i = 0; i < BLOCKS; i++) {
        bool dense = i >= dense_from && i < dense_from + 60;
        store->logs[i] = (uint16_t)rng_below(rng, dense ? 30 : 3);
        store->bad[i] = rng_below(rng, 100) == 0;
    }
    store->cap_blocks = caps[rng_below(rng, sizeof caps / sizeof caps[0])];
    store->cap_logs = 30 + rng_below(rng, 200);
}

// The oracle: every log of every block once, in order, but for blocks that fail alone.
static void a_walk_finds_what_a_naive_list_has(void **)
{
    struct rng rng;
    static const uint8_t seed[RNG_SEED_SIZE] = {4};
    rng_seed(&rng, seed);
    for (size_t run = 0; run < 400; run++) {
        struct store store;
        store_draw(&store, &rng);
        uint64_t first = rng_below(&rng, BLOCKS);
        struct log_walk walk = {.next = first, .last = BLOCKS - 1};
        struct log_range range = log_range_of(1 + rng_below(&rng, 700), 1 << 10);
        uint64_t expected = first;
        uint64_t passed = 0;
        uint64_t from = 0;
        uint64_t to = 0;
        size_t calls = 0;
        while (log_walk_next(&walk, &range, &from, &to)) {
            assert_int_equal(from, expected); // nothing is left out, nothing comes twice
            assert_true(++calls < 20 * BLOCKS);
            if (!store_refuses(&store, from, to)) {
                log_walk_served(&walk, &range, from, to);
                expected = to + 1;
                continue;
            }
            log_walk_refused(&walk, &range, from, to);
            if (walk.next != from) {
                assert_true(from == to && store.bad[from]);
                expected = to + 1;
                passed++;
            }
            if (rng_below(&rng, 50) == 0) { // its limits change on the way
                store.cap_blocks = 1 + rng_below(&rng, 600);
            }
        }
        assert_int_equal(expected, BLOCKS);
        assert_int_equal(walk.passed, passed);
    }
}

static void a_late_answer_moves_no_walk(void **)
{
    struct log_range range = log_range_of(10, 100);
    struct log_walk walk = {.next = 50, .last = 99};
    log_walk_served(&walk, &range, 20, 29);
    log_walk_refused(&walk, &range, 20, 20);
    assert_int_equal(walk.next, 50);
    assert_int_equal(walk.passed, 0);
}

static void the_trail_goes_by_timestamps(void **)
{
    struct log_trail trail = {.count = 0};
    assert_int_equal(log_trail_before(&trail, 30), 0);
    // 200 ms blocks, seen every second: five share a timestamp.
    for (uint64_t i = 0; i < 200; i++) {
        log_trail_add(&trail, 5000 + 5 * i, 1000 + i);
        uint64_t before = log_trail_before(&trail, 30);
        assert_true(trail.count <= LOG_TRAIL_SIZE);
        if (i >= 60) { // as old as asked for, and not much older
            assert_in_range(before, 5000 + 5 * (i - 30 - 5), 5000 + 5 * (i - 30));
        }
    }
    // Another backend that lags, and a clock that steps back, change nothing.
    uint64_t before = log_trail_before(&trail, 30);
    log_trail_add(&trail, 5, 2000);
    log_trail_add(&trail, 9000, 5);
    assert_int_equal(log_trail_before(&trail, 30), before);
    // 12 s blocks.
    memset(&trail, 0, sizeof trail);
    for (uint64_t i = 0; i < 20; i++) {
        log_trail_add(&trail, 100 + i, 1000 + 12 * i);
    }
    assert_int_equal(log_trail_before(&trail, 30), 119 - 3);
}

// --- refusals ---

static const struct eth_address contract = {{0xc0, 0xff, 0xee, [19] = 1}};

static void parse(struct logs *logs, int status, const char *body)
{
    struct rpc_reply reply = {
        .outcome = RPC_ANSWERED, .http_status = status, .body = span_of(body, strlen(body))};
    logs_parse(&reply, 7, &contract, LOGS_TOPICS, 100, 199, logs);
}

static enum logs_verdict verdict_of(int status, const char *body)
{
    struct logs logs;
    parse(&logs, status, body);
    enum logs_verdict verdict = logs.verdict;
    assert_int_equal(logs.count, 0);
    logs_clear(&logs);
    return verdict;
}

static enum logs_verdict verdict_of_error(int status, int code, const char *message)
{
    char body[512];
    (void)snprintf(body, sizeof body,
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":%d,\"message\":\"%s\"}}", code, message);
    return verdict_of(status, body);
}

static void every_known_refusal_of_a_range_shrinks_it(void **)
{
    static const struct {
        int status;
        int code;
        const char *message;
    } known[] = {
        {400, -32600,
            "You can make eth_getLogs requests with up to a 10 block range. Based on your "
            "parameters, this block range should work: [0x123c9b2, 0x123cba5]"},
        {400, -32600,
            "Under the Free tier plan, you can make eth_getLogs requests with up to a "
            "500 block range."},
        {200, -32602, "range 1000000 exceeds limit of 10000"},
        {200, -32005, "query returned more than 10000 results"},
        {200, -32602, "query exceeds max results 20000, retry with the range 24383075-24383096"},
        {413, -32614, "eth_getLogs is limited to a 10,000 range"},
        {200, -32602, "Log response size exceeded. this block range should work: [0x1, 0x2]"},
        {200, -32000, "block range is larger than max block range, block range = 5120"},
        {200, -32000, "block range is bigger than maxBlockRange"},
        {200, -32005, "block range too large, max range: 100"},
        {200, -32602, "query exceeds max block range 5000"},
        {200, -32602, "query block range exceeds server limit, narrow your filter: 5."},
        {200, -32600, "block range too high"},
        {200, -32001, "Block range too large: maximum allowed is 20000 blocks"},
        {200, -32000, "query timeout exceeded"},
        {200, -32603, "internal error"}, // not understood
        {200, -32000, "what?"},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        enum logs_verdict verdict =
            verdict_of_error(known[i].status, known[i].code, known[i].message);
        if (verdict != LOGS_TOO_MANY) {
            print_message("%s: %d\n", known[i].message, verdict);
        }
        assert_int_equal(verdict, LOGS_TOO_MANY);
    }
    assert_int_equal(verdict_of(413, "<html>Request Entity Too Large</html>"), LOGS_TOO_MANY);
    assert_int_equal(verdict_of(400, "bad request"), LOGS_TOO_MANY);
    struct logs logs;
    struct rpc_reply large = {.outcome = RPC_TOO_LARGE};
    logs_parse(&large, 7, &contract, 1, 0, 1, &logs);
    assert_int_equal(logs.verdict, LOGS_TOO_MANY);
    logs_clear(&logs);
}

static void other_refusals_are_told_apart(void **)
{
    assert_int_equal(
        verdict_of_error(200, -32601, "the method eth_getLogs does not exist/is not available"),
        LOGS_UNSUPPORTED);
    assert_int_equal(verdict_of_error(200, -32601, "Method not found"), LOGS_UNSUPPORTED);
    assert_int_equal(
        verdict_of_error(403, -32000, "method eth_getLogs is not whitelisted"), LOGS_UNSUPPORTED);
    assert_int_equal(verdict_of_error(200, -32004, "Method not supported"), LOGS_UNSUPPORTED);
    assert_int_equal(verdict_of_error(200, -32000, "block range extends beyond current head block"),
        LOGS_TOO_MANY);
    assert_int_equal(verdict_of_error(200, -32000, "unknown block"), LOGS_NOT_YET);
    assert_int_equal(verdict_of_error(200, -32000, "header not found"), LOGS_NOT_YET);
    assert_int_equal(verdict_of_error(200, -32016, "over rate limit"), LOGS_RATE_LIMITED);
    assert_int_equal(
        verdict_of_error(200, -32005, "daily request count exceeded"), LOGS_RATE_LIMITED);
    assert_int_equal(verdict_of(429, ""), LOGS_RATE_LIMITED);
    assert_int_equal(verdict_of(502, "<html>"), LOGS_FAULT);
    assert_int_equal(verdict_of(200, ""), LOGS_FAULT);
    struct logs logs;
    struct rpc_reply slow = {.outcome = RPC_TIMEOUT};
    logs_parse(&slow, 7, &contract, 1, 0, 1, &logs);
    assert_int_equal(logs.verdict, LOGS_SLOW);
    logs_clear(&logs);
}

// --- entries ---

#define WORD0 "0x000000000000000000000000"
#define ALICE "a11ce00000000000000000000000000000000001"
#define BOB "b0b0000000000000000000000000000000000002"
#define SEVEN "0x0000000000000000000000000000000000000000000000000000000000000007"
#define TRANSFER "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
#define GRANTED "0x9a71852b5ff3e6dcfff28eaeb177387d7be860dcf63f02bc0c74d796d373a22c"
#define REVOKED "0xf77547477629bf8d4b78aaa6babeeb3306e56da1ca9b54caceabf24cbc922020"
#define MOVED "0x692842951e9a8bdcf099c908e8dd428dedcb5c44056d3b636cd82870c5fd12b2"
#define UPDATED "0xa850082d2fb101274de37494dc864e9277de33c04415c7ad9db57592c60511a5"
#define HASH "0x1111111111111111111111111111111111111111111111111111111111111111"
#define ADDRESS "0xc0ffee0000000000000000000000000000000001"

// A reply of one entry.
static const char *entry_with(const char *topics, const char *rest)
{
    static char body[2048];
    (void)snprintf(body, sizeof body,
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":[{\"topics\":[%s],%s}]}", topics, rest);
    return body;
}

#define REST                                                                                       \
    "\"address\":\"" ADDRESS "\",\"blockHash\":\"" HASH "\",\"blockNumber\":\"0x70\","             \
    "\"data\":\"0x\",\"logIndex\":\"0x0\",\"removed\":false,\"transactionIndex\":\"0x0\""

static struct log_entry read_one(const char *topics)
{
    struct logs logs;
    struct log_entry entry;
    parse(&logs, 200, entry_with(topics, REST));
    assert_int_equal(logs.verdict, LOGS_ANSWERED);
    assert_int_equal(logs.count, 1);
    assert_int_equal(logs.strange, 0);
    assert_true(logs_entry(&logs, 0, &entry));
    assert_int_equal(entry.block_number, 0x70);
    assert_int_equal(entry.block_hash.bytes[31], 0x11);
    logs_clear(&logs);
    return entry;
}

static void every_event_says_what_it_names(void **)
{
    struct log_entry entry =
        read_one("\"" TRANSFER "\",\"" WORD0 ALICE "\",\"" WORD0 BOB "\",\"" SEVEN "\"");
    assert_int_equal(entry.event, LOG_TRANSFER);
    assert_int_equal(entry.token.bytes[31], 7);
    assert_int_equal(entry.from.bytes[0], 0xa1);
    assert_int_equal(entry.to.bytes[0], 0xb0);
    entry = read_one("\"" GRANTED "\",\"" SEVEN "\",\"" WORD0 ALICE "\"");
    assert_int_equal(entry.event, LOG_GRANTED);
    assert_int_equal(entry.token.bytes[31], 7);
    assert_int_equal(entry.to.bytes[0], 0xa1);
    assert_true(eth_address_is_zero(&entry.from));
    entry = read_one("\"" REVOKED "\",\"" SEVEN "\"");
    assert_int_equal(entry.event, LOG_REVOKED);
    assert_int_equal(entry.token.bytes[31], 7);
    entry = read_one("\"" MOVED "\",\"" SEVEN "\",\"" WORD0 ALICE "\",\"" WORD0 BOB "\"");
    assert_int_equal(entry.event, LOG_NODE_TRANSFERRED);
    assert_int_equal(entry.token.bytes[31], 7);
    assert_int_equal(entry.from.bytes[0], 0xa1);
    entry = read_one("\"" UPDATED "\",\"" WORD0 BOB "\"");
    assert_int_equal(entry.event, LOG_KEY_UPDATED);
    assert_int_equal(entry.to.bytes[0], 0xb0);
}

static void the_topics_are_the_hashes_of_the_events(void **)
{
    static const char *const signatures[LOGS_TOPICS] = {"Transfer(address,address,uint256)",
        "NodeAccessGranted(uint256,string,address,string)", "NodeAccessRevoked(uint256,string)",
        "NodeAccessTransferred(uint256,address,address)", "PublicKeyUpdated(address,string)"};
    for (size_t i = 0; i < LOGS_TOPICS; i++) {
        struct hash256 hash = keccak256(span_of(signatures[i], strlen(signatures[i])));
        assert_true(hash256_equal(&hash, &log_topics[i]));
    }
}

static void an_event_of_another_form_is_passed_over(void **)
{
    static const char *const strange[] = {
        "\"" TRANSFER "\",\"" WORD0 ALICE "\",\"" WORD0 BOB "\"",        // ERC-20
        "\"" TRANSFER "\",\"" HASH "\",\"" WORD0 BOB "\",\"" SEVEN "\"", // no address
        "\"" REVOKED "\"",
        "\"" UPDATED "\",\"" WORD0 BOB "\",\"" SEVEN "\"",
    };
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++) {
        struct logs logs;
        struct log_entry entry;
        parse(&logs, 200, entry_with(strange[i], REST));
        assert_int_equal(logs.verdict, LOGS_ANSWERED);
        assert_int_equal(logs.strange, 1);
        assert_false(logs_entry(&logs, 0, &entry));
        logs_clear(&logs);
    }
}

#define ONE "\"" REVOKED "\",\"" SEVEN "\""

static void what_was_not_asked_for_spoils_the_reply(void **)
{
    assert_int_equal(verdict_of(200, entry_with("", REST)), LOGS_FAULT);
    assert_int_equal(verdict_of(200, entry_with("\"" HASH "\",\"" SEVEN "\"", REST)), LOGS_FAULT);
    assert_int_equal(verdict_of(200, entry_with("\"0x77\"", REST)), LOGS_FAULT);
    assert_int_equal(verdict_of(200, entry_with("null", REST)), LOGS_FAULT);
    assert_int_equal(verdict_of(200, entry_with(ONE "," ONE "," ONE, REST)), LOGS_FAULT);
    static const char *const rests[] = {
        // another contract, no contract
        "\"address\":\"0xc0ffee0000000000000000000000000000000002\",\"blockHash\":\"" HASH
        "\",\"blockNumber\":\"0x70\",\"data\":\"0x\"",
        "\"blockHash\":\"" HASH "\",\"blockNumber\":\"0x70\",\"data\":\"0x\"",
        // a block before, after, not mined
        "\"address\":\"" ADDRESS "\",\"blockHash\":\"" HASH
        "\",\"blockNumber\":\"0x63\",\"data\":\"0x\"",
        "\"address\":\"" ADDRESS "\",\"blockHash\":\"" HASH
        "\",\"blockNumber\":\"0xc8\",\"data\":\"0x\"",
        "\"address\":\"" ADDRESS "\",\"blockHash\":\"" HASH
        "\",\"blockNumber\":null,\"data\":\"0x\"",
        "\"address\":\"" ADDRESS "\",\"blockHash\":\"" HASH
        "\",\"blockNumber\":112,\"data\":\"0x\"",
        // hashes, data and flags of other forms
        "\"address\":\"" ADDRESS "\",\"blockHash\":null,\"blockNumber\":\"0x70\",\"data\":\"0x\"",
        "\"address\":\"" ADDRESS "\",\"blockHash\":\"0x11\",\"blockNumber\":\"0x70\","
        "\"data\":\"0x\"",
        "\"address\":\"" ADDRESS "\",\"blockHash\":\"" HASH "\",\"blockNumber\":\"0x70\"",
        "\"address\":\"" ADDRESS "\",\"blockHash\":\"" HASH
        "\",\"blockNumber\":\"0x70\",\"data\":\"0x1\"",
        "\"address\":\"" ADDRESS "\",\"blockHash\":\"" HASH
        "\",\"blockNumber\":\"0x70\",\"data\":\"0xgg\"",
        "\"address\":\"" ADDRESS "\",\"blockHash\":\"" HASH
        "\",\"blockNumber\":\"0x70\",\"data\":\"0x\",\"removed\":\"false\"",
    };
    for (size_t i = 0; i < sizeof rests / sizeof rests[0]; i++) {
        assert_int_equal(verdict_of(200, entry_with(ONE, rests[i])), LOGS_FAULT);
    }
    static const char *const bodies[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":null}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":[[]]}",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":[7]}",
        "{\"jsonrpc\":\"2.0\",\"id\":8,\"result\":[]}",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        assert_int_equal(verdict_of(200, bodies[i]), LOGS_FAULT);
    }
    struct logs logs;
    parse(&logs, 200, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":[]}");
    assert_int_equal(logs.verdict, LOGS_ANSWERED);
    logs_clear(&logs);
}

static void too_many_entries_are_a_range_too_large(void **)
{
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":[0";
    size_t size = sizeof head + 2 * LOGS_ENTRIES_MAX + 2;
    char *body = malloc(size);
    assert_non_null(body);
    memcpy(body, head, sizeof head - 1);
    for (size_t i = 0; i < LOGS_ENTRIES_MAX; i++) {
        body[sizeof head - 1 + 2 * i] = ',';
        body[sizeof head + 2 * i] = '0';
    }
    memcpy(body + size - 3, "]}", 3);
    assert_int_equal(verdict_of(200, body), LOGS_TOO_MANY);
    free(body);
}

static void the_request_names_what_it_wants(void **)
{
    uint8_t body[1024];
    struct writer writer = writer_of(body, sizeof body);
    logs_write(&writer, 7, &contract, 1, 100, 199);
    assert_int_equal(writer_finish(&writer), OK);
    static const char expected[] =
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"eth_getLogs\",\"params\":[{\"address\":"
        "\"" ADDRESS "\",\"fromBlock\":\"0x64\",\"toBlock\":\"0xc7\",\"topics\":[[\"" TRANSFER
        "\"]]}]}";
    assert_int_equal(writer.size, sizeof expected - 1);
    assert_memory_equal(body, expected, sizeof expected - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_range_fits_itself_to_a_cap),
        cmocka_unit_test(it_grows_back_when_more_is_taken_again),
        cmocka_unit_test(a_range_never_exceeds_its_bound),
        cmocka_unit_test(a_walk_finds_what_a_naive_list_has),
        cmocka_unit_test(a_late_answer_moves_no_walk),
        cmocka_unit_test(the_trail_goes_by_timestamps),
        cmocka_unit_test(every_known_refusal_of_a_range_shrinks_it),
        cmocka_unit_test(other_refusals_are_told_apart),
        cmocka_unit_test(every_event_says_what_it_names),
        cmocka_unit_test(the_topics_are_the_hashes_of_the_events),
        cmocka_unit_test(an_event_of_another_form_is_passed_over),
        cmocka_unit_test(what_was_not_asked_for_spoils_the_reply),
        cmocka_unit_test(too_many_entries_are_a_range_too_large),
        cmocka_unit_test(the_request_names_what_it_wants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

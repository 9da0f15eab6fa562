// SPDX-License-Identifier: GPL-3.0-or-later
//
// The filter alone, datagram by datagram.
#include "dht/filter.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

static const struct dht_key own_id = {{0xee}};

static struct mono at(uint64_t ms)
{
    return (struct mono){.ms = ms};
}

static struct address peer_address(uint8_t host)
{
    return address_of_ipv4(203, 0, 113, host, 4000);
}

static struct filter *filter_of(bool server)
{
    static struct filter filter;
    const struct dht_core_config config = {
        .network = 7, .server = server, .ipv4 = true, .limits = dht_limits_small()};
    const uint8_t seed[RNG_SEED_SIZE] = {1};
    struct rng rng;
    rng_seed(&rng, seed);
    assert_int_equal(filter_create(&filter, &config, &own_id, rng), OK);
    return &filter;
}

// A datagram is written as text and pieces; `write` appends a C string with its zeroes counted.
struct message {
    uint8_t bytes[DHT_DATAGRAM_MAX];
    struct datagram_edit edit;
};

#define ADD(message, text) add(message, text, sizeof(text) - 1)

static void add(struct message *message, const char *text, size_t size)
{
    assert_true(message->edit.size + size <= sizeof(message->bytes));
    memcpy(message->bytes + message->edit.size, text, size);
    message->edit.size += size;
}

static void begin(struct message *message)
{
    message->edit = (struct datagram_edit){
        .data = message->bytes, .size = 0, .capacity = sizeof(message->bytes)};
}

#define ID20                                                                                       \
    "\xc4\x14"                                                                                     \
    "aaaaaaaaaaaaaaaaaaaa"
#define KEY20                                                                                      \
    "\xc4\x14"                                                                                     \
    "kkkkkkkkkkkkkkkkkkkk"
#define TOKEN8                                                                                     \
    "\xc4\x08"                                                                                     \
    "tttttttt"
#define TAIL(tid) "\xa1t\xce\0\0\0" tid "\xa1y\xa1q\xa1v\xa4RNG1\xa1n\x07"
#define REPLY_TAIL(tid) "\xa1t\xce\0\0\0" tid "\xa1y\xa1r\xa1v\xa4RNG1\xa1n\x07"

static void write_get(struct message *message)
{
    begin(message);
    ADD(message, "\x86\xa1"
                 "a\x82\xa2id" ID20 "\xa1h" KEY20 "\xa1q\xa3get" TAIL("\x05"));
}

static enum filter_verdict in(struct filter *filter, uint64_t ms, uint8_t host,
    struct message *message, struct filter_result *ret)
{
    const struct address from = peer_address(host);
    return filter_ingress(filter, at(ms), &from, &message->edit, ret);
}

static enum filter_verdict out(struct filter *filter, uint64_t ms, uint8_t host,
    struct message *message, struct filter_result *ret)
{
    const struct address to = peer_address(host);
    return filter_egress(filter, at(ms), &to, false, &message->edit, ret);
}

static void answers_must_have_been_asked_for(void **)
{
    struct filter *filter = filter_of(true);
    struct filter_result result;
    struct message query;
    struct message reply;
    write_get(&query);
    assert_int_equal(out(filter, 0, 1, &query, &result), FILTER_PASS);
    assert_int_equal(query.edit.size, FILTER_PADDED_SIZE); // the first one
    begin(&reply);
    ADD(&reply, "\x85\xa1r\x81\xa2id" ID20 REPLY_TAIL("\x05"));
    const struct message again = reply;
    assert_int_equal(in(filter, 10, 2, &reply, &result), FILTER_DROP); // another address
    assert_int_equal(result.drop, DHT_DROP_UNASKED);
    assert_int_equal(in(filter, 10, 1, &reply, &result), FILTER_PASS);
    assert_true(result.proven);
    const struct address address = peer_address(1);
    assert_true(filter_is_proven(filter, at(10), &address));
    assert_false(filter_is_proven(filter, at(10 + FILTER_PROVEN_MS), &address));
    reply = again;
    reply.edit.data = reply.bytes;
    assert_int_equal(in(filter, 20, 1, &reply, &result), FILTER_DROP); // a second answer
    write_get(&query);
    assert_int_equal(out(filter, 30, 1, &query, &result), FILTER_PASS);
    assert_true(query.edit.size < FILTER_PADDED_SIZE);
    assert_int_equal(in(filter, 30 + FILTER_QUERY_MS, 1, &reply, &result), FILTER_DROP); // late
    filter_destroy(filter);
}

static void other_networks_families_and_sizes_are_dropped(void **)
{
    struct filter *filter = filter_of(true);
    struct filter_result result;
    struct message message;
    begin(&message);
    ADD(&message, "\x86\xa1"
                  "a\x81\xa2id" ID20 "\xa1q\xa4ping\xa1t\x05\xa1y\xa1q\xa1v\xa4RNG1\xa1n\x08");
    assert_int_equal(in(filter, 0, 1, &message, &result), FILTER_DROP);
    assert_int_equal(result.drop, DHT_DROP_NETWORK);
    const struct address ipv6 = {.family = FAMILY_IPV6, .ip = {0x20, 1}, .port = 1};
    assert_int_equal(filter_ingress(filter, at(0), &ipv6, &message.edit, &result), FILTER_DROP);
    assert_int_equal(result.drop, DHT_DROP_FAMILY);
    write_get(&message);
    assert_int_equal(
        filter_egress(filter, at(0), &ipv6, false, &message.edit, &result), FILTER_REFUSE);
    message.edit.size--;
    assert_int_equal(in(filter, 0, 1, &message, &result), FILTER_DROP);
    assert_int_equal(result.drop, DHT_DROP_MALFORMED);
    message.edit.size = DHT_DATAGRAM_MAX + 1;
    assert_int_equal(in(filter, 0, 1, &message, &result), FILTER_DROP);
    assert_int_equal(result.drop, DHT_DROP_READ_LIMIT);
    filter_destroy(filter);
}

#define PUT_HEAD                                                                                   \
    "\x86\xa1"                                                                                     \
    "a\x84\xa2id" ID20 "\xa1h" KEY20 "\xa5token" TOKEN8 "\xa6values"
#define PUT_TAIL "\xa1q\xa3put" TAIL("\x05")

static void puts_become_one_plain_value(void **)
{
    struct filter *filter = filter_of(true);
    struct filter_result result;
    struct message message;
    begin(&message);
    ADD(&message, PUT_HEAD "\x91\x82\xa2id\x2a\xa3"
                           "dat\x81\xa4"
                           "body\x82\xa4type\0\xa4"
                           "data\xc4\x02hi" PUT_TAIL);
    assert_int_equal(in(filter, 0, 1, &message, &result), FILTER_PASS);
    assert_int_equal(result.drop, DHT_DROPS);
    struct datagram datagram;
    assert_int_equal(datagram_parse(span_of(message.edit.data, message.edit.size), &datagram), OK);
    struct datagram_value value;
    struct span values = datagram.values;
    assert_int_equal(datagram_next_value(&values, &value), OK);
    assert_int_equal(value.id, 42);
    assert_true(value.plain);
    assert_true(span_equal(value.content, span_of_text("hi")));

    begin(&message); // of another type: OpenDHT sees an empty one and says yes
    ADD(&message, PUT_HEAD "\x91\x82\xa2id\x2a\xa3"
                           "dat\x81\xa4"
                           "body\x82\xa4type\x03\xa4"
                           "data\xc4\x02hi" PUT_TAIL);
    assert_int_equal(in(filter, 0, 1, &message, &result), FILTER_PASS);
    assert_int_equal(result.drop, DHT_DROP_VALUE);
    assert_int_equal(datagram_parse(span_of(message.edit.data, message.edit.size), &datagram), OK);
    values = datagram.values;
    assert_int_equal(datagram_next_value(&values, &value), OK);
    assert_int_equal(value.content.size, 0);

    begin(&message); // too large
    static const char large[DHT_PUT_MAX_SIZE + 1];
    ADD(&message, PUT_HEAD "\x91\x82\xa2id\x2a\xa3"
                           "dat\x81\xa4"
                           "body\x82\xa4type\0\xa4"
                           "data\xc5\x01\xf5");
    add(&message, large, sizeof(large));
    ADD(&message, PUT_TAIL);
    assert_int_equal(in(filter, 0, 1, &message, &result), FILTER_PASS);
    assert_int_equal(result.drop, DHT_DROP_VALUE_SIZE);

    begin(&message); // in parts
    ADD(&message, PUT_HEAD "\x91\xcd\x10\0" PUT_TAIL);
    assert_int_equal(in(filter, 0, 1, &message, &result), FILTER_DROP);
    assert_int_equal(result.drop, DHT_DROP_FRAGMENT);
    begin(&message);
    ADD(&message, "\x84\xa1p\x81\0\x82\xa1o\0\xa1"
                  "d\xc4\x02hi\xa1t\xce\0\0\0\x05\xa1y\xa1v"
                  "\xa1n\x07");
    assert_int_equal(in(filter, 0, 1, &message, &result), FILTER_DROP);
    assert_int_equal(result.drop, DHT_DROP_FRAGMENT);

    begin(&message); // none
    ADD(&message, PUT_HEAD "\x90" PUT_TAIL);
    assert_int_equal(in(filter, 0, 1, &message, &result), FILTER_DROP);
    assert_int_equal(result.drop, DHT_DROP_VALUE);
    filter_destroy(filter);
}

static void a_refresh_finds_nothing(void **)
{
    struct filter *filter = filter_of(true);
    struct filter_result result;
    struct message message;
    begin(&message);
    ADD(&message, "\x86\xa1"
                  "a\x84\xa2id" ID20 "\xa1h" KEY20 "\xa5token" TOKEN8
                  "\xa3vid\x2a\xa1q\xa7refresh" TAIL("\x05"));
    assert_int_equal(in(filter, 0, 1, &message, &result), FILTER_PASS);
    struct datagram datagram;
    assert_int_equal(datagram_parse(span_of(message.edit.data, message.edit.size), &datagram), OK);
    assert_int_equal(datagram.kind, DATAGRAM_REFRESH);
    assert_int_equal(datagram.value_id, 0);
    filter_destroy(filter);
}

static void prefixes_have_budgets(void **)
{
    struct filter *filter = filter_of(true);
    struct filter_result result;
    struct message message;
    const uint32_t burst = dht_limits_small().puts_per_prefix.burst;
    for (uint32_t i = 0; i <= burst; i++) {
        begin(&message);
        ADD(&message, PUT_HEAD "\x91\x82\xa2id\x2a\xa3"
                               "dat\x81\xa4"
                               "body\x82\xa4type\0\xa4"
                               "data\xc4\x02hi" PUT_TAIL);
        const enum filter_verdict verdict = in(filter, 0, (uint8_t)i, &message, &result);
        assert_int_equal(verdict, i < burst ? FILTER_PASS : FILTER_DROP);
    }
    assert_int_equal(result.drop, DHT_DROP_PUT_BUDGET);
    const uint32_t queries = dht_limits_small().queries_per_prefix.burst;
    for (uint32_t i = burst + 1; i <= queries; i++) {
        write_get(&message);
        const enum filter_verdict verdict = in(filter, 0, 1, &message, &result);
        assert_int_equal(verdict, i < queries ? FILTER_PASS : FILTER_DROP);
    }
    assert_int_equal(result.drop, DHT_DROP_BUDGET);
    filter_destroy(filter);
}

static void write_client_ping(struct message *message)
{
    begin(message);
    ADD(message, "\x87\xa1"
                 "a\x81\xa2id" ID20 "\xa1q\xa4ping" TAIL("\x05") "\xa2ro\xc3");
}

static void clients_are_refused_queries_and_left_out(void **)
{
    struct filter *filter = filter_of(true);
    struct filter_result result;
    struct message message;
    write_client_ping(&message);
    assert_int_equal(in(filter, 0, 1, &message, &result), FILTER_PASS);
    assert_int_equal(filter_clients(filter, at(0)), 1);
    write_get(&message);
    assert_int_equal(out(filter, 1, 1, &message, &result), FILTER_REFUSE);
    assert_int_equal(result.drop, DHT_DROP_CLIENT);

    write_get(&message); // somebody asks for nodes
    assert_int_equal(in(filter, 1, 9, &message, &result), FILTER_PASS);
    begin(&message);
    ADD(&message, "\x85\xa1r\x83\xa2id" ID20 "\xa2n4\xc4\x34"
                  "bbbbbbbbbbbbbbbbbbbb"
                  "\xcb\0\x71\x01\x0f\xa0"
                  "cccccccccccccccccccc"
                  "\xcb\0\x71\x02\x0f\xa0"
                  "\xa5token" TOKEN8 REPLY_TAIL("\x05"));
    assert_int_equal(out(filter, 1, 9, &message, &result), FILTER_PASS);
    struct datagram datagram;
    assert_int_equal(datagram_parse(span_of(message.edit.data, message.edit.size), &datagram), OK);
    assert_int_equal(datagram.nodes4.size, DATAGRAM_NODE4_SIZE);
    assert_int_equal(datagram.nodes4.data[0], 'c');
    assert_int_equal(datagram.token.size, 8);

    begin(&message); // a ping without the mark: it is a server now
    ADD(&message, "\x86\xa1"
                  "a\x81\xa2id" ID20 "\xa1q\xa4ping" TAIL("\x05"));
    assert_int_equal(in(filter, 2, 1, &message, &result), FILTER_PASS);
    assert_true(result.became_server);
    write_get(&message);
    assert_int_equal(out(filter, 3, 1, &message, &result), FILTER_PASS);
    filter_destroy(filter);
}

static void a_forged_query_makes_no_client_of_a_server(void **)
{
    struct filter *filter = filter_of(true);
    struct filter_result result;
    struct message message;
    write_get(&message);
    assert_int_equal(out(filter, 0, 1, &message, &result), FILTER_PASS);
    begin(&message);
    ADD(&message, "\x85\xa1r\x81\xa2id" ID20 REPLY_TAIL("\x05"));
    assert_int_equal(in(filter, 10, 1, &message, &result), FILTER_PASS);
    write_client_ping(&message);
    assert_int_equal(in(filter, 20, 1, &message, &result), FILTER_PASS);
    assert_int_equal(filter_clients(filter, at(20)), 0);
    filter_destroy(filter);
}

static void a_large_answer_waits_for_the_proof(void **)
{
    struct filter *filter = filter_of(true);
    struct filter_result result;
    struct message message;
    write_get(&message);
    assert_int_equal(in(filter, 0, 1, &message, &result), FILTER_PASS);
    const struct address to = peer_address(1);
    static const char content[480];
    begin(&message);
    ADD(&message, "\x85\xa1r\x83\xa2id" ID20 "\xa5token" TOKEN8 "\xa6values\x91\x82\xa2id\x2a\xa3"
                  "dat\x81\xa4"
                  "body\x82\xa4type\0\xa4"
                  "data\xc5\x01\xe0");
    add(&message, content, sizeof(content));
    ADD(&message, REPLY_TAIL("\x05"));
    assert_int_equal(out(filter, 1, 1, &message, &result), FILTER_HOLD);
    assert_true(result.challenge);
    struct message ping;
    begin(&ping);
    filter_write_challenge(filter, at(1), &to, &ping.edit);
    struct datagram datagram;
    assert_int_equal(datagram_parse(span_of(ping.edit.data, ping.edit.size), &datagram), OK);
    assert_int_equal(datagram.kind, DATAGRAM_PING);

    begin(&message);
    ADD(&message, "\x85\xa1r\x81\xa2id" ID20 "\xa1t\xce");
    const char tid[4] = {(char)(datagram.tid >> 24), (char)(datagram.tid >> 16),
        (char)(datagram.tid >> 8), (char)datagram.tid};
    add(&message, tid, sizeof(tid));
    ADD(&message, "\xa1y\xa1r\xa1v\xa4RNG1\xa1n\x07");
    assert_int_equal(in(filter, 2, 2, &message, &result), FILTER_DROP); // not the one asked
    assert_int_equal(in(filter, 2, 1, &message, &result), FILTER_CONSUMED);
    assert_true(result.proven);
    filter_destroy(filter);
}

static void our_own_marks_say_that_we_are_a_client(void **)
{
    struct filter *filter = filter_of(false);
    struct filter_result result;
    struct message message;
    write_get(&message);
    assert_int_equal(out(filter, 0, 1, &message, &result), FILTER_PASS);
    struct datagram datagram;
    assert_int_equal(datagram_parse(span_of(message.edit.data, message.edit.size), &datagram), OK);
    assert_true(datagram.client);
    assert_non_null(memmem(message.edit.data, message.edit.size, "\xa2ro\xc3", 4));
    assert_non_null(memmem(message.edit.data, message.edit.size, "\xa1s\xc3", 3));
    filter_destroy(filter);
}

static void updates_need_a_listen(void **)
{
    struct filter *filter = filter_of(true);
    struct filter_result result;
    struct message message;
#define UPDATE                                                                                     \
    "\x86\xa1"                                                                                     \
    "a\x84\xa2id" ID20 "\xa1h" KEY20 "\xa3sid\x63\xa6values\x91\xcd\x02\x00\xa1q\xa6"              \
    "update" TAIL("\x06")
    begin(&message);
    ADD(&message, UPDATE);
    assert_int_equal(in(filter, 0, 1, &message, &result), FILTER_DROP);
    assert_int_equal(result.drop, DHT_DROP_UNASKED);
    begin(&message);
    ADD(&message, "\x86\xa1"
                  "a\x84\xa2id" ID20 "\xa1h" KEY20 "\xa5token" TOKEN8
                  "\xa3sid\x63\xa1q\xa6listen" TAIL("\x05"));
    assert_int_equal(out(filter, 0, 1, &message, &result), FILTER_PASS);
    const struct address from = peer_address(1);
    const struct filter_listen *listen = filter_find_listen(filter, at(1), &from, 0x63);
    assert_non_null(listen);
    assert_int_equal(listen->key.bytes[0], 'k');
    begin(&message);
    ADD(&message, UPDATE);
    assert_int_equal(in(filter, 1, 1, &message, &result), FILTER_PASS);
    begin(&message); // the announced 512 bytes may come, and no more
    ADD(&message, "\x84\xa1p\x81\0\x82\xa1o\0\xa1"
                  "d\xc4\x02hi\xa1t\xce\0\0\0\x06\xa1y\xa1v"
                  "\xa1n\x07");
    for (int i = 0; i < 256; i++) {
        assert_int_equal(in(filter, 2, 1, &message, &result), FILTER_PASS);
    }
    assert_int_equal(in(filter, 2, 1, &message, &result), FILTER_DROP);
    assert_null(filter_find_listen(filter, at(1 + FILTER_LISTEN_MS), &from, 0x63));
    filter_destroy(filter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_must_have_been_asked_for),
        cmocka_unit_test(other_networks_families_and_sizes_are_dropped),
        cmocka_unit_test(puts_become_one_plain_value),
        cmocka_unit_test(a_refresh_finds_nothing),
        cmocka_unit_test(prefixes_have_budgets),
        cmocka_unit_test(clients_are_refused_queries_and_left_out),
        cmocka_unit_test(a_forged_query_makes_no_client_of_a_server),
        cmocka_unit_test(a_large_answer_waits_for_the_proof),
        cmocka_unit_test(our_own_marks_say_that_we_are_a_client),
        cmocka_unit_test(updates_need_a_listen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

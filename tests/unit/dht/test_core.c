// SPDX-License-Identifier: GPL-3.0-or-later
//
// The engine: several in one process over an in-memory network, on a virtual clock.
#include "dht/core.h"
#include "dht/datagram.h"

#include "tests/unit/dht/swarm.h"
#include "tests/unit/unit.h"

#include <stdio.h>

enum {
    SETTLE_MS = 5000,
};

static struct swarm *swarm_of(size_t servers)
{
    struct swarm *swarm = swarm_new();
    for (size_t i = 0; i < servers; i++) {
        const size_t index = swarm_add(swarm, true);
        if (i > 0) {
            swarm_join(swarm, index, 0);
        }
    }
    swarm_run(swarm, SETTLE_MS);
    return swarm;
}

static void nodes_join_put_and_get(void **)
{
    struct swarm *swarm = swarm_of(5);
    const struct dht_key key = swarm_key("key");
    for (size_t i = 0; i < 5; i++) {
        assert_true(swarm_node(swarm, i)->told.joined);
    }
    const uint64_t put = swarm_put(swarm, 1, &key, 42, "value");
    (void)swarm_run_done(swarm, 1, SETTLE_MS);
    assert_true(swarm_node(swarm, 1)->told.done_ok);
    assert_int_equal(swarm_node(swarm, 1)->told.done_operation, put);
    (void)swarm_get(swarm, 4, &key);
    (void)swarm_run_done(swarm, 4, SETTLE_MS);
    assert_true(swarm_node(swarm, 4)->told.done_ok);
    assert_int_equal(swarm_node(swarm, 4)->told.values_count, 1);
    assert_true(swarm_was_told(swarm_node(swarm, 4), "value"));
    swarm_delete(swarm);
}

static void a_put_replaces_in_place_and_listeners_hear(void **)
{
    struct swarm *swarm = swarm_of(6);
    const struct dht_key key = swarm_key("changing");
    (void)swarm_listen(swarm, 5, &key);
    swarm_run(swarm, SETTLE_MS);
    char text[16];
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof(text), "v%d", i);
        (void)swarm_put(swarm, 1, &key, 42, text);
        (void)swarm_run_done(swarm, 1, SETTLE_MS);
        assert_true(swarm_node(swarm, 1)->told.done_ok);
        swarm_run(swarm, 3000);
        assert_true(swarm_was_told(swarm_node(swarm, 5), text));
    }
    assert_int_equal(swarm_node(swarm, 5)->told.values_count, 20);
    for (size_t i = 0; i < 6; i++) {
        assert_true(dht_core_status(swarm_node(swarm, i)->core, swarm_now()).store_values <= 1);
    }
    (void)swarm_get(swarm, 4, &key);
    (void)swarm_run_done(swarm, 4, SETTLE_MS);
    assert_int_equal(swarm_node(swarm, 4)->told.values_count, 1);
    assert_true(swarm_was_told(swarm_node(swarm, 4), "v19"));
    swarm_delete(swarm);
}

// --- clients -------------------------------------------------------------------------------------

struct watch {
    size_t queries_to_clients;
    size_t clients_in_lists;
    size_t marked;
};

static bool is_client_address(struct swarm *swarm, const uint8_t *ip, const uint8_t *port)
{
    for (size_t i = 3; i < 6; i++) {
        const struct address *address = &swarm_node(swarm, i)->address;
        if (memcmp(address->ip, ip, 4) == 0 && address->port == (port[0] << 8 | port[1])) {
            return true;
        }
    }
    return false;
}

static bool watch_clients(void *context, struct swarm *swarm, const struct address *from,
    const struct address *to, struct span bytes)
{
    struct watch *watch = context;
    struct datagram datagram;
    assert_int_equal(datagram_parse(bytes, &datagram), OK);
    const uint8_t to_port[2] = {(uint8_t)(to->port >> 8), (uint8_t)to->port};
    const uint8_t from_port[2] = {(uint8_t)(from->port >> 8), (uint8_t)from->port};
    // A ping proves an address, an update is what a listener asked for.
    if (datagram_is_query(datagram.kind) && datagram.kind != DATAGRAM_PING &&
        datagram.kind != DATAGRAM_UPDATE && is_client_address(swarm, to->ip, to_port)) {
        watch->queries_to_clients++;
    }
    for (size_t i = 0; i + DATAGRAM_NODE4_SIZE <= datagram.nodes4.size; i += DATAGRAM_NODE4_SIZE) {
        const uint8_t *ip = datagram.nodes4.data + i + DATAGRAM_ID_SIZE;
        watch->clients_in_lists += is_client_address(swarm, ip, ip + 4) ? 1 : 0;
    }
    if (is_client_address(swarm, from->ip, from_port)) {
        assert_true(datagram.client);
        watch->marked++;
    }
    return true;
}

static void clients_are_neither_queried_nor_handed_out(void **)
{
    struct swarm *swarm = swarm_of(3);
    for (size_t i = 0; i < 3; i++) {
        const size_t index = swarm_add_client(swarm);
        assert_int_equal(index, 3 + i);
    }
    struct watch watch = {.marked = 0};
    swarm_set_tap(swarm, watch_clients, &watch);
    for (size_t i = 3; i < 6; i++) {
        swarm_join(swarm, i, 0);
    }
    swarm_run(swarm, SETTLE_MS);
    const struct dht_key key = swarm_key("a client's");
    (void)swarm_listen(swarm, 5, &key);
    (void)swarm_put(swarm, 3, &key, 7, "v of a client");
    const uint64_t put_ms = swarm_run_done(swarm, 3, SETTLE_MS);
    assert_true(swarm_node(swarm, 3)->told.done_ok);
    assert_true(put_ms < 100); // with clients taken for servers it is over a second
    (void)swarm_get(swarm, 4, &key);
    swarm_run(swarm, 100);
    assert_true(swarm_was_told(swarm_node(swarm, 4), "v of a client"));
    swarm_run(swarm, UINT64_C(20) * 60 * 1000);
    assert_true(swarm_was_told(swarm_node(swarm, 5), "v of a client"));
    assert_int_equal(watch.queries_to_clients, 0);
    assert_int_equal(watch.clients_in_lists, 0);
    assert_true(watch.marked > 10);
    for (size_t i = 0; i < 3; i++) {
        const struct dht_status status = dht_core_status(swarm_node(swarm, i)->core, swarm_now());
        assert_int_equal(status.ipv4.good + status.ipv4.dubious, 2);
    }
    swarm_delete(swarm);
}

static void a_client_that_becomes_a_server_is_taken_in(void **)
{
    struct swarm *swarm = swarm_of(2);
    const size_t late = swarm_add(swarm, false);
    swarm_join(swarm, late, 0);
    const struct dht_key key = swarm_key("held by a listen");
    (void)swarm_listen(swarm, late, &key);
    swarm_run(swarm, SETTLE_MS);
    assert_int_equal(dht_core_status(swarm_node(swarm, 0)->core, swarm_now()).clients_known, 1);
    assert_int_equal(dht_core_status(swarm_node(swarm, 0)->core, swarm_now()).ipv4.good, 1);
    dht_core_set_server(swarm_node(swarm, late)->core, swarm_now(), true);
    swarm_run(swarm, UINT64_C(60) * 1000);
    assert_int_equal(dht_core_status(swarm_node(swarm, 0)->core, swarm_now()).clients_known, 0);
    assert_int_equal(dht_core_status(swarm_node(swarm, 0)->core, swarm_now()).ipv4.good, 2);
    swarm_delete(swarm);
}

static void a_bootstrap_that_is_a_client_is_asked_until_it_is_none(void **)
{
    struct swarm *swarm = swarm_new();
    const size_t first = swarm_add(swarm, false);
    const size_t second = swarm_add(swarm, true);
    swarm_join(swarm, second, first);
    swarm_run(swarm, SETTLE_MS);
    assert_false(swarm_node(swarm, second)->told.joined);
    dht_core_set_server(swarm_node(swarm, first)->core, swarm_now(), true);
    swarm_run(swarm, UINT64_C(31) * 1000);
    assert_true(swarm_node(swarm, second)->told.joined);
    swarm_delete(swarm);
}

// --- hostile -------------------------------------------------------------------------------------

static void junk_is_not_stored_and_does_not_hide_the_value(void **)
{
    enum { JUNK = 1000 };
    struct swarm *swarm = swarm_of(10);
    const struct dht_key key = swarm_key("flooded");
    char text[32];
    for (uint64_t i = 0; i < JUNK; i++) {
        (void)snprintf(text, sizeof(text), "x junk %d", (int)i);
        (void)swarm_put(swarm, 9, &key, 1000 + i, text);
        swarm_run(swarm, 50);
    }
    swarm_run(swarm, SETTLE_MS);
    size_t judged = 0;
    for (size_t i = 0; i < 9; i++) {
        assert_int_equal(dht_core_status(swarm_node(swarm, i)->core, swarm_now()).store_values, 0);
        judged += swarm_node(swarm, i)->judged;
    }
    assert_true(judged >= JUNK);
    (void)swarm_put(swarm, 1, &key, 42, "v good");
    (void)swarm_run_done(swarm, 1, SETTLE_MS);
    (void)swarm_get(swarm, 2, &key);
    const uint64_t before = swarm_node(swarm, 2)->datagrams_in;
    (void)swarm_run_done(swarm, 2, SETTLE_MS);
    assert_true(swarm_was_told(swarm_node(swarm, 2), "v good"));
    assert_true(swarm_node(swarm, 2)->datagrams_in - before < 100);
    swarm_delete(swarm);
}

struct bill {
    uint64_t sent; // to the stranger
    uint64_t received;
};

static bool watch_stranger(void *context, struct swarm *swarm, const struct address *from,
    const struct address *to, struct span bytes)
{
    struct bill *bill = context;
    (void)swarm;
    const struct address stranger = swarm_stranger(1);
    bill->sent += address_equal(to, &stranger) ? bytes.size : 0;
    bill->received += address_equal(from, &stranger) ? bytes.size : 0;
    return true;
}

// {"a": {"id": .., "h": key}, "q": name, "t": tid, "y": "q", "v": "RNG1", "n": 7}
static size_t write_query(uint8_t *ret, const char *name, const struct dht_key *key, uint8_t tid)
{
    struct writer writer = writer_of(ret, 256);
    const uint8_t id[20] = {0x55, tid};
    write_bytes(&writer,
        (const uint8_t *)"\x86\xa1"
                         "a\x82\xa2id\xc4\x14",
        9);
    write_bytes(&writer, id, sizeof(id));
    write_bytes(&writer, (const uint8_t *)"\xa1h\xc4\x14", 4);
    write_bytes(&writer, key->bytes, sizeof(key->bytes));
    write_bytes(&writer, (const uint8_t *)"\xa1q", 2);
    write_u8(&writer, (uint8_t)(0xa0 | strlen(name)));
    write_span(&writer, span_of_text(name));
    write_bytes(&writer, (const uint8_t *)"\xa1t\xce\0\0\0", 6);
    write_u8(&writer, tid);
    write_bytes(&writer, (const uint8_t *)"\xa1y\xa1q\xa1v\xa4RNG1\xa1n\x07", 14);
    assert_int_equal(writer_finish(&writer), OK);
    return writer.size;
}

static void an_unproven_address_gets_three_times_what_it_sent(void **)
{
    struct swarm *swarm = swarm_of(12);
    const struct dht_key key = swarm_key("large");
    char text[DHT_PUT_MAX_SIZE + 1];
    memset(text, 'v', sizeof(text));
    text[DHT_PUT_MAX_SIZE] = '\0';
    for (uint64_t id = 1; id <= 8; id++) {
        (void)swarm_put(swarm, 1, &key, id, text);
        (void)swarm_run_done(swarm, 1, SETTLE_MS);
    }
    size_t holder = 2;
    while (dht_core_status(swarm_node(swarm, holder)->core, swarm_now()).store_values < 8) {
        holder++;
    }
    const struct address stranger = swarm_stranger(1);
    struct bill bill = {.sent = 0};
    swarm_set_tap(swarm, watch_stranger, &bill);
    for (unsigned i = 0; i < 200; i++) {
        uint8_t bytes[256];
        const size_t size = write_query(bytes, i % 2 == 0 ? "get" : "ping", &key, (uint8_t)i);
        swarm_inject(swarm, &stranger, &swarm_node(swarm, holder)->address, span_of(bytes, size));
        swarm_run(swarm, 20);
        assert_true(bill.sent <= 3 * bill.received);
    }
    assert_true(bill.sent > 0);
    const struct dht_status status = dht_core_status(swarm_node(swarm, holder)->core, swarm_now());
    assert_true(status.drops[DHT_DROP_UNPROVEN] > 0);
    swarm_delete(swarm);
}

struct capture {
    uint8_t bytes[64][DHT_DATAGRAM_MAX];
    size_t sizes[64];
    size_t count;
};

static bool capture_some(void *context, struct swarm *swarm, const struct address *from,
    const struct address *to, struct span bytes)
{
    struct capture *capture = context;
    (void)swarm;
    (void)from;
    (void)to;
    if (capture->count < 64) {
        memcpy(capture->bytes[capture->count], bytes.data, bytes.size);
        capture->sizes[capture->count++] = bytes.size;
    }
    return true;
}

static void garbage_and_mutations_do_no_harm(void **)
{
    struct swarm *swarm = swarm_of(2);
    static struct capture capture;
    capture.count = 0;
    swarm_set_tap(swarm, capture_some, &capture);
    const struct dht_key key = swarm_key("mutated");
    (void)swarm_put(swarm, 0, &key, 1, "v1");
    (void)swarm_get(swarm, 1, &key);
    (void)swarm_listen(swarm, 1, &key);
    swarm_run(swarm, SETTLE_MS);
    assert_true(capture.count > 8);
    swarm_set_tap(swarm, NULL, NULL);
    const uint8_t seed[RNG_SEED_SIZE] = {1};
    struct rng rng;
    rng_seed(&rng, seed);
    struct dht_core *core = swarm_node(swarm, 0)->core;
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t bytes[DHT_DATAGRAM_MAX];
        const size_t which = (size_t)rng_below(&rng, capture.count);
        const size_t size = capture.sizes[which];
        memcpy(bytes, capture.bytes[which], size);
        const uint64_t flips = rng_below(&rng, 4);
        for (uint64_t flip = 0; flip < flips; flip++) {
            bytes[rng_below(&rng, size)] = (uint8_t)rng_u64(&rng);
        }
        dht_core_recv(core, swarm_now(), &swarm_node(swarm, 1)->address, span_of(bytes, size));
        struct dht_send send;
        while (dht_core_next_send(core, &send)) {
        }
        if (i % 100 == 0) {
            swarm_run(swarm, 100);
        }
    }
    const struct dht_status status = dht_core_status(core, swarm_now());
    assert_true(status.drops[DHT_DROP_MALFORMED] > 100);
    assert_true(status.drops[DHT_DROP_UNASKED] > 100);
    swarm_delete(swarm);
}

// --- the rest of the interface -------------------------------------------------------------------

static void operations_are_checked_and_cancelled(void **)
{
    struct swarm *swarm = swarm_of(3);
    struct dht_core *core = swarm_node(swarm, 2)->core;
    const struct dht_key key = swarm_key("checked");
    uint8_t large[DHT_PUT_MAX_SIZE + 1] = {'v'};
    assert_int_equal(dht_core_put(core, swarm_now(), 900, &key, 1, span_of(large, sizeof(large))),
        ERR_TOO_LARGE);
    assert_int_equal(dht_core_put(core, swarm_now(), 900, &key, 0, span_of(large, 1)), ERR_RANGE);
    assert_int_equal(dht_core_put(core, swarm_now(), 0, &key, 1, span_of(large, 1)), ERR_RANGE);
    assert_int_equal(dht_core_listen(core, swarm_now(), 901, &key), OK);
    assert_int_equal(dht_core_listen(core, swarm_now(), 901, &key), ERR_EXISTS);
    assert_int_equal(dht_core_get(core, swarm_now(), 901, &key), ERR_EXISTS);
    swarm_run(swarm, SETTLE_MS);
    dht_core_cancel(core, swarm_now(), 901);
    dht_core_cancel(core, swarm_now(), 901);
    dht_core_cancel(core, swarm_now(), 0);
    dht_core_stop(core, swarm_now(), 12345);
    (void)swarm_put(swarm, 0, &key, 1, "v after the cancel");
    swarm_run(swarm, SETTLE_MS);
    assert_int_equal(swarm_node(swarm, 2)->told.values_count, 0);
    assert_int_equal(dht_core_status(core, swarm_now()).operations, 0);
    for (uint64_t i = 0; i < DHT_OPERATIONS_MAX; i++) {
        assert_int_equal(dht_core_listen(core, swarm_now(), 1000 + i, &key), OK);
    }
    assert_int_equal(dht_core_listen(core, swarm_now(), 999, &key), ERR_FULL);
    swarm_delete(swarm);
}

static void creation_and_addresses_are_checked(void **)
{
    struct dht_core *core = NULL;
    struct dht_core_config config = {.network = 7, .limits = dht_limits_small()};
    assert_int_equal(dht_core_create(&config, swarm_now(), &core), ERR_RANGE);
    config.ipv6 = true;
    config.limits.peers = 1;
    assert_int_equal(dht_core_create(&config, swarm_now(), &core), ERR_RANGE);
    config.limits = dht_limits_small();
    assert_int_equal(dht_core_create(&config, swarm_now(), &core), OK);
    struct address address = address_of_ipv4(224, 0, 0, 1, 4000);
    assert_int_equal(dht_core_bootstrap(core, swarm_now(), &address), ERR_RANGE);
    address = address_of_ipv4(192, 0, 2, 1, 0);
    assert_int_equal(dht_core_bootstrap(core, swarm_now(), &address), ERR_RANGE);
    const struct dht_node node = {.address = address};
    assert_int_equal(dht_core_insert_node(core, swarm_now(), &node), ERR_RANGE);
    for (unsigned port = 1; port <= DHT_BOOTSTRAP_MAX; port++) {
        address.port = (uint16_t)port;
        assert_int_equal(dht_core_bootstrap(core, swarm_now(), &address), OK);
        assert_int_equal(dht_core_bootstrap(core, swarm_now(), &address), OK);
    }
    address.port = 999;
    assert_int_equal(dht_core_bootstrap(core, swarm_now(), &address), ERR_FULL);
    struct dht_send send;
    assert_false(dht_core_next_send(core, &send)); // IPv4 is off
    assert_true(dht_core_status(core, swarm_now()).drops[DHT_DROP_FAMILY] > 0);
    assert_string_equal(dht_drop_name(DHT_DROP_BUDGET), "over_budget");
    dht_core_destroy(core);
    dht_core_destroy(NULL);
}

static void a_remembered_node_is_enough_to_join(void **)
{
    struct swarm *swarm = swarm_of(4);
    struct dht_node nodes[8];
    const size_t count = dht_core_export_nodes(swarm_node(swarm, 3)->core, nodes, 8);
    assert_in_range(count, 1, 3);
    const size_t late = swarm_add(swarm, true);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(
            dht_core_insert_node(swarm_node(swarm, late)->core, swarm_now(), &nodes[i]), OK);
    }
    swarm_run(swarm, 1000);
    assert_true(swarm_node(swarm, late)->told.joined);
    dht_core_connectivity_changed(swarm_node(swarm, late)->core, swarm_now());
    swarm_run(swarm, SETTLE_MS);
    assert_true(dht_core_status(swarm_node(swarm, late)->core, swarm_now()).joined);
    swarm_delete(swarm);
}

static void values_live_as_long_as_the_policy_says(void **)
{
    struct swarm *swarm = swarm_of(3);
    const struct dht_key key = swarm_key("short");
    (void)swarm_put(swarm, 0, &key, 5, "short lived");
    (void)swarm_run_done(swarm, 0, SETTLE_MS);
    const size_t before = dht_core_status(swarm_node(swarm, 1)->core, swarm_now()).store_values;
    assert_int_equal(before, 1);
    (void)swarm_put(swarm, 0, &key, 5, "short lived"); // again: the policy is asked, not OpenDHT
    (void)swarm_run_done(swarm, 0, SETTLE_MS);
    assert_int_equal(swarm_node(swarm, 1)->judged, 2);
    swarm_run(swarm, UINT64_C(125) * 1000);
    assert_int_equal(dht_core_status(swarm_node(swarm, 1)->core, swarm_now()).store_values, 0);
    (void)swarm_put(swarm, 0, &key, 6, "v to be dropped");
    (void)swarm_run_done(swarm, 0, SETTLE_MS);
    assert_int_equal(dht_core_status(swarm_node(swarm, 1)->core, swarm_now()).store_values, 1);
    dht_core_drop(swarm_node(swarm, 1)->core, swarm_now(), &key, 6);
    swarm_run(swarm, 10);
    assert_int_equal(dht_core_status(swarm_node(swarm, 1)->core, swarm_now()).store_values, 0);
    swarm_delete(swarm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_join_put_and_get),
        cmocka_unit_test(a_put_replaces_in_place_and_listeners_hear),
        cmocka_unit_test(clients_are_neither_queried_nor_handed_out),
        cmocka_unit_test(a_client_that_becomes_a_server_is_taken_in),
        cmocka_unit_test(a_bootstrap_that_is_a_client_is_asked_until_it_is_none),
        cmocka_unit_test(junk_is_not_stored_and_does_not_hide_the_value),
        cmocka_unit_test(an_unproven_address_gets_three_times_what_it_sent),
        cmocka_unit_test(garbage_and_mutations_do_no_harm),
        cmocka_unit_test(operations_are_checked_and_cancelled),
        cmocka_unit_test(creation_and_addresses_are_checked),
        cmocka_unit_test(a_remembered_node_is_enough_to_join),
        cmocka_unit_test(values_live_as_long_as_the_policy_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

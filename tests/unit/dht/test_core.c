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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_join_put_and_get),
        cmocka_unit_test(a_put_replaces_in_place_and_listeners_hear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

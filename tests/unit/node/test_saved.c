// SPDX-License-Identifier: GPL-3.0-or-later
//
// What outlives the process: a round trip, and every way in which the bytes can be wrong.
#include "tests/unit/node/world.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

static struct world *world;
static size_t a, b;

static int start(void **)
{
    world = world_make(5);
    a = world_add(world, (struct world_options){.first = true});
    b = world_add(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    world_up(world, a);
    world_up(world, b);
    assert_true(world_run_connected(world, a, b, 10000));
    world_down(world, a);
    return 0;
}

static int stop(void **)
{
    world_free(world);
    return 0;
}

static enum status create(struct span state, struct node **ret)
{
    return node_create(&world->nodes[a].config, state, world_now(world, a), ret);
}

static struct span saved(void)
{
    return span_of(world->nodes[a].saved, world->nodes[a].saved_size);
}

static void what_is_read_is_written_again(void **)
{
    struct node *node = NULL;
    assert_int_equal(create(saved(), &node), OK);
    size_t size = node_state_size_max(node);
    assert_true(size >= saved().size);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    struct writer writer = writer_of(bytes, size);
    assert_int_equal(node_export(node, world_now(world, a), &writer), OK);
    // Before a peer is admitted again: it must not be lost by a crash in between.
    struct node *again = NULL;
    assert_int_equal(create(writer_written(&writer), &again), OK);
    struct node_peer_status status;
    assert_true(node_peer_status(again, world_now(world, a), 0, &status));
    struct token_id token = world_token(world, b);
    assert_true(token_id_equal(&status.token, &token));
    assert_int_equal(status.stage, STAGE_CHAIN_UNKNOWN); // a record is there, the chain's word not
    writer = writer_of(bytes, saved().size / 2);
    assert_int_equal(node_export(node, world_now(world, a), &writer), ERR_FULL);
    free(bytes);
    node_destroy(node);
    node_destroy(again);
}

static void a_restart_needs_no_dht(void **)
{
    world->nodes[b].dht_cut = true;
    world->nodes[a].dht_cut = true;
    world_up(world, a);
    assert_true(world_run_connected(world, a, b, 10000));
}

static void every_truncation_is_refused(void **)
{
    for (size_t size = 1; size < saved().size; size++) {
        struct node *node = NULL;
        // In a block of its own, so that reading on is seen.
        uint8_t *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, saved().data, size);
        assert_int_not_equal(create(span_of(copy, size), &node), OK);
        assert_null(node);
        free(copy);
    }
}

static void altered_bytes_admit_nobody(void **)
{
    uint8_t *copy = malloc(saved().size + 1);
    assert_non_null(copy);
    for (size_t at = 0; at < saved().size; at++) {
        memcpy(copy, saved().data, saved().size);
        copy[at] ^= 0x40;
        struct node *node = NULL;
        if (create(span_of(copy, saved().size), &node) == OK) {
            struct node_effect effect;
            node_start(node, world_now(world, a));
            while (node_next_effect(node, world_now(world, a), &effect)) {
                // Only a grace that still runs sets a peer; then the record is whole.
                assert_true(effect.kind != EFFECT_PEER_SET);
            }
            node_destroy(node);
        }
    }
    copy[saved().size] = 0;
    memcpy(copy, saved().data, saved().size);
    struct node *node = NULL;
    assert_int_equal(create(span_of(copy, saved().size + 1), &node), ERR_TRAILING);
    free(copy);
}

static void another_version_or_network_is_named(void **)
{
    struct node *node = NULL;
    world->nodes[a].saved[0] = 4;
    assert_int_equal(create(saved(), &node), ERR_VERSION);
    world->nodes[a].saved[0] = 3;
    world->nodes[a].saved[1] ^= 1;
    assert_int_equal(create(saved(), &node), ERR_MISMATCH);
    world->nodes[a].saved[1] ^= 1;
    assert_int_equal(create(saved(), &node), OK);
    node_destroy(node);
    // Without a tombstone it is what was written before these had signatures.
    world->nodes[a].saved[0] = 2;
    assert_int_equal(create(saved(), &node), OK);
    node_destroy(node);
    // What was written before there were tombstones: it ends without their number.
    world->nodes[a].saved[0] = 1;
    assert_int_equal(create(saved(), &node), ERR_TRAILING);
    assert_int_equal(create(span_of(saved().data, saved().size - 4), &node), OK);
    node_destroy(node);
}

static void a_bad_configuration_is_refused(void **)
{
    struct node *node = NULL;
    struct node_config *config = &world->nodes[a].config;
    const struct node_config good = *config;
    config->capacity.peers = 0;
    assert_int_equal(create(span_of(NULL, 0), &node), ERR_RANGE);
    *config = good;
    config->wg_port = 0;
    assert_int_equal(create(span_of(NULL, 0), &node), ERR_RANGE);
    *config = good;
    config->delegation.token = token_id_of_u64(99);
    assert_int_equal(create(span_of(NULL, 0), &node), ERR_RANGE);
    *config = good;
    config->delegation.node_key.bytes[0] ^= 1;
    assert_int_equal(create(span_of(NULL, 0), &node), ERR_RANGE);
    *config = good;
    assert_null(node);
    node_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_read_is_written_again, start, stop),
        cmocka_unit_test_setup_teardown(a_restart_needs_no_dht, start, stop),
        cmocka_unit_test_setup_teardown(every_truncation_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(altered_bytes_admit_nobody, start, stop),
        cmocka_unit_test_setup_teardown(another_version_or_network_is_named, start, stop),
        cmocka_unit_test_setup_teardown(a_bad_configuration_is_refused, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// A peer on the device: one WireGuard key, one seat; what a change of it carries; a record that was
// only looked at; a network that comes back; more work at once than the queue of effects holds.
#include "tests/unit/node/world.h"

#include "base/overlay.h"

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

enum {
    MINUTE = 60000,
    CROWD = 60,
};

static struct world *world;
static size_t a, b;

static int start(void **)
{
    world = world_make(5);
    a = world_add(world, (struct world_options){.first = true, .grace_ms = 5 * MINUTE});
    b = world_add(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    world_up(world, a);
    return 0;
}

static int stop(void **)
{
    world_free(world);
    return 0;
}

static void connect_both(void)
{
    world_up(world, b);
    assert_true(world_run_connected(world, a, b, 10000));
}

// A record of the node at `index`, that is well signed and authorised, with the WireGuard key of
// another one; stored where records of its token lie.
static void store_with_key_of(size_t index, size_t other)
{
    const struct world_node *node = &world->nodes[index];
    struct network network = model_network();
    struct network_keys keys = network_keys_of(&network, NULL);
    struct record record = {.token = world_token(world, index),
        .node_key = node->config.delegation.node_key,
        .wg_key = world->wg_keys[other],
        .sequence = world_now(world, index).unix_time.ms,
        .boot = world->now,
        .not_after_s = world_now(world, index).unix_time.ms / 1000 + 1200,
        .nat_class = NAT_EASY,
        .delegation = node->config.delegation};
    record.candidates.count = 1;
    record.candidates.list[0] = (struct candidate){
        .kind = CANDIDATE_REFLEXIVE, .address = address_of_ipv4(198, 51, 100, 7, WG_PORT_OF_ALL)};
    uint8_t bytes[RECORD_MAX_SIZE];
    size_t size = 0;
    assert_int_equal(record_encode(&keys, &node->config.node_secret, &record, bytes, &size), OK);
    struct dht_key key = world_record_key(world, node->options.token);
    world_dht_store(world, &key, value_id_of_record(&record.node_key), span_of(bytes, size));
}

static const struct world_peer *device_peer(size_t index, size_t other)
{
    for (size_t i = 0; i < WORLD_PEERS_MAX; i++) {
        const struct world_peer *peer = &world->nodes[index].peers[i];
        if (peer->used && wg_key_equal(&peer->peer.key, &world->wg_keys[other])) {
            return peer;
        }
    }
    return NULL;
}

static bool has_address_of(const struct world_peer *peer, uint64_t token)
{
    struct network network = model_network();
    struct network_keys keys = network_keys_of(&network, NULL);
    struct token_id id = token_id_of_u64(token);
    struct address overlay = overlay_ipv6(&keys.id, &id);
    return peer != NULL && address_same_ip(&peer->peer.allowed[0].base, &overlay);
}

static void a_copied_key_takes_nobodys_tunnel(void **)
{
    connect_both();
    size_t thief = world_add(world, (struct world_options){.nat = KIND_PUBLIC});
    store_with_key_of(thief, b);
    world_run(world, MINUTE);
    const struct world_report *refused = world_report(world, a, EVENT_REFUSED, 3, 0);
    assert_non_null(refused);
    assert_int_equal(refused->report.verdict.reason, REASON_KEY_TAKEN);
    assert_true(has_address_of(device_peer(a, b), 2));
    assert_true(world_connected(world, a, b));
    // Nor is the own key anybody else's.
    store_with_key_of(thief, a);
    world_run(world, MINUTE);
    assert_null(device_peer(a, a));
}

static void who_comes_first_with_a_copied_key_does_not_keep_it(void **)
{
    size_t thief = world_add(world, (struct world_options){.nat = KIND_PUBLIC});
    size_t other = world_add(world, (struct world_options){.nat = KIND_PUBLIC});
    world_up(world, other);
    assert_true(world_run_connected(world, a, other, 10000));
    store_with_key_of(thief, b);
    world_run(world, 20000);
    assert_true(has_address_of(device_peer(a, b), 3));
    world_up(world, b);
    assert_true(world_run_connected(world, a, b, 3 * MINUTE));
    assert_true(has_address_of(device_peer(a, b), 2));
    assert_true(world_connected(world, a, other));
}

static void a_keepalive_alone_carries_no_endpoint(void **)
{
    connect_both();
    // The passive side got the endpoint when the path was proven, its keepalive when it worked. By
    // then WireGuard may have roamed.
    const struct world_peer *peer = device_peer(b, a);
    assert_non_null(peer);
    assert_int_equal(peer->peer.keepalive_s, PATH_KEEPALIVE_S);
    assert_false(address_is_set(&peer->peer.endpoint));
    assert_true(address_is_set(&peer->endpoint));
}

static void a_record_that_was_looked_at_ends_no_tunnel(void **)
{
    connect_both();
    world_run(world, 5000);
    struct dht_key key = world_record_key(world, 2);
    struct world_value *value = world_dht_find(
        world, &key, value_id_of_record(&world->nodes[b].config.delegation.node_key));
    assert_non_null(value);
    struct network network = model_network();
    struct network_keys keys = network_keys_of(&network, NULL);
    struct record next;
    assert_int_equal(record_decode(&keys, &key, span_of(value->bytes, value->size), &next), OK);
    next.sequence += 1000;
    struct verdict verdict = node_check_record(world->nodes[a].node, world_now(world, a), &next);
    world_drain(world, a);
    assert_int_equal(verdict.kind, VERDICT_YES);
    // Any news of the chain: the record in use is judged again.
    world->nodes[a].chain = FAULT_DEAD;
    world_run(world, MINUTE);
    world->nodes[a].chain = FAULT_NONE;
    world_run(world, MINUTE);
    assert_null(world_report(world, a, EVENT_REMOVED, 2, 0));
    assert_true(world_connected(world, a, b));
}

static void a_network_that_comes_back_is_used_at_once(void **)
{
    size_t c = world_add(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    world_up(world, b);
    world_up(world, c);
    assert_true(world_run_connected(world, b, c, 15000));
    world->nodes[c].cut = true;
    world->nodes[c].dht_cut = true;
    world_run(world, 8 * MINUTE);
    assert_false(world_connected(world, a, c));
    struct node_peer_status status;
    assert_true(world_peer_status(world, c, 1, &status));
    assert_int_equal(status.path, PATH_BACKOFF);
    world->nodes[c].cut = false;
    world->nodes[c].dht_cut = false;
    struct node_local_address local[] = {
        {.address = world->nodes[c].inside, .prefix_length = 24},
        {.address = address_of_ipv4(10, 99, 0, 3, 0), .prefix_length = 24},
    };
    node_on_local_addresses(world->nodes[c].node, world_now(world, c), local, 2);
    world_drain(world, c);
    assert_true(world_run_connected(world, a, c, 10000));
    assert_true(world_run_connected(world, b, c, 10000));
}

// All at once: the members that the chain names, a search for each.
static void a_crowd_loses_no_effect(void **)
{
    for (uint64_t token = 4; token < 4 + CROWD; token++) {
        world_transfer(world, token, 9);
    }
    world_kill(world, a);
    world->nodes[a].config.capacity.peers = CROWD + 12;
    world_up(world, a);
    size_t c = world_add(world,
        (struct world_options){.nat = KIND_PUBLIC, .peers = CROWD + 12, .members = CROWD + 12});
    world_up(world, c);
    assert_true(world_run_connected(world, a, c, 15000));
    world_run(world, 5000);
    struct node_status status = world_status(world, c);
    assert_int_equal(status.members, CROWD + 2);
    assert_int_equal(status.effects_dropped, 0);
    assert_int_equal(world_reports(world, c, EVENT_MEMBER_FOUND), CROWD + 2);
    assert_true(world->nodes[c].gets >= CROWD);
    // The network goes and comes: everything is looked for anew.
    node_on_dht_nodes(world->nodes[c].node, world_now(world, c), 0);
    world_drain(world, c);
    world_run(world, 10 * MINUTE);
    assert_int_equal(world_status(world, c).effects_dropped, 0);
}

// The mesh was small and its members are away; it has grown, and one that is there knocks.
static void who_is_away_keeps_no_place_from_who_is_there(void **)
{
    for (uint64_t token = 4; token < 12; token++) {
        world_transfer(world, token, 9);
    }
    world_kill(world, a);
    world->nodes[a].config.mesh_max = 9;
    world_up(world, a);
    world_run(world, MINUTE);
    assert_int_equal(world_status(world, a).peers, 8);
    size_t c =
        world_add(world, (struct world_options){.nat = KIND_PUBLIC, .token = 20, .mesh_max = 1});
    world_run(world, MINUTE);
    assert_true(world_status(world, a).on_demand);
    world_up(world, c);
    struct token_id first = token_id_of_u64(1);
    assert_int_equal(node_want_peer(world->nodes[c].node, world_now(world, c), &first), OK);
    world_drain(world, c);
    assert_true(world_run_connected(world, a, c, 15000));
}

// A clock that was set back, and a first read-back that nobody answered: the record that the
// earlier run left is no clone's.
static void a_read_that_failed_says_nothing_about_the_seat(void **)
{
    connect_both();
    struct dht_key key = world_record_key(world, 2);
    struct world_value *value = world_dht_find(
        world, &key, value_id_of_record(&world->nodes[b].config.delegation.node_key));
    assert_non_null(value);
    uint8_t old[RECORD_MAX_SIZE];
    size_t size = value->size;
    memcpy(old, value->bytes, size);
    world_kill(world, b);
    value->used = false;
    free(world->nodes[b].saved);
    world->nodes[b].saved = NULL;
    world->nodes[b].saved_size = 0;
    world->nodes[b].skew_ms = -MINUTE;
    world_up(world, b);
    while (world_report(world, b, EVENT_PUBLISHED, 0, world->now) == NULL) {
        world_run(world, 1);
    }
    world->nodes[b].dht_cut = true;
    world_run(world, 7000);
    world->nodes[b].dht_cut = false;
    world_dht_store(world, &key, 77, span_of(old, size));
    world_run(world, 3 * MINUTE);
    assert_false(world_status(world, b).displaced);
    assert_true(world_run_connected(world, a, b, MINUTE));
}

// The first node of a network whose members are all clients: nobody answers its reads, and still
// it is told apart from its clone.
static void a_first_node_that_nobody_answers_learns_of_its_clone(void **)
{
    world_run(world, 2 * MINUTE);
    assert_false(world_status(world, a).joined);
    struct dht_key key = world_record_key(world, 1);
    struct world_value *value = world_dht_find(
        world, &key, value_id_of_record(&world->nodes[a].config.delegation.node_key));
    assert_non_null(value);
    struct network network = model_network();
    struct network_keys keys = network_keys_of(&network, NULL);
    struct record clone;
    assert_int_equal(record_decode(&keys, &key, span_of(value->bytes, value->size), &clone), OK);
    clone.boot++;
    clone.sequence += MINUTE;
    uint8_t bytes[RECORD_MAX_SIZE];
    size_t size = 0;
    assert_int_equal(
        record_encode(&keys, &world->nodes[a].config.node_secret, &clone, bytes, &size), OK);
    world_dht_store(world, &key, value->id, span_of(bytes, size));
    world_run(world, 2 * MINUTE);
    assert_true(world_status(world, a).displaced);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copied_key_takes_nobodys_tunnel, start, stop),
        cmocka_unit_test_setup_teardown(
            who_comes_first_with_a_copied_key_does_not_keep_it, start, stop),
        cmocka_unit_test_setup_teardown(a_keepalive_alone_carries_no_endpoint, start, stop),
        cmocka_unit_test_setup_teardown(a_record_that_was_looked_at_ends_no_tunnel, start, stop),
        cmocka_unit_test_setup_teardown(a_network_that_comes_back_is_used_at_once, start, stop),
        cmocka_unit_test_setup_teardown(a_crowd_loses_no_effect, start, stop),
        cmocka_unit_test_setup_teardown(who_is_away_keeps_no_place_from_who_is_there, start, stop),
        cmocka_unit_test_setup_teardown(
            a_read_that_failed_says_nothing_about_the_seat, start, stop),
        cmocka_unit_test_setup_teardown(
            a_first_node_that_nobody_answers_learns_of_its_clone, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Joining: from a bootstrap address alone to tunnels, for each pair of NATs that can connect, and
// by each way that an intent may take.
#include "tests/unit/node/world.h"

#include "tests/unit/unit.h"

static struct world *world;

static int start(void **)
{
    world = world_make(1);
    return 0;
}

static int stop(void **)
{
    world_free(world);
    return 0;
}

static void two_public_members_connect(void **)
{
    size_t a = world_join(world, (struct world_options){.first = true});
    world_run(world, 3000);
    assert_non_null(world_report(world, a, EVENT_ALONE, 0, 0));
    assert_non_null(world_report(world, a, EVENT_PUBLISHED, 0, 0));
    assert_null(world_report(world, a, EVENT_JOINED, 0, 0));
    size_t b = world_join(world, (struct world_options){.nat = KIND_PUBLIC});
    assert_true(world_run_connected(world, a, b, 5000));
    assert_non_null(world_report(world, b, EVENT_JOINED, 0, 0));
    assert_non_null(world_report(world, b, EVENT_VERIFIED, 1, 0));
    assert_true(world_on_device(world, a, b) && world_on_device(world, b, a));
    assert_int_equal(world_status(world, a).connected, 1);
}

// In the state of the demo: a first public node, a second one, two behind NATs.
static void natted_pair(enum nat_kind x, enum nat_kind y, bool connects)
{
    size_t a = world_join(world, (struct world_options){.first = true});
    size_t b = world_join(world, (struct world_options){.nat = KIND_PUBLIC});
    assert_true(world_run_connected(world, a, b, 10000));
    size_t c = world_join(world, (struct world_options){.nat = x});
    size_t d = world_join(world, (struct world_options){.nat = y});
    bool connected = world_run_connected(world, c, d, 15000);
    assert_int_equal(connected, connects);
    assert_true(world_run_connected(world, a, c, 5000));
    assert_true(world_run_connected(world, b, d, 5000));
    if (!connects) {
        struct node_peer_status status;
        assert_true(world_peer_status(world, c, 4, &status));
        char text[GATE_VERDICT_TEXT_SIZE];
        peer_stage_text(&status, text, sizeof text);
        assert_int_equal(status.stage, STAGE_NO_PATH);
        assert_true(status.why != PATH_WHY_NONE);
        assert_string_equal(text, path_why_text(status.why));
    }
    world_free(world);
    world = world_make(1);
}

// Their records name no address, so the first packet needs an intent.
static void a_private_network_connects(void **)
{
    size_t a = world_join(world, (struct world_options){.first = true, .lan = true});
    size_t b = world_join(world, (struct world_options){.nat = KIND_PUBLIC, .lan = true});
    assert_true(world_run_connected(world, a, b, 5000));
    size_t c = world_join(world, (struct world_options){.nat = KIND_PUBLIC, .lan = true});
    assert_true(world_run_connected(world, a, c, 5000));
    assert_true(world_run_connected(world, b, c, 5000));
}

static void pairs_behind_nats_connect_where_they_can(void **)
{
    natted_pair(KIND_PORT_RESTRICTED, KIND_PORT_RESTRICTED, true);
    natted_pair(KIND_FULL_CONE, KIND_PORT_RESTRICTED, true);
    natted_pair(KIND_ADDRESS_RESTRICTED, KIND_SYMMETRIC, true);
    natted_pair(KIND_PUBLIC, KIND_SYMMETRIC, true);
    natted_pair(KIND_SYMMETRIC, KIND_SYMMETRIC, false);
    natted_pair(KIND_PORT_RESTRICTED, KIND_SYMMETRIC, false);
}

// How the last intent about `token` that `index` acted upon came.
static enum intent_way way_of(size_t index, uint64_t token)
{
    const struct world_report *seen = world_report(world, index, EVENT_INTENT_RECEIVED, token, 0);
    assert_non_null(seen);
    return seen->report.how;
}

// The bootstrap node has no seat, so it is nobody's mutual peer and has no tunnel.
static void without_a_mutual_peer_the_inbox_serves(void **)
{
    world_transfer(world, 1, 9);
    (void)world_join(world, (struct world_options){.first = true, .wallet = 1});
    size_t c = world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    size_t d = world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    assert_true(world_run_connected(world, c, d, 15000));
    assert_int_equal(way_of(c, 3), WAY_INBOX);
}

static void a_mutual_peer_hands_intents_on(void **)
{
    size_t a = world_join(world, (struct world_options){.first = true});
    size_t c = world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    size_t d = world_add(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    world_run(world, 3000);
    world->nodes[c].dht_cut = true; // its inbox stays silent
    world_up(world, d);
    assert_true(world_run_connected(world, c, d, 15000));
    assert_int_equal(way_of(c, 3), WAY_TUNNEL);
    assert_true(world_status(world, a).counters.forwards > 0);
}

static void a_public_member_is_told_directly(void **)
{
    size_t a = world_join(world, (struct world_options){.first = true});
    world_run(world, 3000);
    size_t c = world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    assert_true(world_run_connected(world, a, c, 5000));
    assert_int_equal(way_of(a, 2), WAY_DIRECT);
}

static void a_lost_mapping_is_found_again(void **)
{
    (void)world_join(world, (struct world_options){.first = true});
    (void)world_join(world, (struct world_options){.nat = KIND_PUBLIC});
    size_t c = world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    size_t d = world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    assert_true(world_run_connected(world, c, d, 15000));
    world_rebind(world, c);
    world_run(world, 120000);
    assert_true(world_run_connected(world, c, d, 60000));
    struct world_peer *peer = &world->nodes[c].peers[0];
    for (; !wg_key_equal(&peer->peer.key, &world->wg_keys[d]); peer++) {
    }
    uint64_t received = peer->rx_bytes;
    world_run(world, 60000);
    assert_true(peer->rx_bytes > received);
}

static void a_peer_that_was_away_comes_back(void **)
{
    (void)world_join(world, (struct world_options){.first = true});
    (void)world_join(world, (struct world_options){.nat = KIND_PUBLIC});
    size_t c = world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    size_t d = world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    assert_true(world_run_connected(world, c, d, 15000));
    const uint64_t away_ms[] = {1000, 180000, 1000000};
    for (size_t i = 0; i < 3; i++) {
        world_kill(world, d);
        world_run(world, away_ms[i]);
        world_up(world, d);
        assert_true(world_run_connected(world, c, d, 30000));
        world_run(world, 5000);
        assert_true(world_connected(world, c, d));
    }
}

// The one that stayed believes in the tunnel of before and begins no handshake; so the one that was
// restarted does, whichever of the two it is.
static void a_restarted_peer_is_back_at_once(void **)
{
    (void)world_join(world, (struct world_options){.first = true});
    size_t pair[2] = {world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED}),
        world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED})};
    assert_true(world_run_connected(world, pair[0], pair[1], 15000));
    for (size_t i = 0; i < 2; i++) {
        world_run(world, 10000);
        world_down(world, pair[i]);
        world_up(world, pair[i]);
        assert_true(world_run_connected(world, pair[0], pair[1], 1500));
    }
}

static void a_late_message_does_not_revive(void **)
{
    size_t a = world_join(world, (struct world_options){.first = true});
    size_t b = world_join(world, (struct world_options){.nat = KIND_PUBLIC});
    assert_true(world_run_connected(world, a, b, 10000));
    struct node_peer_status status;
    assert_true(world_peer_status(world, a, 2, &status));
    world->nodes[b].cut = true;
    world_run(world, 60000);
    assert_int_equal(world_status(world, a).connected, 0);
    const struct message pong = {.kind = MESSAGE_PONG};
    uint8_t bytes[MESSAGE_MAX_SIZE];
    struct writer writer = writer_of(bytes, sizeof bytes);
    assert_int_equal(message_encode(&pong, &writer), OK);
    node_on_member_message(
        world->nodes[a].node, world_now(world, a), &status.ipv6, writer_written(&writer));
    world_drain(world, a);
    world_run(world, 120000);
    assert_int_equal(world_status(world, a).connected, 0);
    world->nodes[b].cut = false;
    assert_true(world_run_connected(world, a, b, 360000));
}

static void two_nats_that_forget_at_once(void **)
{
    (void)world_join(world, (struct world_options){.first = true});
    (void)world_join(world, (struct world_options){.nat = KIND_PUBLIC});
    size_t c = world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    size_t d = world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    assert_true(world_run_connected(world, c, d, 15000));
    world_rebind(world, c);
    world_rebind(world, d);
    world_run(world, 50000); // until both have noticed the silence
    assert_true(world_run_connected(world, c, d, 60000));
}

static void a_whole_mesh_forms_and_stays(void **)
{
    for (size_t i = 0; i < 8; i++) {
        (void)world_join(world, (struct world_options){.first = i == 0,
                                    .nat = i < 2 ? KIND_PUBLIC : KIND_PORT_RESTRICTED});
        world_run(world, 500);
    }
    world_run(world, 30000);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(world_status(world, i).connected, 7);
    }
    world_run(world, 900000);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(world_status(world, i).connected, 7);
        assert_int_equal(world_reports(world, i, EVENT_LOST), 0);
        assert_int_equal(world_status(world, i).effects_dropped, 0);
        struct dht_key key = world_record_key(world, i + 1);
        assert_int_equal(world_dht_count(world, &key), 1);
    }
}

static struct hash256 trace_of(uint64_t seed)
{
    world_free(world);
    world = world_make(seed);
    for (size_t i = 0; i < 5; i++) {
        (void)world_join(world, (struct world_options){.first = i == 0,
                                    .nat = i < 2 ? KIND_PUBLIC : (enum nat_kind)(i % 4)});
        world_run(world, 200);
    }
    world_run(world, 60000);
    world_down(world, 3);
    world_run(world, 1000);
    world_up(world, 3);
    world_run(world, 60000);
    assert_true(world->effects > 1000);
    return world->trace;
}

static void equal_seeds_give_equal_effects(void **)
{
    struct hash256 first = trace_of(7);
    struct hash256 second = trace_of(7);
    struct hash256 other = trace_of(8);
    assert_memory_equal(first.bytes, second.bytes, sizeof first.bytes);
    assert_memory_not_equal(first.bytes, other.bytes, sizeof first.bytes);
}

static void a_bootstrap_that_comes_late_is_found(void **)
{
    size_t a = world_add(world, (struct world_options){.first = true});
    size_t b = world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    world_run(world, 60000);
    assert_null(world_report(world, b, EVENT_JOINED, 0, 0));
    world_up(world, a);
    assert_true(world_run_connected(world, a, b, 20000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(two_public_members_connect, start, stop),
        cmocka_unit_test_setup_teardown(a_private_network_connects, start, stop),
        cmocka_unit_test_setup_teardown(pairs_behind_nats_connect_where_they_can, start, stop),
        cmocka_unit_test_setup_teardown(without_a_mutual_peer_the_inbox_serves, start, stop),
        cmocka_unit_test_setup_teardown(a_mutual_peer_hands_intents_on, start, stop),
        cmocka_unit_test_setup_teardown(a_public_member_is_told_directly, start, stop),
        cmocka_unit_test_setup_teardown(a_lost_mapping_is_found_again, start, stop),
        cmocka_unit_test_setup_teardown(a_bootstrap_that_comes_late_is_found, start, stop),
        cmocka_unit_test_setup_teardown(a_peer_that_was_away_comes_back, start, stop),
        cmocka_unit_test_setup_teardown(a_restarted_peer_is_back_at_once, start, stop),
        cmocka_unit_test_setup_teardown(a_late_message_does_not_revive, start, stop),
        cmocka_unit_test_setup_teardown(two_nats_that_forget_at_once, start, stop),
        cmocka_unit_test_setup_teardown(a_whole_mesh_forms_and_stays, start, stop),
        cmocka_unit_test_setup_teardown(equal_seeds_give_equal_effects, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

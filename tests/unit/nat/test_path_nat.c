// SPDX-License-Identifier: GPL-3.0-or-later
//
// Path machines through every pair of NAT kinds, and what real NATs do to them.
#include "tests/unit/nat/world.h"
#include "tests/unit/unit.h"

enum {
    KINDS = WORLD_SYMMETRIC + 1,
};

static struct world world;

static bool can_connect(enum world_nat_kind a, enum world_nat_kind b)
{
    bool hard = a == WORLD_SYMMETRIC || b == WORLD_SYMMETRIC;
    bool strict = (a == WORLD_SYMMETRIC && b >= WORLD_PORT_RESTRICTED) ||
                  (b == WORLD_SYMMETRIC && a >= WORLD_PORT_RESTRICTED);
    return !(hard && strict);
}

static void test_every_pair_that_can_connect_does(void **)
{
    for (unsigned a = 0; a < KINDS; a++) {
        for (unsigned b = 0; b < KINDS; b++) {
            world_init(&world, (enum world_nat_kind)a, (enum world_nat_kind)b);
            world_start(&world, 0);
            world_run(&world, 12000);
            bool expected = can_connect((enum world_nat_kind)a, (enum world_nat_kind)b);
            if (world_both_connected(&world) != expected) {
                print_message("pair %u x %u: %s, %s\n", a, b,
                    path_state_name(world.sides[0].path.state),
                    path_state_name(world.sides[1].path.state));
            }
            assert_int_equal(world_both_connected(&world), expected);
            if (expected) {
                // Intent, its answer, a probe and its answer, with some slack for rounds.
                assert_true(world.sides[0].connected_ms - 1000 < 400);
                continue;
            }
            enum path_why why = a == b ? PATH_WHY_BOTH_HARD : PATH_WHY_HARD_TO_EASY;
            assert_int_equal(world.sides[0].why, why);
            assert_int_equal(world.sides[1].why, why);
        }
    }
}

static void test_both_start_at_once(void **)
{
    for (unsigned a = 0; a < KINDS; a++) {
        for (unsigned b = 0; b < KINDS; b++) {
            world_init(&world, (enum world_nat_kind)a, (enum world_nat_kind)b);
            world_start(&world, 0);
            world_run(&world, 5);
            world_start(&world, 1);
            world_run(&world, 12000);
            assert_int_equal(world_both_connected(&world),
                can_connect((enum world_nat_kind)a, (enum world_nat_kind)b));
        }
    }
}

static void test_public_peer_takes_one_round_trip(void **)
{
    world_init(&world, WORLD_PORT_RESTRICTED, WORLD_NO_NAT);
    world_start(&world, 0);
    world_run(&world, 500);
    assert_int_equal(world.sides[0].validated_ms, 1000 + 2 * WORLD_LATENCY_MS);
    assert_int_equal(world.sides[0].rung, PATH_RUNG_PUBLIC);
    assert_int_equal(world.sides[0].sent_low_ttl, 0);
    assert_true(world_both_connected(&world));
}

static void test_clash_needs_the_pre_punch(void **)
{
    for (unsigned ttl = 2; ttl <= 64; ttl += 62) {
        world_init(&world, WORLD_PORT_RESTRICTED, WORLD_PORT_RESTRICTED);
        for (unsigned i = 0; i < 2; i++) {
            world.sides[i].nat.keeps_strangers = true;
            world.sides[i].path.config.prepunch_ttl = (uint8_t)ttl; // 64: reaches the peer's NAT
        }
        world_start(&world, 0);
        world_run(&world, 11000);
        assert_int_equal(world_both_connected(&world), ttl == 2);
    }
}

static void test_lan_is_preferred(void **)
{
    world_init(&world, WORLD_PORT_RESTRICTED, WORLD_PORT_RESTRICTED);
    world_share_lan(&world);
    world_start(&world, 0);
    world_run(&world, 1000);
    assert_true(world_both_connected(&world));
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(world.sides[i].rung, PATH_RUNG_LAN);
        assert_int_equal(path_note(&world.sides[i].path), PATH_NOTE_NONE);
    }
}

// A foreign LAN with the same numbers: its address does not answer, the reflexive one does.
static void test_same_numbers_elsewhere_do_not_stop_it(void **)
{
    world_init(&world, WORLD_PORT_RESTRICTED, WORLD_PORT_RESTRICTED);
    world_share_lan(&world);
    world.shared_lan = false;
    world_start(&world, 0);
    world_run(&world, 1000);
    assert_true(world_both_connected(&world));
    assert_int_equal(world.sides[0].rung, PATH_RUNG_REFLEXIVE);
    assert_int_equal(path_note(&world.sides[0].path), PATH_NOTE_THROUGH_NAT);
}

static void test_silent_peer_is_retried_with_an_intent(void **)
{
    world_init(&world, WORLD_PORT_RESTRICTED, WORLD_PORT_RESTRICTED);
    world.sides[1].deaf = true;
    world_start(&world, 0);
    world_run(&world, 11000);
    assert_int_equal(world.sides[0].path.state, PATH_BACKOFF);
    assert_int_equal(world.sides[0].why, PATH_WHY_PEER_SILENT);
    assert_int_equal(world.sides[0].intents, 1);
    world.sides[1].deaf = false;
    world_run(&world, 40000);
    assert_int_equal(world.sides[0].intents, 2);
    assert_true(world_both_connected(&world));
}

static void test_no_handshake_is_named(void **)
{
    world_init(&world, WORLD_PORT_RESTRICTED, WORLD_PORT_RESTRICTED);
    world.sides[1].mute = true;
    world_start(&world, 0);
    world_run(&world, 31000);
    assert_int_equal(world.sides[0].why, PATH_WHY_NO_HANDSHAKE);
    world.sides[1].mute = false;
    world_run(&world, 15000);
    assert_true(world_both_connected(&world));
}

static void test_rebinding_is_noticed_and_mended(void **)
{
    world_init(&world, WORLD_PORT_RESTRICTED, WORLD_PORT_RESTRICTED);
    world_start(&world, 0);
    world_run(&world, 60000);
    assert_true(world_both_connected(&world));
    world_rebind(&world, 1);
    world_run(&world, 75000);
    assert_true(world.sides[0].lost_ms > 0);
    assert_true(world.sides[0].lost_ms < 61000 + 70000);
    assert_true(world_both_connected(&world));
    assert_int_equal(world.sides[0].endpoint.port, 52820);
}

static void test_mapping_change_is_faster_than_silence(void **)
{
    world_init(&world, WORLD_PORT_RESTRICTED, WORLD_PORT_RESTRICTED);
    world_start(&world, 0);
    world_run(&world, 60000);
    world_rebind(&world, 1);
    world_start(&world, 1); // what the node does when its mapping changed
    world_run(&world, 1000);
    assert_int_equal(world.sides[0].endpoint.port, 52820);
    assert_true(path_is_connected(&world.sides[0].path));
    world_run(&world, 28000); // the next keepalive
    assert_int_equal(world.sides[0].lost_ms, 0);
    assert_true(world_both_connected(&world));
}

static void test_working_path_is_kept(void **)
{
    world_init(&world, WORLD_PORT_RESTRICTED, WORLD_PORT_RESTRICTED);
    world_start(&world, 0);
    world_run(&world, 60000);
    unsigned before = world.sides[0].validations;
    struct address endpoint = world.sides[0].endpoint;
    world_start(&world, 0);
    assert_true(path_is_connected(&world.sides[0].path));
    world_run(&world, 1000);
    assert_true(world_both_connected(&world));
    assert_int_equal(world.sides[0].validations, before);
    assert_true(address_equal(&world.sides[0].endpoint, &endpoint));
    // Even when nothing answers any more, as long as WireGuard receives.
    world.sides[1].deaf = true;
    path_stop(&world.sides[1].path, (struct mono){.ms = world.now_ms});
    world.sides[1].path.key.in.tag[0] ^= 1;
    world_start(&world, 0);
    world_run(&world, 11000);
    assert_int_equal(world.sides[0].path.state, PATH_CONNECTED);
    assert_int_equal(world.sides[0].failed_ms, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair_that_can_connect_does),
        cmocka_unit_test(test_both_start_at_once),
        cmocka_unit_test(test_public_peer_takes_one_round_trip),
        cmocka_unit_test(test_clash_needs_the_pre_punch),
        cmocka_unit_test(test_lan_is_preferred),
        cmocka_unit_test(test_same_numbers_elsewhere_do_not_stop_it),
        cmocka_unit_test(test_silent_peer_is_retried_with_an_intent),
        cmocka_unit_test(test_no_handshake_is_named),
        cmocka_unit_test(test_rebinding_is_noticed_and_mended),
        cmocka_unit_test(test_mapping_change_is_faster_than_silence),
        cmocka_unit_test(test_working_path_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The own seat: what a node does that has none, that loses it, and what it publishes.
#include "tests/unit/node/world.h"

#include "tests/unit/unit.h"

enum {
    STRANGER = 9,
    MINUTE = 60000,
};

static struct world *world;
static size_t a, b;

// A first node and a member, connected.
static int start(void **)
{
    world = world_make(2);
    a = world_add(world, (struct world_options){.first = true});
    b = world_add(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    world_up(world, a);
    world_run(world, 2000);
    world_up(world, b);
    assert_true(world_run_connected(world, a, b, 10000));
    return 0;
}

static int stop(void **)
{
    world_free(world);
    return 0;
}

static void without_a_seat_it_says_nothing(void **)
{
    world_transfer(world, 3, 3);
    size_t c = world_add(world, (struct world_options){.wallet = STRANGER});
    world_up(world, c);
    world_run(world, 10 * MINUTE);
    const struct world_report *verdict = world_report(world, c, EVENT_SELF_VERDICT, 3, 0);
    assert_non_null(verdict);
    assert_int_equal(verdict->report.verdict.kind, VERDICT_NO);
    assert_int_equal(verdict->report.verdict.reason, REASON_OTHER_OWNER);
    assert_int_equal(world->nodes[c].puts, 0);
    assert_int_equal(world_status(world, c).counters.intents_sent, 0);
    assert_int_equal(world->nodes[c].sent_to[b], 0);
    assert_false(world_status(world, c).published);
    assert_false(world_on_device(world, a, c) || world_on_device(world, b, c));
    // It gets the token and signs anew (what was signed before a transfer is void): it begins by
    // itself.
    world_transfer(world, 3, STRANGER);
    world_run(world, 10000);
    struct delegation fresh = world_delegation(world, c, STRANGER, world_now(world, c).unix_time);
    assert_int_equal(
        node_set_delegation(world->nodes[c].node, world_now(world, c), &fresh, span_of(NULL, 0)),
        OK);
    world_drain(world, c);
    assert_true(world_run_connected(world, b, c, MINUTE));
}

static void who_insists_is_refused_and_gets_no_packet(void **)
{
    world_transfer(world, 3, 3);
    uint64_t before = world->nodes[b].sent_to[2];
    size_t c = world_add(world, (struct world_options){.wallet = STRANGER, .insist = true});
    world_up(world, c);
    world_run(world, 5 * MINUTE);
    assert_true(world->nodes[c].puts > 0);
    assert_true(world_status(world, c).counters.intents_sent > 0);
    const struct world_report *refused = world_report(world, b, EVENT_REFUSED, 3, 0);
    assert_non_null(refused);
    assert_int_equal(refused->report.verdict.reason, REASON_OTHER_OWNER);
    assert_non_null(world_report(world, a, EVENT_REFUSED, 3, 0));
    assert_false(world_on_device(world, a, c) || world_on_device(world, b, c));
    assert_int_equal(world->nodes[b].sent_to[c], before);
    assert_int_equal(world_status(world, a).counters.peers_admitted, 1);
}

// It was displaced: nobody on its device, and not a word more than its STUN and its chain.
static void assert_keeps_still(size_t index)
{
    struct world_node *node = &world->nodes[index];
    assert_true(world_status(world, index).displaced);
    assert_int_equal(world_reports(world, index, EVENT_DISPLACED), 1);
    uint64_t puts = node->puts;
    uint64_t sets = node->sets;
    uint64_t intents = world_status(world, index).counters.intents_sent;
    uint64_t accepted = world_status(world, index).counters.intents_accepted;
    struct token_id other = token_id_of_u64(1);
    (void)node_want_peer(node->node, world_now(world, index), &other);
    world_drain(world, index);
    world_run(world, 5 * MINUTE);
    for (size_t i = 0; i < world->count; i++) {
        assert_true(i == index || !world_on_device(world, index, i));
    }
    assert_int_equal(node->puts, puts);
    assert_int_equal(node->sets, sets);
    assert_int_equal(world_status(world, index).counters.intents_sent, intents);
    assert_int_equal(world_status(world, index).counters.intents_accepted, accepted);
    assert_int_equal(world_status(world, index).peers, 0);
}

static void a_later_delegation_displaces(void **)
{
    world_run(world, 5000); // another second: a greater epoch
    size_t c = world_add(world, (struct world_options){.token = 2, .nat = KIND_PORT_RESTRICTED});
    world_up(world, c);
    world_run(world, 2 * MINUTE);
    assert_keeps_still(b);
    assert_true(world_on_device(world, a, c));
    assert_false(world_on_device(world, a, b));
    assert_false(world_status(world, c).displaced);
}

static void a_clone_displaces_the_one_it_was_made_of(void **)
{
    world_run(world, 5000);
    size_t c = world_add(
        world, (struct world_options){.token = 2, .identity = 2, .nat = KIND_PORT_RESTRICTED});
    world->nodes[c].config.delegation = world->nodes[b].config.delegation;
    world_up(world, c);
    world_run(world, 2 * MINUTE);
    assert_keeps_still(b);
    assert_false(world_status(world, c).displaced);
    assert_int_equal(world_status(world, c).connected, 1);
}

static void a_stranger_displaces_nobody(void **)
{
    world_run(world, 5000);
    size_t c =
        world_add(world, (struct world_options){.token = 2, .wallet = STRANGER, .insist = true});
    world_up(world, c);
    world_run(world, 3 * MINUTE);
    struct dht_key key = world_record_key(world, 2);
    assert_int_equal(world_dht_count(world, &key), 2); // it did publish
    assert_false(world_status(world, b).displaced);
    assert_true(world_connected(world, a, b));
}

static uint64_t published_sequence(size_t index)
{
    struct network network = model_network();
    struct network_keys keys = network_keys_of(&network, NULL);
    struct dht_key key = world_record_key(world, world->nodes[index].options.token);
    uint64_t best = 0;
    for (size_t i = 0; i < WORLD_VALUES_MAX; i++) {
        struct world_value *value = &world->values[i];
        struct record record;
        if (value->used && dht_key_equal(&value->key, &key) &&
            record_decode(&keys, &key, span_of(value->bytes, value->size), &record) == OK) {
            best = record.sequence > best ? record.sequence : best;
        }
    }
    return best;
}

static void the_sequence_never_goes_back(void **)
{
    uint64_t before = published_sequence(b);
    assert_true(before > 0);
    world_down(world, b);
    world->nodes[b].skew_ms = -3600000;
    world_up(world, b);
    world_run(world, MINUTE);
    assert_true(world_run_connected(world, a, b, MINUTE));
    uint64_t after = published_sequence(b);
    assert_true(after > before);
    assert_true(after < before + MINUTE); // by counting on, not by the clock
    // The state is lost as well: it learns from what it reads back.
    world_kill(world, b);
    world->nodes[b].saved_size = 0;
    world_up(world, b);
    world_run(world, MINUTE);
    assert_true(published_sequence(b) > after);
    assert_true(world_status(world, b).sequence > after);
    assert_false(world_status(world, b).displaced);
    assert_true(world_run_connected(world, a, b, MINUTE));
}

static void twenty_changes_leave_one_value(void **)
{
    uint64_t puts = world->nodes[b].puts;
    for (uint8_t i = 0; i < 20; i++) {
        struct node_local_address local = {
            .address = address_of_ipv4(10, 2, 0, (uint8_t)(3 + i), 0), .prefix_length = 24};
        world_rebind(world, b);
        node_on_local_addresses(world->nodes[b].node, world_now(world, b), &local, 1);
        world_drain(world, b);
        world_run(world, 3000);
    }
    assert_true(world->nodes[b].puts > puts + 15);
    assert_true(world->nodes[b].puts <= puts + 80); // pauses between them
    struct dht_key key = world_record_key(world, 2);
    assert_int_equal(world_dht_count(world, &key), 1);
    assert_true(world_run_connected(world, a, b, MINUTE));
}

static void a_put_that_gets_no_answer_is_repeated(void **)
{
    world->dht_drops_puts = true;
    size_t c = world_add(world, (struct world_options){.nat = KIND_PUBLIC});
    world_up(world, c);
    world_run(world, MINUTE);
    assert_false(world_status(world, c).published);
    assert_true(world->nodes[c].puts >= 3);
    assert_true(world->nodes[c].puts <= 10);
    world->dht_drops_puts = false;
    world_run(world, MINUTE);
    assert_true(world_status(world, c).published);
}

static void without_the_chain_it_publishes_after_a_moment(void **)
{
    size_t c = world_add(world, (struct world_options){.nat = KIND_PUBLIC});
    world->nodes[c].chain = FAULT_SILENT;
    world_up(world, c);
    world_run(world, 2000);
    assert_int_equal(world->nodes[c].puts, 0);
    world_run(world, 8000);
    assert_true(world_status(world, c).published);
    const struct world_report *verdict = world_report(world, c, EVENT_SELF_VERDICT, 3, 0);
    assert_non_null(verdict);
    assert_int_equal(verdict->report.verdict.kind, VERDICT_UNKNOWN);
    assert_int_equal(world->nodes[c].sets, 0); // and admits nobody
}

static void a_record_is_refreshed_before_it_ends(void **)
{
    struct dht_key key = world_record_key(world, 2);
    for (int i = 0; i < 60; i++) {
        world_run(world, MINUTE);
        assert_int_equal(world_dht_count(world, &key), 1);
    }
    assert_true(world->nodes[b].puts < 20);
    struct node_status status = world_status(world, b);
    assert_true(status.published && status.expires_s > 9 * 60);
}

// Other nodes may be next to the record's key by then.
static void a_swarm_that_has_doubled_gets_the_record_again(void **)
{
    world_run(world, 10000);
    uint64_t puts = world->nodes[b].puts;
    for (uint32_t good = 1; good <= 40; good++) {
        node_on_dht_nodes(world->nodes[b].node, world_now(world, b), good);
        world_drain(world, b);
        world_run(world, 2000);
    }
    assert_int_equal(world->nodes[b].puts - puts, 5); // at 2, 4, 8, 16, 32
}

static void the_end_of_a_delegation_is_announced(void **)
{
    size_t c = world_add(world, (struct world_options){.nat = KIND_PUBLIC});
    uint64_t day_ms = 24ULL * 3600 * 1000;
    struct unix_time past = world_now(world, c).unix_time;
    past.ms -= 60 * day_ms - 600000; // of 90 days: a month and ten minutes are left
    world->nodes[c].config.delegation = world_delegation(world, c, 3, past);
    world_up(world, c);
    world_run(world, 5 * MINUTE);
    assert_null(world_report(world, c, EVENT_DELEGATION_ENDING, 3, 0));
    assert_false(world_status(world, c).delegation_ending);
    world_run(world, 6 * MINUTE);
    const struct world_report *warning = world_report(world, c, EVENT_DELEGATION_ENDING, 3, 0);
    assert_non_null(warning);
    assert_true(warning->report.left_s <= 30 * 24 * 3600);
    assert_true(warning->report.left_s > 30 * 24 * 3600 - 300);
    assert_true(world_status(world, c).delegation_ending);
    world_run(world, 10 * MINUTE);
    assert_int_equal(world_reports(world, c, EVENT_DELEGATION_ENDING), 1);
    // Renewed: published with it at once, and quiet.
    struct delegation renewed = world_delegation(world, c, 3, world_now(world, c).unix_time);
    assert_int_equal(
        node_set_delegation(world->nodes[c].node, world_now(world, c), &renewed, span_of(NULL, 0)),
        OK);
    world_drain(world, c);
    world_run(world, MINUTE);
    assert_false(world_status(world, c).delegation_ending);
    assert_int_equal(world_reports(world, c, EVENT_DELEGATION_ENDING), 1);
    assert_true(world_connected(world, a, c));
    renewed.token = token_id_of_u64(1);
    assert_int_equal(
        node_set_delegation(world->nodes[c].node, world_now(world, c), &renewed, span_of(NULL, 0)),
        ERR_RANGE);
}

static void a_short_delegation_is_reminded_of_in_its_second_half(void **)
{
    uint64_t six_days_s = 6ULL * 24 * 3600;
    size_t c = world_add(world, (struct world_options){.nat = KIND_PUBLIC, .window_s = six_days_s});
    world_up(world, c);
    world_run(world, MINUTE);
    assert_null(world_report(world, c, EVENT_DELEGATION_ENDING, 3, 0));
    struct unix_time past = world_now(world, c).unix_time;
    past.ms -= (5ULL * 24 * 3600 + 60) * 1000;
    struct delegation ending = world_delegation(world, c, 3, past);
    assert_int_equal(
        node_set_delegation(world->nodes[c].node, world_now(world, c), &ending, span_of(NULL, 0)),
        OK);
    world_drain(world, c);
    world_run(world, MINUTE);
    assert_non_null(world_report(world, c, EVENT_DELEGATION_ENDING, 3, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_seat_it_says_nothing, start, stop),
        cmocka_unit_test_setup_teardown(who_insists_is_refused_and_gets_no_packet, start, stop),
        cmocka_unit_test_setup_teardown(a_later_delegation_displaces, start, stop),
        cmocka_unit_test_setup_teardown(a_clone_displaces_the_one_it_was_made_of, start, stop),
        cmocka_unit_test_setup_teardown(a_stranger_displaces_nobody, start, stop),
        cmocka_unit_test_setup_teardown(the_sequence_never_goes_back, start, stop),
        cmocka_unit_test_setup_teardown(twenty_changes_leave_one_value, start, stop),
        cmocka_unit_test_setup_teardown(a_put_that_gets_no_answer_is_repeated, start, stop),
        cmocka_unit_test_setup_teardown(without_the_chain_it_publishes_after_a_moment, start, stop),
        cmocka_unit_test_setup_teardown(a_record_is_refreshed_before_it_ends, start, stop),
        cmocka_unit_test_setup_teardown(
            a_swarm_that_has_doubled_gets_the_record_again, start, stop),
        cmocka_unit_test_setup_teardown(the_end_of_a_delegation_is_announced, start, stop),
        cmocka_unit_test_setup_teardown(
            a_short_delegation_is_reminded_of_in_its_second_half, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Logs as hints: what is sold between two polls is seen sooner, new tokens are found, a token that
// was sold and bought back unseen revives nothing; and no provider alone can do harm by its logs.
#include "tests/unit/chain/model.h"

#include "tests/unit/unit.h"

enum {
    POLL_MS = 20000, // slow, so that a hint is told from a poll
    LOGS_MS = 2000,
    DAY_S = 86400,
};

static struct model model;

static int start_with(size_t providers, size_t members_max)
{
    memset(&model, 0, sizeof model);
    model_start(&model,
        (struct gate_config){.profile = PROFILE_ERC721,
            .grace_ms = 600000,
            .poll_ms = POLL_MS,
            .logs_ms = LOGS_MS,
            .members_max = members_max,
            .enumerate_ms = DAY_S * 1000},
        providers);
    model_set_owner(&model, 7, model_address(ALICE));
    model_set_owner(&model, 8, model_address(BOB));
    struct token_id seven = token_id_of_u64(7);
    assert_int_equal(gate_watch(model.gate, &seven, model.now), OK);
    model_advance(&model, 90000);
    return 0;
}

static int start(void **)
{
    return start_with(3, 0);
}

static int stop(void **)
{
    model_stop(&model);
    return 0;
}

static void assert_verdict(const struct delegation *delegation, const char *reason)
{
    struct verdict verdict = model_decide(&model, delegation);
    assert_string_equal(verdict_reason_name(verdict.reason), reason);
}

// Just after a poll, so that the next one is far.
static void settle_after_poll(void)
{
    uint64_t before = model.providers[0].aggregates;
    while (model.providers[0].aggregates == before) {
        model_advance(&model, 100);
    }
    model_advance(&model, 2000); // in a later block
}

// Milliseconds until the reading of token 7 names that owner.
static uint64_t time_to_see(uint8_t owner)
{
    struct eth_address expected = model_address(owner);
    struct token_id seven = token_id_of_u64(7);
    uint64_t began_ms = model.now.mono.ms;
    for (;;) {
        struct gate_reading reading = gate_read(model.gate, &seven, model.now);
        if (reading.kind == VERDICT_YES && eth_address_equal(&reading.owner, &expected)) {
            return model.now.mono.ms - began_ms;
        }
        model_advance(&model, 100);
        assert_true(model.now.mono.ms - began_ms < 3 * POLL_MS);
    }
}

static uint64_t average_time_to_see(void)
{
    uint64_t total_ms = 0;
    for (uint8_t i = 0; i < 6; i++) {
        settle_after_poll();
        model_set_owner(&model, 7, model_address(i % 2 == 0 ? BOB : ALICE));
        total_ms += time_to_see(i % 2 == 0 ? BOB : ALICE);
    }
    return total_ms / 6;
}

static void a_transfer_is_seen_before_the_poll(void **)
{
    uint64_t hinted_ms = average_time_to_see();
    model_stop(&model);
    (void)start(NULL);
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].no_logs = true;
    }
    model_advance(&model, 90000);
    uint64_t polled_ms = average_time_to_see();
    print_message("%u ms with hints, %u ms without\n", (unsigned)hinted_ms, (unsigned)polled_ms);
    assert_true(hinted_ms <= 2 * LOGS_MS);
    assert_true(polled_ms > POLL_MS / 2);
}

static void an_unwatched_token_is_read_when_a_log_names_it(void **)
{
    struct token_id eight = token_id_of_u64(8);
    struct eth_address owner;
    struct eth_address alice = model_address(ALICE);
    assert_int_equal(gate_refresh(model.gate, &eight, model.now), OK);
    model_advance(&model, 2000); // in a later block
    model_set_owner(&model, 8, model_address(ALICE));
    model_forget_events(&model);
    model_advance(&model, 3 * LOGS_MS);
    assert_true(model_saw(&model, GATE_EVENT_TOKEN, 8));
    assert_int_equal(gate_last_owner(model.gate, &eight, &owner), OK);
    assert_true(eth_address_equal(&owner, &alice));
}

static void a_changed_key_brings_its_owners_tokens_forward(void **)
{
    settle_after_poll();
    uint64_t before = model.providers[0].aggregates;
    model_update_key(&model, model_address(MALLORY));
    model_advance(&model, 3 * LOGS_MS);
    assert_int_equal(model.providers[0].aggregates, before);
    settle_after_poll();
    before = model.providers[0].aggregates;
    model_update_key(&model, model_address(ALICE));
    model_advance(&model, 3 * LOGS_MS);
    assert_int_equal(model.providers[0].aggregates, before + 1);
}

// The same log comes again for 30 s; it is heeded until everybody has read later than it.
static void what_was_read_since_is_not_read_again(void **)
{
    settle_after_poll();
    model_set_owner(&model, 7, model_address(BOB));
    (void)time_to_see(BOB);
    model_advance(&model, 1000);
    uint64_t before = model.providers[1].aggregates;
    model_advance(&model, 10000);
    assert_int_equal(model.providers[1].aggregates, before);
}

static void a_newest_block_without_its_logs_is_read_again(void **)
{
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].logs_blind = 3; // 6 s
    }
    model_advance(&model, 60000);
    settle_after_poll();
    model_set_owner(&model, 7, model_address(BOB));
    assert_in_range(time_to_see(BOB), 4000, 6000 + 2 * LOGS_MS);
}

static void ranges_fit_themselves_to_each_provider(void **)
{
    model.providers[0].logs_cap = 3;
    model.providers[1].logs_cap = 10;
    model.providers[2].logs_cap = 1;
    model_advance(&model, 120000);
    settle_after_poll();
    model_set_owner(&model, 7, model_address(BOB));
    assert_in_range(time_to_see(BOB), 0, 5 * LOGS_MS);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(gate_provider_status(model.gate, i, model.now).health, PROVIDER_GOOD);
    }
}

static void who_serves_no_logs_is_asked_once(void **)
{
    model.providers[1].no_logs = true;
    model_advance(&model, 60000);
    uint64_t asked = model.providers[1].logs_calls;
    model_advance(&model, 3600 * 1000);
    assert_int_equal(model.providers[1].logs_calls, asked);
    assert_int_equal(gate_provider_status(model.gate, 1, model.now).health, PROVIDER_GOOD);
    assert_true(gate_provider_status(model.gate, 1, model.now).logs_absent);
    settle_after_poll();
    model_set_owner(&model, 7, model_address(BOB));
    assert_in_range(time_to_see(BOB), 0, 2 * LOGS_MS);
}

static void steady_traffic_is_a_call_a_turn(void **)
{
    uint64_t before = 0;
    uint64_t after = 0;
    for (size_t i = 0; i < 3; i++) {
        before += model.providers[i].logs_calls;
    }
    model_advance(&model, 3600 * 1000);
    for (size_t i = 0; i < 3; i++) {
        after += model.providers[i].logs_calls;
    }
    // Pauses of 80 to 100 %.
    assert_in_range(after - before, 3600 * 1000 / LOGS_MS, 3600 * 1000 / LOGS_MS * 5 / 4);
}

// --- sold and bought back between two readings ---

static void sell_and_buy_back_now(uint64_t id)
{
    model_set_owner(&model, id, model_address(BOB));
    model_set_owner(&model, id, model_address(ALICE)); // in the same block
}

static void sell_and_buy_back(uint64_t id)
{
    settle_after_poll();
    sell_and_buy_back_now(id);
}

static void an_unseen_sale_ends_old_delegations(void **)
{
    struct delegation old = model_delegation(&model, 7, ALICE, NODE);
    model_advance(&model, 70000);
    assert_verdict(&old, "authorised");
    sell_and_buy_back(7);
    model_forget_events(&model);
    model_advance(&model, 6 * LOGS_MS);
    assert_verdict(&old, "epoch_old");
    assert_true(model_saw(&model, GATE_EVENT_TOKEN, 7));
    // What the owner signs now is as good as ever, and stays so while the log is in the overlap.
    struct delegation fresh = model_delegation(&model, 7, ALICE, NODE);
    assert_verdict(&fresh, "authorised");
    model_advance(&model, 90000);
    assert_verdict(&fresh, "authorised");
    assert_verdict(&old, "epoch_old");
    model_restart(&model);
    struct token_id seven = token_id_of_u64(7);
    assert_int_equal(gate_watch(model.gate, &seven, model.now), OK);
    model_advance(&model, 1000);
    assert_verdict(&old, "epoch_old");
}

// While the node was down, too: its logs are walked from where k providers had told of all.
static void a_sale_while_the_node_was_down_is_found(void **)
{
    struct delegation old = model_delegation(&model, 7, ALICE, NODE);
    model_advance(&model, 70000);
    assert_verdict(&old, "authorised");
    uint64_t called = model.providers[0].logs_calls;
    model.now.unix_time.ms += DAY_S * 1000; // asleep
    model.now.mono.ms += (uint64_t)DAY_S * 1000;
    sell_and_buy_back_now(7);
    model.now.unix_time.ms += DAY_S * 1000;
    model.now.mono.ms += (uint64_t)DAY_S * 1000;
    model_restart(&model);
    struct token_id seven = token_id_of_u64(7);
    assert_int_equal(gate_watch(model.gate, &seven, model.now), OK);
    model_advance(&model, 60000);
    assert_verdict(&old, "epoch_old");
    assert_true(model.providers[0].logs_calls - called < 64);
    struct delegation fresh = model_delegation(&model, 7, ALICE, NODE);
    assert_verdict(&fresh, "authorised");
}

static void one_that_invents_sales_bricks_nothing(void **)
{
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    model_advance(&model, 70000);
    model.providers[1].invents = 7;
    model_advance(&model, 600000);
    assert_verdict(&delegation, "authorised");
    // With a second one the quorum lies, and so it counts: the same holds for readings.
    model.providers[2].invents = 7;
    model_advance(&model, 600000);
    assert_verdict(&delegation, "epoch_old");
}

// Whoever is trusted alone may end delegations by a lie, but not for good.
static void a_sale_in_times_to_come_bricks_nothing(void **)
{
    model_stop(&model);
    (void)start_with(1, 0);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    model_advance(&model, 70000);
    model.providers[0].invents = 7;
    model.providers[0].ahead_s = 365 * DAY_S;
    model_advance(&model, 600000);
    assert_verdict(&delegation, "authorised");
}

static void an_invention_costs_no_more_than_a_reading_a_turn(void **)
{
    model.providers[1].invents = 7;
    model_advance(&model, 60000);
    uint64_t before = model.providers[0].aggregates;
    model_advance(&model, 3600 * 1000);
    uint64_t turns = 3600 * 1000 / LOGS_MS * 5 / 4 / 3;
    uint64_t polls = 3600 * 1000 / POLL_MS * 5 / 4;
    assert_true(model.providers[0].aggregates - before <= turns + polls);
}

static void a_sale_that_was_seen_is_not_counted_twice(void **)
{
    settle_after_poll();
    model_set_owner(&model, 7, model_address(BOB));
    // Signed in the very second, just before anybody could know.
    struct delegation delegation = model_delegation(&model, 7, BOB, NODE);
    (void)time_to_see(BOB);
    assert_verdict(&delegation, "authorised");
    model_advance(&model, 90000);
    assert_verdict(&delegation, "authorised");
}

static void a_single_provider_suffices_where_it_is_trusted(void **)
{
    model_stop(&model);
    (void)start_with(1, 0);
    struct delegation old = model_delegation(&model, 7, ALICE, NODE);
    model_advance(&model, 70000);
    sell_and_buy_back(7);
    model_advance(&model, 3 * LOGS_MS);
    assert_verdict(&old, "epoch_old");
}

// --- new tokens ---

static void a_new_token_is_found_at_once(void **)
{
    model_stop(&model);
    (void)start_with(3, 8);
    assert_int_equal(gate_member_count(model.gate), 2);
    model_forget_events(&model);
    model_set_owner(&model, 12345678, model_address(BOB));
    model_advance(&model, 2 * LOGS_MS);
    assert_true(model_saw(&model, GATE_EVENT_MEMBER, 12345678));
}

static void inventions_displace_no_member(void **)
{
    model_stop(&model);
    (void)start_with(3, 8);
    model.providers[0].invents = 1000;
    for (uint64_t i = 0; i < 50; i++) {
        model.providers[0].invents++;
        model_advance(&model, LOGS_MS);
    }
    assert_int_equal(gate_member_count(model.gate), 8);
    struct token_id seven = token_id_of_u64(7);
    struct token_id first = gate_member(model.gate, 0);
    assert_true(token_id_equal(&first, &seven));
    model.providers[0].invents = 0;
    for (size_t i = 0; i < 4; i++) { // rounds of the search forget what they do not find
        gate_enumerate(model.gate, model.now);
        model_advance(&model, 1000);
    }
    assert_int_equal(gate_member_count(model.gate), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_transfer_is_seen_before_the_poll, start, stop),
        cmocka_unit_test_setup_teardown(
            an_unwatched_token_is_read_when_a_log_names_it, start, stop),
        cmocka_unit_test_setup_teardown(
            a_changed_key_brings_its_owners_tokens_forward, start, stop),
        cmocka_unit_test_setup_teardown(what_was_read_since_is_not_read_again, start, stop),
        cmocka_unit_test_setup_teardown(a_newest_block_without_its_logs_is_read_again, start, stop),
        cmocka_unit_test_setup_teardown(ranges_fit_themselves_to_each_provider, start, stop),
        cmocka_unit_test_setup_teardown(who_serves_no_logs_is_asked_once, start, stop),
        cmocka_unit_test_setup_teardown(steady_traffic_is_a_call_a_turn, start, stop),
        cmocka_unit_test_setup_teardown(an_unseen_sale_ends_old_delegations, start, stop),
        cmocka_unit_test_setup_teardown(a_sale_while_the_node_was_down_is_found, start, stop),
        cmocka_unit_test_setup_teardown(one_that_invents_sales_bricks_nothing, start, stop),
        cmocka_unit_test_setup_teardown(
            an_invention_costs_no_more_than_a_reading_a_turn, start, stop),
        cmocka_unit_test_setup_teardown(a_sale_in_times_to_come_bricks_nothing, start, stop),
        cmocka_unit_test_setup_teardown(a_sale_that_was_seen_is_not_counted_twice, start, stop),
        cmocka_unit_test_setup_teardown(
            a_single_provider_suffices_where_it_is_trusted, start, stop),
        cmocka_unit_test_setup_teardown(a_new_token_is_found_at_once, start, stop),
        cmocka_unit_test_setup_teardown(inventions_displace_no_member, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

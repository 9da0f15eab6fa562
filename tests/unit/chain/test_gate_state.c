// SPDX-License-Identifier: GPL-3.0-or-later
//
// The gate's tables: capacities, what is given up when they are full, what is kept across restarts,
// and the members that enumeration finds.
#include "tests/unit/chain/model.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

static struct model model;

static void begin(size_t providers, struct gate_config config)
{
    model_stop(&model);
    memset(&model, 0, sizeof model);
    config.profile = PROFILE_ERC721;
    config.grace_ms = 600000;
    model_start(&model, config, providers);
}

static int start(void **)
{
    begin(3, (struct gate_config){.tokens_max = 8});
    model_set_owner(&model, 7, model_address(ALICE));
    return 0;
}

static int stop(void **)
{
    model_stop(&model);
    return 0;
}

static enum status watch(uint64_t id)
{
    struct token_id token = token_id_of_u64(id);
    return gate_watch(model.gate, &token, model.now);
}

static void configs_out_of_range_are_refused(void **)
{
    struct rng rng;
    static const uint8_t seed[RNG_SEED_SIZE] = {0};
    rng_seed(&rng, seed);
    const struct gate_config good = {.network = model_network(), .providers = 1, .tokens_max = 1};
    struct gate *gate = NULL;
    struct gate_config config = good;
    config.providers = GATE_PROVIDERS_MAX + 1;
    assert_int_equal(gate_create(&config, &rng, &gate), ERR_RANGE);
    config = good;
    config.tokens_max = 0;
    assert_int_equal(gate_create(&config, &rng, &gate), ERR_RANGE);
    config.tokens_max = 70000;
    assert_int_equal(gate_create(&config, &rng, &gate), ERR_RANGE);
    config = good;
    config.members_max = 1U << 30;
    assert_int_equal(gate_create(&config, &rng, &gate), ERR_RANGE);
    config = good;
    config.poll_ms = 1;
    assert_int_equal(gate_create(&config, &rng, &gate), ERR_RANGE);
    config = good;
    config.window_max_s = UINT64_MAX;
    assert_int_equal(gate_create(&config, &rng, &gate), ERR_RANGE);
    config = good;
    config.profile = (enum contract_profile)9;
    assert_int_equal(gate_create(&config, &rng, &gate), ERR_RANGE);
    assert_null(gate);
    gate_destroy(NULL);
}

static void a_full_table_refuses_and_forgets_what_it_may(void **)
{
    for (uint64_t id = 1; id <= 8; id++) {
        assert_int_equal(watch(id), OK);
    }
    assert_int_equal(watch(3), OK); // again: no second place
    struct token_id nine = token_id_of_u64(9);
    assert_int_equal(watch(9), ERR_FULL);
    assert_int_equal(gate_refresh(model.gate, &nine, model.now), ERR_FULL);
    model_advance(&model, 1000);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    assert_int_equal(model_decide(&model, &delegation).kind, VERDICT_YES);
    struct token_id seven = token_id_of_u64(7);
    struct token_id one = token_id_of_u64(1);
    gate_unwatch(model.gate, &seven);
    gate_unwatch(model.gate, &one);
    gate_unwatch(model.gate, &nine); // never watched: nothing to do
    // The one without a seat goes first, so the floors of token 7 are still there.
    assert_int_equal(watch(9), OK);
    struct eth_address owner;
    assert_int_equal(gate_last_owner(model.gate, &seven, &owner), OK);
    assert_int_equal(gate_last_owner(model.gate, &one, &owner), ERR_NOT_FOUND);
    assert_int_equal(watch(10), OK);
    assert_int_equal(gate_last_owner(model.gate, &seven, &owner), ERR_NOT_FOUND);
    model_advance(&model, 10000);
    assert_int_equal(gate_read(model.gate, &nine, model.now).reason, REASON_NOT_OWNED);
}

// A reply to a call about a token whose place has been given to another one.
static void a_late_reply_does_not_hit_the_next_token(void **)
{
    begin(1, (struct gate_config){.tokens_max = 1});
    model_set_owner(&model, 7, model_address(ALICE));
    assert_int_equal(watch(1), OK);
    model_advance(&model, 1000);
    struct token_id one = token_id_of_u64(1);
    model_advance(&model, 1000);
    model.providers[0].fault = FAULT_SILENT;
    model_advance(&model, 6000); // a call about token 1 is in the air
    gate_unwatch(model.gate, &one);
    assert_int_equal(watch(7), OK);
    model.providers[0].fault = FAULT_NONE;
    struct token_id seven = token_id_of_u64(7);
    assert_int_equal(gate_read(model.gate, &seven, model.now).reason, REASON_NOT_READ);
    model_advance(&model, 20000);
    assert_int_equal(gate_read(model.gate, &seven, model.now).kind, VERDICT_YES);
}

static uint8_t *export_state(size_t *ret_size)
{
    size_t capacity = gate_state_size_max(model.gate);
    uint8_t *state = malloc(capacity);
    assert_non_null(state);
    struct writer writer = writer_of(state, capacity);
    assert_int_equal(gate_state_export(model.gate, model.now, &writer), OK);
    *ret_size = writer.size;
    return state;
}

static enum status import_state(const uint8_t *state, size_t size)
{
    return gate_state_import(model.gate, model.now, span_of(state, size));
}

// Two seats, one of them taken.
static uint8_t *example_state(size_t *ret_size)
{
    model_set_owner(&model, 8, model_address(BOB));
    assert_int_equal(watch(7), OK);
    assert_int_equal(watch(8), OK);
    model_advance(&model, 1000);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    assert_int_equal(model_decide(&model, &delegation).kind, VERDICT_YES);
    assert_true(gate_state_dirty(model.gate));
    uint8_t *state = export_state(ret_size);
    assert_false(gate_state_dirty(model.gate));
    return state;
}

static void the_state_survives_unchanged(void **)
{
    size_t size = 0;
    uint8_t *state = example_state(&size);
    begin(3, (struct gate_config){.tokens_max = 8});
    assert_int_equal(import_state(state, size), OK);
    size_t again_size = 0;
    uint8_t *again = export_state(&again_size);
    assert_int_equal(again_size, size);
    // Only the head has moved on: it is the clock that restarts cannot set back.
    memset(again + 34, 0, 8);
    memset(state + 34, 0, 8);
    assert_memory_equal(again, state, size);
    free(again);
    free(state);
}

static void a_buffer_too_small_is_full_and_keeps_the_mark(void **)
{
    size_t size = 0;
    uint8_t *state = example_state(&size);
    struct delegation delegation = model_delegation(&model, 8, BOB, NODE);
    assert_int_equal(model_decide(&model, &delegation).kind, VERDICT_YES);
    struct writer writer = writer_of(state, size - 1);
    assert_int_equal(gate_state_export(model.gate, model.now, &writer), ERR_FULL);
    assert_true(gate_state_dirty(model.gate));
    free(state);
}

static void a_damaged_state_changes_nothing(void **)
{
    enum {
        VERSION_AT = 4,
        CHAIN_AT = 5,
        PROFILE_AT = 33,
        HEAD_AT = 34,
        PIN_AT = 42,
        COUNT_AT = 147,
        ENTRY = 149
    };
    enum { TAKEN_AT = ENTRY + 68, LAST_YES_AT = ENTRY + 117, ENTRY_SIZE = 125 };
    size_t size = 0;
    uint8_t *state = example_state(&size);
    begin(3, (struct gate_config){.tokens_max = 8});
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(import_state(state, cut), ERR_TRUNCATED);
    }
    uint8_t *longer = malloc(size + 1);
    assert_non_null(longer);
    memcpy(longer, state, size);
    longer[size] = 0;
    assert_int_equal(import_state(longer, size + 1), ERR_TRAILING);
    free(longer);
    static const struct {
        size_t at;
        uint8_t value;
        enum status expected;
    } damages[] = {
        {0, 'X', ERR_MALFORMED}, {VERSION_AT, 4, ERR_VERSION}, {PIN_AT, 2, ERR_NOT_CANONICAL},
        {PIN_AT + 1, 1, ERR_NOT_CANONICAL}, {CHAIN_AT, 1, ERR_MISMATCH},
        {PROFILE_AT, 3, ERR_MALFORMED}, {COUNT_AT + 1, 1, ERR_TRAILING},
        {COUNT_AT + 1, 3, ERR_TRUNCATED}, {TAKEN_AT, 2, ERR_NOT_CANONICAL},
        {TAKEN_AT, 0, ERR_NOT_CANONICAL},                // but its fields are not empty
        {ENTRY + 31, 200, ERR_NOT_CANONICAL},            // not ascending any more
        {LAST_YES_AT, 0xff, ERR_MALFORMED},              // a yes after the head
        {ENTRY + ENTRY_SIZE + 31, 7, ERR_NOT_CANONICAL}, // the same token twice
    };
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        uint8_t saved = state[damages[i].at];
        state[damages[i].at] = damages[i].value;
        assert_int_equal(import_state(state, size), damages[i].expected);
        state[damages[i].at] = saved;
    }
    struct token_id seven = token_id_of_u64(7);
    struct eth_address owner;
    assert_int_equal(gate_last_owner(model.gate, &seven, &owner), ERR_NOT_FOUND);
    assert_int_equal(import_state(state, size), OK);
    assert_int_equal(gate_last_owner(model.gate, &seven, &owner), OK);
    free(state);
}

// As written before logs were read, and before owners could be proven.
static void a_state_of_former_versions_is_still_read(void **)
{
    enum { VERSION_AT = 4, PIN_AT = 42, PIN_SIZE = 97, LOGS_AT = PIN_AT + PIN_SIZE, LOGS_SIZE = 8 };
    size_t size = 0;
    uint8_t *state = example_state(&size);
    begin(3, (struct gate_config){.tokens_max = 8});
    state[VERSION_AT] = 2;
    assert_int_not_equal(import_state(state, size), OK); // by its own length alone
    size -= LOGS_SIZE;
    memmove(state + LOGS_AT, state + LOGS_AT + LOGS_SIZE, size - LOGS_AT);
    assert_int_equal(import_state(state, size), OK);
    begin(3, (struct gate_config){.tokens_max = 8});
    state[VERSION_AT] = 1;
    assert_int_not_equal(import_state(state, size), OK);
    size -= PIN_SIZE;
    memmove(state + PIN_AT, state + PIN_AT + PIN_SIZE, size - PIN_AT);
    assert_int_equal(import_state(state, size), OK);
    struct token_id seven = token_id_of_u64(7);
    struct eth_address owner;
    assert_int_equal(gate_last_owner(model.gate, &seven, &owner), OK);
    free(state);
}

static void a_state_of_more_tokens_fits_as_far_as_it_goes(void **)
{
    size_t size = 0;
    uint8_t *state = example_state(&size);
    begin(3, (struct gate_config){.tokens_max = 1});
    assert_int_equal(import_state(state, size), OK);
    struct token_id seven = token_id_of_u64(7);
    struct token_id eight = token_id_of_u64(8);
    struct eth_address owner;
    assert_int_equal(gate_last_owner(model.gate, &seven, &owner), OK);
    assert_int_equal(gate_last_owner(model.gate, &eight, &owner), ERR_NOT_FOUND);
    free(state);
}

static bool is_member(uint64_t id)
{
    struct token_id token = token_id_of_u64(id);
    for (size_t i = 0; i < gate_member_count(model.gate); i++) {
        struct token_id member = gate_member(model.gate, i);
        if (token_id_equal(&member, &token)) {
            return true;
        }
    }
    return false;
}

static void without_logs(void)
{
    for (size_t i = 0; i < MODEL_PROVIDERS_MAX; i++) {
        model.providers[i].no_logs = true;
    }
}

static void members_are_found_in_all_ways(void **)
{
    static const enum gate_way ways[] = {
        GATE_WAY_SEQUENTIAL, GATE_WAY_LOGS, GATE_WAY_INDEX, GATE_WAY_LOGS};
    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
        begin(3, (struct gate_config){.tokens_max = 8, .members_max = 300});
        model.enumerable = ways[way] == GATE_WAY_INDEX;
        model.forgets = way == 3;
        model.deployed = way == 1 ? model_block(&model) - 7 : 0;
        if (ways[way] == GATE_WAY_SEQUENTIAL) {
            without_logs();
        }
        size_t far = ways[way] == GATE_WAY_SEQUENTIAL ? 0 : 1;
        static const uint64_t ids[] = {1, 2, 7, 60, 123, 124};
        for (size_t i = 0; i < 6; i++) {
            model_set_owner(&model, ids[i], model_address(ALICE));
        }
        model_set_owner(&model, 1000, model_address(ALICE)); // beyond a gap of 64
        model_advance(&model, 1000);
        for (size_t i = 0; i < 6; i++) {
            assert_true(is_member(ids[i]));
            assert_true(model_saw(&model, GATE_EVENT_MEMBER, ids[i]));
        }
        assert_int_equal(is_member(1000), far);
        assert_true(model_saw(&model, GATE_EVENT_ENUMERATED, 0));
        assert_true(gate_member_count(model.gate) == 6 + far);
        struct gate_enumeration_status status = gate_enumeration_status(model.gate);
        assert_int_equal(status.way, ways[way]);
        assert_false(status.running);
        if (way == 1) { // from the block of its deployment on
            assert_int_equal(status.total, 8);
            assert_int_equal(status.searched, 8);
        }
        for (size_t i = 1; i < gate_member_count(model.gate); i++) {
            struct token_id before = gate_member(model.gate, i - 1);
            struct token_id after = gate_member(model.gate, i);
            assert_true(token_id_compare(&before, &after) < 0);
        }
    }
}

// The first to be asked says that the contract is newer than its tokens, or that there are more
// blocks than anybody can walk: the others' walks find them.
static void no_provider_hides_members_by_the_length_of_the_past(void **)
{
    for (size_t way = 0; way < 2; way++) {
        for (size_t liar = 0; liar < 3; liar++) {
            begin(3, (struct gate_config){.tokens_max = 8, .members_max = 300});
            model.providers[liar].no_past = way == 0;
            model.providers[liar].endless = way == 1;
            model_set_owner(&model, 1000, model_address(ALICE));
            model_advance(&model, 20000);
            model_settle(&model);
            for (size_t i = 0; i < 3; i++) {
                gate_enumerate(model.gate, model.now);
                model_advance(&model, 1000);
            }
            assert_true(is_member(1000));
            assert_int_equal(gate_enumeration_status(model.gate).way, GATE_WAY_LOGS);
        }
    }
}

static void rounds_find_what_is_new_and_miss_what_is_gone(void **)
{
    begin(2, (struct gate_config){.tokens_max = 8, .members_max = 300});
    model_set_owner(&model, 3, model_address(ALICE));
    model_set_owner(&model, 4, model_address(ALICE));
    model_advance(&model, 1000);
    assert_int_equal(gate_member_count(model.gate), 2);
    model_set_owner(&model, 5, model_address(ALICE));
    model_set_owner(&model, 4, (struct eth_address){{0}});
    model_forget_events(&model);
    model_advance(&model, 70000);
    assert_true(model_saw(&model, GATE_EVENT_MEMBER, 5));
    assert_false(model_saw(&model, GATE_EVENT_MEMBER_GONE, 4)); // one provider's word is not enough
    model_advance(&model, 60000);
    assert_true(model_saw(&model, GATE_EVENT_MEMBER_GONE, 4));
    assert_false(is_member(4));
    // On demand, without waiting for the next round.
    model_set_owner(&model, 6, model_address(ALICE));
    model_advance(&model, 2000);
    model_forget_events(&model);
    gate_enumerate(model.gate, model.now);
    model_settle(&model);
    assert_true(model_saw(&model, GATE_EVENT_MEMBER, 6));
}

static void a_hostile_supply_is_bounded(void **)
{
    for (size_t enumerable = 0; enumerable < 2; enumerable++) {
        begin(1, (struct gate_config){.tokens_max = 8, .members_max = 50});
        model.enumerable = enumerable == 1;
        without_logs();
        model.supply = UINT64_MAX;
        model.providers[0].lies = enumerable == 0; // every id has an owner
        model.providers[0].lie = model_address(BOB);
        for (uint64_t id = 1; id <= 80; id++) {
            model_set_owner(&model, id, model_address(ALICE));
        }
        model_advance(&model, 1000);
        assert_int_equal(gate_member_count(model.gate), 50);
        assert_true(model.providers[0].calls < 12 + 12); // with a dozen to find no logs
        bool bounded = false;
        for (size_t i = 0; i < model.event_count; i++) {
            bounded = bounded || model.events[i].bounded;
        }
        assert_true(bounded);
    }
}

static void the_interface_needs_a_quorum(void **)
{
    // One of three cannot make the others believe in an enumeration that hides members.
    begin(3, (struct gate_config){.tokens_max = 8, .members_max = 50});
    model_set_owner(&model, 2, model_address(ALICE));
    model.providers[1].fault = FAULT_DEAD;
    model.providers[2].fault = FAULT_DEAD;
    model_advance(&model, 20000);
    assert_int_equal(gate_member_count(model.gate), 0);
    model.providers[1].fault = FAULT_NONE;
    model_advance(&model, 60000);
    assert_true(is_member(2));
}

static void members_come_back_after_a_provider_fails(void **)
{
    begin(2, (struct gate_config){.tokens_max = 8, .members_max = 50});
    without_logs();
    model_set_owner(&model, 2, model_address(ALICE));
    model.providers[0].fault = FAULT_REFUSE;
    model.providers[1].fault = FAULT_REFUSE;
    model_advance(&model, 120000);
    assert_int_equal(gate_member_count(model.gate), 0);
    assert_true(model.providers[0].calls < 400);
    model.providers[0].fault = FAULT_NONE;
    model.providers[1].fault = FAULT_NONE;
    model_advance(&model, 120000);
    assert_true(is_member(2));
}

static void a_token_that_spoils_the_search_is_passed_by(void **)
{
    begin(1, (struct gate_config){.tokens_max = 8, .members_max = 200});
    without_logs();
    for (uint64_t id = 1; id <= 100; id++) {
        model_set_owner(&model, id, model_address(ALICE));
    }
    model_token(&model, 20)->trick = TRICK_BURN;
    model_token(&model, 40)->trick = TRICK_MEGABYTE;
    model_advance(&model, 200000);
    assert_true(is_member(19));
    assert_true(is_member(39));
    assert_true(is_member(41));
    assert_true(is_member(100));
}

int main(void)
{
#define GATE_TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        GATE_TEST(configs_out_of_range_are_refused),
        GATE_TEST(a_full_table_refuses_and_forgets_what_it_may),
        GATE_TEST(a_late_reply_does_not_hit_the_next_token),
        GATE_TEST(the_state_survives_unchanged),
        GATE_TEST(a_buffer_too_small_is_full_and_keeps_the_mark),
        GATE_TEST(a_damaged_state_changes_nothing),
        GATE_TEST(a_state_of_former_versions_is_still_read),
        GATE_TEST(a_state_of_more_tokens_fits_as_far_as_it_goes),
        GATE_TEST(members_are_found_in_all_ways),
        GATE_TEST(no_provider_hides_members_by_the_length_of_the_past),
        GATE_TEST(rounds_find_what_is_new_and_miss_what_is_gone),
        GATE_TEST(a_hostile_supply_is_bounded),
        GATE_TEST(the_interface_needs_a_quorum),
        GATE_TEST(members_come_back_after_a_provider_fails),
        GATE_TEST(a_token_that_spoils_the_search_is_passed_by),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

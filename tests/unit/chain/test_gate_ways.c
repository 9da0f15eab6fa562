// SPDX-License-Identifier: GPL-3.0-or-later
//
// Providers without Multicall3: reads as JSON-RPC batches, smaller ones where they are refused, one
// by one at last; the same rules for heads, denials and disputes in each way.
#include "tests/unit/chain/model.h"

#include "tests/unit/unit.h"

#include <stdio.h>

enum {
    TOKENS = 40,
};

static struct model model;

static void begin(enum contract_profile profile, size_t batch_max)
{
    model_stop(&model);
    memset(&model, 0, sizeof model);
    model_start(&model,
        (struct gate_config){
            .profile = profile, .tokens_max = TOKENS, .members_max = TOKENS, .grace_ms = 600000},
        3);
    model.has_access = profile == PROFILE_DSTACK_ACCESS;
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].no_aggregator = true;
        model.providers[i].batch_max = batch_max;
    }
    for (uint64_t i = 1; i <= TOKENS; i++) {
        model_set_owner(&model, i, model_address(ALICE));
    }
}

static int stop(void **)
{
    model_stop(&model);
    return 0;
}

static void watch_all(void)
{
    for (uint64_t i = 1; i <= TOKENS; i++) {
        struct token_id token = token_id_of_u64(i);
        assert_int_equal(gate_watch(model.gate, &token, model.now), OK);
    }
}

static void assert_reading(uint64_t id, enum verdict_kind kind, enum verdict_reason reason)
{
    struct token_id token = token_id_of_u64(id);
    struct gate_reading reading = gate_read(model.gate, &token, model.now);
    assert_string_equal(verdict_reason_name(reading.reason), verdict_reason_name(reason));
    assert_int_equal(reading.kind, kind);
}

static void assert_all_owned(void)
{
    for (uint64_t i = 1; i <= TOKENS; i++) {
        assert_reading(i, VERDICT_YES, REASON_AUTHORISED);
    }
}

static struct gate_provider_status status_of(size_t provider)
{
    return gate_provider_status(model.gate, provider, model.now);
}

static const enum contract_profile profiles[] = {PROFILE_ERC721, PROFILE_DSTACK_ACCESS};

static void without_the_aggregator_reads_go_in_batches(void **)
{
    for (size_t i = 0; i < 2; i++) {
        begin(profiles[i], 0);
        watch_all();
        model_advance(&model, 1000);
        assert_all_owned();
        assert_string_equal(reads_way_name(status_of(0).way), "batch");
        assert_true(model.providers[0].batches <= 2);
        model_set_owner(&model, 3, (struct eth_address){{0}});
        model_token(&model, 4)->active = false;
        model_advance(&model, 6000);
        assert_reading(3, VERDICT_NO, REASON_NOT_OWNED);
        struct delegation delegation = model_delegation(&model, 4, ALICE, NODE);
        assert_int_equal(model_decide(&model, &delegation).reason,
            i == 0 ? REASON_AUTHORISED : REASON_NOT_ACTIVE);
        delegation = model_delegation(&model, 5, ALICE, NODE);
        assert_int_equal(model_decide(&model, &delegation).reason, REASON_AUTHORISED);
        assert_int_equal(status_of(0).disputes, 0);
    }
}

static void the_profile_is_detected_in_batches_too(void **)
{
    begin(PROFILE_DETECT, 0);
    watch_all();
    model_advance(&model, 1000);
    assert_int_equal(gate_profile(model.gate), PROFILE_ERC721);
    begin(PROFILE_DETECT, 0);
    model.has_access = true;
    watch_all();
    model_advance(&model, 1000);
    assert_int_equal(gate_profile(model.gate), PROFILE_DSTACK_ACCESS);
}

static void batches_that_are_refused_become_smaller(void **)
{
    for (size_t i = 0; i < 4; i++) {
        begin(profiles[i % 2], 20);
        for (size_t j = 0; j < 3; j++) {
            model.providers[j].hates_pages = i >= 2;
        }
        watch_all();
        model_advance(&model, 1000);
        assert_all_owned();
        assert_string_equal(reads_way_name(status_of(0).way), "batch");
        assert_int_equal(status_of(0).health, PROVIDER_GOOD);
        uint64_t calls = model.providers[0].calls;
        uint64_t batches = model.providers[0].batches;
        model_advance(&model, 60000);
        // What it takes is known: none of the next ones is refused.
        assert_int_equal(model.providers[0].calls - calls, model.providers[0].batches - batches);
    }
}

static void without_batches_reads_go_one_by_one(void **)
{
    for (size_t i = 0; i < 2; i++) {
        begin(profiles[i], 1);
        model_token(&model, 9)->trick = TRICK_SHORT;
        watch_all();
        model_advance(&model, 1000);
        assert_int_equal(model.providers[0].batches, 0);
        assert_string_equal(reads_way_name(status_of(0).way), "single");
        assert_reading(9, VERDICT_UNKNOWN, REASON_CONTRACT);
        model_token(&model, 9)->trick = TRICK_NONE;
        model_set_owner(&model, 3, (struct eth_address){{0}});
        model_advance(&model, 40000);
        assert_reading(3, VERDICT_NO, REASON_NOT_OWNED);
        model_set_owner(&model, 3, model_address(ALICE));
        model_advance(&model, 6000);
        assert_all_owned();
    }
}

// In a batch each read is a call of its own; only one that hangs or floods spoils the whole.
static void the_token_at_fault_stands_alone(void **)
{
    static const enum model_trick tricks[] = {TRICK_MEGABYTE, TRICK_HANG, TRICK_SHORT};
    static const size_t batches[] = {0, 20, 1};
    for (size_t i = 0; i < sizeof tricks / sizeof tricks[0] * 3; i++) {
        begin(PROFILE_DSTACK_ACCESS, batches[i % 3]);
        model_token(&model, 9)->trick = tricks[i / 3];
        watch_all();
        model_advance(&model, 60000);
        assert_reading(9, VERDICT_UNKNOWN, REASON_CONTRACT);
        for (uint64_t id = 1; id <= TOKENS; id++) {
            if (id != 9) {
                assert_reading(id, VERDICT_YES, REASON_AUTHORISED);
            }
        }
    }
}

static void a_batch_that_is_too_much_for_a_rate_becomes_smaller(void **)
{
    begin(PROFILE_DSTACK_ACCESS, 0);
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].limited_reads = 50;
    }
    watch_all();
    model_advance(&model, 20000);
    assert_all_owned();
    assert_true(status_of(0).rate_limits >= 1);
    uint64_t limits = status_of(0).rate_limits;
    model_advance(&model, 60000);
    assert_int_equal(status_of(0).rate_limits, limits);
}

static void the_liar_is_found_at_its_own_block(void **)
{
    begin(PROFILE_ERC721, 0);
    model.providers[1].lies = true;
    model.providers[1].lie = model_address(MALLORY);
    watch_all();
    model_advance(&model, 20000);
    assert_all_owned();
    assert_true(status_of(1).disputes > 0);
    assert_int_equal(status_of(0).disputes, 0);
    assert_true(model.providers[0].pinned > 0);
}

// A block came between the first request and the last: of which one a read is nobody knows.
static void reads_of_no_certain_block_accuse_nobody(void **)
{
    begin(PROFILE_ERC721, 0);
    model.providers[1].lies = true;
    model.providers[1].lie = model_address(MALLORY);
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].moves = true;
    }
    watch_all();
    model_advance(&model, 20000);
    assert_all_owned();
    assert_int_equal(status_of(1).disputes, 0);
    assert_true(model.providers[0].calls < 100);
}

static void members_are_found_without_the_aggregator(void **)
{
    static const size_t batches[] = {0, 20, 1};
    for (size_t i = 0; i < 6; i++) {
        begin(PROFILE_ERC721, batches[i % 3]);
        model.enumerable = i < 3;
        model_advance(&model, 20000);
        assert_int_equal(gate_member_count(model.gate), TOKENS);
    }
}

static void one_that_gets_the_aggregator_is_read_by_it(void **)
{
    begin(PROFILE_ERC721, 0);
    watch_all();
    model_advance(&model, 1000);
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].no_aggregator = false;
    }
    model_advance(&model, 601000); // with the next check
    assert_string_equal(reads_way_name(status_of(0).way), "aggregate");
    assert_all_owned();
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].no_aggregator = true; // and it is noticed at once when it goes
    }
    model_advance(&model, 6000);
    assert_string_equal(reads_way_name(status_of(0).way), "batch");
    assert_all_owned();
}

// However small the call that finds it gone.
static void a_lost_aggregator_is_no_refused_batch(void **)
{
    begin(PROFILE_DSTACK_ACCESS, 0);
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].no_aggregator = false;
    }
    struct token_id token = token_id_of_u64(7);
    assert_int_equal(gate_watch(model.gate, &token, model.now), OK);
    model_advance(&model, 1000);
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].no_aggregator = true;
    }
    model_advance(&model, 6000);
    assert_string_equal(reads_way_name(status_of(0).way), "batch");
    assert_reading(7, VERDICT_YES, REASON_AUTHORISED);
}

static void another_chain_is_noticed_at_the_next_answer(void **)
{
    static const size_t batches[] = {0, 1};
    for (size_t i = 0; i < 2; i++) {
        begin(PROFILE_ERC721, batches[i]);
        watch_all();
        model_advance(&model, 1000);
        model.providers[2].chain_id = 1;
        model_advance(&model, 5100);
        assert_int_equal(status_of(2).health, PROVIDER_WRONG_CHAIN);
        assert_int_equal(status_of(2).chain_id, 1);
        assert_all_owned();
    }
}

#define WAYS_TEST(f) cmocka_unit_test_teardown(f, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WAYS_TEST(without_the_aggregator_reads_go_in_batches),
        WAYS_TEST(the_profile_is_detected_in_batches_too),
        WAYS_TEST(batches_that_are_refused_become_smaller),
        WAYS_TEST(without_batches_reads_go_one_by_one),
        WAYS_TEST(the_token_at_fault_stands_alone),
        WAYS_TEST(a_batch_that_is_too_much_for_a_rate_becomes_smaller),
        WAYS_TEST(the_liar_is_found_at_its_own_block),
        WAYS_TEST(reads_of_no_certain_block_accuse_nobody),
        WAYS_TEST(members_are_found_without_the_aggregator),
        WAYS_TEST(one_that_gets_the_aggregator_is_read_by_it),
        WAYS_TEST(a_lost_aggregator_is_no_refused_batch),
        WAYS_TEST(another_chain_is_noticed_at_the_next_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

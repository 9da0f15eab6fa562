// SPDX-License-Identifier: GPL-3.0-or-later
//
// Proven owners: what is proven stands against any lie that is not about a block that k providers
// name, what cannot be proven is unknown, and each way to lie is told apart.
#include "tests/unit/chain/model.h"

#include "tests/unit/unit.h"

static struct model model;

static void watch(uint64_t id)
{
    struct token_id token = token_id_of_u64(id);
    assert_int_equal(gate_watch(model.gate, &token, model.now), OK);
}

static void begin_with(size_t providers, enum contract_profile profile)
{
    model_stop(&model);
    memset(&model, 0, sizeof model);
    model.proofs = true;
    model.has_access = profile == PROFILE_DSTACK_ACCESS;
    struct gate_config config = {
        .profile = profile, .trust = TRUST_POLICY_PROOF, .grace_ms = 600000};
    model_start(&model, config, providers);
    for (uint64_t id = 7; id <= 10; id++) {
        model_set_owner(&model, id, model_address(id % 2 == 1 ? ALICE : BOB));
    }
}

static void begin(void)
{
    begin_with(3, PROFILE_ERC721);
    watch(7);
    watch(8);
}

static int start(void **)
{
    begin();
    return 0;
}

static int stop(void **)
{
    model_stop(&model);
    return 0;
}

static struct gate_reading read_token(uint64_t id)
{
    struct token_id token = token_id_of_u64(id);
    return gate_read(model.gate, &token, model.now);
}

static void assert_reading(uint64_t id, enum verdict_kind kind, enum verdict_reason reason)
{
    struct gate_reading reading = read_token(id);
    assert_string_equal(verdict_reason_name(reading.reason), verdict_reason_name(reason));
    assert_int_equal(reading.kind, kind);
}

static void assert_proven(uint64_t id, uint8_t owner)
{
    struct gate_reading reading = read_token(id);
    struct eth_address address = model_address(owner);
    assert_reading(id, VERDICT_YES, REASON_AUTHORISED);
    assert_true(reading.owner_proven);
    assert_true(eth_address_equal(&reading.owner, &address));
}

static void assert_standing(enum proof_standing standing)
{
    assert_string_equal(
        proof_standing_name(gate_trust(model.gate).proof), proof_standing_name(standing));
}

static void assert_decision(uint64_t id, uint8_t owner, enum verdict_reason reason)
{
    struct delegation delegation = model_delegation(&model, id, owner, NODE);
    struct verdict verdict = model_decide(&model, &delegation);
    assert_string_equal(verdict_reason_name(verdict.reason), verdict_reason_name(reason));
}

static struct gate_provider_status provider(size_t index)
{
    return gate_provider_status(model.gate, index, model.now);
}

// Up to the first proofs.
static void enrol(void)
{
    model_advance(&model, 6000);
    assert_standing(PROOF_ON);
}

static void lie(size_t from, uint8_t owner)
{
    for (size_t i = from; i < model.config.providers; i++) {
        model.providers[i].lies = true;
        model.providers[i].lie = model_address(owner);
    }
}

static void forge(size_t from, enum model_forgery forgery)
{
    for (size_t i = from; i < model.config.providers; i++) {
        model.providers[i].forgery = forgery;
        model.providers[i].lie = model_address(MALLORY);
    }
}

static void owners_are_proven(void **)
{
    assert_standing(PROOF_SEARCHING);
    model_advance(&model, 100);
    assert_int_equal(gate_trust(model.gate).level, TRUST_PROOF);
    assert_standing(PROOF_ON);
    assert_proven(7, ALICE);
    assert_proven(8, BOB);
    assert_true(model_saw(&model, GATE_EVENT_PROOF, 0));
    assert_int_equal(gate_trust(model.gate).proof_block, model_block(&model));
    model_advance(&model, 60000);
    assert_proven(7, ALICE);
    for (size_t i = 0; i < 3; i++) {
        assert_true(provider(i).proofs >= 3); // in turn
        assert_int_equal(provider(i).disputes, 0);
        for (size_t fault = 0; fault < PROOF_FAULTS; fault++) {
            assert_int_equal(provider(i).proof_faults[fault], 0);
        }
    }
    // A newcomer is proven in one go.
    struct token_id nine = token_id_of_u64(9);
    assert_int_equal(gate_refresh(model.gate, &nine, model.now), OK);
    model_settle(&model);
    assert_proven(9, ALICE);
    assert_decision(9, ALICE, REASON_AUTHORISED);
}

static void every_usual_place_is_found(void **)
{
    static const uint64_t places[] = {2, 3, 103, 153, UINT64_MAX};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        begin();
        model.place = places[i];
        enrol();
        assert_proven(7, ALICE);
    }
    begin();
    model.place = 4;
    model_advance(&model, 6000);
    assert_standing(PROOF_NO_PLACE);
    assert_int_equal(gate_trust(model.gate).level, TRUST_QUORUM);
    assert_reading(7, VERDICT_YES, REASON_AUTHORISED);
    assert_false(read_token(7).owner_proven);
    begin();
    model.beacon = true;
    model_advance(&model, 6000);
    assert_standing(PROOF_BEACON);
}

static void one_token_does_not_show_the_place(void **)
{
    begin_with(3, PROFILE_ERC721);
    watch(7);
    model_advance(&model, 20000);
    assert_standing(PROOF_FEW_TOKENS);
    assert_reading(7, VERDICT_YES, REASON_AUTHORISED); // by quorum meanwhile
    watch(9); // the same owner's: must do where there is no other
    model_advance(&model, 6000);
    assert_standing(PROOF_ON);
    assert_proven(9, ALICE);
}

// No token, and nobody's word on one, is needed.
static void the_place_of_our_own_contract_is_known(void **)
{
    begin_with(3, PROFILE_ERC721);
    model.own_code = true;
    lie(0, MALLORY);
    watch(7);
    model_advance(&model, 6000);
    assert_standing(PROOF_ON);
    assert_proven(7, ALICE);
    // By its code, not by its word: behind a proxy it may be any.
    begin_with(3, PROFILE_ERC721);
    model.own_code = true;
    model.implementation = 5;
    watch(7);
    model_advance(&model, 6000);
    assert_standing(PROOF_FEW_TOKENS);
}

static void what_all_say_but_for_the_block_is_no_match_for_a_proof(void **)
{
    enrol();
    lie(0, MALLORY);
    model_advance(&model, 40000);
    assert_proven(7, ALICE);
    assert_decision(7, ALICE, REASON_AUTHORISED);
    assert_decision(7, MALLORY, REASON_OTHER_OWNER);
    for (size_t i = 0; i < 3; i++) {
        assert_true(provider(i).disputes >= 3);
    }
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].lie = (struct eth_address){{0}}; // now they deny it
    }
    model_advance(&model, 40000);
    assert_proven(7, ALICE);
}

static void flag_and_key_need_the_quorum_and_an_owner_both_agree_on(void **)
{
    begin_with(3, PROFILE_DSTACK_ACCESS);
    watch(7);
    watch(8);
    enrol();
    assert_decision(7, ALICE, REASON_AUTHORISED);
    lie(0, MALLORY);
    model_advance(&model, 12000);
    assert_reading(7, VERDICT_UNKNOWN, REASON_CONTRADICTED);
    assert_decision(7, ALICE, REASON_CONTRADICTED);
    assert_decision(7, MALLORY, REASON_OTHER_OWNER); // of whom the proof is enough to say no
    begin_with(3, PROFILE_DSTACK_ACCESS);
    watch(7);
    watch(8);
    enrol();
    model_token(&model, 7)->active = false;
    forge(0, FORGE_REFUSE);
    model_advance(&model, 40000);
    assert_standing(PROOF_LACKING);
    assert_decision(7, ALICE, REASON_NOT_ACTIVE); // a no by the flag waits for no proof
    assert_reading(8, VERDICT_UNKNOWN, REASON_NOT_PROVEN);
}

static void assert_check(
    uint64_t id, uint8_t owner, enum gate_check_kind check, enum verdict_reason reason)
{
    struct delegation delegation = model_delegation(&model, id, owner, NODE);
    struct gate_claim claim = {.delegation = &delegation, .sequence = 1};
    struct gate_check checks[GATE_CHECKS];
    gate_explain(model.gate, model.now, &claim, checks);
    assert_string_equal(verdict_reason_name(checks[check].reason), verdict_reason_name(reason));
}

static void an_explanation_keeps_owner_and_flag_apart(void **)
{
    begin_with(3, PROFILE_DSTACK_ACCESS);
    watch(7);
    watch(8);
    enrol();
    lie(0, MALLORY);
    model_advance(&model, 12000);
    assert_check(7, ALICE, GATE_CHECK_TOKEN, REASON_AUTHORISED);
    assert_check(7, ALICE, GATE_CHECK_OWNER, REASON_AUTHORISED);
    assert_check(7, ALICE, GATE_CHECK_ACTIVE, REASON_CONTRADICTED);
    assert_check(7, MALLORY, GATE_CHECK_OWNER, REASON_OTHER_OWNER);
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].lies = false;
    }
    model_token(&model, 7)->active = false;
    forge(0, FORGE_REFUSE);
    model_advance(&model, 40000);
    assert_check(7, ALICE, GATE_CHECK_ACTIVE, REASON_NOT_ACTIVE);
    assert_check(7, ALICE, GATE_CHECK_OWNER, REASON_NOT_PROVEN);
    assert_check(7, ALICE, GATE_CHECK_TOKEN, REASON_NOT_PROVEN);
}

static void each_way_to_lie_is_told_apart(void **)
{
    static const struct {
        enum model_forgery forgery;
        enum proof_fault fault;
    } ways[] = {
        {FORGE_VALUE, PROOF_FAULT_VALUE},
        {FORGE_NODE, PROOF_FAULT_NODE},
        {FORGE_HEADER, PROOF_FAULT_HEADER},
        {FORGE_ROOT, PROOF_FAULT_ROOT},
        {FORGE_PAST, PROOF_FAULT_ROOT},
        {FORGE_STATE, PROOF_FAULT_BLOCK},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        begin();
        enrol();
        forge(2, ways[i].forgery);
        for (size_t second = 0; second < 60; second++) {
            model_advance(&model, 1000);
            assert_proven(7, ALICE);
            assert_proven(8, BOB);
        }
        for (size_t fault = 0; fault < PROOF_FAULTS; fault++) {
            assert_int_equal(provider(2).proof_faults[fault] != 0, fault == ways[i].fault);
            assert_int_equal(provider(0).proof_faults[fault], 0);
            assert_int_equal(provider(1).proof_faults[fault], 0);
        }
        assert_int_equal(provider(2).health, PROVIDER_GOOD);
    }
}

// Even the whole, and from the beginning: it is alone with its block.
static void one_of_three_cannot_enrol_a_state_of_its_own(void **)
{
    forge(2, FORGE_STATE);
    lie(2, MALLORY);
    model_advance(&model, 30000);
    assert_standing(PROOF_ON);
    assert_proven(7, ALICE);
}

static void without_proofs_nobody_new_is_admitted(void **)
{
    static const enum model_forgery forgeries[] = {
        FORGE_NODE, FORGE_HEADER, FORGE_ROOT, FORGE_REFUSE, FORGE_SILENT};
    for (size_t i = 0; i < sizeof forgeries / sizeof forgeries[0]; i++) {
        begin();
        enrol();
        assert_decision(7, ALICE, REASON_AUTHORISED);
        forge(0, forgeries[i]);
        model_advance(&model, 40000);
        assert_standing(PROOF_LACKING);
        assert_reading(7, VERDICT_UNKNOWN, REASON_NOT_PROVEN);
        struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
        assert_true(model_decide(&model, &delegation).grace_left_ms > 0);
        struct token_id nine = token_id_of_u64(9);
        assert_int_equal(gate_refresh(model.gate, &nine, model.now), OK);
        model_forget_events(&model);
        model_advance(&model, 20000);
        assert_true(model_saw(&model, GATE_EVENT_TOKEN, 9)); // the refresh ends
        assert_reading(9, VERDICT_UNKNOWN, REASON_NOT_PROVEN);
        // Nor do they throw anybody out: that takes a proof, too.
        lie(0, 0);
        for (size_t j = 0; j < 3; j++) {
            model.providers[j].lie = (struct eth_address){{0}};
        }
        model_advance(&model, 12000);
        assert_reading(7, VERDICT_UNKNOWN, REASON_NOT_PROVEN);
        forge(0, FORGE_NONE);
        model_advance(&model, 40000);
        assert_standing(PROOF_ON);
        assert_proven(7, ALICE);
    }
}

static void a_sale_and_a_burn_are_proven(void **)
{
    for (int zero_leaves = 0; zero_leaves < 2; zero_leaves++) {
        begin();
        model.zero_leaves = zero_leaves == 1;
        enrol();
        assert_decision(7, ALICE, REASON_AUTHORISED);
        model_advance(&model, 2000);
        model_set_owner(&model, 7, model_address(BOB));
        model_set_owner(&model, 8, (struct eth_address){{0}});
        model_advance(&model, 7000);
        assert_proven(7, BOB);
        assert_decision(7, ALICE, REASON_OTHER_OWNER);
        assert_reading(8, VERDICT_NO, REASON_NOT_OWNED);
        assert_true(read_token(8).owner_proven);
        model_set_owner(&model, 7, model_address(ALICE));
        model_advance(&model, 7000);
        assert_proven(7, ALICE);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(provider(i).disputes, 0); // being early or late is no lie
        }
    }
}

static void changed_code_ends_proofs_until_it_has_settled(void **)
{
    for (int proxy = 0; proxy < 2; proxy++) {
        begin();
        model.implementation = proxy == 1 ? 77 : 0;
        enrol();
        model_forget_events(&model);
        model.code = proxy == 1 ? 0 : 1;
        model.implementation = proxy == 1 ? 78 : 0;
        model.place = 3; // as an upgrade may
        model_advance(&model, 40000);
        assert_standing(PROOF_CHANGED);
        assert_true(model_saw(&model, GATE_EVENT_PROOF, 0));
        assert_int_equal(gate_trust(model.gate).level, TRUST_QUORUM);
        assert_reading(7, VERDICT_YES, REASON_AUTHORISED);
        assert_false(read_token(7).owner_proven);
        model_restart(&model); // does not make it forget
        watch(7);
        watch(8);
        model_advance(&model, 40000);
        assert_standing(PROOF_CHANGED);
        model_advance(&model, 640000);
        assert_standing(PROOF_ON);
        assert_proven(7, ALICE);
    }
}

static void code_that_comes_back_is_believed_at_once(void **)
{
    enrol();
    model.code = 1;
    model_advance(&model, 20000);
    assert_standing(PROOF_CHANGED);
    model.code = 0;
    model_advance(&model, 40000);
    assert_standing(PROOF_ON);
    assert_proven(7, ALICE);
}

static void a_restart_keeps_the_pin_and_demands_a_proof(void **)
{
    enrol();
    assert_true(gate_state_dirty(model.gate));
    model_restart(&model);
    forge(0, FORGE_REFUSE);
    watch(7);
    model_advance(&model, 3000);
    assert_reading(7, VERDICT_UNKNOWN, REASON_NOT_PROVEN);
    forge(0, FORGE_NONE);
    model_advance(&model, 40000);
    assert_proven(7, ALICE); // with one token: the place is known
}

static void a_silent_prover_costs_a_second(void **)
{
    enrol();
    model.providers[0].forgery = FORGE_SILENT;
    model.providers[1].forgery = FORGE_SILENT;
    struct token_id nine = token_id_of_u64(9);
    assert_int_equal(gate_refresh(model.gate, &nine, model.now), OK);
    model_advance(&model, 2100); // two of three at most
    assert_proven(9, ALICE);
    model_advance(&model, 60000);
    assert_proven(7, ALICE);
    assert_int_equal(provider(0).health, PROVIDER_GOOD); // at all else it is as good as ever
}

static void too_many_slots_are_asked_for_in_parts(void **)
{
    forge(0, FORGE_LARGE);
    model_advance(&model, 6000);
    assert_standing(PROOF_NOT_SERVED); // the search takes more than four
    forge(0, FORGE_NONE);
    model_advance(&model, 60000);
    assert_standing(PROOF_ON);
    forge(0, FORGE_LARGE);
    for (uint64_t id = 9; id < 15; id++) {
        model_set_owner(&model, id, model_address(ALICE));
        watch(id);
    }
    model_advance(&model, 20000);
    for (uint64_t id = 9; id < 15; id++) {
        assert_proven(id, ALICE);
    }
}

static void others_may_be_a_block_behind(void **)
{
    model.providers[1].lag_blocks = 1;
    model.providers[2].lag_blocks = 1;
    model_advance(&model, 12000);
    assert_standing(PROOF_ON);
    for (size_t second = 0; second < 60; second++) {
        model_advance(&model, 1000);
        assert_proven(7, ALICE);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(provider(i).disputes, 0);
    }
}

static void only_k_providers_can_say_that_headers_are_new(void **)
{
    enrol();
    forge(2, FORGE_UNKNOWN);
    model_advance(&model, 60000);
    assert_standing(PROOF_ON);
    forge(0, FORGE_UNKNOWN);
    model_advance(&model, 60000);
    assert_standing(PROOF_UNKNOWN_HEADER);
    assert_int_equal(gate_trust(model.gate).level, TRUST_QUORUM);
    assert_reading(7, VERDICT_YES, REASON_AUTHORISED);
    forge(0, FORGE_NONE);
    model_advance(&model, 60000);
    assert_standing(PROOF_ON);
    assert_proven(7, ALICE);
}

// Who alone says what block there is can say anything: that is said, not dressed up.
static void one_provider_is_still_one_provider(void **)
{
    begin_with(1, PROFILE_ERC721);
    watch(7);
    watch(8);
    enrol();
    assert_proven(7, ALICE);
    assert_int_equal(gate_trust(model.gate).level, TRUST_SINGLE);
    forge(0, FORGE_STATE);
    lie(0, MALLORY);
    model_advance(&model, 40000);
    assert_proven(7, MALLORY);
}

// What proofs do not help against, so that nobody thinks otherwise.
static void k_that_agree_on_a_block_of_their_own_decide(void **)
{
    enrol();
    forge(1, FORGE_STATE);
    lie(1, MALLORY);
    model_advance(&model, 40000);
    assert_proven(7, MALLORY);
}

#define PROOF_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROOF_TEST(owners_are_proven),
        PROOF_TEST(every_usual_place_is_found),
        PROOF_TEST(one_token_does_not_show_the_place),
        PROOF_TEST(the_place_of_our_own_contract_is_known),
        PROOF_TEST(what_all_say_but_for_the_block_is_no_match_for_a_proof),
        PROOF_TEST(flag_and_key_need_the_quorum_and_an_owner_both_agree_on),
        PROOF_TEST(an_explanation_keeps_owner_and_flag_apart),
        PROOF_TEST(each_way_to_lie_is_told_apart),
        PROOF_TEST(one_of_three_cannot_enrol_a_state_of_its_own),
        PROOF_TEST(without_proofs_nobody_new_is_admitted),
        PROOF_TEST(a_sale_and_a_burn_are_proven),
        PROOF_TEST(changed_code_ends_proofs_until_it_has_settled),
        PROOF_TEST(code_that_comes_back_is_believed_at_once),
        PROOF_TEST(a_restart_keeps_the_pin_and_demands_a_proof),
        PROOF_TEST(a_silent_prover_costs_a_second),
        PROOF_TEST(too_many_slots_are_asked_for_in_parts),
        PROOF_TEST(others_may_be_a_block_behind),
        PROOF_TEST(only_k_providers_can_say_that_headers_are_new),
        PROOF_TEST(one_provider_is_still_one_provider),
        PROOF_TEST(k_that_agree_on_a_block_of_their_own_decide),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

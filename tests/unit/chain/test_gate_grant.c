// SPDX-License-Identifier: GPL-3.0-or-later
//
// Grants at safe or finalized blocks: who is new waits, who was seen there stays, and what takes
// away counts at once. And blocks that are undone.
#include "tests/unit/chain/model.h"

#include "tests/unit/unit.h"

#include <stdio.h>

enum {
    BLOCK_MS = 2000,
    SAFE_MS = MODEL_SAFE_BLOCKS * BLOCK_MS,
    FINALIZED_MS = MODEL_FINALIZED_BLOCKS * BLOCK_MS,
    POLL_MS = 5000,
};

static struct model model;

static void begin(enum grant_tag grant)
{
    model_stop(&model);
    memset(&model, 0, sizeof model);
    model_start(&model,
        (struct gate_config){.profile = PROFILE_DSTACK_ACCESS, .grant = grant, .grace_ms = 600000},
        3);
    model.has_access = true;
    model_set_owner(&model, 7, model_address(ALICE));
    struct token_id token = token_id_of_u64(7);
    assert_int_equal(gate_watch(model.gate, &token, model.now), OK);
}

static int stop(void **)
{
    model_stop(&model);
    return 0;
}

static void assert_alice(enum verdict_reason reason)
{
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    struct verdict verdict = model_decide(&model, &delegation);
    assert_string_equal(verdict_reason_name(verdict.reason), verdict_reason_name(reason));
}

static void a_new_grant_waits_for_its_tag(void **)
{
    static const uint64_t waits_ms[] = {
        [GRANT_LATEST] = 0, [GRANT_SAFE] = SAFE_MS, [GRANT_FINALIZED] = FINALIZED_MS};
    for (int tag = GRANT_LATEST; tag <= GRANT_FINALIZED; tag++) {
        begin((enum grant_tag)tag);
        model_advance(&model, 100);
        assert_alice(tag == GRANT_LATEST ? REASON_AUTHORISED : REASON_NOT_SETTLED);
        if (tag != GRANT_LATEST) {
            model_advance(&model, waits_ms[tag] - POLL_MS);
            assert_alice(REASON_NOT_SETTLED);
            model_forget_events(&model);
            model_advance(&model, 2 * POLL_MS);
            assert_true(model_saw(&model, GATE_EVENT_TOKEN, 7)); // decide again
        }
        assert_alice(REASON_AUTHORISED);
        assert_int_equal(gate_trust(model.gate).grant, tag);
        uint64_t tagged = model.providers[0].tagged;
        model_advance(&model, 60000);
        assert_int_equal(model.providers[0].tagged, tagged); // what has settled costs nothing
    }
}

static void what_is_not_settled_has_no_grace(void **)
{
    begin(GRANT_FINALIZED);
    model_advance(&model, 100);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    struct verdict verdict = model_decide(&model, &delegation);
    assert_int_equal(verdict.kind, VERDICT_UNKNOWN);
    assert_int_equal(verdict.grace_left_ms, 0);
}

static void what_takes_away_counts_at_once(void **)
{
    begin(GRANT_FINALIZED);
    model_advance(&model, FINALIZED_MS + 2 * POLL_MS);
    assert_alice(REASON_AUTHORISED);
    model_token(&model, 7)->active = false;
    model_advance(&model, POLL_MS + 100);
    assert_alice(REASON_NOT_ACTIVE);
    model_token(&model, 7)->active = true; // the model keeps no history of it: settled at once
    model_advance(&model, 2 * POLL_MS);
    assert_alice(REASON_AUTHORISED);
    model_set_owner(&model, 7, model_address(BOB));
    model_advance(&model, POLL_MS + BLOCK_MS);
    assert_alice(REASON_OTHER_OWNER);
    struct delegation bob = model_delegation(&model, 7, BOB, NODE);
    bob.epoch_s += 10;
    struct network network = model_network();
    struct eth_secret secret = model_secret(BOB);
    assert_int_equal(delegation_sign(&bob, &network, &secret), OK);
    assert_int_equal(model_decide(&model, &bob).reason, REASON_NOT_SETTLED);
    model_advance(&model, FINALIZED_MS + POLL_MS);
    assert_int_equal(model_decide(&model, &bob).reason, REASON_AUTHORISED);
}

static void it_takes_a_quorum(void **)
{
    begin(GRANT_SAFE);
    model.providers[0].no_tags = true;
    model_advance(&model, SAFE_MS + 2 * POLL_MS);
    assert_alice(REASON_AUTHORISED);
    begin(GRANT_SAFE);
    model.providers[0].no_tags = true;
    model.providers[1].no_tags = true;
    model_advance(&model, SAFE_MS + 60000);
    assert_alice(REASON_NOT_SETTLED);
    for (size_t i = 0; i < 3; i++) { // they are good for everything else
        assert_int_equal(gate_provider_status(model.gate, i, model.now).health, PROVIDER_GOOD);
    }
    begin(GRANT_SAFE);
    model.providers[0].no_aggregator = true; // in batches as well
    model.providers[1].no_aggregator = true;
    model.providers[1].batch_max = 1; // and one by one
    model.providers[2].fault = FAULT_DEAD;
    model_advance(&model, SAFE_MS + 2 * POLL_MS);
    assert_alice(REASON_AUTHORISED);
}

static void it_outlives_a_restart(void **)
{
    begin(GRANT_FINALIZED);
    model_advance(&model, FINALIZED_MS + 2 * POLL_MS);
    assert_alice(REASON_AUTHORISED);
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].no_tags = true;
    }
    model_restart(&model);
    struct token_id token = token_id_of_u64(7);
    assert_int_equal(gate_watch(model.gate, &token, model.now), OK);
    model_advance(&model, 100);
    assert_alice(REASON_AUTHORISED);
}

// The token was given in a block that is undone, and the chain that replaces it is shorter.
static void a_grant_that_is_undone_is_withdrawn(void **)
{
    begin(GRANT_LATEST);
    model_advance(&model, 100);
    assert_alice(REASON_AUTHORISED);
    model_token(&model, 7)->owners[0].owner = (struct eth_address){{0}};
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].lag_blocks = 5;
    }
    model_advance(&model, POLL_MS + 100);
    assert_alice(REASON_NOT_OWNED);
}

static void the_time_without_a_quorum_is_told(void **)
{
    begin(GRANT_LATEST);
    model_advance(&model, 1000);
    assert_int_equal(gate_without_quorum_ms(model.gate, model.now), 0);
    struct token_id token = token_id_of_u64(7);
    struct token_id other = token_id_of_u64(8);
    uint64_t age_ms = 0;
    assert_int_equal(gate_last_check_ms(model.gate, &token, model.now, &age_ms), OK);
    assert_true(age_ms <= 1000);
    assert_int_equal(gate_last_check_ms(model.gate, &other, model.now, &age_ms), ERR_NOT_FOUND);
    model.providers[0].fault = FAULT_DEAD;
    model.providers[2].fault = FAULT_HTML;
    model_advance(&model, 60000);
    uint64_t without_ms = gate_without_quorum_ms(model.gate, model.now);
    assert_true(without_ms >= 60000 - POLL_MS - 100 && without_ms <= 60000);
    assert_int_equal(gate_last_check_ms(model.gate, &token, model.now, &age_ms), OK);
    assert_true(age_ms >= 55000 && age_ms <= 66000);
    model.providers[2].fault = FAULT_NONE;
    model_advance(&model, 40000);
    assert_int_equal(gate_without_quorum_ms(model.gate, model.now), 0);
}

static void tags_have_names(void **)
{
    enum grant_tag tag = GRANT_LATEST;
    assert_int_equal(grant_tag_parse(span_of_text("finalized"), &tag), OK);
    assert_int_equal(tag, GRANT_FINALIZED);
    assert_string_equal(grant_tag_name(GRANT_SAFE), "safe");
    assert_int_equal(grant_tag_parse(span_of_text("final"), &tag), ERR_MALFORMED);
}

#define GRANT_TEST(f) cmocka_unit_test_teardown(f, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GRANT_TEST(a_new_grant_waits_for_its_tag),
        GRANT_TEST(what_is_not_settled_has_no_grace),
        GRANT_TEST(what_takes_away_counts_at_once),
        GRANT_TEST(it_takes_a_quorum),
        GRANT_TEST(it_outlives_a_restart),
        GRANT_TEST(a_grant_that_is_undone_is_withdrawn),
        GRANT_TEST(the_time_without_a_quorum_is_told),
        GRANT_TEST(tags_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

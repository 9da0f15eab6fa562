// SPDX-License-Identifier: GPL-3.0-or-later
//
// Verdicts: who is admitted, who is not and why, floors, owner changes, grace, chain time.
#include "tests/unit/chain/model.h"

#include "tests/unit/unit.h"

enum {
    OTHER_NODE = 8,
    HOUR_MS = 3600 * 1000,
};

static struct model model;

static int start(void **)
{
    memset(&model, 0, sizeof model);
    model_start(&model, (struct gate_config){.profile = PROFILE_ERC721, .grace_ms = 600000}, 3);
    model_set_owner(&model, 7, model_address(ALICE));
    return 0;
}

static int stop(void **)
{
    model_stop(&model);
    return 0;
}

static void watch(uint64_t id)
{
    struct token_id token = token_id_of_u64(id);
    assert_int_equal(gate_watch(model.gate, &token, model.now), OK);
    model_advance(&model, 100);
}

static void transfer(uint64_t id, uint8_t owner)
{
    model_advance(&model, 2000);
    model_set_owner(&model, id, model_address(owner));
    model_advance(&model, 8000);
}

static void assert_verdict(
    const struct delegation *delegation, enum verdict_kind kind, enum verdict_reason reason)
{
    struct verdict verdict = model_decide(&model, delegation);
    assert_string_equal(verdict_reason_name(verdict.reason), verdict_reason_name(reason));
    assert_int_equal(verdict.kind, kind);
}

static void resign(struct delegation *delegation, uint8_t owner)
{
    struct network network = model_network();
    struct eth_secret secret = model_secret(owner);
    assert_int_equal(delegation_sign(delegation, &network, &secret), OK);
}

static void the_owners_delegation_admits(void **)
{
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    assert_verdict(&delegation, VERDICT_UNKNOWN, REASON_NOT_READ);
    watch(7);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
    assert_true(model_saw(&model, GATE_EVENT_TOKEN, 7));
    struct verdict verdict = model_decide(&model, &delegation);
    struct eth_address alice = model_address(ALICE);
    assert_true(eth_address_equal(&verdict.owner, &alice));
    assert_true(verdict.until.ms > model.now.mono.ms && verdict.until.ms < UINT64_MAX);
}

static void anybody_elses_does_not(void **)
{
    watch(7);
    struct delegation delegation = model_delegation(&model, 7, MALLORY, NODE);
    assert_verdict(&delegation, VERDICT_NO, REASON_OTHER_OWNER);
    char text[GATE_VERDICT_TEXT_SIZE];
    struct verdict verdict = model_decide(&model, &delegation);
    verdict_text(&verdict, text);
    assert_non_null(strstr(text, "token 7: its owner 0x"));
    assert_non_null(strstr(text, "has not authorised this node"));
    assert_non_null(strstr(text, "`deedmesh authorize 7`"));
    // It shadows nobody: the owner's own is as good as before.
    delegation = model_delegation(&model, 7, ALICE, NODE);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
}

static void a_forged_delegation_is_refused_without_the_chain(void **)
{
    struct delegation delegation = model_delegation(&model, 7, MALLORY, NODE);
    delegation.owner = model_address(ALICE);
    assert_verdict(&delegation, VERDICT_NO, REASON_SIGNATURE);
}

static void a_kind_that_this_node_cannot_judge(void **)
{
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    delegation.kind = DELEGATION_EIP1271; // this gate is set up for no wallets
    delegation.signature_size--;
    assert_verdict(&delegation, VERDICT_UNKNOWN, REASON_KIND);
    watch(7);
    assert_verdict(&delegation, VERDICT_UNKNOWN, REASON_KIND);
    delegation.kind = (enum delegation_kind)(DELEGATION_EIP1271_HASHED + 1); // of a later version
    assert_verdict(&delegation, VERDICT_UNKNOWN, REASON_KIND);
}

// Owners are looked up by token, never the other way round.
static void two_tokens_of_one_owner_are_two_seats(void **)
{
    model_set_owner(&model, 8, model_address(ALICE));
    watch(7);
    watch(8);
    struct delegation seven = model_delegation(&model, 7, ALICE, NODE);
    struct delegation eight = model_delegation(&model, 8, ALICE, OTHER_NODE);
    assert_verdict(&seven, VERDICT_YES, REASON_AUTHORISED);
    assert_verdict(&eight, VERDICT_YES, REASON_AUTHORISED);
    struct delegation moved = seven; // what she signed for the one seat says nothing of the other
    moved.token = eight.token;
    assert_verdict(&moved, VERDICT_NO, REASON_SIGNATURE);
    transfer(7, BOB);
    assert_verdict(&seven, VERDICT_NO, REASON_OTHER_OWNER);
    assert_verdict(&eight, VERDICT_YES, REASON_AUTHORISED);
}

static void a_token_that_nobody_owns(void **)
{
    struct token_id nine = token_id_of_u64(9);
    struct delegation delegation = model_delegation(&model, 9, ALICE, NODE);
    watch(9);
    assert_verdict(&delegation, VERDICT_NO, REASON_NOT_OWNED);
    // A fresh mint works as soon as somebody asks; the delegation may be older than the token.
    model_set_owner(&model, 9, model_address(ALICE));
    model_advance(&model, 2000);
    assert_int_equal(gate_refresh(model.gate, &nine, model.now), OK);
    model_advance(&model, 100);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
}

static void a_transfer_ends_it_within_the_poll(void **)
{
    watch(7);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
    for (size_t i = 0; i < 20; i++) {
        model_advance(&model, 1000 + 137 * i);
        model_forget_events(&model);
        model_set_owner(&model, 7, model_address(i % 2 == 0 ? BOB : ALICE));
        model.tokens[0].owners[0] = model.tokens[0].owners[1];
        model.tokens[0].owner_count = 1;
        uint64_t began_ms = model.now.mono.ms;
        while (!model_saw(&model, GATE_EVENT_TOKEN, 7)) {
            model_advance(&model, 50);
        }
        assert_true(model.now.mono.ms - began_ms <= GATE_POLL_DEFAULT_MS + 2000 + 50);
        assert_true(model.events[model.event_count - 1].owner_changed);
        if (i == 0) {
            assert_verdict(&delegation, VERDICT_NO, REASON_OTHER_OWNER);
        }
    }
}

// The pause between two polls varies, and is never longer than configured.
static void every_provider_is_asked_within_the_poll(void **)
{
    watch(7);
    for (size_t round = 0; round < 40; round++) {
        uint64_t before[3];
        for (size_t i = 0; i < 3; i++) {
            before[i] = model.providers[i].aggregates;
        }
        model_advance(&model, GATE_POLL_DEFAULT_MS);
        for (size_t i = 0; i < 3; i++) {
            assert_true(model.providers[i].aggregates > before[i]);
        }
    }
}

static void nothing_signed_before_a_change_of_owner_comes_back(void **)
{
    watch(7);
    struct delegation old = model_delegation(&model, 7, ALICE, NODE);
    assert_verdict(&old, VERDICT_YES, REASON_AUTHORISED);
    transfer(7, BOB);
    assert_verdict(&old, VERDICT_NO, REASON_OTHER_OWNER);
    transfer(7, ALICE);
    assert_verdict(&old, VERDICT_NO, REASON_EPOCH_OLD);
    struct delegation fresh = model_delegation(&model, 7, ALICE, NODE);
    assert_verdict(&fresh, VERDICT_YES, REASON_AUTHORISED);
    // Neither over a time without any owner, nor over a restart.
    model_advance(&model, 2000);
    model_set_owner(&model, 7, (struct eth_address){{0}});
    model_advance(&model, 8000);
    assert_verdict(&fresh, VERDICT_NO, REASON_NOT_OWNED);
    model_set_owner(&model, 7, model_address(ALICE));
    model_restart(&model);
    watch(7);
    assert_verdict(&fresh, VERDICT_NO, REASON_EPOCH_OLD);
}

static void a_new_owner_may_sign_at_once(void **)
{
    watch(7);
    model_advance(&model, 2000);
    model_set_owner(&model, 7, model_address(BOB));
    model_advance(&model, 500); // nobody has seen the transfer yet
    struct delegation delegation = model_delegation(&model, 7, BOB, NODE);
    model_advance(&model, 8000);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
}

static void a_former_owner_cannot_brick_the_seat(void **)
{
    watch(7);
    struct delegation far = model_delegation(&model, 7, ALICE, NODE);
    far.epoch_s += 3600 + 60;
    resign(&far, ALICE);
    assert_verdict(&far, VERDICT_NO, REASON_EPOCH_FUTURE);
    far.epoch_s -= 120;
    resign(&far, ALICE);
    assert_verdict(&far, VERDICT_YES, REASON_AUTHORISED);
    transfer(7, BOB);
    struct delegation delegation = model_delegation(&model, 7, BOB, NODE);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
}

static void the_greater_epoch_wins_then_the_smaller_key(void **)
{
    watch(7);
    struct delegation first = model_delegation(&model, 7, ALICE, OTHER_NODE);
    assert_verdict(&first, VERDICT_YES, REASON_AUTHORISED);
    struct delegation same_epoch = first;
    same_epoch.node_key = model_node_key(NODE);
    resign(&same_epoch, ALICE);
    assert_verdict(&same_epoch, VERDICT_YES, REASON_AUTHORISED);
    assert_verdict(&first, VERDICT_NO, REASON_OUTRANKED);
    model_advance(&model, 1000);
    struct delegation later = model_delegation(&model, 7, ALICE, OTHER_NODE);
    assert_verdict(&later, VERDICT_YES, REASON_AUTHORISED);
    assert_verdict(&same_epoch, VERDICT_NO, REASON_OUTRANKED);
    model_restart(&model);
    assert_verdict(&same_epoch, VERDICT_NO, REASON_OUTRANKED); // even before the chain is read
    watch(7);
    assert_verdict(&same_epoch, VERDICT_NO, REASON_OUTRANKED);
    assert_verdict(&later, VERDICT_YES, REASON_AUTHORISED);
}

static void an_older_record_is_replayed(void **)
{
    watch(7);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    struct gate_claim claim = {.delegation = &delegation, .sequence = 10};
    assert_int_equal(gate_decide(model.gate, model.now, &claim).kind, VERDICT_YES);
    assert_int_equal(gate_decide(model.gate, model.now, &claim).kind, VERDICT_YES);
    claim.sequence = 9;
    assert_int_equal(gate_decide(model.gate, model.now, &claim).reason, REASON_REPLAYED);
    // A renewed delegation starts a new count.
    model_advance(&model, 1000);
    delegation = model_delegation(&model, 7, ALICE, NODE);
    claim.sequence = 1;
    assert_int_equal(gate_decide(model.gate, model.now, &claim).kind, VERDICT_YES);
}

static void only_a_yes_raises_a_floor(void **)
{
    watch(7);
    struct delegation later = model_delegation(&model, 7, MALLORY, NODE);
    later.epoch_s += 1000;
    resign(&later, MALLORY);
    assert_verdict(&later, VERDICT_NO, REASON_OTHER_OWNER);
    struct delegation expired = model_delegation(&model, 7, ALICE, OTHER_NODE);
    expired.epoch_s += 500;
    expired.not_after_s = expired.not_before_s + 1;
    resign(&expired, ALICE);
    assert_verdict(&expired, VERDICT_NO, REASON_EXPIRED);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
}

static void a_tombstone_retires_the_node(void **)
{
    watch(7);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
    model_advance(&model, 1000);
    struct delegation forged = model_delegation(&model, 7, MALLORY, 0);
    assert_verdict(&forged, VERDICT_NO, REASON_OTHER_OWNER);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
    struct delegation tombstone = model_delegation(&model, 7, ALICE, 0);
    assert_verdict(&tombstone, VERDICT_NO, REASON_TOMBSTONE);
    assert_verdict(&delegation, VERDICT_NO, REASON_TOMBSTONE);
    model_restart(&model);
    watch(7);
    assert_verdict(&delegation, VERDICT_NO, REASON_TOMBSTONE);
    model_advance(&model, 1000);
    delegation = model_delegation(&model, 7, ALICE, NODE);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
}

static void windows(void **)
{
    watch(7);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    delegation.not_after_s = delegation.epoch_s + 367 * 24 * 3600;
    resign(&delegation, ALICE);
    assert_verdict(&delegation, VERDICT_NO, REASON_WINDOW);
    delegation.not_after_s = delegation.not_before_s - 1;
    resign(&delegation, ALICE);
    assert_verdict(&delegation, VERDICT_NO, REASON_WINDOW);
    delegation = model_delegation(&model, 7, ALICE, NODE);
    delegation.not_before_s = delegation.epoch_s + 60;
    resign(&delegation, ALICE);
    assert_verdict(&delegation, VERDICT_NO, REASON_NOT_YET);
    model_advance(&model, 70000);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
}

static void expiry_is_a_no_without_grace(void **)
{
    watch(7);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    delegation.not_after_s = delegation.epoch_s + 60;
    resign(&delegation, ALICE);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
    // It holds through its last second, so it can change only after that.
    uint64_t left_ms = (delegation.not_after_s + 1) * 1000 - gate_time(model.gate, model.now).ms;
    assert_int_equal(model_decide(&model, &delegation).until.ms, model.now.mono.ms + left_ms);
    assert_true(left_ms <= 61000);
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].fault = FAULT_DEAD;
    }
    model_advance(&model, 35000);
    struct verdict verdict = model_decide(&model, &delegation);
    assert_int_equal(verdict.kind, VERDICT_UNKNOWN);
    // Its grace ends with the delegation.
    assert_true(verdict.until.ms <= model.now.mono.ms + 26000);
    model_advance(&model, 30000);
    verdict = model_decide(&model, &delegation);
    assert_int_equal(verdict.reason, REASON_EXPIRED);
    assert_int_equal(verdict.kind, VERDICT_NO);
    assert_int_equal(verdict.grace_left_ms, 0);
}

static void grace_counts_from_the_last_yes(void **)
{
    watch(7);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].fault = FAULT_DEAD;
    }
    model_forget_events(&model);
    model_advance(&model, 60000);
    assert_true(model_saw(&model, GATE_EVENT_TOKEN, 7)); // so that the node decides again
    struct verdict verdict = model_decide(&model, &delegation);
    assert_int_equal(verdict.kind, VERDICT_UNKNOWN);
    assert_int_equal(verdict.reason, REASON_NO_ANSWER);
    assert_in_range(verdict.grace_left_ms, 600000 - 60000 - 2000, 600000 - 60000);
    assert_true(verdict.until.ms == model.now.mono.ms + verdict.grace_left_ms);
    // Only for the node that holds the seat.
    struct delegation other = model_delegation(&model, 7, ALICE, OTHER_NODE);
    assert_int_equal(model_decide(&model, &other).grace_left_ms, 0);
    // Restarts do not renew it, not even with the clock set back an hour.
    for (size_t i = 0; i < 5; i++) {
        model_restart(&model);
        model.now.unix_time.ms -= HOUR_MS;
        watch(7);
        uint64_t left_ms = model_decide(&model, &delegation).grace_left_ms;
        assert_true(left_ms > 0 && left_ms < verdict.grace_left_ms);
        verdict.grace_left_ms = left_ms;
        model_advance(&model, 10000);
    }
    model_advance(&model, verdict.grace_left_ms);
    verdict = model_decide(&model, &delegation);
    assert_int_equal(verdict.kind, VERDICT_UNKNOWN);
    assert_int_equal(verdict.grace_left_ms, 0);
}

static void a_yes_in_between_renews_the_grace(void **)
{
    watch(7);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
    model_advance(&model, 2 * HOUR_MS);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
    assert_true(gate_state_dirty(model.gate));
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].fault = FAULT_DEAD;
    }
    model_advance(&model, 60000);
    assert_true(model_decide(&model, &delegation).grace_left_ms > 500000);
}

static void a_clock_set_back_changes_nothing(void **)
{
    watch(7);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    delegation.not_after_s = delegation.epoch_s + 600;
    resign(&delegation, ALICE);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
    model.now.unix_time.ms -= HOUR_MS;
    model_advance(&model, 10000);
    assert_verdict(&delegation, VERDICT_YES, REASON_AUTHORISED);
    model_advance(&model, 600000);
    assert_verdict(&delegation, VERDICT_NO, REASON_EXPIRED);
    model_restart(&model);
    assert_verdict(&delegation, VERDICT_NO, REASON_EXPIRED);
}

static void chain_time_is_the_common_clock(void **)
{
    model.skew_s = 40; // the chain is ahead of this machine
    watch(7);
    uint64_t head_ms = gate_time(model.gate, model.now).ms;
    assert_in_range(head_ms, model.now.unix_time.ms + 36000, model.now.unix_time.ms + 42000);
    model.skew_s = -40;
    model_advance(&model, 10000);
    assert_true(gate_time(model.gate, model.now).ms >= head_ms); // never earlier
}

static void no_provider_says_so(void **)
{
    model_stop(&model);
    memset(&model, 0, sizeof model);
    model_start(&model, (struct gate_config){.profile = PROFILE_ERC721, .members_max = 8}, 0);
    watch(7);
    model_advance(&model, 60000);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    assert_verdict(&delegation, VERDICT_UNKNOWN, REASON_NO_PROVIDER);
    assert_int_equal(gate_trust(model.gate).level, TRUST_NONE);
}

// Every reason has a name of its own and a text that fits, whatever the token.
// The check of the chain id fails first, while the other two are still under way.
static void good_answers_do_not_make_up_for_another_chain(void **)
{
    for (size_t i = 0; i < model.config.providers; i++) {
        model.providers[i].chain_id = 1;
    }
    watch(7);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    assert_verdict(&delegation, VERDICT_UNKNOWN, REASON_WRONG_CHAIN);
    model_advance(&model, 60000);
    assert_verdict(&delegation, VERDICT_UNKNOWN, REASON_WRONG_CHAIN);
    struct gate_provider_status status = gate_provider_status(model.gate, 0, model.now);
    assert_int_equal(status.health, PROVIDER_WRONG_CHAIN);
}

static void every_reason_speaks(void **)
{
    struct verdict verdict = {.kind = VERDICT_NO};
    memset(verdict.token.bytes, 0xff, sizeof verdict.token.bytes);
    for (int reason = REASON_AUTHORISED; reason <= REASON_TABLE_FULL; reason++) {
        char text[GATE_VERDICT_TEXT_SIZE];
        verdict.reason = (enum verdict_reason)reason;
        verdict_text(&verdict, text);
        assert_true(strlen(text) > 90);
        assert_string_not_equal(verdict_reason_name(verdict.reason), "invalid");
    }
}

int main(void)
{
#define GATE_TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        GATE_TEST(the_owners_delegation_admits),
        GATE_TEST(anybody_elses_does_not),
        GATE_TEST(a_forged_delegation_is_refused_without_the_chain),
        GATE_TEST(a_kind_that_this_node_cannot_judge),
        GATE_TEST(two_tokens_of_one_owner_are_two_seats),
        GATE_TEST(a_token_that_nobody_owns),
        GATE_TEST(a_transfer_ends_it_within_the_poll),
        GATE_TEST(every_provider_is_asked_within_the_poll),
        GATE_TEST(nothing_signed_before_a_change_of_owner_comes_back),
        GATE_TEST(a_new_owner_may_sign_at_once),
        GATE_TEST(a_former_owner_cannot_brick_the_seat),
        GATE_TEST(the_greater_epoch_wins_then_the_smaller_key),
        GATE_TEST(an_older_record_is_replayed),
        GATE_TEST(only_a_yes_raises_a_floor),
        GATE_TEST(a_tombstone_retires_the_node),
        GATE_TEST(windows),
        GATE_TEST(expiry_is_a_no_without_grace),
        GATE_TEST(grace_counts_from_the_last_yes),
        GATE_TEST(a_yes_in_between_renews_the_grace),
        GATE_TEST(a_clock_set_back_changes_nothing),
        GATE_TEST(chain_time_is_the_common_clock),
        GATE_TEST(no_provider_says_so),
        GATE_TEST(good_answers_do_not_make_up_for_another_chain),
        GATE_TEST(every_reason_speaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

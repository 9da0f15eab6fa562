// SPDX-License-Identifier: GPL-3.0-or-later
//
// Providers that fail, lie or lag, and tokens that spoil calls: nobody is admitted who should not
// be, and nobody else's check suffers.
#include "tests/unit/chain/model.h"

#include "tests/unit/unit.h"

#include <stdio.h>

static struct model model;

static void begin(size_t providers, struct gate_config config)
{
    model_stop(&model);
    memset(&model, 0, sizeof model);
    config.grace_ms = 600000;
    if (config.profile == PROFILE_DETECT && config.members_max == 0) {
        config.profile = PROFILE_ERC721;
    }
    model_start(&model, config, providers);
    model_set_owner(&model, 7, model_address(ALICE));
}

static int start(void **)
{
    begin(3, (struct gate_config){.profile = PROFILE_ERC721});
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

static enum provider_health health(size_t provider)
{
    return gate_provider_status(model.gate, provider, model.now).health;
}

static void one_provider_is_trusted_and_it_is_said(void **)
{
    begin(1, (struct gate_config){.profile = PROFILE_ERC721});
    watch(7);
    model_advance(&model, 100);
    assert_reading(7, VERDICT_YES, REASON_AUTHORISED);
    assert_int_equal(gate_trust(model.gate).level, TRUST_SINGLE);
    begin(2, (struct gate_config){.profile = PROFILE_ERC721});
    assert_int_equal(gate_trust(model.gate).level, TRUST_NONE);
    model_advance(&model, 100);
    assert_int_equal(gate_trust(model.gate).level, TRUST_QUORUM);
    assert_int_equal(gate_trust(model.gate).quorum, 2);
}

// By choice: the first in the list that answers decides, the others stand in for it.
static void one_of_several_is_enough_where_trust_is_single(void **)
{
    begin(3, (struct gate_config){.profile = PROFILE_ERC721, .trust = TRUST_POLICY_SINGLE});
    model.providers[0].fault = FAULT_DEAD;
    model.providers[1].fault = FAULT_HANG;
    watch(7);
    model_advance(&model, 100);
    assert_reading(7, VERDICT_YES, REASON_AUTHORISED);
    struct gate_trust trust = gate_trust(model.gate);
    assert_int_equal(trust.level, TRUST_SINGLE);
    assert_int_equal(trust.policy, TRUST_POLICY_SINGLE);
    assert_int_equal(trust.quorum, 1);
    model.providers[0] =
        (struct model_provider){.chain_id = 31337, .lies = true, .lie = model_address(MALLORY)};
    model_advance(&model, 40000);
    struct token_id seven = token_id_of_u64(7);
    struct gate_reading reading = gate_read(model.gate, &seven, model.now);
    struct eth_address mallory = model_address(MALLORY);
    assert_true(eth_address_equal(&reading.owner, &mallory)); // what one trusts one believes
}

// For each fault: the one provider that has it neither stops the other two, nor do three of them
// admit anybody; and when it ends, the gate recovers by itself.
static void every_fault_is_unknown_and_heals(void **)
{
    static const enum model_fault faults[] = {FAULT_DEAD, FAULT_HANG, FAULT_HTML, FAULT_WRONG_ID,
        FAULT_DUPLICATE, FAULT_DEEP, FAULT_HUGE, FAULT_TRUNCATED, FAULT_NO_RESULT, FAULT_ARRAY,
        FAULT_RATE_HTTP, FAULT_RATE_RPC, FAULT_REFUSE, FAULT_SHORT_DATA, FAULT_SILENT};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        begin(3, (struct gate_config){.profile = PROFILE_ERC721});
        model.providers[1].fault = faults[i];
        watch(7);
        model_advance(&model, 100);
        assert_reading(7, VERDICT_YES, REASON_AUTHORISED);
        model_advance(&model, 20000);
        assert_int_not_equal(health(1), PROVIDER_GOOD);
        begin(3, (struct gate_config){.profile = PROFILE_ERC721});
        for (size_t j = 0; j < 3; j++) {
            model.providers[j].fault = faults[i];
        }
        watch(7);
        model_advance(&model, 60000);
        assert_int_equal(read_token(7).kind, VERDICT_UNKNOWN);
        assert_int_equal(gate_trust(model.gate).level, TRUST_NONE);
        assert_true(model.providers[0].calls < 120); // it backs off
        for (size_t j = 0; j < 3; j++) {
            model.providers[j].fault = FAULT_NONE;
        }
        model_advance(&model, 40000);
        assert_reading(7, VERDICT_YES, REASON_AUTHORISED);
        assert_int_equal(gate_trust(model.gate).level, TRUST_QUORUM);
    }
}

static void a_fault_in_mid_air_does_not_lose_the_token(void **)
{
    watch(7);
    model_advance(&model, 20000);
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].fault = FAULT_DEAD;
    }
    model_advance(&model, 20000);
    assert_reading(7, VERDICT_YES, REASON_AUTHORISED); // for 30 s at most
    model_advance(&model, 20000);
    assert_reading(7, VERDICT_UNKNOWN, REASON_NO_ANSWER);
}

// As if each token were at fault: then it is the provider.
static void one_that_begins_to_refuse_everything_is_named(void **)
{
    static const enum model_fault faults[] = {FAULT_REFUSE, FAULT_HUGE};
    for (size_t i = 0; i < 2; i++) {
        begin(3, (struct gate_config){.profile = PROFILE_ERC721});
        model_set_owner(&model, 8, model_address(BOB));
        watch(7);
        watch(8);
        model_advance(&model, 5000);
        model.providers[0].fault = faults[i];
        model_advance(&model, 6000);
        assert_int_equal(health(0), PROVIDER_FAULTY);
        assert_reading(7, VERDICT_YES, REASON_AUTHORISED);
        model.providers[0].fault = FAULT_NONE;
        model_advance(&model, 40000);
        assert_int_equal(health(0), PROVIDER_GOOD);
    }
}

static void retry_after_is_honoured(void **)
{
    model.providers[0].fault = FAULT_RATE_HTTP; // says: 7 s
    watch(7);
    model_advance(&model, 100);
    uint64_t calls = model.providers[0].calls;
    assert_int_equal(health(0), PROVIDER_RATE_LIMITED);
    model_advance(&model, 6500);
    assert_int_equal(model.providers[0].calls, calls);
    model.providers[0].fault = FAULT_NONE;
    model_advance(&model, 10000);
    assert_true(model.providers[0].calls > calls);
    assert_int_equal(health(0), PROVIDER_GOOD);
}

static void another_chain_or_contract_is_no_answer(void **)
{
    static const enum verdict_reason reasons[] = {REASON_WRONG_CHAIN, REASON_NO_CODE};
    for (size_t i = 0; i < 2; i++) {
        begin(2, (struct gate_config){.profile = PROFILE_ERC721});
        for (size_t j = 0; j < 2; j++) {
            model.providers[j].chain_id += i == 0 ? 1 : 0;
            model.providers[j].no_code = i == 1;
        }
        watch(7);
        model_advance(&model, 30000);
        assert_reading(7, VERDICT_UNKNOWN, reasons[i]);
        assert_true(model.providers[0].calls < 20);
        for (size_t j = 0; j < 2; j++) {
            model.providers[j] = (struct model_provider){.chain_id = 31337};
        }
        model_advance(&model, 20000);
        assert_reading(7, VERDICT_YES, REASON_AUTHORISED);
    }
}

static void a_provider_that_changes_its_chain_is_noticed(void **)
{
    begin(1, (struct gate_config){.profile = PROFILE_ERC721});
    watch(7);
    model_advance(&model, 1000);
    assert_reading(7, VERDICT_YES, REASON_AUTHORISED);
    model.providers[0].chain_id = 1;
    model_advance(&model, 5100); // its next answer names the chain
    assert_reading(7, VERDICT_UNKNOWN, REASON_WRONG_CHAIN);
    begin(1, (struct gate_config){.profile = PROFILE_ERC721});
    watch(7);
    model_advance(&model, 1000);
    model.providers[0].chain_id = 1;
    gate_on_network_change(model.gate, model.now);
    model_advance(&model, 1000);
    assert_reading(7, VERDICT_UNKNOWN, REASON_WRONG_CHAIN);
}

static void one_of_three_that_lies_changes_nothing(void **)
{
    watch(7);
    watch(9);
    model.providers[2].lies = true;
    model.providers[2].lie = model_address(MALLORY);
    model_advance(&model, 30000);
    struct eth_address alice = model_address(ALICE);
    assert_int_equal(read_token(7).kind, VERDICT_YES);
    struct eth_address owner = read_token(7).owner;
    assert_true(eth_address_equal(&owner, &alice));
    assert_reading(9, VERDICT_NO, REASON_NOT_OWNED);
    model.providers[2].lie = (struct eth_address){{0}};
    model_advance(&model, 30000);
    assert_reading(7, VERDICT_YES, REASON_AUTHORISED);
    struct delegation delegation = model_delegation(&model, 7, MALLORY, NODE);
    assert_int_equal(model_decide(&model, &delegation).reason, REASON_OTHER_OWNER);
    assert_true(gate_provider_status(model.gate, 2, model.now).disputes > 0);
    assert_int_equal(gate_provider_status(model.gate, 0, model.now).disputes, 0);
    // Its word is tested now and then, not at every poll.
    model_advance(&model, 60000);
    assert_true(model.providers[0].pinned < 8);
}

static void one_of_two_that_lies_admits_nobody_new(void **)
{
    begin(2, (struct gate_config){.profile = PROFILE_ERC721});
    watch(7);
    model_advance(&model, 1000);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    assert_int_equal(model_decide(&model, &delegation).kind, VERDICT_YES);
    model.providers[1].lies = true;
    model.providers[1].lie = model_address(MALLORY);
    model_advance(&model, 10000);
    assert_reading(7, VERDICT_UNKNOWN, REASON_DISAGREE);
    struct verdict verdict = model_decide(&model, &delegation);
    assert_int_equal(verdict.kind, VERDICT_UNKNOWN);
    assert_true(verdict.grace_left_ms > 0);
    delegation = model_delegation(&model, 7, MALLORY, NODE);
    verdict = model_decide(&model, &delegation);
    assert_int_equal(verdict.kind, VERDICT_UNKNOWN);
    assert_int_equal(verdict.grace_left_ms, 0);
}

// The first that sees a transfer makes the others look at that very block, without waiting for
// their polls; a provider that has not got the block is not held against anybody.
static void a_minoritys_word_is_tested_at_once(void **)
{
    begin(2, (struct gate_config){.profile = PROFILE_ERC721, .poll_ms = 20000});
    model.providers[1].lag_blocks = 1;
    watch(7);
    model_advance(&model, 1000);
    model_set_owner(&model, 7, model_address(BOB));
    model.providers[1].lag_blocks = 0;
    uint64_t began_ms = model.now.mono.ms;
    model_forget_events(&model);
    while (!model_saw(&model, GATE_EVENT_TOKEN, 7)) {
        model_advance(&model, 10);
    }
    uint64_t polled = model.providers[0].pinned + model.providers[1].pinned;
    assert_true(polled >= 1);
    assert_reading(7, VERDICT_YES, REASON_AUTHORISED);
    assert_true(model.now.mono.ms - began_ms <= 24000);
    assert_int_equal(gate_provider_status(model.gate, 0, model.now).disputes, 0);
    assert_int_equal(gate_provider_status(model.gate, 1, model.now).disputes, 0);
}

static void a_frozen_head_does_not_count(void **)
{
    watch(7);
    model_advance(&model, 1000);
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].frozen = i < 2;
        model.providers[i].frozen_block = model_block(&model);
    }
    model_set_owner(&model, 7, model_address(BOB)); // in the block after the frozen one
    model.tokens[0].owners[1].block++;
    model_advance(&model, 50000);
    assert_int_equal(health(0), PROVIDER_GOOD); // not old enough yet
    model_advance(&model, 50000);
    assert_int_equal(health(0), PROVIDER_STALE);
    assert_reading(7, VERDICT_UNKNOWN, REASON_STALE_HEAD);
    // With the local clock set back as well, the clock that never steps still tells.
    model.now.unix_time.ms -= 3600 * 1000;
    model_advance(&model, 10000);
    assert_reading(7, VERDICT_UNKNOWN, REASON_STALE_HEAD);
    model.providers[0].frozen = false;
    model_advance(&model, 10000);
    assert_reading(7, VERDICT_YES, REASON_AUTHORISED);
}

static void a_head_in_the_far_future_does_not_count(void **)
{
    model.skew_s = 2 * 24 * 3600;
    watch(7);
    model_advance(&model, 10000);
    assert_reading(7, VERDICT_UNKNOWN, REASON_STALE_HEAD);
    assert_true(gate_time(model.gate, model.now).ms == model.now.unix_time.ms);
}

static void fill(size_t count)
{
    begin(3, (struct gate_config){.profile = PROFILE_ERC721, .tokens_max = count + 1});
    for (uint64_t id = 100; id < 100 + count; id++) {
        model_set_owner(&model, id, model_address(ALICE));
        watch(id);
    }
}

static void assert_all_but(uint64_t spoiler, size_t count)
{
    for (uint64_t id = 100; id < 100 + count; id++) {
        if (id != spoiler) {
            assert_reading(id, VERDICT_YES, REASON_AUTHORISED);
        }
    }
}

static void a_hostile_token_spoils_nobody_else(void **)
{
    static const enum model_trick tricks[] = {
        TRICK_BURN, TRICK_MEGABYTE, TRICK_HANG, TRICK_SHORT, TRICK_QUIET};
    enum { COUNT = 250, SPOILER = 133 };
    for (size_t i = 0; i < sizeof tricks / sizeof tricks[0]; i++) {
        fill(COUNT);
        model_token(&model, SPOILER)->trick = tricks[i];
        model_advance(&model, 45000);
        assert_all_but(SPOILER, COUNT);
        assert_int_not_equal(read_token(SPOILER).kind, VERDICT_YES);
        // And it stays so, at a bounded price, with the others back in large calls.
        uint64_t aggregates = model.providers[0].aggregates;
        for (size_t step = 0; step < 8; step++) {
            model_advance(&model, 5000);
            assert_all_but(SPOILER, COUNT);
        }
        assert_true(model.providers[0].aggregates - aggregates < 60);
        // When it behaves, it is read like any other.
        model_token(&model, SPOILER)->trick = TRICK_NONE;
        model_advance(&model, 40000);
        assert_reading(SPOILER, VERDICT_YES, REASON_AUTHORISED);
    }
}

// Neither may a contract that wraps a lack of gas in a reason of its own, nor one that fails in
// company only, make an owned token look like one that nobody owns.
static void a_lack_of_gas_is_no_denial(void **)
{
    enum { COUNT = 250, SPOILER = 133 };
    for (size_t loud = 0; loud < 2; loud++) {
        fill(COUNT);
        model_advance(&model, 1000);
        model.loud = loud == 1;
        model_token(&model, SPOILER)->trick = loud == 1 ? TRICK_BURN : TRICK_SHY;
        model_forget_events(&model);
        model_advance(&model, 20000);
        assert_all_but(SPOILER, COUNT);
        struct token_id spoiler = token_id_of_u64(SPOILER);
        for (size_t i = 0; i < model.event_count; i++) {
            bool burns = loud == 1 && token_id_equal(&model.events[i].token, &spoiler);
            assert_true(burns || !model.events[i].owner_changed);
        }
    }
    assert_reading(SPOILER, VERDICT_NO, REASON_NOT_OWNED);
}

static void large_sets_go_in_chunks(void **)
{
    enum { COUNT = 500 };
    fill(COUNT);
    model_advance(&model, 1);
    assert_int_equal(model.providers[0].aggregates, 3);
    assert_all_but(0, COUNT);
}

static void access_profile(void)
{
    begin(3, (struct gate_config){.profile = PROFILE_DSTACK_ACCESS});
    model.has_access = true;
    // base64 of 32 bytes 0x07, as model_decide presents for NODE
    (void)snprintf(model.tokens[0].key, sizeof model.tokens[0].key, "%s",
        "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=");
    watch(7);
    model_advance(&model, 100);
}

static void the_active_flag_and_the_stored_key(void **)
{
    access_profile();
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    assert_int_equal(model_decide(&model, &delegation).reason, REASON_AUTHORISED);
    struct delegation other = model_delegation(&model, 7, ALICE, NODE + 1);
    assert_int_equal(model_decide(&model, &other).reason, REASON_KEY_MISMATCH);
    model.tokens[0].active = false;
    model_advance(&model, 8000);
    assert_int_equal(model_decide(&model, &delegation).reason, REASON_NOT_ACTIVE);
    assert_int_equal(model_decide(&model, &delegation).kind, VERDICT_NO);
    model.tokens[0].active = true;
    model.tokens[0].key[3] = '!';
    model_advance(&model, 8000);
    assert_int_equal(model_decide(&model, &delegation).reason, REASON_KEY_UNUSABLE);
    model.tokens[0].key[3] = 'H';
    model.tokens[0].key[40] = '\0';
    model_advance(&model, 8000);
    assert_int_equal(model_decide(&model, &delegation).reason, REASON_KEY_UNUSABLE);
}

// As after a transfer, which clears it: the owner's delegation is required in any case.
static void an_empty_stored_key_checks_nothing(void **)
{
    access_profile();
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    model.tokens[0].key[0] = '\0';
    model_advance(&model, 8000);
    assert_int_equal(model_decide(&model, &delegation).reason, REASON_AUTHORISED);
    struct token_id token = token_id_of_u64(7);
    struct gate_reading reading = gate_read(model.gate, &token, model.now);
    assert_true(reading.has_access);
    assert_int_equal(reading.stored_key, STORED_KEY_EMPTY);
    struct delegation seller = model_delegation(&model, 7, BOB, NODE);
    assert_int_equal(model_decide(&model, &seller).reason, REASON_OTHER_OWNER);
    model.tokens[0].active = false;
    model_advance(&model, 8000);
    assert_int_equal(model_decide(&model, &delegation).reason, REASON_NOT_ACTIVE);
}

// The function's order is node id, key; the struct in the contract has them the other way round.
static void the_order_is_the_functions_not_the_structs(void **)
{
    access_profile();
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    assert_int_equal(model_decide(&model, &delegation).reason, REASON_AUTHORISED);
    model.tokens[0].in_struct_order = true;
    model_advance(&model, 8000);
    assert_int_equal(model_decide(&model, &delegation).reason, REASON_KEY_UNUSABLE);
}

static void a_stored_key_is_44_digits_of_base64(void **)
{
    static const char digits[] =
        "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
    static const char *const keys[] = {"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc", // no padding
        "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc==",
        "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",   // 33 bytes
        "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBw==",   // 31 bytes
        "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwd=",   // bits beyond the key
        "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n", // a line
        " BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="};
    static const size_t lengths[] = {1, 4, 42, 43, 45, 48, 64, 68};
    access_profile();
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    char *key = model.tokens[0].key;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] + sizeof lengths / sizeof lengths[0]; i++) {
        size_t at = i - sizeof keys / sizeof keys[0];
        bool listed = i < sizeof keys / sizeof keys[0];
        (void)snprintf(key, sizeof model.tokens[0].key, "%.*s",
            listed ? (int)strlen(keys[i]) : (int)lengths[at], listed ? keys[i] : digits);
        model_advance(&model, 8000);
        assert_int_equal(model_decide(&model, &delegation).reason, REASON_KEY_UNUSABLE);
    }
}

// Offsets and lengths that point elsewhere, a flag that is none: nothing was read, nobody is
// denied.
static void hostile_words_are_no_answer(void **)
{
    static const struct {
        size_t word;
        uint64_t value;
    } patches[] = {{0, UINT64_MAX}, {0, UINT64_MAX - 31}, {0, 33}, {0, 9 * 32}, {0, 1 << 20},
        {1, UINT64_MAX}, {1, UINT64_MAX - 31}, {1, 191}, {1, 9 * 32}, {1, 2 * 32}, {3, 2},
        {3, UINT64_MAX}, {4, UINT64_MAX}, {4, UINT64_MAX - 31}, {4, 5 * 32}, {6, UINT64_MAX},
        {6, 65}, {6, (uint64_t)1 << 32 | 44}};
    access_profile();
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    struct model_token *token = &model.tokens[0];
    for (size_t i = 0; i < sizeof patches / sizeof patches[0]; i++) {
        token->patched = true;
        token->patched_word = patches[i].word;
        token->patch = patches[i].value;
        model_advance(&model, 8000);
        assert_int_equal(model_decide(&model, &delegation).kind, VERDICT_UNKNOWN);
        assert_reading(7, VERDICT_UNKNOWN, REASON_CONTRACT);
        token->patched = false;
        model_advance(&model, 8000);
        assert_int_equal(model_decide(&model, &delegation).reason, REASON_AUTHORISED);
    }
    static const size_t cuts[] = {1, 21, 32, 96, 160, 256, 287};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        token->access_cut = cuts[i];
        model_advance(&model, 8000);
        enum verdict_kind kind = model_decide(&model, &delegation).kind;
        // What is missing may be padding alone, which the key does not need.
        assert_int_equal(kind, cuts[i] < 21 ? VERDICT_YES : VERDICT_UNKNOWN);
        token->access_cut = 0;
        model_advance(&model, 8000);
    }
}

static void a_flag_that_is_hidden_is_unknown_not_absent(void **)
{
    access_profile();
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    assert_int_equal(model_decide(&model, &delegation).kind, VERDICT_YES);
    model.has_access = false;
    model_advance(&model, 8000);
    assert_reading(7, VERDICT_UNKNOWN, REASON_CONTRACT);
    assert_int_equal(model_decide(&model, &delegation).kind, VERDICT_UNKNOWN);
    model.has_access = true;
    model.providers[0].hides_access = true;
    model_advance(&model, 8000);
    assert_reading(7, VERDICT_YES, REASON_AUTHORISED); // the other two suffice
    model.providers[1].hides_access = true;
    model_advance(&model, 8000);
    assert_reading(7, VERDICT_UNKNOWN, REASON_CONTRACT);
}

static bool saw_round(void)
{
    for (size_t i = 0; i < model.event_count; i++) {
        if (model.events[i].kind == GATE_EVENT_ENUMERATED) {
            return true;
        }
    }
    return false;
}

// Whoever's turn it is: one that falls silent holds a search up for a second, one that fails for no
// time at all.
static void a_search_goes_on_with_the_next_provider(void **)
{
    static const enum model_fault faults[] = {FAULT_SILENT, FAULT_DEAD};
    for (size_t i = 0; i < 6; i++) {
        begin(3, (struct gate_config){.members_max = 16});
        model.enumerable = true;
        model_advance(&model, 1000);
        assert_int_equal(gate_member_count(model.gate), 1);
        model_forget_events(&model);
        model_set_owner(&model, 8, model_address(BOB));
        model_advance(&model, 2000); // so that the newest block has it
        model.providers[i % 3].turns_at = model.providers[i % 3].calls + 1;
        model.providers[i % 3].later = faults[i / 3];
        gate_enumerate(model.gate, model.now);
        model_advance(&model, i < 3 ? 1100 : 100);
        assert_true(saw_round());
        assert_int_equal(gate_member_count(model.gate), 2);
    }
}

static void the_profile_is_detected_by_a_quorum(void **)
{
    for (size_t access = 0; access < 2; access++) {
        begin(3, (struct gate_config){.profile = PROFILE_DETECT, .members_max = 1});
        model.has_access = access == 1;
        model.providers[1].fault = FAULT_DEAD;
        model.providers[2].fault = FAULT_DEAD;
        watch(7);
        model_advance(&model, 10000);
        assert_int_equal(gate_profile(model.gate), PROFILE_DETECT);
        assert_int_equal(read_token(7).kind, VERDICT_UNKNOWN);
        model.providers[1].fault = FAULT_NONE;
        model_advance(&model, 30000);
        assert_int_equal(
            gate_profile(model.gate), access == 1 ? PROFILE_DSTACK_ACCESS : PROFILE_ERC721);
        assert_true(model_saw(&model, GATE_EVENT_PROFILE, 0));
        assert_reading(7, VERDICT_YES, REASON_AUTHORISED);
        // It is remembered: what is hidden later does not lower the bar.
        model_restart(&model);
        assert_int_equal(
            gate_profile(model.gate), access == 1 ? PROFILE_DSTACK_ACCESS : PROFILE_ERC721);
    }
}

static void replies_that_nobody_asked_for_are_dropped(void **)
{
    watch(7);
    gate_on_deadline(model.gate, model.now);
    struct gate_call call;
    assert_true(gate_next_call(model.gate, model.now, &call));
    struct rpc_reply reply = {.outcome = RPC_UNREACHABLE};
    gate_on_reply(model.gate, model.now, call.id + 1, &reply);
    assert_int_equal(health(call.provider), PROVIDER_UNCHECKED);
    gate_on_reply(model.gate, model.now, call.id, &reply);
    assert_int_equal(health(call.provider), PROVIDER_UNREACHABLE);
    uint64_t faults = gate_provider_status(model.gate, call.provider, model.now).faults;
    gate_on_reply(model.gate, model.now, call.id, &reply); // once only
    assert_int_equal(gate_provider_status(model.gate, call.provider, model.now).faults, faults);
}

// A refresh ends with an event even if nobody can answer.
static void a_refresh_always_ends(void **)
{
    struct token_id token = token_id_of_u64(7);
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].fault = FAULT_DEAD;
    }
    model_forget_events(&model);
    assert_int_equal(gate_refresh(model.gate, &token, model.now), OK);
    model_advance(&model, 100);
    assert_true(model_saw(&model, GATE_EVENT_TOKEN, 7));
    for (size_t i = 0; i < 3; i++) {
        model.providers[i].fault = FAULT_NONE;
    }
    model_advance(&model, 40000);
    model_forget_events(&model);
    assert_int_equal(gate_refresh(model.gate, &token, model.now), OK);
    model_advance(&model, 10);
    assert_true(model_saw(&model, GATE_EVENT_TOKEN, 7));
    assert_reading(7, VERDICT_YES, REASON_AUTHORISED);
    // A second one within a second costs no call.
    uint64_t calls = model.providers[0].calls;
    model_forget_events(&model);
    assert_int_equal(gate_refresh(model.gate, &token, model.now), OK);
    model_settle(&model);
    assert_int_equal(model.providers[0].calls, calls);
    assert_true(model_saw(&model, GATE_EVENT_TOKEN, 7));
}

static void equal_inputs_give_equal_calls(void **)
{
    struct hash256 digests[2];
    for (size_t run = 0; run < 2; run++) {
        begin(2, (struct gate_config){.profile = PROFILE_ERC721});
        watch(7);
        gate_on_deadline(model.gate, model.now);
        struct gate_call call;
        digests[run] = keccak256(span_of(NULL, 0));
        while (gate_next_call(model.gate, model.now, &call)) {
            struct hash256 body = keccak256(call.body);
            for (size_t i = 0; i < sizeof body.bytes; i++) {
                digests[run].bytes[i] ^= body.bytes[i];
            }
        }
    }
    assert_true(hash256_equal(&digests[0], &digests[1]));
}

int main(void)
{
#define GATE_TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        GATE_TEST(one_provider_is_trusted_and_it_is_said),
        GATE_TEST(one_of_several_is_enough_where_trust_is_single),
        GATE_TEST(every_fault_is_unknown_and_heals),
        GATE_TEST(a_fault_in_mid_air_does_not_lose_the_token),
        GATE_TEST(one_that_begins_to_refuse_everything_is_named),
        GATE_TEST(retry_after_is_honoured),
        GATE_TEST(another_chain_or_contract_is_no_answer),
        GATE_TEST(a_provider_that_changes_its_chain_is_noticed),
        GATE_TEST(one_of_three_that_lies_changes_nothing),
        GATE_TEST(one_of_two_that_lies_admits_nobody_new),
        GATE_TEST(a_minoritys_word_is_tested_at_once),
        GATE_TEST(a_frozen_head_does_not_count),
        GATE_TEST(a_head_in_the_far_future_does_not_count),
        GATE_TEST(a_hostile_token_spoils_nobody_else),
        GATE_TEST(a_lack_of_gas_is_no_denial),
        GATE_TEST(large_sets_go_in_chunks),
        cmocka_unit_test(the_active_flag_and_the_stored_key),
        GATE_TEST(an_empty_stored_key_checks_nothing),
        GATE_TEST(the_order_is_the_functions_not_the_structs),
        GATE_TEST(a_stored_key_is_44_digits_of_base64),
        GATE_TEST(hostile_words_are_no_answer),
        GATE_TEST(a_flag_that_is_hidden_is_unknown_not_absent),
        GATE_TEST(a_search_goes_on_with_the_next_provider),
        GATE_TEST(the_profile_is_detected_by_a_quorum),
        GATE_TEST(replies_that_nobody_asked_for_are_dropped),
        GATE_TEST(a_refresh_always_ends),
        GATE_TEST(equal_inputs_give_equal_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

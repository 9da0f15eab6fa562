// SPDX-License-Identifier: GPL-3.0-or-later
//
// Signatures that only the chain can judge: contract wallets, whatever they do, and delegates.
#include "tests/unit/chain/model.h"

#include "tests/unit/unit.h"

enum {
    VAULT = 0x51,
    OTHER = 0x52,
    REGISTRY = 0xde,
    MINUTE_MS = 60 * 1000,
};

static struct model model;
static uint8_t bytes[MODEL_SIGNATURE_MAX];

static void set_up(struct eth_address registry)
{
    memset(&model, 0, sizeof model);
    model_start(&model,
        (struct gate_config){
            .profile = PROFILE_ERC721, .grace_ms = 600000, .wallets = 6, .registry = registry},
        3);
    model_add_wallet(&model, VAULT, 3, 1);
    model_set_owner(&model, 7, model.wallets[0].address);
}

static int start(void **)
{
    set_up((struct eth_address){{0}});
    return 0;
}

static int start_with_registry(void **)
{
    struct eth_address registry;
    memset(registry.bytes, REGISTRY, sizeof registry.bytes);
    set_up(registry);
    model.registry = registry;
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

static struct verdict decide(const struct delegation *delegation, size_t size)
{
    struct gate_claim claim = {
        .delegation = delegation, .sequence = 1, .signature = span_of(bytes, size)};
    return gate_decide(model.gate, model.now, &claim);
}

static void assert_reason(
    const struct delegation *delegation, size_t size, enum verdict_reason reason)
{
    struct verdict verdict = decide(delegation, size);
    assert_string_equal(verdict_reason_name(verdict.reason), verdict_reason_name(reason));
}

// Asks, lets the answers come, and expects `reason`.
static void assert_answer(
    const struct delegation *delegation, size_t size, enum verdict_reason reason)
{
    (void)decide(delegation, size);
    model_advance(&model, 100);
    assert_reason(delegation, size, reason);
}

static struct delegation of_wallet(uint64_t token, size_t *size)
{
    return model_wallet_delegation(&model, token, &model.wallets[0], NODE, bytes, size);
}

static uint64_t wallet_calls(void)
{
    uint64_t calls = 0;
    for (size_t i = 0; i < 3; i++) {
        calls += model.providers[i].wallet_calls;
    }
    return calls;
}

static void a_contract_wallet_is_asked_and_admits(void **)
{
    size_t size = 0;
    watch(7);
    struct delegation delegation = of_wallet(7, &size);
    assert_int_equal(delegation.kind, DELEGATION_EIP1271);
    assert_reason(&delegation, 0, REASON_WALLET_ASKED);
    assert_int_equal(decide(&delegation, 0).kind, VERDICT_UNKNOWN);
    model_forget_events(&model);
    model_advance(&model, 100);
    assert_true(model_saw(&model, GATE_EVENT_TOKEN, 7));
    struct verdict verdict = decide(&delegation, 0);
    assert_int_equal(verdict.kind, VERDICT_YES);
    assert_true(verdict.until.ms <= model.now.mono.ms + 30000); // its word ages
    assert_int_equal(wallet_calls(), 3);
    delegation.signature[5] ^= 1; // another question
    assert_answer(&delegation, 0, REASON_WALLET_REFUSED);
    struct verdict refused = decide(&delegation, 0);
    assert_int_equal(refused.kind, VERDICT_NO);
    char text[GATE_VERDICT_TEXT_SIZE];
    verdict_text(&refused, text);
    assert_non_null(strstr(text, "contract wallet, refuses the signature; its owner may run"));
}

static void nobody_is_asked_about_a_claim_that_fails_by_itself(void **)
{
    size_t size = 0;
    watch(7);
    struct delegation delegation = of_wallet(7, &size);
    delegation.owner.bytes[0] ^= 1;
    assert_answer(&delegation, 0, REASON_OTHER_OWNER);
    delegation = of_wallet(7, &size);
    delegation.not_after_s = delegation.epoch_s - 500;
    assert_answer(&delegation, 0, REASON_EXPIRED);
    assert_int_equal(wallet_calls(), 0);
}

static void a_long_signature_comes_once(void **)
{
    size_t size = 0;
    struct span kept;
    model.wallets[0].threshold = 2;
    watch(7);
    struct delegation delegation = of_wallet(7, &size);
    assert_int_equal(delegation.kind, DELEGATION_EIP1271_HASHED);
    assert_int_equal(size, 130);
    assert_reason(&delegation, 0, REASON_SIGNATURE_AWAY);
    assert_reason(&delegation, size - 1, REASON_SIGNATURE_AWAY);
    assert_int_equal(gate_signature(model.gate, &delegation, &kept), ERR_NOT_FOUND);
    assert_answer(&delegation, size, REASON_AUTHORISED);
    assert_reason(&delegation, 0, REASON_AUTHORISED);
    assert_int_equal(gate_signature(model.gate, &delegation, &kept), OK);
    assert_true(span_equal(kept, span_of(bytes, size)));
}

static void the_longest_signature(void **)
{
    size_t size = 0;
    model.wallets[0].threshold = 2;
    watch(7);
    struct delegation delegation = of_wallet(7, &size);
    memset(bytes + size, 0xab, sizeof bytes - size); // what follows, a wallet may use or not
    delegation.hashed_size = GATE_SIGNATURE_MAX;
    assert_answer(&delegation, GATE_SIGNATURE_MAX, REASON_AUTHORISED);
    assert_true(gate_signatures_size_max(model.gate) >= GATE_SIGNATURE_MAX);
}

static void new_owners_of_the_wallet_end_it(void **)
{
    size_t size = 0;
    watch(7);
    struct delegation delegation = of_wallet(7, &size);
    assert_answer(&delegation, 0, REASON_AUTHORISED);
    model_forget_events(&model);
    model.wallets[0].owners[0] = 90;
    uint64_t before_ms = model.now.mono.ms;
    while (!model_saw(&model, GATE_EVENT_TOKEN, 7)) {
        model_advance(&model, 1000);
        assert_true(model.now.mono.ms - before_ms <= 30000);
        if ((model.now.mono.ms - before_ms) % 10000 == 0) {
            (void)decide(&delegation, 0); // as the node does
        }
    }
    assert_reason(&delegation, 0, REASON_WALLET_REFUSED);
    assert_int_equal(decide(&delegation, 0).grace_left_ms, 0);
}

static void its_word_is_asked_for_again_while_it_is_used(void **)
{
    size_t size = 0;
    watch(7);
    struct delegation delegation = of_wallet(7, &size);
    assert_answer(&delegation, 0, REASON_AUTHORISED);
    for (size_t i = 0; i < 30; i++) {
        model_advance(&model, 10000);
        assert_reason(&delegation, 0, REASON_AUTHORISED); // without a gap
    }
    uint64_t calls = wallet_calls();
    assert_true(calls >= 3 * 10 && calls <= 3 * 17);
    model_advance(&model, 5 * MINUTE_MS);
    assert_true(wallet_calls() <= calls + 3 * 3); // nobody wants it any more
    assert_reason(&delegation, 0, REASON_WALLET_ASKED);
}

static void assert_mode(enum model_wallet_mode mode, enum verdict_reason reason)
{
    size_t size = 0;
    model.wallets[0].mode = mode;
    model_advance(&model, 1000); // a delegation of its own
    struct delegation delegation = of_wallet(7, &size);
    assert_answer(&delegation, 0, reason);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(gate_provider_status(model.gate, i, model.now).health, PROVIDER_GOOD);
        assert_int_equal(gate_provider_status(model.gate, i, model.now).faults, 0);
    }
    struct delegation alice = model_delegation(&model, 8, ALICE, NODE);
    assert_int_equal(model_decide(&model, &alice).kind, VERDICT_YES);
}

static void a_hostile_wallet_harms_itself_alone(void **)
{
    model_set_owner(&model, 8, model_address(ALICE));
    watch(7);
    watch(8);
    assert_mode(WALLET_BURN, REASON_WALLET_SILENT);
    assert_mode(WALLET_MEGABYTE, REASON_WALLET_SILENT);
    assert_mode(WALLET_HANG, REASON_WALLET_SILENT);
    assert_mode(WALLET_REVERT, REASON_WALLET_REFUSED);
    model_advance(&model, 5000); // four questions about one token at a time
    assert_mode(WALLET_SHORT, REASON_WALLET_REFUSED);
    assert_mode(WALLET_DIRTY, REASON_WALLET_REFUSED);
    assert_mode(WALLET_HONEST, REASON_AUTHORISED);
}

static void one_that_fails_is_asked_ever_more_rarely(void **)
{
    size_t size = 0;
    watch(7);
    struct delegation delegation = of_wallet(7, &size);
    model.wallets[0].mode = WALLET_BURN;
    for (size_t i = 0; i < 30; i++) {
        (void)decide(&delegation, 0);
        model_advance(&model, 10000);
    }
    assert_true(wallet_calls() >= 3 * 9);
    assert_true(wallet_calls() <= 3 * 16);
    model.wallets[0].mode = WALLET_HONEST;
    model_advance(&model, 35000);
    assert_reason(&delegation, 0, REASON_AUTHORISED);
}

static void providers_must_agree(void **)
{
    size_t size = 0;
    watch(7);
    struct delegation delegation = of_wallet(7, &size);
    struct delegation forged = delegation;
    forged.signature[7] ^= 1;
    model.providers[1].wallet_lie = WALLET_SAYS_NO;
    assert_answer(&delegation, 0, REASON_AUTHORISED);
    model.providers[1].wallet_lie = WALLET_SAYS_YES;
    assert_answer(&forged, 0, REASON_WALLET_REFUSED);
    model_advance(&model, 2 * MINUTE_MS);
    model.providers[1].wallet_lie = WALLET_SAYS_NO;
    model.providers[2].wallet_lie = WALLET_SAYS_NOTHING;
    assert_answer(&delegation, 0, REASON_DISAGREE);
    assert_int_equal(decide(&delegation, 0).kind, VERDICT_UNKNOWN);
    assert_true(decide(&delegation, 0).grace_left_ms > 0); // it was admitted before
    model_advance(&model, 2 * MINUTE_MS);
    model.providers[1].wallet_lie = WALLET_FAULTY;
    model.providers[2].wallet_lie = WALLET_FAULTY;
    assert_answer(&delegation, 0, REASON_WALLET_SILENT);
    model_advance(&model, 2 * MINUTE_MS);
    model.providers[1].wallet_lie = WALLET_TRUTH;
    assert_answer(&delegation, 0, REASON_AUTHORISED);
}

static void an_owner_without_code_is_no_wallet(void **)
{
    size_t size = 0;
    watch(7);
    struct delegation delegation = of_wallet(7, &size);
    model.wallet_count = 0;
    assert_answer(&delegation, 0, REASON_NO_WALLET);
    assert_int_equal(decide(&delegation, 0).kind, VERDICT_NO);
}

// An account under EIP-7702 has code, and signs with its key.
static void a_key_signs_although_it_is_said_to_be_a_wallet(void **)
{
    model_set_owner(&model, 7, model_address(ALICE));
    watch(7);
    struct delegation delegation = model_delegation(&model, 7, ALICE, NODE);
    delegation.kind = DELEGATION_EIP1271;
    assert_reason(&delegation, 0, REASON_AUTHORISED);
    assert_int_equal(wallet_calls(), 0);
}

static void a_wallet_that_is_not_deployed_is_refused(void **)
{
    size_t size = 0;
    struct model_wallet *wallet = &model.wallets[0];
    wallet->threshold = 2;
    watch(7);
    struct delegation delegation = of_wallet(7, &size);
    for (size_t i = 0; i < 32; i++) {
        bytes[size + i] = i % 2 == 0 ? 0x64 : 0x92;
    }
    delegation.hashed_size = (uint16_t)(size + 32);
    assert_answer(&delegation, size + 32, REASON_UNDEPLOYED);
    struct verdict verdict = decide(&delegation, size + 32);
    assert_int_equal(verdict.kind, VERDICT_NO);
    char text[GATE_VERDICT_TEXT_SIZE];
    verdict_text(&verdict, text);
    assert_non_null(strstr(text, "(ERC-6492); deploy the wallet first"));
    bytes[size] ^= 1;
    assert_answer(&delegation, size + 32, REASON_AUTHORISED); // merely a tail
    assert_int_equal(wallet_calls(), 3);
}

// Made-up signatures for a token that is not theirs: the owner's own keeps its place, and they cost
// others nothing.
static void a_flood_of_signatures_displaces_nobody(void **)
{
    size_t size = 0;
    model_add_wallet(&model, OTHER, 3, 1);
    model_set_owner(&model, 8, model.wallets[1].address);
    watch(7);
    watch(8);
    struct delegation delegation = of_wallet(7, &size);
    assert_answer(&delegation, 0, REASON_AUTHORISED);
    uint64_t before = wallet_calls();
    for (uint16_t i = 0; i < 600; i++) {
        struct delegation forged = delegation;
        forged.signature[3] ^= (uint8_t)(i & 0xff);
        forged.signature[4] ^= (uint8_t)(1 + (i >> 8));
        assert_int_not_equal(decide(&forged, 0).kind, VERDICT_YES);
        if (i % 10 == 0) {
            model_advance(&model, 100);
        }
        assert_reason(&delegation, 0, REASON_AUTHORISED);
    }
    assert_true(wallet_calls() - before <= 3 * 8); // in 6 s
    struct delegation other =
        model_wallet_delegation(&model, 8, &model.wallets[1], NODE, bytes, &size);
    assert_answer(&other, 0, REASON_AUTHORISED);
}

static void calls_about_wallets_keep_to_their_budget(void **)
{
    size_t size = 0;
    for (uint8_t i = 0; i < 12; i++) {
        struct model_wallet *wallet = model_add_wallet(&model, (uint8_t)(0x60 + i), 3, 1);
        wallet->mode = WALLET_HANG;
        model_set_owner(&model, 20 + i, wallet->address);
    }
    model_set_owner(&model, 8, model_address(ALICE));
    watch(8);
    for (uint64_t round = 0; round < 60; round++) {
        for (size_t i = 0; i < 12; i++) {
            struct token_id token = token_id_of_u64(20 + i);
            (void)gate_refresh(model.gate, &token, model.now);
            model_advance(&model, 20);
            struct delegation delegation =
                model_wallet_delegation(&model, 20 + i, &model.wallets[1 + i], NODE, bytes, &size);
            (void)decide(&delegation, 0);
        }
        model_advance(&model, 760);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_true(model.providers[i].wallet_calls <= 32 + 8 * 61);
        assert_int_equal(gate_provider_status(model.gate, i, model.now).health, PROVIDER_GOOD);
    }
    struct delegation alice = model_delegation(&model, 8, ALICE, NODE);
    assert_int_equal(model_decide(&model, &alice).kind, VERDICT_YES);
}

static void its_word_survives_neither_another_chain_nor_a_stale_head(void **)
{
    size_t size = 0;
    watch(7);
    struct delegation delegation = of_wallet(7, &size);
    assert_answer(&delegation, 0, REASON_AUTHORISED);
    for (size_t i = 0; i < 2; i++) {
        model.providers[i].frozen = true;
        model.providers[i].frozen_block = model_block(&model) - 100;
    }
    model_advance(&model, 40000);
    uint64_t calls = model.providers[0].wallet_calls;
    (void)decide(&delegation, 0);
    model_advance(&model, 40000);
    assert_int_equal(model.providers[0].wallet_calls, calls);
    assert_int_equal(decide(&delegation, 0).kind, VERDICT_UNKNOWN);
}

static void a_tombstone_by_a_wallet_retires(void **)
{
    size_t size = 0;
    watch(7);
    struct delegation delegation = of_wallet(7, &size);
    assert_answer(&delegation, 0, REASON_AUTHORISED);
    model_advance(&model, 1000);
    uint8_t signature[MODEL_SIGNATURE_MAX];
    struct delegation tombstone =
        model_wallet_delegation(&model, 7, &model.wallets[0], 0, signature, &size);
    assert_true(delegation_is_tombstone(&tombstone));
    assert_answer(&tombstone, 0, REASON_TOMBSTONE);
    assert_reason(&delegation, 0, REASON_TOMBSTONE);
}

static void what_is_said_of_a_stored_record(void **)
{
    size_t size = 0;
    watch(7);
    struct delegation delegation = of_wallet(7, &size);
    struct delegation forged = delegation;
    forged.signature[9] ^= 1;
    assert_int_equal(gate_check_signature(model.gate, &delegation, model.now), ERR_UNSUPPORTED);
    assert_answer(&delegation, 0, REASON_AUTHORISED);
    assert_answer(&forged, 0, REASON_WALLET_REFUSED);
    assert_int_equal(gate_check_signature(model.gate, &delegation, model.now), OK);
    assert_int_equal(gate_check_signature(model.gate, &forged, model.now), ERR_SIGNATURE);
    struct delegation alice = model_delegation(&model, 7, ALICE, NODE);
    assert_int_equal(gate_check_signature(model.gate, &alice, model.now), OK);
    alice.epoch_s++;
    assert_int_equal(gate_check_signature(model.gate, &alice, model.now), ERR_SIGNATURE);
}

// --- delegates ---

// Signed by `signer` for the vault that owns the token.
static struct delegation by_delegate(uint8_t signer)
{
    struct network network = model_network();
    struct delegation delegation = model_delegation(&model, 7, signer, NODE);
    delegation.owner = model.wallets[0].address;
    struct hash256 digest = delegation_digest(&delegation, &network);
    struct eth_secret secret = model_secret(signer);
    assert_int_equal(ecdsa_sign(&digest, &secret, delegation.signature), OK);
    return delegation;
}

static void a_delegate_of_the_owner_may_sign(void **)
{
    watch(7);
    struct delegation delegation = by_delegate(BOB);
    assert_answer(&delegation, 0, REASON_NOT_DELEGATE);
    assert_int_equal(decide(&delegation, 0).kind, VERDICT_NO);
    model.delegates[model.delegate_count++] = (struct model_delegate){
        .to = model_address(BOB), .from = model.wallets[0].address, .token = 7};
    model_advance(&model, MINUTE_MS);
    assert_answer(&delegation, 0, REASON_AUTHORISED);
    struct delegation other = by_delegate(MALLORY);
    assert_answer(&other, 0, REASON_NOT_DELEGATE);
    model.delegate_count = 0;
    for (size_t i = 0; i < 3; i++) {
        model_advance(&model, 10000);
        (void)decide(&delegation, 0);
    }
    assert_reason(&delegation, 0, REASON_NOT_DELEGATE);
}

static void a_delegate_of_another_token_may_not(void **)
{
    watch(7);
    model.delegates[model.delegate_count++] = (struct model_delegate){
        .to = model_address(BOB), .from = model.wallets[0].address, .token = 8};
    struct delegation delegation = by_delegate(BOB);
    assert_answer(&delegation, 0, REASON_NOT_DELEGATE);
}

static void without_a_registry_nobody_is_asked(void **)
{
    watch(7);
    struct delegation delegation = by_delegate(BOB);
    assert_answer(&delegation, 0, REASON_SIGNATURE);
    assert_int_equal(wallet_calls(), 0);
}

static void a_registry_that_is_not_there_is_unknown(void **)
{
    watch(7);
    memset(&model.registry, 0xee, sizeof model.registry);
    struct delegation delegation = by_delegate(BOB);
    assert_answer(&delegation, 0, REASON_NO_REGISTRY);
    assert_int_equal(decide(&delegation, 0).kind, VERDICT_UNKNOWN);
}

int main(void)
{
#define WALLET_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
#define REGISTRY_TEST(name) cmocka_unit_test_setup_teardown(name, start_with_registry, stop)
    const struct CMUnitTest tests[] = {
        WALLET_TEST(a_contract_wallet_is_asked_and_admits),
        WALLET_TEST(nobody_is_asked_about_a_claim_that_fails_by_itself),
        WALLET_TEST(a_long_signature_comes_once),
        WALLET_TEST(the_longest_signature),
        WALLET_TEST(new_owners_of_the_wallet_end_it),
        WALLET_TEST(its_word_is_asked_for_again_while_it_is_used),
        WALLET_TEST(a_hostile_wallet_harms_itself_alone),
        WALLET_TEST(one_that_fails_is_asked_ever_more_rarely),
        WALLET_TEST(providers_must_agree),
        WALLET_TEST(an_owner_without_code_is_no_wallet),
        WALLET_TEST(a_key_signs_although_it_is_said_to_be_a_wallet),
        WALLET_TEST(a_wallet_that_is_not_deployed_is_refused),
        WALLET_TEST(a_flood_of_signatures_displaces_nobody),
        WALLET_TEST(calls_about_wallets_keep_to_their_budget),
        WALLET_TEST(its_word_survives_neither_another_chain_nor_a_stale_head),
        WALLET_TEST(a_tombstone_by_a_wallet_retires),
        WALLET_TEST(what_is_said_of_a_stored_record),
        REGISTRY_TEST(a_delegate_of_the_owner_may_sign),
        REGISTRY_TEST(a_delegate_of_another_token_may_not),
        REGISTRY_TEST(a_registry_that_is_not_there_is_unknown),
        WALLET_TEST(without_a_registry_nobody_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

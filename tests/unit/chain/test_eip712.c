// SPDX-License-Identifier: GPL-3.0-or-later
//
// The delegation's digests, texts and signatures.
#include "base/text.h"
#include "chain/chain.h"

#include "tests/unit/unit.h"

#include <jansson.h>

static const struct eth_secret secret = {{[31] = 1}};
static const struct network network = {
    .chain_id = 31337,
    .contract = {{0x5f, 0xbd, 0xb2, 0x31, 0x56, 0x78, 0xaf, 0xec, 0xb3, 0x67, 0xf0, 0x32, 0xd9,
        0x3f, 0x64, 0x2f, 0x64, 0x18, 0x0a, 0xa3}},
};

static struct delegation draft(void)
{
    struct token_id token = token_id_of_u64(7);
    struct eth_address owner;
    assert_int_equal(ecdsa_address(&secret, &owner), OK);
    struct node_key node_key;
    memset(node_key.bytes, 0x11, sizeof node_key.bytes);
    struct unix_time now = {.ms = 1800000000123};
    return delegation_draft(&token, &owner, &node_key, now, DELEGATION_WINDOW_DEFAULT_S);
}

static void a_draft_covers_its_window(void **)
{
    struct delegation delegation = draft();
    assert_int_equal(delegation.epoch_s, 1800000000);
    assert_int_equal(delegation.not_before_s, 1800000000 - DELEGATION_HEAD_START_S);
    assert_int_equal(delegation.not_after_s, 1800000000 + 90 * 24 * 3600);
    assert_false(delegation_is_tombstone(&delegation));
    struct unix_time dawn = {.ms = 1000};
    delegation =
        delegation_draft(&delegation.token, &delegation.owner, &node_key_zero, dawn, UINT64_MAX);
    assert_int_equal(delegation.not_before_s, 0);
    assert_true(delegation.not_after_s == UINT64_MAX);
    assert_true(delegation_is_tombstone(&delegation));
}

static void both_kinds_sign_and_verify(void **)
{
    struct delegation delegation = draft();
    assert_int_equal(delegation_sign(&delegation, &network, &secret), OK);
    assert_int_equal(delegation_verify_signature(&delegation, &network), OK);
    delegation.kind = DELEGATION_EIP191;
    assert_int_equal(delegation_verify_signature(&delegation, &network), ERR_SIGNATURE);
    assert_int_equal(delegation_sign(&delegation, &network, &secret), OK);
    assert_int_equal(delegation_verify_signature(&delegation, &network), OK);
}

// Every field, the chain and the contract are under the signature, in both kinds.
static void nothing_can_be_changed_after_signing(void **)
{
    static const enum delegation_kind kinds[] = {DELEGATION_EIP712, DELEGATION_EIP191};
    for (size_t kind = 0; kind < 2; kind++) {
        struct delegation good = draft();
        good.kind = kinds[kind];
        assert_int_equal(delegation_sign(&good, &network, &secret), OK);
        struct delegation changed[6] = {good, good, good, good, good, good};
        changed[0].token.bytes[0] ^= 1;
        changed[1].owner.bytes[19] ^= 1;
        changed[2].node_key.bytes[5] ^= 1;
        changed[3].not_before_s++;
        changed[4].not_after_s++;
        changed[5].epoch_s++;
        for (size_t i = 0; i < 6; i++) {
            assert_int_equal(delegation_verify_signature(&changed[i], &network), ERR_SIGNATURE);
        }
        struct network other = network;
        other.chain_id++;
        assert_int_equal(delegation_verify_signature(&good, &other), ERR_SIGNATURE);
        other = network;
        other.contract.bytes[0] ^= 1;
        assert_int_equal(delegation_verify_signature(&good, &other), ERR_SIGNATURE);
        good.signature_size--;
        assert_int_equal(delegation_verify_signature(&good, &network), ERR_MALFORMED);
    }
}

static void contract_wallets_are_unsupported_not_refused(void **)
{
    struct delegation delegation = draft();
    struct delegation_cache cache = {0};
    static const enum delegation_kind kinds[] = {DELEGATION_EIP1271, DELEGATION_EIP1271_HASHED};
    for (size_t i = 0; i < 2; i++) {
        delegation.kind = kinds[i];
        assert_int_equal(delegation_verify_signature(&delegation, &network), ERR_UNSUPPORTED);
        assert_int_equal(delegation_cache_verify(&cache, &delegation, &network), ERR_UNSUPPORTED);
        assert_int_equal(delegation_sign(&delegation, &network, &secret), ERR_UNSUPPORTED);
    }
}

static void only_the_owner_can_sign(void **)
{
    struct delegation delegation = draft();
    struct eth_secret other = secret;
    other.bytes[31] = 2;
    assert_int_equal(delegation_sign(&delegation, &network, &other), ERR_MISMATCH);
    other.bytes[31] = 0;
    assert_int_equal(delegation_sign(&delegation, &network, &other), ERR_RANGE);
}

static void a_wallets_signature_finds_its_kind(void **)
{
    static const enum delegation_kind kinds[] = {DELEGATION_EIP712, DELEGATION_EIP191};
    for (size_t kind = 0; kind < 2; kind++) {
        struct delegation signed_one = draft();
        signed_one.kind = kinds[kind];
        assert_int_equal(delegation_sign(&signed_one, &network, &secret), OK);
        struct delegation delegation = draft();
        struct span signature = span_of(signed_one.signature, signed_one.signature_size);
        assert_int_equal(delegation_accept_signature(&delegation, &network, signature), OK);
        assert_int_equal(delegation.kind, kinds[kind]);
        assert_int_equal(delegation_verify_signature(&delegation, &network), OK);
        signature.size--;
        assert_int_equal(
            delegation_accept_signature(&delegation, &network, signature), ERR_MALFORMED);
        signed_one.signature[3] ^= 1;
        signature.size++;
        assert_int_equal(
            delegation_accept_signature(&delegation, &network, signature), ERR_SIGNATURE);
    }
}

static void the_cache_keeps_successes_only(void **)
{
    struct delegation_cache cache = {0};
    struct delegation delegation = draft();
    assert_int_equal(delegation_cache_verify(&cache, &delegation, &network), ERR_MALFORMED);
    assert_int_equal(delegation_sign(&delegation, &network, &secret), OK);
    struct delegation forged = delegation;
    forged.epoch_s++;
    assert_int_equal(delegation_cache_verify(&cache, &forged, &network), ERR_SIGNATURE);
    assert_int_equal(delegation_cache_verify(&cache, &forged, &network), ERR_SIGNATURE);
    static const struct delegation_cache empty = {0};
    assert_memory_equal(&cache, &empty, sizeof cache);
    assert_int_equal(delegation_cache_verify(&cache, &delegation, &network), OK);
    assert_memory_not_equal(&cache, &empty, sizeof cache);
    assert_int_equal(delegation_cache_verify(&cache, &delegation, &network), OK);
    // The signature is part of the name: a kept digest does not vouch for another signature.
    delegation.signature[64] ^= 7;
    assert_int_not_equal(delegation_cache_verify(&cache, &delegation, &network), OK);
}

static void the_longest_delegation_fits_its_texts(void **)
{
    struct delegation delegation = draft();
    memset(delegation.token.bytes, 0xff, sizeof delegation.token.bytes);
    memset(delegation.node_key.bytes, 0xff, sizeof delegation.node_key.bytes);
    delegation.not_before_s = UINT64_MAX;
    delegation.not_after_s = UINT64_MAX;
    delegation.epoch_s = UINT64_MAX;
    struct network longest = network;
    longest.chain_id = UINT64_MAX;
    char typed[DELEGATION_TYPED_DATA_SIZE];
    char text[DELEGATION_TEXT_SIZE];
    delegation_typed_data(&delegation, &longest, typed);
    delegation_text(&delegation, &longest, text);
    json_t *parsed = json_loads(typed, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(parsed);
    json_decref(parsed);
}

static void the_text_is_the_protocols(void **)
{
    struct delegation delegation = draft();
    char text[DELEGATION_TEXT_SIZE];
    delegation_text(&delegation, &network, text);
    assert_string_equal(text,
        "Deedmesh node delegation, version 1\n"
        "\n"
        "I let this node sit in my token's seat. This costs no gas and moves nothing.\n"
        "\n"
        "Chain: 31337\n"
        "Contract: 0x5FbDB2315678afecb367f032d93F642f64180aa3\n"
        "Token: 7\n"
        "Owner: 0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf\n"
        "Node key: 0x1111111111111111111111111111111111111111111111111111111111111111\n"
        "Not before: 1799999400\n"
        "Not after: 1807776000\n"
        "Epoch: 1800000000");
}

// What anvil 1.7.1 answers to eth_signTypedData_v4 and to personal_sign of the same delegation with
// its first account: an implementation that shares no code with this one.
static void another_implementation_signs_alike(void **)
{
    struct eth_secret anvil_secret;
    assert_int_equal(
        hex_parse(span_of_text("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
            anvil_secret.bytes, sizeof anvil_secret.bytes),
        OK);
    struct delegation delegation = draft();
    assert_int_equal(ecdsa_address(&anvil_secret, &delegation.owner), OK);
    char text[2 * ECDSA_SIGNATURE_SIZE + 1];
    assert_int_equal(delegation_sign(&delegation, &network, &anvil_secret), OK);
    hex_format(span_of(delegation.signature, delegation.signature_size), text);
    assert_string_equal(text, "e479b0193cb52259cd783fbc1e6633e4177836e6fcdb0e044322234883dc4352"
                              "0de355718638f7540eac05048e6eb2a9592c6ba5c312dbcba748038ca8d81b0a"
                              "1c");
    struct hash256 digest = delegation_digest(&delegation, &network);
    hex_format(span_of(digest.bytes, sizeof digest.bytes), text);
    assert_string_equal(text, "e70958cf37c6a14786b32be6033918e9c31543c72f8916a9fd2ea0ecf1638772");
    delegation.kind = DELEGATION_EIP191;
    assert_int_equal(delegation_sign(&delegation, &network, &anvil_secret), OK);
    hex_format(span_of(delegation.signature, delegation.signature_size), text);
    assert_string_equal(text, "01889738924382d65c5382d438efc6a075d43f12cf27206dc7bcf36591c96ad3"
                              "47c567d097b574f56e9cc33602c015dbc8e32a09b2218e9ead563088a2d487cd"
                              "1c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_draft_covers_its_window),
        cmocka_unit_test(both_kinds_sign_and_verify),
        cmocka_unit_test(nothing_can_be_changed_after_signing),
        cmocka_unit_test(contract_wallets_are_unsupported_not_refused),
        cmocka_unit_test(only_the_owner_can_sign),
        cmocka_unit_test(a_wallets_signature_finds_its_kind),
        cmocka_unit_test(the_cache_keeps_successes_only),
        cmocka_unit_test(the_longest_delegation_fits_its_texts),
        cmocka_unit_test(the_text_is_the_protocols),
        cmocka_unit_test(another_implementation_signs_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Identities: numeric order, equality over every byte, and the network id against a value computed
// by another implementation of BLAKE2b (Python's hashlib).
#include "base/delegation.h"
#include "base/ids.h"
#include "base/text.h"

#include "tests/unit/unit.h"

static void token_ids_convert_to_small_numbers(void **)
{
    uint64_t value = 0;
    struct token_id token = token_id_of_u64(UINT64_MAX);
    assert_true(token_id_to_u64(&token, &value));
    assert_true(value == UINT64_MAX);
    assert_true(token_id_to_u64(&token_id_zero, &value));
    assert_true(value == 0);
    // Any of the 24 high bytes makes it too large, and the output stays as it was.
    for (size_t i = 0; i < 24; i++) {
        token = token_id_of_u64(7);
        token.bytes[i] = 1;
        value = 99;
        assert_false(token_id_to_u64(&token, &value));
        assert_true(value == 99);
    }
}

static void token_ids_are_ordered_as_numbers(void **)
{
    struct token_id small = token_id_of_u64(255);
    struct token_id large = token_id_of_u64(256);
    assert_true(token_id_compare(&small, &large) < 0);
    assert_true(token_id_compare(&large, &small) > 0);
    assert_int_equal(token_id_compare(&small, &small), 0);
}

static void node_keys_are_ordered_from_the_first_byte(void **)
{
    struct node_key a = {{1}};
    struct node_key b = {{0, 0xff}};
    assert_true(node_key_compare(&b, &a) < 0);
    assert_true(node_key_compare(&a, &b) > 0);
}

#define EVERY_BYTE_COUNTS(type, equal)                                                             \
    do {                                                                                           \
        struct type a = {{0}};                                                                     \
        struct type b = {{0}};                                                                     \
        assert_true(equal(&a, &b));                                                                \
        for (size_t i = 0; i < sizeof b.bytes; i++) {                                              \
            b.bytes[i] = 0x80;                                                                     \
            assert_false(equal(&a, &b));                                                           \
            b.bytes[i] = 0;                                                                        \
        }                                                                                          \
    } while (0)

static void every_byte_counts(void **)
{
    EVERY_BYTE_COUNTS(token_id, token_id_equal);
    EVERY_BYTE_COUNTS(node_key, node_key_equal);
    EVERY_BYTE_COUNTS(wg_key, wg_key_equal);
    EVERY_BYTE_COUNTS(eth_address, eth_address_equal);
    EVERY_BYTE_COUNTS(dht_key, dht_key_equal);
    EVERY_BYTE_COUNTS(hash256, hash256_equal);
}

static void zero_is_recognised(void **)
{
    struct node_key key = node_key_zero;
    struct eth_address address = {{0}};
    assert_true(node_key_is_zero(&key));
    assert_true(eth_address_is_zero(&address));
    key.bytes[31] = 1;
    address.bytes[19] = 1;
    assert_false(node_key_is_zero(&key));
    assert_false(eth_address_is_zero(&address));
}

static void a_delegation_to_the_zero_key_is_a_tombstone(void **)
{
    struct delegation delegation = {.node_key = node_key_zero};
    assert_true(delegation_is_tombstone(&delegation));
    delegation.node_key.bytes[0] = 1;
    assert_false(delegation_is_tombstone(&delegation));
}

static void network_ids_are_the_published_hash(void **)
{
    struct network network = {.chain_id = 8453};
    const char *contract = "0x00112233445566778899aabbccddeeff00112233";
    assert_int_equal(hex_parse(span_of_text(contract), network.contract.bytes, 20), OK);
    struct network_id id = network_id_of(&network);
    char text[2 * sizeof id.bytes + 1];
    hex_format(span_of(id.bytes, sizeof id.bytes), text);
    assert_string_equal(text, "4ed93250aeb7acef7ba1a1f9d07c3a252aac91ca23be1e2837c8d7d4da3d2ff3");
    network.chain_id++;
    id = network_id_of(&network);
    hex_format(span_of(id.bytes, sizeof id.bytes), text);
    assert_string_equal(text, "472dea189330a40ddf3ace8810b0b7f3323089f3089e4047a412e76380038ab5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_ids_convert_to_small_numbers),
        cmocka_unit_test(token_ids_are_ordered_as_numbers),
        cmocka_unit_test(node_keys_are_ordered_from_the_first_byte),
        cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(zero_is_recognised),
        cmocka_unit_test(a_delegation_to_the_zero_key_is_a_tombstone),
        cmocka_unit_test(network_ids_are_the_published_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// DHT keys and value ids: fixed values, and all different where they must be.
#include "tests/unit/dht/fixtures.h"
#include "tests/unit/unit.h"

static void keys_are_as_the_protocol_says(void **)
{
    struct network_keys open = fixture_keys();
    struct network_keys hidden = fixture_secret_keys();
    struct token_id token = token_id_of_u64(7);
    struct fixture_node node = fixture_node(1);
    struct dht_key keys[6] = {
        key_of_record(&open, &token),
        key_of_inbox(&open, &token),
        key_of_record(&hidden, &token),
        key_of_inbox(&hidden, &token),
        key_of_manifest(&node.key),
        key_of_piece(span_of_text("a piece")),
    };
    fixture_check_golden("keys", span_of(keys, sizeof keys));
    for (size_t i = 0; i < 6; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_false(dht_key_equal(&keys[i], &keys[j]));
        }
    }
}

static void keys_depend_on_network_and_token(void **)
{
    struct network other_network = fixture_network();
    other_network.chain_id++;
    struct network_keys keys = fixture_keys();
    struct network_keys other = network_keys_of(&other_network, NULL);
    struct token_id seven = token_id_of_u64(7);
    struct token_id eight = token_id_of_u64(8);
    struct dht_key a = key_of_record(&keys, &seven);
    struct dht_key b = key_of_record(&keys, &eight);
    struct dht_key c = key_of_record(&other, &seven);
    assert_false(dht_key_equal(&a, &b));
    assert_false(dht_key_equal(&a, &c));
}

static void ids_differ_and_are_never_zero(void **)
{
    struct fixture_node a = fixture_node(1);
    struct fixture_node b = fixture_node(2);
    assert_true(value_id_of_record(&a.key) != value_id_of_record(&b.key));
    assert_true(value_id_of_record(&a.key) != 0);
    assert_true(value_id_of_bytes(span_of_text("x")) != value_id_of_bytes(span_of_text("y")));
    struct hash256 digest = value_digest(span_of_text("x"));
    struct hash256 piece = piece_hash(span_of_text("x"));
    assert_false(hash256_equal(&digest, &piece));
}

static void forms_are_told_by_two_bytes(void **)
{
    assert_int_equal(value_form_of(span_of("\x9c\x01", 2)), VALUE_RECORD);
    assert_int_equal(value_form_of(span_of("\x92\x02", 2)), VALUE_SEALED);
    assert_int_equal(value_form_of(span_of("\x93\x03", 2)), VALUE_TOMBSTONE);
    assert_int_equal(value_form_of(span_of("\x95\x04", 2)), VALUE_INTENT);
    assert_int_equal(value_form_of(span_of("\x9d\x05", 2)), VALUE_MANIFEST);
    assert_int_equal(value_form_of(span_of("\x9d\x06", 2)), VALUE_UNKNOWN);
    assert_int_equal(value_form_of(span_of("\x8c\x01", 2)), VALUE_UNKNOWN);
    assert_int_equal(value_form_of(span_of("\x9c", 1)), VALUE_UNKNOWN);
    assert_int_equal(value_form_of(span_of(NULL, 0)), VALUE_UNKNOWN);
}

static void a_wiped_secret_is_gone(void **)
{
    struct network_keys keys = fixture_secret_keys();
    static const struct network_keys empty;
    network_keys_wipe(&keys);
    assert_false(keys.has_secret);
    assert_memory_equal(keys.secret, empty.secret, sizeof keys.secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_as_the_protocol_says),
        cmocka_unit_test(keys_depend_on_network_and_token),
        cmocka_unit_test(ids_differ_and_are_never_zero),
        cmocka_unit_test(forms_are_told_by_two_bytes),
        cmocka_unit_test(a_wiped_secret_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

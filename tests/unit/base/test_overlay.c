// SPDX-License-Identifier: GPL-3.0-or-later
//
// Overlay addresses, against values computed with Python's hashlib (blake2b, digest_size=32).
#include "base/overlay.h"

#include "tests/unit/unit.h"

static struct network_id network_example(void)
{
    struct network_id network;
    for (size_t i = 0; i < sizeof network.bytes; i++) {
        network.bytes[i] = (uint8_t)(i + 1);
    }
    return network;
}

static void ipv6_addresses_are_computed(void **)
{
    char text[ADDRESS_TEXT_SIZE];
    struct network_id network = network_example();
    struct token_id seven = token_id_of_u64(7);
    struct address address = overlay_ipv6(&network, &seven);
    address_format(&address, text);
    assert_string_equal(text, "fd01:203:405:16e8:2c7a:4a07:3d12:be9a");
    struct prefix prefix = overlay_ipv6_prefix(&network);
    prefix_format(&prefix, text);
    assert_string_equal(text, "fd01:203:405::/48");
    assert_true(prefix_contains(&prefix, &address));
    struct token_id eight = token_id_of_u64(8);
    struct address other = overlay_ipv6(&network, &eight);
    assert_false(address_equal(&address, &other));
}

static void ipv4_addresses_are_base_plus_id(void **)
{
    char text[ADDRESS_TEXT_SIZE];
    struct address address = {.family = FAMILY_NONE};
    struct prefix prefix;
    assert_int_equal(prefix_parse(span_of_text("10.213.0.0/16"), &prefix), OK);
    struct token_id token = token_id_of_u64(1);
    assert_int_equal(overlay_ipv4(&prefix, &token, &address), OK);
    address_format(&address, text);
    assert_string_equal(text, "10.213.0.1");
    token = token_id_of_u64(65534);
    assert_int_equal(overlay_ipv4(&prefix, &token, &address), OK);
    address_format(&address, text);
    assert_string_equal(text, "10.213.255.254");
    token = token_id_of_u64(65535);
    assert_int_equal(overlay_ipv4(&prefix, &token, &address), ERR_RANGE);
    token = token_id_of_u64(0);
    assert_int_equal(overlay_ipv4(&prefix, &token, &address), ERR_RANGE);
    memset(token.bytes, 0xff, sizeof token.bytes);
    assert_int_equal(overlay_ipv4(&prefix, &token, &address), ERR_RANGE);
}

static void tiny_prefixes_have_no_place(void **)
{
    struct address address = {.family = FAMILY_NONE};
    struct token_id token = token_id_of_u64(1);
    struct prefix prefix;
    assert_int_equal(prefix_parse(span_of_text("10.213.0.0/31"), &prefix), OK);
    assert_int_equal(overlay_ipv4(&prefix, &token, &address), ERR_RANGE);
    assert_int_equal(prefix_parse(span_of_text("10.213.0.4/30"), &prefix), OK);
    assert_int_equal(overlay_ipv4(&prefix, &token, &address), OK);
    assert_int_equal(address.ip[3], 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv6_addresses_are_computed),
        cmocka_unit_test(ipv4_addresses_are_base_plus_id),
        cmocka_unit_test(tiny_prefixes_have_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

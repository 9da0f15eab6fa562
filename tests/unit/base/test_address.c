// SPDX-License-Identifier: GPL-3.0-or-later
//
// Addresses and prefixes: scopes and text forms against known values, containment against a bit by
// bit oracle.
#include "base/address.h"
#include "base/rng.h"

#include "tests/unit/unit.h"

static struct address parsed(const char *text)
{
    struct address address;
    assert_int_equal(address_parse(span_of_text(text), false, &address), OK);
    return address;
}

static struct prefix parsed_prefix(const char *text)
{
    struct prefix prefix;
    assert_int_equal(prefix_parse(span_of_text(text), &prefix), OK);
    return prefix;
}

static void addresses_print_as_they_parse(void **)
{
    static const char *const texts[] = {
        "192.0.2.1:51820",
        "255.255.255.255:65535",
        "192.0.2.1",
        "[2001:db8::1]:51820",
        "[::]:1",
        "2001:db8::1",
        "::1",
        "[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255]:65535",
        "[::ffff:255.255.255.255]:65535",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct address address = parsed(texts[i]);
        char text[ADDRESS_TEXT_SIZE];
        address_format(&address, text);
        struct address again = parsed(text);
        assert_true(address_equal(&address, &again));
        // The C library writes the dotted form only where it is customary.
        if (strstr(texts[i], "ffff:ffff") == NULL) {
            assert_string_equal(text, texts[i]);
        }
    }
}

static void what_is_no_address_is_refused(void **)
{
    static const char *const texts[] = {"", ":", ":1", "[", "]", "[]", "[]:1", "[::1]",
        "[::1]:", "[::1]:0", "[::1]:65536", "[::1]x1", "[::1", "[::1]:1 ",
        "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:01", "192.0.2.1:65536", "192.0.2.1:-1",
        "192.0.2.1:1 ", "192.0.2", "192.0.2.256", " 192.0.2.1", "[192.0.2.1]:1", "host:1",
        "2001:db8::1::", "fe80::1%eth0", "[fe80::1%1]:1",
        "00000000000000000000000000000000000000000000000192.0.2.1"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct address address = {.port = 7};
        assert_int_equal(address_parse(span_of_text(texts[i]), false, &address), ERR_MALFORMED);
        assert_int_equal(address.port, 7);
    }
    struct address address;
    assert_int_equal(address_parse(span_of("1.2.3.4\0x", 9), false, &address), ERR_MALFORMED);
    assert_int_equal(address_parse(span_of(NULL, 0), false, &address), ERR_MALFORMED);
}

static void the_port_can_be_required(void **)
{
    struct address address;
    assert_int_equal(address_parse(span_of_text("192.0.2.1"), true, &address), ERR_MALFORMED);
    assert_int_equal(address_parse(span_of_text("2001:db8::1"), true, &address), ERR_MALFORMED);
    assert_int_equal(address_parse(span_of_text("192.0.2.1:1"), true, &address), OK);
    assert_int_equal(address.port, 1);
}

static void an_unset_address_prints_as_none(void **)
{
    struct address address = {.family = FAMILY_NONE};
    char text[ADDRESS_TEXT_SIZE];
    address_format(&address, text);
    assert_string_equal(text, "none");
    assert_false(address_is_set(&address));
    assert_int_equal(address_ip_size(&address), 0);
    assert_int_equal(address_scope(&address), SCOPE_UNUSABLE);
}

static void scopes_follow_the_registries(void **)
{
    static const struct {
        const char *text;
        enum address_scope scope;
    } cases[] = {
        {"0.0.0.0", SCOPE_UNUSABLE},
        {"0.1.2.3", SCOPE_UNUSABLE},
        {"224.0.0.1", SCOPE_UNUSABLE},
        {"255.255.255.255", SCOPE_UNUSABLE},
        {"127.0.0.1", SCOPE_LOOPBACK},
        {"169.254.1.1", SCOPE_LINK_LOCAL},
        {"169.253.1.1", SCOPE_GLOBAL},
        {"10.0.0.1", SCOPE_PRIVATE},
        {"11.0.0.1", SCOPE_GLOBAL},
        {"172.15.255.255", SCOPE_GLOBAL},
        {"172.16.0.0", SCOPE_PRIVATE},
        {"172.31.255.255", SCOPE_PRIVATE},
        {"172.32.0.0", SCOPE_GLOBAL},
        {"192.168.0.1", SCOPE_PRIVATE},
        {"192.167.0.1", SCOPE_GLOBAL},
        {"100.63.255.255", SCOPE_GLOBAL},
        {"100.64.0.0", SCOPE_PRIVATE},
        {"100.127.255.255", SCOPE_PRIVATE},
        {"100.128.0.0", SCOPE_GLOBAL},
        {"203.0.113.9", SCOPE_GLOBAL},
        {"::", SCOPE_UNUSABLE},
        {"::1", SCOPE_LOOPBACK},
        {"::2", SCOPE_UNUSABLE},
        {"::192.0.2.1", SCOPE_UNUSABLE},
        {"::ffff:192.0.2.1", SCOPE_UNUSABLE},
        {"64:ff9b::192.0.2.1", SCOPE_UNUSABLE},
        {"ff02::1", SCOPE_UNUSABLE},
        {"fe80::1", SCOPE_LINK_LOCAL},
        {"febf::1", SCOPE_LINK_LOCAL},
        {"fc00::1", SCOPE_PRIVATE},
        {"fdff::1", SCOPE_PRIVATE},
        {"2001:db8::1", SCOPE_GLOBAL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct address address = parsed(cases[i].text);
        assert_int_equal(address_scope(&address), cases[i].scope);
    }
}

static void addresses_are_equal_by_family_ip_and_port(void **)
{
    static const char *const different[] = {
        "1.2.3.4:5", "1.2.3.4:6", "1.2.3.5:1", "2.0.0.0:1", "[::1]:1", "[::2]:1", "[::2]:2"};
    size_t count = sizeof different / sizeof *different;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            struct address a = parsed(different[i]);
            struct address b = parsed(different[j]);
            assert_int_equal(address_equal(&a, &b), i == j);
        }
    }
    struct address a = parsed("1.2.3.4:5");
    struct address b = parsed("1.2.3.4:6");
    assert_true(address_same_ip(&a, &b));
    struct address c = address_of_ipv4(1, 2, 3, 4, 5);
    assert_true(address_equal(&a, &c));
}

static void prefixes_print_as_they_parse(void **)
{
    static const char *const texts[] = {
        "10.213.0.0/16", "0.0.0.0/0", "192.0.2.1/32", "fd00::/8", "::/0", "2001:db8::1/128"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct prefix prefix = parsed_prefix(texts[i]);
        char text[ADDRESS_TEXT_SIZE];
        prefix_format(&prefix, text);
        assert_string_equal(text, texts[i]);
    }
}

static void what_is_no_prefix_is_refused(void **)
{
    static const char *const malformed[] = {"", "/", "/8", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33",
        "10.0.0.0/08", "10.0.0.0/-1", "10.0.0.0/8/8", "10.0.0.0:1/8", "fd00::/129", "[fd00::]/8"};
    struct prefix prefix;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        assert_int_equal(prefix_parse(span_of_text(malformed[i]), &prefix), ERR_MALFORMED);
    }
    assert_int_equal(prefix_parse(span_of_text("10.0.0.1/8"), &prefix), ERR_RANGE);
    assert_int_equal(prefix_parse(span_of_text("10.0.0.0/0"), &prefix), ERR_RANGE);
    assert_int_equal(prefix_parse(span_of_text("fd00::1/127"), &prefix), ERR_RANGE);
}

static bool bit_of(const struct address *address, unsigned index)
{
    return (address->ip[index / 8] >> (7 - index % 8) & 1) != 0;
}

static bool contains_bit_by_bit(const struct prefix *prefix, const struct address *address)
{
    if (prefix->base.family != address->family) {
        return false;
    }
    for (unsigned i = 0; i < prefix->length; i++) {
        if (bit_of(&prefix->base, i) != bit_of(address, i)) {
            return false;
        }
    }
    return true;
}

// Addresses that share most of their bits, so that containment is neither rare nor certain.
static struct address random_address(struct rng *rng)
{
    struct address address = {.family = rng_below(rng, 2) == 0 ? FAMILY_IPV4 : FAMILY_IPV6};
    size_t bits = address_ip_size(&address) * 8;
    size_t flipped = rng_below(rng, bits);
    if (rng_below(rng, 4) != 0) {
        address.ip[flipped / 8] = (uint8_t)(1U << rng_below(rng, 8));
    }
    address.port = (uint16_t)rng_u64(rng);
    return address;
}

static void containment_agrees_with_the_oracle(void **)
{
    struct rng rng;
    const uint8_t seed[RNG_SEED_SIZE] = {1};
    rng_seed(&rng, seed);
    unsigned inside = 0;
    for (int i = 0; i < 20000; i++) {
        struct address base = random_address(&rng);
        struct address address = random_address(&rng);
        struct address other = random_address(&rng);
        uint8_t length = (uint8_t)rng_below(&rng, address_ip_size(&base) * 8 + 1);
        uint8_t other_length = (uint8_t)rng_below(&rng, address_ip_size(&other) * 8 + 1);
        struct prefix prefix = prefix_of(&base, length);
        struct prefix second = prefix_of(&other, other_length);
        bool expected = contains_bit_by_bit(&prefix, &address);
        inside += expected;
        assert_int_equal(prefix.base.port, 0);
        assert_true(prefix_contains(&prefix, &base));
        assert_int_equal(prefix_contains(&prefix, &address), expected);
        // Two prefixes overlap exactly if one contains the other's base.
        bool overlap = contains_bit_by_bit(&prefix, &second.base) ||
                       contains_bit_by_bit(&second, &prefix.base);
        assert_int_equal(prefix_overlaps(&prefix, &second), overlap);
    }
    assert_in_range(inside, 2000, 18000);
}

static void an_unset_address_is_in_no_prefix(void **)
{
    struct prefix everything = parsed_prefix("0.0.0.0/0");
    struct prefix nothing = {.length = 0};
    struct address unset = {.family = FAMILY_NONE};
    assert_false(prefix_contains(&everything, &unset));
    assert_false(prefix_contains(&nothing, &unset));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_print_as_they_parse),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(the_port_can_be_required),
        cmocka_unit_test(an_unset_address_prints_as_none),
        cmocka_unit_test(scopes_follow_the_registries),
        cmocka_unit_test(addresses_are_equal_by_family_ip_and_port),
        cmocka_unit_test(prefixes_print_as_they_parse),
        cmocka_unit_test(what_is_no_prefix_is_refused),
        cmocka_unit_test(containment_agrees_with_the_oracle),
        cmocka_unit_test(an_unset_address_is_in_no_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

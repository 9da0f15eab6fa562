// SPDX-License-Identifier: GPL-3.0-or-later
//
// Text forms of identities, against known values.
#include "base/rng.h"
#include "base/text.h"

#include "tests/unit/unit.h"

static void token_ids_print_in_decimal(void **)
{
    char text[TOKEN_TEXT_SIZE];
    struct token_id token = token_id_of_u64(0);
    token_id_format(&token, text);
    assert_string_equal(text, "0");
    token = token_id_of_u64(UINT64_MAX);
    token_id_format(&token, text);
    assert_string_equal(text, "18446744073709551615");
    memset(token.bytes, 0xff, sizeof token.bytes);
    token_id_format(&token, text);
    assert_string_equal(text,
        "1157920892373161954235709850086879078532699846656405640394575840079131296"
        "39935");
}

static void token_ids_parse_from_decimal_and_hex(void **)
{
    struct token_id token;
    struct token_id seven = token_id_of_u64(7);
    assert_int_equal(token_id_parse(span_of_text("7"), &token), OK);
    assert_true(token_id_equal(&token, &seven));
    assert_int_equal(token_id_parse(span_of_text("0x7"), &token), OK);
    assert_true(token_id_equal(&token, &seven));
    assert_int_equal(token_id_parse(span_of_text(""), &token), ERR_MALFORMED);
    assert_int_equal(token_id_parse(span_of_text("0x"), &token), ERR_MALFORMED);
    assert_int_equal(token_id_parse(span_of_text("7 "), &token), ERR_MALFORMED);
    assert_int_equal(token_id_parse(span_of_text("-1"), &token), ERR_MALFORMED);
    assert_int_equal(
        token_id_parse(span_of_text("1157920892373161954235709850086879078532699846656405640394575"
                                    "84007913129639936"),
            &token),
        ERR_RANGE);
}

static void hex_token_ids_may_have_up_to_64_digits(void **)
{
    struct token_id token;
    struct token_id largest;
    memset(largest.bytes, 0xff, sizeof largest.bytes);
    char text[2 + 64 + 2];
    memset(text, 'F', sizeof text);
    text[0] = '0';
    text[1] = 'x';
    assert_int_equal(token_id_parse(span_of(text, 2 + 64), &token), OK);
    assert_true(token_id_equal(&token, &largest));
    assert_int_equal(token_id_parse(span_of(text, 2 + 65), &token), ERR_RANGE);
    assert_int_equal(token_id_parse(span_of_text("0xg"), &token), ERR_MALFORMED);
}

static void token_ids_round_trip(void **)
{
    struct rng rng;
    const uint8_t seed[RNG_SEED_SIZE] = {1};
    rng_seed(&rng, seed);
    for (int i = 0; i < 500; i++) {
        struct token_id token = token_id_zero;
        struct token_id again;
        size_t size = rng_below(&rng, sizeof token.bytes + 1);
        rng_bytes(&rng, token.bytes + sizeof token.bytes - size, size);
        char text[TOKEN_TEXT_SIZE];
        token_id_format(&token, text);
        assert_int_equal(token_id_parse(span_of_text(text), &again), OK);
        assert_true(token_id_equal(&token, &again));
    }
}

static void a_refused_text_leaves_the_output_alone(void **)
{
    struct token_id token = token_id_of_u64(5);
    struct token_id five = token;
    assert_int_equal(token_id_parse(span_of_text("12x"), &token), ERR_MALFORMED);
    assert_true(token_id_equal(&token, &five));
    uint8_t bytes[2] = {5, 5};
    assert_int_equal(hex_parse(span_of_text("01zz"), bytes, sizeof bytes), ERR_MALFORMED);
    assert_int_equal(bytes[0], 5);
}

static void hex_takes_either_case_and_an_exact_length(void **)
{
    uint8_t bytes[2];
    assert_int_equal(hex_parse(span_of_text("aBcD"), bytes, sizeof bytes), OK);
    assert_int_equal(bytes[0] << 8 | bytes[1], 0xabcd);
    assert_int_equal(hex_parse(span_of_text("0x09fA"), bytes, sizeof bytes), OK);
    assert_int_equal(bytes[0] << 8 | bytes[1], 0x09fa);
    char text[5];
    hex_format(span_of(bytes, sizeof bytes), text);
    assert_string_equal(text, "09fa");
    assert_int_equal(hex_parse(span_of_text(""), bytes, 0), OK);
    static const char *const refused[] = {"", "abc", "abcde", "abcdef", "0xabc", "0Xabcd", "ab d",
        "ab:d", "/000", "g000", "@@@@", "\xe1\xe1\xe1\xe1", "0x0xabcd"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_int_equal(hex_parse(span_of_text(refused[i]), bytes, sizeof bytes), ERR_MALFORMED);
    }
}

static void decimals_have_one_form_and_a_limit(void **)
{
    uint64_t value = 0;
    assert_int_equal(decimal_parse(span_of_text("0"), 0, &value), OK);
    assert_true(value == 0);
    assert_int_equal(decimal_parse(span_of_text("18446744073709551615"), UINT64_MAX, &value), OK);
    assert_true(value == UINT64_MAX);
    assert_int_equal(
        decimal_parse(span_of_text("18446744073709551616"), UINT64_MAX, &value), ERR_RANGE);
    assert_int_equal(decimal_parse(span_of_text("9"), 7, &value), ERR_RANGE);
    assert_int_equal(decimal_parse(span_of_text("65536"), UINT16_MAX, &value), ERR_RANGE);
    static const char *const refused[] = {"", "01", "00", "-1", "+1", " 1", "1 ", "0x1", "99999x"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        assert_int_equal(decimal_parse(span_of_text(refused[i]), 9, &value), ERR_MALFORMED);
    }
    assert_true(value == UINT64_MAX);
}

static void wireguard_keys_round_trip(void **)
{
    const char *text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    struct wg_key key;
    assert_int_equal(wg_key_parse(span_of_text(text), &key), OK);
    for (size_t i = 0; i < sizeof key.bytes; i++) {
        assert_int_equal(key.bytes[i], i);
    }
    char printed[WG_KEY_TEXT_SIZE];
    wg_key_format(&key, printed);
    assert_string_equal(printed, text);
}

// The last one is what libsodium 1.0.18 takes for base64.
static void wireguard_keys_have_one_form(void **)
{
    static const char *const refused[] = {
        "",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8==",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh88",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh -",
        "AAECA\206\256\271\275\230\234\266\274QoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct wg_key key;
        assert_int_equal(wg_key_parse(span_of_text(refused[i]), &key), ERR_MALFORMED);
    }
}

static void ethereum_addresses_print_in_lower_case(void **)
{
    struct eth_address address = {{0xab, 0xcd}};
    address.bytes[19] = 0xef;
    char text[ETH_ADDRESS_TEXT_SIZE];
    eth_address_format(&address, text);
    assert_string_equal(text, "0xabcd0000000000000000000000000000000000ef");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_ids_print_in_decimal),
        cmocka_unit_test(token_ids_parse_from_decimal_and_hex),
        cmocka_unit_test(hex_token_ids_may_have_up_to_64_digits),
        cmocka_unit_test(token_ids_round_trip),
        cmocka_unit_test(a_refused_text_leaves_the_output_alone),
        cmocka_unit_test(hex_takes_either_case_and_an_exact_length),
        cmocka_unit_test(decimals_have_one_form_and_a_limit),
        cmocka_unit_test(wireguard_keys_round_trip),
        cmocka_unit_test(wireguard_keys_have_one_form),
        cmocka_unit_test(ethereum_addresses_print_in_lower_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

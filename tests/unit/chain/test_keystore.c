// SPDX-License-Identifier: GPL-3.0-or-later
//
// Keystore files: the two published vectors, what is refused and why, and the bounds.
#include "tests/unit/unit.h"

#include "base/text.h"
#include "chain/keystore.h"

#include <stdio.h>
#include <string.h>

enum {
    TEXT_SIZE = 2048,
};

// "Web3 Secret Storage Definition", test vectors: password "testpassword".
static const char vector_pbkdf2[] =
    "{\"crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"
    "\"6087dab2f9fdbbfaddc31a909735c1e6\"},\"ciphertext\":"
    "\"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46\",\"kdf\":\"pbkdf2\","
    "\"kdfparams\":{\"c\":262144,\"dklen\":32,\"prf\":\"hmac-sha256\",\"salt\":"
    "\"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd\"},\"mac\":"
    "\"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2\"},"
    "\"id\":\"3198bc9c-6672-5ab3-d995-4942343ae5b6\",\"version\":3}";
static const char vector_scrypt[] =
    "{\"crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"
    "\"83dbcc02d8ccb40e466191a123791e0e\"},\"ciphertext\":"
    "\"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c\",\"kdf\":\"scrypt\","
    "\"kdfparams\":{\"dklen\":32,\"n\":262144,\"p\":8,\"r\":1,\"salt\":"
    "\"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19\"},\"mac\":"
    "\"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097\"},"
    "\"id\":\"3198bc9c-6672-5ab3-d995-4942343ae5b6\",\"version\":3}";
static const char vector_secret[] =
    "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";

static void opens(const char *text, const char *password, enum status expected)
{
    struct keystore keystore;
    struct eth_secret secret = {0};
    uint8_t wanted[32];
    assert_int_equal(keystore_parse(span_of_text(text), &keystore), OK);
    assert_int_equal(keystore_open(&keystore, span_of_text(password), &secret), expected);
    assert_int_equal(hex_parse(span_of_text(vector_secret), wanted, sizeof wanted), OK);
    if (expected == OK) {
        assert_memory_equal(secret.bytes, wanted, sizeof wanted);
    } else {
        assert_memory_not_equal(secret.bytes, wanted, sizeof wanted);
    }
}

// `text` with the first `from` in it replaced.
static const char *changed(const char *text, const char *from, const char *to)
{
    static char result[TEXT_SIZE];
    const char *at = strstr(text, from);
    assert_non_null(at);
    int size =
        snprintf(result, sizeof result, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    assert_in_range(size, 1, TEXT_SIZE - 1);
    return result;
}

static void parses_to(const char *text, enum status expected)
{
    struct keystore keystore;
    assert_int_equal(keystore_parse(span_of_text(text), &keystore), expected);
}

static void the_published_vectors_open(void **)
{
    opens(vector_pbkdf2, "testpassword", OK);
    opens(vector_scrypt, "testpassword", OK);
}

static void a_wrong_password_or_a_damaged_file_opens_nothing(void **)
{
    opens(vector_pbkdf2, "testpasswore", ERR_SEAL);
    opens(vector_pbkdf2, "", ERR_SEAL);
    opens(vector_scrypt, "testpassword ", ERR_SEAL);
    opens(changed(vector_pbkdf2, "5318b4d5", "5318b4d4"), "testpassword", ERR_SEAL);
    opens(changed(vector_pbkdf2, "517ead92", "517ead93"), "testpassword", ERR_SEAL);
    opens(changed(vector_pbkdf2, "ae3cd4e7", "ae3cd4e8"), "testpassword", ERR_SEAL);
    opens(changed(vector_pbkdf2, "262144", "262143"), "testpassword", ERR_SEAL);
}

static void a_stated_address_must_be_the_keys(void **)
{
    const char *with = "\"address\":\"008aeeda4d805471df9b2a5b0f38a0c3bcba786b\",\"version\":3";
    opens(changed(vector_pbkdf2, "\"version\":3", with), "testpassword", OK);
    with = "\"address\":\"0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b\",\"version\":3";
    opens(changed(vector_pbkdf2, "\"version\":3", with), "testpassword", OK);
    with = "\"address\":\"008aeeda4d805471df9b2a5b0f38a0c3bcba786c\",\"version\":3";
    opens(changed(vector_pbkdf2, "\"version\":3", with), "testpassword", ERR_MISMATCH);
}

// The mac does not cover the iv: another one opens to another key, which the address shows.
static void another_iv_is_noticed_where_the_address_is_stated(void **)
{
    char text[TEXT_SIZE];
    const char *with = "\"address\":\"008aeeda4d805471df9b2a5b0f38a0c3bcba786b\",\"version\":3";
    (void)snprintf(text, sizeof text, "%s", changed(vector_pbkdf2, "\"version\":3", with));
    opens(changed(text, "6087dab2", "6087dab3"), "testpassword", ERR_MISMATCH);
}

static void a_file_that_opens_to_no_key_is_refused(void **)
{
    // 32 zero bytes under the vector's derived key, by `openssl enc`; the mac by anvil's
    // web3_sha3.
    static const char zero[] =
        "{\"crypto\":{\"cipher\":\"aes-128-ctr\",\"cipherparams\":{\"iv\":"
        "\"6087dab2f9fdbbfaddc31a909735c1e6\"},\"ciphertext\":"
        "\"2930016feb17bbe5fe552ec8dcb40116174cabcc136c71b9ec5645998d7d54db\","
        "\"kdf\":\"pbkdf2\",\"kdfparams\":{\"c\":262144,\"dklen\":32,\"prf\":\"hmac-sha256\","
        "\"salt\":\"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd\"},"
        "\"mac\":\"eabe07b62b3b712da7c76785149936974fdfef73e29d20f05693c72a0d7984a7\"},\"version\":"
        "3}";
    opens(zero, "testpassword", ERR_RANGE);
}

static void the_early_spelling_is_read(void **)
{
    parses_to(changed(vector_pbkdf2, "\"crypto\"", "\"Crypto\""), OK);
    parses_to(changed(vector_pbkdf2, "\"crypto\"", "\"CRYPTO\""), ERR_MALFORMED);
}

static void what_is_no_keystore_is_refused(void **)
{
    char large[KEYSTORE_FILE_MAX + 1];
    parses_to("", ERR_MALFORMED);
    parses_to("{}", ERR_MALFORMED);
    parses_to("[]", ERR_MALFORMED);
    parses_to("null", ERR_MALFORMED);
    parses_to(vector_secret, ERR_MALFORMED);
    parses_to("{\"crypto\":[],\"version\":3}", ERR_MALFORMED);
    parses_to(changed(vector_pbkdf2, "\"version\":3", "\"version\":1"), ERR_VERSION);
    parses_to(changed(vector_pbkdf2, "\"version\":3", "\"version\":\"3\""), ERR_VERSION);
    parses_to(changed(vector_pbkdf2, "aes-128-ctr", "aes-128-cbc"), ERR_UNSUPPORTED);
    parses_to(changed(vector_pbkdf2, "\"pbkdf2\"", "\"argon2id\""), ERR_UNSUPPORTED);
    parses_to(changed(vector_pbkdf2, "hmac-sha256", "hmac-sha512"), ERR_UNSUPPORTED);
    parses_to(changed(vector_pbkdf2, "735c1e6", "735c1"), ERR_MALFORMED);
    parses_to(changed(vector_pbkdf2, "5318b4d5", "5318b4"), ERR_MALFORMED);
    parses_to(changed(vector_pbkdf2, "5318b4d5", "5318b4d5b4"), ERR_MALFORMED);
    parses_to(changed(vector_pbkdf2, "517ead92", "517ead9x"), ERR_MALFORMED);
    parses_to(changed(vector_pbkdf2, "\"mac\"", "\"kdf\":\"scrypt\",\"mac\""), ERR_MALFORMED);
    memset(large, ' ', sizeof large);
    memcpy(large, vector_pbkdf2, sizeof vector_pbkdf2 - 1);
    struct keystore keystore;
    assert_int_equal(keystore_parse(span_of(large, sizeof large), &keystore), ERR_MALFORMED);
    assert_int_equal(keystore_parse(span_of(large, sizeof large - 1), &keystore), OK);
}

static void parameters_that_make_no_sense_are_refused(void **)
{
    static const struct {
        const char *from;
        const char *to;
        enum status expected;
    } cases[] = {
        {"262144", "262143", ERR_RANGE}, // no power of two
        {"262144", "1", ERR_RANGE},
        {"262144", "0", ERR_RANGE},
        {"262144", "-4", ERR_RANGE},
        {"262144", "\"262144\"", ERR_MALFORMED},
        {"262144", "262144.0", ERR_MALFORMED},
        {"\"r\":1", "\"r\":0", ERR_RANGE},
        {"\"p\":8", "\"p\":0", ERR_RANGE},
        {"\"dklen\":32", "\"dklen\":31", ERR_RANGE},
        {"\"dklen\":32", "\"dklen\":65", ERR_RANGE},
        {"\"dklen\":32", "\"dklen\":64", OK},
        {"\"salt\":\"", "\"salt\":\"0", ERR_MALFORMED},
        {"34ba19\"", "34ba1\"", ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        parses_to(changed(vector_scrypt, cases[i].from, cases[i].to), cases[i].expected);
    }
}

static void memory_and_time_are_bounded(void **)
{
    static const struct {
        const char *from;
        const char *to;
        enum status expected;
    } cases[] = {
        {"262144", "4194304", ERR_TOO_LARGE},      // 4 GiB / 8
        {"262144,\"p\":8", "4194304,\"p\":1", OK}, // 512 MiB
        {"262144,\"p\":8", "8388608,\"p\":1", ERR_TOO_LARGE},
        {"262144,\"p\":8,\"r\":1", "262144,\"p\":1,\"r\":8", OK},
        {"262144,\"p\":8,\"r\":1", "262144,\"p\":1,\"r\":32", ERR_TOO_LARGE},
        {"\"r\":1", "\"r\":9223372036854775807", ERR_TOO_LARGE},
        {"262144", "4611686018427387904", ERR_TOO_LARGE}, {"\"p\":8", "\"p\":64", OK},
        {"\"p\":8", "\"p\":65", ERR_TOO_LARGE},
        {"\"p\":8", "\"p\":4611686018427387904", ERR_TOO_LARGE},
        {"262144", "18446744073709551616", ERR_MALFORMED}, // not a number to the parser
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        parses_to(changed(vector_scrypt, cases[i].from, cases[i].to), cases[i].expected);
    }
    parses_to(changed(vector_pbkdf2, "262144", "10000000"), OK);
    parses_to(changed(vector_pbkdf2, "262144", "10000001"), ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_open),
        cmocka_unit_test(a_wrong_password_or_a_damaged_file_opens_nothing),
        cmocka_unit_test(a_stated_address_must_be_the_keys),
        cmocka_unit_test(another_iv_is_noticed_where_the_address_is_stated),
        cmocka_unit_test(a_file_that_opens_to_no_key_is_refused),
        cmocka_unit_test(the_early_spelling_is_read),
        cmocka_unit_test(what_is_no_keystore_is_refused),
        cmocka_unit_test(parameters_that_make_no_sense_are_refused),
        cmocka_unit_test(memory_and_time_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

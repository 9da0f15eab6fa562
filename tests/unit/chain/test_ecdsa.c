// SPDX-License-Identifier: GPL-3.0-or-later
//
// Recovery and signing: the "Cow" example of EIP-712, and each form that must be refused.
#include "base/text.h"
#include "chain/chain.h"

#include "tests/unit/unit.h"

// The order of secp256k1's group.
static const char group_order[] =
    "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

static struct eth_secret secret_of_phrase(const char *phrase)
{
    struct hash256 digest = keccak256(span_of_text(phrase));
    struct eth_secret secret;
    memcpy(secret.bytes, digest.bytes, sizeof secret.bytes);
    return secret;
}

static struct hash256 mail_digest(void)
{
    struct hash256 digest;
    assert_int_equal(
        hex_parse(span_of_text("be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"),
            digest.bytes, sizeof digest.bytes),
        OK);
    return digest;
}

static void sign_mail(uint8_t ret[static ECDSA_SIGNATURE_SIZE])
{
    struct eth_secret cow = secret_of_phrase("cow");
    struct hash256 digest = mail_digest();
    assert_int_equal(ecdsa_sign(&digest, &cow, ret), OK);
}

static enum status recover(const uint8_t signature[static ECDSA_SIGNATURE_SIZE])
{
    struct hash256 digest = mail_digest();
    struct eth_address signer;
    return ecdsa_recover(&digest, span_of(signature, ECDSA_SIGNATURE_SIZE), &signer);
}

static void the_cow_signs_the_mail_of_eip712(void **)
{
    uint8_t signature[ECDSA_SIGNATURE_SIZE];
    sign_mail(signature);
    char text[2 * ECDSA_SIGNATURE_SIZE + 1];
    hex_format(span_of(signature, sizeof signature), text);
    assert_string_equal(text, "4355c47d63924e8a72e509b65029052eb6c299d53a04e167c5775fd466751c9d"
                              "07299936d304c153f6443dfa05f40ff007d72911b6f72307f996231605b91562"
                              "1c");
    struct hash256 digest = mail_digest();
    struct eth_address signer;
    assert_int_equal(ecdsa_recover(&digest, span_of(signature, sizeof signature), &signer), OK);
    char address[ETH_ADDRESS_TEXT_SIZE];
    eip55_format(&signer, address);
    assert_string_equal(address, "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826");
    struct eth_secret cow = secret_of_phrase("cow");
    struct eth_address own;
    assert_int_equal(ecdsa_address(&cow, &own), OK);
    assert_true(eth_address_equal(&own, &signer));
}

static void v_has_four_forms_and_no_others(void **)
{
    uint8_t signature[ECDSA_SIGNATURE_SIZE];
    sign_mail(signature);
    signature[64] = 1; // 28 in its other form
    assert_int_equal(recover(signature), OK);
    for (unsigned v = 0; v < 256; v++) {
        signature[64] = (uint8_t)v;
        bool allowed = v == 0 || v == 1 || v == 27 || v == 28;
        assert_true((recover(signature) == ERR_MALFORMED) == !allowed);
    }
}

static void the_other_v_gives_another_signer(void **)
{
    uint8_t signature[ECDSA_SIGNATURE_SIZE];
    sign_mail(signature);
    signature[64] = 27;
    struct hash256 digest = mail_digest();
    struct eth_secret cow = secret_of_phrase("cow");
    struct eth_address own;
    struct eth_address signer;
    assert_int_equal(ecdsa_address(&cow, &own), OK);
    assert_int_equal(ecdsa_recover(&digest, span_of(signature, sizeof signature), &signer), OK);
    assert_false(eth_address_equal(&own, &signer));
}

// s' = n - s with the other v is the same signature: it must not pass as a second one.
static void a_high_s_is_refused(void **)
{
    uint8_t signature[ECDSA_SIGNATURE_SIZE];
    sign_mail(signature);
    uint8_t order[32];
    assert_int_equal(hex_parse(span_of_text(group_order), order, sizeof order), OK);
    int borrow = 0;
    for (size_t i = 32; i-- > 0;) {
        int difference = order[i] - signature[32 + i] - borrow;
        borrow = difference < 0;
        signature[32 + i] = (uint8_t)(difference + 256 * borrow);
    }
    signature[64] = 27;
    assert_int_equal(recover(signature), ERR_SIGNATURE);
}

static void r_and_s_out_of_range_are_refused(void **)
{
    uint8_t signature[ECDSA_SIGNATURE_SIZE];
    sign_mail(signature);
    memset(signature, 0, 32);
    assert_int_equal(recover(signature), ERR_SIGNATURE);
    sign_mail(signature);
    memset(signature + 32, 0, 32);
    assert_int_equal(recover(signature), ERR_SIGNATURE);
    sign_mail(signature);
    assert_int_equal(hex_parse(span_of_text(group_order), signature, 32), OK);
    assert_int_equal(recover(signature), ERR_SIGNATURE);
    sign_mail(signature);
    assert_int_equal(hex_parse(span_of_text(group_order), signature + 32, 32), OK);
    assert_int_equal(recover(signature), ERR_SIGNATURE);
    memset(signature, 0xff, 64);
    assert_int_equal(recover(signature), ERR_SIGNATURE);
}

static void sizes_other_than_65_are_refused(void **)
{
    uint8_t signature[ECDSA_SIGNATURE_SIZE + 1] = {0};
    sign_mail(signature);
    struct hash256 digest = mail_digest();
    struct eth_address signer;
    for (size_t size = 0; size <= sizeof signature; size++) {
        enum status expected = size == ECDSA_SIGNATURE_SIZE ? OK : ERR_MALFORMED;
        assert_int_equal(ecdsa_recover(&digest, span_of(signature, size), &signer), expected);
    }
}

static void a_secret_out_of_range_is_refused(void **)
{
    struct eth_secret secret = {{0}};
    struct eth_address address;
    uint8_t signature[ECDSA_SIGNATURE_SIZE];
    struct hash256 digest = mail_digest();
    assert_int_equal(ecdsa_address(&secret, &address), ERR_RANGE);
    assert_int_equal(ecdsa_sign(&digest, &secret, signature), ERR_RANGE);
    assert_int_equal(hex_parse(span_of_text(group_order), secret.bytes, 32), OK);
    assert_int_equal(ecdsa_address(&secret, &address), ERR_RANGE);
    assert_int_equal(ecdsa_sign(&digest, &secret, signature), ERR_RANGE);
}

// The addresses of EIP-55 itself.
static void checksums(void **)
{
    static const char *const known[] = {
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct eth_address address;
        char text[ETH_ADDRESS_TEXT_SIZE];
        assert_int_equal(eip55_parse(span_of_text(known[i]), &address), OK);
        eip55_format(&address, text);
        assert_string_equal(text, known[i]);
    }
}

static void addresses_that_are_none(void **)
{
    struct eth_address address;
    static const char lower[] = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed";
    static const char upper[] = "0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED";
    assert_int_equal(eip55_parse(span_of_text(lower), &address), OK);
    assert_int_equal(eip55_parse(span_of_text(upper), &address), OK);
    assert_int_equal(
        eip55_parse(span_of_text("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed"), &address),
        ERR_MISMATCH);
    assert_int_equal(
        eip55_parse(span_of_text("5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"), &address),
        ERR_MALFORMED);
    assert_int_equal(
        eip55_parse(span_of_text("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe"), &address),
        ERR_MALFORMED);
    assert_int_equal(
        eip55_parse(span_of_text("0x0xaeb6053F3E94C9b9A09f33669435E7Ef1BeAed"), &address),
        ERR_MALFORMED);
    assert_int_equal(eip55_parse(span_of(NULL, 0), &address), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cow_signs_the_mail_of_eip712),
        cmocka_unit_test(v_has_four_forms_and_no_others),
        cmocka_unit_test(the_other_v_gives_another_signer),
        cmocka_unit_test(a_high_s_is_refused),
        cmocka_unit_test(r_and_s_out_of_range_are_refused),
        cmocka_unit_test(sizes_other_than_65_are_refused),
        cmocka_unit_test(a_secret_out_of_range_is_refused),
        cmocka_unit_test(checksums),
        cmocka_unit_test(addresses_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Manifests: round trip, hostile bytes, what may be asked for, and what an update may change.
#include "tests/unit/dht/fixtures.h"
#include "tests/unit/unit.h"

struct encoded {
    uint8_t bytes[MANIFEST_MAX_SIZE + 1];
    size_t size;
};

static struct encoded encode(const struct manifest *manifest)
{
    struct fixture_node authority = fixture_node(1);
    struct encoded encoded = {0};
    assert_int_equal(
        manifest_encode(manifest, &authority.secret, encoded.bytes, &encoded.size), OK);
    return encoded;
}

static struct manifest sample(void)
{
    struct fixture_node authority = fixture_node(1);
    return fixture_manifest(&authority);
}

static void set_url(struct manifest *manifest, size_t at, const char *url)
{
    assert_true(at < MANIFEST_RPC_MAX && strlen(url) <= MANIFEST_URL_MAX_SIZE);
    memset(&manifest->rpc[at], 0, sizeof manifest->rpc[at]);
    memcpy(manifest->rpc[at].text, url, strlen(url));
    manifest->rpc[at].size = (uint8_t)strlen(url);
    if (manifest->rpc_count <= at) {
        manifest->rpc_count = (uint8_t)(at + 1);
    }
}

static void manifests_round_trip(void **)
{
    struct manifest manifest = sample();
    struct encoded encoded = encode(&manifest);
    fixture_check_golden("manifest", span_of(encoded.bytes, encoded.size));
    struct manifest decoded;
    assert_int_equal(manifest_decode(span_of(encoded.bytes, encoded.size), &decoded), OK);
    assert_int_equal(manifest_check_update(&manifest, &decoded), MANIFEST_SAME);
    assert_int_equal(decoded.poll_s, 5);
    assert_int_equal(decoded.grace_s, 600);
    assert_int_equal(decoded.delegation_window_days, 90);
    assert_int_equal(decoded.profile, PROFILE_ERC721);
    assert_string_equal(decoded.rpc[0].text, "https://rpc.example.org/base");
    struct encoded again = encode(&decoded);
    assert_true(span_equal(span_of(encoded.bytes, encoded.size), span_of(again.bytes, again.size)));
}

static void three_urls_fit_or_are_too_large(void **)
{
    char url[MANIFEST_URL_MAX_SIZE + 1];
    struct manifest manifest = sample();
    for (size_t size = 100; size <= MANIFEST_URL_MAX_SIZE; size += 60) {
        memset(url, 'a', sizeof url);
        memcpy(url, "https://", 8);
        url[size] = '\0';
        for (size_t i = 0; i < MANIFEST_RPC_MAX; i++) {
            set_url(&manifest, i, url);
        }
        struct fixture_node authority = fixture_node(1);
        uint8_t bytes[MANIFEST_MAX_SIZE];
        size_t encoded_size;
        assert_int_equal(manifest_encode(&manifest, &authority.secret, bytes, &encoded_size),
            size == 100 ? OK : ERR_TOO_LARGE);
    }
}

static void truncations_and_additions_are_refused(void **)
{
    struct manifest manifest = sample();
    struct encoded encoded = encode(&manifest);
    struct manifest decoded;
    for (size_t size = 0; size < encoded.size; size++) {
        assert_int_equal(manifest_decode(span_of(encoded.bytes, size), &decoded), ERR_TRUNCATED);
    }
    assert_int_equal(
        manifest_decode(span_of(encoded.bytes, encoded.size + 1), &decoded), ERR_TRAILING);
    assert_int_equal(
        manifest_decode(span_of(encoded.bytes, sizeof encoded.bytes), &decoded), ERR_TOO_LARGE);
}

static void no_flipped_bit_is_accepted(void **)
{
    struct manifest manifest = sample();
    struct encoded encoded = encode(&manifest);
    struct manifest decoded;
    struct span span = span_of(encoded.bytes, encoded.size);
    for (size_t bit = 0; bit < encoded.size * 8; bit++) {
        encoded.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(manifest_decode(span, &decoded), OK);
        encoded.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    encoded.bytes[encoded.size - 1] ^= 1;
    assert_int_equal(manifest_parse(span, &decoded), OK);
    assert_int_equal(manifest_decode(span, &decoded), ERR_SIGNATURE);
}

static enum status decode_with_byte(size_t at, uint8_t byte)
{
    struct manifest manifest = sample();
    struct encoded encoded = encode(&manifest);
    struct manifest decoded;
    assert_int_not_equal(encoded.bytes[at], byte);
    encoded.bytes[at] = byte;
    return manifest_decode(span_of(encoded.bytes, encoded.size), &decoded);
}

// Offsets of the golden manifest: form 2, authority 34, version 1, chain id 3, contract 22.
enum {
    VERSION_AT = 36,
    PROFILE_AT = VERSION_AT + 1 + 3 + 22,
    IP_AT = PROFILE_AT + 1,
    LENGTH_AT = IP_AT + 6,
    URLS_AT = LENGTH_AT + 1 + 1 + 3 + 1,
};

static void each_failure_of_the_form_is_told(void **)
{
    assert_int_equal(decode_with_byte(1, VALUE_RECORD), ERR_VERSION);
    assert_int_equal(decode_with_byte(0, 0x9c), ERR_MALFORMED);
    assert_int_equal(decode_with_byte(0, 0xdc), ERR_NOT_CANONICAL);
    assert_int_equal(decode_with_byte(PROFILE_AT, 3), ERR_RANGE);
    assert_int_equal(decode_with_byte(LENGTH_AT, 33), ERR_RANGE);
    assert_int_equal(decode_with_byte(LENGTH_AT, 15), ERR_RANGE); // 213 has a bit beyond it
    assert_int_equal(decode_with_byte(IP_AT + 5, 1), ERR_RANGE);
    assert_int_equal(decode_with_byte(URLS_AT, 0x94), ERR_RANGE);
    assert_int_equal(decode_with_byte(URLS_AT + 1, 0xda), ERR_NOT_CANONICAL);
    assert_int_equal(decode_with_byte(URLS_AT + 2, 'f'), ERR_RANGE);
    assert_int_equal(decode_with_byte(URLS_AT + 12, ' '), ERR_RANGE);
    assert_int_equal(decode_with_byte(URLS_AT + 12, '@'), ERR_RANGE);
    assert_int_equal(decode_with_byte(URLS_AT + 12, 0x80), ERR_RANGE);
    assert_int_equal(decode_with_byte(VERSION_AT, 2), ERR_SIGNATURE);
}

static enum manifest_problem problem_of(const struct manifest *manifest)
{
    return manifest_check(manifest, false);
}

static enum manifest_problem problem_of_prefix(const char *text)
{
    struct manifest manifest = sample();
    assert_int_equal(prefix_parse(span_of_text(text), &manifest.ipv4), OK);
    return problem_of(&manifest);
}

static void the_prefix_must_be_private_and_small(void **)
{
    assert_int_equal(problem_of_prefix("10.213.0.0/16"), MANIFEST_FINE);
    assert_int_equal(problem_of_prefix("10.16.0.0/12"), MANIFEST_FINE);
    assert_int_equal(problem_of_prefix("172.16.0.0/12"), MANIFEST_FINE);
    assert_int_equal(problem_of_prefix("192.168.0.0/16"), MANIFEST_FINE);
    assert_int_equal(problem_of_prefix("100.64.0.0/12"), MANIFEST_FINE);
    assert_int_equal(problem_of_prefix("10.0.0.0/30"), MANIFEST_FINE);
    assert_int_equal(problem_of_prefix("10.0.0.0/31"), MANIFEST_PREFIX_LENGTH);
    assert_int_equal(problem_of_prefix("10.0.0.0/11"), MANIFEST_PREFIX_LENGTH);
    assert_int_equal(problem_of_prefix("0.0.0.0/0"), MANIFEST_PREFIX_LENGTH);
    assert_int_equal(problem_of_prefix("192.168.0.0/15"), MANIFEST_PREFIX_PUBLIC);
    assert_int_equal(problem_of_prefix("198.51.100.0/24"), MANIFEST_PREFIX_PUBLIC);
    assert_int_equal(problem_of_prefix("127.0.0.0/16"), MANIFEST_PREFIX_PUBLIC);
    assert_int_equal(problem_of_prefix("169.254.0.0/16"), MANIFEST_PREFIX_PUBLIC);
    assert_int_equal(problem_of_prefix("fd00::/16"), MANIFEST_PREFIX_NOT_IPV4);
}

static void each_problem_is_told(void **)
{
    const struct manifest good = sample();
    struct manifest manifest = good;
    manifest.version = 0;
    assert_int_equal(problem_of(&manifest), MANIFEST_VERSION_ZERO);
    manifest = good;
    manifest.network.chain_id = 0;
    assert_int_equal(problem_of(&manifest), MANIFEST_CHAIN_ZERO);
    manifest = good;
    memset(&manifest.network.contract, 0, sizeof manifest.network.contract);
    assert_int_equal(problem_of(&manifest), MANIFEST_CONTRACT_ZERO);
    manifest = good;
    manifest.poll_s = MANIFEST_POLL_MIN_S - 1;
    assert_int_equal(problem_of(&manifest), MANIFEST_POLL);
    manifest.poll_s = MANIFEST_POLL_MAX_S + 1;
    assert_int_equal(problem_of(&manifest), MANIFEST_POLL);
    manifest = good;
    manifest.grace_s = MANIFEST_GRACE_MAX_S + 1;
    assert_int_equal(problem_of(&manifest), MANIFEST_GRACE);
    manifest = good;
    manifest.delegation_window_days = 0;
    assert_int_equal(problem_of(&manifest), MANIFEST_WINDOW);
    manifest.delegation_window_days = MANIFEST_WINDOW_MAX_DAYS + 1;
    assert_int_equal(problem_of(&manifest), MANIFEST_WINDOW);
    manifest = good;
    set_url(&manifest, 1, "http://rpc.example.org");
    assert_int_equal(problem_of(&manifest), MANIFEST_RPC_HTTP);
    assert_int_equal(manifest_check(&manifest, true), MANIFEST_FINE);
    set_url(&manifest, 1, "https://user@rpc.example.org");
    assert_int_equal(problem_of(&manifest), MANIFEST_RPC_MALFORMED);
    set_url(&manifest, 1, "ftp://rpc.example.org");
    assert_int_equal(problem_of(&manifest), MANIFEST_RPC_MALFORMED);
    set_url(&manifest, 1, "https://");
    assert_int_equal(problem_of(&manifest), MANIFEST_RPC_MALFORMED);
    assert_string_equal(manifest_problem_text(MANIFEST_GRACE), "its grace time is over an hour");
}

static void the_encoder_signs_nothing_bad(void **)
{
    struct fixture_node authority = fixture_node(1);
    struct fixture_node other = fixture_node(2);
    struct manifest manifest = sample();
    uint8_t bytes[MANIFEST_MAX_SIZE];
    size_t size;
    assert_int_equal(manifest_encode(&manifest, &other.secret, bytes, &size), ERR_RANGE);
    manifest.poll_s = 1;
    assert_int_equal(manifest_encode(&manifest, &authority.secret, bytes, &size), ERR_RANGE);
}

static void an_update_keeps_the_immutable_parts(void **)
{
    struct fixture_node stranger = fixture_node(2);
    const struct manifest pinned = sample();
    struct manifest other = pinned;
    assert_int_equal(manifest_check_update(&pinned, &other), MANIFEST_SAME);
    other.poll_s++;
    assert_int_equal(manifest_check_update(&pinned, &other), MANIFEST_CONFLICTING);
    other.version++;
    assert_int_equal(manifest_check_update(&pinned, &other), MANIFEST_NEWER);
    assert_int_equal(manifest_check_update(&other, &pinned), MANIFEST_OLDER);
    other.authority = stranger.key;
    assert_int_equal(manifest_check_update(&pinned, &other), MANIFEST_OTHER_AUTHORITY);
    other = pinned;
    other.version++;
    other.network.chain_id++;
    assert_int_equal(manifest_check_update(&pinned, &other), MANIFEST_CHAIN_CHANGED);
    other.network = pinned.network;
    other.network.contract.bytes[0]++;
    assert_int_equal(manifest_check_update(&pinned, &other), MANIFEST_CONTRACT_CHANGED);
    other.network = pinned.network;
    other.profile = PROFILE_DETECT;
    assert_int_equal(manifest_check_update(&pinned, &other), MANIFEST_PROFILE_CHANGED);
    other.profile = pinned.profile;
    other.ipv4.length++;
    assert_int_equal(manifest_check_update(&pinned, &other), MANIFEST_PREFIX_CHANGED);
    other.ipv4 = pinned.ipv4;
    other.ipv4.base.ip[1]++;
    assert_int_equal(manifest_check_update(&pinned, &other), MANIFEST_PREFIX_CHANGED);
}

static void fingerprints_are_text_of_the_key(void **)
{
    struct fixture_node authority = fixture_node(1);
    struct dht_key key = key_of_manifest(&authority.key);
    struct dht_key parsed;
    char text[FINGERPRINT_TEXT_SIZE];
    fingerprint_format(&key, text);
    assert_int_equal(strlen(text), 32);
    assert_int_equal(fingerprint_parse(span_of_text(text), &parsed), OK);
    assert_true(dht_key_equal(&key, &parsed));
    text[0] = (char)(text[0] >= 'a' ? text[0] - ('a' - 'A') : text[0]);
    assert_int_equal(fingerprint_parse(span_of_text(text), &parsed), OK);
    assert_true(dht_key_equal(&key, &parsed));
    text[5] = '1';
    assert_int_equal(fingerprint_parse(span_of_text(text), &parsed), ERR_MALFORMED);
    assert_int_equal(fingerprint_parse(span_of_text("abc"), &parsed), ERR_MALFORMED);

    // RFC 4648, section 10: "fooba" is MZXW6YTB.
    memcpy(key.bytes, "foobafoobafoobafooba", sizeof key.bytes);
    fingerprint_format(&key, text);
    assert_string_equal(text, "mzxw6ytbmzxw6ytbmzxw6ytbmzxw6ytb");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifests_round_trip),
        cmocka_unit_test(three_urls_fit_or_are_too_large),
        cmocka_unit_test(truncations_and_additions_are_refused),
        cmocka_unit_test(no_flipped_bit_is_accepted),
        cmocka_unit_test(each_failure_of_the_form_is_told),
        cmocka_unit_test(the_prefix_must_be_private_and_small),
        cmocka_unit_test(each_problem_is_told),
        cmocka_unit_test(the_encoder_signs_nothing_bad),
        cmocka_unit_test(an_update_keeps_the_immutable_parts),
        cmocka_unit_test(fingerprints_are_text_of_the_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

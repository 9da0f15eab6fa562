// SPDX-License-Identifier: GPL-3.0-or-later
#include "base/text.h"
#include "nat/probe.h"
#include "tests/unit/unit.h"

#include <sodium.h>

struct member {
    struct wg_secret secret;
    struct wg_key key;
    struct token_id token;
};

static struct member member_of(uint8_t seed)
{
    struct member member = {.token = token_id_of_u64(seed)};
    memset(member.secret.bytes, seed, sizeof member.secret.bytes);
    crypto_scalarmult_base(member.key.bytes, member.secret.bytes);
    return member;
}

static struct probe_key key_of(
    const struct member *own, const struct member *peer, uint8_t network_seed)
{
    struct probe_pair pair = {
        .own_key = own->key,
        .peer_key = peer->key,
        .own_token = own->token,
        .peer_token = peer->token,
    };
    memset(pair.network.bytes, network_seed, sizeof pair.network.bytes);
    struct probe_key key;
    assert_int_equal(probe_key_derive(&own->secret, &pair, &key), OK);
    return key;
}

static const struct stun_transaction transaction = {{1, 2, 3}};

static struct stun_message request_of(const struct probe_key *key, uint8_t room[static PROBE_SIZE])
{
    struct writer writer = writer_of(room, PROBE_SIZE);
    assert_int_equal(probe_encode_request(&writer, key, &transaction), OK);
    assert_int_equal(writer.size, PROBE_SIZE);
    struct stun_message message;
    assert_int_equal(stun_decode(writer_written(&writer), &message), OK);
    return message;
}

// Computed by an independent program (Python's hashlib and the ladder of RFC 7748) from: secrets of
// 32 bytes 01 and 02, tokens 1 and 2, network id of 32 bytes 03, transaction id 01 to 0c; observed
// at 198.51.100.2:51820.
static const char golden_request[] =
    "000100342112a4420102030405060708090a0b0cdee000140000000000000000000000000000000000000000"
    "dee40018b9b8a875b54075e1a48b6a96638b092734e34ae2a9361103";
static const char golden_success[] =
    "010100282112a4420102030405060708090a0b0c002000080001eb7ee721c040dee400186008845ac528cc63"
    "85828249b9e27eef7390d2fe17c4c947";

static void test_golden(void **)
{
    static const struct stun_transaction counting = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}};
    const struct address observed = address_of_ipv4(198, 51, 100, 2, 51820);
    struct member a = member_of(1);
    struct member b = member_of(2);
    struct probe_key ab = key_of(&a, &b, 3);
    struct probe_key ba = key_of(&b, &a, 3);
    uint8_t room[PROBE_SIZE];
    char hex[2 * PROBE_SIZE + 1];
    struct writer writer = writer_of(room, sizeof room);
    assert_int_equal(probe_encode_request(&writer, &ab, &counting), OK);
    hex_format(writer_written(&writer), hex);
    assert_string_equal(hex, golden_request);
    writer = writer_of(room, sizeof room);
    assert_int_equal(probe_encode_success(&writer, &ba, &counting, &observed), OK);
    hex_format(writer_written(&writer), hex);
    assert_string_equal(hex, golden_success);
}

static void test_both_ends_derive_the_same(void **)
{
    struct member a = member_of(1);
    struct member b = member_of(2);
    struct probe_key ab = key_of(&a, &b, 0);
    struct probe_key ba = key_of(&b, &a, 0);
    assert_memory_equal(&ab.out, &ba.in, sizeof ab.out);
    assert_memory_equal(&ab.in, &ba.out, sizeof ab.in);
    assert_memory_not_equal(ab.out.key, ab.in.key, sizeof ab.out.key);
    assert_memory_not_equal(ab.out.tag, ab.in.tag, sizeof ab.out.tag);
}

static void test_keys_depend_on_everything(void **)
{
    struct member a = member_of(1);
    struct member b = member_of(2);
    struct probe_key base = key_of(&a, &b, 0);
    struct probe_key other_network = key_of(&a, &b, 1);
    struct member c = b;
    c.token = token_id_of_u64(3);
    struct probe_key other_token = key_of(&a, &c, 0);
    c = member_of(4);
    c.token = b.token;
    struct probe_key other_key = key_of(&a, &c, 0);
    assert_memory_not_equal(base.out.key, other_network.out.key, PROBE_KEY_SIZE);
    assert_memory_not_equal(base.out.key, other_token.out.key, PROBE_KEY_SIZE);
    assert_memory_not_equal(base.out.key, other_key.out.key, PROBE_KEY_SIZE);
}

static void test_request_is_accepted_and_bound(void **)
{
    struct member a = member_of(1);
    struct member b = member_of(2);
    struct member c = member_of(3);
    struct probe_key ab = key_of(&a, &b, 0);
    struct probe_key ba = key_of(&b, &a, 0);
    struct probe_key ca = key_of(&c, &a, 0);
    uint8_t room[PROBE_SIZE];
    struct stun_message message = request_of(&ab, room);
    assert_true(message.has_mac);
    assert_int_equal(probe_check(&ba, &message), OK);
    assert_int_equal(probe_check(&ca, &message), ERR_NOT_FOUND);
    assert_int_equal(probe_check(&ab, &message), ERR_NOT_FOUND); // reflected to its sender
    for (size_t i = 0; i < PROBE_SIZE; i++) {
        uint8_t flipped[PROBE_SIZE];
        struct stun_message changed;
        memcpy(flipped, room, sizeof flipped);
        flipped[i] ^= 0x01;
        if (stun_decode(span_of(flipped, sizeof flipped), &changed) == OK) {
            assert_int_not_equal(probe_check(&ba, &changed), OK);
        }
    }
    room[PROBE_SIZE - 1] ^= 1;
    assert_int_equal(stun_decode(span_of(room, sizeof room), &message), OK);
    assert_int_equal(probe_check(&ba, &message), ERR_SIGNATURE);
}

static void test_success_is_no_larger_than_the_request(void **)
{
    struct member a = member_of(1);
    struct member b = member_of(2);
    struct probe_key ab = key_of(&a, &b, 0);
    struct probe_key ba = key_of(&b, &a, 0);
    struct address observed[2] = {address_of_ipv4(198, 51, 100, 2, 4000),
        {.family = FAMILY_IPV6, .ip = {0x20, 1}, .port = 5000}};
    for (size_t i = 0; i < 2; i++) {
        uint8_t room[PROBE_SIZE];
        struct writer writer = writer_of(room, sizeof room);
        struct stun_message message;
        assert_int_equal(probe_encode_success(&writer, &ba, &transaction, &observed[i]), OK);
        assert_int_equal(stun_decode(writer_written(&writer), &message), OK);
        assert_int_equal(probe_check(&ab, &message), OK);
        assert_true(address_equal(&message.mapped, &observed[i]));
    }
}

static void test_short_request_is_refused(void **)
{
    struct member a = member_of(1);
    struct member b = member_of(2);
    struct probe_key ab = key_of(&a, &b, 0);
    struct probe_key ba = key_of(&b, &a, 0);
    uint8_t room[PROBE_SIZE];
    struct stun_message message = request_of(&ab, room);
    message.size = PROBE_SIZE - 4;
    assert_int_equal(probe_check(&ba, &message), ERR_TRUNCATED);
}

static void test_unauthenticated_is_not_found(void **)
{
    struct member a = member_of(1);
    struct member b = member_of(2);
    struct probe_key ba = key_of(&b, &a, 0);
    struct stun_message message = {.kind = STUN_REQUEST, .method = STUN_BINDING};
    memcpy(message.tag, ba.in.tag, sizeof message.tag);
    assert_int_equal(probe_check(&ba, &message), ERR_NOT_FOUND);
}

static void test_nothing_may_follow_the_mac(void **)
{
    struct member a = member_of(1);
    struct member b = member_of(2);
    struct probe_key ab = key_of(&a, &b, 0);
    struct probe_key ba = key_of(&b, &a, 0);
    uint8_t room[PROBE_SIZE + 20];
    struct writer writer = writer_of(room, sizeof room);
    struct stun_message message;
    assert_int_equal(probe_encode_request(&writer, &ab, &transaction), OK);
    stun_put_attribute(&writer, STUN_ATTRIBUTE_PAD, span_of(NULL, 0));
    assert_int_equal(stun_end(&writer), OK);
    assert_int_equal(stun_decode(writer_written(&writer), &message), ERR_MALFORMED);
    writer.size = PROBE_SIZE;
    stun_put_fingerprint(&writer); // the one exception
    assert_int_equal(stun_end(&writer), OK);
    assert_int_equal(stun_decode(writer_written(&writer), &message), OK);
    assert_int_equal(probe_check(&ba, &message), OK);
}

static void test_failures(void **)
{
    struct member a = member_of(1);
    struct member b = member_of(2);
    struct probe_key key = key_of(&a, &b, 0);
    struct probe_pair pair = {.own_key = a.key}; // the peer's key is the point zero
    assert_int_equal(probe_key_derive(&a.secret, &pair, &key), ERR_RANGE);
    uint8_t room[PROBE_SIZE - 1];
    struct writer writer = writer_of(room, sizeof room);
    assert_int_equal(probe_encode_request(&writer, &key, &transaction), ERR_FULL);
    probe_key_wipe(&key);
    assert_true(sodium_is_zero((const uint8_t *)&key, sizeof key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_both_ends_derive_the_same),
        cmocka_unit_test(test_keys_depend_on_everything),
        cmocka_unit_test(test_request_is_accepted_and_bound),
        cmocka_unit_test(test_success_is_no_larger_than_the_request),
        cmocka_unit_test(test_short_request_is_refused),
        cmocka_unit_test(test_unauthenticated_is_not_found),
        cmocka_unit_test(test_nothing_may_follow_the_mac),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

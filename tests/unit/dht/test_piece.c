// SPDX-License-Identifier: GPL-3.0-or-later
//
// Signatures in pieces: cut and joined at every size that matters, and what strangers put under
// their keys.
#include "dht/piece.h"

#include "tests/unit/unit.h"

static uint8_t content[PIECE_CONTENT_MAX];

static void fill(void)
{
    for (size_t i = 0; i < sizeof content; i++) {
        content[i] = (uint8_t)(i * 7 + i / 251);
    }
}

static struct delegation naming(const struct pieces *pieces, size_t size)
{
    struct delegation delegation = {.kind = DELEGATION_EIP1271_HASHED,
        .signature_size = sizeof pieces->root.bytes,
        .hashed_size = (uint16_t)size};
    memcpy(delegation.signature, pieces->root.bytes, sizeof pieces->root.bytes);
    return delegation;
}

static bool is_wanted(const struct piece_join *join, struct span value)
{
    struct hash256 wanted[PIECE_PARTS_MAX];
    struct hash256 hash = piece_hash(value);
    size_t count = piece_join_wanted(join, wanted);
    for (size_t i = 0; i < count; i++) {
        if (hash256_equal(&wanted[i], &hash)) {
            return true;
        }
    }
    return false;
}

static void whatever_is_cut_can_be_joined(void **)
{
    static const size_t sizes[] = {97, 130, 480, 499, 500, 501, 780, 960, 961, 4095, 4096};
    static const size_t counts[] = {1, 1, 1, 1, 1, 3, 3, 3, 4, 10, 10};
    fill();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct span whole = span_of(content, sizes[i]);
        struct pieces pieces;
        struct piece_join join;
        pieces_cut(whole, &pieces);
        assert_int_equal(pieces.count, counts[i]);
        struct delegation delegation = naming(&pieces, sizes[i]);
        assert_int_equal(piece_join_begin(&join, &delegation), OK);
        for (size_t k = pieces.count; k-- > 0;) { // the index is the last
            assert_false(piece_join_complete(&join));
            assert_true(pieces.list[k].size <= DHT_VALUE_MAX_SIZE);
            assert_true(is_wanted(&join, pieces.list[k]));
            assert_int_equal(piece_join_take(&join, pieces.list[k]), OK);
            assert_int_equal(piece_join_take(&join, pieces.list[k]), ERR_MISMATCH);
        }
        assert_true(piece_join_complete(&join));
        assert_true(span_equal(piece_join_content(&join), whole));
    }
}

static void pieces_lie_where_their_hash_says(void **)
{
    struct hash256 hash = piece_hash(span_of_text("a piece"));
    struct dht_key a = key_of_piece(span_of_text("a piece"));
    struct dht_key b = key_of_piece_hash(&hash);
    assert_true(dht_key_equal(&a, &b));
}

static void strangers_values_are_not_taken(void **)
{
    struct pieces pieces;
    struct piece_join join;
    fill();
    pieces_cut(span_of(content, 780), &pieces);
    struct delegation delegation = naming(&pieces, 780);
    assert_int_equal(piece_join_begin(&join, &delegation), OK);
    assert_int_equal(piece_join_take(&join, pieces.list[0]), ERR_MISMATCH); // before the index
    assert_int_equal(piece_join_take(&join, span_of_text("junk")), ERR_MISMATCH);
    assert_int_equal(piece_join_take(&join, span_of(content, 0)), ERR_MISMATCH);
    assert_int_equal(piece_join_take(&join, span_of(content, 501)), ERR_MISMATCH);
    assert_int_equal(piece_join_take(&join, pieces.list[2]), OK);
    assert_int_equal(piece_join_take(&join, span_of(content, 479)), ERR_MISMATCH);
    assert_int_equal(piece_join_take(&join, pieces.list[1]), OK);
    assert_false(piece_join_complete(&join));
}

// The owner's node names what cannot be: its own doing, and given up.
static void a_size_that_does_not_fit_is_given_up(void **)
{
    struct pieces pieces;
    struct piece_join join;
    fill();
    pieces_cut(span_of(content, 300), &pieces);
    struct delegation delegation = naming(&pieces, 301);
    assert_int_equal(piece_join_begin(&join, &delegation), OK);
    assert_int_equal(piece_join_take(&join, pieces.list[0]), ERR_MALFORMED);
    delegation = naming(&pieces, 501); // then it must be an index of two
    assert_int_equal(piece_join_begin(&join, &delegation), OK);
    assert_int_equal(piece_join_take(&join, pieces.list[0]), ERR_MALFORMED);
    pieces_cut(span_of(content, 780), &pieces);
    delegation = naming(&pieces, 781);
    assert_int_equal(piece_join_begin(&join, &delegation), OK);
    assert_int_equal(piece_join_take(&join, pieces.list[2]), OK);
    assert_int_equal(piece_join_take(&join, pieces.list[1]), ERR_MALFORMED);
}

static void equal_parts_come_once(void **)
{
    struct pieces pieces;
    struct piece_join join;
    memset(content, 5, sizeof content);
    pieces_cut(span_of(content, 960), &pieces);
    struct delegation delegation = naming(&pieces, 960);
    assert_int_equal(piece_join_begin(&join, &delegation), OK);
    assert_int_equal(piece_join_take(&join, pieces.list[2]), OK);
    assert_int_equal(piece_join_take(&join, pieces.list[0]), OK);
    assert_true(piece_join_complete(&join));
}

static void what_names_no_pieces(void **)
{
    struct pieces pieces;
    struct piece_join join;
    fill();
    pieces_cut(span_of(content, 300), &pieces);
    struct delegation delegation = naming(&pieces, 0);
    assert_int_equal(piece_join_begin(&join, &delegation), ERR_RANGE);
    delegation.hashed_size = PIECE_CONTENT_MAX + 1;
    assert_int_equal(piece_join_begin(&join, &delegation), ERR_RANGE);
    delegation.kind = DELEGATION_EIP1271;
    assert_int_equal(piece_join_begin(&join, &delegation), ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_cut_can_be_joined),
        cmocka_unit_test(pieces_lie_where_their_hash_says),
        cmocka_unit_test(strangers_values_are_not_taken),
        cmocka_unit_test(a_size_that_does_not_fit_is_given_up),
        cmocka_unit_test(equal_parts_come_once),
        cmocka_unit_test(what_names_no_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Signatures in pieces: any bytes as a piece, and a signature made of the input, whose pieces come
// in an order that it chooses, some of them altered. What is complete is what was cut.
#include "dht/piece.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void join_own(struct span content)
{
    struct pieces pieces;
    struct piece_join join;
    uint8_t altered[DHT_VALUE_MAX_SIZE];
    pieces_cut(content, &pieces);
    struct delegation delegation = {.kind = DELEGATION_EIP1271_HASHED,
        .signature_size = sizeof pieces.root.bytes,
        .hashed_size = (uint16_t)content.size};
    memcpy(delegation.signature, pieces.root.bytes, sizeof pieces.root.bytes);
    ASSERT(piece_join_begin(&join, &delegation) == OK);
    for (size_t i = 0; i < content.size && i < 64; i++) {
        struct span piece = pieces.list[content.data[i] % pieces.count];
        memcpy(altered, piece.data, piece.size);
        altered[content.data[i] % piece.size] ^= content.data[i] & 0x80;
        ASSERT(piece_join_take(&join, span_of(altered, piece.size)) != ERR_MALFORMED);
        if (piece_join_complete(&join)) {
            ASSERT(span_equal(piece_join_content(&join), content));
            return;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3) {
        return 0;
    }
    struct piece_join join;
    struct span rest = span_of(data + 2, size - 2);
    struct hash256 root = piece_hash(rest);
    struct delegation delegation = {.kind = DELEGATION_EIP1271_HASHED,
        .signature_size = sizeof root.bytes,
        .hashed_size = (uint16_t)(data[0] << 8 | data[1])};
    memcpy(delegation.signature, root.bytes, sizeof root.bytes);
    if (piece_join_begin(&join, &delegation) == OK) {
        struct hash256 wanted[PIECE_PARTS_MAX];
        ASSERT(piece_join_wanted(&join, wanted) == 1);
        if (piece_join_take(&join, rest) == OK && piece_join_complete(&join)) {
            ASSERT(span_equal(piece_join_content(&join), rest));
        }
    }
    if (rest.size <= PIECE_CONTENT_MAX) {
        join_own(rest);
    }
    return 0;
}

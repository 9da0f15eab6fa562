// SPDX-License-Identifier: GPL-3.0-or-later
//
// Cutting and joining. Nothing is taken that does not hash to what the owner's delegation names,
// directly or by the index.
#include "dht/piece.h"

#include <string.h>

static size_t parts_of(size_t size)
{
    return (size + PIECE_SIZE - 1) / PIECE_SIZE;
}

// Short enough to be one piece, without an index.
static bool is_single(size_t size)
{
    return size <= DHT_VALUE_MAX_SIZE;
}

static size_t part_size(size_t size, size_t index)
{
    size_t left = size - index * PIECE_SIZE;
    return left < PIECE_SIZE ? left : PIECE_SIZE;
}

void pieces_cut(struct span content, struct pieces *ret)
{
    ASSERT(content.size >= 1 && content.size <= PIECE_CONTENT_MAX);
    *ret = (struct pieces){.count = 0};
    if (is_single(content.size)) {
        ret->root = piece_hash(content);
        ret->list[ret->count++] = content;
        return;
    }
    for (size_t i = 0; i < parts_of(content.size); i++) {
        struct span part = span_of(content.data + i * PIECE_SIZE, part_size(content.size, i));
        ret->parts[i] = piece_hash(part);
        ret->list[ret->count++] = part;
    }
    struct span index = span_of(ret->parts[0].bytes, ret->count * sizeof ret->parts[0]);
    ret->root = piece_hash(index);
    ret->list[ret->count++] = index;
}

bool piece_content_fits(const struct delegation *delegation, struct span content)
{
    struct pieces pieces;
    if (delegation->kind != DELEGATION_EIP1271_HASHED) {
        return content.size == 0;
    }
    if (content.size == 0 || content.size > PIECE_CONTENT_MAX ||
        content.size != delegation->hashed_size ||
        delegation->signature_size != sizeof pieces.root.bytes) {
        return false;
    }
    pieces_cut(content, &pieces);
    return memcmp(delegation->signature, pieces.root.bytes, sizeof pieces.root.bytes) == 0;
}

enum status piece_join_begin(struct piece_join *join, const struct delegation *delegation)
{
    if (delegation->kind != DELEGATION_EIP1271_HASHED ||
        delegation->signature_size != sizeof join->root.bytes) {
        return ERR_UNSUPPORTED;
    }
    if (delegation->hashed_size == 0 || delegation->hashed_size > PIECE_CONTENT_MAX) {
        return ERR_RANGE;
    }
    memcpy(join->root.bytes, delegation->signature, sizeof join->root.bytes);
    join->size = delegation->hashed_size;
    join->has_index = is_single(join->size);
    join->missing = 1;
    join->parts[0] = join->root;
    return OK;
}

size_t piece_join_wanted(const struct piece_join *join, struct hash256 ret[static PIECE_PARTS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < PIECE_PARTS_MAX; i++) {
        if ((join->missing & 1U << i) != 0) {
            ret[count++] = join->parts[i];
        }
    }
    return count;
}

static enum status take_index(struct piece_join *join, struct span value)
{
    size_t parts = parts_of(join->size);
    if (value.size != parts * sizeof join->parts[0]) {
        return ERR_MALFORMED;
    }
    memcpy(join->parts, value.data, value.size);
    join->has_index = true;
    join->missing = (uint16_t)((1U << parts) - 1);
    return OK;
}

static enum status take_part(struct piece_join *join, size_t index, struct span value)
{
    bool single = is_single(join->size);
    if (value.size != (single ? join->size : part_size(join->size, index))) {
        return ERR_MALFORMED;
    }
    memcpy(join->bytes + index * PIECE_SIZE, value.data, value.size);
    join->missing &= (uint16_t) ~(1U << index);
    return OK;
}

enum status piece_join_take(struct piece_join *join, struct span value)
{
    if (value.size == 0 || value.size > DHT_VALUE_MAX_SIZE) {
        return ERR_MISMATCH;
    }
    struct hash256 hash = piece_hash(value);
    if (!join->has_index) {
        return hash256_equal(&hash, &join->root) ? take_index(join, value) : ERR_MISMATCH;
    }
    enum status status = ERR_MISMATCH;
    for (size_t i = 0; i < PIECE_PARTS_MAX; i++) { // equal parts come once
        if ((join->missing & 1U << i) != 0 && hash256_equal(&hash, &join->parts[i])) {
            status = take_part(join, i, value);
            if (status != OK) {
                return status;
            }
        }
    }
    return status;
}

bool piece_join_complete(const struct piece_join *join)
{
    return join->has_index && join->missing == 0;
}

struct span piece_join_content(const struct piece_join *join)
{
    ASSERT(piece_join_complete(join));
    return span_of(join->bytes, join->size);
}

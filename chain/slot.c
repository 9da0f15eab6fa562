// SPDX-License-Identifier: GPL-3.0-or-later
//
// Slot numbers: keccak256, and a little arithmetic modulo 2^256.
#include "chain/slot.h"

#include "chain/keccak.h"

#include <string.h>

struct storage_slot storage_slot_of_u64(uint64_t number)
{
    static const struct storage_slot zero = {{0}};
    return storage_slot_add(&zero, number);
}

static struct storage_slot slot_of_hash(struct span bytes)
{
    struct hash256 digest = keccak256(bytes);
    struct storage_slot slot;
    memcpy(slot.bytes, digest.bytes, sizeof slot.bytes);
    return slot;
}

struct storage_slot storage_slot_of_token(
    const struct token_id *token, const struct storage_slot *mapping)
{
    uint8_t bytes[sizeof token->bytes + sizeof mapping->bytes];
    memcpy(bytes, token->bytes, sizeof token->bytes);
    memcpy(bytes + sizeof token->bytes, mapping->bytes, sizeof mapping->bytes);
    return slot_of_hash(span_of(bytes, sizeof bytes));
}

struct storage_slot storage_slot_of_proxy(const char *name)
{
    struct storage_slot slot = slot_of_hash(span_of_text(name));
    for (size_t i = sizeof slot.bytes; i-- > 0;) {
        if (slot.bytes[i]-- != 0) {
            break;
        }
    }
    return slot;
}

struct storage_slot storage_slot_of_namespace(const char *name)
{
    struct storage_slot inner = storage_slot_of_proxy(name);
    struct storage_slot slot = slot_of_hash(span_of(inner.bytes, sizeof inner.bytes));
    slot.bytes[sizeof slot.bytes - 1] = 0;
    return slot;
}

struct storage_slot storage_slot_add(const struct storage_slot *slot, uint64_t offset)
{
    struct storage_slot sum = *slot;
    uint64_t carry = offset;
    for (size_t i = sizeof sum.bytes; i-- > 0 && carry > 0;) {
        uint64_t digit = (carry & 0xff) + sum.bytes[i];
        sum.bytes[i] = (uint8_t)digit;
        carry = (carry >> 8) + (digit >> 8);
    }
    return sum;
}

bool storage_slot_equal(const struct storage_slot *a, const struct storage_slot *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a contract stores about a token beside what verdicts need: kept for lists, if switched on.
#include "chain/gate_state.h"

#include <string.h>

static struct gate_detail *detail_of(const struct gate *gate, size_t slot, size_t provider)
{
    return &gate->details[slot * gate->config.providers + provider];
}

void gate_take_detail(struct gate *gate, size_t slot, size_t provider,
    const struct aggregate *aggregate, size_t place)
{
    bool success = false;
    struct span access;
    struct span node_id;
    uint64_t created_at_s = 0;
    if (gate->details == NULL || aggregate_result(aggregate, place, &success, &access) != OK) {
        return;
    }
    struct gate_detail *detail = detail_of(gate, slot, provider);
    *detail = (struct gate_detail){.node_id_size = 0};
    // A number that does not fit is no time.
    detail->created_at_s = abi_read_u64(access, 2, &created_at_s) == OK ? created_at_s : 0;
    if (abi_read_bytes(access, 0, &node_id) == OK && node_id.size > 0 &&
        node_id.size <= GATE_NODE_ID_MAX) {
        detail->node_id_size = (uint8_t)node_id.size;
        memcpy(detail->node_id, node_id.data, node_id.size);
    }
}

static bool details_equal(const struct gate_detail *a, const struct gate_detail *b)
{
    return a->created_at_s == b->created_at_s && a->node_id_size == b->node_id_size &&
           memcmp(a->node_id, b->node_id, a->node_id_size) == 0;
}

// The provider's answer, if it is a yes with a flag that could be read.
static const struct gate_answer *full_answer(
    const struct gate *gate, size_t slot, size_t provider, struct mono now)
{
    const struct gate_answer *answer = gate_usable_answer(gate, slot, provider, now);
    return answer != NULL && answer->value.kind == ANSWER_OWNED &&
                   answer->value.access == ACCESS_READ
               ? answer
               : NULL;
}

enum status gate_read_detail(
    const struct gate *gate, const struct token_id *token, struct now now, struct gate_detail *ret)
{
    size_t slot = gate_slot_find(gate, token);
    if (gate->details == NULL || slot == SIZE_MAX) {
        return ERR_NOT_FOUND;
    }
    for (size_t i = 0; i < gate->config.providers; i++) {
        const struct gate_answer *answer = full_answer(gate, slot, i, now.mono);
        size_t count = 0;
        for (size_t j = 0; answer != NULL && j < gate->config.providers; j++) {
            const struct gate_answer *other = full_answer(gate, slot, j, now.mono);
            count += other != NULL && gate_values_equal(gate, &answer->value, &other->value) &&
                             details_equal(detail_of(gate, slot, i), detail_of(gate, slot, j))
                         ? 1
                         : 0;
        }
        if (count >= gate->quorum) {
            *ret = *detail_of(gate, slot, i);
            return OK;
        }
    }
    return ERR_NOT_FOUND;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// A queue that is filled by one input and drained before the next.
#include "node/effects.h"

#include <string.h>

void effects_push(struct effects *effects, const struct node_effect *effect)
{
    if (effects->first == effects->count) {
        effects->first = 0;
        effects->count = 0;
        effects->bytes_used = 0;
    }
    size_t room = sizeof effects->bytes - effects->bytes_used;
    if (effects->count == EFFECTS_MAX || effect->bytes.size > room) {
        effects->dropped++;
        return;
    }
    struct node_effect *stored = &effects->list[effects->count++];
    *stored = *effect;
    if (effect->bytes.size > 0) {
        uint8_t *bytes = effects->bytes + effects->bytes_used;
        memcpy(bytes, effect->bytes.data, effect->bytes.size);
        stored->bytes = span_of(bytes, effect->bytes.size);
        effects->bytes_used = (uint16_t)(effects->bytes_used + effect->bytes.size);
    }
}

void effects_report(struct effects *effects, const struct node_report *report)
{
    struct node_effect effect = {.kind = EFFECT_REPORT, .report = *report};
    effects_push(effects, &effect);
}

bool effects_pop(struct effects *effects, struct node_effect *ret)
{
    if (effects->first == effects->count) {
        return false;
    }
    *ret = effects->list[effects->first++];
    return true;
}

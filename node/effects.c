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
    struct effect_entry *entry = &effects->list[effects->count++];
    *entry = (struct effect_entry){.kind = effect->kind,
        .bytes_at = effects->bytes_used,
        .bytes_size = (uint16_t)effect->bytes.size};
    if (effect->kind == EFFECT_REPORT) {
        entry->report = effect->report;
        return;
    }
    entry->op = effect->op;
    entry->value_id = effect->value_id;
    entry->token = effect->token;
    entry->owner = effect->owner;
    entry->key = effect->key;
    entry->to = effect->to;
    entry->port = effect->port;
    entry->ttl = effect->ttl;
    entry->flag = effect->flag;
    if (effect->bytes.size > 0) {
        memcpy(effects->bytes + effects->bytes_used, effect->bytes.data, effect->bytes.size);
        effects->bytes_used = (uint16_t)(effects->bytes_used + effect->bytes.size);
    }
}

bool effects_has_room(const struct effects *effects)
{
    return effects->first == effects->count ||
           (effects->count + EFFECTS_RESERVE <= EFFECTS_MAX &&
               effects->bytes_used + EFFECT_BYTES_RESERVE <= EFFECT_BYTES_MAX);
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
    const struct effect_entry *entry = &effects->list[effects->first++];
    *ret = (struct node_effect){.kind = entry->kind};
    if (entry->kind == EFFECT_REPORT) {
        ret->report = entry->report;
        return true;
    }
    ret->op = entry->op;
    ret->value_id = entry->value_id;
    ret->token = entry->token;
    ret->owner = entry->owner;
    ret->key = entry->key;
    ret->to = entry->to;
    ret->port = entry->port;
    ret->ttl = entry->ttl;
    ret->flag = entry->flag;
    ret->bytes = span_of(effects->bytes + entry->bytes_at, entry->bytes_size);
    return true;
}

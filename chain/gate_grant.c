// SPDX-License-Identifier: GPL-3.0-or-later
//
// Grants that have to settle: with `grant` safe or finalized, an owner who is new to a token is
// believed once k providers also name him at that block of theirs. What takes away is believed on
// `latest` always. A token that has settled stays so, across restarts, until `latest` shows another
// owner or a revocation.
#include "chain/gate_state.h"

#include <string.h>

static const char *const names[] = {
    [GRANT_LATEST] = "latest",
    [GRANT_SAFE] = "safe",
    [GRANT_FINALIZED] = "finalized",
};

const char *grant_tag_name(enum grant_tag tag)
{
    return names[tag];
}

enum status grant_tag_parse(struct span text, enum grant_tag *ret)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (span_equal(text, span_of_text(names[i]))) {
            *ret = (enum grant_tag)i;
            return OK;
        }
    }
    return ERR_MALFORMED;
}

struct rpc_block gate_grant_block(const struct gate *gate)
{
    return (struct rpc_block){.kind = gate->config.grant == GRANT_SAFE ? RPC_SAFE : RPC_FINALIZED};
}

// Whether a yes about the token must still be seen at the tag.
static bool is_pending(const struct gate *gate, const struct gate_token *token)
{
    return gate->config.grant != GRANT_LATEST && token->used && token->kind == VERDICT_YES &&
           !token->seat.granted;
}

bool gate_grant_call(
    struct gate *gate, size_t provider, size_t tokens_max, struct gate_inflight *call)
{
    uint8_t bit = (uint8_t)(1U << provider);
    size_t limit = tokens_max;
    call->count = 0;
    for (size_t i = 0; i < gate->config.tokens_max && call->count < limit; i++) {
        struct gate_token *token = &gate->tokens[i];
        if (!is_pending(gate, token) || ((token->grant_seen | token->grant_asked) & bit) != 0) {
            continue;
        }
        // A token that spoils calls has shown it in those at `latest`.
        uint16_t own_limit = gate_answer_of(gate, i, provider)->chunk_limit;
        if (own_limit != 0 && call->count >= own_limit) {
            continue;
        }
        limit = own_limit != 0 && own_limit < limit ? own_limit : limit;
        token->grant_asked |= bit;
        call->refs[call->count++] = gate_ref_of(gate, i);
    }
    call->kind = CALL_GRANT;
    return call->count > 0;
}

void gate_grant_ask_again(struct gate *gate, size_t provider)
{
    uint8_t bit = (uint8_t)(1U << provider);
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        gate->tokens[i].grant_asked &= (uint8_t)~bit;
    }
}

static size_t count_bits(uint8_t mask)
{
    size_t count = 0;
    for (; mask != 0; mask &= (uint8_t)(mask - 1)) {
        count++;
    }
    return count;
}

void gate_grant_take(
    struct gate *gate, const struct gate_inflight *call, const struct aggregate *aggregate)
{
    size_t reads_each = aggregate->count / call->count;
    for (size_t i = 0; i < call->count; i++) {
        size_t slot = gate_ref_slot(gate, call->refs[i]);
        struct gate_value value;
        if (slot == SIZE_MAX || !is_pending(gate, &gate->tokens[slot]) ||
            !gate_read_value(aggregate, i, reads_each, call->count == 1, &value)) {
            continue;
        }
        struct gate_token *token = &gate->tokens[slot];
        bool granted = value.kind == ANSWER_OWNED &&
                       eth_address_equal(&value.owner, &token->seat.owner) &&
                       (gate->profile != PROFILE_DSTACK_ACCESS ||
                           (value.access == ACCESS_READ && value.active));
        if (granted) {
            token->grant_seen |= (uint8_t)(1U << call->provider);
        }
        if (count_bits(token->grant_seen) >= gate->quorum) {
            token->seat.granted = true;
            gate->dirty = true;
            gate_mark_changed(gate, slot, false);
        }
    }
}

// `reading` is what `latest` says now.
void gate_grant_review(
    struct gate *gate, struct gate_token *token, const struct gate_reading *reading)
{
    bool revoked = reading->kind == VERDICT_NO ||
                   (reading->kind == VERDICT_YES && reading->has_access && !reading->active);
    bool sold =
        reading->kind == VERDICT_YES && !eth_address_equal(&reading->owner, &token->seat.owner);
    if (!revoked && !sold) {
        return;
    }
    token->grant_seen = 0;
    gate->dirty = gate->dirty || token->seat.granted;
    token->seat.granted = false;
}

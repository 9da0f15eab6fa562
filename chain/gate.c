// SPDX-License-Identifier: GPL-3.0-or-later
//
// The gate's tables: tokens, and each provider's answers to them.
#include "chain/gate_state.h"

#include <stdlib.h>

enum {
    TOKENS_MAX = UINT16_MAX,
    MEMBERS_MAX = 1 << 20,
    WALLETS_MAX = 1 << 16,
    POLL_MIN_MS = 100,
    ENUMERATE_DEFAULT_MS = 60000,
    GAP_DEFAULT = 64,
};

static enum status config_check(const struct gate_config *config)
{
    if (config->providers > GATE_PROVIDERS_MAX || config->tokens_max == 0 ||
        config->tokens_max > TOKENS_MAX || config->members_max > MEMBERS_MAX ||
        (config->poll_ms != 0 && config->poll_ms < POLL_MIN_MS) ||
        (config->logs_ms != 0 && config->logs_ms < POLL_MIN_MS) ||
        config->window_max_s > DELEGATION_WINDOW_MAX_S || config->wallets > WALLETS_MAX) {
        return ERR_RANGE;
    }
    switch (config->trust) {
    case TRUST_POLICY_QUORUM:
    case TRUST_POLICY_SINGLE:
    case TRUST_POLICY_PROOF:
        break;
    }
    switch (config->profile) {
    case PROFILE_DETECT:
    case PROFILE_ERC721:
    case PROFILE_DSTACK_ACCESS:
        return OK;
    }
    return ERR_RANGE;
}

static void set_if_zero(uint32_t *value, uint32_t fallback)
{
    if (*value == 0) {
        *value = fallback;
    }
}

static void config_fill(struct gate_config *config)
{
    set_if_zero(&config->poll_ms, GATE_POLL_DEFAULT_MS);
    set_if_zero(&config->head_age_max_ms, GATE_HEAD_AGE_DEFAULT_MS);
    set_if_zero(&config->enumerate_ms, ENUMERATE_DEFAULT_MS);
    set_if_zero(&config->enumerate_gap_max, GAP_DEFAULT);
    if (config->window_max_s == 0) {
        config->window_max_s = DELEGATION_WINDOW_MAX_S;
    }
}

static bool allocate_tables(struct gate *gate)
{
    const struct gate_config *config = &gate->config;
    size_t reads_max = 2 * gate->chunk_max;
    reads_max = reads_max < GATE_ENUMERATE_CHUNK ? GATE_ENUMERATE_CHUNK : reads_max;
    gate->enumerate_max = reads_max < GATE_CHUNK_TOKENS ? reads_max : GATE_CHUNK_TOKENS;
    gate->body_capacity =
        AGGREGATE_OVERHEAD_SIZE + (reads_max + AGGREGATE_FRAME) * AGGREGATE_CALL_SIZE;
    if (config->trust == TRUST_POLICY_PROOF && gate->body_capacity < gate_proof_body_size()) {
        gate->body_capacity = gate_proof_body_size();
    }
    gate->calls_max = config->providers * GATE_CALLS_PER_PROVIDER;
    gate->tokens = calloc(config->tokens_max, sizeof *gate->tokens);
    gate->answers = calloc(config->tokens_max * config->providers + 1, sizeof *gate->answers);
    gate->providers = calloc(config->providers + 1, sizeof *gate->providers);
    gate->details = config->details
                        ? calloc(config->tokens_max * config->providers + 1, sizeof *gate->details)
                        : NULL;
    gate->members = calloc(config->members_max + 1, sizeof *gate->members);
    gate->enumeration.verifies =
        config->members_max == 0
            ? NULL
            : calloc(gate->enumerate_max, sizeof gate->enumeration.verifies[0]);
    gate->calls = calloc(gate->calls_max + 1, sizeof *gate->calls);
    gate->refs = calloc(gate->calls_max * gate->chunk_max + 1, sizeof *gate->refs);
    gate->body = malloc(gate->body_capacity);
    if (gate->tokens == NULL || gate->answers == NULL || gate->providers == NULL ||
        gate->members == NULL || gate->calls == NULL || gate->refs == NULL || gate->body == NULL ||
        (config->details && gate->details == NULL) ||
        (config->members_max > 0 && gate->enumeration.verifies == NULL)) {
        return false;
    }
    for (size_t i = 0; i < gate->calls_max; i++) {
        gate->calls[i].refs = gate->refs + i * gate->chunk_max;
    }
    return gate_logs_create(gate);
}

enum status gate_create(const struct gate_config *config, struct rng *rng, struct gate **ret)
{
    enum status status = config_check(config);
    if (status != OK) {
        return status;
    }
    struct gate *gate = calloc(1, sizeof *gate);
    if (gate == NULL) {
        return ERR_FULL;
    }
    gate->config = *config;
    config_fill(&gate->config);
    gate->profile = config->profile;
    gate->quorum = config->trust == TRUST_POLICY_SINGLE ? 1 : config->providers / 2 + 1;
    gate->chunk_max =
        config->tokens_max < GATE_CHUNK_TOKENS ? config->tokens_max : GATE_CHUNK_TOKENS;
    gate->rng = rng_fork(rng);
    if (!allocate_tables(gate) || !gate_wallets_allocate(gate) ||
        (config->trust == TRUST_POLICY_PROOF && gate_proof_create(gate) != OK)) {
        gate_destroy(gate);
        return ERR_FULL;
    }
    for (size_t i = 0; i < config->providers; i++) {
        gate_begin_checks(gate, i);
        gate->providers[i].interface_due = true;
    }
    *ret = gate;
    return OK;
}

void gate_destroy(struct gate *gate)
{
    if (gate == NULL) {
        return;
    }
    gate_proof_destroy(gate);
    free(gate->tokens);
    free(gate->answers);
    free(gate->providers);
    for (size_t i = 0; gate->calls != NULL && i < gate->calls_max; i++) {
        reads_answers_free(gate->calls[i].answers);
    }
    gate_logs_destroy(gate);
    free(gate->details);
    free(gate->enumeration.verifies);
    free(gate->members);
    free(gate->calls);
    free(gate->refs);
    free(gate->body);
    gate_wallets_free(gate);
    free(gate);
}

struct gate_answer *gate_answer_of(const struct gate *gate, size_t slot, size_t provider)
{
    return &gate->answers[slot * gate->config.providers + provider];
}

size_t gate_slot_find(const struct gate *gate, const struct token_id *token)
{
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        if (gate->tokens[i].used && token_id_equal(&gate->tokens[i].id, token)) {
            return i;
        }
    }
    return SIZE_MAX;
}

// A free slot, else the best one to give up, else SIZE_MAX.
static size_t slot_to_use(const struct gate *gate)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        const struct gate_token *token = &gate->tokens[i];
        if (!token->used) {
            return i;
        }
        if (token->watched || token->refreshing) {
            continue;
        }
        const struct gate_token *other = best == SIZE_MAX ? NULL : &gate->tokens[best];
        if (other == NULL || (other->seat.taken && !token->seat.taken) ||
            (other->seat.taken == token->seat.taken && token->used_at.ms < other->used_at.ms)) {
            best = i;
        }
    }
    return best;
}

enum status gate_slot_claim(
    struct gate *gate, const struct token_id *token, struct mono now, size_t *ret)
{
    size_t slot = gate_slot_find(gate, token);
    if (slot == SIZE_MAX) {
        slot = slot_to_use(gate);
        if (slot == SIZE_MAX) {
            return ERR_FULL;
        }
        struct gate_token *fresh = &gate->tokens[slot];
        if (fresh->used && fresh->changed) {
            gate->changes--;
        }
        *fresh = (struct gate_token){
            .id = *token,
            .generation = (uint16_t)(fresh->generation + 1),
            .used = true,
            .kind = VERDICT_UNKNOWN,
            .reason = REASON_NOT_READ,
        };
        for (size_t i = 0; i < gate->config.providers; i++) {
            *gate_answer_of(gate, slot, i) = (struct gate_answer){.value = {.kind = ANSWER_NONE}};
        }
        gate_proof_clear_row(gate, slot);
    }
    gate->tokens[slot].used_at = now;
    *ret = slot;
    return OK;
}

struct gate_ref gate_ref_of(const struct gate *gate, size_t slot)
{
    return (struct gate_ref){.slot = (uint16_t)slot, .generation = gate->tokens[slot].generation};
}

size_t gate_ref_slot(const struct gate *gate, struct gate_ref ref)
{
    const struct gate_token *token = &gate->tokens[ref.slot];
    return token->used && token->generation == ref.generation ? ref.slot : SIZE_MAX;
}

void gate_mark_due(struct gate *gate, size_t slot, size_t provider)
{
    gate_answer_of(gate, slot, provider)->due = true;
}

void gate_mark_changed(struct gate *gate, size_t slot, bool owner_changed)
{
    struct gate_token *token = &gate->tokens[slot];
    if (!token->changed) {
        token->changed = true;
        gate->changes++;
    }
    token->owner_changed = token->owner_changed || owner_changed;
}

enum status gate_watch(struct gate *gate, const struct token_id *token, struct now now)
{
    size_t slot = 0;
    enum status status = gate_slot_claim(gate, token, now.mono, &slot);
    if (status != OK) {
        return status;
    }
    if (!gate->tokens[slot].watched) {
        gate->tokens[slot].watched = true;
        for (size_t i = 0; i < gate->config.providers; i++) {
            gate_mark_due(gate, slot, i);
        }
        gate_proof_want(gate, slot, now.mono, 0);
        gate_review(gate, slot, now.mono);
    }
    return OK;
}

void gate_unwatch(struct gate *gate, const struct token_id *token)
{
    size_t slot = gate_slot_find(gate, token);
    if (slot != SIZE_MAX) {
        gate->tokens[slot].watched = false;
    }
}

enum status gate_refresh(struct gate *gate, const struct token_id *token, struct now now)
{
    size_t slot = 0;
    enum status status = gate_slot_claim(gate, token, now.mono, &slot);
    if (status != OK) {
        return status;
    }
    bool wanted = false;
    for (size_t i = 0; i < gate->config.providers; i++) {
        struct gate_answer *answer = gate_answer_of(gate, slot, i);
        if (answer->value.kind == ANSWER_NONE ||
            mono_since(answer->read_at, now.mono) >= GATE_REFRESH_AGE_MS) {
            answer->due = true;
            wanted = true;
        }
    }
    gate_proof_want(gate, slot, now.mono, GATE_REFRESH_AGE_MS);
    wanted = wanted || gate_proof_pending(gate, slot, now.mono);
    gate->tokens[slot].refreshing = wanted;
    if (wanted) {
        gate_review(gate, slot, now.mono);
    } else {
        gate_mark_changed(gate, slot, false);
    }
    return OK;
}

void gate_on_network_change(struct gate *gate, struct now now)
{
    for (size_t i = 0; i < gate->config.providers; i++) {
        struct gate_provider *provider = &gate->providers[i];
        gate->enumeration.history.refused_until = now.mono;
        provider->failures = 0;
        provider->backing_off = false;
        provider->retry_at = now.mono;
        provider->check_due = now.mono;
        provider->poll_due = now.mono;
        if (provider->checks_pending == 0) {
            gate_begin_checks(gate, i);
        }
    }
    gate_proof_network_change(gate, now);
}

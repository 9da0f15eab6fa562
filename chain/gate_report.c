// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the gate tells others: events, names, trust, the state of its providers.
#include "chain/gate_state.h"

#include <string.h>

const char *verdict_kind_name(enum verdict_kind kind)
{
    switch (kind) {
    case VERDICT_UNKNOWN:
        return "unknown";
    case VERDICT_NO:
        return "no";
    case VERDICT_YES:
        return "yes";
    }
    return "invalid";
}

const char *verdict_reason_name(enum verdict_reason reason)
{
    static const char *const names[] = {
        [REASON_AUTHORISED] = "authorised",
        [REASON_NOT_OWNED] = "not_owned",
        [REASON_NOT_ACTIVE] = "not_active",
        [REASON_OTHER_OWNER] = "other_owner",
        [REASON_SIGNATURE] = "signature",
        [REASON_EXPIRED] = "expired",
        [REASON_NOT_YET] = "not_yet",
        [REASON_WINDOW] = "window",
        [REASON_EPOCH_FUTURE] = "epoch_future",
        [REASON_EPOCH_OLD] = "epoch_old",
        [REASON_OUTRANKED] = "outranked",
        [REASON_TOMBSTONE] = "tombstone",
        [REASON_REPLAYED] = "replayed",
        [REASON_KEY_MISMATCH] = "key_mismatch",
        [REASON_KEY_UNUSABLE] = "key_unusable",
        [REASON_KEY_TAKEN] = "key_taken",
        [REASON_WALLET_REFUSED] = "wallet_refused",
        [REASON_NO_WALLET] = "no_wallet",
        [REASON_UNDEPLOYED] = "undeployed",
        [REASON_NOT_DELEGATE] = "not_delegate",
        [REASON_NOT_READ] = "not_read",
        [REASON_NO_PROVIDER] = "no_provider",
        [REASON_NO_ANSWER] = "no_answer",
        [REASON_DISAGREE] = "disagree",
        [REASON_STALE_HEAD] = "stale_head",
        [REASON_WRONG_CHAIN] = "wrong_chain",
        [REASON_NO_CODE] = "no_code",
        [REASON_PROFILE] = "profile",
        [REASON_CONTRACT] = "contract",
        [REASON_KIND] = "kind",
        [REASON_SIGNATURE_AWAY] = "signature_away",
        [REASON_WALLET_ASKED] = "wallet_asked",
        [REASON_WALLET_SILENT] = "wallet_silent",
        [REASON_NO_REGISTRY] = "no_registry",
        [REASON_WALLETS_FULL] = "wallets_full",
        [REASON_NOT_PROVEN] = "not_proven",
        [REASON_CONTRADICTED] = "contradicted",
        [REASON_NOT_SETTLED] = "not_settled",
        [REASON_TABLE_FULL] = "table_full",
    };
    return names[reason];
}

#define NAME_ENTRY(value, name, text) [value] = (name),
#define TEXT_ENTRY(value, name, text) [value] = (text),

const char *gate_check_name(enum gate_check_kind check)
{
    static const char *const names[] = {GATE_CHECK_LIST(NAME_ENTRY)};
    return names[check];
}

const char *gate_check_text(enum gate_check_kind check)
{
    static const char *const texts[] = {GATE_CHECK_LIST(TEXT_ENTRY)};
    return texts[check];
}

#undef NAME_ENTRY
#undef TEXT_ENTRY

const char *provider_health_name(enum provider_health health)
{
    switch (health) {
    case PROVIDER_UNCHECKED:
        return "unchecked";
    case PROVIDER_GOOD:
        return "good";
    case PROVIDER_UNREACHABLE:
        return "unreachable";
    case PROVIDER_FAULTY:
        return "faulty";
    case PROVIDER_RATE_LIMITED:
        return "rate_limited";
    case PROVIDER_WRONG_CHAIN:
        return "wrong_chain";
    case PROVIDER_NO_CODE:
        return "no_code";
    case PROVIDER_STALE:
        return "stale";
    }
    return "invalid";
}

const char *gate_way_name(enum gate_way way)
{
    switch (way) {
    case GATE_WAY_NONE:
        return "none";
    case GATE_WAY_INDEX:
        return "index";
    case GATE_WAY_SEQUENTIAL:
        return "sequential";
    case GATE_WAY_LOGS:
        return "logs";
    }
    return "invalid";
}

const char *trust_policy_name(enum trust_policy policy)
{
    switch (policy) {
    case TRUST_POLICY_QUORUM:
        return "quorum";
    case TRUST_POLICY_SINGLE:
        return "single";
    case TRUST_POLICY_PROOF:
        return "proof";
    }
    return "invalid";
}

enum status trust_policy_parse(struct span text, enum trust_policy *ret)
{
    static const enum trust_policy all[] = {
        TRUST_POLICY_QUORUM, TRUST_POLICY_SINGLE, TRUST_POLICY_PROOF};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (span_equal(text, span_of_text(trust_policy_name(all[i])))) {
            *ret = all[i];
            return OK;
        }
    }
    return ERR_MALFORMED;
}

const char *proof_standing_name(enum proof_standing standing)
{
    static const char *const names[] = {
#define NAME_ENTRY(value, name, text) [value] = (name),
        PROOF_STANDING_LIST(NAME_ENTRY)
#undef NAME_ENTRY
    };
    return names[standing];
}

const char *proof_standing_text(enum proof_standing standing)
{
    static const char *const texts[] = {
#define TEXT_ENTRY(value, name, text) [value] = (text),
        PROOF_STANDING_LIST(TEXT_ENTRY)
#undef TEXT_ENTRY
    };
    return texts[standing];
}

bool proof_demanded(enum proof_standing standing)
{
    return standing == PROOF_ON || standing == PROOF_LACKING;
}

const char *proof_fault_name(enum proof_fault fault)
{
    static const char *const names[PROOF_FAULTS] = {
#define NAME_ENTRY(value, name) [value] = (name),
        PROOF_FAULT_LIST(NAME_ENTRY)
#undef NAME_ENTRY
    };
    return names[fault];
}

static bool next_token_event(struct gate *gate, struct gate_event *ret)
{
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        struct gate_token *token = &gate->tokens[i];
        if (token->used && token->changed) {
            *ret = (struct gate_event){.kind = GATE_EVENT_TOKEN,
                .token = token->id,
                .owner_changed = token->owner_changed,
                .refreshing = token->refreshing};
            token->changed = false;
            token->owner_changed = false;
            gate->changes--;
            return true;
        }
    }
    return false;
}

static bool next_member_event(struct gate *gate, struct gate_event *ret)
{
    for (size_t i = 0; i < gate->member_count; i++) {
        struct gate_member *member = &gate->members[i];
        if (member->state == MEMBER_KNOWN) {
            continue;
        }
        bool gone = member->state == MEMBER_GONE;
        *ret = (struct gate_event){
            .kind = gone ? GATE_EVENT_MEMBER_GONE : GATE_EVENT_MEMBER, .token = member->id};
        member->state = MEMBER_KNOWN;
        gate->changes--;
        if (gone) {
            gate->member_count--;
            memmove(member, member + 1, (gate->member_count - i) * sizeof *member);
        }
        return true;
    }
    return false;
}

bool gate_next_event(struct gate *gate, struct gate_event *ret)
{
    for (size_t i = 0; i < gate->config.providers; i++) {
        if (gate->providers[i].health_changed) {
            gate->providers[i].health_changed = false;
            *ret = (struct gate_event){.kind = GATE_EVENT_PROVIDER, .provider = i};
            return true;
        }
    }
    if (gate->proof != NULL && gate->proof->announce) {
        gate->proof->announce = false;
        *ret = (struct gate_event){.kind = GATE_EVENT_PROOF};
        return true;
    }
    if (gate->profile_changed) {
        gate->profile_changed = false;
        *ret = (struct gate_event){.kind = GATE_EVENT_PROFILE};
        return true;
    }
    if (gate->changes > 0 && (next_token_event(gate, ret) || next_member_event(gate, ret))) {
        return true;
    }
    if (gate->enumeration.announce) {
        gate->enumeration.announce = false;
        *ret = (struct gate_event){.kind = GATE_EVENT_ENUMERATED,
            .count = gate->member_count,
            .bounded = gate->enumeration.bounded};
        return true;
    }
    return false;
}

struct gate_enumeration_status gate_enumeration_status(const struct gate *gate)
{
    const struct gate_enumeration *round = &gate->enumeration;
    const struct gate_history *history = &round->history;
    bool by_logs = round->way == GATE_WAY_LOGS;
    uint64_t walked = history->step == HISTORY_WALK && history->walk.next > history->deployed
                          ? history->walk.next - history->deployed
                          : 0;
    uint64_t history_total =
        history->head >= history->deployed ? history->head - history->deployed + 1 : 0;
    uint64_t index_total = round->way == GATE_WAY_INDEX ? round->total : 0;
    return (struct gate_enumeration_status){
        .way = round->way,
        .running = round->state != ENUMERATION_IDLE,
        .searched = by_logs ? walked : round->next,
        .total = by_logs ? history_total : index_total,
        .passed = by_logs ? history->walk.passed : 0,
        .bounded = round->bounded,
    };
}

size_t gate_member_count(const struct gate *gate)
{
    return gate->member_count;
}

struct token_id gate_member(const struct gate *gate, size_t index)
{
    ASSERT(index < gate->member_count);
    return gate->members[index].id;
}

enum contract_profile gate_profile(const struct gate *gate)
{
    return gate->profile;
}

struct gate_trust gate_trust(const struct gate *gate)
{
    struct gate_trust trust = {.level = TRUST_NONE,
        .grant = gate->config.grant,
        .grace_ms = gate->config.grace_ms,
        .policy = gate->config.trust,
        .proof = gate->proof != NULL ? gate->proof->standing : PROOF_OFF,
        .proof_block = gate->proof != NULL ? gate->proof->block : 0,
        .quorum = gate->quorum,
        .providers = gate->config.providers};
    for (size_t i = 0; i < gate->config.providers; i++) {
        trust.good += gate->providers[i].health == PROVIDER_GOOD ? 1 : 0;
    }
    if (trust.good >= trust.quorum) {
        trust.level = trust.quorum == 1         ? TRUST_SINGLE // who also says what block there is
                      : gate_proof_active(gate) ? TRUST_PROOF
                                                : TRUST_QUORUM;
    }
    return trust;
}

uint64_t gate_without_quorum_ms(const struct gate *gate, struct now now)
{
    return gate->quorum_lost ? mono_since(gate->quorum_lost_at, now.mono) : 0;
}

enum status gate_last_check_ms(
    const struct gate *gate, const struct token_id *token, struct now now, uint64_t *ret)
{
    size_t slot = gate_slot_find(gate, token);
    if (slot == SIZE_MAX || !gate->tokens[slot].was_read) {
        return ERR_NOT_FOUND;
    }
    *ret = mono_since(gate->tokens[slot].read_at, now.mono);
    return OK;
}

struct gate_provider_status gate_provider_status(
    const struct gate *gate, size_t provider, struct now now)
{
    ASSERT(provider < gate->config.providers);
    const struct gate_provider *shown = &gate->providers[provider];
    const struct gate_log_source *logs = gate->logs == NULL ? NULL : &gate->logs->sources[provider];
    uint64_t head_ms = shown->head_time_s * 1000;
    uint64_t time_ms = gate_time(gate, now).ms;
    struct gate_provider_status status = {
        .logs_absent = logs != NULL && logs->absent,
        .logs_blocks = logs != NULL && logs->started ? logs->range.blocks : 0,
        .health = shown->health,
        .head_number = shown->head_number,
        .head_time_s = shown->head_time_s,
        .chain_id = shown->chain_id,
        .failures = shown->failures,
        .circuit_open = shown->failures >= GATE_BREAKER_FAILURES,
        .retry_in_ms = mono_since(now.mono, shown->retry_at),
        .calls = shown->calls,
        .faults = shown->faults,
        .disputes = shown->disputes,
        .rate_limits = shown->rate_limits,
        .bytes_out = shown->bytes_out,
        .bytes_in = shown->bytes_in,
        .latency_ms = shown->latency_x8_ms / GATE_LATENCY_SHARE,
        .latency_last_ms = shown->latency_last_ms,
        .head_age_ms = head_ms != 0 && head_ms < time_ms ? time_ms - head_ms : 0,
        .way = shown->way,
        .proofs = shown->proofs,
    };
    gate_meter_hour(shown, now.mono, &status);
    memcpy(status.proof_faults, shown->proof_faults, sizeof status.proof_faults);
    return status;
}

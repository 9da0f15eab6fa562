// SPDX-License-Identifier: GPL-3.0-or-later
//
// Verdicts. What can be judged without the chain comes first, so that a forged or expired
// delegation is refused even when no provider answers; then what the chain says; then the floors.
// Only the last step of a yes changes anything.
#include "chain/gate_state.h"

#include "base/text.h"
#include "chain/eip55.h"

static struct verdict verdict_of(const struct delegation *delegation, enum verdict_reason reason)
{
    static const enum verdict_kind kinds[] = {
#define KIND_ENTRY(name, kind, text) [name] = (kind),
        VERDICT_REASON_LIST(KIND_ENTRY)
#undef KIND_ENTRY
    };
    return (struct verdict){
        .kind = kinds[reason],
        .reason = reason,
        .token = delegation->token,
        .until = mono_never(),
    };
}

// REASON_AUTHORISED if the delegation's times hold at time `at_s`.
static enum verdict_reason check_times(
    const struct gate *gate, const struct delegation *delegation, uint64_t at_s)
{
    if (delegation->not_after_s < delegation->not_before_s ||
        delegation->not_after_s - delegation->not_before_s >
            gate->config.window_max_s + DELEGATION_HEAD_START_S) {
        return REASON_WINDOW;
    }
    if (delegation->not_after_s < at_s) { // valid through its last second
        return REASON_EXPIRED;
    }
    if (delegation->epoch_s > at_s + GATE_EPOCH_FUTURE_MAX_S) {
        return REASON_EPOCH_FUTURE;
    }
    return delegation->not_before_s > at_s ? REASON_NOT_YET : REASON_AUTHORISED;
}

// REASON_AUTHORISED if the delegation holds by itself at time `at_s`, but for a signature that only
// the chain can judge: then `*ret_asks`.
static enum verdict_reason check_delegation(
    struct gate *gate, const struct gate_claim *claim, uint64_t at_s, bool *ret_asks)
{
    enum verdict_reason by_signature = gate_signature_local(gate, claim, ret_asks);
    return by_signature == REASON_AUTHORISED ? check_times(gate, claim->delegation, at_s)
                                             : by_signature;
}

// REASON_AUTHORISED if nothing that the owner signed later stands against the claim.
static enum verdict_reason check_floors(
    const struct gate_seat *seat, const struct gate_claim *claim)
{
    const struct delegation *delegation = claim->delegation;
    if (!eth_address_equal(&seat->owner, &delegation->owner)) {
        return REASON_AUTHORISED;
    }
    if (seat->epoch_min_s != 0 && delegation->epoch_s <= seat->epoch_min_s) {
        return REASON_EPOCH_OLD;
    }
    if (!seat->taken || delegation->epoch_s > seat->epoch_s) {
        return REASON_AUTHORISED;
    }
    int order = node_key_compare(&delegation->node_key, &seat->node_key);
    if (delegation->epoch_s < seat->epoch_s || order > 0) {
        return node_key_is_zero(&seat->node_key) ? REASON_TOMBSTONE : REASON_OUTRANKED;
    }
    return order == 0 && claim->sequence < seat->sequence ? REASON_REPLAYED : REASON_AUTHORISED;
}

static enum verdict_reason check_stored_key(
    const struct gate_reading *reading, const struct gate_claim *claim)
{
    switch (reading->stored_key) {
    case STORED_KEY_EMPTY: // as after a transfer: the delegation alone decides, as in ERC-721
        return REASON_AUTHORISED;
    case STORED_KEY_UNUSABLE:
        return REASON_KEY_UNUSABLE;
    case STORED_KEY_USABLE:
        break;
    }
    return wg_key_equal(&reading->wg_key, &claim->wg_key) ? REASON_AUTHORISED : REASON_KEY_MISMATCH;
}

// A proven owner is known even where the rest, and so the reading, is not.
static bool names_owner(const struct gate_reading *reading)
{
    return reading->kind == VERDICT_YES ||
           (reading->kind == VERDICT_UNKNOWN && reading->owner_proven);
}

static enum verdict_reason check_reading(
    const struct gate_reading *reading, const struct gate_claim *claim)
{
    if (names_owner(reading) && !eth_address_equal(&reading->owner, &claim->delegation->owner)) {
        return REASON_OTHER_OWNER;
    }
    if (reading->kind != VERDICT_YES) {
        return reading->reason;
    }
    if (!reading->has_access || delegation_is_tombstone(claim->delegation)) {
        return REASON_AUTHORISED;
    }
    return reading->active ? check_stored_key(reading, claim) : REASON_NOT_ACTIVE;
}

static void take_seat(
    struct gate *gate, struct gate_seat *seat, const struct gate_claim *claim, uint64_t at_ms)
{
    const struct delegation *delegation = claim->delegation;
    bool tombstone = delegation_is_tombstone(delegation);
    bool moved = !seat->taken || seat->epoch_s != delegation->epoch_s ||
                 !node_key_equal(&seat->node_key, &delegation->node_key);
    if (moved) {
        seat->taken = true;
        seat->epoch_s = delegation->epoch_s;
        seat->node_key = delegation->node_key;
        seat->sequence = claim->sequence;
        seat->last_yes_ms = 0;
        gate->dirty = true;
    }
    if (claim->sequence > seat->sequence) {
        seat->sequence = claim->sequence;
        gate->dirty = true;
    }
    if (!tombstone && at_ms > seat->last_yes_ms) {
        gate->dirty = gate->dirty || at_ms - seat->last_yes_ms >= GATE_LAST_YES_STEP_MS ||
                      seat->last_yes_ms == 0;
        seat->last_yes_ms = at_ms;
    }
}

// What is left of the grace of the node that holds the seat.
static uint64_t grace_left(const struct gate *gate, const struct gate_seat *seat,
    const struct delegation *delegation, uint64_t at_ms)
{
    if (!seat->taken || seat->last_yes_ms == 0 || delegation_is_tombstone(delegation) ||
        !eth_address_equal(&seat->owner, &delegation->owner) ||
        !node_key_equal(&seat->node_key, &delegation->node_key)) {
        return 0;
    }
    uint64_t passed_ms = at_ms > seat->last_yes_ms ? at_ms - seat->last_yes_ms : 0;
    return passed_ms < gate->config.grace_ms ? gate->config.grace_ms - passed_ms : 0;
}

// When a yes or a grace ends by itself.
static struct mono verdict_end(
    struct now now, const struct delegation *delegation, uint64_t at_ms, uint64_t grace_ms)
{
    // After its last second, or the same verdict would be due again and again within that second.
    uint64_t expiry_ms = delegation->not_after_s >= UINT64_MAX / 1000
                             ? UINT64_MAX
                             : (delegation->not_after_s + 1) * 1000;
    uint64_t left_ms = expiry_ms > at_ms ? expiry_ms - at_ms : 0;
    if (grace_ms != 0 && grace_ms < left_ms) {
        left_ms = grace_ms;
    }
    return mono_add(now.mono, left_ms);
}

// What the chain and the floors say of a claim that holds by itself.
static enum verdict_reason check_seat(const struct gate *gate, const struct gate_seat *seat,
    const struct gate_reading *reading, const struct gate_claim *claim)
{
    enum verdict_reason by_chain = check_reading(reading, claim);
    if (verdict_of(claim->delegation, by_chain).kind == VERDICT_NO) {
        return by_chain;
    }
    enum verdict_reason by_floors = check_floors(seat, claim);
    if (by_floors != REASON_AUTHORISED) {
        return by_floors;
    }
    bool settled = gate->config.grant == GRANT_LATEST || seat->granted ||
                   delegation_is_tombstone(claim->delegation);
    return by_chain == REASON_AUTHORISED && !settled ? REASON_NOT_SETTLED : by_chain;
}

struct verdict gate_decide(struct gate *gate, struct now now, const struct gate_claim *claim)
{
    static const struct gate_seat no_seat = {.taken = false};
    const struct delegation *delegation = claim->delegation;
    uint64_t at_ms = gate_time(gate, now).ms;
    size_t slot = gate_slot_find(gate, &delegation->token);
    const struct gate_seat *seat = slot == SIZE_MAX ? &no_seat : &gate->tokens[slot].seat;
    struct gate_reading reading = gate_read(gate, &delegation->token, now);
    bool asks = false;
    enum verdict_reason reason = check_delegation(gate, claim, at_ms / 1000, &asks);
    if (reason == REASON_AUTHORISED) {
        reason = check_seat(gate, seat, &reading, claim);
    }
    asks = asks && !(claim->accepted && delegation_is_tombstone(delegation));
    if (reason == REASON_AUTHORISED && asks && slot != SIZE_MAX) {
        reason = gate_wallet_judge(gate, now.mono, slot, claim);
    }
    if (reason == REASON_AUTHORISED && slot != SIZE_MAX) {
        gate->tokens[slot].used_at = now.mono;
        take_seat(gate, &gate->tokens[slot].seat, claim, at_ms);
        reason = delegation_is_tombstone(delegation) ? REASON_TOMBSTONE : reason;
    }
    struct verdict verdict = verdict_of(delegation, reason);
    verdict.owner = reading.owner;
    // What has yet to settle was not yes before: there is nothing that grace could prolong.
    if (verdict.kind == VERDICT_UNKNOWN && reason != REASON_KIND && reason != REASON_NOT_SETTLED) {
        verdict.grace_left_ms = grace_left(gate, seat, delegation, at_ms);
    }
    if (verdict.kind == VERDICT_YES || verdict.grace_left_ms != 0) {
        verdict.until = verdict_end(now, delegation, at_ms, verdict.grace_left_ms);
    }
    if (asks && slot != SIZE_MAX) { // also after a refusal: a wallet may accept it again
        verdict.until = mono_min(verdict.until, gate_wallet_until(now.mono));
    }
    return verdict;
}

static struct gate_check check_of(enum verdict_reason reason)
{
    static const struct delegation none = {.token = {{0}}};
    return (struct gate_check){.kind = verdict_of(&none, reason).kind, .reason = reason};
}

void gate_explain(struct gate *gate, struct now now, const struct gate_claim *claim,
    struct gate_check ret[static GATE_CHECKS])
{
    static const struct gate_seat no_seat = {.taken = false};
    const struct delegation *delegation = claim->delegation;
    size_t slot = gate_slot_find(gate, &delegation->token);
    const struct gate_seat *seat = slot == SIZE_MAX ? &no_seat : &gate->tokens[slot].seat;
    struct gate_reading reading = gate_read(gate, &delegation->token, now);
    bool exists = reading.kind == VERDICT_YES;
    bool flagged = exists && reading.has_access && !delegation_is_tombstone(delegation);
    bool asks = false;
    enum verdict_reason signature = gate_signature_local(gate, claim, &asks);
    if (signature == REASON_AUTHORISED && asks) {
        signature =
            slot == SIZE_MAX ? REASON_NOT_READ : gate_wallet_judge(gate, now.mono, slot, claim);
    }
    bool by_owner = eth_address_equal(&reading.owner, &delegation->owner);
    bool named = names_owner(&reading);
    // Revoked is all that is known of it: its owner waits for a proof.
    bool revoked = reading.kind == VERDICT_NO && reading.reason == REASON_NOT_ACTIVE;
    enum verdict_reason otherwise = revoked ? REASON_NOT_PROVEN : reading.reason;
    ret[GATE_CHECK_TOKEN] = check_of(named ? REASON_AUTHORISED : otherwise);
    ret[GATE_CHECK_ACTIVE] = check_of(!exists                      ? reading.reason
                                      : flagged && !reading.active ? REASON_NOT_ACTIVE
                                                                   : REASON_AUTHORISED);
    ret[GATE_CHECK_OWNER] = check_of(!named     ? otherwise
                                     : by_owner ? REASON_AUTHORISED
                                                : REASON_OTHER_OWNER);
    ret[GATE_CHECK_STORED_KEY] = check_of(!exists   ? otherwise
                                          : flagged ? check_stored_key(&reading, claim)
                                                    : REASON_AUTHORISED);
    ret[GATE_CHECK_SIGNATURE] = check_of(signature);
    ret[GATE_CHECK_TIMES] = check_of(check_times(gate, delegation, gate_time(gate, now).ms / 1000));
    ret[GATE_CHECK_RANK] = check_of(check_floors(seat, claim));
}

// What a person can do about it; %s is the token.
static const char *next_step(enum verdict_reason reason)
{
    switch (reason) {
    case REASON_AUTHORISED:
        return "";
    case REASON_NOT_OWNED:
        return "; check the token id and the contract with `deedmesh info`";
    case REASON_NOT_ACTIVE:
        return "; ask whoever runs the contract to grant access again";
    case REASON_OTHER_OWNER:
    case REASON_SIGNATURE:
    case REASON_EXPIRED:
    case REASON_WINDOW:
    case REASON_EPOCH_FUTURE:
    case REASON_EPOCH_OLD:
    case REASON_OUTRANKED:
    case REASON_TOMBSTONE:
    case REASON_WALLET_REFUSED:
        return "; its owner may run `deedmesh authorize %s`";
    case REASON_NO_WALLET:
        return "; sign with the owner's key, and run `deedmesh authorize %s`";
    case REASON_UNDEPLOYED:
        return "; deploy the wallet first, and run `deedmesh authorize %s`";
    case REASON_NOT_DELEGATE:
        return "; let its owner delegate in the registry, or run `deedmesh authorize %s`";
    case REASON_NOT_YET:
        return "; wait, or check the clock of the machine that signed it";
    case REASON_REPLAYED:
        return "; wait for that node's next record";
    case REASON_KEY_MISMATCH:
    case REASON_KEY_UNUSABLE:
        return "; the key in the contract and the node's must be the same";
    case REASON_KEY_TAKEN:
        return "; run `deedmesh keygen` there, no two nodes may share a key";
    case REASON_NOT_SETTLED:
        return "; it will be old enough in a while, or set `grant = latest`";
    case REASON_NOT_READ:
        return "; it will be in a moment";
    case REASON_NO_PROVIDER:
        return "; name one with `rpc = https://...` in the configuration";
    case REASON_NO_ANSWER:
    case REASON_DISAGREE:
    case REASON_NOT_PROVEN:
    case REASON_CONTRADICTED:
        return "; see `deedmesh status` for each of them";
    case REASON_STALE_HEAD:
        return "; check this machine's clock, then the providers in `deedmesh status`";
    case REASON_WRONG_CHAIN:
    case REASON_NO_CODE:
    case REASON_PROFILE:
        return "; check chain, contract and providers in the configuration";
    case REASON_CONTRACT:
        return "; others are not affected, it is asked again in a while";
    case REASON_KIND:
        return "; sign with the key of a plain wallet, or run a newer deedmesh";
    case REASON_SIGNATURE_AWAY:
        return "; it lies beside the record of its node";
    case REASON_WALLET_ASKED:
        return "; it will answer in a moment";
    case REASON_WALLET_SILENT:
        return "; others are not affected, it is asked again in a while";
    case REASON_NO_REGISTRY:
        return "; check `delegate_registry` in the configuration";
    case REASON_WALLETS_FULL:
    case REASON_TABLE_FULL:
        return "; raise `mesh_max`";
    }
    return "";
}

const char *verdict_reason_text(enum verdict_reason reason)
{
    static const char *const texts[] = {
#define TEXT_ENTRY(name, kind, text) [name] = (text),
        VERDICT_REASON_LIST(TEXT_ENTRY)
#undef TEXT_ENTRY
    };
    return texts[reason];
}

void verdict_text(const struct verdict *verdict, char ret[static GATE_VERDICT_TEXT_SIZE])
{
    char token[TOKEN_TEXT_SIZE];
    char owner[ETH_ADDRESS_TEXT_SIZE];
    token_id_format(&verdict->token, token);
    eip55_format(&verdict->owner, owner);
    struct writer writer = writer_of((uint8_t *)ret, GATE_VERDICT_TEXT_SIZE - 1);
    write_span(&writer, span_of_text("token "));
    write_span(&writer, span_of_text(token));
    write_span(&writer, span_of_text(": "));
    if (verdict->reason == REASON_OTHER_OWNER) {
        write_span(&writer, span_of_text("its owner "));
        write_span(&writer, span_of_text(owner));
        write_span(&writer, span_of_text(" has not authorised this node"));
    } else {
        write_span(&writer, span_of_text(verdict_reason_text(verdict->reason)));
    }
    const char *step = next_step(verdict->reason);
    for (; *step != '\0'; step++) {
        if (step[0] == '%' && step[1] == 's') {
            write_span(&writer, span_of_text(token));
            step++;
        } else {
            write_u8(&writer, (uint8_t)*step);
        }
    }
    ASSERT(writer_finish(&writer) == OK);
    ret[writer.size] = '\0';
}

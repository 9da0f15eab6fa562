// SPDX-License-Identifier: GPL-3.0-or-later
//
// Signatures that only the chain can judge: by contract wallets (EIP-1271), and by delegates of the
// owner (delegate.xyz's registry, version 2). Each is a call of its own, so that a wallet which
// burns its gas, reverts or returns a megabyte harms nobody else: the call has a limit of gas and
// of bytes, each provider gets few at a time and a budget of them, and whatever becomes of it says
// nothing about the provider.
//
// What a wallet accepts may change at any time (its owners are replaced), so an answer counts for
// 30 s, like one about the owner, and is asked for again before that while the claim is in use.
#include "chain/gate_state.h"

#include "chain/keccak.h"
#include "chain/wallet.h"

#include <stdlib.h>
#include <string.h>

enum {
    CALL_GAS = 2000000, // a passkey's curve in Solidity takes 350,000, twelve keys 100,000
    CALLS_PER_PROVIDER = 2,
    ASK_AGAIN_MS = 20000,
    ASK_AGAIN_MIN_MS = 5000,
    ASK_AGAIN_BEFORE_MS = 5000, // before the answer no longer counts, and a poll
    IN_USE_MS = 45000,
    JUDGE_AGAIN_MS = 20000,
    KEEP_MS = 5000, // a refused question keeps its place so long: the pace of a token's new ones
    FAILURE_MIN_MS = 2000,
    FAILURE_DOUBLINGS_MAX = 4,
    BYTES_BASE = 2 * GATE_SIGNATURE_MAX,
    BYTES_PER_WALLET = 192,
};

bool gate_wallets_allocate(struct gate *gate)
{
    struct gate_wallets *wallets = &gate->wallets;
    size_t count = gate->config.wallets;
    if (count == 0) {
        return true;
    }
    wallets->bytes_capacity = BYTES_BASE + count * BYTES_PER_WALLET;
    wallets->questions = calloc(count, sizeof *wallets->questions);
    wallets->words = calloc(count * gate->config.providers + 1, sizeof *wallets->words);
    wallets->bytes = malloc(wallets->bytes_capacity);
    return wallets->questions != NULL && wallets->words != NULL && wallets->bytes != NULL;
}

void gate_wallets_free(struct gate *gate)
{
    free(gate->wallets.questions);
    free(gate->wallets.words);
    free(gate->wallets.bytes);
}

size_t gate_signatures_size_max(const struct gate *gate)
{
    return gate->wallets.bytes_capacity;
}

static struct gate_word *word_of(const struct gate *gate, size_t question, size_t provider)
{
    return &gate->wallets.words[question * gate->config.providers + provider];
}

// --- what is asked ---

static bool is_key_kind(enum delegation_kind kind)
{
    return kind == DELEGATION_EIP712 || kind == DELEGATION_EIP191;
}

static struct span own_signature(const struct delegation *delegation)
{
    return span_of(delegation->signature, delegation->signature_size);
}

// The signature's bytes, as far as the claim brings them.
static struct span signature_of(const struct gate_claim *claim)
{
    return claim->delegation->kind == DELEGATION_EIP1271_HASHED ? claim->signature
                                                                : own_signature(claim->delegation);
}

// The digest names all that is signed; with the kind and the signature (or its hash) that is the
// whole claim.
static struct hash256 question_name(
    const struct delegation *delegation, const struct hash256 *digest)
{
    uint8_t bytes[sizeof digest->bytes + 1 + 2 + DELEGATION_SIGNATURE_MAX];
    struct writer writer = writer_of(bytes, sizeof bytes);
    write_bytes(&writer, digest->bytes, sizeof digest->bytes);
    write_u8(&writer, (uint8_t)delegation->kind);
    write_u16(&writer, delegation->hashed_size);
    write_span(&writer, own_signature(delegation));
    ASSERT(writer_finish(&writer) == OK);
    return keccak256(writer_written(&writer));
}

static struct wallet_question *question_find(
    const struct gate *gate, const struct delegation *delegation)
{
    struct hash256 digest = delegation_digest(delegation, &gate->config.network);
    struct hash256 name = question_name(delegation, &digest);
    for (size_t i = 0; i < gate->config.wallets; i++) {
        struct wallet_question *question = &gate->wallets.questions[i];
        if (question->used && hash256_equal(&question->name, &name)) {
            return question;
        }
    }
    return NULL;
}

enum verdict_reason gate_signature_local(
    struct gate *gate, const struct gate_claim *claim, bool *ret_asks)
{
    const struct delegation *delegation = claim->delegation;
    *ret_asks = false;
    enum status status =
        delegation_cache_verify(&gate->delegations, delegation, &gate->config.network);
    if (status == OK) {
        return REASON_AUTHORISED;
    }
    bool by_wallet =
        delegation->kind == DELEGATION_EIP1271 || delegation->kind == DELEGATION_EIP1271_HASHED;
    bool by_delegate = is_key_kind(delegation->kind) && status == ERR_SIGNATURE &&
                       !eth_address_is_zero(&gate->config.registry);
    if (is_key_kind(delegation->kind) && !by_delegate) {
        return REASON_SIGNATURE;
    }
    if (wallet_signature_undeployed(signature_of(claim))) {
        return REASON_UNDEPLOYED;
    }
    *ret_asks = (by_wallet || by_delegate) && gate->config.wallets > 0;
    return *ret_asks ? REASON_AUTHORISED : REASON_KIND;
}

// --- the table ---

static bool is_in_flight(const struct gate *gate, size_t question)
{
    for (size_t i = 0; i < gate->config.providers; i++) {
        if (word_of(gate, question, i)->in_flight) {
            return true;
        }
    }
    return false;
}

static bool is_in_use(
    const struct gate *gate, const struct wallet_question *question, struct mono now)
{
    return question->used && gate_ref_slot(gate, question->token) != SIZE_MAX &&
           mono_since(question->used_at, now) < IN_USE_MS;
}

static bool may_go(const struct gate *gate, size_t index, struct mono now)
{
    const struct wallet_question *question = &gate->wallets.questions[index];
    if (is_in_flight(gate, index)) {
        return false;
    }
    return !is_in_use(gate, question, now) ||
           (question->reason != REASON_AUTHORISED && mono_since(question->made_at, now) >= KEEP_MS);
}

static void question_close(struct gate *gate, struct wallet_question *question)
{
    struct gate_wallets *wallets = &gate->wallets;
    size_t end = question->at + question->size;
    memmove(wallets->bytes + question->at, wallets->bytes + end, wallets->bytes_used - end);
    wallets->bytes_used -= question->size;
    for (size_t i = 0; i < gate->config.wallets; i++) {
        struct wallet_question *other = &wallets->questions[i];
        if (other->used && other->at >= end && other != question) {
            other->at -= question->size;
        }
    }
    question->used = false;
}

// Closes the one used longest ago, of `slot`'s or (SIZE_MAX) of all. False if none may go.
static bool make_room(struct gate *gate, size_t slot, struct mono now)
{
    struct wallet_question *oldest = NULL;
    for (size_t i = 0; i < gate->config.wallets; i++) {
        struct wallet_question *question = &gate->wallets.questions[i];
        bool eligible = question->used && may_go(gate, i, now) &&
                        (slot == SIZE_MAX || gate_ref_slot(gate, question->token) == slot);
        if (eligible && (oldest == NULL || question->used_at.ms < oldest->used_at.ms)) {
            oldest = question;
        }
    }
    if (oldest != NULL) {
        question_close(gate, oldest);
    }
    return oldest != NULL;
}

static size_t questions_of(const struct gate *gate, size_t slot)
{
    size_t count = 0;
    for (size_t i = 0; i < gate->config.wallets; i++) {
        const struct wallet_question *question = &gate->wallets.questions[i];
        count += question->used && gate_ref_slot(gate, question->token) == slot ? 1 : 0;
    }
    return count;
}

static struct wallet_question *unused_question(struct gate *gate)
{
    for (size_t i = 0; i < gate->config.wallets; i++) {
        if (!gate->wallets.questions[i].used) {
            return &gate->wallets.questions[i];
        }
    }
    return NULL;
}

// A free place and `size` bytes, or NULL.
static struct wallet_question *question_room(
    struct gate *gate, size_t slot, size_t size, struct mono now)
{
    struct gate_wallets *wallets = &gate->wallets;
    if (questions_of(gate, slot) >= GATE_WALLETS_PER_TOKEN && !make_room(gate, slot, now)) {
        return NULL;
    }
    while (unused_question(gate) == NULL || wallets->bytes_capacity - wallets->bytes_used < size) {
        if (!make_room(gate, SIZE_MAX, now)) {
            return NULL;
        }
    }
    return unused_question(gate);
}

static enum verdict_reason question_open(struct gate *gate, struct mono now, size_t slot,
    const struct gate_claim *claim, struct wallet_question **ret)
{
    struct gate_wallets *wallets = &gate->wallets;
    const struct delegation *delegation = claim->delegation;
    struct wallet_question fresh = {.used = true,
        .of_registry = is_key_kind(delegation->kind),
        .token = gate_ref_of(gate, slot),
        .digest = delegation_digest(delegation, &gate->config.network),
        .owner = delegation->owner,
        .made_at = now,
        .used_at = now,
        .reason = REASON_WALLET_ASKED};
    fresh.name = question_name(delegation, &fresh.digest);
    struct span signature = signature_of(claim);
    if (delegation->kind == DELEGATION_EIP1271_HASHED &&
        (signature.size != delegation->hashed_size || signature.size > GATE_SIGNATURE_MAX)) {
        return REASON_SIGNATURE_AWAY;
    }
    if (fresh.of_registry &&
        delegation_signer(delegation, &gate->config.network, &fresh.signer) != OK) {
        return REASON_SIGNATURE;
    }
    size_t kept = fresh.of_registry ? 0 : signature.size;
    struct wallet_question *question = question_room(gate, slot, kept, now);
    if (question == NULL) {
        return REASON_WALLETS_FULL;
    }
    fresh.at = (uint32_t)wallets->bytes_used;
    fresh.size = (uint16_t)kept;
    if (kept > 0) {
        memcpy(wallets->bytes + fresh.at, signature.data, kept);
    }
    wallets->bytes_used += kept;
    *question = fresh;
    size_t index = (size_t)(question - wallets->questions);
    for (size_t i = 0; i < gate->config.providers; i++) {
        *word_of(gate, index, i) = (struct gate_word){.word = WALLET_NONE, .not_before = now};
    }
    *ret = question;
    return REASON_AUTHORISED;
}

enum status gate_signature(
    const struct gate *gate, const struct delegation *delegation, struct span *ret)
{
    const struct wallet_question *question =
        delegation->kind == DELEGATION_EIP1271_HASHED ? question_find(gate, delegation) : NULL;
    if (question == NULL) {
        return ERR_NOT_FOUND;
    }
    *ret = span_of(gate->wallets.bytes + question->at, question->size);
    return OK;
}

void gate_keep_signature(
    struct gate *gate, struct now now, const struct delegation *delegation, struct span signature)
{
    struct gate_claim claim = {.delegation = delegation, .signature = signature};
    struct wallet_question *question = question_find(gate, delegation);
    size_t slot = 0;
    if (question == NULL && gate->config.wallets > 0 &&
        delegation->kind == DELEGATION_EIP1271_HASHED &&
        gate_slot_claim(gate, &delegation->token, now.mono, &slot) == OK) {
        (void)question_open(gate, now.mono, slot, &claim, &question);
    }
}

// --- what the answers say together ---

static bool counts_now(const struct gate_word *word, struct mono now)
{
    return word->word != WALLET_NONE && mono_since(word->read_at, now) <= GATE_ANSWER_AGE_MAX_MS;
}

static enum verdict_reason reason_unknown(const struct gate *gate, size_t index, struct mono now,
    const size_t counts[static WALLET_SILENT + 1])
{
    bool asked = false;
    for (size_t i = 0; i < gate->config.providers; i++) {
        const struct gate_word *word = word_of(gate, index, i);
        asked = asked || word->in_flight || (word->failures == 0 && !counts_now(word, now));
    }
    bool yes = counts[WALLET_YES] > 0;
    bool no = counts[WALLET_NO] > 0;
    bool absent = counts[WALLET_NO_CODE] > 0;
    if (asked) {
        return REASON_WALLET_ASKED;
    }
    if ((yes && (no || absent)) || (no && absent)) {
        return REASON_DISAGREE;
    }
    return counts[WALLET_SILENT] > 0 ? REASON_WALLET_SILENT : REASON_NO_ANSWER;
}

static enum verdict_reason question_reason(const struct gate *gate, size_t index, struct mono now)
{
    const struct wallet_question *question = &gate->wallets.questions[index];
    size_t counts[WALLET_SILENT + 1] = {0};
    for (size_t i = 0; i < gate->config.providers; i++) {
        const struct gate_word *word = word_of(gate, index, i);
        counts[counts_now(word, now) ? word->word : WALLET_NONE]++;
    }
    if (gate->config.providers == 0) {
        return REASON_NO_PROVIDER;
    }
    if (counts[WALLET_YES] >= gate->quorum) {
        return REASON_AUTHORISED;
    }
    if (counts[WALLET_NO] >= gate->quorum) {
        return question->of_registry ? REASON_NOT_DELEGATE : REASON_WALLET_REFUSED;
    }
    if (counts[WALLET_NO_CODE] >= gate->quorum) {
        return question->of_registry ? REASON_NO_REGISTRY : REASON_NO_WALLET;
    }
    return reason_unknown(gate, index, now, counts);
}

static void review(struct gate *gate, size_t index, struct mono now)
{
    struct wallet_question *question = &gate->wallets.questions[index];
    size_t slot = question->used ? gate_ref_slot(gate, question->token) : SIZE_MAX;
    if (slot == SIZE_MAX || !is_in_use(gate, question, now)) {
        return; // who uses it again asks again
    }
    enum verdict_reason reason = question_reason(gate, index, now);
    if (reason != question->reason) {
        question->reason = reason;
        gate_mark_changed(gate, slot, false);
    }
}

void gate_wallet_review_all(struct gate *gate, struct mono now)
{
    for (size_t i = 0; i < gate->config.wallets; i++) {
        review(gate, i, now);
    }
}

enum verdict_reason gate_wallet_judge(
    struct gate *gate, struct mono now, size_t slot, const struct gate_claim *claim)
{
    struct wallet_question *question = question_find(gate, claim->delegation);
    if (question != NULL && gate_ref_slot(gate, question->token) != slot) {
        question->token = gate_ref_of(gate, slot); // the token has had to make room, and is back
    }
    if (question == NULL) {
        enum verdict_reason reason = question_open(gate, now, slot, claim, &question);
        if (reason != REASON_AUTHORISED) {
            return reason;
        }
    }
    question->used_at = now;
    question->reason = question_reason(gate, (size_t)(question - gate->wallets.questions), now);
    return question->reason;
}

struct mono gate_wallet_until(struct mono now)
{
    return mono_add(now, JUDGE_AGAIN_MS);
}

enum status gate_check_signature(
    struct gate *gate, const struct delegation *delegation, struct now now)
{
    struct gate_claim claim = {.delegation = delegation};
    bool asks = false;
    enum verdict_reason reason = gate_signature_local(gate, &claim, &asks);
    if (!asks && reason != REASON_KIND) {
        return reason == REASON_AUTHORISED ? OK : ERR_SIGNATURE;
    }
    const struct wallet_question *question = question_find(gate, delegation);
    if (question == NULL) {
        return ERR_UNSUPPORTED;
    }
    reason = question_reason(gate, (size_t)(question - gate->wallets.questions), now.mono);
    bool refused = reason == REASON_WALLET_REFUSED || reason == REASON_NO_WALLET ||
                   reason == REASON_NOT_DELEGATE;
    return reason == REASON_AUTHORISED ? OK : refused ? ERR_SIGNATURE : ERR_UNSUPPORTED;
}

// --- calls and replies ---

static size_t calls_under_way(const struct gate *gate, size_t provider)
{
    size_t count = 0;
    for (size_t i = 0; i < gate->config.wallets; i++) {
        count += gate->wallets.questions[i].used && word_of(gate, i, provider)->in_flight ? 1 : 0;
    }
    return count;
}

bool gate_wallet_call(
    struct gate *gate, size_t provider, struct mono now, struct gate_inflight *call)
{
    const struct budget_rate rate = {.per_second = 8, .burst = 32};
    struct gate_provider *asked = &gate->providers[provider];
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < gate->config.wallets; i++) {
        const struct gate_word *word = word_of(gate, i, provider);
        bool due = is_in_use(gate, &gate->wallets.questions[i], now) && !word->in_flight &&
                   mono_due(word->not_before, now);
        if (due && (best == SIZE_MAX ||
                       word->not_before.ms < word_of(gate, best, provider)->not_before.ms)) {
            best = i; // who has waited longest
        }
    }
    // Only a provider whose head is fresh has a say.
    if (best == SIZE_MAX || asked->health != PROVIDER_GOOD || !asked->has_head ||
        calls_under_way(gate, provider) >= CALLS_PER_PROVIDER ||
        !budget_take(&asked->wallet_calls, &rate, now, 1)) {
        return false;
    }
    word_of(gate, best, provider)->in_flight = true;
    call->kind = CALL_WALLET;
    call->first = best;
    return true;
}

void gate_wallet_write(
    const struct gate *gate, const struct gate_inflight *call, struct writer *writer)
{
    const struct wallet_question *question = &gate->wallets.questions[call->first];
    const struct eth_address *to =
        question->of_registry ? &gate->config.registry : &question->owner;
    rpc_begin_request(writer, call->id, "eth_call");
    write_span(writer, span_of_text("{\"to\":"));
    rpc_write_data(writer, span_of(to->bytes, sizeof to->bytes));
    write_span(writer, span_of_text(",\"gas\":"));
    rpc_write_quantity(writer, CALL_GAS);
    write_span(writer, span_of_text(",\"data\":\"0x"));
    uint8_t data[WALLET_CALL_MAX];
    struct span signature = span_of(gate->wallets.bytes + question->at, question->size);
    struct delegate_question delegate = {.signer = question->signer,
        .owner = question->owner,
        .contract = gate->config.network.contract,
        .token = gate->tokens[question->token.slot].id};
    rpc_write_hex(writer, question->of_registry ? delegate_call(&delegate, data)
                                                : wallet_call(&question->digest, signature, data));
    rpc_end_call(writer, NULL);
}

// Exactly one word: the magic value and zeroes, or a bool.
static enum wallet_word read_word(const struct wallet_question *question, struct span data)
{
    if (data.size == 0) {
        return WALLET_NO_CODE;
    }
    if (!question->of_registry) {
        return wallet_accepts(data) ? WALLET_YES : WALLET_NO;
    }
    bool delegated = false;
    if (data.size != ABI_WORD || abi_read_bool(data, 0, &delegated) != OK) {
        return WALLET_SILENT;
    }
    return delegated ? WALLET_YES : WALLET_NO;
}

// When to ask again: so that the next answer is there while this one counts, with polls between.
static uint64_t ask_again_ms(const struct gate *gate)
{
    uint64_t early_ms = gate->config.poll_ms + ASK_AGAIN_BEFORE_MS;
    if (early_ms > GATE_ANSWER_AGE_MAX_MS - ASK_AGAIN_MIN_MS) {
        return ASK_AGAIN_MIN_MS;
    }
    uint64_t latest_ms = GATE_ANSWER_AGE_MAX_MS - early_ms;
    return latest_ms < ASK_AGAIN_MS ? latest_ms : ASK_AGAIN_MS;
}

static void take_word(
    const struct gate *gate, struct gate_word *word, enum wallet_word said, struct mono now)
{
    word->word = said;
    word->failures = 0;
    word->read_at = now;
    word->not_before = mono_add(now, ask_again_ms(gate));
}

// An earlier answer counts for its 30 s all the same.
static void take_failure(struct gate_word *word, bool silent, struct mono now)
{
    if (!counts_now(word, now) || word->word == WALLET_SILENT) {
        word->word = silent ? WALLET_SILENT : WALLET_NONE;
        word->read_at = now;
    }
    uint32_t doublings =
        word->failures < FAILURE_DOUBLINGS_MAX ? word->failures : FAILURE_DOUBLINGS_MAX;
    word->failures = word->failures < UINT8_MAX ? word->failures + 1 : UINT8_MAX;
    word->not_before = mono_add(now, (uint64_t)FAILURE_MIN_MS << doublings);
}

void gate_wallet_reply(struct gate *gate, struct mono now, const struct gate_inflight *call,
    const struct rpc_answer *answer, enum rpc_outcome outcome)
{
    size_t index = (size_t)call->first;
    const struct wallet_question *question = &gate->wallets.questions[index];
    const struct gate_provider *provider = &gate->providers[call->provider];
    struct gate_word *word = word_of(gate, index, call->provider);
    word->in_flight = false;
    if (!provider->checked || !provider->has_head) {
        take_failure(word, false, now); // it has lost its say since
    } else if (answer->verdict == RPC_RESULT) {
        enum wallet_word said = read_word(question, span_of(answer->data, answer->size));
        if (said == WALLET_SILENT) {
            take_failure(word, true, now);
        } else {
            take_word(gate, word, said, now);
        }
    } else if (answer->verdict == RPC_REVERTED && !question->of_registry) {
        take_word(gate, word, WALLET_NO, now); // as the standard allows it to refuse
    } else {
        take_failure(word, outcome != RPC_UNREACHABLE, now);
    }
    review(gate, index, now);
}

void gate_wallet_abandon(struct gate *gate, const struct gate_inflight *call)
{
    word_of(gate, (size_t)call->first, call->provider)->in_flight = false;
}

void gate_wallet_forget(struct gate *gate, size_t provider)
{
    for (size_t i = 0; i < gate->config.wallets; i++) {
        struct gate_word *word = word_of(gate, i, provider);
        word->word = WALLET_NONE;
        word->failures = 0;
    }
}

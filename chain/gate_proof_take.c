// SPDX-License-Identifier: GPL-3.0-or-later
//
// A batch of proofs, from the request to what it shows: [newest block, eth_getProof, newest block].
// Blocks can be 200 ms apart, so the proof may be of either; nodes serve proofs of their newest
// block alone. All that a reply can do is to leave something pending under a block that k providers
// must then name, and to have its sender counted.
#include "chain/gate_state.h"

#include "chain/header.h"
#include "chain/keccak.h"
#include "chain/proof.h"
#include "chain/rpc_value.h"

#include <string.h>

enum {
    ITEM_HEAD_BEFORE,
    ITEM_PROOF,
    ITEM_HEAD_AFTER,
    ITEMS,
};

// --- which slots ---

static size_t slots_of(const struct gate *gate, const struct gate_inflight *call,
    struct storage_slot ret[static GATE_PROOF_SLOTS])
{
    size_t count = 0;
    ret[count++] = gate_place_implementation();
    if (call->kind == CALL_PROOF) {
        for (size_t i = 0; i < call->count; i++) {
            ret[count++] =
                storage_slot_of_token(&gate->tokens[call->refs[i].slot].id, &gate->pin.place);
        }
        return count;
    }
    ret[count++] = gate_place_beacon();
    for (size_t i = 0; i < call->count; i++) {
        const struct token_id *token = &gate->tokens[call->refs[i].slot].id;
        for (size_t place = 0; place < GATE_PLACES; place++) {
            struct storage_slot number = gate_place_number(place);
            ret[count++] = storage_slot_of_token(token, &number);
        }
    }
    return count;
}

void gate_proof_write(
    const struct gate *gate, const struct gate_inflight *call, struct writer *writer)
{
    _Static_assert(GATE_PLACE_SLOTS <= GATE_PROOF_SLOTS, "one array takes either");
    const struct rpc_block latest = {.kind = RPC_LATEST};
    struct storage_slot slots[GATE_PROOF_SLOTS];
    struct hash256 words[GATE_PROOF_SLOTS];
    size_t count = slots_of(gate, call, slots);
    for (size_t i = 0; i < count; i++) {
        memcpy(words[i].bytes, slots[i].bytes, sizeof words[i].bytes);
    }
    rpc_write_batch_begin(writer);
    rpc_write_block(writer, call->id + ITEM_HEAD_BEFORE, &latest);
    rpc_write_batch_next(writer);
    rpc_write_proof(
        writer, call->id + ITEM_PROOF, &gate->config.network.contract, words, count, &latest);
    rpc_write_batch_next(writer);
    rpc_write_block(writer, call->id + ITEM_HEAD_AFTER, &latest);
    rpc_write_batch_end(writer);
}

// --- what came back ---

// What a batch has shown, under one of its heads.
struct shown {
    struct header head;
    struct gate_code code;
    struct proof_slot slots[GATE_PROOF_SLOTS];
};

static void count_fault(struct gate *gate, size_t provider, enum proof_fault fault)
{
    gate->providers[provider].proof_faults[fault]++;
}

// The slots can only be named again while the table still holds the tokens that were asked for.
static bool refs_stand(const struct gate *gate, const struct gate_inflight *call)
{
    for (size_t i = 0; i < call->count; i++) {
        if (gate_ref_slot(gate, call->refs[i]) == SIZE_MAX) {
            return false;
        }
    }
    return call->kind == CALL_PROOF || gate->proof->search.asked_by == call->id;
}

static bool starts_at(const json_t *result, const struct hash256 *root)
{
    uint8_t bytes[PROOF_NODE_SIZE_MAX];
    struct span node;
    const json_t *first = json_array_get(json_object_get(result, "accountProof"), 0);
    if (rpc_value_data(first, bytes, sizeof bytes, &node) != OK) {
        return false;
    }
    struct hash256 hash = keccak256(node);
    return hash256_equal(&hash, root);
}

// True if what the server states beside its proof is what the proof shows.
static bool states_the_truth(const json_t *result, const struct proof_account *account,
    const struct proof_slot *slots, size_t count)
{
    struct hash256 stated;
    const json_t *code = json_object_get(result, "codeHash");
    const json_t *entries = json_object_get(result, "storageProof");
    if (account->exists && code != NULL &&
        (rpc_value_fixed(code, stated.bytes, sizeof stated.bytes) != OK ||
            !hash256_equal(&stated, &account->code_hash))) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(json_array_get(entries, i), "value");
        if (value != NULL && (rpc_value_number(value, stated.bytes, sizeof stated.bytes) != OK ||
                                 memcmp(stated.bytes, slots[i].value, sizeof stated.bytes) != 0)) {
            return false;
        }
    }
    return true;
}

static bool read_heads(
    struct gate *gate, size_t provider, const struct rpc_answer *items, struct header ret[2])
{
    struct gate_proof *proof = gate->proof;
    uint8_t bit = (uint8_t)(1U << provider);
    enum status before = header_read(items[ITEM_HEAD_BEFORE].json, &ret[0]);
    enum status after = header_read(items[ITEM_HEAD_AFTER].json, &ret[1]);
    if (before == OK && after == OK) {
        proof->unknown_header = 0;
        return true;
    }
    if (before == ERR_MISMATCH || after == ERR_MISMATCH) {
        count_fault(gate, provider, PROOF_FAULT_HEADER);
        return false;
    }
    if (before == ERR_UNSUPPORTED || after == ERR_UNSUPPORTED) {
        // One that says so may be lying in order to have proofs switched off; k of them decide.
        proof->unknown_header |= bit;
        size_t count = 0;
        for (size_t i = 0; i < gate->config.providers; i++) {
            count += proof->unknown_header >> i & 1;
        }
        if (count >= gate->quorum && proof->standing != PROOF_UNKNOWN_HEADER &&
            proof->standing != PROOF_CHANGED) {
            proof->gathering = false;
            gate_proof_set_standing(gate, PROOF_UNKNOWN_HEADER);
        }
    }
    return false;
}

// The proof under one of the heads. False if it holds under neither, which is counted;
// `ret_pause_ms` is for how long its sender is not asked then.
static bool verify(struct gate *gate, const struct gate_inflight *call, const json_t *result,
    const struct header heads[2], struct shown *ret, uint64_t *ret_pause_ms)
{
    struct storage_slot slots[GATE_PROOF_SLOTS];
    struct proof_account account;
    size_t count = slots_of(gate, call, slots);
    for (size_t i = 0; i < 2; i++) {
        if (i == 1 && hash256_equal(&heads[0].state_root, &heads[1].state_root)) {
            break;
        }
        enum status status = proof_verify(result, &heads[i].state_root,
            &gate->config.network.contract, slots, count, &account, ret->slots);
        if (status == OK) {
            ret->head = heads[i];
            ret->code.hash = account.code_hash;
            memcpy(ret->code.implementation.bytes, ret->slots[0].value,
                sizeof ret->code.implementation.bytes);
            if (!states_the_truth(result, &account, ret->slots, count)) {
                count_fault(gate, call->provider, PROOF_FAULT_VALUE); // the proof counts
            }
            return true;
        }
    }
    bool known_root =
        starts_at(result, &heads[0].state_root) || starts_at(result, &heads[1].state_root);
    count_fault(gate, call->provider, known_root ? PROOF_FAULT_NODE : PROOF_FAULT_ROOT);
    *ret_pause_ms = known_root ? GATE_PROVER_PAUSE_MS : 0; // a block may have come between
    return false;
}

// False unless the word is an address (zero among them).
static bool read_owner(const struct proof_slot *slot, struct eth_address *ret)
{
    static const uint8_t zeroes[32 - sizeof ret->bytes] = {0};
    memcpy(ret->bytes, slot->value + sizeof zeroes, sizeof ret->bytes);
    return memcmp(slot->value, zeroes, sizeof zeroes) == 0;
}

static void take_owners(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct shown *shown, struct gate_header_ref header)
{
    for (size_t i = 0; i < call->count; i++) {
        size_t slot = gate_ref_slot(gate, call->refs[i]);
        struct gate_row *row = slot == SIZE_MAX ? NULL : &gate->proof->rows[slot];
        struct gate_shown owner = {.held = true,
            .block_number = shown->head.number,
            .block_time_s = shown->head.timestamp_s,
            .read_at = now.mono};
        if (row != NULL && row->asked_by == call->id) {
            row->asked_by = 0;
        }
        if (row == NULL || !read_owner(&shown->slots[1 + i], &owner.owner) ||
            (row->pending.held && row->pending.block_number > owner.block_number)) {
            continue;
        }
        row->pending = owner;
        row->header = header;
    }
}

static void take_places(
    struct gate *gate, const struct gate_inflight *call, const struct shown *shown)
{
    static const struct storage_slot zero = {{0}};
    struct gate_search *search = &gate->proof->search;
    uint8_t fits = (1U << GATE_PLACES) - 1;
    for (size_t i = 0; i < call->count; i++) {
        for (size_t place = 0; place < GATE_PLACES; place++) {
            struct eth_address owner;
            if (!read_owner(&shown->slots[2 + i * GATE_PLACES + place], &owner) ||
                !eth_address_equal(&owner, &search->owners[i])) {
                fits &= (uint8_t) ~(1U << place);
            }
        }
    }
    search->fits = fits;
    search->beacon = memcmp(shown->slots[1].value, zero.bytes, sizeof zero.bytes) != 0;
}

static void take(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_answer *items)
{
    struct gate_proof *proof = gate->proof;
    struct header heads[2];
    struct shown shown;
    uint64_t pause_ms = GATE_PROVER_PAUSE_MS;
    if (!refs_stand(gate, call)) {
        gate_proof_failed(gate, now, call, 0);
        return;
    }
    if (!read_heads(gate, call->provider, items, heads) ||
        !verify(gate, call, items[ITEM_PROOF].json, heads, &shown, &pause_ms)) {
        gate_proof_failed(gate, now, call, pause_ms);
        return;
    }
    if (!gate_head_fresh(gate, shown.head.timestamp_s, now)) {
        gate_proof_failed(gate, now, call, 0);
        return;
    }
    gate->providers[call->provider].proofs++;
    proof->unserved &= (uint8_t) ~(1U << call->provider);
    struct gate_header_ref header = gate_header_of(gate, now, call->provider, shown.head.number,
        shown.head.timestamp_s, &shown.head.hash, &shown.code);
    if (call->kind == CALL_PROOF) {
        take_owners(gate, now, call, &shown, header);
    } else {
        take_places(gate, call, &shown);
        proof->search.asked_by = 0;
        proof->search.held = true;
        proof->search.header = header;
    }
    gate_header_settle(gate, now, header);
}

enum rpc_verdict gate_proof_reply(struct gate *gate, struct now now,
    const struct gate_inflight *call, const struct rpc_reply *reply)
{
    if (!gate->providers[call->provider].checked || reply->outcome == RPC_TIMEOUT) {
        // A provider that is slow at proving is none the worse at all else.
        gate_proof_failed(gate, now, call, GATE_PROVER_PAUSE_MS);
        return RPC_RESULT;
    }
    struct rpc_batch batch;
    rpc_batch_parse(reply, call->id, ITEMS, &batch);
    enum rpc_verdict verdict = batch.verdict;
    if (verdict == RPC_RESULT) {
        struct rpc_answer items[ITEMS];
        for (size_t i = 0; i < ITEMS; i++) {
            rpc_batch_item(&batch, i, RPC_JSON, &items[i]);
            if (verdict == RPC_RESULT || items[i].verdict == RPC_RATE_LIMITED) {
                verdict = items[i].verdict;
            }
        }
        if (verdict == RPC_RESULT) {
            take(gate, now, call, items);
        }
        for (size_t i = 0; i < ITEMS; i++) {
            rpc_answer_clear(&items[i]);
        }
    }
    rpc_batch_clear(&batch);
    return verdict;
}

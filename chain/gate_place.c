// SPDX-License-Identifier: GPL-3.0-or-later
//
// Where the contract keeps its owners: found among the places that are usual by what the quorum
// says of two tokens or more, and pinned with the code that put them there. Other code may keep
// them elsewhere, so a changed code ends proofs until the place has been found anew. Where the code
// is that of our own contract the place is known, and nobody has to be believed about it.
#include "chain/gate_state.h"

#include "chain/contracts/seat_code.h"

#include <string.h>

struct storage_slot gate_place_number(size_t place)
{
    // OpenZeppelin's ERC721 first in line, or behind Ownable; its upgradeable kind (4.x), first or
    // behind OwnableUpgradeable. Measured with solc's storageLayout; solmate's is 2 as well.
    static const uint8_t plain[GATE_PLACES - 1] = {2, 3, 103, 153};
    ASSERT(place < GATE_PLACES);
    if (place < GATE_PLACES - 1) {
        return storage_slot_of_u64(plain[place]);
    }
    struct storage_slot base = storage_slot_of_namespace("openzeppelin.storage.ERC721"); // 5.x
    return storage_slot_add(&base, 2);
}

struct storage_slot gate_place_implementation(void)
{
    return storage_slot_of_proxy("eip1967.proxy.implementation");
}

struct storage_slot gate_place_beacon(void)
{
    return storage_slot_of_proxy("eip1967.proxy.beacon");
}

static bool code_equal(const struct gate_code *a, const struct gate_code *b)
{
    return hash256_equal(&a->hash, &b->hash) &&
           storage_slot_equal(&a->implementation, &b->implementation);
}

// DeedmeshSeat has no proxy, and ERC721 first in line: its owners are in slot 2.
static bool is_own_contract(const struct gate_code *code)
{
    static const struct storage_slot none = {{0}};
    return hash256_equal(&code->hash, &seat_code_hash) &&
           storage_slot_equal(&code->implementation, &none);
}

static bool is_among(
    const struct eth_address *owners, size_t count, const struct eth_address *owner)
{
    for (size_t i = 0; i < count; i++) {
        if (eth_address_equal(&owners[i], owner)) {
            return true;
        }
    }
    return false;
}

// Takes tokens that the quorum knows the owners of; with `fresh_owners` only such of other owners.
static void take_tokens(struct gate *gate, struct mono now, bool fresh_owners)
{
    struct gate_search *search = &gate->proof->search;
    for (size_t i = 0; i < gate->config.tokens_max && search->count < GATE_PLACE_TOKENS; i++) {
        if (!gate->tokens[i].used) {
            continue;
        }
        bool taken = false;
        for (size_t j = 0; j < search->count; j++) {
            taken = taken || search->refs[j].slot == i;
        }
        struct gate_reading reading = gate_quorum_reading(gate, i, now);
        if (taken || reading.kind != VERDICT_YES ||
            (fresh_owners && is_among(search->owners, search->count, &reading.owner))) {
            continue;
        }
        search->refs[search->count] = gate_ref_of(gate, i);
        search->owners[search->count++] = reading.owner;
    }
}

static bool all_read(const struct gate *gate)
{
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        if (gate->tokens[i].used && gate->tokens[i].kind == VERDICT_UNKNOWN) {
            return false;
        }
    }
    return true;
}

void gate_search_on_reading(struct gate *gate, struct mono now)
{
    if (gate->proof != NULL &&
        (gate->proof->standing == PROOF_SEARCHING || gate->proof->standing == PROOF_FEW_TOKENS)) {
        gate->proof->search.due = now;
    }
}

bool gate_search_begin(struct gate *gate, struct mono now)
{
    struct gate_proof *proof = gate->proof;
    struct gate_search *search = &proof->search;
    if (gate_proof_active(gate) || proof->gathering || search->asked_by != 0 || search->held ||
        !mono_due(search->due, now)) {
        return false;
    }
    search->count = 0;
    take_tokens(gate, now, true);
    take_tokens(gate, now, false);
    // Code that changed is looked at in any case, as it may have been put back; and so is code that
    // nobody has looked at.
    if (search->count >= 2 || gate->pin.pinned || !search->foreign) {
        return true;
    }
    search->due = mono_add(now, gate->config.poll_ms); // or when another token has been read
    gate_proof_set_standing(gate, all_read(gate) ? PROOF_FEW_TOKENS : PROOF_SEARCHING);
    return false;
}

// The quorum still says of each token what it said when the search began.
static bool owners_stand(const struct gate *gate, struct mono now)
{
    const struct gate_search *search = &gate->proof->search;
    for (size_t i = 0; i < search->count; i++) {
        size_t slot = gate_ref_slot(gate, search->refs[i]);
        if (slot == SIZE_MAX) {
            return false;
        }
        struct gate_reading reading = gate_quorum_reading(gate, slot, now);
        if (reading.kind != VERDICT_YES || !eth_address_equal(&reading.owner, &search->owners[i])) {
            return false;
        }
    }
    return search->count >= 2;
}

static void begin_gathering(struct gate *gate, struct mono now)
{
    struct gate_proof *proof = gate->proof;
    proof->gathering = true;
    proof->gather_until = mono_add(now, GATE_GATHER_MS);
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        gate_proof_clear_row(gate, i);
        proof->rows[i].due = gate->tokens[i].used && gate->tokens[i].watched;
    }
}

// Whether the changed code has stood for long enough to be pinned. An upgrade may be half done
// (new code, owners not moved yet), and a person should have seen the warning.
static bool has_settled(struct gate_proof *proof, const struct gate_code *code, struct mono now)
{
    if (!code_equal(&proof->changed_to, code)) {
        proof->changed_to = *code;
        proof->changed_at = now;
    }
    return mono_since(proof->changed_at, now) >= GATE_CODE_SETTLE_MS;
}

static void pin(struct gate *gate, struct mono now, size_t place, const struct gate_code *code)
{
    gate->pin = (struct gate_pin){.pinned = true, .place = gate_place_number(place), .code = *code};
    gate->dirty = true;
    begin_gathering(gate, now);
}

void gate_search_conclude(struct gate *gate, struct now now, const struct gate_header *header)
{
    struct gate_proof *proof = gate->proof;
    struct gate_search *search = &proof->search;
    search->due = mono_add(now.mono, GATE_SEARCH_RETRY_MS);
    if (gate->pin.pinned && code_equal(&gate->pin.code, &header->code)) {
        begin_gathering(gate, now.mono); // as it was before
        return;
    }
    bool changed = gate->pin.pinned;
    if (!changed && is_own_contract(&header->code)) {
        pin(gate, now.mono, 0, &header->code);
        return;
    }
    search->foreign = true;
    if (!changed && search->count < 2) {
        search->due = now.mono; // until there are tokens enough
        return;
    }
    if (changed) {
        gate_proof_set_standing(gate, PROOF_CHANGED);
        if (!has_settled(proof, &header->code, now.mono)) {
            return;
        }
    }
    if (!owners_stand(gate, now.mono)) {
        search->due = mono_add(now.mono, GATE_PROOF_RETRY_MAX_MS);
        return;
    }
    bool one = search->fits != 0 && (search->fits & (search->fits - 1)) == 0;
    if (!one || search->beacon) {
        if (!changed) {
            gate_proof_set_standing(gate, search->beacon ? PROOF_BEACON : PROOF_NO_PLACE);
        }
        return;
    }
    size_t place = 0;
    while ((search->fits >> place & 1) == 0) {
        place++;
    }
    pin(gate, now.mono, place, &header->code);
}

void gate_pin_import(struct gate *gate, const struct gate_pin *pin)
{
    gate->pin = *pin;
    if (gate->proof != NULL && pin->pinned) {
        gate->proof->standing = PROOF_LACKING;
    }
}

bool gate_place_check(struct gate *gate, struct now now, const struct gate_header *header)
{
    struct gate_proof *proof = gate->proof;
    if (!gate->pin.pinned || code_equal(&gate->pin.code, &header->code)) {
        return true;
    }
    if (!gate_proof_active(gate) && !proof->gathering) {
        return false; // known already: the search deals with it
    }
    proof->gathering = false;
    proof->changed_to = header->code;
    proof->changed_at = now.mono;
    proof->search.due = mono_add(now.mono, GATE_SEARCH_RETRY_MS);
    for (size_t i = 0; i < gate->config.tokens_max; i++) {
        gate_proof_clear_row(gate, i);
    }
    gate_proof_set_standing(gate, PROOF_CHANGED);
    gate_review_all(gate, now.mono);
    return false;
}

void gate_place_gather(struct gate *gate, struct mono now)
{
    struct gate_proof *proof = gate->proof;
    if (!proof->gathering) {
        return;
    }
    for (size_t i = 0; i < gate->config.tokens_max && !mono_due(proof->gather_until, now); i++) {
        if (gate->tokens[i].used && gate->tokens[i].watched &&
            gate_proof_of(gate, i, now) == NULL) {
            return;
        }
    }
    proof->gathering = false;
    gate_proof_set_standing(gate, PROOF_ON);
    gate_review_all(gate, now);
}

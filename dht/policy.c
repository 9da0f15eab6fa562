// SPDX-License-Identifier: GPL-3.0-or-later
//
// The judgement of one put, in the order of cost: classify (form, key, time), known already?,
// owner and room (one scan of the table), budgets, signatures, and only then the table changes.
#include "dht/policy.h"

#include "dht/intent.h"
#include "dht/manifest.h"
#include "dht/record.h"

#include <string.h>

static const struct budget_rate prefix_rate = {
    .per_second = POLICY_UNITS_PER_PREFIX_PER_SECOND,
    .burst = POLICY_UNITS_PER_PREFIX_BURST,
};
static const struct budget_rate whole_rate = {
    .per_second = POLICY_UNITS_PER_SECOND,
    .burst = POLICY_UNITS_BURST,
};

// A put under judgement: what would be noted of it, and what its signature needs.
struct judged {
    struct policy_entry entry;
    const struct network_keys *keys;
    const struct eth_address *known_owner; // NULL: unknown, or the kind has none
    struct parsed_record parsed;           // records, tombstones
    struct intent_envelope envelope;       // intents
};

// What one scan of the table says about a put. Pointers are NULL if there is none.
struct survey {
    struct policy_entry *unused;
    struct policy_entry *soonest_unowned; // of the whole table, by expiry
    size_t unowned_claims;                // of the whole table: records and tombstones
    size_t intents;
    size_t pieces;
    size_t manifests;

    // At the put's key.
    struct policy_entry *same_author; // a record of the same node key
    struct policy_entry *weakest;     // the lowest-ranking owned record
    struct policy_entry *tombstone;   // owned
    struct policy_entry *manifest;
    size_t owned_here;
    size_t unowned_here;
    size_t intents_here;
    size_t intents_of_prefix;
};

// Where an entry goes, and which other value goes for it. Both may be the same entry.
struct place {
    struct policy_entry *slot;
    struct policy_entry *victim;
};

const char *policy_verdict_name(enum policy_verdict verdict)
{
    switch (verdict) {
#define POLICY_NAME_CASE(name, text)                                                               \
    case name:                                                                                     \
        return text;
        POLICY_VERDICT_LIST(POLICY_NAME_CASE)
#undef POLICY_NAME_CASE
    case POLICY_VERDICTS:
        break;
    }
    return "unknown";
}

void policy_init(struct policy *policy, const struct network_keys *keys,
    const struct policy_storage *storage, policy_delegation_check check, void *check_context)
{
    ASSERT(storage->entries_capacity >= POLICY_ENTRIES_MIN && storage->owners_capacity > 0);
    *policy = (struct policy){
        .keys = {*keys},
        .keys_count = 1,
        .storage = *storage,
        .check = check,
        .check_context = check_context,
    };
    memset(storage->entries, 0, storage->entries_capacity * sizeof *storage->entries);
    prefix_budgets_init(
        &policy->per_prefix, prefix_rate, storage->prefixes, storage->prefixes_capacity);
}

enum status policy_add_keys(struct policy *policy, const struct network_keys *keys)
{
    if (policy->keys_count == POLICY_KEYS_MAX) {
        return ERR_FULL;
    }
    policy->keys[policy->keys_count++] = *keys;
    return OK;
}

static bool is_live(const struct policy_entry *entry, struct mono now)
{
    return entry->used && !mono_due(entry->expires_at, now);
}

static bool is_claim(const struct policy_entry *entry)
{
    return entry->kind == POLICY_KIND_RECORD || entry->kind == POLICY_KIND_TOMBSTONE;
}

static void remove_entry(struct policy *policy, struct policy_entry *entry)
{
    entry->used = false;
    if (policy->removals_count == POLICY_REMOVALS_MAX) {
        policy->removals_first = (policy->removals_first + 1) % POLICY_REMOVALS_MAX;
        policy->removals_count--;
    }
    size_t at = (policy->removals_first + policy->removals_count) % POLICY_REMOVALS_MAX;
    policy->removals[at] = (struct policy_removal){.key = entry->key, .value_id = entry->value_id};
    policy->removals_count++;
}

// What is stored under a key and id must not be dropped by a removal that nobody has drained yet.
static void cancel_removal(struct policy *policy, const struct policy_entry *entry)
{
    for (size_t i = 0; i < policy->removals_count; i++) {
        struct policy_removal *removal =
            &policy->removals[(policy->removals_first + i) % POLICY_REMOVALS_MAX];
        if (removal->value_id == entry->value_id && dht_key_equal(&removal->key, &entry->key)) {
            removal->value_id = 0; // no value has this id
        }
    }
}

bool policy_next_removal(struct policy *policy, struct policy_removal *ret)
{
    while (policy->removals_count > 0) {
        struct policy_removal removal = policy->removals[policy->removals_first];
        policy->removals_first = (policy->removals_first + 1) % POLICY_REMOVALS_MAX;
        policy->removals_count--;
        if (removal.value_id != 0) {
            *ret = removal;
            return true;
        }
    }
    return false;
}

// The index of the first owner entry whose token is not below `token`.
static size_t owner_position(const struct policy *policy, const struct token_id *token)
{
    size_t low = 0;
    size_t high = policy->owners_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (token_id_compare(&policy->storage.owners[middle].token, token) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct policy_owner *find_owner(const struct policy *policy, const struct token_id *token)
{
    size_t at = owner_position(policy, token);
    bool found =
        at < policy->owners_count && token_id_equal(&policy->storage.owners[at].token, token);
    return found ? &policy->storage.owners[at] : NULL;
}

static enum status insert_owner(struct policy *policy, const struct policy_owner *owner)
{
    if (policy->owners_count == policy->storage.owners_capacity) {
        return ERR_FULL;
    }
    size_t at = owner_position(policy, &owner->token);
    struct policy_owner *place = &policy->storage.owners[at];
    memmove(place + 1, place, (policy->owners_count - at) * sizeof *place);
    *place = *owner;
    policy->owners_count++;
    return OK;
}

enum status policy_set_owner(
    struct policy *policy, const struct token_id *token, const struct eth_address *owner)
{
    struct policy_owner *known = find_owner(policy, token);
    if (known != NULL) {
        known->owner = *owner;
    } else {
        struct policy_owner added = {.token = *token, .owner = *owner};
        enum status status = insert_owner(policy, &added);
        if (status != OK) {
            return status;
        }
    }
    for (size_t i = 0; i < policy->storage.entries_capacity; i++) {
        struct policy_entry *entry = &policy->storage.entries[i];
        if (entry->used && is_claim(entry) && token_id_equal(&entry->token, token) &&
            !eth_address_equal(&entry->owner, owner)) {
            remove_entry(policy, entry);
        }
    }
    return OK;
}

void policy_forget_owner(struct policy *policy, const struct token_id *token)
{
    struct policy_owner *known = find_owner(policy, token);
    if (known == NULL) {
        return;
    }
    size_t at = (size_t)(known - policy->storage.owners);
    memmove(known, known + 1, (policy->owners_count - at - 1) * sizeof *known);
    policy->owners_count--;
    for (size_t i = 0; i < policy->storage.entries_capacity; i++) {
        struct policy_entry *entry = &policy->storage.entries[i];
        if (entry->used && is_claim(entry) && token_id_equal(&entry->token, token)) {
            entry->owned = false;
        }
    }
}

static uint64_t min_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static enum policy_verdict verdict_of_form(enum status status)
{
    return status == ERR_MISMATCH ? POLICY_WRONG_KEY : POLICY_MALFORMED;
}

static void set_expiry(struct policy_entry *entry, struct now now, uint64_t not_after_s)
{
    uint64_t now_s = now.unix_time.ms / 1000;
    uint64_t rest_s = not_after_s > now_s ? not_after_s - now_s : 0;
    uint64_t rest_ms = min_of(rest_s, POLICY_LIFETIME_MS / 1000) * 1000;
    entry->expires_at = mono_add(now.mono, rest_ms);
}

// Records and tombstones, plain or sealed, under any of our keys.
static enum policy_verdict classify_claim(
    const struct policy *policy, struct now now, const struct policy_put *put, struct judged *ret)
{
    enum status status = ERR_MISMATCH;
    for (size_t i = 0; i < policy->keys_count && status != OK; i++) {
        ret->keys = &policy->keys[i];
        status = record_parse(ret->keys, &put->key, put->value, &ret->parsed);
    }
    if (status != OK) {
        return verdict_of_form(status);
    }
    const struct record *record = &ret->parsed.record;
    struct policy_entry *entry = &ret->entry;
    bool tombstone = record_is_tombstone(record);
    entry->kind = tombstone ? POLICY_KIND_TOMBSTONE : POLICY_KIND_RECORD;
    entry->value_id =
        tombstone ? value_id_of_bytes(put->value) : value_id_of_record(&record->node_key);
    entry->author = record->node_key;
    entry->token = record->token;
    entry->owner = record->delegation.owner;
    entry->epoch_s = record->delegation.epoch_s;
    entry->sequence = record->sequence;
    if (record_check_time(record, now.unix_time) != OK ||
        record_check_delegation_time(record, now.unix_time) != OK) {
        return POLICY_WRONG_TIME;
    }
    set_expiry(entry, now, tombstone ? record->delegation.not_after_s : record->not_after_s);
    const struct policy_owner *known = find_owner(policy, &record->token);
    ret->known_owner = known == NULL ? NULL : &known->owner;
    return POLICY_STORE;
}

static enum policy_verdict classify_intent(
    const struct policy *policy, struct now now, const struct policy_put *put, struct judged *ret)
{
    enum status status = intent_peek(put->value, now.unix_time, &ret->envelope);
    if (status != OK) {
        return status == ERR_EXPIRED || status == ERR_FUTURE ? POLICY_WRONG_TIME : POLICY_MALFORMED;
    }
    ret->keys = &policy->keys[0]; // its network id is what counts, the same in all of them
    ret->entry.kind = POLICY_KIND_INTENT;
    ret->entry.value_id = value_id_of_bytes(put->value);
    ret->entry.author = ret->envelope.sender_key;
    uint64_t end_ms = unix_time_add(ret->envelope.sent_at, INTENT_WINDOW_MS).ms;
    uint64_t rest_ms = end_ms > now.unix_time.ms ? end_ms - now.unix_time.ms : 0;
    ret->entry.expires_at = mono_add(now.mono, min_of(rest_ms, POLICY_INTENT_LIFETIME_MS));
    return POLICY_STORE;
}

static enum policy_verdict classify_manifest(
    struct now now, const struct policy_put *put, struct judged *ret)
{
    struct manifest manifest;
    enum status status = manifest_parse(put->value, &manifest);
    if (status != OK) {
        return verdict_of_form(status);
    }
    struct dht_key key = key_of_manifest(&manifest.authority);
    if (!dht_key_equal(&key, &put->key)) {
        return POLICY_WRONG_KEY;
    }
    ret->entry.kind = POLICY_KIND_MANIFEST;
    ret->entry.value_id = value_id_of_bytes(put->value);
    ret->entry.author = manifest.authority;
    ret->entry.sequence = manifest.version;
    ret->entry.expires_at = mono_add(now.mono, POLICY_LIFETIME_MS);
    return POLICY_STORE;
}

static void set_source(struct policy_entry *entry, const struct address *from)
{
    if (!address_is_set(from)) {
        return;
    }
    entry->prefix_length = from->family == FAMILY_IPV4 ? BUDGET_PREFIX_IPV4 : BUDGET_PREFIX_IPV6;
    struct prefix prefix = prefix_of(from, entry->prefix_length);
    memcpy(entry->source, prefix.base.ip, sizeof entry->source);
}

// Form, key and time; no signature. POLICY_STORE if nothing speaks against it yet.
static enum policy_verdict classify(
    const struct policy *policy, struct now now, const struct policy_put *put, struct judged *ret)
{
    if (put->value.size > DHT_VALUE_MAX_SIZE) {
        return POLICY_TOO_LARGE;
    }
    ret->entry.used = true;
    ret->entry.key = put->key;
    ret->entry.digest = value_digest(put->value);
    set_source(&ret->entry, &put->from);
    struct dht_key piece = key_of_piece(put->value);
    if (put->value.size > 0 && dht_key_equal(&piece, &put->key)) {
        ret->entry.kind = POLICY_KIND_PIECE;
        ret->entry.owned = put->wanted;
        ret->entry.value_id = value_id_of_bytes(put->value);
        ret->entry.expires_at = mono_add(now.mono, POLICY_LIFETIME_MS);
        return POLICY_STORE;
    }
    switch (value_form_of(put->value)) {
    case VALUE_RECORD:
    case VALUE_SEALED:
    case VALUE_TOMBSTONE:
        return classify_claim(policy, now, put, ret);
    case VALUE_INTENT:
        return classify_intent(policy, now, put, ret);
    case VALUE_MANIFEST:
        return classify_manifest(now, put, ret);
    case VALUE_UNKNOWN:
        break;
    }
    return POLICY_MALFORMED;
}

// As record_outranks.
static bool outranks(const struct policy_entry *a, const struct policy_entry *b)
{
    if (a->epoch_s != b->epoch_s) {
        return a->epoch_s > b->epoch_s;
    }
    int order = node_key_compare(&a->author, &b->author);
    return order != 0 ? order < 0 : a->sequence > b->sequence;
}

static void survey_whole(struct survey *survey, struct policy_entry *other)
{
    if (!other->owned && (survey->soonest_unowned == NULL ||
                             other->expires_at.ms < survey->soonest_unowned->expires_at.ms)) {
        survey->soonest_unowned = other;
    }
    survey->unowned_claims += is_claim(other) && !other->owned ? 1 : 0;
    survey->intents += other->kind == POLICY_KIND_INTENT ? 1 : 0;
    survey->pieces += other->kind == POLICY_KIND_PIECE && !other->owned ? 1 : 0;
    survey->manifests += other->kind == POLICY_KIND_MANIFEST ? 1 : 0;
}

static void survey_here(
    struct survey *survey, const struct policy_entry *entry, struct policy_entry *other)
{
    switch (other->kind) {
    case POLICY_KIND_RECORD:
        if (node_key_equal(&other->author, &entry->author)) {
            survey->same_author = other;
        }
        if (other->owned && (survey->weakest == NULL || outranks(survey->weakest, other))) {
            survey->weakest = other;
        }
        survey->owned_here += other->owned ? 1 : 0;
        survey->unowned_here += other->owned ? 0 : 1;
        break;
    case POLICY_KIND_TOMBSTONE:
        survey->unowned_here += other->owned ? 0 : 1;
        survey->tombstone = other->owned ? other : survey->tombstone;
        break;
    case POLICY_KIND_INTENT:
        survey->intents_here++;
        if (other->prefix_length == entry->prefix_length &&
            memcmp(other->source, entry->source, sizeof entry->source) == 0) {
            survey->intents_of_prefix++;
        }
        break;
    case POLICY_KIND_MANIFEST:
        survey->manifest = other;
        break;
    case POLICY_KIND_PIECE:
    case POLICY_KIND_NONE:
        break;
    }
}

static struct survey survey_of(
    const struct policy *policy, struct mono now, const struct policy_entry *entry)
{
    struct survey survey = {0};
    for (size_t i = 0; i < policy->storage.entries_capacity; i++) {
        struct policy_entry *other = &policy->storage.entries[i];
        if (!is_live(other, now)) {
            survey.unused = other;
            continue;
        }
        survey_whole(&survey, other);
        if (dht_key_equal(&other->key, &entry->key)) {
            survey_here(&survey, entry, other);
        }
    }
    return survey;
}

static enum policy_verdict place_record(
    const struct survey *survey, const struct policy_entry *entry, struct place *place)
{
    struct policy_entry *same = survey->same_author;
    if (survey->tombstone != NULL && survey->tombstone->epoch_s >= entry->epoch_s) {
        return POLICY_RETIRED;
    }
    if (same != NULL) {
        if (!outranks(entry, same)) {
            return POLICY_OLD;
        }
        if (same->owned && !entry->owned) {
            return POLICY_NOT_OWNER;
        }
        place->slot = same;
    }
    if (!entry->owned) {
        return same == NULL && survey->unowned_here >= POLICY_UNKNOWN_PER_KEY ? POLICY_CROWDED
                                                                              : POLICY_STORE;
    }
    bool adds = same == NULL || !same->owned;
    if (adds && survey->owned_here >= POLICY_RECORDS_PER_KEY) {
        if (!outranks(entry, survey->weakest)) {
            return POLICY_CROWDED;
        }
        place->victim = survey->weakest;
        place->slot = same != NULL ? same : survey->weakest;
    }
    return POLICY_STORE;
}

static enum policy_verdict place_tombstone(
    const struct survey *survey, const struct policy_entry *entry, struct place *place)
{
    if (!entry->owned) {
        return survey->unowned_here >= POLICY_UNKNOWN_PER_KEY ? POLICY_CROWDED : POLICY_STORE;
    }
    if (survey->tombstone != NULL) {
        if (survey->tombstone->epoch_s >= entry->epoch_s) {
            return POLICY_OLD;
        }
        place->slot = survey->tombstone;
        place->victim = survey->tombstone;
    }
    return POLICY_STORE;
}

static enum policy_verdict place_by_kind(
    const struct survey *survey, const struct policy_entry *entry, struct place *place)
{
    switch (entry->kind) {
    case POLICY_KIND_RECORD:
        return place_record(survey, entry, place);
    case POLICY_KIND_TOMBSTONE:
        return place_tombstone(survey, entry, place);
    case POLICY_KIND_INTENT:
        if (survey->intents_here >= POLICY_INTENTS_PER_KEY) {
            return POLICY_CROWDED;
        }
        return survey->intents_of_prefix >= POLICY_INTENTS_PER_PREFIX ? POLICY_CROWDED_PREFIX
                                                                      : POLICY_STORE;
    case POLICY_KIND_MANIFEST:
        if (survey->manifest != NULL && survey->manifest->sequence >= entry->sequence) {
            return POLICY_OLD;
        }
        place->slot = survey->manifest;
        place->victim = survey->manifest;
        return POLICY_STORE;
    case POLICY_KIND_PIECE:
    case POLICY_KIND_NONE:
        break;
    }
    return POLICY_STORE;
}

// True if the entry's kind has used up its share of the table.
static bool share_is_full(
    const struct policy *policy, const struct survey *survey, const struct policy_entry *entry)
{
    size_t capacity = policy->storage.entries_capacity;
    switch (entry->kind) {
    case POLICY_KIND_RECORD:
    case POLICY_KIND_TOMBSTONE:
        return !entry->owned && survey->unowned_claims >= capacity / 2;
    case POLICY_KIND_INTENT:
        return survey->intents >= capacity / 4;
    case POLICY_KIND_PIECE:
        return !entry->owned && survey->pieces >= capacity / 8;
    case POLICY_KIND_MANIFEST:
        return survey->manifests >= capacity / 8;
    case POLICY_KIND_NONE:
        break;
    }
    return true;
}

static enum policy_verdict find_place(const struct policy *policy, struct mono now,
    const struct policy_entry *entry, struct place *ret)
{
    struct survey survey = survey_of(policy, now, entry);
    struct place place = {0};
    enum policy_verdict verdict = place_by_kind(&survey, entry, &place);
    if (verdict != POLICY_STORE) {
        return verdict;
    }
    if (place.slot == NULL) {
        if (share_is_full(policy, &survey, entry)) {
            return POLICY_FULL;
        }
        place.slot = survey.unused;
    }
    if (place.slot == NULL && entry->owned) {
        place.slot = survey.soonest_unowned;
        place.victim = survey.soonest_unowned;
    }
    if (place.slot == NULL) {
        return POLICY_FULL;
    }
    *ret = place;
    return POLICY_STORE;
}

static bool take_budgets(
    struct policy *policy, struct mono now, const struct address *from, uint32_t units)
{
    return prefix_budgets_take(&policy->per_prefix, from, now, units) &&
           budget_take(&policy->whole, &whole_rate, now, units);
}

static enum status verify_own_signature(const struct judged *judged, const struct policy_put *put)
{
    struct manifest manifest;
    switch (judged->entry.kind) {
    case POLICY_KIND_RECORD:
    case POLICY_KIND_TOMBSTONE:
        return record_verify(judged->keys, &judged->parsed);
    case POLICY_KIND_INTENT:
        return intent_verify(judged->keys, &put->key, &judged->envelope);
    case POLICY_KIND_MANIFEST:
        return manifest_decode(put->value, &manifest);
    case POLICY_KIND_PIECE:
    case POLICY_KIND_NONE:
        break;
    }
    return OK;
}

// A tombstone drops what it retires, proven or not.
static void retire_records(struct policy *policy, const struct policy_entry *tombstone)
{
    for (size_t i = 0; i < policy->storage.entries_capacity; i++) {
        struct policy_entry *entry = &policy->storage.entries[i];
        if (entry->used && entry->kind == POLICY_KIND_RECORD &&
            token_id_equal(&entry->token, &tombstone->token) &&
            entry->epoch_s <= tombstone->epoch_s) {
            remove_entry(policy, entry);
        }
    }
}

static void commit(
    struct policy *policy, const struct policy_entry *entry, const struct place *place)
{
    if (place->victim != NULL) {
        remove_entry(policy, place->victim);
    }
    *place->slot = *entry;
    cancel_removal(policy, entry);
    if (entry->kind == POLICY_KIND_TOMBSTONE && entry->owned) {
        retire_records(policy, entry);
    }
}

static struct policy_entry *find_identical(
    const struct policy *policy, struct mono now, const struct policy_entry *entry)
{
    for (size_t i = 0; i < policy->storage.entries_capacity; i++) {
        struct policy_entry *other = &policy->storage.entries[i];
        if (is_live(other, now) && dht_key_equal(&other->key, &entry->key) &&
            hash256_equal(&other->digest, &entry->digest)) {
            return other;
        }
    }
    return NULL;
}

const struct policy_entry *policy_find(
    const struct policy *policy, struct mono now, const struct dht_key *key, uint64_t value_id)
{
    for (size_t i = 0; i < policy->storage.entries_capacity; i++) {
        const struct policy_entry *entry = &policy->storage.entries[i];
        if (is_live(entry, now) && entry->value_id == value_id && dht_key_equal(&entry->key, key)) {
            return entry;
        }
    }
    return NULL;
}

// True if the entry could be proven to be by the owner and is not yet.
static bool is_unproven(const struct policy *policy, const struct judged *judged, bool owned)
{
    return judged->known_owner != NULL && policy->check != NULL && !owned;
}

static enum policy_verdict judge_new(
    struct policy *policy, struct now now, const struct policy_put *put, struct judged *judged)
{
    struct policy_entry *entry = &judged->entry;
    if (judged->known_owner != NULL && !eth_address_equal(judged->known_owner, &entry->owner)) {
        return POLICY_NOT_OWNER;
    }
    // Taken for proven first: so that what has no room even then costs no signature.
    bool provable = is_unproven(policy, judged, false);
    entry->owned = entry->owned || provable;
    struct place place;
    enum policy_verdict verdict = find_place(policy, now.mono, entry, &place);
    if (verdict != POLICY_STORE) {
        return verdict;
    }
    if (!take_budgets(policy, now.mono, &put->from, provable ? 2 : 1)) {
        return POLICY_OVER_BUDGET;
    }
    if (verify_own_signature(judged, put) != OK) {
        return POLICY_BAD_SIGNATURE;
    }
    if (provable) {
        enum status proof = policy->check(policy->check_context, &judged->parsed.record.delegation);
        if (proof != OK && proof != ERR_UNSUPPORTED) {
            return POLICY_BAD_SIGNATURE;
        }
        entry->owned = proof == OK;
        verdict = find_place(policy, now.mono, entry, &place);
    }
    if (verdict == POLICY_STORE) {
        commit(policy, entry, &place);
    }
    return verdict;
}

// The same bytes again: no signature, except that a claim whose owner has become known since is
// proven now.
static enum policy_verdict judge_identical(struct policy *policy, struct now now,
    const struct policy_put *put, struct judged *judged, struct policy_entry *stored)
{
    if (is_unproven(policy, judged, stored->owned)) {
        stored->used = false; // it must not stand in its own way
        enum policy_verdict verdict = judge_new(policy, now, put, judged);
        if (policy_verdict_stores(verdict)) {
            return verdict;
        }
        stored->used = true;
        if (verdict != POLICY_OVER_BUDGET) {
            remove_entry(policy, stored);
            return verdict;
        }
    }
    if (stored->kind == POLICY_KIND_INTENT) {
        judged->entry.expires_at = stored->expires_at;
    }
    if (stored->kind == POLICY_KIND_PIECE) {
        stored->owned = judged->entry.owned;
    }
    stored->expires_at = judged->entry.expires_at;
    return POLICY_KEEP;
}

struct policy_decision policy_on_put(
    struct policy *policy, struct now now, const struct policy_put *put)
{
    struct judged judged = {0};
    enum policy_verdict verdict = classify(policy, now, put, &judged);
    if (verdict == POLICY_STORE) {
        struct policy_entry *stored = find_identical(policy, now.mono, &judged.entry);
        verdict = stored != NULL ? judge_identical(policy, now, put, &judged, stored)
                                 : judge_new(policy, now, put, &judged);
    }
    policy->counts[verdict]++;
    return (struct policy_decision){
        .verdict = verdict,
        .kind = judged.entry.kind,
        .value_id = judged.entry.value_id,
        .expires_at = judged.entry.expires_at,
    };
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// What this node stores when a stranger puts: the engine asks for every value that arrives, and
// anything that is not one of our formats at its own key is refused. Cheap checks come first, then
// budgets (per source prefix and for the whole), then signatures.
//
// Capacities: all of the caller (struct policy_storage). What a stranger can and cannot displace:
// - records and tombstones that the known owner of a token authorised are displaced only by others
//   of that owner, and take the place of any other kind when the table is full; so do pieces that
//   this node wants itself, which are as few as the signatures that it keeps;
// - all else is first come, first served within its share of the table (unknown tokens a half,
//   intents a quarter, pieces and manifests an eighth each) and its cap per key; a full share
//   refuses newcomers until something expires, at most 10 minutes later.
// Lookups scan the table: some hundred entries are meant, a thousand are fine.
#pragma once

#include "base/budget.h"
#include "base/clock.h"
#include "base/delegation.h"
#include "dht/key.h"

enum {
    POLICY_RECORDS_PER_KEY = 8,    // of a known owner: one per node key
    POLICY_TOMBSTONES_PER_KEY = 1, // the highest epoch
    POLICY_UNKNOWN_PER_KEY = 2,    // records and tombstones of a token whose owner we do not know
    POLICY_INTENTS_PER_KEY = 16,
    POLICY_INTENTS_PER_PREFIX = 2, // per key and source prefix (/24, /56)
    POLICY_INTENT_LIFETIME_MS = 120 * 1000,
    POLICY_LIFETIME_MS = 10 * 60 * 1000, // all else, at most, unless put again
    POLICY_KEYS_MAX = 2,                 // an old and a new network secret side by side
    POLICY_REMOVALS_MAX = 32,
    POLICY_ENTRIES_MIN = 16,

    // One unit is a signature to verify; about 50 us. A site of 60 members behind one address puts
    // about one record in 8 s at each node that is near all of them.
    POLICY_UNITS_PER_PREFIX_PER_SECOND = 8,
    POLICY_UNITS_PER_PREFIX_BURST = 128,
    POLICY_UNITS_PER_SECOND = 400,
    POLICY_UNITS_BURST = 800,
};

// Why a put was taken or refused. X(name, text): the text is for metrics and logs.
#define POLICY_VERDICT_LIST(X)                                                                     \
    X(POLICY_STORE, "stored")                                                                      \
    X(POLICY_KEEP, "same_as_stored") /* store or leave it, the lifetime starts anew */             \
    X(POLICY_TOO_LARGE, "too_large")                                                               \
    X(POLICY_MALFORMED, "malformed")                                                               \
    X(POLICY_WRONG_KEY, "wrong_key")                                                               \
    X(POLICY_WRONG_TIME, "wrong_time")                                                             \
    X(POLICY_NOT_OWNER, "not_by_owner")                                                            \
    X(POLICY_RETIRED, "retired_by_tombstone")                                                      \
    X(POLICY_OLD, "older_than_stored")                                                             \
    X(POLICY_CROWDED, "key_is_full")                                                               \
    X(POLICY_CROWDED_PREFIX, "prefix_has_its_share")                                               \
    X(POLICY_FULL, "table_is_full")                                                                \
    X(POLICY_OVER_BUDGET, "over_budget")                                                           \
    X(POLICY_BAD_SIGNATURE, "bad_signature")

#define POLICY_ENUM_ENTRY(name, text) name,
enum policy_verdict { POLICY_VERDICT_LIST(POLICY_ENUM_ENTRY) POLICY_VERDICTS };
#undef POLICY_ENUM_ENTRY

// The text of the list above. Static storage.
const char *policy_verdict_name(enum policy_verdict verdict);

// The two that store; all others refuse.
static inline bool policy_verdict_stores(enum policy_verdict verdict)
{
    return verdict == POLICY_STORE || verdict == POLICY_KEEP;
}

enum policy_kind {
    POLICY_KIND_NONE, // refused before it was known
    POLICY_KIND_RECORD,
    POLICY_KIND_TOMBSTONE,
    POLICY_KIND_INTENT,
    POLICY_KIND_PIECE,
    POLICY_KIND_MANIFEST,
};

// Whether the delegation is signed by the owner it names: OK, ERR_UNSUPPORTED where only the chain
// can judge (contract wallets), anything else if not. The node gives chain/'s local check; it is
// asked only for the known owner of a token and behind a budget, and must not call back.
typedef enum status (*policy_delegation_check)(void *context, const struct delegation *delegation);

struct policy_owner {
    struct token_id token;
    struct eth_address owner;
};

// One stored value. Of intents `author` is the sender, of manifests the authority.
struct policy_entry {
    struct dht_key key;
    uint64_t value_id;
    enum policy_kind kind;
    bool used;
    bool owned;               // proven to be by the known owner of the token; pieces: wanted here
    uint8_t prefix_length;    // of the source: 24, 56, or 0 = unknown
    uint8_t source[8];        // the source's prefix
    struct node_key author;   // records, intents, manifests
    struct token_id token;    // records, tombstones
    struct eth_address owner; // records, tombstones
    uint64_t epoch_s;         // records, tombstones
    uint64_t sequence;        // records; of manifests the version
    struct hash256 digest;
    struct mono expires_at;
};

struct policy_removal {
    struct dht_key key;
    uint64_t value_id;
};

// The caller's arrays; they live as long as the policy. Sizes at least 1; entries at least
// POLICY_ENTRIES_MIN.
struct policy_storage {
    struct policy_entry *entries;
    size_t entries_capacity;
    struct policy_owner *owners; // when full, further tokens stay unknown
    size_t owners_capacity;
    struct prefix_budget_entry *prefixes;
    size_t prefixes_capacity;
};

struct policy {
    struct network_keys keys[POLICY_KEYS_MAX];
    size_t keys_count;
    struct policy_storage storage;
    size_t owners_count; // sorted by token
    policy_delegation_check check;
    void *check_context;
    struct prefix_budgets per_prefix;
    struct budget_rate whole_rate;
    struct budget whole;
    struct policy_removal removals[POLICY_REMOVALS_MAX];
    size_t removals_first;
    size_t removals_count;
    uint64_t counts[POLICY_VERDICTS];
};

// `check` may be NULL: then no delegation counts as proven by its owner.
void policy_init(struct policy *policy, const struct network_keys *keys,
    const struct policy_storage *storage, policy_delegation_check check, void *check_context);

// A second set of keys, for the time in which a network changes its secret. ERR_FULL: there are
// POLICY_KEYS_MAX already.
enum status policy_add_keys(struct policy *policy, const struct network_keys *keys);

// What the chain says of a token. A zero `owner` = it does not exist: nothing is stored for it.
// Stored values by anybody else are removed. ERR_FULL: the token stays unknown, which costs its
// member no more than the smaller cap.
enum status policy_set_owner(
    struct policy *policy, const struct token_id *token, const struct eth_address *owner);
void policy_forget_owner(struct policy *policy, const struct token_id *token);

struct policy_put {
    struct address from; // a stranger's; own values need no policy
    struct dht_key key;
    struct span value;
    bool wanted; // if it is a piece: of a signature that this node keeps itself
};

struct policy_decision {
    enum policy_verdict verdict;
    enum policy_kind kind;
    uint64_t value_id; // what to store it under, whatever the sender chose; replaces an equal one
    struct mono expires_at;
};

// Judges one put and notes it if it is to be stored; id and expiry count only then. Values that it
// displaces under other ids come from policy_next_removal.
struct policy_decision policy_on_put(
    struct policy *policy, struct now now, const struct policy_put *put);

// The entry of the value that is stored there under this id; NULL if there is none. Valid until the
// next call.
const struct policy_entry *policy_find(
    const struct policy *policy, struct mono now, const struct dht_key *key, uint64_t value_id);

// The next value that the engine should drop before its time, until false. Drain after each call
// above: of more than POLICY_REMOVALS_MAX the oldest are forgotten, and expire by themselves.
bool policy_next_removal(struct policy *policy, struct policy_removal *ret);

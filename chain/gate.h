// SPDX-License-Identifier: GPL-3.0-or-later
//
// The ownership gate: may this node key sit in this token's seat, now? It reads owners through
// several providers, believes what a quorum of fresh answers says, and keeps *yes*, *no* and
// *unknown* apart. It does no I/O: calls go out by gate_next_call, answers come in by
// gate_on_reply, time by gate_on_deadline, news leave by gate_next_event.
//
//   - A token's reading is yes (k equal values), no (k denials) or unknown. k = floor(n/2) + 1.
//   - With TRUST_POLICY_PROOF the owner comes from the contract's storage, proven under a header on
//     which k providers agree (gate_proof.c); what cannot be proven stays k of n.
//   - Only answers whose head is fresh by its own timestamp count, for at most 30 s.
//   - Floors are raised by a yes only, dropped when the owner changes, and persisted.
//   - Nothing that a provider, an owner or a stranger sends can reach an assertion.
#pragma once

#include "base/clock.h"
#include "base/delegation.h"
#include "base/profile.h"
#include "base/rng.h"
#include "chain/eip712.h"
#include "chain/reads.h"
#include "chain/wallet.h"

enum {
    GATE_PROVIDERS_MAX = 8,
    GATE_CHUNK_TOKENS = 200, // tokens in one aggregate call
    GATE_POLL_DEFAULT_MS = 5000,
    GATE_HEAD_AGE_DEFAULT_MS = 60000,
    GATE_REASK_TOKENS = 16,
    GATE_VERDICT_TEXT_SIZE = 320,
};

// How many providers must say the same (k of n), and whether owners are proven besides.
enum trust_policy {
    TRUST_POLICY_QUORUM = 0, // k = floor(n/2) + 1
    TRUST_POLICY_SINGLE,     // k = 1: the first in the list that answers decides
    TRUST_POLICY_PROOF,      // as QUORUM, and a yes needs the owner proven under a header of k
};

// "quorum", "single", "proof". Static storage. The second: ERR_MALFORMED for another name.
const char *trust_policy_name(enum trust_policy policy);
enum status trust_policy_parse(struct span text, enum trust_policy *ret);

// How settled a block must be for what it grants. What it takes away counts on `latest` always.
enum grant_tag {
    GRANT_LATEST = 0,
    GRANT_SAFE,
    GRANT_FINALIZED,
};

// "latest", "safe", "finalized". Static storage. The second: ERR_MALFORMED for another name.
const char *grant_tag_name(enum grant_tag tag);
enum status grant_tag_parse(struct span text, enum grant_tag *ret);

enum {
    GATE_READING_MS = 30000, // how long an answer may admit, whatever the grace
};

struct gate_config {
    struct network network;
    enum contract_profile profile;
    enum trust_policy trust;
    enum grant_tag grant;
    size_t providers;            // 0 .. GATE_PROVIDERS_MAX; with 0 every reading is unknown
    size_t tokens_max;           // watched, refreshed or remembered for their floors; >= 1
    size_t members_max;          // tokens that enumeration may find; 0 = never enumerate
    uint32_t poll_ms;            // 0 = GATE_POLL_DEFAULT_MS; each pause is 80 to 100 % of it
    uint32_t grace_ms;           // 0 = no grace
    uint32_t head_age_max_ms;    // 0 = GATE_HEAD_AGE_DEFAULT_MS
    uint64_t window_max_s;       // longest delegation; 0 = DELEGATION_WINDOW_MAX_S
    uint32_t enumerate_ms;       // pace of enumeration; 0 = 60 s
    uint32_t enumerate_gap_max;  // unknown ids in a row that end a sequential search; 0 = 64
    uint32_t logs_ms;            // pace of eth_getLogs; 0 = never: see gate_logs.c
    bool details;                // keep what gate_read_detail tells: about 300 bytes an answer
    size_t wallets;              // claims signed by contract wallets or delegates that are judged
                                 // at a time; 0 = none: such a claim is unknown (REASON_KIND)
    struct eth_address registry; // delegate.xyz's, version 2; zero = it has no say
};

enum {
    // What one of those claims may bring along; a longer signature is refused.
    GATE_SIGNATURE_MAX = WALLET_SIGNATURE_MAX,
};

enum verdict_kind {
    VERDICT_UNKNOWN = 0,
    VERDICT_NO = 1,
    VERDICT_YES = 2,
};

// X(name, kind, what is the matter; completes "token 7: ...")
#define VERDICT_REASON_LIST(X)                                                                     \
    X(REASON_AUTHORISED, VERDICT_YES, "authorised by its owner")                                   \
    X(REASON_NOT_OWNED, VERDICT_NO, "no such token exists in the contract")                        \
    X(REASON_NOT_ACTIVE, VERDICT_NO, "its access is revoked in the contract")                      \
    X(REASON_OTHER_OWNER, VERDICT_NO, "its owner has not authorised this node")                    \
    X(REASON_SIGNATURE, VERDICT_NO, "the owner's signature does not verify")                       \
    X(REASON_EXPIRED, VERDICT_NO, "the delegation has expired")                                    \
    X(REASON_NOT_YET, VERDICT_NO, "the delegation is not valid yet")                               \
    X(REASON_WINDOW, VERDICT_NO, "the delegation is valid for longer than the network allows")     \
    X(REASON_EPOCH_FUTURE, VERDICT_NO, "the delegation was signed in the future")                  \
    X(REASON_EPOCH_OLD, VERDICT_NO, "the delegation was signed before the token changed hands")    \
    X(REASON_OUTRANKED, VERDICT_NO, "a newer delegation has replaced this one")                    \
    X(REASON_TOMBSTONE, VERDICT_NO, "the owner has retired the node that sat here")                \
    X(REASON_REPLAYED, VERDICT_NO, "a newer record of this node was seen before")                  \
    X(REASON_KEY_MISMATCH, VERDICT_NO, "the contract stores another WireGuard key")                \
    X(REASON_KEY_UNUSABLE, VERDICT_NO, "the contract stores what is no WireGuard key")             \
    X(REASON_KEY_TAKEN, VERDICT_NO, "its node uses the WireGuard key of another one")              \
    X(REASON_WALLET_REFUSED, VERDICT_NO, "its owner, a contract wallet, refuses the signature")    \
    X(REASON_NO_WALLET, VERDICT_NO, "its owner is no contract, and has not signed as a key")       \
    X(REASON_UNDEPLOYED, VERDICT_NO, "it is signed for a wallet not deployed yet (ERC-6492)")      \
    X(REASON_NOT_DELEGATE, VERDICT_NO, "it is signed neither by its owner nor by a delegate")      \
    X(REASON_NOT_READ, VERDICT_UNKNOWN, "the chain has not been read yet")                         \
    X(REASON_NO_PROVIDER, VERDICT_UNKNOWN, "no RPC provider is configured")                        \
    X(REASON_NO_ANSWER, VERDICT_UNKNOWN, "too few RPC providers answer")                           \
    X(REASON_DISAGREE, VERDICT_UNKNOWN, "the RPC providers disagree")                              \
    X(REASON_STALE_HEAD, VERDICT_UNKNOWN, "the RPC providers' newest block is too old")            \
    X(REASON_WRONG_CHAIN, VERDICT_UNKNOWN, "the RPC providers serve another chain")                \
    X(REASON_NO_CODE, VERDICT_UNKNOWN, "there is no contract at the configured address")           \
    X(REASON_PROFILE, VERDICT_UNKNOWN, "the kind of contract is not known yet")                    \
    X(REASON_CONTRACT, VERDICT_UNKNOWN, "the contract does not answer for this token")             \
    X(REASON_KIND, VERDICT_UNKNOWN, "this node cannot judge that kind of signature")               \
    X(REASON_SIGNATURE_AWAY, VERDICT_UNKNOWN, "its owner's signature is being fetched")            \
    X(REASON_WALLET_ASKED, VERDICT_UNKNOWN, "the chain is asked about its owner's signature")      \
    X(REASON_WALLET_SILENT, VERDICT_UNKNOWN,                                                       \
        "the contract that knows its owner's signature fails")                                     \
    X(REASON_NO_REGISTRY, VERDICT_UNKNOWN, "there is no delegate registry on this chain")          \
    X(REASON_WALLETS_FULL, VERDICT_UNKNOWN, "this node asks about as many wallets as it may")      \
    X(REASON_NOT_PROVEN, VERDICT_UNKNOWN, "its owner has not been proven lately")                  \
    X(REASON_CONTRADICTED, VERDICT_UNKNOWN, "the RPC providers contradict a proof")                \
    X(REASON_NOT_SETTLED, VERDICT_UNKNOWN, "its block is too young for the configured `grant`")    \
    X(REASON_TABLE_FULL, VERDICT_UNKNOWN, "this node watches as many tokens as it may")

#define VERDICT_REASON_ENTRY(name, kind, text) name,
enum verdict_reason { VERDICT_REASON_LIST(VERDICT_REASON_ENTRY) };
#undef VERDICT_REASON_ENTRY

// Name without prefix in lower case for JSON, metrics and logs ("other_owner"). Static storage.
const char *verdict_reason_name(enum verdict_reason reason);
const char *verdict_reason_text(enum verdict_reason reason); // completes "token 7: "
const char *verdict_kind_name(enum verdict_kind kind);       // "yes", "no", "unknown"

// REASON_KEY_TAKEN is the node's: the gate knows one token at a time.

// The string that a contract stores for a token, as a WireGuard key.
enum stored_key {
    STORED_KEY_EMPTY = 0, // none is set: no extra check
    STORED_KEY_UNUSABLE,  // of another length, or no base64: no node has that key
    STORED_KEY_USABLE,
};

// What the chain says about a token, as far as the gate knows at this moment.
struct gate_reading {
    enum verdict_kind kind;
    enum verdict_reason reason;
    struct eth_address owner; // YES, or proven: the owner. Otherwise zero
    bool owner_proven;        // also where the rest, and so the reading, is unknown
    bool has_access;          // YES and PROFILE_DSTACK_ACCESS: the next three hold
    bool active;
    enum stored_key stored_key;
    struct wg_key wg_key; // STORED_KEY_USABLE
    uint64_t age_ms;      // of the oldest answer that it rests on
};

enum {
    GATE_NODE_ID_MAX = 255, // bytes; a longer one counts as none
};

// What a contract of PROFILE_DSTACK_ACCESS stores beside the key. For lists, not for decisions.
struct gate_detail {
    uint64_t created_at_s;
    uint8_t node_id_size;
    uint8_t node_id[GATE_NODE_ID_MAX]; // whatever its minter wrote: no text until it is checked
};

// A node's claim to a seat, as its record makes it.
struct gate_claim {
    const struct delegation *delegation;
    struct wg_key wg_key;
    uint64_t sequence; // of the record; 0 if the claim comes without one (a tombstone)
    // DELEGATION_EIP1271_HASHED: the signature, whose bytes the caller has checked against the hash
    // in the delegation; empty = it is not at hand. The gate keeps a copy as long as it can, so it
    // need come only once (gate_signature).
    struct span signature;
    // A tombstone whose signature the chain has said yes to before: no wallet and no registry is
    // asked again. What an owner has retired stays so when the wallet has other owners later.
    bool accepted;
};

struct verdict {
    enum verdict_kind kind;
    enum verdict_reason reason;
    struct token_id token;
    struct eth_address owner; // who owns it now; zero if unknown or nobody
    // UNKNOWN: how long a tunnel that is up may stay, counted from the last yes to this node key.
    // 0: close it. Nobody new is admitted either way.
    uint64_t grace_left_ms;
    // When this verdict may change without news from the chain: expiry, or the end of the grace.
    // Decide again then, and at each GATE_EVENT_TOKEN of the token.
    struct mono until;
};

// One JSON-RPC request to make. POST `body` to the provider's URL with content-type
// application/json, stop reading at `reply_max` bytes (RPC_TOO_LARGE), and report to gate_on_reply.
struct gate_call {
    uint64_t id;
    size_t provider;
    struct span body; // valid until the next call of any gate function
    size_t reply_max;
    uint32_t timeout_ms;
};

enum provider_health {
    PROVIDER_UNCHECKED = 0, // not asked yet, or being asked for chain and contract
    PROVIDER_GOOD,
    PROVIDER_UNREACHABLE,  // no connection, timeout
    PROVIDER_FAULTY,       // HTTP errors, or not JSON-RPC
    PROVIDER_RATE_LIMITED, // backing off as told
    PROVIDER_WRONG_CHAIN,  // eth_chainId differs
    PROVIDER_NO_CODE,      // nothing at the contract's address
    PROVIDER_STALE,        // its newest block is too old, or lies far in the future
};

const char *provider_health_name(enum provider_health health); // "good", "wrong_chain", …

// What a provider was caught at when it proved owners. All but the last two are lies or damage;
// those also befall an honest one: blocks that come between its answers, and reorganisations.
#define PROOF_FAULT_LIST(X)                                                                        \
    X(PROOF_FAULT_VALUE, "value")   /* it states another value than its own proof shows */         \
    X(PROOF_FAULT_NODE, "node")     /* a node of the proof is not what its parent names */         \
    X(PROOF_FAULT_HEADER, "header") /* a block's fields do not hash to its hash */                 \
    X(PROOF_FAULT_ROOT, "root")     /* a proof under the state root of neither of its heads */     \
    X(PROOF_FAULT_BLOCK, "block")   /* others have another block of that number */

#define PROOF_FAULT_ENTRY(name, text) name,
enum proof_fault { PROOF_FAULT_LIST(PROOF_FAULT_ENTRY) PROOF_FAULTS };
#undef PROOF_FAULT_ENTRY

const char *proof_fault_name(enum proof_fault fault); // "value", …

// A provider as `status` shows it.
struct gate_provider_status {
    enum provider_health health;
    uint64_t head_number;         // of its newest answer; 0 if none
    uint64_t head_time_s;         // timestamp of that block
    uint64_t chain_id;            // what it said; 0 if it said nothing
    uint32_t failures;            // in a row
    bool circuit_open;            // after so many that only a single call probes it
    uint64_t retry_in_ms;         // 0: now
    uint64_t calls, faults;       // since start
    uint64_t rate_limits;         // times that it asked for less, since start
    uint64_t bytes_out, bytes_in; // bodies, since start
    uint64_t hour_calls, hour_bytes_out, hour_bytes_in; // of the last 55 to 60 minutes
    uint32_t latency_ms;                                // smoothed; 0 until it has answered
    uint32_t latency_last_ms;
    uint64_t head_age_ms; // of its newest block, against chain time; 0 if there is none
    enum reads_way way;   // how tokens are read from it
    uint64_t disputes;    // times that it contradicted the others, or a proof, at one block
    uint64_t proofs;      // batches of proofs that it gave and that held
    bool logs_absent;     // it does not serve eth_getLogs
    uint64_t logs_blocks; // that it takes in one eth_getLogs, as far as is known; 0: not asked
    uint64_t proof_faults[PROOF_FAULTS];
};

enum trust_level {
    TRUST_NONE,   // fewer than k providers are good: nobody new is admitted
    TRUST_SINGLE, // one provider is configured: "trusting one RPC"
    TRUST_QUORUM, // k of n
    TRUST_PROOF,  // owners are proven, the rest is k of n
};

// Where proof stands, X(value, name, sentence). Only PROOF_ON and PROOF_LACKING demand proofs; in
// all others the quorum decides meanwhile.
#define PROOF_STANDING_LIST(X)                                                                     \
    X(PROOF_OFF, "off", "owners are not proven")                                                   \
    X(PROOF_SEARCHING, "searching", "the owners' place in the contract is being looked for")       \
    X(PROOF_FEW_TOKENS, "few_tokens",                                                              \
        "proof is off because it takes two tokens to find the owners' place in the contract")      \
    X(PROOF_NO_PLACE, "no_place",                                                                  \
        "proof is off because the contract keeps its owners at no place that is known")            \
    X(PROOF_BEACON, "beacon",                                                                      \
        "proof is off because another contract names this one's code (a beacon proxy)")            \
    X(PROOF_NOT_SERVED, "not_served", "proof is off because no RPC provider serves eth_getProof")  \
    X(PROOF_UNKNOWN_HEADER, "unknown_header",                                                      \
        "proof is off because this chain's headers have fields that this version does not know")   \
    X(PROOF_CHANGED, "changed", "proof is off because the contract's code changed")                \
    X(PROOF_ON, "on", "owners are proven")                                                         \
    X(PROOF_LACKING, "lacking", "owners cannot be proven at the moment: nobody new is admitted")

#define PROOF_STANDING_ENTRY(value, name, text) value,
enum proof_standing { PROOF_STANDING_LIST(PROOF_STANDING_ENTRY) };
#undef PROOF_STANDING_ENTRY

const char *proof_standing_name(enum proof_standing standing);
const char *proof_standing_text(enum proof_standing standing);

// Whether a yes needs a proven owner.
bool proof_demanded(enum proof_standing standing);

struct gate_trust {
    enum trust_level level;    // at work now
    enum grant_tag grant;      // as configured
    uint32_t grace_ms;         // as configured
    enum trust_policy policy;  // as configured
    enum proof_standing proof; // PROOF_OFF unless the policy is proof
    uint64_t proof_block;      // newest block under which owners were proven; 0 = none
    size_t quorum;             // k
    size_t providers;          // n
    size_t good;               // providers that are good now
};

enum gate_event_kind {
    GATE_EVENT_TOKEN,       // the token's reading changed, or a refresh of it is complete
    GATE_EVENT_MEMBER,      // enumeration found a token
    GATE_EVENT_MEMBER_GONE, // enumeration no longer finds it
    GATE_EVENT_ENUMERATED,  // a round of enumeration is complete; `count` tokens
    GATE_EVENT_PROVIDER,    // the health of `provider` changed
    GATE_EVENT_PROFILE,     // the contract's profile has been detected
    GATE_EVENT_PROOF,       // where proof stands changed; see gate_trust
};

struct gate_event {
    enum gate_event_kind kind;
    struct token_id token; // TOKEN, MEMBER, MEMBER_GONE
    bool owner_changed;    // TOKEN: another owner than the last one known
    bool refreshing;       // TOKEN: a refresh of it is not complete
    size_t provider;       // PROVIDER
    size_t count;          // ENUMERATED
    bool bounded;          // ENUMERATED: there are more than members_max
};

// Opaque, unlike other parts of the core: it allocates its tables anyway, and its fields are three
// times the size of what others may know of it. They stand in chain/gate_state.h.
struct gate;

// Allocates for the capacities in `config`. `rng` draws call ids and jitter; forked, not kept.
// ERR_RANGE if a capacity or pace is out of bounds, ERR_FULL if there is no memory.
enum status gate_create(const struct gate_config *config, struct rng *rng, struct gate **ret);

// Accepts NULL.
void gate_destroy(struct gate *gate);

// Reads `token` at every poll from now on. Watching twice is the same as once. ERR_FULL if
// tokens_max tokens are watched already: say so, and watch another one less.
enum status gate_watch(struct gate *gate, const struct token_id *token, struct now now);

// Stops that. What is known of the token stays, its floors at least until the room is needed.
void gate_unwatch(struct gate *gate, const struct token_id *token);

// Reads `token` now unless it was read within the last second; a GATE_EVENT_TOKEN follows in any
// case. For a newcomer, or when a person asks. ERR_FULL as gate_watch.
enum status gate_refresh(struct gate *gate, const struct token_id *token, struct now now);

// What is known of the token's place on the chain, answers no older than 30 s.
struct gate_reading gate_read(
    const struct gate *gate, const struct token_id *token, struct now now);

// What k of the answers behind a yes agree on. ERR_NOT_FOUND: they do not, there are none, or
// config.details is off.
enum status gate_read_detail(
    const struct gate *gate, const struct token_id *token, struct now now, struct gate_detail *ret);

// Why nothing can be read of any token, as most providers have it; REASON_NOT_READ if they can.
enum verdict_reason gate_silence(const struct gate *gate);

// The last owner that a quorum named, however long ago, for ranking what others put into the DHT.
// ERR_NOT_FOUND if none is known.
enum status gate_last_owner(
    const struct gate *gate, const struct token_id *token, struct eth_address *ret);

// May this node sit there now? Checks everything but the record's own signature. A yes raises the
// floors and renews the grace; nothing else does, except that an owner's valid tombstone retires
// what ranks below it. The token need not be watched, but then somebody must have refreshed it.
struct verdict gate_decide(struct gate *gate, struct now now, const struct gate_claim *claim);

// The signature of a delegation of kind DELEGATION_EIP1271_HASHED, if gate_decide was given it and
// it has not had to make room since. Valid until the next call that takes the gate. ERR_NOT_FOUND.
enum status gate_signature(
    const struct gate *gate, const struct delegation *delegation, struct span *ret);

// Gives the gate the signature of a claim that will be judged later, as after a restart. Where
// there is no room it is left out: the claim has to bring it again.
void gate_keep_signature(
    struct gate *gate, struct now now, const struct delegation *delegation, struct span signature);

// Upper bound of the bytes of all signatures that are kept.
size_t gate_signatures_size_max(const struct gate *gate);

// What the chain has said lately about a signature that nobody can verify alone, without asking it:
// OK, ERR_SIGNATURE, or ERR_UNSUPPORTED (not known). As gate_decide for all others. For those who
// store records of others.
enum status gate_check_signature(
    struct gate *gate, const struct delegation *delegation, struct now now);

// What stands behind a verdict, each check judged by itself. X(value, name, what passes)
#define GATE_CHECK_LIST(X)                                                                         \
    X(GATE_CHECK_TOKEN, "token", "the token exists")                                               \
    X(GATE_CHECK_ACTIVE, "active", "the contract has not revoked its access")                      \
    X(GATE_CHECK_OWNER, "owner", "the delegation is by its present owner")                         \
    X(GATE_CHECK_STORED_KEY, "stored_key", "the contract stores no other WireGuard key")           \
    X(GATE_CHECK_SIGNATURE, "signature", "the owner signed the delegation")                        \
    X(GATE_CHECK_TIMES, "times", "the delegation holds now")                                       \
    X(GATE_CHECK_RANK, "rank", "nothing that the owner signed later stands against it")

#define GATE_CHECK_ENTRY(value, name, text) value,
enum gate_check_kind { GATE_CHECK_LIST(GATE_CHECK_ENTRY) GATE_CHECKS };
#undef GATE_CHECK_ENTRY

const char *gate_check_name(enum gate_check_kind check);
const char *gate_check_text(enum gate_check_kind check);

struct gate_check {
    enum verdict_kind kind; // YES: passed
    enum verdict_reason reason;
};

// All checks of a claim, also those behind the first that fails. Changes no floor. A wallet may
// have to be asked first (REASON_WALLET_ASKED): call again when it has answered.
void gate_explain(struct gate *gate, struct now now, const struct gate_claim *claim,
    struct gate_check ret[static GATE_CHECKS]);

// One provider's own last word on a token, whatever it counts for.
struct gate_statement {
    enum verdict_kind kind;     // UNKNOWN: it said nothing that can be used
    enum verdict_reason reason; // AUTHORISED (it names an owner), NOT_OWNED, CONTRACT, NOT_READ
    struct eth_address owner;   // YES
    bool has_access;            // YES: the next three hold
    bool active;
    enum stored_key stored_key;
    struct wg_key wg_key;
    uint64_t block_number; // unless NOT_READ: of which it spoke
    uint64_t age_ms;
};

struct gate_statement gate_statement(
    const struct gate *gate, const struct token_id *token, size_t provider, struct now now);

// One line for people: token, reason, next step. Always terminates `ret`.
void verdict_text(const struct verdict *verdict, char ret[static GATE_VERDICT_TEXT_SIZE]);

// Validity time: the quorum's head where it is live, else the local clock, never earlier than the
// newest head or export seen.
struct unix_time gate_time(const struct gate *gate, struct now now);

// True and a call to make, until there is none. Drain after every input.
bool gate_next_call(struct gate *gate, struct now now, struct gate_call *ret);

// Takes a reply; one with an unknown id is dropped and counted. Each call gets exactly one reply,
// or the gate itself gives it up 5 s after its timeout.
void gate_on_reply(struct gate *gate, struct now now, uint64_t id, const struct rpc_reply *reply);

// After a change of network or a resume: forget back-offs, check the providers again.
void gate_on_network_change(struct gate *gate, struct now now);

// When gate_on_deadline wants to be called next.
struct mono gate_next_deadline(const struct gate *gate);
void gate_on_deadline(struct gate *gate, struct now now);

// True and an event, until there is none. Events are coalesced, never lost.
bool gate_next_event(struct gate *gate, struct gate_event *ret);

// Looks for members now instead of at the next turn.
void gate_enumerate(struct gate *gate, struct now now);

// How the search for members goes.
enum gate_way {
    GATE_WAY_NONE = 0,   // none was found out yet
    GATE_WAY_INDEX,      // ERC721Enumerable
    GATE_WAY_SEQUENTIAL, // one id after the other
    GATE_WAY_LOGS,       // Transfer logs
};

const char *gate_way_name(enum gate_way way); // "none", "index", "sequential", "logs"

struct gate_enumeration_status {
    enum gate_way way;
    bool running;      // a round is under way
    uint64_t searched; // INDEX: indices; SEQUENTIAL: ids; LOGS: blocks; of this round
    uint64_t total;    // of what is searched; 0 = not known
    uint64_t passed;   // LOGS: blocks whose logs no call could get
    bool bounded;      // there are more than members_max
};

struct gate_enumeration_status gate_enumeration_status(const struct gate *gate);

// What has been found and where the search is, to go on in another process; for lists, not part of
// gate_state_export. Import before the first input, into a gate that knows no member yet:
// ERR_TRUNCATED, ERR_NOT_CANONICAL, ERR_MALFORMED, or ERR_FULL (more than members_max), and the
// gate is unchanged. `ret_goes_on` is false if what was found counts, but the search begins anew,
// since it was made with another number of providers. NULL: it is only checked.
size_t gate_search_size(const struct gate *gate);
void gate_search_export(const struct gate *gate, struct writer *writer);
enum status gate_search_import(struct gate *gate, struct reader *reader, bool *ret_goes_on);

size_t gate_member_count(const struct gate *gate);

// The member at `index` < gate_member_count, in ascending order of tokens.
struct token_id gate_member(const struct gate *gate, size_t index);

// The configured or detected one; PROFILE_DETECT while it is not known.
enum contract_profile gate_profile(const struct gate *gate);

struct gate_trust gate_trust(const struct gate *gate);

// How long fewer than k providers have been good; 0 while there are k.
uint64_t gate_without_quorum_ms(const struct gate *gate, struct now now);

// How long ago a quorum last said anything about the token. ERR_NOT_FOUND: it never did.
enum status gate_last_check_ms(
    const struct gate *gate, const struct token_id *token, struct now now, uint64_t *ret);
struct gate_provider_status gate_provider_status(
    const struct gate *gate, size_t provider, struct now now);

// Persistence: floors, last yes, profile and time, for the network they were made for.
// gate_state_dirty says that an export is due (a floor moved, or a last yes grew by 30 s).
bool gate_state_dirty(const struct gate *gate);

// Upper bound for gate_state_export at the configured capacities.
size_t gate_state_size_max(const struct gate *gate);

// Writes the state and clears the dirty mark. ERR_FULL if it does not fit.
enum status gate_state_export(struct gate *gate, struct now now, struct writer *writer);

// Before the first input. ERR_VERSION, ERR_TRUNCATED, ERR_TRAILING, ERR_TOO_LARGE, ERR_MALFORMED,
// ERR_NOT_CANONICAL, or ERR_MISMATCH (another network): the gate is unchanged; set the file aside,
// say so and start without. Tokens beyond tokens_max are left out.
enum status gate_state_import(struct gate *gate, struct now now, struct span state);

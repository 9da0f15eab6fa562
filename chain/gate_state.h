// SPDX-License-Identifier: GPL-3.0-or-later
//
// The gate's own fields, for the files of the gate: gate.c (tables), gate_read.c (answers to
// readings, chain time), gate_decide.c (verdicts, floors), gate_call.c (what to ask next),
// gate_provider.c (health, back-off, meters), gate_reply.c (what becomes of an answer),
// gate_tokens.c (what it says about tokens), gate_detail.c (what lists show beside),
// gate_enumerate.c, gate_history.c and gate_search.c (members), gate_wallet.c (signatures that only
// the chain can judge), gate_logs.c (hints), gate_persist.c, gate_report.c; for proven owners
// chain/gate_proof.h.
#pragma once

#include "base/budget.h"
#include "chain/gate.h"
#include "chain/gate_proof.h"
#include "chain/logs.h"

enum {
    GATE_ANSWER_AGE_MAX_MS = GATE_READING_MS,
    GATE_REFRESH_AGE_MS = 1000,      // a younger reading answers a refresh
    GATE_CHECK_INTERVAL_MS = 600000, // chain id and code of a provider that works
    GATE_CHECK_RETRY_MS = 10000,     // of one that serves something else
    GATE_BACKOFF_MIN_MS = 500,
    GATE_BACKOFF_MAX_MS = 30000,
    GATE_RETRY_AFTER_MAX_MS = 600000,
    GATE_BREAKER_FAILURES = 5,     // from here on the longest back-off, and one call at a time
    GATE_CALL_FAILURES_MAX = 16,   // refused calls in a row that make a provider faulty
    GATE_TOKEN_BACKOFF_MS = 30000, // for a token that spoils even a call of its own
    GATE_REASK_PAUSE_MS = 1000,    // between two re-asks of a token on one provider's word
    GATE_DISPUTE_PAUSE_MS = 60000, // the same, once others have contradicted that word
    GATE_REASK_MAX_MS = 10000,
    GATE_TIMEOUT_MS = 3000,
    GATE_GIVE_UP_MS = 5000,  // after the timeout, for an edge that never reports
    GATE_BEHIND_MAX = 2,     // answers of older blocks in a row that are believed
    GATE_HEDGE_MS = 1000,    // until the next provider is asked what one is enough for
    GATE_SERIES_READS = 16,  // reads that are made one after the other under one head
    GATE_LIMITED_READS = 20, // a batch is not made smaller than this for a rate limit
    GATE_LATENCY_SHARE = 8,  // the newest latency's share in the smoothed one: 1/8
    GATE_METER_SLOTS = 12,
    GATE_METER_SLOT_MS = 300000,
    GATE_CALLS_PER_PROVIDER = 6,
    GATE_AGGREGATES_PER_PROVIDER = 2,
    GATE_ENUMERATE_CHUNK = 32, // ids in the first call of a search; then twice as many
    GATE_REPLY_BASE = 16384,   // bytes of reply: for the frame, and for each token
    GATE_REPLY_PER_TOKEN = 4096,
    GATE_TRANSFERS = 8, // changes of owner that are kept of what a provider tells
    GATE_FUTURE_MAX_MS = 24 * 3600 * 1000, // a head beyond this is no head
    GATE_EPOCH_FUTURE_MAX_S = 3600,
    GATE_LAST_YES_STEP_MS = 30000,
    GATE_WALLETS_PER_TOKEN = 4,
    GATE_WALLET_REPLY_MAX = 4096,
    GATE_PROOF_RETRY_MS = 250,      // doubles with each failure that follows, up to
    GATE_PROOF_RETRY_MAX_MS = 4000, // so much
    GATE_PROVER_PAUSE_MS = 10000,   // after a provider was caught at a wrong proof
    GATE_PROVER_REFUSAL_MS = 30000, // after it refused to prove
    GATE_HEADER_AGREE_MS = 5000,    // how long a block may take to be agreed on
    GATE_HEADER_LATER_MS = 200,     // before a provider is asked again for a block that it lacks
    GATE_SEARCH_RETRY_MS = 30000,   // between two searches for the owners' place
    GATE_GATHER_MS = 10000,         // from the place found to the first proofs, at most
    GATE_CODE_SETTLE_MS = 600000,   // how long changed code must stand before it is pinned
};

enum answer_kind {
    ANSWER_NONE = 0,
    ANSWER_OWNED,
    ANSWER_DENIED, // no such token
    ANSWER_FAILED, // the contract does not answer for this token, not even alone
};

enum access_kind {
    ACCESS_NONE = 0, // not asked
    ACCESS_READ,
    ACCESS_ABSENT, // the contract has no such function
    ACCESS_BROKEN, // it has, but what it returned cannot be read
};

// What the contract says about a token, as one provider tells it.
struct gate_value {
    enum answer_kind kind : 8; // there are as many of these as tokens times providers
    enum access_kind access : 8;
    enum stored_key stored_key : 8;
    bool active;
    struct eth_address owner;
    struct wg_key wg_key;
};

// One provider's last word on one token, and when to ask it again.
struct gate_answer {
    struct gate_value value;
    uint64_t block_number;
    uint64_t block_time_s;
    struct mono read_at;
    bool due;
    bool in_flight;
    bool loose;                 // read one by one: of this block or a later one
    uint8_t behind;             // newer answers of older blocks, in a row
    struct mono not_before;     // of the next read; after a failure of the token's own
    uint16_t chunk_limit;       // in how large a company it may be read; 0 = any
    uint16_t suspect;           // size of the company in which it last met a timeout; 0 = none
    struct mono disputed_until; // its word on this token starts no re-ask until then
};

// Floors and last yes: what is kept for a token across restarts.
struct gate_seat {
    bool owned_before; // `owner` or an earlier one is known
    struct eth_address owner;
    uint64_t owner_seen_s; // newest head that showed this owner
    uint64_t epoch_min_s;  // after a change of owner: epochs up to this are refused; 0 = none
    bool granted;          // `owner` has been seen at the grant tag by a quorum
    bool taken;            // the next four hold
    uint64_t epoch_s;
    struct node_key node_key;
    uint64_t sequence;
    uint64_t last_yes_ms; // in gate time; 0 for a tombstone
};

// Capacity tokens_max. When full, a token that is neither watched nor being refreshed makes room,
// first one without a seat, then the one used longest ago. A stranger who owns tokens can displace
// only such ones; a displaced seat loses its floors, which its owner's next yes sets again.
struct gate_token {
    struct token_id id;
    uint16_t generation;
    bool used;
    bool watched;
    bool refreshing;
    bool changed;        // an event is due
    bool owner_changed;  // and says this
    bool was_read;       // read_at holds
    uint8_t grant_seen;  // bit mask: providers that named the owner at the grant tag
    uint8_t grant_asked; // bit mask: those that were asked since their last poll
    struct mono read_at; // of the oldest answer of the last reading that was a yes or a no
    struct mono used_at;
    uint64_t known_since_s; // a change of owner later than this would have been noticed, or missed
    struct gate_seat seat;
    enum verdict_kind kind; // the last reading, to see changes by
    enum verdict_reason reason;
    struct gate_value value;
};

enum call_kind {
    CALL_CHAIN_ID,
    CALL_CODE_CONTRACT,
    CALL_CODE_AGGREGATOR,
    CALL_TOKENS,       // aggregate over `refs`
    CALL_REASK_BLOCK,  // hash of the block on which a provider contradicts others
    CALL_REASK_TOKENS, // aggregate over `refs`, pinned to that block
    CALL_GRANT,        // reads of `refs` at the grant tag
    CALL_INTERFACE,    // supportsInterface(ERC721Enumerable), totalSupply
    CALL_MEMBERS,      // tokenByIndex or ownerOf from `first` on, `count` of them
    CALL_WALLET,       // question `first` about a signature
    CALL_PROOF,        // owners of `refs`, proven
    CALL_PLACES,       // the owners' place in the contract, by proofs of all that are known
    CALL_HEADER,       // the hash of block `first`
    CALL_HISTORY_HEAD, // eth_blockNumber, to find members by logs
    CALL_HISTORY_CODE, // whether the contract was there at block `first`
    CALL_HISTORY_LOGS, // its Transfers from block `first` to `last`
    CALL_LOGS_HEAD,    // eth_blockNumber, before that
    CALL_LOGS,         // eth_getLogs from block `first` to `last`
    CALL_LOGS_BLOCK,   // hash and time of block `first`, in which an owner changed
};

struct gate_inflight {
    bool used;
    bool waiting; // a series whose next step is to be sent
    enum reads_way way;
    uint16_t step;
    struct reads_answers *answers; // READS_SERIES: of the steps so far, owned
    struct rpc_block pin;          // CALL_REASK_TOKENS, CALL_GRANT
    struct mono sent_at;
    uint64_t id;
    enum call_kind kind;
    uint8_t provider;
    uint8_t disputer; // CALL_REASK_TOKENS: whose word is being tested
    bool with_access; // CALL_TOKENS, CALL_REASK_TOKENS: two reads for each token
    uint16_t count;
    uint64_t first;
    uint64_t last;
    size_t reply_max;
    struct mono deadline;
    struct gate_header_ref header; // CALL_HEADER
    struct mono hedge_at;  // CALL_PROOF, CALL_PLACES: from then on another one is asked as well
    struct gate_ref *refs; // room for a chunk
};

enum check_step {
    CHECK_CHAIN_ID = 1,
    CHECK_CONTRACT = 2,
    CHECK_AGGREGATOR = 4,
    CHECK_ALL = 7,
};

// A provider's word against others at a block of its own, being tested. Idle if count is 0.
struct gate_reask {
    bool asked_block;
    bool have_hash;
    uint64_t block_number;
    struct hash256 block_hash;
    struct gate_ref refs[GATE_REASK_TOKENS];
    uint16_t count;
    uint8_t providers; // bit mask of those still to be asked
    struct mono until;
};

// Calls and bytes of the last hour, in slots of five minutes.
struct gate_meter {
    uint64_t newest; // mono time / GATE_METER_SLOT_MS
    struct {
        uint32_t calls;
        uint32_t bytes_out;
        uint32_t bytes_in;
    } slots[GATE_METER_SLOTS];
};

struct gate_provider {
    enum provider_health health;
    bool health_changed;
    bool checked; // chain and contract are right
    bool proven;  // and an aggregate has succeeded since
    uint8_t checks_to_send;
    uint8_t checks_pending;
    struct mono check_due;
    struct mono poll_due;
    struct mono retry_at;
    bool backing_off;       // retry_at lies ahead
    uint32_t failures;      // in a row
    uint32_t call_failures; // in a row: refused calls
    uint64_t head_number;
    uint64_t head_time_s;
    struct mono head_at;
    bool has_head;
    uint64_t chain_id;
    enum contract_profile profile; // its word on the contract; PROFILE_DETECT = none
    enum verdict_kind enumerable;  // its word on ERC721Enumerable
    uint64_t supply;
    bool interface_due;
    struct budget wallet_calls;
    uint64_t calls;
    uint64_t faults;
    uint64_t disputes;
    uint64_t rate_limits;
    uint64_t bytes_out;
    uint64_t bytes_in;
    uint32_t latency_x8_ms; // smoothed, times GATE_LATENCY_SHARE
    uint32_t latency_last_ms;
    enum reads_way way;
    uint16_t batch_reads; // READS_BATCH: so many may go in one, as far as is known
    struct gate_meter meter;
    uint64_t proofs;
    uint64_t proof_faults[PROOF_FAULTS];
    struct gate_reask reask;
};

// A question that any one provider may answer: asked of `first`; after GATE_HEDGE_MS, or at once
// when that one fails, of the next one that can be asked, too; and so on. The first answer ends it.
struct gate_hedge {
    uint8_t first;
    uint8_t asked; // bit mask
    bool open;     // another one may be asked now
    struct mono next_at;
};

enum member_state {
    MEMBER_NEW, // an event is due
    MEMBER_KNOWN,
    MEMBER_GONE, // an event is due, with which it leaves
};

// Capacity members_max, sorted by token. When full, further ones are not taken and the round says
// so. A single provider can put tokens in here: they are hints, each is read by the quorum before
// it counts.
struct gate_member {
    struct token_id id;
    enum member_state state;
    uint8_t missed; // rounds
    bool seen;      // in this round
};

enum enumeration_state {
    ENUMERATION_IDLE,
    ENUMERATION_INTERFACE,  // asking the providers what the contract offers
    ENUMERATION_INDEX,      // tokenByIndex
    ENUMERATION_SEQUENTIAL, // ownerOf of one id after the other
    ENUMERATION_LOGS,       // Transfers
    ENUMERATION_VERIFY,     // ownerOf of members that this round has not found
};

// What is known of the contract's past (gate_history.c).
struct gate_history {
    enum history_step {
        HISTORY_HEAD, // the newest block
        HISTORY_CODE, // the one in which the contract was deployed
        HISTORY_WALK,
    } step;
    struct log_range range;
    struct log_walk walk;
    struct mono refused_until; // logs are no way here until then
    bool under_way;            // walk.next holds, also between rounds
    bool halving;              // low and high hold, likewise
    uint8_t passes;            // walks of the whole history, up to the quorum
    uint8_t refusals;          // in a row, of different providers
    uint64_t deployed;
    uint64_t low, high; // where that block lies
    uint64_t head;      // of this round
    uint64_t newest;    // of the last complete one
    uint64_t before;    // of the one before that
};

// Where a search by index or from id to id was when it was broken off, or any one that was through
// but for those that it had not found. By logs it is the history that knows.
struct gate_cursor {
    bool held;
    bool searched; // it was through
    bool bounded;
    enum gate_way way;
    uint64_t next;
    uint32_t gap;
};

struct gate_enumeration {
    enum enumeration_state state;
    struct gate_cursor cursor; // to go on from, between rounds
    struct mono due;           // of the next round; while one runs, its end by force
    size_t provider;           // that serves this round
    enum gate_way way;         // of this round or the last one
    uint64_t next;             // index or id
    uint64_t total;            // ENUMERATION_INDEX
    uint32_t gap;              // unknown ids in a row
    uint16_t chunk;
    struct gate_hedge hedge; // who is asked for the present chunk
    struct gate_history history;
    // ENUMERATION_VERIFY
    bool has_verified;
    struct token_id verified;  // members up to this one have been looked at
    struct token_id *verifies; // those that are being asked for; enumerate_max
    size_t verify_count;       // 0: none yet
    uint64_t serial;           // tells this question from the ones before
    bool bounded;
    bool announce; // an event is due
};

// What a contract says about a signature, as one provider tells it.
enum wallet_word {
    WALLET_NONE = 0, // not asked, or too long ago
    WALLET_YES,
    WALLET_NO,
    WALLET_NO_CODE, // there is no contract
    WALLET_SILENT,  // it fails, or answers what means nothing
};

struct gate_word {
    enum wallet_word word : 8;
    uint8_t failures; // in a row
    bool in_flight;
    struct mono read_at;
    struct mono not_before; // of the next call
};

// A question to a contract: does the owner, a contract wallet, accept this signature (EIP-1271), or
// is this signer a delegate of the owner (the registry)?
struct wallet_question {
    bool used;
    bool of_registry;
    struct gate_ref token;
    struct hash256 name;       // of delegation and signature: the same question has the same name
    struct hash256 digest;     // EIP-1271
    struct eth_address owner;  // of the token
    struct eth_address signer; // of_registry
    uint32_t at;               // EIP-1271: the signature, in `bytes`
    uint16_t size;
    struct mono made_at;
    struct mono used_at;        // a claim was judged by it last
    enum verdict_reason reason; // the last one told
};

// Capacity config.wallets, and at most GATE_WALLETS_PER_TOKEN for one token. A new question takes
// the place of one that does not say yes and was used longest ago, or of one that nobody uses; one
// that says yes and is in use is never displaced. Questions are asked only about the present owner
// of a token, so a stranger who makes up signatures competes for the places of that token alone,
// and of the rest only by owning tokens.
struct gate_wallets {
    struct wallet_question *questions;
    struct gate_word *words; // a row of config.providers for each question
    uint8_t *bytes;          // the signatures, without gaps
    size_t bytes_capacity;
    size_t bytes_used;
};

// A change of owner, as one provider's log tells of it.
struct gate_transfer {
    bool used;
    bool asked; // for its block
    struct gate_ref ref;
    uint64_t block_number;
    struct hash256 block_hash;
    uint64_t time_s; // of the block; 0 = not known yet
};

// What a provider's logs are asked for, and were.
struct gate_log_source {
    struct log_range range;
    struct log_walk walk;
    struct log_trail trail;
    bool started; // walk.next holds: the first block that was not asked for
    bool in_turn;
    bool walking; // in its turn: the newest block is known
    bool in_flight;
    bool absent; // it does not serve eth_getLogs
    uint8_t calls_left;
    uint8_t budget; // of calls to catch up with what was missed while this node was down
    uint8_t failures;
    uint8_t passed_in_row;
    uint8_t transfer_next;
    struct mono retry_at;
    struct gate_transfer transfers[GATE_TRANSFERS];
};

// Only where config.logs_ms is set.
struct gate_logs {
    struct mono due;                 // of the next turn
    struct mono hedge_at;            // when the turn's provider has had time enough
    size_t turn;                     // provider
    struct mono saved_at;            // how far it came was worth a save
    uint64_t resume;                 // block from which to go on after a restart; 0 = none
    struct gate_log_source *sources; // config.providers
};

struct gate {
    struct gate_config config;
    size_t quorum;
    size_t chunk_max;
    size_t enumerate_max; // ids in a call of a search
    size_t calls_max;
    struct rng rng;
    enum contract_profile profile;
    bool profile_changed;
    bool dirty;
    size_t changes; // events that are due for tokens and members; 0 spares the search
    struct delegation_cache delegations;
    uint64_t head_ms; // newest quorum head, or the imported floor
    struct mono head_at;
    struct mono head_confirmed_at;
    bool has_head;  // head_ms and head_at hold
    bool head_live; // a quorum of this process has confirmed one
    bool quorum_lost;
    struct mono quorum_lost_at;
    struct gate_token *tokens;
    struct gate_answer *answers; // tokens_max rows of config.providers
    struct gate_detail *details; // config.details: one for each answer. Else NULL
    struct gate_member *members;
    size_t member_count;
    struct gate_provider *providers;
    struct gate_inflight *calls;
    struct gate_ref *refs;
    struct gate_wallets wallets;
    struct gate_enumeration enumeration;
    struct gate_pin pin;      // kept across restarts, also where owners are not proven
    struct gate_proof *proof; // NULL unless the policy is proof
    struct gate_logs *logs;   // NULL: none are asked for
    size_t provider_turn;
    uint8_t *body;
    size_t body_capacity;
    uint64_t replies_unknown;
};

// gate.c
struct gate_answer *gate_answer_of(const struct gate *gate, size_t slot, size_t provider);
// The slot, or SIZE_MAX.
size_t gate_slot_find(const struct gate *gate, const struct token_id *token);
// Makes room if it must. ERR_FULL if every token is watched or being refreshed.
enum status gate_slot_claim(
    struct gate *gate, const struct token_id *token, struct mono now, size_t *ret);
struct gate_ref gate_ref_of(const struct gate *gate, size_t slot);
// The slot, or SIZE_MAX if it holds another token by now.
size_t gate_ref_slot(const struct gate *gate, struct gate_ref ref);
// A provider's answer for a token is wanted as soon as it can be had.
void gate_mark_due(struct gate *gate, size_t slot, size_t provider);
void gate_mark_changed(struct gate *gate, size_t slot, bool owner_changed);

// gate_read.c
bool gate_values_equal(
    const struct gate *gate, const struct gate_value *a, const struct gate_value *b);
// What k of n say, whatever is proven.
struct gate_reading gate_quorum_reading(const struct gate *gate, size_t slot, struct mono now);
// The provider's answer if it counts now, or NULL.
const struct gate_answer *gate_usable_answer(
    const struct gate *gate, size_t slot, size_t provider, struct mono now);
// Takes the reading into the token's state: owner changes, events, end of a refresh.
void gate_review(struct gate *gate, size_t slot, struct mono now);
void gate_review_all(struct gate *gate, struct mono now);
// False if a block of that time is no head now: too old, or too far in the future.
bool gate_head_fresh(const struct gate *gate, uint64_t head_s, struct now now);
void gate_take_head(
    struct gate *gate, size_t provider, uint64_t number, uint64_t head_s, struct mono now);
// The provider has spoken on the profile; adopts it once a quorum says the same.
void gate_take_profile(struct gate *gate, size_t provider, enum contract_profile profile);

// gate_provider.c
void gate_set_health(struct gate *gate, size_t provider, enum provider_health health);
void gate_begin_checks(struct gate *gate, size_t provider);
// No answer, or none that means anything: check it again before its next word counts.
void gate_provider_failed(
    struct gate *gate, size_t provider, struct mono now, const struct rpc_reply *reply);
void gate_provider_rate_limited(
    struct gate *gate, size_t provider, struct mono now, const struct rpc_reply *reply);
// It serves something else: nothing that it said before counts either.
void gate_provider_refused(
    struct gate *gate, size_t provider, struct now now, enum provider_health health);
// It has passed all checks.
void gate_provider_checked(struct gate *gate, size_t provider, struct now now);
// Multicall3 is there, or is not.
void gate_provider_aggregates(struct gate *gate, size_t provider, bool aggregates);
// It does not take a batch of so many reads.
void gate_provider_refused_batch(struct gate *gate, size_t provider, size_t reads);
// How many reads it takes in one call, `most` at most.
size_t gate_provider_reads(const struct gate *gate, size_t provider, size_t most);
// True if calls may be sent to it now, `in_flight` being under way.
bool gate_provider_open(const struct gate_provider *provider, size_t in_flight, struct mono now);
void gate_meter_call(struct gate_provider *provider, struct mono now, size_t bytes_out);
// Fills in hour_calls and the hour's bytes.
void gate_meter_hour(
    const struct gate_provider *provider, struct mono now, struct gate_provider_status *ret);
void gate_meter_reply(struct gate_provider *provider, struct mono now, struct mono sent_at,
    const struct rpc_reply *reply);

// The number of providers that are good has changed, or may have.
void gate_note_quorum(struct gate *gate, struct mono now);

// gate_grant.c
struct rpc_block gate_grant_block(const struct gate *gate);
bool gate_grant_call(
    struct gate *gate, size_t provider, size_t tokens_max, struct gate_inflight *call);
void gate_grant_ask_again(struct gate *gate, size_t provider);
void gate_grant_take(
    struct gate *gate, const struct gate_inflight *call, const struct aggregate *aggregate);
void gate_grant_review(
    struct gate *gate, struct gate_token *token, const struct gate_reading *reading);

// gate_tokens.c
// The token's value among reads of which each token has `reads_each`; false if it must be read
// again, alone.
bool gate_read_value(const struct aggregate *aggregate, size_t index, size_t reads_each, bool alone,
    struct gate_value *ret);
// Of the tokens of a call: their answers are under way, or not any more.
void gate_tokens_mark(struct gate *gate, const struct gate_inflight *call, bool in_flight);
void gate_tokens_take(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct aggregate *aggregate);
void gate_tokens_review(struct gate *gate, const struct gate_inflight *call, struct mono now);
// All are wanted again; `limit` is the company that they may keep, 0 = as is.
void gate_tokens_again(struct gate *gate, const struct gate_inflight *call, uint16_t limit);
// One of them spoils the call: ask for halves until that one stands alone.
void gate_tokens_halve(struct gate *gate, const struct gate_inflight *call, struct mono now);
// Their company met a timeout; in a series it is known whose read it was.
void gate_tokens_suspect(struct gate *gate, const struct gate_inflight *call);

// gate_call.c
// How many reads of contracts the call consists of; 0: it is of another kind.
size_t gate_call_reads(const struct gate_inflight *call);
// The block that it is pinned to, or NULL.
const struct rpc_block *gate_call_pin(const struct gate_inflight *call);
void gate_hedge_begin(struct gate_hedge *hedge, size_t first);
// True if `provider` is to be asked now; from then on it has been.
bool gate_hedge_take(struct gate *gate, struct gate_hedge *hedge, size_t provider, struct mono now);
// One that was asked has failed. False if there is nobody left to ask.
bool gate_hedge_failed(struct gate *gate, struct gate_hedge *hedge);
struct mono gate_hedge_deadline(const struct gate_hedge *hedge);
void gate_hedge_on_deadline(struct gate_hedge *hedge, struct mono now);
uint64_t gate_draw_pause_ms(struct gate *gate); // between two polls

// gate_detail.c
// `place` is that of the token's getNodeAccess, which could be read, among the results.
void gate_take_detail(struct gate *gate, size_t slot, size_t provider,
    const struct aggregate *aggregate, size_t place);

// gate_enumerate.c
bool gate_enumeration_call(
    struct gate *gate, size_t provider, struct mono now, struct gate_inflight *call);
struct mono gate_enumeration_deadline(const struct gate *gate);
void gate_enumeration_write(
    struct gate *gate, const struct gate_inflight *call, struct reads_writer *reads);
void gate_enumeration_reply(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct aggregate *aggregate);
// The same again, in the way that the provider is read by now.
void gate_enumeration_again(struct gate *gate, const struct gate_inflight *call);
// The call came to nothing: the provider failed, or (refused) cannot do this call.
void gate_enumeration_failed(
    struct gate *gate, struct now now, const struct gate_inflight *call, bool refused);
void gate_enumeration_on_deadline(struct gate *gate, struct now now);
// The place from which another process, or a later round, goes on.
struct gate_cursor gate_enumeration_cursor(const struct gate *gate);
// A token that was found before.
void gate_member_restore(
    struct gate *gate, const struct token_id *token, bool seen, uint8_t missed);
// A token that may exist. True if it was not known and there was room.
bool gate_member_hint(struct gate *gate, const struct token_id *token);

// gate_wallet.c
bool gate_wallets_allocate(struct gate *gate);
void gate_wallets_free(struct gate *gate);
// Whether the claim's signature is one that only the chain can judge. The reason is
// REASON_AUTHORISED if it is, or if it is the owner's own; else why the claim is refused, or
// unknown.
enum verdict_reason gate_signature_local(
    struct gate *gate, const struct gate_claim *claim, bool *ret_asks);
// What the chain says of such a claim, to be asked if it has not been lately. Its token is in
// `slot`, and its owner is the present one.
enum verdict_reason gate_wallet_judge(
    struct gate *gate, struct mono now, size_t slot, const struct gate_claim *claim);
// When it should be judged again, so that the chain is asked again in time.
struct mono gate_wallet_until(struct mono now);
bool gate_wallet_call(
    struct gate *gate, size_t provider, struct mono now, struct gate_inflight *call);
void gate_wallet_write(
    const struct gate *gate, const struct gate_inflight *call, struct writer *writer);
void gate_wallet_reply(struct gate *gate, struct mono now, const struct gate_inflight *call,
    const struct rpc_answer *answer, enum rpc_outcome outcome);
// The call came to nothing, for a reason that is not this very call's.
void gate_wallet_abandon(struct gate *gate, const struct gate_inflight *call);
// What the provider has said does not count any more.
void gate_wallet_forget(struct gate *gate, size_t provider);
void gate_wallet_review_all(struct gate *gate, struct mono now);

// The token is there, or is no more, by a log: a hint. It counts as found in this round.
void gate_member_seen(struct gate *gate, const struct token_id *token, bool exists);
// The search by logs goes on with whom answered; it is over; it cannot be done; it is broken off.
void gate_enumeration_moved(struct gate *gate, struct now now, size_t provider);
void gate_enumeration_searched(struct gate *gate, struct now now);
void gate_enumeration_in_sequence(struct gate *gate, struct now now);
void gate_enumeration_interrupted(struct gate *gate, struct now now);

// gate_history.c
bool gate_history_is(enum call_kind kind); // a call of these
void gate_history_begin(struct gate *gate);
bool gate_history_call(struct gate *gate, struct gate_inflight *call);
void gate_history_write(
    const struct gate *gate, const struct gate_inflight *call, struct writer *writer);
size_t gate_history_reply_max(enum call_kind kind);
void gate_history_reply(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_reply *reply);
// Ends the walk if it is at its end, or too long.
void gate_history_go_on(struct gate *gate, struct now now);

// gate_logs.c
bool gate_logs_create(struct gate *gate); // false: no memory
bool gate_logs_is(enum call_kind kind);   // a call of these
void gate_logs_destroy(struct gate *gate);
void gate_logs_head(struct gate *gate, size_t provider, uint64_t number, uint64_t time_s);
void gate_logs_on_deadline(struct gate *gate, struct now now);
struct mono gate_logs_deadline(const struct gate *gate);
bool gate_logs_call(struct gate *gate, size_t provider, struct gate_inflight *call);
size_t gate_logs_reply_max(enum call_kind kind);
void gate_logs_write(
    const struct gate *gate, const struct gate_inflight *call, struct writer *writer);
void gate_logs_reply(struct gate *gate, struct now now, const struct gate_inflight *call,
    const struct rpc_reply *reply);
// Across restarts: the first block that fewer than k providers have been asked for; 0 = none.
uint64_t gate_logs_reached(const struct gate *gate);
void gate_logs_resume(struct gate *gate, uint64_t reached);

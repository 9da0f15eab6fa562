// SPDX-License-Identifier: GPL-3.0-or-later
//
// A tiny chain with providers that can misbehave, and a clock: enough to drive a gate through its
// public functions alone. Blocks come every 2 s; a gas limit makes burners hurt their neighbours.
#pragma once

#include "chain/chain.h"

enum {
    MODEL_TOKENS_MAX = 600,
    MODEL_OWNERS_MAX = 8,
    MODEL_PROVIDERS_MAX = GATE_PROVIDERS_MAX,
    MODEL_EVENTS_MAX = 4096,
    MODEL_START_S = 1800000000,
};

// The wallets and the node of the tests: numbers for model_secret, model_address, model_node_key.
enum {
    ALICE = 1,
    BOB = 2,
    MALLORY = 3,
    NODE = 7,
};

enum {
    MODEL_SAFE_BLOCKS = 10, // behind the head
    MODEL_FINALIZED_BLOCKS = 30,
};

enum model_fault {
    FAULT_NONE,
    FAULT_DEAD,       // no connection
    FAULT_HANG,       // timeout
    FAULT_HTML,       // 502 with a page
    FAULT_WRONG_ID,   // another call's id
    FAULT_DUPLICATE,  // two results
    FAULT_DEEP,       // 100,000 brackets
    FAULT_HUGE,       // more bytes than allowed
    FAULT_TRUNCATED,  // half of the right answer
    FAULT_NO_RESULT,  // neither result nor error
    FAULT_ARRAY,      // a batch answer to a single call
    FAULT_RATE_HTTP,  // 429 with Retry-After
    FAULT_RATE_RPC,   // error -32016 with status 200
    FAULT_REFUSE,     // error -32601 for every eth_call
    FAULT_SHORT_DATA, // the right envelope around half of the ABI data
    FAULT_SILENT,     // the reply never comes
};

enum model_trick {
    TRICK_NONE,
    TRICK_BURN,     // burns all gas that it gets
    TRICK_MEGABYTE, // returns a megabyte
    TRICK_HANG,     // a call that holds it times out
    TRICK_SHORT,    // returns 31 bytes
    TRICK_SHY,      // reverts without data in company, although owned
    TRICK_QUIET,    // reverts without data although owned
};

// How a provider lies when it is asked for proofs and blocks.
enum model_forgery {
    FORGE_NONE,
    FORGE_VALUE,   // states another value beside the true proof
    FORGE_NODE,    // a node of the proof is changed
    FORGE_HEADER,  // a field of the blocks, not their hash
    FORGE_ROOT,    // the blocks' state root, with the hash that this gives
    FORGE_STATE,   // a whole state in which `lie` owns all, with blocks to match
    FORGE_PAST,    // the proof is of the block before
    FORGE_UNKNOWN, // blocks with a field that nobody knows
    FORGE_REFUSE,  // -32601
    FORGE_SILENT,  // no reply to a batch of proofs
    FORGE_LARGE,   // refuses more than four slots as too large
};

// Who owned a token from which block on; zero = nobody.
struct model_owner {
    uint64_t block;
    struct eth_address owner;
};

struct model_token {
    uint64_t id;
    struct model_owner owners[MODEL_OWNERS_MAX];
    size_t owner_count;
    bool active;
    char key[80]; // what the contract stores
    enum model_trick trick;
    // What getNodeAccess returns, made hostile: one of its words replaced, the rest cut off; or the
    // two strings in the order in which the contract stores them.
    bool patched;
    size_t patched_word;
    uint64_t patch;
    size_t access_cut;
    bool in_struct_order;
};

enum {
    MODEL_WALLETS_MAX = 24,
    MODEL_WALLET_OWNERS_MAX = 12,
    MODEL_DELEGATES_MAX = 4,
    MODEL_SIGNATURE_MAX = 4096,
};

enum model_wallet_mode {
    WALLET_HONEST,
    WALLET_BURN,     // the call runs out of gas
    WALLET_MEGABYTE, // returns one
    WALLET_REVERT,
    WALLET_SHORT, // the 4 bytes of the magic value alone
    WALLET_DIRTY, // the magic value with a bit behind it
    WALLET_HANG,  // the call times out
};

// A contract that accepts the signatures of `threshold` of its owners (numbers of model_secret),
// one behind the other in ascending order of their addresses.
struct model_wallet {
    struct eth_address address;
    uint8_t owners[MODEL_WALLET_OWNERS_MAX];
    uint8_t owner_count;
    uint8_t threshold;
    enum model_wallet_mode mode;
};

struct model_delegate {
    struct eth_address to;
    struct eth_address from;
    uint64_t token; // 0 = all
};

struct model_provider {
    enum model_fault fault;
    uint64_t turns_at; // after so many calls it has `later` for its fault; 0 = never
    enum model_fault later;
    uint64_t chain_id;
    bool no_code;
    bool no_aggregator;
    size_t batch_max;     // items of a batch that it takes; 0 = any number, 1 = none
    bool no_tags;         // does not know safe and finalized
    bool hates_pages;     // refuses a batch by a page with status 400
    size_t limited_reads; // a batch of more items is rate-limited; 0 = none is
    bool moves;           // a block comes within each batch
    uint64_t batches;
    uint64_t tagged; // calls at safe or finalized
    bool frozen;
    uint64_t frozen_block;
    uint64_t lag_blocks;
    bool hides_access; // getNodeAccess reverts with a reason
    bool lies;
    enum model_forgery forgery;
    uint64_t proofs;        // eth_getProof
    size_t slots_max;       // in one of them, so far
    struct eth_address lie; // owner that it names for every token; zero: denies every token
    enum model_wallet_lie {
        WALLET_TRUTH,
        WALLET_SAYS_YES,
        WALLET_SAYS_NO,
        WALLET_SAYS_NOTHING, // "0x", as where there is no contract
        WALLET_FAULTY,       // 502
    } wallet_lie;
    bool no_logs;        // eth_getLogs is not served
    uint64_t logs_cap;   // blocks that it takes in a call; 0 = any. Four shapes of error
    uint64_t logs_blind; // its newest blocks have no logs, without a word
    bool no_past;        // it denies that the contract is older than its newest block
    bool endless;        // it claims more blocks than can be walked
    uint64_t ahead_s;    // by so much its blocks' times are too late, if asked for by number
    uint64_t invents;    // a token that it lets be sold and bought back in each newest block
    uint64_t logs_calls;
    uint64_t calls;
    uint64_t aggregates;
    uint64_t pinned;
    uint64_t wallet_calls;
};

struct model {
    struct gate *gate;
    struct gate_config config;
    struct now now;
    struct model_token tokens[MODEL_TOKENS_MAX];
    size_t token_count;
    struct model_owner keys[MODEL_OWNERS_MAX]; // PublicKeyUpdated
    size_t key_count;
    struct model_provider providers[MODEL_PROVIDERS_MAX];
    struct model_wallet wallets[MODEL_WALLETS_MAX];
    size_t wallet_count;
    struct eth_address registry; // of delegates; zero = there is none
    struct model_delegate delegates[MODEL_DELEGATES_MAX];
    size_t delegate_count;
    bool proofs;             // blocks have true headers, and eth_getProof is served
    uint64_t place;          // number of the slot of the owners; 0 = 2, UINT64_MAX = ERC-7201's
    uint8_t code;            // what runs at the contract
    bool own_code;           // DeedmeshSeat does
    uint64_t implementation; // what a proxy there names; 0 = it is none
    bool beacon;
    bool zero_leaves;  // anvil's: a zeroed slot stays in the trie
    bool has_access;   // the contract has getNodeAccess
    bool enumerable;   // and ERC721Enumerable
    uint64_t deployed; // the contract's first block
    bool forgets;      // the state of old blocks is not kept
    uint64_t supply;   // what it says, if not 0
    bool loud;         // calls that run out of gas still revert with a reason
    uint64_t shuffle;  // draws the order of the answers
    int64_t skew_s;    // of the chain's clock against ours
    struct gate_event events[MODEL_EVENTS_MAX];
    size_t event_count;
};

struct network model_network(void);

// A gate with `providers` well-behaved providers; the rest of the config is as given.
void model_start(struct model *model, struct gate_config config, size_t providers);

// Another process over the same chain: exports the state, makes a new gate, imports it.
void model_restart(struct model *model);
void model_stop(struct model *model);

// Answers calls until there are none; collects events.
void model_settle(struct model *model);

// Lets time pass, deadline by deadline.
void model_advance(struct model *model, uint64_t ms);

// What a provider sends back; `comes` is false if it stays silent.
struct model_reply {
    bool comes;
    struct rpc_reply reply;
    uint8_t *owned;
};

// For those who drive a gate by other means: the reply of provider `index` to `request`, which has
// the id `id`. model_reply_clear frees it.
void model_answer(
    struct model *model, size_t index, uint64_t id, struct span request, struct model_reply *ret);
// The rest of the answer to eth_getLogs; the caller frees it (model_logs.c).
struct json_t;
char *model_logs(const struct model *model, struct model_provider *provider, uint64_t head,
    struct json_t *params);

// The event PublicKeyUpdated, now.
void model_update_key(struct model *model, struct eth_address owner);

void model_reply_clear(struct model_reply *reply);

struct model_token *model_token(struct model *model, uint64_t id);
void model_set_owner(struct model *model, uint64_t id, struct eth_address owner);
uint64_t model_block(const struct model *model);

// Forgets the events so far; true if one of that kind (and token) came since.
void model_forget_events(struct model *model);
bool model_saw(const struct model *model, enum gate_event_kind kind, uint64_t token);

struct eth_secret model_secret(uint8_t number);
struct eth_address model_address(uint8_t number);
struct node_key model_node_key(uint8_t number);

// A signed delegation of `token` by the wallet `owner` to the node `node`, made now.
struct delegation model_delegation(
    const struct model *model, uint64_t token, uint8_t owner, uint8_t node);

// The verdict on it, with a WireGuard key of 32 equal bytes `node`.
struct verdict model_decide(struct model *model, const struct delegation *delegation);

// A wallet of the owners 101 .. 100 + `owners` at an address made from `number`.
struct model_wallet *model_add_wallet(
    struct model *model, uint8_t number, uint8_t owners, uint8_t threshold);
struct model_wallet *model_wallet_at(struct model *model, const struct eth_address *address);

// `count` signatures by the owners of `wallet` from index `first` on, in the order of their
// addresses, over the delegation's digest; its size.
size_t model_wallet_sign(const struct model_wallet *wallet, const struct delegation *delegation,
    size_t first, size_t count, uint8_t ret[static MODEL_SIGNATURE_MAX]);

// The delegation as the wallet would make it, with a signature of `threshold` owners: inline if it
// fits, else by its hash (of a kind of the test's own: the gate takes the caller's word for it).
struct delegation model_wallet_delegation(const struct model *model, uint64_t token,
    const struct model_wallet *wallet, uint8_t node, uint8_t ret[static MODEL_SIGNATURE_MAX],
    size_t *ret_size);

// The result of an eth_call on anything but the aggregator.
struct model_result {
    enum {
        MODEL_RETURNS,
        MODEL_RETURNS_MEGABYTE,
        MODEL_REVERTS,
        MODEL_RUNS_OUT,
        MODEL_HANGS,
    } kind;
    uint8_t data[64];
    size_t size;
};
struct model_result model_wallet_call(
    struct model *model, const struct eth_address *to, struct span data);

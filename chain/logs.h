// SPDX-License-Identifier: GPL-3.0-or-later
//
// Event logs by eth_getLogs: a walk over a range of blocks that fits itself to what the provider
// takes, and a strict reading of what comes back. Logs are hints: whoever reads them here asks the
// chain's state before anything counts.
#pragma once

#include "chain/rpc.h"

enum {
    LOGS_RANGE_DEFAULT = 2000, // blocks in the first request
    LOGS_RANGE_MAX = 1 << 20,
    LOGS_ENTRIES_MAX = 4096, // in a reply; one with more counts as too large
    LOGS_TOPICS = 5,
};

// --- how many blocks a provider takes at once ---

// The number of blocks in a request. It is halved at each refusal, down to one; grows twofold as
// long as nothing was refused, then by halves of what lies between the largest range that was
// served and the smallest that was refused; rests there, and after a number of successes tries
// again whether more is taken by now: where many logs are dense, what is refused depends on the
// place. The number of successes doubles with each such trial in vain, from 16 to 1024.
struct log_range {
    uint64_t blocks;  // in the next request
    uint64_t max;     // never more
    uint64_t served;  // largest since the last refusal of as much; 0 = none
    uint64_t refused; // smallest since the last trial; 0 = none
    uint32_t successes;
    uint32_t patience;
};

struct log_range log_range_of(uint64_t blocks, uint64_t max);

// The provider answered a request for so many blocks.
void log_range_served(struct log_range *range, uint64_t blocks);

// The provider refused so many. False if it was one block already: pass it by.
bool log_range_refused(struct log_range *range, uint64_t blocks);

// --- a walk from block to block ---

struct log_walk {
    uint64_t next;   // first block that was not answered for
    uint64_t last;   // the last one wanted; the walk is over when next is beyond
    uint64_t passed; // blocks that were refused alone, and passed by
};

// True and the blocks of the next request, ends included; false if the walk is over.
bool log_walk_next(const struct log_walk *walk, const struct log_range *range, uint64_t *ret_from,
    uint64_t *ret_to);

// What came of the request for `from` to `to`. Ignored if the walk has moved on since.
void log_walk_served(struct log_walk *walk, struct log_range *range, uint64_t from, uint64_t to);
void log_walk_refused(struct log_walk *walk, struct log_range *range, uint64_t from, uint64_t to);

// --- which block was there how long ago ---

enum {
    LOG_TRAIL_SIZE = 16,
    LOG_TRAIL_STEP_S = 4, // between two places, so that they cover a minute
};

// Heads of a provider, by their own timestamps: blocks may be 200 ms apart, or 12 s.
struct log_trail {
    uint8_t count;
    struct log_trail_place {
        uint64_t number;
        uint64_t time_s;
    } places[LOG_TRAIL_SIZE]; // oldest first
};

// A head that lies before the newest place (another backend, a reorganisation) is left out.
void log_trail_add(struct log_trail *trail, uint64_t number, uint64_t time_s);

// The newest block known to be at least `seconds` older than the newest place; the oldest place if
// none is; 0 if the trail is empty.
uint64_t log_trail_before(const struct log_trail *trail, uint64_t seconds);

// --- requests and answers ---

enum log_event {
    LOG_TRANSFER = 0,     // ERC-721: from, to, token
    LOG_GRANTED,          // NodeAccessGranted: token, to (the first owner)
    LOG_REVOKED,          // NodeAccessRevoked: token
    LOG_NODE_TRANSFERRED, // NodeAccessTransferred: token, from, to
    LOG_KEY_UPDATED,      // PublicKeyUpdated: to (the owner); it names no token
};

// The first topics of the events, in their order. LOG_TRANSFER alone: topic_count 1.
extern const struct hash256 log_topics[LOGS_TOPICS];

struct log_entry {
    enum log_event event;
    uint64_t block_number;
    struct hash256 block_hash;
    struct token_id token;   // but for LOG_KEY_UPDATED
    struct eth_address from; // zero: minted, or the event has none
    struct eth_address to;   // zero: burned, or the event has none
    bool removed;            // undone by a reorganisation
};

void logs_write(struct writer *writer, uint64_t id, const struct eth_address *contract,
    size_t topic_count, uint64_t from, uint64_t to);

// What an answer means for the walk.
enum logs_verdict {
    LOGS_ANSWERED,
    LOGS_TOO_MANY,     // the range must shrink; so does any refusal that is not understood
    LOGS_NOT_YET,      // this provider has not seen those blocks
    LOGS_UNSUPPORTED,  // it does not serve eth_getLogs at all
    LOGS_RATE_LIMITED, // as for any call
    LOGS_SLOW,         // no answer in time: the range should shrink, but no block is at fault
    LOGS_FAULT,        // no answer, or not what was asked for
};

// A parsed answer; holds a reference to the JSON.
struct logs {
    enum logs_verdict verdict;
    size_t count;   // entries to ask for
    size_t strange; // of them, events with the right topic and another form: they name nothing
    struct eth_address contract;
    size_t topic_count;
    struct rpc_answer answer;
};

// Parses the reply to the request `id` for `from` to `to`. Every entry is looked at: one of another
// contract, event or block than asked for, or with a member that is missing or has another form,
// spoils the whole (LOGS_FAULT). The caller clears `ret`.
void logs_parse(const struct rpc_reply *reply, uint64_t id, const struct eth_address *contract,
    size_t topic_count, uint64_t from, uint64_t to, struct logs *ret);

// Entry `index` < count, in the provider's order. False if it is a strange one.
bool logs_entry(const struct logs *logs, size_t index, struct log_entry *ret);

void logs_clear(struct logs *logs);

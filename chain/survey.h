// SPDX-License-Identifier: GPL-3.0-or-later
//
// Lists all tokens of a contract: finds them as the gate finds members, then reads each through a
// gate of its own, in aggregates of 200, until a quorum has spoken. Driven like the gate: calls go
// out by survey_next_call, replies come in by survey_on_reply, time by survey_on_deadline. It does
// no I/O and allocates only when it is created.
//
//   - A row is yes (k equal values), no (k denials) or unknown with a reason, as a gate's reading.
//   - As many providers as make a quorum search one after the other, and what each finds is joined:
//     one that leaves tokens out hides none as long as a quorum is honest.
//   - It ends: done, or failed after 60 s without progress. What was read until then can be
//     exported, and a later survey of the same contract goes on from there.
#pragma once

#include "chain/gate.h"

enum {
    SURVEY_TOKENS_DEFAULT = 100000,
    SURVEY_STALL_MS = 60000,
};

struct survey_config {
    struct network network;
    enum contract_profile profile; // PROFILE_DETECT: k providers are asked
    enum trust_policy trust;
    size_t providers;         // 1 .. GATE_PROVIDERS_MAX
    size_t tokens_max;        // rows; 0 = SURVEY_TOKENS_DEFAULT. About 400 bytes each, as used
    uint32_t head_age_max_ms; // 0 = GATE_HEAD_AGE_DEFAULT_MS
    uint32_t gap_max;         // unknown ids in a row that end a sequential search; 0 = 64
};

enum survey_phase {
    SURVEY_FINDING, // also while the providers are being checked
    SURVEY_READING,
    SURVEY_DONE,
    SURVEY_FAILED, // nothing moved for SURVEY_STALL_MS; progress.reason says why
};

struct survey_progress {
    enum survey_phase phase;
    enum verdict_reason reason; // FAILED: REASON_NO_ANSWER, REASON_WRONG_CHAIN, …
    size_t found;
    size_t rows; // that survey_row shows: 0 while FINDING, and where that FAILED
    size_t read;
    uint64_t searched, search_total; // FINDING: ids, indices or blocks; total 0 = not known
    bool bounded;                    // there are more than tokens_max
};

// A token. Rows are in ascending order of tokens, from SURVEY_READING on.
struct survey_row {
    struct token_id token;
    bool read; // the rest holds
    enum verdict_kind kind;
    enum verdict_reason reason;
    struct eth_address owner; // YES: the owner. Otherwise zero
    bool has_access;          // YES and PROFILE_DSTACK_ACCESS: the next three hold
    bool active;
    enum stored_key stored_key;
    struct wg_key wg_key; // STORED_KEY_USABLE
    bool has_detail;      // and k providers agree on this, too
    struct gate_detail detail;
};

struct survey;

// ERR_RANGE: a number in `config` is out of bounds. ERR_FULL: no memory.
enum status survey_create(
    const struct survey_config *config, struct rng *rng, struct now now, struct survey **ret);

// Accepts NULL.
void survey_destroy(struct survey *survey);

// As gate_next_call, gate_on_reply, gate_next_deadline, gate_on_deadline.
bool survey_next_call(struct survey *survey, struct now now, struct gate_call *ret);
void survey_on_reply(
    struct survey *survey, struct now now, uint64_t id, const struct rpc_reply *reply);
struct mono survey_next_deadline(const struct survey *survey);
void survey_on_deadline(struct survey *survey, struct now now);

struct survey_progress survey_progress(const struct survey *survey);

// Row `index` < progress.rows. Valid until the survey's next input.
const struct survey_row *survey_row(const struct survey *survey, size_t index);

// The gate underneath, to show its providers, profile and trust. Do not feed it.
const struct gate *survey_gate(const struct survey *survey);

// Progress for --resume: what was found, where the search is, and rows from SURVEY_READING on.
// survey_state_size bounds what export writes now.
size_t survey_state_size(const struct survey *survey);
enum status survey_state_export(struct survey *survey, struct now now, struct writer *writer);

// Before the first input. Rows that were read are kept as they were; the rest goes on, but a search
// that was made with another number of providers begins anew, with what it has found. Failures as
// gate_state_import, and ERR_FULL if there are more rows than tokens_max; the survey is unchanged.
enum status survey_state_import(struct survey *survey, struct now now, struct span state);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// What `list`, `info` and `verify` know of seats: the contract's word through the providers, and
// what lies in the DHT. They need no daemon and no keys; a pinned manifest and a configuration are
// used where there are any.
#pragma once

#include "node/cli/chain_drive.h"
#include "node/cli/dht_client.h"

// Where a verb reads from. All zero before seats_open.
struct seats_source {
    struct cli *cli;
    struct state *state; // NULL: this instance has none
    struct network network;
    enum contract_profile profile;
    enum trust_policy trust;
    struct eth_address registry; // of delegates; zero = it has no say
    uint64_t window_s;           // longest delegation
    bool has_prefix;             // of the overlay's IPv4; a pinned manifest names it
    struct prefix prefix;
    struct chain_client *chain;
    struct dht_client *dht; // NULL: not opened, or nobody to ask
};

// The network (pinned, or --chain-id and --contract) and its providers. DONE, or an exit code after
// having said why.
int seats_open(struct cli *cli, struct seats_source *ret);

// Accepts one that is all zero.
void seats_close(struct seats_source *source);

// Joins the DHT if that can be done; if not, says why on standard error, and `source->dht` stays
// NULL: the verb goes on without records.
void seats_open_dht(struct seats_source *source);

// The best record by the owner that lies in the DHT, in short.
enum sight_kind {
    SIGHT_UNKNOWN = 0, // not looked for, or the DHT did not answer
    SIGHT_NONE,        // nobody sits there now
    SIGHT_RECORD,
    SIGHT_RETIRED, // the owner's tombstone
};

struct sight {
    enum sight_kind kind;
    struct node_key node_key; // RECORD: and the rest
    struct wg_key wg_key;
    uint64_t sequence;
    uint64_t not_after_s;
};

const char *sight_kind_name(enum sight_kind kind); // "unknown", "none", "record", "retired"

struct seats_options {
    size_t tokens_max;  // 0 = SURVEY_TOKENS_DEFAULT
    const char *resume; // file that keeps the progress; NULL = none
    bool records;       // look for those, too
};

// All seats of the contract. All zero before seats_load.
struct seats {
    struct survey *survey;
    struct survey_progress progress;
    struct sight *sights; // one for each row; NULL without records
    size_t count;
    bool interrupted;
};

// Lists them, with progress. DONE with whatever was found, or an exit code after having said why
// there is nothing to show; `ret->progress` says how complete it is. SIGINT and SIGTERM end it
// early.
int seats_load(struct seats_source *source, const struct seats_options *options, struct seats *ret);

// Accepts one that is all zero.
void seats_clear(struct seats *seats);

enum {
    NODE_ID_TEXT_SIZE = 2 * GATE_NODE_ID_MAX + 3,
};

// The contract's node id as text; as "0x..." where it is no valid UTF-8. "" if there is none.
void node_id_format(const struct gate_detail *detail, char ret[static NODE_ID_TEXT_SIZE]);

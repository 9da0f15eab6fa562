// SPDX-License-Identifier: GPL-3.0-or-later
//
// The `deedmesh` command: one table of verbs, from which arguments, help and shell completion
// follow. A verb reads its arguments from struct arguments and returns an exit code.
#pragma once

#include "node/instance/config.h"
#include "node/instance/state.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

// deedmesh(1), EXIT STATUS.
enum {
    DONE = 0,
    FAILED = 1,       // `ping`: the path is relayed
    UNREACHABLE = 2,  // `ping`: no answer
    UNDECIDED = 2,    // `verify`: unknown
    NO_DAEMON = 3,    // no daemon answers for this instance
    TIMED_OUT = 4,    // `wait`, `up`; a transaction is under way still
    USAGE_ERROR = 64, // sysexits' EX_USAGE
    REPEATS_MAX = 3,  // how often --rpc may be given
    VERB_OPTIONS_MAX = 32,
};

// All that the command line can say. Text points into argv; NULL = not given.
struct arguments {
    // of every verb
    const char *instance;
    const char *config_dir;
    const char *state_dir;
    const char *run_dir;
    bool json;
    bool help;
    // of some
    bool yes;
    bool foreground;
    bool until_direct;
    bool allow_http;
    bool print;
    bool offline;
    bool contract_wallet;
    bool text;
    bool qr;
    bool browser;
    bool csv;
    bool no_records;
    const char *token;
    const char *timeout;
    const char *count;
    const char *log_format;
    const char *wg_key_file;
    const char *key_file;
    const char *keystore;
    const char *password_fd;
    const char *agent;
    const char *agent_timeout;
    const char *owner;
    const char *signature;
    const char *qr_file;
    const char *port;
    const char *days;
    const char *chain_id;
    const char *contract;
    const char *bootstrap;
    bool renew;
    bool wg;
    bool node;
    bool abandon;
    const char *profile;
    const char *prefix;
    const char *poll;
    const char *grace;
    const char *window;
    const char *listen;
    const char *peer;
    const char *goal;
    const char *resume;
    const char *most;
    const char *rpcs[REPEATS_MAX];
    bool dry_run;
    bool replace;
    const char *confirmations;
    const char *max_fee;
    const char *to;
    const char *node_id;
    const char *wg_key;
    const char *token_uri;
    // what is not an option
    char **operands;
    int operands_count;
};

struct cli {
    struct arguments arguments;
    const char *verb; // its name
    const char *instance;
    struct directories directories;
};

enum option_kind {
    OPTION_FLAG,   // bool
    OPTION_TEXT,   // const char *
    OPTION_REPEAT, // const char *[REPEATS_MAX]
};

struct cli_option {
    const char *name;
    char letter; // 0 = none
    enum option_kind kind;
    size_t field;      // offset in struct arguments
    const char *value; // what stands for the value in the help
    const char *help;
};

struct verb {
    const char *name;     // one word, or two: a verb of a group, e.g. "contract deploy"
    const char *operands; // for the help; "" = none
    int operands_min;
    int operands_max;
    const char *summary;                         // one line
    const char *details;                         // paragraphs, or NULL
    struct cli_option options[VERB_OPTIONS_MAX]; // ends with a NULL name
    int (*run)(struct cli *cli);
};

// The table, in the order of the help; ends with a NULL name.
extern const struct verb verbs[];

// Options that every verb takes; ends with a NULL name.
extern const struct cli_option common_options[];

// --- what a verb says ---

// A line on stdout, for people. Control characters from outside are replaced.
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A line on stderr.
void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

// An error: on stderr, and under --json also as {"error":{"code","message"}} on stdout. Returns
// `exit_code`.
int complain(const struct cli *cli, int exit_code, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// One JSON object on a line of stdout; takes over the reference.
void print_json(json_t *object);

// "3 s", "2 min", "5 h", "4 d"; "-" for a negative number.
enum {
    DURATION_TEXT_SIZE = 32,
    BYTES_TEXT_SIZE = 32,
};
void duration_format(double seconds, char ret[static DURATION_TEXT_SIZE]);
// "0 B", "1.2 KiB", ...
void bytes_format(double bytes, char ret[static BYTES_TEXT_SIZE]);
// "2026-11-20 21:50 UTC"
void date_format(uint64_t unix_s, char ret[static DURATION_TEXT_SIZE]);

enum {
    TABLE_COLUMNS_MAX = 9,
};

// Rows of cells, printed with aligned columns. Grows as needed: the client is no daemon.
struct table;
struct table *table_new(size_t columns);
// Takes `columns` texts and copies them; NULL prints as "-".
void table_row(struct table *table, const char *const *cells);
void table_print(const struct table *table, const char *indent);
void table_free(struct table *table);

// --- what several verbs need ---

// Decimal within bounds; complains and returns false otherwise. `text` NULL = `otherwise`.
bool number_option(const struct cli *cli, const char *name, const char *text, uint64_t least,
    uint64_t most, uint64_t otherwise, uint64_t *ret);

// The operand at `index` as a token; complains and returns false otherwise.
bool token_option(const struct cli *cli, const char *text, struct token_id *ret);

// Opens the state directory; complains and returns NULL otherwise. `*ret_exit` is set then.
struct state *open_state(const struct cli *cli, enum state_access access, int *ret_exit);

// Says what the state directory reported. Returns the exit code.
int complain_state(const struct cli *cli, enum status status, const struct state_error *error);

// Asks "QUESTION [y/N] " on the terminal. False if there is none.
bool confirm(const char *question);

// A WireGuard key as `keygen` makes it: from --wg-key-file, else new.
int keygen_wg_key(struct cli *cli, struct wg_secret *ret);

// A member of a JSON object as text, or "-" if it is absent or null. Valid as long as the object.
const char *json_text(const json_t *object, const char *name);
double json_amount(const json_t *object, const char *name, double otherwise);

// --- the verbs ---

int verb_authorize(struct cli *cli);
int verb_completion(struct cli *cli);
int verb_contract_deploy(struct cli *cli);
int verb_down(struct cli *cli);
int verb_info(struct cli *cli);
int verb_init(struct cli *cli);
int verb_join(struct cli *cli);
int verb_keygen(struct cli *cli);
int verb_list(struct cli *cli);
int verb_metrics(struct cli *cli);
int verb_peers(struct cli *cli);
int verb_ping(struct cli *cli);
int verb_register(struct cli *cli);
int verb_resolve(struct cli *cli);
int verb_revoke(struct cli *cli);
int verb_retire(struct cli *cli);
int verb_rotate(struct cli *cli);
int verb_status(struct cli *cli);
int verb_transfer(struct cli *cli);
int verb_up(struct cli *cli);
int verb_verify(struct cli *cli);
int verb_version(struct cli *cli);
int verb_wait(struct cli *cli);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh verify`: may that node sit in that seat, and who says so? Every check is a row, also
// those behind the first that fails; the gate itself says the last word.
#include "base/clock_posix.h"
#include "base/text.h"
#include "chain/eip55.h"
#include "node/cli/seat_view.h"
#include "node/instance/json_forms.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    ROW_TEXT_SIZE = 320,
    ADDRESS_DIGITS = 42, // with 0x
    SEATS_MAX = 64,      // of one owner that are verified
};

// Where the rows of one seat go.
struct rows {
    const struct cli *cli;
    struct table *table; // NULL under --json
    json_t *list;
};

static const char *state_of(enum verdict_kind kind)
{
    switch (kind) {
    case VERDICT_YES:
        return "passed";
    case VERDICT_NO:
        return "failed";
    case VERDICT_UNKNOWN:
        break;
    }
    return "unknown";
}

// `reason` names why in one word, for programs.
static void add_row(struct rows *rows, enum verdict_kind kind, const char *check,
    const char *reason, const char *format, ...) __attribute__((format(printf, 5, 6)));

static void add_row(struct rows *rows, enum verdict_kind kind, const char *check,
    const char *reason, const char *format, ...)
{
    char text[ROW_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (rows->table == NULL) {
        (void)json_array_append_new(
            rows->list, json_pack("{s:s, s:s, s:s, s:s}", "check", check, "state", state_of(kind),
                            "reason", reason, "text", text));
        return;
    }
    const char *const cells[] = {state_of(kind), check, reason, text};
    table_row(rows->table, cells);
}

// --- who said what ---

static void statement_text(const struct gate_statement *statement, char *ret, size_t size)
{
    char owner[ETH_ADDRESS_TEXT_SIZE];
    char key[WG_KEY_TEXT_SIZE] = "none";
    if (statement->kind != VERDICT_YES) {
        (void)snprintf(ret, size, "%s",
            statement->kind == VERDICT_NO ? "no such token"
                                          : verdict_reason_text(statement->reason));
        return;
    }
    eip55_format(&statement->owner, owner);
    if (!statement->has_access) {
        (void)snprintf(ret, size, "owner %s", owner);
        return;
    }
    if (statement->stored_key == STORED_KEY_USABLE) {
        wg_key_format(&statement->wg_key, key);
    }
    (void)snprintf(ret, size, "owner %s, %s, key %s", owner,
        statement->active ? "active" : "revoked",
        statement->stored_key == STORED_KEY_UNUSABLE ? "unusable" : key);
}

static enum verdict_kind kind_of_health(enum provider_health health)
{
    switch (health) {
    case PROVIDER_GOOD:
        return VERDICT_YES;
    case PROVIDER_WRONG_CHAIN:
    case PROVIDER_NO_CODE:
    case PROVIDER_STALE:
        return VERDICT_NO;
    case PROVIDER_UNCHECKED:
    case PROVIDER_UNREACHABLE:
    case PROVIDER_FAULTY:
    case PROVIDER_RATE_LIMITED:
        break;
    }
    return VERDICT_UNKNOWN;
}

static void add_providers(
    struct rows *rows, const struct seats_source *source, const struct seat_view *view)
{
    struct now now = clock_now();
    for (size_t i = 0; i < chain_client_count(source->chain); i++) {
        struct gate_provider_status status = gate_provider_status(view->gate, i, now);
        struct gate_statement statement = gate_statement(view->gate, &view->token, i, now);
        char text[ROW_TEXT_SIZE / 2];
        statement_text(&statement, text, sizeof text);
        if (statement.reason == REASON_NOT_READ) {
            add_row(rows, kind_of_health(status.health), "provider",
                provider_health_name(status.health), "%s: said nothing of the token",
                chain_client_name(source->chain, i));
        } else {
            add_row(rows, kind_of_health(status.health), "provider",
                provider_health_name(status.health), "%s: %s (block %" PRIu64 ")",
                chain_client_name(source->chain, i), text, statement.block_number);
        }
    }
}

static void add_quorum(struct rows *rows, const struct seat_view *view)
{
    struct gate_trust trust = gate_trust(view->gate);
    bool enough = trust.good >= trust.quorum;
    add_row(rows, enough ? VERDICT_YES : VERDICT_UNKNOWN, "quorum", enough ? "ok" : "too_few",
        "%zu of %zu RPC providers answer well, %zu must agree%s", trust.good, trust.providers,
        trust.quorum, trust.providers == 1 ? "; one alone is trusted" : "");
    if (trust.policy == TRUST_POLICY_PROOF) {
        add_row(rows, trust.proof == PROOF_ON ? VERDICT_YES : VERDICT_UNKNOWN, "proof",
            proof_standing_name(trust.proof), "%s", proof_standing_text(trust.proof));
    }
}

// --- what lies in the DHT ---

static void add_record(struct rows *rows, const struct seat_view *view)
{
    char key[2 * sizeof view->record.node_key.bytes + 1];
    char left[DURATION_TEXT_SIZE];
    int64_t left_s = (int64_t)view->record.not_after_s - (int64_t)time(NULL);
    hex_format(span_of(view->record.node_key.bytes, sizeof view->record.node_key.bytes), key);
    duration_format((double)left_s, left);
    switch (view->claim) {
    case SEAT_NOT_SOUGHT:
        add_row(rows, VERDICT_UNKNOWN, "record", "not_sought",
            "nobody was there to ask for the record; see --bootstrap");
        return;
    case SEAT_NOT_ANSWERED:
        add_row(rows, VERDICT_UNKNOWN, "record", "no_answer", "the DHT did not answer in time");
        return;
    case SEAT_NO_RECORD:
        add_row(rows, VERDICT_NO, "record", "no_record",
            "no node publishes a record for this seat%s",
            view->reading.kind == VERDICT_YES ? " with a delegation by its owner" : "");
        return;
    case SEAT_TOMBSTONE:
        add_row(rows, VERDICT_NO, "record", "tombstone",
            "the owner has retired the node that sat here");
        return;
    case SEAT_OWN_DELEGATION:
        add_row(rows, VERDICT_UNKNOWN, "record", "own_delegation",
            "no record was found; judged by the delegation that this instance keeps, for node %s",
            key);
        return;
    case SEAT_RECORD:
        break;
    }
    if (left_s >= 0) {
        add_row(
            rows, VERDICT_YES, "record", "found", "signed by node %s, valid %s more", key, left);
    } else {
        add_row(rows, VERDICT_NO, "record", "expired", "signed by node %s, expired", key);
    }
}

static void add_node(struct rows *rows, enum verdict_kind is_node, const char *node)
{
    switch (is_node) {
    case VERDICT_YES:
        add_row(rows, is_node, "node", "ok", "it is the node %s", node);
        return;
    case VERDICT_NO:
        add_row(rows, is_node, "node", "other", "it is another node than %s", node);
        return;
    case VERDICT_UNKNOWN:
        add_row(rows, is_node, "node", "not_known", "whether it is the node %s is not known", node);
        return;
    }
}

static void add_check(struct rows *rows, enum gate_check_kind kind, const struct gate_check *check)
{
    bool passed = check->kind == VERDICT_YES;
    add_row(rows, check->kind, gate_check_name(kind),
        passed ? "ok" : verdict_reason_name(check->reason), "%s",
        passed ? gate_check_text(kind) : verdict_reason_text(check->reason));
}

// Closed by the contract's owner: no, whoever sits there.
static bool is_revoked(const struct seat_view *view)
{
    return view->reading.kind == VERDICT_YES && view->reading.has_access && !view->reading.active;
}

static enum verdict_reason reason_without_claim(const struct seat_view *view)
{
    return is_revoked(view) ? REASON_NOT_ACTIVE : view->reading.reason;
}

static void add_checks(struct rows *rows, const struct seat_view *view)
{
    if (!seat_has_claim(view)) {
        const struct gate_check read = {view->reading.kind, view->reading.reason};
        add_check(rows, GATE_CHECK_TOKEN, &read);
        if (is_revoked(view)) {
            add_check(rows, GATE_CHECK_ACTIVE, &(struct gate_check){VERDICT_NO, REASON_NOT_ACTIVE});
        }
        return;
    }
    for (size_t i = 0; i < GATE_CHECKS; i++) {
        add_check(rows, (enum gate_check_kind)i, &view->checks[i]);
    }
}

// --- one seat ---

// The node that was asked for, and then the gate. Without a claim nobody is admitted.
static enum verdict_kind conclude(const struct seat_view *view, enum verdict_kind is_node)
{
    enum verdict_kind admitted = view->verdict.kind;
    if (!seat_has_claim(view)) {
        bool known_empty =
            view->claim == SEAT_NO_RECORD || view->reading.kind == VERDICT_NO || is_revoked(view);
        admitted = known_empty ? VERDICT_NO : VERDICT_UNKNOWN;
    }
    if (admitted == VERDICT_NO || is_node == VERDICT_NO) {
        return VERDICT_NO;
    }
    return is_node == VERDICT_UNKNOWN ? VERDICT_UNKNOWN : admitted;
}

static void conclusion_text(
    const struct seat_view *view, enum verdict_kind is_node, char ret[GATE_VERDICT_TEXT_SIZE])
{
    char token[TOKEN_TEXT_SIZE];
    token_id_format(&view->token, token);
    if (is_node == VERDICT_NO) {
        (void)snprintf(ret, GATE_VERDICT_TEXT_SIZE, "token %s: another node sits there", token);
    } else if (seat_has_claim(view)) {
        verdict_text(&view->verdict, ret);
    } else if (view->reading.kind != VERDICT_YES || is_revoked(view)) {
        (void)snprintf(ret, GATE_VERDICT_TEXT_SIZE, "token %s: %s", token,
            verdict_reason_text(reason_without_claim(view)));
    } else {
        (void)snprintf(ret, GATE_VERDICT_TEXT_SIZE, "token %s: %s", token,
            view->claim == SEAT_NO_RECORD ? "no node sits there now"
                                          : "whether a node sits there is not known");
    }
}

static enum verdict_kind verify_seat(
    struct seats_source *source, const struct token_id *token, const char *node, int *ret_exit)
{
    struct cli *cli = source->cli;
    struct seat_view view = {.gate = NULL};
    enum verdict_kind concluded = VERDICT_UNKNOWN;
    *ret_exit = seat_view(source, token, &view);
    if (*ret_exit != DONE) {
        seat_view_clear(&view);
        return concluded;
    }
    struct rows rows = {
        .cli = cli, .table = cli->arguments.json ? NULL : table_new(4), .list = json_array()};
    enum verdict_kind is_node = node == NULL ? VERDICT_YES : seat_is_node(&view, node);
    char text[GATE_VERDICT_TEXT_SIZE];
    add_providers(&rows, source, &view);
    add_quorum(&rows, &view);
    add_record(&rows, &view);
    if (node != NULL) {
        add_node(&rows, is_node, node);
    }
    add_checks(&rows, &view);
    concluded = conclude(&view, is_node);
    conclusion_text(&view, is_node, text);
    if (cli->arguments.json) {
        print_json(json_pack("{s:o, s:s, s:s, s:s, s:o}", "token", json_token(token), "admitted",
            verdict_kind_name(concluded), "reason",
            seat_has_claim(&view) ? verdict_reason_name(view.verdict.reason)
                                  : verdict_reason_name(reason_without_claim(&view)),
            "text", text, "checks", rows.list));
    } else {
        table_print(rows.table, "");
        say("%s: %s", verdict_kind_name(concluded), text);
        json_decref(rows.list);
    }
    table_free(rows.table);
    seat_view_clear(&view);
    return concluded;
}

// --- by owner ---

// All seats of an owner, until one holds that node.
static enum verdict_kind verify_owner(
    struct seats_source *source, const struct eth_address *owner, const char *node, int *ret_exit)
{
    const struct seats_options options = {.records = false};
    struct seats seats = {.survey = NULL};
    struct token_id tokens[SEATS_MAX];
    size_t count = 0;
    enum verdict_kind best = VERDICT_NO;
    *ret_exit = seats_load(source, &options, &seats);
    for (size_t i = 0; *ret_exit == DONE && i < seats.count && count < SEATS_MAX; i++) {
        const struct survey_row *row = survey_row(seats.survey, i);
        if (row->read && row->kind == VERDICT_YES && eth_address_equal(&row->owner, owner)) {
            tokens[count++] = row->token;
        }
    }
    bool complete = seats.progress.phase == SURVEY_DONE && !seats.progress.bounded;
    seats_clear(&seats);
    if (*ret_exit == DONE && count == 0) {
        *ret_exit = complain(source->cli, complete ? FAILED : UNDECIDED, "not_found",
            complete ? "%s owns no token of this contract"
                     : "no token of %s was found, but not all tokens could be read",
            source->cli->arguments.operands[0]);
    }
    for (size_t i = 0; *ret_exit == DONE && i < count && best != VERDICT_YES; i++) {
        char token[TOKEN_TEXT_SIZE];
        token_id_format(&tokens[i], token);
        if (!source->cli->arguments.json) {
            say("%sToken %s of %s", i == 0 ? "" : "\n", token, source->cli->arguments.operands[0]);
        }
        enum verdict_kind kind = verify_seat(source, &tokens[i], node, ret_exit);
        best = best == VERDICT_NO ? kind : kind == VERDICT_YES ? VERDICT_YES : best;
    }
    return best;
}

int verb_verify(struct cli *cli)
{
    const char *subject = cli->arguments.operands[0];
    const char *node = cli->arguments.operands_count > 1 ? cli->arguments.operands[1] : NULL;
    struct seats_source source = {.cli = cli};
    struct eth_address owner;
    struct token_id token;
    bool by_owner = strlen(subject) == ADDRESS_DIGITS && strncmp(subject, "0x", 2) == 0;
    if (by_owner && eip55_parse(span_of_text(subject), &owner) != OK) {
        return complain(cli, USAGE_ERROR, "usage",
            "%s: as an address its checksum (upper and lower case) is wrong; was it mistyped?",
            subject);
    }
    if (!by_owner && !token_option(cli, subject, &token)) {
        return USAGE_ERROR;
    }
    enum verdict_kind kind = VERDICT_UNKNOWN;
    int result = seats_open(cli, &source);
    if (result == DONE) {
        seats_open_dht(&source);
        kind = by_owner ? verify_owner(&source, &owner, node, &result)
                        : verify_seat(&source, &token, node, &result);
    }
    seats_close(&source);
    if (result != DONE) {
        return result;
    }
    return kind == VERDICT_YES ? DONE : kind == VERDICT_NO ? FAILED : UNDECIDED;
}

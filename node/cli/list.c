// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh list`: all seats of the contract, who owns each and who sits there.
#include "base/text.h"
#include "chain/eip55.h"
#include "node/cli/seats.h"
#include "node/instance/json_forms.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    COLUMNS = 6,
    CELL_SIZE = NODE_ID_TEXT_SIZE + 2,
    MOST_MAX = 1000000,
};

// A row as text; an empty cell = nothing to say.
struct cells {
    char token[TOKEN_TEXT_SIZE];
    char node_id[NODE_ID_TEXT_SIZE];
    char owner[ETH_ADDRESS_TEXT_SIZE];
    char active[16];
    char key[WG_KEY_TEXT_SIZE];
    char record[48];
};

static const char *const headings[COLUMNS] = {
    "TOKEN", "NODE ID", "OWNER", "ACTIVE", "KEY", "RECORD"};

static void record_cell(const struct sight *sight, char *ret, size_t size)
{
    char left[DURATION_TEXT_SIZE];
    int64_t left_s = (int64_t)sight->not_after_s - (int64_t)time(NULL);
    if (sight->kind == SIGHT_RECORD && left_s > 0) {
        duration_format((double)left_s, left);
        (void)snprintf(ret, size, "valid %s more", left);
    } else {
        (void)snprintf(ret, size, "%s",
            sight->kind == SIGHT_RECORD ? "expired" : sight_kind_name(sight->kind));
    }
}

static void cells_of(const struct survey_row *row, const struct sight *sight, struct cells *ret)
{
    memset(ret, 0, sizeof *ret);
    token_id_format(&row->token, ret->token);
    if (!row->read || row->kind != VERDICT_YES) {
        (void)snprintf(ret->active, sizeof ret->active, "%s",
            row->read && row->kind == VERDICT_NO ? "burnt" : "unknown");
        return;
    }
    eip55_format(&row->owner, ret->owner);
    if (row->has_detail) {
        node_id_format(&row->detail, ret->node_id);
    }
    // A plain ERC-721 has no such flag: whoever owns the token is in.
    (void)snprintf(
        ret->active, sizeof ret->active, "%s", !row->has_access || row->active ? "yes" : "no");
    if (row->has_access && row->stored_key == STORED_KEY_USABLE) {
        wg_key_format(&row->wg_key, ret->key);
    } else if (row->has_access && row->stored_key == STORED_KEY_UNUSABLE) {
        (void)snprintf(ret->key, sizeof ret->key, "unusable");
    }
    if (sight != NULL) {
        record_cell(sight, ret->record, sizeof ret->record);
    }
}

static json_t *text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

static json_t *json_of_sight(const struct sight *sight)
{
    char node_key[65];
    char wg_key[WG_KEY_TEXT_SIZE];
    if (sight->kind != SIGHT_RECORD) {
        return json_pack("{s:s}", "state", sight_kind_name(sight->kind));
    }
    hex_format(span_of(sight->node_key.bytes, sizeof sight->node_key.bytes), node_key);
    wg_key_format(&sight->wg_key, wg_key);
    return json_pack("{s:s, s:s, s:s, s:o, s:I}", "state", sight_kind_name(sight->kind), "node_key",
        node_key, "wg_key", wg_key, "sequence", json_u64_text(sight->sequence), "not_after",
        (json_int_t)sight->not_after_s);
}

static void print_row_json(const struct survey_row *row, const struct sight *sight)
{
    struct cells cells;
    cells_of(row, sight, &cells);
    bool known = row->read && row->kind == VERDICT_YES;
    bool flagged = known && row->has_access;
    bool usable = flagged && row->stored_key == STORED_KEY_USABLE;
    print_json(json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "token", cells.token,
        "exists", row->read ? verdict_kind_name(row->kind) : "unknown", "reason",
        row->read ? verdict_reason_name(row->reason) : "not_read", "owner",
        text_or_null(cells.owner), "node_id", text_or_null(cells.node_id), "active",
        flagged ? json_boolean(row->active) : json_null(), "wg_key",
        usable ? json_string(cells.key) : json_null(), "created_at",
        known && row->has_detail ? json_integer((json_int_t)row->detail.created_at_s) : json_null(),
        "record", sight != NULL ? json_of_sight(sight) : json_null()));
}

// RFC 4180. A cell that a spreadsheet would take for a formula is given an apostrophe: node ids are
// whatever their minter wrote.
static void print_cell_csv(const char *text, bool last)
{
    bool formula = text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL;
    (void)printf("\"%s", formula ? "'" : "");
    for (; *text != '\0'; text++) {
        (void)printf(*text == '"' ? "\"\"" : "%c", *text);
    }
    (void)printf(last ? "\"\r\n" : "\",");
}

static void print_cells_csv(const char *const *cells)
{
    for (size_t i = 0; i < COLUMNS; i++) {
        print_cell_csv(cells[i], i + 1 == COLUMNS);
    }
}

// The cells in the order of the headings; an empty one is NULL for a table.
static void in_order(const struct cells *cells, bool table, const char *ret[static COLUMNS])
{
    const char *const texts[COLUMNS] = {
        cells->token, cells->node_id, cells->owner, cells->active, cells->key, cells->record};
    for (size_t i = 0; i < COLUMNS; i++) {
        ret[i] = table && texts[i][0] == '\0' ? NULL : texts[i];
    }
}

static void print_seats(const struct cli *cli, const struct seats *seats)
{
    struct table *table = table_new(COLUMNS);
    bool csv = cli->arguments.csv;
    if (csv) {
        print_cells_csv(headings);
    } else {
        table_row(table, headings);
    }
    for (size_t i = 0; i < seats->count; i++) {
        const struct survey_row *row = survey_row(seats->survey, i);
        const struct sight *sight = seats->sights != NULL ? &seats->sights[i] : NULL;
        const char *texts[COLUMNS];
        struct cells cells;
        if (cli->arguments.json) {
            print_row_json(row, sight);
            continue;
        }
        cells_of(row, sight, &cells);
        in_order(&cells, !csv, texts);
        if (csv) {
            print_cells_csv(texts);
        } else {
            table_row(table, texts);
        }
    }
    if (!csv && !cli->arguments.json && seats->count > 0) {
        table_print(table, "");
    }
    table_free(table);
}

static size_t count_unknown(const struct seats *seats)
{
    size_t count = 0;
    for (size_t i = 0; i < seats->count; i++) {
        const struct survey_row *row = survey_row(seats->survey, i);
        count += !row->read || row->kind == VERDICT_UNKNOWN ? 1 : 0;
    }
    return count;
}

// What is to be said of the list as a whole.
static int conclude(const struct cli *cli, const struct seats *seats)
{
    const struct survey_progress *progress = &seats->progress;
    size_t unknown = count_unknown(seats);
    bool complete = progress->phase == SURVEY_DONE;
    if (cli->arguments.json) {
        print_json(json_pack("{s:{s:I, s:I, s:b, s:b}}", "list", "seats", (json_int_t)seats->count,
            "unknown", (json_int_t)unknown, "complete", (int)complete, "more",
            (int)progress->bounded));
    }
    if (progress->bounded) {
        warn("deedmesh: there are more than %zu tokens; raise --max", progress->found);
    }
    if (seats->interrupted) {
        warn("deedmesh: interrupted; %zu tokens were found, %zu read%s", progress->found,
            progress->read,
            cli->arguments.resume != NULL ? ". The same command goes on from there"
                                          : ". With --resume FILE the next run goes on from there");
        return FAILED;
    }
    if (!complete) {
        return complain(cli, FAILED, verdict_reason_name(progress->reason),
            "the list is not complete: %s (%zu found, %zu read)",
            verdict_reason_text(progress->reason), progress->found, progress->read);
    }
    if (unknown > 0) {
        warn("deedmesh: of %zu the contract or the providers did not tell; `deedmesh info TOKEN` "
             "says why",
            unknown);
    } else if (seats->count == 0 && !cli->arguments.json) {
        say("The contract has no tokens yet; `deedmesh register` mints one.");
    }
    return DONE;
}

int verb_list(struct cli *cli)
{
    struct seats_source source = {.cli = cli};
    struct seats seats = {.survey = NULL};
    struct seats_options options = {
        .resume = cli->arguments.resume, .records = !cli->arguments.no_records};
    uint64_t most = 0;
    if (cli->arguments.csv && cli->arguments.json) {
        return complain(cli, USAGE_ERROR, "usage", "--csv and --json exclude each other");
    }
    if (!number_option(
            cli, "--max", cli->arguments.most, 1, MOST_MAX, SURVEY_TOKENS_DEFAULT, &most)) {
        return USAGE_ERROR;
    }
    options.tokens_max = (size_t)most;
    int result = seats_open(cli, &source);
    if (result == DONE && options.records) {
        seats_open_dht(&source);
    }
    if (result == DONE) {
        result = seats_load(&source, &options, &seats);
    }
    if (result == DONE) {
        print_seats(cli, &seats);
        result = conclude(cli, &seats);
    }
    seats_clear(&seats);
    seats_close(&source);
    return result;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// What the command prints: lines, tables, durations, errors. Text that came over the network never
// reaches the terminal raw.
#include "base/text.h"
#include "node/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_SIZE = 16 * 1024,
};

static void print_line(FILE *stream, char *line)
{
    for (char *at = line; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if ((byte < ' ' && byte != '\n') || byte == 0x7f) {
            *at = '?';
        }
    }
    (void)fprintf(stream, "%s\n", line);
}

void say(const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    print_line(stdout, line);
}

void warn(const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    (void)fflush(stdout);
    print_line(stderr, line);
}

int complain(const struct cli *cli, int exit_code, const char *code, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    warn("deedmesh: %s", line);
    if (cli->arguments.json) {
        print_json(json_pack("{s:{s:s, s:s}}", "error", "code", code, "message", line));
    }
    return exit_code;
}

void print_json(json_t *object)
{
    char *text = object == NULL ? NULL : json_dumps(object, JSON_COMPACT);
    if (text != NULL) {
        (void)printf("%s\n", text);
        (void)fflush(stdout);
    }
    free(text);
    json_decref(object);
}

void duration_format(double seconds, char ret[static DURATION_TEXT_SIZE])
{
    if (seconds < 0) {
        (void)snprintf(ret, DURATION_TEXT_SIZE, "-");
    } else if (seconds < 120) {
        (void)snprintf(ret, DURATION_TEXT_SIZE, "%.0f s", seconds);
    } else if (seconds < 120.0 * 60) {
        (void)snprintf(ret, DURATION_TEXT_SIZE, "%.0f min", seconds / 60);
    } else if (seconds < 48.0 * 3600) {
        (void)snprintf(ret, DURATION_TEXT_SIZE, "%.0f h", seconds / 3600);
    } else {
        (void)snprintf(ret, DURATION_TEXT_SIZE, "%.0f d", seconds / 86400);
    }
}

void bytes_format(double bytes, char ret[static BYTES_TEXT_SIZE])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        unit++;
    }
    (void)snprintf(ret, BYTES_TEXT_SIZE, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

void date_format(uint64_t unix_s, char ret[static DURATION_TEXT_SIZE])
{
    time_t at = (time_t)unix_s;
    struct tm broken;
    if (gmtime_r(&at, &broken) == NULL ||
        strftime(ret, DURATION_TEXT_SIZE, "%Y-%m-%d %H:%M UTC", &broken) == 0) {
        (void)snprintf(ret, DURATION_TEXT_SIZE, "-");
    }
}

// --- tables ---

struct table {
    size_t columns;
    size_t rows;
    char **cells;
};

struct table *table_new(size_t columns)
{
    struct table *table = calloc(1, sizeof *table);
    ASSERT(table != NULL && columns > 0 && columns <= TABLE_COLUMNS_MAX);
    table->columns = columns;
    return table;
}

void table_row(struct table *table, const char *const *cells)
{
    size_t size = (table->rows + 1) * table->columns * sizeof *table->cells;
    char **grown = realloc(table->cells, size);
    ASSERT(grown != NULL);
    table->cells = grown;
    for (size_t i = 0; i < table->columns; i++) {
        char *copy = strdup(cells[i] != NULL ? cells[i] : "-");
        ASSERT(copy != NULL);
        table->cells[table->rows * table->columns + i] = copy;
    }
    table->rows++;
}

void table_print(const struct table *table, const char *indent)
{
    size_t widths[TABLE_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        size_t width = strlen(table->cells[i]);
        size_t *widest = &widths[i % table->columns];
        *widest = width > *widest ? width : *widest;
    }
    for (size_t row = 0; row < table->rows; row++) {
        char line[LINE_SIZE];
        int size = snprintf(line, sizeof line, "%s", indent);
        for (size_t i = 0; i < table->columns && size < (int)sizeof line; i++) {
            bool last = i + 1 == table->columns;
            int part = snprintf(line + size, sizeof line - (size_t)size, "%-*s%s",
                last ? 0 : (int)widths[i], table->cells[row * table->columns + i],
                last ? "" : "  ");
            size += part;
        }
        print_line(stdout, line);
    }
}

void table_free(struct table *table)
{
    if (table == NULL) {
        return;
    }
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    free(table);
}

// --- shared by verbs ---

bool number_option(const struct cli *cli, const char *name, const char *text, uint64_t least,
    uint64_t most, uint64_t otherwise, uint64_t *ret)
{
    uint64_t number = 0;
    if (text == NULL) {
        *ret = otherwise;
        return true;
    }
    size_t size = strlen(text);
    bool good = size > 0 && size <= 19 && strspn(text, "0123456789") == size;
    for (size_t i = 0; good && i < size; i++) {
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    if (!good || number < least || number > most) {
        (void)complain(cli, USAGE_ERROR, "usage", "%s: '%s' is not a number from %llu to %llu",
            name, text, (unsigned long long)least, (unsigned long long)most);
        return false;
    }
    *ret = number;
    return true;
}

bool token_option(const struct cli *cli, const char *text, struct token_id *ret)
{
    if (token_id_parse(span_of_text(text), ret) == OK) {
        return true;
    }
    (void)complain(cli, USAGE_ERROR, "usage",
        "'%s' is not a token id; expected a decimal number, or 0x and hex digits", text);
    return false;
}

int complain_state(const struct cli *cli, enum status status, const struct state_error *error)
{
    const char *code = status == ERR_NOT_FOUND    ? "not_found"
                       : status == ERR_EXISTS     ? "exists"
                       : status == ERR_PERMISSION ? "permission"
                                                  : "state";
    return complain(cli, FAILED, code, "%s", error->text);
}

struct state *open_state(const struct cli *cli, enum state_access access, int *ret_exit)
{
    struct state *state = NULL;
    struct state_error error;
    enum status status = state_open(cli->directories.state, cli->instance, access, &state, &error);
    if (status != OK) {
        *ret_exit = complain_state(cli, status, &error);
        return NULL;
    }
    return state;
}

bool confirm(const char *question)
{
    char line[16];
    if (isatty(STDIN_FILENO) != 1) {
        return false;
    }
    (void)fprintf(stderr, "%s [y/N] ", question);
    (void)fflush(stderr);
    return fgets(line, sizeof line, stdin) != NULL && (line[0] == 'y' || line[0] == 'Y');
}

const char *json_text(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL && text[0] != '\0' ? text : "-";
}

double json_amount(const json_t *object, const char *name, double otherwise)
{
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : otherwise;
}

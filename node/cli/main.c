// SPDX-License-Identifier: GPL-3.0-or-later
//
// Arguments, help, and which verb runs.
#include "node/cli/cli.h"
#include "node/instance/core_dump.h"

#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LONG_OPTIONS_MAX = 2 * VERB_OPTIONS_MAX + 1,
    LETTERS_SIZE = 64,
    FIRST_VALUE = 256, // getopt's value of the first option; letters are below
};

// The options of one parse, as getopt_long wants them.
struct parse {
    const struct cli_option *known[LONG_OPTIONS_MAX];
    struct option options[LONG_OPTIONS_MAX];
    size_t count;
    char letters[LETTERS_SIZE];
};

static void parse_add(struct parse *parse, const struct cli_option *options)
{
    for (; options->name != NULL; options++) {
        ASSERT(parse->count + 1 < LONG_OPTIONS_MAX);
        int wants = options->kind == OPTION_FLAG ? no_argument : required_argument;
        parse->options[parse->count] = (struct option){
            .name = options->name,
            .has_arg = wants,
            .val = FIRST_VALUE + (int)parse->count,
        };
        parse->known[parse->count++] = options;
        if (options->letter != 0) {
            size_t size = strlen(parse->letters);
            ASSERT(size + 3 < LETTERS_SIZE);
            parse->letters[size] = options->letter;
            parse->letters[size + 1] = wants == required_argument ? ':' : '\0';
            parse->letters[size + 2] = '\0';
        }
    }
}

static const struct cli_option *parse_find(const struct parse *parse, int value)
{
    if (value >= FIRST_VALUE) {
        return parse->known[value - FIRST_VALUE];
    }
    for (size_t i = 0; i < parse->count; i++) {
        if (parse->known[i]->letter == value) {
            return parse->known[i];
        }
    }
    return NULL;
}

// False if a repeated option has no room.
static bool set(struct arguments *arguments, const struct cli_option *option, const char *value)
{
    char *field = (char *)arguments + option->field;
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)(void *)field = true;
        return true;
    case OPTION_TEXT:
        *(const char **)(void *)field = value;
        return true;
    case OPTION_REPEAT:
        for (size_t i = 0; i < REPEATS_MAX; i++) {
            const char **place = (const char **)(void *)field + i;
            if (*place == NULL) {
                *place = value;
                return true;
            }
        }
        return false;
    }
    return false;
}

// Reads options from argv[1] on; returns the index of the first operand, or -1 after a message of
// getopt's.
static int read_options(struct arguments *arguments, const struct verb *verb, int argc, char **argv)
{
    // "+" stops at the verb.
    struct parse parse = {.letters = "+"};
    if (verb != NULL) {
        parse.letters[0] = '\0';
        parse_add(&parse, verb->options);
    }
    parse_add(&parse, common_options);
    optind = 0;
    for (;;) {
        int value = getopt_long(argc, argv, parse.letters, parse.options, NULL);
        if (value == -1) {
            return optind;
        }
        const struct cli_option *option = parse_find(&parse, value);
        if (option == NULL) {
            return -1;
        }
        if (!set(arguments, option, optarg)) {
            warn("deedmesh: --%s may be given %d times", option->name, REPEATS_MAX);
            return -1;
        }
    }
}

// --- help ---

static void help_options(const struct cli_option *options)
{
    struct table *table = table_new(2);
    for (; options->name != NULL; options++) {
        char name[80];
        (void)snprintf(name, sizeof name, "%c%c%s --%s%s%s", options->letter != 0 ? '-' : ' ',
            options->letter != 0 ? options->letter : ' ', options->letter != 0 ? "," : " ",
            options->name, options->value != NULL ? " " : "",
            options->value != NULL ? options->value : "");
        table_row(table, (const char *const[]){name, options->help});
    }
    table_print(table, "  ");
    table_free(table);
}

static void help_verb(const struct verb *verb)
{
    say("usage: deedmesh %s [OPTION...]%s%s\n\n%s.", verb->name,
        verb->operands[0] != '\0' ? " " : "", verb->operands, verb->summary);
    if (verb->details != NULL) {
        say("\n%s", verb->details);
    }
    if (verb->options[0].name != NULL) {
        say("\nOptions:");
        help_options(verb->options);
    }
    say("\nOptions of every verb:");
    help_options(common_options);
}

static void help_all(void)
{
    struct table *table = table_new(2);
    say("usage: deedmesh [OPTION...] VERB [ARGUMENT...]\n\n"
        "A WireGuard network in which an NFT is the seat. The first machine:\n"
        "  deedmesh init, keygen, authorize TOKEN, up\n"
        "Every other machine, with the address that init printed:\n"
        "  deedmesh join HOST:PORT/FINGERPRINT, keygen, authorize TOKEN, up\n\nVerbs:");
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        table_row(table, (const char *const[]){verb->name, verb->summary});
    }
    table_print(table, "  ");
    table_free(table);
    say("\nOptions of every verb:");
    help_options(common_options);
    say("\n`deedmesh VERB --help` says more; so does deedmesh(1).");
}

// --- start ---

// Whether the verb's first word is `word`; `*ret_second` is the other one, "" if it has none.
static bool begins_with(const struct verb *verb, const char *word, const char **ret_second)
{
    size_t size = strlen(word);
    if (strncmp(verb->name, word, size) != 0 ||
        (verb->name[size] != '\0' && verb->name[size] != ' ')) {
        return false;
    }
    *ret_second = verb->name[size] == ' ' ? verb->name + size + 1 : "";
    return true;
}

// The verb that the words name, and how many of them do.
static const struct verb *find_verb(int count, char **words, int *ret_used)
{
    const char *second = "";
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        if (!begins_with(verb, words[0], &second)) {
            continue;
        }
        if (second[0] == '\0' || (count > 1 && strcmp(second, words[1]) == 0)) {
            *ret_used = second[0] == '\0' ? 1 : 2;
            return verb;
        }
    }
    return NULL;
}

// A word that only begins verbs: DONE after its help if that is asked for, else a complaint.
static int run_group(const struct cli *cli, int count, char **words)
{
    struct table *table = table_new(2);
    const char *second = "";
    bool found = false;
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        if (begins_with(verb, words[0], &second)) {
            table_row(table, (const char *const[]){verb->name, verb->summary});
            found = true;
        }
    }
    bool help =
        found && count > 1 && (strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0);
    if (help) {
        say("usage: deedmesh %s VERB [OPTION...]\n\nVerbs:", words[0]);
        table_print(table, "  ");
    }
    table_free(table);
    if (help) {
        return DONE;
    }
    if (found && count > 1 && words[1][0] != '-') {
        return complain(cli, USAGE_ERROR, "usage",
            "there is no verb '%s %s'; `deedmesh %s --help` lists them", words[0], words[1],
            words[0]);
    }
    return found ? complain(cli, USAGE_ERROR, "usage",
                       "%s what? `deedmesh %s --help` lists its verbs", words[0], words[0])
                 : complain(cli, USAGE_ERROR, "usage",
                       "there is no verb '%s'; `deedmesh --help` lists them", words[0]);
}

static int run_verb(struct cli *cli, const struct verb *verb, int argc, char **argv)
{
    struct arguments *arguments = &cli->arguments;
    cli->verb = verb->name;
    int first = read_options(arguments, verb, argc, argv);
    if (first < 0) {
        warn("`deedmesh %s --help` lists the options", verb->name);
        return USAGE_ERROR;
    }
    if (arguments->help) {
        help_verb(verb);
        return DONE;
    }
    arguments->operands = argv + first;
    arguments->operands_count = argc - first;
    if (arguments->operands_count < verb->operands_min ||
        arguments->operands_count > verb->operands_max) {
        return complain(cli, USAGE_ERROR, "usage", "usage: deedmesh %s [OPTION...]%s%s", verb->name,
            verb->operands[0] != '\0' ? " " : "", verb->operands);
    }
    cli->instance = arguments->instance != NULL ? arguments->instance : "deed0";
    if (instance_name_check(cli->instance) != OK) {
        return complain(cli, USAGE_ERROR, "usage",
            "'%s' cannot be an instance: 1 to 15 letters, digits, - and _, and not dstack-wg0",
            cli->instance);
    }
    if (directories_init(arguments->config_dir, arguments->state_dir, arguments->run_dir,
            &cli->directories) != OK) {
        return complain(cli, USAGE_ERROR, "usage", "a directory's path is too long");
    }
    return verb->run(cli);
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    char program[] = "deedmesh";
    core_dump_forbid();
    if (sodium_init() < 0) {
        warn("deedmesh: the system gives no random numbers");
        return FAILED;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    int first = read_options(&cli.arguments, NULL, argc, argv);
    if (first < 0) {
        warn("`deedmesh --help` lists verbs and options");
        return USAGE_ERROR;
    }
    if (first == argc) {
        if (!cli.arguments.help) {
            warn("deedmesh: which verb? `deedmesh --help` lists them");
            return USAGE_ERROR;
        }
        help_all();
        return DONE;
    }
    int used = 0;
    const struct verb *verb = find_verb(argc - first, argv + first, &used);
    if (verb == NULL) {
        return run_group(&cli, argc - first, argv + first);
    }
    first += used - 1;
    argv[first] = program; // getopt names it in its messages
    return run_verb(&cli, verb, argc - first, argv + first);
}

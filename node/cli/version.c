// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh version` and `deedmesh completion`.
#include "node/cli/cli.h"

#include <stdio.h>
#include <string.h>

int verb_version(struct cli *cli)
{
    if (cli->arguments.json) {
        print_json(json_pack("{s:s}", "version", DEEDMESH_VERSION));
    } else {
        say("deedmesh %s", DEEDMESH_VERSION);
    }
    return DONE;
}

static void print_options(const struct cli_option *options)
{
    for (; options->name != NULL; options++) {
        (void)printf(" --%s", options->name);
    }
}

// The length of a verb's first word.
static int group_size(const struct verb *verb)
{
    return (int)strcspn(verb->name, " ");
}

static bool is_grouped(const struct verb *verb)
{
    return verb->name[group_size(verb)] == ' ';
}

// Whether no verb before it in the table begins with the same word.
static bool is_first_of_group(const struct verb *verb)
{
    for (const struct verb *other = verbs; other != verb; other++) {
        if (group_size(other) == group_size(verb) &&
            strncmp(other->name, verb->name, (size_t)group_size(verb)) == 0) {
            return false;
        }
    }
    return true;
}

// The first words of all verbs, or with `grouped` of those that have two.
static void print_first_words(const char *between, bool grouped)
{
    const char *separator = "";
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        if (is_first_of_group(verb) && (!grouped || is_grouped(verb))) {
            (void)printf("%s%.*s", separator, group_size(verb), verb->name);
            separator = between;
        }
    }
}

// The second words that go with this verb's first.
static void print_second_words(const struct verb *verb)
{
    for (const struct verb *other = verbs; other->name != NULL; other++) {
        if (is_grouped(other) &&
            strncmp(other->name, verb->name, (size_t)group_size(verb) + 1) == 0) {
            (void)printf(" %s", other->name + group_size(other) + 1);
        }
    }
}

// The words are fixed when the script is printed: completing needs no call of the program.
static void print_bash(void)
{
    (void)printf("# bash completion for deedmesh: . <(deedmesh completion bash)\n"
                 "_deedmesh() {\n"
                 "    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
                 "    local verb='' i words\n"
                 "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
                 "        case ${COMP_WORDS[i]} in\n"
                 "        ");
    print_first_words(" | ", false);
    (void)printf(")\n            verb=${COMP_WORDS[i]}\n            break\n            ;;\n"
                 "        esac\n"
                 "    done\n"
                 "    case $verb in\n    ");
    print_first_words(" | ", true);
    (void)printf(")\n        ((i + 1 >= COMP_CWORD)) || verb+=\" ${COMP_WORDS[i+1]}\"\n"
                 "        ;;\n"
                 "    esac\n"
                 "    case $previous in\n"
                 "    --*-file | --*-dir | --keystore | --resume)\n"
                 "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
                 "        return\n"
                 "        ;;\n"
                 "    esac\n"
                 "    case $verb in\n"
                 "    '')\n        words='");
    print_first_words(" ", false);
    print_options(common_options);
    (void)printf("'\n        ;;\n");
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        if (is_grouped(verb) && is_first_of_group(verb)) {
            (void)printf("    %.*s)\n        words='", group_size(verb), verb->name);
            print_second_words(verb);
            (void)printf("'\n        ;;\n");
        }
        (void)printf("    '%s')\n        words='%s", verb->name,
            strcmp(verb->name, "completion") == 0 ? "bash zsh" : "");
        print_options(verb->options);
        print_options(common_options);
        (void)printf("'\n        ;;\n");
    }
    (void)printf("    esac\n"
                 "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
                 "}\n"
                 "complete -F _deedmesh deedmesh\n");
}

// Within single quotes, and in what _arguments cuts at brackets and colons.
static void print_zsh_text(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            (void)printf("'\\''");
        } else {
            (void)printf("%s%c", strchr("[]:\\", *text) != NULL ? "\\" : "", *text);
        }
    }
}

// A file or a directory: the table calls the value so.
static bool takes_path(const struct cli_option *option)
{
    return strcmp(option->value, "FILE") == 0 || strcmp(option->value, "DIR") == 0;
}

static void print_zsh_options(const struct cli_option *options)
{
    for (; options->name != NULL; options++) {
        (void)printf(" '--%s[", options->name);
        print_zsh_text(options->help);
        (void)printf("]");
        if (options->value != NULL) {
            (void)printf(":");
            print_zsh_text(options->value);
            (void)printf(takes_path(options) ? ":_files" : ": ");
        }
        (void)printf("'");
    }
}

static void print_zsh_verb(const struct verb *verb, const char *name)
{
    (void)printf("    %s) _arguments '*::argument:'", name);
    print_zsh_options(verb->options);
    print_zsh_options(common_options);
    (void)printf(" ;;\n");
}

// A group's verbs: the second word first, then what belongs to it.
static void print_zsh_group(const struct verb *first)
{
    (void)printf("    %.*s) if ((CURRENT == 3)); then compadd --", group_size(first), first->name);
    print_second_words(first);
    (void)printf("; return; fi\n    case $words[3] in\n");
    for (const struct verb *verb = first; verb->name != NULL; verb++) {
        if (strncmp(verb->name, first->name, (size_t)group_size(first) + 1) == 0) {
            print_zsh_verb(verb, verb->name + group_size(verb) + 1);
        }
    }
    (void)printf("    esac ;;\n");
}

static void print_zsh(void)
{
    (void)printf("#compdef deedmesh\n"
                 "_deedmesh() {\n"
                 "    local -a verbs\n"
                 "    verbs=(\n");
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        if (is_first_of_group(verb)) {
            (void)printf("        \"%.*s:%s\"\n", group_size(verb), verb->name, verb->summary);
        }
    }
    (void)printf("    )\n    if ((CURRENT == 2)); then\n        _describe verb verbs\n"
                 "        return\n    fi\n    case $words[2] in\n");
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        if (!is_grouped(verb)) {
            print_zsh_verb(verb, verb->name);
        } else if (is_first_of_group(verb)) {
            print_zsh_group(verb);
        }
    }
    (void)printf("    esac\n}\n_deedmesh \"$@\"\n");
}

int verb_completion(struct cli *cli)
{
    const char *shell = cli->arguments.operands[0];
    if (strcmp(shell, "bash") == 0) {
        print_bash();
    } else if (strcmp(shell, "zsh") == 0) {
        print_zsh();
    } else {
        return complain(cli, USAGE_ERROR, "usage", "no completion for '%s'; bash and zsh", shell);
    }
    return DONE;
}

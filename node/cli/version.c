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
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        (void)printf("%s%s", verb == verbs ? "" : " | ", verb->name);
    }
    (void)printf(")\n            verb=${COMP_WORDS[i]}\n            break\n            ;;\n"
                 "        esac\n"
                 "    done\n"
                 "    case $previous in\n"
                 "    --*-file | --*-dir)\n"
                 "        mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
                 "        return\n"
                 "        ;;\n"
                 "    esac\n"
                 "    case $verb in\n"
                 "    '')\n        words='");
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        (void)printf("%s%s", verb == verbs ? "" : " ", verb->name);
    }
    print_options(common_options);
    (void)printf("'\n        ;;\n");
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        (void)printf("    %s)\n        words='%s", verb->name,
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

static void print_zsh_options(const struct cli_option *options)
{
    for (; options->name != NULL; options++) {
        (void)printf(" '--%s[%s]%s%s%s'", options->name, options->help,
            options->value != NULL ? ":" : "", options->value != NULL ? options->value : "",
            options->value != NULL ? ":_files" : "");
    }
}

static void print_zsh(void)
{
    (void)printf("#compdef deedmesh\n"
                 "_deedmesh() {\n"
                 "    local -a verbs\n"
                 "    verbs=(\n");
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        (void)printf("        \"%s:%s\"\n", verb->name, verb->summary);
    }
    (void)printf("    )\n    if ((CURRENT == 2)); then\n        _describe verb verbs\n"
                 "        return\n    fi\n    case $words[2] in\n");
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        (void)printf("    %s) _arguments '*::argument:'", verb->name);
        print_zsh_options(verb->options);
        print_zsh_options(common_options);
        (void)printf(" ;;\n");
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

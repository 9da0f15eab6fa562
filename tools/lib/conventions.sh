# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# The conventions that a script can check. Each rule prints what breaks it as "file:line: reason";
# conventions_run fails if any rule printed something.

FUNCTION_LINES_MAX=70
FILE_LINES_MAX=800
LINE_COLUMNS_MAX=100

# What each folder may include and link, besides itself. Siblings never know each other; tests/ may
# know everything.
declare -A LAYERS=(
    [base]=""
    [dht]="base"
    [nat]="base"
    [wg]="base"
    [chain]="base"
    [node]="base dht nat wg chain"
    [node/instance]="base dht chain"
    [node/daemon]="base dht nat wg chain node node/instance"
    [node/cli]="base dht nat wg chain node node/instance"
    [sim]="base dht nat wg chain node"
)

# Headers that reach the machine: sockets, clocks, files, processes, threads, event loops.
EDGE_HEADERS='sys/(socket|time|epoll|stat|mman|wait|un|ioctl|timerfd|eventfd|signalfd|random|file)'
EDGE_HEADERS+='|netinet/|arpa/|net/|netdb|linux/|unistd|pthread|threads|time\.h|uv\.h|curl/'
EDGE_HEADERS+='|libmnl/|poll\.h|fcntl|signal\.h|spawn\.h|sched\.h|dirent|microhttpd|ini\.h'

# Words of stdio that do input or output; snprintf and vsnprintf only format.
EDGE_STDIO='\b(FILE|fopen|fdopen|v?f?printf|fputs|fputc|puts|putchar|perror|stdin|stdout|stderr)\b'

# The one pure file that writes: a broken invariant says so before the process stops.
EDGE_STDIO_EXEMPT=base/status.c

BANNED_CALLS='\b(strcpy|strcat|stpcpy|sprintf|vsprintf|gets|strtok|atoi|atol|atoll|alloca|system'
BANNED_CALLS+='|rand|srand|strncpy)\s*\('

# Written so that this file does not match itself.
UNFINISHED_MARKS='\b(TO[D]O|FIX[M]E|X[X]X)\b'
FOREIGN_WORDS='registry\.npm[j]s|npm[m]irror|https?://regist[r]y\.|"resol[v]ed":|/ho[m]e/[a-z]'
FOREIGN_WORDS+='|/wo[r]k/|\.\./sha[r]ed'

# All files of the project that exist: tracked, or new and not ignored.
project_files() {
    git -c safe.directory="$ROOT" ls-files --cached --others --exclude-standard -- "$@" |
        sort -u | while IFS= read -r file; do
        [ ! -f "$file" ] || printf '%s\n' "$file"
    done
}

c_files() {
    project_files '*.c' '*.h' '*.cpp' '*.hpp'
}

bash_files() {
    local file first
    project_files tools tests .ci | while IFS= read -r file; do
        case "$file" in
        *.sh) printf '%s\n' "$file" ;;
        *)
            IFS= read -r first <"$file" 2>/dev/null || first=""
            [[ "$first" != '#!'*bash* ]] || printf '%s\n' "$file"
            ;;
        esac
    done
}

# folder_of FILE: sets FOLDER to the layer that a file belongs to; empty outside the layers.
folder_of() {
    FOLDER=${1%%/*}
    case "$1" in
    node/instance/* | node/daemon/* | node/cli/*) FOLDER=${1%/"${1#node/*/}"} ;;
    base/* | dht/* | nat/* | wg/* | chain/* | node/* | sim/*) ;;
    *) FOLDER="" ;;
    esac
}

# may_use FOLDER OTHER
may_use() {
    [ "$1" = "$2" ] || [[ " ${LAYERS[$1]} " == *" $2 "* ]]
}

is_edge() {
    case "$1" in
    *_linux.[ch] | *_posix.[ch] | *.cpp) return 0 ;;
    node/instance/* | node/daemon/* | node/cli/*) return 0 ;;
    esac
    return 1
}

# Our own headers by their path from the root, and only those of a layer below.
rule_includes() {
    local file line header folder other
    while IFS=: read -r file line header; do
        header=${header#*\"}
        header=${header%%\"*}
        if [ ! -f "$header" ] || [[ "$header" == *..* ]]; then
            printf '%s:%s: include "%s" by its path from the root\n' "$file" "$line" "$header"
            continue
        fi
        folder_of "$file" && folder=$FOLDER
        folder_of "$header" && other=$FOLDER
        if [ -n "$folder" ] && ! { [ -n "$other" ] && may_use "$folder" "$other"; }; then
            printf '%s:%s: %s must not include %s\n' "$file" "$line" "$folder" "$header"
        fi
    done < <(c_files | xargs -r grep -HnE '^ *# *include *"' || true)
}

pure_files() {
    local file
    c_files | while IFS= read -r file; do
        folder_of "$file"
        if [ -n "$FOLDER" ] && ! is_edge "$file"; then
            printf '%s\n' "$file"
        fi
    done
}

rule_pure() {
    pure_files | matching "^ *# *include *[<\"]($EDGE_HEADERS)" \
        "a pure file includes an edge header"
    # Not in what stands after two slashes.
    pure_files | grep -vxF "$EDGE_STDIO_EXEMPT" |
        matching "^(?:(?!//).)*$EDGE_STDIO" "a pure file does input or output"
}

# layer_of_target NAME: deedmesh_<folder>[_<part>...][_edge] belongs to <folder>.
layer_of_target() {
    case "$1" in
    deedmesh_node_instance*) printf 'node/instance\n' ;;
    deedmesh_node_daemon*) printf 'node/daemon\n' ;;
    deedmesh_node_cli*) printf 'node/cli\n' ;;
    deedmesh_base* | deedmesh_dht* | deedmesh_nat* | deedmesh_wg* | deedmesh_chain* | \
        deedmesh_node* | deedmesh_sim*)
        sed -E 's/^deedmesh_([a-z]+).*/\1/' <<<"$1"
        ;;
    esac
}

# "target linked-target" for each link that the folders' CMake files declare.
cmake_links() {
    local file
    while IFS= read -r file; do
        folder_of "$file"
        [ -n "$FOLDER" ] || continue
        # One word a line, with the parenthesis that opens or ends a command on its own.
        sed 's/#.*//; s/[()]/ & /g' "$file" | tr -s ' \t' '\n' | awk '
            $0 == "(" { command = previous; words = 0; linking = 0 }
            $0 == ")" { command = "" }
            command == "deedmesh_library" || command == "target_link_libraries" {
                if (++words == 2) { name = $0; linking = (command == "target_link_libraries") }
                if ($0 == "SOURCES") { linking = 0 }
                if ($0 == "LINK") { linking = 1 }
                if (words > 2 && linking && /^(deedmesh_|PkgConfig::)/) { print name, $0 }
            }
            { previous = $0 }'
    done < <(project_files '*CMakeLists.txt')
}

rule_links() {
    local target other layer other_layer
    while read -r target other; do
        layer=$(layer_of_target "$target")
        other_layer=$(layer_of_target "$other")
        [ -n "$layer" ] || continue
        if [ -n "$other_layer" ] && ! may_use "$layer" "$other_layer"; then
            printf 'CMakeLists.txt: %s (%s) must not link %s\n' "$target" "$layer" "$other"
        fi
        case "$target $layer" in
        *_edge\ * | *\ node/instance | *\ node/daemon | *\ node/cli | *\ sim) continue ;;
        esac
        case "$other" in
        *_edge | *uv* | *curl* | *mnl* | *microhttpd* | *inih*)
            printf 'CMakeLists.txt: %s is pure and must not link %s\n' "$target" "$other"
            ;;
        esac
    done < <(cmake_links)
}

# A function's body opens with a brace alone on its line and ends with one in the same column.
rule_function_length() {
    # shellcheck disable=SC2016 # the awk program is quoted on purpose
    c_files | xargs -r awk -v max="$FUNCTION_LINES_MAX" '
        FNR == 1 { start = 0 }
        !start && /^ *\{$/ { start = FNR; column = index($0, "{") }
        start && /^ *\}$/ && index($0, "}") == column {
            if (FNR - start + 1 > max) {
                printf "%s:%d: function of %d lines\n", FILENAME, start, FNR - start + 1
            }
            start = 0
        }'
    bash_files | xargs -r awk -v max="$FUNCTION_LINES_MAX" '
        /^[a-z_0-9]+\(\) \{$/ { start = FNR }
        start && /^\}$/ {
            if (FNR - start + 1 > max) {
                printf "%s:%d: function of %d lines\n", FILENAME, start, FNR - start + 1
            }
            start = 0
        }'
}

code_files() {
    { c_files; bash_files; project_files '*CMakeLists.txt' '*.cmake' '*.sol'; } | sort -u
}

rule_spdx() {
    local file
    while IFS= read -r file; do
        [[ "$(head -n 3 "$file")" == *'SPDX-License-Identifier: GPL-3.0-or-later'* ]] ||
            printf '%s:1: no SPDX line\n' "$file"
    done < <(code_files)
}

# matching PATTERN REASON: lines of the files on standard input, whatever their number.
matching() {
    xargs -r grep -HnIP "$1" | sed -E "s/^([^:]*:[0-9]+):.*/\1: $2/" || true
}

rule_lines() {
    code_files | LC_ALL=C.UTF-8 matching "^.{$((LINE_COLUMNS_MAX + 1)),}" \
        "line of over $LINE_COLUMNS_MAX columns"
}

rule_banned_calls() {
    c_files | matching "$BANNED_CALLS" "banned call"
}

rule_unfinished_marks() {
    project_files | grep -v '^LICENSE$' | matching "$UNFINISHED_MARKS" "mark of unfinished work"
}

rule_foreign_words() {
    project_files | grep -v '^\.ci/run$' | matching "$FOREIGN_WORDS" \
        "names a registry, or a path of one machine"
}

# Each key of the configuration and each metric's name stands in its man page.
rule_documented() {
    local name
    sed -nE 's/^    \{"[a-z]+", "([a-z_]+)", (true|false), parse_.*/\1/p' node/instance/config.c |
        sort -u | while IFS= read -r name; do
        grep -qE "^\.BR? $name( |\$)" docs/man/deedmesh.conf.5 ||
            printf 'docs/man/deedmesh.conf.5:1: does not say what %s is\n' "$name"
    done
    project_files 'node/daemon/*.c' | xargs -r grep -hoE '"deedmesh_[a-z_]*[a-z]"' | tr -d '"' |
        sort -u | while IFS= read -r name; do
        grep -qE "\\b$name(\{| |\$)" docs/man/deedmeshd.8 ||
            printf 'docs/man/deedmeshd.8:1: does not say what %s is\n' "$name"
    done
}

# Worth a second look, no failure.
warn_long_files() {
    code_files | xargs -r wc -l | awk -v max="$FILE_LINES_MAX" \
        '$2 != "total" && $1 > max { print $2 ": warning: " $1 " lines, worth a second look" }'
}

conventions_run() {
    local rule found all=""
    warn_long_files
    for rule in includes pure links function_length spdx lines banned_calls unfinished_marks \
        foreign_words documented; do
        found=$("rule_$rule" || true)
        [ -z "$found" ] || all+="$found"$'\n'
    done
    printf '%s' "$all"
    [ -z "$all" ]
}

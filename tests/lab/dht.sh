# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# DHT nodes in the lab's namespaces: ours (dht_tool), of the stock C bindings (dht_stock_tool) and
# Debian's dhtnode. Each reads commands from a pipe and writes one JSON object a line to its log.

declare -A DHT_PIPE=() # label -> descriptor of the node's standard input
declare -A DHT_MARK=() # label -> lines of its log that were looked at

# dht_start HOST LABEL COMMAND...: a node whose commands come from dht_say.
dht_start() {
    local host=$1 label=$2 fd
    shift 2
    mkfifo "$LAB_DIR/$label.in"
    : >>"$LAB_DIR/$label.log"
    exec {fd}<>"$LAB_DIR/$label.in"
    DHT_PIPE[$label]=$fd
    DHT_MARK[$label]=0
    # shellcheck disable=SC2016 # expanded by the inner shell
    lab_spawn "$host" "$label" sh -c 'in=$1; shift; exec "$@" <"$in"' sh "$LAB_DIR/$label.in" "$@"
}

# dht_ours HOST LABEL IP [server]; port 51821
dht_ours() {
    dht_start "$1" "$2" "$(lab_program tests/lab/dht_tool)" "$3:51821" "${4:-client}"
}

# dht_stock HOST LABEL; port 4222
dht_stock() {
    dht_start "$1" "$2" "$(lab_program tests/lab/dht_stock_tool)" 4222
}

# dht_say LABEL WORD...: a command. Answers are looked for after it.
dht_say() {
    local label=$1
    shift
    DHT_MARK[$label]=$(wc -l <"$LAB_DIR/$label.log")
    printf '%s\n' "$*" >&"${DHT_PIPE[$label]}"
}

# dht_lines LABEL: what the node wrote since the last dht_say to it.
dht_lines() {
    tail -n "+$((DHT_MARK[$1] + 1))" "$LAB_DIR/$1.log"
}

dht_told() {
    dht_lines "$1" | grep -Eq -- "$2"
}

# dht_await SECONDS LABEL PATTERN: a line since the last dht_say to it.
dht_await() {
    lab_wait "$1" dht_told "$2" "$3"
}

# dht_ask LABEL PATTERN WORD...: says, awaits, prints the first line that matches.
dht_ask() {
    local label=$1 pattern=$2
    shift 2
    dht_say "$label" "$@"
    dht_await 15 "$label" "$pattern" || return 1
    dht_lines "$label" | grep -E -m1 -- "$pattern"
}

# dht_status LABEL JQ-PATH
dht_status() {
    dht_ask "$1" '"status":\{' status | jq -r ".status$2"
}

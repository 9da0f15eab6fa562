# SPDX-License-Identifier: GPL-3.0-or-later
#
# The ownership gate by itself in lab tests, after lib.sh and chain.sh: gate_tool in the background,
# and what its lines say. The gate begun last takes what is written to GATE_INPUT.
#
# shellcheck shell=bash disable=SC2004 # LAB_PID is an associative array
GATE_TOOL=$(lab_program tests/lab/gate_tool)
GATE_KEY=$(head -c 32 /dev/urandom | base64) # the WireGuard key of its claims

# gate LABEL ARGUMENT...: the tool in the background; its lines in $LAB_DIR/LABEL.log.
gate() {
    local label=$1
    shift
    rm -f "$LAB_DIR/$label.in" "$LAB_DIR/$label.log"
    mkfifo "$LAB_DIR/$label.in"
    "$GATE_TOOL" -c 31337 -i 1000 -k "$GATE_KEY" "$@" \
        <"$LAB_DIR/$label.in" >"$LAB_DIR/$label.log" 2>&1 &
    LAB_PID[$label]=$!
    exec {GATE_INPUT}>"$LAB_DIR/$label.in"
}

# Ends the tool by the end of its input; its exit status tells of leaks, too.
gate_end() {
    local status=0
    exec {GATE_INPUT}>&-
    wait "${LAB_PID[$1]}" || status=$?
    unset "LAB_PID[$1]"
    return "$status"
}

# verdict_is LABEL TOKEN KIND REASON: the last verdict about the token.
verdict_is() {
    jq -sc --arg t "$2" 'map(select(.event == "verdict" and .token == $t)) | last' \
        "$LAB_DIR/$1.log" | tee /dev/stderr |
        jq -e --arg k "$3" --arg r "$4" '.kind == $k and .reason == $r'
}

# never_was LABEL TOKEN KIND
never_was() {
    jq -se --arg t "$2" --arg k "$3" \
        'all(select(.event == "verdict" and .token == $t).kind != $k)' \
        <(jq -c 'select(.event == "verdict" and .token == "'"$2"'")' "$LAB_DIR/$1.log")
}

becomes() {
    lab_check "$1" lab_wait 12 verdict_is "${@:2}"
}

# health_is LABEL PROVIDER HEALTH
health_is() {
    jq -sc --argjson p "$2" 'map(select(.event == "provider" and .provider == $p)) | last' \
        "$LAB_DIR/$1.log" | tee /dev/stderr | jq -e --arg h "$3" '.health == $h'
}

# way_is LABEL PROVIDER WAY: how tokens are read from it, by the status of the gate begun last.
way_is() {
    echo status >&"$GATE_INPUT"
    sleep 0.2
    jq -sc 'map(select(.event == "status")) | last' "$LAB_DIR/$1.log" | tee /dev/stderr |
        jq -e --argjson p "$2" --arg w "$3" '.providers[$p].way == $w'
}

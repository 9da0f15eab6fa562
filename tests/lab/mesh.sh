# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# shellcheck disable=SC2034 # LAB_PID belongs to lib.sh
# Deedmesh nodes in the hosts of lib.sh, on the chain of chain.sh: for the lab tests and the demo.
# Source lib.sh and chain.sh before.
#
#   mesh_host one                        # its directories and instance name
#   mesh_config one [BOOTSTRAP] [LINE...]   # LINEs go into [node]
#   mesh one keygen                      # the deedmesh command, inside the host
#   mesh_delegate one 7 2                # token 7, signed by the key of anvil's account 2
#   mesh one up --log-format json
#   mesh_event one connected             # the first log line of that event, as JSON
#
# Directories of a host: $LAB_DIR/HOST/{etc,lib,run}; its log: mesh_log HOST.

declare -A MESH_INSTANCE=()

mesh_host() {
    local host=$1
    MESH_INSTANCE[$host]=$(lab_interface "${host:0:8}")
    lab_claim_interface "${MESH_INSTANCE[$host]}"
    mkdir -p "$LAB_DIR/$host/etc" "$LAB_DIR/$host/lib" "$LAB_DIR/$host/run"
    # Among the logs that lib.sh shows when something fails.
    ln -s "$(mesh_log "$host")" "$LAB_DIR/$host.log"
}

# mesh_config HOST [BOOTSTRAP [LINE...]]: LINEs are for the section [node].
mesh_config() {
    local host=$1 bootstrap=${2:-} line
    shift
    [ $# -eq 0 ] || shift
    {
        printf '[node]\n'
        for line in "$@"; do
            printf '%s\n' "$line"
        done
        [ -z "$bootstrap" ] || printf '[network]\nbootstrap = %s\n' "$bootstrap"
        printf '[chain]\nallow_http = yes\n[http]\nlisten = 127.0.0.1:9651\n'
    } >"$LAB_DIR/$host/etc/${MESH_INSTANCE[$host]}.conf"
}

# The words that every command of HOST begins with.
mesh_options() {
    local host=$1
    printf '%s\n' --instance "${MESH_INSTANCE[$host]}" --config-dir "$LAB_DIR/$host/etc" \
        --state-dir "$LAB_DIR/$host/lib" --run-dir "$LAB_DIR/$host/run"
}

# mesh HOST VERB [ARGUMENT...]
mesh() {
    local host=$1 verb=$2 options
    shift 2
    mapfile -t options < <(mesh_options "$host")
    lab_exec "$host" "$(lab_program deedmesh)" "$verb" "${options[@]}" "$@"
}

# What a person types to look at HOST.
mesh_command_line() {
    printf 'ip netns exec %s %s' "$(lab_ns "$1")" "$(lab_program deedmesh)"
    printf ' %s' "$(mesh_options "$1" | tr '\n' ' ')"
}

# mesh_spawn HOST: starts the node in the background without waiting for it.
mesh_spawn() {
    mesh "$1" up --foreground --log-format json >/dev/null 2>>"$(mesh_log "$1")" </dev/null &
    LAB_PID["node-$1"]=$! # lib.sh ends it
}

mesh_log() {
    printf '%s/%s/run/%s.log' "$LAB_DIR" "$1" "${MESH_INSTANCE[$1]}"
}

# mesh_delegate HOST TOKEN ACCOUNT: a delegation by the key of anvil's ACCOUNT, or by a fresh wallet
# ("own"). The manifest that it takes is forgotten again: a node starts with its delegation alone.
mesh_delegate() {
    local host=$1 token=$2 account=$3 key="$LAB_DIR/$1/wallet"
    if [ "$account" = own ]; then
        od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$key"
    else
        chain_key "$account" >"$key"
    fi
    chmod 600 "$key"
    mesh_lend_manifest "$host"
    mesh "$host" authorize "$token" --key-file "$key" >/dev/null
    mesh_return_manifest "$host"
}

# authorize needs to know the network; the manifest comes from where it was made, not over the wire.
mesh_lend_manifest() {
    [ "$1" = one ] || cp "$LAB_DIR/one/lib/${MESH_INSTANCE[one]}/manifest" \
        "$LAB_DIR/$1/lib/${MESH_INSTANCE[$1]}/manifest"
}

mesh_return_manifest() {
    [ "$1" = one ] || rm "$LAB_DIR/$1/lib/${MESH_INSTANCE[$1]}/manifest"
}

# mesh_event HOST EVENT: the first log line of that event, as JSON; empty if there is none.
mesh_event() {
    grep -h "\"event\": *\"$2\"" "$(mesh_log "$1")" 2>/dev/null | head -n 1 || true
}

# mesh_event_of HOST EVENT TOKEN: the first one about that token.
mesh_event_of() {
    grep -h "\"event\": *\"$2\"" "$(mesh_log "$1")" 2>/dev/null |
        jq -c --arg token "$3" 'select(.token == $token)' | head -n 1 || true
}

mesh_has_event() {
    [ -n "$(mesh_event "$1" "$2")" ]
}

# mesh_log_has HOST EVENT TEXT
mesh_log_has() {
    grep -h "\"event\": *\"$2\"" "$(mesh_log "$1")" | grep -q -F "$3"
}

mesh_removed() {
    [ -n "$(mesh_event_of "$1" removed "$2")" ]
}

# mesh_event_time_ms HOST EVENT TOKEN: unix milliseconds.
mesh_event_time_ms() {
    local time
    time=$(mesh_event_of "$1" "$2" "$3" | jq -r .time)
    date -d "$time" +%s%3N
}

# mesh_stages HOST TOKEN: {joined, published, ...} in ms since the start of the process.
mesh_stages() {
    local host=$1 token=$2 event
    {
        for event in manifest_pinned joined self_verdict mapping published; do
            mesh_event "$host" "$event"
        done
        for event in resolved verified punched connected; do
            mesh_event_of "$host" "$event" "$token"
        done
    } | jq -sc 'map({(.event): .uptime_ms}) | add'
}

# mesh_device_has HOST KEY: yes or no, as the device itself says.
mesh_device_has() {
    if lab_exec "$1" wg show "${MESH_INSTANCE[$1]}" peers | grep -q -F "$2"; then
        printf 'yes\n'
    else
        printf 'no\n'
    fi
}

# mesh_first_ping HOST ADDRESS SINCE_MS SECONDS: one ping every 20 ms until the first answer; the
# milliseconds since SINCE_MS.
mesh_first_ping() {
    local host=$1 address=$2 since=$3 deadline=$((${3} + ${4} * 1000))
    until lab_exec "$host" ping -c 1 -W 0.02 "$address" >/dev/null 2>&1; do
        [ "$(lab_now_ms)" -lt "$deadline" ] || return 1
    done
    printf '%s\n' "$(($(lab_now_ms) - since))"
}

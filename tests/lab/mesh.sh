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
    local host=$1 verb=("$2") options
    shift 2
    if [ "${verb[0]}" = contract ]; then
        verb+=("$1") # a verb of two words
        shift
    fi
    mapfile -t options < <(mesh_options "$host")
    lab_exec "$host" "$(lab_program deedmesh)" "${verb[@]}" "${options[@]}" "$@"
}

# What a person types to look at HOST.
mesh_command_line() {
    printf 'ip netns exec %s %s' "$(lab_ns "$1")" "$(lab_program deedmesh)"
    printf ' %s' "$(mesh_options "$1" | tr '\n' ' ')"
}

# mesh_spawn HOST [WORD...]: starts the node in the background without waiting for it, under WORDs
# (setpriv ..., or sh -c ... "$@"). LAB_PID[node-HOST] is the daemon itself: lib.sh ends it.
mesh_spawn() {
    local host=$1 options
    shift
    mapfile -t options < <(mesh_options "$host")
    ip netns exec "$(lab_ns "$host")" "$@" "$(lab_program deedmesh)" up "${options[@]}" \
        --foreground --log-format json >/dev/null 2>>"$(mesh_log "$host")" </dev/null &
    LAB_PID["node-$host"]=$!
}

mesh_log() {
    printf '%s/%s/run/%s.log' "$LAB_DIR" "$1" "${MESH_INSTANCE[$1]}"
}

# mesh_delegate HOST TOKEN ACCOUNT: a delegation by the key of anvil's ACCOUNT, or by a fresh wallet
# ("own").
mesh_delegate() {
    local key="$LAB_DIR/$1/wallet"
    if [ "$3" = own ]; then
        od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$key"
    else
        chain_key "$3" >"$key"
    fi
    chmod 600 "$key"
    mesh_authorize "$1" "$2"
}

# mesh_authorize HOST TOKEN: another one by the same wallet. The network is named by chain and
# contract, as `init --json` on the first host wrote them to $LAB_DIR/init.json: no manifest needed.
mesh_authorize() {
    local network
    mapfile -t network < <(jq -r '.chain_id, .contract' "$LAB_DIR/init.json")
    mesh "$1" authorize "$2" --chain-id "${network[0]}" --contract "${network[1]}" \
        --key-file "$LAB_DIR/$1/wallet" >/dev/null
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
    local host=$1 address=$2 since=$3 answered
    # sed ends at the first answer, ping by its next line.
    answered=$(lab_exec "$host" timeout "$4" ping -D -n -i 0.02 "$address" 2>/dev/null |
        sed -n -u -e '/bytes from/{s/^\[\([0-9]*\)\.\([0-9]\{3\}\).*/\1\2/p;q}') || true
    [ -n "$answered" ] || return 1
    printf '%s\n' "$((answered - since))"
}

# --- for the lab tests ---------------------------------------------------------------------------

MESH_BOOT_ADDRESS=203.0.113.11
MESH_CHAIN_ADDRESS=203.0.113.20
MESH_INIT=()
declare -A MESH_TOKEN=() # host -> its token

# mesh_chain [CONTRACT [ANVIL OPTION...]]: a host "chain" with an EVM node, a block a second, and a
# contract of that kind (DeedmeshSeat, PlainToken, HostileToken), at MESH_CONTRACT. After lab_inet.
mesh_chain() {
    MESH_KIND=${1:-DeedmeshSeat}
    [ $# -eq 0 ] || shift
    lab_public chain "$MESH_CHAIN_ADDRESS"
    mapfile -t CHAIN_PREFIX < <(printf 'ip\nnetns\nexec\n%s\n' "$(lab_ns chain)")
    CHAIN_HOST=$MESH_CHAIN_ADDRESS
    chain_start --block-time 1 --slots-in-an-epoch 2 "$@"
    MESH_CONTRACT=$(chain_deploy "$MESH_KIND")
}

# mesh_network HOST...: keys, tokens and delegations for hosts that exist; the first has to be
# "one", at MESH_BOOT_ADDRESS. The token of the N-th belongs to anvil's account N - 1 (modulo 4).
# MESH_INIT: more options for init. MESH_BOOTSTRAP: what the others are told.
mesh_network() {
    local host index=0 job jobs=()
    for host in "$@"; do
        mesh_host "$host"
        mesh_config "$host"
        index=$((index + 1))
        mesh_mint "$host" "$index" "$(mesh "$host" keygen --json | jq -r .wg_key)" &
        jobs+=("$!")
    done
    for job in "${jobs[@]}"; do
        wait "$job"
    done
    mesh one init --chain-id 31337 --contract "$MESH_CONTRACT" --rpc "$CHAIN_URL" --allow-http \
        --poll 2 --listen "$MESH_BOOT_ADDRESS" "${MESH_INIT[@]}" --json >"$LAB_DIR/init.json"
    MESH_BOOTSTRAP=$(jq -r .join "$LAB_DIR/init.json")
    index=0
    for host in "$@"; do
        MESH_TOKEN[$host]=$(cat "$LAB_DIR/$host/token")
        [ "$host" = one ] || mesh_config "$host" "$MESH_BOOTSTRAP"
        mesh_delegate "$host" "${MESH_TOKEN[$host]}" "$((index % 4))"
        index=$((index + 1))
    done
}

# mesh_mint HOST N KEY: a token for the N-th host; its id goes to $LAB_DIR/HOST/token.
mesh_mint() {
    local owner
    owner=$(chain_account "$((($2 - 1) % 4))")
    if [ "$MESH_KIND" = DeedmeshSeat ]; then
        chain_mint "$MESH_CONTRACT" "$owner" "$1" "$3" >"$LAB_DIR/$1/token"
    else
        chain_send "$owner" "$MESH_CONTRACT" 'mint(address,uint256)' "$owner" "$2" >/dev/null
        printf '%s\n' "$2" >"$LAB_DIR/$1/token"
    fi
}

# mesh_add HOST SECTION LINE...: more configuration.
mesh_add() {
    local file="$LAB_DIR/$1/etc/${MESH_INSTANCE[$1]}.conf"
    printf '[%s]\n' "$2" >>"$file"
    shift 2
    printf '%s\n' "$@" >>"$file"
}

mesh_state() {
    printf '%s/%s/lib/%s' "$LAB_DIR" "$1" "${MESH_INSTANCE[$1]}"
}

# mesh_start HOST [SECONDS]: starts it and waits until it is joined (or alone), published, and sure
# of its seat.
mesh_start() {
    mesh_spawn "$1"
    mesh_ready "$1" "${2:-30}" || lab_die "$1 is not ready"
}

mesh_ready() {
    lab_wait 10 mesh_status "$1" true || return 1
    mesh "$1" wait --for ready --timeout "$2" >/dev/null
}

# mesh_connected HOST OTHER [SECONDS]: waits for the tunnel.
mesh_connected() {
    mesh "$1" wait --for connected --peer "${MESH_TOKEN[$2]}" --timeout "${3:-30}" >/dev/null
}

# mesh_status HOST FILTER: true if jq's FILTER holds for its status; shows it if not.
mesh_status() {
    mesh "$1" status --json >"$LAB_DIR/status.json" || return 1
    jq -e "$2" "$LAB_DIR/status.json" >/dev/null || {
        jq -c '{dht, chain, nat, published, displaced, peers, warnings}' "$LAB_DIR/status.json"
        return 1
    }
}

# mesh_peer HOST OTHER FILTER: the same for its line about a peer (null: there is none).
mesh_peer() {
    mesh_status "$1" "first(.peers[] | select(.token == \"${MESH_TOKEN[$2]}\")) // null | $3"
}

# mesh_metric HOST NAME: a metric's value, labels included in the name.
mesh_metric() {
    mesh "$1" metrics | awk -v name="$2" '$1 == name { print $2 }'
}

# mesh_address HOST: its overlay IPv4 address.
mesh_address() {
    mesh "$1" status --json | jq -r '.overlay[1]'
}

mesh_pings() {
    lab_exec "$1" ping -c 1 -W 1 "$2"
}

mesh_kill() {
    lab_stop "node-$1" KILL || true
}

# mesh_fails HOST PATTERN: started, it ends by itself with an error, and one that matches.
mesh_fails() {
    local before
    before=$(wc -l <"$(mesh_log "$1")" 2>/dev/null || echo 0)
    mesh_spawn "$1"
    lab_wait 20 lab_not lab_alive "node-$1" || {
        printf '%s runs\n' "$1"
        lab_stop "node-$1" || true
        return 1
    }
    lab_stop "node-$1" && { printf '%s ended without an error\n' "$1"; return 1; }
    tail -n "+$((before + 1))" "$(mesh_log "$1")" | grep -v '"level": *"info"'
    tail -n "+$((before + 1))" "$(mesh_log "$1")" | grep '"event": *"failed"' | grep -Eq -- "$2"
}

# mesh_no_trace HOST: neither interface nor its process nor route is left.
mesh_no_trace() {
    local name=${MESH_INSTANCE[$1]}
    ! lab_ip "$1" link show "$name" 2>/dev/null &&
        ! lab_ip "$1" route show 2>/dev/null | grep "dev $name" &&
        [ ! -e "/var/run/wireguard/$name.sock" ] &&
        ! lab_exec "$1" pgrep -f "wireguard-go.*$name\$"
}

# mesh_ends HOST: asked to, it ends without an error, which a leak would be, and leaves nothing.
mesh_ends() {
    lab_stop "node-$1" && mesh_no_trace "$1"
}

# mesh_sane: no log speaks of a broken assertion or of the sanitizers.
mesh_sane() {
    ! grep -H -E -A 30 'AddressSanitizer|LeakSanitizer|runtime error:|[Aa]ssertion' \
        "$LAB_DIR"/*/run/*.log
}

# mesh_finish: ends every node, and the test.
mesh_finish() {
    local label
    for label in "${!LAB_PID[@]}"; do
        case $label in
        node-*) lab_check "${label#node-} ends cleanly" mesh_ends "${label#node-}" ;;
        esac
    done
    lab_check "the sanitizers have nothing to say" mesh_sane
    lab_finish
}

# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# The namespace library: hosts, routers and NATs as Linux network namespaces on one machine, for the
# lab tests and the demo. Real kernel, real NAT; no packet leaves the namespaces.
#
#   #!/usr/bin/env bash
#   . "$(dirname "${BASH_SOURCE[0]}")/lib.sh"     # from tests/lab
#   lab_start                                     # root and /dev/net/tun, or exit 77 (skipped)
#   lab_inet                                      # the router in the middle
#   lab_public   boot 203.0.113.10                # a host with a public address
#   lab_site     a                                # NAT router "ra" at 198.51.100.2, LAN 10.1.0.0/24
#   lab_nat      a port_restricted
#   lab_behind   a alice                          # host 10.1.0.2 in that LAN
#   lab_spawn    alice sleeper sleep 1000         # background; log in $LAB_DIR/sleeper.log
#   lab_check    "alice reaches boot" lab_exec alice ping -c 1 -W 1 203.0.113.10
#   lab_finish                                    # summary; exit 0, or 1 if a check failed
#
#                        +--------- inet ----------+      every wire is a veth pair; "inet" routes,
#   boot 203.0.113.10 ---| .1 at each public host  |      so hosts are a hop apart (low-TTL probes
#                        +--.1----------------.1---+      can be shown)
#        198.51.100.0/30 |                    | 192.0.2.0/30
#                    .2 wan                 .2 wan
#                       ra                    rb          NAT by nftables
#                    .1 lan (bridge)       .1 lan
#           10.1.0.0/24 |                    | 10.2.0.0/24
#                  alice .2               bob .2
#
# What it promises: names are unique for each run (LAB_ID, from the pid); on exit, also by INT or
# TERM, it kills the processes it started and those inside its namespaces, each by its pid, and
# deletes only what it made. A condition is awaited with a bound (lab_wait), never slept for.
#
# Variables: LAB_ID, LAB_DIR (logs and scratch), LAB_ROOT (the repository), LAB_BUILD (the build
# tree: DEEDMESH_BUILD_DIR, or build/dev), LAB_PID[label].

set -euo pipefail

LAB_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
LAB_BUILD=${DEEDMESH_BUILD_DIR:-$LAB_ROOT/build/dev}
LAB_DIR=
LAB_ID=
declare -A LAB_PID=()        # label -> pid of a background process
declare -A LAB_SITE=()       # site -> its number
declare -A LAB_SITE_HOSTS=() # site -> last host number of its LAN
LAB_NAMESPACES=()
LAB_INTERFACES=()
LAB_CHECKS=0
LAB_FAILED=0

# --- running -------------------------------------------------------------------------------------

# lab_skip REASON: not a failure, but never silent.
lab_skip() {
    printf 'skipped: %s\n' "$*"
    exit 77
}

# lab_die REASON: the test cannot go on.
lab_die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# lab_start: checks that a lab can run here, makes LAB_DIR, installs the clean-up.
lab_start() {
    local program
    [ "$(id -u)" -eq 0 ] || lab_skip "network namespaces need root"
    [ -c /dev/net/tun ] || lab_skip "there is no /dev/net/tun"
    for program in ip nft conntrack jq ping; do
        command -v "$program" >/dev/null || lab_skip "$program is not installed (run tools/setup)"
    done
    LAB_ID=dm$(lab_base36 $$)
    LAB_DIR=$(mktemp -d "${TMPDIR:-/tmp}/deedmesh-lab.XXXXXX")
    trap lab_cleanup EXIT
    mkfifo "$LAB_DIR/hold"
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    ip netns add "$LAB_ID-probe" 2>/dev/null || lab_skip "network namespaces are not permitted here"
    LAB_NAMESPACES+=("$LAB_ID-probe")
}

lab_base36() {
    local number=$1 digits=0123456789abcdefghijklmnopqrstuvwxyz text=
    while [ "$number" -gt 0 ]; do
        text=${digits:number%36:1}$text
        number=$((number / 36))
    done
    printf '%s' "${text:-0}"
}

# lab_program PATH: a program of the build tree, absolute; an error if it was not built.
lab_program() {
    [ -x "$LAB_BUILD/$1" ] || lab_die "$LAB_BUILD/$1 is missing: build first"
    printf '%s' "$LAB_BUILD/$1"
}

# lab_interface NAME (at most 8 characters): an interface name that no other run uses. WireGuard's
# control sockets stand in one directory for all namespaces, hence the need.
lab_interface() {
    printf '%s%s' "$LAB_ID" "$1"
}

# lab_claim_interface NAME: clean-up removes the control socket of interface NAME, too.
lab_claim_interface() {
    LAB_INTERFACES+=("$1")
}

lab_now_ms() {
    local now=${EPOCHREALTIME/[.,]/}
    printf '%s' $((now / 1000))
}

# --- clean-up ------------------------------------------------------------------------------------

lab_cleanup() {
    local status=$?
    # A background child that is stopped before it became its command still has our traps.
    [ "$BASHPID" = "$$" ] || exit "$status"
    trap - EXIT
    trap '' INT TERM HUP
    set +e # whatever fails on the way, the rest is still to be removed
    if [ "$LAB_FAILED" -gt 0 ] || { [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; }; then
        lab_show_logs
    fi
    # Most of it may be gone already.
    lab_remove 2>/dev/null
    exit "$status"
}

lab_remove() {
    local pid namespace interface
    for pid in "${LAB_PID[@]}"; do
        kill "$pid"
    done
    lab_kill_namespaces TERM
    lab_await_end 30 || { lab_kill_namespaces KILL; lab_await_end 20; }
    for pid in "${LAB_PID[@]}"; do
        kill -KILL "$pid"
        wait "$pid"
    done
    for namespace in "${LAB_NAMESPACES[@]}"; do
        ip netns del "$namespace"
    done
    for interface in "${LAB_INTERFACES[@]}"; do
        rm -f "/var/run/wireguard/$interface.sock"
    done
    [ -z "$LAB_DIR" ] || rm -rf "$LAB_DIR"
}

# The processes inside our namespaces: nobody else's can be there.
lab_pids() {
    local namespace
    for namespace in "${LAB_NAMESPACES[@]}"; do
        ip netns pids "$namespace" 2>/dev/null
    done
}

lab_kill_namespaces() {
    local pid
    for pid in $(lab_pids); do
        kill "-$1" "$pid"
    done
}

# lab_await_end TRIES: true once no process is left in the namespaces.
lab_await_end() {
    local try
    for ((try = 0; try < $1; try++)); do
        [ -n "$(lab_pids)" ] || return 0
        sleep 0.05
    done
    return 1
}

lab_show_logs() {
    local log
    for log in "$LAB_DIR"/*.log; do
        [ -s "$log" ] || continue
        printf -- '--- last lines of %s\n' "${log##*/}"
        tail -n 15 "$log"
    done
}

# --- namespaces and wires ------------------------------------------------------------------------

# lab_ns HOST: the namespace's name, for `ip -n` and `ip netns`.
lab_ns() {
    printf '%s-%s' "$LAB_ID" "$1"
}

# lab_host HOST: an empty namespace with loopback.
lab_host() {
    local namespace
    namespace=$(lab_ns "$1")
    ip netns add "$namespace"
    LAB_NAMESPACES+=("$namespace")
    ip -n "$namespace" link set lo up
}

# lab_wire HOST_A IF_A HOST_B IF_B: a veth pair, both ends up.
lab_wire() {
    ip link add "$2" netns "$(lab_ns "$1")" type veth peer name "$4" netns "$(lab_ns "$3")"
    ip -n "$(lab_ns "$1")" link set "$2" up
    ip -n "$(lab_ns "$3")" link set "$4" up
}

# lab_ip HOST ARGUMENTS...: `ip` inside the host's namespace.
lab_ip() {
    local host=$1
    shift
    ip -n "$(lab_ns "$host")" "$@"
}

# lab_exec HOST COMMAND...: runs it inside the host's namespace, in the foreground.
lab_exec() {
    local host=$1
    shift
    ip netns exec "$(lab_ns "$host")" "$@"
}

lab_forward() {
    lab_exec "$1" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
        echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
}

# --- the little Internet -------------------------------------------------------------------------

# lab_inet: the router in the middle.
lab_inet() {
    lab_host inet
    lab_forward inet
}

# lab_public HOST IPV4 [IPV6]: a host with that address, one hop from everybody. Any address will
# do; take different /24s where prefixes matter.
lab_public() {
    local host=$1 ipv4=$2 ipv6=${3:-}
    lab_host "$host"
    lab_wire "$host" eth0 inet "v$host"
    lab_ip inet addr add 203.0.113.1/32 dev "v$host"
    lab_ip inet route add "$ipv4/32" dev "v$host"
    lab_ip "$host" addr add "$ipv4/32" dev eth0
    lab_ip "$host" route add 203.0.113.1/32 dev eth0
    lab_ip "$host" route add default via 203.0.113.1 src "$ipv4"
    [ -n "$ipv6" ] || return 0
    lab_ip inet addr add fe80::1/64 dev "v$host" nodad
    lab_ip inet route add "$ipv6/128" dev "v$host"
    lab_ip "$host" addr add "$ipv6/128" dev eth0 nodad
    lab_ip "$host" addr add fe80::2/64 dev eth0 nodad
    lab_ip inet route replace "$ipv6/128" via fe80::2 dev "v$host"
    lab_ip "$host" route add default via fe80::1 dev eth0
}

# lab_site SITE: router "rSITE" between the Internet and a LAN. The first site is 198.51.100.2 with
# 10.1.0.0/24, the second 192.0.2.2 with 10.2.0.0/24, then in turn with the next /30s.
lab_site() {
    local site=$1 number=$((${#LAB_SITE[@]} + 1)) pair block net
    [ "$number" -le 100 ] || lab_die "too many sites"
    LAB_SITE[$site]=$number
    LAB_SITE_HOSTS[$site]=1
    pair=$(((number - 1) / 2))
    block=$((pair * 4))
    net=198.51.100
    [ $((number % 2)) -eq 1 ] || net=192.0.2
    lab_host "r$site"
    lab_forward "r$site"
    lab_wire "r$site" wan inet "w$site"
    lab_ip inet addr add "$net.$((block + 1))/30" dev "w$site"
    lab_ip "r$site" addr add "$net.$((block + 2))/30" dev wan
    lab_ip "r$site" route add default via "$net.$((block + 1))"
    lab_ip "r$site" link add lan type bridge
    lab_ip "r$site" link set lan up
    lab_ip "r$site" addr add "10.$number.0.1/24" dev lan
}

# lab_site_address SITE: the router's public address.
lab_site_address() {
    lab_ip "r$1" -j -4 addr show dev wan | jq -r '.[0].addr_info[0].local'
}

# lab_behind SITE HOST: the next host of the site's LAN: 10.N.0.2, .3, ...
lab_behind() {
    local site=$1 host=$2 number=${LAB_SITE[$1]}
    local last=$((LAB_SITE_HOSTS[$site] + 1))
    LAB_SITE_HOSTS[$site]=$last
    lab_host "$host"
    lab_wire "$host" eth0 "r$site" "l$last"
    lab_ip "r$site" link set "l$last" master lan
    lab_ip "$host" addr add "10.$number.0.$last/24" dev eth0
    lab_ip "$host" route add default via "10.$number.0.1"
}

# --- NATs (mapping / filtering in the words of RFC 4787) -----------------------------------------

# lab_nat SITE KIND [open]: replaces the router's NAT and forgets its connections. Kinds:
#   port_restricted       endpoint-independent, port kept / address and port dependent
#   address_restricted    endpoint-independent / address dependent
#   full_cone             endpoint-independent / endpoint-independent
#   symmetric_random      address and port dependent, random ports / address and port dependent
#   symmetric_sequential  the same, ports 40000, 40001, ... (reproducible)
#   none                  no translation, nothing filtered
# Routers drop unsolicited packets from outside, as real ones do. With "open" they do not: then an
# early packet from a peer takes the port in the router's connection table, and the inside host's
# later packet gets another one (the clash that a low-TTL first packet avoids).
lab_nat() {
    local site=$1 kind=$2 open=${3:-} wan
    wan=$(lab_site_address "$site")
    {
        printf 'flush ruleset\n'
        if [ "$kind" != none ] && [ "$open" != open ]; then
            lab_nat_input_drop
        fi
        case $kind in
        none) ;;
        port_restricted) lab_nat_masquerade "" ;;
        symmetric_random) lab_nat_masquerade "random,fully-random" ;;
        symmetric_sequential) lab_nat_sequential "$wan" ;;
        full_cone) lab_nat_cone "" ;;
        address_restricted) lab_nat_cone "udp dport . ip saddr @seen" ;;
        *) lab_die "no such NAT: $kind" ;;
        esac
    } >"$LAB_DIR/nat-$site.nft"
    lab_exec "r$site" nft -f "$LAB_DIR/nat-$site.nft"
    # Connections of the NAT before would hold their ports.
    lab_exec "r$site" conntrack -F 2>/dev/null
}

lab_nat_input_drop() {
    cat <<'NFT'
table ip filter {
    chain input {
        type filter hook input priority filter; policy accept;
        iifname "wan" ct state new drop
    }
}
NFT
}

lab_nat_masquerade() {
    cat <<NFT
table ip nat {
    chain post {
        type nat hook postrouting priority srcnat;
        oifname "wan" masquerade $1
    }
}
NFT
}

# The map form, because "numgen ... offset" alone yields byte-swapped ports.
lab_nat_sequential() {
    local ports="0 : 40000" index
    for ((index = 1; index < 1024; index++)); do
        ports+=", $index : $((40000 + index))"
    done
    cat <<NFT
table ip nat {
    chain post {
        type nat hook postrouting priority srcnat;
        oifname "wan" meta l4proto udp snat ip to $1 : numgen inc mod 1024 map { $ports }
        oifname "wan" masquerade
    }
}
NFT
}

# lab_nat_cone FILTER: nftables has no such NAT; a map that learns each mapping's outside port makes
# one.
lab_nat_cone() {
    cat <<NFT
table ip nat {
    map fc {
        type inet_service : ipv4_addr . inet_service
        flags dynamic,timeout
        timeout 5m
    }
    set seen {
        type inet_service . ipv4_addr
        flags dynamic,timeout
        timeout 5m
    }
    chain pre {
        type nat hook prerouting priority dstnat;
        iifname "wan" meta l4proto udp $1 dnat ip to udp dport map @fc
    }
    chain post {
        type nat hook postrouting priority srcnat;
        oifname "wan" masquerade
    }
    chain learn {
        type filter hook postrouting priority srcnat + 10;
        oifname "wan" meta l4proto udp ct direction original update @fc { \
            ct reply proto-dst : ct original ip saddr . ct original proto-src }
        oifname "wan" meta l4proto udp ct direction original update @seen { \
            ct reply proto-dst . ip daddr }
    }
}
NFT
}

# --- processes -----------------------------------------------------------------------------------

# lab_spawn HOST LABEL COMMAND...: in the background; output to $LAB_DIR/LABEL.log (appended), pid
# in LAB_PID[LABEL].
lab_spawn() {
    local label=$2 namespace log
    # Nothing may be left to expand behind the fork: the child would still have our traps.
    namespace=$(lab_ns "$1")
    log=$LAB_DIR/$label.log
    shift 2
    ip netns exec "$namespace" "$@" >>"$log" 2>&1 </dev/null &
    LAB_PID[$label]=$!
}

# lab_alive LABEL
lab_alive() {
    kill -0 "${LAB_PID[$1]}" 2>/dev/null
}

# lab_stop LABEL [SIGNAL]: sends SIGNAL (TERM) and waits for the end; its exit status is returned.
lab_stop() {
    local pid=${LAB_PID[$1]} status=0
    kill "-${2:-TERM}" "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || status=$?
    unset "LAB_PID[$1]"
    return "$status"
}

# lab_hold: waits for Ctrl-C, then cleans up: for a demo that is left running.
lab_hold() {
    read -r _ <>"$LAB_DIR/hold"
}

# --- checks --------------------------------------------------------------------------------------

# lab_wait SECONDS COMMAND...: true as soon as COMMAND succeeds; false after SECONDS.
lab_wait() {
    local deadline=$(($(lab_now_ms) + $1 * 1000))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(lab_now_ms)" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

# lab_check TEXT COMMAND...: one line a check; the output of a command that fails is shown.
lab_check() {
    local text=$1 output="$LAB_DIR/check.out"
    shift
    LAB_CHECKS=$((LAB_CHECKS + 1))
    if "$@" >"$output" 2>&1; then
        printf 'ok    %s\n' "$text"
    else
        LAB_FAILED=$((LAB_FAILED + 1))
        printf 'FAIL  %s\n' "$text"
        printf '      command: %s\n' "$*"
        sed 's/^/      /' "$output" | tail -n 15
    fi
}

# lab_refute TEXT COMMAND...: the command has to fail.
lab_refute() {
    local text=$1
    shift
    lab_check "$text" lab_not "$@"
}

lab_not() {
    ! "$@"
}

# lab_log_has LABEL PATTERN: the log of a background process has a line that matches.
lab_log_has() {
    grep -Eq -- "$2" "$LAB_DIR/$1.log"
}

# lab_json KEY VALUE...: one JSON object on one line. A value that is a number, true, false, null or
# JSON itself stays so; anything else becomes a string.
lab_json() {
    # shellcheck disable=SC2016 # jq's own variable
    jq -cn '$ARGS.positional as $words | [range(0; $words | length; 2) | $words[. + 1] as $text
        | {key: $words[.], value: (try ($text | fromjson) catch $text)}] | from_entries' \
        --args -- "$@"
}

# lab_finish: the summary; ends the script.
lab_finish() {
    printf '%d checks, %d failed\n' "$LAB_CHECKS" "$LAB_FAILED"
    [ "$LAB_FAILED" -eq 0 ] || exit 1
    exit 0
}

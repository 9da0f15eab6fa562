#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# The command from outside, without root and without a daemon: keys, a network, delegations, and
# what it says when something is wrong. Usage: test_cli.sh PATH-OF-DEEDMESH
# shellcheck disable=SC2016 # inner scripts get their values as arguments
set -uo pipefail

DEEDMESH=$1
BASE=$(mktemp -d "${TMPDIR:-/tmp}/deedmesh-cli-XXXXXX")
trap 'rm -rf "$BASE"' EXIT
export DEEDMESH_CONFIG_DIR=$BASE/etc DEEDMESH_STATE_DIR=$BASE/lib DEEDMESH_RUN_DIR=$BASE/run
FAILURES=0
CONTRACT=0x5FbDB2315678afecb367f032d93F642f64180aa3
# anvil's first two accounts: public knowledge, worth nothing.
KEY_ONE=0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80
OWNER_ONE=0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266
OWNER_TWO=0x70997970C51812dc3A010C7d01b50e0d17dc79C8
MAN_PAGE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../../.." && pwd)/docs/man/deedmesh.1

# check NAME EXPECTED-EXIT PATTERN COMMAND...: exit code, and a pattern in what it says.
check() {
    local name=$1 expected=$2 pattern=$3 output code
    shift 3
    output=$("$@" 2>&1 </dev/null)
    code=$?
    if [ "$code" -eq "$expected" ] && grep -qE -- "$pattern" <<<"$output"; then
        printf 'ok   %s\n' "$name"
    else
        printf 'FAIL %s: exit %s, expected %s and /%s/\n%s\n' \
            "$name" "$code" "$expected" "$pattern" "$output"
        FAILURES=$((FAILURES + 1))
    fi
}


# What the program knows stands in the man page, and the other way round.
man_page() {
    local verb
    for verb in "${VERBS[@]}"; do
        check "the man page has the verb $verb" 0 "" \
            grep -qE "^\.(B|BR|SS) \"?$verb( |\"|\$)" "$MAN_PAGE"
    done
    for verb in "${VERBS[@]}"; do
        # shellcheck disable=SC2086 # a verb may be two words
        "$DEEDMESH" $verb --help
    done | grep -oE '^ +(-.|  ),? *--[a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u >"$BASE/known"
    grep -oE '\\-\\-[a-z]+(\\-[a-z]+)*' "$MAN_PAGE" | sed 's|[\\]||g' | sort -u >"$BASE/described"
    check "the man page has each option, and no other" 0 "" \
        diff "$BASE/known" "$BASE/described"
}

# zsh says what it would complete: _arguments is ours here, and prints what it is given.
zsh_completion() {
    if ! command -v zsh >/dev/null; then
        printf 'skipped completion in zsh: there is no zsh\n'
        return
    fi
    "$DEEDMESH" completion zsh >"$BASE/zsh"
    check "completion in zsh, with quotes and brackets in the help" 0 \
        "^--listen.where others reach this node's DHT port.:HOST.*PORT" zsh -f -c '
        _arguments() { print -rl -- "$@" }
        words=(deedmesh init "") CURRENT=3
        . "$1"' _ "$BASE/zsh"
    check "completion of a second word in zsh" 0 "^deploy$" zsh -f -c '
        compadd() { shift; print -rl -- "$@" }
        words=(deedmesh contract "") CURRENT=3
        . "$1"' _ "$BASE/zsh"
}

help_and_completion() {
    local verb
    check "help" 0 "Verbs:" "$DEEDMESH" --help
    mapfile -t VERBS < <("$DEEDMESH" --help |
        sed -nE '/^Verbs:/,/^Options/s/^  ([a-z]+( [a-z]+)?)  .*/\1/p')
    check "verbs are found in it" 0 "" test "${#VERBS[@]}" -gt 20
    for verb in "${VERBS[@]}"; do
        # shellcheck disable=SC2086 # a verb may be two words
        check "help of $verb" 0 "^usage: deedmesh $verb" "$DEEDMESH" $verb --help
    done
    check "version" 0 "^deedmesh [0-9]+\.[0-9]+\.[0-9]+$" "$DEEDMESH" version
    check "version as JSON" 0 '^\{"version":"' "$DEEDMESH" version --json
    check "completion for bash" 0 "complete -F _deedmesh deedmesh" "$DEEDMESH" completion bash
    check "completion for zsh" 0 "#compdef deedmesh" "$DEEDMESH" completion zsh
    check "completion is valid bash" 0 "" bash -n <("$DEEDMESH" completion bash)
    check "completion completes" 0 "^keygen$" bash -c '
        . <("$1" completion bash)
        COMP_WORDS=(deedmesh key) COMP_CWORD=1
        _deedmesh
        printf "%s\n" "${COMPREPLY[@]}"' _ "$DEEDMESH"
    check "completion of a second word" 0 "^deploy$" bash -c '
        . <("$1" completion bash)
        COMP_WORDS=(deedmesh contract "") COMP_CWORD=2
        _deedmesh
        printf "%s\n" "${COMPREPLY[@]}"' _ "$DEEDMESH"
    check "completion of an option of two words" 0 "^--max-fee$" bash -c '
        . <("$1" completion bash)
        COMP_WORDS=(deedmesh -i x contract deploy --max) COMP_CWORD=5
        _deedmesh
        printf "%s\n" "${COMPREPLY[@]}"' _ "$DEEDMESH"
    check "help of a group" 0 "contract deploy" "$DEEDMESH" contract --help
    check "a group alone" 64 "contract what" "$DEEDMESH" contract
    check "completion of an option" 0 "^--until-direct$" bash -c '
        . <("$1" completion bash)
        COMP_WORDS=(deedmesh -i x ping --unt) COMP_CWORD=4
        _deedmesh
        printf "%s\n" "${COMPREPLY[@]}"' _ "$DEEDMESH"
}

usage() {
    check "no verb" 64 "which verb" "$DEEDMESH"
    check "an unknown verb" 64 "no verb 'fly'" "$DEEDMESH" fly
    check "an unknown option" 64 "unrecognized option" "$DEEDMESH" status --fast
    check "too few operands" 64 "usage: deedmesh ping" "$DEEDMESH" ping
    check "too many operands" 64 "usage: deedmesh status" "$DEEDMESH" status now
    check "a bad instance" 64 "cannot be an instance" "$DEEDMESH" -i ../x status
    check "somebody else's interface" 64 "dstack-wg0" "$DEEDMESH" -i dstack-wg0 status
    check "no chain" 64 "on which chain" "$DEEDMESH" contract deploy
    check "no node id" 64 "--node-id" "$DEEDMESH" register --to "$OWNER_ONE"
    check "a long node id" 64 "--node-id" "$DEEDMESH" register --node-id "$(printf '%256s' x)"
    check "a receiver that is no address" 64 "expected an address" "$DEEDMESH" transfer 7 0x12
    check "a receiver with a mistyped digit" 64 "checksum" \
        "$DEEDMESH" transfer 7 "${OWNER_ONE/F6/f6}"
    check "nobody receives" 64 "zero address" \
        "$DEEDMESH" transfer 7 0x0000000000000000000000000000000000000000
    check "a fee that is no number" 64 "--max-fee" "$DEEDMESH" contract deploy --chain-id 1 \
        --max-fee 1e9
    check "no provider" 1 "which RPC provider" "$DEEDMESH" -i writer contract deploy --chain-id 1
    check "a provider with a password" 64 "URL number 1" "$DEEDMESH" -i writer contract deploy \
        --chain-id 1 --rpc https://user:secret@example.org
    check "a provider that is down" 1 "127.0.0.1:1: no connection" "$DEEDMESH" -i writer \
        contract deploy --chain-id 1 --rpc http://127.0.0.1:1/key-of-mine
    check "nothing is under way" 1 "no transaction of writer" "$DEEDMESH" -i writer contract \
        deploy --chain-id 1 --replace
    check "a bad shell" 64 "no completion" "$DEEDMESH" completion tcsh
    check "an error as JSON" 64 '^\{"error":\{"code":"usage"' "$DEEDMESH" --json fly
}

keys() {
    local file=$BASE/wg.key
    check "keygen" 0 "node key +[0-9a-f]{64}" "$DEEDMESH" keygen
    check "keys are 0600" 0 "^600 .*node.key" stat -c '%a %n' "$BASE/lib/deed0/node.key"
    check "keygen does not overwrite" 1 "never overwritten" "$DEEDMESH" keygen
    printf 'yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\n' >"$file"
    chmod 644 "$file"
    check "a WireGuard key that others may read" 1 "chmod 600" \
        "$DEEDMESH" -i two keygen --wg-key-file "$file"
    chmod 600 "$file"
    check "an own WireGuard key" 0 "HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=" \
        "$DEEDMESH" -i two keygen --wg-key-file "$file"
    printf 'not a key\n' >"$file"
    check "no WireGuard key" 1 "44 characters" "$DEEDMESH" -i three keygen --wg-key-file "$file"
    check "no such file" 1 "No such file" "$DEEDMESH" -i three keygen --wg-key-file "$BASE/none"
}

network() {
    local init=("$DEEDMESH" init --chain-id 31337 --contract "$CONTRACT")
    check "init needs a contract" 64 "which contract" "$DEEDMESH" init
    check "a mistyped contract" 64 "mistyped" \
        "$DEEDMESH" init --chain-id 1 --contract 0x5fBDB2315678afecb367f032d93F642f64180aa3
    check "a public prefix" 1 "not private" "${init[@]}" --prefix 8.8.0.0/16
    check "a wide prefix" 1 "shorter than /12" "${init[@]}" --prefix 10.0.0.0/8
    check "a prefix with host bits" 64 "expected ADDRESS/LENGTH" "${init[@]}" --prefix 10.1.2.3/16
    check "a slow poll" 64 "--poll: '60'" "${init[@]}" --poll 60
    check "a provider over http" 1 "allow_http" "${init[@]}" --rpc http://203.0.113.9:8545
    check "a provider on loopback" 1 "refused" "${init[@]}" --rpc https://127.0.0.1/ --allow-http
    check "nothing is left of failures" 1 "" test -e "$BASE/lib/deed0/manifest"
    check "authorize needs a network" 1 "deedmesh join" \
        "$DEEDMESH" authorize 7 --owner "$OWNER_ONE"
    check "init" 0 "deedmesh join 203\.0\.113\.1:51821/[a-z2-7]{32}$" \
        "${init[@]}" --rpc https://rpc.example/ --listen 203.0.113.1
    check "init wrote a configuration" 0 "^\[network\]" cat "$BASE/etc/deed0.conf"
    check "init does not start over" 1 "belongs to a network already" "${init[@]}"
}

delegations() {
    local file=$BASE/owner.key draft
    local authorize=("$DEEDMESH" authorize 7)
    check "before join" 0 "$OWNER_ONE" "$DEEDMESH" -i two authorize 9 --print \
        --owner "$OWNER_ONE" --chain-id 31337 --contract "$CONTRACT"
    check "half a network" 64 "go together" "$DEEDMESH" -i two authorize 9 --chain-id 31337
    check "another network" 1 "another contract or chain" "${authorize[@]}" --chain-id 1 \
        --contract "$CONTRACT" --owner "$OWNER_ONE"
    check "who owns it?" 64 "who owns token 7" "${authorize[@]}"
    check "a bad token" 64 "not a token id" "$DEEDMESH" authorize seven
    printf '%s\n' "$KEY_ONE" >"$file"
    chmod 644 "$file"
    check "an owner's key that others may read" 1 "chmod 600" "${authorize[@]}" --key-file "$file"
    chmod 600 "$file"
    check "another owner's key" 1 "not of the owner" \
        "${authorize[@]}" --key-file "$file" --owner "$OWNER_TWO"
    check "no delegation yet" 1 "" test -e "$BASE/lib/deed0/delegation-7"
    check "too many days" 64 "--days" "${authorize[@]}" --key-file "$file" --days 366
    check "authorize by key file" 0 "token 7: $OWNER_ONE puts node key" \
        "${authorize[@]}" --key-file "$file"
    check "the delegation is kept" 0 "" test -s "$BASE/lib/deed0/delegation-7"
    check "authorize as JSON" 0 "\"owner\":\"$OWNER_ONE\"" \
        "${authorize[@]}" --key-file "$file" --json
    draft=$("${authorize[@]}" --owner "$OWNER_TWO" --print)
    check "typed data" 0 '"primaryType":"NodeDelegation"' printf '%s\n' "$draft"
    check "no signature on standard input" 1 "no signature came" \
        "${authorize[@]}" --owner "$OWNER_TWO"
    check "a wrong signature" 1 "it recovers to 0x" "${authorize[@]}" --signature "$(
        printf '0x%064d%064d1b' 1 1)"
    check "no signature at all" 1 "65 bytes" "${authorize[@]}" --signature 0x1234
    check "no draft for this token" 1 "has been printed before" \
        "$DEEDMESH" authorize 8 --signature "$(printf '0x%064d%064d1b' 1 1)"
}

no_daemon() {
    local verb
    for verb in status peers metrics wait "resolve 7" "ping 7"; do
        # shellcheck disable=SC2086 # a verb and its operand
        check "$verb without a daemon" 3 "deedmesh up" "$DEEDMESH" $verb
    done
    check "wait for whom?" 64 "--peer TOKEN" "$DEEDMESH" wait --for connected
    check "a damaged file" 1 "cut short" bash -c '
        truncate -s 30 "$1/lib/deed0/manifest"
        "$2" authorize 7 --owner "$3"' _ "$BASE" "$DEEDMESH" "$OWNER_ONE"
    check "an open directory" 1 "chmod 700" bash -c '
        chmod 750 "$1/lib/deed0"
        "$2" keygen' _ "$BASE" "$DEEDMESH"
}

help_and_completion
man_page
zsh_completion
usage
keys
network
delegations
no_daemon
[ "$FAILURES" -eq 0 ]

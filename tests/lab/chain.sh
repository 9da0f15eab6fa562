# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# A chain for lab tests and the demo: anvil, the contracts of chain/contracts, and what owners do
# with them. Source it; it needs curl, jq and the committed artifacts, no compiler.
#
#     chain_start                     # anvil on a free port; CHAIN_URL, CHAIN_PID
#     seat=$(chain_deploy DeedmeshSeat)
#     token=$(chain_mint "$seat" "$(chain_account 1)" node-1)
#     chain_transfer "$seat" "$(chain_account 1)" "$(chain_account 2)" "$token"
#     chain_proxy p1                  # a provider in front of it: ${CHAIN_PROXY_URL[p1]}
#     chain_fault p1 '{"mode":"http_429"}'
#     chain_stop
#
# With lib.sh sourced before, lab_cleanup ends what was started here.
# Any address can send: anvil impersonates, and gas costs nothing. Functions fail (return 1, with a
# line on stderr) when the node answers an error or a transaction reverts.

CHAIN_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CHAIN_ARTIFACTS=$CHAIN_ROOT/chain/contracts/artifacts
CHAIN_MULTICALL=0xcA11bde05977b3631167028862bE2a173976CA11
CHAIN_URL=${CHAIN_URL:-}
CHAIN_PID=${CHAIN_PID:-}
declare -p CHAIN_PREFIX >/dev/null 2>&1 || CHAIN_PREFIX=()
CHAIN_FEE=${CHAIN_FEE:-0} # wei a gas: the base fee of the first block, and what the helpers pay
CHAIN_ACCOUNTS=()
declare -A CHAIN_SELECTOR=()
declare -A CHAIN_TOPIC=()
declare -A CHAIN_PROXY_URL=()     # name -> where a node posts
declare -A CHAIN_PROXY_CONTROL=() # name -> where a test says what goes wrong
declare -A CHAIN_PROXY_PID=()

# The keys behind anvil's first four accounts: public knowledge, worth nothing anywhere.
CHAIN_KEYS=(
    0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80
    0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d
    0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a
    0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6
)

# The functions and events of all artifacts, read once.
chain_read_abi() {
    local kind signature value
    while read -r kind signature value; do
        case $kind in
        function) CHAIN_SELECTOR[$signature]=$value ;;
        event) CHAIN_TOPIC[$signature]=$value ;;
        esac
    done < <(jq -r '(.selectors | to_entries[] | "function \(.key) \(.value)"),
        (.topics | to_entries[] | "event \(.key) \(.value)")' "$CHAIN_ARTIFACTS"/*.json)
}
chain_read_abi

# Where anvil is: $DEEDMESH_ANVIL, what tools/setup installed, or the PATH's.
chain_anvil_path() {
    local path
    for path in "${DEEDMESH_ANVIL:-}" "$CHAIN_ROOT/build/npm/bin/anvil"; do
        if [ -n "$path" ] && [ -x "$path" ]; then
            printf '%s\n' "$path"
            return 0
        fi
    done
    command -v anvil || {
        printf 'chain: there is no anvil; run: sudo tools/setup\n' >&2
        return 1
    }
}

# chain_start [ANVIL OPTION...]: starts anvil and waits until it answers. Sets CHAIN_URL, CHAIN_PID
# and CHAIN_LOG. CHAIN_PREFIX is an array of words to run it under (ip netns exec NAME), CHAIN_HOST
# the address to listen on (127.0.0.1), CHAIN_ID the chain id (31337). The aggregator is in place.
# shellcheck disable=SC2120 # its options are for callers elsewhere
chain_start() {
    local anvil host=${CHAIN_HOST:-127.0.0.1} port='' try
    anvil=$(chain_anvil_path) || return 1
    CHAIN_LOG=$(mktemp "${LAB_DIR:-${TMPDIR:-/tmp}}/deedmesh-chain.XXXXXX")
    "${CHAIN_PREFIX[@]}" "$anvil" --host "$host" --port "${CHAIN_PORT:-0}" --no-cors \
        --chain-id "${CHAIN_ID:-31337}" --auto-impersonate --gas-price "$CHAIN_FEE" \
        --block-base-fee-per-gas "$CHAIN_FEE" --threads 1 "$@" </dev/null >"$CHAIN_LOG" 2>&1 &
    CHAIN_PID=$!
    chain_own anvil "$CHAIN_PID"
    for ((try = 0; try < 200; try++)); do
        port=$(sed -n 's/^Listening on .*:\([0-9]*\)$/\1/p' "$CHAIN_LOG")
        [ -z "$port" ] || break
        kill -0 "$CHAIN_PID" 2>/dev/null || break
        sleep 0.05
    done
    if [ -z "$port" ]; then
        printf 'chain: anvil did not start: %s\n' "$(tail -n 3 "$CHAIN_LOG")" >&2
        chain_stop
        return 1
    fi
    CHAIN_URL=http://$host:$port
    mapfile -t CHAIN_ACCOUNTS < <(chain_rpc eth_accounts | jq -r '.[]')
    chain_place_multicall
}

# Leaves a process to lib.sh's clean-up, where that is in use.
chain_own() {
    if declare -p LAB_PID >/dev/null 2>&1; then
        LAB_PID[$1]=$2
    fi
}

# chain_proxy NAME: a provider in front of anvil that can be told to misbehave (rpc_proxy).
chain_proxy() {
    local name=$1 log try
    log=$(mktemp "${LAB_DIR:-${TMPDIR:-/tmp}}/deedmesh-proxy.XXXXXX")
    "${CHAIN_PREFIX[@]}" node "$CHAIN_ROOT/tests/lab/rpc_proxy" "$CHAIN_URL" \
        "${CHAIN_HOST:-127.0.0.1}" </dev/null >"$log" 2>&1 &
    CHAIN_PROXY_PID[$name]=$!
    chain_own "proxy-$name" "$!"
    for ((try = 0; try < 200; try++)); do
        CHAIN_PROXY_URL[$name]=$(sed -n 's/^listening on //p' "$log")
        CHAIN_PROXY_CONTROL[$name]=$(sed -n 's/^control on //p' "$log")/control
        [ -z "${CHAIN_PROXY_URL[$name]}" ] || break
        sleep 0.05
    done
    rm -f "$log"
    [ -n "${CHAIN_PROXY_URL[$name]}" ]
}

# chain_fault NAME CONTROL_OBJECT: the proxy's answer, with its counters. Modes: see rpc_proxy.
chain_fault() {
    "${CHAIN_PREFIX[@]}" curl -sS --fail --max-time 10 --noproxy '*' --data-binary "$2" \
        "${CHAIN_PROXY_CONTROL[$1]}"
}

# chain_counter NAME FIELD: requests, connections, bytes_in, bytes_out, calls.eth_call …
chain_counter() {
    "${CHAIN_PREFIX[@]}" curl -sS --fail --max-time 10 --noproxy '*' \
        "${CHAIN_PROXY_CONTROL[$1]}" | jq -r ".counters.$2"
}

# Ends the proxies and the anvil that were started here.
chain_stop() {
    local pid
    for pid in "${CHAIN_PROXY_PID[@]}"; do
        kill "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    CHAIN_PROXY_PID=()
    if [ -n "$CHAIN_PID" ]; then
        kill "$CHAIN_PID" 2>/dev/null
        wait "$CHAIN_PID" 2>/dev/null
        rm -f "$CHAIN_LOG"
    fi
    CHAIN_PID=''
    return 0
}

# chain_rpc METHOD [PARAMS]: the result as JSON; PARAMS is a JSON array.
chain_rpc() {
    local request answer
    request='{"jsonrpc":"2.0","id":1,"method":"'$1'","params":'${2:-[]}'}'
    answer=$(printf '%s' "$request" |
        "${CHAIN_PREFIX[@]}" curl -sS --fail --max-time 10 --noproxy '*' \
            -H 'Content-Type: application/json' --data-binary @- "$CHAIN_URL") || return 1
    jq -c 'if has("error") then "chain: \(.error.message)\n" | halt_error(1)
        else .result end' <<<"$answer"
}

# The same for a result that is one string: without the quotes.
chain_rpc_text() {
    local result
    result=$(chain_rpc "$@") && jq -r . <<<"$result"
}

# chain_account N: anvil's account N (0 .. 9), an address.
chain_account() {
    printf '%s\n' "${CHAIN_ACCOUNTS[$1]}"
}

# chain_key N: the private key of account N (0 .. 3).
chain_key() {
    printf '%s\n' "${CHAIN_KEYS[$1]}"
}

# chain_artifact CONTRACT FIELD
chain_artifact() {
    jq -r ".$2" "$CHAIN_ARTIFACTS/$1.json"
}

# chain_selector SIGNATURE: "ownerOf(uint256)" -> 6352211e.
chain_selector() {
    printf '%s\n' "${CHAIN_SELECTOR[$1]:?no artifact has this function}"
}

# chain_topic SIGNATURE: an event's topic 0.
chain_topic() {
    printf '%s\n' "${CHAIN_TOPIC[$1]:?no artifact has this event}"
}

# One 32-byte word of a number (decimal or 0x), a bool, an address or a bytes32.
chain_word() {
    case $1 in
    true) printf '%064x' 1 ;;
    false) printf '%064x' 0 ;;
    0x*) printf '%64s' "${1#0x}" | tr ' A-F' '0a-f' ;;
    *) printf '%064x' "$1" ;;
    esac
}

# A dynamic tail: size, then the bytes padded to words. Takes hex.
chain_tail() {
    local hex=$1
    printf '%064x%s' $((${#hex} / 2)) "$hex"
    printf '%*s' $(((64 - ${#hex} % 64) % 64)) '' | tr ' ' 0
}

# chain_encode SIGNATURE ARGUMENT...: call data. Knows static words, string (text) and bytes (0x…).
chain_encode() {
    local signature=$1 types type head='' tails='' argument
    shift
    types=${signature#*\(}
    IFS=, read -r -a types <<<"${types%\)}"
    for type in "${types[@]}"; do
        argument=$1
        shift
        case $type in
        string | bytes)
            head+=$(printf '%064x' $((${#types[@]} * 32 + ${#tails} / 2)))
            if [ "$type" = string ]; then
                argument=0x$(printf '%s' "$argument" | od -An -v -tx1 | tr -d ' \n')
            fi
            tails+=$(chain_tail "${argument#0x}")
            ;;
        *) head+=$(chain_word "$argument") ;;
        esac
    done
    printf '0x%s%s%s\n' "$(chain_selector "$signature")" "$head" "$tails"
}

# chain_call CONTRACT SIGNATURE ARGUMENT...: the raw result, 0x…; fails on a revert.
chain_call() {
    local to=$1 call
    shift
    call=$(chain_encode "$@") || return 1
    chain_rpc_text eth_call '[{"to":"'"$to"'","data":"'"$call"'"},"latest"]'
}

# chain_decode TYPES HEX: one value a line; TYPES as in "string,uint256,bool,address".
chain_decode() {
    local types hex=${2#0x} type index=0 word offset size
    IFS=, read -r -a types <<<"$1"
    for type in "${types[@]}"; do
        word=${hex:index*64:64}
        case $type in
        string)
            offset=$((16#$word * 2))
            size=$((16#${hex:offset:64} * 2))
            # shellcheck disable=SC2001 # older shells know no & in a replacement
            printf '%b\n' "$(sed 's/../\\x&/g' <<<"${hex:offset+64:size}")"
            ;;
        address) printf '0x%s\n' "${word:24}" ;;
        bool) [ "${word: -1}" = 1 ] && printf 'true\n' || printf 'false\n' ;;
        uint256) printf '%d\n' "$((16#$word))" ;; # what fits 63 bits
        *) printf '0x%s\n' "$word" ;;
        esac
        index=$((index + 1))
    done
}

# Waits for a transaction and prints its receipt; fails if it reverted.
chain_receipt() {
    local receipt try
    for ((try = 0; try < 200; try++)); do
        receipt=$(chain_rpc eth_getTransactionReceipt '["'"$1"'"]') || return 1
        [ "$receipt" = null ] || break
        sleep 0.05
    done
    printf '%s\n' "$receipt"
    [ "$(jq -r .status <<<"$receipt")" = 0x1 ] || {
        printf 'chain: transaction %s failed\n' "$1" >&2
        return 1
    }
}

# chain_transact FROM TO DATA: sends, waits until it is mined, prints the receipt. TO may be "".
chain_transact() {
    local transaction hash
    transaction=$(jq -nc --arg from "$1" --arg to "$2" --arg data "$3" \
        --arg price "$(printf '0x%x' $((2 * CHAIN_FEE)))" \
        '{from: $from, data: $data, gas: "0x1c9c380", gasPrice: $price}
         + if $to == "" then {} else {to: $to} end')
    hash=$(chain_rpc_text eth_sendTransaction "[$transaction]") || return 1
    chain_receipt "$hash"
}

# chain_send FROM CONTRACT SIGNATURE ARGUMENT...: as chain_transact, for a function.
chain_send() {
    local from=$1 to=$2 call
    shift 2
    call=$(chain_encode "$@") || return 1
    chain_transact "$from" "$to" "$call"
}

# chain_deploy CONTRACT [CONSTRUCTOR WORD]: the address; the contract's owner is account 0.
chain_deploy() {
    local code receipt
    code=$(chain_artifact "$1" bytecode)
    [ $# -lt 2 ] || code+=$(chain_word "$2")
    receipt=$(chain_transact "$(chain_account 0)" "" "$code") || return 1
    jq -r .contractAddress <<<"$receipt"
}

# Puts the test aggregator where Multicall3 stands on public chains.
chain_place_multicall() {
    local code
    code=$(chain_artifact TestMulticall deployedBytecode)
    chain_rpc anvil_setCode '["'"$CHAIN_MULTICALL"'","'"$code"'"]' >/dev/null
}

# chain_mint SEAT TO NODE_ID [WG_KEY]: the new token's id.
chain_mint() {
    local receipt topic
    receipt=$(chain_send "$(chain_account 0)" "$1" \
        'mintNodeAccess(address,string,string,string)' "$2" "$3" "${4:-}" "") || return 1
    topic=$(chain_topic 'NodeAccessGranted(uint256,string,address,string)')
    chain_decode uint256 \
        "$(jq -r --arg t "$topic" '.logs[] | select(.topics[0] == $t).topics[1]' <<<"$receipt")"
}

# chain_mint_many SEAT TO COUNT [FIRST]: tokens with node ids many-FIRST (1) and so on, in batches.
chain_mint_many() {
    local from nonce batch answer try mined
    from=$(chain_account 0) && nonce=$(chain_rpc_text eth_getTransactionCount \
        '["'"$from"'","latest"]') || return 1
    jq -nc --arg from "$from" --arg seat "$1" --arg to "${2#0x}" --argjson count "$3" \
        --argjson nonce "$((nonce))" --argjson first "${4:-1}" \
        --arg selector "$(chain_selector 'mintNodeAccess(address,string,string,string)')" '
        def digit: "0123456789abcdef"[.:. + 1];
        def hex: if . < 16 then digit else (. / 16 | floor | hex) + (. % 16 | digit) end;
        def word: hex | ("0" * (64 - length) // "") + .;
        def text: explode | map(hex) | add;
        range($count) | . as $n | "many-\($n + $first)" as $id | {
            jsonrpc: "2.0", id: $n, method: "eth_sendTransaction", params: [{
                from: $from, to: $seat, nonce: ("0x" + ($nonce + $n | hex)), gas: "0x7a120",
                gasPrice: "0x0", data: ("0x" + $selector + "000000000000000000000000" + $to
                    + (128 | word) + (192 | word) + (224 | word)
                    + ($id | length | word) + ($id | text) + "0" * (64 - ($id | length) * 2)
                    + (0 | word) + (0 | word))}]}' |
        while mapfile -t -n 250 batch && [ ${#batch[@]} -gt 0 ]; do
            answer=$(printf '%s\n' "${batch[@]}" | jq -sc . |
                "${CHAIN_PREFIX[@]}" curl -sS --fail --max-time 60 --noproxy '*' \
                    -H 'Content-Type: application/json' --data-binary @- "$CHAIN_URL") || return 1
            jq -e 'all(.[]; has("result"))' <<<"$answer" >/dev/null || {
                jq -r 'first(.[].error | select(.)) | "chain: \(.message)"' <<<"$answer" >&2
                return 1
            }
        done || return 1
    for ((try = 0; try < 200; try++)); do
        mined=$(chain_rpc_text eth_getTransactionCount '["'"$from"'","latest"]') || return 1
        [ $((mined)) -lt $((nonce + $3)) ] || return 0
        # What overtook its turn waits in the pool for the next block.
        chain_mine 1
    done
    return 1
}

# chain_transfer CONTRACT FROM TO TOKEN: the receipt.
chain_transfer() {
    chain_send "$2" "$1" 'transferFrom(address,address,uint256)' "$2" "$3" "$4"
}

# chain_revoke SEAT TOKEN: the receipt.
chain_revoke() {
    chain_send "$(chain_account 0)" "$1" 'revokeNodeAccess(uint256)' "$2"
}

# chain_owner CONTRACT TOKEN: an address; fails if there is no such token.
chain_owner() {
    local result
    result=$(chain_call "$1" 'ownerOf(uint256)' "$2") && chain_decode address "$result"
}

# chain_access SEAT TOKEN: node id, WireGuard key, creation time, active flag; a line each.
chain_access() {
    local result
    result=$(chain_call "$1" 'getNodeAccess(uint256)' "$2") &&
        chain_decode string,string,uint256,bool "$result"
}

# chain_mine [BLOCKS]
# shellcheck disable=SC2120 # its argument is for callers elsewhere
chain_mine() {
    chain_rpc anvil_mine '["'"$(printf '0x%x' "${1:-1}")"'"]' >/dev/null
}

# chain_sign ACCOUNT TYPED_DATA: an EIP-712 signature by one of anvil's own accounts.
chain_sign() {
    chain_rpc_text eth_signTypedData_v4 '["'"$1"'",'"$2"']'
}

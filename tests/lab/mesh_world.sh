# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# The world of the demo and the benches: an EVM node with the contract, two public members, two
# members behind two port-restricted NATs. Source lib.sh, chain.sh and mesh.sh before, and call
# lab_start.
#
#   world_hosts                       # namespaces chain, one, two (public), three, four (NATed)
#   world_chain --block-time 1        # anvil in the host chain, and the contract
#   world_node --block-time 1         # or anvil alone: the demo deploys through the product
#   world_seat three 2                # its keys, and a token that anvil's account 2 owns
#   world_network                     # one starts the network
#   world_authorize three 2           # a delegation and the bootstrap address: all it is given
#   world_up three one two            # up, and connected to these
#
# Variables: WORLD_CONTRACT, WORLD_BOOTSTRAP (HOST:PORT/FINGERPRINT), WORLD_TOKEN[host].

WORLD_BOOT_ADDRESS=203.0.113.11
WORLD_TWO_ADDRESS=203.0.115.12
WORLD_CHAIN_ADDRESS=203.0.113.20
WORLD_PREFIX=10.213.0.0/16
WORLD_CONTRACT=
WORLD_BOOTSTRAP=
declare -A WORLD_TOKEN=() # host -> its token

world_hosts() {
    lab_inet
    lab_public chain "$WORLD_CHAIN_ADDRESS"
    lab_public one "$WORLD_BOOT_ADDRESS"
    lab_public two "$WORLD_TWO_ADDRESS"
    lab_site a
    lab_nat a port_restricted
    lab_behind a three
    lab_site b
    lab_nat b port_restricted
    lab_behind b four
}

# world_node [ANVIL OPTION...]
# shellcheck disable=SC2034 # chain.sh reads what is set here
world_node() {
    mapfile -t CHAIN_PREFIX < <(printf 'ip\nnetns\nexec\n%s\n' "$(lab_ns chain)")
    CHAIN_HOST=$WORLD_CHAIN_ADDRESS
    chain_start --slots-in-an-epoch 2 "$@" || lab_die "the EVM node did not start"
}

# world_chain [ANVIL OPTION...]
world_chain() {
    world_node "$@"
    WORLD_CONTRACT=$(chain_deploy DeedmeshSeat)
}

# world_seat HOST ACCOUNT
world_seat() {
    local host=$1 key
    mesh_host "$host"
    mesh_config "$host"
    key=$(mesh "$host" keygen --json | jq -r .wg_key)
    WORLD_TOKEN[$host]=$(chain_mint "$WORLD_CONTRACT" "$(chain_account "$2")" "$host" "$key")
}

# The authority is one, and the first delegation is its own: of account 0.
world_network() {
    local chain_id
    chain_id=$(chain_rpc_text eth_chainId '[]')
    mesh one init --chain-id "$((chain_id))" --contract "$WORLD_CONTRACT" \
        --prefix "$WORLD_PREFIX" --rpc "${WORLD_RPC:-$CHAIN_URL}" --allow-http \
        --listen "$WORLD_BOOT_ADDRESS" --json >"$LAB_DIR/init.json"
    WORLD_BOOTSTRAP=$(jq -r .join "$LAB_DIR/init.json")
    mesh_delegate one "${WORLD_TOKEN[one]}" 0
}

# world_authorize HOST ACCOUNT [LINE...]: LINEs are for the section [node].
world_authorize() {
    local host=$1 account=$2
    shift 2
    mesh_config "$host" "$WORLD_BOOTSTRAP" "$@"
    mesh_delegate "$host" "${WORLD_TOKEN[$host]}" "$account"
}

# world_up HOST [PEER...]
world_up() {
    local host=$1 peer
    shift
    mesh "$host" up --log-format json
    for peer in "$@"; do
        mesh "$host" wait --for connected --peer "${WORLD_TOKEN[$peer]}" --timeout 20 >/dev/null
    done
}

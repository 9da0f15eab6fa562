# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# Words of the tests of keys: commands that sign with a member's wallet, pings that count what is
# lost, who sits on whose device. Source lib.sh, chain.sh and mesh.sh before.
#
#   keys_pings one two           # from one to two, 50 a second, until keys_lost
#   keys_lost one two            # how many were lost in a row, at most; ends them

# keys HOST VERB [ARGUMENT...]: signed by the key of the host's wallet.
keys() {
    mesh "$@" --key-file "$LAB_DIR/$1/wallet"
}

keys_pings() {
    local address
    address=$(mesh_address "$2")
    rm -f "$LAB_DIR/ping-$1-$2.log"
    lab_spawn "$1" "ping-$1-$2" ping -n -i 0.02 -W 1 -w 120 "$address"
    lab_wait 5 keys_ping_answers "$1" "$2"
}

keys_ping_answers() {
    grep -q 'bytes from' "$LAB_DIR/ping-$1-$2.log"
}

# The longest row of missing numbers, in milliseconds.
keys_lost() {
    lab_stop "ping-$1-$2" INT || true
    sed -n 's/.*icmp_seq=\([0-9]*\) .*/\1/p' "$LAB_DIR/ping-$1-$2.log" | sort -n | awk '
        NR > 1 && $1 - last - 1 > worst { worst = $1 - last - 1 }
        { last = $1 }
        END { print worst * 20 }'
}

keys_status() {
    mesh "$1" status --json | jq -r ".$2"
}

# keys_known HOST OTHER KEY: the node key of the record that HOST finds for OTHER and admits.
keys_known() {
    mesh "$1" resolve "${MESH_TOKEN[$2]}" --json | tail -n 1 >"$LAB_DIR/known.json"
    jq -e --arg key "$3" '.admitted == "yes" and .record.node_key == $key' "$LAB_DIR/known.json"
}

keys_has() {
    [ "$(mesh_device_has "$1" "$2")" = yes ]
}

keys_has_not() {
    [ "$(mesh_device_has "$1" "$2")" = no ]
}

# keys_handshakes HOST: of all its peers, to see whether one was made anew.
keys_handshakes() {
    lab_exec "$1" wg show "${MESH_INSTANCE[$1]}" latest-handshakes | sort
}

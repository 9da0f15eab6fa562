# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# WireGuard in userspace for the lab tests that bring their own device; after lib.sh.
# wireguard_start HOST INTERFACE OVERLAY_ADDRESS/24 [PORT]: secret in $LAB_DIR/INTERFACE.secret,
# public key in WIREGUARD_KEY[HOST].

declare -A WIREGUARD_KEY=() # host -> public key

wireguard_start() {
    local host=$1 interface=$2 address=$3 port=${4:-51820} secret="$LAB_DIR/$2.secret"
    lab_claim_interface "$interface"
    (umask 077 && wg genkey >"$secret")
    # shellcheck disable=SC2034 # read by the tests
    WIREGUARD_KEY[$host]=$(wg pubkey <"$secret")
    lab_spawn "$host" "wg-$host" env WG_PROCESS_FOREGROUND=1 wireguard-go -f "$interface"
    lab_wait 5 test -S "/var/run/wireguard/$interface.sock" || lab_die "wireguard-go did not start"
    wg set "$interface" private-key "$secret" listen-port "$port"
    lab_ip "$host" addr add "$address" dev "$interface"
    lab_ip "$host" link set "$interface" up mtu 1420
}

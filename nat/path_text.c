// SPDX-License-Identifier: GPL-3.0-or-later
//
// The path machine's words for people and metrics.
#include "nat/path.h"

const char *path_state_name(enum path_state state)
{
    switch (state) {
    case PATH_IDLE:
        return "idle";
    case PATH_PUNCHING:
        return "punching";
    case PATH_PROBING:
        return "probing";
    case PATH_VALIDATED:
        return "validated";
    case PATH_CONNECTED:
        return "connected";
    case PATH_BACKOFF:
        return "backoff";
    }
    return "unknown";
}

const char *path_rung_name(enum path_rung rung)
{
    switch (rung) {
    case PATH_RUNG_NONE:
        return "none";
    case PATH_RUNG_LAN:
        return "lan";
    case PATH_RUNG_PUBLIC:
        return "public";
    case PATH_RUNG_REFLEXIVE:
        return "punched";
    }
    return "unknown";
}

const char *path_why_text(enum path_why why)
{
    switch (why) {
    case PATH_WHY_NONE:
        return "nothing is wrong";
    case PATH_WHY_NO_CANDIDATES:
        return "the peer names no address that this node may send to; it may not have found its "
               "own yet";
    case PATH_WHY_OWN_UDP_BLOCKED:
        return "no reflector answers this node: outgoing UDP seems to be blocked here";
    case PATH_WHY_PEER_SILENT:
        return "the peer has not answered the intent; it may be offline or may not admit this node";
    case PATH_WHY_NO_ANSWER:
        return "the peer answered the intent, but none of its addresses answered a probe; a "
               "firewall may drop its UDP port";
    case PATH_WHY_BOTH_HARD:
        return "both NATs give every destination another port; forward the UDP port at one of "
               "them";
    case PATH_WHY_HARD_TO_EASY:
        return "one NAT gives every destination another port and the other admits only known "
               "ports; forward the UDP port at one of them";
    case PATH_WHY_PROBE_LIMIT:
        return "the limit of unanswered probes to the peer's network is reached; it ends after 10 "
               "minutes";
    case PATH_WHY_NO_HANDSHAKE:
        return "the peer answers probes, but WireGuard makes no handshake; one of the two clocks "
               "may have been set back";
    case PATH_WHY_RX_SILENT:
        return "nothing is received from the peer any more";
    }
    return "unknown";
}

const char *path_note_text(enum path_note note)
{
    switch (note) {
    case PATH_NOTE_NONE:
        return "";
    case PATH_NOTE_OWN_SINGLE_REFLECTOR:
        return "the own public address rests on the word of a single network of reflectors";
    case PATH_NOTE_THROUGH_NAT:
        return "through NAT: stays up as long as the keepalives pass";
    }
    return "unknown";
}

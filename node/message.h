// SPDX-License-Identifier: GPL-3.0-or-later
//
// Messages between members, inside their tunnels: UDP datagrams on MEMBER_PORT of the overlay IPv6
// addresses. WireGuard has authenticated and encrypted them, so the source address names the token
// that speaks; a message still is input from outside and is checked as such.
//
//     0               1               2
//    +---------------+---------------+----------------------
//    | version = 1   | kind          | body, by kind
//    +---------------+---------------+----------------------
//
//    hello    u8 count | count x token 32 B | u16 size | record           what the sender knows
//    forward  token 32 B | u16 size | record | u16 size | intent          please hand on to that
//    one deliver  token 32 B | u16 size | record | u16 size | intent          from that one,
//    through me ping     16 B                                                        opaque to the
//    receiver pong     16 B                                                        the ping's bytes
//    retired  token 32 B | u16 size | tombstone                           its owner says so
#pragma once

#include "base/ids.h"

enum {
    MEMBER_PORT = 51822,
    MESSAGE_MAX_SIZE = 1200, // passes every tunnel unfragmented (IPv6 minimum MTU less headers)
    MESSAGE_TOKENS_MAX = 20,
    MESSAGE_BLOB_MAX = 512, // a record or a sealed intent
    MESSAGE_PING_SIZE = 16,
};

enum message_kind {
    MESSAGE_HELLO = 1,
    MESSAGE_FORWARD = 2,
    MESSAGE_DELIVER = 3,
    MESSAGE_PING = 4,
    MESSAGE_PONG = 5,
    MESSAGE_RETIRED = 6,
};

struct message {
    enum message_kind kind;
    struct token_id token;                      // forward: target; deliver: origin; retired
    struct token_id tokens[MESSAGE_TOKENS_MAX]; // hello
    uint8_t token_count;
    struct span record; // hello, forward, deliver: may be empty; retired: the tombstone
    struct span intent; // forward, deliver; never empty
    uint8_t ping[MESSAGE_PING_SIZE];
};

// Writes `message` to `writer`. ERR_FULL if it does not fit, ERR_RANGE if a part is over its limit.
enum status message_encode(const struct message *message, struct writer *writer);

// The spans of `ret` point into `bytes`. ERR_VERSION, ERR_UNSUPPORTED (another kind), ERR_RANGE,
// ERR_TRUNCATED, ERR_TRAILING: drop it and count.
enum status message_decode(struct span bytes, struct message *ret);

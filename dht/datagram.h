// SPDX-License-Identifier: GPL-3.0-or-later
//
// OpenDHT's datagrams (msgpack maps), read strictly before OpenDHT sees them and edited before they
// leave. Bounded: one pass, DATAGRAM_DEPTH levels, no allocation; the views point into the bytes.
//
//   {"a": {"id": 20 B, "h": 20 B, "token": 32 B, ...}, "q": "get", "t": 4, "y": "q", "v": "RNG1",
//    "n": 7}                                                       a query
//   {"r": {"id": 20 B, "sa": 4 B, "n4": 26 B each, "token": 32 B, "values": [...]}, "t": 4, ...}
//                                                                  an answer; an error adds "e"
//   {"p": {0: {"o": 0, "d": bytes}}, "t": 4, "y": "v", "n": 7}     a part of a value
//
// OpenDHT takes the first of two equal keys and keys of several types; to be sure that it reads
// what was read here, keys are strings and known keys occur once, else the datagram is malformed.
#pragma once

#include "base/bytes.h"

enum {
    DATAGRAM_DEPTH = 8,
    DATAGRAM_NODES_MAX = 20,  // OpenDHT sends 8
    DATAGRAM_ID_SIZE = 20,    // of a node and of a key
    DATAGRAM_NODE4_SIZE = 26, // id, IPv4, port
    DATAGRAM_NODE6_SIZE = 38,
};

enum datagram_kind {
    DATAGRAM_PING,
    DATAGRAM_FIND,
    DATAGRAM_GET,
    DATAGRAM_PUT,
    DATAGRAM_LISTEN,
    DATAGRAM_REFRESH,
    DATAGRAM_UPDATE, // a storing node tells a listener
    DATAGRAM_REPLY,
    DATAGRAM_ERROR,
    DATAGRAM_PART,
};

static inline bool datagram_is_query(enum datagram_kind kind)
{
    return kind < DATAGRAM_REPLY;
}

struct datagram {
    enum datagram_kind kind;
    bool client; // `ro` (BEP 43) or OpenDHT's own `s`
    uint32_t network;
    uint32_t tid;
    struct span id;    // of the sending node; empty in a part and in some errors
    struct span hash;  // get, put, listen, refresh, update; else empty
    struct span token; // empty if none
    uint64_t value_id; // refresh, and the answer to a put; 0 if none
    bool has_socket;
    uint32_t socket; // listen: where updates shall go; update: that
    struct span nodes4;
    struct span nodes6;
    struct span values_key; // the characters "values" or "fields", so that they can be defaced
    struct span values;     // the elements of the array
    uint32_t values_count;
    uint32_t parts_count; // elements that are only announced by size, to follow in parts
    uint32_t parts_bytes; // their sizes together
    uint32_t part_bytes;  // of a part: its data
};

// ERR_TRUNCATED, ERR_TRAILING, ERR_MALFORMED, ERR_RANGE, ERR_UNSUPPORTED (a kind that no current
// OpenDHT sends): drop it.
enum status datagram_parse(struct span bytes, struct datagram *ret);

// A value as it stands in a put, a reply or an update.
struct datagram_value {
    uint64_t id;
    bool plain; // type 0, neither signed nor encrypted: the only kind that we take
    struct span content;
};

// The next of `values_count` elements of `values`; advances it. ERR_MALFORMED, ERR_UNSUPPORTED
// (only announced by size).
enum status datagram_next_value(struct span *values, struct datagram_value *ret);

// A datagram that is being edited in the caller's buffer.
struct datagram_edit {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

// Adds `ro` and `s` at the top, and zeroes up to `padded_size` if it is shorter. Unchanged when it
// does not fit.
void datagram_mark_client(struct datagram_edit *edit, bool client, size_t padded_size);

// Removes the node at `index` from a list that datagram_parse found in the same buffer; the views
// in `datagram` stay right. `list` is its nodes4 or nodes6.
void datagram_remove_node(
    struct datagram_edit *edit, struct datagram *datagram, struct span *list, size_t index);

// Makes OpenDHT overlook the values of a reply or an update, in place.
void datagram_hide_values(struct datagram_edit *edit, const struct datagram *datagram);

// Writes the put (or, with `value` NULL, the refresh of a value that nobody has) that OpenDHT is to
// see for the one that came in. ERR_FULL if it does not fit.
enum status datagram_rebuild(
    const struct datagram *datagram, const struct datagram_value *value, struct datagram_edit *ret);

// A ping by node `id`.
enum status datagram_write_ping(
    struct span id, uint32_t network, uint32_t tid, bool client, struct datagram_edit *ret);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// STUN messages (RFC 8489): the framing of every datagram that Deedmesh itself sends, from
// WireGuard's port and from the DHT's. One socket filter on the magic cookie finds them all, and
// none can be read as WireGuard (whose first word is 1 to 4, little-endian).
//
//     0                   1                   2                   3
//     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//    +---+---------------------------+-------------------------------+
//    |0 0|  method and class         |  length of the attributes     |
//    +---+---------------------------+-------------------------------+
//    |  magic cookie 0x2112A442                                      |
//    +---------------------------------------------------------------+
//    |  transaction id (96 bits)                                     |
//    |                                                               |
//    |                                                               |
//    +-------------------------------+-------------------------------+
//    |  attribute type               |  value length, without pad    |   repeated
//    +-------------------------------+-------------------------------+
//    |  value, padded with zeroes to a multiple of 4                 |
//    +---------------------------------------------------------------+
//
// Methods: Binding (0x001) and two of our own from the range that IANA assigns by expert review:
//
//    INTENT    0x0D1  indication: [RECORD] INTENT
//    MANIFEST  0x0D2  request: PAD / success: MANIFEST
//
// Attributes of our own, all comprehension-optional, so that a stock STUN server ignores them:
//
//    PAD       0xDEE0  zeroes; makes a request as long as its answer
//    RECORD    0xDEE1  the sender's record, as it stands in the DHT (at most 500 B)
//    INTENT    0xDEE2  a sealed intent (at most 600 B)
//    MANIFEST  0xDEE3  the network's manifest (at most 500 B)
//    MAC       0xDEE4  8-byte tag of the pair, 16-byte MAC; last before FINGERPRINT (nat/probe.h)
//
// PAD and not PADDING (RFC 5780): PADDING is comprehension-required, so a server without RFC 5780
// refuses it. PADDING from others is tolerated.
#pragma once

#include "base/address.h"
#include "base/bytes.h"
#include "base/rng.h"

enum stun_kind {
    STUN_REQUEST = 0,
    STUN_INDICATION = 1,
    STUN_SUCCESS = 2,
    STUN_ERROR = 3,
};

enum stun_method {
    STUN_BINDING = 0x001,
    STUN_INTENT = 0x0D1,
    STUN_MANIFEST = 0x0D2,
};

enum {
    STUN_HEADER_SIZE = 20,
    STUN_TRANSACTION_SIZE = 12,
    STUN_RECORD_MAX = 500,
    STUN_INTENT_MAX = 600,
    STUN_MANIFEST_MAX = 500,
    STUN_TAG_SIZE = 8,
    STUN_MAC_SIZE = 16,
    // A datagram of ours never fragments: IPv6's minimum MTU less IPv6 and UDP headers.
    STUN_MESSAGE_MAX = 1232,
    STUN_BINDING_REQUEST_SIZE = 44, // as long as an answer with an IPv6 address
    STUN_MANIFEST_REQUEST_SIZE = STUN_HEADER_SIZE + 4 + STUN_MANIFEST_MAX,
    STUN_UNKNOWN_MAX = 4,
    STUN_ERROR_UNKNOWN_ATTRIBUTE = 420,
};

// Drawn from the rng for each request, never reused: an answer must carry it back.
struct stun_transaction {
    uint8_t bytes[STUN_TRANSACTION_SIZE];
};

// What stun_decode understood. Spans point into the decoded datagram.
struct stun_message {
    enum stun_kind kind;
    enum stun_method method;
    struct stun_transaction transaction;
    struct address mapped; // XOR-MAPPED-ADDRESS, else MAPPED-ADDRESS; unset if neither came
    uint16_t error_code;   // STUN_ERROR: 300-699
    struct span record;    // empty = absent
    struct span intent;    // empty = absent
    struct span manifest;  // empty = absent
    bool has_mac;          // a probe: see probe_check
    uint8_t tag[STUN_TAG_SIZE];
    uint8_t mac[STUN_MAC_SIZE];
    struct span authenticated; // the datagram up to the MAC attribute
    size_t size;               // of the whole datagram
    // Comprehension-required types that this program does not know. Only a request can have any
    // (it is to be answered with error 420, as reflector_answer does).
    uint16_t unknown[STUN_UNKNOWN_MAX];
    uint8_t unknown_count;
};

// True if the datagram starts as STUN does: top bits 00 and the magic cookie. For telling STUN
// from OpenDHT and WireGuard; promises nothing about the rest.
bool stun_is(struct span datagram);

// Decodes one whole datagram. Failures, all of which mean "drop and count":
// ERR_TRUNCATED (shorter than it says), ERR_TRAILING (longer than it says), ERR_MALFORMED (no
// STUN, a broken attribute, one of ours twice, or none where one must stand), ERR_TOO_LARGE (a
// value beyond its maximum above), ERR_MISMATCH (FINGERPRINT is wrong), ERR_UNSUPPORTED (a method
// that is not ours, or an answer or indication with an unknown comprehension-required attribute).
enum status stun_decode(struct span datagram, struct stun_message *ret);

struct stun_transaction stun_transaction_draw(struct rng *rng);
bool stun_transaction_equal(const struct stun_transaction *a, const struct stun_transaction *b);

// Each encoder appends one whole datagram to an empty writer; ERR_FULL if it has no room (a
// capacity of STUN_MESSAGE_MAX always suffices).

// STUN_BINDING_REQUEST_SIZE bytes; understood by any STUN server.
enum status stun_encode_binding_request(
    struct writer *writer, const struct stun_transaction *transaction);

enum status stun_encode_binding_success(struct writer *writer,
    const struct stun_transaction *transaction, const struct address *mapped);

// `code` 300-699, without a reason phrase; `unknown` is empty unless the code is 420.
enum status stun_encode_binding_error(struct writer *writer,
    const struct stun_transaction *transaction, uint16_t code, const uint16_t *unknown,
    size_t unknown_count);

// `record` may be empty. ERR_TOO_LARGE beyond the maxima above; ERR_MALFORMED if `intent` is empty.
enum status stun_encode_intent(struct writer *writer, const struct stun_transaction *transaction,
    struct span record, struct span intent);

// STUN_MANIFEST_REQUEST_SIZE bytes.
enum status stun_encode_manifest_request(
    struct writer *writer, const struct stun_transaction *transaction);

// ERR_MALFORMED if `manifest` is empty, ERR_TOO_LARGE beyond STUN_MANIFEST_MAX.
enum status stun_encode_manifest_success(
    struct writer *writer, const struct stun_transaction *transaction, struct span manifest);

// The parts from which the above are made; for nat/ and tests.
void stun_begin(struct writer *writer, enum stun_kind kind, enum stun_method method,
    const struct stun_transaction *transaction);
void stun_put_attribute(struct writer *writer, uint16_t type, struct span value);
// XOR-MAPPED-ADDRESS; needs the transaction that stun_begin wrote.
void stun_put_mapped(struct writer *writer, const struct address *mapped);
// Pads with PAD so that the whole message will be `size` bytes; nothing if it is that long already.
void stun_put_pad(struct writer *writer, size_t size);
void stun_put_fingerprint(struct writer *writer);
// Fills in the length. The writer's first failure, or OK.
enum status stun_end(struct writer *writer);

enum {
    STUN_ATTRIBUTE_PAD = 0xDEE0,
    STUN_ATTRIBUTE_RECORD = 0xDEE1,
    STUN_ATTRIBUTE_INTENT = 0xDEE2,
    STUN_ATTRIBUTE_MANIFEST = 0xDEE3,
    STUN_ATTRIBUTE_MAC = 0xDEE4,
};

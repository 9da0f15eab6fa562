// SPDX-License-Identifier: GPL-3.0-or-later
//
// WireGuard's userspace protocol: writing requests and reading answers.
#include "wg/uapi.h"

#include "base/text.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
    KEY_HEX_SIZE = 65,
    NUMBER_DIGITS_MAX = 20, // 2^64 - 1
    NS_PER_S = 1000000000,
};

// --- writing -------------------------------------------------------------------------------------

static void write_text(struct writer *writer, const char *text)
{
    write_span(writer, span_of_text(text));
}

static void write_line(struct writer *writer, const char *key, const char *value)
{
    write_text(writer, key);
    write_text(writer, "=");
    write_text(writer, value);
    write_text(writer, "\n");
}

static void write_number(struct writer *writer, const char *key, uint32_t value)
{
    char text[NUMBER_DIGITS_MAX + 1];
    (void)snprintf(text, sizeof text, "%u", (unsigned)value);
    write_line(writer, key, text);
}

static void write_key(struct writer *writer, const char *key, const uint8_t bytes[static 32])
{
    char hex[KEY_HEX_SIZE];
    hex_format(span_of(bytes, 32), hex);
    write_line(writer, key, hex);
    sodium_memzero(hex, sizeof hex);
}

void uapi_write_get(struct writer *writer)
{
    write_text(writer, "get=1\n\n");
}

void uapi_write_set_begin(struct writer *writer)
{
    write_text(writer, "set=1\n");
}

void uapi_write_set_end(struct writer *writer)
{
    write_text(writer, "\n");
}

void uapi_write_config(struct writer *writer, const struct wg_config *config)
{
    if (config->set_key) {
        write_key(writer, "private_key", config->key.bytes);
    }
    if (config->set_fwmark) {
        write_number(writer, "fwmark", config->fwmark);
    }
    // The port comes last: it is the one that can fail.
    if (config->set_listen_port) {
        write_number(writer, "listen_port", config->listen_port);
    }
}

static void write_allowed(struct writer *writer, const struct wg_op *op)
{
    char text[ADDRESS_TEXT_SIZE];
    if (op->replace_allowed) {
        write_line(writer, "replace_allowed_ips", "true");
    }
    for (size_t i = 0; i < op->peer.allowed_count; i++) {
        prefix_format(&op->peer.allowed[i], text);
        write_line(writer, "allowed_ip", text);
    }
}

void uapi_write_op(struct writer *writer, const struct wg_op *op)
{
    if (op->kind == WG_OP_REFUSE) {
        return;
    }
    ASSERT(op->peer.allowed_count <= WG_ALLOWED_MAX);
    write_key(writer, "public_key", op->peer.key.bytes);
    if (op->kind == WG_OP_REMOVE) {
        write_line(writer, "remove", "true");
        return;
    }
    if (op->kind == WG_OP_UPDATE) {
        write_line(writer, "update_only", "true");
    }
    if (op->set_endpoint) {
        char text[ADDRESS_TEXT_SIZE];
        address_format(&op->peer.endpoint, text);
        write_line(writer, "endpoint", text);
    }
    if (op->set_allowed) {
        write_allowed(writer, op);
    }
    // Last: its step from 0 makes the device initiate, with all of the above in place.
    if (op->set_keepalive) {
        write_number(writer, "persistent_keepalive_interval", op->peer.keepalive_s);
    }
}

// --- reading -------------------------------------------------------------------------------------

struct line {
    struct span key;
    struct span value;
};

// Cuts the next line off `rest`. An empty line has an empty key. ERR_TRUNCATED: no line end.
// ERR_MALFORMED: no "=".
static enum status next_line(struct span *rest, struct line *ret)
{
    const uint8_t *end = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);
    if (end == NULL) {
        return ERR_TRUNCATED;
    }
    struct span text = span_of(rest->data, (size_t)(end - rest->data));
    const uint8_t *equals = text.size == 0 ? NULL : memchr(text.data, '=', text.size);
    if (text.size > 0 && (equals == NULL || equals == text.data)) {
        return ERR_MALFORMED;
    }
    size_t key_size = equals == NULL ? 0 : (size_t)(equals - text.data);
    ret->key = span_of(text.data, key_size);
    ret->value = equals == NULL ? span_of(NULL, 0) : span_of(equals + 1, text.size - key_size - 1);
    *rest = span_of(end + 1, rest->size - text.size - 1);
    return OK;
}

static bool line_is(const struct line *line, const char *key)
{
    return span_equal(line->key, span_of_text(key));
}

// A number out of its range is no answer of WireGuard's, like one that is none.
static enum status parse_number(struct span text, uint64_t max, uint64_t *ret)
{
    return decimal_parse(text, max, ret) == OK ? OK : ERR_MALFORMED;
}

// The errno line: an optional minus sign (wireguard-go writes one), then digits.
static enum status parse_errno(struct span text, uint32_t *ret)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    uint64_t number = 0;
    struct span digits = negative ? span_of(text.data + 1, text.size - 1) : text;
    enum status status = parse_number(digits, INT32_MAX, &number);
    if (status == OK) {
        *ret = (uint32_t)number;
    }
    return status;
}

// An endpoint that has no form of ours (a port of 0, set by hand on a foreign peer) counts as
// unset: one odd peer must not hide the whole device. A zone ("fe80::1%eth0") is cut off.
static struct address parse_endpoint(struct span text)
{
    static const uint8_t mapped_ipv4[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t buffer[ADDRESS_TEXT_SIZE];
    struct address address = {.family = FAMILY_NONE};
    size_t size = 0;
    bool in_zone = false;
    for (size_t i = 0; i < text.size && size < sizeof buffer; i++) {
        in_zone = text.data[i] != ']' && (in_zone || text.data[i] == '%');
        if (!in_zone) {
            buffer[size++] = text.data[i];
        }
    }
    if (address_parse(span_of(buffer, size), true, &address) != OK) {
        return (struct address){.family = FAMILY_NONE};
    }
    if (address.family == FAMILY_IPV6 && memcmp(address.ip, mapped_ipv4, sizeof mapped_ipv4) == 0) {
        return address_of_ipv4(
            address.ip[12], address.ip[13], address.ip[14], address.ip[15], address.port);
    }
    return address;
}

static enum status parse_private_key(struct span text, struct wg_device_state *state)
{
    struct wg_secret secret;
    enum status status = hex_parse(text, secret.bytes, sizeof secret.bytes);
    if (status == OK && sodium_is_zero(secret.bytes, sizeof secret.bytes) == 0) {
        state->has_key = crypto_scalarmult_base(state->key.bytes, secret.bytes) == 0;
    }
    sodium_memzero(&secret, sizeof secret);
    return status;
}

static enum status parse_device_line(const struct line *line, struct wg_device_state *state)
{
    uint64_t number = 0;
    enum status status = OK;
    if (line_is(line, "private_key")) {
        return parse_private_key(line->value, state);
    }
    if (line_is(line, "listen_port")) {
        status = parse_number(line->value, UINT16_MAX, &number);
        state->listen_port = (uint16_t)number;
    } else if (line_is(line, "fwmark")) {
        status = parse_number(line->value, UINT32_MAX, &number);
        state->fwmark = (uint32_t)number;
    }
    return status;
}

static enum status begin_peer(struct span value, struct wg_device_state *state)
{
    if (state->peer_count == state->peer_capacity) {
        return ERR_FULL;
    }
    struct wg_peer_state peer = {.allowed_first = (uint32_t)state->allowed_count};
    enum status status = hex_parse(value, peer.key.bytes, sizeof peer.key.bytes);
    if (status == OK) {
        state->peers[state->peer_count++] = peer;
    }
    return status;
}

static enum status parse_allowed(struct span value, struct wg_device_state *state)
{
    if (state->allowed_count == state->allowed_capacity) {
        return ERR_FULL;
    }
    struct prefix prefix;
    if (prefix_parse(value, &prefix) != OK) {
        return ERR_MALFORMED;
    }
    state->allowed[state->allowed_count++] = prefix;
    state->peers[state->peer_count - 1].allowed_count++;
    return OK;
}

static enum status parse_peer_line(const struct line *line, struct wg_device_state *state)
{
    struct wg_peer_state *peer = &state->peers[state->peer_count - 1];
    uint64_t number = 0;
    enum status status = OK;
    if (line_is(line, "endpoint")) {
        peer->endpoint = parse_endpoint(line->value);
    } else if (line_is(line, "last_handshake_time_sec")) {
        status = parse_number(line->value, UINT64_MAX / NS_PER_S - 1, &number);
        peer->handshake_unix_ns = number * NS_PER_S;
    } else if (line_is(line, "last_handshake_time_nsec")) {
        status = parse_number(line->value, NS_PER_S - 1, &number);
        peer->handshake_unix_ns = peer->handshake_unix_ns / NS_PER_S * NS_PER_S + number;
    } else if (line_is(line, "rx_bytes")) {
        status = parse_number(line->value, UINT64_MAX, &peer->rx_bytes);
    } else if (line_is(line, "tx_bytes")) {
        status = parse_number(line->value, UINT64_MAX, &peer->tx_bytes);
    } else if (line_is(line, "persistent_keepalive_interval")) {
        status = parse_number(line->value, UINT16_MAX, &number);
        peer->keepalive_s = (uint16_t)number;
    } else if (line_is(line, "allowed_ip")) {
        status = parse_allowed(line->value, state);
    }
    return status;
}

enum status uapi_parse_state(struct span text, struct wg_device_state *ret, uint32_t *ret_errno)
{
    struct wg_device_state state = {
        .peers = ret->peers,
        .peer_capacity = ret->peer_capacity,
        .allowed = ret->allowed,
        .allowed_capacity = ret->allowed_capacity,
    };
    uint32_t error = 0;
    bool answered = false;
    for (;;) {
        struct line line;
        enum status status = next_line(&text, &line);
        if (status == OK && line.key.size == 0) {
            break;
        }
        if (status == OK && answered) {
            status = ERR_MALFORMED; // errno is the last line
        } else if (status == OK && line_is(&line, "errno")) {
            status = parse_errno(line.value, &error);
            answered = true;
        } else if (status == OK && line_is(&line, "public_key")) {
            status = begin_peer(line.value, &state);
        } else if (status == OK) {
            status = state.peer_count == 0 ? parse_device_line(&line, &state)
                                           : parse_peer_line(&line, &state);
        }
        if (status != OK) {
            return status;
        }
    }
    if (!answered || text.size != 0) {
        return ERR_MALFORMED;
    }
    if (error == 0) {
        *ret = state;
    }
    *ret_errno = error;
    return OK;
}

enum status uapi_parse_reply(struct span text, uint32_t *ret_errno)
{
    struct wg_device_state none = {.peer_capacity = 0};
    enum status status = uapi_parse_state(text, &none, ret_errno);
    return status == ERR_FULL ? ERR_MALFORMED : status;
}

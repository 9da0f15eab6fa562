// SPDX-License-Identifier: GPL-3.0-or-later
//
// Edits of OpenDHT's datagrams on their way in and out, and the few that we write ourselves.
#include "dht/datagram.h"

#include <string.h>

// --- edits in place ------------------------------------------------------------------------------

static const uint8_t client_marks[] = {0xa2, 'r', 'o', 0xc3, 0xa1, 's', 0xc3};

enum {
    MAP_HEAD = 0x80, // up to 15 pairs
    MAP_PAIRS_MAX = 15,
    PAD_HEAD_SIZE = 6, // "pad" and the head of a short binary
    PAD_MAX = 255,
};

void datagram_mark_client(struct datagram_edit *edit, bool client, size_t padded_size)
{
    if (edit->size == 0 || (edit->data[0] & 0xf0U) != MAP_HEAD) {
        return;
    }
    unsigned pairs = edit->data[0] & 0x0fU;
    if (client && pairs + 2 <= MAP_PAIRS_MAX &&
        edit->size + sizeof(client_marks) <= edit->capacity) {
        memcpy(edit->data + edit->size, client_marks, sizeof(client_marks));
        edit->size += sizeof(client_marks);
        pairs += 2;
    }
    if (edit->size + PAD_HEAD_SIZE < padded_size && padded_size <= edit->capacity &&
        pairs < MAP_PAIRS_MAX) {
        const size_t left = padded_size - edit->size - PAD_HEAD_SIZE;
        const size_t zeroes = left > PAD_MAX ? PAD_MAX : left;
        const uint8_t head[PAD_HEAD_SIZE] = {0xa3, 'p', 'a', 'd', 0xc4, (uint8_t)zeroes};
        memcpy(edit->data + edit->size, head, sizeof(head));
        memset(edit->data + edit->size + sizeof(head), 0, zeroes);
        edit->size += sizeof(head) + zeroes;
        pairs++;
    }
    edit->data[0] = (uint8_t)(MAP_HEAD | pairs);
}

// Views that lie behind the cut move with the bytes.
static void shift_views(struct datagram *datagram, const uint8_t *cut, size_t size)
{
    struct span *views[] = {&datagram->id, &datagram->hash, &datagram->token, &datagram->nodes4,
        &datagram->nodes6, &datagram->values_key, &datagram->values};
    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        if (views[i]->size > 0 && views[i]->data > cut) {
            views[i]->data -= size;
        }
    }
}

void datagram_remove_node(
    struct datagram_edit *edit, struct datagram *datagram, struct span *list, size_t index)
{
    const size_t node_size = list == &datagram->nodes4 ? DATAGRAM_NODE4_SIZE : DATAGRAM_NODE6_SIZE;
    ASSERT((index + 1) * node_size <= list->size);
    const size_t begin = (size_t)(list->data - edit->data);
    const size_t cut = begin + index * node_size;
    const size_t left = list->size - node_size;
    // The size stands right before the bytes, in one or two of its own; the key stands before it,
    // so the byte that tells the two apart is never a character.
    if (edit->data[begin - 2] == 0xc4 && edit->data[begin - 1] == list->size) {
        edit->data[begin - 1] = (uint8_t)left;
    } else {
        edit->data[begin - 2] = (uint8_t)(left >> 8);
        edit->data[begin - 1] = (uint8_t)left;
    }
    memmove(edit->data + cut, edit->data + cut + node_size, edit->size - cut - node_size);
    edit->size -= node_size;
    shift_views(datagram, edit->data + cut, node_size);
    list->data = edit->data + begin;
    list->size = left;
}

void datagram_hide_values(struct datagram_edit *edit, const struct datagram *datagram)
{
    if (datagram->values_key.size > 0) {
        edit->data[datagram->values_key.data - edit->data] = 'x'; // no one knows "xalues"
    }
}

// --- writing -------------------------------------------------------------------------------------

static void write_text(struct writer *writer, const char *text)
{
    const struct span bytes = span_of_text(text);
    write_u8(writer, (uint8_t)(0xa0U | bytes.size)); // all of ours are shorter than 32
    write_span(writer, bytes);
}

static void write_blob(struct writer *writer, struct span bytes)
{
    if (bytes.size <= UINT8_MAX) {
        write_u8(writer, 0xc4);
        write_u8(writer, (uint8_t)bytes.size);
    } else {
        write_u8(writer, 0xc5);
        write_u16(writer, (uint16_t)bytes.size);
    }
    write_span(writer, bytes);
}

static void write_map(struct writer *writer, unsigned pairs)
{
    write_u8(writer, (uint8_t)(MAP_HEAD | pairs));
}

// The top-level pairs after the first: q, t, y, v, n and the client's flag.
static void write_tail(struct writer *writer, const char *query, const struct datagram *datagram)
{
    write_text(writer, "q");
    write_text(writer, query);
    write_text(writer, "t");
    write_u8(writer, 0xce);
    write_u32(writer, datagram->tid);
    write_text(writer, "y");
    write_text(writer, "q");
    write_text(writer, "v");
    write_text(writer, "RNG1");
    if (datagram->network != 0) {
        write_text(writer, "n");
        write_u8(writer, 0xce);
        write_u32(writer, datagram->network);
    }
    if (datagram->client) {
        write_bytes(writer, client_marks, sizeof(client_marks));
    }
}

static unsigned tail_pairs(const struct datagram *datagram)
{
    return 4U + (datagram->network != 0 ? 1 : 0) + (datagram->client ? 2 : 0);
}

static enum status finish(const struct writer *writer, struct datagram_edit *ret)
{
    const enum status status = writer_finish(writer);
    if (status == OK) {
        ret->size = writer->size;
    }
    return status;
}

static void write_value(struct writer *writer, const struct datagram_value *value)
{
    write_u8(writer, 0x91); // an array of one
    write_map(writer, 2);
    write_text(writer, "id");
    write_u8(writer, 0xcf);
    write_u64(writer, value->id);
    write_text(writer, "dat");
    write_map(writer, 1);
    write_text(writer, "body");
    write_map(writer, 3);
    write_text(writer, "type");
    write_u8(writer, 0);
    write_text(writer, "data");
    write_blob(writer, value->content);
    // OpenDHT renews a value that equals a stored one by itself. Stored values have no user type,
    // so none equals one that came in, and the storage policy is asked each time.
    write_text(writer, "utype");
    write_text(writer, "in");
}

enum status datagram_rebuild(
    const struct datagram *datagram, const struct datagram_value *value, struct datagram_edit *ret)
{
    struct writer writer = writer_of(ret->data, ret->capacity);
    write_map(&writer, 1 + tail_pairs(datagram));
    write_text(&writer, "a");
    write_map(&writer, 4);
    write_text(&writer, "id");
    write_blob(&writer, datagram->id);
    write_text(&writer, "h");
    write_blob(&writer, datagram->hash);
    if (value != NULL) {
        write_text(&writer, "values");
        write_value(&writer, value);
    } else {
        write_text(&writer, "vid");
        write_u8(&writer, 0); // the id that no value has
    }
    write_text(&writer, "token");
    write_blob(&writer, datagram->token);
    write_tail(&writer, value != NULL ? "put" : "refresh", datagram);
    return finish(&writer, ret);
}

enum status datagram_write_ping(
    struct span id, uint32_t network, uint32_t tid, bool client, struct datagram_edit *ret)
{
    const struct datagram ping = {.network = network, .tid = tid, .client = client};
    struct writer writer = writer_of(ret->data, ret->capacity);
    write_map(&writer, 1 + tail_pairs(&ping));
    write_text(&writer, "a");
    write_map(&writer, 1);
    write_text(&writer, "id");
    write_blob(&writer, id);
    write_tail(&writer, "ping", &ping);
    return finish(&writer, ret);
}

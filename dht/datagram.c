// SPDX-License-Identifier: GPL-3.0-or-later
//
// A small msgpack reader for OpenDHT's datagrams, and the few edits that the filter makes.
#include "dht/datagram.h"

#include <string.h>

// --- msgpack -------------------------------------------------------------------------------------

enum item_kind {
    ITEM_NIL,
    ITEM_BOOL,
    ITEM_UINT,
    ITEM_NEGATIVE,
    ITEM_TEXT,
    ITEM_BIN,
    ITEM_ARRAY,
    ITEM_MAP,
    ITEM_OTHER, // floats and extensions
};

struct item {
    enum item_kind kind;
    uint64_t number;   // the value, or the count of an array (elements) or map (pairs)
    struct span bytes; // text, bin
};

static uint64_t read_sized(struct reader *reader, unsigned log2_size)
{
    switch (log2_size) {
    case 0:
        return read_u8(reader);
    case 1:
        return read_u16(reader);
    case 2:
        return read_u32(reader);
    default:
        return read_u64(reader);
    }
}

static struct item read_bytes_item(struct reader *reader, enum item_kind kind, uint64_t size)
{
    if (size > reader->rest.size) {
        reader_fail(reader, ERR_TRUNCATED);
        return (struct item){.kind = ITEM_NIL};
    }
    return (struct item){.kind = kind, .bytes = read_span(reader, (size_t)size)};
}

static struct item read_count_item(struct reader *reader, enum item_kind kind, uint64_t count)
{
    // Each element takes a byte at least: no count can be larger than what is left.
    if (count > reader->rest.size) {
        reader_fail(reader, ERR_TRUNCATED);
        return (struct item){.kind = ITEM_NIL};
    }
    return (struct item){.kind = kind, .number = count};
}

// Heads from 0xc0 to 0xdf, which carry their size after them.
static struct item read_long_item(struct reader *reader, uint8_t head)
{
    switch (head) {
    case 0xc0:
        return (struct item){.kind = ITEM_NIL};
    case 0xc2:
    case 0xc3:
        return (struct item){.kind = ITEM_BOOL, .number = head & 1};
    case 0xc4:
    case 0xc5:
    case 0xc6:
        return read_bytes_item(reader, ITEM_BIN, read_sized(reader, head - 0xc4U));
    case 0xca:
        (void)read_u32(reader);
        return (struct item){.kind = ITEM_OTHER};
    case 0xcb:
        (void)read_u64(reader);
        return (struct item){.kind = ITEM_OTHER};
    case 0xcc:
    case 0xcd:
    case 0xce:
    case 0xcf:
        return (struct item){.kind = ITEM_UINT, .number = read_sized(reader, head - 0xccU)};
    case 0xd0:
    case 0xd1:
    case 0xd2:
    case 0xd3:
        (void)read_sized(reader, head - 0xd0U);
        return (struct item){.kind = ITEM_NEGATIVE};
    case 0xd9:
    case 0xda:
    case 0xdb:
        return read_bytes_item(reader, ITEM_TEXT, read_sized(reader, head - 0xd9U));
    case 0xdc:
    case 0xdd:
        return read_count_item(reader, ITEM_ARRAY, read_sized(reader, head - 0xdcU + 1));
    case 0xde:
    case 0xdf:
        return read_count_item(reader, ITEM_MAP, read_sized(reader, head - 0xdeU + 1));
    default: // 0xc1 is unused; extensions have no place here
        reader_fail(reader, ERR_MALFORMED);
        return (struct item){.kind = ITEM_NIL};
    }
}

static struct item read_item(struct reader *reader)
{
    const uint8_t head = read_u8(reader);
    if (head < 0x80) {
        return (struct item){.kind = ITEM_UINT, .number = head};
    }
    if (head < 0x90) {
        return read_count_item(reader, ITEM_MAP, head & 0x0fU);
    }
    if (head < 0xa0) {
        return read_count_item(reader, ITEM_ARRAY, head & 0x0fU);
    }
    if (head < 0xc0) {
        return read_bytes_item(reader, ITEM_TEXT, head & 0x1fU);
    }
    if (head < 0xe0) {
        return read_long_item(reader, head);
    }
    return (struct item){.kind = ITEM_NEGATIVE};
}

// Skips what follows the head `item`.
static void skip_content(struct reader *reader, struct item item) // NOLINT(misc-no-recursion)
{
    uint64_t open[DATAGRAM_DEPTH];
    size_t depth = 0;
    for (;;) {
        if (item.kind == ITEM_ARRAY || item.kind == ITEM_MAP) {
            if (depth == DATAGRAM_DEPTH) {
                reader_fail(reader, ERR_MALFORMED);
                return;
            }
            open[depth++] = item.kind == ITEM_MAP ? 2 * item.number : item.number;
        }
        while (depth > 0 && open[depth - 1] == 0) {
            depth--;
        }
        if (depth == 0 || reader->failure != OK) {
            return;
        }
        open[depth - 1]--;
        item = read_item(reader);
    }
}

static void skip_item(struct reader *reader)
{
    skip_content(reader, read_item(reader));
}

static struct span read_text(struct reader *reader)
{
    const struct item item = read_item(reader);
    if (item.kind != ITEM_TEXT) {
        reader_fail(reader, ERR_MALFORMED);
    }
    return item.bytes;
}

// Bytes come as bin; old writers used text.
static struct span read_blob(struct reader *reader)
{
    const struct item item = read_item(reader);
    if (item.kind != ITEM_BIN) {
        reader_fail(reader, ERR_MALFORMED);
    }
    return item.bytes;
}

static struct span read_hash(struct reader *reader)
{
    const struct span bytes = read_blob(reader);
    if (bytes.size != DATAGRAM_ID_SIZE) {
        reader_fail(reader, ERR_MALFORMED);
    }
    return bytes;
}

static uint64_t read_uint(struct reader *reader, uint64_t max)
{
    const struct item item = read_item(reader);
    if (item.kind != ITEM_UINT) {
        reader_fail(reader, ERR_MALFORMED);
        return 0;
    }
    if (item.number > max) {
        reader_fail(reader, ERR_RANGE);
        return 0;
    }
    return item.number;
}

// 2.4.12 writes a number; a binary of four bytes is read alike (older versions).
static uint32_t read_tid(struct reader *reader)
{
    const struct item item = read_item(reader);
    if (item.kind == ITEM_UINT && item.number <= UINT32_MAX) {
        return (uint32_t)item.number;
    }
    if (item.kind == ITEM_BIN && item.bytes.size == 4) {
        struct reader bytes = reader_of(item.bytes);
        return read_u32(&bytes);
    }
    reader_fail(reader, ERR_MALFORMED);
    return 0;
}

static bool is_text(struct span key, const char *text)
{
    return span_equal(key, span_of_text(text));
}

// --- values --------------------------------------------------------------------------------------

// The inside of "body": type, data, utype; whatever else there is makes it not plain.
static void read_body(struct reader *reader, struct datagram_value *ret)
{
    const struct item map = read_item(reader);
    if (map.kind != ITEM_MAP) {
        ret->plain = false;
        skip_content(reader, map);
        return;
    }
    unsigned seen = 0;
    for (uint64_t i = 0; i < map.number && reader->failure == OK; i++) {
        const struct span key = read_text(reader);
        unsigned bit = 0;
        if (is_text(key, "type")) {
            bit = 1;
            const struct item type = read_item(reader);
            skip_content(reader, type);
            ret->plain = ret->plain && type.kind == ITEM_UINT && type.number == 0;
        } else if (is_text(key, "data")) {
            bit = 2;
            ret->content = read_blob(reader);
        } else if (is_text(key, "utype")) {
            bit = 4;
            skip_item(reader);
        } else {
            ret->plain = false;
            skip_item(reader);
        }
        if ((seen & bit) != 0) {
            reader_fail(reader, ERR_MALFORMED);
        }
        seen |= bit;
    }
    ret->plain = ret->plain && (seen & 3) == 3;
}

static void read_dat(struct reader *reader, struct datagram_value *ret)
{
    const struct item map = read_item(reader);
    if (map.kind != ITEM_MAP) { // encrypted
        ret->plain = false;
        skip_content(reader, map);
        return;
    }
    bool seen = false;
    for (uint64_t i = 0; i < map.number && reader->failure == OK; i++) {
        const struct span key = read_text(reader);
        if (!is_text(key, "body")) { // a signature
            ret->plain = false;
            skip_item(reader);
            continue;
        }
        if (seen) {
            reader_fail(reader, ERR_MALFORMED);
        }
        seen = true;
        read_body(reader, ret);
    }
    ret->plain = ret->plain && seen;
}

enum status datagram_next_value(struct span *values, struct datagram_value *ret)
{
    struct reader reader = reader_of(*values);
    const struct item map = read_item(&reader);
    struct datagram_value value = {.plain = true};
    if (map.kind != ITEM_MAP) {
        skip_content(&reader, map);
        *values = reader.rest;
        return reader.failure != OK ? reader.failure : ERR_UNSUPPORTED;
    }
    unsigned seen = 0;
    for (uint64_t i = 0; i < map.number && reader.failure == OK; i++) {
        const struct span key = read_text(&reader);
        unsigned bit = 0;
        if (is_text(key, "id")) {
            bit = 1;
            value.id = read_uint(&reader, UINT64_MAX);
        } else if (is_text(key, "dat")) {
            bit = 2;
            read_dat(&reader, &value);
        } else {
            skip_item(&reader);
        }
        if ((seen & bit) != 0) {
            reader_fail(&reader, ERR_MALFORMED);
        }
        seen |= bit;
    }
    if (reader.failure != OK || seen != 3) {
        return reader.failure != OK ? reader.failure : ERR_MALFORMED;
    }
    *values = reader.rest;
    *ret = value;
    return OK;
}

static void read_values(struct reader *reader, struct span key, struct datagram *datagram)
{
    const struct item array = read_item(reader);
    if (array.kind != ITEM_ARRAY) {
        reader_fail(reader, ERR_MALFORMED);
        return;
    }
    const uint8_t *begin = reader->rest.data;
    for (uint64_t i = 0; i < array.number && reader->failure == OK; i++) {
        const struct item element = read_item(reader);
        skip_content(reader, element);
        if (element.kind == ITEM_UINT) {
            datagram->parts_count++;
            datagram->parts_bytes +=
                element.number > UINT16_MAX ? UINT16_MAX : (uint32_t)element.number;
        }
    }
    if (reader->failure == OK) {
        datagram->values_key = key;
        datagram->values_count = (uint32_t)array.number;
        datagram->values = span_of(begin, (size_t)(reader->rest.data - begin));
    }
}

// --- the maps ------------------------------------------------------------------------------------

// The keys of the inner map that matter here. Returns a bit of its own for each, 0 for others.
static unsigned read_inner_pair(struct reader *reader, struct span key, struct datagram *datagram)
{
    if (is_text(key, "id")) {
        datagram->id = read_hash(reader);
        return 1U << 0;
    }
    if (is_text(key, "h")) {
        datagram->hash = read_hash(reader);
        return 1U << 1;
    }
    if (is_text(key, "target")) {
        (void)read_hash(reader);
        return 1U << 2;
    }
    if (is_text(key, "token")) {
        datagram->token = read_blob(reader);
        return 1U << 3;
    }
    if (is_text(key, "vid")) {
        datagram->value_id = read_uint(reader, UINT64_MAX);
        return 1U << 4;
    }
    if (is_text(key, "sid")) {
        datagram->socket = read_tid(reader);
        datagram->has_socket = true;
        return 1U << 5;
    }
    if (is_text(key, "n4") || is_text(key, "n6")) {
        const bool ipv4 = key.data[1] == '4';
        const size_t node_size = ipv4 ? DATAGRAM_NODE4_SIZE : DATAGRAM_NODE6_SIZE;
        const struct span nodes = read_blob(reader);
        if (nodes.size % node_size != 0 || nodes.size / node_size > DATAGRAM_NODES_MAX) {
            reader_fail(reader, ERR_MALFORMED);
        }
        *(ipv4 ? &datagram->nodes4 : &datagram->nodes6) = nodes;
        return ipv4 ? 1U << 6 : 1U << 7;
    }
    if (is_text(key, "values")) {
        read_values(reader, key, datagram);
        return 1U << 8;
    }
    skip_item(reader);
    return 0;
}

static void read_inner(struct reader *reader, struct datagram *datagram)
{
    const struct item map = read_item(reader);
    if (map.kind != ITEM_MAP) {
        reader_fail(reader, ERR_MALFORMED);
        return;
    }
    unsigned seen = 0;
    for (uint64_t i = 0; i < map.number && reader->failure == OK; i++) {
        const unsigned bit = read_inner_pair(reader, read_text(reader), datagram);
        if ((seen & bit) != 0) {
            reader_fail(reader, ERR_MALFORMED);
        }
        seen |= bit;
    }
}

// {index: {"o": offset, "d": bytes}}, one pair or more.
static void read_parts(struct reader *reader, struct datagram *datagram)
{
    const struct item map = read_item(reader);
    if (map.kind != ITEM_MAP) {
        reader_fail(reader, ERR_MALFORMED);
        return;
    }
    for (uint64_t i = 0; i < map.number && reader->failure == OK; i++) {
        (void)read_uint(reader, UINT16_MAX);
        const struct item part = read_item(reader);
        if (part.kind != ITEM_MAP) {
            reader_fail(reader, ERR_MALFORMED);
            return;
        }
        for (uint64_t j = 0; j < part.number && reader->failure == OK; j++) {
            const struct span key = read_text(reader);
            if (is_text(key, "d")) {
                datagram->part_bytes += (uint32_t)read_blob(reader).size;
            } else {
                (void)read_uint(reader, UINT32_MAX);
            }
        }
    }
}

static void read_error(struct reader *reader)
{
    const struct item array = read_item(reader);
    if (array.kind != ITEM_ARRAY || array.number < 1) { // OpenDHT reads the first unasked
        reader_fail(reader, ERR_MALFORMED);
        return;
    }
    (void)read_uint(reader, UINT16_MAX);
    for (uint64_t i = 1; i < array.number && reader->failure == OK; i++) {
        skip_item(reader);
    }
}

enum top_key {
    TOP_OTHER = 0,
    TOP_A = 1 << 0,
    TOP_R = 1 << 1,
    TOP_E = 1 << 2,
    TOP_P = 1 << 3,
    TOP_Q = 1 << 4,
    TOP_T = 1 << 5,
    TOP_N = 1 << 6,
    TOP_S = 1 << 7,
    TOP_RO = 1 << 8,
    TOP_Y = 1 << 9,
    TOP_V = 1 << 10,
    TOP_U = 1 << 11,
};

struct top {
    unsigned seen;
    struct span query;
    struct span kind; // "y"
};

static bool read_flag(struct reader *reader)
{
    const struct item item = read_item(reader);
    if (item.kind != ITEM_BOOL && !(item.kind == ITEM_UINT && item.number <= 1)) {
        reader_fail(reader, ERR_MALFORMED);
    }
    return item.number == 1;
}

static unsigned read_top_letter(
    struct reader *reader, uint8_t letter, struct top *top, struct datagram *datagram)
{
    switch (letter) {
    case 'a':
        read_inner(reader, datagram);
        return TOP_A;
    case 'r':
        read_inner(reader, datagram);
        return TOP_R;
    case 'e':
        read_error(reader);
        return TOP_E;
    case 'p':
        read_parts(reader, datagram);
        return TOP_P;
    case 'q':
        top->query = read_text(reader);
        return TOP_Q;
    case 't':
        datagram->tid = read_tid(reader);
        return TOP_T;
    case 'n':
        datagram->network = (uint32_t)read_uint(reader, UINT32_MAX);
        return TOP_N;
    case 's':
        datagram->client = read_flag(reader) || datagram->client;
        return TOP_S;
    case 'y':
        top->kind = read_text(reader);
        return TOP_Y;
    case 'v':
        (void)read_text(reader);
        return TOP_V;
    case 'u': // updates as 2.4.12 no longer sends them
        skip_item(reader);
        return TOP_U;
    default:
        skip_item(reader);
        return TOP_OTHER;
    }
}

static void read_top(struct reader *reader, struct top *top, struct datagram *datagram)
{
    const struct item map = read_item(reader);
    if (map.kind != ITEM_MAP) {
        reader_fail(reader, ERR_MALFORMED);
        return;
    }
    for (uint64_t i = 0; i < map.number && reader->failure == OK; i++) {
        const struct span key = read_text(reader);
        unsigned bit = TOP_OTHER;
        if (key.size == 1) {
            bit = read_top_letter(reader, key.data[0], top, datagram);
        } else if (is_text(key, "ro")) {
            datagram->client = read_flag(reader) || datagram->client;
            bit = TOP_RO;
        } else {
            skip_item(reader);
        }
        if ((top->seen & bit) != 0) {
            reader_fail(reader, ERR_MALFORMED);
        }
        top->seen |= bit;
    }
}

static enum status kind_of_query(struct span name, enum datagram_kind *ret)
{
    static const struct {
        const char *name;
        enum datagram_kind kind;
    } names[] = {
        {"ping", DATAGRAM_PING},
        {"find", DATAGRAM_FIND},
        {"get", DATAGRAM_GET},
        {"put", DATAGRAM_PUT},
        {"listen", DATAGRAM_LISTEN},
        {"refresh", DATAGRAM_REFRESH},
        {"update", DATAGRAM_UPDATE},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (is_text(name, names[i].name)) {
            *ret = names[i].kind;
            return OK;
        }
    }
    return ERR_UNSUPPORTED;
}

// The order of precedence is OpenDHT's: an error or an answer outweighs a query in the same map.
static enum status kind_of(const struct top *top, enum datagram_kind *ret)
{
    const unsigned seen = top->seen;
    if ((seen & TOP_T) == 0) {
        return ERR_MALFORMED;
    }
    if ((seen & TOP_U) != 0) {
        return ERR_UNSUPPORTED;
    }
    if ((seen & TOP_E) != 0) {
        *ret = DATAGRAM_ERROR;
        return (seen & (TOP_A | TOP_P | TOP_Q)) == 0 ? OK : ERR_MALFORMED;
    }
    if ((seen & TOP_R) != 0) {
        *ret = DATAGRAM_REPLY;
        return (seen & (TOP_A | TOP_P | TOP_Q)) == 0 ? OK : ERR_MALFORMED;
    }
    if ((seen & TOP_P) != 0) {
        *ret = DATAGRAM_PART;
        return (seen & (TOP_A | TOP_Q)) == 0 ? OK : ERR_MALFORMED;
    }
    if ((seen & (TOP_A | TOP_Q)) != (TOP_A | TOP_Q) || !is_text(top->kind, "q")) {
        return ERR_MALFORMED;
    }
    return kind_of_query(top->query, ret);
}

// What each kind must carry for OpenDHT to do anything sensible with it.
static bool is_complete(const struct datagram *datagram)
{
    switch (datagram->kind) {
    case DATAGRAM_PING:
    case DATAGRAM_FIND:
    case DATAGRAM_REPLY:
        return datagram->id.size > 0;
    case DATAGRAM_GET:
        return datagram->id.size > 0 && datagram->hash.size > 0;
    case DATAGRAM_PUT:
    case DATAGRAM_REFRESH:
        return datagram->id.size > 0 && datagram->hash.size > 0 && datagram->token.size > 0;
    case DATAGRAM_LISTEN:
        return datagram->id.size > 0 && datagram->hash.size > 0 && datagram->token.size > 0 &&
               datagram->has_socket;
    case DATAGRAM_UPDATE:
        return datagram->id.size > 0 && datagram->has_socket;
    case DATAGRAM_ERROR:
    case DATAGRAM_PART:
        return true;
    }
    return false;
}

enum status datagram_parse(struct span bytes, struct datagram *ret)
{
    struct reader reader = reader_of(bytes);
    struct datagram datagram = {.kind = DATAGRAM_PING};
    struct top top = {.seen = 0};
    read_top(&reader, &top, &datagram);
    enum status status = reader_finish(&reader);
    if (status != OK) {
        return status;
    }
    status = kind_of(&top, &datagram.kind);
    if (status != OK) {
        return status;
    }
    if (!is_complete(&datagram)) {
        return ERR_MALFORMED;
    }
    *ret = datagram;
    return OK;
}

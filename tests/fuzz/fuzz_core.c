// SPDX-License-Identifier: GPL-3.0-or-later
//
// Datagrams into an engine: first the filter's reader, then OpenDHT behind it. The input is a list
// of [size u16 BE, source u8, bytes]; the engine listens, so updates and answers have a meaning,
// and the transaction ids of its queries are written over the input's where it asks for that.
#include "dht/core.h"
#include "dht/datagram.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dht_store_answer take(void *, struct now now, const struct dht_put *put)
{
    return (struct dht_store_answer){
        .verdict = put->value.data[0] % 2 == 0 ? DHT_STORE_ACCEPT : DHT_STORE_REFUSE,
        .value_id = put->value_id,
        .expires_at = mono_add(now.mono, 1000),
    };
}

// Remembers the last query's transaction id, so that the next input can answer it.
static void drain(struct dht_core *core, uint32_t *tid)
{
    struct dht_send send;
    while (dht_core_next_send(core, &send)) {
        struct datagram datagram;
        if (datagram_parse(send.bytes, &datagram) != OK) {
            abort(); // whatever we send, we can read
        }
        if (datagram_is_query(datagram.kind)) {
            *tid = datagram.tid;
        }
    }
    struct dht_event event;
    while (dht_core_next_event(core, &event)) {
    }
}

static struct now now_of(uint64_t ms)
{
    return (struct now){.mono = {.ms = ms}, .unix_time = {.ms = ms}};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dht_core_config config = {
        .network = 7,
        .server = true,
        .ipv4 = true,
        .store = take,
        .seed = {1},
        .limits = dht_limits_small(),
    };
    struct dht_core *core = NULL;
    uint64_t ms = 1000;
    if (dht_core_create(&config, now_of(ms), &core) != OK) {
        abort();
    }
    const struct dht_key key = {{0x11}};
    const struct address contact = address_of_ipv4(203, 0, 113, 0, 4000);
    uint32_t tid = 0;
    if (dht_core_bootstrap(core, now_of(ms), &contact) != OK ||
        dht_core_listen(core, now_of(ms), 1, &key) != OK) {
        abort();
    }
    drain(core, &tid);
    struct reader reader = reader_of(span_of(data, size));
    while (reader.rest.size > 3) {
        const uint16_t length = read_u16(&reader);
        const uint8_t source = read_u8(&reader);
        const size_t left = reader.rest.size;
        struct span bytes = read_span(&reader, length < left ? length : left);
        uint8_t copy[2048];
        if (bytes.size > sizeof(copy)) {
            break;
        }
        memcpy(copy, bytes.data, bytes.size);
        // "t" and a four-byte number: the high bit of `source` asks for the last query's.
        uint8_t *mark = memmem(copy, bytes.size, "\xa1t\xce", 3);
        if ((source & 0x80) != 0 && mark != NULL && mark + 7 <= copy + bytes.size) {
            struct writer writer = writer_of(mark + 3, 4);
            write_u32(&writer, tid);
        }
        const struct address from = address_of_ipv4(203, 0, 113, source & 0x7f, 4000);
        ms += 50;
        dht_core_recv(core, now_of(ms), &from, span_of(copy, bytes.size));
        drain(core, &tid);
        (void)dht_core_tick(core, now_of(ms));
        drain(core, &tid);
    }
    dht_core_destroy(core);
    return 0;
}

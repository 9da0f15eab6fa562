// SPDX-License-Identifier: GPL-3.0-or-later
//
// See the header. Latency is 5 ms one way; order within a pair is kept.
#include "tests/unit/dht/swarm.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LATENCY_MS = 5,
    MAPPINGS_MAX = 256,
};

static uint64_t clock_ms = 1000 * 1000;

int clock_gettime(clockid_t clock, struct timespec *ret)
{
    const uint64_t ms = clock == CLOCK_REALTIME ? clock_ms + UINT64_C(1700000000000) : clock_ms;
    ret->tv_sec = (time_t)(ms / 1000);
    ret->tv_nsec = (long)(ms % 1000) * 1000000;
    return 0;
}

// OpenDHT draws from std::random_device alone: with its symbols replaced too, every run is alike.
static uint64_t random_state = 1;

// NOLINTBEGIN(bugprone-reserved-identifier): the C++ library's own names
void _ZNSt13random_device7_M_initERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE(
    void *self, const void *token);
void _ZNSt13random_device7_M_finiEv(void *self);
unsigned _ZNSt13random_device9_M_getvalEv(void *self);

void _ZNSt13random_device7_M_initERKNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE(
    void *, const void *)
{
}

void _ZNSt13random_device7_M_finiEv(void *)
{
}

unsigned _ZNSt13random_device9_M_getvalEv(void *)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(random_state >> 32);
}
// NOLINTEND(bugprone-reserved-identifier)

struct flight {
    struct flight *next;
    uint64_t at_ms;
    struct address from;
    struct address to;
    size_t size;
    uint8_t bytes[];
};

struct mapping {
    size_t node;
    struct address to;
};

struct swarm {
    struct swarm_node nodes[SWARM_NODES_MAX];
    size_t count;
    struct flight *first;
    struct flight *last;
    swarm_tap tap;
    void *tap_context;
    struct mapping mappings[MAPPINGS_MAX];
    size_t mappings_count;
    uint64_t operation;
};

struct now swarm_now(void)
{
    return (struct now){
        .mono = {.ms = clock_ms}, .unix_time = {.ms = clock_ms + UINT64_C(1700000000000)}};
}

struct swarm *swarm_new(void)
{
    struct swarm *swarm = calloc(1, sizeof(*swarm));
    ASSERT(swarm != NULL);
    return swarm;
}

void swarm_delete(struct swarm *swarm)
{
    for (size_t i = 0; i < swarm->count; i++) {
        dht_core_destroy(swarm->nodes[i].core);
    }
    for (struct flight *flight = swarm->first; flight != NULL;) {
        struct flight *next = flight->next;
        free(flight);
        flight = next;
    }
    free(swarm);
}

void swarm_set_tap(struct swarm *swarm, swarm_tap tap, void *context)
{
    swarm->tap = tap;
    swarm->tap_context = context;
}

// Takes what begins with 'v' for 10 minutes and with 's' for 2, under its own id.
static struct dht_store_answer judge(void *context, struct now now, const struct dht_put *put)
{
    struct swarm_node *node = context;
    struct dht_store_answer answer = {.verdict = DHT_STORE_REFUSE};
    node->judged++;
    const bool brief = put->value.data[0] == 's';
    if ((put->value.data[0] == 'v' || brief) && node->accept_max > 0) {
        node->accept_max--;
        answer.verdict = DHT_STORE_ACCEPT;
        answer.value_id = put->value_id;
        answer.expires_at = mono_add(now.mono, UINT64_C(60000) * (brief ? 2 : 10));
    }
    return answer;
}

static size_t add(struct swarm *swarm, bool server, bool nat)
{
    ASSERT(swarm->count < SWARM_NODES_MAX);
    const size_t index = swarm->count++;
    struct swarm_node *node = &swarm->nodes[index];
    node->address =
        address_of_ipv4(10, 0, (uint8_t)(index / 200 + 1), (uint8_t)(index % 200 + 1), 4000);
    node->nat = nat;
    node->accept_max = SWARM_STORE_MAX;
    struct dht_core_config config = {
        .network = 7,
        .server = server,
        .ipv4 = true,
        .store = judge,
        .store_context = node,
        .limits = dht_limits_default(),
        .seed = {(uint8_t)(index + 1)},
    };
    const enum status status = dht_core_create(&config, swarm_now(), &node->core);
    ASSERT(status == OK);
    node->wake = swarm_now().mono;
    return index;
}

size_t swarm_add(struct swarm *swarm, bool server)
{
    return add(swarm, server, false);
}

size_t swarm_add_client(struct swarm *swarm)
{
    return add(swarm, false, true);
}

struct address swarm_stranger(uint8_t number)
{
    return address_of_ipv4(192, 0, 2, number, 5000);
}

struct swarm_node *swarm_node(struct swarm *swarm, size_t index)
{
    return &swarm->nodes[index];
}

static struct swarm_node *node_at(struct swarm *swarm, const struct address *address)
{
    for (size_t i = 0; i < swarm->count; i++) {
        if (address_equal(&swarm->nodes[i].address, address)) {
            return &swarm->nodes[i];
        }
    }
    return NULL;
}

static bool passes_nat(
    struct swarm *swarm, const struct swarm_node *node, const struct address *from)
{
    if (!node->nat) {
        return true;
    }
    for (size_t i = 0; i < swarm->mappings_count; i++) {
        if (&swarm->nodes[swarm->mappings[i].node] == node &&
            address_equal(&swarm->mappings[i].to, from)) {
            return true;
        }
    }
    return false;
}

static void map_nat(struct swarm *swarm, size_t index, const struct address *to)
{
    if (swarm->nodes[index].nat && !passes_nat(swarm, &swarm->nodes[index], to)) {
        ASSERT(swarm->mappings_count < MAPPINGS_MAX);
        swarm->mappings[swarm->mappings_count++] = (struct mapping){.node = index, .to = *to};
    }
}

void swarm_inject(
    struct swarm *swarm, const struct address *from, const struct address *to, struct span bytes)
{
    if (swarm->tap != NULL && !swarm->tap(swarm->tap_context, swarm, from, to, bytes)) {
        return;
    }
    struct flight *flight = calloc(1, sizeof(*flight) + bytes.size);
    ASSERT(flight != NULL);
    flight->at_ms = clock_ms + LATENCY_MS;
    flight->from = *from;
    flight->to = *to;
    flight->size = bytes.size;
    memcpy(flight->bytes, bytes.data, bytes.size);
    if (swarm->last == NULL) {
        swarm->first = flight;
    } else {
        swarm->last->next = flight;
    }
    swarm->last = flight;
}

static void note_event(struct swarm_told *told, const struct dht_event *event)
{
    switch (event->kind) {
    case DHT_EVENT_VALUE:
        if (told->values_count < sizeof(told->values) / sizeof(told->values[0])) {
            struct swarm_value *value = &told->values[told->values_count];
            value->key = event->key;
            value->id = event->value_id;
            value->size = event->value.size;
            memcpy(value->bytes, event->value.data, event->value.size);
        }
        told->values_count++;
        break;
    case DHT_EVENT_VALUE_EXPIRED:
        told->expired_count++;
        break;
    case DHT_EVENT_PUT_DONE:
    case DHT_EVENT_GET_DONE:
        told->done_operation = event->operation;
        told->done = true;
        told->done_ok = event->ok;
        told->done_count++;
        break;
    case DHT_EVENT_JOINED:
        told->joined = true;
        break;
    case DHT_EVENT_ALONE:
        told->joined = false;
        break;
    }
}

static void drain(struct swarm *swarm, size_t index)
{
    struct swarm_node *node = &swarm->nodes[index];
    struct dht_send send;
    while (dht_core_next_send(node->core, &send)) {
        node->bytes_out += send.bytes.size;
        map_nat(swarm, index, &send.to);
        swarm_inject(swarm, &node->address, &send.to, send.bytes);
    }
    struct dht_event event;
    while (dht_core_next_event(node->core, &event)) {
        note_event(&node->told, &event);
    }
    node->wake = swarm_now().mono; // any call may bring it forward
}

static void deliver(struct swarm *swarm, const struct flight *flight)
{
    struct swarm_node *node = node_at(swarm, &flight->to);
    if (node == NULL || !passes_nat(swarm, node, &flight->from)) {
        return;
    }
    node->datagrams_in++;
    node->bytes_in += flight->size;
    node->queries_in += memmem(flight->bytes, flight->size, "\xa1y\xa1q", 4) != NULL ? 1 : 0;
    dht_core_recv(node->core, swarm_now(), &flight->from, span_of(flight->bytes, flight->size));
    drain(swarm, (size_t)(node - swarm->nodes));
}

// Everything due at this instant; returns the next instant.
static uint64_t step(struct swarm *swarm)
{
    while (swarm->first != NULL && swarm->first->at_ms <= clock_ms) {
        struct flight *flight = swarm->first;
        swarm->first = flight->next;
        if (swarm->first == NULL) {
            swarm->last = NULL;
        }
        deliver(swarm, flight);
        free(flight);
    }
    uint64_t next_ms = swarm->first != NULL ? swarm->first->at_ms : UINT64_MAX;
    for (size_t i = 0; i < swarm->count; i++) {
        struct swarm_node *node = &swarm->nodes[i];
        if (mono_due(node->wake, swarm_now().mono)) {
            const struct mono wake = dht_core_tick(node->core, swarm_now());
            drain(swarm, i);
            node->wake = wake;
        }
        next_ms = node->wake.ms < next_ms ? node->wake.ms : next_ms;
    }
    if (swarm->first != NULL && swarm->first->at_ms < next_ms) {
        next_ms = swarm->first->at_ms;
    }
    return next_ms > clock_ms ? next_ms : clock_ms + 1;
}

void swarm_run(struct swarm *swarm, uint64_t ms)
{
    const uint64_t end_ms = clock_ms + ms;
    for (size_t i = 0; i < swarm->count; i++) {
        drain(swarm, i); // after calls that the test made by itself
    }
    for (;;) {
        const uint64_t next_ms = step(swarm);
        if (next_ms > end_ms) {
            clock_ms = end_ms;
            return;
        }
        clock_ms = next_ms;
    }
}

uint64_t swarm_run_done(struct swarm *swarm, size_t index, uint64_t ms)
{
    const uint64_t begin_ms = clock_ms;
    while (!swarm->nodes[index].told.done && clock_ms < begin_ms + ms) {
        clock_ms = step(swarm);
    }
    return clock_ms - begin_ms;
}

void swarm_join(struct swarm *swarm, size_t index, size_t through)
{
    const enum status status =
        dht_core_bootstrap(swarm->nodes[index].core, swarm_now(), &swarm->nodes[through].address);
    ASSERT(status == OK);
    drain(swarm, index);
}

static uint64_t begin_operation(struct swarm *swarm, size_t index)
{
    struct swarm_told *told = &swarm->nodes[index].told;
    const bool joined = told->joined;
    *told = (struct swarm_told){.joined = joined};
    return ++swarm->operation;
}

uint64_t swarm_put(
    struct swarm *swarm, size_t index, const struct dht_key *key, uint64_t id, const char *text)
{
    const uint64_t operation = begin_operation(swarm, index);
    const enum status status =
        dht_core_put(swarm->nodes[index].core, swarm_now(), operation, key, id, span_of_text(text));
    ASSERT(status == OK);
    drain(swarm, index);
    return operation;
}

uint64_t swarm_get(struct swarm *swarm, size_t index, const struct dht_key *key)
{
    const uint64_t operation = begin_operation(swarm, index);
    const enum status status = dht_core_get(swarm->nodes[index].core, swarm_now(), operation, key);
    ASSERT(status == OK);
    drain(swarm, index);
    return operation;
}

uint64_t swarm_listen(struct swarm *swarm, size_t index, const struct dht_key *key)
{
    const uint64_t operation = begin_operation(swarm, index);
    const enum status status =
        dht_core_listen(swarm->nodes[index].core, swarm_now(), operation, key);
    ASSERT(status == OK);
    drain(swarm, index);
    return operation;
}

struct dht_key swarm_key(const char *text)
{
    struct dht_key key = {{0}};
    const struct span bytes = span_of_text(text);
    for (size_t i = 0; i < bytes.size; i++) {
        key.bytes[i % sizeof(key.bytes)] =
            (uint8_t)(key.bytes[i % sizeof(key.bytes)] * 31 + bytes.data[i]);
    }
    return key;
}

bool swarm_was_told(const struct swarm_node *node, const char *text)
{
    const size_t kept = sizeof(node->told.values) / sizeof(node->told.values[0]);
    for (size_t i = 0; i < node->told.values_count && i < kept; i++) {
        const struct swarm_value *value = &node->told.values[i];
        if (span_equal(span_of(value->bytes, value->size), span_of_text(text))) {
            return true;
        }
    }
    return false;
}

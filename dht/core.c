// SPDX-License-Identifier: GPL-3.0-or-later
//
// The engine: queues, bootstrap, and the filter around the driven OpenDHT.
#include "dht/core_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    SENDS_MAX = 4096,
    VALUE_EVENTS_MAX = 1024,
    BOOTSTRAP_FIRST_MS = 1000,
    BOOTSTRAP_LAST_MS = 30 * 1000,
    VALUE_LIFETIME_MS = 10 * 60 * 1000,
    JOINED_CHECK_MS = 1000,
};

static void send_bytes(struct dht_core *core, const struct address *to, struct span bytes)
{
    struct item *item = core->sends.count < SENDS_MAX ? item_new(bytes) : NULL;
    if (item == NULL) {
        core->counts.drops[DHT_DROP_QUEUE]++;
        return;
    }
    item->to = *to;
    queue_push(&core->sends, item);
}

void core_push_event(struct dht_core *core, const struct dht_event *event)
{
    const bool value = event->kind == DHT_EVENT_VALUE;
    struct item *item =
        value && core->events.count >= VALUE_EVENTS_MAX ? NULL : item_new(event->value);
    if (item == NULL) {
        core->counts.drops[DHT_DROP_QUEUE]++;
        return;
    }
    item->event = *event;
    item->event.value = span_of(item->bytes, item->size);
    queue_push(&core->events, item);
}

// --- calls out of OpenDHT ------------------------------------------------------------------------

static struct address address_in(const struct dht_driven_address *from)
{
    struct address address = {
        .family = from->family == 4 ? FAMILY_IPV4 : FAMILY_IPV6, .port = from->port};
    memcpy(address.ip, from->ip, sizeof(address.ip));
    return address;
}

static struct dht_driven_address address_out(const struct address *from)
{
    struct dht_driven_address address = {.family = (uint8_t)from->family, .port = from->port};
    memcpy(address.ip, from->ip, sizeof(address.ip));
    return address;
}

struct dht_key key_of_hash(const dht_infohash *hash)
{
    struct dht_key key;
    memcpy(key.bytes, hash->d, sizeof(key.bytes));
    return key;
}

dht_infohash hash_of_key(const struct dht_key *key)
{
    dht_infohash hash;
    memcpy(hash.d, key->bytes, sizeof(hash.d));
    return hash;
}

static bool is_contact(const struct dht_core *core, const struct address *address)
{
    for (size_t i = 0; i < core->contacts_count; i++) {
        if (address_equal(&core->contacts[i].address, address)) {
            return true;
        }
    }
    return false;
}

static void challenge(struct dht_core *core, const struct address *to)
{
    uint8_t bytes[FILTER_PING_MAX];
    struct datagram_edit ping = {.data = bytes, .size = 0, .capacity = sizeof(bytes)};
    filter_write_challenge(&core->filter, core->now.mono, to, &ping);
    send_bytes(core, to, span_of(ping.data, ping.size));
}

static void hold(struct dht_core *core, const struct address *to, struct span bytes)
{
    struct item *item =
        core->held.count < core->config.limits.replies_held ? item_new(bytes) : NULL;
    if (item == NULL) {
        core->counts.drops[DHT_DROP_UNPROVEN]++;
        return;
    }
    item->to = *to;
    item->until = mono_add(core->now.mono, FILTER_CHALLENGE_MS);
    core->counts.replies_held++;
    queue_push(&core->held, item);
}

// Sends what waited for a proof of `to`, if not NULL, and drops what waited too long.
static void release_held(struct dht_core *core, const struct address *to)
{
    const size_t count = core->held.count;
    for (size_t i = 0; i < count; i++) {
        struct item *item = queue_pop(&core->held);
        if (to != NULL && address_equal(&item->to, to)) {
            queue_push(&core->sends, item);
        } else if (mono_due(item->until, core->now.mono)) {
            core->counts.drops[DHT_DROP_UNPROVEN]++;
            free(item);
        } else {
            queue_push(&core->held, item);
        }
    }
}

static int on_send(void *context, const struct dht_driven_address *driven_to, dht_data_view view)
{
    struct dht_core *core = context;
    const struct address to = address_in(driven_to);
    uint8_t bytes[DHT_DATAGRAM_MAX];
    struct datagram_edit edit = {.data = bytes, .size = view.size, .capacity = sizeof(bytes)};
    if (view.size > sizeof(bytes)) {
        core->counts.drops[DHT_DROP_MALFORMED]++;
        return 0;
    }
    memcpy(bytes, view.data, view.size);
    struct filter_result result;
    const enum filter_verdict verdict =
        filter_egress(&core->filter, core->now.mono, &to, is_contact(core, &to), &edit, &result);
    if (result.drop < DHT_DROPS) {
        core->counts.drops[result.drop]++;
    }
    switch (verdict) {
    case FILTER_PASS:
        send_bytes(core, &to, span_of(edit.data, edit.size));
        break;
    case FILTER_HOLD:
        hold(core, &to, span_of(edit.data, edit.size));
        break;
    case FILTER_REFUSE:
        return EHOSTUNREACH;
    case FILTER_CONSUMED:
    case FILTER_DROP:
        break;
    }
    if (result.challenge) {
        challenge(core, &to);
    }
    return 0;
}

static bool on_judge(void *context, const struct dht_driven_address *from, const dht_infohash *hash,
    dht_value_id id, dht_data_view value, struct dht_driven_stored *ret)
{
    struct dht_core *core = context;
    // Empty: the filter saw that it is none of ours.
    if (value.size == 0 || core->config.store == NULL) {
        core->counts.puts_refused++;
        return false;
    }
    const struct dht_put put = {
        .from = address_in(from),
        .key = key_of_hash(hash),
        .value_id = id,
        .value = span_of(value.data, value.size),
    };
    const struct dht_store_answer answer =
        core->config.store(core->config.store_context, core->now, &put);
    const uint64_t lifetime_ms = mono_since(core->now.mono, answer.expires_at);
    if (answer.verdict != DHT_STORE_ACCEPT || answer.value_id == 0 || lifetime_ms == 0) {
        core->counts.puts_refused++;
        return false;
    }
    core->counts.puts_stored++;
    ret->id = answer.value_id;
    ret->lifetime_ms = lifetime_ms < VALUE_LIFETIME_MS ? lifetime_ms : VALUE_LIFETIME_MS;
    return true;
}

// --- driving -------------------------------------------------------------------------------------

static void check_joined(struct dht_core *core)
{
    struct dht_driven_stats stats;
    dht_driven_get_stats(core->driven, &stats);
    core->joined_check_at = mono_add(core->now.mono, JOINED_CHECK_MS);
    const bool joined = stats.good[0] + stats.good[1] > 0;
    if (joined == core->joined) {
        return;
    }
    core->joined = joined;
    for (size_t i = 0; i < core->contacts_count; i++) {
        core->contacts[i].ask_at = core->now.mono;
        core->contacts[i].wait_ms = BOOTSTRAP_FIRST_MS;
    }
    const struct dht_event event = {
        .kind = joined ? DHT_EVENT_JOINED : DHT_EVENT_ALONE, .ok = joined};
    core_push_event(core, &event);
}

static void drive(struct dht_core *core, const struct address *from, struct span bytes)
{
    struct dht_driven_address driven_from = {.family = 0};
    if (from != NULL) {
        driven_from = address_out(from);
    }
    const dht_data_view view = {.data = bytes.data, .size = bytes.size};
    const uint64_t wait_ms =
        dht_driven_periodic(core->driven, from != NULL ? &driven_from : NULL, view);
    core->wake = mono_add(core->now.mono, wait_ms);
    if (!core->joined || mono_due(core->joined_check_at, core->now.mono)) {
        check_joined(core);
    }
}

void core_begin(struct dht_core *core, struct now now)
{
    core->now = now;
    free(core->lent);
    core->lent = NULL;
}

// OpenDHT acts on what it was told at its next turn.
void core_flush(struct dht_core *core)
{
    drive(core, NULL, span_of(NULL, 0));
}

static struct mono ask_contacts(struct dht_core *core)
{
    struct mono next = mono_never();
    if (core->joined) {
        return next;
    }
    for (size_t i = 0; i < core->contacts_count; i++) {
        struct contact *contact = &core->contacts[i];
        if (mono_due(contact->ask_at, core->now.mono)) {
            const struct dht_driven_address address = address_out(&contact->address);
            dht_driven_ping(core->driven, &address);
            contact->ask_at = mono_add(core->now.mono, contact->wait_ms);
            contact->wait_ms = contact->wait_ms * 2 < BOOTSTRAP_LAST_MS
                                   ? contact->wait_ms * 2
                                   : (uint32_t)BOOTSTRAP_LAST_MS;
        }
        next = mono_min(next, contact->ask_at);
    }
    return next;
}

struct mono dht_core_tick(struct dht_core *core, struct now now)
{
    core_begin(core, now);
    release_held(core, NULL);
    struct mono next = ask_contacts(core);
    if (mono_due(core->wake, now.mono) || next.ms != mono_never().ms) {
        core_flush(core);
    }
    next = core->joined ? mono_never() : next;
    if (core->held.first != NULL) {
        next = mono_min(next, core->held.first->until);
    }
    next = mono_min(next, core->wake);
    return next.ms > now.mono.ms ? next : mono_add(now.mono, 1);
}

void dht_core_recv(
    struct dht_core *core, struct now now, const struct address *from, struct span bytes)
{
    core_begin(core, now);
    core->counts.datagrams_in++;
    core->counts.bytes_in += bytes.size;
    uint8_t buffer[DHT_DATAGRAM_MAX];
    if (bytes.size == 0 || bytes.size > sizeof(buffer)) {
        core->counts.drops[bytes.size == 0 ? DHT_DROP_MALFORMED : DHT_DROP_READ_LIMIT]++;
        return;
    }
    memcpy(buffer, bytes.data, bytes.size);
    struct datagram_edit edit = {.data = buffer, .size = bytes.size, .capacity = sizeof(buffer)};
    struct filter_result result;
    const enum filter_verdict verdict =
        filter_ingress(&core->filter, now.mono, from, &edit, &result);
    if (result.drop < DHT_DROPS) {
        core->counts.drops[result.drop]++;
    }
    if (result.proven) {
        release_held(core, from);
    }
    if (result.became_server && result.datagram.id.size == sizeof(struct dht_key)) {
        struct dht_driven_node node = {.address = address_out(from)};
        memcpy(node.id.d, result.datagram.id.data, sizeof(node.id.d));
        dht_driven_insert_node(core->driven, &node);
    }
    if (verdict != FILTER_PASS) {
        return;
    }
    if (result.datagram.kind == DATAGRAM_UPDATE && result.drop == DHT_DROPS) {
        const struct filter_listen *listen =
            filter_find_listen(&core->filter, now.mono, from, result.datagram.socket);
        struct span values = result.datagram.values;
        for (uint32_t i = 0; listen != NULL && i < result.datagram.values_count; i++) {
            struct datagram_value value;
            const enum status status = datagram_next_value(&values, &value);
            if (status == OK && value.plain) {
                core_tell_listeners(core, &listen->key, value.id, value.content);
            } else if (status != OK && status != ERR_UNSUPPORTED) {
                break;
            }
        }
    }
    drive(core, from, span_of(edit.data, edit.size));
}

bool dht_core_next_send(struct dht_core *core, struct dht_send *ret)
{
    core_begin(core, core->now);
    core->lent = queue_pop(&core->sends);
    if (core->lent == NULL) {
        return false;
    }
    core->counts.datagrams_out++;
    core->counts.bytes_out += core->lent->size;
    *ret = (struct dht_send){
        .to = core->lent->to, .bytes = span_of(core->lent->bytes, core->lent->size)};
    return true;
}

bool dht_core_next_event(struct dht_core *core, struct dht_event *ret)
{
    core_begin(core, core->now);
    core->lent = queue_pop(&core->events);
    if (core->lent == NULL) {
        return false;
    }
    *ret = core->lent->event;
    return true;
}

// --- bootstrap -----------------------------------------------------------------------------------

static bool address_usable(const struct address *address)
{
    const enum address_scope scope = address_scope(address);
    return address->port != 0 && scope != SCOPE_UNUSABLE;
}

enum status dht_core_bootstrap(struct dht_core *core, struct now now, const struct address *address)
{
    core_begin(core, now);
    if (!address_usable(address)) {
        return ERR_RANGE;
    }
    if (is_contact(core, address)) {
        return OK;
    }
    if (core->contacts_count == DHT_BOOTSTRAP_MAX) {
        return ERR_FULL;
    }
    core->contacts[core->contacts_count++] =
        (struct contact){.address = *address, .ask_at = now.mono, .wait_ms = BOOTSTRAP_FIRST_MS};
    (void)ask_contacts(core);
    core_flush(core);
    return OK;
}

enum status dht_core_insert_node(struct dht_core *core, struct now now, const struct dht_node *node)
{
    core_begin(core, now);
    if (!address_usable(&node->address)) {
        return ERR_RANGE;
    }
    const struct dht_driven_node driven_node = {
        .id = hash_of_key(&node->id), .address = address_out(&node->address)};
    dht_driven_insert_node(core->driven, &driven_node);
    // Put into the table it is only dubious; its answer makes it good.
    dht_driven_ping(core->driven, &driven_node.address);
    core_flush(core);
    return OK;
}

size_t dht_core_export_nodes(struct dht_core *core, struct dht_node *ret, size_t capacity)
{
    struct dht_driven_node *nodes = calloc(capacity + 1, sizeof(*nodes));
    if (nodes == NULL) {
        return 0;
    }
    const size_t count = dht_driven_export_nodes(core->driven, nodes, capacity);
    for (size_t i = 0; i < count; i++) {
        ret[i] = (struct dht_node){
            .id = key_of_hash(&nodes[i].id), .address = address_in(&nodes[i].address)};
    }
    free(nodes);
    return count;
}

void dht_core_connectivity_changed(struct dht_core *core, struct now now)
{
    core_begin(core, now);
    dht_driven_connectivity_changed(core->driven);
    for (size_t i = 0; i < core->contacts_count; i++) {
        struct contact *contact = &core->contacts[i];
        contact->wait_ms = BOOTSTRAP_FIRST_MS;
        contact->ask_at = now.mono;
        const struct dht_driven_address address = address_out(&contact->address);
        dht_driven_ping(core->driven, &address);
    }
    core_flush(core);
}

void dht_core_set_server(struct dht_core *core, struct now now, bool server)
{
    core_begin(core, now);
    core->filter.server = server;
    core_flush(core);
}

// --- creation ------------------------------------------------------------------------------------

struct dht_limits dht_limits_default(void)
{
    return (struct dht_limits){
        .queries_per_prefix = {.per_second = 256, .burst = 1024},
        .queries_whole = {.per_second = 2048, .burst = 4096},
        .puts_per_prefix = {.per_second = 32, .burst = 256},
        .puts_whole = {.per_second = 256, .burst = 1024},
        .unproven_bytes_per_prefix = {.per_second = 64 * 1024, .burst = 256 * 1024},
        .prefixes = 256,
        .peers = 512,
        .queries_pending = 512,
        .replies_held = 64,
    };
}

struct dht_limits dht_limits_small(void)
{
    struct dht_limits limits = dht_limits_default();
    limits.prefixes = 32;
    limits.peers = 64;
    limits.queries_pending = 64;
    limits.replies_held = 16;
    return limits;
}

static enum status start(struct dht_core *core)
{
    const struct dht_driven_config settings = {
        .node_id = hash_of_key(&core->config.node_id),
        .network = core->config.network,
        .calls =
            {
                .context = core,
                .send = on_send,
                .judge = on_judge,
                .value = core_on_value,
                .done = core_on_done,
                .stored = core_on_stored,
            },
    };
    core->driven = dht_driven_new(&settings);
    if (core->driven == NULL) {
        return ERR_IO;
    }
    core_flush(core);
    return OK;
}

enum status dht_core_create(
    const struct dht_core_config *config, struct now now, struct dht_core **ret)
{
    static const struct dht_key zero = {{0}};
    if (!config->ipv4 && !config->ipv6) {
        return ERR_RANGE;
    }
    struct dht_core *core = calloc(1, sizeof(*core));
    if (core == NULL) {
        return ERR_FULL;
    }
    struct rng rng;
    rng_seed(&rng, config->seed);
    core->config = *config;
    core->now = now;
    rng_bytes(&rng, core->digest_key, sizeof(core->digest_key));
    if (dht_key_equal(&config->node_id, &zero)) {
        rng_bytes(&rng, core->config.node_id.bytes, sizeof(core->config.node_id.bytes));
    }
    enum status status =
        filter_create(&core->filter, &core->config, &core->config.node_id, rng_fork(&rng));
    if (status == OK) {
        status = start(core);
    }
    if (status != OK) {
        dht_core_destroy(core);
        return status;
    }
    *ret = core;
    return OK;
}

void dht_core_destroy(struct dht_core *core)
{
    if (core == NULL) {
        return;
    }
    dht_driven_delete(core->driven);
    queue_clear(&core->sends);
    queue_clear(&core->events);
    queue_clear(&core->held);
    free(core->lent);
    free(core->operations);
    filter_destroy(&core->filter);
    free(core);
}

// --- status --------------------------------------------------------------------------------------

const char *dht_drop_name(enum dht_drop drop)
{
#define DHT_DROP_NAME(name, text) [name] = (text),
    static const char *const names[] = {DHT_DROP_LIST(DHT_DROP_NAME)};
#undef DHT_DROP_NAME
    return drop < DHT_DROPS ? names[drop] : "unknown";
}

static struct dht_family_status family_status(const struct dht_driven_stats *stats, size_t family)
{
    return (struct dht_family_status){
        .good = stats->good[family],
        .dubious = stats->dubious[family],
        .searches = stats->searches[family],
    };
}

struct dht_status dht_core_status(struct dht_core *core, struct now now)
{
    struct dht_driven_stats stats;
    dht_driven_get_stats(core->driven, &stats);
    struct dht_status status = core->counts;
    status.node_id = core->config.node_id;
    status.server = core->filter.server;
    status.joined = stats.good[0] + stats.good[1] > 0;
    status.ipv4 = family_status(&stats, 0);
    status.ipv6 = family_status(&stats, 1);
    for (size_t i = 0; i < core->operations_capacity; i++) {
        status.operations += core->operations[i].id != 0 ? 1 : 0;
    }
    status.store_values = stats.store_values;
    status.store_bytes = stats.store_bytes;
    status.clients_known = filter_clients(&core->filter, now.mono);
    status.exceptions = stats.exceptions;
    return status;
}

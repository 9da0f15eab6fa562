// SPDX-License-Identifier: GPL-3.0-or-later
//
// See the header for the rules; here is one function for each direction and kind.
#include "dht/filter.h"

#include <stdlib.h>
#include <string.h>

// --- tables --------------------------------------------------------------------------------------

static bool limits_valid(const struct dht_limits *limits)
{
    const struct budget_rate *rates[] = {&limits->queries_per_prefix, &limits->queries_whole,
        &limits->puts_per_prefix, &limits->puts_whole, &limits->unproven_bytes_per_prefix};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        if (rates[i]->per_second == 0 || rates[i]->burst == 0) {
            return false;
        }
    }
    return limits->prefixes >= 1 && limits->peers >= 16 && limits->queries_pending >= 16;
}

enum status filter_create(struct filter *filter, const struct dht_core_config *config,
    const struct dht_key *id, struct rng rng)
{
    const struct dht_limits *limits = &config->limits;
    if (!limits_valid(limits)) {
        return ERR_RANGE;
    }
    *filter = (struct filter){
        .limits = *limits,
        .network = config->network,
        .server = config->server,
        .ipv4 = config->ipv4,
        .ipv6 = config->ipv6,
        .id = *id,
        .rng = rng,
        .peers = calloc(limits->peers, sizeof(struct filter_peer)),
        .queries = calloc(limits->queries_pending, sizeof(struct filter_query)),
        .listens = calloc(limits->queries_pending, sizeof(struct filter_listen)),
    };
    struct prefix_budget_entry *entries[3] = {NULL, NULL, NULL};
    bool complete = filter->peers != NULL && filter->queries != NULL && filter->listens != NULL;
    for (size_t i = 0; i < 3; i++) {
        entries[i] = calloc(limits->prefixes, sizeof(struct prefix_budget_entry));
        complete = complete && entries[i] != NULL;
    }
    prefix_budgets_init(
        &filter->queries_by_prefix, limits->queries_per_prefix, entries[0], limits->prefixes);
    prefix_budgets_init(
        &filter->puts_by_prefix, limits->puts_per_prefix, entries[1], limits->prefixes);
    prefix_budgets_init(&filter->unproven_by_prefix, limits->unproven_bytes_per_prefix, entries[2],
        limits->prefixes);
    if (!complete) {
        filter_destroy(filter);
        return ERR_FULL;
    }
    return OK;
}

void filter_destroy(struct filter *filter)
{
    free(filter->peers);
    free(filter->queries);
    free(filter->listens);
    free(filter->queries_by_prefix.entries);
    free(filter->puts_by_prefix.entries);
    free(filter->unproven_by_prefix.entries);
    *filter = (struct filter){.network = 0};
}

static struct filter_peer *peer_find(const struct filter *filter, const struct address *address)
{
    for (size_t i = 0; i < filter->limits.peers; i++) {
        if (address_equal(&filter->peers[i].address, address)) {
            return &filter->peers[i];
        }
    }
    return NULL;
}

// The higher, the longer it stays.
static unsigned peer_worth(const struct filter_peer *peer, struct mono now)
{
    if (!address_is_set(&peer->address)) {
        return 0;
    }
    if (peer->proven_until.ms > now.ms) {
        return 3;
    }
    return peer->client_until.ms > now.ms ? 2 : 1;
}

static struct filter_peer *peer_get(
    struct filter *filter, struct mono now, const struct address *address)
{
    struct filter_peer *peer = peer_find(filter, address);
    if (peer == NULL) {
        ASSERT(filter->peers != NULL && filter->limits.peers > 0);
        peer = &filter->peers[0];
        for (size_t i = 1; i < filter->limits.peers; i++) {
            struct filter_peer *other = &filter->peers[i];
            const unsigned worth = peer_worth(peer, now);
            const unsigned other_worth = peer_worth(other, now);
            if (other_worth < worth ||
                (other_worth == worth && other->used_at.ms < peer->used_at.ms)) {
                peer = other;
            }
        }
        *peer = (struct filter_peer){.address = *address};
    }
    peer->used_at = now;
    return peer;
}

static struct filter_query *query_find(
    struct filter *filter, struct mono now, const struct address *address, uint32_t tid)
{
    for (size_t i = 0; i < filter->limits.queries_pending; i++) {
        struct filter_query *query = &filter->queries[i];
        if (query->tid == tid && address_equal(&query->address, address) &&
            mono_since(query->sent_at, now) < FILTER_QUERY_MS) {
            return query;
        }
    }
    return NULL;
}

// OpenDHT repeats a query under the same transaction id.
static struct filter_query *query_note(struct filter *filter, struct mono now,
    const struct address *address, uint32_t tid, enum datagram_kind kind)
{
    struct filter_query *query = query_find(filter, now, address, tid);
    if (query == NULL) {
        query = &filter->queries[0];
        for (size_t i = 1; i < filter->limits.queries_pending; i++) {
            struct filter_query *other = &filter->queries[i];
            if (!address_is_set(&query->address)) {
                break;
            }
            if (!address_is_set(&other->address) || other->sent_at.ms < query->sent_at.ms) {
                query = other;
            }
        }
    }
    *query = (struct filter_query){.address = *address, .tid = tid, .kind = kind, .sent_at = now};
    return query;
}

const struct filter_listen *filter_find_listen(
    const struct filter *filter, struct mono now, const struct address *address, uint32_t socket)
{
    for (size_t i = 0; i < filter->limits.queries_pending; i++) {
        const struct filter_listen *listen = &filter->listens[i];
        if (listen->socket == socket && listen->until.ms > now.ms &&
            address_equal(&listen->address, address)) {
            return listen;
        }
    }
    return NULL;
}

static void listen_note(struct filter *filter, struct mono now, const struct address *address,
    const struct datagram *datagram)
{
    struct filter_listen *slot = &filter->listens[0];
    for (size_t i = 0; i < filter->limits.queries_pending; i++) {
        struct filter_listen *listen = &filter->listens[i];
        if (listen->socket == datagram->socket && address_equal(&listen->address, address)) {
            slot = listen;
            break;
        }
        if (listen->until.ms < slot->until.ms) {
            slot = listen;
        }
    }
    *slot = (struct filter_listen){
        .address = *address, .socket = datagram->socket, .until = mono_add(now, FILTER_LISTEN_MS)};
    memcpy(slot->key.bytes, datagram->hash.data, sizeof(slot->key.bytes));
}

static bool peer_is_client(const struct filter_peer *peer, struct mono now)
{
    return peer != NULL && peer->client_until.ms > now.ms;
}

static bool peer_is_proven(const struct filter_peer *peer, struct mono now)
{
    return peer != NULL && peer->proven_until.ms > now.ms;
}

bool filter_is_proven(const struct filter *filter, struct mono now, const struct address *address)
{
    return peer_is_proven(peer_find(filter, address), now);
}

uint32_t filter_clients(const struct filter *filter, struct mono now)
{
    uint32_t count = 0;
    for (size_t i = 0; i < filter->limits.peers; i++) {
        count += peer_is_client(&filter->peers[i], now) ? 1 : 0;
    }
    return count;
}

// --- in ------------------------------------------------------------------------------------------

static enum filter_verdict drop(struct filter_result *ret, enum dht_drop reason)
{
    ret->drop = reason;
    return FILTER_DROP;
}

static void peer_prove(struct filter_peer *peer, struct mono now, struct filter_result *ret)
{
    ret->proven = !peer_is_proven(peer, now);
    peer->proven_until = mono_add(now, FILTER_PROVEN_MS);
    peer->sent = 0;
    peer->received = 0;
}

// Server or client? What an address says in an answer to us counts. A query may be forged: it makes
// a client of no address that has answered as a server.
static void peer_note_role(
    struct filter_peer *peer, struct mono now, bool client, bool answer, struct filter_result *ret)
{
    if (client) {
        if (answer || peer->server_until.ms <= now.ms) {
            peer->client_until = mono_add(now, FILTER_CLIENT_MS);
            peer->server_until = (struct mono){.ms = 0};
        }
        return;
    }
    ret->became_server = peer_is_client(peer, now);
    peer->client_until = (struct mono){.ms = 0};
    if (answer) {
        peer->server_until = mono_add(now, FILTER_PROVEN_MS);
    }
}

static enum filter_verdict ingress_answer(struct filter *filter, struct mono now,
    const struct address *from, struct datagram_edit *edit, struct filter_result *ret)
{
    struct filter_peer *peer = peer_find(filter, from);
    const struct datagram *datagram = &ret->datagram;
    if (peer != NULL && peer->challenged && peer->challenge == datagram->tid &&
        mono_since(peer->challenged_at, now) < FILTER_QUERY_MS) {
        peer->challenged = false;
        peer->used_at = now;
        peer_prove(peer, now, ret);
        peer_note_role(peer, now, datagram->client, true, ret);
        return FILTER_CONSUMED;
    }
    struct filter_query *query = query_find(filter, now, from, datagram->tid);
    if (query == NULL || query->answered || query->kind == DATAGRAM_UPDATE) {
        return drop(ret, DHT_DROP_UNASKED);
    }
    query->answered = true;
    peer = peer_get(filter, now, from);
    peer_prove(peer, now, ret);
    peer_note_role(peer, now, datagram->client, true, ret);
    // Reads ask for one value at a time, and ours fit a datagram.
    if (datagram->parts_count > 0) {
        datagram_hide_values(edit, datagram);
        ret->drop = DHT_DROP_READ_LIMIT;
    }
    return FILTER_PASS;
}

static enum filter_verdict ingress_part(
    struct filter *filter, struct mono now, const struct address *from, struct filter_result *ret)
{
    struct filter_query *query = query_find(filter, now, from, ret->datagram.tid);
    if (query == NULL || query->parts_left < ret->datagram.part_bytes) {
        return drop(ret, DHT_DROP_FRAGMENT);
    }
    query->parts_left -= ret->datagram.part_bytes;
    return FILTER_PASS;
}

static enum filter_verdict ingress_update(struct filter *filter, struct mono now,
    const struct address *from, struct datagram_edit *edit, struct filter_result *ret)
{
    const struct datagram *datagram = &ret->datagram;
    if (filter_find_listen(filter, now, from, datagram->socket) == NULL) {
        return drop(ret, DHT_DROP_UNASKED);
    }
    peer_prove(peer_get(filter, now, from), now, ret); // nobody else knows the socket
    if (datagram->parts_count == 0) {
        return FILTER_PASS;
    }
    if (datagram->parts_count > FILTER_PARTS_MAX ||
        datagram->parts_bytes > FILTER_PARTS_BYTES_MAX) {
        datagram_hide_values(edit, datagram);
        ret->drop = DHT_DROP_READ_LIMIT;
        return FILTER_PASS;
    }
    struct filter_query *parts = query_note(filter, now, from, datagram->tid, DATAGRAM_UPDATE);
    parts->parts_left = datagram->parts_bytes;
    return FILTER_PASS;
}

// Swaps the bytes for those that OpenDHT shall see.
static enum filter_verdict rebuild(struct filter *filter, const struct datagram_value *value,
    struct datagram_edit *edit, struct filter_result *ret)
{
    struct datagram_edit fresh = {
        .data = filter->scratch, .size = 0, .capacity = sizeof(filter->scratch)};
    if (datagram_rebuild(&ret->datagram, value, &fresh) != OK || fresh.size > edit->capacity) {
        return drop(ret, DHT_DROP_MALFORMED);
    }
    memcpy(edit->data, fresh.data, fresh.size);
    edit->size = fresh.size;
    return FILTER_PASS;
}

static enum filter_verdict ingress_put(
    struct filter *filter, struct datagram_edit *edit, struct filter_result *ret)
{
    const struct datagram *datagram = &ret->datagram;
    if (datagram->parts_count > 0) {
        return drop(ret, DHT_DROP_FRAGMENT);
    }
    struct span values = datagram->values;
    struct datagram_value value;
    if (datagram->values_count != 1 || datagram_next_value(&values, &value) != OK) {
        return drop(ret, DHT_DROP_VALUE);
    }
    if (!value.plain || value.id == 0 || value.content.size == 0) {
        value.content = span_of(NULL, 0);
        ret->drop = DHT_DROP_VALUE;
    } else if (value.content.size > DHT_PUT_MAX_SIZE) {
        value.content = span_of(NULL, 0);
        ret->drop = DHT_DROP_VALUE_SIZE;
    }
    return rebuild(filter, &value, edit, ret);
}

static enum filter_verdict ingress_query(struct filter *filter, struct mono now,
    const struct address *from, struct datagram_edit *edit, struct filter_result *ret)
{
    const struct datagram *datagram = &ret->datagram;
    if (!prefix_budgets_take(&filter->queries_by_prefix, from, now, 1) ||
        !budget_take(&filter->queries_whole, &filter->limits.queries_whole, now, 1)) {
        return drop(ret, DHT_DROP_BUDGET);
    }
    if (datagram->kind == DATAGRAM_UPDATE) {
        return ingress_update(filter, now, from, edit, ret);
    }
    struct filter_peer *peer = peer_get(filter, now, from);
    if (!peer_is_proven(peer, now)) {
        peer->received += edit->size;
    }
    peer_note_role(peer, now, datagram->client, false, ret);
    if (datagram->kind != DATAGRAM_PUT && datagram->kind != DATAGRAM_REFRESH &&
        datagram->kind != DATAGRAM_LISTEN) {
        return FILTER_PASS;
    }
    if (!prefix_budgets_take(&filter->puts_by_prefix, from, now, 1) ||
        !budget_take(&filter->puts_whole, &filter->limits.puts_whole, now, 1)) {
        return drop(ret, DHT_DROP_PUT_BUDGET);
    }
    if (datagram->kind == DATAGRAM_PUT) {
        return ingress_put(filter, edit, ret);
    }
    return datagram->kind == DATAGRAM_REFRESH ? rebuild(filter, NULL, edit, ret) : FILTER_PASS;
}

static bool family_is_on(const struct filter *filter, const struct address *address)
{
    return (address->family == FAMILY_IPV4 && filter->ipv4) ||
           (address->family == FAMILY_IPV6 && filter->ipv6);
}

enum filter_verdict filter_ingress(struct filter *filter, struct mono now,
    const struct address *from, struct datagram_edit *edit, struct filter_result *ret)
{
    *ret = (struct filter_result){.drop = DHT_DROPS};
    if (!family_is_on(filter, from)) {
        return drop(ret, DHT_DROP_FAMILY);
    }
    if (edit->size > DHT_DATAGRAM_MAX) {
        return drop(ret, DHT_DROP_READ_LIMIT);
    }
    if (datagram_parse(span_of(edit->data, edit->size), &ret->datagram) != OK) {
        return drop(ret, DHT_DROP_MALFORMED);
    }
    if (ret->datagram.network != filter->network) {
        return drop(ret, DHT_DROP_NETWORK);
    }
    switch (ret->datagram.kind) {
    case DATAGRAM_REPLY:
    case DATAGRAM_ERROR:
        return ingress_answer(filter, now, from, edit, ret);
    case DATAGRAM_PART:
        return ingress_part(filter, now, from, ret);
    case DATAGRAM_PING:
    case DATAGRAM_FIND:
    case DATAGRAM_GET:
    case DATAGRAM_PUT:
    case DATAGRAM_LISTEN:
    case DATAGRAM_REFRESH:
    case DATAGRAM_UPDATE:
        return ingress_query(filter, now, from, edit, ret);
    }
    return drop(ret, DHT_DROP_MALFORMED);
}

// --- out -----------------------------------------------------------------------------------------

static enum filter_verdict egress_query(struct filter *filter, struct mono now,
    const struct address *to, bool contact, struct datagram_edit *edit, struct filter_result *ret)
{
    const struct datagram *datagram = &ret->datagram;
    const struct filter_peer *peer = peer_find(filter, to);
    if (datagram->kind == DATAGRAM_UPDATE) {
        peer_prove(peer_get(filter, now, to), now, ret); // OpenDHT took its token
    } else if (peer_is_client(peer, now) && !(contact && datagram->kind == DATAGRAM_PING)) {
        ret->drop = DHT_DROP_CLIENT;
        return FILTER_REFUSE;
    }
    // An update's own kind marks parts that are awaited, so its answer is noted as a listen's.
    const enum datagram_kind kind =
        datagram->kind == DATAGRAM_UPDATE ? DATAGRAM_LISTEN : datagram->kind;
    (void)query_note(filter, now, to, datagram->tid, kind);
    if (datagram->kind == DATAGRAM_LISTEN) {
        listen_note(filter, now, to, datagram);
    }
    const bool first = !peer_is_proven(peer, now) &&
                       (datagram->kind == DATAGRAM_FIND || datagram->kind == DATAGRAM_GET);
    datagram_mark_client(edit, !filter->server, first ? FILTER_PADDED_SIZE : 0);
    return FILTER_PASS;
}

static struct address node_address(struct span node, enum address_family family)
{
    const size_t ip_size = family == FAMILY_IPV4 ? 4 : 16;
    const uint8_t *port = node.data + DATAGRAM_ID_SIZE + ip_size;
    struct address address = {.family = family, .port = (uint16_t)(port[0] << 8 | port[1])};
    memcpy(address.ip, node.data + DATAGRAM_ID_SIZE, ip_size);
    return address;
}

static void remove_clients(struct filter *filter, struct mono now, struct datagram_edit *edit,
    struct datagram *datagram, struct span *list, enum address_family family)
{
    const size_t node_size = family == FAMILY_IPV4 ? DATAGRAM_NODE4_SIZE : DATAGRAM_NODE6_SIZE;
    for (size_t i = list->size / node_size; i-- > 0;) {
        const struct address address =
            node_address(span_of(list->data + i * node_size, node_size), family);
        if (peer_is_client(peer_find(filter, &address), now)) {
            datagram_remove_node(edit, datagram, list, i);
        }
    }
}

// Nodes stand nearest first: the farthest go.
static void cut_nodes(struct datagram_edit *edit, struct datagram *datagram, uint64_t allowed)
{
    while (edit->size > allowed) {
        const size_t nodes4 = datagram->nodes4.size / DATAGRAM_NODE4_SIZE;
        const size_t nodes6 = datagram->nodes6.size / DATAGRAM_NODE6_SIZE;
        if (nodes4 + nodes6 == 0) {
            return;
        }
        if (nodes6 >= nodes4) {
            datagram_remove_node(edit, datagram, &datagram->nodes6, nodes6 - 1);
        } else {
            datagram_remove_node(edit, datagram, &datagram->nodes4, nodes4 - 1);
        }
    }
}

// What an address without proof may get: its credit, and its prefix's share.
static enum filter_verdict egress_unproven(struct filter *filter, struct mono now,
    const struct address *to, struct datagram_edit *edit, struct filter_result *ret)
{
    struct filter_peer *peer = peer_find(filter, to);
    if (peer == NULL) {
        return drop(ret, DHT_DROP_UNPROVEN);
    }
    const uint64_t credit = peer->received * FILTER_AMPLIFICATION;
    uint64_t allowed = credit > peer->sent ? credit - peer->sent : 0;
    const bool waits =
        peer->challenged && mono_since(peer->challenged_at, now) < FILTER_CHALLENGE_MS;
    // A ping's answer proves nothing more than it costs; the others are worth a proof.
    const bool worth = ret->datagram.token.size > 0 || ret->datagram.values_count > 0;
    const bool challenge = worth && !waits && allowed >= FILTER_PING_MAX;
    if (challenge) {
        allowed -= FILTER_PING_MAX;
    }
    if (ret->datagram.values_count == 0) {
        cut_nodes(edit, &ret->datagram, allowed);
    }
    const bool fits = edit->size <= allowed;
    if (!fits && !challenge && !waits) {
        return drop(ret, DHT_DROP_UNPROVEN);
    }
    const uint32_t cost = fits ? (uint32_t)edit->size : FILTER_PING_MAX;
    if (!prefix_budgets_take(&filter->unproven_by_prefix, to, now, cost)) {
        return drop(ret, DHT_DROP_UNPROVEN);
    }
    ret->challenge = challenge;
    if (!fits) {
        return FILTER_HOLD;
    }
    peer->sent += edit->size;
    return FILTER_PASS;
}

static enum filter_verdict egress_answer(struct filter *filter, struct mono now,
    const struct address *to, struct datagram_edit *edit, struct filter_result *ret)
{
    struct datagram *datagram = &ret->datagram;
    if (datagram->kind == DATAGRAM_REPLY && datagram->value_id != 0) {
        peer_prove(peer_get(filter, now, to), now, ret); // a put whose token OpenDHT took
    }
    remove_clients(filter, now, edit, datagram, &datagram->nodes4, FAMILY_IPV4);
    remove_clients(filter, now, edit, datagram, &datagram->nodes6, FAMILY_IPV6);
    datagram_mark_client(edit, !filter->server, 0);
    return filter_is_proven(filter, now, to) ? FILTER_PASS
                                             : egress_unproven(filter, now, to, edit, ret);
}

enum filter_verdict filter_egress(struct filter *filter, struct mono now, const struct address *to,
    bool contact, struct datagram_edit *edit, struct filter_result *ret)
{
    *ret = (struct filter_result){.drop = DHT_DROPS};
    if (!family_is_on(filter, to)) {
        ret->drop = DHT_DROP_FAMILY;
        return FILTER_REFUSE;
    }
    if (edit->size > DHT_DATAGRAM_MAX ||
        datagram_parse(span_of(edit->data, edit->size), &ret->datagram) != OK) {
        return drop(ret, DHT_DROP_MALFORMED);
    }
    if (datagram_is_query(ret->datagram.kind)) {
        return egress_query(filter, now, to, contact, edit, ret);
    }
    if (ret->datagram.kind == DATAGRAM_PART) {
        return filter_is_proven(filter, now, to) ? FILTER_PASS : drop(ret, DHT_DROP_UNPROVEN);
    }
    return egress_answer(filter, now, to, edit, ret);
}

void filter_write_challenge(
    struct filter *filter, struct mono now, const struct address *to, struct datagram_edit *ret)
{
    struct filter_peer *peer = peer_get(filter, now, to);
    peer->challenge = (uint32_t)rng_u64(&filter->rng);
    peer->challenged = true;
    peer->challenged_at = now;
    const enum status status =
        datagram_write_ping(span_of(filter->id.bytes, sizeof(filter->id.bytes)), filter->network,
            peer->challenge, !filter->server, ret);
    ASSERT(status == OK && ret->size <= FILTER_PING_MAX);
    peer->sent += ret->size;
}

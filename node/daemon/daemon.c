// SPDX-License-Identifier: GPL-3.0-or-later
//
// The pump: edges opened, inputs fed, effects carried out, deadlines kept.
#include "node/daemon/daemon.h"
#include "base/clock_posix.h"
#include "base/overlay.h"
#include "dht/store.h"
#include "node/daemon/log.h"
#include "node/daemon/ready.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DHT_COUNT_MS = 1000,
    DHT_COUNT_JOINED_MS = 5000, // joining and being alone are events; this is for the number
    DHT_SAVE_MS = 5 * 60 * 1000,
    ADDRESSES_SETTLE_MS = 200, // an interface that comes up says so in several messages
    DEVICE_RETRY_MS = 2000,
    DEVICE_COMPLAIN_MS = 60 * 1000,
};

void daemon_fail(struct daemon *daemon)
{
    log_event(LOG_LEVEL_ERROR, "failed", NULL, "%s", daemon->error);
    ready_fail(daemon->error);
    daemon->exit_status = EXIT_FAILURE;
    daemon_stop(daemon);
}

// The DHT.

static enum status check_delegation(void *context, const struct delegation *delegation)
{
    struct daemon *daemon = context;
    enum status status =
        delegation_cache_verify(&daemon->delegations, delegation, &daemon->network);
    bool may_be_delegate = status == ERR_SIGNATURE && daemon->config.delegate_registry;
    return daemon->node != NULL && (status == ERR_UNSUPPORTED || may_be_delegate)
               ? node_check_signature(daemon->node, daemon->now, delegation)
               : status;
}

// The storage policy, and an ear for tombstones: who stores one for others is to obey it at once.
static struct dht_store_answer store_value(void *context, struct now now, const struct dht_put *put)
{
    struct daemon *daemon = context;
    struct dht_put asked = *put;
    asked.wanted = daemon->node != NULL && node_wants_piece(daemon->node, put->value);
    struct dht_store_answer answer = dht_store_by_policy(&daemon->policy, now, &asked);
    const struct policy_entry *entry = NULL;
    if (answer.verdict == DHT_STORE_ACCEPT) {
        entry = policy_find(&daemon->policy, now.mono, &put->key, answer.value_id);
    }
    if (entry != NULL && entry->kind == POLICY_KIND_TOMBSTONE &&
        daemon->stone_count < DAEMON_STONES_HEARD && put->value.size <= DHT_VALUE_MAX_SIZE) {
        struct daemon_stone *stone = &daemon->stones[daemon->stone_count++];
        stone->token = entry->token;
        stone->size = put->value.size;
        memcpy(stone->bytes, put->value.data, put->value.size);
    }
    return answer;
}

static void hear_stones(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->stone_count; i++) {
        const struct daemon_stone *stone = &daemon->stones[i];
        node_on_stored_tombstone(
            daemon->node, daemon->now, &stone->token, span_of(stone->bytes, stone->size));
    }
    daemon->stone_count = 0;
}

static enum status start_dht(struct daemon *daemon)
{
    daemon->policy_tables = calloc(1, sizeof *daemon->policy_tables);
    if (daemon->policy_tables == NULL) {
        (void)snprintf(daemon->error, sizeof daemon->error, "there is not enough memory");
        return ERR_FULL;
    }
    struct policy_storage storage = {.entries = daemon->policy_tables->entries,
        .entries_capacity = DAEMON_POLICY_ENTRIES,
        .owners = daemon->policy_tables->owners,
        .owners_capacity = DAEMON_MEMBERS_MAX,
        .prefixes = daemon->policy_tables->prefixes,
        .prefixes_capacity = DAEMON_POLICY_PREFIXES};
    policy_init(&daemon->policy, &daemon->keys, &storage, check_delegation, daemon);
    struct dht_core_config config = {.network = dht_network_number(&daemon->keys.id),
        .ipv4 = daemon->dht_fds[0] >= 0,
        .ipv6 = daemon->dht_fds[1] >= 0,
        .store = store_value,
        .store_context = daemon,
        .limits = dht_limits_default()};
    randombytes_buf(config.seed, sizeof config.seed);
    enum status status = dht_core_create(&config, daemon->now, &daemon->dht);
    if (status != OK) {
        (void)snprintf(daemon->error, sizeof daemon->error, "the DHT engine did not start: %s",
            status_text(status));
        return status;
    }
    setup_load_dht_nodes(daemon);
    daemon->dht_count_at = daemon->now.mono;
    daemon->dht_save_at = mono_add(daemon->now.mono, DHT_SAVE_MS);
    return OK;
}

void daemon_on_dht_datagram(struct daemon *daemon, const struct address *from, struct span bytes)
{
    if (!stun_is(bytes)) {
        if (daemon->dht != NULL) {
            dht_core_recv(daemon->dht, daemon->now, from, bytes);
            dht_store_remove(daemon->dht, daemon->now, &daemon->policy);
            hear_stones(daemon);
        }
        return;
    }
    if (!manifest_on_datagram(daemon, from, bytes) && daemon->node != NULL) {
        node_on_datagram(daemon->node, daemon->now, NODE_PORT_DHT, from, bytes);
        daemon_pump(daemon);
    }
}

static void count_dht_nodes(struct daemon *daemon)
{
    struct dht_status status = dht_core_status(daemon->dht, daemon->now);
    uint32_t good = status.joined ? status.ipv4.good + status.ipv6.good : 0;
    good = status.joined && good == 0 ? 1 : good;
    daemon->dht_count_at =
        mono_add(daemon->now.mono, status.joined ? DHT_COUNT_JOINED_MS : DHT_COUNT_MS);
    if (good != daemon->good_nodes) {
        daemon->good_nodes = good;
        node_on_dht_nodes(daemon->node, daemon->now, good);
    }
}

static void on_dht_event(struct daemon *daemon, const struct dht_event *event)
{
    if ((event->operation & DAEMON_OP) != 0) {
        serve_on_dht_event(daemon, event);
        return;
    }
    switch (event->kind) {
    case DHT_EVENT_VALUE:
        node_on_dht_value(daemon->node, daemon->now, event->operation, event->value);
        return;
    case DHT_EVENT_PUT_DONE:
    case DHT_EVENT_GET_DONE:
        node_on_dht_done(daemon->node, daemon->now, event->operation, event->ok);
        return;
    case DHT_EVENT_JOINED:
    case DHT_EVENT_ALONE:
        count_dht_nodes(daemon);
        return;
    case DHT_EVENT_VALUE_EXPIRED:
        return;
    }
}

// Effects.

static void set_owner(struct daemon *daemon, const struct node_effect *effect)
{
    // A full table costs that member no more than a smaller share of the store.
    (void)!policy_set_owner(&daemon->policy, &effect->token, &effect->owner);
    dht_store_remove(daemon->dht, daemon->now, &daemon->policy);
}

static void want_peer(struct daemon *daemon, const struct wg_peer *peer)
{
    enum status status = wg_peers_want(&daemon->wg_peers, peer);
    if (status != OK) {
        char key[WG_KEY_TEXT_SIZE];
        wg_key_format(&peer->key, key);
        log_event(LOG_LEVEL_ERROR, "peer_not_set", NULL, "peer %s is not put on the device: %s",
            key, status_text(status));
    }
    daemon->wg_dirty = true;
}

static void call_chain(struct daemon *daemon, const struct node_effect *effect)
{
    const struct chain_http_call call = {.id = effect->op,
        .provider = effect->provider,
        .body = effect->bytes,
        .body_max = effect->reply_max,
        .timeout_ms = effect->timeout_ms};
    if (chain_http_submit(daemon->chain, &call) != OK) {
        const struct rpc_reply reply = {.outcome = RPC_UNREACHABLE};
        node_on_chain_reply(daemon->node, daemon->now, effect->op, &reply);
    }
}

static void complain_of_device(
    struct daemon *daemon, const char *event, const struct wg_detail *detail)
{
    if (mono_due(daemon->wg_complain_at, daemon->now.mono)) {
        daemon->wg_complain_at = mono_add(daemon->now.mono, DEVICE_COMPLAIN_MS);
        log_event(LOG_LEVEL_ERROR, event, NULL, "%s", detail->text);
    }
}

static void read_device(struct daemon *daemon)
{
    struct wg_detail detail;
    if (wg_device_read(daemon->device, &daemon->wg_state, &detail) == OK) {
        node_on_device(
            daemon->node, daemon->now, daemon->wg_state.peers, daemon->wg_state.peer_count);
    } else {
        complain_of_device(daemon, "device_unreadable", &detail);
    }
}

static void report(struct daemon *daemon, const struct node_report *event)
{
    report_log(daemon, event);
    wait_on_report(daemon, event);
}

static void carry_out_dht(struct daemon *daemon, const struct node_effect *effect)
{
    struct dht_core *dht = daemon->dht;
    enum status status = OK;
    switch (effect->kind) {
    case EFFECT_DHT_BOOTSTRAP:
        status = dht_core_bootstrap(dht, daemon->now, &effect->to);
        break;
    case EFFECT_DHT_SERVER:
        dht_core_set_server(dht, daemon->now, effect->flag);
        break;
    case EFFECT_DHT_RECONNECT:
        dht_core_connectivity_changed(dht, daemon->now);
        break;
    case EFFECT_DHT_PUT:
        status = dht_core_put(
            dht, daemon->now, effect->op, &effect->key, effect->value_id, effect->bytes);
        break;
    case EFFECT_DHT_GET:
        status = dht_core_get(dht, daemon->now, effect->op, &effect->key);
        break;
    case EFFECT_DHT_LISTEN:
        status = dht_core_listen(dht, daemon->now, effect->op, &effect->key);
        break;
    default:
        dht_core_cancel(dht, daemon->now, effect->op);
        break;
    }
    if (status != OK) {
        log_event(LOG_LEVEL_WARNING, "dht_refused", NULL, "a DHT operation did not start: %s",
            status_text(status));
        node_on_dht_done(daemon->node, daemon->now, effect->op, false);
    }
}

static void carry_out(struct daemon *daemon, const struct node_effect *effect)
{
    switch (effect->kind) {
    case EFFECT_NONE:
        return;
    case EFFECT_PEER_SET:
        want_peer(daemon, &effect->peer);
        return;
    case EFFECT_PEER_REMOVE:
        wg_peers_drop(&daemon->wg_peers, &effect->peer.key);
        daemon->wg_dirty = true;
        return;
    case EFFECT_WG_KEY:
        keys_set_device(daemon, effect->bytes);
        return;
    case EFFECT_SEND:
        if (effect->port == NODE_PORT_WG) {
            sockets_send_port(daemon, &effect->to, effect->ttl, effect->bytes);
        } else {
            sockets_send_dht(daemon, &effect->to, effect->bytes);
        }
        return;
    case EFFECT_MEMBER_SEND:
        sockets_send_member(daemon, &effect->to, effect->bytes);
        return;
    case EFFECT_DHT_BOOTSTRAP:
    case EFFECT_DHT_SERVER:
    case EFFECT_DHT_RECONNECT:
    case EFFECT_DHT_PUT:
    case EFFECT_DHT_GET:
    case EFFECT_DHT_LISTEN:
    case EFFECT_DHT_CANCEL:
        carry_out_dht(daemon, effect);
        return;
    case EFFECT_OWNER:
        set_owner(daemon, effect);
        return;
    case EFFECT_CHAIN_CALL:
        call_chain(daemon, effect);
        return;
    case EFFECT_READ_DEVICE:
        read_device(daemon);
        return;
    case EFFECT_SAVE:
        setup_save(daemon);
        return;
    case EFFECT_PONG:
        serve_on_pong(daemon, &effect->token, effect->bytes);
        return;
    case EFFECT_REPORT:
        report(daemon, &effect->report);
        return;
    }
}

// What is to be done stays to be done: nobody who is to be removed may stay for an error. A device
// that does not answer has held the loop up, so the pause begins now.
static void retry_device(struct daemon *daemon)
{
    daemon->wg_apply_at = mono_add(clock_now().mono, DEVICE_RETRY_MS);
}

void daemon_apply_device(struct daemon *daemon)
{
    static struct wg_op ops[DAEMON_DEVICE_PEERS_MAX * 2];
    struct wg_detail detail;
    size_t count = 0;
    if (wg_device_read(daemon->device, &daemon->wg_state, &detail) != OK) {
        complain_of_device(daemon, "device_unreadable", &detail);
        retry_device(daemon);
        return;
    }
    wg_peers_diff(&daemon->wg_peers, &daemon->wg_state, ops, &count);
    if (count > 0 && wg_device_apply(daemon->device, ops, count, &detail) != OK) {
        complain_of_device(daemon, "device_not_set", &detail);
        retry_device(daemon);
        return;
    }
    daemon->wg_dirty = false;
    for (size_t i = 0; i < count; i++) {
        if (ops[i].kind == WG_OP_REFUSE) {
            char key[WG_KEY_TEXT_SIZE];
            wg_key_format(&ops[i].peer.key, key);
            log_event(LOG_LEVEL_ERROR, "peer_refused_by_device", NULL,
                "peer %s is not put on the device: a peer that Deedmesh did not make holds its key "
                "or address; remove that one",
                key);
        } else {
            wg_peers_applied(&daemon->wg_peers, &ops[i]);
        }
    }
}

static bool is_device_due(const struct daemon *daemon)
{
    return daemon->wg_dirty && !daemon->stopping && mono_due(daemon->wg_apply_at, daemon->now.mono);
}

static bool drain_node(struct daemon *daemon)
{
    bool any = false;
    struct node_effect effect;
    while (!daemon->stopping && node_next_effect(daemon->node, daemon->now, &effect)) {
        bool for_device = effect.kind == EFFECT_PEER_SET || effect.kind == EFFECT_PEER_REMOVE;
        if (!for_device && is_device_due(daemon)) {
            // Before any packet that a peer's handshake may answer.
            daemon_apply_device(daemon);
        }
        carry_out(daemon, &effect);
        any = true;
    }
    if (is_device_due(daemon)) {
        daemon_apply_device(daemon);
    }
    return any;
}

static bool drain_dht(struct daemon *daemon)
{
    bool any = false;
    struct dht_send send;
    struct dht_event event;
    while (dht_core_next_send(daemon->dht, &send)) {
        sockets_send_dht(daemon, &send.to, send.bytes);
    }
    // One event at a time: its effects may use the engine, which ends the event's bytes.
    if (dht_core_next_event(daemon->dht, &event)) {
        on_dht_event(daemon, &event);
        any = true;
    }
    return any;
}

static void arm(struct daemon *daemon);

static void on_timer(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    daemon->now = clock_now();
    manifest_on_deadline(daemon);
    if (daemon->stopping) {
        return;
    }
    if (daemon->node != NULL) {
        if (mono_due(daemon->addresses_at, daemon->now.mono)) {
            daemon_read_local_addresses(daemon);
        }
        if (mono_due(daemon->dht_count_at, daemon->now.mono)) {
            count_dht_nodes(daemon);
        }
        if (mono_due(daemon->dht_save_at, daemon->now.mono)) {
            daemon->dht_save_at = mono_add(daemon->now.mono, DHT_SAVE_MS);
            setup_save_dht_nodes(daemon);
        }
        if (mono_due(node_next_deadline(daemon->node), daemon->now.mono)) {
            node_on_deadline(daemon->node, daemon->now);
        }
    }
    serve_on_deadline(daemon);
    daemon_pump(daemon);
}

static void arm(struct daemon *daemon)
{
    struct mono next = serve_deadline(daemon);
    next = mono_min(next, manifest_deadline(daemon));
    if (daemon->node != NULL) {
        next = mono_min(next, node_next_deadline(daemon->node));
        next = mono_min(next, daemon->dht_at);
        next = mono_min(next, daemon->dht_count_at);
        next = mono_min(next, daemon->dht_save_at);
        next = mono_min(next, daemon->addresses_at);
        next = daemon->wg_dirty ? mono_min(next, daemon->wg_apply_at) : next;
    }
    if (next.ms == mono_never().ms) {
        (void)uv_timer_stop(&daemon->timer);
        return;
    }
    uv_update_time(&daemon->loop);
    uint64_t wait_ms = mono_since(daemon->now.mono, next);
    (void)uv_timer_start(&daemon->timer, on_timer, wait_ms, 0);
}

void daemon_pump(struct daemon *daemon)
{
    if (daemon->stopping) {
        return;
    }
    if (daemon->node != NULL) {
        bool again = true;
        while (again && !daemon->stopping) {
            again = drain_node(daemon);
            daemon->dht_at = dht_core_tick(daemon->dht, daemon->now);
            again = drain_dht(daemon) || again;
        }
    }
    if (!daemon->stopping) {
        arm(daemon);
    }
}

// Edges.

static void on_chain_ready(uv_poll_t *poll, int status, int)
{
    struct daemon *daemon = poll->data;
    struct chain_http_reply reply;
    if (status != 0) {
        return;
    }
    daemon->now = clock_now();
    chain_http_on_ready(daemon->chain);
    while (!daemon->stopping && chain_http_next_reply(daemon->chain, &reply)) {
        const struct rpc_reply rpc = chain_http_rpc_reply(&reply);
        node_on_chain_reply(daemon->node, daemon->now, reply.call_id, &rpc);
        daemon_pump(daemon);
    }
}

void daemon_read_local_addresses(struct daemon *daemon)
{
    struct wg_local_address found[NODE_LOCAL_ADDRESSES_MAX * 2];
    struct node_local_address local[NODE_LOCAL_ADDRESSES_MAX];
    struct wg_detail detail;
    size_t count = 0;
    size_t kept = 0;
    uint32_t own = wg_device_index(daemon->device);
    daemon->addresses_at = mono_never();
    if (wg_link_addresses(daemon->link, found, NODE_LOCAL_ADDRESSES_MAX * 2, &count, &detail) !=
        OK) {
        log_event(LOG_LEVEL_ERROR, "addresses_unreadable", NULL, "%s", detail.text);
        return;
    }
    for (size_t i = 0; i < count && kept < NODE_LOCAL_ADDRESSES_MAX; i++) {
        bool usable = found[i].index != own && !found[i].deprecated && !found[i].tentative &&
                      !found[i].temporary;
        if (usable) {
            local[kept++] = (struct node_local_address){
                .address = found[i].address, .prefix_length = found[i].prefix_length};
        }
    }
    node_on_local_addresses(daemon->node, daemon->now, local, kept);
}

static void on_monitor_ready(uv_poll_t *poll, int status, int)
{
    struct daemon *daemon = poll->data;
    if (status == 0 && wg_monitor_drain(daemon->monitor, wg_device_index(daemon->device))) {
        daemon->now = clock_now();
        daemon->addresses_at = mono_add(daemon->now.mono, ADDRESSES_SETTLE_MS);
        arm(daemon);
    }
}

static void on_device_ended(uv_poll_t *poll, int, int)
{
    struct daemon *daemon = poll->data;
    struct wg_detail reason;
    wg_device_exit_reason(daemon->device, &reason);
    (void)snprintf(daemon->error, sizeof daemon->error,
        "the WireGuard device %s is gone (%s); start the instance again", daemon->options.instance,
        reason.text);
    daemon_fail(daemon);
}

static void watch(struct daemon *daemon, uv_poll_t *poll, int fd, uv_poll_cb callback)
{
    (void)uv_poll_init(&daemon->loop, poll, fd);
    poll->data = daemon;
    (void)uv_poll_start(poll, UV_READABLE, callback);
}

enum status daemon_start_edges(struct daemon *daemon)
{
    daemon->timer.data = daemon;
    (void)uv_timer_init(&daemon->loop, &daemon->timer);
    daemon->timer_open = true;
    enum status status = sockets_open_dht(daemon);
    if (status == OK) {
        status = serve_start(daemon);
    }
    return status;
}

static enum status begin(struct daemon *daemon)
{
    struct wg_detail detail;
    enum status status = setup_node(daemon);
    status = status == OK ? setup_device(daemon) : status;
    status = status == OK ? sockets_open_port(daemon) : status;
    status = status == OK ? sockets_open_member(daemon) : status;
    status = status == OK ? start_dht(daemon) : status;
    if (status != OK) {
        return status;
    }
    status = wg_monitor_open(&daemon->monitor, &detail);
    if (status != OK) {
        (void)snprintf(daemon->error, sizeof daemon->error, "%s", detail.text);
        return status;
    }
    watch(daemon, &daemon->monitor_poll, wg_monitor_fd(daemon->monitor), on_monitor_ready);
    daemon->monitor_open = true;
    watch(daemon, &daemon->chain_poll, chain_http_fd(daemon->chain), on_chain_ready);
    daemon->chain_watched = true;
    int exit_fd = wg_device_exit_fd(daemon->device);
    if (exit_fd >= 0) {
        watch(daemon, &daemon->device_poll, exit_fd, on_device_ended);
        daemon->device_watched = true;
    }
    return OK;
}

void daemon_begin(struct daemon *daemon)
{
    if (begin(daemon) != OK) {
        daemon_fail(daemon);
        return;
    }
    for (size_t i = 0; i < daemon->config.connects_count; i++) {
        (void)!node_want_peer(daemon->node, daemon->now, &daemon->config.connects[i]);
    }
    daemon_read_local_addresses(daemon);
    node_start(daemon->node, daemon->now);
    keys_resume(daemon);
    daemon->ready = true;
    if (daemon->was_pinned) {
        manifest_compare_start(daemon);
    }
    wait_on_stage(daemon, READY_MANIFEST);
    ready_report();
    daemon_pump(daemon);
}

static void close_poll(uv_poll_t *poll, bool *open)
{
    if (*open) {
        uv_close((uv_handle_t *)poll, NULL);
        *open = false;
    }
}

static void remove_device(struct daemon *daemon)
{
    struct wg_detail detail;
    if (daemon->device != NULL && wg_device_remove(daemon->device, &detail) != OK) {
        log_event(LOG_LEVEL_ERROR, "device_not_removed", NULL, "%s", detail.text);
    }
    daemon->device = NULL;
}

// Leaves nothing behind: peers and interface go, what must be remembered is saved.
void daemon_stop(struct daemon *daemon)
{
    if (daemon->stopping) {
        return;
    }
    daemon->stopping = true;
    ready_stopping();
    if (daemon->node != NULL && daemon->ready) {
        setup_save(daemon);
        setup_save_dht_nodes(daemon);
    }
    if (daemon->saver != NULL) {
        saver_flush(daemon->saver);
    }
    close_poll(&daemon->monitor_poll, &daemon->monitor_open);
    close_poll(&daemon->chain_poll, &daemon->chain_watched);
    close_poll(&daemon->device_poll, &daemon->device_watched);
    sockets_close(daemon);
    remove_device(daemon);
    serve_stop(daemon); // last: whoever asked for the end learns by it that all is gone
    for (size_t i = 0; i < 2 && daemon->signals_open; i++) {
        uv_close((uv_handle_t *)&daemon->signals[i], NULL);
    }
    daemon->signals_open = false;
    if (daemon->timer_open) {
        uv_close((uv_handle_t *)&daemon->timer, NULL);
        daemon->timer_open = false;
    }
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The engine on two sockets and poll(2). One thread; nothing is stored for others.
#include "node/cli/dht_client.h"

#include "base/clock_posix.h"
#include "base/socket_posix.h"
#include "node/cli/client.h"
#include "node/instance/dht_nodes.h"
#include "node/instance/network_secret.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    FAMILIES = 2,
    DATAGRAMS_PER_WAKE = 64,
    WAKE_MAX_MS = 1000,
};

// Operations of dht_client_put_wait and dht_client_record, which callers never use.
#define WAITS (UINT64_C(1) << 63)

struct dht_client {
    struct dht_core *core;
    struct network_keys keys;
    int fds[FAMILIES]; // -1 = this machine has no such family
    size_t operations;
    size_t asked; // hosts and nodes that may let us in
    bool joined;
    uint64_t last_wait;
};

static int open_socket(int family)
{
    const int one = 1;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_storage name = {.ss_family = (sa_family_t)family};
    socklen_t size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (fd >= 0 && family == AF_INET6) {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
    }
    if (fd >= 0 && bind(fd, (const struct sockaddr *)&name, size) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

// --- the loop ------------------------------------------------------------------------------------

static void send_all(struct dht_client *client)
{
    struct dht_send send;
    while (dht_core_next_send(client->core, &send)) {
        struct sockaddr_storage name;
        socklen_t size = socket_address_of(&send.to, &name);
        int fd = client->fds[send.to.family == FAMILY_IPV4 ? 0 : 1];
        if (fd >= 0) {
            (void)sendto(fd, send.bytes.data, send.bytes.size, 0, (struct sockaddr *)&name, size);
        }
    }
}

static void receive_all(struct dht_client *client, int fd)
{
    for (int i = 0; i < DATAGRAMS_PER_WAKE; i++) {
        uint8_t bytes[DHT_DATAGRAM_MAX + 1];
        struct sockaddr_storage name = {0};
        socklen_t size = sizeof name;
        ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&name, &size);
        if (got < 0) {
            return;
        }
        struct address from = address_of_socket(&name, size);
        dht_core_recv(client->core, clock_now(), &from, span_of(bytes, (size_t)got));
        send_all(client);
    }
}

// Sleeps until a datagram comes, the engine is due, or `until`.
static void turn(struct dht_client *client, struct mono until)
{
    struct pollfd polls[FAMILIES];
    struct mono wake = mono_min(dht_core_tick(client->core, clock_now()), until);
    send_all(client);
    uint64_t wait_ms = mono_since(clock_mono(), wake);
    for (size_t i = 0; i < FAMILIES; i++) {
        polls[i] = (struct pollfd){.fd = client->fds[i], .events = POLLIN};
    }
    if (poll(polls, FAMILIES, wait_ms < WAKE_MAX_MS ? (int)wait_ms : WAKE_MAX_MS) <= 0) {
        return;
    }
    for (size_t i = 0; i < FAMILIES; i++) {
        if ((polls[i].revents & (POLLIN | POLLERR)) != 0) {
            receive_all(client, client->fds[i]);
        }
    }
}

// The next event, joining and being alone included.
static bool next_event(struct dht_client *client, struct mono until, struct dht_event *ret)
{
    for (;;) {
        send_all(client);
        if (dht_core_next_event(client->core, ret)) {
            bool ends = ret->kind == DHT_EVENT_GET_DONE || ret->kind == DHT_EVENT_PUT_DONE;
            client->operations -= ends && client->operations > 0 ? 1 : 0;
            return true;
        }
        if (mono_due(until, clock_mono())) {
            return false;
        }
        turn(client, until);
    }
}

bool dht_client_next(struct dht_client *client, uint64_t timeout_ms, struct dht_event *ret)
{
    struct mono until = mono_add(clock_mono(), timeout_ms);
    while (next_event(client, until, ret)) {
        if (ret->operation != 0 && (ret->operation & WAITS) == 0) {
            return true;
        }
    }
    return false;
}

// --- opening -------------------------------------------------------------------------------------

static void ask_host(struct dht_client *client, const struct endpoint_name *endpoint)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char port[8];
    (void)snprintf(port, sizeof port, "%u", (unsigned)endpoint->port);
    int error = getaddrinfo(endpoint->host, port, &hints, &list);
    if (error != 0) {
        warn("deedmesh: %s: %s", endpoint->host, gai_strerror(error));
        return;
    }
    for (const struct addrinfo *at = list; at != NULL; at = at->ai_next) {
        struct address address = address_of_socket(at->ai_addr, at->ai_addrlen);
        if (dht_core_bootstrap(client->core, clock_now(), &address) == OK) {
            client->asked++;
        }
    }
    freeaddrinfo(list);
}

static int ask_hosts(struct cli *cli, const struct state *state, const struct config *config,
    struct dht_client *client)
{
    const char *text = cli->arguments.bootstrap;
    if (text != NULL) {
        struct bootstrap bootstrap;
        if (bootstrap_parse(span_of_text(text), &bootstrap) != OK) {
            return complain(cli, USAGE_ERROR, "usage", "--bootstrap %s: expected HOST:PORT", text);
        }
        ask_host(client, &bootstrap.endpoint);
        return DONE;
    }
    for (size_t i = 0; i < config->bootstraps_count; i++) {
        ask_host(client, &config->bootstraps[i].endpoint);
    }
    int exit = DONE;
    struct client *daemon = client_open(cli, true, &exit);
    if (daemon != NULL) { // the instance's own: the nearest member, and perhaps the only one
        const struct endpoint_name own = {.host = "127.0.0.1", .port = config->dht_port};
        client_close(daemon);
        ask_host(client, &own);
    }
    struct dht_node nodes[DHT_NODES_MAX];
    struct state_error error;
    size_t count = 0;
    enum status status =
        state == NULL ? ERR_NOT_FOUND : dht_nodes_read(state, nodes, &count, &error);
    if (status != OK && status != ERR_NOT_FOUND) {
        warn("deedmesh: %s", error.text);
    }
    for (size_t i = 0; i < count; i++) {
        if (dht_core_insert_node(client->core, clock_now(), &nodes[i]) == OK) {
            client->asked++;
        }
    }
    return DONE;
}

static int read_config(struct cli *cli, struct config *ret)
{
    struct config_error error;
    enum status status = config_load(cli->directories.config, cli->instance, ret, &error);
    if (status == ERR_NOT_FOUND) {
        config_init(ret, cli->instance);
        return DONE;
    }
    return status == OK ? DONE : complain(cli, FAILED, "config", "%s", error.text);
}

static int make_keys(struct cli *cli, const struct config *config, const struct network *network,
    struct network_keys *ret)
{
    uint8_t secret[NETWORK_SECRET_SIZE];
    char error[NETWORK_SECRET_ERROR_SIZE];
    bool has_secret = config->secret_file[0] != '\0';
    if (has_secret && network_secret_read(config->secret_file, secret, error) != OK) {
        return complain(cli, FAILED, "secret", "%s", error);
    }
    *ret = network_keys_of(network, has_secret ? secret : NULL);
    sodium_memzero(secret, sizeof secret);
    return DONE;
}

static int start(struct cli *cli, struct dht_client *client)
{
    client->fds[0] = open_socket(AF_INET);
    client->fds[1] = open_socket(AF_INET6);
    struct dht_core_config config = {.network = dht_network_number(&client->keys.id),
        .ipv4 = client->fds[0] >= 0,
        .ipv6 = client->fds[1] >= 0,
        .limits = dht_limits_default()};
    randombytes_buf(config.seed, sizeof config.seed);
    enum status status = dht_core_create(&config, clock_now(), &client->core);
    return status == OK ? DONE
                        : complain(cli, FAILED, "dht", "the DHT engine did not start: %s",
                              status_text(status));
}

static int join(struct cli *cli, struct dht_client *client, uint64_t timeout_ms)
{
    struct dht_event event;
    struct mono until = mono_add(clock_mono(), timeout_ms);
    if (client->asked == 0) {
        return complain(cli, FAILED, "no_bootstrap",
            "the DHT: nobody to ask; start the node with `deedmesh up`, or name a member's DHT "
            "port "
            "with --bootstrap HOST:PORT");
    }
    while (!client->joined && next_event(client, until, &event)) {
        client->joined = event.kind == DHT_EVENT_JOINED;
    }
    return client->joined
               ? DONE
               : complain(cli, FAILED, "unreachable",
                     "no node of the DHT answered in %llu s; is this the DHT port (51821) of a "
                     "member with a public address, and does a firewall let UDP through?",
                     (unsigned long long)(timeout_ms / 1000));
}

int dht_client_configured_keys(
    struct cli *cli, const struct network *network, struct network_keys *ret)
{
    struct config config;
    int result = read_config(cli, &config);
    return result == DONE ? make_keys(cli, &config, network, ret) : result;
}

int dht_client_open(struct cli *cli, const struct state *state, const struct network *network,
    uint64_t timeout_ms, struct dht_client **ret)
{
    struct config config;
    int result = read_config(cli, &config);
    struct dht_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return complain(cli, FAILED, "internal", "there is not enough memory");
    }
    client->fds[0] = client->fds[1] = -1;
    if (result == DONE) {
        result = make_keys(cli, &config, network, &client->keys);
    }
    if (result == DONE) {
        result = start(cli, client);
    }
    if (result == DONE) {
        result = ask_hosts(cli, state, &config, client);
    }
    if (result == DONE) {
        result = join(cli, client, timeout_ms);
    }
    if (result != DONE) {
        dht_client_close(client);
        return result;
    }
    *ret = client;
    return DONE;
}

void dht_client_close(struct dht_client *client)
{
    if (client == NULL) {
        return;
    }
    dht_core_destroy(client->core);
    for (size_t i = 0; i < FAMILIES; i++) {
        if (client->fds[i] >= 0) {
            (void)close(client->fds[i]);
        }
    }
    network_keys_wipe(&client->keys);
    free(client);
}

const struct network_keys *dht_client_keys(const struct dht_client *client)
{
    return &client->keys;
}

// --- operations ----------------------------------------------------------------------------------

static enum status count(struct dht_client *client, enum status status)
{
    client->operations += status == OK ? 1 : 0;
    return status;
}

enum status dht_client_get(struct dht_client *client, uint64_t operation, const struct dht_key *key)
{
    return client->operations >= DHT_CLIENT_OPERATIONS_MAX
               ? ERR_FULL
               : count(client, dht_core_get(client->core, clock_now(), operation, key));
}

enum status dht_client_put(struct dht_client *client, uint64_t operation, const struct dht_key *key,
    uint64_t value_id, struct span value)
{
    return client->operations >= DHT_CLIENT_OPERATIONS_MAX
               ? ERR_FULL
               : count(client,
                     dht_core_put(client->core, clock_now(), operation, key, value_id, value));
}

void dht_client_cancel(struct dht_client *client, uint64_t operation)
{
    dht_core_cancel(client->core, clock_now(), operation);
    client->operations -= client->operations > 0 ? 1 : 0;
}

enum status dht_client_put_wait(struct dht_client *client, const struct dht_key *key,
    uint64_t value_id, struct span value, uint64_t timeout_ms)
{
    struct dht_event event;
    struct mono until = mono_add(clock_mono(), timeout_ms);
    uint64_t operation = WAITS | ++client->last_wait;
    enum status status = dht_client_put(client, operation, key, value_id, value);
    while (status == OK && next_event(client, until, &event)) {
        if (event.kind == DHT_EVENT_PUT_DONE && event.operation == operation) {
            return event.ok ? OK : ERR_UNREACHABLE;
        }
    }
    if (status == OK) {
        dht_client_cancel(client, operation);
    }
    return status == OK ? ERR_UNREACHABLE : status;
}

enum status dht_client_record(struct dht_client *client, const struct token_id *token,
    const struct eth_address *owner, uint64_t timeout_ms, struct record *ret)
{
    struct dht_event event;
    struct record best;
    bool found = false;
    bool ended = false;
    struct dht_key at = key_of_record(&client->keys, token);
    struct mono until = mono_add(clock_mono(), timeout_ms);
    uint64_t operation = WAITS | ++client->last_wait;
    enum status status = dht_client_get(client, operation, &at);
    while (status == OK && !ended && next_event(client, until, &event)) {
        struct record record;
        if (event.operation != operation) {
            continue;
        }
        ended = event.kind == DHT_EVENT_GET_DONE;
        if (event.kind == DHT_EVENT_VALUE &&
            record_decode(&client->keys, &at, event.value, &record) == OK &&
            (owner == NULL || eth_address_equal(&record.delegation.owner, owner)) &&
            (!found || record_outranks(&record, &best))) {
            best = record;
            found = true;
        }
    }
    if (status != OK) {
        return status;
    }
    if (!ended) {
        dht_client_cancel(client, operation);
    }
    if (found) {
        *ret = best;
        return OK;
    }
    return ended ? ERR_NOT_FOUND : ERR_UNREACHABLE;
}

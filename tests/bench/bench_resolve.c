// SPDX-License-Identifier: GPL-3.0-or-later
//
// From "look up token N" to its first valid record, ours beside the stock C bindings, in a swarm of
// 50 on loopback (one address, many ports): 47 engines of ours in a child process, a publisher, our
// reader and a stock reader here. Fresh keys; the two readers take turns in going first.
//
//   bench_resolve [KEYS [DELAY_MS]]   medians in milliseconds and their ratio; aim: at most 1.2
//
// The swarm's nodes send DELAY_MS late (10), as over a wide-area path. With 0 the figures are of
// computing alone: ours include reading and verifying the record (one Ed25519 signature), which the
// stock reader leaves undone.
#include "base/clock_posix.h"
#include "base/socket_posix.h"
#include "dht/core.h"
#include "dht/dht.h"

#include <fcntl.h>
#include <opendht/opendht_c.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SWARM = 47,
    KEYS = 200,
    KEYS_MAX = 2000,
    PORT_FIRST = 24000,
    PORT_STOCK = 24100,
    NETWORK = 7,
    ANSWER_MS = 10000,
    DELAY_MS = 10,
    LATES_MAX = 4096,
};

static const struct network network = {.chain_id = 31337, .contract = {{0x11}}};

static uint64_t now_us(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

// --- nodes of ours -------------------------------------------------------------------------------

struct node {
    struct dht_core *core;
    int fd;
    uint64_t operation;
    bool done; // the operation, or its first valid record
    uint64_t done_us;
    struct network_keys keys;
};

static struct dht_store_answer take(void *, struct now now, const struct dht_put *put)
{
    return (struct dht_store_answer){
        .verdict = DHT_STORE_ACCEPT,
        .value_id = put->value_id,
        .expires_at = mono_add(now.mono, UINT64_C(10) * 60 * 1000),
    };
}

static void node_open(struct node *node, uint16_t port)
{
    const struct address own = address_of_ipv4(127, 0, 0, 1, port);
    struct sockaddr_storage name;
    const socklen_t size = socket_address_of(&own, &name);
    node->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (node->fd < 0 || bind(node->fd, (const struct sockaddr *)&name, size) != 0) {
        fail("bind");
    }
    struct dht_core_config config = {
        .network = NETWORK,
        .server = true,
        .ipv4 = true,
        .store = take,
        .limits = dht_limits_default(),
    };
    // One /24 holds them all.
    config.limits.queries_per_prefix = config.limits.queries_whole;
    config.limits.puts_per_prefix = config.limits.puts_whole;
    randombytes_buf(config.seed, sizeof(config.seed));
    const struct address contact = address_of_ipv4(127, 0, 0, 1, PORT_FIRST);
    if (dht_core_create(&config, clock_now(), &node->core) != OK ||
        (port != PORT_FIRST && dht_core_bootstrap(node->core, clock_now(), &contact) != OK)) {
        fail("engine");
    }
    node->keys = network_keys_of(&network, NULL);
}

// Datagrams of the swarm that are on their way, in order.
struct late {
    int fd;
    struct address to;
    uint64_t at_ms;
    size_t size;
    uint8_t bytes[DHT_DATAGRAM_MAX];
};

static struct late lates[LATES_MAX];
static size_t lates_first;
static size_t lates_count;
static uint64_t delay_ms; // in the swarm's process alone

static void send_now(int fd, const struct address *address, struct span bytes)
{
    struct sockaddr_storage to;
    const socklen_t size = socket_address_of(address, &to);
    (void)sendto(fd, bytes.data, bytes.size, 0, (const struct sockaddr *)&to, size);
}

static void send_late(int fd, const struct dht_send *send)
{
    if (lates_count == LATES_MAX) {
        return;
    }
    struct late *late = &lates[(lates_first + lates_count++) % LATES_MAX];
    late->fd = fd;
    late->to = send->to;
    late->at_ms = now_us() / 1000 + delay_ms;
    late->size = send->bytes.size;
    memcpy(late->bytes, send->bytes.data, send->bytes.size);
}

// Sends what is due; returns the milliseconds until the next is.
static uint64_t send_due(void)
{
    while (lates_count > 0) {
        const struct late *late = &lates[lates_first];
        const uint64_t now_ms = now_us() / 1000;
        if (late->at_ms > now_ms) {
            return late->at_ms - now_ms;
        }
        send_now(late->fd, &late->to, span_of(late->bytes, late->size));
        lates_first = (lates_first + 1) % LATES_MAX;
        lates_count--;
    }
    return 1000;
}

static void node_drain(struct node *node)
{
    struct dht_send send;
    while (dht_core_next_send(node->core, &send)) {
        if (delay_ms > 0) {
            send_late(node->fd, &send);
        } else {
            send_now(node->fd, &send.to, send.bytes);
        }
    }
    struct dht_event event;
    while (dht_core_next_event(node->core, &event)) {
        struct record record;
        const bool wanted = event.kind == DHT_EVENT_PUT_DONE ||
                            (event.kind == DHT_EVENT_VALUE &&
                                record_decode(&node->keys, &event.key, event.value, &record) == OK);
        if (event.operation == node->operation && wanted && !node->done) {
            node->done = true;
            node->done_us = now_us();
        }
    }
}

static void node_receive(struct node *node)
{
    uint8_t bytes[2048];
    struct sockaddr_storage name;
    socklen_t size = sizeof(name);
    ssize_t got = 0;
    while (
        (got = recvfrom(node->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&name, &size)) >= 0) {
        const struct address from = address_of_socket(&name, size);
        dht_core_recv(node->core, clock_now(), &from, span_of(bytes, (size_t)got));
        node_drain(node);
    }
}

// One turn of the loop; `extra` is another descriptor to wake up for, or -1.
static void nodes_turn(struct node *nodes, size_t count, int extra, uint64_t wait_ms)
{
    struct pollfd polls[SWARM + 1];
    for (size_t i = 0; i < count; i++) {
        const struct now now = clock_now();
        const struct mono wake = dht_core_tick(nodes[i].core, now);
        const uint64_t left = mono_since(now.mono, wake);
        wait_ms = left < wait_ms ? left : wait_ms;
        node_drain(&nodes[i]);
        polls[i] = (struct pollfd){.fd = nodes[i].fd, .events = POLLIN};
    }
    polls[count] = (struct pollfd){.fd = extra, .events = POLLIN};
    (void)poll(polls, count + 1, (int)wait_ms);
    for (size_t i = 0; i < count; i++) {
        if ((polls[i].revents & POLLIN) != 0) {
            node_receive(&nodes[i]);
        }
    }
}

static _Noreturn void run_swarm(uint64_t late_by_ms)
{
    static struct node nodes[SWARM];
    delay_ms = late_by_ms;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 0; i < SWARM; i++) {
        node_open(&nodes[i], (uint16_t)(PORT_FIRST + i));
        node_drain(&nodes[i]);
    }
    for (;;) {
        nodes_turn(nodes, SWARM, -1, send_due());
    }
}

// --- the stock reader ----------------------------------------------------------------------------

struct stock {
    int pipe[2];
    uint64_t done_us; // of the first callback; read after the pipe
};

static bool stock_value(const dht_value *value, void *context)
{
    struct stock *stock = context;
    (void)value;
    if (stock->done_us == 0) {
        stock->done_us = now_us();
        (void)!write(stock->pipe[1], "v", 1);
    }
    return false;
}

static void stock_done(bool, void *context)
{
    struct stock *stock = context;
    (void)!write(stock->pipe[1], "d", 1);
}

static dht_runner *stock_open(void)
{
    dht_runner_config config;
    dht_runner_config_default(&config);
    config.dht_config.node_config.network = NETWORK;
    dht_runner *runner = dht_runner_new();
    if (dht_runner_run_config(runner, PORT_STOCK, &config) != 0) {
        fail("stock node");
    }
    char port[16];
    (void)snprintf(port, sizeof(port), "%d", PORT_FIRST);
    dht_runner_bootstrap(runner, "127.0.0.1", port);
    return runner;
}

// --- measuring -----------------------------------------------------------------------------------

struct bench {
    struct node nodes[2]; // publisher, reader
    dht_runner *runner;
    struct stock stock;
    uint64_t ours_us[KEYS_MAX];
    uint64_t stock_us[KEYS_MAX];
};

static size_t make_record(uint64_t number, uint8_t ret[static RECORD_MAX_SIZE], uint64_t *ret_id)
{
    struct node_secret secret;
    struct record record = {
        .token = token_id_of_u64(number),
        .sequence = 1,
        .not_after_s = (uint64_t)time(NULL) + 1200,
    };
    (void)crypto_sign_keypair(record.node_key.bytes, secret.bytes);
    record.wg_key.bytes[0] = 9;
    record.delegation = (struct delegation){
        .kind = DELEGATION_EIP712,
        .token = record.token,
        .owner = {{0x22}},
        .node_key = record.node_key,
        .not_before_s = 1,
        .not_after_s = record.not_after_s,
        .epoch_s = 1000,
        .signature = {1, [64] = 27},
        .signature_size = ECDSA_SIGNATURE_SIZE,
    };
    const struct network_keys keys = network_keys_of(&network, NULL);
    size_t size = 0;
    if (record_encode(&keys, &secret, &record, ret, &size) != OK) {
        fail("record");
    }
    *ret_id = value_id_of_record(&record.node_key);
    return size;
}

static bool await_node(struct bench *bench, struct node *node)
{
    const uint64_t end_us = now_us() + UINT64_C(1000) * ANSWER_MS;
    while (!node->done && now_us() < end_us) {
        nodes_turn(bench->nodes, 2, -1, 100);
    }
    return node->done;
}

static bool publish(struct bench *bench, uint64_t number, struct dht_key *ret)
{
    struct node *node = &bench->nodes[0];
    uint8_t bytes[RECORD_MAX_SIZE];
    uint64_t id = 0;
    const size_t size = make_record(number, bytes, &id);
    const struct token_id token = token_id_of_u64(number);
    *ret = key_of_record(&node->keys, &token);
    node->done = false;
    if (dht_core_put(node->core, clock_now(), ++node->operation, ret, id, span_of(bytes, size)) !=
        OK) {
        return false;
    }
    node_drain(node);
    return await_node(bench, node);
}

static bool read_ours(struct bench *bench, const struct dht_key *key, uint64_t *ret_us)
{
    struct node *node = &bench->nodes[1];
    node->done = false;
    const uint64_t begin_us = now_us();
    if (dht_core_get(node->core, clock_now(), ++node->operation, key) != OK) {
        return false;
    }
    node_drain(node);
    const bool found = await_node(bench, node);
    *ret_us = node->done_us - begin_us;
    dht_core_stop(node->core, clock_now(), node->operation);
    return found;
}

static bool read_stock(struct bench *bench, const struct dht_key *key, uint64_t *ret_us)
{
    dht_infohash hash;
    memcpy(hash.d, key->bytes, sizeof(hash.d));
    bench->stock.done_us = 0;
    const uint64_t begin_us = now_us();
    dht_runner_get(bench->runner, &hash, stock_value, stock_done, &bench->stock);
    bool ended = false;
    while (!ended) {
        char what = 0;
        nodes_turn(bench->nodes, 2, bench->stock.pipe[0], 100);
        while (read(bench->stock.pipe[0], &what, 1) == 1) {
            ended = ended || what == 'd';
        }
    }
    *ret_us = bench->stock.done_us - begin_us;
    return bench->stock.done_us != 0;
}

static int compare(const void *a, const void *b)
{
    const uint64_t first = *(const uint64_t *)a;
    const uint64_t second = *(const uint64_t *)b;
    return first < second ? -1 : first > second;
}

static double part_ms(const uint64_t *sorted_us, size_t count, size_t percent)
{
    const size_t index = count * percent / 100;
    return (double)sorted_us[index] / 1000;
}

static void report(
    uint64_t *ours_us, uint64_t *stock_us, size_t count, size_t missed, uint64_t late_by_ms)
{
    qsort(ours_us, count, sizeof(*ours_us), compare);
    qsort(stock_us, count, sizeof(*stock_us), compare);
    const double ours = part_ms(ours_us, count, 50);
    const double stock = part_ms(stock_us, count, 50);
    (void)printf("{\"nodes\":%d,\"delay_ms\":%u,\"keys\":%zu,\"missed\":%zu,\"ours_p50_ms\":%.3f,"
                 "\"ours_p90_ms\":%.3f,\"stock_p50_ms\":%.3f,\"stock_p90_ms\":%.3f,"
                 "\"ratio\":%.2f,\"aim\":1.2}\n",
        SWARM + 3, (unsigned)late_by_ms, count, missed, ours, part_ms(ours_us, count, 90), stock,
        part_ms(stock_us, count, 90), ours / stock);
}

static void measure(struct bench *bench, size_t keys, uint64_t late_by_ms)
{
    size_t count = 0;
    for (size_t i = 0; i < keys; i++) {
        struct dht_key key;
        uint64_t ours_us = 0;
        uint64_t stock_us = 0;
        bool found = publish(bench, 1000 + i, &key);
        if (i % 2 == 0) {
            found = found && read_ours(bench, &key, &ours_us) && read_stock(bench, &key, &stock_us);
        } else {
            found = found && read_stock(bench, &key, &stock_us) && read_ours(bench, &key, &ours_us);
        }
        if (found) {
            bench->ours_us[count] = ours_us;
            bench->stock_us[count++] = stock_us;
        }
    }
    if (count > 0) {
        report(bench->ours_us, bench->stock_us, count, keys - count, late_by_ms);
    }
}

int main(int argc, char **argv)
{
    static struct bench bench;
    const size_t keys = argc > 1 ? strtoul(argv[1], NULL, 10) : KEYS;
    const uint64_t late_by_ms = argc > 2 ? strtoul(argv[2], NULL, 10) : DELAY_MS;
    if (sodium_init() < 0 || keys > KEYS_MAX) {
        return 2;
    }
    const pid_t swarm = fork();
    if (swarm == 0) {
        run_swarm(late_by_ms);
    }
    if (pipe2(bench.stock.pipe, O_NONBLOCK | O_CLOEXEC) != 0) {
        fail("pipe");
    }
    const struct timespec bound = {.tv_nsec = 300 * 1000 * 1000}; // the swarm's sockets
    (void)nanosleep(&bound, NULL);
    node_open(&bench.nodes[0], PORT_FIRST + SWARM);
    node_open(&bench.nodes[1], PORT_FIRST + SWARM + 1);
    bench.runner = stock_open();
    const uint64_t settled_us = now_us() + UINT64_C(8000000);
    while (now_us() < settled_us) {
        nodes_turn(bench.nodes, 2, -1, 100);
    }
    measure(&bench, keys, late_by_ms);
    dht_runner_delete(bench.runner);
    (void)kill(swarm, SIGKILL);
    (void)waitpid(swarm, NULL, 0);
    return 0;
}

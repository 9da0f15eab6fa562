// SPDX-License-Identifier: GPL-3.0-or-later
//
// The daemon's UDP sockets: the DHT's port for both families, and the members' port inside the
// overlay, bound to the WireGuard interface so that nothing else can speak there.
#include "base/clock_posix.h"
#include "base/overlay.h"
#include "base/socket_posix.h"
#include "node/daemon/daemon.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DATAGRAM_MAX = 2048,
};

typedef void (*on_datagram)(struct daemon *, const struct address *, struct span);

// Reads what waits, a bounded number at a time: the loop comes back for the rest.
static void receive(struct daemon *daemon, int fd, on_datagram handler)
{
    uint8_t bytes[DATAGRAM_MAX];
    for (int i = 0; i < DAEMON_DATAGRAMS_PER_WAKE && !daemon->stopping; i++) {
        struct sockaddr_storage from;
        socklen_t from_size = sizeof from;
        ssize_t size =
            recvfrom(fd, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&from, &from_size);
        if (size < 0) {
            break; // nothing left, or an ICMP error of an earlier send
        }
        struct address address = address_of_socket(&from, from_size);
        daemon->now = clock_now();
        handler(daemon, &address, span_of(bytes, (size_t)size));
    }
    daemon_pump(daemon);
}

static void on_dht_ready(uv_poll_t *poll, int status, int)
{
    struct daemon *daemon = poll->data;
    size_t index = poll == &daemon->dht_polls[1];
    if (status == 0) {
        receive(daemon, daemon->dht_fds[index], daemon_on_dht_datagram);
    }
}

static void on_member_datagram(struct daemon *daemon, const struct address *from, struct span bytes)
{
    node_on_member_message(daemon->node, daemon->now, from, bytes);
    daemon_pump(daemon);
}

static void on_member_ready(uv_poll_t *poll, int status, int)
{
    struct daemon *daemon = poll->data;
    if (status == 0) {
        receive(daemon, daemon->member_fd, on_member_datagram);
    }
}

// Binds a UDP socket; -1 and errno on failure.
static int open_udp(const struct address *address, const char *interface)
{
    int family = address->family == FAMILY_IPV4 ? AF_INET : AF_INET6;
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
    if (fd < 0) {
        return -1;
    }
    int on = 1;
    struct sockaddr_storage bound;
    socklen_t size = socket_address_of(address, &bound);
    bool failed =
        (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0) ||
        (interface != NULL && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
                                  (socklen_t)strlen(interface)) < 0) ||
        bind(fd, (const struct sockaddr *)&bound, size) < 0;
    if (failed) {
        int error = errno;
        (void)close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static enum status port_error(
    struct daemon *daemon, const char *what, uint16_t port, const char *next)
{
    if (errno == EADDRINUSE) {
        (void)snprintf(daemon->error, sizeof daemon->error,
            "%s port %u/udp is in use by another program; stop it%s", what, (unsigned)port, next);
        return ERR_BUSY;
    }
    (void)snprintf(daemon->error, sizeof daemon->error, "%s port %u/udp: %s", what, (unsigned)port,
        strerror(errno));
    return errno == EACCES ? ERR_PERMISSION : ERR_IO;
}

enum status sockets_open_dht(struct daemon *daemon)
{
    const struct address any[] = {
        {.family = FAMILY_IPV4, .port = daemon->config.dht_port},
        {.family = FAMILY_IPV6, .port = daemon->config.dht_port},
    };
    static const char *const names[] = {"the DHT's IPv4", "the DHT's IPv6"};
    for (size_t i = 0; i < 2; i++) {
        daemon->dht_fds[i] = open_udp(&any[i], NULL);
        if (daemon->dht_fds[i] < 0) {
            if (errno == EAFNOSUPPORT || (i == 1 && errno == EADDRNOTAVAIL)) {
                continue; // a host without this family
            }
            return port_error(
                daemon, names[i], any[i].port, " or set another dht_port in the configuration");
        }
        (void)uv_poll_init(&daemon->loop, &daemon->dht_polls[i], daemon->dht_fds[i]);
        daemon->dht_polls[i].data = daemon;
        (void)uv_poll_start(&daemon->dht_polls[i], UV_READABLE, on_dht_ready);
    }
    return OK;
}

enum status sockets_open_member(struct daemon *daemon)
{
    struct address own = overlay_ipv6(&daemon->keys.id, &daemon->token);
    own.port = MEMBER_PORT;
    daemon->member_fd = open_udp(&own, daemon->options.instance);
    if (daemon->member_fd < 0) {
        return port_error(daemon, "the members' overlay", MEMBER_PORT, "");
    }
    (void)uv_poll_init(&daemon->loop, &daemon->member_poll, daemon->member_fd);
    daemon->member_poll.data = daemon;
    (void)uv_poll_start(&daemon->member_poll, UV_READABLE, on_member_ready);
    return OK;
}

static void on_port_ready(uv_poll_t *poll, int status, int);

static void on_port_resume(uv_timer_t *timer)
{
    struct daemon *daemon = timer->data;
    (void)uv_poll_start(&daemon->port_poll, UV_READABLE, on_port_ready);
}

static void on_port_ready(uv_poll_t *poll, int status, int)
{
    struct daemon *daemon = poll->data;
    static struct port_datagram list[PORT_BATCH];
    size_t count = 0;
    uint32_t pause_ms = 0;
    daemon->now = clock_now();
    if (status != 0 ||
        port_receive(daemon->port, daemon->now.mono, list, &count, &pause_ms) != OK) {
        return;
    }
    for (size_t i = 0; i < count && !daemon->stopping; i++) {
        node_on_datagram(daemon->node, daemon->now, NODE_PORT_WG, &list[i].from,
            span_of(list[i].bytes, list[i].size));
        daemon_pump(daemon);
    }
    if (pause_ms > 0 && !daemon->stopping) {
        (void)uv_poll_stop(&daemon->port_poll);
        (void)uv_timer_start(&daemon->port_timer, on_port_resume, pause_ms, 0);
    }
}

enum status sockets_open_port(struct daemon *daemon)
{
    const struct port_config config = {.port = daemon->config.listen_port};
    char error[PORT_ERROR_TEXT_SIZE];
    enum status status = port_open(&config, &daemon->port, error);
    if (status != OK) {
        (void)snprintf(daemon->error, sizeof daemon->error, "%s", error);
        return status;
    }
    (void)uv_poll_init(&daemon->loop, &daemon->port_poll, port_fd(daemon->port));
    (void)uv_timer_init(&daemon->loop, &daemon->port_timer);
    daemon->port_poll.data = daemon;
    daemon->port_timer.data = daemon;
    daemon->port_open = true;
    (void)uv_poll_start(&daemon->port_poll, UV_READABLE, on_port_ready);
    return OK;
}

static void send_on(int fd, const struct address *to, struct span bytes)
{
    struct sockaddr_storage name;
    socklen_t size = socket_address_of(to, &name);
    // A datagram that cannot be sent is a datagram lost: whoever awaits an answer asks again.
    if (fd >= 0) {
        (void)sendto(
            fd, bytes.data, bytes.size, MSG_DONTWAIT, (const struct sockaddr *)&name, size);
    }
}

void sockets_send_dht(struct daemon *daemon, const struct address *to, struct span bytes)
{
    send_on(daemon->dht_fds[to->family == FAMILY_IPV6], to, bytes);
}

void sockets_send_member(struct daemon *daemon, const struct address *to, struct span bytes)
{
    send_on(daemon->member_fd, to, bytes);
}

void sockets_send_port(
    struct daemon *daemon, const struct address *to, uint8_t ttl, struct span bytes)
{
    if (daemon->port != NULL) {
        (void)!port_send(daemon->port, to, ttl, bytes);
    }
}

void sockets_close(struct daemon *daemon)
{
    for (size_t i = 0; i < 2; i++) {
        if (daemon->dht_fds[i] >= 0) {
            uv_close((uv_handle_t *)&daemon->dht_polls[i], NULL);
            (void)close(daemon->dht_fds[i]);
            daemon->dht_fds[i] = -1;
        }
    }
    if (daemon->member_fd >= 0) {
        uv_close((uv_handle_t *)&daemon->member_poll, NULL);
        (void)close(daemon->member_fd);
        daemon->member_fd = -1;
    }
    if (daemon->port_open) {
        uv_close((uv_handle_t *)&daemon->port_poll, NULL);
        uv_close((uv_handle_t *)&daemon->port_timer, NULL);
        daemon->port_open = false;
    }
    port_close(daemon->port);
    daemon->port = NULL;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// A raw socket sees the packet from the IP header on, so the offsets below are into IPv4. It is
// given a copy of every matching packet; WireGuard's own socket gets the original.
#include "nat/port_linux.h"

#include "base/budget.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    UDP_HEADER_SIZE = 8,
    IPV4_HEADER_MIN = 20,
    IPV4_HEADER_MAX = 60,
    RECEIVE_BUFFER_SIZE = 1 << 18, // a burst of some hundred; a flood is cut by the kernel
    PAUSE_MS = 20,
    COOKIE = 0x2112A442,
};

struct port {
    int raw_fd;
    int route_fd; // connected to a destination to learn the source address; never sends
    struct port_config config;
    struct budget budget;
    struct port_counters counters;
    uint32_t dropped_kernel_seen;
};

static int attach_filter(int fd, uint16_t port)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9), // protocol
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 8),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6), // no fragments
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 6, 0),
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), // X = length of the IP header
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),  // destination port
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_IND, 12), // STUN's cookie, behind type and length
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, COOKIE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    const struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

// What came in before the filter was attached did not pass it.
static void discard_waiting(int fd)
{
    uint8_t byte;
    for (int i = 0; i < 1000 && recv(fd, &byte, sizeof byte, MSG_DONTWAIT | MSG_TRUNC) >= 0; i++) {
    }
}

static int set_options(struct port *port)
{
    const int on = 1;
    const int buffer_size = RECEIVE_BUFFER_SIZE;
    const uint32_t mark = port->config.mark;
    if (mark != 0 &&
        (setsockopt(port->raw_fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0 ||
            setsockopt(port->route_fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0)) {
        return -1;
    }
    if (setsockopt(port->raw_fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on) != 0 ||
        setsockopt(port->raw_fd, SOL_SOCKET, SO_RCVBUF, &buffer_size, sizeof buffer_size) != 0 ||
        attach_filter(port->raw_fd, port->config.port) != 0) {
        return -1;
    }
    discard_waiting(port->raw_fd);
    return 0;
}

enum status port_open(
    const struct port_config *config, struct port **ret, char error[static PORT_ERROR_TEXT_SIZE])
{
    enum status status = OK;
    const char *doing = "no memory for WireGuard's shared port";
    struct port *port = calloc(1, sizeof *port);
    if (port == NULL) {
        snprintf(error, PORT_ERROR_TEXT_SIZE, "%s", doing);
        return ERR_IO;
    }
    port->config = *config;
    port->route_fd = -1;
    doing = "open a raw socket";
    port->raw_fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
    if (port->raw_fd < 0) {
        goto out;
    }
    doing = "open a UDP socket";
    port->route_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (port->route_fd < 0) {
        goto out;
    }
    doing = "set up the raw socket";
    if (set_options(port) != 0) {
        goto out;
    }
    *ret = port;
    return OK;
out:
    status = errno == EPERM || errno == EACCES ? ERR_PERMISSION : ERR_IO;
    if (status == ERR_PERMISSION) {
        snprintf(error, PORT_ERROR_TEXT_SIZE,
            "cannot %s on port %u: CAP_NET_RAW (and CAP_NET_ADMIN for a mark) is missing; start "
            "the daemon as root or with its service file",
            doing, config->port);
    } else {
        snprintf(error, PORT_ERROR_TEXT_SIZE, "cannot %s on port %u: %s", doing, config->port,
            strerror(errno)); // NOLINT(concurrency-mt-unsafe)
    }
    port_close(port);
    return status;
}

void port_close(struct port *port)
{
    if (port == NULL) {
        return;
    }
    if (port->raw_fd >= 0) {
        close(port->raw_fd);
    }
    if (port->route_fd >= 0) {
        close(port->route_fd);
    }
    free(port);
}

int port_fd(const struct port *port)
{
    return port->raw_fd;
}

// The UDP payload of an IPv4 packet, with its source. False if it is not whole.
static bool parse_packet(struct span packet, struct port_datagram *ret)
{
    struct reader reader = reader_of(packet);
    size_t header_size = (size_t)(read_u8(&reader) & 0x0f) * 4;
    read_span(&reader, 11);
    struct address from = {.family = FAMILY_IPV4};
    read_bytes(&reader, from.ip, 4);
    read_u32(&reader); // destination
    if (header_size < IPV4_HEADER_MIN) {
        return false;
    }
    read_span(&reader, header_size - IPV4_HEADER_MIN); // options
    from.port = read_u16(&reader);
    read_u16(&reader); // the filter has checked it
    size_t size = read_u16(&reader);
    read_u16(&reader); // checksum: offloading leaves it unfinished between local namespaces
    if (reader.failure != OK || size < UDP_HEADER_SIZE || from.port == 0 ||
        size - UDP_HEADER_SIZE > reader.rest.size || size - UDP_HEADER_SIZE > STUN_MESSAGE_MAX) {
        return false;
    }
    ret->from = from;
    ret->size = size - UDP_HEADER_SIZE;
    read_bytes(&reader, ret->bytes, ret->size);
    return true;
}

static void note_kernel_drops(struct port *port, struct msghdr *header)
{
    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control != NULL;
         control = CMSG_NXTHDR(header, control)) {
        if (control->cmsg_level == SOL_SOCKET && control->cmsg_type == SO_RXQ_OVFL) {
            uint32_t total;
            memcpy(&total, CMSG_DATA(control), sizeof total);
            port->counters.dropped_kernel += total - port->dropped_kernel_seen; // wraps
            port->dropped_kernel_seen = total;
        }
    }
}

// ERR_NOT_FOUND if nothing waits. `ret->size` is 0 for what was dropped.
static enum status receive_one(struct port *port, struct port_datagram *ret)
{
    uint8_t packet[IPV4_HEADER_MAX + UDP_HEADER_SIZE + STUN_MESSAGE_MAX];
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(uint32_t))];
    struct iovec vector = {packet, sizeof packet};
    struct msghdr header = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof control,
    };
    ssize_t size = recvmsg(port->raw_fd, &header, MSG_DONTWAIT);
    if (size < 0) {
        return errno == EAGAIN || errno == EINTR ? ERR_NOT_FOUND : ERR_IO;
    }
    note_kernel_drops(port, &header);
    ret->size = 0;
    bool whole = (header.msg_flags & MSG_TRUNC) == 0;
    if (!whole || !parse_packet(span_of(packet, (size_t)size), ret)) {
        port->counters.dropped_malformed++;
    }
    return OK;
}

enum status port_receive(struct port *port, struct mono now,
    struct port_datagram list[static PORT_BATCH], size_t *ret_count, uint32_t *ret_pause_ms)
{
    static const struct budget_rate rate = {.per_second = PORT_PER_SECOND, .burst = PORT_BURST};
    size_t count = 0;
    uint32_t pause_ms = 0;
    for (int i = 0; i < PORT_BATCH; i++) {
        if (!budget_take(&port->budget, &rate, now, 1)) {
            // Left unread, so that the kernel drops the rest of a flood, which costs least.
            port->counters.pauses++;
            pause_ms = PAUSE_MS;
            break;
        }
        enum status status = receive_one(port, &list[count]);
        if (status == ERR_NOT_FOUND) {
            break;
        }
        if (status != OK) {
            return status;
        }
        count += list[count].size > 0;
    }
    port->counters.received += count;
    *ret_count = count;
    *ret_pause_ms = pause_ms;
    return OK;
}

static enum status status_of_send_error(int error)
{
    switch (error) {
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
    case EINTR:
        return ERR_BUSY;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EPERM:
    case EACCES:
    case ECONNREFUSED:
    case EADDRNOTAVAIL:
    case EINVAL:
        return ERR_UNREACHABLE;
    default:
        return ERR_IO;
    }
}

// The address that the kernel will send from: the checksum covers it.
static enum status source_for(struct port *port, const struct sockaddr_in *to, struct in_addr *ret)
{
    const struct sockaddr none = {.sa_family = AF_UNSPEC};
    struct sockaddr_in source = {0};
    socklen_t size = sizeof source;
    // A socket keeps the source of its first connect for all later ones, also after the host's
    // address changed; dissolving the association forgets it.
    if (connect(port->route_fd, &none, sizeof none) != 0 ||
        connect(port->route_fd, (const struct sockaddr *)to, sizeof *to) != 0 ||
        getsockname(port->route_fd, (struct sockaddr *)&source, &size) != 0) {
        return status_of_send_error(errno);
    }
    *ret = source.sin_addr;
    return OK;
}

static uint32_t sum_words(uint32_t sum, struct span bytes)
{
    for (size_t i = 0; i + 1 < bytes.size; i += 2) {
        sum += (uint32_t)((bytes.data[i] << 8) | bytes.data[i + 1]);
    }
    if (bytes.size % 2 != 0) {
        sum += (uint32_t)bytes.data[bytes.size - 1] << 8;
    }
    return sum;
}

// RFC 768: over the pseudo header and the datagram, whose checksum field is still zero.
static uint16_t udp_checksum(struct in_addr source, struct in_addr destination, struct span udp)
{
    uint32_t sum = IPPROTO_UDP + (uint32_t)udp.size;
    sum = sum_words(sum, span_of(&source, sizeof source));
    sum = sum_words(sum, span_of(&destination, sizeof destination));
    sum = sum_words(sum, udp);
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    uint16_t checksum = (uint16_t)~sum;
    return checksum == 0 ? 0xffff : checksum;
}

static enum status send_packet(
    struct port *port, const struct sockaddr_in *to, uint8_t ttl, struct span packet)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))] = {0};
    uint8_t copy[UDP_HEADER_SIZE + STUN_MESSAGE_MAX];
    memcpy(copy, packet.data, packet.size);
    struct iovec vector = {copy, packet.size};
    struct sockaddr_in name = *to;
    name.sin_port = 0; // a raw socket would take it for the protocol
    struct msghdr message = {
        .msg_name = &name,
        .msg_namelen = sizeof name,
        .msg_iov = &vector,
        .msg_iovlen = 1,
    };
    if (ttl != 0) {
        const int value = ttl;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = IPPROTO_IP;
        header->cmsg_type = IP_TTL;
        header->cmsg_len = CMSG_LEN(sizeof value);
        memcpy(CMSG_DATA(header), &value, sizeof value);
    }
    if (sendmsg(port->raw_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        return status_of_send_error(errno);
    }
    return OK;
}

enum status port_send(struct port *port, const struct address *to, uint8_t ttl, struct span bytes)
{
    if (to->family != FAMILY_IPV4) {
        return ERR_UNSUPPORTED;
    }
    if (bytes.size > STUN_MESSAGE_MAX) {
        return ERR_TOO_LARGE;
    }
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(to->port)};
    memcpy(&name.sin_addr, to->ip, sizeof name.sin_addr);
    struct in_addr source = {0};
    enum status status = source_for(port, &name, &source);
    if (status == OK) {
        uint8_t packet[UDP_HEADER_SIZE + STUN_MESSAGE_MAX];
        struct writer writer = writer_of(packet, sizeof packet);
        write_u16(&writer, port->config.port);
        write_u16(&writer, to->port);
        write_u16(&writer, (uint16_t)(UDP_HEADER_SIZE + bytes.size));
        write_u16(&writer, 0);
        write_span(&writer, bytes);
        uint16_t checksum = udp_checksum(source, name.sin_addr, writer_written(&writer));
        packet[6] = (uint8_t)(checksum >> 8);
        packet[7] = (uint8_t)checksum;
        status = send_packet(port, &name, ttl, writer_written(&writer));
    }
    if (status == OK) {
        port->counters.sent++;
    } else {
        port->counters.send_failures++;
    }
    return status;
}

struct port_counters port_counters(const struct port *port)
{
    return port->counters;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// UDP datagrams for the lab tests: who sees which source port, and what gets through a NAT.
//
//   udp_tool reflect PORT              answers every datagram with the source it came from
//   udp_tool ask PORT TIMEOUT_MS TO... from local port PORT: one datagram to each of TO in turn;
//                                      prints "TO sees SOURCE", or "TO silent" after the timeout
//   udp_tool hold PORT TO              sends one datagram to TO, then reflects from the same port
#include "base/socket_posix.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_port(const char *port)
{
    struct sockaddr_in any = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&any, sizeof any) != 0) {
        perror("udp_tool");
        exit(1);
    }
    return fd;
}

static void send_to(int fd, const char *to)
{
    struct address address;
    if (address_parse(span_of_text(to), true, &address) != OK) {
        (void)fprintf(stderr, "udp_tool: %s is no address with a port\n", to);
        exit(2);
    }
    struct sockaddr_storage target;
    socklen_t size = socket_address_of(&address, &target);
    (void)sendto(fd, "ask", 3, 0, (const struct sockaddr *)&target, size);
}

static int reflect(int fd)
{
    char data[16];
    char text[ADDRESS_TEXT_SIZE];
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    (void)printf("ready\n");
    while (recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &size) >= 0) {
        struct address source = address_of_socket(&from, size);
        address_format(&source, text);
        (void)sendto(fd, text, strlen(text), 0, (const struct sockaddr *)&from, size);
    }
    return 1;
}

static int ask(int fd, int timeout_ms, char **targets)
{
    for (; *targets != NULL; targets++) {
        char answer[ADDRESS_TEXT_SIZE] = "";
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        send_to(fd, *targets);
        bool answered =
            poll(&wait, 1, timeout_ms) == 1 && recv(fd, answer, sizeof answer - 1, 0) > 0;
        (void)printf("%s %s%s\n", *targets, answered ? "sees " : "silent", answer);
    }
    return 0;
}

int main(int count, char **arguments)
{
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (count == 3 && strcmp(arguments[1], "reflect") == 0) {
        return reflect(open_port(arguments[2]));
    }
    if (count == 4 && strcmp(arguments[1], "hold") == 0) {
        int fd = open_port(arguments[2]);
        send_to(fd, arguments[3]);
        return reflect(fd);
    }
    if (count >= 5 && strcmp(arguments[1], "ask") == 0) {
        return ask(open_port(arguments[2]), (int)strtol(arguments[3], NULL, 10), arguments + 4);
    }
    (void)fprintf(stderr, "usage: udp_tool reflect|hold|ask ...\n");
    return 2;
}

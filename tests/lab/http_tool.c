// SPDX-License-Identifier: GPL-3.0-or-later
//
// Drives the HTTP edge by hand, for tests/lab/test_chain_http: each line of standard input,
// "PROVIDER BODY", is posted to that provider; each reply is one JSON line on standard output. Ends
// after the end of input and the last reply.
//
//     http_tool [-s] [-h] [-t TIMEOUT_MS] [-b BODY_MAX] [-c CA_FILE] URL...
//     -s: the URLs are suggested by a manifest. -h: allow http.
#include "chain/http.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    INPUT_MAX = 1 << 16,
};

struct input {
    char bytes[INPUT_MAX];
    size_t size;
    bool ended;
};

static void print_reply(const struct chain_http_reply *reply)
{
    (void)printf("{\"id\":%" PRIu64 ",\"provider\":%zu,\"outcome\":\"%s\",\"status\":%u,"
                 "\"retry_after_ms\":%" PRIu64 ",\"took_ms\":%" PRIu64 ",\"bytes\":%zu}\n",
        reply->call_id, reply->provider, chain_http_outcome_name(reply->outcome),
        (unsigned)reply->status, reply->retry_after_ms, reply->took_ms, reply->body.size);
    (void)fflush(stdout);
}

static void post_line(struct chain_http *http, const char *line, size_t size)
{
    static uint64_t id;
    char *body = NULL;
    struct chain_http_call call = {.id = ++id, .provider = strtoul(line, &body, 10)};
    body += *body == ' ';
    call.body = span_of(body, size - (size_t)(body - line));
    enum status status = chain_http_submit(http, &call);
    if (status != OK) {
        (void)printf("{\"id\":%" PRIu64 ",\"status_name\":\"%s\"}\n", id, status_name(status));
    }
}

static void post_lines(struct chain_http *http, struct input *input)
{
    char *end;
    while ((end = memchr(input->bytes, '\n', input->size)) != NULL) {
        size_t size = (size_t)(end - input->bytes);
        *end = '\0';
        post_line(http, input->bytes, size);
        input->size -= size + 1;
        memmove(input->bytes, end + 1, input->size);
    }
}

static void run(struct chain_http *http)
{
    static struct input input;
    struct chain_http_reply reply;
    while (!input.ended || chain_http_in_flight(http) > 0) {
        struct pollfd watched[] = {{.fd = chain_http_fd(http), .events = POLLIN},
            {.fd = input.ended ? -1 : STDIN_FILENO, .events = POLLIN}};
        if (poll(watched, 2, -1) < 0) {
            return;
        }
        chain_http_on_ready(http);
        while (chain_http_next_reply(http, &reply)) {
            print_reply(&reply);
        }
        if (watched[1].revents != 0) {
            ssize_t size =
                read(STDIN_FILENO, input.bytes + input.size, sizeof input.bytes - input.size);
            input.ended = size <= 0;
            input.size += size > 0 ? (size_t)size : 0;
            post_lines(http, &input);
        }
    }
    while (chain_http_next_reply(http, &reply)) {
        print_reply(&reply);
    }
}

int main(int argc, char **argv)
{
    static struct chain_http_provider providers[CHAIN_HTTP_PROVIDERS_MAX + 1];
    struct chain_http_config config = {.providers = providers};
    bool suggested = false;
    int option;
    while ((option = getopt(argc, argv, "sht:b:c:")) != -1) {
        switch (option) {
        case 's':
            suggested = true;
            break;
        case 'h':
            config.allow_http = true;
            break;
        case 't':
            config.timeout_ms = (uint32_t)strtoul(optarg, NULL, 10);
            break;
        case 'b':
            config.body_max = strtoul(optarg, NULL, 10);
            break;
        case 'c':
            config.ca_file = optarg;
            break;
        default:
            return 2;
        }
    }
    for (; optind < argc && config.provider_count <= CHAIN_HTTP_PROVIDERS_MAX; optind++) {
        providers[config.provider_count++] =
            (struct chain_http_provider){.url = argv[optind], .suggested = suggested};
    }
    struct chain_http *http;
    enum status status = chain_http_create(&config, &http);
    if (status != OK) {
        (void)printf("{\"status_name\":\"%s\"}\n", status_name(status));
        return 1;
    }
    run(http);
    chain_http_destroy(http);
    return 0;
}

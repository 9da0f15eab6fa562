// SPDX-License-Identifier: GPL-3.0-or-later
//
// A node of ours for the lab: a UDP socket and a poll loop around the engine and the storage
// policy.
//
//   dht_tool IP:PORT [server] [small]      commands on stdin, one JSON object a line on stdout
//
//   bootstrap IP:PORT        put KEY ID HEX       get KEY        listen KEY      cancel OPERATION
//   server 0|1               status               nodes          quit
//   record TOKEN SEQUENCE    prints a signed record of a fixed test key, its key and value id
//   forge TOKEN COUNT        puts records for the token, each well signed by a key of its own
//
// The network is chain 31337, contract 0x11..11; OpenDHT's network number is 7.
#include "base/clock_posix.h"
#include "base/socket_posix.h"
#include "base/text.h"
#include "dht/dht.h"
#include "dht/store.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    POLICY_ENTRIES = 512,
    POLICY_OWNERS = 64,
    POLICY_PREFIXES = 64,
    LINE_MAX_SIZE = 2048,
    FORGED_PER_TURN = 16,
};

struct tool {
    int fd;
    struct address own;
    struct dht_core *core;
    struct network_keys keys;
    struct policy policy;
    struct policy_entry entries[POLICY_ENTRIES];
    struct policy_owner owners[POLICY_OWNERS];
    struct prefix_budget_entry prefixes[POLICY_PREFIXES];
    uint64_t operation;
    struct token_id forge_token;
    uint32_t forge_count; // still to be put
    char line[LINE_MAX_SIZE];
    size_t line_size;
};

static void fail(const char *what)
{
    (void)fprintf(stderr, "dht_tool: %s: %s\n", what, strerror(errno));
    exit(1);
}

// --- socket --------------------------------------------------------------------------------------

static void open_socket(struct tool *tool)
{
    struct sockaddr_storage name;
    const socklen_t size = socket_address_of(&tool->own, &name);
    tool->fd = socket(name.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (tool->fd < 0 || bind(tool->fd, (struct sockaddr *)&name, size) != 0) {
        fail("bind");
    }
    const int bytes = 1 << 20;
    (void)setsockopt(tool->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

// --- output --------------------------------------------------------------------------------------

static void print_hex(const char *name, struct span bytes)
{
    char text[2 * DHT_DATAGRAM_MAX + 1];
    hex_format(bytes, text);
    (void)printf(",\"%s\":\"%s\"", name, text);
}

static void print_event(const struct dht_event *event)
{
    static const char *const names[] = {
        [DHT_EVENT_PUT_DONE] = "put_done",
        [DHT_EVENT_VALUE] = "value",
        [DHT_EVENT_VALUE_EXPIRED] = "expired",
        [DHT_EVENT_GET_DONE] = "get_done",
        [DHT_EVENT_JOINED] = "joined",
        [DHT_EVENT_ALONE] = "alone",
    };
    (void)printf("{\"event\":\"%s\",\"operation\":%" PRIu64 ",\"ok\":%s,\"ms\":%" PRIu64,
        names[event->kind], event->operation, event->ok ? "true" : "false", clock_now().mono.ms);
    if (event->value.size > 0) {
        print_hex("key", span_of(event->key.bytes, sizeof(event->key.bytes)));
        (void)printf(",\"id\":\"%" PRIu64 "\"", event->value_id);
        print_hex("value", event->value);
    }
    (void)printf("}\n");
}

static void print_status(struct tool *tool)
{
    const struct dht_status status = dht_core_status(tool->core, clock_now());
    struct timespec cpu;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    (void)printf("{\"status\":{\"cpu_ms\":%" PRIu64
                 ",\"joined\":%s,\"server\":%s,\"good\":%u,\"dubious\":%u,"
                 "\"store_values\":%" PRIu64 ",\"store_bytes\":%" PRIu64 ",\"clients\":%u,"
                 "\"in\":%" PRIu64 ",\"out\":%" PRIu64 ",\"bytes_in\":%" PRIu64
                 ",\"bytes_out\":%" PRIu64 ",\"stored\":%" PRIu64 ",\"refused\":%" PRIu64
                 ",\"held\":%" PRIu64 ",\"exceptions\":%" PRIu64 ",\"drops\":{",
        (uint64_t)cpu.tv_sec * 1000 + (uint64_t)cpu.tv_nsec / 1000000,
        status.joined ? "true" : "false", status.server ? "true" : "false",
        status.ipv4.good + status.ipv6.good, status.ipv4.dubious + status.ipv6.dubious,
        status.store_values, status.store_bytes, status.clients_known, status.datagrams_in,
        status.datagrams_out, status.bytes_in, status.bytes_out, status.puts_stored,
        status.puts_refused, status.replies_held, status.exceptions);
    for (int drop = 0; drop < DHT_DROPS; drop++) {
        (void)printf("%s\"%s\":%" PRIu64, drop > 0 ? "," : "", dht_drop_name((enum dht_drop)drop),
            status.drops[drop]);
    }
    (void)printf("}}}\n");
}

// --- records -------------------------------------------------------------------------------------

// A record of test node key `key_number` for `token`, whose delegation nobody signed: to a node
// that does not know the owner it is as good as any.
static enum status make_record(const struct tool *tool, const struct token_id *token,
    uint32_t key_number, uint64_t sequence, struct record *record,
    uint8_t ret[static RECORD_MAX_SIZE], size_t *ret_size)
{
    uint8_t seed[crypto_sign_SEEDBYTES] = {token->bytes[31], 1};
    memcpy(seed + 2, &key_number, sizeof(key_number));
    struct node_secret secret;
    *record = (struct record){
        .token = *token,
        .sequence = sequence,
        .boot = 1,
        .not_after_s = clock_now().unix_time.ms / 1000 + 1200,
    };
    (void)crypto_sign_seed_keypair(record->node_key.bytes, secret.bytes, seed);
    record->wg_key.bytes[0] = 9;
    record->candidates.list[0] =
        (struct candidate){.kind = CANDIDATE_HOST, .address = address_of_ipv4(192, 0, 2, 1, 51820)};
    record->candidates.count = 1;
    record->delegation = (struct delegation){
        .kind = DELEGATION_EIP712,
        .token = *token,
        .owner = {{0x22}},
        .node_key = record->node_key,
        .not_before_s = 1,
        .not_after_s = record->not_after_s + 86400,
        .epoch_s = 1000,
        .signature = {1, [64] = 27},
        .signature_size = ECDSA_SIGNATURE_SIZE,
    };
    return record_encode(&tool->keys, &secret, record, ret, ret_size);
}

static void print_record(const struct tool *tool, const struct token_id *token, uint64_t sequence)
{
    struct record record;
    uint8_t bytes[RECORD_MAX_SIZE];
    size_t size = 0;
    const enum status status = make_record(tool, token, 0, sequence, &record, bytes, &size);
    if (status != OK) {
        (void)printf("{\"error\":\"record: %s\"}\n", status_text(status));
        return;
    }
    const struct dht_key key = key_of_record(&tool->keys, token);
    (void)printf("{\"record\":true,\"id\":\"%" PRIu64 "\"", value_id_of_record(&record.node_key));
    print_hex("key", span_of(key.bytes, sizeof(key.bytes)));
    print_hex("value", span_of(bytes, size));
    (void)printf("}\n");
}

// The next of the forged records; a few each turn, as the engine takes so many operations.
static void forge(struct tool *tool)
{
    for (int i = 0; i < FORGED_PER_TURN && tool->forge_count > 0; i++) {
        struct record record;
        uint8_t bytes[RECORD_MAX_SIZE];
        size_t size = 0;
        const struct dht_key key = key_of_record(&tool->keys, &tool->forge_token);
        if (make_record(tool, &tool->forge_token, tool->forge_count, 1, &record, bytes, &size) !=
            OK) {
            tool->forge_count = 0;
            return;
        }
        const enum status status = dht_core_put(tool->core, clock_now(), tool->operation + 1, &key,
            value_id_of_record(&record.node_key), span_of(bytes, size));
        if (status == ERR_FULL) {
            return;
        }
        tool->operation++;
        if (--tool->forge_count == 0) {
            (void)printf("{\"event\":\"forged\"}\n");
        }
    }
}

// --- commands ------------------------------------------------------------------------------------

static void print_started(uint64_t operation, enum status status)
{
    (void)printf("{\"started\":%" PRIu64 ",\"status\":\"%s\",\"ms\":%" PRIu64 "}\n", operation,
        status_name(status), clock_now().mono.ms);
}

static bool parse_key(const char *text, struct dht_key *ret)
{
    return text != NULL && hex_parse(span_of_text(text), ret->bytes, sizeof(ret->bytes)) == OK;
}

static void command_key(struct tool *tool, const char *verb, char *rest)
{
    char *save = NULL;
    struct dht_key key;
    if (!parse_key(strtok_r(rest, " ", &save), &key)) {
        (void)printf("{\"error\":\"a key of 40 hex digits is needed\"}\n");
        return;
    }
    const uint64_t operation = ++tool->operation;
    const struct now now = clock_now();
    if (strcmp(verb, "get") == 0) {
        print_started(operation, dht_core_get(tool->core, now, operation, &key));
    } else if (strcmp(verb, "listen") == 0) {
        print_started(operation, dht_core_listen(tool->core, now, operation, &key));
    } else {
        const char *id = strtok_r(NULL, " ", &save);
        const char *hex = strtok_r(NULL, " ", &save);
        uint8_t value[DHT_PUT_MAX_SIZE];
        const size_t size = hex != NULL ? strlen(hex) / 2 : 0;
        if (size == 0 || size > sizeof(value) || hex_parse(span_of_text(hex), value, size) != OK) {
            (void)printf("{\"error\":\"a value in hex is needed\"}\n");
            return;
        }
        print_started(operation, dht_core_put(tool->core, now, operation, &key,
                                     strtoull(id, NULL, 10), span_of(value, size)));
    }
}

static void command_record(struct tool *tool, const char *verb, char *rest)
{
    char *save = NULL;
    const char *token_text = strtok_r(rest, " ", &save);
    const char *number = strtok_r(NULL, " ", &save);
    struct token_id token;
    if (token_text == NULL || number == NULL ||
        token_id_parse(span_of_text(token_text), &token) != OK) {
        (void)printf("{\"error\":\"a token and a number are needed\"}\n");
        return;
    }
    if (strcmp(verb, "forge") == 0) {
        tool->forge_token = token;
        tool->forge_count = (uint32_t)strtoul(number, NULL, 10);
    } else {
        print_record(tool, &token, strtoull(number, NULL, 10));
    }
}

// False: quit.
static bool command(struct tool *tool, char *line)
{
    char *rest = line;
    const char *verb = strsep(&rest, " ");
    rest = rest != NULL ? rest : line + strlen(line);
    struct address address;
    if (strcmp(verb, "quit") == 0) {
        return false;
    }
    if (strcmp(verb, "bootstrap") == 0) {
        enum status status = address_parse(span_of_text(rest), true, &address);
        if (status == OK) {
            status = dht_core_bootstrap(tool->core, clock_now(), &address);
        }
        print_started(0, status);
    } else if (strcmp(verb, "server") == 0) {
        dht_core_set_server(tool->core, clock_now(), rest[0] == '1');
    } else if (strcmp(verb, "status") == 0) {
        print_status(tool);
    } else if (strcmp(verb, "cancel") == 0) {
        dht_core_cancel(tool->core, clock_now(), strtoull(rest, NULL, 10));
    } else if (strcmp(verb, "record") == 0 || strcmp(verb, "forge") == 0) {
        command_record(tool, verb, rest);
    } else if (strcmp(verb, "get") == 0 || strcmp(verb, "put") == 0 ||
               strcmp(verb, "listen") == 0) {
        command_key(tool, verb, rest);
    } else if (strcmp(verb, "nodes") == 0) {
        struct dht_node nodes[64];
        const size_t count = dht_core_export_nodes(tool->core, nodes, 64);
        (void)printf("{\"nodes\":%zu}\n", count);
    } else {
        (void)printf("{\"error\":\"unknown command\"}\n");
    }
    return true;
}

static bool read_commands(struct tool *tool)
{
    const ssize_t size =
        read(STDIN_FILENO, tool->line + tool->line_size, sizeof(tool->line) - tool->line_size);
    if (size <= 0) {
        return false;
    }
    tool->line_size += (size_t)size;
    for (;;) {
        char *end = memchr(tool->line, '\n', tool->line_size);
        if (end == NULL) {
            return tool->line_size < sizeof(tool->line);
        }
        *end = '\0';
        const size_t used = (size_t)(end - tool->line) + 1;
        if (!command(tool, tool->line)) {
            return false;
        }
        tool->line_size -= used;
        memmove(tool->line, end + 1, tool->line_size);
    }
}

// --- loop ----------------------------------------------------------------------------------------

static void receive(struct tool *tool)
{
    for (int i = 0; i < 64; i++) {
        uint8_t bytes[65536];
        struct sockaddr_storage name;
        memset(&name, 0, sizeof(name));
        socklen_t name_size = sizeof(name);
        const ssize_t size =
            recvfrom(tool->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&name, &name_size);
        if (size < 0) {
            return;
        }
        const struct address from = address_of_socket(&name, name_size);
        dht_core_recv(tool->core, clock_now(), &from, span_of(bytes, (size_t)size));
        dht_store_remove(tool->core, clock_now(), &tool->policy);
    }
}

static void drain(struct tool *tool)
{
    struct dht_send send;
    while (dht_core_next_send(tool->core, &send)) {
        struct sockaddr_storage name;
        const socklen_t size = socket_address_of(&send.to, &name);
        (void)sendto(tool->fd, send.bytes.data, send.bytes.size, 0, (struct sockaddr *)&name, size);
    }
    struct dht_event event;
    while (dht_core_next_event(tool->core, &event)) {
        print_event(&event);
    }
    (void)fflush(stdout);
}

static void loop(struct tool *tool)
{
    bool open = true;
    while (open) {
        forge(tool);
        const struct mono wake = dht_core_tick(tool->core, clock_now());
        drain(tool);
        const uint64_t wait_ms = mono_since(clock_now().mono, wake);
        struct pollfd polls[] = {
            {.fd = tool->fd, .events = POLLIN},
            {.fd = STDIN_FILENO, .events = POLLIN},
        };
        if (poll(polls, 2, wait_ms < 1000 ? (int)wait_ms : 1000) < 0 && errno != EINTR) {
            fail("poll");
        }
        if ((polls[0].revents & POLLIN) != 0) {
            receive(tool);
        }
        if ((polls[1].revents & (POLLIN | POLLHUP)) != 0) {
            open = read_commands(tool);
        }
        drain(tool);
    }
}

static void start(struct tool *tool, bool server)
{
    const struct network network = {.chain_id = 31337, .contract = {{0x11}}};
    tool->keys = network_keys_of(&network, NULL);
    const struct policy_storage storage = {
        .entries = tool->entries,
        .entries_capacity = POLICY_ENTRIES,
        .owners = tool->owners,
        .owners_capacity = POLICY_OWNERS,
        .prefixes = tool->prefixes,
        .prefixes_capacity = POLICY_PREFIXES,
    };
    policy_init(&tool->policy, &tool->keys, &storage, NULL, NULL);
    struct dht_core_config config = {
        .network = 7,
        .server = server,
        .ipv4 = tool->own.family == FAMILY_IPV4,
        .ipv6 = tool->own.family == FAMILY_IPV6,
        .store = dht_store_by_policy,
        .store_context = &tool->policy,
        .limits = dht_limits_default(),
    };
    randombytes_buf(config.seed, sizeof(config.seed));
    if (dht_core_create(&config, clock_now(), &tool->core) != OK) {
        fail("engine");
    }
}

int main(int argc, char **argv)
{
    static struct tool tool;
    if (argc < 2 || sodium_init() < 0 ||
        address_parse(span_of_text(argv[1]), true, &tool.own) != OK) {
        (void)fprintf(stderr, "usage: dht_tool IP:PORT [server]\n");
        return 2;
    }
    open_socket(&tool);
    start(&tool, argc > 2 && strcmp(argv[2], "server") == 0);
    loop(&tool);
    dht_core_destroy(tool.core);
    (void)close(tool.fd);
    return 0;
}

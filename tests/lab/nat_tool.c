// SPDX-License-Identifier: GPL-3.0-or-later
//
// nat/ on a real socket and a real WireGuard, for the lab tests.
//
//   nat_tool reflect PORT                     our reflector on an ordinary socket
//   nat_tool serve PORT SECONDS               our reflector on WireGuard's own port; then counters
//   nat_tool map PORT HOST REFLECTOR...       what is known of the NAT before WireGuard's port
//   nat_tool limits PORT                      what the shared port refuses to send, where no route
//   is nat_tool flood TO SECONDS                 STUN packets to TO, as many as go nat_tool punch
//   INTERFACE PORT SECRET_FILE PEER_KEY OWN_TOKEN PEER_TOKEN HOST TTL IN OUT SECONDS
//                  WANT REFLECTOR...
//       One path machine: writes its record and its intents as lines to OUT, reads the peer's from
//       IN, sets endpoint and keepalive with `wg set` when validated. WANT 1 = starts by itself.
//       HOST is the own address with its prefix length, TTL 0 the default.
#include "base/clock_posix.h"
#include "base/socket_posix.h"
#include "base/text.h"
#include "nat/nat.h"
#include "nat/port_linux.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sodium.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    LINE_SIZE = 1024,
    DEVICE_POLL_MS = 50,
};

struct tool {
    struct port *port;
    struct rng rng;
    struct mapping mapping;
    struct reflector reflector;
    struct mono started_at;
    // punch only
    struct path path;
    struct probe_limiter limiter;
    struct limiter_entry entries[16];
    struct prefix subnet;
    const char *interface;
    const char *peer_key;
    int in_fd;
    int out_fd;
    bool want;
    bool recorded;
    char line[LINE_SIZE];
    size_t line_size;
    struct mono device_at;
};

static void die(const char *text)
{
    (void)fprintf(stderr, "nat_tool: %s\n", text);
    exit(2);
}

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 10);
}

static struct address address_arg(const char *text)
{
    struct address address;
    if (address_parse(span_of_text(text), true, &address) != OK) {
        die("not an address with a port");
    }
    return address;
}

static void tool_init(struct tool *tool)
{
    uint8_t seed[RNG_SEED_SIZE];
    *tool = (struct tool){.started_at = clock_mono(), .in_fd = -1, .out_fd = -1};
    randombytes_buf(seed, sizeof seed);
    rng_seed(&tool->rng, seed);
    reflector_init(&tool->reflector);
}

static void open_port(struct tool *tool, uint16_t port)
{
    const struct port_config config = {.port = port};
    char error[PORT_ERROR_TEXT_SIZE];
    if (port_open(&config, &tool->port, error) != OK) {
        die(error);
    }
}

static void note(const struct tool *tool, const char *text)
{
    printf("%llu ms: %s\n", (unsigned long long)mono_since(tool->started_at, clock_mono()), text);
    (void)fflush(stdout);
}

static void note_address(const struct tool *tool, const char *text, const struct address *address)
{
    char form[ADDRESS_TEXT_SIZE];
    char line[LINE_SIZE];
    address_format(address, form);
    (void)snprintf(line, sizeof line, "%s %s", text, form);
    note(tool, line);
}

// reflect

static _Noreturn void run_reflect(uint16_t port)
{
    static struct tool tool;
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(port)};
    tool_init(&tool);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&own, sizeof own) != 0) {
        die("cannot bind");
    }
    for (;;) {
        uint8_t bytes[STUN_MESSAGE_MAX];
        uint8_t room[STUN_MESSAGE_MAX];
        struct sockaddr_storage name;
        socklen_t name_size = sizeof name;
        ssize_t size = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&name, &name_size);
        struct stun_message message = {.size = 0};
        struct writer writer = writer_of(room, sizeof room);
        struct address from = address_of_socket(&name, name_size);
        if (size > 0 && stun_decode(span_of(bytes, (size_t)size), &message) == OK &&
            reflector_answer(
                &tool.reflector, clock_mono(), &from, &message, span_of(NULL, 0), &writer) == OK) {
            (void)sendto(
                fd, writer.data, writer.size, 0, (const struct sockaddr *)&name, name_size);
        }
    }
}

// What came to WireGuard's port.

static void take_datagram(struct tool *tool, struct mono now, const struct port_datagram *datagram)
{
    struct stun_message message;
    uint8_t room[STUN_MESSAGE_MAX];
    struct writer writer = writer_of(room, sizeof room);
    if (stun_decode(span_of(datagram->bytes, datagram->size), &message) != OK) {
        return;
    }
    if (message.has_mac) {
        (void)!path_on_probe(&tool->path, now, &tool->limiter, &datagram->from, &message);
    } else if (message.kind != STUN_REQUEST) {
        if (mapping_on_response(&tool->mapping, now, &datagram->from, &message) == OK) {
            char text[ADDRESS_TEXT_SIZE + 32];
            char form[ADDRESS_TEXT_SIZE];
            address_format(&datagram->from, form);
            (void)snprintf(text, sizeof text, "reflector %s sees", form);
            note_address(tool, text, &message.mapped);
        }
    } else if (reflector_answer(&tool->reflector, now, &datagram->from, &message, span_of(NULL, 0),
                   &writer) == OK) {
        (void)!port_send(tool->port, &datagram->from, 0, writer_written(&writer));
    }
}

static uint32_t take_datagrams(struct tool *tool, struct mono now)
{
    static struct port_datagram list[PORT_BATCH];
    size_t count = 0;
    uint32_t pause_ms = 0;
    if (port_receive(tool->port, now, list, &count, &pause_ms) != OK) {
        die("cannot read from the port");
    }
    for (size_t i = 0; i < count; i++) {
        take_datagram(tool, now, &list[i]);
    }
    return pause_ms;
}

// serve

static unsigned long cpu_ms(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (unsigned long)((usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000);
}

static int run_serve(uint16_t port, uint64_t seconds)
{
    static struct tool tool;
    uint64_t wakeups = 0;
    tool_init(&tool);
    mapping_init(&tool.mapping, port);
    open_port(&tool, port);
    note(&tool, "ready");
    const struct mono end = mono_add(tool.started_at, seconds * 1000);
    unsigned long cpu_begin_ms = cpu_ms();
    uint32_t pause_ms = 0;
    while (!mono_due(end, clock_mono())) {
        struct pollfd poll_fd = {.fd = pause_ms > 0 ? -1 : port_fd(tool.port), .events = POLLIN};
        (void)poll(&poll_fd, 1, pause_ms > 0 ? (int)pause_ms : 100);
        wakeups++;
        pause_ms = take_datagrams(&tool, clock_mono());
    }
    struct port_counters counters = port_counters(tool.port);
    printf("{\"received\":%llu,\"sent\":%llu,\"dropped_malformed\":%llu,\"dropped_kernel\":%llu,"
           "\"pauses\":%llu,\"wakeups\":%llu,\"cpu_ms\":%lu}\n",
        (unsigned long long)counters.received, (unsigned long long)counters.sent,
        (unsigned long long)counters.dropped_malformed, (unsigned long long)counters.dropped_kernel,
        (unsigned long long)counters.pauses, (unsigned long long)wakeups, cpu_ms() - cpu_begin_ms);
    port_close(tool.port);
    return 0;
}

// limits

static int run_limits(uint16_t port)
{
    static struct tool tool;
    static const uint8_t bytes[STUN_MESSAGE_MAX + 1];
    const struct address ipv4 = address_of_ipv4(203, 0, 113, 10, 3478);
    const struct address ipv6 = {.family = FAMILY_IPV6, .ip = {0x20, 0x01}, .port = 3478};
    tool_init(&tool);
    open_port(&tool, port);
    bool right = port_send(tool.port, &ipv6, 0, span_of(bytes, 20)) == ERR_UNSUPPORTED &&
                 port_send(tool.port, &ipv4, 0, span_of(bytes, sizeof bytes)) == ERR_TOO_LARGE &&
                 port_send(tool.port, &ipv4, 0, span_of(bytes, 20)) == ERR_UNREACHABLE &&
                 port_send(tool.port, &ipv4, 2, span_of(bytes, 20)) == ERR_UNREACHABLE &&
                 port_counters(tool.port).send_failures == 2 && port_counters(tool.port).sent == 0;
    port_close(tool.port);
    port_close(NULL);
    return right ? 0 : 1;
}

// flood

static int run_flood(const char *target, uint64_t seconds)
{
    static struct tool tool;
    uint64_t sent = 0;
    uint8_t room[STUN_MESSAGE_MAX];
    struct address to = address_arg(target);
    struct sockaddr_storage name;
    socklen_t name_size = socket_address_of(&to, &name);
    tool_init(&tool);
    struct stun_transaction transaction = stun_transaction_draw(&tool.rng);
    struct writer writer = writer_of(room, sizeof room);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || stun_encode_binding_request(&writer, &transaction) != OK) {
        die("cannot flood");
    }
    const struct mono end = mono_add(tool.started_at, seconds * 1000);
    while (!mono_due(end, clock_mono())) {
        for (int i = 0; i < 200; i++) {
            sent += sendto(fd, room, writer.size, 0, (const struct sockaddr *)&name, name_size) > 0;
        }
    }
    printf("{\"sent\":%llu}\n", (unsigned long long)sent);
    return 0;
}

// map and punch: mapping

static const char *class_name(enum nat_class nat_class)
{
    static const char *const names[] = {"unknown", "none", "easy", "hard", "blocked"};
    return names[nat_class];
}

static void set_host(struct tool *tool, const char *text)
{
    char form[ADDRESS_TEXT_SIZE];
    const char *slash = strchr(text, '/');
    struct address host;
    if (slash == NULL || (size_t)(slash - text) >= sizeof form) {
        die("HOST is ADDRESS/LENGTH");
    }
    memcpy(form, text, (size_t)(slash - text));
    form[slash - text] = '\0';
    if (address_parse(span_of_text(form), false, &host) != OK) {
        die("HOST is ADDRESS/LENGTH");
    }
    tool->subnet = prefix_of(&host, (uint8_t)number(slash + 1));
    mapping_set_hosts(&tool->mapping, clock_mono(), &host, 1);
}

static void add_reflectors(struct tool *tool, char **texts, int count)
{
    for (int i = 0; i < count; i++) {
        struct address reflector = address_arg(texts[i]);
        if (mapping_reflector_add(&tool->mapping, clock_mono(), &reflector) != OK) {
            die("too many reflectors");
        }
    }
}

static void drain_mapping(struct tool *tool)
{
    struct mapping_output output;
    while (mapping_next_output(&tool->mapping, &output)) {
        if (output.kind == MAPPING_SEND) {
            (void)!port_send(tool->port, &output.to, 0, span_of(output.bytes, output.size));
        }
    }
}

static int run_map(char **args, int count)
{
    static struct tool tool;
    uint16_t port = (uint16_t)number(args[0]);
    tool_init(&tool);
    mapping_init(&tool.mapping, port);
    open_port(&tool, port);
    set_host(&tool, args[1]);
    add_reflectors(&tool, args + 2, count - 2);
    bool started = false;
    while (!started || tool.mapping.in_round) {
        struct mono now = clock_mono();
        if (mono_due(mapping_deadline(&tool.mapping), now)) {
            started = true;
            mapping_on_deadline(&tool.mapping, now, &tool.rng);
        }
        drain_mapping(&tool);
        struct pollfd poll_fd = {.fd = port_fd(tool.port), .events = POLLIN};
        (void)poll(&poll_fd, 1, 5);
        (void)take_datagrams(&tool, clock_mono());
    }
    struct mapping_view view = mapping_view(&tool.mapping);
    char form[ADDRESS_TEXT_SIZE];
    address_format(&view.reflexive, form);
    printf("{\"class\":\"%s\",\"reflexive\":\"%s\",\"single\":%s,\"delta\":%d}\n",
        class_name(view.nat_class), form, view.single ? "true" : "false", view.port_delta);
    port_close(tool.port);
    return 0;
}

// punch: what goes between the two sides. "record CLASS KIND ADDRESS..." and "intent REPLY CLASS
// KIND ADDRESS...".

static void write_side(struct tool *tool, const char *head)
{
    char line[LINE_SIZE];
    struct candidates list;
    mapping_candidates(&tool->mapping, AUDIENCE_PEER, &list);
    int size =
        snprintf(line, sizeof line, "%s %d", head, (int)mapping_view(&tool->mapping).nat_class);
    for (size_t i = 0; i < list.count; i++) {
        char form[ADDRESS_TEXT_SIZE];
        address_format(&list.list[i].address, form);
        size += snprintf(
            line + size, sizeof line - (size_t)size, " %d %s", (int)list.list[i].kind, form);
    }
    line[size++] = '\n';
    if (write(tool->out_fd, line, (size_t)size) != size) {
        die("cannot write to the peer");
    }
}

static void read_side(char *text, struct path_peer *ret, struct candidates *list)
{
    char *rest = NULL;
    const char *word = strtok_r(text, " ", &rest);
    *list = (struct candidates){0};
    *ret = (struct path_peer){.nat_class = (enum nat_class)number(word), .candidates = list};
    while ((word = strtok_r(NULL, " ", &rest)) != NULL && list->count < CANDIDATES_MAX) {
        struct candidate *candidate = &list->list[list->count++];
        candidate->kind = (enum candidate_kind)number(word);
        candidate->address = address_arg(strtok_r(NULL, " ", &rest));
    }
}

static void take_line(struct tool *tool, struct mono now, char *line)
{
    struct candidates own_list;
    struct candidates peer_list;
    struct path_peer peer;
    struct mapping_view view = mapping_view(&tool->mapping);
    mapping_candidates(&tool->mapping, AUDIENCE_PEER, &own_list);
    const struct path_own own = {
        .nat_class = view.nat_class,
        .single_reflector = view.single,
        .candidates = &own_list,
        .subnets = &tool->subnet,
        .subnet_count = 1,
    };
    note(tool, line);
    if (strncmp(line, "record ", 7) == 0) {
        read_side(line + 7, &peer, &peer_list);
        if (tool->want) {
            path_start(&tool->path, now, &own, &peer);
        }
    } else if (strncmp(line, "intent ", 7) == 0) {
        bool reply = line[7] == '1';
        read_side(line + 9, &peer, &peer_list);
        path_on_intent(&tool->path, now, &own, &peer, !reply);
    }
}

static void take_lines(struct tool *tool, struct mono now)
{
    ssize_t size =
        read(tool->in_fd, tool->line + tool->line_size, sizeof tool->line - tool->line_size);
    tool->line_size += size > 0 ? (size_t)size : 0;
    char *end;
    while ((end = memchr(tool->line, '\n', tool->line_size)) != NULL) {
        char line[LINE_SIZE];
        size_t line_size = (size_t)(end - tool->line);
        memcpy(line, tool->line, line_size);
        line[line_size] = '\0';
        tool->line_size -= line_size + 1;
        memmove(tool->line, end + 1, tool->line_size);
        take_line(tool, now, line);
    }
}

// punch: the device, through WireGuard's own tool.

static void set_device(const struct tool *tool, const char *settings)
{
    static char *const environment[] = {NULL};
    char command[LINE_SIZE];
    (void)snprintf(
        command, sizeof command, "wg set %s peer %s %s", tool->interface, tool->peer_key, settings);
    char *arguments[] = {(char[]){"sh"}, (char[]){"-c"}, command, NULL};
    pid_t pid;
    int status = 0;
    if (posix_spawn(&pid, "/bin/sh", NULL, NULL, arguments, environment) != 0 ||
        waitpid(pid, &status, 0) != pid || status != 0) {
        die("wg set failed");
    }
}

// The keepalive makes WireGuard begin a handshake. Two that cross cost both 5 s, so the controlled
// side leaves it to the other and sets its own when connected.
static void set_endpoint(const struct tool *tool, const struct path_output *output)
{
    char endpoint[ADDRESS_TEXT_SIZE];
    char settings[LINE_SIZE];
    address_format(&output->to, endpoint);
    (void)snprintf(settings, sizeof settings, "endpoint %s persistent-keepalive %u", endpoint,
        tool->path.config.controlling ? output->keepalive_s : 0U);
    set_device(tool, settings);
}

static void read_device(struct tool *tool, struct mono now)
{
    char command[LINE_SIZE];
    char line[LINE_SIZE];
    struct path_device device = {.has_handshake = false};
    (void)snprintf(
        command, sizeof command, "wg show %s dump | grep '^%s'", tool->interface, tool->peer_key);
    FILE *pipe = popen(command, "re"); // NOLINT(cert-env33-c)
    if (pipe != NULL && fgets(line, sizeof line, pipe) != NULL) {
        // key, preshared key, endpoint, allowed ips, latest handshake, received, sent, keepalive
        char *rest = NULL;
        uint64_t fields[2] = {0};
        const char *word = strtok_r(line, "\t", &rest);
        for (int i = 1; i <= 5 && word != NULL; i++) {
            word = strtok_r(NULL, "\t", &rest);
            if (i >= 4 && word != NULL) {
                fields[i - 4] = number(word);
            }
        }
        device.has_handshake = fields[0] != 0;
        device.handshake_age_ms = ((uint64_t)time(NULL) - fields[0]) * 1000;
        device.rx_bytes = fields[1];
    }
    if (pipe != NULL) {
        (void)pclose(pipe);
    }
    path_on_device(&tool->path, now, &device);
}

static bool drain_path(struct tool *tool, struct mono now)
{
    struct path_output output;
    bool over = false;
    while (path_next_output(&tool->path, now, &tool->limiter, &tool->rng, &output)) {
        switch (output.kind) {
        case PATH_OUTPUT_SEND:
            (void)!port_send(
                tool->port, &output.to, output.ttl, span_of(output.bytes, output.size));
            break;
        case PATH_OUTPUT_INTENT:
            write_side(tool, output.reply ? "intent 1" : "intent 0");
            break;
        case PATH_OUTPUT_VALIDATED:
            note_address(tool, "validated", &output.to);
            note(tool, path_rung_name(output.rung));
            set_endpoint(tool, &output);
            break;
        case PATH_OUTPUT_CONNECTED:
            note(tool, "connected");
            set_device(tool, "persistent-keepalive 25");
            break;
        case PATH_OUTPUT_LOST:
            note(tool, "lost");
            break;
        case PATH_OUTPUT_FAILED:
            note(tool, "failed");
            note(tool, path_why_text(output.why));
            over = true;
            break;
        }
    }
    return over;
}

static void init_path(struct tool *tool, char **args)
{
    char text[WG_KEY_TEXT_SIZE] = {0};
    struct probe_pair pair = {
        .own_token = token_id_of_u64(number(args[4])),
        .peer_token = token_id_of_u64(number(args[5])),
    };
    struct wg_key own_secret_form;
    struct wg_secret secret;
    struct probe_key key;
    FILE *file = fopen(args[2], "re");
    if (file == NULL || fread(text, 1, WG_KEY_TEXT_SIZE - 1, file) != WG_KEY_TEXT_SIZE - 1 ||
        wg_key_parse(span_of_text(text), &own_secret_form) != OK ||
        wg_key_parse(span_of_text(args[3]), &pair.peer_key) != OK) {
        die("cannot read the keys");
    }
    (void)fclose(file);
    memcpy(secret.bytes, own_secret_form.bytes, sizeof secret.bytes);
    (void)crypto_scalarmult_base(pair.own_key.bytes, secret.bytes);
    if (probe_key_derive(&secret, &pair, &key) != OK) {
        die("cannot derive the key");
    }
    const struct path_config config = {
        .prepunch_ttl = (uint8_t)number(args[7]),
        .controlling = token_id_compare(&pair.own_token, &pair.peer_token) < 0,
    };
    path_init(&tool->path, &config, &key);
    limiter_init(&tool->limiter, tool->entries, sizeof tool->entries / sizeof tool->entries[0]);
}

static void wait_for_input(struct tool *tool, struct mono now)
{
    struct mono next = mono_min(mapping_deadline(&tool->mapping), path_deadline(&tool->path));
    next = mono_min(next, tool->device_at);
    uint64_t wait_ms = mono_since(now, next);
    struct pollfd poll_fds[] = {
        {.fd = port_fd(tool->port), .events = POLLIN},
        {.fd = tool->in_fd, .events = POLLIN},
    };
    (void)poll(poll_fds, 2, wait_ms > 100 ? 100 : (int)wait_ms);
    now = clock_mono();
    if ((poll_fds[0].revents & POLLIN) != 0) {
        (void)take_datagrams(tool, now);
    }
    if ((poll_fds[1].revents & POLLIN) != 0 && tool->recorded) {
        take_lines(tool, now);
    }
}

static int run_punch(char **args, int count)
{
    static struct tool tool;
    uint16_t port = (uint16_t)number(args[1]);
    tool_init(&tool);
    tool.interface = args[0];
    tool.peer_key = args[3];
    tool.in_fd = open(args[8], O_RDWR | O_CLOEXEC); // a FIFO: writable, so that it never ends
    tool.out_fd = open(args[9], O_RDWR | O_CLOEXEC);
    tool.want = args[11][0] == '1';
    if (tool.in_fd < 0 || tool.out_fd < 0) {
        die("cannot open the FIFOs");
    }
    mapping_init(&tool.mapping, port);
    open_port(&tool, port);
    init_path(&tool, args);
    set_host(&tool, args[6]);
    add_reflectors(&tool, args + 12, count - 12);
    const struct mono end = mono_add(tool.started_at, number(args[10]) * 1000);
    bool over = false;
    for (struct mono now = clock_mono(); !over && !mono_due(end, now); now = clock_mono()) {
        if (mono_due(mapping_deadline(&tool.mapping), now)) {
            mapping_on_deadline(&tool.mapping, now, &tool.rng);
        }
        if (mono_due(path_deadline(&tool.path), now)) {
            path_on_deadline(&tool.path, now);
        }
        if (mono_due(tool.device_at, now)) {
            tool.device_at = mono_add(now, DEVICE_POLL_MS);
            read_device(&tool, now);
        }
        drain_mapping(&tool);
        over = drain_path(&tool, now);
        if (!tool.recorded && !tool.mapping.in_round &&
            address_is_set(&tool.mapping.view.reflexive)) {
            tool.recorded = true;
            note_address(
                &tool, class_name(tool.mapping.view.nat_class), &tool.mapping.view.reflexive);
            write_side(&tool, "record");
        }
        wait_for_input(&tool, now);
    }
    port_close(tool.port);
    return 0;
}

int main(int argc, char **argv)
{
    if (sodium_init() < 0) {
        die("no randomness");
    }
    const char *mode = argc > 1 ? argv[1] : "";
    if (strcmp(mode, "reflect") == 0 && argc == 3) {
        run_reflect((uint16_t)number(argv[2]));
    }
    if (strcmp(mode, "serve") == 0 && argc == 4) {
        return run_serve((uint16_t)number(argv[2]), number(argv[3]));
    }
    if (strcmp(mode, "limits") == 0 && argc == 3) {
        return run_limits((uint16_t)number(argv[2]));
    }
    if (strcmp(mode, "flood") == 0 && argc == 4) {
        return run_flood(argv[2], number(argv[3]));
    }
    if (strcmp(mode, "map") == 0 && argc >= 5) {
        return run_map(argv + 2, argc - 2);
    }
    if (strcmp(mode, "punch") == 0 && argc >= 15) {
        return run_punch(argv + 2, argc - 2);
    }
    die("see the head of nat_tool.c for its use");
    return 2;
}

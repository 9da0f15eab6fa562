// SPDX-License-Identifier: GPL-3.0-or-later
//
// Drives wg/ for the lab tests: `wg_tool INTERFACE`, one command a line on standard input, one
// line "ok COMMAND ..." or "fail COMMAND STATUS: sentence" on standard output for each. Stops at
// the first failure with status 1. At the end of the input it lets go of the device, which stays.
//
//   open PORT [PROGRAM]           key SECRET | port N | fwmark N      up
//   addresses IP...               routes PREFIX SOURCE...             clash PREFIX
//   want KEY ENDPOINT|- KEEPALIVE PREFIX...    drop KEY    adopt KEY  sync | read
//   local | watch | changed       exited                              remove
#include "base/text.h"
#include "wg/device.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PEERS_MAX = 64,
    PREFIXES_MAX = 256,
    WORDS_MAX = 16,
    LINE_SIZE = 1024,
};

struct tool {
    const char *name;
    struct wg_device *device;
    struct wg_link *link;
    struct wg_monitor *monitor;
    struct wg_peers peers;
    struct wg_detail detail;
    char *words[WORDS_MAX];
    int word_count;
    struct wg_peer_entry entries[PEERS_MAX];
    struct wg_peer_state states[PEERS_MAX];
    struct prefix prefixes[PREFIXES_MAX];
    struct wg_op ops[2 * PEERS_MAX];
};

static struct span word(const struct tool *tool, int index)
{
    return index < tool->word_count ? span_of_text(tool->words[index]) : span_of("", 0);
}

static uint32_t number(const struct tool *tool, int index)
{
    return index < tool->word_count ? (uint32_t)strtoul(tool->words[index], NULL, 10) : 0;
}

static enum status tool_open(struct tool *tool)
{
    struct wg_device_options options = {
        .name = tool->name,
        .listen_port = (uint16_t)number(tool, 1),
        .program = tool->word_count > 2 ? tool->words[2] : NULL,
    };
    enum status status = wg_link_open(&tool->link, &tool->detail);
    if (status == OK) {
        status = wg_device_open(&options, &tool->device, &tool->detail);
    }
    if (status == OK) {
        (void)printf("%s ", wg_device_adopted(tool->device) ? "adopted" : "created");
    }
    return status;
}

static enum status tool_configure(struct tool *tool)
{
    struct wg_config config = {
        .set_key = strcmp(tool->words[0], "key") == 0,
        .set_listen_port = strcmp(tool->words[0], "port") == 0,
        .set_fwmark = strcmp(tool->words[0], "fwmark") == 0,
        .listen_port = (uint16_t)number(tool, 1),
        .fwmark = number(tool, 1),
    };
    if (config.set_key) {
        struct wg_key key;
        enum status status = wg_key_parse(word(tool, 1), &key);
        if (status != OK) {
            return status;
        }
        memcpy(config.key.bytes, key.bytes, sizeof config.key.bytes);
    }
    return wg_device_configure(tool->device, &config, &tool->detail);
}

static enum status tool_up(struct tool *tool)
{
    return wg_link_set_up(tool->link, wg_device_index(tool->device), true, &tool->detail);
}

static enum status tool_addresses(struct tool *tool)
{
    struct address addresses[WORDS_MAX];
    size_t count = 0;
    for (int i = 1; i < tool->word_count; i++) {
        enum status status = address_parse(word(tool, i), false, &addresses[count++]);
        if (status != OK) {
            return status;
        }
    }
    return wg_link_set_addresses(
        tool->link, wg_device_index(tool->device), addresses, count, &tool->detail);
}

static enum status tool_routes(struct tool *tool)
{
    struct wg_own_route routes[WORDS_MAX];
    size_t count = 0;
    for (int i = 1; i + 1 < tool->word_count; i += 2) {
        struct wg_own_route *route = &routes[count++];
        enum status status = prefix_parse(word(tool, i), &route->destination);
        if (status == OK) {
            status = address_parse(word(tool, i + 1), false, &route->source);
        }
        if (status != OK) {
            return status;
        }
    }
    return wg_link_set_routes(
        tool->link, wg_device_index(tool->device), routes, count, &tool->detail);
}

static enum status tool_clash(struct tool *tool)
{
    struct prefix prefix;
    struct wg_route route;
    enum status status = prefix_parse(word(tool, 1), &prefix);
    if (status != OK) {
        return status;
    }
    return wg_link_check_routes(
        tool->link, &prefix, wg_device_index(tool->device), &route, &tool->detail);
}

static enum status tool_want(struct tool *tool)
{
    struct wg_peer peer = {.keepalive_s = (uint16_t)number(tool, 3)};
    enum status status = wg_key_parse(word(tool, 1), &peer.key);
    if (status == OK && !span_equal(word(tool, 2), span_of_text("-"))) {
        status = address_parse(word(tool, 2), true, &peer.endpoint);
    }
    for (int i = 4; status == OK && i < tool->word_count; i++) {
        status = prefix_parse(word(tool, i), &peer.allowed[peer.allowed_count++]);
    }
    return status == OK ? wg_peers_want(&tool->peers, &peer) : status;
}

static enum status tool_key(struct tool *tool)
{
    struct wg_key key;
    enum status status = wg_key_parse(word(tool, 1), &key);
    if (status == OK && strcmp(tool->words[0], "adopt") == 0) {
        return wg_peers_adopt(&tool->peers, &key);
    }
    if (status == OK) {
        wg_peers_drop(&tool->peers, &key);
    }
    return status;
}

static enum status read_state(struct tool *tool, struct wg_device_state *ret)
{
    *ret = (struct wg_device_state){
        .peers = tool->states,
        .peer_capacity = PEERS_MAX,
        .allowed = tool->prefixes,
        .allowed_capacity = PREFIXES_MAX,
    };
    return wg_device_read(tool->device, ret, &tool->detail);
}

static enum status tool_sync(struct tool *tool)
{
    static const char *const kinds[] = {"add", "update", "remove", "refuse"};
    struct wg_device_state state;
    size_t count = 0;
    enum status status = read_state(tool, &state);
    if (status != OK) {
        return status;
    }
    wg_peers_diff(&tool->peers, &state, tool->ops, &count);
    status = wg_device_apply(tool->device, tool->ops, count, &tool->detail);
    for (size_t i = 0; status == OK && i < count; i++) {
        wg_peers_applied(&tool->peers, &tool->ops[i]);
        (void)printf("%s ", kinds[tool->ops[i].kind]);
    }
    return status;
}

static enum status tool_read(struct tool *tool)
{
    struct wg_device_state state;
    enum status status = read_state(tool, &state);
    for (size_t i = 0; status == OK && i < state.peer_count; i++) {
        char key[WG_KEY_TEXT_SIZE];
        char endpoint[ADDRESS_TEXT_SIZE];
        wg_key_format(&state.peers[i].key, key);
        address_format(&state.peers[i].endpoint, endpoint);
        (void)printf("peer %s %s %s rx %llu\n", key, endpoint,
            state.peers[i].handshake_unix_ns == 0 ? "never" : "met",
            (unsigned long long)state.peers[i].rx_bytes);
    }
    return status;
}

static enum status tool_local(struct tool *tool)
{
    struct wg_local_address list[16];
    size_t count = 0;
    enum status status = wg_link_addresses(tool->link, list, 16, &count, &tool->detail);
    for (size_t i = 0; status == OK && i < count; i++) {
        char text[ADDRESS_TEXT_SIZE];
        address_format(&list[i].address, text);
        (void)printf("local %s/%u%s\n", text, (unsigned)list[i].prefix_length,
            list[i].index == wg_device_index(tool->device) ? " own" : "");
    }
    return status;
}

static bool readable_within(int fd, int timeout_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, timeout_ms) == 1;
}

static enum status tool_watch(struct tool *tool)
{
    return wg_monitor_open(&tool->monitor, &tool->detail);
}

static enum status tool_changed(struct tool *tool)
{
    bool ready = readable_within(wg_monitor_fd(tool->monitor), 2000);
    bool changed = ready && wg_monitor_drain(tool->monitor, wg_device_index(tool->device));
    return changed ? OK : ERR_TIMEOUT;
}

static enum status tool_exited(struct tool *tool)
{
    if (!readable_within(wg_device_exit_fd(tool->device), 3000)) {
        return ERR_TIMEOUT;
    }
    wg_device_exit_reason(tool->device, &tool->detail);
    (void)printf("%s ", tool->detail.text);
    return OK;
}

static enum status tool_remove(struct tool *tool)
{
    struct wg_device *device = tool->device;
    tool->device = NULL;
    return wg_device_remove(device, &tool->detail);
}

struct command {
    const char *name;
    enum status (*run)(struct tool *tool);
    bool needs_device;
};

static const struct command commands[] = {
    {"open", tool_open, false},
    {"key", tool_configure, true},
    {"port", tool_configure, true},
    {"fwmark", tool_configure, true},
    {"up", tool_up, true},
    {"addresses", tool_addresses, true},
    {"routes", tool_routes, true},
    {"clash", tool_clash, true},
    {"want", tool_want, false},
    {"drop", tool_key, false},
    {"adopt", tool_key, false},
    {"sync", tool_sync, true},
    {"read", tool_read, true},
    {"local", tool_local, true},
    {"watch", tool_watch, true},
    {"changed", tool_changed, true},
    {"exited", tool_exited, true},
    {"remove", tool_remove, true},
};

static void split(struct tool *tool, char *line)
{
    char *rest = NULL;
    tool->word_count = 0;
    for (char *next = strtok_r(line, " \n", &rest); next != NULL && tool->word_count < WORDS_MAX;
         next = strtok_r(NULL, " \n", &rest)) {
        tool->words[tool->word_count++] = next;
    }
}

static enum status run(struct tool *tool)
{
    (void)snprintf(tool->detail.text, sizeof tool->detail.text, "-");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(tool->words[0], commands[i].name) == 0) {
            bool possible = tool->device != NULL || !commands[i].needs_device;
            return possible ? commands[i].run(tool) : ERR_NOT_FOUND;
        }
    }
    return ERR_UNSUPPORTED;
}

int main(int argument_count, char **arguments)
{
    static struct tool tool;
    char line[LINE_SIZE];
    int result = 0;
    if (argument_count != 2) {
        (void)fprintf(stderr, "usage: wg_tool INTERFACE <commands\n");
        return 2;
    }
    tool.name = arguments[1];
    wg_peers_init(&tool.peers, tool.entries, PEERS_MAX);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    while (result == 0 && fgets(line, sizeof line, stdin) != NULL) {
        split(&tool, line);
        if (tool.word_count == 0) {
            continue;
        }
        enum status status = run(&tool);
        if (status == OK) {
            (void)printf("ok %s\n", tool.words[0]);
        } else {
            (void)printf("fail %s %s: %s\n", tool.words[0], status_name(status), tool.detail.text);
            result = 1;
        }
    }
    wg_device_close(tool.device);
    wg_link_close(tool.link);
    wg_monitor_close(tool.monitor);
    return result;
}

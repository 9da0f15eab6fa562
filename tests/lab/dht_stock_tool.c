// SPDX-License-Identifier: GPL-3.0-or-later
//
// A node of the stock C bindings of OpenDHT, for the lab: the independent peer.
//
//   dht_stock_tool PORT      commands on stdin, one JSON object a line on stdout
//
//   bootstrap IP PORT    put KEY HEX    flood KEY COUNT SIZE    get KEY    listen KEY    quit
//
// Every value has a random id, since the bindings can set none. OpenDHT's network number is 7.
#include <inttypes.h>
#include <opendht/opendht_c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LINE_MAX_SIZE = 4096,
    VALUE_MAX_SIZE = 1024,
};

static uint64_t now_ms(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000 + (uint64_t)time.tv_nsec / 1000000;
}

static void print_value(const char *event, const dht_value *value)
{
    const dht_data_view view = dht_value_get_data(value);
    flockfile(stdout);
    (void)printf("{\"event\":\"%s\",\"ms\":%" PRIu64 ",\"id\":\"%" PRIu64 "\",\"value\":\"", event,
        now_ms(), dht_value_get_id(value));
    for (size_t i = 0; i < view.size; i++) {
        (void)printf("%02x", view.data[i]);
    }
    (void)printf("\"}\n");
    (void)fflush(stdout);
    funlockfile(stdout);
}

static bool on_value(const dht_value *value, void *)
{
    print_value("value", value);
    return true;
}

static bool on_change(const dht_value *value, bool expired, void *)
{
    print_value(expired ? "expired" : "value", value);
    return true;
}

static void on_done(bool ok, void *name)
{
    flockfile(stdout);
    (void)printf("{\"event\":\"%s\",\"ok\":%s,\"ms\":%" PRIu64 "}\n", (const char *)name,
        ok ? "true" : "false", now_ms());
    (void)fflush(stdout);
    funlockfile(stdout);
}

static size_t parse_hex(const char *hex, uint8_t *ret)
{
    size_t size = 0;
    unsigned byte = 0;
    while (size < VALUE_MAX_SIZE &&
           sscanf(hex + 2 * size, "%2x", &byte) == 1) { // NOLINT(cert-err34-c)
        ret[size++] = (uint8_t)byte;
    }
    return size;
}

static void put(dht_runner *runner, const dht_infohash *key, const uint8_t *bytes, size_t size,
    const char *name)
{
    dht_value *value = dht_value_new(bytes, size);
    static char names[2][16] = {"put_done", "flood_done"};
    dht_runner_put(runner, key, value, on_done, names[strcmp(name, "flood") == 0], false);
    dht_value_unref(value);
}

static void flood(dht_runner *runner, const dht_infohash *key, unsigned count, size_t size)
{
    uint8_t bytes[VALUE_MAX_SIZE] = {'j'};
    for (unsigned i = 0; i < count; i++) {
        memcpy(bytes + 1, &i, sizeof(i));
        put(runner, key, bytes, size < sizeof(bytes) ? size : sizeof(bytes), "flood");
    }
}

static bool command(dht_runner *runner, char *line)
{
    static char get_done[] = "get_done";
    char *save = NULL;
    const char *verb = strtok_r(line, " \n", &save);
    char *first = strtok_r(NULL, " \n", &save);
    char *second = strtok_r(NULL, " \n", &save);
    char *third = strtok_r(NULL, " \n", &save);
    if (verb == NULL || strcmp(verb, "quit") == 0 || first == NULL) {
        return false;
    }
    dht_infohash key;
    dht_infohash_from_hex_null(&key, first);
    if (strcmp(verb, "bootstrap") == 0 && second != NULL) {
        dht_runner_bootstrap(runner, first, second);
    } else if (strcmp(verb, "put") == 0 && second != NULL) {
        uint8_t bytes[VALUE_MAX_SIZE];
        put(runner, &key, bytes, parse_hex(second, bytes), verb);
    } else if (strcmp(verb, "flood") == 0 && second != NULL && third != NULL) {
        flood(runner, &key, (unsigned)strtoul(second, NULL, 10), strtoul(third, NULL, 10));
    } else if (strcmp(verb, "get") == 0) {
        dht_runner_get(runner, &key, on_value, on_done, get_done);
    } else if (strcmp(verb, "listen") == 0) {
        (void)dht_runner_listen(runner, &key, on_change, NULL, NULL);
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: dht_stock_tool PORT\n");
        return 2;
    }
    dht_runner_config config;
    dht_runner_config_default(&config);
    config.dht_config.node_config.network = 7;
    dht_runner *runner = dht_runner_new();
    const int failed =
        dht_runner_run_config(runner, (in_port_t)strtoul(argv[1], NULL, 10), &config);
    if (failed != 0) {
        (void)fprintf(stderr, "dht_stock_tool: %s\n", strerror(failed));
        return 1;
    }
    char line[LINE_MAX_SIZE];
    while (fgets(line, sizeof(line), stdin) != NULL && command(runner, line)) {
    }
    dht_runner_delete(runner);
    return 0;
}

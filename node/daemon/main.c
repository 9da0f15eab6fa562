// SPDX-License-Identifier: GPL-3.0-or-later
//
// deedmeshd: one instance of the daemon, in the foreground. `deedmesh up` and the unit file start
// it; people do not.
#include "base/clock_posix.h"
#include "base/text.h"
#include "node/daemon/clean.h"
#include "node/daemon/daemon.h"
#include "node/daemon/log.h"
#include "node/daemon/privileges.h"
#include "node/daemon/ready.h"

#include <curl/curl.h>
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXIT_USAGE = 64,
};

struct arguments {
    const char *config_dir;
    const char *state_dir;
    const char *run_dir;
    const char *instance;
    const char *token;
    const char *log_format;
    int ready_fd;
    bool clean;
};

static const char usage[] =
    "usage: deedmeshd [-i NAME] [--token TOKEN] [--log-format text|json] [--ready-fd N]\n"
    "                 [--config-dir DIR] [--state-dir DIR] [--run-dir DIR]\n"
    "       deedmeshd [-i NAME] --clean\n"
    "One instance of the Deedmesh daemon, in the foreground. See deedmesh(1).\n";

static bool parse_arguments(int argc, char **argv, struct arguments *ret)
{
    static const struct option options[] = {
        {"instance", required_argument, NULL, 'i'},
        {"token", required_argument, NULL, 't'},
        {"log-format", required_argument, NULL, 'l'},
        {"ready-fd", required_argument, NULL, 'r'},
        {"config-dir", required_argument, NULL, 'c'},
        {"state-dir", required_argument, NULL, 's'},
        {"run-dir", required_argument, NULL, 'u'},
        {"clean", no_argument, NULL, 'C'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *ret = (struct arguments){.instance = "deed0", .ready_fd = -1};
    for (int c = getopt_long(argc, argv, "i:h", options, NULL); c != -1;
         c = getopt_long(argc, argv, "i:h", options, NULL)) {
        switch (c) {
        case 'i':
            ret->instance = optarg;
            break;
        case 't':
            ret->token = optarg;
            break;
        case 'l':
            ret->log_format = optarg;
            break;
        case 'r':
            ret->ready_fd = (int)strtol(optarg, NULL, 10);
            break;
        case 'c':
            ret->config_dir = optarg;
            break;
        case 's':
            ret->state_dir = optarg;
            break;
        case 'u':
            ret->run_dir = optarg;
            break;
        case 'C':
            ret->clean = true;
            break;
        case 'V':
            (void)puts("deedmeshd " DEEDMESH_VERSION);
            exit(EXIT_SUCCESS);
        case 'h':
            (void)fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        default:
            return false;
        }
    }
    return optind == argc;
}

static bool fill_options(const struct arguments *arguments, struct daemon_options *ret)
{
    ret->instance = arguments->instance;
    ret->ready_fd = arguments->ready_fd;
    ret->has_token = arguments->token != NULL;
    if (instance_name_check(arguments->instance) != OK) {
        (void)fprintf(stderr, "deedmeshd: %s is not an instance name\n", arguments->instance);
        return false;
    }
    if (ret->has_token && token_id_parse(span_of_text(arguments->token), &ret->token) != OK) {
        (void)fprintf(stderr, "deedmeshd: %s is not a token id\n", arguments->token);
        return false;
    }
    ret->has_log_format = arguments->log_format != NULL;
    ret->log_format = LOG_TEXT;
    if (ret->has_log_format && strcmp(arguments->log_format, "json") == 0) {
        ret->log_format = LOG_JSON;
    } else if (ret->has_log_format && strcmp(arguments->log_format, "text") != 0) {
        (void)fprintf(stderr, "deedmeshd: a log format is text or json\n");
        return false;
    }
    if (directories_init(arguments->config_dir, arguments->state_dir, arguments->run_dir,
            &ret->directories) != OK) {
        (void)fprintf(stderr, "deedmeshd: a directory name is too long\n");
        return false;
    }
    return true;
}

static void on_signal(uv_signal_t *handle, int)
{
    daemon_stop(handle->data);
}

static void start_signals(struct daemon *daemon)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    for (size_t i = 0; i < 2; i++) {
        (void)uv_signal_init(&daemon->loop, &daemon->signals[i]);
        daemon->signals[i].data = daemon;
        (void)uv_signal_start(&daemon->signals[i], on_signal, numbers[i]);
    }
    daemon->signals_open = true;
    (void)signal(SIGPIPE, SIG_IGN);
}

static enum status drop_privileges(
    struct daemon *daemon, enum status (*drop)(char error[static PRIVILEGES_ERROR_SIZE]))
{
    char error[PRIVILEGES_ERROR_SIZE];
    enum status status = drop(error);
    if (status != OK) {
        (void)snprintf(daemon->error, sizeof daemon->error, "%s", error);
    }
    return status;
}

static void start(struct daemon *daemon)
{
    enum status status = drop_privileges(daemon, privileges_start);
    status = status == OK ? setup_read(daemon) : status;
    status = status == OK ? setup_network(daemon) : status;
    status = status == OK ? daemon_start_edges(daemon) : status;
    if (status != OK) {
        daemon_fail(daemon);
        return;
    }
    status = manifest_load_pinned(daemon);
    if (status == ERR_NOT_FOUND && daemon->bootstrap_count > 0) {
        manifest_fetch_start(daemon); // answered while the device starts
    } else if (status != OK) {
        daemon_fail(daemon);
        return;
    }
    if (setup_device_start(daemon) != OK || drop_privileges(daemon, privileges_run) != OK) {
        daemon_fail(daemon);
    } else if (status == OK) {
        daemon_begin(daemon);
    } else {
        daemon->now = clock_now();
        daemon_pump(daemon);
    }
}

static void release(struct daemon *daemon)
{
    chain_http_destroy(daemon->chain);
    wg_monitor_close(daemon->monitor);
    wg_link_close(daemon->link);
    dht_core_destroy(daemon->dht);
    node_destroy(daemon->node);
    saver_free(daemon->saver);
    state_close(daemon->state);
    free(daemon->policy_tables);
    free(daemon->wg_entries);
    free(daemon->wg_state.peers);
    free(daemon->wg_state.allowed);
    network_keys_wipe(&daemon->keys);
    sodium_memzero(daemon, sizeof *daemon);
    free(daemon);
}

static int clean(struct daemon *daemon)
{
    char message[CLEAN_MESSAGE_SIZE];
    enum status status =
        clean_instance(&daemon->options.directories, daemon->options.instance, message);
    if (status != OK) {
        (void)fprintf(stderr, "deedmeshd: %s\n", message);
    }
    (void)uv_loop_close(&daemon->loop);
    free(daemon);
    return status == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    if (!parse_arguments(argc, argv, &arguments)) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    privileges_hide();
    struct daemon *daemon = calloc(1, sizeof *daemon);
    if (daemon == NULL || sodium_init() < 0 || curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
        uv_loop_init(&daemon->loop) != 0) {
        (void)fprintf(stderr, "deedmeshd: cannot start: libraries or memory are missing\n");
        free(daemon);
        return EXIT_FAILURE;
    }
    daemon->member_fd = -1;
    daemon->dht_fds[0] = -1;
    daemon->dht_fds[1] = -1;
    daemon->addresses_at = mono_never();
    if (!fill_options(&arguments, &daemon->options)) {
        free(daemon);
        return EXIT_USAGE;
    }
    if (arguments.clean) {
        return clean(daemon);
    }
    ready_init(arguments.ready_fd);
    daemon->now = clock_now();
    daemon->started_at = daemon->now.mono;
    start_signals(daemon);
    start(daemon);
    (void)uv_run(&daemon->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&daemon->loop);
    int exit_status = daemon->exit_status;
    release(daemon);
    curl_global_cleanup();
    return exit_status;
}

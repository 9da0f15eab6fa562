// SPDX-License-Identifier: GPL-3.0-or-later
//
// The configuration file: what each key takes, and that every error names its line.
#include "node/instance/config.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status parse(const char *text, struct config *config, struct config_error *error)
{
    return config_parse(span_of_text(text), "deed0.conf", "deed0", config, error);
}

static void the_defaults_stand_in_an_empty_file(void **)
{
    struct config config;
    struct config_error error;
    assert_int_equal(parse("", &config, &error), OK);
    assert_string_equal(config.instance, "deed0");
    assert_false(config.has_token);
    assert_int_equal(config.listen_port, 51820);
    assert_int_equal(config.dht_port, 51821);
    assert_int_equal(config.mtu, 1420);
    assert_true(config.ipv4);
    assert_int_equal(config.mesh_max, 64);
    assert_int_equal(config.trust, TRUST_POLICY_QUORUM);
    assert_false(config.delegate_registry);
    assert_int_equal(config.grant, GRANT_LATEST);
    assert_int_equal(config.poll_ms, 0);
    assert_false(config.has_grace);
    assert_int_equal(config.logs_ms, 10000);
    assert_false(config.allow_http);
    assert_true(config.http);
    assert_int_equal(config.http_listen.port, 9651);
    assert_int_equal(config.log_level, LOG_LEVEL_INFO);
    assert_string_equal(error.text, "");
}

static void every_key_is_taken(void **)
{
    static const char text[] = "# a comment\n"
                               "[node]\n"
                               "token = 0x07\n"
                               "listen_port = 4500\n"
                               "dht_port = 4501 ; the DHT\n"
                               "mtu = 1280\n"
                               "ipv4 = no\n"
                               "insist = yes\n"
                               "mesh_max = 8\n"
                               "publish = direct\n"
                               "connect = 9\n"
                               "connect = 11\n"
                               "\n"
                               "[network]\n"
                               "bootstrap = [2001:db8::1]:51821\r\n"
                               "bootstrap = b.example:1\n"
                               "secret_file = /etc/deedmesh/secret\n"
                               "[chain]\n"
                               "rpc = http://10.0.0.1:8545\n"
                               "rpc = https://rpc.example/key\n"
                               "allow_http = yes\n"
                               "trust = proof\n"
                               "delegate_registry = on\n"
                               "grant = finalized\n"
                               "poll = 3\n"
                               "grace = 0\n"
                               "logs = 30\n"
                               "[http]\n"
                               "listen = [::1]:80\n"
                               "[log]\n"
                               "format = json\n"
                               "level = debug";
    struct config config;
    struct config_error error;
    struct token_id seven = token_id_of_u64(7);
    struct token_id eleven = token_id_of_u64(11);
    assert_int_equal(parse(text, &config, &error), OK);
    assert_true(config.has_token && token_id_equal(&config.token, &seven));
    assert_int_equal(config.listen_port, 4500);
    assert_int_equal(config.dht_port, 4501);
    assert_int_equal(config.mtu, 1280);
    assert_false(config.ipv4);
    assert_true(config.insist);
    assert_int_equal(config.mesh_max, 8);
    assert_int_equal(config.connects_count, 2);
    assert_true(token_id_equal(&config.connects[1], &eleven));
    assert_int_equal(config.bootstraps_count, 2);
    assert_string_equal(config.bootstraps[0].endpoint.host, "2001:db8::1");
    assert_false(config.bootstraps[0].has_fingerprint);
    assert_string_equal(config.secret_file, "/etc/deedmesh/secret");
    assert_int_equal(config.rpcs_count, 2);
    assert_string_equal(config.rpcs[1], "https://rpc.example/key");
    assert_true(config.allow_http);
    assert_int_equal(config.trust, TRUST_POLICY_PROOF);
    assert_true(config.delegate_registry);
    assert_memory_equal(config.registry.bytes, "\0\0\0\0\0\0\0\x44\x7e", 9);
    assert_int_equal(config.grant, GRANT_FINALIZED);
    assert_int_equal(config.poll_ms, 3000);
    assert_true(config.has_grace);
    assert_int_equal(config.grace_ms, 0);
    assert_int_equal(config.logs_ms, 30000);
    assert_int_equal(config.http_listen.family, FAMILY_IPV6);
    assert_int_equal(config.log_format, LOG_JSON);
    assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
}

static void the_http_server_can_be_off(void **)
{
    struct config config;
    struct config_error error;
    assert_int_equal(parse("[http]\nlisten = off\n", &config, &error), OK);
    assert_false(config.http);
}

struct bad {
    const char *text;
    enum status status;
    const char *message; // begins so
};

static const struct bad bad_files[] = {
    {"[node]\ntoken = seven\n", ERR_MALFORMED, "deed0.conf:2: token: "},
    {"[node]\nlisten_port = 0\n", ERR_RANGE, "deed0.conf:2: listen_port: "},
    {"[node]\nlisten_port = 65536\n", ERR_RANGE, "deed0.conf:2: listen_port: "},
    {"[node]\nlisten_port = 9182\n", ERR_RANGE, "deed0.conf:2: listen_port: "},
    {"[node]\nlisten_port = 99999999999999999999\n", ERR_RANGE, "deed0.conf:2: listen_port: "},
    {"[node]\nlisten_port = -1\n", ERR_MALFORMED, "deed0.conf:2: listen_port: "},
    {"[node]\nlisten_port =\n", ERR_MALFORMED, "deed0.conf:2: listen_port: "},
    {"[node]\n\ndht_port = 51820\n", ERR_RANGE,
        "deed0.conf:3: listen_port and dht_port are both 51820"},
    {"[node]\nmtu = 1279\n", ERR_RANGE, "deed0.conf:2: mtu: "},
    {"[node]\nmtu = 9001\n", ERR_RANGE, "deed0.conf:2: mtu: "},
    {"[node]\nipv4 = true\n", ERR_MALFORMED, "deed0.conf:2: ipv4: "},
    {"[node]\ninsist = 1\n", ERR_MALFORMED, "deed0.conf:2: insist: "},
    {"[node]\nmesh_max = 0\n", ERR_RANGE, "deed0.conf:2: mesh_max: "},
    {"[node]\npublish = all\n", ERR_MALFORMED, "deed0.conf:2: publish: "},
    {"[node]\nconnect = x\n", ERR_MALFORMED, "deed0.conf:2: connect: "},
    {"[node]\npublish = relay-only\n", ERR_UNSUPPORTED, "deed0.conf:2: publish: relay-only"},
    {"[node]\nmtu = 1400\nmtu = 1400\n", ERR_MALFORMED,
        "deed0.conf:3: mtu is given twice, first in line 2"},
    {"[network]\nbootstrap = 10.0.0.1\n", ERR_MALFORMED, "deed0.conf:2: bootstrap: "},
    {"[network]\nbootstrap = 10.0.0.1:0\n", ERR_RANGE, "deed0.conf:2: bootstrap: "},
    {"[network]\nbootstrap = 10.0.0.1:1/abcd\n", ERR_MALFORMED, "deed0.conf:2: bootstrap: "},
    {"[network]\nsecret_file = secret\n", ERR_MALFORMED, "deed0.conf:2: secret_file: "},
    {"[chain]\nrpc = ftp://x\n", ERR_MALFORMED, "deed0.conf:2: rpc: "},
    {"[chain]\nrpc = https://u:p@x.example\n", ERR_MALFORMED, "deed0.conf:2: rpc: "},
    {"[chain]\nrpc = http://rpc.example\n", ERR_RANGE, "deed0.conf:2: rpc: plain http"},
    {"[chain]\nrpc = https://a.example\nrpc = https://a.example\n", ERR_EXISTS,
        "deed0.conf:3: rpc: the same provider as in line 2"},
    {"[chain]\nallow_http = 1\n", ERR_MALFORMED, "deed0.conf:2: allow_http: "},
    {"[chain]\ngrant = pending\n", ERR_MALFORMED, "deed0.conf:2: grant: "},
    {"[chain]\ndelegate_registry = 0x12\n", ERR_MALFORMED, "deed0.conf:2: delegate_registry: "},
    {"[chain]\ntrust = none\n", ERR_MALFORMED, "deed0.conf:2: trust: "},
    {"[chain]\npoll = 1\n", ERR_RANGE, "deed0.conf:2: poll: "},
    {"[chain]\npoll = 31\n", ERR_RANGE, "deed0.conf:2: poll: "},
    {"[chain]\ngrace = 3601\n", ERR_RANGE, "deed0.conf:2: grace: "},
    {"[chain]\nlogs = 1\n", ERR_RANGE, "deed0.conf:2: logs: "},
    {"[chain]\nlogs = never\n", ERR_MALFORMED, "deed0.conf:2: logs: "},
    {"[http]\nlisten = 9651\n", ERR_MALFORMED, "deed0.conf:2: listen: "},
    {"[http]\nlisten = 127.0.0.1:0\n", ERR_MALFORMED, "deed0.conf:2: listen: "},
    {"[http]\nlisten = 0.0.0.0:80\n", ERR_RANGE, "deed0.conf:2: listen: "},
    {"[log]\nformat = xml\n", ERR_MALFORMED, "deed0.conf:2: format: "},
    {"[log]\nlevel = loud\n", ERR_MALFORMED, "deed0.conf:2: level: "},
    {"[node]\nspeed = 9\n", ERR_MALFORMED, "deed0.conf:2: unknown key 'speed' in [node]"},
    {"[node]\nrpc = https://x.example\n", ERR_MALFORMED, "deed0.conf:2: unknown key 'rpc'"},
    {"mtu = 1400\n", ERR_MALFORMED, "deed0.conf:1: 'mtu' stands before the first [section]"},
    {"[nodes]\n", ERR_MALFORMED, "deed0.conf:1: unknown section"},
    {"\n[node\n", ERR_MALFORMED, "deed0.conf:2: the section name has no ]"},
    {"[node]\nmtu\n", ERR_MALFORMED, "deed0.conf:2: expected [section] or key = value"},
    {"[node]\n mtu = 1400\n", ERR_MALFORMED, "deed0.conf:2: a line may not begin with a space"},
    {"[node]\nmtu = 14\x01"
     "00\n",
        ERR_MALFORMED, "deed0.conf:2: the line has a control character"},
};

static void every_error_names_its_line(void **)
{
    for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
        const struct bad *bad = &bad_files[i];
        struct config config;
        struct config_error error;
        memset(&config, 0x5a, sizeof config);
        enum status status = parse(bad->text, &config, &error);
        if (status != bad->status || strncmp(error.text, bad->message, strlen(bad->message)) != 0) {
            fail_msg("%s: %s: %s", bad->text, status_name(status), error.text);
        }
        // Nothing of a bad file is used.
        assert_int_equal(config.mtu, 0x5a5a);
    }
}

static void lists_are_bounded(void **)
{
    char text[4096] = "[network]\n";
    struct config config;
    struct config_error error;
    for (int i = 0; i < CONFIG_BOOTSTRAPS_MAX + 1; i++) {
        size_t size = strlen(text);
        (void)snprintf(text + size, sizeof text - size, "bootstrap = h%d.example:1\n", i);
    }
    assert_int_equal(parse(text, &config, &error), ERR_FULL);
    assert_non_null(strstr(error.text, "deed0.conf:10: bootstrap: "));
    (void)snprintf(text, sizeof text, "[chain]\n");
    for (int i = 0; i < CONFIG_RPCS_MAX + 1; i++) {
        size_t size = strlen(text);
        (void)snprintf(text + size, sizeof text - size, "rpc = https://h%d.example\n", i);
    }
    assert_int_equal(parse(text, &config, &error), ERR_FULL);
    (void)snprintf(text, sizeof text, "[node]\n");
    for (int i = 0; i < CONFIG_CONNECTS_MAX + 1; i++) {
        size_t size = strlen(text);
        (void)snprintf(text + size, sizeof text - size, "connect = %d\n", i);
    }
    assert_int_equal(parse(text, &config, &error), ERR_FULL);
}

static void long_lines_and_files_are_refused(void **)
{
    char line[600];
    struct config config;
    struct config_error error;
    memset(line, 'x', sizeof line);
    line[0] = '#';
    line[sizeof line - 1] = '\0';
    assert_int_equal(parse(line, &config, &error), ERR_TOO_LARGE);
    assert_non_null(strstr(error.text, "deed0.conf:1: the line is longer than"));
    char *file = malloc(CONFIG_FILE_MAX + 1);
    assert_non_null(file);
    memset(file, '\n', CONFIG_FILE_MAX + 1);
    assert_int_equal(
        config_parse(span_of(file, CONFIG_FILE_MAX + 1), "f", "deed0", &config, &error),
        ERR_TOO_LARGE);
    assert_int_equal(
        config_parse(span_of(file, CONFIG_FILE_MAX), "f", "deed0", &config, &error), OK);
    free(file);
}

static void loading_tells_absent_from_unreadable(void **)
{
    char directory[] = "/tmp/deedmesh-test-XXXXXX";
    char path[128];
    struct config config;
    struct config_error error;
    assert_non_null(mkdtemp(directory));
    assert_int_equal(config_load(directory, "deed0", &config, &error), ERR_NOT_FOUND);
    assert_non_null(strstr(error.text, "/deed0.conf: "));
    (void)snprintf(path, sizeof path, "%s/deed0.conf", directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("[node]\nmtu = 1300\n", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(config_load(directory, "deed0", &config, &error), OK);
    assert_int_equal(config.mtu, 1300);
    if (geteuid() != 0) {
        assert_int_equal(chmod(path, 0), 0);
        assert_int_equal(config_load(directory, "deed0", &config, &error), ERR_PERMISSION);
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(config_load(directory, "deed0", &config, &error), ERR_IO);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void instance_names_are_interface_names(void **)
{
    assert_int_equal(instance_name_check("deed0"), OK);
    assert_int_equal(instance_name_check("a-b_9"), OK);
    assert_int_equal(instance_name_check("fifteen-letters"), OK);
    assert_int_equal(instance_name_check(""), ERR_MALFORMED);
    assert_int_equal(instance_name_check("-x"), ERR_MALFORMED);
    assert_int_equal(instance_name_check("a/b"), ERR_MALFORMED);
    assert_int_equal(instance_name_check(".."), ERR_MALFORMED);
    assert_int_equal(instance_name_check("a b"), ERR_MALFORMED);
    assert_int_equal(instance_name_check("sixteen-letters-"), ERR_MALFORMED);
    assert_int_equal(instance_name_check("dstack-wg0"), ERR_MALFORMED);
}

static void endpoints_print_as_they_parse(void **)
{
    static const char *const good[] = {"a.example:1", "10.0.0.1:65535", "[2001:db8::1]:51821"};
    static const char *const bad[] = {"", ":1", "a", "a:", "a:x", "a:1x", "a b:1", "300.1.1.1:1",
        "[10.0.0.1]:1", "[::1:1", "::1:1", "-a:1", "a..b:1", ".a:1", "[]:1"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct endpoint_name endpoint;
        char text[ENDPOINT_NAME_TEXT_SIZE];
        assert_int_equal(endpoint_name_parse(span_of_text(good[i]), &endpoint), OK);
        endpoint_name_format(&endpoint, text);
        assert_string_equal(text, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct endpoint_name endpoint;
        if (endpoint_name_parse(span_of_text(bad[i]), &endpoint) != ERR_MALFORMED) {
            fail_msg("taken: %s", bad[i]);
        }
    }
    struct endpoint_name endpoint;
    assert_int_equal(endpoint_name_parse(span_of_text("a:65536"), &endpoint), ERR_RANGE);
    assert_int_equal(endpoint_name_parse(span_of_text("a:01"), &endpoint), ERR_MALFORMED);
}

static void a_bootstrap_may_carry_a_fingerprint(void **)
{
    struct bootstrap bootstrap;
    assert_int_equal(bootstrap_parse(span_of_text("a.example:1"), &bootstrap), OK);
    assert_false(bootstrap.has_fingerprint);
    assert_int_equal(
        bootstrap_parse(span_of_text("a.example:1/abcdefghijklmnopqrstuvwxyz234567"), &bootstrap),
        OK);
    assert_true(bootstrap.has_fingerprint);
    assert_int_equal(
        bootstrap_parse(span_of_text("a.example:1/abcdefghijklmnopqrstuvwxyz23456"), &bootstrap),
        ERR_MALFORMED);
    assert_int_equal(bootstrap_parse(span_of_text("a.example:1/"), &bootstrap), ERR_MALFORMED);
}

static void directories_come_from_option_then_environment(void **)
{
    struct directories directories;
    char path[108];
    char long_path[300];
    assert_int_equal(unsetenv("DEEDMESH_CONFIG_DIR"), 0);
    assert_int_equal(unsetenv("DEEDMESH_RUN_DIR"), 0);
    assert_int_equal(setenv("DEEDMESH_STATE_DIR", "/env", 1), 0);
    assert_int_equal(directories_init(NULL, NULL, "/option", &directories), OK);
    assert_string_equal(directories.config, "/etc/deedmesh");
    assert_string_equal(directories.state, "/env");
    assert_string_equal(directories.run, "/option");
    assert_int_equal(control_socket_path(&directories, "deed0", path), OK);
    assert_string_equal(path, "/option/deed0.sock");
    memset(long_path, 'a', sizeof long_path);
    long_path[200] = '\0';
    assert_int_equal(directories_init(NULL, NULL, long_path, &directories), OK);
    assert_int_equal(control_socket_path(&directories, "deed0", path), ERR_TOO_LARGE);
    long_path[200] = 'a';
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(directories_init(long_path, NULL, NULL, &directories), ERR_TOO_LARGE);
    assert_int_equal(unsetenv("DEEDMESH_STATE_DIR"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_defaults_stand_in_an_empty_file),
        cmocka_unit_test(every_key_is_taken),
        cmocka_unit_test(the_http_server_can_be_off),
        cmocka_unit_test(every_error_names_its_line),
        cmocka_unit_test(lists_are_bounded),
        cmocka_unit_test(long_lines_and_files_are_refused),
        cmocka_unit_test(loading_tells_absent_from_unreadable),
        cmocka_unit_test(instance_names_are_interface_names),
        cmocka_unit_test(endpoints_print_as_they_parse),
        cmocka_unit_test(a_bootstrap_may_carry_a_fingerprint),
        cmocka_unit_test(directories_come_from_option_then_environment),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}

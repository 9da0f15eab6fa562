// SPDX-License-Identifier: GPL-3.0-or-later
//
// The configuration of one instance, /etc/deedmesh/NAME.conf: sections of `key = value`. The file
// is all or nothing: an unknown section or key, a value out of its bounds or a key given twice is
// an error with its line, and no part of the file is used. deedmesh.conf(5) describes each key.
//
// The program as a whole reads three directories (config, state, run), which tests move.
#pragma once

#include "base/address.h"
#include "base/ids.h"
#include "chain/gate.h"
#include "chain/url.h"

enum {
    INSTANCE_NAME_SIZE = 16, // an interface name: IFNAMSIZ with its NUL
    CONFIG_PATH_SIZE = 256,
    CONFIG_URL_SIZE = CHAIN_URL_MAX + 1,
    CONFIG_HOST_SIZE = 254, // a DNS name has at most 253 characters (RFC 1035)
    CONFIG_BOOTSTRAPS_MAX = 8,
    CONFIG_CONNECTS_MAX = 64,
    CONFIG_RPCS_MAX = 8,
    CONFIG_MESH_MAX = 1024,
    CONFIG_FILE_MAX = 64 * 1024,
    CONFIG_ERROR_SIZE = 640,

    CONFIG_LISTEN_PORT = 51820,
    CONFIG_DHT_PORT = 51821,
    CONFIG_HTTP_PORT = 9651,
};

// A host name or a numeric IP (IPv6 without brackets here), and a port.
struct endpoint_name {
    char host[CONFIG_HOST_SIZE];
    uint16_t port;
};

// HOST:PORT[/FINGERPRINT], as `deedmesh init` prints it. The fingerprint names the authority that
// signs the manifest (dht/manifest.h).
struct bootstrap {
    struct endpoint_name endpoint;
    bool has_fingerprint;
    struct dht_key fingerprint;
};

enum log_format {
    LOG_TEXT,
    LOG_JSON,
};

enum log_level {
    LOG_LEVEL_ERROR = 3, // the numbers are syslog's
    LOG_LEVEL_WARNING = 4,
    LOG_LEVEL_INFO = 6,
    LOG_LEVEL_DEBUG = 7,
};

struct config {
    char instance[INSTANCE_NAME_SIZE]; // also the interface's name

    // [node]
    bool has_token; // else the one delegation on disk names it
    struct token_id token;
    uint16_t listen_port; // WireGuard's, UDP
    uint16_t dht_port;
    uint16_t mtu;
    bool ipv4; // false = overlay over the unique local IPv6 addresses only
    uint16_t mesh_max;
    bool insist; // publish and knock although the own seat is refused: to test a mesh
    struct token_id connects[CONFIG_CONNECTS_MAX]; // connected whatever mesh_max says
    size_t connects_count;

    // [network]
    struct bootstrap bootstraps[CONFIG_BOOTSTRAPS_MAX];
    size_t bootstraps_count;
    char secret_file[CONFIG_PATH_SIZE]; // empty = a network without a secret

    // [chain]
    char rpcs[CONFIG_RPCS_MAX][CONFIG_URL_SIZE]; // none = those that the manifest suggests
    size_t rpcs_count;
    enum trust_policy trust;
    enum grant_tag grant;
    bool delegate_registry;      // a delegate of the owner may sign, too (delegate.xyz, version 2)
    struct eth_address registry; // where it stands
    bool allow_http;             // plain http to a host that is not loopback
    uint32_t poll_ms;            // 0 = what the manifest says
    bool has_grace;              // false = what the manifest says
    uint32_t grace_ms;           // meaningful with has_grace
    uint32_t logs_ms;            // pace of eth_getLogs; 0 = never

    // [http]
    bool http;
    struct address http_listen;

    // [log]
    enum log_format log_format;
    enum log_level log_level;
};

// What a person reads: "FILE:LINE: key: why; what is expected". Empty when there is no error.
struct config_error {
    char text[CONFIG_ERROR_SIZE];
};

// The values that stand when the file says nothing. `instance` must be a valid instance name.
void config_init(struct config *config, const char *instance);

// Parses the text of a configuration file; `file` names it in messages. `ret` is written only on
// success. ERR_MALFORMED, ERR_RANGE, ERR_TOO_LARGE with `error` filled: show it and stop.
enum status config_parse(struct span text, const char *file, const char *instance,
    struct config *ret, struct config_error *error);

// Reads DIRECTORY/INSTANCE.conf. Also ERR_NOT_FOUND, ERR_PERMISSION and ERR_IO, with `error`
// filled. A node without a configuration file has the values of config_init.
enum status config_load(
    const char *directory, const char *instance, struct config *ret, struct config_error *error);

// 1 to 15 characters of a-z A-Z 0-9 _ -, not beginning with "-"; a valid interface name and file
// name. "dstack-wg0" belongs to somebody else and is refused. ERR_MALFORMED.
enum status instance_name_check(const char *name);

// HOST:PORT; IPv6 in brackets. ERR_MALFORMED; ERR_RANGE for the port.
enum status endpoint_name_parse(struct span text, struct endpoint_name *ret);

// HOST:PORT or HOST:PORT/FINGERPRINT (32 characters). As endpoint_name_parse.
enum status bootstrap_parse(struct span text, struct bootstrap *ret);

enum {
    ENDPOINT_NAME_TEXT_SIZE = CONFIG_HOST_SIZE + 9, // brackets, ":65535", NUL
};

void endpoint_name_format(
    const struct endpoint_name *endpoint, char ret[static ENDPOINT_NAME_TEXT_SIZE]);

// Where the program's files are: the option, else the environment, else the built-in place.
struct directories {
    char config[CONFIG_PATH_SIZE]; // DEEDMESH_CONFIG_DIR, /etc/deedmesh
    char state[CONFIG_PATH_SIZE];  // DEEDMESH_STATE_DIR, /var/lib/deedmesh
    char run[CONFIG_PATH_SIZE];    // DEEDMESH_RUN_DIR, /run/deedmesh
};

// Each argument may be NULL. ERR_TOO_LARGE if a path does not fit.
enum status directories_init(
    const char *config, const char *state, const char *run, struct directories *ret);

// "RUN/NAME.sock". ERR_TOO_LARGE if it does not fit a unix socket address (108 bytes).
enum status control_socket_path(
    const struct directories *directories, const char *instance, char ret[static 108]);

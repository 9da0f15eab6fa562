// SPDX-License-Identifier: GPL-3.0-or-later
//
// The configuration file. libinih cuts the lines; what a line may say stands in one table.
#include "node/instance/config.h"

#include "base/text.h"
#include "chain/eip55.h"
#include "chain/url.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    KEYS_MAX = 32,
    POLL_MIN_S = 2,
    LOGS_MIN_S = 2,
    LOGS_MAX_S = 3600,
    LOGS_DEFAULT_S = 10,
    POLL_MAX_S = 30,
    GRACE_MAX_S = 3600,
    MTU_MIN = 1280, // IPv6's own minimum (RFC 8200)
    MTU_MAX = 9000,
    FOREIGN_PORT = 9182, // dstack's gateway
};

struct parser {
    struct config config;
    struct config_error *error;
    enum status failure;
    const char *file;
    struct span rest; // not yet cut into lines
    unsigned int line;
    unsigned int seen[KEYS_MAX]; // the line of each key of the table, 0 = not seen
    unsigned int rpc_lines[CONFIG_RPCS_MAX];
};

typedef enum status (*key_parse)(struct parser *parser, const char *value);

struct key {
    const char *section;
    const char *name;
    bool several;
    key_parse parse;
    const char *expected;
};

__attribute__((format(printf, 4, 5))) static void fail(
    struct parser *parser, enum status failure, unsigned int line, const char *format, ...)
{
    if (parser->failure != OK) {
        return;
    }
    parser->failure = failure;
    va_list arguments;
    va_start(arguments, format);
    int size = snprintf(parser->error->text, CONFIG_ERROR_SIZE, "%s:%u: ", parser->file, line);
    if (size > 0 && size < CONFIG_ERROR_SIZE) {
        (void)vsnprintf(
            parser->error->text + size, (size_t)(CONFIG_ERROR_SIZE - size), format, arguments);
    }
    va_end(arguments);
}

// --- values ---

static enum status number_parse(const char *value, uint32_t least, uint32_t most, uint32_t *ret)
{
    uint64_t number = 0;
    size_t size = strlen(value);
    if (size == 0 || strspn(value, "0123456789") != size) {
        return ERR_MALFORMED;
    }
    if (size > 10) {
        return ERR_RANGE;
    }
    for (size_t i = 0; i < size; i++) {
        number = number * 10 + (uint64_t)(value[i] - '0');
    }
    if (number < least || number > most) {
        return ERR_RANGE;
    }
    *ret = (uint32_t)number;
    return OK;
}

static enum status number16_parse(const char *value, uint32_t least, uint32_t most, uint16_t *ret)
{
    uint32_t number = 0;
    enum status status = number_parse(value, least, most, &number);
    if (status == OK) {
        *ret = (uint16_t)number;
    }
    return status;
}

static enum status yes_no_parse(const char *value, bool *ret)
{
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
        return ERR_MALFORMED;
    }
    *ret = value[0] == 'y';
    return OK;
}

static enum status port_parse(const char *value, uint16_t *ret)
{
    uint16_t port = 0;
    enum status status = number16_parse(value, 1, UINT16_MAX, &port);
    if (status == OK && port == FOREIGN_PORT) {
        status = ERR_RANGE;
    }
    if (status == OK) {
        *ret = port;
    }
    return status;
}

// --- keys ---

static enum status parse_token(struct parser *parser, const char *value)
{
    parser->config.has_token = true;
    return token_id_parse(span_of_text(value), &parser->config.token);
}

static enum status parse_listen_port(struct parser *parser, const char *value)
{
    return port_parse(value, &parser->config.listen_port);
}

static enum status parse_dht_port(struct parser *parser, const char *value)
{
    return port_parse(value, &parser->config.dht_port);
}

static enum status parse_mtu(struct parser *parser, const char *value)
{
    return number16_parse(value, MTU_MIN, MTU_MAX, &parser->config.mtu);
}

static enum status parse_ipv4(struct parser *parser, const char *value)
{
    return yes_no_parse(value, &parser->config.ipv4);
}

static enum status parse_insist(struct parser *parser, const char *value)
{
    return yes_no_parse(value, &parser->config.insist);
}

static enum status parse_mesh_max(struct parser *parser, const char *value)
{
    return number16_parse(value, 1, CONFIG_MESH_MAX, &parser->config.mesh_max);
}

static enum status parse_publish(struct parser *parser, const char *value)
{
    if (strcmp(value, "relay-only") == 0) {
        // Taken for granted it would give away the address that it is meant to hide.
        fail(parser, ERR_UNSUPPORTED, parser->line,
            "publish: relay-only needs relays, which this version does not have; expected direct");
        return ERR_UNSUPPORTED;
    }
    return strcmp(value, "direct") == 0 ? OK : ERR_MALFORMED;
}

static enum status parse_connect(struct parser *parser, const char *value)
{
    struct config *config = &parser->config;
    if (config->connects_count == CONFIG_CONNECTS_MAX) {
        return ERR_FULL;
    }
    return token_id_parse(span_of_text(value), &config->connects[config->connects_count++]);
}

static enum status parse_bootstrap(struct parser *parser, const char *value)
{
    struct config *config = &parser->config;
    if (config->bootstraps_count == CONFIG_BOOTSTRAPS_MAX) {
        return ERR_FULL;
    }
    return bootstrap_parse(span_of_text(value), &config->bootstraps[config->bootstraps_count++]);
}

static enum status parse_secret_file(struct parser *parser, const char *value)
{
    size_t size = strlen(value);
    if (value[0] != '/') {
        return ERR_MALFORMED;
    }
    if (size >= CONFIG_PATH_SIZE) {
        return ERR_TOO_LARGE;
    }
    memcpy(parser->config.secret_file, value, size + 1);
    return OK;
}

static enum status parse_rpc(struct parser *parser, const char *value)
{
    struct config *config = &parser->config;
    if (config->rpcs_count == CONFIG_RPCS_MAX) {
        return ERR_FULL;
    }
    // Whether plain http may be used is only known at the end of the file.
    struct chain_url_rules rules = {.allow_http = true};
    struct chain_url url;
    enum chain_url_fault fault = chain_url_check(span_of_text(value), &rules, &url);
    if (fault != CHAIN_URL_GOOD) {
        fail(parser, ERR_MALFORMED, parser->line, "rpc: %s", chain_url_fault_text(fault));
        return ERR_MALFORMED;
    }
    parser->rpc_lines[config->rpcs_count] = parser->line;
    memcpy(config->rpcs[config->rpcs_count++], value, strlen(value) + 1);
    return OK;
}

static enum status parse_allow_http(struct parser *parser, const char *value)
{
    return yes_no_parse(value, &parser->config.allow_http);
}

// The manifest has no say in it: trust is lowered on this machine or nowhere.
static enum status parse_trust(struct parser *parser, const char *value)
{
    return trust_policy_parse(span_of_text(value), &parser->config.trust);
}

static enum status parse_registry(struct parser *parser, const char *value)
{
    // The same address on every chain that has it.
    static const struct eth_address deployed = {{0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x44,
        0x7e, 0x69, 0x65, 0x1d, 0x84, 0x1b, 0xd8, 0xd1, 0x04, 0xbe, 0xd4, 0x93}};
    struct eth_address address = {{0}};
    bool off = strcmp(value, "off") == 0;
    if (strcmp(value, "on") == 0) {
        address = deployed;
    } else if (!off && (eip55_parse(span_of_text(value), &address) != OK ||
                           eth_address_is_zero(&address))) {
        return ERR_MALFORMED;
    }
    parser->config.delegate_registry = !off;
    parser->config.registry = address;
    return OK;
}

static enum status parse_grant(struct parser *parser, const char *value)
{
    return grant_tag_parse(span_of_text(value), &parser->config.grant);
}

static enum status parse_poll(struct parser *parser, const char *value)
{
    uint32_t seconds = 0;
    enum status status = number_parse(value, POLL_MIN_S, POLL_MAX_S, &seconds);
    if (status == OK) {
        parser->config.poll_ms = seconds * 1000;
    }
    return status;
}

static enum status parse_grace(struct parser *parser, const char *value)
{
    uint32_t seconds = 0;
    enum status status = number_parse(value, 0, GRACE_MAX_S, &seconds);
    if (status == OK) {
        parser->config.has_grace = true;
        parser->config.grace_ms = seconds * 1000;
    }
    return status;
}

static enum status parse_logs(struct parser *parser, const char *value)
{
    uint32_t seconds = 0;
    if (strcmp(value, "off") == 0) {
        parser->config.logs_ms = 0;
        return OK;
    }
    enum status status = number_parse(value, LOGS_MIN_S, LOGS_MAX_S, &seconds);
    if (status == OK) {
        parser->config.logs_ms = seconds * 1000;
    }
    return status;
}

static enum status parse_http_listen(struct parser *parser, const char *value)
{
    struct address address;
    parser->config.http = strcmp(value, "off") != 0;
    if (!parser->config.http) {
        return OK;
    }
    if (address_parse(span_of_text(value), true, &address) != OK || address.port == 0) {
        return ERR_MALFORMED;
    }
    if (address_scope(&address) != SCOPE_LOOPBACK) {
        return ERR_RANGE;
    }
    parser->config.http_listen = address;
    return OK;
}

static enum status parse_log_format(struct parser *parser, const char *value)
{
    bool json = strcmp(value, "json") == 0;
    if (!json && strcmp(value, "text") != 0) {
        return ERR_MALFORMED;
    }
    parser->config.log_format = json ? LOG_JSON : LOG_TEXT;
    return OK;
}

static enum status parse_log_level(struct parser *parser, const char *value)
{
    static const struct {
        const char *name;
        enum log_level level;
    } levels[] = {
        {"error", LOG_LEVEL_ERROR},
        {"warning", LOG_LEVEL_WARNING},
        {"info", LOG_LEVEL_INFO},
        {"debug", LOG_LEVEL_DEBUG},
    };
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcmp(value, levels[i].name) == 0) {
            parser->config.log_level = levels[i].level;
            return OK;
        }
    }
    return ERR_MALFORMED;
}

static const struct key keys[] = {
    {"node", "token", false, parse_token, "a token id, decimal or 0x"},
    {"node", "listen_port", false, parse_listen_port, "a UDP port, 1 to 65535, not 9182"},
    {"node", "dht_port", false, parse_dht_port, "a UDP port, 1 to 65535, not 9182"},
    {"node", "mtu", false, parse_mtu, "1280 to 9000"},
    {"node", "ipv4", false, parse_ipv4, "yes or no"},
    {"node", "insist", false, parse_insist, "yes or no"},
    {"node", "mesh_max", false, parse_mesh_max, "1 to 1024 members"},
    {"node", "publish", false, parse_publish, "direct"},
    {"node", "connect", true, parse_connect, "a token id, decimal or 0x; at most 64 lines"},
    {"network", "bootstrap", true, parse_bootstrap,
        "HOST:PORT or HOST:PORT/FINGERPRINT (32 characters); at most 8 lines"},
    {"network", "secret_file", false, parse_secret_file, "an absolute path"},
    {"chain", "rpc", true, parse_rpc, "at most 8 lines"},
    {"chain", "allow_http", false, parse_allow_http, "yes or no"},
    {"chain", "trust", false, parse_trust, "single, quorum or proof"},
    {"chain", "grant", false, parse_grant, "latest, safe or finalized"},
    {"chain", "delegate_registry", false, parse_registry, "off, on, or the registry's address"},
    {"chain", "poll", false, parse_poll, "2 to 30 seconds"},
    {"chain", "grace", false, parse_grace, "0 to 3600 seconds"},
    {"chain", "logs", false, parse_logs, "2 to 3600 seconds, or off"},
    {"http", "listen", false, parse_http_listen, "ADDRESS:PORT of this machine's loopback, or off"},
    {"log", "format", false, parse_log_format, "text or json"},
    {"log", "level", false, parse_log_level, "error, warning, info or debug"},
};

enum {
    KEYS_COUNT = sizeof keys / sizeof keys[0],
};
_Static_assert((int)KEYS_COUNT <= (int)KEYS_MAX, "each key has its place in `seen`");

// --- lines ---

static bool section_is_known(const char *name, size_t size)
{
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        if (strlen(keys[i].section) == size && memcmp(keys[i].section, name, size) == 0) {
            return true;
        }
    }
    return false;
}

// What libinih would take for something else than it looks like.
static void check_line(struct parser *parser, const char *line, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char byte = (unsigned char)line[i];
        if ((byte < ' ' && byte != '\t' && byte != '\r') || byte == 0x7f) {
            fail(parser, ERR_MALFORMED, parser->line, "the line has a control character");
            return;
        }
    }
    size_t blank = 0;
    while (blank < size && strchr(" \t\r", line[blank]) != NULL) {
        blank++;
    }
    bool content = blank < size && line[blank] != '#' && line[blank] != ';';
    if (content && blank > 0) {
        fail(parser, ERR_MALFORMED, parser->line, "a line may not begin with a space");
        return;
    }
    if (content && line[0] == '[') {
        const char *end = memchr(line, ']', size);
        if (end == NULL) {
            fail(parser, ERR_MALFORMED, parser->line, "the section name has no ]");
        } else if (!section_is_known(line + 1, (size_t)(end - line - 1))) {
            fail(parser, ERR_MALFORMED, parser->line,
                "unknown section; expected [node], [network], [chain], [http] or [log]");
        }
    }
}

// libinih's reader, as fgets: one line a call, so that the line number is known to the handler.
static char *next_line(char *ret, int capacity, void *context)
{
    struct parser *parser = context;
    if (parser->rest.size == 0 || parser->failure != OK || capacity < 2) {
        return NULL;
    }
    const char *begin = (const char *)parser->rest.data;
    const char *end = memchr(begin, '\n', parser->rest.size);
    size_t size = end != NULL ? (size_t)(end - begin) : parser->rest.size;
    parser->line++;
    if (size + 2 > (size_t)capacity) {
        fail(parser, ERR_TOO_LARGE, parser->line, "the line is longer than %d characters",
            capacity - 2);
        return NULL;
    }
    check_line(parser, begin, size);
    if (parser->failure != OK) {
        return NULL;
    }
    memcpy(ret, begin, size);
    ret[size] = '\n';
    ret[size + 1] = '\0';
    size_t used = end != NULL ? size + 1 : size;
    parser->rest = span_of(parser->rest.data + used, parser->rest.size - used);
    return ret;
}

static void take_key(struct parser *parser, size_t index, const char *value)
{
    const struct key *key = &keys[index];
    if (!key->several && parser->seen[index] != 0) {
        fail(parser, ERR_MALFORMED, parser->line, "%s is given twice, first in line %u", key->name,
            parser->seen[index]);
        return;
    }
    parser->seen[index] = parser->line;
    enum status status = key->parse(parser, value);
    if (status != OK) {
        fail(parser, status, parser->line, "%s: %s; expected %s", key->name, status_text(status),
            key->expected);
    }
}

static int take_line(void *context, const char *section, const char *name, const char *value)
{
    struct parser *parser = context;
    for (size_t i = 0; i < KEYS_COUNT && parser->failure == OK; i++) {
        if (strcmp(keys[i].section, section) == 0 && strcmp(keys[i].name, name) == 0) {
            take_key(parser, i, value);
            return parser->failure == OK;
        }
    }
    if (section[0] == '\0') {
        fail(parser, ERR_MALFORMED, parser->line, "'%s' stands before the first [section]", name);
    } else {
        fail(parser, ERR_MALFORMED, parser->line, "unknown key '%s' in [%s]; see deedmesh.conf(5)",
            name, section);
    }
    return 0;
}

// What no single line can show.
static void check_whole(struct parser *parser)
{
    const struct config *config = &parser->config;
    if (config->listen_port == config->dht_port) {
        fail(parser, ERR_RANGE, parser->line,
            "listen_port and dht_port are both %u; expected two ports", (unsigned)config->dht_port);
    }
    for (size_t i = 0; i < config->rpcs_count; i++) {
        struct chain_url_rules rules = {.allow_http = config->allow_http};
        struct chain_url url;
        enum chain_url_fault fault = chain_url_check(span_of_text(config->rpcs[i]), &rules, &url);
        if (fault != CHAIN_URL_GOOD) {
            fail(parser, ERR_RANGE, parser->rpc_lines[i], "rpc: %s", chain_url_fault_text(fault));
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(config->rpcs[i], config->rpcs[k]) == 0) {
                fail(parser, ERR_EXISTS, parser->rpc_lines[i],
                    "rpc: the same provider as in line %u; each counts once", parser->rpc_lines[k]);
            }
        }
    }
}

enum status config_parse(struct span text, const char *file, const char *instance,
    struct config *ret, struct config_error *error)
{
    error->text[0] = '\0';
    struct parser *parser = calloc(1, sizeof *parser);
    if (parser == NULL) {
        return ERR_IO;
    }
    config_init(&parser->config, instance);
    parser->error = error;
    parser->file = file;
    parser->rest = text;
    if (text.size > CONFIG_FILE_MAX) {
        fail(parser, ERR_TOO_LARGE, 1, "the file is larger than 64 KiB");
    } else {
        int line = ini_parse_stream(next_line, parser, take_line, parser);
        if (line != 0) {
            fail(parser, ERR_MALFORMED, line > 0 ? (unsigned int)line : parser->line,
                "expected [section] or key = value");
        }
    }
    if (parser->failure == OK) {
        check_whole(parser);
    }
    enum status status = parser->failure;
    if (status == OK) {
        *ret = parser->config;
    }
    free(parser);
    return status;
}

void config_init(struct config *config, const char *instance)
{
    *config = (struct config){
        .listen_port = CONFIG_LISTEN_PORT,
        .dht_port = CONFIG_DHT_PORT,
        .mtu = 1420, // WireGuard's own default: 1500 less the outer IPv6 header
        .ipv4 = true,
        .mesh_max = 64,
        .logs_ms = LOGS_DEFAULT_S * 1000,
        .http = true,
        .http_listen = address_of_ipv4(127, 0, 0, 1, CONFIG_HTTP_PORT),
        .log_level = LOG_LEVEL_INFO,
    };
    ASSERT(instance_name_check(instance) == OK);
    memcpy(config->instance, instance, strlen(instance) + 1);
}

static enum status load_failed(const char *path, struct config_error *error)
{
    int failure = errno;
    (void)snprintf(error->text, sizeof error->text, "%s: %s", path, strerror(failure));
    if (failure == ENOENT) {
        return ERR_NOT_FOUND;
    }
    return failure == EACCES || failure == EPERM ? ERR_PERMISSION : ERR_IO;
}

enum status config_load(
    const char *directory, const char *instance, struct config *ret, struct config_error *error)
{
    char path[2 * CONFIG_PATH_SIZE];
    error->text[0] = '\0';
    (void)snprintf(path, sizeof path, "%s/%s.conf", directory, instance);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return load_failed(path, error);
    }
    enum status status = OK;
    size_t size = 0;
    uint8_t *text = malloc(CONFIG_FILE_MAX + 1);
    ssize_t got = text == NULL ? -1 : 1;
    while (got > 0 && size < CONFIG_FILE_MAX + 1) {
        got = read(fd, text + size, CONFIG_FILE_MAX + 1 - size);
        size += got > 0 ? (size_t)got : 0;
    }
    if (got < 0) {
        status = load_failed(path, error);
    } else {
        status = config_parse(span_of(text, size), path, instance, ret, error);
    }
    free(text);
    (void)close(fd);
    return status;
}

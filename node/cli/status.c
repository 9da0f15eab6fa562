// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh status`, `peers` and `metrics`: what the daemon knows, for people. docs/control.md has
// the objects.
#include "node/cli/client.h"

#include <stdio.h>
#include <string.h>

enum {
    CELL_SIZE = 256,
};

// "a, b" from an array of texts.
static const char *join_texts(const json_t *array, char ret[static CELL_SIZE])
{
    size_t size = 0;
    ret[0] = '\0';
    for (size_t i = 0; i < json_array_size(array) && size < CELL_SIZE; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        size += (size_t)snprintf(
            ret + size, CELL_SIZE - size, "%s%s", i == 0 ? "" : ", ", text != NULL ? text : "-");
    }
    return ret[0] != '\0' ? ret : "-";
}

// The shortest of a peer's addresses: IPv4, where it has one, fits a table better.
static const char *short_address(const json_t *overlay)
{
    const char *best = json_string_value(json_array_get(overlay, 0));
    for (size_t i = 1; i < json_array_size(overlay); i++) {
        const char *text = json_string_value(json_array_get(overlay, i));
        best = text != NULL && (best == NULL || strlen(text) < strlen(best)) ? text : best;
    }
    return best != NULL ? best : "-";
}

static void say_peers(const json_t *peers)
{
    struct table *table = table_new(9);
    table_row(table, (const char *const[]){
                         "TOKEN", "ADDRESS", "PATH", "SINCE", "CHECKED", "RTT", "RX", "TX", "WHY"});
    for (size_t i = 0; i < json_array_size(peers); i++) {
        const json_t *peer = json_array_get(peers, i);
        char path[CELL_SIZE];
        char since[DURATION_TEXT_SIZE];
        char checked[DURATION_TEXT_SIZE]; // how long ago the chain was last read about it
        char rtt[DURATION_TEXT_SIZE] = "-";
        char rx[BYTES_TEXT_SIZE];
        char tx[BYTES_TEXT_SIZE];
        char why[CELL_SIZE];
        double rtt_ms = json_amount(peer, "rtt_ms", -1);
        const char *endpoint = json_string_value(json_object_get(peer, "endpoint"));
        const char *reason = json_string_value(json_object_get(peer, "why"));
        const char *stage = json_text(peer, "stage");
        bool connected = strcmp(stage, "connected") == 0;
        (void)snprintf(path, sizeof path, "%s%s%s", json_text(peer, "path"),
            endpoint != NULL ? " " : "", endpoint != NULL ? endpoint : "");
        duration_format(json_amount(peer, "since_s", -1), since);
        duration_format(json_amount(peer, "checked_s", -1), checked);
        if (rtt_ms >= 0) {
            (void)snprintf(rtt, sizeof rtt, "%.1f ms", rtt_ms);
        }
        bytes_format(json_amount(peer, "rx", 0), rx);
        bytes_format(json_amount(peer, "tx", 0), tx);
        (void)snprintf(why, sizeof why, "%s%s%s", connected ? "" : stage,
            !connected && reason != NULL && reason[0] != '\0' ? ": " : "",
            reason != NULL ? reason : "");
        table_row(table, (const char *const[]){json_text(peer, "token"),
                             short_address(json_object_get(peer, "overlay")), path, since, checked,
                             rtt, rx, tx, why});
    }
    table_print(table, "");
    table_free(table);
}

int verb_peers(struct cli *cli)
{
    int result = DONE;
    json_t *answer = client_ask(cli, "peers", NULL, &result);
    if (answer == NULL) {
        return result;
    }
    if (cli->arguments.json) {
        print_json(answer);
        return DONE;
    }
    const json_t *peers = json_object_get(answer, "peers");
    if (json_array_size(peers) == 0) {
        say("no peers yet; `deedmesh status` says how far this node is");
    } else {
        say_peers(peers);
    }
    json_decref(answer);
    return DONE;
}

// --- status ---

static void say_network(const json_t *network)
{
    if (!json_is_object(network)) {
        say("network        none yet");
        return;
    }
    say("network        chain %s, contract %s (%s)", json_text(network, "chain_id"),
        json_text(network, "contract"), json_text(network, "profile"));
    say("               overlay %s, fingerprint %s", json_text(network, "prefix"),
        json_text(network, "fingerprint"));
}

static void say_seat(const json_t *status)
{
    char overlay[CELL_SIZE];
    const json_t *chain = json_object_get(status, "chain");
    const json_t *delegation = json_object_get(status, "delegation");
    const char *self = json_text(chain, "self");
    const char *why = json_string_value(json_object_get(chain, "self_why"));
    say("seat           token %s; on chain: %s%s%s", json_text(status, "token"), self,
        why != NULL && why[0] != '\0' ? ": " : "", why != NULL ? why : "");
    if (json_is_object(delegation)) {
        char until[DURATION_TEXT_SIZE];
        date_format((uint64_t)json_amount(delegation, "not_after", 0), until);
        char left[DURATION_TEXT_SIZE];
        double left_s = json_amount(delegation, "left_s", 0);
        duration_format(left_s, left);
        say("delegation     until %s (%s)%s", until, left_s > 0 ? left : "over",
            left_s <= 0                                            ? "  HAS ENDED"
            : json_is_true(json_object_get(delegation, "warning")) ? "  ENDS SOON"
                                                                   : "");
    } else {
        say("delegation     none; run `deedmesh authorize TOKEN`");
    }
    say("addresses      %s", join_texts(json_object_get(status, "overlay"), overlay));
    say("keys           node %s\n               WireGuard %s", json_text(status, "node_key"),
        json_text(status, "wg_key"));
}

static void say_dht(const json_t *status)
{
    const json_t *dht = json_object_get(status, "dht");
    const json_t *published = json_object_get(status, "published");
    say("DHT            %s (%.0f good nodes), port %.0f, as %s", json_text(dht, "state"),
        json_amount(dht, "good_nodes", 0), json_amount(dht, "port", 0), json_text(dht, "role"));
    if (json_is_object(published)) {
        char age[DURATION_TEXT_SIZE];
        char expires[DURATION_TEXT_SIZE];
        duration_format(json_amount(published, "age_s", -1), age);
        duration_format(json_amount(published, "expires_s", -1), expires);
        say("record         published %s ago, expires in %s", age, expires);
    } else {
        say("record         not published yet");
    }
}

static void say_nat(const json_t *nat)
{
    // An address of this machine's own needs nobody's word.
    bool unsure = json_is_true(json_object_get(nat, "single")) &&
                  strcmp(json_text(nat, "class"), "none") != 0;
    say("NAT            %s, seen as %s by %.0f reflector%s%s", json_text(nat, "class"),
        json_text(nat, "reflexive"), json_amount(nat, "reflectors", 0),
        json_amount(nat, "reflectors", 0) == 1 ? "" : "s",
        unsure ? " (all in one network: it could be wrong)" : "");
}

static void say_provider(const json_t *provider)
{
    char age[DURATION_TEXT_SIZE];
    char retry[DURATION_TEXT_SIZE];
    char traffic[BYTES_TEXT_SIZE];
    double retry_s = json_amount(provider, "retry_in_s", 0);
    double limits = json_amount(provider, "rate_limits", 0);
    double disputes = json_amount(provider, "disputes", 0);
    duration_format(json_amount(provider, "head_age_s", -1), age);
    duration_format(retry_s, retry);
    bytes_format(
        json_amount(provider, "bytes_out_hour", 0) + json_amount(provider, "bytes_in_hour", 0),
        traffic);
    bool has_head = json_is_number(json_object_get(provider, "head_age_s"));
    say("               %s (%s): %s%s%s%s, %s%s%s", json_text(provider, "url"),
        strcmp(json_text(provider, "source"), "manifest") == 0 ? "the manifest's" : "yours",
        json_text(provider, "health"), retry_s > 0 ? ", asked again in " : "",
        retry_s > 0 ? retry : "",
        json_is_true(json_object_get(provider, "circuit_open")) ? " with one call" : "",
        has_head ? "head " : "no block seen yet", has_head ? age : "", has_head ? " old" : "");
    say("                   read by %s, %.0f ms; last hour: %.0f calls, %s",
        json_text(provider, "way"), json_amount(provider, "latency_ms", 0),
        json_amount(provider, "calls_hour", 0), traffic);
    if (limits > 0) {
        say("                   asked for less %.0f times", limits);
    }
    if (disputes > 0) {
        say("                   contradicted others at one block %.0f times", disputes);
    }
}

static void say_members(const json_t *members)
{
    static const struct {
        const char *way;
        const char *text;
        const char *unit;
    } ways[] = {{"index", "found by ERC721Enumerable", "index"},
        {"logs", "found by Transfer logs", "block"},
        {"sequential", "found by asking for one id after the other", "id"}};
    double total = json_amount(members, "total", 0);
    double passed = json_amount(members, "passed_by", 0);
    char where[CELL_SIZE] = "";
    char of[CELL_SIZE / 2] = "";
    const char *way = json_text(members, "way");
    size_t at = 0;
    while (at < sizeof ways / sizeof ways[0] && strcmp(ways[at].way, way) != 0) {
        at++;
    }
    if (at == sizeof ways / sizeof ways[0]) {
        say("               members: none found on chain yet");
        return;
    }
    if (total > 0) {
        (void)snprintf(of, sizeof of, " of %.0f", total);
    }
    if (json_is_true(json_object_get(members, "running"))) {
        (void)snprintf(where, sizeof where, ", %s %.0f%s", ways[at].unit,
            json_amount(members, "searched", 0), of);
    }
    say("               members: %.0f %s%s%s", json_amount(members, "found", 0), ways[at].text,
        where, json_is_true(json_object_get(members, "more")) ? "; there are more" : "");
    if (passed > 0) {
        say("                   %.0f blocks passed by: no provider gave their logs", passed);
    }
}

// Which ranges the providers take, and who takes none.
static void say_logs(const json_t *chain)
{
    const json_t *providers = json_object_get(chain, "providers");
    double every_s = json_amount(chain, "logs_s", 0);
    double least = 0;
    double most = 0;
    if (every_s <= 0) {
        say("               event logs: never asked for");
        return;
    }
    for (size_t i = 0; i < json_array_size(providers); i++) {
        double blocks = json_amount(json_array_get(providers, i), "logs_blocks", 0);
        least = blocks > 0 && (least <= 0 || blocks < least) ? blocks : least;
        most = blocks > most ? blocks : most;
    }
    char range[CELL_SIZE] = "";
    if (most > least) {
        (void)snprintf(range, sizeof range, ", range %.0f to %.0f blocks", least, most);
    } else if (most > 0) {
        (void)snprintf(range, sizeof range, ", range %.0f block%s", most, most > 1 ? "s" : "");
    }
    say("               event logs: every %.0f s%s", every_s, range);
    for (size_t i = 0; i < json_array_size(providers); i++) {
        const json_t *provider = json_array_get(providers, i);
        if (json_is_false(json_object_get(provider, "logs"))) {
            say("                   %s serves none", json_text(provider, "url"));
        }
    }
}

static void say_chain(const json_t *chain)
{
    const char *note = json_string_value(json_object_get(chain, "note"));
    const json_t *providers = json_object_get(chain, "providers");
    say("chain          trust: %s%s%s%s", json_text(chain, "trust"),
        note != NULL && note[0] != '\0' ? "; " : "", note != NULL ? note : "",
        json_is_true(json_object_get(chain, "allow_http")) ? "; plain http is allowed" : "");
    const char *registry = json_string_value(json_object_get(chain, "delegate_registry"));
    say("               configured: trust %s, grant %s, grace %.0f s%s%s",
        json_text(chain, "policy"), json_text(chain, "grant"), json_amount(chain, "grace_s", 0),
        registry != NULL ? ", delegates by " : "", registry != NULL ? registry : "");
    for (size_t i = 0; i < json_array_size(providers); i++) {
        const json_t *provider = json_array_get(providers, i);
        say_provider(provider);
    }
    say_members(json_object_get(chain, "members"));
    say_logs(chain);
}

static void say_lines(const char *label, const json_t *texts)
{
    for (size_t i = 0; i < json_array_size(texts); i++) {
        const char *text = json_string_value(json_array_get(texts, i));
        say("%-14s %s", i == 0 ? label : "", text != NULL ? text : "-");
    }
}

int verb_status(struct cli *cli)
{
    int result = DONE;
    char uptime[DURATION_TEXT_SIZE];
    json_t *answer = client_ask(cli, "status", NULL, &result);
    if (answer == NULL) {
        return result;
    }
    if (cli->arguments.json) {
        print_json(answer);
        return DONE;
    }
    const json_t *interface = json_object_get(answer, "interface");
    const json_t *peers = json_object_get(answer, "peers");
    duration_format(json_amount(answer, "uptime_s", -1), uptime);
    say("%-14s %s, up %s, version %s", json_text(answer, "instance"),
        json_is_true(json_object_get(answer, "ready")) ? "ready" : "NOT READY YET", uptime,
        json_text(answer, "version"));
    say_network(json_object_get(answer, "network"));
    say_seat(answer);
    say("interface      %s (%s), port %.0f, MTU %.0f", json_text(interface, "name"),
        json_text(interface, "backend"), json_amount(interface, "listen_port", 0),
        json_amount(interface, "mtu", 0));
    say_dht(answer);
    say_nat(json_object_get(answer, "nat"));
    say_chain(json_object_get(answer, "chain"));
    say_lines("asks outside", json_object_get(answer, "outside_servers"));
    say_lines("WARNING", json_object_get(answer, "warnings"));
    if (json_array_size(peers) > 0) {
        say("%s", "");
        say_peers(peers);
    } else {
        say("peers          none yet");
    }
    json_decref(answer);
    return DONE;
}

int verb_metrics(struct cli *cli)
{
    int result = DONE;
    json_t *answer = client_ask(cli, "metrics", NULL, &result);
    if (answer == NULL) {
        return result;
    }
    if (cli->arguments.json) {
        print_json(answer);
        return DONE;
    }
    const char *text = json_string_value(json_object_get(answer, "text"));
    if (text != NULL) {
        (void)fputs(text, stdout);
    }
    json_decref(answer);
    return DONE;
}

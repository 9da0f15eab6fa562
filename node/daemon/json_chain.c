// SPDX-License-Identifier: GPL-3.0-or-later
//
// The chain in status and metrics: which policy is at work, and what each RPC provider does.
#include "chain/eip55.h"
#include "node/daemon/daemon.h"
#include "node/daemon/metrics.h"

#include <stdio.h>
#include <string.h>

void json_origin(const char *url, char ret[static CONFIG_URL_SIZE])
{
    const char *host = strstr(url, "://");
    size_t size = host == NULL ? 0 : (size_t)(host - url) + 3;
    size += strcspn(url + size, "/?#");
    (void)snprintf(ret, CONFIG_URL_SIZE, "%.*s", (int)size, url);
}

// What a provider gave as proofs, and at what it was caught with them.
static void add_proofs(json_t *row, const struct gate_provider_status *provider)
{
    json_t *faults = json_object();
    for (size_t i = 0; i < PROOF_FAULTS; i++) {
        (void)json_object_set_new(faults, proof_fault_name((enum proof_fault)i),
            json_integer((json_int_t)provider->proof_faults[i]));
    }
    (void)json_object_set_new(row, "disputes", json_integer((json_int_t)provider->disputes));
    (void)json_object_set_new(row, "proofs", json_integer((json_int_t)provider->proofs));
    (void)json_object_set_new(row, "proof_faults", faults);
}

static json_t *json_provider(struct daemon *daemon, size_t index)
{
    struct gate_provider_status provider = node_provider_status(daemon->node, index, daemon->now);
    char origin[CONFIG_URL_SIZE];
    json_origin(daemon->rpcs[index].url, origin);
    json_t *age = provider.head_number == 0
                      ? json_null()
                      : json_integer((json_int_t)(provider.head_age_ms / 1000));
    json_t *object = json_pack("{s:s,s:s,s:s,s:s,s:o}", "url", origin, "source",
        daemon->rpcs[index].suggested ? "manifest" : "config", "health",
        provider_health_name(provider.health), "way", reads_way_name(provider.way), "head_age_s",
        age);
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"head", provider.head_number},
        {"latency_ms", provider.latency_ms},
        {"latency_last_ms", provider.latency_last_ms},
        {"calls", provider.calls},
        {"faults", provider.faults},
        {"rate_limits", provider.rate_limits},
        {"calls_hour", provider.hour_calls},
        {"bytes_out_hour", provider.hour_bytes_out},
        {"bytes_in_hour", provider.hour_bytes_in},
        {"retry_in_s", (provider.retry_in_ms + 999) / 1000},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)json_object_set_new(
            object, numbers[i].name, json_integer((json_int_t)numbers[i].value));
    }
    (void)json_object_set_new(object, "circuit_open", json_boolean(provider.circuit_open));
    (void)json_object_set_new(object, "logs", json_boolean(!provider.logs_absent));
    (void)json_object_set_new(
        object, "logs_blocks", json_integer((json_int_t)provider.logs_blocks));
    add_proofs(object, &provider);
    return object;
}

static json_t *json_providers(struct daemon *daemon)
{
    json_t *list = json_array();
    for (size_t i = 0; i < daemon->rpc_count; i++) {
        (void)json_array_append_new(list, json_provider(daemon, i));
    }
    return list;
}

enum {
    SPAN_TEXT_SIZE = 32,
};

static void format_span(uint64_t seconds, char ret[static SPAN_TEXT_SIZE])
{
    if (seconds < 60) {
        (void)snprintf(ret, SPAN_TEXT_SIZE, "%llu s", (unsigned long long)seconds);
    } else {
        (void)snprintf(ret, SPAN_TEXT_SIZE, "%llu min %llu s", (unsigned long long)(seconds / 60),
            (unsigned long long)(seconds % 60));
    }
}

// Nobody new is admitted; what becomes of the tunnels that are up is the grace's matter.
static void note_without_quorum(const struct node_status *status, char *ret, size_t size)
{
    const struct gate_trust *trust = &status->trust;
    char since[SPAN_TEXT_SIZE];
    char left[SPAN_TEXT_SIZE];
    uint64_t lost_ms = status->without_quorum_ms;
    // What was read last counts for a while whatever the grace.
    uint64_t hold_ms = trust->grace_ms > GATE_READING_MS ? trust->grace_ms : GATE_READING_MS;
    format_span(lost_ms / 1000, since);
    format_span(lost_ms < hold_ms ? (hold_ms - lost_ms) / 1000 : 0, left);
    int used = snprintf(ret, size,
        "no quorum since %s (%zu of %zu RPC providers answer): nobody "
        "new is admitted, ",
        since, trust->good, trust->providers);
    if (used < 0 || (size_t)used >= size) {
        return;
    }
    if (lost_ms >= hold_ms) {
        (void)snprintf(ret + used, size - (size_t)used, "the grace is over: tunnels close");
    } else {
        (void)snprintf(ret + used, size - (size_t)used, "tunnels stay about %s more", left);
    }
}

// Which policy is at work now, and why where it is another than the configured one.
static void trust_note(const struct node_status *status, char *ret, size_t size)
{
    const struct gate_trust *trust = &status->trust;
    const char *because =
        trust->policy == TRUST_POLICY_PROOF ? proof_standing_text(trust->proof) : "";
    if (trust->level == TRUST_NONE) {
        note_without_quorum(status, ret, size);
    } else if (trust->level == TRUST_PROOF) {
        (void)snprintf(ret, size, "%s; %zu of %zu RPC providers must agree on the block", because,
            trust->quorum, trust->providers);
    } else if (trust->level == TRUST_SINGLE) {
        (void)snprintf(ret, size, "trusting one RPC%s%s", because[0] != '\0' ? "; " : "", because);
    } else {
        (void)snprintf(ret, size, "%zu of %zu RPC providers must agree%s%s", trust->quorum,
            trust->providers, because[0] != '\0' ? "; " : "", because);
    }
}

static const char *const levels[] = {[TRUST_NONE] = "none",
    [TRUST_SINGLE] = "single",
    [TRUST_QUORUM] = "quorum",
    [TRUST_PROOF] = "proof"};

// How the members are found, and how far that is.
static json_t *json_search(const struct node_status *status)
{
    const struct gate_enumeration_status *search = &status->search;
    return json_pack("{s:I,s:s,s:b,s:I,s:I,s:I,s:b}", "found", (json_int_t)status->members, "way",
        gate_way_name(search->way), "running", (int)search->running, "searched",
        (json_int_t)search->searched, "total", (json_int_t)search->total, "passed_by",
        (json_int_t)search->passed, "more", (int)search->bounded);
}

json_t *json_chain(struct daemon *daemon, const struct node_status *status)
{
    char why[GATE_VERDICT_TEXT_SIZE];
    char note[240];
    char registry[ETH_ADDRESS_TEXT_SIZE];
    const struct gate_trust *trust = &status->trust;
    verdict_text(&status->verdict, why);
    trust_note(status, note, sizeof note);
    eip55_format(&daemon->config.registry, registry);
    return json_pack("{s:s,s:s,s:s,s:s,s:i,s:I,s:I,s:o,s:s,s:b,s:o,s:s,s:s,s:o,s:I,s:o}", "trust",
        levels[trust->level], "policy", trust_policy_name(trust->policy), "grant",
        grant_tag_name(trust->grant), "proof", proof_standing_name(trust->proof), "trusting",
        (int)trust->quorum, "proof_block", (json_int_t)trust->proof_block, "grace_s",
        (json_int_t)(trust->grace_ms / 1000), "without_quorum_s",
        trust->level == TRUST_NONE ? json_integer((json_int_t)(status->without_quorum_ms / 1000))
                                   : json_null(),
        "note", note, "allow_http", (int)daemon->config.allow_http, "delegate_registry",
        daemon->config.delegate_registry ? json_string(registry) : json_null(), "self",
        verdict_kind_name(status->verdict.kind), "self_why",
        status->verdict.kind == VERDICT_YES ? "" : why, "members", json_search(status), "logs_s",
        (json_int_t)(daemon->config.logs_ms / 1000), "providers", json_providers(daemon));
}

// One family of samples, a sample for each provider.
struct family {
    const char *name;
    const char *help;
    enum metric_type type;
    double (*value)(const struct gate_provider_status *provider);
};

#define VALUE(name, expression)                                                                    \
    static double name(const struct gate_provider_status *provider)                                \
    {                                                                                              \
        return (double)(expression);                                                               \
    }
VALUE(good, provider->health == PROVIDER_GOOD)
VALUE(calls, provider->calls)
VALUE(faults, provider->faults)
VALUE(rate_limits, provider->rate_limits)
VALUE(disputes, provider->disputes)
VALUE(proofs, provider->proofs)
VALUE(bytes_out, provider->bytes_out)
VALUE(bytes_in, provider->bytes_in)
VALUE(hour_calls, provider->hour_calls)
VALUE(hour_bytes, provider->hour_bytes_out + provider->hour_bytes_in)
VALUE(latency, (double)provider->latency_ms / 1000)
VALUE(latency_last, (double)provider->latency_last_ms / 1000)
VALUE(head_number, provider->head_number)
VALUE(head_age, (double)provider->head_age_ms / 1000)
VALUE(circuit_open, provider->circuit_open)
VALUE(logs_absent, provider->logs_absent)
VALUE(logs_blocks, provider->logs_blocks)
#undef VALUE

static const struct family families[] = {
    {"deedmesh_rpc_good", "1 if the RPC provider answers well.", METRIC_GAUGE, good},
    {"deedmesh_rpc_circuit_open", "1 while it is only probed.", METRIC_GAUGE, circuit_open},
    {"deedmesh_rpc_calls_total", "Calls to the RPC provider.", METRIC_COUNTER, calls},
    {"deedmesh_rpc_faults_total", "Calls that failed.", METRIC_COUNTER, faults},
    {"deedmesh_rpc_rate_limits_total", "Times that it asked for less.", METRIC_COUNTER,
        rate_limits},
    {"deedmesh_rpc_disputes_total", "Times that it contradicted others, or a proof.",
        METRIC_COUNTER, disputes},
    {"deedmesh_rpc_proofs_total", "Batches of proofs that held.", METRIC_COUNTER, proofs},
    {"deedmesh_rpc_sent_bytes_total", "Bytes of requests.", METRIC_COUNTER, bytes_out},
    {"deedmesh_rpc_received_bytes_total", "Bytes of answers.", METRIC_COUNTER, bytes_in},
    {"deedmesh_rpc_last_hour_calls", "Calls of the last hour.", METRIC_GAUGE, hour_calls},
    {"deedmesh_rpc_last_hour_bytes", "Bytes of the last hour, both ways.", METRIC_GAUGE,
        hour_bytes},
    {"deedmesh_rpc_latency_seconds", "Time until an answer, smoothed.", METRIC_GAUGE, latency},
    {"deedmesh_rpc_latency_last_seconds", "Time until the last answer.", METRIC_GAUGE,
        latency_last},
    {"deedmesh_rpc_head_number", "Its newest block.", METRIC_GAUGE, head_number},
    {"deedmesh_rpc_head_age_seconds", "Age of that block.", METRIC_GAUGE, head_age},
    {"deedmesh_rpc_logs_absent", "1 if it does not serve eth_getLogs.", METRIC_GAUGE, logs_absent},
    {"deedmesh_rpc_logs_blocks", "Blocks that it takes in one eth_getLogs; 0 = not asked yet.",
        METRIC_GAUGE, logs_blocks},
};

static void add_providers(struct daemon *daemon, struct metrics *metrics)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        for (size_t j = 0; j < daemon->rpc_count; j++) {
            struct gate_provider_status provider =
                node_provider_status(daemon->node, j, daemon->now);
            char number[24];
            char origin[CONFIG_URL_SIZE];
            (void)snprintf(number, sizeof number, "%zu", j);
            json_origin(daemon->rpcs[j].url, origin);
            const struct metric_label labels[] = {{"provider", number}, {"url", origin}};
            metrics_add(metrics, families[i].name, families[i].help, families[i].type, labels, 2,
                families[i].value(&provider));
        }
    }
}

static void add_proof_faults(struct daemon *daemon, struct metrics *metrics)
{
    for (size_t i = 0; i < daemon->rpc_count; i++) {
        struct gate_provider_status provider = node_provider_status(daemon->node, i, daemon->now);
        char number[24];
        (void)snprintf(number, sizeof number, "%zu", i);
        for (size_t j = 0; j < PROOF_FAULTS; j++) {
            const struct metric_label labels[] = {
                {"provider", number}, {"fault", proof_fault_name((enum proof_fault)j)}};
            metrics_add_u64(metrics, "deedmesh_rpc_proof_faults_total",
                "What the provider was caught at when it proved owners.", METRIC_COUNTER, labels, 2,
                provider.proof_faults[j]);
        }
    }
}

static void add_search(const struct node_status *status, struct metrics *metrics)
{
    const struct gate_enumeration_status *search = &status->search;
    const struct metric_label label = {"way", gate_way_name(search->way)};
    metrics_add_u64(metrics, "deedmesh_members_searched",
        "Indices, ids or blocks that this round of the search for members has been through.",
        METRIC_GAUGE, &label, 1, search->searched);
    metrics_add_u64(metrics, "deedmesh_members_search_total",
        "How many of those there are; 0 = not known.", METRIC_GAUGE, &label, 1, search->total);
}

void json_chain_metrics(
    struct daemon *daemon, const struct node_status *status, struct metrics *metrics)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        const struct metric_label label = {"level", levels[i]};
        metrics_add_u64(metrics, "deedmesh_chain_trust",
            "1 for the trust that is at work now, 0 for the others.", METRIC_GAUGE, &label, 1,
            (size_t)status->trust.level == i);
    }
    add_search(status, metrics);
    metrics_add(metrics, "deedmesh_chain_without_quorum_seconds",
        "How long too few RPC providers have been good; 0 while there is a quorum.", METRIC_GAUGE,
        NULL, 0, (double)status->without_quorum_ms / 1000);
    struct node_peer_status peer;
    for (size_t i = 0; node_peer_status(daemon->node, daemon->now, i, &peer); i++) {
        char token[TOKEN_TEXT_SIZE];
        token_id_format(&peer.token, token);
        const struct metric_label label = {"token", token};
        if (peer.checked) {
            metrics_add(metrics, "deedmesh_peer_checked_seconds",
                "How long ago a quorum spoke of the token.", METRIC_GAUGE, &label, 1,
                (double)peer.checked_ms / 1000);
        }
    }
    add_providers(daemon, metrics);
    add_proof_faults(daemon, metrics);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The gate on the HTTP edge, without a node around them, for tests/lab/test_gate: watches tokens,
// decides about a claim to each, and prints a JSON line whenever something changes.
//
//     gate_tool -c CHAIN_ID -a CONTRACT [-p PROFILE] [-i POLL_MS] [-g GRACE_MS] [-k WG_KEY]
//               [-e MEMBERS_MAX] [-l LOGS_MS] [-t TIMEOUT_MS] [-T TRUST] [-s STATE_FILE]
//               [-G GRANT_TAG] -d TOKEN:OWNER_SECRET... URL...
//
// A claim is a delegation signed here by OWNER_SECRET, as the token's owner would. Lines on
// standard input: "status" prints trust and providers, "refresh TOKEN" asks at once, "network"
// tells of a change of network. Ends with standard input.
#include "base/clock_posix.h"
#include "chain/chain.h"
#include "chain/http.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CLAIMS_MAX = 256,
    LINE_MAX_SIZE = 256,
};

struct claim {
    struct delegation delegation;
    struct wg_key wg_key;
    struct verdict verdict; // as printed last
    bool printed;
};

struct tool {
    struct gate *gate;
    struct chain_http *http;
    struct gate_config config;
    struct chain_http_config http_config;
    struct chain_http_provider providers[CHAIN_HTTP_PROVIDERS_MAX];
    struct wg_key wg_key;
    struct claim claims[CLAIMS_MAX];
    size_t claim_count;
    const char *state_file; // read at the start, written at the end
};

static void fail(const char *what, const char *why)
{
    (void)fprintf(stderr, "gate_tool: %s: %s\n", what, why);
    exit(2);
}

// TOKEN:SECRET -> a signed claim.
static void add_claim(struct tool *tool, const char *text)
{
    const char *colon = strchr(text, ':');
    struct claim *claim = &tool->claims[tool->claim_count];
    struct token_id token;
    struct eth_secret secret;
    struct eth_address owner;
    if (colon == NULL || tool->claim_count == CLAIMS_MAX ||
        token_id_parse(span_of(text, (size_t)(colon - text)), &token) != OK ||
        hex_parse(span_of_text(colon + 1), secret.bytes, sizeof secret.bytes) != OK ||
        ecdsa_address(&secret, &owner) != OK) {
        fail(text, "no claim of the form TOKEN:SECRET");
    }
    struct node_key node_key = {.bytes = {1}};
    memcpy(node_key.bytes + 1, token.bytes + 1, sizeof node_key.bytes - 1);
    claim->delegation = delegation_draft(
        &token, &owner, &node_key, clock_now().unix_time, DELEGATION_WINDOW_DEFAULT_S);
    claim->wg_key = tool->wg_key;
    enum status status = delegation_sign(&claim->delegation, &tool->config.network, &secret);
    if (status != OK) {
        fail(text, status_text(status));
    }
    tool->claim_count++;
}

static void print_verdict(const struct verdict *verdict, struct now now)
{
    char token[TOKEN_TEXT_SIZE];
    char owner[ETH_ADDRESS_TEXT_SIZE];
    token_id_format(&verdict->token, token);
    eth_address_format(&verdict->owner, owner);
    (void)printf("{\"event\":\"verdict\",\"t_ms\":%" PRIu64 ",\"token\":\"%s\",\"kind\":\"%s\","
                 "\"reason\":\"%s\",\"owner\":\"%s\",\"grace_left_ms\":%" PRIu64 "}\n",
        now.unix_time.ms, token, verdict_kind_name(verdict->kind),
        verdict_reason_name(verdict->reason), owner, verdict->grace_left_ms);
}

static void decide(struct tool *tool, struct claim *claim, struct now now)
{
    struct gate_claim order = {
        .delegation = &claim->delegation, .wg_key = claim->wg_key, .sequence = 1};
    struct verdict verdict = gate_decide(tool->gate, now, &order);
    bool same = claim->printed && verdict.kind == claim->verdict.kind &&
                verdict.reason == claim->verdict.reason &&
                eth_address_equal(&verdict.owner, &claim->verdict.owner) &&
                (verdict.grace_left_ms == 0) == (claim->verdict.grace_left_ms == 0);
    claim->verdict = verdict;
    claim->printed = true;
    if (!same) {
        print_verdict(&verdict, now);
    }
}

static void decide_token(struct tool *tool, const struct token_id *token, struct now now)
{
    for (size_t i = 0; i < tool->claim_count; i++) {
        if (token_id_equal(&tool->claims[i].delegation.token, token)) {
            decide(tool, &tool->claims[i], now);
        }
    }
}

static void print_event(const struct tool *tool, const struct gate_event *event, struct now now)
{
    char token[TOKEN_TEXT_SIZE];
    token_id_format(&event->token, token);
    switch (event->kind) {
    case GATE_EVENT_TOKEN:
        return;
    case GATE_EVENT_MEMBER:
        (void)printf("{\"event\":\"member\",\"token\":\"%s\"}\n", token);
        return;
    case GATE_EVENT_MEMBER_GONE:
        (void)printf("{\"event\":\"member_gone\",\"token\":\"%s\"}\n", token);
        return;
    case GATE_EVENT_ENUMERATED:
        (void)printf("{\"event\":\"enumerated\",\"count\":%zu,\"bounded\":%s}\n", event->count,
            event->bounded ? "true" : "false");
        return;
    case GATE_EVENT_PROVIDER: {
        struct gate_provider_status status = gate_provider_status(tool->gate, event->provider, now);
        (void)printf("{\"event\":\"provider\",\"t_ms\":%" PRIu64 ",\"provider\":%zu,"
                     "\"health\":\"%s\",\"retry_in_ms\":%" PRIu64 "}\n",
            now.unix_time.ms, event->provider, provider_health_name(status.health),
            status.retry_in_ms);
        return;
    }
    case GATE_EVENT_PROFILE:
        (void)printf("{\"event\":\"profile\"}\n");
        return;
    case GATE_EVENT_PROOF:
        (void)printf("{\"event\":\"proof\",\"t_ms\":%" PRIu64 ",\"standing\":\"%s\"}\n",
            now.unix_time.ms, proof_standing_name(gate_trust(tool->gate).proof));
        return;
    }
}

static void print_status(const struct tool *tool, struct now now)
{
    struct gate_trust trust = gate_trust(tool->gate);
    (void)printf("{\"event\":\"status\",\"quorum\":%zu,\"good\":%zu,\"members\":%zu,"
                 "\"proof\":\"%s\",\"proof_block\":%" PRIu64 ",\"providers\":[",
        trust.quorum, trust.good, gate_member_count(tool->gate), proof_standing_name(trust.proof),
        trust.proof_block);
    for (size_t i = 0; i < tool->config.providers; i++) {
        struct gate_provider_status status = gate_provider_status(tool->gate, i, now);
        (void)printf("%s{\"health\":\"%s\",\"head\":%" PRIu64 ",\"calls\":%" PRIu64
                     ",\"logs_absent\":%s,\"logs_blocks\":%" PRIu64 ",\"faults\":%" PRIu64
                     ",\"disputes\":%" PRIu64 ",\"retry_in_ms\":%" PRIu64
                     ",\"way\":\"%s\",\"proofs\":%" PRIu64,
            i == 0 ? "" : ",", provider_health_name(status.health), status.head_number,
            status.calls, status.logs_absent ? "true" : "false", status.logs_blocks, status.faults,
            status.disputes, status.retry_in_ms, reads_way_name(status.way), status.proofs);
        for (size_t j = 0; j < PROOF_FAULTS; j++) {
            (void)printf(",\"proof_%s\":%" PRIu64, proof_fault_name((enum proof_fault)j),
                status.proof_faults[j]);
        }
        (void)printf("}");
    }
    (void)printf("]}\n");
}

// Calls out, events out, until the gate has no more of either.
static void drain(struct tool *tool, struct now now)
{
    struct gate_call call;
    while (gate_next_call(tool->gate, now, &call)) {
        struct chain_http_call order = {.id = call.id,
            .provider = call.provider,
            .body = call.body,
            .body_max = call.reply_max,
            .timeout_ms = call.timeout_ms};
        enum status status = chain_http_submit(tool->http, &order);
        if (status != OK) {
            struct rpc_reply reply = {.outcome = RPC_UNREACHABLE};
            gate_on_reply(tool->gate, now, call.id, &reply);
        }
    }
    struct gate_event event;
    while (gate_next_event(tool->gate, &event)) {
        if (event.kind == GATE_EVENT_TOKEN) {
            decide_token(tool, &event.token, now);
        }
        print_event(tool, &event, now);
    }
    for (size_t i = 0; i < tool->claim_count; i++) {
        if (tool->claims[i].printed && mono_due(tool->claims[i].verdict.until, now.mono)) {
            decide(tool, &tool->claims[i], now);
        }
    }
    (void)fflush(stdout);
}

// False at the end of standard input.
static bool on_input(struct tool *tool, struct now now)
{
    char line[LINE_MAX_SIZE];
    ssize_t size = read(STDIN_FILENO, line, sizeof line - 1);
    if (size <= 0) {
        return false;
    }
    line[size] = '\0';
    line[strcspn(line, "\n")] = '\0';
    struct token_id token;
    if (strcmp(line, "status") == 0) {
        print_status(tool, now);
    } else if (strcmp(line, "network") == 0) {
        gate_on_network_change(tool->gate, now);
    } else if (strncmp(line, "refresh ", 8) == 0 &&
               token_id_parse(span_of_text(line + 8), &token) == OK) {
        if (gate_refresh(tool->gate, &token, now) != OK) {
            (void)printf("{\"event\":\"refused\"}\n");
        }
    }
    return true;
}

static void run(struct tool *tool)
{
    for (;;) {
        struct now now = clock_now();
        drain(tool, now);
        struct mono due = gate_next_deadline(tool->gate);
        for (size_t i = 0; i < tool->claim_count; i++) {
            due = mono_min(due, tool->claims[i].printed ? tool->claims[i].verdict.until : due);
        }
        uint64_t wait_ms = mono_since(now.mono, due);
        struct pollfd watched[] = {{.fd = chain_http_fd(tool->http), .events = POLLIN},
            {.fd = STDIN_FILENO, .events = POLLIN}};
        (void)poll(watched, 2, wait_ms < 60000 ? (int)wait_ms : 60000);
        now = clock_now();
        chain_http_on_ready(tool->http);
        struct chain_http_reply reply;
        while (chain_http_next_reply(tool->http, &reply)) {
            struct rpc_reply answer = chain_http_rpc_reply(&reply);
            gate_on_reply(tool->gate, now, reply.call_id, &answer);
        }
        gate_on_deadline(tool->gate, now);
        if (watched[1].revents != 0 && !on_input(tool, now)) {
            return;
        }
    }
}

static enum contract_profile profile_of(const char *name)
{
    static const enum contract_profile all[] = {
        PROFILE_DETECT, PROFILE_ERC721, PROFILE_DSTACK_ACCESS};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (strcmp(name, contract_profile_name(all[i])) == 0) {
            return all[i];
        }
    }
    fail(name, "no such profile");
    return PROFILE_DETECT;
}

static void take_option(struct tool *tool, int option, const char *text)
{
    struct gate_config *config = &tool->config;
    switch (option) {
    case 'c':
        config->network.chain_id = strtoull(text, NULL, 10);
        return;
    case 'a':
        if (eip55_parse(span_of_text(text), &config->network.contract) != OK) {
            fail(text, "no address");
        }
        return;
    case 'p':
        config->profile = profile_of(text);
        return;
    case 'i':
        config->poll_ms = (uint32_t)strtoul(text, NULL, 10);
        return;
    case 'g':
        config->grace_ms = (uint32_t)strtoul(text, NULL, 10);
        return;
    case 'e':
        config->members_max = strtoul(text, NULL, 10);
        return;
    case 'G':
        if (grant_tag_parse(span_of_text(text), &config->grant) != OK) {
            fail(text, "no grant tag");
        }
        return;
    case 'l':
        config->logs_ms = (uint32_t)strtoul(text, NULL, 10);
        return;
    case 't':
        tool->http_config.timeout_ms = (uint32_t)strtoul(text, NULL, 10);
        return;
    case 'T':
        if (trust_policy_parse(span_of_text(text), &config->trust) != OK) {
            fail(text, "no trust");
        }
        return;
    case 's':
        tool->state_file = text;
        return;
    case 'k':
        if (wg_key_parse(span_of_text(text), &tool->wg_key) != OK) {
            fail(text, "no WireGuard key");
        }
        return;
    case 'd':
        add_claim(tool, text);
        return;
    default:
        fail("usage", "see the head of gate_tool.c");
    }
}

enum {
    STATE_MAX = 1 << 16,
};

static void load_state(struct tool *tool)
{
    static uint8_t bytes[STATE_MAX];
    FILE *file = tool->state_file == NULL ? NULL : fopen(tool->state_file, "rb");
    if (file != NULL) {
        size_t size = fread(bytes, 1, sizeof bytes, file);
        (void)fclose(file);
        enum status status = gate_state_import(tool->gate, clock_now(), span_of(bytes, size));
        if (status != OK) {
            fail(tool->state_file, status_text(status));
        }
    }
}

static void save_state(struct tool *tool)
{
    static uint8_t bytes[STATE_MAX];
    FILE *file = tool->state_file == NULL ? NULL : fopen(tool->state_file, "wb");
    if (file != NULL) {
        struct writer writer = writer_of(bytes, sizeof bytes);
        enum status status = gate_state_export(tool->gate, clock_now(), &writer);
        if (status != OK || fwrite(bytes, 1, writer.size, file) != writer.size ||
            fclose(file) != 0) {
            fail(tool->state_file, "cannot be written");
        }
    }
}

static void begin(struct tool *tool)
{
    struct rng rng;
    uint8_t seed[RNG_SEED_SIZE] = {0};
    uint64_t start = clock_now().unix_time.ms;
    memcpy(seed, &start, sizeof start);
    rng_seed(&rng, seed);
    tool->config.providers = tool->http_config.provider_count;
    tool->config.tokens_max = CLAIMS_MAX;
    tool->http_config.providers = tool->providers;
    enum status status = gate_create(&tool->config, &rng, &tool->gate);
    if (status != OK) {
        fail("gate", status_text(status));
    }
    load_state(tool);
    status = chain_http_create(&tool->http_config, &tool->http);
    if (status != OK) {
        fail("HTTP", status_text(status));
    }
    for (size_t i = 0; i < tool->claim_count; i++) {
        status = gate_watch(tool->gate, &tool->claims[i].delegation.token, clock_now());
        if (status != OK) {
            fail("watch", status_text(status));
        }
    }
}

int main(int argc, char **argv)
{
    static struct tool tool;
    int option;
    while ((option = getopt(argc, argv, "c:a:p:i:g:e:l:t:T:s:G:k:d:")) != -1) {
        take_option(&tool, option, optarg);
    }
    for (; optind < argc && tool.http_config.provider_count < GATE_PROVIDERS_MAX; optind++) {
        tool.providers[tool.http_config.provider_count++].url = argv[optind];
    }
    begin(&tool);
    run(&tool);
    save_state(&tool);
    chain_http_destroy(tool.http);
    gate_destroy(tool.gate);
    return 0;
}

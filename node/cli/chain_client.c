// SPDX-License-Identifier: GPL-3.0-or-later
//
// The command's providers. Every exchange ends: the HTTP edge answers each call within its time
// limit, and what comes late has an id that nobody waits for any more.
#include "node/cli/chain_client.h"

#include "base/clock_posix.h"
#include "base/text.h"
#include "node/cli/config_file.h"
#include "node/cli/network.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    CONNECT_MS = 3000,
    ANSWER_MAX = 4 * 1024 * 1024, // bytes
    PAUSE_MIN_MS = 500,           // before a second round; doubles, half of it random
    RETRY_AFTER_MAX_MS = 10 * 1000,
    LATE_MS = 3000,       // how long the others wait for one that is silent once one has answered,
    LATE_AGAIN_MS = 1000, // and how long if it was so before: a dead one must not hold them up
    DATA_MAX = 64 * 1024, // of an eth_call's result that a quorum compares
};

static const char no_time_text[] = "no answer came in time";

struct provider {
    char url[CONFIG_URL_SIZE];
    char name[CHAIN_CLIENT_NAME_SIZE];
    bool suggested;
    bool usable;
    bool left_out; // of another chain
    bool late;     // the last time all were asked, others had answered long before
};

struct chain_client {
    struct cli *cli;
    struct chain_http *http;
    struct provider providers[CHAIN_CLIENT_PROVIDERS_MAX];
    size_t count;
    size_t preferred; // who answered last
    bool allow_http;
    uint64_t chain_id;
    uint64_t last_id; // of a call
};

// One call on its way.
struct exchange {
    uint64_t id; // 0 = none
    bool done;
    struct chain_answer *answer;
};

// --- which providers ---

static void name_provider(struct provider *provider, const struct chain_url *url)
{
    bool bracketed = strchr(url->host, ':') != NULL;
    int size = snprintf(provider->name, sizeof provider->name, "%s%s%s", bracketed ? "[" : "",
        url->host, bracketed ? "]" : "");
    ASSERT(size > 0 && (size_t)size < sizeof provider->name);
    if (url->port != (url->tls ? 443 : 80)) {
        (void)snprintf(provider->name + size, sizeof provider->name - (size_t)size, ":%u",
            (unsigned)url->port);
    }
}

static int add_provider(
    struct chain_client *client, const char *text, bool suggested, const char *source)
{
    const struct chain_url_rules rules = {.suggested = suggested, .allow_http = client->allow_http};
    struct chain_url url;
    if (client->count == CHAIN_CLIENT_PROVIDERS_MAX) {
        return complain(client->cli, USAGE_ERROR, "usage", "%s: at most %d providers", source,
            CHAIN_CLIENT_PROVIDERS_MAX);
    }
    enum chain_url_fault fault = chain_url_check(span_of_text(text), &rules, &url);
    if (fault != CHAIN_URL_GOOD && suggested) { // as the daemon: the others may do
        warn("deedmesh: the manifest suggests the RPC provider %s, which is not used: %s%s", text,
            chain_url_fault_text(fault), fault == CHAIN_URL_PLAIN_HTTP ? " (--allow-http)" : "");
        return DONE;
    }
    if (fault != CHAIN_URL_GOOD) {
        // The URL itself may hold the customer's key: its place in the order names it.
        return complain(client->cli, USAGE_ERROR, "usage", "%s: URL number %zu: %s%s", source,
            client->count + 1, chain_url_fault_text(fault),
            fault == CHAIN_URL_PLAIN_HTTP ? " (--allow-http)" : "");
    }
    struct provider *provider = &client->providers[client->count++];
    (void)snprintf(provider->url, sizeof provider->url, "%s", text);
    provider->suggested = suggested;
    name_provider(provider, &url);
    return DONE;
}

static int add_suggested(struct chain_client *client)
{
    struct manifest manifest;
    struct state *state = NULL;
    struct state_error error;
    bool none = true;
    int result = DONE;
    if (state_open(client->cli->directories.state, client->cli->instance, STATE_EXISTING, &state,
            &error) == OK) {
        result = pinned_manifest(client->cli, state, &manifest, &none);
        state_close(state);
    }
    for (size_t i = 0; result == DONE && !none && i < manifest.rpc_count; i++) {
        result = add_provider(client, manifest.rpc[i].text, true, "the manifest's suggestion");
    }
    return result;
}

static int choose(struct chain_client *client)
{
    const struct arguments *arguments = &client->cli->arguments;
    struct config config;
    int result = config_file_read(client->cli, &config);
    if (result != DONE) {
        return result;
    }
    client->allow_http = config.allow_http || arguments->allow_http;
    for (size_t i = 0; result == DONE && i < REPEATS_MAX && arguments->rpcs[i] != NULL; i++) {
        result = add_provider(client, arguments->rpcs[i], false, "--rpc");
    }
    for (size_t i = 0; result == DONE && arguments->rpcs[0] == NULL && i < config.rpcs_count; i++) {
        result = add_provider(client, config.rpcs[i], false, "rpc in the configuration");
    }
    if (result == DONE && client->count == 0) {
        result = add_suggested(client);
    }
    return result;
}

static int complain_of_none(const struct cli *cli)
{
    return complain(cli, FAILED, "no_provider",
        "which RPC provider? Name one with --rpc URL, or as `rpc` under [chain] in %s/%s.conf; the "
        "manifest suggests none that is used",
        cli->directories.config, cli->instance);
}

static int create_http(struct chain_client *client)
{
    struct chain_http_provider providers[CHAIN_CLIENT_PROVIDERS_MAX];
    for (size_t i = 0; i < client->count; i++) {
        providers[i] = (struct chain_http_provider){
            .url = client->providers[i].url, .suggested = client->providers[i].suggested};
    }
    struct chain_http_config config = {
        .providers = providers,
        .provider_count = client->count,
        .allow_http = client->allow_http,
        .connect_timeout_ms = CONNECT_MS,
        .timeout_ms = CHAIN_CLIENT_CALL_MS,
        .body_max = ANSWER_MAX,
    };
    enum status status = chain_http_create(&config, &client->http);
    return status == OK ? DONE
                        : complain(client->cli, FAILED, "io", "the HTTP client cannot start: %s",
                              status_text(status));
}

// --- answers ---

void chain_answer_clear(struct chain_answer *answer)
{
    json_decref(answer->result);
    free(answer->data);
    *answer = (struct chain_answer){.verdict = CHAIN_SILENT};
}

static void fail(struct chain_answer *answer, enum chain_verdict verdict, const char *text)
{
    answer->verdict = verdict;
    (void)snprintf(answer->text, sizeof answer->text, "%s", text);
}

static void take_reply(const struct chain_http_reply *http, struct chain_answer *answer)
{
    struct rpc_reply reply = chain_http_rpc_reply(http);
    struct rpc_answer parsed;
    rpc_answer_parse(&reply, http->call_id, RPC_JSON, &parsed);
    answer->took_ms = http->took_ms;
    answer->retry_after_ms = http->retry_after_ms;
    answer->code = parsed.error_code;
    switch (parsed.verdict) {
    case RPC_RESULT:
        answer->verdict = CHAIN_RESULT;
        answer->result = json_incref(parsed.json);
        break;
    case RPC_REVERTED:
        fail(answer, CHAIN_REVERTED, parsed.error_text);
        answer->data = parsed.data;
        answer->size = parsed.size;
        parsed.data = NULL;
        break;
    case RPC_RATE_LIMITED:
        fail(answer, CHAIN_RATE_LIMITED, "its rate limit is reached");
        break;
    case RPC_CALL_FAILED:
        fail(answer, CHAIN_CALL_FAILED,
            parsed.error_text[0] != '\0' ? parsed.error_text : "it does not take this call");
        break;
    case RPC_FAULT:
        fail(answer, CHAIN_SILENT, chain_http_outcome_text(http->outcome));
        if (http->outcome == CHAIN_HTTP_ANSWERED && http->status == 200) {
            fail(answer, CHAIN_SILENT, "its answer is no JSON-RPC");
        } else if (http->outcome == CHAIN_HTTP_ANSWERED) {
            (void)snprintf(answer->text, sizeof answer->text, "it answered with HTTP status %u",
                (unsigned)http->status);
        }
        break;
    }
    rpc_answer_clear(&parsed);
}

// --- exchanges ---

static uint64_t clock_ms(void)
{
    return clock_now().mono.ms;
}

void chain_client_pause(uint64_t ms)
{
    struct timespec rest = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
    }
}

// The body of a request, to be freed.
static char *make_body(uint64_t id, const char *method, json_t *params)
{
    json_t *request = json_pack("{s:s, s:I, s:s, s:O}", "jsonrpc", "2.0", "id", (json_int_t)id,
        "method", method, "params", params);
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    ASSERT(text != NULL);
    return text;
}

static void begin(struct chain_client *client, size_t provider, const char *method, json_t *params,
    struct exchange *exchange)
{
    struct chain_answer *answer = exchange->answer;
    *answer = (struct chain_answer){.verdict = CHAIN_SILENT, .provider = provider};
    exchange->id = ++client->last_id;
    exchange->done = false;
    if (client->providers[provider].left_out) {
        fail(answer, CHAIN_LEFT_OUT, "it is of another chain");
        exchange->done = true;
        return;
    }
    char *body = make_body(exchange->id, method, params);
    struct chain_http_call call = {
        .id = exchange->id, .provider = provider, .body = span_of_text(body)};
    enum status status = chain_http_submit(client->http, &call);
    free(body);
    if (status != OK) {
        fail(answer, CHAIN_SILENT, status_text(status));
        exchange->done = true;
    }
}

// Takes what has come; replies to exchanges that nobody waits for are dropped.
static void drain(struct chain_client *client, struct exchange *exchanges, size_t count)
{
    struct chain_http_reply reply;
    while (chain_http_next_reply(client->http, &reply)) {
        for (size_t i = 0; i < count; i++) {
            if (exchanges[i].id == reply.call_id && !exchanges[i].done) {
                take_reply(&reply, exchanges[i].answer);
                exchanges[i].done = true;
            }
        }
    }
}

static size_t done_count(const struct exchange *exchanges, size_t count)
{
    size_t done = 0;
    for (size_t i = 0; i < count; i++) {
        done += exchanges[i].done;
    }
    return done;
}

// Returns once one more exchange is done, or at `until_ms`.
static void wait_for_one(
    struct chain_client *client, struct exchange *exchanges, size_t count, uint64_t until_ms)
{
    size_t before = done_count(exchanges, count);
    while (done_count(exchanges, count) == before) {
        uint64_t now = clock_ms();
        if (now >= until_ms) {
            return;
        }
        struct pollfd poller = {.fd = chain_http_fd(client->http), .events = POLLIN};
        (void)poll(&poller, 1, (int)(until_ms - now));
        chain_http_on_ready(client->http);
        drain(client, exchanges, count);
    }
}

static bool is_answer(const struct exchange *exchange)
{
    enum chain_verdict verdict = exchange->answer->verdict;
    return exchange->done && (verdict == CHAIN_RESULT || verdict == CHAIN_REVERTED);
}

// How long those that are silent are waited for once one has answered.
static uint64_t patience_ms(
    const struct chain_client *client, const struct exchange *exchanges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!exchanges[i].done && !client->providers[exchanges[i].answer->provider].late) {
            return LATE_MS;
        }
    }
    return LATE_AGAIN_MS;
}

// Waits for all of them, but not long for stragglers.
static void wait_for_all(struct chain_client *client, struct exchange *exchanges, size_t count)
{
    // The edge keeps the limit itself; the rest is for its answer on the way to here.
    uint64_t until_ms = clock_ms() + CHAIN_CLIENT_CALL_MS + 1000;
    bool answered = false;
    while (done_count(exchanges, count) < count && clock_ms() < until_ms) {
        wait_for_one(client, exchanges, count, until_ms);
        for (size_t i = 0; i < count && !answered; i++) {
            if (is_answer(&exchanges[i])) {
                answered = true;
                uint64_t limit_ms = clock_ms() + patience_ms(client, exchanges, count);
                until_ms = limit_ms < until_ms ? limit_ms : until_ms;
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        client->providers[exchanges[i].answer->provider].late = !exchanges[i].done;
        if (!exchanges[i].done) {
            fail(exchanges[i].answer, CHAIN_SILENT, no_time_text);
        }
    }
}

void chain_client_call(struct chain_client *client, size_t provider, const char *method,
    json_t *params, struct chain_answer *ret)
{
    ASSERT(provider < client->count);
    struct exchange exchange = {.answer = ret};
    begin(client, provider, method, params, &exchange);
    wait_for_all(client, &exchange, 1);
    json_decref(params);
}

void chain_client_call_all(struct chain_client *client, const char *method, json_t *params,
    struct chain_answer ret[static CHAIN_CLIENT_PROVIDERS_MAX])
{
    struct exchange exchanges[CHAIN_CLIENT_PROVIDERS_MAX];
    memset(ret, 0, CHAIN_CLIENT_PROVIDERS_MAX * sizeof *ret);
    for (size_t i = 0; i < client->count; i++) {
        exchanges[i].answer = &ret[i];
        begin(client, i, method, params, &exchanges[i]);
    }
    wait_for_all(client, exchanges, client->count);
    json_decref(params);
}

// Asks one after the other, overlapping when one is silent; the index of the first that answered,
// or the number of providers.
static size_t ask_round(struct chain_client *client, const char *method, json_t *params,
    struct chain_answer answers[static CHAIN_CLIENT_PROVIDERS_MAX])
{
    struct exchange exchanges[CHAIN_CLIENT_PROVIDERS_MAX];
    size_t count = client->count;
    for (size_t begun = 0; begun < count;) {
        size_t provider = (client->preferred + begun) % count;
        exchanges[begun].answer = &answers[provider];
        begin(client, provider, method, params, &exchanges[begun]);
        begun++;
        uint64_t patience = begun < count ? CHAIN_CLIENT_HEDGE_MS : CHAIN_CLIENT_CALL_MS + 1000;
        uint64_t until_ms = clock_ms() + patience;
        // On to the next when all that were asked have failed, or after a while.
        do {
            for (size_t i = 0; i < begun; i++) {
                if (is_answer(&exchanges[i])) {
                    client->preferred = answers[exchanges[i].answer->provider].provider;
                    return client->preferred;
                }
            }
            if (done_count(exchanges, begun) == begun) {
                break;
            }
            wait_for_one(client, exchanges, begun, until_ms);
        } while (clock_ms() < until_ms);
    }
    return count;
}

// How long to rest before another round, as the providers wish and as politeness wants.
static uint64_t pause_of(
    const struct chain_answer answers[static CHAIN_CLIENT_PROVIDERS_MAX], unsigned round)
{
    uint64_t full = (uint64_t)PAUSE_MIN_MS << round;
    uint64_t pause = full / 2 + randombytes_uniform((uint32_t)(full / 2 + 1));
    for (size_t i = 0; i < CHAIN_CLIENT_PROVIDERS_MAX; i++) {
        if (answers[i].verdict == CHAIN_RATE_LIMITED && answers[i].retry_after_ms > pause) {
            pause = answers[i].retry_after_ms;
        }
    }
    return pause < RETRY_AFTER_MAX_MS ? pause : RETRY_AFTER_MAX_MS;
}

static void clear_all(struct chain_answer answers[static CHAIN_CLIENT_PROVIDERS_MAX])
{
    for (size_t i = 0; i < CHAIN_CLIENT_PROVIDERS_MAX; i++) {
        chain_answer_clear(&answers[i]);
    }
}

// Whether to try again: a call that every provider refuses will be refused again.
static bool is_worth_another(const struct chain_client *client, const struct chain_answer *answers)
{
    for (size_t i = 0; i < client->count; i++) {
        if (answers[i].verdict == CHAIN_SILENT || answers[i].verdict == CHAIN_RATE_LIMITED) {
            return true;
        }
    }
    return false;
}

void chain_client_ask(
    struct chain_client *client, const char *method, json_t *params, struct chain_answer *ret)
{
    struct chain_answer answers[CHAIN_CLIENT_PROVIDERS_MAX] = {0};
    size_t best = client->count;
    for (unsigned round = 0; best == client->count && round < CHAIN_CLIENT_ROUNDS; round++) {
        if (round > 0 && !is_worth_another(client, answers)) {
            break;
        }
        if (round > 0) {
            chain_client_pause(pause_of(answers, round - 1));
            clear_all(answers);
        }
        best = ask_round(client, method, params, answers);
    }
    // Without an answer: what a provider said rather than a silence.
    for (size_t i = 0; best == client->count && i < client->count; i++) {
        best = answers[i].verdict == CHAIN_CALL_FAILED ? i : best;
    }
    best = best == client->count ? client->preferred : best;
    *ret = answers[best];
    answers[best] = (struct chain_answer){0};
    clear_all(answers);
    if (ret->verdict == CHAIN_SILENT && ret->text[0] == '\0') {
        fail(ret, CHAIN_SILENT, no_time_text);
    }
    json_decref(params);
}

// --- reading by quorum ---

static bool is_same(const struct chain_answer *a, const struct chain_answer *b)
{
    return a->verdict == b->verdict &&
           span_equal(span_of(a->data, a->size), span_of(b->data, b->size));
}

// The verdict that most providers share, into `ret`, if a quorum does.
static bool judge(const struct chain_client *client, struct chain_read *ret)
{
    ret->asked = client->count;
    for (size_t i = 0; i < client->count; i++) {
        const struct chain_answer *answer = &ret->answers[i];
        size_t agreed = 0;
        if (answer->verdict != CHAIN_RESULT && answer->verdict != CHAIN_REVERTED) {
            continue;
        }
        for (size_t j = 0; j < client->count; j++) {
            agreed += is_same(answer, &ret->answers[j]);
        }
        ret->agreed = agreed > ret->agreed ? agreed : ret->agreed;
        if (agreed >= chain_client_quorum(client)) {
            ret->verdict = answer->verdict;
            ret->data = malloc(answer->size + 1);
            ASSERT(ret->data != NULL);
            if (answer->size > 0) {
                memcpy(ret->data, answer->data, answer->size);
            }
            ret->size = answer->size;
            return true;
        }
    }
    return false;
}

static json_t *call_params(const struct eth_address *to, struct span data)
{
    return json_pack(
        "[{s:o, s:o}, s]", "to", json_of_eth_address(to), "data", json_of_data(data), "latest");
}

void chain_client_read(struct chain_client *client, const struct eth_address *to, struct span data,
    struct chain_read *ret)
{
    memset(ret, 0, sizeof *ret);
    for (unsigned round = 0; round < CHAIN_CLIENT_ROUNDS; round++) {
        if (round > 0) {
            chain_client_pause(pause_of(ret->answers, round - 1));
            chain_read_clear(ret);
        }
        chain_client_call_all(client, "eth_call", call_params(to, data), ret->answers);
        for (size_t i = 0; i < client->count; i++) {
            struct chain_answer *answer = &ret->answers[i];
            if (answer->verdict == CHAIN_RESULT &&
                (!json_data(answer->result, &answer->data, &answer->size) ||
                    answer->size > DATA_MAX)) {
                chain_answer_clear(answer);
                answer->provider = i;
                fail(answer, CHAIN_SILENT, "its answer is no result of a call");
            }
        }
        if (judge(client, ret)) {
            return;
        }
        ret->verdict = CHAIN_SILENT;
    }
}

void chain_read_clear(struct chain_read *read)
{
    free(read->data);
    clear_all(read->answers);
    memset(read, 0, sizeof *read);
}

// --- opening ---

// The chain that all agree on who said something else than expected: a warning, or an error.
static int check_chains(
    struct chain_client *client, const struct chain_answer *answers, bool *ret_none)
{
    size_t right = 0;
    size_t others = 0;
    size_t last_other = 0;
    uint64_t ids[CHAIN_CLIENT_PROVIDERS_MAX] = {0};
    for (size_t i = 0; i < client->count; i++) {
        struct provider *provider = &client->providers[i];
        if (answers[i].verdict != CHAIN_RESULT || !json_quantity(answers[i].result, &ids[i])) {
            warn("deedmesh: RPC provider %s: %s", provider->name,
                answers[i].verdict == CHAIN_RESULT ? "its chain id is not a number"
                                                   : answers[i].text);
            continue;
        }
        if (client->chain_id == 0) {
            client->chain_id = ids[i];
        }
        provider->usable = ids[i] == client->chain_id;
        provider->left_out = !provider->usable;
        right += provider->usable;
        others += provider->left_out;
        last_other = provider->left_out ? i : last_other;
    }
    if (others > 0 && right > 0) {
        warn("deedmesh: RPC provider %s serves chain %" PRIu64 ", not %" PRIu64 "; it is not used",
            client->providers[last_other].name, ids[last_other], client->chain_id);
    }
    if (right > 0) {
        return DONE;
    }
    if (others > 0) {
        return complain(client->cli, FAILED, "wrong_chain",
            "RPC provider %s serves chain %" PRIu64 ", and this is about chain %" PRIu64
            "; name a provider of that chain with --rpc URL",
            client->providers[last_other].name, ids[last_other], client->chain_id);
    }
    *ret_none = true;
    return DONE;
}

static int complain_of_silence(const struct chain_client *client)
{
    return complain(client->cli, FAILED, "unreachable",
        "no RPC provider answers (%zu asked, see above); name another with --rpc URL",
        client->count);
}

// With `optional`, DONE and NULL where nobody is named, or answers.
static int open_client(struct cli *cli, uint64_t chain_id, bool optional, struct chain_client **ret)
{
    struct chain_answer answers[CHAIN_CLIENT_PROVIDERS_MAX] = {0};
    bool none = false;
    struct chain_client *client = calloc(1, sizeof *client);
    ASSERT(client != NULL);
    client->cli = cli;
    client->chain_id = chain_id;
    int result = choose(client);
    if (result == DONE && client->count == 0) {
        none = true;
        result = optional ? DONE : complain_of_none(cli);
    } else if (result == DONE) {
        result = create_http(client);
    }
    if (result == DONE && !none) {
        chain_client_call_all(client, "eth_chainId", json_array(), answers);
        result = check_chains(client, answers, &none);
        clear_all(answers);
        result = none && !optional ? complain_of_silence(client) : result;
    }
    for (size_t i = client->count; i > 0; i--) {
        client->preferred = client->providers[i - 1].usable ? i - 1 : client->preferred;
    }
    if (result != DONE || none) {
        chain_client_close(client);
        client = NULL;
    }
    if (result == DONE) {
        *ret = client;
    }
    return result;
}

int chain_client_open(struct cli *cli, uint64_t chain_id, struct chain_client **ret)
{
    return open_client(cli, chain_id, false, ret);
}

int chain_client_open_if_any(struct cli *cli, uint64_t chain_id, struct chain_client **ret)
{
    return open_client(cli, chain_id, true, ret);
}

void chain_client_close(struct chain_client *client)
{
    if (client != NULL) {
        chain_http_destroy(client->http);
        free(client);
    }
}

uint64_t chain_client_chain_id(const struct chain_client *client)
{
    return client->chain_id;
}

size_t chain_client_count(const struct chain_client *client)
{
    return client->count;
}

const char *chain_client_name(const struct chain_client *client, size_t provider)
{
    ASSERT(provider < client->count);
    return client->providers[provider].name;
}

size_t chain_client_quorum(const struct chain_client *client)
{
    return client->count / 2 + 1;
}

struct chain_http *chain_client_http(struct chain_client *client)
{
    return client->http;
}

bool chain_client_usable(const struct chain_client *client, size_t provider)
{
    ASSERT(provider < client->count);
    return client->providers[provider].usable;
}

int chain_client_complain(
    const struct chain_client *client, const struct chain_answer *answer, const char *what)
{
    const char *code = answer->verdict == CHAIN_REVERTED       ? "reverted"
                       : answer->verdict == CHAIN_RATE_LIMITED ? "rate_limited"
                       : answer->verdict == CHAIN_CALL_FAILED  ? "refused"
                                                               : "unreachable";
    return complain(client->cli, FAILED, code, "%s: RPC provider %s: %s", what,
        client->providers[answer->provider].name, answer->text);
}

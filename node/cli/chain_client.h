// SPDX-License-Identifier: GPL-3.0-or-later
//
// The command's own access to RPC providers: blocking, JSON-RPC 2.0 by jansson, over chain/http.h.
//
// Which providers: --rpc, else `rpc` of the instance's configuration, else what the pinned manifest
// suggests (at global addresses only). Each is asked for its chain id before anything else; one of
// another chain is left out with a warning, and if none is left that is an error.
//
//     struct chain_client *client = NULL;
//     int result = chain_client_open(cli, network.chain_id, &client);
//     ...
//     chain_client_ask(client, "eth_getBalance", json_pack("[s, s]", address, "latest"), &answer);
//     if (answer.verdict == CHAIN_RESULT && json_wei(answer.result, &balance)) ...
//     chain_answer_clear(&answer);
//     chain_client_close(client);
//
// Nothing here waits without a bound: a call takes at most CHAIN_CLIENT_CALL_MS.
#pragma once

#include "base/clock.h"
#include "chain/http.h"
#include "chain/wei.h"
#include "node/cli/cli.h"

enum {
    CHAIN_CLIENT_PROVIDERS_MAX = CONFIG_RPCS_MAX,
    CHAIN_CLIENT_NAME_SIZE = CHAIN_URL_HOST_MAX + 16,
    CHAIN_CLIENT_TEXT_SIZE = 320,
    CHAIN_CLIENT_CALL_MS = 10 * 1000,
    CHAIN_CLIENT_HEDGE_MS = 1000, // the next provider is asked, too, when one is silent so long
    CHAIN_CLIENT_ROUNDS = 3,      // how often all are tried before an answer is given up
};

struct chain_client;

// Chooses the providers and checks their chain. `chain_id` 0 = whatever chain they all name. DONE,
// or an exit code after having said what is wrong and with which provider. Needs --rpc and
// --allow-http among the verb's options to honour them.
int chain_client_open(struct cli *cli, uint64_t chain_id, struct chain_client **ret);

// The same for what can do without: DONE and NULL where no provider is named anywhere, and, after a
// warning for each, where none answers. One of another chain is an error all the same.
int chain_client_open_if_any(struct cli *cli, uint64_t chain_id, struct chain_client **ret);

// Accepts NULL.
void chain_client_close(struct chain_client *client);

uint64_t chain_client_chain_id(const struct chain_client *client);

// Providers are named by their index in the order of their source. One that was left out stays in
// the count, and is never asked.
size_t chain_client_count(const struct chain_client *client);

// HOST, or HOST:PORT: without the path, where commercial providers put the customer's key.
const char *chain_client_name(const struct chain_client *client, size_t provider);

// How many equal answers count: floor(n/2)+1 of n, as in the gate.
size_t chain_client_quorum(const struct chain_client *client);

// What a call came to.
enum chain_verdict {
    CHAIN_RESULT,       // `result` is JSON-RPC's
    CHAIN_REVERTED,     // the EVM refused: an answer about the call, its revert data in `data`
    CHAIN_CALL_FAILED,  // any other JSON-RPC error: the provider will not do this call
    CHAIN_RATE_LIMITED, // later, perhaps
    CHAIN_SILENT,       // no answer, or one that is no JSON-RPC: nothing is known
    CHAIN_LEFT_OUT,     // of another chain: it was not asked
};

struct chain_answer {
    enum chain_verdict verdict;
    size_t provider;
    json_t *result; // CHAIN_RESULT; owned
    uint8_t *data;  // CHAIN_REVERTED; owned, NULL if it sent none
    size_t size;
    int64_t code;                      // the JSON-RPC error's; 0 if there was none
    char text[CHAIN_CLIENT_TEXT_SIZE]; // unless CHAIN_RESULT: a clause that does not name the
                                       // provider, e.g. "no answer came in time". From outside
    uint64_t retry_after_ms;           // CHAIN_RATE_LIMITED; 0 = it said nothing
    uint64_t took_ms;
};

// Frees what it owns. An answer that was never filled must be zero.
void chain_answer_clear(struct chain_answer *answer);

// Asks one provider, once. Takes over the reference to `params`, a JSON array, as all of these do.
void chain_client_call(struct chain_client *client, size_t provider, const char *method,
    json_t *params, struct chain_answer *ret);

// Asks all at once, once each; `ret` has an answer for every provider in order, and each is to be
// cleared. One that is silent is waited for 3 s more once another has answered, 1 s if it was
// silent the last time, too.
void chain_client_call_all(struct chain_client *client, const char *method, json_t *params,
    struct chain_answer ret[static CHAIN_CLIENT_PROVIDERS_MAX]);

// Asks one, the next one too after CHAIN_CLIENT_HEDGE_MS of silence or at once after a failure, and
// all again up to CHAIN_CLIENT_ROUNDS times with a pause in between. The first CHAIN_RESULT or
// CHAIN_REVERTED counts; without one `ret` is the last failure. One provider's word: for what is
// no decision of trust.
void chain_client_ask(
    struct chain_client *client, const char *method, json_t *params, struct chain_answer *ret);

// What a quorum says about one eth_call on `latest`.
struct chain_read {
    enum chain_verdict verdict; // CHAIN_RESULT, CHAIN_REVERTED: a quorum says so, with equal data;
                                // CHAIN_SILENT: there is no quorum, nothing is known
    uint8_t *data;              // what was returned, or the revert data; owned
    size_t size;
    size_t agreed; // how many said that
    size_t asked;
    // Each provider's own answer, for those who show it; a CHAIN_RESULT's data is in `data` there,
    // too.
    struct chain_answer answers[CHAIN_CLIENT_PROVIDERS_MAX];
};

// eth_call of `data` on `to`, read from all providers. Asked again up to CHAIN_CLIENT_ROUNDS times
// while they disagree or are silent: their heads may differ by a block.
void chain_client_read(struct chain_client *client, const struct eth_address *to, struct span data,
    struct chain_read *ret);

void chain_read_clear(struct chain_read *read);

// Complains about an answer that is no CHAIN_RESULT: WHAT, the provider, the reason. Returns
// FAILED.
int chain_client_complain(
    const struct chain_client *client, const struct chain_answer *answer, const char *what);

// For pure machines that write request bodies themselves (the gate, a survey): the edge, with the
// providers at the same indices. Not while a call of this file runs; drain it before the next.
struct chain_http *chain_client_http(struct chain_client *client);

// Whether the provider is of the right chain and answered when it was asked for that.
bool chain_client_usable(const struct chain_client *client, size_t provider);

// Waits, for those who poll.
void chain_client_pause(uint64_t ms);

// --- JSON-RPC's forms of values. False if `value` is of another form, or NULL. ---

bool json_quantity(const json_t *value, uint64_t *ret);
bool json_wei(const json_t *value, struct wei *ret); // saturates at 128 bits
// Exactly `size` bytes.
bool json_bytes(const json_t *value, uint8_t *ret, size_t size);
// Any number of bytes; `*ret` is the caller's to free.
bool json_data(const json_t *value, uint8_t **ret, size_t *ret_size);

// "0x..." of bytes, of a number, of an address (lower case).
json_t *json_of_data(struct span bytes);
json_t *json_of_quantity(uint64_t value);
json_t *json_of_eth_address(const struct eth_address *address);

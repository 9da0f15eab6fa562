// SPDX-License-Identifier: GPL-3.0-or-later
//
// A signed transaction on its way: sent to all providers, sent again as long as it is not mined,
// and looked for until enough blocks hold it, or its nonce turns out to be another's.
#include "node/cli/transact_inner.h"

#include "base/clock_posix.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    POLL_MIN_MS = 300, // grows by half with each poll
    POLL_MAX_MS = 2000,
    SEND_AGAIN_MS = 15 * 1000,
    TELL_MS = 15 * 1000, // where lines cannot be overwritten
    GONE_MS = 10 * 1000, // how long the nonce must be used, and no receipt be there,
    GONE_POLLS = 5,      // and how often that must be seen: receipts can come later than nonces
};

// --- sending ---

static bool says(const char *text, const char *const *needles)
{
    for (; *needles != NULL; needles++) {
        if (strcasestr(text, *needles) != NULL) {
            return true;
        }
    }
    return false;
}

// Clients word it differently; these are geth's, reth's, erigon's, nethermind's and anvil's.
static bool has_it_already(const struct chain_answer *answer)
{
    static const char *const texts[] = {"already known", "known transaction", "already imported",
        "already exists", "already in the pool", "alreadyknown", NULL};
    return answer->verdict == CHAIN_CALL_FAILED && says(answer->text, texts);
}

// Mined already, or another one was: the receipt, or its absence, tells.
static bool calls_nonce_used(const struct chain_answer *answer)
{
    static const char *const texts[] = {
        "nonce too low", "nonce is too low", "oldnonce", "nonce has already been used", NULL};
    return answer->verdict == CHAIN_CALL_FAILED && says(answer->text, texts);
}

static bool is_unknown(const struct chain_answer *answer)
{
    return answer->verdict == CHAIN_SILENT || answer->verdict == CHAIN_RATE_LIMITED;
}

// A provider that names another hash has taken something else, or nothing.
static void check_hash(struct chain_answer *answer, const struct hash256 *wants)
{
    struct hash256 hash;
    if (answer->verdict == CHAIN_RESULT &&
        !(json_bytes(answer->result, hash.bytes, sizeof hash.bytes) &&
            hash256_equal(&hash, wants))) {
        answer->verdict = CHAIN_SILENT;
        (void)snprintf(answer->text, sizeof answer->text, "it answers with another hash");
    }
}

// What the user is told of an answer that is no hash.
static void describe(const struct transact *transact, const struct chain_answer *answer,
    char ret[static SENDING_TEXT_SIZE])
{
    static const char *const underpriced[] = {"underpriced", "fee too low", NULL};
    (void)snprintf(ret, SENDING_TEXT_SIZE, "RPC provider %s: %s%s",
        chain_client_name(transact->client, answer->provider), answer->text,
        says(answer->text, underpriced)
            ? "; another transaction of this account with the same number waits already: let the "
              "wallet that sent it finish it or cancel it"
            : "");
}

enum sending wait_send(struct transact *transact, const struct journal_entry *entry,
    char ret_text[static SENDING_TEXT_SIZE])
{
    struct chain_answer answers[CHAIN_CLIENT_PROVIDERS_MAX];
    const struct journal_version *version = &entry->versions[entry->count - 1];
    size_t taken = 0;
    const struct chain_answer *refusal = NULL;
    const struct chain_answer *silence = NULL;
    ret_text[0] = '\0';
    chain_client_call_all(transact->client, "eth_sendRawTransaction",
        json_pack("[o]", json_of_data(span_of(version->raw, version->size))), answers);
    for (size_t i = 0; i < chain_client_count(transact->client); i++) {
        struct chain_answer *answer = &answers[i];
        check_hash(answer, &version->hash);
        if (answer->verdict == CHAIN_RESULT || has_it_already(answer) || calls_nonce_used(answer)) {
            taken++;
        } else if (is_unknown(answer)) {
            silence = answer;
        } else if (answer->verdict != CHAIN_LEFT_OUT) {
            refusal = answer;
        }
    }
    enum sending sending = taken > 0         ? SENDING_TAKEN
                           : silence != NULL ? SENDING_UNKNOWN
                                             : SENDING_REFUSED;
    const struct chain_answer *worst = silence != NULL ? silence : refusal;
    if (taken == 0 && worst != NULL) {
        describe(transact, worst, ret_text);
    }
    for (size_t i = 0; i < CHAIN_CLIENT_PROVIDERS_MAX; i++) {
        chain_answer_clear(&answers[i]);
    }
    return sending;
}

// --- receipts ---

static bool read_receipt(const json_t *json, const struct journal_version *version,
    struct transact_receipt *ret, bool *ret_succeeded)
{
    uint64_t status = 0;
    uint64_t price = 0;
    struct wei data_fee = {0};
    struct hash256 hash;
    struct transact_receipt receipt = {.hash = version->hash};
    if (!json_bytes(json_object_get(json, "transactionHash"), hash.bytes, sizeof hash.bytes) ||
        !hash256_equal(&hash, &version->hash) ||
        !json_quantity(json_object_get(json, "status"), &status) || status > 1 ||
        !json_quantity(json_object_get(json, "blockNumber"), &receipt.block) ||
        !json_quantity(json_object_get(json, "gasUsed"), &receipt.gas_used) ||
        !json_is_array(json_object_get(json, "logs"))) {
        return false;
    }
    (void)json_quantity(json_object_get(json, "effectiveGasPrice"), &price);
    (void)json_wei(json_object_get(json, "l1Fee"), &data_fee); // of OP-stack chains
    receipt.cost = wei_add(wei_multiply(receipt.gas_used, price), data_fee);
    receipt.logs = json_incref(json_object_get(json, "logs"));
    *ret = receipt;
    *ret_succeeded = status == 1;
    return true;
}

// Of two receipts for one transaction: the same block, with the same outcome.
static bool is_same(const json_t *a, const json_t *b)
{
    return json_equal(json_object_get(a, "blockHash"), json_object_get(b, "blockHash")) == 1 &&
           json_equal(json_object_get(a, "status"), json_object_get(b, "status")) == 1;
}

// The receipt on which most of those agree who answer. `*ret_any` if anybody has one.
static bool ask_receipt(struct transact *transact, const struct journal_version *version,
    struct transact_receipt *ret, bool *ret_succeeded, bool *ret_any)
{
    struct chain_answer answers[CHAIN_CLIENT_PROVIDERS_MAX];
    size_t count = chain_client_count(transact->client);
    char hash[67];
    size_t answered = 0;
    bool found = false;
    hash_format(&version->hash, hash);
    chain_client_call_all(
        transact->client, "eth_getTransactionReceipt", json_pack("[s]", hash), answers);
    for (size_t i = 0; i < count; i++) {
        answered += answers[i].verdict == CHAIN_RESULT;
    }
    for (size_t i = 0; i < count && !found; i++) {
        size_t agreed = 0;
        if (!json_is_object(answers[i].result)) {
            continue;
        }
        *ret_any = true;
        for (size_t j = 0; j < count; j++) {
            agreed +=
                json_is_object(answers[j].result) && is_same(answers[i].result, answers[j].result);
        }
        found =
            2 * agreed > answered && read_receipt(answers[i].result, version, ret, ret_succeeded);
    }
    for (size_t i = 0; i < CHAIN_CLIENT_PROVIDERS_MAX; i++) {
        chain_answer_clear(&answers[i]);
    }
    return found;
}

// --- waiting ---

struct wait {
    struct transact *transact;
    const struct journal_entry *entry;
    uint64_t began_ms;
    uint64_t sent_ms;
    uint64_t told_ms;
    uint64_t gone_ms; // since when the nonce is used and no receipt there; 0 = it is not so
    unsigned gone_polls;
    uint64_t head;
    uint64_t confirmations;
    bool shown; // a line that is overwritten stands on the terminal
};

static uint64_t clock_ms(void)
{
    return clock_now().mono.ms;
}

static bool can_overwrite(const struct wait *wait)
{
    return isatty(STDERR_FILENO) == 1 && !wait->transact->cli->arguments.json;
}

static void tell(struct wait *wait)
{
    uint64_t now = clock_ms();
    unsigned elapsed = (unsigned)((now - wait->began_ms) / 1000);
    char line[160];
    if (!can_overwrite(wait) && wait->told_ms != 0 && now - wait->told_ms < TELL_MS) {
        return;
    }
    wait->told_ms = now;
    if (wait->transact->cli->arguments.json) {
        say_event(wait->transact, "waiting",
            json_pack("{s:i, s:I, s:I, s:I}", "elapsed_s", (int)elapsed, "head",
                (json_int_t)wait->head, "confirmations", (json_int_t)wait->confirmations, "wanted",
                (json_int_t)wait->transact->confirmations));
        return;
    }
    int size = snprintf(
        line, sizeof line, "waiting for it to be mined: %u s, block %" PRIu64, elapsed, wait->head);
    if (wait->confirmations > 0) {
        (void)snprintf(line, sizeof line, "mined; %" PRIu64 " of %" PRIu64 " blocks hold it: %u s",
            wait->confirmations, wait->transact->confirmations, elapsed);
    }
    ASSERT(size > 0);
    if (can_overwrite(wait)) {
        (void)fprintf(stderr, "\r\033[K%s", line);
        (void)fflush(stderr);
        wait->shown = true;
    } else {
        warn("%s", line);
    }
}

static void erase(struct wait *wait)
{
    if (wait->shown) {
        (void)fprintf(stderr, "\r\033[K");
        (void)fflush(stderr);
        wait->shown = false;
    }
}

static void ask_head(struct wait *wait)
{
    struct chain_answer answer = {0};
    uint64_t head = 0;
    chain_client_ask(wait->transact->client, "eth_blockNumber", json_array(), &answer);
    if (answer.verdict == CHAIN_RESULT && json_quantity(answer.result, &head)) {
        wait->head = head > wait->head ? head : wait->head;
    }
    chain_answer_clear(&answer);
}

// Whether a quorum says that the nonce is used up. Most of those who answer are not enough: one
// that lies while the others are away would have the transaction forgotten, and made a second time.
static bool is_nonce_used(struct wait *wait)
{
    struct chain_answer answers[CHAIN_CLIENT_PROVIDERS_MAX];
    const struct journal_entry *entry = wait->entry;
    size_t used = 0;
    chain_client_call_all(wait->transact->client, "eth_getTransactionCount",
        json_pack("[o, s]", json_of_eth_address(&entry->sender), "latest"), answers);
    for (size_t i = 0; i < CHAIN_CLIENT_PROVIDERS_MAX; i++) {
        uint64_t count = 0;
        if (answers[i].verdict == CHAIN_RESULT && json_quantity(answers[i].result, &count)) {
            used += count > entry->versions[0].transaction.nonce;
        }
        chain_answer_clear(&answers[i]);
    }
    return used >= chain_client_quorum(wait->transact->client);
}

// True once the nonce has been used for long enough without any receipt of ours.
static bool is_gone(struct wait *wait)
{
    uint64_t now = clock_ms();
    if (!is_nonce_used(wait)) {
        wait->gone_polls = 0;
        return false;
    }
    if (wait->gone_polls++ == 0) {
        wait->gone_ms = now;
    }
    return wait->gone_polls >= GONE_POLLS && now - wait->gone_ms >= GONE_MS;
}

static void send_again(struct wait *wait)
{
    uint64_t now = clock_ms();
    char text[SENDING_TEXT_SIZE];
    if (now - wait->sent_ms < SEND_AGAIN_MS) {
        return;
    }
    wait->sent_ms = now;
    if (wait_send(wait->transact, wait->entry, text) == SENDING_REFUSED) {
        erase(wait);
        warn("sent again, and refused: %s", text);
    }
}

// One look at the chain. True when it is over.
static bool poll_once(struct wait *wait, struct transact_receipt *ret, enum outcome *ret_outcome)
{
    bool any = false;
    bool succeeded = false;
    for (size_t i = wait->entry->count; i > 0; i--) {
        const struct journal_version *version = &wait->entry->versions[i - 1];
        struct transact_receipt receipt;
        if (!ask_receipt(wait->transact, version, &receipt, &succeeded, &any)) {
            continue;
        }
        wait->gone_polls = 0;
        ask_head(wait);
        wait->confirmations = wait->head >= receipt.block ? wait->head - receipt.block + 1 : 1;
        if (wait->confirmations < wait->transact->confirmations) {
            transact_receipt_clear(&receipt);
            return false;
        }
        if (version->transaction.creates) {
            receipt.contract =
                transaction_contract_address(&wait->entry->sender, version->transaction.nonce);
        }
        *ret = receipt;
        *ret_outcome = succeeded ? OUTCOME_MINED : OUTCOME_REVERTED;
        return true;
    }
    if (wait->confirmations > 0) {
        erase(wait);
        warn("its block is not part of the chain any more; waiting for another");
    }
    wait->confirmations = 0;
    ask_head(wait);
    if (!any && is_gone(wait)) {
        *ret_outcome = OUTCOME_REPLACED;
        return true;
    }
    send_again(wait);
    return false;
}

enum outcome wait_for(
    struct transact *transact, const struct journal_entry *entry, struct transact_receipt *ret)
{
    enum outcome outcome = OUTCOME_WAITING;
    uint64_t pause = POLL_MIN_MS;
    struct wait wait = {.transact = transact, .entry = entry, .began_ms = clock_ms()};
    wait.sent_ms = wait.began_ms;
    while (!poll_once(&wait, ret, &outcome)) {
        if (clock_ms() - wait.began_ms >= transact->timeout_ms) {
            break;
        }
        tell(&wait);
        chain_client_pause(pause);
        pause = pause + pause / 2 < POLL_MAX_MS ? pause + pause / 2 : POLL_MAX_MS;
    }
    erase(&wait);
    return outcome;
}

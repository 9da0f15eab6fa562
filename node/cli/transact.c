// SPDX-License-Identifier: GPL-3.0-or-later
//
// The order in which things happen to a transaction. Its one rule: no byte goes to a provider
// before the journal has it, and the journal lets go of it only when its outcome is known.
//
//   none --plan, show, agree, sign--> journal --send--> under way --receipt--> none
//                                        ^                  |
//                                        +--- killed: next command begins here
#include "node/cli/transact_inner.h"

#include "chain/eip55.h"
#include "chain/keccak.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    CONFIRMATIONS_MAX = 10000,
    TIMEOUT_DEFAULT_S = 300,
    TIMEOUT_MAX_S = 24 * 3600,
    INTERRUPTED_EXIT = 130, // as a shell has it for SIGINT
    INTERRUPTED_SIZE = 700,
};

// --- Ctrl-C ---

// What the handler writes; set before it is installed.
static char interrupted_text[INTERRUPTED_SIZE];
static char interrupted_json[INTERRUPTED_SIZE];

static void on_interrupt(int)
{
    // The journal has everything; to end here is as good as to end anywhere.
    (void)!write(STDERR_FILENO, interrupted_text, strlen(interrupted_text));
    (void)!write(STDOUT_FILENO, interrupted_json, strlen(interrupted_json));
    _exit(INTERRUPTED_EXIT);
}

static void watch_interrupts(const struct transact *transact, const struct hash256 *hash)
{
    char text[67];
    static const char advice[] =
        "goes on its way without this command. Run the same command again to wait for it; with "
        "--replace it is sent with higher fees";
    hash_format(hash, text);
    (void)snprintf(interrupted_text, sizeof interrupted_text,
        "\ndeedmesh: interrupted. Transaction %s %s.\n", text, advice);
    interrupted_json[0] = '\0';
    if (transact->cli->arguments.json) {
        (void)snprintf(interrupted_json, sizeof interrupted_json,
            "{\"error\":{\"code\":\"interrupted\",\"message\":\"transaction %s %s\"}}\n", text,
            advice);
    }
    (void)signal(SIGINT, on_interrupt);
    (void)signal(SIGTERM, on_interrupt);
}

static void unwatch_interrupts(void)
{
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
}

// --- signing ---

static int complain_sign(struct transact *transact, enum status status)
{
    return complain(transact->cli, FAILED, "sign", "the signed transaction is not in order: %s",
        status_text(status));
}

// Signs it, and adds it to the entry.
static int sign(
    struct transact *transact, const struct transaction *transaction, struct journal_entry *entry)
{
    uint8_t signature[ECDSA_SIGNATURE_SIZE];
    uint8_t *bytes = malloc(TRANSACTION_MAX);
    ASSERT(bytes != NULL);
    struct writer writer = writer_of(bytes, TRANSACTION_MAX);
    transaction_write(transaction, NULL, &writer);
    ASSERT(writer_finish(&writer) == OK);
    struct signer_request request = {
        .method = SIGN_TRANSACTION,
        .digest = keccak256(writer_written(&writer)),
        .shown = transaction_json(transaction),
    };
    int result = signer_sign(transact->cli, transact->signer, &request, signature);
    json_decref(request.shown);
    if (result == DONE) {
        writer = writer_of(bytes, TRANSACTION_MAX);
        transaction_write(transaction, signature, &writer);
        ASSERT(writer_finish(&writer) == OK);
        enum status status = journal_entry_add(entry, writer_written(&writer));
        if (status == OK && !eth_address_equal(&entry->sender, &transact->sender)) {
            status = ERR_SIGNATURE;
        }
        result = status == OK ? DONE : complain_sign(transact, status);
    }
    free(bytes);
    return result;
}

// --- sending and waiting ---

static int complain_waiting(struct transact *transact, const struct journal_entry *entry)
{
    char hash[67];
    hash_format(&entry->versions[entry->count - 1].hash, hash);
    return complain(transact->cli, TIMED_OUT, "timeout",
        "%s: transaction %s is not mined after %" PRIu64 " s; it is kept. Run the same command "
        "again to go on waiting; with --replace it is sent with higher fees",
        entry->purpose, hash, transact->timeout_ms / 1000);
}

static int complain_replaced(struct transact *transact, const struct journal_entry *entry)
{
    char hash[67];
    char sender[ETH_ADDRESS_TEXT_SIZE];
    hash_format(&entry->versions[entry->count - 1].hash, hash);
    eip55_format(&entry->sender, sender);
    int result = journal_remove(transact->journal);
    return result != DONE
               ? result
               : complain(transact->cli, FAILED, "replaced",
                     "%s: it never happened: transaction %" PRIu64 " of %s is another one, not %s; "
                     "another wallet with this key has sent it. Run the command again if it "
                     "is still wanted",
                     entry->purpose, entry->versions[0].transaction.nonce, sender, hash);
}

static void say_mined(const struct transact *transact, const struct journal_entry *entry,
    const struct transact_receipt *receipt, bool succeeded)
{
    char cost[WEI_TEXT_SIZE];
    char hash[67];
    wei_format(receipt->cost, WEI_OF_ETHER_DIGITS, cost);
    hash_format(&receipt->hash, hash);
    if (!transact->cli->arguments.json) {
        say("%s in block %" PRIu64 "; %" PRIu64 " gas, %s ETH: %s (transaction %s)",
            succeeded ? "Mined" : "REVERTED", receipt->block, receipt->gas_used, cost,
            entry->purpose, hash);
    }
    json_t *members = transact_receipt_json(receipt);
    (void)json_object_set_new(members, "purpose", json_string(entry->purpose));
    say_event(transact, succeeded ? "mined" : "reverted", members);
}

// Waits for the entry, and says what came of it. DONE: it was mined, `*ret_succeeded` or not, and
// stays in the journal until the caller removes it.
static int await(struct transact *transact, const struct journal_entry *entry,
    struct transact_receipt *ret, bool *ret_succeeded)
{
    switch (wait_for(transact, entry, ret)) {
    case OUTCOME_MINED:
        *ret_succeeded = true;
        break;
    case OUTCOME_REVERTED:
        *ret_succeeded = false;
        break;
    case OUTCOME_REPLACED:
        return complain_replaced(transact, entry);
    case OUTCOME_WAITING:
        return complain_waiting(transact, entry);
    }
    say_mined(transact, entry, ret, *ret_succeeded);
    return DONE;
}

static void say_sent(const struct transact *transact, const struct journal_entry *entry)
{
    const struct journal_version *version = &entry->versions[entry->count - 1];
    char hash[67];
    hash_format(&version->hash, hash);
    if (!transact->cli->arguments.json) {
        say("Sent: transaction %s", hash);
        (void)fflush(stdout);
    }
    say_event(transact, "sent",
        json_pack("{s:s, s:I, s:s}", "hash", hash, "nonce", (json_int_t)version->transaction.nonce,
            "purpose", entry->purpose));
}

// Sends what the journal holds. A refusal by all is final only for what was never sent before.
static int send(struct transact *transact, const struct journal_entry *entry, bool first)
{
    char text[SENDING_TEXT_SIZE];
    switch (wait_send(transact, entry, text)) {
    case SENDING_TAKEN:
        break;
    case SENDING_UNKNOWN:
        warn("%s; whether it took the transaction is not known, so it will be sent again", text);
        break;
    case SENDING_REFUSED:
        if (!first) {
            warn("sent again, and refused: %s", text);
            break;
        }
        int result = journal_remove(transact->journal);
        return result != DONE ? result
                              : complain(transact->cli, FAILED, "refused", "%s; nothing was sent",
                                    text[0] != '\0' ? text : "no provider");
    }
    say_sent(transact, entry);
    return DONE;
}

// --- what was under way ---

// An eighth more, at least 1 wei: what pools ask for to let one transaction take another's place.
static uint64_t raise_fee(uint64_t fee)
{
    uint64_t more = fee / 8 + 1;
    return fee > UINT64_MAX - more ? UINT64_MAX : fee + more;
}

static int agree(const struct transact *transact)
{
    if (transact->cli->arguments.yes || confirm("Send it?")) {
        return DONE;
    }
    return complain(transact->cli, FAILED, "declined",
        "nothing was sent; answer y, or give --yes where there is no terminal");
}

// A new version of the entry, with higher fees.
static int replace(struct transact *transact)
{
    struct journal_entry *entry = &transact->entry;
    const struct transaction *old = &entry->versions[entry->count - 1].transaction;
    struct transaction fresh = *old;
    char fee[WEI_TEXT_SIZE];
    uint64_t base = 0;
    if (entry->count == JOURNAL_VERSIONS_MAX) {
        return complain(transact->cli, FAILED, "full",
            "its fees were raised %d times already; go on waiting without --replace",
            JOURNAL_VERSIONS_MAX - 1);
    }
    if (!eth_address_equal(&transact->sender, &entry->sender)) {
        return complain(transact->cli, FAILED, "wrong_signer",
            "--replace: what is under way is another account's; sign with that one's key");
    }
    int result = plan_fees(transact, &fresh, &base);
    if (result != DONE) {
        return result;
    }
    uint64_t priority = raise_fee(old->priority_fee);
    uint64_t max = raise_fee(old->max_fee);
    fresh.priority_fee = fresh.priority_fee > priority ? fresh.priority_fee : priority;
    fresh.max_fee = fresh.max_fee > max ? fresh.max_fee : max;
    if (transact->fee_cap > 0 && fresh.max_fee > transact->fee_cap) {
        wei_format(wei_of(fresh.max_fee), WEI_OF_GWEI_DIGITS, fee);
        return complain(transact->cli, FAILED, "fee",
            "to replace it takes at least %s gwei a gas, more than --max-fee", fee);
    }
    wei_format(wei_of(fresh.max_fee), WEI_OF_GWEI_DIGITS, fee);
    warn("%s: to be sent again with the same number, now for at most %s gwei a gas", entry->purpose,
        fee);
    result = agree(transact);
    if (result == DONE) {
        result = sign(transact, &fresh, entry);
    }
    return result == DONE ? journal_write(transact->journal, entry) : result;
}

// Brings what the journal holds to its end. What came of it stays in `transact`, and the journal
// has it still: if this command is the same, its user has yet to be told.
static int settle(struct transact *transact)
{
    struct journal_entry *entry = &transact->entry;
    char when[DURATION_TEXT_SIZE];
    bool succeeded = false;
    date_format(entry->created_s, when);
    warn("going on with what was under way since %s: %s", when, entry->purpose);
    int result = transact->cli->arguments.replace ? replace(transact) : DONE;
    if (result != DONE) {
        return result;
    }
    watch_interrupts(transact, &entry->versions[entry->count - 1].hash);
    result = send(transact, entry, false);
    if (result == DONE) {
        result = await(transact, entry, &transact->settled, &succeeded);
    }
    unwatch_interrupts();
    transact->has_settled = result == DONE && succeeded;
    transact->reverted = result == DONE && !succeeded;
    return result;
}

static bool is_settled_call(const struct transact *transact, const struct transact_call *call)
{
    if (!transact->has_settled && !transact->reverted) {
        return false;
    }
    const struct transaction *transaction = &transact->entry.versions[0].transaction;
    return transaction->creates == call->creates &&
           (call->creates || eth_address_equal(&transaction->to, &call->to)) &&
           span_equal(transaction->data, call->data) &&
           eth_address_equal(&transact->entry.sender, &transact->sender);
}

// --- opening ---

static int take_options(struct transact *transact)
{
    const struct arguments *arguments = &transact->cli->arguments;
    uint64_t timeout_s = 0;
    if (!number_option(transact->cli, "--confirmations", arguments->confirmations, 1,
            CONFIRMATIONS_MAX, 1, &transact->confirmations) ||
        !number_option(transact->cli, "--timeout", arguments->timeout, 1, TIMEOUT_MAX_S,
            TIMEOUT_DEFAULT_S, &timeout_s)) {
        return USAGE_ERROR;
    }
    transact->timeout_ms = timeout_s * 1000;
    if (arguments->max_fee != NULL && (wei_parse(span_of_text(arguments->max_fee),
                                           WEI_OF_GWEI_DIGITS, &transact->fee_cap) != OK ||
                                          transact->fee_cap == 0)) {
        return complain(transact->cli, USAGE_ERROR, "usage",
            "--max-fee %s: expected gwei a gas, e.g. 0.5", arguments->max_fee);
    }
    return DONE;
}

static int begin(struct transact *transact, uint64_t chain_id)
{
    struct cli *cli = transact->cli;
    int result = take_options(transact);
    if (result == DONE) {
        result = journal_open(cli, &transact->journal);
    }
    if (result == DONE) {
        result = journal_read(transact->journal, &transact->entry);
    }
    if (result != DONE) {
        return result;
    }
    bool waits = transact->entry.count > 0;
    uint64_t other = waits ? transact->entry.versions[0].transaction.chain_id : chain_id;
    if (other != chain_id) {
        return complain(cli, FAILED, "busy",
            "a transaction on chain %" PRIu64 " is under way: %s; run the command that sent it "
            "again to bring it to its end, or use another instance (-i)",
            other, transact->entry.purpose);
    }
    if (!waits && cli->arguments.replace) {
        return complain(
            cli, FAILED, "nothing", "--replace: no transaction of %s is under way", cli->instance);
    }
    result = chain_client_open(cli, chain_id, &transact->client);
    if (result == DONE && waits && cli->arguments.dry_run) {
        warn("under way, and left alone for --dry-run: %s", transact->entry.purpose);
        waits = false;
    }
    // A replacement is signed; to wait is not.
    bool settle_first = waits && !cli->arguments.replace;
    if (result == DONE && settle_first) {
        result = settle(transact);
    }
    if (result == DONE) {
        result = signer_open(cli, &transact->signer);
    }
    if (result == DONE) {
        transact->sender = signer_address(transact->signer);
    }
    if (result == DONE && waits && !settle_first) {
        result = settle(transact);
    }
    return result;
}

int transact_open(struct cli *cli, uint64_t chain_id, struct transact **ret)
{
    struct transact *transact = calloc(1, sizeof *transact);
    ASSERT(transact != NULL);
    transact->cli = cli;
    int result = begin(transact, chain_id);
    if (result != DONE) {
        transact_close(transact);
        return result;
    }
    *ret = transact;
    return DONE;
}

void transact_close(struct transact *transact)
{
    if (transact != NULL) {
        transact_receipt_clear(&transact->settled);
        journal_entry_clear(&transact->entry);
        signer_close(transact->signer);
        chain_client_close(transact->client);
        journal_close(transact->journal);
        free(transact);
    }
}

struct chain_client *transact_client(const struct transact *transact)
{
    return transact->client;
}

struct eth_address transact_sender(const struct transact *transact)
{
    return transact->sender;
}

// --- running ---

static int complain_reverted(struct transact *transact, const struct transact_call *call)
{
    return complain(transact->cli, FAILED, "reverted",
        "%s: the transaction was mined, and the contract refused it: what it needed changed in "
        "between; its gas is paid, nothing else happened",
        call->purpose);
}

// Signed, and in the journal, before the first byte goes out.
static int launch(struct transact *transact, const struct transact_call *call,
    const struct transaction *transaction, struct transact_receipt *ret)
{
    struct journal_entry entry = {.created_s = (uint64_t)time(NULL)};
    bool succeeded = false;
    (void)snprintf(entry.purpose, sizeof entry.purpose, "%s", call->purpose);
    int result = sign(transact, transaction, &entry);
    if (result == DONE) {
        watch_interrupts(transact, &entry.versions[0].hash);
        result = journal_write(transact->journal, &entry);
    }
    if (result == DONE) {
        result = send(transact, &entry, true);
    }
    if (result == DONE) {
        result = await(transact, &entry, ret, &succeeded);
    }
    if (result == DONE) {
        result = journal_remove(transact->journal);
    }
    unwatch_interrupts();
    journal_entry_clear(&entry);
    return result == DONE && !succeeded ? complain_reverted(transact, call) : result;
}

int transact_run(
    struct transact *transact, const struct transact_call *call, struct transact_receipt *ret)
{
    struct plan plan;
    *ret = (struct transact_receipt){0};
    bool same = is_settled_call(transact, call);
    bool succeeded = transact->has_settled;
    int result = DONE;
    if (same) {
        *ret = transact->settled;
        transact->settled = (struct transact_receipt){0};
    }
    if (transact->has_settled || transact->reverted) {
        transact->has_settled = false;
        transact->reverted = false;
        result = journal_remove(transact->journal);
    }
    if (result != DONE || same) {
        return result == DONE && !succeeded ? complain_reverted(transact, call) : result;
    }
    result = plan_make(transact, call, &plan);
    if (result != DONE) {
        return result;
    }
    plan_say(transact, call, &plan);
    if (transact->cli->arguments.dry_run) {
        ret->dry_run = true;
        if (!transact->cli->arguments.json) {
            say("Nothing was sent (--dry-run).");
        }
        return DONE;
    }
    result = agree(transact);
    return result == DONE ? launch(transact, call, &plan.transaction, ret) : result;
}

void transact_receipt_clear(struct transact_receipt *receipt)
{
    json_decref(receipt->logs);
    *receipt = (struct transact_receipt){0};
}

json_t *transact_receipt_json(const struct transact_receipt *receipt)
{
    char hash[67];
    char cost[WEI_TEXT_SIZE];
    hash_format(&receipt->hash, hash);
    wei_format(receipt->cost, 0, cost);
    return json_pack("{s:s, s:I, s:I, s:s}", "hash", hash, "block", (json_int_t)receipt->block,
        "gas_used", (json_int_t)receipt->gas_used, "cost_wei", cost);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// What is said about transactions: what will be sent, read back from the call data itself, and why
// a contract refuses.
#include "node/cli/transact_inner.h"

#include "base/text.h"
#include "chain/call.h"
#include "chain/eip55.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    VALUE_TEXT_SIZE = 300,
};

void hash_format(const struct hash256 *hash, char ret[static 67])
{
    ret[0] = '0';
    ret[1] = 'x';
    hex_format(span_of(hash->bytes, sizeof hash->bytes), ret + 2);
}

static void value_format(
    enum call_type type, const struct call_value *value, char ret[static VALUE_TEXT_SIZE])
{
    switch (type) {
    case CALL_ADDRESS:
        eip55_format(&value->address, ret);
        break;
    case CALL_NUMBER:
        token_id_format(&value->number, ret);
        break;
    case CALL_TEXT:
        (void)snprintf(ret, VALUE_TEXT_SIZE, "%.*s",
            value->text.size < VALUE_TEXT_SIZE ? (int)value->text.size : VALUE_TEXT_SIZE - 1,
            (const char *)value->text.data);
        break;
    case CALL_BYTES:
        (void)snprintf(ret, VALUE_TEXT_SIZE, "%zu bytes", value->text.size);
        break;
    }
}

// --- reverts ---

// What the user can do about the errors that he meets most.
static const char *advice(const char *name)
{
    static const struct {
        const char *name;
        const char *text;
    } all[] = {
        {"NotContractOwner", ": only the contract's owner may do this; sign with that account"},
        {"NotTokenOwner", ": only the token's owner may do this; sign with that account"},
        {"NodeIdTaken", ": that token has this node id already; choose another --node-id"},
        {"NodeIdSize", ": a node id has 1 to 255 bytes"},
        {"PublicKeySize", ": a WireGuard key has 44 characters of base64"},
        {"NotActive", ": it has been revoked, for good"},
        {"ERC721NonexistentToken", ": there is no such token"},
        {"ERC721IncorrectOwner", ": another account owns the token; sign with that one"},
        {"ERC721InsufficientApproval",
            ": this account neither owns the token nor may act for its owner"},
        {"ERC721InvalidReceiver", ": the receiver cannot hold tokens: the zero address, or a "
                                  "contract that does not take them"},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(all[i].name, name) == 0) {
            return all[i].text;
        }
    }
    return "";
}

static void append(char *text, size_t size, const char *more)
{
    size_t used = strlen(text);
    (void)snprintf(text + used, size - used, "%s", more);
}

void revert_format(struct span data, char ret[static REVERT_TEXT_SIZE])
{
    const struct call_form *form = NULL;
    struct call_value values[CALL_ARGUMENTS_MAX];
    char value[VALUE_TEXT_SIZE];
    uint64_t code = 0;
    ret[0] = '\0';
    if (data.size == 0) {
        append(ret, REVERT_TEXT_SIZE, "it gives no reason");
        return;
    }
    if (call_read(data, call_errors, &form, values) != OK) {
        char selector[2 * CALL_SELECTOR_SIZE + 1] = "";
        hex_format(span_of(data.data, data.size < 4 ? data.size : 4), selector);
        (void)snprintf(ret, REVERT_TEXT_SIZE, "an error that is not known here, 0x%s...", selector);
        return;
    }
    if (strcmp(form->name, "Error") == 0) {
        value_format(CALL_TEXT, &values[0], value);
        (void)snprintf(ret, REVERT_TEXT_SIZE, "\"%s\"", value);
        return;
    }
    if (strcmp(form->name, "Panic") == 0 && token_id_to_u64(&values[0].number, &code) &&
        call_panic_text(code) != NULL) {
        (void)snprintf(
            ret, REVERT_TEXT_SIZE, "%s (Panic 0x%02" PRIx64 ")", call_panic_text(code), code);
        return;
    }
    append(ret, REVERT_TEXT_SIZE, form->name);
    for (size_t i = 0; i < form->count; i++) {
        value_format(form->arguments[i].type, &values[i], value);
        append(ret, REVERT_TEXT_SIZE, i == 0 ? "(" : ", ");
        append(ret, REVERT_TEXT_SIZE, form->arguments[i].name);
        append(ret, REVERT_TEXT_SIZE, " ");
        append(ret, REVERT_TEXT_SIZE, value);
    }
    append(ret, REVERT_TEXT_SIZE, ")");
    append(ret, REVERT_TEXT_SIZE, advice(form->name));
}

// --- plans ---

json_t *transaction_json(const struct transaction *transaction)
{
    char value[WEI_TEXT_SIZE];
    wei_format(transaction->value, 0, value);
    ASSERT(transaction->value.high == 0); // verbs send none
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:[]}", "type", "0x2",
        "chainId", json_of_quantity(transaction->chain_id), "nonce",
        json_of_quantity(transaction->nonce), "maxPriorityFeePerGas",
        json_of_quantity(transaction->priority_fee), "maxFeePerGas",
        json_of_quantity(transaction->max_fee), "gas", json_of_quantity(transaction->gas), "to",
        transaction->creates ? json_null() : json_of_eth_address(&transaction->to), "value",
        json_of_quantity(transaction->value.low), "data", json_of_data(transaction->data),
        "accessList");
}

void say_event(const struct transact *transact, const char *name, json_t *members)
{
    if (!transact->cli->arguments.json) {
        json_decref(members);
        return;
    }
    json_t *event = json_pack("{s:s}", "event", name);
    (void)json_object_update(event, members);
    json_decref(members);
    print_json(event);
}

static void gwei_format(uint64_t fee, char ret[static WEI_TEXT_SIZE])
{
    wei_format(wei_of(fee), WEI_OF_GWEI_DIGITS, ret);
}

// The function and its arguments, from the bytes that will be signed.
static void say_call(const struct transaction *transaction)
{
    const struct call_form *form = NULL;
    struct call_value values[CALL_ARGUMENTS_MAX];
    char address[ETH_ADDRESS_TEXT_SIZE];
    eip55_format(&transaction->to, address);
    if (transaction->creates) {
        say("  creates    a contract, %zu bytes of code", transaction->data.size);
        return;
    }
    say("  contract   %s", address);
    if (call_read(transaction->data, call_functions, &form, values) != OK) {
        say("  data       %zu bytes", transaction->data.size);
        return;
    }
    say("  function   %s", form->name);
    for (size_t i = 0; i < form->count; i++) {
        char value[VALUE_TEXT_SIZE];
        value_format(form->arguments[i].type, &values[i], value);
        say("               %-19s %s", form->arguments[i].name,
            value[0] != '\0' ? value : "(empty)");
    }
}

static void say_cost(const struct plan *plan)
{
    const struct transaction *transaction = &plan->transaction;
    char max[WEI_TEXT_SIZE];
    char priority[WEI_TEXT_SIZE];
    char base[WEI_TEXT_SIZE];
    char cost[WEI_TEXT_SIZE];
    char data_fee[WEI_TEXT_SIZE];
    gwei_format(transaction->max_fee, max);
    gwei_format(transaction->priority_fee, priority);
    gwei_format(plan->base_fee, base);
    wei_format(transaction_cost_max(transaction), WEI_OF_ETHER_DIGITS, cost);
    wei_format(plan->data_fee, WEI_OF_ETHER_DIGITS, data_fee);
    say("  value      0 ETH");
    say("  gas        at most %" PRIu64 " (estimated %" PRIu64 ")", transaction->gas,
        plan->gas_estimate);
    say("  fee        at most %s gwei a gas, %s of it for priority; the base fee is %s", max,
        priority, base);
    say("  cost       at most %s ETH", cost);
    if (wei_compare(plan->data_fee, wei_of(0)) > 0) {
        say("             and about %s ETH for its data on layer 1", data_fee);
    }
}

static json_t *plan_json(
    const struct transact *transact, const struct transact_call *call, const struct plan *plan)
{
    char sender[ETH_ADDRESS_TEXT_SIZE];
    char cost[WEI_TEXT_SIZE];
    char data_fee[WEI_TEXT_SIZE];
    eip55_format(&transact->sender, sender);
    wei_format(transaction_cost_max(&plan->transaction), 0, cost);
    wei_format(plan->data_fee, 0, data_fee);
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "purpose", call->purpose, "from", sender,
        "cost_max_wei", cost, "data_fee_wei", data_fee, "transaction",
        transaction_json(&plan->transaction));
}

void plan_say(
    const struct transact *transact, const struct transact_call *call, const struct plan *plan)
{
    char sender[ETH_ADDRESS_TEXT_SIZE];
    char balance[WEI_TEXT_SIZE];
    if (call->warning != NULL) {
        warn("%s", call->warning);
    }
    if (plan->waiting > 0) {
        warn("%" PRIu64 " other transactions of this account are not mined yet; this one comes "
             "after them",
            plan->waiting);
    }
    if (transact->cli->arguments.json) {
        say_event(transact, "plan", plan_json(transact, call, plan));
        return;
    }
    eip55_format(&transact->sender, sender);
    wei_format(plan->balance, WEI_OF_ETHER_DIGITS, balance);
    say("A transaction on chain %" PRIu64 ": %s", plan->transaction.chain_id, call->purpose);
    say("  from       %s (%s ETH), its number %" PRIu64, sender, balance, plan->transaction.nonce);
    say_call(&plan->transaction);
    say_cost(plan);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a transaction will be: nonce, fees, gas; and whether it may be at all. Nothing here decides
// on trust: a provider that lies can at most make the user refuse, or pay what he agreed to. Fees
// are the median of what the providers say.
#include "node/cli/transact_inner.h"

#include "chain/call.h"
#include "chain/eip55.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    HISTORY_BLOCKS = 5,
    GAS_MARGIN_PART = 5,      // a fifth more than estimated: state may change before it is mined
    DATA_FEE_MARGIN_PART = 4, // layer 1's fees move, too
};

// --- numbers from providers ---

// Sorts what providers said, and takes the middle; of two the lower.
static uint64_t median(uint64_t *values, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = i; j > 0 && values[j - 1] > values[j]; j--) {
            uint64_t swapped = values[j];
            values[j] = values[j - 1];
            values[j - 1] = swapped;
        }
    }
    return values[(count - 1) / 2];
}

static void clear(struct chain_answer answers[static CHAIN_CLIENT_PROVIDERS_MAX])
{
    for (size_t i = 0; i < CHAIN_CLIENT_PROVIDERS_MAX; i++) {
        chain_answer_clear(&answers[i]);
    }
}

// The greatest number of transactions that any provider knows of: one may lag behind. False if
// none answers; `*ret_failure` is an answer to complain about then.
static bool count_transactions(
    struct transact *transact, const char *block, uint64_t *ret, struct chain_answer *ret_failure)
{
    struct chain_answer answers[CHAIN_CLIENT_PROVIDERS_MAX];
    size_t count = chain_client_count(transact->client);
    bool found = false;
    *ret = 0;
    chain_client_call_all(transact->client, "eth_getTransactionCount",
        json_pack("[o, s]", json_of_eth_address(&transact->sender), block), answers);
    for (size_t i = 0; i < count; i++) {
        uint64_t number = 0;
        if (answers[i].verdict == CHAIN_RESULT && json_quantity(answers[i].result, &number)) {
            found = true;
            *ret = number > *ret ? number : *ret;
        }
    }
    if (!found) {
        *ret_failure = answers[0];
        answers[0] = (struct chain_answer){0};
    }
    clear(answers);
    return found;
}

static int plan_nonce(struct transact *transact, struct plan *plan)
{
    struct chain_answer failure = {0};
    uint64_t mined = 0;
    uint64_t pending = 0;
    if (!count_transactions(transact, "latest", &mined, &failure) ||
        !count_transactions(transact, "pending", &pending, &failure)) {
        int result = chain_client_complain(transact->client, &failure, "the account's nonce");
        chain_answer_clear(&failure);
        return result;
    }
    plan->transaction.nonce = pending > mined ? pending : mined;
    plan->waiting = plan->transaction.nonce - mined;
    return DONE;
}

// --- fees ---

// The next block's base fee, and what was paid on top lately.
static bool read_history(const json_t *result, uint64_t *ret_base, uint64_t *ret_priority)
{
    uint64_t rewards[HISTORY_BLOCKS];
    size_t count = 0;
    const json_t *fees = json_object_get(result, "baseFeePerGas");
    const json_t *blocks = json_object_get(result, "reward");
    size_t last = json_array_size(fees);
    if (last == 0 || !json_quantity(json_array_get(fees, last - 1), ret_base)) {
        return false;
    }
    for (size_t i = 0; i < json_array_size(blocks) && count < HISTORY_BLOCKS; i++) {
        count += json_quantity(json_array_get(json_array_get(blocks, i), 0), &rewards[count]);
    }
    *ret_priority = count > 0 ? median(rewards, count) : 0;
    return true;
}

static uint64_t suggested_priority(struct transact *transact)
{
    struct chain_answer answers[CHAIN_CLIENT_PROVIDERS_MAX];
    uint64_t priorities[CHAIN_CLIENT_PROVIDERS_MAX];
    size_t count = 0;
    chain_client_call_all(transact->client, "eth_maxPriorityFeePerGas", json_array(), answers);
    for (size_t i = 0; i < chain_client_count(transact->client); i++) {
        count += answers[i].verdict == CHAIN_RESULT &&
                 json_quantity(answers[i].result, &priorities[count]);
    }
    clear(answers);
    return count > 0 ? median(priorities, count) : 0;
}

static int complain_no_market(struct transact *transact, struct chain_answer *answers)
{
    const struct chain_answer *answer = &answers[0];
    if (answer->verdict != CHAIN_RESULT) {
        return chain_client_complain(transact->client, answer, "the chain's fees");
    }
    return complain(transact->cli, FAILED, "unsupported",
        "chain %" PRIu64 " has no fee market (EIP-1559), and this program sends no other "
        "transactions",
        chain_client_chain_id(transact->client));
}

int plan_fees(struct transact *transact, struct transaction *transaction, uint64_t *ret_base_fee)
{
    struct chain_answer answers[CHAIN_CLIENT_PROVIDERS_MAX];
    uint64_t bases[CHAIN_CLIENT_PROVIDERS_MAX];
    uint64_t priorities[CHAIN_CLIENT_PROVIDERS_MAX];
    size_t count = 0;
    chain_client_call_all(transact->client, "eth_feeHistory",
        json_pack("[o, s, [i]]", json_of_quantity(HISTORY_BLOCKS), "latest", 50), answers);
    for (size_t i = 0; i < chain_client_count(transact->client); i++) {
        count += answers[i].verdict == CHAIN_RESULT &&
                 read_history(answers[i].result, &bases[count], &priorities[count]);
    }
    int result = count > 0 ? DONE : complain_no_market(transact, answers);
    clear(answers);
    if (result != DONE) {
        return result;
    }
    uint64_t base = median(bases, count);
    uint64_t priority = median(priorities, count);
    if (priority == 0) {
        priority = suggested_priority(transact);
    }
    // Twice the base fee lasts for six full blocks, each of which raises it by an eighth.
    struct wei wide = wei_add(wei_multiply(base, 2), wei_of(priority));
    uint64_t max = wide.high == 0 ? wide.low : UINT64_MAX;
    if (transact->fee_cap > 0 && transact->fee_cap < base) {
        char text[WEI_TEXT_SIZE];
        wei_format(wei_of(base), WEI_OF_GWEI_DIGITS, text);
        return complain(transact->cli, FAILED, "fee",
            "the chain asks %s gwei a gas now, more than --max-fee %s; nothing was sent", text,
            transact->cli->arguments.max_fee);
    }
    max = transact->fee_cap > 0 && transact->fee_cap < max ? transact->fee_cap : max;
    transaction->max_fee = max;
    transaction->priority_fee = priority < max ? priority : max;
    *ret_base_fee = base;
    return DONE;
}

// --- whether it works ---

static json_t *call_object(const struct transact *transact, const struct transact_call *call)
{
    json_t *object = json_pack("{s:o, s:o}", "from", json_of_eth_address(&transact->sender), "data",
        json_of_data(call->data));
    if (!call->creates) {
        (void)json_object_set_new(object, "to", json_of_eth_address(&call->to));
    }
    return object;
}

// A call of an address without code succeeds and does nothing.
static int check_code(
    struct transact *transact, const struct transact_call *call, uint8_t **ret, size_t *ret_size)
{
    struct chain_answer answer = {0};
    char text[ETH_ADDRESS_TEXT_SIZE];
    int result = DONE;
    chain_client_ask(transact->client, "eth_getCode",
        json_pack("[o, s]", json_of_eth_address(&call->to), "latest"), &answer);
    eip55_format(&call->to, text);
    if (answer.verdict != CHAIN_RESULT || !json_data(answer.result, ret, ret_size)) {
        result = chain_client_complain(transact->client, &answer, "the contract's code");
    } else if (*ret_size == 0) {
        result = complain(transact->cli, FAILED, "no_contract",
            "there is no contract at %s on chain %" PRIu64 "; nothing was sent", text,
            chain_client_chain_id(transact->client));
    }
    chain_answer_clear(&answer);
    return result;
}

// Whether the code mentions the function; a proxy's does not.
static bool mentions(struct span code, struct span call)
{
    return code.size > 0 && call.size >= CALL_SELECTOR_SIZE &&
           memmem(code.data, code.size, call.data, CALL_SELECTOR_SIZE) != NULL;
}

static int complain_revert(struct transact *transact, const struct transact_call *call,
    const struct chain_answer *answer, struct span code)
{
    char reason[REVERT_TEXT_SIZE];
    const struct call_form *form = NULL;
    struct call_value values[CALL_ARGUMENTS_MAX];
    revert_format(span_of(answer->data, answer->size), reason);
    if (answer->size == 0 && !call->creates &&
        call_read(call->data, call_functions, &form, values) == OK && !mentions(code, call->data)) {
        char address[ETH_ADDRESS_TEXT_SIZE];
        eip55_format(&call->to, address);
        return complain(transact->cli, FAILED, "no_function",
            "the contract %s has no function %s (only those of the profile dstack-access do); "
            "nothing was sent",
            address, form->name);
    }
    return complain(transact->cli, FAILED, "reverted",
        "%s: the contract refuses it: %s; nothing was sent", call->purpose, reason);
}

static int estimate(struct transact *transact, const struct transact_call *call, struct plan *plan,
    struct span code)
{
    struct chain_answer answer = {0};
    int result = DONE;
    // First as a call: not every provider tells why an estimate fails.
    chain_client_ask(transact->client, "eth_call",
        json_pack("[o, s]", call_object(transact, call), "latest"), &answer);
    if (answer.verdict == CHAIN_RESULT) {
        chain_answer_clear(&answer);
        chain_client_ask(transact->client, "eth_estimateGas",
            json_pack("[o]", call_object(transact, call)), &answer);
    }
    if (answer.verdict == CHAIN_REVERTED) {
        result = complain_revert(transact, call, &answer, code);
    } else if (answer.verdict != CHAIN_RESULT ||
               !json_quantity(answer.result, &plan->gas_estimate)) {
        result = chain_client_complain(transact->client, &answer, "how much gas it takes");
    }
    chain_answer_clear(&answer);
    plan->transaction.gas = plan->gas_estimate + plan->gas_estimate / GAS_MARGIN_PART;
    return result;
}

// --- whether it can be paid ---

// OP-stack chains take a fee for the bytes, too, and have a contract that tells it. Elsewhere there
// is none at its address.
static struct wei ask_data_fee(struct transact *transact, const struct transaction *transaction)
{
    struct wei fee = {0};
    struct chain_answer answer = {0};
    uint8_t *raw = malloc(TRANSACTION_MAX);
    uint8_t *data = malloc(TRANSACTION_MAX + 256);
    ASSERT(raw != NULL && data != NULL);
    struct writer writer = writer_of(raw, TRANSACTION_MAX);
    transaction_write(transaction, NULL, &writer);
    ASSERT(writer_finish(&writer) == OK);
    const struct call_value value = {.text = writer_written(&writer)};
    struct writer call = writer_of(data, TRANSACTION_MAX + 256);
    call_write(&call_l1_fee, &value, &call);
    ASSERT(writer_finish(&call) == OK);
    chain_client_ask(transact->client, "eth_call",
        json_pack("[{s:o, s:o}, s]", "to", json_of_eth_address(&call_l1_fee_oracle), "data",
            json_of_data(writer_written(&call)), "latest"),
        &answer);
    uint8_t word[32];
    if (answer.verdict == CHAIN_RESULT && json_bytes(answer.result, word, sizeof word)) {
        fee = wei_of_bytes(span_of(word, sizeof word));
        fee = wei_add(fee, wei_of(fee.low / DATA_FEE_MARGIN_PART));
    }
    chain_answer_clear(&answer);
    free(data);
    free(raw);
    return fee;
}

static int check_balance(struct transact *transact, struct plan *plan)
{
    struct chain_answer answer = {0};
    chain_client_ask(transact->client, "eth_getBalance",
        json_pack("[o, s]", json_of_eth_address(&transact->sender), "latest"), &answer);
    int result = DONE;
    if (answer.verdict != CHAIN_RESULT || !json_wei(answer.result, &plan->balance)) {
        result = chain_client_complain(transact->client, &answer, "the account's balance");
    }
    chain_answer_clear(&answer);
    struct wei cost = wei_add(transaction_cost_max(&plan->transaction), plan->data_fee);
    if (result == DONE && wei_compare(plan->balance, cost) < 0) {
        char has[WEI_TEXT_SIZE];
        char wants[WEI_TEXT_SIZE];
        char sender[ETH_ADDRESS_TEXT_SIZE];
        wei_format(plan->balance, WEI_OF_ETHER_DIGITS, has);
        wei_format(cost, WEI_OF_ETHER_DIGITS, wants);
        eip55_format(&transact->sender, sender);
        result = complain(transact->cli, FAILED, "balance",
            "%s has %s ETH on chain %" PRIu64 " and this may cost up to %s ETH; nothing was sent. "
            "Send it some, or lower the price with --max-fee",
            sender, has, chain_client_chain_id(transact->client), wants);
    }
    return result;
}

int plan_make(struct transact *transact, const struct transact_call *call, struct plan *ret)
{
    uint8_t *code = NULL;
    size_t size = 0;
    *ret = (struct plan){0};
    ret->transaction = (struct transaction){
        .chain_id = chain_client_chain_id(transact->client),
        .creates = call->creates,
        .to = call->to,
        .data = call->data,
    };
    int result = call->creates ? DONE : check_code(transact, call, &code, &size);
    if (result == DONE) {
        result = estimate(transact, call, ret, span_of(code, size));
    }
    free(code);
    if (result == DONE) {
        result = plan_nonce(transact, ret);
    }
    if (result == DONE) {
        result = plan_fees(transact, &ret->transaction, &ret->base_fee);
    }
    if (result != DONE) {
        return result;
    }
    ret->data_fee = ask_data_fee(transact, &ret->transaction);
    return check_balance(transact, ret);
}

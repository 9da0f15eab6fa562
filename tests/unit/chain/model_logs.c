// SPDX-License-Identifier: GPL-3.0-or-later
//
// The model chain's event logs: each change of owner is a Transfer; others are put in by tests.
#include "tests/unit/chain/model.h"

#include "base/text.h"
#include "chain/logs.h"

#include "tests/unit/unit.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *hex_of(const uint8_t *bytes, size_t size)
{
    char text[2 + 2 * 32 + 1] = "0x";
    assert_true(size <= 32);
    hex_format(span_of(bytes, size), text + 2);
    return json_string(text);
}

static json_t *topic_of_u64(uint64_t value)
{
    struct token_id word = token_id_of_u64(value);
    return hex_of(word.bytes, sizeof word.bytes);
}

static json_t *topic_of_address(const struct eth_address *address)
{
    uint8_t word[32] = {0};
    memcpy(word + 12, address->bytes, sizeof address->bytes);
    return hex_of(word, sizeof word);
}

static json_t *number_of(uint64_t value)
{
    char text[24];
    (void)snprintf(text, sizeof text, "0x%" PRIx64, value);
    return json_string(text);
}

static void add_log(json_t *logs, uint64_t block, enum log_event event, json_t *arguments)
{
    struct network network = model_network();
    json_t *topics = json_array();
    json_array_append_new(topics, hex_of(log_topics[event].bytes, sizeof log_topics[event].bytes));
    json_array_extend(topics, arguments);
    json_decref(arguments);
    json_array_append_new(logs, json_pack("{so so so so ss sb}", "address",
                                    hex_of(network.contract.bytes, sizeof network.contract.bytes),
                                    "topics", topics, "blockNumber", number_of(block), "blockHash",
                                    topic_of_u64(block), "data", "0x", "removed", 0));
}

static void add_transfer(json_t *logs, uint64_t block, uint64_t token,
    const struct eth_address *from, const struct eth_address *to)
{
    add_log(logs, block, LOG_TRANSFER,
        json_pack("[ooo]", topic_of_address(from), topic_of_address(to), topic_of_u64(token)));
}

static void add_transfers(json_t *logs, const struct model_token *token, uint64_t from, uint64_t to)
{
    struct eth_address owner = {{0}};
    for (size_t i = 0; i < token->owner_count; i++) {
        const struct model_owner *next = &token->owners[i];
        if (next->block >= from && next->block <= to) {
            add_transfer(logs, next->block, token->id, &owner, &next->owner);
        }
        owner = next->owner;
    }
}

static json_t *logs_between(const struct model *model, uint64_t from, uint64_t to)
{
    json_t *logs = json_array();
    for (size_t i = 0; i < model->token_count; i++) {
        add_transfers(logs, &model->tokens[i], from, to);
    }
    for (size_t i = 0; i < model->key_count; i++) {
        const struct model_owner *update = &model->keys[i];
        if (update->block >= from && update->block <= to) {
            add_log(logs, update->block, LOG_KEY_UPDATED,
                json_pack("[o]", topic_of_address(&update->owner)));
        }
    }
    return logs;
}

static uint64_t block_named(json_t *filter, const char *member)
{
    return (uint64_t)strtoull(json_string_value(json_object_get(filter, member)), NULL, 16);
}

static json_t *error_of(int code, const char *message)
{
    return json_pack("{s{sissss}}", "error", "code", code, "message", message, "data", "");
}

static json_t *answer_of(
    const struct model *model, struct model_provider *provider, uint64_t head, json_t *filter)
{
    static const struct {
        int code;
        const char *message;
    } shapes[] = {{-32602, "range 1000000 exceeds limit of 10000"},
        {-32600, "You can make eth_getLogs requests with up to a 10 block range"},
        {-32005, "query returned more than 10000 results"}, {-32099, "no"}};
    uint64_t from = block_named(filter, "fromBlock");
    uint64_t to = block_named(filter, "toBlock");
    assert_true(from <= to);
    provider->logs_calls++;
    if (provider->no_logs) {
        return error_of(-32601, "the method eth_getLogs does not exist/is not available");
    }
    if (provider->logs_cap != 0 && to - from + 1 > provider->logs_cap) {
        size_t shape = provider->logs_calls % (sizeof shapes / sizeof shapes[0]);
        return error_of(shapes[shape].code, shapes[shape].message);
    }
    uint64_t seen = head - provider->logs_blind;
    json_t *logs = logs_between(model, from, to < seen ? to : seen);
    if (provider->invents != 0) {
        struct eth_address victim = model_address(ALICE);
        struct eth_address thief = model_address(MALLORY);
        add_transfer(logs, to, provider->invents, &victim, &thief);
        add_transfer(logs, to, provider->invents, &thief, &victim);
    }
    return json_pack("{so}", "result", logs);
}

char *model_logs(
    const struct model *model, struct model_provider *provider, uint64_t head, json_t *params)
{
    json_t *answer = answer_of(model, provider, head, json_array_get(params, 0));
    char *text = json_dumps(answer, JSON_COMPACT);
    assert_non_null(text);
    json_decref(answer);
    return text;
}

void model_update_key(struct model *model, struct eth_address owner)
{
    assert_true(model->key_count < MODEL_OWNERS_MAX);
    model->keys[model->key_count++] =
        (struct model_owner){.block = model_block(model), .owner = owner};
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Ranges, walks and trails are plain numbers; entries are read from jansson's objects, one at a
// time, so that nothing is allocated beside them.
#include "chain/logs.h"

#include "chain/rpc_value.h"

#include <jansson.h>
#include <string.h>

enum {
    PATIENCE_MIN = 16,
    PATIENCE_MAX = 1024,
};

// --- ranges ---

struct log_range log_range_of(uint64_t blocks, uint64_t max)
{
    return (struct log_range){.blocks = blocks, .max = max, .patience = PATIENCE_MIN};
}

// Close enough to what is refused: the next trial would gain less than an eighth.
static bool is_settled(const struct log_range *range)
{
    return range->refused - range->served <= 1 + range->served / 8;
}

void log_range_served(struct log_range *range, uint64_t blocks)
{
    if (blocks < range->blocks) {
        return; // the end of a walk: it says nothing
    }
    range->served = blocks > range->served ? blocks : range->served;
    if (range->served >= range->refused) {
        range->refused = 0;
    }
    if (range->refused != 0 && !is_settled(range)) {
        range->blocks = range->served + (range->refused - range->served) / 2;
        return;
    }
    if (range->refused != 0 && ++range->successes < range->patience) {
        return;
    }
    if (range->refused != 0) {
        range->refused = 0;
        range->successes = 0;
        range->patience = range->patience > PATIENCE_MAX / 2 ? PATIENCE_MAX : 2 * range->patience;
    }
    range->blocks = range->blocks > range->max / 2 ? range->max : 2 * range->blocks;
}

bool log_range_refused(struct log_range *range, uint64_t blocks)
{
    range->successes = 0;
    if (blocks <= 1) { // this block is at fault, not the range
        range->refused = 0;
        range->served = 0;
        range->blocks = 1;
        return false;
    }
    if (range->refused == 0 || blocks < range->refused) {
        range->refused = blocks;
    }
    if (range->served >= blocks) { // it was taken before: here the logs are denser
        range->served = 0;
    }
    range->blocks = range->served > blocks / 2 ? range->served : blocks / 2;
    return true;
}

// --- walks ---

bool log_walk_next(const struct log_walk *walk, const struct log_range *range, uint64_t *ret_from,
    uint64_t *ret_to)
{
    if (walk->next > walk->last) {
        return false;
    }
    uint64_t left = walk->last - walk->next;
    *ret_from = walk->next;
    *ret_to = walk->next + (range->blocks - 1 < left ? range->blocks - 1 : left);
    return true;
}

void log_walk_served(struct log_walk *walk, struct log_range *range, uint64_t from, uint64_t to)
{
    log_range_served(range, to - from + 1);
    if (walk->next == from) {
        walk->next = to + 1;
    }
}

void log_walk_refused(struct log_walk *walk, struct log_range *range, uint64_t from, uint64_t to)
{
    if (!log_range_refused(range, to - from + 1) && walk->next == from) {
        walk->next = to + 1;
        walk->passed++;
    }
}

// --- trails ---

void log_trail_add(struct log_trail *trail, uint64_t number, uint64_t time_s)
{
    const struct log_trail_place *newest =
        trail->count > 0 ? &trail->places[trail->count - 1] : NULL;
    if (newest != NULL && (number <= newest->number || time_s < newest->time_s)) {
        return;
    }
    const struct log_trail_place *before =
        trail->count > 1 ? &trail->places[trail->count - 2] : NULL;
    if (before != NULL && newest->time_s - before->time_s < LOG_TRAIL_STEP_S) {
        trail->count--; // the newest one was there only to be the newest
    } else if (trail->count == LOG_TRAIL_SIZE) {
        trail->count--;
        memmove(&trail->places[0], &trail->places[1], trail->count * sizeof trail->places[0]);
    }
    trail->places[trail->count++] = (struct log_trail_place){.number = number, .time_s = time_s};
}

uint64_t log_trail_before(const struct log_trail *trail, uint64_t seconds)
{
    if (trail->count == 0) {
        return 0;
    }
    uint64_t newest_s = trail->places[trail->count - 1].time_s;
    size_t at = trail->count - 1U;
    while (at > 0 && newest_s - trail->places[at].time_s < seconds) {
        at--;
    }
    return trail->places[at].number;
}

// --- requests ---

// keccak256 of the events' signatures.
const struct hash256 log_topics[LOGS_TOPICS] = {
    // Transfer(address,address,uint256)
    {{0xdd, 0xf2, 0x52, 0xad, 0x1b, 0xe2, 0xc8, 0x9b, 0x69, 0xc2, 0xb0, 0x68, 0xfc, 0x37, 0x8d,
        0xaa, 0x95, 0x2b, 0xa7, 0xf1, 0x63, 0xc4, 0xa1, 0x16, 0x28, 0xf5, 0x5a, 0x4d, 0xf5, 0x23,
        0xb3, 0xef}},
    // NodeAccessGranted(uint256,string,address,string)
    {{0x9a, 0x71, 0x85, 0x2b, 0x5f, 0xf3, 0xe6, 0xdc, 0xff, 0xf2, 0x8e, 0xae, 0xb1, 0x77, 0x38,
        0x7d, 0x7b, 0xe8, 0x60, 0xdc, 0xf6, 0x3f, 0x02, 0xbc, 0x0c, 0x74, 0xd7, 0x96, 0xd3, 0x73,
        0xa2, 0x2c}},
    // NodeAccessRevoked(uint256,string)
    {{0xf7, 0x75, 0x47, 0x47, 0x76, 0x29, 0xbf, 0x8d, 0x4b, 0x78, 0xaa, 0xa6, 0xba, 0xbe, 0xeb,
        0x33, 0x06, 0xe5, 0x6d, 0xa1, 0xca, 0x9b, 0x54, 0xca, 0xce, 0xab, 0xf2, 0x4c, 0xbc, 0x92,
        0x20, 0x20}},
    // NodeAccessTransferred(uint256,address,address)
    {{0x69, 0x28, 0x42, 0x95, 0x1e, 0x9a, 0x8b, 0xdc, 0xf0, 0x99, 0xc9, 0x08, 0xe8, 0xdd, 0x42,
        0x8d, 0xed, 0xcb, 0x5c, 0x44, 0x05, 0x6d, 0x3b, 0x63, 0x6c, 0xd8, 0x28, 0x70, 0xc5, 0xfd,
        0x12, 0xb2}},
    // PublicKeyUpdated(address,string)
    {{0xa8, 0x50, 0x08, 0x2d, 0x2f, 0xb1, 0x01, 0x27, 0x4d, 0xe3, 0x74, 0x94, 0xdc, 0x86, 0x4e,
        0x92, 0x77, 0xde, 0x33, 0xc0, 0x44, 0x15, 0xc7, 0xad, 0x9d, 0xb5, 0x75, 0x92, 0xc6, 0x05,
        0x11, 0xa5}},
};

void logs_write(struct writer *writer, uint64_t id, const struct eth_address *contract,
    size_t topic_count, uint64_t from, uint64_t to)
{
    ASSERT(topic_count >= 1 && topic_count <= LOGS_TOPICS);
    struct rpc_log_filter filter = {.address = *contract,
        .topics = log_topics,
        .topic_count = topic_count,
        .from = rpc_block_of_number(from),
        .to = rpc_block_of_number(to)};
    rpc_write_logs(writer, id, &filter);
}

// --- answers ---

static bool says_any(const char *text, const char *const *needles, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasestr(text, needles[i]) != NULL) {
            return true;
        }
    }
    return false;
}

// What a refusal by a provider that understood the request means. Providers agree neither on codes
// nor on texts; see docs/architecture.md.
static enum logs_verdict classify_refusal(const struct rpc_answer *answer)
{
    enum { METHOD_NOT_FOUND = -32601, METHOD_NOT_SUPPORTED = -32004 };
    static const char *const method_texts[] = {"method", "eth_getlogs"};
    static const char *const absent_texts[] = {"not found", "not exist", "not supported",
        "unsupported", "not available", "not allowed", "not whitelisted", "disabled", "not enabled",
        "not implemented", "not permitted"};
    static const char *const ahead_texts[] = {
        "head", "not found", "unknown block", "cannot be found", "future", "not yet", "beyond"};
    static const char *const range_texts[] = {"range", "results", "limit", "too large"};
    const char *text = answer->error_text;
    bool of_method = says_any(text, method_texts, sizeof method_texts / sizeof method_texts[0]);
    if (answer->error_code == METHOD_NOT_FOUND || answer->error_code == METHOD_NOT_SUPPORTED ||
        (of_method && says_any(text, absent_texts, sizeof absent_texts / sizeof absent_texts[0]))) {
        return LOGS_UNSUPPORTED;
    }
    if (!says_any(text, range_texts, sizeof range_texts / sizeof range_texts[0]) &&
        says_any(text, ahead_texts, sizeof ahead_texts / sizeof ahead_texts[0])) {
        return LOGS_NOT_YET;
    }
    return LOGS_TOO_MANY;
}

static enum logs_verdict classify(const struct rpc_reply *reply, const struct rpc_answer *answer)
{
    enum { BAD_REQUEST = 400 };
    switch (answer->verdict) {
    case RPC_RESULT:
        return LOGS_ANSWERED;
    case RPC_RATE_LIMITED:
        return LOGS_RATE_LIMITED;
    case RPC_REVERTED:
    case RPC_CALL_FAILED:
        return classify_refusal(answer);
    case RPC_FAULT:
        break;
    }
    if (reply->outcome == RPC_TIMEOUT) {
        return LOGS_SLOW;
    }
    // Refused before it was read as JSON-RPC: some gateways look at the range first.
    return reply->outcome == RPC_ANSWERED && reply->http_status == BAD_REQUEST ? LOGS_TOO_MANY
                                                                               : LOGS_FAULT;
}

// The number of indexed arguments decides which topics there are.
static size_t topics_of(enum log_event event)
{
    switch (event) {
    case LOG_TRANSFER:
    case LOG_NODE_TRANSFERRED:
        return 4;
    case LOG_GRANTED:
        return 3;
    case LOG_REVOKED:
    case LOG_KEY_UPDATED:
        break;
    }
    return 2;
}

static bool read_address(const struct hash256 *topic, struct eth_address *ret)
{
    static const uint8_t zeroes[sizeof topic->bytes - sizeof ret->bytes] = {0};
    if (memcmp(topic->bytes, zeroes, sizeof zeroes) != 0) {
        return false;
    }
    memcpy(ret->bytes, topic->bytes + sizeof zeroes, sizeof ret->bytes);
    return true;
}

static struct token_id token_of(const struct hash256 *topic)
{
    struct token_id token;
    memcpy(token.bytes, topic->bytes, sizeof token.bytes);
    return token;
}

// What the topics behind the first one name; false if an address is none.
static bool read_arguments(const struct hash256 *topics, struct log_entry *entry)
{
    switch (entry->event) {
    case LOG_TRANSFER:
        entry->token = token_of(&topics[3]);
        return read_address(&topics[1], &entry->from) && read_address(&topics[2], &entry->to);
    case LOG_GRANTED:
        entry->token = token_of(&topics[1]);
        return read_address(&topics[2], &entry->to);
    case LOG_REVOKED:
        entry->token = token_of(&topics[1]);
        return true;
    case LOG_NODE_TRANSFERRED:
        entry->token = token_of(&topics[1]);
        return read_address(&topics[2], &entry->from) && read_address(&topics[3], &entry->to);
    case LOG_KEY_UPDATED:
        return read_address(&topics[1], &entry->to);
    }
    return false;
}

enum entry_form {
    ENTRY_BROKEN,  // not what JSON-RPC gives, or not what was asked for
    ENTRY_STRANGE, // an event of the same topic that names other things
    ENTRY_READ,
};

static enum entry_form read_topics(
    const json_t *topics, size_t topic_count, struct log_entry *entry)
{
    enum { TOPICS_MAX = 4 };
    struct hash256 words[TOPICS_MAX];
    size_t count = json_array_size(topics);
    if (!json_is_array(topics) || count == 0 || count > TOPICS_MAX) {
        return ENTRY_BROKEN;
    }
    for (size_t i = 0; i < count; i++) {
        if (rpc_value_fixed(json_array_get(topics, i), words[i].bytes, sizeof words[i].bytes) !=
            OK) {
            return ENTRY_BROKEN;
        }
    }
    for (size_t i = 0; i < topic_count; i++) {
        if (hash256_equal(&words[0], &log_topics[i])) {
            entry->event = (enum log_event)i;
            return count == topics_of(entry->event) && read_arguments(words, entry) ? ENTRY_READ
                                                                                    : ENTRY_STRANGE;
        }
    }
    return ENTRY_BROKEN;
}

// "0x" and an even number of digits: what the event's data says is not used.
static bool is_data(const json_t *value)
{
    const char *text = json_string_value(value);
    return text != NULL && json_string_length(value) % 2 == 0 && text[0] == '0' && text[1] == 'x' &&
           strspn(text + 2, "0123456789abcdefABCDEF") == json_string_length(value) - 2;
}

static enum entry_form read_entry(const json_t *object, size_t topic_count,
    const struct eth_address *contract, struct log_entry *ret)
{
    struct eth_address address;
    const json_t *removed = json_object_get(object, "removed");
    *ret = (struct log_entry){.removed = json_is_true(removed)};
    if (!json_is_object(object) || (removed != NULL && !json_is_boolean(removed)) ||
        rpc_value_fixed(json_object_get(object, "address"), address.bytes, sizeof address.bytes) !=
            OK ||
        !eth_address_equal(&address, contract) ||
        rpc_value_u64(json_object_get(object, "blockNumber"), &ret->block_number) != OK ||
        rpc_value_fixed(json_object_get(object, "blockHash"), ret->block_hash.bytes,
            sizeof ret->block_hash.bytes) != OK ||
        !is_data(json_object_get(object, "data"))) {
        return ENTRY_BROKEN;
    }
    return read_topics(json_object_get(object, "topics"), topic_count, ret);
}

// Looks at every entry; counts the strange ones. False if one is broken.
static bool check_entries(
    struct logs *logs, const struct eth_address *contract, uint64_t from, uint64_t to)
{
    for (size_t i = 0; i < logs->count; i++) {
        struct log_entry entry;
        enum entry_form form =
            read_entry(json_array_get(logs->answer.json, i), logs->topic_count, contract, &entry);
        if (form == ENTRY_BROKEN || entry.block_number < from || entry.block_number > to) {
            return false;
        }
        logs->strange += form == ENTRY_STRANGE ? 1 : 0;
    }
    return true;
}

void logs_parse(const struct rpc_reply *reply, uint64_t id, const struct eth_address *contract,
    size_t topic_count, uint64_t from, uint64_t to, struct logs *ret)
{
    *ret = (struct logs){.contract = *contract, .topic_count = topic_count};
    rpc_answer_parse(reply, id, RPC_JSON, &ret->answer);
    ret->verdict = classify(reply, &ret->answer);
    if (ret->verdict != LOGS_ANSWERED) {
        return;
    }
    ret->count = json_array_size(ret->answer.json);
    if (ret->count > LOGS_ENTRIES_MAX) {
        ret->verdict = LOGS_TOO_MANY;
    } else if (!json_is_array(ret->answer.json) || !check_entries(ret, contract, from, to)) {
        ret->verdict = LOGS_FAULT;
    }
    if (ret->verdict != LOGS_ANSWERED) {
        ret->count = 0;
        ret->strange = 0;
    }
}

bool logs_entry(const struct logs *logs, size_t index, struct log_entry *ret)
{
    ASSERT(index < logs->count);
    return read_entry(json_array_get(logs->answer.json, index), logs->topic_count, &logs->contract,
               ret) == ENTRY_READ;
}

void logs_clear(struct logs *logs)
{
    rpc_answer_clear(&logs->answer);
    *logs = (struct logs){.verdict = LOGS_FAULT};
}

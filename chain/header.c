// SPDX-License-Identifier: GPL-3.0-or-later
//
// The header's fields in the order in which they are hashed, one row each.
#include "chain/header.h"

#include "chain/keccak.h"
#include "chain/rlp.h"
#include "chain/rpc_value.h"

#include <string.h>

enum {
    // Ethereum allows 32 bytes; chains whose signers are listed in it have more.
    EXTRA_DATA_MAX = 1024,
    BLOOM_SIZE = 256,
    HEADER_SIZE_MAX = 2048, // extraData, the bloom, and 21 fields of 33 bytes
};

enum field_form {
    FIELD_FIXED,  // so many bytes
    FIELD_NUMBER, // of up to so many bytes
    FIELD_DATA,   // any bytes, up to so many
};

struct field {
    const char *name;
    enum field_form form;
    uint16_t size;
    bool optional; // of a later fork: once one is missing, all after it are
};

static const struct field fields[] = {
    {"parentHash", FIELD_FIXED, 32, false},
    {"sha3Uncles", FIELD_FIXED, 32, false},
    {"miner", FIELD_FIXED, 20, false},
    {"stateRoot", FIELD_FIXED, 32, false},
    {"transactionsRoot", FIELD_FIXED, 32, false},
    {"receiptsRoot", FIELD_FIXED, 32, false},
    {"logsBloom", FIELD_FIXED, BLOOM_SIZE, false},
    {"difficulty", FIELD_NUMBER, 32, false},
    {"number", FIELD_NUMBER, 8, false},
    {"gasLimit", FIELD_NUMBER, 8, false},
    {"gasUsed", FIELD_NUMBER, 8, false},
    {"timestamp", FIELD_NUMBER, 8, false},
    {"extraData", FIELD_DATA, EXTRA_DATA_MAX, false},
    {"mixHash", FIELD_FIXED, 32, false},
    {"nonce", FIELD_FIXED, 8, false},
    {"baseFeePerGas", FIELD_NUMBER, 32, true},
    {"withdrawalsRoot", FIELD_FIXED, 32, true},
    {"blobGasUsed", FIELD_NUMBER, 8, true},
    {"excessBlobGas", FIELD_NUMBER, 8, true},
    {"parentBeaconBlockRoot", FIELD_FIXED, 32, true},
    {"requestsHash", FIELD_FIXED, 32, true},
};

enum {
    FIELD_COUNT = sizeof fields / sizeof fields[0],
};

// What else a block has in JSON.
static const char *const other_members[] = {
    "hash", "size", "totalDifficulty", "transactions", "uncles", "withdrawals"};

static bool has_unknown_member(const json_t *block)
{
    size_t known = 0;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        known += json_object_get(block, fields[i].name) != NULL ? 1 : 0;
    }
    for (size_t i = 0; i < sizeof other_members / sizeof other_members[0]; i++) {
        known += json_object_get(block, other_members[i]) != NULL ? 1 : 0;
    }
    return json_object_size(block) > known;
}

static enum status write_field(
    struct writer *writer, const struct field *field, const json_t *value)
{
    uint8_t bytes[EXTRA_DATA_MAX];
    struct span content = span_of(NULL, 0);
    enum status status = OK;
    switch (field->form) {
    case FIELD_FIXED:
        status = rpc_value_fixed(value, bytes, field->size);
        content = span_of(bytes, field->size);
        break;
    case FIELD_NUMBER:
        status = rpc_value_number(value, bytes, field->size);
        content = span_of(bytes, field->size);
        break;
    case FIELD_DATA:
        status = rpc_value_data(value, bytes, field->size, &content);
        break;
    }
    if (status != OK) {
        return status;
    }
    if (field->form == FIELD_NUMBER) {
        rlp_write_number(writer, content);
    } else {
        rlp_write_string(writer, content);
    }
    return OK;
}

static enum status write_fields(struct writer *writer, const json_t *block)
{
    bool ended = false;
    size_t list = rlp_begin_list(writer);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const json_t *value = json_object_get(block, fields[i].name);
        bool absent = value == NULL || json_is_null(value);
        if (absent && fields[i].optional) {
            ended = true;
            continue;
        }
        enum status status = ended ? ERR_MALFORMED : write_field(writer, &fields[i], value);
        if (status != OK) {
            return status;
        }
    }
    rlp_end_list(writer, list);
    ASSERT(writer_finish(writer) == OK);
    return OK;
}

// The members that the caller is told; those that are hashed have been parsed once before.
static enum status read_members(const json_t *block, struct header *ret)
{
    enum status statuses[] = {
        rpc_value_u64(json_object_get(block, "number"), &ret->number),
        rpc_value_u64(json_object_get(block, "timestamp"), &ret->timestamp_s),
        rpc_value_fixed(json_object_get(block, "hash"), ret->hash.bytes, sizeof ret->hash.bytes),
        rpc_value_fixed(json_object_get(block, "parentHash"), ret->parent_hash.bytes,
            sizeof ret->parent_hash.bytes),
        rpc_value_fixed(json_object_get(block, "stateRoot"), ret->state_root.bytes,
            sizeof ret->state_root.bytes),
    };
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        if (statuses[i] != OK) {
            return statuses[i];
        }
    }
    return OK;
}

enum status header_read(const json_t *block, struct header *ret)
{
    uint8_t bytes[HEADER_SIZE_MAX];
    struct writer writer = writer_of(bytes, sizeof bytes);
    enum status status = write_fields(&writer, block);
    if (status != OK) {
        return status;
    }
    struct header header;
    status = read_members(block, &header);
    if (status != OK) {
        return status;
    }
    struct hash256 digest = keccak256(writer_written(&writer));
    if (!hash256_equal(&digest, &header.hash)) {
        return has_unknown_member(block) ? ERR_UNSUPPORTED : ERR_MISMATCH;
    }
    *ret = header;
    return OK;
}

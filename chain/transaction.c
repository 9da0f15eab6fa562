// SPDX-License-Identifier: GPL-3.0-or-later
//
// EIP-1559 transactions over chain/rlp.h.
#include "chain/transaction.h"

#include "chain/keccak.h"
#include "chain/rlp.h"

#include <string.h>

enum {
    TYPE = 2,
    V_BASE = 27,
};

static void write_wei(struct writer *writer, struct wei amount)
{
    uint8_t bytes[16];
    for (size_t i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(amount.high >> (56 - 8 * i));
        bytes[8 + i] = (uint8_t)(amount.low >> (56 - 8 * i));
    }
    rlp_write_number(writer, span_of(bytes, sizeof bytes));
}

void transaction_write(const struct transaction *transaction,
    const uint8_t signature[ECDSA_SIGNATURE_SIZE], struct writer *writer)
{
    struct span to = span_of(transaction->to.bytes, sizeof transaction->to.bytes);
    write_u8(writer, TYPE);
    size_t list = rlp_begin_list(writer);
    rlp_write_u64(writer, transaction->chain_id);
    rlp_write_u64(writer, transaction->nonce);
    rlp_write_u64(writer, transaction->priority_fee);
    rlp_write_u64(writer, transaction->max_fee);
    rlp_write_u64(writer, transaction->gas);
    rlp_write_string(writer, transaction->creates ? span_of(NULL, 0) : to);
    write_wei(writer, transaction->value);
    rlp_write_string(writer, transaction->data);
    rlp_end_list(writer, rlp_begin_list(writer));
    if (signature != NULL) {
        ASSERT(signature[64] == V_BASE || signature[64] == V_BASE + 1);
        rlp_write_u64(writer, signature[64] - V_BASE);
        rlp_write_number(writer, span_of(signature, 32));
        rlp_write_number(writer, span_of(signature + 32, 32));
    }
    rlp_end_list(writer, list);
}

static void read_to(struct reader *reader, struct transaction *ret)
{
    struct span to = rlp_read_string(reader);
    ret->creates = to.size == 0;
    if (to.size == sizeof ret->to.bytes) {
        memcpy(ret->to.bytes, to.data, to.size);
    } else if (!ret->creates) {
        reader_fail(reader, ERR_MALFORMED);
    }
}

static void read_value(struct reader *reader, struct transaction *ret)
{
    uint8_t value[RLP_WORD];
    rlp_read_u256(reader, value);
    ret->value = wei_of_bytes(span_of(value, sizeof value));
    for (size_t i = 0; i < sizeof value / 2; i++) {
        if (value[i] != 0) {
            reader_fail(reader, ERR_RANGE);
        }
    }
}

static void read_signature(struct reader *reader, uint8_t ret[static ECDSA_SIGNATURE_SIZE])
{
    uint64_t parity = rlp_read_u64(reader);
    if (parity > 1) {
        reader_fail(reader, ERR_RANGE);
    }
    rlp_read_u256(reader, ret);
    rlp_read_u256(reader, ret + 32);
    ret[64] = (uint8_t)(V_BASE + (parity & 1));
}

enum status transaction_read(struct span raw, struct writer *scratch, struct transaction *ret,
    struct eth_address *ret_sender)
{
    struct transaction transaction = {0};
    uint8_t signature[ECDSA_SIGNATURE_SIZE];
    struct reader outer = reader_of(raw);
    if (raw.size > 0 && read_u8(&outer) != TYPE) {
        return ERR_VERSION;
    }
    struct reader reader = rlp_read_list(&outer);
    transaction.chain_id = rlp_read_u64(&reader);
    transaction.nonce = rlp_read_u64(&reader);
    transaction.priority_fee = rlp_read_u64(&reader);
    transaction.max_fee = rlp_read_u64(&reader);
    transaction.gas = rlp_read_u64(&reader);
    read_to(&reader, &transaction);
    read_value(&reader, &transaction);
    transaction.data = rlp_read_string(&reader);
    struct reader access = rlp_read_list(&reader);
    read_signature(&reader, signature);
    enum status status = reader_finish(&reader);
    if (status == OK) {
        status = reader_finish(&outer);
    }
    if (status == OK && access.rest.size != 0) {
        return ERR_UNSUPPORTED;
    }
    if (status == OK && transaction.priority_fee > transaction.max_fee) {
        return ERR_RANGE;
    }
    if (status != OK) {
        return status;
    }
    transaction_write(&transaction, NULL, scratch);
    status = writer_finish(scratch);
    if (status != OK) {
        return status;
    }
    struct hash256 digest = keccak256(writer_written(scratch));
    struct eth_address sender;
    status = ecdsa_recover(&digest, span_of(signature, sizeof signature), &sender);
    if (status == OK) {
        *ret = transaction;
        *ret_sender = sender;
    }
    return status;
}

struct wei transaction_cost_max(const struct transaction *transaction)
{
    return wei_add(wei_multiply(transaction->gas, transaction->max_fee), transaction->value);
}

struct eth_address transaction_contract_address(const struct eth_address *sender, uint64_t nonce)
{
    uint8_t bytes[64];
    struct eth_address address;
    struct writer writer = writer_of(bytes, sizeof bytes);
    size_t list = rlp_begin_list(&writer);
    rlp_write_string(&writer, span_of(sender->bytes, sizeof sender->bytes));
    rlp_write_u64(&writer, nonce);
    rlp_end_list(&writer, list);
    ASSERT(writer_finish(&writer) == OK);
    struct hash256 digest = keccak256(writer_written(&writer));
    memcpy(address.bytes, digest.bytes + 12, sizeof address.bytes);
    return address;
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Member messages to bytes and back.
#include "node/message.h"

enum {
    MESSAGE_VERSION = 1,
};

static void write_blob(struct writer *writer, struct span blob)
{
    if (blob.size > MESSAGE_BLOB_MAX) {
        writer_fail(writer, ERR_RANGE);
        return;
    }
    write_u16(writer, (uint16_t)blob.size);
    write_span(writer, blob);
}

static struct span read_blob(struct reader *reader)
{
    uint16_t size = read_u16(reader);
    if (size > MESSAGE_BLOB_MAX) {
        reader_fail(reader, ERR_RANGE);
    }
    return read_span(reader, size);
}

static void write_hello(struct writer *writer, const struct message *message)
{
    if (message->token_count > MESSAGE_TOKENS_MAX) {
        writer_fail(writer, ERR_RANGE);
        return;
    }
    write_u8(writer, message->token_count);
    for (size_t i = 0; i < message->token_count; i++) {
        write_bytes(writer, message->tokens[i].bytes, sizeof message->tokens[i].bytes);
    }
    write_blob(writer, message->record);
}

static void read_hello(struct reader *reader, struct message *ret)
{
    ret->token_count = read_u8(reader);
    if (ret->token_count > MESSAGE_TOKENS_MAX) {
        reader_fail(reader, ERR_RANGE);
        return;
    }
    for (size_t i = 0; i < ret->token_count; i++) {
        read_bytes(reader, ret->tokens[i].bytes, sizeof ret->tokens[i].bytes);
    }
    ret->record = read_blob(reader);
}

static void write_carried_intent(struct writer *writer, const struct message *message)
{
    write_bytes(writer, message->token.bytes, sizeof message->token.bytes);
    write_blob(writer, message->record);
    write_blob(writer, message->intent);
}

static void read_carried_intent(struct reader *reader, struct message *ret)
{
    read_bytes(reader, ret->token.bytes, sizeof ret->token.bytes);
    ret->record = read_blob(reader);
    ret->intent = read_blob(reader);
    if (ret->intent.size == 0) {
        reader_fail(reader, ERR_RANGE);
    }
}

enum status message_encode(const struct message *message, struct writer *writer)
{
    write_u8(writer, MESSAGE_VERSION);
    write_u8(writer, (uint8_t)message->kind);
    switch (message->kind) {
    case MESSAGE_HELLO:
        write_hello(writer, message);
        break;
    case MESSAGE_FORWARD:
    case MESSAGE_DELIVER:
        write_carried_intent(writer, message);
        break;
    case MESSAGE_RETIRED:
        write_bytes(writer, message->token.bytes, sizeof message->token.bytes);
        write_blob(writer, message->record);
        break;
    case MESSAGE_PING:
    case MESSAGE_PONG:
        write_bytes(writer, message->ping, sizeof message->ping);
        break;
    }
    return writer_finish(writer);
}

enum status message_decode(struct span bytes, struct message *ret)
{
    struct reader reader = reader_of(bytes);
    struct message message = {0};
    if (read_u8(&reader) != MESSAGE_VERSION) {
        reader_fail(&reader, ERR_VERSION);
    }
    uint8_t kind = read_u8(&reader);
    message.kind = (enum message_kind)kind;
    switch (kind) {
    case MESSAGE_HELLO:
        read_hello(&reader, &message);
        break;
    case MESSAGE_FORWARD:
    case MESSAGE_DELIVER:
        read_carried_intent(&reader, &message);
        break;
    case MESSAGE_RETIRED:
        read_bytes(&reader, message.token.bytes, sizeof message.token.bytes);
        message.record = read_blob(&reader);
        if (message.record.size == 0) {
            reader_fail(&reader, ERR_RANGE);
        }
        break;
    case MESSAGE_PING:
    case MESSAGE_PONG:
        read_bytes(&reader, message.ping, sizeof message.ping);
        break;
    default:
        reader_fail(&reader, ERR_UNSUPPORTED);
        break;
    }
    enum status status = reader_finish(&reader);
    if (status == OK) {
        *ret = message;
    }
    return status;
}

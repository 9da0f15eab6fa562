// SPDX-License-Identifier: GPL-3.0-or-later
//
// Intents: [form, sender's node key, time, sealed, signature]; sealed: [sender, recipient, nonce,
// reply, NAT class, sequence, candidates].
#include "dht/intent.h"

#include "dht/parts.h"
#include "dht/seal.h"

#include <string.h>

enum {
    INTENT_ELEMENTS = 5,
    INNER_ELEMENTS = 7,
    // Array, form, sender's key, time: what stands before the sealed part.
    HEADER_MAX_SIZE = 1 + 1 + 2 + 32 + 9,
    INNER_MAX_SIZE = INTENT_MAX_SIZE - HEADER_MAX_SIZE - PACK_BINARY_OVERHEAD_MAX -
                     SEAL_BOX_OVERHEAD - SIGNATURE_PACKED_SIZE,
};

static void pack_header(struct writer *writer, const struct intent *intent)
{
    pack_array(writer, INTENT_ELEMENTS);
    pack_uint(writer, VALUE_INTENT);
    pack_binary(writer, span_of(intent->sender_key.bytes, sizeof intent->sender_key.bytes));
    pack_uint(writer, intent->sent_at.ms);
}

static void pack_inner(
    struct writer *writer, const struct intent *intent, const struct candidates *candidates)
{
    pack_array(writer, INNER_ELEMENTS);
    pack_binary(writer, span_of(intent->sender.bytes, sizeof intent->sender.bytes));
    pack_binary(writer, span_of(intent->recipient.bytes, sizeof intent->recipient.bytes));
    pack_binary(writer, span_of(intent->nonce.bytes, sizeof intent->nonce.bytes));
    pack_uint(writer, intent->reply ? 1 : 0);
    pack_uint(writer, (uint64_t)intent->nat_class);
    pack_uint(writer, intent->sequence);
    pack_candidates(writer, candidates);
}

// As many candidates as the limits leave room for.
static void pack_inner_fitting(struct writer *writer, const struct intent *intent)
{
    struct candidates none = {0};
    pack_inner(writer, intent, &none);
    ASSERT(writer_finish(writer) == OK);
    size_t room = writer->capacity - writer->size + 1; // + 1: the array's own byte
    size_t limit = INTENT_CANDIDATES_MAX_SIZE + 1;
    struct candidates fitting =
        candidates_fitting(&intent->candidates, room < limit ? room : limit);
    writer->size = 0;
    pack_inner(writer, intent, &fitting);
}

struct inbox_context {
    uint8_t bytes[sizeof(struct network_id) + sizeof(struct dht_key)];
};

static struct inbox_context context_of(const struct network_keys *keys, const struct dht_key *inbox)
{
    struct inbox_context context;
    memcpy(context.bytes, keys->id.bytes, sizeof keys->id.bytes);
    memcpy(context.bytes + sizeof keys->id.bytes, inbox->bytes, sizeof inbox->bytes);
    return context;
}

static struct signed_part signed_part_of(const struct inbox_context *context, struct span body)
{
    return (struct signed_part){
        .label = "deedmesh/1 intent",
        .context = span_of(context->bytes, sizeof context->bytes),
        .body = body,
    };
}

enum status intent_encode(const struct network_keys *keys, const struct node_secret *secret,
    const struct node_key *recipient_key, const struct intent *intent, struct rng *rng,
    uint8_t ret[static INTENT_MAX_SIZE], size_t *ret_size)
{
    if (intent->nat_class > NAT_BLOCKED) {
        return ERR_RANGE;
    }
    uint8_t plain[INNER_MAX_SIZE];
    uint8_t sealed[INNER_MAX_SIZE + SEAL_BOX_OVERHEAD];
    struct writer inner = writer_of(plain, sizeof plain);
    pack_inner_fitting(&inner, intent);
    if (writer_finish(&inner) != OK) {
        return writer_finish(&inner);
    }
    struct writer writer = writer_of(ret, INTENT_MAX_SIZE);
    pack_header(&writer, intent);
    enum status status =
        seal_box(recipient_key, writer_written(&writer), writer_written(&inner), rng, sealed);
    if (status != OK) {
        return status;
    }
    pack_binary(&writer, span_of(sealed, inner.size + SEAL_BOX_OVERHEAD));
    struct dht_key inbox = key_of_inbox(keys, &intent->recipient);
    struct inbox_context context = context_of(keys, &inbox);
    struct signed_part part = signed_part_of(&context, writer_written(&writer));
    pack_signature(&writer, &part, secret, &intent->sender_key);
    if (writer_finish(&writer) == OK) {
        *ret_size = writer.size;
    }
    return writer_finish(&writer);
}

static enum status check_window(struct unix_time sent_at, struct unix_time now)
{
    if (now.ms > sent_at.ms && now.ms - sent_at.ms > INTENT_WINDOW_MS) {
        return ERR_EXPIRED;
    }
    if (sent_at.ms > now.ms && sent_at.ms - now.ms > INTENT_WINDOW_MS) {
        return ERR_FUTURE;
    }
    return OK;
}

enum status intent_peek(struct span value, struct unix_time now, struct intent_envelope *ret)
{
    if (value.size > INTENT_MAX_SIZE) {
        return ERR_TOO_LARGE;
    }
    struct intent_envelope envelope = {0};
    struct reader reader = reader_of(value);
    unpack_form(&reader, VALUE_INTENT, INTENT_ELEMENTS);
    unpack_fixed(&reader, envelope.sender_key.bytes, sizeof envelope.sender_key.bytes);
    envelope.sent_at.ms = unpack_uint(&reader, UINT64_MAX);
    envelope.header = span_of(value.data, value.size - reader.rest.size);
    envelope.sealed = unpack_binary(&reader, SEAL_BOX_OVERHEAD, INTENT_MAX_SIZE);
    envelope.body = span_of(value.data, value.size - reader.rest.size);
    envelope.signature = unpack_binary(&reader, SIGNATURE_SIZE, SIGNATURE_SIZE);
    enum status status = reader_finish(&reader);
    if (status == OK) {
        status = check_window(envelope.sent_at, now);
    }
    if (status == OK) {
        *ret = envelope;
    }
    return status;
}

enum status intent_verify(const struct network_keys *keys, const struct dht_key *inbox,
    const struct intent_envelope *envelope)
{
    ASSERT(envelope->signature.size == SIGNATURE_SIZE);
    struct inbox_context context = context_of(keys, inbox);
    struct signed_part part = signed_part_of(&context, envelope->body);
    return signature_verify(&part, envelope->signature.data, &envelope->sender_key);
}

static enum status parse_inner(struct span plain, struct intent *intent)
{
    struct reader reader = reader_of(plain);
    unpack_array_of(&reader, INNER_ELEMENTS);
    unpack_fixed(&reader, intent->sender.bytes, sizeof intent->sender.bytes);
    unpack_fixed(&reader, intent->recipient.bytes, sizeof intent->recipient.bytes);
    unpack_fixed(&reader, intent->nonce.bytes, sizeof intent->nonce.bytes);
    intent->reply = unpack_uint(&reader, 1) == 1;
    intent->nat_class = (enum nat_class)unpack_uint(&reader, NAT_BLOCKED);
    intent->sequence = unpack_uint(&reader, UINT64_MAX);
    unpack_candidates(&reader, INTENT_CANDIDATES_MAX_SIZE + 1, &intent->candidates);
    return reader_finish(&reader);
}

enum status intent_open(const struct intent_envelope *envelope, const struct node_secret *secret,
    const struct token_id *own, struct intent *ret)
{
    uint8_t plain[INTENT_MAX_SIZE];
    ASSERT(envelope->sealed.size >= SEAL_BOX_OVERHEAD && envelope->sealed.size <= sizeof plain);
    enum status status = seal_box_open(secret, envelope->header, envelope->sealed, plain);
    if (status != OK) {
        return status;
    }
    struct intent intent = {.sender_key = envelope->sender_key, .sent_at = envelope->sent_at};
    status = parse_inner(span_of(plain, envelope->sealed.size - SEAL_BOX_OVERHEAD), &intent);
    if (status != OK) {
        return status;
    }
    if (!token_id_equal(&intent.recipient, own)) {
        return ERR_MISMATCH;
    }
    *ret = intent;
    return OK;
}

void intent_replay_init(struct intent_replay *replay, struct intent_seen *entries, size_t capacity)
{
    ASSERT(capacity > 0);
    *replay = (struct intent_replay){.entries = entries, .capacity = capacity};
}

static bool is_same(const struct intent_seen *seen, const struct intent *intent)
{
    return node_key_equal(&seen->sender_key, &intent->sender_key) &&
           memcmp(seen->nonce.bytes, intent->nonce.bytes, sizeof seen->nonce.bytes) == 0 &&
           seen->reply == intent->reply;
}

enum status intent_replay_admit(
    struct intent_replay *replay, const struct intent *intent, struct unix_time now)
{
    enum status status = check_window(intent->sent_at, now);
    if (status != OK) {
        return status;
    }
    struct intent_seen *slot = &replay->entries[0];
    for (size_t i = 0; i < replay->count; i++) {
        struct intent_seen *seen = &replay->entries[i];
        if (is_same(seen, intent)) {
            return ERR_REPLAYED;
        }
        if (seen->forget_at.ms < slot->forget_at.ms) {
            slot = seen;
        }
    }
    bool all_live = replay->count == 0 || slot->forget_at.ms >= now.ms;
    if (all_live && replay->count < replay->capacity) {
        slot = &replay->entries[replay->count++];
    }
    *slot = (struct intent_seen){
        .sender_key = intent->sender_key,
        .nonce = intent->nonce,
        .reply = intent->reply,
        // Past this it fails by its time, whatever the cache still knows.
        .forget_at = unix_time_add(intent->sent_at, INTENT_WINDOW_MS),
    };
    return OK;
}

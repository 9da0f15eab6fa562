// SPDX-License-Identifier: GPL-3.0-or-later
//
// Candidates: [kind, ip, port], [relay kind, token], [host name kind, name, port].
// Delegation: [kind, owner, not before, not after, epoch, signature], and for a hashed signature
// the size of what it names as a seventh element.
#include "dht/parts.h"

#include "dht/record.h"

#include <sodium.h>
#include <string.h>

enum {
    IPV4_SIZE = 4,
    IPV6_SIZE = 16,
    LABEL_MAX_SIZE = 63, // RFC 1035
    CANDIDATE_MAX_SIZE = 1 + 1 + 2 + HOST_NAME_MAX_SIZE + 3,
};

void unpack_form(struct reader *reader, enum value_form form, uint8_t elements)
{
    uint8_t count = unpack_array(reader);
    if (unpack_uint(reader, UINT64_MAX) != (uint64_t)form) {
        reader_fail(reader, ERR_VERSION);
    }
    if (count != elements) {
        reader_fail(reader, ERR_MALFORMED);
    }
}

static bool is_reachable(const struct address *address)
{
    enum address_scope scope = address_scope(address);
    return address->port != 0 && (scope == SCOPE_PRIVATE || scope == SCOPE_GLOBAL);
}

// Lower-case letters, digits, inner hyphens; at least two labels; no number in disguise.
static bool is_host_name(struct span name)
{
    size_t label = 0;
    size_t dots = 0;
    bool letter = false;
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i];
        bool is_letter = c >= 'a' && c <= 'z';
        if (c == '.') {
            if (label == 0 || name.data[i - 1] == '-') {
                return false;
            }
            dots++;
            label = 0;
            letter = false;
            continue;
        }
        if (!(is_letter || (c >= '0' && c <= '9') || (c == '-' && label > 0))) {
            return false;
        }
        letter = label == 0 ? is_letter : letter;
        if (++label > LABEL_MAX_SIZE) {
            return false;
        }
    }
    return dots > 0 && label > 0 && letter && name.data[name.size - 1] != '-';
}

static bool candidate_is_valid(const struct candidate *candidate)
{
    switch (candidate->kind) {
    case CANDIDATE_HOST:
    case CANDIDATE_REFLEXIVE:
    case CANDIDATE_MAPPED:
        return is_reachable(&candidate->address);
    case CANDIDATE_RELAY:
        return true;
    case CANDIDATE_HOST_NAME:
        return candidate->port != 0 && candidate->host_name_size <= HOST_NAME_MAX_SIZE &&
               is_host_name(span_of(candidate->host_name, candidate->host_name_size));
    }
    return false;
}

static void pack_candidate(struct writer *writer, const struct candidate *candidate)
{
    if (!candidate_is_valid(candidate)) {
        writer_fail(writer, ERR_RANGE);
        return;
    }
    pack_array(writer, candidate->kind == CANDIDATE_RELAY ? 2 : 3);
    pack_uint(writer, (uint64_t)candidate->kind);
    switch (candidate->kind) {
    case CANDIDATE_HOST:
    case CANDIDATE_REFLEXIVE:
    case CANDIDATE_MAPPED:
        pack_binary(writer, span_of(candidate->address.ip, address_ip_size(&candidate->address)));
        pack_uint(writer, candidate->address.port);
        break;
    case CANDIDATE_RELAY:
        pack_binary(writer, span_of(candidate->relay.bytes, sizeof candidate->relay.bytes));
        break;
    case CANDIDATE_HOST_NAME:
        pack_text(writer, span_of(candidate->host_name, candidate->host_name_size));
        pack_uint(writer, candidate->port);
        break;
    }
}

// 0 if the candidate is not valid: then it fails when it is written.
static size_t candidate_size(const struct candidate *candidate)
{
    uint8_t bytes[CANDIDATE_MAX_SIZE];
    struct writer writer = writer_of(bytes, sizeof bytes);
    pack_candidate(&writer, candidate);
    return writer.size;
}

struct candidates candidates_fitting(const struct candidates *candidates, size_t size_max)
{
    struct candidates fitting = {0};
    size_t size = 1;
    bool named = false;
    for (size_t i = 0; i < candidates->count && i < CANDIDATES_MAX; i++) {
        const struct candidate *candidate = &candidates->list[i];
        size_t added = candidate_size(candidate);
        bool is_name = candidate->kind == CANDIDATE_HOST_NAME;
        if (size + added > size_max || (is_name && named)) {
            continue;
        }
        size += added;
        named = named || is_name;
        fitting.list[fitting.count++] = *candidate;
    }
    return fitting;
}

void pack_candidates(struct writer *writer, const struct candidates *candidates)
{
    if (candidates->count > CANDIDATES_MAX) {
        writer_fail(writer, ERR_RANGE);
        return;
    }
    pack_array(writer, candidates->count);
    for (size_t i = 0; i < candidates->count; i++) {
        pack_candidate(writer, &candidates->list[i]);
    }
}

static void unpack_address(struct reader *reader, struct address *ret)
{
    struct span ip = unpack_binary(reader, IPV4_SIZE, IPV6_SIZE);
    if (ip.size == IPV4_SIZE || ip.size == IPV6_SIZE) {
        ret->family = ip.size == IPV4_SIZE ? FAMILY_IPV4 : FAMILY_IPV6;
        memcpy(ret->ip, ip.data, ip.size);
    } else {
        reader_fail(reader, ERR_RANGE);
    }
    ret->port = (uint16_t)unpack_uint(reader, UINT16_MAX);
}

static void unpack_candidate(struct reader *reader, struct candidate *ret)
{
    uint8_t elements = unpack_array(reader);
    ret->kind = (enum candidate_kind)unpack_uint(reader, CANDIDATE_HOST_NAME);
    if (reader->failure == OK && elements != (ret->kind == CANDIDATE_RELAY ? 2 : 3)) {
        reader_fail(reader, ERR_MALFORMED);
    }
    switch (ret->kind) {
    case CANDIDATE_HOST:
    case CANDIDATE_REFLEXIVE:
    case CANDIDATE_MAPPED:
        unpack_address(reader, &ret->address);
        break;
    case CANDIDATE_RELAY:
        unpack_fixed(reader, ret->relay.bytes, sizeof ret->relay.bytes);
        break;
    case CANDIDATE_HOST_NAME: {
        struct span name = unpack_text(reader, 1, HOST_NAME_MAX_SIZE);
        if (name.size > 0) {
            memcpy(ret->host_name, name.data, name.size);
        }
        ret->host_name_size = (uint8_t)name.size;
        ret->port = (uint16_t)unpack_uint(reader, UINT16_MAX);
        break;
    }
    }
    if (reader->failure == OK && !candidate_is_valid(ret)) {
        reader_fail(reader, ERR_RANGE);
    }
}

void unpack_candidates(struct reader *reader, size_t size_max, struct candidates *ret)
{
    memset(ret, 0, sizeof *ret);
    size_t before = reader->rest.size;
    uint8_t count = unpack_array(reader);
    if (count > CANDIDATES_MAX) {
        reader_fail(reader, ERR_RANGE);
    }
    size_t names = 0;
    for (size_t i = 0; i < count && reader->failure == OK; i++) {
        unpack_candidate(reader, &ret->list[i]);
        names += ret->list[i].kind == CANDIDATE_HOST_NAME ? 1 : 0;
        ret->count++;
    }
    if (reader->failure == OK && (names > 1 || before - reader->rest.size > size_max)) {
        reader_fail(reader, ERR_RANGE);
    }
}

static bool delegation_is_valid(const struct delegation *delegation)
{
    if (eth_address_is_zero(&delegation->owner) ||
        delegation->not_before_s > delegation->not_after_s) {
        return false;
    }
    switch (delegation->kind) {
    case DELEGATION_EIP712:
    case DELEGATION_EIP191:
        return delegation->signature_size == ECDSA_SIGNATURE_SIZE && delegation->hashed_size == 0;
    case DELEGATION_EIP1271:
        return delegation->signature_size <= DELEGATION_SIGNATURE_MAX &&
               delegation->hashed_size == 0;
    case DELEGATION_EIP1271_HASHED:
        // What would fit inline must stand inline: one encoding.
        return delegation->signature_size == sizeof(struct hash256) &&
               delegation->hashed_size > DELEGATION_SIGNATURE_MAX &&
               delegation->hashed_size <= DELEGATION_HASHED_MAX_SIZE;
    }
    return false;
}

void pack_delegation(struct writer *writer, const struct delegation *delegation)
{
    if (!delegation_is_valid(delegation)) {
        writer_fail(writer, ERR_RANGE);
        return;
    }
    bool hashed = delegation->kind == DELEGATION_EIP1271_HASHED;
    pack_array(writer, hashed ? 7 : 6);
    pack_uint(writer, (uint64_t)delegation->kind);
    pack_binary(writer, span_of(delegation->owner.bytes, sizeof delegation->owner.bytes));
    pack_uint(writer, delegation->not_before_s);
    pack_uint(writer, delegation->not_after_s);
    pack_uint(writer, delegation->epoch_s);
    pack_binary(writer, span_of(delegation->signature, delegation->signature_size));
    if (hashed) {
        pack_uint(writer, delegation->hashed_size);
    }
}

void unpack_delegation(struct reader *reader, struct delegation *ret)
{
    uint8_t elements = unpack_array(reader);
    ret->kind = (enum delegation_kind)unpack_uint(reader, DELEGATION_EIP1271_HASHED);
    bool hashed = ret->kind == DELEGATION_EIP1271_HASHED;
    if (reader->failure == OK && elements != (hashed ? 7 : 6)) {
        reader_fail(reader, ERR_MALFORMED);
    }
    unpack_fixed(reader, ret->owner.bytes, sizeof ret->owner.bytes);
    ret->not_before_s = unpack_uint(reader, UINT64_MAX);
    ret->not_after_s = unpack_uint(reader, UINT64_MAX);
    ret->epoch_s = unpack_uint(reader, UINT64_MAX);
    struct span signature = unpack_binary(reader, 0, DELEGATION_SIGNATURE_MAX);
    if (signature.size > 0) {
        memcpy(ret->signature, signature.data, signature.size);
    }
    ret->signature_size = (uint16_t)signature.size;
    if (hashed) {
        ret->hashed_size = (uint16_t)unpack_uint(reader, DELEGATION_HASHED_MAX_SIZE);
    }
    if (reader->failure == OK && !delegation_is_valid(ret)) {
        reader_fail(reader, ERR_RANGE);
    }
}

static struct span signed_bytes(
    const struct signed_part *part, uint8_t buffer[static SIGNED_MAX_SIZE])
{
    struct writer writer = writer_of(buffer, SIGNED_MAX_SIZE);
    write_span(&writer, span_of_text(part->label));
    write_span(&writer, part->context);
    write_span(&writer, part->body);
    ASSERT(writer_finish(&writer) == OK);
    return writer_written(&writer);
}

void pack_signature(struct writer *writer, const struct signed_part *part,
    const struct node_secret *secret, const struct node_key *key)
{
    if (writer->failure != OK) {
        return;
    }
    if (memcmp(secret->bytes + crypto_sign_SEEDBYTES, key->bytes, sizeof key->bytes) != 0) {
        writer_fail(writer, ERR_RANGE);
        return;
    }
    uint8_t buffer[SIGNED_MAX_SIZE];
    uint8_t signature[SIGNATURE_SIZE];
    struct span bytes = signed_bytes(part, buffer);
    (void)crypto_sign_detached(signature, NULL, bytes.data, bytes.size, secret->bytes);
    pack_binary(writer, span_of(signature, sizeof signature));
}

enum status signature_verify(
    const struct signed_part *part, const uint8_t *signature, const struct node_key *key)
{
    uint8_t buffer[SIGNED_MAX_SIZE];
    struct span bytes = signed_bytes(part, buffer);
    int failed = crypto_sign_verify_detached(signature, bytes.data, bytes.size, key->bytes);
    return failed == 0 ? OK : ERR_SIGNATURE;
}

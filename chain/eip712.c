// SPDX-License-Identifier: GPL-3.0-or-later
//
// Digests and texts of a delegation, and its signature. The type strings below are the format:
// changing a letter of them makes every delegation invalid.
#include "chain/eip712.h"

#include "base/text.h"
#include "chain/eip55.h"
#include "chain/keccak.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char domain_type[] =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
static const char message_type[] =
    "NodeDelegation(uint256 tokenId,address owner,bytes32 nodeKey,uint64 notBefore,"
    "uint64 notAfter,uint64 epoch)";

enum {
    WORD = 32,
    DOMAIN_WORDS = 5,
    MESSAGE_WORDS = 7,
};

static void write_hash_of_text(struct writer *writer, const char *text)
{
    struct hash256 digest = keccak256(span_of_text(text));
    write_bytes(writer, digest.bytes, sizeof digest.bytes);
}

static void write_zeroes(struct writer *writer, size_t size)
{
    static const uint8_t zeroes[WORD] = {0};
    ASSERT(size <= sizeof zeroes);
    write_bytes(writer, zeroes, size);
}

static void write_word_u64(struct writer *writer, uint64_t value)
{
    write_zeroes(writer, WORD - sizeof value);
    write_u64(writer, value);
}

static void write_word_address(struct writer *writer, const struct eth_address *address)
{
    write_zeroes(writer, WORD - sizeof address->bytes);
    write_bytes(writer, address->bytes, sizeof address->bytes);
}

static struct hash256 hash_of_words(const struct writer *writer)
{
    ASSERT(writer_finish(writer) == OK);
    return keccak256(writer_written(writer));
}

static struct hash256 domain_hash(const struct network *network)
{
    uint8_t words[DOMAIN_WORDS * WORD];
    struct writer writer = writer_of(words, sizeof words);
    write_hash_of_text(&writer, domain_type);
    write_hash_of_text(&writer, "Deedmesh");
    write_hash_of_text(&writer, "1");
    write_word_u64(&writer, network->chain_id);
    write_word_address(&writer, &network->contract);
    return hash_of_words(&writer);
}

static struct hash256 message_hash(const struct delegation *delegation)
{
    uint8_t words[MESSAGE_WORDS * WORD];
    struct writer writer = writer_of(words, sizeof words);
    write_hash_of_text(&writer, message_type);
    write_bytes(&writer, delegation->token.bytes, sizeof delegation->token.bytes);
    write_word_address(&writer, &delegation->owner);
    write_bytes(&writer, delegation->node_key.bytes, sizeof delegation->node_key.bytes);
    write_word_u64(&writer, delegation->not_before_s);
    write_word_u64(&writer, delegation->not_after_s);
    write_word_u64(&writer, delegation->epoch_s);
    return hash_of_words(&writer);
}

struct hash256 delegation_digest(const struct delegation *delegation, const struct network *network)
{
    uint8_t bytes[2 + 2 * WORD];
    struct writer writer = writer_of(bytes, sizeof bytes);
    struct hash256 domain = domain_hash(network);
    struct hash256 message = message_hash(delegation);
    write_u8(&writer, 0x19);
    write_u8(&writer, 0x01);
    write_bytes(&writer, domain.bytes, sizeof domain.bytes);
    write_bytes(&writer, message.bytes, sizeof message.bytes);
    return hash_of_words(&writer);
}

struct delegation delegation_draft(const struct token_id *token, const struct eth_address *owner,
    const struct node_key *node_key, struct unix_time now, uint64_t window_s)
{
    uint64_t now_s = now.ms / 1000;
    uint64_t head_start_s = now_s < DELEGATION_HEAD_START_S ? now_s : DELEGATION_HEAD_START_S;
    return (struct delegation){
        .kind = DELEGATION_EIP712,
        .token = *token,
        .owner = *owner,
        .node_key = *node_key,
        .not_before_s = now_s - head_start_s,
        .not_after_s = now_s > UINT64_MAX - window_s ? UINT64_MAX : now_s + window_s,
        .epoch_s = now_s,
    };
}

// The fields as both texts show them.
struct field_texts {
    char token[TOKEN_TEXT_SIZE];
    char owner[ETH_ADDRESS_TEXT_SIZE];
    char contract[ETH_ADDRESS_TEXT_SIZE];
    char node_key[2 * WORD + 1];
};

static void format_fields(
    const struct delegation *delegation, const struct network *network, struct field_texts *ret)
{
    token_id_format(&delegation->token, ret->token);
    eip55_format(&delegation->owner, ret->owner);
    eip55_format(&network->contract, ret->contract);
    hex_format(span_of(delegation->node_key.bytes, WORD), ret->node_key);
}

void delegation_typed_data(const struct delegation *delegation, const struct network *network,
    char ret[static DELEGATION_TYPED_DATA_SIZE])
{
    struct field_texts fields;
    format_fields(delegation, network, &fields);
    int size = snprintf(ret, DELEGATION_TYPED_DATA_SIZE,
        "{\"types\":{\"EIP712Domain\":["
        "{\"name\":\"name\",\"type\":\"string\"},"
        "{\"name\":\"version\",\"type\":\"string\"},"
        "{\"name\":\"chainId\",\"type\":\"uint256\"},"
        "{\"name\":\"verifyingContract\",\"type\":\"address\"}],"
        "\"NodeDelegation\":["
        "{\"name\":\"tokenId\",\"type\":\"uint256\"},"
        "{\"name\":\"owner\",\"type\":\"address\"},"
        "{\"name\":\"nodeKey\",\"type\":\"bytes32\"},"
        "{\"name\":\"notBefore\",\"type\":\"uint64\"},"
        "{\"name\":\"notAfter\",\"type\":\"uint64\"},"
        "{\"name\":\"epoch\",\"type\":\"uint64\"}]},"
        "\"primaryType\":\"NodeDelegation\","
        "\"domain\":{\"name\":\"Deedmesh\",\"version\":\"1\",\"chainId\":\"%" PRIu64 "\","
        "\"verifyingContract\":\"%s\"},"
        "\"message\":{\"tokenId\":\"%s\",\"owner\":\"%s\",\"nodeKey\":\"0x%s\","
        "\"notBefore\":\"%" PRIu64 "\",\"notAfter\":\"%" PRIu64 "\",\"epoch\":\"%" PRIu64 "\"}}",
        network->chain_id, fields.contract, fields.token, fields.owner, fields.node_key,
        delegation->not_before_s, delegation->not_after_s, delegation->epoch_s);
    ASSERT(size > 0 && size < DELEGATION_TYPED_DATA_SIZE);
}

void delegation_text(const struct delegation *delegation, const struct network *network,
    char ret[static DELEGATION_TEXT_SIZE])
{
    struct field_texts fields;
    format_fields(delegation, network, &fields);
    int size = snprintf(ret, DELEGATION_TEXT_SIZE,
        "Deedmesh node delegation, version 1\n"
        "\n"
        "I let this node sit in my token's seat. This costs no gas and moves nothing.\n"
        "\n"
        "Chain: %" PRIu64 "\n"
        "Contract: %s\n"
        "Token: %s\n"
        "Owner: %s\n"
        "Node key: 0x%s\n"
        "Not before: %" PRIu64 "\n"
        "Not after: %" PRIu64 "\n"
        "Epoch: %" PRIu64,
        network->chain_id, fields.contract, fields.token, fields.owner, fields.node_key,
        delegation->not_before_s, delegation->not_after_s, delegation->epoch_s);
    ASSERT(size > 0 && size < DELEGATION_TEXT_SIZE);
}

// What an EIP-191 signature signs: keccak256(0x19 "Ethereum Signed Message:\n" length text).
static struct hash256 text_digest(
    const struct delegation *delegation, const struct network *network)
{
    enum { PREFIX_MAX = 40 };
    char text[DELEGATION_TEXT_SIZE];
    delegation_text(delegation, network, text);
    char signed_text[PREFIX_MAX + DELEGATION_TEXT_SIZE];
    int size = snprintf(signed_text, sizeof signed_text,
        "\x19"
        "Ethereum Signed Message:\n%zu%s",
        strlen(text), text);
    ASSERT(size > 0 && (size_t)size < sizeof signed_text);
    return keccak256(span_of(signed_text, (size_t)size));
}

struct hash256 delegation_digest_of(
    const struct delegation *delegation, const struct network *network)
{
    return delegation->kind == DELEGATION_EIP191 ? text_digest(delegation, network)
                                                 : delegation_digest(delegation, network);
}

static bool is_wallet_kind(enum delegation_kind kind)
{
    switch (kind) {
    case DELEGATION_EIP712:
    case DELEGATION_EIP191:
        return true;
    case DELEGATION_EIP1271:
    case DELEGATION_EIP1271_HASHED:
        return false;
    }
    return false;
}

static enum status verify_digest(const struct delegation *delegation, const struct hash256 *digest)
{
    struct span signature = span_of(delegation->signature, delegation->signature_size);
    struct eth_address signer;
    enum status status = ecdsa_recover(digest, signature, &signer);
    if (status != OK) {
        return status;
    }
    return eth_address_equal(&signer, &delegation->owner) ? OK : ERR_SIGNATURE;
}

// OK if the signature may be a key's and has its size.
static enum status check_form(const struct delegation *delegation)
{
    bool right_size = delegation->signature_size == ECDSA_SIGNATURE_SIZE;
    if (is_wallet_kind(delegation->kind)) {
        return right_size ? OK : ERR_MALFORMED;
    }
    return delegation->kind == DELEGATION_EIP1271 && right_size ? OK : ERR_UNSUPPORTED;
}

// What is no key's signature may still be a contract's.
static enum status verify_by_kind(const struct delegation *delegation, const struct hash256 *digest)
{
    enum status status = verify_digest(delegation, digest);
    return status == OK || is_wallet_kind(delegation->kind) ? status : ERR_UNSUPPORTED;
}

enum status delegation_verify_signature(
    const struct delegation *delegation, const struct network *network)
{
    enum status status = check_form(delegation);
    if (status != OK) {
        return status;
    }
    struct hash256 digest = delegation_digest_of(delegation, network);
    return verify_by_kind(delegation, &digest);
}

enum status delegation_signer(
    const struct delegation *delegation, const struct network *network, struct eth_address *ret)
{
    if (!is_wallet_kind(delegation->kind)) {
        return ERR_UNSUPPORTED;
    }
    struct hash256 digest = delegation_digest_of(delegation, network);
    return ecdsa_recover(&digest, span_of(delegation->signature, delegation->signature_size), ret);
}

enum status delegation_sign(
    struct delegation *delegation, const struct network *network, const struct eth_secret *secret)
{
    if (!is_wallet_kind(delegation->kind)) {
        return ERR_UNSUPPORTED;
    }
    struct eth_address signer;
    enum status status = ecdsa_address(secret, &signer);
    if (status != OK) {
        return status;
    }
    if (!eth_address_equal(&signer, &delegation->owner)) {
        return ERR_MISMATCH;
    }
    struct hash256 digest = delegation_digest_of(delegation, network);
    uint8_t signature[ECDSA_SIGNATURE_SIZE];
    status = ecdsa_sign(&digest, secret, signature);
    if (status != OK) {
        return status;
    }
    memcpy(delegation->signature, signature, sizeof signature);
    delegation->signature_size = sizeof signature;
    return OK;
}

enum status delegation_accept_signature(
    struct delegation *delegation, const struct network *network, struct span signature)
{
    if (signature.size != ECDSA_SIGNATURE_SIZE) {
        return ERR_MALFORMED;
    }
    static const enum delegation_kind kinds[] = {DELEGATION_EIP712, DELEGATION_EIP191};
    enum status status = ERR_SIGNATURE;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct delegation signed_one = *delegation;
        signed_one.kind = kinds[i];
        memcpy(signed_one.signature, signature.data, signature.size);
        signed_one.signature_size = ECDSA_SIGNATURE_SIZE;
        status = delegation_verify_signature(&signed_one, network);
        if (status == OK) {
            *delegation = signed_one;
            return OK;
        }
    }
    return status;
}

enum status delegation_cache_verify(struct delegation_cache *cache,
    const struct delegation *delegation, const struct network *network)
{
    enum status status = check_form(delegation);
    if (status != OK) {
        return status;
    }
    struct hash256 digest = delegation_digest_of(delegation, network);
    uint8_t bytes[sizeof digest.bytes + ECDSA_SIGNATURE_SIZE];
    memcpy(bytes, digest.bytes, sizeof digest.bytes);
    memcpy(bytes + sizeof digest.bytes, delegation->signature, ECDSA_SIGNATURE_SIZE);
    struct hash256 name = keccak256(span_of(bytes, sizeof bytes));
    struct hash256 *entry = &cache->verified[name.bytes[0] % DELEGATION_CACHE_SIZE];
    if (hash256_equal(entry, &name)) {
        return OK;
    }
    status = verify_by_kind(delegation, &digest);
    if (status == OK) {
        *entry = name;
    }
    return status;
}

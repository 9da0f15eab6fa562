// SPDX-License-Identifier: GPL-3.0-or-later
//
// Call data and answers, byte by byte.
#include "chain/wallet.h"

static const uint32_t is_valid_signature = 0x1626ba7e; // isValidSignature(bytes32,bytes)
// checkDelegateForERC721(address,address,address,uint256,bytes32)
static const uint32_t check_delegate_erc721 = 0xb9f36874;

static const uint8_t rights[ABI_WORD] = "deedmesh";

bool wallet_signature_undeployed(struct span signature)
{
    if (signature.size < ABI_WORD) {
        return false;
    }
    const uint8_t *suffix = signature.data + signature.size - ABI_WORD;
    for (size_t i = 0; i < ABI_WORD; i++) {
        if (suffix[i] != (i % 2 == 0 ? 0x64 : 0x92)) {
            return false;
        }
    }
    return true;
}

static void write_padded(struct writer *writer, size_t padding, const uint8_t *bytes, size_t size)
{
    static const uint8_t zeroes[ABI_WORD] = {0};
    write_bytes(writer, zeroes, padding);
    write_bytes(writer, bytes, size);
}

static void write_number(struct writer *writer, uint64_t value)
{
    uint8_t word[ABI_WORD];
    abi_word_of_u64(value, word);
    write_bytes(writer, word, sizeof word);
}

struct span wallet_call(
    const struct hash256 *digest, struct span signature, uint8_t ret[static WALLET_CALL_MAX])
{
    static const uint8_t zeroes[ABI_WORD] = {0};
    ASSERT(signature.size <= WALLET_SIGNATURE_MAX);
    struct writer writer = writer_of(ret, WALLET_CALL_MAX);
    write_u32(&writer, is_valid_signature);
    write_bytes(&writer, digest->bytes, sizeof digest->bytes);
    write_number(&writer, 2 * (uint64_t)ABI_WORD);
    write_number(&writer, signature.size);
    write_span(&writer, signature);
    write_bytes(&writer, zeroes, (ABI_WORD - signature.size % ABI_WORD) % ABI_WORD);
    ASSERT(writer_finish(&writer) == OK);
    return writer_written(&writer);
}

bool wallet_accepts(struct span returned)
{
    uint8_t magic[ABI_WORD] = {0};
    struct writer writer = writer_of(magic, sizeof magic);
    write_u32(&writer, is_valid_signature);
    return span_equal(returned, span_of(magic, sizeof magic));
}

struct span delegate_call(
    const struct delegate_question *question, uint8_t ret[static DELEGATE_CALL_SIZE])
{
    const size_t padding = ABI_WORD - sizeof question->signer.bytes;
    struct writer writer = writer_of(ret, DELEGATE_CALL_SIZE);
    write_u32(&writer, check_delegate_erc721);
    write_padded(&writer, padding, question->signer.bytes, sizeof question->signer.bytes);
    write_padded(&writer, padding, question->owner.bytes, sizeof question->owner.bytes);
    write_padded(&writer, padding, question->contract.bytes, sizeof question->contract.bytes);
    write_bytes(&writer, question->token.bytes, sizeof question->token.bytes);
    write_bytes(&writer, rights, sizeof rights);
    ASSERT(writer_finish(&writer) == OK);
    return writer_written(&writer);
}

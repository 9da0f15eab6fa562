// SPDX-License-Identifier: GPL-3.0-or-later
//
// chain/ against published vectors: ethereum/tests, Wycheproof, ethers.js, execution-apis. Exits
// with 77 (skipped) where DEEDMESH_VECTORS names no folder.
#include "base/text.h"
#include "chain/abi.h"
#include "chain/chain.h"
#include "tests/vectors/vectors.h"

#include "tests/unit/unit.h"

#include <secp256k1.h>
#include <sodium.h>
#include <stdio.h>

static void keys_have_the_addresses_of_ethers(void **)
{
    json_t *root = vectors_load("ethers/accounts.json.gz");
    assert_int_equal(json_array_size(root), 259);
    for (size_t i = 0; i < json_array_size(root); i++) {
        const json_t *account = json_array_get(root, i);
        struct eth_secret secret;
        struct eth_address address;
        char text[ETH_ADDRESS_TEXT_SIZE];
        vectors_bytes(vectors_text(account, "privateKey"), secret.bytes, sizeof secret.bytes);
        assert_int_equal(ecdsa_address(&secret, &address), OK);
        eip55_format(&address, text);
        assert_string_equal(text, vectors_text(account, "address"));
        assert_int_equal(eip55_parse(span_of_text(text), &address), OK);
    }
    json_decref(root);
}

static void typed_data_is_signed_as_by_ethers(void **)
{
    json_t *root = vectors_load("ethers/typed-data.json.gz");
    size_t signed_cases = 0;
    for (size_t i = 0; i < json_array_size(root); i++) {
        const json_t *test = json_array_get(root, i);
        if (json_object_get(test, "signature") == NULL) {
            continue;
        }
        struct hash256 digest;
        struct eth_secret secret;
        uint8_t signature[ECDSA_SIGNATURE_SIZE];
        uint8_t expected[ECDSA_SIGNATURE_SIZE];
        vectors_bytes(vectors_text(test, "digest"), digest.bytes, sizeof digest.bytes);
        vectors_bytes(vectors_text(test, "privateKey"), secret.bytes, sizeof secret.bytes);
        vectors_bytes(vectors_text(test, "signature"), expected, sizeof expected);
        assert_int_equal(ecdsa_sign(&digest, &secret, signature), OK);
        assert_memory_equal(signature, expected, sizeof expected);
        signed_cases++;
    }
    assert_int_equal(signed_cases, 1);
    json_decref(root);
}

static void seeds_have_the_keys_and_addresses_of_ethereum(void **)
{
    json_t *root = vectors_load("ethereum-tests/BasicTests/keyaddrtest.json");
    assert_true(json_array_size(root) > 0);
    for (size_t i = 0; i < json_array_size(root); i++) {
        const json_t *test = json_array_get(root, i);
        struct hash256 key = keccak256(span_of_text(vectors_text(test, "seed")));
        struct hash256 expected_key;
        struct eth_address expected;
        vectors_bytes(vectors_text(test, "key"), expected_key.bytes, sizeof expected_key.bytes);
        vectors_bytes(vectors_text(test, "addr"), expected.bytes, sizeof expected.bytes);
        assert_true(hash256_equal(&key, &expected_key));
        struct eth_secret secret;
        struct eth_address address;
        memcpy(secret.bytes, key.bytes, sizeof secret.bytes);
        assert_int_equal(ecdsa_address(&secret, &address), OK);
        assert_true(eth_address_equal(&address, &expected));
    }
    json_decref(root);
}

// True if one of the two forms of v names the key's address.
static bool recovers(
    const struct hash256 *digest, const uint8_t compact[static 64], const struct eth_address *key)
{
    uint8_t signature[ECDSA_SIGNATURE_SIZE];
    memcpy(signature, compact, 64);
    for (uint8_t v = 0; v < 2; v++) {
        struct eth_address signer;
        signature[64] = v;
        if (ecdsa_recover(digest, span_of(signature, sizeof signature), &signer) == OK &&
            eth_address_equal(&signer, key)) {
            return true;
        }
    }
    return false;
}

static void check_wycheproof_case(
    const json_t *test, const struct eth_address *key, size_t *ret_valid, size_t *ret_recovered)
{
    static uint8_t message[1 << 17];
    static uint8_t der[1 << 17];
    struct hash256 digest;
    size_t message_size = strlen(vectors_text(test, "msg")) / 2;
    size_t der_size = strlen(vectors_text(test, "sig")) / 2;
    assert_true(message_size <= sizeof message && der_size <= sizeof der);
    vectors_bytes(vectors_text(test, "msg"), message, message_size);
    vectors_bytes(vectors_text(test, "sig"), der, der_size);
    assert_int_equal(crypto_hash_sha256(digest.bytes, message, message_size), 0);
    secp256k1_ecdsa_signature parsed;
    bool recovered = false;
    if (secp256k1_ecdsa_signature_parse_der(secp256k1_context_static, &parsed, der, der_size)) {
        uint8_t compact[64];
        (void)secp256k1_ecdsa_signature_serialize_compact(
            secp256k1_context_static, compact, &parsed);
        recovered = recovers(&digest, compact, key);
    }
    bool valid = strcmp(vectors_text(test, "result"), "valid") == 0;
    assert_true(valid || !recovered);
    *ret_valid += valid ? 1 : 0;
    *ret_recovered += recovered ? 1 : 0;
}

// Of the valid ones, one has r not below the group order's complement: Ethereum has no v for it.
static void wycheproof(void **)
{
    json_t *root = vectors_load("wycheproof/ecdsa_secp256k1_sha256_bitcoin_test.json");
    const json_t *groups = json_object_get(root, "testGroups");
    size_t cases = 0;
    size_t valid = 0;
    size_t recovered = 0;
    for (size_t i = 0; i < json_array_size(groups); i++) {
        const json_t *group = json_array_get(groups, i);
        uint8_t key_bytes[65];
        vectors_bytes(vectors_text(json_object_get(group, "publicKey"), "uncompressed"), key_bytes,
            sizeof key_bytes);
        struct hash256 digest = keccak256(span_of(key_bytes + 1, 64));
        struct eth_address key;
        memcpy(key.bytes, digest.bytes + 12, sizeof key.bytes);
        const json_t *tests = json_object_get(group, "tests");
        for (size_t j = 0; j < json_array_size(tests); j++, cases++) {
            check_wycheproof_case(json_array_get(tests, j), &key, &valid, &recovered);
        }
    }
    assert_int_equal(cases, 463);
    assert_int_equal(recovered, valid - 1);
    json_decref(root);
}

static void abi_words_of_ethereum(void **)
{
    json_t *root = vectors_load("ethereum-tests/ABITests/basic_abi_tests.json");
    uint8_t bytes[512];
    const char *hex = vectors_text(json_object_get(root, "GithubWikiTest"), "result");
    size_t size = strlen(hex) / 2;
    assert_true(size <= sizeof bytes);
    vectors_bytes(hex, bytes, size);
    struct span data = span_of(bytes, size);
    struct span tail;
    struct span text;
    uint64_t number = 0;
    assert_int_equal(abi_read_u64(data, 0, &number), OK);
    assert_int_equal(number, 291);
    assert_int_equal(abi_read_tail(data, 1, &tail), OK); // uint32[] {1110, 1929}
    assert_int_equal(abi_read_u64(tail, 2, &number), OK);
    assert_int_equal(number, 1929);
    assert_int_equal(abi_read_bytes(data, 3, &text), OK);
    assert_true(span_equal(text, span_of_text("Hello, world!")));
    hex = vectors_text(json_object_get(root, "IntegerAndAddress"), "result");
    vectors_bytes(hex, bytes, strlen(hex) / 2);
    struct eth_address address;
    assert_int_equal(abi_read_address(span_of(bytes, strlen(hex) / 2), 1, &address), OK);
    assert_int_equal(address.bytes[0], 0xcd);
    json_decref(root);
}

static enum rpc_verdict verdict_of_exchange(const char *name)
{
    static char line[1 << 16];
    char path[128];
    (void)snprintf(path, sizeof path, "execution-apis/%s", name);
    FILE *stream = fopen(vectors_path(path), "re");
    assert_non_null(stream);
    enum rpc_verdict verdict = RPC_FAULT;
    while (fgets(line, sizeof line, stream) != NULL) {
        if (strncmp(line, "<< ", 3) == 0) {
            struct rpc_reply reply = {
                .outcome = RPC_ANSWERED, .http_status = 200, .body = span_of_text(line + 3)};
            struct rpc_answer answer;
            rpc_answer_parse(&reply, 1, RPC_DATA, &answer);
            verdict = answer.verdict;
            rpc_answer_clear(&answer);
        }
    }
    (void)fclose(stream);
    return verdict;
}

static void answers_of_execution_apis(void **)
{
    assert_int_equal(verdict_of_exchange("eth_call/call-contract.io"), RPC_RESULT);
    assert_int_equal(verdict_of_exchange("eth_call/call-callenv.io"), RPC_RESULT);
    assert_int_equal(verdict_of_exchange("eth_call/call-eip7702-delegation.io"), RPC_RESULT);
    assert_int_equal(verdict_of_exchange("eth_call/call-revert-abi-error.io"), RPC_REVERTED);
    assert_int_equal(verdict_of_exchange("eth_call/call-revert-abi-panic.io"), RPC_REVERTED);
    assert_int_equal(
        verdict_of_exchange("eth_getLogs/filter-error-future-block-range.io"), RPC_CALL_FAILED);
    assert_int_equal(verdict_of_exchange("eth_getLogs/contract-addr.io"), RPC_FAULT);
}

int main(void)
{
    if (!vectors_present()) {
        return VECTORS_SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_have_the_addresses_of_ethers),
        cmocka_unit_test(typed_data_is_signed_as_by_ethers),
        cmocka_unit_test(seeds_have_the_keys_and_addresses_of_ethereum),
        cmocka_unit_test(wycheproof),
        cmocka_unit_test(abi_words_of_ethereum),
        cmocka_unit_test(answers_of_execution_apis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

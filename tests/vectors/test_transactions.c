// SPDX-License-Identifier: GPL-3.0-or-later
//
// Senders of transactions: those of ethereum/tests are of the oldest form (EIP-155 and before),
// which is decoded here; what recovers the sender is ours. Exits with 77 (skipped) where
// DEEDMESH_VECTORS names no folder.
#include "chain/chain.h"
#include "chain/rlp.h"
#include "tests/vectors/vectors.h"

#include "tests/unit/unit.h"

#include <dirent.h>
#include <stdio.h>

static const char tests_folder[] = "ethereum-tests/TransactionTests/ttSignature";

enum {
    FIELDS = 6, // nonce, price, gas, to, value, data: what is signed
    MAINNET = 1,
};

// The six fields, and with EIP-155 the chain id and two zeroes.
static struct hash256 digest_of(const struct span *fields, bool with_chain)
{
    uint8_t bytes[512];
    struct writer writer = writer_of(bytes, sizeof bytes);
    size_t list = rlp_begin_list(&writer);
    for (size_t i = 0; i < FIELDS; i++) {
        rlp_write_string(&writer, fields[i]);
    }
    if (with_chain) {
        rlp_write_u64(&writer, MAINNET);
        rlp_write_u64(&writer, 0);
        rlp_write_u64(&writer, 0);
    }
    rlp_end_list(&writer, list);
    assert_int_equal(writer_finish(&writer), OK);
    return keccak256(writer_written(&writer));
}

static enum status sender_of(struct span bytes, struct eth_address *ret)
{
    enum { V_PLAIN = 27, V_CHAIN = 35 + 2 * MAINNET };
    struct reader reader = reader_of(bytes);
    struct reader items = rlp_read_list(&reader);
    struct span fields[FIELDS];
    uint8_t signature[ECDSA_SIGNATURE_SIZE];
    for (size_t i = 0; i < FIELDS; i++) {
        fields[i] = rlp_read_string(&items);
    }
    uint64_t v = rlp_read_u64(&items);
    rlp_read_u256(&items, signature);
    rlp_read_u256(&items, signature + 32);
    enum status status = reader_finish(&items);
    status = status == OK ? reader_finish(&reader) : status;
    if (status != OK) {
        return status;
    }
    bool with_chain = v == V_CHAIN || v == V_CHAIN + 1;
    if (!with_chain && v != V_PLAIN && v != V_PLAIN + 1) {
        return ERR_MISMATCH; // of another chain, or of none
    }
    signature[64] = (uint8_t)(v - (with_chain ? V_CHAIN : V_PLAIN));
    struct hash256 digest = digest_of(fields, with_chain);
    return ecdsa_recover(&digest, span_of(signature, sizeof signature), ret);
}

// Returns whether the file's transaction is valid.
static bool check_file(const char *name)
{
    char path[256];
    uint8_t bytes[512];
    struct eth_address sender;
    (void)snprintf(path, sizeof path, "%s/%s", tests_folder, name);
    json_t *root = vectors_load(path);
    const json_t *test = json_object_iter_value(json_object_iter(root));
    const json_t *result = vectors_member(vectors_member(test, "result"), "London");
    struct span encoded = vectors_hex(vectors_text(test, "txbytes"), bytes, sizeof bytes);
    enum status status = sender_of(encoded, &sender);
    bool valid = json_object_get(result, "sender") != NULL;
    if (valid != (status == OK)) {
        fail_msg("%s: %s", name, status_name(status));
    }
    if (valid) {
        struct eth_address expected;
        struct hash256 expected_hash;
        struct hash256 hash = keccak256(encoded);
        vectors_bytes(vectors_text(result, "sender"), expected.bytes, sizeof expected.bytes);
        vectors_bytes(vectors_text(result, "hash"), expected_hash.bytes, sizeof hash.bytes);
        assert_true(eth_address_equal(&sender, &expected));
        assert_true(hash256_equal(&hash, &expected_hash));
    }
    json_decref(root);
    return valid;
}

static void senders_recover_and_bad_signatures_do_not(void **)
{
    DIR *directory = opendir(vectors_path(tests_folder));
    assert_non_null(directory);
    size_t files = 0;
    size_t valid = 0;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        if (strstr(entry->d_name, ".json") != NULL) {
            files++;
            valid += check_file(entry->d_name) ? 1 : 0;
        }
    }
    (void)closedir(directory);
    assert_int_equal(files, 34);
    assert_int_equal(valid, 17);
}

int main(void)
{
    if (!vectors_present()) {
        return VECTORS_SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(senders_recover_and_bad_signatures_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sample values. Nothing here is random.
#include "tests/unit/dht/fixtures.h"

#include "base/text.h"
#include "tests/unit/unit.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

struct unix_time fixture_unix_time(void)
{
    return (struct unix_time){.ms = (uint64_t)FIXTURE_TIME_S * 1000};
}

struct now fixture_now(void)
{
    return (struct now){.mono = {.ms = 1000000}, .unix_time = fixture_unix_time()};
}

struct fixture_node fixture_node(uint8_t seed)
{
    uint8_t bytes[crypto_sign_SEEDBYTES];
    struct fixture_node node;
    memset(bytes, seed, sizeof bytes);
    assert_int_equal(crypto_sign_seed_keypair(node.key.bytes, node.secret.bytes, bytes), 0);
    return node;
}

struct network fixture_network(void)
{
    struct network network = {.chain_id = 8453};
    memset(network.contract.bytes, 0xc0, sizeof network.contract.bytes);
    return network;
}

struct network_keys fixture_keys(void)
{
    struct network network = fixture_network();
    return network_keys_of(&network, NULL);
}

struct network_keys fixture_secret_keys(void)
{
    struct network network = fixture_network();
    uint8_t secret[NETWORK_SECRET_SIZE];
    memset(secret, 0x5e, sizeof secret);
    return network_keys_of(&network, secret);
}

struct candidate fixture_candidate_ipv4(uint8_t last, uint16_t port)
{
    return (struct candidate){
        .kind = CANDIDATE_REFLEXIVE, .address = address_of_ipv4(198, 51, 100, last, port)};
}

struct candidate fixture_candidate_ipv6(uint8_t last, uint16_t port)
{
    struct candidate candidate = {
        .kind = CANDIDATE_HOST, .address = {.family = FAMILY_IPV6, .port = port}};
    candidate.address.ip[0] = 0x20;
    candidate.address.ip[1] = 0x01;
    candidate.address.ip[2] = 0x0d;
    candidate.address.ip[3] = 0xb8;
    candidate.address.ip[15] = last;
    return candidate;
}

struct candidate fixture_candidate_relay(uint64_t token)
{
    return (struct candidate){.kind = CANDIDATE_RELAY, .relay = token_id_of_u64(token)};
}

struct candidate fixture_candidate_name(const char *name)
{
    struct candidate candidate = {.kind = CANDIDATE_HOST_NAME, .port = 443};
    assert_true(strlen(name) <= HOST_NAME_MAX_SIZE);
    candidate.host_name_size = (uint8_t)strlen(name);
    memcpy(candidate.host_name, name, strlen(name));
    return candidate;
}

static struct delegation delegation_of(
    const struct token_id *token, const struct node_key *node_key)
{
    struct delegation delegation = {
        .kind = DELEGATION_EIP712,
        .token = *token,
        .node_key = *node_key,
        .not_before_s = FIXTURE_TIME_S - 86400,
        .not_after_s = FIXTURE_TIME_S + 89 * 86400,
        .epoch_s = FIXTURE_TIME_S - 86400,
        .signature_size = ECDSA_SIGNATURE_SIZE,
    };
    memset(delegation.owner.bytes, 0xab, sizeof delegation.owner.bytes);
    for (size_t i = 0; i < ECDSA_SIGNATURE_SIZE; i++) {
        delegation.signature[i] = (uint8_t)i;
    }
    return delegation;
}

struct record fixture_record(const struct fixture_node *node)
{
    struct record record = {
        .token = token_id_of_u64(7),
        .node_key = node->key,
        .sequence = (uint64_t)FIXTURE_TIME_S * 1000,
        .boot = UINT64_C(0x0123456789abcdef),
        .not_after_s = FIXTURE_TIME_S + 1800,
        .nat_class = NAT_EASY,
        .flags = RECORD_ENTRY,
    };
    memset(record.wg_key.bytes, 0x77, sizeof record.wg_key.bytes);
    record.candidates.list[0] = fixture_candidate_ipv6(1, 51820);
    record.candidates.list[1] = fixture_candidate_ipv4(1, 51820);
    record.candidates.list[2] = fixture_candidate_relay(12);
    record.candidates.list[3] = fixture_candidate_name("carrier.example.org");
    record.candidates.count = 4;
    record.delegation = delegation_of(&record.token, &record.node_key);
    return record;
}

struct record fixture_tombstone(void)
{
    struct record record = {.token = token_id_of_u64(7)};
    record.delegation = delegation_of(&record.token, &node_key_zero);
    return record;
}

struct intent fixture_intent(const struct fixture_node *sender)
{
    struct intent intent = {
        .sender = token_id_of_u64(7),
        .recipient = token_id_of_u64(8),
        .sender_key = sender->key,
        .sent_at = fixture_unix_time(),
        .nat_class = NAT_HARD,
        .sequence = (uint64_t)FIXTURE_TIME_S * 1000,
    };
    memset(intent.nonce.bytes, 0x4e, sizeof intent.nonce.bytes);
    intent.candidates.list[0] = (struct candidate){
        .kind = CANDIDATE_HOST, .address = address_of_ipv4(192, 168, 1, 20, 51820)};
    intent.candidates.list[1] = fixture_candidate_ipv4(9, 40000);
    intent.candidates.count = 2;
    return intent;
}

struct manifest fixture_manifest(const struct fixture_node *authority)
{
    static const char url[] = "https://rpc.example.org/base";
    struct manifest manifest = {
        .authority = authority->key,
        .version = 1,
        .network = fixture_network(),
        .profile = PROFILE_ERC721,
        .ipv4 = {.base = address_of_ipv4(10, 213, 0, 0, 0), .length = 16},
        .poll_s = 5,
        .grace_s = 600,
        .delegation_window_days = 90,
        .rpc_count = 1,
        .rpc = {{.size = sizeof url - 1}},
    };
    memcpy(manifest.rpc[0].text, url, sizeof url);
    return manifest;
}

static void golden_path(const char *name, char ret[static 512])
{
    (void)snprintf(ret, 512, "%s/%s.hex", DEEDMESH_GOLDEN_DIR, name);
}

void fixture_check_golden(const char *name, struct span bytes)
{
    char path[512];
    char expected[2048] = {0};
    char actual[2048];
    assert_true(bytes.size * 2 + 2 <= sizeof actual);
    golden_path(name, path);
    hex_format(bytes, actual);
    if (getenv("DEEDMESH_WRITE_GOLDEN") != NULL) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_true(fprintf(file, "%s\n", actual) > 0);
        assert_int_equal(fclose(file), 0);
        return;
    }
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(expected, 1, sizeof expected - 1, file);
    assert_int_equal(fclose(file), 0);
    assert_true(size > 0 && expected[size - 1] == '\n');
    expected[size - 1] = '\0';
    assert_string_equal(actual, expected);
}

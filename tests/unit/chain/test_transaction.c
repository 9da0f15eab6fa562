// SPDX-License-Identifier: GPL-3.0-or-later
//
// Transactions against what another implementation signed: the golden ones are eth_signTransaction
// of anvil 1.7.1 (alloy), with its first two accounts. Both sign deterministically (RFC 6979), so
// not one byte may differ.
#include "base/rng.h"
#include "base/text.h"
#include "chain/eip55.h"
#include "chain/keccak.h"
#include "chain/rlp.h"
#include "chain/transaction.h"

#include "tests/unit/unit.h"

static const char *const secrets[] = {
    "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
};
static const char *const addresses[] = {
    "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
    "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
};

struct golden {
    unsigned sender;
    uint64_t nonce;
    uint64_t gas;
    uint64_t max_fee;
    uint64_t priority_fee;
    struct wei value;
    bool creates;
    const char *data;
    const char *raw;
};

static const struct golden goldens[] = {
    {0, 0, 21000, 1000000000, 0, {0, 0}, false, "",
        "02f868827a698080843b9aca008252089470997970c51812dc3a010c7d01b50e0d17dc79c88080c080a02e7f97"
        "aa0dc2f2cf9c75963ed2acb3f765713310cae02d1baef82ebc31750e79a064eb3151a1a9cbc1689b702a81b70c"
        "5944c7bf0170491fefdbda824468fd4f74"},
    {0, 127, 100000, 20000000000, 1000000000, {0, 1000000000000000000}, false,
        "be1ba4060000000000000000000000000000000000000000000000000000000000000007",
        "02f89a827a697f843b9aca008504a817c800830186a09470997970c51812dc3a010c7d01b50e0d17dc79c8880d"
        "e0b6b3a7640000a4be1ba4060000000000000000000000000000000000000000000000000000000000000007c0"
        "01a01bd5053746cd39dbbee28377957295eff21129cf825352a7710be161fce00bd1a022d2e6a52c1600f15cdc"
        "3a08ddaafef98417235984ee9fdbdb31acf17caca34c"},
    // 100 ether: more than 64 bits of wei
    {1, 128, 30000000, UINT64_MAX, 1, {5, 7766279631452241920}, true, "6001600155",
        "02f869827a6981800188ffffffffffffffff8401c9c3808089056bc75e2d63100000856001600155c001a06a3c"
        "acf9ddae7681aadd32f3944e169efda15d3f7a61b124a1b8fbf188b2e2f2a072c5eb6e4f371bc3c67445e93b85"
        "1347348395ebbc213af34d86bc18bdd6055f"},
};
enum {
    GOLDENS = sizeof goldens / sizeof goldens[0],
    BUFFER = 1024,
};

struct bytes {
    uint8_t data[BUFFER];
    size_t size;
};

static struct span view(const struct bytes *bytes)
{
    return span_of(bytes->data, bytes->size);
}

static struct bytes unhex(const char *text)
{
    struct bytes bytes = {.size = strlen(text) / 2};
    assert_int_equal(hex_parse(span_of_text(text), bytes.data, bytes.size), OK);
    return bytes;
}

static struct eth_address address_of(unsigned index)
{
    struct eth_address address;
    assert_int_equal(eip55_parse(span_of_text(addresses[index]), &address), OK);
    return address;
}

// `data` backs the transaction's.
static struct transaction transaction_of(const struct golden *golden, const struct bytes *data)
{
    struct transaction transaction = {
        .chain_id = 31337,
        .nonce = golden->nonce,
        .gas = golden->gas,
        .max_fee = golden->max_fee,
        .priority_fee = golden->priority_fee,
        .value = golden->value,
        .creates = golden->creates,
        .data = view(data),
    };
    if (!golden->creates) {
        transaction.to = address_of(1);
    }
    return transaction;
}

static struct bytes sign(const struct transaction *transaction, const char *key)
{
    struct eth_secret secret;
    uint8_t signature[ECDSA_SIGNATURE_SIZE];
    struct bytes bytes;
    assert_int_equal(hex_parse(span_of_text(key), secret.bytes, sizeof secret.bytes), OK);
    struct writer writer = writer_of(bytes.data, sizeof bytes.data);
    transaction_write(transaction, NULL, &writer);
    assert_int_equal(writer_finish(&writer), OK);
    struct hash256 digest = keccak256(writer_written(&writer));
    assert_int_equal(ecdsa_sign(&digest, &secret, signature), OK);
    writer = writer_of(bytes.data, sizeof bytes.data);
    transaction_write(transaction, signature, &writer);
    assert_int_equal(writer_finish(&writer), OK);
    bytes.size = writer.size;
    return bytes;
}

static enum status read(
    const struct bytes *raw, struct transaction *ret, struct eth_address *ret_sender)
{
    uint8_t room[BUFFER];
    struct writer scratch = writer_of(room, raw->size);
    return transaction_read(view(raw), &scratch, ret, ret_sender);
}

static enum status read_only(const struct bytes *raw)
{
    struct transaction transaction;
    struct eth_address sender;
    return read(raw, &transaction, &sender);
}

static void writes_what_another_signed(void **)
{
    for (size_t i = 0; i < GOLDENS; i++) {
        struct bytes data = unhex(goldens[i].data);
        struct transaction transaction = transaction_of(&goldens[i], &data);
        struct bytes raw = sign(&transaction, secrets[goldens[i].sender]);
        char text[2 * BUFFER + 1];
        hex_format(view(&raw), text);
        assert_string_equal(text, goldens[i].raw);
    }
}

static void reads_it_back(void **)
{
    for (size_t i = 0; i < GOLDENS; i++) {
        struct transaction transaction;
        struct eth_address sender;
        struct bytes raw = unhex(goldens[i].raw);
        struct bytes data = unhex(goldens[i].data);
        struct eth_address wants = address_of(goldens[i].sender);
        assert_int_equal(read(&raw, &transaction, &sender), OK);
        assert_true(eth_address_equal(&sender, &wants));
        assert_true(transaction.chain_id == 31337 && transaction.nonce == goldens[i].nonce &&
                    transaction.gas == goldens[i].gas &&
                    transaction.max_fee == goldens[i].max_fee &&
                    transaction.priority_fee == goldens[i].priority_fee &&
                    transaction.creates == goldens[i].creates);
        assert_int_equal(wei_compare(transaction.value, goldens[i].value), 0);
        assert_true(span_equal(transaction.data, view(&data)));
        struct transaction same = transaction_of(&goldens[i], &data);
        assert_true(eth_address_equal(&transaction.to, &same.to));
    }
}

// Each prefix, each changed byte: an error, or another transaction or sender; never a crash.
static void reads_nothing_else(void **)
{
    struct rng rng;
    const uint8_t seed[RNG_SEED_SIZE] = {1};
    rng_seed(&rng, seed);
    struct bytes raw = unhex(goldens[1].raw);
    for (size_t size = 0; size < raw.size; size++) {
        struct bytes cut = raw;
        cut.size = size;
        assert_int_equal(read_only(&cut), ERR_TRUNCATED);
    }
    struct bytes longer = raw;
    longer.size++;
    assert_int_equal(read_only(&longer), ERR_TRAILING);
    struct eth_address wants = address_of(0);
    for (size_t i = 0; i < raw.size; i++) {
        struct bytes changed = raw;
        struct transaction transaction;
        struct eth_address sender;
        changed.data[i] ^= (uint8_t)(1 + rng_below(&rng, 255));
        enum status status = read(&changed, &transaction, &sender);
        assert_true(status != OK || !eth_address_equal(&sender, &wants));
    }
}

static void refuses_other_kinds(void **)
{
    struct bytes raw = unhex(goldens[0].raw);
    raw.data[0] = 1;
    assert_int_equal(read_only(&raw), ERR_VERSION);
    struct golden contradicts = goldens[0];
    contradicts.priority_fee = contradicts.max_fee + 1;
    struct bytes none = {.size = 0};
    struct transaction transaction = transaction_of(&contradicts, &none);
    raw = sign(&transaction, secrets[0]);
    assert_int_equal(read_only(&raw), ERR_RANGE);
    // The empty access list c0 becomes one with an empty string, c180; the outer list grows by one.
    raw = unhex(goldens[0].raw);
    size_t at = raw.size - 68; // parity, and r and s with their heads, stand behind it
    assert_int_equal(raw.data[at], 0xc0);
    memmove(raw.data + at + 2, raw.data + at + 1, raw.size - at - 1);
    raw.data[at] = 0xc1;
    raw.data[at + 1] = 0x80;
    raw.data[2]++;
    raw.size++;
    assert_int_equal(read_only(&raw), ERR_UNSUPPORTED);
}

// s' = n - s with the other parity is the same signature in its second form (EIP-2).
static void refuses_high_s(void **)
{
    static const char order[] = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    struct bytes raw = unhex(goldens[0].raw);
    struct bytes n = unhex(order);
    uint8_t *s = raw.data + raw.size - 32;
    unsigned borrow = 0;
    for (size_t i = 32; i > 0; i--) {
        unsigned difference = 256u + n.data[i - 1] - s[i - 1] - borrow;
        s[i - 1] = (uint8_t)difference;
        borrow = difference < 256;
    }
    uint8_t *parity = raw.data + raw.size - 67;
    assert_int_equal(*parity, 0x80);
    *parity = 0x01;
    assert_int_equal(read_only(&raw), ERR_SIGNATURE);
}

static void needs_room(void **)
{
    struct bytes none = {.size = 0};
    struct transaction transaction = transaction_of(&goldens[0], &none);
    uint8_t room[BUFFER];
    struct writer fits = writer_of(room, sizeof room);
    transaction_write(&transaction, NULL, &fits);
    assert_int_equal(writer_finish(&fits), OK);
    for (size_t size = 0; size < fits.size; size++) {
        struct writer writer = writer_of(room, size);
        transaction_write(&transaction, NULL, &writer);
        assert_int_equal(writer_finish(&writer), ERR_FULL);
    }
}

static void costs_at_most(void **)
{
    char text[WEI_TEXT_SIZE];
    struct bytes none = {.size = 0};
    struct transaction transaction = transaction_of(&goldens[1], &none);
    wei_format(transaction_cost_max(&transaction), WEI_OF_ETHER_DIGITS, text);
    assert_string_equal(text, "1.002");
}

// The well-known first contracts of anvil's first account.
static void names_contracts(void **)
{
    static const struct {
        uint64_t nonce;
        const char *address;
    } cases[] = {
        {0, "0x5FbDB2315678afecb367f032d93F642f64180aa3"},
        {1, "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"},
        {2, "0x9fE46736679d2D9a65F0992F2272dE9f3c7fa6e0"},
    };
    struct eth_address sender = address_of(0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[ETH_ADDRESS_TEXT_SIZE];
        struct eth_address address = transaction_contract_address(&sender, cases[i].nonce);
        eip55_format(&address, text);
        assert_string_equal(text, cases[i].address);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_another_signed),
        cmocka_unit_test(reads_it_back),
        cmocka_unit_test(reads_nothing_else),
        cmocka_unit_test(refuses_other_kinds),
        cmocka_unit_test(refuses_high_s),
        cmocka_unit_test(needs_room),
        cmocka_unit_test(costs_at_most),
        cmocka_unit_test(names_contracts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

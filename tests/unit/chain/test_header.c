// SPDX-License-Identifier: GPL-3.0-or-later
//
// Headers of real nodes, each with the hash that they gave: Ethereum's first block, and the first
// blocks of anvil after three forks.
#include "base/text.h"
#include "chain/header.h"

#include "tests/unit/unit.h"

#define ZERO_HASH "0x0000000000000000000000000000000000000000000000000000000000000000"
#define EMPTY_ROOT "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
#define NO_UNCLES "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347"

struct member {
    const char *name;
    const char *value;
};

static const struct member ethereum_first[] = {
    {"hash", "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3"},
    {"parentHash", ZERO_HASH},
    {"sha3Uncles", NO_UNCLES},
    {"miner", "0x0000000000000000000000000000000000000000"},
    {"stateRoot", "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544"},
    {"transactionsRoot", EMPTY_ROOT},
    {"receiptsRoot", EMPTY_ROOT},
    {"difficulty", "0x400000000"},
    {"number", "0x0"},
    {"gasLimit", "0x1388"},
    {"gasUsed", "0x0"},
    {"timestamp", "0x0"},
    {"extraData", "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa"},
    {"mixHash", ZERO_HASH},
    {"nonce", "0x0000000000000042"},
    {NULL, NULL},
};

static const struct member anvil_first[] = {
    {"hash", "0x478ff2d8092ff5f48640ba3bd131d677407b1ecdfa1cc844eda0594c9dc73e8f"}, // Shanghai
    {"parentHash", ZERO_HASH},
    {"sha3Uncles", NO_UNCLES},
    {"miner", "0x0000000000000000000000000000000000000000"},
    {"stateRoot", EMPTY_ROOT},
    {"transactionsRoot", EMPTY_ROOT},
    {"receiptsRoot", EMPTY_ROOT},
    {"difficulty", "0x0"},
    {"number", "0x0"},
    {"gasLimit", "0x1c9c380"},
    {"gasUsed", "0x0"},
    {"timestamp", "0x6553f100"},
    {"extraData", "0x"},
    {"mixHash", ZERO_HASH},
    {"nonce", "0x0000000000000000"},
    {"baseFeePerGas", "0x3b9aca00"},
    {"withdrawalsRoot", EMPTY_ROOT},
    {"blobGasUsed", "0x0"},
    {"excessBlobGas", "0x0"},
    {NULL, NULL},
};

// What a later fork changes.
static const struct member cancun[] = {
    {"hash", "0x19062232850cfdb7d3e0e5da7e8770ec92b8a443895a62389f835381d71ffccd"},
    {"parentBeaconBlockRoot", ZERO_HASH},
    {NULL, NULL},
};

static const struct member prague[] = {
    {"hash", "0xc56b8342e33b57477139f45874ae699b6fe1ca1a65d089b78c34dabc3206e07b"},
    {"parentBeaconBlockRoot", ZERO_HASH},
    {"requestsHash", "0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {NULL, NULL},
};

static void set_members(json_t *block, const struct member *members)
{
    for (; members->name != NULL; members++) {
        (void)json_object_set_new(block, members->name, json_string(members->value));
    }
}

static json_t *block_of(const struct member *members, const struct member *changes)
{
    char bloom[2 + 512 + 1];
    memset(bloom, '0', sizeof bloom - 1);
    bloom[1] = 'x';
    bloom[sizeof bloom - 1] = '\0';
    json_t *block = json_pack("{s:s,s:s,s:[],s:[],s:[]}", "logsBloom", bloom, "size", "0x267",
        "uncles", "transactions", "withdrawals");
    set_members(block, members);
    if (changes != NULL) {
        set_members(block, changes);
    }
    return block;
}

static void assert_text(const struct hash256 *hash, const char *expected)
{
    char text[67] = "0x";
    hex_format(span_of(hash->bytes, sizeof hash->bytes), text + 2);
    assert_string_equal(text, expected);
}

static void headers_of_all_forks(void **)
{
    static const struct member *const changes[] = {NULL, cancun, prague};
    struct header header;
    json_t *block = block_of(ethereum_first, NULL);
    assert_int_equal(header_read(block, &header), OK);
    assert_int_equal(header.number, 0);
    assert_int_equal(header.timestamp_s, 0);
    assert_text(&header.state_root, ethereum_first[4].value);
    assert_text(&header.hash, ethereum_first[0].value);
    json_decref(block);
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        block = block_of(anvil_first, changes[i]);
        assert_int_equal(header_read(block, &header), OK);
        assert_int_equal(header.timestamp_s, 0x6553f100);
        assert_text(&header.hash, changes[i] == NULL ? anvil_first[0].value : changes[i]->value);
        json_decref(block);
    }
}

// Every member that is hashed, its last digit changed.
static void every_field_counts(void **)
{
    json_t *block = block_of(anvil_first, prague);
    struct header header;
    json_t *copy = json_deep_copy(block);
    const char *name;
    json_t *value;
    size_t fields = 0;
    json_object_foreach(copy, name, value)
    {
        if (!json_is_string(value) || strcmp(name, "size") == 0) {
            continue;
        }
        char text[600];
        size_t size = json_string_length(value);
        memcpy(text, json_string_value(value), size + 1);
        if (size == 2) {
            memset(text + 2, '0', 2);
            text[4] = '\0';
        } else {
            text[size - 1] = text[size - 1] == '7' ? '8' : '7';
        }
        (void)json_object_set_new(block, name, json_string(text));
        assert_int_equal(header_read(block, &header), ERR_MISMATCH);
        (void)json_object_set(block, name, value);
        assert_int_equal(header_read(block, &header), OK);
        fields++;
    }
    assert_int_equal(fields, 22); // the hash, and 21
    json_decref(copy);
    json_decref(block);
}

static void missing_or_malformed_fields(void **)
{
    json_t *block = block_of(anvil_first, prague);
    json_t *none = json_null();
    struct header header;
    for (const struct member *member = anvil_first; member->name != NULL; member++) {
        json_t *value = json_incref(json_object_get(block, member->name));
        (void)json_object_del(block, member->name);
        assert_int_equal(header_read(block, &header), ERR_MALFORMED);
        (void)json_object_set_new(block, member->name, json_string("0xg"));
        assert_int_equal(header_read(block, &header), ERR_MALFORMED);
        (void)json_object_set_new(block, member->name, json_integer(1));
        assert_int_equal(header_read(block, &header), ERR_MALFORMED);
        (void)json_object_set_new(block, member->name, value);
    }
    assert_int_equal(header_read(block, &header), OK);
    (void)json_object_set_new(block, "number", json_string("0x10000000000000000"));
    assert_int_equal(header_read(block, &header), ERR_TOO_LARGE);
    assert_int_equal(header_read(none, &header), ERR_MALFORMED);
    json_decref(block);
}

static void the_last_fields_may_be_missing_or_null(void **)
{
    json_t *block = block_of(anvil_first, cancun);
    struct header header;
    (void)json_object_set_new(block, "requestsHash", json_null());
    assert_int_equal(header_read(block, &header), OK);
    (void)json_object_set_new(block, "parentBeaconBlockRoot", json_null());
    assert_int_equal(header_read(block, &header), ERR_MISMATCH);
    json_decref(block);
}

static void a_field_of_a_later_fork_is_told_apart(void **)
{
    json_t *block = block_of(anvil_first, prague);
    struct header header;
    (void)json_object_set_new(block, "l1BlockNumber", json_string("0x1"));
    assert_int_equal(header_read(block, &header), OK); // not hashed: no harm
    (void)json_object_set_new(block, "hash", json_string(ZERO_HASH));
    assert_int_equal(header_read(block, &header), ERR_UNSUPPORTED);
    (void)json_object_del(block, "l1BlockNumber");
    assert_int_equal(header_read(block, &header), ERR_MISMATCH);
    json_decref(block);
}

static void extra_data_is_bounded(void **)
{
    static char text[2 + 2 * 1025 + 1];
    json_t *block = block_of(anvil_first, prague);
    struct header header;
    memset(text, '1', sizeof text - 1);
    memcpy(text, "0x", 2);
    (void)json_object_set_new(block, "extraData", json_string(text));
    assert_int_equal(header_read(block, &header), ERR_TOO_LARGE);
    text[sizeof text - 3] = '\0';
    (void)json_object_set_new(block, "extraData", json_string(text));
    assert_int_equal(header_read(block, &header), ERR_MISMATCH);
    json_decref(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_of_all_forks),
        cmocka_unit_test(every_field_counts),
        cmocka_unit_test(missing_or_malformed_fields),
        cmocka_unit_test(the_last_fields_may_be_missing_or_null),
        cmocka_unit_test(a_field_of_a_later_fork_is_told_apart),
        cmocka_unit_test(extra_data_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

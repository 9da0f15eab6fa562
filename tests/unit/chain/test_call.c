// SPDX-License-Identifier: GPL-3.0-or-later
//
// Calls and errors: selectors as the compiler gives them (they stand in the artifacts), call data
// as the encoder of the lab's shell functions writes it.
#include "chain/call.h"

#include "base/text.h"
#include "chain/contracts/seat_code.h"
#include "chain/eip55.h"
#include "chain/keccak.h"

#include "tests/unit/unit.h"

enum {
    BUFFER = 1024,
};

static struct eth_address address_of(const char *text)
{
    struct eth_address address;
    assert_int_equal(eip55_parse(span_of_text(text), &address), OK);
    return address;
}

static struct span unhex(const char *text, uint8_t ret[static BUFFER])
{
    size_t size = strlen(text) / 2;
    assert_true(size <= BUFFER);
    assert_int_equal(hex_parse(span_of_text(text), ret, size), OK);
    return span_of(ret, size);
}

static const struct call_form *error_named(const char *name)
{
    for (const struct call_form *const *form = call_errors; *form != NULL; form++) {
        if (strcmp((*form)->name, name) == 0) {
            return *form;
        }
    }
    fail_msg("there is no error %s", name);
    return NULL;
}

static void selects(void **)
{
    const struct {
        const struct call_form *form;
        const char *selector;
    } cases[] = {
        {&call_mint_node_access, "eb27f948"},
        {&call_revoke_node_access, "be1ba406"},
        {&call_safe_transfer, "42842e0e"},
        {&call_set_public_key, "d69f2b53"},
        {&call_l1_fee, "49948e0e"},
        {error_named("Error"), "08c379a0"},
        {error_named("Panic"), "4e487b71"},
        {error_named("ERC721NonexistentToken"), "7e273289"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t selector[CALL_SELECTOR_SIZE];
        char text[2 * CALL_SELECTOR_SIZE + 1];
        call_selector(cases[i].form, selector);
        hex_format(span_of(selector, sizeof selector), text);
        assert_string_equal(text, cases[i].selector);
    }
}

static const char mint[] = "eb27f948"
                           "00000000000000000000000070997970c51812dc3a010c7d01b50e0d17dc79c8"
                           "0000000000000000000000000000000000000000000000000000000000000080"
                           "00000000000000000000000000000000000000000000000000000000000000c0"
                           "0000000000000000000000000000000000000000000000000000000000000120"
                           "0000000000000000000000000000000000000000000000000000000000000006"
                           "6e6f64652d310000000000000000000000000000000000000000000000000000"
                           "000000000000000000000000000000000000000000000000000000000000002c"
                           "79416e7a3554462b6c58584a74653134746a69337a6c4d4e712b686432725955"
                           "49674a4267423366426d6b3d0000000000000000000000000000000000000000"
                           "0000000000000000000000000000000000000000000000000000000000000000";
static const char transfer[] = "42842e0e"
                               "000000000000000000000000f39fd6e51aad88f6f4ce6ab8827279cfffb92266"
                               "00000000000000000000000070997970c51812dc3a010c7d01b50e0d17dc79c8"
                               "0000000000000000000000000000000000000000000000000000000000000007";
static const char clear_key[] = "d69f2b53"
                                "0000000000000000000000000000000000000000000000000000000000000102"
                                "0000000000000000000000000000000000000000000000000000000000000040"
                                "0000000000000000000000000000000000000000000000000000000000000000";

static void expect_written(
    const struct call_form *form, const struct call_value *values, const char *wants)
{
    uint8_t bytes[BUFFER];
    char text[2 * BUFFER + 1];
    struct writer writer = writer_of(bytes, sizeof bytes);
    call_write(form, values, &writer);
    assert_int_equal(writer_finish(&writer), OK);
    hex_format(writer_written(&writer), text);
    assert_string_equal(text, wants);
    for (size_t size = 0; size < strlen(wants) / 2; size++) {
        writer = writer_of(bytes, size);
        call_write(form, values, &writer);
        assert_int_equal(writer_finish(&writer), ERR_FULL);
    }
}

static void writes(void **)
{
    struct eth_address one = address_of("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
    struct eth_address two = address_of("0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
    const struct call_value mint_values[] = {{.address = two}, {.text = span_of_text("node-1")},
        {.text = span_of_text("yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=")},
        {.text = span_of(NULL, 0)}};
    const struct call_value transfer_values[] = {
        {.address = one}, {.address = two}, {.number = token_id_of_u64(7)}};
    const struct call_value key_values[] = {
        {.number = token_id_of_u64(258)}, {.text = span_of(NULL, 0)}};
    expect_written(&call_mint_node_access, mint_values, mint);
    expect_written(&call_safe_transfer, transfer_values, transfer);
    expect_written(&call_set_public_key, key_values, clear_key);
}

static void reads_back(void **)
{
    uint8_t bytes[BUFFER];
    const struct call_form *form = NULL;
    struct call_value values[CALL_ARGUMENTS_MAX];
    struct eth_address two = address_of("0x70997970C51812dc3A010C7d01b50e0d17dc79C8");
    assert_int_equal(call_read(unhex(mint, bytes), call_functions, &form, values), OK);
    assert_ptr_equal(form, &call_mint_node_access);
    assert_true(eth_address_equal(&values[0].address, &two));
    assert_true(span_equal(values[1].text, span_of_text("node-1")));
    assert_int_equal(values[2].text.size, 44);
    assert_int_equal(values[3].text.size, 0);
    struct token_id seven = token_id_of_u64(7);
    assert_int_equal(call_read(unhex(transfer, bytes), call_functions, &form, values), OK);
    assert_ptr_equal(form, &call_safe_transfer);
    assert_true(token_id_equal(&values[2].number, &seven));
}

static void reads_errors(void **)
{
    uint8_t bytes[BUFFER];
    const struct call_form *form = NULL;
    struct call_value values[CALL_ARGUMENTS_MAX];
    static const char said[] = "08c379a0"
                               "0000000000000000000000000000000000000000000000000000000000000020"
                               "0000000000000000000000000000000000000000000000000000000000000005"
                               "68656c6c6f000000000000000000000000000000000000000000000000000000";
    struct span data = unhex(said, bytes);
    assert_int_equal(call_read(data, call_errors, &form, values), OK);
    assert_ptr_equal(form, error_named("Error"));
    assert_true(span_equal(values[0].text, span_of_text("hello")));
    bytes[4 + 31] = 0x40; // the text's offset leads outside
    const struct call_form *before = form;
    assert_true(call_read(data, call_errors, &form, values) != OK);
    bytes[4 + 31] = 0x20;
    bytes[4 + 63] = 33; // its length does
    assert_true(call_read(data, call_errors, &form, values) != OK);
    bytes[0] ^= 1;
    assert_int_equal(call_read(data, call_errors, &form, values), ERR_NOT_FOUND);
    for (size_t size = 0; size < CALL_SELECTOR_SIZE; size++) {
        assert_int_equal(
            call_read(span_of(bytes, size), call_errors, &form, values), ERR_TRUNCATED);
    }
    assert_ptr_equal(form, before);
}

static void no_two_are_alike(void **)
{
    const struct call_form *const *const lists[] = {call_functions, call_errors};
    for (size_t list = 0; list < 2; list++) {
        for (const struct call_form *const *a = lists[list]; *a != NULL; a++) {
            for (const struct call_form *const *b = a + 1; *b != NULL; b++) {
                uint8_t one[CALL_SELECTOR_SIZE];
                uint8_t other[CALL_SELECTOR_SIZE];
                call_selector(*a, one);
                call_selector(*b, other);
                assert_memory_not_equal(one, other, sizeof one);
            }
        }
    }
}

static void tells_panics(void **)
{
    assert_string_equal(call_panic_text(0x11), "arithmetic overflow");
    assert_null(call_panic_text(0x99));
}

// The deployed code is the end of the creation code, which returns it as it stands.
static void holds_the_contract(void **)
{
    bool found = false;
    for (size_t at = 0; at < 1024 && !found; at++) {
        struct span rest = span_of(seat_creation_code.data + at, seat_creation_code.size - at);
        struct hash256 hash = keccak256(rest);
        found = hash256_equal(&hash, &seat_code_hash);
    }
    assert_true(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selects),
        cmocka_unit_test(writes),
        cmocka_unit_test(reads_back),
        cmocka_unit_test(reads_errors),
        cmocka_unit_test(no_two_are_alike),
        cmocka_unit_test(tells_panics),
        cmocka_unit_test(holds_the_contract),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

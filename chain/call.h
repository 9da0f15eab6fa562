// SPDX-License-Identifier: GPL-3.0-or-later
//
// Calls of a contract's functions, and the errors that it reverts with, by their declarations:
// encoded, and taken apart again for people. What is shown before signing is read back from the
// very bytes that will be signed.
#pragma once

#include "base/ids.h"

enum {
    CALL_ARGUMENTS_MAX = 4,
    CALL_SELECTOR_SIZE = 4,
};

enum call_type {
    CALL_ADDRESS,
    CALL_NUMBER, // uint256
    CALL_TEXT,   // string
    CALL_BYTES,  // bytes; in `text`
};

struct call_argument {
    enum call_type type;
    const char *name;
};

// A function's or an error's declaration.
struct call_form {
    const char *name;
    size_t count;
    struct call_argument arguments[CALL_ARGUMENTS_MAX];
};

// The member that the argument's type names. A text is as long as what it was read from.
struct call_value {
    struct eth_address address;
    struct token_id number;
    struct span text; // not trusted: any bytes
};

// What Deedmesh sends.
extern const struct call_form call_mint_node_access;
extern const struct call_form call_revoke_node_access;
extern const struct call_form call_safe_transfer;
extern const struct call_form call_set_public_key;

// What an OP-stack chain takes for putting a transaction's bytes on layer 1, on top of gas; asked
// of the contract at call_l1_fee_oracle (GasPriceOracle of the OP-stack's predeploys).
extern const struct call_form call_l1_fee;
extern const struct eth_address call_l1_fee_oracle;

// What Deedmesh sends, and all errors that are told by name; each ends with NULL.
extern const struct call_form *const call_functions[];
extern const struct call_form *const call_errors[];

// The first four bytes of keccak256("name(type,type)").
void call_selector(const struct call_form *form, uint8_t ret[static CALL_SELECTOR_SIZE]);

// Selector and arguments; `values` has form->count of them. The writer fails with ERR_FULL.
void call_write(
    const struct call_form *form, const struct call_value *values, struct writer *writer);

// Finds the form in a list and takes the arguments apart. ERR_NOT_FOUND: none of these;
// ERR_TRUNCATED, ERR_MALFORMED: not encoded as it declares.
enum status call_read(struct span data, const struct call_form *const *forms,
    const struct call_form **ret, struct call_value ret_values[static CALL_ARGUMENTS_MAX]);

// What a Panic(uint256) code means, e.g. "arithmetic overflow"; NULL if it is not known.
const char *call_panic_text(uint64_t code);

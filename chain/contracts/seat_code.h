// SPDX-License-Identifier: GPL-3.0-or-later
//
// DeedmeshSeat.sol as compiled, from artifacts/DeedmeshSeat.json at build time.
#pragma once

#include "base/ids.h"

// What a transaction that creates the contract carries.
extern const struct span seat_creation_code;

// keccak256 of the code that then stands at the contract's address: the same for every deployment.
extern const struct hash256 seat_code_hash;

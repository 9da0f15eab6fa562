// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who is in: the folder's header for others. A token's current owner authorises a node key by an
// EIP-712 signature; the gate asks the chain, through several providers, who that owner is. The
// survey lists all tokens of a contract.
#pragma once

#include "chain/ecdsa.h"
#include "chain/eip55.h"
#include "chain/eip712.h"
#include "chain/gate.h"
#include "chain/keccak.h"
#include "chain/rpc.h"
#include "chain/survey.h"

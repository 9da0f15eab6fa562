// SPDX-License-Identifier: GPL-3.0-or-later
//
// Keccak-256 as Ethereum uses it: the sponge of the SHA-3 submission, with its padding 0x01 (FIPS
// 202 pads with 0x06 and gives other digests). The permutation is nettle's.
#pragma once

#include "base/ids.h"

struct hash256 keccak256(struct span bytes);

// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a network's contract offers beyond ERC-721: said by the manifest (dht/), read on chain
// (chain/). The numbers stand in manifests and state files.
#pragma once

#include "base/bytes.h"

enum contract_profile {
    PROFILE_DETECT = 0,        // not known yet: k providers must agree first
    PROFILE_ERC721 = 1,        // ownerOf
    PROFILE_DSTACK_ACCESS = 2, // ownerOf, and getNodeAccess with an active flag and a WireGuard key
};

// "detect", "erc721", "dstack-access". Static storage.
const char *contract_profile_name(enum contract_profile profile);

// ERR_MALFORMED: none of these names.
enum status contract_profile_parse(struct span text, enum contract_profile *ret);

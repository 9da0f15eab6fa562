// SPDX-License-Identifier: GPL-3.0-or-later
//
// Names of contract profiles, as the configuration and the manifest spell them.
#include "base/profile.h"

const char *contract_profile_name(enum contract_profile profile)
{
    switch (profile) {
    case PROFILE_DETECT:
        return "detect";
    case PROFILE_ERC721:
        return "erc721";
    case PROFILE_DSTACK_ACCESS:
        return "dstack-access";
    }
    return "unknown";
}

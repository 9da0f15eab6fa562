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

enum status contract_profile_parse(struct span text, enum contract_profile *ret)
{
    for (int i = PROFILE_DETECT; i <= PROFILE_DSTACK_ACCESS; i++) {
        enum contract_profile profile = (enum contract_profile)i;
        if (span_equal(text, span_of_text(contract_profile_name(profile)))) {
            *ret = profile;
            return OK;
        }
    }
    return ERR_MALFORMED;
}

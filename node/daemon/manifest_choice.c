// SPDX-License-Identifier: GPL-3.0-or-later
#include "node/daemon/manifest_choice.h"

enum manifest_choice manifest_choose(
    const struct manifest *const *list, size_t count, size_t *ret_index)
{
    size_t best = 0;
    bool contradiction = false;
    for (size_t i = 1; i < count; i++) {
        switch (manifest_check_update(list[best], list[i])) {
        case MANIFEST_SAME:
        case MANIFEST_OLDER:
            break;
        case MANIFEST_NEWER:
            best = i;
            break;
        case MANIFEST_OTHER_AUTHORITY:
            return CHOICE_AUTHORITIES;
        case MANIFEST_CONFLICTING:
        case MANIFEST_CHAIN_CHANGED:
        case MANIFEST_CONTRACT_CHANGED:
        case MANIFEST_PROFILE_CHANGED:
        case MANIFEST_PREFIX_CHANGED:
            contradiction = true; // another authority further on is the graver news
            break;
        }
    }
    if (contradiction) {
        return CHOICE_CONTRADICTION;
    }
    *ret_index = best;
    return CHOICE_FOUND;
}

const char *manifest_update_text(enum manifest_update update)
{
    switch (update) {
    case MANIFEST_SAME:
        return "it is the same";
    case MANIFEST_NEWER:
        return "it is newer";
    case MANIFEST_OLDER:
        return "it is older";
    case MANIFEST_CONFLICTING:
        return "the same version with other content: the authority signed it twice";
    case MANIFEST_OTHER_AUTHORITY:
        return "another authority signed it";
    case MANIFEST_CHAIN_CHANGED:
        return "its chain is another";
    case MANIFEST_CONTRACT_CHANGED:
        return "its contract is another";
    case MANIFEST_PROFILE_CHANGED:
        return "its contract profile is another";
    case MANIFEST_PREFIX_CHANGED:
        return "its IPv4 prefix is another";
    }
    return "";
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Which of the manifests that several bootstrap hosts serve is the network's.
#pragma once

#include "dht/manifest.h"

enum manifest_choice {
    CHOICE_FOUND,
    CHOICE_AUTHORITIES,   // they come from two authorities: only a person can tell which is right
    CHOICE_CONTRADICTION, // one authority, but the same version or immutable parts differ
};

// All have a good signature; `count` is at least 1. On CHOICE_FOUND `*ret_index` is the highest
// version.
enum manifest_choice manifest_choose(
    const struct manifest *const *list, size_t count, size_t *ret_index);

// One clause for people on how another manifest differs from the pinned one: "it is ...".
const char *manifest_update_text(enum manifest_update update);

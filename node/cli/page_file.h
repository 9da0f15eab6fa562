// SPDX-License-Identifier: GPL-3.0-or-later
//
// The files of node/cli/page as bytes; made at build time (cmake/Embed.cmake).
#pragma once

#include <stddef.h>

struct page_file {
    const char *name;
    const unsigned char *bytes;
    size_t size;
};

// Ends with a NULL name.
extern const struct page_file page_files[];

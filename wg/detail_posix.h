// SPDX-License-Identifier: GPL-3.0-or-later
//
// Filling in the sentence for the user; for the edge files of this folder.
#pragma once

#include "wg/link.h"

// Cuts what is too long. `detail` may be NULL.
__attribute__((format(printf, 2, 3))) void wg_detail_set(
    struct wg_detail *detail, const char *format, ...);

// What an errno of the kernel or of a device means for the caller.
enum status wg_status_of_errno(int error);

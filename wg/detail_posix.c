// SPDX-License-Identifier: GPL-3.0-or-later
//
// Sentences for the user, and errno values as decisions.
#include "wg/detail_posix.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void wg_detail_set(struct wg_detail *detail, const char *format, ...)
{
    if (detail == NULL) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): clang 14 misses va_start in C2x
    (void)vsnprintf(detail->text, sizeof detail->text, format, arguments);
    va_end(arguments);
}

enum status wg_status_of_errno(int error)
{
    switch (error) {
    case 0:
        return OK;
    case EPERM:
    case EACCES:
        return ERR_PERMISSION;
    case ENODEV:
    case ENXIO:
    case ENOENT:
    case ESRCH:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EADDRINUSE:
    case EBUSY:
        return ERR_BUSY;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    default:
        return ERR_IO;
    }
}

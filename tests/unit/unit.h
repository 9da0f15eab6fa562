// SPDX-License-Identifier: GPL-3.0-or-later
//
// What every unit test includes: cmocka in the order it demands.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Our own bugs stop the process. An assertion may check only what this code guarantees by itself:
// one that outside data can reach would let a single crafted packet stop every node.
#pragma once

// Stops the process with the place and the broken condition on stderr. Never returns.
_Noreturn void assert_failed(const char *file, int line, const char *condition);

// On in every build.
#define ASSERT(condition) ((condition) ? (void)0 : assert_failed(__FILE__, __LINE__, #condition))

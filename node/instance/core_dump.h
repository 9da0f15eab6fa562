// SPDX-License-Identifier: GPL-3.0-or-later
//
// Programs that hold keys leave none behind when they crash.
#pragma once

// Keeps this process out of core dumps and out of the reach of a debugger, and the programs that it
// starts out of core files. Tests with sanitizers stay debuggable: the leak check traces its own
// process.
void core_dump_forbid(void);

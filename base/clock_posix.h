// SPDX-License-Identifier: GPL-3.0-or-later
//
// The clocks of the machine: for edges alone, once per input.
#pragma once

#include "base/clock.h"

// Counts on while the machine sleeps, so that deadlines which passed meanwhile are due.
struct mono clock_mono(void);

struct now clock_now(void);

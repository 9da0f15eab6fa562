// SPDX-License-Identifier: GPL-3.0-or-later
//
// The clocks of the machine.
#include "base/clock_posix.h"

#include <time.h>

static uint64_t clock_ms(clockid_t clock)
{
    struct timespec at;
    // Fails only for clocks that do not exist.
    (void)clock_gettime(clock, &at);
    return (uint64_t)at.tv_sec * 1000 + (uint64_t)at.tv_nsec / 1000000;
}

struct mono clock_mono(void)
{
    return (struct mono){.ms = clock_ms(CLOCK_BOOTTIME)};
}

struct now clock_now(void)
{
    return (struct now){
        .mono = clock_mono(),
        .unix_time = {.ms = clock_ms(CLOCK_REALTIME)},
    };
}

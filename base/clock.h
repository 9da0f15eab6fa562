// SPDX-License-Identifier: GPL-3.0-or-later
//
// Time as types. Monotonic time drives timers, unix time judges validity; they never mix. Sampled
// once per input, at the edge; stored only as absolute points.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Milliseconds of a clock that never steps; its zero has no meaning.
struct mono {
    uint64_t ms;
};

// Milliseconds since 1970-01-01 UTC.
struct unix_time {
    uint64_t ms;
};

// Both clocks at the instant of one input.
struct now {
    struct mono mono;
    struct unix_time unix_time;
};

// A deadline that never comes.
static inline struct mono mono_never(void)
{
    return (struct mono){.ms = UINT64_MAX};
}

// Saturates at "never".
static inline struct mono mono_add(struct mono at, uint64_t ms)
{
    return (struct mono){.ms = at.ms > UINT64_MAX - ms ? UINT64_MAX : at.ms + ms};
}

static inline struct mono mono_min(struct mono a, struct mono b)
{
    return a.ms < b.ms ? a : b;
}

// True once `deadline` is reached.
static inline bool mono_due(struct mono deadline, struct mono now)
{
    return deadline.ms <= now.ms;
}

// Milliseconds from `earlier` to `later`; 0 if they are the other way round.
static inline uint64_t mono_since(struct mono earlier, struct mono later)
{
    return later.ms > earlier.ms ? later.ms - earlier.ms : 0;
}

// Saturates at the end of time.
static inline struct unix_time unix_time_add(struct unix_time at, uint64_t ms)
{
    return (struct unix_time){.ms = at.ms > UINT64_MAX - ms ? UINT64_MAX : at.ms + ms};
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Time arithmetic saturates.
#include "base/clock.h"

#include "tests/unit/unit.h"

static const struct mono early = {.ms = 1000};
static const struct mono late = {.ms = 1500};

static void deadlines_come_due_and_never_does_not(void **)
{
    assert_false(mono_due(late, early));
    assert_true(mono_due(late, late));
    assert_true(mono_due(early, late));
    assert_false(mono_due(mono_never(), late));
    assert_true(mono_min(early, late).ms == early.ms);
    assert_true(mono_min(mono_never(), late).ms == late.ms);
}

static void additions_saturate(void **)
{
    assert_true(mono_add(early, 500).ms == late.ms);
    assert_true(mono_add(early, UINT64_MAX).ms == mono_never().ms);
    assert_true(mono_add(mono_never(), 1).ms == mono_never().ms);
    struct unix_time at = {.ms = UINT64_MAX - 1};
    assert_true(unix_time_add(at, 1).ms == UINT64_MAX);
    assert_true(unix_time_add(at, 2).ms == UINT64_MAX);
}

static void elapsed_time_is_never_negative(void **)
{
    assert_true(mono_since(early, late) == 500);
    assert_true(mono_since(late, early) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_come_due_and_never_does_not),
        cmocka_unit_test(additions_saturate),
        cmocka_unit_test(elapsed_time_is_never_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

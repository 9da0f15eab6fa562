// SPDX-License-Identifier: GPL-3.0-or-later
//
// State files written away from the loop: a slow disk's fsync must not hold up a packet. One write
// at a time, on libuv's worker threads. Of each kind only the newest content waits: it replaces one
// that has not been begun, so memory is bounded by one content of each kind and the one under way.
#pragma once

#include "node/instance/state.h"

#include <stdbool.h>
#include <uv.h>

struct saver;

// How a write ended, told on the loop's thread. `error` is for people when it failed; NULL when the
// file stands.
typedef void (*saver_report)(void *context, enum state_kind kind, const char *error);

// `state` must outlive the saver. NULL: no memory.
struct saver *saver_new(
    uv_loop_t *loop, const struct state *state, saver_report report, void *context);

// Writes a copy of `content` soon, as state_write does. ERR_FULL: no memory for the copy.
enum status saver_put(
    struct saver *saver, enum state_kind kind, uint16_t version, struct span content);

// Returns when everything that was put is on the disk, or has failed and been reported. Blocks the
// loop: for the end, when nothing else is waiting. What is put later is written in the call.
void saver_flush(struct saver *saver);

// After saver_flush, when the loop has ended. Accepts NULL.
void saver_free(struct saver *saver);

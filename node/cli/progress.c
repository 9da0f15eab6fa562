// SPDX-License-Identifier: GPL-3.0-or-later
//
// The progress line.
#include "node/cli/progress.h"

#include "base/clock_posix.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    BAR_WIDTH = 30,
    PAUSE_MS = 100,
};

static struct mono next_at;
static bool shown;

void progress_show(const struct cli *cli, const char *what, uint64_t done, uint64_t total)
{
    struct mono now = clock_mono();
    bool complete = total > 0 && done >= total;
    if (cli->arguments.json || isatty(STDERR_FILENO) != 1 ||
        (!mono_due(next_at, now) && !complete)) {
        return;
    }
    next_at = mono_add(now, PAUSE_MS);
    shown = true;
    if (total == 0) {
        (void)fprintf(stderr, "\r\033[K%s %" PRIu64, what, done);
    } else {
        char bar[BAR_WIDTH + 1];
        uint64_t part = complete ? total : done;
        size_t filled = (size_t)(part * BAR_WIDTH / total);
        memset(bar, '-', BAR_WIDTH);
        memset(bar, '#', filled);
        bar[BAR_WIDTH] = '\0';
        (void)fprintf(stderr, "\r\033[K%s %" PRIu64 " of %" PRIu64 " [%s] %" PRIu64 " %%", what,
            part, total, bar, part * 100 / total);
    }
    (void)fflush(stderr);
}

void progress_end(void)
{
    if (shown) {
        (void)fprintf(stderr, "\r\033[K");
        (void)fflush(stderr);
        shown = false;
    }
}

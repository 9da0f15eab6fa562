// SPDX-License-Identifier: GPL-3.0-or-later
#include "node/daemon/saver.h"

#include <stdlib.h>
#include <string.h>

enum {
    KINDS = STATE_DRAFT + 1,
};

struct content {
    uint8_t *bytes; // NULL = nothing waits
    size_t size;
    uint16_t version;
};

// The worker touches `current` to `error`, and only between uv_queue_work and the post of `done`.
struct saver {
    uv_loop_t *loop;
    const struct state *state;
    saver_report report;
    void *context;
    struct content waiting[KINDS];
    uv_work_t work;
    bool busy; // until the outcome was reported
    bool flushed;
    uv_sem_t done;
    enum state_kind kind;
    struct content current;
    enum status status;
    struct state_error error;
};

struct saver *saver_new(
    uv_loop_t *loop, const struct state *state, saver_report report, void *context)
{
    struct saver *saver = calloc(1, sizeof *saver);
    if (saver == NULL || uv_sem_init(&saver->done, 0) != 0) {
        free(saver);
        return NULL;
    }
    saver->loop = loop;
    saver->state = state;
    saver->report = report;
    saver->context = context;
    saver->work.data = saver;
    return saver;
}

static void write_current(struct saver *saver)
{
    saver->status = state_write(saver->state, saver->kind, saver->current.version,
        span_of(saver->current.bytes, saver->current.size), &saver->error);
}

// On a worker thread.
static void work(uv_work_t *request)
{
    struct saver *saver = request->data;
    write_current(saver);
    uv_sem_post(&saver->done);
}

static void settle(struct saver *saver)
{
    free(saver->current.bytes);
    saver->current = (struct content){0};
    saver->busy = false;
    saver->report(saver->context, saver->kind, saver->status == OK ? NULL : saver->error.text);
}

// Takes the next content that waits; false if none does.
static bool take(struct saver *saver)
{
    for (size_t i = 0; i < KINDS; i++) {
        if (saver->waiting[i].bytes != NULL) {
            saver->kind = (enum state_kind)i;
            saver->current = saver->waiting[i];
            saver->waiting[i] = (struct content){0};
            saver->busy = true;
            return true;
        }
    }
    return false;
}

static void after(uv_work_t *request, int status);

static void next(struct saver *saver)
{
    if (saver->flushed) {
        while (take(saver)) {
            write_current(saver);
            settle(saver);
        }
    } else if (!saver->busy && take(saver) &&
               uv_queue_work(saver->loop, &saver->work, work, after) != 0) {
        write_current(saver); // late rather than never
        settle(saver);
    }
}

static void after(uv_work_t *request, int)
{
    struct saver *saver = request->data;
    if (saver->flushed) {
        return; // saver_flush has waited for it
    }
    uv_sem_wait(&saver->done); // posted already
    settle(saver);
    next(saver);
}

enum status saver_put(
    struct saver *saver, enum state_kind kind, uint16_t version, struct span content)
{
    uint8_t *bytes = malloc(content.size + 1);
    if (bytes == NULL) {
        return ERR_FULL;
    }
    if (content.size > 0) {
        memcpy(bytes, content.data, content.size);
    }
    free(saver->waiting[kind].bytes);
    saver->waiting[kind] =
        (struct content){.bytes = bytes, .size = content.size, .version = version};
    next(saver);
    return OK;
}

void saver_flush(struct saver *saver)
{
    if (saver->busy) {
        uv_sem_wait(&saver->done);
        settle(saver);
    }
    saver->flushed = true;
    next(saver);
}

void saver_free(struct saver *saver)
{
    if (saver == NULL) {
        return;
    }
    for (size_t i = 0; i < KINDS; i++) {
        free(saver->waiting[i].bytes);
    }
    uv_sem_destroy(&saver->done);
    free(saver);
}

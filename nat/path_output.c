// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a path machine wants done, in the order in which it must happen.
#include "nat/path.h"

#include <string.h>

enum {
    BACKOFF_JITTER_DIVISOR = 8,
};

static bool next_event(struct path *path, struct rng *rng, struct path_output *ret)
{
    if (path->lost_due) {
        path->lost_due = false;
        *ret = (struct path_output){.kind = PATH_OUTPUT_LOST, .why = path->why};
        return true;
    }
    if (path->failed_due) {
        path->failed_due = false;
        // Jitter, so that all pairs of a node do not come back in one moment.
        uint64_t spread_ms = mono_since(path->state_at, path->retry_at) / BACKOFF_JITTER_DIVISOR;
        path->retry_at = mono_add(path->retry_at, rng_below(rng, spread_ms));
        *ret = (struct path_output){.kind = PATH_OUTPUT_FAILED, .why = path->why};
        return true;
    }
    if (path->validated_due) {
        path->validated_due = false;
        *ret = (struct path_output){
            .kind = PATH_OUTPUT_VALIDATED,
            .to = path->current,
            .rung = path->rung,
            .rtt_ms = path->rtt_ms,
            .keepalive_s = PATH_KEEPALIVE_S,
        };
        return true;
    }
    if (path->connected_due) {
        path->connected_due = false;
        *ret = (struct path_output){.kind = PATH_OUTPUT_CONNECTED, .rung = path->rung};
        return true;
    }
    return false;
}

static bool next_answer(struct path *path, struct path_output *ret)
{
    if (path->answer_count == 0) {
        return false;
    }
    const struct path_answer answer = path->answers[0];
    path->answer_count--;
    memmove(path->answers, path->answers + 1, path->answer_count * sizeof path->answers[0]);
    *ret = (struct path_output){.kind = PATH_OUTPUT_SEND, .to = answer.to};
    struct writer writer = writer_of(ret->bytes, sizeof ret->bytes);
    enum status status = probe_encode_success(&writer, &path->key, &answer.transaction, &answer.to);
    ASSERT(status == OK);
    ret->size = (uint8_t)writer.size;
    return true;
}

// False if the limiter refuses.
static bool send_probe(struct path *path, uint8_t index, uint8_t ttl, struct mono now,
    struct probe_limiter *limiter, struct rng *rng, struct path_output *ret)
{
    struct path_target *target = &path->targets[index];
    if (!limiter_take(limiter, now, &target->address)) {
        path->limited = true;
        return false;
    }
    target->unanswered =
        target->unanswered < UINT8_MAX ? (uint8_t)(target->unanswered + 1) : target->unanswered;
    struct path_probe *probe = &path->probes[path->probe_next];
    path->probe_next = (uint8_t)((path->probe_next + 1) % PATH_PROBES_MAX);
    *probe = (struct path_probe){
        .transaction = stun_transaction_draw(rng),
        .target = index,
        .sent_at_ms = now.ms,
    };
    *ret = (struct path_output){.kind = PATH_OUTPUT_SEND, .to = target->address, .ttl = ttl};
    struct writer writer = writer_of(ret->bytes, sizeof ret->bytes);
    enum status status = probe_encode_request(&writer, &path->key, &probe->transaction);
    ASSERT(status == OK);
    ret->size = (uint8_t)writer.size;
    return true;
}

static bool next_probe(struct path *path, struct mono now, struct probe_limiter *limiter,
    struct rng *rng, bool low_ttl, struct path_output *ret)
{
    for (uint8_t i = 0; i < path->target_count; i++) {
        struct path_target *target = &path->targets[i];
        bool *due = low_ttl ? &target->punch_due : &target->probe_due;
        if (*due) {
            *due = false;
            uint8_t ttl = low_ttl ? path->config.prepunch_ttl : 0;
            if (send_probe(path, i, ttl, now, limiter, rng, ret)) {
                return true;
            }
        }
    }
    return false;
}

bool path_next_output(struct path *path, struct mono now, struct probe_limiter *limiter,
    struct rng *rng, struct path_output *ret)
{
    // The order matters: nothing at full TTL, nor the intent that makes the peer send, before the
    // pre-punch. Answers go only where the peer's packet already came through.
    if (next_event(path, rng, ret) || next_answer(path, ret) ||
        next_probe(path, now, limiter, rng, true, ret)) {
        return true;
    }
    if (path->intent_due) {
        path->intent_due = false;
        *ret = (struct path_output){.kind = PATH_OUTPUT_INTENT, .reply = path->intent_reply};
        return true;
    }
    return next_probe(path, now, limiter, rng, false, ret);
}

bool path_is_connected(const struct path *path)
{
    return path->working;
}

enum path_note path_note(const struct path *path)
{
    if (path->state == PATH_CONNECTED && path->rung != PATH_RUNG_REFLEXIVE) {
        return PATH_NOTE_NONE;
    }
    if (path->own_single && path->own_class != NAT_NONE) {
        return PATH_NOTE_OWN_SINGLE_REFLECTOR;
    }
    return path->state == PATH_CONNECTED ? PATH_NOTE_THROUGH_NAT : PATH_NOTE_NONE;
}

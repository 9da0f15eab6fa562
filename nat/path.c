// SPDX-License-Identifier: GPL-3.0-or-later
//
// One attempt = the time between two of IDLE, VALIDATED, CONNECTED and BACKOFF. Its targets are
// probed in rounds, all at once; the first answer wins, except that a LAN address and the endpoint
// that already works get a moment longer.
#include "nat/path.h"

#include <string.h>

enum {
    NO_TARGET = UINT8_MAX,
    // Intents that cross, or come twice by two ways, do not re-validate what was just connected.
    REVALIDATE_MIN_MS = 5000,
    HANDSHAKE_TOLERANCE_MS = 1000, // some tools tell the handshake's time in whole seconds
};

static bool is_allowed(enum path_state from, enum path_state to)
{
    switch (from) {
    case PATH_IDLE:
        return to == PATH_PUNCHING || to == PATH_PROBING;
    case PATH_PUNCHING:
        return to != PATH_PUNCHING;
    case PATH_PROBING:
        return to != PATH_PUNCHING && to != PATH_PROBING;
    case PATH_VALIDATED:
        return to == PATH_IDLE || to == PATH_CONNECTED || to == PATH_BACKOFF;
    case PATH_CONNECTED:
        return to == PATH_IDLE || to == PATH_PUNCHING || to == PATH_PROBING;
    case PATH_BACKOFF:
        return to != PATH_BACKOFF;
    }
    return false;
}

static void path_set_state(struct path *path, struct mono now, enum path_state state)
{
    ASSERT(is_allowed(path->state, state));
    path->state = state;
    path->state_at = now;
}

static bool is_attempting(const struct path *path)
{
    return path->state == PATH_PUNCHING || path->state == PATH_PROBING;
}

void path_init(struct path *path, const struct path_config *config, const struct probe_key *key)
{
    *path = (struct path){.config = *config, .key = *key};
    if (path->config.prepunch_ttl == 0) {
        path->config.prepunch_ttl = PATH_PREPUNCH_TTL;
    }
    path->settle_at = path->retry_at = path->probe_at = path->punch_at = mono_never();
}

// Targets.

static struct path_target *target_at(struct path *path, const struct address *address)
{
    for (size_t i = 0; i < path->target_count; i++) {
        if (address_equal(&path->targets[i].address, address)) {
            return &path->targets[i];
        }
    }
    return NULL;
}

static void forget_probes(struct path *path)
{
    for (size_t i = 0; i < PATH_PROBES_MAX; i++) {
        path->probes[i].target = NO_TARGET;
    }
    path->probe_next = 0;
}

static void forget_targets(struct path *path)
{
    path->target_count = 0;
    forget_probes(path);
}

static bool is_both_hard(const struct path *path)
{
    return path->own_class == NAT_HARD && path->peer_class == NAT_HARD;
}

static bool in_own_subnet(const struct path_own *own, const struct address *address)
{
    for (size_t i = 0; i < own->subnet_count && i < PATH_SUBNETS_MAX; i++) {
        if (prefix_contains(&own->subnets[i], address)) {
            return true;
        }
    }
    return false;
}

static bool is_own_candidate(const struct path_own *own, const struct address *address)
{
    for (size_t i = 0; i < own->candidates->count; i++) {
        if (address_equal(&own->candidates->list[i].address, address)) {
            return true;
        }
    }
    return false;
}

// Which rung a candidate of the peer is for us; NONE = never send there. The peer chose the
// address, so this is the fence that keeps us from being aimed at others.
static enum path_rung rung_of(
    const struct path *path, const struct path_own *own, const struct candidate *candidate)
{
    const struct address *address = &candidate->address;
    if (candidate->kind != CANDIDATE_HOST && candidate->kind != CANDIDATE_REFLEXIVE &&
        candidate->kind != CANDIDATE_MAPPED) {
        return PATH_RUNG_NONE;
    }
    enum address_scope scope = address_scope(address);
    if ((scope != SCOPE_GLOBAL && scope != SCOPE_PRIVATE && scope != SCOPE_LINK_LOCAL) ||
        address->port < PATH_TARGET_PORT_MIN ||
        (address->family == FAMILY_IPV6 && (!path->config.ipv6 || scope == SCOPE_LINK_LOCAL)) ||
        is_own_candidate(own, address)) {
        return PATH_RUNG_NONE;
    }
    if (in_own_subnet(own, address)) {
        return PATH_RUNG_LAN;
    }
    if (scope != SCOPE_GLOBAL) {
        return PATH_RUNG_NONE;
    }
    if (candidate->kind != CANDIDATE_REFLEXIVE || path->peer_class == NAT_NONE) {
        return PATH_RUNG_PUBLIC;
    }
    return is_both_hard(path) ? PATH_RUNG_NONE : PATH_RUNG_REFLEXIVE;
}

static struct path_target *add_target(
    struct path *path, const struct address *address, enum path_rung rung)
{
    struct path_target *target = target_at(path, address);
    if (target != NULL || path->target_count == PATH_TARGETS_MAX) {
        return target;
    }
    target = &path->targets[path->target_count++];
    *target = (struct path_target){
        .address = *address,
        .rung = rung,
        .opened = rung == PATH_RUNG_LAN || rung == PATH_RUNG_PUBLIC,
    };
    // Nothing to open where there is no NAT before us, or none before the target.
    target->punch_due = !target->opened && path->own_class != NAT_NONE;
    return target;
}

static void add_current(struct path *path)
{
    if (address_is_set(&path->current)) {
        struct path_target *target = add_target(path, &path->current, path->rung);
        if (target != NULL) {
            target->current = true;
            target->opened = true; // both NATs are open already, or were
            target->punch_due = false;
        }
    }
}

static void take_candidates(
    struct path *path, const struct path_own *own, const struct path_peer *peer)
{
    path->own_class = own->nat_class;
    path->own_single = own->single_reflector;
    path->peer_class = peer->nat_class;
    for (size_t i = 0; i < peer->candidates->count; i++) {
        const struct candidate *candidate = &peer->candidates->list[i];
        enum path_rung rung = rung_of(path, own, candidate);
        if (rung != PATH_RUNG_NONE) {
            add_target(path, &candidate->address, rung);
        }
    }
}

// Attempts.

static bool may_probe(const struct path *path, const struct path_target *target, struct mono now)
{
    return target->opened || target->requested || path->peer_heard ||
           mono_since(path->attempt_at, now) >= PATH_UNHEARD_PROBE_MS;
}

static bool has_target_to_probe(const struct path *path, struct mono now)
{
    for (size_t i = 0; i < path->target_count; i++) {
        if (may_probe(path, &path->targets[i], now)) {
            return true;
        }
    }
    return false;
}

static void run_round(struct path *path, struct mono now)
{
    static const uint16_t gaps_ms[] = {20, 50, 100};
    const size_t gap_count = sizeof gaps_ms / sizeof gaps_ms[0];
    if (!mono_due(path->probe_at, now)) {
        return;
    }
    if (path->state == PATH_PUNCHING && has_target_to_probe(path, now)) {
        path_set_state(path, now, PATH_PROBING);
    }
    for (size_t i = 0; i < path->target_count; i++) {
        struct path_target *target = &path->targets[i];
        target->probe_due = !target->answered && may_probe(path, target, now);
    }
    uint32_t gap_ms = path->round < gap_count ? gaps_ms[path->round] : PATH_PROBE_INTERVAL_MS;
    if (path->round >= PATH_QUICK_ROUNDS) {
        gap_ms = PATH_PROBE_SLOW_MS;
    }
    path->round = path->round < UINT8_MAX ? (uint8_t)(path->round + 1) : path->round;
    path->probe_at = mono_add(now, gap_ms);
}

static void begin_probing(struct path *path, struct mono now)
{
    path->round = 0;
    path->probe_at = now;
    run_round(path, now);
}

// With the targets as they stand.
static void begin_attempt(struct path *path, struct mono now, bool heard)
{
    path->attempt_at = now;
    path->peer_heard = heard;
    path->limited = false;
    path->settle_at = path->retry_at = mono_never();
    path->punch_at = mono_add(now, PATH_PUNCH_INTERVAL_MS);
    if (heard || has_target_to_probe(path, now)) {
        path_set_state(path, now, PATH_PROBING);
        begin_probing(path, now);
    } else {
        path_set_state(path, now, PATH_PUNCHING);
        path->probe_at = mono_add(now, PATH_UNHEARD_PROBE_MS);
        path->round = 0;
    }
}

static void begin_fresh(struct path *path, struct mono now, const struct path_own *own,
    const struct path_peer *peer, bool heard)
{
    forget_targets(path);
    path->own_class = own->nat_class;
    add_current(path);
    take_candidates(path, own, peer);
    begin_attempt(path, now, heard);
}

static void begin_again(struct path *path, struct mono now)
{
    forget_probes(path);
    for (size_t i = 0; i < path->target_count; i++) {
        struct path_target *target = &path->targets[i];
        target->answered = target->requested = target->current = false;
        target->unanswered = 0;
        target->opened = target->rung != PATH_RUNG_REFLEXIVE;
        target->punch_due = !target->opened && path->own_class != NAT_NONE;
    }
    add_current(path);
    path->intent_due = true;
    path->intent_reply = false;
    begin_attempt(path, now, false);
}

static void hear_peer(struct path *path, struct mono now)
{
    if (!is_attempting(path) || path->peer_heard) {
        return;
    }
    path->peer_heard = true;
    path->attempt_at = now;
    path->punch_at = mono_never();
    begin_probing(path, now);
    if (path->state == PATH_PUNCHING) {
        path_set_state(path, now, PATH_PROBING);
    }
}

static void end_sends(struct path *path)
{
    for (size_t i = 0; i < path->target_count; i++) {
        path->targets[i].punch_due = path->targets[i].probe_due = false;
    }
    path->settle_at = path->probe_at = path->punch_at = mono_never();
}

static bool has_rung_below_reflexive(const struct path *path)
{
    for (size_t i = 0; i < path->target_count; i++) {
        if (path->targets[i].rung != PATH_RUNG_REFLEXIVE) {
            return true;
        }
    }
    return false;
}

static enum path_why why_failed(const struct path *path)
{
    bool other_rungs = has_rung_below_reflexive(path);
    bool one_hard = (path->own_class == NAT_HARD) != (path->peer_class == NAT_HARD);
    if (path->own_class == NAT_BLOCKED && !other_rungs) {
        return PATH_WHY_OWN_UDP_BLOCKED;
    }
    if (is_both_hard(path) && !other_rungs) {
        return PATH_WHY_BOTH_HARD;
    }
    if (path->target_count == 0) {
        return PATH_WHY_NO_CANDIDATES;
    }
    if (path->limited) {
        return PATH_WHY_PROBE_LIMIT;
    }
    if (!path->peer_heard) {
        return PATH_WHY_PEER_SILENT;
    }
    return one_hard && !other_rungs ? PATH_WHY_HARD_TO_EASY : PATH_WHY_NO_ANSWER;
}

static uint64_t backoff_ms(const struct path *path)
{
    uint64_t wait_ms = PATH_BACKOFF_MIN_MS;
    for (uint8_t i = 1; i < path->attempts && wait_ms < PATH_BACKOFF_MAX_MS; i++) {
        wait_ms *= 2;
    }
    wait_ms = wait_ms < PATH_BACKOFF_MAX_MS ? wait_ms : PATH_BACKOFF_MAX_MS;
    return wait_ms + (path->config.controlling ? 0 : PATH_BACKOFF_CONTROLLED_MS);
}

static void fail(struct path *path, struct mono now, enum path_why why)
{
    end_sends(path);
    path->why = why;
    path->attempts = path->attempts < UINT8_MAX ? (uint8_t)(path->attempts + 1) : UINT8_MAX;
    // After a missing handshake the node renews the peer on the device: no reason to wait long.
    bool soon = why == PATH_WHY_NO_HANDSHAKE && path->attempts == 1;
    path->retry_at = mono_add(now, soon ? PATH_BACKOFF_CONTROLLED_MS : backoff_ms(path));
    path->failed_due = true;
    path->working = false;
    path_set_state(path, now, PATH_BACKOFF);
}

static void end_attempt(struct path *path, struct mono now)
{
    if (path->working) {
        // It was about something better, or the peer asked; what works stays.
        end_sends(path);
        path_set_state(path, now, PATH_CONNECTED);
        return;
    }
    fail(path, now, why_failed(path));
}

// The answered target that is to be used: the working endpoint, else by rung, else by time.
static struct path_target *best_answered(struct path *path)
{
    struct path_target *best = NULL;
    for (size_t i = 0; i < path->target_count; i++) {
        struct path_target *target = &path->targets[i];
        if (!target->answered) {
            continue;
        }
        if (target->current && path->working) {
            return target;
        }
        if (best == NULL || target->rung < best->rung ||
            (target->rung == best->rung && target->rtt_ms < best->rtt_ms)) {
            best = target;
        }
    }
    return best;
}

// Until when something better than `best` may still answer.
static struct mono settle_deadline(const struct path *path, const struct path_target *best)
{
    struct mono until = {.ms = 0};
    for (size_t i = 0; i < path->target_count; i++) {
        const struct path_target *target = &path->targets[i];
        if (target->answered || target == best) {
            continue;
        }
        if (target->current && path->working) {
            return mono_add(path->attempt_at, PATH_SETTLE_CURRENT_MS);
        }
        if (target->rung == PATH_RUNG_LAN && best->rung != PATH_RUNG_LAN) {
            until = mono_add(path->attempt_at, PATH_SETTLE_MS);
        }
    }
    return until;
}

static void commit_if_settled(struct path *path, struct mono now)
{
    struct path_target *best = best_answered(path);
    if (best == NULL) {
        return;
    }
    if (!(best->current && path->working)) {
        struct mono until = settle_deadline(path, best);
        if (!mono_due(until, now)) {
            path->settle_at = until;
            return;
        }
    }
    end_sends(path);
    path->retry_at = mono_never();
    path->rtt_ms = best->rtt_ms;
    path->rung = best->rung;
    path->intent_due = path->intent_due && path->intent_reply;
    if (best->current && path->working) {
        path_set_state(path, now, PATH_CONNECTED);
        return;
    }
    path->current = best->address;
    path->validated_due = true;
    path->failed_due = false;
    path_set_state(path, now, PATH_VALIDATED);
}

// Inputs.

void path_start(
    struct path *path, struct mono now, const struct path_own *own, const struct path_peer *peer)
{
    if (path->state == PATH_VALIDATED) {
        return;
    }
    if (is_attempting(path)) {
        take_candidates(path, own, peer);
        if (path->state == PATH_PUNCHING && has_target_to_probe(path, now)) {
            begin_probing(path, now);
        }
        return;
    }
    path->intent_due = true;
    path->intent_reply = false;
    begin_fresh(path, now, own, peer, false);
}

void path_on_intent(struct path *path, struct mono now, const struct path_own *own,
    const struct path_peer *peer, bool answer)
{
    if (answer) {
        path->intent_due = true;
        path->intent_reply = true;
    }
    if (path->state == PATH_VALIDATED ||
        (path->state == PATH_CONNECTED && mono_since(path->state_at, now) < REVALIDATE_MIN_MS)) {
        return;
    }
    if (is_attempting(path)) {
        take_candidates(path, own, peer);
        hear_peer(path, now);
    } else {
        begin_fresh(path, now, own, peer, true);
    }
    if (is_both_hard(path) && path->target_count == 0) {
        end_attempt(path, now); // nothing to wait for: all is known
    }
}

// A probe of the peer: answered, and where it came from is a candidate that is known to be open.
static enum status on_request(struct path *path, struct mono now, const struct address *from,
    const struct stun_message *message)
{
    if (path->answer_count == PATH_ANSWERS_MAX) {
        return ERR_RATE;
    }
    path->answers[path->answer_count++] =
        (struct path_answer){.transaction = message->transaction, .to = *from};
    enum address_scope scope = address_scope(from);
    bool usable = (scope == SCOPE_GLOBAL || scope == SCOPE_PRIVATE) &&
                  from->port >= PATH_TARGET_PORT_MIN &&
                  (from->family == FAMILY_IPV4 || path->config.ipv6);
    if (!usable || path->state == PATH_VALIDATED || path->state == PATH_CONNECTED) {
        return OK;
    }
    struct path_target *target = target_at(path, from);
    if (target == NULL) {
        target =
            add_target(path, from, scope == SCOPE_GLOBAL ? PATH_RUNG_REFLEXIVE : PATH_RUNG_LAN);
    }
    if (target != NULL && !target->requested) {
        target->requested = true;
        target->punch_due = false;
        target->probe_due = !target->answered;
    }
    if (is_attempting(path)) {
        hear_peer(path, now);
    } else {
        begin_attempt(path, now, true);
    }
    return OK;
}

static struct path_probe *probe_of(struct path *path, const struct stun_transaction *transaction)
{
    for (size_t i = 0; i < PATH_PROBES_MAX; i++) {
        struct path_probe *probe = &path->probes[i];
        if (probe->target < path->target_count &&
            stun_transaction_equal(&probe->transaction, transaction)) {
            return probe;
        }
    }
    return NULL;
}

static enum status on_success(struct path *path, struct mono now, struct probe_limiter *limiter,
    const struct address *from, const struct stun_message *message)
{
    struct path_probe *probe = probe_of(path, &message->transaction);
    if (probe == NULL || !address_equal(&path->targets[probe->target].address, from)) {
        return ERR_MISMATCH;
    }
    struct path_target *target = &path->targets[probe->target];
    uint64_t rtt_ms = mono_since((struct mono){.ms = probe->sent_at_ms}, now);
    probe->target = NO_TARGET;
    limiter_give_back(limiter, from, target->unanswered);
    target->unanswered = 0;
    path->observed = message->mapped;
    if (!is_attempting(path) && path->state != PATH_BACKOFF) {
        return OK;
    }
    target->rtt_ms = rtt_ms < UINT32_MAX ? (uint32_t)rtt_ms : UINT32_MAX;
    target->answered = true;
    path->peer_heard = true;
    commit_if_settled(path, now);
    return OK;
}

enum status path_on_probe(struct path *path, struct mono now, struct probe_limiter *limiter,
    const struct address *from, const struct stun_message *message)
{
    static const struct budget_rate rate = {
        .per_second = PATH_REQUESTS_PER_SECOND,
        .burst = PATH_REQUESTS_PER_SECOND,
    };
    if (!probe_is_from(&path->key, message)) {
        return ERR_NOT_FOUND;
    }
    if (message->method != STUN_BINDING ||
        (message->kind != STUN_REQUEST && message->kind != STUN_SUCCESS)) {
        return ERR_UNSUPPORTED;
    }
    if (!budget_take(&path->requests, &rate, now, 1)) {
        return ERR_RATE;
    }
    enum status status = probe_check(&path->key, message);
    if (status != OK) {
        return status;
    }
    return message->kind == STUN_REQUEST ? on_request(path, now, from, message)
                                         : on_success(path, now, limiter, from, message);
}

static void set_connected(struct path *path, struct mono now)
{
    end_sends(path);
    path->working = true;
    path->attempts = 0;
    path->why = PATH_WHY_NONE;
    path->rx_at = now;
    path->retry_at = mono_never();
    path->connected_due = true;
    path->failed_due = false;
    path_set_state(path, now, PATH_CONNECTED);
}

static void lose(struct path *path, struct mono now)
{
    path->working = false;
    path->why = PATH_WHY_RX_SILENT;
    path->lost_due = true;
    begin_again(path, now);
}

// The peer reached us before a probe of ours was answered: by where its own probes came from.
static void take_rung_of_requests(struct path *path)
{
    path->rung = PATH_RUNG_NONE;
    for (size_t i = 0; i < path->target_count; i++) {
        const struct path_target *target = &path->targets[i];
        if (target->requested && (path->rung == PATH_RUNG_NONE || target->rung < path->rung)) {
            path->rung = target->rung;
        }
    }
}

void path_on_device(struct path *path, struct mono now, const struct path_device *device)
{
    bool grew = device->rx_bytes > path->rx_bytes;
    path->rx_bytes = device->rx_bytes;
    if (grew) {
        path->rx_at = now;
    }
    bool fresh = device->has_handshake && device->handshake_age_ms < PATH_HANDSHAKE_FRESH_MS;
    // Not by the time of the state: the peer may have set its endpoint, and shaken hands, first.
    bool recent = fresh && device->handshake_age_ms <=
                               mono_since(path->attempt_at, now) + HANDSHAKE_TOLERANCE_MS;
    switch (path->state) {
    case PATH_IDLE:
        break;
    case PATH_VALIDATED:
        if ((!path->working && recent) || (fresh && grew && mono_since(path->state_at, now) > 0)) {
            set_connected(path, now);
        }
        break;
    case PATH_PUNCHING:
    case PATH_PROBING:
    case PATH_BACKOFF:
        // The peer reached us by itself: WireGuard has its endpoint from the handshake.
        if (!path->working && recent) {
            take_rung_of_requests(path);
            set_connected(path, now);
        }
        break;
    case PATH_CONNECTED:
        if (!fresh || mono_since(path->rx_at, now) > PATH_RX_SILENT_MS) {
            lose(path, now);
        }
        break;
    }
}

struct mono path_deadline(const struct path *path)
{
    switch (path->state) {
    case PATH_IDLE:
    case PATH_CONNECTED:
        return mono_never();
    case PATH_PUNCHING:
    case PATH_PROBING:
        return mono_min(mono_min(path->probe_at, path->punch_at),
            mono_min(path->settle_at, mono_add(path->attempt_at, PATH_ATTEMPT_MS)));
    case PATH_VALIDATED:
        return mono_add(path->state_at, PATH_HANDSHAKE_MS);
    case PATH_BACKOFF:
        return path->retry_at;
    }
    return mono_never();
}

static void run_attempt(struct path *path, struct mono now)
{
    if (mono_due(path->settle_at, now)) {
        commit_if_settled(path, now);
    }
    if (!is_attempting(path)) {
        return;
    }
    if (mono_since(path->attempt_at, now) >= PATH_ATTEMPT_MS) {
        end_attempt(path, now);
        return;
    }
    if (mono_due(path->punch_at, now)) {
        path->punch_at = mono_add(now, PATH_PUNCH_INTERVAL_MS);
        for (size_t i = 0; i < path->target_count; i++) {
            struct path_target *target = &path->targets[i];
            target->punch_due = !may_probe(path, target, now) && path->own_class != NAT_NONE;
        }
    }
    run_round(path, now);
}

void path_on_deadline(struct path *path, struct mono now)
{
    switch (path->state) {
    case PATH_IDLE:
    case PATH_CONNECTED:
        break;
    case PATH_PUNCHING:
    case PATH_PROBING:
        run_attempt(path, now);
        break;
    case PATH_VALIDATED:
        if (mono_since(path->state_at, now) >= PATH_HANDSHAKE_MS) {
            fail(path, now, PATH_WHY_NO_HANDSHAKE);
        }
        break;
    case PATH_BACKOFF:
        if (mono_due(path->retry_at, now)) {
            begin_again(path, now);
        }
        break;
    }
}

void path_stop(struct path *path, struct mono now)
{
    const struct path_config config = path->config;
    struct probe_key key = path->key;
    if (path->state != PATH_IDLE) {
        path_set_state(path, now, PATH_IDLE);
    }
    path_init(path, &config, &key);
    probe_key_wipe(&key);
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include "nat/mapping.h"

#include "base/budget.h"

#include <string.h>

enum {
    FIRST_RETRY_MS = 200,  // doubles
    FAILED_ROUNDS_MAX = 2, // as many in a row, and a known mapping is given up
    ROUND_JITTER_PERCENT = 10,
};

void mapping_init(struct mapping *mapping, uint16_t port)
{
    *mapping = (struct mapping){.port = port, .round_at = mono_never()};
}

static struct prefix prefix_around(const struct address *address)
{
    return prefix_of(address, BUDGET_PREFIX_IPV4);
}

static bool same_prefix(const struct address *a, const struct address *b)
{
    struct prefix prefix = prefix_around(a);
    return prefix_contains(&prefix, b);
}

static struct mapping_reflector *find(struct mapping *mapping, const struct address *address)
{
    for (size_t i = 0; i < mapping->reflector_count; i++) {
        if (address_equal(&mapping->reflectors[i].address, address)) {
            return &mapping->reflectors[i];
        }
    }
    return NULL;
}

static void want_round(struct mapping *mapping, struct mono now)
{
    bool first = mapping->round_at.ms == UINT64_MAX;
    struct mono at = first ? now : mono_add(mapping->round_started_at, MAPPING_ROUND_GAP_MS);
    at.ms = at.ms < now.ms ? now.ms : at.ms;
    mapping->round_at = mono_min(mapping->round_at, at);
}

static void join_round(struct mapping_reflector *reflector, struct mono now)
{
    reflector->in_round = true;
    reflector->state = MAPPING_TRY_WAITING;
    reflector->tries = 0;
    reflector->next_at = now;
    reflector->asked_at = now;
}

static size_t round_size(const struct mapping *mapping)
{
    size_t size = 0;
    for (size_t i = 0; i < mapping->reflector_count; i++) {
        size += mapping->reflectors[i].in_round;
    }
    return size;
}

enum status mapping_reflector_add(
    struct mapping *mapping, struct mono now, const struct address *reflector)
{
    if (reflector->family != FAMILY_IPV4 || reflector->port == 0) {
        return ERR_UNSUPPORTED;
    }
    if (find(mapping, reflector) != NULL) {
        return ERR_EXISTS;
    }
    if (mapping->reflector_count == MAPPING_REFLECTORS_MAX) {
        return ERR_FULL;
    }
    mapping->reflectors[mapping->reflector_count++] = (struct mapping_reflector){
        .address = *reflector,
        .state = MAPPING_TRY_FAILED,
    };
    // While something is missing it is asked at once, else when its turn comes. A round that is
    // under way is joined: its answers are still on their way.
    if (mapping->in_round && round_size(mapping) < MAPPING_ROUND_REFLECTORS) {
        join_round(&mapping->reflectors[mapping->reflector_count - 1], now);
    } else if (mapping->view.single || mapping->view.nat_class == NAT_UNKNOWN ||
               mapping->view.nat_class == NAT_BLOCKED) {
        want_round(mapping, now);
    }
    return OK;
}

enum status mapping_reflector_remove(struct mapping *mapping, const struct address *reflector)
{
    struct mapping_reflector *entry = find(mapping, reflector);
    if (entry == NULL) {
        return ERR_NOT_FOUND;
    }
    *entry = mapping->reflectors[--mapping->reflector_count];
    if (mapping->reflector_count == 0) {
        mapping->in_round = false;
        mapping->round_at = mono_never();
    }
    return OK;
}

static bool is_own(const struct mapping *mapping, const struct address *address)
{
    for (size_t i = 0; i < mapping->host_count; i++) {
        if (address_equal(&mapping->hosts[i], address)) {
            return true;
        }
    }
    return false;
}

void mapping_set_hosts(
    struct mapping *mapping, struct mono now, const struct address *hosts, size_t count)
{
    struct address kept[MAPPING_HOSTS_MAX] = {{.family = FAMILY_NONE}};
    uint8_t kept_count = 0;
    bool changed = false;
    for (size_t i = 0; i < count && kept_count < MAPPING_HOSTS_MAX; i++) {
        enum address_scope scope = address_scope(&hosts[i]);
        if (scope != SCOPE_PRIVATE && scope != SCOPE_GLOBAL) {
            continue;
        }
        struct address host = hosts[i];
        host.port = mapping->port;
        changed = changed || !is_own(mapping, &host);
        kept[kept_count++] = host;
    }
    if (!changed && kept_count == mapping->host_count) {
        return;
    }
    memcpy(mapping->hosts, kept, sizeof kept);
    mapping->host_count = kept_count;
    mapping->changed = true;
    mapping_restart(mapping, now);
}

void mapping_restart(struct mapping *mapping, struct mono now)
{
    if (mapping->reflector_count > 0) {
        mapping->in_round = false;
        want_round(mapping, now);
    }
}

static void set_view(struct mapping *mapping, struct mapping_view view)
{
    const struct mapping_view *old = &mapping->view;
    // A NAT that maps by destination shows another port in every round: no news.
    bool same_address = view.nat_class == NAT_HARD && old->nat_class == NAT_HARD
                            ? address_same_ip(&view.reflexive, &old->reflexive)
                            : address_equal(&view.reflexive, &old->reflexive);
    if (!same_address || view.nat_class != old->nat_class || view.single != old->single) {
        mapping->changed = true;
    }
    mapping->view = view;
}

// The answers of this round that count. A reflector inside our own network sees the private
// address: as soon as one outside has answered, only such answers say anything.
static size_t answers_of(const struct mapping *mapping,
    const struct mapping_reflector *ret[static MAPPING_REFLECTORS_MAX])
{
    bool global = false;
    for (size_t i = 0; i < mapping->reflector_count; i++) {
        const struct mapping_reflector *reflector = &mapping->reflectors[i];
        global = global || (reflector->in_round && reflector->state == MAPPING_TRY_ANSWERED &&
                               address_scope(&reflector->seen) == SCOPE_GLOBAL);
    }
    size_t count = 0;
    for (size_t i = 0; i < mapping->reflector_count; i++) {
        const struct mapping_reflector *reflector = &mapping->reflectors[i];
        if (reflector->in_round && reflector->state == MAPPING_TRY_ANSWERED &&
            (!global || address_scope(&reflector->seen) == SCOPE_GLOBAL)) {
            ret[count++] = reflector;
        }
    }
    return count;
}

// How many of the answers, each from another address, agree with `with`; and whether two of them
// come from different prefixes.
static size_t agreeing(const struct mapping_reflector *const *answers, size_t count,
    const struct mapping_reflector *with, bool *ret_prefixes_differ)
{
    size_t agree = 1;
    *ret_prefixes_differ = false;
    for (size_t i = 0; i < count; i++) {
        if (!address_same_ip(&answers[i]->address, &with->address) &&
            address_equal(&answers[i]->seen, &with->seen)) {
            agree++;
            *ret_prefixes_differ =
                *ret_prefixes_differ || !same_prefix(&answers[i]->address, &with->address);
        }
    }
    return agree;
}

// One reflector's word: enough to begin with, not enough to change what two have confirmed unless
// it contradicts them.
static void classify_single(struct mapping *mapping, const struct address *seen)
{
    const struct mapping_view *old = &mapping->view;
    bool known = address_equal(&old->reflexive, seen) ||
                 (old->nat_class == NAT_HARD && address_same_ip(&old->reflexive, seen));
    bool own = is_own(mapping, seen);
    if (known && own == (old->nat_class == NAT_NONE)) {
        return;
    }
    set_view(mapping, (struct mapping_view){
                          .nat_class = own ? NAT_NONE : NAT_UNKNOWN,
                          .reflexive = *seen,
                          .single = true,
                      });
}

static bool is_waiting(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->reflector_count; i++) {
        if (mapping->reflectors[i].in_round &&
            mapping->reflectors[i].state == MAPPING_TRY_WAITING) {
            return true;
        }
    }
    return false;
}

static void classify(struct mapping *mapping)
{
    const struct mapping_reflector *answers[MAPPING_REFLECTORS_MAX];
    size_t count = answers_of(mapping, answers);
    const struct mapping_reflector *other = NULL; // seen from another address than the first
    for (size_t i = 1; i < count && other == NULL; i++) {
        if (!address_same_ip(&answers[i]->address, &answers[0]->address)) {
            other = answers[i];
        }
    }
    // What two have confirmed is not given up for the first answer that contradicts it.
    bool confirmed = address_is_set(&mapping->view.reflexive) && !mapping->view.single;
    if (count == 0 || (count < 2 && confirmed && is_waiting(mapping))) {
        return;
    }
    if (other == NULL) {
        classify_single(mapping, &answers[0]->seen);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        bool prefixes_differ = false;
        size_t agree = agreeing(answers, count, answers[i], &prefixes_differ);
        // The majority: a single reflector that lies does not make the NAT look hard.
        if (agree >= 2 && 2 * agree > count) {
            set_view(
                mapping, (struct mapping_view){
                             .nat_class = is_own(mapping, &answers[i]->seen) ? NAT_NONE : NAT_EASY,
                             .reflexive = answers[i]->seen,
                             .single = !prefixes_differ,
                         });
            return;
        }
    }
    if (confirmed && is_waiting(mapping)) {
        return;
    }
    bool same_ip = address_same_ip(&answers[0]->seen, &other->seen);
    set_view(mapping, (struct mapping_view){
                          .nat_class = NAT_HARD,
                          .reflexive = answers[0]->seen,
                          .single = true,
                          .port_delta = same_ip ? other->seen.port - answers[0]->seen.port : 0,
                      });
}

static void end_round_if_done(struct mapping *mapping, struct mono now)
{
    if (is_waiting(mapping)) {
        return;
    }
    bool answered = false;
    for (size_t i = 0; i < mapping->reflector_count; i++) {
        const struct mapping_reflector *reflector = &mapping->reflectors[i];
        answered = answered || (reflector->in_round && reflector->state == MAPPING_TRY_ANSWERED);
    }
    classify(mapping); // answers that had to wait for others count now
    mapping->in_round = false;
    if (answered) {
        mapping->failed_rounds = 0;
        return;
    }
    if (mapping->failed_rounds < UINT8_MAX) {
        mapping->failed_rounds++;
    }
    bool known = address_is_set(&mapping->view.reflexive);
    if (!known || mapping->failed_rounds >= FAILED_ROUNDS_MAX) {
        set_view(mapping, (struct mapping_view){.nat_class = NAT_BLOCKED});
    }
    uint64_t wait_ms = (uint64_t)MAPPING_BLOCKED_ROUND_MS * mapping->failed_rounds;
    wait_ms = known ? MAPPING_ROUND_GAP_MS : wait_ms;
    mapping->round_at = mono_min(
        mapping->round_at, mono_add(now, wait_ms < MAPPING_ROUND_MS ? wait_ms : MAPPING_ROUND_MS));
}

enum status mapping_on_response(struct mapping *mapping, struct mono now,
    const struct address *from, const struct stun_message *message)
{
    struct mapping_reflector *reflector = find(mapping, from);
    if (reflector == NULL || reflector->state != MAPPING_TRY_WAITING || !reflector->in_round ||
        message->method != STUN_BINDING || message->has_mac ||
        (message->kind != STUN_SUCCESS && message->kind != STUN_ERROR) ||
        !stun_transaction_equal(&reflector->transaction, &message->transaction)) {
        return ERR_MISMATCH;
    }
    enum status status = OK;
    enum address_scope scope = address_scope(&message->mapped);
    reflector->due = false;
    if (message->kind == STUN_ERROR) {
        reflector->state = MAPPING_TRY_FAILED;
    } else if ((scope != SCOPE_GLOBAL && scope != SCOPE_PRIVATE) || message->mapped.port == 0 ||
               message->mapped.family != FAMILY_IPV4) {
        reflector->state = MAPPING_TRY_FAILED;
        status = ERR_RANGE;
    } else {
        reflector->state = MAPPING_TRY_ANSWERED;
        reflector->seen = message->mapped;
        classify(mapping);
    }
    end_round_if_done(mapping, now);
    return status;
}

// The reflector idle longest, of those that are not in the round yet; first choice are prefixes
// that the round does not have, then addresses.
static struct mapping_reflector *choose(struct mapping *mapping)
{
    struct mapping_reflector *best = NULL;
    int best_novelty = -1;
    for (size_t i = 0; i < mapping->reflector_count; i++) {
        struct mapping_reflector *reflector = &mapping->reflectors[i];
        int novelty = 2;
        for (size_t j = 0; j < mapping->reflector_count; j++) {
            const struct mapping_reflector *other = &mapping->reflectors[j];
            if (other->in_round && address_same_ip(&other->address, &reflector->address)) {
                novelty = 0;
            } else if (other->in_round && novelty > 0 &&
                       same_prefix(&other->address, &reflector->address)) {
                novelty = 1;
            }
        }
        bool better = novelty > best_novelty ||
                      (novelty == best_novelty && reflector->asked_at.ms < best->asked_at.ms);
        if (!reflector->in_round && better) {
            best = reflector;
            best_novelty = novelty;
        }
    }
    return best;
}

static void start_round(struct mapping *mapping, struct mono now, struct rng *rng)
{
    for (size_t i = 0; i < mapping->reflector_count; i++) {
        mapping->reflectors[i].in_round = false;
        mapping->reflectors[i].due = false;
    }
    for (int i = 0; i < MAPPING_ROUND_REFLECTORS; i++) {
        struct mapping_reflector *reflector = choose(mapping);
        if (reflector == NULL) {
            break;
        }
        join_round(reflector, now);
    }
    mapping->in_round = true;
    mapping->round_started_at = now;
    mapping->round_at = mono_add(now, rng_jitter(rng, MAPPING_ROUND_MS, ROUND_JITTER_PERCENT));
}

struct mono mapping_deadline(const struct mapping *mapping)
{
    struct mono deadline = mapping->round_at;
    for (size_t i = 0; mapping->in_round && i < mapping->reflector_count; i++) {
        const struct mapping_reflector *reflector = &mapping->reflectors[i];
        if (reflector->in_round && reflector->state == MAPPING_TRY_WAITING) {
            deadline = mono_min(deadline, reflector->next_at);
        }
    }
    return deadline;
}

void mapping_on_deadline(struct mapping *mapping, struct mono now, struct rng *rng)
{
    if (mono_due(mapping->round_at, now)) {
        start_round(mapping, now, rng);
    }
    if (!mapping->in_round) {
        return;
    }
    for (size_t i = 0; i < mapping->reflector_count; i++) {
        struct mapping_reflector *reflector = &mapping->reflectors[i];
        if (!reflector->in_round || reflector->state != MAPPING_TRY_WAITING ||
            !mono_due(reflector->next_at, now)) {
            continue;
        }
        if (reflector->tries == MAPPING_TRIES) {
            reflector->state = MAPPING_TRY_FAILED;
            continue;
        }
        if (reflector->tries == 0) {
            reflector->transaction = stun_transaction_draw(rng);
        }
        reflector->next_at = mono_add(now, (uint64_t)FIRST_RETRY_MS << reflector->tries);
        reflector->tries++;
        reflector->due = true;
    }
    end_round_if_done(mapping, now);
}

bool mapping_next_output(struct mapping *mapping, struct mapping_output *ret)
{
    for (size_t i = 0; i < mapping->reflector_count; i++) {
        struct mapping_reflector *reflector = &mapping->reflectors[i];
        if (!reflector->due) {
            continue;
        }
        reflector->due = false;
        *ret = (struct mapping_output){.kind = MAPPING_SEND, .to = reflector->address};
        struct writer writer = writer_of(ret->bytes, sizeof ret->bytes);
        enum status status = stun_encode_binding_request(&writer, &reflector->transaction);
        ASSERT(status == OK);
        ret->size = writer.size;
        return true;
    }
    if (mapping->changed) {
        mapping->changed = false;
        *ret = (struct mapping_output){.kind = MAPPING_CHANGED};
        return true;
    }
    return false;
}

struct mapping_view mapping_view(const struct mapping *mapping)
{
    return mapping->view;
}

static void add_candidate(
    struct candidates *list, enum candidate_kind kind, const struct address *address)
{
    for (size_t i = 0; i < list->count; i++) {
        if (address_equal(&list->list[i].address, address)) {
            return;
        }
    }
    if (list->count < CANDIDATES_MAX) {
        list->list[list->count++] = (struct candidate){.kind = kind, .address = *address};
    }
}

static void add_hosts(const struct mapping *mapping, enum address_scope scope,
    enum address_family family, struct candidates *list)
{
    for (size_t i = 0; i < mapping->host_count; i++) {
        const struct address *host = &mapping->hosts[i];
        if (address_scope(host) == scope && host->family == family) {
            add_candidate(list, CANDIDATE_HOST, host);
        }
    }
}

void mapping_candidates(
    const struct mapping *mapping, enum mapping_audience audience, struct candidates *ret)
{
    *ret = (struct candidates){0};
    const struct address *reflexive = &mapping->view.reflexive;
    add_hosts(mapping, SCOPE_GLOBAL, FAMILY_IPV4, ret);
    add_hosts(mapping, SCOPE_GLOBAL, FAMILY_IPV6, ret);
    if (address_is_set(reflexive) && !is_own(mapping, reflexive) &&
        (audience == AUDIENCE_PEER || address_scope(reflexive) == SCOPE_GLOBAL)) {
        // Many IPv6 addresses must not push the one that works for most out of the list.
        ret->count = ret->count == CANDIDATES_MAX ? CANDIDATES_MAX - 1 : ret->count;
        add_candidate(ret, CANDIDATE_REFLEXIVE, reflexive);
    }
    if (audience == AUDIENCE_PEER) {
        add_hosts(mapping, SCOPE_PRIVATE, FAMILY_IPV4, ret);
        add_hosts(mapping, SCOPE_PRIVATE, FAMILY_IPV6, ret);
    }
}

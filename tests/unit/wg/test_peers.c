// SPDX-License-Identifier: GPL-3.0-or-later
//
// The difference of peers: single cases, and an oracle: random wishes against a model device.
#include "wg/wg.h"

#include "base/rng.h"
#include "tests/unit/unit.h"

enum {
    CAPACITY = 12,
    FOREIGN_MAX = 4,
    STEPS = 20000,
};

// A device that knows only WireGuard's rules: an allowed prefix has one holder, the last who asked.
struct model {
    struct wg_peer peers[CAPACITY + FOREIGN_MAX];
    uint32_t sessions[CAPACITY + FOREIGN_MAX]; // changes when a peer is made anew
    size_t count;
    uint32_t next_session;
};

static struct wg_key key_of(uint8_t number)
{
    return (struct wg_key){.bytes = {number}};
}

static struct prefix prefix_of_number(uint8_t number)
{
    struct address base = address_of_ipv4(10, 213, 0, number, 0);
    return prefix_of(&base, 32);
}

static struct wg_peer peer_of(uint8_t number)
{
    return (struct wg_peer){
        .key = key_of(number),
        .endpoint = address_of_ipv4(192, 0, 2, number, 51820),
        .allowed = {prefix_of_number(number)},
        .allowed_count = 1,
        .keepalive_s = 25,
    };
}

static bool has_prefix(const struct wg_peer *peer, const struct prefix *prefix)
{
    for (size_t i = 0; i < peer->allowed_count; i++) {
        if (prefix_overlaps(&peer->allowed[i], prefix)) {
            return true;
        }
    }
    return false;
}

static struct wg_peer *model_find(struct model *model, const struct wg_key *key)
{
    for (size_t i = 0; i < model->count; i++) {
        if (wg_key_equal(&model->peers[i].key, key)) {
            return &model->peers[i];
        }
    }
    return NULL;
}

static void take_prefix(struct model *model, const struct wg_peer *from_all_but, struct prefix what)
{
    for (size_t i = 0; i < model->count; i++) {
        struct wg_peer *peer = &model->peers[i];
        uint8_t kept = 0;
        for (size_t j = 0; j < peer->allowed_count; j++) {
            if (peer == from_all_but || !prefix_overlaps(&peer->allowed[j], &what)) {
                peer->allowed[kept++] = peer->allowed[j];
            }
        }
        peer->allowed_count = kept;
    }
}

static void model_remove(struct model *model, const struct wg_key *key)
{
    struct wg_peer *peer = model_find(model, key);
    if (peer != NULL) {
        size_t place = (size_t)(peer - model->peers);
        *peer = model->peers[--model->count];
        model->sessions[place] = model->sessions[model->count];
    }
}

static void model_apply(struct model *model, const struct wg_op *op)
{
    struct wg_peer *peer = model_find(model, &op->peer.key);
    if (op->kind == WG_OP_REFUSE || (op->kind == WG_OP_UPDATE && peer == NULL)) {
        return;
    }
    if (op->kind == WG_OP_REMOVE) {
        model_remove(model, &op->peer.key);
        return;
    }
    if (peer == NULL) {
        assert_true(model->count < CAPACITY + FOREIGN_MAX);
        peer = &model->peers[model->count];
        model->sessions[model->count++] = model->next_session++;
        *peer = (struct wg_peer){.key = op->peer.key};
    }
    if (op->set_endpoint) {
        peer->endpoint = op->peer.endpoint;
    }
    if (op->set_keepalive) {
        peer->keepalive_s = op->peer.keepalive_s;
    }
    if (op->set_allowed && op->replace_allowed) {
        peer->allowed_count = 0;
    }
    for (size_t i = 0; op->set_allowed && i < op->peer.allowed_count; i++) {
        take_prefix(model, peer, op->peer.allowed[i]);
        if (!has_prefix(peer, &op->peer.allowed[i])) {
            assert_true(peer->allowed_count < WG_ALLOWED_MAX);
            peer->allowed[peer->allowed_count++] = op->peer.allowed[i];
        }
    }
}

// What the device would report.
static struct wg_device_state model_read(
    const struct model *model, struct wg_peer_state *peers, struct prefix *allowed)
{
    struct wg_device_state state = {.peers = peers, .allowed = allowed};
    for (size_t i = 0; i < model->count; i++) {
        const struct wg_peer *peer = &model->peers[i];
        peers[state.peer_count++] = (struct wg_peer_state){
            .key = peer->key,
            .endpoint = peer->endpoint,
            .allowed_first = (uint32_t)state.allowed_count,
            .allowed_count = peer->allowed_count,
            .keepalive_s = peer->keepalive_s,
        };
        for (size_t j = 0; j < peer->allowed_count; j++) {
            allowed[state.allowed_count++] = peer->allowed[j];
        }
    }
    return state;
}

struct fixture {
    struct wg_peer_entry entries[CAPACITY];
    struct wg_peers peers;
    struct model model;
    struct wg_op ops[2 * CAPACITY];
    size_t op_count;
};

static struct fixture *fixture_new(void)
{
    static struct fixture fixture;
    memset(&fixture, 0, sizeof fixture);
    wg_peers_init(&fixture.peers, fixture.entries, CAPACITY);
    return &fixture;
}

static void diff(struct fixture *f)
{
    struct wg_peer_state peers[CAPACITY + FOREIGN_MAX];
    struct prefix allowed[(CAPACITY + FOREIGN_MAX) * WG_ALLOWED_MAX];
    struct wg_device_state state = model_read(&f->model, peers, allowed);
    wg_peers_diff(&f->peers, &state, f->ops, &f->op_count);
    assert_true(f->op_count <= 2 * CAPACITY);
}

static void apply(struct fixture *f)
{
    for (size_t i = 0; i < f->op_count; i++) {
        model_apply(&f->model, &f->ops[i]);
        wg_peers_applied(&f->peers, &f->ops[i]);
    }
}

static void want(struct fixture *f, const struct wg_peer *peer)
{
    assert_int_equal(wg_peers_want(&f->peers, peer), OK);
}

static void a_wanted_peer_is_added_once(void **)
{
    struct fixture *f = fixture_new();
    struct wg_peer peer = peer_of(1);
    want(f, &peer);
    diff(f);
    assert_int_equal(f->op_count, 1);
    assert_int_equal(f->ops[0].kind, WG_OP_ADD);
    assert_true(f->ops[0].set_endpoint && f->ops[0].set_keepalive && f->ops[0].set_allowed);
    apply(f);
    diff(f);
    assert_int_equal(f->op_count, 0);
}

static void endpoint_and_keepalive_travel_together(void **)
{
    struct fixture *f = fixture_new();
    struct wg_peer peer = peer_of(1);
    peer.endpoint = (struct address){.family = FAMILY_NONE};
    peer.keepalive_s = 0;
    want(f, &peer);
    diff(f);
    assert_false(f->ops[0].set_endpoint);
    apply(f);
    f->model.peers[0].endpoint = address_of_ipv4(192, 0, 2, 1, 4000); // it was heard from there
    peer = peer_of(1);
    want(f, &peer);
    diff(f);
    assert_int_equal(f->op_count, 1);
    assert_int_equal(f->ops[0].kind, WG_OP_UPDATE);
    assert_true(f->ops[0].set_endpoint && f->ops[0].set_keepalive);
    assert_false(f->ops[0].set_allowed);
}

// What was to be sent before there was an endpoint must not delay the first handshake by 5 s.
static void a_first_endpoint_comes_with_a_fresh_peer(void **)
{
    struct fixture *f = fixture_new();
    struct wg_peer peer = peer_of(1);
    peer.endpoint = (struct address){.family = FAMILY_NONE};
    want(f, &peer);
    diff(f);
    apply(f);
    uint32_t session = f->model.sessions[0];
    want(f, &peer);
    diff(f);
    assert_int_equal(f->op_count, 0);
    peer = peer_of(1);
    want(f, &peer);
    diff(f);
    assert_int_equal(f->op_count, 2);
    assert_int_equal(f->ops[0].kind, WG_OP_REMOVE);
    assert_int_equal(f->ops[1].kind, WG_OP_ADD);
    assert_true(f->ops[1].set_endpoint && f->ops[1].set_allowed);
    apply(f);
    assert_int_not_equal(f->model.sessions[0], session);
    diff(f);
    assert_int_equal(f->op_count, 0);
}

static void roaming_is_not_fought(void **)
{
    struct fixture *f = fixture_new();
    struct wg_peer peer = peer_of(1);
    want(f, &peer);
    diff(f);
    apply(f);
    f->model.peers[0].endpoint = address_of_ipv4(198, 51, 100, 9, 4000);
    diff(f);
    assert_int_equal(f->op_count, 0);
    want(f, &peer); // asked for again: sent again, and alone
    diff(f);
    assert_int_equal(f->op_count, 1);
    assert_true(f->ops[0].set_endpoint);
    assert_false(f->ops[0].set_keepalive || f->ops[0].set_allowed);
}

static void an_endpoint_outlasts_what_is_asked_before_it_was_sent(void **)
{
    struct fixture *f = fixture_new();
    struct wg_peer peer = peer_of(1);
    want(f, &peer);
    diff(f); // and nothing of it was carried out
    struct address endpoint = peer.endpoint;
    peer.endpoint = (struct address){.family = FAMILY_NONE};
    want(f, &peer);
    diff(f);
    assert_int_equal(f->op_count, 1);
    assert_true(f->ops[0].set_endpoint);
    assert_true(address_equal(&f->ops[0].peer.endpoint, &endpoint));
    apply(f);
    want(f, &peer);
    diff(f);
    assert_int_equal(f->op_count, 0);
}

static void a_failed_operation_comes_again(void **)
{
    struct fixture *f = fixture_new();
    struct wg_peer peer = peer_of(1);
    want(f, &peer);
    diff(f);
    diff(f); // nothing was applied
    assert_int_equal(f->op_count, 1);
    assert_int_equal(f->ops[0].kind, WG_OP_ADD);
    model_apply(&f->model, &f->ops[0]); // carried out, but the answer was lost
    diff(f);
    assert_int_equal(f->op_count, 0);
    wg_peers_drop(&f->peers, &peer.key);
    diff(f);
    assert_int_equal(f->op_count, 1);
    assert_int_equal(f->ops[0].kind, WG_OP_REMOVE);
}

static void added_prefixes_do_not_replace(void **)
{
    struct fixture *f = fixture_new();
    struct wg_peer peer = peer_of(1);
    want(f, &peer);
    diff(f);
    apply(f);
    peer.allowed[peer.allowed_count++] = prefix_of_number(101);
    want(f, &peer);
    diff(f);
    assert_int_equal(f->op_count, 1);
    assert_true(f->ops[0].set_allowed && !f->ops[0].replace_allowed);
    assert_int_equal(f->ops[0].peer.allowed_count, 1);
    apply(f);
    peer.allowed_count = 0;
    want(f, &peer);
    diff(f);
    assert_int_equal(f->op_count, 1);
    assert_true(f->ops[0].set_allowed && f->ops[0].replace_allowed);
    apply(f);
    assert_int_equal(f->model.peers[0].allowed_count, 0);
}

static void dropping_and_wanting_renews_the_session(void **)
{
    struct fixture *f = fixture_new();
    struct wg_peer peer = peer_of(1);
    want(f, &peer);
    diff(f);
    apply(f);
    uint32_t session = f->model.sessions[0];
    wg_peers_drop(&f->peers, &peer.key);
    want(f, &peer);
    diff(f);
    assert_int_equal(f->op_count, 2);
    apply(f);
    assert_int_not_equal(f->model.sessions[0], session);
    diff(f);
    assert_int_equal(f->op_count, 0);
}

static void adopted_peers_keep_their_session_or_go(void **)
{
    struct fixture *f = fixture_new();
    struct wg_peer kept = peer_of(1);
    struct wg_peer gone = peer_of(2);
    f->model.peers[0] = kept;
    f->model.peers[1] = gone;
    f->model.count = 2;
    assert_int_equal(wg_peers_adopt(&f->peers, &kept.key), OK);
    assert_int_equal(wg_peers_adopt(&f->peers, &gone.key), OK);
    want(f, &kept);
    diff(f);
    assert_int_equal(f->op_count, 1);
    assert_int_equal(f->ops[0].kind, WG_OP_REMOVE);
    assert_true(wg_key_equal(&f->ops[0].peer.key, &gone.key));
    apply(f);
    assert_int_equal(f->model.count, 1);
    assert_null(wg_peers_find(&f->peers, &gone.key));
    assert_non_null(wg_peers_find(&f->peers, &kept.key));
}

static void foreign_peers_are_refused_not_touched(void **)
{
    struct fixture *f = fixture_new();
    f->model.peers[0] = peer_of(1);
    f->model.count = 1;
    struct wg_peer same_key = peer_of(1);
    struct wg_peer same_address = peer_of(2);
    same_address.allowed[0] = prefix_of_number(1);
    want(f, &same_address);
    diff(f);
    assert_int_equal(f->op_count, 1);
    assert_int_equal(f->ops[0].kind, WG_OP_REFUSE);
    assert_true(wg_key_equal(&f->ops[0].holder, &f->model.peers[0].key));
    assert_int_equal(f->ops[0].refused_prefix.base.ip[3], 1);
    wg_peers_drop(&f->peers, &same_address.key);
    assert_null(wg_peers_find(&f->peers, &same_address.key));
    want(f, &same_key);
    diff(f);
    assert_int_equal(f->op_count, 1);
    assert_int_equal(f->ops[0].kind, WG_OP_REFUSE);
    assert_true(wg_key_equal(&f->ops[0].holder, &same_key.key));
    wg_peers_drop(&f->peers, &same_key.key);
    diff(f);
    assert_int_equal(f->op_count, 0);
}

static void bad_wishes_are_named(void **)
{
    struct fixture *f = fixture_new();
    struct wg_peer peer = peer_of(1);
    peer.allowed_count = WG_ALLOWED_MAX + 1;
    assert_int_equal(wg_peers_want(&f->peers, &peer), ERR_RANGE);
    peer.allowed_count = 2;
    peer.allowed[1] = peer.allowed[0];
    assert_int_equal(wg_peers_want(&f->peers, &peer), ERR_RANGE);
    peer = peer_of(1);
    peer.endpoint.port = 0;
    assert_int_equal(wg_peers_want(&f->peers, &peer), ERR_RANGE);
    peer = peer_of(1);
    want(f, &peer);
    struct wg_peer claimant = peer_of(2);
    claimant.allowed[0] = peer.allowed[0];
    assert_int_equal(wg_peers_want(&f->peers, &claimant), ERR_EXISTS);
    for (int i = 2; i <= CAPACITY; i++) {
        struct wg_peer filler = peer_of((uint8_t)i);
        want(f, &filler);
    }
    struct wg_peer late = peer_of(CAPACITY + 1);
    assert_int_equal(wg_peers_want(&f->peers, &late), ERR_FULL);
    assert_int_equal(wg_peers_adopt(&f->peers, &late.key), ERR_FULL);
    want(f, &peer); // one that is in may change
}

// --- the oracle ----------------------------------------------------------------------------------

static struct wg_peer random_peer(struct rng *rng)
{
    struct wg_peer peer = {.key = key_of((uint8_t)rng_below(rng, 16))};
    if (rng_below(rng, 3) != 0) {
        peer.endpoint = address_of_ipv4(192, 0, 2, (uint8_t)rng_below(rng, 4), 51820);
    }
    peer.keepalive_s = rng_below(rng, 2) == 0 ? 0 : 25;
    uint8_t first = (uint8_t)rng_below(rng, 20);
    peer.allowed_count = (uint8_t)rng_below(rng, 3);
    for (uint8_t i = 0; i < peer.allowed_count; i++) {
        peer.allowed[i] = prefix_of_number((uint8_t)(first + i));
    }
    return peer;
}

static bool peer_same(const struct wg_peer *a, const struct wg_peer *b)
{
    bool same = a->allowed_count == b->allowed_count && a->keepalive_s == b->keepalive_s;
    for (size_t i = 0; same && i < a->allowed_count; i++) {
        same = has_prefix(b, &a->allowed[i]);
    }
    return same;
}

static bool was_refused(const struct fixture *f, const struct wg_key *key)
{
    for (size_t i = 0; i < f->op_count; i++) {
        if (f->ops[i].kind == WG_OP_REFUSE && wg_key_equal(&f->ops[i].peer.key, key)) {
            return true;
        }
    }
    return false;
}

// Everything that is wanted and was not refused is there as wanted; nothing else of ours is; the
// foreign peers are as they were.
static void check_device(struct fixture *f, const struct wg_peer *foreign, size_t foreign_count)
{
    size_t expected = foreign_count;
    for (size_t i = 0; i < f->peers.count; i++) {
        const struct wg_peer_entry *entry = &f->peers.entries[i];
        struct wg_peer *present = model_find(&f->model, &entry->peer.key);
        assert_true(entry->wanted);
        if (was_refused(f, &entry->peer.key)) {
            expected += entry->made && present != NULL ? 1 : 0;
            continue;
        }
        assert_non_null(present);
        assert_true(peer_same(&entry->peer, present));
        expected++;
    }
    for (size_t i = 0; i < foreign_count; i++) {
        struct wg_peer *present = model_find(&f->model, &foreign[i].key);
        assert_non_null(present);
        assert_true(peer_same(&foreign[i], present));
    }
    assert_int_equal(f->model.count, expected);
}

static void random_step(struct fixture *f, struct rng *rng)
{
    struct wg_peer peer = random_peer(rng);
    switch (rng_below(rng, 6)) {
    case 0:
        wg_peers_drop(&f->peers, &peer.key);
        break;
    case 1: // somebody else removes a peer
        if (wg_peers_find(&f->peers, &peer.key) != NULL &&
            wg_peers_find(&f->peers, &peer.key)->made) {
            model_remove(&f->model, &peer.key);
        }
        break;
    case 2: // an answer is lost: the device may or may not have done it
        diff(f);
        for (size_t i = 0; i < f->op_count && rng_below(rng, 4) != 0; i++) {
            model_apply(&f->model, &f->ops[i]);
        }
        break;
    default:
        (void)wg_peers_want(&f->peers, &peer);
        break;
    }
}

static void random_wishes_reach_the_device(void **)
{
    struct fixture *f = fixture_new();
    struct rng rng;
    uint8_t seed[RNG_SEED_SIZE] = {7};
    rng_seed(&rng, seed);
    struct wg_peer foreign[FOREIGN_MAX];
    for (int i = 0; i < FOREIGN_MAX; i++) { // two of their keys, two prefixes are wished for
        foreign[i] = peer_of((uint8_t)(14 + i));
        f->model.peers[i] = foreign[i];
    }
    f->model.count = FOREIGN_MAX;
    size_t refused = 0;
    for (int step = 0; step < STEPS; step++) {
        random_step(f, &rng);
        if (rng_below(&rng, 3) == 0) {
            diff(f);
            apply(f);
            check_device(f, foreign, FOREIGN_MAX);
            diff(f);
            for (size_t i = 0; i < f->op_count; i++) {
                assert_int_equal(f->ops[i].kind, WG_OP_REFUSE);
                refused++;
            }
        }
    }
    assert_true(refused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wanted_peer_is_added_once),
        cmocka_unit_test(endpoint_and_keepalive_travel_together),
        cmocka_unit_test(a_first_endpoint_comes_with_a_fresh_peer),
        cmocka_unit_test(roaming_is_not_fought),
        cmocka_unit_test(an_endpoint_outlasts_what_is_asked_before_it_was_sent),
        cmocka_unit_test(a_failed_operation_comes_again),
        cmocka_unit_test(added_prefixes_do_not_replace),
        cmocka_unit_test(dropping_and_wanting_renews_the_session),
        cmocka_unit_test(adopted_peers_keep_their_session_or_go),
        cmocka_unit_test(foreign_peers_are_refused_not_touched),
        cmocka_unit_test(bad_wishes_are_named),
        cmocka_unit_test(random_wishes_reach_the_device),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

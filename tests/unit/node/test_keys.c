// SPDX-License-Identifier: GPL-3.0-or-later
//
// The life of keys: a new node key and a new WireGuard key under a tunnel that is up, a node that
// its owner retires, and a displaced one that is authorised anew.
#include "node/inner.h"
#include "tests/unit/node/world.h"

#include "tests/unit/unit.h"

enum {
    MINUTE = 60000,
    NEW_IDENTITY = 40,
    STRANGER = 9,
};

static struct world *world;
static size_t a, b, c;

static int make(bool access)
{
    world = world_make(5);
    a = world_add(world, (struct world_options){.first = true});
    b = world_add(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    c = world_add(world, (struct world_options){.nat = KIND_PUBLIC});
    world->model.has_access = access;
    for (size_t i = 0; access && i < world->count; i++) {
        world->nodes[i].config.gate.profile = PROFILE_DSTACK_ACCESS;
        wg_key_format(&world->wg_keys[i], model_token(&world->model, i + 1)->key);
    }
    for (size_t i = 0; i < world->count; i++) {
        world_up(world, i);
        world_run(world, 2000);
    }
    assert_true(world_run_connected(world, a, b, 10000));
    assert_true(world_run_connected(world, a, c, 10000));
    assert_true(world_run_connected(world, b, c, 10000));
    world_run(world, 5000); // another second: a greater epoch
    return 0;
}

static int start(void **)
{
    return make(false);
}

static int start_access(void **)
{
    return make(true);
}

static int stop(void **)
{
    world_free(world);
    return 0;
}

static bool has_key_on_device(size_t index, const struct wg_key *key)
{
    for (size_t i = 0; i < WORLD_PEERS_MAX; i++) {
        const struct world_peer *peer = &world->nodes[index].peers[i];
        if (peer->used && wg_key_equal(&peer->peer.key, key)) {
            return true;
        }
    }
    return false;
}

// --- node key ------------------------------------------------------------------------------------

static void a_new_node_key_disturbs_no_tunnel(void **)
{
    uint64_t removes = world->nodes[a].removes + world->nodes[b].removes + world->nodes[c].removes;
    uint64_t taken = world_status(world, a).counters.records_accepted;
    world_rotate_node_key(world, b, NEW_IDENTITY);
    world_run(world, 1000);
    // Told inside the tunnels, not read two minutes later.
    assert_int_equal(world_status(world, a).counters.records_accepted, taken + 1);
    struct dht_key key = world_record_key(world, 2);
    const struct node_key *new_key = &world->nodes[b].config.delegation.node_key;
    assert_non_null(world_dht_find(world, &key, value_id_of_record(new_key)));
    // Its old record, which still lies there, shadows nothing and displaces nobody.
    world_run(world, 5 * MINUTE);
    assert_false(world_status(world, b).displaced);
    assert_true(world_connected(world, a, b) && world_connected(world, b, c));
    assert_int_equal(
        world->nodes[a].removes + world->nodes[b].removes + world->nodes[c].removes, removes);
    assert_int_equal(world_reports(world, b, EVENT_LOST), 0);
    // A restart on both sides comes back with the new key: the floors know it.
    world_down(world, b);
    world_run(world, 3 * MINUTE);
    world_kill(world, a);
    world_up(world, a);
    world_up(world, b);
    assert_true(world_run_connected(world, a, b, 2 * MINUTE));
}

static void the_old_node_key_is_out(void **)
{
    struct node_config old = world->nodes[b].config;
    struct wg_key old_key = world->wg_keys[b];
    world_rotate_node_key(world, b, NEW_IDENTITY);
    world_rotate_wg_key(world, b, NEW_IDENTITY); // whoever has this one needs no node key
    world_run(world, MINUTE);
    world_down(world, b);
    world->wg_keys[b] = old_key;
    world->nodes[b].config = old;
    world->nodes[b].saved_size = 0;
    world->nodes[b].config.insist = true; // as a thief's would
    world_up(world, b);
    world_run(world, 3 * MINUTE);
    assert_false(world_connected(world, a, b) || world_connected(world, b, c));
    const struct world_report *refused = world_report(world, a, EVENT_REMOVED, 2, 0);
    refused = refused == NULL ? world_report(world, a, EVENT_REFUSED, 2, 0) : refused;
    assert_true(refused != NULL || world_status(world, a).counters.records_outranked > 0);
}

static void a_foreign_delegation_changes_nothing(void **)
{
    struct node_secret secret = world->nodes[a].config.node_secret;
    assert_int_equal(node_set_node_key(world->nodes[b].node, world_now(world, b), &secret,
                         &world->nodes[b].config.delegation, span_of(NULL, 0)),
        ERR_RANGE);
    world_drain(world, b);
    world_run(world, MINUTE);
    assert_true(world_connected(world, a, b));
}

// --- WireGuard key -------------------------------------------------------------------------------

// How long the tunnel between a and b is not usable on both sides.
static uint64_t gap_ms(uint64_t max_ms)
{
    uint64_t began = world->now;
    uint64_t down = 0;
    while (world->now < began + max_ms) {
        down += world_connected(world, a, b) ? 0 : 10;
        world_run(world, 10);
    }
    return down;
}

static void a_new_wireguard_key_costs_a_moment(void **)
{
    struct wg_key old = world->wg_keys[b];
    world_rotate_wg_key(world, b, NEW_IDENTITY);
    uint64_t gap = gap_ms(MINUTE);
    print_message("down for %u ms\n", (unsigned)gap);
    assert_true(gap > 0);
    assert_true(gap <= 1000);
    assert_true(world_connected(world, a, b) && world_connected(world, b, c));
    assert_false(wg_key_equal(&old, &world->wg_keys[b]));
    assert_true(has_key_on_device(a, &world->wg_keys[b]));
    assert_true(has_key_on_device(c, &world->wg_keys[b]));
    assert_false(has_key_on_device(a, &old) || has_key_on_device(c, &old));
    assert_int_equal(world_reports(world, b, EVENT_WG_KEY), 1);
    assert_int_equal(world_reports(world, a, EVENT_REMOVED), 0); // replaced, not thrown out
    // Twice in a row, and the same again is nothing.
    world_rotate_wg_key(world, b, NEW_IDENTITY + 1);
    assert_true(gap_ms(MINUTE) <= 1000);
    world_rotate_wg_key(world, b, NEW_IDENTITY + 1);
    world_run(world, MINUTE);
    assert_int_equal(world_reports(world, b, EVENT_WG_KEY), 2);
}

static void members_that_were_not_told_find_the_new_key(void **)
{
    world->nodes[a].cut = true; // neither hello nor intent reaches it; it reads the DHT
    world_rotate_wg_key(world, b, NEW_IDENTITY);
    world_run(world, 5000);
    world->nodes[a].cut = false;
    assert_true(world_run_connected(world, a, b, 3 * MINUTE));
    assert_true(has_key_on_device(a, &world->wg_keys[b]));
}

static void a_key_on_chain_is_awaited(void **)
{
    struct wg_key old = world->wg_keys[b];
    world_rotate_wg_key(world, b, NEW_IDENTITY);
    struct wg_key fresh = world->next_wg_keys[b];
    assert_int_equal(gap_ms(20000), 0); // the transaction takes its time
    assert_true(world_status(world, b).key_waits);
    assert_true(has_key_on_device(a, &old));
    assert_int_equal(world_reports(world, a, EVENT_REFUSED), 0);
    wg_key_format(&fresh, model_token(&world->model, 2)->key);
    uint64_t gap = gap_ms(MINUTE);
    print_message("down for %u ms\n", (unsigned)gap);
    assert_true(gap <= 3000);
    assert_true(world_connected(world, a, b) && world_connected(world, b, c));
    assert_true(has_key_on_device(a, &fresh) && has_key_on_device(c, &fresh));
    assert_false(has_key_on_device(a, &old) || has_key_on_device(c, &old));
    assert_false(world_status(world, b).key_waits);
    assert_int_equal(world_status(world, b).verdict.kind, VERDICT_YES);
}

static void a_key_that_never_comes_on_chain_changes_nothing(void **)
{
    struct wg_key old = world->wg_keys[b];
    world_rotate_wg_key(world, b, NEW_IDENTITY);
    world_run(world, 10 * MINUTE);
    assert_true(world_connected(world, a, b) && world_connected(world, b, c));
    assert_true(has_key_on_device(a, &old));
    node_keep_wg(world->nodes[b].node);
    assert_false(world_status(world, b).key_waits);
    world_run(world, MINUTE);
    assert_true(world_connected(world, a, b));
}

// A member that was away learns the key from chain and DHT.
static void nor_is_an_announcement_needed(void **)
{
    world_down(world, a);
    world_rotate_wg_key(world, b, NEW_IDENTITY);
    wg_key_format(&world->next_wg_keys[b], model_token(&world->model, 2)->key);
    world_run(world, MINUTE);
    world_up(world, a);
    assert_true(world_run_connected(world, a, b, 2 * MINUTE));
}

// --- tombstones ----------------------------------------------------------------------------------

struct stone {
    struct token_id token;
    uint8_t bytes[RECORD_MAX_SIZE];
    size_t size;
};

static struct stone make_stone(size_t of, uint8_t wallet)
{
    struct stone stone = {.token = world_token(world, of)};
    struct record record = {.token = stone.token};
    struct eth_address owner = model_address(wallet);
    struct node_key none = {{0}};
    struct network network = model_network();
    struct network_keys keys = network_keys_of(&network, NULL);
    struct eth_secret secret = model_secret(wallet);
    record.delegation = delegation_draft(
        &stone.token, &owner, &none, world_now(world, of).unix_time, DELEGATION_WINDOW_DEFAULT_S);
    assert_int_equal(delegation_sign(&record.delegation, &network, &secret), OK);
    assert_int_equal(record_encode(&keys, NULL, &record, stone.bytes, &stone.size), OK);
    return stone;
}

static struct verdict retire(size_t by, const struct stone *stone)
{
    struct verdict verdict = {.kind = VERDICT_YES};
    assert_int_equal(node_retire(world->nodes[by].node, world_now(world, by), &stone->token,
                         span_of(stone->bytes, stone->size), span_of(NULL, 0), &verdict),
        OK);
    world_drain(world, by);
    return verdict;
}

// Else a member would drop it without a word.
static void the_largest_tombstone_fits(void **)
{
    const uint8_t secret[NETWORK_SECRET_SIZE] = {1};
    struct network network = model_network();
    struct network_keys keys = network_keys_of(&network, secret);
    struct record record = {.token = token_id_of_u64(UINT64_MAX)};
    uint8_t bytes[RECORD_MAX_SIZE];
    size_t size = 0;
    record.delegation = (struct delegation){.kind = DELEGATION_EIP1271,
        .token = record.token,
        .owner = model_address(2),
        .not_before_s = UINT64_MAX - 2,
        .not_after_s = UINT64_MAX - 1,
        .epoch_s = UINT64_MAX,
        .signature_size = DELEGATION_SIGNATURE_MAX};
    assert_int_equal(record_encode(&keys, NULL, &record, bytes, &size), OK);
    assert_in_range(size, 200, TOMBSTONE_MAX_SIZE);
}

static void a_retired_node_is_out_everywhere_at_once(void **)
{
    struct stone stone = make_stone(b, 2);
    struct verdict verdict = retire(c, &stone);
    assert_int_equal(verdict.reason, REASON_TOMBSTONE);
    assert_false(world_on_device(world, c, b));
    world_run(world, 500); // to `a` through the tunnel
    assert_false(world_on_device(world, a, b));
    assert_non_null(world_report(world, a, EVENT_RETIRED, 2, 0));
    world_run(world, 2 * MINUTE);
    // It has found out, says so, and keeps still.
    struct node_status status = world_status(world, b);
    assert_true(status.displaced && status.retired);
    assert_int_equal(status.verdict.reason, REASON_TOMBSTONE);
    assert_int_equal(status.peers, 0);
    world_run(world, 30 * MINUTE);
    struct dht_key key = world_record_key(world, 2);
    assert_int_equal(world_dht_count(world, &key), 1);
    assert_non_null(
        world_dht_find(world, &key, value_id_of_bytes(span_of(stone.bytes, stone.size))));
    assert_true(world_connected(world, a, c));
}

static void lose_values_at(uint64_t token)
{
    struct dht_key key = world_record_key(world, token);
    for (size_t i = 0; i < WORLD_VALUES_MAX; i++) {
        if (dht_key_equal(&world->values[i].key, &key)) {
            world->values[i].used = false;
        }
    }
}

static void a_thief_who_goes_on_stays_out(void **)
{
    struct stone stone = make_stone(b, 2);
    world_down(world, b);
    world->nodes[b].config.insist = true;
    world_up(world, b);
    assert_true(world_run_connected(world, a, b, MINUTE));
    (void)retire(c, &stone);
    world_run(world, 5 * MINUTE);
    assert_false(world_on_device(world, a, b) || world_on_device(world, c, b));
    // Members that restart keep it out by what they remember, whatever the DHT has lost.
    world_down(world, a);
    world_kill(world, c);
    lose_values_at(2);
    world_up(world, a);
    world_up(world, c);
    for (int i = 0; i < 10; i++) {
        world_run(world, MINUTE);
        assert_false(world_on_device(world, a, b) || world_on_device(world, c, b));
    }
    // The one that a user gave the tombstone puts it again.
    struct dht_key key = world_record_key(world, 2);
    uint64_t id = value_id_of_bytes(span_of(stone.bytes, stone.size));
    assert_non_null(world_dht_find(world, &key, id));
    // Who comes later is told by others.
    lose_values_at(2);
    size_t d = world_join(world, (struct world_options){.nat = KIND_PUBLIC});
    world_run(world, 20000);
    assert_true(world_connected(world, a, d));
    assert_false(world_on_device(world, d, b));
    assert_int_equal(world_status(world, d).tombstones, 1);
}

static void a_stranger_retires_nobody(void **)
{
    struct stone stone = make_stone(b, STRANGER);
    struct verdict verdict = retire(c, &stone);
    assert_int_equal(verdict.kind, VERDICT_NO);
    assert_int_equal(verdict.reason, REASON_OTHER_OWNER);
    node_on_stored_tombstone(
        world->nodes[a].node, world_now(world, a), &stone.token, span_of(stone.bytes, stone.size));
    world_drain(world, a);
    world_run(world, 5 * MINUTE);
    assert_true(world_connected(world, a, b) && world_connected(world, b, c));
    assert_int_equal(world_status(world, a).tombstones, 0);
    assert_int_equal(world_status(world, c).tombstones, 0);
    struct verdict ignored;
    assert_int_equal(node_retire(world->nodes[a].node, world_now(world, a), &stone.token,
                         span_of(stone.bytes, 10), span_of(NULL, 0), &ignored),
        ERR_MALFORMED);
}

// Nor, while the chain cannot be read, takes the place of what the owner has signed.
static void a_stranger_displaces_no_tombstone(void **)
{
    struct stone stone = make_stone(b, 2);
    (void)retire(c, &stone);
    world_run(world, 500);
    assert_int_equal(world_status(world, a).tombstones, 1);
    world->nodes[a].chain = FAULT_SILENT;
    world_run(world, MINUTE);
    struct stone forged = make_stone(b, STRANGER);
    struct dht_key key = world_record_key(world, 2);
    struct span value = span_of(forged.bytes, forged.size);
    world_dht_store(world, &key, value_id_of_bytes(value), value);
    world_run(world, 1000); // by the listen
    assert_int_equal(world_status(world, a).tombstones, 2);
    world->nodes[a].chain = FAULT_NONE;
    world_run(world, MINUTE);
    assert_int_equal(world_status(world, a).tombstones, 1);
    // What is left is the owner's: who comes later hears of it.
    world_down(world, c);
    lose_values_at(2);
    size_t d = world_join(world, (struct world_options){.nat = KIND_PUBLIC});
    world_run(world, 20000);
    assert_true(world_connected(world, a, d));
    assert_int_equal(world_status(world, d).tombstones, 1);
}

static void one_that_is_put_here_is_noticed(void **)
{
    struct stone stone = make_stone(b, 2);
    node_on_stored_tombstone(
        world->nodes[a].node, world_now(world, a), &stone.token, span_of(stone.bytes, stone.size));
    world_drain(world, a);
    world_run(world, 500);
    assert_false(world_on_device(world, a, b) || world_on_device(world, c, b));
}

static void it_waits_for_the_chain(void **)
{
    struct stone stone = make_stone(b, 2);
    world_down(world, c);
    world->nodes[c].chain = FAULT_SILENT;
    world_up(world, c);
    world_run(world, 2000);
    struct verdict verdict = retire(c, &stone);
    assert_int_equal(verdict.kind, VERDICT_UNKNOWN);
    // It is put all the same: others can read the chain.
    world_run(world, 3 * MINUTE);
    assert_false(world_on_device(world, a, b));
    world->nodes[c].chain = FAULT_NONE;
    world_run(world, MINUTE);
    assert_non_null(world_report(world, c, EVENT_RETIRED, 2, 0));
    assert_int_equal(world_status(world, c).tombstones, 1);
}

static void an_authorised_node_takes_the_seat_again(void **)
{
    struct stone stone = make_stone(b, 2);
    (void)retire(c, &stone);
    world_run(world, 2 * MINUTE);
    assert_true(world_status(world, b).retired);
    // With the stolen key replaced.
    world_rotate_node_key(world, b, NEW_IDENTITY);
    assert_non_null(world_report(world, b, EVENT_RECLAIMED, 2, 0));
    assert_true(world_run_connected(world, a, b, MINUTE));
    assert_true(world_run_connected(world, b, c, MINUTE));
    world_run(world, 10 * MINUTE);
    assert_true(world_connected(world, a, b));
    assert_false(world_status(world, b).displaced);
}

static void a_displaced_node_comes_back_with_a_better_delegation(void **)
{
    size_t d = world_add(world, (struct world_options){.token = 2, .nat = KIND_PORT_RESTRICTED});
    world_up(world, d);
    world_run(world, 2 * MINUTE);
    assert_true(world_status(world, b).displaced);
    assert_false(world_status(world, b).retired);
    struct delegation same = world->nodes[b].config.delegation;
    assert_int_equal(
        node_set_delegation(world->nodes[b].node, world_now(world, b), &same, span_of(NULL, 0)),
        OK);
    world_drain(world, b);
    assert_true(world_status(world, b).displaced); // what displaced it still outranks it
    struct delegation fresh = world_delegation(world, b, 2, world_now(world, b).unix_time);
    assert_int_equal(
        node_set_delegation(world->nodes[b].node, world_now(world, b), &fresh, span_of(NULL, 0)),
        OK);
    world_drain(world, b);
    assert_false(world_status(world, b).displaced);
    assert_true(world_run_connected(world, a, b, 2 * MINUTE));
    world_run(world, 2 * MINUTE);
    assert_true(world_status(world, d).displaced);
}

// --- reminders -----------------------------------------------------------------------------------

static void each_reminder_comes_once(void **)
{
    const uint64_t hour_s = 3600;
    const uint64_t day_s = 24 * hour_s;
    const uint64_t at_s[] = {30 * day_s, 14 * day_s, 7 * day_s, 3 * day_s, day_s, 12 * hour_s,
        6 * hour_s, 3 * hour_s, hour_s};
    size_t reports = 0;
    for (size_t i = 0; i < sizeof at_s / sizeof at_s[0]; i++) {
        // A little before the reminder is due; the delegations are of 90 days.
        struct unix_time past = world_now(world, b).unix_time;
        past.ms -= (DELEGATION_WINDOW_DEFAULT_S - at_s[i] - 300) * 1000;
        struct delegation ending = world_delegation(world, b, 2, past);
        assert_int_equal(node_set_delegation(
                             world->nodes[b].node, world_now(world, b), &ending, span_of(NULL, 0)),
            OK);
        world_drain(world, b);
        world_run(world, 1000);
        reports += i > 0; // the one before, again: the delegation is another one
        assert_int_equal(world_reports(world, b, EVENT_DELEGATION_ENDING), reports);
        world_run(world, 10 * MINUTE);
        reports++;
        assert_int_equal(world_reports(world, b, EVENT_DELEGATION_ENDING), reports);
        const struct world_report *last = world_report(world, b, EVENT_DELEGATION_ENDING, 2, 0);
        assert_true(last->report.left_s <= at_s[i] && last->report.left_s + 330 > at_s[i]);
        assert_true(world_status(world, b).delegation_ending);
    }
    world_run(world, 60 * MINUTE);
    const struct world_report *last = world_report(world, b, EVENT_DELEGATION_ENDING, 2, 0);
    assert_int_equal(last->report.left_s, 0); // and that it has ended
    assert_int_equal(world_reports(world, b, EVENT_DELEGATION_ENDING), reports + 1);
}

// Everybody has the renewed one at once: nobody is thrown out when the old one ends.
static void a_renewal_reaches_all_at_once(void **)
{
    struct unix_time past = world_now(world, b).unix_time;
    past.ms -= (DELEGATION_WINDOW_DEFAULT_S - 60ULL) * 1000;
    world_down(world, b);
    // Its seat knows only of the one that ends; what was there before does not count.
    world_free(world);
    world = world_make(6);
    a = world_add(world, (struct world_options){.first = true});
    b = world_add(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    world->nodes[b].config.delegation = world_delegation(world, b, 2, past);
    world_up(world, a);
    world_up(world, b);
    assert_true(world_run_connected(world, a, b, 30000));
    struct delegation renewed = world_delegation(world, b, 2, world_now(world, b).unix_time);
    assert_int_equal(
        node_set_delegation(world->nodes[b].node, world_now(world, b), &renewed, span_of(NULL, 0)),
        OK);
    world_drain(world, b);
    world_run(world, 500);
    struct node_peer_status status;
    assert_true(world_peer_status(world, a, 2, &status));
    assert_int_equal(status.delegation_not_after_s, renewed.not_after_s);
    world_run(world, 3 * MINUTE);
    assert_int_equal(world_reports(world, a, EVENT_REMOVED), 0);
    assert_true(world_connected(world, a, b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_node_key_disturbs_no_tunnel, start, stop),
        cmocka_unit_test_setup_teardown(the_old_node_key_is_out, start, stop),
        cmocka_unit_test_setup_teardown(a_foreign_delegation_changes_nothing, start, stop),
        cmocka_unit_test_setup_teardown(a_new_wireguard_key_costs_a_moment, start, stop),
        cmocka_unit_test_setup_teardown(members_that_were_not_told_find_the_new_key, start, stop),
        cmocka_unit_test_setup_teardown(a_key_on_chain_is_awaited, start_access, stop),
        cmocka_unit_test_setup_teardown(
            a_key_that_never_comes_on_chain_changes_nothing, start_access, stop),
        cmocka_unit_test_setup_teardown(nor_is_an_announcement_needed, start_access, stop),
        cmocka_unit_test(the_largest_tombstone_fits),
        cmocka_unit_test_setup_teardown(a_retired_node_is_out_everywhere_at_once, start, stop),
        cmocka_unit_test_setup_teardown(a_thief_who_goes_on_stays_out, start, stop),
        cmocka_unit_test_setup_teardown(a_stranger_retires_nobody, start, stop),
        cmocka_unit_test_setup_teardown(a_stranger_displaces_no_tombstone, start, stop),
        cmocka_unit_test_setup_teardown(one_that_is_put_here_is_noticed, start, stop),
        cmocka_unit_test_setup_teardown(it_waits_for_the_chain, start, stop),
        cmocka_unit_test_setup_teardown(an_authorised_node_takes_the_seat_again, start, stop),
        cmocka_unit_test_setup_teardown(
            a_displaced_node_comes_back_with_a_better_delegation, start, stop),
        cmocka_unit_test_setup_teardown(each_reminder_comes_once, start, stop),
        cmocka_unit_test_setup_teardown(a_renewal_reaches_all_at_once, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

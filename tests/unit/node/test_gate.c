// SPDX-License-Identifier: GPL-3.0-or-later
//
// Admission: who gets onto the device and when he is taken off, whatever lies in the DHT.
#include "tests/unit/node/world.h"

#include "base/text.h"

#include "tests/unit/unit.h"

#include <sodium.h>

enum {
    STRANGER = 9,
    MINUTE = 60000,
    GRACE_MS = 5 * MINUTE,
};

static struct world *world;
static size_t a, b;

static int start(void **)
{
    world = world_make(3);
    a = world_add(world, (struct world_options){.first = true, .grace_ms = GRACE_MS});
    b = world_add(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    world_up(world, a);
    return 0;
}

static int stop(void **)
{
    world_free(world);
    return 0;
}

static void connect_both(void)
{
    world_up(world, b);
    assert_true(world_run_connected(world, a, b, 10000));
}

// Until the peer is off the device; how long that took.
static uint64_t removed_after(size_t index, size_t other, uint64_t max_ms)
{
    uint64_t since = world->now;
    while (world_on_device(world, index, other) && world->now < since + max_ms) {
        world_run(world, 100);
    }
    assert_false(world_on_device(world, index, other));
    return world->now - since;
}

static struct verdict removal_verdict(size_t index, uint64_t token)
{
    const struct world_report *report = world_report(world, index, EVENT_REMOVED, token, 0);
    assert_non_null(report);
    return report->report.verdict;
}

static void a_transfer_ends_the_tunnel(void **)
{
    connect_both();
    world_transfer(world, 2, STRANGER);
    assert_true(removed_after(a, b, MINUTE) <= 8000); // a block and a poll
    assert_int_equal(removal_verdict(a, 2).reason, REASON_OTHER_OWNER);
    world_run(world, 10 * MINUTE);
    assert_false(world_on_device(world, a, b));
    struct node_peer_status status;
    assert_true(world_peer_status(world, a, 2, &status));
    assert_int_equal(status.stage, STAGE_NOT_AUTHORISED);
    char text[GATE_VERDICT_TEXT_SIZE];
    peer_stage_text(&status, text, sizeof text);
    assert_non_null(strstr(text, "has not authorised this node"));
    // The old owner gets it back and signs anew.
    world_transfer(world, 2, 2);
    world_run(world, 10000);
    assert_false(world_on_device(world, a, b)); // what was signed before is void
    struct delegation fresh = world_delegation(world, b, 2, world_now(world, b).unix_time);
    assert_int_equal(
        node_set_delegation(world->nodes[b].node, world_now(world, b), &fresh, span_of(NULL, 0)),
        OK);
    world_drain(world, b);
    assert_true(world_run_connected(world, a, b, MINUTE));
}

static void a_burnt_token_ends_the_tunnel(void **)
{
    connect_both();
    model_set_owner(&world->model, 2, (struct eth_address){{0}});
    assert_true(removed_after(a, b, MINUTE) <= 8000);
    assert_int_equal(removal_verdict(a, 2).reason, REASON_NOT_OWNED);
}

static void an_unknown_chain_admits_nobody(void **)
{
    world_run(world, 2000);
    world->nodes[a].chain = FAULT_DEAD;
    world_run(world, MINUTE);
    world_up(world, b);
    world_run(world, MINUTE);
    assert_int_equal(world->nodes[a].sets, 0);
    struct node_peer_status status;
    assert_true(world_peer_status(world, a, 2, &status));
    assert_int_equal(status.stage, STAGE_CHAIN_UNKNOWN);
    world->nodes[a].chain = FAULT_NONE;
    assert_true(world_run_connected(world, a, b, 2 * MINUTE));
}

static void a_live_tunnel_outlasts_an_unknown_for_the_grace(void **)
{
    connect_both();
    world->grace_s = GRACE_MS / 1000;
    world->nodes[a].chain = FAULT_DEAD;
    world_run(world, GRACE_MS - 10000);
    assert_true(world_connected(world, a, b));
    uint64_t rest = removed_after(a, b, MINUTE);
    assert_in_range(rest, 1000, 45000); // readings hold for 30 s
    assert_int_equal(removal_verdict(a, 2).kind, VERDICT_UNKNOWN);
    world_run(world, MINUTE);
    assert_false(world_on_device(world, a, b));
    world->nodes[a].chain = FAULT_NONE;
    assert_true(world_run_connected(world, a, b, 3 * MINUTE));
}

static void the_grace_counts_from_the_last_yes(void **)
{
    connect_both();
    world->grace_s = GRACE_MS / 1000;
    world_run(world, GRACE_MS + 2 * MINUTE); // nothing changes, not even a record
    world->nodes[a].chain = FAULT_DEAD;
    world_run(world, GRACE_MS - 40000);
    assert_true(world_connected(world, a, b));
    (void)removed_after(a, b, 2 * MINUTE);
}

static void a_restart_renews_no_grace(void **)
{
    connect_both();
    world->grace_s = GRACE_MS / 1000;
    world->nodes[a].chain = FAULT_DEAD;
    uint64_t since = world->now;
    for (int i = 0; i < 3; i++) {
        world_run(world, MINUTE);
        world_down(world, a);
        world_run(world, 1000);
        world_up(world, a);
        assert_true(world_run_connected(world, a, b, 40000)); // from what it saved
    }
    (void)removed_after(a, b, 5 * MINUTE);
    assert_in_range(world->now - since, GRACE_MS - 10000, GRACE_MS + 35000);
    world_down(world, a);
    world_up(world, a);
    world_run(world, MINUTE);
    assert_false(world_on_device(world, a, b));
}

static void an_expired_delegation_ends_the_tunnel(void **)
{
    size_t c = world_add(world, (struct world_options){.nat = KIND_PUBLIC, .window_s = 90});
    world_up(world, c);
    uint64_t since = world->now;
    assert_true(world_run_connected(world, a, c, 10000));
    (void)removed_after(a, c, 3 * MINUTE);
    assert_in_range(world->now - since, 85000, 95000); // without grace
    assert_int_equal(removal_verdict(a, 3).reason, REASON_EXPIRED);
    assert_non_null(world_report(world, c, EVENT_DELEGATION_ENDING, 3, 0));
}

// A record of token 2, by a node key of its own, with the delegation of `wallet`.
struct crafted {
    uint8_t bytes[RECORD_MAX_SIZE];
    size_t size;
    uint64_t value_id;
};

static struct record draft(uint8_t identity, uint8_t wallet, struct node_secret *ret_secret)
{
    struct world_node *node = &world->nodes[b];
    struct record record = {.token = world_token(world, b),
        .wg_key = {{identity}},
        .sequence = world_now(world, b).unix_time.ms,
        .boot = identity,
        .not_after_s = world_now(world, b).unix_time.ms / 1000 + 1200,
        .nat_class = NAT_EASY};
    record.candidates.count = 1;
    record.candidates.list[0] = (struct candidate){.kind = CANDIDATE_REFLEXIVE,
        .address = address_of_ipv4(198, 51, 100, identity, WG_PORT_OF_ALL)};
    uint8_t seed[32] = {identity, 99};
    assert_int_equal(crypto_sign_seed_keypair(record.node_key.bytes, ret_secret->bytes, seed), 0);
    struct node_secret own = node->config.node_secret;
    node->config.node_secret = *ret_secret;
    record.delegation = world_delegation(world, b, wallet, world_now(world, b).unix_time);
    node->config.node_secret = own;
    return record;
}

static struct crafted encode(const struct record *record, const struct node_secret *secret)
{
    struct network network = model_network();
    struct network_keys keys = network_keys_of(&network, NULL);
    struct crafted crafted = {.value_id = value_id_of_record(&record->node_key)};
    assert_int_equal(record_encode(&keys, secret, record, crafted.bytes, &crafted.size), OK);
    return crafted;
}

static void store(const struct crafted *crafted)
{
    struct dht_key key = world_record_key(world, 2);
    world_dht_store(world, &key, crafted->value_id, span_of(crafted->bytes, crafted->size));
}

// Forty well-signed records by wallets that do not own the token, all of a later epoch.
static void store_forty(void)
{
    for (uint8_t i = 0; i < 40; i++) {
        struct node_secret secret;
        struct record record = draft((uint8_t)(10 + i), STRANGER, &secret);
        record.delegation.epoch_s += 1800;
        struct network network = model_network();
        struct eth_secret wallet = model_secret(STRANGER);
        assert_int_equal(delegation_sign(&record.delegation, &network, &wallet), OK);
        struct crafted crafted = encode(&record, &secret);
        store(&crafted);
    }
}

static void strangers_records_shadow_nothing(void **)
{
    store_forty();
    world_up(world, b);
    assert_true(world_run_connected(world, a, b, 3000));
    assert_int_equal(world_status(world, a).counters.peers_admitted, 1);
    assert_true(world_status(world, a).counters.records_refused > 0);
}

// The chain is slow, and the good record comes first: none of the later epochs may take its place.
static void nor_while_the_chain_is_not_read_yet(void **)
{
    world_up(world, b);
    world_run(world, 3000);
    store_forty();
    world_down(world, a);
    world->nodes[a].saved_size = 0;
    world->nodes[a].chain = FAULT_SILENT;
    world->nodes[b].dht_cut = true; // no help by intents
    world->nodes[b].cut = true;
    uint64_t sets = world->nodes[a].sets;
    world_up(world, a);
    struct token_id token = token_id_of_u64(2);
    assert_int_equal(node_want_peer(world->nodes[a].node, world_now(world, a), &token), OK);
    node_on_dht_nodes(world->nodes[a].node, world_now(world, a), 1);
    world_drain(world, a);
    world_run(world, 3000);
    assert_int_equal(world->nodes[a].sets, sets);
    world->nodes[a].chain = FAULT_NONE;
    world_run(world, 12000);
    assert_true(world_on_device(world, a, b));
}

// The owner is known from before: what waits by his delegation keeps its place.
static void nor_what_the_last_owner_signed(void **)
{
    connect_both();
    store_forty();
    world_down(world, a);
    world->nodes[a].config.gate.grace_ms = 0;
    world->nodes[a].chain = FAULT_SILENT;
    world->nodes[b].cut = true;
    world_up(world, a);
    node_on_dht_nodes(world->nodes[a].node, world_now(world, a), 1);
    world_drain(world, a);
    world_run(world, 3000);
    assert_false(world_on_device(world, a, b));
    world->nodes[a].dht_cut = true; // it has what it has
    world->nodes[a].chain = FAULT_NONE;
    world_run(world, 30000);
    assert_true(world_on_device(world, a, b));
}

static void bad_records_are_dropped(void **)
{
    world_run(world, 2000);
    struct token_id token = token_id_of_u64(2);
    assert_int_equal(node_want_peer(world->nodes[a].node, world_now(world, a), &token), OK);
    node_on_dht_nodes(world->nodes[a].node, world_now(world, a), 1);
    world_drain(world, a);
    world_run(world, 1000);
    struct node_secret secret;
    const struct record good = draft(10, 2, &secret);
    struct crafted bad[8];
    size_t count = 0;
    struct record record = good;
    record.not_after_s -= 1201; // expired
    bad[count++] = encode(&record, &secret);
    record.not_after_s += 3600; // outlives itself
    bad[count++] = encode(&record, &secret);
    record = good;
    record.token = token_id_of_u64(1);
    record.delegation.token = record.token;
    bad[count++] = encode(&record, &secret); // of another token
    bad[count] = encode(&good, &secret);
    bad[count].bytes[bad[count].size - 1] ^= 1; // forged
    count++;
    bad[count] = encode(&good, &secret);
    bad[count].size -= 1; // cut
    count++;
    for (size_t i = 0; i < count; i++) {
        bad[i].value_id = 1000 + i;
        uint64_t malformed = world_status(world, a).counters.records_malformed;
        store(&bad[i]);
        world_run(world, 100);
        assert_true(world_status(world, a).counters.records_malformed > malformed);
        assert_int_equal(world->nodes[a].sets, 0);
    }
    struct crafted fine = encode(&good, &secret);
    store(&fine);
    world_run(world, 1000);
    assert_int_equal(world->nodes[a].sets, 1);
}

static void an_older_record_changes_nothing(void **)
{
    connect_both();
    struct dht_key key = world_record_key(world, 2);
    struct world_value *value = world_dht_find(
        world, &key, value_id_of_record(&world->nodes[b].config.delegation.node_key));
    assert_non_null(value);
    struct crafted old = {.size = value->size, .value_id = 77};
    memcpy(old.bytes, value->bytes, value->size);
    world_run(world, 20 * MINUTE); // refreshed several times
    assert_true(world_connected(world, a, b));
    // Told inside the tunnel, by the peer itself.
    struct message hello = {.kind = MESSAGE_HELLO, .record = span_of(old.bytes, old.size)};
    uint8_t bytes[MESSAGE_MAX_SIZE];
    struct writer writer = writer_of(bytes, sizeof bytes);
    assert_int_equal(message_encode(&hello, &writer), OK);
    struct node_peer_status status;
    assert_true(world_peer_status(world, a, 2, &status));
    struct node_counters before = world_status(world, a).counters;
    node_on_member_message(
        world->nodes[a].node, world_now(world, a), &status.ipv6, writer_written(&writer));
    world_drain(world, a);
    struct node_counters after = world_status(world, a).counters;
    assert_int_equal(after.records_accepted, before.records_accepted);
    assert_true(world_connected(world, a, b));
}

static void a_tombstone_retires_the_node(void **)
{
    connect_both();
    world_run(world, 5000);
    struct record record = {.token = world_token(world, b)};
    struct eth_address owner = model_address(2);
    struct node_key none = {{0}};
    record.delegation = delegation_draft(
        &record.token, &owner, &none, world_now(world, b).unix_time, DELEGATION_WINDOW_DEFAULT_S);
    struct network network = model_network();
    struct eth_secret wallet = model_secret(2);
    assert_int_equal(delegation_sign(&record.delegation, &network, &wallet), OK);
    struct crafted tombstone = encode(&record, NULL);
    tombstone.value_id = value_id_of_bytes(span_of(tombstone.bytes, tombstone.size));
    store(&tombstone);
    (void)removed_after(a, b, 5 * MINUTE);
    assert_int_equal(removal_verdict(a, 2).reason, REASON_TOMBSTONE);
    world_run(world, 2 * MINUTE);
    assert_int_equal(world_status(world, b).verdict.reason, REASON_TOMBSTONE); // it knows, too
    assert_false(world_on_device(world, a, b));
    // A newer delegation takes the seat again.
    struct delegation fresh = world_delegation(world, b, 2, world_now(world, b).unix_time);
    assert_int_equal(
        node_set_delegation(world->nodes[b].node, world_now(world, b), &fresh, span_of(NULL, 0)),
        OK);
    world_drain(world, b);
    assert_true(world_run_connected(world, a, b, 2 * MINUTE));
}

// With the contract of the access kind: the flag and the key that it stores.
static void a_revoked_access_ends_the_tunnel(void **)
{
    world_kill(world, a);
    world->model.has_access = true;
    for (size_t i = 0; i < 2; i++) {
        world->nodes[i].config.gate.profile = PROFILE_DSTACK_ACCESS;
        char *text = model_token(&world->model, i + 1)->key;
        wg_key_format(&world->wg_keys[i], text);
    }
    world_up(world, a);
    connect_both();
    model_token(&world->model, 2)->active = false;
    assert_true(removed_after(a, b, MINUTE) <= 8000);
    assert_int_equal(removal_verdict(a, 2).reason, REASON_NOT_ACTIVE);
    model_token(&world->model, 2)->active = true;
    assert_true(world_run_connected(world, a, b, 2 * MINUTE));
    wg_key_format(&world->wg_keys[0], model_token(&world->model, 2)->key);
    assert_true(removed_after(a, b, MINUTE) <= 8000);
    assert_int_equal(removal_verdict(a, 2).reason, REASON_KEY_MISMATCH);
}

static void one_lying_provider_of_three_changes_nothing(void **)
{
    connect_both();
    world->model.providers[1].lies = true;
    world->model.providers[1].lie = model_address(STRANGER);
    world_run(world, 5 * MINUTE);
    assert_true(world_connected(world, a, b));
    world->model.providers[1].lie = (struct eth_address){{0}};
    world_run(world, 5 * MINUTE);
    assert_true(world_connected(world, a, b));
    assert_int_equal(world_reports(world, a, EVENT_REMOVED), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_transfer_ends_the_tunnel, start, stop),
        cmocka_unit_test_setup_teardown(a_burnt_token_ends_the_tunnel, start, stop),
        cmocka_unit_test_setup_teardown(an_unknown_chain_admits_nobody, start, stop),
        cmocka_unit_test_setup_teardown(
            a_live_tunnel_outlasts_an_unknown_for_the_grace, start, stop),
        cmocka_unit_test_setup_teardown(the_grace_counts_from_the_last_yes, start, stop),
        cmocka_unit_test_setup_teardown(a_restart_renews_no_grace, start, stop),
        cmocka_unit_test_setup_teardown(an_expired_delegation_ends_the_tunnel, start, stop),
        cmocka_unit_test_setup_teardown(strangers_records_shadow_nothing, start, stop),
        cmocka_unit_test_setup_teardown(nor_while_the_chain_is_not_read_yet, start, stop),
        cmocka_unit_test_setup_teardown(nor_what_the_last_owner_signed, start, stop),
        cmocka_unit_test_setup_teardown(bad_records_are_dropped, start, stop),
        cmocka_unit_test_setup_teardown(an_older_record_changes_nothing, start, stop),
        cmocka_unit_test_setup_teardown(a_tombstone_retires_the_node, start, stop),
        cmocka_unit_test_setup_teardown(a_revoked_access_ends_the_tunnel, start, stop),
        cmocka_unit_test_setup_teardown(one_lying_provider_of_three_changes_nothing, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

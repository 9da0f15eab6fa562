// SPDX-License-Identifier: GPL-3.0-or-later
//
// Who is dealt with: members found on chain, hints, knocking strangers, and what fills up.
#include "tests/unit/node/world.h"

#include "tests/unit/unit.h"

#include <sodium.h>

enum {
    STRANGER = 9,
    MINUTE = 60000,
};

static struct world *world;

static int start(void **)
{
    world = world_make(4);
    return 0;
}

static int stop(void **)
{
    world_free(world);
    return 0;
}

static enum status want(size_t index, uint64_t token)
{
    struct token_id id = token_id_of_u64(token);
    enum status status = node_want_peer(world->nodes[index].node, world_now(world, index), &id);
    world_drain(world, index);
    return status;
}

static void a_large_mesh_connects_on_demand(void **)
{
    for (uint64_t i = 1; i <= 10; i++) {
        world_transfer(world, i, (uint8_t)i);
    }
    for (size_t i = 0; i < 4; i++) {
        (void)world_join(world, (struct world_options){.first = i == 0, .mesh_max = 3});
        world_run(world, 1000);
    }
    world_run(world, 2 * MINUTE);
    struct node_status status = world_status(world, 3);
    assert_true(status.on_demand);
    assert_int_equal(status.members, 9);
    assert_int_equal(status.peers, 0);       // nobody knocks at the members that were found first
    assert_int_equal(want(3, 4), ERR_RANGE); // itself
    for (uint64_t token = 1; token <= 3; token++) {
        assert_int_equal(want(3, token), OK);
        assert_true(world_run_connected(world, 3, (size_t)token - 1, 10000));
    }
}

static void a_full_table_makes_room_for_who_is_wanted(void **)
{
    for (uint64_t i = 1; i <= 10; i++) {
        world_transfer(world, i, (uint8_t)i);
    }
    size_t a = world_join(world, (struct world_options){.first = true, .peers = 4});
    size_t b = world_add(world, (struct world_options){.token = 10, .nat = KIND_PUBLIC});
    world_run(world, MINUTE);
    assert_int_equal(world_status(world, a).peers, 4); // none of them has a node
    world_up(world, b);
    assert_int_equal(want(a, 10), OK);
    assert_true(world_run_connected(world, a, b, 10000));
    // Who is connected yields to nobody.
    for (uint64_t token = 3; token < 10; token++) {
        assert_int_equal(want(a, token), OK);
    }
    assert_true(world_connected(world, a, b));
    assert_int_equal(world_status(world, a).peers, 4);
}

static void connected_peers_fill_the_table(void **)
{
    size_t a = world_join(world, (struct world_options){.first = true, .peers = 1});
    size_t b = world_join(world, (struct world_options){.nat = KIND_PUBLIC});
    assert_true(world_run_connected(world, a, b, 10000));
    assert_int_equal(want(a, 9), ERR_FULL);
    assert_true(world_connected(world, a, b));
}

// Sixty-four searches begin at once: what does not fit into one input's effects comes after.
static void a_large_table_loses_no_effect(void **)
{
    for (uint64_t i = 1; i <= 64; i++) {
        world_transfer(world, i, (uint8_t)i);
    }
    (void)world_join(world, (struct world_options){.first = true});
    size_t b = world_add(world, (struct world_options){.peers = 64, .members = 128});
    world->nodes[0].dht_cut = true;
    world_up(world, b);
    world_run(world, MINUTE);
    assert_int_equal(world_status(world, b).peers, 63);
    assert_int_equal(world->nodes[b].gets, 0);
    world->nodes[0].dht_cut = false; // joined only now
    world_run(world, 10000);
    assert_true(world->nodes[b].gets >= 63);
    assert_in_range(world->nodes[b].listens, 32, 128);
    assert_int_equal(world_status(world, b).effects_dropped, 0);
    world_down(world, b);
    uint64_t gets = world->nodes[b].gets;
    world_up(world, b); // all owners are read in one go
    world_run(world, 10000);
    assert_true(world->nodes[b].gets > gets);
    assert_int_equal(world_status(world, b).effects_dropped, 0);
}

// A hello of `from` to `to` that names the tokens `first` to `first + 19`.
static void hint(size_t to, size_t from, uint64_t first)
{
    struct message hello = {.kind = MESSAGE_HELLO, .token_count = MESSAGE_TOKENS_MAX};
    for (size_t i = 0; i < MESSAGE_TOKENS_MAX; i++) {
        hello.tokens[i] = token_id_of_u64(first + i);
    }
    uint8_t bytes[MESSAGE_MAX_SIZE];
    struct writer writer = writer_of(bytes, sizeof bytes);
    assert_int_equal(message_encode(&hello, &writer), OK);
    struct node_peer_status status;
    assert_true(world_peer_status(world, to, world->nodes[from].options.token, &status));
    node_on_member_message(
        world->nodes[to].node, world_now(world, to), &status.ipv6, writer_written(&writer));
    world_drain(world, to);
}

static void inventions_of_a_member_displace_nothing(void **)
{
    size_t a =
        world_join(world, (struct world_options){.first = true, .mesh_max = 8, .members = 32});
    size_t b = world_join(world, (struct world_options){.nat = KIND_PUBLIC});
    assert_true(world_run_connected(world, a, b, 5000));
    for (uint64_t i = 0; i < 10; i++) {
        hint(a, b, 1000000 + 20 * i);
        world_run(world, 5000);
    }
    struct node_status status = world_status(world, a);
    assert_true(status.members <= 32);
    assert_false(status.on_demand);
    assert_true(world_connected(world, a, b));
    // A token that appears on chain is dealt with as ever.
    size_t c = world_join(world, (struct world_options){.nat = KIND_PUBLIC});
    assert_true(world_run_connected(world, a, c, 30000));
    assert_true(world_status(world, a).peers <= 3);
}

// Not enumerable, and beyond the gap: only a hint can name them to each other.
static void a_true_hint_is_followed(void **)
{
    world->model.enumerable = false;
    size_t a = world_join(world, (struct world_options){.first = true});
    size_t c = world_join(
        world, (struct world_options){.nat = KIND_PORT_RESTRICTED, .token = 5000000, .wallet = 5});
    assert_true(world_run_connected(world, a, c, 10000));
    size_t d = world_join(
        world, (struct world_options){.nat = KIND_PORT_RESTRICTED, .token = 6000000, .wallet = 6});
    assert_true(world_run_connected(world, a, d, 10000));
    assert_true(world_run_connected(world, c, d, MINUTE));
}

// An intent for `to` by a node of its own making that claims `token`.
static size_t make_intent(size_t to, uint64_t token, uint8_t identity, uint64_t nonce,
    uint8_t ret[static INTENT_MAX_SIZE])
{
    struct network network = model_network();
    struct network_keys keys = network_keys_of(&network, NULL);
    struct intent intent = {.sender = token_id_of_u64(token),
        .recipient = world_token(world, to),
        .sent_at = world_now(world, to).unix_time,
        .nat_class = NAT_EASY,
        .sequence = 1};
    memcpy(intent.nonce.bytes, &nonce, sizeof nonce);
    intent.candidates.count = 1;
    intent.candidates.list[0] = (struct candidate){.kind = CANDIDATE_REFLEXIVE,
        .address = address_of_ipv4(198, 51, 100, identity, WG_PORT_OF_ALL)};
    struct node_secret secret;
    uint8_t seed[32] = {identity, 77};
    assert_int_equal(crypto_sign_seed_keypair(intent.sender_key.bytes, secret.bytes, seed), 0);
    struct rng rng;
    rng_seed(&rng, seed);
    size_t size = 0;
    assert_int_equal(intent_encode(&keys, &secret, &world->nodes[to].config.delegation.node_key,
                         &intent, &rng, ret, &size),
        OK);
    return size;
}

static void knock(size_t to, uint64_t token, uint8_t identity, uint64_t nonce)
{
    uint8_t bytes[INTENT_MAX_SIZE];
    size_t size = make_intent(to, token, identity, nonce, bytes);
    uint8_t framed[STUN_MESSAGE_MAX];
    struct writer writer = writer_of(framed, sizeof framed);
    struct stun_transaction transaction = {{identity}};
    assert_int_equal(
        stun_encode_intent(&writer, &transaction, span_of(NULL, 0), span_of(bytes, size)), OK);
    struct address from = address_of_ipv4(198, 51, 100, identity, WG_PORT_OF_ALL);
    world_datagram(world, to, NODE_PORT_WG, &from, writer_written(&writer));
}

static void knocking_is_bounded_and_forgotten(void **)
{
    size_t a = world_join(world, (struct world_options){.first = true});
    world_run(world, 2000);
    for (uint8_t i = 0; i < 12; i++) {
        knock(a, 700 + i, (uint8_t)(20 + i), i);
        world_run(world, 600);
    }
    struct node_status status = world_status(world, a);
    assert_int_equal(status.peers, 4);
    assert_true(status.counters.intents_over_budget >= 8);
    assert_int_equal(status.counters.intents_accepted, 0);
    world_run(world, 2 * MINUTE);
    assert_int_equal(world_status(world, a).peers, 0);
    // Whoever has a seat comes in meanwhile: its token is found on chain, within a minute.
    for (uint8_t i = 0; i < 4; i++) {
        knock(a, 800 + i, (uint8_t)(40 + i), i);
    }
    size_t b = world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    assert_true(world_run_connected(world, a, b, MINUTE + 10000));
}

// With an owned token, and a record that the chain says no to: not one packet to the addresses
// that the intent names.
static void nothing_is_sent_before_the_gates_yes(void **)
{
    world_transfer(world, 2, 2);
    size_t a = world_join(world, (struct world_options){.first = true});
    size_t c = world_add(world, (struct world_options){.token = 2, .wallet = STRANGER});
    world->nodes[c].options.insist = true;
    world->nodes[c].config.insist = true;
    world->nodes[a].chain = FAULT_SILENT;
    world_up(world, c);
    world_run(world, MINUTE);
    assert_true(world_status(world, c).counters.intents_sent > 0);
    assert_int_equal(world_status(world, a).counters.intents_accepted, 0);
    world->nodes[a].chain = FAULT_NONE;
    world_run(world, MINUTE);
    assert_int_equal(world_status(world, a).counters.intents_accepted, 0);
    assert_int_equal(world_status(world, a).counters.intents_sent, 0);
    assert_int_equal(world->nodes[a].sets, 0);
    // What went to its host are answers of the reflector, no more than it asked for.
    assert_int_equal(world->nodes[a].sent_to[c], world_status(world, a).counters.reflected);
}

static void a_replayed_intent_is_dropped(void **)
{
    size_t a = world_join(world, (struct world_options){.first = true});
    world_run(world, 2000);
    knock(a, 700, 20, 1);
    uint64_t replayed = world_status(world, a).counters.intents_replayed;
    knock(a, 700, 20, 1);
    knock(a, 700, 20, 1);
    assert_int_equal(world_status(world, a).counters.intents_replayed, replayed + 2);
    uint64_t malformed = world_status(world, a).counters.intents_malformed;
    world->nodes[a].skew_ms = 200000; // out of its window by now... as its own clock says
    uint8_t junk[64] = {0};
    struct dht_key key = world_inbox_key(world, 1);
    world_dht_store(world, &key, 5, span_of(junk, sizeof junk));
    world_run(world, 1000);
    assert_int_equal(world_status(world, a).counters.intents_malformed, malformed + 1);
}

static void a_flooded_inbox_is_read_now_and_then(void **)
{
    size_t a = world_join(world, (struct world_options){.first = true});
    size_t b = world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    assert_true(world_run_connected(world, a, b, 10000));
    struct dht_key key = world_inbox_key(world, 1);
    uint64_t listens = world->nodes[a].listens;
    struct node_counters before = world_status(world, a).counters;
    for (uint64_t i = 0; i < 200; i++) {
        uint8_t bytes[INTENT_MAX_SIZE];
        size_t size = make_intent(a, 5000 + i, (uint8_t)(i + 1), i, bytes);
        world_dht_store(world, &key, 10000 + i, span_of(bytes, size));
        world_run(world, 20);
    }
    world_run(world, 5 * MINUTE);
    struct node_counters after = world_status(world, a).counters;
    // 50 values a minute are looked at, of these 20 and then 2 a second by strangers opened.
    assert_true(after.intents_over_budget > before.intents_over_budget + 100);
    assert_int_equal(world->nodes[a].listens, listens); // not resumed
    assert_true(world_status(world, a).peers <= 5);
    assert_true(world_connected(world, a, b));
    // Members still get through: by the get.
    world_run(world, 10 * MINUTE); // the values are gone
    assert_true(world->nodes[a].listens > listens);
    uint64_t malformed = world_status(world, a).counters.intents_malformed;
    uint8_t junk[64] = {0};
    world_dht_store(world, &key, 5, span_of(junk, sizeof junk));
    world_run(world, 1000);
    assert_int_equal(world_status(world, a).counters.intents_malformed, malformed + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_large_mesh_connects_on_demand, start, stop),
        cmocka_unit_test_setup_teardown(a_full_table_makes_room_for_who_is_wanted, start, stop),
        cmocka_unit_test_setup_teardown(connected_peers_fill_the_table, start, stop),
        cmocka_unit_test_setup_teardown(a_large_table_loses_no_effect, start, stop),
        cmocka_unit_test_setup_teardown(inventions_of_a_member_displace_nothing, start, stop),
        cmocka_unit_test_setup_teardown(a_true_hint_is_followed, start, stop),
        cmocka_unit_test_setup_teardown(knocking_is_bounded_and_forgotten, start, stop),
        cmocka_unit_test_setup_teardown(nothing_is_sent_before_the_gates_yes, start, stop),
        cmocka_unit_test_setup_teardown(a_replayed_intent_is_dropped, start, stop),
        cmocka_unit_test_setup_teardown(a_flooded_inbox_is_read_now_and_then, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

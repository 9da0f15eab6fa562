// SPDX-License-Identifier: GPL-3.0-or-later
//
// What a person is told: which stage a peer has reached and what is missing, and what the questions
// to a node answer when there is nothing to say.
#include "tests/unit/node/world.h"

#include "tests/unit/unit.h"

static struct world *world;

static int start(void **)
{
    world = world_make(6);
    return 0;
}

static int stop(void **)
{
    world_free(world);
    return 0;
}

static void assert_stage(size_t index, uint64_t token, enum peer_stage stage, const char *text)
{
    struct node_peer_status status;
    char line[GATE_VERDICT_TEXT_SIZE];
    assert_true(world_peer_status(world, index, token, &status));
    peer_stage_text(&status, line, sizeof line);
    assert_string_equal(peer_stage_name(status.stage), peer_stage_name(stage));
    if (strstr(line, text) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", line, text);
    }
}

static void every_stage_has_its_words(void **)
{
    world_transfer(world, 3, 3);
    size_t a = world_join(world, (struct world_options){.first = true});
    world_run(world, 3000);
    assert_stage(a, 3, STAGE_NO_RECORD, "its node is down or has not joined");
    size_t b = world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    assert_true(world_run_connected(world, a, b, 10000));
    assert_stage(a, 2, STAGE_CONNECTED, "");
    assert_stage(b, 1, STAGE_CONNECTED, path_note_text(PATH_NOTE_OWN_SINGLE_REFLECTOR));
    size_t c =
        world_join(world, (struct world_options){.nat = KIND_PUBLIC, .wallet = 9, .insist = true});
    world_run(world, 10000);
    assert_stage(a, 3, STAGE_NOT_AUTHORISED, "token 3: its owner 0x");
    world->nodes[b].chain = FAULT_DEAD;
    size_t d =
        world_join(world, (struct world_options){.nat = KIND_PUBLIC, .token = 40, .wallet = 4});
    world_run(world, 2000);
    struct token_id token = world_token(world, d);
    assert_int_equal(node_want_peer(world->nodes[b].node, world_now(world, b), &token), OK);
    world_drain(world, b);
    world_run(world, 2000);
    assert_stage(b, 40, STAGE_CHAIN_UNKNOWN, "token 40: ");
    (void)c;
}

static void a_path_that_fails_says_why(void **)
{
    size_t a = world_join(world, (struct world_options){.first = true});
    world_run(world, 2000);
    size_t b = world_add(world, (struct world_options){.nat = KIND_PUBLIC});
    world->nodes[b].cut = true; // it has the DHT, and its firewall lets nothing else through
    world_up(world, b);
    world_run(world, 3000);
    assert_stage(a, 2, STAGE_NO_PATH, "looking for a path");
    world_run(world, 30000);
    assert_stage(a, 2, STAGE_NO_PATH, path_why_text(PATH_WHY_NO_ANSWER));
    struct node_peer_status status;
    assert_true(world_peer_status(world, a, 2, &status));
    assert_int_equal(status.path, PATH_BACKOFF);
}

static void a_missing_handshake_is_named_and_renewed(void **)
{
    size_t a = world_join(world, (struct world_options){.first = true});
    world_run(world, 2000);
    size_t b = world_add(world, (struct world_options){.nat = KIND_PUBLIC});
    world->nodes[b].mute = true; // as with a clock that was set back
    world_up(world, b);
    world_run(world, 10000);
    assert_stage(a, 2, STAGE_NO_HANDSHAKE, "waiting for WireGuard's handshake");
    uint64_t removes = world->nodes[a].removes;
    uint64_t sets = world->nodes[a].sets;
    world_run(world, 40000);
    assert_true(world->nodes[a].removes > removes);
    assert_true(world->nodes[a].sets > sets);
    world->nodes[b].mute = false;
    assert_true(world_run_connected(world, a, b, 120000));
}

static void questions_have_answers(void **)
{
    size_t a = world_join(world, (struct world_options){.first = true});
    size_t b = world_join(world, (struct world_options){.nat = KIND_PORT_RESTRICTED});
    const uint8_t payload[MESSAGE_PING_SIZE] = {1, 2, 3};
    struct node *node = world->nodes[a].node;
    struct token_id token = token_id_of_u64(99);
    assert_int_equal(node_ping(node, world_now(world, a), &token, payload), ERR_NOT_FOUND);
    assert_int_equal(node_want_peer(node, world_now(world, a), &token), OK);
    world_drain(world, a);
    assert_int_equal(node_ping(node, world_now(world, a), &token, payload), ERR_UNREACHABLE);
    assert_true(world_run_connected(world, a, b, 10000));
    token = world_token(world, b);
    assert_int_equal(node_ping(node, world_now(world, a), &token, payload), OK);
    world_drain(world, a);
    world_run(world, 200);
    assert_int_equal(world->nodes[a].pongs, 1);
    struct node_status status = world_status(world, a);
    assert_int_equal(status.connected, 1);
    assert_int_equal(status.members, 1);
    assert_true(status.published && !status.displaced && !status.on_demand);
    assert_int_equal(status.trust.level, TRUST_QUORUM);
    assert_int_equal(status.verdict.kind, VERDICT_YES);
    struct token_id member;
    assert_true(node_member(node, 0, &member) && token_id_equal(&member, &token));
    assert_false(node_member(node, 1, &member));
    struct node_peer_status peer;
    assert_true(node_peer_status(node, world_now(world, a), 0, &peer));
    assert_false(node_peer_status(node, world_now(world, a), 9, &peer));
}

static void a_record_is_judged_without_a_peer(void **)
{
    world->model.enumerable = false;
    for (size_t i = 0; i < MODEL_PROVIDERS_MAX; i++) {
        world->model.providers[i].no_logs = true; // nor Transfer logs to find the token by
    }
    size_t a = world_join(world, (struct world_options){.first = true});
    world_transfer(world, 500, 5);
    size_t b = world_add(world, (struct world_options){.token = 500, .wallet = 5});
    world_run(world, 2000);
    struct record record = {.token = world_token(world, b),
        .node_key = world->nodes[b].config.delegation.node_key,
        .wg_key = world->wg_keys[b],
        .sequence = 1,
        .delegation = world->nodes[b].config.delegation};
    struct node *node = world->nodes[a].node;
    assert_int_equal(node_check_record(node, world_now(world, a), &record).kind, VERDICT_UNKNOWN);
    world_drain(world, a);
    world_run(world, 1000);
    assert_int_equal(node_check_record(node, world_now(world, a), &record).kind, VERDICT_YES);
    assert_int_equal(world->nodes[a].sets, 0);
}

static void what_belongs_to_nothing_is_counted(void **)
{
    size_t a = world_join(world, (struct world_options){.first = true});
    world_run(world, 2000);
    struct node *node = world->nodes[a].node;
    struct now now = world_now(world, a);
    const uint8_t junk[40] = {1};
    struct address from = address_of_ipv4(198, 51, 100, 1, 4000);
    uint64_t malformed = world_status(world, a).counters.datagrams_malformed;
    world_datagram(world, a, NODE_PORT_WG, &from, span_of(junk, sizeof junk));
    assert_int_equal(world_status(world, a).counters.datagrams_malformed, malformed + 1);
    uint64_t stale = world_status(world, a).counters.answers_stale;
    node_on_dht_value(node, now, 0, span_of(junk, sizeof junk));
    node_on_dht_value(node, now, 987654321, span_of(junk, sizeof junk));
    node_on_dht_done(node, now, 0, true);
    node_on_dht_done(node, now, 987654321, true);
    assert_int_equal(world_status(world, a).counters.answers_stale, stale + 2);
    uint64_t unknown = world_status(world, a).counters.messages_unknown;
    node_on_member_message(node, now, &from, span_of(junk, sizeof junk));
    assert_int_equal(world_status(world, a).counters.messages_unknown, unknown + 1);
    struct rpc_reply reply = {.outcome = RPC_UNREACHABLE};
    node_on_chain_reply(node, now, 987654321, &reply);
    node_on_device(node, now, NULL, 0);
    world_drain(world, a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_stage_has_its_words, start, stop),
        cmocka_unit_test_setup_teardown(a_path_that_fails_says_why, start, stop),
        cmocka_unit_test_setup_teardown(a_missing_handshake_is_named_and_renewed, start, stop),
        cmocka_unit_test_setup_teardown(questions_have_answers, start, stop),
        cmocka_unit_test_setup_teardown(a_record_is_judged_without_a_peer, start, stop),
        cmocka_unit_test_setup_teardown(what_belongs_to_nothing_is_counted, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

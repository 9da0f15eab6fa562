// SPDX-License-Identifier: GPL-3.0-or-later
//
// Seats of contract wallets: signatures in pieces beside the record, wallets that change their
// mind, and claims that strangers make up.
#include "dht/piece.h"
#include "tests/unit/node/world.h"

#include "tests/unit/unit.h"

#include <sodium.h>

enum {
    SECOND = 1000,
    MINUTE = 60 * SECOND,
    VAULT = 0x51,
    TOKEN = 2,
};

static struct world *world;
static size_t a;
static size_t b;
static uint8_t signature[MODEL_SIGNATURE_MAX];

// The delegation of `index`'s seat by the wallet, with `count` of its owners' signatures.
static struct delegation by_wallet(size_t index, size_t count, uint8_t ret[MODEL_SIGNATURE_MAX])
{
    const struct model_wallet *wallet = &world->model.wallets[0];
    const struct node_config *config = &world->nodes[index].config;
    struct token_id token = world_token(world, index);
    struct node_key key;
    memcpy(key.bytes, config->node_secret.bytes + 32, sizeof key.bytes);
    struct delegation delegation = delegation_draft(&token, &wallet->address, &key,
        world_now(world, index).unix_time, DELEGATION_WINDOW_DEFAULT_S);
    size_t size = model_wallet_sign(wallet, &delegation, 0, count, ret);
    struct pieces pieces;
    pieces_cut(span_of(ret, size), &pieces);
    delegation.kind = DELEGATION_EIP1271_HASHED;
    delegation.hashed_size = (uint16_t)size;
    delegation.signature_size = sizeof pieces.root.bytes;
    memcpy(delegation.signature, pieces.root.bytes, sizeof pieces.root.bytes);
    return delegation;
}

static void set_up(uint8_t owners, uint8_t threshold)
{
    world = world_make(7);
    model_add_wallet(&world->model, VAULT, owners, threshold);
    model_set_owner(&world->model, TOKEN, world->model.wallets[0].address);
    a = world_join(world, (struct world_options){.first = true, .wallets = 8});
    b = world_add(world, (struct world_options){.token = TOKEN, .wallets = 8});
    struct node_config *config = &world->nodes[b].config;
    config->delegation = by_wallet(b, threshold, signature);
    config->signature = span_of(signature, config->delegation.hashed_size);
}

static int stop(void **)
{
    world_free(world);
    return 0;
}

static bool is_piece(const struct world_value *value)
{
    struct dht_key key = key_of_piece(span_of(value->bytes, value->size));
    return value->used && value->expires > world->now && dht_key_equal(&key, &value->key);
}

static size_t count_pieces(void)
{
    size_t count = 0;
    for (size_t i = 0; i < WORLD_VALUES_MAX; i++) {
        count += is_piece(&world->values[i]) ? 1 : 0;
    }
    return count;
}

static void lose_pieces(void)
{
    for (size_t i = 0; i < WORLD_VALUES_MAX; i++) {
        world->values[i].used = world->values[i].used && !is_piece(&world->values[i]);
    }
}

static void a_wallets_node_is_a_member(uint8_t owners, uint8_t threshold, size_t pieces)
{
    set_up(owners, threshold);
    world_up(world, b);
    assert_true(world_run_connected(world, a, b, 20 * SECOND));
    assert_int_equal(count_pieces(), pieces);
    assert_int_equal(world_status(world, b).verdict.kind, VERDICT_YES);
    world_run(world, 30 * MINUTE); // its pieces live on, its word is asked for again and again
    assert_true(world_connected(world, a, b));
    assert_int_equal(count_pieces(), pieces);
    assert_int_equal(world_reports(world, a, EVENT_REMOVED), 0);
    assert_int_equal(world_reports(world, b, EVENT_SELF_VERDICT), 1);
}

static void two_of_three(void **)
{
    a_wallets_node_is_a_member(3, 2, 1);
}

static void nine_of_twelve(void **)
{
    a_wallets_node_is_a_member(12, 9, 3);
}

static void new_owners_of_the_wallet_end_it(void **)
{
    set_up(3, 2);
    world_up(world, b);
    assert_true(world_run_connected(world, a, b, 20 * SECOND));
    world_run(world, 5 * MINUTE);
    world->model.wallets[0].owners[0] = 90;
    uint64_t changed = world->now;
    world_run(world, 31 * SECOND);
    assert_false(world_connected(world, a, b));
    const struct world_report *removed = world_report(world, a, EVENT_REMOVED, TOKEN, changed);
    assert_non_null(removed);
    assert_int_equal(removed->report.verdict.reason, REASON_WALLET_REFUSED);
    assert_int_equal(world_status(world, b).verdict.reason, REASON_WALLET_REFUSED);
    // They sign anew: in again, without a restart.
    uint8_t fresh[MODEL_SIGNATURE_MAX];
    struct delegation renewed = by_wallet(b, 2, fresh);
    struct span whole = span_of(fresh, renewed.hashed_size);
    assert_int_equal(
        node_set_delegation(world->nodes[b].node, world_now(world, b), &renewed, whole), OK);
    world_drain(world, b);
    assert_true(world_run_connected(world, a, b, 30 * SECOND));
    world_kill(world, b); // before `fresh` goes
}

static void the_signature_outlives_a_restart(void **)
{
    set_up(12, 9);
    world_up(world, b);
    assert_true(world_run_connected(world, a, b, 20 * SECOND));
    world_down(world, a);
    lose_pieces();
    world->dht_drops_puts = true;
    world_up(world, a);
    assert_true(world_run_connected(world, a, b, 2 * MINUTE));
    assert_int_equal(count_pieces(), 0);
}

static void pieces_that_come_late(void **)
{
    set_up(12, 9);
    world->dht_drops_pieces = true;
    world_up(world, b);
    world_run(world, 30 * SECOND);
    world->dht_drops_pieces = false;
    assert_false(world_connected(world, a, b));
    struct node_peer_status status;
    assert_true(world_peer_status(world, a, TOKEN, &status));
    assert_int_equal(status.verdict.reason, REASON_SIGNATURE_AWAY);
    struct pieces pieces;
    pieces_cut(world->nodes[b].config.signature, &pieces);
    for (size_t i = 0; i < pieces.count; i++) {
        struct dht_key key = key_of_piece(pieces.list[i]);
        world_dht_store(world, &key, value_id_of_bytes(pieces.list[i]), pieces.list[i]);
    }
    assert_true(world_run_connected(world, a, b, 2 * MINUTE));
}

// A record that a stranger signs with a node key of his own, for the wallet's seat.
static void put_forged(uint8_t identity, const struct delegation *like, uint64_t epoch_s)
{
    struct network_keys keys = world->nodes[a].config.keys;
    struct node_secret secret;
    struct record record = {.token = world_token(world, b),
        .sequence = 1000,
        .boot = identity,
        .not_after_s = world_now(world, a).unix_time.ms / 1000 + 600,
        .delegation = *like};
    uint8_t seed[32] = {identity, 77};
    assert_int_equal(crypto_sign_seed_keypair(record.node_key.bytes, secret.bytes, seed), 0);
    memset(record.wg_key.bytes, identity, sizeof record.wg_key.bytes);
    record.delegation.epoch_s = epoch_s;
    record.delegation.node_key = record.node_key;
    uint8_t value[RECORD_MAX_SIZE];
    size_t size = 0;
    assert_int_equal(record_encode(&keys, &secret, &record, value, &size), OK);
    struct dht_key key = world_record_key(world, TOKEN);
    world_dht_store(world, &key, value_id_of_record(&record.node_key), span_of(value, size));
}

static void made_up_claims_do_not_shadow_the_seat(void **)
{
    set_up(3, 2);
    const struct delegation *own = &world->nodes[b].config.delegation;
    struct delegation inline_one = *own;
    inline_one.kind = DELEGATION_EIP1271;
    inline_one.hashed_size = 0;
    for (uint8_t i = 0; i < 4; i++) {
        struct delegation hashed = *own;
        hashed.signature[0] ^= (uint8_t)(1 + i);
        put_forged((uint8_t)(60 + i), &hashed, own->epoch_s + 100 + i); // no pieces anywhere
        inline_one.signature[0] ^= (uint8_t)(1 + i);
        put_forged((uint8_t)(80 + i), &inline_one, own->epoch_s + 200 + i);
    }
    world_up(world, b);
    assert_true(world_run_connected(world, a, b, 2 * MINUTE));
    world_run(world, 10 * MINUTE);
    assert_true(world_connected(world, a, b));
    assert_int_equal(world_reports(world, b, EVENT_DISPLACED), 0);
}

static void the_signature_must_be_the_delegations(void **)
{
    set_up(3, 2);
    struct node_config config = world->nodes[b].config;
    struct node *node = NULL;
    struct now now = world_now(world, b);
    config.signature.size--;
    assert_int_equal(node_create(&config, span_of(NULL, 0), now, &node), ERR_RANGE);
    config.signature = span_of(NULL, 0);
    assert_int_equal(node_create(&config, span_of(NULL, 0), now, &node), ERR_RANGE);
    world_up(world, b);
    assert_int_equal(node_set_delegation(world->nodes[b].node, now,
                         &world->nodes[b].config.delegation, span_of(NULL, 0)),
        ERR_RANGE);
}

// A member that is not set up for wallets knows nothing of it, and says so.
static void a_node_without_room_for_wallets_does_not_know(void **)
{
    set_up(3, 2);
    size_t c = world_join(world, (struct world_options){.token = 9});
    world_up(world, b);
    assert_true(world_run_connected(world, a, b, 20 * SECOND));
    struct node_peer_status status;
    assert_true(world_peer_status(world, c, TOKEN, &status));
    assert_int_equal(status.verdict.kind, VERDICT_UNKNOWN);
    assert_int_equal(status.verdict.reason, REASON_KIND);
}

// --- tombstones ----------------------------------------------------------------------------------

struct stone {
    struct token_id token;
    uint8_t bytes[RECORD_MAX_SIZE];
    size_t size;
    uint8_t signature[PIECE_CONTENT_MAX];
    size_t signature_size;
    uint64_t epoch_s;
};

static struct span value_of(const struct stone *stone)
{
    return span_of(stone->bytes, stone->size);
}

static struct span signature_of(const struct stone *stone)
{
    return span_of(stone->signature, stone->signature_size);
}

static void encode_stone(struct stone *stone, struct delegation *delegation)
{
    struct network network = model_network();
    struct network_keys keys = network_keys_of(&network, NULL);
    struct record record = {.token = delegation->token};
    struct pieces pieces;
    pieces_cut(signature_of(stone), &pieces);
    delegation->kind = DELEGATION_EIP1271_HASHED;
    delegation->hashed_size = (uint16_t)stone->signature_size;
    delegation->signature_size = sizeof pieces.root.bytes;
    memcpy(delegation->signature, pieces.root.bytes, sizeof pieces.root.bytes);
    stone->token = delegation->token;
    stone->epoch_s = delegation->epoch_s;
    record.delegation = *delegation;
    assert_int_equal(record_encode(&keys, NULL, &record, stone->bytes, &stone->size), OK);
}

static struct delegation draft_stone(uint64_t token, int64_t later_s)
{
    struct token_id id = token_id_of_u64(token);
    struct node_key none = {{0}};
    struct unix_time at = unix_time_add(world_now(world, a).unix_time, (uint64_t)later_s * SECOND);
    return delegation_draft(
        &id, &world->model.wallets[0].address, &none, at, DELEGATION_WINDOW_DEFAULT_S);
}

// By the wallet's owners `first` to `first` + `count` - 1.
static struct stone make_stone(size_t first, size_t count)
{
    struct stone stone = {.size = 0};
    struct delegation delegation = draft_stone(TOKEN, 0);
    stone.signature_size =
        model_wallet_sign(&world->model.wallets[0], &delegation, first, count, stone.signature);
    encode_stone(&stone, &delegation);
    return stone;
}

// With a signature that nobody has made.
static struct stone make_up_stone(uint64_t token, uint8_t number, size_t size)
{
    struct stone stone = {.signature_size = size};
    struct delegation delegation = draft_stone(token, number);
    memset(stone.signature, number, size);
    encode_stone(&stone, &delegation);
    return stone;
}

static enum status retire(size_t by, const struct stone *stone, struct span with)
{
    struct verdict verdict = {.kind = VERDICT_YES};
    enum status status = node_retire(world->nodes[by].node, world_now(world, by), &stone->token,
        value_of(stone), with, &verdict);
    world_drain(world, by);
    return status;
}

static bool wants(size_t node, const struct stone *stone)
{
    struct pieces pieces;
    pieces_cut(signature_of(stone), &pieces);
    for (size_t i = 0; i < pieces.count; i++) {
        if (!node_wants_piece(world->nodes[node].node, pieces.list[i])) {
            return false;
        }
    }
    return true;
}

static size_t add_member(void)
{
    return world_join(world, (struct world_options){.token = 9, .wallets = 8});
}

static void a_wallet_retires_its_node(uint8_t owners, uint8_t threshold, size_t pieces)
{
    set_up(owners, threshold);
    world_up(world, b);
    size_t c = add_member();
    assert_true(world_run_connected(world, a, b, 20 * SECOND));
    assert_true(world_run_connected(world, c, b, 20 * SECOND));
    world_run(world, 2 * SECOND);
    struct stone stone = make_stone(0, threshold);
    assert_int_equal(retire(c, &stone, signature_of(&stone)), OK);
    world_run(world, 15 * SECOND);
    assert_false(world_on_device(world, a, b) || world_on_device(world, c, b));
    assert_non_null(world_report(world, a, EVENT_RETIRED, TOKEN, 0));
    assert_true(wants(a, &stone) && wants(c, &stone));
    world_run(world, 5 * MINUTE);
    assert_true(world_status(world, b).retired);
    world_down(world, b);
    world_run(world, 40 * MINUTE); // the record's own pieces are gone
    assert_int_equal(count_pieces(), pieces);
    // Who comes later finds all of it.
    size_t d = world_join(world, (struct world_options){.token = 10, .wallets = 8});
    world_run(world, 30 * SECOND);
    assert_int_equal(world_status(world, d).tombstones, 1);
    assert_non_null(world_report(world, d, EVENT_RETIRED, TOKEN, 0));
    assert_true(wants(d, &stone));
}

static void two_of_three_retire(void **)
{
    a_wallet_retires_its_node(3, 2, 1);
}

static void nine_of_twelve_retire(void **)
{
    a_wallet_retires_its_node(12, 9, 3);
}

// Whoever gave the tombstone is off: another one that has it, from before its own restart, goes on.
static void others_keep_the_pieces(void **)
{
    set_up(12, 9);
    world_up(world, b);
    size_t c = add_member();
    assert_true(world_run_connected(world, a, b, 20 * SECOND));
    assert_true(world_run_connected(world, a, c, 20 * SECOND));
    struct stone stone = make_stone(0, 9);
    assert_int_equal(retire(c, &stone, signature_of(&stone)), OK);
    world_run(world, 30 * SECOND);
    assert_true(wants(a, &stone));
    world_down(world, c);
    world_down(world, b);
    world_down(world, a);
    world_run(world, MINUTE);
    lose_pieces();
    world_up(world, a);
    assert_true(wants(a, &stone));
    size_t seen = 0;
    for (size_t i = 0; i < 90 && seen < 3; i++) {
        world_run(world, MINUTE);
        seen = count_pieces();
    }
    assert_int_equal(seen, 3);
}

// The delegation's signers own the wallet still, those of the tombstone do not.
static void new_owners_do_not_undo_it(void **)
{
    set_up(3, 2);
    world->nodes[b].config.insist = true;
    world_up(world, b);
    size_t c = add_member();
    assert_true(world_run_connected(world, a, b, 20 * SECOND));
    assert_true(world_run_connected(world, a, c, 20 * SECOND));
    struct stone stone = make_stone(1, 2);
    assert_int_equal(retire(c, &stone, signature_of(&stone)), OK);
    world_run(world, 30 * SECOND);
    assert_false(world_on_device(world, a, b));
    world->model.wallets[0].owners[2] = 90;
    world_run(world, 5 * MINUTE);
    world_down(world, c);
    world_down(world, a);
    world_up(world, a);
    for (int i = 0; i < 10; i++) {
        world_run(world, MINUTE);
        assert_false(world_on_device(world, a, b));
    }
    assert_int_equal(world_status(world, a).tombstones, 1);
    assert_true(wants(a, &stone));
}

static void put_stone(const struct stone *stone)
{
    struct dht_key key = world_record_key(world, TOKEN);
    world_dht_store(world, &key, value_id_of_bytes(value_of(stone)), value_of(stone));
}

static void made_up_tombstones_retire_nobody(void **)
{
    set_up(3, 2);
    world_up(world, b);
    size_t c = add_member();
    assert_true(world_run_connected(world, a, b, 20 * SECOND));
    assert_true(world_run_connected(world, a, c, 20 * SECOND));
    for (uint8_t i = 1; i <= 6; i++) {
        struct stone stone = make_up_stone(TOKEN, i, 130);
        put_stone(&stone); // its signature is nowhere
    }
    world_run(world, 5 * MINUTE);
    assert_true(world_connected(world, a, b));
    assert_in_range(world_status(world, a).tombstones, 1, 4);
    // They keep no true one out, although it is earlier.
    struct stone stone = make_stone(0, 2);
    assert_int_equal(retire(c, &stone, signature_of(&stone)), OK);
    world_run(world, 30 * SECOND);
    assert_non_null(world_report(world, a, EVENT_RETIRED, TOKEN, 0));
    assert_false(world_on_device(world, a, b));
    assert_true(wants(a, &stone));
    // Nor does a later one take its place.
    struct stone later = make_up_stone(TOKEN, 100, 130);
    put_stone(&later);
    world_run(world, 2 * SECOND);
    assert_in_range(world_status(world, a).tombstones, 2, 5);
    assert_true(wants(a, &stone));
    world_run(world, 60 * MINUTE); // the DHT has forgotten them, and so have the members
    assert_int_equal(world_status(world, a).tombstones, 1);
}

static void one_that_is_put_here_is_heard(void **)
{
    set_up(3, 2);
    world_up(world, b);
    assert_true(world_run_connected(world, a, b, 20 * SECOND));
    struct stone stone = make_stone(0, 2);
    struct dht_key key = key_of_piece(signature_of(&stone));
    world_dht_store(world, &key, value_id_of_bytes(signature_of(&stone)), signature_of(&stone));
    struct stone foreign = make_up_stone(77, 1, 130); // nobody has read who owns that token
    struct node *node = world->nodes[a].node;
    node_on_stored_tombstone(node, world_now(world, a), &foreign.token, value_of(&foreign));
    node_on_stored_tombstone(node, world_now(world, a), &stone.token, value_of(&stone));
    world_drain(world, a);
    assert_int_equal(world_status(world, a).tombstones, 1);
    world_run(world, 2 * SECOND);
    assert_non_null(world_report(world, a, EVENT_RETIRED, TOKEN, 0));
    assert_false(world_on_device(world, a, b));
}

static void what_is_kept_is_bounded(void **)
{
    set_up(3, 2);
    struct stone stones[3];
    world_down(world, a);
    world->nodes[a].chain = FAULT_SILENT; // nobody tells that they are made up
    world_up(world, a);
    for (uint8_t i = 0; i < 3; i++) {
        stones[i] = make_up_stone(20 + i, (uint8_t)(1 + i), PIECE_CONTENT_MAX);
        assert_int_equal(retire(a, &stones[i], signature_of(&stones[i])), OK);
    }
    assert_true(wants(a, &stones[0]) && wants(a, &stones[1]));
    assert_false(wants(a, &stones[2]));
    world_down(world, a);
    world_up(world, a);
    assert_true(wants(a, &stones[0]) && wants(a, &stones[1]));
    assert_int_equal(retire(a, &stones[0], span_of(NULL, 0)), ERR_MALFORMED);
    assert_int_equal(retire(a, &stones[0], signature_of(&stones[1])), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(two_of_three, stop),
        cmocka_unit_test_teardown(nine_of_twelve, stop),
        cmocka_unit_test_teardown(new_owners_of_the_wallet_end_it, stop),
        cmocka_unit_test_teardown(the_signature_outlives_a_restart, stop),
        cmocka_unit_test_teardown(pieces_that_come_late, stop),
        cmocka_unit_test_teardown(made_up_claims_do_not_shadow_the_seat, stop),
        cmocka_unit_test_teardown(the_signature_must_be_the_delegations, stop),
        cmocka_unit_test_teardown(a_node_without_room_for_wallets_does_not_know, stop),
        cmocka_unit_test_teardown(two_of_three_retire, stop),
        cmocka_unit_test_teardown(nine_of_twelve_retire, stop),
        cmocka_unit_test_teardown(others_keep_the_pieces, stop),
        cmocka_unit_test_teardown(new_owners_do_not_undo_it, stop),
        cmocka_unit_test_teardown(made_up_tombstones_retire_nobody, stop),
        cmocka_unit_test_teardown(one_that_is_put_here_is_heard, stop),
        cmocka_unit_test_teardown(what_is_kept_is_bounded, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// What strangers may store: every verdict, every cap, and that a flood displaces nothing of a known
// owner.
#include "tests/unit/dht/fixtures.h"
#include "tests/unit/unit.h"

enum {
    ENTRIES = 64,
    OWNERS = 8,
    PREFIXES = 32,
};

// The policy under test with its tables, and the answers of its delegation check.
struct bench {
    struct policy policy;
    struct policy_entry entries[ENTRIES];
    struct policy_owner owners[OWNERS];
    struct prefix_budget_entry prefixes[PREFIXES];
    size_t checks;
    struct now now;
};

// By the first byte of the made-up signature: 0 = good, 1 = a contract wallet's, else forged.
static enum status check_delegation(void *context, const struct delegation *delegation)
{
    struct bench *bench = (struct bench *)context;
    bench->checks++;
    switch (delegation->signature[0]) {
    case 0:
        return OK;
    case 1:
        return ERR_UNSUPPORTED;
    default:
        return ERR_SIGNATURE;
    }
}

static void start_with(struct bench *bench, const struct network_keys *keys)
{
    memset(bench, 0, sizeof *bench);
    struct policy_storage storage = {
        .entries = bench->entries,
        .entries_capacity = ENTRIES,
        .owners = bench->owners,
        .owners_capacity = OWNERS,
        .prefixes = bench->prefixes,
        .prefixes_capacity = PREFIXES,
    };
    policy_init(&bench->policy, keys, &storage, check_delegation, bench);
    bench->now = fixture_now();
}

static void start(struct bench *bench)
{
    struct network_keys keys = fixture_keys();
    start_with(bench, &keys);
}

static void pass(struct bench *bench, uint64_t ms)
{
    bench->now.mono.ms += ms;
    bench->now.unix_time.ms += ms;
}

struct value {
    uint8_t bytes[DHT_VALUE_MAX_SIZE];
    size_t size;
    struct dht_key key;
};

// A put from 198.18.`prefix`.1.
static struct policy_decision put_from(
    struct bench *bench, const struct value *value, size_t prefix)
{
    struct policy_put put = {
        .from = address_of_ipv4(198, 18, (uint8_t)prefix, 1, 4000),
        .key = value->key,
        .value = span_of(value->bytes, value->size),
    };
    return policy_on_put(&bench->policy, bench->now, &put);
}

static enum policy_verdict put(struct bench *bench, const struct value *value)
{
    return put_from(bench, value, 1).verdict;
}

static struct value encode_with(
    const struct network_keys *keys, size_t seed, const struct record *record)
{
    struct fixture_node node = fixture_node((uint8_t)seed);
    struct value value = {.key = key_of_record(keys, &record->token)};
    bool tombstone = record_is_tombstone(record);
    assert_int_equal(
        record_encode(keys, tombstone ? NULL : &node.secret, record, value.bytes, &value.size), OK);
    return value;
}

static struct value encode(size_t seed, const struct record *record)
{
    struct network_keys keys = fixture_keys();
    return encode_with(&keys, seed, record);
}

static struct record record_of(size_t seed)
{
    struct fixture_node node = fixture_node((uint8_t)seed);
    struct record record = fixture_record(&node);
    return record;
}

static struct value sample(size_t seed)
{
    struct record record = record_of(seed);
    return encode(seed, &record);
}

static struct eth_address sample_owner(void)
{
    struct record record = fixture_tombstone();
    return record.delegation.owner;
}

static void know_owner(struct bench *bench)
{
    struct token_id token = token_id_of_u64(7);
    struct eth_address owner = sample_owner();
    assert_int_equal(policy_set_owner(&bench->policy, &token, &owner), OK);
}

static void an_unknown_token_has_two_places(void **)
{
    struct bench bench;
    start(&bench);
    struct value a = sample(1);
    struct value b = sample(2);
    struct value c = sample(3);
    struct fixture_node node = fixture_node(1);
    struct policy_decision decision = put_from(&bench, &a, 1);
    assert_int_equal(decision.verdict, POLICY_STORE);
    assert_int_equal(decision.kind, POLICY_KIND_RECORD);
    assert_true(decision.value_id == value_id_of_record(&node.key));
    assert_int_equal(decision.expires_at.ms, bench.now.mono.ms + POLICY_LIFETIME_MS);
    assert_int_equal(put(&bench, &b), POLICY_STORE);
    assert_int_equal(put(&bench, &c), POLICY_CROWDED);
    pass(&bench, 1000);
    decision = put_from(&bench, &a, 9);
    assert_int_equal(decision.verdict, POLICY_KEEP);
    assert_int_equal(decision.expires_at.ms, bench.now.mono.ms + POLICY_LIFETIME_MS);
    assert_int_equal(bench.checks, 0);
    pass(&bench, POLICY_LIFETIME_MS - 500); // b is gone, a is not
    assert_int_equal(put(&bench, &c), POLICY_STORE);
    assert_int_equal(put(&bench, &b), POLICY_CROWDED);
}

static void five_thousand_made_up_nodes_take_two_places(void **)
{
    struct bench bench;
    start(&bench);
    size_t stored = 0;
    for (size_t i = 0; i < 200; i++) {
        // A fresh key each; the remaining 4,800 would be the same again.
        struct value value = sample((i + 1));
        stored += policy_verdict_stores(put_from(&bench, &value, i).verdict) ? 1 : 0;
    }
    assert_int_equal(stored, POLICY_UNKNOWN_PER_KEY);
    assert_int_equal(bench.policy.counts[POLICY_CROWDED], 200 - POLICY_UNKNOWN_PER_KEY);
    // What has no room costs no budget.
    assert_int_equal(bench.policy.counts[POLICY_OVER_BUDGET], 0);
}

static void the_newest_sequence_of_a_node_stays(void **)
{
    struct bench bench;
    start(&bench);
    struct record record = record_of(1);
    struct value old = encode(1, &record);
    record.sequence++;
    struct value newer = encode(1, &record);
    assert_int_equal(put(&bench, &old), POLICY_STORE);
    assert_int_equal(put(&bench, &newer), POLICY_STORE);
    assert_int_equal(put(&bench, &old), POLICY_OLD);
    assert_int_equal(put(&bench, &newer), POLICY_KEEP);
    record.sequence = 1;
    record.delegation.epoch_s++; // a new delegation outranks any sequence
    struct value renewed = encode(1, &record);
    assert_int_equal(put(&bench, &renewed), POLICY_STORE);
    assert_int_equal(put(&bench, &newer), POLICY_OLD);
    struct policy_removal removal;
    assert_false(policy_next_removal(&bench.policy, &removal)); // all under one id
}

static void a_known_owner_has_eight_places(void **)
{
    struct bench bench;
    start(&bench);
    know_owner(&bench);
    struct record record;
    struct value value;
    for (size_t seed = 1; seed <= POLICY_RECORDS_PER_KEY; seed++) {
        record = record_of(seed);
        record.delegation.epoch_s += 100 + seed;
        value = encode(seed, &record);
        assert_int_equal(put(&bench, &value), POLICY_STORE);
    }
    assert_int_equal(bench.checks, POLICY_RECORDS_PER_KEY);
    struct value weak = sample(20);
    assert_int_equal(put(&bench, &weak), POLICY_CROWDED);
    record = record_of(21);
    record.delegation.epoch_s += 1000;
    value = encode(21, &record);
    assert_int_equal(put(&bench, &value), POLICY_STORE); // in the place of the lowest epoch
    struct policy_removal removal;
    struct fixture_node first = fixture_node(1);
    assert_true(policy_next_removal(&bench.policy, &removal));
    assert_true(removal.value_id == value_id_of_record(&first.key));
    assert_true(dht_key_equal(&removal.key, &value.key));
    assert_false(policy_next_removal(&bench.policy, &removal));
}

static void others_than_the_owner_are_refused_unverified(void **)
{
    struct bench bench;
    start(&bench);
    know_owner(&bench);
    struct record record = record_of(1);
    record.delegation.owner.bytes[0] ^= 1;
    struct value foreign = encode(1, &record);
    foreign.bytes[foreign.size - 1] ^= 1;
    assert_int_equal(put(&bench, &foreign), POLICY_NOT_OWNER);
    assert_int_equal(bench.checks, 0);
    record = record_of(1);
    record.delegation.signature[0] = 2;
    struct value forged = encode(1, &record);
    assert_int_equal(put(&bench, &forged), POLICY_BAD_SIGNATURE);
    struct value flipped = sample(1);
    flipped.bytes[flipped.size - 1] ^= 1;
    assert_int_equal(put(&bench, &flipped), POLICY_BAD_SIGNATURE);
    assert_int_equal(bench.checks, 1);

    struct token_id token = token_id_of_u64(7);
    struct eth_address nobody = {{0}};
    assert_int_equal(policy_set_owner(&bench.policy, &token, &nobody), OK);
    struct value good = sample(1);
    assert_int_equal(put(&bench, &good), POLICY_NOT_OWNER);
    policy_forget_owner(&bench.policy, &token);
    assert_int_equal(put(&bench, &good), POLICY_STORE);
}

static void contract_wallets_share_the_small_cap(void **)
{
    struct bench bench;
    start(&bench);
    know_owner(&bench);
    for (size_t seed = 1; seed <= 3; seed++) {
        struct record record = record_of(seed);
        record.delegation.kind = DELEGATION_EIP1271;
        record.delegation.signature[0] = 1;
        struct value value = encode(seed, &record);
        assert_int_equal(
            put(&bench, &value), seed <= POLICY_UNKNOWN_PER_KEY ? POLICY_STORE : POLICY_CROWDED);
    }
    struct value proven = sample(9);
    assert_int_equal(put(&bench, &proven), POLICY_STORE);
}

// What only the chain can judge does not replace what is proven, though the node is the same.
static void an_unproven_record_does_not_replace_a_proven_one(void **)
{
    struct bench bench;
    start(&bench);
    know_owner(&bench);
    struct value proven = sample(1);
    struct record record = record_of(1);
    record.sequence++;
    record.delegation.kind = DELEGATION_EIP1271;
    record.delegation.signature[0] = 1;
    struct value unproven = encode(1, &record);
    assert_int_equal(put(&bench, &proven), POLICY_STORE);
    assert_int_equal(put(&bench, &unproven), POLICY_NOT_OWNER);
    assert_int_equal(put(&bench, &proven), POLICY_KEEP);
}

static void proving_a_record_keeps_to_the_cap(void **)
{
    struct bench bench;
    start(&bench);
    know_owner(&bench);
    struct record record = record_of(9);
    record.delegation.kind = DELEGATION_EIP1271;
    record.delegation.signature[0] = 1;
    struct value value = encode(9, &record);
    assert_int_equal(put(&bench, &value), POLICY_STORE);
    for (size_t seed = 1; seed <= POLICY_RECORDS_PER_KEY; seed++) {
        value = sample(seed);
        assert_int_equal(put(&bench, &value), POLICY_STORE);
    }
    record = record_of(9);
    record.delegation.epoch_s++;
    value = encode(9, &record);
    assert_int_equal(put(&bench, &value), POLICY_STORE);
    struct policy_removal removal; // the weakest of the eight
    assert_true(policy_next_removal(&bench.policy, &removal));
    assert_true(removal.value_id != value_id_of_record(&record.node_key));
    assert_false(policy_next_removal(&bench.policy, &removal));
}

static void a_new_owner_clears_the_seat(void **)
{
    struct bench bench;
    start(&bench);
    struct value value = sample(1);
    struct token_id token = token_id_of_u64(7);
    struct eth_address buyer = {{0xbb}};
    struct policy_removal removal;
    assert_int_equal(put(&bench, &value), POLICY_STORE);
    know_owner(&bench);
    assert_false(policy_next_removal(&bench.policy, &removal));
    assert_int_equal(policy_set_owner(&bench.policy, &token, &buyer), OK);
    assert_true(policy_next_removal(&bench.policy, &removal));
    assert_true(dht_key_equal(&removal.key, &value.key));
    assert_int_equal(put(&bench, &value), POLICY_NOT_OWNER);

    // A removal that was not drained does not hit what came back under the same id.
    know_owner(&bench);
    assert_int_equal(put(&bench, &value), POLICY_STORE);
    assert_int_equal(policy_set_owner(&bench.policy, &token, &buyer), OK);
    know_owner(&bench);
    assert_int_equal(put(&bench, &value), POLICY_STORE);
    assert_false(policy_next_removal(&bench.policy, &removal));
}

static void a_stored_claim_is_proven_once_its_owner_is_known(void **)
{
    struct bench bench;
    start(&bench);
    struct value good = sample(1);
    struct record record = record_of(2);
    record.delegation.signature[0] = 2;
    struct value forged = encode(2, &record);
    assert_int_equal(put(&bench, &good), POLICY_STORE);
    assert_int_equal(put(&bench, &forged), POLICY_STORE);
    know_owner(&bench);
    assert_int_equal(put(&bench, &good), POLICY_STORE); // proven now
    assert_int_equal(put(&bench, &good), POLICY_KEEP);
    assert_int_equal(bench.checks, 1);
    assert_int_equal(put(&bench, &forged), POLICY_BAD_SIGNATURE);
    struct policy_removal removal;
    struct fixture_node second = fixture_node(2);
    assert_true(policy_next_removal(&bench.policy, &removal));
    assert_true(removal.value_id == value_id_of_record(&second.key));
    assert_false(policy_next_removal(&bench.policy, &removal));
}

static void a_tombstone_retires_what_came_before(void **)
{
    struct bench bench;
    start(&bench);
    know_owner(&bench);
    struct record record = record_of(1);
    struct record tombstone = fixture_tombstone();
    struct value before = encode(1, &record);
    struct value stone = encode(1, &tombstone);
    record.delegation.epoch_s++;
    struct value after = encode(1, &record);
    struct policy_removal removal;
    struct fixture_node node = fixture_node(1);
    assert_int_equal(put(&bench, &before), POLICY_STORE);
    struct policy_decision decision = put_from(&bench, &stone, 1);
    assert_int_equal(decision.verdict, POLICY_STORE);
    assert_int_equal(decision.kind, POLICY_KIND_TOMBSTONE);
    assert_true(policy_next_removal(&bench.policy, &removal));
    assert_true(removal.value_id == value_id_of_record(&node.key));
    assert_int_equal(put(&bench, &before), POLICY_RETIRED);
    assert_int_equal(put(&bench, &after), POLICY_STORE);

    tombstone.delegation.epoch_s--;
    struct value older = encode(1, &tombstone);
    assert_int_equal(put(&bench, &older), POLICY_OLD);
    tombstone.delegation.epoch_s += 2;
    struct value newer = encode(1, &tombstone);
    assert_int_equal(put(&bench, &newer), POLICY_STORE);
    assert_true(policy_next_removal(&bench.policy, &removal)); // the first tombstone
    assert_true(removal.value_id == decision.value_id);
    assert_true(policy_next_removal(&bench.policy, &removal)); // the record after it
    assert_true(removal.value_id == value_id_of_record(&node.key));
    assert_false(policy_next_removal(&bench.policy, &removal));
}

static void forged_tombstones_retire_nothing(void **)
{
    struct bench bench;
    start(&bench);
    struct record tombstone = fixture_tombstone();
    tombstone.delegation.epoch_s += 1000;
    tombstone.delegation.signature[0] = 2;
    struct value forged = encode(1, &tombstone);
    struct value record = sample(1);
    assert_int_equal(put(&bench, &forged), POLICY_STORE); // unknown token: nobody can tell
    assert_int_equal(put(&bench, &record), POLICY_STORE);
    struct value third = sample(2);
    assert_int_equal(put(&bench, &third), POLICY_CROWDED);
    know_owner(&bench);
    assert_int_equal(put(&bench, &forged), POLICY_BAD_SIGNATURE);
    assert_int_equal(put(&bench, &third), POLICY_STORE);
}

static struct value intent_to(uint64_t recipient_token, size_t seed, size_t nonce)
{
    struct network_keys keys = fixture_keys();
    struct fixture_node sender = fixture_node((uint8_t)seed);
    struct fixture_node recipient = fixture_node(100);
    struct intent intent = fixture_intent(&sender);
    intent.recipient = token_id_of_u64(recipient_token);
    struct rng rng;
    uint8_t bytes[RNG_SEED_SIZE];
    memset(bytes, (uint8_t)nonce, sizeof bytes);
    rng_seed(&rng, bytes);
    intent.nonce.bytes[0] = (uint8_t)nonce;
    struct value value = {.key = key_of_inbox(&keys, &intent.recipient)};
    assert_int_equal(intent_encode(&keys, &sender.secret, &recipient.key, &intent, &rng,
                         value.bytes, &value.size),
        OK);
    return value;
}

static struct value intent_for(size_t seed, size_t nonce)
{
    return intent_to(8, seed, nonce);
}

static void an_inbox_has_sixteen_places(void **)
{
    struct bench bench;
    start(&bench);
    struct value value;
    for (size_t i = 0; i < POLICY_INTENTS_PER_KEY; i++) {
        value = intent_for(1, i);
        struct policy_decision decision = put_from(&bench, &value, (i / 2));
        assert_int_equal(decision.verdict, POLICY_STORE);
        assert_int_equal(decision.kind, POLICY_KIND_INTENT);
        assert_int_equal(decision.expires_at.ms, bench.now.mono.ms + POLICY_INTENT_LIFETIME_MS);
    }
    value = intent_for(1, 50);
    assert_int_equal(put_from(&bench, &value, 100).verdict, POLICY_CROWDED);
    pass(&bench, 1000);
    value = intent_for(1, 3);
    struct policy_decision decision = put_from(&bench, &value, 1);
    assert_int_equal(decision.verdict, POLICY_KEEP); // and lives no longer for it
    assert_int_equal(decision.expires_at.ms, bench.now.mono.ms - 1000 + POLICY_INTENT_LIFETIME_MS);
}

static void an_intent_from_the_future_lives_no_longer(void **)
{
    struct bench bench;
    start(&bench);
    struct value value = intent_for(1, 1);
    bench.now.unix_time.ms -= 60 * 1000;
    struct policy_decision decision = put_from(&bench, &value, 1);
    assert_int_equal(decision.verdict, POLICY_STORE);
    assert_int_equal(decision.expires_at.ms, bench.now.mono.ms + POLICY_INTENT_LIFETIME_MS);
}

static void a_prefix_has_two_places_in_an_inbox(void **)
{
    struct bench bench;
    start(&bench);
    struct value values[4] = {
        intent_for(1, 1), intent_for(2, 2), intent_for(3, 3), intent_for(4, 4)};
    assert_int_equal(put_from(&bench, &values[0], 1).verdict, POLICY_STORE);
    assert_int_equal(put_from(&bench, &values[1], 1).verdict, POLICY_STORE);
    assert_int_equal(put_from(&bench, &values[2], 1).verdict, POLICY_CROWDED_PREFIX);
    assert_int_equal(put_from(&bench, &values[2], 2).verdict, POLICY_STORE);
    struct value flipped = values[3];
    flipped.bytes[flipped.size - 1] ^= 1;
    assert_int_equal(put_from(&bench, &flipped, 3).verdict, POLICY_BAD_SIGNATURE);
    flipped = values[3];
    flipped.key.bytes[0] ^= 1;
    assert_int_equal(put_from(&bench, &flipped, 3).verdict, POLICY_BAD_SIGNATURE);
    pass(&bench, INTENT_WINDOW_MS + 1);
    assert_int_equal(put_from(&bench, &values[3], 3).verdict, POLICY_WRONG_TIME);
}

static struct value piece_of(const char *text)
{
    struct value value = {.size = strlen(text)};
    memcpy(value.bytes, text, value.size);
    value.key = key_of_piece(span_of(value.bytes, value.size));
    return value;
}

static void pieces_lie_under_their_hash(void **)
{
    struct bench bench;
    start(&bench);
    struct value piece = piece_of("part of a signature");
    struct policy_decision decision = put_from(&bench, &piece, 1);
    assert_int_equal(decision.verdict, POLICY_STORE);
    assert_int_equal(decision.kind, POLICY_KIND_PIECE);
    assert_int_equal(put(&bench, &piece), POLICY_KEEP);
    piece.bytes[0] ^= 1;
    assert_int_equal(put(&bench, &piece), POLICY_MALFORMED);
}

static enum policy_verdict put_wanted(struct bench *bench, const struct value *piece)
{
    struct policy_put put = {.from = address_of_ipv4(198, 18, 1, 1, 4000),
        .key = piece->key,
        .value = span_of(piece->bytes, piece->size),
        .wanted = true};
    return policy_on_put(&bench->policy, bench->now, &put).verdict;
}

// Pieces of the signatures that this node keeps itself have room, whatever strangers bring.
static void wanted_pieces_have_room(void **)
{
    struct bench bench;
    start(&bench);
    struct value early = piece_of("wanted later");
    assert_int_equal(put(&bench, &early), POLICY_STORE);
    for (size_t i = 1; i < ENTRIES / 8; i++) {
        char text[16] = {'p', (char)('0' + i / 10), (char)('0' + i % 10)};
        struct value value = piece_of(text);
        assert_int_equal(put_from(&bench, &value, i).verdict, POLICY_STORE);
    }
    struct value wanted = piece_of("part of a signature");
    assert_int_equal(put(&bench, &wanted), POLICY_FULL);
    assert_int_equal(put_wanted(&bench, &wanted), POLICY_STORE);
    // One that lies here already leaves the strangers' share.
    struct value other = piece_of("a stranger's");
    assert_int_equal(put(&bench, &other), POLICY_FULL);
    assert_int_equal(put_wanted(&bench, &early), POLICY_KEEP);
    assert_int_equal(put(&bench, &other), POLICY_STORE);
    // And nothing else is wanted.
    struct value member = sample(1);
    struct fixture_node node = fixture_node(1);
    assert_int_equal(put_wanted(&bench, &member), POLICY_STORE);
    assert_false(
        policy_find(&bench.policy, bench.now.mono, &member.key, value_id_of_record(&node.key))
            ->owned);
}

static struct value manifest_by(size_t seed, uint32_t version)
{
    struct fixture_node authority = fixture_node((uint8_t)seed);
    struct manifest manifest = fixture_manifest(&authority);
    manifest.version = version;
    struct value value = {.key = key_of_manifest(&authority.key)};
    assert_int_equal(manifest_encode(&manifest, &authority.secret, value.bytes, &value.size), OK);
    return value;
}

static struct value manifest_of(uint32_t version)
{
    return manifest_by(1, version);
}

static void the_highest_manifest_stays(void **)
{
    struct bench bench;
    start(&bench);
    struct value first = manifest_of(1);
    struct value second = manifest_of(2);
    struct policy_removal removal;
    struct policy_decision decision = put_from(&bench, &first, 1);
    assert_int_equal(decision.verdict, POLICY_STORE);
    assert_int_equal(decision.kind, POLICY_KIND_MANIFEST);
    assert_int_equal(put(&bench, &first), POLICY_KEEP);
    assert_int_equal(put(&bench, &second), POLICY_STORE);
    assert_true(policy_next_removal(&bench.policy, &removal));
    assert_true(removal.value_id == decision.value_id);
    assert_int_equal(put(&bench, &first), POLICY_OLD);
    struct value third = manifest_of(3);
    third.bytes[third.size - 1] ^= 1;
    assert_int_equal(put(&bench, &third), POLICY_BAD_SIGNATURE);
    second.key.bytes[0] ^= 1;
    assert_int_equal(put(&bench, &second), POLICY_WRONG_KEY);
}

static void everything_else_is_refused(void **)
{
    struct bench bench;
    start(&bench);
    struct value value = sample(1);
    uint8_t large[DHT_VALUE_MAX_SIZE + 1] = {0};
    struct policy_put request = {
        .from = address_of_ipv4(198, 18, 1, 1, 4000), .value = span_of(large, sizeof large)};
    assert_int_equal(policy_on_put(&bench.policy, bench.now, &request).verdict, POLICY_TOO_LARGE);
    request.value.size--;
    assert_int_equal(policy_on_put(&bench.policy, bench.now, &request).verdict, POLICY_MALFORMED);
    request.value = span_of(NULL, 0);
    assert_int_equal(policy_on_put(&bench.policy, bench.now, &request).verdict, POLICY_MALFORMED);
    struct value cut = value;
    cut.size--;
    assert_int_equal(put(&bench, &cut), POLICY_MALFORMED);
    struct value moved = value;
    moved.key.bytes[0] ^= 1;
    assert_int_equal(put(&bench, &moved), POLICY_WRONG_KEY);
    struct record record = record_of(1);
    record.not_after_s += 60;
    struct value future = encode(1, &record);
    assert_int_equal(put(&bench, &future), POLICY_WRONG_TIME);
    record = record_of(1);
    record.delegation.epoch_s = FIXTURE_TIME_S + DELEGATION_EPOCH_AHEAD_MAX_S + 1;
    struct value ahead = encode(1, &record);
    assert_int_equal(put(&bench, &ahead), POLICY_WRONG_TIME);
    pass(&bench, 1800 * 1000);
    assert_int_equal(put(&bench, &value), POLICY_WRONG_TIME);
    assert_int_equal(bench.policy.counts[POLICY_STORE], 0);
    assert_string_equal(policy_verdict_name(POLICY_WRONG_TIME), "wrong_time");
}

static void a_sealed_network_stores_its_own_only(void **)
{
    struct network_keys hidden = fixture_secret_keys();
    struct network_keys next = hidden;
    struct record record = record_of(1);
    struct bench bench;
    next.secret[0] ^= 1;
    start_with(&bench, &hidden);
    struct value own = encode_with(&hidden, 1, &record);
    struct value rotated = encode_with(&next, 1, &record);
    struct value open = sample(1);
    assert_int_equal(put(&bench, &own), POLICY_STORE);
    assert_int_equal(put(&bench, &open), POLICY_MALFORMED);
    assert_int_equal(put(&bench, &rotated), POLICY_MALFORMED);
    assert_int_equal(policy_add_keys(&bench.policy, &next), OK);
    assert_int_equal(put(&bench, &rotated), POLICY_STORE);
    assert_int_equal(put(&bench, &own), POLICY_KEEP);
    assert_int_equal(policy_add_keys(&bench.policy, &next), ERR_FULL);
}

static void signatures_wait_for_budgets(void **)
{
    struct bench bench;
    start(&bench);
    struct value flipped = sample(1);
    flipped.bytes[flipped.size - 1] ^= 1;
    for (size_t i = 0; i < POLICY_UNITS_PER_PREFIX_BURST; i++) {
        assert_int_equal(put_from(&bench, &flipped, 1).verdict, POLICY_BAD_SIGNATURE);
    }
    assert_int_equal(put_from(&bench, &flipped, 1).verdict, POLICY_OVER_BUDGET);
    assert_int_equal(put_from(&bench, &flipped, 2).verdict, POLICY_BAD_SIGNATURE);
    size_t verified = POLICY_UNITS_PER_PREFIX_BURST + 1;
    for (size_t prefix = 2; prefix < 12; prefix++) {
        for (size_t i = 0; i < 100; i++) {
            verified += put_from(&bench, &flipped, prefix).verdict == POLICY_BAD_SIGNATURE ? 1 : 0;
        }
    }
    assert_int_equal(verified, POLICY_UNITS_BURST); // the whole stands behind the prefixes
    pass(&bench, 1000);
    assert_int_equal(put_from(&bench, &flipped, 20).verdict, POLICY_BAD_SIGNATURE);
}

// Unknown tokens of their own, as many as there are.
static struct value stranger(uint64_t token)
{
    struct record record = record_of(1);
    record.token = token_id_of_u64(1000 + token);
    record.delegation.token = record.token;
    return encode(1, &record);
}

static void strangers_fill_their_share_only(void **)
{
    struct bench bench;
    start(&bench);
    for (size_t i = 0; i < ENTRIES; i++) {
        struct value value = stranger(i);
        assert_int_equal(
            put_from(&bench, &value, i).verdict, i < ENTRIES / 2 ? POLICY_STORE : POLICY_FULL);
    }
    for (size_t i = 0; i < ENTRIES; i++) {
        char text[16] = {'p', (char)('0' + i / 10), (char)('0' + i % 10)};
        struct value value = piece_of(text);
        assert_int_equal(
            put_from(&bench, &value, i).verdict, i < ENTRIES / 8 ? POLICY_STORE : POLICY_FULL);
    }
    know_owner(&bench);
    struct value member = sample(1);
    assert_int_equal(put(&bench, &member), POLICY_STORE);
}

static void intents_and_manifests_have_their_share(void **)
{
    struct bench bench;
    struct value value;
    start(&bench);
    for (size_t i = 0; i <= ENTRIES / 4; i++) {
        value = intent_to(i / 4, 1, i);
        assert_int_equal(
            put_from(&bench, &value, i).verdict, i < ENTRIES / 4 ? POLICY_STORE : POLICY_FULL);
    }
    start(&bench);
    for (size_t i = 0; i <= ENTRIES / 8; i++) {
        value = manifest_by(i + 1, 1);
        assert_int_equal(
            put_from(&bench, &value, i).verdict, i < ENTRIES / 8 ? POLICY_STORE : POLICY_FULL);
    }
}

static void a_member_takes_a_strangers_place_when_all_is_full(void **)
{
    struct bench bench;
    start(&bench);
    struct policy_removal removal;
    struct value first = stranger(0);
    assert_int_equal(put(&bench, &first), POLICY_STORE);
    size_t free_places = ENTRIES - 1;
    for (uint64_t token = 1; token <= OWNERS && free_places > 0; token++) {
        struct eth_address owner = sample_owner();
        struct token_id id = token_id_of_u64(token);
        assert_int_equal(policy_set_owner(&bench.policy, &id, &owner), OK);
        for (size_t seed = 1; seed <= POLICY_RECORDS_PER_KEY && free_places > 0; seed++) {
            struct record record = record_of(seed);
            record.token = id;
            record.delegation.token = id;
            struct value value = encode(seed, &record);
            assert_int_equal(put_from(&bench, &value, token).verdict, POLICY_STORE);
            free_places--;
        }
    }
    assert_int_equal(free_places, 0);
    struct value second = stranger(1);
    assert_int_equal(put_from(&bench, &second, 50).verdict, POLICY_FULL);
    assert_false(policy_next_removal(&bench.policy, &removal));
    struct record record = record_of(POLICY_RECORDS_PER_KEY);
    record.token = token_id_of_u64(OWNERS);
    record.delegation.token = record.token;
    struct value last = encode(POLICY_RECORDS_PER_KEY, &record);
    assert_int_equal(put_from(&bench, &last, 60).verdict, POLICY_STORE);
    assert_true(policy_next_removal(&bench.policy, &removal));
    assert_true(dht_key_equal(&removal.key, &first.key));
    struct token_id ninth = token_id_of_u64(OWNERS + 1);
    struct eth_address owner = sample_owner();
    assert_int_equal(policy_set_owner(&bench.policy, &ninth, &owner), ERR_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_token_has_two_places),
        cmocka_unit_test(five_thousand_made_up_nodes_take_two_places),
        cmocka_unit_test(the_newest_sequence_of_a_node_stays),
        cmocka_unit_test(a_known_owner_has_eight_places),
        cmocka_unit_test(others_than_the_owner_are_refused_unverified),
        cmocka_unit_test(contract_wallets_share_the_small_cap),
        cmocka_unit_test(an_unproven_record_does_not_replace_a_proven_one),
        cmocka_unit_test(proving_a_record_keeps_to_the_cap),
        cmocka_unit_test(an_intent_from_the_future_lives_no_longer),
        cmocka_unit_test(a_new_owner_clears_the_seat),
        cmocka_unit_test(a_stored_claim_is_proven_once_its_owner_is_known),
        cmocka_unit_test(a_tombstone_retires_what_came_before),
        cmocka_unit_test(forged_tombstones_retire_nothing),
        cmocka_unit_test(an_inbox_has_sixteen_places),
        cmocka_unit_test(a_prefix_has_two_places_in_an_inbox),
        cmocka_unit_test(pieces_lie_under_their_hash),
        cmocka_unit_test(wanted_pieces_have_room),
        cmocka_unit_test(the_highest_manifest_stays),
        cmocka_unit_test(everything_else_is_refused),
        cmocka_unit_test(a_sealed_network_stores_its_own_only),
        cmocka_unit_test(signatures_wait_for_budgets),
        cmocka_unit_test(strangers_fill_their_share_only),
        cmocka_unit_test(intents_and_manifests_have_their_share),
        cmocka_unit_test(a_member_takes_a_strangers_place_when_all_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

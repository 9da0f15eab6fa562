// SPDX-License-Identifier: GPL-3.0-or-later
//
// Intents: who can open them, what a stranger can change (nothing), and the replay cache.
#include "tests/unit/dht/fixtures.h"
#include "tests/unit/unit.h"

struct encoded {
    uint8_t bytes[INTENT_MAX_SIZE + 1];
    size_t size;
    struct dht_key inbox;
};

static struct rng rng_of(uint8_t seed)
{
    uint8_t bytes[RNG_SEED_SIZE];
    struct rng rng;
    memset(bytes, seed, sizeof bytes);
    rng_seed(&rng, bytes);
    return rng;
}

// From node 1 to node 2.
static struct encoded encode(const struct network_keys *keys, const struct intent *intent)
{
    struct fixture_node sender = fixture_node(1);
    struct fixture_node recipient = fixture_node(2);
    struct rng rng = rng_of(3);
    struct encoded encoded = {.inbox = key_of_inbox(keys, &intent->recipient)};
    assert_int_equal(intent_encode(keys, &sender.secret, &recipient.key, intent, &rng,
                         encoded.bytes, &encoded.size),
        OK);
    assert_true(encoded.size <= INTENT_MAX_SIZE);
    return encoded;
}

static struct encoded encode_sample(void)
{
    struct network_keys keys = fixture_keys();
    struct fixture_node sender = fixture_node(1);
    struct intent intent = fixture_intent(&sender);
    return encode(&keys, &intent);
}

// Everything that the recipient of the sample does, in order; the first failure.
static enum status receive(const struct encoded *encoded, struct intent *ret)
{
    struct network_keys keys = fixture_keys();
    struct fixture_node recipient = fixture_node(2);
    struct token_id own = token_id_of_u64(8);
    struct intent_envelope envelope;
    enum status status =
        intent_peek(span_of(encoded->bytes, encoded->size), fixture_unix_time(), &envelope);
    if (status == OK) {
        status = intent_verify(&keys, &encoded->inbox, &envelope);
    }
    return status == OK ? intent_open(&envelope, &recipient.secret, &own, ret) : status;
}

static void intents_round_trip(void **)
{
    struct fixture_node sender = fixture_node(1);
    struct intent intent = fixture_intent(&sender);
    struct encoded encoded = encode_sample();
    fixture_check_golden("intent", span_of(encoded.bytes, encoded.size));
    struct intent opened = {0};
    assert_int_equal(receive(&encoded, &opened), OK);
    assert_true(token_id_equal(&opened.sender, &intent.sender));
    assert_true(token_id_equal(&opened.recipient, &intent.recipient));
    assert_true(node_key_equal(&opened.sender_key, &intent.sender_key));
    assert_memory_equal(&opened.nonce, &intent.nonce, sizeof opened.nonce);
    assert_true(opened.sent_at.ms == intent.sent_at.ms && opened.sequence == intent.sequence);
    assert_false(opened.reply);
    assert_int_equal(opened.nat_class, NAT_HARD);
    assert_int_equal(opened.candidates.count, 2);
    assert_true(
        address_equal(&opened.candidates.list[0].address, &intent.candidates.list[0].address));
}

static void the_largest_intent_fits(void **)
{
    struct network_keys keys = fixture_secret_keys();
    struct fixture_node sender = fixture_node(1);
    struct fixture_node recipient = fixture_node(2);
    struct intent intent = fixture_intent(&sender);
    intent.reply = true;
    intent.sequence = UINT64_MAX;
    for (size_t i = 0; i < CANDIDATES_MAX; i++) {
        intent.candidates.list[i] = fixture_candidate_ipv6((uint8_t)i, 51820);
    }
    intent.candidates.count = CANDIDATES_MAX;
    struct encoded encoded = encode(&keys, &intent);
    struct intent_envelope envelope;
    struct intent opened = {0};
    struct span span = span_of(encoded.bytes, encoded.size);
    assert_int_equal(intent_peek(span, fixture_unix_time(), &envelope), OK);
    assert_int_equal(intent_verify(&keys, &encoded.inbox, &envelope), OK);
    assert_int_equal(intent_open(&envelope, &recipient.secret, &intent.recipient, &opened), OK);
    assert_int_equal(opened.candidates.count, CANDIDATES_MAX);
    assert_true(opened.reply);
}

static void only_the_recipient_opens(void **)
{
    struct encoded encoded = encode_sample();
    struct fixture_node stranger = fixture_node(3);
    struct fixture_node recipient = fixture_node(2);
    struct token_id own = token_id_of_u64(8);
    struct token_id other = token_id_of_u64(9);
    struct intent_envelope envelope;
    struct intent opened = {0};
    assert_int_equal(
        intent_peek(span_of(encoded.bytes, encoded.size), fixture_unix_time(), &envelope), OK);
    assert_int_equal(intent_open(&envelope, &stranger.secret, &own, &opened), ERR_SEAL);
    assert_int_equal(intent_open(&envelope, &recipient.secret, &other, &opened), ERR_MISMATCH);
}

static void another_inbox_or_network_does_not_verify(void **)
{
    struct encoded encoded = encode_sample();
    struct network_keys keys = fixture_keys();
    struct network other_network = fixture_network();
    other_network.chain_id++;
    struct network_keys other = network_keys_of(&other_network, NULL);
    struct token_id token = token_id_of_u64(9);
    struct dht_key elsewhere = key_of_inbox(&keys, &token);
    struct intent_envelope envelope;
    assert_int_equal(
        intent_peek(span_of(encoded.bytes, encoded.size), fixture_unix_time(), &envelope), OK);
    assert_int_equal(intent_verify(&keys, &encoded.inbox, &envelope), OK);
    assert_int_equal(intent_verify(&keys, &elsewhere, &envelope), ERR_SIGNATURE);
    assert_int_equal(intent_verify(&other, &encoded.inbox, &envelope), ERR_SIGNATURE);
}

// A sealed part cannot be passed on under another sender: the header is bound to it.
static void a_stolen_seal_does_not_open(void **)
{
    struct network_keys keys = fixture_keys();
    struct encoded encoded = encode_sample();
    struct fixture_node recipient = fixture_node(2);
    struct fixture_node thief = fixture_node(4);
    struct token_id own = token_id_of_u64(8);
    struct intent_envelope envelope;
    struct intent_envelope forged;
    struct intent opened = {0};
    struct intent intent = fixture_intent(&thief);
    struct rng rng = rng_of(5);
    uint8_t bytes[INTENT_MAX_SIZE];
    size_t size;
    assert_int_equal(
        intent_encode(&keys, &thief.secret, &recipient.key, &intent, &rng, bytes, &size), OK);
    assert_int_equal(
        intent_peek(span_of(encoded.bytes, encoded.size), fixture_unix_time(), &envelope), OK);
    assert_int_equal(intent_peek(span_of(bytes, size), fixture_unix_time(), &forged), OK);
    forged.sealed = envelope.sealed;
    assert_int_equal(intent_open(&forged, &recipient.secret, &own, &opened), ERR_SEAL);
}

static void truncations_and_additions_are_refused(void **)
{
    struct encoded encoded = encode_sample();
    struct intent_envelope envelope;
    for (size_t size = 0; size < encoded.size; size++) {
        assert_int_equal(intent_peek(span_of(encoded.bytes, size), fixture_unix_time(), &envelope),
            ERR_TRUNCATED);
    }
    assert_int_equal(
        intent_peek(span_of(encoded.bytes, encoded.size + 1), fixture_unix_time(), &envelope),
        ERR_TRAILING);
    assert_int_equal(
        intent_peek(span_of(encoded.bytes, sizeof encoded.bytes), fixture_unix_time(), &envelope),
        ERR_TOO_LARGE);
}

static void no_flipped_bit_is_accepted(void **)
{
    struct encoded encoded = encode_sample();
    struct intent opened = {0};
    for (size_t bit = 0; bit < encoded.size * 8; bit++) {
        encoded.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_not_equal(receive(&encoded, &opened), OK);
        encoded.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(receive(&encoded, &opened), OK);
}

static void each_failure_of_the_form_is_told(void **)
{
    struct encoded encoded = encode_sample();
    struct intent_envelope envelope;
    struct span span = span_of(encoded.bytes, encoded.size);
    struct unix_time now = fixture_unix_time();
    encoded.bytes[1] = VALUE_RECORD;
    assert_int_equal(intent_peek(span, now, &envelope), ERR_VERSION);
    encoded.bytes[1] = VALUE_INTENT;
    encoded.bytes[0] = 0x94;
    assert_int_equal(intent_peek(span, now, &envelope), ERR_MALFORMED);
    encoded.bytes[0] = 0xdd;
    assert_int_equal(intent_peek(span, now, &envelope), ERR_NOT_CANONICAL);
    encoded.bytes[0] = 0x95;
    encoded.bytes[3] = 31; // the size of the sender's key
    assert_int_equal(intent_peek(span, now, &envelope), ERR_RANGE);
}

static void the_time_window_is_two_minutes(void **)
{
    struct encoded encoded = encode_sample();
    struct intent_envelope envelope;
    struct span span = span_of(encoded.bytes, encoded.size);
    struct unix_time now = fixture_unix_time();
    now.ms += INTENT_WINDOW_MS;
    assert_int_equal(intent_peek(span, now, &envelope), OK);
    now.ms++;
    assert_int_equal(intent_peek(span, now, &envelope), ERR_EXPIRED);
    now.ms = fixture_unix_time().ms - INTENT_WINDOW_MS;
    assert_int_equal(intent_peek(span, now, &envelope), OK);
    now.ms--;
    assert_int_equal(intent_peek(span, now, &envelope), ERR_FUTURE);
}

static enum status encode_status(
    const struct fixture_node *sender, const struct node_key *recipient, struct intent intent)
{
    struct network_keys keys = fixture_keys();
    struct rng rng = rng_of(3);
    uint8_t bytes[INTENT_MAX_SIZE];
    size_t size;
    return intent_encode(&keys, &sender->secret, recipient, &intent, &rng, bytes, &size);
}

static void the_encoder_refuses_bad_input(void **)
{
    struct fixture_node sender = fixture_node(1);
    struct fixture_node other = fixture_node(2);
    struct intent intent = fixture_intent(&sender);
    struct node_key low_order = {{1}};
    assert_int_equal(encode_status(&sender, &other.key, intent), OK);
    assert_int_equal(encode_status(&other, &other.key, intent), ERR_RANGE);
    assert_int_equal(encode_status(&sender, &low_order, intent), ERR_RANGE);
    intent.candidates.list[0].address.port = 0;
    assert_int_equal(encode_status(&sender, &other.key, intent), ERR_RANGE);
}

static void intents_are_acted_upon_once(void **)
{
    struct intent_seen entries[4];
    struct intent_replay replay;
    struct fixture_node sender = fixture_node(1);
    struct intent intent = fixture_intent(&sender);
    struct unix_time now = fixture_unix_time();
    intent_replay_init(&replay, entries, 4);
    assert_int_equal(intent_replay_admit(&replay, &intent, now), OK);
    assert_int_equal(intent_replay_admit(&replay, &intent, now), ERR_REPLAYED);
    intent.reply = true; // the answer to an own intent repeats its nonce
    assert_int_equal(intent_replay_admit(&replay, &intent, now), OK);
    assert_int_equal(intent_replay_admit(&replay, &intent, now), ERR_REPLAYED);
    now.ms += INTENT_WINDOW_MS + 1;
    assert_int_equal(intent_replay_admit(&replay, &intent, now), ERR_EXPIRED);
    now.ms -= 2 * INTENT_WINDOW_MS + 2;
    assert_int_equal(intent_replay_admit(&replay, &intent, now), ERR_FUTURE);
}

static void a_full_cache_forgets_the_oldest(void **)
{
    struct intent_seen entries[4];
    struct intent_replay replay;
    struct fixture_node sender = fixture_node(1);
    struct intent intent = fixture_intent(&sender);
    struct unix_time now = fixture_unix_time();
    intent_replay_init(&replay, entries, 4);
    for (uint8_t i = 0; i < 5; i++) {
        intent.nonce.bytes[0] = i;
        intent.sent_at.ms = now.ms + i;
        assert_int_equal(intent_replay_admit(&replay, &intent, now), OK);
    }
    for (uint8_t i = 4; i > 0; i--) {
        intent.nonce.bytes[0] = i;
        intent.sent_at.ms = now.ms + i;
        assert_int_equal(intent_replay_admit(&replay, &intent, now), ERR_REPLAYED);
    }
    intent.nonce.bytes[0] = 0;
    intent.sent_at.ms = now.ms;
    assert_int_equal(intent_replay_admit(&replay, &intent, now), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intents_round_trip),
        cmocka_unit_test(the_largest_intent_fits),
        cmocka_unit_test(only_the_recipient_opens),
        cmocka_unit_test(another_inbox_or_network_does_not_verify),
        cmocka_unit_test(a_stolen_seal_does_not_open),
        cmocka_unit_test(truncations_and_additions_are_refused),
        cmocka_unit_test(no_flipped_bit_is_accepted),
        cmocka_unit_test(each_failure_of_the_form_is_told),
        cmocka_unit_test(the_time_window_is_two_minutes),
        cmocka_unit_test(the_encoder_refuses_bad_input),
        cmocka_unit_test(intents_are_acted_upon_once),
        cmocka_unit_test(a_full_cache_forgets_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The policy under random puts, owner changes and time, beside a naive store that does what the
// policy's answers say. Both must hold the same values, and the caps must hold in the naive one.
#include "tests/unit/dht/fixtures.h"
#include "tests/unit/unit.h"

enum {
    ENTRIES = 48,
    OWNERS = 4,
    PREFIXES = 16,
    TOKENS = 8,
    NODES = 12,
    STEPS = 4000,
    STORE_MAX = 4 * ENTRIES,
};

// One value as a naive engine keeps it.
struct stored {
    struct dht_key key;
    uint64_t value_id;
    enum policy_kind kind;
    struct mono expires_at;
    struct node_key author;
    struct eth_address owner;
    struct token_id token;
    uint64_t epoch_s;
    uint64_t sequence;
    uint8_t prefix;
    bool used;
};

struct world {
    struct policy policy;
    struct policy_entry entries[ENTRIES];
    struct policy_owner owners[OWNERS];
    struct prefix_budget_entry prefixes[PREFIXES];
    struct stored store[STORE_MAX];
    struct eth_address known[TOKENS]; // zero = unknown
    struct fixture_node nodes[NODES];
    struct network_keys keys;
    struct now now;
    struct rng rng;
};

static enum status check_delegation(void *, const struct delegation *delegation)
{
    return delegation->signature[0] == 0 ? OK : ERR_SIGNATURE;
}

static void start(struct world *world, uint8_t seed)
{
    uint8_t bytes[RNG_SEED_SIZE];
    memset(bytes, seed, sizeof bytes);
    memset(world, 0, sizeof *world);
    rng_seed(&world->rng, bytes);
    world->now = fixture_now();
    world->keys = fixture_keys();
    struct policy_storage storage = {
        .entries = world->entries,
        .entries_capacity = ENTRIES,
        .owners = world->owners,
        .owners_capacity = OWNERS,
        .prefixes = world->prefixes,
        .prefixes_capacity = PREFIXES,
    };
    policy_init(&world->policy, &world->keys, &storage, check_delegation, NULL);
    for (size_t i = 0; i < NODES; i++) {
        world->nodes[i] = fixture_node((uint8_t)(i + 1));
    }
}

static uint64_t below(struct world *world, uint64_t bound)
{
    return rng_below(&world->rng, bound);
}

static struct stored *find_stored(struct world *world, const struct dht_key *key, uint64_t value_id)
{
    for (size_t i = 0; i < STORE_MAX; i++) {
        struct stored *stored = &world->store[i];
        if (stored->used && stored->value_id == value_id && dht_key_equal(&stored->key, key)) {
            return stored;
        }
    }
    return NULL;
}

static struct stored *free_place(struct world *world)
{
    for (size_t i = 0; i < STORE_MAX; i++) {
        if (!world->store[i].used) {
            return &world->store[i];
        }
    }
    fail_msg("the naive store is full");
    return NULL;
}

static void drain_removals(struct world *world)
{
    struct policy_removal removal;
    while (policy_next_removal(&world->policy, &removal)) {
        struct stored *stored = find_stored(world, &removal.key, removal.value_id);
        if (stored != NULL) {
            stored->used = false;
        }
    }
}

static void expire(struct world *world)
{
    for (size_t i = 0; i < STORE_MAX; i++) {
        if (world->store[i].used && mono_due(world->store[i].expires_at, world->now.mono)) {
            world->store[i].used = false;
        }
    }
}

static void submit(struct world *world, struct stored *candidate, struct span value)
{
    struct policy_put put = {
        .from = address_of_ipv4(198, 18, candidate->prefix, 1, 4000),
        .key = candidate->key,
        .value = value,
    };
    struct policy_decision decision = policy_on_put(&world->policy, world->now, &put);
    if (policy_verdict_stores(decision.verdict)) {
        struct stored *place = find_stored(world, &candidate->key, decision.value_id);
        bool keeps = decision.verdict == POLICY_KEEP;
        assert_true(!keeps || place != NULL);
        if (place != NULL && !keeps && candidate->kind == POLICY_KIND_RECORD) {
            assert_true(
                candidate->epoch_s > place->epoch_s ||
                (candidate->epoch_s == place->epoch_s && candidate->sequence >= place->sequence));
        }
        place = place != NULL ? place : free_place(world);
        if (!keeps) {
            *place = *candidate;
        }
        place->used = true;
        place->value_id = decision.value_id;
        place->expires_at = decision.expires_at;
        assert_int_equal(decision.kind, candidate->kind);
    }
    drain_removals(world);
}

static void put_claim(struct world *world)
{
    size_t at = below(world, NODES);
    const struct fixture_node *node = &world->nodes[at];
    bool tombstone = below(world, 10) == 0;
    struct record record = tombstone ? fixture_tombstone() : fixture_record(node);
    record.token = token_id_of_u64(below(world, TOKENS));
    record.delegation.token = record.token;
    record.delegation.epoch_s += below(world, 4);
    record.delegation.owner.bytes[0] = (uint8_t)below(world, 2);
    record.delegation.signature[0] = below(world, 5) == 0 ? 2 : 0;
    if (!tombstone) {
        record.sequence += below(world, 6);
        record.not_after_s = world->now.unix_time.ms / 1000 + 100 + below(world, 1700);
    }
    struct stored candidate = {
        .kind = tombstone ? POLICY_KIND_TOMBSTONE : POLICY_KIND_RECORD,
        .key = key_of_record(&world->keys, &record.token),
        .author = record.node_key,
        .owner = record.delegation.owner,
        .token = record.token,
        .epoch_s = record.delegation.epoch_s,
        .sequence = record.sequence,
        .prefix = (uint8_t)below(world, 64),
    };
    uint8_t bytes[RECORD_MAX_SIZE];
    size_t size;
    assert_int_equal(
        record_encode(&world->keys, tombstone ? NULL : &node->secret, &record, bytes, &size), OK);
    submit(world, &candidate, span_of(bytes, size));
}

static void put_intent(struct world *world)
{
    const struct fixture_node *node = &world->nodes[below(world, NODES)];
    struct intent intent = fixture_intent(node);
    intent.sent_at = world->now.unix_time;
    intent.recipient = token_id_of_u64(below(world, 2));
    struct stored candidate = {
        .kind = POLICY_KIND_INTENT,
        .key = key_of_inbox(&world->keys, &intent.recipient),
        .prefix = (uint8_t)below(world, 8),
    };
    uint8_t bytes[INTENT_MAX_SIZE];
    size_t size;
    assert_int_equal(
        intent_encode(&world->keys, &node->secret, &node->key, &intent, &world->rng, bytes, &size),
        OK);
    submit(world, &candidate, span_of(bytes, size));
}

static void put_piece(struct world *world)
{
    uint8_t content[4] = {(uint8_t)below(world, 64)};
    struct span span = span_of(content, sizeof content);
    struct stored candidate = {.kind = POLICY_KIND_PIECE, .key = key_of_piece(span)};
    submit(world, &candidate, span);
}

static void change_owner(struct world *world)
{
    size_t token = below(world, TOKENS);
    struct token_id id = token_id_of_u64(token);
    if (below(world, 4) == 0) {
        policy_forget_owner(&world->policy, &id);
        memset(&world->known[token], 0, sizeof world->known[token]);
    } else {
        struct eth_address owner = fixture_tombstone().delegation.owner;
        owner.bytes[0] = (uint8_t)below(world, 2);
        if (policy_set_owner(&world->policy, &id, &owner) == OK) {
            world->known[token] = owner;
        }
    }
    drain_removals(world);
}

// The rules, as plainly as they can be said, over the naive store.
static void check_caps(struct world *world)
{
    size_t live = 0;
    for (size_t i = 0; i < STORE_MAX; i++) {
        const struct stored *a = &world->store[i];
        if (!a->used) {
            continue;
        }
        live++;
        size_t claims = 0;
        size_t intents = 0;
        size_t of_prefix = 0;
        for (size_t j = 0; j < STORE_MAX; j++) {
            const struct stored *b = &world->store[j];
            if (!b->used || !dht_key_equal(&a->key, &b->key)) {
                continue;
            }
            claims += b->kind == POLICY_KIND_RECORD || b->kind == POLICY_KIND_TOMBSTONE;
            intents += b->kind == POLICY_KIND_INTENT;
            of_prefix += b->kind == POLICY_KIND_INTENT && b->prefix == a->prefix;
            bool both_records = a->kind == POLICY_KIND_RECORD && b->kind == POLICY_KIND_RECORD;
            assert_true(i == j || !both_records || !node_key_equal(&a->author, &b->author));
        }
        assert_true(
            claims <= POLICY_RECORDS_PER_KEY + POLICY_UNKNOWN_PER_KEY + POLICY_TOMBSTONES_PER_KEY);
        assert_true(intents <= POLICY_INTENTS_PER_KEY);
        assert_true(of_prefix <= POLICY_INTENTS_PER_PREFIX);
        uint64_t token;
        if ((a->kind == POLICY_KIND_RECORD || a->kind == POLICY_KIND_TOMBSTONE) &&
            token_id_to_u64(&a->token, &token) && !eth_address_is_zero(&world->known[token])) {
            assert_true(eth_address_equal(&a->owner, &world->known[token]));
        }
    }
    assert_true(live <= ENTRIES);
}

static void check_same_contents(struct world *world)
{
    size_t live = 0;
    for (size_t i = 0; i < ENTRIES; i++) {
        const struct policy_entry *entry = &world->entries[i];
        if (!entry->used || mono_due(entry->expires_at, world->now.mono)) {
            continue;
        }
        live++;
        struct stored *stored = find_stored(world, &entry->key, entry->value_id);
        assert_non_null(stored);
        assert_true(stored->expires_at.ms == entry->expires_at.ms);
        assert_true(stored->sequence == entry->sequence && stored->epoch_s == entry->epoch_s);
    }
    for (size_t i = 0; i < STORE_MAX; i++) {
        live -= world->store[i].used ? 1 : 0;
    }
    assert_int_equal(live, 0);
}

static void run(uint8_t seed)
{
    struct world *world = test_malloc(sizeof *world);
    start(world, seed);
    for (size_t step = 0; step < STEPS; step++) {
        uint64_t ms = below(world, 4000);
        world->now.mono.ms += ms;
        world->now.unix_time.ms += ms;
        expire(world);
        switch (below(world, 16)) {
        case 0:
            change_owner(world);
            break;
        case 1:
        case 2:
        case 3:
            put_intent(world);
            break;
        case 4:
            put_piece(world);
            break;
        default:
            put_claim(world);
            break;
        }
        check_caps(world);
        check_same_contents(world);
    }
    // A run in which some answer never came would prove little.
    assert_true(world->policy.counts[POLICY_STORE] > 100);
    assert_true(world->policy.counts[POLICY_CROWDED] > 0);
    assert_true(world->policy.counts[POLICY_RETIRED] > 0);
    assert_true(world->policy.counts[POLICY_OLD] > 0);
    assert_true(world->policy.counts[POLICY_NOT_OWNER] > 0);
    assert_true(world->policy.counts[POLICY_BAD_SIGNATURE] > 0);
    assert_true(world->policy.counts[POLICY_CROWDED_PREFIX] > 0);
    test_free(world);
}

static void policy_and_naive_store_agree(void **)
{
    for (uint8_t seed = 1; seed <= 3; seed++) {
        run(seed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(policy_and_naive_store_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
#include "nat/mapping.h"
#include "tests/unit/unit.h"

enum {
    PORT = 51820,
};

static struct mapping mapping;
static struct rng rng;
static struct mono now;

// What the last tick sent and the last drain reported.
static struct mapping_output sends[MAPPING_REFLECTORS_MAX];
static size_t send_count;
static unsigned changes;

static const struct address reflector_a = {FAMILY_IPV4, {203, 0, 113, 10}, 3478};
static const struct address reflector_b = {FAMILY_IPV4, {192, 0, 2, 11}, 3478};
static const struct address reflector_c = {FAMILY_IPV4, {198, 51, 100, 12}, 3478};
static const struct address seen = {FAMILY_IPV4, {198, 51, 100, 2}, 40000};

static int setup(void **)
{
    static const uint8_t seed[RNG_SEED_SIZE] = {4};
    rng_seed(&rng, seed);
    now.ms = 5000;
    mapping_init(&mapping, PORT);
    return 0;
}

static void drain(void)
{
    struct mapping_output output;
    changes = 0;
    while (mapping_next_output(&mapping, &output)) {
        if (output.kind == MAPPING_CHANGED) {
            changes++;
            continue;
        }
        assert_int_equal(output.size, STUN_BINDING_REQUEST_SIZE);
        assert_true(send_count < MAPPING_REFLECTORS_MAX);
        sends[send_count++] = output;
    }
}

static void tick(void)
{
    now = mapping_deadline(&mapping);
    send_count = 0;
    mapping_on_deadline(&mapping, now, &rng);
    drain();
    assert_true(mapping_deadline(&mapping).ms > now.ms);
}

static void add(const struct address *reflector)
{
    assert_int_equal(mapping_reflector_add(&mapping, now, reflector), OK);
}

static const struct mapping_output *sent_to(const struct address *to)
{
    for (size_t i = 0; i < send_count; i++) {
        if (address_equal(&sends[i].to, to)) {
            return &sends[i];
        }
    }
    return NULL;
}

static struct stun_message message_for(const struct address *reflector)
{
    const struct mapping_output *sent = sent_to(reflector);
    assert_non_null(sent);
    struct stun_message message;
    assert_int_equal(stun_decode(span_of(sent->bytes, sent->size), &message), OK);
    message.kind = STUN_SUCCESS;
    return message;
}

static enum status answer(const struct address *reflector, struct address mapped)
{
    struct stun_message message = message_for(reflector);
    message.mapped = mapped;
    return mapping_on_response(&mapping, now, reflector, &message);
}

static struct address on_port(uint16_t port)
{
    struct address address = seen;
    address.port = port;
    return address;
}

static void test_first_answer_is_used_at_once(void **)
{
    add(&reflector_a);
    assert_int_equal(mapping_deadline(&mapping).ms, now.ms);
    tick();
    assert_int_equal(send_count, 1);
    now.ms += 10;
    assert_int_equal(answer(&reflector_a, seen), OK);
    drain();
    assert_int_equal(changes, 1);
    struct mapping_view view = mapping_view(&mapping);
    assert_int_equal(view.nat_class, NAT_UNKNOWN);
    assert_true(view.single);
    assert_true(address_equal(&view.reflexive, &seen));
    uint64_t wait_ms = mapping_deadline(&mapping).ms - now.ms;
    assert_true(wait_ms > 20000 && wait_ms < 30000);
}

static void test_two_that_agree_are_easy(void **)
{
    add(&reflector_a);
    add(&reflector_b);
    tick();
    assert_int_equal(send_count, 2);
    assert_int_equal(answer(&reflector_a, seen), OK);
    assert_int_equal(answer(&reflector_b, seen), OK);
    struct mapping_view view = mapping_view(&mapping);
    assert_int_equal(view.nat_class, NAT_EASY);
    assert_false(view.single);
}

// A second reflector that becomes known while the first has not answered yet.
static void test_late_reflector_joins_the_round(void **)
{
    add(&reflector_a);
    tick();
    struct stun_message first = message_for(&reflector_a);
    first.mapped = seen;
    now.ms += 50;
    add(&reflector_b);
    assert_int_equal(mapping_deadline(&mapping).ms, now.ms);
    tick();
    assert_int_equal(send_count, 1);
    assert_int_equal(mapping_on_response(&mapping, now, &reflector_a, &first), OK);
    assert_int_equal(answer(&reflector_b, seen), OK);
    assert_int_equal(mapping_view(&mapping).nat_class, NAT_EASY);
    assert_false(mapping.in_round);
}

static void test_one_network_of_reflectors_is_single(void **)
{
    struct address sibling = reflector_a;
    sibling.ip[3]++;
    add(&reflector_a);
    add(&sibling);
    tick();
    assert_int_equal(answer(&reflector_a, seen), OK);
    assert_int_equal(answer(&sibling, seen), OK);
    assert_int_equal(mapping_view(&mapping).nat_class, NAT_EASY);
    assert_true(mapping_view(&mapping).single);
}

// Two ports of one address cannot show a mapping that depends on the address.
static void test_one_address_tells_no_class(void **)
{
    struct address sibling = reflector_a;
    sibling.port++;
    add(&reflector_a);
    add(&sibling);
    tick();
    assert_int_equal(answer(&reflector_a, seen), OK);
    assert_int_equal(answer(&sibling, seen), OK);
    assert_int_equal(mapping_view(&mapping).nat_class, NAT_UNKNOWN);
}

static void test_two_that_differ_are_hard(void **)
{
    add(&reflector_a);
    add(&reflector_b);
    tick();
    assert_int_equal(answer(&reflector_a, on_port(40000)), OK);
    assert_int_equal(answer(&reflector_b, on_port(40001)), OK);
    struct mapping_view view = mapping_view(&mapping);
    assert_int_equal(view.nat_class, NAT_HARD);
    assert_int_equal(view.port_delta, 1);
    drain();
    // Other ports in the next round are no news.
    tick();
    assert_int_equal(answer(&reflector_a, on_port(40002)), OK);
    assert_int_equal(answer(&reflector_b, on_port(40003)), OK);
    drain();
    assert_int_equal(changes, 0);
}

static void test_one_liar_among_three_changes_nothing(void **)
{
    add(&reflector_a);
    add(&reflector_b);
    add(&reflector_c);
    tick();
    assert_int_equal(send_count, 3);
    assert_int_equal(answer(&reflector_a, seen), OK);
    assert_int_equal(answer(&reflector_b, seen), OK);
    assert_int_equal(answer(&reflector_c, seen), OK);
    drain();
    tick();
    assert_int_equal(answer(&reflector_c, on_port(666)), OK); // first, to be believed
    assert_int_equal(answer(&reflector_a, seen), OK);
    assert_int_equal(answer(&reflector_b, seen), OK);
    drain();
    assert_int_equal(changes, 0);
    assert_int_equal(mapping_view(&mapping).nat_class, NAT_EASY);
}

static void test_own_address_means_no_nat(void **)
{
    struct address host = seen;
    host.port = 0;
    mapping_set_hosts(&mapping, now, &host, 1);
    add(&reflector_a);
    tick();
    assert_int_equal(answer(&reflector_a, on_port(PORT)), OK);
    assert_int_equal(mapping_view(&mapping).nat_class, NAT_NONE);
    struct candidates list;
    mapping_candidates(&mapping, AUDIENCE_PUBLIC, &list);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.list[0].kind, CANDIDATE_HOST);
    assert_int_equal(list.list[0].address.port, PORT);
}

static void test_changed_mapping_is_reported(void **)
{
    add(&reflector_a);
    add(&reflector_b);
    tick();
    assert_int_equal(answer(&reflector_a, seen), OK);
    assert_int_equal(answer(&reflector_b, seen), OK);
    drain();
    tick();
    assert_int_equal(answer(&reflector_a, on_port(41000)), OK);
    drain();
    assert_int_equal(changes, 0); // confirmed by two: one does not overturn it yet
    assert_int_equal(answer(&reflector_b, on_port(41000)), OK);
    drain();
    assert_int_equal(changes, 1);
    assert_int_equal(mapping_view(&mapping).reflexive.port, 41000);
    assert_int_equal(mapping_view(&mapping).nat_class, NAT_EASY);
}

static void test_repeats_then_blocked(void **)
{
    static const uint64_t at_ms[] = {0, 200, 600, 1400};
    add(&reflector_a);
    const uint64_t begun_ms = now.ms;
    for (size_t i = 0; i < MAPPING_TRIES; i++) {
        tick();
        assert_int_equal(now.ms - begun_ms, at_ms[i]);
        assert_int_equal(send_count, 1);
    }
    tick();
    assert_int_equal(send_count, 0);
    assert_int_equal(mapping_view(&mapping).nat_class, NAT_BLOCKED);
    assert_int_equal(changes, 1);
    assert_int_equal(mapping_deadline(&mapping).ms - now.ms, MAPPING_BLOCKED_ROUND_MS);
    tick(); // and back, as soon as one answers
    assert_int_equal(answer(&reflector_a, seen), OK);
    assert_int_equal(mapping_view(&mapping).nat_class, NAT_UNKNOWN);
}

static void test_known_mapping_survives_one_lost_round(void **)
{
    add(&reflector_a);
    tick();
    assert_int_equal(answer(&reflector_a, seen), OK);
    drain();
    for (int i = 0; i <= MAPPING_TRIES; i++) {
        tick();
    }
    assert_true(address_is_set(&mapping.view.reflexive));
    for (int i = 0; i <= MAPPING_TRIES; i++) {
        tick();
    }
    assert_int_equal(mapping_view(&mapping).nat_class, NAT_BLOCKED);
}

static void test_refused_responses(void **)
{
    add(&reflector_a);
    tick();
    struct stun_message message = message_for(&reflector_a);
    message.mapped = seen;
    assert_int_equal(mapping_on_response(&mapping, now, &reflector_b, &message), ERR_MISMATCH);
    struct stun_message changed = message;
    changed.transaction.bytes[0] ^= 1;
    assert_int_equal(mapping_on_response(&mapping, now, &reflector_a, &changed), ERR_MISMATCH);
    changed = message;
    changed.has_mac = true;
    assert_int_equal(mapping_on_response(&mapping, now, &reflector_a, &changed), ERR_MISMATCH);
    changed = message;
    changed.kind = STUN_REQUEST;
    assert_int_equal(mapping_on_response(&mapping, now, &reflector_a, &changed), ERR_MISMATCH);
    assert_int_equal(mapping_on_response(&mapping, now, &reflector_a, &message), OK);
    assert_int_equal(mapping_on_response(&mapping, now, &reflector_a, &message), ERR_MISMATCH);
}

static void test_unusable_mapped_addresses(void **)
{
    static const struct address bad[] = {
        {FAMILY_IPV4, {0, 0, 0, 0}, 1},
        {FAMILY_IPV4, {127, 0, 0, 1}, 4000},
        {FAMILY_IPV4, {224, 0, 0, 1}, 4000},
        {FAMILY_IPV4, {198, 51, 100, 2}, 0},
        {FAMILY_IPV6, {0x20, 0x01}, 4000},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setup(NULL);
        add(&reflector_a);
        tick();
        assert_int_equal(answer(&reflector_a, bad[i]), ERR_RANGE);
        assert_false(address_is_set(&mapping.view.reflexive));
    }
    setup(NULL);
    add(&reflector_a);
    tick();
    struct stun_message error = message_for(&reflector_a);
    error.kind = STUN_ERROR;
    assert_int_equal(mapping_on_response(&mapping, now, &reflector_a, &error), OK);
    assert_int_equal(mapping_view(&mapping).nat_class, NAT_BLOCKED);
}

static void test_table_of_reflectors(void **)
{
    const struct address ipv6 = {FAMILY_IPV6, {0x20, 0x01}, 3478};
    assert_int_equal(mapping_deadline(&mapping).ms, UINT64_MAX);
    assert_int_equal(mapping_reflector_add(&mapping, now, &ipv6), ERR_UNSUPPORTED);
    for (int i = 0; i < MAPPING_REFLECTORS_MAX; i++) {
        struct address reflector = address_of_ipv4(203, 0, (uint8_t)i, 1, 3478);
        add(&reflector);
        assert_int_equal(mapping_reflector_add(&mapping, now, &reflector), ERR_EXISTS);
    }
    assert_int_equal(mapping_reflector_add(&mapping, now, &reflector_a), ERR_FULL);
    // Every one gets its turn.
    bool asked[MAPPING_REFLECTORS_MAX] = {false};
    for (int round = 0; round < 3; round++) {
        tick();
        assert_int_equal(send_count, MAPPING_ROUND_REFLECTORS);
        struct mapping_output round_sends[MAPPING_ROUND_REFLECTORS];
        memcpy(round_sends, sends, sizeof round_sends);
        for (size_t i = 0; i < MAPPING_ROUND_REFLECTORS; i++) {
            asked[round_sends[i].to.ip[2]] = true;
        }
        for (size_t i = 0; i < MAPPING_ROUND_REFLECTORS; i++) {
            assert_int_equal(answer(&round_sends[i].to, seen), OK);
        }
    }
    for (size_t i = 0; i < MAPPING_REFLECTORS_MAX; i++) {
        assert_true(asked[i]);
    }
    assert_int_equal(mapping_reflector_remove(&mapping, &reflector_a), ERR_NOT_FOUND);
    for (int i = 0; i < MAPPING_REFLECTORS_MAX; i++) {
        struct address reflector = address_of_ipv4(203, 0, (uint8_t)i, 1, 3478);
        assert_int_equal(mapping_reflector_remove(&mapping, &reflector), OK);
    }
    assert_int_equal(mapping_deadline(&mapping).ms, UINT64_MAX);
}

static void test_candidates_and_audience(void **)
{
    const struct address hosts[] = {
        address_of_ipv4(10, 1, 0, 2, 0),
        {FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8}, 0},
        {FAMILY_IPV6, {0xfe, 0x80}, 0}, // link-local: left out
        address_of_ipv4(127, 0, 0, 1, 0),
    };
    mapping_set_hosts(&mapping, now, hosts, 4);
    add(&reflector_a);
    tick();
    assert_int_equal(answer(&reflector_a, seen), OK);
    struct candidates list;
    mapping_candidates(&mapping, AUDIENCE_PUBLIC, &list);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.list[0].address.family, FAMILY_IPV6);
    assert_int_equal(list.list[1].kind, CANDIDATE_REFLEXIVE);
    mapping_candidates(&mapping, AUDIENCE_PEER, &list);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.list[2].address.ip[0], 10);
    assert_int_equal(list.list[2].address.port, PORT);
}

// A reflector in our own LAN sees the private address: it says nothing about the NAT.
static void test_reflector_inside_the_lan(void **)
{
    const struct address host = address_of_ipv4(10, 1, 0, 2, 0);
    const struct address inside = address_of_ipv4(10, 1, 0, 9, 3478);
    const struct address private = address_of_ipv4(10, 1, 0, 2, PORT);
    mapping_set_hosts(&mapping, now, &host, 1);
    add(&inside);
    add(&reflector_a);
    tick();
    assert_int_equal(answer(&inside, private), OK);
    assert_int_equal(answer(&reflector_a, seen), OK);
    assert_true(address_equal(&mapping.view.reflexive, &seen));
    assert_int_equal(mapping_view(&mapping).nat_class, NAT_UNKNOWN);
}

static void test_network_change_asks_again(void **)
{
    add(&reflector_a);
    tick();
    assert_int_equal(answer(&reflector_a, seen), OK);
    drain();
    now.ms += 1000;
    const struct address host = address_of_ipv4(10, 1, 0, 2, 0);
    mapping_set_hosts(&mapping, now, &host, 1);
    drain();
    assert_int_equal(changes, 1);
    assert_int_equal(mapping_deadline(&mapping).ms, now.ms);
    // The same hosts again: nothing. Many requests: rounds keep their distance.
    tick();
    mapping_set_hosts(&mapping, now, &host, 1);
    drain();
    assert_int_equal(changes, 0);
    mapping_restart(&mapping, now);
    mapping_restart(&mapping, now);
    assert_int_equal(mapping_deadline(&mapping).ms - now.ms, MAPPING_ROUND_GAP_MS);
}

#define MACHINE_TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MACHINE_TEST(test_first_answer_is_used_at_once),
        MACHINE_TEST(test_two_that_agree_are_easy),
        MACHINE_TEST(test_late_reflector_joins_the_round),
        MACHINE_TEST(test_one_network_of_reflectors_is_single),
        MACHINE_TEST(test_one_address_tells_no_class),
        MACHINE_TEST(test_two_that_differ_are_hard),
        MACHINE_TEST(test_one_liar_among_three_changes_nothing),
        MACHINE_TEST(test_own_address_means_no_nat),
        MACHINE_TEST(test_changed_mapping_is_reported),
        MACHINE_TEST(test_repeats_then_blocked),
        MACHINE_TEST(test_known_mapping_survives_one_lost_round),
        MACHINE_TEST(test_refused_responses),
        MACHINE_TEST(test_unusable_mapped_addresses),
        MACHINE_TEST(test_table_of_reflectors),
        MACHINE_TEST(test_candidates_and_audience),
        MACHINE_TEST(test_reflector_inside_the_lan),
        MACHINE_TEST(test_network_change_asks_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

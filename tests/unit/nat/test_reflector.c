// SPDX-License-Identifier: GPL-3.0-or-later
//
// The two fences against being used as a weapon: the reflector's budgets and the probe limiter.
#include "nat/limiter.h"
#include "nat/reflector.h"
#include "tests/unit/unit.h"

static struct reflector reflector;
static struct mono now;
static const struct address from = {FAMILY_IPV4, {198, 51, 100, 2}, 40000};
static const struct stun_transaction transaction = {{5}};

static int setup(void **)
{
    reflector_init(&reflector);
    now.ms = 1000;
    return 0;
}

static struct stun_message decoded(const struct writer *writer)
{
    struct stun_message message;
    assert_int_equal(stun_decode(writer_written(writer), &message), OK);
    return message;
}

static enum status ask(const struct address *who, const struct stun_message *request,
    struct span manifest, struct stun_message *ret)
{
    uint8_t room[STUN_MESSAGE_MAX];
    struct writer writer = writer_of(room, sizeof room);
    enum status status = reflector_answer(&reflector, now, who, request, manifest, &writer);
    if (status == OK) {
        assert_true(writer.size <= request->size);
        *ret = decoded(&writer);
        ret->manifest.data = NULL;
    }
    return status;
}

static struct stun_message binding_request(void)
{
    uint8_t room[STUN_MESSAGE_MAX];
    struct writer writer = writer_of(room, sizeof room);
    assert_int_equal(stun_encode_binding_request(&writer, &transaction), OK);
    return decoded(&writer);
}

static void test_binding_is_answered(void **)
{
    static const struct address ipv6 = {FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8}, 40000};
    struct stun_message request = binding_request();
    struct stun_message answer = {.size = 0};
    assert_int_equal(ask(&from, &request, span_of(NULL, 0), &answer), OK);
    assert_int_equal(answer.kind, STUN_SUCCESS);
    assert_true(address_equal(&answer.mapped, &from));
    assert_int_equal(ask(&ipv6, &request, span_of(NULL, 0), &answer), OK);
    assert_true(address_equal(&answer.mapped, &ipv6));
}

static void test_unknown_attributes_get_420(void **)
{
    struct stun_message request = binding_request();
    struct stun_message answer = {.size = 0};
    request.unknown_count = STUN_UNKNOWN_MAX;
    assert_int_equal(ask(&from, &request, span_of(NULL, 0), &answer), OK);
    assert_int_equal(answer.kind, STUN_ERROR);
    assert_int_equal(answer.error_code, 420);
}

static void test_manifest(void **)
{
    uint8_t room[STUN_MESSAGE_MAX];
    uint8_t manifest[STUN_MANIFEST_MAX] = {7};
    struct writer writer = writer_of(room, sizeof room);
    assert_int_equal(stun_encode_manifest_request(&writer, &transaction), OK);
    struct stun_message request = decoded(&writer);
    struct stun_message answer = {.size = 0};
    struct span bytes = span_of(manifest, sizeof manifest);
    assert_int_equal(ask(&from, &request, bytes, &answer), OK);
    assert_int_equal(answer.manifest.size, STUN_MANIFEST_MAX);
    assert_int_equal(ask(&from, &request, span_of(NULL, 0), &answer), ERR_NOT_FOUND);
    request.size -= 4;
    assert_int_equal(ask(&from, &request, bytes, &answer), ERR_TRUNCATED);
}

static void test_refused(void **)
{
    struct stun_message request = binding_request();
    struct stun_message answer = {.size = 0};
    struct stun_message changed = request;
    changed.size = 28; // shorter than the answer
    assert_int_equal(ask(&from, &changed, span_of(NULL, 0), &answer), ERR_TRUNCATED);
    changed = request;
    changed.kind = STUN_SUCCESS;
    assert_int_equal(ask(&from, &changed, span_of(NULL, 0), &answer), ERR_UNSUPPORTED);
    changed = request;
    changed.has_mac = true;
    assert_int_equal(ask(&from, &changed, span_of(NULL, 0), &answer), ERR_UNSUPPORTED);
    uint8_t room[16];
    struct writer writer = writer_of(room, sizeof room);
    assert_int_equal(
        reflector_answer(&reflector, now, &from, &request, span_of(NULL, 0), &writer), ERR_FULL);
}

static void test_budget_per_prefix(void **)
{
    struct stun_message request = binding_request();
    struct stun_message answer = {.size = 0};
    struct address flooder = from;
    unsigned answered = 0;
    for (unsigned i = 0; i < 1000; i++) {
        flooder.ip[3] = (uint8_t)i; // addresses of one /24 share the budget
        answered += ask(&flooder, &request, span_of(NULL, 0), &answer) == OK;
    }
    assert_int_equal(answered, REFLECTOR_PREFIX_BURST);
    assert_int_equal(ask(&flooder, &request, span_of(NULL, 0), &answer), ERR_RATE);
    const struct address other = address_of_ipv4(203, 0, 113, 1, 40000);
    assert_int_equal(ask(&other, &request, span_of(NULL, 0), &answer), OK);
    now.ms += 1000;
    assert_int_equal(ask(&flooder, &request, span_of(NULL, 0), &answer), OK);
}

static void test_budget_for_all(void **)
{
    struct stun_message request = binding_request();
    struct stun_message answer = {.size = 0};
    unsigned answered = 0;
    for (unsigned i = 0; i < 20000; i++) {
        struct address flooder =
            address_of_ipv4(11, (uint8_t)(i >> 8), (uint8_t)i, 1, 40000); // a /24 each
        answered += ask(&flooder, &request, span_of(NULL, 0), &answer) == OK;
    }
    assert_int_equal(answered, REFLECTOR_TOTAL_BURST);
}

static void test_limiter_counts_by_prefix(void **)
{
    struct probe_limiter limiter;
    struct limiter_entry entries[2];
    struct address target = from;
    limiter_init(&limiter, entries, 2);
    for (int i = 0; i < LIMITER_PROBES_MAX; i++) {
        target.ip[3] = (uint8_t)i;
        assert_true(limiter_take(&limiter, now, &target));
        now.ms += 1000;
    }
    assert_false(limiter_take(&limiter, now, &target));
    // The window counts from the last probe: never more than 64 in any 10 minutes.
    now.ms += LIMITER_WINDOW_MS - 1001;
    assert_false(limiter_take(&limiter, now, &target));
    now.ms += 1;
    assert_true(limiter_take(&limiter, now, &target));
}

static void test_limiter_gives_back(void **)
{
    struct probe_limiter limiter;
    struct limiter_entry entries[2];
    limiter_init(&limiter, entries, 2);
    for (int i = 0; i < LIMITER_PROBES_MAX; i++) {
        assert_true(limiter_take(&limiter, now, &from));
    }
    limiter_give_back(&limiter, &from, 10);
    for (int i = 0; i < 10; i++) {
        assert_true(limiter_take(&limiter, now, &from));
    }
    assert_false(limiter_take(&limiter, now, &from));
    limiter_give_back(&limiter, &from, UINT32_MAX);
    assert_int_equal(limiter.count, 0);
    limiter_give_back(&limiter, &from, 1); // unknown: nothing happens
}

static void test_limiter_full_refuses(void **)
{
    struct probe_limiter limiter;
    struct limiter_entry entries[2];
    limiter_init(&limiter, entries, 2);
    const struct address first = address_of_ipv4(11, 0, 0, 1, 2000);
    const struct address second = address_of_ipv4(12, 0, 0, 1, 2000);
    const struct address third = address_of_ipv4(13, 0, 0, 1, 2000);
    assert_true(limiter_take(&limiter, now, &first));
    assert_true(limiter_take(&limiter, now, &second));
    assert_false(limiter_take(&limiter, now, &third));
    now.ms += LIMITER_WINDOW_MS;
    assert_true(limiter_take(&limiter, now, &third));
}

// Against a naive list of all probes, at random.
static void test_limiter_oracle(void **)
{
    enum { PROBES_MAX = 20000, PREFIXES = 6 };
    static uint64_t taken_ms[PREFIXES][PROBES_MAX];
    size_t taken_count[PREFIXES] = {0};
    struct probe_limiter limiter;
    struct limiter_entry entries[PREFIXES];
    struct rng rng;
    static const uint8_t seed[RNG_SEED_SIZE] = {3};
    rng_seed(&rng, seed);
    limiter_init(&limiter, entries, PREFIXES);
    for (int step = 0; step < PROBES_MAX; step++) {
        now.ms += rng_below(&rng, 100) == 0 ? rng_below(&rng, LIMITER_WINDOW_MS) : 20;
        uint8_t which = (uint8_t)rng_below(&rng, PREFIXES);
        struct address to = address_of_ipv4(20, 0, which, (uint8_t)step, 2000);
        if (limiter_take(&limiter, now, &to)) {
            taken_ms[which][taken_count[which]++] = now.ms;
        }
        size_t in_window = 0;
        for (size_t i = taken_count[which]; i > 0; i--) {
            in_window += now.ms - taken_ms[which][i - 1] < LIMITER_WINDOW_MS;
        }
        assert_true(in_window <= LIMITER_PROBES_MAX);
    }
}

#define MACHINE_TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MACHINE_TEST(test_binding_is_answered),
        MACHINE_TEST(test_unknown_attributes_get_420),
        MACHINE_TEST(test_manifest),
        MACHINE_TEST(test_refused),
        MACHINE_TEST(test_budget_per_prefix),
        MACHINE_TEST(test_budget_for_all),
        MACHINE_TEST(test_limiter_counts_by_prefix),
        MACHINE_TEST(test_limiter_gives_back),
        MACHINE_TEST(test_limiter_full_refuses),
        MACHINE_TEST(test_limiter_oracle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// One path machine alone: which packets it sends and which it never does, each reason of failure,
// each refusal of a datagram.
#include "nat/nat.h"
#include "tests/unit/unit.h"

static struct path path;
static struct probe_key own_key;
static struct probe_key peer_key;
static struct probe_limiter limiter;
static struct limiter_entry entries[8];
static struct rng rng;
static struct mono now;

static struct candidates own_candidates;
static struct candidates peer_candidates;
static struct prefix subnet;
static struct path_own own;
static struct path_peer peer;

// What the last drain saw.
static struct path_output sends[64];
static size_t send_count, low_ttl_count, intent_count, validated_count, failed_count;
static enum path_why why;
static bool reply;

static const struct address reflexive = {FAMILY_IPV4, {198, 51, 100, 2}, 51820};
static const struct address host = {FAMILY_IPV4, {203, 0, 113, 9}, 51820};

static int setup(void **)
{
    static const uint8_t seed[RNG_SEED_SIZE] = {9};
    const struct path_config config = {.controlling = true};
    rng_seed(&rng, seed);
    now.ms = 100000;
    memset(&own_key.out, 1, sizeof own_key.out);
    memset(&own_key.in, 2, sizeof own_key.in);
    peer_key = (struct probe_key){.out = own_key.in, .in = own_key.out};
    limiter_init(&limiter, entries, 8);
    path_init(&path, &config, &own_key);
    own_candidates = peer_candidates = (struct candidates){0};
    subnet = (struct prefix){.base = address_of_ipv4(10, 1, 0, 0, 0), .length = 24};
    own = (struct path_own){
        .nat_class = NAT_EASY,
        .candidates = &own_candidates,
        .subnets = &subnet,
        .subnet_count = 1,
    };
    peer = (struct path_peer){.nat_class = NAT_EASY, .candidates = &peer_candidates};
    return 0;
}

static void offer(enum candidate_kind kind, struct address address)
{
    peer_candidates.list[peer_candidates.count++] =
        (struct candidate){.kind = kind, .address = address};
}

static void drain(void)
{
    struct path_output output;
    send_count = low_ttl_count = intent_count = validated_count = failed_count = 0;
    while (path_next_output(&path, now, &limiter, &rng, &output)) {
        switch (output.kind) {
        case PATH_OUTPUT_SEND:
            assert_true(send_count < 64);
            // Nothing at full TTL, and no intent, may precede the pre-punch.
            assert_true(output.ttl == 0 || (send_count == low_ttl_count && intent_count == 0));
            low_ttl_count += output.ttl != 0;
            sends[send_count++] = output;
            break;
        case PATH_OUTPUT_INTENT:
            intent_count++;
            reply = output.reply;
            break;
        case PATH_OUTPUT_VALIDATED:
            validated_count++;
            break;
        case PATH_OUTPUT_FAILED:
            failed_count++;
            why = output.why;
            break;
        case PATH_OUTPUT_CONNECTED:
        case PATH_OUTPUT_LOST:
            break;
        }
    }
}

static void start(void)
{
    path_start(&path, now, &own, &peer);
    drain();
}

static void on_intent(bool answer)
{
    path_on_intent(&path, now, &own, &peer, answer);
    drain();
}

// Runs the machine's deadlines, without any answer, for `for_ms`. Returns how much was sent.
static size_t run(uint64_t for_ms)
{
    const uint64_t end_ms = now.ms + for_ms;
    size_t total = 0;
    while (path_deadline(&path).ms <= end_ms) {
        now = path_deadline(&path);
        path_on_deadline(&path, now);
        drain();
        total += send_count;
        assert_true(path_deadline(&path).ms > now.ms);
        if (failed_count > 0) {
            break;
        }
    }
    now.ms = now.ms > end_ms ? now.ms : end_ms;
    return total;
}

static enum status receive(struct span bytes, const struct address *from)
{
    struct stun_message message;
    assert_int_equal(stun_decode(bytes, &message), OK);
    return path_on_probe(&path, now, &limiter, from, &message);
}

// The peer's answer to what was sent.
static enum status answer_to(const struct path_output *sent, const struct address *from)
{
    struct stun_message request;
    assert_int_equal(stun_decode(span_of(sent->bytes, sent->size), &request), OK);
    uint8_t room[PROBE_SIZE];
    struct writer writer = writer_of(room, sizeof room);
    assert_int_equal(probe_encode_success(&writer, &peer_key, &request.transaction, from), OK);
    return receive(writer_written(&writer), from);
}

static enum status request_from(const struct address *from)
{
    struct stun_transaction transaction = stun_transaction_draw(&rng);
    uint8_t room[PROBE_SIZE];
    struct writer writer = writer_of(room, sizeof room);
    assert_int_equal(probe_encode_request(&writer, &peer_key, &transaction), OK);
    return receive(writer_written(&writer), from);
}

static bool is_sent_to(const struct address *to)
{
    for (size_t i = 0; i < send_count; i++) {
        if (address_equal(&sends[i].to, to)) {
            return true;
        }
    }
    return false;
}

static void connect_to(const struct address *address)
{
    offer(CANDIDATE_HOST, *address);
    start();
    now.ms += 5;
    assert_int_equal(answer_to(&sends[0], address), OK);
    drain();
    assert_int_equal(validated_count, 1);
    assert_int_equal(path.state, PATH_VALIDATED);
    now.ms += 50;
    struct path_device device = {.has_handshake = true, .handshake_age_ms = 10, .rx_bytes = 92};
    path_on_device(&path, now, &device);
    drain();
    assert_int_equal(path.state, PATH_CONNECTED);
}

static void test_reflexive_waits_for_the_peer(void **)
{
    offer(CANDIDATE_REFLEXIVE, reflexive);
    start();
    assert_int_equal(path.state, PATH_PUNCHING);
    assert_int_equal(send_count, 1);
    assert_int_equal(sends[0].ttl, PATH_PREPUNCH_TTL);
    assert_int_equal(intent_count, 1);
    assert_false(reply);
    assert_int_equal(run(PATH_UNHEARD_PROBE_MS - 1), 0);
    on_intent(false);
    assert_int_equal(path.state, PATH_PROBING);
    assert_int_equal(send_count, 1);
    assert_int_equal(sends[0].ttl, 0);
    assert_int_equal(intent_count, 0);
}

static void test_intent_is_answered_after_the_pre_punch(void **)
{
    offer(CANDIDATE_REFLEXIVE, reflexive);
    on_intent(true);
    assert_int_equal(low_ttl_count, 1);
    assert_int_equal(send_count, 2);
    assert_int_equal(intent_count, 1);
    assert_true(reply);
}

static void test_schedule_of_probes(void **)
{
    static const uint64_t at_ms[] = {
        20, 70, 170, 420, 670, 920, 1170, 1420, 1670, 1920, 2170, 3170};
    offer(CANDIDATE_HOST, host);
    start();
    const uint64_t begun_ms = now.ms;
    for (size_t i = 0; i < sizeof at_ms / sizeof at_ms[0]; i++) {
        now = path_deadline(&path);
        assert_int_equal(now.ms - begun_ms, at_ms[i]);
        path_on_deadline(&path, now);
        drain();
        assert_int_equal(send_count, 1);
    }
}

static void test_silent_peer_is_probed_late(void **)
{
    offer(CANDIDATE_REFLEXIVE, reflexive);
    start();
    size_t sent = run(PATH_ATTEMPT_MS);
    assert_int_equal(failed_count, 1);
    assert_int_equal(why, PATH_WHY_PEER_SILENT);
    // Three such attempts fit into the limiter's window.
    assert_true(3 * sent <= LIMITER_PROBES_MAX + 3 * 3);
    assert_true(sent > 15 && sent < 24);
    assert_int_equal(path.state, PATH_BACKOFF);
    // Silent for longer than a NAT keeps a clash.
    assert_true(path_deadline(&path).ms - now.ms >= PATH_BACKOFF_MIN_MS);
}

static void test_no_answer(void **)
{
    offer(CANDIDATE_REFLEXIVE, reflexive);
    start();
    on_intent(false);
    (void)run(PATH_ATTEMPT_MS);
    assert_int_equal(why, PATH_WHY_NO_ANSWER);
}

static void test_hard_to_easy(void **)
{
    own.nat_class = NAT_HARD;
    offer(CANDIDATE_REFLEXIVE, reflexive);
    start();
    on_intent(false);
    (void)run(PATH_ATTEMPT_MS);
    assert_int_equal(why, PATH_WHY_HARD_TO_EASY);
}

static void test_both_hard_fails_at_once(void **)
{
    own.nat_class = peer.nat_class = NAT_HARD;
    offer(CANDIDATE_REFLEXIVE, reflexive);
    start();
    assert_int_equal(send_count, 0);
    on_intent(false);
    assert_int_equal(failed_count, 1);
    assert_int_equal(why, PATH_WHY_BOTH_HARD);
}

static void test_no_candidates(void **)
{
    start();
    (void)run(PATH_ATTEMPT_MS);
    assert_int_equal(why, PATH_WHY_NO_CANDIDATES);
}

static void test_own_udp_blocked(void **)
{
    own.nat_class = NAT_BLOCKED;
    offer(CANDIDATE_REFLEXIVE, reflexive);
    start();
    (void)run(PATH_ATTEMPT_MS);
    assert_int_equal(why, PATH_WHY_OWN_UDP_BLOCKED);
}

static void test_probe_limit(void **)
{
    for (int i = 0; i < LIMITER_PROBES_MAX - 3; i++) {
        assert_true(limiter_take(&limiter, now, &host));
    }
    offer(CANDIDATE_HOST, host);
    start();
    size_t sent = send_count;
    sent += run(PATH_ATTEMPT_MS);
    assert_int_equal(sent, 3);
    assert_int_equal(why, PATH_WHY_PROBE_LIMIT);
}

static void test_no_handshake_then_backoff(void **)
{
    offer(CANDIDATE_HOST, host);
    start();
    assert_int_equal(answer_to(&sends[0], &host), OK);
    drain();
    assert_int_equal(validated_count, 1);
    (void)run(PATH_HANDSHAKE_MS);
    assert_int_equal(why, PATH_WHY_NO_HANDSHAKE);
}

static void test_backoff_grows_and_ends(void **)
{
    uint64_t last_ms = 0;
    offer(CANDIDATE_HOST, host);
    start();
    for (int attempt = 0; attempt < 8; attempt++) {
        (void)run(PATH_ATTEMPT_MS);
        assert_int_equal(failed_count, 1);
        uint64_t wait_ms = path_deadline(&path).ms - now.ms;
        assert_true(attempt > 3 || wait_ms > last_ms);
        assert_true(wait_ms <= PATH_BACKOFF_MAX_MS * 9 / 8);
        last_ms = wait_ms;
        now = path_deadline(&path);
        path_on_deadline(&path, now);
        drain();
        assert_int_equal(path.state, PATH_PROBING);
        assert_int_equal(intent_count, 1);
    }
}

static void test_rx_silence_loses_the_path(void **)
{
    connect_to(&host);
    struct path_device device = {.has_handshake = true, .handshake_age_ms = 1000, .rx_bytes = 92};
    now.ms += PATH_RX_SILENT_MS;
    path_on_device(&path, now, &device);
    assert_int_equal(path.state, PATH_CONNECTED);
    now.ms += 1;
    path_on_device(&path, now, &device);
    assert_int_equal(path.state, PATH_PROBING);
    assert_int_equal(path.why, PATH_WHY_RX_SILENT);
    assert_false(path_is_connected(&path));
    drain();
    assert_int_equal(intent_count, 1);
    assert_true(is_sent_to(&host)); // where it was is tried first
}

static void test_stale_handshake_loses_the_path(void **)
{
    connect_to(&host);
    struct path_device device = {
        .has_handshake = true, .handshake_age_ms = PATH_HANDSHAKE_FRESH_MS, .rx_bytes = 500};
    path_on_device(&path, now, &device);
    assert_int_equal(path.state, PATH_PROBING);
}

static void test_peer_that_reached_us_by_itself(void **)
{
    offer(CANDIDATE_REFLEXIVE, reflexive);
    start();
    (void)run(PATH_ATTEMPT_MS);
    assert_int_equal(path.state, PATH_BACKOFF);
    now.ms += 1000;
    struct path_device device = {.has_handshake = true, .handshake_age_ms = 100, .rx_bytes = 148};
    path_on_device(&path, now, &device);
    assert_int_equal(path.state, PATH_CONNECTED);
    assert_true(path_is_connected(&path));
}

// The peer validated first, and its handshake was there before our own probe was answered; the
// device tells its time in whole seconds.
static void test_handshake_before_validation(void **)
{
    struct path_device device = {.has_handshake = true, .handshake_age_ms = 999, .rx_bytes = 148};
    offer(CANDIDATE_HOST, host);
    start();
    assert_int_equal(answer_to(&sends[0], &host), OK);
    drain();
    path_on_device(&path, now, &device);
    assert_int_equal(path.state, PATH_CONNECTED);
    setup(NULL);
    offer(CANDIDATE_REFLEXIVE, reflexive);
    start();
    assert_int_equal(request_from(&reflexive), OK);
    device.handshake_age_ms = 2000; // an old one
    path_on_device(&path, now, &device);
    assert_int_equal(path.state, PATH_PROBING);
    device.handshake_age_ms = 999;
    path_on_device(&path, now, &device);
    assert_int_equal(path.state, PATH_CONNECTED);
    assert_int_equal(path.rung, PATH_RUNG_REFLEXIVE);
}

// The fence: whatever the peer names, nothing of this is ever sent to.
static void test_forbidden_targets(void **)
{
    static const struct {
        enum candidate_kind kind;
        struct address address;
    } forbidden[] = {
        {CANDIDATE_HOST, {FAMILY_IPV4, {203, 0, 113, 9}, 53}},
        {CANDIDATE_HOST, {FAMILY_IPV4, {203, 0, 113, 9}, 1023}},
        {CANDIDATE_HOST, {FAMILY_IPV4, {127, 0, 0, 1}, 51820}},
        {CANDIDATE_HOST, {FAMILY_IPV4, {10, 9, 0, 1}, 51820}}, // private, not our subnet
        {CANDIDATE_HOST, {FAMILY_IPV4, {169, 254, 0, 1}, 51820}},
        {CANDIDATE_HOST, {FAMILY_IPV4, {224, 0, 0, 1}, 51820}},
        {CANDIDATE_HOST, {FAMILY_IPV4, {255, 255, 255, 255}, 51820}},
        {CANDIDATE_REFLEXIVE, {FAMILY_IPV4, {0, 0, 0, 0}, 51820}},
        {CANDIDATE_HOST, {FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8}, 51820}}, // no IPv6 socket
        {CANDIDATE_RELAY, {FAMILY_IPV4, {203, 0, 113, 9}, 51820}},
        {CANDIDATE_HOST_NAME, {FAMILY_IPV4, {203, 0, 113, 9}, 51820}},
        {CANDIDATE_HOST, {FAMILY_NONE, {0}, 0}},
    };
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++) {
        setup(NULL);
        offer(forbidden[i].kind, forbidden[i].address);
        start();
        size_t sent = send_count;
        on_intent(true);
        sent += send_count;
        sent += run(PATH_ATTEMPT_MS);
        assert_int_equal(sent, 0);
        assert_int_equal(why, PATH_WHY_NO_CANDIDATES);
    }
    setup(NULL);
    offer(CANDIDATE_HOST, host);
    own_candidates.list[own_candidates.count++].address = host; // ourselves
    start();
    assert_int_equal(send_count, 0);
}

static void test_own_subnet_is_allowed(void **)
{
    const struct address lan = address_of_ipv4(10, 1, 0, 9, 51820);
    offer(CANDIDATE_HOST, lan);
    start();
    assert_true(is_sent_to(&lan));
    assert_int_equal(sends[0].ttl, 0);
}

static void test_ipv6_where_the_socket_can(void **)
{
    const struct address ipv6 = {FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8}, 51820};
    path.config.ipv6 = true;
    offer(CANDIDATE_HOST, ipv6);
    start();
    assert_true(is_sent_to(&ipv6));
}

static void test_refused_datagrams(void **)
{
    offer(CANDIDATE_HOST, host);
    start();
    uint8_t room[PROBE_SIZE];
    struct stun_transaction transaction = stun_transaction_draw(&rng);
    // Nobody asked for this one.
    struct writer writer = writer_of(room, sizeof room);
    assert_int_equal(probe_encode_success(&writer, &peer_key, &transaction, &host), OK);
    assert_int_equal(receive(writer_written(&writer), &host), ERR_MISMATCH);
    // Another pair's key.
    struct probe_key stranger = peer_key;
    stranger.out.tag[0] ^= 1;
    writer = writer_of(room, sizeof room);
    assert_int_equal(probe_encode_request(&writer, &stranger, &transaction), OK);
    assert_int_equal(receive(writer_written(&writer), &host), ERR_NOT_FOUND);
    // The tag overheard, the key not.
    stranger = peer_key;
    stranger.out.key[0] ^= 1;
    writer = writer_of(room, sizeof room);
    assert_int_equal(probe_encode_request(&writer, &stranger, &transaction), OK);
    assert_int_equal(receive(writer_written(&writer), &host), ERR_SIGNATURE);
    // A kind that no probe has.
    struct stun_message message;
    assert_int_equal(stun_decode(writer_written(&writer), &message), OK);
    message.kind = STUN_INDICATION;
    assert_int_equal(path_on_probe(&path, now, &limiter, &host, &message), ERR_UNSUPPORTED);
    message.kind = STUN_REQUEST;
    message.size = PROBE_SIZE - 4;
    assert_int_equal(path_on_probe(&path, now, &limiter, &host, &message), ERR_TRUNCATED);
    // The right answer, from elsewhere; then from where it was asked, once.
    struct path_output sent = sends[0];
    assert_int_equal(answer_to(&sent, &reflexive), ERR_MISMATCH);
    drain();
    assert_int_equal(validated_count, 0);
    assert_int_equal(answer_to(&sent, &host), OK);
    assert_int_equal(answer_to(&sent, &host), ERR_MISMATCH);
}

static void test_requests_are_limited(void **)
{
    connect_to(&host);
    unsigned answered = 0;
    enum status status = OK;
    for (int i = 0; i < 2000; i++) {
        status = request_from(&host);
        drain();
        answered += (unsigned)send_count;
    }
    assert_int_equal(status, ERR_RATE);
    assert_true(answered <= PATH_REQUESTS_PER_SECOND);
    // Without draining only so many answers are kept.
    now.ms += 10000;
    for (int i = 0; i <= PATH_ANSWERS_MAX; i++) {
        assert_int_equal(request_from(&host), i < PATH_ANSWERS_MAX ? OK : ERR_RATE);
    }
    drain();
    assert_int_equal(send_count, PATH_ANSWERS_MAX);
}

static void test_request_makes_a_peer_reflexive_target(void **)
{
    const struct address seen = address_of_ipv4(198, 51, 100, 2, 40001);
    offer(CANDIDATE_REFLEXIVE, reflexive);
    start();
    assert_int_equal(request_from(&seen), OK);
    drain();
    assert_int_equal(path.state, PATH_PROBING);
    assert_true(is_sent_to(&seen));
    assert_int_equal(sends[0].size, PROBE_SIZE - 12); // the answer, with an IPv4 address
    for (size_t i = 0; i < send_count; i++) {
        if (sends[i].size == PROBE_SIZE && address_equal(&sends[i].to, &seen)) {
            assert_int_equal(answer_to(&sends[i], &seen), OK);
        }
    }
    drain();
    assert_int_equal(validated_count, 1);
    assert_true(address_equal(&path.current, &seen));
}

static void test_request_wakes_an_idle_path(void **)
{
    assert_int_equal(request_from(&host), OK);
    drain();
    assert_int_equal(path.state, PATH_PROBING);
    assert_int_equal(send_count, 2);
    assert_int_equal(intent_count, 0);
    // From a port that we never send to, it is answered and no more.
    setup(NULL);
    const struct address low = address_of_ipv4(203, 0, 113, 9, 53);
    assert_int_equal(request_from(&low), OK);
    drain();
    assert_int_equal(path.state, PATH_IDLE);
    assert_int_equal(send_count, 1);
}

static void test_answers_give_the_limit_back(void **)
{
    offer(CANDIDATE_HOST, host);
    start();
    (void)run(1000);
    assert_int_equal(limiter.count, 1);
    struct path_output last = sends[0];
    assert_int_equal(answer_to(&last, &host), OK);
    assert_int_equal(limiter.count, 0);
}

static void test_stop_forgets(void **)
{
    connect_to(&host);
    path_stop(&path, now);
    assert_int_equal(path.state, PATH_IDLE);
    assert_false(path_is_connected(&path));
    assert_int_equal(path.target_count, 0);
    assert_int_equal(path_deadline(&path).ms, UINT64_MAX);
    drain();
    assert_int_equal(send_count, 0);
}

static void test_texts(void **)
{
    for (int i = PATH_WHY_NONE; i <= PATH_WHY_RX_SILENT; i++) {
        assert_string_not_equal(path_why_text((enum path_why)i), "unknown");
    }
    for (int i = PATH_IDLE; i <= PATH_BACKOFF; i++) {
        assert_string_not_equal(path_state_name((enum path_state)i), "unknown");
    }
    for (int i = PATH_RUNG_NONE; i <= PATH_RUNG_REFLEXIVE; i++) {
        assert_string_not_equal(path_rung_name((enum path_rung)i), "unknown");
    }
    for (int i = PATH_NOTE_NONE; i <= PATH_NOTE_THROUGH_NAT; i++) {
        assert_string_not_equal(path_note_text((enum path_note)i), "unknown");
    }
}

// Any inputs in any order: legal transitions only (asserted inside), bounded output, and never more
// probes to one prefix than the limiter allows.
static void test_random_inputs(void **)
{
    for (int seed = 0; seed < 50; seed++) {
        setup(NULL);
        uint8_t bytes[RNG_SEED_SIZE] = {(uint8_t)seed};
        rng_seed(&rng, bytes);
        for (int step = 0; step < 400; step++) {
            now.ms += rng_below(&rng, 4) == 0 ? rng_below(&rng, 60000) : rng_below(&rng, 300);
            struct address from = address_of_ipv4(198, 51, 100, (uint8_t)rng_below(&rng, 4), 51820);
            own.nat_class = (enum nat_class)rng_below(&rng, 5);
            peer.nat_class = (enum nat_class)rng_below(&rng, 5);
            peer_candidates.count = 0;
            for (uint64_t i = rng_below(&rng, 9); i > 0; i--) {
                offer((enum candidate_kind)rng_below(&rng, 5),
                    address_of_ipv4(10, 1, (uint8_t)rng_below(&rng, 2),
                        (uint8_t)rng_below(&rng, 250), (uint16_t)rng_below(&rng, 65536)));
            }
            struct path_device device = {
                .has_handshake = rng_below(&rng, 2) == 0,
                .handshake_age_ms = rng_below(&rng, 200000),
                .rx_bytes = rng_below(&rng, 1000),
            };
            switch (rng_below(&rng, 7)) {
            case 0:
                path_start(&path, now, &own, &peer);
                break;
            case 1:
                path_on_intent(&path, now, &own, &peer, rng_below(&rng, 2) == 0);
                break;
            case 2:
                (void)request_from(&from);
                break;
            case 3:
                if (send_count > 0) {
                    (void)answer_to(&sends[send_count - 1], &sends[send_count - 1].to);
                }
                break;
            case 4:
                path_on_device(&path, now, &device);
                break;
            case 5:
                path_on_deadline(&path, now);
                break;
            default:
                if (rng_below(&rng, 20) == 0) {
                    path_stop(&path, now);
                }
                break;
            }
            // The order of outputs is not checked here: probes of several inputs may be due.
            struct path_output output;
            send_count = 0;
            for (int count = 0; path_next_output(&path, now, &limiter, &rng, &output); count++) {
                assert_true(count < 40);
                if (output.kind == PATH_OUTPUT_SEND && output.size == PROBE_SIZE) {
                    sends[send_count++] = output;
                }
            }
            for (size_t i = 0; i < limiter.count; i++) {
                assert_true(entries[i].unanswered <= LIMITER_PROBES_MAX);
            }
        }
    }
}

#define MACHINE_TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MACHINE_TEST(test_reflexive_waits_for_the_peer),
        MACHINE_TEST(test_intent_is_answered_after_the_pre_punch),
        MACHINE_TEST(test_schedule_of_probes),
        MACHINE_TEST(test_silent_peer_is_probed_late),
        MACHINE_TEST(test_no_answer),
        MACHINE_TEST(test_hard_to_easy),
        MACHINE_TEST(test_both_hard_fails_at_once),
        MACHINE_TEST(test_no_candidates),
        MACHINE_TEST(test_own_udp_blocked),
        MACHINE_TEST(test_probe_limit),
        MACHINE_TEST(test_no_handshake_then_backoff),
        MACHINE_TEST(test_backoff_grows_and_ends),
        MACHINE_TEST(test_rx_silence_loses_the_path),
        MACHINE_TEST(test_stale_handshake_loses_the_path),
        MACHINE_TEST(test_peer_that_reached_us_by_itself),
        MACHINE_TEST(test_handshake_before_validation),
        MACHINE_TEST(test_forbidden_targets),
        MACHINE_TEST(test_own_subnet_is_allowed),
        MACHINE_TEST(test_ipv6_where_the_socket_can),
        MACHINE_TEST(test_refused_datagrams),
        MACHINE_TEST(test_requests_are_limited),
        MACHINE_TEST(test_request_makes_a_peer_reflexive_target),
        MACHINE_TEST(test_request_wakes_an_idle_path),
        MACHINE_TEST(test_answers_give_the_limit_back),
        MACHINE_TEST(test_stop_forgets),
        MACHINE_TEST(test_texts),
        MACHINE_TEST(test_random_inputs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The HTTP edge without a provider: what it refuses, and a call that nobody takes. Providers and
// their faults stand in tests/lab/test_chain_http.
#include "chain/http.h"

#include <poll.h>
#include <stdlib.h>

#include "tests/unit/unit.h"

static const struct chain_http_provider loopback = {.url = "http://127.0.0.1:1"};

static struct chain_http *create_one(void)
{
    struct chain_http_config config = {.providers = &loopback, .provider_count = 1};
    struct chain_http *http = NULL;
    assert_int_equal(chain_http_create(&config, &http), OK);
    return http;
}

static struct chain_http_reply await_reply(struct chain_http *http)
{
    struct chain_http_reply reply;
    while (!chain_http_next_reply(http, &reply)) {
        struct pollfd watched = {.fd = chain_http_fd(http), .events = POLLIN};
        assert_int_equal(poll(&watched, 1, 10000), 1);
        chain_http_on_ready(http);
    }
    return reply;
}

static void bad_configurations_are_refused(void **)
{
    struct chain_http_provider many[CHAIN_HTTP_PROVIDERS_MAX + 1];
    for (size_t i = 0; i <= CHAIN_HTTP_PROVIDERS_MAX; i++) {
        many[i] = loopback;
    }
    struct chain_http *http = NULL;
    struct chain_http_config config = {.providers = many};
    config.provider_count = CHAIN_HTTP_PROVIDERS_MAX + 1;
    assert_int_equal(chain_http_create(&config, &http), ERR_FULL);
    config.provider_count = CHAIN_HTTP_PROVIDERS_MAX;
    many[3].suggested = true; // at loopback
    assert_int_equal(chain_http_create(&config, &http), ERR_MALFORMED);
    many[3] = (struct chain_http_provider){.url = "http://192.0.2.1"};
    assert_int_equal(chain_http_create(&config, &http), ERR_MALFORMED);
    config.allow_http = true;
    assert_int_equal(chain_http_create(&config, &http), OK);
    chain_http_destroy(http);
    chain_http_destroy(NULL);
}

static void no_providers_are_no_fault(void **)
{
    struct chain_http_config config = {0};
    struct chain_http *http = NULL;
    assert_int_equal(chain_http_create(&config, &http), OK);
    struct chain_http_call call = {.id = 1};
    assert_int_equal(chain_http_submit(http, &call), ERR_NOT_FOUND);
    chain_http_destroy(http);
}

static void calls_beyond_the_limits_are_refused(void **)
{
    struct chain_http *http = create_one();
    uint8_t *body = calloc(1, CHAIN_HTTP_REQUEST_MAX + 1);
    assert_non_null(body);
    struct chain_http_call call = {.id = 1, .provider = 1};
    assert_int_equal(chain_http_submit(http, &call), ERR_NOT_FOUND);
    call.provider = 0;
    call.body = span_of(body, CHAIN_HTTP_REQUEST_MAX + 1);
    assert_int_equal(chain_http_submit(http, &call), ERR_TOO_LARGE);
    free(body);

    call.body = span_of_text("{}");
    for (size_t i = 0; i < CHAIN_HTTP_CALLS_MAX; i++) {
        call.id = i;
        assert_int_equal(chain_http_submit(http, &call), OK);
    }
    assert_int_equal(chain_http_submit(http, &call), ERR_FULL);
    assert_int_equal(chain_http_in_flight(http), CHAIN_HTTP_CALLS_MAX);

    // Each is answered once; a drained one makes room.
    bool seen[CHAIN_HTTP_CALLS_MAX] = {0};
    for (size_t i = 0; i < CHAIN_HTTP_CALLS_MAX; i++) {
        struct chain_http_reply reply = await_reply(http);
        assert_true(reply.call_id < CHAIN_HTTP_CALLS_MAX && !seen[reply.call_id]);
        seen[reply.call_id] = true;
        assert_int_equal(reply.outcome, CHAIN_HTTP_REFUSED);
        assert_int_equal(reply.status, 0);
        assert_int_equal(reply.body.size, 0);
    }
    assert_int_equal(chain_http_in_flight(http), 0);
    assert_int_equal(chain_http_submit(http, &call), OK);
    chain_http_destroy(http); // with a call in flight
}

static void outcomes_have_names_and_a_meaning_for_the_gate(void **)
{
    static const enum rpc_outcome expected[] = {
        [CHAIN_HTTP_ANSWERED] = RPC_ANSWERED,
        [CHAIN_HTTP_TIMEOUT] = RPC_TIMEOUT,
        [CHAIN_HTTP_REFUSED] = RPC_UNREACHABLE,
        [CHAIN_HTTP_UNRESOLVED] = RPC_UNREACHABLE,
        [CHAIN_HTTP_FORBIDDEN] = RPC_UNREACHABLE,
        [CHAIN_HTTP_TLS] = RPC_UNREACHABLE,
        [CHAIN_HTTP_TOO_LARGE] = RPC_TOO_LARGE,
        [CHAIN_HTTP_BROKEN] = RPC_UNREACHABLE,
        [CHAIN_HTTP_FAILED] = RPC_UNREACHABLE,
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        struct chain_http_reply reply = {.outcome = (enum chain_http_outcome)i,
            .status = 429,
            .retry_after_ms = 2000,
            .body = span_of_text("x")};
        struct rpc_reply answer = chain_http_rpc_reply(&reply);
        assert_int_equal(answer.outcome, expected[i]);
        assert_int_equal(answer.http_status, 429);
        assert_int_equal(answer.retry_after_ms, 2000);
        assert_int_equal(answer.body.size, 1);
        assert_true(strlen(chain_http_outcome_name(reply.outcome)) > 0);
        assert_true(strlen(chain_http_outcome_text(reply.outcome)) > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_configurations_are_refused),
        cmocka_unit_test(no_providers_are_no_fault),
        cmocka_unit_test(calls_beyond_the_limits_are_refused),
        cmocka_unit_test(outcomes_have_names_and_a_meaning_for_the_gate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The list of all tokens: complete, by quorum, to an end in any case, and resumable.
#include "tests/unit/chain/model.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    TOKENS = 500,
    PROVIDERS = 3,
    HEAD_SIZE = 12, // of a state
};

static struct model model;
static struct survey *survey;
static size_t replies;

static struct rng test_rng(void)
{
    struct rng rng;
    static const uint8_t seed[RNG_SEED_SIZE] = {9};
    rng_seed(&rng, seed);
    return rng;
}

static struct survey *make(size_t tokens_max)
{
    struct rng rng = test_rng();
    struct survey_config config = {
        .network = model_network(), .providers = PROVIDERS, .tokens_max = tokens_max};
    struct survey *made = NULL;
    assert_int_equal(survey_create(&config, &rng, model.now, &made), OK);
    return made;
}

static int start(void **)
{
    memset(&model, 0, sizeof model);
    model_start(&model, (struct gate_config){.profile = PROFILE_ERC721}, PROVIDERS);
    model.has_access = true;
    model.enumerable = true;
    for (uint64_t id = 1; id <= TOKENS; id++) {
        model_set_owner(&model, id, model_address((uint8_t)(1 + id % 3)));
        struct model_token *token = model_token(&model, id);
        memcpy(token->key, "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", 45);
        token->active = id % 10 != 0;
    }
    survey = make(600);
    replies = 0;
    return 0;
}

static int stop(void **)
{
    survey_destroy(survey);
    model_stop(&model);
    return 0;
}

// One call and its answer; false if there is none to make.
static bool answer_one(void)
{
    struct gate_call call;
    if (!survey_next_call(survey, model.now, &call)) {
        return false;
    }
    struct model_reply reply;
    uint64_t id = call.id;
    model_answer(&model, call.provider, id, call.body, &reply);
    if (reply.comes) {
        survey_on_reply(survey, model.now, id, &reply.reply);
    }
    model_reply_clear(&reply);
    replies++;
    return true;
}

static bool is_over(void)
{
    struct survey_progress progress = survey_progress(survey);
    return progress.phase == SURVEY_DONE || progress.phase == SURVEY_FAILED;
}

// Runs until the survey is over, or `replies` have come.
static void run(size_t replies_max)
{
    for (size_t steps = 0; steps < 100000 && !is_over(); steps++) {
        while (replies < replies_max && answer_one()) {
        }
        if (replies == replies_max) {
            return;
        }
        survey_on_deadline(survey, model.now);
        struct mono next = survey_next_deadline(survey);
        if (!is_over() && next.ms > model.now.mono.ms) {
            model.now.unix_time.ms += next.ms - model.now.mono.ms;
            model.now.mono = next;
        }
    }
}

static void assert_complete(void)
{
    struct survey_progress progress = survey_progress(survey);
    assert_int_equal(progress.phase, SURVEY_DONE);
    assert_int_equal(progress.found, TOKENS);
    assert_int_equal(progress.read, TOKENS);
    assert_false(progress.bounded);
    for (size_t i = 0; i < TOKENS; i++) {
        const struct survey_row *row = survey_row(survey, i);
        uint64_t id = 0;
        assert_true(token_id_to_u64(&row->token, &id));
        assert_int_equal(id, i + 1);
        struct eth_address owner = model_address((uint8_t)(1 + id % 3));
        assert_true(row->read);
        assert_int_equal(row->kind, VERDICT_YES);
        assert_true(eth_address_equal(&row->owner, &owner));
        assert_true(
            row->has_access && row->stored_key == STORED_KEY_USABLE && row->wg_key.bytes[0] == 1);
        assert_int_equal(row->active, id % 10 != 0);
        assert_true(row->has_detail);
        assert_int_equal(row->detail.created_at_s, 12345);
        assert_int_equal(row->detail.node_id_size, 4);
        assert_memory_equal(row->detail.node_id, "node", 4);
    }
}

static void all_tokens_are_listed(void **)
{
    assert_int_equal(survey_progress(survey).phase, SURVEY_FINDING);
    run(SIZE_MAX);
    assert_complete();
    // Checks, two searches of 500 in chunks of 32, 64, 128, 200, 200, and three readers of 500 in
    // chunks of 200: no call is made twice.
    assert_true(replies < 9 + 2 * (3 + 5) + 3 * 4);
}

static void by_logs_or_one_id_after_the_other_where_there_is_no_index(void **)
{
    static const enum gate_way ways[] = {GATE_WAY_LOGS, GATE_WAY_SEQUENTIAL, GATE_WAY_LOGS};
    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
        model.enumerable = false;
        for (size_t i = 0; i < PROVIDERS; i++) {
            model.providers[i].no_logs = ways[way] == GATE_WAY_SEQUENTIAL;
            model.providers[i].logs_cap = way == 2 ? 10 : 0;
        }
        run(SIZE_MAX);
        assert_complete();
        assert_int_equal(gate_enumeration_status(survey_gate(survey)).way, ways[way]);
        (void)stop(NULL);
        (void)start(NULL);
    }
}

static void one_provider_may_fail_or_lie(void **)
{
    static const enum model_fault faults[] = {FAULT_DEAD, FAULT_HANG, FAULT_HTML, FAULT_DEEP,
        FAULT_RATE_HTTP, FAULT_REFUSE, FAULT_SHORT_DATA, FAULT_SILENT, FAULT_TRUNCATED};
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        model.providers[i % PROVIDERS].fault = faults[i];
        run(SIZE_MAX);
        assert_complete();
        (void)stop(NULL);
        (void)start(NULL);
    }
    model.providers[1].lies = true;
    model.providers[1].lie = model_address(MALLORY);
    run(SIZE_MAX);
    assert_complete();
}

static void it_ends_when_nobody_answers(void **)
{
    model.providers[0].fault = FAULT_DEAD;
    model.providers[2].fault = FAULT_DEAD;
    uint64_t began_ms = model.now.mono.ms;
    run(SIZE_MAX);
    struct survey_progress progress = survey_progress(survey);
    assert_int_equal(progress.phase, SURVEY_FAILED);
    assert_string_equal(verdict_reason_name(progress.reason), "no_answer");
    assert_in_range(model.now.mono.ms - began_ms, SURVEY_STALL_MS, 2 * SURVEY_STALL_MS);
    struct gate_call call;
    assert_false(survey_next_call(survey, model.now, &call));
}

static void two_that_disagree_leave_the_row_unknown(void **)
{
    model.providers[0].fault = FAULT_DEAD;
    model.providers[1].lies = true;
    model.providers[1].lie = model_address(MALLORY);
    run(SIZE_MAX);
    assert_int_equal(survey_progress(survey).phase, SURVEY_DONE);
    const struct survey_row *row = survey_row(survey, 3);
    assert_int_equal(row->kind, VERDICT_UNKNOWN);
    assert_string_equal(verdict_reason_name(row->reason), "disagree");
    assert_true(eth_address_is_zero(&row->owner));
}

static void a_bound_is_told(void **)
{
    survey_destroy(survey);
    survey = make(100);
    run(SIZE_MAX);
    struct survey_progress progress = survey_progress(survey);
    assert_int_equal(progress.phase, SURVEY_DONE);
    assert_int_equal(progress.found, 100);
    assert_true(progress.bounded);
}

static uint8_t *export_state(struct span *ret)
{
    size_t size = survey_state_size(survey);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    struct writer writer = writer_of(bytes, size);
    assert_int_equal(survey_state_export(survey, model.now, &writer), OK);
    *ret = writer_written(&writer);
    return bytes;
}

// At whatever moment it is interrupted: the rest is done, what was read is not read again.
static void it_can_be_interrupted_anywhere(void **)
{
    for (size_t at = 0; at < 40; at++) {
        run(at);
        struct survey_progress before = survey_progress(survey);
        struct span state;
        uint8_t *bytes = export_state(&state);
        survey_destroy(survey);
        survey = make(600);
        assert_int_equal(survey_state_import(survey, model.now, state), OK);
        free(bytes);
        struct survey_progress after = survey_progress(survey);
        assert_int_equal(after.read, before.read);
        run(SIZE_MAX);
        assert_complete();
        (void)stop(NULL);
        (void)start(NULL);
    }
}

// Another process that knows what this one has kept, and nothing else.
static void restart(void)
{
    struct span state;
    uint8_t *bytes = export_state(&state);
    survey_destroy(survey);
    survey = make(600);
    assert_int_equal(survey_state_import(survey, model.now, state), OK);
    free(bytes);
}

// Small chunks, so that a search takes many calls.
static void search_in_way(enum gate_way way)
{
    model.enumerable = way == GATE_WAY_INDEX;
    for (size_t i = 0; i < PROVIDERS; i++) {
        struct model_provider *provider = &model.providers[i];
        provider->no_aggregator = way != GATE_WAY_LOGS;
        provider->batch_max = 16;
        provider->no_logs = way == GATE_WAY_SEQUENTIAL;
        provider->logs_cap = 10;
    }
    if (way == GATE_WAY_LOGS) {
        model.deployed = model_block(&model) - 700;
        for (size_t i = 0; i < TOKENS; i++) {
            model.tokens[i].owners[0].block = model.deployed + 1 + i;
        }
    }
}

// Checks of the providers, what they say of ERC721Enumerable, and chunks that begin small again.
enum { RESTART_CALLS = 9 + PROVIDERS + 8 };

static void a_search_goes_on_where_it_was(void **)
{
    static const enum gate_way ways[] = {GATE_WAY_INDEX, GATE_WAY_SEQUENTIAL, GATE_WAY_LOGS};
    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
        search_in_way(ways[way]);
        run(SIZE_MAX);
        assert_complete();
        size_t whole = replies;
        assert_true(whole > 4 * RESTART_CALLS);
        size_t restarts = 0;
        for (size_t at = 1; at < whole; at += 37) {
            (void)stop(NULL);
            (void)start(NULL);
            search_in_way(ways[way]);
            run(at);
            if (survey_progress(survey).phase != SURVEY_FINDING) {
                break;
            }
            restart();
            restarts++;
            run(SIZE_MAX);
            assert_complete();
            assert_int_equal(gate_enumeration_status(survey_gate(survey)).way, ways[way]);
            assert_in_range(replies, whole - 4, whole + RESTART_CALLS);
        }
        assert_true(restarts >= 3);
        (void)stop(NULL);
        (void)start(NULL);
    }
}

// Killed again and again, it comes to its end all the same, and has lost nothing.
static void each_life_adds_to_a_search(void **)
{
    static const enum gate_way ways[] = {GATE_WAY_INDEX, GATE_WAY_SEQUENTIAL, GATE_WAY_LOGS};
    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
        search_in_way(ways[way]);
        size_t lives = 0;
        while (survey_progress(survey).phase == SURVEY_FINDING && lives++ < 100) {
            size_t found = survey_progress(survey).found;
            run(replies + RESTART_CALLS + 10);
            restart();
            assert_true(survey_progress(survey).found >= found);
        }
        assert_in_range(lives, 4, 99);
        run(SIZE_MAX);
        assert_complete();
        (void)stop(NULL);
        (void)start(NULL);
    }
}

// Interrupted when nobody answered any more.
static void a_search_that_failed_goes_on(void **)
{
    search_in_way(GATE_WAY_INDEX);
    run(40);
    size_t found = survey_progress(survey).found;
    assert_in_range(found, 100, TOKENS - 1);
    for (size_t i = 0; i < PROVIDERS; i++) {
        model.providers[i].fault = FAULT_DEAD;
    }
    run(SIZE_MAX);
    assert_int_equal(survey_progress(survey).phase, SURVEY_FAILED);
    for (size_t i = 0; i < PROVIDERS; i++) {
        model.providers[i].fault = FAULT_NONE;
    }
    restart();
    assert_int_equal(survey_progress(survey).found, found);
    assert_int_equal(gate_enumeration_status(survey_gate(survey)).searched, found);
    replies = 0;
    run(RESTART_CALLS + 2);
    assert_true(survey_progress(survey).found > found);
    run(SIZE_MAX);
    assert_complete();
}

// The provider of the first round says that the contract is as young as its last block, or that it
// knows no token: the state that this leaves behind ends with its round.
static void a_state_of_a_liar_hides_nothing(void **)
{
    for (size_t at = 0; at < 140; at += 28) {
        search_in_way(GATE_WAY_LOGS);
        model.providers[1].logs_blind = 900;
        model.providers[1].no_past = true;
        run(at);
        restart();
        run(SIZE_MAX);
        assert_complete();
        (void)stop(NULL);
        (void)start(NULL);
    }
}

// What was found with one provider is no reason to ask fewer of three.
static void other_providers_search_anew(void **)
{
    struct rng rng = test_rng();
    struct survey_config config = {.network = model_network(), .providers = 1, .tokens_max = 600};
    survey_destroy(survey);
    assert_int_equal(survey_create(&config, &rng, model.now, &survey), OK);
    search_in_way(GATE_WAY_INDEX);
    run(30);
    size_t found = survey_progress(survey).found;
    assert_in_range(found, 100, TOKENS - 1);
    restart();
    assert_int_equal(survey_progress(survey).found, found);
    assert_int_equal(gate_enumeration_status(survey_gate(survey)).searched, 0);
    run(SIZE_MAX);
    assert_complete();
}

static void a_broken_search_is_refused(void **)
{
    search_in_way(GATE_WAY_INDEX);
    run(40);
    assert_in_range(survey_progress(survey).found, 100, TOKENS - 1);
    struct span state;
    uint8_t *bytes = export_state(&state);
    struct survey *other = make(600);
    for (size_t size = 0; size < state.size; size += size < 100 ? 1 : 97) {
        enum status status = survey_state_import(other, model.now, span_of(state.data, size));
        assert_int_not_equal(status, OK);
    }
    assert_int_equal(survey_progress(other).found, 0);
    bytes[HEAD_SIZE + 1] = PROVIDERS; // who was asked
    assert_int_equal(survey_state_import(other, model.now, state), ERR_MALFORMED);
    bytes[HEAD_SIZE + 1] = 0;
    bytes[HEAD_SIZE + 6 + 32] = 2; // a flag of the first token
    assert_int_equal(survey_state_import(other, model.now, state), ERR_NOT_CANONICAL);
    bytes[HEAD_SIZE + 6 + 32] = 1;
    bytes[HEAD_SIZE + 6] = 1; // which stands above the second one
    assert_int_equal(survey_state_import(other, model.now, state), ERR_NOT_CANONICAL);
    bytes[HEAD_SIZE + 6] = 0;
    struct survey *small = make(50);
    assert_int_equal(survey_state_import(small, model.now, state), ERR_FULL);
    survey_destroy(small);
    assert_int_equal(survey_progress(other).found, 0);
    assert_int_equal(survey_state_import(other, model.now, state), OK);
    survey_destroy(other);
    free(bytes);
}

static void a_broken_state_is_refused(void **)
{
    run(30);
    assert_true(survey_progress(survey).read > 0);
    struct span state;
    uint8_t *bytes = export_state(&state);
    struct survey *other = make(600);
    for (size_t size = 0; size < state.size; size += size < 500 ? 1 : 499) {
        enum status status = survey_state_import(other, model.now, span_of(state.data, size));
        assert_int_not_equal(status, OK);
    }
    assert_int_equal(survey_progress(other).found, 0);
    bytes[0] ^= 1;
    assert_int_equal(survey_state_import(other, model.now, state), ERR_MALFORMED);
    bytes[0] ^= 1;
    bytes[4] ^= 1;
    assert_int_equal(survey_state_import(other, model.now, state), ERR_VERSION);
    bytes[4] ^= 1;
    struct survey *small = make(100);
    assert_int_equal(survey_state_import(small, model.now, state), ERR_FULL);
    survey_destroy(small);
    assert_int_equal(survey_state_import(other, model.now, state), OK);
    survey_destroy(other);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_tokens_are_listed, start, stop),
        cmocka_unit_test_setup_teardown(
            by_logs_or_one_id_after_the_other_where_there_is_no_index, start, stop),
        cmocka_unit_test_setup_teardown(one_provider_may_fail_or_lie, start, stop),
        cmocka_unit_test_setup_teardown(it_ends_when_nobody_answers, start, stop),
        cmocka_unit_test_setup_teardown(two_that_disagree_leave_the_row_unknown, start, stop),
        cmocka_unit_test_setup_teardown(a_bound_is_told, start, stop),
        cmocka_unit_test_setup_teardown(it_can_be_interrupted_anywhere, start, stop),
        cmocka_unit_test_setup_teardown(a_search_goes_on_where_it_was, start, stop),
        cmocka_unit_test_setup_teardown(each_life_adds_to_a_search, start, stop),
        cmocka_unit_test_setup_teardown(a_search_that_failed_goes_on, start, stop),
        cmocka_unit_test_setup_teardown(a_state_of_a_liar_hides_nothing, start, stop),
        cmocka_unit_test_setup_teardown(other_providers_search_anew, start, stop),
        cmocka_unit_test_setup_teardown(a_broken_search_is_refused, start, stop),
        cmocka_unit_test_setup_teardown(a_broken_state_is_refused, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

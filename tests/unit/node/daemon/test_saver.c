// SPDX-License-Identifier: GPL-3.0-or-later
//
// Writing away from the loop: in order, newest wins, nothing is lost at the end.
#include "node/daemon/saver.h"

#include "base/bytes.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    VERSION = 1,
};

struct fixture {
    char root[64];
    char path[96];
    uv_loop_t loop;
    struct state *state;
    struct state_error error;
    struct saver *saver;
    unsigned written;
    unsigned failed;
    char last_error[STATE_ERROR_SIZE];
};

static void count(void *context, enum state_kind, const char *error)
{
    struct fixture *fixture = context;
    if (error == NULL) {
        fixture->written++;
    } else {
        fixture->failed++;
        (void)snprintf(fixture->last_error, sizeof fixture->last_error, "%s", error);
    }
}

static int set_up(void **context)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    (void)snprintf(fixture->root, sizeof fixture->root, "/tmp/deedmesh-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->root));
    (void)snprintf(fixture->path, sizeof fixture->path, "%s/deed0", fixture->root);
    assert_int_equal(uv_loop_init(&fixture->loop), 0);
    assert_int_equal(
        state_open(fixture->root, "deed0", STATE_CREATE, &fixture->state, &fixture->error), OK);
    fixture->saver = saver_new(&fixture->loop, fixture->state, count, fixture);
    assert_non_null(fixture->saver);
    *context = fixture;
    return 0;
}

static int tear_down(void **context)
{
    struct fixture *fixture = *context;
    struct state_error ignored;
    saver_flush(fixture->saver);
    assert_int_equal(uv_run(&fixture->loop, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&fixture->loop), 0);
    saver_free(fixture->saver);
    (void)!state_remove(fixture->state, STATE_CORE, &ignored);
    (void)!state_remove(fixture->state, STATE_DHT_NODES, &ignored);
    state_close(fixture->state);
    (void)rmdir(fixture->path);
    assert_int_equal(rmdir(fixture->root), 0);
    free(fixture);
    return 0;
}

static void put(struct fixture *fixture, enum state_kind kind, const char *text)
{
    assert_int_equal(saver_put(fixture->saver, kind, VERSION, span_of_text(text)), OK);
}

static void run(struct fixture *fixture)
{
    assert_int_equal(uv_run(&fixture->loop, UV_RUN_DEFAULT), 0);
}

static void expect(struct fixture *fixture, enum state_kind kind, const char *text)
{
    struct state_content content = {0};
    assert_int_equal(state_read(fixture->state, kind, VERSION, &content, &fixture->error), OK);
    assert_true(span_equal(span_of(content.data, content.size), span_of_text(text)));
    state_content_clear(&content);
}

static void test_write(void **context)
{
    struct fixture *fixture = *context;
    put(fixture, STATE_CORE, "core");
    put(fixture, STATE_DHT_NODES, "");
    run(fixture);
    expect(fixture, STATE_CORE, "core");
    expect(fixture, STATE_DHT_NODES, "");
    assert_int_equal(fixture->written, 2);
}

// The first is under way, the others wait: of those only the newest is written.
static void test_newest_wins(void **context)
{
    struct fixture *fixture = *context;
    put(fixture, STATE_CORE, "first");
    put(fixture, STATE_CORE, "second");
    put(fixture, STATE_CORE, "third");
    run(fixture);
    expect(fixture, STATE_CORE, "third");
    assert_int_equal(fixture->written, 2);
}

static void test_flush(void **context)
{
    struct fixture *fixture = *context;
    put(fixture, STATE_CORE, "first");
    put(fixture, STATE_CORE, "second");
    put(fixture, STATE_DHT_NODES, "nodes");
    saver_flush(fixture->saver);
    expect(fixture, STATE_CORE, "second");
    expect(fixture, STATE_DHT_NODES, "nodes");
    assert_int_equal(fixture->written, 3);
    put(fixture, STATE_CORE, "last");
    expect(fixture, STATE_CORE, "last");
    run(fixture);
    assert_int_equal(fixture->written, 4);
}

// A failure is reported and keeps nothing behind it from being written.
static void test_failure(void **context)
{
    struct fixture *fixture = *context;
    assert_int_equal(rmdir(fixture->path), 0);
    put(fixture, STATE_CORE, "nowhere");
    run(fixture);
    assert_int_equal(fixture->failed, 1);
    assert_non_null(strstr(fixture->last_error, "core"));
    put(fixture, STATE_CORE, "nowhere");
    put(fixture, STATE_DHT_NODES, "nowhere");
    run(fixture);
    assert_int_equal(fixture->failed, 3);
    assert_int_equal(fixture->written, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_newest_wins, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_flush, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_failure, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// Keys that take the place of others: whatever the moment of a crash, one whole identity is there.
#include "node/instance/next_keys.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[64];
static struct state *state;
static struct state_error error;
static struct node_secret first, second;

static struct node_secret make_secret(uint8_t number)
{
    struct node_secret secret;
    uint8_t public_key[crypto_sign_PUBLICKEYBYTES];
    uint8_t seed[crypto_sign_SEEDBYTES] = {number};
    (void)crypto_sign_seed_keypair(public_key, secret.bytes, seed);
    return secret;
}

static int set_up(void **)
{
    (void)snprintf(root, sizeof root, "/tmp/deedmesh-test-XXXXXX");
    assert_non_null(mkdtemp(root));
    assert_int_equal(state_open(root, "deed0", STATE_CREATE, &state, &error), OK);
    first = make_secret(1);
    second = make_secret(2);
    assert_int_equal(state_node_key_write_new(state, &first, &error), OK);
    return 0;
}

static int tear_down(void **)
{
    state_close(state);
    pid_t pid = fork();
    if (pid == 0) {
        (void)execlp("rm", "rm", "-rf", root, (char *)NULL);
        _exit(127);
    }
    (void)waitpid(pid, NULL, 0);
    return 0;
}

static bool in_use(const struct node_secret *secret)
{
    struct node_secret read;
    assert_int_equal(state_node_key_read(state, &read, &error), OK);
    return memcmp(read.bytes, secret->bytes, sizeof read.bytes) == 0;
}

static void settle(const struct node_secret *delegated)
{
    struct node_key key = node_secret_public(delegated);
    assert_int_equal(next_node_key_settle(state, &key, &error), OK);
}

static void the_delegation_decides(void **)
{
    struct node_secret next;
    settle(&first); // no rotation: nothing to do
    assert_int_equal(next_node_key_read(state, &next, &error), ERR_NOT_FOUND);
    assert_int_equal(next_node_key_write_new(state, &second, &error), OK);
    assert_int_equal(next_node_key_write_new(state, &first, &error), ERR_EXISTS);
    settle(&first); // the owner has not signed for it yet
    assert_true(in_use(&first));
    assert_int_equal(next_node_key_read(state, &next, &error), OK);
    assert_memory_equal(next.bytes, second.bytes, sizeof next.bytes);
    settle(&second);
    assert_true(in_use(&second));
    assert_int_equal(next_node_key_read(state, &next, &error), ERR_NOT_FOUND);
    settle(&second);
    assert_true(in_use(&second));
}

// Between the two steps of the adoption both files hold the new key.
static void a_crash_while_adopting_is_settled(void **)
{
    struct node_secret next;
    assert_int_equal(next_node_key_write_new(state, &second, &error), OK);
    settle(&second);
    assert_int_equal(next_node_key_write_new(state, &second, &error), OK);
    settle(&second);
    assert_true(in_use(&second));
    assert_int_equal(next_node_key_read(state, &next, &error), ERR_NOT_FOUND);
}

static void a_damaged_next_key_takes_no_place(void **)
{
    char path[128];
    assert_int_equal(next_node_key_write_new(state, &second, &error), OK);
    (void)snprintf(path, sizeof path, "%s/deed0/node.key.next", root);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "x", 1, 30), 1);
    assert_int_equal(close(fd), 0);
    struct node_key key = node_secret_public(&second);
    assert_int_equal(next_node_key_settle(state, &key, &error), ERR_MALFORMED);
    assert_non_null(strstr(error.text, "deedmesh rotate"));
    assert_int_equal(next_node_key_adopt(state, &error), ERR_MALFORMED);
    assert_true(in_use(&first));
    // Nor does one that others may read.
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(next_node_key_adopt(state, &error), ERR_PERMISSION);
}

static void a_wireguard_key_is_adopted(void **)
{
    struct wg_secret old = {{1}};
    struct wg_secret fresh = {{2}};
    struct wg_secret read;
    assert_int_equal(state_wg_key_write_new(state, &old, &error), OK);
    assert_int_equal(next_wg_key_adopt(state, &error), ERR_NOT_FOUND);
    assert_int_equal(next_wg_key_write_new(state, &fresh, &error), OK);
    assert_int_equal(next_wg_key_read(state, &read, &error), OK);
    assert_memory_equal(read.bytes, fresh.bytes, sizeof read.bytes);
    assert_int_equal(next_wg_key_adopt(state, &error), OK);
    assert_int_equal(state_wg_key_read(state, &read, &error), OK);
    assert_memory_equal(read.bytes, fresh.bytes, sizeof read.bytes);
    assert_int_equal(next_wg_key_read(state, &read, &error), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_delegation_decides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_crash_while_adopting_is_settled, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_next_key_takes_no_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_wireguard_key_is_adopted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

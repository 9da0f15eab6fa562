// SPDX-License-Identifier: GPL-3.0-or-later
//
// The network secret: read from a file that is the reader's own, refused with the reason otherwise.
#include "node/instance/network_secret.h"

#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[64];
static char path[96];

static int set_up(void **)
{
    (void)snprintf(directory, sizeof directory, "/tmp/deedmesh-test-XXXXXX");
    assert_non_null(mkdtemp(directory));
    (void)snprintf(path, sizeof path, "%s/secret", directory);
    return 0;
}

static int tear_down(void **)
{
    (void)unlink(path);
    return rmdir(directory);
}

static void put(const char *text, mode_t mode)
{
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static const char good[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

static void test_read(void **)
{
    uint8_t secret[NETWORK_SECRET_SIZE];
    char error[NETWORK_SECRET_ERROR_SIZE];
    put(good, 0600);
    assert_int_equal(network_secret_read(path, secret, error), OK);
    assert_int_equal(secret[0], 0x00);
    assert_int_equal(secret[31], 0xff);
    put(good, 0400);
    assert_int_equal(network_secret_read(path, secret, error), OK);
}

static void test_readable_by_others(void **)
{
    static const mode_t modes[] = {0640, 0604, 0660, 0602};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        uint8_t secret[NETWORK_SECRET_SIZE] = {0};
        char error[NETWORK_SECRET_ERROR_SIZE];
        put(good, modes[i]);
        assert_int_equal(network_secret_read(path, secret, error), ERR_PERMISSION);
        assert_non_null(strstr(error, "chmod 600"));
        assert_non_null(strstr(error, path));
        assert_int_equal(secret[31], 0); // not even read
    }
}

static void test_unusable(void **)
{
    uint8_t secret[NETWORK_SECRET_SIZE];
    char error[NETWORK_SECRET_ERROR_SIZE];
    (void)unlink(path);
    assert_int_equal(network_secret_read(path, secret, error), ERR_NOT_FOUND);
    put("0011\n", 0600);
    assert_int_equal(network_secret_read(path, secret, error), ERR_MALFORMED);
    put("zz112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", 0600);
    assert_int_equal(network_secret_read(path, secret, error), ERR_MALFORMED);
    assert_null(strstr(error, "zz11"));
    assert_int_equal(network_secret_read(directory, secret, error), ERR_MALFORMED);
    put(good, 0600); // for the tear-down
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_readable_by_others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unusable, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-3.0-or-later
//
// The state directory: what was written is read again, and anything else is an error that says so.
#include "node/instance/state.h"

#include "base/text.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    char root[64];
    char path[96];
    struct state *state;
    struct state_error error;
};

static int set_up(void **context)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    (void)snprintf(fixture->root, sizeof fixture->root, "/tmp/deedmesh-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->root));
    (void)snprintf(fixture->path, sizeof fixture->path, "%s/deed0", fixture->root);
    assert_int_equal(
        state_open(fixture->root, "deed0", STATE_CREATE, &fixture->state, &fixture->error), OK);
    *context = fixture;
    return 0;
}

static int tear_down(void **context)
{
    struct fixture *fixture = *context;
    char command[128];
    state_close(fixture->state);
    (void)snprintf(command, sizeof command, "%s", fixture->root);
    pid_t pid = fork();
    if (pid == 0) {
        (void)execlp("rm", "rm", "-rf", command, (char *)NULL);
        _exit(127);
    }
    (void)waitpid(pid, NULL, 0);
    free(fixture);
    return 0;
}

static void file_path(const struct fixture *fixture, const char *name, char ret[static 256])
{
    (void)snprintf(ret, 256, "%s/%s", fixture->path, name);
}

static size_t file_read(const struct fixture *fixture, const char *name, uint8_t *ret, size_t room)
{
    char path[256];
    file_path(fixture, name, path);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(ret, 1, room, file);
    assert_int_equal(fclose(file), 0);
    return size;
}

static void file_write(const struct fixture *fixture, const char *name, struct span bytes)
{
    char path[256];
    file_path(fixture, name, path);
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes.data, bytes.size), (ssize_t)bytes.size);
    assert_int_equal(close(fd), 0);
}

static void the_directory_is_made_closed_and_checked(void **context)
{
    struct fixture *fixture = *context;
    struct stat info;
    struct state *other = NULL;
    assert_int_equal(stat(fixture->path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_string_equal(state_path(fixture->state), fixture->path);
    assert_int_equal(
        state_open(fixture->root, "deed1", STATE_EXISTING, &other, &fixture->error), ERR_NOT_FOUND);
    assert_non_null(strstr(fixture->error.text, "keygen"));
    assert_int_equal(chmod(fixture->path, 0750), 0);
    assert_int_equal(state_open(fixture->root, "deed0", STATE_EXISTING, &other, &fixture->error),
        ERR_PERMISSION);
    assert_non_null(strstr(fixture->error.text, "chmod 700"));
    assert_int_equal(chmod(fixture->path, 0700), 0);
    assert_null(other);
}

static void content_comes_back(void **context)
{
    struct fixture *fixture = *context;
    struct state_content content;
    assert_int_equal(
        state_read(fixture->state, STATE_CORE, 3, &content, &fixture->error), ERR_NOT_FOUND);
    assert_int_equal(
        state_write(fixture->state, STATE_CORE, 3, span_of_text("first"), &fixture->error), OK);
    assert_int_equal(
        state_write(fixture->state, STATE_CORE, 3, span_of_text("second"), &fixture->error), OK);
    assert_int_equal(state_read(fixture->state, STATE_CORE, 3, &content, &fixture->error), OK);
    assert_true(span_equal(span_of(content.data, content.size), span_of_text("second")));
    assert_int_equal(content.version, 3);
    state_content_clear(&content);
    assert_null(content.data);
    // Empty content is content.
    assert_int_equal(
        state_write(fixture->state, STATE_DHT_NODES, 1, span_of(NULL, 0), &fixture->error), OK);
    assert_int_equal(state_read(fixture->state, STATE_DHT_NODES, 1, &content, &fixture->error), OK);
    assert_int_equal(content.size, 0);
    state_content_clear(&content);
    assert_int_equal(state_remove(fixture->state, STATE_CORE, &fixture->error), OK);
    assert_int_equal(state_remove(fixture->state, STATE_CORE, &fixture->error), ERR_NOT_FOUND);
}

static void another_version_is_named(void **context)
{
    struct fixture *fixture = *context;
    struct state_content content;
    assert_int_equal(
        state_write(fixture->state, STATE_CORE, 1, span_of_text("x"), &fixture->error), OK);
    assert_int_equal(
        state_read(fixture->state, STATE_CORE, 2, &content, &fixture->error), ERR_VERSION);
    assert_non_null(strstr(fixture->error.text, "/core was written by another version"));
}

static void every_cut_and_every_flipped_bit_is_noticed(void **context)
{
    struct fixture *fixture = *context;
    struct state_content content;
    uint8_t file[256];
    assert_int_equal(
        state_write(fixture->state, STATE_CORE, 1, span_of_text("content"), &fixture->error), OK);
    size_t size = file_read(fixture, "core", file, sizeof file);
    assert_int_equal(size, 20 + 7 + 32);
    for (size_t cut = 0; cut < size; cut++) {
        file_write(fixture, "core", span_of(file, cut));
        assert_int_equal(
            state_read(fixture->state, STATE_CORE, 1, &content, &fixture->error), ERR_TRUNCATED);
        assert_non_null(strstr(fixture->error.text, "cut short"));
    }
    for (size_t i = 0; i < size; i++) {
        file[i] ^= 1;
        file_write(fixture, "core", span_of(file, size));
        enum status status = state_read(fixture->state, STATE_CORE, 1, &content, &fixture->error);
        assert_true(status == ERR_MALFORMED || status == ERR_VERSION || status == ERR_TRUNCATED);
        assert_true(fixture->error.text[0] != '\0');
        file[i] ^= 1;
    }
    file[size] = 0;
    file_write(fixture, "core", span_of(file, size + 1));
    assert_int_equal(
        state_read(fixture->state, STATE_CORE, 1, &content, &fixture->error), ERR_MALFORMED);
    // A file of one kind does not pass for another.
    file_write(fixture, "manifest", span_of(file, size));
    assert_int_equal(
        state_read(fixture->state, STATE_MANIFEST, 1, &content, &fixture->error), ERR_MALFORMED);
}

static void secrets_that_others_may_read_are_refused(void **context)
{
    struct fixture *fixture = *context;
    struct node_secret secret;
    struct node_secret read_back;
    uint8_t public_key[32];
    struct stat info;
    char path[256];
    (void)crypto_sign_keypair(public_key, secret.bytes);
    assert_int_equal(state_node_key_write_new(fixture->state, &secret, &fixture->error), OK);
    file_path(fixture, "node.key", path);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(state_node_key_read(fixture->state, &read_back, &fixture->error), OK);
    assert_memory_equal(secret.bytes, read_back.bytes, sizeof secret.bytes);
    struct node_key key = node_secret_public(&read_back);
    assert_memory_equal(key.bytes, public_key, sizeof public_key);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(
        state_node_key_read(fixture->state, &read_back, &fixture->error), ERR_PERMISSION);
    assert_non_null(strstr(fixture->error.text, "chmod 600"));
}

static void keys_are_never_overwritten(void **context)
{
    struct fixture *fixture = *context;
    struct wg_secret secret = {{1, 2, 3}};
    struct wg_secret other = {{4}};
    struct wg_secret read_back;
    assert_int_equal(state_wg_key_write_new(fixture->state, &secret, &fixture->error), OK);
    assert_int_equal(state_wg_key_write_new(fixture->state, &other, &fixture->error), ERR_EXISTS);
    assert_int_equal(state_wg_key_read(fixture->state, &read_back, &fixture->error), OK);
    assert_memory_equal(read_back.bytes, secret.bytes, sizeof secret.bytes);
    // A well-formed file of the wrong size is no key.
    assert_int_equal(
        state_write(fixture->state, STATE_WG_KEY, 1, span_of_text("short"), &fixture->error), OK);
    assert_int_equal(state_wg_key_read(fixture->state, &read_back, &fixture->error), ERR_MALFORMED);
}

static void the_public_half_is_wireguards(void **)
{
    // RFC 7748 section 6.1, Alice.
    static const char secret_text[] =
        "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
    struct wg_secret secret;
    struct wg_key expected;
    assert_int_equal(hex_parse(span_of_text(secret_text), secret.bytes, 32), OK);
    assert_int_equal(
        hex_parse(span_of_text("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"),
            expected.bytes, 32),
        OK);
    struct wg_key key = wg_secret_public(&secret);
    assert_true(wg_key_equal(&key, &expected));
}

static void delegations_come_back_and_are_listed(void **context)
{
    struct fixture *fixture = *context;
    struct state_delegation delegation = {
        .network = {.chain_id = 8453, .contract = {{0xaa}}},
        .delegation =
            {
                .kind = DELEGATION_EIP712,
                .token = token_id_of_u64(700),
                .owner = {{0xbb}},
                .node_key = {{0xcc}},
                .not_before_s = 1,
                .not_after_s = 2,
                .epoch_s = 3,
                .signature = {9, 8, 7},
                .signature_size = 65,
            },
    };
    struct state_delegation read_back;
    struct token_id tokens[STATE_DELEGATIONS_MAX];
    struct token_id seven = token_id_of_u64(7);
    size_t count = 99;
    assert_int_equal(state_delegation_tokens(fixture->state, tokens, &count, &fixture->error), OK);
    assert_int_equal(count, 0);
    assert_int_equal(state_delegation_write(fixture->state, &delegation, &fixture->error), OK);
    delegation.delegation.token = seven;
    assert_int_equal(state_delegation_write(fixture->state, &delegation, &fixture->error), OK);
    file_write(fixture, "delegation-x", span_of_text("not ours"));
    file_write(fixture, "delegation-0x7", span_of_text("not ours"));
    assert_int_equal(state_delegation_tokens(fixture->state, tokens, &count, &fixture->error), OK);
    assert_int_equal(count, 2);
    assert_true(token_id_equal(&tokens[0], &seven));
    assert_int_equal(
        state_delegation_read(fixture->state, &seven, &read_back, &fixture->error), OK);
    assert_int_equal(read_back.network.chain_id, 8453);
    assert_true(eth_address_equal(&read_back.network.contract, &delegation.network.contract));
    assert_memory_equal(
        read_back.delegation.signature, delegation.delegation.signature, DELEGATION_SIGNATURE_MAX);
    assert_int_equal(read_back.delegation.epoch_s, 3);
    assert_true(node_key_equal(&read_back.delegation.node_key, &delegation.delegation.node_key));
    // Under another token's name it is not that token's.
    uint8_t file[512];
    size_t size = file_read(fixture, "delegation-700", file, sizeof file);
    file_write(fixture, "delegation-7", span_of(file, size));
    assert_int_equal(
        state_delegation_read(fixture->state, &seven, &read_back, &fixture->error), ERR_MALFORMED);
    struct token_id eight = token_id_of_u64(8);
    assert_int_equal(
        state_delegation_read(fixture->state, &eight, &read_back, &fixture->error), ERR_NOT_FOUND);
}

static void too_many_delegations_are_an_error(void **context)
{
    struct fixture *fixture = *context;
    struct token_id tokens[STATE_DELEGATIONS_MAX];
    size_t count = 0;
    for (int i = 0; i <= STATE_DELEGATIONS_MAX; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "delegation-%d", i);
        file_write(fixture, name, span_of_text(""));
    }
    assert_int_equal(
        state_delegation_tokens(fixture->state, tokens, &count, &fixture->error), ERR_FULL);
}

// A full disk, by the limit on the size of a file: the old content stands and the reason is told.
static void a_failed_write_leaves_the_old_file(void **context)
{
    struct fixture *fixture = *context;
    struct state_content content;
    uint8_t large[8192] = {0};
    struct rlimit old;
    assert_int_equal(
        state_write(fixture->state, STATE_CORE, 1, span_of_text("old"), &fixture->error), OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    struct rlimit small = {.rlim_cur = 4096, .rlim_max = old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum status status =
        state_write(fixture->state, STATE_CORE, 1, span_of(large, sizeof large), &fixture->error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    (void)signal(SIGXFSZ, handler);
    assert_int_equal(status, ERR_IO);
    assert_non_null(strstr(fixture->error.text, "the old file is unchanged"));
    assert_int_equal(state_read(fixture->state, STATE_CORE, 1, &content, &fixture->error), OK);
    assert_true(span_equal(span_of(content.data, content.size), span_of_text("old")));
    state_content_clear(&content);
    // And no temporary file is left.
    char path[256];
    char temporary[64];
    (void)snprintf(temporary, sizeof temporary, ".core.%ld.tmp", (long)getpid());
    file_path(fixture, temporary, path);
    assert_int_equal(access(path, F_OK), -1);
}

static void only_one_daemon_holds_the_lock(void **context)
{
    struct fixture *fixture = *context;
    struct state *other = NULL;
    assert_int_equal(
        state_open(fixture->root, "deed0", STATE_EXISTING, &other, &fixture->error), OK);
    assert_int_equal(state_lock(fixture->state, &fixture->error), OK);
    assert_int_equal(state_lock(other, &fixture->error), ERR_BUSY);
    assert_non_null(strstr(fixture->error.text, "another daemon"));
    state_close(fixture->state);
    fixture->state = NULL;
    assert_int_equal(state_lock(other, &fixture->error), OK);
    state_close(other);
}

static void something_else_than_a_file_is_refused(void **context)
{
    struct fixture *fixture = *context;
    struct state_content content;
    char path[256];
    file_path(fixture, "core", path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(
        state_read(fixture->state, STATE_CORE, 1, &content, &fixture->error), ERR_MALFORMED);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(state_read(fixture->state, STATE_CORE, 1, &content, &fixture->error), ERR_IO);
}

int main(void)
{
    assert_true(sodium_init() >= 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            the_directory_is_made_closed_and_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(content_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_version_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            every_cut_and_every_flipped_bit_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            secrets_that_others_may_read_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_are_never_overwritten, set_up, tear_down),
        cmocka_unit_test(the_public_half_is_wireguards),
        cmocka_unit_test_setup_teardown(delegations_come_back_and_are_listed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_delegations_are_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failed_write_leaves_the_old_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_one_daemon_holds_the_lock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(something_else_than_a_file_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}

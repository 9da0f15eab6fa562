// SPDX-License-Identifier: GPL-3.0-or-later
//
// `deedmesh join` against a small server on loopback that answers as a member's DHT port does, or
// as it should not.
#include "dht/manifest.h"
#include "nat/stun.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    OUTPUT_SIZE = 16384,
    MODES_ANSWERS_MAX = 2,
};

static const char *program; // the deedmesh command

struct fixture {
    char directory[64];
    int server;
    uint16_t port;
    struct node_secret authority;
    struct manifest manifest;
    char fingerprint[FINGERPRINT_TEXT_SIZE];
    char output[OUTPUT_SIZE];
};

static void make_manifest(struct node_secret *authority, struct manifest *ret)
{
    *ret = (struct manifest){
        .version = 1,
        .network = {.chain_id = 31337, .contract = {{0xaa, 1}}},
        .profile = PROFILE_ERC721,
        .poll_s = 5,
        .grace_s = 600,
        .delegation_window_days = 90,
        .rpc_count = 1,
    };
    (void)crypto_sign_keypair(ret->authority.bytes, authority->bytes);
    assert_int_equal(prefix_parse(span_of_text("10.77.0.0/16"), &ret->ipv4), OK);
    ret->rpc[0].size =
        (uint8_t)snprintf(ret->rpc[0].text, sizeof ret->rpc[0].text, "https://rpc.example/");
}

static int set_up(void **context)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    struct sockaddr_in name = {.sin_family = AF_INET};
    socklen_t size = sizeof name;
    assert_non_null(fixture);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)snprintf(fixture->directory, sizeof fixture->directory, "/tmp/deedmesh-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->directory));
    fixture->server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fixture->server, (const struct sockaddr *)&name, size), 0);
    assert_int_equal(getsockname(fixture->server, (struct sockaddr *)&name, &size), 0);
    fixture->port = ntohs(name.sin_port);
    make_manifest(&fixture->authority, &fixture->manifest);
    struct dht_key key = key_of_manifest(&fixture->manifest.authority);
    fingerprint_format(&key, fixture->fingerprint);
    *context = fixture;
    return 0;
}

static int tear_down(void **context)
{
    struct fixture *fixture = *context;
    pid_t pid = fork();
    if (pid == 0) {
        (void)execlp("rm", "rm", "-rf", fixture->directory, (char *)NULL);
        _exit(127);
    }
    (void)waitpid(pid, NULL, 0);
    (void)close(fixture->server);
    free(fixture);
    return 0;
}

struct reply {
    uint8_t bytes[MANIFEST_MAX_SIZE];
    size_t size;
};

static struct reply sign(const struct manifest *manifest, const struct node_secret *authority)
{
    struct reply reply;
    assert_int_equal(manifest_encode(manifest, authority, reply.bytes, &reply.size), OK);
    return reply;
}

// Answers each request with all the replies; the first `deaf` requests are lost.
static void serve_one(struct fixture *fixture, const struct reply *replies, size_t count, int *deaf)
{
    uint8_t request[STUN_MESSAGE_MAX];
    struct sockaddr_in from;
    socklen_t from_size = sizeof from;
    struct stun_message message;
    ssize_t got = recvfrom(fixture->server, request, sizeof request, MSG_DONTWAIT,
        (struct sockaddr *)&from, &from_size);
    if (got < 0 || stun_decode(span_of(request, (size_t)got), &message) != OK) {
        return;
    }
    // As long as the longest answer: a forged source gains nothing.
    assert_int_equal(message.method, STUN_MANIFEST);
    assert_int_equal(got, STUN_MANIFEST_REQUEST_SIZE);
    if ((*deaf)-- > 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t bytes[STUN_MESSAGE_MAX];
        struct writer writer = writer_of(bytes, sizeof bytes);
        assert_int_equal(stun_encode_manifest_success(&writer, &message.transaction,
                             span_of(replies[i].bytes, replies[i].size)),
            OK);
        (void)sendto(fixture->server, writer.data, writer.size, 0, (const struct sockaddr *)&from,
            from_size);
    }
}

// Runs the command with up to three arguments while the server answers; returns its exit code.
static int join(struct fixture *fixture, const char *fingerprint, const char *option,
    const struct reply *replies, size_t count, int deaf)
{
    int ends[2];
    size_t size = 0;
    char operand[128];
    (void)snprintf(operand, sizeof operand, "127.0.0.1:%u%s%s", (unsigned)fixture->port,
        fingerprint != NULL ? "/" : "", fingerprint != NULL ? fingerprint : "");
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)dup2(ends[1], STDERR_FILENO);
        (void)execl(program, "deedmesh", "--config-dir", fixture->directory, "--state-dir",
            fixture->directory, "join", "--timeout", "1", operand, option, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    for (bool open = true; open;) {
        struct pollfd wanted[] = {
            {.fd = fixture->server, .events = POLLIN},
            {.fd = ends[0], .events = POLLIN},
        };
        assert_true(poll(wanted, 2, 20000) > 0);
        if (wanted[0].revents != 0) {
            serve_one(fixture, replies, count, &deaf);
        }
        if (wanted[1].revents != 0) {
            ssize_t got = read(ends[0], fixture->output + size, sizeof fixture->output - size - 1);
            open = got > 0;
            size += got > 0 ? (size_t)got : 0;
        }
    }
    fixture->output[size] = '\0';
    (void)close(ends[0]);
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect(const struct fixture *fixture, const char *text)
{
    if (strstr(fixture->output, text) == NULL) {
        fail_msg("no '%s' in: %s", text, fixture->output);
    }
}

static bool is_pinned(const struct fixture *fixture)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/deed0/manifest", fixture->directory);
    return access(path, F_OK) == 0;
}

static void a_manifest_is_shown_and_pinned(void **context)
{
    struct fixture *fixture = *context;
    struct reply reply = sign(&fixture->manifest, &fixture->authority);
    // Without a terminal and without --yes nothing is agreed to.
    assert_int_equal(join(fixture, NULL, NULL, &reply, 1, 0), 1);
    expect(fixture, "NOT CHECKED");
    expect(fixture, "--yes");
    assert_false(is_pinned(fixture));
    assert_int_equal(join(fixture, fixture->fingerprint, "--yes", &reply, 1, 1), 0);
    expect(fixture, "chain          31337");
    expect(fixture, fixture->fingerprint);
    expect(fixture, "Pinned.");
    assert_true(is_pinned(fixture));
    assert_int_equal(join(fixture, NULL, "--yes", &reply, 1, 0), 0);
    expect(fixture, "belongs to this network already");
    assert_int_equal(join(fixture, NULL, "--json", &reply, 1, 0), 0);
    expect(fixture, "\"pinned\":false");
}

static void the_configuration_names_the_bootstrap_host(void **context)
{
    struct fixture *fixture = *context;
    struct reply reply = sign(&fixture->manifest, &fixture->authority);
    char path[128];
    char text[4096] = {0};
    char line[128];
    assert_int_equal(join(fixture, NULL, "--yes", &reply, 1, 0), 0);
    (void)snprintf(path, sizeof path, "%s/deed0.conf", fixture->directory);
    (void)snprintf(line, sizeof line, "\nbootstrap = 127.0.0.1:%u/%s\n", (unsigned)fixture->port,
        fixture->fingerprint);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    (void)fclose(file);
    assert_non_null(strstr(text, line));
}

static void another_authority_is_refused(void **context)
{
    struct fixture *fixture = *context;
    struct node_secret other_authority;
    struct manifest other;
    char other_fingerprint[FINGERPRINT_TEXT_SIZE];
    make_manifest(&other_authority, &other);
    struct dht_key key = key_of_manifest(&other.authority);
    fingerprint_format(&key, other_fingerprint);
    struct reply replies[MODES_ANSWERS_MAX] = {
        sign(&fixture->manifest, &fixture->authority),
        sign(&other, &other_authority),
    };
    // The fingerprint decides, whoever answers first.
    assert_int_equal(join(fixture, other_fingerprint, "--yes", replies, 1, 0), 1);
    expect(fixture, "another authority");
    expect(fixture, fixture->fingerprint);
    // Without one, two who answer are both listed.
    assert_int_equal(join(fixture, NULL, "--yes", replies, 2, 0), 1);
    expect(fixture, fixture->fingerprint);
    expect(fixture, other_fingerprint);
    expect(fixture, "two authorities");
    assert_false(is_pinned(fixture));
    assert_int_equal(join(fixture, other_fingerprint, "--yes", replies, 2, 0), 0);
    // And what is pinned stays.
    assert_int_equal(join(fixture, NULL, "--yes", replies, 1, 0), 1);
    expect(fixture, "has pinned another manifest: another authority signed it");
}

static void immutable_parts_may_not_change(void **context)
{
    struct fixture *fixture = *context;
    struct reply reply = sign(&fixture->manifest, &fixture->authority);
    assert_int_equal(join(fixture, NULL, "--yes", &reply, 1, 0), 0);
    fixture->manifest.version = 2;
    fixture->manifest.poll_s = 7;
    reply = sign(&fixture->manifest, &fixture->authority);
    assert_int_equal(join(fixture, NULL, "--yes", &reply, 1, 0), 0);
    expect(fixture, "version 2; chain read every 7 s");
    fixture->manifest.version = 3;
    fixture->manifest.network.chain_id = 1;
    reply = sign(&fixture->manifest, &fixture->authority);
    assert_int_equal(join(fixture, NULL, "--yes", &reply, 1, 0), 1);
    expect(fixture, "its chain is another one");
}

static void local_providers_are_refused(void **context)
{
    struct fixture *fixture = *context;
    static const char *const urls[] = {
        "https://127.0.0.1/", "https://169.254.169.254/", "http://203.0.113.9:8545/"};
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct rpc_url *rpc = &fixture->manifest.rpc[0];
        rpc->size = (uint8_t)snprintf(rpc->text, sizeof rpc->text, "%s", urls[i]);
        struct reply reply = sign(&fixture->manifest, &fixture->authority);
        assert_int_equal(join(fixture, NULL, "--yes", &reply, 1, 0), 1);
        expect(fixture, "the manifest is refused");
        expect(fixture, urls[i]);
        assert_false(is_pinned(fixture));
    }
    struct reply reply = sign(&fixture->manifest, &fixture->authority);
    assert_int_equal(join(fixture, fixture->fingerprint, "--allow-http", &reply, 1, 0), 1);
    expect(fixture, "--yes");
}

static void a_forged_answer_is_refused(void **context)
{
    struct fixture *fixture = *context;
    struct reply reply = sign(&fixture->manifest, &fixture->authority);
    reply.bytes[reply.size - 1] ^= 1;
    assert_int_equal(join(fixture, NULL, "--yes", &reply, 1, 0), 1);
    expect(fixture, "the signature does not verify");
    assert_false(is_pinned(fixture));
}

static void silence_and_refusal_are_told_apart(void **context)
{
    struct fixture *fixture = *context;
    assert_int_equal(join(fixture, NULL, "--yes", NULL, 0, 100), 1);
    expect(fixture, "no answer in 1 s");
    // A port that nobody has: bound and closed again.
    int taken = dup(fixture->server);
    (void)close(fixture->server);
    (void)close(taken);
    fixture->server = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    (void)dup2(ends[0], fixture->server);
    assert_int_equal(join(fixture, NULL, "--yes", NULL, 0, 0), 1);
    expect(fixture, "nothing listens there");
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(int argc, char **argv)
{
    assert_true(sodium_init() >= 0);
    if (argc != 2) {
        (void)fprintf(stderr, "usage: test_node_join PATH-OF-DEEDMESH\n");
        return 64;
    }
    program = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_manifest_is_shown_and_pinned, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            the_configuration_names_the_bootstrap_host, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_authority_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(immutable_parts_may_not_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(local_providers_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_forged_answer_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(silence_and_refusal_are_told_apart, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("join", tests, NULL, NULL);
}

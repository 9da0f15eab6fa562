// SPDX-License-Identifier: GPL-3.0-or-later
//
// WireGuard's userspace protocol: what we write, byte for byte, and what we accept.
#include "wg/uapi.h"

#include "base/text.h"
#include "tests/unit/unit.h"

#include <sodium.h>
#include <stdio.h>

// The example of https://www.wireguard.com/xplatform/, with some lines of ours.
static const char answer_example[] =
    "private_key=e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a\n"
    "listen_port=12912\n"
    "fwmark=51820\n"
    "public_key=b85996fecc9c7f1fc6d2572a76eda11d59bcd20be8e543b15ce4bd85a8e75a33\n"
    "preshared_key=188515093e952f5f22e865cef3012e72f8b5f0b598ac0309d5dacce3b70fcf52\n"
    "allowed_ip=192.168.4.4/32\n"
    "endpoint=[abcd:23::33%2]:51820\n"
    "public_key=58402e695ba1772b1cc9309755f043251ea77fdcf10fbe63989ceb7e19321376\n"
    "tx_bytes=38333\n"
    "rx_bytes=2224\n"
    "allowed_ip=192.168.4.6/32\n"
    "allowed_ip=fd00:1::/64\n"
    "persistent_keepalive_interval=111\n"
    "endpoint=182.122.22.19:3233\n"
    "last_handshake_time_sec=1700000000\n"
    "last_handshake_time_nsec=123456789\n"
    "public_key=662e14fd594556f522604703340351258903b64f35553763f19426ab2a515c58\n"
    "endpoint=[::ffff:192.0.2.7]:1\n"
    "something_new=1\n"
    "errno=0\n"
    "\n";

struct room {
    struct wg_peer_state peers[3];
    struct prefix allowed[3];
};

static struct wg_device_state state_in(struct room *room)
{
    memset(room, 0, sizeof *room);
    return (struct wg_device_state){
        .peers = room->peers, .peer_capacity = 3, .allowed = room->allowed, .allowed_capacity = 3};
}

static enum status parse(const char *text, uint32_t *ret_errno)
{
    struct room room;
    struct wg_device_state state = state_in(&room);
    return uapi_parse_state(span_of_text(text), &state, ret_errno);
}

static void a_state_is_read(void **)
{
    struct room room;
    struct wg_device_state state = state_in(&room);
    uint32_t error = 99;
    assert_int_equal(uapi_parse_state(span_of_text(answer_example), &state, &error), OK);
    assert_int_equal(error, 0);
    assert_int_equal(state.listen_port, 12912);
    assert_int_equal(state.fwmark, 51820);
    assert_int_equal(state.peer_count, 3);
    assert_int_equal(state.allowed_count, 3);

    uint8_t secret[32];
    struct wg_key key;
    assert_int_equal(hex_parse(span_of(answer_example + 12, 64), secret, sizeof secret), OK);
    assert_int_equal(crypto_scalarmult_base(key.bytes, secret), 0);
    assert_true(state.has_key && wg_key_equal(&state.key, &key));

    char text[ADDRESS_TEXT_SIZE];
    address_format(&room.peers[0].endpoint, text);
    assert_string_equal(text, "[abcd:23::33]:51820");
    const struct wg_peer_state *second = &room.peers[1];
    address_format(&second->endpoint, text);
    assert_string_equal(text, "182.122.22.19:3233");
    assert_int_equal(second->tx_bytes, 38333);
    assert_int_equal(second->rx_bytes, 2224);
    assert_int_equal(second->keepalive_s, 111);
    assert_true(second->handshake_unix_ns == UINT64_C(1700000000123456789));
    assert_int_equal(second->allowed_first, 1);
    assert_int_equal(second->allowed_count, 2);
    prefix_format(&room.allowed[2], text);
    assert_string_equal(text, "fd00:1::/64");
    address_format(&room.peers[2].endpoint, text);
    assert_string_equal(text, "192.0.2.7:1");
}

static void an_odd_endpoint_counts_as_unset(void **)
{
    char text[256];
    struct room room;
    struct wg_device_state state = state_in(&room);
    uint32_t error = 0;
    (void)snprintf(text, sizeof text, "public_key=%064d\nendpoint=192.0.2.1:0\nerrno=0\n\n", 1);
    assert_int_equal(uapi_parse_state(span_of_text(text), &state, &error), OK);
    assert_int_equal(state.peer_count, 1);
    assert_false(address_is_set(&room.peers[0].endpoint));
}

static void every_truncation_is_seen(void **)
{
    uint32_t error = 0;
    char text[sizeof answer_example];
    for (size_t size = 0; size < sizeof answer_example - 1; size++) {
        memcpy(text, answer_example, size);
        text[size] = '\0';
        assert_int_not_equal(parse(text, &error), OK);
    }
    assert_int_equal(parse("errno=0\n", &error), ERR_TRUNCATED);
    assert_int_equal(parse("", &error), ERR_TRUNCATED);
}

static void malformed_answers_are_refused(void **)
{
    static const char *const bad[] = {
        "\n",
        "listen_port=1\n\n",
        "=1\nerrno=0\n\n",
        "listen_port\nerrno=0\n\n",
        "listen_port=65536\nerrno=0\n\n",
        "listen_port=\nerrno=0\n\n",
        "listen_port=1x\nerrno=0\n\n",
        "fwmark=4294967296\nerrno=0\n\n",
        "private_key=00\nerrno=0\n\n",
        "public_key=zz\nerrno=0\n\n",
        "errno=0\nlisten_port=1\n\n",
        "errno=0\nerrno=0\n\n",
        "errno=x\n\n",
        "errno=-\n\n",
        "errno=2147483648\n\n",
        "errno=0\n\nx",
        "errno=0\n\n\n",
    };
    static const char *const bad_of_peer[] = {
        "allowed_ip=10.0.0.1/24",
        "allowed_ip=10.0.0.0/33",
        "allowed_ip=10.0.0.0",
        "rx_bytes=18446744073709551616",
        "tx_bytes=-1",
        "persistent_keepalive_interval=65536",
        "last_handshake_time_nsec=1000000000",
        "last_handshake_time_sec=18446744073709551615",
    };
    uint32_t error = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(parse(bad[i], &error), ERR_MALFORMED);
    }
    for (size_t i = 0; i < sizeof bad_of_peer / sizeof bad_of_peer[0]; i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "public_key=%064d\n%s\nerrno=0\n\n", 1, bad_of_peer[i]);
        assert_int_equal(parse(text, &error), ERR_MALFORMED);
    }
}

static void more_than_there_is_room_for_is_named(void **)
{
    char text[1024];
    uint32_t error = 0;
    (void)snprintf(text, sizeof text,
        "public_key=%064d\npublic_key=%064d\npublic_key=%064d\npublic_key=%064d\nerrno=0\n\n", 1, 2,
        3, 4);
    assert_int_equal(parse(text, &error), ERR_FULL);
    (void)snprintf(text, sizeof text,
        "public_key=%064d\nallowed_ip=10.0.0.1/32\nallowed_ip=10.0.0.2/32\nallowed_ip=10.0.0.3/32\n"
        "allowed_ip=10.0.0.4/32\nerrno=0\n\n",
        1);
    assert_int_equal(parse(text, &error), ERR_FULL);
}

static void replies_carry_their_errno(void **)
{
    uint32_t error = 99;
    assert_int_equal(uapi_parse_reply(span_of_text("errno=0\n\n"), &error), OK);
    assert_int_equal(error, 0);
    assert_int_equal(uapi_parse_reply(span_of_text("errno=-98\n\n"), &error), OK);
    assert_int_equal(error, 98);
    assert_int_equal(uapi_parse_reply(span_of_text("errno=98\n\n"), &error), OK);
    assert_int_equal(error, 98);
    assert_int_equal(uapi_parse_reply(span_of_text("errno=98\n"), &error), ERR_TRUNCATED);
    char text[128];
    (void)snprintf(text, sizeof text, "public_key=%064d\nerrno=0\n\n", 1);
    assert_int_equal(uapi_parse_reply(span_of_text(text), &error), ERR_MALFORMED);
    struct room room;
    struct wg_device_state state = state_in(&room);
    assert_int_equal(uapi_parse_state(span_of_text("errno=5\n\n"), &state, &error), OK);
    assert_int_equal(error, 5);
}

static void assert_written(const struct writer *writer, const char *expected)
{
    assert_int_equal(writer_finish(writer), OK);
    struct span written = writer_written(writer);
    assert_int_equal(written.size, strlen(expected));
    assert_memory_equal(written.data, expected, written.size);
}

static void operations_are_written(void **)
{
    uint8_t buffer[2048];
    struct writer writer = writer_of(buffer, sizeof buffer);
    struct address base = address_of_ipv4(10, 213, 0, 7, 0);
    struct wg_op add = {
        .kind = WG_OP_ADD,
        .peer = {.key = {{0x11}},
            .endpoint = address_of_ipv4(192, 0, 2, 1, 51820),
            .allowed = {prefix_of(&base, 32)},
            .allowed_count = 1,
            .keepalive_s = 25},
        .set_endpoint = true,
        .set_keepalive = true,
        .set_allowed = true,
        .replace_allowed = true,
    };
    struct wg_op update = {.kind = WG_OP_UPDATE, .peer = add.peer, .set_endpoint = true};
    update.peer.endpoint.family = FAMILY_IPV6;
    struct wg_op gone = {.kind = WG_OP_REMOVE, .peer = add.peer};
    struct wg_op refused = {.kind = WG_OP_REFUSE, .peer = add.peer};
    uapi_write_set_begin(&writer);
    uapi_write_op(&writer, &add);
    uapi_write_op(&writer, &update);
    uapi_write_op(&writer, &gone);
    uapi_write_op(&writer, &refused);
    uapi_write_set_end(&writer);
    assert_written(&writer,
        "set=1\n"
        "public_key=1100000000000000000000000000000000000000000000000000000000000000\n"
        "endpoint=192.0.2.1:51820\n"
        "replace_allowed_ips=true\n"
        "allowed_ip=10.213.0.7/32\n"
        "persistent_keepalive_interval=25\n"
        "public_key=1100000000000000000000000000000000000000000000000000000000000000\n"
        "update_only=true\n"
        "endpoint=[c000:201::]:51820\n"
        "public_key=1100000000000000000000000000000000000000000000000000000000000000\n"
        "remove=true\n"
        "\n");
}

static void device_configuration_is_written(void **)
{
    uint8_t buffer[UAPI_CONFIG_SIZE_MAX];
    struct writer writer = writer_of(buffer, sizeof buffer);
    struct wg_config config = {
        .set_key = true,
        .set_listen_port = true,
        .set_fwmark = true,
        .key = {{0xab}},
        .listen_port = 65535,
        .fwmark = UINT32_MAX,
    };
    uapi_write_config(&writer, &config);
    assert_written(&writer,
        "private_key=ab00000000000000000000000000000000000000000000000000000000000000\n"
        "fwmark=4294967295\n"
        "listen_port=65535\n");
    writer = writer_of(buffer, sizeof buffer);
    uapi_write_get(&writer);
    assert_written(&writer, "get=1\n\n");
}

static void the_largest_operation_fits(void **)
{
    uint8_t buffer[UAPI_OP_SIZE_MAX];
    struct writer writer = writer_of(buffer, sizeof buffer);
    struct wg_op op = {.kind = WG_OP_UPDATE,
        .set_endpoint = true,
        .set_keepalive = true,
        .set_allowed = true,
        .replace_allowed = true};
    memset(op.peer.endpoint.ip, 0xfd, sizeof op.peer.endpoint.ip);
    op.peer.endpoint.family = FAMILY_IPV6;
    op.peer.endpoint.port = UINT16_MAX;
    op.peer.keepalive_s = UINT16_MAX;
    op.peer.allowed_count = WG_ALLOWED_MAX;
    for (size_t i = 0; i < WG_ALLOWED_MAX; i++) {
        op.peer.allowed[i] = prefix_of(&op.peer.endpoint, 128);
    }
    uapi_write_op(&writer, &op);
    assert_int_equal(writer_finish(&writer), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_state_is_read),
        cmocka_unit_test(an_odd_endpoint_counts_as_unset),
        cmocka_unit_test(every_truncation_is_seen),
        cmocka_unit_test(malformed_answers_are_refused),
        cmocka_unit_test(more_than_there_is_room_for_is_named),
        cmocka_unit_test(replies_carry_their_errno),
        cmocka_unit_test(operations_are_written),
        cmocka_unit_test(device_configuration_is_written),
        cmocka_unit_test(the_largest_operation_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

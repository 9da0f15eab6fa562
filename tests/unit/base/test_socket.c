// SPDX-License-Identifier: GPL-3.0-or-later
//
// Addresses to socket addresses and back.
#include "base/clock_posix.h"
#include "base/socket_posix.h"

#include "tests/unit/unit.h"

#include <netinet/in.h>

static void both_families_come_back_as_they_went(void **)
{
    static const char *const texts[] = {"192.0.2.1:51820", "[2001:db8::1]:51821", "203.0.113.9"};
    static const socklen_t sizes[] = {
        sizeof(struct sockaddr_in), sizeof(struct sockaddr_in6), sizeof(struct sockaddr_in)};
    for (size_t i = 0; i < 3; i++) {
        struct address address;
        struct sockaddr_storage name;
        assert_int_equal(address_parse(span_of_text(texts[i]), false, &address), OK);
        assert_int_equal(socket_address_of(&address, &name), sizes[i]);
        struct address back = address_of_socket(&name, sizes[i]);
        assert_true(address_equal(&address, &back));
        // One byte short is nothing.
        back = address_of_socket(&name, sizes[i] - 1);
        assert_false(address_is_set(&back));
    }
}

static void other_families_are_none(void **)
{
    struct sockaddr_storage name = {.ss_family = AF_UNIX};
    struct address address = address_of_socket(&name, sizeof name);
    assert_false(address_is_set(&address));
    address = address_of_socket(&name, 1);
    assert_false(address_is_set(&address));
    assert_int_equal(socket_address_of(&address, &name), 0);
    assert_int_equal(name.ss_family, AF_UNSPEC);
}

static void the_clocks_are_those_of_now(void **)
{
    struct now now = clock_now();
    assert_true(now.mono.ms <= clock_mono().ms);
    // 2024-01-01, long before any run.
    assert_true(now.unix_time.ms > UINT64_C(1704067200000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_families_come_back_as_they_went),
        cmocka_unit_test(other_families_are_none),
        cmocka_unit_test(the_clocks_are_those_of_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

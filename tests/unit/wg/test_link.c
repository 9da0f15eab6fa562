// SPDX-License-Identifier: GPL-3.0-or-later
//
// Interface names, and what rtnetlink tells without privileges; changes are tested in
// tests/lab/test_device.
#include "wg/link.h"

#include "tests/unit/unit.h"

static void names_are_safe_in_a_path(void **)
{
    static const char *const good[] = {"deed0", "a", "wg-1_x.y", "abcdefghijklmno"};
    static const char *const bad[] = {
        "", ".", "..", "-x", "a/b", "a b", "abcdefghijklmnop", "d\xc3\xa9", "a:1", "a\n"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(wg_link_name_valid(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(wg_link_name_valid(bad[i]));
    }
}

struct fixture {
    struct wg_link *link;
    struct wg_detail detail;
};

static int setup(void **state)
{
    static struct fixture fixture;
    *state = &fixture;
    return wg_link_open(&fixture.link, &fixture.detail) == OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    wg_link_close(fixture->link);
    return 0;
}

static void interfaces_are_found_by_name(void **state)
{
    struct fixture *f = *state;
    struct wg_link_info info;
    assert_int_equal(wg_link_find(f->link, "lo", &info, &f->detail), OK);
    assert_int_equal(info.index, 1);
    assert_true(info.loopback);
    assert_string_equal(info.name, "lo");
    assert_int_equal(wg_link_find(f->link, "no-such-link", &info, &f->detail), ERR_NOT_FOUND);
    assert_string_equal(f->detail.text, "interface no-such-link: No such device");
    assert_int_equal(wg_link_find(f->link, "no/name", &info, &f->detail), ERR_NOT_FOUND);
}

static void local_addresses_leave_loopback_out(void **state)
{
    struct fixture *f = *state;
    struct wg_local_address list[64];
    size_t count = 99;
    assert_int_equal(wg_link_addresses(f->link, list, 64, &count, &f->detail), OK);
    assert_true(count <= 64);
    for (size_t i = 0; i < count; i++) {
        assert_true(address_is_set(&list[i].address));
        assert_int_not_equal(address_scope(&list[i].address), SCOPE_LOOPBACK);
    }
    assert_int_equal(wg_link_addresses(f->link, list, 0, &count, &f->detail), OK);
    assert_int_equal(count, 0);
}

static void routes_print_as_people_know_them(void **state)
{
    struct fixture *f = *state;
    struct wg_route route = {.index = 1};
    char text[WG_ROUTE_TEXT_SIZE];
    assert_int_equal(prefix_parse(span_of_text("10.213.0.0/16"), &route.destination), OK);
    wg_route_format(f->link, &route, text);
    assert_string_equal(text, "10.213.0.0/16 dev lo");
    route.gateway = address_of_ipv4(192, 0, 2, 1, 0);
    route.index = 0;
    wg_route_format(f->link, &route, text);
    assert_string_equal(text, "10.213.0.0/16 via 192.0.2.1 dev (none)");
}

static void a_monitor_opens_and_closes(void **state)
{
    struct fixture *f = *state;
    struct wg_monitor *monitor = NULL;
    assert_int_equal(wg_monitor_open(&monitor, &f->detail), OK);
    assert_true(wg_monitor_fd(monitor) >= 0);
    wg_monitor_close(monitor);
    wg_monitor_close(NULL);
    wg_link_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_safe_in_a_path),
        cmocka_unit_test_setup_teardown(interfaces_are_found_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(local_addresses_leave_loopback_out, setup, teardown),
        cmocka_unit_test_setup_teardown(routes_print_as_people_know_them, setup, teardown),
        cmocka_unit_test_setup_teardown(a_monitor_opens_and_closes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

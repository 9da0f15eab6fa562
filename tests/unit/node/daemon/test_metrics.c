// SPDX-License-Identifier: GPL-3.0-or-later
//
// Prometheus' text format, against what the format's description says.
#include "node/daemon/metrics.h"

#include "tests/unit/unit.h"

static void samples_of_a_family_stand_under_one_head(void **)
{
    char text[1024];
    struct metrics metrics;
    const struct metric_label direct = {"path", "direct"};
    const struct metric_label relayed = {"path", "relayed"};
    metrics_init(&metrics, text, sizeof text);
    metrics_add_u64(&metrics, "deedmesh_peers", "Peers by path.", METRIC_GAUGE, &direct, 1, 3);
    metrics_add_u64(&metrics, "deedmesh_peers", "Peers by path.", METRIC_GAUGE, &relayed, 1, 0);
    metrics_add_u64(
        &metrics, "deedmesh_sent_bytes_total", "Bytes.", METRIC_COUNTER, NULL, 0, UINT64_MAX);
    metrics_add(&metrics, "deedmesh_uptime_seconds", "Uptime.", METRIC_GAUGE, NULL, 0, 1.5);
    assert_string_equal(text, "# HELP deedmesh_peers Peers by path.\n"
                              "# TYPE deedmesh_peers gauge\n"
                              "deedmesh_peers{path=\"direct\"} 3\n"
                              "deedmesh_peers{path=\"relayed\"} 0\n"
                              "# HELP deedmesh_sent_bytes_total Bytes.\n"
                              "# TYPE deedmesh_sent_bytes_total counter\n"
                              "deedmesh_sent_bytes_total 18446744073709551615\n"
                              "# HELP deedmesh_uptime_seconds Uptime.\n"
                              "# TYPE deedmesh_uptime_seconds gauge\n"
                              "deedmesh_uptime_seconds 1.5\n");
    assert_int_equal(metrics.size, strlen(text));
    assert_int_equal(metrics.dropped, 0);
}

static void label_values_cannot_forge_a_line(void **)
{
    char text[256];
    struct metrics metrics;
    const struct metric_label labels[] = {{"a", "x\"} 1\nb\\\x01"}, {"b", "y"}};
    metrics_init(&metrics, text, sizeof text);
    metrics_add_u64(&metrics, "deedmesh_x", "Two\nlines \\ \"q\".", METRIC_GAUGE, labels, 2, 1);
    assert_string_equal(text, "# HELP deedmesh_x Two\\nlines \\\\ \"q\".\n"
                              "# TYPE deedmesh_x gauge\n"
                              "deedmesh_x{a=\"x\\\"} 1\\nb\\\\?\",b=\"y\"} 1\n");
}

static void what_does_not_fit_is_left_out_whole(void **)
{
    char whole[512];
    struct metrics metrics;
    metrics_init(&metrics, whole, sizeof whole);
    metrics_add_u64(&metrics, "deedmesh_a", "A.", METRIC_GAUGE, NULL, 0, 1);
    size_t first = metrics.size;
    metrics_add_u64(&metrics, "deedmesh_a", "A.", METRIC_GAUGE, NULL, 0, 2);
    size_t both = metrics.size;
    for (size_t capacity = 1; capacity <= both + 1; capacity++) {
        char text[512];
        memset(text, 'x', sizeof text);
        metrics_init(&metrics, text, capacity);
        metrics_add_u64(&metrics, "deedmesh_a", "A.", METRIC_GAUGE, NULL, 0, 1);
        metrics_add_u64(&metrics, "deedmesh_a", "A.", METRIC_GAUGE, NULL, 0, 2);
        size_t expected = capacity > both ? both : capacity > first ? first : 0;
        assert_int_equal(metrics.size, expected);
        assert_memory_equal(text, whole, expected);
        assert_int_equal(text[expected], '\0');
        assert_int_equal(metrics.dropped, expected == both ? 0 : expected == first ? 1 : 2);
        assert_int_equal(text[capacity], 'x');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_of_a_family_stand_under_one_head),
        cmocka_unit_test(label_values_cannot_forge_a_line),
        cmocka_unit_test(what_does_not_fit_is_left_out_whole),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}

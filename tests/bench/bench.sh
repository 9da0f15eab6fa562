# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# What the benches that run whole nodes share: the release build, the world of the demo, and
# quantiles. They print figures and ratios and assert nothing. Source it.

BENCH_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export DEEDMESH_BUILD_DIR=${DEEDMESH_BUILD_DIR:-$BENCH_ROOT/build/release}
# shellcheck source=tests/lab/lib.sh
. "$BENCH_ROOT/tests/lab/lib.sh"
# shellcheck source=tests/lab/chain.sh
. "$BENCH_ROOT/tests/lab/chain.sh"
# shellcheck source=tests/lab/mesh.sh
. "$BENCH_ROOT/tests/lab/mesh.sh"
# shellcheck source=tests/lab/mesh_world.sh
. "$BENCH_ROOT/tests/lab/mesh_world.sh"

# bench_begin: checks what every bench needs, starts the lab, and says what it runs on.
bench_begin() {
    lab_program deedmeshd >/dev/null
    lab_program deedmesh >/dev/null
    lab_start
    printf '%s, %s cores, %s\n' "$("$(lab_program deedmesh)" version 2>/dev/null | head -n 1)" \
        "$(nproc)" "${DEEDMESH_BUILD_DIR##*/} build, load $(cut -d' ' -f1 /proc/loadavg)"
}

# Blocks come every second and with every transaction: a receipt is there at once, and the head is
# always fresh.
bench_chain() {
    world_chain --block-time 1 --mixed-mining
}

# bench_quantile PERCENT NUMBER...: nearest rank; 100 = the largest.
bench_quantile() {
    local percent=$1 rank sorted
    shift
    mapfile -t sorted < <(printf '%s\n' "$@" | sort -g)
    rank=$(((percent * $# + 99) / 100))
    [ "$rank" -ge 1 ] || rank=1
    printf '%s\n' "${sorted[rank - 1]}"
}

# bench_ratio A B: A / B with two digits.
bench_ratio() {
    jq -n --argjson a "$1" --argjson b "$2" '$a / $b * 100 | round / 100'
}

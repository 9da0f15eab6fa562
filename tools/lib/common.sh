# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# What every script in tools/ shares: strict mode, the project's root, who builds, how a script
# speaks, and the tally of results. Source it first.
set -Eeuo pipefail
# No script ends without a word: what fails unexpectedly names its place.
trap 'printf "%s:%d: \"%s\" failed\n" "${BASH_SOURCE[0]}" "$LINENO" "$BASH_COMMAND" >&2' ERR

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SCRIPT="tools/$(basename "$0")"
cd "$ROOT"

# The parts of tools/check, in their order.
# shellcheck disable=SC2034 # for the scripts that source this file
CHECK_PARTS=(format conventions shell build release tidy fuzz)

# say TEXT...: one line for the person who runs the script.
say() {
    printf '%s\n' "$*"
}

# die TEXT...: the thing, the reason and the next step, then exit 2.
die() {
    printf '%s: %s\n' "$SCRIPT" "$*" >&2
    exit 2
}

is_root() {
    [ "$(id -u)" -eq 0 ]
}

# as_caller COMMAND...: under sudo, runs it as the user who called sudo, so that what is built in
# the tree is theirs; else runs it as it is.
as_caller() {
    if is_root && [ "${SUDO_UID:-0}" -ne 0 ]; then
        local home
        home=$(getent passwd "$SUDO_UID" | cut -d: -f6)
        setpriv --reuid "$SUDO_UID" --regid "${SUDO_GID:-$SUDO_UID}" --init-groups \
            env HOME="$home" USER="${SUDO_USER:-}" "$@"
    else
        "$@"
    fi
}

# Path of the EVM node that tools/setup installs.
anvil_path() {
    printf '%s\n' "$ROOT/build/npm/bin/anvil"
}

# Milliseconds for measuring how long a part took.
now_ms() {
    local now=${EPOCHREALTIME/./}
    printf '%s\n' "$((now / 1000))"
}

# seconds_since MS: "12.3".
seconds_since() {
    local elapsed_ms=$(($(now_ms) - $1))
    printf '%d.%d\n' "$((elapsed_ms / 1000))" "$((elapsed_ms % 1000 / 100))"
}

# The tally: one line "passed|failed|skipped NAME" per result, in a file, so that a script that is
# called by another one counts into its caller's.
tally_begin() {
    TALLY_IS_OURS=0
    if [ -z "${DEEDMESH_TALLY:-}" ]; then
        as_caller mkdir -p build/check
        DEEDMESH_TALLY=$(as_caller mktemp "$ROOT/build/check/tally.XXXXXX")
        export DEEDMESH_TALLY
        TALLY_IS_OURS=1
    fi
}

# tally_add passed|failed|skipped NAME
tally_add() {
    printf '%s %s\n' "$1" "$2" >>"$DEEDMESH_TALLY"
}

# Prints the closing line when the tally is this script's own, and fails if anything failed: call it
# as "tally_finish || exit 1", so that the closing line stays the last one.
tally_finish() {
    local passed failed skipped
    passed=$(grep -c '^passed ' "$DEEDMESH_TALLY" || true)
    failed=$(grep -c '^failed ' "$DEEDMESH_TALLY" || true)
    skipped=$(grep -c '^skipped ' "$DEEDMESH_TALLY" || true)
    if [ "$TALLY_IS_OURS" -eq 1 ]; then
        sed -n -e 's/^failed /FAILED  /p' -e 's/^skipped /skipped /p' "$DEEDMESH_TALLY"
        rm -f "$DEEDMESH_TALLY"
        say "$passed passed, $failed failed, $skipped skipped"
    fi
    [ "$failed" -eq 0 ]
}

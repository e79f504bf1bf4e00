# Shared by the scripts of this repository: source it, do not run it.
# shellcheck shell=bash disable=SC2034

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
TOOLS=${BOXYARD_TOOLS:-$HOME/.cache/boxyard/tools}

# The fuzzers need a nightly compiler; a date makes every machine use the same one.
NIGHTLY=nightly-2026-10-29
MUSL_TARGET=$(uname -m)-unknown-linux-musl

have() { command -v "$1" >/dev/null 2>&1; }

say() { printf '%s\n' "$*"; }

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Seconds of the clock; `date` and not SECONDS, which a subshell inherits and a sourced file may reset.
now() { date +%s; }

# Runs a command under a headline and prints how long it took. The command runs in a subshell and without
# `set -e`, which bash ignores under `||`: a function given here chains its commands with `&&`.
timed() {
    local name=$1 start rc=0
    shift
    start=$(now)
    say "--- $name"
    ("$@") || rc=$?
    say "    $name: $(($(now) - start)) s"
    return "$rc"
}

# Prints the help of a script: the comment block that opens it.
usage() {
    awk 'NR == 1 { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "$1"
}

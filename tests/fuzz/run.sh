#!/bin/sh
# Runs the fuzzers: each for FUZZ_SECONDS (default 5), two at a time, from the committed corpus.
#
#   tests/fuzz/run.sh [TARGET...]
#
# Prints "ok fuzz_x (N runs)" or "FAILED fuzz_x" with the input that repeats it, and exits 1 if any failed.
# fuzz_canary is the other way round: it has a bug, and fails when that is not found.
# FUZZ_KEEP=DIR keeps what each target learns in DIR/TARGET, and begins there the next time;
# FUZZ_SEED and FUZZ_JOBS do as they say. The fuzzers are those of FUZZ_BIN (build/fuzz/bin).
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
bin=${FUZZ_BIN:-$root/build/fuzz/bin}
seconds=${FUZZ_SECONDS:-5}
artifacts=$root/build/fuzz/artifacts

# A quarantine of 32 MiB: what is measured is the target, and freed memory is still watched.
export ASAN_OPTIONS="quarantine_size_mb=32:${ASAN_OPTIONS:-}"
export UBSAN_OPTIONS="print_stacktrace=1:${UBSAN_OPTIONS:-}"

# Long enough for every shape, short enough for many runs.
max_len() {
    case $1 in
    fuzz_frame | fuzz_path | fuzz_synced | fuzz_quota) echo 512 ;;
    fuzz_node | fuzz_prep | fuzz_txn) echo 2048 ;;
    *) echo 4096 ;;
    esac
}

run_one() {
    target=$1
    work=$(mktemp -d) || return 1
    corpus=${FUZZ_KEEP:+$FUZZ_KEEP/$target}
    corpus=${corpus:-$work/corpus}
    seeds=$here/corpus/$target
    out=$artifacts/$target
    rm -rf "$out"
    mkdir -p "$corpus" "$out"
    [ -d "$seeds" ] || seeds=
    "$bin/$target" -max_total_time="$seconds" -max_len="$(max_len "$target")" -timeout=10 \
        -rss_limit_mb=1024 -seed="${FUZZ_SEED:-1}" -print_final_stats=1 -artifact_prefix="$out/" \
        "$corpus" $seeds >"$out/log" 2>&1
    status=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/log")
    rm -rf "$work"
    if [ "$target" = fuzz_canary ]; then
        if [ $status -ne 0 ] && grep -q 'heap-buffer-overflow' "$out/log"; then
            echo "ok fuzz_canary finds the planted bug"
            return 0
        fi
        echo "FAILED fuzz_canary: the planted bug was not found in $seconds seconds ($out/log)"
        return 1
    fi
    if [ $status -eq 0 ] && [ "${runs:-0}" -gt 0 ]; then
        echo "ok $target ($runs runs)"
        return 0
    fi
    input=$(ls "$out" | grep -v '^log$' | head -n 1)
    echo "FAILED $target: repeat with $bin/$target $out/$input"
    grep -E 'ERROR|runtime error|^SUMMARY|^/.*:[0-9]+: ' "$out/log" | head -n 5 | sed 's/^/    /'
    return 1
}

if [ "${1:-}" = --one ]; then
    run_one "$2"
    exit
fi
if [ $# -eq 0 ]; then
    set -- $(cd "$here" && ls fuzz_*.c | sed 's/\.c$//')
fi
echo "$# fuzzers for $seconds seconds each"
printf '%s\n' "$@" | xargs -P "${FUZZ_JOBS:-2}" -n 1 "$0" --one
[ $? -eq 0 ]

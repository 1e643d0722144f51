#!/bin/sh
# Keeps the best of what a long run learned: of the inputs that together reach all of the code it reached,
# the longest ones (short ones are found again at once) that fit into BUDGET bytes (default 8000), as
# corpus/TARGET/kept-*.
#
#   FUZZ_KEEP=/tmp/learned FUZZ_SECONDS=600 tests/fuzz/run.sh fuzz_node
#   tests/fuzz/keep.sh fuzz_node /tmp/learned/fuzz_node
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=${FUZZ_BIN:-$(dirname "$(dirname "$here")")/build/fuzz/bin}
target=$1
learned=$2
seeds=$here/corpus/$target
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$seeds" "$work/merged"
rm -f "$seeds"/kept-*
cp "$seeds"/* "$work/merged/" 2>/dev/null || true
"$bin/$target" -merge=1 -use_counters=0 -use_cmp=0 "$work/merged" "$learned" >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; exit 1; }

left=${BUDGET:-8000}
for file in $(ls -S "$work/merged"); do
    [ -e "$seeds/$file" ] && continue
    size=$(wc -c <"$work/merged/$file")
    left=$((left - size))
    [ "$left" -ge 0 ] || break
    cp "$work/merged/$file" "$seeds/kept-$(printf %.8s "$file")"
done
echo "$target: $(ls "$seeds" | wc -l) files, $(cat "$seeds"/* | wc -c) bytes"

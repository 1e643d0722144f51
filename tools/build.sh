#!/bin/sh
# build.sh PRESET [TARGET...]: configures build/PRESET, if that was not done to its end, and builds. One at a time: a second one waits.
set -eu
cd "$(dirname "$0")/.."
preset=$1
shift
trap 'exit 130' INT TERM HUP # when what runs has ended, so that nothing runs on behind us
mkdir -p build
exec 9>"build/$preset.lock"
if command -v flock >/dev/null 2>&1 && ! flock -n 9; then
    echo "build: build/$preset is being built by somebody else; waiting for that" >&2
    flock 9
fi

# CAUCUS_SOON: what is built from nothing is not optimized when it is linked, which takes a quarter of the time. It is when more than that
# is wanted: what is measured, installed and packed is always the whole.
lto=
if [ -n "${CAUCUS_SOON:-}" ]; then
    lto=-DCAUCUS_LTO=OFF
elif [ "$preset" = release ] && grep -qs '^CAUCUS_LTO:.*=OFF' build/release/CMakeCache.txt; then
    rm -f build/release/configured
fi

# What a configuration that was cut off, or met a full disk, found out about the machine is not to be believed.
if [ ! -f "build/$preset/configured" ] || [ ! -s "build/$preset/build.ninja" ]; then
    rm -rf "build/$preset/configured" "build/$preset/CMakeCache.txt" build/"$preset"/CMakeFiles/[0-9]* build/"$preset"/CMakeFiles/CMake* "build/$preset/build.ninja"
    # shellcheck disable=SC2086
    cmake --preset "$preset" $lto >"build/$preset.log" 2>&1 || { cat "build/$preset.log" >&2; exit 1; }
    # Of files for which there was no room cmake says nothing, and ends as if it had written them.
    if [ ! -s "build/$preset/build.ninja" ] || ! head -c 1000000 /dev/zero >"build/$preset/room"; then
        rm -f "build/$preset/room"
        echo "build: build/$preset could not be configured to its end" >&2
        exit 1
    fi
    rm "build/$preset/room"
    touch "build/$preset/configured"
    rm -f "build/$preset.log"
fi

jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN)}
# On a terminal ninja keeps a line that says how far it is; elsewhere only trouble is of interest.
if [ -t 1 ]; then
    NINJA_STATUS='building [%f of %t] ' ninja -C "build/$preset" -j"$jobs" "$@"
else
    ninja -C "build/$preset" -j"$jobs" --quiet "$@" >"build/$preset.log" 2>&1 || { cat "build/$preset.log" >&2; exit 1; }
    rm -f "build/$preset.log"
fi

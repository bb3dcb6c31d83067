#!/bin/sh
# Configures (once) and builds a preset of CMakePresets.json into build/<preset>.
# usage: scripts/build.sh [-k] PRESET [TARGET...]     -k: go on after errors, to show them all
set -eu
cd "$(dirname "$0")/.."
keep_going=
if [ "$1" = -k ]; then
    keep_going='-k 0'
    shift
fi
preset=$1
shift

log=build/$preset.log
mkdir -p build
if [ ! -f "build/$preset/build.ninja" ]; then
    cmake --preset "$preset" >"$log" 2>&1 ||
        { cat "$log"; rm -f "build/$preset/CMakeCache.txt"; exit 1; }
fi
# Says nothing when all went well: what a build prints on success is noise in front of the tests.
cmake --build "build/$preset" ${1:+--target "$@"} -- --quiet $keep_going >"$log" 2>&1 ||
    { cat "$log"; exit 1; }
grep -A6 'warning:' "$log" || true

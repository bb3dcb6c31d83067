#!/bin/sh
# Installs lucid into an empty prefix and uses it as a stranger would: every program of examples/c
# with pkg-config alone, the header as C17 and as C++17, the static library, the CMake package.
# usage: scripts/check_install.sh [--tally FILE]     the last line counts the checks
set -u
cd "$(dirname "$0")/.."
root=$PWD
tally=
[ "${1:-}" != --tally ] || tally=$2

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
cc=${CC:-cc}
cxx=${CXX:-c++}
strict='-Wall -Wextra -Wpedantic -Werror'
passed=0
failed=0

check() {
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        passed=$((passed + 1))
        echo "install: $name: ok"
    else
        failed=$((failed + 1))
        cat "$work/log"
        echo "install: $name: FAILED"
    fi
}

install_it() { make -s install PREFIX="$prefix"; }
check "make install" install_it

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name lucid.pc)")
LD_LIBRARY_PATH=$(pkg-config --variable=libdir "$PKG_CONFIG_PATH/lucid.pc")
export PKG_CONFIG_PATH LD_LIBRARY_PATH

# Includes the header twice: it must be guarded, and must not need anything included before it.
printf '#include <lucid.h>\n#include <lucid.h>\nint main(void) { return 0; }\n' >"$work/header.c"
cp "$work/header.c" "$work/header.cpp"
header_c() { $cc -std=c17 $strict $(pkg-config --cflags lucid) -c "$work/header.c" -o "$work/h.o"; }
header_cxx() {
    $cxx -std=c++17 $strict $(pkg-config --cflags lucid) -c "$work/header.cpp" -o "$work/h.o"
}
check "lucid.h as C17" header_c
if command -v "$cxx" >/dev/null; then
    check "lucid.h as C++17" header_cxx
fi

# The flags stand after the source, as linkers want it; -lm is the example's own.
shared_example() {
    $cc -std=c17 -O2 $strict "$1" -o "$work/example" $(pkg-config --cflags --libs lucid) -lm &&
        cd "$root" && timeout 120 "$work/example" </dev/null
}
static_example() {
    libs=$(pkg-config --static --libs lucid | sed 's/-llucid/-l:liblucid.a/')
    $cc -std=c17 -O2 $strict "$1" -o "$work/example" $(pkg-config --cflags lucid) $libs -lm &&
        cd "$root" && timeout 120 "$work/example" </dev/null
}
first=
for example in examples/c/*.c; do
    [ -f "$example" ] || continue
    check "$example" shared_example "$example"
    first=${first:-$example}
done
first=${first:-$work/header.c}
check "$first, static library" static_example "$first"

cmake_package() {
    mkdir -p "$work/consumer"
    cat >"$work/consumer/CMakeLists.txt" <<CMAKE
cmake_minimum_required(VERSION 3.21)
project(consumer LANGUAGES C)
find_package(lucid REQUIRED)
foreach(library lucid lucid_static)
  add_executable(with_\${library} "$(realpath "$first")")
  target_link_libraries(with_\${library} PRIVATE lucid::\${library} m)
endforeach()
CMAKE
    cmake -G Ninja -S "$work/consumer" -B "$work/consumer/build" -DCMAKE_PREFIX_PATH="$prefix" &&
        cmake --build "$work/consumer/build" &&
        timeout 120 "$work/consumer/build/with_lucid" &&
        timeout 120 "$work/consumer/build/with_lucid_static"
}
check "CMake package" cmake_package

[ -z "$tally" ] || echo "$passed $failed 0" >>"$tally"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]

#!/bin/sh
# Makes the checkout ready: the tools, the environment .venv, the package itself inside it.
# Takes a moment when nothing changed.
#
# usage: scripts/setup.sh           tools, .venv, package
#                         --quick   the same, but trusts that the tools of an earlier run are there
#                         --tools   only the tools that build the C library
#                         --lint    as without an option, and the tools that `make lint` uses
#                         --arm64   as without an option, and what builds and runs the C library for
#                                   64-bit Arm
#                         --peers   .venv-peers: lucid beside the libraries it is compared with;
#                                   torch, which is large, only with TORCH=1
set -eu
cd "$(dirname "$0")/.."
mode=${1:-}
say() { echo "setup: $*"; }

# --- tools ---------------------------------------------------------------------------------------

find_python() {
    for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

has_library() { pkg-config --exists "$1" 2>/dev/null; }

missing_packages() {
    command -v cc >/dev/null || command -v gcc >/dev/null || echo gcc libc6-dev
    command -v cmake >/dev/null || echo cmake
    command -v ninja >/dev/null || echo ninja-build
    command -v pkg-config >/dev/null || echo pkg-config
    has_library openblas || echo libopenblas-dev
    has_library cmocka || echo libcmocka-dev
    [ "$mode" = --tools ] || missing_python_packages
    [ "$mode" != --arm64 ] || missing_arm64_packages
    if [ "$mode" = --lint ]; then
        command -v clang >/dev/null || echo clang
        command -v clang-format >/dev/null || echo clang-format
        command -v clang-tidy >/dev/null || echo clang-tidy
        # What clang needs to build with OpenMP and with sanitizers.
        echo 'int main(void) { return 0; }' >"$scratch/a.c"
        clang -fopenmp "$scratch/a.c" -o "$scratch/a" 2>/dev/null || echo libomp-dev
        clang -fsanitize=address "$scratch/a.c" -o "$scratch/a" 2>/dev/null || echo libclang-rt-dev
    fi
}

# The libraries are those of Debian's own packages for arm64.
missing_arm64_packages() {
    command -v aarch64-linux-gnu-gcc >/dev/null || echo gcc-aarch64-linux-gnu
    [ -f /usr/aarch64-linux-gnu/lib/crti.o ] || echo libc6-dev-arm64-cross
    command -v qemu-aarch64 >/dev/null || echo qemu-user
    for package in libopenblas-dev libcmocka-dev libgomp1; do
        dpkg-query -W "$package:arm64" >/dev/null 2>&1 || echo "$package:arm64"
    done
}

missing_python_packages() {
    python=$(find_python)
    if [ -z "$python" ]; then
        echo python3 python3-venv python3-dev
        return
    fi
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    "$python" -c 'import venv, ensurepip' 2>/dev/null || echo "python$version-venv"
    header=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include") + "/Python.h")')
    [ -f "$header" ] || echo "python$version-dev"
}

install_tools() {
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    missing=$(missing_packages | tr '\n' ' ' | sed 's/ *$//')
    [ -n "$missing" ] || return 0
    if ! command -v apt-get >/dev/null; then
        say "these are missing (under their Debian names): $missing"
        exit 1
    fi
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        as_root='sudo -n'
    else
        say "some packages are missing; install them as root with"
        echo
        case $missing in *:arm64*) echo "    dpkg --add-architecture arm64" ;; esac
        echo "    apt-get update && apt-get install -y --no-install-recommends $missing"
        echo
        exit 1
    fi
    say "installing Debian packages: $missing"
    case $missing in *:arm64*) $as_root dpkg --add-architecture arm64 ;; esac
    $as_root apt-get update -qq
    # shellcheck disable=SC2086  # a list of words
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >"$scratch/apt.log" 2>&1 ||
        { cat "$scratch/apt.log"; exit 1; }
}

# --- environments --------------------------------------------------------------------------------

# make_environment DIR EXTRA: a virtual environment with the packages of pyproject's extra.
make_environment() {
    dir=$1
    extra=$2
    stamp=$dir/.requirements-$extra
    if [ ! -x "$dir/bin/python" ]; then
        python=$(find_python)
        say "creating $dir with $python"
        "$python" -m venv "$dir"
        rm -f "$stamp"
    fi
    wanted=$("$dir/bin/python" - "$extra" <<'PYTHON'
import sys, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
print("\n".join(dict.fromkeys(project["dependencies"] + project["optional-dependencies"][sys.argv[1]])))
PYTHON
)
    if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
        say "installing from PyPI into $dir:" $wanted
        "$dir/bin/python" -m pip install -q --disable-pip-version-check $wanted
        echo "$wanted" >"$stamp"
    fi
}

# install_package DIR: lucid into DIR, unless nothing it is made of changed since the last time.
install_package() {
    dir=$1
    stamp=$dir/.package
    ls python/src/*.c >/dev/null 2>&1 || return 0
    state=$(find CMakeLists.txt cmake pyproject.toml LICENSE include src python \
        -type f ! -name '*.pyc' -print | LC_ALL=C sort)
    if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$state" ] &&
        [ -z "$(find $state -newer "$stamp" -print -quit)" ]; then
        return 0
    fi
    rm -f "$stamp"
    touch "$dir/.package-new"
    mkdir -p build
    # With the build tools that are already in the environment, so that the build is incremental.
    "$dir/bin/python" -m pip install -v --disable-pip-version-check --no-build-isolation --no-deps \
        --force-reinstall . >build/pip.log 2>&1 || { cat build/pip.log; exit 1; }
    grep -A6 ': warning:' build/pip.log || true
    echo "$state" >"$dir/.package-new"
    # As old as the start of the build: what changes while it runs is built the next time.
    mv "$dir/.package-new" "$stamp"
}

case $mode in
--tools) install_tools ;;
--quick)
    [ -f .venv/.tools ] || install_tools
    make_environment .venv dev
    touch .venv/.tools
    install_package .venv
    ;;
--peers)
    install_tools
    make_environment .venv-peers peers
    [ -z "${TORCH:-}" ] || make_environment .venv-peers torch
    install_package .venv-peers
    ;;
'' | --lint | --arm64)
    install_tools
    make_environment .venv dev
    touch .venv/.tools
    install_package .venv
    ;;
*)
    echo "setup.sh: unknown option $mode" >&2
    exit 2
    ;;
esac

#!/bin/sh
# Everything `make lint` checks; goes on after a failure, so that one run shows all there is to do.
# usage: scripts/lint.sh [--fix]     --fix: only rewrite what the formatters can
set -u
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=

c_files() {
    find include src python/src tests/c fuzz examples/c bench \
        \( -name '*.c' -o -name '*.h' \) -print 2>/dev/null
}
python_places=$(ls -d python tests bench examples scripts 2>/dev/null)

if [ "${1:-}" = --fix ]; then
    c_files | xargs -r clang-format -i
    $bin/python scripts/make_stubs.py
    $bin/ruff format -q $python_places
    $bin/ruff check -q --fix $python_places
    exit
fi

check() {
    name=$1
    shift
    start=$(date +%s)
    if "$@"; then
        echo "lint: $name: ok ($(($(date +%s) - start)) s)"
    else
        echo "lint: $name: FAILED"
        failed="$failed $name"
    fi
}

clang_format() { c_files | xargs -r clang-format --dry-run -Werror; }
ruff() { $bin/ruff check -q $python_places && $bin/ruff format -q --check $python_places; }
types() {
    [ ! -d python/lucid ] || $bin/mypy --no-error-summary --cache-dir build/mypy python/lucid
}
stubs() { $bin/python scripts/make_stubs.py --check; }
# Both compilers, warnings as errors. The first build also gives clang-tidy its compile commands.
clang_build() { scripts/build.sh -k lint; }
gcc_build() { scripts/build.sh -k lint-gcc; }
clang_tidy() { $bin/python scripts/tidy.py build/lint; }

check layers $bin/python scripts/check_layers.py
check clang-format clang_format
check ruff ruff
check mypy types
check stubs stubs
check clang-build clang_build
check gcc-build gcc_build
check clang-tidy clang_tidy

[ -z "$failed" ] || { echo "lint: failed:$failed"; exit 1; }

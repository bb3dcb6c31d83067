#!/bin/sh
# The Python tests on a module built with AddressSanitizer and UndefinedBehaviorSanitizer (preset asan-python).
# usage: [TESTS=tests/python/test_vmap.py] scripts/asan_python.sh [pytest arguments]
# Not run: tests that limit memory, which the sanitizer maps terabytes of, and those of programs and documents around
# the module, which other steps run.
set -eu
cd "$(dirname "$0")/.."
build=build/asan-python
python=$PWD/.venv/bin/python
scripts/build.sh asan-python lucid_python

# The package as it is installed, with the module just built in it.
package=$build/package/lucid
rm -rf "$package"
mkdir -p "$package"
cp -r python/lucid/. "$package/"
module=$(find "$PWD/$build" -name '_lucid.abi3.so' -not -path '*/package/*' | head -1)
ln -sf "$module" "$package/_lucid.abi3.so"
blas=$("$python" -c 'import scipy_openblas32 as b; print(b.get_lib_dir())')

# Python itself is not built with the sanitizer, and what it leaks at its end is no concern of ours. Its small objects
# come from malloc, where the sanitizer sees them.
export PYTHONPATH="$PWD/$build/package" LD_LIBRARY_PATH="$blas" PYTHONMALLOC=malloc
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
# shellcheck disable=SC2086 # TESTS may be several
LD_PRELOAD=$(cc -print-file-name=libasan.so) exec "$python" -m pytest -q -p no:cacheprovider \
    ${TESTS:-tests/python} \
    --ignore=tests/python/test_limits.py --ignore=tests/python/test_bench.py \
    --ignore=tests/python/test_examples.py --ignore=tests/python/test_readme.py \
    --ignore=tests/python/test_docs.py --ignore=tests/python/test_stubs.py \
    --ignore=tests/python/test_main_job.py --ignore=tests/python/test_seed_example.py "$@"

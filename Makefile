# The short front door; CMake does the building. `make help` lists the targets.

PRESET ?= release
PREFIX ?= /usr/local
JOBS   ?= $(shell nproc 2>/dev/null || sysctl -n hw.ncpu)
TALLY  ?=
ARGS   ?=
PYTHON := .venv/bin/python
RUN_TESTS := $(PYTHON) scripts/run_tests.py $(if $(TALLY),--tally $(TALLY))

export CTEST_PARALLEL_LEVEL := $(JOBS)
export CMAKE_BUILD_PARALLEL_LEVEL := $(JOBS)
unexport PYTHONPATH

.PHONY: help setup demo test quick lint format bench parity install asan-test asan-python-test tsan-test arm64-test fuzz clean

help: ## list the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14

setup: ## install what is missing; leaves the package in .venv
	@scripts/setup.sh

demo: setup ## build everything and run the main example
	$(PYTHON) examples/dp_digits.py

test: setup ## all tests, C and Python; ends with their count
	@scripts/build.sh $(PRESET)
	@$(RUN_TESTS) --preset $(PRESET) --python

quick: ## incremental build with assertions, then all tests
	@[ -f .venv/.tools ] || scripts/setup.sh --tools
	@scripts/build.sh dev
	@scripts/setup.sh --quick
	@$(RUN_TESTS) --preset dev --python --quick

lint: ## formatting, static analysis, types, the layer law, a clean clang build
	@scripts/setup.sh --lint
	@scripts/lint.sh

format: ## rewrite the sources as the formatters want them
	@scripts/setup.sh --lint
	@scripts/lint.sh --fix

bench: ## speed beside other libraries (in .venv-peers; TORCH=1: torch too; ARGS="--only W3")
	@scripts/setup.sh --peers
	@scripts/build.sh release lucid_bench
	.venv-peers/bin/python bench/run.py $(ARGS)

parity: ## results beside other libraries (installs them in .venv-peers)
	@scripts/setup.sh --peers
	.venv-peers/bin/python -m pytest -q tests/parity

install: ## install the C library under PREFIX (default /usr/local)
	@scripts/setup.sh --tools
	@scripts/build.sh release
	cmake --install build/release --prefix "$(PREFIX)"

asan-test: ## the C tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/setup.sh --quick
	@scripts/build.sh asan
	@$(RUN_TESTS) --preset asan

asan-python-test: ## the Python tests on a module under AddressSanitizer and UndefinedBehaviorSanitizer
	@scripts/setup.sh --quick
	@$(RUN_TESTS) --preset asan-python --asan-python

tsan-test: ## the C tests under ThreadSanitizer
	@scripts/setup.sh --lint
	@scripts/build.sh tsan
	@$(RUN_TESTS) --preset tsan

arm64-test: ## the C library for 64-bit Arm, and its quicker tests under QEMU
	@scripts/setup.sh --arm64
	@scripts/build.sh arm64
	@$(RUN_TESTS) --preset arm64

fuzz: ## build the libFuzzer targets into build/fuzz
	@scripts/setup.sh --lint
	@scripts/build.sh fuzz

clean: ## remove everything that was built, except the environments
	rm -rf build

#!/bin/sh
# Rewrites docs/support.md from what the primitives do.
set -eu
cd "$(dirname "$0")/.."
scripts/build.sh dev test_grid
mkdir -p docs
build/dev/test_grid --matrix >docs/support.md

#!/usr/bin/env bash
# Installs what is missing, builds everything and runs the tests.
#   scripts/test.sh [default|pip-torch|asan|fuzz]
#       asan: the unit tests only    fuzz: the fuzz targets, for 60 seconds, from one seed
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=${1:-default}
case $preset in
  default | pip-torch | asan) ;;
  fuzz)
    scripts/setup.sh --fuzz
    exec tests/fuzz/run.sh 60 1
    ;;
  *)
    echo "usage: scripts/test.sh [default|pip-torch|asan|fuzz]" >&2
    exit 2
    ;;
esac

scripts/setup.sh
cmake --preset "$preset"
cmake --build --preset "$preset"
ctest --preset "$preset" --parallel 2

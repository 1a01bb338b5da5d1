#!/usr/bin/env bash
# Installs what is missing, builds everything and runs the tests.
#   scripts/test.sh [default|pip-torch|asan]     asan: the unit tests only
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

preset=${1:-default}
case $preset in
  default | pip-torch | asan) ;;
  *)
    echo "usage: scripts/test.sh [default|pip-torch|asan]" >&2
    exit 2
    ;;
esac

scripts/setup.sh
cmake --preset "$preset"
cmake --build --preset "$preset"
ctest --preset "$preset" --parallel 2

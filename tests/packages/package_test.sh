#!/usr/bin/env bash
# scripts/package.sh says which of the programs that it calls is missing, before it builds.
#   package_test.sh PACKAGE.SH
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

ln -s "$(command -v dirname)" "$scratch/dirname"
for missing in dpkg-shlibdeps file; do
  if PATH=$scratch "$BASH" "$1" 2>"$scratch/errors"; then
    echo "FAILED: success without $missing" >&2
    exit 1
  fi
  if [[ $(cat "$scratch/errors") != "package.sh: $missing is missing: apt-get install "* ]]; then
    echo "FAILED: without $missing: $(cat "$scratch/errors")" >&2
    exit 1
  fi
  ln -s /bin/true "$scratch/$missing"
done

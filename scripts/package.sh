#!/usr/bin/env bash
# Makes Debian packages of the program and of the models, for the release of Debian that it runs on:
# build/default/packages/srdiff_VERSION_ARCHITECTURE.deb and srdiff-models_VERSION_all.deb.
# Builds the default preset first. Needs dpkg-dev and file, which say what the program is linked to.
#   sudo apt-get install ./srdiff_*.deb ./srdiff-models_*.deb
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for program in dpkg-shlibdeps file; do
  if ! command -v "$program" >/dev/null; then
    echo "package.sh: $program is missing: apt-get install dpkg-dev file" >&2
    exit 1
  fi
done
cmake --preset default
cmake --build --preset default --target srdiff_app help_files
rm -rf build/default/packages
cpack --config build/default/CPackConfig.cmake >build/default/package.log ||
  { cat build/default/package.log >&2; exit 1; }
ls -l build/default/packages/*.deb

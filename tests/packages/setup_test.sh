#!/usr/bin/env bash
# Which packages scripts/setup.sh names on which system; it is told of the systems by files as their
# /etc/os-release. Nothing is installed.
#   setup_test.sh SETUP.SH
set -euo pipefail
setup=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export OS_RELEASE=$scratch/os-release

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

# names SYSTEM: setup.sh --print, its packages in $scratch/packages and its words in $scratch/words
names() {
  printf '%s\n' "$@" >"$OS_RELEASE"
  bash "$setup" --print >"$scratch/packages" 2>"$scratch/words"
}
has() { grep -qx -- "$1" "$scratch/packages"; }

names 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"' ID=debian VERSION_CODENAME=bookworm
has libtorch-dev || fail 'Debian 12: no libtorch-dev'
has libdnnl-dev || fail 'Debian 12: no libdnnl-dev'
has libjpeg-dev || fail 'Debian 12: no libjpeg-dev'

names 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"' ID=debian VERSION_CODENAME=trixie
has libtorch-dev || fail 'Debian 13: no libtorch-dev'
! has libdnnl-dev || fail 'Debian 13: oneDNN 3 is of no use'

names 'PRETTY_NAME="Linux Mint 22"' ID=linuxmint VERSION_CODENAME=wilma UBUNTU_CODENAME=noble
! has libtorch-dev || fail 'Ubuntu 24.04 has no libtorch-dev'
has libexiv2-dev || fail 'Ubuntu 24.04: no libexiv2-dev'
has python3-venv || fail 'Ubuntu 24.04: no python3-venv for the pip way'

if names 'PRETTY_NAME="Fedora Linux 43"' ID=fedora; then
  fail 'success on a system whose packages are not known'
fi
for words in 'Fedora Linux 43' 'pip install torch' 'cmake --preset pip-torch' libtiff; do
  grep -q -- "$words" "$scratch/packages" || fail "Fedora: '$words' is not said"
done

if bash "$setup" --peers --fuzz >/dev/null 2>&1; then
  fail 'two arguments are taken'
fi

#!/usr/bin/env bash
# run.sh SUITE [FOLDER]: builds srdiff in a bare chroot of another system by the commands of README
# and runs the unit tests, a face, a photograph and the golden file there, from what is committed.
#   bookworm, trixie   Debian 12 and 13, preset default
#   noble              Ubuntu 24.04, which packages no LibTorch: preset pip-torch, PyPI's torch
# FOLDER (build/systems/SUITE) keeps the chroot, so that a second run only builds what changed.
# For nights and before releases: a first run downloads 0.5 GB (noble: some 4 GB) and compiles
# everything. Needs root, debootstrap and the network. Ubuntu's signatures are checked where the
# package ubuntu-keyring is installed, which Debian 12 lacks; debootstrap says so where they are not.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() {
  echo "run.sh: $*" >&2
  exit 1
}

suite=${1:?usage: tests/systems/run.sh bookworm|trixie|noble [FOLDER]}
root=${2:-build/systems/$suite}
case $suite in
  bookworm | trixie)
    source=(http://deb.debian.org/debian)
    preset=default
    ;;
  noble)
    source=(http://archive.ubuntu.com/ubuntu /usr/share/debootstrap/scripts/gutsy)
    preset=pip-torch
    ;;
  *) fail "the suite $suite is not known; give bookworm, trixie or noble" ;;
esac
((EUID == 0)) || fail 'needs root, for a chroot'
command -v debootstrap >/dev/null || fail 'needs debootstrap: apt-get install debootstrap'

if [[ ! -e $root/etc/os-release ]]; then
  components=main
  [[ $suite != noble ]] || components=main,universe
  echo "run.sh: making a bare $suite in $root" >&2
  mkdir -p "$root"
  debootstrap --variant=minbase --components="$components" "$suite" "$root" "${source[@]}"
fi
root=$(cd "$root" && pwd)
cp /etc/resolv.conf "$root/etc/resolv.conf"
# The authorities that this machine trusts: a network may have one of its own, which pip asks for.
cp /etc/ssl/certs/ca-certificates.crt "$root/authorities.crt"

# What is committed, over what an earlier run has left: times of unchanged files stay, for ninja.
mkdir -p "$root/srdiff" build/systems
rm -rf "build/systems/$suite.tree"
mkdir "build/systems/$suite.tree"
git archive HEAD | tar -x -C "build/systems/$suite.tree"
command -v rsync >/dev/null || fail 'needs rsync: apt-get install rsync'
rsync -rlp --checksum --delete --exclude=/build --exclude=/features \
  "build/systems/$suite.tree/" "$root/srdiff/"
rm -rf "build/systems/$suite.tree"
[[ ! -d features ]] || rsync -r features "$root/srdiff/"

cat >"$root/srdiff-steps.sh" <<END
set -euo pipefail
cd /srdiff
apt-get update -q
scripts/setup.sh
if [[ $preset == pip-torch ]] && ! /torch/bin/python3 -c 'import torch' 2>/dev/null; then
  python3 -m venv /torch
  . /torch/bin/activate
  export PIP_CERT=/authorities.crt SSL_CERT_FILE=/authorities.crt
  unset SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE # places of the system outside
  pip install -q torch
fi
[[ $preset != pip-torch ]] || . /torch/bin/activate
cmake --preset $preset
cmake --build --preset $preset
ctest --preset $preset --label-regex unit --parallel 2
program=build/$preset/apps/srdiff/srdiff
"\$program" info
"\$program" upscale docs/samples/collins.png /tmp/face.png --overwrite
"\$program" upscale docs/samples/collins.png /tmp/photograph.png --overwrite --model photos-x4 --threads 1
if [[ -e features/efficientnet-lite0/manifest.json ]]; then
  "\$program" eval --golden tests/golden/faces-x8.json
else
  echo 'no features/efficientnet-lite0 (scripts/get_features.sh): the golden file is left out'
fi
END
# Its own mounts, which end with it.
# shellcheck disable=SC2016
unshare --mount bash -c '
  mount -t proc proc "$0/proc"
  mount --rbind /dev "$0/dev"
  exec chroot "$0" /bin/bash /srdiff-steps.sh' "$root"

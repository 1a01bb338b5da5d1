#!/usr/bin/env bash
# arm64.sh [FOLDER]: compiles srdiff for 64-bit ARM on this machine, and runs there under qemu-user
# the unit tests of the rooms base, method, images and engine, and the tool on one face.
# FOLDER (build/systems/arm64) keeps Debian 12's libraries for arm64 and the build, so that a second
# run only builds what changed. Where build/default has the tool for this machine too, the two
# pictures of the face are compared.
# For nights and before releases: a first run downloads 0.4 GB and compiles everything. Needs root
# for the first run, the network, and on Debian 12
#   apt-get install mmdebstrap g++-12-aarch64-linux-gnu qemu-user-static
# beside what scripts/setup.sh installs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() {
  echo "arm64.sh: $*" >&2
  exit 1
}

(($# < 2)) || fail 'usage: tests/systems/arm64.sh [FOLDER]'
for program in cmake ninja aarch64-linux-gnu-g++-12 qemu-aarch64-static; do
  command -v "$program" >/dev/null || fail "needs $program; the head of this file says which packages"
done
mkdir -p "${1:-build/systems/arm64}"
folder=$(cd "${1:-build/systems/arm64}" && pwd)
sysroot=$folder/sysroot

# make_sysroot FOLDER: the packages that setup.sh names for Debian 12, extracted and no more: what
# packages do when they are installed would have to run on ARM.
make_sysroot() {
  command -v mmdebstrap >/dev/null || fail 'needs mmdebstrap: apt-get install mmdebstrap'
  ((EUID == 0)) || fail 'needs root, for mmdebstrap'
  local packages link library
  echo VERSION_CODENAME=bookworm >"$folder/os-release"
  packages=$(OS_RELEASE=$folder/os-release scripts/setup.sh --print | grep -E '^lib|-dev$' |
    paste -sd ,)
  mmdebstrap --mode=root --variant=extract --architectures=arm64 \
    --include="$packages,libstdc++-12-dev" bookworm "$1" http://deb.debian.org/debian
  # Links from the root would lead to this machine's libraries.
  find "$1/lib" "$1/usr/lib" -type l -lname '/*' -print0 | while IFS= read -r -d '' link; do
    ln -snfr "$1$(readlink "$link")" "$link"
  done
  # As update-alternatives would choose.
  for library in libblas.so.3 liblapack.so.3 libopenblas.so.0; do
    ln -s "openblas-pthread/$library" "$1/usr/lib/aarch64-linux-gnu/$library"
  done
}

if [[ ! -e $sysroot ]]; then
  rm -rf "$sysroot.part"
  make_sysroot "$sysroot.part"
  mv "$sysroot.part" "$sysroot"
fi

build=$folder/build
cmake -G Ninja -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DSRDIFF_WARNINGS_AS_ERRORS=ON \
  -DCMAKE_UNITY_BUILD=ON -DCMAKE_TOOLCHAIN_FILE=cmake/toolchains/aarch64-linux-gnu.cmake \
  "-DSRDIFF_SYSROOT=$sysroot"
cmake --build "$build" --target base_tests method_tests images_tests engine_tests srdiff_app

# A processor of the first generation: what runs there runs on every one.
run() { qemu-aarch64-static -cpu cortex-a72 -L "$sysroot" "$@"; }
# Left out: qemu-user does not limit memory, which this test asks for.
unlimited=PrepackedConvolution.LooksForMemoryBeforeTheFirstCallOfASizeAlone
for room in base method images engine; do
  echo "arm64.sh: the unit tests of the room $room" >&2
  run "$build/tests/unit/${room}_tests" --gtest_brief=1 --gtest_filter="-$unlimited"
done

face=docs/samples/collins.png
rm -f "$folder"/face-*.png
run "$build/apps/srdiff/srdiff" upscale "$face" "$folder/face-arm64.png"
here=build/default/apps/srdiff/srdiff
if [[ ! -x $here ]]; then
  echo "arm64.sh: no $here to compare the picture with" >&2
  exit 0
fi
"$here" upscale "$face" "$folder/face-here.png" --precision fp32
/usr/bin/python3 - "$folder"/face-{here,arm64}.png <<'END'
import sys

import numpy
from PIL import Image

here, there = (numpy.asarray(Image.open(path).convert("RGB"), int) for path in sys.argv[1:])
apart = abs(here - there)
print(f"arm64.sh: levels apart: {apart.max()} at most, {apart.mean():.4f} on average")
sys.exit(apart.max() > 2)
END

#!/usr/bin/env bash
# Installs the packages that srdiff and its tests need: those that are missing, no others. Knows the
# names on Debian 12, Debian 13 and Ubuntu 24.04; on other systems it says what is needed.
#   scripts/setup.sh [--peers|--fuzz|--pip|--print]
#       --peers: also the Python packages whose figures tests/agreement compares with ours, from
#                the distribution and (in build/peers) from PyPI; where python3-torch is packaged
#       --fuzz:  also clang with its libFuzzer (Debian 12)
#       --pip:   what the preset pip-torch needs beside PyPI's torch: no LibTorch of a distribution
#       --print: install nothing, print the packages' names
# OS_RELEASE names another file than /etc/os-release.
set -euo pipefail

fail() {
  echo "setup.sh: $*" >&2
  exit 1
}

usage='usage: scripts/setup.sh [--peers|--fuzz|--pip|--print]'
want=${1:-build}
(($# < 2)) || fail "$usage"
case $want in
  build | --peers | --fuzz | --pip | --print) ;;
  *) fail "unknown argument $want; $usage" ;;
esac

pip_way='python3 -m venv ~/torch && . ~/torch/bin/activate && pip install torch
cmake --preset pip-torch && cmake --build --preset pip-torch'

pictures=(
  g++ cmake ninja-build
  libopencv-dev libexiv2-dev libpng-dev libtiff-dev libjpeg-dev liblcms2-dev
  libcli11-dev libspdlog-dev nlohmann-json3-dev libssl-dev libzip-dev
  libjxl-dev libavif-dev libheif-dev     # JPEG XL, AVIF, HEIC: srdiff can be built without
  libgtest-dev python3-numpy python3-pil # tests
)
torch=(
  libtorch-dev python3-torch
  libopenblas0-pthread # without it LibTorch multiplies with the reference BLAS, 28 times slower
)

say_what_is_needed() {
  cat <<END
setup.sh: $1
srdiff needs: GCC 12 or later (or Clang), CMake 3.25 or later, Ninja, and the headers of
  OpenCV 4.6 or later (core, imgcodecs), exiv2 0.27 or 0.28, libpng, libtiff, libjpeg, Little CMS 2,
  CLI11 2, spdlog (with fmt), nlohmann-json, OpenSSL 3, libzip; for JPEG XL, AVIF and HEIC libjxl 0.7,
  libavif 0.11 and libheif 1.13 or later, each of which may be missing; for the tests GoogleTest, and
  Python with numpy and Pillow
Debian calls them: ${pictures[*]}
LibTorch 1.13 or later: your distribution's, with the preset default, or PyPI's:
$pip_way
END
  exit 1
}

# What the system's own file says; derived systems name the release they are made from.
os_release=${OS_RELEASE:-/etc/os-release}
[[ -r $os_release ]] || say_what_is_needed "there is no $os_release, so this system is not known."
# shellcheck disable=SC1090  # the system's file
release=$(. "$os_release" && echo "${UBUNTU_CODENAME:-${DEBIAN_CODENAME:-${VERSION_CODENAME:-}}}")
# shellcheck disable=SC1090
name=$(. "$os_release" && echo "${PRETTY_NAME:-this system}")
case $release in
  bookworm)
    torch+=(libdnnl-dev) # convolutions straight to oneDNN 2, which LibTorch uses too
    ;;
  trixie) # its oneDNN is version 3, which srdiff leaves to LibTorch
    pictures+=(libheif-plugin-libde265) # without it libheif decodes no HEIC
    ;;
  noble)
    pictures+=(libheif-plugin-libde265)
    torch=() # Ubuntu 24.04 packages no LibTorch
    ;;
  *) say_what_is_needed "the packages of $name are not known here." ;;
esac
pip_packages=(python3-venv python3-pip)

packages=("${pictures[@]}")
if [[ $want == --pip ]] || ((${#torch[@]} == 0)); then
  packages+=("${pip_packages[@]}")
else
  packages+=("${torch[@]}")
fi
case $want in
  --peers)
    ((${#torch[@]})) || fail "--peers: $name packages no torch to compare with"
    packages+=(python3-torchvision python3-skimage python3-tqdm "${pip_packages[@]}")
    ;;
  --fuzz)
    [[ $release == bookworm ]] || fail "--fuzz: the preset fuzz is for clang 14 on Debian 12"
    packages+=(clang-14 libclang-rt-14-dev)
    ;;
esac
if [[ $want == --print ]]; then
  printf '%s\n' "${packages[@]}"
  exit 0
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done

if ((${#missing[@]})); then
  as_root=(env)
  if ((EUID != 0)); then
    command -v sudo >/dev/null || fail "run as root: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  echo "setup.sh: installing ${missing[*]}" >&2
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

if [[ " ${packages[*]} " != *" libtorch-dev "* ]]; then
  printf 'setup.sh: now LibTorch from PyPI and the preset pip-torch:\n%s\n' "$pip_way" >&2
  exit 0
fi

blas="libblas.so.3-$(g++ -print-multiarch)"
if ! update-alternatives --query "$blas" | grep -q '^Value: .*/openblas'; then
  echo "setup.sh: warning: $blas is not OpenBLAS; run: update-alternatives --config $blas" >&2
fi

if [[ $want == --peers ]]; then
  cd "$(dirname "${BASH_SOURCE[0]}")/.."
  [[ -x build/peers/bin/pip ]] || /usr/bin/python3 -m venv --system-site-packages build/peers
  # Not their dependencies: those are Debian's torch and torchvision.
  build/peers/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
    --requirement tests/agreement/requirements.txt
fi

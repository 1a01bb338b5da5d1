#!/usr/bin/env bash
# From a fresh machine (Debian 12 or 13) to upscaled faces: installs what is missing, builds the tool
# and upscales the faces of docs/samples into out/. What is already there is not made again. Where the
# distribution has no LibTorch, it takes the wheel that python3 imports: run it once, install torch as
# it says, and run it again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

scripts/setup.sh
preset=default
dpkg-query -W libtorch-dev >/dev/null 2>&1 || preset=pip-torch
[[ -f build/$preset/build.ninja ]] || cmake --preset "$preset"
cmake --build --preset "$preset" --target srdiff_app

tool=build/$preset/apps/srdiff/srdiff
made_by=("$tool" "build/$preset/apps/srdiff/srdiff-tool.so" models/faces-x8)
mkdir -p out
written=()
for input in docs/samples/*.png; do
  name=$(basename "$input" .png)
  output=out/$name.png
  if [[ -f $output && -z $(find "$input" "${made_by[@]}" -newer "$output") ]]; then
    echo "demo.sh: $output is up to date"
    continue
  fi
  rm -rf "out/steps/$name" out/side-by-side.png
  "$tool" upscale "$input" "$output" --save-steps "out/steps/$name"
  written+=("$output")
done
if [[ ! -f out/side-by-side.png ]]; then
  /usr/bin/python3 scripts/side_by_side.py out/side-by-side.png
  written+=(out/side-by-side.png)
fi

echo
echo "Wrote: ${written[*]:-nothing new}"
echo "Look at out/side-by-side.png; the steps on the way are in out/steps/."

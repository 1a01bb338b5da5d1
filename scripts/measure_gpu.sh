#!/usr/bin/env bash
# What is to be run where a GPU is at hand: the tests that need one, and the figures of
# docs/PERFORMANCE.md. In an environment whose python3 has torch and Pillow, after
# `scripts/test.sh pip-torch`:
#   scripts/measure_gpu.sh OUT
#       OUT gets pictures, bench-*.json, peers-*.txt and peers-*.json
#   DEVICE=cpu BATCHES=1 REPEATS=1 BUILD=build/default scripts/measure_gpu.sh OUT
#       a trial without a GPU, with another build
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=${1:?usage: scripts/measure_gpu.sh OUT}
device=${DEVICE:-cuda}
batches=${BATCHES:-1,8,64,256}
repeats=${REPEATS:-5}
build=${BUILD:-build/pip-torch}
srdiff=$build/apps/srdiff/srdiff
failed=0
mkdir -p "$out"

say() {
  printf '\n== %s\n' "$*"
}

if [[ $device == cuda ]]; then
  "$srdiff" info | grep -q '^CUDA devices: 0' && {
    echo "measure_gpu.sh: $srdiff finds no CUDA device; is its LibTorch one with CUDA?" >&2
    exit 1
  }
  say "Operators and networks beside LibTorch's"
  "$build/tests/unit/unit_tests" --gtest_filter='Cuda*' || failed=1  # figures are wanted anyhow
fi

say "The same picture twice, and beside the CPU's"
enlarge() { # FILE DEVICE PRECISION
  "$srdiff" upscale docs/samples/collins.png "$out/$1" --model faces-x8 --device "$2" \
    --precision "$3" --overwrite --quiet
}
enlarge cpu.png cpu fp32
for precision in fp32 bf16; do
  enlarge "$precision.png" "$device" "$precision"
  enlarge "$precision-again.png" "$device" "$precision"
  cmp -s "$out/$precision.png" "$out/$precision-again.png" && again=same || again=different
  echo "$precision: $again bytes the second time"
  "$srdiff" compare "$out/cpu.png" "$out/$precision.png" || (($? <= 2))  # 1, 2: they differ
done

for precision in fp32 bf16; do
  say "srdiff bench, $precision"
  "$srdiff" bench --model faces-x8 --device "$device" --precision "$precision" --batch "$batches" \
    --repeats "$repeats" --json | tee "$out/bench-$precision.json"
done

for batch in 1 64; do
  [[ ,$batches, == *,$batch,* ]] || continue
  say "PyTorch beside it, batch $batch"
  python3 scripts/bench_peers.py --config configs/faces-x8.json --model models/faces-x8 \
    --srdiff "$srdiff" --device "$device" --batch "$batch" --repeats "$repeats" --long-repeats 0 \
    --peers eager eager-bf16 compile compile-bf16 --json "$out/peers-$batch.json" |
    tee "$out/peers-$batch.txt"
done

exit "$failed"

#!/usr/bin/env bash
# run.sh SECONDS [SEED]: builds the fuzz targets with clang and runs them for that long in all, two at
# a time, from the hostile corpus, the manifests and networks of models/ and what earlier runs found.
# Ends with 0 unless an input crashes, leaks, hangs or takes too much memory; that input is kept in
# build/fuzz/findings. With a SEED above 0 a fresh clone tries the same inputs in the same order each
# time, so that a check says the same twice; without, others each time.
# Needs: scripts/setup.sh --fuzz
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=${1:?usage: tests/fuzz/run.sh SECONDS [SEED]}
seed=${2:-0}

cmake --preset fuzz
cmake --build --preset fuzz

work=build/fuzz
mkdir -p "$work"/{findings,decode,manifest,network,npz,journal,seeds}
rm -rf "$work/new-seeds"  # an interrupted run leaves them
/usr/bin/python3 tests/hostile/make_corpus.py "$work/new-seeds"
# The bombs are slow by design, and each small change of one would be slow again.
find "$work/new-seeds" -type f -size +20k -delete
rm -rf "$work/seeds"
mv "$work/new-seeds" "$work/seeds"
find models -name manifest.json -exec sh -c 'cp "$1" "$2/$(basename "$(dirname "$1")").json"' \
  _ {} "$work/manifest" \;

# fuzz TARGET SECONDS ARG...: corpora come last; the first is where new inputs go. A machine that
# stands still for seconds is no hang, so the limit for one input is long.
fuzz() {
  local target=$1 limit=$2
  shift 2
  LSAN_OPTIONS=suppressions=tests/fuzz/leaks.supp:print_suppressions=0 \
    OMP_NUM_THREADS=1 "$work/tests/fuzz/fuzz_$target" -seed="$seed" -max_total_time="$limit" -timeout=300 \
    -rss_limit_mb=3000 -max_len=20000 -print_final_stats=1 -close_fd_mask=3 \
    -artifact_prefix="$work/findings/$target-" "$@"
}

rm -rf "$work/more-seeds"
/usr/bin/python3 tests/fuzz/seeds.py models "$work/more-seeds"

# Half of the time is for pictures, beside the rest.
fuzz decode $((seconds / 2)) -dict=tests/fuzz/pictures.dict "$work/decode" "$work/seeds" \
  tests/fuzz/found-decode &
decoding=$!
trap 'kill "$decoding" 2>/dev/null || true' EXIT
fuzz manifest $((seconds / 8)) -dict=tests/fuzz/manifest.dict "$work/manifest" \
  tests/fuzz/found-manifest
fuzz network $((seconds / 8)) -dict=tests/fuzz/network.dict "$work/network" "$work/more-seeds/network"
fuzz npz $((seconds / 8)) "$work/npz" "$work/more-seeds/npz"
fuzz journal $((seconds / 8)) -dict=tests/fuzz/manifest.dict "$work/journal" \
  "$work/more-seeds/journal"
wait "$decoding"

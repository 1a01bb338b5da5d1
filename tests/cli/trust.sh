#!/usr/bin/env bash
# trust.sh CASE: a network's file is looked into before LibTorch loads it, and refused where it holds
# more than networks need, unless --trust-model says that it is known.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# with_network MODEL KIND: a copy of the tiny model whose weight map `networks.py` makes.
with_network() {
  "$PYTHON" -c 'import torch' 2>"$logs/stderr" || skip 'no torch for Python'
  "$MAKE_TEST_MODEL" "$PWD/models/$1" --name "$1"
  "$PYTHON" "$here/networks.py" "$2" "models/$1" "$PWD/victim"
  export SRDIFF_MODELS=$PWD/models
}

# Each command that loads a network says it.
case_code_that_runs_at_loading() {
  with_network evil writes_when_loaded
  pictures make in.png 8x6
  mkdir reference
  cp in.png reference
  local why='weight_map.pt: refused before it was loaded: its code has __'
  refuses 4 "$why" upscale in.png out.png --model evil
  refuses 4 "$why" models verify evil
  refuses 4 "$why" bench --model evil --quiet
  refuses 4 "$why" eval --model evil --reference reference --quiet
  grep -q -- '--trust-model' "$logs/stderr" || fail 'no remedy is named'
  [[ ! -e victim ]] || fail 'the code ran'
}

case_trust_model() {
  with_network evil writes_when_loaded
  succeeds models verify evil --trust-model
  [[ -e victim ]] || fail 'the case is none: nothing ran'
  pictures make in.png 8x6
  succeeds upscale in.png out.png --model evil --trust-model
}

case_operator_is_named() {
  with_network reading reads_a_file
  refuses 4 'weight_map.pt: refused before it was loaded: its code calls aten::from_file' \
    models verify reading
}

case_feature_network() {
  with_network evil writes_when_loaded
  mkdir features reference
  mv models/evil/weight_map.pt features/features.pt
  cat >features/manifest.json <<EOF
{"name": "f", "version": "1", "dimensions": 3, "input": {"resize": "none", "mean": [0, 0, 0], "std": [1, 1, 1]},
 "file": {"path": "features.pt", "sha256": "$(sha256sum features/features.pt | cut -d' ' -f1)"}}
EOF
  pictures make reference/a.png 16x12
  pictures make reference/b.png 16x12
  refuses 4 'features.pt: refused before it was loaded' \
    eval --output reference --reference reference --features ./features --metrics fid --quiet
  [[ ! -e victim ]] || fail 'the code ran'
}

# Networks of the kinds that people bring, as torch.jit.script and torch.jit.trace write them.
case_common_networks_pass() {
  local kind
  for kind in rrdb_traced imdn_traced imdn_scripted span_scripted window_attention_traced \
    window_attention_scripted upsample_scripted; do
    with_network "$kind" "$kind"
    succeeds models verify "$kind"
  done
}

run_case "$1"

#!/usr/bin/env bash
# trust.sh CASE: a network's file is looked into before LibTorch loads it, and refused where it holds
# more than networks need, unless --trust-model says that it is known.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# with_networks KIND...: for each KIND a copy of the tiny model, named so, whose weight map `networks.py`
# makes.
with_networks() {
  local kind
  for kind in "$@"; do
    "$MAKE_TEST_MODEL" "$PWD/models/$kind" --name "$kind"
  done
  "$PYTHON" "$here/networks.py" "$PWD/victim" models "$@" || exit $?
  export SRDIFF_MODELS=$PWD/models
}

# Each command that loads a network says it.
case_code_that_runs_at_loading() {
  with_networks writes_when_loaded
  pictures make in.png 8x6
  mkdir reference
  cp in.png reference
  local why='weight_map.pt: refused before it was loaded: its code has __'
  refuses 4 "$why" upscale in.png out.png --model writes_when_loaded
  refuses 4 "$why" models verify writes_when_loaded
  refuses 4 "$why" bench --model writes_when_loaded --quiet
  refuses 4 "$why" eval --model writes_when_loaded --reference reference --quiet
  grep -q -- '--trust-model' "$logs/stderr" || fail 'no remedy is named'
  [[ ! -e victim ]] || fail 'the code ran'
}

case_trust_model() {
  with_networks writes_when_loaded
  succeeds models verify writes_when_loaded --trust-model
  [[ -e victim ]] || fail 'the case is none: nothing ran'
  pictures make in.png 8x6
  succeeds upscale in.png out.png --model writes_when_loaded --trust-model
}

case_operator_is_named() {
  with_networks reads_a_file
  refuses 4 'weight_map.pt: refused before it was loaded: its code calls aten::from_file' \
    models verify reads_a_file
}

case_feature_network() {
  with_networks writes_when_loaded
  mkdir features reference
  mv models/writes_when_loaded/weight_map.pt features/features.pt
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
  local kind kinds=(rrdb_traced imdn_traced imdn_scripted span_scripted window_attention_traced
    window_attention_scripted upsample_scripted)
  with_networks "${kinds[@]}"
  for kind in "${kinds[@]}"; do
    succeeds models verify "$kind"
  done
}

run_case "$1"

#!/usr/bin/env bash
# detail.sh CASE: the way from the regressor's picture (--t 0) to the most texture (--detail 1).
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

curve='{"detail": [{"detail": 0.5, "t": 200, "beta": 0.6, "nfe": 2},
                   {"detail": 1, "t": 600, "beta": 1, "nfe": 6}]}'

# A model with a curve, as `dialled`.
make_dialled() {
  "$MAKE_TEST_MODEL" "$PWD/models/dialled" --name dialled --patch "$curve" "$@"
  export SRDIFF_MODELS=$PWD/models
}

# --- t = 0

case_zero_is_x_sr() {
  pictures make in.png 12x10
  upscales in.png whole.png --nfe 1 --save-steps steps
  upscales in.png out.png --t 0 --save-steps again
  pictures same out.png steps/x_sr.png 0
  [[ $(ls again) == x_sr.png ]] || fail "$(ls again)"
  grep -q 'by tiny, x_sr alone, ' "$logs/stderr" || fail 'it does not say so'
}

# Files that must not be read are damaged here.
case_zero_loads_the_regressor_alone() {
  "$MAKE_TEST_MODEL" "$PWD/models/damaged" --name damaged --damage denoiser
  printf 'no network' >models/damaged/weight_map.pt
  export SRDIFF_MODELS=$PWD/models
  pictures many in 3
  refuses 4 'pt: damaged' upscale --model damaged in/0.png out.png
  local precision
  for precision in fp32 bf16 auto; do
    succeeds upscale --model damaged in/0.png out.png --t 0 --precision "$precision" --json
    json_is '(d["settings"]["t"], d["settings"]["nfe"], d["precision"])' "(0, 0, 'fp32')"
  done
  succeeds upscale --model damaged in out --t 0
  [[ $(ls out | wc -l) -eq 3 ]] || fail "$(ls out)"
  pictures same out.png out/0.png 0
  rm models/damaged/regressor.pt
  refuses 4 'regressor.pt' upscale --model damaged in/0.png other.png --t 0
}

case_zero_in_a_folder() {
  pictures many in 3
  printf '[upscale]\nt = 0\n' >zero.toml
  succeeds upscale --model tiny in out --config zero.toml
  succeeds upscale --model tiny in out --t 0 --resume --json
  json_is 'd["images"]["skipped"]' 3
  succeeds upscale --model tiny in out --t 1 --resume --json
  json_is 'd["images"]["skipped"]' 0
}

case_zero_of_tiles() {
  pictures make in.png 40x56
  "$MAKE_TEST_MODEL" "$PWD/models/tiles" --name tiles --patch '{"tile": {"size": 16, "overlap": 8}}'
  export SRDIFF_MODELS=$PWD/models
  succeeds upscale --model tiles in.png tiles.png --t 0
  succeeds upscale --model tiles in.png whole.png --t 0 --tile 0
  pictures same tiles.png whole.png 1
}

case_zero_and_evaluations() {
  pictures make in.png 12x10
  refuses_upscale 2 'nfe = 4 evaluations do not fit t = 0 steps; give 0' in.png out.png \
    --t 0 --nfe 4
  refuses_upscale 2 't = -1 is outside the schedule; give 0 to 2000' in.png out.png --t -1
  refuses_upscale 2 'a start from noise is at t = 2000' in.png out.png --t 0 --start noise
}

run_case "$1"

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
  said ', 1 evaluation from t = 300, '
  upscales in.png other.png --nfe 2
  said ', 2 evaluations from t = 300, '
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

# --- the dial

case_detail_is_t_beta_and_nfe() {
  make_dialled
  pictures make in.png 12x10
  succeeds upscale --model dialled in.png dialled.png --detail 0.75
  succeeds upscale --model dialled in.png spelt.png --t 400 --beta 0.8 --nfe 4
  same_bytes dialled.png spelt.png
  succeeds upscale --model dialled in.png zero.png --detail 0
  succeeds upscale --model dialled in.png t.png --t 0
  pictures same zero.png t.png 0
  succeeds upscale --model dialled in.png part.png --detail 0.75 --beta 0.1 --json
  json_is '[d["settings"][key] for key in ("t", "beta", "nfe")]' '[400, 0.1, 4]'
}

# The model's guidance is for its own t and evaluations; with others it is asked for.
case_guidance_is_the_models() {
  "$MAKE_TEST_MODEL" "$PWD/models/guided" --name guided \
    --patch '{"defaults": {"t": 300, "nfe": 2, "guidance": 1.5}}'
  export SRDIFF_MODELS=$PWD/models
  pictures make in.png 12x10
  upscale_of() {
    succeeds upscale --model guided in.png "$1" "${@:2}" --json
  }
  upscale_of default.png
  json_is '[d["settings"][key] for key in ("t", "nfe", "guidance")]' '[300, 2, 1.5]'
  upscale_of spelt.png --t 300 --nfe 2 --guidance 1.5
  same_bytes default.png spelt.png
  upscale_of other.png --nfe 3
  json_is 'd["settings"]["guidance"]' 1.0
  upscale_of plain.png --nfe 3 --guidance 1
  same_bytes other.png plain.png
  upscale_of zero.png --guidance 0
  upscale_of x_sr.png --t 0
  pictures same zero.png x_sr.png 1
}

case_detail_in_a_folder() {
  make_dialled
  pictures many in 3
  printf '[upscale]\ndetail = 0.5\n' >half.toml
  succeeds upscale --model dialled in out --config half.toml
  succeeds upscale --model dialled in out --detail 0.5 --resume --json
  json_is '(d["images"]["skipped"], d["settings"]["t"])' '(3, 200)'
  succeeds upscale --model dialled in out --detail 0.6 --resume --json
  json_is '(d["images"]["skipped"], d["settings"]["t"])' '(0, 280)'
}

case_detail_of_an_evaluation() {
  make_dialled
  pictures many faces 3
  succeeds eval --reference faces --model dialled --detail 0.5 --metrics psnr --json
  local by_detail
  by_detail=$(json f)
  succeeds eval --reference faces --model dialled --t 200 --beta 0.6 --nfe 2 --metrics psnr --json
  json_is f "$by_detail"
}

case_detail_of_a_golden_file() {
  make_dialled
  pictures many faces 3
  cat >golden.json <<'END'
{"format": 1, "stages": {"images": 1},
 "setting": {"reference": "faces", "model": "dialled", "metrics": "psnr", "detail": 0.5}}
END
  succeeds eval --golden golden.json --update-golden
  "$PYTHON" - <<'END'
import json
setting = json.load(open("golden.json"))["setting"]
assert (setting["t"], setting["beta"], setting["nfe"], "detail" in setting) == (200, 0.6, 2, False), setting
END
  succeeds eval --golden golden.json
}

case_detail_of_a_sweep() {
  make_dialled
  pictures many faces 2
  cat >sweep.json <<'END'
{"name": "dial", "title": "The dial", "model": "dialled", "figures": ["psnr"],
 "rows": [{"label": "tiny"}],
 "columns": {"label": "detail", "values": [{"label": "0", "settings": {"detail": 0}},
                                           {"label": "1", "settings": {"detail": 1}}]}}
END
  succeeds sweep sweep.json --reference faces --out out
  grep -q '| tiny ' out/table.md || fail "$(cat out/table.md)"
}

case_detail_refused() {
  pictures make in.png 12x10
  refuses_upscale 2 'tiny: has no curve for detail; set --t, --beta and --nfe instead' \
    in.png out.png --detail 0.5
  refuses_upscale 2 '--detail' in.png out.png --detail much
  make_dialled
  refuses 2 'detail is outside 0 to 1' upscale --model dialled in.png out.png --detail 1.5
  refuses 2 'detail is outside 0 to 1' upscale --model dialled in.png out.png --detail nan
  refuses 2 'a start from noise has no detail' \
    upscale --model dialled in.png out.png --detail 0.5 --start noise
}

# refuses_curve TEXT CURVE
refuses_curve() {
  "$MAKE_TEST_MODEL" "$PWD/models/wrong" --name wrong --patch "{\"detail\": $2}"
  export SRDIFF_MODELS=$PWD/models
  refuses 4 "detail: $1" models verify wrong
}

case_curve_refused() {
  refuses_curve 'its last point must be at 1' '[]'
  refuses_curve 'its last point must be at 1' '[{"detail": 0.9, "t": 9, "beta": 1, "nfe": 1}]'
  refuses_curve "'t' is 2001, outside 1 to 2000" '[{"detail": 1, "t": 2001, "beta": 1, "nfe": 1}]'
  refuses_curve "'t' is 5, outside 0 to 0" '[{"detail": 0, "t": 5, "beta": 1, "nfe": 1}]'
  refuses_curve "'nfe' is 10, outside 1 to 9" '[{"detail": 1, "t": 9, "beta": 1, "nfe": 10}]'
  refuses_curve "'beta' is 2, outside 0 to 1" '[{"detail": 1, "t": 9, "beta": 2, "nfe": 1}]'
  refuses_curve "'detail' is 2, outside 0 to 1" '[{"detail": 2, "t": 9, "beta": 1, "nfe": 1}]'
  refuses_curve "the field 'nfe' is missing" '[{"detail": 1, "t": 9, "beta": 1}]'
  refuses_curve "the field 'eta' is not known" \
    '[{"detail": 1, "t": 9, "beta": 1, "nfe": 1, "eta": 0}]'
  refuses_curve "'guidance' is 9, outside 0 to 8" \
    '[{"detail": 1, "t": 9, "beta": 1, "nfe": 1, "guidance": 9}]'
  refuses_curve 'its points must rise' \
    '[{"detail": 1, "t": 9, "beta": 1, "nfe": 1}, {"detail": 1, "t": 9, "beta": 1, "nfe": 1}]'
}

case_curve_shown() {
  make_dialled
  succeeds models info dialled --json
  json_is 'd["detail"][1]' "{'detail': 1.0, 't': 600, 'beta': 1.0, 'nfe': 6, 'guidance': 1.0}"
  succeeds models verify dialled
}

run_case "$1"

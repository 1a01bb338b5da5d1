#!/usr/bin/env bash
# variants.sh CASE: several pictures of one, by as many seeds.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case_variants_are_the_pictures_of_their_seeds() {
  pictures make in.png 12x10
  upscales in.png out.png --variants 3 --seed 7 --json
  json_is '[(v["output"], v["seed"]) for v in d["variants"]]' \
    "[('out-1.png', 7), ('out-2.png', 8), ('out-3.png', 9)]"
  [[ ! -e out.png ]] || fail 'out.png was made too'
  local i
  for i in 1 2 3; do
    upscales in.png "alone-$i.png" --seed $((6 + i))
    same_bytes "alone-$i.png" "out-$i.png"
  done
  other_bytes out-1.png out-2.png
}

case_variants_of_tiles_and_passes() {
  "$MAKE_TEST_MODEL" "$PWD/models/tiles" --name tiles --patch '{"tile": {"size": 16, "overlap": 8}}'
  export SRDIFF_MODELS=$PWD/models
  pictures make in.png 40x24
  local options=(--model tiles --nfe 2 --scale 3.5)
  succeeds upscale in.png out.png --variants 2 "${options[@]}"
  succeeds upscale in.png alone.png --seed 1 "${options[@]}"
  same_bytes out-2.png alone.png
}

case_variants_into_a_folder() {
  pictures make in.jpg 12x10
  mkdir out
  upscales in.jpg out --variants 2
  [[ $(ls out) == $'1.jpg\n2.jpg' ]] || fail "$(ls out)"
  upscales in.jpg out --variants 2 --format png
  [[ $(ls out) == $'1.jpg\n1.png\n2.jpg\n2.png' ]] || fail "$(ls out)"
  printf '[upscale]\nvariants = 1\n' >one.toml
  upscales in.jpg single.png --config one.toml
  [[ -e single-1.png ]] || fail "$(ls)"
}

case_variants_replace_no_foreign_file() {
  pictures make in.png 12x10
  cp in.png out-2.png
  refuses 2 'out-2.png: exists and does not say that srdiff made it' \
    upscale --model tiny in.png out.png --variants 2
  upscales in.png out.png --variants 2 --overwrite
  upscales in.png out.png --variants 2
  refuses 2 'out-2.png: is the input itself' upscale --model tiny out-2.png out.png --variants 2
}

case_variants_refused() {
  pictures make in.png 12x10
  pictures many in 2
  refuses 2 '--variants is for one picture, and in is a folder' \
    upscale --model tiny in out --variants 2
  refuses 2 '--variants is for one picture' upscale --model tiny in/0.png in/1.png in --variants 2
  refuses 2 '--variants are several pictures' upscale --model tiny in.png - --variants 2
  refuses 2 '--save-steps is for one picture' \
    upscale --model tiny in.png out.png --variants 2 --save-steps steps
  refuses 2 'at t = 0 there is none' upscale --model tiny in.png out.png --variants 2 --t 0
  refuses 2 '--variants' upscale --model tiny in.png out.png --variants 0
  refuses 2 '--variants' upscale --model tiny in.png out.png --variants two
  refuses 2 'pass 2^64 - 1' \
    upscale --model tiny in.png out.png --variants 2 --seed 18446744073709551615
  refuses 2 'leave out --format' upscale --model tiny in.png out.png --variants 2 --format png
}

run_case "$1"

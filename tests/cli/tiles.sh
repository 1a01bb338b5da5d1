#!/usr/bin/env bash
# tiles.sh CASE: pictures larger than a tile, other scales, the colour fix, and which model is
# taken when none is named.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# tiled_models NAME...: tiny models with tiles of 16 input pixels, under these names alone.
tiled_models() {
  export SRDIFF_MODELS=$logs/models
  for name in "$@"; do
    "$MAKE_TEST_MODEL" "$SRDIFF_MODELS/$name" --name "$name" \
      --patch '{"tile": {"size": 16, "overlap": 8}}'
  done
}

# tiled ARG...: `srdiff upscale` with such a model, few evaluations, which must succeed.
tiled() {
  [[ -d $logs/models ]] || tiled_models small-tiles
  succeeds upscale --model small-tiles --nfe 3 --quiet "$@"
}

case_no_seam() {
  pictures make in.png 40x56 # whole tiles, so that none goes beyond the picture
  tiled in.png tiles.png
  tiled in.png whole.png --tile 0
  tiled in.png other.png --tile 24 --tile-overlap 8
  pictures same tiles.png whole.png
  pictures same other.png whole.png
}

case_tiles_fit_the_picture() {
  export SRDIFF_MODELS=$logs/models
  "$MAKE_TEST_MODEL" "$SRDIFF_MODELS/fitted" --name fitted \
    --patch '{"tile": {"size": 32, "overlap": 8}}'
  pictures make in.png 40x56
  succeeds upscale --model fitted in.png tiles.png --nfe 3 --json
  json_is 'd["tiles"], d["tile_size"]' '(3, [40, 24])'
  json_is 'd["settings"]["tile"]' "{'pixels': 1024, 'overlap': 8}"
  succeeds upscale --model fitted in.png asked.png --nfe 3 --tile 32 --json
  json_is 'd["tiles"], d["tile_size"]' '(4, [32, 32])'
  succeeds upscale --model fitted in.png whole.png --nfe 3 --tile 0 --quiet
  pictures same tiles.png whole.png
  pictures same asked.png whole.png
}

case_every_format_and_kind() {
  for mode in rgb grey rgba rgb16 grey16 rgba16; do
    pictures make "$mode.png" 37x50 "$mode"
    tiled "$mode.png" out.png
    bits=8
    [[ $mode != *16 ]] || bits=16
    is out.png "png 74x100 ${mode%16} $bits"
    pictures enlarged "$mode.png" out.png
  done
  for format in jpg webp tiff bmp; do
    tiled rgb.png "out.$format"
    pictures enlarged rgb.png "out.$format"
  done
}

case_the_last_bytes_do_not_depend_on_threads() {
  pictures make in.png 50x37
  tiled in.png one.png --threads 1
  tiled in.png two.png --threads 2
  same_bytes one.png two.png
}

case_any_scale() {
  pictures make in.png 40x30
  tiled in.png out.png --scale 3
  is out.png 'png 120x90 rgb 8'
  pictures enlarged in.png out.png
  tiled in.png out.png --scale 1.5
  is out.png 'png 60x45 rgb 8'
  succeeds upscale --model "$TINY_MODELS/tiny" in.png out.png --scale 2.25 --quiet
  is out.png 'png 90x68 rgb 8'
  pictures make alpha.png 30x20 rgba
  tiled alpha.png out.png --scale 5
  is out.png 'png 150x100 rgba 8'
}

case_folder_of_large_and_small() {
  mkdir in
  pictures make in/large.png 60x50
  pictures make in/small.png 9x7
  pictures make in/alpha.png 40x40 rgba
  tiled in out
  is out/large.png 'png 120x100 rgb 8'
  is out/small.png 'png 18x14 rgb 8'
  is out/alpha.png 'png 80x80 rgba 8'
  tiled in/large.png alone.png
  same_bytes out/large.png alone.png
  tiled in out --resume
  tiled in out3 --scale 3
  is out3/large.png 'png 180x150 rgb 8'
}

case_colour_fix() {
  pictures make in.png 33x20
  tiled in.png fixed.png --color-fix consistency
  tiled in.png plain.png --color-fix none
  other_bytes fixed.png plain.png
  "$PYTHON" - <<'END' || fail 'the fixed output does not reduce to its input'
from PIL import Image, ImageChops, ImageStat
low = Image.open("in.png").convert("RGB")
error = {name: sum(ImageStat.Stat(ImageChops.difference(low, Image.open(f"{name}.png").convert("RGB").resize(
    low.size, Image.BICUBIC))).mean) / 3 for name in ("fixed", "plain")}
assert error["fixed"] < 0.3 < error["plain"], error
END
}

case_neutral_stays_neutral() {
  "$PYTHON" - <<'END'
from PIL import Image
board = Image.new("L", (33, 20))
board.putdata([255 * ((x // 2 + y // 2) % 2) for y in range(20) for x in range(33)])
board.convert("RGB").save("in.png")
board.convert("RGB").save("in.jpg", quality=90)
END
  tiled in.png fixed.png --color-fix neutral
  tiled in.png whole.png --color-fix neutral --tile 0
  tiled in.png deep.png --color-fix neutral --scale 4
  tiled in.jpg jpeg.png --color-fix neutral
  "$PYTHON" - <<'END' || fail 'grey does not stay grey'
from PIL import Image
for name in ("fixed", "whole", "deep", "jpeg"):
    wrong = sum(len(set(pixel)) > 1 for pixel in Image.open(f"{name}.png").convert("RGB").getdata())
    assert not wrong, (name, wrong)
END
}

case_steps_are_shown_in_one_piece_only() {
  pictures make in.png 40x40
  tiled_models small-tiles
  refuses 2 'add --tile 0' upscale in.png out.png --model small-tiles --save-steps steps
  tiled in.png out.png --tile 0 --save-steps steps
  [[ -f steps/x_sr.png ]] || fail 'no steps'
}

case_refused() {
  pictures make in.png 40x40
  tiled_models small-tiles
  refuses 2 'take no tiles' upscale in.png out.png --model "$TINY_MODELS/tiny" --tile 16
  refuses 2 "the tile 'big' is not known" upscale in.png out.png --model small-tiles --tile big
  refuses 2 'overlap' upscale in.png out.png --model small-tiles --tile 16 --tile-overlap 9
  refuses 2 'a scale of 0.5' upscale in.png out.png --model small-tiles --scale 0.5
  refuses 2 "the colour fix 'wavelet' is not known" upscale in.png out.png --model small-tiles \
    --color-fix wavelet
  refuses 1 'more than small-tiles takes' upscale in.png out.png --model small-tiles --scale 16
}

# takes MODEL ARG...: an upscale without --model says that it took this one.
takes() {
  local model=$1
  shift
  succeeds upscale "$@" --nfe 1
  grep -q "^srdiff: model $model is taken;" "$logs/stderr" || fail "not $model: srdiff upscale $*"
}

case_default_model() {
  tiled_models faces-x8 photos-x4
  pictures make face.png 16x16
  pictures make photo.png 17x16
  takes faces-x8 face.png out.png
  takes photos-x4 photo.png out.png
  takes photos-x4 - out.png <photo.png
  takes faces-x8 - out.png <face.png
  run upscale photo.png out.png --model faces-x8 --nfe 1
  ! grep -q 'srdiff: model' "$logs/stderr" || fail 'a model that was named needs no word'
  mkdir faces mixed
  cp face.png faces
  cp face.png photo.png mixed
  takes faces-x8 faces out-faces
  takes photos-x4 mixed out-mixed
  refuses 1 'missing.png: no such file' upscale missing.png out.png
}

run_case "$1"

#!/usr/bin/env bash
# size.sh CASE: an output whose size is named in place of a scale.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# becomes SIZE ARG...: the 30x20 picture in.png.
becomes() {
  upscales in.png out.png --nfe 1 "${@:2}"
  is out.png "png $1 rgb 8"
  pictures enlarged in.png out.png
}

case_sizes() {
  pictures make in.png 30x20
  becomes 100x67 --width 100
  becomes 92x61 --height 61
  becomes 75x50 --width 90 --height 50
  becomes 47x31 --long-side 47
  becomes 95x63 --megapixels 0.006
  becomes 30x20 --width 30
  becomes 199x133 --width 199
}

# The model's own scale is met without a resize.
case_the_models_own_size() {
  pictures make in.png 30x20
  upscales in.png by-width.png --width 60
  upscales in.png by-scale.png --scale 2
  pictures same by-width.png by-scale.png 0
}

case_size_after_the_exif_rotation() {
  pictures make upright.png 20x30
  "$PYTHON" - <<'END'
from PIL import Image
exif = Image.Exif()
exif[0x0112] = 6  # turn right to view
Image.open("upright.png").transpose(Image.ROTATE_90).save("turned.jpg", exif=exif, quality=95)
END
  upscales turned.jpg out.png --nfe 1 --width 45
  is out.png 'png 45x68 rgb 8'
}

case_size_of_alpha_and_tiles() {
  "$MAKE_TEST_MODEL" "$PWD/models/tiles" --name tiles --patch '{"tile": {"size": 16, "overlap": 8}}'
  export SRDIFF_MODELS=$PWD/models
  pictures make in.png 40x56 rgba
  succeeds upscale --model tiles in.png tiles.png --height 101
  succeeds upscale --model tiles in.png whole.png --height 101 --tile 0
  is tiles.png 'png 72x101 rgba 8'
  pictures same tiles.png whole.png 1
}

case_size_in_a_folder() {
  mkdir in
  pictures make in/wide.png 30x20
  pictures make in/high.png 20x30
  pictures make in/large.png 60x50
  printf '[upscale]\nlong-side = 45\n' >size.toml
  run upscale --model tiny --nfe 1 in out --config size.toml --report report.jsonl
  [[ $status -eq 1 ]] || fail "a picture that is too large ended with $status"
  is out/wide.png 'png 45x30 rgb 8'
  is out/high.png 'png 30x45 rgb 8'
  [[ ! -e out/large.png ]] || fail 'it made a picture smaller'
  grep -qF '60x50 to 45x38 would be smaller; pictures are only enlarged' report.jsonl ||
    fail 'the report does not say why'
  rm in/large.png
  succeeds upscale --model tiny --nfe 1 in out --long-side 45 --resume --json
  json_is '(d["images"]["skipped"], d["settings"].get("scale"), d["settings"]["long_side"])' \
    '(2, None, 45)'
  succeeds upscale --model tiny --nfe 1 in out --long-side 46 --resume --json
  json_is 'd["images"]["skipped"]' 0
}

case_size_refused() {
  pictures make in.png 30x20
  refuses_upscale 2 "scale and width both set the output's size; give one of them" in.png out.png \
    --scale 3 --width 100
  refuses_upscale 2 'height and long_side both set' in.png out.png --height 100 --long-side 100
  refuses_upscale 2 'width = 0; give 1 to' in.png out.png --width 0
  refuses_upscale 2 'long_side = -4; give 1 to' in.png out.png --long-side=-4
  refuses_upscale 2 '--width' in.png out.png --width wide
  refuses_upscale 2 'megapixels is no number above 0' in.png out.png --megapixels nan
  refuses_upscale 2 'megapixels is no number above 0' in.png out.png --megapixels 0
  refuses_upscale 1 'in.png: 30x20 to 29x19 would be smaller' in.png out.png --width 29
  refuses_upscale 1 'in.png: 30x20 to 1921x1281 is more than 64 times' in.png out.png --width 1921
}

run_case "$1"

#!/usr/bin/env bash
# mask.sh CASE: where detail may be invented (--mask), and where it was (--save-weight-map).
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# mask_picture FILE SIZE: black to the left, white to the right.
mask_picture() {
  "$PYTHON" - "$@" <<'END'
import sys
from PIL import Image
width, height = map(int, sys.argv[2].split("x"))
mask = Image.new("L", (width, height), 0)
mask.paste(255, (width // 2, 0, width, height))
mask.save(sys.argv[1])
END
}

# halves MADE LEFT RIGHT: MADE is LEFT on its left half, to within a level, and not LEFT on its
# right one.
halves() {
  "$PYTHON" - "$@" <<'END' || fail "$1 is not $2 where the mask is black"
import sys
from PIL import Image, ImageChops
made, kept = (Image.open(name).convert("RGB") for name in sys.argv[1:3])
assert made.size == kept.size
width, height = made.size
difference = ImageChops.difference(made, kept)
left = difference.crop((0, 0, width // 2, height)).getextrema()
right = difference.crop((width // 2 + 6, 0, width, height)).getextrema()
assert max(high for _, high in left) <= 1, left
assert max(high for _, high in right) > 8, right
END
}

case_black_keeps_x_sr() {
  pictures make in.png 24x20
  mask_picture small.png 24x20
  mask_picture large.png 48x40
  upscales in.png kept.png --t 0
  upscales in.png by-small.png --mask small.png --color-fix consistency
  upscales in.png by-large.jpg --mask large.png --quality 100
  upscales in.png by-large.png --mask large.png
  halves by-small.png kept.png
  halves by-large.png kept.png
  mask_picture triple.png 72x60
  upscales in.png kept3.png --t 0 --scale 3
  upscales in.png by-triple.png --mask triple.png --scale 3
  halves by-triple.png kept3.png
}

case_mask_in_tiles() {
  "$MAKE_TEST_MODEL" "$PWD/models/tiles" --name tiles --patch '{"tile": {"size": 16, "overlap": 8}}'
  export SRDIFF_MODELS=$PWD/models
  pictures make in.png 48x40
  mask_picture mask.png 48x40
  succeeds upscale --model tiles in.png kept.png --t 0
  succeeds upscale --model tiles in.png tiles.png --mask mask.png
  succeeds upscale --model tiles in.png whole.png --mask mask.png --tile 0
  halves tiles.png kept.png
  pictures same tiles.png whole.png 1
}

case_white_changes_nothing() {
  pictures make in.png 12x10
  "$PYTHON" -c 'from PIL import Image; Image.new("L", (12, 10), 255).save("white.png")'
  upscales in.png plain.png
  upscales in.png masked.png --mask white.png
  pictures same plain.png masked.png 0
  upscales in.png zero.png --mask white.png --t 0
}

case_mask_is_shown() {
  pictures make in.png 24x20
  mask_picture mask.png 24x20
  upscales in.png out.png --mask mask.png --nfe 1 --save-steps steps
  is steps/mask.png 'png 48x40 grey 8'
  [[ $(ls steps | tr '\n' ' ') == 'mask.png w.png x0_001_t0300.png x_sr.png x_t.png ' ]] ||
    fail "$(ls steps)"
  refuses 2 'mask.png: a step would replace it' \
    upscale --model tiny in.png out.png --mask steps/mask.png --save-steps steps
}

case_masks_of_a_folder() {
  mkdir -p in/below masks/below
  pictures make in/a.png 24x20
  pictures make in/below/b.jpg 24x20
  mask_picture masks/a.png 24x20
  mask_picture masks/below/b.tif 48x40 # another ending
  printf '[upscale]\nmask = "masks"\n' >mask.toml
  succeeds upscale --model tiny in out --recursive --config mask.toml
  upscales in/a.png kept.png --t 0
  halves out/a.png kept.png
  succeeds upscale --model tiny in out --recursive --mask masks --resume --json
  json_is 'd["images"]["skipped"]' 2
  mask_picture masks/a.png 48x40
  succeeds upscale --model tiny in out --recursive --mask masks --resume --json
  json_is 'd["images"]["skipped"]' 1
  succeeds upscale --model tiny in out --recursive --resume --json # without a mask
  json_is 'd["images"]["skipped"]' 0
  mkdir flat
  mv masks/below/b.tif masks
  upscales in/a.png in/below/b.jpg flat --mask masks
}

case_a_picture_without_its_mask() {
  pictures many in 2
  mkdir masks
  "$PYTHON" -c 'from PIL import Image; Image.new("L", Image.open("in/0.png").size, 9).save("masks/0.png")'
  run upscale --model tiny in out --mask masks
  [[ $status -eq 1 ]] || fail "it ended with $status"
  grep -qF 'in/1.png: has no mask of its name in masks' "$logs/stderr" || fail 'it does not say so'
  [[ -e out/0.png && ! -e out/1.png ]] || fail "$(ls out)"
  : >masks/1.png
  run upscale --model tiny in out --mask masks --resume
  grep -qF 'masks/1.png: is empty' "$logs/stderr" || fail 'an empty mask is none'
  [[ ! -e out/1.png ]] || fail "$(ls out)"
}

case_mask_refused() {
  pictures make in.png 24x20
  mask_picture other.png 20x24
  mask_picture mask.png 24x20
  printf 'no picture' >text.png
  refuses_upscale 1 "other.png: is 20x24, neither the input's 24x20 nor the output's 48x40" \
    in.png out.png --mask other.png
  refuses_upscale 1 'text.png: is not a picture' in.png out.png --mask text.png
  refuses_upscale 1 'absent.png' in.png out.png --mask absent.png
  refuses_upscale 2 'a start from noise has no x_sr' in.png out.png --mask mask.png --start noise
  refuses 2 'mask.png: is the mask; name another output' \
    upscale --model tiny in.png mask.png --mask mask.png --overwrite
  mkdir masks in
  cp in.png in
  refuses 2 'masks: is a folder; one picture takes' upscale --model tiny in.png out.png --mask masks
  refuses 2 'mask.png: is no folder' upscale --model tiny in out --mask mask.png
  refuses 2 'masks: is the folder of the masks' upscale --model tiny in masks --mask masks
}

case_weight_map_is_saved() {
  pictures make in.png 24x20
  upscales in.png out.png --nfe 1 --save-weight-map w.png --save-steps steps
  is w.png 'png 48x40 grey 8'
  pictures same w.png steps/w.png 0
  upscales in.png plain.png --nfe 1
  same_bytes plain.png out.png
  upscales in.png out3.png --nfe 1 --scale 3 --save-weight-map w3.jpg
  is w3.jpg 'jpeg 72x60 grey 8'
  pictures enlarged steps/w.png w3.jpg
  upscales in.png out.png --variants 2 --nfe 1 --save-weight-map w.png
}

case_weight_map_of_tiles() {
  "$MAKE_TEST_MODEL" "$PWD/models/tiles" --name tiles --patch '{"tile": {"size": 16, "overlap": 8}}'
  export SRDIFF_MODELS=$PWD/models
  pictures make in.png 50x42
  succeeds upscale --model tiles in.png out.png --nfe 1 --save-weight-map tiles.png
  succeeds upscale --model tiles in.png out.png --nfe 1 --save-weight-map whole.png --tile 0
  is tiles.png 'png 100x84 grey 8'
  pictures same tiles.png whole.png 1
}

case_weight_map_refused() {
  pictures make in.png 24x20
  mask_picture mask.png 24x20
  refuses_upscale 2 'these settings use no weight map' in.png out.png --save-weight-map w.png --t 0
  refuses_upscale 2 'these settings use no weight map' in.png out.png --save-weight-map w.png \
    --no-weight-map
  refuses_upscale 2 'w.txt' in.png out.png --save-weight-map w.txt
  refuses_upscale 1 'absent/w.png: cannot be written' in.png out.png --save-weight-map absent/w.png
  refuses_upscale 2 'out.png: is another file of this run' in.png out.png --save-weight-map out.png
  refuses_upscale 2 './mask.png: is another file' in.png out.png --mask mask.png \
    --save-weight-map ./mask.png
  refuses 2 'mask.png: exists and does not say that srdiff made it' \
    upscale --model tiny in.png other.png --save-weight-map mask.png
  mkdir in
  cp in.png in
  refuses 2 '--save-weight-map is for one picture' \
    upscale --model tiny in out --save-weight-map w.png
}

run_case "$1"

#!/usr/bin/env bash
# damaged.sh CASE: --accept-damaged, which has what is left of a damaged picture read.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly remedy=', or have what is left of it read (--accept-damaged)'

# damage FOLDER: sound.png and sound.jpg of 64x64 busy pixels, and cut.png, cut.jpg, cut.bmp of them;
# of the JPEG the middle of the data is cut out too, as a transfer leaves it that went on.
damage() {
  mkdir -p "$1"
  "$PYTHON" - "$1" <<'END'
import os, random, sys
from PIL import Image
folder = sys.argv[1]
numbers = random.Random(5)
picture = Image.new("RGB", (64, 64))
picture.putdata([tuple(numbers.randrange(60, 200) for _ in range(3)) for _ in range(64 * 64)])
for ending, options in (("png", {}), ("jpg", {"quality": 90}), ("bmp", {})):
    name = os.path.join(folder, f"sound.{ending}")
    picture.save(name, **options)
    data = open(name, "rb").read()
    open(os.path.join(folder, f"cut.{ending}"), "wb").write(data[:len(data) * 3 // 4])
END
}

# says_once TEXT: standard error names it in one line.
says_once() {
  [[ $(grep -cF -e "$1" "$logs/stderr") -eq 1 ]] || fail "'$1' is not said once"
}

# halves_of A B ROWS: the first ROWS rows of A and B are alike, and the last differ.
halves_of() {
  "$PYTHON" - "$@" <<'END' || fail "$1 is not $2 for $3 rows, and another below"
import sys
from PIL import Image, ImageChops
a, b = (Image.open(name).convert("RGB") for name in sys.argv[1:3])
rows = int(sys.argv[3])
difference = ImageChops.difference(a, b)
above = difference.crop((0, 0, a.width, rows)).getextrema()
below = difference.crop((0, a.height - 20, *a.size)).getextrema()
assert a.size == b.size and max(high for _, high in above) <= 1, above
assert max(high for _, high in below) > 8, below
END
}

case_one_picture() {
  damage .
  local kind
  for kind in png jpg; do
    refuses 1 "cut.$kind: is cut short; fetch or export it again$remedy" \
      upscale --model tiny "cut.$kind" out.png
    upscales "cut.$kind" "$kind.png" --accept-damaged --t 0
    says_once "cut.$kind: is damaged: rows "
    says_once ' to 64 of 64 are grey or wrong'
    upscales "sound.$kind" "sound-$kind.png" --accept-damaged --t 0
    ! grep -q 'damaged' "$logs/stderr" || fail 'a sound picture is called damaged'
    halves_of "$kind.png" "sound-$kind.png" 40
  done
  refuses 1 "cut.bmp: cannot be decoded; it is damaged or of an unknown kind; fetch or export it again$remedy" \
    upscale --model tiny cut.bmp out.png
  upscales cut.bmp out.bmp --accept-damaged --quiet
  says_once 'cut.bmp: is damaged: rows 1 to 17 of 64 are grey or wrong'
}

case_standard_input_and_tiles() {
  damage .
  "$MAKE_TEST_MODEL" "$PWD/models/tiles" --name tiles --patch '{"tile": {"size": 16, "overlap": 8}}'
  export SRDIFF_MODELS=$PWD/models
  succeeds upscale --model tiles - out.png --accept-damaged <cut.jpg
  says_once 'standard input: is damaged: rows '
}

case_what_cannot_be_read_at_all() {
  damage .
  head -c 700 sound.jpg >stump.jpg
  refuses 1 'stump.jpg: is damaged, and not a row of it can be read' \
    upscale --model tiny stump.jpg out.png --accept-damaged
  pictures make whole.webp 64x64
  head -c 200 whole.webp >cut.webp
  refuses 1 'cut.webp: is cut short; fetch or export it again' \
    upscale --model tiny cut.webp out.png --accept-damaged
  ! grep -qF -e '--accept-damaged' "$logs/stderr" || fail 'a remedy that does not help'
}

case_folder_and_resume() {
  damage in
  local before
  local again=(in out --exclude '*.bmp' --exclude '*.jpg' --resume)
  run upscale --model tiny "${again[@]}"
  [[ $status -eq 1 ]] || fail "ended with $status"
  grep -qF -e "cut.png: is cut short; fetch or export it again$remedy" "$logs/stderr" ||
    fail 'the remedy is not named'
  before=$(stat -c %Y.%Z out/sound.png)
  upscales "${again[@]}" --accept-damaged --report report.jsonl
  [[ $(stat -c %Y.%Z out/sound.png) == "$before" ]] || fail 'a sound picture was made again'
  says_once 'cut.png: is damaged: rows '
  grep -q '"status":"done","reason":"is damaged: rows [0-9]* to 64 of 64 are grey or wrong"' \
    report.jsonl || fail 'the report does not say what is missing'
  upscales "${again[@]}" --accept-damaged
  grep -q '0 of 2 pictures done, 2 skipped' "$logs/stderr" || fail 'it was made again'
  run upscale --model tiny "${again[@]}"
  [[ $status -eq 1 ]] || fail "resumed without the option, it ended with $status"
  grep -q '0 of 2 pictures done, 1 skipped as done before, 1 failed' "$logs/stderr" ||
    fail 'what was made of a damaged picture counts without the option'
}

case_mask() {
  damage .
  pictures make in.png 64x64
  refuses 1 "cut.png: is cut short; fetch or export it again$remedy" \
    upscale --model tiny in.png out.png --mask cut.png
  upscales in.png out.png --mask cut.png --accept-damaged
  says_once 'cut.png: is damaged: rows '
}

case_compare_and_eval() {
  damage .
  refuses 4 "cut.png: is cut short; fetch or export it again$remedy" compare cut.png sound.png
  run compare cut.png sound.png --accept-damaged
  [[ $status -eq 2 ]] || fail "compare ended with $status"
  says_once 'cut.png: is damaged: rows '
  mkdir a b
  mv cut.png a/0.png
  cp sound.png b/0.png
  refuses 1 "0.png: is cut short; fetch or export it again$remedy" \
    eval --output a --reference b --metrics psnr
  succeeds eval --output a --reference b --metrics psnr --accept-damaged
}

# Metadata that stands before the pixels is kept, and the picture is turned by it.
case_metadata() {
  "$PYTHON" - <<'END'
import random
from PIL import Image
exif = Image.Exif()
exif[0x0112] = 6
exif[0x010F] = "Maker"
numbers = random.Random(5)
picture = Image.new("L", (64, 48))
picture.putdata([numbers.randrange(256) for _ in range(64 * 48)])
for name in ("in.png", "in.jpg"):
    picture.save(name, exif=exif)
    data = open(name, "rb").read()
    open(name, "wb").write(data[:len(data) * 3 // 4])
END
  local kind
  for kind in png jpg; do
    upscales "in.$kind" "$kind.png" --accept-damaged
    [[ $(wc -l <"$logs/stderr") -eq 2 ]] || fail 'more is said than the damage and the end'
    "$PYTHON" -c 'import sys
from PIL import Image
picture = Image.open(sys.argv[1])
assert picture.size == (96, 128), picture.size
assert picture.getexif()[0x010F] == "Maker", dict(picture.getexif())' "$kind.png" || fail "$kind"
  done
}

run_case "$1"

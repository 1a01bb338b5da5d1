#!/usr/bin/env bash
# compare.sh CASE: what `srdiff compare` says of two pictures, and its statuses, which are idiff's:
# 0 same, 1 within tolerance, 2 different, 3 sizes differ, 4 unreadable or any other failure.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Two pictures of 24x20, the second with one pixel's green 10 levels brighter and another's 2.
two_pictures() {
  pictures make a.png 24x20
  "$PYTHON" - <<'END'
from PIL import Image
picture = Image.open("a.png")
for place, levels in (((13, 7), 10), ((2, 9), 2)):
    red, green, blue = picture.getpixel(place)
    picture.putpixel(place, (red, green + levels, blue))
picture.save("b.png")
END
}

# compares STATUS ARG...
compares() {
  local expected=$1
  shift
  run compare "$@"
  [[ $status -eq $expected ]] || fail "srdiff compare $* ended with $status, not $expected"
}

says() { grep -qE -e "$1" "$logs/stdout" || fail "standard output does not say '$1'"; }

case_same() {
  pictures make a.png 24x20
  pictures make b.tiff 24x20
  compares 0 a.png b.tiff
  says '^PSNR +inf dB$'
  says '^SSIM +1\.00000$'
  says '^result +same$'
}

# The least square that the guard looks at: smaller ones are no bomb.
case_flat() {
  "$PYTHON" -c 'from PIL import Image; Image.new("L", (4097, 4097), 200).save("a.png")'
  refuses 4 'looks like a decompression bomb; raise the limit (--max-ratio)' compare a.png a.png
  compares 0 a.png a.png --max-ratio 1000
}

# An exact 16-bit copy is the same picture.
case_same_in_16_bit() {
  "$PYTHON" - "$here" <<'END'
import struct, sys
sys.path.insert(0, sys.argv[1])
from pictures import write_png
row = list(range(0, 256, 17))
write_png("a.png", len(row), 1, 8, 0, b"\0" + bytes(row))
write_png("b.png", len(row), 1, 16, 0, b"\0" + struct.pack(f">{len(row)}H", *(v * 257 for v in row)))
END
  compares 0 a.png b.png
}

case_different() {
  two_pictures
  compares 2 a.png b.png
  says '^largest difference +0\.03922 \(10\.00/255\) at x 13, y 7, green$'
  says '^pixels that differ +0\.417 %$'
  says '^result +different$'
}

case_tolerance() {
  two_pictures
  compares 1 a.png b.png --tolerance 0.0393
  says '^result +within tolerance$'
  compares 2 a.png b.png --tolerance 0.0391
  compares 0 a.png a.png --tolerance 0.0391
}

# One pixel of 480 is 0.208 %.
case_fail_percent() {
  two_pictures
  compares 1 a.png b.png --tolerance 0.01 --fail-percent 0.21
  compares 2 a.png b.png --tolerance 0.01 --fail-percent 0.20
  compares 1 a.png b.png --fail-percent 0.42
}

case_json() {
  two_pictures
  compares 2 a.png b.png --json --tolerance 0.01
  "$PYTHON" - "$logs/stdout" <<'END' || fail 'the JSON is not as expected'
import json, math, sys
found = json.load(open(sys.argv[1]))
assert found["result"] == "different"
largest = found["largest_difference"]
assert (largest["x"], largest["y"], largest["channel"]) == (13, 7, "green")
assert abs(largest["value"] - 10 / 255) < 1e-6
assert abs(found["psnr"] - 10 * math.log10(255**2 * 3 * 480 / (10**2 + 2**2))) < 1e-4
assert 0.9 < found["ssim"] < 1
assert abs(found["mean_difference"] - 12 / 255 / 3 / 480) < 1e-9
assert abs(found["different_pixels"] - 2 / 480) < 1e-9
assert abs(found["pixels_above_tolerance"] - 1 / 480) < 1e-9
END
}

# Equal pictures that are too small for SSIM: no figure is made up.
case_json_without_figures() {
  pictures make a.png 8x6
  compares 0 a.png a.png --json
  "$PYTHON" - "$logs/stdout" <<'END' || fail 'the JSON is not as expected'
import json, sys
found = json.load(open(sys.argv[1]))
assert found["psnr"] is None and found["ssim"] is None and found["result"] == "same"
END
}

case_difference_picture() {
  two_pictures
  compares 2 a.png b.png --diff-image diff.png
  is diff.png 'png 24x20 rgb 8'
  "$PYTHON" - <<'END' || fail 'the difference picture is not as expected'
from PIL import Image
picture = Image.open("diff.png")
assert picture.getpixel((13, 7)) == (0, 255, 0)
assert picture.getpixel((2, 9)) == (0, 51, 0)
assert len(picture.getcolors()) == 3
END
}

case_alpha() {
  pictures make a.png 24x20
  "$PYTHON" - <<'END'
from PIL import Image
picture = Image.open("a.png").convert("RGBA")
picture.save("opaque.png")
picture.putpixel((3, 4), picture.getpixel((3, 4))[:3] + (204,))
picture.save("dimmed.png")
END
  compares 0 a.png opaque.png
  compares 2 a.png dimmed.png
  says '\(51\.00/255\) at x 3, y 4, alpha$'
}

case_sizes_differ() {
  pictures make a.png 24x20
  pictures make b.png 20x24
  refuses 3 'a.png is 24x20 and b.png is 20x24' compare a.png b.png
  compares 3 a.png b.png --json
  says '"result": "sizes differ"'
}

case_unreadable() {
  pictures make a.png 24x20
  refuses 4 'absent.png: no such file' compare a.png absent.png
  head -c 100 a.png >cut.png
  refuses 4 'cut.png: ' compare cut.png a.png
}

case_wrong_usage() {
  pictures make a.png 24x20
  refuses 4 'B is required' compare a.png
  refuses 4 '--sharpen' compare a.png a.png --sharpen 3
  refuses 4 'tolerance' compare a.png a.png --tolerance 2
  refuses 4 'fail-percent' compare a.png a.png --fail-percent -1
  refuses 4 'diff.xyz: its ending' compare a.png a.png --diff-image diff.xyz
  refuses 4 './a.png: is one of the pictures' compare a.png a.png --diff-image ./a.png
}

case_unwritable() {
  two_pictures
  compares 4 a.png b.png --diff-image nowhere/diff.png
  local code=0
  "$SRDIFF" compare a.png a.png >/dev/full 2>"$logs/stderr" || code=$?
  [[ $code -eq 4 ]] || fail "figures into a full device ended with $code"
}

# A picture of some kilobytes must not take gigabytes.
case_decompression_bomb() {
  pictures png bomb.png 8000x8000 black
  pictures make in.png 8x6
  refuses 4 'bomb.png: declares 8000x8000' compare bomb.png bomb.png
  refuses 4 'bomb.png: declares 8000x8000' compare in.png bomb.png
  mkdir a b
  cp bomb.png a
  cp bomb.png b
  refuses 1 'bomb.png: declares 8000x8000' eval --reference a --output b
}

# Some 0.8 GB as the figures see them.
case_picture_that_memory_does_not_hold() {
  "$PYTHON" - "$here" <<'END'
import os, sys
sys.path.insert(0, sys.argv[1])
from pictures import write_png
side = 8000
write_png("noise.png", side, side, 1, 0, b"".join(b"\0" + os.urandom(side // 8) for _ in range(side)))
END
  mkdir a b
  ln -s ../noise.png a/noise.png
  ln -s ../noise.png b/noise.png
  (ulimit -d $((700 * 1024)) && refuses 4 'noise.png: not enough memory to read its 8000x8000' compare noise.png noise.png)
  (ulimit -d $((700 * 1024)) && refuses 1 'a/noise.png: not enough memory to read its 8000x8000' eval --reference a --output b)
}

run_case "$1"

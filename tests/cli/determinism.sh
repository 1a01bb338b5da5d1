#!/usr/bin/env bash
# determinism.sh CASE: the same pixels, seed and options give the same bytes, whatever else is
# different, with the tiny model and with the one that is shipped.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# The options of every run here: two samplers' worth of noise in little time.
# Without metadata, where the settings are written: only the pixels may tell them apart.
options=(--nfe 4 --eta 0.7 --quiet --strip-metadata)

# with_tiny, with_bundled CHECK: runs the function on a picture in.png and its result first.png.
with_tiny() {
  model=tiny
  pictures make in.png 13x10
  upscale_to first.png
  "$1"
}

with_bundled() {
  needs_bundled_model
  model=faces-x8
  pictures make in.png 16x16
  upscale_to first.png
  "$1"
}

# upscale_to OUT [IN [ARG...]]
upscale_to() {
  local output=$1 input=${2:-in.png}
  succeeds upscale "$input" "$output" --model "$model" "${options[@]}" "${@:3}"
}

again() {
  upscale_to second.png
  same_bytes first.png second.png
}

threads() {
  for count in 1 2 3; do
    upscale_to "$count.png" in.png --threads "$count"
    same_bytes first.png "$count.png"
  done
}

batch() {
  for count in 1 2 8; do
    upscale_to "$count.png" in.png --batch "$count"
    same_bytes first.png "$count.png"
  done
}

name() {
  mkdir -p 'other place'
  cp in.png 'other place/zebra.png'
  upscale_to 'other place/apple.png' 'other place/zebra.png'
  same_bytes first.png 'other place/apple.png'
}

format() {
  local size
  size=$(pictures describe in.png | cut -d' ' -f2)
  for ending in bmp tiff webp; do
    pictures make "in.$ending" "$size"
    pictures same in.png "in.$ending"
    upscale_to "from-$ending.png" "in.$ending"
    same_bytes first.png "from-$ending.png"
  done
}

order() {
  pictures make other.png 6x9 grey
  upscale_to other-first.png other.png
  upscale_to after-other.png
  same_bytes first.png after-other.png
  upscale_to other-last.png other.png
  same_bytes other-first.png other-last.png
}

seed() {
  upscale_to zero.png in.png --seed 0
  same_bytes first.png zero.png
  upscale_to one.png in.png --seed 1
  other_bytes first.png one.png
  upscale_to large.png in.png --seed 18446744073709551615
  other_bytes first.png large.png
  other_bytes one.png large.png
}

# One pixel that is one step brighter draws other noise: the picture changes far from it too.
content() {
  "$PYTHON" - <<'END'
from PIL import Image
picture = Image.open("in.png")
red, green, blue = picture.getpixel((0, 0))
picture.putpixel((0, 0), (red, green, blue + 1))
picture.save("nearly.png")
END
  upscale_to nearly-out.png nearly.png
  "$PYTHON" - <<'END' || fail 'another picture has the same noise'
from PIL import Image, ImageChops
a, b = Image.open("first.png"), Image.open("nearly-out.png")
corner = (a.width // 2, a.height // 2, a.width, a.height)
assert ImageChops.difference(a.crop(corner), b.crop(corner)).getbbox() is not None
END
}

# The exact 16-bit copy of an 8-bit picture is the same picture.
depth() {
  "$PYTHON" - <<'END'
import os, sys
sys.path.insert(0, os.environ["HERE"])
from pictures import Image, write_png
picture = Image.open("in.png")
data, width = picture.tobytes(), 3 * picture.width
rows = [data[i:i + width] for i in range(0, len(data), width)]
doubled = b"".join(b"\0" + bytes(byte for value in row for byte in (value, value)) for row in rows)
write_png("deep.png", *picture.size, 16, 2, doubled)
END
  upscale_to deep-out.png deep.png
  is deep-out.png "$(pictures describe first.png | sed 's/ 8$/ 16/')"
  pictures same first.png deep-out.png 1
}

case_tiny_again() { with_tiny again; }
case_tiny_threads() { with_tiny threads; }
case_tiny_batch() { with_tiny batch; }
case_tiny_name() { with_tiny name; }
case_tiny_format() { with_tiny format; }
case_tiny_order() { with_tiny order; }
case_tiny_seed() { with_tiny seed; }
case_tiny_content() { with_tiny content; }
case_tiny_depth() { with_tiny depth; }

case_bundled_again() { with_bundled again; }
case_bundled_threads() { with_bundled threads; }
case_bundled_batch() { with_bundled batch; }
case_bundled_name() { with_bundled name; }
case_bundled_format() { with_bundled format; }
case_bundled_order() { with_bundled order; }
case_bundled_seed() { with_bundled seed; }
case_bundled_content() { with_bundled content; }

export HERE=$here
run_case "$1"

#!/usr/bin/env bash
# make_samples.sh: tests/hostile/samples, small JPEG XL, AVIF and HEIC files by the encoders of their
# libraries, which Pillow does not write. They are in the repository, so that the tests need no
# encoder: run this only to make others. make_corpus.py knows what each of them shows.
# Needs: apt-get install libjxl-tools libavif-bin libheif-examples libheif-dev
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
out=$PWD/samples
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
/usr/bin/python3 - "$work" <<'END'
import sys
from make_corpus import GREY, RGB, RGBA, H, W, Image, exif, png, rows, scene
for name, picture in (("rgb", RGB), ("grey", GREY), ("rgba", RGBA),
                      ("greya", Image.merge("LA", (GREY, RGBA.getchannel("A"))))):
    picture.save(f"{sys.argv[1]}/{name}.png")
for name, channels, kind in (("rgb16", 3, 2), ("rgba16", 4, 6), ("grey16", 1, 0)):
    with open(f"{sys.argv[1]}/{name}.png", "wb") as file:
        file.write(png(W, H, 16, kind, rows(scene(channels, 16), 16)))
for turn in range(2, 9):
    RGB.save(f"{sys.argv[1]}/turned{turn}.png", exif=exif(turn))
    with open(f"{sys.argv[1]}/turned{turn}.exif", "wb") as file:
        file.write(exif(turn)[6:])
END
cd "$work"
for name in rgb grey rgba greya rgb16 rgba16 grey16; do
  cjxl --quiet -q 100 "$name.png" "$out/$name.jxl"
done
cjxl --quiet -q 95 rgb.png "$out/lossy.jxl"
cjxl --quiet -q 100 --container=1 rgb.png "$out/container.jxl"
for turn in 2 3 4 5 6 7 8; do
  cjxl --quiet -q 100 "turned$turn.png" "$out/turned$turn.jxl"
done

avifenc() { command avifenc -c aom "$@" >/dev/null; }
for name in rgb grey rgba; do
  avifenc --lossless "$name.png" "$out/$name.avif"
done
avifenc -d 10 --min 0 --max 0 rgb16.png "$out/ten-bit.avif"
avifenc -d 12 --min 0 --max 0 --minalpha 0 --maxalpha 0 rgba16.png "$out/twelve-bit.avif"
avifenc -y 420 --min 0 --max 0 rgb.png "$out/halved-colour.avif"
avifenc -r limited -y 444 --min 0 --max 0 rgb.png "$out/limited.avif"
avifenc --lossless -p rgba.png "$out/premultiplied.avif"
avifenc --lossless rgb.png rgb.png "$out/animated.avif"
# As EXIF's orientations: a turn against the clock, and then a flip.
turns=('' '' '--imir 1' '--irot 2' '--imir 0' '--irot 1 --imir 0' '--irot 3' '--irot 1 --imir 1' '--irot 1')
for turn in 2 3 4 5 6 7 8; do
  # shellcheck disable=SC2086  # options
  avifenc --lossless ${turns[turn]} rgb.png "$out/turned$turn.avif"
done

heif() { heif-enc -L -p chroma=444 --matrix_coefficients=0 "$@" 2>/dev/null >/dev/null; }
for name in rgb rgba; do
  heif "$name.png" -o "$out/$name.heic"
done
heif-enc -L grey.png -o "$out/grey.heic" >/dev/null 2>&1
heif -b 10 rgb16.png -o "$out/ten-bit.heic"
heif -b 12 rgb16.png -o "$out/twelve-bit.heic"
heif-enc -q 100 rgb.png -o "$out/halved-colour.heic" >/dev/null 2>&1
heif rgb.png grey.png -o "$out/two-pictures.heic"
# EXIF's orientation counts for nothing in a HEIC: heif-enc leaves it as it is.
/usr/bin/python3 -c 'import sys; from PIL import Image
Image.open("rgb.png").save("exif6.jpg", quality=97, subsampling=0, exif=open("turned6.exif", "rb").read())'
heif exif6.jpg -o "$out/exif6.heic"
# What heif-enc has no option for: the turn by HEIC's own words. Those by a quarter circle need a libheif
# later than Debian 12's (1.15), which states the turned size where the coded one belongs; Debian 13's refuses that.
cat >turn.cc <<'END'
#include <libheif/heif.h>
#include <cstdlib>
int main(int, char** argv) {
  heif_context* from = heif_context_alloc();
  heif_context* to = heif_context_alloc();
  heif_image_handle* handle;
  heif_image* image;
  heif_encoder* encoder;
  heif_encoding_options* options = heif_encoding_options_alloc();
  heif_color_profile_nclx* colours = heif_nclx_color_profile_alloc();
  colours->matrix_coefficients = heif_matrix_coefficients_RGB_GBR;
  options->output_nclx_profile = colours;
  options->image_orientation = static_cast<heif_orientation>(std::atoi(argv[3]));
  heif_context_read_from_file(from, argv[1], nullptr);
  heif_context_get_primary_image_handle(from, &handle);
  heif_decode_image(handle, &image, heif_colorspace_RGB, heif_chroma_444, nullptr);
  heif_context_get_encoder_for_format(to, heif_compression_HEVC, &encoder);
  heif_encoder_set_lossless(encoder, 1);
  heif_encoder_set_parameter_string(encoder, "chroma", "444");
  heif_context_encode_image(to, image, encoder, options, nullptr);
  return heif_context_write_to_file(to, argv[2]).code;
}
END
g++ turn.cc -o turn -lheif
for turn in 2 3 4 5 6 7 8; do
  ./turn "$out/rgb.heic" "$out/turned$turn.heic" "$turn"
done
ls -l "$out"

#!/usr/bin/env bash
# good_input.sh CASE: what the tool promises to do, done on pictures made here.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# enlarges SIZE MODE EXPECTED [OUT]: a picture of that kind comes out twice as large, as described,
# and is still the same picture.
enlarges() {
  local output=${4:-out.png}
  pictures make in.png "$1" "$2"
  upscales in.png "$output"
  is "$output" "$3"
  pictures enlarged in.png "$output"
}

# --- the users' own example, with the model that is shipped

case_example_as_written() {
  needs_bundled_model
  pictures make in.png 16x16
  succeeds upscale in.png out.png --t 300 --beta 0.8 --sampler ddim --nfe 8
  is out.png 'png 128x128 rgb 8'
  [[ $(ls) == $'in.png\nout.png' ]] || fail 'something else was written'
  no_temporary_files
}

case_bundled_model_is_whole() {
  needs_bundled_model
  succeeds models verify faces-x8
}

case_bundled_model_takes_odd_sizes() {
  needs_bundled_model
  pictures make in.png 13x19
  succeeds upscale in.png out.png --model faces-x8 --nfe 2
  is out.png 'png 104x152 rgb 8'
}

# --- kinds of pictures

case_colour() { enlarges 12x10 rgb 'png 24x20 rgb 8'; }
case_grey_stays_grey() { enlarges 12x10 grey 'png 24x20 grey 8'; }
case_16_bit_stays_16_bit() { enlarges 12x10 rgb16 'png 24x20 rgb 16'; }
case_grey_16_bit() { enlarges 12x10 grey16 'png 24x20 grey 16'; }
case_16_bit_tiff() { enlarges 12x10 grey16 'tiff 24x20 grey 16' out.tiff; }
case_odd_size_5x7() { enlarges 5x7 rgb 'png 10x14 rgb 8'; }
case_odd_size_17x13() { enlarges 17x13 rgb 'png 34x26 rgb 8'; }
case_smallest_size_1x1() { enlarges 1x1 rgb 'png 2x2 rgb 8'; }
case_one_pixel_wide() { enlarges 1x12 rgb 'png 2x24 rgb 8'; }
case_one_pixel_high() { enlarges 12x1 rgb 'png 24x2 rgb 8'; }
case_size_2x2() { enlarges 2x2 rgb 'png 4x4 rgb 8'; }
case_largest_size_128x128() { enlarges 128x128 rgb 'png 256x256 rgb 8'; }

case_alpha_is_kept() {
  enlarges 12x10 rgba 'png 24x20 rgba 8'
  "$PYTHON" - <<'END' || fail 'alpha does not look like the alpha that was given'
from PIL import Image, ImageChops
small, large = (Image.open(name).getchannel("A") for name in ("in.png", "out.png"))
difference = ImageChops.difference(small, large.resize(small.size, Image.BOX))
assert difference.getextrema()[1] <= 12, difference.getextrema()
END
}

# The same picture with other colours under its transparent half gives the same file.
case_hidden_colours_have_no_say() {
  pictures make in.png 12x10 rgba
  "$PYTHON" - <<'END'
from PIL import Image
for name, hidden in (("black", 0), ("white", 255)):
    picture = Image.open("in.png")
    for x in range(6, 12):
        for y in range(10):
            picture.putpixel((x, y), (hidden, hidden, hidden, 0))
    picture.save(name + ".png")
END
  upscales black.png black-out.png
  upscales white.png white-out.png
  same_bytes black-out.png white-out.png
}

case_grey_with_alpha() {
  "$PYTHON" -c 'from PIL import Image; Image.new("LA", (12, 10), (200, 90)).save("in.png")'
  upscales in.png out.png
  is out.png 'png 24x20 greya 8'
}

case_alpha_16_bit() { enlarges 12x10 rgba16 'png 24x20 rgba 16'; }

# reads_and_writes FORMAT NAME: a picture in this format, in and out.
reads_and_writes() {
  pictures make "in.$1" 12x10
  upscales "in.$1" "out.$1"
  is "out.$1" "$2 24x20 rgb 8"
  pictures enlarged "in.$1" "out.$1"
}

case_jpeg() { reads_and_writes jpg jpeg; }
case_webp() { reads_and_writes webp webp; }
case_tiff() { reads_and_writes tiff tiff; }
case_bmp() { reads_and_writes bmp bmp; }

case_cmyk() {
  pictures make rgb.png 12x10
  "$PYTHON" -c 'from PIL import Image; Image.open("rgb.png").convert("CMYK").save("in.jpg")'
  upscales in.jpg out.png
  is out.png 'png 24x20 rgb 8'
  pictures enlarged in.jpg out.png
  grep -q 'in.jpg: is CMYK and becomes sRGB' "$logs/stderr" || fail 'the change is not told'
}

# A screenshot's alpha hides nothing.
case_opaque_alpha_to_formats_without_it() {
  pictures make rgb.png 12x10
  "$PYTHON" -c 'from PIL import Image; Image.open("rgb.png").convert("RGBA").save("in.png")'
  for format in jpg bmp; do
    upscales in.png "out.$format"
    pictures enlarged rgb.png "out.$format"
  done
}

case_resolution_is_kept() {
  "$PYTHON" - <<'END'
from PIL import Image
picture = Image.new("RGB", (12, 10), (80, 120, 200))
for ending in ("jpg", "png", "bmp", "tiff"):
    picture.save("in." + ending, dpi=(300, 300))
END
  for from in jpg png bmp tiff; do
    for to in jpg png bmp tiff; do
      upscales "in.$from" "out.$to" --overwrite # BMP cannot say that srdiff made it
      "$PYTHON" - "out.$to" <<'END' || fail "from $from to $to"
import sys
from PIL import Image
dpi = Image.open(sys.argv[1]).info.get("dpi", (0, 0))
assert all(abs(value - 300) < 0.1 for value in dpi), dpi
END
    done
  done
}

case_format_by_content_not_name() {
  pictures make in.jpg 12x10
  mv in.jpg misnamed.png
  upscales misnamed.png out.png
  is out.png 'png 24x20 rgb 8'
}

case_upper_case_ending() {
  pictures make in.png 12x10
  upscales in.png OUT.JPG
  is OUT.JPG 'jpeg 24x20 rgb 8'
}

# The longest side of a portrait photograph is often told by its EXIF orientation alone.
case_exif_rotation_is_applied() {
  pictures make upright.png 12x10
  "$PYTHON" - <<'END'
from PIL import Image
exif = Image.Exif()
exif[0x0112] = 6  # turn right to view
picture = Image.open("upright.png").transpose(Image.ROTATE_90)
picture.save("turned.jpg", exif=exif, quality=95, subsampling=0)
END
  upscales turned.jpg out.png
  is out.png 'png 24x20 rgb 8'
  pictures enlarged upright.png out.png
}

# carries NAME CODE: Pillow's view of a file, `picture` and `exif`, makes the Python code true.
carries() {
  "$PYTHON" - "$1" "$2" <<'END' || fail "$1: not so: $2"
import sys
from PIL import Image
picture = Image.open(sys.argv[1])
picture.load()
exif = picture.getexif()
assert eval(sys.argv[2]), (dict(exif), picture.info.keys())
END
}

case_metadata_comes_along() {
  "$PYTHON" - <<'END'
from PIL import Image, ImageCms
exif = Image.Exif()
exif[0x010f], exif[0x0112] = "maker", 6
profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
open("profile.icc", "wb").write(profile)
Image.linear_gradient("L").resize((12, 10)).convert("RGB").save("in.jpg", exif=exif, icc_profile=profile)
END
  local format
  for format in png jpg webp tiff; do
    upscales in.jpg "out.$format"
    ! grep -q warning "$logs/stderr" || fail 'a warning'
    carries "out.$format" 'exif[0x010f] == "maker" and exif[0x0112] == 1'
    carries "out.$format" 'picture.info["icc_profile"] == open("profile.icc", "rb").read()'
    carries "out.$format" 'picture.size == (20, 24)'
  done
  upscales in.jpg out.bmp
  grep -q '^srdiff: warning: out.bmp: its EXIF cannot be written' "$logs/stderr" ||
    fail 'what is left out is not named'
}

case_tiff_keeps_the_resolution() {
  "$PYTHON" - <<'END'
from PIL import Image
exif = Image.Exif()
exif[0x011a], exif[0x011b], exif[0x0128] = 300.0, 150.0, 3
Image.new("RGB", (12, 10)).save("in.jpg", exif=exif)
END
  local format
  for format in jpg tiff; do
    upscales in.jpg "out.$format"
    carries "out.$format" '(exif[0x011a], exif[0x011b], exif[0x0128]) == (300, 150, 3)'
  done
  upscales out.tiff again.tiff
  carries again.tiff '(exif[0x011a], exif[0x011b], exif[0x0128]) == (300, 150, 3)'
  upscales in.jpg bare.tiff --strip-metadata
  carries bare.tiff '0x011a not in exif'
}

# png_with CHUNKS: in.png with these chunks, as Python has them, before its pixels.
png_with() {
  pictures make plain.png 12x10
  "$PYTHON" - "$here" "$1" <<'END'
import struct, sys
sys.path.insert(0, sys.argv[1])
from pictures import chunk
gamma = lambda value: chunk(b"gAMA", struct.pack(">I", value))
primaries = lambda *values: chunk(b"cHRM", struct.pack(">8I", *values))
srgb = 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000
adobe = 31270, 32900, 64000, 33000, 21000, 71000, 15000, 6000
file = open("plain.png", "rb").read()
header_end = 33
open("in.png", "wb").write(file[:header_end] + eval(sys.argv[2]) + file[header_end:])
END
}

case_png_of_other_colours() {
  local line='srdiff: warning: in.png: its colours are not sRGB, and what says so'
  png_with 'gamma(100000)'
  upscales in.png out.png
  grep -q "^$line (gAMA) is left out" "$logs/stderr" || fail 'gAMA is not named'
  png_with 'gamma(45455) + primaries(*adobe)'
  upscales in.png out.png
  grep -q "^$line (cHRM) is left out" "$logs/stderr" || fail 'cHRM is not named'
  for chunks in 'gamma(45455) + primaries(*srgb)' 'gamma(45454)' \
    'gamma(100000) + primaries(*adobe) + chunk(b"sRGB", b"\0")'; do
    png_with "$chunks"
    upscales in.png out.png
    ! grep -q warning "$logs/stderr" || fail "a warning of $chunks"
  done
}

case_large_exif() {
  "$PYTHON" - <<'END'
from PIL import Image
exif = Image.Exif()
exif[0x010e], exif[0x010f] = "x" * 70000, "maker"
for name in ("in.tiff", "in.webp"):
    Image.new("RGB", (12, 10)).save(name, exif=exif)
END
  for input in in.tiff in.webp; do
    upscales "$input" out.png
    grep -q "^srdiff: warning: $input: its EXIF is larger than 64 KiB, and Exif.Image.ImageDescrip" \
      "$logs/stderr" || fail 'what is left out is not named'
    carries out.png 'exif[0x010f] == "maker"'
  done
}

case_first_of_several_pages() {
  "$PYTHON" - <<'END'
from PIL import Image
pages = [Image.new("RGB", (12, 10), colour) for colour in ("red", "blue")]
pages[0].save("in.tiff", save_all=True, append_images=pages[1:])
END
  upscales in.tiff out.png
  grep -q '^srdiff: warning: in.tiff: holds several pictures' "$logs/stderr" || fail 'no warning'
}

case_names_with_spaces_and_letters() {
  mkdir 'a folder'
  pictures make 'a folder/grüße 1.png' 12x10
  upscales 'a folder/grüße 1.png' 'a folder/größer.png'
  is 'a folder/größer.png' 'png 24x20 rgb 8'
}

case_existing_output_is_replaced() {
  pictures make in.png 12x10
  echo 'was here before' >out.png
  upscales in.png out.png --overwrite
  is out.png 'png 24x20 rgb 8'
  [[ $(stat -c %a out.png) == 644 ]] || fail 'the output has odd rights'
  no_temporary_files
}

# --- streams

case_stdin_and_stdout() {
  pictures make in.png 12x10
  upscales in.png file.png
  "$SRDIFF" upscale --model tiny - - <in.png >stream.png 2>"$logs/stderr" || fail 'a stream'
  same_bytes file.png stream.png
}

case_stdin_to_file() {
  pictures make in.jpg 12x10
  "$SRDIFF" upscale --model tiny - out.webp <in.jpg 2>"$logs/stderr" || fail 'standard input'
  is out.webp 'webp 24x20 rgb 8'
}

# --- settings

case_config_file() {
  pictures make in.png 12x10
  printf '[upscale]\nmodel = "tiny"\nt = 120\nbeta = 0.25\nsampler = "dpmpp"\nnfe = 5\n' >run.toml
  succeeds upscale in.png out.png --config run.toml --json
  json_is 'd["settings"]["t"], d["settings"]["beta"], d["settings"]["sampler"]' "(120, 0.25, 'dpmpp')"
  upscales in.png plain.png --t 120 --beta 0.25 --sampler dpmpp --nfe 5
  same_bytes out.png plain.png
}

case_command_line_beats_config_file() {
  pictures make in.png 12x10
  printf '[upscale]\nmodel = "tiny"\nt = 120\nnfe = 5\n' >run.toml
  succeeds upscale in.png out.png --config run.toml --t 90 --json
  json_is 'd["settings"]["t"], d["settings"]["nfe"]' '(90, 5)'
}

case_json_report() {
  pictures make in.png 12x10
  upscales in.png out.png --seed 7 --json
  json_is 'sorted(d["settings"])' \
    "['beta', 'color_fix', 'eta', 'grid', 'guidance', 'nfe', 'sampler', 'scale', 'seed', 'start', 't', 'weight_map']"
  json_is 'd["settings"]["seed"], d["settings"]["t"], d["settings"]["nfe"]' '(7, 300, 8)'
  json_is 'd["input_size"], d["output_size"]' '([12, 10], [24, 20])'
  json_is 'd["tiles"], d["tile_size"]' '(1, [12, 12])' # the networks take multiples of 4
  json_is 'd["model"]["name"], d["input"], d["output"]' "('tiny', 'in.png', 'out.png')"
}

case_quiet_prints_nothing() {
  pictures make in.png 12x10
  upscales in.png out.png --quiet
  [[ ! -s $logs/stdout && ! -s $logs/stderr ]] || fail '--quiet printed something'
  succeeds --quiet --seed 3 upscale --model tiny in.png seeded.png # options in front are its own
  [[ ! -s $logs/stderr ]] || fail '--quiet in front printed something'
  upscales in.png behind.png --seed 3
  same_bytes seeded.png behind.png
}

case_a_limit_above_the_models_is_told() {
  pictures make in.png 12x10
  upscales in.png out.png --max-pixels 200000000
  grep -q 'warning: --max-pixels 200000000 is more than tiny takes: [0-9]* pixels are the limit' \
    "$logs/stderr" || fail 'no warning'
}

case_text_goes_to_stderr() {
  pictures make in.png 12x10
  upscales in.png out.png --verbose
  [[ ! -s $logs/stdout ]] || fail 'a plain run printed on standard output'
  ! grep -qv '^srdiff: ' "$logs/stderr" || fail "a line does not start with 'srdiff: '"
}

# No escape sequence and no carriage return where standard error is a file.
case_plain_lines_in_a_log() {
  pictures make in.png 12x10
  upscales in.png out.png
  ! grep -q $'[\r\x1b]' "$logs/stderr" || fail 'a log holds terminal codes'
}

case_save_steps() {
  pictures make in.png 12x10
  upscales in.png out.png --nfe 4 --save-steps steps
  local expected='w.png x0_001_t0300.png x0_002_t0225.png x0_003_t0150.png x0_004_t0075.png'
  [[ $(ls steps | tr '\n' ' ') == "$expected x_sr.png x_t.png " ]] || fail "steps: $(ls steps)"
  is steps/w.png 'png 24x20 grey 8'
  is steps/x_sr.png 'png 24x20 rgb 8'
  pictures enlarged in.png steps/x_sr.png
  same_picture_at_the_end
}

# The last x̂_0 is the result.
same_picture_at_the_end() { pictures same steps/x0_004_t0075.png out.png 0; }

case_save_steps_without_weight_map() {
  pictures make in.png 12x10
  upscales in.png out.png --nfe 1 --save-steps steps --no-weight-map
  [[ $(ls steps | tr '\n' ' ') == 'x0_001_t0300.png x_sr.png x_t.png ' ]] || fail "$(ls steps)"
}

# Steps of another run are not mixed with those of this one.
case_save_steps_again() {
  pictures make in.png 12x10
  upscales in.png out.png --nfe 4 --save-steps steps
  touch steps/{notes.txt,x0_mine.png,x0_001_t300.png}
  upscales in.png out.png --nfe 1 --save-steps steps --no-weight-map
  [[ $(ls steps | tr '\n' ' ') == \
    'notes.txt x0_001_t0300.png x0_001_t300.png x0_mine.png x_sr.png x_t.png ' ]] || fail "$(ls steps)"
}

case_saving_steps_changes_nothing() {
  pictures make in.png 12x10
  upscales in.png plain.png
  upscales in.png watched.png --save-steps steps/below/others
  same_bytes plain.png watched.png
}

case_beta_1_hides_the_weight_map() {
  pictures make in.png 12x10
  upscales in.png with.png --beta 1 --strip-metadata
  upscales in.png without.png --beta 1 --no-weight-map --strip-metadata
  same_bytes with.png without.png
  upscales in.png with.png --beta 0.2 --strip-metadata --overwrite
  upscales in.png without.png --beta 0.2 --no-weight-map --strip-metadata --overwrite
  other_bytes with.png without.png
}

# all_combinations START: each sampler over each grid.
all_combinations() {
  pictures make in.png 4x4
  for sampler in ddpm ddim dpmpp; do
    for grid in uniform quadratic logsnr; do
      upscales in.png "$sampler-$grid.png" --start "$1" --sampler "$sampler" --grid "$grid"
      is "$sampler-$grid.png" 'png 8x8 rgb 8'
      pictures enlarged in.png "$sampler-$grid.png"
    done
  done
}

case_start_predicted_all_samplers() { all_combinations predicted; }
case_start_sr_all_samplers() { all_combinations sr; }
case_start_noise_all_samplers() { all_combinations noise; }

case_each_setting_matters() {
  pictures make in.png 12x10
  upscales in.png plain.png --strip-metadata
  local option
  for option in '--t 200' '--beta 0.1' '--nfe 5' '--eta 1' '--seed 1' '--sampler dpmpp' \
    '--start sr' '--start noise' '--grid quadratic' '--grid logsnr'; do
    # shellcheck disable=SC2086  # an option and its value
    upscales in.png other.png --overwrite --strip-metadata $option
    other_bytes plain.png other.png
  done
}

case_each_parameterisation() {
  pictures make in.png 12x10
  export SRDIFF_MODELS=$PWD/models
  for kind in eps x0 v; do
    "$MAKE_TEST_MODEL" "models/$kind" --parameterisation "$kind"
    succeeds upscale in.png "$kind.png" --model "$kind"
  done
  # One method in three notations: the pictures are the same up to rounding.
  pictures same eps.png x0.png 1
  pictures same eps.png v.png 1
}

# With a network that gives x̂_0: ε̂ near t = 0 is not for 8 bits of precision.
case_bf16_is_close() {
  pictures make in.png 12x10
  export SRDIFF_MODELS=$PWD/models
  "$MAKE_TEST_MODEL" models/x0 --parameterisation x0
  succeeds upscale in.png fp32.png --model x0 --strip-metadata
  run upscale in.png bf16.png --model x0 --precision bf16 --strip-metadata
  [[ $status -ne 4 ]] || skip 'this LibTorch does not offer bf16 here'
  other_bytes fp32.png bf16.png
  pictures same fp32.png bf16.png 16
}

# The shipped model in the fastest precision that this processor has, said by name, and its pictures.
case_auto_precision_gives_the_same_picture() {
  needs_bundled_model
  pictures make in.png 16x16
  succeeds upscale in.png fp32.png --model faces-x8 --json
  json_is 'd["precision"]' fp32
  succeeds upscale in.png auto.png --model faces-x8 --precision auto --json
  json_is 'd["precision"] in ("fp32", "bf16")' True
  pictures same fp32.png auto.png 3
}

# What was once measured is kept, where this processor has a choice, and is taken again.
case_auto_precision_is_measured_once() {
  needs_bundled_model
  pictures make in.png 16x16
  local choices=$XDG_CACHE_HOME/srdiff/precision.json
  succeeds --verbose upscale in.png first.png --model faces-x8 --precision auto
  if [[ ! -e $choices ]]; then
    ! grep -q 'bf16' "$logs/stderr" || fail 'a choice was made and is not kept'
    skip 'this processor does not multiply in bf16'
  fi
  grep -qE 'an evaluation in bf16 takes [0-9.]+ of the time in fp32: (bf16|fp32) is taken|fp32 is taken' \
    "$logs/stderr" || fail 'the choice was not told'
  local other=bf16
  ! grep -q '"bf16"' "$choices" || other=fp32
  sed -i "s/: \"[a-z0-9]*\"/: \"$other\"/" "$choices"
  succeeds --verbose upscale in.png second.png --model faces-x8 --precision auto --json
  json_is 'd["precision"]' "$other"
  grep -q "$other is taken, which was the fastest here before" "$logs/stderr" ||
    fail 'where the choice is from was not told'
}

# --- interruption

# interrupts SIGNAL: a run of 2000 evaluations that has begun to take steps.
interrupts() {
  pictures make in.png 64x64
  in_background upscale --model tiny in.png out.png --start noise --sampler ddpm \
    --save-steps "$logs/steps" 2>"$logs/stderr" >"$logs/stdout"
  local code=0
  while kill -0 "$tool" 2>/dev/null && [[ ! -e $logs/steps/x0_002_t1999.png ]]; do
    sleep 0.05
  done
  kill -s "$1" "$tool"
  wait "$tool" || code=$?
  [[ $code -eq 130 ]] || fail "SIG$1 ended the tool with $code"
  [[ $(ls) == in.png ]] || fail 'an interrupted run wrote something'
  no_temporary_files
  grep -q '^srdiff: interrupted' "$logs/stderr" || fail 'the tool does not say why it ended'
}

case_interrupt() { interrupts INT; }
case_terminate() { interrupts TERM; }

# --- the other subcommands

case_models_list() {
  succeeds models list
  grep -q '^tiny  1.0  x2 ' "$logs/stdout" || fail 'tiny is not listed'
  succeeds models
  grep -q '^tiny  1.0  x2 ' "$logs/stdout" || fail '`models` alone does not list'
  succeeds models list --json
  json_is '[m["scale"] for m in d if m["name"] == "tiny"]' '[2]'
}

case_models_list_survives_a_broken_one() {
  mkdir -p models/broken
  echo '{' >models/broken/manifest.json
  export SRDIFF_MODELS=$PWD/models:$TINY_MODELS
  succeeds models list
  grep -q '^tiny ' "$logs/stdout" || fail 'tiny is not listed'
  grep -q '^srdiff: warning: .*broken' "$logs/stderr" || fail 'the broken one is not named'
}

case_models_info() {
  succeeds models info tiny
  grep -q '^scale: 2$' "$logs/stdout" || fail 'no scale'
  succeeds models info tiny --json
  json_is 'd["defaults"]["nfe"], d["parameterisation"]' "(8, 'eps')"
}

case_models_verify() {
  succeeds models verify tiny
  [[ ! -s $logs/stdout ]] || fail 'verify printed on standard output'
  succeeds models verify "$TINY_MODELS/tiny" --json
  json_is 'd["ok"]' True
}

case_model_as_a_folder() {
  unset SRDIFF_MODELS
  pictures make in.png 12x10
  succeeds upscale in.png out.png --model "$TINY_MODELS/tiny"
}

# A folder of the working directory is never taken for a model's name.
case_model_not_from_working_directory() {
  unset SRDIFF_MODELS
  cp -r "$TINY_MODELS/tiny" impostor
  pictures make in.png 12x10
  refuses 4 "no model 'impostor'" upscale in.png out.png --model impostor
  succeeds upscale in.png out.png --model ./impostor
}

case_info() {
  succeeds info
  grep -q '^libtorch: ' "$logs/stdout" || fail 'no LibTorch version'
  succeeds info --json
  json_is '"srdiff" in d and "threads" in d' True
}

case_version() {
  succeeds --version
  grep -Eq '^srdiff [0-9]+\.[0-9]+\.[0-9]+( \([0-9a-f]+(-dirty)?\))?$' "$logs/stdout" || fail 'no version'
}

# help_fits ARG...: on standard output, on one screen, in every column.
help_fits() {
  succeeds "$@" --help
  [[ -s $logs/stdout && ! -s $logs/stderr ]] || fail 'help belongs on standard output'
  grep -q "^Usage: srdiff $*" "$logs/stdout" || fail 'it shows another command'
  [[ $(wc -l <"$logs/stdout") -le 45 ]] || fail 'help is longer than a screen'
  ! grep -q '.\{101\}' "$logs/stdout" || fail 'help is wider than a screen'
}

case_help_fits_a_screen() {
  help_fits
  help_fits upscale
  help_fits models
  help_fits info
  help_fits report merge
}

# help_all_names COMMAND SOURCE...: every option that these sources name.
help_all_names() {
  local option options
  options=$(cd "$here/../../apps/srdiff/commands" && grep -Eoh '"(-.,)?--[a-z-]+"' "${@:2}" | tr -d '"')
  succeeds "$1" --help-all
  for option in $options; do
    grep -q -e "^  $option " "$logs/stdout" || fail "$1 --help-all does not name $option"
  done
}

case_help_all_names_every_option() {
  help_all_names upscale upscale.cc method_options.cc
  help_all_names eval eval.cc method_options.cc
  help_all_names bench bench.cc
  help_all_names compare compare.cc
  help_all_names sweep sweep.cc
}

run_case "$1"

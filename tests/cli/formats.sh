#!/usr/bin/env bash
# formats.sh CASE: JPEG XL, AVIF and HEIC, each where this build has its library.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

samples=$here/../hostile/samples

# needs NAME: as `srdiff info` calls the format.
needs() {
  "$SRDIFF" info >"$logs/info"
  ! grep -q "^$1: not built in" "$logs/info" || skip "this build has no $1"
}

# there_and_back ENDING: written, and what was written is read again; it is still the same picture.
there_and_back() {
  for mode in rgb grey rgba rgb16 rgba16; do
    pictures make in.png 12x10 "$mode"
    upscales in.png "mid.$1" --overwrite --quiet
    upscales "mid.$1" out.png --overwrite --quiet
    bits=8
    [[ $mode != *16 ]] || bits=16
    is out.png "png 48x40 ${mode%16} $bits"
    pictures enlarged in.png out.png
  done
  no_temporary_files
}

case_jpeg_xl() {
  needs 'JPEG XL'
  there_and_back jxl
}

case_avif() {
  needs AVIF
  there_and_back avif
}

case_jpeg_xl_is_lossless_at_100() {
  needs 'JPEG XL'
  pictures make in.png 12x10
  upscales in.png out.png
  upscales in.png out.jxl --quality 100
  succeeds upscale --model tiny out.jxl a.png --t 0
  succeeds upscale --model tiny out.png b.png --t 0
  pictures same a.png b.png
}

# The same bytes, whatever the threads and tiles.
case_bytes_do_not_depend_on_threads() {
  needs 'JPEG XL'
  needs AVIF
  pictures make in.png 40x37
  for format in jxl avif; do
    upscales in.png "one.$format" --threads 1
    upscales in.png "two.$format" --threads 2
    same_bytes "one.$format" "two.$format"
  done
}

case_heic() {
  needs HEIC
  cp "$samples/rgb.heic" in.heic
  upscales in.heic out.png
  is out.png 'png 42x34 rgb 8'
  cp "$samples/ten-bit.heic" deep.heic
  upscales deep.heic deep.png
  is deep.png 'png 42x34 rgb 16'
}

case_heic_is_not_written() {
  needs HEIC
  pictures make in.png 12x10
  refuses 2 'out.heic: HEIC is read but not written; use .png, .jpg' upscale --model tiny in.png out.heic
  mkdir in
  cp in.png in
  refuses 2 "the format 'heic' cannot be written: HEIC is read but not written; give png, jpg" \
    upscale --model tiny in out --format heic
}

case_folders_take_them() {
  needs 'JPEG XL'
  needs AVIF
  needs HEIC
  mkdir in
  cp "$samples/rgb.heic" in/a.heic
  cp "$samples/rgb.avif" in/b.avif
  cp "$samples/rgb.jxl" in/c.JXL
  upscales in out
  [[ $(cd out && echo *) == 'a.png b.avif c.JXL' ]] || fail "wrote $(ls out)"
  upscales in out --resume --report report.jsonl
  [[ $(grep -c '"status":"skipped"' report.jsonl) -eq 3 ]] || fail 'made again what was done'
  for format in jxl avif; do
    upscales in "$format" --format "$format"
    [[ $(cd "$format" && echo *) == "a.$format b.$format c.$format" ]] || fail "wrote $(ls "$format")"
  done
}

case_what_srdiff_made_is_replaced() {
  needs 'JPEG XL'
  needs AVIF
  pictures make in.png 12x10
  for format in jxl avif; do
    cp "$samples/rgb.$format" "out.$format"
    refuses 2 'does not say that srdiff made it' upscale --model tiny in.png "out.$format"
    upscales in.png "out.$format" --overwrite
    upscales in.png "out.$format"
  done
}

case_limits_hold_before_decoding() {
  for format in jxl:'JPEG XL' avif:AVIF heic:HEIC; do
    needs "${format#*:}"
    cp "$samples/rgb.${format%%:*}" "in.${format%%:*}"
    refuses 1 "in.${format%%:*}: declares 21x17 pixels, more than the 300 allowed" \
      upscale --model tiny --max-pixels 300 "in.${format%%:*}" out.png
  done
}

case_damaged_files_are_refused_in_one_line() {
  for format in jxl:'JPEG XL' avif:AVIF heic:HEIC; do
    needs "${format#*:}"
    name=${format%%:*}
    for part in 30 60 90; do
      size=$(wc -c <"$samples/rgb.$name")
      head -c $((size * part / 100)) "$samples/rgb.$name" >"cut.$name"
      refuses 1 "cut.$name: " upscale --model tiny "cut.$name" out.png
    done
  done
}

# What is lost on the way into another format is said.
case_losses_are_told() {
  needs HEIC
  needs AVIF
  cp "$samples/two-pictures.heic" in.heic
  upscales in.heic out.avif
  grep -q 'in.heic: holds several pictures; the first is taken' "$logs/stderr" || fail 'not told'
}

case_of_a_build_without_one() {
  "$SRDIFF" info >"$logs/info"
  cp "$samples/rgb.jxl" "$samples/rgb.avif" "$samples/rgb.heic" .
  for format in 'JPEG XL:jxl' AVIF:avif HEIC:heic; do
    grep -q "^${format%%:*}: not built in" "$logs/info" || continue
    refuses 1 "is ${format%%:*}, and this srdiff is built without lib" \
      upscale --model tiny "rgb.${format#*:}" out.png
  done
}

run_case "$1"

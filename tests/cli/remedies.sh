#!/usr/bin/env bash
# remedies.sh CASE: an error of the library ends, on the command line, with the option that helps.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case_of_a_model() {
  "$MAKE_TEST_MODEL" "$PWD/models/plain" --name plain --no-weight-map
  export SRDIFF_MODELS=$PWD/models
  pictures make in.png 8x6
  refuses 4 'plain: has no weight map; use --no-weight-map' upscale in.png out.png --model plain
  refuses 4 'fp16 is not computed on the CPU; use --precision bf16 or fp32' \
    upscale in.png out.png --model plain --no-weight-map --precision fp16 --device cpu
  refuses 4 'CUDA devices here; use --device cpu' \
    upscale in.png out.png --model plain --device cuda:97
}

case_of_a_bomb() {
  pictures png bomb.png 8000x8000 black
  local reason='looks like a decompression bomb; raise the limit (--max-ratio) if it is none'
  "$MAKE_TEST_MODEL" "$PWD/models/wide" --name wide --patch '{"max_output_pixels": 268435456}'
  export SRDIFF_MODELS=$PWD/models
  refuses 1 "$reason" upscale --model wide bomb.png out.png
  mkdir in
  mv bomb.png in
  run upscale --model wide in out --report report.jsonl
  [[ $status -eq 1 ]] || fail "a folder with a bomb ended with $status"
  grep -qF -e "$reason" "$logs/stderr" || fail 'the summary does not word it'
  grep -qF -e "$reason" report.jsonl || fail 'the report does not word it'
}

case_of_a_folder() {
  pictures many in 2
  upscales in out --nfe 1
  refuses 2 '2 of 2 outputs exist already; --resume keeps what is done, --overwrite replaces them' \
    upscale --model tiny in out
  rm out/.srdiff.journal
  refuses 2 'without a journal to resume by; name another output folder, or --overwrite replaces them' \
    upscale --model tiny in out
  cp in/0.png in/0.jpg
  refuses 2 '; rename one, leave one out (--exclude), or leave out --format' \
    upscale --model tiny in other --format webp
}

case_of_files_of_other_kinds() {
  echo 'no result' >result.json
  refuses 1 'result.json: is no result of srdiff bench --json' bench --model tiny --compare result.json
  refuses 1 'result.json:1: is no line of a report of srdiff upscale --report' \
    report merge result.json
  echo '{}' >result.json
  refuses 1 '; give a result of srdiff bench --json' bench --model tiny --compare result.json
  pictures many in 2
  refuses 2 'need a feature network; name one by --features' \
    eval --reference in --output in --metrics fid
}

run_case "$1"

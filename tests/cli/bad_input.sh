#!/usr/bin/env bash
# bad_input.sh CASE: each thing a user can get wrong ends with its status and one line, and writes
# nothing. Statuses: 1 the picture failed, 2 wrong usage, 4 model or device unusable.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# refuses_options STATUS TEXT ARG...: with a good picture and these options.
refuses_options() {
  local status_and_text=("$1" "$2")
  shift 2
  pictures make in.png 8x6
  refuses_upscale "${status_and_text[@]}" in.png out.png "$@"
}

# refuses_model TEXT ARG...: with a model that make_test_model spoils by these arguments.
refuses_model() {
  local text=$1
  shift
  "$MAKE_TEST_MODEL" "$PWD/models/spoilt" --name spoilt "$@"
  export SRDIFF_MODELS=$PWD/models
  pictures make in.png 8x6
  refuses 4 "$text" upscale in.png out.png --model spoilt
  refuses 4 "$text" models verify spoilt
}

first_half_of() { head -c "$(($(wc -c <"$1") / 2))" "$1"; }

# cut_short FORMAT: half of a file, of which the picture's header is whole.
cut_short() {
  pictures make "whole.$1" 24x20
  first_half_of "whole.$1" >"cut.$1"
  refuses_upscale 1 "cut.$1: " "cut.$1" out.png
}

# A run that takes memory for the pixels would need far more than this; the tool alone with its
# libraries takes less.
with_little_memory() {
  local limit_kib=$((700 * 1024))
  (ulimit -d "$limit_kib" && "$@")
}

# --- the picture

case_no_such_file() { refuses_upscale 1 'absent.png: no such file' absent.png out.png; }

case_directory() {
  mkdir folder
  refuses_upscale 2 'out.png: names a picture, but folder is a folder' folder out.png
}

# None of them may hold the tool up.
case_no_regular_file() {
  mkfifo pipe.png
  ln -s loop.png loop.png
  ln -s /dev/zero zero.png
  for name in pipe.png loop.png zero.png; do
    refuses 1 "$name: " upscale --model tiny "$name" out.png
  done
}

# A message is one line whatever the name.
case_name_that_breaks_lines() {
  local name=$'two\nlines \x1b[31m\xff.png'
  printf 'no picture' >"$name"
  refuses_upscale 1 'two\x0alines \x1b[31m\xff.png: is not a picture' "$name" out.png
}

case_decompression_bomb() {
  pictures png bomb.png 12000x12000
  with_little_memory refuses_upscale 1 'bomb.png: declares 12000x12000' bomb.png out.png
}

case_empty_file() {
  : >empty.png
  refuses_upscale 1 'empty.png: is empty' empty.png out.png
}

case_text_named_png() {
  printf 'this is not a picture\n' >text.png
  refuses_upscale 1 'text.png: is not a picture' text.png out.png
}

case_truncated_png() { cut_short png; }
case_truncated_jpeg() { cut_short jpg; }
case_truncated_webp() { cut_short webp; }
case_truncated_tiff() { cut_short tiff; }
case_truncated_bmp() { cut_short bmp; }

# Whole by its chunks, but the pixels inside stop early.
case_png_without_pixels() {
  pictures png hollow.png 16x16
  refuses_upscale 1 'hollow.png: ' hollow.png out.png
}

case_damaged_png() {
  pictures make whole.png 24x20
  { head -c 60 whole.png; printf 'damage'; tail -c +67 whole.png; } >damaged.png
  refuses_upscale 1 'damaged.png: ' damaged.png out.png
}

case_zero_by_zero() {
  pictures png zero.png 0x0
  refuses_upscale 1 'zero.png: has no pixels' zero.png out.png
}

case_huge_header() {
  pictures png huge.png 20000x20000
  with_little_memory refuses_upscale 1 'huge.png: declares 20000x20000' huge.png out.png
}

# A whole file of 64 kB whose pixels would take 0.8 GB as the networks see them.
case_too_large() {
  pictures png large.png 8000x8000 black
  with_little_memory refuses_upscale 1 'large.png: ' large.png out.png
  grep -q 8000x8000 "$logs/stderr" || fail 'the size is not named'
}

# One row and column more than the tiny model takes, and a size that its padding makes too large.
case_just_too_large() {
  pictures make large.png 129x129
  refuses_upscale 1 'large.png: declares 129x129 pixels, more than' large.png out.png
  pictures make long.png 126x130
  refuses_upscale 1 'long.png: 126x130 pixels are more than tiny takes' long.png out.png
}

case_empty_stdin() {
  refuses 1 'standard input: is empty' upscale --model tiny - out.png </dev/null
}

# A writer that never ends is left alone when the limit is passed.
case_endless_stdin() {
  status=0
  timeout 60 "$SRDIFF" upscale --model tiny - out.png --max-file-size 1 </dev/zero \
    2>"$logs/stderr" || status=$?
  [[ $status -eq 1 ]] || fail "an endless standard input ended with $status"
  grep -q 'standard input: is larger than the 1048576 bytes allowed' "$logs/stderr" || fail 'why'
}

# has_unread: whether bytes wait in the pipe that descriptor 3 leads to.
has_unread() {
  "$PYTHON" -c 'import fcntl, struct, sys, termios
sys.exit(struct.unpack("i", fcntl.ioctl(3, termios.FIONREAD, bytes(4)))[0] == 0)'
}

# interrupted_by SIGNAL ARG...: while it waits for the rest of its standard input.
interrupted_by() {
  local signal=$1
  shift
  mkfifo "pipe.$signal"
  exec 3<>"pipe.$signal"
  printf x >&3
  in_background upscale "$@" <"pipe.$signal" 3>&- 2>"$logs/stderr"
  while has_unread; do sleep 0.05; done
  kill "-$signal" "$tool"
  timeout 20 tail --pid="$tool" -f /dev/null || { kill -KILL "$tool" && fail "$signal: it lives on"; }
  exec 3>&-
  status=0
  wait "$tool" || status=$?
  [[ $status -eq 130 ]] || fail "$signal: it ended with $status"
  [[ $(<"$logs/stderr") == 'srdiff: interrupted; nothing was written' ]] || fail "$signal: its line"
  [[ ! -e out.png ]] || fail "$signal: a picture was written"
}

case_interrupt_while_stdin_is_silent() {
  interrupted_by INT --model tiny - out.png
  interrupted_by TERM --model tiny - out.png
}

# More than a pipe holds, and nobody takes it.
case_interrupt_while_stdout_is_full() {
  "$PYTHON" -c 'import os; from PIL import Image
Image.frombytes("RGB", (120, 120), os.urandom(120 * 120 * 3)).save("in.png")'
  mkfifo pipe
  exec 3<>pipe
  in_background upscale --model tiny in.png - >pipe 3>&- 2>"$logs/stderr"
  until has_unread; do sleep 0.05; done
  sleep 0.5 # until the pipe is full
  kill -INT "$tool"
  timeout 20 tail --pid="$tool" -f /dev/null || { kill -KILL "$tool" && fail 'it lives on'; }
  exec 3>&-
  status=0
  wait "$tool" || status=$?
  [[ $status -eq 130 ]] || fail "it ended with $status"
  grep -qx 'srdiff: interrupted; standard output is not complete' "$logs/stderr" || fail 'its line'
}

# A script's job in the background goes on when the one in front of it is interrupted.
case_interrupt_that_the_caller_ignores() {
  pictures make in.png 8x6
  "$SRDIFF" upscale --model tiny --nfe 200 in.png out.png 2>"$logs/stderr" &
  local tool=$! i
  until [[ $(readlink "/proc/$tool/exe") == "$SRDIFF" ]]; do sleep 0.01; done
  for i in {1..200}; do
    kill -INT "$tool" 2>/dev/null || break
    sleep 0.01
  done
  wait "$tool" || fail "it ended with $?"
  [[ -e out.png ]] || fail 'no picture'
}

case_interrupt_with_steps() {
  pictures make in.png 16x16
  in_background upscale --model tiny --nfe 1000 --t 1500 in.png out.png --save-steps steps \
    2>"$logs/stderr"
  until [[ -n $(find steps -name '*.png' 2>/dev/null) ]]; do sleep 0.01; done
  kill -INT "$tool"
  status=0
  wait "$tool" || status=$?
  [[ $status -eq 130 && ! -e out.png ]] || fail "it ended with $status"
  [[ $(<"$logs/stderr") == 'srdiff: interrupted; out.png was not written, and steps holds '* ]] ||
    fail 'its line'
}

# --- where to write

case_missing_folder() {
  pictures make in.png 8x6
  refuses 1 'nowhere/out.png: cannot be written' upscale --model tiny in.png nowhere/out.png
}

case_below_a_file() {
  pictures make in.png 8x6
  refuses 1 'in.png/out.png: cannot be written' upscale --model tiny in.png in.png/out.png
}

case_target_is_directory() {
  pictures make in.png 8x6
  mkdir -p out/in.png
  refuses 1 'out/in.png: cannot be written: it is a folder' upscale --model tiny in.png out
  refuses 1 'missing/: cannot be written: there is no such folder' \
    upscale --model tiny in.png missing/
  refuses 2 'out: is a folder, and standard input has no name' upscale --model tiny - out <in.png
}

# A shell's *.png that fits two photographs names the second one as the output.
case_output_that_is_the_users() {
  pictures make in.png 8x6
  pictures make mine.png 9x9
  refuses 2 'mine.png: exists and does not say that srdiff made it' upscale --model tiny *.png
  ln -s nowhere.png link.png
  refuses 2 'link.png: exists' upscale --model tiny in.png link.png
  upscales in.png mine.png --overwrite
  upscales in.png mine.png # it says that srdiff made it
  upscales in.png bare.png --strip-metadata
  refuses 2 'bare.png: exists' upscale --model tiny in.png bare.png
}

# on_terminal ARG...: the tool with a terminal as its standard streams; what it says is in
# $logs/terminal.
on_terminal() {
  status=0
  "$PYTHON" -c 'import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' "$SRDIFF" "$@" \
    </dev/null >"$logs/terminal" || status=$?
}

case_picture_to_a_terminal() {
  pictures make in.png 8x6
  on_terminal upscale --model tiny in.png -
  [[ $status -eq 2 ]] || fail "a picture to a terminal ended with $status"
  grep -q 'standard output is a terminal' "$logs/terminal" || fail "$(cat "$logs/terminal")"
}

case_unknown_ending() {
  pictures make in.png 8x6
  refuses_upscale 2 'out.xyz: its ending names no format' in.png out.xyz
}

case_no_ending() {
  pictures make in.png 8x6
  refuses_upscale 2 'out: its ending names no format' in.png out
  refuses 2 "the format 'PNG' is not known" upscale --model tiny in.png - --format PNG
}

case_alpha_into_jpeg() {
  pictures make in.png 8x6 rgba
  refuses_upscale 1 'out.jpg: this format cannot hold' in.png out.jpg
}

case_alpha_into_bmp() {
  pictures make in.png 8x6 rgba
  refuses_upscale 1 'out.bmp: this format cannot hold' in.png out.bmp
}

case_output_is_input() {
  pictures make in.png 8x6
  refuses 2 'in.png: is the input itself' upscale --model tiny in.png in.png
  ln in.png alias.png
  refuses 2 'alias.png: is the input itself' upscale --model tiny in.png alias.png
}

case_json_and_picture_on_stdout() {
  pictures make in.png 8x6
  refuses 2 '--json' upscale --model tiny in.png - --json
}

case_full_stdout() {
  pictures make in.png 8x6
  local code=0
  "$SRDIFF" upscale --model tiny in.png - >/dev/full 2>"$logs/stderr" || code=$?
  [[ $code -eq 1 ]] || fail "a picture into a full device ended with $code"
  code=0
  "$SRDIFF" models list >/dev/full 2>"$logs/stderr" || code=$?
  [[ $code -eq 1 ]] || fail "a list into a full device ended with $code"
}

case_closed_stdout() {
  pictures make in.png 8x6
  local code=0
  "$SRDIFF" upscale --model tiny in.png - >&- 2>"$logs/stderr" || code=$?
  [[ $code -eq 1 ]] || fail "a picture into a closed stream ended with $code"
  [[ $(<"$logs/stderr") == 'srdiff: standard output: cannot be written' ]] || fail 'not that line alone'
  for command in 'upscale --model tiny in.png out.png --json' 'models list' --help; do
    code=0
    # shellcheck disable=SC2086
    "$SRDIFF" $command >&- 2>"$logs/stderr" || code=$?
    [[ $code -eq 1 ]] || fail "$command into a closed stream ended with $code"
    [[ $(tail -1 "$logs/stderr") == 'srdiff: standard output: cannot be written' ]] || fail "$command"
  done
}

case_closed_stdin() {
  local code=0
  "$SRDIFF" upscale --model tiny - out.png <&- 2>"$logs/stderr" || code=$?
  [[ $code -eq 1 ]] || fail "a closed standard input ended with $code"
  grep -qx 'srdiff: standard input: cannot be read: Bad file descriptor' "$logs/stderr" || fail 'why'
}

# A file may not become larger than this (ulimit -f): the write fails, it does not kill.
case_file_size_limit() {
  pictures make in.png 64x64
  status=0
  (ulimit -f 1 && "$SRDIFF" upscale --model tiny in.png out.png 2>"$logs/stderr") || status=$?
  [[ $status -eq 1 ]] || fail "a file at its limit ended with $status"
  grep -q 'out.png: cannot be written: File too large' "$logs/stderr" || fail 'it does not say why'
  [[ $(ls -A) == in.png ]] || fail "left behind: $(ls -A)"
}

case_name_too_long() {
  local name
  name=$(printf '%0300d' 0)
  pictures make in.png 8x6
  refuses 1 "$name: cannot be made a folder for the steps: File name too long" upscale --model tiny in.png out.png --save-steps "$name"
  mkdir in
  refuses 1 "$name" upscale --model tiny in "$name"
}

case_deleted_working_folder() {
  pictures make in.png 8x6
  mkdir gone
  status=0
  (cd gone && rmdir ../gone && "$SRDIFF" upscale --model tiny ../here/in.png out.png) \
    2>"$logs/stderr" || status=$?
  [[ $status -eq 1 ]] || fail "a deleted working folder ended with $status"
  grep -q 'No such file or directory' "$logs/stderr" || fail 'it does not say why'
}

case_steps_folder_is_a_file() {
  echo 'a file' >steps
  refuses_options 1 'steps: cannot be made a folder' --save-steps steps
  mkdir st && pictures make st/x_t.png 12x10
  refuses 2 'st/x_t.png: a step would replace it' upscale --model tiny st/x_t.png out.png --save-steps st
  refuses 2 'st/x_sr.png: a step would replace it' upscale --model tiny in.png st/x_sr.png --save-steps ./st/
}

# --- the model and the device

case_unknown_model() {
  pictures make in.png 8x6
  refuses 4 "no model 'nonesuch'" upscale in.png out.png --model nonesuch
  refuses 4 '; the nearest is tiny; name one of' upscale in.png out.png --model tinny
  refuses 4 './nonesuch: is no model folder' upscale in.png out.png --model ./nonesuch
  refuses 4 "no model 'nonesuch'" models info nonesuch
}

case_damaged_weights() { refuses_model 'denoiser.pt: damaged' --damage denoiser; }

# Hashes are right: only a run of the networks shows it.
case_wrong_scale() { refuses_model 'regressor.pt: ' --patch '{"scale": 4}'; }

case_wrong_weight_map_channels() {
  refuses_model 'weight_map.pt: ' --patch '{"weight_map_channels": 3}'
}

case_missing_weights() {
  refuses_model 'absent.pt: no such file' \
    --patch '{"files": {"denoiser": {"path": "absent.pt"}}}'
}

case_weights_outside_folder() {
  refuses_model '../denoiser.pt' --patch '{"files": {"denoiser": {"path": "../denoiser.pt"}}}'
}

case_manifest_without_schedule() { refuses_model 'schedule' --patch '{"schedule": null}'; }
case_manifest_of_the_future() { refuses_model "'format'" --patch '{"format": 2}'; }
case_manifest_with_wrong_type() { refuses_model "'scale'" --patch '{"scale": "two"}'; }

case_manifest_with_wrong_guidance() {
  refuses_model "manifest.json: defaults: 'guidance' is 9, outside 0 to 8" \
    --patch '{"defaults": {"guidance": 9}}'
}

case_manifest_with_wrong_default() {
  refuses_model "manifest.json: defaults: 'eta' is 7" --patch '{"defaults": {"eta": 7}}'
}

# refuses_unread TEXT ARG...: as `refuses 4`, without a look at the files, which are too large for one.
refuses_unread() {
  local text=$1
  shift
  status=0
  with_little_memory "$SRDIFF" "$@" >"$logs/stdout" 2>"$logs/stderr" || status=$?
  [[ $status -eq 4 ]] || fail "srdiff $* ended with $status"
  grep -qF "$text" "$logs/stderr" || fail "the line does not name '$text'"
}

# Holes, so that they take no room on the disk.
case_model_files_too_large() {
  "$MAKE_TEST_MODEL" "$PWD/models/large" --name large
  "$MAKE_TEST_MODEL" "$PWD/models/whole" --name whole
  export SRDIFF_MODELS=$PWD/models
  truncate -s 8G models/large/denoiser.pt
  refuses_unread 'denoiser.pt: is larger than' models verify large
  truncate -s 1T models/large/manifest.json
  refuses_unread 'manifest.json: is larger than' models info large
  # It hides no other model.
  run models list
  grep -q '^whole ' "$logs/stdout" || fail 'the other model is not listed'
}

# What was read stays, and what changes meanwhile is noticed: never a signal.
case_model_cut_while_it_is_loaded() {
  needs_bundled_model
  local whole=$SOURCE_MODELS/faces-x8/regressor.pt i
  cp -r "$SOURCE_MODELS/faces-x8" model
  pictures make in.png 16x16
  while :; do
    truncate -s 4096 model/regressor.pt
    sleep 0.002
    cat "$whole" >model/regressor.pt
    sleep 0.03
  done &
  local cutter=$!
  for i in 1 2 3 4 5 6; do
    run upscale --model ./model --t 1 --nfe 1 --overwrite in.png out.png
    [[ $status -eq 0 || $status -eq 4 ]] || {
      kill $cutter
      fail "status $status"
    }
  done
  kill $cutter
}

case_manifest_not_json() {
  mkdir -p models/spoilt
  echo '{ "format": 1,' >models/spoilt/manifest.json
  export SRDIFF_MODELS=$PWD/models
  refuses 4 'manifest.json: is not valid JSON' models verify spoilt
}

# Copying a value of so many levels would overflow the stack.
case_manifest_of_a_hundred_thousand_levels() {
  "$MAKE_TEST_MODEL" "$PWD/models/spoilt" --name spoilt
  "$PYTHON" -c 'import sys
text = open(sys.argv[1]).read().rstrip()
open(sys.argv[1], "w").write(text[:-1] + ",\"x\":" + "[" * 100000 + "]" * 100000 + "}")' \
    models/spoilt/manifest.json
  export SRDIFF_MODELS=$PWD/models
  pictures make in.png 8x6
  refuses 4 'manifest.json: is JSON of more than 64 levels' models info spoilt
  refuses 4 'manifest.json: is JSON of more than 64 levels' upscale in.png out.png --model spoilt
}

case_weights_not_torchscript() {
  "$MAKE_TEST_MODEL" "$PWD/models/spoilt"
  echo 'no network' >models/spoilt/denoiser.pt
  local hash
  hash=$(sha256sum models/spoilt/denoiser.pt | cut -d' ' -f1)
  sed -i "/denoiser.pt/{n;s/[0-9a-f]\{64\}/$hash/}" models/spoilt/manifest.json
  export SRDIFF_MODELS=$PWD/models
  refuses 4 'denoiser.pt: not a usable TorchScript network' models verify spoilt
}

case_model_without_weight_map() {
  "$MAKE_TEST_MODEL" "$PWD/models/plain" --name plain --no-weight-map
  export SRDIFF_MODELS=$PWD/models
  pictures make in.png 8x6
  refuses 4 'plain: has no weight map' upscale in.png out.png --model plain
  succeeds upscale in.png out.png --model plain --no-weight-map
}

case_absent_cuda() {
  "$SRDIFF" info | grep -q '^CUDA devices: 0$' || skip 'this machine has a CUDA device'
  refuses_options 4 "'cuda' is absent" --device cuda
}

case_absent_second_cuda() { refuses_options 4 "'cuda:97' is absent" --device cuda:97; }
case_unknown_device() { refuses_options 2 "device 'tpu'" --device tpu; }
case_unknown_precision() { refuses_options 2 "precision 'int8'" --precision int8; }

# --- options

case_t_below_0() { refuses_options 2 't = -1 ' --t -1; }
case_t_5000() { refuses_options 2 't = 5000 ' --t 5000; }
case_t_not_a_number() { refuses_options 2 '--t' --t many; }
case_nfe_0() { refuses_options 2 'nfe = 0 ' --nfe 0; }
case_nfe_above_t() { refuses_options 2 'nfe = 500 ' --nfe 500 --t 300; }
case_beta_2() { refuses_options 2 'beta' --beta 2; }
case_beta_not_a_number() { refuses_options 2 '--beta' --beta x; }
case_beta_nan() { refuses_options 2 'beta' --beta nan; }
case_eta_2() { refuses_options 2 'eta' --eta 2; }
case_guidance_9() { refuses_options 2 'guidance is outside 0 to 8' --guidance 9; }
case_guidance_nan() { refuses_options 2 'guidance is outside 0 to 8' --guidance nan; }
case_unknown_sampler() { refuses_options 2 "sampler 'euler'" --sampler euler; }
case_unknown_grid() { refuses_options 2 "grid 'cosine'" --grid cosine; }
case_unknown_start() { refuses_options 2 "start 'middle'" --start middle; }
case_ddpm_skipping_steps() { refuses_options 2 'nfe must equal t' --sampler ddpm --nfe 8; }
case_noise_start_at_t() { refuses_options 2 't = 2000' --start noise --t 300; }
case_threads_0() { refuses_options 2 'threads = 0' --threads 0; }
case_batch_0() { refuses_options 2 'batch = 0' --batch 0; }
case_batch_not_a_number() { refuses_options 2 "batch 'some'" --batch some; }

case_seed_out_of_range() {
  refuses_options 2 '--seed' --seed -1
  refuses_options 2 '--seed' --seed 99999999999999999999
}

case_limits_out_of_range() {
  refuses_options 2 '--max-file-size' --max-file-size 8796093022208
  refuses_options 2 '--max-file-size' --max-file-size 0
  refuses_options 2 '--max-ratio' --max-ratio nan
  refuses_options 2 '--max-ratio' --max-ratio inf
  refuses_options 2 '--max-ratio' --max-ratio -1
  refuses_options 2 '--max-ratio' --max-ratio many
}

case_unknown_option() { refuses_options 2 '--sharpen' --sharpen 3; }
case_option_twice() { refuses_options 2 '--t' --t 300 --t 200; }
case_missing_output() { refuses 2 'OUT is required' upscale in.png; }
case_no_subcommand() {
  echo >settings.toml
  refuses 2 'subcommand' --config settings.toml
}

# Nothing but the name: what most people do, in lines that README has and runs.
case_no_words() {
  run
  [[ $status -eq 2 && ! -s $logs/stdout ]] || fail "status $status"
  local line count=0
  while IFS= read -r line; do
    grep -qF -e "$line" "$here/../../README.md" || fail "README has no '$line'"
    count=$((count + 1))
  done < <(grep '^  srdiff ' "$logs/stderr" | sed 's/^  //; s/  .*//')
  [[ $count -eq 3 ]] || fail "$count commands"
}
case_unknown_subcommand() {
  refuses 2 'enlarge' enlarge in.png out.png
  refuses 2 "'upscal' is not known; the nearest is upscale; see" upscal in.png out.png
  refuses 2 "'bnech' is not known; the nearest is bench; see" bnech
  refuses 2 "srdiff models: 'lst' is not known; the nearest is list; see srdiff models --help" models lst
  refuses 2 "srdiff report: 'mrege' is not known; the nearest is merge; see" report mrege
}

case_mistyped_option() {
  refuses_options 2 '--sedd is no option of it; the nearest is --seed; see' --sedd 3
  refuses 2 "'--quiet' stands behind --" upscale -- in.png in.png --quiet
  refuses 4 "'--json' stands behind --" compare in.png in.png -- --json
}

case_name_that_starts_with_a_dash() {
  pictures make in.png 8x6
  cp in.png ./-dash.png
  refuses 2 '-dash.png is no option of it; a file of that name is ./-dash.png' \
    upscale -dash.png out.png
  upscales -- -dash.png out.png
  upscales ./-dash.png out.png
}

case_config_that_never_ends() {
  refuses_options 2 '/dev/zero is not a regular file' --config /dev/zero
  truncate -s 2M large.toml
  refuses_options 2 'large.toml is larger than 1 MiB' --config large.toml
}

case_missing_config() { refuses_options 2 'absent.toml' --config absent.toml; }

case_unknown_option_in_config() {
  printf '[upscale]\nsharpen = 3\n' >options.toml
  refuses_options 2 'sharpen' --config options.toml
}

run_case "$1"

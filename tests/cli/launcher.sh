#!/usr/bin/env bash
# launcher.sh CASE: the program's two parts, whatever becomes of the second one and of its list of
# libraries.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# copy_program: both parts of it, into program/, from where it then runs.
copy_program() {
  mkdir program
  cp "$SRDIFF" "$(dirname "$SRDIFF")"/srdiff-tool.* program/
  pictures make in.png 12x10
  upscales in.png expected.png
  SRDIFF=$PWD/program/srdiff
}

makes_the_same() {
  upscales in.png out.png
  same_bytes out.png expected.png
}

case_list_of_libraries() {
  local list
  list=$(dirname "$SRDIFF")/srdiff-tool.libraries
  grep -q '/libopencv_core' "$list" || fail 'it does not hold what the tool is linked to'
  # Each behind what it depends on.
  [[ $(grep -n '/libopencv_core' "$list" | cut -d: -f1) -lt \
    $(grep -n '/libopencv_imgcodecs' "$list" | cut -d: -f1) ]] || fail 'its order is not the system'"'"'s'
  ! grep -q '/libtorch' "$list" || fail 'it holds LibTorch'
}

case_moved_with_its_tool() {
  copy_program
  makes_the_same
}

# A path from the working directory would be whoever's that directory is.
case_without_proc() {
  unshare -m true 2>/dev/null || skip 'needs the right to mount'
  copy_program
  mkdir -p lib/srdiff cwd
  : >lib/srdiff/srdiff-tool.so
  : >cwd/srdiff-tool.so
  cd cwd
  local status=0
  # shellcheck disable=SC2016
  unshare -m bash -c 'mount -t tmpfs none /proc && exec "$0" --help' "$SRDIFF" >out 2>err || status=$?
  [[ $status -eq 4 ]] || fail "status $status"
  grep -qF '/proc/self/exe: cannot be read' err || fail "it says: $(cat err)"
}

# libgomp says what it was told. The user's own settings stay.
case_threads_at_barriers() {
  unset OMP_WAIT_POLICY GOMP_SPINCOUNT
  local told
  told=$(OMP_DISPLAY_ENV=VERBOSE "$SRDIFF" info 2>&1 | grep GOMP_SPINCOUNT) || skip 'another OpenMP'
  [[ $told =~ \'(1000|3000)\' ]] || fail "without settings: $told"
  told=$(GOMP_SPINCOUNT=77 OMP_DISPLAY_ENV=VERBOSE "$SRDIFF" info 2>&1 | grep GOMP_SPINCOUNT)
  [[ $told == *"'77'"* ]] || fail "the user's count is lost: $told"
  told=$(OMP_WAIT_POLICY=passive OMP_DISPLAY_ENV=VERBOSE "$SRDIFF" info 2>&1 | grep GOMP_SPINCOUNT)
  [[ $told == *"'0'"* ]] || fail "the user's policy is lost: $told"
}

# An ordinary user cannot raise what ulimit -s has set.
case_small_stack() {
  pictures make in.png 12x10
  (ulimit -s 128 && upscales in.png out.png) || fail 'with a stack of 128 kB'
  mkdir in
  cp in.png in
  (ulimit -s 128 && upscales in out) || fail 'a folder with a stack of 128 kB'
}

# OpenBLAS raises SIGINT where it gets no thread.
case_no_threads() {
  command -v setpriv prlimit >/dev/null || skip 'needs setpriv and prlimit'
  [[ $(id -u) -eq 0 ]] || skip 'needs another user'
  local status=0
  setpriv --reuid 65534 --regid 65534 --clear-groups prlimit --nproc=1 "$SRDIFF" --help \
    >"$logs/stdout" 2>"$logs/stderr" || status=$?
  [[ $status -eq 0 ]] || fail "status $status"
}

# OpenBLAS waits for ever where it gets no buffer of 128 MiB. The range in which it did moves with the
# libraries.
case_little_address_space() {
  needs_bundled_model
  command -v prlimit >/dev/null || skip 'needs prlimit'
  pictures make in.png 40x40
  local mib status
  for mib in 700 900 950 1000; do
    status=0
    timeout -k 5 60 prlimit --as=$((mib << 20)) "$SRDIFF" upscale --model photos-x4 --t 1 --nfe 1 \
      --threads 1 --overwrite --quiet in.png out.png >"$logs/stdout" 2>"$logs/stderr" || status=$?
    [[ $status -eq 0 || ($status -eq 1 || $status -eq 4) && $(wc -l <"$logs/stderr") -eq 1 ]] ||
      fail "$mib MiB: status $status"
  done
}

case_alone() {
  copy_program
  rm program/srdiff-tool.*
  refuses 4 "$PWD/program: holds the program without its other half, srdiff-tool.so; copy both" \
    --help
}

# LibTorch takes half a second to start.
case_version_without_the_tool() {
  run --version
  local version
  version=$(<"$logs/stdout")
  copy_program
  rm program/srdiff-tool.*
  succeeds --version
  [[ $(<"$logs/stdout") == "$version" && ! -s $logs/stderr ]] || fail "$(cat "$logs/stdout")"
}

case_version_that_cannot_be_written() {
  local status=0
  "$SRDIFF" --version >/dev/full 2>"$logs/stderr" || status=$?
  [[ $status -eq 1 ]] || fail "status $status"
  said 'standard output'
}

case_by_a_link() {
  copy_program
  ln -s "$PWD/program/srdiff" link
  SRDIFF=$PWD/link
  makes_the_same
}

case_another_tool() {
  copy_program
  cp "$(ldd "$SRDIFF" | awk '/libcrypto/ { print $3 }')" program/srdiff-tool.so
  refuses 4 "srdiff-tool.so: is not srdiff's" --help
}

case_without_a_list() {
  copy_program
  rm program/srdiff-tool.libraries
  makes_the_same
}

# As after an upgrade of the system: other names, and one that is no library.
case_stale_list() {
  copy_program
  printf '%s\n' /missing/lib.so "$PWD/in.png" '' relative.so >program/srdiff-tool.libraries
  makes_the_same
}

case_other_libraries_asked_for() {
  copy_program
  export LD_LIBRARY_PATH=$PWD
  makes_the_same
}

# What a model's file holds counts, not what it was called.
case_damaged_model() {
  pictures make in.png 12x10
  "$MAKE_TEST_MODEL" models/tiny --damage denoiser
  export SRDIFF_MODELS=$PWD/models
  refuses 4 'denoiser.pt: damaged' upscale in.png out.png --model tiny
  refuses 4 'denoiser.pt: damaged' upscale in.png out.png --model=tiny
  refuses 4 'denoiser.pt: damaged' upscale in.png out.png --model models/tiny
}

case_models_folder_that_is_none() {
  pictures make in.png 12x10
  refuses 4 "there is no model 'none'" upscale in.png out.png --model none
  refuses 4 'is no model folder' upscale in.png out.png --model "$PWD/none"
  refuses 4 "name is empty" upscale in.png out.png --model ''
}

case_limits_of_opencv() {
  copy_program
  OPENCV_IO_MAX_IMAGE_PIXELS=10 makes_the_same
  OPENCV_IO_MAX_IMAGE_PIXELS=abc OPENCV_IO_MAX_IMAGE_WIDTH=none makes_the_same
}

case_one_core() {
  command -v taskset >/dev/null || skip 'no taskset'
  copy_program
  status=0
  taskset -c 0 "$SRDIFF" upscale --model tiny in.png out.png 2>"$logs/stderr" || status=$?
  [[ $status -eq 0 ]] || fail "on one core it ended with $status"
  same_bytes out.png expected.png
}

run_case "$1"

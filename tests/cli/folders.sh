#!/usr/bin/env bash
# folders.sh CASE: a folder of pictures into another: what is taken, what is refused, what a failure,
# an interruption or a kill leaves behind.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Two evaluations: the pictures are not looked at here, their bytes are.
folder_options=(--model tiny --nfe 2 --threads 1)

folder() { succeeds upscale "${folder_options[@]}" "$@"; }

refuses_folder() {
  local status_and_text=("$1" "$2")
  shift 2
  refuses "${status_and_text[@]}" upscale "${folder_options[@]}" "$@"
}

# Every file below a folder with its hash, hidden ones too.
hashes() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum); }

# The pictures only.
picture_hashes() { hashes "$1" | grep -v '\.srdiff\.journal' || true; }

same_folder() {
  diff <(hashes "$1") <(hashes "$2") >"$logs/difference" ||
    fail "$1 and $2 differ: $(head -5 "$logs/difference")"
}

# report EXPRESSION: of the lines of report.jsonl, `lines`.
report() {
  "$PYTHON" -c 'import json, sys
lines = [json.loads(line) for line in open("report.jsonl", encoding="utf-8")]
print(eval(sys.argv[1]))' "$1"
}

report_is() {
  local found
  found=$(report "$1")
  [[ $found == "$2" ]] || fail "$1 is '$found', not '$2'"
}

# --- what is taken, and where it goes

case_tree() {
  pictures many in 4
  mkdir -p in/below/deeper in/.hidden
  cp in/0.png in/below/b.jpg
  cp in/1.png in/below/deeper/c.png
  cp in/1.png in/.hidden/d.png
  echo 'a note' >in/note.txt
  folder in flat --json
  [[ $(ls flat) == $'0.png\n1.png\n2.png\n3.png' ]] || fail "flat: $(ls flat)"
  grep -q '"compute_busy": ' "$logs/stdout" || fail 'no compute_busy'
  folder in made/for/this --recursive
  [[ $(cd made/for/this && find . -type f -not -name '.srdiff*' | sort | tr '\n' ' ') == \
    './0.png ./1.png ./2.png ./3.png ./below/b.jpg ./below/deeper/c.png ' ]] || fail "$(find made)"
  is made/for/this/below/b.jpg 'jpeg 16x16 rgb 8'
  no_temporary_files
  folder in/2.png alone.png
  same_bytes alone.png flat/2.png
  echo old >alone.png
  folder in/2.png alone.png --overwrite
  same_bytes alone.png flat/2.png
}

case_names_and_formats() {
  pictures many in 2
  cp in/0.png in/raw
  folder in out --format jpg --suffix _x2 --exclude '1*' --quality 40 --strip-metadata
  [[ $(ls out) == 0_x2.jpg ]] || fail "$(ls out)"
  folder in/0.png whole.jpg
  (($(wc -c <out/0_x2.jpg) < $(wc -c <whole.jpg))) || fail '--quality does nothing'
  folder in globbed --glob r* --glob '0*'
  [[ $(ls globbed) == $'0.png\nraw.png' ]] || fail "$(ls globbed)"
}

case_files_from() {
  pictures many in 3
  mkdir in/sub
  mv in/2.png $'in/sub/2\n.png'
  printf '0.png\n./1.png\n0.png\n' >list
  folder --files-from list in out
  [[ $(ls out) == $'0.png\n1.png' ]] || fail "$(ls out)"
  (cd in && find . -name '*.png' -print0) >list
  status=0
  "$SRDIFF" upscale "${folder_options[@]}" --files-from - -0 in all <list 2>"$logs/stderr" || status=$?
  [[ $status -eq 0 && -e $'all/sub/2\n.png' ]] || fail "a list on standard input: $status"
  printf '../0.png\n' >list
  refuses_folder 2 '../0.png: does not lie in the input folder' --files-from list in other
}

case_many_pictures() {
  pictures many in 3
  mkdir elsewhere
  mv in/2.png elsewhere
  folder in/0.png in/1.png elsewhere/2.png out
  [[ $(ls out) == $'0.png\n1.png\n2.png' ]] || fail "$(ls out)"
  folder in/0.png alone.png
  same_bytes out/0.png alone.png
  folder in/0.png in/1.png elsewhere/2.png out --resume
  said '3 skipped'
  folder in/0.png in/1.png jpeg --format jpg --suffix _x2
  [[ $(ls jpeg) == $'0_x2.jpg\n1_x2.jpg' ]] || fail "$(ls jpeg)"
  refuses_folder 2 '2.png: names a picture; of several pictures the last word' \
    in/0.png in/1.png elsewhere/2.png
  refuses_folder 2 '--recursive looks into a folder' in/0.png in/1.png other -r
  refuses_folder 2 "in: is not a picture's file" in/0.png in other
  refuses_folder 1 'absent.png: no such file' in/0.png absent.png other
  cp in/0.png elsewhere
  refuses_folder 2 'both would become 0.png' in/0.png elsewhere/0.png other
}

case_one_picture_into_a_folder() {
  pictures many in 1
  mkdir out
  folder in/0.png out
  folder in/0.png out/ --format jpg
  [[ $(ls out) == $'0.jpg\n0.png' ]] || fail "$(ls out)"
  refuses_folder 2 'in/0.png: is the input itself' in/0.png in
}

# A read error of the list is not its end.
case_a_list_that_cannot_be_read() {
  pictures many in 1
  local from
  for from in folder closed; do
    status=0
    if [[ $from == folder ]]; then
      "$SRDIFF" upscale "${folder_options[@]}" --files-from - in out <in 2>"$logs/stderr" || status=$?
    else
      "$SRDIFF" upscale "${folder_options[@]}" --files-from - in out <&- 2>"$logs/stderr" || status=$?
    fi
    [[ $status -eq 1 && ! -e out ]] || fail "a list from a $from stream ended with $status"
    said 'standard input: cannot be read'
  done
  refuses_folder 1 'in: cannot be read: Is a directory' in out --files-from in
}

# As an ordinary user: a folder that can be listed but not entered.
case_a_folder_that_cannot_be_entered() {
  [[ $(id -u) -eq 0 ]] || skip 'only root can run as another user'
  local other=(setpriv --reuid 65534 --regid 65534 --clear-groups)
  "${other[@]}" test -x "$SRDIFF" -a -r "$TINY_MODELS/tiny/manifest.json" -a -r . ||
    skip 'another user cannot read what is built here'
  pictures many in 1
  mkdir -p in/p/sub in/q
  cp in/0.png in/p/sub
  cp in/0.png in/q/b.png
  chmod 744 in/p in/q
  mkdir -m 777 out
  status=0
  "${other[@]}" "$SRDIFF" upscale "${folder_options[@]}" -r in out 2>"$logs/stderr" || status=$?
  [[ $status -eq 1 ]] || fail "it ended with $status"
  said 'in/p/sub: cannot be listed: Permission denied'
  said 'in/q/b.png: cannot be read: Permission denied'
}

case_files_that_are_left_out_are_counted() {
  pictures many in 1
  touch in/a.svg in/b.raw
  folder in out
  said '2 files were left out, whose names do not end as pictures'
}

case_a_bar_on_a_terminal() {
  pictures many in 3
  "$PYTHON" -c 'import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))' \
    "$SRDIFF" upscale "${folder_options[@]}" in out </dev/null >"$logs/terminal" || fail 'no success'
  grep -Eq '/3 pictures, [0-9]+ s left: [0-9a-z]+\.png' "$logs/terminal" ||
    fail "no bar: $(cat "$logs/terminal")"
}

case_an_empty_folder_is_no_failure() {
  mkdir in
  folder in out
  said 'in: has no picture to upscale; --recursive looks into folders'
  folder in out --recursive
  said 'in: has no picture to upscale; --glob'
}

# Where one of two parts has the only picture, the other says so, and asks for no other option.
case_an_empty_part_is_no_failure() {
  pictures many in 1
  local part empty=0
  for part in 1/2 2/2; do
    folder in out --shard "$part"
    if grep -q "in: part $part has none of its 1 picture\$" "$logs/stderr"; then
      empty=$((empty + 1))
    fi
  done
  [[ $empty -eq 1 ]] || fail "$empty parts are empty"
}

# --- what is refused before any work

case_collision() {
  pictures many in 1
  cp in/0.png in/0.jpg
  refuses_folder 2 '0.jpg and 0.png: both would become 0.webp' in out --format webp
}

# A link stands for what such a file system does: the journal is found by its name in capitals.
case_a_file_system_without_case() {
  mkdir in out
  pictures make in/b.png 8x8
  pictures make in/B.png 10x8
  folder in elsewhere
  said '2 of 2 pictures done'
  ln -s .srdiff.journal out/.SRDIFF.JOURNAL
  run upscale "${folder_options[@]}" in out
  [[ $status -eq 2 ]] || fail "it ended with $status"
  said 'B.png and b.png: would become one file in out, which does not tell capital letters from small'
  [[ -z $(find out -name '*.png') ]] || fail 'a picture was written'
  rm in/B.png
  folder in out
}

case_existing_outputs() {
  pictures many in 5
  folder in out
  refuses_folder 2 '5 of 5 outputs exist already; --resume keeps' in out
  said 'out/0.png, out/1.png, out/2.png, ...'
  rm out/3.png
  folder in out --resume
  said '1 of 5 pictures done, 4 skipped'
  folder in out --overwrite
  said '5 of 5 pictures done'
  printf '[upscale]\noverwrite = true\n' >again.toml
  folder in out --config again.toml --resume # what is typed counts
  said '0 of 5 pictures done, 5 skipped'
  mkdir out/.srdiff.journal.old
  folder in out --resume
  said 'warning: out/.srdiff.journal.old: is a folder'
  said '0 of 5 pictures done, 5 skipped'
  rm -r out/.srdiff.journal*
  refuses_folder 2 'without a journal to resume by' in out --resume
}

case_wrong_usage() {
  pictures many in 1
  refuses_folder 2 'is the input folder itself' in in
  refuses_folder 2 'out.png: names a picture, but in is a folder' in out.png
  refuses_folder 2 'in: is a folder; standard output' in -
  refuses_folder 2 '--save-steps is for one picture' in out --save-steps steps
  refuses_folder 2 'in/0.png: is no folder, which --resume needs' in/0.png out.png --resume
  refuses_folder 2 'out.png: names its format' in/0.png out.png --format png
  refuses_folder 2 "format 'gif'" in out --format gif
  refuses_folder 2 "shard '3/2'" in out --shard 3/2
  refuses_folder 2 'quality' in out --quality 0
  refuses_folder 2 '--overwrite excludes --resume' in out --overwrite --resume
  refuses_folder 1 'absent: cannot be read' in out --files-from absent
  refuses 4 "no model 'absent'" upscale in out --model absent
  echo 'a file' >file
  refuses_folder 1 'file: cannot be written' in file
}

# --- what fails

case_one_bad_file() {
  pictures many in 4
  echo 'no picture' >in/1.png
  : >in/2.png
  run upscale "${folder_options[@]}" in out --report report.jsonl
  [[ $status -eq 1 ]] || fail "a folder with bad files ended with $status"
  [[ $(ls out) == $'0.png\n3.png' ]] || fail "$(ls out)"
  said 'in/1.png: is not a picture'
  said 'in/2.png: is empty'
  report_is 'sorted((line["input"], line["status"]) for line in lines)' \
    "[('in/0.png', 'done'), ('in/1.png', 'failed'), ('in/2.png', 'failed'), ('in/3.png', 'done')]"
  report_is 'sorted({key for line in lines for key in line})' \
    "['input', 'input_size', 'output', 'output_size', 'parameters', 'reason', 'seconds', 'seed', 'status']"
  report_is '[line["input_size"] for line in lines if line["status"] == "failed"]' '[None, None]'
  report_is '{line["parameters"]["settings"]["nfe"] for line in lines}' '{2}'
  cp in/0.png in/1.png
  cp in/0.png in/2.png
  folder in out --resume --report report.jsonl
  report_is 'sorted(line["status"] for line in lines)' "['done', 'done', 'skipped', 'skipped']"
}

case_fail_fast() {
  pictures many in 40
  echo 'no picture' >in/0.png
  run upscale "${folder_options[@]}" in out --fail-fast
  [[ $status -eq 1 ]] || fail "--fail-fast ended with $status"
  (($(find out -name '*.png' | wc -l) < 39)) || fail 'it went on'
  said 'to go on: '
}

# Where the system gives few threads a run makes do with them, or says what it lacks.
case_few_threads() {
  [[ $(id -u) -eq 0 ]] || skip 'only root can run as a user that has a limit'
  local other=(setpriv --reuid 65534 --regid 65534 --clear-groups) threads done_with=0 refused=0
  "${other[@]}" test -x "$SRDIFF" -a -r "$TINY_MODELS/tiny/manifest.json" -a -r . ||
    skip 'another user cannot read what is built here'
  pictures many in 4
  folder in all
  for threads in 3 4 5 6 7 8 10 16; do
    mkdir -m 777 few
    status=0
    "${other[@]}" prlimit --nproc="$threads" "$SRDIFF" upscale "${folder_options[@]}" in few \
      >"$logs/stdout" 2>"$logs/stderr" || status=$?
    if [[ $status -eq 0 ]]; then
      same_folder all few
      done_with=$threads
    elif [[ $status -eq 4 ]]; then
      said 'ulimit -u'
      [[ -z $(picture_hashes few) ]] || fail "pictures of a run that was refused: $(ls few)"
      refused=$threads
    else
      fail "$threads threads: it ended with $status"
    fi
    rm -r few
  done
  [[ $refused -gt 0 && $refused -lt $done_with ]] || fail "refused $refused, done with $done_with"
}

case_odd_names() {
  mkdir in
  pictures make in/0.png 8x8
  local long emoji=$'in/\xf0\x9f\x8e\xbb.png' bytes=$'in/\xff\xfe.png'
  long=in/$(printf 'x%.0s' {1..251}).png
  for name in 'in/a b.png' $'in/line\nend.png' "in/quo'te\".png" 'in/-r.png' 'in/$(x).png' \
    'in/back\slash.png' $'in/\x1b[31m.png' "$emoji" "$bytes" "$long"; do
    cp in/0.png "$name"
  done
  folder in out --report report.jsonl
  [[ -e ${bytes/in/out} && -e ${long/in/out} && -e ${emoji/in/out} ]] || fail "$(ls out)"
  diff <(cd in && find . -type f -print0 | sort -z) \
    <(cd out && find . -name '*.png' -print0 | sort -z) || fail 'names differ'
  while IFS= read -r name; do
    [[ -e $(printf '%b.' "$name" | sed '$s/\.$//') || $name == *$'\n' ]] || fail "report: $name"
  done < <(report '"\n".join(line["output"].replace("\n", "\\x0a") for line in lines)')
  folder in out --resume
  said ' 11 skipped'
  run upscale "${folder_options[@]}" in out2 --suffix _ # one byte more than a name may have
  [[ $status -eq 1 ]] || fail "a name that is too long ended with $status"
  said 'File name too long'
  echo 'no picture' >$'in/\x1b[31m.png'
  run upscale "${folder_options[@]}" in out3
  ! grep -q $'\x1b' "$logs/stderr" || fail 'a name reached the terminal as it is'
}

case_loops_and_pipes() {
  pictures many in 1
  ln -s .. in/up
  ln -s loop.png in/loop.png
  ln -s nowhere in/dangling.png
  mkfifo in/pipe.png
  run upscale "${folder_options[@]}" in out --recursive
  [[ $status -eq 1 ]] || fail "it ended with $status"
  [[ $(ls out) == 0.png ]] || fail "$(find out)"
  said 'in/loop.png: '
  said 'in/dangling.png: no such file'
  said 'in/pipe.png: is not a regular file'
}

# --- what a stop leaves behind

# clean_run COUNT [ARG...]: the folder `clean` as an uninterrupted run makes it.
clean_run() {
  pictures many in "$1"
  folder in clean "${@:2}"
}

lines_of_journal() {
  local lines=()
  [[ ! -e $1 ]] || mapfile -t lines <"$1"
  echo "${#lines[@]}"
}

# start_run OUT [ARG...]: in the background, as $tool.
start_run() {
  in_background upscale "${folder_options[@]}" in "$@" >"$logs/stdout" 2>"$logs/stderr"
}

# await_journal OUT COUNT: until so many lines are there, or the tool is gone.
await_journal() {
  while kill -0 "$tool" 2>/dev/null && (($(lines_of_journal "$1/.srdiff.journal") < $2)); do
    sleep 0.003
  done
}

case_interrupt() {
  folder_options=(--model tiny --nfe 100 --threads 1)
  clean_run 20
  start_run out
  await_journal out 4
  kill -INT "$tool"
  status=0
  wait "$tool" || status=$?
  [[ $status -eq 130 ]] || fail "an interrupted run ended with $status"
  no_temporary_files
  (($(find out -name '*.png' | wc -l) < 20)) || fail 'it was not interrupted'
  local command
  command=$(sed -n 's/^srdiff: interrupted; to go on: //p' "$logs/stderr")
  [[ $command == *' --resume' ]] || fail 'it does not say how to go on'
  eval "$command" 2>"$logs/stderr" || fail "$command"
  same_folder clean out
}

# What goes on must be one command whatever stands before and behind the options' end.
case_interrupt_with_odd_names() {
  folder_options=(--overwrite=true --model tiny --nfe 100 --threads 1)
  clean_run 20
  mv -- in -in
  in_background upscale "${folder_options[@]}" -- -in out >"$logs/stdout" 2>"$logs/stderr"
  await_journal out 4
  kill -INT "$tool"
  wait "$tool" || true
  local command
  command=$(sed -n 's/^srdiff: interrupted; to go on: //p' "$logs/stderr")
  [[ $command == *' --threads 1 --resume -- -in out' ]] || fail "to go on: $command"
  eval "$command" 2>"$logs/stderr" || fail "$command"
  same_folder clean out
}

# kills COUNT SEED: runs that are killed when a random number of pictures more are done, each going
# on where the last one ended.
kills() {
  local landed=0 tries=0 before
  RANDOM=$2
  while ((landed < $1 && ++tries < 3 * $1)); do
    before=$(lines_of_journal out/.srdiff.journal)
    start_run out --resume
    await_journal out $((before + RANDOM % 4))
    sleep "0.00$((RANDOM % 10))"
    kill -KILL "$tool" 2>/dev/null || true
    status=0
    wait "$tool" 2>/dev/null || status=$?
    if ((status == 137)); then
      ((++landed))
    else # it was done: give it work
      find out -name '*.png' | sort | shuf -n 30 --random-source=<(yes "$RANDOM") | xargs rm
    fi
  done
  ((landed == $1)) || fail "only $landed kills landed"
  echo "$landed kills, $tries runs"
}

case_kill() {
  folder_options=(--model tiny --nfe 60 --threads 1)
  clean_run 60
  kills "${SRDIFF_TEST_KILLS:-5}" 1
  folder in out --resume
  no_temporary_files
  same_folder clean out
}

# with_mounts CASE: the case again where it may mount, apart from the system's own mounts.
with_mounts() {
  local as=(unshare --mount)
  ((EUID == 0)) || as+=(--map-root-user)
  "${as[@]}" mount -t tmpfs none "$PWD" 2>/dev/null || skip 'mounting is not permitted here'
  cd ../../..
  MAY_MOUNT=1 exec "${as[@]}" bash "$here/folders.sh" "$1"
}

case_disk_full() {
  [[ -n ${MAY_MOUNT:-} ]] || with_mounts disk_full
  clean_run 40
  mkdir out
  mount -t tmpfs -o size=64k none out
  run upscale "${folder_options[@]}" in out
  [[ $status -eq 1 ]] || fail "a full disk ended with $status"
  said 'No space left on device; stopped'
  said 'to go on: '
  (($(wc -l <"$logs/stderr") <= 4)) || fail 'one line a picture'
  no_temporary_files
  [[ -n $(find out -name '*.png') ]] || fail 'nothing was written at all' # whichever writer was first
  [[ -z $(comm -13 <(picture_hashes clean | sort) <(picture_hashes out | sort)) ]] || fail 'a picture is not whole'
  mount -o remount,size=8m out
  folder in out --resume
  same_folder clean out
}

case_read_only_folder() {
  [[ -n ${MAY_MOUNT:-} ]] || with_mounts read_only_folder
  pictures many in 1
  mkdir out
  mount -t tmpfs -o ro none out
  refuses_folder 1 'out: cannot be written: Read-only file system' in out
  refuses_folder 1 'out/below: cannot be written: Read-only file system' in out/below
}

case_two_runs_at_once() {
  pictures many in 1
  folder in out
  flock out/.srdiff.journal true 2>/dev/null || skip 'no flock'
  status=0
  flock out/.srdiff.journal "$SRDIFF" upscale "${folder_options[@]}" in out --resume \
    2>"$logs/stderr" || status=$?
  [[ $status -eq 2 ]] || fail "a second run ended with $status"
  said 'out: another run is writing here'
}

# A single picture's run that was killed leaves its temporary file; the next one removes it.
case_temporary_file_of_a_single_run() {
  pictures many in 1
  mkdir out
  touch out/.srdiff-tmp-0123456789abcdef out/.srdiff-backup
  folder in/0.png out/a.png
  [[ ! -e out/.srdiff-tmp-0123456789abcdef && -e out/.srdiff-backup ]] || fail "$(ls -A out)"
}

# --- the report

# A report is written over what is there: never over what the run reads or makes.
case_report_over_a_file_of_the_run() {
  pictures many in 2
  cp in/0.png in/glob.bin
  folder in out
  printf '0.png\n1.png\n' >list
  ln -s in/glob.bin link
  local report
  for report in in/1.png in/absent.png other/0.png; do
    refuses_folder 2 "$report: names a picture" in other --report "$report"
  done
  refuses_folder 2 'link: is a file that the run' in other --glob '*.bin' --report link
  refuses_folder 2 'list: is a file that the run' in other --files-from list --report list
  refuses_folder 2 'out/.srdiff.journal: is a file that the run' in out --overwrite \
    --report out/.srdiff.journal
  folder in other --report list
}

case_report_over_what_the_run_loads() {
  pictures many in 1
  cp -r "$TINY_MODELS/tiny" model
  folder_options=(--model ./model --nfe 2 --threads 1)
  refuses_folder 2 'model/denoiser.pt: is a file that the run' in out --report model/denoiser.pt
  printf '[upscale]\nseed = 3\n' >run.toml
  refuses_folder 2 'run.toml: is a file that the run' in out --config run.toml --report run.toml
}

case_report_into_a_pipe() {
  pictures many in 2
  mkfifo pipe
  status=0
  timeout 60 "$SRDIFF" upscale "${folder_options[@]}" in out --report pipe 2>"$logs/stderr" ||
    status=$?
  [[ $status -eq 1 ]] || fail "a report into a pipe that nobody reads ended with $status"
  said 'pipe: cannot be written: nobody reads this pipe'
  cat pipe >report.jsonl &
  local reader=$!
  sleep 0.3 # until it has opened the pipe
  folder in read --report pipe
  wait "$reader"
  report_is 'len(lines)' 2
  "$SRDIFF" upscale "${folder_options[@]}" in shown --report /dev/stdout 2>"$logs/stderr" |
    cat >report.jsonl
  report_is 'len(lines)' 2
}

# --- shards

same_pictures() {
  [[ $(picture_hashes "$1") == "$(picture_hashes "$2")" ]] || fail "$1 and $2 differ"
}

case_shards() {
  clean_run 24 --report clean.jsonl
  local jobs=() part
  for part in 1 2 3; do
    "$SRDIFF" upscale "${folder_options[@]}" in out --shard "$part/3" --report "$part.jsonl" \
      2>"$logs/shard$part" &
    jobs+=("$!")
  done
  for part in "${jobs[@]}"; do
    wait "$part" || fail "a shard ended with $?"
  done
  same_pictures clean out
  succeeds report merge {1,2,3}.jsonl -o report.jsonl
  said '24 pictures: 24 done, 0 skipped as done before, 0 failed'
  report_is '[line["output"] for line in lines] == sorted({line["output"] for line in lines})' True
  folder in out --resume --report last.jsonl
  said '24 skipped'
  rm out/.srdiff.journal.*
  same_folder clean out
  succeeds report merge report.jsonl last.jsonl
  cmp -s "$logs/stdout" report.jsonl || fail 'what was done once is no longer done'
  refuses 1 'in/0.png:1: is no line of a report' report merge in/0.png
  succeeds report merge report.jsonl -o >(cat >through_a_pipe)
  cp report.jsonl before.jsonl
  (
    ulimit -f 1 # KiB
    run report merge report.jsonl -o report.jsonl
    [[ $status -eq 1 ]] || fail "a report that does not fit ended with $status"
  )
  said 'report.jsonl: cannot be written'
  same_bytes report.jsonl before.jsonl
}

case_shards_by_parallel() {
  command -v parallel >/dev/null || skip 'no GNU parallel'
  clean_run 8
  parallel --will-cite -j 2 "$SRDIFF" upscale "${folder_options[@]}" in out --shard '{}/4' \
    ::: 1 2 3 4 2>"$logs/stderr" || fail 'parallel'
  same_pictures clean out
}

run_case "$1"

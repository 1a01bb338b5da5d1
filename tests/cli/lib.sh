# shellcheck shell=bash
# What the command-line tests share. A test is a function that a script names by its first
# argument; it runs in an empty folder of its own. CMakeLists.txt sets SRDIFF, MAKE_TEST_MODEL,
# PYTHON, TINY_MODELS (a folder with the model `tiny`) and SOURCE_MODELS.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
skipped=77 # ctest's SKIP_RETURN_CODE

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  if [[ -n ${logs:-} ]]; then
    printf -- '--- standard error:\n' >&2
    cat "$logs/stderr" >&2 || true
  fi
  exit 1
}

skip() {
  printf 'skipped: %s\n' "$*"
  exit "$skipped"
}

pictures() { "$PYTHON" "$here/pictures.py" "$@"; }

# run ARG...: the tool; sets `status` and leaves $logs/stdout and $logs/stderr.
run() {
  status=0
  "$SRDIFF" "$@" >"$logs/stdout" 2>"$logs/stderr" || status=$?
}

# succeeds ARG...: run, and fail unless the status is 0.
succeeds() {
  run "$@"
  [[ $status -eq 0 ]] || fail "srdiff $* ended with $status"
}

# in_background ARG...: the tool, as `tool`; it takes SIGINT, which a script's shell has ignored by
# what it starts with &.
in_background() {
  "$PYTHON" -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])' "$SRDIFF" "$@" <&0 & # or it would read /dev/null
  tool=$!
}

# upscales ARG...: `srdiff upscale` with the tiny model, which must succeed.
upscales() { succeeds upscale --model tiny "$@"; }

# Every file and folder here with its time and content: equal before and after a run that must not
# write anything.
snapshot() {
  find . -printf '%p %y %s %T@\n' | sort
  find . -type f -exec sha256sum {} + | sort
}

# refuses STATUS TEXT ARG...: the tool ends with STATUS, says one line that holds TEXT, prints
# nothing else and leaves the folder as it was.
refuses() {
  local expected=$1 text=$2 before
  shift 2
  before=$(snapshot)
  run "$@"
  [[ $status -eq $expected ]] || fail "srdiff $* ended with $status, not $expected"
  [[ $(wc -l <"$logs/stderr") -eq 1 ]] || fail "srdiff $* said more or less than one line"
  grep -q '^srdiff: ' "$logs/stderr" || fail "the line does not start with 'srdiff: '"
  grep -qF -e "$text" "$logs/stderr" || fail "the line does not name '$text'"
  [[ ! -s $logs/stdout ]] || fail "srdiff $* printed on standard output"
  [[ $(snapshot) == "$before" ]] || fail "srdiff $* wrote or changed a file"
}

# refuses_upscale STATUS TEXT IN OUT ARG...: refuses, with and without a file in OUT's place that
# may be replaced.
refuses_upscale() {
  local status_and_text=("$1" "$2") output=$4
  shift 2
  refuses "${status_and_text[@]}" upscale --model tiny "$@"
  if [[ $output != - && ! -e $output && -d $(dirname "$output") ]]; then
    echo 'was here before' >"$output"
    refuses "${status_and_text[@]}" upscale --model tiny --overwrite "$@"
  fi
}

# said TEXT: the last run said it.
said() { grep -qF -e "$1" "$logs/stderr" || fail "it does not say '$1'"; }

same_bytes() { cmp -s "$1" "$2" || fail "$1 and $2 differ"; }
other_bytes() { ! cmp -s "$1" "$2" || fail "$1 and $2 are the same"; }

# is FILE TEXT: what `pictures describe` says of a file.
is() {
  local found
  found=$(pictures describe "$1")
  [[ $found == "$2" ]] || fail "$1 is '$found', not '$2'"
}

# json EXPRESSION: of the document on standard output, `d`, and its figures, `f`.
json() {
  "$PYTHON" -c 'import json, sys
d = json.load(open(sys.argv[1]))
f = d["figures"] if "figures" in d else None
print(eval(sys.argv[2]))' "$logs/stdout" "$1"
}

# holds EXPRESSION: of that document.
holds() { [[ $(json "$1") == True ]] || fail "$1: $(json d)"; }

# json_is EXPRESSION TEXT: of that document.
json_is() {
  local found
  found=$(json "$1")
  [[ $found == "$2" ]] || fail "$1 is '$found', not '$2'"
}

no_temporary_files() {
  [[ -z $(find . -name '.srdiff-*') ]] || fail 'a temporary file was left'
}

# in_source_tree NAME: somebody has fetched these features into the source tree, where a tool in its
# build folder finds them.
in_source_tree() { [[ -e $SOURCE_MODELS/../features/$1 ]]; }

# needs_bundled_model: for tests of the model that the source tree ships.
needs_bundled_model() {
  [[ -f $SOURCE_MODELS/faces-x8/manifest.json ]] || skip 'no models/faces-x8'
  export SRDIFF_MODELS=$SOURCE_MODELS
}

# run_case NAME: the function case_NAME in an empty folder scratch/SCRIPT.NAME.
run_case() {
  local work
  work=$PWD/scratch/$(basename "$0" .sh).$1
  rm -rf "$work"
  mkdir -p "$work/here" "$work/logs"
  logs=$work/logs
  export SRDIFF_MODELS=$TINY_MODELS
  export XDG_CACHE_HOME=$work/cache # not the user's
  cd "$work/here"
  declare -F "case_$1" >/dev/null || fail "there is no case $1 in $0"
  "case_$1"
}

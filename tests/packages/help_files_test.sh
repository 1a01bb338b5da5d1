#!/usr/bin/env bash
# The manual pages and completions that the program writes, in the shells that are installed.
# CMakeLists.txt sets SRDIFF.
#   help_files_test.sh manual|bash|zsh|fish
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
help=$scratch/help
commands=(upscale compare eval report 'report merge' sweep models 'models list' 'models info'
  'models verify' bench info)

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

mkdir -p "$scratch/bin" "$scratch/shell/folder" "$scratch/models/tiny"
ln -s "$SRDIFF" "$scratch/bin/srdiff"
export PATH=$scratch/bin:$PATH
srdiff --write-help-files "$help" >"$scratch/printed"
[[ ! -s $scratch/printed ]] || fail 'something is printed'
if srdiff --write-help-files /dev/null/none >/dev/null 2>&1; then
  fail 'success where nothing can be written'
fi
cd "$scratch/shell"
touch 'a b.png' c.JPG d.txt e.jpg

# A page a command, which names every option of --help-all and is sound markup.
case_manual() {
  local command page option
  for command in '' "${commands[@]}"; do
    page="$help/man1/srdiff${command:+-${command// /-}}.1"
    [[ -f $page ]] || fail "no page of $command"
    # shellcheck disable=SC2086  # the words of a command
    srdiff $command --help-all | sed -n 's/^  \(-[^ ]*\).*/\1/p' | tr , '\n' >"$scratch/options"
    [[ -s $scratch/options ]] || fail "$command has no options"
    while read -r option; do
      grep -q -F -- "\\fB${option//-/\\-}\\fR" "$page" || fail "$page does not name $option"
    done <"$scratch/options"
    if command -v groff >/dev/null; then
      groff -man -Tascii -ww -z "$page" 2>"$scratch/warnings"
      [[ ! -s $scratch/warnings ]] || fail "$page: $(cat "$scratch/warnings")"
    fi
  done
  [[ $(find "$help/man1" -name '*.1' | wc -l) == $((${#commands[@]} + 1)) ]] ||
    fail 'a command here has no page, or a page no command here'
}

# bash_offers WORD...: what bash offers for the last word, a line each, sorted
bash_offers() {
  local LC_ALL=C
  COMP_WORDS=(srdiff "$@") COMP_CWORD=$# COMPREPLY=()
  _srdiff
  ((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}" | sort
}
expect_offers() {
  local expected=$1
  shift
  [[ $(bash_offers "$@" | paste -sd '|') == "$expected" ]] ||
    fail "srdiff $*: $(bash_offers "$@" | paste -sd '|') and not $expected"
}
bash_values() {
  local command formats
  expect_offers 'ddim|ddpm|dpmpp' upscale --sampler ''
  expect_offers 'ddim|ddpm' eval --sampler dd
  expect_offers 'noise|predicted|sr' upscale --start ''
  expect_offers 'logsnr|quadratic|uniform' upscale --grid ''
  expect_offers 'consistency|neutral|none' upscale --color-fix ''
  # What is written depends on the libraries that are there.
  ! srdiff upscale . out --format no 2>"$scratch/refusal" || fail 'a format of that name'
  formats=$(sed 's/.*; give //; s/, \| or /\n/g' "$scratch/refusal" | LC_ALL=C sort | paste -sd '|')
  expect_offers "$formats" upscale --format ''
  [[ $formats == *jpg* && $formats != *heic* ]] || fail "the formats $formats"
  for command in upscale eval sweep bench; do
    expect_offers 'auto|bf16|fp16|fp32' "$command" --precision ''
    expect_offers 'auto|cpu|cuda' "$command" --device ''
  done
  expect_offers 'auto' upscale --tile ''
  expect_offers 'consistency|fid|kid|lpips|ms-ssim|niqe|prdc|psnr|psnr-y|sharpness|ssim|ssim-y' eval --metrics ''
  expect_offers 'fid,psnr|fid,psnr-y' eval --metrics fid,ps
  expect_offers 'ddim|ddpm|dpmpp' upscale --sampler =
  expect_offers 'dpmpp' upscale --sampler = dp
  expect_offers '' upscale --sampler x
  expect_offers 'd.txt' upscale --report = d
}
case_bash() {
  # shellcheck disable=SC1091  # written above
  source "$help/completions/srdiff"
  expect_offers 'upscale' up
  expect_offers 'verify' models ver
  expect_offers '--model' upscale --mode
  expect_offers '--version' --vers
  expect_offers '' models --overwrite
  LC_ALL=C expect_offers 'a b.png|c.JPG|e.jpg|folder' upscale ''
  LC_ALL=C expect_offers 'e.jpg' upscale 'a b.png' e
  LC_ALL=C expect_offers 'e.jpg' upscale --overwrite e
  expect_offers 'd.txt' upscale --report d
  expect_offers '' upscale --nfe d
  bash_values
  _srdiff_models_of_test=$(srdiff models list 2>/dev/null | sed -n '1s/ .*//p')
  [[ -z $_srdiff_models_of_test ]] ||
    expect_offers "$_srdiff_models_of_test" upscale --model "$_srdiff_models_of_test"
}

# zsh_completes LINE WORD: a key at the end of LINE makes WORD of it
zsh_completes() {
  grep -q -- "$2" <<<"$(zsh -f "$scratch/ask.zsh" "$help/completions" "$1")" ||
    fail "$1 is not completed to $2"
}
case_zsh() {
  command -v zsh >/dev/null || exit 77
  zsh -n "$help/completions/_srdiff" || fail 'not sound'
  # A terminal of zsh's own, which is asked for completions as a person does.
  cat >"$scratch/ask.zsh" <<'END'
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PROMPT=; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -D; stty -echo"
zpty -w z $'bindkey "^X" list-choices; bindkey "^I" complete-word; print -- rea""dy'
zpty -r -m z line '*ready*'
zpty -w -n z "$2"$'\t'
sleep 2
zpty -w -n z $'\x15'"print -- do''ne"$'\n'
zpty -r -m z line '*done*'
print -r -- "$line"
END
  zsh_completes 'srdiff ups' upscale
  zsh_completes 'srdiff upscale --sampler dp' dpmpp
  zsh_completes 'srdiff upscale --format t' tiff
  zsh_completes 'srdiff bench --device cu' cuda
  zsh_completes 'srdiff eval --metrics fid,cons' fid,consistency
}

fish_offers() { fish --no-config -c "source '$help/completions/srdiff.fish'; complete -C '$1'"; }
fish_shows() {
  [[ $(fish_offers "$2" | cut -f 1 | LC_ALL=C sort | paste -sd '|') == "$1" ]] ||
    fail "$2: $(fish_offers "$2") and not $1"
}
case_fish() {
  command -v fish >/dev/null || exit 77
  fish --no-config -n "$help/completions/srdiff.fish" || fail 'not sound'
  fish_offers 'srdiff up' | grep -q '^upscale' || fail 'up is not completed to upscale'
  fish_offers 'srdiff models ver' | grep -q '^verify' || fail 'ver is not completed to verify'
  fish_offers 'srdiff upscale --mod' | grep -q '^--model' || fail '--mod is not completed'
  ! fish_offers 'srdiff models --over' | grep -q . || fail 'models is offered --overwrite'
  fish_shows 'ddim|ddpm|dpmpp' 'srdiff upscale --sampler '
  fish_shows 'dpmpp' 'srdiff upscale --sampler dp'
  fish_shows 'tiff' 'srdiff upscale --format t'
  fish_shows 'auto|cpu|cuda' 'srdiff bench --device '
  fish_shows 'fid,psnr|fid,psnr-y' 'srdiff eval --metrics fid,ps'
  fish_shows '--metrics=fid,kid' 'srdiff eval --metrics=fid,ki'
  fish_offers 'srdiff upscale e' | grep -q '^e.jpg' || fail 'a picture is not offered'
}

"case_$1"

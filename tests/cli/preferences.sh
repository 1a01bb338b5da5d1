#!/usr/bin/env bash
# preferences.sh CASE: what a configuration file asks for and a run has no use for.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# Every option for folders but --overwrite, which one picture has too, and the format.
folder_options_file() {
  cat >"$1" <<'TOML'
[upscale]
recursive = true
resume = true
report = "report.jsonl"
html = "page.html"
glob = "*.jpg"
exclude = "in*"
null = true
suffix = "-large"
fail-fast = true
shard = "2/2"
format = "webp"
TOML
}

case_one_picture() {
  pictures make in.png 12x10
  upscales in.png plain.png
  folder_options_file folders.toml
  upscales in.png out.png --config folders.toml
  same_bytes out.png plain.png
  [[ ! -e report.jsonl && ! -e page.html ]] || fail 'a report of one picture'
  printf '[upscale]\nfiles-from = "absent"\n' >list.toml
  upscales in.png out.png --config list.toml
  mkdir folder
  upscales in.png folder --config folders.toml
  [[ $(ls folder) == in.webp ]] || fail "$(ls folder)"
  "$SRDIFF" upscale --model tiny in.png - --config folders.toml >out.webp 2>"$logs/stderr" ||
    fail 'a stream'
  same_bytes out.webp folder/in.webp
}

case_one_picture_typed() {
  pictures make in.png 12x10
  folder_options_file folders.toml
  local option
  for option in --recursive -r --resume --fail-fast -0 --glob='*' --suffix=-x --shard=1/1; do
    refuses 2 'in.png: is no folder, which --' \
      upscale --model tiny in.png out.png --config folders.toml "$option"
  done
  refuses 2 'out.png: names its format by its ending' \
    upscale --model tiny in.png out.png --config folders.toml --format webp
  refuses 2 'in.png: is no folder, which --report needs' \
    upscale --model tiny --report r.jsonl in.png out.png --config folders.toml
}

case_named_pictures() {
  pictures many in 3
  folder_options_file folders.toml
  sed -i '/resume/d; s/^shard.*/shard = "1\/1"/' folders.toml
  upscales in/0.png in/1.png out --config folders.toml
  [[ $(ls out) == $'0-large.webp\n1-large.webp' ]] || fail "$(ls out)"
  printf '[upscale]\nfiles-from = "absent"\n' >list.toml
  upscales in/0.png in/1.png other --config list.toml
  refuses 2 '--recursive looks into a folder' \
    upscale --model tiny in/0.png in/1.png out --config folders.toml -r
}

case_folders() {
  pictures many in 2
  printf '[upscale]\nvariants = 2\nsave-steps = "steps"\nsave-weight-map = "w.png"\n' >one.toml
  upscales in out --config one.toml
  said 'one.toml: variants does not fit here and is left out'
  said 'one.toml: save-steps does not fit here and is left out'
  said 'one.toml: save-weight-map does not fit here and is left out'
  [[ $(ls out) == $'0.png\n1.png' && ! -e steps && ! -e w.png ]] || fail "$(ls . out)"
  upscales in/0.png in/1.png other --config one.toml
  refuses 2 '--variants is for one picture' upscale --model tiny in new --config one.toml --variants 2
  printf '[upscale]\nvariants = 2\n' >two.toml
  "$SRDIFF" upscale --model tiny in/0.png - --config two.toml >out.png 2>"$logs/stderr" ||
    fail 'a stream'
  same_bytes out.png out/0.png
}

case_lists_and_patterns() {
  pictures many in 3
  printf '0.png\n' >list
  printf '[upscale]\nglob = "1*"\nexclude = "0*"\n' >patterns.toml
  printf '[upscale]\nfiles-from = "list"\n' >list.toml
  upscales in listed --config patterns.toml --files-from list
  [[ $(ls listed) == 0.png ]] || fail "$(ls listed)"
  upscales in found --config list.toml --glob '2*'
  [[ $(ls found) == 2.png ]] || fail "$(ls found)"
  upscales in rest --config list.toml --exclude '2*'
  [[ $(ls rest) == $'0.png\n1.png' ]] || fail "$(ls rest)"
  refuses 2 '--files-from excludes --glob' \
    upscale --model tiny in out --files-from list --glob '2*'
  refuses 2 '--files-from excludes --exclude' \
    upscale --model tiny in out --files-from list --exclude '2*'
  printf '[upscale]\nfiles-from = "list"\nglob = "1*"\n' >both.toml
  refuses 2 '--files-from excludes --glob' upscale --model tiny in out --config both.toml
  refuses 2 '--null requires --files-from' upscale --model tiny in out -0
}

run_case "$1"

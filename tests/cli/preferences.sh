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

# truth/ and out/: two pictures of 24x24 that differ.
eval_folders() {
  mkdir truth out
  local i
  for i in 0 1; do
    pictures make "truth/$i.png" 24x24
    upscales --seed "$i" "truth/$i.png" "large$i.png"
    "$PYTHON" -c 'import sys; from PIL import Image; Image.open(sys.argv[1]).resize((24, 24)).save(sys.argv[2])' "large$i.png" "out/$i.png"
  done
}

case_eval_of_pictures() {
  eval_folders
  succeeds eval --reference truth --output out
  cp "$logs/stdout" plain
  printf '[eval]\nmodel = "tiny"\nsave = "kept"\nreference-stats = "s.npz"\ngolden = "g.json"\nupdate-golden = true\n' >any.toml
  succeeds eval --reference truth --output out --config any.toml
  same_bytes "$logs/stdout" plain
  said 'any.toml: save does not fit here and is left out'
  said 'any.toml: reference-stats does not fit here and is left out'
  said 'any.toml: golden does not fit here and is left out'
  [[ ! -e kept && ! -e s.npz ]] || fail 'something was made'
  refuses 2 'leave it out with --output' \
    eval --reference truth --output out --save kept --quiet --config any.toml
  refuses 2 'name either --output' \
    eval --reference truth --output out --model tiny --quiet --config any.toml
  printf '[eval]\nmodel = "tiny"\noutput = "out"\n' >both.toml
  refuses 2 'name either --output' eval --reference truth --config both.toml
}

case_eval_of_a_model() {
  eval_folders
  succeeds eval --reference truth --model tiny --metrics psnr
  cp "$logs/stdout" plain
  printf '[eval]\noutput = "out"\nscale = 2\nhtml = "page.html"\nupdate-golden = true\n' >any.toml
  succeeds eval --reference truth --model tiny --metrics psnr --config any.toml
  same_bytes "$logs/stdout" plain
  said 'any.toml: html does not fit here and is left out'
  [[ ! -e page.html ]] || fail 'a page'
  refuses 2 'a model has its own' \
    eval --reference truth --model tiny --metrics psnr --scale 2 --quiet --config any.toml
  refuses 2 '--html shows the pictures that --save keeps' \
    eval --reference truth --model tiny --metrics psnr --html page.html --quiet --config any.toml
  succeeds eval --reference truth --model tiny --metrics psnr --save kept --config any.toml
  [[ -s page.html ]] || fail 'no page'
}

case_eval_of_sets() {
  eval_folders
  export SRDIFF_FEATURES=$TINY_MODELS/features
  local sets=(--reference truth --output out --metrics fid --features tiny-features)
  printf '[eval]\npatch = 12\n' >patch.toml
  succeeds eval "${sets[@]}" --reference-stats s.npz --config patch.toml
  said 'patch.toml: patch does not fit here and is left out'
  printf '[eval]\nreference-stats = "t.npz"\nhtml = "page.html"\n' >stats.toml
  succeeds eval "${sets[@]}" --patch 12 --config stats.toml
  said 'stats.toml: reference-stats does not fit here and is left out'
  said 'stats.toml: html does not fit here and is left out'
  [[ ! -e t.npz && ! -e page.html ]] || fail 'something was made'
  refuses 2 '--reference-stats holds whole pictures' \
    eval "${sets[@]}" --patch 12 --reference-stats u.npz --quiet --config stats.toml
}

# A golden file's setting goes before a configuration's, what is typed before both.
case_eval_of_a_golden_file() {
  eval_folders
  cat >golden.json <<'END'
{"format": 1, "setting": {"reference": "truth", "model": "tiny", "metrics": "psnr", "sampler": "ddim"},
 "stages": {"images": 1}}
END
  succeeds eval --golden golden.json --update-golden
  printf '[eval]\noutput = "out"\nscale = 2\nmetrics = "ssim"\nmodel = "none"\nseed = 9\nsampler = "ddpm"\nno-weight-map = true\npatch = 4\n' >any.toml
  succeeds eval --golden golden.json --config any.toml
  cp golden.json before.json
  succeeds eval --golden golden.json --update-golden --config any.toml
  same_bytes golden.json before.json
  run eval --golden golden.json --seed 9 --config any.toml
  [[ $status -eq 3 ]] || fail "another seed ended with $status"
  refuses 2 'leave --output out' eval --golden golden.json --output out --quiet --config any.toml
}

case_compare() {
  pictures make a.png 12x10
  pictures make b.png 12x10
  printf '[compare]\ndiff-image = "b.png"\n' >any.toml
  succeeds compare a.png b.png --config any.toml
  said 'any.toml: diff-image does not fit here and is left out'
  cp b.png c.png
  succeeds compare a.png c.png --config any.toml
  other_bytes b.png c.png
  refuses 4 'b.png: is one of the pictures' compare a.png b.png --diff-image b.png --config any.toml
}

run_case "$1"

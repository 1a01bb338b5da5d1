#!/usr/bin/env bash
# eval.sh CASE: figures of pictures against references.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export SRDIFF_FEATURES=$TINY_MODELS/features

# references FOLDER COUNT [SIDE]: pictures 00.png, 01.png, … that differ.
references() {
  mkdir -p "$1"
  "$PYTHON" - "$@" <<'END'
import random, sys
from PIL import Image
folder, count, side = sys.argv[1], int(sys.argv[2]), int((sys.argv + ["24"])[3])
for i in range(count):
    random.seed(i)
    small = Image.frombytes("RGB", (6, 6), bytes(random.randrange(256) for _ in range(108)))
    small.resize((side, side), Image.BICUBIC).save(f"{folder}/{i:02}.png")
END
}

figures() { json '[(k, f[k]["value"]) for k in sorted(f)]'; }

measures() { succeeds eval --json "$@"; }

case_equal_folders() {
  references a 8
  cp -r a b
  measures --reference a --output b --features tiny-features
  holds 'd["images"] == d["references"] == 8'
  holds '0 <= f["fid"]["value"] <= 1e-4'
  holds 'f["fid"]["name"] == "FD (tiny-features)"'
  holds '"8 samples are fewer than 16 features" in f["fid"]["note"]'
  holds 'f["recall"]["value"] == f["precision"]["value"] == f["coverage"]["value"] == 1'
  holds 'f["psnr"]["value"] is None and f["ssim"]["value"] == 1'
  holds '"below 161 pixels" in f["ms-ssim"]["note"]'
}

case_a_picture_is_measured_as_by_compare() {
  references a 1
  mkdir b
  upscales --seed 1 a/00.png x.png
  "$PYTHON" -c 'from PIL import Image; Image.open("x.png").resize((24, 24)).save("b/00.png")'
  run compare --json a/00.png b/00.png
  json 'd["psnr"]' >psnr
  measures --reference a --output b --csv figures.csv
  holds 'abs(f["psnr"]["value"] - float(open("psnr").read())) < 1e-9'
  holds 'list(f) == ["psnr", "ssim", "ms-ssim"]'
  [[ $(head -1 figures.csv) == image,psnr,ssim,ms-ssim ]] || fail 'another head of the CSV'
  holds 'abs(float(open("figures.csv").readlines()[1].split(",")[1]) - f["psnr"]["value"]) < 1e-6'
}

case_a_model_is_measured_as_its_saved_outputs() {
  references a 7
  measures --reference a --model tiny --features tiny-features --seed 3 --save out
  local by_model
  by_model=$(figures)
  holds 'd["settings"]["seed"] == 3 and d["seconds"]["upscaling"] > 0'
  [[ $(ls out) == "$(ls a)" ]] || fail 'other pictures were saved'
  measures --reference a --output out --features tiny-features --scale 2
  [[ $(figures) == "$by_model" ]] || fail "$(figures) where the model had $by_model"
}

case_the_model_sees_pillows_reduction() {
  references a 1 32
  measures --reference a --model tiny --save out --metrics psnr
  "$PYTHON" -c 'from PIL import Image; Image.open("a/00.png").resize((16, 16), Image.BICUBIC).save("small.png")'
  upscales small.png by-hand.png
  pictures same out/00.png by-hand.png 40
}

case_metrics_are_those_asked_for() {
  references a 3
  cp -r a b
  measures --reference a --output b --metrics ssim,psnr
  holds 'list(f) == ["ssim", "psnr"]'
  succeeds eval --reference a --output b --metrics ssim
  [[ $(<"$logs/stdout") == $'3 images\nSSIM  1 +- 0' ]] || fail "the table is $(<"$logs/stdout")"
  references one 1
  succeeds eval --reference one --output one --metrics ssim
  [[ $(<"$logs/stdout") == $'1 image\n'* ]] || fail "the table is $(<"$logs/stdout")"
  refuses 2 "'crispness' is not known" eval --reference a --output b --metrics ssim,crispness
  refuses 2 'name one by --features' eval --reference a --output b --metrics fid
  refuses 4 "no feature network 'nonesuch'" eval --reference a --output b --features nonesuch
}

case_limit_takes_the_first_by_name() {
  references a 5
  measures --reference a --model tiny --metrics psnr --limit 2 --csv figures.csv
  [[ $(cut -d, -f1 figures.csv | xargs) == 'image 00 01' ]] || fail "$(<figures.csv)"
  refuses 2 'limit = 0' eval --reference a --model tiny --limit 0
}

case_folders_that_do_not_pair() {
  references a 4
  cp -r a b
  mv b/03.png b/other.png
  refuses 1 'b: has no picture for 03 of a; has other without a reference' \
    eval --reference a --output b
  rm b/other.png
  refuses 1 'b: has no picture for 03 of a' eval --reference a --output b
  measures --reference a --output b --metrics fid --features tiny-features
  grep -q 'warning: b: has no picture for 03' "$logs/stderr" || fail 'not warned'
  holds '(d["images"], d["references"]) == (3, 4)'
  references c 4 20
  refuses 1 'c/00.png: is 20x20 where a/00.png is 24x24' eval --reference a --output c
}

case_pictures_that_cannot_be_used() {
  references a 2
  mkdir empty
  refuses 1 'empty: holds no pictures' eval --reference empty --model tiny
  refuses 1 'nonesuch: cannot be read' eval --reference nonesuch --model tiny
  refuses 1 'a/00.png: 24x24 pixels cannot be reduced evenly' \
    eval --reference a --output a --scale 7
  echo 'no picture' >a/01.png
  refuses 1 'a/01.png: ' eval --reference a --output a
  cp a/00.png a/01.webp
  refuses 1 'has the name of' eval --reference a --output a
}

case_niqe_needs_no_reference() {
  mkdir out
  pictures make out/a.png 200x300
  pictures make out/b.png 20x30
  in_source_tree niqe || SRDIFF_FEATURES=$PWD/none refuses 4 \
    'niqe needs its parameters, niqe/niqe.npz among the feature networks' eval --output out --metrics niqe
  mkdir -p features/niqe
  "$PYTHON" -c 'import numpy as np
np.savez("features/niqe/niqe.npz", mu_pris_param=np.zeros((1, 36)), cov_pris_param=np.eye(36))'
  export SRDIFF_FEATURES=$PWD/features
  measures --output out --metrics niqe
  holds 'd["images"] == 2 and 0 < f["niqe"]["value"] < 100'
  succeeds eval --output out --metrics niqe --html page.html
  grep -qF '"after":"./out/a.png"' page.html || fail 'the page shows nothing'
  refuses 2 'name the folder of references' eval --output out --metrics niqe,psnr
}

case_lpips_in_every_output() {
  references a 3
  cp -r a b
  "$PYTHON" -c 'from PIL import Image; Image.open("b/01.png").rotate(180).save("b/01.png")'
  measures --reference a --output b --lpips tiny-lpips --csv each.csv --html page.html
  holds 'list(f) == ["psnr", "ssim", "ms-ssim", "lpips"] and f["lpips"]["better"] == "lower"'
  holds 'f["lpips"]["name"] == "LPIPS (tiny-lpips)" and f["lpips"]["value"] > 0.01'
  holds 'd["lpips"]["name"] == "tiny-lpips" and len(d["lpips"]["fingerprint"]) == 64'
  [[ $(cut -d, -f1,5 each.csv | head -2 | xargs) == 'image,lpips 00,0' ]] || fail "$(<each.csv)"
  holds 'abs(sum(float(line.split(",")[4]) for line in open("each.csv").readlines()[1:]) / 3 - f["lpips"]["value"]) < 1e-8'
  grep -qF '"LPIPS (tiny-lpips)"' page.html || fail 'the page lacks it'
  succeeds eval --reference a --output b --metrics lpips --lpips "$SRDIFF_FEATURES/tiny-lpips"
  grep -q '^LPIPS (tiny-lpips)  0\.[0-9]* +- ' "$logs/stdout" || fail "$(<"$logs/stdout")"
  measures --reference a --model tiny --metrics lpips,psnr --lpips tiny-lpips
  holds 'list(f) == ["lpips", "psnr"] and 0 < f["lpips"]["value"] < 1'
}

case_lpips_of_the_usual_name() {
  references a 2
  mkdir features
  export SRDIFF_FEATURES=$PWD/features
  if ! in_source_tree lpips-alex; then
    refuses 4 "there is no LPIPS network 'lpips-alex' in " eval --reference a --output a --metrics lpips
    said 'make it by scripts/export_lpips.py'
  fi
  "$MAKE_TEST_MODEL" --lpips features/lpips-alex
  measures --reference a --output a --metrics lpips
  holds 'f["lpips"]["value"] == 0'
  measures --reference a --output a
  holds '"lpips" not in f and "lpips" not in d'
}

case_lpips_that_cannot_be() {
  references a 1
  references small 1 6
  refuses 1 'small/00.png: a picture of 6x6 pixels is too small for LPIPS (tiny-lpips)' \
    eval --reference small --output small --metrics lpips --lpips tiny-lpips
  references other 1 20
  refuses 1 'other/00.png: is 20x20 where a/00.png is 24x24' \
    eval --reference a --output other --metrics lpips --lpips tiny-lpips
  refuses 2 'name the folder of references' eval --output a --metrics lpips --lpips tiny-lpips
  refuses 4 "manifest.json: is not an LPIPS network's; scripts/export_lpips.py makes one" \
    eval --reference a --output a --metrics lpips --lpips tiny-features
  refuses 4 "manifest.json: is not a feature network's but of the kind 'lpips'" \
    eval --reference a --output a --metrics fid --features tiny-lpips
  refuses 4 './none: is no LPIPS network folder' \
    eval --reference a --output a --metrics lpips --lpips ./none
  cp -r "$SRDIFF_FEATURES/tiny-lpips" damaged
  printf 'x' >>damaged/lpips.pt
  refuses 4 'damaged/lpips.pt: damaged' eval --reference a --output a --metrics lpips --lpips ./damaged
}

case_reference_statistics_are_kept() {
  references a 6
  cp -r a b
  rm b/05.png
  measures --reference a --output b --metrics fid --features tiny-features --reference-stats s.npz
  local first
  first=$(json 'round(f["fid"]["value"], 9)')
  [[ -s s.npz ]] || fail 'no statistics were written'
  measures --reference a --output b --metrics fid --features tiny-features --reference-stats s.npz
  [[ $(json 'round(f["fid"]["value"], 9)') == "$first" ]] || fail "$(figures), first $first"
  measures --output b --metrics fid --features tiny-features --reference-stats s.npz
  [[ $(json 'round(f["fid"]["value"], 9)') == "$first" ]] || fail "$(figures), first $first"

  refuses 1 's.npz: holds statistics of other pictures' eval --reference a --output b --limit 4 \
    --metrics fid --features tiny-features --reference-stats s.npz
  cp -r "$SRDIFF_FEATURES/tiny-features" other
  sed -i 's/0\.5/0.4/' other/manifest.json
  refuses 1 's.npz: holds statistics of the feature network tiny-features with other' \
    eval --reference a --output a --metrics fid --features ./other --reference-stats s.npz
}

case_contradictions() {
  references a 2
  refuses 2 'name either' eval --reference a
  refuses 2 'name either' eval --reference a --output a --model tiny
  refuses 2 '--reference DIR' eval --output a
  refuses 2 '--save' eval --reference a --output a --save out
  refuses 2 'a model has its own' eval --reference a --model tiny --scale 2
  refuses 4 "no model 'nonesuch'" eval --reference a --model nonesuch
  refuses 2 'prdc needs at least 6' eval --reference a --output a --features tiny-features --metrics prdc
}

case_save_spares_the_references() {
  references a 2
  refuses 2 'holds the references' eval --reference a --model tiny --metrics psnr --save a --quiet
  refuses 2 'holds the references' eval --reference a --model tiny --metrics psnr --save ./a/ --quiet
}

case_the_psnr_of_equal_pictures_is_infinite_in_the_mean() {
  references a 3
  references b 3
  "$PYTHON" -c 'from PIL import Image; Image.open("b/01.png").rotate(180).save("b/00.png")'
  measures --reference a --output b --metrics psnr
  holds 'f["psnr"]["value"] is None and "infinite" in f["psnr"]["note"]'
  succeeds eval --reference a --output b --metrics psnr
  grep -q '^PSNR (dB)  inf ' "$logs/stdout" || fail 'not infinite'
}

case_too_few_pictures_for_a_metric() {
  references a 3
  measures --reference a --model tiny --features tiny-features
  holds '"fid" in f and "kid" in f and "recall" not in f'
  refuses 2 'prdc needs at least 6 pictures in each set, here are 3' \
    eval --reference a --model tiny --features tiny-features --metrics prdc
  refuses 2 'fid needs at least 2 pictures' \
    eval --reference a --model tiny --features tiny-features --metrics fid --limit 1
  refuses 2 'KID needs at least one subset' \
    eval --reference a --model tiny --features tiny-features --kid-subsets 0
  refuses 2 'nothing can be measured' eval --output a --reference-stats s.npz
  references small 1 8
  refuses 1 'small/00.png: images' eval --reference small --output small --metrics ssim --quiet
}

case_a_csv_is_whole_or_as_it_was() {
  references a 3
  cp -r a b
  echo old >keep.csv
  refuses 2 'name one by --features' eval --reference a --output b --metrics kid,psnr --csv keep.csv
  printf 'no picture' >b/02.png
  refuses 1 'b/02.png: ' eval --reference a --output b --metrics psnr --csv keep.csv
}

case_a_limit_looks_for_the_partners() {
  references a 3
  mkdir b
  cp a/*.png b
  cp a/00.png b/000.png
  measures --reference a --output b --metrics ssim --limit 2
  holds 'd["images"] == 2'
}

case_hidden_files_are_no_pictures() {
  references a 2
  printf 'resource fork' >a/._00.png
  measures --reference a --model tiny --metrics psnr
  holds 'd["images"] == 2'
}

# golden_setting FILE: a golden file without figures, of the tiny model on the pictures in `a`.
golden_setting() {
  references a 4
  cat >"$1" <<'END'
{
  "format": 1,
  "setting": {"reference": "a", "model": "tiny", "features": "tiny-features", "metrics": "fid,psnr"},
  "stages": {"images": 1}
}
END
}

case_golden_figures_are_written_and_kept() {
  golden_setting golden.json
  refuses 1 'golden.json: holds no figures yet' eval --golden golden.json
  succeeds eval --golden golden.json --update-golden
  cp golden.json first.json
  succeeds eval --golden golden.json
  [[ $(grep -c ' ok$' "$logs/stdout") -eq 6 ]] || fail "$(<"$logs/stdout")"
  succeeds eval --golden golden.json --json
  holds 'all(line["passed"] for line in d["golden"]) and len(d["golden"]) == 6'
  succeeds eval --golden golden.json --update-golden
  same_bytes golden.json first.json
  "$PYTHON" -c 'import json; d = json.load(open("golden.json")); assert d["setting"]["nfe"] == 8 and d["made_with"]["libtorch"], d'
}

case_golden_figures_of_odd_names() {
  golden_setting golden.json
  local name=$'caf\xe9'
  mv a "$name"
  mv "$name/00.png" "$name/00$name.png" # the first of them
  succeeds eval --golden golden.json --update-golden --reference "$name"
  succeeds eval --golden golden.json
  grep -qF 'x_sr of 00caf\xe9 ' "$logs/stdout" || fail "$(<"$logs/stdout")"
}

case_golden_figures_that_are_missed() {
  golden_setting golden.json
  succeeds eval --golden golden.json --update-golden
  run eval --golden golden.json --seed 5
  [[ $status -eq 3 ]] || fail "another seed ended with $status"
  grep -q 'golden.json: .* missed, the first is x_t of 00' "$logs/stderr" || fail 'not named'
  grep -q 'x_sr of 00 .* ok$' "$logs/stdout" || fail "$(<"$logs/stdout")"
  run eval --golden golden.json --seed 5 --json
  [[ $status -eq 3 ]] || fail "another seed ended with $status and --json"
  sed -i '/"psnr": {/,/}/s/"expected": [0-9.]*/"expected": 99/' golden.json
  run eval --golden golden.json
  [[ $status -eq 3 ]] || fail "a PSNR of 99 dB was met: $status"
  grep -q '1 of 6 missed, the first is PSNR' "$logs/stderr" || fail 'not named'
  succeeds eval --golden golden.json --metrics fid
}

case_golden_figures_of_another_network_are_refused() {
  golden_setting golden.json
  succeeds eval --golden golden.json --update-golden
  cp -r "$SRDIFF_FEATURES/tiny-features" other
  sed -i 's/0\.5/0.4/' other/manifest.json
  refuses 1 'golden.json: its figures are of another feature network' \
    eval --golden golden.json --features ./other --quiet
  refuses 2 'leave --output out' eval --golden golden.json --output a
  refuses 2 'needs the file' eval --update-golden --reference a --model tiny
  refuses 1 'nonesuch.json: no such file' eval --golden nonesuch.json
}

case_golden_files_keep_what_the_command_line_gave() {
  references a 4
  references c 3
  golden_setting golden.json
  succeeds eval --golden golden.json --update-golden --reference c --limit 2 --metrics psnr,ssim \
    --color-fix consistency --patch 12
  "$PYTHON" - <<'END' || fail 'the setting is not what was run'
import json
setting = json.load(open("golden.json"))["setting"]
assert (setting["reference"], setting["limit"], setting["metrics"]) == ("c", 2, "psnr,ssim"), setting
assert (setting["color_fix"], setting["patch"]) == ("consistency", 12), setting
END
  succeeds eval --golden golden.json
  refuses 1 'holds no figure of consistency' eval --golden golden.json --metrics consistency --quiet
  sed -i 's/"color_fix": "consistency"/"color_fix": "none"/' golden.json
  run eval --golden golden.json
  [[ $status -eq 3 ]] || fail 'the colour fix has no effect'
  sed -i 's/"color_fix"/"colour_fix"/' golden.json
  refuses 1 "golden.json: golden figures: setting: the field 'colour_fix' is not known" \
    eval --golden golden.json
}

case_golden_figures_of_lpips() {
  golden_setting golden.json
  succeeds eval --golden golden.json --update-golden --metrics lpips,psnr --lpips tiny-lpips
  "$PYTHON" - <<'END' || fail 'the golden file lacks it'
import json
d = json.load(open("golden.json"))
assert d["setting"]["lpips"] == "tiny-lpips" and d["made_with"]["lpips"] == "tiny-lpips 0.1", d
assert d["figures"]["lpips"]["direction"] == "lower" and not d["figures"]["lpips"]["relative"], d
END
  succeeds eval --golden golden.json
  grep -q '^LPIPS (tiny-lpips) .* ok$' "$logs/stdout" || fail "$(<"$logs/stdout")"
  sed -i '/"lpips": {/,/}/s/"expected": [0-9.e-]*/"expected": -1/' golden.json
  run eval --golden golden.json
  [[ $status -eq 3 ]] || fail "an LPIPS of -1 was met: $status"
  sed -i 's/"lpips fingerprint": "./"lpips fingerprint": "x/' golden.json
  refuses 1 'golden.json: its figures are of another LPIPS network than this tiny-lpips' \
    eval --golden golden.json --quiet
}

run_case "$@"

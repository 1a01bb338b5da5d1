#!/usr/bin/env bash
# sweep.sh CASE: grids of settings.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

export SRDIFF_FEATURES=$TINY_MODELS/features SRDIFF_MODELS=$TINY_MODELS

# A plan of four cells in plan.json, and three pictures in truth/.
small_plan() {
  cat >plan.json <<'END'
{"name": "small", "title": "A small table", "model": "tiny", "figures": ["fid", "psnr"],
 "settings": {"t": 20, "nfe": 2},
 "rows": [{"label": "map"}, {"label": "none", "settings": {"weight_map": false}}],
 "columns": {"label": "beta", "values": [{"label": "0.2", "settings": {"beta": 0.2}},
                                         {"label": "1.0", "settings": {"beta": 1}}]},
 "paper": {"label": "FID of a paper", "values": [[1, 2], [3, 4]]}}
END
  mkdir -p truth
  local i
  for i in 1 2 3; do pictures make "truth/$i.png" $((16 + 8 * i))x16; done
}

sweeps() { succeeds sweep plan.json --reference truth --features tiny-features --out out "$@"; }

case_table_and_document() {
  small_plan
  sweeps --limit 2
  cmp -s "$logs/stdout" out/table.md || fail 'standard output is not the table'
  grep -q '^# A small table$' out/table.md || fail 'the table has no title'
  [[ $(grep -c '^| none | ' out/table.md) -eq 3 ]] || fail 'not two figures and the paper'
  grep -q '^| none | 3.00 | 4.00 |$' out/table.md || fail "the paper's values are not there"
  grep -q 'srdiff sweep plan.json --reference truth --features tiny-features --out out --limit 2' out/table.md ||
    fail 'the command is not there'
  "$PYTHON" - <<'END' || fail 'the document is not as expected'
import json
d = json.load(open("out/sweep.json"))
cells = [cell for row in d["rows"] for cell in row["cells"]]
assert d["images"] == 2 and len(cells) == 4 and d["columns"] == ["0.2", "1.0"]
value = lambda i, key: cells[i]["figures"][key]["value"]
assert value(1, "fid") == value(3, "fid"), "beta = 1 leaves the map without effect"
assert value(0, "psnr") != value(2, "psnr")
assert cells[2]["settings"]["weight_map"] is False and cells[2]["settings"]["beta"] == 0.2
END
}

case_resume() {
  small_plan
  sweeps
  cp out/table.md first.md
  rm out/cells/row2-column1.json
  sweeps
  grep -q '3 of 4 cells were there already' "$logs/stderr" || fail 'it does not say what was there'
  same_bytes first.md out/table.md
}

case_lpips_and_niqe() {
  small_plan
  rm truth/*
  pictures make truth/a.png 192x96
  sed -i 's/\["fid", "psnr"\]/["lpips", "niqe"]/; /"paper"/s/.*/}/; s/{"beta": 1}}\]},/{"beta": 1}}]}/' plan.json
  in_source_tree niqe ||
    refuses 4 'niqe needs its parameters' sweep plan.json --reference truth --out out
  mkdir -p features/niqe
  export SRDIFF_FEATURES=$PWD/features
  "$PYTHON" -c 'import numpy as np
np.savez("features/niqe/niqe.npz", mu_pris_param=np.zeros((1, 36)), cov_pris_param=np.eye(36))'
  "$MAKE_TEST_MODEL" --lpips features/tiny-lpips
  succeeds sweep plan.json --reference truth --out out --lpips tiny-lpips
  grep -q '^LPIPS (tiny-lpips), lower is better:$' out/table.md || fail "$(<out/table.md)"
  grep -q '^NIQE, lower is better:$' out/table.md || fail "$(<out/table.md)"
  "$PYTHON" - <<'END' || fail 'the document is not as expected'
import json
d = json.load(open("out/sweep.json"))
assert d["lpips"]["name"] == "tiny-lpips" and d["features"] is None
values = [cell["figures"]["lpips"]["value"] for row in d["rows"] for cell in row["cells"]]
assert len(values) == 4 and min(values) > 0 and values[0] != values[2], values
END
  succeeds sweep plan.json --reference truth --out out --lpips tiny-lpips
  said '4 of 4 cells were there already'
  sed -i 's/"sha256": "./"sha256": "x/' features/tiny-lpips/manifest.json
  refuses 4 'lpips.pt: damaged' sweep plan.json --reference truth --out out --lpips tiny-lpips
  "$PYTHON" -c 'import numpy as np
np.savez("features/niqe/niqe.npz", mu_pris_param=np.ones((1, 36)), cov_pris_param=np.eye(36))'
  rm -r features/tiny-lpips
  "$MAKE_TEST_MODEL" --lpips features/lpips-alex # the usual name, the same weights
  succeeds sweep plan.json --reference truth --out out
  ! grep -q 'were there already' "$logs/stderr" || fail 'cells of other parameters were taken'
}

case_plot() {
  "$PYTHON" -c 'import matplotlib' 2>/dev/null || skip "$PYTHON has no matplotlib"
  small_plan
  sweeps
  [[ $(pictures describe out/plot.png) == png* ]] || fail 'there is no plot'
}

# A sweep is complete without its plot.
case_no_python() {
  small_plan
  mkdir bin
  printf '#!/bin/sh\nexit 1\n' >bin/python3
  chmod +x bin/python3
  PATH=$PWD/bin:$PATH sweeps
  [[ -s out/sweep.json && -s out/table.md ]] || fail 'the results are not there'
}

case_bad_plans() {
  small_plan
  refuses 2 'absent.json: ' sweep absent.json --reference truth --out out
  sed 's/"beta": 1/"bta": 1/' plan.json >typing.json
  refuses 2 "typing.json: the sweep: columns: values: settings: the field 'bta' is not known" \
    sweep typing.json --reference truth --out out
  sed 's/"beta": 1/"beta": 2/' plan.json >range.json
  refuses 2 'beta is outside 0 to 1' sweep range.json --reference truth --out out
}

case_bad_folders() {
  small_plan
  run sweep plan.json --reference absent --features tiny-features --out out
  [[ $status -eq 1 ]] || fail "an absent reference ended with $status"
  touch file
  refuses 1 'file: cannot be made a folder' sweep plan.json --reference truth --out file
}

run_case "$1"

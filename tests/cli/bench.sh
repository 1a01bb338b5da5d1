#!/usr/bin/env bash
# bench.sh CASE: what a benchmark says, not how fast anything is.
# shellcheck source-path=SCRIPTDIR source=lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

bench() { succeeds bench --model tiny --repeats 1 "$@"; }

case_json() {
  bench --batch 1,3 --size 16,24 --threads 2 --json
  holds '[(e["batch"], e["size"]) for e in d["evaluations"]] == [(1, 16), (3, 16), (1, 24), (3, 24)]'
  holds 'd["evaluations"][1]["gflop"] * 1e9 == 3 * 16 * 16 * 2 * 9 * (7 * 8 + 8 * 3)'
  holds 'd["circumstances"]["model"] == "tiny 1.0" and d["circumstances"]["precision"] == "fp32"'
  holds '[(i["size"], i["nfe"], i["images"]) for i in d["images"]] == [(16, 8, 1), (16, 8, 2), (24, 8, 1), (24, 8, 2)]'
  holds 'all((i["regressor_seconds"] > 0) == (i["weight_map_seconds"] > 0) == (i["images"] == 1) for i in d["images"])'
  holds 'all(e["share_of_floor"] > 0 and e["library_floor_seconds"] >= e["floor_seconds"] and e["matrix_gflop_per_second"] > 0 and e["traffic_seconds"] > 0 and e["products"] for e in d["evaluations"])'
  holds 'd["load_seconds"] > 0 and d["warm_up_seconds"] > 0 and d["peak_memory_bytes"] > 2**20'
}

case_table() {
  bench --batch 1 --size 16
  grep -q '^evaluation, batch 1, 16 px: .* GFLOP/s, .* of the floor of .* ms (.* ms in LibTorch.s kernels), .* of a large matrix product.s rate; memory traffic alone: .* ms$' "$logs/stdout" ||
    fail "$(<"$logs/stdout")"
  grep -q '^one image, 16 px, 8 evaluations: .* ms .*, .* a second; regressor .* ms, weight map .* ms$' "$logs/stdout" || fail "$(<"$logs/stdout")"
  bench --batch 1 --size 16 --nfe 1
  grep -q '^one image, 16 px, 1 evaluation: ' "$logs/stdout" || fail "$(<"$logs/stdout")"
  bench --batch 1 --size 16 --nfe 3 --no-weight-map
  grep -q '^one image, 16 px, 3 evaluations, without a weight map: ' "$logs/stdout" || fail "$(<"$logs/stdout")"
  bench --batch 1 --size 16 --products --quiet
  grep -q 'convolution \[1,7,16,16\] with \[8,7,3,3\]' "$logs/stdout" || fail "$(<"$logs/stdout")"
  [[ ! -s $logs/stderr ]] || fail 'not quiet'
}

case_comparison() {
  bench --batch 1 --size 16 --threads 1 --json
  cp "$logs/stdout" old.json
  bench --batch 1,2 --size 16 --threads 2 --json --compare old.json
  cp "$logs/stdout" new.json
  holds '[c["what"] for c in d["comparison"]["changes"]][0] == "evaluation, batch 1, 16 px: seconds"'
  holds 'all(abs(c["ratio"] - c["now"] / c["before"]) < 1e-9 for c in d["comparison"]["changes"])'
  holds '"threads: 1 before, 2 now" in d["comparison"]["differences"]'
  grep -q 'warning: old.json: threads: 1 before, 2 now' "$logs/stderr" || fail 'not warned'
  # Before minutes of measuring.
  refuses 1 'no batch and size in common' bench --model tiny --batch 4 --size 16 --compare new.json
  sed 's/"predicted"/"somewhere"/' new.json >odd.json
  refuses 1 'somewhere' bench --model tiny --batch 1 --size 16 --compare odd.json
  bench --batch 1 --size 16 --threads 2 --start sr --json --compare new.json
  holds '[i["start"] for i in d["images"]] == ["sr", "sr"]'
  holds 'not any("image" in c["what"] for c in d["comparison"]["changes"])'
  bench --batch 1 --size 16 --threads 2 --compare new.json
  grep -q '^one image, 16 px, 8 evaluations: seconds: .* before, .* now, .* times$' "$logs/stdout" ||
    fail "$(<"$logs/stdout")"
}

case_wrong_usage() {
  refuses 2 'batch = 0' bench --model tiny --batch 0 --quiet
  refuses 2 'size = 10; give a multiple of 8' bench --model tiny --size 10 --quiet
  refuses 2 'repeats = 0' bench --model tiny --repeats 0 --quiet
  refuses 4 "no model 'nonesuch'" bench --model nonesuch
  refuses 1 'absent.json: no such file' bench --model tiny --compare absent.json
  echo '{"figures": {}}' >other.json
  refuses 1 "other.json: the field 'format' is missing" bench --model tiny --compare other.json
  echo 'no json' >other.json
  refuses 1 'other.json: is no result of srdiff bench' bench --model tiny --compare other.json
}

run_case "$@"

#!/usr/bin/env bash
# golden_test.sh SRDIFF FILE STATUS [OPTION...]: runs a golden file and expects an exit status.
# Skipped where the feature network is needed and has not been made (scripts/get_features.sh).
set -uo pipefail

tool=$1 file=$2 expected=$3
shift 3
errors=$("$tool" eval --golden "$file" "$@" 2>&1 >/dev/stderr)
status=$?
printf '%s\n' "$errors" >&2
if [[ $status -eq 4 ]] && [[ $errors == *'no feature network'* ]]; then
  exit 77
fi
if [[ $status -ne $expected ]]; then
  echo "ended with $status, not $expected" >&2
  exit 1
fi
if [[ $expected -eq 3 ]] && [[ $errors != *'the first is x_t of'* ]]; then
  echo 'the break is in x_t and was not found there' >&2
  exit 1
fi

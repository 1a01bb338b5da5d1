#!/usr/bin/env bash
# What lies in the packages of the program and of the models. CMakeLists.txt sets BUILD and SOURCE.
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}
install_component() { cmake --install "$BUILD" --component "$1" --prefix "$scratch/$1" >/dev/null; }
has() { [[ -n $(find "$scratch/$1" -path "$scratch/$1/$2") ]] || fail "$1: no $2"; }

install_component program
for file in bin/srdiff '*/man/man1/srdiff.1*' '*/man/man1/srdiff-models-list.1*' \
  '*/bash-completion/completions/srdiff' '*/zsh/vendor-completions/_srdiff' \
  '*/fish/vendor_completions.d/srdiff.fish' '*/doc/srdiff/copyright' \
  '*/doc/srdiff/changelog.gz' '*/doc/srdiff/CHANGELOG.md'; do
  has program "$file"
done
grep -q 'Permission is hereby granted' "$scratch"/program/share/doc/srdiff/copyright ||
  fail 'the copyright file does not hold the licence'
! find "$scratch/program" | grep -E '/include/|\.a$|/models/' || fail 'more than the program'
version=$("$scratch/program/bin/srdiff" --version)
[[ $version =~ ^srdiff\ [0-9.]+(\ \([0-9a-f]+(-dirty)?\))?$ ]] || fail "--version says $version"
number=$(cut -d ' ' -f 2 <<<"$version")
grep -q -F "## $number " "$SOURCE/CHANGELOG.md" || fail "CHANGELOG.md says nothing of $number"

install_component models
for manifest in "$SOURCE"/models/*/manifest.json; do
  name=$(basename "$(dirname "$manifest")")
  has models "share/srdiff/models/$name/MODEL_CARD.md"
  licence=$(sed -n 's/.*"licence": "\(.*\)".*/\1/p' "$manifest")
  grep -q -F "${licence:?}" "$scratch/models/share/doc/srdiff-models/copyright" ||
    fail "$name: its licence is not in the copyright file"
done

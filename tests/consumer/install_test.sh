#!/usr/bin/env bash
# Installs the built tree into a folder of its own, then uses it as a stranger would: runs the
# program, and builds README's example against the library. CMakeLists.txt sets the variables.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
prefix=$PWD/scratch/prefix

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

install_tree() {
  rm -rf scratch
  mkdir -p scratch/run
  cmake --install "$BUILD" --prefix "$prefix" >scratch/install.log
}

# Its models lie beside the program, wherever the two are put.
run_installed_program() {
  "$prefix/bin/srdiff" --version
  [[ -f $SOURCE/models/faces-x8/manifest.json ]] || return 0
  env -u SRDIFF_MODELS "$prefix/bin/srdiff" models list | grep -F "($prefix/" ||
    fail 'the installed program does not find the installed models'
}

# What was built here and then installed must not depend on the source tree that happens to be here.
check_source_tree_is_left_alone() {
  mv "$prefix/share/srdiff/models" scratch/models-aside
  if env -u SRDIFF_MODELS "$prefix/bin/srdiff" models list | grep -F "$SOURCE/"; then
    fail 'the installed program looks into the source tree'
  fi
  mv scratch/models-aside "$prefix/share/srdiff/models"
}

# The example is the one that README shows.
check_readme() {
  "$PYTHON" - "$SOURCE/README.md" "$here/project/main.cc" <<'END' || fail 'README shows another example'
import sys
readme, example = (open(name, encoding="utf-8").read() for name in sys.argv[1:])
sys.exit(example not in readme)
END
}

build_consumer() {
  cmake -S "$here/project" -B scratch/build -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_CXX_COMPILER="$COMPILER" >scratch/configure.log
  cmake --build scratch/build
}

# With a tiny model under the name that the example asks for.
run_consumer() {
  "$MAKE_TEST_MODEL" scratch/models/faces-x8
  "$PYTHON" "$SOURCE/tests/cli/pictures.py" make scratch/run/in.png 12x10
  (cd scratch/run && SRDIFF_MODELS=../models ../build/app)
  "$PYTHON" "$SOURCE/tests/cli/pictures.py" enlarged scratch/run/in.png scratch/run/out.png
}

install_tree
run_installed_program
check_source_tree_is_left_alone
check_readme
build_consumer
run_consumer

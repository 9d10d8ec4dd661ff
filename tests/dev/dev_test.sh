#!/usr/bin/env bash
# ./dev with every outside program replaced by a stub: which packages it asks for, where it finds LibTorch, what it passes
# on to the program.
set -euo pipefail

source=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin" "$work/checkout/build/release/bin"
cp "$source/dev" "$work/checkout/"
calls=$work/calls
unset Torch_DIR CMAKE_PREFIX_PATH

# stub <path> <body>: a program that notes its call, then runs the body.
stub() {
  printf '#!/bin/bash\necho "%s $*" >>"%s"\n%s\n' "${1##*/}" "$calls" "$2" >"$1"
  chmod +x "$1"
}
# torch_package <folder> <version> [<cuda>]: as much of an installed torch as ./dev looks at.
torch_package() {
  mkdir -p "$1/torch/share/cmake/Torch" "$1/torch/include/torch"
  touch "$1/torch/__init__.py" "$1/torch/share/cmake/Torch/TorchConfig.cmake"
  printf '__version__ = "%s"\ncuda = %s\n' "$2" "${3:-None}" >"$1/torch/version.py"
}
# dev <expected exit code> <argument>...: runs ./dev; its output is in $work/output, the stubs' calls in $calls.
dev() {
  local expected=$1 status=0
  shift
  : >"$calls"
  PATH=$work/bin:$PATH "$work/checkout/dev" "$@" >"$work/output" 2>&1 || status=$?
  [[ $status == "$expected" ]] || fail "dev $*: expected exit code $expected, got $status"
}
fail() {
  echo "FAILED: $1"
  cat "$work/output" "$calls"
  exit 1
}
output_has() { grep -qF -e "$1" "$work/output" || fail "expected in the output: $1"; }
called() { grep -qF -e "$1" "$calls" || fail "expected a call of: $1"; }
not_called() { ! grep -q "^$1 " "$calls" || fail "expected no call of: $1"; }

python=$(command -v python3)
python_stub() { stub "$work/bin/python3" "[[ \$1 == -m ]] && $work/bin/make_venv \"\$3\" || PYTHONPATH=$1 exec '$python' -S \"\$@\""; }
stub "$work/bin/make_venv" "mkdir -p \$1/bin && cp $work/bin/pip $work/bin/venv_python \$1/bin && mv \$1/bin/venv_python \$1/bin/python"
stub "$work/bin/pip" "mkdir -p $work/private && mv $work/wheel/torch $work/private"
stub "$work/bin/venv_python" "PYTHONPATH=$work/private exec '$python' -S \"\$@\""
stub "$work/bin/cmake" ''
stub "$work/bin/id" 'echo 0'
stub "$work/bin/env" 'exec /usr/bin/env "$@"'
stub "$work/bin/apt-get" "touch $work/installed"
stub "$work/bin/dpkg-query" "for p in \"\${@:3}\"; do [[ \$p != catch2 || -e $work/installed ]] && echo \"\$p installed\"; done; exit 0"
stub "$work/checkout/build/release/bin/dermae" 'exit 130'

# Usage errors exit 2 and do nothing.
dev 2 nonsense
dev 2 test --fast
[[ ! -s $calls ]] || fail "a usage error called programs"
dev 0 help
output_has "usage: ./dev"

# Missing packages: one line without the right to install them; installed where there is; not asked for twice.
torch_package "$work/hand" 2.13.0
python_stub "$work/hand"
stub "$work/bin/id" 'echo 1000'
stub "$work/bin/sudo" 'exit 1'
dev 1 build
[[ $(wc -l <"$work/output") == 1 ]] || fail "expected one line"
output_has "sudo apt-get install catch2"
not_called cmake
stub "$work/bin/id" 'echo 0'
dev 0 build
called "install -y --no-install-recommends catch2"
dev 0 build
not_called apt-get

# LibTorch: the environment's, before python3's, before a private copy, which is installed once.
torch_package "$work/named" 2.13.0
called "Torch_DIR=$work/hand/torch/share/cmake/Torch"
Torch_DIR=$work/named/torch/share/cmake/Torch dev 0 build
called "Torch_DIR=$work/named/torch/share/cmake/Torch"
CMAKE_PREFIX_PATH=/nowhere:$work/named/torch dev 0 build
called "Torch_DIR=$work/named/torch/share/cmake/Torch"
Torch_DIR=/nowhere dev 1 build
output_has "Torch_DIR=/nowhere has no TorchConfig.cmake"
torch_package "$work/old" 1.13.1
python_stub "$work/old"
torch_package "$work/wheel" 2.13.0
dev 0 build
called "pip install --no-deps torch==2.13.0"
called "Torch_DIR=$work/private/torch/share/cmake/Torch"
dev 0 build
not_called pip
called "Torch_DIR=$work/private/torch/share/cmake/Torch"

# demo: the program's exit code; its own preset and folder unless told.
dev 130 demo --seed 3
called "dermae --preset demo --out $work/checkout/out/demo --seed 3"
dev 130 demo --out=here --preset study
called "dermae --out=here --preset study"

# A failing phase shows its output and stops.
stub "$work/bin/cmake" 'echo the reason; exit 7'
dev 1 demo
output_has "the reason"
not_called dermae
echo "dev: all as expected"

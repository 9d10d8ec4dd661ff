#!/usr/bin/env bash
# run.sh BUILD_DIR: the library as other projects meet it: installed, moved, found, built against and run; and added as a
# subdirectory.
set -euo pipefail

build=$1
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
torch_dir=$(sed -n 's/^Torch_DIR:[A-Z]*=//p' "$build/CMakeCache.txt")

cmake --install "$build" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/moved"
if grep -rlF -e "$work" -e "$source" -e "$torch_dir" "$work/moved" --include='*.cmake'; then
  echo "the installed package names folders of this machine (see above)"
  exit 1
fi

# consume <project> <CMake argument>...: configures, builds and runs it.
consume() {
  echo "== $1"
  cmake -G Ninja -S "$here/$1" -B "$work/$1" "${@:2}"
  cmake --build "$work/$1" --target consumer
  "$work/$1/consumer"
}

consume core_consumer -D CMAKE_BUILD_TYPE=Release -D CMAKE_PREFIX_PATH="$work/moved" -D CMAKE_DISABLE_FIND_PACKAGE_Torch=ON
if ldd "$work/core_consumer/consumer" | grep -E 'torch|c10'; then
  echo "dermis::core links LibTorch (see above)"
  exit 1
fi
consume dermis_consumer -D CMAKE_BUILD_TYPE=Release -D CMAKE_PREFIX_PATH="$work/moved" -D Torch_DIR="$torch_dir"
consume subdirectory_consumer -D DERMIS_SOURCE="$source" -D Torch_DIR="$torch_dir"  # without optimisation: compiles quicker

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
  (cd "$work/$1" && ./consumer)
}

# refused <text> <argument of find_package>...: the package is not found, and CMake says why.
refused() {
  echo "== find_package(dermis ${*:2})"
  mkdir -p "$work/refused"
  printf 'cmake_minimum_required(VERSION 3.22)\nproject(refused CXX)\nfind_package(dermis %s CONFIG REQUIRED)\n' \
    "${*:2}" >"$work/refused/CMakeLists.txt"
  if cmake -G Ninja -S "$work/refused" -B "$work/refused/build" -D CMAKE_PREFIX_PATH="$work/moved" \
    -D CMAKE_DISABLE_FIND_PACKAGE_Torch=ON >"$work/refused/log" 2>&1; then
    echo "dermis was found, expected: $1"
    exit 1
  fi
  tr -s ' \n' ' ' <"$work/refused/log" | grep -F -e "$1" >/dev/null || {  # CMake wraps its messages
    cat "$work/refused/log"
    echo "expected in the above: $1"
    exit 1
  }
}
refused "there is no component mobile; dermis has the components core, edge and dermis" COMPONENTS core mobile
refused "Torch" COMPONENTS dermis
refused "Torch"  # the default is everything
refused "requested version" 99.0 COMPONENTS core

consume core_consumer -D CMAKE_BUILD_TYPE=Release -D CMAKE_PREFIX_PATH="$work/moved" -D CMAKE_DISABLE_FIND_PACKAGE_Torch=ON
if ldd "$work/core_consumer/consumer" | grep -E 'lib(torch|c10)'; then  # not c10 alone: ldd prints addresses too
  echo "dermis::core links LibTorch (see above)"
  exit 1
fi
consume edge_consumer -D CMAKE_BUILD_TYPE=Release -D CMAKE_PREFIX_PATH="$work/moved" -D CMAKE_DISABLE_FIND_PACKAGE_Torch=ON
"$work/edge_consumer/c_consumer"
if ldd "$work/edge_consumer/consumer" "$work/edge_consumer/c_consumer" | grep -E 'lib(torch|c10|jpeg|png)'; then
  echo "dermis::edge links what a phone has no use for (see above)"
  exit 1
fi
for consumer in dermis_consumer training_consumer; do
  consume $consumer -D CMAKE_BUILD_TYPE=Release -D CMAKE_PREFIX_PATH="$work/moved" -D Torch_DIR="$torch_dir"
done
consume subdirectory_consumer -D DERMIS_SOURCE="$source" -D Torch_DIR="$torch_dir"  # without optimisation: compiles quicker
cmake --build "$work/subdirectory_consumer" --target compiled

#!/usr/bin/env bash
# dermis::edge cross-compiled for AArch64 and run under qemu: what NEON computes is held to the same definition, on a processor
# with dot products and on one without.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
compiler=${AARCH64_CXX:-aarch64-linux-gnu-g++}
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64) ||
  { echo "expected qemu-aarch64, which is missing: apt-get install qemu-user-static"; exit 1; }
command -v "$compiler" >/dev/null ||
  { echo "expected $compiler, which is missing: apt-get install g++-aarch64-linux-gnu"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Headers that know no machine are the host's, through links: all of /usr/include would be too much.
mkdir -p "$work/include"
for header in nlohmann catch2; do ln -s "/usr/include/$header" "$work/include/$header"; done
cmake -S "$here/../../cmake/edge" -B "$work/build" -G Ninja -D CMAKE_SYSTEM_NAME=Linux -D CMAKE_SYSTEM_PROCESSOR=aarch64 \
  -D CMAKE_C_COMPILER="${compiler%g++}gcc" -D CMAKE_CXX_COMPILER="$compiler" \
  -D DERMIS_JSON_INCLUDE="$work/include" -D DERMIS_CATCH2_INCLUDE="$work/include" -D DERMIS_EDGE_TESTS=ON >"$work/log"
cmake --build "$work/build" >>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }

for processor in cortex-a57 max; do  # without and with dot products
  echo "== $processor"
  OMP_NUM_THREADS=1 "$qemu" -cpu "$processor" -L /usr/aarch64-linux-gnu "$work/build/edge_test" "$@"
done
# Code and data; a file also holds what pads its segments to whole pages.
bytes=$("${compiler%g++}size" "$work/build/libdermis_edge.so" | awk 'NR == 2 { print $4 }')
echo "libdermis_edge.so for AArch64: $bytes bytes"
((bytes < 300000)) || { echo "expected fewer than 300000 bytes"; exit 1; }

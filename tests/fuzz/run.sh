#!/usr/bin/env bash
# run.sh [RUNS]: builds the fuzzers with clang, runs each RUNS times (default 1000000) from its corpus, then builds them
# with a planted heap overflow and fails unless every one of them finds it. CXX names another clang++.
set -euo pipefail

runs=${1:-1000000}
here=$(cd "$(dirname "$0")" && pwd)
work=${FUZZ_DIR:-$(mktemp -d)}
[[ -n ${FUZZ_DIR:-} ]] || trap 'rm -rf "$work"' EXIT
compiler=${CXX:-clang++}
command -v "$compiler" >/dev/null || { echo "run.sh: expected clang++, which is missing: apt-get install clang"; exit 1; }
export UBSAN_OPTIONS=print_stacktrace=1

# build <folder> <CMake argument>...
build() {
  cmake -S "$here" -B "$work/$1" -DCMAKE_CXX_COMPILER="$compiler" "${@:2}" >"$work/$1.log" 2>&1 &&
    cmake --build "$work/$1" >>"$work/$1.log" 2>&1 || { cat "$work/$1.log"; exit 1; }
}
# fuzz <folder> <target>: new inputs and findings stay in the scratch folder.
fuzz() {
  mkdir -p "$work/$1/found_$2"
  "$work/$1/fuzz_$2" "$work/$1/found_$2" "$here/corpus/$2" -dict="$here/dictionaries/$2.dict" \
    -runs="$runs" -seed=1 -max_len=4096 -timeout=10 \
    -malloc_limit_mb=64 -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$work/$1/" >"$work/$1/$2.log" 2>&1
}

mkdir -p "$work"
build plain
build planted -DDERMIS_FUZZ_PLANT=ON
for target in safetensors json csv tokenizer edge; do
  start=$SECONDS
  fuzz plain "$target" || { tail -n 60 "$work/plain/$target.log"; echo "FAILED: $target"; exit 1; }
  executed=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/plain/$target.log")
  echo "$target: $executed executions in $((SECONDS - start)) s, nothing found"
  if fuzz planted "$target"; then
    echo "FAILED: $target did not find the planted overflow in $runs executions"
    exit 1
  fi
  grep -q 'ERROR: AddressSanitizer: heap-buffer-overflow' "$work/planted/$target.log" &&
    grep -q 'planted_overflow' "$work/planted/$target.log" ||
    { tail -n 60 "$work/planted/$target.log"; echo "FAILED: $target found something else"; exit 1; }
  echo "$target: the planted overflow is found"
done

#!/usr/bin/env bash
# Every case of tests/parity/data (or of $DERMIS_PARITY_DATA), computed in one process and compared with what the Python
# libraries computed. A case that no *_cases.cpp knows, a tensor that is missing and one beyond the tolerance fail.
# With DERMIS_PARITY_TABLE=FILE the table of docs/parity.md is written to FILE; with FILE docs/parity.md itself only its table
# is replaced.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
data=${DERMIS_PARITY_DATA:-$here/data}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

arguments=()
for case in "$data"/*/; do
  case=${case%/}
  arguments+=("$case" "$out/$(basename "$case")")
done
"$DERMIS_BIN/parity_runner" "${arguments[@]}"
if [[ -n ${DERMIS_PARITY_TABLE:-} ]]; then
  "$DERMIS_BIN/parity_compare" "$data" "$out" "$out/table.md" "$here"
  # What stands above the table stays.
  { if [[ -e $DERMIS_PARITY_TABLE ]]; then sed '/^| case | module /,$d' "$DERMIS_PARITY_TABLE"; fi
    cat "$out/table.md"; } >"$out/page.md"
  cp "$out/page.md" "$DERMIS_PARITY_TABLE"
else
  "$DERMIS_BIN/parity_compare" "$data" "$out"
fi

# The comparison itself must see a fault: a case computed for another one's name has other tensors.
[[ -z ${DERMIS_PARITY_DATA:-} ]] || exit 0
first=$(basename "${arguments[0]}") last=$(basename "${arguments[-2]}")
cp "$out/$last/outputs.safetensors" "$out/$first/outputs.safetensors"
if "$DERMIS_BIN/parity_compare" "$data" "$out" >/dev/null; then
  echo "FAILED: $last's numbers were taken for $first's" >&2
  exit 1
fi
# And a case that the runner does not know is refused before anything is computed.
mkdir "$out/99_unknown"
if "$DERMIS_BIN/parity_runner" "$out/99_unknown" "$out/none" 2>"$out/message"; then
  echo "FAILED: an unknown case was taken" >&2
  exit 1
fi
grep -qF "unknown case '99_unknown'" "$out/message"

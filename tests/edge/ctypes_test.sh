#!/usr/bin/env bash
# The Python of docs/edge.md, as it stands there, on a sample: the C API through ctypes.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$DERMIS_BUILD/tests/edge_sample" "$scratch"

awk '/^```python$/ { on = 1; next } /^```$/ { on = 0 } on' "$here/../../docs/edge.md" >"$scratch/dermis_edge.py"
grep -q 'class Model' "$scratch/dermis_edge.py" || { echo "docs/edge.md has no Python"; exit 1; }
cd "$scratch"
python3 - "$DERMIS_BUILD/libdermis_edge.so" <<'PYTHON'
import array, pathlib, sys
import dermis_edge

expected = array.array("f", pathlib.Path("student.probabilities").read_bytes())
model = dermis_edge.Model(sys.argv[1], "student.fp32.edge", threads=2)
answer = model.predict(pathlib.Path("student.rgb").read_bytes(), 90, 70)
assert list(answer.values()) == list(expected), (answer, expected)
assert list(answer)[3] == "class 3", answer
try:
    dermis_edge.Model(sys.argv[1], "none.edge")
except RuntimeError as error:
    assert "none.edge" in str(error), error
else:
    raise AssertionError("a missing file was loaded")
PYTHON

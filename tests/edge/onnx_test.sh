#!/usr/bin/env bash
# Exported ONNX models pass onnx's checker, and onnxruntime computes what the definition says, for one image and for two.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
environment=$root/.cache/onnx
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$root/.cache"
exec 9>"$environment.lock"  # one maker at a time
flock 9
if [[ ! -e $environment/complete ]]; then
  rm -rf "$environment"
  python3 -m venv "$environment"
  "$environment/bin/pip" install --quiet --no-deps --disable-pip-version-check numpy==2.4.6 protobuf==7.36.2 flatbuffers==25.12.19 \
    packaging==26.4 ml_dtypes==0.6.0 typing_extensions==4.16.0 onnx==1.23.2 onnxruntime==1.32.0
  touch "$environment/complete"
fi
"$DERMIS_BUILD/tests/edge_sample" "$scratch"
cd "$scratch"
"$environment/bin/python" - <<'PYTHON'
import numpy, onnx, onnxruntime, pathlib

onnxruntime.set_default_logger_severity(3)
for name in ("classifier", "student"):
    expected = numpy.fromfile(f"{name}.logits")
    for precision, error in (("fp32", 1e-4), ("fp16", 2e-2), ("int8", 3e-1)):
        file = f"{name}.{precision}.onnx"
        model = onnx.load(file)
        onnx.checker.check_model(model, full_check=True)
        assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)], model.opset_import
        assert {"mean", "std", "classes"} <= {entry.key for entry in model.metadata_props}
        kinds = {node.op_type for node in model.graph.node}
        assert ("MatMulInteger" in kinds) == (precision == "int8") and "Erf" in kinds, kinds
        side = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
        pixels = numpy.fromfile(f"{name}.pixels", numpy.float32).reshape(1, 3, side, side)
        session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
        one = session.run(["logits"], {"pixels": pixels})[0]
        assert numpy.abs(one.ravel() - expected).max() < error, (file, one, expected)
        if precision == "fp32":
            two = session.run(["logits"], {"pixels": numpy.concatenate([0 * pixels, pixels])})[0]
            assert numpy.abs(two[1] - one[0]).max() < 1e-5, file
        print(file, numpy.abs(one.ravel() - expected).max())
PYTHON

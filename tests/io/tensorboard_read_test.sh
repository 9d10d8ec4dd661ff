#!/usr/bin/env bash
# TensorBoard itself reads what TensorBoardWriter wrote: tags, steps, values, pictures, texts, and what a resumed run makes
# it forget. Needs pip once; the environment stays below the build folder.
set -euo pipefail

venv=$DERMIS_BUILD/tests/tensorboard_venv
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [[ ! -e $venv/complete ]]; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check tensorboard==2.21.0
  touch "$venv/complete"
fi
if "$venv/bin/pip" list --format=freeze 2>/dev/null | grep -iE '^(torch|tensorflow)'; then
  echo "FAILED: tensorboard drew in the packages above"
  exit 1
fi

"$DERMIS_BUILD/tests/tensorboard_sample" "$work/run"
# A killed run: the last record is cut.
"$DERMIS_BUILD/tests/tensorboard_sample" "$work/whole"
mkdir "$work/killed"
first=$(find "$work/whole" -name 'events.*' | sort | sed -n 1p)
head -c -3 "$first" >"$work/killed/${first##*/}"

"$venv/bin/python" - "$work" <<'PYTHON'
import io, math, os, struct, sys
import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.util import tensor_util

work = sys.argv[1]
single = lambda value: struct.unpack("f", struct.pack("f", value))[0]

def equal(what, got, expected):
    if got != expected:
        sys.exit(f"FAILED: {what}: expected {expected}, got {got}")

run = EventAccumulator(f"{work}/run", size_guidance={"tensors": 0, "scalars": 0, "images": 0, "histograms": 0})
run.Reload()
tags = run.Tags()
equal("scalar tags", sorted(tags["scalars"]), ["loss/train", "ä umlaut"])
curve = run.Scalars("loss/train")
equal("steps, 5 to 7 of the first run forgotten", [e.step for e in curve], [0, 1, 2, 3, 4, 5, 6])
equal("values", [e.value for e in curve], [single(math.exp(-s)) for s in range(5)] + [10, 11])
equal("negative value", [(e.step, e.value) for e in run.Scalars("ä umlaut")], [(1, -2.5)])

[image] = run.Images("sample")
equal("picture's size", (image.step, image.width, image.height), (2, 5, 3))
pixels = np.asarray(Image.open(io.BytesIO(image.encoded_image_string)))
equal("pixels", (pixels.shape, pixels[2, 4].tolist(), int(pixels.sum())), ((3, 5, 3), [10, 250, 10], 44 * 10 + 250))

[histogram] = run.Histograms("weights")
value = histogram.histogram_value
equal("histogram", (histogram.step, value.min, value.max, value.num, value.sum, value.sum_squares), (3, -1, 2, 5, 3.5, 9.25))
counts = {round(limit, 6): count for limit, count in zip(value.bucket_limit, value.bucket) if count}
equal("buckets", (len(value.bucket), counts), (30, {-0.9: 1, 0.1: 1, 0.6: 1, 2.0: 2}))

[text] = run.Tensors("options")
equal("text", (text.step, tensor_util.make_ndarray(text.tensor_proto).tolist()), (0, [b"learning rate *0.1*"]))
equal("text's plugin", run.SummaryMetadata("options").plugin_data.plugin_name, "text")

# What the TensorBoard page loads with: it must classify the values by itself.
[killed] = os.listdir(f"{work}/killed")
events = list(EventFileLoader(f"{work}/killed/{killed}").Load())
equal("first record", events[0].file_version, "brain.Event:2")
kinds = [(e.step, v.tag, v.metadata.plugin_data.plugin_name) for e in events for v in e.summary.value]
equal("records of a killed run", kinds,
      [(s, "loss/train", "scalars") for s in range(8)] +
      [(2, "sample", "images"), (0, "options", "text"), (3, "weights", "histograms")])
print("tensorboard: all read as written")
PYTHON

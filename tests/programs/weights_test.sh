# The conversion that docs/weights.md shows, run as it stands there: a file in MAE's layout, made with torch, starts a
# classifier, and its weights arrive unchanged.
. "$(dirname "$0")/support.sh"

docs=$(cd "$here/../../docs" && pwd)
python=$("$here/python_with_torch.sh")
awk '/^```python/ { inside = 1; next } /^```/ { inside = 0 } inside' "$docs/weights.md" >"$scratch/convert.py"
[[ $(wc -l <"$scratch/convert.py") -le 12 ]] || fail "the recipe has grown beyond its promise"

"$python" - "$scratch/mae.pth" <<'PY'
import sys, torch
torch.manual_seed(0)
dim, depth, tokens = 64, 2, 1 + 16
state = {"cls_token": torch.randn(1, 1, dim), "pos_embed": torch.randn(1, tokens, dim),
         "patch_embed.proj.weight": torch.randn(dim, 3, 8, 8), "patch_embed.proj.bias": torch.randn(dim),
         "norm.weight": torch.ones(dim), "norm.bias": torch.zeros(dim), "mask_token": torch.zeros(1, 1, 16)}
for i in range(depth):
    for name, shape in {"norm1": (dim,), "norm2": (dim,), "attn.qkv": (3 * dim, dim), "attn.proj": (dim, dim),
                        "mlp.fc1": (4 * dim, dim), "mlp.fc2": (dim, 4 * dim)}.items():
        state[f"blocks.{i}.{name}.weight"] = torch.randn(shape) * 0.1
        state[f"blocks.{i}.{name}.bias"] = torch.zeros(shape[0])
torch.save({"model": state}, sys.argv[1])
PY
"$python" "$scratch/convert.py" "$scratch/mae.pth" "$scratch/encoder.safetensors"

cat >"$scratch/config.json" <<'JSON'
{"phantom_images": 96, "phantom_validation_per_class": 2, "phantom_test_per_class": 2,
 "teacher": {"model": {"patch_size": 8, "dim": 64, "depth": 2, "heads": 1, "mean_pooling": false},
             "training": {"steps": 1, "batch_size": 8, "warmup_steps": 0, "learning_rate": 1e-12, "weight_decay": 0, "ema_decay": 0}}}
JSON
finetune --init "$scratch/encoder.safetensors" --config "$scratch/config.json" --image-size 32 --out "$scratch/out" \
  >/dev/null 2>"$scratch/log" || fail "$(cat "$scratch/log")"
"$python" - "$scratch/mae.pth" "$scratch/out/classifier.safetensors" <<'PY'
import sys, torch
from safetensors.torch import load_file
before, after = torch.load(sys.argv[1], weights_only=True)["model"], load_file(sys.argv[2])
for name, value in before.items():
    if name == "mask_token":
        continue
    assert (after[name] - value).abs().max() < 1e-6, name
assert after["head.weight"].shape == (8, 64)
PY
echo "weights: ok"

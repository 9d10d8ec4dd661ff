# new_kind: a small run leaves figures, pictures and adapters, and goes on to the same; wrong kinds are refused.
. "$(dirname "$0")/support.sh"
cat >"$scratch/tiny.json" <<'JSON'
{"data": {"image_size": 32, "phantom_images": 96, "phantom_validation_per_class": 1, "phantom_test_per_class": 4},
 "autoencoder": {"model": {"channels": [8, 16], "norm_groups": 4}, "training": {"steps": 4, "batch_size": 8, "warmup_steps": 1}},
 "model": {"dim": 24, "heads": 2, "double_blocks": 1, "single_blocks": 1, "axes": [4, 4, 4]},
 "base": {"training": {"steps": 4, "batch_size": 8, "warmup_steps": 1}},
 "adapter": {"training": {"steps": 4, "batch_size": 8, "warmup_steps": 1}, "low_rank": {"rank": 2, "alpha": 2}},
 "text_dim": 8, "draws_per_kind": 8, "latent_views": 1, "sampling": {"steps": 2}, "images_per_kind": 4,
 "judge": {"model": {"dim": 16, "depth": 1, "heads": 2}, "training": {"steps": 4, "batch_size": 8, "warmup_steps": 1}}}
JSON
run() { new_kind --config "$scratch/tiny.json" --kind DF --out "$scratch/out" "$@" >"$scratch/stdout" 2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "new_kind $*"; }; }
run
grep -q '^adapter_replay: new kind ' "$scratch/stdout" || fail "no line of adapter_replay"
for file in new_kind.json new_kind.html pictures.png adapter.safetensors adapter_replay.safetensors config.json; do
  [ -s "$scratch/out/$file" ] || fail "no $file"
done
[ "$(find "$scratch/out/adapter/images" -name '*.png' | wc -l)" = 32 ] || fail "four images a kind"
verify "$scratch/out/base/images" >"$scratch/stdout" || fail "its images are marked"
cp "$scratch/out/new_kind.json" "$scratch/before.json"
run --resume
cmp "$scratch/before.json" "$scratch/out/new_kind.json" || fail "--resume differs"
new_kind --config "$scratch/tiny.json" --dry-run >"$scratch/plan" || fail "--dry-run"
grep -q adapter_replay "$scratch/plan" || fail "no plan"
expect 1 "expected one of the classes" new_kind --config "$scratch/tiny.json" --kind WART --out "$scratch/none"
expect 1 "expected preset demo, got study" new_kind --preset study --out "$scratch/none"
echo "new_kind: ok"

# audit: a folder that `synthesize` drew is audited, a planted copy is found and set aside, and what cannot be audited is
# one clear error.
. "$(dirname "$0")/support.sh"

quiet() { "$@" >"$scratch/stdout" 2>"$scratch/stderr" || { cat "$scratch/stdout" "$scratch/stderr" >&2; fail "$*"; }; }

cat >"$scratch/audit.json" <<'JSON'
{
  "image_size": 32,
  "phantom_images": 160, "phantom_validation_per_class": 4, "phantom_test_per_class": 25,
  "autoencoder": {"model": {"channels": [8, 16], "norm_groups": 4}, "training": {"steps": 6, "batch_size": 8, "warmup_steps": 1}},
  "generator": {"model": {"channels": [8, 16], "attention": [0, 1], "head_dim": 8, "norm_groups": 4},
                "training": {"steps": 8, "batch_size": 8, "warmup_steps": 1}, "sampling_steps": 2},
  "synthetic_target": 12, "synthetic_minimum": 22,
  "teacher": {"model": {"dim": 16, "depth": 2, "heads": 2}, "training": {"steps": 8, "batch_size": 8, "warmup_steps": 1}}
}
JSON
quiet synthesize --config "$scratch/audit.json" --out "$scratch/model"
drawn=$scratch/model/synthetic
quiet audit --config "$scratch/audit.json" --synthetic "$drawn" --model "$scratch/model" --out "$scratch/audit" --json
for key in findings distribution fidelity realness memorisation membership leakage skin_tone group_gaps shortcuts; do
  grep -q "^  \"$key\":" "$scratch/audit/audit.json" || fail "audit.json lacks $key"
done
grep -q '</html>' "$scratch/audit/audit.html" || fail "audit.html is not whole"
cmp "$scratch/stdout" "$scratch/audit/audit.json" || fail "--json prints something else than audit.json"

expect 1 "expected --synthetic DIR" audit --config "$scratch/audit.json" --out "$scratch/x"
expect 1 "lineage.json" audit --config "$scratch/audit.json" --synthetic "$scratch/audit" --out "$scratch/x"
# Another seed, another split: the generator has seen what would be held out.
photos "$scratch/photos"
data=(--data "$scratch/photos" --labels labels.csv --classes MEL,NV,BCC --config "$here/tiny.json")
quiet synthesize "${data[@]}" --seed 3 --out "$scratch/own"
expect 1 "trained on" audit "${data[@]}" --seed 4 --synthetic "$scratch/own/synthetic" --out "$scratch/x"

# Arms with several seeds: what they share is trained once, what is there is not run again, two runs agree to the bit.
. "$(dirname "$0")/support.sh"
cat >"$scratch/arms.json" <<'JSON'
{"title": "tiny arms", "judge": "real",
 "arms": [{"name": "real", "synthetic": false}, {"name": "both"},
          {"name": "flow", "recipe": {"generator": {"objective": "flow"}}},
          {"name": "teacher", "start": "pretrained"},
          {"name": "student", "start": "distilled", "teacher": "teacher"},
          {"name": "alone", "start": "alone"}],
 "comparisons": [{"first": "both", "second": "real"}],
 "sweeps": [{"title": "arms", "setting": "number", "points": [{"value": 1, "arm": "real"}, {"value": 2, "arm": "both"}]}]}
JSON
run() { experiment "$scratch/arms.json" --config "$here/tiny.json" --seeds 0,1 --out "$1" "${@:2}" >"$scratch/stdout" 2>"$scratch/stderr"; }
run "$scratch/out" || { cat "$scratch/stderr" >&2; fail "experiment"; }
grep -q 'both less real: ' "$scratch/stdout" || fail "no comparison"
grep -q '<svg' "$scratch/out/report.html" || fail "no chart"
grep -q '"by_seed"' "$scratch/out/experiment.json" || fail "experiment.json"
[ "$(find "$scratch/out" -type d -name autoencoder | wc -l)" = 1 ] || fail "the first stage is trained once"
[ "$(find "$scratch/out/seed_1" -type d -name generator | wc -l)" = 2 ] || fail "diffusion and flow, one generator each"
[ "$(find "$scratch/out/seed_1" -type d -name synthetic | wc -l)" = 2 ] || fail "their images apart"
[ "$(find "$scratch/out" -path '*/arms/*.json' | wc -l)" = 12 ] || fail "six arms, two seeds"
python3 - "$scratch/out" <<'PY' || fail "seeds differ, synthetic images are judged"
import json, sys
read = lambda seed, arm: json.load(open(f"{sys.argv[1]}/seed_{seed}/arms/{arm}.json"))
assert read(0, "teacher")["predictions"] != read(1, "teacher")["predictions"]
assert read(0, "real")["generation"] is None and 0 <= read(0, "flow")["generation"]["recognised"]["mean"] <= 1
assert read(0, "flow")["generation"] != read(0, "both")["generation"]
assert read(0, "teacher")["image_passes"] == 8 * 8 + 6 * 8 and read(0, "student")["image_passes"] == 8 * 8
PY

expect 1 "is there already: go on with it by --resume" experiment "$scratch/arms.json" --config "$here/tiny.json" --out "$scratch/out"
# One arm's result is lost: it alone is run again, to the same bytes, from its finished training and from nothing.
cp -r "$scratch/out/seed_1/arms" "$scratch/arms"
rm "$scratch/out/seed_1/arms/student.json"
touch "$scratch/before"
run "$scratch/out" --resume || fail "--resume"
cmp "$scratch/arms/student.json" "$scratch/out/seed_1/arms/student.json" || fail "a resumed arm differs"
[ -z "$(find "$scratch/out" -name both.json -newer "$scratch/before")" ] || fail "an arm that was there is run again"
rm -r "$scratch/out/seed_1/base/student" "$scratch/out/seed_1/arms/student.json"
run "$scratch/out" --resume || fail "--resume without the training"
cmp "$scratch/arms/student.json" "$scratch/out/seed_1/arms/student.json" || fail "an arm trained again differs"
sed 's/"phantom_images": 96/"phantom_images": 97/' "$here/tiny.json" >"$scratch/other.json"
expect 1 "recipe.phantom_images is 96, now 97" experiment "$scratch/arms.json" --config "$scratch/other.json" --seeds 0,1 --resume --out "$scratch/out"
expect 2 "file is required" experiment --out "$scratch/none"
expect 1 "cannot read" experiment "$scratch/nothing.json" --out "$scratch/none"

# The base arm's folder is one that dermae goes on with: same stages, same settings.
mkdir "$scratch/own"
cp -r "$scratch/out/first_stage/base/autoencoder" "$scratch/out/seed_0/base/generator" "$scratch/own"
dermae --config "$here/tiny.json" --seed 0 --no-checks --resume --out "$scratch/own" >/dev/null 2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "dermae --resume"; }
cmp "$scratch/own/generator.safetensors" "$scratch/out/seed_0/base/generator.safetensors" || fail "dermae's generator and the experiment's differ"
echo "experiment: ok"

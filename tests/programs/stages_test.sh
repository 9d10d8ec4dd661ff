# Each program by itself, on ordinary files: what one writes the next one reads.
. "$(dirname "$0")/support.sh"
photos "$scratch/photos"
data=(--data "$scratch/photos" --labels labels.csv --classes MEL,NV,BCC --seed 3)
training=(--config "$here/tiny.json")
quiet() { "$@" >"$scratch/stdout" 2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "$*"; }; }

quiet synthesize "${data[@]}" "${training[@]}" --out "$scratch/generator"
[ "$(find "$scratch/generator/synthetic" -name '*.png' | wc -l)" -gt 0 ] || fail "no synthetic image"
grep -q 'SYNTHETIC: not a patient' "$(find "$scratch/generator/synthetic" -name '*.png' | sed -n 1p)" || fail "a synthetic image does not say so"
quiet synthesize --model "$scratch/generator" --per-class 2 --out "$scratch/more"
[ "$(find "$scratch/more/synthetic" -name '*.png' | wc -l)" = 6 ] || fail "expected two images of each of three classes"
# The same image whatever else is drawn beside it.
quiet synthesize --model "$scratch/generator" --per-class 3 --out "$scratch/three"
cmp "$scratch/more/synthetic/NV/synthetic_NV_00001.png" "$scratch/three/synthetic/NV/synthetic_NV_00001.png" || fail "a drawn image depends on its batch"
sed 's/"sampling_steps": 2/"sampling_steps": 2, "objective": "flow"/' "$here/tiny.json" >"$scratch/flow.json"
grep -q flow "$scratch/flow.json" || fail "flow.json"
quiet synthesize "${data[@]}" --config "$scratch/flow.json" --out "$scratch/flow"

quiet pretrain "${data[@]}" "${training[@]}" --synthetic "$scratch/generator/synthetic" --out "$scratch/mae"
quiet finetune "${data[@]}" "${training[@]}" --synthetic "$scratch/generator/synthetic" --init "$scratch/mae/mae.safetensors" --out "$scratch/teacher"
quiet distill "${data[@]}" "${training[@]}" --teacher "$scratch/teacher/classifier.safetensors" --out "$scratch/student"
quiet distill "${data[@]}" "${training[@]}" --teacher "$scratch/teacher/classifier.safetensors" --layers 1 --out "$scratch/half"
quiet evaluate --model "$scratch/student/student.safetensors" "${data[@]}" --out "$scratch/figures.json"
grep -q '"balanced_accuracy"' "$scratch/figures.json" || fail "figures.json"
quiet predict --model "$scratch/student/student.safetensors" "$scratch/photos/images" --out "$scratch/probabilities.csv"
[ "$(wc -l <"$scratch/probabilities.csv")" = 151 ] || fail "expected a header and 150 lines"
[ "$(head -1 "$scratch/probabilities.csv")" = image,MEL,NV,BCC ] || fail "header: $(head -1 "$scratch/probabilities.csv")"
image=$(find "$scratch/photos/images" -name '*.png' | sort | sed -n 1p)
quiet predict --model "$scratch/student/student.safetensors" "$image"
diff "$scratch/stdout" <(head -1 "$scratch/probabilities.csv"; grep -F "$image," "$scratch/probabilities.csv") || fail "one image and the folder disagree"
quiet predict --model "$scratch/student/student.safetensors" "$image" --json
grep -q '"probabilities"' "$scratch/stdout" || fail "predict --json"
quiet evaluate --model "$scratch/student/student.safetensors" "${data[@]}"
grep -q 'test part, .* images: balanced accuracy .* % (.* to .*)' "$scratch/stdout" || { cat "$scratch/stdout" >&2; fail "evaluate's summary"; }
quiet dermae --preset paper --dry-run --json
grep -q '"parameters": 630775048' "$scratch/stdout" || fail "dry run as JSON"
awk -F, 'NR > 1 { s = $2 + $3 + $4; if (s < 0.9999 || s > 1.0001) exit 1 }' "$scratch/probabilities.csv" || fail "probabilities do not sum to 1"
dermae --preset paper --dry-run >"$scratch/plan" || fail "dry run"
grep -q 'teacher.*630775048' "$scratch/plan" || { cat "$scratch/plan" >&2; fail "the paper's teacher has about 631 million parameters"; }
for program in phantom synthesize pretrain finetune distill evaluate predict dermae; do
  grep -q 'Examples:' <<<"$("$program" --help)" || fail "$program --help does not teach"
done
echo "stages: ok"

# A trained classifier as files for a phone, and that a phone says what `predict` says.
. "$(dirname "$0")/support.sh"
photos "$scratch/photos"
data=(--data "$scratch/photos" --labels labels.csv --classes MEL,NV,BCC --seed 3)
quiet() { "$@" >"$scratch/stdout" 2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "$*"; }; }
has() { grep -qF -- "$2" "$1" || fail "$1 does not say $2"; }

quiet finetune "${data[@]}" --config "$here/tiny.json" --colour-constancy --out "$scratch/model"
model=$scratch/model/classifier.safetensors
quiet deploy --model "$model" "${data[@]}" --onnx --abstain-below 0.99 --out "$scratch/phone"
for precision in fp32 fp16 int8; do
  [ -s "$scratch/phone/classifier.$precision.onnx" ] || fail "no ONNX file of $precision"
  has "$scratch/phone/deploy.json" "\"precision\": \"$precision\""
done
has "$scratch/phone/deploy.json" '"agreement": 1.0'
has "$scratch/phone/deploy.html" 'Recall by class'

# The class of every photograph, from the file on: preprocessing, resize, network.
quiet predict --model "$model" "$scratch/photos" --out "$scratch/predict.csv"
awk -F, 'NR == 1 { for (i = 2; i <= NF; ++i) name[i] = $i; next }
  { best = 2; for (i = 3; i <= NF; ++i) if ($i > $best) best = i; print $1 ": " name[best] }' "$scratch/predict.csv" >"$scratch/expected"
cut -d: -f1 "$scratch/expected" | xargs -d '\n' edge_cli "$scratch/phone/classifier.fp32.edge" >"$scratch/said"
cut -d' ' -f1,2 "$scratch/said" | diff - "$scratch/expected" || fail "edge_cli and predict disagree"
has "$scratch/said" '(not sure)'

expect 2 "--exit-confidence excludes --exit-loss" deploy --model "$model" "${data[@]}" --exit-loss 0.1 --exit-confidence 0.5 --out "$scratch/phone"
expect 1 "expected precision fp32, fp16 or int8, got 'int3'" deploy --model "$model" "${data[@]}" --precision int3 --out "$scratch/phone"
expect 1 "expected an edge file" edge_cli "$model" "$scratch/photos"

# The training kit on ordinary files: other forms of labels, preprocessing that a model remembers, folds, decisions, the
# official score.
. "$(dirname "$0")/support.sh"
photos "$scratch/photos"
data=(--data "$scratch/photos" --labels labels.csv --classes MEL,NV,BCC --seed 3)
training=(--config "$here/tiny.json")
quiet() { "$@" >"$scratch/stdout" 2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "$*"; }; }
has() { grep -qF -- "$2" "$1" || fail "$1 does not say $2"; }

# Folds: every image is judged once, and two settings on the same folds.
quiet crossvalidate "${data[@]}" "${training[@]}" --folds 3 --against "$here/tiny.json" --pretrain --views 2 --out "$scratch/folds"
has "$scratch/folds/metrics.json" '"difference"'
images=$(awk -F, 'NR > 1 && ($2 == "MEL" || $2 == "NV" || $2 == "BCC")' "$scratch/photos/labels.csv" | wc -l)
[ "$(tail -n +2 "$scratch/folds/setting.csv" | cut -d, -f1 | sort -u | wc -l)" = "$images" ] || fail "not every image is judged once"
awk -F, 'NR > 1 { if (fold[$3] != "" && fold[$3] != $4) exit 1; fold[$3] = $4 }' "$scratch/folds/setting.csv" || fail "a lesion is in two folds"

# A model remembers what its images went through; the label forms agree.
mkdir "$scratch/sorted"
tail -n +2 "$scratch/photos/labels.csv" | while IFS=, read -r image label rest; do
  mkdir -p "$scratch/sorted/$label"
  ln "$(find "$scratch/photos" -name "$(basename "$image")*" | sed -n 1p)" "$scratch/sorted/$label/"
done
quiet finetune --data "$scratch/sorted" --classes MEL,NV,BCC --seed 3 "${training[@]}" --colour-constancy --select-best \
  --tensorboard --out "$scratch/model"
model=$scratch/model/classifier.safetensors
grep -aq '"colour_constancy\\*": *true' "$model" || fail "the model file does not say colour_constancy"
[ -n "$(find "$scratch/model/classifier/tensorboard" -name 'events.out.tfevents.*.dermis.*')" ] || fail "no event file"
grep -q '"validation"' "$scratch/model/classifier/metrics.jsonl" || fail "no validation in metrics.jsonl"
quiet finetune "${data[@]}" "${training[@]}" --init "$model" --linear-probe --out "$scratch/probe"

# A copy under another name, smaller, stays in one part with its original, and is listed.
cp -r "$scratch/photos" "$scratch/copies"
original=$(awk -F, '$2 == "NV" { print $1; exit }' "$scratch/photos/labels.csv")
cp "$scratch/photos/$original" "$scratch/copies/images/copied.png"
echo "images/copied.png,NV,copied" >>"$scratch/copies/labels.csv"
quiet pretrain --data "$scratch/copies" --labels labels.csv --classes MEL,NV,BCC --seed 3 "${training[@]}" --json --out "$scratch/copied"
has "$scratch/stderr" "near-duplicates: 1 pairs"
[ "$(awk -F, 'NR > 1 && $4 == $5' "$scratch/copied/duplicates.csv" | wc -l)" = 1 ] || { cat "$scratch/copied/duplicates.csv" >&2; fail "the copy is not beside its original"; }
has "$scratch/stdout" '"masked_error"'
[ "$(head -c 1 "$scratch/stdout")" = "{" ] || fail "--json prints more than JSON"

# Decisions, submission, official score.
quiet evaluate --model "$model" "${data[@]}" --submission "$scratch/submission.csv" --official --out "$scratch/figures.json"
has "$scratch/figures.json" '"official"'
[ "$(head -1 "$scratch/submission.csv")" = image,MEL,NV,BCC,AK,BKL,DF,VASC,SCC,UNK ] || fail "submission's header"
{ echo reader,image,decision; tail -n +2 "$scratch/submission.csv" | cut -d, -f1 | awk '{ print "A," $1 "," NR % 2 }'; } >"$scratch/readers.csv"
quiet evaluate --model "$model" --model "$scratch/probe/classifier.safetensors" --views 8 "${data[@]}" --report "$scratch/decisions.html" \
  --positive MEL --sensitivity 0.8 --readers "$scratch/readers.csv" --out "$scratch/decisions.json"
for figure in temperature operating_point prediction_sets abstention partial_auc readers; do has "$scratch/decisions.json" "\"$figure\""; done
for heading in Calibration "Operating point" Readers "Prediction sets" Abstention "not a medical device"; do has "$scratch/decisions.html" "$heading"; done

# Truth against predictions, without a model.
{ echo image,MEL,NV,BCC; printf 'a,1,0,0\nb,0,1,0\nc,0,0,1\nd,1,0,0\n'; } >"$scratch/truth.csv"
{ echo image,MEL,NV,BCC; printf 'a,0.9,0.1,0.0\nb,0.2,0.7,0.1\nc,0.6,0.1,0.3\nd,0.3,0.4,0.3\n'; } >"$scratch/predictions.csv"
quiet evaluate --predictions "$scratch/predictions.csv" --truth "$scratch/truth.csv"
# recall 1/2, 1 and 0
grep -q '"balanced_accuracy": 0.5$\|"balanced_accuracy": 0.5,' "$scratch/stdout" || { cat "$scratch/stdout" >&2; fail "official balanced accuracy"; }

expect 1 "expected --model FILE or --predictions CSV" evaluate "${data[@]}"
expect 1 "--report needs --positive" evaluate --model "$model" "${data[@]}" --report "$scratch/x.html"
expect 1 "expected 1, 2 or 8 views, got 3" evaluate --model "$model" "${data[@]}" --views 3
expect 1 "got WHAT" evaluate --model "$model" "${data[@]}" --report "$scratch/x.html" --positive WHAT
[ ! -e "$scratch/x.html" ] || fail "a refused report was written"
expect 1 "fold" crossvalidate "${data[@]}" "${training[@]}" --folds 1 --out "$scratch/one"
expect 2 "--linear-probe" finetune "${data[@]}" "${training[@]}" --linear-probe --out "$scratch/probe2"
echo "kit: ok"

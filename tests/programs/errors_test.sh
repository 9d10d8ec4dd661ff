# Bad input: one clear line, exit code 1 for a run that cannot be, 2 for wrong usage, and nothing half-written.
. "$(dirname "$0")/support.sh"
photos "$scratch/photos"
labels="$scratch/photos/labels.csv"
tiny=(dermae --config "$here/tiny.json" --out "$scratch/out")

expect 1 "$scratch/nowhere" "${tiny[@]}" --data "$scratch/nowhere" --labels "$labels"
mkdir "$scratch/empty"
expect 1 "$scratch/empty" "${tiny[@]}" --data "$scratch/empty" --labels "$labels"
printf 'picture,diagnosis\nx,NV\n' >"$scratch/columns.csv"
expect 1 columns.csv "${tiny[@]}" --data "$scratch/photos" --labels "$scratch/columns.csv"
{ cat "$labels"; echo "images/no_such_image.png,NV,L9"; } >"$scratch/missing.csv"
expect 1 no_such_image "${tiny[@]}" --data "$scratch/photos" --labels "$scratch/missing.csv"
expect 1 "two classes" "${tiny[@]}" --data "$scratch/photos" --labels "$labels" --classes NV
expect 1 MLE "${tiny[@]}" --data "$scratch/photos" --labels "$labels" --classes MLE,NV
expect 1 "patch" "${tiny[@]}" --image-size 30
expect 1 "preset demo, study or paper" dermae --preset huge --out "$scratch/out"
expect 1 "unknown key 'hedas'" dermae --config <(echo '{"teacher": {"model": {"hedas": 3}}}') --out "$scratch/out"
expect 1 "no labels file: its sub-folders are the classes" dermae --data "$scratch/photos" --out "$scratch/out"
expect 2 "--unknown" dermae --unknown
expect 2 "--seed" dermae --seed many
expect 2 "--model" predict "$scratch/photos"
echo text >"$scratch/file"
expect 1 "$scratch/file" dermae --config "$here/tiny.json" --out "$scratch/file/below"

# A checkpoint of another architecture, a file that is none, an image that is none.
phantom --out "$scratch/one" --images 8 --image-size 40 >/dev/null 2>&1
pretrain --config "$here/tiny.json" --out "$scratch/mae" >/dev/null 2>&1
expect 1 "expected architecture vit, got mae" predict --model "$scratch/mae/mae.safetensors" "$scratch/one/images"
expect 1 "$scratch/file" predict --model "$scratch/file" "$scratch/one/images"
expect 1 "expected an encoder" finetune --config <(sed 's/"teacher": {"model": {"dim": 16, "depth": 2/"teacher": {"model": {"dim": 16, "depth": 3/' "$here/tiny.json") \
  --init "$scratch/mae/mae.safetensors" --out "$scratch/other"
finetune --config "$here/tiny.json" --out "$scratch/classifier" >/dev/null 2>&1
model="$scratch/classifier/classifier.safetensors"
expect 1 "$scratch/empty" predict --model "$model" "$scratch/empty"
cp "$scratch/file" "$scratch/broken.png"
expect 1 broken.png predict --model "$model" "$scratch/broken.png"
expect 1 "classes" evaluate --model "$model" --data "$scratch/photos" --labels "$labels" --classes NV,MEL,BCC

# Another configuration in the same folder is not silently continued.
expect 1 "steps" finetune --config <(sed 's/"steps": 8/"steps": 9/g' "$here/tiny.json") --resume --out "$scratch/classifier"
# Corrupt images are left out, counted and named; the run goes on.
cp -r "$scratch/photos" "$scratch/corrupt"
victim=$(awk -F, '$2 == "NV" { print $1; exit }' "$labels")
head -c 100 "$scratch/photos/$victim" >"$scratch/corrupt/$victim"
finetune --config "$here/tiny.json" --data "$scratch/corrupt" --labels labels.csv --classes MEL,NV,BCC --out "$scratch/k" >/dev/null 2>"$scratch/log" ||
  { cat "$scratch/log" >&2; fail "a corrupt image stopped the run"; }
grep -q '1 corrupt' "$scratch/log" || fail "the corrupt image is not counted"
grep -qF "$(basename "$victim")" "$scratch/log" || fail "the corrupt image is not named"
echo "errors: ok"

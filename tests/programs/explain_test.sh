# explain: a ViT beside a student and a ResNet of its size, on the phantom and on a folder with masks; a page and figures.
. "$(dirname "$0")/support.sh"
quiet() { "$@" >"$scratch/stdout" 2>"$scratch/stderr" || { cat "$scratch/stdout" "$scratch/stderr" >&2; fail "$*"; }; }
tiny=(--config "$here/tiny.json" --seed 2)

quiet finetune "${tiny[@]}" --out "$scratch/vit"
quiet finetune "${tiny[@]}" --resnet --out "$scratch/cnn"
quiet explain --model "$scratch/vit/classifier.safetensors" --against "$scratch/vit/classifier.safetensors" \
  --resnet "$scratch/cnn/resnet.safetensors" "${tiny[@]}" --images 20 --out "$scratch/explained" --json
cmp "$scratch/stdout" "$scratch/explained/explain.json" || fail "--json prints something else than explain.json"
grep -q '"images": 20' "$scratch/stdout" || fail "expected 20 images"
for key in attention rollout grad_cam occlusion; do
  grep -q "\"$key\":" "$scratch/explained/explain.json" || fail "explain.json lacks $key"
done
grep -q '</html>' "$scratch/explained/explain.html" || fail "explain.html is not whole"
grep -q 'resnet, Grad-CAM' "$scratch/explained/explain.html" || fail "explain.html lacks the ResNet"
# The two models of one file look the same.
[ "$(grep -c '"parameters"' "$scratch/explained/explain.json")" = 3 ] || fail "expected three models"

# A folder: the phantom's files with the masks that were written beside them.
phantom --out "$scratch/photos" --images 60 --minimum-share 0.1 --image-size 40 --masks >"$scratch/stdout" 2>&1
data=(--data "$scratch/photos/images" --labels "$scratch/photos/labels.csv")
quiet explain --model "$scratch/vit/classifier.safetensors" "${data[@]}" --masks "$scratch/photos/masks" --part all \
  --occlusion blur --images 8 --out "$scratch/folder"
grep -q 'share in the lesion' "$scratch/stdout" || { cat "$scratch/stdout" >&2; fail "explain's summary"; }
grep -q '"fill": "blur"' "$scratch/folder/explain.json" || fail "the fill is not named"

expect 1 "--data needs --masks" explain --model "$scratch/vit/classifier.safetensors" "${data[@]}"
expect 1 "need --data" explain --model "$scratch/vit/classifier.safetensors" --part all
expect 1 "expected architecture resnet, got vit" explain --model "$scratch/vit/classifier.safetensors" "${tiny[@]}" \
  --resnet "$scratch/vit/classifier.safetensors" --images 8 --out "$scratch/x"
expect 2 "excludes" finetune --resnet --init "$scratch/vit/classifier.safetensors"
grep -q 'Examples:' <<<"$(explain --help)" || fail "explain --help does not teach"
echo "explain: ok"

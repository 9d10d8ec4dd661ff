# dermaflux: captions, training and resuming, images with their prompts, adapters, figures; what cannot be is refused.
. "$(dirname "$0")/support.sh"
tiny=(--config "$here/dermaflux.json")
run() { dermaflux "$@" >"$scratch/stdout" 2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "dermaflux $*"; }; }

run caption "${tiny[@]}" --out "$scratch/captions"
[ "$(grep -c 'This photo depicts a \(benign\|malignant\) lesion' "$scratch/captions/captions.csv")" = 96 ] || fail "captions of the phantom"

run train "${tiny[@]}" --out "$scratch/model"
run train "${tiny[@]}" --out "$scratch/again"
cmp "$scratch/model/text_to_image.safetensors" "$scratch/again/text_to_image.safetensors" || fail "the same seed gives another model"
cmp "$scratch/model/tokenizer.json" "$scratch/again/tokenizer.json" || fail "the vocabulary differs"

printf 'an asymmetrical black mole\n\na symmetrical light brown mole\n' >"$scratch/prompts.txt"
run generate --model "$scratch/model" --prompts "$scratch/prompts.txt" --count 2 --steps 2 --seed 4 --out "$scratch/drawn"
[ "$(ls "$scratch/drawn/prompted/"*.png | wc -l)" = 4 ] || fail "two images a prompt"
grep -q 'an asymmetrical black mole' "$scratch/drawn/report.html" || fail "no prompt in the report"
verify "$scratch/drawn" >"$scratch/marks" || fail "a mark is not whole"
for name in prompted_000000 prompted_000003; do grep -q 'trainedAlgorithmicMedia' "$scratch/drawn/prompted/$name.png" || fail "$name is not marked"; done

run train "${tiny[@]}" --base "$scratch/model" --out "$scratch/adapter"
run generate --model "$scratch/model" --adapter "$scratch/adapter/adapter.safetensors" --prompt "a mole" --out "$scratch/adapted"

run follow "${tiny[@]}" --model "$scratch/model" --out "$scratch/follow"
python3 - "$scratch/follow/following.json" <<'PY' || fail "following.json"
import json, sys
m = json.load(open(sys.argv[1]))
assert m["images"] == 16 and m["held_out_prompts"] >= 4
for part in (m["measuring"]["true_masks"], m["measuring"]["found_masks"], m["drawn"], m["shuffled_prompts"]):
    assert {"asymmetry", "border", "colour", "colours"} <= set(part)
assert m["measuring"]["true_masks"]["border"]["mean"] > 0
PY

run classify "${tiny[@]}" --out "$scratch/model"
[ "$(find "$scratch/model" -name 'dose_*_s000_*' | wc -l)" = 4 ] || fail "both methods share the trainings without synthetic images"
python3 - "$scratch/model/classify.json" <<'PY' || fail "classify.json"
import json, sys
m = json.load(open(sys.argv[1]))
assert set(m["methods"]) == {"flow", "diffusion"}
for rows in m["methods"].values():
    assert [(r["real_share"], r["dose"]) for r in rows] == [(0.5, 0), (0.5, 0.5), (1, 0), (1, 0.5)]
    for r in rows:
        assert r["synthetic_images"] == round(r["dose"] * r["real_images"])
        for key in ("balanced_accuracy", "auc"): assert 0 <= r[key]["lo"] <= r[key]["mean"] <= r[key]["hi"] <= 1
assert len(m["flow_minus_diffusion"]) == 4
assert m["flow_minus_diffusion"][0]["mean"] == 0  # without synthetic images they are one
PY

# Stopped by Ctrl-C, then resumed: exit code 130, the same weights.
sed 's/"steps": 8/"steps": 400/' "$here/dermaflux.json" >"$scratch/longer.json"
( dermaflux train --config "$scratch/longer.json" --out "$scratch/d" >/dev/null 2>"$scratch/log" & echo $! >"$scratch/pid"; wait $! || echo $? >"$scratch/code" ) &
for _ in $(seq 600); do [ -e "$scratch/d/text_to_image/metrics.jsonl" ] && break; sleep 0.05; done
kill -INT "$(cat "$scratch/pid")"
wait
[ "$(cat "$scratch/code")" = 130 ] || { cat "$scratch/log" >&2; fail "Ctrl-C gave exit code $(cat "$scratch/code")"; }
run train --config "$scratch/longer.json" --resume --out "$scratch/d"
run train --config "$scratch/longer.json" --out "$scratch/whole"
cmp "$scratch/d/text_to_image.safetensors" "$scratch/whole/text_to_image.safetensors" || fail "the resumed run differs"

dermaflux train --dry-run >"$scratch/plan" || fail "--dry-run"
for stage in autoencoder text_to_image classifier; do grep -q "^$stage " "$scratch/plan" || fail "the plan lacks $stage"; done
photos "$scratch/photos" --masks
run caption "${tiny[@]}" --data "$scratch/photos" --labels labels.csv --masks "$scratch/photos/masks" --out "$scratch/masked"
grep -q ' 0 images left out' "$scratch/stdout" || fail "all lesions have masks, but: $(cat "$scratch/stdout")"
run caption "${tiny[@]}" --data "$scratch/photos" --labels labels.csv --out "$scratch/measured"
cmp -s "$scratch/masked/captions.csv" "$scratch/measured/captions.csv" && fail "the masks are not read"
run train "${tiny[@]}" --data "$scratch/photos" --labels labels.csv --captions "$scratch/measured/captions.csv" --out "$scratch/own"
first=$(basename "$(find "$scratch/photos/images" -type f | sort | head -1)")
printf 'image,caption\nimages/%s,a mole\n' "$first" >"$scratch/few.csv"
expect 1 "training images have no caption" dermaflux train "${tiny[@]}" --data "$scratch/photos" --labels labels.csv --captions "$scratch/few.csv" --out "$scratch/none"
printf 'image,caption\nnone.png,a mole\n' >"$scratch/lost.csv"
expect 1 "1 of 1 captioned images are not in" dermaflux train "${tiny[@]}" --data "$scratch/photos" --labels labels.csv --captions "$scratch/lost.csv" --out "$scratch/none"
expect 1 "--captions and --masks need --data FOLDER" dermaflux caption --masks "$scratch/photos/masks" --out "$scratch/none"
expect 1 "expected --prompt TEXT or --prompts FILE" dermaflux generate --model "$scratch/model" --prompt "" --out "$scratch/none"
expect 1 "a prompt with words" dermaflux generate --model "$scratch/model" --prompt " " --out "$scratch/none"
expect 2 "subcommand" dermaflux
expect 1 "expected preset demo, got other" dermaflux train --preset other --out "$scratch/none"
echo "dermaflux: ok"

# dermae on ordinary files: all stages run, files have what they must, validation and test images reach no weight, a stopped run goes on
# to the same weights.
. "$(dirname "$0")/support.sh"
photos "$scratch/photos"
run() { dermae --data "$scratch/photos" --labels labels.csv --classes MEL,NV,BCC --config "$here/tiny.json" --no-checks "$@" 2>"$scratch/log" >"$scratch/checks"; }
weights="autoencoder.safetensors generator.safetensors mae.safetensors teacher.safetensors student.safetensors"

run --out "$scratch/a" || { cat "$scratch/log" >&2; fail "dermae"; }
for key in '"baselines"' '"arms"' '"real_balanced"' '"scratch_longer"' '"student_alone"' '"retention"' '"size_reduction"' '"speedup"' \
           '"kid"' '"fid"' '"per_class_recall"' '"image_passes"' '"latency_ms"' '"left_out"'; do
  grep -qF "$key" "$scratch/a/metrics.json" || fail "metrics.json lacks $key"
done
grep -q '</html>' "$scratch/a/report.html" || fail "report.html is not whole"
grep -qiE 'src="(http|/)|href="http' "$scratch/a/report.html" && fail "report.html loads something from outside"
for stage in autoencoder generator mae; do
  [ -n "$(find "$scratch/a/$stage/samples" -name 'step_*.png')" ] || fail "no sample pictures of $stage"
done
grep -q 'teacher: .* image passes; learning rate .* for 256 images.* parameters trained' "$scratch/log" || fail "what a stage is, is not said before it"
grep -q 'few images: class BCC has' "$scratch/log" || fail "a class with few images is not named"
[ "$(wc -l <"$scratch/checks")" = 7 ] || fail "expected six checks and the report's path"

# Poison: every validation and test image becomes another picture of its class. No weight and no synthetic image may change.
cp -r "$scratch/photos" "$scratch/clean"
poisoned=0
while IFS=, read -r image _ _ _ part; do
  case $part in
    validation|test)
      phantom --out "$scratch/noise" --images 1 --image-size 40 --seed $((1000 + poisoned)) >/dev/null 2>&1
      cp "$scratch"/noise/images/*.png "$scratch/photos/images/$(basename "$image").png"
      rm -rf "$scratch/noise"
      poisoned=$((poisoned + 1)) ;;
  esac
done <"$scratch/a/split.csv"
[ "$poisoned" -ge 20 ] || fail "the poison reached only $poisoned images"
run --out "$scratch/b"
for file in $weights; do cmp "$scratch/a/$file" "$scratch/b/$file" || fail "validation or test images reached $file"; done
diff -r "$scratch/a/synthetic" "$scratch/b/synthetic" >/dev/null || fail "validation or test images reached the synthetic images"
cmp -s <(grep -A8 '"student_alone"' "$scratch/a/metrics.json") <(grep -A8 '"student_alone"' "$scratch/b/metrics.json") &&
  fail "the poison changed no figure: the test proves nothing"
# The fault fires: a poisoned training image does change the weights.
first=$(awk -F, '$5 == "train" { print $1; exit }' "$scratch/a/split.csv")
phantom --out "$scratch/noise" --images 1 --image-size 40 --seed 5 >/dev/null 2>&1
cp "$scratch"/noise/images/*.png "$scratch/photos/images/$(basename "$first").png"
run --out "$scratch/c"
cmp -s "$scratch/a/autoencoder.safetensors" "$scratch/c/autoencoder.safetensors" && fail "a training image reached no weight"

# Stopped by Ctrl-C in the middle, then resumed: exit code 130, then the same weights to the bit.
rm -rf "$scratch/photos"; mv "$scratch/clean" "$scratch/photos"
( dermae --data "$scratch/photos" --labels labels.csv --classes MEL,NV,BCC --config "$here/tiny.json" --no-checks --out "$scratch/d" \
    >/dev/null 2>"$scratch/log" & echo $! >"$scratch/pid"; wait $! || echo $? >"$scratch/code" ) &
for _ in $(seq 600); do [ -e "$scratch/d/generator/metrics.jsonl" ] && break; sleep 0.05; done
kill -INT "$(cat "$scratch/pid")"
wait
[ "$(cat "$scratch/code")" = 130 ] || { cat "$scratch/log" >&2; fail "Ctrl-C gave exit code $(cat "$scratch/code")"; }
[ ! -e "$scratch/d/report.html" ] || fail "the run was over before it was stopped: the test proves nothing"
run --out "$scratch/d" --resume || { cat "$scratch/log" >&2; fail "resume"; }
for file in $weights; do cmp "$scratch/a/$file" "$scratch/d/$file" || fail "the resumed run gave another $file"; done
echo "dermae: ok"

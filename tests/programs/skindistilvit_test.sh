# skindistilvit: every figure is there, a stage finds what an earlier one trained, variants differ as they say, a stopped run goes on.
. "$(dirname "$0")/support.sh"
tiny=(--config "$here/distil.json")
run() { skindistilvit "${tiny[@]}" "$@" >"$scratch/stdout" 2>"$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "skindistilvit $*"; }; }

run --seeds 0,1 --out "$scratch/all"
python3 - "$scratch/all/metrics.json" <<'PY' || fail "metrics.json"
import json, sys
m = json.load(open(sys.argv[1]))
assert set(m["by_depth"]) == {"fcvit", "fcvit_probs", "combined", "cascade", "cascade_own"}
assert {d["first"] for d in m["differences"]} >= {"student_alone", "cascade", "cascade_own", "combined"}
assert {d["first"] for d in m["differences"] if d["depth"] == 3} == {"teacher", "teacher_longer"}
assert isinstance(m["retention_counts"], bool) and set(m["baselines"]) == {"thumbnail_16", "colour_histogram", "image_size"}
for rows in m["by_depth"].values():
    assert [row["depth"] for row in rows] == [1, 2, 3]
    for row in rows:
        b = row["balanced_accuracy"]
        assert b["lo"] <= b["mean"] <= b["hi"] and len(b["by_seed"]) == 2
        assert abs(row["recall"]["weighted"] - row["accuracy"]) < 1e-9  # they are one by definition
        assert abs(row["recall"]["macro"] - b["mean"]) < 1e-9
        assert set(row["cancer"]) == {"auc", "sensitivity", "specificity"}
assert set(m["ablation"]) == {"without_kl", "without_cross_entropy", "without_logit_mse", "with_hidden_cosine", "with_labels_only"}
for key in ("teacher", "teacher_longer", "student", "student_alone", "student_balanced_subset"): assert 0 <= m[key]["accuracy"] <= 1
assert m["teacher"]["depth"] == 3 and m["student"]["depth"] == 2
assert abs(m["retention"] - m["student"]["balanced_accuracy"]["mean"] / m["teacher"]["balanced_accuracy"]["mean"]) < 1e-9
assert abs(m["retention_longer"] - m["student"]["balanced_accuracy"]["mean"] / m["teacher_longer"]["balanced_accuracy"]["mean"]) < 1e-9
cost = m["cost"]
assert [c["depth"] for c in cost] == [1, 2, 3] and cost[0]["parameters"] < cost[1]["parameters"]
assert all(c["latency_1_ms"] > 0 and c["latency_64_ms"] > 0 for c in cost)
assert abs(m["size_reduction"] - (1 - cost[1]["bytes"] / cost[2]["bytes"])) < 1e-9
for points in m["early_exit"].values():
    depths = [p["mean_depth"] for p in points]
    assert depths[0] == 1 and depths == sorted(depths)
assert set(m["early_exit"]) == {"fcvit", "fcvit_probs", "combined"}
PY
grep -q 'paper: cascade' "$scratch/all/report.html" || fail "report.html"
grep -q '^cascade, depth 1: balanced accuracy' "$scratch/stdout" || fail "no table"
[ -e "$scratch/all/seed_1/cascade_2.safetensors" ] || fail "models are not left as files"
expect 1 "is there already: go on with it by --resume" skindistilvit "${tiny[@]}" --seeds 0,1 --out "$scratch/all"

# Stage by stage, each in a process of its own, to the same weights; a table trains nothing.
for stage in teacher student cascade full; do run --seeds 0 --stage "$stage" --out "$scratch/staged"; done
for file in teacher student combined cascade_1; do
  cmp "$scratch/all/seed_0/$file.safetensors" "$scratch/staged/seed_0/$file.safetensors" || fail "$file differs stage by stage"
done
touch "$scratch/before"
run --seeds 0 --stage table --out "$scratch/staged"
[ -z "$(find "$scratch/staged" -path '*checkpoint*' -newer "$scratch/before" -type f)" ] || fail "a table trains"

# Stopped by Ctrl-C, then resumed: exit code 130, the same weights.
( skindistilvit "${tiny[@]}" --seeds 0 --out "$scratch/d" >/dev/null 2>"$scratch/log" & echo $! >"$scratch/pid"; wait $! || echo $? >"$scratch/code" ) &
for _ in $(seq 600); do [ -e "$scratch/d/seed_0/student/metrics.jsonl" ] && break; sleep 0.05; done
kill -INT "$(cat "$scratch/pid")"
wait
[ "$(cat "$scratch/code")" = 130 ] || { cat "$scratch/log" >&2; fail "Ctrl-C gave exit code $(cat "$scratch/code")"; }
run --seeds 0 --resume --out "$scratch/d"
cmp "$scratch/all/seed_0/cascade_1.safetensors" "$scratch/d/seed_0/cascade_1.safetensors" || fail "the resumed run differs"

# The published recipe: nine logits of which eight are scored, whole images, a split by image.
run --variant code --seeds 0 --stage full --out "$scratch/published"
python3 - "$scratch/published/metrics.json" <<'PY' || fail "variant code"
import json, sys
m = json.load(open(sys.argv[1]))
assert m["classes"][-1] == "UNK" and len(m["classes"]) == 9 and m["split"].startswith("by image")
assert m["recipe"]["fcvit_probs"]["loss"]["growth"] == "published" and m["recipe"]["data"]["fit"] == "squash"
assert m["teacher"]["recall_by_class"]["UNK"] is None
assert abs(m["teacher"]["recall"]["macro"] - m["teacher"]["balanced_accuracy"]["mean"]) < 1e-9
PY

skindistilvit --dry-run >"$scratch/plan" || fail "--dry-run"
for stage in teacher student_without_kl combined cascade_1; do grep -q "^$stage " "$scratch/plan" || fail "the plan lacks $stage"; done
expect 1 "expected preset quick, default or full, got demo" skindistilvit --preset demo --out "$scratch/none"
expect 2 "--variant" skindistilvit --variant other --out "$scratch/none"
echo "skindistilvit: ok"

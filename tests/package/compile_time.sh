#!/usr/bin/env bash
# compile_time.sh COMPILER FLAG...: what our headers cost who includes them. User CPU time of compiling a program that
# runs a ViT, with the ViT's header or with all headers, over that of an empty one with <torch/torch.h>: at most 1.3 and
# 2.5. Alternating, best of two, so that what else the machine does weighs little.
set -euo pipefail

compile=("$@")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

run_a_vit='
int main() {
  dermis::ViT vit(dermis::ViTOptions{.image_size = 32, .patch_size = 8, .dim = 64, .depth = 2, .heads = 2});
  return vit->forward(at::zeros({1, 3, 32, 32})).size(1) == 64 ? 0 : 1;
}'
printf '#include <torch/torch.h>\nint main() {}\n' >"$work/torch.cpp"
printf '#include "dermis/models/vit.hpp"\n%s\n' "$run_a_vit" >"$work/vit.cpp"
printf '#include "dermis/dermis.hpp"\n%s\n' "$run_a_vit" >"$work/dermis.cpp"

# seconds <program>: user CPU time of compiling it.
seconds() {
  local TIMEFORMAT=%U
  { time "${compile[@]}" -c "$work/$1.cpp" -o /dev/null 2>&3; } 3>&2 2>&1
}

declare -A best
for round in 1 2; do
  for program in torch vit dermis; do
    taken=$(seconds $program)
    echo "round $round: $program ${taken} s"
    best[$program]=$(printf '%s\n' "$taken" "${best[$program]:-$taken}" | sort -g | sed -n 1p)
  done
done
awk -v torch="${best[torch]}" -v vit="${best[vit]}" -v dermis="${best[dermis]}" 'BEGIN {
  printf "over <torch/torch.h>: dermis/models/vit.hpp %.2f (at most 1.3), dermis/dermis.hpp %.2f (at most 2.5)\n", vit / torch, dermis / torch
  exit !(torch > 0 && vit <= 1.3 * torch && dermis <= 2.5 * torch)
}'

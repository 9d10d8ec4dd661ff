#!/usr/bin/env bash
# What we write loads strictly in timm, transformers and diffusers, and they compute what we compute. Needs pip once.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$("$here/python_with_peers.sh")
"$DERMIS_BUILD/tests/published_sample" "$work"
OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1 "$python" "$here/round_trip.py" "$work"

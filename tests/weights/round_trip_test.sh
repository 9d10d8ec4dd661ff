#!/usr/bin/env bash
# What we write loads strictly in timm, transformers and diffusers, which compute what we compute; what diffusers saves again
# comes back unchanged. Needs pip once.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$("$here/python_with_peers.sh")
export OMP_NUM_THREADS=1 HF_HUB_OFFLINE=1
"$DERMIS_BUILD/tests/round_trip_vit" "$work/vit"
"$python" "$here/round_trip_vit.py" "$work/vit"
"$python" "$here/round_trip_diffusers.py" "$DERMIS_BUILD/tests/round_trip_diffusers" "$work/diffusers"
"$python" "$here/round_trip_flux.py" "$DERMIS_BUILD/tests/round_trip_flux" "$DERMIS_BIN/dermaflux" "$work/flux"
echo "round trip: ok"

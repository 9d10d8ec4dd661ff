#!/usr/bin/env bash
# Prints a Python that has torch (the one that was built against) and safetensors, in a private environment that is made once.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
environment=$root/.cache/python
python=$environment/bin/python

# ctest runs tests side by side: whoever comes second waits for the environment that the first one makes.
mkdir -p "$root/.cache"
exec 9>"$environment.lock"
flock 9

if [[ ! -e $environment/complete ]]; then
  for base in python3 "$root/.cache/venv/bin/python"; do
    torch=$("$base" -c 'import importlib.util as u, pathlib as p; print(p.Path(u.find_spec("torch").origin).parents[1])' 2>/dev/null) && break
  done
  [[ -n ${torch:-} ]] || { echo "no Python here has torch" >&2; exit 1; }
  rm -rf "$environment"
  python3 -m venv "$environment"
  # Without dependencies: no package may bring another torch.
  "$environment/bin/pip" install --quiet --no-deps safetensors numpy typing_extensions packaging filelock fsspec sympy mpmath \
    networkx jinja2 markupsafe >&2
  echo "$torch" >"$("$python" -c 'import site; print(site.getsitepackages()[0])')/torch.pth"
  "$python" -c 'import torch, safetensors.torch' >&2
  touch "$environment/complete"
fi
echo "$python"

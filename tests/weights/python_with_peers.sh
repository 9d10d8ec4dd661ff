#!/usr/bin/env bash
# Prints a Python that has timm, transformers and diffusers beside the torch that was built against, in a private
# environment that is made once.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
base=$("$root/tests/programs/python_with_torch.sh")
environment=$root/.cache/peers
python=$environment/bin/python

exec 9>"$environment.lock"  # one maker at a time, as in python_with_torch.sh
flock 9

if [[ ! -e $environment/complete ]]; then
  rm -rf "$environment"
  python3 -m venv "$environment"
  # Without dependencies: no package may bring another torch.
  "$environment/bin/pip" install --quiet --no-deps --disable-pip-version-check timm==1.0.31 transformers==5.23.0 diffusers==0.42.1 \
    huggingface_hub==2.4.0 tokenizers==0.23.3 safetensors==0.8.0 pillow PyYAML regex requests tqdm importlib_metadata zipp \
    httpx httpx2 httpcore httpcore2 anyio certifi idna h11 h2 hpack hyperframe sniffio truststore charset-normalizer urllib3 hf-xet \
    click typer shellingham rich >&2
  "$base" -c 'import pathlib, site, torch; print(site.getsitepackages()[0]); print(pathlib.Path(torch.__file__).parents[1])' >"$("$python" -c 'import site; print(site.getsitepackages()[0])')/torch.pth"
  touch "$environment/complete"
fi
echo "$python"

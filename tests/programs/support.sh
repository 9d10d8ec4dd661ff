# Shared by the program tests: a scratch folder, a tiny data set of ordinary files, and checks that name what failed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'echo "FAILED: line $LINENO: $BASH_COMMAND" >&2' ERR
export PATH="$DERMIS_BIN:$PATH"
export OMP_NUM_THREADS=1

fail() { echo "FAILED: $*" >&2; exit 1; }

# expect CODE TEXT COMMAND...: the command exits with CODE and one line on stderr that holds TEXT (no crash, no stack trace).
expect() {
  local code=$1 wanted=$2 actual=0
  shift 2
  "$@" >"$scratch/stdout" 2>"$scratch/stderr" || actual=$?
  [ "$actual" = "$code" ] || { cat "$scratch/stderr" >&2; fail "'$*' exited with $actual, expected $code"; }
  grep -qF -- "$wanted" "$scratch/stderr" || { cat "$scratch/stderr" >&2; fail "'$*' does not say '$wanted'"; }
  if [ "$code" = 1 ] && [ "$(grep -vc '^left out: \|^data: \|^parts: \|^few images: \|[0-9]%' "$scratch/stderr")" -gt 1 ]; then
    cat "$scratch/stderr" >&2
    fail "'$*' says more than one line"
  fi
}

# photos DIR [OPTIONS]: 150 phantom images as files, five classes with enough lesions; OPTIONS are those of phantom.
photos() { phantom --out "$1" --images 150 --minimum-share 0.1 --image-size 40 "${@:2}" 2>/dev/null >/dev/null; }

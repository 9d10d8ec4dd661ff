#!/usr/bin/env bash
# dermis.hpp includes every public header, and nothing else.
set -euo pipefail

cd "$(dirname "$0")/../../include"
headers=$(find dermis -name '*.hpp' ! -path dermis/dermis.hpp | LC_ALL=C sort)
included=$(sed -n 's/^#include "\(.*\)"$/\1/p' dermis/dermis.hpp | LC_ALL=C sort)
diff <(echo "$headers") <(echo "$included") || {
  echo "include/dermis/dermis.hpp is not the list of all public headers: '<' lines are missing, '>' lines are too many"
  exit 1
}

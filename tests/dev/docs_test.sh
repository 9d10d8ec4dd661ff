#!/usr/bin/env bash
# The code that docs/library.md shows is the code that the tests compile, and links between documents lead somewhere.
set -euo pipefail

cd "$(dirname "$0")/../.."
block() { awk -v kind="^\`\`\`$1\$" '$0 ~ kind { inside = 1; next } /^```/ { inside = 0 } inside' docs/library.md; }
diff <(block cmake) tests/package/training_consumer/CMakeLists.txt || { echo "docs/library.md shows another CMakeLists.txt"; exit 1; }
diff <(block cpp) tests/package/training_consumer/main.cpp || { echo "docs/library.md shows another main.cpp"; exit 1; }
(($(block cpp | wc -l) <= 40)) || { echo "the consumer has grown beyond 40 lines"; exit 1; }

for page in *.md docs/*.md docs/results/*.md; do
  while read -r link; do
    [[ $link == http* || -e $(dirname "$page")/$link ]] || { echo "$page links to $link, which is not there"; exit 1; }
  done < <(awk '/^```/ { inside = !inside } !inside' "$page" | sed -n 's/](\([^)#]*\)[^)]*)/\n@\1\n/gp' | sed -n 's/^@//p')
done
echo "docs: ok"

# verify: marks are read back, contradictions and changed pixels are found, and other XML readers understand the mark.
. "$(dirname "$0")/support.sh"
photos "$scratch/photos"
data=(--data "$scratch/photos" --labels labels.csv --classes MEL,NV,BCC --seed 3)
quiet() { "$@" >"$scratch/stdout" 2>"$scratch/stderr" || { cat "$scratch/stdout" "$scratch/stderr" >&2; fail "$*"; }; }
says() { grep -qF -- "$1" "$scratch/stdout" || { cat "$scratch/stdout" >&2; fail "verify does not say '$1'"; }; }

quiet synthesize "${data[@]}" --config "$here/tiny.json" --out "$scratch/model"
drawn="$scratch/model/synthetic"
images=$(find "$drawn" -name '*.png' | wc -l)
quiet verify "$drawn" --model "$scratch/model" --redraw 1000
says "$images images: $images synthetic (BCC "
says "0 without mark, 0 faults"
says "redrawn: $images, of which $images equal; largest difference 0 of 255"
quiet verify "$scratch/model/synthetic" --json
says '"faults": 0'
says "$(sed -n 's/.*"split": \("[0-9a-f]*"\).*/\1/p' "$drawn/lineage.json")"
quiet verify "$scratch/photos"
says "150 images: 0 synthetic, 150 without mark, 0 faults"

# Stopped half-way and resumed: the same bytes.
quiet synthesize --model "$scratch/model" --per-class 9 --seed 3 --out "$scratch/nine"
cp -r "$scratch/nine" "$scratch/again"
rm "$scratch/again/synthetic/labels.csv" "$scratch/again/synthetic"/*/*_0000[3-7].png
quiet synthesize --model "$scratch/model" --per-class 9 --seed 3 --out "$scratch/again"
diff -r "$scratch/nine" "$scratch/again" || fail "a resumed run differs"

# No path and no patient in any mark; XML that Python parses; the source type that IPTC defines.
file=$(find "$drawn" -name '*.png' | sort | sed -n 1p)
grep -qE "$scratch|photos|lesion" "$file" && fail "a mark holds a path or a name"
python3 - "$file" <<'PY' || fail "another reader does not understand the mark"
import struct, sys, xml.etree.ElementTree as ET
data, place, found = open(sys.argv[1], "rb").read(), 8, {}
while place < len(data):
    size, kind = struct.unpack(">I4s", data[place:place + 8])
    if kind in (b"iTXt", b"tEXt"):
        key, rest = data[place + 8:place + 8 + size].split(b"\0", 1)
        found[key.decode()] = (kind, rest)
    place += size + 12
assert found["Description"] == (b"tEXt", b"SYNTHETIC: not a patient"), found
kind, rest = found["XML:com.adobe.xmp"]
assert kind == b"iTXt" and rest[:4] == b"\0\0\0\0", rest[:4]
(item,) = ET.fromstring(rest[4:].decode()).iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}Description")
source = item.attrib["{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"]
assert source == "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia", source
assert item.attrib["{urn:dermis:provenance#}Class"] in ("MEL", "NV", "BCC"), item.attrib
PY

# Synthetic images are not real ones.
expect 1 "is marked synthetic: pass it with --synthetic" finetune --data "$drawn" --labels labels.csv --config "$here/tiny.json" --out "$scratch/x"

# What is not true is found.
expect 1 "no such file or folder: $scratch/nowhere" verify "$scratch/nowhere"
expect 1 "--redraw needs --model" verify "$drawn" --redraw 3
expect 2 "--redraw" verify "$drawn" --redraw -1
quiet synthesize "${data[@]}" --config <(sed 's/"steps": 8/"steps": 7/g' "$here/tiny.json") --out "$scratch/other"
expect 1 "$images of $images images have no valid mark or one that is not true" verify "$drawn" --model "$scratch/other"
says "was drawn by generator"
cp -r "$drawn" "$scratch/mixed"
cp "$(find "$scratch/photos/images" -name '*.png' | sort | sed -n 1p)" "$scratch/mixed/NV/synthetic_NV_00000.png"
expect 1 "1 of $images images have no valid mark" verify "$scratch/mixed"
says "FAULT: is not marked synthetic"
rm -r "$scratch/mixed"
cp -r "$drawn" "$scratch/mixed"
sed -i '2s/,[A-Z]*,/,WRONG,/' "$scratch/mixed/labels.csv"
expect 1 "1 of $images images have no valid mark" verify "$scratch/mixed"
says "FAULT: expected class WRONG"
grep -q 'Examples:' <<<"$(verify --help)" || fail "verify --help does not teach"
echo "verify: ok"

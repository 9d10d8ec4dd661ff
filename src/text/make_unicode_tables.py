#!/usr/bin/env python3
"""Writes the tables of unicode.cpp beside itself: python3 make_unicode_tables.py

What is a letter, a number, a lower case and a canonical decomposition is asked of the tokenizers library, so that its
answers are ours whatever version of Unicode it was built with. Needs: pip install tokenizers regex.
"""

import pathlib
import unicodedata

import regex
from tokenizers import Regex, normalizers, pre_tokenizers

HERE = pathlib.Path(__file__).parent
CODES = [c for c in range(1, 0x110000) if not 0xD800 <= c <= 0xDFFF]
NFD, NFC, LOWER = normalizers.NFD(), normalizers.NFC(), normalizers.Lowercase()


def write(name, what, entries):
    lines, line = [], ""
    for entry in entries:
        text = "{" + ",".join(f"{value:#x}" if value > 9 else str(value) for value in entry) + "},"
        if len(line) + len(text) > 160:
            lines.append(line)
            line = ""
        line += text
    body = "\n".join(lines + [line])
    (HERE / f"unicode_{name}.inc").write_text(f"// {what} Written by make_unicode_tables.py.\n{body}\n")


def ranges(codes):
    result = []
    for code in codes:
        if result and result[-1][1] == code - 1:
            result[-1][1] = code
        else:
            result.append([code, code])
    return result


def in_class(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    return [c for c in CODES if split.pre_tokenize_str(chr(c))]


def lower_runs():
    """{first, last, step, lower of first}; İ, whose lower case is two, stays out."""
    runs = []
    for code in CODES:
        low = LOWER.normalize_str(chr(code))
        if low == chr(code) or len(low) != 1:
            continue
        low = ord(low)
        if runs:
            first, last, step, to = runs[-1]
            gap = code - last
            if low - to == code - first and gap in (1, 2) and (step in (0, gap)):
                runs[-1] = [first, code, gap, to]
                continue
        runs.append([code, code, 0, low])
    return [[first, last, step or 1, to] for first, last, step, to in runs]


def combining_classes():
    result = []
    for code in CODES:
        order = unicodedata.combining(chr(code))
        known = order == 240 or NFD.normalize_str("\u0345" + chr(code)) == chr(code) + "\u0345"
        if order == 0 or not known:
            continue
        if result and result[-1][1] == code - 1 and result[-1][2] == order:
            result[-1][1] = code
        else:
            result.append([code, code, order])
    return result


def decompositions():
    """{code, first, second}: composed again; {code, first, second or 0}: never."""
    whole = {}
    for code in CODES:
        parts = NFD.normalize_str(chr(code))
        if parts != chr(code) and not 0xAC00 <= code <= 0xD7A3:
            whole[code] = parts
    of_parts = {parts: code for code, parts in whole.items() if NFC.normalize_str(chr(code)) == chr(code)}
    pairs, once = [], []
    for code, parts in whole.items():
        known = [int(part, 16) for part in unicodedata.decomposition(chr(code)).split()]
        if not known:
            known = [of_parts.get(parts[:-1], ord(parts[0])), ord(parts[-1])] if len(parts) > 1 else [ord(parts)]
        again = len(known) == 2 and NFC.normalize_str(chr(code)) == chr(code)
        (pairs if again else once).append([code, *known] if len(known) == 2 else [code, known[0], 0])
    return pairs, once


def graphemes():
    kinds = [("Extend", 1), ("ZWJ", 2), ("SpacingMark", 1), ("Control", 3), ("CR", 3), ("LF", 3), ("Prepend", 4)]
    later = set(in_class(r"\p{Cn}"))  # what is no character yet for tokenizers extends nothing
    kind_of = {}
    for name, kind in kinds:
        match = regex.compile(rf"\p{{Grapheme_Cluster_Break={name}}}").fullmatch
        kind_of.update({code: kind for code in CODES if match(chr(code)) and (kind == 3 or code not in later)})
    match = regex.compile(r"\p{Extended_Pictographic}").fullmatch
    kind_of.update({code: 5 for code in CODES if match(chr(code))})
    result = []
    for code, kind in sorted(kind_of.items()):
        if result and result[-1][1] == code - 1 and result[-1][2] == kind:
            result[-1][1] = code
        else:
            result.append([code, code, kind])
    return result


pairs, once = decompositions()
write("letters", "First and last code points of the letters (L).", ranges(in_class(r"\p{L}")))
write("numbers", "First and last code points of the numbers (N).", ranges(in_class(r"\p{N}")))
write("lower", "Lower case: first, last, step, lower case of the first.", lower_runs())
write("combining", "First, last, canonical combining class.", combining_classes())
write("pairs", "Canonical compositions: code point, first, second.", pairs)
write("once", "Canonical decompositions that no composition undoes: code point, first, second or 0.", once)
write("graphemes", "First, last, kind: 1 extends, 2 joiner, 3 control, 4 prepended, 5 pictographic.", graphemes())
